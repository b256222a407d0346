package server

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"sync"
	"time"

	"github.com/collegium/collegium/internal/pg"
)

// graphQLMethods are the methods of /graphql. HEAD is GET without the body (RFC 9110, section 9.3.2).
const graphQLMethods = "GET, HEAD, POST"

// graphQL is the GraphQL-over-HTTP transport: it reads a request, has it answered, and writes the answer as it came.
//
// Nothing is parsed for a client whose allowance is used up. No turn is taken before the body has arrived, so a client
// that sends slowly holds none.
func (s *Server) graphQL(w http.ResponseWriter, r *http.Request) {
	media, acceptable := negotiate(r.Header.Values("Accept"))
	switch r.Method {
	case http.MethodGet, http.MethodHead, http.MethodPost:
	case http.MethodOptions:
		w.Header().Add("Vary", "Accept")
		w.Header().Set("Allow", graphQLMethods+", OPTIONS")
		w.WriteHeader(http.StatusNoContent)
		return
	default:
		s.refuse(w, r, media, methodNotAllowed(graphQLMethods))
		return
	}
	if !acceptable {
		s.refuse(w, r, media, &refusal{
			status: http.StatusNotAcceptable, code: codeBadInput, reason: "not_acceptable",
			message: "The answer can't be written in a media type that the request accepts. Accept " + mediaGraphQL + " or " + mediaJSON + ".",
		})
		return
	}
	client := clientKey(r, s.cfg.TrustedProxies)
	if a, exhausted := s.limiter.Exhausted(client); exhausted {
		s.refuse(w, r, media, rateLimited(a.ResetAt, time.Now()))
		return
	}
	p, f := s.readParams(w, r)
	if f != nil {
		s.limiter.Take(client, 1)
		s.refuse(w, r, media, f)
		return
	}
	p.Client = client
	r, f = s.identify(w, r)
	if f != nil {
		s.limiter.Take(client, 1)
		s.refuse(w, r, media, f)
		return
	}
	res, ok := s.recall(w, r, client, &p)
	if !ok {
		if err := s.gate.enter(r.Context()); err != nil {
			s.refuse(w, r, media, overloaded())
			return
		}
		p.decodeVariables()
		res = s.execute(w, r, client, p)
		if res.Release != nil {
			defer res.Release()
		}
		if len(res.Body) == 0 {
			panic(fmt.Sprintf("Execute returned no body, outcome %s", res.Outcome))
		}
	}
	if res.Session != nil {
		s.setSession(w, *res.Session)
	}
	if res.Public != nil {
		s.public(w, r, media, &res)
	} else {
		s.private(w, r, media, &res)
	}
}

// private writes an answer that nobody may keep.
func (s *Server) private(w http.ResponseWriter, r *http.Request, media string, res *Result) {
	h := w.Header()
	h.Add("Vary", "Accept")
	h.Set("Cache-Control", "private, no-store")
	status := statusOf(res.Outcome, media)
	switch status {
	case http.StatusMethodNotAllowed:
		h.Set("Allow", http.MethodPost)
	case http.StatusTooManyRequests, http.StatusServiceUnavailable:
		h.Set("Retry-After", retryAfter(res.RetryAfter))
	}
	s.compress(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		writeBody(w, media+"; charset=utf-8", status, res.Body)
	})).ServeHTTP(w, r)
}

// recall has an operation answered from memory. That takes no turn: it is less work than to wait for one.
func (s *Server) recall(w http.ResponseWriter, r *http.Request, client string, p *Params) (Result, bool) {
	if s.deps.Recall == nil {
		return Result{}, false
	}
	begun := time.Now()
	res, ok := s.deps.Recall(r.Context(), p)
	if !ok {
		return res, false
	}
	if _, ok := s.limiter.Take(client, res.Cost); !ok {
		return Result{}, false // Execute says so
	}
	s.answered(infoOf(w, r), &res, 0, time.Since(begun))
	return res, true
}

// answered notes that an operation was answered.
func (s *Server) answered(info *requestInfo, res *Result, statements int, took time.Duration) {
	info.ran = true
	info.fromMemory = res.From == FromMemory && res.Public != nil
	info.operation = operationName(res.Operation)
	info.operationType = res.OperationType
	info.outcome = res.Outcome
	info.errors = res.Errors
	info.statements = statements
	s.metrics.operation(res, statements, took)
}

