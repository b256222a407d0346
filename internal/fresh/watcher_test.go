package fresh_test

import (
	"context"
	"fmt"
	"net"
	"sync"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"github.com/collegium/collegium/internal/fresh"
	"github.com/collegium/collegium/internal/pg"
	"github.com/collegium/collegium/internal/pg/pgtest"
)

// again asks until the watcher is fresh.
func again(t *testing.T, w *fresh.Watcher) {
	t.Helper()
	for !w.Fresh(t.Context()) {
		if err := t.Context().Err(); err != nil {
			t.Fatal(err)
		}
		time.Sleep(5 * time.Millisecond)
	}
}

const killWatchers = `
	SELECT pg_terminate_backend(pid)
	FROM pg_stat_activity
	WHERE application_name = 'collegium watcher' AND datname = current_database()`

// What is written while the connection is gone may not be learned of, so nothing
// holds after that.
func TestConnectionKilled(t *testing.T) {
	t.Parallel()
	db := pgtest.New(t)
	w := watch(t, db)
	for range 5 {
		k := keep(t, w, db, "menus", "terms")
		nothing := rest(t, w, db, `SELECT 1`)
		do(t, db, killWatchers)
		learn(t, w) // over another connection
		if got := k.gone(w); got != k.names() {
			t.Fatalf("of what was kept before the connection was killed only %q no longer hold", got)
		}
		if !w.Holds(nothing) {
			t.Fatal("what rests on nothing no longer holds")
		}
	}
}

// wire leads to the database and can be made to swallow what is sent over it.
type wire struct {
	silent sync.RWMutex // held for writing while nothing passes
}

// through makes a connection lead over the wire.
func (l *wire) through(t *testing.T, config *pgx.ConnConfig) {
	t.Helper()
	network, address := pgconn.NetworkAddress(config.Host, config.Port)
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { listener.Close() })
	pass := func(to, from net.Conn) {
		defer to.Close()
		buffer := make([]byte, 1<<16)
		for {
			n, err := from.Read(buffer)
			if err != nil {
				return
			}
			l.silent.RLock()
			_, err = to.Write(buffer[:n])
			l.silent.RUnlock()
			if err != nil {
				return
			}
		}
	}
	go func() {
		for {
			client, err := listener.Accept()
			if err != nil {
				return
			}
			server, err := net.Dial(network, address)
			if err != nil {
				client.Close()
				continue
			}
			go pass(server, client)
			go pass(client, server)
		}
	}()
	config.DialFunc = func(ctx context.Context, _, _ string) (net.Conn, error) {
		return new(net.Dialer).DialContext(ctx, "tcp", listener.Addr().String())
	}
}

// A database that says nothing is not taken for one in which nothing changes, and
// holds nobody up for long.
func TestSilence(t *testing.T) {
	t.Parallel()
	db := pgtest.New(t)
	config := db.Config().ConnConfig.Copy()
	var l wire
	l.through(t, config)
	w := fresh.NewWatcher(config, fresh.Options{})
	t.Cleanup(w.Close)
	again(t, w)
	k := keep(t, w, db, "menus", "terms")
	l.silent.Lock()
	since := time.Now()
	do(t, db, aMenu)
	asked := 0
	for ; time.Since(since) < 4*time.Second; asked++ {
		late := time.Since(since) > fresh.Lease
		if w.Fresh(t.Context()) && late {
			t.Fatalf("fresh %v after the database fell silent", time.Since(since))
		}
		time.Sleep(time.Millisecond)
	}
	if asked < 100 {
		t.Errorf("only %d questions were answered in 4 seconds", asked)
	}
	l.silent.Unlock()
	again(t, w)
	if got := k.gone(w); got != k.names() {
		t.Errorf("of what was kept before the silence only %q no longer hold", got)
	}
	k = keep(t, w, db, "menus", "terms")
	learn(t, w)
	if got := k.gone(w); got != "" {
		t.Errorf("after the silence %q no longer hold without a write", got)
	}
}

