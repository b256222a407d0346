package pack

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"
)

// Action is what an import does to a thing.
type Action string

// What an import does to things that it does not leave as they are.
const (
	Created Action = "CREATED"
	Changed Action = "CHANGED"
	Removed Action = "REMOVED"
)

// FieldChange is one fact that an import changes. An empty text stands for none.
type FieldChange struct {
	Name     string
	Old, New string
}

// Change is what an import does to one thing.
type Change struct {
	Action Action
	// Kind is a word for people, as "menu item".
	Kind string
	// Key is the key of the thing: of an entry, item, committee, post or term its
	// own, of a person that of the pack, of a menu the handle, of a unit that of
	// its page, of a redirect or gone path the path.
	Key string
	// Fields are the facts that differ; all of them for what is created or removed.
	Fields []FieldChange
}

// Count says how many things of one kind an import created, changed, removed
// and left as they were.
type Count struct {
	Kind                                 string
	Created, Changed, Removed, Unchanged int
}

// Report says what an import did, or with DryRun would have done.
type Report struct {
	// Name is the name of the pack.
	Name   string
	DryRun bool
	// Changes are by kind, then in the order of the pack.
	Changes []Change
	// Counts are by kind; a kind of which there is nothing is left out.
	Counts []Count
	// Warnings are what may be wrong with the pack, at most 50.
	Warnings []Problem
}

// newReport counts the changes against what the pack holds.
func newReport(p *Pack, want []*thing, changes []Change, dryRun bool) *Report {
	r := &Report{Name: p.name, DryRun: dryRun, Changes: changes, Warnings: p.warnings}
	counts := make(map[string]*Count, len(kinds))
	for _, k := range kinds {
		counts[k] = &Count{Kind: k}
	}
	for _, t := range want {
		counts[t.kind].Unchanged++
	}
	for _, c := range changes {
		n := counts[c.Kind]
		switch c.Action {
		case Created:
			n.Created++
			n.Unchanged--
		case Changed:
			n.Changed++
			n.Unchanged--
		case Removed:
			n.Removed++
		}
	}
	for _, k := range kinds {
		if n := counts[k]; *n != (Count{Kind: k}) {
			r.Counts = append(r.Counts, *n)
		}
	}
	return r
}

// Changed says whether the import changed anything, or would.
func (r *Report) Changed() bool { return len(r.Changes) > 0 }

// String returns the report for people: the warnings, a line for each thing that
// differs and for each of its facts, as in a diff, and the counts.
func (r *Report) String() string {
	var b strings.Builder
	for _, w := range r.Warnings {
		fmt.Fprintf(&b, "warning: %s\n", w)
	}
	b.WriteString(r.changes())
	name := "the pack"
	if r.Name != "" {
		name = strconv.Quote(r.Name)
	}
	if !r.Changed() {
		fmt.Fprintf(&b, "%s changes nothing: the database says the same", name)
		return b.String()
	}
	would := "Imported"
	if r.DryRun {
		would = "This would import"
	}
	fmt.Fprintf(&b, "%s %s:\n%-14s %8s %8s %8s %10s", would, name, "", "created", "changed", "removed", "unchanged")
	for _, n := range r.Counts {
		fmt.Fprintf(&b, "\n%-14s %8d %8d %8d %10d", n.Kind, n.Created, n.Changed, n.Removed, n.Unchanged)
	}
	return b.String()
}

// changes returns a line for each thing that differs and for each of its facts.
func (r *Report) changes() string {
	var b strings.Builder
	for _, c := range r.Changes {
		switch c.Action {
		case Created:
			fmt.Fprintf(&b, "+ %s %s%s\n", c.Kind, c.Key, c.called(func(f FieldChange) string { return f.New }))
		case Removed:
			fmt.Fprintf(&b, "- %s %s%s\n", c.Kind, c.Key, c.called(func(f FieldChange) string { return f.Old }))
		case Changed:
			fmt.Fprintf(&b, "~ %s %s\n", c.Kind, c.Key)
			for _, f := range c.Fields {
				before, after := around(f.Old, f.New)
				fmt.Fprintf(&b, "    %s: %s → %s\n", f.Name, before, after)
			}
		}
	}
	return b.String()
}

// called returns what people call the thing.
func (c *Change) called(value func(FieldChange) string) string {
	for _, name := range []string{"title", "label", "name", "displayName", "to"} {
		if i := slices.IndexFunc(c.Fields, func(f FieldChange) bool { return f.Name == name }); i >= 0 {
			return fmt.Sprintf(" %s", shown(value(c.Fields[i])))
		}
	}
	return ""
}

// maxShown is how many characters of a fact a report shows.
const maxShown = 60

// shown returns a text in quotes, cut where it is long; "none" if there is none.
func shown(s string) string {
	if s == "" {
		return "none"
	}
	if utf8.RuneCountInString(s) <= maxShown {
		return strconv.Quote(s)
	}
	return strconv.Quote(string([]rune(s)[:maxShown-1]) + "…")
}

// around shows two texts from a little before where they begin to differ.
func around(before, after string) (string, string) {
	a, b := []rune(before), []rune(after)
	same := 0
	for same < len(a) && same < len(b) && a[same] == b[same] {
		same++
	}
	const lead = 20
	if same <= lead || len(a) <= maxShown && len(b) <= maxShown {
		return shown(before), shown(after)
	}
	return shown("…" + string(a[same-lead:])), shown("…" + string(b[same-lead:]))
}
