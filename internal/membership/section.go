package membership

import (
	"context"
	"errors"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"github.com/collegium/collegium/internal/errs"
	"github.com/collegium/collegium/internal/pg"
	"github.com/collegium/collegium/internal/reads"
	"github.com/collegium/collegium/internal/viewer"
)

// SectionMembership is from when to when a member belongs to a section, both days
// included.
type SectionMembership struct {
	MemberID  uuid.UUID
	SectionID uuid.UUID
	StartsOn  time.Time
	EndsOn    *time.Time
}

// SectionMembershipsOf returns the memberships of sections of each of the members,
// ended ones included, the oldest first, of those whose record the viewer may read.
func (s *Store) SectionMembershipsOf(ctx context.Context, v viewer.Viewer, members []uuid.UUID) (_ map[uuid.UUID][]*SectionMembership, err error) {
	defer errs.Wrap(&err, "membership.SectionMembershipsOf(%d)", len(members))
	if readsNobody(v) {
		return nil, nil
	}
	found, err := pg.All[SectionMembership](ctx, s.DB, `
		SELECT
			sm.member_id,
			sm.section_id,
			sm.starts_on,
			sm.ends_on
		FROM section_memberships sm
		JOIN members_registered m ON m.id = sm.member_id
		WHERE sm.member_id = ANY(@members) AND `+mayRead+`
		ORDER BY sm.member_id, sm.starts_on, sm.section_id`,
		pgx.StrictNamedArgs(reading(v, map[string]any{"members": members})))
	if err != nil {
		return nil, err
	}
	reads.Note(ctx, v, found, func(m *SectionMembership) *uuid.UUID { return &m.MemberID }, reads.Sections)
	return pg.GroupBy(found, func(m *SectionMembership) uuid.UUID { return m.MemberID }), nil
}

// SectionChange is whose, of which section, and from or until which day; nil is
// today. Member is nil for the viewer's own.
type SectionChange struct {
	Member  *uuid.UUID
	Section uuid.UUID
	On      *time.Time
}

// JoinSection has a member belong to a section from a day on. Only staff says so in
// retrospect.
func (s *Store) JoinSection(ctx context.Context, v viewer.Viewer, in SectionChange) (_ uuid.UUID, err error) {
	defer errs.Wrap(&err, "membership.JoinSection(%s)", in.Section)
	member, err := whom(v, in.Member)
	if err != nil {
		return member, err
	}
	return member, s.change(ctx, member, func(tx pgx.Tx, l *last) error {
		on := dayOr(in.On, l.Today)
		var ends *time.Time
		if l.EndedHow != nil {
			ends = l.EndsOn
		}
		switch {
		case !l.Status.Member():
			return errs.Invalidf("input.member", "only members join sections; the membership is %s", l.Status)
		case ends != nil && on.After(*ends):
			return errs.Invalidf("input.on", "the membership ends on %s; pass that day or an earlier one", ends.Format(time.DateOnly))
		case on.Before(l.Today) && !v.May(viewer.ManageRegister):
			return errs.Invalidf("input.on", "pass today or a later day")
		case on.After(l.Today.AddDate(1, 0, 0)):
			return errs.Invalidf("input.on", "pass a day within a year")
		case on.Before(l.Today):
			if err := memberOn(ctx, tx, member, on); err != nil {
				return err
			}
		}
		if err := sectionOn(ctx, tx, v, "input.section", in.Section, on); err != nil {
			return err
		}
		joined, err := tx.Exec(ctx, `
			INSERT INTO section_memberships (member_id, section_id, starts_on, ends_on)
			SELECT @member, @section, @on, @ends
			WHERE NOT EXISTS (
				SELECT FROM section_memberships sm
				WHERE sm.member_id = @member AND sm.section_id = @section AND (sm.ends_on IS NULL OR sm.ends_on >= @on)
			)`,
			pgx.StrictNamedArgs{"member": member, "section": in.Section, "on": on, "ends": ends})
		if err == nil && joined.RowsAffected() == 0 || pg.Constraint(err) == "section_memberships_overlap_none" {
			return errs.Invalidf("input.section", "the member belongs to the section already, on that day or later")
		}
		return err
	})
}

