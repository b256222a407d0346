package graph

import (
	"context"

	"github.com/collegium/collegium/graph/gen"
	"github.com/collegium/collegium/internal/member"
	"github.com/collegium/collegium/internal/page"
	"github.com/collegium/collegium/internal/therapist"
	"github.com/collegium/collegium/internal/viewer"
	"github.com/google/uuid"
)

// TherapistListing is the batch resolver for the therapistListing field.
func (r *memberResolver) TherapistListing(ctx context.Context, objs []*member.Member) ([]*therapist.Listing, error) {
	return edge(objs, registeredID, func(ids []uuid.UUID) (map[uuid.UUID]*therapist.Listing, error) {
		return r.db.therapists.Of(ctx, viewer.From(ctx), ids)
	})
}

// SetTherapistListing is the resolver for the setTherapistListing field.
func (r *mutationResolver) SetTherapistListing(ctx context.Context, input gen.SetTherapistListingInput) (*gen.SetTherapistListingPayload, error) {
	return setListing(r.db.therapists.SetWilling(ctx, viewer.From(ctx), input.Willing))
}

// Therapists is the resolver for the therapists field.
func (r *queryResolver) Therapists(ctx context.Context, near member.Near, section *string, first *int, after *string) (*page.Connection[*therapist.Found], error) {
	return r.db.therapists.Nearest(ctx, therapist.Near(near), section, page.Args{First: first, After: after})
}

// Member is the batch resolver for the member field.
func (r *therapistResolver) Member(ctx context.Context, objs []*therapist.Found) ([]*member.Member, error) {
	return edge(objs, foundID, func(ids []uuid.UUID) (map[uuid.UUID]*member.Member, error) {
		return r.db.members.ByID(ctx, viewer.From(ctx), ids)
	})
}

// Therapist returns gen.TherapistResolver implementation.
func (r *Resolver) Therapist() gen.TherapistResolver { return &therapistResolver{r} }

type therapistResolver struct{ *Resolver }
