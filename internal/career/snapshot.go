package career

import (
	"bytes"
	"cmp"
	"context"
	"slices"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"github.com/collegium/collegium/internal/errs"
	"github.com/collegium/collegium/internal/page"
	"github.com/collegium/collegium/internal/pg"
	"github.com/collegium/collegium/internal/slug"
	"github.com/collegium/collegium/internal/viewer"
)

// Snapshot holds the case studies and the ladder as one viewer sees them, and
// answers what Store answers about them, for that viewer alone. It is never
// changed, and neither may be what it returns: many share it. What it doesn't hold
// it asks of the store.
type Snapshot struct {
	store  *Store
	levels []*CareerLevel
	// all are the case studies up the ladder, and at the place of each among them.
	all     []*CaseStudy
	at      map[uuid.UUID]int
	bySlug  map[string]*CaseStudy
	byLevel map[Level][]*CaseStudy
	// sections and regions are the units that have a slug or an alias, as far as a
	// case study has to do with them.
	sections, regions map[string][]uuid.UUID
}

// Snapshot reads all case studies through db, which is a transaction with one view
// of the database.
func (s *Store) Snapshot(ctx context.Context, db pg.Querier, v viewer.Viewer) (_ *Snapshot, err error) {
	defer errs.Wrap(&err, "career.Snapshot")
	within := &Store{DB: db}
	levels, err := within.Levels(ctx)
	if err != nil {
		return nil, err
	}
	names := make([]Level, len(levels))
	for i, l := range levels {
		names[i] = l.Level
	}
	snap := &Snapshot{
		store: s, levels: slices.Clip(levels), at: map[uuid.UUID]int{}, bySlug: map[string]*CaseStudy{},
		sections: map[string][]uuid.UUID{}, regions: map[string][]uuid.UUID{},
	}
	if snap.byLevel, err = within.AtLevels(ctx, v, names); err != nil {
		return nil, err
	}
	for _, name := range names {
		for _, c := range snap.byLevel[name] {
			snap.at[c.ID] = len(snap.all)
			snap.all = append(snap.all, c)
			if snap.bySlug[c.Slug] == nil {
				snap.bySlug[c.Slug] = c
			}
		}
	}
	return snap, snap.readUnits(ctx, db, v)
}

func (s *Snapshot) readUnits(ctx context.Context, db pg.Querier, v viewer.Viewer) error {
	rows, err := db.Query(ctx, `
		SELECT
			u.id,
			u.kind = 'REGION',
			array_append(u.aliases, u.slug)
		FROM units u
		JOIN entries e ON e.id = u.id
		WHERE u.id IN (SELECT c.section_id FROM case_studies c UNION SELECT c.region_id FROM case_studies c)
			AND `+viewer.Visible,
		pgx.StrictNamedArgs{"reach": v.Reach()})
	if err != nil {
		return err
	}
	var id uuid.UUID
	var isRegion bool
	var names []string
	_, err = pgx.ForEachRow(rows, []any{&id, &isRegion, &names}, func() error {
		into := s.sections
		if isRegion {
			into = s.regions
		}
		for _, name := range names {
			into[name] = append(into[name], id)
		}
		return nil
	})
	return err
}

// Documents returns the IDs of the documents of the case studies.
func (s *Snapshot) Documents() []uuid.UUID {
	var ids []uuid.UUID
	for _, c := range s.all {
		if c.DocumentID != nil {
			ids = append(ids, *c.DocumentID)
		}
	}
	return ids
}

// CaseStudy is Store.CaseStudy.
func (s *Snapshot) CaseStudy(ctx context.Context, v viewer.Viewer, name string) (*CaseStudy, error) {
	if c := s.bySlug[name]; c != nil {
		return c, nil
	}
	if !slug.Valid(name) { // what it means, if anything, is for the database to say
		return s.store.CaseStudy(ctx, v, name)
	}
	return nil, errs.NotFound
}

