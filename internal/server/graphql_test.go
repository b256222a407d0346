package server

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

func TestNegotiate(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		accept []string
		want   string // empty: none
	}{
		{nil, mediaJSON},
		{[]string{""}, mediaJSON},
		{[]string{"*/*"}, mediaJSON},
		{[]string{"application/*"}, mediaJSON},
		{[]string{mediaJSON}, mediaJSON},
		{[]string{mediaGraphQL}, mediaGraphQL},
		{[]string{"application/graphql-response+json; charset=utf-8, application/json; charset=utf-8"}, mediaGraphQL},
		{[]string{"application/graphql-response+json,application/json;q=0.9"}, mediaGraphQL},
		{[]string{"application/json;q=0.9,application/graphql-response+json"}, mediaGraphQL},
		{[]string{"application/json, application/graphql-response+json"}, mediaJSON},
		{[]string{"application/graphql-response+json;q=0.5, application/json;q=0.8"}, mediaJSON},
		{[]string{"application/graphql-response+json", "application/json;q=0.1"}, mediaGraphQL},
		{[]string{"APPLICATION/GraphQL-Response+JSON"}, mediaGraphQL},
		{[]string{"text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8"}, mediaJSON},
		{[]string{"application/graphql-response+json, */*;q=0.1"}, mediaGraphQL},
		{[]string{"*/*, application/json;q=0"}, mediaGraphQL},
		{[]string{"*/*, application/json;q=0.5"}, mediaGraphQL},
		{[]string{"application/json;charset=iso-8859-1, application/graphql-response+json"}, mediaGraphQL},
		{[]string{"nonsense/, application/json"}, mediaJSON},
		{[]string{"text/html"}, ""},
		{[]string{"text/event-stream"}, ""},
		{[]string{"application/json;q=0"}, ""},
		{[]string{"application/json;q=2"}, ""},
		{[]string{"application/json;charset=iso-8859-1"}, ""},
		{[]string{"*/*;q=0"}, ""},
	} {
		got, ok := negotiate(tt.accept)
		if !ok {
			got = ""
		}
		if got != tt.want {
			t.Errorf("negotiate(%q) = %q, want %q", tt.accept, got, tt.want)
		}
	}
}

