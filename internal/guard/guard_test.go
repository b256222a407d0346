package guard

import (
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/vektah/gqlparser/v2"
	"github.com/vektah/gqlparser/v2/ast"
	"github.com/vektah/gqlparser/v2/parser"
	"github.com/vektah/gqlparser/v2/validator"
)

// fixture returns the schema in testdata.
func fixture(t testing.TB) *ast.Schema {
	t.Helper()
	return load(t, "testdata/schema.graphql", &ast.Source{Name: "directives", Input: Directives})
}

// graph returns the schema that is served.
func graph(t testing.TB) *ast.Schema {
	t.Helper()
	return load(t, "../../graph/*.graphqls")
}

func load(t testing.TB, pattern string, sources ...*ast.Source) *ast.Schema {
	t.Helper()
	files, err := filepath.Glob(pattern)
	if err != nil || len(files) == 0 {
		t.Fatalf("no schema at %s: %v", pattern, err)
	}
	for _, f := range files {
		text, err := os.ReadFile(f)
		if err != nil {
			t.Fatal(err)
		}
		sources = append(sources, &ast.Source{Name: f, Input: string(text)})
	}
	schema, err := gqlparser.LoadSchema(sources...)
	if err != nil {
		t.Fatal(err)
	}
	return schema
}

func newGuard(t testing.TB, schema *ast.Schema) *Guard {
	t.Helper()
	g, err := New(schema, Default())
	if err != nil {
		t.Fatal(err)
	}
	return g
}

// judge parses and checks a document.
func judge(g *Guard, document string) (Price, error) {
	doc, err := g.Parse(document)
	if err != nil {
		return Price{}, err
	}
	return g.Check(doc, "", nil)
}

// limitOf returns the limit that err is about, "" for none.
func limitOf(t testing.TB, err error) string {
	t.Helper()
	if err == nil {
		return ""
	}
	var e *Error
	if !errors.As(err, &e) {
		t.Fatalf("not a *guard.Error: %T %v", err, err)
	}
	if e.Message == "" || e.Error() != e.Message || len(e.Message) > 400 {
		t.Errorf("message %q", e.Message)
	}
	if e.Limit != "syntax" && e.Limit != "cycle" && e.Got <= e.Max {
		t.Errorf("%s: got %d is not over %d", e.Limit, e.Got, e.Max)
	}
	return e.Limit
}

// repeat joins what each returns for 0 to n-1.
func repeat(n int, each func(i int) string) string {
	var b strings.Builder
	for i := range n {
		b.WriteString(each(i))
		b.WriteByte(' ')
	}
	return b.String()
}

// same repeats a text n times.
func same(n int, text string) string { return strings.Repeat(text+" ", n) }

func TestErrorCode(t *testing.T) {
	t.Parallel()
	g := newGuard(t, fixture(t))
	for _, c := range []struct{ document, limit, code string }{
		{"{", "syntax", "GRAPHQL_PARSE_FAILED"},
		{"{links{label", "syntax", "GRAPHQL_PARSE_FAILED"},
		{`{menu(handle:"`, "syntax", "GRAPHQL_PARSE_FAILED"},
		{`{menu(handle:'main')}`, "syntax", "GRAPHQL_PARSE_FAILED"},
		{"{members(first:90000){nodes{id}}}", "cost", "COST_EXCEEDED"},
		{"{" + same(21, "links{label}") + "}", "roots", "GRAPHQL_VALIDATION_FAILED"},
		{"{...a} fragment a on Query{...b} fragment b on Query{...a}", "cycle", "GRAPHQL_VALIDATION_FAILED"},
	} {
		_, err := judge(g, c.document)
		if got := limitOf(t, err); got != c.limit {
			t.Errorf("%.60s: limit %q, want %q (%v)", c.document, got, c.limit, err)
			continue
		}
		if got := err.(*Error).Code(); got != c.code {
			t.Errorf("%.60s: code %s, want %s", c.document, got, c.code)
		}
	}
}

