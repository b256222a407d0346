package membership

import (
	"context"
	"errors"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"github.com/collegium/collegium/internal/errs"
	"github.com/collegium/collegium/internal/pg"
	"github.com/collegium/collegium/internal/viewer"
)

// Ending is why a membership ends, and its last day; nil is today. Member is nil for
// the viewer's own.
type Ending struct {
	Member *uuid.UUID
	How    Status
	Note   *string
	On     *time.Time
}

// End ends a membership: from the day after on the member holds no post and belongs
// to no section. A member may only resign, and not in retrospect.
func (s *Store) End(ctx context.Context, v viewer.Viewer, in Ending) (_ uuid.UUID, err error) {
	defer errs.Wrap(&err, "membership.End")
	member, err := whom(v, in.Member)
	if err != nil {
		return member, err
	}
	if in.Note != nil {
		if *in.Note, err = text("input.note", *in.Note, 1000); err != nil {
			return member, err
		}
	}
	staff := v.May(viewer.ManageRegister)
	return member, s.change(ctx, member, func(tx pgx.Tx, l *last) error {
		on := dayOr(in.On, l.Today)
		switch {
		case !staff && in.How != Resigned:
			return errs.Forbidden
		case !staff && on.Before(l.Today):
			return errs.Invalidf("input.on", "pass today or a later day")
		case on.After(l.Today.AddDate(2, 0, 0)):
			return errs.Invalidf("input.on", "pass a day within two years")
		case in.How == Deceased && on.After(l.Today):
			return errs.Invalidf("input.on", "pass today or an earlier day")
		case l.EndedHow != nil:
			whoMends := "write to the membership office"
			if staff {
				whoMends = "if that is a mistake, take it back with withdrawEnd"
			}
			return errs.Invalidf("input.member", "the membership has ended already, or its end is set: %s on %s; %s", *l.EndedHow, l.EndsOn.Format(time.DateOnly), whoMends)
		case l.Status == Pending && on.Before(l.StartsOn):
			return errs.Invalidf("input.on", "the membership begins on %s; pass that day to have it end with its first, or a later one", l.StartsOn.Format(time.DateOnly))
		case l.EndsOn != nil && !l.EndsOn.Before(l.Today) && on.After(*l.EndsOn):
			return errs.Invalidf("input.on", "the membership is paid until %s; pass that day or an earlier one", l.EndsOn.Format(time.DateOnly))
		}
		type period struct{ StartsOn time.Time }
		args := pgx.StrictNamedArgs{"member": member, "on": on}
		p, err := pg.One[period](ctx, tx, `
			SELECT p.starts_on
			FROM membership_periods p
			WHERE p.member_id = @member AND p.starts_on <= @on AND (p.next_on IS NULL OR p.next_on > @on)`, args)
		if errors.Is(err, errs.NotFound) {
			return errs.Invalidf("input.on", "the membership had not begun on that day")
		}
		if err != nil {
			return err
		}
		// As they are now, should the end be withdrawn.
		voided, err := pg.Scalar[string](ctx, tx, `
			SELECT jsonb_agg(
				jsonb_build_object('grade', p.grade, 'starts_on', p.starts_on, 'ends_on', p.ends_on, 'ended_how', p.ended_how, 'recorded_on', p.recorded_on)
				ORDER BY p.starts_on)::text
			FROM membership_periods p
			WHERE p.member_id = @member AND p.starts_on >= @starts`,
			pgx.StrictNamedArgs{"member": member, "starts": p.StartsOn})
		if err != nil {
			return err
		}
		// What was paid for later is void.
		if _, err := tx.Exec(ctx, `DELETE FROM membership_periods WHERE member_id = @member AND starts_on > @on`, args); err != nil {
			return err
		}
		if _, err := tx.Exec(ctx, `
			UPDATE membership_periods SET ends_on = least(ends_on, @on), ended_how = @how
			WHERE member_id = @member AND starts_on = @starts`,
			pgx.StrictNamedArgs{"member": member, "on": on, "how": in.How, "starts": p.StartsOn}); err != nil {
			return err
		}
		event, err := note(ctx, tx, Event{MemberID: member, Kind: EventKind(in.How), HappenedOn: on, Reason: in.Note}, &voided)
		if err != nil || in.How == Deceased {
			return err
		}
		return s.enqueue(ctx, tx, MailArgs{Mail: eventMail, Event: event})
	})
}

