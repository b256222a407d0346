package graph_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/collegium/collegium/graph"
	"github.com/collegium/collegium/internal/viewer"
)

// asked runs an operation as a viewer.
func asked(t *testing.T, h *graph.Handler, v viewer.Viewer, query string) answer {
	t.Helper()
	return decode(t, h.Execute(viewer.With(t.Context(), v), params(query, nil)).Body)
}

func mustExec(t *testing.T, db *pgxpool.Pool, sql string) {
	t.Helper()
	if _, err := db.Exec(t.Context(), sql); err != nil {
		t.Fatalf("%s: %v", sql, err)
	}
}

// TestTeaser shows of a page for members what everyone may see, says why the rest
// is missing, and shows members all of it.
func TestTeaser(t *testing.T) {
	t.Parallel()
	db := demoDB(t)
	mustExec(t, db, `UPDATE entries SET access = 'MEMBERS' WHERE slug = 'advanced-practice'`)
	h := graphOn(t, db)
	const query = `{ page(path: "/advanced-practice") { title access viewerAccess { canRead reason requires } blocks { __typename } } }`
	want := map[string]any{"page": map[string]any{
		"title": "Advanced practice", "access": "MEMBERS", "blocks": nil,
		"viewerAccess": map[string]any{
			"canRead": false, "requires": "MEMBERS", "reason": "The whole of it is for members. Sign in as a member to read it.",
		},
	}}
	if diff := cmp.Diff(want, asked(t, h, viewer.Viewer{}, query).Data); diff != "" {
		t.Errorf("seen by anyone (-want +got)\n%s", diff)
	}
	seen := asked(t, h, viewer.Viewer{Role: viewer.Member}, query)
	if at(seen.Data, "page", "viewerAccess", "canRead") != true || len(list(seen.Data, "page", "blocks")) == 0 {
		t.Errorf("seen by a member: %v", seen.Data)
	}
}

// everywhere asks for the page by every way that could lead to it.
const everywhere = `{
	route(path: "/about-us/our-history") { __typename ... on NotFoundRoute { suggestions } }
	old: route(path: "/an-earlier-address") { __typename }
	child: route(path: "/about-us/our-history/dipcot") { ... on PageRoute { breadcrumbs { title } trail { label } } }
	page(path: "/about-us/our-history") { title }
	parent: page(path: "/about-us") { children { title } }
	menu(handle: "main") { itemCount items { label } }
	navigationContext(path: "/about-us/our-history") { current { label } }
	search(query: "history") { totalCount nodes { title } facets { count } didYouMean }
	typo: search(query: "hisotry") { totalCount didYouMean }
	suggest(prefix: "our hist") { title }
	rateLimit { cost }
}`

// TestHiddenEverywhere takes a page away from the public, and no answer shows
// that it exists; its words, its count and its place are gone with it.
func TestHiddenEverywhere(t *testing.T) {
	t.Parallel()
	for _, hide := range []string{
		`UPDATE entries SET access = 'STAFF' WHERE slug = 'our-history'`,
		`UPDATE entries SET status = 'DRAFT' WHERE slug = 'our-history'`,
	} {
		db := demoDB(t)
		mustExec(t, db, `INSERT INTO routes (path, kind, entry_id) SELECT '/an-earlier-address', 'REDIRECT', id FROM entries WHERE slug = 'our-history'`)
		h := graphOn(t, db)
		before := asked(t, h, viewer.Viewer{}, everywhere)
		if at(before.Data, "page", "title") != "Our History" || len(before.Errors) > 0 {
			t.Fatalf("before: %v %v", before.Data, before.Errors)
		}
		mustExec(t, db, hide)
		body := string(h.Execute(t.Context(), params(everywhere, nil)).Body)
		if strings.Contains(strings.ToLower(body), "our history") || strings.Contains(body, "our-history\"") {
			t.Errorf("%s: the answer still names the page:\n%s", hide, body)
		}
		after := decode(t, []byte(body)).Data
		// The page and the one item below it.
		if at(after, "menu", "itemCount") != 310.0 {
			t.Errorf("%s: itemCount %v, want 310", hide, at(after, "menu", "itemCount"))
		}
		for _, root := range []string{"route", "old"} {
			if at(after, root, "__typename") != "NotFoundRoute" {
				t.Errorf("%s: %s is a %v, want NotFoundRoute", hide, root, at(after, root, "__typename"))
			}
		}
		if len(list(after, "child", "trail")) != 0 {
			t.Errorf("%s: what is placed below it still has a trail: %v", hide, at(after, "child"))
		}
	}
}

