package server

import (
	"bytes"
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"time"

	"github.com/collegium/collegium/internal/errs"
)

// Photo is the photo of a member.
type Photo struct {
	// JPEG is the file, and SHA256 its hash.
	JPEG, SHA256 []byte
	// Public is whether everyone sees it. Else nobody may keep it.
	Public bool
}

// photoMaxAge is how long a photo that everyone sees may be given again without asking: that long it is still seen
// after its member has removed it.
const photoMaxAge = time.Minute

// photo serves the photo of a member to who may see it. That there is none and that somebody else may see it are the
// same answer, which is that of an address at which there never is anything.
func (s *Server) photo(w http.ResponseWriter, r *http.Request) {
	client := clientKey(r, s.cfg.TrustedProxies)
	if a, ok := s.limiter.Take(client, 1); !ok {
		s.refuse(w, r, mediaJSON, rateLimited(a.ResetAt, time.Now()))
		return
	}
	r, f := s.identify(w, r)
	if f != nil {
		s.refuse(w, r, mediaJSON, f)
		return
	}
	photo, err := s.findPhoto(r)
	switch {
	case errors.Is(err, errs.NotFound):
		s.notFound(w, r)
		return
	case errors.Is(err, errOverloaded):
		s.refuse(w, r, mediaJSON, overloaded())
		return
	case err != nil:
		s.log.ErrorContext(r.Context(), "a photo can't be read", "request_id", infoOf(w, r).id(), "error", err)
		s.refuse(w, r, mediaJSON, &refusal{
			status: http.StatusServiceUnavailable, code: codeUnavailable, reason: "photo", retryAfter: time.Second,
			message: "The photo can't be read now. Try again when the time in Retry-After has passed.",
		})
		return
	}
	h := w.Header()
	h.Set("Content-Type", "image/jpeg")
	h.Set("Content-Disposition", `inline; filename="photo.jpg"`)
	h.Set("Content-Security-Policy", "default-src 'none'; sandbox")
	h.Set("Cache-Control", "private, no-store")
	if s.cfg.AllowCredentials {
		// Pages of the allowed origins show it to who is signed in. The cookie comes from pages of the same site only.
		h.Set("Cross-Origin-Resource-Policy", "same-site")
	}
	if photo.Public {
		h.Set("Cache-Control", fmt.Sprintf("public, max-age=%d", int(photoMaxAge.Seconds())))
		h.Set("Cross-Origin-Resource-Policy", "cross-origin")
		h.Set("ETag", `"`+hex.EncodeToString(photo.SHA256)+`"`)
	}
	http.ServeContent(w, r, "", time.Time{}, bytes.NewReader(photo.JPEG))
}

// findPhoto finds the photo that a request asks for.
func (s *Server) findPhoto(r *http.Request) (*Photo, error) {
	id, ok := strings.CutSuffix(r.PathValue("name"), ".jpg")
	if !ok {
		return nil, errs.NotFound
	}
	if err := s.gate.enter(r.Context()); err != nil {
		return nil, err
	}
	defer s.gate.leave()
	ctx, cancel := context.WithTimeoutCause(r.Context(), s.cfg.OperationTimeout, errOperationTimeout)
	defer cancel()
	return s.deps.Photo(ctx, id)
}
