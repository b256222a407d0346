package pack

import (
	"bytes"
	"fmt"
	"regexp"
	"strings"

	"github.com/microcosm-cc/bluemonday"
	"github.com/yuin/goldmark"
	"github.com/yuin/goldmark/ast"
	"github.com/yuin/goldmark/extension"
	"github.com/yuin/goldmark/text"
	"golang.org/x/net/html"

	"github.com/collegium/collegium/internal/slug"
)

// markdown is CommonMark with tables and strikethrough. It leaves out HTML of
// the source.
var markdown = goldmark.New(goldmark.WithExtensions(
	extension.NewTable(extension.WithTableCellAlignMethod(extension.TableCellAlignAttribute)),
	extension.Strikethrough,
))

// sanitiser lets through what markdown writes, and nothing else.
var sanitiser = newSanitiser()

func newSanitiser() *bluemonday.Policy {
	p := bluemonday.NewPolicy()
	p.AllowElements("p", "br", "hr", "strong", "em", "del", "code", "pre", "blockquote", "ul", "ol", "li",
		"table", "thead", "tbody", "tr", "th", "td")
	p.AllowAttrs("align").Matching(regexp.MustCompile(`^(left|center|right)$`)).OnElements("th", "td")
	p.AllowAttrs("start").Matching(regexp.MustCompile(`^[0-9]{1,9}$`)).OnElements("ol")
	p.AllowAttrs("title").OnElements("a", "img")
	p.AllowAttrs("href").OnElements("a")
	p.AllowAttrs("src", "alt").OnElements("img")
	p.AllowURLSchemes("http", "https", "mailto", "tel")
	p.AllowRelativeURLs(true)
	p.RequireParseableURLs(true)
	return p
}

// render returns Markdown as sanitised HTML and as words.
func render(source string) (safe, plain string) {
	if source == "" {
		return "", ""
	}
	var b bytes.Buffer
	if err := markdown.Convert([]byte(source), &b); err != nil {
		panic("pack: rendering into memory failed: " + err.Error())
	}
	safe = strings.TrimSpace(sanitiser.Sanitize(b.String()))
	return safe, words(safe)
}

// words returns the text of HTML: a line for each paragraph, item and row.
func words(source string) string {
	var b strings.Builder
	// As a browser does, runs of white space become one space.
	last := '\n'
	write := func(text string, keep bool) {
		for _, r := range text {
			if !keep && (r == '\n' || r == '\t' || r == ' ') {
				if last == ' ' || last == '\n' {
					continue
				}
				r = ' '
			}
			b.WriteRune(r)
			last = r
		}
	}
	pre := 0
	z := html.NewTokenizer(strings.NewReader(source))
	for {
		kind := z.Next()
		if kind == html.ErrorToken {
			break
		}
		t := z.Token()
		switch kind {
		case html.TextToken:
			write(t.Data, pre > 0)
		case html.StartTagToken, html.SelfClosingTagToken, html.EndTagToken:
			switch t.Data {
			case "strong", "em", "del", "code", "a":
			case "img":
				for _, a := range t.Attr {
					if a.Key == "alt" {
						write(a.Val, false)
					}
				}
			case "th", "td":
				write(" ", false)
			default:
				write("\n", true)
			}
			if t.Data == "pre" {
				if kind == html.StartTagToken {
					pre++
				} else {
					pre--
				}
			}
		}
	}
	var kept []string
	for line := range strings.Lines(b.String()) {
		kept = append(kept, strings.Trim(line, " \t\n"))
	}
	return lines(kept)
}

// body reads the text of a page.
type body struct {
	*decoder
	src []byte
	// fixed says that all of src stands at that place: a text within YAML.
	fixed *pos
	// link is told where links to paths of this site stand.
	link func(at pos, to string)
}

// place returns where an offset of the source is in the file.
func (b *body) place(offset int) pos {
	if b.fixed != nil {
		return *b.fixed
	}
	return pos{file: b.file, line: b.skipped + 1 + bytes.Count(b.src[:min(max(offset, 0), len(b.src))], []byte("\n"))}
}

// lineStart and lineEnd return where the line of an offset begins, and where
// the next one does.
func (b *body) lineStart(offset int) int {
	return bytes.LastIndexByte(b.src[:offset], '\n') + 1
}

func (b *body) lineEnd(offset int) int {
	if i := bytes.IndexByte(b.src[min(offset, len(b.src)):], '\n'); i >= 0 {
		return offset + i + 1
	}
	return len(b.src)
}

// blocks returns the text as blocks, and reports what it does not allow.
func (b *body) blocks() []*block {
	var found []*block
	rich := func(from, to int) {
		if to <= from {
			return
		}
		if source := trimBlankLines(string(b.src[from:to])); source != "" {
			found = append(found, &block{kind: "RICH_TEXT", data: &richTextBlock{Markdown: source}})
		}
	}
	anchors := map[string]bool{}
	done := 0
	for n := markdown.Parser().Parse(text.NewReader(b.src)).FirstChild(); n != nil; n = n.NextSibling() {
		var next *block
		end := 0
		switch n := n.(type) {
		case *ast.Heading:
			next, end = b.heading(n, anchors)
		case *ast.FencedCodeBlock:
			if fences[string(n.Language(b.src))] != "" {
				next, end = b.typed(n)
			}
		}
		if end == 0 {
			b.check(n)
			continue
		}
		rich(done, b.lineStart(n.Pos()))
		if next != nil {
			found = append(found, next)
		}
		done = end
	}
	rich(done, len(b.src))
	for _, bl := range found {
		bl.complete()
	}
	return found
}

