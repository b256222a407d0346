package member

import (
	"context"
	"slices"
	"strconv"
	"strings"

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
	// columns are those of m, and fields the same without their end, AS private.
	columns, fields string
	// held are all columns of a view that the others are made of.
	held string
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
	` + s.Column(column, field+`_audience`) + `,`
		}
		private := `0`
		if s.More() {
			for n, f := range Fields[:slices.Index(Fields, Email)] {
				private += ` + CASE WHEN m.` + strings.ToLower(string(f)) + `_audience <> 'PUBLIC' THEN ` + strconv.Itoa(1<<n) + ` ELSE 0 END`
			}
		}
		all[i] = &texts{
			Shape: s,
			fields: `
	m.id,
	m.display_name,` + masked(`pronouns`, `pronouns`) + masked(`headline`, `headline`) + masked(`bio`, `bio`) +
				masked(`grade`, `grade`) + masked(`joined_on`, `joined_on`) + masked(`region_id`, `region`) + `
	m.shows_sections AND ` + s.Shows(`m.sections_audience`) + ` AS shows_sections,
	m.sort_name,
	m.revision,
	` + private,
			visible:       s.Shows(`m.listing_audience`),
			showsSections: s.Shows(`m.sections_audience`),
		}
		all[i].columns = all[i].fields + ` AS private`
		all[i].held = `
	m.id, m.display_name, m.sort_name, m.pronouns, m.headline, m.bio, m.grade, m.joined_on, m.region_id,
	m.listing_audience, m.pronouns_audience, m.headline_audience, m.bio_audience, m.grade_audience, m.region_audience,
	m.joined_on_audience, m.sections_audience, m.shows_sections, m.revision`
	}
	return all
}()

func textsFor(s viewer.Sight) *texts { return allTexts[s.Shape] }

// today holds for the memberships of a section that last today.
const today = `m.starts_on <= CURRENT_DATE AND (m.ends_on IS NULL OR m.ends_on >= CURRENT_DATE)`

// ByID returns the members with the IDs whom the viewer may see.
func (s *Store) ByID(ctx context.Context, v viewer.Viewer, ids []uuid.UUID) (_ map[uuid.UUID]*Member, err error) {
	defer errs.Wrap(&err, "member.ByID(%d)", len(ids))
	sight := v.Sight()
	t := textsFor(sight)
	args := pgx.StrictNamedArgs{"ids": ids}
	sight.Bind(args)
	members, err := pg.All[Member](ctx, s.DB, `
		SELECT`+t.columns+`
		FROM `+t.Table("")+` m
		WHERE m.id = ANY(@ids) AND `+t.visible, args)
	if err != nil {
		return nil, err
	}
	note(ctx, v, members, 0)
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
	by := ByName
	if order != nil {
		by = *order
	} else if c.Scope.Filter.Near != nil {
		by = Nearest
	}
	switch by {
	case ByJoinedOnDesc:
		d.looksFor |= SetOf(JoinedOn)
		c.Connection, err = s.newestFirst(ctx, d, args)
	case Nearest:
		c.Connection, err = s.nearest(ctx, d, args)
	default:
		c.Connection, err = s.byName(ctx, d, args)
	}
	if err != nil {
		return nil, err
	}
	if len(c.Nodes()) == 0 {
		if err := s.knownUnits(ctx, v, c.Scope.Filter); err != nil {
			return nil, err
		}
	}
	note(ctx, v, c.Nodes(), d.looksFor)
	return c, nil
}

// knownUnits says which unit of a filter there is not, or is none that the viewer may know
// of. It is asked of a filter that finds nobody.
func (s *Store) knownUnits(ctx context.Context, v viewer.Viewer, f Filter) error {
	if f.Region == nil && f.Section == nil {
		return nil
	}
	type row struct{ Region, Section bool }
	known, err := pg.One[row](ctx, s.DB, `
		SELECT
			@region::text IS NULL OR `+namedRegion+` IS NOT NULL AS region,
			@section::text IS NULL OR `+namedSection+` IS NOT NULL AS section`,
		pgx.StrictNamedArgs{"region": f.Region, "section": f.Section, "reach": v.Reach()})
	switch {
	case err != nil:
		return err
	case !known.Region:
		return errs.Invalidf("filter.region", "there is no such region; pass the slug of one that regions lists")
	case !known.Section:
		return errs.Invalidf("filter.section", "there is no such section; pass the slug of one that specialistSections lists")
	}
	return nil
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

func (s *Store) nearest(ctx context.Context, d *directory, args page.Args) (c page.Connection[*Member], err error) {
	if d.near == "" {
		return c, errs.Invalidf("orderBy", "NEAREST is an order of those in a circle; pass filter.near")
	}
	k, err := args.Keyset(3)
	if err != nil {
		return c, err
	}
	if err := bindDistances(d.args, k); err != nil {
		return c, err
	}
	d.args["limit"] = pg.Limit(k)
	rows, err := pg.All[nearby](ctx, s.DB, d.page(func(l *list) string { return l.nearest(k) }), d.args)
	if err != nil {
		return c, err
	}
	members := make([]*Member, len(rows))
	for i, r := range rows {
		km := float64(r.Distance) / 10
		r.DistanceKm, members[i] = &km, &r.Member
	}
	return page.New(k, members, distanceKey), nil
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