// CaseStudies is Store.CaseStudies.
func (s *Snapshot) CaseStudies(ctx context.Context, v viewer.Viewer, f *Filter, args page.Args) (*Connection, error) {
	k, err := args.Keyset(3)
	if err != nil {
		return nil, err
	}
	c := &Connection{}
	if f != nil {
		c.Filter = *f
	}
	if !inMemory(c.Filter) {
		return s.store.CaseStudies(ctx, v, f, args)
	}
	after, afterID, err := ladderKey("after", k.After)
	if err != nil {
		return nil, err
	}
	before, beforeID, err := ladderKey("before", k.Before)
	if err != nil {
		return nil, err
	}
	var rows []*CaseStudy
	matches := s.matching(c.Filter)
	for i := 0; i < len(s.all) && len(rows) <= k.Limit; i++ {
		cs := s.all[i]
		if k.Backward {
			cs = s.all[len(s.all)-1-i]
		}
		if matches(cs) &&
			(afterID == nil || cs.compare(after, *afterID) > 0) &&
			(beforeID == nil || cs.compare(before, *beforeID) < 0) {
			rows = append(rows, cs)
		}
	}
	c.Connection = page.New(k, rows, cursorKey)
	return c, nil
}

// compare compares the place on the ladder with that of a cursor.
func (c *CaseStudy) compare(place []int, id uuid.UUID) int {
	return cmp.Or(cmp.Compare(c.LevelPosition, place[0]), cmp.Compare(c.Position, place[1]), bytes.Compare(c.ID[:], id[:]))
}

// inMemory says whether memory can tell which case studies a filter means: what a
// name means that is not written as slugs are is for the database to say.
func inMemory(f Filter) bool {
	return (f.Section == nil || slug.Valid(*f.Section)) && (f.Region == nil || slug.Valid(*f.Region))
}

func (s *Snapshot) matching(f Filter) func(*CaseStudy) bool {
	isIn := func(named map[string][]uuid.UUID, name *string, id *uuid.UUID) bool {
		return name == nil || id != nil && slices.Contains(named[*name], *id)
	}
	return func(c *CaseStudy) bool {
		return (f.Level == nil || c.Level == *f.Level) &&
			isIn(s.sections, f.Section, c.SectionID) && isIn(s.regions, f.Region, c.RegionID)
	}
}

// Totals is Store.Totals.
func (s *Snapshot) Totals(ctx context.Context, v viewer.Viewer, lists []*Connection) ([]int, error) {
	totals := make([]int, len(lists))
	for i, l := range lists {
		if !inMemory(l.Filter) {
			return s.store.Totals(ctx, v, lists)
		}
		matches := s.matching(l.Filter)
		for _, c := range s.all {
			if matches(c) {
				totals[i]++
			}
		}
	}
	return totals, nil
}

// ByID is Store.ByID.
func (s *Snapshot) ByID(ctx context.Context, v viewer.Viewer, ids []uuid.UUID) (map[uuid.UUID]*CaseStudy, error) {
	byID := make(map[uuid.UUID]*CaseStudy, len(ids))
	for _, id := range ids {
		if i, ok := s.at[id]; ok {
			byID[id] = s.all[i]
		} else { // it came later, or is hidden
			return s.store.ByID(ctx, v, ids)
		}
	}
	return byID, nil
}

// AtLevels is Store.AtLevels.
func (s *Snapshot) AtLevels(_ context.Context, _ viewer.Viewer, levels []Level) (map[Level][]*CaseStudy, error) {
	at := make(map[Level][]*CaseStudy, len(levels))
	for _, l := range levels {
		at[l] = s.byLevel[l]
	}
	return at, nil
}

// Neighbours is Store.Neighbours.
func (s *Snapshot) Neighbours(ctx context.Context, v viewer.Viewer, ids []uuid.UUID) (before, after map[uuid.UUID]*CaseStudy, err error) {
	before, after = make(map[uuid.UUID]*CaseStudy, len(ids)), make(map[uuid.UUID]*CaseStudy, len(ids))
	for _, id := range ids {
		i, ok := s.at[id]
		if !ok {
			return s.store.Neighbours(ctx, v, ids)
		}
		if i > 0 {
			before[id] = s.all[i-1]
		}
		if i+1 < len(s.all) {
			after[id] = s.all[i+1]
		}
	}
	return before, after, nil
}

// Levels is Store.Levels.
func (s *Snapshot) Levels(context.Context) ([]*CareerLevel, error) { return s.levels, nil }
