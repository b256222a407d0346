package search

import (
	"errors"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/collegium/collegium/internal/errs"
)

func TestParse(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		text          string
		asked, wanted []string
		words         []string
	}{
		{"membership", []string{`"membership"`}, []string{`"membership"`}, []string{"membership"}},
		{"  two   words ", []string{`"two" "words"`}, []string{`"two" or "words"`}, []string{"two", "words"}},
		{`"a phrase" word`, []string{`"a phrase" "word"`}, []string{`"a phrase" or "word"`}, []string{"a", "phrase", "word"}},
		{`an "open phrase`, []string{`"an" "open phrase"`}, []string{`"an" or "open phrase"`}, []string{"an", "open", "phrase"}},
		{"housing -conference", []string{`"housing" -"conference"`}, []string{`"housing"`}, []string{"housing"}},
		{`housing -"the conference"`, []string{`"housing" -"the conference"`}, []string{`"housing"`}, []string{"housing"}},
		{"cats or dogs", []string{`"cats"`, `"dogs"`}, []string{`"cats"`, `"dogs"`}, []string{"cats", "dogs"}},
		{"cats OR dogs birds", []string{`"cats"`, `"dogs" "birds"`}, []string{`"cats"`, `"dogs" or "birds"`}, []string{"cats", "dogs", "birds"}},
		{"cats or -dogs", []string{`"cats"`}, []string{`"cats"`}, []string{"cats"}},
		{`cats "or" dogs`, []string{`"cats" "or" "dogs"`}, []string{`"cats" or "or" or "dogs"`}, []string{"cats", "or", "dogs"}},
		{"or", nil, nil, nil},
		{"-housing", nil, nil, nil},
		{"-", nil, nil, nil},
		{"!?&|:*()<>'\\", nil, nil, nil},
		{`"`, nil, nil, nil},
		{`-"`, nil, nil, nil},
		{"RCOT SS - Housing", []string{`"RCOT" "SS" "Housing"`}, []string{`"RCOT" or "SS" or "Housing"`}, []string{"RCOT", "SS", "Housing"}},
		{"BAOT/RCOT", []string{`"BAOT RCOT"`}, []string{`"BAOT RCOT"`}, []string{"BAOT", "RCOT"}},
		{"self-management", []string{`"self management"`}, []string{`"self management"`}, []string{"self", "management"}},
		{"-self-management x", []string{`-"self management" "x"`}, []string{`"x"`}, []string{"x"}},
		{"--x y", []string{`-"x" "y"`}, []string{`"y"`}, []string{"y"}},
		{`a"b"c`, []string{`"a" "b" "c"`}, []string{`"a" or "b" or "c"`}, []string{"a", "b", "c"}},
		{"caf\u00e9 cafe\u0301", []string{"\"caf\u00e9\" \"cafe\u0301\""}, []string{"\"caf\u00e9\" or \"cafe\u0301\""}, []string{"caf\u00e9", "cafe\u0301"}},
		{"a\x00b\x1bc\nd", []string{`"a" "b" "c" "d"`}, []string{`"a" or "b" or "c" or "d"`}, []string{"a", "b", "c", "d"}},
		{"occu\u00adpational", []string{`"occupational"`}, []string{`"occupational"`}, []string{"occupational"}},
		{"bad\xffbytes", []string{`"bad" "bytes"`}, []string{`"bad" or "bytes"`}, []string{"bad", "bytes"}},
		{"作業療法 🙂", []string{`"作業療法"`}, []string{`"作業療法"`}, []string{"作業療法"}},
	} {
		q, err := parse(test.text)
		if err != nil {
			t.Errorf("parse(%q): %v", test.text, err)
			continue
		}
		var words []string
		for _, w := range q.words {
			words = append(words, q.text[w.start:w.end])
		}
		if diff := cmp.Diff([][]string{test.asked, test.wanted, test.words}, [][]string{q.asked, q.wanted, words}); diff != "" {
			t.Errorf("parse(%q), asked, wanted, words (-want +got):\n%s", test.text, diff)
		}
	}
}

func TestParseRefuses(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		"":                        "query: it is empty; pass 1 to 200 characters",
		" \t\n":                   "query: it is empty; pass 1 to 200 characters",
		"\x00":                    "query: it is empty; pass 1 to 200 characters",
		strings.Repeat("é", 201):  "query: it has 201 characters; pass 1 to 200",
		strings.Repeat("ab", 1e5): "query: it has 200000 characters; pass 1 to 200",
	} {
		_, err := parse(text)
		invalid, ok := errors.AsType[*errs.Invalid](err)
		if !ok || invalid.Error() != want {
			t.Errorf("parse(%.20q) = %v, want %s", text, err, want)
		}
	}
	if _, err := parse(strings.Repeat("é", 200)); err != nil {
		t.Errorf("200 characters are refused: %v", err)
	}
}

func TestReplaced(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		text  string
		right map[string]string
		want  string
	}{
		{"memebrship", map[string]string{"memebrship": "membership"}, "membership"},
		{`-memebrship "Memebrship fees" or MEMEBRSHIP/x`, map[string]string{"memebrship": "membership"}, `-memebrship "membership fees" or membership/x`},
		{"a b", map[string]string{}, "a b"},
	} {
		q, err := parse(test.text)
		if err != nil {
			t.Fatal(err)
		}
		if got := q.replaced(test.right); got != test.want {
			t.Errorf("replaced(%q) = %q, want %q", test.text, got, test.want)
		}
	}
}

func TestSpellable(t *testing.T) {
	t.Parallel()
	q, err := parse("Of memebrship MEMEBRSHIP 2024 ab1 -excluded naïve " + strings.Repeat("x", 41))
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]string{"memebrship", "naïve"}, q.spellable()); diff != "" {
		t.Errorf("spellable (-want +got):\n%s", diff)
	}
	q, err = parse("aaa bbb ccc ddd eee fff ggg hhh iii jjj kkk lll")
	if err != nil {
		t.Fatal(err)
	}
	if n := len(q.spellable()); n != maxSpelled {
		t.Errorf("%d words are looked up, want %d", n, maxSpelled)
	}
}
