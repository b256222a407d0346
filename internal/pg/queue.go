package pg

import (
	"context"
	"fmt"
	"log/slog"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/riverqueue/river"
	"github.com/riverqueue/river/riverdriver/riverpgxv5"
	"github.com/riverqueue/river/rivermigrate"
)

// Queue is the queue of jobs in the database. A job that is inserted in a transaction runs after it is committed, and
// never if it is not.
type Queue = river.Client[pgx.Tx]

// queueSchema is the schema of the tables of the queue, which are not ours.
const queueSchema = "river"

// OpenQueue returns the queue. With workers, Start makes it run jobs; without, it only takes them. Jobs that are done
// are removed after some minutes, since their arguments may name people.
func OpenQueue(db *pgxpool.Pool, workers *river.Workers, log *slog.Logger) (*Queue, error) {
	config := &river.Config{
		Schema: queueSchema,
		Logger: log,
		// It asks for jobs, so it needs no connection of its own to listen on.
		PollOnly:                    true,
		FetchPollInterval:           200 * time.Millisecond,
		CompletedJobRetentionPeriod: 5 * time.Minute,
		CancelledJobRetentionPeriod: 5 * time.Minute,
		DiscardedJobRetentionPeriod: 24 * time.Hour,
	}
	if workers != nil {
		config.Workers = workers
		config.Queues = map[string]river.QueueConfig{river.QueueDefault: {MaxWorkers: 4}}
	}
	queue, err := river.NewClient(riverpgxv5.New(db), config)
	if err != nil {
		return nil, fmt.Errorf("open the queue: %w", err)
	}
	return queue, nil
}

// migrateQueue brings the tables of the queue up to date.
func migrateQueue(ctx context.Context, dsn string) error {
	config, err := pgxpool.ParseConfig(dsn)
	if err != nil {
		return fmt.Errorf("database address: %w", err)
	}
	config.MaxConns = 2
	pool, err := pgxpool.NewWithConfig(ctx, config)
	if err != nil {
		return fmt.Errorf("migrate the queue: %w", err)
	}
	defer pool.Close()
	migrator, err := rivermigrate.New(riverpgxv5.New(pool), &rivermigrate.Config{Schema: queueSchema, Logger: slog.New(slog.DiscardHandler)})
	if err != nil {
		return fmt.Errorf("migrate the queue: %w", err)
	}
	if v, err := migrator.Validate(ctx, nil); err == nil && v.OK {
		return nil
	}
	// One process at a time; the lock ends with the connection.
	conn, err := pool.Acquire(ctx)
	if err != nil {
		return fmt.Errorf("migrate the queue: %w", err)
	}
	defer conn.Release()
	if _, err := conn.Exec(ctx, `SELECT pg_advisory_lock(hashtext('collegium.queue'))`); err != nil {
		return fmt.Errorf("migrate the queue: %w", err)
	}
	if _, err := migrator.Migrate(ctx, rivermigrate.DirectionUp, nil); err != nil {
		return fmt.Errorf("migrate the queue: %w", err)
	}
	return nil
}
