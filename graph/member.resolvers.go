package graph

import (
	"context"

	"github.com/collegium/collegium/graph/gen"
	"github.com/collegium/collegium/graph/union"
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

// Contact is the batch resolver for the contact field.
func (r *memberResolver) Contact(ctx context.Context, objs []*member.Member) ([]*member.Contact, error) {
	details, err := r.db.members.DetailsOf(ctx, viewer.From(ctx), objs, member.Email, member.Phone, member.Website, member.Address)
	return mapped(details, member.Details.Contact), err
}

// Languages is the batch resolver for the languages field.
func (r *memberResolver) Languages(ctx context.Context, objs []*member.Member) ([][]string, error) {
	details, err := r.db.members.DetailsOf(ctx, viewer.From(ctx), objs, member.Languages)
	return mapped(details, func(d member.Details) []string { return d.Terms(member.Languages) }), err
}

// Specialisms is the batch resolver for the specialisms field.
func (r *memberResolver) Specialisms(ctx context.Context, objs []*member.Member) ([][]string, error) {
	details, err := r.db.members.DetailsOf(ctx, viewer.From(ctx), objs, member.Specialisms)
	return mapped(details, func(d member.Details) []string { return d.Terms(member.Specialisms) }), err
}

// Practice is the batch resolver for the practice field.
func (r *memberResolver) Practice(ctx context.Context, objs []*member.Member) ([]*member.Practice, error) {
	details, err := r.db.members.DetailsOf(ctx, viewer.From(ctx), objs, member.OfPractice)
	return mapped(details, member.Details.Practice), err
}

// Photo is the batch resolver for the photo field.
func (r *memberResolver) Photo(ctx context.Context, objs []*member.Member) ([]*member.Photo, error) {
	details, err := r.db.members.DetailsOf(ctx, viewer.From(ctx), objs, member.OfPhoto)
	return mapped(details, member.Details.Photo), err
}

// Visibility is the batch resolver for the visibility field.
func (r *memberResolver) Visibility(ctx context.Context, objs []*member.Member) ([][]*member.Visibility, error) {
	return r.db.members.VisibilityOf(ctx, viewer.From(ctx), objs)
}

// AccessLog is the batch resolver for the accessLog field.
func (r *memberResolver) AccessLog(ctx context.Context, objs []*member.Member, first *int, after *string, last *int, before *string) ([]*member.AccessLogConnection, error) {
	return r.db.members.AccessLogs(ctx, viewer.From(ctx), objs, page.Args{First: first, After: after, Last: last, Before: before})
}

// TotalCount is the batch resolver for the totalCount field.
func (r *memberConnectionResolver) TotalCount(ctx context.Context, objs []*member.Connection) ([]int, error) {
	return r.db.members.Totals(ctx, viewer.From(ctx), objs)
}

// DistanceKm is the batch resolver for the distanceKm field.
func (r *memberEdgeResolver) DistanceKm(ctx context.Context, objs []*page.Edge[*member.Member]) ([]*float64, error) {
	return mapped(objs, func(e *member.Edge) *float64 { return e.Node.DistanceKm }), nil
}

// UpdateProfile is the resolver for the updateProfile field.
func (r *mutationResolver) UpdateProfile(ctx context.Context, input member.ProfileUpdate) (*gen.ProfilePayload, error) {
	return profile(r.db.members.UpdateProfile(ctx, viewer.From(ctx), input))
}

// SetFieldAudience is the resolver for the setFieldAudience field.
func (r *mutationResolver) SetFieldAudience(ctx context.Context, input gen.SetFieldAudienceInput) (*gen.ProfilePayload, error) {
	return profile(r.db.members.SetAudience(ctx, viewer.From(ctx), input.Field, input.Audience))
}

// SetPhoto is the resolver for the setPhoto field.
func (r *mutationResolver) SetPhoto(ctx context.Context, input gen.SetPhotoInput) (*gen.ProfilePayload, error) {
	return profile(r.db.members.SetPhoto(ctx, viewer.From(ctx), input.Image))
}

// RemovePhoto is the resolver for the removePhoto field.
func (r *mutationResolver) RemovePhoto(ctx context.Context) (*gen.ProfilePayload, error) {
	return profile(r.db.members.RemovePhoto(ctx, viewer.From(ctx)))
}

// LockFieldAudience is the resolver for the lockFieldAudience field.
func (r *mutationResolver) LockFieldAudience(ctx context.Context, input gen.LockFieldAudienceInput) (*gen.ProfilePayload, error) {
	return r.lockAudience(ctx, input)
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

// ViewAs is the resolver for the viewAs field.
func (r *queryResolver) ViewAs(ctx context.Context, audience viewer.Audience) (*member.Member, error) {
	return orNull(r.db.members.ViewAs(ctx, viewer.From(ctx), audience))
}

// Member is the batch resolver for the member field.
func (r *viewerResolver) Member(ctx context.Context, objs []*union.Viewer) ([]*member.Member, error) {
	return edge(objs, recordOf, func(ids []uuid.UUID) (map[uuid.UUID]*member.Member, error) {
		return r.db.members.ByID(ctx, viewer.From(ctx), ids)
	})
}

// Member returns gen.MemberResolver implementation.
func (r *Resolver) Member() gen.MemberResolver { return &memberResolver{r} }

// MemberConnection returns gen.MemberConnectionResolver implementation.
func (r *Resolver) MemberConnection() gen.MemberConnectionResolver {
	return &memberConnectionResolver{r}
}

// MemberEdge returns gen.MemberEdgeResolver implementation.
func (r *Resolver) MemberEdge() gen.MemberEdgeResolver { return &memberEdgeResolver{r} }

type (
	memberResolver           struct{ *Resolver }
	memberConnectionResolver struct{ *Resolver }
	memberEdgeResolver       struct{ *Resolver }
)
