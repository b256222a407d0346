package graph_test

import (
	"context"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/vektah/gqlparser/v2"
	"github.com/vektah/gqlparser/v2/ast"
	"github.com/vektah/gqlparser/v2/validator/rules"

	"github.com/collegium/collegium/graph"
	"github.com/collegium/collegium/graph/exec/querygen"
	"github.com/collegium/collegium/graph/gen"
	"github.com/collegium/collegium/internal/fresh"
	"github.com/collegium/collegium/internal/server"
	"github.com/collegium/collegium/internal/viewer"
)

// keeping makes a handler keep answers, and ask before it gives one whether anything
// has changed.
func keeping(t testing.TB, db *pgxpool.Pool, o fresh.Options) func(*graph.Config) {
	t.Helper()
	w := fresh.NewWatcher(db.Config().ConnConfig, o)
	t.Cleanup(w.Close)
	if !w.Fresh(t.Context()) {
		t.Fatal("a new watcher is not fresh")
	}
	return func(c *graph.Config) { c.Watcher, c.Answers, c.Reference = w, true, false }
}

// always asks the database each time.
var always = fresh.Options{Lease: 1}

// asSent are params with the variables as text too, as the server passes them.
func asSent(t testing.TB, query string, variables map[string]any) server.Params {
	t.Helper()
	p := params(query, variables)
	if variables != nil {
		text, err := json.Marshal(variables)
		if err != nil {
			t.Fatal(err)
		}
		p.VariablesText = string(text)
	}
	return p
}

// recallOrExecute answers as the server does.
func recallOrExecute(ctx context.Context, h *graph.Handler, p server.Params) server.Result {
	if r, ok := h.Recall(ctx, &p); ok {
		return r
	}
	return h.Execute(ctx, p)
}

func TestAnswersAreKeptUntilAWrite(t *testing.T) {
	t.Parallel()
	db := demoDB(t)
	h := graphOn(t, db, keeping(t, db, always))
	menu := asSent(t, `query Menu($handle: String!) { menu(handle: $handle) { title } }`, map[string]any{"handle": "main"})
	regions := asSent(t, `{ regions { name } }`, nil)
	ask := func(what string, p server.Params, want server.Source) string {
		t.Helper()
		r := recallOrExecute(t.Context(), h, p)
		if r.Public == nil || r.From != want || string(r.Body) != string(r.Public.Body()) {
			t.Fatalf("%s: public %v, from %d, want it public and from %d\n%s", what, r.Public != nil, r.From, want, r.Body)
		}
		return string(r.Body)
	}
	first := ask("the menu first", menu, server.FromExecution)
	ask("the regions first", regions, server.FromExecution)
	if again := ask("the menu again", menu, server.FromMemory); again != first {
		t.Errorf("again it is %s, want %s", again, first)
	}
	mustExec(t, db, `UPDATE menus SET title = 'Another title' WHERE handle = 'main'`)
	if after := ask("the menu after a write", menu, server.FromExecution); !strings.Contains(after, "Another title") {
		t.Errorf("after a write: %s", after)
	}
	ask("the regions after a write to menus", regions, server.FromMemory)
	other := menu
	other.Variables, other.VariablesText = map[string]any{"handle": "footer"}, `{"handle":"footer"}`
	ask("another menu", other, server.FromExecution)
}

