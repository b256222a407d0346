package search_test

import (
	"context"
	"fmt"
	"strings"
	"testing"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/collegium/collegium/internal/pg"
	"github.com/collegium/collegium/internal/pg/pgtest"
	"github.com/collegium/collegium/internal/search"
	"github.com/collegium/collegium/internal/viewer"
)

var (
	anonymous viewer.Viewer
	member    = viewer.Viewer{Role: viewer.Member}
	staff     = viewer.Viewer{Role: viewer.Staff}
)

// entry is an entry of the fixture, in all the tables it has rows in.
type entry struct {
	path           string
	kind           string // empty: PAGE
	title, summary string
	status, access string // empty: PUBLISHED, PUBLIC
	body           []string
	// Of a section or region.
	shortName  string
	aliases    []string
	localNames string
	// Of a case study.
	person, headline string
}

// fixture is a small site with one of each trap.
var fixture = []entry{
	{path: "/", title: "Home"},
	{path: "/about-us", title: "About us"},
	{path: "/about-us/who-we-are", title: "Who we are"},
	{path: "/about-us/sections", title: "Specialist Sections"},
	{
		path: "/about-us/sections/housing", kind: "SPECIALIST_SECTION", title: "RCOT SS - Housing",
		shortName: "Housing", aliases: []string{"home-adaptations"},
	},
	{path: "/about-us/sections/housing/conference-and-events", title: "Conference and events"},
	{
		path: "/about-us/sections/work", kind: "SPECIALIST_SECTION", title: "RCOT SS - Work",
		shortName: "Work",
	},
	{path: "/about-us/sections/work/conference-and-events", title: "Conference and events"},
	{
		path: "/about-us/regions/wales", kind: "REGION", title: "Wales (Cymru)",
		shortName: "Wales", localNames: `{"cy": "Grŵp Rhanbarthol"}`,
	},
	{path: "/practice", title: "Practice resources"},
	{
		path: "/practice/the-placement-cafe", title: "The Placement Café", summary: "Talk about placements over a coffee.",
		body: []string{"Students and educators meet online once a month.", "Bring a question about assessment or supervision."},
	},
	{path: "/practice/self-management", title: "Self–Management", body: []string{"Living well with a long-term condition."}},
	{path: "/practice/adaptations", title: "Adaptations", body: []string{"Stairlifts and ramps in housing association homes."}},
	{
		path: "/membership", title: "Membership info", summary: "What membership gives you.",
		body: []string{"Pay by direct debit or by card. Students pay less."},
	},
	{path: "/membership/insurance", title: "BAOT/RCOT insurance", summary: "Cover for members while they practise."},
	{path: "/chooseot", title: "#ChooseOT"},
	{path: "/cpd", title: "CPD @ RCOT", body: []string{"Write to cpd@example.org or call +44 20 7946 0000."}},
	{
		path: "/careers/from-student-to-leader", kind: "CASE_STUDY", title: "From student to leader",
		person: "Rhiannon Vaughan", headline: "How I came to manage a hospital team", body: []string{"I began as a porter."},
	},
	{kind: "DOCUMENT", title: "Stroke pathway leaflet", summary: "Two pages, to print."},
	{
		path: "/hostile/markup", title: `<script>alert("pwned")</script> & <mark>trouble</mark>`,
		summary: `<img src=x onerror='alert(1)'> trouble &amp; &#x3c;b>`,
	},
	{
		path: "/hostile/controls", title: "Forged \x01heading\x02 and \x03b\x04 trouble",
		body: []string{"\x02\x02trouble\x01 with \x01everything\x02 \u202eelse"},
	},
	{
		path: "/practice/salary-guide", title: "Salary guide", summary: "What therapists earn.", access: "MEMBERS",
		body: []string{"The kumquat negotiation playbook, with housing allowances."},
	},
	{
		path: "/careers/from-porter-to-director", kind: "CASE_STUDY", title: "From porter to director", access: "MEMBERS",
		summary: "Thirty years in one hospital.", person: "Morgan Tamarillo", headline: "A lychee a day",
	},
	{
		path: "/about-us/restructure", title: "Restructure of regions", summary: "The quince paper.", access: "STAFF",
		body: []string{"Sections close in the spring."},
	},
	{path: "/practice/durian", title: "Durian draft for practice", status: "DRAFT"},
	{path: "/practice/persimmon", title: "Persimmon practice", status: "GONE"},
}

