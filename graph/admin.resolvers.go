package graph

import (
	"context"

	"github.com/collegium/collegium/graph/gen"
	"github.com/collegium/collegium/internal/identity"
	"github.com/collegium/collegium/internal/page"
	"github.com/collegium/collegium/internal/viewer"
	"github.com/google/uuid"
)

// TotalCount is the batch resolver for the totalCount field.
func (r *accountConnectionResolver) TotalCount(ctx context.Context, objs []*identity.Accounts) ([]int, error) {
	return r.accounts.AccountTotals(ctx, viewer.From(ctx), objs)
}

// GrantRole is the resolver for the grantRole field.
func (r *mutationResolver) GrantRole(ctx context.Context, input gen.RoleInput) (*gen.AccountPayload, error) {
	return onAccount(input.Account, func(id uuid.UUID) (*identity.Account, error) { return r.accounts.GrantRole(ctx, id, input.Role) })
}

// RevokeRole is the resolver for the revokeRole field.
func (r *mutationResolver) RevokeRole(ctx context.Context, input gen.RoleInput) (*gen.AccountPayload, error) {
	return onAccount(input.Account, func(id uuid.UUID) (*identity.Account, error) { return r.accounts.RevokeRole(ctx, id, input.Role) })
}

// SuspendAccount is the resolver for the suspendAccount field.
func (r *mutationResolver) SuspendAccount(ctx context.Context, input gen.SuspendAccountInput) (*gen.AccountPayload, error) {
	return onAccount(input.Account, func(id uuid.UUID) (*identity.Account, error) { return r.accounts.Suspend(ctx, id, true) })
}

// ReinstateAccount is the resolver for the reinstateAccount field.
func (r *mutationResolver) ReinstateAccount(ctx context.Context, input gen.SuspendAccountInput) (*gen.AccountPayload, error) {
	return onAccount(input.Account, func(id uuid.UUID) (*identity.Account, error) { return r.accounts.Suspend(ctx, id, false) })
}

// LinkAccount is the resolver for the linkAccount field.
func (r *mutationResolver) LinkAccount(ctx context.Context, input gen.LinkAccountInput) (*gen.AccountPayload, error) {
	return r.linkAccount(ctx, input.Email, input.Member)
}

// ChangeAccountEmail is the resolver for the changeAccountEmail field.
func (r *mutationResolver) ChangeAccountEmail(ctx context.Context, input gen.ChangeAccountEmailInput) (*gen.ChangeEmailPayload, error) {
	p, err := onAccount(input.Account, func(id uuid.UUID) (*identity.Account, error) {
		return nil, r.accounts.ChangeEmailOf(ctx, viewer.From(ctx), id, input.Email, client(ctx))
	})
	return &gen.ChangeEmailPayload{Mailed: len(p.UserErrors) == 0, UserErrors: p.UserErrors}, err
}

// BeginTotp is the resolver for the beginTotp field.
func (r *mutationResolver) BeginTotp(ctx context.Context, input gen.PasswordInput) (*gen.BeginTotpPayload, error) {
	return r.beginTOTP(ctx, identity.Proof{Password: input.CurrentPassword, Code: input.Code})
}

// ConfirmTotp is the resolver for the confirmTotp field.
func (r *mutationResolver) ConfirmTotp(ctx context.Context, input gen.ConfirmTotpInput) (*gen.ConfirmTotpPayload, error) {
	return r.confirmTOTP(ctx, input.Code)
}

// DisableTotp is the resolver for the disableTotp field.
func (r *mutationResolver) DisableTotp(ctx context.Context, input gen.PasswordInput) (*gen.SignInPayload, error) {
	session, err := r.accounts.DisableTOTP(ctx, viewer.From(ctx), identity.Proof{Password: input.CurrentPassword, Code: input.Code})
	return r.signIn(ctx, session, err)
}

// Accounts is the resolver for the accounts field.
func (r *queryResolver) Accounts(ctx context.Context, search string, first *int, after *string, last *int, before *string) (*identity.Accounts, error) {
	return r.accounts.Accounts(ctx, viewer.From(ctx), search, page.Args{First: first, After: after, Last: last, Before: before})
}

// AccountConnection returns gen.AccountConnectionResolver implementation.
func (r *Resolver) AccountConnection() gen.AccountConnectionResolver {
	return &accountConnectionResolver{r}
}

type accountConnectionResolver struct{ *Resolver }