// TestWhatIsNeverKept asks what must not be kept, twice.
func TestWhatIsNeverKept(t *testing.T) {
	t.Parallel()
	db := demoDB(t)
	h := graphOn(t, db, keeping(t, db, always))
	unnamed := asSent(t, `query Menu($handle: String!) { menu(handle: $handle) { title } }`, map[string]any{"handle": "main"})
	unnamed.VariablesText = ""
	for name, p := range map[string]server.Params{
		"a private field":                   asSent(t, `{ rateLimit { remaining } }`, nil),
		"beside others":                     asSent(t, `{ menu(handle: "main") { title } rateLimit { remaining } }`, nil),
		"by another name":                   asSent(t, `{ left: rateLimit { remaining } }`, nil),
		"in an inline fragment":             asSent(t, `{ ... { ... on Query { rateLimit { remaining } } } }`, nil),
		"in a fragment of a fragment":       asSent(t, `{ ...A } fragment A on Query { ...B } fragment B on Query { rateLimit { cost } }`, nil),
		"where it is skipped":               asSent(t, `{ menu(handle: "main") { title } rateLimit @skip(if: true) { cost } }`, nil),
		"in a fragment that is not for it":  asSent(t, `{ page(path: "/about-us") { ... on Node { ... on Document { viewerAccess { canRead } } } title } }`, nil),
		"a private type":                    asSent(t, `{ page(path: "/about-us") { title viewerAccess { canRead } } }`, nil),
		"by its name alone":                 asSent(t, `{ page(path: "/about-us") { viewerAccess { __typename } } }`, nil),
		"on the other side of an interface": asSent(t, `{ nodes(ids: []) { ... on Page { viewerAccess { canRead } } } }`, nil),
		"an answer with an error":           asSent(t, `{ member(id: "nonsense") { id } }`, nil),
		"a document that is refused":        asSent(t, `{ nothing }`, nil),
		"variables without their text":      unnamed,
	} {
		for range 2 {
			if r := recallOrExecute(t.Context(), h, p); r.Public != nil {
				t.Errorf("%s: the answer is public: %s", name, r.Body)
			}
		}
	}
	if s := h.AnswerStats(); s.Kept != 0 {
		t.Errorf("%d answers are kept", s.Kept)
	}
	// What the schema holds is the same for everyone.
	if r := h.Execute(t.Context(), asSent(t, `{ __typename __schema { types { name fields { name } } } __type(name: "RateLimit") { name } }`, nil)); r.Public == nil {
		t.Error("introspection is not public")
	}
}

// privateFields returns the fields that say they are private, or whose type does,
// read from the schema by themselves.
func privateFields(schema *ast.Schema) map[string]bool {
	private := map[string]bool{}
	says := func(list ast.DirectiveList) bool {
		d := list.ForName("cacheControl")
		return d != nil && d.Arguments.ForName("scope").Value.Raw == "PRIVATE"
	}
	for _, def := range schema.Types {
		for _, f := range def.Fields {
			if says(f.Directives) || says(schema.Types[f.Type.Name()].Directives) {
				private[def.Name+"."+f.Name] = true
			}
		}
	}
	return private
}

// TestPrivateFieldsOverTheWholeSchema asks generated documents: an answer is public
// if it has no error and its document holds no private field anywhere.
func TestPrivateFieldsOverTheWholeSchema(t *testing.T) {
	t.Parallel()
	db := demoDB(t)
	h := graphOn(t, db, keeping(t, db, always))
	schema := gen.NewExecutableSchema(gen.Config{}).Schema()
	private, pools := privateFields(schema), values(t, graphOn(t, db, plainGqlgen))
	seen := map[string]int{}
	public, others := 0, 0
	for i := range *queries / 2 {
		s := *seed + 1_000_000 + uint64(i)
		query, variables := querygen.New(schema, s, querygen.Options{Values: pools, Fields: 3 + i%30, Depth: 5}).Document()
		doc, errs := gqlparser.LoadQueryWithRules(schema, query, rules.NewDefaultRules())
		if errs != nil {
			t.Fatalf("seed %d: %v", s, errs)
		}
		var found []string
		for name := range private {
			if holds(doc, name) {
				found = append(found, name)
				seen[name]++
			}
		}
		r := h.Execute(t.Context(), asSent(t, query, variables))
		want := r.Outcome == server.Executed && r.Errors == 0 && len(found) == 0
		if got := r.Public != nil; got != want {
			t.Fatalf("seed %d: public %v, want %v; errors %d, private fields %v\n%s", s, got, want, r.Errors, found, query)
		}
		if want {
			public++
		} else {
			others++
		}
	}
	if s := h.AnswerStats(); s.Unknown > 0 {
		t.Errorf("of %d answers it is not known on what they rest", s.Unknown)
	}
	if public == 0 || others == 0 || len(seen) < len(private)/2 {
		t.Errorf("%d public answers and %d others, with the private fields %v of %v", public, others, seen, private)
	}
}

// holds says whether a document selects a field, given as "Type.field", in any of its
// parts.
func holds(doc *ast.QueryDocument, name string) bool {
	var in func(set ast.SelectionSet) bool
	in = func(set ast.SelectionSet) bool {
		return slices.ContainsFunc(set, func(s ast.Selection) bool {
			switch s := s.(type) {
			case *ast.Field:
				return s.ObjectDefinition.Name+"."+s.Name == name || in(s.SelectionSet)
			case *ast.InlineFragment:
				return in(s.SelectionSet)
			default:
				return false // fragments are all looked at
			}
		})
	}
	return slices.ContainsFunc(doc.Operations, func(o *ast.OperationDefinition) bool { return in(o.SelectionSet) }) ||
		slices.ContainsFunc(doc.Fragments, func(f *ast.FragmentDefinition) bool { return in(f.SelectionSet) })
}

