package graph

import (
	"context"

	"github.com/google/uuid"

	"github.com/collegium/collegium/graph/gen"
	"github.com/collegium/collegium/internal/identity"
	"github.com/collegium/collegium/internal/node"
	"github.com/collegium/collegium/internal/unit"
	"github.com/collegium/collegium/internal/viewer"
)

type holderKey struct{}

// withKey returns a context in which an application asks with a key.
func withKey(ctx context.Context, k *identity.KeyHolder) context.Context {
	var standing viewer.Standing
	for _, s := range k.Scopes {
		standing |= standingOf[s]
	}
	limit := uuid.Nil
	if k.UnitID != nil {
		limit = *k.UnitID
	}
	return viewer.With(context.WithValue(ctx, holderKey{}, k), viewer.ForKey(standing, k.ApplicationID, limit))
}

// standingOf is what a scope makes of who has it.
var standingOf = map[identity.Scope]viewer.Standing{
	identity.ContentRead:    viewer.KeyContent,
	identity.DirectoryRead:  viewer.KeyDirectory,
	identity.MembersRead:    viewer.KeyMembers,
	identity.StatisticsRead: viewer.KeyStatistics,
}

// trustedOnly says whether who asks has a key that is good for trusted documents
// only.
func trustedOnly(ctx context.Context) bool {
	k, ok := ctx.Value(holderKey{}).(*identity.KeyHolder)
	return ok && k.TrustedOnly
}

// partnerPayload answers a mutation of an application.
func partnerPayload(a *identity.PartnerApplication, err error) (*gen.PartnerApplicationPayload, error) {
	wrong, err := userErrors(err)
	return &gen.PartnerApplicationPayload{Application: a, UserErrors: wrong}, err
}

// suspendPartner suspends or reinstates an application.
func (r *Resolver) suspendPartner(ctx context.Context, opaque string, suspended bool) (*gen.PartnerApplicationPayload, error) {
	id, err := node.ParseOf("input.id", "PartnerApplication", opaque)
	if err != nil {
		return partnerPayload(nil, err)
	}
	return partnerPayload(r.accounts.SuspendPartnerApplication(ctx, id, suspended))
}

func (r *Resolver) createKey(ctx context.Context, input gen.CreateKeyInput) (*gen.CreateKeyPayload, error) {
	n, err := newKey(input)
	if err != nil {
		wrong, err := userErrors(err)
		return &gen.CreateKeyPayload{UserErrors: wrong}, err
	}
	key, secret, err := r.madeKey(ctx, writing(ctx, "createKey", input.IdempotencyKey, input), n)
	wrong, err := userErrors(err)
	return &gen.CreateKeyPayload{Key: key, Secret: secret, UserErrors: wrong}, err
}

// newKey reads what key is wanted.
func newKey(input gen.CreateKeyInput) (n identity.NewKey, err error) {
	if n.ApplicationID, err = node.ParseOf("input.application", "PartnerApplication", input.Application); err != nil {
		return n, err
	}
	n.Scopes, n.TrustedOnly = input.Scopes, input.TrustedDocumentsOnly
	if input.ExpiresAt != nil {
		n.ExpiresAt = *input.ExpiresAt
	}
	if input.Unit != nil {
		id, err := unitID("input.unit", *input.Unit)
		if err != nil {
			return n, err
		}
		n.UnitID = &id
	}
	return n, nil
}

// unitID reads the ID of a section or region.
func unitID(path, opaque string) (uuid.UUID, error) {
	id, err := node.ParseOf(path, "Region", opaque)
	if err != nil {
		id, err = node.ParseOf(path, "SpecialistSection", opaque)
	}
	return id, err
}

// revokeKey ends a key.
func (r *Resolver) revokeKey(ctx context.Context, opaque string) (*gen.RevokeKeyPayload, error) {
	id, err := node.ParseOf("input.id", "ApplicationKey", opaque)
	var key *identity.Key
	if err == nil {
		key, err = r.accounts.RevokeKey(ctx, id)
	}
	wrong, err := userErrors(err)
	return &gen.RevokeKeyPayload{Key: key, UserErrors: wrong}, err
}

// unitsOfKeys answers to which sections and regions keys are limited.
func (r *Resolver) unitsOfKeys(ctx context.Context, keys []*identity.Key) ([]unit.Unit, error) {
	refs := make([]entryRef, 0, len(keys))
	for _, k := range keys {
		if k.UnitID != nil {
			refs = append(refs, entryRef{*k.UnitKind, *k.UnitID})
		}
	}
	found, err := r.entries(ctx, refs)
	if err != nil {
		return nil, err
	}
	values := make([]unit.Unit, len(keys))
	for i, k := range keys {
		if k.UnitID != nil {
			values[i], _ = found[entryRef{*k.UnitKind, *k.UnitID}].(unit.Unit)
		}
	}
	return values, nil
}
