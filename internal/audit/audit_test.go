package audit_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/collegium/collegium/internal/audit"
	"github.com/collegium/collegium/internal/node"
	"github.com/collegium/collegium/internal/page"
	"github.com/collegium/collegium/internal/pg"
	"github.com/collegium/collegium/internal/pg/pgtest"
)

func do(t testing.TB, q pg.Querier, sql string, args ...any) {
	t.Helper()
	if _, err := q.Exec(t.Context(), sql, args...); err != nil {
		t.Fatalf("%s: %v", sql, err)
	}
}

const (
	staff = "01920000-0000-7000-8000-000000000001"
	ada   = "01920000-0000-7000-8000-00000000000a"
	grace = "01920000-0000-7000-8000-00000000000b"
)

// as runs statements in a transaction of somebody.
func as(t testing.TB, db *pgxpool.Pool, account, member, request string, statements ...string) {
	t.Helper()
	tx, err := db.Begin(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer tx.Rollback(context.Background()) //nolint:errcheck // it is committed below
	do(t, tx, `SELECT set_config('collegium.account', $1, true), set_config('collegium.member', $2, true), set_config('collegium.request', $3, true)`,
		account, member, request)
	for _, sql := range statements {
		do(t, tx, sql)
	}
	if err := tx.Commit(t.Context()); err != nil {
		t.Fatal(err)
	}
}

const newMember = `INSERT INTO members (id, key, display_name, sort_name, bio, grade, joined_on)
	VALUES ('%s', '%[1]s', 'Ada Byron', 'Byron Ada', 'she counts', 'STUDENT', '2024-05-01')`

// blank empties the audit, and leaves to members no trigger that writes elsewhere.
func blank(ctx context.Context, db *pgxpool.Pool) error {
	for _, sql := range []string{
		`ALTER TABLE audit_entries DISABLE TRIGGER USER`, `ALTER TABLE audit_chain DISABLE TRIGGER USER`,
		`TRUNCATE audit_entries, audit_chain, audit_pending, audit_people RESTART IDENTITY`,
		`ALTER TABLE audit_entries ENABLE ALWAYS TRIGGER audit_entries_refuse`, `ALTER TABLE audit_chain ENABLE ALWAYS TRIGGER audit_chain_refuse`,
		`ALTER TABLE members DISABLE TRIGGER USER`, `ALTER TABLE members ENABLE TRIGGER members_touch_revision`,
		`ALTER TABLE members ENABLE ALWAYS TRIGGER members_audit_insert`, `ALTER TABLE members ENABLE ALWAYS TRIGGER members_audit_update`,
		`ALTER TABLE members ENABLE ALWAYS TRIGGER members_audit_delete`,
	} {
		if _, err := db.Exec(ctx, sql); err != nil {
			return err
		}
	}
	return nil
}

func open(t *testing.T) (*audit.Store, *pgxpool.Pool) {
	t.Helper()
	db := pgtest.NewWith(t, "blank", blank)
	do(t, db, `INSERT INTO accounts (id, email) VALUES ('`+staff+`', 'staff@example.org')`)
	do(t, db, `INSERT INTO account_roles (account_id, role) VALUES ('`+staff+`', 'ADMINISTRATOR')`)
	return &audit.Store{DB: db}, db
}

// line is an entry in words.
func line(e *audit.Entry) string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s %s", e.Operation, e.TableName)
	if e.RowCount != nil && *e.RowCount != 1 {
		fmt.Fprintf(&b, " ×%d", *e.RowCount)
	}
	if len(e.Columns) > 0 {
		fmt.Fprintf(&b, " (%s)", strings.Join(e.Columns, " "))
	}
	if e.ActorID != nil {
		fmt.Fprintf(&b, " by %s", e.ActorID.String()[34:])
	}
	if len(e.ActorRoles) > 0 {
		fmt.Fprintf(&b, " %s", strings.Join(e.ActorRoles, ","))
	}
	if e.SubjectID != nil {
		fmt.Fprintf(&b, " about %s", e.SubjectID.String()[34:])
	}
	if e.RequestID != nil {
		fmt.Fprintf(&b, " in %s", *e.RequestID)
	}
	return b.String()
}