// open returns a store on a database of the test's own that holds the fixture.
func open(t testing.TB) *search.Store {
	t.Helper()
	return &search.Store{DB: pgtest.NewWith(t, "search fixture", func(ctx context.Context, db *pgxpool.Pool) error {
		return insert(ctx, db, fixture...)
	})}
}

// idOf is the ID of the entry with the key, which is its path or, without one, its title.
func idOf(key string) uuid.UUID {
	return uuid.NewSHA1(uuid.NameSpaceURL, []byte(key))
}

func (e entry) key() string {
	if e.path == "" {
		return e.title
	}
	return e.path
}

// insert writes entries in one transaction.
func insert(ctx context.Context, db pg.Querier, entries ...entry) error {
	b := &pgx.Batch{}
	b.Queue(`INSERT INTO career_levels (level, position, title) VALUES ('EXPERIENCED', 2, 'Experienced') ON CONFLICT (level) DO NOTHING`)
	for _, e := range entries {
		kind, status, access := or(e.kind, "PAGE"), or(e.status, "PUBLISHED"), or(e.access, "PUBLIC")
		id := idOf(e.key())
		slug := e.path[strings.LastIndexByte(e.path, '/')+1:]
		if e.path == "" {
			slug = strings.ReplaceAll(strings.ToLower(e.title), " ", "-")
		}
		b.Queue(`
			INSERT INTO entries (id, key, kind, slug, title, summary, status, access)
			VALUES ($1, $2, $3, $4, $5, $6, $7, $8)`,
			id, e.key(), kind, slug, e.title, e.summary, status, access)
		if e.path != "" {
			b.Queue(`INSERT INTO routes (path, kind, entry_id) VALUES ($1, 'CURRENT', $2)`, e.path, id)
		}
		for i, plain := range e.body {
			b.Queue(`INSERT INTO blocks (id, entry_id, position, kind, plain) VALUES ($1, $2, $3, 'RICH_TEXT', $4)`,
				idOf(fmt.Sprint(e.key(), " block ", i)), id, i, plain)
		}
		if kind == "SPECIALIST_SECTION" || kind == "REGION" {
			var nation *string
			if kind == "REGION" {
				nation = new("WALES")
			}
			aliases := e.aliases
			if aliases == nil {
				aliases = []string{}
			}
			b.Queue(`
				INSERT INTO units (id, kind, slug, aliases, name, short_name, position, nation, local_names)
				SELECT $1, $2, $3, $4, $5, $6, (SELECT count(*) FROM units), $7, $8`,
				id, kind, slug, aliases, e.title, e.shortName, nation, or(e.localNames, "{}"))
		}
		if kind == "CASE_STUDY" {
			b.Queue(`
				INSERT INTO case_studies (entry_id, person, headline, level, level_label)
				VALUES ($1, $2, $3, 'EXPERIENCED', 'Experienced')`,
				id, e.person, e.headline)
		}
	}
	return pgx.BeginFunc(ctx, db, func(tx pgx.Tx) error {
		return tx.SendBatch(ctx, b).Close()
	})
}

func or(s, byDefault string) string {
	if s == "" {
		return byDefault
	}
	return s
}

func exec(t testing.TB, db pg.Querier, sql string, args ...any) {
	t.Helper()
	if _, err := db.Exec(context.Background(), sql, args...); err != nil {
		t.Fatalf("%s: %v", sql, err)
	}
}

// titles asks for all hits and returns their titles.
func titles(t testing.TB, s *search.Store, v viewer.Viewer, query string, kinds ...search.Kind) []string {
	t.Helper()
	c := find(t, s, v, query, kinds...)
	got := []string{}
	for _, h := range c.Nodes() {
		got = append(got, h.Title)
	}
	return got
}

func find(t testing.TB, s *search.Store, v viewer.Viewer, query string, kinds ...search.Kind) *search.Connection {
	t.Helper()
	c, err := s.Search(context.Background(), v, query, kinds, new(100), nil)
	if err != nil {
		t.Fatalf("Search(%q): %v", query, err)
	}
	return c
}
