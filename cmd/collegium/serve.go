package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/netip"
	"net/url"
	"os"
	"reflect"
	"slices"
	"strings"
	"sync/atomic"
	"time"
	"unicode"

	"github.com/lmittmann/tint"
	"golang.org/x/term"

	"github.com/collegium/collegium/graph"
	"github.com/collegium/collegium/internal/audit"
	"github.com/collegium/collegium/internal/fresh"
	"github.com/collegium/collegium/internal/guard"
	"github.com/collegium/collegium/internal/member"
	"github.com/collegium/collegium/internal/pack"
	"github.com/collegium/collegium/internal/pg"
	"github.com/collegium/collegium/internal/pg/pgembed"
	"github.com/collegium/collegium/internal/server"
)

type serveCmd struct {
	databaseFlags `embed:""`

	Listen      string `from:"COLLEGIUM_LISTEN" default:"127.0.0.1:8080" placeholder:"HOST:PORT" help:"Where to serve HTTP (COLLEGIUM_LISTEN); ${default} unless set."`
	Ephemeral   bool   `help:"Keep the private PostgreSQL in a temporary folder that is removed at the end."`
	Demo        string `enum:"auto,yes,no" default:"auto" from:"COLLEGIUM_DEMO" help:"Load the demo body: yes, no, or auto, which loads it into a private PostgreSQL that is empty (COLLEGIUM_DEMO)."`
	DemoMembers int    `default:"2000" placeholder:"N" help:"How many fictional members the demo body has; ${default} unless set."`
	NoMigrate   bool   `help:"Leave the database schema alone, and fail if it is not up to date."`

	PublicURL        string   `from:"COLLEGIUM_PUBLIC_URL" placeholder:"URL" help:"Address under which people reach this server, as https://graph.example.org (COLLEGIUM_PUBLIC_URL); http://localhost with its port, or the place where it listens, unless set. With https:// the session cookie is kept to HTTPS."`
	Mail             string   `from:"COLLEGIUM_MAIL" placeholder:"URL|DIR" help:"Where mail goes: smtp://user:password@host:587, smtps://host:465, or a folder into which messages are written instead (COLLEGIUM_MAIL); the folder mail beside the data unless set."`
	MailFrom         string   `from:"COLLEGIUM_MAIL_FROM" default:"collegium@localhost.localdomain" placeholder:"ADDRESS" help:"Address from which mail is sent (COLLEGIUM_MAIL_FROM)."`
	OIDCIssuer       string   `name:"oidc-issuer" from:"COLLEGIUM_OIDC_ISSUER" placeholder:"URL" help:"OpenID Connect provider by which people sign in too, at /auth/oidc/start (COLLEGIUM_OIDC_ISSUER); its callback is /auth/oidc/callback."`
	OIDCClientID     string   `name:"oidc-client-id" from:"COLLEGIUM_OIDC_CLIENT_ID" placeholder:"ID" help:"What it knows this server by (COLLEGIUM_OIDC_CLIENT_ID)."`
	OIDCClientSecret string   `name:"oidc-client-secret" from:"COLLEGIUM_OIDC_CLIENT_SECRET" placeholder:"SECRET" help:"The secret of that client; better set by the environment (COLLEGIUM_OIDC_CLIENT_SECRET)."`
	SecretKey        []string `from:"COLLEGIUM_SECRET_KEY" placeholder:"BASE64" help:"Key of 32 random bytes in base64 that seals the secrets of authenticators in the database; better set by the environment (COLLEGIUM_SECRET_KEY). Of several, separated by commas, the first seals and all open. A private PostgreSQL has one in its folder unless set; without one nobody sets up an authenticator."`
	MailPage         string   `from:"COLLEGIUM_MAIL_PAGE" placeholder:"URL" help:"Page to which the links in mails lead; it calls setPassword with what stands behind #token=, and confirmEmail with what stands behind #email= (COLLEGIUM_MAIL_PAGE). The page /account of this server unless set."`

	CorsOrigins     []string       `from:"COLLEGIUM_CORS_ORIGINS" placeholder:"ORIGIN" help:"Origins whose pages may call the graph, as https://www.example.org; * for all (COLLEGIUM_CORS_ORIGINS)."`
	CorsCredentials bool           `help:"Let pages of those origins send cookies."`
	TrustedProxies  []string       `from:"COLLEGIUM_TRUSTED_PROXIES" placeholder:"CIDR" help:"Proxies whose X-Forwarded-For is believed (COLLEGIUM_TRUSTED_PROXIES)."`
	Graphiql        bool           `negatable:"" default:"true" help:"Serve the GraphiQL editor at /graphiql; it is unless this says no."`
	MaxConnections  int32          `default:"16" placeholder:"N" help:"Connections to the database for the graph; ${default} unless set. Half as many, and at least 4, come on top for signing in and for jobs."`
	Limits          map[string]int `placeholder:"NAME=N;…" help:"Limits on documents, as depth=20;aliases=50; docs/operate.md names them all."`
	RatePoints      int            `default:"100000" placeholder:"N" help:"Points that the operations of one client may cost in a minute; 0 is no limit; ${default} unless set."`
	MaxInFlight     int            `default:"16" placeholder:"N" help:"Operations that run at once; ${default} unless set."`
	Timeout         time.Duration  `default:"5s" help:"How long one operation may run; ${default} unless set."`
	DrainTimeout    time.Duration  `default:"15s" help:"How long running requests may take to finish when the program is told to stop; ${default} unless set."`
	Documents       string         `enum:"any,apq,trusted" default:"any" from:"COLLEGIUM_DOCUMENTS" help:"Which documents are answered: any; apq, those named by a hash, whose text was sent with it once; trusted, those of \"collegium documents\" and nothing else (COLLEGIUM_DOCUMENTS)."`
	MaxDocuments    int            `default:"5000" placeholder:"N" help:"Checked documents that are kept, besides the trusted ones; ${default} unless set."`
	DocumentMemory  int            `default:"64" placeholder:"MIB" help:"Memory that those may take, in MiB; ${default} unless set."`
	Reference       string         `enum:"on,off" default:"on" from:"COLLEGIUM_REFERENCE" help:"Keep menus, units, case studies and where they lead in memory, as long as nothing changes them: on or off (COLLEGIUM_REFERENCE); ${default} unless set."`
	ReferenceMemory int            `default:"64" placeholder:"MIB" help:"Memory that those may take for each kind of viewer, in MiB; a larger body is read from the database each time; ${default} unless set."`
	Answers         string         `enum:"on,off" default:"on" from:"COLLEGIUM_ANSWERS" help:"Keep the answers to public queries in memory as long as the database would answer the same, and let browsers and proxies keep them: on or off (COLLEGIUM_ANSWERS)."`
	AnswerMemory    int            `default:"64" placeholder:"MIB" help:"Memory that those may take, in MiB; ${default} unless set."`
	MaxAge          time.Duration  `default:"5s" help:"How long browsers and proxies may give a public answer again without asking; ${default} unless set."`
	StaleWhile      time.Duration  `name:"stale-while-revalidate" default:"1m" help:"How long after that they may still give it while they ask; ${default} unless set."`
	PlainGqlgen     bool           `help:"Answer by gqlgen alone, without the batch executor: the same answers, slower."`
	LogLevel        string         `enum:"debug,info,warn,error" default:"info" from:"COLLEGIUM_LOG_LEVEL" help:"The least important lines that are logged: debug, info, warn or error; debug has a line for each probe, asset and answer from memory too (COLLEGIUM_LOG_LEVEL)."`
	LogFormat       string         `enum:"auto,text,json" default:"auto" from:"COLLEGIUM_LOG_FORMAT" help:"text, json, or auto, which is text on a terminal (COLLEGIUM_LOG_FORMAT)."`
}

