package identity

import (
	"context"

	"github.com/google/uuid"

	"github.com/collegium/collegium/internal/errs"
	"github.com/collegium/collegium/internal/pg"
)

// DemoSignIn is a way to sign in to the demo body.
type DemoSignIn struct {
	// Who is what the account is to the body, as "section officer".
	Who   string
	Email string
}

// CreateDemo makes an account for each role of the demo body, all with one password,
// and returns them. It is for a database that nobody else can reach.
func (s *Store) CreateDemo(ctx context.Context, password string) (_ []DemoSignIn, err error) {
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
		return nil, err
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
	} {
		if d.roles == nil && d.member == nil {
			continue // a demo without members
		}
		_, err := s.Create(ctx, NewAccount{
			Email: d.Email, Password: password, Verified: true, MemberID: d.member, Roles: d.roles,
		})
		if err != nil {
			return nil, err
		}
		made = append(made, d.DemoSignIn)
	}
	return made, nil
}
