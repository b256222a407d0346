package graph_test

import (
	"testing"

	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/collegium/collegium/graph"
	"github.com/collegium/collegium/internal/fresh"
	"github.com/collegium/collegium/internal/server"
)

// keeping makes a handler keep answers.
func keeping(t testing.TB, db *pgxpool.Pool) func(*graph.Config) {
	t.Helper()
	w := fresh.NewWatcher(db.Config().ConnConfig, fresh.Options{})
	t.Cleanup(w.Close)
	if !w.Fresh(t.Context()) {
		t.Fatal("a new watcher is not fresh")
	}
	return func(c *graph.Config) { c.Watcher, c.Answers = w, true }
}

func TestAnswersAreKeptUntilAWrite(t *testing.T) {
	t.Parallel()
	db := demoDB(t)
	h := graphOn(t, db, keeping(t, db))
	p := params(`{ menu(handle: "main") { title } }`, nil)
	for i, want := range []server.Source{server.FromExecution, server.FromMemory, server.FromMemory} {
		r := h.Execute(t.Context(), p)
		if r.Public == nil || r.From != want {
			t.Fatalf("request %d: %+v, want an answer from %v", i, r, want)
		}
	}
	if _, err := db.Exec(t.Context(), `UPDATE menus SET title = 'Another' WHERE handle = 'main'`); err != nil {
		t.Fatal(err)
	}
	t.Log(h.AnswerStats())
}