// TestPrivateWordsDoNotShow changes only what the public may not read; every answer
// to the public stays the same, byte for byte.
func TestPrivateWordsDoNotShow(t *testing.T) {
	t.Parallel()
	db := demoDB(t)
	mustExec(t, db, `UPDATE entries SET access = 'MEMBERS' WHERE slug = 'advanced-practice'`)
	h := graphOn(t, db)
	const query = `{
		page(path: "/advanced-practice") { title summary blocks { __typename } }
		a: search(query: "zygomorphic") { totalCount didYouMean nodes { title snippetHtml score } facets { kind count } }
		b: search(query: "zygomorfic") { totalCount didYouMean }
		c: search(query: "practice") { totalCount didYouMean nodes { title titleHtml snippetHtml score } facets { kind count } pageInfo { endCursor hasNextPage } }
		d: search(query: "webinar OR creative") { totalCount nodes { title snippetHtml } }
		suggest(prefix: "zyg") { title }
		rateLimit { cost remaining }
	}`
	before := string(h.Execute(t.Context(), params(query, nil)).Body)
	mustExec(t, db, `
		UPDATE blocks SET
			plain = 'zygomorphic practice practice practice',
			data = data || '{"html": "<p>zygomorphic practice</p>", "markdown": "zygomorphic practice"}'
		WHERE kind = 'RICH_TEXT' AND entry_id = (SELECT id FROM entries WHERE slug = 'advanced-practice')`)
	after := string(h.Execute(t.Context(), params(query, nil)).Body)
	if diff := cmp.Diff(before, after); diff != "" {
		t.Errorf("private words show (-before +after)\n%s", diff)
	}
	member := asked(t, h, viewer.Viewer{Role: viewer.Member}, `{ search(query: "zygomorphic") { nodes { title } } }`)
	if at(member.Data, "search", "nodes", 0, "title") != "Advanced practice" {
		t.Errorf("a member does not find what members may read: %v", member.Data)
	}
}

// TestHiddenUnits takes a section and a region away from the public: neither a
// filter nor an edge tells that they exist, or who belongs to them.
func TestHiddenUnits(t *testing.T) {
	t.Parallel()
	db := demoDB(t)
	mustExec(t, db, `UPDATE case_studies SET section_id = (SELECT id FROM units WHERE slug = 'housing'), region_id = (SELECT id FROM units WHERE slug = 'wales')`)
	h := graphOn(t, db)
	const query = `query($section: String!, $region: String!) {
		specialistSection(slug: $section) { id }
		region(slug: $region) { id }
		inSection: members(filter: {section: $section}) { totalCount nodes { id } pageInfo { hasNextPage } }
		inRegion: members(filter: {region: $region}) { totalCount nodes { id } pageInfo { hasNextPage } }
		ofSection: caseStudies(filter: {section: $section}) { totalCount nodes { id } }
		ofRegion: caseStudies(filter: {region: $region}) { totalCount nodes { id } }
	}`
	hidden := map[string]any{"section": "housing", "region": "wales"}
	if n := num(data(t, h, query, hidden), "inSection", "totalCount"); n == 0 {
		t.Fatal("nobody is in the section to begin with")
	}
	mustExec(t, db, `UPDATE entries SET access = 'STAFF' WHERE id IN (SELECT id FROM units WHERE slug IN ('housing', 'wales'))`)
	want := h.Execute(t.Context(), params(query, map[string]any{"section": "nothing", "region": "nothing"})).Body
	if diff := cmp.Diff(string(want), string(h.Execute(t.Context(), params(query, hidden)).Body)); diff != "" {
		t.Errorf("hidden units answer otherwise than units that do not exist (-want +got)\n%s", diff)
	}
	got := data(t, h, `{
		specialistSections { slug } regions { slug }
		members(first: 100) { nodes { region { slug } sections { slug } } }
		caseStudies { nodes { section { slug } region { slug } } }
		committees { slug }
		committee(slug: "housing-committee") { id }
	}`, nil)
	text := fmt.Sprint(got)
	for _, slug := range []string{"housing", "wales"} {
		if strings.Contains(text, "slug:"+slug) {
			t.Errorf("%s still shows: %s", slug, text)
		}
	}
	staff := asked(t, h, viewer.Viewer{Role: viewer.Staff}, `{ specialistSection(slug: "housing") { members(first: 1) { totalCount } } }`)
	if num(staff.Data, "specialistSection", "members", "totalCount") == 0 {
		t.Errorf("staff do not see what is for staff: %v", staff)
	}
}

// TestHiddenAndGone does not say of a page for staff that it was taken away.
func TestHiddenAndGone(t *testing.T) {
	t.Parallel()
	db := demoDB(t)
	mustExec(t, db, `UPDATE entries SET access = 'STAFF', status = 'GONE' WHERE slug = 'dipcot'`)
	got := data(t, graphOn(t, db), `{ route(path: "/about-us/our-history/dipcot") { __typename } }`, nil)
	if at(got, "route", "__typename") != "NotFoundRoute" {
		t.Errorf("got %v, want NotFoundRoute", got)
	}
}
