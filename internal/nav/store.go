package nav

import (
	"context"
	"slices"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"github.com/collegium/collegium/internal/errs"
	"github.com/collegium/collegium/internal/pg"
	"github.com/collegium/collegium/internal/viewer"
)

// row is a menu with one of its items, or with none.
type row struct {
	MenuID      uuid.UUID
	Handle      string
	Title       string
	Revision    int
	ID          *uuid.UUID
	ParentID    *uuid.UUID
	Label       *string
	Position    *int
	Kind        *string
	Href        *string
	IsCanonical *bool
	Access      *string
	EntryID     *uuid.UUID
	EntryKind   *string
	ActionName  *string
}

// menuColumns are those of a row: of the menu m and of an item i.
const menuColumns = `
	m.id AS menu_id,
	m.handle,
	m.title,
	m.revision,
	i.id,
	i.parent_id,
	i.label,
	i.position,
	i.kind,
	COALESCE(i.path, i.url) AS href,
	i.is_canonical,
	i.access,
	i.entry_id,
	i.entry_kind,
	i.action AS action_name`

// shownItems are the items that the viewer may see for themselves and for their
// targets; assemble leaves out those below an item that is not among them.
const shownItems = `v.access = ANY(@reach) AND (v.entry_id IS NULL OR ` + viewer.Visible + `)`

// allMenus reads all menus in one ordered pass over whole tables.
const allMenus = `
	SELECT` + menuColumns + `
	FROM menus m
	LEFT JOIN (
		SELECT v.*, e.kind AS entry_kind, r.path
		FROM menu_items v
		LEFT JOIN entries e ON e.id = v.entry_id
		LEFT JOIN routes r ON r.entry_id = v.entry_id AND r.kind = 'CURRENT'
		WHERE ` + shownItems + `
	) i ON i.menu_id = m.id
	ORDER BY m.position, m.handle, i.position`

// readMenus returns the statement that reads some menus; which is a condition on m,
// static text. It looks up the target of each item, so that a small menu costs
// little beside a large one.
func readMenus(which string) string {
	return `
	SELECT` + menuColumns + `
	FROM menus m
	LEFT JOIN LATERAL (
		SELECT v.*, e.kind AS entry_kind, e.path
		FROM menu_items v
		LEFT JOIN LATERAL (
			SELECT e.kind, e.status, e.access, r.path
			FROM entries e
			LEFT JOIN routes r ON r.entry_id = e.id AND r.kind = 'CURRENT'
			WHERE e.id = v.entry_id
			OFFSET 0 -- keeps the planner from reading all entries, since it takes all menus for equally large
		) e ON true
		WHERE v.menu_id = m.id AND ` + shownItems + `
	) i ON true
	WHERE ` + which + `
	ORDER BY m.position, m.handle, i.position`
}

func (s *Store) read(ctx context.Context, sql string, args pgx.StrictNamedArgs) ([]*Menu, error) {
	rows, err := pg.All[row](ctx, s.DB, sql, args)
	if err != nil {
		return nil, err
	}
	menus := []*Menu{}
	for len(rows) > 0 {
		first := rows[0]
		n := 0
		for n < len(rows) && rows[n].MenuID == first.MenuID {
			n++
		}
		m := &Menu{ID: first.MenuID, Handle: first.Handle, Title: first.Title, Revision: first.Revision}
		items := make([]*Item, 0, n)
		parents := make(map[uuid.UUID]uuid.UUID, n)
		for _, r := range rows[:n] {
			if r.ID == nil { // a menu without items
				continue
			}
			items = append(items, &Item{
				ID: *r.ID, Label: *r.Label, Position: *r.Position, Kind: Kind(*r.Kind), Href: r.Href,
				IsCanonical: *r.IsCanonical, Access: viewer.Access(*r.Access), EntryID: r.EntryID, EntryKind: r.EntryKind, ActionName: r.ActionName,
			})
			if r.ParentID != nil {
				parents[*r.ID] = *r.ParentID
			}
		}
		m.assemble(items, parents)
		menus = append(menus, m)
		rows = rows[n:]
	}
	return menus, nil
}

// Menu returns the menu with the handle; errs.NotFound if there is none.
func (s *Store) Menu(ctx context.Context, v viewer.Viewer, handle string) (_ *Menu, err error) {
	defer errs.Wrap(&err, "nav.Menu(%.100q)", handle)
	menus, err := s.read(ctx, readMenus(`m.handle = lower(@handle)`),
		pgx.StrictNamedArgs{"handle": handle, "reach": v.Reach()})
	if err != nil {
		return nil, err
	}
	if len(menus) == 0 {
		return nil, errs.NotFound
	}
	return menus[0], nil
}

// maxMenus bounds how many menus can be asked for by name at once.
const maxMenus = 20

