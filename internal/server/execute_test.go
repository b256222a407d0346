package server

import (
	"bytes"
	"compress/gzip"
	"context"
	"encoding/json"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/vektah/gqlparser/v2"
	"github.com/vektah/gqlparser/v2/ast"
	"github.com/vektah/gqlparser/v2/gqlerror"
	"github.com/vektah/gqlparser/v2/validator"
)

// The tests speak to a small graph that is executed for real: parsed, validated, its variables coerced.
const testSchema = `
type Query {
  hello(name: String = "world"): String!
  count(n: Int!): Int!
  "A string of so many letters."
  long(length: Int!): String!
  "Panics."
  boom: String
  "Answers when the test says so, or when the time of the operation is over."
  wait: String
  "Costs more points."
  dear(points: Int!): Int
  "A field error."
  broken: String
}
type Mutation {
  touch: Int!
}
`

// testGraph answers operations on testSchema.
type testGraph struct {
	schema *ast.Schema
	// entered gets a value when wait begins; release lets all waits end.
	entered chan struct{}
	release chan struct{}

	mu      sync.Mutex
	touched int
	seen    []Params
}

func newTestGraph() *testGraph {
	return &testGraph{
		schema:  gqlparser.MustLoadSchema(&ast.Source{Name: "test.graphqls", Input: testSchema}),
		entered: make(chan struct{}, 1000),
		release: make(chan struct{}),
	}
}

func (g *testGraph) execute(ctx context.Context, p Params) Result {
	g.mu.Lock()
	g.seen = append(g.seen, p)
	g.mu.Unlock()
	doc, err := gqlparser.LoadQueryWithRules(g.schema, p.Query, nil)
	if err != nil {
		return refusedResult(Invalid, nil, err)
	}
	op := doc.Operations.ForName(p.OperationName)
	if op == nil {
		return refusedResult(Invalid, nil, gqlerror.List{{Message: "no such operation"}})
	}
	if p.ReadOnly && op.Operation != ast.Query {
		return refusedResult(NotByGet, op, gqlerror.List{{Message: "send it by POST"}})
	}
	vars, varErr := validator.VariableValues(g.schema, op, p.Variables)
	if varErr != nil {
		return refusedResult(Invalid, op, gqlerror.List{gqlerror.Wrap(varErr)})
	}
	cost := 1
	for _, sel := range op.SelectionSet {
		if f := sel.(*ast.Field); f.Name == "dear" {
			cost = int(f.ArgumentMap(vars)["points"].(int64))
		}
	}
	left, ok := p.Charge(cost)
	if !ok {
		r := refusedResult(RateLimited, op, gqlerror.List{{Message: "used up"}})
		r.RetryAfter = time.Until(left.ResetAt)
		return r
	}
	data := map[string]any{}
	res := Result{Operation: op.Name, OperationType: string(op.Operation)}
	var errs gqlerror.List
	for _, sel := range op.SelectionSet {
		f := sel.(*ast.Field)
		args := f.ArgumentMap(vars)
		var value any
		switch f.Name {
		case "__typename":
			value = f.ObjectDefinition.Name
		case "hello":
			value = "Hello, " + args["name"].(string) + "!"
		case "count":
			value = args["n"]
		case "long":
			n := args["length"].(int64)
			value = strings.Repeat("x", int(n))
		case "dear":
			value = left.Remaining
		case "boom":
			panic("secret of the panic")
		case "broken":
			errs = append(errs, &gqlerror.Error{Message: "broken", Path: ast.Path{ast.PathName(f.Alias)}})
		case "wait":
			g.entered <- struct{}{}
			select {
			case <-g.release:
				value = "done"
			case <-ctx.Done():
				if errors.Is(context.Cause(ctx), errOperationTimeout) {
					return refusedResult(TimedOut, op, gqlerror.List{{Message: "too slow"}})
				}
				return refusedResult(Failed, op, gqlerror.List{{Message: "cut off"}})
			}
		case "touch":
			g.mu.Lock()
			g.touched++
			value = g.touched
			g.mu.Unlock()
		}
		data[f.Alias] = value
	}
	body := map[string]any{"data": data}
	if len(errs) > 0 {
		body["errors"] = errs
		res.Errors = len(errs)
	}
	res.Body, _ = json.Marshal(body)
	return res
}

