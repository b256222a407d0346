package graph

import (
	"context"
	"time"

	"github.com/collegium/collegium/graph/gen"
	"github.com/collegium/collegium/internal/content"
	"github.com/collegium/collegium/internal/member"
	"github.com/collegium/collegium/internal/page"
	"github.com/collegium/collegium/internal/unit"
	"github.com/collegium/collegium/internal/viewer"
	"github.com/google/uuid"
)

// Unit is the batch resolver for the unit field.
func (r *committeeResolver) Unit(ctx context.Context, objs []*unit.Committee) ([]unit.Unit, error) {
	return r.unitsOfCommittees(ctx, objs)
}

// Posts is the batch resolver for the posts field.
func (r *committeeResolver) Posts(ctx context.Context, objs []*unit.Committee) ([][]*unit.Post, error) {
	return edge(objs, func(c *unit.Committee) *uuid.UUID { return &c.ID }, func(ids []uuid.UUID) (map[uuid.UUID][]*unit.Post, error) {
		return r.units(ctx).PostsOf(ctx, ids)
	})
}

// Holders is the batch resolver for the holders field.
func (r *postResolver) Holders(ctx context.Context, objs []*unit.Post, asOf *time.Time) ([][]*unit.Term, error) {
	return edge(objs, postID, func(ids []uuid.UUID) (map[uuid.UUID][]*unit.Term, error) {
		return r.db.units.HoldersOf(ctx, ids, asOf)
	})
}

// Vacant is the batch resolver for the vacant field.
func (r *postResolver) Vacant(ctx context.Context, objs []*unit.Post, asOf *time.Time) ([]int, error) {
	holders, err := r.Holders(ctx, objs, asOf)
	if err != nil {
		return nil, err
	}
	vacant := make([]int, len(objs))
	for i, p := range objs {
		vacant[i] = max(0, p.Seats-len(holders[i]))
	}
	return vacant, nil
}

// Committee is the batch resolver for the committee field.
func (r *postResolver) Committee(ctx context.Context, objs []*unit.Post) ([]*unit.Committee, error) {
	return edge(objs, func(p *unit.Post) *uuid.UUID { return &p.CommitteeID }, func(ids []uuid.UUID) (map[uuid.UUID]*unit.Committee, error) {
		return r.units(ctx).CommitteesByID(ctx, viewer.From(ctx), ids)
	})
}

// SpecialistSection is the resolver for the specialistSection field.
func (r *queryResolver) SpecialistSection(ctx context.Context, slug string) (*unit.Section, error) {
	return orNull(r.units(ctx).Section(ctx, viewer.From(ctx), slug))
}

// SpecialistSections is the resolver for the specialistSections field.
func (r *queryResolver) SpecialistSections(ctx context.Context, status *unit.Status) ([]*unit.Section, error) {
	return r.units(ctx).Sections(ctx, viewer.From(ctx), status)
}

// Region is the resolver for the region field.
func (r *queryResolver) Region(ctx context.Context, slug string) (*unit.Region, error) {
	return orNull(r.units(ctx).Region(ctx, viewer.From(ctx), slug))
}

// Regions is the resolver for the regions field.
func (r *queryResolver) Regions(ctx context.Context, nation *unit.Nation) ([]*unit.Region, error) {
	return r.units(ctx).Regions(ctx, viewer.From(ctx), nation)
}

// Committee is the resolver for the committee field.
func (r *queryResolver) Committee(ctx context.Context, slug string) (*unit.Committee, error) {
	return orNull(r.units(ctx).Committee(ctx, viewer.From(ctx), slug))
}

// Committees is the resolver for the committees field.
func (r *queryResolver) Committees(ctx context.Context) ([]*unit.Committee, error) {
	return r.units(ctx).Committees(ctx, viewer.From(ctx))
}

// Page is the batch resolver for the page field.
func (r *regionResolver) Page(ctx context.Context, objs []*unit.Region) ([]*content.Page, error) {
	return edge(objs, regionID, func(ids []uuid.UUID) (map[uuid.UUID]*content.Page, error) {
		return r.content(ctx).PagesByID(ctx, viewer.From(ctx), ids)
	})
}

// SubPages is the batch resolver for the subPages field.
func (r *regionResolver) SubPages(ctx context.Context, objs []*unit.Region, kind *content.SubPageKind) ([][]*content.Page, error) {
	return edge(objs, regionID, func(ids []uuid.UUID) (map[uuid.UUID][]*content.Page, error) {
		return r.db.content.ChildrenOf(ctx, viewer.From(ctx), ids, kind)
	})
}

// Committee is the batch resolver for the committee field.
func (r *regionResolver) Committee(ctx context.Context, objs []*unit.Region) ([]*unit.Committee, error) {
	return edge(objs, regionID, func(ids []uuid.UUID) (map[uuid.UUID]*unit.Committee, error) {
		return r.units(ctx).CommitteesOf(ctx, viewer.From(ctx), ids)
	})
}

