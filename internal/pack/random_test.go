package pack

import (
	"fmt"
	"math"
	"path"
	"slices"
	"strings"
	"testing/fstest"
	"unicode"

	"pgregory.net/rapid"

	"github.com/collegium/collegium/internal/slug"
)

// randomPack draws a small pack that has no contradictions.
func randomPack(t *rapid.T) fstest.MapFS {
	g := &packGenerator{T: t, files: fstest.MapFS{}, taken: map[string]bool{}}
	g.yaml("pack.yaml", &manifest{Format: format, Name: g.line("name")})
	g.yaml("organisation.yaml", &organisation{
		Name: g.line("name"), ShortName: g.line("name"), CharityNumber: g.maybeLine(), CompanyNumber: g.maybeLine(), AddressLines: g.list(), JoinCallToAction: g.maybeText(),
		CopyrightYear: rapid.SampledFrom([]int{0, 1999, 2025}).Draw(t, "year"), ScottishCharityNumber: rapid.SampledFrom([]ScottishCharity{"", "SC039573"}).Draw(t, "sc"),
	})
	g.tree()
	g.unitsFile()
	g.people()
	g.committees()
	g.careers()
	g.pages()
	g.menus()
	g.redirects()
	return g.files
}

type packGenerator struct {
	*rapid.T
	files     fstest.MapFS
	taken     map[string]bool // keys
	paths     []Path          // of everything
	pagePaths []Path
	kinds     map[Path]entryKind
	sections  []Slug
	regions   []Slug
	members   []Slug
	studies   []Slug
	redirect  int
}

func (g *packGenerator) yaml(name string, v any) {
	if text := yamlOf(v); text != "" {
		g.files[name] = &fstest.MapFile{Data: []byte(text)}
	}
}

func (g *packGenerator) flip(name string) bool { return rapid.Bool().Draw(g.T, name) }

func (g *packGenerator) upTo(n int, name string) int { return rapid.IntRange(0, n).Draw(g.T, name) }

// lineRunes holds what YAML, Markdown and slugs treat in a special way.
var lineRunes = []rune("abcXYZ019 \u00a0é–—’‘“”'\"`#@&*!|>%:?-,.;/\\[]{}()<=+~^_$☃😀ß\u200b")

func (g *packGenerator) line(name string) Line {
	for range 20 {
		s := strings.TrimSpace(rapid.StringOfN(rapid.SampledFrom(lineRunes), 1, 24, -1).Draw(g.T, name))
		if s != "" {
			return Line(s)
		}
	}
	return "x"
}

func (g *packGenerator) maybeLine() Line {
	if g.flip("given") {
		return g.line("line")
	}
	return rapid.SampledFrom([]Line{"", "", "null", "true", "no", "~", "0x1F", "1e3", "2024-05-31", "012", "- a", "a: b", "a #b", "<<", "*a", "&a", "!a", "%a", "{a}", "|", "\"", "'"}).Draw(g.T, "odd line")
}

func (g *packGenerator) maybeText() Text {
	lines := make([]string, g.upTo(4, "lines"))
	for i := range lines {
		lines[i] = rapid.SampledFrom([]string{"", "  indented", "trailing  ", "\ttab", "- item", "# not a comment", "key: value", "---", "...", string(g.line("line"))}).Draw(g.T, "line")
	}
	return Text(trimBlankLines(strings.Join(lines, "\n")))
}

func (g *packGenerator) list() []Line {
	var list []Line
	for range g.upTo(2, "list") {
		list = append(list, g.line("item"))
	}
	return list
}

// key draws an explicit key that is free, or none.
func (g *packGenerator) key() Key {
	if !g.flip("default key") {
		return ""
	}
	k := rapid.StringMatching(`k[a-z0-9:._-]{1,6}`).Draw(g.T, "key")
	if g.taken[k] {
		return ""
	}
	g.taken[k] = true
	return Key(k)
}

func (g *packGenerator) date() Date {
	return rapid.SampledFrom([]Date{"", "1998-02-01", "2015-06-30", "2020-02-29", "2031-12-31"}).Draw(g.T, "date")
}

func (g *packGenerator) entry(path Path) entry {
	e := entry{
		Title: g.line("title"), Key: g.key(), Position: g.upTo(3, "position"), Summary: g.maybeText(), ReviewDueOn: g.date(),
		Status:      rapid.SampledFrom([]status{"PUBLISHED", "PUBLISHED", "DRAFT", "GONE"}).Draw(g.T, "status"),
		Access:      rapid.SampledFrom([]access{"PUBLIC", "MEMBERS", "STAFF"}).Draw(g.T, "access"),
		PublishedAt: rapid.SampledFrom([]Moment{"", "2024-05-31T14:30:00Z", "2024-05-31T14:30:00.123456Z"}).Draw(g.T, "moment"),
	}
	if path != "" {
		for range g.upTo(1, "redirects") {
			g.redirect++
			e.RedirectFrom = append(e.RedirectFrom, Path(fmt.Sprintf("/old-%d", g.redirect)))
		}
	}
	return e
}

