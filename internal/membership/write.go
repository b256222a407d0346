package membership

import (
	"context"
	"errors"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"github.com/collegium/collegium/internal/errs"
	"github.com/collegium/collegium/internal/pg"
	"github.com/collegium/collegium/internal/viewer"
)

// noSuchMember is told whether there is no such member or the viewer may not know.
const noSuchMember = "there is no such member whose record you keep"

// whom returns whose membership is to be changed: that of the member, or the
// viewer's own if none is named.
func whom(v viewer.Viewer, member *uuid.UUID) (uuid.UUID, error) {
	switch {
	case member == nil && v.MemberID != uuid.Nil:
		return v.MemberID, nil
	case member == nil:
		return uuid.Nil, errs.Invalidf("input.member", "you are no member; say whose membership it is")
	case *member == v.MemberID || v.May(viewer.ManageRegister):
		return *member, nil
	}
	return uuid.Nil, errs.Invalidf("input.member", noSuchMember)
}

// last is the last period of a member, and what follows from it today.
type last struct {
	Today         time.Time
	Status        Status
	Grade         string
	StartsOn      time.Time
	EndsOn        *time.Time
	EndedHow      *string
	GraceEndsOn   *time.Time
	RenewableFrom *time.Time
}

// change changes one membership: one change after another, since it holds the row of
// the member.
func (s *Store) change(ctx context.Context, member uuid.UUID, f func(tx pgx.Tx, l *last) error) error {
	return pgx.BeginFunc(ctx, s.DB, func(tx pgx.Tx) error {
		if _, err := pg.Scalar[uuid.UUID](ctx, tx, `SELECT m.id FROM members m WHERE m.id = @member FOR NO KEY UPDATE`,
			pgx.StrictNamedArgs{"member": member}); errors.Is(err, errs.NotFound) {
			return errs.Invalidf("input.member", noSuchMember)
		} else if err != nil {
			return err
		}
		l, err := pg.One[last](ctx, tx, `
			SELECT
				CURRENT_DATE AS today,
				st.status,
				p.grade,
				p.starts_on,
				p.ends_on,
				p.ended_how,
				p.ends_on + r.grace_days AS grace_ends_on,
				p.ends_on - r.renewal_days AS renewable_from
			FROM membership_periods p
			JOIN membership_rules r ON r.grade = p.grade AND r.since <= CURRENT_DATE AND (r.until IS NULL OR r.until > CURRENT_DATE)
			JOIN membership_statuses(CURRENT_DATE) st ON st.member_id = p.member_id
			WHERE p.member_id = @member AND p.next_on IS NULL`,
			pgx.StrictNamedArgs{"member": member})
		if err != nil {
			return err
		}
		return f(tx, l)
	})
}

// Renew adds a period: after the last one, or from today if that has lapsed. A
// member, nil for the viewer, may renew in the days that the rules give for it; staff at
// any time.
func (s *Store) Renew(ctx context.Context, v viewer.Viewer, of *uuid.UUID) (_ uuid.UUID, err error) {
	defer errs.Wrap(&err, "membership.Renew")
	member, err := whom(v, of)
	if err != nil {
		return member, err
	}
	return member, s.change(ctx, member, func(tx pgx.Tx, l *last) error {
		if err := renewable(l, v.May(viewer.ManageRegister)); err != nil {
			return err
		}
		starts, kind := l.Today, JoinedEvent
		if l.EndedHow == nil && !l.GraceEndsOn.Before(l.Today) {
			starts, kind = l.EndsOn.AddDate(0, 0, 1), RenewedEvent
		}
		_, err := tx.Exec(ctx, `
			WITH period AS (
				INSERT INTO membership_periods (member_id, grade, starts_on, ends_on)
				SELECT @member, r.grade, @starts, (@starts::date + make_interval(months => r.period_months))::date - 1
				FROM membership_rules r
				WHERE r.grade = @grade AND r.since <= CURRENT_DATE AND (r.until IS NULL OR r.until > CURRENT_DATE)
				RETURNING *
			)
			INSERT INTO membership_events (member_id, kind, happened_on, grade, ends_on)
			SELECT p.member_id, @kind, p.starts_on, p.grade, p.ends_on
			FROM period p`,
			pgx.StrictNamedArgs{"member": member, "grade": l.Grade, "starts": starts, "kind": kind})
		return err
	})
}

