package graph_test

import (
	"context"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/klauspost/compress/gzip"

	"github.com/collegium/collegium/graph"
	"github.com/collegium/collegium/internal/server"
)

// site is the graph on a real server.
type site struct {
	t   *testing.T
	url string
}

func newSite(t *testing.T, h *graph.Handler, change ...func(*server.Config)) site {
	t.Helper()
	cfg := server.Defaults()
	for _, f := range change {
		f(&cfg)
	}
	srv, err := server.New(cfg, server.Deps{
		Execute: h.Execute, Recall: h.Recall, Schema: graph.SDL(), Ready: func(context.Context) error { return nil },
		Log: slog.New(slog.DiscardHandler),
	})
	if err != nil {
		t.Fatal(err)
	}
	s := httptest.NewServer(srv)
	t.Cleanup(s.Close)
	return site{t, s.URL + "/graphql"}
}

// httpAnswer is what came back.
type httpAnswer struct {
	status int
	header http.Header
	body   string
}

func (s site) send(method, query string, headers ...string) httpAnswer {
	s.t.Helper()
	return s.sendWith(method, query, "", headers...)
}

// sendWith is send with variables, as JSON; "" is none.
func (s site) sendWith(method, query, variables string, headers ...string) httpAnswer {
	s.t.Helper()
	address, body := s.url, io.Reader(nil)
	if method == http.MethodPost {
		if variables != "" {
			variables = `,"variables":` + variables
		}
		body = strings.NewReader(`{"query":` + quoted(query) + variables + `}`)
	} else {
		address += "?query=" + url.QueryEscape(query)
		if variables != "" {
			address += "&variables=" + url.QueryEscape(variables)
		}
	}
	r, err := http.NewRequestWithContext(s.t.Context(), method, address, body)
	if err != nil {
		s.t.Fatal(err)
	}
	r.Header.Set("Content-Type", "application/json")
	r.Header.Set("Accept-Encoding", "identity")
	for i := 0; i < len(headers); i += 2 {
		r.Header.Set(headers[i], headers[i+1])
	}
	resp, err := http.DefaultTransport.RoundTrip(r)
	if err != nil {
		s.t.Fatal(err)
	}
	defer resp.Body.Close()
	content := io.Reader(resp.Body)
	if resp.Header.Get("Content-Encoding") == "gzip" && method != http.MethodHead && resp.StatusCode == http.StatusOK {
		if content, err = gzip.NewReader(resp.Body); err != nil {
			s.t.Fatal(err)
		}
	}
	b, err := io.ReadAll(content)
	if err != nil {
		s.t.Fatal(err)
	}
	return httpAnswer{resp.StatusCode, resp.Header, string(b)}
}

