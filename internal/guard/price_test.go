package guard

import (
	"encoding/json"
	"math"
	"strings"
	"testing"

	"github.com/vektah/gqlparser/v2"
	"github.com/vektah/gqlparser/v2/ast"
	"github.com/vektah/gqlparser/v2/validator"
)

func TestCost(t *testing.T) {
	t.Parallel()
	schema := fixture(t)
	g := newGuard(t, schema)
	for _, c := range []struct {
		name, document string
		variables      map[string]any
		want           int
	}{
		{name: "a value", document: `{__typename}`, want: 0},
		{name: "an object", document: `{page(path:"/"){title summary}}`, want: 1},
		{name: "an object in an object", document: `{page(path:"/"){title parent{title}}}`, want: 2},
		{name: "an object of a free type", document: `{rateLimit{cost}}`, want: 0},
		{name: "a value with a weight", document: `{section(slug:"x"){memberCount}}`, want: 2},
		{name: "a list of values with a weight", document: `{counts}`, want: 30},
		{name: "a list nothing is known of", document: `{links{label}}`, want: 10},
		{name: "a list of an assumed size", document: `{regions{name}}`, want: 13},
		{name: "lists in a list", document: `{sections{subPages{breadcrumbs{label}}}}`, want: 10 * (1 + 6*(1+4))},

		{name: "a connection", document: `{members{nodes{id}}}`, want: 1 + 20},
		{name: "its length by argument", document: `{members(first:50){nodes{id}}}`, want: 1 + 50},
		{name: "its length from the end", document: `{region(slug:"x"){members(last:7){nodes{id}}}}`, want: 1 + 1 + 7},
		{name: "the larger of two", document: `{members(first:5,last:7){nodes{id}}}`, want: 1 + 7},
		{name: "the default of one counts too", document: `{members(last:7){nodes{id}}}`, want: 1 + 20},
		{name: "null", document: `{members(first:null){nodes{id}}}`, want: 1 + 20},
		{name: "zero", document: `{members(first:0){nodes{id}}}`, want: 1},
		{name: "negative", document: `{members(first:-5){nodes{id}}}`, want: 1 + 20},
		{name: "a string", document: `{members(first:"30"){nodes{id}}}`, want: 1 + 30},
		{name: "edges and nodes", document: `{members(first:5){edges{cursor node{id}} nodes{id} pageInfo{endCursor} totalCount}}`, want: 1 + 5*2 + 5 + 0 + 5},
		{name: "a list with a size of its own in a connection", document: `{search(query:"x",first:50){nodes{title} facets{label}}}`, want: 10 + 50 + 5},
		{name: "a list argument", document: `{nodes(ids:["a","b","c"]){id}}`, want: 3},
		{name: "a list argument of one", document: `{nodes(ids:"a"){id}}`, want: 1},
		{name: "a list with a weight", document: `{suggest(prefix:"a",first:5){title}}`, want: 10},
		{name: "pages in pages", document: `{members(first:10){nodes{region{name} sections{members(first:5){nodes{id}}}}}}`, want: 1 + 10*(1+1+3*(1+1+5))},

		{name: "a variable", document: `query($n:Int){members(first:$n){nodes{id}}}`, variables: map[string]any{"n": 4}, want: 1 + 4},
		{name: "as JSON number", document: `query($n:Int){members(first:$n){nodes{id}}}`, variables: map[string]any{"n": json.Number("4")}, want: 1 + 4},
		{name: "as float", document: `query($n:Int){members(first:$n){nodes{id}}}`, variables: map[string]any{"n": 4.0}, want: 1 + 4},
		{name: "as int64", document: `query($n:Int){members(first:$n){nodes{id}}}`, variables: map[string]any{"n": int64(4)}, want: 1 + 4},
		{name: "as uint8", document: `query($n:Int){members(first:$n){nodes{id}}}`, variables: map[string]any{"n": uint8(4)}, want: 1 + 4},
		{name: "as string", document: `query($n:Int){members(first:$n){nodes{id}}}`, variables: map[string]any{"n": "4"}, want: 1 + 4},
		{name: "as nonsense", document: `query($n:Int){members(first:$n){nodes{id}}}`, variables: map[string]any{"n": "four"}, want: 1 + 20},
		{name: "as NaN", document: `query($n:Int){members(first:$n){nodes{id}}}`, variables: map[string]any{"n": math.NaN()}, want: 1 + 20},
		{name: "as a list", document: `query($n:Int){members(first:$n){nodes{id}}}`, variables: map[string]any{"n": []any{1}}, want: 1 + 20},
		{name: "null", document: `query($n:Int){members(first:$n){nodes{id}}}`, variables: map[string]any{"n": nil}, want: 1 + 20},
		{name: "negative", document: `query($n:Int){members(first:$n){nodes{id}}}`, variables: map[string]any{"n": -7}, want: 1 + 20},
		{name: "left out, with a default", document: `query($n:Int=6){members(first:$n){nodes{id}}}`, want: 1 + 6},
		{name: "left out", document: `query($n:Int){members(first:$n){nodes{id}}}`, want: 1 + 20},
		{name: "a list", document: `query($n:[ID!]!){nodes(ids:$n){id}}`, variables: map[string]any{"n": []any{"a", "b"}}, want: 2},
		{name: "a list of strings", document: `query($n:[ID!]!){nodes(ids:$n){id}}`, variables: map[string]any{"n": []string{"a", "b"}}, want: 2},
		{name: "one for a list", document: `query($n:[ID!]!){nodes(ids:$n){id}}`, variables: map[string]any{"n": "a"}, want: 1},

		{name: "the roots of a tree", document: `{menu(handle:"main"){roots{label}}}`, want: 1 + 312},
		{name: "the whole menu", document: wholeMenu, want: 1 + 312},
		{name: "the dearest level counts", document: `{menu(handle:"main"){roots{label children{target{... on Page{parent{title}}} children{label}}}}}`, want: 1 + 312*2},
		{name: "a tree asked for twice", document: `{menu(handle:"main"){a:roots{label children{label}} b:roots{children{label}}}}`, want: 1 + 2*312},
		{name: "a level asked for twice", document: `{menu(handle:"main"){roots{a:children{label} b:children{label}}}}`, want: 1 + 2*312},
		{name: "a flat listing", document: `{menu(handle:"main"){items{label}}}`, want: 1 + 312},
		{name: "a flat listing with the tree below each", document: `{menu(handle:"main"){items{children{children{label}}}}}`, want: 1 + 3*312},
		{name: "a list that leaves the tree", document: `{menu(handle:"main"){roots{ancestors{label}}}}`, want: 1 + 312*(1+4)},
		{name: "up and down", document: `{menu(handle:"main"){roots{parent{children{label}}}}}`, want: 1 + 312*(1+1+312)},
		{name: "a tree from the middle", document: `{node(id:1){... on MenuItem{children{children{label}}}}}`, want: 1 + 312},
		{name: "two trees", document: `{menus(handles:["a","b"]){roots{children{label}}}}`, want: 2 * (1 + 312)},

		{name: "equal fields are one", document: `{page(path:"/"){parent{title} parent{summary}} page(path:"/"){title}}`, want: 2},
		{name: "through fragments", document: `{...a ...a ...{links{href}}} fragment a on Query{links{label}}`, want: 10},
		{name: "aliases are not", document: `{a:links{label} b:links{label}}`, want: 20},
		{name: "the dearer of two types", document: `{route(path:"/"){... on PageRoute{page{title} trail{label}} ... on NotFoundRoute{suggestions}}}`, want: 1 + 1 + 4},
		{name: "a mutation", document: `mutation{rename(id:1,name:"x"){page{id}}}`, want: 11},
		{name: "a subscription", document: `subscription{changed{id}}`, want: 1},
		{name: "introspection", document: `{__type(name:"Page"){name}}`, want: 1},
	} {
		doc, err := g.Parse(c.document)
		if err != nil {
			t.Errorf("%s: %v", c.name, err)
			continue
		}
		price, err := g.Check(doc, "", c.variables)
		if price.Cost != c.want {
			t.Errorf("%s: %s %v costs %d, want %d", c.name, c.document, c.variables, price.Cost, c.want)
		}
		if err != nil && limitOf(t, err) != "cost" {
			t.Errorf("%s: %v", c.name, err)
		}
		again, err2 := g.Price(doc, "", c.variables)
		if again.Cost != price.Cost || limitOf(t, err) != limitOf(t, err2) {
			t.Errorf("%s: Price gives %+v %v, Check %+v %v", c.name, again, err2, price, err)
		}
	}
}

