package fresh_test

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/collegium/collegium/internal/fresh"
	"github.com/collegium/collegium/internal/pg"
	"github.com/collegium/collegium/internal/pg/pgtest"
)

func watch(t testing.TB, db *pgxpool.Pool) *fresh.Watcher {
	t.Helper()
	w := fresh.NewWatcher(db.Config().ConnConfig, fresh.Options{})
	t.Cleanup(w.Close)
	if !w.Fresh(t.Context()) {
		t.Fatal("a new watcher is not fresh")
	}
	return w
}

// learn makes the watcher ask for what was committed up to now.
func learn(t testing.TB, w *fresh.Watcher) {
	t.Helper()
	w.Wrote()
	if !w.Fresh(t.Context()) {
		t.Fatal("the watcher is not fresh")
	}
}

func do(t testing.TB, db pg.Querier, sql string, args ...any) {
	t.Helper()
	if _, err := db.Exec(t.Context(), sql, args...); err != nil {
		t.Fatalf("%s: %v", sql, err)
	}
}

// inTx runs statements in one transaction.
func inTx(t testing.TB, db pg.Querier, statements ...string) {
	t.Helper()
	if err := pgx.BeginFunc(t.Context(), db, func(tx pgx.Tx) error {
		for _, sql := range statements {
			if _, err := tx.Exec(t.Context(), sql); err != nil {
				return fmt.Errorf("%s: %w", sql, err)
			}
		}
		return nil
	}); err != nil {
		t.Fatal(err)
	}
}

// restsOn reads a statement and returns what it rests on; false if that is not known.
func restsOn(t testing.TB, w *fresh.Watcher, db pg.Querier, sql string, args ...any) (fresh.Basis, bool) {
	t.Helper()
	ctx, reading := w.Begin(t.Context())
	if _, err := db.Exec(ctx, sql, args...); err != nil {
		t.Fatalf("%s: %v", sql, err)
	}
	return reading.Basis()
}

// rest is restsOn for what is known.
func rest(t testing.TB, w *fresh.Watcher, db pg.Querier, sql string, args ...any) fresh.Basis {
	t.Helper()
	b, known := restsOn(t, w, db, sql, args...)
	if !known {
		t.Fatalf("%s rests on something unknown", sql)
	}
	return b
}

// kept is something that is kept for each table.
type kept map[string]fresh.Basis

func keep(t testing.TB, w *fresh.Watcher, db pg.Querier, tables ...string) kept {
	t.Helper()
	k := kept{}
	for _, name := range tables {
		k[name] = rest(t, w, db, `SELECT FROM `+name)
	}
	return k
}

// names are the tables, sorted.
func (k kept) names() string { return strings.Join(slices.Sorted(maps.Keys(k)), " ") }

// gone are the tables of which what is kept no longer holds, sorted.
func (k kept) gone(w *fresh.Watcher) string {
	var gone []string
	for name, b := range k {
		if !w.Holds(b) {
			gone = append(gone, name)
		}
	}
	slices.Sort(gone)
	return strings.Join(gone, " ")
}

const (
	aMenu  = `INSERT INTO menus (id, handle, title) VALUES (gen_random_uuid(), 'm-' || gen_random_uuid(), 'M')`
	aPage  = `INSERT INTO entries (id, key, kind, slug, title) VALUES ('00000000-0000-4000-8000-000000000001', 'a', 'PAGE', 'a', 'A')`
	itsRow = `INSERT INTO pages (entry_id) VALUES ('00000000-0000-4000-8000-000000000001')`
)