// renewable says why a membership can't be renewed today, nil if it can.
func renewable(l *last, staff bool) error {
	const path = "input"
	switch {
	case l.EndsOn == nil:
		return errs.Invalidf(path, "the membership has no end, so there is nothing to renew")
	case l.Status == Suspended && !staff:
		return errs.Invalidf(path, "the membership is suspended; write to the membership office")
	case l.EndedHow != nil && !staff:
		return errs.Invalidf(path, "the membership has ended, or an end is set; write to the membership office")
	case l.EndedHow != nil && !l.EndsOn.Before(l.Today):
		return errs.Invalidf(path, "the end of the membership is set, %s on %s; take it back with withdrawEnd", *l.EndedHow, l.EndsOn.Format(time.DateOnly))
	case l.EndedHow != nil && *l.EndedHow == string(Deceased):
		return errs.Invalidf(path, "the member died; if that is a mistake, take it back with withdrawEnd")
	case l.StartsOn.After(l.Today):
		return errs.Invalidf(path, "the membership is renewed already, until %s", l.EndsOn.Format(time.DateOnly))
	case staff:
		return nil
	case l.Today.Before(*l.RenewableFrom):
		return errs.Invalidf(path, "the membership can be renewed from %s", l.RenewableFrom.Format(time.DateOnly))
	case l.Today.After(*l.GraceEndsOn):
		return errs.Invalidf(path, "the membership has lapsed; write to the membership office")
	}
	return nil
}

// GradeChange is another grade, from a day on; nil is today.
type GradeChange struct {
	Member uuid.UUID
	Grade  string
	On     *time.Time
}

// ChangeGrade gives a member another grade, from today or an earlier day of the
// present period on: the period is cut in two, and later ones take the grade over.
func (s *Store) ChangeGrade(ctx context.Context, _ viewer.Viewer, in GradeChange) (_ uuid.UUID, err error) {
	defer errs.Wrap(&err, "membership.ChangeGrade(%s)", in.Member)
	return in.Member, s.change(ctx, in.Member, func(tx pgx.Tx, l *last) error {
		on := dayOr(in.On, l.Today)
		if on.After(l.Today) {
			return errs.Invalidf("input.on", "a grade changes today, or has changed already; on %s it can't be known", on.Format(time.DateOnly))
		}
		type period struct {
			Grade    string
			StartsOn time.Time
			EndsOn   *time.Time
		}
		p, err := pg.One[period](ctx, tx, `
			SELECT p.grade, p.starts_on, p.ends_on
			FROM membership_periods p
			WHERE p.member_id = @member
				AND p.starts_on <= CURRENT_DATE
				AND (p.next_on IS NULL OR p.next_on > CURRENT_DATE)
				AND p.ended_how IS NULL`,
			pgx.StrictNamedArgs{"member": in.Member})
		switch {
		case errors.Is(err, errs.NotFound):
			return errs.Invalidf("input.member", "the membership has not begun, or has ended; an end that is a mistake is taken back with withdrawEnd")
		case err != nil:
			return err
		case p.Grade == in.Grade:
			return errs.Invalidf("input.grade", "that is the grade already")
		case on.Before(p.StartsOn) || p.EndsOn != nil && on.After(*p.EndsOn):
			return errs.Invalidf("input.on", "pass a day of the present period, which begins on %s, or renew first", p.StartsOn.Format(time.DateOnly))
		}
		args := pgx.StrictNamedArgs{"member": in.Member, "grade": in.Grade, "on": on}
		if _, err := tx.Exec(ctx, `UPDATE membership_periods SET grade = @grade WHERE member_id = @member AND starts_on >= @on`, args); err != nil {
			return err
		}
		if on.After(p.StartsOn) {
			if _, err := tx.Exec(ctx, `
				UPDATE membership_periods SET ends_on = @on::date - 1
				WHERE member_id = @member AND starts_on = @starts`,
				pgx.StrictNamedArgs{"member": in.Member, "on": on, "starts": p.StartsOn}); err != nil {
				return err
			}
			if _, err := tx.Exec(ctx, `
				INSERT INTO membership_periods (member_id, grade, starts_on, ends_on)
				VALUES (@member, @grade, @on, @ends)`,
				pgx.StrictNamedArgs{"member": in.Member, "grade": in.Grade, "on": on, "ends": p.EndsOn}); err != nil {
				return err
			}
		}
		// A renewal ahead is one to the new grade: its period is of that.
		if _, err := tx.Exec(ctx, `
			UPDATE membership_events ev
			SET grade = p.grade
			FROM membership_periods p
			WHERE ev.member_id = @member
				AND ev.kind = 'RENEWED'
				AND ev.happened_on > @on
				AND ev.grade <> p.grade
				AND p.member_id = ev.member_id
				AND p.starts_on = ev.happened_on`,
			pgx.StrictNamedArgs{"member": in.Member, "on": on}); err != nil {
			return err
		}
		_, err = note(ctx, tx, Event{MemberID: in.Member, Kind: GradeChangedEvent, HappenedOn: on, Grade: &in.Grade}, nil)
		return err
	})
}

