package graph_test

import (
	"bytes"
	"context"
	"encoding/json"
	"log/slog"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/collegium/collegium/graph"
	"github.com/collegium/collegium/internal/pg"
	"github.com/collegium/collegium/internal/trusted"
)

const (
	forbidden     = "this server answers trusted documents only, and this is none; add it with the manifest of its client"
	titleOfMain   = `query Title { menu(handle: "main") { itemCount } }`
	titleOfMainID = "8b1a9953c4611296a827abf8c47804d7" // as the MD5 of Relay
)

// TestTrustedDocuments asks a server by every way to name a document, in each mode.
func TestTrustedDocuments(t *testing.T) {
	t.Parallel()
	db := demoDB(t)
	addTrusted(t, db, "web", map[string]string{
		sha(countItems): countItems,
		titleOfMainID:   titleOfMain,
		"Broken":        `query Broken { nothing }`,
	})
	quoted := func(text string) string {
		b, err := json.Marshal(text)
		if err != nil {
			t.Fatal(err)
		}
		return string(b)
	}
	vars := `"variables":{"handle":"main"}`
	ok := reply{Status: 200, Data: mainItems}
	no := reply{Status: 403, Code: "FORBIDDEN", Message: forbidden}
	noText := reply{
		Status: 403, Code: "FORBIDDEN",
		Message: `this server answers documents by their hash only; send it along, as extensions: {"persistedQuery": {"version": 1, "sha256Hash": "…"}}`,
	}
	notFound := reply{Status: 400, Code: "PERSISTED_QUERY_NOT_FOUND", Message: "PersistedQueryNotFound"}
	noID := reply{Status: 400, Code: "PERSISTED_QUERY_NOT_FOUND", Message: "no document with this documentId is known; send its text as query, or have it added to the trusted documents"}
	mismatch := reply{Status: 400, Code: "BAD_USER_INPUT", Message: "the hash isn't that of the query sent with it; send the SHA-256 of exactly this text, in UTF-8"}
	broken := reply{Status: 400, Code: "GRAPHQL_VALIDATION_FAILED", Message: `Cannot query field "nothing" on type "Query".`}
	const dangerous = `{{{{ this would not parse`
	for _, tt := range []struct {
		name              string
		body              string
		get               url.Values
		any, apq, trusted reply
	}{
		{name: "trusted by documentId", body: `{"documentId":"` + sha(countItems) + `",` + vars + `}`, any: ok, apq: ok, trusted: ok},
		{name: "trusted by prefixed documentId", body: `{"documentId":"sha256:` + sha(countItems) + `",` + vars + `}`, any: ok, apq: ok, trusted: ok},
		{name: "trusted by GET", get: url.Values{"documentId": {"sha256:" + sha(countItems)}, "variables": {`{"handle":"main"}`}}, any: ok, apq: ok, trusted: ok},
		{name: "trusted by hash", body: `{"extensions":` + persisted(sha(countItems)) + `,` + vars + `}`, any: ok, apq: ok, trusted: ok},
		{name: "trusted by hash, GET", get: url.Values{"extensions": {persisted(sha(countItems))}, "variables": {`{"handle":"main"}`}}, any: ok, apq: ok, trusted: ok},
		{name: "trusted by the id of Relay", body: `{"documentId":"` + titleOfMainID + `"}`, any: ok, apq: ok, trusted: ok},
		{name: "trusted by the id of Relay, as hash", body: `{"extensions":` + persisted(titleOfMainID) + `}`, any: ok, apq: ok, trusted: ok},
		{name: "trusted by the hash of its text", body: `{"documentId":"sha256:` + sha(titleOfMain) + `"}`, any: ok, apq: ok, trusted: ok},
		{name: "trusted by its text", body: `{"query":` + quoted(titleOfMain) + `}`, any: ok, apq: ok, trusted: ok},
		{name: "trusted by text and hash", body: `{"query":` + quoted(countItems) + `,"extensions":` + persisted(sha(countItems)) + `,` + vars + `}`, any: ok, apq: ok, trusted: ok},
		{name: "trusted id with another text", body: `{"query":` + quoted(countOnPage) + `,"extensions":` + persisted(titleOfMainID) + `}`, any: mismatch, apq: mismatch, trusted: mismatch},
		{name: "trusted hash with another text", body: `{"query":` + quoted(countOnPage) + `,"extensions":` + persisted(sha(countItems)) + `}`, any: mismatch, apq: mismatch, trusted: mismatch},
		{name: "trusted and invalid", body: `{"documentId":"Broken"}`, any: broken, apq: broken, trusted: broken},
		{name: "unknown id", body: `{"documentId":"Nope"}`, any: noID, apq: noID, trusted: no},
		{name: "unknown hash", body: `{"extensions":` + persisted(sha("{ x }")) + `}`, any: notFound, apq: notFound, trusted: no},
		{name: "text", body: `{"query":` + quoted(countOnPage) + `}`, any: ok, apq: noText, trusted: no},
		{name: "text by GET", get: url.Values{"query": {countOnPage}}, any: ok, apq: noText, trusted: no},
		{name: "almost a trusted text", body: `{"query":` + quoted(titleOfMain+" ") + `}`, any: ok, apq: noText, trusted: no},
		{name: "text with its hash", body: `{"query":` + quoted(countOnPage) + `,"extensions":` + persisted(sha(countOnPage)) + `}`, any: ok, apq: ok, trusted: no},
		{name: "hash after its text", body: `{"extensions":` + persisted(sha(countOnPage)) + `}`, any: ok, apq: ok, trusted: no},
		{
			name: "no GraphQL is not even parsed", body: `{"query":` + quoted(dangerous) + `}`,
			any: reply{Status: 400, Code: "GRAPHQL_PARSE_FAILED", Message: "*"}, apq: noText, trusted: no,
		},
	} {
		for mode, want := range map[graph.Accept]reply{graph.AcceptAny: tt.any, graph.AcceptHashed: tt.apq, graph.AcceptTrusted: tt.trusted} {
			if tt.name == "hash after its text" {
				continue // asked below, on a server that has seen the text
			}
			h := graphOn(t, db, accept(mode))
			loadTrusted(t, h)
			ts := overHTTP(t, h)
			ask := func() reply {
				if tt.get != nil {
					return getFrom(t, ts, tt.get)
				}
				return postTo(t, ts, tt.body)
			}
			got := ask()
			if want.Message == "*" {
				got.Message = "*"
			}
			if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("%s, %s (-want +got):\n%s", mode, tt.name, diff)
			}
			if mode == graph.AcceptTrusted && h.DocumentStats().Kept > 0 {
				t.Errorf("%s: a document was kept", tt.name)
			}
		}
	}
	for mode, want := range map[graph.Accept]reply{graph.AcceptAny: ok, graph.AcceptHashed: ok, graph.AcceptTrusted: no} {
		h := graphOn(t, db, accept(mode))
		ts := overHTTP(t, h)
		postTo(t, ts, `{"query":`+quoted(countOnPage)+`,"extensions":`+persisted(sha(countOnPage))+`}`)
		if diff := cmp.Diff(want, postTo(t, ts, `{"extensions":`+persisted(sha(countOnPage))+`}`)); diff != "" {
			t.Errorf("%s, hash after its text (-want +got):\n%s", mode, diff)
		}
	}
}

