package graph_test

import (
	"context"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"runtime"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/collegium/collegium/graph"
	"github.com/collegium/collegium/graph/exec/querygen"
	"github.com/collegium/collegium/graph/gen"
	"github.com/collegium/collegium/internal/fresh"
	"github.com/collegium/collegium/internal/pg"
	"github.com/collegium/collegium/internal/pg/pgtest"
	"github.com/collegium/collegium/internal/viewer"
)

var (
	anyone = viewer.Viewer{}
	asUser = viewer.Viewer{Role: viewer.Member}
	asDesk = viewer.Viewer{Role: viewer.Staff}
)

// withReference keeps the reference data of a database in memory, and asks before
// each use whether anything has changed.
func withReference(t testing.TB, db *pgxpool.Pool) func(*graph.Config) {
	return withWatcher(t, db, fresh.Options{Lease: 1})
}

func withWatcher(t testing.TB, db *pgxpool.Pool, o fresh.Options) func(*graph.Config) {
	t.Helper()
	w := fresh.NewWatcher(db.Config().ConnConfig, o)
	t.Cleanup(w.Close)
	return func(c *graph.Config) { c.Watcher, c.Reference, c.Answers = w, true, false }
}

// awaitReference returns when the reference data that the viewers see are in memory.
func awaitReference(t testing.TB, h *graph.Handler, viewers ...viewer.Viewer) fresh.Basis {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	var basis fresh.Basis
	for _, v := range viewers {
		var ok bool
		if basis, ok = h.AwaitReference(ctx, v); !ok {
			t.Fatal("the reference data don't come to be in memory")
		}
	}
	return basis
}

// TestReferenceRestsOn asks on which tables the reference data rest: on those, and
// not on those that members write to. An operation rests on what it asks of them.
func TestReferenceRestsOn(t *testing.T) {
	t.Parallel()
	db := demoDB(t)
	w := fresh.NewWatcher(db.Config().ConnConfig, fresh.Options{})
	t.Cleanup(w.Close)
	h := graphOn(t, db, func(c *graph.Config) { c.Watcher, c.Reference, c.Answers = w, true, false })
	rests := func(b fresh.Basis) string {
		tables := b.Tables()
		slices.Sort(tables)
		return strings.Join(tables, " ")
	}
	const want = "career_levels case_studies committees current_date documents entries menu_items menus organisation pages posts routes units"
	if got := rests(awaitReference(t, h, anyone)); got != want {
		t.Errorf("all of it rests on\n%s, want\n%s", got, want)
	}
	for query, want := range map[string]string{
		`{ menu(handle: "main") { title } }`:                        "entries menu_items menus routes",
		`{ regions { name } }`:                                      "committees current_date entries posts units",
		`{ organisation { name } }`:                                 "documents entries organisation pages routes",
		`{ caseStudies { nodes { person } } }`:                      "career_levels case_studies entries routes units",
		`{ careerLevels { title } menu(handle: "main") { title } }`: "career_levels case_studies entries menu_items menus routes units",
	} {
		ctx, reading := w.Begin(t.Context())
		h.Execute(ctx, params(query, nil))
		basis, known := reading.Basis()
		if got := rests(basis); !known || got != want {
			t.Errorf("%s rests on\n%s, want\n%s", query, got, want)
		}
	}
}

