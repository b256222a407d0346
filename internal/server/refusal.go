package server

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strconv"
	"time"
)

// The codes that the server itself puts into extensions.code. Those of the graph are the graph's.
const (
	codeBadInput        = "BAD_USER_INPUT"
	codeForbidden       = "FORBIDDEN"
	codeUnauthenticated = "UNAUTHENTICATED"
	codeNotFound        = "NOT_FOUND"
	codeRateLimited     = "RATE_LIMITED"
	codeTimeout         = "TIMEOUT"
	codeUnavailable     = "UNAVAILABLE"
	codeInternalError   = "INTERNAL_SERVER_ERROR"
)

// refusal is an answer to a request that never reached the graph.
type refusal struct {
	status int
	code   string
	// message says what was wrong and what would be right. It never repeats what the client sent.
	message string
	// reason is the name of the refusal in metrics.
	reason     string
	retryAfter time.Duration
	allow      string
	// challenge is the value of WWW-Authenticate.
	challenge string
}

func badRequest(format string, args ...any) *refusal {
	return &refusal{status: http.StatusBadRequest, code: codeBadInput, reason: "malformed", message: fmt.Sprintf(format, args...)}
}

func unsupportedMedia(message string) *refusal {
	return &refusal{status: http.StatusUnsupportedMediaType, code: codeBadInput, reason: "media_type", message: message}
}

func tooLarge(limit int) *refusal {
	return &refusal{
		status: http.StatusRequestEntityTooLarge, code: codeBadInput, reason: "too_large",
		message: fmt.Sprintf("The request is too long: at most %d bytes are read.", limit),
	}
}

func methodNotAllowed(allow string) *refusal {
	return &refusal{
		status: http.StatusMethodNotAllowed, code: codeBadInput, reason: "method", allow: allow,
		message: "This method isn't supported here. Use one of: " + allow + ".",
	}
}

func rateLimited(resetAt, now time.Time) *refusal {
	return &refusal{
		status: http.StatusTooManyRequests, code: codeRateLimited, reason: "rate", retryAfter: resetAt.Sub(now),
		message: "The allowance of this client is used up. Try again when the time in Retry-After has passed.",
	}
}

// body returns the refusal as a GraphQL response without data.
func (f *refusal) body(requestID string) []byte {
	type extensions struct {
		Code      string `json:"code"`
		RequestID string `json:"requestId,omitempty"`
	}
	type entry struct {
		Message    string     `json:"message"`
		Extensions extensions `json:"extensions"`
	}
	e := entry{Message: f.message, Extensions: extensions{Code: f.code}}
	if f.status >= http.StatusInternalServerError {
		e.Extensions.RequestID = requestID
	}
	b, err := json.Marshal(map[string][]entry{"errors": {e}})
	if err != nil {
		panic(err) // two strings always marshal
	}
	return b
}

// refuse answers a request that never reached the graph.
func (s *Server) refuse(w http.ResponseWriter, r *http.Request, media string, f *refusal) {
	info := infoOf(w, r)
	info.refused = f.reason
	s.metrics.refused.WithLabelValues(f.reason).Inc()
	h := w.Header()
	if f.allow != "" {
		h.Set("Allow", f.allow)
	}
	if f.challenge != "" {
		h.Set("WWW-Authenticate", f.challenge)
	}
	switch f.status {
	case http.StatusUnsupportedMediaType: // RFC 9110, section 15.5.16
		h.Set("Accept", mediaJSON)
		h.Set("Accept-Encoding", "identity")
	case http.StatusTooManyRequests, http.StatusServiceUnavailable:
		h.Set("Retry-After", retryAfter(f.retryAfter))
	}
	if info.route == routeGraphQL {
		h.Add("Vary", "Accept")
	}
	h.Set("Cache-Control", "private, no-store")
	writeBody(w, media+"; charset=utf-8", f.status, f.body(info.id()))
}

// retryAfter writes a wait in whole seconds, at least one (RFC 9110, section 10.2.3).
func retryAfter(d time.Duration) string {
	return strconv.Itoa(max(1, int((d+time.Second-1)/time.Second)))
}

func writeBody(w http.ResponseWriter, contentType string, status int, body []byte) {
	h := w.Header()
	h.Set("Content-Type", contentType)
	h.Set("Content-Length", strconv.Itoa(len(body)))
	w.WriteHeader(status)
	// A client that went away is no failure of this server, and there is nobody left to tell.
	_, _ = w.Write(body)
}
