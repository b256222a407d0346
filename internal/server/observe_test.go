package server

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/collegium/collegium/internal/pg/pgtest"
)

// lines returns the log lines with a message.
func (b *bench) lines(t *testing.T, msg string) []map[string]any {
	t.Helper()
	var found []map[string]any
	for line := range strings.SplitSeq(strings.TrimSpace(b.logs.String()), "\n") {
		var attrs map[string]any
		if err := json.Unmarshal([]byte(line), &attrs); err != nil {
			t.Fatalf("log line %q: %v", line, err)
		}
		if attrs["msg"] == msg {
			found = append(found, attrs)
		}
	}
	return found
}

func TestRequestID(t *testing.T) {
	t.Parallel()
	b := newBench(t, nil)
	for _, tt := range []struct {
		name  string
		given []string
		kept  bool
	}{
		{"none", nil, false},
		{"uuid", []string{"0190b6f0-7a3c-7d2e-9c55-0242ac120002"}, true},
		{"trace", []string{"Root=1-67891233-abcdef012345678912345678"}, false}, // = is none of ours
		{"plain", []string{"req_1234.5678:9"}, true},
		{"short", []string{"1234567"}, false},
		{"long", []string{strings.Repeat("a", 129)}, false},
		{"blank", []string{"aaaa bbbb"}, false},
		{"line break", []string{"aaaaaaaa\nlevel=ERROR"}, false},
		{"not ASCII", []string{"ééééééééé"}, false},
		{"two", []string{"aaaaaaaa", "bbbbbbbb"}, false},
	} {
		r := httptest.NewRequest(http.MethodGet, "/healthz", nil)
		r.Header["X-Request-Id"] = tt.given
		got := b.do(r).Header().Get("X-Request-Id")
		if kept := len(tt.given) > 0 && got == tt.given[0]; kept != tt.kept {
			t.Errorf("%s: %q became %q", tt.name, tt.given, got)
		}
		if !isRequestID(got) {
			t.Errorf("%s: %q isn't well-formed", tt.name, got)
		}
	}

	other := newBench(t, func(c *Config, _ *Deps) { c.RequestIDHeader = "" })
	r := httptest.NewRequest(http.MethodGet, "/healthz", nil)
	r.Header.Set("X-Request-Id", "given-by-the-client")
	if got := other.do(r).Header().Get("X-Request-Id"); got == "given-by-the-client" || !isRequestID(got) {
		t.Errorf("no header is trusted, but the id is %q", got)
	}
}

// The log line of an operation says what it was and what it took, and nothing of what was in it.
func TestLogLine(t *testing.T) {
	t.Parallel()
	db := pgtest.New(t)
	var inner Execute
	b := newBench(t, func(_ *Config, d *Deps) {
		inner = d.Execute
		d.Execute = func(ctx context.Context, p Params) Result {
			for range 3 {
				if _, err := db.Exec(ctx, "SELECT 1"); err != nil {
					t.Error(err)
				}
			}
			return inner(ctx, p)
		}
		d.Pool = func() *pgxpool.Stat { return db.Stat() }
		d.Identify = func(ctx context.Context, _ Credentials) (context.Context, error) { return ctx, nil }
	})
	const secret = "s3cr3t"
	body := `{"query":"query Greet($n: String!) { hello(name: $n) broken a_s3cr3t: hello }","variables":{"n":"s3cr3t"},"extensions":{"x":"s3cr3t"}}`
	r := post(body, "application/json;x=s3cr3t, application/json")
	r.URL.RawQuery = "token=s3cr3t"
	r.RemoteAddr = "192.0.2.77:4711"
	for _, name := range []string{"Authorization", "Cookie", "Referer", "User-Agent", "Origin-Trial"} {
		r.Header.Set(name, secret)
	}
	r.Header.Set("Authorization", "Bearer "+secret)
	r.Header.Set("X-Request-Id", "given-0001")
	w := b.do(r)
	if w.Code != http.StatusOK {
		t.Fatalf("status %d: %s", w.Code, w.Body)
	}
	lines := b.lines(t, "request")
	if len(lines) != 1 {
		t.Fatalf("%d lines, want 1", len(lines))
	}
	for name, want := range map[string]any{
		"level": "INFO", "request_id": "given-0001", "method": "POST", "route": "/graphql", "status": 200.0,
		"bytes": float64(w.Body.Len()), "operation": "Greet", "operation_type": "query", "outcome": "executed",
		"statements": 3.0, "errors": 1.0,
	} {
		if got := lines[0][name]; got != want {
			t.Errorf("%s is %v, want %v", name, got, want)
		}
	}
	if _, ok := lines[0]["duration_ms"].(float64); !ok {
		t.Errorf("duration_ms is %v", lines[0]["duration_ms"])
	}

	get := httptest.NewRequest(http.MethodGet, `/graphql?query=%7Bhello(name:"s3cr3t")%7D`, nil)
	b.do(get)
	b.do(httptest.NewRequest(http.MethodGet, "/s3cr3t", nil))
	b.do(httptest.NewRequest("S3CR3T", "/graphql", nil))
	for _, s := range []string{secret, "192.0.2.77", "S3CR3T"} {
		if strings.Contains(b.logs.String(), s) {
			t.Errorf("%q is in the log:\n%s", s, b.logs)
		}
	}

	metrics := b.do(httptest.NewRequest(http.MethodGet, "/metrics", nil)).Body.String()
	for _, want := range []string{
		`collegium_operations_total{operation="Greet",outcome="executed",type="query"} 1`,
		`collegium_operation_statements_sum{operation="Greet"} 3`,
		`collegium_operation_duration_seconds_count{operation="Greet"} 1`,
		`collegium_http_requests_total{code="200",method="POST",route="/graphql"} 1`,
		`collegium_http_requests_total{code="404",method="GET",route="other"} 1`,
		`collegium_http_requests_total{code="405",method="other",route="/graphql"} 1`,
		`collegium_http_refused_total{reason="not_found"} 1`,
		`collegium_operations_in_flight 0`,
		`collegium_pool_connections{state="in_use"} 0`,
		`go_goroutines `,
	} {
		if !strings.Contains(metrics, want) {
			t.Errorf("/metrics lacks %s", want)
		}
	}
	if strings.Contains(metrics, secret) {
		t.Error("/metrics shows what a client sent")
	}
}

