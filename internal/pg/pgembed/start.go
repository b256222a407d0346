package pgembed

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"
)

// Start starts a server and waits until it answers. ctx bounds the start, not the server's life; that ends with Stop or
// with this process. A data folder that another process uses is ErrInUse.
func Start(ctx context.Context, o Options) (*Server, error) {
	if err := supported(); err != nil {
		return nil, err
	}
	acct, err := serverAccount()
	if err != nil {
		return nil, err
	}
	s := &Server{ephemeral: o.Ephemeral}
	if err := s.start(ctx, o, newSearch(acct)); err != nil {
		s.abandon()
		return nil, err
	}
	return s, nil
}

// start is Start with the programs and the account that places offers.
func (s *Server) start(ctx context.Context, o Options, places *search) (err error) {
	acct := places.acct
	if o.Ephemeral {
		o.FsyncOff = true
		sweep()
		s.dataDir, err = ephemeralDir(acct)
	} else {
		s.dataDir, err = claimDataDir(o.DataDir, acct)
	}
	if err != nil {
		return err
	}
	if s.lock, err = acquire(s.dataDir); err != nil {
		return err
	}
	os.Remove(filepath.Join(s.dataDir, infoFile)) // a leftover of a process that was killed

	major, err := dataMajor(s.dataDir)
	if err != nil {
		return err
	}
	if major != 0 {
		if acct, err = ownerAccount(clusterDir(s.dataDir, major), acct); err != nil {
			return err
		}
	}
	places.acct = acct
	if err := reachable(s.dataDir, acct); err != nil {
		return err
	}
	progs, err := places.find(ctx, major, o.step)
	if err != nil {
		if major != 0 {
			return fmt.Errorf("%s holds data of PostgreSQL %d: %w", s.dataDir, major, err)
		}
		return err
	}
	s.info.Version, s.info.Source = progs.version, progs.source

	c := &cluster{dir: clusterDir(s.dataDir, progs.major), progs: progs, acct: acct, options: o}
	if c.log, err = openLog(s.dataDir); err != nil {
		return err
	}
	defer c.log.Close()
	if major == 0 {
		if err := c.initdb(ctx); err != nil {
			return err
		}
	}
	if err := c.clearStale(ctx); err != nil {
		return err
	}
	if s.socketDir, err = makeSocketDir(c.dir, acct); err != nil {
		return err
	}
	if s.proc, err = c.launch(ctx, s.socketDir); err != nil {
		return err
	}
	if s.janitor, err = watch(s, c.dir); err != nil {
		return err
	}
	if err := prepareDatabase(ctx, s.socketDir, progs); err != nil {
		return err
	}

	s.info.DSN = dsn(s.socketDir, database)
	s.info.Supervisor, s.info.Postgres = os.Getpid(), s.proc.pid
	return s.publish()
}

// abandon undoes what a failed Start did.
func (s *Server) abandon() {
	s.janitor.dismiss()
	if s.proc != nil {
		ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
		defer cancel()
		_ = s.proc.stop(ctx, stopFast)
	}
	if s.socketDir != "" {
		os.RemoveAll(s.socketDir)
	}
	if s.ephemeral && s.dataDir != "" {
		os.RemoveAll(s.dataDir)
	}
	if s.lock != nil {
		s.lock.Close()
	}
}

// publish writes server.json, by which other processes join. It appears whole or not at all.
func (s *Server) publish() error {
	data, err := json.Marshal(s.info)
	if err != nil {
		return err
	}
	name := filepath.Join(s.dataDir, infoFile)
	if err := os.WriteFile(name+".new", append(data, '\n'), 0o600); err != nil {
		return err
	}
	return os.Rename(name+".new", name)
}

