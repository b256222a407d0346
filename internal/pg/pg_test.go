package pg_test

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"github.com/collegium/collegium/internal/errs"
	"github.com/collegium/collegium/internal/pg"
	"github.com/collegium/collegium/internal/pg/pgtest"
)

type colour string

type thing struct {
	ID      uuid.UUID
	Parent  *uuid.UUID
	Colour  colour
	MadeAt  time.Time
	Tags    []string
	Note    *string
	Unasked string `db:"-"`
}

const thingColumns = `id, parent, colour, made_at, tags, note`

// things makes a table and two rows, the second the child of the first.
func things(t *testing.T, q pg.Querier) (parent, child uuid.UUID) {
	t.Helper()
	parent, child = uuid.New(), uuid.New()
	_, err := q.Exec(t.Context(), `
		CREATE TABLE things (
			id      uuid PRIMARY KEY,
			parent  uuid CONSTRAINT things_parent_exists REFERENCES things (id),
			colour  text NOT NULL CONSTRAINT things_colour_known CHECK (colour IN ('RED', 'BLUE')),
			made_at timestamptz NOT NULL,
			tags    text[] NOT NULL,
			note    text
		)`)
	if err != nil {
		t.Fatal(err)
	}
	for _, row := range []pgx.StrictNamedArgs{
		{"id": parent, "parent": nil, "colour": colour("RED"), "tags": []string{}, "note": nil},
		{"id": child, "parent": &parent, "colour": colour("BLUE"), "tags": []string{"a", "b"}, "note": "x"},
	} {
		_, err := q.Exec(t.Context(), `
			INSERT INTO things (id, parent, colour, made_at, tags, note)
			VALUES (@id, @parent, @colour, '2024-02-29T12:00:00Z', @tags, @note)`, row)
		if err != nil {
			t.Fatal(err)
		}
	}
	return parent, child
}

func TestAllAndOne(t *testing.T) {
	t.Parallel()
	tx := pgtest.Tx(t)
	parent, child := things(t, tx)
	at := time.Date(2024, 2, 29, 12, 0, 0, 0, time.UTC)
	note := "x"
	want := []*thing{
		{ID: parent, Colour: "RED", MadeAt: at, Tags: []string{}},
		{ID: child, Parent: &parent, Colour: "BLUE", MadeAt: at, Tags: []string{"a", "b"}, Note: &note},
	}
	got, err := pg.All[thing](t.Context(), tx, `
		SELECT `+thingColumns+`
		FROM things
		WHERE id = ANY (@ids)
		ORDER BY colour DESC`, pgx.StrictNamedArgs{"ids": []uuid.UUID{parent, child}})
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(want, got, cmp.Comparer(time.Time.Equal)); diff != "" {
		t.Errorf("All (-want +got):\n%s", diff)
	}

	one, err := pg.One[thing](t.Context(), tx, `SELECT `+thingColumns+` FROM things WHERE parent = @parent`, pgx.StrictNamedArgs{"parent": parent})
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(want[1], one, cmp.Comparer(time.Time.Equal)); diff != "" {
		t.Errorf("One (-want +got):\n%s", diff)
	}

	none, err := pg.All[thing](t.Context(), tx, `SELECT `+thingColumns+` FROM things WHERE false`)
	if err != nil || none == nil || len(none) != 0 {
		t.Errorf("All without rows = %v, %v; want an empty slice", none, err)
	}
	if got, err := pg.One[thing](t.Context(), tx, `SELECT `+thingColumns+` FROM things WHERE false`); got != nil || !errors.Is(err, errs.NotFound) {
		t.Errorf("One without a row = %v, %v; want errs.NotFound", got, err)
	}
	if got, err := pg.One[thing](t.Context(), tx, `SELECT `+thingColumns+` FROM things`); got != nil || !errors.Is(err, pgx.ErrTooManyRows) {
		t.Errorf("One of two rows = %v, %v; want pgx.ErrTooManyRows", got, err)
	}
	if _, err := pg.All[thing](t.Context(), tx, `SELECT id, colour FROM things`); err == nil {
		t.Error("All forgives a column that is missing")
	}
	if _, err := pg.All[thing](t.Context(), tx, `SELECT `+thingColumns+`, 1 AS extra FROM things`); err == nil {
		t.Error("All forgives a column that has no field")
	}
}

// every has a field for each way in which a column is read.
type every struct {
	Inside
	Text      string
	Colour    *colour
	ID        uuid.UUID
	OtherID   *uuid.UUID
	Small     int
	Large     int64
	Half      *int
	Share     float64
	Yes       bool
	No        *bool
	Day       time.Time
	OtherDay  *time.Time
	Moment    time.Time
	Tags      []string
	Numbers   []int
	Bytes     []byte
	Object    map[string]int
	Nothing   *string
	NamedElse string `db:"called"`
}

