package pack

import (
	"cmp"
	"slices"
	"strings"
	"unicode"

	"golang.org/x/text/cases"
	"golang.org/x/text/language"

	"github.com/collegium/collegium/internal/slug"
)

// unitID names a section or a region: their slugs are apart.
type unitID struct {
	kind entryKind
	slug Slug
}

// unitsBySlug returns the units by slug, without their aliases.
func (p *Pack) unitsBySlug() map[unitID]*unit {
	units := make(map[unitID]*unit, len(p.units))
	for _, u := range p.units {
		units[unitID{u.kind, u.Slug}] = u
	}
	return units
}

// unit reports a reference to a section or region that is not there.
func (s *resolver) unit(name string, kind entryKind, slug Slug, at pos) {
	if slug == "" {
		return
	}
	known := func(yield func(string) bool) {
		for _, u := range s.pack.units {
			if u.kind == kind && !yield(string(u.Slug)) {
				return
			}
		}
	}
	for k := range known {
		if k == string(slug) {
			return
		}
	}
	noun := "section"
	if kind == "REGION" {
		noun = "region"
	}
	s.dangling(at, "%s: units.yaml has no %s %s%s", name, noun, slug, s.like(string(slug), known))
}

// units checks sections and regions, and brings them together with their pages.
func (s *resolver) units() {
	names := map[unitID]pos{}
	name := func(kind entryKind, slug Slug, what string, at pos) {
		if slug == "" {
			return
		}
		if other, taken := names[unitID{kind, slug}]; taken {
			s.add(at, "%s: %s is taken, at %s; a slug leads to one section or region", what, slug, other)
			return
		}
		names[unitID{kind, slug}] = at
	}
	for _, u := range s.pack.units {
		name(u.kind, u.Slug, "slug", s.of(&u.Slug, u))
	}
	ofPage := map[Key]*unit{}
	for _, u := range s.pack.units {
		for i := range u.Aliases {
			name(u.kind, u.Aliases[i], "aliases", s.of(&u.Aliases[i]))
		}
		for tag := range u.LocalNames {
			if !languageForm.MatchString(tag) {
				s.add(s.of(&u.LocalNames), "localNames: %.40q is not a language tag (BCP 47); write it as cy or gd", tag)
			}
		}
		if u.DissolvedOn != "" && u.EstablishedOn != "" && u.DissolvedOn <= u.EstablishedOn {
			s.add(s.of(&u.DissolvedOn), "dissolvedOn: %s is not after the day it was established, %s", u.DissolvedOn, u.EstablishedOn)
		}
		s.unit("successor", u.kind, u.Successor, s.of(&u.Successor))
		switch {
		case u.Successor == "":
		case u.Successor == u.Slug:
			s.add(s.of(&u.Successor), "successor: %s cannot follow itself", u.Slug)
		case u.DissolvedOn == "":
			s.add(s.of(&u.Successor), "successor: only a closed one has a successor; write dissolvedOn too, or leave the key out")
		}
		at := s.of(&u.Page, u)
		if s.target("page", u.Page, at) == nil {
			continue
		}
		p := s.pages[u.Page]
		switch {
		case p == nil || p.Kind != u.kind:
			s.add(at, "page: %s is not a page of kind %s; write that in its front matter, or name another page", u.Page, u.kind)
		case ofPage[p.Key] != nil:
			s.add(at, "page: %s is the page of %s already", u.Page, ofPage[p.Key].Slug)
		default:
			u.entry = p.Key
			ofPage[p.Key] = u
		}
	}
	s.succession()
	for _, p := range s.pack.pages {
		if p.Kind != "PAGE" && ofPage[p.Key] == nil {
			s.dangling(s.of(&p.Kind, p), "kind: no %s in units.yaml has the page %s; add it there, or leave the key out", p.Kind, p.Path)
		}
	}
}

// succession reports units that follow each other in a circle.
func (s *resolver) succession() {
	units := s.pack.unitsBySlug()
	for _, u := range s.pack.units {
		next := u
		for range units {
			if next = units[unitID{u.kind, next.Successor}]; next == nil || next == u {
				break
			}
		}
		if next == u && u.Successor != u.Slug {
			s.add(s.of(&u.Successor), "successor: %s leads back here; one of them must still exist", u.Successor)
		}
	}
}

// period reports a period that does not end after it begins.
func (s *resolver) period(from, to Date, at pos) {
	if from != "" && to != "" && to <= from {
		s.add(at, "to: %s is not after the first day, %s", to, from)
	}
}

