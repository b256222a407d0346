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

// texts are the parts of statements that depend on what the viewer may see of
// members: one for each shape of a sight.
type texts struct {
	viewer.Shape
	// columns are those of m, where m is taken from ofRow.
	columns string
	// ofRow stands behind the m that columns are taken from.
	ofRow string
	// visible holds for the members m whom the viewer may see.
	visible string
	// showsSections holds if the viewer may know the sections of m.
	showsSections string
}

var allTexts = func() (all [viewer.Shapes]*texts) {
	for i := range all {
		s := viewer.Shape(i)
		masked := func(column, field string) string {
			return `
	CASE WHEN ` + s.Masks(`m.`+field+`_audience`) + ` THEN m.` + column + ` END AS ` + column + `,`
		}
		all[i] = &texts{
			Shape: s,
			ofRow: s.OfRow(),
			columns: `
	m.id,
	m.display_name,` + masked(`pronouns`, `pronouns`) + masked(`headline`, `headline`) + masked(`bio`, `bio`) +
				masked(`grade`, `grade`) + masked(`joined_on`, `joined_on`) + masked(`region_id`, `region`) + `
	` + s.Masks(`m.sections_audience`) + ` AS shows_sections,
	m.sort_name`,
			visible:       s.Shows(`m.listing_audience`),
			showsSections: s.Shows(`m.sections_audience`),
		}
	}
	return all
}()

func textsFor(s viewer.Sight) *texts { return allTexts[s.Shape] }

// today holds for the memberships of a section that last today.
const today = `sm.starts_on <= CURRENT_DATE AND (sm.ends_on IS NULL OR sm.ends_on >= CURRENT_DATE)`

// ByID returns the members with the IDs whom the viewer may see.
func (s *Store) ByID(ctx context.Context, v viewer.Viewer, ids []uuid.UUID) (_ map[uuid.UUID]*Member, err error) {
	defer errs.Wrap(&err, "member.ByID(%d)", len(ids))
	sight := v.Sight()
	t := textsFor(sight)
	args := pgx.StrictNamedArgs{"ids": ids}
	sight.Bind(args)
	members, err := pg.All[Member](ctx, s.DB, `
		SELECT`+t.columns+`
		FROM members m`+t.ofRow+`
		WHERE m.id = ANY(@ids) AND `+t.visible, args)
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