func TestSyntaxErrorSaysWhere(t *testing.T) {
	t.Parallel()
	g := newGuard(t, fixture(t))
	_, err := g.Parse("{\n  links {\n    )\n}}")
	e, ok := err.(*Error)
	if !ok || e.Line != 3 || e.Column != 5 || !strings.Contains(e.Message, "Expected Name, found )") {
		t.Errorf("got %#v", err)
	}
}

func TestSyntaxErrorIsShort(t *testing.T) {
	t.Parallel()
	g := newGuard(t, fixture(t))
	_, err := g.Parse(`"a" "` + strings.Repeat("é", 9000) + `"`)
	if limitOf(t, err) != "syntax" || len(err.Error()) > 300 || !strings.HasSuffix(err.Error(), "…") {
		t.Errorf("got %d bytes: %.400v", len(err.Error()), err)
	}
}

func TestErrorMessage(t *testing.T) {
	t.Parallel()
	_, err := judge(newGuard(t, fixture(t)), "{links{"+repeat(41, func(i int) string { return "a" + strconv.Itoa(i) + ":href" })+"}}")
	if want := "the document has 41 aliases; at most 30 are allowed"; err == nil || err.Error() != want {
		t.Errorf("got %v, want %s", err, want)
	}
}

// What does not exist is for the validator to report.
func TestUnknownThingsAreLeftToTheValidator(t *testing.T) {
	t.Parallel()
	schema := fixture(t)
	g := newGuard(t, schema)
	for _, document := range []string{
		"{nothing}",
		"{nothing{at{all}}}",
		"{nothing(of:$what){links}}",
		"{links}",
		"{links{label{more}}}",
		"{links(first:3, after:{a:[1 $b]}){label}}",
		"{...Nowhere}",
		"{... on Nowhere{id}}",
		"{...a} fragment a on Nowhere{id}",
		"{...a} fragment a on String{id}",
		"{members(first:$none){nodes{id}}}",
		"query($n:Nope){members(first:$n){nodes{id}}}",
		"query($n:[[Int]]=[[1]]){members(first:$n){nodes{id}}}",
		"{members(first:\"x\" last:NAME){nodes{id}}}",
		"{rateLimit @nope{cost}}",
		"query a{links{label}} query a{links{label}}",
		"{links{label}} {links{label}}",
		"subscription{nothing}",
		"mutation{nothing}",
		"fragment a on Query{links{label}} fragment a on Query{links{href}}",
		"fragment a on Query{links{label}}",
		"fragment a($x:Int=3) on Query{links{label}} {...b}",
		"",
	} {
		doc, err := g.Parse(document)
		if err != nil {
			t.Errorf("%s: %v", document, err)
			continue
		}
		for _, operation := range []string{"", "a", "missing"} {
			if _, err := g.Check(doc, operation, map[string]any{"n": struct{}{}}); err != nil {
				t.Errorf("%s: %v", document, err)
			}
		}
		if errs := validator.ValidateWithRules(schema, doc, Rules()); len(errs) == 0 && len(doc.Operations) > 0 {
			t.Errorf("%s: the validator takes it", document)
		}
	}
	bare, err := New(load(t, "testdata/bare.graphql"), Default())
	if err != nil {
		t.Fatal(err)
	}
	for _, document := range []string{"mutation{a}", "subscription{a}", "{a{b}}"} {
		if _, err := judge(bare, document); err != nil {
			t.Errorf("%s: %v", document, err)
		}
	}
}

func TestIntrospectionPasses(t *testing.T) {
	t.Parallel()
	text, err := os.ReadFile("testdata/introspection.graphql")
	if err != nil {
		t.Fatal(err)
	}
	for name, schema := range map[string]*ast.Schema{"fixture": fixture(t), "graph": graph(t)} {
		g := newGuard(t, schema)
		doc, err := g.Parse(string(text))
		if err != nil {
			t.Fatal(err)
		}
		price, err := g.Check(doc, "IntrospectionQuery", nil)
		if err != nil {
			t.Errorf("%s: %v", name, err)
		}
		if errs := validator.ValidateWithRules(schema, doc, Rules()); len(errs) > 0 {
			t.Errorf("%s: %v", name, errs)
		}
		if price.Depth != 15 || price.Cost < 500 || price.Cost > 10_000 {
			t.Errorf("%s: %+v; want depth 15 and some thousands of cost", name, price)
		}
		t.Logf("%s: %+v", name, price)
	}
}