// Names that clients make up don't become series without end.
func TestMetricsAreBounded(t *testing.T) {
	t.Parallel()
	b := newBench(t, nil)
	for i := range 3 * maxOperationNames {
		b.do(post(document(fmt.Sprintf("query Op%d { hello }", i)), ""))
		b.do(post(document(fmt.Sprintf("query Bad%d { hello(x: 1) }", i)), ""))
	}
	b.do(post(document("query "+strings.Repeat("L", 200)+" { hello }"), ""))
	metrics := b.do(httptest.NewRequest(http.MethodGet, "/metrics", nil)).Body.String()
	if n := strings.Count(metrics, "\ncollegium_operations_total{"); n > maxOperationNames+5 {
		t.Errorf("%d series, want about %d", n, maxOperationNames)
	}
	for _, want := range []string{`operation="Op0"`, `operation="other"`} {
		if !strings.Contains(metrics, want) {
			t.Errorf("/metrics lacks %s", want)
		}
	}
	if strings.Contains(metrics, "Bad") || strings.Contains(metrics, "LLLL") {
		t.Error("a name that never ran, or a long one, has a series")
	}
}

func TestPanic(t *testing.T) {
	t.Parallel()
	b := newBench(t, nil)
	addr, _, _ := listen(t, b)
	a := ask(addr, "query Boom { boom }")
	if a.status != http.StatusInternalServerError {
		t.Fatalf("%+v, want 500", a)
	}
	res := decode(t, []byte(a.body))
	id := a.header.Get("X-Request-Id")
	if len(res.Errors) != 1 || res.Errors[0].Message != "internal error" ||
		res.Errors[0].Extensions.Code != codeInternalError || res.Errors[0].Extensions.RequestID != id {
		t.Errorf("%s, want internal error with request id %s", a.body, id)
	}
	panics := b.lines(t, "panic")
	if len(panics) != 1 || panics[0]["request_id"] != id || panics[0]["panic"] != "secret of the panic" ||
		!strings.Contains(fmt.Sprint(panics[0]["stack"]), "execute_test.go") {
		t.Errorf("log of the panic: %v", panics)
	}
	if lines := b.lines(t, "request"); len(lines) != 1 || lines[0]["level"] != "ERROR" || lines[0]["status"] != 500.0 {
		t.Errorf("log of the request: %v", lines)
	}
	if a := ask(addr, "{ hello }"); a.status != http.StatusOK {
		t.Errorf("afterwards %+v, want 200", a)
	}
	if b.gate.running.Load() != 0 {
		t.Error("the turn wasn't given back")
	}
	metrics := get(addr, "/metrics").body
	if !strings.Contains(metrics, "collegium_panics_total 1\n") {
		t.Error("the panic isn't counted")
	}
}

// An Execute that returns no body is a defect, and is answered as one.
func TestNoBody(t *testing.T) {
	t.Parallel()
	b := newBench(t, func(_ *Config, d *Deps) { d.Execute = execute(Result{}) })
	if w := b.do(post(document("{ hello }"), "")); w.Code != http.StatusInternalServerError {
		t.Errorf("status %d, want 500", w.Code)
	}
}

// Half an answer must not look like a whole one: the connection ends.
func TestPanicAfterWriting(t *testing.T) {
	t.Parallel()
	b := newBench(t, nil)
	b.other = b.Server.recover(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Length", "100")
		_, _ = w.Write(bytes.Repeat([]byte("x"), 10))
		panic("late")
	}))
	addr, _, _ := listen(t, b)
	if a := get(addr, "/"); a.err == nil {
		t.Errorf("%+v, want an unexpected end", a)
	}
}