// Suspension is why and from which day on; nil is today.
type Suspension struct {
	Member uuid.UUID
	Reason string
	On     *time.Time
}

// Suspend suspends a member until they are reinstated, from a day of the membership on,
// and has a mail sent.
func (s *Store) Suspend(ctx context.Context, _ viewer.Viewer, in Suspension) (_ uuid.UUID, err error) {
	defer errs.Wrap(&err, "membership.Suspend(%s)", in.Member)
	if in.Reason, err = text("input.reason", in.Reason, 1000); err != nil {
		return in.Member, err
	}
	return in.Member, s.change(ctx, in.Member, func(tx pgx.Tx, l *last) error {
		on := dayOr(in.On, l.Today)
		switch {
		case l.Status == Suspended:
			return errs.Invalidf("input.member", "the member is suspended already; reinstateMembership ends that, or moves the day on which it ends")
		case l.EndedHow != nil && !l.EndsOn.Before(l.Today):
			return errs.Invalidf("input.member", "the end of the membership is set, %s on %s; an end that is a mistake is taken back with withdrawEnd", *l.EndedHow, l.EndsOn.Format(time.DateOnly))
		case !l.Status.Member() && l.Status != Retired || l.EndedHow != nil:
			return errs.Invalidf("input.member", "only a membership that runs can be suspended; this one is %s", l.Status)
		case on.After(l.Today.AddDate(1, 0, 0)):
			return errs.Invalidf("input.on", "pass a day within a year")
		}
		if was, err := statusOn(ctx, tx, in.Member, on); err != nil {
			return err
		} else if !was.Member() && was != Retired && was != Suspended {
			return errs.Invalidf("input.on", "there is no membership on that day that runs")
		}
		_, err := tx.Exec(ctx, `
			INSERT INTO membership_suspensions (member_id, starts_on, reason)
			SELECT @member, @on, @reason`,
			pgx.StrictNamedArgs{"member": in.Member, "on": on, "reason": in.Reason})
		switch pg.Constraint(err) {
		case "membership_suspensions_overlap_none", "membership_suspensions_pkey":
			return errs.Invalidf("input.on", "there is a suspension on that day or later")
		}
		if err != nil {
			return err
		}
		return s.tell(ctx, tx, Event{MemberID: in.Member, Kind: SuspendedEvent, HappenedOn: on, Reason: &in.Reason})
	})
}

// Reinstatement is from which day on a suspension has ended; nil is today.
type Reinstatement struct {
	Member uuid.UUID
	On     *time.Time
}

