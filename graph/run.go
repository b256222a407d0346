package graph

import (
	"cmp"
	"context"
	"slices"
	"strconv"
	"strings"
	"sync"

	"github.com/99designs/gqlgen/graphql"
	"github.com/vektah/gqlparser/v2/ast"
	"github.com/vektah/gqlparser/v2/gqlerror"
	"github.com/vektah/gqlparser/v2/validator"

	"github.com/collegium/collegium/graph/exec"
	"github.com/collegium/collegium/graph/union"
	"github.com/collegium/collegium/internal/server"
)

// documentKey and rateLimitKey are the context keys of one operation.
type (
	documentKey  struct{}
	rateLimitKey struct{}
	requestKey   struct{}
)

// checkedDocument hands gqlgen the document that was checked for the operation:
// gqlgen parses and validates nothing itself.
type checkedDocument struct{}

// Get returns the document of the operation.
func (checkedDocument) Get(ctx context.Context, _ string) (*ast.QueryDocument, bool) {
	doc, ok := ctx.Value(documentKey{}).(*ast.QueryDocument)
	return doc, ok
}

// Add does nothing.
func (checkedDocument) Add(context.Context, string, *ast.QueryDocument) {}

// run answers an operation that may run: it was checked and paid for.
func (h *Handler) run(ctx context.Context, known *document, op *ast.OperationDefinition, p server.Params, limit *union.RateLimit) server.Result {
	ctx = context.WithValue(ctx, rateLimitKey{}, limit)
	ctx = h.pin(ctx, op.Operation)
	o := known.operation(op.Name)
	variables, wrong := h.variables(o, p.Variables)
	if wrong != nil {
		return h.refuse(ctx, server.Invalid, op, gqlerror.List{wrong})
	}
	if o.plans != nil {
		defer h.documents.weigh(known)
		if o.plans.Runs(variables) {
			return h.runBatch(ctx, o.plans, known, op, p, variables)
		}
		ctx = o.plans.Context(ctx)
	}
	return h.runGqlgen(ctx, known, op, p)
}

// variables returns the variables of a request that have passed checkVariables as
// resolvers take them: with defaults, and with a list where one value stands for
// one.
func (h *Handler) variables(o *operation, sent map[string]any) (map[string]any, *gqlerror.Error) {
	for _, name := range o.conditions {
		// A default lets a variable that may be null stand there; null itself is an error (section 5.8.5).
		if v, ok := sent[name]; ok && v == nil {
			return nil, coded(BadUserInput, "the variable $%s is null; it must be true or false, since @skip or @include asks it", name)
		}
	}
	if asSent(h.checker.schema, o.def, sent) {
		return sent, nil
	}
	coerced, err := validator.VariableValues(h.checker.schema, o.def, sent)
	if err != nil {
		wrong := gqlerror.WrapIfUnwrapped(err)
		setCode(wrong, BadUserInput)
		return nil, wrong
	}
	return coerced, nil
}

// runBatch answers a query by the batch executor, from its roots on.
func (h *Handler) runBatch(ctx context.Context, plans *exec.Operation, known *document, op *ast.OperationDefinition, p server.Params, variables map[string]any) server.Result {
	if ctx.Err() != nil {
		return h.tooLate(ctx, op)
	}
	ctx = graphql.WithResponseContext(ctx, h.presenter, h.recoverer)
	ctx = graphql.WithOperationContext(ctx, &graphql.OperationContext{
		RawQuery: known.text, Variables: variables, OperationName: p.OperationName, Doc: known.ast, Extensions: p.Extensions, Operation: op,
		RecoverFunc: h.recoverer,
	})
	b := takeBody()
	b.json = append(b.json[:0], dataKey...)
	b.json = plans.Append(ctx, b.json)
	errors := graphql.GetErrors(ctx)
	r := result(server.Executed, op, errors)
	if len(errors) > 0 {
		r.Body = h.body(b.json[len(dataKey):], errors)
		b.release()
		return r
	}
	b.json = append(b.json, '}')
	r.Body, r.Release = b.json, b.release
	return r
}

// dataKey is what stands before the data of an answer without errors.
const dataKey = `{"data":`

// body is the body of an answer. It goes back to the pool when the answer is
// written; so who keeps an answer keeps a copy.
type body struct {
	json    []byte
	release func()
}

