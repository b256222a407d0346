package search_test

import (
	"errors"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"pgregory.net/rapid"

	"github.com/collegium/collegium/internal/errs"
	"github.com/collegium/collegium/internal/page"
	"github.com/collegium/collegium/internal/pg"
	"github.com/collegium/collegium/internal/search"
	"github.com/collegium/collegium/internal/viewer"
)

func TestSearch(t *testing.T) {
	t.Parallel()
	s := open(t)
	for _, test := range []struct {
		name   string
		viewer viewer.Viewer
		query  string
		kinds  []search.Kind
		want   []string
	}{
		{"a word", anonymous, "coffee", nil, []string{"The Placement Café"}},
		{"without the accent", anonymous, "cafe", nil, []string{"The Placement Café"}},
		{"with the accent and capitals", anonymous, "CAFÉ", nil, []string{"The Placement Café"}},
		{"with the accent as a character of its own", anonymous, "cafe\u0301", nil, []string{"The Placement Café"}},
		{"another ending", anonymous, "placements", nil, []string{"The Placement Café"}},
		{"all words must occur", anonymous, "coffee ramps", nil, []string{}},
		{"words of title and body", anonymous, "placement supervision", nil, []string{"The Placement Café"}},
		{"a phrase", anonymous, `"direct debit"`, nil, []string{"Membership info"}},
		{"not a phrase", anonymous, `"debit direct"`, nil, []string{}},
		{"a phrase with a stop word", anonymous, `"pay by card"`, nil, []string{}},
		{"a phrase over a stop word", anonymous, `"stairlifts and ramps"`, nil, []string{"Adaptations"}},
		{"alternatives", anonymous, "stairlifts or coffee", nil, []string{"The Placement Café", "Adaptations"}},
		{"an exclusion", anonymous, "students -coffee", nil, []string{"From student to leader", "Membership info"}},
		{"an excluded phrase", anonymous, `students -"direct debit"`, nil, []string{"From student to leader", "The Placement Café"}},
		{"only an exclusion", anonymous, "-coffee", nil, []string{}},
		{"a stop word and an exclusion", anonymous, "the -coffee", nil, []string{}},
		{"an exclusion as an alternative", anonymous, "coffee or -coffee", nil, []string{"The Placement Café"}},
		{"a stop word as an alternative", anonymous, "coffee or the -housing", nil, []string{"The Placement Café"}},
		{"a stop word", anonymous, "the", nil, []string{}},
		{"a title of nothing but stop words", anonymous, "who we are", nil, []string{"Who we are"}},
		{"the same in quotes", anonymous, `"Who we are"`, nil, []string{"Who we are"}},
		{"that title excluded", anonymous, "-who -we -are", nil, []string{}},
		{"nothing but punctuation", anonymous, "?!", nil, []string{}},
		{"a slash inside a label", anonymous, "rcot insurance", nil, []string{"BAOT/RCOT insurance"}},
		{"a slash inside a query", anonymous, "BAOT/RCOT", nil, []string{"BAOT/RCOT insurance"}},
		{"a dash for a hyphen", anonymous, "self-management", nil, []string{"Self–Management"}},
		{"a hash", anonymous, "#chooseot", nil, []string{"#ChooseOT"}},
		{"an at sign", anonymous, "CPD @ RCOT", nil, []string{"CPD @ RCOT"}},
		{"an address", anonymous, "cpd@example.org", nil, []string{"CPD @ RCOT"}},
		{"a title with a dash", anonymous, "RCOT SS - Housing", nil, []string{"RCOT SS - Housing"}},
		{"an alias of a section", anonymous, "home-adaptations", nil, []string{"RCOT SS - Housing"}},
		{"a local name of a region", anonymous, "grwp rhanbarthol", nil, []string{"Wales (Cymru)"}},
		{"the person of a case study", anonymous, "vaughan", nil, []string{"From student to leader"}},
		{"the headline of a case study", anonymous, "manage hospital", nil, []string{"From student to leader"}},
		{"namesakes by their path", anonymous, "work events", nil, []string{"Conference and events"}},
		{"the title first, then names, body, path", anonymous, "housing", nil, []string{
			"RCOT SS - Housing", "Adaptations", "Conference and events",
		}},
		{"of a kind", anonymous, "student", []search.Kind{search.KindCaseStudy}, []string{"From student to leader"}},
		{"of two kinds", anonymous, "rcot", []search.Kind{search.KindSpecialistSection, search.KindRegion}, []string{
			"RCOT SS - Work", "RCOT SS - Housing",
		}},
		{"a document without a page", anonymous, "leaflet", nil, []string{"Stroke pathway leaflet"}},
		{"a draft", staff, "durian", nil, []string{}},
		{"something gone", staff, "persimmon", nil, []string{}},
		{"the teaser", anonymous, "therapists earn", nil, []string{"Salary guide"}},
		{"the body behind the teaser", anonymous, "kumquat", nil, []string{}},
		{"the body behind the teaser, with a word of the title", anonymous, "salary kumquat", nil, []string{}},
		{"the body behind the teaser, excluded", anonymous, "salary -kumquat", nil, []string{"Salary guide"}},
		{"the same for a member", member, "salary -kumquat", nil, []string{}},
		{"the body for a member", member, "kumquat", nil, []string{"Salary guide"}},
		{"the person behind the teaser", anonymous, "tamarillo or lychee", nil, []string{}},
		{"the person for a member", member, "tamarillo lychee", nil, []string{"From porter to director"}},
		{"staff only", anonymous, "restructure", nil, []string{}},
		{"staff only, for a member", member, "restructure or quince", nil, []string{}},
		{"staff only, for staff", staff, "restructure quince spring", nil, []string{"Restructure of regions"}},
		{"operators of the database are words", anonymous, "coffee & | ! <-> :* ( '", nil, []string{"The Placement Café"}},
	} {
		t.Run(test.name, func(t *testing.T) {
			if diff := cmp.Diff(test.want, titles(t, s, test.viewer, test.query, test.kinds...)); diff != "" {
				t.Errorf("Search(%q) (-want +got):\n%s", test.query, diff)
			}
		})
	}
}

