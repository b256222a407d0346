package graph_test

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/collegium/collegium/graph"
	"github.com/collegium/collegium/internal/pg"
	"github.com/collegium/collegium/internal/server"
	"github.com/collegium/collegium/internal/trusted"
)

func sha(text string) string {
	sum := sha256.Sum256([]byte(text))
	return hex.EncodeToString(sum[:])
}

func accept(a graph.Accept) func(*graph.Config) { return func(c *graph.Config) { c.Accept = a } }

// addTrusted stores documents by their ids, for a client.
func addTrusted(t testing.TB, db *pgxpool.Pool, client string, texts map[string]string) {
	t.Helper()
	manifest, err := json.Marshal(texts)
	if err != nil {
		t.Fatal(err)
	}
	entries, err := trusted.ReadManifest(manifest)
	if err != nil {
		t.Fatal(err)
	}
	store := trusted.Store{DB: db}
	if _, err := store.Add(t.Context(), client, entries); err != nil {
		t.Fatal(err)
	}
}

func loadTrusted(t testing.TB, h *graph.Handler) {
	t.Helper()
	if err := h.LoadTrusted(t.Context()); err != nil {
		t.Fatal(err)
	}
}

// overHTTP serves a graph, so that requests are read as they come from clients.
func overHTTP(t testing.TB, h *graph.Handler) *httptest.Server {
	t.Helper()
	s, err := server.New(server.Defaults(), server.Deps{
		Execute: h.Execute, Schema: graph.SDL(), Log: slog.New(slog.DiscardHandler),
		Ready: func(context.Context) error { return nil },
	})
	if err != nil {
		t.Fatal(err)
	}
	ts := httptest.NewServer(s)
	t.Cleanup(ts.Close)
	return ts
}

// reply is what came back: the status, and the data or the code and message of
// the only error.
type reply struct {
	Status        int
	Data          string
	Code, Message string
}

func send(t testing.TB, r *http.Request) reply {
	t.Helper()
	r.Header.Set("Accept", "application/graphql-response+json")
	resp, err := http.DefaultClient.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	var a struct {
		Data   json.RawMessage
		Errors []struct {
			Message    string
			Extensions struct{ Code string }
		}
	}
	if err := json.Unmarshal(body, &a); err != nil || len(a.Errors) > 1 {
		t.Fatalf("%s: %v", body, err)
	}
	out := reply{Status: resp.StatusCode, Data: string(a.Data)}
	if len(a.Errors) == 1 {
		out.Code, out.Message = a.Errors[0].Extensions.Code, a.Errors[0].Message
	}
	return out
}

func postTo(t testing.TB, ts *httptest.Server, body string) reply {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), http.MethodPost, ts.URL+"/graphql", strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("Content-Type", "application/json")
	return send(t, r)
}

func getFrom(t testing.TB, ts *httptest.Server, values url.Values) reply {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, ts.URL+"/graphql?"+values.Encode(), nil)
	if err != nil {
		t.Fatal(err)
	}
	return send(t, r)
}

// persisted writes the extension of an automatic persisted query.
func persisted(hash string) string {
	return fmt.Sprintf(`{"persistedQuery":{"version":1,"sha256Hash":%q}}`, hash)
}

const (
	countItems  = `query Items($handle: String!) { menu(handle: $handle) { itemCount } }`
	countOnPage = `query Other { menu(handle: "main") { itemCount } }`
	mainItems   = `{"menu":{"itemCount":312}}`
)