// Inside is embedded, as types of other packages are.
type Inside struct {
	Inner int
}

// TestRowsAsTheDriverReadsThem wants of All what the driver's own collector reads, row by row, for more rows than are
// allocated at once.
func TestRowsAsTheDriverReadsThem(t *testing.T) {
	t.Parallel()
	tx := pgtest.Tx(t)
	const sql = `
		SELECT
			n AS inner,
			repeat('é', n * 7) AS text,
			CASE WHEN n % 3 > 0 THEN 'C' || n END AS colour,
			md5(n::text)::uuid AS id,
			CASE WHEN n % 2 > 0 THEN md5(n::text)::uuid END AS other_id,
			-n AS small,
			n * 10000000000 AS large,
			NULLIF(n, 5) AS half,
			n / 7.0::float8 AS share,
			n % 2 = 0 AS yes,
			NULLIF(n % 2 = 0, true) AS no,
			DATE '2000-02-28' + n * 1000 - 60000 AS day,
			CASE WHEN n % 4 > 0 THEN DATE '1999-12-31' + n END AS other_day,
			TIMESTAMPTZ '2024-02-29T12:00:00.123456Z' + n * INTERVAL '1 hour' AS moment,
			ARRAY['a', n::text] AS tags,
			ARRAY[n, n] AS numbers,
			decode('00ff', 'hex') AS bytes,
			jsonb_build_object('n', n) AS object,
			NULL::text AS nothing,
			n::text AS called
		FROM generate_series(0, 150) AS n`
	rows, err := tx.Query(t.Context(), sql)
	if err != nil {
		t.Fatal(err)
	}
	want, err := pgx.CollectRows(rows, pgx.RowToAddrOfStructByName[every])
	if err != nil {
		t.Fatal(err)
	}
	got, err := pg.All[every](t.Context(), tx, sql)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("rows (-want +got):\n%s", diff)
	}
	for _, sql := range []string{
		`SELECT NULL::text AS v`, `SELECT 'x' AS v, 1 AS w`, `SELECT 1 AS w`, `SELECT ARRAY[1] AS v`,
	} {
		if got, err := pg.All[struct{ V string }](t.Context(), tx, sql); err == nil {
			t.Errorf("%s: read as %v, want an error", sql, got[0])
		}
	}
	if got, err := pg.All[struct{ V time.Time }](t.Context(), tx, `SELECT DATE 'infinity' AS v`); err == nil {
		t.Errorf("an infinite day is read as %v, want an error", got[0])
	}
	// The transaction still works: every answer was read to its end or given back.
	if n, err := pg.Scalar[int](t.Context(), tx, `SELECT 1`); n != 1 || err != nil {
		t.Errorf("after errors: %d, %v", n, err)
	}
}