// TestReferenceBudgets states what the questions of a page cost with the reference
// data in memory.
func TestReferenceBudgets(t *testing.T) {
	t.Parallel()
	db := demoDB(t)
	mustExec(t, db, `UPDATE case_studies SET member_id = (SELECT id FROM members WHERE listing_audience = 'PUBLIC' ORDER BY id LIMIT 1)`)
	h := graphOn(t, db, withReference(t, db))
	awaitReference(t, h, anyone)
	member := at(data(t, h, `{ members(first: 1) { nodes { id } } }`, nil), "members", "nodes", 0, "id")
	for name, tt := range map[string]struct {
		query string
		want  int
	}{
		"the main menu": {`{ menu(handle: "main") { roots { label children { label children { label children { label } } } } } }`, 0},
		"the main menu with targets and other placements": {`{ menu(handle: "main") { items { label alsoAt { label } target { __typename ... on Page { title summary } } } } }`, 0},
		"where a path stands":                             {`{ navigationContext(path: "/about-us/contact-us") { trail { label } current { label } siblings { label } otherPlacements { label } } }`, 0},
		"a section with members and their regions":        {`{ specialistSection(slug: "housing") { name members(first: 20) { nodes { displayName grade region { name } } } } }`, 1},
		"regions, members, sections":                      {`{ regions { name members(first: 10) { nodes { displayName sections { name } } } } }`, 2},
		"case studies with member and region":             {`{ caseStudies(first: 8) { totalCount nodes { person member { displayName } region { name } document { title } previous { person } } } }`, 1},
		"regions, members, sections, members, regions":    {`{ regions { name members(first: 5) { nodes { displayName sections { name members(first: 5) { nodes { displayName region { name } } } } } } } }`, 3},
		"committees, posts, holders":                      {`{ committees { name unit { ... on Region { name } } posts { title holders { startsOn } } } }`, 1},
		"the ladder":                                      {`{ careerLevels { title caseStudies { person next { person } } } }`, 0},
		"the body":                                        {`{ organisation { name } regions(nation: WALES) { name } specialistSections(status: ACTIVE) { name page { title path } committee { name } } }`, 0},
		"a placed page":                                   {`{ route(path: "/about-us") { ... on PageRoute { trail { label } page { title path } content { __typename } } } page(path: "/about-us") { title } }`, 0},
		"a member, whom nothing of it concerns":           {fmt.Sprintf(`{ node(id: %q) { ... on Member { displayName } } }`, member), 1},
	} {
		if n := statements(t, h, tt.query, nil); n != tt.want {
			t.Errorf("%s: %d statements, want %d", name, n, tt.want)
		}
	}
	before := h.ReferenceStats()
	data(t, h, fmt.Sprintf(`{ node(id: %q) { ... on Member { displayName } } }`, member), nil)
	if after := h.ReferenceStats(); after != before {
		t.Errorf("an operation that asks for no reference data looked for them: %+v, and before %+v", after, before)
	}
}

// spelled adds names that aren't written as slugs, which the database compares: in
// capitals, and with letters (the Kelvin sign, a dotted I) whose small forms are
// ASCII.
func spelled(pools map[string][]any) map[string][]any {
	for _, name := range []string{
		"Query.menu.handle", "Query.menus.handles", "Query.navigationContext.menu", "PageRoute.trail.menu", "Query.specialistSection.slug",
		"Query.region.slug", "Query.committee.slug", "Query.caseStudy.slug", "CaseStudyFilter.section", "CaseStudyFilter.region",
	} {
		for _, v := range slices.Clone(pools[name]) {
			if v, ok := v.(string); ok {
				pools[name] = append(pools[name], v, strings.ToUpper(v))
			}
		}
		if name != "Query.menus.handles" {
			pools[name] = append(pools[name], "wor\u212a", "ma\u0130n", "", " main")
		}
	}
	return pools
}

