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

// A unitList is a list of the members of one unit, whose ID is an expression.
type unitList func(t *texts, id string) list

// ofRegion and ofSection list the members who let the viewer see that they belong
// to the unit today.
func ofRegion(t *texts, id string) list {
	return list{texts: t, by: "region", looksFor: SetOf(OfRegion), conditions: ` AND m.region_id = ` + id + ` AND ` + t.Shows(`m.region_audience`)}
}

func ofSection(t *texts, id string) list {
	return list{texts: t, looksFor: SetOf(OfSections), section: id}
}

// OfRegions returns the same page of the members of each region, by name.
func (s *Store) OfRegions(ctx context.Context, v viewer.Viewer, regions []uuid.UUID, args page.Args) (_ map[uuid.UUID]*Connection, err error) {
	defer errs.Wrap(&err, "member.OfRegions(%d)", len(regions))
	return s.ofUnits(ctx, v, ofRegion, regions, args, func(id uuid.UUID) Scope { return Scope{Region: &id} })
}

// OfSections returns the same page of the members of each section, by name.
func (s *Store) OfSections(ctx context.Context, v viewer.Viewer, sections []uuid.UUID, args page.Args) (_ map[uuid.UUID]*Connection, err error) {
	defer errs.Wrap(&err, "member.OfSections(%d)", len(sections))
	return s.ofUnits(ctx, v, ofSection, sections, args, func(id uuid.UUID) Scope { return Scope{Section: &id} })
}

// ofUnits asks for one page of each unit in one statement.
func (s *Store) ofUnits(ctx context.Context, v viewer.Viewer, of unitList, units []uuid.UUID, args page.Args, scope func(uuid.UUID) Scope) (map[uuid.UUID]*Connection, error) {
	k, err := args.Keyset(2)
	if err != nil {
		return nil, err
	}
	sight := v.Sight()
	params := pgx.StrictNamedArgs{"limit": pg.Limit(k)}
	sight.Bind(params)
	if err := bindNames(params, k); err != nil {
		return nil, err
	}
	byUnit := make(map[uuid.UUID][]*Member, len(units))
	if len(units) == 1 {
		l := of(textsFor(sight), `@unit`)
		params["unit"] = units[0]
		byUnit[units[0]], err = pg.All[Member](ctx, s.DB, pg.Paged(l.byName(k)), params)
		if err != nil {
			return nil, err
		}
	} else {
		type row struct {
			UnitID uuid.UUID
			Member
		}
		l := of(textsFor(sight), `u.id`)
		params["units"] = units
		rows, err := pg.All[row](ctx, s.DB, `
			SELECT
				u.id AS unit_id,
				m.*
			FROM unnest(@units::uuid[]) AS u (id)
			CROSS JOIN LATERAL (`+pg.Paged(l.byName(k))+`) m`, params)
		if err != nil {
			return nil, err
		}
		for _, r := range rows {
			byUnit[r.UnitID] = append(byUnit[r.UnitID], &r.Member)
		}
	}
	pages := make(map[uuid.UUID]*Connection, len(units))
	looksFor := of(textsFor(sight), ``).looksFor
	for _, id := range units {
		note(ctx, v, byUnit[id], looksFor)
		pages[id] = &Connection{Connection: page.New(k, byUnit[id], nameKey), Scope: scope(id)}
	}
	return pages, nil
}

// Totals returns how many members each of the lists has, of those the viewer may
// see, in the order of the lists: one statement for all regions, one for all
// sections and one for each filter of the directory.
func (s *Store) Totals(ctx context.Context, v viewer.Viewer, lists []*Connection) (_ []int, err error) {
	defer errs.Wrap(&err, "member.Totals(%d)", len(lists))
	var regions, sections []uuid.UUID
	for _, l := range lists {
		switch {
		case l.Scope.Region != nil:
			regions = append(regions, *l.Scope.Region)
		case l.Scope.Section != nil:
			sections = append(sections, *l.Scope.Section)
		}
	}
	inRegions, err := s.countUnits(ctx, v, ofRegion, regions)
	if err != nil {
		return nil, err
	}
	inSections, err := s.countUnits(ctx, v, ofSection, sections)
	if err != nil {
		return nil, err
	}
	totals := make([]int, len(lists))
	for i, l := range lists {
		switch {
		case l.Scope.Region != nil:
			totals[i] = inRegions[*l.Scope.Region]
		case l.Scope.Section != nil:
			totals[i] = inSections[*l.Scope.Section]
		default:
			if totals[i], err = s.Total(ctx, v, l.Scope.Filter); err != nil {
				return nil, err
			}
		}
	}
	return totals, nil
}

func (s *Store) countUnits(ctx context.Context, v viewer.Viewer, of unitList, units []uuid.UUID) (map[uuid.UUID]int, error) {
	if len(units) == 0 {
		return nil, nil
	}
	type row struct {
		ID uuid.UUID
		N  int
	}
	sight := v.Sight()
	args := pgx.StrictNamedArgs{"units": units}
	sight.Bind(args)
	l := of(textsFor(sight), `p.id`)
	rows, err := pg.All[row](ctx, s.DB, `
		SELECT
			p.id,
			(`+l.count()+`) AS n
		FROM unnest(@units::uuid[]) AS p (id)`, args)
	if err != nil {
		return nil, err
	}
	counts := make(map[uuid.UUID]int, len(rows))
	for _, r := range rows {
		counts[r.ID] = r.N
	}
	return counts, nil
}
