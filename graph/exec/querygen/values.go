package querygen

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/vektah/gqlparser/v2/ast"
)

// arguments returns the arguments of a field with their parentheses. It isn't ok if there is no value
// for one that is required.
func (d *document) arguments(def *ast.Definition, f *ast.FieldDefinition) (text string, ok bool) {
	var args []string
	for _, arg := range f.Arguments {
		required := arg.Type.NonNull && arg.DefaultValue == nil
		if !required && d.chance(40) {
			continue
		}
		v, known := d.value(arg.Type, def.Name+"."+f.Name+"."+arg.Name, 0)
		switch {
		case !known && required:
			return "", false
		case !known:
			continue
		case d.chance(50):
			args = append(args, arg.Name+": "+d.literal(v, arg.Type))
		default:
			args = append(args, arg.Name+": $"+d.variable(v, arg))
		}
	}
	if len(args) == 0 {
		return "", true
	}
	return "(" + strings.Join(args, ", ") + ")", true
}

// variable defines a variable for an argument.
func (d *document) variable(v any, arg *ast.ArgumentDefinition) string {
	name := fmt.Sprintf("v%d", len(d.vars))
	def := "$" + name + ": " + arg.Type.String()
	switch {
	case d.chance(20) && v != nil:
		def += " = " + d.literal(v, arg.Type) // and no value
	case !arg.Type.NonNull && d.chance(15): // no value and no default
	default:
		d.values[name] = v
	}
	d.vars = append(d.vars, def)
	return name
}

var builtin = map[string][]any{
	"Int":     {0, 1, 2, 3, 5, 20},
	"Float":   {0.0, 1.5, -2.0},
	"Boolean": {true, false},
	"String":  {"", "a", "main", "x \"y\" \\ \n é"},
	"ID":      {"1", "a1"},
}

// value returns a value of the type, as in JSON.
func (d *document) value(t *ast.Type, key string, depth int) (any, bool) {
	if !t.NonNull && d.chance(10) {
		return nil, true
	}
	if pool, ok := d.opts.Values[key]; ok {
		return pool[d.rand.IntN(len(pool))], true
	}
	if t.Elem != nil {
		list := make([]any, 0, 3)
		for range d.rand.IntN(4) {
			v, ok := d.value(t.Elem, key+"[]", depth)
			if !ok {
				return nil, false
			}
			list = append(list, v)
		}
		return list, true
	}
	def := d.schema.Types[t.Name()]
	pool, ok := d.opts.Values[def.Name]
	if !ok {
		pool, ok = builtin[def.Name]
	}
	switch {
	case ok:
		return pool[d.rand.IntN(len(pool))], true
	case def.Kind == ast.Enum:
		return def.EnumValues[d.rand.IntN(len(def.EnumValues))].Name, true
	case def.Kind == ast.InputObject:
		return d.object(def, depth)
	}
	return nil, false
}

func (d *document) object(def *ast.Definition, depth int) (any, bool) {
	oneOf := def.Directives.ForName("oneOf") != nil
	object := map[string]any{}
	fields := slices.Clone(def.Fields)
	d.rand.Shuffle(len(fields), func(i, j int) { fields[i], fields[j] = fields[j], fields[i] })
	for _, f := range fields {
		required := f.Type.NonNull && f.DefaultValue == nil
		if !required && !oneOf && (depth > 1 || d.chance(50)) {
			continue
		}
		typ := f.Type
		if oneOf {
			typ = ast.NonNullNamedType(f.Type.NamedType, nil)
			if f.Type.Elem != nil {
				typ = ast.NonNullListType(f.Type.Elem, nil)
			}
		}
		v, ok := d.value(typ, def.Name+"."+f.Name, depth+1)
		switch {
		case ok:
			object[f.Name] = v
		case required:
			return nil, false
		}
		if oneOf && ok {
			return object, true
		}
	}
	return object, !oneOf
}

// literal writes a value in the document.
func (d *document) literal(v any, t *ast.Type) string {
	switch v := v.(type) {
	case nil:
		return "null"
	case bool:
		return strconv.FormatBool(v)
	case int:
		return strconv.Itoa(v)
	case float64:
		s := strconv.FormatFloat(v, 'f', -1, 64)
		if !strings.Contains(s, ".") {
			s += ".0"
		}
		return s
	case string:
		if def := d.schema.Types[t.Name()]; def != nil && def.Kind == ast.Enum {
			return v
		}
		return quote(v)
	case []any:
		var items []string
		for _, item := range v {
			elem := t.Elem
			if elem == nil {
				elem = t
			}
			items = append(items, d.literal(item, elem))
		}
		return "[" + strings.Join(items, ", ") + "]"
	case map[string]any:
		def := d.schema.Types[t.Name()]
		var fields []string
		for _, f := range def.Fields {
			if item, ok := v[f.Name]; ok {
				fields = append(fields, f.Name+": "+d.literal(item, f.Type))
			}
		}
		return "{" + strings.Join(fields, ", ") + "}"
	}
	panic(fmt.Sprintf("querygen: a value of type %T has no literal; use those of JSON", v))
}

// quote writes a string as GraphQL does (§2.9.4), which knows fewer escapes than Go.
func quote(s string) string {
	var b strings.Builder
	b.WriteByte('"')
	for _, r := range s {
		switch {
		case r == '"' || r == '\\':
			b.WriteByte('\\')
			b.WriteRune(r)
		case r < ' ':
			fmt.Fprintf(&b, `\u%04x`, r)
		default:
			b.WriteRune(r)
		}
	}
	b.WriteByte('"')
	return b.String()
}