// Everything that writes to a table ends what rests on it, and nothing else.
func TestWrites(t *testing.T) {
	t.Parallel()
	db := pgtest.New(t)
	w := watch(t, db)
	for _, tt := range []struct {
		name   string
		before []string
		write  func(t *testing.T, db *pgxpool.Pool)
		want   string // all: of every table
	}{
		{name: "insert", write: func(t *testing.T, db *pgxpool.Pool) { do(t, db, aMenu) }, want: "menus"},
		{name: "update", write: func(t *testing.T, db *pgxpool.Pool) { do(t, db, `UPDATE menus SET title = 'N'`) }, want: "menus"},
		{name: "delete", write: func(t *testing.T, db *pgxpool.Pool) { do(t, db, `DELETE FROM terms`) }, want: "terms"},
		{name: "truncate", write: func(t *testing.T, db *pgxpool.Pool) { do(t, db, `TRUNCATE case_studies`) }, want: "all"},
		{
			name: "merge", write: func(t *testing.T, db *pgxpool.Pool) {
				do(t, db, `MERGE INTO menus m USING (VALUES ('x')) v (h) ON m.handle = v.h
					WHEN NOT MATCHED THEN INSERT (id, handle, title) VALUES (gen_random_uuid(), v.h, 'X')`)
			}, want: "menus",
		},
		{
			name: "a data-modifying CTE", write: func(t *testing.T, db *pgxpool.Pool) {
				do(t, db, `WITH w AS (UPDATE menus SET title = 'O' RETURNING id) SELECT count(*) FROM w`)
			}, want: "menus",
		},
		{
			name: "copy", write: func(t *testing.T, db *pgxpool.Pool) {
				if _, err := db.CopyFrom(t.Context(), pgx.Identifier{"career_levels"}, []string{"level", "position", "title"},
					pgx.CopyFromRows([][]any{{"ADVANCED", 1, "Advanced"}})); err != nil {
					t.Fatal(err)
				}
			}, want: "career_levels",
		},
		{
			name: "search is refreshed at the end of the transaction", write: func(t *testing.T, db *pgxpool.Pool) { inTx(t, db, aPage) },
			want: "entries entry_search search_completions search_terms",
		},
		{
			// The cascade writes to every table that may hold something of the entry.
			name: "cascade", before: []string{`DELETE FROM entries`, aPage, itsRow},
			write: func(t *testing.T, db *pgxpool.Pool) { do(t, db, `DELETE FROM entries`) },
			want:  "block_entries blocks case_studies documents entries entry_search pages routes search_completions search_terms units",
		},
		{
			name: "as a replica", write: func(t *testing.T, db *pgxpool.Pool) {
				inTx(t, db, `SET LOCAL session_replication_role = replica`, aMenu)
			}, want: "menus",
		},
		{
			name: "a savepoint that is kept", write: func(t *testing.T, db *pgxpool.Pool) {
				inTx(t, db, `SAVEPOINT a`, aMenu, `RELEASE a`)
			}, want: "menus",
		},
		{
			name: "a savepoint that is rolled back", write: func(t *testing.T, db *pgxpool.Pool) {
				inTx(t, db, `SAVEPOINT a`, aMenu, `ROLLBACK TO a`)
			},
		},
		{
			name: "again after a savepoint that was rolled back", write: func(t *testing.T, db *pgxpool.Pool) {
				inTx(t, db, `SAVEPOINT a`, aMenu, `ROLLBACK TO a`, aMenu, `SAVEPOINT b`, aMenu, `ROLLBACK TO b`)
			}, want: "menus",
		},
		{
			name: "caught by an exception block", write: func(t *testing.T, db *pgxpool.Pool) {
				do(t, db, `DO $$ BEGIN
					BEGIN UPDATE menus SET title = 'P'; RAISE 'no'; EXCEPTION WHEN raise_exception THEN NULL; END;
					UPDATE terms SET key = key;
				END $$`)
			}, want: "terms",
		},
		{
			name: "rolled back", write: func(t *testing.T, db *pgxpool.Pool) {
				tx, err := db.Begin(t.Context())
				if err != nil {
					t.Fatal(err)
				}
				do(t, tx, aMenu)
				if err := tx.Rollback(t.Context()); err != nil {
					t.Fatal(err)
				}
			},
		},
		{
			name: "several tables", write: func(t *testing.T, db *pgxpool.Pool) {
				inTx(t, db, aMenu, `UPDATE terms SET key = key`, aMenu)
			}, want: "menus terms",
		},
		{
			name: "without a search path, beside a temporary table of the same name", write: func(t *testing.T, db *pgxpool.Pool) {
				inTx(t, db, `CREATE TEMPORARY TABLE changes (LIKE changes) ON COMMIT DROP`, `SET LOCAL search_path = ''`,
					`UPDATE public.terms SET key = key`)
			}, want: "terms",
		},
		{name: "a table that nobody watches", write: func(t *testing.T, db *pgxpool.Pool) {
			do(t, db, `INSERT INTO trusted_documents (id, body) VALUES ('x', '{a}')`)
		}},
		{name: "vacuum and analyze", write: func(t *testing.T, db *pgxpool.Pool) { do(t, db, `VACUUM ANALYZE`) }},
		{name: "an index", write: func(t *testing.T, db *pgxpool.Pool) { do(t, db, `CREATE INDEX CONCURRENTLY ON menus (title)`) }},
	} {
		t.Run(tt.name, func(t *testing.T) {
			for _, sql := range tt.before {
				do(t, db, sql)
			}
			learn(t, w)
			k := keep(t, w, db, watched(t, db)...)
			tt.write(t, db)
			learn(t, w)
			if tt.want == "all" {
				tt.want = k.names()
			}
			if diff := cmp.Diff(tt.want, k.gone(w)); diff != "" {
				t.Errorf("what no longer holds (-want +got):\n%s", diff)
			}
			if got := keep(t, w, db, watched(t, db)...).gone(w); got != "" {
				t.Errorf("what was read after the write doesn't hold: %s", got)
			}
		})
	}
}

