package privacy_test

import (
	"bytes"
	"context"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/santhosh-tekuri/jsonschema/v6"

	"github.com/collegium/collegium/internal/audit"
	"github.com/collegium/collegium/internal/errs"
	"github.com/collegium/collegium/internal/pg"
	"github.com/collegium/collegium/internal/pg/pgtest"
	"github.com/collegium/collegium/internal/privacy"
	"github.com/collegium/collegium/internal/viewer"
)

func do(t testing.TB, q pg.Querier, sql string, args ...any) {
	t.Helper()
	if _, err := q.Exec(t.Context(), sql, args...); err != nil {
		t.Fatalf("%s: %v", sql, err)
	}
}

// person is a member with an account, whose every text holds a word that nobody
// else's does.
type person struct {
	member, account uuid.UUID
	word            string
}

func (p person) viewer() viewer.Viewer {
	v := viewer.New(viewer.SignedIn | viewer.HasRecord | viewer.CurrentMember)
	v.Account, v.MemberID = p.account, p.member
	return v
}

var (
	ada   = person{uuid.MustParse("01920000-0000-7000-8000-0000000000a1"), uuid.MustParse("01920000-0000-7000-8000-0000000000a2"), "kanari"}
	grace = person{uuid.MustParse("01920000-0000-7000-8000-0000000000b1"), uuid.MustParse("01920000-0000-7000-8000-0000000000b2"), "sparrow"}
)

