package member

import (
	"context"
	"strings"
	"unicode/utf8"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"github.com/collegium/collegium/internal/errs"
	"github.com/collegium/collegium/internal/page"
	"github.com/collegium/collegium/internal/pg"
	"github.com/collegium/collegium/internal/viewer"
)

const columns = `
	m.id,
	m.display_name,
	CASE WHEN m.pronouns_audience = ANY(@reach) THEN m.pronouns END AS pronouns,
	CASE WHEN m.headline_audience = ANY(@reach) THEN m.headline END AS headline,
	CASE WHEN m.bio_audience = ANY(@reach) THEN m.bio END AS bio,
	CASE WHEN m.grade_audience = ANY(@reach) THEN m.grade END AS grade,
	CASE WHEN m.joined_on_audience = ANY(@reach) THEN m.joined_on END AS joined_on,
	CASE WHEN m.region_audience = ANY(@reach) THEN m.region_id END AS region_id,
	m.sections_audience = ANY(@reach) AS shows_sections,
	m.sort_name`

const visible = `m.listing_audience = ANY(@reach)`

// A condition on a field asks for the field's audience too, and one on a unit
// whether the viewer may know of the unit, so that a filter tells nothing that the
// answer would not.
const matches = visible + `
	AND (@region::text IS NULL OR (m.region_audience = ANY(@reach) AND m.region_id IN (
		SELECT u.id
		FROM units u
		JOIN entries e ON e.id = u.id
		WHERE u.kind = 'REGION' AND (u.slug = lower(@region) OR u.aliases @> ARRAY[lower(@region)]) AND ` + viewer.Visible + `)))
	AND (@section::text IS NULL OR (m.sections_audience = ANY(@reach) AND m.id IN (
		SELECT sm.member_id
		FROM section_memberships sm
		JOIN units u ON u.id = sm.section_id
		JOIN entries e ON e.id = u.id
		WHERE sm.starts_on <= CURRENT_DATE
			AND (sm.ends_on IS NULL OR sm.ends_on >= CURRENT_DATE)
			AND u.kind = 'SPECIALIST_SECTION' AND (u.slug = lower(@section) OR u.aliases @> ARRAY[lower(@section)])
			AND ` + viewer.Visible + `)))
	AND (@grade::text IS NULL OR (m.grade_audience = ANY(@reach) AND m.grade = @grade))
	AND (@text::text IS NULL
		OR m.display_name ILIKE @text
		OR (m.headline_audience = ANY(@reach) AND m.headline ILIKE @text))`

// ByID returns the members with the IDs whom the viewer may see.
func (s *Store) ByID(ctx context.Context, v viewer.Viewer, ids []uuid.UUID) (_ map[uuid.UUID]*Member, err error) {
	defer errs.Wrap(&err, "member.ByID(%d)", len(ids))
	members, err := pg.All[Member](ctx, s.DB, `
		SELECT`+columns+`
		FROM members m
		WHERE m.id = ANY(@ids) AND `+visible,
		pgx.StrictNamedArgs{"ids": ids, "reach": v.Reach()})
	if err != nil {
		return nil, err
	}
	return pg.ByKey(members, func(m *Member) uuid.UUID { return m.ID }), nil
}

// maxText bounds the words of a directory filter, in characters.
const maxText = 100

func filterArgs(v viewer.Viewer, f Filter) (pgx.StrictNamedArgs, error) {
	args := pgx.StrictNamedArgs{"reach": v.Reach(), "region": f.Region, "section": f.Section, "grade": f.Grade, "text": nil}
	if f.Text != nil {
		text := strings.TrimSpace(*f.Text)
		if n := utf8.RuneCountInString(text); n < 1 || n > maxText || strings.ContainsRune(text, 0) {
			return nil, errs.Invalidf("filter.text", "pass 1 to %d characters; there are %d", maxText, n)
		}
		args["text"] = "%" + strings.NewReplacer(`\`, `\\`, `%`, `\%`, `_`, `\_`).Replace(text) + "%"
	}
	return args, nil
}

// joinedKey is the sort key of JOINED_ON_DESC: minus the day, so that it ascends;
// a day that is kept from the viewer comes last.
const joinedKey = `COALESCE(CASE WHEN m.joined_on_audience = ANY(@reach) THEN DATE '2000-01-01' - m.joined_on END, 2147483647)`

// Members returns a page of the directory.
func (s *Store) Members(ctx context.Context, v viewer.Viewer, f *Filter, order *Order, args page.Args) (_ *Connection, err error) {
	defer errs.Wrap(&err, "member.Members")
	c := &Connection{}
	if f != nil {
		c.Scope.Filter = *f
	}
	params, err := filterArgs(v, c.Scope.Filter)
	if err != nil {
		return nil, err
	}
	if order != nil && *order == ByJoinedOnDesc {
		return c, s.membersByJoinedOn(ctx, c, params, args)
	}
	k, err := args.Keyset(2)
	if err != nil {
		return nil, err
	}
	if err := bindNameKeys(params, k); err != nil {
		return nil, err
	}
	const within = `
		SELECT` + columns + `
		FROM members m
		WHERE ` + matches + ` AND ` + betweenNames
	sql := within + ` ORDER BY m.sort_name COLLATE "und-x-icu", m.id LIMIT @limit`
	if k.Backward {
		sql = within + ` ORDER BY m.sort_name COLLATE "und-x-icu" DESC, m.id DESC LIMIT @limit`
	}
	members, err := pg.All[Member](ctx, s.DB, sql, params)
	if err != nil {
		return nil, err
	}
	c.Connection = page.New(k, members, nameKey)
	return c, nil
}

// Total returns how many members a list has, of those the viewer may see.
func (s *Store) Total(ctx context.Context, v viewer.Viewer, f Filter) (_ int, err error) {
	defer errs.Wrap(&err, "member.Total")
	params, err := filterArgs(v, f)
	if err != nil {
		return 0, err
	}
	return pg.Scalar[int](ctx, s.DB, `
		SELECT count(*)
		FROM members m
		WHERE `+matches, params)
}

// betweenNames holds for the rows beyond the keys of the cursors.
const betweenNames = `
	(@after_name::text IS NULL
		OR (m.sort_name COLLATE "und-x-icu", m.id) > (@after_name, @after_id::uuid))
	AND (@before_name::text IS NULL
		OR (m.sort_name COLLATE "und-x-icu", m.id) < (@before_name, @before_id::uuid))`

func nameKey(m *Member) []string { return []string{m.SortName, m.ID.String()} }

// bindNameKeys sets the arguments of betweenNames and the limit.
func bindNameKeys(params pgx.StrictNamedArgs, k page.Keyset) (err error) {
	params["limit"] = k.Limit + 1
	if params["after_name"], params["after_id"], err = parseNameKey("after", k.After); err != nil {
		return err
	}
	params["before_name"], params["before_id"], err = parseNameKey("before", k.Before)
	return err
}

func parseNameKey(name string, key []string) (sortName *string, id *uuid.UUID, err error) {
	if key == nil {
		return nil, nil, nil
	}
	parsed, err := uuid.Parse(key[1])
	if err != nil || strings.ContainsRune(key[0], 0) {
		return nil, nil, errs.Invalidf(name, "not a cursor of this list; pass a cursor that the same list returned")
	}
	return &key[0], &parsed, nil
}
