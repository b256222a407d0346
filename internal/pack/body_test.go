package pack

import (
	"encoding/json"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/google/go-cmp/cmp"
	"github.com/rogpeppe/go-internal/txtar"
	"pgregory.net/rapid"
)

func TestBodyBecomesBlocks(t *testing.T) {
	t.Parallel()
	p := packFrom(t, `
-- career.yaml --
levels: [{level: EXPERIENCED, title: Experienced}]
-- case-studies/anna.md --
---
{person: Anna, headline: Anna, level: EXPERIENCED, levelLabel: Experienced}
---
-- pages/a.md --
---
title: A
---
Intro with *emphasis*,
a [link](https://example.org/?a=1&b=2) and <https://example.org/>.

- one
- two & "three"

## Leadership — part `+"`1`"+`
### Leadership part 1
##   Closed   ##
Text right after.
Underlined
---
`+"```webinar"+`
title: Creative practice
text: |
  About **it**.
partners: [A centre, A university]
captionsNote: Click on CC.
`+"```\n~~~callout"+`
tone: WARNING
text: Take care.
`+"~~~\n\n````links"+`
links:
  - page: /
  - {page: /a, label: Again}
  - {url: "https://example.org/", label: Elsewhere}
`+"````\n```case-studies\ncaseStudies: [anna]\n```\n```faq"+`
title: Questions
items:
  - {question: Who?, answer: "Everyone.\n\n1. Really"}
`+"```\n```go\nif a < b {}\n```\n"+`
| a | b |
|--:|---|
| 1 | 2 |
`)
	type line struct{ Kind, Data, Links, Plain string }
	var got []line
	for _, b := range p.pages[1].blocks {
		data, err := b.stored()
		if err != nil {
			t.Fatal(err)
		}
		var links []string
		for _, l := range b.links {
			links = append(links, strings.TrimSpace(string(l.entry)+string(l.URL)+" "+string(l.Label)))
		}
		got = append(got, line{b.kind, strings.ReplaceAll(strings.ReplaceAll(strings.ReplaceAll(string(data), `\u003c`, "<"), `\u003e`, ">"), `\u0026`, "&"), strings.Join(links, ", "), b.plain})
	}
	want := []line{
		{
			"RICH_TEXT", `{"markdown":"Intro with *emphasis*,\na [link](https://example.org/?a=1&b=2) and <https://example.org/>.\n\n- one\n- two & \"three\"",` +
				`"html":"<p>Intro with <em>emphasis</em>,\na <a href=\"https://example.org/?a=1&amp;b=2\">link</a> and <a href=\"https://example.org/\">https://example.org/</a>.</p>\n<ul>\n<li>one</li>\n<li>two &amp; &#34;three&#34;</li>\n</ul>"}`, "",
			"Intro with emphasis, a link and https://example.org/.\none\ntwo & \"three\"",
		},
		{"HEADING", `{"level":2,"text":"Leadership — part 1","anchor":"leadership-part-1"}`, "", "Leadership — part 1"},
		{"HEADING", `{"level":3,"text":"Leadership part 1","anchor":"leadership-part-1-2"}`, "", "Leadership part 1"},
		{"HEADING", `{"level":2,"text":"Closed","anchor":"closed"}`, "", "Closed"},
		{"HEADING", `{"level":2,"text":"Text right after. Underlined","anchor":"text-right-after-underlined"}`, "", "Text right after. Underlined"},
		{"WEBINAR", `{"title":"Creative practice","markdown":"About **it**.","html":"<p>About <strong>it</strong>.</p>","partners":["A centre","A university"],"captionsNote":"Click on CC."}`, "", "About it."},
		{"CALLOUT", `{"tone":"WARNING","markdown":"Take care.","html":"<p>Take care.</p>"}`, "", "Take care."},
		{"LINK_LIST", `{}`, "page:/, page:/a Again, https://example.org/ Elsewhere", "Again\nElsewhere"},
		{"CASE_STUDY_LIST", `{}`, "case-study:anna", ""},
		{"FAQ_LIST", `{"title":"Questions","items":[{"question":"Who?","markdown":"Everyone.\n\n1. Really","html":"<p>Everyone.</p>\n<ol>\n<li>Really</li>\n</ol>"}]}`, "", "Questions\nWho?\nEveryone.\nReally"},
		{
			"RICH_TEXT", `{"markdown":"` + "```go\\nif a < b {}\\n```\\n\\n| a | b |\\n|--:|---|\\n| 1 | 2 |" + `","html":"<pre><code>if a &lt; b {}\n</code></pre>\n<table>\n<thead>\n<tr>\n<th align=\"right\">a</th>\n<th>b</th>\n</tr>\n</thead>\n<tbody>\n<tr>\n<td align=\"right\">1</td>\n<td>2</td>\n</tr>\n</tbody>\n</table>"}`, "",
			"if a < b {}\na b\n1 2",
		},
	}
	if d := cmp.Diff(want, got); d != "" {
		t.Errorf("blocks (-want +got):\n%s", d)
	}
}

