package server

import (
	"context"
	"time"
)

// Execute answers one GraphQL operation. The server has read and checked the HTTP request, has admitted the operation
// and has set its deadline; what is left is the language: parse, guard, validate, price, execute.
//
// It is called from many goroutines at once. It keeps to the deadline of ctx. It may panic: the server answers 500 and
// goes on. Statements that it sends with ctx are counted for the log and the metrics.
type Execute func(ctx context.Context, p Params) Result

// Recall answers an operation from memory, if an answer is kept of which is known that it is what Execute would answer
// now. It is asked before Execute, outside the limit on operations that run at once. It runs nothing; it waits, for a
// short while, only for what is under way already. Variables is not set yet when it is called.
//
// Whoever calls it charges Result.Cost. False means that Execute is to answer.
type Recall func(ctx context.Context, p *Params) (Result, bool)

// Params is a GraphQL request as HTTP carried it: well-formed, but nothing of it is parsed or validated yet.
type Params struct {
	// Query is the text of the document: valid UTF-8 and no longer than the limit on a body. It can be empty: if that is
	// what the client sent, which does not parse, or if the document is named by DocumentID or in Extensions.
	Query string
	// DocumentID names a document that the service knows (GraphQL over HTTP, appendix A, "Persisted Documents"). Empty
	// if the request has none.
	DocumentID string
	// OperationName picks an operation of the document. Empty if the request names none.
	OperationName string
	// Variables is nil if the request has none. Numbers are json.Number, so an integer of any size is as it was sent.
	Variables map[string]any
	// VariablesText is the JSON object of the variables as it was sent, empty if there is none. Without it Variables can't be
	// told apart from others, and nothing is kept.
	VariablesText string
	// Extensions is nil if the request has none. Numbers are json.Number.
	Extensions map[string]any
	// Found is what Recall found out about the request and Execute needs too; only they know what it is.
	Found any
	// Client names where the request comes from: the network of its address. It is what the allowance is kept by.
	Client string
	// RequestID is the id under which this request is logged, for the log lines of Execute.
	RequestID string
	// ReadOnly says that the request came by a safe method (GET or HEAD): only a query may run, and anything else is
	// answered with NotByGet.
	ReadOnly bool
	// Charge takes the price of the operation, in points, from the client's allowance and says what is left; false
	// means that not enough was left, that one point was taken for asking, and that the answer is RateLimited. It is never
	// nil. Call
	// it once, when the price is known and before anything runs; if it is not called the server takes one point, so
	// that a refused document isn't free.
	Charge func(points int) (Allowance, bool)
}

// Allowance is what a client may still ask for.
type Allowance struct {
	// Limit is the points of one window. It is 0 if clients aren't limited; the other fields are then zero too.
	Limit int
	// Remaining is the points left in this window.
	Remaining int
	// ResetAt is when the window ends and the allowance is full again.
	ResetAt time.Time
}

// Result is the answer to one operation.
type Result struct {
	// Body is the whole GraphQL response as JSON in UTF-8. It goes to the client as it is. The server reads it until
	// Execute's caller has written it, so it must not go back to a pool before; see Release.
	Body []byte
	// Release, if set, is called once after Body was written, so that its memory can be used again.
	Release func()
	// Public is set if anyone who is not signed in gets this same answer; Body is that of Public then.
	Public *Public
	// From says where a public answer comes from.
	From Source
	// Cost is what the operation costs, in points, if it is an answer of Recall.
	Cost int
	// Session changes the session cookie of the client, if set.
	Session *SessionCookie
	// Outcome says how far the operation came. It decides the status code.
	Outcome Outcome
	// Operation is the operation's name, empty if it has none or the document wasn't understood. It goes into the log
	// and, as long as there are few different ones, into the metrics.
	Operation string
	// OperationType is "query", "mutation" or "subscription", or empty if the document wasn't understood.
	OperationType string
	// Errors is how many errors Body lists.
	Errors int
	// RetryAfter is when a refused client may try again, rounded up to whole seconds. It is sent with RateLimited and
	// Unavailable only; there zero stands for one second.
	RetryAfter time.Duration
}

// Source says where a public answer comes from.
type Source int

// The sources.
const (
	// FromExecution says that the operation ran for this request.
	FromExecution Source = iota
	// FromMemory says that the answer was kept.
	FromMemory
	// FromOther says that the operation ran at the same time for another request, which asked the same.
	FromOther
)

// Identify finds out who asks. It is called only for requests that carry credentials, and returns the context in which
// they are answered; errs.Unauthenticated if the credentials are nobody's, or nobody's any more.
type Identify func(ctx context.Context, c Credentials) (context.Context, error)

// Credentials are what a request carries to prove who asks.
type Credentials struct {
	// Session is the token in the session cookie, empty if there is none. It is empty if
	// there is a key: the key wins.
	Session string
	// Key is the bearer token in the header Authorization, empty if there is none.
	Key string
}

// SessionCookie is a change of the cookie that says who is signed in.
type SessionCookie struct {
	// Token is what the cookie holds from now on; empty: the cookie is removed.
	Token string
	// ExpiresAt is when the browser forgets it.
	ExpiresAt time.Time
}

// Outcome says how far an operation came. The status codes are those of the GraphQL-over-HTTP specification.
type Outcome int

// The outcomes. Executed is the zero value: everything else means that nothing ran and that Body has no "data" key.
const (
	// Executed says that the operation ran, with or without field errors: Body has a "data" key. 200.
	Executed Outcome = iota
	// Invalid says that the document or its variables were refused: not parsed, not valid, too dear, no such operation,
	// a variable of the wrong type. 400; or 200 if the client reads application/json only, as the specification asks.
	Invalid
	// NotByGet says that the request was ReadOnly and the operation is not a query. 405 with Allow: POST.
	NotByGet
	// Unauthenticated says that the caller must sign in before anything may run. 401.
	Unauthenticated
	// Forbidden says that the caller may not run this operation at all. 403.
	Forbidden
	// RateLimited says that the client's allowance is used up. 429 with Retry-After.
	RateLimited
	// Unavailable says that the operation could not begin now and may succeed later. 503 with Retry-After.
	Unavailable
	// TimedOut says that the deadline passed before there was any data. 504.
	TimedOut
	// Failed says that something broke before there was any data. 500.
	Failed
)

// String returns the name of the outcome in logs and metrics.
func (o Outcome) String() string {
	switch o {
	case Executed:
		return "executed"
	case Invalid:
		return "invalid"
	case NotByGet:
		return "not_by_get"
	case Unauthenticated:
		return "unauthenticated"
	case Forbidden:
		return "forbidden"
	case RateLimited:
		return "rate_limited"
	case Unavailable:
		return "unavailable"
	case TimedOut:
		return "timed_out"
	default:
		return "failed"
	}
}
