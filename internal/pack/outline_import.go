package pack

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/collegium/collegium/internal/errs"
	"github.com/collegium/collegium/internal/node"
	"github.com/collegium/collegium/internal/pg"
	"github.com/collegium/collegium/internal/slug"
)

// MenuOptions tune ImportMenu.
type MenuOptions struct {
	// DryRun reports what would change and changes nothing.
	DryRun bool
}

// MenuReport says what an import of a menu did, or with DryRun would do.
type MenuReport struct {
	Handle string
	// Items is how many items the menu has afterwards; Unchanged is how many of
	// them it had before, just so.
	Items, Unchanged int
	// MenuAdded is true if there was no menu with the handle.
	MenuAdded bool
	// PagesAdded are the paths of the new pages, ItemsAdded, ItemsChanged and
	// ItemsRemoved the keys of items, in the order of the menu.
	PagesAdded, ItemsAdded, ItemsChanged, ItemsRemoved []string
}

// Changed says whether the import changed anything, or would.
func (r *MenuReport) Changed() bool {
	return r.MenuAdded || len(r.PagesAdded)+len(r.ItemsAdded)+len(r.ItemsChanged)+len(r.ItemsRemoved) > 0
}

// String returns the report for people: a line for each change, as in a diff,
// and a line with the sum.
func (r *MenuReport) String() string {
	var b strings.Builder
	if r.MenuAdded {
		fmt.Fprintf(&b, "+ menu %s\n", r.Handle)
	}
	for _, p := range []struct {
		mark string
		what []string
	}{
		{"+ page", r.PagesAdded}, {"+ item", r.ItemsAdded}, {"~ item", r.ItemsChanged}, {"- item", r.ItemsRemoved},
	} {
		for _, w := range p.what {
			fmt.Fprintf(&b, "%s %s\n", p.mark, w)
		}
	}
	if !r.Changed() {
		fmt.Fprintf(&b, "menu %s: nothing to change, %s as they are", r.Handle, countOf(r.Items, "item"))
		return b.String()
	}
	fmt.Fprintf(&b, "menu %s: %s added, %d changed, %d removed, %d as they were; %s added",
		r.Handle, countOf(len(r.ItemsAdded), "item"), len(r.ItemsChanged), len(r.ItemsRemoved), r.Unchanged, countOf(len(r.PagesAdded), "page"))
	return b.String()
}

// menuRow is an item as the database has it.
type menuRow struct {
	ID       uuid.UUID
	Key      string
	ParentID *uuid.UUID
	Position int
	Label    string
	EntryID  *uuid.UUID
}

// wantedItem is an item as the outline has it.
type wantedItem struct {
	*OutlineItem
	id       uuid.UUID
	key      string // "<handle>/<slug path>"
	path     string // the slug path, as a path of the site
	parent   *wantedItem
	position int
	have     *menuRow // nil: a new item
	entry    *uuid.UUID
	url      *string // the address, if the path leads to another site
}

// newPage is a page that an item makes.
type newPage struct {
	item  *wantedItem
	lives *uuid.UUID // the page above it; nil: none
}

// ImportMenu makes the menu with the handle equal to an outline. The menu is
// added if there is none.
//
// An item is known by its key, the handle and the slugs of the labels above it
// and its own: "main/about-us/join-us". Where siblings have the same slug, the
// second one's ends in -2. An item that the menu has keeps its ID and what it
// leads to; a new one leads to the page at its slug path, or where a redirect
// from there leads, or to a new page without a body. Items that the outline does
// not have are removed; what they led to stays.
//
// All or nothing is written, in one transaction. A second import of the same
// outline changes nothing. Errors in the outline are bad input that names the
// line.
func ImportMenu(ctx context.Context, pool *pgxpool.Pool, handle string, o *Outline, opts MenuOptions) (_ *MenuReport, err error) {
	defer errs.Wrap(&err, "pack.ImportMenu(%s)", handle)
	if !slug.Valid(handle) {
		return nil, errs.Invalidf("handle", "%.80q is not the handle of a menu; use small letters, digits and hyphens, as \"main\"", handle)
	}
	items, err := wanted(handle, o)
	if err != nil {
		return nil, err
	}
	m := menuImport{items: items, report: &MenuReport{Handle: handle, Items: len(items)}}
	m.tx, err = pool.Begin(ctx)
	if err != nil {
		return nil, err
	}
	defer func() { _ = m.tx.Rollback(context.WithoutCancel(ctx)) }() // after a commit it does nothing
	for _, step := range []func(context.Context) error{m.lockMenu, m.match, m.findTargets, m.addPages, m.addItems, m.changeItems, m.removeItems, m.setCanonical} {
		if err := step(ctx); err != nil {
			return nil, err
		}
	}
	if opts.DryRun {
		// What is checked at the end of a transaction must be checked in a dry run too.
		_, err = m.tx.Exec(ctx, `SET CONSTRAINTS ALL IMMEDIATE`)
		return m.report, err
	}
	return m.report, m.tx.Commit(ctx)
}