func TestSearchHit(t *testing.T) {
	t.Parallel()
	s := open(t)
	got := find(t, s, anonymous, "placement students")
	want := &search.Connection{
		Edges: []search.Edge{{Node: &search.Hit{
			EntryID:     idOf("/practice/the-placement-cafe"),
			Kind:        search.KindPage,
			Title:       "The Placement Café",
			TitleHTML:   "The <mark>Placement</mark> Café",
			SnippetHTML: "<mark>placements</mark> over a coffee. <mark>Students</mark> and educators meet online once a month. Bring a question about assessment or supervision",
			Path:        new("/practice/the-placement-cafe"),
		}}},
		TotalCount: 1,
		Facets:     []*search.Facet{{Kind: search.KindPage, Count: 1}},
	}
	ignored := []cmp.Option{
		cmpopts.IgnoreFields(search.Connection{}, "PageInfo"),
		cmpopts.IgnoreUnexported(search.Edge{}),
		cmpopts.IgnoreFields(search.Hit{}, "Score"),
	}
	if diff := cmp.Diff(want, got, ignored...); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	for _, test := range []struct{ query, title, snippet string }{
		{"leaflet", "Stroke pathway <mark>leaflet</mark>", "Two pages, to print"},
		{"#chooseot", "#<mark>ChooseOT</mark>", ""},
		{"who we are", "Who we are", ""},
		{"hospital team", "From student to leader", "How I came to manage a <mark>hospital</mark> <mark>team</mark> I began as a porter"},
		{"baot/rcot", "<mark>BAOT</mark>/<mark>RCOT</mark> insurance", "Cover for members while they practise"},
	} {
		h := find(t, s, anonymous, test.query).Nodes()[0]
		snippet := strings.TrimSuffix(h.SnippetHTML, ".")
		if diff := cmp.Diff([]string{test.title, test.snippet}, []string{h.TitleHTML, snippet}); diff != "" {
			t.Errorf("Search(%q), title and snippet (-want +got):\n%s", test.query, diff)
		}
	}
}

