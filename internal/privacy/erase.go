package privacy

import (
	"context"
	"errors"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/riverqueue/river"

	"github.com/collegium/collegium/internal/errs"
	"github.com/collegium/collegium/internal/once"
	"github.com/collegium/collegium/internal/page"
	"github.com/collegium/collegium/internal/pg"
	"github.com/collegium/collegium/internal/reads"
	"github.com/collegium/collegium/internal/viewer"
)

const erasureColumns = `
	e.id,
	e.by_staff,
	e.requested_at,
	e.due_at,
	e.cancelled_at,
	e.executed_at,
	COALESCE(e.member_id, (SELECT a.member_id FROM accounts a WHERE a.id = e.account_id)) AS member_id,
	e.account_id`

// Request asks that somebody is erased: a member with their account, who must be the
// viewer unless the viewer keeps the register; or, with no member, the viewer. Nothing
// is erased before the wait is over. Asking again returns the request there is. An
// unknown member is errs.NotFound to who keeps the register, and to others the same as
// a known one: errs.Forbidden. ErrLastAdministrator if nobody could manage accounts any
// more.
func (s *Store) Request(ctx context.Context, v viewer.Viewer, member *uuid.UUID) (e *Erasure, err error) {
	defer errs.Wrap(&err, "privacy.Request")
	byStaff := member != nil && *member != v.MemberID
	if byStaff && !v.May(viewer.ManageRegister) {
		return nil, errs.Forbidden
	}
	type row struct {
		MemberID, AccountID *uuid.UUID
		LastAdministrator   bool
	}
	err = s.own(ctx, func(tx pgx.Tx) error {
		p, err := pg.One[row](ctx, tx, `
			SELECT
				m.id AS member_id,
				a.id AS account_id,
				COALESCE(a.suspended_at IS NULL
					AND EXISTS (SELECT FROM account_roles r WHERE r.account_id = a.id AND r.role = 'ADMINISTRATOR')
					AND NOT EXISTS (
						SELECT
						FROM account_roles r
						JOIN accounts o ON o.id = r.account_id
						WHERE r.role = 'ADMINISTRATOR' AND o.id <> a.id AND o.suspended_at IS NULL
					), false) AS last_administrator
			FROM accounts a
			FULL JOIN members m ON m.id = a.member_id
			WHERE CASE WHEN @staff THEN m.id = @member ELSE a.id = @account END
				AND NOT EXISTS (SELECT FROM former_members f WHERE f.member_id = m.id)`,
			pgx.StrictNamedArgs{"staff": byStaff, "member": member, "account": v.Account})
		if err != nil {
			return err
		}
		e, err = s.open(ctx, tx, Person{p.MemberID, p.AccountID})
		if !errors.Is(err, errs.NotFound) {
			return err
		}
		if p.LastAdministrator {
			return ErrLastAdministrator
		}
		e, err = pg.One[Erasure](ctx, tx, `
			INSERT INTO erasures AS e (member_id, account_id, by_staff, due_at)
			SELECT @member, @account, @staff, now() + r.lasts
			FROM retention_rules r
			WHERE r.rule = 'ERASURE_WAIT'
			RETURNING`+erasureColumns,
			pgx.StrictNamedArgs{"member": p.MemberID, "account": p.AccountID, "staff": byStaff})
		if c := pg.Constraint(err); c == "erasures_one_of_member" || c == "erasures_one_of_account" {
			return errs.Conflict // asked for at the same time
		}
		if err == nil && s.Asked != nil && p.AccountID != nil {
			err = s.Asked(ctx, tx, *p.AccountID)
		}
		return err
	})
	return noted(ctx, v, e, err)
}

// noted returns an erasure, of which whom it is about is told that the viewer read it.
func noted(ctx context.Context, v viewer.Viewer, e *Erasure, err error) (*Erasure, error) {
	if err != nil {
		return nil, err
	}
	reads.Note(ctx, v, []*Erasure{e}, (*Erasure).of, reads.Erasure)
	return e, nil
}

// open returns the request that waits to erase somebody.
func (s *Store) open(ctx context.Context, q pg.Querier, p Person) (*Erasure, error) {
	return pg.One[Erasure](ctx, q, `
		SELECT`+erasureColumns+`
		FROM erasures e
		WHERE (e.member_id = @member OR e.account_id = @account) AND e.executed_at IS NULL AND e.cancelled_at IS NULL`,
		pgx.StrictNamedArgs{"member": p.MemberID, "account": p.AccountID})
}