// person reports a reference to a person who is not there.
func (s *resolver) person(key Slug, at pos) {
	if key == "" {
		return
	}
	_, found := slices.BinarySearchFunc(s.pack.people, key, func(p *person, k Slug) int { return cmp.Compare(p.Key, k) })
	if !found {
		s.dangling(at, "member: people.yaml has no person %s%s", key, s.like(string(key), func(yield func(string) bool) {
			for _, p := range s.pack.people {
				if !yield(string(p.Key)) {
					return
				}
			}
		}))
	}
}

// wordBeyond returns the first word of a sort name that the display name does not
// have, "" if there is none. Words are those of the constraint
// members_sort_name_shows_no_more: letters and digits, without regard to case.
func wordBeyond(sortName, displayName string) string {
	words := func(s string) []string {
		return strings.FieldsFunc(cases.Lower(language.Und).String(s), func(r rune) bool { return !unicode.IsLetter(r) && !unicode.IsDigit(r) })
	}
	shown := words(displayName)
	for _, w := range words(sortName) {
		if !slices.Contains(shown, w) {
			return w
		}
	}
	return ""
}

func (s *resolver) peopleAndCommittees() {
	for i, p := range s.pack.people {
		if i > 0 && p.Key != "" && s.pack.people[i-1].Key == p.Key {
			s.add(s.of(&p.Key), "key: %s is the key of two people; give one of them another", p.Key)
		}
		if word := wordBeyond(string(p.SortName), string(p.DisplayName)); word != "" && p.DisplayName != "" {
			s.add(s.of(&p.SortName), "sortName: displayName does not have the word %q; whoever sees the person in a list can read both, so write no words but those of displayName", word)
		}
		s.unit("region", "REGION", p.Region, s.of(&p.Region))
		p.Sections = given(p.Sections)
		slices.SortStableFunc(p.Sections, func(a, b *membership) int {
			return cmp.Or(cmp.Compare(a.Section, b.Section), cmp.Compare(a.From, b.From))
		})
		// Of the section that the memberships before are of.
		var open bool
		var until Date
		for i, m := range p.Sections {
			s.unit("section", "SPECIALIST_SECTION", m.Section, s.of(&m.Section))
			s.period(m.From, m.To, s.of(&m.To))
			if i == 0 || m.Section != p.Sections[i-1].Section {
				open, until = m.To == "", m.To
				continue
			}
			switch {
			case m.From == p.Sections[i-1].From:
				s.add(s.of(&m.From), "from: two memberships of %s begin on %s", m.Section, m.From)
			case open && m.To == "":
				s.add(s.of(m), "sections: two memberships of %s are open; write when the first one ended", m.Section)
			case open || until >= m.From:
				s.add(s.of(&m.From), "from: a membership of %s begins on %s, when an earlier one has not ended", m.Section, m.From)
			}
			open, until = open || m.To == "", max(until, m.To)
		}
	}
	keys := map[Key]pos{}
	key := func(k Key, at pos) {
		if k == "" {
			return
		}
		if other, taken := keys[k]; taken {
			s.add(at, "key: %s is taken, at %s; give one of them another key", k, other)
			return
		}
		if len(k) > maxKey {
			s.add(at, "key: the default has %d bytes, and a key at most %d; write one", len(k), maxKey)
		}
		keys[k] = at
	}
	units := map[unitID]pos{}
	for i, c := range s.pack.committees {
		at := s.of(c)
		if i > 0 && c.Slug != "" && s.pack.committees[i-1].Slug == c.Slug {
			s.add(s.of(&c.Slug), "slug: %s is the slug of two committees; give one of them another", c.Slug)
		}
		c.Key = cmp.Or(c.Key, committeeKey(c.Slug))
		key(c.Key, s.of(&c.Key, c))
		if c.Section != "" && c.Region != "" {
			s.add(at, "the committee %s has section and region; give it one of them, or neither", c.Slug)
		}
		s.unit("section", "SPECIALIST_SECTION", c.Section, s.of(&c.Section))
		s.unit("region", "REGION", c.Region, s.of(&c.Region))
		if id, ok := c.unit(); ok {
			if other, taken := units[id]; taken {
				s.add(at, "%s has a committee already, at %s; it has one", id.slug, other)
			}
			units[id] = at
		}
		c.Posts = given(c.Posts)
		for _, p := range c.Posts {
			if p.Seats == 0 {
				s.add(s.of(&p.Seats, p), "seats: is 0; a post has at least one seat")
			}
			if word := slug.Slug(string(p.Title)); p.Key == "" && word == "" {
				s.add(s.of(&p.Title, p), "title: %q has no Latin letter or digit from which to make a key; give the post a key", string(p.Title))
			} else if p.Key == "" {
				p.Key = postKey(c, p)
			}
			key(p.Key, s.of(&p.Key, p))
			p.Terms = given(p.Terms)
			for _, t := range p.Terms {
				t.Key = cmp.Or(t.Key, termKey(p.Key, t))
				key(t.Key, s.of(&t.Key, t))
				s.person(t.Member, s.of(&t.Member))
				s.period(t.From, t.To, s.of(&t.To))
			}
			slices.SortFunc(p.Terms, compareTerms)
		}
	}
}

