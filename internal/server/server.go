package server

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"sync/atomic"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/klauspost/compress/gzhttp"
	"github.com/prometheus/client_golang/prometheus"
)

// Deps are the parts of the service that HTTP asks.
type Deps struct {
	// Execute answers GraphQL operations. Required.
	Execute Execute
	// Recall answers them from memory. Nil: nothing is kept.
	Recall Recall
	// Identify finds out who asks. Nil: everyone is anonymous.
	Identify Identify
	// Mails returns the messages that were written instead of sent, the newest first, for the page at /mail, which only
	// this machine gets to see. Nil: there is no such page.
	Mails func() ([]Mail, error)
	// Photo returns the photo of a member by the id in its address, /media/photos/ID.jpg, if who asks sees it; else
	// errs.NotFound. Nil: there are no photos.
	Photo func(ctx context.Context, id string) (*Photo, error)
	// External signs people in by another service, at /auth/oidc/start. Nil: there is none.
	External External
	// Schema is the schema in the schema definition language, served at /schema.graphql. Required.
	Schema string
	// Ready returns nil if operations can be answered: the database is reached and its schema is current. Its error is
	// logged, and not told to whoever asks. Required. Answers are kept for a fifth of a second.
	Ready func(context.Context) error
	// About tells what is served, for the start page. Nil or an error: the page names only the service. Answers are
	// kept for some seconds.
	About func(context.Context) (About, error)
	// Pool returns the state of the connection pool for /metrics. May be nil.
	Pool func() *pgxpool.Stat
	// Metrics are shown at /metrics with those of the server. May be empty.
	Metrics []prometheus.Collector
	// Log takes one line a request, and what goes wrong. Required.
	Log *slog.Logger
	// Version is the version of the program, for the start page. May be empty.
	Version string
}

// About is what the start page says about what is served.
type About struct {
	// Name is the name of the professional body; empty if none is loaded.
	Name string
	// Counts say how much of what there is, in the order in which they are shown.
	Counts []Count
}

// Count is one number on the start page.
type Count struct {
	// Label is what is counted, in the plural, as "menu items".
	Label string
	// N is how many there are.
	N int
}

// Server answers HTTP requests. It is an http.Handler, safe for concurrent use; Run serves it on a listener with the
// timeouts of its configuration.
type Server struct {
	cfg     Config
	deps    Deps
	log     *slog.Logger
	limiter *Limiter
	gate    *gate
	metrics *metrics
	assets  *assets
	pages   *pages
	// graph serves the graph, and other everything else.
	graph, other http.Handler
	compress     func(http.Handler) http.HandlerFunc
	cacheControl []string // of public answers
	// requestIDHeader is where the id of a request is sent back.
	requestIDHeader string

	draining atomic.Bool
	ready    kept[struct{}]
	about    kept[About]
}

// The routes, as they stand in logs and metrics.
const routeGraphQL = "/graphql"

// New returns a server. Its error lists everything that is wrong with the configuration.
func New(cfg Config, deps Deps) (*Server, error) {
	if err := cfg.Validate(); err != nil {
		return nil, fmt.Errorf("server configuration: %w", err)
	}
	if deps.Execute == nil || deps.Ready == nil || deps.Log == nil || deps.Schema == "" {
		return nil, errors.New("server: Execute, Schema, Ready and Log are required")
	}
	s := &Server{
		cfg:     cfg,
		deps:    deps,
		log:     deps.Log,
		limiter: NewLimiter(cfg.RatePoints, cfg.RateWindow),
		gate:    newGate(cfg.MaxInFlight, cfg.MaxQueued, cfg.QueueTimeout),
		ready:   kept[struct{}]{keep: 200 * time.Millisecond},
		about:   kept[About]{keep: 5 * time.Second},
	}
	if s.requestIDHeader = cfg.RequestIDHeader; s.requestIDHeader == "" {
		s.requestIDHeader = defaultRequestIDHeader
	}
	s.metrics = newMetrics(s.gate, deps.Pool, deps.Metrics)
	var err error
	if s.assets, err = loadAssets(); err != nil {
		return nil, err
	}
	if s.pages, err = loadPages(s.assets); err != nil {
		return nil, err
	}
	if s.compress, err = gzhttp.NewWrapper(gzhttp.MinSize(smallest), gzhttp.EnableZstd(false)); err != nil {
		return nil, fmt.Errorf("server: compression: %w", err)
	}
	s.cacheControl = []string{cacheControlOf(cfg.MaxAge, cfg.StaleWhileRevalidate)}
	if s.graph, err = s.crossOrigin(http.HandlerFunc(s.graphQL)); err != nil {
		return nil, err
	}
	routes, err := s.routes()
	if err != nil {
		return nil, err
	}
	s.other = s.compress(s.recover(routes))
	return s, nil
}