const wholeMenu = `query Menu { menu(handle: "main") { id itemCount roots { ...Item children { ...Item children { ...Item children { ...Item } } } } } }
fragment Item on MenuItem { id label href depth }`

// What the pages of a site ask for fits.
func TestPagesFit(t *testing.T) {
	t.Parallel()
	schema := fixture(t)
	g := newGuard(t, schema)
	for _, document := range []string{
		wholeMenu,
		strings.Replace(wholeMenu, "depth }", "depth target { __typename ... on Page { path title } ... on Section { slug name memberCount } } ancestors { label } }", 1),
		`{ menu(handle: "main") { items { id children { id } target { ... on Page { title } ... on Region { name } } } } }`,
		`{ regions { name members(first: 10) { totalCount nodes { displayName sections { name } } } } }`,
		`{ regions { name members(first: 100) { nodes { displayName region { name } sections { name } } } } }`,
		`{ sections { name page { title summary } subPages { title path breadcrumbs { label href } } members(first: 20) { nodes { displayName region { name } caseStudies { person } } } } }`,
		`{ members(first: 100) { edges { cursor node { id displayName headline grade region { name nation } sections { name slug page { path } } } } pageInfo { hasNextPage endCursor } totalCount } }`,
		`{ search(query: "café", first: 100) { nodes { title snippetHtml target { __typename ... on Page { path } ... on Section { name } } } facets { label } } }`,
		`{ regions { members(first: 10) { nodes { sections { members(first: 10) { nodes { region { name } } } } } } } }`,
	} {
		doc, err := g.Parse(document)
		if err != nil {
			t.Fatal(err)
		}
		price, err := g.Check(doc, "", nil)
		if err != nil {
			t.Errorf("%s: %v", document, err)
		}
		if errs := validator.ValidateWithRules(schema, doc, Rules()); len(errs) > 0 {
			t.Errorf("%s: %v", document, errs)
		}
		t.Logf("%+v %.60s", price, document)
	}
}

