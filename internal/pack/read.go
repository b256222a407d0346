package pack

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"path"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/collegium/collegium/internal/slug"
)

// The bounds of a pack.
const (
	maxFileBytes = 4 << 20
	maxFiles     = 100_000
	maxPackBytes = 512 << 20
)

const format = 1

// reader reads the files of one pack.
type reader struct {
	problems
	fsys  fs.FS
	pack  *Pack
	files int
	bytes int
	links []textLink
}

// textLink is a link to a path of this site within a text.
type textLink struct {
	at pos
	to string
}

// Read reads a content pack from the root of fsys and checks it; it needs no
// database. Everything that is wrong with the pack comes back at once as an
// *InvalidError; another error means that files could not be read.
func Read(fsys fs.FS) (*Pack, error) {
	r := &reader{fsys: fsys, pack: &Pack{at: positions{}}}
	if _, err := fs.Stat(fsys, "pack.yaml"); errors.Is(err, fs.ErrNotExist) {
		r.add(pos{file: "pack.yaml"}, "is missing, so this is not a content pack; write one with the keys format and name")
		return nil, r.err()
	}
	err := fs.WalkDir(fsys, ".", func(name string, entry fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case name != "." && strings.HasPrefix(entry.Name(), "."):
			if entry.IsDir() {
				return fs.SkipDir
			}
			return nil
		case entry.IsDir():
			return nil
		case !entry.Type().IsRegular():
			r.add(pos{file: name}, "is not a regular file; put the file itself here")
			return nil
		}
		return r.file(name)
	})
	if err != nil {
		return nil, fmt.Errorf("read the pack: %w", err)
	}
	if r.pack.at.of(&r.pack.organisation) == (pos{}) {
		r.add(pos{file: "organisation.yaml"}, "is missing; write the facts of the body, at least name and shortName")
	}
	r.resolve()
	if err := r.err(); err != nil {
		return nil, err
	}
	return r.pack, nil
}

// readme may stand in a pack, for people.
const readme = "README.md"

// isPackFile says whether a pack may have a file of that name.
func isPackFile(name string) bool {
	switch dir, base := path.Split(name); {
	case dir == "menus/":
		return strings.HasSuffix(base, ".yaml")
	case dir == "case-studies/", strings.HasPrefix(dir, "pages/"):
		return strings.HasSuffix(base, ".md")
	}
	switch name {
	case "pack.yaml", "organisation.yaml", "units.yaml", "people.yaml", "committees.yaml", "career.yaml", "documents.yaml", "redirects.yaml", readme:
		return true
	}
	return false
}

// file reads one file, by its place.
func (r *reader) file(name string) error {
	dir, base := path.Split(name)
	switch {
	case !isPackFile(name):
		r.add(pos{file: name}, "is no file of a content pack; these are pack.yaml, organisation.yaml, menus/<handle>.yaml, pages/**/*.md, units.yaml, "+
			"people.yaml, committees.yaml, career.yaml, case-studies/<slug>.md, documents.yaml, redirects.yaml and README.md")
		return nil
	case name == "pack.yaml":
		m := &manifest{}
		if err := r.yaml(name, m); err != nil {
			return err
		}
		if m.Format != format && m.Format != 0 {
			r.add(r.pack.at.of(&m.Format), "format: is %d; this program reads format %d", m.Format, format)
		}
		r.pack.name = string(m.Name)
		return nil
	case name == "organisation.yaml":
		return r.yaml(name, &r.pack.organisation)
	case name == "units.yaml":
		f := &unitsFile{}
		if err := r.yaml(name, f); err != nil {
			return err
		}
		r.units(f.Sections, "SPECIALIST_SECTION")
		r.units(f.Regions, "REGION")
		return nil
	case name == "people.yaml":
		f := &peopleFile{}
		err := r.yaml(name, f)
		r.pack.people = given(f.People)
		return err
	case name == "committees.yaml":
		f := &committeesFile{}
		err := r.yaml(name, f)
		r.pack.committees = given(f.Committees)
		return err
	case name == "career.yaml":
		f := &careerFile{}
		err := r.yaml(name, f)
		r.pack.levels = given(f.Levels)
		return err
	case name == "documents.yaml":
		f := &documentsFile{}
		err := r.yaml(name, f)
		r.pack.documents = given(f.Documents)
		return err
	case name == "redirects.yaml":
		f := &redirectsFile{}
		err := r.yaml(name, f)
		r.pack.redirects = given(f.Redirects)
		r.pack.gone = given(f.Gone)
		return err
	case dir == "menus/":
		return r.menu(name, strings.TrimSuffix(base, ".yaml"))
	case dir == "case-studies/":
		return r.caseStudy(name, strings.TrimSuffix(base, ".md"))
	case name != readme:
		return r.page(name)
	}
	return nil
}

