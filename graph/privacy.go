package graph

import (
	"context"
	"errors"

	"github.com/google/uuid"

	"github.com/collegium/collegium/graph/gen"
	"github.com/collegium/collegium/graph/union"
	"github.com/collegium/collegium/internal/errs"
	"github.com/collegium/collegium/internal/identity"
	"github.com/collegium/collegium/internal/privacy"
	"github.com/collegium/collegium/internal/viewer"
)

// erasure answers a mutation of an erasure.
func erasure(e *privacy.Erasure, err error) (*gen.ErasurePayload, error) {
	wrong, err := userErrors(err)
	return &gen.ErasurePayload{Erasure: e, UserErrors: wrong}, err
}

// proveOwn asks who wants to be erased to prove who they are. Who keeps the register is not
// asked to, and others are refused later.
func (r *Resolver) proveOwn(ctx context.Context, member *uuid.UUID, p identity.Proof) error {
	v := viewer.From(ctx)
	if member != nil && *member != v.MemberID {
		return nil
	}
	return r.accounts.Prove(ctx, v, p)
}

// known returns null for what there is not.
func known[T any](found *T, err error) (*T, error) {
	if errors.Is(err, errs.NotFound) {
		return nil, nil
	}
	return found, err
}

// each resolves an edge of the viewer: there is one in most answers, and never many.
func each[T any](objs []*union.Viewer, resolve func(*union.Viewer) (T, error)) ([]T, error) {
	all := make([]T, len(objs))
	for i, v := range objs {
		var err error
		if all[i], err = resolve(v); err != nil {
			return nil, err
		}
	}
	return all, nil
}

// consentsOf returns the consents of who is signed in, nil for who is no member.
func (r *Resolver) consentsOf(ctx context.Context, v *union.Viewer) ([]*privacy.Consent, error) {
	if v.Account == nil || v.Account.MemberID == nil {
		return nil, nil
	}
	own := *v.Account.MemberID
	of, err := r.db.privacy.Consents(ctx, viewer.Viewer{MemberID: own}, []uuid.UUID{own})
	return of[own], err
}

// erasureOf returns the request to erase who is signed in.
func (r *Resolver) erasureOf(ctx context.Context, v *union.Viewer) (*privacy.Erasure, error) {
	if v.Account == nil {
		return nil, nil
	}
	self := viewer.Viewer{Account: v.Account.ID}
	if v.Account.MemberID != nil {
		self.MemberID = *v.Account.MemberID
	}
	return known(r.db.privacy.Open(ctx, self))
}
