package membership

import (
	"context"
	"strings"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"github.com/collegium/collegium/internal/errs"
	"github.com/collegium/collegium/internal/pg"
	"github.com/collegium/collegium/internal/reads"
	"github.com/collegium/collegium/internal/viewer"
)

// RegulatoryBody is who registers practitioners.
type RegulatoryBody string

// Registration is a member's with a regulator.
type Registration struct {
	MemberID   uuid.UUID
	Body       RegulatoryBody
	Number     string
	VerifiedOn *time.Time
	// VerifiedBy is the address of who looked it up; only who keeps the register is told.
	VerifiedBy *string
	ValidUntil *time.Time
	// Valid is whether it counts today.
	Valid bool
}

// RegistrationsOf returns the registration of each of the members who has one, of
// those whose record the viewer may read.
func (s *Store) RegistrationsOf(ctx context.Context, v viewer.Viewer, members []uuid.UUID) (_ map[uuid.UUID]*Registration, err error) {
	defer errs.Wrap(&err, "membership.RegistrationsOf(%d)", len(members))
	if readsNobody(v) {
		return nil, nil
	}
	args := reading(v, map[string]any{"members": members})
	args["keeps"] = v.May(viewer.ManageRegister)
	found, err := pg.All[Registration](ctx, s.DB, `
		SELECT
			rg.member_id,
			rg.body,
			rg.number,
			rg.verified_on,
			CASE WHEN @keeps THEN (SELECT a.email FROM accounts a WHERE a.id = rg.verified_by) END AS verified_by,
			rg.valid_until,
			COALESCE(rg.verified_on <= CURRENT_DATE AND rg.valid_until >= CURRENT_DATE, false) AS valid
		FROM registrations rg
		JOIN members_registered m ON m.id = rg.member_id
		WHERE rg.member_id = ANY(@members) AND rg.body = 'HCPC' AND `+mayRead, pgx.StrictNamedArgs(args))
	if err != nil {
		return nil, err
	}
	reads.Note(ctx, v, found, func(r *Registration) *uuid.UUID { return &r.MemberID }, reads.Registered)
	return pg.ByKey(found, func(r *Registration) uuid.UUID { return r.MemberID }), nil
}

// StatedRegistration is a number that a member states. Member is nil for the viewer's
// own.
type StatedRegistration struct {
	Member *uuid.UUID
	Number string
}

// StateRegistration keeps the number of a member with the HCPC. It counts once staff
// has verified it; the same number again stays verified.
func (s *Store) StateRegistration(ctx context.Context, v viewer.Viewer, in StatedRegistration) (_ uuid.UUID, err error) {
	defer errs.Wrap(&err, "membership.StateRegistration")
	member, err := whom(v, in.Member)
	if err != nil {
		return member, err
	}
	number := strings.ToUpper(strings.Join(strings.Fields(in.Number), ""))
	stated, err := s.DB.Exec(ctx, `
		INSERT INTO registrations AS rg (member_id, body, number)
		SELECT m.id, 'HCPC', @number FROM members m WHERE m.id = @member
		ON CONFLICT (member_id, body) DO UPDATE SET number = excluded.number, stated_at = now()`,
		pgx.StrictNamedArgs{"member": member, "number": number})
	if pg.Constraint(err) == "registrations_number_form" {
		return member, errs.Invalidf("input.number", "a number of the HCPC is OT and 5 or 6 digits, as OT12345")
	}
	if err == nil && stated.RowsAffected() == 0 {
		return member, errs.Invalidf("input.member", noSuchMember)
	}
	return member, err
}

// Verification says that a number was found in the register of the regulator.
type Verification struct {
	Member uuid.UUID
	// Number is the one that was looked up: the member may have stated another since.
	Number     string
	ValidUntil time.Time
}

// VerifyRegistration notes that the viewer has found the number in the regulator's
// register; with a day that is past, that the registration has ended. errs.Conflict if the
// member states another number now.
func (s *Store) VerifyRegistration(ctx context.Context, v viewer.Viewer, in Verification) (_ uuid.UUID, err error) {
	defer errs.Wrap(&err, "membership.VerifyRegistration(%s)", in.Member)
	if err := s.sensible(ctx, "input.validUntil", in.ValidUntil); err != nil {
		return in.Member, err
	}
	verified, err := s.DB.Exec(ctx, `
		UPDATE registrations
		SET verified_on = CURRENT_DATE, verified_by = @account, valid_until = @until
		WHERE member_id = @member AND body = 'HCPC' AND number = @number`,
		pgx.StrictNamedArgs{"member": in.Member, "number": in.Number, "until": in.ValidUntil, "account": v.Account})
	switch pg.Constraint(err) {
	case "registrations_verified_once":
		return in.Member, errs.Invalidf("input.number", "the number is verified for another member")
	case "registrations_valid_until_near_verified":
		return in.Member, errs.Invalidf("input.validUntil", "pass a day within the last five years, or a later one")
	}
	if err == nil && verified.RowsAffected() == 0 {
		return in.Member, errs.Sayf(errs.Conflict, "input.number", "that is not the number that the member states now; read the record again and look up the one it has")
	}
	return in.Member, err
}

// sensible says of a day of a registration or insurance that it can be one: none lasts
// for decades, so another day is a slip.
func (s *Store) sensible(ctx context.Context, path string, day time.Time) error {
	is, err := pg.Scalar[bool](ctx, s.DB, `SELECT @day::date BETWEEN '1900-01-01' AND CURRENT_DATE + interval '10 years'`,
		pgx.StrictNamedArgs{"day": day})
	if err == nil && !is {
		return errs.Invalidf(path, "pass a day from 1900-01-01 to ten years from today")
	}
	return err
}
