package server

import (
	"context"
	"errors"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/vektah/gqlparser/v2"
	"github.com/vektah/gqlparser/v2/ast"
	"github.com/vektah/gqlparser/v2/validator"
)

func getPage(b *bench, path, accept string) *httptest.ResponseRecorder {
	r := httptest.NewRequest(http.MethodGet, path, nil)
	r.Header.Set("Accept", accept)
	return b.do(r)
}

var reference = regexp.MustCompile(`(?:href|src|data-[a-z]+)="(/[^"]*)"`)

// What every page has: a language, a title, one heading of the first level, a main landmark, nothing inline, and only
// references that are served.
func TestPages(t *testing.T) {
	t.Parallel()
	b := newBench(t, func(_ *Config, d *Deps) {
		d.Version = "1.2.3"
		d.About = func(context.Context) (About, error) {
			return About{Name: `Body <of> "all"`, Counts: []Count{{"menu items", 312}, {"regions", 13}}}, nil
		}
	})
	for _, tt := range []struct {
		path   string
		status int
		want   []string
	}{
		{"/", 200, []string{"<dt>menu items</dt><dd>312</dd>", "Body &lt;of&gt;", "1.2.3", `href="/graphiql"`, `href="/schema.graphql"`, `href="/healthz"`, `href="/readyz"`, `href="/metrics"`}},
		{"/graphiql", 200, []string{"/graphiql?example=search", "graphiql.min-", `data-endpoint="/graphql"`}},
		{"/account", 200, []string{`<label for="password">`, "account-"}},
		{"/nowhere", 404, []string{`href="/"`}},
	} {
		t.Run(tt.path, func(t *testing.T) {
			t.Parallel()
			w := getPage(b, tt.path, "text/html,*/*;q=0.8")
			html := w.Body.String()
			if w.Code != tt.status || w.Header().Get("Content-Type") != "text/html; charset=utf-8" {
				t.Errorf("status %d, %s", w.Code, w.Header().Get("Content-Type"))
			}
			for _, want := range append(tt.want, "<!doctype html>", `<html lang="en">`, `<meta name="viewport"`, "<main") {
				if !strings.Contains(html, want) {
					t.Errorf("lacks %s", want)
				}
			}
			for _, once := range []string{"<h1", "<title>", "<main"} {
				if n := strings.Count(html, once); n != 1 {
					t.Errorf("%s stands there %d times, want once", once, n)
				}
			}
			for _, inline := range []string{"<style", " style=", "<script>", " onclick=", " onload=", "javascript:", "http://", "https://", "//cdn"} {
				if strings.Contains(html, inline) {
					t.Errorf("has %s", inline)
				}
			}
			policy := w.Header().Get("Content-Security-Policy")
			for _, want := range []string{"default-src 'none'", "base-uri 'none'", "frame-ancestors 'none'", "form-action 'none'"} {
				if !strings.Contains(policy, want) {
					t.Errorf("policy %q lacks %s", policy, want)
				}
			}
			for _, unsafe := range []string{"unsafe-inline", "unsafe-eval", "*", "http:", "https:", "script-src data"} {
				if strings.Contains(policy, unsafe) {
					t.Errorf("policy %q has %s", policy, unsafe)
				}
			}
			for _, match := range reference.FindAllStringSubmatch(html, -1) {
				if got := getPage(b, match[1], "*/*"); got.Code >= 400 && match[1] != "/graphql" {
					t.Errorf("%s answers %d", match[1], got.Code)
				}
			}
		})
	}
}

// The nonce of the editor's policy is new each time, and the page has the same.
func TestNonce(t *testing.T) {
	t.Parallel()
	b := newBench(t, nil)
	seen := map[string]bool{}
	for range 2 {
		w := getPage(b, "/graphiql", "text/html")
		match := regexp.MustCompile(`data-nonce="([^"]+)"`).FindStringSubmatch(w.Body.String())
		if match == nil || !strings.Contains(w.Header().Get("Content-Security-Policy"), "'nonce-"+match[1]+"'") {
			t.Fatalf("nonce %q, policy %q", match, w.Header().Get("Content-Security-Policy"))
		}
		seen[match[1]] = true
	}
	if len(seen) != 2 {
		t.Error("the nonce came twice")
	}
}

