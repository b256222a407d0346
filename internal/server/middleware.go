package server

import (
	"context"
	"crypto/rand"
	"fmt"
	"log/slog"
	"net/http"
	"runtime/debug"
	"strconv"
	"time"
)

// requestInfo is what is known about a request when its log line is written. Only the goroutine of the request
// touches it.
type requestInfo struct {
	id      string
	route   string
	refused string // why it never reached the graph

	ran           bool // whether it reached the graph
	operation     string
	operationType string
	outcome       Outcome
	errors        int
	statements    int
}

type infoKey struct{}

// infoFrom returns the information about the request; observe has put it there.
func infoFrom(ctx context.Context) *requestInfo {
	info, _ := ctx.Value(infoKey{}).(*requestInfo)
	return info
}

// observe gives each request an id, and writes one log line and counts it when it has been answered. The line holds
// nothing that a client sent but the name of its operation and its well-formed request id: no document, no variables,
// no query string, no headers, no address.
func (s *Server) observe(next http.Handler) http.Handler {
	header := s.cfg.RequestIDHeader
	if header == "" {
		header = defaultRequestIDHeader
	}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		begun := time.Now()
		info := &requestInfo{route: "other"}
		if given := r.Header.Values(s.cfg.RequestIDHeader); len(given) == 1 && isRequestID(given[0]) {
			info.id = given[0]
		} else {
			info.id = rand.Text()
		}
		w.Header().Set(header, info.id)
		rec := &recorder{ResponseWriter: w}
		defer func() {
			took := time.Since(begun)
			status := rec.status
			if status == 0 {
				status = http.StatusOK
			}
			method := knownMethod(r.Method)
			s.metrics.requests.WithLabelValues(info.route, method, strconv.Itoa(status)).Inc()
			s.logRequest(r.Context(), info, method, status, rec.bytes, took)
		}()
		next.ServeHTTP(rec, r.WithContext(context.WithValue(r.Context(), infoKey{}, info)))
	})
}

func (s *Server) logRequest(ctx context.Context, info *requestInfo, method string, status int, bytes int64, took time.Duration) {
	level := slog.LevelInfo
	switch {
	case status >= http.StatusInternalServerError && status != http.StatusServiceUnavailable:
		level = slog.LevelError
	case status == http.StatusServiceUnavailable, status == http.StatusTooManyRequests:
		level = slog.LevelWarn
	case info.route != routeGraphQL && status < http.StatusBadRequest:
		level = slog.LevelDebug // probes, scrapes and assets
	}
	if !s.log.Enabled(ctx, level) {
		return
	}
	attrs := append(make([]slog.Attr, 0, 12),
		slog.String("request_id", info.id),
		slog.String("method", method),
		slog.String("route", info.route),
		slog.Int("status", status),
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

// recover answers a panic with 500 and the request id, and logs what happened under that id. Nothing of the panic
// reaches the client.
func (s *Server) recover(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		rec := &recorder{ResponseWriter: w}
		defer func() {
			v := recover()
			if v == nil {
				return
			}
			if v == http.ErrAbortHandler { //nolint:errorlint // net/http panics with this very value
				panic(v)
			}
			info := infoFrom(r.Context())
			s.metrics.panics.Inc()
			s.log.ErrorContext(r.Context(), "panic",
				"request_id", info.id, "route", info.route, "panic", fmt.Sprint(v), "stack", string(debug.Stack()))
			if rec.status != 0 {
				panic(http.ErrAbortHandler) // half an answer is out: end the connection rather than seem complete
			}
			media, ok := negotiate(r.Header.Values("Accept"))
			if !ok {
				media = mediaJSON
			}
			for _, name := range []string{"Content-Encoding", "ETag", "Last-Modified"} {
				w.Header().Del(name)
			}
			s.refuse(w, r, media, &refusal{
				status: http.StatusInternalServerError, code: codeInternalError, reason: "panic", message: "internal error",
			})
		}()
		next.ServeHTTP(rec, r)
	})
}

// harden sets the headers that every answer has. A page that needs more of the browser sets its own policy.
func harden(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		h := w.Header()
		h.Set("X-Content-Type-Options", "nosniff")
		h.Set("X-Frame-Options", "DENY")
		h.Set("Referrer-Policy", "no-referrer")
		h.Set("Cross-Origin-Resource-Policy", "same-origin")
		h.Set("Content-Security-Policy", "default-src 'none'; frame-ancestors 'none'")
		next.ServeHTTP(w, r)
	})
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
	status int
	bytes  int64
}

func (w *recorder) WriteHeader(status int) {
	if w.status == 0 && status >= http.StatusOK { // 1xx isn't the answer yet
		w.status = status
	}
	w.ResponseWriter.WriteHeader(status)
}

func (w *recorder) Write(p []byte) (int, error) {
	if w.status == 0 {
		w.status = http.StatusOK
	}
	n, err := w.ResponseWriter.Write(p)
	w.bytes += int64(n)
	return n, err
}

// Unwrap lets http.ResponseController reach the connection.
func (w *recorder) Unwrap() http.ResponseWriter { return w.ResponseWriter }
