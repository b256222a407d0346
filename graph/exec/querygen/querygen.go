// Package querygen makes random documents that are valid by construction, to compare two executions of the
// same schema with each other.
//
// A document has aliases, fields selected twice (which merge), named and inline fragments on objects,
// interfaces and unions, @skip and @include by literal and by variable, and arguments of every input
// type, literal and by variable. Its size is bounded after the expansion of fragments.
package querygen

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"

	"github.com/vektah/gqlparser/v2/ast"
)

// Options say what documents look like. The zero value is a fair default.
type Options struct {
	// Depth bounds the nesting of fields: 6 unless set.
	Depth int
	// Fields bounds the fields of a document after the expansion of fragments: 60 unless set.
	Fields int
	// Operation is the operation: ast.Query unless set.
	Operation ast.Operation
	// Values are pools of values for arguments and the fields of input objects. The key is
	// "Type.field.argument", "Input.field" or the name of an input type, such as "Date"; the first of
	// these that is there counts. The values are as in JSON: nil, bool, int, float64, string, []any and
	// map[string]any; an enum value is a string. Built-in scalars, enums and input objects need none; an argument of
	// another scalar is left out if it may be, and otherwise its field is not selected.
	Values map[string][]any
	// Skip tells which fields of which types never to select.
	Skip func(typ, field string) bool
	// Prefer tells which root fields to choose from; all of them if it is empty.
	Prefer []string
}

// Generator makes documents for a schema.
type Generator struct {
	schema *ast.Schema
	rand   *rand.Rand
	opts   Options
}

// New returns a generator. Generators with the same schema, seed and options make the same documents.
func New(schema *ast.Schema, seed uint64, opts Options) *Generator {
	if opts.Depth == 0 {
		opts.Depth = 6
	}
	if opts.Fields == 0 {
		opts.Fields = 60
	}
	if opts.Operation == "" {
		opts.Operation = ast.Query
	}
	return &Generator{schema: schema, rand: rand.New(rand.NewPCG(seed, 0x636f6c6c)), opts: opts}
}

// Document returns the next document and the values of its variables, as in JSON.
func (g *Generator) Document() (query string, variables map[string]any) {
	d := &document{Generator: g, left: g.opts.Fields, keys: map[string]string{}, values: map[string]any{}}
	root := g.schema.Query
	if g.opts.Operation == ast.Mutation {
		root = g.schema.Mutation
	}
	body := d.selectionSet(root, 0, "")

	var b strings.Builder
	b.WriteString(string(g.opts.Operation))
	if len(d.vars) > 0 {
		b.WriteString(" Q(" + strings.Join(d.vars, ", ") + ")")
	}
	b.WriteString(" " + body + "\n")
	for _, f := range d.fragments {
		b.WriteString("fragment " + f.name + " on " + f.on.Name + " " + f.body + "\n")
	}
	return b.String(), d.values
}

// document is a document in the making.
type document struct {
	*Generator
	left      int               // fields that may still be selected
	keys      map[string]string // what each response key means, in the whole document
	vars      []string          // definitions
	values    map[string]any    // of variables
	flags     []string          // variables for directives
	fragments []fragment        // finished ones
	named     int
}

type fragment struct {
	name, body string
	on         *ast.Definition
	size       int
	depth      int
}

func (g *Generator) chance(percent int) bool { return g.rand.IntN(100) < percent }

// selectionSet writes the braces and what is in them. A response key means the same field with
// the same arguments everywhere in the document, so that any two selections can be merged.
func (d *document) selectionSet(def *ast.Definition, depth int, indent string) string {
	inner := indent + "  "
	var lines []string
	for range 1 + d.rand.IntN(4) + d.rand.IntN(2)*d.rand.IntN(4) {
		if d.left <= 0 {
			break
		}
		if line := d.selection(def, depth, inner); line != "" {
			lines = append(lines, inner+line)
			if d.chance(8) { // once more, to be merged
				lines = append(lines, inner+line)
			}
		}
	}
	if len(lines) == 0 {
		lines = append(lines, inner+"__typename")
	}
	return "{\n" + strings.Join(lines, "\n") + "\n" + indent + "}"
}

func (d *document) selection(def *ast.Definition, depth int, indent string) string {
	abstract := def.Kind == ast.Interface || def.Kind == ast.Union
	n := d.rand.IntN(100)
	switch {
	case abstract && n < 55, depth > 0 && n < 12:
		return d.inlineFragment(def, depth, indent)
	case n < 62 && abstract, depth > 0 && n < 18:
		return d.spread(def, depth)
	case n < 68 && depth > 0:
		return d.typename()
	}
	return d.field(def, depth, indent)
}

func (d *document) typename() string {
	d.left--
	if d.chance(80) {
		return "__typename" + d.directives()
	}
	return d.key("typename", "__typename") + ": __typename" + d.directives()
}

func (d *document) inlineFragment(def *ast.Definition, depth int, indent string) string {
	on := def
	head := "..."
	if d.chance(85) {
		on = d.overlapping(def)
		head = "... on " + on.Name
	}
	return head + d.directives() + " " + d.selectionSet(on, depth, indent)
}

