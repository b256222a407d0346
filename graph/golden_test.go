package graph_test

import (
	"bytes"
	"context"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/rogpeppe/go-internal/txtar"
)

// TestGolden asks the queries of testdata/queries of the demo body, and of each
// wants the answer that stands beside it, with the reference data in the database and
// in memory. An archive holds query.graphql, maybe variables.json, and want.json, which
// is what everyone is answered; and maybe want.ROLE.json for each role that is answered
// otherwise. Each query is asked as each role.
func TestGolden(t *testing.T) {
	t.Parallel()
	files, err := filepath.Glob("testdata/queries/*.txtar")
	if err != nil || len(files) == 0 {
		t.Fatalf("no golden queries: %v", err)
	}
	db := demoDB(t)
	stored, held := graphOn(t, db), graphOn(t, db, withReference(t, db))
	awaitReference(t, held, anyone)
	as := map[string]context.Context{}
	for _, role := range append([]string{"anonymous"}, roles...) {
		as[role] = signedIn(t, stored, db, role)
	}
	asked := map[string]bool{}
	for _, file := range files {
		t.Run(strings.TrimSuffix(filepath.Base(file), ".txtar"), func(t *testing.T) {
			archive, err := txtar.ParseFile(file)
			if err != nil {
				t.Fatal(err)
			}
			parts := map[string][]byte{}
			for _, f := range archive.Files {
				parts[f.Name] = f.Data
			}
			var variables map[string]any
			if v := parts["variables.json"]; v != nil {
				d := json.NewDecoder(bytes.NewReader(v))
				d.UseNumber()
				if err := d.Decode(&variables); err != nil {
					t.Fatalf("variables.json: %v", err)
				}
			}
			ask := params(string(parts["query.graphql"]), variables)
			kept := archive.Files[:0]
			for _, f := range archive.Files {
				if !strings.HasPrefix(f.Name, "want.") {
					kept = append(kept, f)
				}
			}
			var everyone string
			for _, role := range append([]string{"anonymous"}, roles...) {
				name := "want." + role + ".json"
				if role == "anonymous" {
					name = "want.json"
				}
				result := stored.Execute(as[role], ask)
				if diff := cmp.Diff(string(result.Body), string(held.Execute(as[role], ask).Body)); diff != "" {
					t.Errorf("answer to %s (-database +memory)\n%s", role, diff)
				}
				var got bytes.Buffer
				if err := json.Indent(&got, result.Body, "", "  "); err != nil {
					t.Fatalf("the answer is no JSON: %v\n%s", err, result.Body)
				}
				got.WriteByte('\n')
				for root := range decode(t, result.Body).Data {
					asked[root] = true
				}
				if role == "anonymous" {
					everyone = got.String()
				}
				if *update {
					if role == "anonymous" || got.String() != everyone {
						kept = append(kept, txtar.File{Name: name, Data: got.Bytes()})
					}
					continue
				}
				want, differs := parts[name]
				if !differs {
					want = parts["want.json"]
				}
				if diff := cmp.Diff(string(want), got.String()); diff != "" {
					t.Errorf("answer to %s (-want +got)\n%s", role, diff)
				}
			}
			if *update {
				archive.Files = kept
				if err := os.WriteFile(file, txtar.Format(archive), 0o644); err != nil {
					t.Fatal(err)
				}
			}
		})
	}
	schema := parseSchema(t, "schema", mustRead(t, goldenSchema))
	for _, f := range schema.Query.Fields {
		if !strings.HasPrefix(f.Name, "__") && !asked[f.Name] {
			t.Errorf("no golden query asks for %s", f.Name)
		}
	}
}

func mustRead(t testing.TB, name string) string {
	t.Helper()
	b, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}