// LeaveSection ends what JoinSection began; the day is the last one. What was to begin later
// is taken back, but by a day that is past, which only the register's keepers pass: that
// ends the membership of that day, and what began after it stays.
func (s *Store) LeaveSection(ctx context.Context, v viewer.Viewer, in SectionChange) (_ uuid.UUID, err error) {
	defer errs.Wrap(&err, "membership.LeaveSection(%s)", in.Section)
	member, err := whom(v, in.Member)
	if err != nil {
		return member, err
	}
	return member, s.change(ctx, member, func(tx pgx.Tx, l *last) error {
		on := dayOr(in.On, l.Today)
		if on.Before(l.Today) && !v.May(viewer.ManageRegister) {
			return errs.Invalidf("input.on", "pass today or a later day")
		}
		left, err := tx.Exec(ctx, `
			WITH undone AS (
				-- Who leaves on the day of joining never belonged.
				DELETE FROM section_memberships
				WHERE member_id = @member AND section_id = @section AND (starts_on = @on OR starts_on > @on AND @on >= CURRENT_DATE)
				RETURNING 1
			), ended AS (
				UPDATE section_memberships SET ends_on = @on
				WHERE member_id = @member AND section_id = @section AND starts_on < @on AND (ends_on IS NULL OR ends_on > @on)
				RETURNING 1
			)
			SELECT FROM undone UNION ALL SELECT FROM ended`,
			pgx.StrictNamedArgs{"member": member, "section": in.Section, "on": on})
		if err == nil && left.RowsAffected() == 0 {
			if on.Before(l.Today) {
				return errs.Invalidf("input.on", "the member did not belong to the section on that day, or had it as the last one")
			}
			return errs.Invalidf("input.section", "the member does not belong to the section")
		}
		return err
	})
}

// sectionOn says whether members can belong to a section on a day, as far as the
// viewer may know of it.
func sectionOn(ctx context.Context, tx pgx.Tx, v viewer.Viewer, path string, section uuid.UUID, on time.Time) error {
	open, err := pg.Scalar[bool](ctx, tx, `
		SELECT COALESCE(u.dissolved_on >= @on, true)
		FROM units u
		JOIN entries e ON e.id = u.id
		WHERE u.id = @section AND u.kind = 'SPECIALIST_SECTION' AND `+viewer.Visible,
		pgx.StrictNamedArgs{"section": section, "on": on, "reach": v.Reach()})
	switch {
	case errors.Is(err, errs.NotFound):
		return errs.Invalidf(path, "there is no such section")
	case err == nil && !open:
		return errs.Invalidf(path, "the section is dissolved by then")
	}
	return err
}

// lastDay says whether a day can be the last one of all members of a section: today or a
// later one. What was, stays; only in a section that was dissolved nobody was after its
// last day, whatever the register says.
func lastDay(ctx context.Context, tx pgx.Tx, v viewer.Viewer, section uuid.UUID, on time.Time) error {
	type row struct {
		Today       time.Time
		DissolvedOn *time.Time
	}
	u, err := pg.One[row](ctx, tx, `
		SELECT CURRENT_DATE AS today, u.dissolved_on
		FROM units u
		JOIN entries e ON e.id = u.id
		WHERE u.id = @section AND u.kind = 'SPECIALIST_SECTION' AND `+viewer.Visible,
		pgx.StrictNamedArgs{"section": section, "reach": v.Reach()})
	switch {
	case errors.Is(err, errs.NotFound):
		return errs.Invalidf("input.from", "there is no such section")
	case err != nil:
		return err
	case u.DissolvedOn != nil && u.DissolvedOn.Before(u.Today) && !on.Equal(*u.DissolvedOn):
		return errs.Invalidf("input.on", "the section was dissolved on %s; pass that day", u.DissolvedOn.Format(time.DateOnly))
	case u.DissolvedOn != nil && on.After(*u.DissolvedOn):
		return errs.Invalidf("input.on", "the section is dissolved on %s; pass that day or an earlier one", u.DissolvedOn.Format(time.DateOnly))
	case on.Before(u.Today) && (u.DissolvedOn == nil || !on.Equal(*u.DissolvedOn)):
		return errs.Invalidf("input.on", "pass today or a later day; an earlier one only if the section was dissolved on it")
	}
	return nil
}