func TestStartWithoutCounts(t *testing.T) {
	t.Parallel()
	b := newBench(t, func(c *Config, d *Deps) {
		c.GraphiQL = false
		d.About = func(context.Context) (About, error) { return About{}, errors.New("dial db.internal: refused") }
	})
	w := getPage(b, "/", "text/html")
	if w.Code != http.StatusOK || strings.Contains(w.Body.String(), "refused") || !strings.Contains(w.Body.String(), "can't be read now") {
		t.Errorf("status %d: %s", w.Code, w.Body)
	}
	if strings.Contains(w.Body.String(), `href="/graphiql"`) || getPage(b, "/graphiql", "*/*").Code != http.StatusNotFound {
		t.Error("GraphiQL is off, but there")
	}
	if !strings.Contains(b.logs.String(), "refused") {
		t.Error("the reason isn't in the log")
	}
}

// The mailbox shows everyone's mail, as text, and to this machine alone.
func TestMailbox(t *testing.T) {
	t.Parallel()
	broken := false
	b := newBench(t, func(_ *Config, d *Deps) {
		d.Mails = func() ([]Mail, error) {
			if broken {
				return nil, errors.New("open /secret/folder: denied")
			}
			return []Mail{{
				To: "ada@example.org", Subject: "Welcome <b>", At: time.Date(2026, 11, 22, 9, 30, 0, 0, time.UTC),
				Lines: []string{"Choose it here:", "", "https://www.example.org/welcome#token=abc", "<script>alert(1)</script>"},
			}}, nil
		}
	})
	host := "localhost:8080"
	ask := func(from, forwarded string) *httptest.ResponseRecorder {
		r := httptest.NewRequest(http.MethodGet, "/mail", nil)
		r.RemoteAddr, r.Host = from, host
		if forwarded != "" {
			r.Header.Set("X-Forwarded-For", forwarded)
		}
		return b.do(r)
	}
	html := ask("127.0.0.1:9", "").Body.String()
	for _, want := range []string{
		"To ada@example.org, 22 November 2026 09:30:00 UTC", "Welcome &lt;b&gt;",
		`<a href="https://www.example.org/welcome#token=abc">`, "&lt;script&gt;",
	} {
		if !strings.Contains(html, want) {
			t.Errorf("lacks %s:\n%s", want, html)
		}
	}
	for _, r := range []*httptest.ResponseRecorder{ask("192.0.2.1:9", ""), ask("[2001:db8::1]:9", ""), ask("127.0.0.1:9", "192.0.2.1")} {
		if r.Code != http.StatusNotFound || strings.Contains(r.Body.String(), "ada@") {
			t.Errorf("another machine is answered %d: %s", r.Code, r.Body)
		}
	}
	for _, host = range []string{"localhost", "127.0.0.1:8080", "[::1]:8080", "[::1]"} {
		if r := ask("[::1]:9", ""); r.Code != http.StatusOK {
			t.Errorf("this machine, asking %s, is answered %d", host, r.Code)
		}
	}
	for _, host = range []string{"evil.example", "localhost.evil.example:8080", ""} {
		if r := ask("127.0.0.1:9", ""); r.Code != http.StatusNotFound {
			t.Errorf("a page of %q is answered %d", host, r.Code)
		}
	}
	host = "localhost"
	broken = true
	if r := ask("127.0.0.1:9", ""); r.Code != http.StatusInternalServerError || strings.Contains(r.Body.String(), "secret") {
		t.Errorf("a folder that can't be read: %d: %s", r.Code, r.Body)
	}
	if w := getPage(newBench(t, nil), "/mail", "text/html"); w.Code != http.StatusNotFound {
		t.Errorf("without a folder /mail answers %d", w.Code)
	}
}

