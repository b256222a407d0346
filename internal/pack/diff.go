package pack

import (
	"cmp"
	"encoding/json"
	"fmt"
	"reflect"
	"slices"
	"strconv"
	"strings"
)

// thingID names a thing: its kind and its key.
type thingID struct{ kind, key string }

// field is a fact about a thing, as text.
type field struct{ name, value string }

// thing is what an import creates, changes or removes as one.
type thing struct {
	thingID
	fields []field
}

// The kinds of things, in the order in which reports tell them.
const (
	organisationKind = "organisation"
	pageKind         = "page"
	caseStudyKind    = "case study"
	documentKind     = "document"
	unitKind         = "unit"
	personKind       = "person"
	committeeKind    = "committee"
	postKind         = "post"
	termKind         = "term"
	levelKind        = "career level"
	menuKind         = "menu"
	menuItemKind     = "menu item"
	redirectKind     = "redirect"
	goneKind         = "gone path"
)

var kinds = []string{
	organisationKind, pageKind, caseStudyKind, documentKind, unitKind, personKind, committeeKind, postKind, termKind,
	levelKind, menuKind, menuItemKind, redirectKind, goneKind,
}

// things returns all that a pack says, flat. Two packs that say the same give
// the same things. References are by key, so that what a thing leads to can move
// without changing it.
func (p *Pack) things() []*thing {
	var all []*thing
	add := func(kind, key string, facts []field, more ...field) {
		t := &thing{thingID: thingID{kind, key}, fields: facts}
		for _, f := range more {
			if f.value != "" {
				t.fields = append(t.fields, f)
			}
		}
		all = append(all, t)
	}
	published := func(e *entry) []field {
		list := []field{{"parent", string(e.parent)}}
		if e.Path != "" { // a document without an address needs no slug
			list = append(list, field{"slug", e.slug})
		}
		return list
	}
	// A section or region is referred to by its page too: slugs can be swapped.
	units := p.unitsBySlug()
	ref := func(name string, kind entryKind, slug Slug) field {
		if u := units[unitID{kind, slug}]; u != nil {
			return field{name, string(u.entry)}
		}
		return field{name, ""}
	}
	if p.organisation.Name != "" {
		add(organisationKind, "organisation", facts(p.organisation))
	}
	for _, x := range p.pages {
		more := published(&x.entry)
		for i, b := range x.blocks {
			more = append(more, field{"block " + strconv.Itoa(i+1), b.fact()})
		}
		add(pageKind, string(x.Key), facts(*x), more...)
	}
	for _, x := range p.caseStudies {
		more := append(published(&x.entry), ref("section", "SPECIALIST_SECTION", x.Section), ref("region", "REGION", x.Region))
		add(caseStudyKind, string(x.Key), facts(*x, "section", "region"), more...)
	}
	for _, x := range p.documents {
		add(documentKind, string(x.Key), facts(*x), published(&x.entry)...)
	}
	for _, x := range p.units {
		add(unitKind, string(x.entry), facts(*x, "page", "successor"), field{"kind", string(x.kind)},
			field{"position", strconv.Itoa(x.position)}, ref("successor", x.kind, x.Successor))
	}
	for _, x := range p.people {
		more := []field{ref("region", "REGION", x.Region)}
		for _, m := range x.Sections {
			section := ref("", "SPECIALIST_SECTION", m.Section)
			more = append(more, field{"in " + section.value + " from " + string(m.From), "to " + cmp.Or(string(m.To), "today")})
		}
		add(personKind, string(x.Key), facts(*x, "region"), more...)
	}
	for _, c := range p.committees {
		add(committeeKind, string(c.Key), facts(*c, "section", "region"), ref("section", "SPECIALIST_SECTION", c.Section), ref("region", "REGION", c.Region))
		for _, x := range c.Posts {
			add(postKind, string(x.Key), facts(*x), field{"committee", string(c.Key)}, field{"position", strconv.Itoa(x.position)})
			for _, t := range x.Terms {
				add(termKind, string(t.Key), facts(*t), field{"post", string(x.Key)})
			}
		}
	}
	for _, x := range p.levels {
		add(levelKind, string(x.Level), facts(*x), field{"position", strconv.Itoa(x.position)})
	}
	for _, m := range p.menus {
		add(menuKind, m.handle, facts(*m))
		walkItems(m, func(i, parent *menuItem) {
			more := []field{{"menu", m.handle}, {"position", strconv.Itoa(i.position)}, {"page", string(i.entry)}}
			if parent != nil {
				more = append(more, field{"parent", string(parent.Key)})
			}
			if i.isCanonical {
				more = append(more, field{"canonical", "true"})
			}
			add(menuItemKind, string(i.Key), facts(*i, "page"), more...)
		})
	}
	for _, x := range p.redirects {
		to := string(x.To)
		if x.entry != "" {
			to = string(x.entry)
		}
		add(redirectKind, string(x.From), nil, field{"to", to})
	}
	for _, x := range p.gone {
		all = append(all, x.thing())
	}
	return all
}

