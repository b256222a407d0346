package content

import (
	"context"
	"errors"
	"maps"

	"github.com/google/uuid"

	"github.com/collegium/collegium/internal/errs"
	"github.com/collegium/collegium/internal/pg"
	"github.com/collegium/collegium/internal/slug"
	"github.com/collegium/collegium/internal/viewer"
)

// Snapshot holds some pages and documents without their bodies, and the facts about
// the body itself, as one viewer sees them, and answers what Store answers about
// them, for that viewer alone. It is never changed, and neither may be what it
// returns: many share it. What it doesn't hold it asks of the store.
type Snapshot struct {
	store *Store
	// pages and documents have nil for those that the viewer may not know of.
	pages        map[uuid.UUID]*Page
	byPath       map[string]*Page
	documents    map[uuid.UUID]*Document
	organisation *Organisation
}

// Snapshot reads the pages and documents with the IDs through db, which is a
// transaction with one view of the database.
func (s *Store) Snapshot(ctx context.Context, db pg.Querier, v viewer.Viewer, pages, documents []uuid.UUID) (_ *Snapshot, err error) {
	defer errs.Wrap(&err, "content.Snapshot")
	within := &Store{DB: db}
	snap := &Snapshot{store: s, byPath: make(map[string]*Page, len(pages))}
	if snap.pages, err = within.PagesByID(ctx, v, pages); err != nil {
		return nil, err
	}
	for _, p := range snap.pages {
		snap.byPath[p.Path] = p
	}
	noteHidden(snap.pages, pages)
	if snap.documents, err = within.DocumentsByID(ctx, v, documents); err != nil {
		return nil, err
	}
	noteHidden(snap.documents, documents)
	snap.organisation, err = within.Organisation(ctx)
	if err != nil && !errors.Is(err, errs.NotFound) {
		return nil, err
	}
	return snap, nil
}

func noteHidden[T any](found map[uuid.UUID]*T, asked []uuid.UUID) {
	for _, id := range asked {
		if found[id] == nil {
			found[id] = nil
		}
	}
}

// held returns what is held of the IDs, and which are not.
func held[T any](all map[uuid.UUID]*T, ids []uuid.UUID) (found map[uuid.UUID]*T, others []uuid.UUID) {
	found = make(map[uuid.UUID]*T, len(ids))
	for _, id := range ids {
		switch t, ok := all[id]; {
		case t != nil:
			found[id] = t
		case !ok:
			others = append(others, id)
		}
	}
	return found, others
}

// Page is Store.Page.
func (s *Snapshot) Page(ctx context.Context, v viewer.Viewer, path string) (*Page, error) {
	normal, err := slug.Path(path)
	if err != nil {
		return nil, err
	}
	if p := s.byPath[normal]; p != nil {
		return p, nil
	}
	return s.store.Page(ctx, v, path)
}

// Route is Store.Route.
func (s *Snapshot) Route(ctx context.Context, v viewer.Viewer, path string) (Route, error) {
	normal, err := slug.Path(path)
	if err != nil {
		return nil, err
	}
	if p := s.byPath[normal]; p != nil {
		return &PageRoute{Path: normal, EntryID: p.ID, EntryKind: p.Kind}, nil
	}
	return s.store.Route(ctx, v, path)
}

// PagesByID is Store.PagesByID.
func (s *Snapshot) PagesByID(ctx context.Context, v viewer.Viewer, ids []uuid.UUID) (map[uuid.UUID]*Page, error) {
	found, others := held(s.pages, ids)
	if len(others) == 0 {
		return found, nil
	}
	more, err := s.store.PagesByID(ctx, v, others)
	maps.Copy(found, more)
	return found, err
}

// DocumentsByID is Store.DocumentsByID.
func (s *Snapshot) DocumentsByID(ctx context.Context, v viewer.Viewer, ids []uuid.UUID) (map[uuid.UUID]*Document, error) {
	found, others := held(s.documents, ids)
	if len(others) == 0 {
		return found, nil
	}
	more, err := s.store.DocumentsByID(ctx, v, others)
	maps.Copy(found, more)
	return found, err
}

// Organisation is Store.Organisation.
func (s *Snapshot) Organisation(context.Context) (*Organisation, error) {
	if s.organisation == nil {
		return nil, errs.NotFound
	}
	return s.organisation, nil
}