// Nobody waits for a database that is silent when the watcher is closed.
func TestCloseInSilence(t *testing.T) {
	t.Parallel()
	db := pgtest.New(t)
	config := db.Config().ConnConfig.Copy()
	var l wire
	l.through(t, config)
	w := fresh.NewWatcher(config, fresh.Options{})
	again(t, w)
	l.silent.Lock()
	defer l.silent.Unlock()
	w.Wrote()
	var all sync.WaitGroup
	for range 8 {
		all.Go(func() {
			if w.Fresh(t.Context()) {
				t.Error("fresh in silence")
			}
		})
	}
	w.Close()
	w.Close()
	all.Wait()
	if w.Fresh(t.Context()) {
		t.Error("a closed watcher is fresh")
	}
}

func TestCloseWhileAsked(t *testing.T) {
	t.Parallel()
	db := pgtest.New(t)
	for range 20 {
		w := fresh.NewWatcher(db.Config().ConnConfig, fresh.Options{Lease: time.Microsecond})
		var all sync.WaitGroup
		for i := range 8 {
			all.Go(func() {
				for w.Fresh(t.Context()) {
					if i == 0 {
						w.Wrote()
					}
				}
			})
		}
		time.Sleep(10 * time.Millisecond)
		w.Close()
		all.Wait() // it is never fresh again
	}
	if n, err := pg.Scalar[int](t.Context(), db, `
		SELECT count(*) FROM pg_stat_activity
		WHERE application_name = 'collegium watcher' AND datname = current_database()
			AND state_change < clock_timestamp() - interval '10 seconds'`); err != nil || n > 0 {
		t.Errorf("%d connections are left, %v", n, err)
	}
}

func TestFreshGivesUpWithItsCaller(t *testing.T) {
	t.Parallel()
	w := watch(t, pgtest.New(t))
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	w.Wrote()
	if w.Fresh(ctx) {
		t.Error("fresh for somebody who didn't wait for it")
	}
}

// Another database under the same name is not taken for the old one.
func TestAnotherDatabase(t *testing.T) {
	t.Parallel()
	admin := pgtest.New(t)
	one, other := pgtest.DSN(t), pgtest.DSN(t)
	db, err := pg.Open(t.Context(), one, pg.Options{})
	if err != nil {
		t.Fatal(err)
	}
	config := db.Config().ConnConfig
	w := watch(t, db)
	k := keep(t, w, db, "menus", "terms")
	db.Close()
	rename := func(from, to string) {
		t.Helper()
		do(t, admin, `SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = $1`, from)
		do(t, admin, fmt.Sprintf(`ALTER DATABASE %s RENAME TO %s`, from, to))
	}
	otherName := parse(t, other).Database
	rename(config.Database, otherName+"_old")
	rename(otherName, config.Database)
	learn(t, w)
	if got := k.gone(w); got != k.names() {
		t.Errorf("of what was kept from another database only %q no longer hold", got)
	}
	rename(otherName+"_old", otherName)
}

func parse(t *testing.T, dsn string) *pgx.ConnConfig {
	t.Helper()
	config, err := pgx.ParseConfig(dsn)
	if err != nil {
		t.Fatal(err)
	}
	return config
}

// What this process has written, whoever asks in it learns of.
func TestReadYourWrites(t *testing.T) {
	t.Parallel()
	db := pgtest.New(t)
	w := fresh.NewWatcher(db.Config().ConnConfig, fresh.Options{Lease: time.Hour})
	t.Cleanup(w.Close)
	again(t, w)
	var all sync.WaitGroup
	for range 4 {
		all.Go(func() {
			for range 100 {
				b, known := restsOn(t, w, db, `SELECT FROM menus`)
				do(t, db, aMenu)
				w.Wrote()
				if !known || !w.Fresh(t.Context()) || w.Holds(b) {
					t.Error("a writer does not see its write")
					return
				}
			}
		})
	}
	all.Wait()
}

