package graph_test

import (
	"flag"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/vektah/gqlparser/v2"
	"github.com/vektah/gqlparser/v2/ast"

	"github.com/collegium/collegium/graph"
)

var update = flag.Bool("update", false, "write the golden files anew")

const (
	goldenSchema    = "testdata/schema.graphql"
	breakingChanges = "testdata/breaking-changes.txt"
)

func parseSchema(t *testing.T, name, sdl string) *ast.Schema {
	t.Helper()
	schema, err := gqlparser.LoadSchema(&ast.Source{Name: name, Input: sdl})
	if err != nil {
		t.Fatal(err)
	}
	return schema
}

// TestEverythingIsDescribed asserts that a client developer finds a description
// of every type, field, argument and enum value.
func TestEverythingIsDescribed(t *testing.T) {
	t.Parallel()
	schema := parseSchema(t, "schema", graph.SDL())
	for _, def := range schema.Types {
		if def.BuiltIn {
			continue
		}
		want := func(description, name string) {
			if strings.TrimSpace(description) == "" {
				t.Errorf("%s has no description", name)
			}
		}
		want(def.Description, def.Name)
		for _, v := range def.EnumValues {
			want(v.Description, def.Name+"."+v.Name)
		}
		for _, f := range def.Fields {
			if strings.HasPrefix(f.Name, "__") {
				continue
			}
			want(f.Description, def.Name+"."+f.Name)
			for _, a := range f.Arguments {
				want(a.Description, def.Name+"."+f.Name+"("+a.Name+")")
			}
		}
	}
	for _, d := range schema.Directives {
		if d.Position.Src.BuiltIn {
			continue
		}
		if d.Description == "" {
			t.Errorf("@%s has no description", d.Name)
		}
		for _, a := range d.Arguments {
			if a.Description == "" {
				t.Errorf("@%s(%s) has no description", d.Name, a.Name)
			}
		}
	}
}

