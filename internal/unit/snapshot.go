package unit

import (
	"context"
	"slices"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"github.com/collegium/collegium/internal/errs"
	"github.com/collegium/collegium/internal/pg"
	"github.com/collegium/collegium/internal/slug"
	"github.com/collegium/collegium/internal/viewer"
)

// Snapshot holds the sections, regions, committees and posts as one viewer sees
// them, and answers what Store answers about them, for that viewer alone. It is
// never changed, and neither may be what it returns: many share it. What it doesn't
// hold it asks of the store.
type Snapshot struct {
	store      *Store
	sections   list[Section]
	regions    list[Region]
	committees list[Committee]
	// committeeOf and postsOf are by the unit and by the committee.
	committeeOf map[uuid.UUID]*Committee
	postsOf     map[uuid.UUID][]*Post
	posts       map[uuid.UUID]*Post
	// known are all units, committees and posts, the hidden ones too: what isn't among
	// them came later.
	known map[uuid.UUID]struct{}
}

// list is all things of one kind, in order.
type list[T any] struct {
	all []*T
	// at is the place in all.
	at map[uuid.UUID]int
	// bySlug and byAlias hold what a slug finds: an alias counts if nothing has it as
	// its slug.
	bySlug, byAlias map[string]*T
}

func newList[T any](all []*T, key func(*T) (id uuid.UUID, name string), aliases map[uuid.UUID][]string) list[T] {
	l := list[T]{all: slices.Clip(all), at: make(map[uuid.UUID]int, len(all)), bySlug: make(map[string]*T, len(all)), byAlias: map[string]*T{}}
	for i, t := range all {
		id, name := key(t)
		l.at[id], l.bySlug[name] = i, t
		for _, alias := range aliases[id] {
			if l.byAlias[alias] == nil {
				l.byAlias[alias] = t
			}
		}
	}
	return l
}

// named returns what has the name as its slug or as an alias. What a name means that
// is not written as a slug, if anything, is for the store to say.
func (l *list[T]) named(name string, ask func() (*T, error)) (*T, error) {
	if t := l.bySlug[name]; t != nil {
		return t, nil
	}
	if !slug.Valid(name) {
		return ask()
	}
	if t := l.byAlias[name]; t != nil {
		return t, nil
	}
	return nil, errs.NotFound
}

func (l *list[T]) byID(ids []uuid.UUID) map[uuid.UUID]*T {
	byID := make(map[uuid.UUID]*T, len(ids))
	for _, id := range ids {
		if i, ok := l.at[id]; ok {
			byID[id] = l.all[i]
		}
	}
	return byID
}

// Snapshot reads all units, committees and posts through db, which is a
// transaction with one view of the database.
func (s *Store) Snapshot(ctx context.Context, db pg.Querier, v viewer.Viewer) (_ *Snapshot, err error) {
	defer errs.Wrap(&err, "unit.Snapshot")
	within := &Store{DB: db}
	sections, err := within.Sections(ctx, v, nil)
	if err != nil {
		return nil, err
	}
	regions, err := within.Regions(ctx, v, nil)
	if err != nil {
		return nil, err
	}
	committees, err := within.Committees(ctx, v)
	if err != nil {
		return nil, err
	}
	snap := &Snapshot{
		store: s, committeeOf: map[uuid.UUID]*Committee{}, posts: map[uuid.UUID]*Post{}, known: map[uuid.UUID]struct{}{},
	}
	ids := make([]uuid.UUID, len(committees))
	for i, c := range committees {
		ids[i] = c.ID
		if c.UnitID != nil {
			snap.committeeOf[*c.UnitID] = c
		}
	}
	if snap.postsOf, err = within.PostsOf(ctx, ids); err != nil {
		return nil, err
	}
	for _, posts := range snap.postsOf {
		for _, p := range posts {
			snap.posts[p.ID] = p
		}
	}
	aliases, err := snap.know(ctx, db)
	if err != nil {
		return nil, err
	}
	snap.sections = newList(sections, func(u *Section) (uuid.UUID, string) { return u.ID, u.Slug }, aliases)
	snap.regions = newList(regions, func(u *Region) (uuid.UUID, string) { return u.ID, u.Slug }, aliases)
	snap.committees = newList(committees, func(c *Committee) (uuid.UUID, string) { return c.ID, c.Slug }, nil)
	return snap, nil
}

// know reads what there is, and the aliases of the units.
func (s *Snapshot) know(ctx context.Context, db pg.Querier) (map[uuid.UUID][]string, error) {
	rows, err := db.Query(ctx, `
		SELECT u.id, u.aliases FROM units u
		UNION ALL
		SELECT c.id, NULL FROM committees c
		UNION ALL
		SELECT p.id, NULL FROM posts p`)
	if err != nil {
		return nil, err
	}
	aliases := map[uuid.UUID][]string{}
	var id uuid.UUID
	var names []string
	_, err = pgx.ForEachRow(rows, []any{&id, &names}, func() error {
		s.known[id] = struct{}{}
		if len(names) > 0 {
			aliases[id] = slices.Clone(names)
		}
		return nil
	})
	return aliases, err
}

// knows says whether all of the IDs were there, hidden or not.
func (s *Snapshot) knows(ids []uuid.UUID) bool {
	for _, id := range ids {
		if _, ok := s.known[id]; !ok {
			return false
		}
	}
	return true
}

