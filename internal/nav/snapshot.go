package nav

import (
	"context"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"github.com/collegium/collegium/internal/errs"
	"github.com/collegium/collegium/internal/pg"
	"github.com/collegium/collegium/internal/slug"
	"github.com/collegium/collegium/internal/viewer"
)

// Snapshot holds all menus as one viewer sees them, and answers what Store answers,
// for that viewer alone. It is never changed, and neither may be what it returns:
// many share it. What it doesn't hold it asks of the store.
type Snapshot struct {
	store    *Store
	menus    []*Menu
	byHandle map[string]*Menu
	byID     map[uuid.UUID]*Menu
	items    map[uuid.UUID]*Item
	// moved holds the earlier paths of entries that a menu places.
	moved map[string]uuid.UUID
}

// Snapshot reads all menus through db, which is a transaction with one view of the
// database.
func (s *Store) Snapshot(ctx context.Context, db pg.Querier, v viewer.Viewer) (_ *Snapshot, err error) {
	defer errs.Wrap(&err, "nav.Snapshot")
	within := &Store{DB: db}
	menus, err := within.Menus(ctx, v, nil)
	if err != nil {
		return nil, err
	}
	snap := &Snapshot{
		store: s, menus: menus,
		byHandle: make(map[string]*Menu, len(menus)), byID: make(map[uuid.UUID]*Menu, len(menus)),
		items: map[uuid.UUID]*Item{}, moved: map[string]uuid.UUID{},
	}
	for _, m := range menus {
		snap.byHandle[m.Handle], snap.byID[m.ID] = m, m
		for _, it := range m.items {
			snap.items[it.ID] = it
		}
	}
	rows, err := db.Query(ctx, `
		SELECT
			r.path,
			r.entry_id
		FROM routes r
		WHERE r.kind = 'REDIRECT' AND r.entry_id IN (SELECT i.entry_id FROM menu_items i)`)
	if err != nil {
		return nil, err
	}
	var path string
	var entryID uuid.UUID
	_, err = pgx.ForEachRow(rows, []any{&path, &entryID}, func() error {
		snap.moved[path] = entryID
		return nil
	})
	return snap, err
}

// Entries returns the entries that the menus lead to, by their kinds, each once.
func (s *Snapshot) Entries() map[string][]uuid.UUID {
	byKind := map[string][]uuid.UUID{}
	seen := make(map[uuid.UUID]bool, len(s.items))
	for _, m := range s.menus {
		for _, it := range m.items {
			if it.EntryID != nil && !seen[*it.EntryID] {
				seen[*it.EntryID] = true
				byKind[*it.EntryKind] = append(byKind[*it.EntryKind], *it.EntryID)
			}
		}
	}
	return byKind
}

// Menu is Store.Menu.
func (s *Snapshot) Menu(ctx context.Context, v viewer.Viewer, handle string) (*Menu, error) {
	if m := s.byHandle[handle]; m != nil {
		return m, nil
	}
	if !slug.Valid(handle) { // which handle it means, if any, is for the database to say
		return s.store.Menu(ctx, v, handle)
	}
	return nil, errs.NotFound
}

// Menus is Store.Menus.
func (s *Snapshot) Menus(_ context.Context, _ viewer.Viewer, handles []string) ([]*Menu, error) {
	if err := checkHandles(handles); err != nil {
		return nil, err
	}
	if handles == nil {
		return s.menus, nil
	}
	return named(s.byHandle, handles), nil
}

// MenusByID is Store.MenusByID.
func (s *Snapshot) MenusByID(_ context.Context, _ viewer.Viewer, ids []uuid.UUID) (map[uuid.UUID]*Menu, error) {
	return pick(s.byID, ids), nil
}

// ItemsByID is Store.ItemsByID.
func (s *Snapshot) ItemsByID(_ context.Context, _ viewer.Viewer, ids []uuid.UUID) (map[uuid.UUID]*Item, error) {
	return pick(s.items, ids), nil
}

func pick[T any](byID map[uuid.UUID]*T, ids []uuid.UUID) map[uuid.UUID]*T {
	picked := make(map[uuid.UUID]*T, len(ids))
	for _, id := range ids {
		if t := byID[id]; t != nil {
			picked[id] = t
		}
	}
	return picked
}

// AlsoAt is Store.AlsoAt.
func (s *Snapshot) AlsoAt(_ context.Context, _ viewer.Viewer, items []*Item) ([][]*Item, error) {
	return placements(items, s.menus), nil
}

// Context is Store.Context.
func (s *Snapshot) Context(ctx context.Context, v viewer.Viewer, path, handle string) (*Context, error) {
	return locate(path, func() (*Menu, error) { return s.Menu(ctx, v, handle) }, func(path string) (uuid.UUID, error) {
		if id, ok := s.moved[path]; ok {
			return id, nil
		}
		return uuid.Nil, errs.NotFound
	})
}

// TrailsOf is Store.TrailsOf.
func (s *Snapshot) TrailsOf(ctx context.Context, v viewer.Viewer, handle string, entries []uuid.UUID) (map[uuid.UUID][]*Item, error) {
	return trailsOf(entries, func() (*Menu, error) { return s.Menu(ctx, v, handle) })
}