// compareTerms orders the terms of a post: by first day, then person, then key.
func compareTerms(a, b *term) int {
	return cmp.Or(cmp.Compare(a.From, b.From), cmp.Compare(a.Member, b.Member), cmp.Compare(a.Key, b.Key))
}

// unit returns the section or region whose committee it is, if it is of one.
func (c *committee) unit() (unitID, bool) {
	switch {
	case c.Section != "":
		return unitID{"SPECIALIST_SECTION", c.Section}, true
	case c.Region != "":
		return unitID{"REGION", c.Region}, true
	}
	return unitID{}, false
}

// document reports a reference to a document that is not there.
func (s *resolver) document(name string, key Key, at pos) {
	if key == "" || s.documentKeys[key] {
		return
	}
	s.dangling(at, "%s: documents.yaml has no document with the key %s%s", name, key, s.like(string(key), func(yield func(string) bool) {
		for k := range s.documentKeys {
			if !yield(string(k)) {
				return
			}
		}
	}))
}

// documents checks what documents say of each other.
func (s *resolver) documents() {
	for _, d := range s.pack.documents {
		s.documentKeys[d.Key] = true
	}
	for _, d := range s.pack.documents {
		for i, key := range d.AccessibleAlternatives {
			at := s.of(&d.AccessibleAlternatives[i])
			switch {
			case key == "": // a mistake that is told
			case key == d.Key:
				s.add(at, "accessibleAlternatives: %s is the document itself; name other documents", key)
			case slices.Contains(d.AccessibleAlternatives[:i], key):
				s.add(at, "accessibleAlternatives: %s stands here a second time; write it once", key)
			default:
				s.document("accessibleAlternatives", key, at)
			}
		}
	}
}

func (s *resolver) careers() {
	filed := map[step]bool{}
	for _, l := range s.pack.levels {
		if filed[l.Level] && l.Level != "" {
			s.add(s.of(&l.Level), "level: %s stands here a second time; a step is on the ladder once", l.Level)
		}
		filed[l.Level] = true
	}
	for _, c := range s.pack.caseStudies {
		if c.Level != "" && !filed[c.Level] {
			s.dangling(s.of(&c.Level), "level: career.yaml does not have the level %s; add it there", c.Level)
		}
		s.document("document", c.Document, s.of(&c.Document))
		s.person(c.Member, s.of(&c.Member))
		s.unit("section", "SPECIALIST_SECTION", c.Section, s.of(&c.Section))
		s.unit("region", "REGION", c.Region, s.of(&c.Region))
	}
}

// bodies resolves what texts refer to.
func (s *resolver) bodies() {
	studies := map[Slug]*caseStudy{}
	for _, c := range s.pack.caseStudies {
		studies[Slug(c.slug)] = c
	}
	for _, p := range s.pack.pages {
		for _, b := range p.blocks {
			switch d := b.data.(type) {
			case *linkListBlock:
				d.Links = given(d.Links)
				b.links = d.Links
				for _, l := range d.Links {
					s.link(l)
				}
				b.complete()
			case *caseStudyListBlock:
				b.links = nil
				for i, name := range d.CaseStudies {
					c := studies[name]
					if c == nil {
						s.dangling(s.of(&d.CaseStudies[i]), "caseStudies: there is no case study %s%s", name, s.like(string(name), func(yield func(string) bool) {
							for k := range studies {
								if !yield(string(k)) {
									return
								}
							}
						}))
						continue
					}
					b.links = append(b.links, &blockLink{entry: c.Key, Page: c.Path})
				}
			}
		}
	}
	for _, l := range s.links {
		p, err := slug.Path(l.to)
		if _, ok := s.meaning[Path(p)]; (err != nil || !ok) && !s.broken && len(s.pack.warnings) < maxProblems {
			s.pack.warnings = append(s.pack.warnings, Problem{File: l.at.file, Line: l.at.line, Message: "a link leads to " + strings.TrimSpace(l.to) + ", where nothing stands"})
		}
	}
}

// link checks one link of a list.
func (s *resolver) link(l *blockLink) {
	switch {
	case (l.Page == "") == (l.URL == ""):
		s.add(s.of(l), "links: a link has page or url, one of them")
	case l.URL != "" && l.Label == "":
		s.add(s.of(l), "links: a link to another site needs a label")
	}
	if e := s.target("page", l.Page, s.of(&l.Page, l)); e != nil {
		l.entry = e.Key
	}
}
