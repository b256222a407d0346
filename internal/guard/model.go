package guard

import (
	"fmt"
	"maps"
	"math"
	"slices"
	"strconv"
	"strings"

	"github.com/vektah/gqlparser/v2/ast"
)

// Directives is the SDL of the cost hints that a schema may hold. They follow the GraphQL Cost Directives
// of IBM in their names, and are simpler.
//
// An object counts the weight of the field that returned it: that of @cost on the field, else that
// of @cost on its type (for an interface or a union the highest among its types), else 1. A value counts 0
// unless its field has a @cost. A list counts its length times an element with all that is selected
// inside it. The length is, in this order:
//
//   - the largest of the slicing arguments, given or by default; of an argument that takes a list it
//     is the length of that list; what is null or negative doesn't count;
//   - assumedSize;
//   - for a list directly inside an object with a length (the nodes and edges of a connection, whose
//     field has the arguments), that length;
//   - 10.
//
// Lists of one scope are levels of one tree. A list of a scope directly inside another of it isn't
// multiplied: all levels together count assumedSize elements, of the dearest level. A menu of 312
// items costs 312, however many levels a query spells out. Every list of a scope has the same
// assumedSize, the number of elements of the whole tree, and is one that walks down the tree. A way up
// (a parent, the ancestors) has no scope: going up and down again multiplies. With overlaps, a list
// holds elements of several levels at once, so what is asked of the tree below it is added.
const Directives = `
"How much a field weighs in the cost of an operation. Without it a field weighs 1 if it returns objects and 0 if it returns a value."
directive @cost("The weight of one use, for each object returned." weight: Int! = 1) on FIELD_DEFINITION | OBJECT

"How long a list is taken to be when an operation is priced. On a field that returns a connection it is the length of the lists directly inside."
directive @listSize(
  "The length that is assumed when no argument gives it."
  assumedSize: Int
  "The arguments that give the length. Of a list the length counts."
  slicingArguments: [String!]
  "The name of a tree that the list walks down. Lists of the same tree directly inside each other are counted once, at the assumed size of the whole tree, and not multiplied."
  scope: String
  "True if the list holds elements of several levels of its tree, so that a list of the tree inside it repeats them."
  overlaps: Boolean = false
) on FIELD_DEFINITION
`

// defaultSize is the length of a list of which the schema says nothing.
const defaultSize = 10

// ceiling is where costs and counts stop to grow, so that no sum or product of them overflows.
const ceiling = 1 << 40

func add(a, b int) int { return min(a+b, ceiling) }

func multiply(a, b int) int {
	if a != 0 && b > ceiling/a {
		return ceiling
	}
	return a * b
}

// model is the schema as far as prices go.
type model struct {
	types                         map[string]*object
	query, mutation, subscription *object
}

// object is a type with fields.
type object struct {
	fields map[string]*field
}

// field is the price of a field.
type field struct {
	of       *object // nil if the field returns values
	weight   int
	list     bool
	sized    bool // by a @listSize
	assumed  int  // -1 if not said
	slicing  []slicer
	scope    string
	overlaps bool
}

// slicer is an argument that gives a length.
type slicer struct {
	name     string
	list     bool
	fallback *ast.Value // its default, or nil
}

func (m *model) root(o ast.Operation) *object {
	switch o {
	case ast.Mutation:
		return m.mutation
	case ast.Subscription:
		return m.subscription
	}
	return m.query
}

func newModel(schema *ast.Schema) (*model, error) {
	m := &model{types: make(map[string]*object, len(schema.Types))}
	for name, def := range schema.Types {
		if def.IsCompositeType() {
			m.types[name] = &object{fields: make(map[string]*field, len(def.Fields))}
		}
	}
	lengths := introspectionLengths(schema)
	scopes := map[string]int{}
	names := slices.Sorted(maps.Keys(schema.Types)) // so that an error is always the same
	for _, name := range names {
		def := schema.Types[name]
		if !def.IsCompositeType() {
			continue
		}
		for _, f := range def.Fields {
			price, err := m.field(schema, f)
			if err != nil {
				return nil, fmt.Errorf("guard: %s.%s: %w", name, f.Name, err)
			}
			if n, ok := lengths[name+"."+f.Name]; ok {
				price.assumed, price.sized = n, true
			}
			if price.scope != "" {
				if n, ok := scopes[price.scope]; ok && n != price.assumed {
					return nil, fmt.Errorf("guard: %s.%s: @listSize gives scope %q an assumedSize of %d and of %d elsewhere; it must be the size of the whole tree everywhere, and a list that leads up or out of the tree has no scope", name, f.Name, price.scope, price.assumed, n)
				}
				scopes[price.scope] = price.assumed
			}
			m.types[name].fields[f.Name] = price
		}
	}
	// A chain of ofType ends after three steps, whatever the query spells out.
	if t := m.types["__Type"]; t != nil && t.fields["ofType"] != nil {
		t.fields["ofType"].weight = 0
	}
	for _, name := range names {
		def := schema.Types[name]
		if def.Kind != ast.Object {
			continue
		}
		for _, i := range def.Interfaces {
			for fieldName, in := range m.types[i].fields {
				if of := m.types[name].fields[fieldName]; of != nil && of.dearer(in) {
					return nil, fmt.Errorf("guard: %s.%s costs more than %s.%s, which it implements; repeat its @cost and @listSize on the interface", name, fieldName, i, fieldName)
				}
			}
		}
	}
	m.query = m.rootType(schema.Query)
	m.mutation = m.rootType(schema.Mutation)
	m.subscription = m.rootType(schema.Subscription)
	return m, nil
}

