package member

import (
	"context"

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

// today holds for the memberships of a section that last today.
const today = `sm.starts_on <= CURRENT_DATE AND (sm.ends_on IS NULL OR sm.ends_on >= CURRENT_DATE)`

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

// Members returns a page of the directory.
func (s *Store) Members(ctx context.Context, v viewer.Viewer, f *Filter, order *Order, args page.Args) (_ *Connection, err error) {
	defer errs.Wrap(&err, "member.Members")
	c := &Connection{}
	if f != nil {
		c.Scope.Filter = *f
	}
	d, err := search(v, c.Scope.Filter)
	if err != nil {
		return nil, err
	}
	if order != nil && *order == ByJoinedOnDesc {
		c.Connection, err = s.newestFirst(ctx, d, args)
	} else {
		c.Connection, err = s.byName(ctx, d, args)
	}
	return c, err
}

func (s *Store) byName(ctx context.Context, d *directory, args page.Args) (c page.Connection[*Member], err error) {
	k, err := args.Keyset(2)
	if err != nil {
		return c, err
	}
	if err := bindNames(d.args, k); err != nil {
		return c, err
	}
	d.args["limit"] = pg.Limit(k)
	rows, err := pg.All[Member](ctx, s.DB, d.page(func(l *list) string { return l.byName(k) }), d.args)
	if err != nil {
		return c, err
	}
	return page.New(k, rows, nameKey), nil
}

// Total returns how many members a list has, of those the viewer may see.
func (s *Store) Total(ctx context.Context, v viewer.Viewer, f Filter) (_ int, err error) {
	defer errs.Wrap(&err, "member.Total")
	d, err := search(v, f)
	if err != nil {
		return 0, err
	}
	return pg.Scalar[int](ctx, s.DB, d.count(), d.args)
}