// writes are changes to what is held in memory, and to some that is not.
var writes = []string{
	`UPDATE menus SET title = title || '!' WHERE handle = 'main'`,
	`UPDATE menu_items SET label = label || ' x' WHERE id IN (SELECT id FROM menu_items WHERE length(label) < 60 ORDER BY random() LIMIT 3)`,
	`UPDATE menu_items SET access = (ARRAY['PUBLIC', 'MEMBERS', 'STAFF'])[1 + floor(random() * 3)] WHERE id IN (SELECT id FROM menu_items ORDER BY random() LIMIT 3)`,
	`DELETE FROM menu_items WHERE id IN (SELECT i.id FROM menu_items i WHERE NOT EXISTS (SELECT FROM menu_items c WHERE c.parent_id = i.id) ORDER BY random() LIMIT 1)`,
	`UPDATE menus SET position = 9 - position`,
	`UPDATE entries SET title = title || '!' WHERE id IN (SELECT entry_id FROM menu_items ORDER BY random() LIMIT 3)`,
	`UPDATE entries SET status = CASE status WHEN 'PUBLISHED' THEN 'DRAFT' ELSE 'PUBLISHED' END WHERE id IN (SELECT entry_id FROM menu_items ORDER BY random() LIMIT 3)`,
	`UPDATE entries SET access = (ARRAY['PUBLIC', 'MEMBERS', 'STAFF'])[1 + floor(random() * 3)] WHERE id IN (SELECT id FROM entries WHERE kind <> 'PAGE' ORDER BY random() LIMIT 3)`,
	`UPDATE entries SET position = floor(random() * 100) WHERE kind = 'CASE_STUDY'`,
	`UPDATE routes SET path = path || '-moved' WHERE path IN (SELECT path FROM routes WHERE kind = 'CURRENT' AND path <> '/' AND length(path) < 100 ORDER BY random() LIMIT 1)`,
	`INSERT INTO routes (path, kind, entry_id) SELECT '/nothing', 'REDIRECT', entry_id FROM menu_items WHERE entry_id IS NOT NULL ORDER BY random() LIMIT 1 ON CONFLICT (path) DO UPDATE SET entry_id = EXCLUDED.entry_id`,
	`UPDATE units SET aliases = ARRAY['nothing', 'work'] WHERE id IN (SELECT id FROM units ORDER BY random() LIMIT 3)`,
	`UPDATE units SET name = name || '!', local_names = '{"cy": "Enw", "gd": "Ainm"}' WHERE id IN (SELECT id FROM units ORDER BY random() LIMIT 3)`,
	`UPDATE units SET dissolved_on = CURRENT_DATE - 1 WHERE id IN (SELECT id FROM units ORDER BY random() LIMIT 1)`,
	`UPDATE units SET nation = 'WALES' WHERE id IN (SELECT id FROM units WHERE kind = 'REGION' ORDER BY random() LIMIT 1)`,
	`UPDATE units SET position = 1000 - position WHERE kind = 'REGION'`,
	`UPDATE committees SET name = reverse(name) WHERE id IN (SELECT id FROM committees ORDER BY random() LIMIT 2)`,
	`UPDATE posts SET title = title || '!', seats = seats + 1 WHERE id IN (SELECT id FROM posts ORDER BY random() LIMIT 2)`,
	`UPDATE case_studies SET level = (SELECT level FROM career_levels ORDER BY random() LIMIT 1), region_id = (SELECT id FROM units WHERE kind = 'REGION' ORDER BY random() LIMIT 1) WHERE entry_id IN (SELECT entry_id FROM case_studies ORDER BY random() LIMIT 1)`,
	`UPDATE career_levels SET position = 7 - position, title = title || '!'`,
	`UPDATE documents SET size_label = '1 MB' WHERE entry_id IN (SELECT entry_id FROM documents ORDER BY random() LIMIT 2)`,
	`UPDATE organisation SET name = name || '!'`,
	`UPDATE members SET region_id = (SELECT id FROM units WHERE kind = 'REGION' ORDER BY random() LIMIT 1), sections_audience = 'PUBLIC', region_audience = 'PUBLIC' WHERE id IN (SELECT id FROM members ORDER BY random() LIMIT 50)`,
	`DELETE FROM section_memberships WHERE member_id IN (SELECT id FROM members ORDER BY random() LIMIT 5)`,
}

