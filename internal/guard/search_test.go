package guard

import (
	"bytes"
	"fmt"
	"maps"
	"math/rand/v2"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/vektah/gqlparser/v2/ast"
	"github.com/vektah/gqlparser/v2/formatter"
	"github.com/vektah/gqlparser/v2/parser"
	"github.com/vektah/gqlparser/v2/validator"
)

const (
	mostBytes = 8 << 20              // that an accepted document may allocate
	mostTime  = 5 * time.Millisecond // that it should take: reported, never asserted
)

// process does what a server does with a document before it runs it.
func process(g *Guard, schema *ast.Schema, document string) (*ast.QueryDocument, error) {
	doc, err := g.Parse(document)
	if err != nil {
		return nil, err
	}
	if _, err := g.Check(doc, "", nil); err != nil {
		return nil, err
	}
	_ = validator.ValidateWithRules(schema, doc, Rules())
	return doc, nil
}

// spent is what a document takes to process.
type spent struct {
	document string
	bytes    int
	time     time.Duration // of CPU, collection of garbage included
}

// spend processes a document a number of times, and takes the shortest; it reports false if it is refused.
func spend(g *Guard, schema *ast.Schema, document string, times int) (spent, bool) {
	s := spent{document: document, time: time.Hour}
	for range times {
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		start := cpuTime()
		_, err := process(g, schema, document)
		s.time = min(s.time, cpuTime()-start)
		runtime.ReadMemStats(&after)
		if err != nil {
			return s, false
		}
		s.bytes = int(after.TotalAlloc - before.TotalAlloc)
	}
	return s, true
}

// TestDearestAcceptedDocument looks for the document that allocates most, and for the one that takes
// longest, among those that the guard accepts: it begins with the largest accepted document of
// every known shape, and changes those at random, keeping what is dearer. It takes a second or two, or as long as GUARD_SEARCH
// says ("5m"), and then writes what it found to testdata/dearest. GUARD_SEED repeats a search.
func TestDearestAcceptedDocument(t *testing.T) {
	limit, update := 1500*time.Millisecond, false
	if s := os.Getenv("GUARD_SEARCH"); s != "" {
		d, err := time.ParseDuration(s)
		if err != nil {
			t.Fatalf("GUARD_SEARCH: %v", err)
		}
		limit, update = d, true
	}
	seed := uint64(time.Now().UnixNano())
	if s := os.Getenv("GUARD_SEED"); s != "" {
		n, err := strconv.ParseUint(s, 10, 64)
		if err != nil {
			t.Fatalf("GUARD_SEED: %v", err)
		}
		seed = n
	}
	schemas := map[string]*ast.Schema{"fixture": fixture(t), "graph": graph(t)}
	for _, name := range []string{"fixture", "graph"} {
		s := newSearch(t, schemas[name], seed)
		for _, document := range corpus(t) {
			s.try(document)
		}
		deadline := time.Now().Add(limit / 2)
		for time.Now().Before(deadline) {
			s.step()
		}
		for i, found := range s.population { // measured better, now that they are few
			s.population[i], _ = spend(s.guard, s.schema, found.document, 5)
			examine(t, s.guard, s.schema, found.document)
		}
		dearest, slowest := s.best(func(a spent) int { return a.bytes }), s.best(func(a spent) int { return int(a.time) })
		t.Logf("%s: seed %d, %d documents tried, %d accepted", name, seed, s.tried, s.accepted)
		t.Logf("%s: most memory %d kB (%d kB allowed), in %v: %s", name, dearest.bytes>>10, mostBytes>>10, dearest.time, excerpt(dearest.document))
		t.Logf("%s: most time %v (%v is the goal): %s", name, slowest.time, mostTime, excerpt(slowest.document))
		if dearest.bytes > mostBytes {
			t.Errorf("%s: an accepted document allocates %d kB, more than %d:\n%.2000s", name, dearest.bytes>>10, mostBytes>>10, dearest.document)
		}
		if update {
			for kind, found := range map[string]spent{"memory": dearest, "time": slowest} {
				file := filepath.Join("testdata", "dearest", name+"-"+kind+".graphql")
				if err := os.WriteFile(file, []byte(found.document), 0o644); err != nil {
					t.Fatal(err)
				}
			}
		}
	}
}

func excerpt(document string) string {
	return fmt.Sprintf("%d bytes, %.80s", len(document), strings.Join(strings.Fields(document), " "))
}

// corpus returns the dearest documents that searches have found.
func corpus(t testing.TB) map[string]string {
	t.Helper()
	files, err := filepath.Glob("testdata/dearest/*.graphql")
	if err != nil {
		t.Fatal(err)
	}
	all := map[string]string{}
	for _, f := range files {
		text, err := os.ReadFile(f)
		if err != nil {
			t.Fatal(err)
		}
		all[strings.TrimSuffix(filepath.Base(f), ".graphql")] = string(text)
	}
	return all
}