// ErasuresByID returns requests to erase the viewer, and to who keeps the register those
// to erase anybody, however they stand.
func (s *Store) ErasuresByID(ctx context.Context, v viewer.Viewer, ids []uuid.UUID) (_ map[uuid.UUID]*Erasure, err error) {
	defer errs.Wrap(&err, "privacy.ErasuresByID(%d)", len(ids))
	found, err := pg.All[Erasure](ctx, s.Own, `
		SELECT`+erasureColumns+`
		FROM erasures e
		WHERE e.id = ANY(@ids) AND (@staff OR e.account_id = @account OR e.member_id = @member)`,
		pgx.StrictNamedArgs{"ids": ids, "staff": v.May(viewer.ManageRegister), "account": v.Account, "member": v.MemberID})
	reads.Note(ctx, v, found, (*Erasure).of, reads.Erasure)
	return pg.ByKey(found, func(e *Erasure) uuid.UUID { return e.ID }), err
}

// Open returns the request that waits to erase the viewer; errs.NotFound if there is
// none.
func (s *Store) Open(ctx context.Context, v viewer.Viewer) (_ *Erasure, err error) {
	defer errs.Wrap(&err, "privacy.Open")
	p := Person{AccountID: &v.Account}
	if v.MemberID != uuid.Nil {
		p.MemberID = &v.MemberID
	}
	return s.open(ctx, s.Own, p)
}

var byDue = pg.Sort{
	After:    `(e.due_at, e.id) > (@after_due, @after_id::uuid)`,
	Before:   `(e.due_at, e.id) < (@before_due, @before_id::uuid)`,
	Forward:  `due_at, id`,
	Backward: `due_at DESC, id DESC`,
}

const waiting = `
	FROM erasures e
	WHERE e.executed_at IS NULL AND e.cancelled_at IS NULL AND @staff`

// Waiting returns a page of the requests that wait, the first due first, to who keeps
// the register.
func (s *Store) Waiting(ctx context.Context, v viewer.Viewer, args page.Args) (_ *Erasures, err error) {
	defer errs.Wrap(&err, "privacy.Waiting")
	k, err := args.Keyset(2)
	if err != nil {
		return nil, err
	}
	named := pgx.StrictNamedArgs{"limit": pg.Limit(k), "staff": v.May(viewer.ManageRegister)}
	err = pg.EachCursor(k, func(name string, key []string) error {
		due, badTime := time.Parse(time.RFC3339Nano, key[0])
		id, badID := uuid.Parse(key[1])
		if errors.Join(badTime, badID) != nil {
			return errs.Invalidf(name, "not a cursor of this list; pass a cursor that the same list returned")
		}
		named[name+"_due"], named[name+"_id"] = due, id
		return nil
	})
	if err != nil {
		return nil, err
	}
	rows, err := pg.All[Erasure](ctx, s.Own, pg.Paged(`SELECT`+erasureColumns+waiting+byDue.Bounds(k)+byDue.OrderBy(k)), named)
	if err != nil {
		return nil, err
	}
	found := page.New(k, rows, func(e *Erasure) []string {
		return []string{e.DueAt.UTC().Format(time.RFC3339Nano), e.ID.String()}
	})
	reads.Note(ctx, v, found.Nodes(), (*Erasure).of, reads.Erasure)
	return &found, nil
}

// WaitingTotal returns how many requests wait.
func (s *Store) WaitingTotal(ctx context.Context, v viewer.Viewer) (_ int, err error) {
	defer errs.Wrap(&err, "privacy.WaitingTotal")
	return pg.Scalar[int](ctx, s.Own, `SELECT count(*)`+waiting, pgx.StrictNamedArgs{"staff": v.May(viewer.ManageRegister)})
}