func trail(t *testing.T, s *audit.Store, f *audit.Filter) []string {
	t.Helper()
	hundred := 100
	c, err := s.Trail(t.Context(), f, page.Args{First: &hundred})
	if err != nil {
		t.Fatal(err)
	}
	lines := []string{}
	for _, e := range c.Nodes() {
		lines = append(lines, line(e))
	}
	return lines
}

func TestWhatIsNoted(t *testing.T) {
	t.Parallel()
	s, db := open(t)
	as(t, db, staff, "", "r1", fmt.Sprintf(newMember, ada))
	as(t, db, staff, ada, "r2",
		`UPDATE members SET bio = 'she reckons', bio_audience = 'PUBLIC'`,
		`UPDATE members SET bio = bio`, // nothing
		`UPDATE members SET bio = 'x' WHERE false`,
		`UPDATE members SET id = '`+grace+`', key = 'k'`)
	as(t, db, "", "", "", `INSERT INTO career_levels (level, position, title) VALUES ('EXPERIENCED', 1, 'E'), ('ADVANCED', 2, 'A')`,
		`DELETE FROM career_levels WHERE level = 'ADVANCED'`, `TRUNCATE career_levels CASCADE`)
	tx, err := db.Begin(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	do(t, tx, `UPDATE members SET bio = 'never'`)
	if err := tx.Rollback(t.Context()); err != nil {
		t.Fatal(err)
	}
	want := []string{
		"TRUNCATE case_studies", "TRUNCATE career_levels", "DELETE career_levels", "INSERT career_levels", "INSERT career_levels",
		"UPDATE members (" + strings.Join(memberColumns(t, db), " ") + ") by 01 ADMINISTRATOR,MEMBER about 0b in r2",
		"UPDATE members (bio bio_audience revision updated_at) by 01 ADMINISTRATOR,MEMBER about 0a in r2",
		"INSERT members by 01 ADMINISTRATOR about 0a in r1",
		"INSERT account_roles about 01", "INSERT accounts about 01",
	}
	if diff := cmp.Diff(want, trail(t, s, nil)); diff != "" {
		t.Errorf("the trail (-want +got)\n%s", diff)
	}
	text := func(v string) *string { return &v }
	update := audit.Update
	for name, tt := range map[string]struct {
		filter audit.Filter
		want   int
	}{
		"actor":       {audit.Filter{Actor: text(node.ID("Account", uuid.MustParse(staff)))}, 3},
		"subject":     {audit.Filter{Subject: text(node.ID("Member", uuid.MustParse(ada)))}, 2},
		"an account":  {audit.Filter{Subject: text(node.ID("Account", uuid.MustParse(staff)))}, 2},
		"table":       {audit.Filter{Table: text("members")}, 3},
		"operation":   {audit.Filter{Operation: &update, Table: text("members")}, 2},
		"request":     {audit.Filter{Request: text("r2")}, 2},
		"nobody":      {audit.Filter{Subject: text(node.ID("Member", uuid.New()))}, 0},
		"the future":  {audit.Filter{Since: new(time.Now().Add(time.Hour))}, 0},
		"until today": {audit.Filter{Until: new(time.Now().Add(time.Hour))}, 10},
	} {
		if got := trail(t, s, &tt.filter); len(got) != tt.want {
			t.Errorf("by %s: %d entries, want %d: %q", name, len(got), tt.want, got)
		}
	}
	// No value is in it, and no ID of a person.
	all, err := pg.Scalar[string](t.Context(), db, `SELECT string_agg(e::text, ' ') FROM audit_entries e`)
	if err != nil {
		t.Fatal(err)
	}
	for _, personal := range []string{"Ada", "Byron", "she counts", "example.org", ada, grace, staff} {
		if strings.Contains(all, personal) {
			t.Errorf("the audit holds %q", personal)
		}
	}
}

func memberColumns(t *testing.T, db *pgxpool.Pool) []string {
	t.Helper()
	names, err := pg.Scalars[string](t.Context(), db, `
		SELECT a.attname::text FROM pg_attribute a
		WHERE a.attrelid = 'members'::regclass AND a.attnum > 0 AND NOT a.attisdropped
		ORDER BY a.attname::text COLLATE "C"`)
	if err != nil {
		t.Fatal(err)
	}
	return names
}

// TestManyRows: a statement that writes many rows is one entry.
func TestManyRows(t *testing.T) {
	t.Parallel()
	s, db := open(t)
	do(t, db, `INSERT INTO members (id, key, display_name, sort_name, grade, joined_on)
		SELECT gen_random_uuid(), 'k' || i, 'A', 'A', 'STUDENT', '2024-05-01' FROM generate_series(1, 1000) i`)
	do(t, db, `UPDATE members SET bio = 'x', headline = headline`)
	do(t, db, `UPDATE members SET bio = bio`)
	do(t, db, `DELETE FROM members WHERE key <> 'k1'`)
	n, err := db.CopyFrom(t.Context(), pgx.Identifier{"members"}, []string{"id", "key", "display_name", "sort_name", "grade", "joined_on"},
		pgx.CopyFromSlice(101, func(i int) ([]any, error) {
			return []any{uuid.New(), fmt.Sprint("c", i), "A", "A", "STUDENT", time.Now()}, nil
		}))
	if err != nil || n != 101 {
		t.Fatal(n, err)
	}
	want := []string{
		"INSERT members ×101", "DELETE members ×999", "UPDATE members ×1000 (bio revision updated_at)", "INSERT members ×1000",
		"INSERT account_roles about 01", "INSERT accounts about 01",
	}
	if diff := cmp.Diff(want, trail(t, s, nil)); diff != "" {
		t.Errorf("the trail (-want +got)\n%s", diff)
	}
}

func TestTrailByPages(t *testing.T) {
	t.Parallel()
	s, db := open(t)
	as(t, db, staff, "", "r", fmt.Sprintf(newMember, ada))
	var numbers []int64
	var after *string
	for range 5 {
		one := 1
		c, err := s.Trail(t.Context(), nil, page.Args{First: &one, After: after})
		if err != nil {
			t.Fatal(err)
		}
		for _, e := range c.Nodes() {
			numbers = append(numbers, e.Number)
		}
		if after = c.PageInfo().EndCursor; !c.PageInfo().HasNextPage {
			break
		}
	}
	if diff := cmp.Diff([]int64{3, 2, 1}, numbers); diff != "" {
		t.Errorf("the pages (-want +got)\n%s", diff)
	}
}

// TestWritersDoNotWait: entries of transactions that overlap are all chained, in
// whatever isolation and order they end, also while somebody seals all the time.
func TestWritersDoNotWait(t *testing.T) {
	t.Parallel()
	s, db := open(t)
	for i := range 3 {
		do(t, db, fmt.Sprintf(newMember, fmt.Sprintf("01920000-0000-7000-8000-00000000001%d", i)))
	}
	long, err := db.BeginTx(t.Context(), pgx.TxOptions{IsoLevel: pgx.Serializable})
	if err != nil {
		t.Fatal(err)
	}
	do(t, long, `UPDATE members SET bio = 'long' WHERE key LIKE '%0'`)
	var writing sync.WaitGroup
	for w := 1; w < 3; w++ {
		writing.Go(func() {
			for n := range 30 {
				if _, err := db.Exec(t.Context(), `UPDATE members SET bio = $1 WHERE key LIKE $2`, fmt.Sprint(n), fmt.Sprint("%", w)); err != nil {
					t.Error(err)
				}
				if _, err := s.Seal(t.Context()); err != nil {
					t.Error(err)
				}
			}
		})
	}
	writing.Wait()
	if err := long.Commit(t.Context()); err != nil {
		t.Fatal(err)
	}
	head, err := s.Verify(t.Context(), nil)
	if err != nil || head.Position != 2+3+1+60 {
		t.Errorf("head %v, %v; want 66 entries", head, err)
	}
}

// TestRefuses: nothing of the audit can be changed without taking its triggers away.
func TestRefuses(t *testing.T) {
	t.Parallel()
	s, db := open(t)
	if _, err := s.Seal(t.Context()); err != nil {
		t.Fatal(err)
	}
	for _, sql := range []string{
		`UPDATE audit_entries SET program = 'x'`, `DELETE FROM audit_entries`, `TRUNCATE audit_entries CASCADE`,
		`UPDATE audit_chain SET hash = hash`, `DELETE FROM audit_chain`, `TRUNCATE audit_chain`,
		`SET session_replication_role = replica; DELETE FROM audit_chain`,
	} {
		conn, err := db.Acquire(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		_, err = conn.Conn().PgConn().Exec(t.Context(), sql).ReadAll()
		if err == nil || !strings.Contains(err.Error(), "only added to") {
			t.Errorf("%s: %v, want a refusal", sql, err)
		}
		do(t, conn, `RESET session_replication_role`)
		conn.Release()
	}
	if _, err := s.Verify(t.Context(), nil); err != nil {
		t.Error(err)
	}
}

// TestTampering: somebody who may do anything in the database changes the audit, and
// it shows.
func TestTampering(t *testing.T) {
	t.Parallel()
	const entries = 5
	cases := map[string]struct {
		sql  string
		at   int64
		from bool // shows only beside a head that was kept
	}{
		"the first entry is removed":    {`DELETE FROM audit_entries WHERE id = 1`, 1, false},
		"one in the middle is removed":  {`DELETE FROM audit_entries WHERE id = 3`, 3, false},
		"the last is removed":           {`DELETE FROM audit_entries WHERE id = 5`, 5, false},
		"the first, with its place":     {`DELETE FROM audit_chain WHERE position = 1; DELETE FROM audit_entries WHERE id = 1`, 1, false},
		"one inside, with its place":    {`DELETE FROM audit_chain WHERE position = 3; DELETE FROM audit_entries WHERE id = 3`, 3, false},
		"the last, with its place":      {`DELETE FROM audit_chain WHERE position = 5; DELETE FROM audit_entries WHERE id = 5`, 5, true},
		"all of it":                     {`DELETE FROM audit_chain; DELETE FROM audit_entries`, 1, true},
		"the place of the last":         {`DELETE FROM audit_chain WHERE position = 5`, 5, false},
		"places close up":               {`DELETE FROM audit_chain WHERE position = 3; UPDATE audit_chain SET position = position - 1 WHERE position > 3`, 3, false},
		"two places change":             {`UPDATE audit_chain SET entry_id = 7 - entry_id WHERE position IN (3, 4)`, 3, false},
		"two entries change":            {`UPDATE audit_entries SET id = 7 - id WHERE id IN (3, 4)`, 3, false},
		"a hash":                        {`UPDATE audit_chain SET hash = sha256('x') WHERE position = 4`, 4, false},
		"written anew from the middle":  {`UPDATE audit_entries SET program = 'x' WHERE id = 3; DELETE FROM audit_chain WHERE position >= 3; INSERT INTO audit_pending VALUES (3), (4), (5)`, 5, true},
		"an entry that is put in later": {`INSERT INTO audit_entries (actor_roles, program, operation, table_name, row_count, columns) VALUES ('{}', '', 'INSERT', 'x', 1, '{}')`, 6, false},
		"the time never was":            {`UPDATE audit_entries SET written_at = 'infinity' WHERE id = 2`, 2, false},
	}
	// Every column, to another value and to or from none.
	for column, values := range map[string][]string{
		"id": {"id + 100"}, "written_at": {"written_at + interval '1 microsecond'"}, "transaction_id": {"transaction_id + 1"},
		"actor": {"gen_random_uuid()", "NULL"}, "actor_roles": {"'{EDITOR}'", "'{ADMINISTRATOR,NULL}'"}, "application_id": {"gen_random_uuid()"},
		"program": {"'other'", "''"}, "request_id": {"'other'", "NULL"}, "operation": {"'DELETE'"}, "table_name": {"'other'"},
		"row_key": {"'other'", "NULL"}, "row_count": {"2"}, "columns": {"'{bio}'", "'{NULL}'"}, "subject": {"gen_random_uuid()", "NULL"},
	} {
		for _, v := range values {
			cases[column+" becomes "+v] = struct {
				sql  string
				at   int64
				from bool
			}{fmt.Sprintf(`UPDATE audit_entries SET %s = %s WHERE id = 4`, column, v), 4, false}
		}
	}
	_, db := open(t)
	columns, err := pg.Scalars[string](t.Context(), db, `
		SELECT attname::text FROM pg_attribute WHERE attrelid = 'audit_entries'::regclass AND attnum > 0 AND NOT attisdropped`)
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range columns {
		if _, ok := cases[c+" becomes "+map[string]string{
			"id": "id + 100", "written_at": "written_at + interval '1 microsecond'", "transaction_id": "transaction_id + 1", "operation": "'DELETE'",
			"row_count": "2", "columns": "'{bio}'", "actor_roles": "'{EDITOR}'", "actor": "NULL", "subject": "NULL", "application_id": "gen_random_uuid()",
		}[c]]; !ok {
			if _, ok := cases[c+" becomes 'other'"]; !ok {
				t.Errorf("no case changes %s", c)
			}
		}
	}
	seed := func(ctx context.Context, db *pgxpool.Pool) error {
		if err := blank(ctx, db); err != nil {
			return err
		}
		for _, sql := range []string{
			`INSERT INTO accounts (id, email) VALUES ('` + staff + `', 'staff@example.org')`,
			`INSERT INTO account_roles (account_id, role) VALUES ('` + staff + `', 'ADMINISTRATOR')`,
			fmt.Sprintf(newMember, ada),
		} {
			if _, err := db.Exec(ctx, sql); err != nil {
				return err
			}
		}
		return pgx.BeginFunc(ctx, db, func(tx pgx.Tx) error {
			for _, sql := range []string{
				`SELECT set_config('collegium.account', '` + staff + `', true), set_config('collegium.request', 'r', true)`,
				fmt.Sprintf(newMember, grace),
				`UPDATE members SET bio = 'y' WHERE id = '` + ada + `'`,
			} {
				if _, err := tx.Exec(ctx, sql); err != nil {
					return err
				}
			}
			return nil
		})
	}
	for name, tt := range cases {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			db := pgtest.NewWith(t, "tampering", seed)
			s := &audit.Store{DB: db}
			head, err := s.Verify(t.Context(), nil)
			if err != nil || head.Position != entries {
				t.Fatalf("before: %v, %v", head, err)
			}
			kept, err := audit.ParseHead(head.String())
			if err != nil {
				t.Fatal(err)
			}
			if _, err := s.Verify(t.Context(), &kept); err != nil {
				t.Fatalf("from its own head: %v", err)
			}
			conn, err := db.Acquire(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			defer conn.Release()
			for _, sql := range []string{
				`ALTER TABLE audit_entries DISABLE TRIGGER USER`, `ALTER TABLE audit_chain DISABLE TRIGGER USER`,
				`ALTER TABLE audit_chain DROP CONSTRAINT audit_chain_entry_id_fkey, DROP CONSTRAINT audit_chain_pkey, DROP CONSTRAINT audit_chain_entry_once`,
				`ALTER TABLE audit_pending DROP CONSTRAINT audit_pending_entry_id_fkey`,
				`ALTER TABLE audit_entries DROP CONSTRAINT audit_entries_pkey, ALTER id DROP IDENTITY, DROP CONSTRAINT audit_entries_truncates_all`,
				`ALTER TABLE audit_entries ALTER id SET DEFAULT 6`,
			} {
				do(t, conn, sql)
			}
			if _, err := conn.Conn().PgConn().Exec(t.Context(), tt.sql).ReadAll(); err != nil {
				t.Fatal(err)
			}
			var broken *audit.BrokenError
			if tt.from {
				if _, err := s.Verify(t.Context(), nil); err != nil {
					t.Errorf("without a head that was kept it shows too: %v", err)
				}
			} else if _, err := s.Verify(t.Context(), nil); !errors.As(err, &broken) || broken.Position != tt.at {
				t.Errorf("got %v, want it broken at %d", err, tt.at)
			}
			if _, err := s.Verify(t.Context(), &kept); !errors.As(err, &broken) || broken.Position != tt.at {
				t.Errorf("from a head that was kept: got %v, want it broken at %d", err, tt.at)
			}
		})
	}
}

func TestParseHead(t *testing.T) {
	t.Parallel()
	for _, text := range []string{"", "1", "1:", "x:" + strings.Repeat("00", 32), "-1:" + strings.Repeat("00", 32), "1:" + strings.Repeat("00", 31)} {
		if h, err := audit.ParseHead(text); err == nil {
			t.Errorf("%q is the head %v", text, h)
		}
	}
}
