package audit

import (
	"context"
	"log/slog"
	"strconv"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"github.com/collegium/collegium/internal/errs"
	"github.com/collegium/collegium/internal/node"
	"github.com/collegium/collegium/internal/page"
	"github.com/collegium/collegium/internal/pg"
)

const columns = `
	e.id AS number,
	e.written_at,
	e.actor AS actor_pseudonym,
	actor.person_id AS actor_id,
	e.actor_roles,
	e.application_id,
	e.program,
	e.request_id,
	e.operation,
	e.table_name,
	e.row_key,
	e.row_count,
	e.columns,
	e.subject AS subject_pseudonym,
	subject.person_id AS subject_id,
	EXISTS (SELECT FROM members m WHERE m.id = subject.person_id) AS subject_is_member,
	c.hash`

const tables = `
	audit_entries e
	LEFT JOIN audit_chain c ON c.entry_id = e.id
	LEFT JOIN audit_people actor ON actor.pseudonym = e.actor
	LEFT JOIN audit_people subject ON subject.pseudonym = e.subject`

var newestFirst = pg.Sort{
	After: `e.id < @after`, Before: `e.id > @before`,
	Forward: `e.id DESC`, Backward: `e.id`,
}

// Trail returns a page of the entries, the newest first. Who may ask is decided by
// whoever calls. An actor or a subject that is unknown or erased has no entries.
func (s *Store) Trail(ctx context.Context, f *Filter, a page.Args) (_ *Connection, err error) {
	defer errs.Wrap(&err, "audit.Trail")
	k, err := a.Keyset(1)
	if err != nil {
		return nil, err
	}
	args := pgx.StrictNamedArgs{"limit": pg.Limit(k)}
	if err := pg.EachCursor(k, func(name string, key []string) error {
		if args[name], err = strconv.ParseInt(key[0], 10, 64); err != nil {
			return errs.Invalidf(name, "not a cursor of this list; pass a cursor that the same list returned")
		}
		return nil
	}); err != nil {
		return nil, err
	}
	where, err := f.conditions(args)
	if err != nil {
		return nil, err
	}
	rows, err := pg.All[Entry](ctx, s.DB, pg.Paged(`
		SELECT`+columns+`
		FROM`+tables+`
		WHERE true`+where+newestFirst.Bounds(k)+newestFirst.OrderBy(k)), args)
	if err != nil {
		return nil, err
	}
	if len(rows) == 0 && f != nil && f.Table != nil {
		known, err := pg.Scalar[bool](ctx, s.DB, `
			SELECT EXISTS (
				SELECT FROM pg_class c
				WHERE c.relname = @table AND c.relkind = 'r' AND c.relnamespace = current_schema()::regnamespace)`,
			pgx.StrictNamedArgs{"table": *f.Table})
		if err != nil {
			return nil, err
		}
		if !known {
			return nil, errs.Invalidf("filter.table", "there is no table %.70q; pass the name of one of the database, as members", *f.Table)
		}
	}
	c := page.New(k, rows, func(e *Entry) []string { return []string{strconv.FormatInt(e.Number, 10)} })
	return &c, nil
}

// conditions returns the conditions in SQL and sets their arguments.
func (f *Filter) conditions(args pgx.StrictNamedArgs) (string, error) {
	if f == nil {
		return "", nil
	}
	sql := ""
	if f.Actor != nil {
		id, err := node.ParseOf("filter.actor", "Account", *f.Actor)
		if err != nil {
			return "", err
		}
		sql, args["actor"] = sql+` AND e.actor = (SELECT p.pseudonym FROM audit_people p WHERE p.person_id = @actor)`, id
	}
	if f.Subject != nil {
		id, err := node.ParseOf("filter.subject", "Member", *f.Subject)
		if err != nil {
			if id, err = node.ParseOf("filter.subject", "Account", *f.Subject); err != nil {
				return "", errs.Invalidf("filter.subject", "%.80q is no ID of a member or an account", *f.Subject)
			}
		}
		sql, args["subject"] = sql+` AND e.subject = (SELECT p.pseudonym FROM audit_people p WHERE p.person_id = @subject)`, id
	}
	if f.Table != nil {
		sql, args["table"] = sql+` AND e.table_name = @table`, *f.Table
	}
	if f.Operation != nil {
		sql, args["operation"] = sql+` AND e.operation = @operation`, *f.Operation
	}
	if f.Request != nil {
		sql, args["request"] = sql+` AND e.request_id = @request`, *f.Request
	}
	if f.Since != nil {
		sql, args["since"] = sql+` AND e.written_at >= @since`, *f.Since
	}
	if f.Until != nil {
		sql, args["until"] = sql+` AND e.written_at < @until`, *f.Until
	}
	return sql, nil
}

// sealAtOnce is how many entries are put into the chain in one transaction.
const sealAtOnce = 1000

// Seal puts the entries of all transactions that are over into the chain.
func (s *Store) Seal(ctx context.Context) (sealed int, err error) {
	defer errs.Wrap(&err, "audit.Seal")
	for {
		n, err := pg.Scalar[int](ctx, s.DB, `SELECT audit_seal(@most)`, pgx.StrictNamedArgs{"most": sealAtOnce})
		sealed += n
		if err != nil || n < sealAtOnce {
			return sealed, err
		}
	}
}

// Follow seals what is written until ctx ends: every so often, at once when it
// begins. It logs the head of the chain now and then, so that there is a record of it
// outside the database.
func (s *Store) Follow(ctx context.Context, every time.Duration, log *slog.Logger) {
	tick := time.NewTicker(every)
	defer tick.Stop()
	var told time.Time
	for {
		n, err := s.Seal(ctx)
		switch {
		case ctx.Err() != nil:
			return
		case err != nil:
			log.Warn("the audit can't be sealed", "error", err)
		case n > 0 && time.Since(told) > headEvery:
			told = time.Now()
			if head, err := s.Head(ctx); err == nil {
				log.Info("audit", "head", head.String())
			}
		}
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
	}
}

// headEvery is how often the head of the chain is logged at most.
const headEvery = time.Hour

// Person returns the entries about a member or an account, the oldest first.
func (s *Store) Person(ctx context.Context, id uuid.UUID) (_ []*Entry, err error) {
	defer errs.Wrap(&err, "audit.Person(%s)", id)
	return pg.All[Entry](ctx, s.DB, `
		SELECT`+columns+`
		FROM`+tables+`
		WHERE e.subject = (SELECT p.pseudonym FROM audit_people p WHERE p.person_id = @id)
		ORDER BY e.id`,
		pgx.StrictNamedArgs{"id": id})
}
