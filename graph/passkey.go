package graph

import (
	"context"

	"github.com/collegium/collegium/graph/gen"
	"github.com/collegium/collegium/graph/union"
	"github.com/collegium/collegium/internal/identity"
	"github.com/collegium/collegium/internal/node"
	"github.com/collegium/collegium/internal/viewer"
)

// askAuthenticator answers a mutation with what an authenticator is to be asked.
func askAuthenticator(asked *identity.Asked, err error) (*gen.PasskeyOptionsPayload, error) {
	if err != nil {
		wrong, err := userErrors(err)
		return &gen.PasskeyOptionsPayload{UserErrors: wrong}, err
	}
	return &gen.PasskeyOptionsPayload{Options: &asked.Options, Token: &asked.Token, UserErrors: []*union.UserError{}}, nil
}

// removePasskey removes a passkey of who asks.
func (r *Resolver) removePasskey(ctx context.Context, opaque string, p identity.Proof) (*gen.SignInPayload, error) {
	id, err := node.ParseOf("input.id", "Passkey", opaque)
	if err != nil {
		return r.signIn(ctx, nil, err)
	}
	session, err := r.accounts.RemovePasskey(ctx, viewer.From(ctx), p, id)
	return r.signIn(ctx, session, err)
}
