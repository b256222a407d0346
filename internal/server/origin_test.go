package server

import (
	"context"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
)

// Which pages may run an operation, and which may read its answer.
func TestCrossOrigin(t *testing.T) {
	t.Parallel()
	const (
		own    = "https://graph.example.org"
		friend = "https://www.example.org"
		other  = "https://evil.example.com"
	)
	allowed := func(origins ...string) func(*Config, *Deps) {
		return func(c *Config, _ *Deps) { c.AllowedOrigins = origins }
	}
	withCookies := func(c *Config, _ *Deps) { c.AllowedOrigins, c.AllowCredentials = []string{friend}, true }
	for _, tt := range []struct {
		name   string
		config func(*Config, *Deps)
		origin string
		site   string // Sec-Fetch-Site; empty: an old browser
		status int
		allow  string // Access-Control-Allow-Origin
	}{
		{"no browser", nil, "", "", 200, ""},
		{"own page", nil, own, "same-origin", 200, ""},
		{"own page, old browser", nil, own, "", 200, ""},
		{"typed in", nil, "", "none", 200, ""},
		{"other page, nothing allowed", nil, other, "cross-site", 403, ""},
		{"other page, old browser", nil, other, "", 403, ""},
		{"sandboxed page", nil, "null", "cross-site", 403, ""},
		{"other page of the same site", nil, friend, "same-site", 403, ""},
		{"allowed page", allowed(friend), friend, "same-site", 200, friend},
		{"allowed page, old browser", allowed(friend), friend, "", 200, friend},
		{"other page than the allowed", allowed(friend), other, "cross-site", 403, ""},
		{"allowed name, other scheme", allowed(friend), "http://www.example.org", "cross-site", 403, ""},
		{"allowed name as a prefix", allowed(friend), friend + ".evil.com", "cross-site", 403, ""},
		{"allowed page with cookies", withCookies, friend, "same-site", 200, friend},
		{"other page with cookies", withCookies, other, "cross-site", 403, ""},
		{"every page", allowed("*"), other, "cross-site", 200, "*"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			b := newBench(t, tt.config)
			request := func(r *http.Request) *http.Request {
				r.Host = "graph.example.org"
				if tt.origin != "" {
					r.Header.Set("Origin", tt.origin)
				}
				if tt.site != "" {
					r.Header.Set("Sec-Fetch-Site", tt.site)
				}
				return r
			}
			w := b.do(request(post(document("mutation { touch }"), "")))
			if w.Code != tt.status {
				t.Errorf("status %d, want %d: %s", w.Code, tt.status, w.Body)
			}
			if ran := b.graph.touched == 1; ran != (tt.status == 200) {
				t.Errorf("ran: %v", ran)
			}
			if tt.status == 403 {
				if res := decode(t, w.Body.Bytes()); len(res.Errors) != 1 || res.Errors[0].Extensions.Code != codeForbidden {
					t.Errorf("%s, want code %s", w.Body, codeForbidden)
				}
			}
			if got := w.Header().Get("Access-Control-Allow-Origin"); got != tt.allow {
				t.Errorf("Access-Control-Allow-Origin %q, want %q", got, tt.allow)
			}
			credentials := w.Header().Get("Access-Control-Allow-Credentials")
			if want := b.cfg.AllowCredentials && tt.allow != ""; (credentials == "true") != want {
				t.Errorf("Access-Control-Allow-Credentials %q, want it: %v", credentials, want)
			}
			if tt.allow == "*" && credentials != "" {
				t.Error("every origin with credentials")
			}
			if tt.allow == friend && !strings.Contains(strings.Join(w.Header().Values("Vary"), ","), "Origin") {
				t.Errorf("Vary %q lacks Origin", w.Header().Values("Vary"))
			}

			// What a form can send is no operation, whoever sends it.
			touched := b.graph.touched
			for _, contentType := range []string{"text/plain", "application/x-www-form-urlencoded", "multipart/form-data; boundary=x"} {
				r := request(post(document("mutation { touch }"), ""))
				r.Header.Set("Content-Type", contentType)
				if w := b.do(r); w.Code != http.StatusForbidden && w.Code != http.StatusUnsupportedMediaType {
					t.Errorf("a form as %s: status %d", contentType, w.Code)
				}
			}
			r := request(httptest.NewRequest(http.MethodGet, "/graphql?query=mutation%7Btouch%7D", nil))
			if w := b.do(r); w.Code != http.StatusMethodNotAllowed {
				t.Errorf("a link: status %d, want 405", w.Code)
			}
			if b.graph.touched != touched {
				t.Error("a form or a link ran a mutation")
			}

			// The browser asks first.
			r = request(httptest.NewRequest(http.MethodOptions, "/graphql", nil))
			if tt.origin == "" {
				return
			}
			r.Header.Set("Access-Control-Request-Method", "POST")
			r.Header.Set("Access-Control-Request-Headers", "content-type")
			w = b.do(r)
			if got := w.Header().Get("Access-Control-Allow-Origin"); got != tt.allow {
				t.Errorf("preflight: Access-Control-Allow-Origin %q, want %q", got, tt.allow)
			}
			if tt.allow != "" && (w.Code != http.StatusNoContent || w.Header().Get("Access-Control-Allow-Headers") != "content-type") {
				t.Errorf("preflight: %d %v", w.Code, w.Header())
			}
		})
	}
}