// TestSearchSnippetOfTeaser: what a viewer may not read is in no snippet.
func TestSearchSnippetOfTeaser(t *testing.T) {
	t.Parallel()
	s := open(t)
	for _, test := range []struct {
		viewer viewer.Viewer
		want   string
	}{
		{anonymous, "What therapists earn"},
		{member, "What therapists earn. The kumquat negotiation playbook, with housing allowances"},
	} {
		got := strings.TrimSuffix(find(t, s, test.viewer, "salary").Nodes()[0].SnippetHTML, ".")
		if got != test.want {
			t.Errorf("snippet for %v = %q, want %q", test.viewer, got, test.want)
		}
	}
}

func TestSearchHostileText(t *testing.T) {
	t.Parallel()
	s := open(t)
	type text struct{ Title, TitleHTML, SnippetHTML string }
	var got []text
	for _, h := range find(t, s, anonymous, "trouble").Nodes() {
		got = append(got, text{h.Title, h.TitleHTML, h.SnippetHTML})
	}
	want := []text{
		{
			`<script>alert("pwned")</script> & <mark>trouble</mark>`,
			`&lt;script&gt;alert(&#34;pwned&#34;)&lt;/script&gt; &amp; &lt;mark&gt;<mark>trouble</mark>&lt;/mark&gt;`,
			`&lt;img src=x onerror=&#39;alert(1)&#39;&gt; <mark>trouble</mark> &amp;amp; &amp;#x3c;b&gt;`,
		},
		{
			"Forged \x01heading\x02 and \x03b\x04 trouble",
			"Forged heading and b <mark>trouble</mark>",
			"<mark>trouble</mark> with everything \u202eelse",
		},
	}
	byTitle := cmpopts.SortSlices(func(a, b text) bool { return a.Title < b.Title })
	if diff := cmp.Diff(want, got, byTitle); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func TestSearchFacets(t *testing.T) {
	t.Parallel()
	s := open(t)
	want := []*search.Facet{{Kind: search.KindPage, Count: 2}, {Kind: search.KindSpecialistSection, Count: 2}}
	for _, test := range []struct {
		kinds []search.Kind
		total int
	}{
		{nil, 4},
		{[]search.Kind{}, 4},
		{[]search.Kind{search.KindPage}, 2},
		{[]search.Kind{search.KindRegion}, 0},
		{[]search.Kind{search.KindPage, search.KindSpecialistSection}, 4},
	} {
		c := find(t, s, anonymous, "rcot", test.kinds...)
		if c.TotalCount != test.total || len(c.Edges) != test.total || c.IsCapped {
			t.Errorf("kinds %v: total %d, %d edges, capped %v; want %d, %[5]d, false", test.kinds, c.TotalCount, len(c.Edges), c.IsCapped, test.total)
		}
		if diff := cmp.Diff(want, c.Facets); diff != "" {
			t.Errorf("kinds %v, facets (-want +got):\n%s", test.kinds, diff)
		}
	}
}

func TestSearchSpelling(t *testing.T) {
	t.Parallel()
	s := open(t)
	for _, test := range []struct {
		viewer    viewer.Viewer
		query     string
		meant     string // empty: nothing else
		want      []string
		statement int
	}{
		{anonymous, "memebrship", "membership", []string{"Membership info", "BAOT/RCOT insurance"}, 2},
		{anonymous, `"Memebrship info"`, `"membership info"`, []string{"Membership info"}, 2},
		{anonymous, "placment CAFFE", "placement cafe", []string{"The Placement Café"}, 2},
		{anonymous, "insurnace -memebrship", "insurance -memebrship", []string{"BAOT/RCOT insurance"}, 2},
		{anonymous, "stairlifts or cofee", "stairlifts or coffee", []string{"Adaptations"}, 1},
		{anonymous, "membership", "", []string{"Membership info", "BAOT/RCOT insurance"}, 1},
		{anonymous, "membership ramps", "", []string{}, 1},            // no word is unknown
		{anonymous, "coffees", "", []string{"The Placement Café"}, 1}, // another ending is no slip
		{anonymous, "cofee ramps", "", []string{}, 2},                 // nor does the other spelling find anything
		{anonymous, "xyzzyxyzzy", "", []string{}, 1},
		{anonymous, "cx", "", []string{}, 1},
		{anonymous, "kumqaut", "", []string{}, 1}, // stands in no public text
		{member, "kumqaut", "", []string{}, 1},    // spelling is the same for everyone
		{anonymous, "tamarilo", "", []string{}, 1},
		{staff, "restrcuture", "", []string{}, 1},
		{anonymous, "persimon", "", []string{}, 1},
		{anonymous, "salery", "salary", []string{"Salary guide"}, 2}, // the teaser is public
	} {
		ctx, counter := pg.WithCounter(t.Context())
		c, err := s.Search(ctx, test.viewer, test.query, nil, nil, nil)
		if err != nil {
			t.Fatal(err)
		}
		got := []string{}
		for _, h := range c.Nodes() {
			got = append(got, h.Title)
		}
		meant := ""
		if c.DidYouMean != nil {
			meant = *c.DidYouMean
		}
		if meant != test.meant {
			t.Errorf("Search(%q): did you mean %q, want %q", test.query, meant, test.meant)
		}
		if diff := cmp.Diff(test.want, got); diff != "" {
			t.Errorf("Search(%q) (-want +got):\n%s", test.query, diff)
		}
		if n := counter.Statements(); n != test.statement {
			t.Errorf("Search(%q) costs %d statements, want %d", test.query, n, test.statement)
		}
	}
}

func TestSearchRefuses(t *testing.T) {
	t.Parallel()
	s := open(t)
	for _, test := range []struct {
		query string
		first *int
		after *string
		field string
	}{
		{query: " ", field: "query"},
		{query: strings.Repeat("a ", 101), field: "query"},
		{query: "a", first: new(0), field: "first"},
		{query: "a", first: new(101), field: "first"},
		{query: "-a", first: new(101), field: "first"},
		{query: "a", after: new("x"), field: "after"},
		{query: "a", after: new(page.Cursor("1")), field: "after"},
		{query: "a", after: new(page.Cursor("one", idOf("/").String())), field: "after"},
		{query: "a", after: new(page.Cursor("NaN", idOf("/").String())), field: "after"},
		{query: "a", after: new(page.Cursor("+Inf", idOf("/").String())), field: "after"},
		{query: "a", after: new(page.Cursor("1", "no uuid")), field: "after"},
	} {
		_, err := s.Search(t.Context(), anonymous, test.query, nil, test.first, test.after)
		invalid, ok := errors.AsType[*errs.Invalid](err)
		if !ok || invalid.Fields[0].Path != test.field {
			t.Errorf("Search(%q) = %v, want bad input in %s", test.query, err, test.field)
		}
	}
}

// TestSearchTakesAnyText: whatever is typed, the answer is hits or bad input.
func TestSearchTakesAnyText(t *testing.T) {
	t.Parallel()
	s := open(t)
	piece := rapid.OneOf(
		rapid.SampledFrom([]string{"membership", "the", " ", " or ", "-", "\"", "'", "\\", "&", "|", "!", "(", ")", ":*", "<->", "<", "*", "%", "_", "$1", "@asked", "\x00", "\xff", "\u0301", "\u202e", "'; DROP TABLE entries; --", "café", "K\u0307", "ǅ", "\U0001F642", "𝔠𝔞𝔣𝔢"}),
		rapid.String(),
	)
	rapid.Check(t, func(rt *rapid.T) {
		text := strings.Join(rapid.SliceOfN(piece, 1, 12).Draw(rt, "text"), "")
		check := func(what string, err error) {
			if _, bad := errors.AsType[*errs.Invalid](err); err != nil && !bad {
				rt.Fatalf("%s(%q): %v", what, text, err)
			}
		}
		_, err := s.Search(t.Context(), member, text, nil, nil, nil)
		check("Search", err)
		_, err = s.Suggest(t.Context(), member, text, nil)
		check("Suggest", err)
	})
}
