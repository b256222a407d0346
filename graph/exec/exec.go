package exec

import (
	"context"
	"errors"
	"io"
	"math"
	"sync"

	"github.com/99designs/gqlgen/graphql"
)

// Executor answers operations on the schema of its table. It has two ways to do so. An [Operation] that is a query
// and whose root fields are all in the table runs from its roots on, by [Operation.Append]. Everything else goes
// through gqlgen, for which the executor is an extension that answers what is below the root fields of queries and
// mutations:
//
//	e := exec.New(gen.NewExecTable(config))
//	server := executor.New(gen.NewExecutableSchema(config))
//	server.Use(e)
//
// A server that doesn't use it runs the same resolvers by gqlgen alone.
//
// In gqlgen's way a field interceptor that is used before the executor sees each root field with a [graphql.Marshaler]
// as its result; one that is used after it sees the value of the resolver. Below a root field no interceptor runs, and
// by [Operation.Append] none at all.
type Executor struct {
	table       *Table
	edgesAtOnce int
	maxBytes    int
	maxObjects  uint
}

// ErrTooLarge is the error of a root field whose answer grew beyond the bounds of [Executor.SetBounds]. Nothing of
// the field is answered.
var ErrTooLarge = errors.New("the answer is too large")

var _ interface {
	graphql.HandlerExtension
	graphql.FieldInterceptor
} = (*Executor)(nil)

// defaultEdgesAtOnce suits edges that wait for a database: most levels have fewer.
const defaultEdgesAtOnce = 4

// New returns an executor for the schema of the table.
func New(table *Table) *Executor {
	return &Executor{table: table, edgesAtOnce: defaultEdgesAtOnce, maxBytes: math.MaxInt, maxObjects: math.MaxUint}
}

// SetBounds bounds the answer of one root field: its JSON in bytes, and the objects that are met on the way, each once
// where its edges are gathered and once where it is written. Both are checked every 1,024 objects. Without a call
// nothing is bounded. It must not be called while requests are served.
func (e *Executor) SetBounds(bytes, objects int) { e.maxBytes, e.maxObjects = bytes, uint(objects) }

// SetEdgesAtOnce sets how many edges of one level run at the same time within one root field: 4 unless set. With 1
// they run one after another. It must not be called while requests are served.
func (e *Executor) SetEdgesAtOnce(n int) { e.edgesAtOnce = max(1, n) }

// ExtensionName names the extension for gqlgen.
func (e *Executor) ExtensionName() string { return "BatchExecutor" }

// Validate accepts every schema: the table was generated from it.
func (e *Executor) Validate(graphql.ExecutableSchema) error { return nil }

// InterceptField renders the value of a root field that gqlgen has resolved. Other fields, and root fields that are
// scalars, pass. The plan is that of the operation in the context (see [Operation.Context]); without one it is made
// for this one answer.
func (e *Executor) InterceptField(ctx context.Context, next graphql.Resolver) (any, error) {
	fc := graphql.GetFieldContext(ctx)
	root, ok := e.table.roots[fc.Object][fc.Field.Name]
	if !ok {
		return next(ctx)
	}
	v, err := next(ctx)
	if err != nil || v == nil || !root.matches(v) {
		return v, err
	}
	return e.render(ctx, fc.Field.Alias, v)
}

func (e *Executor) render(ctx context.Context, alias string, v any) (_ any, err error) {
	oc := graphql.GetOperationContext(ctx)
	o, ok := ctx.Value(operationKey{}).(*Operation)
	if !ok || o.def != oc.Operation {
		o = e.Operation(oc.Doc, oc.Operation)
	}
	r := newRun(ctx, oc, e, o.plan(oc.Variables).rootOf(alias))
	defer func() {
		p := recover()
		r.release()
		if p != nil {
			a, ok := p.(abandon)
			if !ok {
				panic(p)
			}
			err = a.err
		}
	}()
	r.result = v
	r.gatherRoot()
	if null := r.writeRoot(nil); null {
		return graphql.Null, nil
	}
	return &rendered{json: r.buf, late: r.late}, nil
}

// rendered is the JSON of a root field.
type rendered struct {
	json []byte
	late []lateError
}

// MarshalGQL writes the JSON.
func (v *rendered) MarshalGQL(w io.Writer) {
	for _, e := range v.late {
		graphql.AddError(e.ctx, e.err)
	}
	w.Write(v.json) //nolint:errcheck // gqlgen's writer is a buffer; the interface has no error.
}

// runs keeps what a run needs besides the buffer of the answer.
var runs = sync.Pool{New: func() any { return new(run) }}

func newRun(ctx context.Context, oc *graphql.OperationContext, e *Executor, root *rootPlan) *run {
	r := runs.Get().(*run)
	r.ctx, r.oc, r.exec, r.root = ctx, oc, e, root
	return r
}

func (r *run) release() {
	clear(r.slots)
	clear(r.stack[:cap(r.stack)])
	*r = run{slots: r.slots[:0], stack: r.stack[:0]}
	runs.Put(r)
}

// gatherRoot answers the edges below the value of the root field.
func (r *run) gatherRoot() {
	if sel := r.root.sel; sel.only == nil || len(sel.only.gather) > 0 {
		r.root.def.visit(r, sel, r.result)
		r.gather()
	}
}

// writeRoot appends the value of the root field to buf, as r.buf.
func (r *run) writeRoot(buf []byte) (null bool) {
	r.buf, r.start = buf, len(buf)
	return r.root.def.write(r, r.root.sel, r.result)
}
