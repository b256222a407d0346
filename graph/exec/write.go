package exec

import (
	"context"
	"errors"

	"github.com/99designs/gqlgen/graphql"
)

// frame is a field or, without one, an index of a list on the way to where the writer is.
type frame struct {
	field *planned
	index int
}

// lateError is an error of a value that was written to the buffer at that place. gqlgen writes last of
// all, so such an error exists only if no null above took the value away.
type lateError struct {
	ctx context.Context
	err error
	at  int
}

// cut drops what was written from that place on.
func (r *run) cut(at int) {
	r.buf = r.buf[:at]
	for len(r.late) > 0 && r.late[len(r.late)-1].at >= at {
		r.late = r.late[:len(r.late)-1]
	}
}

// abandon is the panic that ends a run whose context is done, or whose answer grows
// too large.
type abandon struct{ err error }

// rethrow passes on a panic that isn't the field's.
func rethrow(p any) {
	if _, ok := p.(abandon); ok {
		panic(p)
	}
}

// check ends the run if its context is done.
func (r *run) check() {
	if err := r.ctx.Err(); err != nil {
		panic(abandon{err})
	}
}

// tick is a check now and then, for answers that are large without any edge.
func (r *run) tick() {
	if r.ticks++; r.ticks%1024 == 0 {
		r.check()
		if len(r.buf)-r.start > r.exec.maxBytes || r.ticks > r.exec.maxObjects {
			panic(abandon{ErrTooLarge})
		}
	}
}

// object writes one object. A null in a non-null field makes the whole object null, after all of its
// fields are written: their errors count, and the results of their edges have to be taken.
func (r *run) object(t *typed, obj any) (null bool) {
	r.tick()
	start := len(r.buf)
	buf := r.buf
	for i := range t.fields {
		f := &t.fields[i]
		buf = append(buf, f.prefix...)
		switch {
		case f.kind == kindTypename:
			continue
		case f.kind == kindLeaf && !f.guarded:
			n := len(buf)
			buf = f.appendTo(buf, obj)
			if len(buf) > n {
				continue
			}
			r.buf = buf
			r.stack = append(r.stack, frame{field: f})
			r.nilElement(f.nonNull)
			r.stack = r.stack[:len(r.stack)-1]
			null = null || f.nonNull
		default:
			r.buf = buf
			r.stack = append(r.stack, frame{field: f})
			if r.field(f, obj) && f.nonNull {
				null = true
			}
			r.stack = r.stack[:len(r.stack)-1]
		}
		buf = r.buf
	}
	if null {
		r.buf = buf
		r.cut(start)
		return r.null()
	}
	if len(t.fields) == 0 {
		buf = append(buf, '{')
	}
	r.buf = append(buf, '}')
	return false
}

// field writes the value of one field, whose frame is on the stack.
func (r *run) field(f *planned, obj any) (null bool) {
	if f.guarded {
		return r.fieldGuarded(f, obj)
	}
	return r.value(f, obj)
}

func (r *run) fieldGuarded(f *planned, obj any) (null bool) {
	start, depth := len(r.buf), len(r.stack)
	defer func() {
		if p := recover(); p != nil {
			rethrow(p)
			r.cut(start)
			r.stack = r.stack[:depth]
			ctx := r.fieldContext()
			r.oc.Error(ctx, r.oc.Recover(ctx, p))
			null = r.null()
		}
	}()
	return r.value(f, obj)
}

func (r *run) value(f *planned, obj any) (null bool) {
	switch f.kind {
	case kindLeaf:
		n := len(r.buf)
		r.buf = f.appendTo(r.buf, obj)
		return len(r.buf) == n && r.nilElement(f.nonNull)
	case kindPlain:
		return f.plain.write(r, f, obj)
	default:
		return r.slots[f.slot].write(r, f)
	}
}

// openedList is a list that is being written.
type openedList struct {
	start    int
	frame    int  // of the index, -1 if there is none
	null     bool // there was a null element
	panicked bool
}

func (r *run) openList(scalar bool) openedList {
	l := openedList{start: len(r.buf), frame: -1}
	r.buf = append(r.buf, '[')
	if !scalar {
		l.frame = len(r.stack)
		r.stack = append(r.stack, frame{})
	}
	return l
}

func (r *run) element(l openedList, i int) {
	if i > 0 {
		r.buf = append(r.buf, ',')
	}
	if l.frame >= 0 {
		r.stack[l.frame].index = i
	}
}

func (r *run) closeList(l openedList, elemNonNull bool) (null bool) {
	if l.frame >= 0 {
		r.stack = r.stack[:l.frame]
	}
	switch {
	case l.panicked: // gqlgen answers an empty list
		r.cut(l.start)
		r.buf = append(r.buf, '[', ']')
		return false
	case l.null && elemNonNull:
		r.cut(l.start)
		return r.null()
	}
	r.buf = append(r.buf, ']')
	return false
}

// guard writes one element of a list and turns a panic into an error of this element.
func guard[T any](r *run, s Shape[T], sel *selection, v T) (null, panicked bool) {
	start, depth := len(r.buf), len(r.stack)
	defer func() {
		if p := recover(); p != nil {
			rethrow(p)
			r.cut(start)
			r.stack = r.stack[:depth]
			ctx := r.fieldContext()
			graphql.AddError(ctx, graphql.Recover(ctx, p))
			null, panicked = r.null(), true
		}
	}()
	return s.write(r, sel, v), false
}

// null writes a null without an error. The result is always true.
func (r *run) null() bool {
	r.buf = append(r.buf, "null"...)
	return true
}

// nilElement writes the null of a nil value; it is an error where the type is non-null, unless the
// field has one already.
func (r *run) nilElement(nonNull bool) bool {
	if nonNull {
		ctx := r.fieldContext()
		if !graphql.HasFieldError(ctx, graphql.GetFieldContext(ctx)) {
			graphql.AddError(ctx, errNilElement)
		}
	}
	return r.null()
}

// nilField writes the null of a field that has no value at all, such as after an error of its
// resolver.
func (r *run) nilField(f *planned) bool {
	if f.nonNull {
		ctx := r.fieldContext()
		if !graphql.HasFieldError(ctx, graphql.GetFieldContext(ctx)) {
			graphql.AddError(ctx, errNilField)
		}
	}
	return r.null()
}

// gqlgen's messages.
var (
	errNilElement = errors.New("the requested element is null which the schema does not allow")
	errNilField   = errors.New("must not be null")
)

// fieldContext returns the context of where the writer is, with the path that errors get. It is
// built for errors only.
func (r *run) fieldContext() context.Context {
	if len(r.stack) == 0 {
		return r.ctx
	}
	parent := graphql.GetFieldContext(r.ctx)
	for _, s := range r.stack {
		fc := &graphql.FieldContext{Index: &s.index}
		if s.field != nil {
			fc = s.field.fieldContext()
			if s.field.kind == kindMethod || s.field.kind == kindEdge {
				fc.Args = r.slots[s.field.slot].arguments().values
			}
		}
		fc.Parent = parent
		parent = fc
	}
	here, above := parent, parent.Parent
	ctx := graphql.WithFieldContext(r.ctx, here)
	here.Parent = above
	return ctx
}