// rows makes a row of a person in each of privacy.Tables: WORD is the person's word,
// in a text, MEMBER_ID and ACCOUNT_ID their ids. Where there are several, they are separated
// by semicolons. In this order.
var rows = [][2]string{
	{"accounts", `INSERT INTO accounts (id, email, password_hash) VALUES ('ACCOUNT_ID', 'WORD@example.org', '$argon2id$WORD')`},
	{"members", `INSERT INTO members (id, key, display_name, sort_name, pronouns, headline, bio, grade, region_id, joined_on, bio_audience)
		VALUES ('MEMBER_ID', 'WORD-key', 'WORD Name', 'Name WORD', 'WORD', 'WORD', 'WORD', 'STUDENT', NULL, '2019-05-01', 'MEMBERS');
		UPDATE accounts SET member_id = 'MEMBER_ID' WHERE id = 'ACCOUNT_ID'`},
	{"registrations", `INSERT INTO registrations (member_id, body, number) VALUES ('MEMBER_ID', 'HCPC', 'OT' || (10000 + length('WORD')))`},
	{"indemnity_insurances", `INSERT INTO indemnity_insurances (member_id, insurer, policy_number, valid_from, valid_until)
		VALUES ('MEMBER_ID', 'WORD', 'WORD', '2020-01-01', '2021-01-01')`},
	{"membership_suspensions", `INSERT INTO membership_suspensions (member_id, starts_on, ends_on, reason) VALUES ('MEMBER_ID', '2020-01-01', '2020-02-01', 'WORD')`},
	{"membership_events", `INSERT INTO membership_events (member_id, kind, happened_on, reason) VALUES ('MEMBER_ID', 'SUSPENDED', '2020-01-01', 'WORD')`},
	{"membership_periods", `UPDATE membership_periods SET ends_on = '2020-06-30', ended_how = 'RESIGNED' WHERE member_id = 'MEMBER_ID';
		INSERT INTO membership_periods (member_id, grade, starts_on, governs_on) VALUES ('MEMBER_ID', 'STUDENT', '2020-09-01', '2020-09-01')`},
	{"membership_stretches", ``}, // triggers wrote them
	{"account_roles", `INSERT INTO account_roles (account_id, role) VALUES ('ACCOUNT_ID', 'EDITOR')`},
	{"sessions", `INSERT INTO sessions (id, token_sha256, account_id, epoch, expires_at)
		VALUES (gen_random_uuid(), sha256('WORD'), 'ACCOUNT_ID', 1, now() + interval '1 day')`},
	{"idempotency_keys", `INSERT INTO idempotency_keys (account_id, key_sha256, input_sha256, answer, expires_at)
		VALUES ('ACCOUNT_ID', sha256('k'), sha256('i'), to_jsonb('MEMBER_ID'::uuid), now() + interval '1 day')`},
	{"account_totp", `INSERT INTO account_totp (account_id, secret) VALUES ('ACCOUNT_ID', 'ABCDEFGHIJKLMNOPQRSTUVWXYZ234567')`},
	{"account_recovery_codes", `INSERT INTO account_recovery_codes (code_sha256, account_id) VALUES (sha256('WORD'), 'ACCOUNT_ID')`},
	{"passkeys", `INSERT INTO passkeys (id, account_id, credential_id, credential, name)
		VALUES (gen_random_uuid(), 'ACCOUNT_ID', sha256('WORD'), '{}', 'WORD')`},
	{"passkey_uses", `INSERT INTO passkey_uses (passkey_id, account_id, state, last_used_at)
		SELECT id, account_id, '{"WORD": true}', now() FROM passkeys WHERE account_id = 'ACCOUNT_ID'`},
	{"passkey_challenges", `INSERT INTO passkey_challenges (token_sha256, account_id, challenge, expires_at) VALUES (sha256('WORD'), 'ACCOUNT_ID', '{}', now())`},
	{"external_identities", `INSERT INTO external_identities (issuer, subject, account_id) VALUES ('https://id.example.org', 'WORD', 'ACCOUNT_ID')`},
	{"account_links", `INSERT INTO account_links (token_sha256, account_id, epoch, expires_at, email)
		VALUES (sha256('WORD'), 'ACCOUNT_ID', 1, now() + interval '1 day', 'WORD@example.com')`},
	{"sign_in_failures", `INSERT INTO sign_in_failures (key, failures, expires_at)
		VALUES (sha256('address:WORD@example.org'), 1, now()), (sha256('address:reset:WORD@example.org'), 1, now()),
			(sha256('address:own:ACCOUNT_ID'), 1, now()), (sha256('network:own:ACCOUNT_ID'), 1, now()),
			(sha256('address:email:ACCOUNT_ID'), 1, now())`},
	{"river.river_job", `INSERT INTO river.river_job (kind, args, max_attempts)
		VALUES ('account_mail', '{"mail": "reset", "email": "WORD@Example.org"}', 10), ('other', '{"account": "ACCOUNT_ID"}', 10), ('other', '{"of": ["MEMBER_ID"]}', 1)`},
	{"membership_applications", `INSERT INTO membership_applications (id, account_id, display_name, grade, decision, decided_at, decided_by, reason)
		VALUES (gen_random_uuid(), 'ACCOUNT_ID', 'WORD', 'STUDENT', 'DECLINED', now(), 'ACCOUNT_ID', 'WORD')`},
	{"therapist_listings", `INSERT INTO therapist_listings (member_id) VALUES ('MEMBER_ID')`},
	{"consents", `INSERT INTO consents (id, member_id, purpose, version, given) VALUES (gen_random_uuid(), 'MEMBER_ID', 'NEWSLETTER', 1, true)`},
	{"member_details", `INSERT INTO member_details (member_id, field, value) VALUES ('MEMBER_ID', 'EMAIL', 'WORD@example.org'), ('MEMBER_ID', 'ADDRESS', 'WORD');
		INSERT INTO member_details (member_id, field, terms) VALUES ('MEMBER_ID', 'SPECIALISMS', ARRAY['WORD']);
		INSERT INTO member_details (member_id, field, value, postcode, latitude, longitude) VALUES ('MEMBER_ID', 'PRACTICE', 'WORD', 'WORD', 51.5, 0.1)`},
	{"member_photos", `INSERT INTO member_photos (member_id, id, jpeg, width, height) VALUES ('MEMBER_ID', gen_random_uuid(), 'WORD', 1, 1)`},
	{"member_reads", `INSERT INTO member_reads (id, member_id, read_at, reader, fields, times) VALUES (gen_random_uuid(), 'MEMBER_ID', now(), 'EDITOR', '{BIO}', 1)`},
	{"member_locks", `INSERT INTO member_locks (member_id, field, audience, reason) VALUES ('MEMBER_ID', 'BIO', 'STAFF', 'WORD')`},
	{"section_memberships", `INSERT INTO section_memberships (member_id, section_id, starts_on)
		VALUES ('MEMBER_ID', '01920000-0000-7000-8000-000000000001', '2020-01-01')`},
	{"case_studies", `INSERT INTO entries (id, key, kind, slug, title) VALUES (md5('WORD')::uuid, 'study-' || md5('WORD'), 'CASE_STUDY', 'a', 'A practitioner');
		INSERT INTO case_studies (entry_id, person, headline, level, level_label, member_id)
		VALUES (md5('WORD')::uuid, 'A practitioner', 'Work', 'EXPERIENCED', 'E', 'MEMBER_ID')`},
	{"terms", `INSERT INTO terms (id, key, post_id, member_id, starts_on, ends_on) VALUES
		(gen_random_uuid(), 'WORD-past', '01920000-0000-7000-8000-000000000003', 'MEMBER_ID', '2019-01-01', '2020-01-01'),
		(gen_random_uuid(), 'WORD-now', '01920000-0000-7000-8000-000000000003', 'MEMBER_ID', '2021-01-01', CURRENT_DATE + 9),
		(gen_random_uuid(), 'WORD-next', '01920000-0000-7000-8000-000000000003', 'MEMBER_ID', CURRENT_DATE + 10, NULL)`},
	{"erasures", `INSERT INTO erasures (member_id, account_id, by_staff, due_at, cancelled_at) VALUES ('MEMBER_ID', 'ACCOUNT_ID', false, now(), now())`},
	{"audit_entries", ``},
	{"audit_people", ``}, // the rest wrote them
}