func TestRequestRefused(t *testing.T) {
	t.Parallel()
	b := newBench(t, func(c *Config, _ *Deps) { c.MaxBodyBytes = 1000 })
	const secret = "s3cr3t"
	for _, tt := range []struct {
		name        string
		method      string
		target      string
		contentType string
		header      http.Header
		body        string
		status      int
		message     string // a part of it
	}{
		{name: "two documents", body: `{"query":"{hello}"}{"query":"{s3cr3t}"}`, status: 400, message: "at byte 19"},
		{name: "rest after the document", body: `{"query":"{hello}"} s3cr3t`, status: 400, message: "nothing after it"},
		{name: "syntax", body: `{"query": s3cr3t}`, status: 400, message: "at byte 11"},
		{name: "cut off", body: `{"query":"{hello}`, status: 400, message: "too early"},
		{name: "missing brace", body: `{"query":"{hello}"`, status: 400, message: "too early"},
		{name: "trailing comma", body: `{"query":"{hello}",}`, status: 400, message: "isn't valid JSON"},
		{name: "batch", body: `[{"query":"{hello}"}]`, status: 400, message: "batches"},
		{name: "a string", body: `"{hello}"`, status: 400, message: "isn't a JSON object"},
		{name: "null", body: `null`, status: 400, message: "isn't a JSON object"},
		{name: "blanks", body: " \n ", status: 400, message: "empty"},
		{name: "not UTF-8", body: "{\"query\":\"{hello(name:\\\"\xff\\\")}\"}", status: 400, message: "UTF-8"},
		{name: "byte order mark", body: "\ufeff{\"query\":\"{hello}\"}", status: 400, message: "isn't valid JSON"},
		{name: "query twice", body: `{"query":"{hello}","query":"{s3cr3t}"}`, status: 400, message: `"query" of the body stands there twice`},
		{name: "query null", body: `{"query":null}`, status: 400, message: `no member "query"`},
		{name: "query in other case", body: `{"Query":"{hello}"}`, status: 400, message: `no member "query"`},
		{name: "query a number", body: `{"query":1}`, status: 400, message: `"query" of the body must be a string, not a number`},
		{name: "variables an array", body: `{"query":"{hello}","variables":["s3cr3t"]}`, status: 400, message: `must be an object, not an array`},
		{name: "operationName a boolean", body: `{"query":"{hello}","operationName":true}`, status: 400, message: "must be a string, not a boolean"},
		{name: "too deep", body: `{"query":"{hello}","variables":` + strings.Repeat("[", 400) + `}`, status: 400, message: "isn't valid JSON"},
		{name: "documentId a number", body: `{"documentId":1}`, status: 400, message: `"documentId" of the body must be a string, not a number`},
		{name: "documentId twice", body: `{"documentId":"s3cr3t","documentId":"s3cr3t"}`, status: 400, message: `"documentId" of the body stands there twice`},
		{name: "documentId empty", body: `{"documentId":""}`, status: 400, message: `no member "query"`},
		{name: "no document but extensions", body: `{"extensions":{"persistedQuery":null}}`, status: 400, message: `no member "query"`},
		{name: "get with two ids", method: http.MethodGet, target: "?documentId=s3cr3t&documentId=s3cr3t", status: 400, message: "twice"},
		{name: "too long", body: `{"query":"` + strings.Repeat("s3cr3t ", 200) + `"}`, status: 413, message: "at most 1000 bytes"},
		{name: "form", contentType: "application/x-www-form-urlencoded", body: "query=s3cr3t", status: 415, message: "application/json"},
		{name: "multipart", contentType: "multipart/form-data; boundary=x", body: "--x--", status: 415, message: "application/json"},
		{name: "application/graphql", contentType: "application/graphql", body: "{s3cr3t}", status: 415, message: "application/json"},
		{name: "unreadable type", contentType: "application/json; charset", body: `{"query":"{hello}"}`, status: 415, message: "can't be read"},
		{name: "other charset", contentType: "application/json; charset=latin1", body: `{"query":"{hello}"}`, status: 415, message: "charset"},
		{name: "compressed", header: http.Header{"Content-Encoding": {"gzip"}}, body: "x", status: 415, message: "Content-Encoding"},
		{name: "put", method: http.MethodPut, body: `{"query":"{hello}"}`, status: 405, message: "GET, HEAD, POST"},
		{name: "delete", method: http.MethodDelete, status: 405, message: "GET, HEAD, POST"},
		{name: "not acceptable", header: http.Header{"Accept": {"text/event-stream"}}, body: `{"query":"{hello}"}`, status: 406, message: mediaGraphQL},
		{name: "get without query", method: http.MethodGet, status: 400, message: "/graphiql"},
		{name: "get with bad escape", method: http.MethodGet, target: "?query=%zz", status: 400, message: "malformed"},
		{name: "get with semicolon", method: http.MethodGet, target: "?query=a;b", status: 400, message: "malformed"},
		{name: "get with two queries", method: http.MethodGet, target: "?query={hello}&query={hello}", status: 400, message: "twice"},
		{name: "get not UTF-8", method: http.MethodGet, target: "?query=%ff", status: 400, message: "UTF-8"},
		{name: "get variables no JSON", method: http.MethodGet, target: "?query={hello}&variables=s3cr3t", status: 400, message: "isn't valid JSON"},
		{name: "get variables two documents", method: http.MethodGet, target: "?query={hello}&variables={}{}", status: 400, message: "isn't valid JSON"},
		{name: "get variables array", method: http.MethodGet, target: "?query={hello}&variables=[1]", status: 400, message: "must be a JSON object, not an array"},
		{name: "get too long", method: http.MethodGet, target: "?query=" + strings.Repeat("s3cr3t", 200), status: 414, message: "at most 1000 bytes"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			method := tt.method
			if method == "" {
				method = http.MethodPost
			}
			r := httptest.NewRequest(method, "/graphql"+strings.NewReplacer("{", "%7B", "}", "%7D").Replace(tt.target), strings.NewReader(tt.body))
			r.Header.Set("Accept", mediaGraphQL)
			r.Header.Set("Content-Type", "application/json")
			if tt.contentType != "" {
				r.Header.Set("Content-Type", tt.contentType)
			}
			for name, values := range tt.header {
				r.Header[name] = values
			}
			before := b.graph.executed()
			w := b.do(r)
			if w.Code != tt.status {
				t.Errorf("status %d, want %d", w.Code, tt.status)
			}
			if b.graph.executed() != before {
				t.Error("the operation was executed")
			}
			res := decode(t, w.Body.Bytes())
			if len(res.Errors) != 1 || !strings.Contains(res.Errors[0].Message, tt.message) {
				t.Errorf("errors %+v, want one with %q", res.Errors, tt.message)
			}
			if len(res.Errors) > 0 && res.Errors[0].Extensions.Code != codeBadInput {
				t.Errorf("code %q, want %q", res.Errors[0].Extensions.Code, codeBadInput)
			}
			if strings.Contains(w.Body.String(), secret) || strings.Contains(b.logs.String(), secret) {
				t.Error("what the client sent is repeated")
			}
			if w.Code == http.StatusMethodNotAllowed && w.Header().Get("Allow") != graphQLMethods {
				t.Errorf("Allow %q", w.Header().Get("Allow"))
			}
			if w.Code == http.StatusUnsupportedMediaType && w.Header().Get("Accept") != mediaJSON {
				t.Errorf("Accept %q, want what is supported", w.Header().Get("Accept"))
			}
			if got := w.Header().Get("Cache-Control"); got != "private, no-store" {
				t.Errorf("Cache-Control %q", got)
			}
		})
	}
}