// TestReferenceDifferential asks generated documents of the reference data in
// memory and of the database, by the batch executor and by gqlgen alone, as each
// kind of viewer, and writes to the tables in between: the data must be the same
// bytes and the errors the same, both right after a write and once what it changed
// is in memory.
func TestReferenceDifferential(t *testing.T) {
	t.Parallel()
	db := demoDB(t)
	all := func(c *graph.Config) { c.MaxErrors = 1 << 20 }
	stored := graphOn(t, db, all, plainGqlgen)
	held := []*graph.Handler{graphOn(t, db, all, withReference(t, db)), graphOn(t, db, all, withReference(t, db), plainGqlgen)}
	schema := gen.NewExecutableSchema(gen.Config{}).Schema()
	pools := spelled(values(t, stored))
	random := rand.New(rand.NewPCG(*seed, 1))
	viewers := []viewer.Viewer{anyone, asUser, asDesk}
	fewer := 0
	for i := range max(1, *queries/4) {
		v := viewers[i%len(viewers)]
		ctx := viewer.With(t.Context(), v)
		write := ""
		if i%5 == 4 {
			write = writes[random.IntN(len(writes))]
			mustExec(t, db, write)
			pools = spelled(values(t, stored)) // a write may have hidden what had been there
		}
		s := *seed + 1_000_000 + uint64(i)
		query, variables := querygen.New(schema, s, querygen.Options{Values: pools, Fields: 10 + i%40, Depth: 7}).Document()
		counted, fromStore := pg.WithCounter(ctx)
		want := stored.Execute(counted, params(query, variables))
		for _, when := range []string{"right after", "in memory"} {
			for _, h := range held {
				if when == "in memory" {
					awaitReference(t, h, v)
				}
				counted, counter := pg.WithCounter(ctx)
				got := h.Execute(counted, params(query, variables))
				if want.Outcome != got.Outcome {
					t.Fatalf("seed %d: outcome %v, want %v\n%s", s, got.Outcome, want.Outcome, query)
				}
				if diff := cmp.Diff(string(want.Body), string(got.Body)); diff != "" {
					t.Fatalf("seed %d, %s, viewer %+v, last write %s: the answers differ (-database +memory)\n%s\n%s\nvariables: %v", s, when, v, write, diff, query, variables)
				}
				if when == "in memory" && counter.Statements() < fromStore.Statements() {
					fewer++
				}
			}
		}
	}
	if fewer < *queries/8 {
		t.Errorf("only %d answers took fewer statements than the database alone; is memory used?", fewer)
	}
}

// TestReferenceIsNeverTorn changes the name of a section, its label in a menu, the
// title of its page and a committee's name in one transaction, again and again,
// while readers ask for all of them at once: an answer from memory has them all
// from the same transaction.
func TestReferenceIsNeverTorn(t *testing.T) {
	t.Parallel()
	db := demoDB(t)
	h := graphOn(t, db, withWatcher(t, db, fresh.Options{}))
	write := func(n int) {
		mustExec(t, db, fmt.Sprintf(`
			WITH s AS (UPDATE units SET name = '%[1]d' WHERE slug = 'housing' RETURNING id),
				l AS (UPDATE menu_items SET label = '%[1]d' WHERE entry_id IN (SELECT id FROM s)),
				c AS (UPDATE committees SET name = '%[1]d' WHERE unit_id IN (SELECT id FROM s))
			UPDATE entries SET title = '%[1]d' WHERE id IN (SELECT id FROM s)`, n))
	}
	write(0)
	awaitReference(t, h, anyone)
	const query = `{
		specialistSection(slug: "housing") { id name page { title } committee { name } }
		menu(handle: "main") { items { label target { ... on SpecialistSection { id name } } } }
		committee(slug: "housing-committee") { name }
	}`
	ctx, stop := context.WithCancel(t.Context())
	defer stop()
	var fromMemory atomic.Int64
	var readers sync.WaitGroup
	for range 4 {
		readers.Go(func() {
			for ctx.Err() == nil {
				counted, counter := pg.WithCounter(t.Context())
				got := decode(t, h.Execute(counted, params(query, nil)).Body)
				if counter.Statements() > 0 {
					continue // each statement for itself
				}
				fromMemory.Add(1)
				name, _ := at(got.Data, "specialistSection", "name").(string)
				names := []string{
					at(got.Data, "specialistSection", "page", "title").(string),
					at(got.Data, "specialistSection", "committee", "name").(string),
					at(got.Data, "committee", "name").(string),
				}
				id := at(got.Data, "specialistSection", "id")
				for _, it := range list(got.Data, "menu", "items") {
					if at(it, "target", "id") == id {
						names = append(names, at(it, "label").(string), at(it, "target", "name").(string))
					}
				}
				if len(names) < 5 || slices.ContainsFunc(names, func(n string) bool { return n != name }) {
					t.Errorf("one answer has %q beside %q", names, name)
					return
				}
			}
		})
	}
	for began, n := time.Now(), 1; n < 5 || time.Since(began) < time.Second; n++ {
		awaitReference(t, h, anyone) // so that it is in use when it changes
		write(n)
	}
	stop()
	readers.Wait()
	t.Logf("%d answers from memory, %+v", fromMemory.Load(), h.ReferenceStats())
}