// lockedBuffer takes the log of several goroutines.
type lockedBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (l *lockedBuffer) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}

func (l *lockedBuffer) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.String()
}

// TestFollowTrusted changes the documents under a running server, and takes the
// database away from it.
func TestFollowTrusted(t *testing.T) {
	t.Parallel()
	db := demoDB(t)
	var logged lockedBuffer
	h := graphOn(t, db, accept(graph.AcceptTrusted), func(c *graph.Config) { c.Log = slog.New(slog.NewTextHandler(&logged, nil)) })
	loadTrusted(t, h)
	ctx, stop := context.WithCancel(t.Context())
	done := make(chan struct{})
	go func() { defer close(done); h.FollowTrusted(ctx, 10*time.Millisecond) }()
	code := func() any {
		p := params("", nil)
		p.DocumentID = "Title"
		return firstCode(decode(t, h.Execute(t.Context(), p).Body))
	}
	until := func(step string, want any) {
		t.Helper()
		for end := time.Now().Add(20 * time.Second); code() != want; time.Sleep(5 * time.Millisecond) {
			if time.Now().After(end) {
				t.Fatalf("%s: the code is %v, want %v", step, code(), want)
			}
		}
	}
	until("before", graph.Forbidden)
	addTrusted(t, db, "web", map[string]string{"Title": titleOfMain, "Broken": `{ nothing }`})
	until("added", nil)
	if s := h.DocumentStats(); s.Trusted != 2 || s.Refused != 1 {
		t.Errorf("%+v, want two documents, of which one is refused", s)
	}
	mustExec(t, db, `ALTER TABLE trusted_documents_revision RENAME TO away`)
	until("table away", nil)
	for end := time.Now().Add(20 * time.Second); !strings.Contains(logged.String(), "can't be read"); time.Sleep(5 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("nothing was logged:\n%s", &logged)
		}
	}
	until("table away for longer", nil)
	mustExec(t, db, `ALTER TABLE away RENAME TO trusted_documents_revision`)
	if _, _, err := (&trusted.Store{DB: db}).Remove(t.Context(), "web", []string{"Title"}); err != nil {
		t.Fatal(err)
	}
	until("removed", graph.Forbidden)
	stop()
	<-done
	for _, want := range []string{"can't be run on this schema", "id=Broken", "the last ones stay", "can be read again"} {
		if strings.Count(logged.String(), want) != 1 {
			t.Errorf("%q is logged %d times, want once:\n%s", want, strings.Count(logged.String(), want), &logged)
		}
	}
}

