package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/pprof"
	"os"
	"runtime"
	"runtime/debug"
	"strconv"
	"sync/atomic"

	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/collegium/collegium/graph"
	"github.com/collegium/collegium/internal/fresh"
	"github.com/collegium/collegium/internal/pg"
	"github.com/collegium/collegium/internal/server"
)

// The contestants. Each is a process of its own: this program, told by its
// first argument to be one; only the peer is another.
const (
	ours   = "collegium"        // the server as "collegium serve --answers=off" runs it
	cached = "collegium-cached" // as "collegium serve" runs it: answers are kept
	gqlgen = "plain-gqlgen"     // with --plain-gqlgen, and nothing in memory
	sql    = "sql"              // one statement a question, written by hand
	bare   = "bare"             // finished answers from memory
	hello  = "hello"            // a handler that says hello
)

var contestants = []string{ours, cached, gqlgen, postgraphile, sql, bare, hello}

// contestantCommand is the first argument of a process that is a contestant.
const contestantCommand = "contestant"

// role is what a contestant reads from its standard input. The end of the input
// ends the process.
type role struct {
	Contestant string `json:"contestant"`
	DSN        string `json:"dsn"`
	// Connections is the size of its connection pool.
	Connections int32 `json:"connections"`
	// Statements and Answers are what to run, or to say, by the key of a request.
	Statements map[string]statement `json:"statements"`
	Answers    map[string]string    `json:"answers"`
}

// statement is a statement with its arguments.
type statement struct {
	SQL  string   `json:"sql"`
	Args []string `json:"args"`
}

// addresses is what a contestant writes to its standard output when it is ready.
type addresses struct {
	Graph   string `json:"graph"`
	Control string `json:"control"`
}

// stats is what a contestant says about itself at /stats of its second address;
// NaN stands for what a peer doesn't tell.
type stats struct {
	// Statements is how many were sent while they were counted.
	Statements number `json:"statements"`
	// Mallocs and TotalAlloc are how much was allocated since the process began,
	// HeapAlloc is the bytes of objects that are in the heap.
	Mallocs    number `json:"mallocs"`
	TotalAlloc number `json:"totalAlloc"`
	HeapAlloc  number `json:"heapAlloc"`
}

// compete is a contestant from beginning to end.
func compete(ctx context.Context, in io.Reader, out io.Writer) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	decoder := json.NewDecoder(in)
	var r role
	if err := decoder.Decode(&r); err != nil {
		return fmt.Errorf("read what to be: %w", err)
	}
	go func() {
		// An error is the end of the input too.
		_, _ = io.Copy(io.Discard, in)
		cancel()
	}()
	var counter meter
	serve, err := r.server(ctx, &counter)
	if err != nil {
		return err
	}
	graphAt, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	controlAt, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	control := &http.Server{Handler: counter.control()} //nolint:gosec // only the parent process knows the address
	go func() { _ = control.Serve(controlAt) }()
	defer control.Close()
	if err := json.NewEncoder(out).Encode(addresses{graphAt.Addr().String(), controlAt.Addr().String()}); err != nil {
		return err
	}
	return serve(graphAt)
}

// server returns what serves the role on a listener until ctx ends.
func (r role) server(ctx context.Context, counter *meter) (func(net.Listener) error, error) {
	switch r.Contestant {
	case bare:
		return serveHandler(ctx, r.answer()), nil
	case hello:
		return serveHandler(ctx, http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			writeJSON(w, []byte(helloAnswer))
		})), nil
	}
	options := pg.Options{MaxConns: r.Connections, ApplicationName: r.Contestant}
	if r.Contestant != sql {
		options.Role = pg.RoleGraph // as it is served
	}
	pool, err := pg.Open(ctx, r.DSN, options)
	if err != nil {
		return nil, err
	}
	context.AfterFunc(ctx, pool.Close)
	switch r.Contestant {
	case sql:
		return serveHandler(ctx, r.ask(pool, counter)), nil
	case ours, cached, gqlgen:
		return serveGraph(ctx, pool, counter, r.Contestant)
	default:
		return nil, fmt.Errorf("there is no contestant %q", r.Contestant)
	}
}

// helloAnswer is what the contestant hello says.
const helloAnswer = `{"data":{"hello":"world"}}`

