package graph

import (
	"errors"

	"github.com/google/uuid"

	"github.com/collegium/collegium/graph/gen"
	"github.com/collegium/collegium/graph/union"
	"github.com/collegium/collegium/internal/errs"
	"github.com/collegium/collegium/internal/member"
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

// recordOf is the key of the record of who asks.
func recordOf(v *union.Viewer) *uuid.UUID {
	if v.Account == nil {
		return nil
	}
	return v.Account.MemberID
}
