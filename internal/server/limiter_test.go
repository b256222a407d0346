package server

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// clock is a time that a test sets.
type clock struct{ now time.Time }

func limiterAt(points int, window time.Duration) (*Limiter, *clock) {
	c := &clock{now: time.Date(2026, 3, 1, 12, 0, 10, 0, time.UTC)}
	l := NewLimiter(points, window)
	l.now = func() time.Time { return c.now }
	return l, c
}

func TestLimiter(t *testing.T) {
	t.Parallel()
	l, c := limiterAt(100, time.Minute)
	reset := time.Date(2026, 3, 1, 12, 1, 0, 0, time.UTC)
	take := func(client string, points int, want Allowance, wantOK bool) {
		t.Helper()
		got, ok := l.Take(client, points)
		if diff := cmp.Diff(want, got); diff != "" || ok != wantOK {
			t.Errorf("Take(%s, %d) = %v (-want +got):\n%s", client, points, ok, diff)
		}
	}
	take("a", 60, Allowance{100, 40, reset}, true)
	take("a", 41, Allowance{100, 40, reset}, false) // nothing was taken
	take("a", -5, Allowance{100, 40, reset}, true)  // nothing is given back
	take("b", 100, Allowance{100, 0, reset}, true)
	take("a", 40, Allowance{100, 0, reset}, true)
	take("a", 1, Allowance{100, 0, reset}, false)
	if _, exhausted := l.Exhausted("a"); !exhausted {
		t.Error("a isn't exhausted")
	}
	if _, exhausted := l.Exhausted("c"); exhausted {
		t.Error("c is exhausted and never came")
	}

	c.now = reset.Add(-time.Nanosecond)
	take("a", 1, Allowance{100, 0, reset}, false)
	c.now = reset
	take("a", 1, Allowance{100, 99, reset.Add(time.Minute)}, true)

	c.now = reset.Add(-time.Hour) // a clock that was set back doesn't lock anyone out for an hour
	a, ok := l.Take("a", 1)
	if !ok || a.ResetAt.Sub(c.now) > time.Minute {
		t.Errorf("after the clock was set back: %+v, %v", a, ok)
	}

	off, _ := limiterAt(0, 0)
	if a, ok := off.Take("a", 1<<40); !ok || a != (Allowance{}) {
		t.Errorf("off: %+v, %v", a, ok)
	}
	if _, exhausted := off.Exhausted("a"); exhausted {
		t.Error("off, but exhausted")
	}
}

// A flood of addresses neither fills the memory nor makes the limiter forget anyone, nor gives anyone more.
func TestLimiterIsBounded(t *testing.T) {
	t.Parallel()
	l, c := limiterAt(10, time.Minute)
	if _, ok := l.Take("early", 10); !ok {
		t.Fatal("the first one is refused")
	}
	for i := range 3 * maxClients {
		l.Take(fmt.Sprint("flood", i), 1)
	}
	if n := len(l.used); n > maxClients {
		t.Errorf("%d clients are remembered, want at most %d", n, maxClients)
	}
	if _, ok := l.Take("early", 1); ok {
		t.Error("the flood made the limiter forget a client")
	}
	granted := 0
	for range 100 {
		if _, ok := l.Take("late", 1); ok {
			granted++
		}
	}
	if granted > 10 {
		t.Errorf("a client in a shared bucket got %d points, want at most 10", granted)
	}
	c.now = c.now.Add(time.Minute)
	if _, ok := l.Take("late", 10); !ok || l.shared != nil || len(l.used) != 1 {
		t.Errorf("the next window isn't fresh: %d clients", len(l.used))
	}
}

func TestLimiterConcurrently(t *testing.T) {
	t.Parallel()
	l := NewLimiter(1000, time.Hour)
	var granted sync.Map
	var wg sync.WaitGroup
	for g := range 8 {
		wg.Go(func() {
			n := 0
			for range 500 {
				if _, ok := l.Take("one", 1); ok {
					n++
				}
			}
			granted.Store(g, n)
		})
	}
	wg.Wait()
	total := 0
	granted.Range(func(_, n any) bool { total += n.(int); return true })
	if a, _ := l.Take("one", 0); a.Remaining != 0 || total < 1000 || total > 2000 { // 2000 if an hour has just turned
		t.Errorf("granted %d points, %d remain", total, a.Remaining)
	}
}