// Whoever looked since the time before last misses nothing that was removed.
func TestPruning(t *testing.T) {
	t.Parallel()
	db := pgtest.New(t)
	do(t, db, `DELETE FROM changes`) // of migrations
	w := watch(t, db)
	notes := func() int {
		t.Helper()
		n, err := pg.Scalar[int](t.Context(), db, `SELECT count(*) FROM changes`)
		if err != nil {
			t.Fatal(err)
		}
		return n
	}
	prune := func(age time.Duration) {
		t.Helper()
		if err := w.Prune(age); err != nil {
			t.Fatal(err)
		}
	}

	k := keep(t, w, db, "menus", "terms")
	do(t, db, aMenu)
	prune(time.Hour)
	prune(0)
	if n := notes(); n != 1 {
		t.Errorf("%d notes are left of one that is new", n)
	}
	learn(t, w)
	if got := k.gone(w); got != "menus" {
		t.Errorf("after one removal %q no longer hold, want menus", got)
	}

	// One that was not over when the last removal looked is kept as long.
	tx, err := db.Begin(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer tx.Rollback(context.Background()) //nolint:errcheck // it is committed below
	do(t, tx, `UPDATE terms SET key = key`)
	prune(0)
	if n := notes(); n != 0 {
		t.Errorf("%d notes are left of what everybody has seen", n)
	}
	learn(t, w)
	k = keep(t, w, db, "menus", "terms")
	if err := tx.Commit(t.Context()); err != nil {
		t.Fatal(err)
	}
	prune(0)
	learn(t, w)
	if got := k.gone(w); got != "terms" {
		t.Errorf("after a removal beside a long transaction %q no longer hold, want terms", got)
	}

	// Who sleeps for two of them takes everything for changed.
	k = keep(t, w, db, "menus", "terms")
	do(t, db, aMenu)
	prune(0)
	prune(0)
	if n := notes(); n != 0 {
		t.Errorf("%d notes are left after two removals", n)
	}
	learn(t, w)
	if got := k.gone(w); got != "menus terms" {
		t.Errorf("after two removals %q no longer hold, want all", got)
	}
	learn(t, w)
	k = keep(t, w, db, "menus", "terms")
	learn(t, w)
	if got := k.gone(w); got != "" {
		t.Errorf("%q no longer hold without a write", got)
	}
}

// A dump holds the notes of another server. They neither count as changes here nor
// tell what may be removed.
func TestRestoredDump(t *testing.T) {
	t.Parallel()
	db := pgtest.New(t)
	do(t, db, `DELETE FROM changes`) // of migrations
	do(t, db, `INSERT INTO changes VALUES ('1000000000', 'menus')`)
	do(t, db, `UPDATE changes_horizon SET snapshot = '900000000:900000000:', taken_at = '2020-01-01', taken_by = '900000000'`)
	w := watch(t, db)
	k := keep(t, w, db, "menus", "terms")
	learn(t, w)
	if got := k.gone(w); got != "" {
		t.Errorf("%q no longer hold because of a note from elsewhere", got)
	}
	do(t, db, `UPDATE terms SET key = key`)
	if err := w.Prune(time.Hour); err != nil {
		t.Fatal(err)
	}
	notes, err := pg.Scalars[string](t.Context(), db, `SELECT table_name FROM changes`)
	if err != nil || len(notes) != 1 || notes[0] != "terms" {
		t.Errorf("the notes are %q, %v; want the new one of terms", notes, err)
	}
	learn(t, w)
	if got := k.gone(w); got != "menus terms" {
		t.Errorf("%q no longer hold, want all: nobody knows what was removed", got)
	}
}

// A table whose trigger doesn't fire for everybody is one that nobody watches.
func TestTriggerSwitchedOff(t *testing.T) {
	t.Parallel()
	db := pgtest.New(t)
	w := watch(t, db)
	const reads = `SELECT FROM menus`
	k := keep(t, w, db, "menus", "terms")
	inTx(t, db, `ALTER TABLE menus DISABLE TRIGGER menus_note_change`, aMenu, `ALTER TABLE menus ENABLE ALWAYS TRIGGER menus_note_change`)
	learn(t, w)
	if got := k.gone(w); got != "menus terms" {
		t.Errorf("after writes without the trigger %q no longer hold, want all", got)
	}

	for _, off := range []string{
		`ALTER TABLE menus DISABLE TRIGGER USER`,
		`ALTER TABLE menus ENABLE TRIGGER menus_note_change`, // not for replicas
		`DROP TRIGGER menus_note_change ON menus`,
		`CREATE TRIGGER x AFTER INSERT ON menus FOR EACH STATEMENT EXECUTE FUNCTION note_change(); ALTER TABLE menus ENABLE ALWAYS TRIGGER x`,
		`DROP TRIGGER x ON menus; CREATE TABLE child () INHERITS (menus); ` + createTrigger,
	} {
		k = keep(t, w, db, "terms")
		do(t, db, off)
		learn(t, w)
		if got := k.gone(w); got != "terms" {
			t.Errorf("%s: %q no longer hold, want all", off, got)
		}
		if _, known := restsOn(t, w, db, reads); known {
			t.Errorf("%s: what menus hold counts as known", off)
		}
	}
	do(t, db, `DROP TABLE child`)
	do(t, db, `ANALYZE menus`) // else it remembers having had a child
	do(t, db, `ALTER TABLE menus DISABLE TRIGGER USER`)
	do(t, db, `ALTER TABLE menus ENABLE ALWAYS TRIGGER menus_note_change`)
	learn(t, w)
	k = keep(t, w, db, "menus")
	do(t, db, aMenu)
	learn(t, w)
	if got := k.gone(w); got != "menus" {
		t.Errorf("after the trigger is back %q no longer hold, want menus", got)
	}
}

const createTrigger = `
	CREATE TRIGGER menus_note_change AFTER INSERT OR UPDATE OR DELETE OR TRUNCATE ON menus
	FOR EACH STATEMENT EXECUTE FUNCTION note_change();
	ALTER TABLE menus ENABLE ALWAYS TRIGGER menus_note_change`

// What a change of the schema does to the answers, no trigger tells.
func TestSchemaChanges(t *testing.T) {
	t.Parallel()
	for name, sql := range map[string]string{
		"a column is rewritten":   `ALTER TABLE menus ALTER title TYPE text USING title || '!'`,
		"a table is renamed":      `ALTER TABLE menus RENAME TO cards`,
		"a table is replaced":     `ALTER TABLE terms RENAME TO old_terms; CREATE TABLE terms (LIKE old_terms)`,
		"a table is dropped":      `DROP TABLE search_terms`,
		"a migration ran":         `UPDATE schema_migrations SET dirty = dirty`,
		"a table has a new watch": `CREATE TABLE cards (); ` + newTrigger + `; INSERT INTO cards DEFAULT VALUES`,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			db := pgtest.New(t)
			w := watch(t, db)
			k := keep(t, w, db, "members", "units")
			do(t, db, sql)
			learn(t, w)
			if got := k.gone(w); got != k.names() {
				t.Errorf("only %q no longer hold", got)
			}
			k = keep(t, w, db, "members", "units")
			do(t, db, `UPDATE units SET name = name`)
			learn(t, w)
			if got := k.gone(w); got != "units" {
				t.Errorf("afterwards %q no longer hold after a write to units", got)
			}
		})
	}
}

const newTrigger = `
	CREATE TRIGGER cards_note_change AFTER INSERT OR UPDATE OR DELETE OR TRUNCATE ON cards
	FOR EACH STATEMENT EXECUTE FUNCTION note_change();
	ALTER TABLE cards ENABLE ALWAYS TRIGGER cards_note_change`