func TestRules(t *testing.T) {
	t.Parallel()
	schema := fixture(t)
	g := newGuard(t, schema)
	doc, err := g.Parse("{" + repeat(100, func(i int) string { return "lnks" + strconv.Itoa(i) }) + `
		links(a:1) links{labe} members(orderBy:NAM){id} members(orderBy:"NAM"){id} rateLimit ...{a} } fragment a on Lnk{id}`)
	if err != nil {
		t.Fatal(err)
	}
	errs := validator.ValidateWithRules(schema, doc, Rules())
	if len(errs) != MaxErrors {
		t.Errorf("%d errors, want %d", len(errs), MaxErrors)
	}
	doc, err = g.Parse(`{ lnks links{labe} mem:members(orderBy:NAM firs:1){id} members(orderBy:"NAM"){id} rateLimit ...{a} } fragment a on Lnk{id}`)
	if err != nil {
		t.Fatal(err)
	}
	errs = validator.ValidateWithRules(schema, doc, Rules())
	var got, want []string
	for _, e := range errs {
		got = append(got, e.Message)
	}
	if doc, err = parser.ParseQuery(doc.Position.Src); err != nil {
		t.Fatal(err)
	}
	for _, e := range validator.ValidateWithRules(schema, doc, nil) {
		message, _, _ := strings.Cut(e.Message, " Did you mean")
		want = append(want, message)
	}
	slices.Sort(got)
	slices.Sort(want)
	if diff := cmp.Diff(want, got); diff != "" || len(got) < 8 {
		t.Errorf("%d errors, but for suggestions (-gqlparser's own +these):\n%s", len(got), diff)
	}
}

func TestNewRefuses(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ sdl, want string }{
		{`type Query { a: Int @cost(weight: -1) }`, "Query.a: @cost has weight -1"},
		{`type Query { a: A } type A @cost(weight: -2) { a: Int }`, "Query.a: @cost has weight -2"},
		{`type Query { a: [Int] @listSize }`, "@listSize says nothing"},
		{`type Query { a: [Int] @listSize(assumedSize: -3) }`, "assumedSize -3"},
		{`type Query { a(n: Int): [Int] @listSize(slicingArguments: ["m"]) }`, `no argument of that name`},
		{`type Query { a(n: String): [Int] @listSize(slicingArguments: ["n"]) }`, `must be an Int or a list`},
		{`type Query { a: [Query] @listSize(assumedSize: 2, scope: "x") b: [Query] @listSize(assumedSize: 3, scope: "x") }`, `the size of the whole tree everywhere`},
		{`type Query { a: Query @listSize(assumedSize: 2, scope: "x") }`, "only a list of objects"},
		{`type Query { a: [Int] @listSize(assumedSize: 2, scope: "x") }`, "only a list of objects"},
		{`interface I { a: [Query] } type Query implements I { a: [Query] @listSize(assumedSize: 2) }`, "Query.a costs more than I.a"},
	} {
		schema, err := gqlparser.LoadSchema(&ast.Source{Input: Directives}, &ast.Source{Input: c.sdl})
		if err != nil {
			t.Errorf("%s: %v", c.sdl, err)
			continue
		}
		if _, err := New(schema, Default()); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s:\n got %v\nwant … %s", c.sdl, err, c.want)
		}
	}
	limits := Default()
	limits.Depth = 0
	if _, err := New(fixture(t), limits); err == nil || !strings.Contains(err.Error(), "limit Depth is 0") {
		t.Errorf("got %v", err)
	}
}
