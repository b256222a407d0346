package graph_test

import (
	"bufio"
	"context"
	"io"
	"log/slog"
	"net/http"
	"net/http/cookiejar"
	"net/http/httptest"
	"net/url"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/collegium/collegium/graph"
	"github.com/collegium/collegium/internal/identity"
	"github.com/collegium/collegium/internal/server"
)

// startProvider builds an OpenID provider, runs it as a process of its own, and
// returns its address.
func startProvider(t *testing.T) string {
	t.Helper()
	program := filepath.Join(t.TempDir(), "provider")
	if out, err := exec.CommandContext(t.Context(), "go", "build", "-o", program, "../internal/identity/testdata/provider").CombinedOutput(); err != nil {
		t.Fatalf("build the provider: %v\n%s", err, out)
	}
	p := exec.Command(program)
	stdin, err := p.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	stdout, err := p.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := p.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = stdin.Close() // which ends it
		_ = p.Wait()
	})
	address, err := bufio.NewReader(stdout).ReadString('\n')
	if err != nil {
		t.Fatal(err)
	}
	return strings.TrimSpace(address)
}

// visitor is a browser with cookies, which follows no redirection by itself.
type visitor struct {
	t    *testing.T
	http *http.Client
	home string
}

func newVisitor(t *testing.T, home string) *visitor {
	t.Helper()
	jar, err := cookiejar.New(nil)
	if err != nil {
		t.Fatal(err)
	}
	return &visitor{t, &http.Client{Jar: jar, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}, home}
}