// TestPhotosOfOtherOrigins asks for a photo that only who is signed in sees, from pages of an
// allowed origin and of another one.
func TestPhotosOfOtherOrigins(t *testing.T) {
	t.Parallel()
	const friend, other = "https://www.example.org", "https://www.example.com"
	for _, tt := range []struct {
		name, origin, allow, policy string
		credentials                 bool
	}{
		{"no cookies", friend, friend, "same-origin", false},
		{"cookies", friend, friend, "same-site", true},
		{"another page", other, "", "same-site", true},
		{"another page, no cookies", other, "", "same-origin", false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			b := newBench(t, func(c *Config, d *Deps) {
				c.AllowedOrigins, c.AllowCredentials = []string{friend}, tt.credentials
				d.Photo = func(context.Context, string) (*Photo, error) { return &Photo{JPEG: []byte("photo")}, nil }
			})
			r := httptest.NewRequest(http.MethodGet, "/media/photos/x.jpg", nil)
			r.Header.Set("Origin", tt.origin)
			w := b.do(r)
			if got := w.Header().Get("Access-Control-Allow-Origin"); w.Code != http.StatusOK || got != tt.allow {
				t.Errorf("status %d, Access-Control-Allow-Origin %q, want %q", w.Code, got, tt.allow)
			}
			if got := w.Header().Get("Cross-Origin-Resource-Policy"); got != tt.policy {
				t.Errorf("Cross-Origin-Resource-Policy %q, want %q", got, tt.policy)
			}
		})
	}
}

func TestConfigErrors(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		change func(*Config)
		want   string
	}{
		{func(c *Config) { c.AllowedOrigins, c.AllowCredentials = []string{"*"}, true }, `"*" can't be combined with credentials`},
		{func(c *Config) { c.AllowedOrigins = []string{"*", "https://a.example"} }, "must stand alone"},
		{func(c *Config) { c.AllowCredentials = true }, "no origin is"},
		{func(c *Config) { c.AllowedOrigins = []string{"www.example.org"} }, "https://www.example.org"},
		{func(c *Config) { c.AllowedOrigins = []string{"https://www.example.org/"} }, "nothing after them"},
		{func(c *Config) { c.AllowedOrigins = []string{"https://WWW.example.org"} }, "lower case"},
		{func(c *Config) { c.AllowedOrigins = []string{"https://*.example.org"} }, "wildcard"},
		{func(c *Config) { c.AllowedOrigins = []string{"https://www.example.org:443"} }, "leave out :443"},
		{func(c *Config) { c.AllowedOrigins = []string{"null"} }, "is no origin"},
		{func(c *Config) { c.RequestIDHeader = "x-id" }, `write it as "X-Id"`},
		{func(c *Config) { c.MaxBodyBytes = 0 }, "max body bytes: 0 is too small"},
		{func(c *Config) { c.MaxInFlight = -1 }, "max in flight: -1"},
		{func(c *Config) { c.RatePoints = -1 }, "rate points: -1"},
		{func(c *Config) { c.RateWindow = 0 }, "rate window: 0"},
		{func(c *Config) { c.OperationTimeout = 0 }, "operation timeout: 0 would wait for ever"},
		{func(c *Config) { c.ReadTimeout = -1 }, "read timeout: -1ns is negative"},
		{func(c *Config) { c.WriteTimeout = 15 * 1e9 }, "write timeout: 15s leaves no time"},
	} {
		cfg := Defaults()
		tt.change(&cfg)
		_, err := New(cfg, Deps{})
		if err == nil || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("error %v, want one with %q", err, tt.want)
		}
	}
	off := Defaults()
	off.RatePoints, off.RateWindow, off.MaxInFlight, off.QueueTimeout, off.DrainTimeout = 0, 0, 0, 0, 0
	off.AllowedOrigins, off.AllowCredentials = []string{"http://localhost:5173", "https://[::1]:8443"}, true
	if err := off.Validate(); err != nil {
		t.Errorf("limits off: %v", err)
	}
	if _, err := New(Defaults(), Deps{}); err == nil {
		t.Error("a server without its parts was made")
	}
}
