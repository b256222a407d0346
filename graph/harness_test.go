package graph_test

import (
	"context"
	"encoding/json"
	"log/slog"
	"testing"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/collegium/collegium/graph"
	"github.com/collegium/collegium/internal/identity"
	"github.com/collegium/collegium/internal/pack"
	"github.com/collegium/collegium/internal/pg"
	"github.com/collegium/collegium/internal/pg/pgtest"
	"github.com/collegium/collegium/internal/server"
)

// demoMembers is how many generated members the tests add to the demo body.
const demoMembers = 300

// loadDemo fills a database with the demo body.
func loadDemo(ctx context.Context, db *pgxpool.Pool) error {
	demo, err := pack.Read(pack.Demo())
	if err != nil {
		return err
	}
	if _, err := pack.Import(ctx, db, demo, pack.ImportOptions{}); err != nil {
		return err
	}
	if _, err := pack.GenerateMembers(ctx, db, demoMembers, 1, func(int) {}); err != nil {
		return err
	}
	accounts := identity.Store{DB: db, Passwords: passwords}
	if _, _, err := accounts.CreateDemo(ctx, demoPassword); err != nil {
		return err
	}
	if err := pack.GenerateRegister(ctx, db); err != nil {
		return err
	}
	_, err = db.Exec(ctx, `ANALYZE`)
	return err
}

// demoPassword is that of all demo accounts of the tests, and passwords hashes it.
const demoPassword = "a password of tests"

var passwords = &identity.Passwords{}

// roles are who can sign in to the demo body, by the names that files use.
var roles = []string{"member", "officer", "editor", "membership", "administrator"}

// signedIn returns a context in which one of the roles asks: signed in by password, and
// known by the session. "anonymous" is nobody.
func signedIn(t testing.TB, h *graph.Handler, db *pgxpool.Pool, role string) context.Context {
	t.Helper()
	ctx, _ := signedInBy(t, h, db, role)
	return ctx
}

// signedInBy is signedIn with the token of the session.
func signedInBy(t testing.TB, h *graph.Handler, db *pgxpool.Pool, role string) (context.Context, string) {
	t.Helper()
	if role == "anonymous" {
		return t.Context(), ""
	}
	accounts := identity.Store{DB: db, Passwords: passwords}
	session, err := accounts.SignIn(t.Context(), role+"@example.org", demoPassword, "", "192.0.2.1")
	if err != nil {
		t.Fatalf("sign in as %s: %v", role, err)
	}
	ctx, err := h.Identify(t.Context(), server.Credentials{Session: session.Token})
	if err != nil {
		t.Fatalf("who %s is: %v", role, err)
	}
	return ctx, session.Token
}

// demoDB returns a database of its own with the demo body.
func demoDB(t testing.TB) *pgxpool.Pool { return pgtest.NewWith(t, "demo", loadDemo) }

// graphPool returns a pool of the graph's role on the database of another pool.
func graphPool(t testing.TB, db *pgxpool.Pool) *pgxpool.Pool {
	t.Helper()
	return pgtest.Acting(t, db).Pool
}

// graphOn returns the graph over a database.
func graphOn(t testing.TB, db *pgxpool.Pool, change ...func(*graph.Config)) *graph.Handler {
	t.Helper()
	c := graph.DefaultConfig()
	c.Log = slog.New(slog.DiscardHandler)
	seal, err := identity.NewSeal(make([]byte, identity.SecretKeySize))
	if err != nil {
		t.Fatal(err)
	}
	c.Accounts = &identity.Store{DB: pg.Acting{Pool: db}, Passwords: passwords, Seal: seal}
	for _, f := range change {
		f(&c)
	}
	h, err := graph.NewHandler(graphPool(t, db), c)
	if err != nil {
		t.Fatal(err)
	}
	return h
}

func plainGqlgen(c *graph.Config) { c.PlainGqlgen = true }

// params are those of a client that may ask for anything.
func params(query string, variables map[string]any) server.Params {
	return server.Params{
		Query: query, Variables: variables, RequestID: "test",
		Charge: func(points int) (server.Allowance, bool) {
			return server.Allowance{Limit: 100_000, Remaining: 100_000 - points, ResetAt: time.Date(2030, 1, 1, 0, 0, 0, 0, time.UTC)}, true
		},
	}
}

// answer is a decoded response.
type answer struct {
	Data   map[string]any
	Errors []struct {
		Message    string
		Path       []any
		Extensions map[string]any
	}
}

// ask runs an operation and decodes the answer.
func ask(t testing.TB, h *graph.Handler, query string, variables map[string]any) answer {
	t.Helper()
	return decode(t, h.Execute(t.Context(), params(query, variables)).Body)
}

func decode(t testing.TB, body []byte) answer {
	t.Helper()
	var a answer
	if err := json.Unmarshal(body, &a); err != nil {
		t.Fatalf("the answer is no JSON: %v\n%s", err, body)
	}
	return a
}

// data runs an operation that must have no errors.
func data(t testing.TB, h *graph.Handler, query string, variables map[string]any) map[string]any {
	t.Helper()
	a := ask(t, h, query, variables)
	if len(a.Errors) > 0 {
		t.Fatalf("%s\nerrors: %+v", query, a.Errors)
	}
	return a.Data
}

// statements runs an operation that must have no errors and returns how many SQL
// statements it took.
func statements(t testing.TB, h *graph.Handler, query string, variables map[string]any) int {
	t.Helper()
	ctx, counter := pg.WithRecorder(t.Context())
	a := decode(t, h.Execute(ctx, params(query, variables)).Body)
	if len(a.Errors) > 0 {
		t.Fatalf("%s\nerrors: %+v", query, a.Errors)
	}
	return counter.Statements()
}

// at follows keys and indexes into decoded JSON.
func at(v any, path ...any) any {
	for _, p := range path {
		switch p := p.(type) {
		case string:
			m, _ := v.(map[string]any)
			v = m[p]
		case int:
			l, _ := v.([]any)
			if p >= len(l) {
				return nil
			}
			v = l[p]
		}
	}
	return v
}

// list returns decoded JSON as a list.
func list(v any, path ...any) []any {
	l, _ := at(v, path...).([]any)
	return l
}

// texts returns one field of each element of a list.
func texts(l []any, field string) []string {
	out := make([]string, len(l))
	for i, e := range l {
		out[i], _ = at(e, field).(string)
	}
	return out
}
