package membership

import (
	"context"
	"errors"
	"strings"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"github.com/collegium/collegium/internal/errs"
	"github.com/collegium/collegium/internal/node"
	"github.com/collegium/collegium/internal/page"
	"github.com/collegium/collegium/internal/person"
	"github.com/collegium/collegium/internal/pg"
	"github.com/collegium/collegium/internal/reads"
	"github.com/collegium/collegium/internal/viewer"
)

// ApplicationStatus is what became of an application.
type ApplicationStatus string

// What can become of an application.
const (
	Submitted ApplicationStatus = "SUBMITTED"
	Accepted  ApplicationStatus = "ACCEPTED"
	Declined  ApplicationStatus = "DECLINED"
	Withdrawn ApplicationStatus = "WITHDRAWN"
)

// Application is what somebody told who wants to become a member, and what became of
// it.
type Application struct {
	ID                uuid.UUID
	AccountID         uuid.UUID
	Email             string
	DisplayName       string
	Grade             *string
	SubmittedAt       time.Time
	ApplicationStatus ApplicationStatus
	DecidedAt         *time.Time
	Reason            *string
	// MemberID is who the applicant is as a member.
	MemberID *uuid.UUID
}

// NodeID returns the opaque ID in the graph.
func (a *Application) NodeID() string { return node.ID("MembershipApplication", a.ID) }

// AppendNodeID appends NodeID as a JSON string.
func (a *Application) AppendNodeID(dst []byte) []byte {
	return node.AppendID(dst, "MembershipApplication", a.ID)
}

// of is the applicant as a member, nil for who is none.
func (a *Application) of() *uuid.UUID { return a.MemberID }

// Applications is a page of applications.
type Applications struct {
	page.Connection[*Application]
	Status *ApplicationStatus
}

// ApplicationEdge is one application with its cursor.
type ApplicationEdge = page.Edge[*Application]

// Of an application whose address is not confirmed nobody is told: anybody can have
// written it.
const applications = `
	SELECT
		ap.id,
		ap.account_id,
		a.email,
		ap.display_name,
		ap.grade,
		ap.submitted_at,
		COALESCE(ap.decision, 'SUBMITTED') AS application_status,
		ap.decided_at,
		ap.reason,
		a.member_id
	FROM membership_applications ap
	JOIN accounts a ON a.id = ap.account_id
	WHERE a.email_verified_at IS NOT NULL AND (ap.account_id = @account OR @staff)`

func deciding(v viewer.Viewer, args pgx.StrictNamedArgs) pgx.StrictNamedArgs {
	args["account"], args["staff"] = v.Account, v.May(viewer.ManageRegister)
	return args
}

var bySubmission = pg.Sort{
	After:    `(ap.submitted_at, ap.id) > (@after_time, @after_id::uuid)`,
	Before:   `(ap.submitted_at, ap.id) < (@before_time, @before_id::uuid)`,
	Forward:  `submitted_at, id`,
	Backward: `submitted_at DESC, id DESC`,
}

const withStatus = ` AND COALESCE(ap.decision, 'SUBMITTED') = @status`

// Applications returns a page of the applications, the oldest first; only those with
// the status, if one is given.
func (s *Store) Applications(ctx context.Context, v viewer.Viewer, only *ApplicationStatus, args page.Args) (_ *Applications, err error) {
	defer errs.Wrap(&err, "membership.Applications")
	k, err := args.Keyset(2)
	if err != nil {
		return nil, err
	}
	named := deciding(v, pgx.StrictNamedArgs{"limit": pg.Limit(k)})
	err = pg.EachCursor(k, func(name string, key []string) error {
		at, badTime := time.Parse(time.RFC3339Nano, key[0])
		id, badID := uuid.Parse(key[1])
		if errors.Join(badTime, badID) != nil {
			return errs.Invalidf(name, "not a cursor of this list; pass a cursor that the same list returned")
		}
		named[name+"_time"], named[name+"_id"] = at, id
		return nil
	})
	if err != nil {
		return nil, err
	}
	sql := applications
	if only != nil {
		sql += withStatus
		named["status"] = *only
	}
	rows, err := pg.All[Application](ctx, s.DB, pg.Paged(sql+bySubmission.Bounds(k)+bySubmission.OrderBy(k)), named)
	if err != nil {
		return nil, err
	}
	c := &Applications{Status: only, Connection: page.New(k, rows, func(a *Application) []string {
		return []string{a.SubmittedAt.UTC().Format(time.RFC3339Nano), a.ID.String()}
	})}
	reads.Note(ctx, v, c.Nodes(), (*Application).of, reads.Application)
	return c, nil
}

