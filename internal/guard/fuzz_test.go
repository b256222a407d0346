package guard

import (
	"os"
	"reflect"
	"testing"

	"github.com/vektah/gqlparser/v2/ast"
	"github.com/vektah/gqlparser/v2/lexer"
	"github.com/vektah/gqlparser/v2/parser"
	"github.com/vektah/gqlparser/v2/validator"
)

// seeds adds documents of every kind to a fuzz target.
func seeds(f *testing.F) {
	f.Helper()
	f.Add("")
	f.Add(wholeMenu)
	f.Add("query a($n:Int=3 @b)@c{...f@skip(if:true)} fragment f on Query{members(first:$n){nodes{id:displayName}}}")
	f.Add("{...f} fragment f on Query{...g} fragment g on Query{...f}")
	f.Add(`{a(b:[{c:"\u0041",d:"""e"""},1.5e3,null,F])} # g`)
	text, err := os.ReadFile("testdata/introspection.graphql")
	if err != nil {
		f.Fatal(err)
	}
	f.Add(string(text))
	for _, shape := range shapes {
		f.Add(shape(1))
		f.Add(shape(3))
	}
	for _, document := range corpus(f) {
		f.Add(document)
	}
}

// Parse never panics, and what it accepts is within the limits.
func FuzzParse(f *testing.F) {
	seeds(f)
	g := newGuard(f, fixture(f))
	l := g.Limits()
	f.Fuzz(func(t *testing.T, document string) {
		doc, err := g.Parse(document)
		if err != nil {
			limitOf(t, err)
			if doc != nil {
				t.Error("a document with an error")
			}
			return
		}
		if len(document) > l.Bytes {
			t.Errorf("%d bytes", len(document))
		}
		tokens, open := 0, 0
		lex := lexer.New(&ast.Source{Input: document})
		for {
			tok, err := lex.ReadToken()
			if err != nil {
				t.Fatalf("accepted, though the lexer says %v", err)
			}
			if tok.Kind == lexer.EOF {
				break
			}
			tokens++
			switch tok.Kind {
			case lexer.BraceL, lexer.BracketL, lexer.ParenL:
				open++
			case lexer.BraceR, lexer.BracketR, lexer.ParenR:
				open--
			}
			if open > l.Nesting || tokens > l.Tokens || tok.Kind == lexer.Name && len(tok.Value) > l.NameBytes {
				t.Fatalf("token %d %v, %d deep", tokens, tok, open)
			}
		}
	})
}

// Check never panics, not even on what Parse would refuse; what it accepts is within the limits, as a plain recount
// finds; it gives the same price each time; and the validator takes what it accepts without panic.
func FuzzCheck(f *testing.F) {
	seeds(f)
	schema := fixture(f)
	g := newGuard(f, schema)
	f.Fuzz(func(t *testing.T, document string) { examine(t, g, schema, document) })
}

// examine checks a document and, if it is accepted, everything that then has to hold.
func examine(t testing.TB, g *Guard, schema *ast.Schema, document string) {
	t.Helper()
	l := g.Limits()
	doc, err := parser.ParseQueryWithTokenLimit(&ast.Source{Input: document}, 20_000)
	if err != nil {
		return
	}
	operation := ""
	if len(doc.Operations) > 0 {
		operation = doc.Operations[len(doc.Operations)-1].Name
	}
	variables := map[string]any{"n": len(document), "v0": []any{document}}
	price, err := g.Check(doc, operation, variables)
	if err != nil {
		limitOf(t, err)
		return
	}
	again, err := g.Check(doc, operation, variables)
	if err != nil || !reflect.DeepEqual(again, price) {
		t.Errorf("first %+v, then %+v %v", price, again, err)
	}
	alone, err := g.Price(doc, operation, variables)
	if err != nil || alone.Cost != price.Cost || alone.Depth != price.Depth || alone.Selections != price.Selections || alone.Work > price.Work {
		t.Errorf("checked %+v, priced %+v %v", price, alone, err)
	}
	pairs := 0
	for _, o := range doc.Operations {
		n := recount(doc, o.SelectionSet)
		if n.depth > l.Depth || n.aliases > l.Aliases || n.roots > l.Roots || n.selections > l.Selections {
			t.Errorf("accepted %+v of %s", n, document)
		}
		if o == doc.Operations.ForName(operation) && (n.depth != price.Depth || n.aliases != price.Aliases || n.roots != price.Roots || n.selections != price.Selections) {
			t.Errorf("got %+v, recount gives %+v of %s", price, n, document)
		}
		pairs += n.pairs
	}
	for _, fragment := range doc.Fragments {
		pairs += recount(doc, fragment.SelectionSet).pairs
	}
	if pairs != price.Pairs || pairs > l.Pairs || price.Work > l.Work {
		t.Errorf("%+v, recount finds %d pairs in %s", price, pairs, document)
	}
	if doc, err := g.Parse(document); err == nil {
		validator.ValidateWithRules(schema, doc, Rules())
		if n := visits(schema, doc); n*workVisit > price.Work {
			t.Errorf("the validator visits %d nodes, more than %d steps of work allow, in %s", n, price.Work, document)
		}
	}
}

// visits returns how many nodes the validator calls its rules for.
func visits(schema *ast.Schema, doc *ast.QueryDocument) (n int) {
	events := &validator.Events{}
	events.OnField(func(*validator.Walker, *ast.Field) { n++ })
	events.OnInlineFragment(func(*validator.Walker, *ast.InlineFragment) { n++ })
	events.OnFragmentSpread(func(*validator.Walker, *ast.FragmentSpread) { n++ })
	events.OnDirective(func(*validator.Walker, *ast.Directive) { n++ })
	events.OnValue(func(*validator.Walker, *ast.Value) { n++ })
	validator.Walk(schema, doc, events)
	return n
}

// counts are those of an operation, counted without regard to time.
type counts struct{ depth, aliases, roots, selections, pairs int }

func recount(doc *ast.QueryDocument, set ast.SelectionSet) counts {
	var n counts
	var walk func(set ast.SelectionSet, depth int)
	walk = func(set ast.SelectionSet, depth int) {
		for _, s := range set {
			n.selections++
			switch s := s.(type) {
			case *ast.Field:
				n.depth = max(n.depth, depth+1)
				if depth == 0 {
					n.roots++
				}
				if s.Alias != s.Name {
					n.aliases++
				}
				walk(s.SelectionSet, depth+1)
			case *ast.InlineFragment:
				walk(s.SelectionSet, depth)
			case *ast.FragmentSpread:
				if f := doc.Fragments.ForName(s.Name); f != nil {
					walk(f.SelectionSet, depth)
				}
			}
		}
	}
	walk(set, 0)

	var merge func(sets []ast.SelectionSet)
	merge = func(sets []ast.SelectionSet) {
		named := map[string][]ast.SelectionSet{}
		var collect func(set ast.SelectionSet)
		collect = func(set ast.SelectionSet) {
			for _, s := range set {
				switch s := s.(type) {
				case *ast.Field:
					n.pairs += len(named[s.Alias]) // one with each before it
					named[s.Alias] = append(named[s.Alias], s.SelectionSet)
				case *ast.InlineFragment:
					collect(s.SelectionSet)
				case *ast.FragmentSpread:
					if f := doc.Fragments.ForName(s.Name); f != nil {
						collect(f.SelectionSet)
					}
				}
			}
		}
		for _, set := range sets {
			collect(set)
		}
		for _, below := range named {
			merge(below)
		}
	}
	merge([]ast.SelectionSet{set})
	return n
}