// overlapping returns a type that a fragment inside def may name.
func (d *document) overlapping(def *ast.Definition) *ast.Definition {
	var all []*ast.Definition
	for _, t := range d.schema.GetPossibleTypes(def) {
		for _, i := range d.schema.GetImplements(t) {
			if !slices.Contains(all, i) {
				all = append(all, i)
			}
		}
		if !slices.Contains(all, t) {
			all = append(all, t, t)
		}
	}
	// The schema keeps its types in maps.
	slices.SortFunc(all, func(a, b *ast.Definition) int { return strings.Compare(a.Name, b.Name) })
	return all[d.rand.IntN(len(all))]
}

func (d *document) spread(def *ast.Definition, depth int) string {
	var fit []fragment
	for _, f := range d.fragments {
		if f.size <= d.left && depth+f.depth <= d.opts.Depth && d.overlaps(def, f.on) {
			fit = append(fit, f)
		}
	}
	if len(fit) > 0 && d.chance(60) {
		f := fit[d.rand.IntN(len(fit))]
		d.left -= f.size
		return "..." + f.name + d.directives()
	}
	on := d.overlapping(def)
	d.named++
	f := fragment{name: fmt.Sprintf("F%d", d.named), on: on, depth: d.opts.Depth - depth}
	before := d.left
	f.body = d.selectionSet(on, depth, "")
	f.size = before - d.left
	d.fragments = append(d.fragments, f)
	return "..." + f.name + d.directives()
}

func (d *document) overlaps(a, b *ast.Definition) bool {
	possible := d.schema.GetPossibleTypes(b)
	return slices.ContainsFunc(d.schema.GetPossibleTypes(a), func(t *ast.Definition) bool { return slices.Contains(possible, t) })
}

// directives returns nothing, most of the time.
func (d *document) directives() string {
	if !d.chance(12) {
		return ""
	}
	one := func(name string) string {
		if d.chance(40) {
			return fmt.Sprintf(" @%s(if: %t)", name, d.chance(30) == (name == "skip"))
		}
		return fmt.Sprintf(" @%s(if: $%s)", name, d.flag())
	}
	switch d.rand.IntN(5) {
	case 0, 1:
		return one("skip")
	case 2, 3:
		return one("include")
	}
	return one("include") + one("skip")
}

// flag returns a variable for a directive.
func (d *document) flag() string {
	if len(d.flags) < 3 {
		name := fmt.Sprintf("b%d", len(d.flags))
		d.flags = append(d.flags, name)
		if d.chance(25) {
			d.vars = append(d.vars, fmt.Sprintf("$%s: Boolean! = %t", name, d.chance(50)))
		} else {
			d.vars = append(d.vars, fmt.Sprintf("$%s: Boolean!", name))
			d.values[name] = d.chance(50)
		}
		return name
	}
	return d.flags[d.rand.IntN(len(d.flags))]
}

func (d *document) field(def *ast.Definition, depth int, indent string) string {
	fields := d.fields(def, depth)
	if len(fields) == 0 {
		return d.typename()
	}
	f := fields[d.rand.IntN(len(fields))]
	args, ok := d.arguments(def, f)
	if !ok {
		return ""
	}
	d.left--

	meaning := f.Name + args + " " + f.Type.String()
	key := f.Name
	if d.split(def, f) {
		key += "Of" + def.Name
	}
	key = d.key(key, meaning)
	line := f.Name
	if key != f.Name {
		line = key + ": " + f.Name
	}
	line += args + d.directives()
	if sub := d.schema.Types[f.Type.Name()]; !sub.IsLeafType() {
		line += " " + d.selectionSet(sub, depth+1, indent)
	}
	return line
}

// key returns a response key, by and large the given one, that means nothing else in the document.
func (d *document) key(base, meaning string) string {
	for n := 0; ; n++ {
		alias := base
		if n > 0 || d.chance(10) {
			alias = fmt.Sprintf("%s_%d", base, n+d.rand.IntN(3))
		}
		if known, taken := d.keys[alias]; !taken || known == meaning {
			d.keys[alias] = meaning
			return alias
		}
	}
}

// fields returns the fields of def that may be selected at that depth.
func (d *document) fields(def *ast.Definition, depth int) []*ast.FieldDefinition {
	var fields []*ast.FieldDefinition
	for _, f := range def.Fields {
		switch {
		case strings.HasPrefix(f.Name, "__"),
			d.opts.Skip != nil && d.opts.Skip(def.Name, f.Name),
			depth == 0 && len(d.opts.Prefer) > 0 && !slices.Contains(d.opts.Prefer, f.Name),
			depth+1 >= d.opts.Depth && !d.schema.Types[f.Type.Name()].IsLeafType():
			continue
		}
		fields = append(fields, f)
	}
	return fields
}

// split tells whether gqlgen may take f of the interface def for another field than the same one of
// another interface, in one object: it merges selections through two interfaces only if one
// implements the other. The specification merges them always. Such a field gets a key of its own.
func (d *document) split(def *ast.Definition, f *ast.FieldDefinition) bool {
	if def.Kind != ast.Interface {
		return false
	}
	for _, other := range d.schema.Types {
		if other.Kind == ast.Interface && other != def && other.Fields.ForName(f.Name) != nil &&
			!slices.Contains(other.Interfaces, def.Name) && !slices.Contains(def.Interfaces, other.Name) && d.overlaps(def, other) {
			return true
		}
	}
	return false
}