// ApplicationTotals returns how many applications each list has.
func (s *Store) ApplicationTotals(ctx context.Context, v viewer.Viewer, lists []*Applications) (_ []int, err error) {
	defer errs.Wrap(&err, "membership.ApplicationTotals(%d)", len(lists))
	type row struct {
		Status ApplicationStatus
		N      int
	}
	rows, err := pg.All[row](ctx, s.DB, `
		SELECT x.application_status AS status, count(*) AS n
		FROM (`+applications+`) x
		GROUP BY x.application_status`, deciding(v, pgx.StrictNamedArgs{}))
	if err != nil {
		return nil, err
	}
	totals := make([]int, len(lists))
	for i, l := range lists {
		for _, r := range rows {
			if l.Status == nil || *l.Status == r.Status {
				totals[i] += r.N
			}
		}
	}
	return totals, nil
}

// ApplicationsByID returns the applications with the IDs that are the viewer's to
// read: the own ones, and for staff all.
func (s *Store) ApplicationsByID(ctx context.Context, v viewer.Viewer, ids []uuid.UUID) (_ map[uuid.UUID]*Application, err error) {
	defer errs.Wrap(&err, "membership.ApplicationsByID(%d)", len(ids))
	if v.Account == uuid.Nil {
		return nil, nil
	}
	found, err := pg.All[Application](ctx, s.DB, applications+` AND ap.id = ANY(@ids)`, deciding(v, pgx.StrictNamedArgs{"ids": ids}))
	if err != nil {
		return nil, err
	}
	reads.Note(ctx, v, found, (*Application).of, reads.Application)
	return pg.ByKey(found, func(a *Application) uuid.UUID { return a.ID }), nil
}

// ApplicationsOf returns the newest application of each account.
func (s *Store) ApplicationsOf(ctx context.Context, accounts []uuid.UUID) (_ map[uuid.UUID]*Application, err error) {
	defer errs.Wrap(&err, "membership.ApplicationsOf(%d)", len(accounts))
	found, err := pg.All[Application](ctx, s.DB, applications+`
			AND ap.account_id = ANY(@accounts)
		ORDER BY ap.submitted_at, ap.id`,
		pgx.StrictNamedArgs{"accounts": accounts, "account": nil, "staff": true})
	if err != nil {
		return nil, err
	}
	return pg.ByKey(found, func(a *Application) uuid.UUID { return a.AccountID }), nil
}

// Applying is what somebody with an account tells who wants to become a member.
type Applying struct {
	DisplayName string
	Grade       string
}

// applicationsAMonth is how often somebody can apply in thirty days.
const applicationsAMonth = 5

// Apply applies for membership for the viewer, who has an account and is no member:
// anew, after an application that was declined or withdrawn. While one waits, the same
// again is that one.
func (s *Store) Apply(ctx context.Context, v viewer.Viewer, in Applying) (_ *Application, err error) {
	defer errs.Wrap(&err, "membership.Apply")
	if in.DisplayName, err = person.Name("input.displayName", in.DisplayName); err != nil {
		return nil, err
	}
	var id uuid.UUID
	err = pgx.BeginFunc(ctx, s.DB, func(tx pgx.Tx) error {
		type row struct {
			MemberID *uuid.UUID
			Waits    *uuid.UUID
			Same     bool
			Recent   int
		}
		// One at a time for an account, and none while it becomes a member.
		if _, err := tx.Exec(ctx, `SELECT FROM accounts a WHERE a.id = @account FOR UPDATE`, pgx.StrictNamedArgs{"account": v.Account}); err != nil {
			return err
		}
		is, err := pg.One[row](ctx, tx, `
			SELECT
				a.member_id,
				w.id AS waits,
				COALESCE(w.display_name = @name AND w.grade = @grade, false) AS same,
				(
					SELECT count(*)
					FROM membership_applications ap
					WHERE ap.account_id = a.id AND ap.submitted_at > now() - interval '30 days'
				) AS recent
			FROM accounts a
			LEFT JOIN membership_applications w ON w.account_id = a.id AND w.decision IS NULL
			WHERE a.id = @account AND a.email_verified_at IS NOT NULL`,
			pgx.StrictNamedArgs{"account": v.Account, "name": in.DisplayName, "grade": in.Grade})
		switch {
		case err != nil:
			return err
		case is.MemberID != nil:
			return errs.Invalidf("input", "you are on the register already; renew your membership, or write to the membership office")
		case is.Same:
			id = *is.Waits
			return nil
		case is.Waits != nil:
			return errs.Invalidf("input", "another application of yours waits to be decided; withdraw it first")
		case is.Recent >= applicationsAMonth:
			return errs.Invalidf("input", "you applied %d times in thirty days; write to the membership office", is.Recent)
		}
		id = uuid.Must(uuid.NewV7())
		_, err = tx.Exec(ctx, `
			INSERT INTO membership_applications (id, account_id, display_name, grade)
			VALUES (@id, @account, @name, @grade)`,
			pgx.StrictNamedArgs{"id": id, "account": v.Account, "name": in.DisplayName, "grade": in.Grade})
		return err
	})
	if err != nil {
		return nil, err
	}
	return s.application(ctx, v, id)
}