// Cancel takes a request back: the person, or who keeps the register. ErrEnded if it
// was done or taken back before. To others there is no such request.
func (s *Store) Cancel(ctx context.Context, v viewer.Viewer, id uuid.UUID) (e *Erasure, err error) {
	defer errs.Wrap(&err, "privacy.Cancel(%s)", id)
	err = s.own(ctx, func(tx pgx.Tx) error {
		e, err = pg.One[Erasure](ctx, tx, `
			SELECT`+erasureColumns+`
			FROM erasures e
			WHERE e.id = @id AND (@staff OR e.account_id = @account OR e.member_id = @member)
			FOR UPDATE`,
			pgx.StrictNamedArgs{"id": id, "staff": v.May(viewer.ManageRegister), "account": v.Account, "member": v.MemberID})
		if errors.Is(err, errs.NotFound) {
			return errs.Sayf(errs.NotFound, "input.id", "there is no such erasure that you may take back")
		}
		if err != nil {
			return err
		}
		switch e.Status() {
		case Done:
			return errs.Sayf(ErrEnded, "input.id", "the erasure was done already")
		case Cancelled:
			return errs.Sayf(ErrEnded, "input.id", "the erasure was taken back already")
		}
		e, err = pg.One[Erasure](ctx, tx, `
			UPDATE erasures AS e SET cancelled_at = now() WHERE e.id = @id
			RETURNING`+erasureColumns,
			pgx.StrictNamedArgs{"id": id})
		return err
	})
	return noted(ctx, v, e, err)
}

// Execute erases whom a request is about, in one transaction: everywhere or nowhere.
// ErrNotDue as long as it waits, ErrEnded if it was done or taken back, and
// ErrLastAdministrator, with which it goes on waiting, if the others have left meanwhile.
func (s *Store) Execute(ctx context.Context, id uuid.UUID) (err error) {
	defer errs.Wrap(&err, "privacy.Execute(%s)", id)
	type row struct {
		MemberID, AccountID *uuid.UUID
		Ended, Due          bool
	}
	return s.own(ctx, func(tx pgx.Tx) error {
		e, err := pg.One[row](ctx, tx, `
			SELECT
				COALESCE(e.member_id, a.member_id) AS member_id,
				COALESCE(e.account_id, m.id) AS account_id,
				COALESCE(e.executed_at, e.cancelled_at) IS NOT NULL AS ended,
				e.due_at <= now() AS due
			FROM erasures e
			-- An account that came to the member after the request, and the reverse.
			LEFT JOIN accounts a ON a.id = e.account_id
			LEFT JOIN accounts m ON m.member_id = e.member_id
			WHERE e.id = @id
			FOR UPDATE OF e`,
			pgx.StrictNamedArgs{"id": id})
		switch {
		case err != nil:
			return err
		case e.Ended:
			return ErrEnded
		case !e.Due:
			return ErrNotDue
		}
		err = erase(ctx, tx, id, Person{e.MemberID, e.AccountID})
		if pg.Constraint(err) == "accounts_one_administrator" {
			return ErrLastAdministrator
		}
		return err
	})
}

func erase(ctx context.Context, tx pgx.Tx, id uuid.UUID, p Person) error {
	former := uuid.New()
	more := pgx.StrictNamedArgs{"erasure": id, "former": former}
	if p.MemberID != nil {
		// Nobody changes the person meanwhile.
		if _, err := tx.Exec(ctx, `SELECT FROM members m WHERE m.id = @member FOR UPDATE`, pgx.StrictNamedArgs{"member": p.MemberID}); err != nil {
			return err
		}
		if _, err := tx.Exec(ctx, `
			WITH record AS (
				INSERT INTO members (id, key, display_name, sort_name, grade, joined_on)
				SELECT @former, 'former-' || @former::uuid, 'Former member', 'Former member', m.grade, m.joined_on
				FROM members m
				WHERE m.id = @member
				RETURNING id
			)
			INSERT INTO former_members (member_id, kept_until)
			SELECT record.id, (CURRENT_DATE + r.lasts)::date
			FROM record
			CROSS JOIN retention_rules r
			WHERE r.rule = 'MEMBERSHIP_EXISTED'`,
			pgx.StrictNamedArgs{"former": former, "member": p.MemberID}); err != nil {
			return err
		}
	}
	for i, t := range Tables {
		var rows int64
		for _, sql := range t.statements() {
			done, err := tx.Exec(ctx, sql, p.args(sql, more))
			if err != nil {
				return err
			}
			rows = done.RowsAffected()
		}
		if rows == 0 {
			continue
		}
		var rule *string
		if t.Fate.Rule != "" {
			rule = &t.Fate.Rule
		}
		if _, err := tx.Exec(ctx, `
			INSERT INTO erasure_parts (erasure_id, position, table_name, row_count, rule, kept_until)
			SELECT @id, @position, @table, @rows, @rule::text,
				(SELECT (CURRENT_DATE + r.lasts)::date FROM retention_rules r WHERE r.rule = @rule)`,
			pgx.StrictNamedArgs{"id": id, "position": i, "table": t.Name, "rows": rows, "rule": rule}); err != nil {
			return err
		}
	}
	return nil
}

