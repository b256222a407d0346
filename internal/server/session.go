package server

import (
	"errors"
	"net/http"
	"strings"
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

// identify returns the request with who asks in its context. Whoever has no credentials is anonymous, and so is who has
// the cookie of a session that has ended; that cookie is removed. A key that is not good is refused: a program that has
// one is not to be answered as if it had none. With a key no cookie is looked at.
func (s *Server) identify(w http.ResponseWriter, r *http.Request) (*http.Request, *refusal) {
	if r.Header["Authorization"] == nil && (s.deps.Identify == nil || r.Header["Cookie"] == nil) {
		return r, nil
	}
	var c Credentials
	if sent := r.Header["Authorization"]; sent != nil {
		key, f := bearer(sent)
		if f != nil {
			return r, f
		}
		c.Key = key
	} else {
		cookie, err := r.Cookie(s.cookieName())
		if err != nil {
			return r, nil //nolint:nilerr // the only error is that there is none
		}
		c.Session = cookie.Value
	}
	ctx, err := r.Context(), error(errs.Unauthenticated)
	if s.deps.Identify != nil {
		ctx, err = s.deps.Identify(ctx, c)
	}
	switch {
	case errors.Is(err, errs.Unauthenticated) && c.Key != "":
		return r, unauthenticated(`, error="invalid_token"`, "The key in the header Authorization is unknown, has ended, or was revoked.")
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

// unauthenticated refuses a request whose key is not good (RFC 6750, section 3).
func unauthenticated(wrong, message string) *refusal {
	return &refusal{
		status: http.StatusUnauthorized, code: codeUnauthenticated, reason: "key", message: message,
		challenge: `Bearer realm="collegium"` + wrong,
	}
}

// bearer returns the key in the header Authorization (RFC 6750, section 2.1).
func bearer(headers []string) (string, *refusal) {
	if len(headers) > 1 {
		return "", badRequest("The request has several Authorization headers. Send one.")
	}
	scheme, key, _ := strings.Cut(headers[0], " ")
	key = strings.Trim(key, " ")
	if !strings.EqualFold(scheme, "Bearer") || key == "" || len(key) > maxKey {
		return "", unauthenticated("", "The header Authorization can't be read. Send a key as Authorization: Bearer and the key, or leave the header out.")
	}
	return key, nil
}

// maxKey is the length of a key from which it is not looked at.
const maxKey = 512

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