// Acceptance accepts an application; the membership begins on a day, today if it is
// nil.
type Acceptance struct {
	Application uuid.UUID
	StartsOn    *time.Time
	// Member is who the applicant is already: somebody on the register who has no account.
	// Nil makes a new member.
	Member *uuid.UUID
}

// Accept makes the applicant a member, with a number and a first period, and has a
// mail sent. Or the applicant's account becomes that of a member there is, whose record
// and membership stay as they are: bad input if that one has an account. An application that is accepted already stays as it is; one that was
// decided otherwise is errs.Conflict.
func (s *Store) Accept(ctx context.Context, v viewer.Viewer, in Acceptance) (_ *Application, err error) {
	defer errs.Wrap(&err, "membership.Accept(%s)", in.Application)
	err = pgx.BeginFunc(ctx, s.DB, func(tx pgx.Tx) error {
		type applicant struct {
			AccountID   uuid.UUID
			DisplayName string
			Grade       string
			Today       time.Time
		}
		a, err := pg.One[applicant](ctx, tx, `
			UPDATE membership_applications ap
			SET decision = 'ACCEPTED', decided_at = now(), decided_by = @account
			FROM accounts a
			WHERE ap.id = @id
				AND ap.decision IS NULL
				AND a.id = ap.account_id
				AND a.email_verified_at IS NOT NULL
				AND a.member_id IS NULL
			RETURNING ap.account_id, ap.display_name, ap.grade, CURRENT_DATE AS today`,
			pgx.StrictNamedArgs{"id": in.Application, "account": v.Account})
		if errors.Is(err, errs.NotFound) {
			return within(tx).decided(ctx, v, in.Application, Accepted)
		}
		if err != nil {
			return err
		}
		if in.Member != nil {
			if err := within(tx).link(ctx, v, a.AccountID, in); err != nil {
				return err
			}
			return s.enqueue(ctx, tx, MailArgs{Mail: acceptedMail, Application: in.Application})
		}
		starts := dayOr(in.StartsOn, a.Today)
		if starts.Before(a.Today) || starts.After(a.Today.AddDate(1, 0, 0)) {
			return errs.Invalidf("input.startsOn", "pass today or a later day within a year")
		}
		member := uuid.Must(uuid.NewV7())
		if err := enrol(ctx, tx, member, a.DisplayName, a.Grade, starts); err != nil {
			return err
		}
		if _, err := tx.Exec(ctx, `
			WITH period AS (
				UPDATE membership_periods p
				SET ends_on = (p.starts_on + make_interval(months => r.period_months))::date - 1
				FROM membership_rules r
				WHERE p.member_id = @member
					AND r.grade = p.grade
					AND r.since <= CURRENT_DATE
					AND (r.until IS NULL OR r.until > CURRENT_DATE)
				RETURNING p.ends_on
			), linked AS (
				UPDATE accounts SET member_id = @member WHERE id = @account
			)
			UPDATE membership_events SET ends_on = period.ends_on FROM period WHERE member_id = @member`,
			pgx.StrictNamedArgs{"member": member, "account": a.AccountID}); err != nil {
			return err
		}
		return s.enqueue(ctx, tx, MailArgs{Mail: acceptedMail, Application: in.Application})
	})
	if err != nil {
		return nil, err
	}
	return s.application(ctx, v, in.Application)
}

