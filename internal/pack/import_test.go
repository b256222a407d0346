package pack

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/collegium/collegium/internal/errs"
	"github.com/collegium/collegium/internal/node"
	"github.com/collegium/collegium/internal/pg"
	"github.com/collegium/collegium/internal/pg/pgtest"
)

const small = `
-- pages/about-us.md --
---
title: About us
---
Old words.

## Heading
-- pages/about-us/join-us.md --
---
title: Join us
redirectFrom: [/join]
---
-- pages/housing.md --
---
title: Housing
kind: SPECIALIST_SECTION
---
-- pages/work.md --
---
title: Work
kind: SPECIALIST_SECTION
---
-- pages/wales.md --
---
title: Wales
kind: REGION
---
-- units.yaml --
sections:
  - {slug: housing, page: /housing, name: Housing, shortName: Housing}
  - {slug: work, page: /work, name: Work, shortName: Work}
regions:
  - {slug: wales, page: /wales, name: Wales, shortName: Wales, nation: WALES}
-- people.yaml --
people:
  - {key: mari, displayName: Mari Evans, sortName: "Evans, Mari", grade: PROFESSIONAL, joinedOn: 2015-09-01, region: wales, sections: [{section: work, from: 2016-01-01}]}
-- committees.yaml --
committees:
  - slug: one
    name: One
    section: housing
    posts:
      - {title: Chair, terms: [{member: mari, from: 2023-01-01}]}
      - {title: Secretary, seats: 2}
  - {slug: two, name: Two, section: work}
-- career.yaml --
levels: [{level: EXPERIENCED, title: Experienced}, {level: ADVANCED, title: Advanced}]
-- documents.yaml --
documents:
  - {key: "document:a", title: A file, mediaType: application/pdf, path: /file}
-- case-studies/anna.md --
---
{person: Anna, headline: Anna, level: EXPERIENCED, levelLabel: Experienced, document: "document:a", member: mari, section: work}
---
-- menus/main.yaml --
title: Main
items:
  - {label: About us, page: /about-us, children: [{label: Join us, page: /about-us/join-us}]}
  - {label: Join, page: /about-us/join-us}
  - {label: Facebook, url: "https://example.org/"}
`

// edited returns text with replacements, each of which must apply.
func edited(t *testing.T, text string, oldnew ...string) string {
	t.Helper()
	for i := 0; i < len(oldnew); i += 2 {
		if !strings.Contains(text, oldnew[i]) {
			t.Fatalf("the pack does not hold %q", oldnew[i])
		}
		text = strings.ReplaceAll(text, oldnew[i], oldnew[i+1])
	}
	return text
}

func mustImport(t *testing.T, pool *pgxpool.Pool, text string) *Report {
	t.Helper()
	r, err := Import(t.Context(), pool, packFrom(t, text), ImportOptions{})
	if err != nil {
		t.Fatal(err)
	}
	if again, err := Import(t.Context(), pool, packFrom(t, text), ImportOptions{}); err != nil || again.Changed() {
		t.Fatalf("the second import: %v\n%s", err, again)
	}
	return r
}

func mustRows(t *testing.T, pool *pgxpool.Pool) map[string][]string {
	t.Helper()
	rows, err := rowsOf(t.Context(), pool)
	if err != nil {
		t.Fatal(err)
	}
	return rows
}

