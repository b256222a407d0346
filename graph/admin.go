package graph

import (
	"context"
	"errors"

	"github.com/google/uuid"

	"github.com/collegium/collegium/graph/gen"
	"github.com/collegium/collegium/graph/union"
	"github.com/collegium/collegium/internal/errs"
	"github.com/collegium/collegium/internal/identity"
	"github.com/collegium/collegium/internal/node"
	"github.com/collegium/collegium/internal/viewer"
)

// onAccount answers a mutation of an account that is named by its ID.
func onAccount(opaque string, do func(uuid.UUID) (*identity.Account, error)) (*gen.AccountPayload, error) {
	id, err := node.ParseOf("input.account", "Account", opaque)
	var account *identity.Account
	if err == nil {
		account, err = do(id)
	}
	if errors.Is(err, errs.NotFound) {
		err = errs.Sayf(errs.NotFound, "input.account", "there is no account with this ID")
	}
	wrong, err := userErrors(err)
	return &gen.AccountPayload{Account: account, UserErrors: wrong}, err
}

// linkAccount answers a mutation that gives a member an account.
func (r *Resolver) linkAccount(ctx context.Context, email, opaque string) (*gen.AccountPayload, error) {
	member, err := parseMember(opaque)
	var account *identity.Account
	if err == nil {
		account, err = r.accounts.Link(ctx, email, member)
	}
	wrong, err := userErrors(err)
	return &gen.AccountPayload{Account: account, UserErrors: wrong}, err
}

// beginTOTP answers a mutation with a secret for an authenticator.
func (r *Resolver) beginTOTP(ctx context.Context, p identity.Proof) (*gen.BeginTotpPayload, error) {
	issuer := "Collegium" // as long as there is no content
	switch body, err := r.content(ctx).Organisation(ctx); {
	case err == nil:
		issuer = body.Name
	case !errors.Is(err, errs.NotFound):
		return nil, err
	}
	totp, err := r.accounts.BeginTOTP(ctx, viewer.From(ctx), p, issuer)
	if err != nil {
		wrong, err := userErrors(err)
		return &gen.BeginTotpPayload{UserErrors: wrong}, err
	}
	return &gen.BeginTotpPayload{Secret: &totp.Secret, URI: &totp.URI, UserErrors: []*union.UserError{}}, nil
}

// confirmTOTP answers a mutation with the recovery codes, and with the session that
// takes the place of the others.
func (r *Resolver) confirmTOTP(ctx context.Context, code string) (*gen.ConfirmTotpPayload, error) {
	session, codes, err := r.accounts.ConfirmTOTP(ctx, viewer.From(ctx).Account, code)
	signed, err := r.signIn(ctx, session, err)
	if err != nil {
		return nil, err
	}
	return &gen.ConfirmTotpPayload{RecoveryCodes: codes, Viewer: signed.Viewer, UserErrors: signed.UserErrors}, nil
}
