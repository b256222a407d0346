package server

import (
	"errors"
	"net/http"
	"time"

	"github.com/collegium/collegium/internal/errs"
)

// The session cookie. The prefix makes browsers keep it to this host and to HTTPS (RFC 6265bis, section 4.1.3.2).
const (
	sessionCookie         = "__Host-session"
	insecureSessionCookie = "session"
)

func (s *Server) cookieName() string {
	if s.cfg.InsecureCookies {
		return insecureSessionCookie
	}
	return sessionCookie
}

// identify returns the request with who asks in its context. Whoever has no cookie is anonymous, and so is who has one
// that has ended; that cookie is removed.
func (s *Server) identify(w http.ResponseWriter, r *http.Request) (*http.Request, *refusal) {
	if s.deps.Identify == nil || r.Header["Cookie"] == nil {
		return r, nil
	}
	cookie, err := r.Cookie(s.cookieName())
	if err != nil {
		return r, nil //nolint:nilerr // the only error is that there is none
	}
	ctx, err := s.deps.Identify(r.Context(), Credentials{Session: cookie.Value})
	switch {
	case errors.Is(err, errs.Unauthenticated):
		s.setSession(w, SessionCookie{})
		return r, nil
	case err != nil:
		s.log.ErrorContext(r.Context(), "who asks can't be found out", "request_id", infoOf(w, r).id(), "error", err)
		return r, &refusal{
			status: http.StatusServiceUnavailable, code: codeUnavailable, reason: "identity", retryAfter: time.Second,
			message: "Who you are can't be found out now. Try again when the time in Retry-After has passed.",
		}
	}
	return r.WithContext(ctx), nil
}

func (s *Server) setSession(w http.ResponseWriter, c SessionCookie) {
	cookie := &http.Cookie{
		Name: s.cookieName(), Value: c.Token, Path: "/",
		Expires: c.ExpiresAt, HttpOnly: true, Secure: !s.cfg.InsecureCookies, SameSite: http.SameSiteLaxMode,
	}
	if c.Token == "" {
		cookie.MaxAge = -1
	}
	http.SetCookie(w, cookie)
}
