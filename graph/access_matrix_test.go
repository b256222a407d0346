package graph_test

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/vektah/gqlparser/v2/ast"

	"github.com/collegium/collegium/graph"
	"github.com/collegium/collegium/graph/gen"
	"github.com/collegium/collegium/internal/viewer"
)

const accessPage = "../docs/access.md"

// standings are what the columns of the table of permissions stand for.
var standings = []struct {
	name string
	is   viewer.Standing
}{
	{"anonymous", 0},
	{"signed in", viewer.SignedIn},
	{"on the register", viewer.SignedIn | viewer.HasRecord},
	{"member", viewer.SignedIn | viewer.HasRecord | viewer.CurrentMember},
	{"section officer", viewer.SignedIn | viewer.HasRecord | viewer.CurrentMember | viewer.SectionOfficer},
	{"editor", viewer.SignedIn | viewer.Editor},
	{"membership officer", viewer.SignedIn | viewer.MembershipOfficer},
	{"administrator", viewer.SignedIn | viewer.Administrator},
	{"key: content", viewer.KeyContent},
	{"key: directory", viewer.KeyDirectory},
	{"key: members", viewer.KeyMembers},
	{"key: statistics", viewer.KeyStatistics},
}

// TestAccessPage writes docs/access.md and wants it to be what it is: who may do what, who
// may ask which root field, and which fields of which types each role of the demo body
// was shown. The first two are read from the table of permissions and the schema; the third is
// seen: every field of every type is asked as each role.
func TestAccessPage(t *testing.T) {
	t.Parallel()
	inTurn(t)
	var b strings.Builder
	b.WriteString(`# Who may do what, and who sees what

This page is written by a test: ` + "`go test ./graph -run TestAccessPage -update`" + `. The table of permissions is the one in
` + "`internal/viewer/permission.go`" + `: the directive ` + "`@requires`" + ` of the schema and the policies of the database refer to it.

## Permissions

`)
	header := []string{"permission"}
	for _, s := range standings {
		header = append(header, s.name)
	}
	row(&b, header...)
	row(&b, slices.Repeat([]string{"---"}, len(header))...)
	for _, r := range viewer.Rules {
		cells := []string{"`" + string(r.Permission) + "`"}
		for _, s := range standings {
			cells = append(cells, mark(viewer.New(s.is).May(r.Permission)))
		}
		row(&b, cells...)
	}
	schema := gen.NewExecutableSchema(gen.Config{}).Schema()
	b.WriteString("\n## Changes\n\nEach mutation asks for a permission; one that does not would stop the service from starting. Whose things may be changed is\ndecided by the statement that changes them.\n\n")
	row(&b, "mutation", "needs")
	row(&b, "---", "---")
	for _, f := range schema.Mutation.Fields {
		row(&b, "`"+f.Name+"`", "`"+needs(f)+"`")
	}
	b.WriteString("\n## Questions that not everyone may ask\n\n")
	row(&b, "query", "needs")
	row(&b, "---", "---")
	for _, f := range schema.Query.Fields {
		if n := needs(f); n != "" {
			row(&b, "`"+f.Name+"`", "`"+n+"`")
		}
	}
	b.WriteString(`
## What each role is shown

Every field of every type, asked as each role of the demo body, as somebody whose application waits, and with a key of a partner that has every scope, on every
way to it that is tried: "yes" if there was a value, "own" if there was one only
below ` + "`viewer`" + ` or ` + "`viewAs`" + `, which are about whoever asks. Nothing stands where there was none: the role may not see it.

`)
	db := demoDB(t)
	h := graphOn(t, db)
	pools := values(t, h)
	live(t, db, pools)
	for _, m := range list(data(t, h, `{ members(first: 3) { nodes { id } } }`, nil), "members", "nodes") {
		pools["Query.member.id"] = append(pools["Query.member.id"], at(m, "id"))
	}
	as := map[string]context.Context{"anonymous": t.Context(), "key": withKey(t, h, db)}
	for _, role := range append(slices.Clone(roles), "applicant") {
		as[role] = signedIn(t, h, db, role)
	}
	header = slices.Concat([]string{"field", "anonymous", "applicant"}, roles, []string{"key"})
	row(&b, header...)
	row(&b, slices.Repeat([]string{"---"}, len(header))...)
	shown := map[string]map[string]string{}
	for _, role := range header[1:] {
		shown[role] = showTo(t, h, as[role], schema, pools)
	}
	unseen := 0
	for _, name := range slices.Sorted(maps.Keys(schema.Types)) {
		def := schema.Types[name]
		if def.Kind != ast.Object || strings.HasPrefix(name, "__") || def == schema.Mutation || def == schema.Query || strings.HasSuffix(name, "Payload") || name == "UserError" {
			continue
		}
		for _, f := range def.Fields {
			key := name + "." + f.Name
			cells, any := []string{"`" + key + "`"}, false
			for _, role := range header[1:] {
				cells = append(cells, shown[role][key])
				any = any || shown[role][key] != ""
			}
			if !any {
				unseen++
			}
			row(&b, cells...)
		}
	}
	got := b.String()
	if *update {
		if err := os.WriteFile(accessPage, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	// What the demo body has depends on the day. So a value that is missing is no
	// difference, and one that the page does not know is.
	page := mustRead(t, accessPage)
	if diff := cmp.Diff(withoutCells(page, ""), withoutCells(got, page)); diff != "" {
		t.Errorf("docs/access.md says otherwise; look at the difference, then run go test ./graph -run TestAccessPage -update (-want +got)\n%s", diff)
	}
	t.Logf("%d fields were seen by nobody", unseen)
}

// withoutCells returns a page without the cells of fields, but for those that known does
// not have, if it is given.
func withoutCells(page, known string) []string {
	has := map[string][]string{}
	for line := range strings.Lines(known) {
		cells := strings.Split(line, "|")
		has[cells[min(1, len(cells)-1)]] = cells
	}
	var lines []string
	for line := range strings.Lines(page) {
		cells := strings.Split(line, "|")
		if len(cells) == len(roles)+6 && strings.Contains(cells[1], ".") {
			before := has[cells[1]]
			for i := 2; i < len(cells)-1; i++ {
				if known == "" || len(before) == len(cells) && (before[i] == cells[i] || strings.TrimSpace(cells[i]) == "" || strings.TrimSpace(before[i]) == "yes") {
					cells[i] = ""
				}
			}
			line = strings.Join(cells, "|")
		}
		lines = append(lines, line)
	}
	return lines
}

func row(b *strings.Builder, cells ...string) { fmt.Fprintf(b, "| %s |\n", strings.Join(cells, " | ")) }

func mark(yes bool) string {
	if yes {
		return "yes"
	}
	return ""
}

// needs returns the permission that a root field asks for.
func needs(f *ast.FieldDefinition) string {
	if d := f.Directives.ForName("requires"); d != nil {
		return d.Arguments.ForName("permission").Value.Raw
	}
	return ""
}

// literal is a value as it stands in a document.
type literal string

// A way leads to a type: fields with their arguments, from the root.
type way struct {
	steps []*ast.FieldDefinition
	types []string // the type on which each step is selected
	args  []string // of each step
}

// waysTo returns some ways to each object type, the shortest first.
func waysTo(schema *ast.Schema, pools map[string][]any, most int) map[string][]way {
	ways := map[string][]way{}
	queue := []struct {
		def *ast.Definition
		way
	}{{def: schema.Query}}
	for len(queue) > 0 {
		at := queue[0]
		queue = queue[1:]
		for _, f := range at.def.Fields {
			target := schema.Types[f.Type.Name()]
			if strings.HasPrefix(f.Name, "__") || target.Kind == ast.Scalar || target.Kind == ast.Enum || len(at.steps) > 5 || target.Name == "Node" {
				continue // an ID leads where the other ways lead
			}
			for _, args := range arguments(schema, pools, at.def.Name, f) {
				next := way{
					steps: append(slices.Clone(at.steps), f), types: append(slices.Clone(at.types), at.def.Name), args: append(slices.Clone(at.args), args),
				}
				for _, def := range schema.GetPossibleTypes(target) {
					// What is the viewer's own is another way than what is others', and other
					// arguments are hardly another way.
					paths, same := map[string]bool{}, 0
					for _, w := range ways[def.Name] {
						if w.own() == next.own() {
							paths[w.path()] = true
						}
						if w.path() == next.path() {
							same++
						}
					}
					if same < 4 && (paths[next.path()] || len(paths) < most) {
						ways[def.Name] = append(ways[def.Name], next)
						queue = append(queue, struct {
							def *ast.Definition
							way
						}{def, next})
					}
				}
			}
		}
	}
	return ways
}

func (w way) path() string {
	var b strings.Builder
	for i, f := range w.steps {
		b.WriteString(w.types[i] + "." + f.Name + " ")
	}
	return b.String()
}

// own says whether a way leads to who asks.
func (w way) own() bool { return w.steps[0].Name == "viewer" || w.steps[0].Name == "viewAs" }

// keys are those of objects in JSON, which GraphQL writes without quotes.
var keys = regexp.MustCompile(`"([A-Za-z]+)":`)

// arguments returns the ways to fill the arguments of a field: those that it needs with each
// value of their pool, and pages with more than the first rows. None if one has no pool.
func arguments(schema *ast.Schema, pools map[string][]any, typ string, f *ast.FieldDefinition) []string {
	all := []string{""}
	for _, a := range f.Arguments {
		var texts []string
		switch {
		case a.Name == "first":
			texts = []string{"first: 20"}
		case a.Type.NonNull && a.DefaultValue == nil:
			if def := schema.Types[a.Type.Name()]; def.Kind == ast.Enum {
				for _, v := range def.EnumValues {
					texts = append(texts, a.Name+": "+v.Name)
				}
			}
			pool := pools[typ+"."+f.Name+"."+a.Name]
			if pool == nil {
				pool = pools[a.Type.Name()]
			}
			for _, v := range pool {
				text, err := json.Marshal(v)
				if l, ok := v.(literal); ok {
					text = []byte(l)
				}
				if err == nil && v != nil && v != "" && v != "nothing" && v != "wrong" && v != "nonsense" {
					texts = append(texts, a.Name+": "+keys.ReplaceAllString(string(text), "$1: "))
				}
			}
			if a.Type.Elem != nil { // a list of IDs
				texts = nil
			}
			if len(texts) == 0 {
				return nil
			}
			texts = texts[:min(len(texts), 12)]
		default:
			for _, v := range pools[typ+"."+f.Name+"."+a.Name] {
				if l, ok := v.(literal); ok {
					texts = append(texts, a.Name+": "+string(l))
				}
			}
			if texts == nil {
				continue
			}
			texts = append(texts, "")
		}
		var more []string
		for _, before := range all {
			for _, text := range texts {
				more = append(more, strings.Trim(before+", "+text, ", "))
			}
		}
		all = more
	}
	return all
}

// showTo asks every field of every type as somebody, and returns for "Type.field" whether there
// was a value.
func showTo(t *testing.T, h *graph.Handler, ctx context.Context, schema *ast.Schema, pools map[string][]any) map[string]string {
	shown := map[string]string{}
	for name, ways := range waysTo(schema, pools, 6) {
		def := schema.Types[name]
		for _, w := range ways {
			query, ok := w.query(schema, def, pools)
			if !ok {
				continue
			}
			a := decode(t, h.Execute(ctx, params(query, nil)).Body)
			for _, e := range a.Errors {
				if code := e.Extensions["code"]; code == graph.ValidationFailed || code == graph.ParseFailed || code == graph.Internal {
					t.Fatalf("%s\n%s", query, e.Message)
				}
			}
			var leaves []any
			collectAt(a.Data, w.steps, &leaves)
			for _, leaf := range leaves {
				if at(leaf, "__typename") != name {
					continue
				}
				for _, f := range def.Fields {
					v := at(leaf, f.Name)
					if l, ok := v.([]any); v == nil || ok && len(l) == 0 {
						continue
					}
					key := name + "." + f.Name
					if !w.own() {
						shown[key] = "yes"
					} else if shown[key] == "" {
						shown[key] = "own"
					}
				}
			}
		}
	}
	return shown
}

// query returns the document that goes a way and asks for all fields of the type at its end;
// false if there is none to ask for.
func (w way) query(schema *ast.Schema, def *ast.Definition, pools map[string][]any) (string, bool) {
	var fields []string
	for _, f := range def.Fields {
		if strings.HasPrefix(f.Name, "__") {
			continue
		}
		fill := arguments(schema, pools, def.Name, f)
		if len(fill) == 0 {
			continue
		}
		text := f.Name
		if fill[0] != "" {
			text += "(" + fill[0] + ")"
		}
		if target := schema.Types[f.Type.Name()]; target.Kind != ast.Scalar && target.Kind != ast.Enum {
			text += " { __typename }"
		}
		fields = append(fields, text)
	}
	query := "__typename " + strings.Join(fields, " ")
	if def != schema.Types[w.steps[len(w.steps)-1].Type.Name()] {
		query = "__typename ... on " + def.Name + " { " + query + " }"
	}
	for i := len(w.steps) - 1; i >= 0; i-- {
		text := w.steps[i].Name
		if w.args[i] != "" {
			text += "(" + w.args[i] + ")"
		}
		query = text + " { " + query + " }"
		if i > 0 && schema.Types[w.steps[i-1].Type.Name()].Kind != ast.Object {
			query = "... on " + w.types[i] + " { " + query + " }"
		}
	}
	return "{ " + query + " }", len(fields) > 0
}

// collectAt gathers the objects at the end of a way.
func collectAt(v any, steps []*ast.FieldDefinition, into *[]any) {
	switch x := v.(type) {
	case []any:
		for _, e := range x {
			collectAt(e, steps, into)
		}
	case map[string]any:
		if len(steps) == 0 {
			*into = append(*into, x)
			return
		}
		collectAt(x[steps[0].Name], steps[1:], into)
	}
}
