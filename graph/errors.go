package graph

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"runtime/debug"
	"strings"

	"github.com/99designs/gqlgen/graphql"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/vektah/gqlparser/v2/gqlerror"

	"github.com/collegium/collegium/graph/exec"
	"github.com/collegium/collegium/internal/errs"
	"github.com/collegium/collegium/internal/guard"
)

// The codes that errors[].extensions.code can have.
const (
	ParseFailed      = "GRAPHQL_PARSE_FAILED"
	ValidationFailed = "GRAPHQL_VALIDATION_FAILED"
	BadUserInput     = "BAD_USER_INPUT"
	// PersistedQueryNotFound says that a document was named and isn't known.
	PersistedQueryNotFound = "PERSISTED_QUERY_NOT_FOUND"
	Unauthenticated        = "UNAUTHENTICATED"
	Forbidden              = "FORBIDDEN"
	NotFound               = "NOT_FOUND"
	Conflict               = "CONFLICT"
	CostExceeded           = "COST_EXCEEDED"
	RateLimited            = "RATE_LIMITED"
	Timeout                = "TIMEOUT"
	Unavailable            = "UNAVAILABLE"
	Internal               = "INTERNAL_SERVER_ERROR"
)

// coded returns an error for the client with a code.
func coded(code, format string, args ...any) *gqlerror.Error {
	e := gqlerror.Errorf(format, args...)
	setCode(e, code)
	return e
}

func setCode(e *gqlerror.Error, code string) {
	if e.Extensions == nil {
		e.Extensions = map[string]any{}
	}
	e.Extensions["code"] = code
}

// refusal turns an error of the guard into errors for the client.
func refusal(err error) gqlerror.List {
	var g *guard.Error
	if !errors.As(err, &g) {
		return gqlerror.List{gqlerror.Wrap(err)}
	}
	e := coded(g.Code(), "%s", g.Message)
	if g.Line > 0 {
		e.Locations = []gqlerror.Location{{Line: g.Line, Column: g.Column}}
	}
	return gqlerror.List{e}
}

// present is the one place where an error becomes what a client reads. An error
// that has no kind is logged and told as "internal error": nothing of the driver
// or of the code reaches a client.
func (h *Handler) present(ctx context.Context, err error) *gqlerror.Error {
	path := graphql.GetPath(ctx)
	var e *gqlerror.Error
	if errors.As(err, &e) {
		if e.Extensions["code"] != nil {
			return e
		}
		if e.Path != nil {
			path = e.Path
		}
	}
	out := &gqlerror.Error{Path: path, Locations: locations(ctx)}
	code, message := h.classify(ctx, err, path)
	out.Message = message
	out.Extensions = map[string]any{"code": code}
	return out
}

// locations returns where the field that is resolved stands in the document (October 2021, section
// 7.1.2). An element of a list stands where its list does.
func locations(ctx context.Context) []gqlerror.Location {
	for fc := graphql.GetFieldContext(ctx); fc != nil; fc = fc.Parent {
		if fc.Field.Field != nil && fc.Field.Position != nil {
			return []gqlerror.Location{{Line: fc.Field.Position.Line, Column: fc.Field.Position.Column}}
		}
	}
	return nil
}

// classify returns the code and the text of an error.
func (h *Handler) classify(ctx context.Context, err error, path fmt.Stringer) (code, message string) {
	var invalid *errs.Invalid
	var pgErr *pgconn.PgError
	switch {
	case errors.As(err, &invalid):
		return BadUserInput, invalid.Error()
	case errors.Is(err, exec.ErrTooLarge):
		return CostExceeded, "the answer grows too large; ask for smaller pages, or for fewer lists inside lists"
	case errors.Is(err, errs.NotFound):
		return NotFound, "there is no such thing"
	case errors.Is(err, errs.Unauthenticated):
		return Unauthenticated, "sign in first"
	case errors.Is(err, errs.Forbidden):
		return Forbidden, "you may not do this"
	case errors.Is(err, errs.Conflict):
		return Conflict, "it was changed meanwhile; read it again"
	case errors.Is(err, context.DeadlineExceeded),
		errors.As(err, &pgErr) && pgErr.Code == queryCanceled:
		return Timeout, "this took too long; ask for less"
	case errors.Is(err, errs.Unavailable), errors.Is(err, context.Canceled), isOutage(err, pgErr):
		h.log.WarnContext(ctx, "unavailable", "request_id", ctx.Value(requestKey{}), "path", path.String(), "error", err)
		return Unavailable, "this can't be answered now; try again later"
	case isNullError(err):
		h.log.ErrorContext(ctx, "a field that promises a value has none", "request_id", ctx.Value(requestKey{}), "path", path.String())
		return Internal, "must not be null"
	default:
		h.log.ErrorContext(ctx, "internal error", "request_id", ctx.Value(requestKey{}), "path", path.String(), "error", err)
		return Internal, "internal error"
	}
}

// queryCanceled is the SQLSTATE of a statement that its deadline ended.
const queryCanceled = "57014"

// isOutage says whether the database can't answer now and may later: the
// connection broke or was refused, the server is stopping or starting, it is short
// of something, or a lock was not to be had in time.
func isOutage(err error, pgErr *pgconn.PgError) bool {
	if pgErr != nil {
		switch {
		case strings.HasPrefix(pgErr.Code, "08"), strings.HasPrefix(pgErr.Code, "53"), strings.HasPrefix(pgErr.Code, "57P"), pgErr.Code == "55P03":
			return true
		}
		return false
	}
	var connect *pgconn.ConnectError
	return errors.As(err, &connect) || pgconn.SafeToRetry(err) || errors.Is(err, io.ErrUnexpectedEOF) || errors.Is(err, net.ErrClosed)
}

// isNullError says whether the error is the executor's word that a field which
// promises a value has none.
func isNullError(err error) bool {
	var e *gqlerror.Error
	return errors.As(err, &e) && e.Err == nil && e.Message == "must not be null"
}

// recovered turns a panic in a resolver into an internal error.
func (h *Handler) recovered(ctx context.Context, p any) error {
	h.log.ErrorContext(ctx, "panic", "request_id", ctx.Value(requestKey{}), "path", graphql.GetPath(ctx).String(),
		"panic", fmt.Sprint(p), "stack", string(debug.Stack()))
	return coded(Internal, "internal error")
}

// errorJSON writes an error as the specification says (section 7.1.2).
func errorJSON(e *gqlerror.Error) []byte {
	b, err := json.Marshal(e)
	if err != nil { // an error of ours holds only what marshals
		return []byte(`{"message":"internal error","extensions":{"code":"INTERNAL_SERVER_ERROR"}}`)
	}
	return b
}