func TestStartWithoutName(t *testing.T) {
	t.Parallel()
	b := newBench(t, func(_ *Config, d *Deps) {
		d.About = func(context.Context) (About, error) { return About{}, nil }
	})
	html := getPage(b, "/", "text/html").Body.String()
	for _, want := range []string{"<title>Collegium</title>", "<h1>Collegium</h1>"} {
		if !strings.Contains(html, want) {
			t.Errorf("lacks %s", want)
		}
	}
}

func TestOtherAddresses(t *testing.T) {
	t.Parallel()
	b := newBench(t, nil)
	for _, tt := range []struct {
		method, path string
		status       int
		contentType  string
	}{
		{http.MethodGet, "/schema.graphql", 200, "text/plain; charset=utf-8"},
		{http.MethodHead, "/schema.graphql", 200, "text/plain; charset=utf-8"},
		{http.MethodGet, "/healthz", 200, "text/plain; charset=utf-8"},
		{http.MethodGet, "/readyz", 200, "text/plain; charset=utf-8"},
		{http.MethodGet, "/nowhere", 404, "application/json; charset=utf-8"},
		{http.MethodPost, "/nowhere", 404, "application/json; charset=utf-8"},
		{http.MethodGet, "/graphql/", 404, "application/json; charset=utf-8"},
		{http.MethodGet, "/assets/", 404, "application/json; charset=utf-8"},
		{http.MethodGet, "/assets/site.css", 404, "application/json; charset=utf-8"},
		{http.MethodGet, "/assets/..%2fserver.go", 404, "application/json; charset=utf-8"},
		{http.MethodPost, "/", 405, "application/json; charset=utf-8"},
		{http.MethodPost, "/healthz", 405, "application/json; charset=utf-8"},
		{http.MethodDelete, "/graphiql", 405, "application/json; charset=utf-8"},
		{http.MethodOptions, "/metrics", 204, ""},
	} {
		w := b.do(httptest.NewRequest(tt.method, tt.path, nil))
		if w.Code != tt.status || w.Header().Get("Content-Type") != tt.contentType {
			t.Errorf("%s %s: status %d, %q; want %d, %q", tt.method, tt.path, w.Code, w.Header().Get("Content-Type"), tt.status, tt.contentType)
		}
		for name, want := range map[string]string{"X-Content-Type-Options": "nosniff", "X-Frame-Options": "DENY", "Referrer-Policy": "no-referrer"} {
			if got := w.Header().Get(name); got != want {
				t.Errorf("%s %s: %s is %q", tt.method, tt.path, name, got)
			}
		}
		if w.Header().Get("Content-Security-Policy") == "" || w.Header().Get("X-Request-Id") == "" {
			t.Errorf("%s %s: headers %v", tt.method, tt.path, w.Header())
		}
	}
	if w := getPage(b, "/schema.graphql", "*/*"); w.Body.String() != testSchema {
		t.Error("the schema isn't the one that was given")
	}
}

// Assets may be kept for ever, because their addresses change with them.
func TestAssets(t *testing.T) {
	t.Parallel()
	b := newBench(t, nil)
	if len(b.assets.byName) < 8 {
		t.Fatalf("only %d assets", len(b.assets.byName))
	}
	for name, f := range b.assets.byName {
		plain := b.do(httptest.NewRequest(http.MethodGet, "/assets/"+name, nil))
		r := httptest.NewRequest(http.MethodGet, "/assets/"+name, nil)
		r.Header.Set("Accept-Encoding", "gzip")
		packed := b.do(r)
		if plain.Code != 200 || packed.Code != 200 || plain.Header().Get("Content-Type") != f.contentType {
			t.Errorf("%s: status %d and %d, %s", name, plain.Code, packed.Code, plain.Header().Get("Content-Type"))
		}
		if got := plain.Header().Get("Cache-Control"); got != "public, max-age=31536000, immutable" {
			t.Errorf("%s: Cache-Control %q", name, got)
		}
		if !strings.Contains(strings.Join(plain.Header().Values("Vary"), ","), "Accept-Encoding") {
			t.Errorf("%s: Vary %q", name, plain.Header().Values("Vary"))
		}
		if plain.Body.String() != string(f.content) {
			t.Errorf("%s: another content", name)
		}
		if len(f.content) > 1024 {
			if packed.Header().Get("Content-Encoding") != "gzip" || packed.Body.Len() >= len(f.content) {
				t.Errorf("%s: not compressed", name)
			} else if string(unpack(t, packed.Body.Bytes())) != string(f.content) {
				t.Errorf("%s: another content when compressed", name)
			}
		}
		if strings.HasSuffix(name, ".css") && regexp.MustCompile(`url\((?:"|')?(?:https?:|//)|@import`).Match(f.content) {
			t.Errorf("%s loads something from elsewhere", name)
		}
	}
	for _, notice := range []string{"graphiql 4.1.2", "react 18.3.1", "MIT License", "SIL Open Font License"} {
		if !strings.Contains(string(b.assets.byName[filepath.Base(b.pages.assets["notices.txt"])].content), notice) {
			t.Errorf("the notices lack %q", notice)
		}
	}
}