// TestSchemaIsTheContract asserts that the schema is the one in the repository,
// so that a change of the contract shows in review, and that a change which breaks
// clients is written down.
func TestSchemaIsTheContract(t *testing.T) {
	t.Parallel()
	current := graph.SDL()
	was, err := os.ReadFile(goldenSchema)
	if err != nil {
		if !*update {
			t.Fatalf("%v; run go test ./graph -run TestSchemaIsTheContract -update", err)
		}
		was = []byte(current)
	}
	written, err := os.ReadFile(breakingChanges)
	if err != nil {
		t.Fatal(err)
	}
	allowed := strings.Split(string(written), "\n")
	for _, change := range breaking(parseSchema(t, "was", string(was)), parseSchema(t, "is", current)) {
		if !slices.Contains(allowed, change) {
			t.Errorf("this change breaks clients: %s\nDeprecate first; if it must be, add the line to graph/%s", change, breakingChanges)
		}
	}
	if t.Failed() {
		return
	}
	if *update {
		if err := os.WriteFile(goldenSchema, []byte(current), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	if diff := cmp.Diff(string(was), current); diff != "" {
		t.Errorf("the schema differs from graph/%s; look at the difference, then run go test ./graph -run TestSchemaIsTheContract -update (-want +got)\n%s", goldenSchema, diff)
	}
}

// breaking lists the changes from one schema to another that break a client
// which was right before.
func breaking(was, is *ast.Schema) []string {
	var out []string
	add := func(parts ...string) { out = append(out, strings.Join(parts, "")) }
	for name, w := range was.Types {
		if w.BuiltIn {
			continue
		}
		i := is.Types[name]
		switch {
		case i == nil:
			add("type ", name, " is gone")
			continue
		case i.Kind != w.Kind:
			add("type ", name, " was ", string(w.Kind), " and is ", string(i.Kind))
			continue
		}
		for _, v := range w.EnumValues {
			if i.EnumValues.ForName(v.Name) == nil {
				add("value ", name, ".", v.Name, " is gone")
			}
		}
		for _, member := range w.Types {
			if !slices.Contains(i.Types, member) {
				add(name, " can no longer be ", member)
			}
		}
		for _, iface := range w.Interfaces {
			if !slices.Contains(i.Interfaces, iface) {
				add(name, " no longer implements ", iface)
			}
		}
		input := w.Kind == ast.InputObject
		for _, wf := range w.Fields {
			f := i.Fields.ForName(wf.Name)
			at := name + "." + wf.Name
			if f == nil {
				add("field ", at, " is gone")
				continue
			}
			if input && !acceptsAll(f.Type, wf.Type) || !input && !promisesAll(f.Type, wf.Type) {
				add("field ", at, " was ", wf.Type.String(), " and is ", f.Type.String())
			}
			for _, wa := range wf.Arguments {
				a := f.Arguments.ForName(wa.Name)
				switch {
				case a == nil:
					add("argument ", at, "(", wa.Name, ") is gone")
				case !acceptsAll(a.Type, wa.Type):
					add("argument ", at, "(", wa.Name, ") was ", wa.Type.String(), " and is ", a.Type.String())
				case wa.DefaultValue.String() != a.DefaultValue.String():
					add("argument ", at, "(", wa.Name, ") had the default ", wa.DefaultValue.String(), " and has ", a.DefaultValue.String())
				}
			}
			for _, a := range f.Arguments {
				if wf.Arguments.ForName(a.Name) == nil && a.Type.NonNull && a.DefaultValue == nil {
					add("argument ", at, "(", a.Name, ") is new and required")
				}
			}
		}
		if input {
			for _, f := range i.Fields {
				if w.Fields.ForName(f.Name) == nil && f.Type.NonNull && f.DefaultValue == nil {
					add("field ", name, ".", f.Name, " is new and required")
				}
			}
		}
	}
	slices.Sort(out)
	return out
}

// promisesAll says whether every value of the type is one of the type before it.
func promisesAll(is, was *ast.Type) bool {
	if was.NonNull && !is.NonNull || (is.Elem == nil) != (was.Elem == nil) {
		return false
	}
	if is.Elem != nil {
		return promisesAll(is.Elem, was.Elem)
	}
	return is.NamedType == was.NamedType
}

// acceptsAll says whether the type takes every value that the type before it took.
func acceptsAll(is, was *ast.Type) bool { return promisesAll(was, is) }

// TestOneQueryForAllTypes asserts that what can be one of several types can be
// asked in one selection without aliases: a field that two of them have has the
// same type in both.
func TestOneQueryForAllTypes(t *testing.T) {
	t.Parallel()
	schema := parseSchema(t, "schema", graph.SDL())
	// Of a case study there always is a headline, and of a member maybe.
	known := []string{"headline: CaseStudy String!, Member String"}
	for _, def := range schema.Types {
		if !def.IsAbstractType() {
			continue
		}
		first := map[string]string{}
		types := map[string]string{}
		for _, possible := range schema.GetPossibleTypes(def) {
			for _, f := range possible.Fields {
				if strings.HasPrefix(f.Name, "__") {
					continue
				}
				is := f.Type.String()
				if schema.Types[f.Type.Name()].IsCompositeType() {
					// Objects of different types merge if they are nested alike.
					is = strings.ReplaceAll(is, f.Type.Name(), "an object")
				}
				was, ok := types[f.Name]
				if !ok {
					types[f.Name], first[f.Name] = is, possible.Name
				} else if clash := f.Name + ": " + first[f.Name] + " " + was + ", " + possible.Name + " " + is; was != is && !slices.Contains(known, clash) {
					t.Errorf("%s: %s", def.Name, clash)
				}
			}
		}
	}
}

func TestBreaking(t *testing.T) {
	t.Parallel()
	const base = `
		type Query { a(x: Int, y: Int = 1): String! b: [E!] u: U }
		enum E { ONE TWO }
		type A { s: String } type B { s: String }
		union U = A | B
		input I { p: Int q: Int }
	`
	tests := map[string]struct {
		is   string
		want []string
	}{
		"the same":                   {base, nil},
		"more":                       {strings.ReplaceAll(base, "b: [E!]", "b: [E!] c(z: Int): Int"), nil},
		"a promise more":             {strings.ReplaceAll(base, "b: [E!]", "b: [E!]!"), nil},
		"a promise less":             {strings.ReplaceAll(base, "): String!", "): String"), []string{"field Query.a was String! and is String"}},
		"a field gone":               {strings.ReplaceAll(base, "b: [E!]", ""), []string{"field Query.b is gone"}},
		"an argument gone":           {strings.ReplaceAll(base, "x: Int, ", ""), []string{"argument Query.a(x) is gone"}},
		"an argument required":       {strings.ReplaceAll(base, "x: Int,", "x: Int!,"), []string{"argument Query.a(x) was Int and is Int!"}},
		"a new required argument":    {strings.ReplaceAll(base, "x: Int,", "x: Int, z: Int!,"), []string{"argument Query.a(z) is new and required"}},
		"another default":            {strings.ReplaceAll(base, "= 1", "= 2"), []string{"argument Query.a(y) had the default 1 and has 2"}},
		"an enum value gone":         {strings.ReplaceAll(base, "ONE TWO", "ONE"), []string{"value E.TWO is gone"}},
		"a member gone":              {strings.ReplaceAll(base, "A | B", "A"), []string{"U can no longer be B"}},
		"a type gone":                {strings.ReplaceAll(base, "input I { p: Int q: Int }", ""), []string{"type I is gone"}},
		"an input field required":    {strings.ReplaceAll(base, "q: Int }", "q: Int! }"), []string{"field I.q was Int and is Int!"}},
		"a new required input field": {strings.ReplaceAll(base, "q: Int }", "q: Int r: Int! }"), []string{"field I.r is new and required"}},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			got := breaking(parseSchema(t, "was", base), parseSchema(t, "is", tt.is))
			if diff := cmp.Diff(tt.want, got); diff != "" {
				t.Errorf("breaking changes (-want +got)\n%s", diff)
			}
		})
	}
}