// maxOutlineKey is how many bytes the key of an item may have, so that the key
// of its page ("page:" and the path) keeps to the 500 of a content pack.
const maxOutlineKey = 480

// wanted returns the items of an outline in pre-order, with keys and paths.
func wanted(handle string, o *Outline) ([]*wantedItem, error) {
	items := make([]*wantedItem, 0, o.Items)
	var add func(parent *wantedItem, children []*OutlineItem) error
	add = func(parent *wantedItem, children []*OutlineItem) error {
		above, used := "", map[string]bool{}
		if parent != nil {
			above = parent.path
		}
		for i, c := range children {
			s := slug.Slug(c.Label)
			if s == "" {
				return errs.Invalidf(lineName(c.Line), "has no Latin letter or digit in %.60q, so it makes no address; add one", c.Label)
			}
			for base, n := s, 2; used[s]; n++ {
				s = fmt.Sprintf("%s-%d", base, n)
			}
			used[s] = true
			w := &wantedItem{OutlineItem: c, parent: parent, position: i, path: above + "/" + s}
			w.key = handle + w.path
			if len(w.key) > maxOutlineKey {
				return errs.Invalidf(lineName(c.Line), "makes a key of %d bytes, %.60q…; a key has at most %d: shorten the labels", len(w.key), w.key, maxOutlineKey)
			}
			items = append(items, w)
			if err := add(w, c.Children); err != nil {
				return err
			}
		}
		return nil
	}
	return items, add(nil, o.Roots)
}

// menuImport is one import on its way.
type menuImport struct {
	tx     pgx.Tx
	menu   uuid.UUID
	items  []*wantedItem
	report *MenuReport
	// gone are the IDs of the items to remove.
	gone []uuid.UUID
	// pages are new, in the order of the menu.
	pages []*newPage
	// placed are the new items that lead to what was there before.
	placed []*wantedItem
}

// rowsAtOnce is how many rows go into one statement, so that none runs into the
// limit of time that pools set.
const rowsAtOnce = 5_000

// lockMenu finds or adds the menu and keeps other writers out of it.
func (m *menuImport) lockMenu(ctx context.Context) (err error) {
	r, size := utf8.DecodeRuneInString(m.report.Handle)
	title := string(unicode.ToUpper(r)) + strings.ReplaceAll(m.report.Handle[size:], "-", " ") + " menu"
	tag, err := m.tx.Exec(ctx, `
		INSERT INTO menus (id, handle, title, position)
		SELECT @id, @handle, @title, coalesce(max(position) + 1, 0)
		FROM menus
		ON CONFLICT DO NOTHING`,
		pgx.StrictNamedArgs{"id": node.Keyed("menu", m.report.Handle), "handle": m.report.Handle, "title": title})
	if err != nil {
		return err
	}
	m.report.MenuAdded = tag.RowsAffected() > 0
	m.menu, err = pg.Scalar[uuid.UUID](ctx, m.tx, `
		SELECT id
		FROM menus
		WHERE handle = @handle
		FOR UPDATE`,
		pgx.StrictNamedArgs{"handle": m.report.Handle})
	return err
}

