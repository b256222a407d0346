package graph_test

import (
	"context"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/collegium/collegium/graph"
	"github.com/collegium/collegium/internal/server"
	"github.com/collegium/collegium/internal/viewer"
)

// asSite serves the graph to whoever signs in or has a key.
func asSite(t *testing.T, h *graph.Handler, change ...func(*server.Config)) site {
	t.Helper()
	cfg := server.Defaults()
	cfg.InsecureCookies = true
	for _, f := range change {
		f(&cfg)
	}
	srv, err := server.New(cfg, server.Deps{
		Execute: h.Execute, Recall: h.Recall, Identify: h.Identify, Photo: h.Photo, Schema: graph.SDL(),
		Ready: func(context.Context) error { return nil }, Log: slog.New(slog.DiscardHandler),
	})
	if err != nil {
		t.Fatal(err)
	}
	s := httptest.NewServer(srv)
	t.Cleanup(s.Close)
	return site{t, s.URL + "/graphql"}
}

var administrator = viewer.New(viewer.SignedIn | viewer.Administrator)

// changed runs a mutation that must change something, and returns its payload.
func changed(t *testing.T, h *graph.Handler, v viewer.Viewer, query string) map[string]any {
	t.Helper()
	a := asked(t, h, v, "mutation "+query)
	for _, payload := range a.Data {
		p, ok := payload.(map[string]any)
		if ok && len(list(p, "userErrors")) == 0 && len(a.Errors) == 0 {
			return p
		}
	}
	t.Fatalf("%s\n%+v", query, a)
	return nil
}

// aKey makes an application with a key, and returns the IDs of both and the secret.
func aKey(t *testing.T, h *graph.Handler, name, input string) (application, key, secret string) {
	t.Helper()
	p := changed(t, h, administrator, `{ createPartnerApplication(input: {name: "`+name+`", contactEmail: "it@example.org"}) { application { id } userErrors { message } } }`)
	application, _ = at(p, "application", "id").(string)
	p = changed(t, h, administrator, `{ createKey(input: {application: "`+application+`" `+input+`}) { secret key { id } userErrors { message } } }`)
	key, _ = at(p, "key", "id").(string)
	secret, _ = p["secret"].(string)
	return application, key, secret
}

// TestKeysInTheGraph makes, lists and revokes a key, and asks with it in between.
func TestKeysInTheGraph(t *testing.T) {
	t.Parallel()
	db := demoDB(t)
	mustExec(t, db, `DELETE FROM partner_applications`)
	h := graphOn(t, db)
	s := asSite(t, h)
	application, key, secret := aKey(t, h, "Website", `scopes: [DIRECTORY_READ, CONTENT_READ]`)

	const who = `{ viewer { account { id } application { name scopes } can } }`
	r := s.send(http.MethodPost, who, "Authorization", "Bearer "+secret)
	want := `{"data":{"viewer":{"account":null,"application":{"name":"Website","scopes":["CONTENT_READ","DIRECTORY_READ"]},` +
		`"can":["JOIN_AND_SIGN_IN","READ_MEMBERS_CONTENT","READ_DIRECTORY"]}}}`
	if r.body != want {
		t.Errorf("got  %s\nwant %s", r.body, want)
	}
	all := asked(t, h, administrator, `{ partnerApplications { id name suspendedAt keys { id prefix scopes keyStatus lastUsedAt unit { __typename } partner { name } trustedDocumentsOnly } } }`)
	k := at(all.Data, "partnerApplications", 0, "keys", 0)
	if at(k, "id") != key || at(k, "keyStatus") != "VALID" || at(k, "lastUsedAt") == nil || at(k, "partner", "name") != "Website" || at(k, "prefix") != secret[:10] {
		t.Errorf("the list: %+v", all)
	}
	nodes := `{ nodes(ids: ["` + application + `", "` + key + `"]) { id } }`
	if got := asked(t, h, administrator, nodes); at(got.Data, "nodes", 0, "id") != application || at(got.Data, "nodes", 1, "id") != key {
		t.Errorf("by ID: %+v", got)
	}
	if got := asked(t, h, viewer.New(viewer.SignedIn|viewer.Editor), nodes); at(got.Data, "nodes", 0) != nil || at(got.Data, "nodes", 1) != nil {
		t.Errorf("an editor sees %+v", got)
	}
	changed(t, h, administrator, `{ revokeKey(input: {id: "`+key+`"}) { key { keyStatus } userErrors { message } } }`)
	if r := s.send(http.MethodPost, who, "Authorization", "Bearer "+secret); r.status != http.StatusUnauthorized {
		t.Errorf("a revoked key: %d %s", r.status, r.body)
	}
	// A key is nobody's way to make keys.
	_, _, strong := aKey(t, h, "Other", `scopes: [CONTENT_READ, DIRECTORY_READ, MEMBERS_READ, STATISTICS_READ]`)
	r = s.send(http.MethodPost, `{ partnerApplications { id } }`, "Authorization", "Bearer "+strong)
	if !strings.Contains(r.body, `"code":"FORBIDDEN"`) {
		t.Errorf("with a key: %s", r.body)
	}
}