// serveGraph is the server as "collegium serve" builds it, with its log written
// to nowhere, and without the limits on what one client may ask for. Only the
// contestant cached keeps answers, and gqlgen alone keeps nothing at all.
func serveGraph(ctx context.Context, pool *pgxpool.Pool, counter *meter, contestant string) (func(net.Listener) error, error) {
	nowhere, err := os.OpenFile(os.DevNull, os.O_WRONLY, 0)
	if err != nil {
		return nil, err
	}
	log := slog.New(slog.NewJSONHandler(nowhere, nil))
	config := graph.DefaultConfig()
	config.PlainGqlgen, config.Log = contestant == gqlgen, log
	config.Answers, config.Reference = contestant == cached, contestant != gqlgen
	config.Watcher = fresh.NewWatcher(pool.Config().ConnConfig, fresh.Options{Log: log})
	context.AfterFunc(ctx, config.Watcher.Close)
	if !config.Watcher.Fresh(ctx) { // it connects, so the first answer can be kept already
		return nil, errors.New("nobody tells what changes in the database")
	}
	config.Limits.Depth, config.Limits.Cost = 100, 100_000_000
	handler, err := graph.NewHandler(pool, config)
	if err != nil {
		return nil, err
	}
	settings := server.Defaults()
	settings.RatePoints = 0
	deps := server.Deps{
		Execute: func(ctx context.Context, p server.Params) server.Result {
			ctx, done := counter.begin(ctx)
			defer done()
			return handler.Execute(ctx, p)
		},
		Schema: graph.SDL(),
		Ready:  func(ctx context.Context) error { return pg.Current(ctx, pool) },
		Pool:   pool.Stat,
		Log:    log,
	}
	if config.Answers {
		deps.Recall = handler.Recall
	}
	srv, err := server.New(settings, deps)
	if err != nil {
		return nil, err
	}
	return func(l net.Listener) error { return srv.Run(ctx, l) }, nil
}

// serveHandler serves a handler with the least that net/http needs.
func serveHandler(ctx context.Context, h http.Handler) func(net.Listener) error {
	return func(l net.Listener) error {
		srv := &http.Server{Handler: h} //nolint:gosec // only the parent process knows the address
		context.AfterFunc(ctx, func() { _ = srv.Close() })
		if err := srv.Serve(l); !errors.Is(err, http.ErrServerClosed) {
			return err
		}
		return nil
	}
}

// answer says the finished answer to the body or the query string of the request.
func (r role) answer() http.HandlerFunc {
	answers := make(map[string][]byte, len(r.Answers))
	for key, answer := range r.Answers {
		answers[key] = []byte(answer)
	}
	return func(w http.ResponseWriter, req *http.Request) {
		key, err := io.ReadAll(req.Body)
		if req.Method == http.MethodGet {
			key = []byte(req.URL.RawQuery)
		}
		answer, ok := answers[string(key)]
		if err != nil || !ok {
			http.Error(w, "no answer to this request is known", http.StatusBadRequest)
			return
		}
		writeJSON(w, answer)
	}
}

// ask runs the statement for the body of the request.
func (r role) ask(pool *pgxpool.Pool, counter *meter) http.HandlerFunc {
	type prepared struct {
		sql  string
		args []any
	}
	statements := make(map[string]prepared, len(r.Statements))
	for body, s := range r.Statements {
		p := prepared{sql: s.SQL}
		for _, a := range s.Args {
			p.args = append(p.args, a)
		}
		statements[body] = p
	}
	return func(w http.ResponseWriter, req *http.Request) {
		body, err := io.ReadAll(req.Body)
		s, ok := statements[string(body)]
		if err != nil || !ok {
			http.Error(w, "no statement for this request is known", http.StatusBadRequest)
			return
		}
		ctx, done := counter.begin(req.Context())
		answer := []byte(`{"data":`)
		var data []byte
		err = pool.QueryRow(ctx, s.sql, s.args...).Scan(&data)
		done() // before the answer, after which it may be asked for
		if err != nil {
			http.Error(w, err.Error(), http.StatusInternalServerError)
			return
		}
		writeJSON(w, append(append(answer, data...), '}'))
	}
}

func writeJSON(w http.ResponseWriter, body []byte) {
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Content-Length", strconv.Itoa(len(body)))
	_, _ = w.Write(body) // a client that went away needs nothing
}

// meter counts statements while it is switched on, and serves what only the
// parent process asks for.
type meter struct {
	on         atomic.Bool
	statements atomic.Int64
}

// begin returns the context of an operation, and what to call at its end.
func (m *meter) begin(ctx context.Context) (context.Context, func()) {
	if !m.on.Load() {
		return ctx, func() {}
	}
	ctx, c := pg.WithCounter(ctx)
	return ctx, func() { m.statements.Add(int64(c.Statements())) }
}

// control answers the parent process: POST /count?on=true|false switches the
// counting of statements, POST /idle gives back what memory it can, GET /stats
// tells the numbers, and /debug/pprof/profile is net/http/pprof's.
func (m *meter) control() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("POST /count", func(_ http.ResponseWriter, r *http.Request) {
		m.on.Store(r.FormValue("on") == "true")
		m.statements.Store(0)
	})
	mux.HandleFunc("POST /idle", func(http.ResponseWriter, *http.Request) { debug.FreeOSMemory() })
	mux.HandleFunc("GET /stats", func(w http.ResponseWriter, _ *http.Request) {
		var mem runtime.MemStats
		runtime.ReadMemStats(&mem)
		_ = json.NewEncoder(w).Encode(stats{number(m.statements.Load()), number(mem.Mallocs), number(mem.TotalAlloc), number(mem.HeapAlloc)})
	})
	mux.HandleFunc("GET /debug/pprof/profile", pprof.Profile)
	return mux
}
