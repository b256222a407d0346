package exec

import (
	"fmt"

	"github.com/99designs/gqlgen/graphql"
)

// Shape tells how a Go value of type T is walked for edges and written as JSON. Shapes are made by the
// functions of this package only; generated code composes them.
type Shape[T any] interface {
	// visit walks v for the edges of sel.
	visit(r *run, sel *selection, v T)
	// write appends v, and tells whether that was a null that counts for the type above it.
	write(r *run, sel *selection, v T) (null bool)
	info() shapeInfo
}

// shapeInfo is what the planner and the shapes above need to know of a shape.
type shapeInfo struct {
	nonNull   bool
	composite bool  // there are objects in it
	object    *Type // the one type these objects have; nil for an interface or union
	panics    bool  // writing may panic outside any field below it
}

// Pointer is the shape of *V for an object type.
func Pointer[V any](t *Type, nonNull bool) Shape[*V] {
	return pointer[V]{typ: t, nonNull: nonNull}
}

type pointer[V any] struct {
	typ     *Type
	nonNull bool
}

func (s pointer[V]) info() shapeInfo {
	return shapeInfo{nonNull: s.nonNull, composite: true, object: s.typ}
}

func (s pointer[V]) visit(r *run, sel *selection, v *V) {
	if v != nil {
		r.visit(sel.of(s.typ), v)
	}
}

func (s pointer[V]) write(r *run, sel *selection, v *V) bool {
	if v == nil {
		return r.nilElement(s.nonNull)
	}
	return r.object(sel.of(s.typ), v)
}

// Value is the shape of a struct that is held by value; elem is the shape of a pointer to it.
func Value[V any](elem Shape[*V]) Shape[V] { return value[V]{elem: elem} }

type value[V any] struct{ elem Shape[*V] }

func (s value[V]) info() shapeInfo                        { return s.elem.info() }
func (s value[V]) visit(r *run, sel *selection, v V)      { s.elem.visit(r, sel, &v) }
func (s value[V]) write(r *run, sel *selection, v V) bool { return s.elem.write(r, sel, &v) }

// Indirect is the shape of a pointer to a list, an interface or another pointer. A nil pointer is a
// null without an error, as in gqlgen.
func Indirect[T any](elem Shape[T]) Shape[*T] { return indirect[T]{elem: elem} }

type indirect[T any] struct{ elem Shape[T] }

func (s indirect[T]) info() shapeInfo { return s.elem.info() }

func (s indirect[T]) visit(r *run, sel *selection, v *T) {
	if v != nil {
		s.elem.visit(r, sel, *v)
	}
}

func (s indirect[T]) write(r *run, sel *selection, v *T) bool {
	if v == nil {
		return r.null()
	}
	return s.elem.write(r, sel, *v)
}

// Interface is the shape of an interface or a union. Concrete returns the object type and the
// pointer that v holds; a nil type with a nil object stands for a typed nil pointer, a nil type with an object for
// a Go type that the schema doesn't know.
func Interface[I any](name string, nonNull bool, concrete func(v I) (*Type, any)) Shape[I] {
	return iface[I]{name: name, nonNull: nonNull, concrete: concrete}
}

type iface[I any] struct {
	name     string
	nonNull  bool
	concrete func(v I) (*Type, any)
}

func (s iface[I]) info() shapeInfo {
	return shapeInfo{nonNull: s.nonNull, composite: true, panics: true}
}

func (s iface[I]) visit(r *run, sel *selection, v I) {
	if t, obj := s.concrete(v); t != nil {
		r.visit(sel.of(t), obj)
	}
}

func (s iface[I]) write(r *run, sel *selection, v I) bool {
	if any(v) == nil {
		return r.nilElement(s.nonNull)
	}
	t, obj := s.concrete(v)
	switch {
	case t != nil:
		return r.object(sel.of(t), obj)
	case obj == nil:
		return r.null()
	}
	if m, ok := obj.(graphql.Marshaler); ok {
		m.MarshalGQL((*bufferWriter)(r))
		return false
	}
	panic(fmt.Errorf("unexpected type %T; non-generated variants of %s must implement graphql.Marshaler", obj, s.name))
}

// List is the shape of a list whose elements have the shape elem. Scalar tells that these are
// scalars: gqlgen's paths to them have no index.
func List[T any](elem Shape[T], nonNull, scalar bool) Shape[[]T] {
	return list[T]{elem: elem, elemInfo: elem.info(), nonNull: nonNull, scalar: scalar}
}

type list[T any] struct {
	elem     Shape[T]
	elemInfo shapeInfo
	nonNull  bool
	scalar   bool
}

func (s list[T]) info() shapeInfo {
	info := s.elemInfo
	info.nonNull = s.nonNull
	info.panics = info.panics && s.scalar
	return info
}

func (s list[T]) visit(r *run, sel *selection, v []T) {
	for i := range v {
		s.elem.visit(r, sel, v[i])
	}
}

