package server

import (
	"context"
	"fmt"
	"log/slog"
	mathrand "math/rand/v2"
	"net/http"
	"runtime/debug"
	"time"
)

// requestInfo is what is known about a request when its log line is written. Only the goroutine of the request
// touches it.
type requestInfo struct {
	ids     [1]string // the id, as the value of a header; empty until somebody wants to know it
	route   string
	refused string // why it never reached the graph

	ran           bool // whether it reached the graph
	fromMemory    bool // whether its answer was kept
	public        bool // whether its answer is anyone's
	operation     string
	operationType string
	outcome       Outcome
	errors        int
	statements    int
}

// id returns the id of the request.
func (i *requestInfo) id() string {
	if i.ids[0] == "" {
		i.ids[0] = newRequestID()
	}
	return i.ids[0]
}

type infoKey struct{}

// infoOf returns the information about a request: that of its recorder, or of its context where the recorder is wrapped.
func infoOf(w http.ResponseWriter, r *http.Request) *requestInfo {
	if rec, ok := w.(*recorder); ok && rec.info != nil {
		return rec.info
	}
	info, _ := r.Context().Value(infoKey{}).(*requestInfo)
	return info
}

// ServeHTTP answers one request. It gives the request an id and the answer the headers that protect a browser, answers
// a panic like everything else, and writes one log line and counts the request when it has been answered. The line holds
// nothing that a client sent but the name of its operation and its well-formed request id: no document, no variables,
// no query string, no headers, no address.
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	x := &exchange{begun: time.Now()}
	info, rec := &x.requestInfo, &x.recorder
	info.route = "other"
	if given := r.Header[s.cfg.RequestIDHeader]; len(given) == 1 && isRequestID(given[0]) {
		info.ids[0] = given[0]
	}
	rec.ResponseWriter, rec.info, rec.idHeader = w, info, s.requestIDHeader
	defer s.done(x, r)
	defer s.recovered(rec, r)
	if r.URL.Path == routeGraphQL {
		info.route = routeGraphQL
		s.graph.ServeHTTP(rec, r)
	} else {
		s.other.ServeHTTP(rec, r.WithContext(context.WithValue(r.Context(), infoKey{}, info)))
	}
	if rec.status == 0 {
		rec.WriteHeader(http.StatusOK) // as net/http would, without the protection
	}
}

// exchange is a request with its answer: in one piece, since there is one for each.
type exchange struct {
	recorder
	requestInfo
	begun time.Time
}

// done counts a request that has been answered, and writes its line.
func (s *Server) done(x *exchange, r *http.Request) {
	took := time.Since(x.begun)
	status := x.status
	if status == 0 {
		status = http.StatusOK
	}
	l := requestLabels{x.route, knownMethod(r.Method), status}
	s.metrics.byRequest.get(l).Inc()
	s.logRequest(r.Context(), &x.requestInfo, l, x.bytes, took)
}

// protection are the headers that every answer has, besides the id of the request; a 304 says that those of the answer
// which the client has still hold. A page that needs more of the browser sets its own policy.
//
// A public answer has the first alone, and no id: it is data that anyone may embed, and who keeps it gives it in answer
// to other requests. With more than eight headers net/http also takes twice as long to write them.
//
// The values are shared between answers: nothing may change them in place.
var protection = []struct {
	name  string
	value []string
}{
	{"X-Content-Type-Options", []string{"nosniff"}},
	{"X-Frame-Options", []string{"DENY"}},
	{"Referrer-Policy", []string{"no-referrer"}},
	{"Cross-Origin-Resource-Policy", []string{"same-origin"}},
	{"Content-Security-Policy", []string{"default-src 'none'; frame-ancestors 'none'"}},
}

func (s *Server) logRequest(ctx context.Context, info *requestInfo, l requestLabels, bytes int64, took time.Duration) {
	level := slog.LevelInfo
	switch {
	case l.status >= http.StatusInternalServerError && l.status != http.StatusServiceUnavailable:
		level = slog.LevelError
	case l.status == http.StatusServiceUnavailable, l.status == http.StatusTooManyRequests:
		level = slog.LevelWarn
	case l.route != routeGraphQL && l.status < http.StatusBadRequest:
		level = slog.LevelDebug // probes, scrapes and assets
	case info.fromMemory:
		level = slog.LevelDebug // to write the line is as much work as the answer
	}
	if !s.log.Enabled(ctx, level) {
		return
	}
	attrs := append(make([]slog.Attr, 0, 12),
		slog.String("request_id", info.id()),
		slog.String("method", l.method),
		slog.String("route", l.route),
		slog.Int("status", l.status),
		slog.Int64("bytes", bytes),
		slog.Float64("duration_ms", float64(took.Microseconds())/1000),
	)
	if info.ran {
		attrs = append(attrs,
			slog.String("operation", info.operation),
			slog.String("operation_type", info.operationType),
			slog.String("outcome", info.outcome.String()),
			slog.Int("statements", info.statements),
			slog.Int("errors", info.errors),
		)
	}
	if info.refused != "" {
		attrs = append(attrs, slog.String("refused", info.refused))
	}
	s.log.LogAttrs(ctx, level, "request", attrs...)
}