// search is a population of accepted documents.
type search struct {
	guard           *Guard
	schema          *ast.Schema
	random          *rand.Rand
	types           []string
	population      []spent
	tried, accepted int
}

// most is the size of a population.
const most = 24

func newSearch(t testing.TB, schema *ast.Schema, seed uint64) *search {
	s := &search{guard: newGuard(t, schema), schema: schema, random: rand.New(rand.NewPCG(seed, 1))}
	s.types = slices.Sorted(maps.Keys(schema.Types))
	accept := func(document string) bool {
		_, err := judge(s.guard, document)
		return err == nil
	}
	for _, name := range slices.Sorted(maps.Keys(shapes)) {
		document := largest(shapes[name], accept)
		if document == "" {
			t.Errorf("no document of shape %q is accepted", name)
			continue
		}
		s.try(document)
	}
	return s
}

// try puts a document into the population if it is accepted and among the dearest by memory or time.
func (s *search) try(document string) {
	s.tried++
	found, ok := spend(s.guard, s.schema, document, 2)
	if !ok {
		return
	}
	s.accepted++
	s.population = append(s.population, found)
	if len(s.population) <= most {
		return
	}
	// The least dear goes: of the half that is kept for its memory, or of that for its time.
	slices.SortFunc(s.population, func(a, b spent) int { return b.bytes - a.bytes })
	rest := s.population[most/2:]
	slices.SortFunc(rest, func(a, b spent) int { return int(b.time - a.time) })
	s.population = s.population[:most]
}

func (s *search) best(by func(spent) int) spent {
	return slices.MaxFunc(s.population, func(a, b spent) int { return by(a) - by(b) })
}

// step changes one document of the population in one to four ways.
func (s *search) step() {
	parent := s.population[s.random.IntN(len(s.population))]
	doc, err := parser.ParseQuery(&ast.Source{Input: parent.document})
	if err != nil {
		return
	}
	validator.Walk(s.schema, doc, &validator.Events{}) // finds the types
	for range 1 + s.random.IntN(4) {
		if s.mutate(doc); s.size(doc) > s.guard.limits.Tokens {
			return
		}
	}
	var text bytes.Buffer
	formatter.NewFormatter(&text, formatter.WithIndent("")).FormatQueryDocument(doc)
	s.try(text.String())
}

// place is a selection set that can be changed, and the type it is on, if it is known.
type place struct {
	set  *ast.SelectionSet
	of   *ast.Definition
	name string // of the fragment or the operation it is in
}

func (s *search) places(doc *ast.QueryDocument) (all []place) {
	var walk func(p place)
	walk = func(p place) {
		all = append(all, p)
		for _, x := range *p.set {
			switch x := x.(type) {
			case *ast.Field:
				var of *ast.Definition
				if x.Definition != nil {
					of = s.schema.Types[x.Definition.Type.Name()]
				}
				if len(x.SelectionSet) > 0 {
					walk(place{&x.SelectionSet, of, p.name})
				}
			case *ast.InlineFragment:
				of := p.of
				if x.TypeCondition != "" {
					of = s.schema.Types[x.TypeCondition]
				}
				walk(place{&x.SelectionSet, of, p.name})
			}
		}
	}
	for _, o := range doc.Operations {
		walk(place{&o.SelectionSet, s.schema.Query, o.Name})
	}
	for _, f := range doc.Fragments {
		walk(place{&f.SelectionSet, s.schema.Types[f.TypeCondition], f.Name})
	}
	return all
}