// TestReferenceLoadsOnce asks many things at once of a memory that is empty: one
// load.
func TestReferenceLoadsOnce(t *testing.T) {
	t.Parallel()
	db := demoDB(t)
	h := graphOn(t, db, withReference(t, db))
	var askers sync.WaitGroup
	for range 100 {
		askers.Go(func() { data(t, h, `{ regions { name } }`, nil) })
	}
	askers.Wait()
	awaitReference(t, h, anyone)
	if s := h.ReferenceStats(); s.Loads != 1 || s.Failures != 0 {
		t.Errorf("%+v, want one load", s)
	}
}

// TestReferenceLoadsRarely writes all the time: loading takes a tenth of the time at
// most.
func TestReferenceLoadsRarely(t *testing.T) {
	t.Parallel()
	db := demoDB(t)
	began := time.Now()
	h := graphOn(t, db, withReference(t, db))
	for n := range 300 {
		mustExec(t, db, fmt.Sprintf(`UPDATE organisation SET name = 'Body %d'`, n))
		if got := at(data(t, h, `{ organisation { name } }`, nil), "organisation", "name"); got != fmt.Sprintf("Body %d", n) {
			t.Fatalf("the name is %v after write %d", got, n)
		}
	}
	took, s := time.Since(began), h.ReferenceStats()
	mean := s.LoadTime / time.Duration(max(1, s.Loads))
	t.Logf("%d loads of %v in %v", s.Loads, mean, took)
	// The last load may not have been followed by its pause, and the loads differ.
	if s.LoadTime > took/10+3*mean {
		t.Errorf("loading took %v of %v", s.LoadTime, took)
	}
}

// TestReferenceTooLarge holds nothing that is larger than allowed, and answers all
// the same.
func TestReferenceTooLarge(t *testing.T) {
	t.Parallel()
	db := demoDB(t)
	var log strings.Builder
	h := graphOn(t, db, withReference(t, db), func(c *graph.Config) {
		c.ReferenceBytes = 10_000
		c.Log = slog.New(slog.NewTextHandler(&log, nil))
	})
	const query = `{ regions { name } organisation { name } }`
	want := data(t, graphOn(t, db), query, nil)
	for h.ReferenceStats().Loads == 0 {
		data(t, h, query, nil)
	}
	for range 5 {
		if diff := cmp.Diff(want, data(t, h, query, nil)); diff != "" {
			t.Errorf("answer (-want +got)\n%s", diff)
		}
	}
	if n := statements(t, h, query, nil); n != 2 {
		t.Errorf("%d statements, want 2", n)
	}
	if s := h.ReferenceStats(); s.Loads != 1 || s.Answered != 0 || strings.Count(log.String(), "too large") != 1 {
		t.Errorf("%+v, want one load that is found too large, and one line that says so:\n%s", s, &log)
	}
}

// TestReferenceWithoutWatcher answers from the database what memory can't vouch for:
// a watcher that is closed knows nothing.
func TestReferenceWithoutWatcher(t *testing.T) {
	t.Parallel()
	db := demoDB(t)
	w := fresh.NewWatcher(db.Config().ConnConfig, fresh.Options{Lease: 1})
	h := graphOn(t, db, func(c *graph.Config) { c.Watcher, c.Reference, c.Answers = w, true, false })
	awaitReference(t, h, anyone)
	if n := statements(t, h, `{ organisation { name } }`, nil); n != 0 {
		t.Fatalf("%d statements, want none", n)
	}
	w.Close()
	if n := statements(t, h, `{ organisation { name } }`, nil); n != 1 {
		t.Errorf("%d statements after the watcher is closed, want 1", n)
	}
}

