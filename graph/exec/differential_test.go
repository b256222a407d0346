package exec_test

import (
	"context"
	"flag"
	"testing"

	"github.com/99designs/gqlgen/graphql"
	"github.com/collegium/collegium/graph/exec"
	"github.com/collegium/collegium/graph/exec/exectest"
	"github.com/collegium/collegium/graph/exec/internal/fixture"
	"github.com/collegium/collegium/graph/exec/internal/fixture/gen"
	"github.com/collegium/collegium/graph/exec/internal/fixture/library"
	"github.com/collegium/collegium/graph/exec/querygen"
	"github.com/vektah/gqlparser/v2/ast"
)

var (
	queries = flag.Int("queries", 2000, "how many generated documents the differential test runs")
	seed    = flag.Uint64("seed", 1, "the seed of the first generated document")
)

// servers returns the fixture by gqlgen alone and with the executor, over one resolver.
func servers() (plain, fast *exectest.Server, r *fixture.Resolver) {
	r = &fixture.Resolver{Library: library.New()}
	schema := gen.NewExecutableSchema(r.Config())
	return exectest.New(schema, nil), exectest.New(schema, exec.New(gen.NewExecTable(r.Config()))), r
}

func schema() *ast.Schema { return gen.NewExecutableSchema(gen.Config{}).Schema() }

var pools = map[string][]any{
	"ID":                  {"a1", "a3", "a6", "a9", "b0", "b4", "b7", "f1", "f5", "x1", "none"},
	"Day":                 {"2020-02-29", "1999-01-01", "nonsense", "panic"},
	"Author.books.since":  {"2020-02-29", "1999-01-01", "nonsense"},
	"BookFilter.minPages": {-1, 0, 200, 1500},
	"Grams":               {0, 5, "heavy"},
	"Box.made.n":          {0, 1, 2, 4},
	"Book.parts.depth":    {-1, 0, 2},
	"Query.authors.first": {0, 2, 5, 10},
	"Query.boxes.first":   {0, 3, 7},
}

func TestDifferential(t *testing.T) {
	t.Parallel()
	plain, fast, _ := servers()
	ctx := context.Background()
	failures, withData, withErrors := 0, 0, 0
	for i := range *queries {
		s := *seed + uint64(i)
		opts := querygen.Options{Values: pools, Fields: 20 + i%60}
		if i%10 == 9 {
			opts.Operation = ast.Mutation
		}
		query, vars := querygen.New(schema(), s, opts).Document()
		want := plain.Do(ctx, query, vars)
		if invalid(want) {
			t.Fatalf("seed %d makes an invalid document: %v\n%s", s, want.Errors, query)
		}
		if len(want.Errors) > 0 {
			withErrors++
		}
		if len(want.Data) > 100 {
			withData++
		}
		for range 2 { // planned afresh, and with the plan kept
			if d := exectest.Diff(want, fast.Do(ctx, query, vars)); d != "" {
				t.Errorf("seed %d: %s\n%s\nvariables %v", s, d, query, vars)
				failures++
				break
			}
		}
		if failures > 5 {
			t.FailNow()
		}
	}
	t.Logf("%d documents, %d with errors, %d with more than 100 bytes of data", *queries, withErrors, withData)
	if withData < *queries/4 || withErrors < *queries/10 || withErrors > *queries*9/10 {
		t.Errorf("the documents test too little: of %d, %d have errors and %d have data", *queries, withErrors, withData)
	}
}

// invalid tells whether the document was refused before it ran.
func invalid(r *graphql.Response) bool { return r.Data == nil && len(r.Errors) > 0 }