func (m *model) rootType(def *ast.Definition) *object {
	if def == nil {
		return nil
	}
	return m.types[def.Name]
}

// dearer reports whether f, of an object, may cost more than in, the same field of an interface.
func (f *field) dearer(in *field) bool {
	return f.weight > in.weight || f.sized && !in.sized || f.assumed > in.assumed || len(f.slicing) > len(in.slicing)
}

func (m *model) field(schema *ast.Schema, def *ast.FieldDefinition) (*field, error) {
	f := &field{of: m.types[def.Type.Name()], list: def.Type.Elem != nil, assumed: -1}
	if f.of != nil {
		w, err := typeWeight(schema, schema.Types[def.Type.Name()])
		if err != nil {
			return nil, err
		}
		f.weight = w
	}
	if d := def.Directives.ForName("cost"); d != nil {
		w, err := weight(d)
		if err != nil {
			return nil, err
		}
		f.weight = w
	}
	d := def.Directives.ForName("listSize")
	if d == nil {
		return f, nil
	}
	f.sized = true
	if a := d.Arguments.ForName("assumedSize"); a != nil && a.Value.Kind != ast.NullValue {
		n, err := strconv.Atoi(a.Value.Raw)
		if err != nil || n < 0 {
			return nil, fmt.Errorf("@listSize has assumedSize %s; it must be a number from 0", a.Value)
		}
		f.assumed = n
	}
	if a := d.Arguments.ForName("slicingArguments"); a != nil && a.Value.Kind != ast.NullValue {
		for _, name := range elements(a.Value) {
			arg := def.Arguments.ForName(name.Raw)
			if arg == nil {
				return nil, fmt.Errorf("@listSize has slicingArguments with %q; the field has no argument of that name", name.Raw)
			}
			if arg.Type.Elem == nil && arg.Type.NamedType != "Int" {
				return nil, fmt.Errorf("@listSize has slicingArguments with %q, which is of type %s; it must be an Int or a list", name.Raw, arg.Type)
			}
			f.slicing = append(f.slicing, slicer{name: name.Raw, list: arg.Type.Elem != nil, fallback: arg.DefaultValue})
		}
	}
	if a := d.Arguments.ForName("scope"); a != nil && a.Value.Kind != ast.NullValue {
		f.scope = a.Value.Raw
		if !f.list || f.of == nil || f.assumed < 0 {
			return nil, fmt.Errorf("@listSize has scope %q; only a list of objects with an assumedSize can have one", f.scope)
		}
	}
	if a := d.Arguments.ForName("overlaps"); a != nil {
		f.overlaps = a.Value.Raw == "true"
	}
	if f.assumed < 0 && len(f.slicing) == 0 {
		return nil, fmt.Errorf("@listSize says nothing; it must have an assumedSize, slicingArguments or both")
	}
	return f, nil
}

// typeWeight returns the weight of an object of type def: of an interface or a union the highest.
func typeWeight(schema *ast.Schema, def *ast.Definition) (int, error) {
	if def.Kind == ast.Object {
		return weight(def.Directives.ForName("cost"))
	}
	most := 0
	for _, t := range schema.GetPossibleTypes(def) {
		if t.Kind != ast.Object {
			continue
		}
		w, err := weight(t.Directives.ForName("cost"))
		if err != nil {
			return 0, err
		}
		most = max(most, w)
	}
	return most, nil
}

// weight returns the weight that d gives, which is nil or a @cost.
func weight(d *ast.Directive) (int, error) {
	if d == nil {
		return 1, nil
	}
	a := d.Arguments.ForName("weight")
	if a == nil {
		return 1, nil
	}
	n, err := strconv.Atoi(a.Value.Raw)
	if err != nil || n < 0 || n > math.MaxInt32 {
		return 0, fmt.Errorf("@cost has weight %s; it must be a number from 0", a.Value)
	}
	return n, nil
}

// elements returns the elements of a list, or the value itself, which stands for a list of one.
func elements(v *ast.Value) []*ast.Value {
	if v.Kind != ast.ListValue {
		return []*ast.Value{v}
	}
	var all []*ast.Value
	for _, c := range v.Children {
		all = append(all, c.Value)
	}
	return all
}

// introspectionLengths returns the lengths of the lists in the introspection types: that of the schema's
// own lists where there is one, else the average, at least 2 so that nesting multiplies.
func introspectionLengths(schema *ast.Schema) map[string]int {
	types := max(len(schema.Types), 1)
	fields, arguments, inputs, values := 0, 0, 0, 0
	for name, def := range schema.Types {
		if strings.HasPrefix(name, "__") {
			continue
		}
		switch def.Kind {
		case ast.InputObject:
			inputs += len(def.Fields)
		case ast.Enum:
			values += len(def.EnumValues)
		default:
			fields += len(def.Fields)
		}
		for _, f := range def.Fields {
			arguments += len(f.Arguments)
		}
	}
	average := func(n, of int) int { return max(2, (n+of-1)/max(of, 1)) }
	return map[string]int{
		"__Schema.types":       types,
		"__Schema.directives":  len(schema.Directives),
		"__Directive.args":     2,
		"__Type.fields":        average(fields, types),
		"__Type.inputFields":   average(inputs, types),
		"__Type.interfaces":    2,
		"__Type.possibleTypes": 2,
		"__Type.enumValues":    average(values, types),
		"__Field.args":         average(arguments, fields),
	}
}