// shared is what people's rows hang on.
const shared = `
	INSERT INTO entries (id, key, kind, slug, title) VALUES ('01920000-0000-7000-8000-000000000001', 'section', 'SPECIALIST_SECTION', 's', 'S');
	INSERT INTO units (id, kind, slug, name, short_name, position) VALUES ('01920000-0000-7000-8000-000000000001', 'SPECIALIST_SECTION', 's', 'S', 'S', 1);
	INSERT INTO committees (id, key, slug, name) VALUES ('01920000-0000-7000-8000-000000000002', 'c', 'c', 'C');
	INSERT INTO posts (id, key, committee_id, title, seats, position) VALUES ('01920000-0000-7000-8000-000000000003', 'p', '01920000-0000-7000-8000-000000000002', 'Chair', 2, 1);
	INSERT INTO career_levels (level, position, title) VALUES ('EXPERIENCED', 1, 'E')`

func seed(ctx context.Context, db *pgxpool.Pool) error {
	conn, err := db.Acquire(ctx)
	if err != nil {
		return err
	}
	defer conn.Release()
	if _, err := conn.Conn().PgConn().Exec(ctx, shared).ReadAll(); err != nil {
		return err
	}
	for _, p := range []person{ada, grace} {
		for _, r := range rows {
			// The audit has entries of people about themselves, with who asked.
			sql := fmt.Sprintf(`BEGIN; SELECT set_config('collegium.account', '%s', true); %s; COMMIT`, p.account,
				strings.NewReplacer("WORD", p.word, "MEMBER_ID", p.member.String(), "ACCOUNT_ID", p.account.String()).Replace(r[1]))
			if _, err := conn.Conn().PgConn().Exec(ctx, sql).ReadAll(); err != nil {
				return fmt.Errorf("%s: %w", r[0], err)
			}
		}
	}
	return nil
}

func open(t *testing.T) (*privacy.Store, *pgxpool.Pool) {
	t.Helper()
	db := pgtest.NewWith(t, "people", seed)
	return &privacy.Store{DB: db, Own: db}, db
}

// count is how many rows of a table are a person's.
func count(t *testing.T, db *pgxpool.Pool, table privacy.Table, p person) int {
	t.Helper()
	n, err := pg.Scalar[int](t.Context(), db, `SELECT count(*) FROM `+table.Name+` t WHERE `+as(table.Whose, p))
	if err != nil {
		t.Fatal(err)
	}
	return n
}

// as fills a person in.
func as(whose string, p person) string {
	return strings.NewReplacer("@member", "'"+p.member.String()+"'::uuid", "@account", "'"+p.account.String()+"'::uuid").Replace(whose)
}

func TestEveryTableHasARow(t *testing.T) {
	t.Parallel()
	_, db := open(t)
	for _, table := range privacy.Tables {
		if table.Whose != "false" && count(t, db, table, ada) == 0 {
			t.Errorf("nobody has a row in %s: make one in rows of this test", table.Name)
		}
	}
}

// TestExport: it holds a row of every table, fits its own schema, and shows no
// secret.
func TestExport(t *testing.T) {
	t.Parallel()
	s, db := open(t)
	check := func(who string, v viewer.Viewer) map[string][]map[string]any {
		t.Helper()
		e, err := s.OwnData(t.Context(), v)
		if err != nil {
			t.Fatal(err)
		}
		schema, err := jsonschema.UnmarshalJSON(strings.NewReader(e.Schema))
		if err != nil {
			t.Fatal(err)
		}
		c := jsonschema.NewCompiler()
		c.AssertFormat()
		if err := c.AddResource("export.json", schema); err != nil {
			t.Fatal(err)
		}
		compiled, err := c.Compile("export.json")
		if err != nil {
			t.Fatal(err)
		}
		held, err := jsonschema.UnmarshalJSON(strings.NewReader(e.JSON))
		if err != nil {
			t.Fatal(err)
		}
		if err := compiled.Validate(held); err != nil {
			t.Errorf("the export of %s doesn't fit its schema: %v", who, err)
		}
		var all map[string]json.RawMessage
		if err := json.Unmarshal([]byte(e.JSON), &all); err != nil {
			t.Fatal(err)
		}
		delete(all, "takenAt")
		rows := map[string][]map[string]any{}
		for name, raw := range all {
			var list []map[string]any
			if err := json.Unmarshal(raw, &list); err != nil {
				t.Fatal(name, err)
			}
			rows[name] = list
		}
		if strings.Contains(e.JSON, grace.word) || strings.Contains(e.JSON, grace.member.String()) || strings.Contains(e.JSON, "argon2id") {
			t.Errorf("the export of %s shows somebody else, or a secret: %s", who, e.JSON)
		}
		return rows
	}
	got := check("a member", ada.viewer())
	for _, table := range privacy.Tables {
		_, name, found := strings.Cut(table.Name, ".")
		if !found {
			name = table.Name
		}
		if want := count(t, db, table, ada); len(got[name]) != want {
			t.Errorf("%d rows of %s, want %d", len(got[name]), name, want)
		}
	}
	if m := got["members"][0]; m["bio"] != "kanari" || m["bio_audience"] != "MEMBERS" {
		t.Errorf("the profile is %v", m)
	}
	// Somebody who has an account and is no member.
	do(t, db, `INSERT INTO accounts (id, email) VALUES ('01920000-0000-7000-8000-0000000000c2', 'c@example.org')`)
	staff := viewer.New(viewer.SignedIn)
	staff.Account = uuid.MustParse("01920000-0000-7000-8000-0000000000c2")
	got = check("an account", staff)
	if len(got["accounts"]) != 1 || len(got["members"]) != 0 || got["accounts"][0]["email"] != "c@example.org" {
		t.Errorf("the export of an account is %v", got)
	}
}