// link makes an account that of a member there is.
func (s *Store) link(ctx context.Context, v viewer.Viewer, account uuid.UUID, in Acceptance) error {
	if in.StartsOn != nil {
		return errs.Invalidf("input.startsOn", "leave it out: the membership of who is on the register goes on as it is")
	}
	found, err := s.Records(ctx, v, []uuid.UUID{*in.Member})
	if err != nil {
		return err
	}
	if found[*in.Member] == nil {
		return errs.Invalidf("input.member", "there is no such member")
	}
	_, err = s.DB.Exec(ctx, `UPDATE accounts SET member_id = @member WHERE id = @account`,
		pgx.StrictNamedArgs{"member": in.Member, "account": account})
	if pg.Constraint(err) == "accounts_member_unique" {
		return errs.Invalidf("input.member", "the member has an account already")
	}
	return err
}

// enrol makes a member with the next number that nobody has.
func enrol(ctx context.Context, tx pgx.Tx, id uuid.UUID, name, grade string, joined time.Time) error {
	for {
		made, err := tx.Exec(ctx, `
			INSERT INTO members (id, key, display_name, sort_name, grade, joined_on)
			VALUES (@id, 'M' || nextval('member_numbers'), @name, @sort_name, @grade, @joined)
			ON CONFLICT (key) DO NOTHING`,
			pgx.StrictNamedArgs{"id": id, "name": name, "sort_name": person.SortName(name), "grade": grade, "joined": joined})
		if err != nil || made.RowsAffected() == 1 {
			return err
		}
	}
}

// Refusal declines an application. The applicant is told the reason.
type Refusal struct {
	Application uuid.UUID
	Reason      string
}

// Decline declines an application and has a mail sent. One that is declined already
// stays as it is; one that was decided otherwise is errs.Conflict.
func (s *Store) Decline(ctx context.Context, v viewer.Viewer, in Refusal) (_ *Application, err error) {
	defer errs.Wrap(&err, "membership.Decline(%s)", in.Application)
	if in.Reason, err = text("input.reason", in.Reason, 1000); err != nil {
		return nil, err
	}
	err = pgx.BeginFunc(ctx, s.DB, func(tx pgx.Tx) error {
		declined, err := tx.Exec(ctx, `
			UPDATE membership_applications ap
			SET decision = 'DECLINED', decided_at = now(), decided_by = @account, reason = @reason
			FROM accounts a
			WHERE ap.id = @id AND ap.decision IS NULL AND a.id = ap.account_id AND a.email_verified_at IS NOT NULL`,
			pgx.StrictNamedArgs{"id": in.Application, "account": v.Account, "reason": in.Reason})
		if err != nil {
			return err
		}
		if declined.RowsAffected() == 0 {
			return within(tx).decided(ctx, v, in.Application, Declined)
		}
		return s.enqueue(ctx, tx, MailArgs{Mail: declinedMail, Application: in.Application})
	})
	if err != nil {
		return nil, err
	}
	return s.application(ctx, v, in.Application)
}

// Withdraw withdraws the viewer's own application.
func (s *Store) Withdraw(ctx context.Context, v viewer.Viewer) (_ *Application, err error) {
	defer errs.Wrap(&err, "membership.Withdraw")
	id, err := pg.Scalar[uuid.UUID](ctx, s.DB, `
		UPDATE membership_applications
		SET decision = 'WITHDRAWN', decided_at = now(), decided_by = @account
		WHERE account_id = @account AND decision IS NULL
		RETURNING id`,
		pgx.StrictNamedArgs{"account": v.Account})
	if errors.Is(err, errs.NotFound) {
		return nil, errs.Invalidf("", "you have no application that waits")
	}
	if err != nil {
		return nil, err
	}
	return s.application(ctx, v, id)
}

func within(tx pgx.Tx) *Store { return &Store{DB: tx} }

// decided says of an application that can't be decided why: nil if it was decided
// just so.
func (s *Store) decided(ctx context.Context, v viewer.Viewer, id uuid.UUID, as ApplicationStatus) error {
	a, err := s.application(ctx, v, id)
	if err != nil {
		return err
	}
	switch a.ApplicationStatus {
	case as:
		return nil
	case Submitted:
		return errs.Sayf(errs.Conflict, "input.application", "the applicant is on the register already; decline the application")
	case Withdrawn:
		return errs.Sayf(errs.Conflict, "input.application", "the applicant has withdrawn the application; they can apply again")
	}
	return errs.Sayf(errs.Conflict, "input.application", "the application was %s already; it can't be decided again", strings.ToLower(string(a.ApplicationStatus)))
}

func (s *Store) application(ctx context.Context, v viewer.Viewer, id uuid.UUID) (*Application, error) {
	byID, err := s.ApplicationsByID(ctx, v, []uuid.UUID{id})
	if err == nil && byID[id] == nil {
		return nil, errs.Invalidf("input.application", "there is no such application")
	}
	return byID[id], err
}