// match finds the items that the menu has already.
func (m *menuImport) match(ctx context.Context) error {
	rows, err := pg.All[menuRow](ctx, m.tx, `
		WITH RECURSIVE walk AS (
			SELECT id, ARRAY[position] AS place
			FROM menu_items
			WHERE menu_id = @menu AND parent_id IS NULL
			UNION ALL
			SELECT i.id, w.place || i.position
			FROM menu_items i
			JOIN walk w ON i.parent_id = w.id
		)
		SELECT
			i.id,
			i.key,
			i.parent_id,
			i.position,
			i.label,
			i.entry_id
		FROM menu_items i
		JOIN walk USING (id)
		ORDER BY walk.place`,
		pgx.StrictNamedArgs{"menu": m.menu})
	if err != nil {
		return err
	}
	byKey := make(map[string]*menuRow, len(rows))
	for _, r := range rows {
		byKey[r.Key] = r
	}
	for _, w := range m.items {
		w.have = byKey[w.key]
		if w.have == nil {
			w.id = node.Keyed("menu-item", w.key)
			m.report.ItemsAdded = append(m.report.ItemsAdded, w.key)
			continue
		}
		delete(byKey, w.key)
		w.id, w.entry = w.have.ID, w.have.EntryID
		if w.changed() {
			m.report.ItemsChanged = append(m.report.ItemsChanged, w.key)
		} else {
			m.report.Unchanged++
		}
	}
	for _, r := range rows {
		if byKey[r.Key] != nil {
			m.gone = append(m.gone, r.ID)
			m.report.ItemsRemoved = append(m.report.ItemsRemoved, r.Key)
		}
	}
	return nil
}

func (w *wantedItem) changed() bool {
	sameParent := w.parent == nil && w.have.ParentID == nil ||
		w.parent != nil && w.have.ParentID != nil && w.parent.id == *w.have.ParentID
	return !sameParent || w.position != w.have.Position || w.Label != w.have.Label
}

func (w *wantedItem) parentID() *uuid.UUID {
	if w.parent == nil {
		return nil
	}
	return &w.parent.id
}

// routeRow is what a path leads to.
type routeRow struct {
	Path    string
	Kind    string
	EntryID *uuid.UUID
	URL     *string
	// Holds is true if the path is the current one of an entry under which pages
	// live.
	Holds bool
}

// routes returns what paths lead to, by path; those that lead nowhere are left
// out.
func (m *menuImport) routes(ctx context.Context, paths []string) (map[string]*routeRow, error) {
	found := make(map[string]*routeRow, len(paths))
	for part := range slices.Chunk(paths, rowsAtOnce) {
		rows, err := pg.All[routeRow](ctx, m.tx, `
			SELECT
				r.path,
				r.kind,
				r.entry_id,
				r.url,
				coalesce(r.kind = 'CURRENT' AND e.kind IN ('PAGE', 'SPECIALIST_SECTION', 'REGION'), false) AS holds
			FROM routes r
			LEFT JOIN entries e ON e.id = r.entry_id
			WHERE r.path = ANY(@paths)`,
			pgx.StrictNamedArgs{"paths": part})
		if err != nil {
			return nil, err
		}
		for _, r := range rows {
			found[r.Path] = r
		}
	}
	return found, nil
}

// findTargets says for each new item what it leads to, and which pages are new.
func (m *menuImport) findTargets(ctx context.Context) error {
	if len(m.report.ItemsAdded) == 0 {
		return nil
	}
	paths := []string{"/"}
	for _, w := range m.items {
		paths = append(paths, w.path)
	}
	found, err := m.routes(ctx, paths)
	if err != nil {
		return err
	}
	// holder is the nearest page above a path, old or new: that is where a page
	// lives. Items come after those above them, so the new pages above are there.
	holders := make(map[string]uuid.UUID, len(paths))
	holder := func(path string) *uuid.UUID {
		for path != "/" {
			path = path[:strings.LastIndexByte(path, '/')]
			if path == "" {
				path = "/"
			}
			if id, ok := holders[path]; ok {
				return &id
			}
		}
		return nil
	}
	for path, r := range found {
		if r.Holds {
			holders[path] = *r.EntryID
		}
	}
	for _, w := range m.items {
		if w.have != nil {
			continue
		}
		switch r := found[w.path]; {
		case r == nil:
			id := node.Keyed("entry", pageKey(w.path))
			w.entry = &id
			m.pages = append(m.pages, &newPage{item: w, lives: holder(w.path)})
			m.report.PagesAdded = append(m.report.PagesAdded, w.path)
			holders[w.path] = id
		case r.Kind == "GONE":
			return errs.Invalidf(lineName(w.Line), "makes the path %s, which is marked as gone; give the path a meaning first, or change the label", w.path)
		case r.URL != nil:
			w.url = r.URL
		default:
			w.entry = r.EntryID
			m.placed = append(m.placed, w)
		}
	}
	return nil
}

// pageKey is the key of a page whose pack gives it none.
func pageKey(path string) string { return "page:" + path }