// TestPersistedQueries is a client's side of automatic persisted queries, step by
// step on one server.
func TestPersistedQueries(t *testing.T) {
	t.Parallel()
	h := graphOn(t, demoDB(t))
	ts := overHTTP(t, h)
	hash := sha(countItems)
	vars := `"variables":{"handle":"main"}`
	ok := reply{Status: 200, Data: mainItems}
	notFound := reply{Status: 400, Code: "PERSISTED_QUERY_NOT_FOUND", Message: "PersistedQueryNotFound"}
	text, err := json.Marshal(countItems)
	if err != nil {
		t.Fatal(err)
	}
	invalid := `query Items { nothing }`
	for _, step := range []struct {
		name string
		body string
		get  url.Values
		want reply
	}{
		{name: "unknown", body: `{"extensions":` + persisted(hash) + `,` + vars + `}`, want: notFound},
		{name: "unknown by GET", get: url.Values{"extensions": {persisted(hash)}}, want: notFound},
		{
			name: "hash of another text", body: `{"query":` + string(text) + `,"extensions":` + persisted(sha("{x}")) + `,` + vars + `}`,
			want: reply{Status: 400, Code: "BAD_USER_INPUT", Message: "the hash isn't that of the query sent with it; send the SHA-256 of exactly this text, in UTF-8"},
		},
		{name: "not stored by a wrong hash", body: `{"extensions":` + persisted(hash) + `,` + vars + `}`, want: notFound},
		{name: "stored", body: `{"query":` + string(text) + `,"extensions":` + persisted(hash) + `,` + vars + `}`, want: ok},
		{name: "known", body: `{"extensions":` + persisted(hash) + `,` + vars + `}`, want: ok},
		{name: "known, empty query", body: `{"query":"","extensions":` + persisted(hash) + `,` + vars + `}`, want: ok},
		{name: "known, in capitals", body: `{"extensions":` + persisted(strings.ToUpper(hash)) + `,` + vars + `}`, want: ok},
		{name: "known by documentId", body: `{"documentId":"sha256:` + hash + `",` + vars + `}`, want: ok},
		{
			name: "known by GET",
			get:  url.Values{"extensions": {persisted(hash)}, "variables": {`{"handle":"main"}`}, "operationName": {"Items"}},
			want: ok,
		},
		{name: "known by GET and documentId", get: url.Values{"documentId": {"sha256:" + hash}, "variables": {`{"handle":"main"}`}}, want: ok},
		{
			name: "known, other operation", body: `{"extensions":` + persisted(hash) + `,"operationName":"Nope",` + vars + `}`,
			want: reply{Status: 400, Code: "GRAPHQL_VALIDATION_FAILED", Message: `the document has no operation named "Nope"; name one that it has`},
		},
		{
			name: "invalid", body: `{"query":"` + invalid + `","extensions":` + persisted(sha(invalid)) + `}`,
			want: reply{Status: 400, Code: "GRAPHQL_VALIDATION_FAILED", Message: `Cannot query field "nothing" on type "Query".`},
		},
		{name: "invalid is not stored", body: `{"extensions":` + persisted(sha(invalid)) + `}`, want: notFound},
		{
			name: "version 2", body: `{"extensions":{"persistedQuery":{"version":2,"sha256Hash":"` + hash + `"}}}`,
			want: reply{Status: 400, Code: "BAD_USER_INPUT", Message: "extensions.persistedQuery.version must be 1, the only version there is"},
		},
		{
			name: "no version", body: `{"extensions":{"persistedQuery":{"sha256Hash":"` + hash + `"}}}`,
			want: reply{Status: 400, Code: "BAD_USER_INPUT", Message: "extensions.persistedQuery.version must be 1, the only version there is"},
		},
		{
			name: "no object", body: `{"extensions":{"persistedQuery":"` + hash + `"}}`,
			want: reply{Status: 400, Code: "BAD_USER_INPUT", Message: `extensions.persistedQuery must be an object, as {"version": 1, "sha256Hash": "…"}`},
		},
		{
			name: "no hash", body: `{"extensions":{"persistedQuery":{"version":1}}}`,
			want: reply{Status: 400, Code: "BAD_USER_INPUT", Message: "extensions.persistedQuery has no sha256Hash; send 64 hexadecimal digits, the hash of the document in UTF-8"},
		},
		{
			name: "short hash", body: `{"extensions":` + persisted(hash[1:]) + `}`,
			want: reply{Status: 400, Code: "BAD_USER_INPUT", Message: "extensions.persistedQuery.sha256Hash is no SHA-256; send 64 hexadecimal digits, the hash of the document in UTF-8"},
		},
		{
			name: "no hexadecimal", body: `{"query":"{menus{handle}}","extensions":` + persisted(strings.Repeat("z", 64)) + `}`,
			want: reply{Status: 400, Code: "BAD_USER_INPUT", Message: "extensions.persistedQuery.sha256Hash is no SHA-256; send 64 hexadecimal digits, the hash of the document in UTF-8"},
		},
		{
			name: "documentId and query", body: `{"query":` + string(text) + `,"documentId":"sha256:` + hash + `"}`,
			want: reply{Status: 400, Code: "BAD_USER_INPUT", Message: "a request has either documentId or query, not both"},
		},
		{
			name: "documentId and hash", body: `{"extensions":` + persisted(hash) + `,"documentId":"sha256:` + hash + `"}`,
			want: reply{Status: 400, Code: "BAD_USER_INPUT", Message: "a request has either documentId or extensions.persistedQuery, not both"},
		},
		{
			name: "unknown documentId", body: `{"documentId":"GetMenu"}`,
			want: reply{Status: 400, Code: "PERSISTED_QUERY_NOT_FOUND", Message: "no document with this documentId is known; send its text as query, or have it added to the trusted documents"},
		},
	} {
		var got reply
		if step.get != nil {
			got = getFrom(t, ts, step.get)
		} else {
			got = postTo(t, ts, step.body)
		}
		if diff := cmp.Diff(step.want, got); diff != "" {
			t.Errorf("%s (-want +got):\n%s", step.name, diff)
		}
	}
}