// TestSignedInViewersKeepNothing asserts that who is signed in neither fills what is
// kept nor is answered from it.
func TestSignedInViewersKeepNothing(t *testing.T) {
	t.Parallel()
	db := demoDB(t)
	mustExec(t, db, `UPDATE entries SET access = 'MEMBERS' WHERE slug = 'advanced-practice'`)
	h := graphOn(t, db, keeping(t, db, always))
	p := asSent(t, `{ page(path: "/advanced-practice") { title blocks { __typename } } }`, nil)
	for _, v := range []viewer.Viewer{{Role: viewer.Member}, {Role: viewer.Staff}} {
		ctx := viewer.With(t.Context(), v)
		for _, when := range []string{"before anyone", "after", "again"} {
			r := recallOrExecute(ctx, h, p)
			if r.Public != nil || !strings.Contains(string(r.Body), "Block") {
				t.Errorf("role %d, %s: public %v, %s; want all of the page, and it private", v.Role, when, r.Public != nil, r.Body)
			}
			anyone := recallOrExecute(t.Context(), h, p)
			if anyone.Public == nil || strings.Contains(string(anyone.Body), "Block") {
				t.Errorf("anyone, %s: public %v, %s; want the teaser, and it public", when, anyone.Public != nil, anyone.Body)
			}
		}
	}
}

// TestKeptAnswersDiffer asks generated documents of gqlgen alone, and of the graph
// that keeps answers, for the first time, again, and after writes: the bytes are the
// same.
func TestKeptAnswersDiffer(t *testing.T) {
	t.Parallel()
	db := demoDB(t)
	allErrors := func(c *graph.Config) { c.MaxErrors = 1 << 20 }
	plain := graphOn(t, db, allErrors, plainGqlgen)
	h := graphOn(t, db, allErrors, keeping(t, db, always), func(c *graph.Config) { c.Reference = true })
	schema := gen.NewExecutableSchema(gen.Config{}).Schema()
	pools := values(t, plain)
	random := rand.New(rand.NewPCG(*seed, 1)) //nolint:gosec // a test repeats itself
	changes := append(slices.Clip(writes), `UPDATE terms SET starts_on = starts_on + 1 WHERE ends_on IS NULL`, `UPDATE blocks SET position = position`)
	var asked []server.Params
	warm, kept := 0, 0
	compare := func(what string, p server.Params) {
		t.Helper()
		want, got := plain.Execute(t.Context(), p), recallOrExecute(t.Context(), h, p)
		if want.Outcome != got.Outcome {
			t.Fatalf("%s: outcome %v, want %v\n%s", what, got.Outcome, want.Outcome, p.Query)
		}
		if diff := cmp.Diff(string(want.Body), string(got.Body)); diff != "" {
			t.Fatalf("%s: the answers differ (-gqlgen +kept)\n%s\n%s\nvariables: %s", what, diff, p.Query, p.VariablesText)
		}
		if got.Public != nil && got.From == server.FromMemory {
			kept++
		}
	}
	for i := range *queries {
		s := *seed + 2_000_000 + uint64(i)
		query, variables := querygen.New(schema, s, querygen.Options{Values: pools, Fields: 5 + i%30, Depth: 6}).Document()
		p := asSent(t, query, variables)
		compare(fmt.Sprintf("seed %d, cold", s), p)
		before := kept
		compare(fmt.Sprintf("seed %d, warm", s), p)
		warm += kept - before
		asked = append(asked, p)
		if i%20 == 19 {
			sql := changes[random.IntN(len(changes))]
			mustExec(t, db, sql)
			for range 5 {
				compare(fmt.Sprintf("after %s", sql), asked[len(asked)-1-random.IntN(min(60, len(asked)))])
			}
		}
	}
	t.Logf("%d documents, %d of them answered from memory when asked again; %+v", *queries, warm, h.AnswerStats())
	if warm < *queries/5 {
		t.Errorf("only %d of %d documents were answered from memory when asked again", warm, *queries)
	}
}