// tree draws the paths of pages and what kind each has.
func (g *packGenerator) tree() {
	g.kinds = map[Path]entryKind{}
	for _, p := range rapid.SliceOfNDistinct(rapid.SampledFrom([]Path{
		"/", "/a", "/a/b", "/a/b/c", "/a/x-1", "/b", "/b/index", "/c/d/e", "/index", "/b/b/b", "/news",
	}), 1, 8, rapid.ID).Draw(g.T, "paths") {
		g.pagePaths = append(g.pagePaths, p)
		g.kinds[p] = rapid.SampledFrom([]entryKind{"PAGE", "PAGE", "SPECIALIST_SECTION", "REGION"}).Draw(g.T, "kind")
	}
	g.paths = slices.Clone(g.pagePaths)
}

func (g *packGenerator) unitsFile() {
	f := &unitsFile{}
	names := rapid.Permutation([]Slug{"u1", "u2", "u3", "u4", "u5", "u6", "u7", "u8"}).Draw(g.T, "slugs")
	for i, p := range g.pagePaths {
		kind := g.kinds[p]
		if kind == "PAGE" {
			continue
		}
		u := &unit{Slug: names[i], Page: p, Name: g.line("name"), ShortName: g.line("short name"), EstablishedOn: rapid.SampledFrom([]Date{"", "1990-01-01"}).Draw(g.T, "since")}
		if g.flip("alias") {
			u.Aliases = []Slug{"alias-of-" + u.Slug}
		}
		if g.flip("local names") {
			u.LocalNames = map[string]Line{"cy": g.line("welsh"), "gd-GB": g.line("gaelic"), "no": "no"}
		}
		if g.flip("dissolved") {
			u.DissolvedOn = "2025-07-31"
		}
		if kind == "REGION" {
			u.Nation = rapid.SampledFrom([]nation{"ENGLAND", "WALES"}).Draw(g.T, "nation")
			if u.DissolvedOn != "" && len(g.regions) > 0 {
				u.Successor = g.regions[0]
			}
			f.Regions = append(f.Regions, u)
			g.regions = append(g.regions, u.Slug)
			continue
		}
		f.Sections = append(f.Sections, u)
		g.sections = append(g.sections, u.Slug)
	}
	g.yaml("units.yaml", f)
}

// oneOrNone draws from a list, which may be empty.
func oneOrNone[T ~string](g *packGenerator, list []T, name string) T {
	return rapid.SampledFrom(append([]T{""}, list...)).Draw(g.T, name)
}

// sortName draws the words of a name in another order.
func (g *packGenerator) sortName(name Line) Line {
	words := strings.FieldsFunc(string(name), func(r rune) bool { return !unicode.IsLetter(r) && !unicode.IsDigit(r) })
	if len(words) == 0 || g.flip("sort name is the name") {
		return name
	}
	return Line(strings.Join(rapid.Permutation(words).Draw(g.T, "words"), ", ") + rapid.SampledFrom([]string{"", "."}).Draw(g.T, "end"))
}

func (g *packGenerator) people() {
	f := &peopleFile{}
	for i := range g.upTo(3, "people") {
		p := &person{
			Key: Slug(fmt.Sprintf("person-%d", i)), DisplayName: g.line("name"), Pronouns: g.maybeLine(), Headline: g.maybeLine(), Bio: g.maybeText(),
			Grade: rapid.SampledFrom([]grade{"PROFESSIONAL", "RETIRED"}).Draw(g.T, "grade"), JoinedOn: "2001-01-01", Region: oneOrNone(g, g.regions, "region"),
			Audiences: personAudiences{Listing: "NOBODY", Pronouns: "MEMBERS", Headline: "NOBODY", Bio: "STAFF", Grade: "NOBODY", Region: "NOBODY", JoinedOn: "NOBODY", Sections: "PUBLIC"},
		}
		p.SortName = g.sortName(p.DisplayName)
		if g.flip("private") {
			p.Audiences = personAudiences{"NOBODY", "NOBODY", "NOBODY", "NOBODY", "NOBODY", "NOBODY", "NOBODY", "NOBODY"}
		}
		if s := oneOrNone(g, g.sections, "section"); s != "" {
			p.Sections = append(p.Sections, &membership{Section: s, From: "2010-01-01", To: "2012-01-01"}, &membership{Section: s, From: "2014-01-01"})
		}
		f.People = append(f.People, p)
		g.members = append(g.members, p.Key)
	}
	g.yaml("people.yaml", f)
}

