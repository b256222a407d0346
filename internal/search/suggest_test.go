package search_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/collegium/collegium/internal/errs"
	"github.com/collegium/collegium/internal/pg"
	"github.com/collegium/collegium/internal/search"
	"github.com/collegium/collegium/internal/viewer"
)

func TestSuggest(t *testing.T) {
	t.Parallel()
	s := open(t)
	for _, test := range []struct {
		name   string
		viewer viewer.Viewer
		prefix string
		want   []string
	}{
		{"the beginning of a title", anonymous, "membership i", []string{"Membership info"}},
		{"the beginning of a word", anonymous, "caf", []string{"The Placement Café"}},
		{"with the accent", anonymous, "CAFÉ", []string{"The Placement Café"}},
		{"with the accent as a character of its own", anonymous, "cafe\u0301", []string{"The Placement Café"}},
		{"several words from inside", anonymous, "placement ca", []string{"The Placement Café"}},
		{"not the inside of a word", anonymous, "acement", []string{}},
		{"the best known first", anonymous, "ho", []string{"Home", "RCOT SS - Housing"}},
		{"titles that begin with it before others of the same depth", anonymous, "p", []string{
			"Practice resources", "The Placement Café", "From porter to director",
			`<script>alert("pwned")</script> & <mark>trouble</mark>`, "Stroke pathway leaflet",
		}},
		{"namesakes once", anonymous, "conf", []string{"Conference and events"}},
		{"a slash", anonymous, "baot/r", []string{"BAOT/RCOT insurance"}},
		{"a slash as a space", anonymous, "baot r", []string{"BAOT/RCOT insurance"}},
		{"a hash", anonymous, "#ch", []string{"#ChooseOT"}},
		{"a dash", anonymous, "self-m", []string{"Self–Management"}},
		{"a document without a page", anonymous, "stroke", []string{"Stroke pathway leaflet"}},
		{"the title of something for members", anonymous, "salary", []string{"Salary guide"}},
		{"something for staff", member, "restr", []string{}},
		{"something for staff, for staff", staff, "restr", []string{"Restructure of regions"}},
		{"a draft", staff, "durian", []string{}},
		{"wildcards are no wildcards", anonymous, "%", []string{}},
		{"nor inside", anonymous, "c_d", []string{}},
		{"nor escaped", anonymous, `hou\%`, []string{"RCOT SS - Housing"}},
		{"control characters", anonymous, "pla\x00", []string{"The Placement Café"}},
		{"the highest character", anonymous, "\U0010ffff", []string{}},
		{"hostile text", anonymous, "<script>al", []string{`<script>alert("pwned")</script> & <mark>trouble</mark>`}},
	} {
		t.Run(test.name, func(t *testing.T) {
			suggestions, err := s.Suggest(t.Context(), test.viewer, test.prefix, nil)
			if err != nil {
				t.Fatal(err)
			}
			got := []string{}
			for _, g := range suggestions {
				got = append(got, g.Title)
			}
			if diff := cmp.Diff(test.want, got); diff != "" {
				t.Errorf("Suggest(%q) (-want +got):\n%s", test.prefix, diff)
			}
		})
	}
}

func TestSuggestion(t *testing.T) {
	t.Parallel()
	s := open(t)
	ctx, counter := pg.WithCounter(t.Context())
	got, err := s.Suggest(ctx, anonymous, "s", new(3))
	if err != nil {
		t.Fatal(err)
	}
	want := []*search.Suggestion{ // of the same depth, in the order of the alphabet
		{Title: "Salary guide", Kind: search.KindPage, Path: new("/practice/salary-guide")},
		{Title: `<script>alert("pwned")</script> & <mark>trouble</mark>`, Kind: search.KindPage, Path: new("/hostile/markup")},
		{Title: "Self–Management", Kind: search.KindPage, Path: new("/practice/self-management")},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	if counter.Statements() != 1 {
		t.Errorf("Suggest costs %d statements, want 1", counter.Statements())
	}
}

func TestSuggestRefuses(t *testing.T) {
	t.Parallel()
	s := open(t)
	for _, test := range []struct {
		prefix string
		first  *int
		want   string
	}{
		{"", nil, "prefix: it is empty; pass 1 to 100 characters"},
		{"\x00 \n", nil, "prefix: it is empty; pass 1 to 100 characters"},
		{strings.Repeat("é", 101), nil, "prefix: it has 101 characters; pass 1 to 100"},
		{"a", new(0), "first: 0 is out of range; pass 1 to 20"},
		{"a", new(21), "first: 21 is out of range; pass 1 to 20"},
	} {
		_, err := s.Suggest(t.Context(), anonymous, test.prefix, test.first)
		invalid, ok := errors.AsType[*errs.Invalid](err)
		if !ok || invalid.Error() != test.want {
			t.Errorf("Suggest(%.20q) = %v, want %s", test.prefix, err, test.want)
		}
	}
	if _, err := s.Suggest(t.Context(), anonymous, strings.Repeat("ß", 100), new(20)); err != nil {
		t.Errorf("100 characters are refused: %v", err)
	}
}

// TestSuggestAgrees compares with the definition on many titles.
func TestSuggestAgrees(t *testing.T) {
	t.Parallel()
	s := open(t)
	exec(t, s.DB, `TRUNCATE entries CASCADE`)
	var entries []entry
	for i := range 300 {
		entries = append(entries, entry{path: fmt.Sprintf("/%s/t%d", strings.Repeat("x/", i%4), i), title: fmt.Sprintf("%c%c title %c%d", 'a'+i%3, 'a'+i%5, 'a'+i%7, i)})
		entries[i].path = strings.ReplaceAll(entries[i].path, "//", "/")
	}
	if err := insert(t.Context(), s.DB, entries...); err != nil {
		t.Fatal(err)
	}
	for _, prefix := range []string{"a", "ab", "b", "title", "title c", "g", "g1", "c2", "z"} {
		want := map[string]bool{}
		depth := -1
		for _, e := range entries {
			if strings.Contains(" "+e.title, " "+prefix) {
				if d := strings.Count(e.path, "/"); depth < 0 || d < depth {
					depth = d
				}
				want[e.title] = true
			}
		}
		got, err := s.Suggest(t.Context(), anonymous, prefix, new(20))
		if err != nil {
			t.Fatal(err)
		}
		if len(got) != min(20, len(want)) {
			t.Errorf("Suggest(%q) has %d titles, want %d", prefix, len(got), min(20, len(want)))
		}
		last := depth
		for i, g := range got {
			d := strings.Count(*g.Path, "/")
			if !want[g.Title] || d < last || i == 0 && d != depth {
				t.Errorf("Suggest(%q) has %q at %s in place %d", prefix, g.Title, *g.Path, i)
			}
			last = d
		}
	}
}
