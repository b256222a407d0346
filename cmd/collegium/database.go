package main

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"
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

// open opens the database: the one at the address given, or that of the private
// server, which start starts.
func (f databaseFlags) open(ctx context.Context, s streams, start starter, o pg.Options) (*database, error) {
	db, err := f.connect(ctx, s, start)
	if err != nil {
		return nil, err
	}
	if db.pool, err = pg.Open(ctx, db.dsn, o); err != nil {
		db.close()
		return nil, fmt.Errorf("%w\nCheck the address, and that the server runs and lets this account in", err)
	}
	return db, nil
}

// starter starts a private PostgreSQL.
type starter func(context.Context, pgembed.Options) (*pgembed.Server, error)

// connect finds the address of the database without opening a pool.
func (f databaseFlags) connect(ctx context.Context, s streams, start starter) (*database, error) {
	if f.DatabaseURL != "" {
		if f.DataDir != "" {
			return nil, &usageError{errors.New("there is a database address (DATABASE_URL) and a folder for a private PostgreSQL (--data-dir); leave out one of them")}
		}
		if _, err := pgxpool.ParseConfig(f.DatabaseURL); err != nil {
			return nil, &usageError{fmt.Errorf("the database address can't be read; pass a URL, as postgres://user@host/database: %w", err)}
		}
		return &database{dsn: f.DatabaseURL}, nil
	}
	server, err := start(ctx, pgembed.Options{
		DataDir:  f.DataDir,
		Progress: func(step string) { fmt.Fprintln(s.err, "postgres:", step) },
	})
	if errors.Is(err, pgembed.ErrNoData) {
		return nil, &usageError{fmt.Errorf("%w; pass the folder of the server in --data-dir (COLLEGIUM_DATA_DIR), or the address of its database in --database-url (DATABASE_URL)", err)}
	}
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

// withoutSecrets returns what can be printed of a database address: who asks
// which database where, and nothing else that stands in it.
func withoutSecrets(dsn string) string {
	c, err := pgx.ParseConfig(dsn)
	if err != nil {
		return "an address that can't be read"
	}
	return fmt.Sprintf("database %s on %s port %d as %s", c.Database, c.Host, c.Port, c.User)
}