// TestLoadTrustedIsCheap asserts that nothing is read while nothing changed.
func TestLoadTrustedIsCheap(t *testing.T) {
	t.Parallel()
	db := demoDB(t)
	addTrusted(t, db, "web", map[string]string{"Title": titleOfMain})
	h := graphOn(t, db)
	for i, want := range []int{2, 1, 1} {
		ctx, counter := pg.WithRecorder(t.Context())
		if err := h.LoadTrusted(ctx); err != nil {
			t.Fatal(err)
		}
		if counter.Statements() != want {
			t.Errorf("call %d takes %q, want %d statements", i+1, counter.SQL(), want)
		}
	}
}

// TestChecker judges documents as they are judged before a deployment.
func TestChecker(t *testing.T) {
	t.Parallel()
	c, err := graph.NewChecker(graph.DefaultConfig().Limits)
	if err != nil {
		t.Fatal(err)
	}
	nested := `regions { members(first: 100) { nodes { sections { members(first: 100) { nodes { displayName } } } } } }`
	for text, want := range map[string]string{
		`query A { menus { handle } } query B { menus { title } }`: "",
		`{ menus { nothing } }`:         `Cannot query field "nothing" on type "Menu".`,
		`{ menus { handle }`:            "",
		`fragment F on Menu { handle }`: "the document holds no operation",
		`{ ` + nested + ` }`:            "the operation costs",
		`query($n: Int) { ` + strings.ReplaceAll(nested, "100", "$n") + ` }`: "",
		`{ menus ` + strings.Repeat("{ a ", 50) + strings.Repeat("}", 51):    "nest",
	} {
		list := c.Check(text)
		switch {
		case text == `{ menus { handle }`:
			if len(list) != 1 || list[0].Extensions["code"] != graph.ParseFailed {
				t.Errorf("%s: %v", text, list)
			}
		case want == "" && len(list) > 0, want != "" && (len(list) != 1 || !strings.Contains(list[0].Message, want)):
			t.Errorf("%s: %v, want %q", text, list, want)
		}
	}
	if diff := cmp.Diff([]string{"query A", "query"}, c.Operations(`query A { a } { b }`)); diff != "" {
		t.Errorf("operations (-want +got):\n%s", diff)
	}
}

// TestOwnDocuments asserts that the program may ask what it needs whatever is
// accepted, also after the trusted documents were read, and that a wrong document
// of its own is noticed at start.
func TestOwnDocuments(t *testing.T) {
	t.Parallel()
	db := demoDB(t)
	h := graphOn(t, db, accept(graph.AcceptTrusted), func(c *graph.Config) { c.Own = []string{titleOfMain} })
	for range 2 {
		if a := ask(t, h, titleOfMain, nil); len(a.Errors) > 0 {
			t.Errorf("%+v", a.Errors)
		}
		if a := ask(t, h, countOnPage, nil); firstCode(a) != graph.Forbidden {
			t.Errorf("%+v", a)
		}
		addTrusted(t, db, "web", map[string]string{"Items": countItems})
		loadTrusted(t, h)
	}
	c := graph.DefaultConfig()
	c.Own = []string{`{ nothing }`}
	if _, err := graph.NewHandler(db, c); err == nil || !strings.Contains(err.Error(), "nothing") {
		t.Errorf("error %v, want one that names the field", err)
	}
}
