package graph_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/collegium/collegium/graph"
	"github.com/collegium/collegium/graph/gen"
)

// sample returns an ID of each kind of parent: n of them, repeated if the demo
// body has fewer.
func sample(t *testing.T, ids []any, n int) []any {
	t.Helper()
	if len(ids) == 0 {
		t.Fatal("no parents to ask of")
	}
	out := make([]any, n)
	for i := range out {
		out[i] = ids[i%len(ids)]
	}
	return out
}

// TestStatementsDoNotGrow asks every edge of every type of 1, 10 and 100 parents:
// the number of statements is the same.
func TestStatementsDoNotGrow(t *testing.T) {
	t.Parallel()
	db := demoDB(t)
	t.Run("reference data in the database", func(t *testing.T) { testStatementsDoNotGrow(t, graphOn(t, db)) })
	t.Run("reference data in memory", func(t *testing.T) {
		h := graphOn(t, db, withReference(t, db))
		awaitReference(t, h, anyone)
		testStatementsDoNotGrow(t, h)
	})
}

func testStatementsDoNotGrow(t *testing.T, h *graph.Handler) {
	schema := gen.NewExecutableSchema(gen.Config{}).Schema()
	got := data(t, h, `{
		menu(handle: "main") { id items { id } }
		pages: page(path: "/about-us") { id children { id } }
		specialistSections { id }
		regions { id }
		committees { id posts { id } }
		caseStudies { nodes { id document { id } } }
		members(first: 100) { nodes { id } }
	}`, nil)
	ids := map[string][]any{}
	collect := func(typeName string, l []any) {
		for _, e := range l {
			ids[typeName] = append(ids[typeName], at(e, "id"))
		}
	}
	collect("Menu", []any{got["menu"]})
	collect("MenuItem", list(got, "menu", "items"))
	collect("Page", list(got, "pages", "children"))
	collect("SpecialistSection", list(got, "specialistSections"))
	collect("Region", list(got, "regions"))
	collect("Committee", list(got, "committees"))
	for _, c := range list(got, "committees") {
		collect("Post", list(c, "posts"))
	}
	collect("CaseStudy", list(got, "caseStudies", "nodes"))
	for _, c := range list(got, "caseStudies", "nodes") {
		collect("Document", []any{at(c, "document")})
	}
	collect("Member", list(got, "members", "nodes"))

	tested := 0
	for name := range edgeFields() {
		typeName, field, _ := strings.Cut(name, ".")
		if ids[typeName] == nil {
			continue // a root, or below one of these
		}
		tested++
		inside := ""
		if def := schema.Types[schema.Types[typeName].Fields.ForName(field).Type.Name()]; def.IsCompositeType() {
			inside = "{ __typename }"
		}
		query := fmt.Sprintf(`query($ids: [ID!]!) { nodes(ids: $ids) { ... on %s { %s %s } } }`, typeName, field, inside)
		var counts []int
		for _, n := range []int{1, 10, 100} {
			counts = append(counts, statements(t, h, query, map[string]any{"ids": sample(t, ids[typeName], n)}))
		}
		// A menu item leads to one kind of thing, a hundred lead to several.
		if typeName+"."+field == "MenuItem.target" || typeName+"."+field == "Committee.unit" {
			if most := 1 + perEdge[name]; slices.Max(counts) > most {
				t.Errorf("%s: %v statements for 1, 10 and 100 parents, want at most %d", name, counts, most)
			}
			continue
		}
		if counts[0] != counts[1] || counts[1] != counts[2] || counts[2] > 2 {
			t.Errorf("%s: %v statements for 1, 10 and 100 parents, want the same and at most 2", name, counts)
		}
	}
	if tested < 30 {
		t.Errorf("only %d edges were asked; are the types named right?", tested)
	}
}

// TestStatementBudgets states what the questions of a page cost.
func TestStatementBudgets(t *testing.T) {
	t.Parallel()
	h := graphOn(t, demoDB(t))
	for name, tt := range map[string]struct {
		query string
		most  int
	}{
		"the main menu":                                   {`{ menu(handle: "main") { roots { label children { label children { label children { label } } } } } }`, 1},
		"the main menu with all its targets":              {`{ menu(handle: "main") { items { label target { __typename ... on Page { title summary } ... on SpecialistSection { name } ... on Region { name } } } } }`, 6},
		"the main menu with targets and other placements": {`{ menu(handle: "main") { items { label alsoAt { label } target { __typename } } } }`, 6},
		"13 regions, members, sections":                   {`{ regions { name members(first: 10) { nodes { displayName sections { name } } } } }`, 3},
		"five levels":                                     {`{ regions { members(first: 5) { nodes { sections { members(first: 5) { nodes { region { name } } } } } } } }`, 5},
		"case studies with member and region":             {`{ caseStudies { nodes { person member { displayName region { name } } region { name } } } }`, 4},
		"every committee with its holders":                {`{ committees { name posts { title holders { member { displayName } } } } }`, 4},
		"a page by its path":                              {`{ route(path: "/advanced-practice") { ... on PageRoute { breadcrumbs { title } trail { label } page { title blocks { __typename ... on CaseStudyListBlock { caseStudies { person document { sizeLabel } } } } } } } }`, 7},
		"search with its targets":                         {`{ search(query: "occupational therapy") { facets { kind count } nodes { title target { __typename } } } }`, 7},
		"suggestions":                                     {`{ suggest(prefix: "occ") { title } }`, 1},
	} {
		if n := statements(t, h, tt.query, nil); n > tt.most {
			t.Errorf("%s: %d statements, want at most %d", name, n, tt.most)
		} else {
			t.Logf("%s: %d statements", name, n)
		}
	}
}