func TestImportReportsAndCounts(t *testing.T) {
	t.Parallel()
	pool := pgtest.New(t)
	r := mustImport(t, pool, small)
	want := []Count{
		{Kind: "organisation", Created: 1},
		{Kind: "page", Created: 6},
		{Kind: "case study", Created: 1},
		{Kind: "document", Created: 1},
		{Kind: "unit", Created: 3},
		{Kind: "person", Created: 1},
		{Kind: "committee", Created: 2},
		{Kind: "post", Created: 2},
		{Kind: "term", Created: 1},
		{Kind: "career level", Created: 2},
		{Kind: "menu", Created: 1},
		{Kind: "menu item", Created: 4},
		{Kind: "redirect", Created: 1},
	}
	if d := cmp.Diff(want, r.Counts); d != "" {
		t.Errorf("counts of the first import (-want +got):\n%s", d)
	}

	before := mustRows(t, pool)
	change := edited(t, small, "Old words.", "New words.", "title: Join us\n", "title: Become a member\nstatus: DRAFT\n", "shortName: Work", "shortName: At work",
		"  - {label: Join, page: /about-us/join-us}\n", "", `- {title: Secretary, seats: 2}`, `- {title: Treasurer}`, "-- pages/about-us/join-us.md", "-- pages/news.md --\n---\ntitle: News\n---\n-- pages/about-us/join-us.md")
	p := packFrom(t, change)
	p.name = "The pack"
	var progress []string
	r, err := Import(t.Context(), pool, p, ImportOptions{DryRun: true, Progress: func(done, total int, what string) {
		progress = append(progress, fmt.Sprintf("%d/%d %s", done, total, what))
	}})
	if err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff(before, mustRows(t, pool)); d != "" {
		t.Errorf("the dry run wrote (-before +after):\n%s", d)
	}
	wantText := `~ page page:/about-us
    block 1: "…H_TEXT {\"markdown\":\"Old words.\",\"html\":\"<p>Old words.</p>\"…" → "…H_TEXT {\"markdown\":\"New words.\",\"html\":\"<p>New words.</p>\"…"
~ page page:/about-us/join-us
    title: "Join us" → "Become a member"
    status: "PUBLISHED" → "DRAFT"
+ page page:/news "News"
~ unit page:/work
    shortName: "Work" → "At work"
+ post committee:one/treasurer "Treasurer"
- post committee:one/secretary "Secretary"
~ menu item main/facebook
    position: "2" → "1"
- menu item main/join "Join"
~ menu item main/about-us/join-us
    canonical: none → "true"
This would import "The pack":
                created  changed  removed  unchanged
organisation          0        0        0          1
page                  1        2        0          4
case study            0        0        0          1
document              0        0        0          1
unit                  0        1        0          2
person                0        0        0          1
committee             0        0        0          2
post                  1        0        1          1
term                  0        0        0          1
career level          0        0        0          2
menu                  0        0        0          1
menu item             0        2        1          1
redirect              0        0        0          1`
	if d := cmp.Diff(strings.Split(sortedChanges(wantText), "\n"), strings.Split(sortedChanges(r.String()), "\n")); d != "" {
		t.Errorf("the report (-want +got):\n%s", d)
	}
	wantProgress := []string{"3/9 page", "6/9 menu item", "9/9 unit"}
	if d := cmp.Diff(wantProgress, progress); d != "" {
		t.Errorf("progress (-want +got):\n%s", d)
	}

	revisions := func() map[string]int {
		all := map[string]int{}
		rows, err := pg.All[struct {
			Key      string
			Revision int
		}](t.Context(), pool, `SELECT key, revision FROM entries UNION ALL SELECT handle, revision FROM menus UNION ALL SELECT key, revision FROM members`)
		if err != nil {
			t.Fatal(err)
		}
		for _, r := range rows {
			all[r.Key] = r.Revision
		}
		return all
	}
	old := revisions()
	mustImport(t, pool, change)
	var bumped []string
	for key, revision := range revisions() {
		if old[key] != 0 && revision > old[key] {
			bumped = append(bumped, key)
		}
	}
	slices.Sort(bumped)
	if d := cmp.Diff([]string{"main", "page:/about-us", "page:/about-us/join-us"}, bumped); d != "" {
		t.Errorf("revisions that went up (-want +got):\n%s", d)
	}
	if got := mustImport(t, pool, change).String(); got != `"Test" changes nothing: the database says the same` {
		t.Errorf("the report of a second import is %q", got)
	}
}

// sortedChanges is a report whose changes stand in a fixed order.
func sortedChanges(report string) string {
	changes, counts, _ := strings.Cut(report, "\nThis would")
	blocks := strings.Split(strings.NewReplacer("\n~", "\n\n~", "\n+", "\n\n+", "\n-", "\n\n-").Replace(changes), "\n\n")
	slices.Sort(blocks)
	return strings.Join(blocks, "\n") + "\nThis would" + counts
}