// Run serves until ctx ends, then drains.
func (c *serveCmd) Run(ctx context.Context, s streams) error {
	server.TuneMemory()
	log := logger(s, c.LogFormat, c.LogLevel)
	config, err := c.config()
	if err != nil {
		return &usageError{err}
	}
	graphConfig, err := c.graphConfig(log)
	if err != nil {
		return &usageError{err}
	}

	// The port is taken first: without it nothing else is worth starting.
	listener, err := net.Listen("tcp", c.Listen)
	if err != nil {
		return fmt.Errorf("%w\nPick another place with --listen, as --listen 127.0.0.1:8081", err)
	}
	defer listener.Close()

	// One process serves from a private PostgreSQL: it ends with that process.
	db, err := c.open(ctx, s, func(ctx context.Context, o pgembed.Options) (*pgembed.Server, error) {
		o.Ephemeral = c.Ephemeral
		return pgembed.Start(ctx, o)
	}, pg.Options{MaxConns: max(4, c.MaxConnections/2)})
	if err != nil {
		return err
	}
	defer db.close()
	if err := c.prepare(ctx, s, log, db); err != nil {
		return err
	}
	// The graph has connections of its own, whose role is held to the policies on rows.
	pool, err := pg.Open(ctx, db.dsn, pg.Options{Role: pg.RoleGraph, MaxConns: c.MaxConnections})
	if err != nil {
		return err
	}
	defer pool.Close()

	public, err := publicURL(c.PublicURL, listener)
	if err != nil {
		return &usageError{err}
	}
	config.InsecureCookies = public.Scheme == "http"
	office, err := c.openOffice(ctx, db, public, log)
	if err != nil {
		return err
	}
	graphConfig.Accounts = office.accounts
	office.accounts.Passkeys = passkeysOf(ctx, public, db, log)
	if err := c.demoSignIns(ctx, s, db, office.accounts); err != nil {
		return err
	}

	reads := member.NewAccessLog(db.pool, log)
	graphConfig.AccessLog = reads
	watcher := fresh.NewWatcher(db.pool.Config().ConnConfig, fresh.Options{Log: log})
	defer watcher.Close()
	graphConfig.Watcher = watcher
	handler, err := graph.NewHandler(pool, graphConfig)
	if err != nil {
		return err
	}
	if err := handler.LoadTrusted(ctx); err != nil {
		return err
	}
	deps := server.Deps{
		Execute:  handler.Execute,
		Identify: handler.Identify,
		Photo:    handler.Photo,
		Schema:   graph.SDL(),
		Ready:    func(ctx context.Context) error { return pg.Current(ctx, db.pool) },
		About:    func(ctx context.Context) (server.About, error) { return about(ctx, handler) },
		Pool:     pool.Stat,
		Metrics: slices.Concat(
			documentMetrics(handler.DocumentStats), referenceMetrics(handler.ReferenceStats), answerMetrics(handler.AnswerStats)),
		Log:     log,
		Version: version(),
	}
	if db.embedded != nil && office.sender.Folder() != "" {
		deps.Mails = office.mails
	}
	if deps.External, err = c.external(handler, public); err != nil {
		return &usageError{err}
	}
	if graphConfig.Answers {
		deps.Recall = handler.Recall
	}
	srv, err := server.New(config, deps)
	if err != nil {
		return &usageError{err}
	}
	c.announce(log, db, listener, public, office)

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
	go handler.FollowTrusted(ctx, trustedInterval)
	if err := office.jobs.Start(ctx); err != nil {
		return fmt.Errorf("start the queue: %w", err)
	}
	defer office.close()
	go (&audit.Store{DB: db.pool}).Follow(ctx, auditInterval, log)
	// The last operations are drained before the end of what they read is written.
	keep, kept := context.WithCancel(context.WithoutCancel(ctx))
	written := make(chan struct{})
	go func() {
		defer close(written)
		reads.Keep(keep)
	}()
	defer func() {
		kept()
		<-written
	}()
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
	if body, ok := c.Limits["body"]; ok {
		config.MaxBodyBytes = body
	}
	config.RatePoints = c.RatePoints
	config.MaxInFlight = c.MaxInFlight
	config.OperationTimeout = c.Timeout
	config.MaxAge, config.StaleWhileRevalidate = c.MaxAge, c.StaleWhile
	config.WriteTimeout = max(config.WriteTimeout, config.ReadTimeout+config.QueueTimeout+c.Timeout+5*time.Second)
	config.DrainTimeout = c.DrainTimeout
	for _, text := range c.TrustedProxies {
		prefix, err := netip.ParsePrefix(text)
		if err != nil {
			return config, fmt.Errorf("--trusted-proxies: %q is no address range; give ranges as 10.0.0.0/8", text)
		}
		config.TrustedProxies = append(config.TrustedProxies, prefix)
	}
	switch {
	case c.DemoMembers < 0 || c.DemoMembers > pack.MaxGenerated:
		return config, fmt.Errorf("--demo-members: %d is out of range; give 0 to %d", c.DemoMembers, pack.MaxGenerated)
	case c.MaxConnections < 1:
		return config, fmt.Errorf("--max-connections: %d is too few; give 1 or more", c.MaxConnections)
	case c.Ephemeral && c.DatabaseURL != "":
		return config, errors.New("--ephemeral is for the private PostgreSQL; leave it out, or leave out the database address")
	}
	return config, config.Validate()
}