// do sends a request and returns the status, where it leads, and the body.
func (v *visitor) do(method, address string, form url.Values) (int, string, string) {
	v.t.Helper()
	body, kind := io.Reader(nil), ""
	if form != nil {
		body, kind = strings.NewReader(form.Encode()), "application/x-www-form-urlencoded"
	}
	r, err := http.NewRequestWithContext(v.t.Context(), method, address, body)
	if err != nil {
		v.t.Fatal(err)
	}
	r.Header.Set("Content-Type", kind)
	resp, err := v.http.Do(r)
	if err != nil {
		v.t.Fatal(err)
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	if err != nil {
		v.t.Fatal(err)
	}
	return resp.StatusCode, resp.Header.Get("Location"), string(text)
}

// start goes to the provider, and returns the address of its form.
func (v *visitor) start(returnTo string) string {
	v.t.Helper()
	status, form, body := v.do(http.MethodGet, v.home+"/auth/oidc/start?return="+url.QueryEscape(returnTo), nil)
	if status != http.StatusSeeOther {
		v.t.Fatalf("start: %d %s", status, body)
	}
	if status, _, body := v.do(http.MethodGet, form, nil); status != http.StatusOK || !strings.Contains(body, "<form") {
		v.t.Fatalf("the form of the provider: %d %s", status, body)
	}
	return form
}

// submit fills the form in, and returns the address to which the provider sends back.
func (v *visitor) submit(form string, as url.Values) string {
	v.t.Helper()
	status, back, body := v.do(http.MethodPost, form, as)
	if status != http.StatusFound {
		v.t.Fatalf("the form: %d %s", status, body)
	}
	return back
}

// end follows it, and returns where the visitor ends, and as whom.
func (v *visitor) end(back string) (location, who string) {
	v.t.Helper()
	status, location, body := v.do(http.MethodGet, back, nil)
	if status != http.StatusSeeOther {
		v.t.Fatalf("the way back: %d %s", status, body)
	}
	_, _, who = v.do(http.MethodGet, v.home+"/graphql?query="+url.QueryEscape(`{ viewer { account { email } } }`), nil)
	return location, who
}

// TestSignInByAnotherService asks a provider in a process of its own.
func TestSignInByAnotherService(t *testing.T) {
	t.Parallel()
	db := demoDB(t)
	issuer := startProvider(t)
	provider := &identity.Provider{Issuer: issuer, ClientID: "collegium", ClientSecret: "a secret of tests"}
	h := graphOn(t, db)
	cfg := server.Defaults()
	cfg.InsecureCookies = true
	srv, err := server.New(cfg, server.Deps{
		Execute: h.Execute, Identify: h.Identify, External: h.External(provider), Schema: graph.SDL(),
		Ready: func(context.Context) error { return nil }, Log: slog.New(slog.DiscardHandler),
	})
	if err != nil {
		t.Fatal(err)
	}
	s := httptest.NewServer(srv)
	t.Cleanup(s.Close)
	provider.Callback = s.URL + "/auth/oidc/callback"
	person := func(subject, email string, more ...string) url.Values {
		as := url.Values{"subject": {subject}, "email": {email}, "verified": {"true"}}
		for i := 0; i < len(more); i += 2 {
			as.Set(more[i], more[i+1])
		}
		return as
	}
	const nobody = `{"data":{"viewer":{"account":null}}}`
	known := func(email string) string { return `{"data":{"viewer":{"account":{"email":"` + email + `"}}}}` }

	// One after another: the first links the account.
	for _, tt := range []struct {
		name          string
		as            url.Values
		location, who string
	}{
		{"an address that is not verified there", person("1", "member@example.org", "verified", "false"), "/me?signInError=NO_ACCOUNT", nobody},
		{"nobody's address", person("1", "nobody@example.org"), "/me?signInError=NO_ACCOUNT", nobody},
		{"an address that is verified", person("1", "Member@Example.org"), "/me", known("member@example.org")},
		{"the same person with another address", person("1", "changed@example.org", "verified", "false"), "/me", known("member@example.org")},
		{"another person with the address", person("2", "member@example.org"), "/me?signInError=NO_ACCOUNT", nobody},
		{"who said no", person("1", "", "wrong", "denied"), "/me?signInError=EXTERNAL", nobody},
		{"another nonce", person("1", "", "wrong", "nonce"), "/me?signInError=EXTERNAL", nobody},
		{"for another audience", person("1", "", "wrong", "audience"), "/me?signInError=EXTERNAL", nobody},
		{"of another issuer", person("1", "", "wrong", "issuer"), "/me?signInError=EXTERNAL", nobody},
		{"too late", person("1", "", "wrong", "expired"), "/me?signInError=EXTERNAL", nobody},
		{"another signature", person("1", "", "wrong", "signature"), "/me?signInError=EXTERNAL", nobody},
		{"no signature", person("1", "", "wrong", "unsigned"), "/me?signInError=EXTERNAL", nobody},
	} {
		v := newVisitor(t, s.URL)
		if location, who := v.end(v.submit(v.start("/me"), tt.as)); location != tt.location || who != tt.who {
			t.Errorf("%s: at %s as %s, want %s as %s", tt.name, location, who, tt.location, tt.who)
		}
	}
	t.Run("the answer of another browser", func(t *testing.T) {
		mine, other := newVisitor(t, s.URL), newVisitor(t, s.URL)
		back := mine.submit(mine.start("/me"), person("1", ""))
		if location, who := other.end(back); location != "/?signInError=EXTERNAL" || who != nobody {
			t.Errorf("without a cookie: at %s as %s", location, who)
		}
		other.start("/other")
		if location, who := other.end(back); location != "/other?signInError=EXTERNAL" || who != nobody {
			t.Errorf("with another state: at %s as %s", location, who)
		}
		if location, who := mine.end(back); location != "/me" || who == nobody {
			t.Errorf("in its own browser: at %s as %s", location, who)
		}
		if location, _ := mine.end(back); location != "/?signInError=EXTERNAL" {
			t.Errorf("a second time: at %s", location)
		}
	})
	t.Run("nobody is sent elsewhere", func(t *testing.T) {
		for _, path := range []string{
			"https://elsewhere.example/", "//elsewhere.example", `/\elsewhere.example`, `\\elsewhere.example`, "javascript:alert(1)", "/\t/elsewhere.example",
			"/%09/x\r\nLocation: https://elsewhere.example", "elsewhere.example", "", "///elsewhere.example", "http:elsewhere.example",
		} {
			v := newVisitor(t, s.URL)
			if location, _ := v.end(v.submit(v.start(path), person("1", ""))); location != "/" {
				t.Errorf("%q leads to %q", path, location)
			}
		}
		v := newVisitor(t, s.URL)
		if location, _ := v.end(v.submit(v.start("/me?tab=1&x=//y"), person("1", ""))); location != "/me?tab=1&x=//y" {
			t.Errorf("a path with a query leads to %q", location)
		}
	})
	t.Run("who is suspended", func(t *testing.T) {
		mustExec(t, db, `UPDATE accounts SET suspended_at = now() WHERE email = 'member@example.org'`)
		v := newVisitor(t, s.URL)
		if location, who := v.end(v.submit(v.start("/me"), person("1", ""))); location != "/me?signInError=SUSPENDED" || who != nobody {
			t.Errorf("at %s as %s", location, who)
		}
	})
}
