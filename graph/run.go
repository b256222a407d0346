package graph

import (
	"context"
	"strconv"

	"github.com/99designs/gqlgen/graphql"
	"github.com/vektah/gqlparser/v2/ast"
	"github.com/vektah/gqlparser/v2/gqlerror"

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
	ctx = context.WithValue(ctx, documentKey{}, known.ast)
	ctx = context.WithValue(ctx, rateLimitKey{}, limit)
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
	if resp == nil { // the context ended before anything ran
		return h.refuse(ctx, server.TimedOut, op, gqlerror.List{coded(Timeout, "the operation took too long; ask for less")})
	}
	r := result(server.Executed, op, resp.Errors)
	r.Body = h.body(resp.Data, resp.Errors)
	return r
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

func (h *Handler) appendErrors(b []byte, list gqlerror.List) []byte {
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

// rateLimit returns what the operation costs and what is left to its client.
func rateLimit(ctx context.Context) *union.RateLimit {
	return ctx.Value(rateLimitKey{}).(*union.RateLimit)
}
