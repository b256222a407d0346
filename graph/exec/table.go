package exec

import (
	"context"
	"fmt"
	"reflect"
)

// Table knows how each field of the schema is read from its Go value. It is built once by generated
// code (see package tablegen), before the first request, and is read-only from then on.
type Table struct {
	types []*Type
	roots map[string]map[string]root
}

// NewTable returns an empty table.
func NewTable() *Table {
	return &Table{roots: map[string]map[string]root{}}
}

// Object adds the object type of that name. Satisfies lists the interfaces and unions it belongs to.
func (t *Table) Object(name string, satisfies ...string) *Type {
	typ := &Type{
		name:      name,
		index:     len(t.types),
		satisfies: append([]string{name}, satisfies...),
		fields:    map[string]*field{},
		table:     t,
	}
	t.types = append(t.types, typ)
	return typ
}

// Type is an object type of the schema.
type Type struct {
	name      string
	index     int
	satisfies []string
	fields    map[string]*field
	table     *Table
}

type fieldKind uint8

const (
	kindTypename fieldKind = iota
	kindLeaf               // appended straight from the parent
	kindPlain              // a value of the parent that has a shape
	kindMethod             // a method that is called once for each parent, while gathering
	kindEdge               // a batch resolver
)

// field is a field of an object type.
type field struct {
	owner   *Type
	name    string
	kind    fieldKind
	nonNull bool
	guarded bool // code that isn't generated runs in it, so that it may panic
	args    Args

	appendTo func(dst []byte, obj any) []byte // kindLeaf
	plain    plain                            // kindPlain
	newRun   func() fieldRun                  // kindMethod, kindEdge
	shape    shapeInfo
}

// Args coerces the arguments of a field: raw holds them as the document and its variables give
// them, with the schema's defaults.
type Args func(ctx context.Context, raw map[string]any) (map[string]any, error)

// Opt marks a field of the table.
type Opt func(*field)

// NonNull marks a field whose type is non-null.
func NonNull(f *field) { f.nonNull = true }

// Guarded marks a field whose reading may panic, so that the panic becomes an error of that field.
func Guarded(f *field) { f.guarded = true }

// WithArgs marks a field that has arguments.
func WithArgs(args Args) Opt { return func(f *field) { f.args = args } }

func (t *Type) add(f *field, opts []Opt) {
	f.owner = t
	for _, opt := range opts {
		opt(f)
	}
	f.guarded = f.guarded || f.shape.panics
	if _, ok := t.fields[f.name]; ok {
		panic(fmt.Sprintf("exec: field %s.%s is in the table twice", t.name, f.name))
	}
	t.fields[f.name] = f
}

// Leaf adds a scalar or enum field. AppendTo appends its JSON; appending nothing means null. The
// parent obj is a pointer to the Go struct of the type.
func Leaf(t *Type, name string, appendTo func(dst []byte, obj any) []byte, opts ...Opt) {
	t.add(&field{name: name, kind: kindLeaf, appendTo: appendTo}, opts)
}

// Plain adds a field that is already loaded: get reads it from the parent.
func Plain[P, T any](t *Type, name string, get func(P) T, shape Shape[T], opts ...Opt) {
	t.add(&field{
		name:  name,
		kind:  kindPlain,
		plain: plainField[P, T]{get: get, shape: shape, iface: isInterface[T]()},
		shape: shape.info(),
	}, opts)
}

// Method adds a field that a method of the parent answers, once for each parent. An ok of false is a
// null. Ctx carries the graphql.FieldContext with the arguments of the field.
func Method[P, T any](
	t *Type, name string, call func(ctx context.Context, parent P) (v T, ok bool, err error), shape Shape[T], opts ...Opt,
) {
	def := &method[P, T]{call: call, shape: shape, iface: isInterface[T]()}
	t.add(&field{
		name:   name,
		kind:   kindMethod,
		newRun: func() fieldRun { return &methodRun[P, T]{def: def} },
		shape:  shape.info(),
	}, opts)
}

// Edge adds a field that a batch resolver answers for all parents at once. Ctx carries the
// graphql.FieldContext with the arguments of the field.
func Edge[P, T any](
	t *Type, name string, call func(ctx context.Context, parents []P) ([]T, error), shape Shape[T], opts ...Opt,
) {
	def := &edge[P, T]{call: call, shape: shape, iface: isInterface[T](), name: t.name + "." + name}
	t.add(&field{
		name:   name,
		kind:   kindEdge,
		newRun: func() fieldRun { return &edgeRun[P, T]{def: def} },
		shape:  shape.info(),
	}, opts)
}

// Root adds a field of a root type that isn't a scalar. Resolve calls its resolver, which finds the coerced arguments
// in the field context; it is nil if only gqlgen may do so, because the field has a directive with code. Shape is the
// shape of what the resolver returns.
func Root[T any](t *Table, object, name string, resolve func(ctx context.Context) (T, error), shape Shape[T], opts ...Opt) {
	fields := t.roots[object]
	if fields == nil {
		fields = map[string]root{}
		t.roots[object] = fields
	}
	f := &field{owner: &Type{name: object}, name: name, kind: kindEdge, shape: shape.info()}
	for _, opt := range opts {
		opt(f)
	}
	fields[name] = rootField[T]{def: f, call: resolve, shape: shape}
}

// root is a root field whose value the executor renders.
type root interface {
	field() *field
	// resolves tells whether resolve may be called.
	resolves() bool
	resolve(ctx context.Context) (any, error)
	// matches tells whether v has the Go type of the field.
	matches(v any) bool
	visit(r *run, sel *selection, v any)
	write(r *run, sel *selection, v any) (null bool)
	info() shapeInfo
}

type rootField[T any] struct {
	def   *field
	call  func(ctx context.Context) (T, error)
	shape Shape[T]
}

func (f rootField[T]) field() *field                                  { return f.def }
func (f rootField[T]) resolves() bool                                 { return f.call != nil }
func (f rootField[T]) resolve(ctx context.Context) (v any, err error) { return f.call(ctx) }
func (f rootField[T]) matches(v any) bool                             { _, ok := v.(T); return ok }
func (f rootField[T]) visit(r *run, sel *selection, v any)            { f.shape.visit(r, sel, v.(T)) }

func (f rootField[T]) write(r *run, sel *selection, v any) bool { return f.shape.write(r, sel, v.(T)) }
func (f rootField[T]) info() shapeInfo                          { return f.shape.info() }

// plain is a plainField without its type parameters.
type plain interface {
	visit(r *run, sel *selection, obj any)
	write(r *run, f *planned, obj any) (null bool)
}

type plainField[P, T any] struct {
	get   func(P) T
	shape Shape[T]
	iface bool
}

func (p plainField[P, T]) visit(r *run, sel *selection, obj any) {
	p.shape.visit(r, sel, p.get(obj.(P)))
}

func (p plainField[P, T]) write(r *run, f *planned, obj any) bool {
	v := p.get(obj.(P))
	if p.iface && any(v) == nil {
		return r.nilField(f)
	}
	return p.shape.write(r, f.sel, v)
}

func isInterface[T any]() bool { return reflect.TypeFor[T]().Kind() == reflect.Interface }
