package pack

import (
	"cmp"
	"path"
	"slices"
	"strings"

	"github.com/agnivade/levenshtein"

	"github.com/collegium/collegium/internal/slug"
)

// resolver fills in what follows from the whole pack, and reports what
// contradicts itself.
type resolver struct {
	*reader
	// entries are all things that are published, by key.
	entries map[Key]*entry
	// pages are those with a body, by path.
	pages map[Path]*page
	// current says what stands at a path.
	current map[Path]*entry
	// meaning says where a path got its one meaning.
	meaning map[Path]pos
	// documentKeys are those of documents.yaml.
	documentKeys map[Key]bool
	// guesses is how many more times a hint may be looked for.
	guesses int
}

func (r *reader) resolve() {
	p := r.pack
	slices.SortFunc(p.menus, func(a, b *menu) int {
		return cmp.Or(cmp.Compare(a.Position, b.Position), cmp.Compare(a.handle, b.handle))
	})
	slices.SortFunc(p.pages, func(a, b *page) int { return cmp.Or(cmp.Compare(a.Path, b.Path), cmp.Compare(a.file, b.file)) })
	slices.SortStableFunc(p.people, func(a, b *person) int { return cmp.Compare(a.Key, b.Key) })
	slices.SortStableFunc(p.committees, func(a, b *committee) int { return cmp.Compare(a.Slug, b.Slug) })
	slices.SortFunc(p.caseStudies, func(a, b *caseStudy) int { return cmp.Compare(a.slug, b.slug) })

	s := &resolver{
		reader: r, entries: map[Key]*entry{}, pages: map[Path]*page{},
		current: map[Path]*entry{}, meaning: map[Path]pos{}, documentKeys: map[Key]bool{}, guesses: 50,
	}
	s.published()
	s.redirects()
	s.units()
	s.peopleAndCommittees()
	s.documents()
	s.careers()
	s.bodies()
	s.menus()
	p.number()
	slices.SortStableFunc(p.documents, func(a, b *document) int { return cmp.Compare(a.Key, b.Key) })
	slices.SortStableFunc(p.redirects, func(a, b *redirect) int { return cmp.Compare(a.From, b.From) })
	slices.SortStableFunc(p.gone, func(a, b *gone) int { return cmp.Compare(a.Path, b.Path) })
}

func (s *resolver) of(things ...any) pos { return s.pack.at.of(things...) }

// dangling reports a reference to what is not there, unless that may be in a
// file that could not be read.
func (s *resolver) dangling(at pos, message string, args ...any) {
	if !s.broken {
		s.add(at, message, args...)
	}
}

// published gives every entry its key, slug, parent and path.
func (s *resolver) published() {
	for _, p := range s.pack.pages {
		at := s.of(p)
		p.slug = path.Base(string(p.Path))
		if p.Path == "/" {
			p.slug = ""
		}
		s.enter(&p.entry, at)
		if s.current[p.Path] == &p.entry {
			s.pages[p.Path] = p
		}
	}
	for _, c := range s.pack.caseStudies {
		s.enter(&c.entry, s.of(c))
	}
	for _, d := range s.pack.documents {
		at := s.of(d)
		if d.Title == "" && s.of(&d.Title) == (pos{}) {
			s.add(at, "title: is missing")
		}
		if d.Key == "" && s.of(&d.Key) == (pos{}) {
			s.add(at, "key: is missing; write one, as document:annual-report")
		}
		d.slug = cmp.Or(slug.Slug(string(d.Title)), "document")
		if d.Path != "" {
			d.slug = path.Base(string(d.Path))
		} else if len(d.RedirectFrom) > 0 {
			s.add(s.of(&d.RedirectFrom), "redirectFrom: the document has no path to which to send visitors; give it one")
		}
		s.enter(&d.entry, at)
	}
	s.parents(s.pack)
}

// enter takes up an entry under its key and its path.
func (s *resolver) enter(e *entry, at pos) {
	if e.Key != "" {
		if other := s.entries[e.Key]; other != nil {
			s.add(cmp.Or(s.of(&e.Key), at), "key: %s is the key of %q too; give one of them another", e.Key, string(other.Title))
		} else {
			s.entries[e.Key] = e
		}
	}
	if e.Path == "" {
		return
	}
	if s.mean(e.Path, cmp.Or(s.of(&e.Path), at)) {
		s.current[e.Path] = e
	}
}