// graphConfig returns the configuration of the graph.
func (c *serveCmd) graphConfig(log *slog.Logger) (graph.Config, error) {
	config := graph.DefaultConfig()
	config.PlainGqlgen, config.Log = c.PlainGqlgen, log
	if c.MaxDocuments < 1 || c.DocumentMemory < 1 || c.ReferenceMemory < 1 {
		return config, errors.New("--max-documents, --document-memory and --reference-memory must be at least 1")
	}
	config.Reference, config.ReferenceBytes = c.Reference == "on", c.ReferenceMemory<<20
	config.Accept, config.Documents, config.DocumentBytes = graph.Accept(c.Documents), c.MaxDocuments, c.DocumentMemory<<20
	config.Own = []string{aboutQuery}
	if c.AnswerMemory < 1 {
		return config, errors.New("--answer-memory must be at least 1; to keep no answers, give --answers=off")
	}
	config.Answers, config.AnswerMemory = c.Answers == "on", c.AnswerMemory<<20
	var err error
	config.Limits, err = documentLimits(c.Limits)
	return config, err
}

// documentLimits returns the limits on documents: the default ones, and those
// given by name.
func documentLimits(given map[string]int) (guard.Limits, error) {
	l := guard.Default()
	limits := reflect.ValueOf(&l).Elem()
	var known []string
	for i := range limits.NumField() {
		name := []rune(limits.Type().Field(i).Name)
		name[0] = unicode.ToLower(name[0])
		known = append(known, string(name))
		if n, ok := given[string(name)]; ok {
			if n < 1 {
				return l, fmt.Errorf("--limits: %s=%d is too small; give at least 1", string(name), n)
			}
			limits.Field(i).SetInt(int64(n))
		}
	}
	for name := range given {
		if !slices.Contains(known, name) {
			return l, fmt.Errorf("--limits: there is no limit %q; there are %s", name, strings.Join(known, ", "))
		}
	}
	return l, nil
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
	if err := pack.GenerateRegister(ctx, db.pool); err != nil {
		return err
	}
	log.Info("loaded the demo body", "members", c.DemoMembers, "took", time.Since(began).Round(time.Millisecond).String())
	return nil
}