// prepareDatabase makes the program's database in a server that doesn't have it yet, after making sure that the server
// can do what the schema needs.
func prepareDatabase(ctx context.Context, socketDir string, progs *programs) error {
	conn, err := pgx.Connect(ctx, dsn(socketDir, "postgres"))
	if err != nil {
		return fmt.Errorf("connect to the server just started: %w", err)
	}
	defer conn.Close(context.WithoutCancel(ctx))

	var exists, folds bool
	var extensions []string
	err = conn.QueryRow(ctx, `
		SELECT EXISTS (SELECT FROM pg_database WHERE datname = $1),
		       'ÉCLAIR' ILIKE '%éclair%',
		       ARRAY(SELECT name::text FROM pg_available_extensions WHERE name IN ('unaccent', 'pg_trgm'))`,
		database).Scan(&exists, &folds, &extensions)
	switch {
	case err != nil:
		return fmt.Errorf("look at the server just started: %w", err)
	case exists:
		return nil
	case !folds:
		return errors.New("PostgreSQL here knows no locale in which É and é are one letter: install the locale C.UTF-8 or en_US.UTF-8, or set DATABASE_URL")
	case len(extensions) < 2:
		return fmt.Errorf("PostgreSQL %s (%s) lacks the extensions unaccent and pg_trgm: install the package postgresql-contrib, or set DATABASE_URL",
			progs.version, progs.source)
	}
	if _, err := conn.Exec(ctx, `CREATE DATABASE `+database); err != nil {
		return fmt.Errorf("create the database: %w", err)
	}
	return nil
}

// cluster is one data folder of one major version and what it takes to run it.
type cluster struct {
	dir     string
	progs   *programs
	acct    account
	options Options
	log     *os.File
}

// launch starts the server and waits until it says that it is ready. After a crash the kernel may take a moment to let
// go of the previous server's memory; until then PostgreSQL refuses to start, and launch tries again.
func (c *cluster) launch(ctx context.Context, socketDir string) (*process, error) {
	ctx, cancel := context.WithTimeout(ctx, 3*time.Minute)
	defer cancel()
	for retryUntil := time.Now().Add(15 * time.Second); ; {
		offset, err := c.log.Seek(0, 2)
		if err != nil {
			return nil, err
		}
		proc, err := startProcess(c.command(c.progs.postgres, c.settings(socketDir)...), deathSignalServer)
		if err != nil {
			return nil, fmt.Errorf("start PostgreSQL as user %s: %w", c.acct.name, err)
		}
		err = c.waitReady(ctx, proc)
		if err == nil {
			return proc, nil
		}
		stopCtx, cancelStop := context.WithTimeout(context.WithoutCancel(ctx), 5*time.Second)
		_ = proc.stop(stopCtx, stopFast)
		cancelStop()

		said := tail(c.log.Name(), offset)
		if strings.Contains(said, "pre-existing shared memory block") && time.Now().Before(retryUntil) {
			time.Sleep(100 * time.Millisecond)
			continue
		}
		return nil, fmt.Errorf("%w; its log %s ends with:\n%s", err, c.log.Name(), said)
	}
}

// waitReady watches the last line of postmaster.pid, where the server writes its state.
func (c *cluster) waitReady(ctx context.Context, proc *process) error {
	told := time.Now().Add(2 * time.Second)
	for {
		if pf, err := readPidFile(c.dir); err == nil && pf.pid == proc.pid && pf.status == "ready" {
			return nil
		}
		if !told.IsZero() && time.Now().After(told) {
			c.options.step("waiting for PostgreSQL %s to recover its data", c.progs.version)
			told = time.Time{}
		}
		select {
		case <-proc.done:
			return fmt.Errorf("PostgreSQL %s ended while it started (%w)", c.progs.version, cmp.Or(proc.err, errors.New("exit status 0")))
		case <-ctx.Done():
			return fmt.Errorf("PostgreSQL %s did not become ready: %w", c.progs.version, ctx.Err())
		case <-time.After(3 * time.Millisecond):
		}
	}
}

// settings are the server's arguments. Nothing is written to postgresql.conf, so that a person's additions there stay.
func (c *cluster) settings(socketDir string) []string {
	args := []string{"-D", c.dir}
	set := func(name, value string) { args = append(args, "-c", name+"="+value) }
	set("listen_addresses", "")
	set("port", port)
	set("unix_socket_directories", strconv.Quote(socketDir))
	set("unix_socket_permissions", "0700")
	set("shared_buffers", "128MB")
	set("max_connections", "100")
	set("jit", "off")
	set("timezone", "UTC")
	set("log_timezone", "UTC")
	set("logging_collector", "off")
	set("log_destination", "stderr")
	if c.options.FsyncOff {
		set("fsync", "off")
		set("synchronous_commit", "off")
		set("full_page_writes", "off")
	}
	return args
}
