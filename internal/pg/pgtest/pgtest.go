// Package pgtest gives each test a PostgreSQL database of its own, migrated and if wanted filled.
//
// The first test of a test binary starts a temporary server (see pgembed), which ends with the binary; no TestMain is
// needed. With DATABASE_URL set, that server is used instead; its role must be allowed to create databases. Databases
// are cloned from templates that are built once per test binary, so tests may run in parallel.
//
// Without PostgreSQL tests are skipped, and fail where CI is set in the environment.
package pgtest

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"net/url"
	"os"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/collegium/collegium/internal/pg"
	"github.com/collegium/collegium/internal/pg/pgembed"
)

// New returns a pool on a migrated, empty database that is this test's own. Both end with the test.
func New(t testing.TB) *pgxpool.Pool {
	t.Helper()
	return open(t, DSN(t))
}

// NewWith returns a pool on a migrated database that seed filled. For each name, seed runs once per test binary and its
// database is cloned for each test, so name and seed belong together.
func NewWith(t testing.TB, name string, seed func(context.Context, *pgxpool.Pool) error) *pgxpool.Pool {
	t.Helper()
	return open(t, DSNWith(t, name, seed))
}

// DSN returns the address of a migrated, empty database that is this test's own, for what opens its own connections.
func DSN(t testing.TB) string {
	t.Helper()
	s := running(t)
	return s.clone(t, s.migrated(t))
}

// DSNWith is NewWith for what opens its own connections.
func DSNWith(t testing.TB, name string, seed func(context.Context, *pgxpool.Pool) error) string {
	t.Helper()
	s := running(t)
	return s.clone(t, s.seeded(t, name, seed))
}

// EmptyDSN returns the address of a database without even the schema, that is this test's own.
func EmptyDSN(t testing.TB) string {
	t.Helper()
	return running(t).clone(t, "template0")
}

// Tx returns a transaction on a migrated, empty database that tests share. It is rolled back when the test ends, so the
// test leaves nothing and sees nothing of others. It is the fastest, and right unless the test needs two connections.
func Tx(t testing.TB) pgx.Tx {
	t.Helper()
	s := running(t)
	pool, err := s.sharedPool()
	if err != nil {
		t.Fatalf("pgtest: shared database: %v", err)
	}
	tx, err := pool.Begin(t.Context())
	if err != nil {
		t.Fatalf("pgtest: begin: %v", err)
	}
	t.Cleanup(func() {
		if err := tx.Rollback(context.Background()); err != nil && !errors.Is(err, pgx.ErrTxClosed) {
			t.Errorf("pgtest: roll back: %v", err)
		}
	})
	return tx
}

// open opens a pool that closes before its database is dropped.
func open(t testing.TB, dsn string) *pgxpool.Pool {
	t.Helper()
	pool, err := pg.Open(t.Context(), dsn, pg.Options{MaxConns: 4, ApplicationName: "pgtest"})
	if err != nil {
		t.Fatalf("pgtest: %v", err)
	}
	t.Cleanup(pool.Close)
	return pool
}

// Acting returns a pool of the graph's role on the database of another pool, as the server has it: policies on rows and
// views hold for who asks. It ends with the test.
func Acting(t testing.TB, db *pgxpool.Pool) pg.Acting {
	t.Helper()
	config := db.Config()
	config.ConnConfig.RuntimeParams["role"] = pg.RoleGraph
	pool, err := pgxpool.NewWithConfig(t.Context(), config)
	if err != nil {
		t.Fatalf("pgtest: %v", err)
	}
	t.Cleanup(pool.Close)
	return pg.Acting{Pool: pool}
}

// server is the server of this test binary.
type server struct {
	dsn   string
	admin *pgxpool.Pool
	run   string // marks this test binary's databases
	n     atomic.Int64

	mu        sync.Mutex
	templates map[string]func() (string, error)

	sharedPool func() (*pgxpool.Pool, error)
}

// prefix begins the name of every database made here.
const prefix = "collegium_test_"

var start = sync.OnceValues(func() (*server, error) {
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Minute)
	defer cancel()
	s := &server{dsn: os.Getenv("DATABASE_URL"), templates: map[string]func() (string, error){}}
	if s.dsn == "" {
		embedded, err := pgembed.Start(ctx, pgembed.Options{Ephemeral: true})
		if err != nil {
			return nil, err
		}
		s.dsn = embedded.DSN()
	}
	if u, err := url.Parse(s.dsn); err != nil || (u.Scheme != "postgres" && u.Scheme != "postgresql") {
		return nil, errors.New("DATABASE_URL must be a URL that begins with postgres://")
	}
	var err error
	s.admin, err = pg.Open(ctx, s.dsn, pg.Options{MaxConns: 4, ApplicationName: "pgtest", StatementTimeout: -1, LockTimeout: -1})
	if err != nil {
		return nil, err
	}
	id := make([]byte, 6)
	if _, err := rand.Read(id); err != nil {
		return nil, err
	}
	s.run = hex.EncodeToString(id)
	s.sharedPool = sync.OnceValues(s.openShared)
	return s, s.markRunning(ctx)
})

// running returns the server, starting it for the first test.
func running(t testing.TB) *server {
	t.Helper()
	s, err := start()
	switch {
	case errors.Is(err, pgembed.ErrNotInstalled) && os.Getenv("CI") == "":
		t.Skip(err)
	case err != nil:
		t.Fatalf("pgtest: %v", err)
	}
	return s
}