// What a client sends reaches Execute as it was sent.
func TestParams(t *testing.T) {
	t.Parallel()
	b := newBench(t, nil)
	w := b.do(post(`{"ignored":[1,{}],"extensions":{"a":1},"variables":{"n":12345678901234567890,"s":"é\u0000🏃","o":{"x":[null,true,1.50]}},
		"operationName":"Q","query":"query Q { hello }"}`, mediaGraphQL))
	if w.Code != http.StatusOK {
		t.Fatalf("status %d: %s", w.Code, w.Body)
	}
	got := b.graph.last(t)
	if got.RequestID == "" || got.RequestID != w.Header().Get("X-Request-Id") {
		t.Errorf("request id %q, the answer says %q", got.RequestID, w.Header().Get("X-Request-Id"))
	}
	got.Charge, got.RequestID, got.Client = nil, "", ""
	want := Params{
		Query: "query Q { hello }", OperationName: "Q",
		Variables: map[string]any{
			"n": json.Number("12345678901234567890"), "s": "é\x00🏃",
			"o": map[string]any{"x": []any{nil, true, json.Number("1.50")}},
		},
		VariablesText: `{"n":12345678901234567890,"s":"é\u0000🏃","o":{"x":[null,true,1.50]}}`,
		Extensions:    map[string]any{"a": json.Number("1")},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("POST (-want +got):\n%s", diff)
	}

	params := url.Values{
		"query": {want.Query}, "operationName": {"Q"},
		"variables":  {`{"n":12345678901234567890,"s":"é\u0000🏃","o":{"x":[null,true,1.50]}}`},
		"extensions": {`{"a":1}`}, "utm_source": {"ignored"},
	}
	b.do(httptest.NewRequest(http.MethodGet, "/graphql?"+params.Encode(), nil))
	got = b.graph.last(t)
	got.Charge, got.RequestID, got.Client = nil, "", ""
	want.ReadOnly = true
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("GET (-want +got):\n%s", diff)
	}

	b.do(httptest.NewRequest(http.MethodGet, "/graphql?query=%7Bhello%7D&operationName=&variables=&extensions=null", nil))
	got = b.graph.last(t)
	got.Charge, got.RequestID, got.Client = nil, "", ""
	if diff := cmp.Diff(Params{Query: "{hello}", ReadOnly: true}, got); diff != "" {
		t.Errorf("GET with empty parameters (-want +got):\n%s", diff)
	}
}

