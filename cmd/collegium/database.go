package main

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"regexp"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/collegium/collegium/internal/pg"
	"github.com/collegium/collegium/internal/pg/pgembed"
)

// databaseFlags say which database a command works on.
type databaseFlags struct {
	DatabaseURL string `from:"DATABASE_URL" placeholder:"URL" help:"Address of a PostgreSQL database, major 15 or newer (DATABASE_URL). Without it a private PostgreSQL is used."`
	DataDir     string `from:"COLLEGIUM_DATA_DIR" placeholder:"DIR" type:"path" help:"Folder of the private PostgreSQL (COLLEGIUM_DATA_DIR)."`
}

// database is an open database and what must be closed after it.
type database struct {
	pool     *pgxpool.Pool
	dsn      string
	embedded *pgembed.Server // nil for an address
}

// dsn returns the address of the database: the one given, or that of the private
// server, which is started, or joined if another process runs it.
func (f databaseFlags) open(ctx context.Context, s streams, ephemeral bool, o pg.Options) (*database, error) {
	db, err := f.connect(ctx, s, ephemeral)
	if err != nil {
		return nil, err
	}
	if db.pool, err = pg.Open(ctx, db.dsn, o); err != nil {
		db.close()
		return nil, fmt.Errorf("%w\nCheck the address, and that the server runs and lets this account in", err)
	}
	return db, nil
}

// connect finds the address of the database without opening a pool.
func (f databaseFlags) connect(ctx context.Context, s streams, ephemeral bool) (*database, error) {
	if f.DatabaseURL != "" {
		if ephemeral {
			return nil, &usageError{errors.New("--ephemeral is for the private PostgreSQL; leave it out, or leave out the database address")}
		}
		return &database{dsn: f.DatabaseURL}, nil
	}
	o := pgembed.Options{
		DataDir:   f.DataDir,
		Ephemeral: ephemeral,
		Progress:  func(step string) { fmt.Fprintln(s.err, "postgres:", step) },
	}
	start := pgembed.StartOrJoin
	if ephemeral {
		start = pgembed.Start
	}
	server, err := start(ctx, o)
	if err != nil {
		return nil, err
	}
	return &database{dsn: server.DSN(), embedded: server}, nil
}

// stopTimeout is how long the private server may take to write its data.
const stopTimeout = 20 * time.Second

func (db *database) close() {
	if db.pool != nil {
		db.pool.Close()
	}
	if db.embedded != nil {
		ctx, cancel := context.WithTimeout(context.Background(), stopTimeout)
		defer cancel()
		_ = db.embedded.Stop(ctx) // ended at the latest with this process
	}
}

var passwordPart = regexp.MustCompile(`(?i)(password\s*=\s*)('[^']*'|\S+)`)

// withoutSecrets returns a database address that can be printed.
func withoutSecrets(dsn string) string {
	if u, err := url.Parse(dsn); err == nil && u.Scheme != "" {
		if q := u.Query(); q.Has("password") {
			q.Set("password", "xxxxx")
			u.RawQuery = q.Encode()
		}
		return u.Redacted()
	}
	return passwordPart.ReplaceAllString(dsn, "${1}xxxxx")
}