// unwatched are the tables of which nothing that is kept is read.
var unwatched = map[string]string{
	"schema_migrations":            "says which migrations ran; the watcher looks at it itself",
	"changes":                      "the notes",
	"changes_horizon":              "which notes were removed",
	"member_reads":                 "answers to the member themselves are never kept",
	"member_locks":                 "what it keeps from others stands with the member too",
	"search_pending":               "empty at the end of every transaction",
	"membership_stretches_pending": "the same",
	"trusted_documents":            "what may be asked, not what is answered",
	"trusted_document_clients":     "the same",
	"trusted_documents_revision":   "the same",
	"accounts":                     "answers to who is signed in are never kept",
	"account_roles":                "the same",
	"sessions":                     "the same",
	"account_links":                "the same",
	"sign_in_failures":             "the same",
	"membership_applications":      "the same",
	"membership_events":            "only who is signed in reads the history of a membership",
	"audit_entries":                "answers to who may read the audit are never kept",
	"audit_chain":                  "the same",
	"audit_pending":                "the same",
	"audit_people":                 "the same",
	"partner_applications":         "answers to who has a key are never kept",
	"application_keys":             "the same",
	"application_key_uses":         "the same",
	"consents":                     "answers to who is signed in are never kept",
	"retention_rules":              "read when somebody is erased",
	"erasures":                     "answers about erasures are never kept",
	"erasure_parts":                "the same",
	"former_members":               "says which records have no name, which nobody asks",
	"account_totp":                 "answers to who is signed in are never kept",
	"account_recovery_codes":       "the same",
	"passkeys":                     "the same",
	"passkey_challenges":           "the same",
	"passkey_uses":                 "the same",
	"external_identities":          "the same",
	"external_attempts":            "the same",
	"idempotency_keys":             "read by writes only",
}

func watched(t testing.TB, db *pgxpool.Pool) []string {
	t.Helper()
	names, err := pg.Scalars[string](t.Context(), db, `
		SELECT t.tgrelid::regclass::text
		FROM pg_trigger t
		WHERE t.tgfoid = 'note_change'::regproc`)
	if err != nil {
		t.Fatal(err)
	}
	return names
}

func TestEveryTableNotesItsChanges(t *testing.T) {
	t.Parallel()
	db := pgtest.New(t)
	w := watch(t, db)
	tables, err := pg.Scalars[string](t.Context(), db, `
		SELECT relname
		FROM pg_class
		WHERE relkind IN ('r', 'p', 'm', 'f') AND relnamespace = 'public'::regnamespace
			AND NOT EXISTS (SELECT FROM pg_depend d WHERE d.objid = pg_class.oid AND d.deptype = 'e')
		ORDER BY 1`)
	if err != nil {
		t.Fatal(err)
	}
	if len(tables) < 20 {
		t.Fatalf("there are only the tables %q", tables)
	}
	for _, name := range tables {
		b, known := restsOn(t, w, db, `SELECT FROM `+name)
		_, left := unwatched[name]
		switch {
		case known && left:
			t.Errorf("%s is watched, so it needs no reason not to be", name)
		case !known && !left:
			t.Errorf("nobody notes what changes in %s: add the trigger, or say here why not", name)
		case known && !slices.Equal(b.Tables(), []string{name}):
			t.Errorf("what reads %s rests on %q", name, b.Tables())
		}
	}
	for name := range unwatched {
		if !slices.Contains(tables, name) {
			t.Errorf("there is no table %s", name)
		}
	}
}

// What is read from a view rests on the tables that the view reads, and on the calendar
// where it asks what day it is.
func TestViewsRestOnTheirTables(t *testing.T) {
	t.Parallel()
	db := pgtest.New(t)
	w := watch(t, db)
	for view, want := range map[string][]string{
		"members_public":                            {"current_date", "members"},
		"members_public_by_region":                  {"current_date", "members"},
		"members_public_in_sections":                {"current_date", "members", "section_memberships"},
		"members_shown":                             {"committees", "current_date", "members", "posts", "section_memberships", "terms"},
		"members_registered":                        {"members"},
		"practices_between(1,1,1,1)":                {"committees", "current_date", "member_details", "members", "posts", "section_memberships", "terms"},
		"section_member_counts('{}', '2026-01-01')": {"membership_strata", "membership_stretches", "section_sets"},
		"region_member_counts('{}', '2026-01-01')":  {"membership_strata", "membership_stretches"},
	} {
		b, known := restsOn(t, w, db, `SELECT FROM `+view)
		got := b.Tables()
		slices.Sort(got)
		if !known || !slices.Equal(got, want) {
			t.Errorf("what reads %s rests on %q, known: %t; want %q", view, got, known, want)
		}
	}
}

