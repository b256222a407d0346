package exec

import (
	"context"
	"errors"
	"io"
	"math"
	"sync"

	"github.com/99designs/gqlgen/graphql"
)

// Executor answers what is below the root fields of queries and mutations. It is a gqlgen extension:
// a server that doesn't use it runs the same resolvers by gqlgen alone.
//
//	srv := handler.New(gen.NewExecutableSchema(config))
//	srv.Use(exec.New(gen.NewExecTable(config)))
//
// A field interceptor that is used before it sees each root field with a [graphql.Marshaler] as its
// result; one that is used after it sees the value of the resolver. Below a root field no interceptor runs.
type Executor struct {
	table       *Table
	plans       plans
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
	graphql.ResponseInterceptor
} = (*Executor)(nil)

// defaultEdgesAtOnce suits edges that wait for a database: most levels have fewer.
const defaultEdgesAtOnce = 4

// New returns an executor for the schema of the table.
func New(table *Table) *Executor {
	return &Executor{
		table: table, plans: plans{table: table}, edgesAtOnce: defaultEdgesAtOnce,
		maxBytes: math.MaxInt, maxObjects: math.MaxUint,
	}
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

// InterceptField renders the value of a root field. Other fields, and root fields that are scalars,
// pass.
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
	return e.render(ctx, fc, root, v)
}

func (e *Executor) render(ctx context.Context, fc *graphql.FieldContext, root root, v any) (_ any, err error) {
	oc := graphql.GetOperationContext(ctx)
	p := e.plans.get(oc, fc.Field, root.info())
	r := runs.Get().(*run)
	r.ctx, r.oc, r.exec = ctx, oc, e
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

	if p.root.only == nil || len(p.root.only.gather) > 0 {
		root.visit(r, p.root, v)
		r.gather()
	}
	kept, _ := ctx.Value(buffersKey{}).(*buffers)
	r.buf = kept.take(int(p.size.Load()))
	null := root.write(r, p.root, v)
	p.size.Store(int64(len(r.buf)))
	kept.put(r.buf)
	if null {
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

// runs keeps what a run needs besides its buffer.
var runs = sync.Pool{New: func() any { return new(run) }}

func (r *run) release() {
	clear(r.slots)
	clear(r.stack[:cap(r.stack)])
	*r = run{slots: r.slots[:0], stack: r.stack[:0]}
	runs.Put(r)
}

// buffers are the buffers of one response. They go back to the pool when the response is finished,
// so that the bytes of no answer are reused while something may still read them.
type buffers struct {
	mu   sync.Mutex
	kept [][]byte
}

type buffersKey struct{}

var pool sync.Pool // of *[]byte

// maxPooled is the size in bytes beyond which a buffer isn't kept.
const maxPooled = 4 << 20

// InterceptResponse lends the buffers of the answers below it, and takes them back once gqlgen has
// copied them into the response.
func (e *Executor) InterceptResponse(ctx context.Context, next graphql.ResponseHandler) *graphql.Response {
	var b buffers
	resp := next(context.WithValue(ctx, buffersKey{}, &b))
	for _, buf := range b.kept {
		if cap(buf) <= maxPooled {
			buf = buf[:0]
			pool.Put(&buf)
		}
	}
	return resp
}

// take returns an empty buffer, with room for size bytes if it is a new one. A nil receiver, where InterceptResponse
// isn't around, has no pool.
func (b *buffers) take(size int) []byte {
	if b != nil {
		if buf, ok := pool.Get().(*[]byte); ok {
			return *buf
		}
	}
	return make([]byte, 0, size+size/8+64)
}

// put remembers a buffer that take returned, grown or not.
func (b *buffers) put(buf []byte) {
	if b == nil {
		return
	}
	b.mu.Lock()
	b.kept = append(b.kept, buf)
	b.mu.Unlock()
}
