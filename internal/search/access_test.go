package search_test

import (
	"encoding/json"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/collegium/collegium/internal/search"
	"github.com/collegium/collegium/internal/viewer"
)

// TestNonInterference: whatever changes in what a viewer may not read, every answer to that viewer stays the same to the
// byte: hits, order, scores, cursors, counts, facets, snippets, spelling and suggestions.
func TestNonInterference(t *testing.T) {
	t.Parallel()
	s := open(t)
	guide, porter, restructure := idOf("/practice/salary-guide"), idOf("/careers/from-porter-to-director"), idOf("/about-us/restructure")
	draft, gone := idOf("/practice/durian"), idOf("/practice/persimmon")
	// One more section that is for members.
	if err := insert(t.Context(), s.DB, entry{
		path: "/about-us/sections/oncology", kind: "SPECIALIST_SECTION", title: "RCOT SS - Oncology", access: "MEMBERS", shortName: "Oncology",
	}); err != nil {
		t.Fatal(err)
	}
	oncology := idOf("/about-us/sections/oncology")

	for _, test := range []struct {
		viewer viewer.Viewer
		writes []string
		args   []any
	}{
		{anonymous, []string{
			`UPDATE blocks SET plain = 'Housing housing housing membership coffee practice zanzibar' WHERE entry_id = $1`,
			`INSERT INTO blocks (id, entry_id, position, kind, plain) VALUES (gen_random_uuid(), $1, 9, 'CALLOUT', 'Memebrship kumqaut rcot salary wales')`,
			`DELETE FROM blocks WHERE entry_id = $1`,
		}, []any{guide}},
		{anonymous, []string{
			`UPDATE case_studies SET person = 'Zanzibar Housing', headline = 'Memebrship coffee' WHERE entry_id = $1`,
			`DELETE FROM case_studies WHERE entry_id = $1`,
		}, []any{porter}},
		{anonymous, []string{
			`UPDATE units SET short_name = 'Zanzibar', name = 'Coffee housing', aliases = '{memebrship}', local_names = '{"cy": "Practice"}' WHERE id = $1`,
		}, []any{oncology}},
		{member, []string{
			`UPDATE entries SET title = 'Housing practice coffee zanzibar', summary = 'Memebrship, who we are' WHERE id = $1`,
			`UPDATE entries SET title = 'Who we are' WHERE id = $1`,
			`UPDATE routes SET path = '/housing' WHERE entry_id = $1`,
			`UPDATE blocks SET plain = 'Kumqaut rcot' WHERE entry_id = $1`,
			`DELETE FROM entries WHERE id = $1`,
			`INSERT INTO entries (id, key, kind, slug, title, access) VALUES ($1, 'again', 'REGION', 'again', 'Home housing zanzibar', 'STAFF')`,
		}, []any{restructure}},
		{staff, []string{
			`UPDATE entries SET title = 'Housing practice coffee zanzibar', summary = 'Memebrship', slug = 'housing', access = 'PUBLIC' WHERE id = $1`,
			`INSERT INTO blocks (id, entry_id, position, kind, plain) VALUES (gen_random_uuid(), $1, 0, 'HEADING', 'Kumqaut rcot')`,
			`DELETE FROM entries WHERE id = $1`,
		}, []any{draft}},
		{staff, []string{
			`UPDATE entries SET title = 'Who we are', summary = 'Memebrship' WHERE id = $1`,
		}, []any{gone}},
	} {
		want := everything(t, s, test.viewer)
		for _, write := range test.writes {
			exec(t, s.DB, write, test.args...)
			if diff := cmp.Diff(want, everything(t, s, test.viewer)); diff != "" {
				t.Errorf("after %s, what %v is answered (-before +after):\n%s", write, test.viewer, diff)
			}
		}
	}
}

// TestInterference shows that what TestNonInterference asks would tell: who may read a change sees it.
func TestInterference(t *testing.T) {
	t.Parallel()
	s := open(t)
	for _, test := range []struct {
		viewer viewer.Viewer
		write  string
	}{
		{member, `UPDATE blocks SET plain = 'Housing coffee' WHERE entry_id = (SELECT id FROM entries WHERE title = 'Salary guide')`},
		{anonymous, `UPDATE entries SET summary = 'Housing coffee' WHERE title = 'Salary guide'`},
		{staff, `UPDATE entries SET title = 'Housing' WHERE access = 'STAFF'`},
		{anonymous, `UPDATE entries SET status = 'PUBLISHED', title = 'Zanzibar' WHERE status = 'DRAFT'`},
	} {
		before := everything(t, s, test.viewer)
		exec(t, s.DB, test.write)
		if cmp.Equal(before, everything(t, s, test.viewer)) {
			t.Errorf("after %s, nothing that %v is answered differs", test.write, test.viewer)
		}
	}
}

// everything is what a viewer is answered to many questions, as JSON.
func everything(t *testing.T, s *search.Store, v viewer.Viewer) []string {
	t.Helper()
	var answers []string
	keep := func(question string, answer any) {
		text, err := json.Marshal(answer)
		if err != nil {
			t.Fatal(err)
		}
		answers = append(answers, question+": "+string(text))
	}
	for _, query := range []string{
		"housing", "rcot", "salary", "salary -kumquat", "salary or practice", "practice", "coffee", "membership", "memebrship", "kumquat", "kumqaut",
		"zanzibar", "zanzibra", "director", "tamarillo", "lychee", "restructure", "quince", "oncology", "who we are", "home", "\"salary guide\"",
		"guide or zanzibra", "sections", "wales", "hospital", "thirty -lychee", "durian", "persimmon", "housing -zanzibar",
	} {
		for _, kinds := range [][]search.Kind{nil, {search.KindPage}} {
			c, err := s.Search(t.Context(), v, query, kinds, new(3), nil)
			if err != nil {
				t.Fatal(err)
			}
			keep(query, c)
			for i := range c.Edges {
				keep(query+", cursor", c.Edges[i].Cursor())
			}
			if c.PageInfo.HasNextPage {
				if c, err = s.Search(t.Context(), v, query, kinds, new(3), c.PageInfo.EndCursor); err != nil {
					t.Fatal(err)
				}
				keep(query+", second page", c)
			}
		}
	}
	for _, prefix := range []string{"h", "ho", "housing", "p", "s", "sal", "guide", "r", "re", "q", "z", "who", "d", "o", "f", "mem"} {
		got, err := s.Suggest(t.Context(), v, prefix, new(20))
		if err != nil {
			t.Fatal(err)
		}
		keep("suggest "+prefix, got)
	}
	return answers
}