func (g *packGenerator) committees() {
	f := &committeesFile{}
	for i := range g.upTo(2, "committees") {
		c := &committee{Slug: Slug(fmt.Sprintf("c%d", i)), Name: g.line("name"), Key: g.key()}
		if i < len(g.sections) && g.flip("of a section") {
			c.Section = g.sections[i]
		} else if i < len(g.regions) {
			c.Region = g.regions[i]
		}
		for j := range g.upTo(2, "posts") {
			p := &post{Title: Line(fmt.Sprintf("Post %d", j)), Seats: 1 + j, Key: g.key()}
			if m := oneOrNone(g, g.members, "holder"); m != "" {
				p.Terms = append(p.Terms, &term{Member: m, From: "2020-01-01", To: g.to(), Key: g.key()})
			}
			c.Posts = append(c.Posts, p)
		}
		f.Committees = append(f.Committees, c)
	}
	g.yaml("committees.yaml", f)
}

func (g *packGenerator) to() Date {
	return rapid.SampledFrom([]Date{"", "2023-01-01"}).Draw(g.T, "to")
}

func (g *packGenerator) careers() {
	levels := rapid.SliceOfNDistinct(rapid.SampledFrom([]step{"NEWLY_QUALIFIED", "EXPERIENCED", "ADVANCED"}), 0, 3, rapid.ID).Draw(g.T, "levels")
	f := &careerFile{}
	for _, l := range levels {
		f.Levels = append(f.Levels, &level{Level: l, Title: g.line("title")})
	}
	g.yaml("career.yaml", f)

	documents := &documentsFile{}
	var keys []Key
	for i := range g.upTo(3, "documents") {
		d := &document{MediaType: "application/pdf", FileName: g.maybeLine(), SizeLabel: g.maybeLine(), ByteSize: g.upTo(1, "bytes") * math.MaxInt32}
		if g.flip("has a path") {
			d.Path = Path(fmt.Sprintf("/a/file-%d", i))
			g.paths = append(g.paths, d.Path)
		}
		path := d.Path
		d.entry = g.entry(path)
		d.Path = path
		if d.Key == "" {
			d.Key = Key(fmt.Sprintf("document:%d", i))
		}
		keys = append(keys, d.Key)
		documents.Documents = append(documents.Documents, d)
	}
	for i, d := range documents.Documents {
		others := slices.Delete(slices.Clone(keys), i, i+1)
		if len(others) > 0 {
			d.AccessibleAlternatives = rapid.Permutation(others).Draw(g.T, "alternatives")[:g.upTo(len(others), "alternatives")]
		}
	}
	g.yaml("documents.yaml", documents)

	for i := range g.upTo(2, "case studies") {
		if len(levels) == 0 {
			return
		}
		s := fmt.Sprintf("study-%d", i)
		c := &caseStudy{
			entry: g.entry("/"), Person: g.line("person"), Headline: g.line("headline"), Level: rapid.SampledFrom(levels).Draw(g.T, "level"), LevelLabel: g.line("label"),
			Setting: g.maybeLine(), Document: oneOrNone(g, keys, "document"), Member: oneOrNone(g, g.members, "member"),
			Section: oneOrNone(g, g.sections, "section"), Region: oneOrNone(g, g.regions, "region"), ConsentOn: g.date(),
		}
		path := Path("/case-studies/" + s)
		if g.flip("elsewhere") {
			c.Path = Path("/a/b/" + s)
			path = c.Path
		}
		text := string(c.Summary)
		c.Summary = ""
		g.paths = append(g.paths, path)
		g.studies = append(g.studies, Slug(s))
		g.files["case-studies/"+s+".md"] = &fstest.MapFile{Data: []byte(withFrontMatter(c, text))}
	}
}

func (g *packGenerator) pages() {
	for _, at := range g.pagePaths {
		p := &page{entry: g.entry(at), Kind: g.kinds[at], SubKind: rapid.SampledFrom([]subKind{"OTHER", "EVENTS"}).Draw(g.T, "sub-kind")}
		var blocks []*block
		for range g.upTo(4, "blocks") {
			b := g.block()
			// Two stretches of text would be one.
			if n := len(blocks); b != nil && (n == 0 || b.kind != "RICH_TEXT" || blocks[n-1].kind != "RICH_TEXT") {
				blocks = append(blocks, b)
			}
		}
		name := pageFile(at)
		if path.Base(string(at)) != "index" && at != "/" && g.flip("index") {
			name = "pages" + string(at) + "/index.md"
		}
		g.files[name] = &fstest.MapFile{Data: []byte(withFrontMatter(p, bodyOf(blocks)))}
	}
}