// mutate changes doc in one way.
func (s *search) mutate(doc *ast.QueryDocument) {
	r := s.random
	all := s.places(doc)
	if len(all) == 0 {
		return
	}
	p := all[r.IntN(len(all))]
	set := p.set
	if len(*set) == 0 {
		return
	}
	at := r.IntN(len(*set))
	few := 1 + r.IntN(1<<r.IntN(8))
	switch r.IntN(14) {
	case 0, 1: // repeat a selection
		for range few {
			*set = slices.Insert(slices.Clone(*set), at, (*set)[at])
		}
	case 2, 3: // take some away
		if n := len(*set); n > 1 {
			*set = slices.Delete(slices.Clone(*set), at, min(n, at+few))
			if len(*set) == 0 {
				*set = ast.SelectionSet{&ast.Field{Name: "id", Alias: "id"}}
			}
		}
	case 4, 5: // ask for more
		for range few {
			*set = append(slices.Clone(*set), s.field(p.of, 2))
		}
	case 6: // put an inline fragment around
		f := &ast.InlineFragment{SelectionSet: *set}
		if r.IntN(2) == 0 {
			f.TypeCondition = s.types[r.IntN(len(s.types))]
		}
		*set = ast.SelectionSet{f}
	case 7: // put a part into an inline fragment
		end := min(len(*set), at+few)
		f := &ast.InlineFragment{SelectionSet: slices.Clone((*set)[at:end])}
		*set = slices.Concat((*set)[:at], ast.SelectionSet{f}, (*set)[end:])
	case 8: // make a fragment of it
		name := fmt.Sprintf("x%d", r.IntN(1e6))
		of := s.types[r.IntN(len(s.types))]
		if p.of != nil {
			of = p.of.Name
		}
		doc.Fragments = append(doc.Fragments, &ast.FragmentDefinition{Name: name, TypeCondition: of, SelectionSet: *set})
		*set = ast.SelectionSet{&ast.FragmentSpread{Name: name}}
	case 9: // spread a fragment
		if n := len(doc.Fragments); n > 0 {
			for range few {
				*set = append(slices.Clone(*set), &ast.FragmentSpread{Name: doc.Fragments[r.IntN(n)].Name})
			}
		}
	case 10: // another operation that asks the same
		if o := doc.Operations[r.IntN(len(doc.Operations))]; p.of == s.schema.Query {
			if o.Name == "" {
				o.Name = "x"
			}
			doc.Operations = append(doc.Operations, &ast.OperationDefinition{Operation: ast.Query, Name: fmt.Sprintf("x%d", r.IntN(1e6)), SelectionSet: *set})
		}
	case 11: // an argument
		if f, ok := (*set)[at].(*ast.Field); ok {
			f.Arguments = append(slices.Clone(f.Arguments), &ast.Argument{Name: s.argument(f), Value: s.value(3)})
		}
	case 12: // an alias, or a directive
		if f, ok := (*set)[at].(*ast.Field); ok {
			if r.IntN(2) == 0 {
				f.Alias = "a" + strconv.Itoa(r.IntN(3))
			} else {
				f.Directives = append(slices.Clone(f.Directives), &ast.Directive{Name: []string{"skip", "nope"}[r.IntN(2)], Arguments: ast.ArgumentList{{Name: "if", Value: s.value(1)}}})
			}
		}
	case 13: // a set of another document
		other, err := parser.ParseQuery(&ast.Source{Input: s.population[r.IntN(len(s.population))].document})
		if err != nil {
			return
		}
		from := s.places(other)
		*set = *from[r.IntN(len(from))].set
		doc.Fragments = append(doc.Fragments, other.Fragments...)
	}
}

// size counts the selections of doc, up to some number that no accepted document has.
func (s *search) size(doc *ast.QueryDocument) int {
	n := 0
	var walk func(set ast.SelectionSet)
	walk = func(set ast.SelectionSet) {
		for _, x := range set {
			if n++; n > 2*s.guard.limits.Tokens {
				return
			}
			switch x := x.(type) {
			case *ast.Field:
				walk(x.SelectionSet)
			case *ast.InlineFragment:
				walk(x.SelectionSet)
			}
		}
	}
	for _, o := range doc.Operations {
		walk(o.SelectionSet)
	}
	for _, f := range doc.Fragments {
		walk(f.SelectionSet)
	}
	return n
}

// field returns a field of an object of type of, or one that doesn't exist.
func (s *search) field(of *ast.Definition, depth int) *ast.Field {
	r := s.random
	if of == nil || len(of.Fields) == 0 || r.IntN(4) == 0 {
		name := strings.Repeat("n", 1+r.IntN(1<<r.IntN(7))) + strconv.Itoa(r.IntN(1000))
		return &ast.Field{Name: name, Alias: name}
	}
	def := of.Fields[r.IntN(len(of.Fields))]
	f := &ast.Field{Name: def.Name, Alias: def.Name}
	if next := s.schema.Types[def.Type.Name()]; next != nil && next.IsCompositeType() && depth > 0 {
		for range 1 + r.IntN(4) {
			f.SelectionSet = append(f.SelectionSet, s.field(next, depth-1))
		}
	}
	return f
}

func (s *search) argument(f *ast.Field) string {
	if f.Definition != nil && len(f.Definition.Arguments) > 0 {
		return f.Definition.Arguments[s.random.IntN(len(f.Definition.Arguments))].Name
	}
	return "a"
}

func (s *search) value(depth int) *ast.Value {
	r := s.random
	kind := r.IntN(6)
	if depth == 0 {
		kind = r.IntN(4)
	}
	switch kind {
	case 0:
		return &ast.Value{Kind: ast.IntValue, Raw: strconv.Itoa(r.IntN(20))}
	case 1:
		return &ast.Value{Kind: ast.StringValue, Raw: strings.Repeat("x", r.IntN(1<<r.IntN(12)))}
	case 2:
		return &ast.Value{Kind: ast.EnumValue, Raw: "NAME"}
	case 3:
		return &ast.Value{Kind: ast.Variable, Raw: "v" + strconv.Itoa(r.IntN(3))}
	}
	v := &ast.Value{Kind: ast.ListValue}
	if kind == 5 {
		v.Kind = ast.ObjectValue
	}
	for i := range r.IntN(1 << r.IntN(6)) {
		c := &ast.ChildValue{Value: s.value(depth - 1)}
		if kind == 5 {
			c.Name = []string{"text", "any", "not", "a" + strconv.Itoa(i)}[r.IntN(4)]
		}
		v.Children = append(v.Children, c)
	}
	return v
}