func TestImportSwapsWhatIsUnique(t *testing.T) {
	t.Parallel()
	pool := pgtest.New(t)
	mustImport(t, pool, small)
	for name, oldnew := range map[string][]string{
		"paths":              {"-- pages/housing.md --\n---\n", "-- pages/x.md --\n---\nkey: page:/work\n", "-- pages/work.md --\n---\n", "-- pages/housing.md --\n---\nkey: page:/housing\n", "-- pages/x.md", "-- pages/work.md"},
		"slugs of units":     {"{slug: housing, page: /housing", "{slug: x, page: /housing", "{slug: work, page: /work", "{slug: housing, page: /work", "{slug: x,", "{slug: work,"},
		"order of units":     {"  - {slug: housing, page: /housing, name: Housing, shortName: Housing}\n", "", "shortName: Work}\n", "shortName: Work}\n  - {slug: housing, page: /housing, name: Housing, shortName: Housing}\n"},
		"committees":         {"section: housing\n", "section: x\n", "name: Two, section: work", "name: Two, section: housing", "section: x\n", "section: work\n"},
		"slugs of committee": {"slug: one\n", "slug: x\n    key: committee:one\n", "{slug: two,", "{slug: one, key: \"committee:two\",", "slug: x\n", "slug: two\n"},
		"order of posts":     {"      - {title: Secretary, seats: 2}\n", "", "    posts:\n", "    posts:\n      - {title: Secretary, seats: 2}\n"},
		"order of levels":    {"{level: EXPERIENCED, title: Experienced}, {level: ADVANCED, title: Advanced}", "{level: ADVANCED, title: Advanced}, {level: EXPERIENCED, title: Experienced}"},
		"canonical":          {"children: [{label: Join us, page: /about-us/join-us}]", "children: [{label: Join us, page: /about-us/join-us, canonical: true}]"},
		"parent and child": {
			"  - {label: About us, page: /about-us, children: [{label: Join us, page: /about-us/join-us}]}",
			"  - {label: Join us, key: main/about-us/join-us, page: /about-us/join-us, children: [{label: About us, key: main/about-us, page: /about-us}]}",
		},
		"page and document":     {"-- pages/about-us/join-us.md --\n---\n", "-- pages/about-us/join-us.md --\n---\nkey: document:a\n", `key: "document:a", title`, `key: "page:/about-us/join-us", title`, `document: "document:a"`, `document: "page:/about-us/join-us"`},
		"page and former path":  {"redirectFrom: [/join]", "redirectFrom: [/about-us/join-us]", "-- pages/about-us/join-us.md --\n---\n", "-- pages/join.md --\n---\nkey: page:/about-us/join-us\n", "page: /about-us/join-us", "page: /join"},
		"section to region":     {"title: Work\nkind: SPECIALIST_SECTION", "title: Work\nkind: REGION", "  - {slug: work, page: /work, name: Work, shortName: Work}\n", "", "nation: WALES}", "nation: WALES}\n  - {slug: work, page: /work, name: Work, shortName: Work, nation: ENGLAND}", "{section: work, from: 2016-01-01}", "{section: housing, from: 2016-01-01}", "{slug: two, name: Two, section: work}", "{slug: two, name: Two, region: work}", "member: mari, section: work", "member: mari, region: work"},
		"everything at the end": {"title: Main", "title: Main menu"},
	} {
		t.Run(name, func(t *testing.T) {
			other := edited(t, small, oldnew...)
			if r := mustImport(t, pool, other); !r.Changed() {
				t.Error("the import changed nothing")
			}
			fresh := pgtest.New(t)
			mustImport(t, fresh, other)
			here, err := rowsOf(t.Context(), pool, "revision", "updated_at")
			if err != nil {
				t.Fatal(err)
			}
			there, err := rowsOf(t.Context(), fresh, "revision", "updated_at")
			if err != nil {
				t.Fatal(err)
			}
			if d := cmp.Diff(there, here); d != "" {
				t.Errorf("not as in a new database (-new +changed):\n%s", d)
			}
			mustImport(t, pool, small)
		})
	}
}