// Every example is valid in the schema that is served, and its variables are.
func TestExamples(t *testing.T) {
	t.Parallel()
	files, err := filepath.Glob("../../graph/*.graphqls")
	if err != nil || len(files) == 0 {
		t.Fatalf("no schema: %v", err)
	}
	var sources []*ast.Source
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		sources = append(sources, &ast.Source{Name: file, Input: string(text)})
	}
	schema, err := gqlparser.LoadSchema(sources...)
	if err != nil {
		t.Fatal(err)
	}
	examples, err := loadExamples()
	if err != nil || len(examples) < 5 {
		t.Fatalf("%d examples, %v", len(examples), err)
	}
	for _, e := range examples {
		doc, err := gqlparser.LoadQueryWithRules(schema, e.Query, nil)
		if err != nil {
			t.Errorf("%s: %v", e.Key, err)
			continue
		}
		vars := map[string]any{}
		if e.Variables != "" {
			var err error
			if vars, err = decodeObject([]byte(e.Variables)); err != nil {
				t.Errorf("%s: variables: %v", e.Key, err)
			}
		}
		if _, err := validator.VariableValues(schema, doc.Operations[0], vars); err != nil {
			t.Errorf("%s: variables: %v", e.Key, err)
		}
	}
}

// GraphiQL starts in a real browser under its policy: it draws itself and asks the graph for the schema, and the
// browser refuses nothing.
func TestGraphiQLInBrowser(t *testing.T) {
	t.Parallel()
	browser, err := exec.LookPath("chromium")
	if err != nil {
		t.Skip("no chromium")
	}
	var asked atomic.Bool
	b := newBench(t, func(_ *Config, d *Deps) {
		d.Execute = func(_ context.Context, p Params) Result {
			if p.OperationName == "IntrospectionQuery" && strings.Contains(p.Query, "__schema") {
				asked.Store(true)
			}
			return Result{Body: []byte(`{"data":{"__schema":null}}`)}
		}
	})
	addr, _, _ := listen(t, b)
	ctx, cancel := context.WithTimeout(t.Context(), 3*patience)
	defer cancel()
	cmd := exec.CommandContext(ctx, browser,
		"--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
		"--disable-component-update", "--disable-sync", "--user-data-dir="+t.TempDir(),
		"--enable-logging=stderr", "--virtual-time-budget=10000", "--dump-dom", "http://"+addr+"/graphiql?example=search")
	var dom, logs strings.Builder
	cmd.Stdout, cmd.Stderr = &dom, &logs
	if err := cmd.Run(); err != nil {
		t.Fatalf("chromium: %v\n%s", err, logs.String())
	}
	for _, want := range []string{"graphiql-container", "graphiql-execute-button", "SearchWithFacets"} {
		if !strings.Contains(dom.String(), want) {
			t.Errorf("the page lacks %s", want)
		}
	}
	if !asked.Load() {
		t.Error("the editor didn't ask for the schema")
	}
	for line := range strings.SplitSeq(logs.String(), "\n") {
		if strings.Contains(line, "Content Security Policy") || strings.Contains(line, "Content-Security-Policy") || strings.Contains(line, "Refused to") {
			t.Errorf("the browser says: %s", line)
		}
	}
}
