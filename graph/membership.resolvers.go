package graph

import (
	"context"
	"time"

	"github.com/collegium/collegium/graph/gen"
	"github.com/collegium/collegium/internal/member"
	"github.com/collegium/collegium/internal/membership"
	"github.com/collegium/collegium/internal/viewer"
	"github.com/google/uuid"
)

// Membership is the batch resolver for the membership field.
func (r *memberResolver) Membership(ctx context.Context, objs []*member.Member) ([]*membership.Membership, error) {
	return edge(objs, memberID, func(ids []uuid.UUID) (map[uuid.UUID]*membership.Membership, error) {
		return r.db.register.Of(ctx, viewer.From(ctx), ids)
	})
}

// StatusAsOf is the batch resolver for the statusAsOf field.
func (r *membershipResolver) StatusAsOf(ctx context.Context, objs []*membership.Membership, on time.Time) ([]*membership.Status, error) {
	return edge(objs, membershipID, func(ids []uuid.UUID) (map[uuid.UUID]*membership.Status, error) {
		return r.db.register.StatusesAsOf(ctx, viewer.From(ctx), ids, on)
	})
}

// History is the batch resolver for the history field.
func (r *membershipResolver) History(ctx context.Context, objs []*membership.Membership) ([][]*membership.Event, error) {
	return edge(objs, membershipID, func(ids []uuid.UUID) (map[uuid.UUID][]*membership.Event, error) {
		return r.db.register.HistoryOf(ctx, viewer.From(ctx), ids)
	})
}

// Membership returns gen.MembershipResolver implementation.
func (r *Resolver) Membership() gen.MembershipResolver { return &membershipResolver{r} }

type membershipResolver struct{ *Resolver }
