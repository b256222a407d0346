package graph_test

import (
	"flag"
	"reflect"
	"slices"
	"strings"
	"testing"
	"unicode"

	"github.com/google/go-cmp/cmp"
	"github.com/vektah/gqlparser/v2"
	"github.com/vektah/gqlparser/v2/ast"
	"github.com/vektah/gqlparser/v2/validator/rules"

	"github.com/collegium/collegium/graph"
	"github.com/collegium/collegium/graph/exec/querygen"
	"github.com/collegium/collegium/graph/gen"
	"github.com/collegium/collegium/internal/pg"
)

var (
	queries = flag.Int("queries", 600, "how many generated documents the differential test asks")
	seed    = flag.Uint64("seed", 1, "the seed of the first generated document")
)

// values are what generated documents ask for: what there is, what there is not,
// and what is wrong.
func values(t *testing.T, h *graph.Handler) map[string][]any {
	t.Helper()
	ids := []any{"nothing", ""}
	got := data(t, h, `{
		menu(handle: "main") { id roots { id } }
		regions { id committee { id posts { id } } }
		specialistSections { id page { id } }
		caseStudies { nodes { id document { id } } }
		members(first: 5) { nodes { id } }
	}`, nil)
	var collect func(v any)
	collect = func(v any) {
		switch v := v.(type) {
		case map[string]any:
			if id, ok := v["id"].(string); ok && len(ids) < 60 {
				ids = append(ids, id)
			}
			for _, e := range v {
				collect(e)
			}
		case []any:
			for i, e := range v {
				if i < 3 {
					collect(e)
				}
			}
		}
	}
	collect(got)
	// Maps have no order; the documents must be the same for a seed.
	slices.SortFunc(ids, func(a, b any) int { return strings.Compare(a.(string), b.(string)) })
	menuItem := at(got, "menu", "roots", 0, "id")
	members := data(t, h, `{ members(first: 2) { pageInfo { endCursor } } }`, nil)
	cursors := []any{nil, at(members, "members", "pageInfo", "endCursor"), "nothing"}
	sizes := []any{nil, 1, 2, 3, 5}
	return map[string][]any{
		"ID":                               ids,
		"Date":                             {"2020-01-01", "2023-06-30", "2030-12-31", "nonsense"},
		"Query.menu.handle":                {"main", "utility", "footer", "social", "nothing"},
		"Query.menus.handles":              {nil, []any{"footer"}, []any{"social", "utility", "nothing"}},
		"Query.navigationContext.path":     {"/about-us", "/advanced-practice", "/about-us/contact-us", "/nothing", "wrong", "/practice-resources/cpd-rcot"},
		"Query.navigationContext.menu":     {"main", "footer", "nothing"},
		"PageRoute.trail.menu":             {"main", "footer", "nothing"},
		"Query.route.path":                 {"/", "/about-us", "/advanced-practice", "/advanced-practice/anna", "/about-us/contact-us", "/nothing", "wrong"},
		"Query.page.path":                  {"/", "/about-us", "/advanced-practice", "/advanced-practice/anna", "/nothing", "wrong"},
		"Query.specialistSection.slug":     {"housing", "work", "rcot-ss-work", "nothing"},
		"Query.region.slug":                {"london", "wales", "nothing"},
		"Query.committee.slug":             {"housing-committee", "london-region-committee", "nothing"},
		"Query.caseStudy.slug":             {"anna", "pauline", "nothing"},
		"CaseStudyFilter.section":          {"housing", nil},
		"CaseStudyFilter.region":           {"london", nil},
		"MemberFilter.region":              {"london", "wales", nil},
		"MemberFilter.section":             {"housing", "work", nil},
		"MemberFilter.text":                {"a", "the", "%", nil},
		"Menu.items.maxDepth":              {nil, 1, 2, 0},
		"Menu.items.rootId":                {nil, menuItem, "nothing"},
		"Query.search.query":               {"cafe", "occupational therapy", "memebrship", "\"specialist sections\"", "work -housing", ""},
		"Query.suggest.prefix":             {"plac", "r", ""},
		"Query.suggest.first":              sizes,
		"Query.search.first":               sizes,
		"Query.search.after":               {nil, "nothing"},
		"Query.members.first":              {nil, 1, 2, 5, 101},
		"Query.members.last":               {nil, nil, 2, 0},
		"Query.members.after":              cursors,
		"Query.members.before":             cursors,
		"Region.members.first":             sizes,
		"Region.members.last":              {nil, nil, nil, 2},
		"Region.members.after":             cursors,
		"Region.members.before":            cursors,
		"SpecialistSection.members.first":  sizes,
		"SpecialistSection.members.last":   {nil, nil, nil, 2},
		"SpecialistSection.members.after":  cursors,
		"SpecialistSection.members.before": cursors,
		"Query.caseStudies.first":          sizes,
		"Query.caseStudies.last":           {nil, nil, 2},
		"Query.caseStudies.after":          {nil, "nothing"},
		"Query.caseStudies.before":         {nil, nil, "nothing"},
		"Query.documents.first":            sizes,
		"Query.documents.last":             {nil, nil, 2},
		"Query.documents.after":            {nil, "nothing"},
		"Query.documents.before":           {nil, nil, "nothing"},
	}
}

