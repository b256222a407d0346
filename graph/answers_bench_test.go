package graph_test

import (
	"testing"

	"github.com/collegium/collegium/internal/fresh"
	"github.com/collegium/collegium/internal/server"
)

// BenchmarkRecall answers an operation from memory.
func BenchmarkRecall(b *testing.B) {
	db := demoDB(b)
	h := graphOn(b, db, keeping(b, db, fresh.Options{}))
	for _, q := range []struct{ name, query, variables string }{
		{"menu", `query Menu { menu(handle: "main") { title roots { label href children { label href } } } }`, ""},
		{"variables", `query Menu($handle: String!) { menu(handle: $handle) { title roots { label href children { label href } } } }`, `{"handle":"main"}`},
	} {
		b.Run(q.name, func(b *testing.B) {
			p := params(q.query, nil)
			if p.VariablesText = q.variables; q.variables != "" {
				p.Variables = map[string]any{"handle": "main"}
			}
			if r := h.Execute(b.Context(), p); r.Public == nil {
				b.Fatalf("not public: %s", r.Body)
			}
			b.ReportAllocs()
			kept, n := 0, 0
			for b.Loop() {
				p := server.Params{Query: q.query, VariablesText: q.variables}
				if _, ok := h.Recall(b.Context(), &p); ok {
					kept++
				}
				n++
			}
			if kept < n/2 {
				b.Errorf("%d of %d answers were kept", kept, n)
			}
		})
	}
}
