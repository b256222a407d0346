package unit

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

// TermsByID returns the terms with the IDs whose committee the viewer may know of.
func (s *Store) TermsByID(ctx context.Context, v viewer.Viewer, ids []uuid.UUID) (_ map[uuid.UUID]*Term, err error) {
	defer errs.Wrap(&err, "unit.TermsByID(%d)", len(ids))
	terms, err := pg.All[Term](ctx, s.DB, `
		SELECT`+termColumns+`
		FROM terms t
		JOIN posts p ON p.id = t.post_id
		WHERE t.id = ANY(@ids) AND p.committee_id IN (SELECT v.id FROM (`+committees+`) v)`,
		pgx.StrictNamedArgs{"ids": ids, "reach": v.Reach()})
	if err != nil {
		return nil, err
	}
	return pg.ByKey(terms, func(t *Term) uuid.UUID { return t.ID }), nil
}

// Appointment gives a member a seat of a post, both days included.
type Appointment struct {
	Post     uuid.UUID
	Member   uuid.UUID
	StartsOn time.Time
	EndsOn   *time.Time
}

// Appoint begins a term. The member has to be one today and on the first day of the term,
// if that is over, and the post a seat on each day of the term: the database sees to that,
// however many are appointed at once.
func (s *Store) Appoint(ctx context.Context, _ viewer.Viewer, in Appointment) (_ *Term, err error) {
	defer errs.Wrap(&err, "unit.Appoint(%s)", in.Post)
	id := uuid.Must(uuid.NewV7())
	term, err := pg.One[Term](ctx, s.DB, `
		WITH term AS (
			INSERT INTO terms (id, key, post_id, member_id, starts_on, ends_on)
			SELECT @id, 'term:' || @id::uuid, @post, st.member_id, @starts, @ends
			FROM membership_statuses(CURRENT_DATE) st
			WHERE st.member_id = @member AND st.status IN ('CURRENT', 'GRACE')
				AND (@starts::date >= CURRENT_DATE OR EXISTS (
					SELECT FROM membership_statuses(@starts) was
					WHERE was.member_id = @member AND was.status IN ('CURRENT', 'GRACE')))
			RETURNING *
		)
		SELECT`+termColumns+`
		FROM term t`,
		pgx.StrictNamedArgs{"id": id, "post": in.Post, "member": in.Member, "starts": in.StartsOn, "ends": in.EndsOn})
	switch pg.Constraint(err) {
	case "terms_post_id_fkey":
		return nil, errs.Invalidf("input.post", "there is no such post")
	case "terms_ends_after_start":
		return nil, errs.Invalidf("input.endsOn", "pass a day after the first")
	case "terms_fit_seats":
		return nil, errs.Invalidf("input.post", "all its seats are taken on a day of the term")
	case "terms_one_seat_each":
		return nil, errs.Invalidf("input.member", "the member holds the post on a day of the term")
	}
	if errors.Is(err, errs.NotFound) {
		is, err := pg.Scalar[bool](ctx, s.DB, `
			SELECT EXISTS (
				SELECT FROM membership_statuses(CURRENT_DATE) st
				WHERE st.member_id = @member AND st.status IN ('CURRENT', 'GRACE'))`,
			pgx.StrictNamedArgs{"member": in.Member})
		switch {
		case err != nil:
			return nil, err
		case is:
			return nil, errs.Invalidf("input.startsOn", "they were no member on that day")
		}
		return nil, errs.Invalidf("input.member", "there is no such member whose membership is current")
	}
	return term, err
}

// TermEnd is the last day of a term.
type TermEnd struct {
	Term uuid.UUID
	On   time.Time
}

// EndTerm sets the last day of a term, earlier or later than it was.
func (s *Store) EndTerm(ctx context.Context, _ viewer.Viewer, in TermEnd) (_ *Term, err error) {
	defer errs.Wrap(&err, "unit.EndTerm(%s)", in.Term)
	term, err := pg.One[Term](ctx, s.DB, `
		UPDATE terms t SET ends_on = @on
		WHERE t.id = @id
		RETURNING`+termColumns,
		pgx.StrictNamedArgs{"id": in.Term, "on": in.On})
	switch pg.Constraint(err) {
	case "terms_ends_after_start":
		return nil, errs.Invalidf("input.on", "pass a day after the first of the term, or withdraw the term if it was a mistake")
	case "terms_fit_seats", "terms_one_seat_each":
		return nil, errs.Invalidf("input.on", "the seat is taken by then")
	}
	if errors.Is(err, errs.NotFound) {
		return nil, errs.Invalidf("input.term", "there is no such term")
	}
	return term, err
}

// mistakenFor is for how many days after its first a term can be withdrawn. What began
// earlier has been, and is ended.
const mistakenFor = 30