// maxPooled is the length in bytes beyond which the memory of a body isn't used
// again.
const maxPooled = 4 << 20

var bodies sync.Pool // of *body

func takeBody() *body {
	if b, ok := bodies.Get().(*body); ok {
		return b
	}
	b := &body{}
	b.release = func() {
		if cap(b.json) <= maxPooled {
			bodies.Put(b)
		}
	}
	return b
}

// runGqlgen answers an operation by gqlgen, with the batch executor below its roots
// unless the configuration says otherwise.
func (h *Handler) runGqlgen(ctx context.Context, known *document, op *ast.OperationDefinition, p server.Params) server.Result {
	ctx = context.WithValue(ctx, documentKey{}, known.ast)
	ctx = graphql.StartOperationTrace(ctx)
	opCtx, failed := h.executor.CreateOperationContext(ctx, &graphql.RawParams{
		Query: known.text, OperationName: p.OperationName, Variables: p.Variables, Extensions: p.Extensions,
	})
	if len(failed) > 0 {
		for _, e := range failed {
			setCode(e, BadUserInput)
		}
		return h.refuse(ctx, server.Invalid, op, failed)
	}
	opCtx.DisableIntrospection = false // the schema is public
	responses, ctx := h.executor.DispatchOperation(ctx, opCtx)
	resp := responses(ctx)
	if resp == nil {
		return h.tooLate(ctx, op)
	}
	r := result(server.Executed, op, resp.Errors)
	r.Body = h.body(resp.Data, resp.Errors)
	return r
}

// tooLate refuses an operation whose context ended before anything ran.
func (h *Handler) tooLate(ctx context.Context, op *ast.OperationDefinition) server.Result {
	return h.refuse(ctx, server.TimedOut, op, gqlerror.List{coded(Timeout, "the operation took too long; ask for less")})
}

// body writes the response. Data is nil if nothing ran, and then left out, as the
// specification asks (October 2021, section 7.1).
func (h *Handler) body(data []byte, errors gqlerror.List) []byte {
	b := make([]byte, 0, len(data)+32+256*len(errors[:min(len(errors), h.maxErrors)]))
	b = append(b, '{')
	if len(errors) > 0 {
		b = append(b, `"errors":`...)
		b = h.appendErrors(b, errors)
		if data != nil {
			b = append(b, ',')
		}
	}
	if data != nil {
		b = append(b, `"data":`...)
		b = append(b, data...)
	}
	return append(b, '}')
}

// appendErrors writes errors in the order of the document. Fields are resolved side by side, so they
// come in any order, and the same question has the same answer.
func (h *Handler) appendErrors(b []byte, list gqlerror.List) []byte {
	slices.SortStableFunc(list, byPlace)
	b = append(b, '[')
	for i, e := range list {
		if i == h.maxErrors {
			b = append(b, `,{"message":"`...)
			b = strconv.AppendInt(b, int64(len(list)-h.maxErrors), 10)
			b = append(b, ` more errors are left out"}`...)
			break
		}
		if i > 0 {
			b = append(b, ',')
		}
		b = append(b, errorJSON(e)...)
	}
	return append(b, ']')
}

// byPlace compares errors by where they stand in the document, then by where in the answer.
func byPlace(a, b *gqlerror.Error) int {
	return cmp.Or(
		slices.CompareFunc(a.Locations, b.Locations, func(a, b gqlerror.Location) int {
			return cmp.Or(cmp.Compare(a.Line, b.Line), cmp.Compare(a.Column, b.Column))
		}),
		slices.CompareFunc(a.Path, b.Path, byStep),
		strings.Compare(a.Message, b.Message),
	)
}

// byStep compares steps of paths: two names, or two indices.
func byStep(a, b ast.PathElement) int {
	i, _ := a.(ast.PathIndex)
	j, _ := b.(ast.PathIndex)
	m, _ := a.(ast.PathName)
	n, _ := b.(ast.PathName)
	return cmp.Or(cmp.Compare(i, j), cmp.Compare(m, n))
}

// rateLimit returns what the operation costs and what is left to its client.
func rateLimit(ctx context.Context) *union.RateLimit {
	return ctx.Value(rateLimitKey{}).(*union.RateLimit)
}
