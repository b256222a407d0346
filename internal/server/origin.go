package server

import (
	"fmt"
	"net/http"
	"slices"

	"github.com/rs/cors"
)

// crossOrigin lets pages of the allowed origins use next from a browser, and keeps all other pages from running
// operations with effects. Which origins may read answers (CORS) and which may send requests other than safe ones
// (against cross-site request forgery) is one list.
//
// With "*" every page may do both, which is safe because credentials can't be allowed with it. A form still can't run
// an operation: it can't send application/json, and by GET only queries run.
func (s *Server) crossOrigin(next http.Handler) (http.Handler, error) {
	if slices.Contains(s.cfg.AllowedOrigins, "*") {
		return s.cors(next), nil
	}
	protection := http.NewCrossOriginProtection()
	for _, origin := range s.cfg.AllowedOrigins {
		if err := protection.AddTrustedOrigin(origin); err != nil {
			return nil, fmt.Errorf("allowed origins: %w", err)
		}
	}
	protection.SetDenyHandler(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		s.refuse(w, r, mediaJSON, &refusal{
			status: http.StatusForbidden, code: codeForbidden, reason: "cross_origin",
			message: "A page of another origin may not send this request. Its origin isn't among the allowed origins of this server.",
		})
	}))
	next = protection.Handler(next)
	if len(s.cfg.AllowedOrigins) > 0 { // an empty list would mean every origin to the library
		next = s.cors(next)
	}
	return next, nil
}

func (s *Server) cors(next http.Handler) http.Handler {
	return cors.New(cors.Options{
		AllowedOrigins:   s.cfg.AllowedOrigins,
		AllowCredentials: s.cfg.AllowCredentials,
		AllowedMethods:   []string{http.MethodGet, http.MethodHead, http.MethodPost},
		AllowedHeaders:   []string{"Accept", "Authorization", "Content-Type", s.requestIDHeader},
		ExposedHeaders:   []string{s.requestIDHeader, "Retry-After"},
		MaxAge:           600,
	}).Handler(next)
}
