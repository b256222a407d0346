package graph_test

import (
	"context"
	"encoding/json"
	"maps"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/collegium/collegium/internal/pack"
	"github.com/collegium/collegium/internal/pg"
	"github.com/collegium/collegium/internal/pg/pgtest"
	"github.com/collegium/collegium/internal/viewer"
)

// loadLarge fills a database so that the planner has a choice: with a plan made
// for 300 members nothing is worth an index.
func loadLarge(ctx context.Context, db *pgxpool.Pool) error {
	if err := loadDemo(ctx, db); err != nil {
		return err
	}
	if _, err := pack.GenerateMembers(ctx, db, 20_000, 1, nil); err != nil {
		return err
	}
	// And more pages than the menus place, twenty below each. Search need not find them
	// all: to index a page takes longer than to write it.
	const untilFound, all = 1200, 20_000
	for _, step := range []struct {
		sql  string
		args []any
	}{
		{`INSERT INTO menus (id, handle, title, position)
			SELECT md5('menu' || n)::uuid, 'large-' || n, 'Large', 100 + n FROM generate_series(0, 99) AS n`, nil},
		{addPages, []any{1, untilFound}},
		{`ALTER TABLE entries DISABLE TRIGGER USER`, nil},
		{`ALTER TABLE routes DISABLE TRIGGER USER`, nil},
		{`ALTER TABLE blocks DISABLE TRIGGER USER`, nil},
		{addPages, []any{untilFound + 1, all}},
		{`ALTER TABLE entries ENABLE TRIGGER USER`, nil},
		{`ALTER TABLE routes ENABLE TRIGGER USER`, nil},
		{`ALTER TABLE blocks ENABLE TRIGGER USER`, nil},
	} {
		if _, err := db.Exec(ctx, step.sql, step.args...); err != nil {
			return err
		}
	}
	return nil
}

// addPages adds the pages with the numbers $1 to $2, the first of which are placed
// in menus too.
const addPages = `
	WITH numbers AS MATERIALIZED (
		SELECT n, md5(n::text)::uuid AS id, md5((n / 20)::text)::uuid AS parent_id FROM generate_series($1::int, $2::int) AS n
	), page AS (
		INSERT INTO entries (id, key, kind, parent_id, position, slug, title)
		SELECT n.id, 'large:' || n.n, 'PAGE', CASE WHEN n.n >= 20 THEN n.parent_id END, n.n, 'large-' || n.n, 'Large ' || n.n
		FROM numbers n
	), detail AS (
		INSERT INTO pages (entry_id) SELECT n.id FROM numbers n
	), route AS (
		INSERT INTO routes (path, kind, entry_id) SELECT '/large-' || n.n, 'CURRENT', n.id FROM numbers n
	), block AS (
		INSERT INTO blocks (id, entry_id, position, kind, data, plain)
		SELECT md5('block' || n.n)::uuid, n.id, 0, 'RICH_TEXT', jsonb_build_object('html', '<p>x</p>'), 'number ' || n.n
		FROM numbers n
	)
	INSERT INTO menu_items (id, key, menu_id, position, label, kind, entry_id)
	SELECT md5('item' || n.n)::uuid, 'large:' || n.n, md5('menu' || n.n % 100)::uuid, n.n, 'Large ' || n.n, 'PAGE', n.id
	FROM numbers n
	WHERE n.n <= 2000`