// A transaction is learned of when it is committed, however long it was open and
// whatever was committed meanwhile.
func TestLongTransaction(t *testing.T) {
	t.Parallel()
	db := pgtest.New(t)
	w := watch(t, db)
	long, err := db.Begin(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer long.Rollback(context.Background()) //nolint:errcheck // it is committed below
	do(t, long, `UPDATE menus SET title = title`)
	for range 5 {
		k := keep(t, w, db, "menus", "terms", "members")
		do(t, db, `UPDATE terms SET key = key`)
		learn(t, w)
		if got := k.gone(w); got != "terms" {
			t.Fatalf("while a transaction is open: %q no longer hold, want terms", got)
		}
	}
	do(t, long, `UPDATE members SET key = key`)
	k := keep(t, w, db, "menus", "terms", "members")
	do(t, db, `UPDATE terms SET key = key`)
	if err := long.Commit(t.Context()); err != nil {
		t.Fatal(err)
	}
	learn(t, w)
	if got := k.gone(w); got != "members menus terms" {
		t.Fatalf("after the long transaction: %q no longer hold", got)
	}
	k = keep(t, w, db, "menus", "terms", "members")
	learn(t, w)
	if got := k.gone(w); got != "" {
		t.Fatalf("%q were learned of twice", got)
	}
}

func TestPreparedTransaction(t *testing.T) {
	t.Parallel()
	db := pgtest.New(t)
	if n, err := pg.Scalar[int](t.Context(), db, `SELECT current_setting('max_prepared_transactions')::int`); err != nil || n == 0 {
		t.Skip("the server prepares no transactions", err)
	}
	w := watch(t, db)
	conn, err := db.Acquire(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Release()
	name := fmt.Sprintf("'%s'", db.Config().ConnConfig.Database)
	for _, sql := range []string{`BEGIN`, aMenu, `PREPARE TRANSACTION ` + name} {
		do(t, conn, sql)
	}
	k := keep(t, w, conn, "menus")
	learn(t, w)
	if got := k.gone(w); got != "" {
		t.Errorf("%s no longer hold before the transaction is committed", got)
	}
	do(t, conn, `COMMIT PREPARED `+name)
	learn(t, w)
	if got := k.gone(w); got != "menus" {
		t.Errorf("%q no longer hold after a prepared transaction, want menus", got)
	}
}

// What began to be read before a write became known is never kept as if it had been
// read after it.
func TestKeptAfterTheChange(t *testing.T) {
	t.Parallel()
	db := pgtest.New(t)
	w := watch(t, db)
	ctx, reading := w.Begin(t.Context())
	n, err := pg.Scalar[int](ctx, db, `SELECT count(*) FROM menus`)
	if err != nil || n != 0 {
		t.Fatal(n, err)
	}
	do(t, db, aMenu)
	learn(t, w) // the write is known before what was read is kept
	b, known := reading.Basis()
	if !known || w.Holds(b) {
		t.Errorf("what was read before the write holds after it (known: %v)", known)
	}

	// The same with a snapshot that is kept for a transaction.
	ctx, reading = w.Begin(t.Context())
	tx, err := db.BeginTx(ctx, pgx.TxOptions{IsoLevel: pgx.RepeatableRead, AccessMode: pgx.ReadOnly})
	if err != nil {
		t.Fatal(err)
	}
	defer tx.Rollback(context.Background()) //nolint:errcheck // it only reads
	do(t, tx, `SELECT FROM terms`)
	do(t, db, aMenu)
	learn(t, w)
	if _, err := tx.Exec(ctx, `SELECT FROM menus`); err != nil {
		t.Fatal(err)
	}
	if b, known = reading.Basis(); !known || w.Holds(b) {
		t.Errorf("what was read in an old snapshot holds (known: %v)", known)
	}
}

func TestBasis(t *testing.T) {
	t.Parallel()
	db := pgtest.New(t)
	w := watch(t, db)
	for _, tt := range []struct {
		sql  string
		args []any
		want string // the tables; "?" if they can't be known
	}{
		{sql: `SELECT 1`},
		{sql: `SELECT FROM menus JOIN "menu_items" i ON i.menu_id = menus.id`, want: "menu_items menus"},
		{sql: `SELECT '--' FROM members -- and no more`, want: "members"},
		{sql: `SELECT FROM MEMBERS WHERE joined_on <= CURRENT_DATE`, want: "current_date members"},
		{sql: `SELECT age('2020-01-01'::timestamp)`, want: "current_date"},
		{sql: `SELECT 'today'::date`, want: "current_date"},
		{sql: `SELECT term FROM search_near_terms('a', '{}')`, want: "entries search_terms"}, // a column has the name of a table
		{sql: `SELECT search_fold('a')`},
		{sql: `SELECT now()`, want: "?"},
		{sql: `SELECT localtimestamp`, want: "?"},
		{sql: `SELECT random()`, want: "?"},
		{sql: `SELECT FROM menus TABLESAMPLE SYSTEM (10)`, want: "?"},
		{sql: `SELECT query_to_xml('SELECT 1', true, true, '')`, want: "?"},
		{sql: `SELECT FROM schema_migrations`, want: "?"},
		{sql: `SELECT FROM pg_class`, want: "?"},
		{sql: `SELECT FROM information_schema.tables`, want: "?"},
		{sql: `SELECT FROM menus WHERE handle = @members`, args: []any{pgx.StrictNamedArgs{"members": "x"}}, want: "members menus"},
	} {
		b, known := restsOn(t, w, db, tt.sql, tt.args...)
		tables := b.Tables()
		slices.Sort(tables)
		got := strings.Join(tables, " ")
		if !known {
			got = "?"
		}
		if got != tt.want {
			t.Errorf("%s rests on %q, want %q", tt.sql, got, tt.want)
		}
	}
	if !w.Holds(fresh.Basis{}) {
		t.Error("what rests on nothing doesn't hold")
	}
}

// What is made of something kept rests on what that rests on, as of when it was read.
func TestRestOn(t *testing.T) {
	t.Parallel()
	db := pgtest.New(t)
	w := watch(t, db)
	old := rest(t, w, db, `SELECT FROM menus JOIN terms ON true`)
	do(t, db, aMenu)
	learn(t, w)
	ctx, reading := w.Begin(t.Context())
	if _, err := db.Exec(ctx, `SELECT FROM menus, members`); err != nil {
		t.Fatal(err)
	}
	fresh.RestOn(ctx, fresh.Basis{})
	b, known := reading.Basis()
	if !known || !w.Holds(b) {
		t.Fatalf("what was just read doesn't hold (known: %v)", known)
	}
	fresh.RestOn(ctx, old)
	b, known = reading.Basis()
	tables := b.Tables()
	slices.Sort(tables)
	if got := strings.Join(tables, " "); !known || w.Holds(b) || got != "members menus terms" {
		t.Errorf("what is made of something old holds, or rests on %q", got)
	}
	fresh.RestOn(t.Context(), old) // nobody is reading
}

func TestTheDayTurns(t *testing.T) {
	t.Parallel()
	db := pgtest.New(t)
	w := watch(t, db)
	// It is never the same day in both.
	if err := w.Exec(t.Context(), `SET TimeZone = 'Etc/GMT-14'`); err != nil {
		t.Fatal(err)
	}
	learn(t, w)
	k := keep(t, w, db, "menus", "members WHERE joined_on = CURRENT_DATE")
	learn(t, w)
	if got := k.gone(w); got != "" {
		t.Errorf("on the same day %s no longer hold", got)
	}
	if err := w.Exec(t.Context(), `SET TimeZone = 'Etc/GMT+12'`); err != nil {
		t.Fatal(err)
	}
	learn(t, w)
	if got := k.gone(w); got != "members WHERE joined_on = CURRENT_DATE" {
		t.Errorf("on another day %q no longer hold", got)
	}
}

// A role that may write to one table needs no rights on the notes.
func TestWriterWithoutRights(t *testing.T) {
	t.Parallel()
	db := pgtest.New(t)
	w := watch(t, db)
	k := keep(t, w, db, "menus", "terms")
	role := pgx.Identifier{"writer_" + db.Config().ConnConfig.Database}.Sanitize()
	do(t, db, `CREATE ROLE `+role)
	defer func() {
		do(t, db, `DROP OWNED BY `+role)
		do(t, db, `DROP ROLE `+role)
	}()
	do(t, db, `GRANT INSERT ON menus TO `+role)
	inTx(t, db, `SET LOCAL ROLE `+role, aMenu)
	learn(t, w)
	if got := k.gone(w); got != "menus" && got != "menus terms" { // a grant alters the table
		t.Errorf("%q no longer hold, want menus", got)
	}
}
