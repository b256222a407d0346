package nav

import (
	"context"
	"errors"
	"slices"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"github.com/collegium/collegium/internal/errs"
	"github.com/collegium/collegium/internal/pg"
	"github.com/collegium/collegium/internal/slug"
	"github.com/collegium/collegium/internal/viewer"
)

// Context is where a path stands in a menu.
type Context struct {
	// Path is normalised.
	Path string
	// Menu is nil if there is none with the handle.
	Menu *Menu
	// Current is nil if the menu does not place the path.
	Current  *Item
	Trail    []*Item
	Siblings []*Item
	Children []*Item
	Previous *Item
	Next     *Item
}

// Context returns where a path stands in the menu with the handle. A path or a
// menu that does not exist is an answer without a current item, not an error.
func (s *Store) Context(ctx context.Context, v viewer.Viewer, path, handle string) (_ *Context, err error) {
	defer errs.Wrap(&err, "nav.Context(%.100q, %.100q)", path, handle)
	return locate(path, func() (*Menu, error) { return s.Menu(ctx, v, handle) }, func(path string) (uuid.UUID, error) {
		return pg.Scalar[uuid.UUID](ctx, s.DB, `
			SELECT r.entry_id
			FROM routes r
			WHERE r.path = @path AND r.kind = 'REDIRECT' AND r.entry_id IS NOT NULL`,
			pgx.StrictNamedArgs{"path": path})
	})
}

// locate finds where a path stands in a menu. moved returns the entry whose
// earlier path it is; errs.NotFound if it is of none.
func locate(path string, menu func() (*Menu, error), moved func(path string) (uuid.UUID, error)) (*Context, error) {
	path, err := slug.Path(path)
	if err != nil {
		return nil, err
	}
	c := &Context{Path: path, Trail: []*Item{}, Siblings: []*Item{}, Children: []*Item{}}
	c.Menu, err = menu()
	if errors.Is(err, errs.NotFound) {
		return c, nil
	}
	if err != nil {
		return nil, err
	}
	placements := c.Menu.at(path)
	if placements == nil {
		entryID, err := moved(path)
		if err != nil && !errors.Is(err, errs.NotFound) {
			return nil, err
		}
		placements = c.Menu.byEntry[entryID]
	}
	if it := choose(placements, path); it != nil {
		c.stand(it)
	}
	return c, nil
}

// TrailsOf returns for each entry its trail in the menu with the handle: empty
// if the menu does not place it.
func (s *Store) TrailsOf(ctx context.Context, v viewer.Viewer, handle string, entries []uuid.UUID) (_ map[uuid.UUID][]*Item, err error) {
	defer errs.Wrap(&err, "nav.TrailsOf(%.100q, %d)", handle, len(entries))
	return trailsOf(entries, func() (*Menu, error) { return s.Menu(ctx, v, handle) })
}

func trailsOf(entries []uuid.UUID, menu func() (*Menu, error)) (map[uuid.UUID][]*Item, error) {
	trails := make(map[uuid.UUID][]*Item, len(entries))
	m, err := menu()
	if errors.Is(err, errs.NotFound) {
		return trails, nil
	}
	if err != nil {
		return nil, err
	}
	for _, id := range entries {
		if it := choose(m.byEntry[id], ""); it != nil {
			trails[id] = it.trail()
		}
	}
	return trails, nil
}

// at returns the items that lead to the current path.
func (m *Menu) at(path string) []*Item {
	for _, it := range m.items {
		if it.Kind == KindPage && it.Href != nil && *it.Href == path {
			return m.byEntry[*it.EntryID]
		}
	}
	return nil
}

// choose returns the placement that counts: the one whose labels spell the path,
// else the canonical one, else the first.
func choose(placements []*Item, path string) *Item {
	for _, it := range placements {
		if path != "" && it.spells(path) {
			return it
		}
	}
	for _, it := range placements {
		if it.IsCanonical {
			return it
		}
	}
	if len(placements) > 0 {
		return placements[0]
	}
	return nil
}

func (c *Context) stand(it *Item) {
	c.Current = it
	c.Trail = it.trail()
	c.Siblings = it.siblings()
	c.Children = it.Children
	at := slices.Index(c.Siblings, it)
	if at > 0 {
		c.Previous = c.Siblings[at-1]
	}
	if at+1 < len(c.Siblings) {
		c.Next = c.Siblings[at+1]
	}
}