// markRunning takes a lock that says that this test binary is alive, and drops the databases of those that are not:
// a test binary has no end at which it could drop its templates on a server of somebody else's.
func (s *server) markRunning(ctx context.Context) error {
	conn, err := s.admin.Acquire(ctx)
	if err != nil {
		return err
	}
	c := conn.Hijack() // and leave it open: the lock is the connection's
	if _, err := c.Exec(ctx, `SELECT pg_advisory_lock(hashtextextended($1, 0))`, s.run); err != nil {
		return err
	}
	runs, err := pg.Scalars[string](ctx, c, `
		SELECT DISTINCT substr(datname, length($1) + 1, 12)
		FROM pg_database
		WHERE starts_with(datname, $1)`, prefix)
	if err != nil {
		return err
	}
	for _, run := range runs {
		dead, err := pg.Scalar[bool](ctx, c, `SELECT pg_try_advisory_lock(hashtextextended($1, 0))`, run)
		if err != nil || run == s.run || !dead {
			continue
		}
		names, err := pg.Scalars[string](ctx, c, `SELECT datname FROM pg_database WHERE starts_with(datname, $1)`, prefix+run)
		if err != nil {
			return err
		}
		for _, name := range names {
			_, _ = c.Exec(ctx, dropSQL(name)) // another test binary may be at it too
		}
		if _, err := c.Exec(ctx, `SELECT pg_advisory_unlock(hashtextextended($1, 0))`, run); err != nil {
			return err
		}
	}
	return nil
}

// migrated is the template with the schema and nothing in it.
func (s *server) migrated(t testing.TB) string {
	t.Helper()
	return s.template(t, "schema", func() (string, error) {
		return s.build("template0", func(ctx context.Context, dsn string) error {
			_, _, err := pg.Migrate(ctx, dsn)
			return err
		})
	})
}

// seeded is the template that seed filled.
func (s *server) seeded(t testing.TB, name string, seed func(context.Context, *pgxpool.Pool) error) string {
	t.Helper()
	schema := s.migrated(t)
	return s.template(t, "seed "+name, func() (string, error) {
		return s.build(schema, func(ctx context.Context, dsn string) error {
			pool, err := pg.Open(ctx, dsn, pg.Options{MaxConns: 4, ApplicationName: "pgtest seed", StatementTimeout: -1})
			if err != nil {
				return err
			}
			defer pool.Close()
			if err := seed(ctx, pool); err != nil {
				return err
			}
			_, err = pool.Exec(ctx, `VACUUM ANALYZE`) // clones get plans as on a database in use
			return err
		})
	})
}

// template returns the name of a template database, which build makes for the first that asks.
func (s *server) template(t testing.TB, key string, build func() (string, error)) string {
	t.Helper()
	s.mu.Lock()
	once := s.templates[key]
	if once == nil {
		once = sync.OnceValues(build)
		s.templates[key] = once
	}
	s.mu.Unlock()
	name, err := once()
	if err != nil {
		t.Fatalf("pgtest: build the %s template: %v", key, err)
	}
	return name
}

// build makes a template from another and lets fill work on it.
func (s *server) build(from string, fill func(ctx context.Context, dsn string) error) (string, error) {
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Minute)
	defer cancel()
	name := s.name()
	if err := s.create(ctx, name, from); err != nil {
		return "", err
	}
	return name, fill(ctx, s.address(name))
}

// clone makes a copy of a template for one test.
func (s *server) clone(t testing.TB, template string) string {
	t.Helper()
	name := s.name()
	if err := s.create(t.Context(), name, template); err != nil {
		t.Fatalf("pgtest: %v", err)
	}
	t.Cleanup(func() {
		if _, err := s.admin.Exec(context.Background(), dropSQL(name)); err != nil {
			t.Errorf("pgtest: drop the test's database: %v", err)
		}
	})
	return s.address(name)
}

// openShared opens the database of Tx.
func (s *server) openShared() (*pgxpool.Pool, error) {
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Minute)
	defer cancel()
	name, err := s.build("template0", func(ctx context.Context, dsn string) error {
		_, _, err := pg.Migrate(ctx, dsn)
		return err
	})
	if err != nil {
		return nil, err
	}
	return pg.Open(ctx, s.address(name), pg.Options{MaxConns: 32, ApplicationName: "pgtest"})
}

// name is a new database name.
func (s *server) name() string {
	return fmt.Sprintf("%s%s_%d", prefix, s.run, s.n.Add(1))
}

func (s *server) create(ctx context.Context, name, template string) error {
	_, err := s.admin.Exec(ctx, fmt.Sprintf(`CREATE DATABASE %s TEMPLATE %s STRATEGY FILE_COPY`,
		pgx.Identifier{name}.Sanitize(), pgx.Identifier{template}.Sanitize()))
	if err != nil {
		return fmt.Errorf("clone a database: %w", err)
	}
	return nil
}

// address is the server's address with another database.
func (s *server) address(name string) string {
	u, err := url.Parse(s.dsn)
	if err != nil {
		panic(err) // start has parsed it
	}
	u.Path = "/" + name
	return u.String()
}

func dropSQL(name string) string {
	return `DROP DATABASE IF EXISTS ` + pgx.Identifier{name}.Sanitize() + ` WITH (FORCE)`
}