// plant writes a word of its own into every text of a person that takes one, and
// returns how many it was.
func plant(t *testing.T, db *pgxpool.Pool, p person) int {
	t.Helper()
	type column struct{ Table, Column, Type string }
	names := []string{}
	for _, table := range privacy.Tables {
		if !strings.HasPrefix(table.Name, "audit_") {
			names = append(names, table.Name)
		}
	}
	columns, err := pg.All[column](t.Context(), db, `
		SELECT n.name AS "table", a.attname::text AS "column", format_type(a.atttypid, NULL) AS type
		FROM unnest($1::text[]) AS n (name)
		JOIN pg_attribute a ON a.attrelid = n.name::regclass AND a.attnum > 0 AND NOT a.attisdropped AND a.attgenerated = ''
		WHERE a.atttypid IN ('text'::regtype, 'varchar'::regtype, 'jsonb'::regtype, 'text[]'::regtype)`, names)
	if err != nil {
		t.Fatal(err)
	}
	planted := 0
	for _, c := range columns {
		switch {
		case c.Table == "river.river_job" && c.Column == "args": // it is what says whose job it is
			continue
		case c.Table == "case_studies": // what is published is not the person's; only who it is about
			continue
		}
		var table privacy.Table
		for _, x := range privacy.Tables {
			if x.Name == c.Table {
				table = x
			}
		}
		word := fmt.Sprintf("%s%d", p.word, planted)
		for _, value := range []string{"'" + word + "'", "'" + word + "@example.org'", "to_jsonb('" + word + "'::text)", "ARRAY['" + word + "']"} {
			err := pgx.BeginFunc(t.Context(), db, func(tx pgx.Tx) error {
				_, err := tx.Exec(t.Context(), fmt.Sprintf(`UPDATE %s t SET %s = %s WHERE ctid = (SELECT t.ctid FROM %[1]s t WHERE %[4]s LIMIT 1)`,
					c.Table, c.Column, value, as(table.Whose, p)))
				return err
			})
			if err == nil {
				planted++
				break
			}
		}
	}
	return planted
}

// everywhere returns each table whose rows show a text, of all schemas.
func everywhere(t *testing.T, db *pgxpool.Pool, text string) []string {
	t.Helper()
	tables, err := pg.Scalars[string](t.Context(), db, `
		SELECT format('%I.%I', n.nspname, c.relname)
		FROM pg_class c
		JOIN pg_namespace n ON n.oid = c.relnamespace
		WHERE c.relkind IN ('r', 'p', 'm') AND n.nspname NOT IN ('pg_catalog', 'information_schema', 'pg_toast')
		ORDER BY 1`)
	if err != nil {
		t.Fatal(err)
	}
	if len(tables) < 40 {
		t.Fatalf("there are only the tables %q", tables)
	}
	found := []string{}
	for _, name := range tables {
		in, err := pg.Scalar[bool](t.Context(), db, `SELECT EXISTS (SELECT FROM `+name+` t WHERE position($1 IN lower(t::text)) > 0)`, text)
		if err != nil {
			t.Fatal(err)
		}
		if in {
			found = append(found, name)
		}
	}
	return found
}

