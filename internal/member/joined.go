package member

import (
	"context"
	"strconv"
	"strings"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"github.com/collegium/collegium/internal/errs"
	"github.com/collegium/collegium/internal/page"
	"github.com/collegium/collegium/internal/pg"
)

// joinedRow is a member with the number they are sorted by.
type joinedRow struct {
	Member
	SortKey int
}

// membersByJoinedOn fills c with a page of the directory, the newest members first.
func (s *Store) membersByJoinedOn(ctx context.Context, c *Connection, params pgx.StrictNamedArgs, args page.Args) error {
	k, err := args.Keyset(3)
	if err != nil {
		return err
	}
	params["limit"] = k.Limit + 1
	for name, key := range map[string][]string{"after": k.After, "before": k.Before} {
		var day *int
		var sortName *string
		var id *uuid.UUID
		if key != nil {
			n, err1 := strconv.ParseInt(key[0], 10, 32)
			parsed, err2 := uuid.Parse(key[2])
			if err1 != nil || err2 != nil || strings.ContainsRune(key[1], 0) {
				return errs.Invalidf(name, "not a cursor of this list; pass a cursor that the same list returned")
			}
			number := int(n)
			day, sortName, id = &number, &key[1], &parsed
		}
		params[name+"_day"], params[name+"_name"], params[name+"_id"] = day, sortName, id
	}
	const within = `
		SELECT` + columns + `,
			` + joinedKey + ` AS sort_key
		FROM members m
		WHERE ` + matches + `
			AND (@after_day::int IS NULL
				OR (` + joinedKey + `, m.sort_name COLLATE "und-x-icu", m.id) > (@after_day, @after_name, @after_id::uuid))
			AND (@before_day::int IS NULL
				OR (` + joinedKey + `, m.sort_name COLLATE "und-x-icu", m.id) < (@before_day, @before_name, @before_id::uuid))`
	sql := within + ` ORDER BY sort_key, m.sort_name COLLATE "und-x-icu", m.id LIMIT @limit`
	if k.Backward {
		sql = within + ` ORDER BY sort_key DESC, m.sort_name COLLATE "und-x-icu" DESC, m.id DESC LIMIT @limit`
	}
	rows, err := pg.All[joinedRow](ctx, s.DB, sql, params)
	if err != nil {
		return err
	}
	sorted := page.New(k, rows, func(r *joinedRow) []string {
		return []string{strconv.Itoa(r.SortKey), r.SortName, r.ID.String()}
	})
	c.PageInfo = sorted.PageInfo
	c.Edges = make([]Edge, len(sorted.Edges))
	for i, e := range sorted.Edges {
		c.Edges[i] = Edge{Cursor: e.Cursor, Node: &e.Node.Member}
	}
	return nil
}