// markdown draws Markdown that has no mistakes and is one stretch of text.
func (g *packGenerator) markdown() Text {
	text := rapid.SampledFrom([]string{
		"", "Text with *emphasis*, `code` and [a link](/a).\n\n- one\n- two\n  1. deep\n", "| a | b |\n|:--|--:|\n| 1 | 2 |", "    indented code", "> quote\ncontinued",
		"```\n## not a heading\n```", "~~~go\nx\n~~~", "[ref]\n\n[ref]: https://example.org/ \"t\"", "a  \nb\\\nc", "* * *", "&amp; &lt;b&gt; \\*", "![alt](/i.png)",
	}).Draw(g.T, "markdown")
	text += "\n" + string(g.maybeText())
	text = trimBlankLines(text)
	b := &body{decoder: &decoder{problems: &problems{}, at: positions{}}, src: []byte(text)}
	if found := b.blocks(); len(b.problems.found) > 0 || len(found) != 1 || found[0].kind != "RICH_TEXT" {
		return "Plain."
	}
	return Text(text)
}

func (g *packGenerator) block() *block {
	switch kind := rapid.SampledFrom([]string{"HEADING", "RICH_TEXT", "CALLOUT", "LINK_LIST", "CASE_STUDY_LIST", "WEBINAR", "FAQ_LIST"}).Draw(g.T, "block"); kind {
	case "HEADING":
		words := strings.Join(strings.Fields(strings.ReplaceAll(string(g.line("heading")), "\u00a0", "x")), " ")
		return &block{kind: kind, data: &headingBlock{Level: 2 + g.upTo(2, "level"), Text: words}}
	case "RICH_TEXT":
		return &block{kind: kind, data: &richTextBlock{Markdown: string(g.markdown())}}
	case "CALLOUT":
		return &block{kind: kind, data: &calloutBlock{Tone: rapid.SampledFrom([]tone{"INFO", "WARNING"}).Draw(g.T, "tone"), Title: g.maybeLine(), Markdown: g.markdown()}}
	case "LINK_LIST":
		d := &linkListBlock{Title: g.maybeLine(), Links: []*blockLink{{URL: "https://example.org/?a=b#c", Label: g.line("label")}}}
		d.Links = append(d.Links, &blockLink{Page: rapid.SampledFrom(g.paths).Draw(g.T, "page"), Label: g.maybeLine()})
		return &block{kind: kind, data: d}
	case "CASE_STUDY_LIST":
		if len(g.studies) == 0 {
			return nil
		}
		return &block{kind: kind, data: &caseStudyListBlock{Title: g.maybeLine(), CaseStudies: g.studies}}
	case "WEBINAR":
		return &block{kind: kind, data: &webinarBlock{Title: g.line("title"), Markdown: g.markdown(), Partners: g.list(), CaptionsNote: g.maybeLine(), URL: "https://example.org/v"}}
	default:
		return &block{kind: kind, data: &faqListBlock{Title: g.maybeLine(), Items: []*faqItem{{Question: g.line("question"), Markdown: g.markdown()}}}}
	}
}

func (g *packGenerator) menus() {
	marked := map[Path]bool{}
	n := 0
	var items func(depth int) []*menuItem
	items = func(depth int) []*menuItem {
		var list []*menuItem
		words := map[string]bool{}
		for range g.upTo(3, "items") {
			i := &menuItem{Label: g.line("label"), Access: rapid.SampledFrom([]access{"PUBLIC", "STAFF"}).Draw(g.T, "access"), Key: g.key()}
			word := slug.Slug(string(i.Label))
			if n++; i.Key == "" && (word == "" || words[word]) {
				i.Key = Key(fmt.Sprintf("item-%d", n))
			}
			words[word] = true
			switch g.upTo(5, "leads to") {
			case 0:
				i.Heading = true
			case 1:
				i.URL = "https://example.org/x"
			case 2:
				i.External = true
			case 3:
				i.Action = "SEARCH"
			default:
				i.Page = rapid.SampledFrom(g.paths).Draw(g.T, "page")
				if mark := g.flip("canonical"); !marked[i.Page] && g.flip("marked") {
					i.Canonical = &mark
					marked[i.Page] = mark
				}
			}
			if depth < 4 {
				i.Children = items(depth + 1)
			}
			list = append(list, i)
		}
		return list
	}
	for _, handle := range []string{"main", "footer"} {
		if g.flip("menu " + handle) {
			g.yaml("menus/"+handle+".yaml", &menu{Title: g.line("title"), Position: g.upTo(1, "position"), Items: items(1)})
		}
	}
}

func (g *packGenerator) redirects() {
	f := &redirectsFile{}
	if g.flip("redirect") {
		f.Redirects = append(f.Redirects, &redirect{From: "/r/1", To: Target(rapid.SampledFrom(g.paths).Draw(g.T, "to"))}, &redirect{From: "/r/2", To: "https://example.org/"})
	}
	if g.flip("gone") {
		f.Gone = append(f.Gone, &gone{Path: "/g/1", Reason: g.maybeLine()})
	}
	g.yaml("redirects.yaml", f)
}