// MemberCount is the batch resolver for the memberCount field.
func (r *regionResolver) MemberCount(ctx context.Context, objs []*unit.Region, asOf *time.Time) ([]int, error) {
	return edge(objs, regionID, func(ids []uuid.UUID) (map[uuid.UUID]int, error) {
		return r.db.units.RegionMemberCounts(ctx, viewer.From(ctx), ids, asOf)
	})
}

// Members is the batch resolver for the members field.
func (r *regionResolver) Members(ctx context.Context, objs []*unit.Region, first *int, after *string, last *int, before *string) ([]*member.Connection, error) {
	return edge(objs, regionID, func(ids []uuid.UUID) (map[uuid.UUID]*member.Connection, error) {
		return r.db.members.OfRegions(ctx, viewer.From(ctx), ids, page.Args{First: first, After: after, Last: last, Before: before})
	})
}

// Successor is the batch resolver for the successor field.
func (r *specialistSectionResolver) Successor(ctx context.Context, objs []*unit.Section) ([]*unit.Section, error) {
	return edge(objs, func(s *unit.Section) *uuid.UUID { return s.SuccessorID }, func(ids []uuid.UUID) (map[uuid.UUID]*unit.Section, error) {
		return r.units(ctx).SectionsByID(ctx, viewer.From(ctx), ids)
	})
}

// Page is the batch resolver for the page field.
func (r *specialistSectionResolver) Page(ctx context.Context, objs []*unit.Section) ([]*content.Page, error) {
	return edge(objs, sectionID, func(ids []uuid.UUID) (map[uuid.UUID]*content.Page, error) {
		return r.content(ctx).PagesByID(ctx, viewer.From(ctx), ids)
	})
}

// SubPages is the batch resolver for the subPages field.
func (r *specialistSectionResolver) SubPages(ctx context.Context, objs []*unit.Section, kind *content.SubPageKind) ([][]*content.Page, error) {
	return edge(objs, sectionID, func(ids []uuid.UUID) (map[uuid.UUID][]*content.Page, error) {
		return r.db.content.ChildrenOf(ctx, viewer.From(ctx), ids, kind)
	})
}

// Committee is the batch resolver for the committee field.
func (r *specialistSectionResolver) Committee(ctx context.Context, objs []*unit.Section) ([]*unit.Committee, error) {
	return edge(objs, sectionID, func(ids []uuid.UUID) (map[uuid.UUID]*unit.Committee, error) {
		return r.units(ctx).CommitteesOf(ctx, viewer.From(ctx), ids)
	})
}

// MemberCount is the batch resolver for the memberCount field.
func (r *specialistSectionResolver) MemberCount(ctx context.Context, objs []*unit.Section, asOf *time.Time) ([]int, error) {
	return edge(objs, sectionID, func(ids []uuid.UUID) (map[uuid.UUID]int, error) {
		return r.db.units.SectionMemberCounts(ctx, viewer.From(ctx), ids, asOf)
	})
}

// Members is the batch resolver for the members field.
func (r *specialistSectionResolver) Members(ctx context.Context, objs []*unit.Section, first *int, after *string, last *int, before *string) ([]*member.Connection, error) {
	return edge(objs, sectionID, func(ids []uuid.UUID) (map[uuid.UUID]*member.Connection, error) {
		return r.db.members.OfSections(ctx, viewer.From(ctx), ids, page.Args{First: first, After: after, Last: last, Before: before})
	})
}

// Member is the batch resolver for the member field.
func (r *termResolver) Member(ctx context.Context, objs []*unit.Term) ([]*member.Member, error) {
	return edge(objs, func(t *unit.Term) *uuid.UUID { return &t.MemberID }, func(ids []uuid.UUID) (map[uuid.UUID]*member.Member, error) {
		return r.db.members.ByID(ctx, viewer.From(ctx), ids)
	})
}

// Post is the batch resolver for the post field.
func (r *termResolver) Post(ctx context.Context, objs []*unit.Term) ([]*unit.Post, error) {
	return edge(objs, func(t *unit.Term) *uuid.UUID { return &t.PostID }, func(ids []uuid.UUID) (map[uuid.UUID]*unit.Post, error) {
		return r.units(ctx).PostsByID(ctx, viewer.From(ctx), ids)
	})
}

// Committee returns gen.CommitteeResolver implementation.
func (r *Resolver) Committee() gen.CommitteeResolver { return &committeeResolver{r} }

// Post returns gen.PostResolver implementation.
func (r *Resolver) Post() gen.PostResolver { return &postResolver{r} }

// Region returns gen.RegionResolver implementation.
func (r *Resolver) Region() gen.RegionResolver { return &regionResolver{r} }

// SpecialistSection returns gen.SpecialistSectionResolver implementation.
func (r *Resolver) SpecialistSection() gen.SpecialistSectionResolver {
	return &specialistSectionResolver{r}
}

// Term returns gen.TermResolver implementation.
func (r *Resolver) Term() gen.TermResolver { return &termResolver{r} }

type (
	committeeResolver         struct{ *Resolver }
	postResolver              struct{ *Resolver }
	regionResolver            struct{ *Resolver }
	specialistSectionResolver struct{ *Resolver }
	termResolver              struct{ *Resolver }
)
