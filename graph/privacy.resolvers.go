package graph

import (
	"context"

	"github.com/collegium/collegium/graph/gen"
	"github.com/collegium/collegium/graph/union"
	"github.com/collegium/collegium/internal/audit"
	"github.com/collegium/collegium/internal/identity"
	"github.com/collegium/collegium/internal/member"
	"github.com/collegium/collegium/internal/membership"
	"github.com/collegium/collegium/internal/node"
	"github.com/collegium/collegium/internal/page"
	"github.com/collegium/collegium/internal/privacy"
	"github.com/collegium/collegium/internal/viewer"
	"github.com/google/uuid"
)

// Record is the batch resolver for the record field.
func (r *erasureResolver) Record(ctx context.Context, objs []*privacy.Erasure) ([]*membership.Record, error) {
	return edge(objs, func(e *privacy.Erasure) *uuid.UUID { return e.MemberID }, func(ids []uuid.UUID) (map[uuid.UUID]*membership.Record, error) {
		return r.db.register.Records(ctx, viewer.From(ctx), ids)
	})
}

// Account is the batch resolver for the account field.
func (r *erasureResolver) Account(ctx context.Context, objs []*privacy.Erasure) ([]*identity.Account, error) {
	return edge(objs, func(e *privacy.Erasure) *uuid.UUID { return e.AccountID }, func(ids []uuid.UUID) (map[uuid.UUID]*identity.Account, error) {
		return r.accounts.AccountsByID(ctx, viewer.From(ctx), ids)
	})
}

// TotalCount is the batch resolver for the totalCount field.
func (r *erasureConnectionResolver) TotalCount(ctx context.Context, objs []*page.Connection[*privacy.Erasure]) ([]int, error) {
	totals := make([]int, len(objs)) // of one, since only the root returns them
	var err error
	for i := range objs {
		if totals[i], err = r.db.privacy.WaitingTotal(ctx, viewer.From(ctx)); err != nil {
			return nil, err
		}
	}
	return totals, nil
}

// Consents is the batch resolver for the consents field.
func (r *memberResolver) Consents(ctx context.Context, objs []*member.Member) ([][]*privacy.Consent, error) {
	return edge(objs, registeredID, func(ids []uuid.UUID) (map[uuid.UUID][]*privacy.Consent, error) {
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
	member, err := parseOptionalMember(input.Member)
	if err != nil {
		return erasure(nil, err)
	}
	if err := r.proveOwn(ctx, member, identity.Proof{Password: input.CurrentPassword, Code: input.Code}); err != nil {
		return erasure(nil, err)
	}
	input.CurrentPassword, input.Code = "", "" // no part of what is asked for
	return erasure(r.madeErasure(ctx, writing(ctx, "eraseMember", input.IdempotencyKey, input), func(s *privacy.Store, v viewer.Viewer) (*privacy.Erasure, error) {
		return s.Request(ctx, v, member)
	}))
}

// CancelErasure is the resolver for the cancelErasure field.
func (r *mutationResolver) CancelErasure(ctx context.Context, input gen.ErasureInput) (*gen.ErasurePayload, error) {
	id, err := node.ParseOf("input.id", "Erasure", input.ID)
	if err != nil {
		return erasure(nil, err)
	}
	return erasure(r.madeErasure(ctx, writing(ctx, "cancelErasure", input.IdempotencyKey, input), func(s *privacy.Store, v viewer.Viewer) (*privacy.Erasure, error) {
		return s.Cancel(ctx, v, id)
	}))
}

// ExecuteErasure is the resolver for the executeErasure field.
func (r *mutationResolver) ExecuteErasure(ctx context.Context, input gen.ErasureInput) (*gen.ErasurePayload, error) {
	id, err := node.ParseOf("input.id", "Erasure", input.ID)
	if err != nil {
		return erasure(nil, err)
	}
	return erasure(r.madeErasure(ctx, writing(ctx, "executeErasure", input.IdempotencyKey, input), func(s *privacy.Store, _ viewer.Viewer) (*privacy.Erasure, error) {
		return s.ExecuteNow(ctx, id)
	}))
}

// PublishConsentText is the resolver for the publishConsentText field.
func (r *mutationResolver) PublishConsentText(ctx context.Context, input privacy.Words) (*gen.PublishConsentTextPayload, error) {
	text, err := r.db.privacy.Publish(ctx, input)
	wrong, err := userErrors(err)
	return &gen.PublishConsentTextPayload{ConsentText: text, UserErrors: wrong}, err
}

// SetErasureWait is the resolver for the setErasureWait field.
func (r *mutationResolver) SetErasureWait(ctx context.Context, input gen.SetErasureWaitInput) (*gen.SetErasureWaitPayload, error) {
	rule, err := r.db.privacy.SetErasureWait(ctx, input.Days)
	wrong, err := userErrors(err)
	return &gen.SetErasureWaitPayload{RetentionRule: rule, UserErrors: wrong}, err
}

// AuditTrail is the resolver for the auditTrail field.
func (r *queryResolver) AuditTrail(ctx context.Context, filter *audit.Filter, first *int, after *string) (*page.Connection[*audit.Entry], error) {
	return r.db.audit.Trail(ctx, filter, page.Args{First: first, After: after})
}

// ConsentTexts is the resolver for the consentTexts field.
func (r *queryResolver) ConsentTexts(ctx context.Context) ([]*privacy.ConsentText, error) {
	return r.db.privacy.Texts(ctx)
}

// Erasures is the resolver for the erasures field.
func (r *queryResolver) Erasures(ctx context.Context, first *int, after *string, last *int, before *string) (*page.Connection[*privacy.Erasure], error) {
	return r.db.privacy.Waiting(ctx, viewer.From(ctx), page.Args{First: first, After: after, Last: last, Before: before})
}

// RetentionRules is the resolver for the retentionRules field.
func (r *queryResolver) RetentionRules(ctx context.Context) ([]*privacy.RetentionRule, error) {
	return r.db.privacy.RetentionRules(ctx)
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

// Erasure returns gen.ErasureResolver implementation.
func (r *Resolver) Erasure() gen.ErasureResolver { return &erasureResolver{r} }

// ErasureConnection returns gen.ErasureConnectionResolver implementation.
func (r *Resolver) ErasureConnection() gen.ErasureConnectionResolver {
	return &erasureConnectionResolver{r}
}

type (
	erasureResolver           struct{ *Resolver }
	erasureConnectionResolver struct{ *Resolver }
)