func TestImportLeavesGonePaths(t *testing.T) {
	t.Parallel()
	pool := pgtest.New(t)
	mustImport(t, pool, small)
	routes := func() []string {
		t.Helper()
		list, err := pg.Scalars[string](t.Context(), pool, `
			SELECT concat_ws(' ', path, kind, (SELECT key FROM entries WHERE id = entry_id), url, reason)
			FROM routes
			WHERE path LIKE '%join%' OR path = '/file'
			ORDER BY path COLLATE "C"`)
		if err != nil {
			t.Fatal(err)
		}
		return list
	}
	without := edited(t, small, "-- pages/about-us/join-us.md --\n---\ntitle: Join us\nredirectFrom: [/join]\n---\n", "", `, children: [{label: Join us, page: /about-us/join-us}]`, "",
		"  - {label: Join, page: /about-us/join-us}\n", "", `  - {key: "document:a", title: A file, mediaType: application/pdf, path: /file}`, "  []", `, document: "document:a"`, "")
	r := mustImport(t, pool, without)
	if d := cmp.Diff([]string{"/about-us/join-us GONE", "/file GONE", "/join GONE"}, routes()); d != "" {
		t.Errorf("routes after the removal (-want +got):\n%s", d)
	}
	if !strings.Contains(r.String(), "+ gone path /join\n") {
		t.Errorf("the report does not say what is gone:\n%s", r)
	}

	// Gone paths stay, and a reason can be given later.
	mustImport(t, pool, without+"-- redirects.yaml --\ngone: [{path: /join, reason: It moved.}]\n")
	mustImport(t, pool, without)
	if d := cmp.Diff([]string{"/about-us/join-us GONE", "/file GONE", "/join GONE It moved."}, routes()); d != "" {
		t.Errorf("routes with a reason (-want +got):\n%s", d)
	}

	// What comes back is what it was.
	mustImport(t, pool, small)
	if d := cmp.Diff([]string{"/about-us/join-us CURRENT page:/about-us/join-us", "/file CURRENT document:a", "/join REDIRECT page:/about-us/join-us"}, routes()); d != "" {
		t.Errorf("routes after the return (-want +got):\n%s", d)
	}
	id, err := pg.Scalar[string](t.Context(), pool, `SELECT id::text FROM entries WHERE key = 'page:/about-us/join-us'`)
	if want := node.Keyed("entry", "page:/about-us/join-us").String(); err != nil || id != want {
		t.Errorf("the page came back as %s, %v; it was %s", id, err, want)
	}
}

func TestImportWarnsOfMoves(t *testing.T) {
	t.Parallel()
	pool := pgtest.New(t)
	mustImport(t, pool, small)
	r := mustImport(t, pool, edited(t, small, "-- pages/wales.md --\n---\n", "-- pages/cymru.md --\n---\nkey: page:/wales\n", "page: /wales", "page: /cymru"))
	want := []Problem{{File: "pages/cymru.md", Line: 2, Message: "page:/wales moves here from /wales, which then leads nowhere; write redirectFrom: [/wales]"}}
	if d := cmp.Diff(want, r.Warnings); d != "" {
		t.Errorf("warnings (-want +got):\n%s", d)
	}
}

