package pg

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"slices"

	"github.com/golang-migrate/migrate/v4"
	"github.com/golang-migrate/migrate/v4/database"
	migratepgx "github.com/golang-migrate/migrate/v4/database/pgx/v5"
	"github.com/golang-migrate/migrate/v4/source"
	"github.com/golang-migrate/migrate/v4/source/iofs"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/jackc/pgx/v5/stdlib"

	"github.com/collegium/collegium/migrations"
)

// Migration is one step of the schema.
type Migration struct {
	Version uint   // 1 is the first
	Name    string // verb and noun of the file name, "create_menus"
}

// Status says where a database stands against the migrations of this program.
type Status struct {
	Version uint // the last migration begun; 0 is an empty database
	Dirty   bool // whether Version began and did not end
	Latest  uint // the last migration this program holds
	Pending []Migration
}

// Migrate brings the database at dsn to the newest version and returns the version before and after. When several
// processes start at once, one migrates and the others wait for it, until ctx ends. Each migration is one transaction:
// one that fails leaves nothing behind but the mark that it was begun, and the error says what to do.
func Migrate(ctx context.Context, dsn string) (from, to uint, err error) {
	if from, to, err = migrateUp(ctx, dsn, migrations.FS); err != nil {
		return from, to, err
	}
	return from, to, migrateQueue(ctx, dsn)
}

// MigrateDown undoes the last steps migrations, at least one and no more than were applied, and returns the version
// before and after. What the undone tables held is lost.
func MigrateDown(ctx context.Context, dsn string, steps int) (from, to uint, err error) {
	return migrateDown(ctx, dsn, migrations.FS, steps)
}

// MigrateStatus reads where the database stands. It writes nothing.
func MigrateStatus(ctx context.Context, dsn string) (*Status, error) {
	return migrateStatus(ctx, dsn, migrations.FS)
}

// MigrateForce records that the database stands at version, 0 for empty, and runs nothing. It is for a database whose
// last migration failed, after a person looked at it.
func MigrateForce(ctx context.Context, dsn string, version uint) error {
	return migrateForce(ctx, dsn, migrations.FS, version)
}

func migrateUp(ctx context.Context, dsn string, files fs.FS) (from, to uint, err error) {
	err = underMigrationLock(ctx, dsn, files, func(m *migrate.Migrate, st *Status) error {
		from, to = st.Version, st.Version
		if err := st.ready(); err != nil {
			return err
		}
		if len(st.Pending) == 0 {
			return nil
		}
		if err := run(ctx, m, m.Up); err != nil {
			return err
		}
		to, err = version(m)
		return err
	})
	return from, to, err
}

func migrateDown(ctx context.Context, dsn string, files fs.FS, steps int) (from, to uint, err error) {
	if steps < 1 {
		return 0, 0, fmt.Errorf("migrate down: the number of migrations to undo is at least 1, not %d", steps)
	}
	err = underMigrationLock(ctx, dsn, files, func(m *migrate.Migrate, st *Status) error {
		from, to = st.Version, st.Version
		if err := st.ready(); err != nil {
			return err
		}
		all, err := listMigrations(files)
		if err != nil {
			return err
		}
		if applied := len(all) - len(st.Pending); steps > applied {
			return fmt.Errorf("migrate down: asked to undo %d, but only %d were applied", steps, applied)
		}
		if err := run(ctx, m, func() error { return m.Steps(-steps) }); err != nil {
			return err
		}
		to, err = version(m)
		return err
	})
	return from, to, err
}

func migrateForce(ctx context.Context, dsn string, files fs.FS, version uint) error {
	all, err := listMigrations(files)
	if err != nil {
		return err
	}
	known := version == 0 || slices.ContainsFunc(all, func(m Migration) bool { return m.Version == version })
	if !known {
		return fmt.Errorf("migrate force: there is no migration %d; the last one is %d, and 0 stands for an empty database",
			version, latest(all))
	}
	return underMigrationLock(ctx, dsn, files, func(m *migrate.Migrate, _ *Status) error {
		if version == 0 {
			return m.Force(database.NilVersion)
		}
		return m.Force(int(version))
	})
}

func migrateStatus(ctx context.Context, dsn string, files fs.FS) (*Status, error) {
	cfg, err := connConfig(dsn)
	if err != nil {
		return nil, err
	}
	conn, err := pgx.ConnectConfig(ctx, cfg)
	if err != nil {
		return nil, fmt.Errorf("open database: %w", err)
	}
	defer conn.Close(context.WithoutCancel(ctx))
	return readStatus(ctx, conn, files)
}

// undefinedTable is PostgreSQL's code for a table that isn't there (appendix A, class 42).
const undefinedTable = "42P01"

// readStatus compares the version table with files. A database without that table was never migrated.
func readStatus(ctx context.Context, conn *pgx.Conn, files fs.FS) (*Status, error) {
	all, err := listMigrations(files)
	if err != nil {
		return nil, err
	}
	st := &Status{Latest: latest(all)}
	var v int64
	err = conn.QueryRow(ctx, `SELECT version, dirty FROM schema_migrations LIMIT 1`).Scan(&v, &st.Dirty)
	pgErr, _ := errors.AsType[*pgconn.PgError](err)
	switch {
	case errors.Is(err, pgx.ErrNoRows), pgErr != nil && pgErr.Code == undefinedTable:
	case err != nil:
		return nil, fmt.Errorf("read the schema version: %w", err)
	case v > 0: // -1 with the dirty mark: the first migration failed on its way down
		st.Version = uint(v)
	}
	for _, m := range all {
		if m.Version > st.Version {
			st.Pending = append(st.Pending, m)
		}
	}
	return st, nil
}