// mean takes up a path, and reports a second meaning for it.
func (s *resolver) mean(p Path, at pos) bool {
	if other, taken := s.meaning[p]; taken {
		s.add(at, "path: %s has a meaning already, at %s; a path has one", p, other)
		return false
	}
	s.meaning[p] = at
	return true
}

// parents sets the page above each entry.
func (s *resolver) parents(p *Pack) {
	above := func(e *entry) {
		for at := e.Path; at != "" && at != "/"; {
			at = Path(path.Dir(string(at)))
			if parent := s.pages[at]; parent != nil {
				e.parent = parent.Key
				return
			}
		}
	}
	for _, x := range p.pages {
		above(&x.entry)
	}
	for _, x := range p.caseStudies {
		above(&x.entry)
	}
	for _, x := range p.documents {
		above(&x.entry)
	}
}

// target returns the entry at a path, or reports that there is none.
func (s *resolver) target(name string, p Path, at pos) *entry {
	e := s.current[p]
	if e != nil || p == "" || !slug.ValidPath(string(p)) {
		return e
	}
	if r := s.redirect(p); r != nil {
		s.add(at, "%s: %s is a former address; write %s", name, p, r.To)
		return nil
	}
	s.dangling(at, "%s: nothing has the path %s%s", name, p, s.like(string(p), s.paths))
	return nil
}

func (s *resolver) redirect(p Path) *redirect {
	i := slices.IndexFunc(s.pack.redirects, func(r *redirect) bool { return r.From == p })
	if i < 0 {
		return nil
	}
	return s.pack.redirects[i]
}

func (s *resolver) paths(yield func(string) bool) {
	for p := range s.current {
		if !yield(string(p)) {
			return
		}
	}
}

// like returns a hint at what may have been meant, if anything is spelled
// almost like it.
func (s *resolver) like(name string, known func(func(string) bool)) string {
	if s.guesses == 0 || s.broken {
		return ""
	}
	s.guesses--
	// Less than half of it may be wrong, and in long names not much.
	best, least := "", min((len(name)+1)/2, max(4, len(name)/4))
	for k := range known {
		if d := levenshtein.ComputeDistance(name, k); d < least || d == least && best != "" && k < best {
			best, least = k, d
		}
	}
	if best == "" {
		return ""
	}
	return "; did you mean " + best + "?"
}

// redirects gathers the former addresses of all entries.
func (s *resolver) redirects() {
	gather := func(e *entry) {
		for i := range e.RedirectFrom {
			from := &e.RedirectFrom[i]
			r := &redirect{From: *from, To: Target(e.Path), entry: e.Key}
			s.pack.at[r] = s.of(from)
			s.pack.at[&r.From] = s.of(from)
			if *from == e.Path && e.Path != "" {
				s.add(s.of(from), "redirectFrom: %s is the path itself; leave it out", *from)
				continue
			}
			s.pack.redirects = append(s.pack.redirects, r)
		}
		e.RedirectFrom = nil
	}
	for _, p := range s.pack.pages {
		gather(&p.entry)
	}
	for _, c := range s.pack.caseStudies {
		gather(&c.entry)
	}
	for _, d := range s.pack.documents {
		gather(&d.entry)
	}
	all := map[Path]*redirect{}
	for _, r := range s.pack.redirects {
		if !slug.ValidPath(string(r.From)) {
			continue
		}
		if s.mean(r.From, s.of(&r.From, r)) {
			all[r.From] = r
		}
	}
	for _, r := range s.pack.redirects {
		to := Path(r.To)
		if r.entry != "" || !strings.HasPrefix(string(r.To), "/") || !slug.ValidPath(string(to)) {
			continue
		}
		at := s.of(&r.To, r)
		switch next := all[to]; {
		case to == r.From:
			s.add(at, "to: %s leads to itself; write the current path of a page", to)
		case next != nil && s.loops(all, r):
			s.add(at, "to: %s leads back here over other redirects; write the current path of a page", to)
		case next != nil:
			s.add(at, "to: %s is a redirect itself; write where that leads, %s", to, last(all, next).To)
		default:
			if e := s.target("to", to, at); e != nil {
				r.entry = e.Key
			}
		}
	}
	for _, g := range s.pack.gone {
		if slug.ValidPath(string(g.Path)) {
			s.mean(g.Path, s.of(&g.Path, g))
		}
	}
}

// loops says whether redirects lead from r back to it.
func (s *resolver) loops(all map[Path]*redirect, r *redirect) bool {
	next := r
	for range all {
		if next = all[Path(next.To)]; next == nil {
			return false
		}
		if next == r {
			return true
		}
	}
	return true
}

