// Package tablegen is a gqlgen plugin that writes the table of package exec: how each field of the
// schema is read from its Go value.
//
// The table is the file exec_table.go beside gqlgen's own generated code, whose unexported functions for
// arguments it calls. It is generated in the same run and offers
//
//	func NewExecTable(cfg Config) *exec.Table
//
// Generation fails where the executor would answer otherwise than gqlgen: on a field below a root whose
// directive has code, on a resolver that isn't a batch resolver, and on a type that isn't bound to a struct.
package tablegen

import (
	_ "embed"
	"errors"
	"fmt"
	"go/types"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/99designs/gqlgen/codegen"
	"github.com/99designs/gqlgen/codegen/config"
	"github.com/99designs/gqlgen/codegen/templates"
	"github.com/vektah/gqlparser/v2/ast"
)

// Filename is the name of the generated file.
const Filename = "exec_table.go"

//go:embed table.gotpl
var tableTemplate string

// Plugin is the plugin. Use it with gqlgen's api.AddPlugin.
type Plugin struct {
	// Descriptive names the directives that only describe, such as a cost: a field may carry them
	// although the executor doesn't run them. Directives that gqlgen.yml sets to skip_runtime needn't be named.
	Descriptive []string
	// Plain are the import paths of packages whose functions AppendX never panic.
	Plain []string
}

// Name names the plugin for gqlgen.
func (*Plugin) Name() string { return "exectable" }

// MutateConfig removes the table of the last run: it may not compile with the schema of today.
func (*Plugin) MutateConfig(cfg *config.Config) error {
	err := os.Remove(filepath.Join(cfg.Exec.Dir(), Filename))
	if errors.Is(err, os.ErrNotExist) {
		return nil
	}
	return err
}

// GenerateCode writes the table.
func (p *Plugin) GenerateCode(data *codegen.Data) error {
	t := &table{plugin: p, data: data, shapeOf: map[string]string{}}
	if err := t.check(); err != nil {
		return err
	}
	return templates.Render(templates.Options{
		PackageName:     data.Config.Exec.Package,
		Filename:        filepath.Join(data.Config.Exec.Dir(), Filename),
		Template:        tableTemplate,
		Data:            t,
		GeneratedHeader: true,
		Packages:        data.Config.Packages,
		PruneOptions:    data.Config.GetPruneOptions(),
	})
}

// table is what the template sees.
type table struct {
	plugin *Plugin
	data   *codegen.Data

	shapeOf map[string]string // variable by key
	Shapes  []shape           // in the order of their declaration
}

// shape is the declaration of a variable.
type shape struct{ Var, Expr string }

// Object is an object type, for the template.
type Object struct {
	Var    string
	Name   string
	Types  []string // the interfaces and unions it belongs to
	Fields []string // statements
}

// check refuses what the executor can't answer as gqlgen does.
func (t *table) check() error {
	var errs []error
	for _, d := range t.data.AllDirectives.LocationDirectives("FIELD") {
		if !t.descriptive(d) {
			errs = append(errs, fmt.Errorf(
				"directive @%s may stand on any field of a query: the executor doesn't run it; remove FIELD from its locations", d.Name))
		}
	}
	inputs := func(where string, directives []*codegen.Directive) {
		for _, d := range directives {
			if !t.descriptive(d) {
				errs = append(errs, fmt.Errorf("%s carries the directive @%s: the executor coerces what a document says itself once for all "+
					"requests; set skip_runtime for it in gqlgen.yml if it only describes", where, d.Name))
			}
		}
	}
	for _, in := range t.data.Inputs {
		for _, f := range in.Fields {
			inputs("input field "+in.Name+"."+f.Name, f.ImplDirectives())
		}
	}
	for _, obj := range t.data.Objects {
		for _, f := range obj.Fields {
			for _, a := range f.Args {
				inputs("argument "+obj.Name+"."+f.Name+"."+a.Name, a.ImplDirectives())
			}
		}
	}
	for _, obj := range t.objects() {
		if !isStructPointer(obj.Reference()) {
			errs = append(errs, fmt.Errorf("type %s is bound to %s: bind it to a struct", obj.Name, obj.Type))
		}
		for _, f := range obj.Fields {
			where := obj.Name + "." + f.Name
			for _, d := range f.ImplDirectives() {
				if !t.descriptive(d) {
					errs = append(errs, fmt.Errorf(
						"field %s carries the directive @%s, which the executor doesn't run: use it on root fields, "+
							"or set skip_runtime for it in gqlgen.yml if it only describes", where, d.Name))
				}
			}
			switch {
			case f.IsResolver && !f.IsBatch():
				errs = append(errs, fmt.Errorf(
					"field %s has a resolver that is called for each parent: make it a batch resolver (resolver: batch: true in gqlgen.yml)", where))
			case f.IsMap():
				errs = append(errs, fmt.Errorf("field %s is read from a map: bind %s to a struct", where, obj.Name))
			case f.TypeReference.IsRoot:
				errs = append(errs, fmt.Errorf("field %s has the root type %s: the executor works below roots only", where, f.TypeReference.Definition.Name))
			case f.HasFederationRequiresArg():
				errs = append(errs, fmt.Errorf("field %s uses federation's computed requires, which the executor doesn't know", where))
			}
		}
	}
	return errors.Join(errs...)
}