// alsoPlanned are queries whose statements the cookbook does not show: each filter
// and order of the directory has a text of its own.
var alsoPlanned = []string{
	`{ members { totalCount nodes { id } } }`,
	`{ members(last: 5) { nodes { id } } }`,
	`{ members(filter: {region: "london"}) { totalCount nodes { id } } }`,
	`{ members(filter: {section: "housing", region: "london"}) { totalCount nodes { id } } }`,
	`{ members(filter: {grade: STUDENT}) { totalCount nodes { id } } }`,
	`{ members(filter: {text: "smith", section: "housing"}) { totalCount nodes { id } } }`,
	`{ members(orderBy: JOINED_ON_DESC) { nodes { id } } }`,
	`{ members(orderBy: JOINED_ON_DESC, last: 5) { nodes { id } } }`,
	`{ members(orderBy: JOINED_ON_DESC, filter: {section: "housing"}) { nodes { id } } }`,
	`{ members(orderBy: JOINED_ON_DESC, filter: {text: "smith"}) { nodes { id } } }`,
	`{ members(filter: {near: {latitude: 51.5, longitude: -0.1, withinKm: 10}}) { totalCount edges { distanceKm node { id } } } }`,
	`{ members(filter: {near: {latitude: 51.5, longitude: -0.1, withinKm: 10}, text: "smith", section: "housing"}, last: 5) { totalCount nodes { id } } }`,
	`{ members(filter: {near: {latitude: 51.5, longitude: -0.1, withinKm: 10}}, orderBy: NAME) { nodes { id } } }`,
	`{ members(filter: {language: "cy"}) { totalCount nodes { id } } }`,
	`{ members(filter: {specialism: "research"}) { totalCount nodes { id } } }`,
	`{ members { nodes { contact { email } practice { town } languages specialisms } } }`,
	`{ documents(last: 5) { nodes { id } } }`,
	`{ region(slug: "london") { memberCount members(last: 5) { totalCount nodes { id sections { id } roles { post { id } } caseStudies { id } } } } }`,
	`{ regions { members(first: 5) { totalCount nodes { id } } } }`,
	`{ specialistSections { memberCount members(last: 5) { totalCount nodes { region { id } } } } }`,
}

// wholeTables are the statements that rightly read a whole table, by how they begin
// and end, each with the reason.
var wholeTables = []struct{ begins, ends, reason string }{
	{`SELECT count(*) AS n FROM members_public m WHERE`, `WHERE m.listing_audience = 'PUBLIC'`, "it counts everyone"},
	{`SELECT count(*) AS n FROM members_shown m WHERE`, `WHERE ` + anOfficer(uuid.Nil).Sight().Shape.Shows(`m.listing_audience`), "it counts everyone whom an officer sees"},
	{`WITH words AS MATERIALIZED`, ` AS n`, "it counts all who have words that many have"},
}

// TestQueryPlans runs every query of the cookbook and some more on a large database
// and has the plan of each statement explained, as it is made once for all
// arguments: none reads the whole of a table with more than a thousand rows.
func TestQueryPlans(t *testing.T) {
	t.Parallel()
	inTurn(t)
	db := pgtest.NewWith(t, "large", loadLarge)
	h := graphOn(t, db)
	statements := map[string]string{} // and the first query that sends each
	record := func(query string, variables map[string]any, fails bool) {
		ctx, counter := pg.WithRecorder(t.Context())
		if a := decode(t, h.Execute(ctx, params(query, variables)).Body); len(a.Errors) > 0 && !fails {
			t.Errorf("%s\nerrors: %+v", query, a.Errors)
		}
		for _, sql := range counter.SQL() {
			if statements[sql] == "" {
				statements[sql] = query
			}
		}
	}
	for _, r := range readRecipes(t, mustRead(t, cookbook)) {
		record(r.query, r.variables, r.fails)
	}
	for _, query := range alsoPlanned {
		record(query, nil, false)
	}
	// What is seen by rows has texts of its own.
	officer := anOfficer(generatedMember(t, db, "gen-1-1"))
	for _, query := range alsoPlanned {
		ctx, counter := pg.WithRecorder(viewer.With(t.Context(), officer))
		if a := decode(t, h.Execute(ctx, params(query, nil)).Body); len(a.Errors) > 0 {
			t.Errorf("%s\nerrors: %+v", query, a.Errors)
		}
		for _, sql := range counter.SQL() {
			if statements[sql] == "" {
				statements[sql] = "as an officer of a section: " + query
			}
		}
	}
	large, err := pg.Scalars[string](t.Context(), db, `
		SELECT c.relname::text
		FROM pg_class c
		WHERE c.relkind = 'r' AND c.relnamespace = 'public'::regnamespace AND c.reltuples > 1000`)
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"members", "section_memberships", "member_details", "entries", "routes", "menu_items", "blocks", "entry_search"} {
		if !slices.Contains(large, name) {
			t.Errorf("%s is not large; large are %v", name, large)
		}
	}
	conn, err := db.Acquire(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Release()
	used := map[string]bool{}
	for _, sql := range slices.Sorted(maps.Keys(statements)) {
		tables := scanned(t, conn.Conn(), sql)
		// Whether it reads the table or an index of all its rows depends on when the table
		// was last vacuumed.
		if reason := wholeTable(sql); reason != "" {
			used[reason] = true
			continue
		}
		for _, table := range tables {
			if slices.Contains(large, table) {
				t.Errorf("the whole of %s is read by\n%s\nfor\n%s\n%s", table, sql, statements[sql], explain(t, conn.Conn(), sql, "TEXT"))
			}
		}
	}
	for _, w := range wholeTables {
		if !used[w.reason] {
			t.Errorf("no statement may read a whole table because %s", w.reason)
		}
	}
	t.Logf("%d statements; the large tables are %v", len(statements), large)
}