// dumped returns what pg_dump writes of the database, in small letters; nothing, with a word in
// the log, where there is no pg_dump that reads this server.
func dumped(t *testing.T, db *pgxpool.Pool) string {
	t.Helper()
	at, err := exec.LookPath("pg_dump")
	for _, pattern := range []string{"/usr/lib/postgresql/*/bin/pg_dump", "/opt/homebrew/opt/postgresql*/bin/pg_dump"} {
		if found, _ := filepath.Glob(pattern); err != nil && len(found) > 0 {
			at, err = found[len(found)-1], nil
		}
	}
	if err != nil {
		t.Log("NOT DUMPED: there is no pg_dump on this machine; the rows were looked through as text")
		return ""
	}
	c := db.Config().ConnConfig
	cmd := exec.CommandContext(t.Context(), at, "--inserts", "--host="+c.Host, "--port="+strconv.Itoa(int(c.Port)), "--username="+c.User, "--dbname="+c.Database)
	cmd.Env = append(os.Environ(), "PGPASSWORD="+c.Password)
	var wrong strings.Builder
	cmd.Stderr = &wrong
	out, err := cmd.Output()
	if err != nil && strings.Contains(wrong.String(), "server version mismatch") {
		t.Logf("NOT DUMPED: %s", wrong.String())
		return ""
	}
	if err != nil {
		t.Fatalf("pg_dump: %v\n%s", err, wrong.String())
	}
	if !bytes.Contains(out, []byte("INSERT INTO public.members")) || !bytes.Contains(out, []byte("INSERT INTO public.audit_entries")) {
		t.Fatalf("the dump of %d bytes has not the members, or not the audit", len(out))
	}
	return strings.ToLower(string(out))
}

// own returns the rows of a person, as text.
func own(t *testing.T, db *pgxpool.Pool, p person) map[string]string {
	t.Helper()
	texts := map[string]string{}
	for _, table := range privacy.Tables {
		text, err := pg.Scalar[string](t.Context(), db,
			`SELECT COALESCE(string_agg(t::text, E'\n' ORDER BY t::text), '') FROM `+table.Name+` t WHERE `+as(table.Whose, p))
		if err != nil {
			t.Fatal(err)
		}
		texts[table.Name] = text
	}
	return texts
}

// TestErasure: of somebody who is erased nothing is left anywhere in the database,
// what law has kept names nobody, and nobody else is touched.
func TestErasure(t *testing.T) {
	t.Parallel()
	s, db := open(t)
	if n := plant(t, db, ada); n < 14 {
		t.Fatalf("only %d words were planted", n)
	}
	if err := pgx.BeginFunc(t.Context(), db, func(tx pgx.Tx) error { // find by the address as it is now
		_, err := tx.Exec(t.Context(), `UPDATE accounts SET email = 'kanari@example.org' WHERE id = $1`, ada.account)
		return err
	}); err != nil {
		t.Fatal(err)
	}
	if dump := dumped(t, db); dump != "" && strings.Count(dump, "kanari") < 14 {
		t.Fatalf("before, a dump has %d of the words", strings.Count(dump, "kanari"))
	}
	if found := everywhere(t, db, "kanari"); len(found) < 6 {
		t.Fatalf("before, the words are only in %q", found)
	}
	before := own(t, db, grace)
	ctx := pg.WithActor(t.Context(), pg.Actor{Account: ada.account.String(), Member: ada.member.String(), Request: "r"})
	e, err := s.Request(ctx, ada.viewer(), nil)
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Execute(t.Context(), e.ID); !errors.Is(err, privacy.ErrNotDue) {
		t.Fatalf("before the wait is over: %v", err)
	}
	do(t, db, `UPDATE erasures SET due_at = now() WHERE id = $1`, e.ID)
	if err := s.Sweep(t.Context()); err != nil {
		t.Fatal(err)
	}
	if dump := dumped(t, db); dump != "" {
		for _, text := range []string{"kanari", ada.member.String(), ada.account.String()} {
			if at := strings.Index(dump, text); at >= 0 {
				t.Errorf("a dump of the database still has %q: …%s…", text, dump[max(0, at-200):min(len(dump), at+100)])
			}
		}
		// What is not text is written in hexadecimal digits there.
		for _, text := range []string{"kanari", "Kanari", "KANARI"} {
			if digits := hex.EncodeToString([]byte(text)); strings.Contains(dump, digits) {
				t.Errorf("a dump of the database still has %q as bytes", text)
			}
		}
	}
	for _, text := range []string{"kanari", ada.member.String(), ada.account.String()} {
		if found := everywhere(t, db, text); len(found) > 0 {
			t.Errorf("%q is still in %q", text, found)
		}
	}
	if diff := cmp.Diff(before, own(t, db, grace)); diff != "" {
		t.Errorf("somebody else (-before +after)\n%s", diff)
	}
	type term struct {
		Name string
		Days string
	}
	terms, err := pg.All[term](t.Context(), db, `
		SELECT m.display_name AS name, t.starts_on || ' ' || CASE t.ends_on WHEN CURRENT_DATE THEN 'today' ELSE t.ends_on::text END AS days
		FROM former_members f
		JOIN members m ON m.id = f.member_id
		JOIN terms t ON t.member_id = m.id
		ORDER BY t.starts_on`)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]*term{{"Former member", "2019-01-01 2020-01-01"}, {"Former member", "2021-01-01 today"}}, terms); diff != "" {
		t.Errorf("the posts that were held (-want +got)\n%s", diff)
	}
	periods, err := pg.Scalars[string](t.Context(), db, `
		SELECT concat_ws(' ', p.starts_on, CASE p.ends_on WHEN CURRENT_DATE THEN 'today' ELSE p.ends_on::text END, p.ended_how)
		FROM former_members f
		JOIN membership_periods p ON p.member_id = f.member_id
		ORDER BY p.starts_on`)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]string{"2019-05-01 2020-06-30 RESIGNED", "2020-09-01 today RESIGNED"}, periods); diff != "" {
		t.Errorf("from when to when there was a membership (-want +got)\n%s", diff)
	}
	c, err := s.Certificate(t.Context(), e.ID)
	if err != nil {
		t.Fatal(err)
	}
	got := []string{}
	for _, p := range append(c.Erased(), c.Kept()...) {
		line := fmt.Sprint(p.Table, " ", p.Rows)
		if p.Rule != nil {
			line += " " + *p.Rule
		}
		if p.Until() != nil {
			line += p.Until().AddDate(-7, 0, 0).Format(" since ") + fmt.Sprint(p.Until().Sub(c.ExecutedAt).Hours()/24/365.25 > 6.9)
		}
		got = append(got, strings.TrimRight(strings.Replace(line, fmt.Sprint(" ", p.Rows, " AUDIT"), " AUDIT", 1), " "))
	}
	want := []string{
		"therapist_listings 1",
		"sessions 1", "account_links 1", "account_totp 1", "account_recovery_codes 1", "passkey_uses 1", "passkeys 1", "passkey_challenges 1",
		"external_identities 1", "account_roles 1", "idempotency_keys 1", "sign_in_failures 5",
		"river.river_job 3", "membership_applications 1", "consents 1", "registrations 1", "indemnity_insurances 1",
		"membership_stretches 5", "membership_suspensions 1", "membership_events 2", "section_memberships 1",
		"member_details 4", "member_photos 1", "member_reads 1", "member_locks 1",
		"case_studies 1", "erasures 1", "accounts 1", "members 1", "audit_people 2",
		"membership_periods 2 MEMBERSHIP_EXISTED since true", "terms 2 POSTS_HELD", "former_members 1 MEMBERSHIP_EXISTED since true", "audit_entries AUDIT",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("the certificate (-want +got)\n%s", diff)
	}
	if _, err := (&audit.Store{DB: db}).Verify(t.Context(), nil); err != nil {
		t.Errorf("the audit after the erasure: %v", err)
	}
	if err := s.Execute(t.Context(), e.ID); !errors.Is(err, privacy.ErrEnded) {
		t.Errorf("a second time: %v", err)
	}
}