// demoSeed makes the members of the demo body.
const demoSeed = 1

// announce says where the service is and how it is set, without secrets.
func (c *serveCmd) announce(log *slog.Logger, db *database, listener net.Listener, public *url.URL, office *office) {
	from := withoutSecrets(db.dsn)
	if db.embedded != nil {
		from = fmt.Sprintf("private PostgreSQL %s (%s) in %s", db.embedded.Version(), db.embedded.Source(), db.embedded.DataDir())
	}
	log.Info("configuration",
		"database", from,
		"public_url", public.String(),
		"mail", office.sender.String(),
		"secret_keys", office.accounts.Seal.Keys(),
		"cors_origins", c.CorsOrigins,
		"trusted_proxies", c.TrustedProxies,
		"rate_points", c.RatePoints,
		"max_in_flight", c.MaxInFlight,
		"max_connections", c.MaxConnections,
		"limits", c.Limits,
		"timeout", c.Timeout.String(),
		"drain_timeout", c.DrainTimeout.String(),
		"documents", c.Documents,
		"max_documents", c.MaxDocuments,
		"document_memory", c.DocumentMemory,
		"reference", c.Reference,
		"reference_memory", c.ReferenceMemory,
		"answers", c.Answers,
		"answer_memory", c.AnswerMemory,
		"max_age", c.MaxAge.String(),
		"stale_while_revalidate", c.StaleWhile.String(),
		"log_level", c.LogLevel,
		"graphiql", c.Graphiql,
		"plain_gqlgen", c.PlainGqlgen,
	)
	log.Info("serving", "graph", "http://"+listener.Addr().String()+"/graphql", "graphiql", "http://"+listener.Addr().String()+"/graphiql")
}

