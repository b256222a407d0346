package graph

import (
	"context"

	"github.com/google/uuid"

	"github.com/collegium/collegium/graph/union"
	"github.com/collegium/collegium/internal/career"
	"github.com/collegium/collegium/internal/content"
	"github.com/collegium/collegium/internal/member"
	"github.com/collegium/collegium/internal/nav"
	"github.com/collegium/collegium/internal/unit"
	"github.com/collegium/collegium/internal/viewer"
)

// The keys of edges that several fields share.
func pageID(p *content.Page) *uuid.UUID            { return &p.ID }
func routeEntryID(p *content.PageRoute) *uuid.UUID { return &p.EntryID }
func regionID(u *unit.Region) *uuid.UUID           { return &u.ID }
func sectionID(u *unit.Section) *uuid.UUID         { return &u.ID }
func postID(p *unit.Post) *uuid.UUID               { return &p.ID }
func memberID(m *member.Member) *uuid.UUID         { return &m.ID }
func caseStudyID(c *career.CaseStudy) *uuid.UUID   { return &c.ID }

// registeredID is the ID of a member of whom the register tells: not of one who is seen with the
// eyes of those who may not read it.
func registeredID(m *member.Member) *uuid.UUID {
	if m.As != "" && m.As != viewer.ForOffice {
		return nil
	}
	return &m.ID
}

// entryRef names an entry: its kind and its ID.
type entryRef struct {
	kind string
	id   uuid.UUID
}

// entries reads entries of any kind as the types of their kinds: at most one
// statement for each kind.
func (r *Resolver) entries(ctx context.Context, refs []entryRef) (map[entryRef]any, error) {
	byKind := map[string][]uuid.UUID{}
	for _, ref := range refs {
		byKind[ref.kind] = append(byKind[ref.kind], ref.id)
	}
	v := viewer.From(ctx)
	found := make(map[entryRef]any, len(refs))
	for kind, ids := range byKind {
		ids = unique(ids)
		var err error
		switch kind {
		case "PAGE":
			err = addEntries(ctx, v, kind, ids, r.content(ctx).PagesByID, found)
		case "SPECIALIST_SECTION":
			err = addEntries(ctx, v, kind, ids, r.units(ctx).SectionsByID, found)
		case "REGION":
			err = addEntries(ctx, v, kind, ids, r.units(ctx).RegionsByID, found)
		case "CASE_STUDY":
			err = addEntries(ctx, v, kind, ids, r.career(ctx).ByID, found)
		case "DOCUMENT":
			err = addEntries(ctx, v, kind, ids, r.content(ctx).DocumentsByID, found)
		}
		if err != nil {
			return nil, err
		}
	}
	return found, nil
}

func addEntries[T any](ctx context.Context, v viewer.Viewer, kind string, ids []uuid.UUID, load func(context.Context, viewer.Viewer, []uuid.UUID) (map[uuid.UUID]*T, error), found map[entryRef]any) error {
	byID, err := load(ctx, v, ids)
	for id, e := range byID {
		found[entryRef{kind, id}] = e
	}
	return err
}

// contents answers an edge to entries of any kind.
func contents[P any](ctx context.Context, r *Resolver, parents []P, ref func(P) entryRef) ([]union.RouteContent, error) {
	refs := make([]entryRef, len(parents))
	for i, p := range parents {
		refs[i] = ref(p)
	}
	found, err := r.entries(ctx, refs)
	if err != nil {
		return nil, err
	}
	values := make([]union.RouteContent, len(parents))
	for i := range refs {
		values[i] = found[refs[i]]
	}
	return values, nil
}

// targets answers what menu items lead to.
func (r *Resolver) targets(ctx context.Context, items []*nav.Item) ([]union.MenuTarget, error) {
	refs := make([]entryRef, 0, len(items))
	for _, it := range items {
		if it.EntryID != nil {
			refs = append(refs, entryRef{*it.EntryKind, *it.EntryID})
		}
	}
	found, err := r.entries(ctx, refs)
	if err != nil {
		return nil, err
	}
	values := make([]union.MenuTarget, len(items))
	for i, it := range items {
		if it.EntryID != nil {
			values[i] = found[entryRef{*it.EntryKind, *it.EntryID}]
		} else {
			values[i] = it.OwnTarget()
		}
	}
	return values, nil
}