// Pages returns the IDs of the units, each of which has a page.
func (s *Snapshot) Pages() []uuid.UUID {
	ids := make([]uuid.UUID, 0, len(s.sections.all)+len(s.regions.all))
	for _, u := range s.sections.all {
		ids = append(ids, u.ID)
	}
	for _, u := range s.regions.all {
		ids = append(ids, u.ID)
	}
	return ids
}

// Section is Store.Section.
func (s *Snapshot) Section(ctx context.Context, v viewer.Viewer, name string) (*Section, error) {
	return s.sections.named(name, func() (*Section, error) { return s.store.Section(ctx, v, name) })
}

// Sections is Store.Sections.
func (s *Snapshot) Sections(_ context.Context, _ viewer.Viewer, only *Status) ([]*Section, error) {
	if only == nil {
		return s.sections.all, nil
	}
	sections := []*Section{}
	for _, u := range s.sections.all {
		if u.Status == *only {
			sections = append(sections, u)
		}
	}
	return sections, nil
}

// SectionsByID is Store.SectionsByID.
func (s *Snapshot) SectionsByID(ctx context.Context, v viewer.Viewer, ids []uuid.UUID) (map[uuid.UUID]*Section, error) {
	if !s.knows(ids) {
		return s.store.SectionsByID(ctx, v, ids)
	}
	return s.sections.byID(ids), nil
}

// SectionsOf is Store.SectionsOf. Who belongs where is asked of the store.
func (s *Snapshot) SectionsOf(ctx context.Context, v viewer.Viewer, members []uuid.UUID) (map[uuid.UUID][]*Section, error) {
	ids, err := s.store.SectionIDsOf(ctx, v, members)
	if err != nil {
		return nil, err
	}
	byMember := make(map[uuid.UUID][]*Section, len(ids))
	var places []int
	for memberID, ids := range ids {
		if !s.knows(ids) {
			return s.store.SectionsOf(ctx, v, members)
		}
		places = places[:0]
		for _, id := range ids {
			if i, ok := s.sections.at[id]; ok {
				places = append(places, i)
			}
		}
		slices.Sort(places)
		sections := make([]*Section, len(places))
		for i, place := range places {
			sections[i] = s.sections.all[place]
		}
		byMember[memberID] = sections
	}
	return byMember, nil
}

// Region is Store.Region.
func (s *Snapshot) Region(ctx context.Context, v viewer.Viewer, name string) (*Region, error) {
	return s.regions.named(name, func() (*Region, error) { return s.store.Region(ctx, v, name) })
}

// Regions is Store.Regions.
func (s *Snapshot) Regions(_ context.Context, _ viewer.Viewer, nation *Nation) ([]*Region, error) {
	if nation == nil {
		return s.regions.all, nil
	}
	regions := []*Region{}
	for _, u := range s.regions.all {
		if u.Nation == *nation {
			regions = append(regions, u)
		}
	}
	return regions, nil
}

// RegionsByID is Store.RegionsByID.
func (s *Snapshot) RegionsByID(ctx context.Context, v viewer.Viewer, ids []uuid.UUID) (map[uuid.UUID]*Region, error) {
	if !s.knows(ids) {
		return s.store.RegionsByID(ctx, v, ids)
	}
	return s.regions.byID(ids), nil
}

// Committee is Store.Committee.
func (s *Snapshot) Committee(ctx context.Context, v viewer.Viewer, name string) (*Committee, error) {
	return s.committees.named(name, func() (*Committee, error) { return s.store.Committee(ctx, v, name) })
}

// Committees is Store.Committees.
func (s *Snapshot) Committees(context.Context, viewer.Viewer) ([]*Committee, error) {
	return s.committees.all, nil
}

// CommitteesByID is Store.CommitteesByID.
func (s *Snapshot) CommitteesByID(ctx context.Context, v viewer.Viewer, ids []uuid.UUID) (map[uuid.UUID]*Committee, error) {
	if !s.knows(ids) {
		return s.store.CommitteesByID(ctx, v, ids)
	}
	return s.committees.byID(ids), nil
}

// CommitteesOf is Store.CommitteesOf.
func (s *Snapshot) CommitteesOf(ctx context.Context, v viewer.Viewer, units []uuid.UUID) (map[uuid.UUID]*Committee, error) {
	if !s.knows(units) {
		return s.store.CommitteesOf(ctx, v, units)
	}
	return pick(s.committeeOf, units), nil
}

// PostsOf is Store.PostsOf, for committees that the viewer may know of.
func (s *Snapshot) PostsOf(ctx context.Context, committees []uuid.UUID) (map[uuid.UUID][]*Post, error) {
	if !s.knows(committees) {
		return s.store.PostsOf(ctx, committees)
	}
	return pick(s.postsOf, committees), nil
}

// PostsByID is Store.PostsByID.
func (s *Snapshot) PostsByID(ctx context.Context, v viewer.Viewer, ids []uuid.UUID) (map[uuid.UUID]*Post, error) {
	if !s.knows(ids) {
		return s.store.PostsByID(ctx, v, ids)
	}
	return pick(s.posts, ids), nil
}

func pick[T any](byID map[uuid.UUID]T, ids []uuid.UUID) map[uuid.UUID]T {
	picked := make(map[uuid.UUID]T, len(ids))
	for _, id := range ids {
		if t, ok := byID[id]; ok {
			picked[id] = t
		}
	}
	return picked
}