// TestErasureIsAllOrNothing: where a row holds on to the person, nothing is erased.
func TestErasureIsAllOrNothing(t *testing.T) {
	t.Parallel()
	s, db := open(t)
	do(t, db, `CREATE TABLE holds (member_id uuid REFERENCES members (id))`)
	do(t, db, `INSERT INTO holds VALUES ($1)`, ada.member)
	e, err := s.Request(t.Context(), ada.viewer(), nil)
	if err != nil {
		t.Fatal(err)
	}
	do(t, db, `UPDATE erasures SET due_at = now()`)
	before := own(t, db, ada)
	if err := s.Sweep(t.Context()); err == nil || !strings.Contains(err.Error(), "holds_member_id_fkey") {
		t.Errorf("got %v, want the table that holds on", err)
	}
	if diff := cmp.Diff(before, own(t, db, ada)); diff != "" {
		t.Errorf("something was erased (-before +after)\n%s", diff)
	}
	if _, err := s.Certificate(t.Context(), e.ID); !errors.Is(err, errs.NotFound) {
		t.Errorf("the certificate: %v", err)
	}
}

// TestWhoMayErase: people themselves, and who keeps the register.
func TestWhoMayErase(t *testing.T) {
	t.Parallel()
	s, db := open(t)
	office := viewer.New(viewer.SignedIn | viewer.MembershipOfficer)
	office.Account = uuid.MustParse("01920000-0000-7000-8000-0000000000c2")
	do(t, db, `INSERT INTO accounts (id, email) VALUES ($1, 'office@example.org')`, office.Account)
	nobody := uuid.New()
	wantErr := func(what string, got, want error) {
		t.Helper()
		if !errors.Is(got, want) {
			t.Errorf("%s: %v, want %v", what, got, want)
		}
	}
	_, err := s.Request(t.Context(), grace.viewer(), &ada.member)
	wantErr("a member asks for another", err, errs.Forbidden)
	_, err = s.Request(t.Context(), grace.viewer(), &nobody)
	wantErr("a member asks for nobody", err, errs.Forbidden)
	_, err = s.Request(t.Context(), office, &nobody)
	wantErr("staff ask for nobody", err, errs.NotFound)
	first, err := s.Request(t.Context(), office, &ada.member)
	wantErr("staff ask", err, nil)
	second, err := s.Request(t.Context(), ada.viewer(), &ada.member)
	wantErr("the member asks too", err, nil)
	if diff := cmp.Diff(first, second); diff != "" || !first.ByStaff || first.Status() != privacy.Waiting || first.DueAt.Sub(first.RequestedAt).Hours() != 14*24 {
		t.Errorf("the request (-staff's +member's)\n%s%+v", diff, first)
	}
	_, err = s.Cancel(t.Context(), grace.viewer(), first.ID)
	wantErr("another takes it back", err, errs.NotFound)
	cancelled, err := s.Cancel(t.Context(), ada.viewer(), first.ID)
	wantErr("the member takes it back", err, nil)
	if cancelled.Status() != privacy.Cancelled {
		t.Errorf("after it was taken back: %+v", cancelled)
	}
	_, err = s.Cancel(t.Context(), ada.viewer(), first.ID)
	wantErr("twice", err, privacy.ErrEnded)
	do(t, db, `UPDATE erasures SET due_at = now()`)
	wantErr("what was taken back is executed", s.Execute(t.Context(), first.ID), privacy.ErrEnded)
	_, err = s.Open(t.Context(), ada.viewer())
	wantErr("nothing waits", err, errs.NotFound)
	_, err = s.Certificate(t.Context(), first.ID)
	wantErr("a certificate of what was taken back", err, errs.NotFound)

	// An account without a member, after a wait that the body set.
	do(t, db, `UPDATE retention_rules SET lasts = '0' WHERE rule = 'ERASURE_WAIT'`)
	own, err := s.Request(t.Context(), office, nil)
	wantErr("staff ask for themselves", err, nil)
	_, err = s.ExecuteNow(t.Context(), own.ID)
	wantErr("at once", err, nil)
	if found := everywhere(t, db, "office@example.org"); len(found) > 0 {
		t.Errorf("staff are still in %q", found)
	}
}

