package graph

import (
	"github.com/google/uuid"

	"github.com/collegium/collegium/graph/gen"
	"github.com/collegium/collegium/internal/therapist"
)

func foundID(f *therapist.Found) *uuid.UUID { return &f.MemberID }

func setListing(l *therapist.Listing, err error) (*gen.SetTherapistListingPayload, error) {
	wrong, err := userErrors(err)
	return &gen.SetTherapistListingPayload{Listing: l, UserErrors: wrong}, err
}