// auditInterval is how often what was written is put into the chain of the audit.
const auditInterval = 250 * time.Millisecond

// trustedInterval is how often the trusted documents are asked for changes.
const trustedInterval = 500 * time.Millisecond

const aboutQuery = `{
	organisation { name }
	menus { itemCount }
	specialistSections { id }
	regions { id }
	caseStudies(first: 1) { totalCount }
	documents(first: 1) { totalCount }
	members(first: 1) { totalCount }
}`

// about asks the graph, as anyone may, what the start page tells of.
func about(ctx context.Context, h *graph.Handler) (server.About, error) {
	result := h.Execute(ctx, server.Params{
		Query:  aboutQuery,
		Charge: func(int) (server.Allowance, bool) { return server.Allowance{}, true },
	})
	type counted struct{ TotalCount int }
	var answer struct {
		Data struct {
			Organisation                    struct{ Name string }
			Menus                           []struct{ ItemCount int }
			SpecialistSections, Regions     []struct{}
			CaseStudies, Documents, Members counted
		}
	}
	if err := json.Unmarshal(result.Body, &answer); err != nil {
		return server.About{}, err
	}
	if result.Errors > 0 {
		return server.About{}, errors.New("the graph can't tell what it serves")
	}
	d := answer.Data
	items := 0
	for _, m := range d.Menus {
		items += m.ItemCount
	}
	return server.About{Name: d.Organisation.Name, Counts: []server.Count{
		{Label: "menus", N: len(d.Menus)},
		{Label: "menu items", N: items},
		{Label: "specialist sections", N: len(d.SpecialistSections)},
		{Label: "regions", N: len(d.Regions)},
		{Label: "career case studies", N: d.CaseStudies.TotalCount},
		{Label: "documents", N: d.Documents.TotalCount},
		{Label: "members in the public directory", N: d.Members.TotalCount},
	}}, nil
}

// logger returns the log of a server: lines for people on a terminal, else JSON.
func logger(s streams, format, least string) *slog.Logger {
	var level slog.Level
	if err := level.UnmarshalText([]byte(least)); err != nil {
		panic(err) // the flag takes no other
	}
	if format == "text" || format == "auto" && isTerminal(s.err) {
		return slog.New(tint.NewTextHandler(s.err, &tint.Options{Level: level, TimeFormat: time.TimeOnly, NoColor: !isTerminal(s.err)}))
	}
	return slog.New(slog.NewJSONHandler(s.err, &slog.HandlerOptions{Level: level}))
}

func isTerminal(w any) bool {
	f, ok := w.(*os.File)
	return ok && term.IsTerminal(int(f.Fd()))
}