func (t *table) descriptive(d *codegen.Directive) bool {
	return d.SkipRuntime || slices.Contains(t.plugin.Descriptive, d.Name) || strings.HasPrefix(d.Name, "__") || d.Name == "defer"
}

func isStructPointer(t types.Type) bool {
	p, ok := t.(*types.Pointer)
	if !ok {
		return false
	}
	_, ok = p.Elem().Underlying().(*types.Struct)
	return ok
}

// objects are the object types below the roots.
func (t *table) objects() []*codegen.Object {
	var objs []*codegen.Object
	for _, obj := range t.data.Objects {
		if !obj.Root && !obj.IsReserved() {
			objs = append(objs, obj)
		}
	}
	return objs
}

// Objects returns the object types with their fields, for the template.
func (t *table) Objects() ([]Object, error) {
	var out []Object
	for _, obj := range t.objects() {
		o := Object{Var: typeVar(obj.Name), Name: obj.Name}
		for _, def := range obj.Implements {
			o.Types = append(o.Types, def.Name)
		}
		for _, f := range obj.Fields {
			stmt, err := t.field(obj, f)
			if err != nil {
				return nil, fmt.Errorf("%s.%s: %w", obj.Name, f.Name, err)
			}
			o.Fields = append(o.Fields, stmt)
		}
		out = append(out, o)
	}
	return out, nil
}

// Roots returns the statements for the root fields.
func (t *table) Roots() ([]string, error) {
	var out []string
	for _, root := range []*codegen.Object{t.data.QueryRoot, t.data.MutationRoot} {
		if root == nil {
			continue
		}
		for _, f := range root.Fields {
			ref := f.TypeReference
			if f.IsReserved() || strings.HasPrefix(ref.Definition.Name, "__") || ref.Definition.IsLeafType() {
				continue
			}
			s, err := t.shape(ref)
			if err != nil {
				return nil, fmt.Errorf("%s.%s: %w", root.Name, f.Name, err)
			}
			out = append(out, fmt.Sprintf("exec.Root(table, %q, %q, %s, %s%s)", root.Name, f.Name, t.resolve(root, f), s, t.options(f)))
		}
	}
	return out, nil
}

// resolve returns the function that calls the resolver of a root field, nil if only gqlgen may call it: because it has a
// directive with code, or since it is of a mutation, whose fields run one after another.
func (t *table) resolve(root *codegen.Object, f *codegen.Field) string {
	if root != t.data.QueryRoot || !f.IsResolver || slices.ContainsFunc(f.ImplDirectives(), func(d *codegen.Directive) bool { return !t.descriptive(d) }) {
		return "nil"
	}
	fc := ""
	if len(f.Args) > 0 {
		fc = "fc := graphql.GetFieldContext(ctx)\n"
	}
	return fmt.Sprintf("func(ctx context.Context) (%s, error) {\n%sreturn resolvers.%s().%s(%s)\n}",
		goType(f.TypeReference.GO), fc, templates.UcFirst(root.Name), f.GoFieldName, f.CallArgs())
}

// options returns the options of a field that follow from its type and its arguments.
func (t *table) options(f *codegen.Field) string {
	opts := ""
	if f.TypeReference.GQL.NonNull {
		opts += ", exec.NonNull"
	}
	if len(f.Args) > 0 {
		opts += ", exec.WithArgs(" + t.args(f) + ")"
	}
	return opts
}

func typeVar(name string) string { return "t" + name }

// goType returns the Go source of a type.
func goType(t types.Type) string { return templates.CurrentImports.LookupType(t) }