// TestTheLastAdministratorStays: a request to erase the only one is refused, and one that
// is the only one when the wait is over goes on waiting and fails no sweep.
func TestTheLastAdministratorStays(t *testing.T) {
	t.Parallel()
	s, db := open(t)
	var log bytes.Buffer
	s.Log = slog.New(slog.NewTextHandler(&log, nil))
	var told []uuid.UUID
	s.Asked = func(_ context.Context, _ pgx.Tx, account uuid.UUID) error {
		told = append(told, account)
		return nil
	}
	wantErr := func(what string, got, want error) {
		t.Helper()
		if !errors.Is(got, want) {
			t.Errorf("%s: %v, want %v", what, got, want)
		}
	}
	do(t, db, `UPDATE retention_rules SET lasts = '0' WHERE rule = 'ERASURE_WAIT'`)
	do(t, db, `INSERT INTO account_roles (account_id, role) VALUES ($1, 'ADMINISTRATOR')`, ada.account)
	_, err := s.Request(t.Context(), ada.viewer(), nil)
	wantErr("the only one asks", err, privacy.ErrLastAdministrator)
	do(t, db, `INSERT INTO account_roles (account_id, role) VALUES ($1, 'ADMINISTRATOR')`, grace.account)
	do(t, db, `UPDATE accounts SET suspended_at = now() WHERE id = $1`, grace.account)
	_, err = s.Request(t.Context(), ada.viewer(), nil)
	wantErr("the only one who isn't suspended asks", err, privacy.ErrLastAdministrator)
	do(t, db, `UPDATE accounts SET suspended_at = NULL`)
	first, err := s.Request(t.Context(), ada.viewer(), nil)
	wantErr("one of two asks", err, nil)
	_, err = s.Request(t.Context(), ada.viewer(), nil)
	wantErr("again", err, nil)
	if diff := cmp.Diff([]uuid.UUID{ada.account}, told); diff != "" {
		t.Errorf("who is told, once (-want +got)\n%s", diff)
	}
	do(t, db, `DELETE FROM account_roles WHERE account_id = $1 AND role = 'ADMINISTRATOR'`, grace.account)
	_, err = s.ExecuteNow(t.Context(), first.ID)
	wantErr("the other has left", err, privacy.ErrLastAdministrator)
	wantErr("the sweep", s.Sweep(t.Context()), nil)
	if !strings.Contains(log.String(), first.ID.String()) {
		t.Errorf("the log says %q", log.String())
	}
	waits, err := s.Open(t.Context(), ada.viewer())
	if err != nil || waits.Status() != privacy.Waiting {
		t.Errorf("the request: %+v, %v", waits, err)
	}
	do(t, db, `INSERT INTO account_roles (account_id, role) VALUES ($1, 'ADMINISTRATOR')`, grace.account)
	wantErr("the next sweep", s.Sweep(t.Context()), nil)
	if _, err := s.Certificate(t.Context(), first.ID); err != nil {
		t.Errorf("when there is another one: %v", err)
	}
}