// TestDifferential asks generated documents over the whole schema of the batch
// executor and of gqlgen alone: the answers must be the same bytes, and no document
// may take more statements than its edges allow.
func TestDifferential(t *testing.T) {
	t.Parallel()
	db := demoDB(t)
	allErrors := func(c *graph.Config) { c.MaxErrors = 1 << 20 }
	fast, plain := graphOn(t, db, allErrors), graphOn(t, db, allErrors, plainGqlgen)
	schema := gen.NewExecutableSchema(gen.Config{}).Schema()
	pools := values(t, plain)
	edges := edgeFields()
	answered, withErrors, refused := 0, 0, 0
	for i := range *queries {
		s := *seed + uint64(i)
		query, variables := querygen.New(schema, s, querygen.Options{Values: pools, Fields: 10 + i%40, Depth: 7}).Document()
		want := plain.Execute(t.Context(), params(query, variables))
		ctx, counter := pg.WithRecorder(t.Context())
		got := fast.Execute(ctx, params(query, variables))
		if want.Outcome != got.Outcome {
			t.Fatalf("seed %d: outcome %v, want %v\n%s", s, got.Outcome, want.Outcome, query)
		}
		if diff := cmp.Diff(string(want.Body), string(got.Body)); diff != "" {
			t.Fatalf("seed %d: the executor and gqlgen differ (-gqlgen +executor)\n%s\n%s\nvariables: %v", s, diff, query, variables)
		}
		a := decode(t, got.Body)
		switch {
		case a.Data == nil && len(a.Errors) > 0:
			refused++ // by a limit of the guard, or with null at the root
		case len(a.Errors) > 0:
			withErrors++
		default:
			answered++
		}
		if most, n := budget(t, schema, edges, query), counter.Statements(); n > most {
			t.Fatalf("seed %d: %d statements, and the edges of the document allow %d\n%s\n%s", s, n, most, query, strings.Join(counter.SQL(), "\n---\n"))
		}
		for _, e := range a.Errors {
			if e.Extensions["code"] == graph.Internal && e.Message != "must not be null" {
				t.Fatalf("seed %d: internal error at %v\n%s\nvariables: %v", s, e.Path, query, variables)
			}
		}
	}
	t.Logf("%d documents: %d answered, %d with errors, %d refused", *queries, answered, withErrors, refused)
	if answered < *queries/4 {
		t.Errorf("only %d of %d documents are answered without errors; the values or the shapes are bad", answered, *queries)
	}
}

// edgeFields returns the fields that ask the database, as "Type.field": those
// that gqlgen wants a resolver for.
func edgeFields() map[string]bool {
	edges := map[string]bool{}
	root := reflect.TypeFor[gen.ResolverRoot]()
	for i := range root.NumMethod() {
		m := root.Method(i)
		for j := range m.Type.Out(0).NumMethod() {
			name := []rune(m.Type.Out(0).Method(j).Name)
			name[0] = unicode.ToLower(name[0])
			edges[m.Name+"."+string(name)] = true
		}
	}
	return edges
}

// perEdge is how many statements an edge may take where it is not one: an edge to
// several types asks once for each, and a path that is not found in one place is
// looked up in another.
var perEdge = map[string]int{
	"Query.node": 1, "Query.nodes": 10,
	"Query.navigationContext": 2,
	"Query.route":             2,
	"Query.search":            2,
	"Query.rateLimit":         0,
	"MenuItem.target":         5,
	"PageRoute.content":       5,
	"SearchHit.target":        5,
	"Committee.unit":          2,
	// What finds nobody is asked whether its section and region are any.
	"Query.members":    2,
	"Query.therapists": 2,
}

// budget is how many statements the document may take: one for each edge that it
// selects, whatever the number of parents.
func budget(t *testing.T, schema *ast.Schema, edges map[string]bool, query string) int {
	t.Helper()
	doc, errs := gqlparser.LoadQueryWithRules(schema, query, rules.NewDefaultRules())
	if errs != nil {
		t.Fatalf("a generated document is not valid: %v\n%s", errs, query)
	}
	total := 0
	var walk func(set ast.SelectionSet)
	walk = func(set ast.SelectionSet) {
		for _, s := range set {
			switch s := s.(type) {
			case *ast.Field:
				// A field on an interface may be an edge of any type behind it.
				most := 0
				for _, def := range schema.GetPossibleTypes(s.ObjectDefinition) {
					name := def.Name + "." + s.Name
					if edges[name] {
						n, ok := perEdge[name]
						if !ok {
							n = 1
						}
						most += n
					}
				}
				total += most
				walk(s.SelectionSet)
			case *ast.InlineFragment:
				walk(s.SelectionSet)
			case *ast.FragmentSpread:
				walk(s.Definition.SelectionSet)
			}
		}
	}
	for _, op := range doc.Operations {
		walk(op.SelectionSet)
	}
	return total
}