// given returns what a list gives, without entries that could not be read.
func given[T any](list []*T) []*T {
	return slices.DeleteFunc(list, func(t *T) bool { return t == nil })
}

// read returns a file. With ok false its problem has been reported.
func (r *reader) read(name string) (src []byte, ok bool, err error) {
	r.files++
	if r.files > maxFiles || r.bytes > maxPackBytes {
		return nil, false, fmt.Errorf("the pack is too large: it may have %d files and %d MiB", maxFiles, maxPackBytes>>20)
	}
	f, err := r.fsys.Open(name)
	if err != nil {
		return nil, false, err
	}
	defer f.Close()
	src, err = io.ReadAll(io.LimitReader(f, maxFileBytes+1))
	if err != nil {
		return nil, false, err
	}
	r.bytes += len(src)
	src = bytes.TrimPrefix(src, []byte("\uFEFF"))
	switch {
	case len(src) > maxFileBytes:
		r.add(pos{file: name}, "is larger than %d MiB; split it", maxFileBytes>>20)
	case !utf8.Valid(src):
		line := 1
		for text := range bytes.Lines(src) {
			if !utf8.Valid(text) {
				break
			}
			line++
		}
		r.add(pos{file: name, line: line}, "is not valid UTF-8; save the file as UTF-8")
	default:
		src = bytes.ReplaceAll(src, []byte("\r\n"), []byte("\n"))
		for i, text := range slices.Collect(bytes.Lines(src)) {
			if problem := unprintable(string(text)); problem != "" {
				r.add(pos{file: name, line: i + 1}, "%s", problem)
				ok = true
			}
		}
		if !ok {
			return src, true, nil
		}
	}
	r.broken = true
	return nil, false, nil
}

func (r *reader) decoder(name string, skipped int) *decoder {
	return &decoder{problems: &r.problems, at: r.pack.at, file: name, skipped: skipped}
}

// yaml reads a YAML file into a struct.
func (r *reader) yaml(name string, into any) error {
	src, ok, err := r.read(name)
	if !ok {
		r.pack.at[into] = pos{file: name}
		return err
	}
	if !r.decoder(name, 0).decode(src, into) {
		r.pack.at[into] = pos{file: name}
		r.broken = true
	}
	return nil
}

// frontMatter reads a Markdown file: YAML between two lines of three hyphens
// into a struct; what follows comes back.
func (r *reader) frontMatter(name string, into any) (text []byte, skipped int, ok bool, err error) {
	src, ok, err := r.read(name)
	if !ok {
		return nil, 0, false, err
	}
	head, found := bytes.CutPrefix(src, []byte("---\n"))
	if !found {
		r.add(pos{file: name, line: 1}, "has no front matter; begin with a line of three hyphens, the facts in YAML, and another such line")
		r.broken = true
		return nil, 0, false, nil
	}
	end := -1
	offset, lines := 0, 1
	for line := range bytes.Lines(head) {
		lines++
		if string(bytes.TrimRight(line, " \n")) == "---" {
			end = offset
			offset += len(line)
			break
		}
		offset += len(line)
	}
	if end < 0 {
		r.add(pos{file: name, line: 1}, "has front matter without an end; write a line of three hyphens after it")
		r.broken = true
		return nil, 0, false, nil
	}
	if !r.decoder(name, 1).decode(head[:end], into) {
		r.broken = true
		return nil, 0, false, nil
	}
	return head[offset:], lines, true, nil
}