// TestFormerMembersEnd: a nameless record goes when its time is over, unless a post
// was held by it.
func TestFormerMembersEnd(t *testing.T) {
	t.Parallel()
	s, db := open(t)
	do(t, db, `UPDATE retention_rules SET lasts = '0' WHERE rule IN ('ERASURE_WAIT', 'MEMBERSHIP_EXISTED')`)
	do(t, db, `DELETE FROM terms WHERE member_id = $1`, grace.member)
	for _, p := range []person{ada, grace} {
		e, err := s.Request(t.Context(), p.viewer(), nil)
		if err != nil {
			t.Fatal(err)
		}
		if err := s.Execute(t.Context(), e.ID); err != nil {
			t.Fatal(err)
		}
	}
	if n, err := pg.Scalar[int](t.Context(), db, `SELECT count(*) FROM former_members`); err != nil || n != 2 {
		t.Fatal(n, err)
	}
	if err := s.Sweep(t.Context()); err != nil {
		t.Fatal(err)
	}
	if n, err := pg.Scalar[int](t.Context(), db, `SELECT count(*) FROM members`); err != nil || n != 1 {
		t.Errorf("%d records, %v; want the one that held posts", n, err)
	}
}

func TestConsents(t *testing.T) {
	t.Parallel()
	s, db := open(t)
	do(t, db, `DELETE FROM consents`)
	mine := func(v viewer.Viewer, of person) map[string]string {
		t.Helper()
		all, err := s.Consents(t.Context(), v, []uuid.UUID{of.member})
		if err != nil {
			t.Fatal(err)
		}
		lines := map[string]string{}
		for _, c := range all[of.member] {
			line := fmt.Sprintf("v%d %v %v", c.Version, c.Given, c.UpToDate())
			for _, d := range c.Decisions {
				line += fmt.Sprintf(" %v:%d", d.Given, d.Version)
			}
			lines[c.Purpose] = line
		}
		return lines
	}
	give := func(version int, want error) {
		t.Helper()
		if _, err := s.Give(t.Context(), ada.viewer(), "NEWSLETTER", version); !errors.Is(err, want) {
			t.Fatalf("give: %v, want %v", err, want)
		}
	}
	withdraw := func() {
		t.Helper()
		if _, err := s.Withdraw(t.Context(), ada.viewer(), "NEWSLETTER"); err != nil {
			t.Fatal(err)
		}
	}
	want := func(line string) {
		t.Helper()
		all := map[string]string{"NEWSLETTER": line, "PUBLICITY": "v1 false false", "RESEARCH": "v1 false false"}
		if diff := cmp.Diff(all, mine(ada.viewer(), ada)); diff != "" {
			t.Fatalf("the consents (-want +got)\n%s", diff)
		}
	}
	withdraw() // what was never given
	want("v1 false false")
	give(1, nil)
	give(1, nil) // again
	want("v1 true true true:1")
	for range 2 { // the same again is the same
		if text, err := s.Publish(t.Context(), privacy.Words{Purpose: "NEWSLETTER", After: 1, Title: " News", Text: "Other words."}); err != nil || text.Version != 2 || text.Title != "News" {
			t.Fatal(text, err)
		}
	}
	for _, after := range []int{-1, 0, 1, 3, 1 << 40} {
		if text, err := s.Publish(t.Context(), privacy.Words{Purpose: "NEWSLETTER", After: after, Title: "News", Text: "Still others."}); !errors.Is(err, errs.Conflict) {
			t.Errorf("words after version %d: %v, %v", after, text, err)
		}
	}
	want("v2 true false true:1")
	give(1, privacy.ErrOldText)
	give(2, nil)
	withdraw()
	withdraw()
	want("v2 false false false:2 true:2 true:1")
	var invalid *errs.Invalid
	if _, err := s.Give(t.Context(), ada.viewer(), "NOTHING", 1); !errors.As(err, &invalid) {
		t.Errorf("an unknown purpose: %v", err)
	}
	for _, version := range []int{3, 0, -1} {
		invalid = nil
		if _, err := s.Give(t.Context(), ada.viewer(), "NEWSLETTER", version); !errors.As(err, &invalid) || invalid.Fields[0].Path != "input.version" {
			t.Errorf("version %d, which there is not: %v", version, err)
		}
	}
	if _, err := s.Publish(t.Context(), privacy.Words{Purpose: "a b", Title: "T", Text: "T"}); !errors.As(err, &invalid) {
		t.Errorf("a purpose that is no name: %v", err)
	}
	register := viewer.New(viewer.SignedIn | viewer.MembershipOfficer)
	if got := mine(register, ada); got["NEWSLETTER"] != "v2 false false false:2 true:2 true:1" {
		t.Errorf("the register reads %v", got)
	}
	if got := mine(grace.viewer(), ada); len(got) > 0 {
		t.Errorf("another member reads %v", got)
	}
	if _, err := db.Exec(t.Context(), `UPDATE consents SET given = true`); err == nil {
		t.Error("a decision was changed")
	}
	if _, err := db.Exec(t.Context(), `UPDATE consent_texts SET text = 'x'`); err == nil {
		t.Error("a text was changed")
	}
}