// A request may name its document instead of carrying it. Execute knows whether there is one.
func TestNamedDocument(t *testing.T) {
	t.Parallel()
	b := newBench(t, nil)
	persisted := map[string]any{"persistedQuery": map[string]any{"version": json.Number("1"), "sha256Hash": "ab"}}
	for body, want := range map[string]Params{
		`{"documentId":"sha256:ab","operationName":"Q"}`:                    {DocumentID: "sha256:ab", OperationName: "Q"},
		`{"query":null,"documentId":"x"}`:                                   {DocumentID: "x"},
		`{"query":"{hello}","documentId":"x"}`:                              {Query: "{hello}", DocumentID: "x"},
		`{"extensions":{"persistedQuery":{"version":1,"sha256Hash":"ab"}}}`: {Extensions: persisted},
		`{"extensions":{"persistedQuery":1}}`:                               {Extensions: map[string]any{"persistedQuery": json.Number("1")}},
	} {
		b.do(post(body, mediaGraphQL))
		got := b.graph.last(t)
		got.Charge, got.RequestID, got.Client = nil, "", ""
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%s (-want +got):\n%s", body, diff)
		}
	}
	for target, want := range map[string]Params{
		"?documentId=sha256%3Aab": {DocumentID: "sha256:ab", ReadOnly: true},
		"?extensions=%7B%22persistedQuery%22%3A%7B%22version%22%3A1%2C%22sha256Hash%22%3A%22ab%22%7D%7D": {Extensions: persisted, ReadOnly: true},
	} {
		b.do(httptest.NewRequest(http.MethodGet, "/graphql"+target, nil))
		got := b.graph.last(t)
		got.Charge, got.RequestID, got.Client = nil, "", ""
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%s (-want +got):\n%s", target, diff)
		}
	}
}

// The body of Execute is written byte for byte, under every outcome, and is released afterwards.
func TestStatusOfOutcomes(t *testing.T) {
	t.Parallel()
	const odd = `{ "data":{"b":1 ,"a":"\u003c<"} }`
	for _, tt := range []struct {
		outcome       Outcome
		graphQL, json int
		header        string
		value         string
	}{
		{Executed, 200, 200, "Retry-After", ""},
		{Invalid, 400, 200, "Retry-After", ""},
		{NotByGet, 405, 405, "Allow", "POST"},
		{Unauthenticated, 401, 401, "Retry-After", ""},
		{Forbidden, 403, 403, "Retry-After", ""},
		{RateLimited, 429, 429, "Retry-After", "3"},
		{Unavailable, 503, 503, "Retry-After", "3"},
		{TimedOut, 504, 504, "Retry-After", ""},
		{Failed, 500, 500, "Retry-After", ""},
	} {
		t.Run(tt.outcome.String(), func(t *testing.T) {
			t.Parallel()
			for media, status := range map[string]int{mediaGraphQL: tt.graphQL, mediaJSON: tt.json} {
				released := 0
				b := newBench(t, func(_ *Config, d *Deps) {
					d.Execute = execute(Result{
						Body: []byte(odd), Outcome: tt.outcome, RetryAfter: 2100 * time.Millisecond, Release: func() { released++ },
					})
				})
				w := b.do(post(`{"query":"{hello}"}`, media))
				if w.Code != status {
					t.Errorf("%s: status %d, want %d", media, w.Code, status)
				}
				if w.Body.String() != odd {
					t.Errorf("%s: body %q, want it as it came", media, w.Body)
				}
				if got := w.Header().Get("Content-Type"); got != media+"; charset=utf-8" {
					t.Errorf("Content-Type %q", got)
				}
				if got := w.Header().Get(tt.header); got != tt.value {
					t.Errorf("%s: %s is %q, want %q", media, tt.header, got, tt.value)
				}
				if released != 1 {
					t.Errorf("%s: released %d times, want once", media, released)
				}
			}
		})
	}
}

