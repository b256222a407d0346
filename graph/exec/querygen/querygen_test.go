package querygen_test

import (
	"encoding/json"
	"os"
	"strings"
	"testing"

	"github.com/vektah/gqlparser/v2"
	"github.com/vektah/gqlparser/v2/ast"
	"github.com/vektah/gqlparser/v2/parser"
	"github.com/vektah/gqlparser/v2/validator"
	"github.com/vektah/gqlparser/v2/validator/rules"

	"github.com/collegium/collegium/graph/exec/querygen"
)

func schema(t *testing.T) *ast.Schema {
	t.Helper()
	text, err := os.ReadFile("../internal/fixture/schema.graphqls")
	if err != nil {
		t.Fatal(err)
	}
	return gqlparser.MustLoadSchema(&ast.Source{Name: "schema.graphqls", Input: string(text) + `
		extend type Chapter { typename: Int! }
		extend type Query { pick(by: Pick!, tags: [[String!]]!): Shelf! }
		input Pick @oneOf { id: ID name: String genres: [Genre!] }`})
}

// TestValid states that every document is valid and every variable fits.
func TestValid(t *testing.T) {
	t.Parallel()
	s := schema(t)
	seen := map[string]bool{}
	for seed := range uint64(1000) {
		opts := querygen.Options{Values: map[string][]any{"Day": {"2020-02-29"}}, Fields: 10 + int(seed%100), Depth: 2 + int(seed%7)}
		if seed%7 == 0 {
			opts.Operation = ast.Mutation
		}
		query, vars := querygen.New(s, seed, opts).Document()
		doc, err := parser.ParseQuery(&ast.Source{Input: query})
		if err != nil {
			t.Fatalf("seed %d: %v\n%s", seed, err, query)
		}
		if errs := validator.ValidateWithRules(s, doc, rules.NewDefaultRules()); len(errs) > 0 {
			t.Fatalf("seed %d: %v\n%s", seed, errs, query)
		}
		text, err := json.Marshal(vars)
		if err != nil {
			t.Fatal(err)
		}
		var sent map[string]any
		d := json.NewDecoder(strings.NewReader(string(text)))
		d.UseNumber()
		if err := d.Decode(&sent); err != nil {
			t.Fatal(err)
		}
		if _, err := validator.VariableValues(s, doc.Operations[0], sent); err != nil {
			t.Fatalf("seed %d: %v\n%s\n%s", seed, err, query, text)
		}
		note(seen, doc)
	}
	for _, what := range []string{
		"alias", "merged field", "named fragment", "fragment used twice", "inline fragment", "fragment without a type", "on an object", "on an interface", "on a union",
		"skip", "include", "both", "directive variable", "list literal", "object literal", "enum literal", "null literal", "argument variable", "default of a variable",
	} {
		if !seen[what] {
			t.Errorf("no document has: %s", what)
		}
	}
}

// note collects what documents hold.
func note(seen map[string]bool, doc *ast.QueryDocument) {
	spreads := map[string]int{}
	var value func(v *ast.Value)
	value = func(v *ast.Value) {
		switch v.Kind {
		case ast.ListValue:
			seen["list literal"] = true
		case ast.ObjectValue:
			seen["object literal"] = true
		case ast.EnumValue:
			seen["enum literal"] = true
		case ast.NullValue:
			seen["null literal"] = true
		case ast.Variable:
			seen["argument variable"] = true
		}
		for _, c := range v.Children {
			value(c.Value)
		}
	}
	directives := func(list ast.DirectiveList) {
		for _, d := range list {
			seen[d.Name] = true
			seen["directive variable"] = seen["directive variable"] || d.Arguments[0].Value.Kind == ast.Variable
		}
		seen["both"] = seen["both"] || len(list) == 2
	}
	kind := func(d *ast.Definition) {
		switch d.Kind {
		case ast.Object:
			seen["on an object"] = true
		case ast.Interface:
			seen["on an interface"] = true
		case ast.Union:
			seen["on a union"] = true
		}
	}
	var walk func(set ast.SelectionSet)
	walk = func(set ast.SelectionSet) {
		keys := map[string]bool{}
		for _, sel := range set {
			switch sel := sel.(type) {
			case *ast.Field:
				seen["alias"] = seen["alias"] || sel.Alias != sel.Name
				seen["merged field"] = seen["merged field"] || keys[sel.Alias] && len(sel.SelectionSet) > 0
				keys[sel.Alias] = true
				directives(sel.Directives)
				for _, a := range sel.Arguments {
					value(a.Value)
				}
				walk(sel.SelectionSet)
			case *ast.InlineFragment:
				seen["inline fragment"] = true
				seen["fragment without a type"] = seen["fragment without a type"] || sel.TypeCondition == ""
				directives(sel.Directives)
				kind(sel.ObjectDefinition)
				walk(sel.SelectionSet)
			case *ast.FragmentSpread:
				seen["named fragment"] = true
				spreads[sel.Name]++
				seen["fragment used twice"] = seen["fragment used twice"] || spreads[sel.Name] == 2
				directives(sel.Directives)
			}
		}
	}
	for _, op := range doc.Operations {
		for _, v := range op.VariableDefinitions {
			seen["default of a variable"] = seen["default of a variable"] || v.DefaultValue != nil
		}
		walk(op.SelectionSet)
	}
	for _, f := range doc.Fragments {
		walk(f.SelectionSet)
	}
}

// TestSame states that a seed makes the same documents each time.
func TestSame(t *testing.T) {
	t.Parallel()
	for seed := range uint64(50) {
		a, b := querygen.New(schema(t), seed, querygen.Options{}), querygen.New(schema(t), seed, querygen.Options{})
		for range 3 {
			query, _ := a.Document()
			if again, _ := b.Document(); query != again {
				t.Fatalf("seed %d makes\n%s\nand then\n%s", seed, query, again)
			}
		}
	}
}
