// Package pg is how the program talks to PostgreSQL: it opens pools, collects rows into structs, counts statements and
// runs the migrations. It knows nothing of what the tables mean.
package pg

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgconn/ctxwatch"
	"github.com/jackc/pgx/v5/pgxpool"
	pgxuuid "github.com/vgarvardt/pgx-google-uuid/v5"
)

// Querier is what a store needs to ask the database. A pool, a connection and a transaction satisfy it, so a store
// method runs inside a caller's transaction without knowing.
type Querier interface {
	Query(ctx context.Context, sql string, args ...any) (pgx.Rows, error)
	QueryRow(ctx context.Context, sql string, args ...any) pgx.Row
	Exec(ctx context.Context, sql string, args ...any) (pgconn.CommandTag, error)
	SendBatch(ctx context.Context, b *pgx.Batch) pgx.BatchResults
	CopyFrom(ctx context.Context, table pgx.Identifier, columns []string, rows pgx.CopyFromSource) (int64, error)
	Begin(ctx context.Context) (pgx.Tx, error)
}

var (
	_ Querier = (*pgxpool.Pool)(nil)
	_ Querier = (*pgxpool.Conn)(nil)
	_ Querier = (*pgx.Conn)(nil)
	_ Querier = pgx.Tx(nil)
)

// Options tune a pool. For each timeout, zero means the default (or what the DSN itself says), and a negative value
// means no limit.
type Options struct {
	// ApplicationName is what pg_stat_activity shows; the default is "collegium".
	ApplicationName string

	// Role is the role as which statements run, if another than who connects: RoleGraph holds the graph to the policies on
	// rows.
	Role string

	// MaxConns is the most connections the pool opens; zero leaves it to the DSN's pool_max_conns or pgxpool's default.
	MaxConns int32

	// StatementTimeout ends a statement that runs longer; the default is 15 seconds. COPY counts as a statement.
	StatementTimeout time.Duration

	// LockTimeout ends a statement that waits longer for one lock; the default is 5 seconds.
	LockTimeout time.Duration

	// IdleInTransactionTimeout ends a session that leaves a transaction open without using it; the default is 30 seconds.
	IdleInTransactionTimeout time.Duration
}

// RoleGraph is the role as which the graph asks and writes. The migrations make it.
const RoleGraph = "collegium_graph"

const (
	defaultStatementTimeout         = 15 * time.Second
	defaultLockTimeout              = 5 * time.Second
	defaultIdleInTransactionTimeout = 30 * time.Second
)

// maxStatements bounds how many statements a connection keeps prepared, unless the DSN says otherwise with
// statement_cache_capacity: a plan takes the server 100 to 300 KiB, and the filters and orders of the directory alone make
// hundreds of texts. driverStatements is the driver's own bound.
const (
	maxStatements    = 128
	driverStatements = 512
)

// planning is how the server plans, unless the DSN says otherwise.
var planning = map[string]string{
	// A statement is planned once for each connection. For short statements planning costs more than running; in exchange
	// every text must have one plan that is good for all arguments, which a test in package graph asks of them.
	"plan_cache_mode": "force_generic_plan",
	// What is read often is in memory, where a page by an index costs what the next page costs. The server's own 4 is for
	// discs that turn, and has it read whole tables for some rows of them.
	"random_page_cost": "1.1",
	// Requests already run beside each other. A statement that takes several processes for itself makes the others wait.
	"max_parallel_workers_per_gather": "0",
}

// Open opens a pool on dsn, a URL or a keyword/value string, and makes sure that a server answers.
//
// Statements are prepared and planned once per connection and cached. The simple protocol, where the client pastes values into the
// SQL text, is refused. A cancelled context cancels the statement on the server and keeps the connection. Errors never
// contain the password.
func Open(ctx context.Context, dsn string, o Options) (*pgxpool.Pool, error) {
	cfg, err := pgxpool.ParseConfig(dsn)
	if err != nil {
		return nil, fmt.Errorf("database address: %w", err)
	}
	if cfg.ConnConfig.DefaultQueryExecMode == pgx.QueryExecModeSimpleProtocol {
		return nil, errors.New("database address: default_query_exec_mode=simple_protocol is refused, " +
			"because it pastes values into SQL text; behind a pooler in transaction mode use cache_describe")
	}
	if cfg.ConnConfig.StatementCacheCapacity == driverStatements {
		cfg.ConnConfig.StatementCacheCapacity = maxStatements
	}
	if o.MaxConns > 0 {
		cfg.MaxConns = o.MaxConns
	}

	params := cfg.ConnConfig.RuntimeParams
	switch {
	case o.ApplicationName != "":
		params["application_name"] = o.ApplicationName
	case params["application_name"] == "":
		params["application_name"] = "collegium"
	}
	if o.Role != "" {
		params["role"] = o.Role
	}
	setTimeout(params, "statement_timeout", o.StatementTimeout, defaultStatementTimeout)
	setTimeout(params, "lock_timeout", o.LockTimeout, defaultLockTimeout)
	setTimeout(params, "idle_in_transaction_session_timeout", o.IdleInTransactionTimeout, defaultIdleInTransactionTimeout)
	for name, value := range planning {
		if params[name] == "" {
			params[name] = value
		}
	}

	cfg.ConnConfig.Tracer = tracer{}
	cfg.ConnConfig.BuildContextWatcherHandler = func(conn *pgconn.PgConn) ctxwatch.Handler {
		return &pgconn.CancelRequestContextWatcherHandler{Conn: conn, DeadlineDelay: 2 * time.Second}
	}

	cfg.AfterConnect = func(_ context.Context, conn *pgx.Conn) error {
		pgxuuid.Register(conn.TypeMap()) // else every UUID goes through its text
		registerArrays(conn.TypeMap())
		return nil
	}

	pool, err := pgxpool.NewWithConfig(ctx, cfg)
	if err != nil {
		return nil, fmt.Errorf("open database: %w", err)
	}
	if err := pool.Ping(ctx); err != nil {
		pool.Close()
		return nil, fmt.Errorf("open database: %w", err)
	}
	return pool, nil
}

// setTimeout writes one session setting in milliseconds. PostgreSQL reads 0 as "no limit".
func setTimeout(params map[string]string, name string, d, byDefault time.Duration) {
	switch {
	case d < 0:
		params[name] = "0"
	case d > 0:
		// A limit below a millisecond would round to 0, which means none.
		params[name] = strconv.FormatInt(max(1, d.Milliseconds()), 10)
	case params[name] == "":
		params[name] = strconv.FormatInt(byDefault.Milliseconds(), 10)
	}
}

// Constraint returns the name of the constraint that err says was violated, and "" when err is about something else.
// Stores use it to turn a violated constraint into an answer a person understands.
func Constraint(err error) string {
	if pgErr, ok := errors.AsType[*pgconn.PgError](err); ok {
		return pgErr.ConstraintName
	}
	return ""
}
