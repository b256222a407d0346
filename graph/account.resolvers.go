package graph

import (
	"context"

	"github.com/collegium/collegium/graph/gen"
	"github.com/collegium/collegium/graph/union"
	"github.com/collegium/collegium/internal/identity"
	"github.com/collegium/collegium/internal/unit"
	"github.com/collegium/collegium/internal/viewer"
	"github.com/google/uuid"
)

// Passkeys is the batch resolver for the passkeys field.
func (r *accountResolver) Passkeys(ctx context.Context, objs []*identity.Account) ([][]*identity.Passkey, error) {
	return edge(objs, func(a *identity.Account) *uuid.UUID { return &a.ID }, func(ids []uuid.UUID) (map[uuid.UUID][]*identity.Passkey, error) {
		return r.accounts.PasskeysOf(ctx, viewer.From(ctx), ids)
	})
}

// Join is the resolver for the join field.
func (r *mutationResolver) Join(ctx context.Context, input gen.JoinInput) (*gen.JoinPayload, error) {
	wrong, err := userErrors(r.accounts.Join(ctx, identity.Application{
		Email: input.Email, DisplayName: input.DisplayName, Grade: string(input.Grade),
	}, client(ctx)))
	return &gen.JoinPayload{Mailed: len(wrong) == 0, UserErrors: wrong}, err
}

// SetPassword is the resolver for the setPassword field.
func (r *mutationResolver) SetPassword(ctx context.Context, input gen.SetPasswordInput) (*gen.SignInPayload, error) {
	session, err := r.accounts.SetPassword(ctx, input.Token, input.Password, input.Code)
	return r.signIn(ctx, session, err)
}

// SignIn is the resolver for the signIn field.
func (r *mutationResolver) SignIn(ctx context.Context, input gen.SignInInput) (*gen.SignInPayload, error) {
	session, err := r.accounts.SignIn(ctx, input.Email, input.Password, input.Code, client(ctx))
	return r.signIn(ctx, session, err)
}

// SignOut is the resolver for the signOut field.
func (r *mutationResolver) SignOut(ctx context.Context) (*gen.SignOutPayload, error) {
	return signOut(ctx, r.accounts.SignOut(ctx, viewer.From(ctx).Session))
}

// SignOutEverywhere is the resolver for the signOutEverywhere field.
func (r *mutationResolver) SignOutEverywhere(ctx context.Context) (*gen.SignOutPayload, error) {
	return signOut(ctx, r.accounts.SignOutEverywhere(ctx, viewer.From(ctx).Account))
}

// RequestPasswordReset is the resolver for the requestPasswordReset field.
func (r *mutationResolver) RequestPasswordReset(ctx context.Context, input gen.RequestPasswordResetInput) (*gen.RequestPasswordResetPayload, error) {
	wrong, err := userErrors(r.accounts.RequestReset(ctx, input.Email, client(ctx)))
	return &gen.RequestPasswordResetPayload{Mailed: len(wrong) == 0, UserErrors: wrong}, err
}

// ChangePassword is the resolver for the changePassword field.
func (r *mutationResolver) ChangePassword(ctx context.Context, input gen.ChangePasswordInput) (*gen.SignInPayload, error) {
	session, err := r.accounts.ChangePassword(ctx, viewer.From(ctx).Account, input.CurrentPassword, input.NewPassword)
	return r.signIn(ctx, session, err)
}

// ChangeEmail is the resolver for the changeEmail field.
func (r *mutationResolver) ChangeEmail(ctx context.Context, input gen.ChangeEmailInput) (*gen.ChangeEmailPayload, error) {
	wrong, err := userErrors(r.accounts.ChangeEmail(ctx, viewer.From(ctx),
		identity.Proof{Password: input.CurrentPassword, Code: input.Code}, input.Email, client(ctx)))
	return &gen.ChangeEmailPayload{Mailed: len(wrong) == 0, UserErrors: wrong}, err
}

// ConfirmEmail is the resolver for the confirmEmail field.
func (r *mutationResolver) ConfirmEmail(ctx context.Context, input gen.ConfirmEmailInput) (*gen.ConfirmEmailPayload, error) {
	email, err := r.accounts.ConfirmEmail(ctx, input.Token)
	if err != nil {
		wrong, err := userErrors(err)
		return &gen.ConfirmEmailPayload{UserErrors: wrong}, err
	}
	return &gen.ConfirmEmailPayload{Email: &email, UserErrors: []*union.UserError{}}, nil
}

// Viewer is the resolver for the viewer field.
func (r *queryResolver) Viewer(ctx context.Context) (*union.Viewer, error) {
	return you(ctx), nil
}

// Unit is the batch resolver for the unit field.
func (r *unitStandingResolver) Unit(ctx context.Context, objs []*union.UnitStanding) ([]unit.Unit, error) {
	return r.unitsOfStandings(ctx, objs)
}

// Account returns gen.AccountResolver implementation.
func (r *Resolver) Account() gen.AccountResolver { return &accountResolver{r} }

// Mutation returns gen.MutationResolver implementation.
func (r *Resolver) Mutation() gen.MutationResolver { return &mutationResolver{r} }

// UnitStanding returns gen.UnitStandingResolver implementation.
func (r *Resolver) UnitStanding() gen.UnitStandingResolver { return &unitStandingResolver{r} }

// Viewer returns gen.ViewerResolver implementation.
func (r *Resolver) Viewer() gen.ViewerResolver { return &viewerResolver{r} }

type (
	accountResolver      struct{ *Resolver }
	mutationResolver     struct{ *Resolver }
	unitStandingResolver struct{ *Resolver }
	viewerResolver       struct{ *Resolver }
)