func (b *body) heading(n *ast.Heading, anchors map[string]bool) (*block, int) {
	at := b.place(n.Pos())
	end := b.lineEnd(n.Pos())
	if l := n.Lines(); l.Len() > 0 && l.At(0).Start == n.Pos() { // underlined
		end = b.lineEnd(b.lineEnd(l.At(l.Len() - 1).Start))
	}
	b.check(n)
	var out bytes.Buffer
	if err := markdown.Renderer().Render(&out, b.src, n); err != nil {
		panic("pack: rendering into memory failed: " + err.Error())
	}
	title := strings.Join(strings.Fields(strings.ReplaceAll(words(out.String()), "\u00a0", "\uffff")), " ")
	title = strings.ReplaceAll(title, "\uffff", "\u00a0")
	switch {
	case n.Level == 1:
		b.problems.add(at, "a heading of level 1 is the title of the page, which stands in front; use ## to ####")
	case n.Level > 4:
		b.problems.add(at, "a heading of level %d is too deep; use ## to ####", n.Level)
	case title == "":
		b.problems.add(at, "a heading without words; write them after %s", strings.Repeat("#", n.Level))
	}
	base := slug.Slug(title)
	if base == "" {
		base = "part"
	}
	anchor := base
	for i := 2; anchors[anchor]; i++ {
		anchor = fmt.Sprintf("%s-%d", base, i)
	}
	anchors[anchor] = true
	return &block{kind: "HEADING", data: &headingBlock{Level: n.Level, Text: title, Anchor: anchor}}, end
}

// typed reads a fenced block of YAML.
func (b *body) typed(n *ast.FencedCodeBlock) (*block, int) {
	word := string(n.Language(b.src))
	content := b.lineEnd(n.Pos())
	after := content
	if l := n.Lines(); l.Len() > 0 {
		after = b.lineEnd(b.lineStart(l.At(l.Len()-1).Stop - 1))
	}
	end := b.lineEnd(after)
	fence := strings.TrimLeft(string(b.src[b.lineStart(n.Pos()):content]), " ")[:3]
	if closing := strings.TrimLeft(string(b.src[after:end]), " "); !strings.HasPrefix(closing, fence) {
		b.problems.add(b.place(n.Pos()), "%s: is not closed; write %s in a line after its last", word, fence)
		return nil, len(b.src)
	}
	if info := string(n.Info.Value(b.src)); info != word {
		b.problems.add(b.place(n.Pos()), "%s: nothing may stand behind this word; put the fields below, in YAML", word)
		return nil, end
	}
	kind := fences[word]
	data, err := newData(kind)
	if err != nil {
		panic("pack: " + err.Error())
	}
	d := &decoder{problems: b.problems, at: b.at, file: b.file, skipped: b.place(content).line - 1}
	if !d.decode(b.src[content:after], data) {
		b.problems.broken = true
		return nil, end
	}
	bl := &block{kind: kind, data: data}
	markdownAt := func(field *Text) {
		at := b.at.of(field, data)
		inner := &body{decoder: d, src: []byte(*field), fixed: &at, link: b.link}
		for n := markdown.Parser().Parse(text.NewReader(inner.src)).FirstChild(); n != nil; n = n.NextSibling() {
			inner.check(n)
		}
	}
	switch data := data.(type) {
	case *calloutBlock:
		markdownAt(&data.Markdown)
	case *webinarBlock:
		markdownAt(&data.Markdown)
	case *faqListBlock:
		for _, item := range data.Items {
			if item != nil {
				markdownAt(&item.Markdown)
			}
		}
	case *linkListBlock:
		bl.links = data.Links
	}
	return bl, end
}

// check reports what a text may not hold: HTML, headings and typed blocks
// within other things, and links to where nobody can follow.
func (b *body) check(top ast.Node) {
	_ = ast.Walk(top, func(n ast.Node, entering bool) (ast.WalkStatus, error) { // the function returns no error
		if !entering {
			return ast.WalkContinue, nil
		}
		at := func() pos {
			for p := n; p != nil; p = p.Parent() {
				if p.Pos() >= 0 {
					return b.place(p.Pos())
				}
			}
			return b.place(0)
		}
		switch n := n.(type) {
		case *ast.HTMLBlock, *ast.RawHTML:
			b.problems.add(at(), "HTML is not read in a text; write Markdown, or \\< for the sign <")
			return ast.WalkSkipChildren, nil
		case *ast.Heading:
			if n != top || b.fixed != nil {
				b.problems.add(at(), "a heading stands within something else; begin it at the left margin of the page's text")
			}
		case *ast.FencedCodeBlock:
			if word := string(n.Language(b.src)); fences[word] != "" {
				b.problems.add(at(), "%s: stands within something else; begin it at the left margin of the page's text", word)
			}
		case *ast.Link:
			to := string(n.Destination)
			if problem := linkProblem(to); problem != "" {
				b.problems.add(at(), "%s", problem)
			} else if strings.HasPrefix(to, "/") && b.link != nil {
				b.link(at(), to)
			}
		case *ast.Image:
			if problem := linkProblem(string(n.Destination)); problem != "" {
				b.problems.add(at(), "%s", problem)
			}
		}
		return ast.WalkContinue, nil
	})
}

func linkProblem(to string) string {
	for _, good := range []string{"https://", "http://", "mailto:", "tel:", "/", "#"} {
		if strings.HasPrefix(to, good) && !strings.HasPrefix(to, "//") && len(to) > len(strings.TrimRight(good, "/#")) {
			return ""
		}
	}
	return fmt.Sprintf("a link leads to %.80q; write https://…, http://…, mailto:…, tel:…, a path of this site (/about-us) or an anchor (#leadership)", to)
}