// TestLimitsHoldOnKnownDocuments asserts that a document which is known by its
// hash is still priced, with the variables of each request.
func TestLimitsHoldOnKnownDocuments(t *testing.T) {
	t.Parallel()
	db := demoDB(t)
	const dear = `query Dear($n: Int!) { regions { members(first: $n) { nodes { sections { members(first: $n) { nodes { displayName } } } } } } }`
	addTrusted(t, db, "web", map[string]string{"Dear": dear})
	for _, mode := range []graph.Accept{graph.AcceptAny, graph.AcceptTrusted} {
		h := graphOn(t, db, accept(mode))
		loadTrusted(t, h)
		p := params("", map[string]any{"n": json.Number("1")})
		p.DocumentID = "Dear"
		if a := decode(t, h.Execute(t.Context(), p).Body); len(a.Errors) > 0 {
			t.Errorf("%s: cheap: %+v", mode, a.Errors)
		}
		p.Variables = map[string]any{"n": json.Number("100")}
		if a := decode(t, h.Execute(t.Context(), p).Body); firstCode(a) != "COST_EXCEEDED" {
			t.Errorf("%s: dear: %+v", mode, a)
		}
		p.Variables = map[string]any{"n": json.Number("1"), "m": deep(20)}
		if a := decode(t, h.Execute(t.Context(), p).Body); firstCode(a) != graph.ValidationFailed {
			t.Errorf("%s: deep variables: %+v", mode, a)
		}
	}
}

func deep(n int) any {
	if n == 0 {
		return json.Number("1")
	}
	return []any{deep(n - 1)}
}

// TestKnownDocumentTakesNoStatement asserts that to find a document costs no
// statement, and that to know one by hash or id costs no more than by its text.
func TestKnownDocumentTakesNoStatement(t *testing.T) {
	t.Parallel()
	db := demoDB(t)
	addTrusted(t, db, "web", map[string]string{"Items": countItems})
	h := graphOn(t, db)
	loadTrusted(t, h)
	const typename = `query T { __typename }`
	addTrusted(t, db, "web", map[string]string{"T": typename})
	ask(t, h, typename, nil)
	for name, p := range map[string]server.Params{
		"text": {Query: typename},
		"hash": {Extensions: map[string]any{"persistedQuery": map[string]any{"version": json.Number("1"), "sha256Hash": sha(typename)}}},
		"id":   {DocumentID: "sha256:" + sha(typename)},
	} {
		p.Charge = params("", nil).Charge
		ctx, counter := pg.WithRecorder(t.Context())
		if a := decode(t, h.Execute(ctx, p).Body); at(a.Data, "__typename") != "Query" {
			t.Errorf("%s: %+v", name, a)
		}
		if counter.Statements() != 0 {
			t.Errorf("%s: statements %q, want none", name, counter.SQL())
		}
	}
	p := params("", map[string]any{"handle": "main"})
	p.DocumentID = "Items"
	ctx, counter := pg.WithRecorder(t.Context())
	h.Execute(ctx, p)
	if want := statements(t, h, countItems, map[string]any{"handle": "main"}); counter.Statements() != want {
		t.Errorf("a trusted document takes %d statements and its text %d", counter.Statements(), want)
	}
}

// TestDocumentsConcurrently asks, stores and replaces documents at once; the race
// detector is what it is for.
func TestDocumentsConcurrently(t *testing.T) {
	t.Parallel()
	db := demoDB(t)
	h := graphOn(t, db, func(c *graph.Config) { c.Documents = 20 })
	var wg sync.WaitGroup
	for g := range 4 {
		wg.Go(func() {
			for i := range 100 {
				text := fmt.Sprintf(`query Q%d { __typename }`, (g+i)%40)
				p := params(text, nil)
				if i%3 == 0 {
					p.Query = ""
				}
				p.Extensions = map[string]any{"persistedQuery": map[string]any{"version": json.Number("1"), "sha256Hash": sha(text)}}
				a := decode(t, h.Execute(t.Context(), p).Body)
				if code := firstCode(a); code != nil && code != graph.PersistedQueryNotFound {
					t.Errorf("%+v", a.Errors)
				}
			}
		})
	}
	for i := range 10 {
		addTrusted(t, db, "web", map[string]string{fmt.Sprintf("Id%d", i): fmt.Sprintf(`query Q%d { __typename }`, i)})
		loadTrusted(t, h)
	}
	wg.Wait()
	if got := h.DocumentStats().Trusted; got != 10 {
		t.Errorf("%d trusted documents, want 10", got)
	}
}
