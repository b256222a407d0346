package tablegen_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/99designs/gqlgen/codegen"
	"github.com/99designs/gqlgen/codegen/config"
	"github.com/google/go-cmp/cmp"
	"github.com/vektah/gqlparser/v2/ast"

	"github.com/collegium/collegium/graph/exec/tablegen"
)

// generate runs the plugin for the fixture's schema with an addition, and returns the table.
func generate(t *testing.T, addition string, change func(*config.Config), plugin *tablegen.Plugin) (string, error) {
	t.Helper()
	t.Chdir("../internal/fixture")
	cfg, err := config.LoadConfig("gqlgen.yml")
	if err != nil {
		t.Fatal(err)
	}
	cfg.Sources = append(cfg.Sources, &ast.Source{Name: "addition.graphqls", Input: addition})
	cfg.AutoBind = append(cfg.AutoBind, "github.com/collegium/collegium/graph/exec/internal/fixture/model") // what gqlgen's own plugin would make
	cfg.Exec.DirName = t.TempDir()
	if change != nil {
		change(cfg)
	}
	if err := cfg.LoadSchema(); err != nil {
		t.Fatal(err)
	}
	if err := cfg.Init(); err != nil {
		t.Fatal(err)
	}
	data, err := codegen.BuildData(cfg)
	if err != nil {
		t.Fatal(err)
	}
	if err := plugin.MutateConfig(cfg); err != nil {
		t.Fatal(err)
	}
	if err := plugin.GenerateCode(data); err != nil {
		return "", err
	}
	text, err := os.ReadFile(filepath.Join(cfg.Exec.DirName, tablegen.Filename))
	if err != nil {
		t.Fatal(err)
	}
	return string(text), nil
}

// TestFresh states that the committed table is what the plugin writes, each time.
func TestFresh(t *testing.T) {
	want, err := os.ReadFile("../internal/fixture/gen/exec_table.go")
	if err != nil {
		t.Fatal(err)
	}
	got, err := generate(t, "", nil, &tablegen.Plugin{})
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), got); diff != "" {
		t.Errorf("run go generate ./graph/exec/internal/fixture (-committed +generated):\n%s", diff)
	}
}

func TestRefused(t *testing.T) {
	tests := []struct {
		name, addition string
		change         func(*config.Config)
		plugin         tablegen.Plugin
		want           string // in the error; none is none
	}{
		{
			name:     "a directive with code below a root",
			addition: `extend type Shelf { label2: String! @refuse }`,
			want:     "field Shelf.label2 carries the directive @refuse, which the executor doesn't run",
		},
		{
			name:     "the same on a type",
			addition: `directive @audit on OBJECT | FIELD_DEFINITION  extend type Shelf @audit`,
			want:     "field Author.shelf carries the directive @audit",
		},
		{
			name:     "… unless it is named as one that describes",
			addition: `directive @cost(weight: Int!) on FIELD_DEFINITION  extend type Shelf { label2: String! @cost(weight: 3) }`,
			plugin:   tablegen.Plugin{Descriptive: []string{"cost"}},
		},
		{
			name:     "… or has no code by configuration",
			addition: `extend type Shelf { label2: String! @note(text: "described") }`,
		},
		{
			name:     "a directive that documents may use",
			addition: `directive @upper on FIELD`,
			want:     "directive @upper may stand on any field of a query",
		},
		{
			name:     "a directive with code on an argument",
			addition: `directive @check on ARGUMENT_DEFINITION  extend type Query { checked(n: Int @check): Shelf }`,
			want:     "argument Query.checked.n carries the directive @check",
		},
		{
			name:     "… or on an input field",
			addition: `directive @check on INPUT_FIELD_DEFINITION  extend input BookFilter { n: Int @check }`,
			want:     "input field BookFilter.n carries the directive @check",
		},
		{
			name:   "resolvers for single parents",
			change: func(c *config.Config) { c.Resolver.Batch.Enabled = false },
			want:   "field Author.books has a resolver that is called for each parent: make it a batch resolver",
		},
		{
			name:     "a map for an object",
			addition: `type Free { id: ID! } extend type Shelf { free: Free }`,
			change: func(c *config.Config) {
				c.Models["Free"] = config.TypeMapEntry{Model: config.StringList{"map[string]any"}}
			},
			want: "type Free is bound to map[string]",
		},
		{
			name:     "a root below a root",
			addition: `extend type Shelf { query: Query! }`,
			want:     "field Shelf.query has the root type Query",
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			_, err := generate(t, tt.addition, tt.change, &tt.plugin)
			switch {
			case err == nil && tt.want != "":
				t.Errorf("no error, want %q", tt.want)
			case err != nil && tt.want == "":
				t.Errorf("error %v", err)
			case err != nil && !strings.Contains(err.Error(), tt.want):
				t.Errorf("error %v, want %q in it", err, tt.want)
			}
		})
	}
}