// recover answers a panic of next in the place where it stands: what wraps it sees an answer like any other.
func (s *Server) recover(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		rec := &recorder{ResponseWriter: w, info: infoOf(w, r)}
		defer s.recovered(rec, r)
		next.ServeHTTP(rec, r)
	})
}

// recovered is deferred: it answers a panic with 500 and the request id, and logs what happened under that id. Nothing of
// the panic reaches the client.
func (s *Server) recovered(w *recorder, r *http.Request) {
	v := recover()
	if v == nil {
		return
	}
	if v == http.ErrAbortHandler { //nolint:errorlint // net/http panics with this very value
		panic(v)
	}
	s.metrics.panics.Inc()
	s.log.ErrorContext(r.Context(), "panic",
		"request_id", w.info.id(), "route", w.info.route, "panic", fmt.Sprint(v), "stack", string(debug.Stack()))
	if w.status != 0 {
		panic(http.ErrAbortHandler) // half an answer is out: end the connection rather than seem complete
	}
	media, ok := negotiate(r.Header.Values("Accept"))
	if !ok {
		media = mediaJSON
	}
	for _, name := range []string{"Content-Encoding", "Etag", "Last-Modified", "Cache-Status", "Surrogate-Key"} {
		w.Header().Del(name)
	}
	w.info.public = false
	s.refuse(w, r, media, &refusal{
		status: http.StatusInternalServerError, code: codeInternalError, reason: "panic", message: "internal error",
	})
}

// newRequestID returns an id that no other request has: 128 random bits. It is a name and no secret.
func newRequestID() string {
	const letters = "abcdefghijklmnopqrstuvwxyz234567"
	var id [26]byte
	a, b := mathrand.Uint64(), mathrand.Uint64()
	for i := range 13 {
		id[i], id[13+i] = letters[a&31], letters[b&31]
		a, b = a>>5, b>>5
	}
	return string(id[:])
}

const defaultRequestIDHeader = "X-Request-Id"

// isRequestID says whether an id that came from outside may stand in logs and headers.
func isRequestID(id string) bool {
	if len(id) < 8 || len(id) > 128 {
		return false
	}
	for _, c := range []byte(id) {
		switch {
		case '0' <= c && c <= '9', 'a' <= c && c <= 'z', 'A' <= c && c <= 'Z', c == '-', c == '_', c == '.', c == ':':
		default:
			return false
		}
	}
	return true
}

// knownMethod keeps what a client invents out of the metrics.
func knownMethod(method string) string {
	switch method {
	case http.MethodGet, http.MethodHead, http.MethodPost, http.MethodPut, http.MethodPatch, http.MethodDelete,
		http.MethodOptions, http.MethodTrace, http.MethodConnect:
		return method
	default:
		return "other"
	}
}

// recorder notes the status and the length of an answer.
type recorder struct {
	http.ResponseWriter
	info     *requestInfo
	idHeader string // the header of the request's id; empty if the recorder adds no headers
	status   int
	bytes    int64
}

func (w *recorder) WriteHeader(status int) {
	if w.status == 0 && status >= http.StatusOK { // 1xx isn't the answer yet
		w.status = status
		if w.idHeader != "" {
			w.protect(status)
		}
	}
	w.ResponseWriter.WriteHeader(status)
}

// protect adds the headers that every answer has.
func (w *recorder) protect(status int) {
	h, headers := w.Header(), protection
	if w.info.public {
		headers = headers[:1]
	} else {
		w.info.id()
		h[w.idHeader] = w.info.ids[:]
	}
	if status == http.StatusNotModified {
		return
	}
	for _, p := range headers {
		if h[p.name] == nil {
			h[p.name] = p.value
		}
	}
}

func (w *recorder) Write(p []byte) (int, error) {
	if w.status == 0 {
		w.WriteHeader(http.StatusOK)
	}
	n, err := w.ResponseWriter.Write(p)
	w.bytes += int64(n)
	return n, err
}

// Unwrap lets http.ResponseController reach the connection.
func (w *recorder) Unwrap() http.ResponseWriter { return w.ResponseWriter }