// TestRenderIsSafe feeds the renderer what Read would refuse too.
func TestRenderIsSafe(t *testing.T) {
	t.Parallel()
	for _, source := range []string{
		`<script>alert(1)</script>`, `<img src=x onerror=alert(1)>`, `[x](javascript:alert(1))`, `[x](JaVaScRiPt:alert(1))`, `[x](data:text/html,<script>alert(1)</script>)`,
		`![x](javascript:alert(1))`, `<a href="javascript:alert(1)">x</a>`, `[x](<javascript:alert(1)>)`, `<javascript:alert(1)>`, "[x](java\tscript:alert(1))", `[x](&#106;avascript:alert(1))`,
		`[x](vbscript:x)`, `<style>*{}</style>`, `<iframe src="https://example.org/"></iframe>`, `[x](/ "onclick=alert(1)")`, `[x](/ '" onclick="alert(1)')`, "`<script>`", `<svg/onload=alert(1)>`,
		"| a |\n|---|\n| <b onclick=x> |", `<!-- x --><p onclick=x>`, `\<script>`,
	} {
		safe, _ := render(source)
		lower := strings.ToLower(safe)
		for _, bad := range []string{"<script", "<img src=\"javascript", "href=\"javascript", "href=\"data:", "href=\"vbscript", "<style", "<iframe", "<svg", " onclick=\"", " onerror=", "<b ", "<!--"} {
			if strings.Contains(lower, bad) {
				t.Errorf("render(%q) = %q, which has %s", source, safe, bad)
			}
		}
	}
}

func TestHeadingTextMeansItself(t *testing.T) {
	t.Parallel()
	for words, want := range map[string]string{
		"Leadership":           "Leadership",
		"Q&A – case studies":   "Q&A – case studies",
		"2 * 3 * 4":            "2 * 3 * 4",
		"*one* [x](y) `z`":     `\*one\* \[x\]\(y\) \` + "`z\\`",
		"A #":                  `A \#`,
		"a &amp; b":            `a \&amp\; b`,
		`back\*slash`:          `back\\\*slash`,
		"<b>":                  `\<b\>`,
		"no\u00a0break\u00a0x": "no\u00a0break\u00a0x",
	} {
		if got := headingText(words); got != want {
			t.Errorf("headingText(%q) = %q, want %q", words, got, want)
		}
	}
}

func TestStoredWebinarAlwaysHasPartners(t *testing.T) {
	t.Parallel()
	data, err := (&block{kind: "WEBINAR", data: &webinarBlock{Title: "x"}}).stored()
	if err != nil || !json.Valid(data) || !strings.Contains(string(data), `"partners":[]`) {
		t.Errorf("%s, %v", data, err)
	}
}

// TestBodySurvivesTheWayOut writes the blocks of random texts as a text again.
// What Read accepts, Export can write.
func TestBodySurvivesTheWayOut(t *testing.T) {
	t.Parallel()
	read := func(text string) ([]*block, []Problem) {
		b := &body{decoder: &decoder{problems: &problems{}, at: positions{}}, src: []byte(text)}
		return b.blocks(), b.problems.found
	}
	shown := func(blocks []*block) string {
		var s strings.Builder
		for _, b := range blocks {
			s.WriteString(b.fact() + "\n")
		}
		return s.String()
	}
	pieces := rapid.SampledFrom([]string{
		"\n", "\n\n", " ", "    ", "\t", "# ", "## ", "### ", "#### x", "##", " ##", "---", "===", "```", "~~~", "```callout\n", "````faq\n", "text: a\n", "items: [{question: q, answer: a}]\n", "```links\n", "```webinar\ntitle: t\n",
		"- ", "1. ", "> ", "* ", "[a]", "(/b)", "[a]: /b", "|a|b|", "|-|-|", "*", "**", "_", "`", "``", "\\", "<", ">", "<https://a.b/>", "<b>", "<!--", "-->", "&amp;", "&", "!", "a", "b c", "é", "\u00a0", "😀", "…", "x:", "~~", ".",
	})
	rapid.Check(t, func(t *rapid.T) {
		text := strings.Join(rapid.SliceOfN(pieces, 0, 24).Draw(t, "pieces"), "")
		blocks, found := read(text)
		if len(found) > 0 {
			return
		}
		written := bodyOf(blocks)
		again, found := read(written)
		if len(found) > 0 {
			t.Fatalf("%q is written as %q, which is wrong: %v", text, written, found)
		}
		if d := cmp.Diff(shown(blocks), shown(again)); d != "" {
			t.Fatalf("%q is written as %q, which means something else (-first +second):\n%s", text, written, d)
		}
	})
}

func FuzzReadPage(f *testing.F) {
	f.Add("---\ntitle: A\n---\n## B\n```callout\ntext: x\n```\n")
	f.Add("---\ntitle: [\n---\n")
	f.Add("---\n{title: A, kind: REGION}\n---\n|a|\n|-|\n")
	f.Fuzz(func(t *testing.T, text string) {
		files := filesOf(&txtar.Archive{})
		files["pages/a.md"] = &fstest.MapFile{Data: []byte(text)}
		p, err := Read(files)
		if err != nil {
			return
		}
		for name, written := range p.files() {
			files[name] = &fstest.MapFile{Data: []byte(written)}
		}
		again, err := Read(files)
		if err != nil {
			t.Fatalf("%q is written as\n%s\nwhich is wrong: %v", text, files["pages/a.md"].Data, err)
		}
		if d := diff(p.things(), again.things()); len(d) > 0 {
			t.Fatalf("%q is written as\n%s\nwhich differs: %v", text, files["pages/a.md"].Data, d)
		}
	})
}