func (s list[T]) write(r *run, sel *selection, v []T) bool {
	if v == nil && !s.nonNull {
		return r.null()
	}
	l := r.openList(s.scalar)
	guarded := s.elemInfo.panics && !s.scalar
	for i := range v {
		r.element(l, i)
		if guarded {
			null, panicked := guard(r, s.elem, sel, v[i])
			l.null = l.null || null
			l.panicked = l.panicked || panicked
		} else if s.elem.write(r, sel, v[i]) {
			l.null = true
		}
	}
	return r.closeList(l, s.elemInfo.nonNull)
}

// Values is the shape of a list of structs held by value; elem is the shape of a pointer to one.
func Values[V any](elem Shape[*V], nonNull bool) Shape[[]V] {
	return values[V]{elem: elem, nonNull: nonNull}
}

type values[V any] struct {
	elem    Shape[*V]
	nonNull bool
}

func (s values[V]) info() shapeInfo {
	info := s.elem.info()
	info.nonNull = s.nonNull
	return info
}

func (s values[V]) visit(r *run, sel *selection, v []V) {
	for i := range v {
		s.elem.visit(r, sel, &v[i])
	}
}

func (s values[V]) write(r *run, sel *selection, v []V) bool {
	if v == nil && !s.nonNull {
		return r.null()
	}
	l := r.openList(false)
	for i := range v {
		r.element(l, i)
		if s.elem.write(r, sel, &v[i]) {
			l.null = true
		}
	}
	return r.closeList(l, s.elem.info().nonNull)
}

// Scalar is the shape of a scalar or an enum inside a list, or of one that an edge or a method
// returns. Appending nothing means null. Panics tells that appendTo runs code that isn't this package's.
func Scalar[T any](nonNull, panics bool, appendTo func(dst []byte, v T) []byte) Shape[T] {
	return scalar[T]{appendTo: appendTo, nonNull: nonNull, panics: panics}
}

type scalar[T any] struct {
	appendTo func(dst []byte, v T) []byte
	nonNull  bool
	panics   bool
}

func (s scalar[T]) info() shapeInfo           { return shapeInfo{nonNull: s.nonNull, panics: s.panics} }
func (s scalar[T]) visit(*run, *selection, T) {}

func (s scalar[T]) write(r *run, _ *selection, v T) bool {
	n := len(r.buf)
	r.buf = s.appendTo(r.buf, v)
	if len(r.buf) == n {
		return r.nilElement(s.nonNull)
	}
	return false
}

// ContextScalar is the shape of a scalar that is marshalled with the context of its field, so that
// marshalling can fail: then it is null, with an error. A nil marshaler stands for a nil value.
func ContextScalar[T any](nonNull bool, marshal func(v T) graphql.ContextMarshaler) Shape[T] {
	return contextScalar[T]{marshal: marshal, nonNull: nonNull}
}

type contextScalar[T any] struct {
	marshal func(v T) graphql.ContextMarshaler
	nonNull bool
}

func (s contextScalar[T]) info() shapeInfo           { return shapeInfo{nonNull: s.nonNull, panics: true} }
func (s contextScalar[T]) visit(*run, *selection, T) {}

func (s contextScalar[T]) write(r *run, _ *selection, v T) bool {
	m := s.marshal(v)
	if m == nil {
		return r.nilElement(s.nonNull)
	}
	r.marshalContext(m)
	return false
}

// Float is the shape of a float64 with gqlgen's MarshalFloatContext: numbers that JSON can't write
// are null with an error, also where the schema says non-null.
func Float(nonNull bool) Shape[float64] { return float{nonNull: nonNull} }

type float struct{ nonNull bool }

func (s float) info() shapeInfo                 { return shapeInfo{nonNull: s.nonNull} }
func (s float) visit(*run, *selection, float64) {}

func (s float) write(r *run, _ *selection, v float64) bool {
	if v-v != 0 { // infinite or not a number
		r.marshalContext(graphql.MarshalFloatContext(v))
		return false
	}
	r.buf = AppendFloat(r.buf, v)
	return false
}

// FloatPointer is Float for a *float64.
func FloatPointer(nonNull bool) Shape[*float64] { return floatPointer{nonNull: nonNull} }

type floatPointer struct{ nonNull bool }

func (s floatPointer) info() shapeInfo                  { return shapeInfo{nonNull: s.nonNull} }
func (s floatPointer) visit(*run, *selection, *float64) {}

func (s floatPointer) write(r *run, sel *selection, v *float64) bool {
	if v == nil {
		return r.nilElement(s.nonNull)
	}
	return float(s).write(r, sel, *v)
}

// marshalContext writes m with the context of the current field. If it fails, null follows what it
// wrote before.
func (r *run) marshalContext(m graphql.ContextMarshaler) {
	ctx := r.fieldContext()
	if err := m.MarshalGQLContext(ctx, (*bufferWriter)(r)); err != nil {
		r.late = append(r.late, lateError{ctx, err, len(r.buf)})
		r.buf = append(r.buf, "null"...)
	}
}