func TestFieldErrorsAreSuccess(t *testing.T) {
	t.Parallel()
	b := newBench(t, nil)
	for _, media := range []string{mediaGraphQL, mediaJSON} {
		w := b.do(post(document("{ hello broken }"), media))
		res := decode(t, w.Body.Bytes())
		if w.Code != http.StatusOK || len(res.Errors) != 1 || len(res.Data) == 0 {
			t.Errorf("%s: status %d, %s", media, w.Code, w.Body)
		}
	}
}

func TestNoMutationByGet(t *testing.T) {
	t.Parallel()
	b := newBench(t, nil)
	for _, method := range []string{http.MethodGet, http.MethodHead} {
		for _, media := range []string{mediaGraphQL, mediaJSON} {
			// A form can send any of these types; by GET none of them matters.
			for _, contentType := range []string{"", "text/plain", "application/x-www-form-urlencoded", "multipart/form-data", "application/json"} {
				r := httptest.NewRequest(method, "/graphql?query="+url.QueryEscape("mutation { touch }"), strings.NewReader(`{"query":"mutation { touch }"}`))
				r.Header.Set("Accept", media)
				r.Header.Set("Content-Type", contentType)
				w := b.do(r)
				if w.Code != http.StatusMethodNotAllowed || w.Header().Get("Allow") != "POST" {
					t.Errorf("%s %s: status %d, Allow %q; want 405 and POST", method, contentType, w.Code, w.Header().Get("Allow"))
				}
			}
		}
	}
	if b.graph.touched != 0 {
		t.Error("the mutation ran")
	}
	if w := b.do(post(document("mutation { touch }"), "")); w.Code != http.StatusOK || b.graph.touched != 1 {
		t.Errorf("by POST: status %d, ran %d times", w.Code, b.graph.touched)
	}
}

func TestOptionsWithoutCORS(t *testing.T) {
	t.Parallel()
	b := newBench(t, nil)
	w := b.do(httptest.NewRequest(http.MethodOptions, "/graphql", nil))
	if w.Code != http.StatusNoContent || !strings.Contains(w.Header().Get("Allow"), "POST") {
		t.Errorf("status %d, Allow %q", w.Code, w.Header().Get("Allow"))
	}
}

// A body is refused by its declared length before it is sent, and by its real one where none is declared.
func TestBodyLimit(t *testing.T) {
	t.Parallel()
	b := newBench(t, nil)
	srv := httptest.NewServer(b)
	defer srv.Close()
	limit := Defaults().MaxBodyBytes
	fits := `{"query":"{hello}","extensions":{"x":"` + strings.Repeat("x", limit-len(`{"query":"{hello}","extensions":{"x":""}}`)) + `"}}`
	for _, tt := range []struct {
		name   string
		body   io.Reader
		status int
	}{
		{"at the limit", strings.NewReader(fits), 200},
		{"at the limit, chunked", io.MultiReader(strings.NewReader(fits)), 200},
		{"one more", strings.NewReader(fits + " "), 413},
		{"one more, chunked", io.MultiReader(strings.NewReader(fits + " ")), 413},
		{"much more, chunked", io.LimitReader(endless{}, 1<<30), 413},
	} {
		t.Run(tt.name, func(t *testing.T) {
			req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, srv.URL+"/graphql", tt.body)
			if err != nil {
				t.Fatal(err)
			}
			req.Header.Set("Content-Type", "application/json")
			res, err := srv.Client().Do(req)
			if err != nil {
				t.Fatal(err)
			}
			defer res.Body.Close()
			body, _ := io.ReadAll(res.Body)
			if res.StatusCode != tt.status {
				t.Errorf("status %d, want %d: %.200s", res.StatusCode, tt.status, body)
			}
		})
	}
}