// EndWithdrawal is whose end is taken back, and why.
type EndWithdrawal struct {
	Member uuid.UUID
	Reason string
}

// WithdrawEnd takes back the end of a membership that was a mistake, before its day or
// after it, and has a mail sent: the periods are what they were before. Of an end that was
// recorded without them, the membership is paid until the day that the last period was
// recorded with. Posts and sections that ended with it stay ended: whether they are still
// free or wanted is not known.
func (s *Store) WithdrawEnd(ctx context.Context, _ viewer.Viewer, in EndWithdrawal) (_ uuid.UUID, err error) {
	defer errs.Wrap(&err, "membership.WithdrawEnd(%s)", in.Member)
	if in.Reason, err = text("input.reason", in.Reason, 1000); err != nil {
		return in.Member, err
	}
	return in.Member, s.change(ctx, in.Member, func(tx pgx.Tx, l *last) error {
		if l.EndedHow == nil {
			return errs.Invalidf("input.member", "there is no end to withdraw: the membership has not ended in any of the ways that endMembership knows, and no end is set")
		}
		type ending struct {
			HappenedOn time.Time
			Later      *string
		}
		e, err := pg.One[ending](ctx, tx, `
			UPDATE membership_periods p
			SET
				ended_how = was.voided -> 0 ->> 'ended_how',
				ends_on = CASE WHEN was.voided IS NOT NULL THEN (was.voided -> 0 ->> 'ends_on')::date ELSE greatest(p.ends_on, (
					SELECT paid.ends_on
					FROM membership_events paid
					WHERE paid.member_id = p.member_id AND paid.kind IN ('JOINED', 'RENEWED') AND (was.event IS NULL OR paid.id < was.event)
					ORDER BY paid.id DESC
					LIMIT 1)) END
			FROM (
				SELECT
					l.starts_on,
					ev.id AS event,
					COALESCE(ev.happened_on, l.ends_on) AS happened_on,
					CASE WHEN ev.voided -> 0 ->> 'starts_on' = l.starts_on::text THEN ev.voided END AS voided
				FROM membership_periods l
				LEFT JOIN LATERAL (
					SELECT ended.id, ended.kind, ended.happened_on, ended.voided
					FROM membership_events ended
					WHERE ended.member_id = l.member_id AND ended.kind IN ('RESIGNED', 'RETIRED', 'DECEASED', 'REMOVED')
					ORDER BY ended.id DESC
					LIMIT 1
				) ev ON ev.kind = l.ended_how
				WHERE l.member_id = @member AND l.next_on IS NULL
			) was
			WHERE p.member_id = @member AND p.starts_on = was.starts_on
			RETURNING was.happened_on, (was.voided - 0)::text AS later`,
			pgx.StrictNamedArgs{"member": in.Member})
		if err != nil {
			return err
		}
		if _, err := tx.Exec(ctx, `
			INSERT INTO membership_periods (member_id, grade, starts_on, ends_on, ended_how, recorded_on)
			SELECT @member, v.grade, v.starts_on, v.ends_on, v.ended_how, v.recorded_on
			FROM jsonb_to_recordset(@later::jsonb) AS v (grade text, starts_on date, ends_on date, ended_how text, recorded_on date)
			ORDER BY v.starts_on`,
			pgx.StrictNamedArgs{"member": in.Member, "later": e.Later}); err != nil {
			return err
		}
		return s.tell(ctx, tx, Event{MemberID: in.Member, Kind: EndWithdrawnEvent, HappenedOn: e.HappenedOn, Reason: &in.Reason})
	})
}
