package graph

import (
	"context"
	"errors"

	"github.com/google/uuid"

	"github.com/collegium/collegium/graph/gen"
	"github.com/collegium/collegium/graph/union"
	"github.com/collegium/collegium/internal/errs"
	"github.com/collegium/collegium/internal/member"
	"github.com/collegium/collegium/internal/viewer"
)

// profile answers a mutation of a profile.
func profile(m *member.Member, err error) (*gen.ProfilePayload, error) {
	if errors.Is(err, errs.NotFound) {
		err = errs.Invalidf("input.member", "there is no member with this ID")
	}
	if err != nil {
		wrong, err := userErrors(err)
		return &gen.ProfilePayload{UserErrors: wrong}, err
	}
	return &gen.ProfilePayload{Member: m, UserErrors: []*union.UserError{}}, nil
}

// lockAudience answers lockFieldAudience.
func (r *Resolver) lockAudience(ctx context.Context, input gen.LockFieldAudienceInput) (*gen.ProfilePayload, error) {
	id, err := parseMember(input.Member)
	if err != nil {
		return profile(nil, err)
	}
	v := viewer.From(ctx)
	p, err := profile(r.db.members.Lock(ctx, v, id, input.Field, input.Audience, input.Reason))
	if err != nil || len(p.UserErrors) > 0 {
		return p, err
	}
	records, err := r.db.register.Records(ctx, v, []uuid.UUID{id})
	p.Record = records[id]
	return p, err
}

// recordOf is the key of the record of who asks.
func recordOf(v *union.Viewer) *uuid.UUID {
	if v.Account == nil {
		return nil
	}
	return v.Account.MemberID
}