// field returns the statement that adds a field to its type.
//
// A scalar or enum field that is bound to a method M without arguments has a fast twin if its type has a method
// AppendM(dst []byte) []byte too, which appends the JSON of what M returns, and nothing for null.
func (t *table) field(obj *codegen.Object, f *codegen.Field) (string, error) {
	ref := f.TypeReference
	var opts strings.Builder
	if ref.GQL.NonNull {
		opts.WriteString(", exec.NonNull")
	}
	parent := goType(obj.Reference())
	method := f.IsMethod()
	if method || throughPointer(obj.Reference(), f.GoFieldName) {
		opts.WriteString(", exec.Guarded")
	}
	if len(f.Args) > 0 {
		opts.WriteString(", exec.WithArgs(" + t.args(f) + ")")
	}
	read := "obj." + f.GoFieldName
	fc := ""
	if len(f.Args) > 0 {
		fc = "fc := graphql.GetFieldContext(ctx)\n"
	}

	if f.IsBatch() {
		s, err := t.shape(ref)
		if err != nil {
			return "", err
		}
		return fmt.Sprintf("exec.Edge(%s, %q, func(ctx context.Context, objs []%s) ([]%s, error) {\n%sreturn resolvers.%s().%s(%s)\n}, %s%s)",
			typeVar(obj.Name), f.Name, parent, goType(ref.GO), fc,
			templates.UcFirst(obj.Name), f.GoFieldName, f.BatchCallArgs("objs", ""), s, opts.String()), nil
	}

	simple := !f.HasHaser && (!method || f.NoErr && !f.MethodHasContext && len(f.Args) == 0)
	if method && simple {
		read += "()"
	}
	switch {
	case !simple || method && !ref.Definition.IsLeafType():
		s, err := t.shape(ref)
		if err != nil {
			return "", err
		}
		return fmt.Sprintf("exec.Method(%s, %q, func(ctx context.Context, obj %s) (v %s, ok bool, err error) {\n%s%s\n}, %s%s)",
			typeVar(obj.Name), f.Name, parent, goType(ref.GO), fc, methodBody(f), s, opts.String()), nil
	case method && has(obj.Reference(), "Append"+f.GoFieldName):
		return fmt.Sprintf("exec.Leaf(%s, %q, func(dst []byte, obj any) []byte {\nreturn obj.(%s).Append%s(dst)\n}%s)",
			typeVar(obj.Name), f.Name, parent, f.GoFieldName, opts.String()), nil
	case ref.Definition.IsLeafType() && !ref.IsSlice() && !ref.IsPtrToSlice():
		code, custom, err := t.leaf(ref)
		if err != nil {
			return "", err
		}
		if code != "" {
			if custom && !strings.Contains(opts.String(), "exec.Guarded") {
				opts.WriteString(", exec.Guarded")
			}
			return fmt.Sprintf("exec.Leaf(%s, %q, func(dst []byte, obj any) []byte {\nv := obj.(%s)%s\n%s\n}%s)",
				typeVar(obj.Name), f.Name, parent, strings.TrimPrefix(read, "obj"), code, opts.String()), nil
		}
	}
	if t.isValue(ref) && !method { // a struct within the struct: its address instead of a copy
		ptr := pointerTo(ref)
		s, err := t.shape(ptr)
		if err != nil {
			return "", err
		}
		return fmt.Sprintf("exec.Plain(%s, %q, func(obj %s) %s { return &%s }, %s%s)",
			typeVar(obj.Name), f.Name, parent, goType(ptr.GO), read, s, opts.String()), nil
	}
	s, err := t.shape(ref)
	if err != nil {
		return "", err
	}
	return fmt.Sprintf("exec.Plain(%s, %q, func(obj %s) %s { return %s }, %s%s)",
		typeVar(obj.Name), f.Name, parent, goType(ref.GO), read, s, opts.String()), nil
}

// methodBody calls the method of a parent.
func methodBody(f *codegen.Field) string {
	var b strings.Builder
	if f.HasHaser {
		fmt.Fprintf(&b, "if !obj.%s() {\nreturn v, false, nil\n}\n", f.HaserMethodName)
	}
	call := fmt.Sprintf("obj.%s(%s)", f.GoFieldName, f.CallArgs())
	switch {
	case !f.IsMethod():
		fmt.Fprintf(&b, "return obj.%s, true, nil", f.GoFieldName)
	case f.VOkFunc:
		fmt.Fprintf(&b, "v, ok = %s\nreturn v, ok, nil", call)
	case f.NoErr:
		fmt.Fprintf(&b, "return %s, true, nil", call)
	default:
		fmt.Fprintf(&b, "v, err = %s\nreturn v, true, err", call)
	}
	return b.String()
}

// args returns the function that coerces the arguments of f: gqlgen's own.
func (t *table) args(f *codegen.Field) string {
	name := "args_" + f.ArgsFunc()
	key := "args " + name
	if _, ok := t.shapeOf[key]; !ok {
		t.shapeOf[key] = name
		t.Shapes = append(t.Shapes, shape{name, fmt.Sprintf(
			"func(ctx context.Context, raw map[string]any) (map[string]any, error) {\nreturn %s%s(ctx, %sraw)\n}",
			t.data.ECDot(), f.ArgsFunc(), t.data.ECArg())})
	}
	return name
}

// throughPointer tells whether reading the field passes an embedded pointer, which may be nil.
func throughPointer(t types.Type, name string) bool {
	obj, path, _ := types.LookupFieldOrMethod(t, true, nil, name)
	if obj == nil {
		return false
	}
	cur := t
	for _, i := range path[:len(path)-1] {
		if p, ok := cur.Underlying().(*types.Pointer); ok {
			cur = p.Elem()
		}
		s, ok := cur.Underlying().(*types.Struct)
		if !ok {
			return false
		}
		cur = s.Field(i).Type()
		if _, ok := cur.Underlying().(*types.Pointer); ok {
			return true
		}
	}
	return false
}

// isValue tells whether ref is a struct of an object type that is held by value.
func (t *table) isValue(ref *config.TypeReference) bool {
	return ref.Definition.Kind == ast.Object && !ref.IsSlice() && !ref.IsNilable()
}

func pointerTo(ref *config.TypeReference) *config.TypeReference {
	ptr := *ref
	ptr.GO = types.NewPointer(ref.GO)
	return &ptr
}
