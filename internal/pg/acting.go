package pg

import (
	"context"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgxpool"
)

// Actor is for whom statements run. The database reads it from the settings collegium.account, collegium.application,
// collegium.member, collegium.unit, collegium.permissions and collegium.request, which hold only for the transaction:
// policies decide by it which rows there are, and the audit trail says who wrote. What is empty is nobody.
type Actor struct {
	// Account, Application, Member and Unit are IDs.
	Account, Application, Member, Unit string
	// Permissions are the names of what the actor may do, separated by commas.
	Permissions string
	// Request is the id of the request.
	Request string
}

// act makes the settings. They end with the transaction, so nobody else who uses the connection has them.
const act = `
	SELECT
		set_config('collegium.account', $1, true),
		set_config('collegium.application', $2, true),
		set_config('collegium.member', $3, true),
		set_config('collegium.unit', $4, true),
		set_config('collegium.permissions', $5, true),
		set_config('collegium.request', $6, true)`

func (a *Actor) args() []any {
	return []any{a.Account, a.Application, a.Member, a.Unit, a.Permissions, a.Request}
}

// Act makes the rest of a transaction run for the actor.
func Act(ctx context.Context, tx pgx.Tx, a Actor) error {
	_, err := tx.Exec(ctx, act, a.args()...)
	return err
}

type actorKey struct{}

// WithActor returns a context whose statements, sent through an Acting, run for the actor.
func WithActor(ctx context.Context, a Actor) context.Context {
	return context.WithValue(ctx, actorKey{}, &a)
}

// ActorFrom returns for whom the statements of a context run.
func ActorFrom(ctx context.Context) Actor {
	if a := actorFrom(ctx); a != nil {
		return *a
	}
	return Actor{}
}

func actorFrom(ctx context.Context) *Actor {
	a, _ := ctx.Value(actorKey{}).(*Actor)
	return a
}

// Acting is a pool whose statements run for the actor of their context. The settings and the statement go to the server
// together and are one transaction, so an actor costs no round trip. Without an actor it is the pool.
type Acting struct{ Pool *pgxpool.Pool }

var _ Querier = Acting{}

// Query is that of the pool, for the actor.
func (q Acting) Query(ctx context.Context, sql string, args ...any) (pgx.Rows, error) {
	a := actorFrom(ctx)
	if a == nil {
		return q.Pool.Query(ctx, sql, args...)
	}
	b := &pgx.Batch{}
	b.Queue(act, a.args()...)
	b.Queue(sql, args...)
	results := q.Pool.SendBatch(ctx, b)
	if _, err := results.Exec(); err != nil {
		_ = results.Close()
		return nil, err
	}
	rows, err := results.Query()
	if err != nil {
		_ = results.Close()
		return nil, err
	}
	return &batchRows{Rows: rows, batch: results}, nil
}

// batchRows are the rows of the last statement of a batch: closed, they close the batch.
type batchRows struct {
	pgx.Rows
	batch pgx.BatchResults
	err   error
}

func (r *batchRows) Next() bool {
	if r.Rows.Next() {
		return true
	}
	r.Close()
	return false
}

func (r *batchRows) Close() {
	r.Rows.Close()
	if err := r.batch.Close(); r.err == nil {
		r.err = err // of a constraint that is checked at the end of the transaction
	}
}

func (r *batchRows) Err() error {
	if err := r.Rows.Err(); err != nil {
		return err
	}
	return r.err
}

// QueryRow is that of the pool, for the actor.
func (q Acting) QueryRow(ctx context.Context, sql string, args ...any) pgx.Row {
	if actorFrom(ctx) == nil {
		return q.Pool.QueryRow(ctx, sql, args...)
	}
	rows, err := q.Query(ctx, sql, args...)
	return &onlyRow{rows, err}
}

type onlyRow struct {
	rows pgx.Rows
	err  error
}

func (r *onlyRow) Scan(dest ...any) error {
	if r.err != nil {
		return r.err
	}
	defer r.rows.Close()
	if !r.rows.Next() {
		if err := r.rows.Err(); err != nil {
			return err
		}
		return pgx.ErrNoRows
	}
	if err := r.rows.Scan(dest...); err != nil {
		return err
	}
	r.rows.Close()
	return r.rows.Err()
}

// Exec is that of the pool, for the actor.
func (q Acting) Exec(ctx context.Context, sql string, args ...any) (tag pgconn.CommandTag, err error) {
	a := actorFrom(ctx)
	if a == nil {
		return q.Pool.Exec(ctx, sql, args...)
	}
	b := &pgx.Batch{}
	b.Queue(act, a.args()...)
	b.Queue(sql, args...)
	results := q.Pool.SendBatch(ctx, b)
	if _, err = results.Exec(); err == nil {
		tag, err = results.Exec()
	}
	if e := results.Close(); err == nil {
		err = e // a constraint that is checked at the end of the transaction
	}
	return tag, err
}

// SendBatch is that of the pool, for the actor.
func (q Acting) SendBatch(ctx context.Context, b *pgx.Batch) pgx.BatchResults {
	a := actorFrom(ctx)
	if a == nil {
		return q.Pool.SendBatch(ctx, b)
	}
	all := &pgx.Batch{}
	all.Queue(act, a.args()...)
	all.QueuedQueries = append(all.QueuedQueries, b.QueuedQueries...)
	results := q.Pool.SendBatch(ctx, all)
	_, _ = results.Exec() // if it failed, so does all that follows
	return results
}

// CopyFrom is that of the pool, for the actor.
func (q Acting) CopyFrom(ctx context.Context, table pgx.Identifier, columns []string, rows pgx.CopyFromSource) (n int64, err error) {
	if actorFrom(ctx) == nil {
		return q.Pool.CopyFrom(ctx, table, columns, rows)
	}
	err = pgx.BeginFunc(ctx, q, func(tx pgx.Tx) error {
		n, err = tx.CopyFrom(ctx, table, columns, rows)
		return err
	})
	return n, err
}

// Begin is that of the pool, for the actor.
func (q Acting) Begin(ctx context.Context) (pgx.Tx, error) {
	tx, err := q.Pool.Begin(ctx)
	if a := actorFrom(ctx); err == nil && a != nil {
		if err := Act(ctx, tx, *a); err != nil {
			_ = tx.Rollback(ctx)
			return nil, err
		}
	}
	return tx, err
}