func TestImportKeepsMembers(t *testing.T) {
	t.Parallel()
	pool := pgtest.New(t)
	mustImport(t, pool, small)
	mustExec(t, pool, `
		INSERT INTO members (id, key, display_name, sort_name, grade, region_id, joined_on)
		SELECT gen_random_uuid(), 'registered:1', 'Jo', 'Jo', 'STUDENT', id, '2020-01-01' FROM units WHERE slug = 'wales'`)
	mustExec(t, pool, `
		INSERT INTO section_memberships (member_id, section_id, starts_on)
		SELECT m.id, u.id, '2020-01-01' FROM members m, units u WHERE m.key = 'registered:1' AND u.slug = 'housing'`)
	mustExec(t, pool, `
		INSERT INTO terms (id, key, post_id, member_id, starts_on)
		SELECT gen_random_uuid(), 'elected:1', p.id, m.id, '2020-01-01' FROM members m, posts p WHERE m.key = 'registered:1' AND p.title = 'Secretary'`)
	if r := mustImport(t, pool, small); r.Changed() {
		t.Errorf("a member outside the pack changes an import:\n%s", r)
	}

	// A person who leaves the pack stays, with their sections; their terms go.
	mustImport(t, pool, edited(t, small,
		`  - {key: mari, displayName: Mari Evans, sortName: "Evans, Mari", grade: PROFESSIONAL, joinedOn: 2015-09-01, region: wales, sections: [{section: work, from: 2016-01-01}]}`, "  []",
		"{title: Chair, terms: [{member: mari, from: 2023-01-01}]}", "{title: Chair}", "member: mari, ", ""))
	got, err := pg.Scalars[string](t.Context(), pool, `
		SELECT concat_ws(' ', m.key, u.slug, (SELECT count(*) FROM terms t WHERE t.member_id = m.id))
		FROM members m
		LEFT JOIN section_memberships sm ON sm.member_id = m.id
		LEFT JOIN units u ON u.id = sm.section_id
		ORDER BY m.key`)
	if err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff([]string{"person:mari work 0", "registered:1 housing 1"}, got); d != "" {
		t.Errorf("members (-want +got):\n%s", d)
	}

	// What members outside the pack hold on to cannot go.
	before := mustRows(t, pool)
	_, err = Import(t.Context(), pool, packFrom(t, ""), ImportOptions{})
	want := `pack.Import(Test): conflict: nothing was imported; put these back, and close them with dissolvedOn or terms that end:
the post committee:one/secretary is not in the pack, but 1 member outside the pack belong to it, or did
the region wales is not in the pack, but 2 members outside the pack belong to it, or did
the section housing is not in the pack, but 1 member outside the pack belong to it, or did
the section work is not in the pack, but 1 member outside the pack belong to it, or did`
	if !errors.Is(err, errs.Conflict) || err.Error() != want {
		t.Errorf("got %v\nwant %s", err, want)
	}
	if d := cmp.Diff(before, mustRows(t, pool)); d != "" {
		t.Errorf("the refused import wrote (-before +after):\n%s", d)
	}
}

func TestImportFindsRowsOfOtherOrigin(t *testing.T) {
	t.Parallel()
	pool := pgtest.New(t)
	mustExec(t, pool, `INSERT INTO entries (id, key, kind, slug, title) VALUES ('00000000-0000-7000-8000-000000000001', 'page:/about-us', 'PAGE', 'about-us', 'By an editor')`)
	mustExec(t, pool, `INSERT INTO menus (id, handle, title) VALUES ('00000000-0000-7000-8000-000000000002', 'main', 'By an editor')`)
	mustImport(t, pool, small)
	got, err := pg.Scalars[string](t.Context(), pool, `
		SELECT e.title || ' ' || right(e.id::text, 1) || right(i.menu_id::text, 1)
		FROM menu_items i
		JOIN entries e ON e.id = i.entry_id
		WHERE i.key = 'main/about-us'`)
	if err != nil || !slices.Equal(got, []string{"About us 12"}) {
		t.Errorf("got %q, %v", got, err)
	}
}

func TestImportsAtOnce(t *testing.T) {
	t.Parallel()
	pool := pgtest.New(t)
	var wg sync.WaitGroup
	reports := make([]*Report, 3)
	failures := make([]error, 3)
	for i := range reports {
		p := packFrom(t, small)
		wg.Go(func() { reports[i], failures[i] = Import(t.Context(), pool, p, ImportOptions{}) })
	}
	wg.Wait()
	changed := 0
	for i, r := range reports {
		if failures[i] != nil {
			t.Fatal(failures[i])
		}
		if r.Changed() {
			changed++
		}
	}
	if changed != 1 {
		t.Errorf("%d of 3 imports of one pack changed something", changed)
	}
}

func TestImportIsAllOrNothing(t *testing.T) {
	t.Parallel()
	pool := pgtest.New(t)
	mustImport(t, pool, small)
	mustExec(t, pool, `CREATE FUNCTION fail() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE EXCEPTION 'no'; END $$`)
	mustExec(t, pool, `CREATE TRIGGER fail BEFORE UPDATE ON menu_items FOR EACH ROW WHEN (NEW.label = 'Twitter') EXECUTE FUNCTION fail()`)
	before := mustRows(t, pool)
	_, err := Import(t.Context(), pool, packFrom(t, edited(t, small, "label: Facebook", "label: Twitter, key: main/facebook", "title: About us", "title: About")), ImportOptions{})
	if err == nil {
		t.Fatal("the import did not fail")
	}
	if d := cmp.Diff(before, mustRows(t, pool)); d != "" {
		t.Errorf("the failed import wrote (-before +after):\n%s", d)
	}
}