// TestBadKeysAreRefused: whoever sends a key is never answered as if there was none.
func TestBadKeysAreRefused(t *testing.T) {
	t.Parallel()
	db := demoDB(t)
	s := asSite(t, graphOn(t, db, keeping(t, db, always)))
	s.send(http.MethodGet, wholeMenu) // which keeps the answer
	for _, tt := range []struct {
		name      string
		headers   []string
		status    int
		challenge string
	}{
		{"unknown", []string{"Authorization", "Bearer clg_" + strings.Repeat("A", 43)}, 401, `Bearer realm="collegium", error="invalid_token"`},
		{"no key at all", []string{"Authorization", "bearer x"}, 401, `Bearer realm="collegium", error="invalid_token"`},
		{"nothing", []string{"Authorization", "Bearer "}, 401, `Bearer realm="collegium"`},
		{"another scheme", []string{"Authorization", "Basic YTpi"}, 401, `Bearer realm="collegium"`},
		{"too long", []string{"Authorization", "Bearer " + strings.Repeat("A", 5000)}, 401, `Bearer realm="collegium"`},
	} {
		for _, method := range []string{http.MethodGet, http.MethodPost} {
			r := s.send(method, wholeMenu, tt.headers...)
			if r.status != tt.status || r.header.Get("WWW-Authenticate") != tt.challenge || !strings.Contains(r.body, `"code":"UNAUTHENTICATED"`) ||
				r.header.Get("Cache-Control") != "private, no-store" || strings.Contains(r.body, "data") {
				t.Errorf("%s by %s: %d %v %s", tt.name, method, r.status, r.header, r.body)
			}
		}
	}
}

// TestAnswersToKeysAreNotPublic, neither those that are kept nor those that are made.
func TestAnswersToKeysAreNotPublic(t *testing.T) {
	t.Parallel()
	db := demoDB(t)
	h := graphOn(t, db, keeping(t, db, always))
	s := asSite(t, h)
	_, _, secret := aKey(t, h, "Website", `scopes: [CONTENT_READ]`)
	public := s.send(http.MethodGet, wholeMenu)
	for range 2 {
		r := s.send(http.MethodGet, wholeMenu, "Authorization", "Bearer "+secret)
		if r.header.Get("Cache-Control") != "private, no-store" || r.header.Get("ETag") != "" || r.header.Get("Cache-Status") != "" || r.body != public.body {
			t.Errorf("%v", r.header)
		}
	}
}

