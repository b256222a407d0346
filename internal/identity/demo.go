package identity

import (
	"context"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"github.com/collegium/collegium/internal/errs"
	"github.com/collegium/collegium/internal/pg"
	"github.com/collegium/collegium/internal/viewer"
)

// DemoSignIn is a way to sign in to the demo body.
type DemoSignIn struct {
	// Who is what the account is to the body, as "section officer".
	Who   string
	Email string
}

// DemoPartner is the application of a partner of the demo body, with the secret of its key.
type DemoPartner struct{ Name, Secret string }

// CreateDemo makes an account for each role of the demo body, all with one password, one
// more for somebody whose application waits, and a partner with a key that may read
// everything but the register. It is for a database that nobody else can reach.
func (s *Store) CreateDemo(ctx context.Context, password string) (_ []DemoSignIn, _ *DemoPartner, err error) {
	defer errs.Wrap(&err, "identity.CreateDemo")
	type people struct{ Member, Officer *uuid.UUID }
	p, err := pg.One[people](ctx, s.DB, `
		WITH serving AS (
			SELECT t.member_id, c.slug, p.position
			FROM terms t
			JOIN posts p ON p.id = t.post_id
			JOIN committees c ON c.id = p.committee_id
			WHERE c.unit_id IS NOT NULL
				AND t.starts_on <= CURRENT_DATE
				AND (t.ends_on IS NULL OR t.ends_on >= CURRENT_DATE)
		)
		SELECT
			(
				SELECT m.id
				FROM members m
				WHERE m.listing_audience = 'PUBLIC'
					AND m.id NOT IN (SELECT member_id FROM serving)
					AND EXISTS (SELECT FROM section_memberships sm WHERE sm.member_id = m.id AND sm.ends_on IS NULL)
				ORDER BY m.key
				LIMIT 1
			) AS member,
			(SELECT member_id FROM serving ORDER BY slug, position, member_id LIMIT 1) AS officer`)
	if err != nil {
		return nil, nil, err
	}
	var made []DemoSignIn
	for _, d := range []struct {
		DemoSignIn
		member *uuid.UUID
		roles  []Role
	}{
		{DemoSignIn{"member", "member@example.org"}, p.Member, nil},
		{DemoSignIn{"section officer", "officer@example.org"}, p.Officer, nil},
		{DemoSignIn{"editor", "editor@example.org"}, nil, []Role{Editor}},
		{DemoSignIn{"membership officer", "membership@example.org"}, nil, []Role{MembershipOfficer}},
		{DemoSignIn{"administrator", "administrator@example.org"}, nil, []Role{Administrator}},
		{DemoSignIn{applicant, "applicant@example.org"}, nil, nil},
	} {
		if d.roles == nil && d.member == nil && d.Who != applicant {
			continue // a demo without members
		}
		account, err := s.Create(ctx, NewAccount{
			Email: d.Email, Password: password, Verified: true, MemberID: d.member, Roles: d.roles,
		})
		if err != nil {
			return nil, nil, err
		}
		if d.Who == applicant {
			if _, err := s.DB.Exec(ctx, `
				INSERT INTO membership_applications (id, account_id, display_name, grade)
				VALUES (@id, @account, 'Noor Ashworth', 'STUDENT')`,
				pgx.StrictNamedArgs{"id": newID(), "account": account.ID}); err != nil {
				return nil, nil, err
			}
		}
		made = append(made, d.DemoSignIn)
	}
	nobody := viewer.Viewer{}
	application, err := s.CreatePartnerApplication(ctx, nobody, NewPartnerApplication{Name: "Example Conferences", ContactEmail: "partner@example.org"})
	if err != nil {
		return nil, nil, err
	}
	_, secret, err := s.CreateKey(ctx, nobody, NewKey{ApplicationID: application.ID, Scopes: []Scope{ContentRead, DirectoryRead, StatisticsRead}})
	if err != nil {
		return nil, nil, err
	}
	return made, &DemoPartner{Name: application.Name, Secret: secret}, nil
}

// applicant is who waits to become a member.
const applicant = "applicant"