// Menus returns the menus with the handles in the order asked, or all menus in
// the editors' order if handles is nil. Unknown handles are left out.
func (s *Store) Menus(ctx context.Context, v viewer.Viewer, handles []string) (_ []*Menu, err error) {
	defer errs.Wrap(&err, "nav.Menus(%d)", len(handles))
	if err := checkHandles(handles); err != nil {
		return nil, err
	}
	if handles == nil {
		return s.read(ctx, allMenus, pgx.StrictNamedArgs{"reach": v.Reach()})
	}
	menus, err := s.read(ctx, readMenus(`m.handle = ANY(@handles)`),
		pgx.StrictNamedArgs{"handles": handles, "reach": v.Reach()})
	if err != nil {
		return nil, err
	}
	byHandle := make(map[string]*Menu, len(menus))
	for _, m := range menus {
		byHandle[m.Handle] = m
	}
	return named(byHandle, handles), nil
}

func checkHandles(handles []string) error {
	if len(handles) > maxMenus {
		return errs.Invalidf("handles", "%d handles are too many; pass at most %d", len(handles), maxMenus)
	}
	return nil
}

// named returns the menus with the handles, as far as there are any.
func named(byHandle map[string]*Menu, handles []string) []*Menu {
	menus := make([]*Menu, 0, len(handles))
	for _, h := range handles {
		if m := byHandle[h]; m != nil {
			menus = append(menus, m)
		}
	}
	return menus
}

// MenusByID returns the menus with the IDs.
func (s *Store) MenusByID(ctx context.Context, v viewer.Viewer, ids []uuid.UUID) (_ map[uuid.UUID]*Menu, err error) {
	defer errs.Wrap(&err, "nav.MenusByID(%d)", len(ids))
	menus, err := s.read(ctx, readMenus(`m.id = ANY(@ids)`),
		pgx.StrictNamedArgs{"ids": ids, "reach": v.Reach()})
	if err != nil {
		return nil, err
	}
	return pg.ByKey(menus, func(m *Menu) uuid.UUID { return m.ID }), nil
}

// ItemsByID returns the items with the IDs, each in its whole menu.
func (s *Store) ItemsByID(ctx context.Context, v viewer.Viewer, ids []uuid.UUID) (_ map[uuid.UUID]*Item, err error) {
	defer errs.Wrap(&err, "nav.ItemsByID(%d)", len(ids))
	menus, err := s.read(ctx, readMenus(`m.id IN (SELECT a.menu_id FROM menu_items a WHERE a.id = ANY(@ids))`),
		pgx.StrictNamedArgs{"ids": ids, "reach": v.Reach()})
	if err != nil {
		return nil, err
	}
	byID := make(map[uuid.UUID]*Item, len(ids))
	for _, m := range menus {
		for _, it := range m.items {
			if slices.Contains(ids, it.ID) {
				byID[it.ID] = it
			}
		}
	}
	return byID, nil
}

// AlsoAt returns for each item the other placements of its target: those in its
// own menu, then those in other menus in the editors' order.
func (s *Store) AlsoAt(ctx context.Context, v viewer.Viewer, items []*Item) (_ [][]*Item, err error) {
	defer errs.Wrap(&err, "nav.AlsoAt(%d)", len(items))
	entries := make([]uuid.UUID, 0, len(items))
	own := make(map[uuid.UUID]*Menu, 1)
	for _, it := range items {
		own[it.menu.ID] = it.menu
		if it.EntryID != nil {
			entries = append(entries, *it.EntryID)
		}
	}
	if len(entries) == 0 {
		return placements(items, nil), nil
	}
	// Only other menus are read. With parents from several menus, each of them
	// is another one's other.
	var known []uuid.UUID
	if len(own) == 1 {
		for id := range own {
			known = append(known, id)
		}
	}
	others, err := s.read(ctx, readMenus(`
		m.id <> ALL(COALESCE(@known, '{}'::uuid[]))
		AND m.id IN (SELECT a.menu_id FROM menu_items a WHERE a.entry_id = ANY(@entries))`),
		pgx.StrictNamedArgs{"known": known, "entries": entries, "reach": v.Reach()})
	if err != nil {
		return nil, err
	}
	return placements(items, others), nil
}

// placements returns for each item the other placements of its target: those in
// its own menu, then those in the others in their order, its own left out.
func placements(items []*Item, others []*Menu) [][]*Item {
	all := make([][]*Item, len(items))
	for i, it := range items {
		all[i] = []*Item{}
		if it.EntryID == nil {
			continue
		}
		for _, other := range it.menu.byEntry[*it.EntryID] {
			if other.ID != it.ID {
				all[i] = append(all[i], other)
			}
		}
		for _, m := range others {
			if m.ID != it.menu.ID {
				all[i] = append(all[i], m.byEntry[*it.EntryID]...)
			}
		}
	}
	return all
}