// TestTheKeyWins: with a key no cookie counts.
func TestTheKeyWins(t *testing.T) {
	t.Parallel()
	h := graphOn(t, demoDB(t))
	s := asSite(t, h)
	_, _, secret := aKey(t, h, "Website", `scopes: [CONTENT_READ]`)
	r := s.send(http.MethodPost, `{ viewer { application { name } } }`, "Authorization", "Bearer "+secret, "Cookie", "session="+strings.Repeat("A", 43))
	if r.body != `{"data":{"viewer":{"application":{"name":"Website"}}}}` || r.header.Get("Set-Cookie") != "" {
		t.Errorf("%v %s", r.header, r.body)
	}
}

// TestTrustedDocumentsOnly: such a key is answered nothing else, also not what others
// asked before.
func TestTrustedDocumentsOnly(t *testing.T) {
	t.Parallel()
	const own = `{ menu(handle: "main") { title } }`
	h := graphOn(t, demoDB(t), func(c *graph.Config) { c.Own = []string{own} })
	s := asSite(t, h)
	_, _, secret := aKey(t, h, "Website", `scopes: [CONTENT_READ], trustedDocumentsOnly: true`)
	with := []string{"Authorization", "Bearer " + secret}
	const other = `{ menu(handle: "main") { itemCount } }`
	if r := s.send(http.MethodPost, other); r.status != http.StatusOK {
		t.Fatalf("without a key: %s", r.body)
	}
	if r := s.send(http.MethodPost, other, with...); r.status != http.StatusForbidden || !strings.Contains(r.body, "FORBIDDEN") {
		t.Errorf("another document: %d %s", r.status, r.body)
	}
	if r := s.send(http.MethodPost, own, with...); r.status != http.StatusOK || !strings.Contains(r.body, `"title"`) {
		t.Errorf("a trusted document: %d %s", r.status, r.body)
	}
}

// TestALimitedKey: what can't be kept to a section or region, a key that is limited
// to one can't read.
func TestALimitedKey(t *testing.T) {
	t.Parallel()
	h := graphOn(t, demoDB(t))
	s := asSite(t, h)
	section, _ := at(data(t, h, `{ specialistSection(slug: "housing") { id } }`, nil), "specialistSection", "id").(string)
	_, key, secret := aKey(t, h, "Housing", `scopes: [DIRECTORY_READ, MEMBERS_READ, STATISTICS_READ], unit: "`+section+`"`)
	got := asked(t, h, administrator, `{ node(id: "`+key+`") { ... on ApplicationKey { unit { ... on SpecialistSection { slug } } } } }`)
	if diff := cmp.Diff(map[string]any{"slug": "housing"}, at(got.Data, "node", "unit")); diff != "" {
		t.Errorf("the limit (-want +got)\n%s", diff)
	}
	var can []string
	for _, r := range viewer.Rules {
		if r.ByUnit && r.Has&(viewer.KeyDirectory|viewer.KeyMembers|viewer.KeyStatistics) != 0 || r.Has&viewer.Anyone != 0 {
			can = append(can, `"`+string(r.Permission)+`"`)
		}
	}
	want := `{"data":{"viewer":{"can":[` + strings.Join(can, ",") + `]}}}`
	if r := s.send(http.MethodPost, `{ viewer { can } }`, "Authorization", "Bearer "+secret); r.body != want {
		t.Errorf("got %s, want %s", r.body, want)
	}
	want = `{"data":{"viewer":{"units":[{"unit":{"slug":"housing"},"can":["READ_DIRECTORY","READ_STATISTICS"]}]}}}`
	if r := s.send(http.MethodPost, `{ viewer { units { unit { ... on SpecialistSection { slug } } can } } }`, "Authorization", "Bearer "+secret); r.body != want {
		t.Errorf("got %s, want %s", r.body, want)
	}
	a := asked(t, h, administrator, `mutation { createKey(input: {application: "`+section+`", scopes: [CONTENT_READ]}) { userErrors { code field } } }`)
	if at(a.Data, "createKey", "userErrors", 0, "code") != "INVALID" {
		t.Errorf("a section as application: %+v", a)
	}
}
