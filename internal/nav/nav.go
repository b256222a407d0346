// Package nav knows the menus: trees of items that place what the body
// publishes. Where a page lives is another tree, which content knows.
package nav

import (
	"strings"

	"github.com/google/uuid"

	"github.com/collegium/collegium/internal/errs"
	"github.com/collegium/collegium/internal/node"
	"github.com/collegium/collegium/internal/pg"
	"github.com/collegium/collegium/internal/slug"
	"github.com/collegium/collegium/internal/viewer"
)

// Store reads menus.
type Store struct {
	DB pg.Querier
}

// Menu is one menu, whole: all of its items that the viewer may see. It is never
// changed after it is read.
type Menu struct {
	ID       uuid.UUID
	Handle   string
	Title    string
	Revision int
	Roots    []*Item

	items   []*Item // in pre-order
	byEntry map[uuid.UUID][]*Item
}

// NodeID returns the opaque ID in the graph.
func (m *Menu) NodeID() string { return node.ID("Menu", m.ID) }

// AppendNodeID appends NodeID as a JSON string.
func (m *Menu) AppendNodeID(dst []byte) []byte { return node.AppendID(dst, "Menu", m.ID) }

// ItemCount returns how many items the viewer may see, at all depths.
func (m *Menu) ItemCount() int { return len(m.items) }

// Items returns the items in pre-order: all of them, or only those no deeper
// than maxDepth, or only an item and those below it. rootID is an opaque ID; one
// that is not of an item of this menu is bad input.
func (m *Menu) Items(maxDepth *int, rootID *string) ([]*Item, error) {
	items := m.items
	if rootID != nil {
		id, err := node.ParseOf("rootId", "MenuItem", *rootID)
		if err != nil {
			return nil, err
		}
		at := -1
		for i, it := range m.items {
			if it.ID == id {
				at = i
			}
		}
		if at < 0 {
			return nil, errs.Invalidf("rootId", "no item of the menu %q has this ID; pass the ID of one of its items", m.Handle)
		}
		items = m.items[at : at+1+m.items[at].DescendantCount]
	}
	if maxDepth == nil {
		return items, nil
	}
	if *maxDepth < 1 {
		return nil, errs.Invalidf("maxDepth", "%d is too small; pass 1 for the top items, 2 for their children too, and so on", *maxDepth)
	}
	shallow := make([]*Item, 0, len(items))
	for _, it := range items {
		if it.Depth <= *maxDepth {
			shallow = append(shallow, it)
		}
	}
	return shallow, nil
}

// Kind is what a menu item does.
type Kind string

// The kinds of item.
const (
	KindPage     Kind = "PAGE"
	KindExternal Kind = "EXTERNAL"
	KindHeading  Kind = "HEADING"
	KindAction   Kind = "ACTION"
)

// Item is one placement in a menu.
type Item struct {
	ID       uuid.UUID
	Label    string
	Position int
	Kind     Kind
	// Href is the current path of the target, or an address elsewhere.
	Href        *string
	IsCanonical bool
	Access      viewer.Access
	// EntryID and EntryKind name the target of a PAGE item.
	EntryID   *uuid.UUID
	EntryKind *string
	// ActionName is what an ACTION item starts.
	ActionName *string

	// Depth is 1 at the top.
	Depth           int     `db:"-"`
	DescendantCount int     `db:"-"`
	Parent          *Item   `db:"-"`
	Children        []*Item `db:"-"`
	menu            *Menu
}

// NodeID returns the opaque ID in the graph.
func (it *Item) NodeID() string { return node.ID("MenuItem", it.ID) }

// AppendNodeID appends NodeID as a JSON string.
func (it *Item) AppendNodeID(dst []byte) []byte { return node.AppendID(dst, "MenuItem", it.ID) }

// ParentID returns the opaque ID of the parent, nil at the top.
func (it *Item) ParentID() *string {
	if it.Parent == nil {
		return nil
	}
	id := it.Parent.NodeID()
	return &id
}

// AppendParentID appends ParentID as a JSON string, and nothing at the top.
func (it *Item) AppendParentID(dst []byte) []byte {
	if it.Parent == nil {
		return dst
	}
	return it.Parent.AppendNodeID(dst)
}

// Ancestors returns the items above this one, from the top down.
func (it *Item) Ancestors() []*Item {
	up := make([]*Item, it.Depth-1)
	for p := it.Parent; p != nil; p = p.Parent {
		up[p.Depth-1] = p
	}
	return up
}

// trail returns the items from the top down to this one.
func (it *Item) trail() []*Item { return append(it.Ancestors(), it) }

// siblings returns the items beside this one, itself included.
func (it *Item) siblings() []*Item {
	if it.Parent == nil {
		return it.menu.Roots
	}
	return it.Parent.Children
}

// spells says whether the labels down to the item, as slugs, make the path.
func (it *Item) spells(path string) bool {
	var b strings.Builder
	for _, step := range it.trail() {
		b.WriteByte('/')
		b.WriteString(slug.Slug(step.Label))
	}
	return b.String() == path
}

// ExternalLink is an address on another site; URL is nil if it is not known.
type ExternalLink struct {
	Label string
	URL   *string
}

// Action is something a client does itself.
type Action struct {
	Action string
}

// OwnTarget returns the target of an item that leads to nothing this site
// publishes: an *ExternalLink or an *Action; nil for the other kinds.
func (it *Item) OwnTarget() any {
	switch it.Kind {
	case KindExternal:
		return &ExternalLink{Label: it.Label, URL: it.Href}
	case KindAction:
		return &Action{Action: *it.ActionName}
	default:
		return nil
	}
}

// assemble makes the tree of a menu from its items, which come ordered by
// position, and sets what depends on the tree. An item whose parent is not among
// them is hidden with its parent: it is in no part of the menu.
func (m *Menu) assemble(items []*Item, parents map[uuid.UUID]uuid.UUID) {
	byID := make(map[uuid.UUID]*Item, len(items))
	for _, it := range items {
		it.menu, it.Children = m, []*Item{}
		byID[it.ID] = it
	}
	m.Roots = []*Item{}
	for _, it := range items {
		if parentID, ok := parents[it.ID]; !ok {
			m.Roots = append(m.Roots, it)
		} else if parent := byID[parentID]; parent != nil {
			it.Parent = parent
			parent.Children = append(parent.Children, it)
		}
	}
	m.items = make([]*Item, 0, len(items))
	m.byEntry = make(map[uuid.UUID][]*Item, len(items))
	for _, root := range m.Roots {
		m.add(root, 1)
	}
}

// add appends the item and all below it in pre-order. The depth of a menu is
// that of its tree in the database, which holds no circle.
func (m *Menu) add(it *Item, depth int) {
	before := len(m.items)
	it.Depth = depth
	m.items = append(m.items, it)
	if it.EntryID != nil {
		m.byEntry[*it.EntryID] = append(m.byEntry[*it.EntryID], it)
	}
	for _, child := range it.Children {
		m.add(child, depth+1)
	}
	it.DescendantCount = len(m.items) - before - 1
}