func refusedResult(o Outcome, op *ast.OperationDefinition, errs gqlerror.List) Result {
	body, _ := json.Marshal(map[string]any{"errors": errs})
	r := Result{Body: body, Outcome: o, Errors: len(errs)}
	if op != nil {
		r.Operation, r.OperationType = op.Name, string(op.Operation)
	}
	return r
}

// last returns the parameters of the newest operation.
func (g *testGraph) last(t *testing.T) Params {
	t.Helper()
	g.mu.Lock()
	defer g.mu.Unlock()
	if len(g.seen) == 0 {
		t.Fatal("no operation was executed")
	}
	return g.seen[len(g.seen)-1]
}

func (g *testGraph) executed() int {
	g.mu.Lock()
	defer g.mu.Unlock()
	return len(g.seen)
}

// logBuffer collects log lines from many goroutines.
type logBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (l *logBuffer) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}

func (l *logBuffer) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.String()
}

// bench is a server with what a test wants to see of it.
type bench struct {
	*Server
	graph *testGraph
	logs  *logBuffer
}

// newBench returns a server with the defaults, after change was applied to them; change may be nil.
func newBench(t *testing.T, change func(*Config, *Deps)) *bench {
	t.Helper()
	graph, logs := newTestGraph(), &logBuffer{}
	cfg := Defaults()
	deps := Deps{
		Execute: graph.execute,
		Schema:  testSchema,
		Ready:   func(context.Context) error { return nil },
		Log:     slog.New(slog.NewJSONHandler(logs, &slog.HandlerOptions{Level: slog.LevelDebug})),
	}
	if change != nil {
		change(&cfg, &deps)
	}
	s, err := New(cfg, deps)
	if err != nil {
		t.Fatal(err)
	}
	return &bench{Server: s, graph: graph, logs: logs}
}

// do answers a request without a network.
func (b *bench) do(r *http.Request) *httptest.ResponseRecorder {
	w := httptest.NewRecorder()
	b.ServeHTTP(w, r)
	return w
}

// post is a POST of JSON with the given Accept header.
func post(body, accept string) *http.Request {
	r := httptest.NewRequest(http.MethodPost, "/graphql", strings.NewReader(body))
	r.Header.Set("Content-Type", "application/json")
	if accept != "" {
		r.Header.Set("Accept", accept)
	}
	return r
}

// document returns the JSON body that asks for a document.
func document(query string) string {
	b, err := json.Marshal(map[string]string{"query": query})
	if err != nil {
		panic(err)
	}
	return string(b)
}

// response is an answer as a client reads it.
type response struct {
	Data   json.RawMessage `json:"data"`
	Errors []struct {
		Message    string `json:"message"`
		Extensions struct {
			Code      string `json:"code"`
			RequestID string `json:"requestId"`
		} `json:"extensions"`
	} `json:"errors"`
}

func decode(t *testing.T, body []byte) response {
	t.Helper()
	var r response
	if err := json.Unmarshal(body, &r); err != nil {
		t.Fatalf("the answer isn't JSON: %v\n%s", err, body)
	}
	return r
}

// execute returns an Execute that always gives the same answer.
func execute(res Result) Execute {
	return func(context.Context, Params) Result { return res }
}

// unpack undoes gzip.
func unpack(t *testing.T, packed []byte) []byte {
	t.Helper()
	r, err := gzip.NewReader(bytes.NewReader(packed))
	if err != nil {
		t.Fatal(err)
	}
	plain, err := io.ReadAll(r)
	if err != nil {
		t.Fatal(err)
	}
	return plain
}