// readParams reads the parameters of a request from where its method has them.
func (s *Server) readParams(w http.ResponseWriter, r *http.Request) (Params, *refusal) {
	if len(r.URL.RawQuery) > s.cfg.MaxBodyBytes {
		f := tooLarge(s.cfg.MaxBodyBytes)
		f.status = http.StatusRequestURITooLong
		return Params{}, f
	}
	if r.Method != http.MethodPost {
		return parseURL(r.URL.RawQuery)
	}
	if f := checkContentType(r.Header.Values("Content-Type")); f != nil {
		return Params{}, f
	}
	if len(r.Header.Values("Content-Encoding")) > 0 {
		return Params{}, unsupportedMedia("The request has a Content-Encoding, but only plain bodies are read. Send it without.")
	}
	if r.ContentLength > int64(s.cfg.MaxBodyBytes) {
		return Params{}, tooLarge(s.cfg.MaxBodyBytes)
	}
	buf, _ := bodies.Get().(*bytes.Buffer)
	defer bodies.Put(buf)
	buf.Reset()
	if f := s.readBody(w, r, buf); f != nil {
		return Params{}, f
	}
	return parseBody(buf.Bytes())
}

// bodies holds buffers for request bodies. What parseBody returns is a copy.
var bodies = sync.Pool{New: func() any { return new(bytes.Buffer) }}

func (s *Server) readBody(w http.ResponseWriter, r *http.Request, into *bytes.Buffer) *refusal {
	var err error
	if n := r.ContentLength; n >= 0 { // which is not too long
		into.Grow(int(n))
		body := into.AvailableBuffer()[:n]
		_, err = io.ReadFull(r.Body, body)
		into.Write(body)
	} else {
		_, err = into.ReadFrom(http.MaxBytesReader(w, r.Body, int64(s.cfg.MaxBodyBytes)))
	}
	var tooLong *http.MaxBytesError
	switch {
	case err == nil:
		return nil
	case errors.As(err, &tooLong):
		return tooLarge(s.cfg.MaxBodyBytes)
	case errors.Is(err, os.ErrDeadlineExceeded):
		return &refusal{
			status: http.StatusRequestTimeout, code: codeTimeout, reason: "slow",
			message: "The body didn't arrive in time.",
		}
	default:
		return badRequest("The body ended before its declared length.")
	}
}

// execute has an operation answered, in its turn and within its time. The turn ends here, before the answer is written,
// so that a client that reads slowly holds none.
func (s *Server) execute(w http.ResponseWriter, r *http.Request, client string, p Params) Result {
	defer s.gate.leave()
	info := infoOf(w, r)
	p.RequestID = info.id()
	charged := false
	p.Charge = func(points int) (a Allowance, ok bool) {
		a, ok = s.limiter.Take(client, points)
		charged = ok // what is refused isn't free either
		return a, ok
	}
	ctx, cancel := context.WithTimeoutCause(r.Context(), s.cfg.OperationTimeout, errOperationTimeout)
	defer cancel()
	ctx, counter := pg.WithCounter(ctx)

	begun := time.Now()
	res := Result{Outcome: Failed} // what is counted after a panic
	defer func() {
		if !charged {
			s.limiter.Take(client, 1)
		}
		s.answered(info, &res, counter.Statements(), time.Since(begun))
	}()
	res = s.deps.Execute(ctx, p)
	return res
}

// errOperationTimeout is the cause with which the context of an operation ends at its deadline.
var errOperationTimeout = errors.New("the deadline of the operation has passed")

// statusOf returns the status code of an answer. Under application/json it is 200 whenever the request was understood
// as GraphQL over HTTP, for the clients that know nothing else; a refusal for other reasons than its content keeps its
// code.
//
// An answer with data and errors is 200: the reference audit knows no other code for it.
func statusOf(o Outcome, media string) int {
	switch o {
	case Executed:
		return http.StatusOK
	case Invalid:
		if media == mediaJSON {
			return http.StatusOK
		}
		return http.StatusBadRequest
	case NotByGet:
		return http.StatusMethodNotAllowed
	case Unauthenticated:
		return http.StatusUnauthorized
	case Forbidden:
		return http.StatusForbidden
	case RateLimited:
		return http.StatusTooManyRequests
	case Unavailable:
		return http.StatusServiceUnavailable
	case TimedOut:
		return http.StatusGatewayTimeout
	default:
		return http.StatusInternalServerError
	}
}

func overloaded() *refusal {
	return &refusal{
		status: http.StatusServiceUnavailable, code: codeUnavailable, reason: "overload", retryAfter: time.Second,
		message: "The server has more to do than it can. Try again when the time in Retry-After has passed.",
	}
}

// operationName cuts a name to a length that fits a log line.
func operationName(name string) string {
	return name[:min(len(name), 64)]
}
