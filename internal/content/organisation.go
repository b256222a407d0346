package content

import (
	"context"

	"github.com/collegium/collegium/internal/errs"
	"github.com/collegium/collegium/internal/pg"
)

// Organisation is the professional body itself.
type Organisation struct {
	Name             string
	ShortName        string
	Contact          OrganisationContact      `db:"-"`
	Registration     OrganisationRegistration `db:"-"`
	JoinCallToAction *string
	CopyrightYear    *int
}

// OrganisationContact is how to reach the body.
type OrganisationContact struct {
	AddressLines []string
	Postcode     *string
	Telephone    *string
	Email        *string
}

// OrganisationRegistration is under which numbers the body is registered.
type OrganisationRegistration struct {
	CharityNumber                  *string
	ScottishCharityNumber          *string
	ScottishCharityNumberAsPrinted *string
	CompanyNumber                  *string
	VATNumber                      *string
}

// Organisation returns the facts about the body; errs.NotFound if no content
// has been loaded.
func (s *Store) Organisation(ctx context.Context) (_ *Organisation, err error) {
	defer errs.Wrap(&err, "content.Organisation")
	type row struct {
		Organisation
		OrganisationContact
		OrganisationRegistration
	}
	r, err := pg.One[row](ctx, s.DB, `
		SELECT
			name,
			short_name,
			join_call_to_action,
			copyright_year,
			address_lines,
			postcode,
			telephone,
			email,
			charity_number,
			scottish_charity_number,
			scottish_charity_printed AS scottish_charity_number_as_printed,
			company_number,
			vat_number
		FROM organisation`)
	if err != nil {
		return nil, err
	}
	o := r.Organisation
	o.Contact = r.OrganisationContact
	o.Registration = r.OrganisationRegistration
	return &o, nil
}
