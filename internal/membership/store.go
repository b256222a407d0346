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

// paidUntil is the last day of the periods that follow one another without a break from
// the one that governs the day on. Nobody renews what has ended.
const paidUntil = `(
		SELECT paid.ends_on
		FROM membership_periods paid
		WHERE paid.member_id = st.member_id
			AND paid.starts_on >= st.starts_on
			AND (paid.next_on IS NULL OR paid.next_on > paid.ends_on + 1 OR paid.ended_how IS NOT NULL)
		ORDER BY paid.starts_on
		LIMIT 1)`

const membershipColumns = `
	st.member_id,
	st.grade,
	st.status,
	m.joined_on,
	st.starts_on,
	st.ends_on,
	` + paidUntil + ` AS paid_until,
	st.grace_ends_on,
	st.renewable_from,
	st.suspended_on,
	(
		SELECT sus.ends_on
		FROM membership_suspensions sus
		WHERE sus.member_id = st.member_id AND sus.starts_on = st.suspended_on
	) AS suspended_until,
	st.suspension_reason`

// Of returns what each of the members is today, of those whose record the viewer may
// read.
func (s *Store) Of(ctx context.Context, v viewer.Viewer, members []uuid.UUID) (_ map[uuid.UUID]*Membership, err error) {
	defer errs.Wrap(&err, "membership.Of(%d)", len(members))
	return s.of(ctx, v, members, nil)
}

// AsOf returns what a member was on a day; nil is today. It is nil if they were no
// member and not known to become one, or if the viewer may not read the record.
func (s *Store) AsOf(ctx context.Context, v viewer.Viewer, member uuid.UUID, day *time.Time) (_ *Membership, err error) {
	defer errs.Wrap(&err, "membership.AsOf(%s)", member)
	found, err := s.of(ctx, v, []uuid.UUID{member}, day)
	return found[member], err
}

// of is Of on a day; nil is today.
func (s *Store) of(ctx context.Context, v viewer.Viewer, members []uuid.UUID, day *time.Time) (map[uuid.UUID]*Membership, error) {
	if readsNobody(v) {
		return nil, nil
	}
	found, err := pg.All[Membership](ctx, s.DB, `
		SELECT`+membershipColumns+`
		FROM members_registered m
		JOIN membership_statuses(COALESCE(@day::date, CURRENT_DATE)) st ON st.member_id = m.id
		WHERE m.id = ANY(@members) AND `+mayRead,
		pgx.StrictNamedArgs(reading(v, map[string]any{"members": members, "day": day})))
	if err != nil {
		return nil, err
	}
	reads.Note(ctx, v, found, func(m *Membership) *uuid.UUID { return &m.MemberID }, reads.Membership)
	return pg.ByKey(found, func(m *Membership) uuid.UUID { return m.MemberID }), nil
}

// StatusesAsOf returns the status of each of the members on a day, of those whose
// record the viewer may read. Who was no member and not known to become one has
// none.
func (s *Store) StatusesAsOf(ctx context.Context, v viewer.Viewer, members []uuid.UUID, day time.Time) (_ map[uuid.UUID]*Status, err error) {
	defer errs.Wrap(&err, "membership.StatusesAsOf(%d)", len(members))
	found, err := s.of(ctx, v, members, &day)
	if err != nil {
		return nil, err
	}
	statuses := make(map[uuid.UUID]*Status, len(found))
	for id, m := range found {
		statuses[id] = &m.Status
	}
	return statuses, nil
}

// HistoryOf returns what happened to the membership of each of the members, the
// oldest first, of those whose record the viewer may read. What was to come when the
// membership ended, as a period that was renewed ahead, did not happen, unless the end was
// withdrawn; nor did a reinstatement on a day in whose place another one came.
func (s *Store) HistoryOf(ctx context.Context, v viewer.Viewer, members []uuid.UUID) (_ map[uuid.UUID][]*Event, err error) {
	defer errs.Wrap(&err, "membership.HistoryOf(%d)", len(members))
	if readsNobody(v) {
		return nil, nil
	}
	events, err := pg.All[Event](ctx, s.DB, `
		SELECT
			ev.member_id,
			ev.kind,
			ev.happened_on,
			ev.grade,
			ev.ends_on,
			ev.reason,
			ev.recorded_at
		FROM membership_events ev
		JOIN members_registered m ON m.id = ev.member_id
		WHERE ev.member_id = ANY(@members)
			AND NOT EXISTS (
				SELECT
				FROM membership_events ended
				WHERE ended.member_id = ev.member_id
					AND ended.kind IN ('RESIGNED', 'RETIRED', 'DECEASED', 'REMOVED')
					AND ended.id > ev.id
					AND ended.happened_on < ev.happened_on
					AND (
						SELECT after.kind
						FROM membership_events after
						WHERE after.member_id = ended.member_id
							AND after.kind IN ('RESIGNED', 'RETIRED', 'DECEASED', 'REMOVED', 'ENDING_WITHDRAWN')
							AND after.id > ended.id
						ORDER BY after.id
						LIMIT 1
					) IS DISTINCT FROM 'ENDING_WITHDRAWN'
			)
			AND (ev.kind <> 'REINSTATED'
				OR (
					SELECT after.kind
					FROM membership_events after
					WHERE after.member_id = ev.member_id AND after.kind IN ('SUSPENDED', 'REINSTATED') AND after.id > ev.id
					ORDER BY after.id
					LIMIT 1
				) IS DISTINCT FROM 'REINSTATED'
				-- From the first day on: that suspension never was, and the next one is of another.
				OR EXISTS (
					SELECT
					FROM membership_events undone
					WHERE undone.member_id = ev.member_id
						AND undone.kind = 'SUSPENDED'
						AND undone.id < ev.id
						AND undone.happened_on = ev.happened_on))
			AND `+mayRead+`
		ORDER BY ev.member_id, ev.happened_on, ev.id`,
		pgx.StrictNamedArgs(reading(v, map[string]any{"members": members})))
	if err != nil {
		return nil, err
	}
	reads.Note(ctx, v, events, func(e *Event) *uuid.UUID { return &e.MemberID }, reads.History)
	return pg.GroupBy(events, func(e *Event) uuid.UUID { return e.MemberID }), nil
}
