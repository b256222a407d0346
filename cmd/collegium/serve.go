package main

import (
	"context"
	"fmt"
	"log/slog"
	"net"
	"net/netip"
	"os"
	"sync/atomic"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/lmittmann/tint"
	"golang.org/x/term"

	"github.com/collegium/collegium/graph"
	"github.com/collegium/collegium/internal/pack"
	"github.com/collegium/collegium/internal/pg"
	"github.com/collegium/collegium/internal/server"
)

type serveCmd struct {
	databaseFlags `embed:""`

	Listen      string `from:"COLLEGIUM_LISTEN" default:"127.0.0.1:8080" placeholder:"HOST:PORT" help:"Where to serve HTTP (COLLEGIUM_LISTEN)."`
	Ephemeral   bool   `help:"Keep the private PostgreSQL in a temporary folder that is removed at the end."`
	Demo        string `enum:"auto,yes,no" default:"auto" from:"COLLEGIUM_DEMO" help:"Load the demo body: yes, no, or auto, which loads it into a private PostgreSQL that is empty (COLLEGIUM_DEMO)."`
	DemoMembers int    `default:"2000" placeholder:"N" help:"How many fictional members the demo body has."`
	NoMigrate   bool   `help:"Leave the database schema alone, and fail if it is not up to date."`

	CorsOrigins     []string      `from:"COLLEGIUM_CORS_ORIGINS" placeholder:"ORIGIN" help:"Origins whose pages may call the graph, as https://www.example.org; * for all (COLLEGIUM_CORS_ORIGINS)."`
	CorsCredentials bool          `help:"Let pages of those origins send cookies."`
	TrustedProxies  []string      `from:"COLLEGIUM_TRUSTED_PROXIES" placeholder:"CIDR" help:"Proxies whose X-Forwarded-For is believed (COLLEGIUM_TRUSTED_PROXIES)."`
	Graphiql        bool          `negatable:"" default:"true" help:"Serve the GraphiQL editor at /graphiql."`
	RatePoints      int           `default:"100000" placeholder:"N" help:"Points that the operations of one client may cost in a minute; 0 is no limit."`
	MaxInFlight     int           `default:"64" placeholder:"N" help:"Operations that run at once."`
	Timeout         time.Duration `default:"5s" help:"How long one operation may run."`
	DrainTimeout    time.Duration `default:"15s" help:"How long running requests may take to finish when the program is told to stop."`
	PlainGqlgen     bool          `help:"Answer by gqlgen alone, without the batch executor: the same answers, slower."`
	LogFormat       string        `enum:"auto,text,json" default:"auto" from:"COLLEGIUM_LOG_FORMAT" help:"text, json, or auto, which is text on a terminal (COLLEGIUM_LOG_FORMAT)."`
}

// Run serves until ctx ends, then drains.
func (c *serveCmd) Run(ctx context.Context, s streams) error {
	log := logger(s, c.LogFormat)
	config, err := c.config()
	if err != nil {
		return &usageError{err}
	}

	// The port is taken first: without it nothing else is worth starting.
	listener, err := net.Listen("tcp", c.Listen)
	if err != nil {
		return fmt.Errorf("%w\nPick another place with --listen, as --listen 127.0.0.1:8081", err)
	}
	defer listener.Close()

	db, err := c.open(ctx, s, c.Ephemeral, pg.Options{})
	if err != nil {
		return err
	}
	defer db.close()
	if err := c.prepare(ctx, s, log, db); err != nil {
		return err
	}

	graphConfig := graph.DefaultConfig()
	graphConfig.PlainGqlgen, graphConfig.Log = c.PlainGqlgen, log
	handler, err := graph.NewHandler(db.pool, graphConfig)
	if err != nil {
		return err
	}
	srv, err := server.New(config, server.Deps{
		Execute: handler.Execute,
		Schema:  graph.SDL(),
		Ready:   func(ctx context.Context) error { return pg.Current(ctx, db.pool) },
		About:   func(ctx context.Context) (server.About, error) { return about(ctx, db.pool) },
		Pool:    db.pool.Stat,
		Log:     log,
		Version: version(),
	})
	if err != nil {
		return &usageError{err}
	}
	c.announce(log, db, listener)

	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	var died atomic.Bool
	if db.embedded != nil {
		go func() {
			select {
			case <-db.embedded.Done():
				died.Store(true)
				cancel()
			case <-ctx.Done():
			}
		}()
	}
	if err := srv.Run(ctx, listener); err != nil {
		return err
	}
	if died.Load() {
		return fmt.Errorf("the private PostgreSQL ended; its log is postgres.log in %s", db.embedded.DataDir())
	}
	return nil
}

// config returns the configuration of the HTTP server.
func (c *serveCmd) config() (server.Config, error) {
	config := server.Defaults()
	config.AllowedOrigins = c.CorsOrigins
	config.AllowCredentials = c.CorsCredentials
	config.GraphiQL = c.Graphiql
	config.RatePoints = c.RatePoints
	config.MaxInFlight = c.MaxInFlight
	config.OperationTimeout = c.Timeout
	config.WriteTimeout = max(config.WriteTimeout, config.ReadTimeout+config.QueueTimeout+c.Timeout+5*time.Second)
	config.DrainTimeout = c.DrainTimeout
	for _, text := range c.TrustedProxies {
		prefix, err := netip.ParsePrefix(text)
		if err != nil {
			return config, fmt.Errorf("--trusted-proxies: %q is no address range; give ranges as 10.0.0.0/8", text)
		}
		config.TrustedProxies = append(config.TrustedProxies, prefix)
	}
	if c.DemoMembers < 0 {
		return config, fmt.Errorf("--demo-members: %d is too few; give 0 or more", c.DemoMembers)
	}
	return config, nil
}