// loadLargeMenu adds to the demo body a menu of 10,000 items, each of which leads to
// a page of its own.
func loadLargeMenu(ctx context.Context, db *pgxpool.Pool) error {
	if err := loadDemo(ctx, db); err != nil {
		return err
	}
	_, err := db.Exec(ctx, `
		-- Past the triggers that check each row.
		SET session_replication_role = replica;
		INSERT INTO menus (id, handle, title, position) VALUES (md5('large')::uuid, 'large', 'Large', 9);
		INSERT INTO entries (id, key, kind, slug, title, summary)
		SELECT md5('page' || n)::uuid, 'large/' || n, 'PAGE', 'page-' || n, 'Page ' || n, repeat('What the page is about. ', 5)
		FROM generate_series(1, 10000) n;
		INSERT INTO routes (path, kind, entry_id)
		SELECT '/large/page-' || n, 'CURRENT', md5('page' || n)::uuid
		FROM generate_series(1, 10000) n;
		INSERT INTO menu_items (id, key, menu_id, parent_id, position, label, kind, entry_id)
		SELECT md5('item' || n)::uuid, 'large/' || n, md5('large')::uuid, CASE WHEN n > 10 THEN md5('item' || n / 10)::uuid END, n,
			'Page ' || n, 'PAGE', md5('page' || n)::uuid
		FROM generate_series(1, 10000) n;
		RESET session_replication_role;
		ANALYZE`)
	return err
}

// BenchmarkReferenceLoad loads the reference data of the demo body, and with 10,000
// menu items more. It says how much memory they take.
func BenchmarkReferenceLoad(b *testing.B) {
	for name, db := range map[string]*pgxpool.Pool{
		"demo": demoDB(b), "10,000 items more": pgtest.NewWith(b, "large menu", loadLargeMenu),
	} {
		b.Run(name, func(b *testing.B) {
			h := graphOn(b, db, withReference(b, db))
			awaitReference(b, h, anyone)
			b.ReportAllocs()
			for b.Loop() {
				if _, err := h.LoadReference(anyone); err != nil {
					b.Fatal(err)
				}
			}
			b.StopTimer()
			heap := func() uint64 {
				runtime.GC()
				runtime.GC() // for what pools let go
				var m runtime.MemStats
				runtime.ReadMemStats(&m)
				return m.HeapAlloc
			}
			before := heap()
			held := make([]any, 10)
			for i := range held {
				var err error
				if held[i], err = h.LoadReference(anyone); err != nil {
					b.Fatal(err)
				}
			}
			b.ReportMetric(float64(heap()-before)/float64(len(held))/(1<<20), "MiB-held")
			runtime.KeepAlive(held)
		})
	}
}

// TestReferenceUnwatched switches off the trigger that notes changes to menus:
// nothing is held until it is on again, and the answers are right all the same.
func TestReferenceUnwatched(t *testing.T) {
	t.Parallel()
	db := demoDB(t)
	var log strings.Builder
	h := graphOn(t, db, withReference(t, db), func(c *graph.Config) { c.Log = slog.New(slog.NewTextHandler(&log, nil)) })
	const query = `{ menu(handle: "main") { title } }`
	mustExec(t, db, `ALTER TABLE menus DISABLE TRIGGER menus_note_change`)
	for n := 0; h.ReferenceStats().Failures == 0; n++ {
		mustExec(t, db, fmt.Sprintf(`UPDATE menus SET title = 'Title %d' WHERE handle = 'main'`, n))
		if got := at(data(t, h, query, nil), "menu", "title"); got != fmt.Sprintf("Title %d", n) {
			t.Fatalf("the title is %v after change %d", got, n)
		}
	}
	if n := strings.Count(log.String(), "can't be loaded"); n != 1 {
		t.Errorf("%d lines say that nothing is held, want 1:\n%s", n, &log)
	}
	mustExec(t, db, `ALTER TABLE menus ENABLE ALWAYS TRIGGER menus_note_change`)
	awaitReference(t, h, anyone)
	if n := statements(t, h, query, nil); n != 0 {
		t.Errorf("%d statements once changes are noted again, want none", n)
	}
}