// otherPlacements answers where else the current items are placed.
func (r *Resolver) otherPlacements(ctx context.Context, contexts []*nav.Context) ([][]*nav.Item, error) {
	current := make([]*nav.Item, 0, len(contexts))
	for _, c := range contexts {
		if c.Current != nil {
			current = append(current, c.Current)
		}
	}
	values := make([][]*nav.Item, len(contexts))
	if len(current) == 0 {
		return values, nil
	}
	placements, err := r.nav(ctx).AlsoAt(ctx, viewer.From(ctx), current)
	if err != nil {
		return nil, err
	}
	for i, c := range contexts {
		if c.Current != nil {
			values[i], placements = placements[0], placements[1:]
		}
	}
	return values, nil
}

// blocksOfPages answers the bodies of pages: null where the viewer may not read.
func (r *Resolver) blocksOfPages(ctx context.Context, pages []*content.Page) ([][]content.Block, error) {
	values, err := edge(pages, func(p *content.Page) *uuid.UUID {
		if !p.ViewerAccess.CanRead {
			return nil
		}
		return &p.ID
	}, func(ids []uuid.UUID) (map[uuid.UUID][]content.Block, error) {
		return r.db.content.BlocksOf(ctx, viewer.From(ctx), ids)
	})
	if err != nil {
		return nil, err
	}
	for i, p := range pages {
		if values[i] == nil && p.ViewerAccess.CanRead {
			values[i] = []content.Block{}
		}
	}
	return values, nil
}

// caseStudiesOfBlocks answers the case studies that blocks list, in their order.
func (r *Resolver) caseStudiesOfBlocks(ctx context.Context, blocks []*content.CaseStudyListBlock) ([][]*career.CaseStudy, error) {
	var ids []uuid.UUID
	for _, b := range blocks {
		ids = append(ids, b.CaseStudyIDs...)
	}
	values := make([][]*career.CaseStudy, len(blocks))
	if len(ids) == 0 {
		return values, nil
	}
	byID, err := r.career(ctx).ByID(ctx, viewer.From(ctx), unique(ids))
	if err != nil {
		return nil, err
	}
	for i, b := range blocks {
		for _, id := range b.CaseStudyIDs {
			if c := byID[id]; c != nil {
				values[i] = append(values[i], c)
			}
		}
	}
	return values, nil
}

// sectionsOfMembers answers the sections of members: null where a member keeps
// them from the viewer.
func (r *Resolver) sectionsOfMembers(ctx context.Context, members []*member.Member) ([][]*unit.Section, error) {
	values, err := edge(members, func(m *member.Member) *uuid.UUID {
		if !m.ShowsSections {
			return nil
		}
		return &m.ID
	}, func(ids []uuid.UUID) (map[uuid.UUID][]*unit.Section, error) {
		return r.units(ctx).SectionsOf(ctx, viewer.From(ctx), ids)
	})
	if err != nil {
		return nil, err
	}
	for i, m := range members {
		if values[i] == nil && m.ShowsSections {
			values[i] = []*unit.Section{}
		}
	}
	return values, nil
}

// unitsOfCommittees answers whose committees they are.
func (r *Resolver) unitsOfCommittees(ctx context.Context, committees []*unit.Committee) ([]unit.Unit, error) {
	refs := make([]entryRef, 0, len(committees))
	for _, c := range committees {
		if c.UnitID != nil {
			refs = append(refs, entryRef{*c.UnitKind, *c.UnitID})
		}
	}
	found, err := r.entries(ctx, refs)
	if err != nil {
		return nil, err
	}
	values := make([]unit.Unit, len(committees))
	for i, c := range committees {
		if c.UnitID != nil {
			values[i], _ = found[entryRef{*c.UnitKind, *c.UnitID}].(unit.Unit)
		}
	}
	return values, nil
}