func (s *Server) routes() (http.Handler, error) {
	schema, err := s.crossOrigin(s.get(s.schema))
	if err != nil {
		return nil, err
	}
	mux := http.NewServeMux()
	handle := func(pattern, route string, h http.Handler) {
		mux.HandleFunc(pattern, func(w http.ResponseWriter, r *http.Request) {
			infoOf(w, r).route = route
			h.ServeHTTP(w, r)
		})
	}
	handle("/schema.graphql", "/schema.graphql", schema)
	handle("/{$}", "/", s.get(s.start))
	if s.cfg.GraphiQL {
		handle("/graphiql", "/graphiql", s.get(s.graphiQL))
	}
	handle("/account", "/account", s.get(s.account))
	if s.deps.Mails != nil {
		handle("/mail", "/mail", s.get(s.mailbox))
	}
	handle("/assets/{name}", "/assets", s.get(s.asset))
	if s.deps.Photo != nil {
		photo, err := s.crossOrigin(s.get(s.photo))
		if err != nil {
			return nil, err
		}
		handle("/media/photos/{name}", "/media/photos", photo)
	}
	if s.deps.External != nil {
		handle("/auth/oidc/start", "/auth/oidc/start", s.get(s.externalStart))
		handle("/auth/oidc/callback", "/auth/oidc/callback", s.get(s.externalCallback))
	}
	handle("/healthz", "/healthz", s.get(s.healthz))
	handle("/readyz", "/readyz", s.get(s.readyz))
	handle("/metrics", "/metrics", s.get(s.metrics.handler().ServeHTTP))
	handle("/", "other", http.HandlerFunc(s.notFound))
	return mux, nil
}

// get keeps a handler to the methods GET and HEAD.
func (s *Server) get(next http.HandlerFunc) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch r.Method {
		case http.MethodGet, http.MethodHead:
			next(w, r)
		case http.MethodOptions:
			w.Header().Set("Allow", "GET, HEAD, OPTIONS")
			w.WriteHeader(http.StatusNoContent)
		default:
			s.refuse(w, r, mediaJSON, methodNotAllowed("GET, HEAD"))
		}
	})
}

// Run serves on the listener until ctx is done, and then drains: /readyz answers 503, after DrainDelay no connection is
// accepted any more, running requests get DrainTimeout to finish, and what is left then is cut off. It closes the
// listener. It returns nil if everything finished, and otherwise an error that says what did not.
func (s *Server) Run(ctx context.Context, ln net.Listener) error {
	// Requests outlive ctx: they end by themselves, or when the time to drain is over.
	requests, cutOff := context.WithCancel(context.WithoutCancel(ctx))
	defer cutOff()
	srv := &http.Server{
		Handler:           s,
		BaseContext:       func(net.Listener) context.Context { return requests },
		ReadHeaderTimeout: s.cfg.ReadHeaderTimeout,
		ReadTimeout:       s.cfg.ReadTimeout,
		WriteTimeout:      s.cfg.WriteTimeout,
		IdleTimeout:       s.cfg.IdleTimeout,
		MaxHeaderBytes:    s.cfg.MaxHeaderBytes,
		ErrorLog:          slog.NewLogLogger(s.log.Handler(), slog.LevelWarn),
	}
	served := make(chan error, 1)
	go func() { served <- srv.Serve(ln) }()

	select {
	case err := <-served:
		return fmt.Errorf("serve %s: %w", ln.Addr(), err)
	case <-ctx.Done():
	}
	s.draining.Store(true)
	s.log.InfoContext(requests, "draining", "delay", s.cfg.DrainDelay.String(), "timeout", s.cfg.DrainTimeout.String())
	if s.cfg.DrainDelay > 0 {
		select {
		case err := <-served:
			return fmt.Errorf("serve %s: %w", ln.Addr(), err)
		case <-time.After(s.cfg.DrainDelay):
		}
	}
	timeout, cancel := context.WithTimeout(requests, s.cfg.DrainTimeout)
	defer cancel()
	if err := srv.Shutdown(timeout); err != nil {
		running := s.gate.running.Load()
		cutOff()
		// The connections are closed whatever Close says about them.
		_ = srv.Close()
		return fmt.Errorf("drain: not everything finished within %v; cut off %d running operations", s.cfg.DrainTimeout, running)
	}
	return nil
}
