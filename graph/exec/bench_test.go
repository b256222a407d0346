package exec_test

import (
	"context"
	"encoding/json"
	"testing"

	"github.com/collegium/collegium/graph/exec/exectest"
)

const (
	treeQuery = `{ tree { ...B children { ...B children { ...B children { ...B } } } } }
		fragment B on Branch { id label depth href genre canonical }`
	targetsQuery = `{ tree { ...B children { ...B children { ...B children { ...B } } } } }
		fragment B on Branch { id label depth href target { __typename ... on Work { id title } } }`
	levelsQuery = `{ authors { id name books(first: 10) { id title pages author { id name books(first: 5) { id title author { name } } } } } }`
)

// BenchmarkExec compares the executor with gqlgen alone, and for the tree with encoding/json of the
// same structs.
func BenchmarkExec(b *testing.B) {
	plain, fast, r := servers()
	ctx := context.Background()
	for _, q := range []struct{ name, query string }{{"tree", treeQuery}, {"targets", targetsQuery}, {"levels", levelsQuery}} {
		if d := exectest.Diff(plain.Do(ctx, q.query, nil), fast.Do(ctx, q.query, nil)); d != "" {
			b.Fatal(d)
		}
		for _, s := range []struct {
			name string
			*exectest.Server
		}{{"gqlgen", plain}, {"exec", fast}} {
			b.Run(q.name+"/"+s.name, func(b *testing.B) {
				b.ReportAllocs()
				for b.Loop() {
					resp := s.Do(ctx, q.query, nil)
					b.SetBytes(int64(len(resp.Data)))
				}
				r.TakeCalls()
			})
		}
	}
	b.Run("tree/json", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			data, err := json.Marshal(r.Library.Tree)
			if err != nil {
				b.Fatal(err)
			}
			b.SetBytes(int64(len(data)))
		}
	})
}
