package search

import (
	"regexp"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

func TestMarkup(t *testing.T) {
	t.Parallel()
	for passage, want := range map[string]string{
		"": "",
		"the \x01Café\x02 of\n\n  the \x01house\x02":   "the <mark>Café</mark> of the <mark>house</mark>",
		"\x03script\x04alert(\"1\")\x03\x05script\x04": "&lt;script&gt;alert(&#34;1&#34;)&lt;/script&gt;",
		"<b>&'": "&lt;b&gt;&amp;&#39;",
		"BAOT\x05RCOT a\x06b c\x07d\x08uk R\x0eD \x0f44": "BAOT/RCOT a-b c@d.uk R&amp;D +44",
		"\x01open":                  "<mark>open</mark>",
		"closed\x02 \x02":           "closed",
		"\x01\x01twice\x02\x02":     "<mark>twice</mark>",
		"\x01one\x02 \x01two\x02":   "<mark>one</mark> <mark>two</mark>",
		"  \x01trimmed\x02  ":       "<mark>trimmed</mark>",
		"other\x00\x1b\x7fcontrols": "othercontrols",
	} {
		if got := markup(passage); got != want {
			t.Errorf("markup(%q) = %s, want %s", passage, got, want)
		}
	}
}

// wellFormed matches text with closed, unnested mark elements and no other markup.
var wellFormed = regexp.MustCompile(`^(?:[^<>&"']|&(?:lt|gt|amp|#34|#39);|<mark>(?:[^<>&"']|&(?:lt|gt|amp|#34|#39);)*</mark>)*$`)

func TestMarkupIsAlwaysSafe(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		passage := strings.Join(rapid.SliceOf(rapid.OneOf(
			rapid.SampledFrom([]string{"\x01", "\x02", "\x03", "\x04", "\x0e", "<mark>", "</mark>", "<script>", "&", "\"", "'", " ", "\n"}),
			rapid.String(),
		)).Draw(t, "passage"), "")
		if got := markup(passage); !wellFormed.MatchString(got) {
			t.Fatalf("markup(%q) = %s", passage, got)
		}
	})
}