// Reinstate ends the last suspension, or moves its end while that lies ahead, and has a mail
// sent. From its first day on it never was: that is the earliest, and if it has not begun,
// what nil means.
func (s *Store) Reinstate(ctx context.Context, _ viewer.Viewer, in Reinstatement) (_ uuid.UUID, err error) {
	defer errs.Wrap(&err, "membership.Reinstate(%s)", in.Member)
	return in.Member, s.change(ctx, in.Member, func(tx pgx.Tx, l *last) error {
		since, err := pg.Scalar[time.Time](ctx, tx, `
			SELECT s.starts_on
			FROM membership_suspensions s
			WHERE s.member_id = @member AND (s.ends_on IS NULL OR s.ends_on >= CURRENT_DATE)
			ORDER BY s.starts_on DESC
			LIMIT 1`,
			pgx.StrictNamedArgs{"member": in.Member})
		if errors.Is(err, errs.NotFound) {
			return errs.Invalidf("input.member", "the member is not suspended")
		}
		if err != nil {
			return err
		}
		on := dayOr(in.On, l.Today)
		if in.On == nil && since.After(on) {
			on = since
		}
		switch {
		case on.Before(since):
			return errs.Invalidf("input.on", "the suspension begins on %s; pass that day or a later one", since.Format(time.DateOnly))
		case l.EndedHow != nil && on.After(*l.EndsOn):
			return errs.Invalidf("input.on", "the membership ended on %s", l.EndsOn.Format(time.DateOnly))
		case on.After(l.Today.AddDate(1, 0, 0)):
			return errs.Invalidf("input.on", "pass a day within a year")
		}
		if _, err := tx.Exec(ctx, `
			WITH undone AS (
				DELETE FROM membership_suspensions
				WHERE member_id = @member AND starts_on = @since AND starts_on = @on
			)
			UPDATE membership_suspensions SET ends_on = @on::date - 1
			WHERE member_id = @member AND starts_on = @since AND starts_on < @on`,
			pgx.StrictNamedArgs{"member": in.Member, "since": since, "on": on}); err != nil {
			return err
		}
		return s.tell(ctx, tx, Event{MemberID: in.Member, Kind: ReinstatedEvent, HappenedOn: on})
	})
}

// note writes to the history of a member, and returns which event it is; with the periods
// that it cut short or made void, as they were, if it is an end.
func note(ctx context.Context, tx pgx.Tx, e Event, voided *string) (int64, error) {
	return pg.Scalar[int64](ctx, tx, `
		INSERT INTO membership_events (member_id, kind, happened_on, grade, ends_on, reason, voided)
		SELECT @member, @kind, @on, @grade, p.ends_on, @reason, @voided::jsonb
		FROM membership_periods p
		WHERE p.member_id = @member AND p.next_on IS NULL
		RETURNING id`,
		pgx.StrictNamedArgs{"member": e.MemberID, "kind": e.Kind, "on": e.HappenedOn, "grade": e.Grade, "reason": e.Reason, "voided": voided})
}

// tell is note, and has the member told by mail.
func (s *Store) tell(ctx context.Context, tx pgx.Tx, e Event) error {
	id, err := note(ctx, tx, e, nil)
	if err != nil {
		return err
	}
	return s.enqueue(ctx, tx, MailArgs{Mail: eventMail, Event: id})
}

// statusOn returns the status of a member on a day, empty if they were none.
func statusOn(ctx context.Context, tx pgx.Tx, member uuid.UUID, day time.Time) (Status, error) {
	s, err := pg.Scalar[Status](ctx, tx, `SELECT st.status FROM membership_statuses(@day) st WHERE st.member_id = @member`,
		pgx.StrictNamedArgs{"member": member, "day": day})
	if errors.Is(err, errs.NotFound) {
		return "", nil
	}
	return s, err
}

// memberOn says whether somebody was a member on a day.
func memberOn(ctx context.Context, tx pgx.Tx, member uuid.UUID, day time.Time) error {
	was, err := statusOn(ctx, tx, member, day)
	if err == nil && !was.Member() {
		return errs.Invalidf("input.on", "they were no member on that day")
	}
	return err
}

func dayOr(day *time.Time, today time.Time) time.Time {
	if day == nil {
		return today
	}
	return *day
}

// text returns a text for people without blanks around it; it is bad input if
// nothing is left, or too much.
func text(path, s string, most int) (string, error) {
	s = strings.TrimSpace(s)
	if n := utf8.RuneCountInString(s); n < 1 || n > most || strings.ContainsRune(s, 0) {
		return "", errs.Invalidf(path, "pass 1 to %d characters; there are %d", most, n)
	}
	return s, nil
}