// The counts of a price are those of the chosen operation.
func TestPriceCounts(t *testing.T) {
	t.Parallel()
	g := newGuard(t, fixture(t))
	doc, err := g.Parse(`
		query a { links { label } }
		query b { l: links { ...f h: href } page(path: "/") { ...on Page { parent { t: title } } } page(path: "/") { parent { title } } }
		fragment f on Link { x: label ...g }
		fragment g on Link { href }
		fragment unused on Page { title title title parent { title } }`)
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		operation string
		want      Price
	}{
		{"a", Price{Cost: 10, Depth: 2, Selections: 2, Roots: 1}},
		{"b", Price{Cost: 10 + 2, Depth: 3, Selections: 13, Aliases: 4, Roots: 3}},
		{"", Price{}},
		{"c", Price{}},
	} {
		price, err := g.Check(doc, c.operation, nil)
		if err != nil {
			t.Fatal(err)
		}
		// The pairs are page and parent in b, and three in the unused fragment.
		if price.Pairs != 5 || price.Work < 100 || price.Work > 1000 {
			t.Errorf("%q: %+v; want 5 pairs", c.operation, price)
		}
		price.Pairs, price.Work = 0, 0
		if price != c.want {
			t.Errorf("%q:\n got %+v\nwant %+v", c.operation, price, c.want)
		}
	}
}

// Products and sums stop at a ceiling, far over any limit, and do not wrap.
func TestSaturation(t *testing.T) {
	t.Parallel()
	schema, err := gqlparser.LoadSchema(&ast.Source{Input: Directives}, &ast.Source{Input: `
		type Query { a(n: Int): [Query] @cost(weight: 2000000000) @listSize(slicingArguments: ["n"]) }`})
	if err != nil {
		t.Fatal(err)
	}
	g := newGuard(t, schema)
	for _, n := range []string{"2147483647", "9223372036854775807", "99999999999999999999999999999999", "1e999", `"1e300"`} {
		document := strings.Repeat("{a(n:"+n+")", 12) + strings.Repeat("}", 12)
		price, err := judge(g, document)
		if limitOf(t, err) != "cost" || price.Cost != ceiling {
			t.Errorf("%s: %+v %v; want the ceiling %d", n, price, err, ceiling)
		}
	}
}