// last follows redirects to the end.
func last(all map[Path]*redirect, r *redirect) *redirect {
	for range all {
		next := all[Path(r.To)]
		if next == nil {
			return r
		}
		r = next
	}
	return r
}

// menus gives items their keys, their targets and their canonical placements.
func (s *resolver) menus() {
	keys := map[Key]pos{}
	placements := map[Key][]*menuItem{}
	for _, m := range s.pack.menus {
		var walk func(items []*menuItem, above string, depth int)
		walk = func(items []*menuItem, above string, depth int) {
			siblings := map[string]bool{}
			for _, i := range items {
				i.depth = depth
				word, unique := defaultWord(i.Label, siblings)
				if i.Key == "" && i.Label != "" {
					switch k := Key(above + "/" + word); {
					case word == "":
						s.add(s.of(&i.Label, i), "label: %q has no Latin letter or digit from which to make a key; give the item a key", string(i.Label))
					case !unique:
						s.add(s.of(&i.Label, i), "label: %q stands here a second time under the same item; give one of them a key", string(i.Label))
					case len(k) > maxKey:
						s.add(s.of(&i.Label, i), "label: the labels from the top make a key of %d bytes, and it has at most %d; give the item a key", len(k), maxKey)
					default:
						i.Key = k
					}
				}
				if other, taken := keys[i.Key]; taken && i.Key != "" {
					s.add(s.of(&i.Key, i), "key: %s is the key of another item too, at %s; give one of them another", i.Key, other)
				}
				keys[i.Key] = s.of(&i.Key, i)
				s.item(i)
				if i.entry != "" {
					placements[i.entry] = append(placements[i.entry], i)
				}
				i.Children = given(i.Children)
				walk(i.Children, below(above, word, unique, i), depth+1)
			}
		}
		m.Items = given(m.Items)
		walk(m.Items, m.handle, 1)
	}
	for _, items := range placements {
		s.canonical(items)
	}
}

// defaultWord returns the last part of an item's default key, and whether it has
// one: its label has letters, and no item before it has the same slug.
func defaultWord(label Line, siblings map[string]bool) (word string, unique bool) {
	word = slug.Slug(string(label))
	unique = word != "" && !siblings[word]
	siblings[word] = true
	return word, unique
}

// below returns what the default keys of an item's children begin with: the slugs
// from the top, or the item's own key if its slug would not tell it apart.
func below(above, word string, unique bool, i *menuItem) string {
	if unique {
		return above + "/" + word
	}
	return string(i.Key)
}

// item checks what an item leads to.
func (s *resolver) item(i *menuItem) {
	var ways []string
	for _, w := range []struct {
		name  string
		given bool
	}{
		{"page", i.Page != ""}, {"url", i.URL != ""}, {"external", i.External}, {"action", i.Action != ""}, {"heading", i.Heading},
	} {
		if w.given {
			ways = append(ways, w.name)
		}
	}
	switch {
	case len(ways) == 0:
		s.add(s.of(i), "the item %q leads nowhere; give it one of page, url, external: true, action or heading: true", string(i.Label))
	case len(ways) > 1:
		s.add(s.of(i), "the item %q has %s; give it one of them", string(i.Label), strings.Join(ways, " and "))
	case i.Page == "" && i.Canonical != nil:
		s.add(s.of(&i.Canonical), "canonical: only an item with page can be canonical; leave the key out")
	}
	if e := s.target("page", i.Page, s.of(&i.Page, i)); e != nil {
		i.entry = e.Key
	}
}

// canonical chooses among the placements of one entry, in reading order.
func (s *resolver) canonical(items []*menuItem) {
	chosen := shallowest(items)
	marked := false
	for _, i := range items {
		switch {
		case i.Canonical == nil:
		case *i.Canonical && marked:
			s.add(s.of(&i.Canonical), "canonical: another item marks %s as its own too; at most one may", i.Page)
		case *i.Canonical:
			chosen, marked = i, true
		case !marked:
			chosen = nil
		}
	}
	for _, i := range items {
		i.isCanonical = i == chosen
		i.Canonical = nil
	}
}

// shallowest returns the placement that is canonical if none is marked.
func shallowest(items []*menuItem) *menuItem {
	return slices.MinFunc(items, func(a, b *menuItem) int { return cmp.Compare(a.depth, b.depth) })
}
