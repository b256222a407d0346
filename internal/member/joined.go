package member

import (
	"context"
	"maps"
	"math"
	"slices"
	"strconv"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/collegium/collegium/internal/page"
	"github.com/collegium/collegium/internal/pg"
)

// The order JOINED_ON_DESC has two parts: the members who show the viewer on which
// day they joined, the newest first, and then those who don't, by name. Each part
// has a statement and an index of its own, and a page that the first part fills
// asks no more.

// noDay is the sort key of a day that is kept from the viewer: it comes last.
const noDay = math.MaxInt32

// epoch is the day with the sort key 0. A later day has a smaller key, so that the
// newest come first.
var epoch = time.Date(2000, time.January, 1, 0, 0, 0, 0, time.UTC)

// dayKey returns the sort key of a member.
func dayKey(m *Member) []string {
	day := int64(noDay)
	if m.JoinedOn != nil {
		day = (epoch.Unix() - m.JoinedOn.Unix()) / (24 * 60 * 60)
	}
	return []string{strconv.FormatInt(day, 10), m.SortName, m.ID.String()}
}

// byDays is how those who show their day are sorted.
var byDays = pg.Sort{
	After:    `(DATE '2000-01-01' - m.joined_on, m.sort_name COLLATE "und-x-icu", m.id) > (@after_day, @after_name, @after_id::uuid)`,
	Before:   `(DATE '2000-01-01' - m.joined_on, m.sort_name COLLATE "und-x-icu", m.id) < (@before_day, @before_name, @before_id::uuid)`,
	Forward:  `DATE '2000-01-01' - m.joined_on, m.sort_name COLLATE "und-x-icu", m.id`,
	Backward: `DATE '2000-01-01' - m.joined_on DESC, m.sort_name COLLATE "und-x-icu" DESC, m.id DESC`,
}

// showing returns the SELECT of a page of those who show their day: from each
// audience that the viewer belongs to as many as the page has, since the index is
// sorted within one audience, and of these the first.
//
// A viewer sees more of the own record, whose day is looked up besides.
func (l *list) showing(k page.Keyset) string {
	shows := *l
	shows.by = "joined_on"
	sql := `
		SELECT m.*
		FROM unnest(` + l.Scanned() + `) AS of (audience)
		CROSS JOIN LATERAL (` + pg.Paged(`
			SELECT`+l.selected()+`
			FROM `+shows.table()+` m
			WHERE m.joined_on_audience = of.audience AND m.joined_on IS NOT NULL AND `+l.visible+l.within()+l.near+byDays.Bounds(k)+byDays.OrderBy(k)) + `
		) m`
	if l.Own() {
		sql = `
		SELECT m.*
		FROM (` + sql + `
			UNION ALL
			SELECT` + l.selected() + `
			FROM ` + shows.table() + ` m
			WHERE m.id = @me AND m.joined_on_audience <> ALL(` + l.Scanned() + `)` + l.within() + l.near + byDays.Bounds(k) + `
		) m`
	}
	return sql + byDays.OrderBy(k)
}

// keeping returns the SELECT of a page of those who keep their day.
func (l *list) keeping(k page.Keyset) string {
	kept := `m.joined_on IS NULL`
	if l.Shape == 0 {
		kept = `m.joined_on_audience <> 'PUBLIC'` // the planner knows how many these are
	}
	return `
		SELECT` + l.selected() + `
		FROM ` + l.table() + ` m
		WHERE ` + kept + ` AND ` + l.visible + l.within() + l.near + byNames.Bounds(k) + byNames.OrderBy(k)
}

// newestFirst returns a page in the order JOINED_ON_DESC.
func (s *Store) newestFirst(ctx context.Context, d *directory, args page.Args) (c page.Connection[*Member], err error) {
	k, err := args.Keyset(3)
	if err != nil {
		return c, err
	}
	type part struct {
		sql     func(*list, page.Keyset) string
		k       page.Keyset // with the cursors that stand in this part, without the day
		args    pgx.StrictNamedArgs
		outside bool // whether the page has nothing of this part
	}
	shows := &part{sql: (*list).showing, k: page.Keyset{Backward: k.Backward}, args: maps.Clone(d.args)}
	keeps := &part{sql: (*list).keeping, k: page.Keyset{Backward: k.Backward}, args: maps.Clone(d.args)}
	err = pg.EachCursor(k, func(name string, key []string) error {
		day, err := strconv.ParseInt(key[0], 10, 32)
		if err != nil {
			return notACursor(name)
		}
		in := shows
		if day == noDay {
			in = keeps
		} else {
			shows.args[name+"_day"] = day
		}
		if name == "after" {
			in.k.After = key[1:]
			shows.outside = in == keeps
		} else {
			in.k.Before = key[1:]
			keeps.outside = in == shows
		}
		return nil
	})
	if err != nil {
		return c, err
	}
	parts := []*part{shows, keeps}
	if k.Backward {
		slices.Reverse(parts)
	}
	var rows []*Member
	for _, p := range parts {
		if p.outside || len(rows) == pg.Limit(k) {
			continue
		}
		p.args["limit"] = pg.Limit(k) - len(rows)
		if err := bindNames(p.args, p.k); err != nil {
			return c, err
		}
		more, err := pg.All[Member](ctx, s.DB, d.page(func(l *list) string { return p.sql(l, p.k) }), p.args)
		if err != nil {
			return c, err
		}
		rows = append(rows, more...)
	}
	return page.New(k, rows, dayKey), nil
}
