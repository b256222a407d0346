package graph

import (
	"context"

	"github.com/collegium/collegium/graph/gen"
	"github.com/collegium/collegium/internal/identity"
	"github.com/collegium/collegium/internal/viewer"
)

// BeginPasskey is the resolver for the beginPasskey field.
func (r *mutationResolver) BeginPasskey(ctx context.Context, input gen.PasswordInput) (*gen.PasskeyOptionsPayload, error) {
	return askAuthenticator(r.accounts.BeginPasskey(ctx, viewer.From(ctx), identity.Proof{Password: input.CurrentPassword, Code: input.Code}))
}

// AddPasskey is the resolver for the addPasskey field.
func (r *mutationResolver) AddPasskey(ctx context.Context, input gen.AddPasskeyInput) (*gen.SignInPayload, error) {
	session, err := r.accounts.AddPasskey(ctx, viewer.From(ctx).Account, input.Token, input.Credential, input.Name)
	return r.signIn(ctx, session, err)
}

// RemovePasskey is the resolver for the removePasskey field.
func (r *mutationResolver) RemovePasskey(ctx context.Context, input gen.RemovePasskeyInput) (*gen.SignInPayload, error) {
	return r.removePasskey(ctx, input.ID, identity.Proof{Password: input.CurrentPassword, Code: input.Code})
}

// BeginPasskeySignIn is the resolver for the beginPasskeySignIn field.
func (r *mutationResolver) BeginPasskeySignIn(ctx context.Context) (*gen.PasskeyOptionsPayload, error) {
	return askAuthenticator(r.accounts.BeginPasskeySignIn(ctx))
}

// SignInByPasskey is the resolver for the signInByPasskey field.
func (r *mutationResolver) SignInByPasskey(ctx context.Context, input gen.PasskeyAnswerInput) (*gen.SignInPayload, error) {
	session, err := r.accounts.SignInByPasskey(ctx, input.Token, input.Credential)
	return r.signIn(ctx, session, err)
}