// endless is a body that never ends.
type endless struct{}

func (endless) Read(p []byte) (int, error) {
	for i := range p {
		p[i] = ' '
	}
	return len(p), nil
}

func TestCompression(t *testing.T) {
	t.Parallel()
	b := newBench(t, nil)
	srv := httptest.NewServer(b)
	defer srv.Close()
	ask := func(length int, accept string) *http.Response {
		t.Helper()
		req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, srv.URL+"/graphql",
			strings.NewReader(document(fmt.Sprintf("{ long(length: %d) }", length))))
		if err != nil {
			t.Fatal(err)
		}
		req.Header.Set("Content-Type", "application/json")
		if accept != "" {
			req.Header.Set("Accept-Encoding", accept)
		}
		res, err := (&http.Transport{DisableCompression: true}).RoundTrip(req)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { res.Body.Close() })
		return res
	}
	for _, tt := range []struct {
		length int
		accept string
		want   string
	}{
		{5000, "gzip", "gzip"},
		{5000, "gzip, br", "gzip"},
		{5000, "", ""},
		{5000, "gzip;q=0", ""},
		{10, "gzip", ""},
	} {
		res := ask(tt.length, tt.accept)
		if got := res.Header.Get("Content-Encoding"); got != tt.want {
			t.Errorf("%d bytes, Accept-Encoding %q: Content-Encoding %q, want %q", tt.length, tt.accept, got, tt.want)
		}
		vary := strings.Join(res.Header.Values("Vary"), ", ")
		for _, name := range []string{"Accept", "Accept-Encoding"} {
			if !slices.Contains(strings.Split(vary, ", "), name) {
				t.Errorf("Vary %q lacks %s", vary, name)
			}
		}
		body, err := io.ReadAll(res.Body)
		if err != nil {
			t.Fatal(err)
		}
		if tt.want == "gzip" {
			body = unpack(t, body)
		}
		if want := fmt.Sprintf(`{"data":{"long":%q}}`, strings.Repeat("x", tt.length)); string(body) != want {
			t.Errorf("%d bytes, Accept-Encoding %q: the body isn't what Execute wrote: %.100q", tt.length, tt.accept, body)
		}
	}
}

func TestBuffersAreNotShared(t *testing.T) {
	t.Parallel()
	first, f := parseBody([]byte(`{"query":"{hello}","variables":{"a":"first"}}`))
	if f != nil {
		t.Fatal(f.message)
	}
	buf := []byte(`{"query":"{hello}","variables":{"a":"first"}}`)
	got, _ := parseBody(buf)
	copy(buf, bytes.Repeat([]byte("z"), len(buf)))
	if diff := cmp.Diff(first, got); diff != "" {
		t.Errorf("parameters changed with the buffer (-want +got):\n%s", diff)
	}
}

func FuzzParseBody(f *testing.F) {
	for _, seed := range []string{
		`{"query":"{hello}"}`, `{"query":"{hello}"}{}`, `{"query":1,"variables":[]}`, `{"variables":null,"query":""}`, "\xff", "[", `{"a":`,
	} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, body []byte) {
		p, refused := parseBody(body)
		var whole map[string]any
		err := json.Unmarshal(body, &whole)
		if refused == nil && err != nil {
			t.Errorf("accepted, but %v", err)
		}
		if refused == nil && whole["query"] != p.Query {
			t.Errorf("query %q, want %q", p.Query, whole["query"])
		}
	})
}
