package graph

import (
	"context"

	"github.com/collegium/collegium/graph/gen"
	"github.com/collegium/collegium/graph/union"
	"github.com/collegium/collegium/internal/audit"
	"github.com/collegium/collegium/internal/member"
	"github.com/collegium/collegium/internal/node"
	"github.com/collegium/collegium/internal/page"
	"github.com/collegium/collegium/internal/privacy"
	"github.com/collegium/collegium/internal/viewer"
	"github.com/google/uuid"
)

// Consents is the batch resolver for the consents field.
func (r *memberResolver) Consents(ctx context.Context, objs []*member.Member) ([][]*privacy.Consent, error) {
	return edge(objs, memberID, func(ids []uuid.UUID) (map[uuid.UUID][]*privacy.Consent, error) {
		return r.db.privacy.Consents(ctx, viewer.From(ctx), ids)
	})
}

// GiveConsent is the resolver for the giveConsent field.
func (r *mutationResolver) GiveConsent(ctx context.Context, input gen.GiveConsentInput) (*gen.ConsentPayload, error) {
	consent, err := r.db.privacy.Give(ctx, viewer.From(ctx), input.Purpose, input.Version)
	wrong, err := userErrors(err)
	return &gen.ConsentPayload{Consent: consent, UserErrors: wrong}, err
}

// WithdrawConsent is the resolver for the withdrawConsent field.
func (r *mutationResolver) WithdrawConsent(ctx context.Context, input gen.WithdrawConsentInput) (*gen.ConsentPayload, error) {
	consent, err := r.db.privacy.Withdraw(ctx, viewer.From(ctx), input.Purpose)
	wrong, err := userErrors(err)
	return &gen.ConsentPayload{Consent: consent, UserErrors: wrong}, err
}

// EraseMember is the resolver for the eraseMember field.
func (r *mutationResolver) EraseMember(ctx context.Context, input gen.EraseMemberInput) (*gen.ErasurePayload, error) {
	member, err := parseOptional("input.member", "Member", input.Member)
	if err != nil {
		return erasure(nil, err)
	}
	return erasure(r.db.privacy.Request(ctx, viewer.From(ctx), member))
}

// CancelErasure is the resolver for the cancelErasure field.
func (r *mutationResolver) CancelErasure(ctx context.Context, input gen.ErasureInput) (*gen.ErasurePayload, error) {
	id, err := node.ParseOf("input.id", "Erasure", input.ID)
	if err != nil {
		return erasure(nil, err)
	}
	return erasure(r.db.privacy.Cancel(ctx, viewer.From(ctx), id))
}

// ExecuteErasure is the resolver for the executeErasure field.
func (r *mutationResolver) ExecuteErasure(ctx context.Context, input gen.ErasureInput) (*gen.ErasurePayload, error) {
	id, err := node.ParseOf("input.id", "Erasure", input.ID)
	if err != nil {
		return erasure(nil, err)
	}
	return erasure(r.db.privacy.ExecuteNow(ctx, id))
}

// AuditTrail is the resolver for the auditTrail field.
func (r *queryResolver) AuditTrail(ctx context.Context, filter *audit.Filter, first *int, after *string) (*page.Connection[*audit.Entry], error) {
	return r.db.audit.Trail(ctx, filter, page.Args{First: first, After: after})
}

// ConsentTexts is the resolver for the consentTexts field.
func (r *queryResolver) ConsentTexts(ctx context.Context) ([]*privacy.ConsentText, error) {
	return r.db.privacy.Texts(ctx)
}

// ExportMyData is the resolver for the exportMyData field.
func (r *queryResolver) ExportMyData(ctx context.Context) (*privacy.Export, error) {
	return r.db.privacy.OwnData(ctx, viewer.From(ctx))
}

// ErasureCertificate is the resolver for the erasureCertificate field.
func (r *queryResolver) ErasureCertificate(ctx context.Context, id string) (*privacy.Certificate, error) {
	erasureID, err := node.ParseOf("id", "Erasure", id)
	if err != nil {
		return nil, err
	}
	return known(r.db.privacy.Certificate(ctx, erasureID))
}

// Consents is the batch resolver for the consents field.
func (r *viewerResolver) Consents(ctx context.Context, objs []*union.Viewer) ([][]*privacy.Consent, error) {
	return each(objs, func(v *union.Viewer) ([]*privacy.Consent, error) { return r.consentsOf(ctx, v) })
}

// Erasure is the batch resolver for the erasure field.
func (r *viewerResolver) Erasure(ctx context.Context, objs []*union.Viewer) ([]*privacy.Erasure, error) {
	return each(objs, func(v *union.Viewer) (*privacy.Erasure, error) { return r.erasureOf(ctx, v) })
}
