package graph

import (
	"context"

	"github.com/collegium/collegium/graph/gen"
	"github.com/collegium/collegium/internal/career"
	"github.com/collegium/collegium/internal/member"
	"github.com/collegium/collegium/internal/node"
	"github.com/collegium/collegium/internal/page"
	"github.com/collegium/collegium/internal/unit"
	"github.com/collegium/collegium/internal/viewer"
	"github.com/google/uuid"
)

// Region is the batch resolver for the region field.
func (r *memberResolver) Region(ctx context.Context, objs []*member.Member) ([]*unit.Region, error) {
	return edge(objs, func(m *member.Member) *uuid.UUID { return m.RegionID }, func(ids []uuid.UUID) (map[uuid.UUID]*unit.Region, error) {
		return r.units(ctx).RegionsByID(ctx, viewer.From(ctx), ids)
	})
}

// Sections is the batch resolver for the sections field.
func (r *memberResolver) Sections(ctx context.Context, objs []*member.Member) ([][]*unit.Section, error) {
	return r.sectionsOfMembers(ctx, objs)
}

// Roles is the batch resolver for the roles field.
func (r *memberResolver) Roles(ctx context.Context, objs []*member.Member) ([][]*unit.Term, error) {
	return edge(objs, memberID, func(ids []uuid.UUID) (map[uuid.UUID][]*unit.Term, error) {
		return r.db.units.RolesOf(ctx, viewer.From(ctx), ids)
	})
}

// CaseStudies is the batch resolver for the caseStudies field.
func (r *memberResolver) CaseStudies(ctx context.Context, objs []*member.Member) ([][]*career.CaseStudy, error) {
	return edge(objs, memberID, func(ids []uuid.UUID) (map[uuid.UUID][]*career.CaseStudy, error) {
		return r.db.career.OfMembers(ctx, viewer.From(ctx), ids)
	})
}

// TotalCount is the batch resolver for the totalCount field.
func (r *memberConnectionResolver) TotalCount(ctx context.Context, objs []*member.Connection) ([]int, error) {
	return r.db.members.Totals(ctx, viewer.From(ctx), objs)
}

// Member is the resolver for the member field.
func (r *queryResolver) Member(ctx context.Context, id string) (*member.Member, error) {
	memberID, err := node.ParseOf("id", "Member", id)
	if err != nil {
		return nil, err
	}
	byID, err := r.db.members.ByID(ctx, viewer.From(ctx), []uuid.UUID{memberID})
	return byID[memberID], err
}

// Members is the resolver for the members field.
func (r *queryResolver) Members(ctx context.Context, filter *member.Filter, orderBy *member.Order, first *int, after *string, last *int, before *string) (*member.Connection, error) {
	return r.db.members.Members(ctx, viewer.From(ctx), filter, orderBy, page.Args{First: first, After: after, Last: last, Before: before})
}

// Member returns gen.MemberResolver implementation.
func (r *Resolver) Member() gen.MemberResolver { return &memberResolver{r} }

// MemberConnection returns gen.MemberConnectionResolver implementation.
func (r *Resolver) MemberConnection() gen.MemberConnectionResolver {
	return &memberConnectionResolver{r}
}

type (
	memberResolver           struct{ *Resolver }
	memberConnectionResolver struct{ *Resolver }
)