// TestEachFieldSaysWhoMayKeepIt asserts that a schema whose fields say too little is
// refused.
func TestEachFieldSaysWhoMayKeepIt(t *testing.T) {
	t.Parallel()
	const directive = `
		directive @cacheControl(scope: Scope!, maxAge: Int) on FIELD_DEFINITION | OBJECT
		enum Scope { PUBLIC PRIVATE }
		scalar Date
		interface Node { id: ID! }
		union Any = Public | Undeclared
		type Public implements Node @cacheControl(scope: PUBLIC) { id: ID! name: String count: Int }
		type Undeclared implements Node { id: ID! name: String }
	`
	for _, tt := range []struct{ name, sdl, want string }{
		{"a root field that says nothing", `type Query { a: Public }`, "Query.a"},
		{"a root field of a value", `type Query { a: Int }`, "Query.a"},
		{"a root field that does", `type Query { a: Public @cacheControl(scope: PUBLIC) }`, ""},
		{"an edge that says nothing", `type Query { a: Box @cacheControl(scope: PUBLIC) } type Box { edge: Undeclared }`, "Box.edge"},
		{"an edge to a value", `type Query { a: Box @cacheControl(scope: PUBLIC) } type Box { edge: Int }`, "Box.edge"},
		{"an edge to a union", `type Query { a: Box @cacheControl(scope: PUBLIC) } type Box { edge: Any }`, "Box.edge"},
		{"an edge that does", `type Query { a: Box @cacheControl(scope: PUBLIC) } type Box { edge: Any @cacheControl(scope: PUBLIC) }`, ""},
		{"an edge whose type does", `type Query { a: Box @cacheControl(scope: PUBLIC) } type Box { edge: [Public!]! }`, ""},
		{"plain data", `type Query { a: Box @cacheControl(scope: PUBLIC) } type Box { plain: Undeclared }`, ""},
		{"a wrong age", `type Query { a: Int @cacheControl(scope: PUBLIC, maxAge: 0) }`, "maxAge"},
	} {
		err := graph.CheckCacheRules(directive+tt.sdl, "box.edge")
		switch {
		case tt.want == "" && err != nil:
			t.Errorf("%s: %v", tt.name, err)
		case tt.want != "" && (err == nil || !strings.Contains(err.Error(), tt.want)):
			t.Errorf("%s: %v, want an error about %s", tt.name, err, tt.want)
		}
	}
}

// TestTheStrictestFieldRules asserts what holds for an operation: nobody keeps it if
// nobody may keep one of its fields, and else it is kept for the shortest time.
func TestTheStrictestFieldRules(t *testing.T) {
	t.Parallel()
	const sdl = `
		directive @cacheControl(scope: Scope!, maxAge: Int) on FIELD_DEFINITION | OBJECT
		enum Scope { PUBLIC PRIVATE }
		interface Node { id: ID! }
		type Query {
			page: Page @cacheControl(scope: PUBLIC)
			news: Page @cacheControl(scope: PUBLIC, maxAge: 30)
			node: Node @cacheControl(scope: PUBLIC)
			any: Any @cacheControl(scope: PUBLIC)
			any2: Any2 @cacheControl(scope: PUBLIC)
		}
		type Page implements Node { id: ID! title: String views: Int @cacheControl(scope: PUBLIC, maxAge: 2) mine: Int @cacheControl(scope: PRIVATE) }
		type Account @cacheControl(scope: PRIVATE) { name: String }
		union Any = Page | Account
		union Any2 = Page
		type Mutation { write: Int }
	`
	for query, want := range map[string]string{
		`{ page { title } }`:                                    "public",
		`{ news { title } }`:                                    "public for 30s",
		`{ news { title views } page { title } }`:               "public for 2s",
		`{ page { ...F } } fragment F on Page { ... { mine } }`: "private",
		`{ node { id } }`:                                       "public",
		`{ node { ... on Page { mine } } }`:                     "private",
		`{ any { __typename } }`:                                "private",
		`{ any2 { ... on Page { title } } }`:                    "public",
		`{ __schema { types { name } } }`:                       "public",
		`mutation { write }`:                                    "private",
		`{ page { title } news @include(if: false) { title } }`: "public for 30s",
	} {
		if got := graph.CacheRuleOf(sdl, query); got != want {
			t.Errorf("%s is %s, want %s", query, got, want)
		}
	}
}