// The allowance of a client over HTTP: what an operation costs is the graph's word, and what isn't one, or is refused, costs a point.
func TestRateLimit(t *testing.T) {
	t.Parallel()
	b := newBench(t, func(c *Config, _ *Deps) { c.RatePoints, c.RateWindow = 10, 24*time.Hour })
	from := func(addr string, r *http.Request) *httptest.ResponseRecorder {
		r.RemoteAddr = addr
		return b.do(r)
	}
	const me, other = "192.0.2.1:1000", "192.0.2.2:1000"
	if w := from(me, post(document("{ dear(points: 4) }"), "")); w.Body.String() != `{"data":{"dear":6}}` {
		t.Errorf("%s, want 6 remaining", w.Body)
	}
	w := from(me, post(document("{ dear(points: 7) }"), mediaJSON)) // more than is left: 5 left
	if w.Code != http.StatusTooManyRequests || w.Header().Get("Retry-After") == "" {
		t.Errorf("status %d, Retry-After %q", w.Code, w.Header().Get("Retry-After"))
	}
	from(me, post("nonsense", ""))              // 4 left
	from(me, post(document("{ nothing }"), "")) // 3 left
	from(me, post(document("{ boom }"), ""))    // 2 left
	if w := from(me, post(document("{ dear(points: 2) }"), "")); w.Body.String() != `{"data":{"dear":0}}` {
		t.Errorf("%s, want 0 remaining", w.Body)
	}
	before := b.graph.executed()
	w = from(me, post(document("{ hello }"), mediaGraphQL))
	res := decode(t, w.Body.Bytes())
	if w.Code != http.StatusTooManyRequests || len(res.Errors) != 1 || res.Errors[0].Extensions.Code != codeRateLimited {
		t.Errorf("status %d: %s", w.Code, w.Body)
	}
	if b.graph.executed() != before {
		t.Error("the graph was asked for a client without allowance")
	}
	if w := from("192.0.2.1:2000", post(document("{ hello }"), "")); w.Code != http.StatusTooManyRequests {
		t.Errorf("another port of the same client: status %d, want 429", w.Code)
	}
	r := post(document("{ hello }"), "")
	r.Header.Set("X-Forwarded-For", "198.51.100.7")
	if w := from(me, r); w.Code != http.StatusTooManyRequests {
		t.Errorf("a client that names another address: status %d, want 429", w.Code)
	}
	if w := from(other, post(document("{ hello }"), "")); w.Code != http.StatusOK {
		t.Errorf("another client: status %d", w.Code)
	}
}

func TestClientKey(t *testing.T) {
	t.Parallel()
	trusted := []netip.Prefix{netip.MustParsePrefix("10.0.0.0/8"), netip.MustParsePrefix("fd00::/8")}
	for _, tt := range []struct {
		peer      string
		forwarded []string
		want      string
	}{
		{"192.0.2.1:1234", nil, "192.0.2.1"},
		{"192.0.2.1:1234", []string{"198.51.100.7"}, "192.0.2.1"},
		{"[::ffff:192.0.2.1]:1234", nil, "192.0.2.1"},
		{"[2001:db8:1:2:3:4:5:6]:1234", nil, "2001:db8:1:2::/64"},
		{"[fe80::1%eth0]:1234", nil, "fe80::/64"},
		{"10.0.0.1:1234", nil, "10.0.0.1"},
		{"10.0.0.1:1234", []string{"198.51.100.7"}, "198.51.100.7"},
		{"10.0.0.1:1234", []string{"1.2.3.4, 198.51.100.7"}, "198.51.100.7"},
		{"10.0.0.1:1234", []string{"1.2.3.4, 198.51.100.7, 10.0.0.2"}, "198.51.100.7"},
		{"10.0.0.1:1234", []string{"1.2.3.4", "198.51.100.7", "10.0.0.2"}, "198.51.100.7"},
		{"10.0.0.1:1234", []string{"198.51.100.7:5555"}, "198.51.100.7"},
		{"[fd00::1]:1234", []string{"2001:db8::9"}, "2001:db8::/64"},
		{"10.0.0.1:1234", []string{"10.0.0.3"}, "10.0.0.3"},
		{"10.0.0.1:1234", []string{"1.2.3.4, nonsense, 10.0.0.2"}, "10.0.0.2"},
		{"10.0.0.1:1234", []string{"nonsense"}, "10.0.0.1"},
		{"@", nil, "unknown"},
	} {
		r := httptest.NewRequest(http.MethodGet, "/", nil)
		r.RemoteAddr = tt.peer
		r.Header["X-Forwarded-For"] = tt.forwarded
		if got := clientKey(r, trusted); got != tt.want {
			t.Errorf("%s for %q: %q, want %q", tt.peer, tt.forwarded, got, tt.want)
		}
	}
}