// TestPlansOfTherapists explains what stands in the functions that find therapists, which
// the plan of a statement that calls them does not show, where everyone is one.
func TestPlansOfTherapists(t *testing.T) {
	t.Parallel()
	inTurn(t)
	db := pgtest.NewWith(t, "large", loadLarge)
	for _, sql := range []string{
		`INSERT INTO member_details (member_id, field, audience, value, latitude, longitude)
		SELECT id, 'PRACTICE', 'PUBLIC', 'Town', 50 + random() * 8, -5 + random() * 6 FROM members
		ON CONFLICT (member_id, field) DO UPDATE SET audience = 'PUBLIC', latitude = EXCLUDED.latitude, longitude = EXCLUDED.longitude`,
		`INSERT INTO registrations (member_id, body, number, verified_on, valid_until)
		SELECT id, 'HCPC', 'OT' || (100000 + row_number() OVER ()), CURRENT_DATE - 9, CURRENT_DATE + 9 FROM members
		ON CONFLICT DO NOTHING`,
		`INSERT INTO indemnity_insurances (member_id, insurer, policy_number, valid_from, valid_until)
		SELECT id, 'Insurer', '1', CURRENT_DATE - 9, CURRENT_DATE + 9 FROM members
		ON CONFLICT DO NOTHING`,
		`INSERT INTO therapist_listings (member_id) SELECT id FROM members ON CONFLICT DO NOTHING`,
		`ANALYZE`,
	} {
		mustExec(t, db, sql)
	}
	h := graphOn(t, db)
	const query = `{ therapists(near: {latitude: 54, longitude: -2, withinKm: 25}, first: 5) { edges { node { distanceKm } } pageInfo { hasNextPage } } }`
	if n := len(list(data(t, h, query, nil), "therapists", "edges")); n != 5 {
		t.Fatalf("%d therapists are found", n)
	}
	conn, err := db.Acquire(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Release()
	type function struct{ Name, Source, Arguments string }
	functions, err := pg.All[function](t.Context(), conn.Conn(), `
		SELECT f.proname AS name, f.prosrc AS source, array_to_string(f.proargnames[1:f.pronargs], ' ') AS arguments
		FROM pg_proc f
		WHERE f.proname IN ('therapist_reasons', 'therapists_between') AND f.pronamespace = 'public'::regnamespace`)
	if err != nil || len(functions) != 2 {
		t.Fatalf("%d functions, %v", len(functions), err)
	}
	for _, f := range functions {
		sql := f.Source
		for _, name := range strings.Fields(f.Arguments) {
			sql = regexp.MustCompile(`\b`+name+`\b`).ReplaceAllString(sql, "@"+name)
		}
		sql = strings.ReplaceAll(sql, "@of_section", "@of_section::text")
		for _, table := range scanned(t, conn.Conn(), sql) {
			if slices.Contains([]string{"members", "member_details", "registrations", "indemnity_insurances", "therapist_listings", "section_memberships", "membership_periods"}, table) {
				t.Errorf("%s reads the whole of %s\n%s", f.Name, table, explain(t, conn.Conn(), sql, "TEXT"))
			}
		}
	}
}

// TestPlansOfCounts wants the functions that count the members of sections and regions,
// whose statements the plan of a call does not show, to read the stretches of the day from
// an index, and of members and their periods nothing.
func TestPlansOfCounts(t *testing.T) {
	t.Parallel()
	inTurn(t)
	db := pgtest.NewWith(t, "large", loadLarge)
	mustExec(t, db, `VACUUM ANALYZE membership_stretches`)
	for _, name := range []string{"section_member_counts", "region_member_counts"} {
		for _, day := range []string{"2010-01-01", "2026-01-01", "2100-01-01"} {
			type read struct {
				Name        string
				Whole, Rows int
			}
			var tables []*read
			if err := pgx.BeginFunc(t.Context(), db, func(tx pgx.Tx) error {
				if _, err := tx.Exec(t.Context(), `SELECT FROM `+name+`((SELECT array_agg(id) FROM units), $1::text::date)`, day); err != nil {
					return err
				}
				var err error
				tables, err = pg.All[read](t.Context(), tx, `
					SELECT s.relname::text AS name, s.seq_scan AS whole, COALESCE(s.idx_tup_fetch, 0) AS rows
					FROM pg_stat_xact_user_tables s
					WHERE s.seq_scan > 0 OR s.idx_scan > 0`)
				return err
			}); err != nil {
				t.Fatal(err)
			}
			found := false
			for _, r := range tables {
				switch r.Name {
				case "units", "membership_strata", "section_sets":
				case "membership_stretches":
					found = true
					if r.Whole > 0 || r.Rows > 0 {
						t.Errorf("%s on %s reads %d rows, and %d times the whole table, where an index has all of it", name, day, r.Rows, r.Whole)
					}
				default:
					t.Errorf("%s on %s reads %s", name, day, r.Name)
				}
			}
			if !found {
				t.Errorf("%s on %s reads no stretches", name, day)
			}
		}
	}
}

// anOfficer is a member who serves on the committee of a unit.
func anOfficer(id uuid.UUID) viewer.Viewer {
	v := asMember(uuid.New())
	v.Standing |= viewer.SectionOfficer
	if id != uuid.Nil {
		v.MemberID = id
	}
	return v
}

// wholeTable returns why a statement reads a whole table; empty if it should not.
func wholeTable(sql string) string {
	sql = strings.TrimSpace(sql)
	for _, w := range wholeTables {
		if strings.HasPrefix(sql, w.begins) && strings.HasSuffix(sql, w.ends) {
			return w.reason
		}
	}
	return ""
}

// explain returns the plan of a statement that is made once for all arguments.
func explain(t *testing.T, conn *pgx.Conn, sql, format string) string {
	t.Helper()
	text, args, err := pgx.NamedArgs{}.RewriteQuery(t.Context(), conn, sql, nil)
	if err != nil {
		t.Fatal(err)
	}
	nulls := ""
	if len(args) > 0 {
		nulls = "(" + strings.TrimSuffix(strings.Repeat("NULL,", len(args)), ",") + ")"
	}
	results, err := conn.PgConn().Exec(t.Context(), `
		PREPARE asked AS `+text+`;
		EXPLAIN (FORMAT `+format+`) EXECUTE asked`+nulls+`;
		DEALLOCATE asked`).ReadAll()
	if err != nil {
		t.Fatalf("%v\n%s", err, sql)
	}
	var lines []string
	for _, row := range results[1].Rows {
		lines = append(lines, string(row[0]))
	}
	return strings.Join(lines, "\n")
}

// scanned returns the tables that a statement reads as a whole.
func scanned(t *testing.T, conn *pgx.Conn, sql string) []string {
	t.Helper()
	type node struct {
		Type     string `json:"Node Type"`
		Relation string `json:"Relation Name"`
		Plans    []json.RawMessage
	}
	var found []string
	var walk func(json.RawMessage)
	walk = func(raw json.RawMessage) {
		var n node
		if err := json.Unmarshal(raw, &n); err != nil {
			t.Fatal(err)
		}
		if n.Type == "Seq Scan" {
			found = append(found, n.Relation)
		}
		for _, child := range n.Plans {
			walk(child)
		}
	}
	var plans []struct{ Plan json.RawMessage }
	if err := json.Unmarshal([]byte(explain(t, conn, sql, "JSON")), &plans); err != nil {
		t.Fatal(err)
	}
	walk(plans[0].Plan)
	return found
}
