package server

import (
	"context"
	"net/http"
	"net/url"
	"time"
)

// External signs people in by another service, in the browser.
type External interface {
	// Begin returns the address of the other service, and the token of the attempt, which the browser keeps. returnTo is
	// the path that the browser wants to be sent to in the end; it is checked by whoever answers.
	Begin(ctx context.Context, returnTo string) (location, token string, err error)
	// End ends an attempt with what the other service sent back, and returns the session, nil if there is none, and the
	// path of this site to which the browser is sent.
	End(ctx context.Context, token string, answer url.Values) (session *SessionCookie, location string, err error)
}

// The cookie of an attempt to sign in by another service.
const (
	attemptCookie         = "__Host-attempt"
	insecureAttemptCookie = "attempt"
	attemptAge            = 10 * time.Minute
	// attemptPoints is what one request costs of the allowance of its client.
	attemptPoints = 50
)

func (s *Server) attemptName() string {
	if s.cfg.InsecureCookies {
		return insecureAttemptCookie
	}
	return attemptCookie
}

func (s *Server) setAttempt(w http.ResponseWriter, token string) {
	cookie := &http.Cookie{
		Name: s.attemptName(), Value: token, Path: "/", MaxAge: int(attemptAge.Seconds()),
		HttpOnly: true, Secure: !s.cfg.InsecureCookies, SameSite: http.SameSiteLaxMode,
	}
	if token == "" {
		cookie.MaxAge = -1
	}
	http.SetCookie(w, cookie)
}

// externalStart sends the browser to the other service.
func (s *Server) externalStart(w http.ResponseWriter, r *http.Request) {
	if !s.mayAttempt(w, r) {
		return
	}
	location, token, err := s.deps.External.Begin(r.Context(), r.URL.Query().Get("return"))
	if err != nil {
		s.externalFailed(w, r, err)
		return
	}
	s.setAttempt(w, token)
	s.seeOther(w, location)
}

// externalCallback takes the browser back from it.
func (s *Server) externalCallback(w http.ResponseWriter, r *http.Request) {
	if !s.mayAttempt(w, r) {
		return
	}
	token := ""
	if cookie, err := r.Cookie(s.attemptName()); err == nil {
		token = cookie.Value
	}
	session, location, err := s.deps.External.End(r.Context(), token, r.URL.Query())
	if err != nil {
		s.externalFailed(w, r, err)
		return
	}
	s.setAttempt(w, "")
	if session != nil {
		s.setSession(w, *session)
	}
	s.seeOther(w, location)
}

func (s *Server) mayAttempt(w http.ResponseWriter, r *http.Request) bool {
	a, ok := s.limiter.Take(clientKey(r, s.cfg.TrustedProxies), attemptPoints)
	if !ok {
		s.refuse(w, r, mediaJSON, rateLimited(a.ResetAt, time.Now()))
	}
	return ok
}

func (s *Server) seeOther(w http.ResponseWriter, location string) {
	w.Header().Set("Cache-Control", "no-store")
	w.Header().Set("Location", location)
	w.WriteHeader(http.StatusSeeOther)
}

func (s *Server) externalFailed(w http.ResponseWriter, r *http.Request, err error) {
	s.log.ErrorContext(r.Context(), "the other service can't be asked", "request_id", infoOf(w, r).id(), "error", err)
	s.refuse(w, r, mediaJSON, &refusal{
		status: http.StatusServiceUnavailable, code: codeUnavailable, reason: "external", retryAfter: time.Second,
		message: "Signing in by the other service doesn't work now. Try again later, or sign in by password.",
	})
}
