package membership

import (
	"context"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"github.com/collegium/collegium/internal/errs"
	"github.com/collegium/collegium/internal/pg"
	"github.com/collegium/collegium/internal/reads"
	"github.com/collegium/collegium/internal/viewer"
)

// Insurance is the indemnity insurance of a member, both days included.
type Insurance struct {
	MemberID     uuid.UUID
	Insurer      string
	PolicyNumber string
	ValidFrom    time.Time
	ValidUntil   time.Time
	// Valid is whether it covers today.
	Valid bool
}

const insuranceColumns = `
			i.member_id,
			i.insurer,
			i.policy_number,
			i.valid_from,
			i.valid_until,
			CURRENT_DATE BETWEEN i.valid_from AND i.valid_until AS valid`

// InsurancesOf returns the insurance of each of the members that covers today, or
// else the last one, of those whose record the viewer may read.
func (s *Store) InsurancesOf(ctx context.Context, v viewer.Viewer, members []uuid.UUID) (_ map[uuid.UUID]*Insurance, err error) {
	defer errs.Wrap(&err, "membership.InsurancesOf(%d)", len(members))
	if readsNobody(v) {
		return nil, nil
	}
	found, err := pg.All[Insurance](ctx, s.DB, `
		SELECT DISTINCT ON (i.member_id)`+insuranceColumns+`
		FROM indemnity_insurances i
		JOIN members_registered m ON m.id = i.member_id
		WHERE i.member_id = ANY(@members) AND `+mayRead+`
		ORDER BY i.member_id, CURRENT_DATE BETWEEN i.valid_from AND i.valid_until DESC, i.valid_from DESC`,
		pgx.StrictNamedArgs(reading(v, map[string]any{"members": members})))
	if err != nil {
		return nil, err
	}
	reads.Note(ctx, v, found, func(i *Insurance) *uuid.UUID { return &i.MemberID }, reads.Insured)
	return pg.ByKey(found, func(i *Insurance) uuid.UUID { return i.MemberID }), nil
}

// InsurancesNotEndedOf returns the insurances of each of the members that have not ended, the
// earliest first, of those whose record the viewer may read.
func (s *Store) InsurancesNotEndedOf(ctx context.Context, v viewer.Viewer, members []uuid.UUID) (_ map[uuid.UUID][]*Insurance, err error) {
	defer errs.Wrap(&err, "membership.InsurancesNotEndedOf(%d)", len(members))
	if readsNobody(v) {
		return nil, nil
	}
	found, err := pg.All[Insurance](ctx, s.DB, `
		SELECT`+insuranceColumns+`
		FROM indemnity_insurances i
		JOIN members_registered m ON m.id = i.member_id
		WHERE i.member_id = ANY(@members) AND i.valid_until >= CURRENT_DATE AND `+mayRead+`
		ORDER BY i.member_id, i.valid_from`,
		pgx.StrictNamedArgs(reading(v, map[string]any{"members": members})))
	if err != nil {
		return nil, err
	}
	reads.Note(ctx, v, found, func(i *Insurance) *uuid.UUID { return &i.MemberID }, reads.Insured)
	return pg.GroupBy(found, func(i *Insurance) uuid.UUID { return i.MemberID }), nil
}

// StatedInsurance is an insurance that a member states. Member is nil for the viewer's
// own.
type StatedInsurance struct {
	Member       *uuid.UUID
	Insurer      string
	PolicyNumber string
	ValidFrom    time.Time
	ValidUntil   time.Time
}

// StateInsurance keeps an insurance beside earlier ones, in the place of one that
// begins on the same day.
func (s *Store) StateInsurance(ctx context.Context, v viewer.Viewer, in StatedInsurance) (_ uuid.UUID, err error) {
	defer errs.Wrap(&err, "membership.StateInsurance")
	member, err := whom(v, in.Member)
	if err != nil {
		return member, err
	}
	if in.Insurer, err = text("input.insurer", in.Insurer, 200); err != nil {
		return member, err
	}
	if in.PolicyNumber, err = text("input.policyNumber", in.PolicyNumber, 100); err != nil {
		return member, err
	}
	if err := s.sensible(ctx, "input.validFrom", in.ValidFrom); err != nil {
		return member, err
	}
	if err := s.sensible(ctx, "input.validUntil", in.ValidUntil); err != nil {
		return member, err
	}
	stated, err := s.DB.Exec(ctx, `
		INSERT INTO indemnity_insurances (member_id, insurer, policy_number, valid_from, valid_until)
		SELECT m.id, @insurer, @policy, @from, @until FROM members m WHERE m.id = @member
		ON CONFLICT (member_id, valid_from) DO UPDATE SET
			insurer = excluded.insurer,
			policy_number = excluded.policy_number,
			valid_until = excluded.valid_until,
			stated_at = now()`,
		pgx.StrictNamedArgs{
			"member": member, "insurer": in.Insurer, "policy": in.PolicyNumber, "from": in.ValidFrom, "until": in.ValidUntil,
		})
	if pg.Constraint(err) == "indemnity_insurances_until_after_from" {
		return member, errs.Invalidf("input.validUntil", "pass a day after the first")
	}
	if err == nil && stated.RowsAffected() == 0 {
		return member, errs.Invalidf("input.member", noSuchMember)
	}
	return member, err
}

// InsuranceWithdrawal is which insurance was a mistake: the one that begins on a day. Member
// is nil for the viewer's own.
type InsuranceWithdrawal struct {
	Member    *uuid.UUID
	ValidFrom time.Time
}

// WithdrawInsurance removes an insurance that was a mistake. A member may before it begins,
// staff at any time.
func (s *Store) WithdrawInsurance(ctx context.Context, v viewer.Viewer, in InsuranceWithdrawal) (_ uuid.UUID, err error) {
	defer errs.Wrap(&err, "membership.WithdrawInsurance")
	member, err := whom(v, in.Member)
	if err != nil {
		return member, err
	}
	staff := v.May(viewer.ManageRegister)
	removed, err := s.DB.Exec(ctx, `
		DELETE FROM indemnity_insurances
		WHERE member_id = @member AND valid_from = @from AND (@staff OR valid_from > CURRENT_DATE)`,
		pgx.StrictNamedArgs{"member": member, "from": in.ValidFrom, "staff": staff})
	switch {
	case err != nil || removed.RowsAffected() > 0:
		return member, err
	case staff:
		return member, errs.Invalidf("input.validFrom", "the member states no insurance that begins on that day")
	}
	return member, errs.Invalidf("input.validFrom", "you state no insurance that begins on that day, or it has begun; write to the membership office to have one removed that has")
}