// WithdrawTerm removes a term that was a mistake, and returns it as it was: whoever held
// the post by it has no rights by it any more.
func (s *Store) WithdrawTerm(ctx context.Context, _ viewer.Viewer, id uuid.UUID) (_ *Term, err error) {
	defer errs.Wrap(&err, "unit.WithdrawTerm(%s)", id)
	term, err := pg.One[Term](ctx, s.DB, `
		DELETE FROM terms t
		WHERE t.id = @id AND t.starts_on >= CURRENT_DATE - @days::integer
		RETURNING`+termColumns,
		pgx.StrictNamedArgs{"id": id, "days": mistakenFor})
	if !errors.Is(err, errs.NotFound) {
		return term, err
	}
	began, err := pg.Scalar[time.Time](ctx, s.DB, `SELECT t.starts_on FROM terms t WHERE t.id = @id`, pgx.StrictNamedArgs{"id": id})
	if errors.Is(err, errs.NotFound) {
		return nil, errs.Invalidf("input.term", "there is no such term")
	}
	if err != nil {
		return nil, err
	}
	return nil, errs.Invalidf("input.term", "the term began on %s, more than %d days ago; end it instead, with yesterday as its last day if at once", began.Format(time.DateOnly), mistakenFor)
}

// Election is when the posts of a committee are voted on, both days included.
type Election struct {
	ID          uuid.UUID
	CommitteeID uuid.UUID
	// NominationsUntil is the last day on which somebody can be nominated.
	NominationsUntil *time.Time
	OpensOn          time.Time
	ClosesOn         time.Time
	Note             *string
}

const electionColumns = `
	el.id,
	el.committee_id,
	el.nominations_until,
	el.opens_on,
	el.closes_on,
	el.note`

// ElectionsOf returns the elections of each committee, the newest first.
func (s *Store) ElectionsOf(ctx context.Context, committees []uuid.UUID) (_ map[uuid.UUID][]*Election, err error) {
	defer errs.Wrap(&err, "unit.ElectionsOf(%d)", len(committees))
	elections, err := pg.All[Election](ctx, s.DB, `
		SELECT`+electionColumns+`
		FROM committee_elections el
		WHERE el.committee_id = ANY(@committees)
		ORDER BY el.committee_id, el.opens_on DESC`,
		pgx.StrictNamedArgs{"committees": committees})
	if err != nil {
		return nil, err
	}
	return pg.GroupBy(elections, func(e *Election) uuid.UUID { return e.CommitteeID }), nil
}

// ElectionDates are those of an election. One that opens on the same day is changed.
type ElectionDates struct {
	Committee        uuid.UUID
	NominationsUntil *time.Time
	OpensOn          time.Time
	ClosesOn         time.Time
	Note             *string
}

// ScheduleElection keeps the dates of an election.
func (s *Store) ScheduleElection(ctx context.Context, _ viewer.Viewer, in ElectionDates) (_ *Election, err error) {
	defer errs.Wrap(&err, "unit.ScheduleElection(%s)", in.Committee)
	if in.Note != nil {
		*in.Note = strings.TrimSpace(*in.Note)
		if n := utf8.RuneCountInString(*in.Note); n < 1 || n > 500 || strings.ContainsRune(*in.Note, 0) {
			return nil, errs.Invalidf("input.note", "pass 1 to 500 characters; there are %d", n)
		}
	}
	election, err := pg.One[Election](ctx, s.DB, `
		INSERT INTO committee_elections AS el (id, committee_id, nominations_until, opens_on, closes_on, note)
		VALUES (@id, @committee, @nominations, @opens, @closes, @note)
		ON CONFLICT (committee_id, opens_on) DO UPDATE SET
			nominations_until = excluded.nominations_until,
			closes_on = excluded.closes_on,
			note = excluded.note
		RETURNING`+electionColumns,
		pgx.StrictNamedArgs{
			"id": uuid.Must(uuid.NewV7()), "committee": in.Committee, "nominations": in.NominationsUntil,
			"opens": in.OpensOn, "closes": in.ClosesOn, "note": in.Note,
		})
	switch pg.Constraint(err) {
	case "committee_elections_committee_id_fkey":
		return nil, errs.Invalidf("input.committee", "there is no such committee")
	case "committee_elections_closes_after_open":
		return nil, errs.Invalidf("input.closesOn", "pass the first day or a later one")
	case "committee_elections_nominations_before_open":
		return nil, errs.Invalidf("input.nominationsUntil", "pass a day before the election opens")
	case "committee_elections_overlap_none":
		return nil, errs.Invalidf("input.opensOn", "the committee has another election in these days")
	}
	return election, err
}

// ElectionOn is the election of a committee that opens on a day.
type ElectionOn struct {
	Committee uuid.UUID
	OpensOn   time.Time
}

// WithdrawElection removes the dates of an election, and returns them.
func (s *Store) WithdrawElection(ctx context.Context, _ viewer.Viewer, in ElectionOn) (_ *Election, err error) {
	defer errs.Wrap(&err, "unit.WithdrawElection(%s)", in.Committee)
	election, err := pg.One[Election](ctx, s.DB, `
		DELETE FROM committee_elections el
		WHERE el.committee_id = @committee AND el.opens_on = @opens
		RETURNING`+electionColumns,
		pgx.StrictNamedArgs{"committee": in.Committee, "opens": in.OpensOn})
	if errors.Is(err, errs.NotFound) {
		return nil, errs.Invalidf("input.opensOn", "the committee has no election that opens on that day")
	}
	return election, err
}
