package exec

import (
	"context"
	"slices"
	"sync"
	"sync/atomic"

	"github.com/99designs/gqlgen/graphql"
	"github.com/vektah/gqlparser/v2/ast"
)

// Operation is an operation of a valid document, with the plans of how it is answered. It is made once for a document
// that is kept, and is safe for concurrent use.
type Operation struct {
	exec *Executor
	doc  *ast.QueryDocument
	def  *ast.OperationDefinition
	vars []string // the variables in @skip and @include, sorted

	only  atomic.Pointer[plan] // if there are no such variables
	mu    sync.RWMutex
	plans map[string]*plan // else, by a character for each of vars
	bytes atomic.Int64
}

// Operation returns an operation of a valid document. Neither may be changed from then on.
func (e *Executor) Operation(doc *ast.QueryDocument, def *ast.OperationDefinition) *Operation {
	return &Operation{exec: e, doc: doc, def: def, vars: Conditions(doc, def)}
}

// Bytes returns about how many bytes the plans of the operation take that are kept. It grows as the operation is
// answered with other variables in @skip and @include, and as objects of other types turn up in interfaces and unions;
// it doesn't count the document.
func (o *Operation) Bytes() int { return int(o.bytes.Load()) }

// Runs tells whether [Operation.Append] can answer the operation with these coerced variables. It can't if the
// operation is no query, if it asks for introspection, or if a root field has a directive with code; gqlgen can.
func (o *Operation) Runs(variables map[string]any) bool {
	return o.def.Operation == ast.Query && o.plan(variables).runs
}

type operationKey struct{}

// Context returns a context in which gqlgen's way of answering the operation uses its plans.
func (o *Operation) Context(ctx context.Context) context.Context {
	return context.WithValue(ctx, operationKey{}, o)
}

// Append answers an operation that [Operation.Runs], and appends the JSON of its data to dst. The context carries a
// [graphql.OperationContext] with the coerced variables and a response context; errors are added to that. Root fields
// are resolved side by side, and written one after another.
//
// Resolvers find in their contexts what gqlgen gives them, but for the [graphql.RootFieldContext] and the map of
// [graphql.WithUnmarshalerMap]. Arguments that are literals are coerced once for all requests: a resolver must not
// change what its arguments point to.
func (o *Operation) Append(ctx context.Context, dst []byte) []byte {
	oc := graphql.GetOperationContext(ctx)
	p := o.plan(oc.Variables)
	roots := make([]*run, len(p.roots))
	for i := range p.roots {
		if p.roots[i].def != nil { // not __typename
			roots[i] = newRun(ctx, oc, o.exec, &p.roots[i])
		}
	}
	defer func() {
		for _, r := range roots {
			if r != nil {
				r.release()
			}
		}
	}()
	resolveRoots(roots)

	start := len(dst)
	if size := int(p.size.Load()); cap(dst)-start < size {
		dst = slices.Grow(dst, size+size/8)
	}
	null := false
	for i := range p.roots {
		root := &p.roots[i]
		dst = append(dst, root.prefix...)
		if r := roots[i]; r != nil {
			var missing bool
			dst, missing = r.appendRoot(dst)
			null = null || missing && root.def.field().nonNull
		}
	}
	if len(p.roots) == 0 {
		dst = append(dst, '{')
	}
	if null {
		return append(dst[:start], "null"...)
	}
	for _, r := range roots {
		if r != nil {
			for _, e := range r.late {
				graphql.AddError(e.ctx, e.err)
			}
		}
	}
	dst = append(dst, '}')
	p.size.Store(int64(len(dst) - start))
	return dst
}

// resolveRoots resolves root fields side by side: the first of them in this goroutine, and each other in one of its own.
func resolveRoots(roots []*run) {
	for len(roots) > 0 && roots[0] == nil {
		roots = roots[1:]
	}
	if len(roots) == 0 {
		return
	}
	if len(roots) > 1 {
		var wait sync.WaitGroup
		defer wait.Wait()
		for _, r := range roots[1:] {
			if r != nil {
				wait.Go(r.resolveRoot)
			}
		}
	}
	roots[0].resolveRoot()
}

// resolveRoot calls the resolver of the root field and answers the edges below. It may run beside others.
func (r *run) resolveRoot() {
	defer func() {
		if p := recover(); p != nil {
			r.fail(p)
		}
	}()
	fc := r.root.fieldContext()
	r.ctx = graphql.WithFieldContext(r.ctx, fc)
	var err error
	if fc.Args, err = r.root.arguments(r.ctx, r.oc.Variables); err != nil {
		r.oc.Error(r.ctx, err)
		r.failed = true
		return
	}
	r.result, err = r.root.def.resolve(r.ctx)
	switch {
	case err != nil:
		r.oc.Error(r.ctx, graphql.AddFieldLocationToError(r.ctx, err))
		r.failed = true
	case r.result == nil:
		if r.root.def.field().nonNull && !graphql.HasFieldError(r.ctx, fc) {
			graphql.AddError(r.ctx, errNilField)
		}
		r.failed = true
	default:
		r.gatherRoot()
	}
}

// fail makes the panic that ended the run an error of the root field.
func (r *run) fail(p any) {
	r.failed, r.late = true, nil
	if a, ok := p.(abandon); ok {
		r.oc.Error(r.ctx, graphql.AddFieldLocationToError(r.ctx, a.err))
		return
	}
	r.oc.Error(r.ctx, r.oc.Recover(r.ctx, p))
}

// appendRoot appends the value of the root field to dst, and tells whether it is null.
func (r *run) appendRoot(dst []byte) (_ []byte, null bool) {
	if !r.failed {
		dst, null = r.tryRoot(dst)
	}
	if r.failed {
		return append(dst, "null"...), true
	}
	return dst, null
}

// tryRoot is appendRoot for a field that was resolved. If it fails it leaves dst as it was.
func (r *run) tryRoot(dst []byte) (out []byte, null bool) {
	out = dst
	defer func() {
		if p := recover(); p != nil {
			r.fail(p)
		}
	}()
	null = r.writeRoot(dst)
	return r.buf, null
}