// ExecuteNow executes a request whose wait is over, for who keeps the register, and
// returns it.
func (s *Store) ExecuteNow(ctx context.Context, id uuid.UUID) (_ *Erasure, err error) {
	if err := s.Execute(ctx, id); err != nil {
		return nil, err
	}
	return pg.One[Erasure](ctx, s.Own, `SELECT`+erasureColumns+` FROM erasures e WHERE e.id = @id`, pgx.StrictNamedArgs{"id": id})
}

// Certificate returns what an erasure did. Whoever has its ID may read it; errs.NotFound
// if there is none, or if it waits.
func (s *Store) Certificate(ctx context.Context, id uuid.UUID) (_ *Certificate, err error) {
	defer errs.Wrap(&err, "privacy.Certificate")
	return pg.One[Certificate](ctx, s.Own, `
		SELECT
			e.id,
			e.requested_at,
			e.executed_at,
			e.by_staff,
			COALESCE((
				SELECT jsonb_agg(jsonb_build_object('table', p.table_name, 'rows', p.row_count,
					'rule', p.rule, 'reason', r.reason, 'kept_until', p.kept_until) ORDER BY p.position)
				FROM erasure_parts p
				LEFT JOIN retention_rules r ON r.rule = p.rule
				WHERE p.erasure_id = e.id
			), '[]') AS parts
		FROM erasures e
		WHERE e.id = @id AND e.executed_at IS NOT NULL`,
		pgx.StrictNamedArgs{"id": id})
}

// Sweep executes the requests whose wait is over, and removes the nameless records
// that were kept long enough and no post was held by, and idempotency keys whose time is
// over. An erasure that fails doesn't hold up the others.
func (s *Store) Sweep(ctx context.Context) (err error) {
	defer errs.Wrap(&err, "privacy.Sweep")
	due, err := pg.Scalars[uuid.UUID](ctx, s.Own, `
		SELECT e.id
		FROM erasures e
		WHERE e.due_at <= now() AND e.executed_at IS NULL AND e.cancelled_at IS NULL
		ORDER BY e.due_at`)
	if err != nil {
		return err
	}
	var failed []error
	for _, id := range due {
		switch err := s.Execute(ctx, id); {
		case errors.Is(err, ErrLastAdministrator):
			s.log().WarnContext(ctx, "an erasure waits: nobody else is an administrator", "erasure", id)
		case err != nil && !errors.Is(err, ErrEnded):
			failed = append(failed, err)
		}
	}
	if _, err := s.Own.Exec(ctx, `
		DELETE FROM members m
		USING former_members f
		WHERE f.member_id = m.id AND f.kept_until <= CURRENT_DATE AND NOT EXISTS (SELECT FROM terms t WHERE t.member_id = m.id)`); err != nil {
		failed = append(failed, err)
	}
	if err := once.Purge(ctx, s.Own); err != nil {
		failed = append(failed, err)
	}
	return errors.Join(failed...)
}

// own runs a transaction with the rights of the service.
func (s *Store) own(ctx context.Context, run func(pgx.Tx) error) error {
	return pgx.BeginFunc(ctx, s.Own, run)
}

// SweepArgs is the job that sweeps.
type SweepArgs struct{}

// Kind names the job in the queue.
func (SweepArgs) Kind() string { return "privacy_sweep" }

// SweepWorker sweeps.
type SweepWorker struct {
	river.WorkerDefaults[SweepArgs]
	Store *Store
}

// Work sweeps once.
func (w *SweepWorker) Work(ctx context.Context, _ *river.Job[SweepArgs]) error {
	return w.Store.Sweep(ctx)
}

// SweepEvery is how often erasures whose wait is over are executed.
const SweepEvery = time.Hour

// Schedule has the queue sweep, at once and then every so often. One process of all
// that serve does it.
func Schedule(queue *pg.Queue) {
	queue.PeriodicJobs().Add(river.NewPeriodicJob(river.PeriodicInterval(SweepEvery),
		func() (river.JobArgs, *river.InsertOpts) { return SweepArgs{}, &river.InsertOpts{MaxAttempts: 3} },
		&river.PeriodicJobOpts{RunOnStart: true}))
}