// TestArrays sends lists and reads them back.
func TestArrays(t *testing.T) {
	t.Parallel()
	pool := pgtest.New(t)
	for _, ids := range [][]uuid.UUID{nil, {}, {uuid.New()}, {uuid.New(), uuid.Nil, uuid.New()}} {
		got, err := pg.Scalar[[]uuid.UUID](t.Context(), pool, `SELECT @ids::uuid[]`, pgx.StrictNamedArgs{"ids": ids})
		if diff := cmp.Diff(ids, got); diff != "" || err != nil {
			t.Errorf("UUIDs %v (-want +got):\n%s", err, diff)
		}
	}
	for _, texts := range [][]string{nil, {}, {""}, {"é", `"{}',\`, "NULL"}} {
		got, err := pg.Scalar[[]string](t.Context(), pool, `SELECT @texts::text[]`, pgx.StrictNamedArgs{"texts": texts})
		if diff := cmp.Diff(texts, got); diff != "" || err != nil {
			t.Errorf("texts %v (-want +got):\n%s", err, diff)
		}
	}
	if n, err := pg.Scalar[int](t.Context(), pool, `SELECT cardinality(@c::text[])`, pgx.StrictNamedArgs{"c": []colour{"RED", "BLUE"}}); n != 2 || err != nil {
		t.Errorf("a list of named strings has %d elements, %v; want 2", n, err)
	}
}

// TestColumnTypeChanges reads a text of SQL again after a column has another type.
func TestColumnTypeChanges(t *testing.T) {
	t.Parallel()
	pool := pgtest.New(t)
	exec := func(sql string) {
		t.Helper()
		if _, err := pool.Exec(t.Context(), sql); err != nil {
			t.Fatal(err)
		}
	}
	const sql = `SELECT n FROM changing`
	exec(`CREATE TABLE changing AS SELECT 7 AS n`)
	if got, err := pg.All[struct{ N int }](t.Context(), pool, sql); err != nil || got[0].N != 7 {
		t.Fatalf("%v, %v", got, err)
	}
	exec(`ALTER TABLE changing ALTER n TYPE bigint`)
	pool.Reset()
	if got, err := pg.All[struct{ N int }](t.Context(), pool, sql); err != nil || got[0].N != 7 {
		t.Errorf("as bigint: %v, %v; want 7", got, err)
	}
	exec(`ALTER TABLE changing ALTER n TYPE text`)
	pool.Reset()
	if got, err := pg.All[struct{ N int }](t.Context(), pool, sql); err == nil {
		t.Errorf("a text is read as the number %d", got[0].N)
	}
}

// TestNamedArguments asks one text with right and wrong names in turn.
func TestNamedArguments(t *testing.T) {
	t.Parallel()
	tx := pgtest.Tx(t)
	const sql = `SELECT @b::int - @a::int - @b::int AS n -- not @c`
	if _, err := pg.Scalar[int](t.Context(), tx, sql, pgx.StrictNamedArgs{"a": 1}); err == nil {
		t.Error("an argument is missing, and nothing is said")
	}
	for range 2 {
		if n, err := pg.Scalar[int](t.Context(), tx, sql, pgx.StrictNamedArgs{"a": 1, "b": 2}); n != -1 || err != nil {
			t.Errorf("both: %d, %v; want -1", n, err)
		}
		for _, wrong := range []pgx.StrictNamedArgs{{"a": 1}, {"a": 1, "b": 2, "c": 3}, {"a": 1, "c": 3}} {
			_, want := tx.Query(t.Context(), sql, wrong)
			if _, err := pg.Scalar[int](t.Context(), tx, sql, wrong); err == nil || want == nil || err.Error() != want.Error() {
				t.Errorf("%v: %v; want the driver's %v", wrong, err, want)
			}
		}
	}
}

func TestScalars(t *testing.T) {
	t.Parallel()
	tx := pgtest.Tx(t)
	parent, child := things(t, tx)
	ids, err := pg.Scalars[uuid.UUID](t.Context(), tx, `SELECT id FROM things ORDER BY colour DESC`)
	if diff := cmp.Diff([]uuid.UUID{parent, child}, ids); diff != "" || err != nil {
		t.Errorf("Scalars %v (-want +got):\n%s", err, diff)
	}
	if c, err := pg.Scalar[colour](t.Context(), tx, `SELECT colour FROM things WHERE id = @id`, pgx.StrictNamedArgs{"id": child}); c != "BLUE" || err != nil {
		t.Errorf("Scalar = %q, %v; want BLUE", c, err)
	}
	if _, err := pg.Scalar[int](t.Context(), tx, `SELECT 1 WHERE false`); !errors.Is(err, errs.NotFound) {
		t.Errorf("Scalar without a row: %v, want errs.NotFound", err)
	}
	if _, err := pg.Scalars[string](t.Context(), tx, `SELECT note FROM things`); err == nil {
		t.Error("Scalars takes NULL for a string")
	}
	if _, err := pg.Scalar[int](t.Context(), tx, `SELECT @a::int`, pgx.StrictNamedArgs{"a": 1, "b": 2}); err == nil {
		t.Error("an argument that the statement doesn't name is forgiven")
	}
}

func TestConstraint(t *testing.T) {
	t.Parallel()
	pool := pgtest.New(t)
	things(t, pool)
	for sql, want := range map[string]string{
		`INSERT INTO things VALUES (gen_random_uuid(), NULL, 'PINK', now(), '{}', NULL)`:             "things_colour_known",
		`INSERT INTO things VALUES (gen_random_uuid(), gen_random_uuid(), 'RED', now(), '{}', NULL)`: "things_parent_exists",
		`INSERT INTO things SELECT * FROM things`:                                                    "things_pkey",
		`INSERT INTO things (id) VALUES (gen_random_uuid())`:                                         "",
		`SELECT nonsense`: "",
	} {
		_, err := pool.Exec(t.Context(), sql)
		if err == nil {
			t.Fatalf("%s: no error", sql)
		}
		errs.Wrap(&err, "while testing")
		if got := pg.Constraint(err); got != want {
			t.Errorf("%s: constraint %q, want %q", sql, got, want)
		}
	}
	if got := pg.Constraint(nil); got != "" {
		t.Errorf("no error has the constraint %q", got)
	}
}

func TestOpenSettings(t *testing.T) {
	t.Parallel()
	dsn := pgtest.EmptyDSN(t)
	for name, tc := range map[string]struct {
		add  string
		o    pg.Options
		want string // statement, lock and idle timeout, and the name
	}{
		"defaults":   {want: "15s 5s 30s collegium"},
		"given":      {o: pg.Options{ApplicationName: "bench", StatementTimeout: time.Second, LockTimeout: 1, IdleInTransactionTimeout: time.Minute}, want: "1s 1ms 1min bench"},
		"none":       {o: pg.Options{StatementTimeout: -1, LockTimeout: -1, IdleInTransactionTimeout: -1}, want: "0 0 0 collegium"},
		"by the DSN": {add: "&statement_timeout=7s&application_name=mine", want: "7s 5s 30s mine"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			pool, err := pg.Open(t.Context(), dsn+tc.add, tc.o)
			if err != nil {
				t.Fatal(err)
			}
			defer pool.Close()
			got, err := pg.Scalar[string](t.Context(), pool, `
				SELECT concat_ws(' ',
				    current_setting('statement_timeout'),
				    current_setting('lock_timeout'),
				    current_setting('idle_in_transaction_session_timeout'),
				    current_setting('application_name'))`)
			if got != tc.want || err != nil {
				t.Errorf("settings %q, %v; want %q", got, err, tc.want)
			}
		})
	}
}

func TestOpenRefuses(t *testing.T) {
	t.Parallel()
	dsn := pgtest.EmptyDSN(t)
	_, err := pg.Open(t.Context(), dsn+"&default_query_exec_mode=simple_protocol", pg.Options{})
	if err == nil || !strings.Contains(err.Error(), "simple_protocol is refused") {
		t.Errorf("simple protocol: %v; want to be refused", err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second)
	defer cancel()
	for _, bad := range []string{"postgres://u:hush-hush@localhost:notaport/db", "postgres://u:hush-hush@127.0.0.1:1/db"} {
		_, err := pg.Open(ctx, bad, pg.Options{})
		if err == nil || strings.Contains(err.Error(), "hush") {
			t.Errorf("%s: %v; want an error without the password", bad, err)
		}
	}
}

func TestOpenPlanning(t *testing.T) {
	t.Parallel()
	dsn := pgtest.EmptyDSN(t)
	for add, want := range map[string]string{
		"": "force_generic_plan 1.1 0",
		"&plan_cache_mode=auto&random_page_cost=4&max_parallel_workers_per_gather=2": "auto 4 2",
	} {
		pool, err := pg.Open(t.Context(), dsn+add, pg.Options{})
		if err != nil {
			t.Fatal(err)
		}
		defer pool.Close()
		got, err := pg.Scalar[string](t.Context(), pool, `
			SELECT concat_ws(' ',
			    current_setting('plan_cache_mode'),
			    current_setting('random_page_cost'),
			    current_setting('max_parallel_workers_per_gather'))`)
		if got != want || err != nil {
			t.Errorf("with %q: %q, %v; want %q", add, got, err, want)
		}
	}
}

// However many texts are asked, a connection keeps few of them.
func TestStatementsAreBounded(t *testing.T) {
	t.Parallel()
	pool, err := pg.Open(t.Context(), pgtest.EmptyDSN(t), pg.Options{MaxConns: 1})
	if err != nil {
		t.Fatal(err)
	}
	defer pool.Close()
	for i := range 200 {
		if _, err := pg.Scalar[int](t.Context(), pool, fmt.Sprintf(`SELECT %d`, i)); err != nil {
			t.Fatal(err)
		}
	}
	if n, err := pg.Scalar[int](t.Context(), pool, `SELECT count(*) FROM pg_prepared_statements`); n > 130 || err != nil {
		t.Errorf("%d statements are prepared, %v; want about 128", n, err)
	}
}

// A caller that gave up costs neither the connection nor the server's time.
func TestCancelledStatement(t *testing.T) {
	t.Parallel()
	u, err := url.Parse(pgtest.EmptyDSN(t))
	if err != nil {
		t.Fatal(err)
	}
	pool, err := pg.Open(t.Context(), u.String(), pg.Options{MaxConns: 1})
	if err != nil {
		t.Fatal(err)
	}
	defer pool.Close()
	before, err := pg.Scalar[int](t.Context(), pool, `SELECT pg_backend_pid()`)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	if _, err := pg.Scalars[string](ctx, pool, `SELECT pg_sleep(60)::text`); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("err = %v, want the deadline", err)
	}
	after, err := pg.Scalar[int](t.Context(), pool, `SELECT pg_backend_pid()`)
	if err != nil || after != before {
		t.Errorf("the next statement ran on connection %d, %v; want %d as before", after, err, before)
	}
}