// post sends a body as it is.
func (s site) post(body string, headers ...string) httpAnswer {
	s.t.Helper()
	r, err := http.NewRequestWithContext(s.t.Context(), http.MethodPost, s.url, strings.NewReader(body))
	if err != nil {
		s.t.Fatal(err)
	}
	r.Header.Set("Content-Type", "application/json")
	for i := 0; i < len(headers); i += 2 {
		r.Header.Set(headers[i], headers[i+1])
	}
	resp, err := http.DefaultTransport.RoundTrip(r)
	if err != nil {
		s.t.Fatal(err)
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	if err != nil {
		s.t.Fatal(err)
	}
	return httpAnswer{resp.StatusCode, resp.Header, string(b)}
}

func quoted(s string) string {
	return `"` + strings.NewReplacer(`\`, `\\`, `"`, `\"`, "\n", `\n`, "\t", `\t`).Replace(s) + `"`
}

const wholeMenu = `{ menu(handle: "main") { title items { label href depth } } }`

// TestPublicAnswersByHTTP says what HTTP says of an answer that anyone gets.
func TestPublicAnswersByHTTP(t *testing.T) {
	t.Parallel()
	db := demoDB(t)
	s := newSite(t, graphOn(t, db, keeping(t, db, always)))
	for _, method := range []string{http.MethodGet, http.MethodPost} {
		for _, status := range []string{"collegium; fwd=miss", "collegium; hit"} {
			if method == http.MethodPost {
				status = "collegium; hit" // of what GET has asked
			}
			r := s.send(method, wholeMenu)
			want := map[string]string{
				"Cache-Control": "public, max-age=5, stale-while-revalidate=60", "Cache-Status": status,
				"Content-Type": "application/json; charset=utf-8", "Content-Encoding": "",
				"Surrogate-Key":          "entries menu_items menus routes",
				"Vary":                   "Accept, Accept-Encoding, Authorization, Cookie",
				"X-Content-Type-Options": "nosniff", "X-Request-Id": "",
			}
			got := map[string]string{}
			for name := range want {
				got[name] = strings.Join(r.header.Values(name), ", ")
			}
			if diff := cmp.Diff(want, got); diff != "" || r.status != http.StatusOK {
				t.Errorf("%s: status %d (-want +got)\n%s", method, r.status, diff)
			}
			if tag := r.header.Get("ETag"); len(tag) < 20 || tag[0] != '"' || tag[len(tag)-1] != '"' {
				t.Errorf("%s: ETag %s", method, tag)
			}
			if !strings.HasPrefix(r.body, `{"data":{"menu":`) {
				t.Errorf("%s: %v %.100s", method, r.header, r.body)
			}
		}
	}
	head, get := s.send(http.MethodHead, wholeMenu), s.send(http.MethodGet, wholeMenu)
	for _, name := range []string{"ETag", "Content-Length", "Content-Type", "Cache-Control"} {
		if head.header.Get(name) != get.header.Get(name) || head.header.Get(name) == "" {
			t.Errorf("HEAD has %s %q, GET %q", name, head.header.Get(name), get.header.Get(name))
		}
	}
	if head.status != http.StatusOK || head.body != "" {
		t.Errorf("HEAD: %d %q", head.status, head.body)
	}
}

// TestForms asks for an answer in each media type and encoding: the tags differ, and
// what is in them is the same.
func TestForms(t *testing.T) {
	t.Parallel()
	db := demoDB(t)
	s := newSite(t, graphOn(t, db, keeping(t, db, always)))
	forms := [][]string{
		{"Accept", "application/json"},
		{"Accept", "application/graphql-response+json"},
		{"Accept", "application/json", "Accept-Encoding", "gzip, deflate, br"},
		{"Accept", "application/graphql-response+json", "Accept-Encoding", "br;q=1.0, gzip;q=0.8"},
	}
	tags := map[string]int{}
	body := s.send(http.MethodGet, wholeMenu).body
	for i, form := range forms {
		r := s.send(http.MethodGet, wholeMenu, form...)
		packed := len(form) > 2
		if r.body != body || !strings.HasPrefix(r.header.Get("Content-Type"), form[1]) || (r.header.Get("Content-Encoding") == "gzip") != packed {
			t.Errorf("%v: %v", form, r.header)
		}
		tag := r.header.Get("ETag")
		if other, twice := tags[tag]; twice {
			t.Errorf("%v and %v have the same ETag", forms[other], form)
		}
		tags[tag] = i
	}
	for tag, of := range tags {
		for i, form := range forms {
			want := http.StatusOK
			if i == of {
				want = http.StatusNotModified
			}
			if r := s.send(http.MethodGet, wholeMenu, append(form, "If-None-Match", tag)...); r.status != want {
				t.Errorf("%v with the tag of %v: status %d, want %d", form, forms[of], r.status, want)
			}
		}
	}
	if r := s.send(http.MethodGet, `{ menu(handle: "main") { title } }`, "Accept-Encoding", "gzip"); r.header.Get("Content-Encoding") != "" {
		t.Error("a short answer is compressed")
	}
	for _, refused := range []string{"gzip;q=0", "br", "identity"} {
		if r := s.send(http.MethodGet, wholeMenu, "Accept-Encoding", refused); r.header.Get("Content-Encoding") != "" || r.body != body {
			t.Errorf("under Accept-Encoding %s the answer is encoded", refused)
		}
	}
}

// TestNotModified asks with the tags that a client has.
func TestNotModified(t *testing.T) {
	t.Parallel()
	db := demoDB(t)
	s := newSite(t, graphOn(t, db, keeping(t, db, always)))
	first := s.send(http.MethodGet, wholeMenu)
	tag := first.header.Get("ETag")
	for _, tt := range []struct {
		method, header string
		want           int
	}{
		{http.MethodGet, tag, 304},
		{http.MethodHead, tag, 304},
		{http.MethodGet, "W/" + tag, 304},
		{http.MethodGet, `"x", ` + tag, 304},
		{http.MethodGet, `"x","y" ,` + tag + `,"z"`, 304},
		{http.MethodGet, `W/"x", W/` + tag, 304},
		{http.MethodGet, `"a,b", ` + tag, 304},
		{http.MethodGet, "*", 304},
		{http.MethodGet, `"x"`, 200},
		{http.MethodGet, strings.Trim(tag, `"`), 200},
		{http.MethodGet, tag[:len(tag)-2] + `"`, 200},
		{http.MethodGet, `"`, 200},
		{http.MethodGet, `W/`, 200},
		{http.MethodGet, ``, 200},
		{http.MethodPost, tag, 200},
		{http.MethodPost, "*", 200},
	} {
		r := s.send(tt.method, wholeMenu, "If-None-Match", tt.header)
		if r.status != tt.want {
			t.Errorf("%s with If-None-Match %s: status %d, want %d", tt.method, tt.header, r.status, tt.want)
		}
		if tt.want != http.StatusNotModified {
			continue
		}
		for _, name := range []string{"ETag", "Cache-Control", "Vary", "Surrogate-Key"} {
			if got := r.header.Get(name); got != first.header.Get(name) {
				t.Errorf("%s with If-None-Match %s: %s %q, want %q", tt.method, tt.header, name, got, first.header.Get(name))
			}
		}
		if r.body != "" || r.header.Get("Content-Length") != "" {
			t.Errorf("%s with If-None-Match %s: %v %q", tt.method, tt.header, r.header, r.body)
		}
	}
	mustExec(t, db, `UPDATE menus SET title = 'Another title' WHERE handle = 'main'`)
	if r := s.send(http.MethodGet, wholeMenu, "If-None-Match", tag); r.status != http.StatusOK || r.header.Get("ETag") == tag || !strings.Contains(r.body, "Another title") {
		t.Errorf("after a write: status %d, ETag %s, %.100s", r.status, r.header.Get("ETag"), r.body)
	}
}

// TestPrivateAnswersByHTTP asks what nobody may keep.
func TestPrivateAnswersByHTTP(t *testing.T) {
	t.Parallel()
	db := demoDB(t)
	s := newSite(t, graphOn(t, db, keeping(t, db, always)))
	off := newSite(t, graphOn(t, db))
	for _, tt := range []struct {
		name, query string
		site        site
	}{
		{"a private field", `{ menu(handle: "main") { title } rateLimit { remaining } }`, s},
		{"an error", `{ member(id: "nonsense") { id } menu(handle: "main") { title } }`, s},
		{"a refusal", `{ nothing }`, s},
		{"no query at all", ``, s},
		{"answers are not kept", wholeMenu, off},
	} {
		for _, method := range []string{http.MethodGet, http.MethodPost, http.MethodGet} {
			r := tt.site.send(method, tt.query, "If-None-Match", "*")
			if got := r.header.Get("Cache-Control"); got != "private, no-store" || r.status == http.StatusNotModified {
				t.Errorf("%s by %s: status %d, Cache-Control %q", tt.name, method, r.status, got)
			}
			if r.header.Get("X-Request-Id") == "" || r.header.Get("Content-Security-Policy") == "" {
				t.Errorf("%s by %s: %v", tt.name, method, r.header)
			}
			for _, name := range []string{"ETag", "Surrogate-Key", "Cache-Status"} {
				if got := r.header.Get(name); got != "" {
					t.Errorf("%s by %s: %s %q", tt.name, method, name, got)
				}
			}
		}
	}
}

// TestPublicAnswersToOtherOrigins asks as a page of an allowed origin does.
func TestPublicAnswersToOtherOrigins(t *testing.T) {
	t.Parallel()
	db := demoDB(t)
	const friend = "https://www.example.org"
	s := newSite(t, graphOn(t, db, keeping(t, db, always)), func(c *server.Config) { c.AllowedOrigins = []string{friend} })
	for _, origin := range []string{friend, "https://elsewhere.example", friend} {
		r := s.send(http.MethodGet, wholeMenu, "Origin", origin)
		allowed := ""
		if origin == friend {
			allowed = friend
		}
		if got := r.header.Get("Access-Control-Allow-Origin"); got != allowed || r.header.Get("ETag") == "" {
			t.Errorf("%s: %v", origin, r.header)
		}
		vary := strings.Join(r.header.Values("Vary"), ", ")
		for _, name := range []string{"Origin", "Accept", "Accept-Encoding", "Authorization", "Cookie"} {
			if !slices.Contains(strings.Split(vary, ", "), name) {
				t.Errorf("%s: Vary %s lacks %s", origin, vary, name)
			}
		}
		if r := s.send(http.MethodGet, wholeMenu, "Origin", origin, "If-None-Match", r.header.Get("ETag")); r.status != http.StatusNotModified ||
			r.header.Get("Access-Control-Allow-Origin") != allowed {
			t.Errorf("%s: status %d, %v", origin, r.status, r.header)
		}
	}
}

// TestKeptAnswersCostTheSame asks the same until the allowance is used up.
func TestKeptAnswersCostTheSame(t *testing.T) {
	t.Parallel()
	db := demoDB(t)
	s := newSite(t, graphOn(t, db, keeping(t, db, always)), func(c *server.Config) { c.RatePoints = 950 })
	for i, want := range []int{200, 200, 200, 429} { // 313 points each
		if r := s.send(http.MethodPost, `{ menu(handle: "main") { items { label } } }`); r.status != want {
			t.Errorf("request %d: status %d, want %d", i+1, r.status, want)
		}
	}
}

// TestLargeAnswersAreTaggedToo asks what is too large to be kept.
func TestLargeAnswersAreTaggedToo(t *testing.T) {
	t.Parallel()
	db := demoDB(t)
	s := newSite(t, graphOn(t, db, keeping(t, db, always), func(c *graph.Config) { c.AnswerMemory = 10_000 }))
	first, again := s.send(http.MethodGet, wholeMenu), s.send(http.MethodGet, wholeMenu)
	if tag := first.header.Get("ETag"); tag == "" || tag != again.header.Get("ETag") || again.header.Get("Cache-Status") != "collegium; fwd=miss" {
		t.Errorf("%v, and again %v", first.header, again.header)
	}
	if r := s.send(http.MethodGet, wholeMenu, "If-None-Match", first.header.Get("ETag")); r.status != http.StatusNotModified {
		t.Errorf("status %d, want 304", r.status)
	}
}

// TestCookbookHTTP sends the requests that the cookbook shows as HTTP, and wants of
// each answer the lines that stand there.
func TestCookbookHTTP(t *testing.T) {
	t.Parallel()
	db := demoDB(t)
	s := newSite(t, graphOn(t, db, keeping(t, db, always)))
	blocks := regexp.MustCompile("(?ms)^```http\n(.*?)^```$").FindAllStringSubmatch(mustRead(t, cookbook), -1)
	if len(blocks) < 3 {
		t.Fatalf("the cookbook shows %d requests as HTTP, want 3 at least", len(blocks))
	}
	for _, b := range blocks {
		sent, want, _ := strings.Cut(b[1], "\n< ")
		lines := strings.Split(strings.ReplaceAll(sent, "> ", ""), "\n")
		method, rest, _ := strings.Cut(lines[0], " ")
		r, err := http.NewRequestWithContext(t.Context(), method, strings.TrimSuffix(s.url, "/graphql")+rest, nil)
		if err != nil {
			t.Fatal(err)
		}
		for _, line := range lines[1:] {
			name, value, _ := strings.Cut(line, ": ")
			r.Header.Set(name, value)
		}
		resp, err := http.DefaultTransport.RoundTrip(r)
		if err != nil {
			t.Fatal(err)
		}
		resp.Body.Close()
		var got []string
		for i, line := range strings.Split(strings.TrimSpace(want), "\n") {
			name, _, _ := strings.Cut(strings.TrimPrefix(line, "< "), ":")
			if i == 0 {
				got = append(got, resp.Proto+" "+resp.Status)
			} else {
				got = append(got, "< "+name+": "+strings.Join(resp.Header.Values(name), ", "))
			}
		}
		if diff := cmp.Diff(strings.TrimSpace(want), strings.Join(got, "\n")); diff != "" {
			t.Errorf("%s (-cookbook +answer)\n%s", sent, diff)
		}
	}
}
