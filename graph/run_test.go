package graph_test

import (
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"testing"

	"github.com/collegium/collegium/graph"
	"github.com/collegium/collegium/internal/identity"
)

// alone returns a handler without a database. It answers __typename and rateLimit.
func alone(t testing.TB, change ...func(*graph.Config)) *graph.Handler {
	t.Helper()
	c := graph.DefaultConfig()
	c.Log = slog.New(slog.DiscardHandler)
	for _, f := range change {
		f(&c)
	}
	h, err := graph.NewHandlerOf(graph.NewResolver(nil, &identity.Store{}), c)
	if err != nil {
		t.Fatal(err)
	}
	return h
}

// TestBodiesAreSharedByNobody answers many operations at once and reads each answer
// late, just before its memory is used again.
func TestBodiesAreSharedByNobody(t *testing.T) {
	t.Parallel()
	h := alone(t)
	var wait sync.WaitGroup
	for g := range 4 {
		wait.Go(func() {
			for i := range 300 {
				first, second := fmt.Sprintf("a%dx%d", g, i), strings.Repeat("b", 1+(i*g)%60)
				one := h.Execute(t.Context(), params("{ "+first+": __typename }", nil))
				two := h.Execute(t.Context(), params("{ "+second+": __typename }", nil))
				if got, want := string(one.Body), `{"data":{"`+first+`":"Query"}}`; got != want {
					t.Errorf("the answer is %s, want %s", got, want)
				}
				one.Release()
				if got, want := string(two.Body), `{"data":{"`+second+`":"Query"}}`; got != want {
					t.Errorf("the answer is %s, want %s", got, want)
				}
				two.Release()
			}
		})
	}
	wait.Wait()
}

// TestPlansAreWeighed asks documents with ever other variables in @skip: the plans
// that this makes count as memory of the documents, and are bounded with them.
func TestPlansAreWeighed(t *testing.T) {
	t.Parallel()
	const room = 2 << 20
	h := alone(t, func(c *graph.Config) { c.DocumentBytes, c.Documents = room, 10_000 })
	ask := func(document int, skip int) {
		var head, fields strings.Builder
		variables := map[string]any{}
		for i := range 8 {
			fmt.Fprintf(&head, "$v%d: Boolean! ", i)
			fmt.Fprintf(&fields, "l%d: limit c%d: cost @skip(if: $v%d) ", i, i, i)
			variables[fmt.Sprintf("v%d", i)] = skip>>i&1 == 1
		}
		query := fmt.Sprintf("query Q%d(%s) { rateLimit { %s } }", document, &head, &fields)
		r := h.Execute(t.Context(), params(query, variables))
		if r.Errors > 0 {
			t.Fatalf("%s: %s", query, r.Body)
		}
		r.Release()
	}
	ask(0, 0)
	once := h.DocumentStats().Bytes
	for i := range 12 {
		ask(0, i)
	}
	if twelve := h.DocumentStats().Bytes; twelve < 2*once {
		t.Errorf("with 12 plans a document weighs %d, with one %d", twelve, once)
	}
	for i := range 100 {
		ask(0, i)
	}
	if many := h.DocumentStats().Bytes; many > room/4 {
		t.Errorf("a document weighs %d with all of its plans", many)
	}
	for document := range 400 {
		for i := range 24 {
			ask(document, i)
		}
	}
	if s := h.DocumentStats(); s.Bytes > room+room/10 || s.Kept > 200 {
		t.Errorf("%d documents with %d bytes are kept, want at most %d bytes", s.Kept, s.Bytes, room)
	}
}