// ready says why no migration may run on a database in this state.
func (st *Status) ready() error {
	switch {
	case st.Dirty:
		return fmt.Errorf("the schema is marked as half-way at migration %d: that migration began and failed. "+
			"Look at the database; if nothing of it is there (each migration is one transaction), run "+
			"`collegium migrate force %d` and then `collegium migrate up`", st.Version, max(st.Version, 1)-1)
	case st.Version > st.Latest:
		return fmt.Errorf("the schema is at version %d, but this program knows only %d: "+
			"a newer version migrated it, so run that one", st.Version, st.Latest)
	}
	return nil
}

// migrationLock is the key of the advisory lock under which migrations run: "collegiu" as eight bytes.
const migrationLock = 0x636f6c6c65676975

// connConfig reads the address for one connection. Settings of a pool, which the address may hold too, mean nothing to
// the server and are left out.
func connConfig(dsn string) (*pgx.ConnConfig, error) {
	cfg, err := pgxpool.ParseConfig(dsn)
	if err != nil {
		return nil, fmt.Errorf("database address: %w", err)
	}
	return cfg.ConnConfig, nil
}

// underMigrationLock calls f while this process alone may migrate the database. The lock belongs to a connection, so
// it is gone when the process is.
func underMigrationLock(ctx context.Context, dsn string, files fs.FS, f func(*migrate.Migrate, *Status) error) error {
	cfg, err := connConfig(dsn)
	if err != nil {
		return err
	}
	// Limits meant for the service's statements don't fit a migration, nor waiting for another process's.
	cfg.RuntimeParams["application_name"] = "collegium migrate"
	cfg.RuntimeParams["statement_timeout"] = "0"
	cfg.RuntimeParams["lock_timeout"] = "0"
	cfg.RuntimeParams["idle_in_transaction_session_timeout"] = "0"

	conn, err := pgx.ConnectConfig(ctx, cfg)
	if err != nil {
		return fmt.Errorf("open database: %w", err)
	}
	defer conn.Close(context.WithoutCancel(ctx))
	if _, err := conn.Exec(ctx, `SELECT pg_advisory_lock($1)`, int64(migrationLock)); err != nil {
		return fmt.Errorf("wait for another process's migration: %w", err)
	}
	st, err := readStatus(ctx, conn, files)
	if err != nil {
		return err
	}

	src, err := iofs.New(files, ".")
	if err != nil {
		return fmt.Errorf("migrations: %w", err)
	}
	driver, err := openDriver(cfg)
	if err != nil {
		return fmt.Errorf("open database: %w", err)
	}
	m, err := migrate.NewWithInstance("embedded files", src, "postgres", driver)
	if err != nil {
		return errors.Join(err, driver.Close())
	}
	ferr := f(m, st)
	srcErr, dbErr := m.Close()
	return errors.Join(ferr, srcErr, dbErr)
}

// openDriver makes golang-migrate's driver from a parsed address, so that every form of address that pgx reads works
// here too. Closing the driver closes the connection.
func openDriver(cfg *pgx.ConnConfig) (database.Driver, error) {
	db := stdlib.OpenDB(*cfg)
	driver, err := migratepgx.WithInstance(db, &migratepgx.Config{})
	if err != nil {
		return nil, errors.Join(err, db.Close())
	}
	return driver, nil
}

// run calls f, a method of m. When ctx ends, m stops after the migration it is at, and run returns ctx's error.
func run(ctx context.Context, m *migrate.Migrate, f func() error) error {
	done := make(chan struct{})
	defer close(done)
	go func() {
		select {
		case <-ctx.Done():
			m.GracefulStop <- true
		case <-done:
		}
	}()
	err := f()
	if err == nil || errors.Is(err, migrate.ErrNoChange) {
		return ctx.Err()
	}
	if dbErr, ok := errors.AsType[database.Error](err); ok {
		// Its text holds the whole file; the driver's own words and the line are what helps.
		if v, _, verr := m.Version(); verr == nil {
			return fmt.Errorf("migration %d failed at line %d: %w; nothing of it was kept. "+
				"Once the cause is mended, run `collegium migrate force %d` and then `collegium migrate up`",
				v, dbErr.Line, dbErr.OrigErr, max(v, 1)-1)
		}
	}
	return fmt.Errorf("migrate: %w", err)
}

// version is m's version with 0 for an empty database.
func version(m *migrate.Migrate) (uint, error) {
	v, _, err := m.Version()
	if errors.Is(err, migrate.ErrNilVersion) {
		return 0, nil
	}
	return v, err
}

func latest(all []Migration) uint {
	if len(all) == 0 {
		return 0
	}
	return all[len(all)-1].Version
}

// listMigrations reads the names of the up files, in order.
func listMigrations(files fs.FS) ([]Migration, error) {
	names, err := fs.Glob(files, "*.up.sql")
	if err != nil {
		return nil, err
	}
	var all []Migration
	for _, name := range names {
		m, err := source.DefaultParse(name)
		if err != nil {
			return nil, fmt.Errorf("migration file %s: its name must look like 000001_verb_noun.up.sql", name)
		}
		all = append(all, Migration{Version: m.Version, Name: m.Identifier})
	}
	slices.SortFunc(all, func(a, b Migration) int { return cmp.Compare(a.Version, b.Version) })
	return all, nil
}