// prepare brings the schema up to date and loads the demo body where it belongs.
func (c *serveCmd) prepare(ctx context.Context, s streams, log *slog.Logger, db *database) error {
	if c.NoMigrate {
		if err := pg.Current(ctx, db.pool); err != nil {
			return fmt.Errorf("%w\nRun \"collegium migrate up\", or leave out --no-migrate", err)
		}
	} else {
		from, to, err := pg.Migrate(ctx, db.dsn)
		if err != nil {
			return err
		}
		if from != to {
			log.Info("migrated", "from", from, "to", to)
		}
	}
	empty, err := pg.Scalar[bool](ctx, db.pool, `SELECT NOT EXISTS (SELECT 1 FROM organisation) AND NOT EXISTS (SELECT 1 FROM entries)`)
	if err != nil {
		return err
	}
	switch {
	case c.Demo == "no", c.Demo == "auto" && (db.embedded == nil || !empty):
		return nil
	case !empty:
		log.Info("the database has content; the demo body is not loaded")
		return nil
	}
	began := time.Now()
	demo, err := pack.Read(pack.Demo())
	if err != nil {
		return err
	}
	if _, err := pack.Import(ctx, db.pool, demo, pack.ImportOptions{}); err != nil {
		return err
	}
	bar := newBar(s, c.DemoMembers, "members")
	if _, err := pack.GenerateMembers(ctx, db.pool, c.DemoMembers, demoSeed, bar.set); err != nil {
		return err
	}
	bar.finish()
	log.Info("loaded the demo body", "members", c.DemoMembers, "took", time.Since(began).Round(time.Millisecond))
	return nil
}

// demoSeed makes the members of the demo body.
const demoSeed = 1

// announce says where the service is and how it is set, without secrets.
func (c *serveCmd) announce(log *slog.Logger, db *database, listener net.Listener) {
	from := withoutSecrets(db.dsn)
	if db.embedded != nil {
		from = fmt.Sprintf("private PostgreSQL %s (%s) in %s", db.embedded.Version(), db.embedded.Source(), db.embedded.DataDir())
	}
	log.Info("configuration",
		"database", from,
		"cors_origins", c.CorsOrigins,
		"trusted_proxies", c.TrustedProxies,
		"rate_points", c.RatePoints,
		"max_in_flight", c.MaxInFlight,
		"timeout", c.Timeout,
		"drain_timeout", c.DrainTimeout,
		"graphiql", c.Graphiql,
		"plain_gqlgen", c.PlainGqlgen,
	)
	log.Info("serving", "graph", "http://"+listener.Addr().String()+"/graphql", "graphiql", "http://"+listener.Addr().String()+"/graphiql")
}

// about counts what the start page tells of.
func about(ctx context.Context, db *pgxpool.Pool) (server.About, error) {
	type row struct {
		Name                                                 *string
		Items, Pages, Sections, Regions, CaseStudies, Listed int
	}
	r, err := pg.One[row](ctx, db, `
		SELECT
			(SELECT o.name FROM organisation o) AS name,
			(SELECT count(*) FROM menu_items i WHERE i.access = 'PUBLIC') AS items,
			(SELECT count(*) FROM entries e WHERE e.kind = 'PAGE' AND e.status = 'PUBLISHED' AND e.access = 'PUBLIC') AS pages,
			(SELECT count(*) FROM units u WHERE u.kind = 'SPECIALIST_SECTION') AS sections,
			(SELECT count(*) FROM units u WHERE u.kind = 'REGION') AS regions,
			(SELECT count(*) FROM case_studies) AS case_studies,
			(SELECT count(*) FROM members m WHERE m.listing_audience = 'PUBLIC') AS listed`)
	if err != nil {
		return server.About{}, err
	}
	a := server.About{Counts: []server.Count{
		{Label: "menu items", N: r.Items},
		{Label: "pages", N: r.Pages},
		{Label: "specialist sections", N: r.Sections},
		{Label: "regions", N: r.Regions},
		{Label: "career case studies", N: r.CaseStudies},
		{Label: "members in the public directory", N: r.Listed},
	}}
	if r.Name != nil {
		a.Name = *r.Name
	}
	return a, nil
}

// logger returns the log of a server: lines for people on a terminal, else JSON.
func logger(s streams, format string) *slog.Logger {
	if format == "text" || format == "auto" && isTerminal(s.err) {
		return slog.New(tint.NewTextHandler(s.err, &tint.Options{TimeFormat: time.TimeOnly, NoColor: !isTerminal(s.err)}))
	}
	return slog.New(slog.NewJSONHandler(s.err, nil))
}

func isTerminal(w any) bool {
	f, ok := w.(*os.File)
	return ok && term.IsTerminal(int(f.Fd()))
}