func (r *reader) menu(name, handle string) error {
	m := &menu{handle: handle}
	if !slug.Valid(handle) {
		r.add(pos{file: name}, "the handle %.80q of this menu is not a slug; use small letters and digits, joined by single hyphens%s", handle, instead(slug.Slug(handle)))
	}
	if err := r.yaml(name, m); err != nil {
		return err
	}
	r.pack.menus = append(r.pack.menus, m)
	return nil
}

func (r *reader) units(list []*unit, kind entryKind) {
	for _, u := range given(list) {
		u.kind = kind
		at := &r.pack.at
		switch {
		case kind == "REGION" && u.Nation == "":
			r.add(at.of(u), "nation: is missing; write ENGLAND, SCOTLAND, WALES or NORTHERN_IRELAND")
		case kind != "REGION" && u.Nation != "":
			r.add(at.of(&u.Nation), "nation: only a region lies in a nation; leave the key out")
		}
		r.pack.units = append(r.pack.units, u)
	}
}

// pagePath returns the path that the place of a file in pages/ stands for.
func pagePath(name string) string {
	p := strings.TrimSuffix(strings.TrimPrefix(name, "pages"), ".md")
	if p == "/index" {
		return "/"
	}
	return strings.TrimSuffix(p, "/index")
}

// pageFile is the place for a page; pagePath is the inverse.
func pageFile(p Path) string {
	if path.Base(string(p)) == "index" || p == "/" {
		return "pages" + strings.TrimSuffix(string(p), "/") + "/index.md"
	}
	return "pages" + string(p) + ".md"
}

func (r *reader) page(name string) error {
	p := &page{file: name}
	text, skipped, ok, err := r.frontMatter(name, p)
	if !ok {
		return err
	}
	at := r.pack.at
	if p.Path != "" {
		r.add(at.of(&p.Path), "path: the place of the file is the path of a page; move the file, and leave the key out")
	}
	p.Path = Path(pagePath(name))
	if !slug.ValidPath(string(p.Path)) {
		r.add(pos{file: name}, "the place of this file is no path; use small letters and digits, joined by single hyphens, for the file and its folders")
		r.broken = true
		return nil
	}
	if p.Title == "" && at.of(&p.Title) == (pos{}) {
		r.add(at.of(p), "title: is missing")
	}
	if p.Key == "" {
		p.Key = Key(pageKey(string(p.Path)))
	}
	p.skipped = skipped
	b := &body{decoder: r.decoder(name, skipped), src: text, link: func(at pos, to string) {
		r.links = append(r.links, textLink{at: at, to: to})
	}}
	p.blocks = b.blocks()
	r.pack.pages = append(r.pack.pages, p)
	return nil
}

func (r *reader) caseStudy(name, s string) error {
	c := &caseStudy{}
	text, _, ok, err := r.frontMatter(name, c)
	if !ok {
		return err
	}
	at := r.pack.at
	if !slug.Valid(s) {
		r.add(pos{file: name}, "the name of this file is not a slug; use small letters and digits, joined by single hyphens%s", instead(slug.Slug(s)))
		r.broken = true
		return nil
	}
	if c.Summary != "" {
		r.add(at.of(&c.Summary), "summary: the text of the file is the summary of a case study; write it below the front matter")
	}
	_ = c.Summary.parse(strings.TrimSpace(string(text))) // a summary may be empty
	c.slug = s
	if c.Path == "" {
		c.Path = Path("/case-studies/" + s)
	}
	if path.Base(string(c.Path)) != s && slug.ValidPath(string(c.Path)) {
		r.add(at.of(&c.Path), "path: ends in %q and the file is called %q; make them the same", path.Base(string(c.Path)), s)
	}
	if c.Title == "" {
		c.Title = c.Headline
	}
	if c.Key == "" {
		c.Key = caseStudyKey(s)
	}
	r.pack.caseStudies = append(r.pack.caseStudies, c)
	return nil
}