// Transfer moves the members of a section to another; On is the last day in the old
// one.
type Transfer struct {
	From, To uuid.UUID
	On       time.Time
}

// Transferred is how many left the old section, and how many of these began in the
// new one: the others belonged to it already.
type Transferred struct {
	Members int
	Joined  int
}

// TransferSection moves all members of a section to another: who belongs to it on a later
// day belongs to the other on that day instead. Up to the day itself nothing changes. Once
// that is done it finds nobody to move.
func (s *Store) TransferSection(ctx context.Context, v viewer.Viewer, in Transfer) (_ *Transferred, err error) {
	defer errs.Wrap(&err, "membership.TransferSection(%s)", in.From)
	if in.From == in.To {
		return nil, errs.Invalidf("input.to", "pass another section")
	}
	var moved *Transferred
	err = pgx.BeginFunc(ctx, s.DB, func(tx pgx.Tx) error {
		if err := lastDay(ctx, tx, v, in.From, in.On); err != nil {
			return err
		}
		if err := sectionOn(ctx, tx, v, "input.to", in.To, in.On.AddDate(0, 0, 1)); err != nil {
			return err
		}
		// In the order in which single changes take them.
		if _, err := tx.Exec(ctx, `
			SELECT FROM members m
			WHERE m.id IN (SELECT sm.member_id FROM section_memberships sm WHERE sm.section_id IN (@from, @to))
			ORDER BY m.id
			FOR NO KEY UPDATE`, pgx.StrictNamedArgs{"from": in.From, "to": in.To}); err != nil {
			return err
		}
		moved, err = pg.One[Transferred](ctx, tx, `
			WITH later AS (
				SELECT sm.member_id, range_agg(daterange(greatest(sm.starts_on, @on::date + 1), sm.ends_on, '[]')) AS days
				FROM section_memberships sm
				WHERE sm.section_id = @from AND (sm.ends_on IS NULL OR sm.ends_on > @on)
				GROUP BY sm.member_id
			), ended AS (
				UPDATE section_memberships SET ends_on = @on
				WHERE section_id = @from AND starts_on <= @on AND (ends_on IS NULL OR ends_on > @on)
			), undone AS (
				DELETE FROM section_memberships
				WHERE section_id = @from AND starts_on > @on
			), missing AS (
				-- Not on the days on which they belong to the other one anyway.
				SELECT l.member_id, unnest(l.days - COALESCE((
						SELECT range_agg(daterange(sm.starts_on, sm.ends_on, '[]'))
						FROM section_memberships sm
						WHERE sm.member_id = l.member_id AND sm.section_id = @to
					), '{}')) AS days
				FROM later l
			), opened AS (
				INSERT INTO section_memberships (member_id, section_id, starts_on, ends_on)
				SELECT m.member_id, @to, lower(m.days), upper(m.days) - 1
				FROM missing m
				RETURNING member_id
			)
			SELECT (SELECT count(*) FROM later) AS members, (SELECT count(DISTINCT member_id) FROM opened) AS joined`,
			pgx.StrictNamedArgs{"from": in.From, "to": in.To, "on": in.On})
		return err
	})
	return moved, err
}
