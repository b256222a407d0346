package pg_test

import (
	"context"
	"errors"
	"strings"
	"sync"
	"testing"
	"testing/fstest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/collegium/collegium/internal/pg"
	"github.com/collegium/collegium/internal/pg/pgtest"
)

func file(sql string) *fstest.MapFile { return &fstest.MapFile{Data: []byte(sql)} }

// Programs that start together migrate once: one does it, the others wait and find it done.
func TestMigrateTogether(t *testing.T) {
	t.Parallel()
	dsn := pgtest.EmptyDSN(t)
	files := fstest.MapFS{
		"000001_create_first.up.sql":    file(`CREATE TABLE first (i INT); SELECT pg_sleep(0.2)`),
		"000001_create_first.down.sql":  file(`DROP TABLE first`),
		"000002_create_second.up.sql":   file(`CREATE TABLE second (i INT)`),
		"000002_create_second.down.sql": file(`DROP TABLE second`),
	}
	var mu sync.Mutex
	migrated := 0
	var wg sync.WaitGroup
	for range 5 {
		wg.Go(func() {
			from, to, err := pg.MigrateUpFiles(t.Context(), dsn, files)
			if err != nil || to != 2 {
				t.Errorf("from %d to %d, %v; want to end at 2", from, to, err)
			}
			mu.Lock()
			defer mu.Unlock()
			if from == 0 {
				migrated++
			}
		})
	}
	wg.Wait()
	if migrated != 1 {
		t.Errorf("%d of 5 migrated, want 1", migrated)
	}
}

// Waiting for another process's migration ends when the caller has had enough.
func TestMigrateWaitIsBounded(t *testing.T) {
	t.Parallel()
	dsn := pgtest.EmptyDSN(t)
	slow := fstest.MapFS{"000001_sleep_long.up.sql": file(`SELECT pg_sleep(1)`)}
	done := make(chan struct{})
	go func() {
		defer close(done)
		_, _, _ = pg.MigrateUpFiles(context.Background(), dsn, slow)
	}()
	defer func() { <-done }()
	pool, err := pg.Open(t.Context(), dsn, pg.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer pool.Close()
	for asleep := false; !asleep; time.Sleep(5 * time.Millisecond) {
		asleep, err = pg.Scalar[bool](t.Context(), pool, `
			SELECT EXISTS (SELECT FROM pg_stat_activity WHERE datname = current_database() AND wait_event = 'PgSleep')`)
		if err != nil {
			t.Fatal(err)
		}
	}
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	if _, _, err := pg.MigrateUpFiles(ctx, dsn, slow); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("err = %v, want the deadline", err)
	}
}

