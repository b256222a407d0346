package graph

import (
	"context"

	"github.com/collegium/collegium/graph/gen"
	"github.com/collegium/collegium/internal/identity"
	"github.com/collegium/collegium/internal/unit"
	"github.com/collegium/collegium/internal/viewer"
	"github.com/google/uuid"
)

// Partner is the batch resolver for the partner field.
func (r *applicationKeyResolver) Partner(ctx context.Context, objs []*identity.Key) ([]*identity.PartnerApplication, error) {
	return edge(objs, func(k *identity.Key) *uuid.UUID { return &k.ApplicationID }, func(ids []uuid.UUID) (map[uuid.UUID]*identity.PartnerApplication, error) {
		return r.accounts.PartnerApplicationsByID(ctx, viewer.From(ctx), ids)
	})
}

// Unit is the batch resolver for the unit field.
func (r *applicationKeyResolver) Unit(ctx context.Context, objs []*identity.Key) ([]unit.Unit, error) {
	return r.unitsOfKeys(ctx, objs)
}

// CreatePartnerApplication is the resolver for the createPartnerApplication field.
func (r *mutationResolver) CreatePartnerApplication(ctx context.Context, input gen.CreatePartnerApplicationInput) (*gen.PartnerApplicationPayload, error) {
	return partnerPayload(r.madePartner(ctx, writing(ctx, "createPartnerApplication", input.IdempotencyKey, input), identity.NewPartnerApplication{
		Name: input.Name, ContactEmail: input.ContactEmail,
	}))
}

// SuspendPartnerApplication is the resolver for the suspendPartnerApplication field.
func (r *mutationResolver) SuspendPartnerApplication(ctx context.Context, input gen.SuspendPartnerApplicationInput) (*gen.PartnerApplicationPayload, error) {
	return r.suspendPartner(ctx, input.ID, true)
}

// ReinstatePartnerApplication is the resolver for the reinstatePartnerApplication field.
func (r *mutationResolver) ReinstatePartnerApplication(ctx context.Context, input gen.SuspendPartnerApplicationInput) (*gen.PartnerApplicationPayload, error) {
	return r.suspendPartner(ctx, input.ID, false)
}

// CreateKey is the resolver for the createKey field.
func (r *mutationResolver) CreateKey(ctx context.Context, input gen.CreateKeyInput) (*gen.CreateKeyPayload, error) {
	return r.createKey(ctx, input)
}

// RevokeKey is the resolver for the revokeKey field.
func (r *mutationResolver) RevokeKey(ctx context.Context, input gen.RevokeKeyInput) (*gen.RevokeKeyPayload, error) {
	return r.revokeKey(ctx, input.ID)
}

// Keys is the batch resolver for the keys field.
func (r *partnerApplicationResolver) Keys(ctx context.Context, objs []*identity.PartnerApplication) ([][]*identity.Key, error) {
	return edge(objs, func(a *identity.PartnerApplication) *uuid.UUID { return &a.ID }, func(ids []uuid.UUID) (map[uuid.UUID][]*identity.Key, error) {
		return r.accounts.KeysOf(ctx, viewer.From(ctx), ids)
	})
}

// PartnerApplications is the resolver for the partnerApplications field.
func (r *queryResolver) PartnerApplications(ctx context.Context) ([]*identity.PartnerApplication, error) {
	return r.accounts.PartnerApplications(ctx, viewer.From(ctx))
}

// ApplicationKey returns gen.ApplicationKeyResolver implementation.
func (r *Resolver) ApplicationKey() gen.ApplicationKeyResolver { return &applicationKeyResolver{r} }

// PartnerApplication returns gen.PartnerApplicationResolver implementation.
func (r *Resolver) PartnerApplication() gen.PartnerApplicationResolver {
	return &partnerApplicationResolver{r}
}

type (
	applicationKeyResolver     struct{ *Resolver }
	partnerApplicationResolver struct{ *Resolver }
)