func (g *gone) thing() *thing {
	return &thing{thingID: thingID{goneKind, string(g.Path)}, fields: facts(*g)}
}

// walkItems visits the items of a menu in reading order.
func walkItems(m *menu, visit func(i, parent *menuItem)) {
	var walk func(items []*menuItem, parent *menuItem)
	walk = func(items []*menuItem, parent *menuItem) {
		for _, i := range items {
			visit(i, parent)
			walk(i.Children, i)
		}
	}
	walk(m.Items, nil)
}

// facts returns what the tagged fields of a struct say, besides lists of structs
// and what is empty.
func facts(v any, without ...string) []field {
	var list []field
	for _, f := range fieldsOf(reflect.ValueOf(v)) {
		if slices.Contains(without, f.name) || f.name == "key" || f.value.IsZero() {
			continue
		}
		switch f.value.Kind() {
		case reflect.Struct:
			for _, inner := range facts(f.value.Interface()) {
				list = append(list, field{f.name + "." + inner.name, inner.value})
			}
		case reflect.Slice:
			if f.value.Type().Elem().Kind() == reflect.Pointer {
				continue
			}
			list = append(list, field{f.name, fmt.Sprintf("%q", f.value.Interface())})
		case reflect.Map: // fmt sorts the keys
			list = append(list, field{f.name, fmt.Sprintf("%q", f.value.Interface())})
		default:
			list = append(list, field{f.name, fmt.Sprint(f.value.Interface())})
		}
	}
	return list
}

// fact returns all that a block says.
func (b *block) fact() string {
	var s strings.Builder
	s.WriteString(b.kind + " ")
	out := json.NewEncoder(&s)
	out.SetEscapeHTML(false)
	if err := out.Encode(b.data); err != nil {
		panic("pack: a block cannot be written as JSON: " + err.Error())
	}
	for _, l := range b.links {
		fmt.Fprintf(&s, " → %s%s %q", l.entry, l.URL, string(l.Label))
	}
	fmt.Fprintf(&s, " %q", b.plain)
	return s.String()
}

// diff returns how the things of a pack differ from those that are there. What
// a pack is not the truth about is left out: people who are not in it, and gone
// paths, which stay gone.
func diff(have, want []*thing) []Change {
	old := make(map[thingID]*thing, len(have))
	for _, t := range have {
		old[t.thingID] = t
	}
	seen := make(map[thingID]bool, len(want))
	var changes []Change
	for _, t := range want {
		seen[t.thingID] = true
		before := old[t.thingID]
		switch {
		case before == nil:
			changes = append(changes, Change{Action: Created, Kind: t.kind, Key: t.key, Fields: compare(nil, t.fields)})
		default:
			if fields := compare(before.fields, t.fields); len(fields) > 0 {
				changes = append(changes, Change{Action: Changed, Kind: t.kind, Key: t.key, Fields: fields})
			}
		}
	}
	for _, t := range have {
		if !seen[t.thingID] && t.kind != personKind && t.kind != goneKind {
			changes = append(changes, Change{Action: Removed, Kind: t.kind, Key: t.key, Fields: compare(t.fields, nil)})
		}
	}
	slices.SortStableFunc(changes, func(a, b Change) int { return slices.Index(kinds, a.Kind) - slices.Index(kinds, b.Kind) })
	return changes
}

// compare returns the fields that differ, in the order in which they stand.
func compare(have, want []field) []FieldChange {
	value := func(fields []field, name string) string {
		for _, f := range fields {
			if f.name == name {
				return f.value
			}
		}
		return ""
	}
	var changes []FieldChange
	for _, f := range want {
		if before := value(have, f.name); before != f.value {
			changes = append(changes, FieldChange{Name: f.name, Old: before, New: f.value})
		}
	}
	for _, f := range have {
		if value(want, f.name) == "" {
			changes = append(changes, FieldChange{Name: f.name, Old: f.value})
		}
	}
	return changes
}