// A migration that fails keeps nothing, says where it failed, and blocks the next until a person has looked.
func TestMigrateFails(t *testing.T) {
	t.Parallel()
	ctx := t.Context()
	dsn := pgtest.EmptyDSN(t)
	files := fstest.MapFS{
		"000001_create_good.up.sql":   file(`CREATE TABLE good (i INT);`),
		"000001_create_good.down.sql": file(`DROP TABLE good;`),
		"000002_create_bad.up.sql":    file("CREATE TABLE half (i INT);\nCREATE TABLE bad (i NO_SUCH_TYPE);\n"),
		"000002_create_bad.down.sql":  file(`DROP TABLE bad; DROP TABLE half;`),
	}
	_, _, err := pg.MigrateUpFiles(ctx, dsn, files)
	for _, part := range []string{"migration 2", "line 2", "no_such_type", "migrate force 1"} {
		if err == nil || !strings.Contains(err.Error(), part) {
			t.Errorf("error = %v; want it to say %q", err, part)
		}
	}
	pool, err := pg.Open(ctx, dsn, pg.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer pool.Close()
	tables := func() []string {
		t.Helper()
		names, err := pg.Scalars[string](ctx, pool, `SELECT tablename FROM pg_tables WHERE schemaname = 'public' ORDER BY 1`)
		if err != nil {
			t.Fatal(err)
		}
		return names
	}
	if diff := cmp.Diff([]string{"good", "schema_migrations"}, tables()); diff != "" {
		t.Errorf("after the failure (-want +got):\n%s", diff)
	}

	st, err := pg.MigrateStatusFiles(ctx, dsn, files)
	if diff := cmp.Diff(&pg.Status{Version: 2, Dirty: true, Latest: 2}, st); diff != "" || err != nil {
		t.Errorf("status %v (-want +got):\n%s", err, diff)
	}
	for name, f := range map[string]func() error{
		"up":   func() error { _, _, err := pg.MigrateUpFiles(ctx, dsn, files); return err },
		"down": func() error { _, _, err := pg.MigrateDownFiles(ctx, dsn, files, 1); return err },
	} {
		if err := f(); err == nil || !strings.Contains(err.Error(), "half-way at migration 2") || !strings.Contains(err.Error(), "migrate force 1") {
			t.Errorf("%s after the failure: %v; want to be told of force", name, err)
		}
	}

	if err := pg.MigrateForceFiles(ctx, dsn, files, 3); err == nil || !strings.Contains(err.Error(), "the last one is 2") {
		t.Errorf("force to a version that isn't there: %v", err)
	}
	if err := pg.MigrateForceFiles(ctx, dsn, files, 1); err != nil {
		t.Fatal(err)
	}
	files["000002_create_bad.up.sql"] = file("CREATE TABLE half (i INT);\nCREATE TABLE bad (i INT);\n")
	if from, to, err := pg.MigrateUpFiles(ctx, dsn, files); err != nil || from != 1 || to != 2 {
		t.Errorf("up after it was mended: from %d to %d, %v", from, to, err)
	}
	if from, to, err := pg.MigrateDownFiles(ctx, dsn, files, 2); err != nil || from != 2 || to != 0 {
		t.Errorf("down: from %d to %d, %v", from, to, err)
	}
	if diff := cmp.Diff([]string{"schema_migrations"}, tables()); diff != "" {
		t.Errorf("at zero (-want +got):\n%s", diff)
	}
	if err := pg.MigrateForceFiles(ctx, dsn, files, 0); err != nil {
		t.Errorf("force to zero: %v", err)
	}
}

func TestMigrateDownArguments(t *testing.T) {
	t.Parallel()
	dsn := pgtest.DSN(t)
	st, err := pg.MigrateStatus(t.Context(), dsn)
	if err != nil {
		t.Fatal(err)
	}
	for steps, want := range map[int]string{0: "at least 1", -1: "at least 1", int(st.Latest) + 1: "only"} {
		from, to, err := pg.MigrateDown(t.Context(), dsn, steps)
		if err == nil || !strings.Contains(err.Error(), want) || from != to {
			t.Errorf("down by %d: from %d to %d, %v; want an error that says %q", steps, from, to, err, want)
		}
	}
}

// A program older than the schema must not touch it.
func TestMigrateNewerSchema(t *testing.T) {
	t.Parallel()
	dsn := pgtest.EmptyDSN(t)
	newer := fstest.MapFS{"000001_create_a.up.sql": file(`CREATE TABLE a (i INT)`), "000002_create_b.up.sql": file(`CREATE TABLE b (i INT)`)}
	older := fstest.MapFS{"000001_create_a.up.sql": file(`CREATE TABLE a (i INT)`)}
	if _, _, err := pg.MigrateUpFiles(t.Context(), dsn, newer); err != nil {
		t.Fatal(err)
	}
	_, _, err := pg.MigrateUpFiles(t.Context(), dsn, older)
	if err == nil || !strings.Contains(err.Error(), "version 2") || !strings.Contains(err.Error(), "knows only 1") {
		t.Errorf("error = %v; want one that names both versions", err)
	}
}

// Asking how things stand writes nothing, not even the table of versions.
func TestMigrateStatusOfEmptyDatabase(t *testing.T) {
	t.Parallel()
	dsn := pgtest.EmptyDSN(t)
	files := fstest.MapFS{"000001_create_a.up.sql": file(`SELECT 1`), "000010_create_j.up.sql": file(`SELECT 1`), "README.md": file("text")}
	st, err := pg.MigrateStatusFiles(t.Context(), dsn, files)
	want := &pg.Status{Latest: 10, Pending: []pg.Migration{{Version: 1, Name: "create_a"}, {Version: 10, Name: "create_j"}}}
	if diff := cmp.Diff(want, st); diff != "" || err != nil {
		t.Errorf("status %v (-want +got):\n%s", err, diff)
	}
	pool, err := pg.Open(t.Context(), dsn, pg.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer pool.Close()
	if n, err := pg.Scalar[int](t.Context(), pool, `SELECT count(*) FROM pg_tables WHERE schemaname = 'public'`); n != 0 || err != nil {
		t.Errorf("%d tables, %v; want none", n, err)
	}
}
