package graph_test

import (
	"flag"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"net/http"
	"net/netip"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/pquerna/otp/totp"
	"github.com/riverqueue/river"

	"github.com/collegium/collegium/graph"
	"github.com/collegium/collegium/internal/identity"
	"github.com/collegium/collegium/internal/pg"
	"github.com/collegium/collegium/internal/server"
)

var samples = flag.Int("samples", 200, "how many sign-ins, joins and resets each are timed; from 2000 on their times must not tell accounts apart (AUC at most 0.55)")

func totpCode(t *testing.T, secret string, at time.Time) string {
	t.Helper()
	c, err := totp.GenerateCode(secret, at)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// withQueue lets accounts be applied for. Nothing runs the jobs.
func withQueue(t *testing.T, db *pgxpool.Pool) func(*graph.Config) {
	return func(c *graph.Config) {
		workers := river.NewWorkers()
		river.AddWorker(workers, &identity.MailWorker{})
		jobs, err := pg.OpenQueue(db, workers, slog.New(slog.DiscardHandler))
		if err != nil {
			t.Fatal(err)
		}
		c.Accounts.Jobs = jobs
	}
}

// behindProxy lets each request of a test come from a network of its own.
func behindProxy(c *server.Config) {
	c.TrustedProxies = []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8"), netip.MustParsePrefix("::1/128")}
}

// TestNobodyLearnsWhoHasAnAccount signs in, joins and asks for a new password with
// addresses that have an account and with others, in no order. The answers are the
// same, byte for byte, and so are their headers; their times don't tell either.
func TestNobodyLearnsWhoHasAnAccount(t *testing.T) {
	db := demoDB(t)
	h := graphOn(t, db, withQueue(t, db))
	s := asSite(t, h, behindProxy)
	const known = 500 // none is asked more often than an address may be
	mustExec(t, db, `INSERT INTO accounts (id, email, email_verified_at, password_hash)
		SELECT gen_random_uuid(), 'person' || i || '@example.net', now(), (SELECT password_hash FROM accounts WHERE email = 'editor@example.org')
		FROM generate_series(1, `+strconv.Itoa(known)+`) i`)
	mustExec(t, db, `ANALYZE`)
	for name, tt := range map[string]struct{ query, answer string }{
		"sign-in": {`mutation { signIn(input: {email: "%s@example.net", password: "not the password"}) { viewer { can } expiresAt userErrors { code field message } } }`, `"WRONG_CREDENTIALS"`},
		"join":    {`mutation { join(input: {email: "%s@example.net", displayName: "Some Body", grade: STUDENT}) { mailed userErrors { code field message } } }`, `"mailed":true`},
		"reset":   {`mutation { requestPasswordReset(input: {email: "%s@example.net"}) { mailed userErrors { code field message } } }`, `"mailed":true`},
	} {
		t.Run(name, func(t *testing.T) {
			var times [2][]time.Duration
			var want string
			order := make([]int, *samples)
			for i := range order {
				order[i] = i
			}
			rand.Shuffle(len(order), func(i, j int) { order[i], order[j] = order[j], order[i] })
			for warm, i := range append(slices.Clone(order[:min(len(order), 20)]), order...) {
				has := i % 2
				address := fmt.Sprintf("nobody%d", i/2%known+1)
				if has == 1 {
					address = fmt.Sprintf("person%d", i/2%known+1)
				}
				network := fmt.Sprintf("10.%d.%d.%d", rand.IntN(256), rand.IntN(256), rand.IntN(256))
				begun := time.Now()
				r := s.send(http.MethodPost, fmt.Sprintf(tt.query, address), "X-Forwarded-For", network)
				if took := time.Since(begun); warm >= 20 {
					times[has] = append(times[has], took)
				}
				r.header.Del("X-Request-Id")
				r.header.Del("Date")
				got := fmt.Sprintf("%d %v %s", r.status, r.header, r.body)
				if want == "" {
					want = got
				}
				if !strings.Contains(got, tt.answer) {
					t.Fatalf("%s: %s, want %s", address, got, tt.answer)
				}
				if diff := cmp.Diff(want, got); diff != "" {
					t.Fatalf("%s (-others +this)\n%s", address, diff)
				}
			}
			area := auc(times[0], times[1])
			t.Logf("%s: AUC %.3f over %d samples; medians %v without an account, %v with one", name, area, *samples, median(times[0]), median(times[1]))
			// Of fewer samples chance alone makes more.
			most := 0.55
			if *samples < 2000 {
				most = 0.70
			}
			if area > most || area < 1-most {
				t.Errorf("the time tells who has an account: AUC %.3f, want at most %.2f", area, most)
			}
		})
	}
}

// auc is the area under the curve of the best guess by time alone: 0.5 is a coin, 1 is
// certainty.
func auc(a, b []time.Duration) float64 {
	wins := 0.0
	sorted := slices.Sorted(slices.Values(a))
	for _, d := range b {
		from, _ := slices.BinarySearch(sorted, d)
		to, _ := slices.BinarySearch(sorted, d+1)
		wins += float64(from) + float64(to-from)/2
	}
	return wins / float64(len(a)*len(b))
}

func median(d []time.Duration) time.Duration {
	return slices.Sorted(slices.Values(d))[len(d)/2].Round(10 * time.Microsecond)
}

// manySignIns is one document with so many sign-ins.
func manySignIns(n int) string {
	var b strings.Builder
	b.WriteString("mutation {")
	for i := range n {
		fmt.Fprintf(&b, ` a%d: signIn(input: {email: "member@example.org", password: "guess number %d"}) { userErrors { code } }`, i, i)
	}
	b.WriteString(" }")
	return b.String()
}

// TestLimiterKeyIsNotTheCallers: a document with 1,000 sign-ins is refused by the default
// limits and tries nothing. Where it is let through it counts as 1,000 attempts. By no other
// method or form of request is anything tried; and what a client says of itself, or how it
// writes the address, begins no new count.
func TestLimiterKeyIsNotTheCallers(t *testing.T) {
	t.Parallel()
	const n = 1_000
	counted := func(t *testing.T, db *pgxpool.Pool) int {
		t.Helper()
		most, err := pg.Scalar[int](t.Context(), db, `SELECT COALESCE(max(failures), 0) FROM sign_in_failures`)
		if err != nil {
			t.Fatal(err)
		}
		return most
	}
	t.Run("refused", func(t *testing.T) {
		t.Parallel()
		db := demoDB(t)
		s := asSite(t, graphOn(t, db))
		before := counted(t, db)
		for _, aliases := range []int{n, 31} {
			r := s.send(http.MethodPost, manySignIns(aliases))
			a := decode(t, []byte(r.body))
			if len(a.Errors) == 0 || a.Data != nil || counted(t, db) != before {
				t.Errorf("%d sign-ins: %d %.300s, %d attempts counted", aliases, r.status, r.body, counted(t, db))
			}
		}
	})
	t.Run("by other ways", func(t *testing.T) {
		t.Parallel()
		db := demoDB(t)
		s := asSite(t, graphOn(t, db))
		before := counted(t, db)
		one := manySignIns(1)
		for name, r := range map[string]httpAnswer{
			"GET":                 s.send(http.MethodGet, one),
			"HEAD":                s.send(http.MethodHead, one),
			"a list of documents": s.post(`[` + strings.Repeat(`{"query":`+quoted(one)+`},`, n-1) + `{"query":` + quoted(one) + `}]`),
			"two documents":       s.post(strings.Repeat(`{"query":`+quoted(one)+`}`, 2)),
			"a form":              s.post("query="+url.QueryEscape(one), "Content-Type", "application/x-www-form-urlencoded"),
			"a multipart form":    s.post("--x\r\nContent-Disposition: form-data; name=\"operations\"\r\n\r\n"+`{"query":`+quoted(one)+`}`+"\r\n--x--", "Content-Type", "multipart/form-data; boundary=x"),
			"text":                s.post(`{"query":`+quoted(one)+`}`, "Content-Type", "text/plain"),
			"a socket":            s.send(http.MethodGet, one, "Connection", "Upgrade", "Upgrade", "websocket", "Sec-WebSocket-Version", "13", "Sec-WebSocket-Key", "dGhlIHNhbXBsZSBub25jZQ==", "Sec-WebSocket-Protocol", "graphql-transport-ws"),
			"events":              s.send(http.MethodGet, one, "Accept", "text/event-stream"),
		} {
			if got := counted(t, db); r.status < 400 || got != before {
				t.Errorf("%s: status %d, %d attempts: %.200s", name, r.status, got-before, r.body)
			}
		}
	})
	t.Run("by what the client says", func(t *testing.T) {
		t.Parallel()
		db := demoDB(t)
		s := asSite(t, graphOn(t, db))
		said := [][]string{
			{"X-Forwarded-For", "198.51.100.%d"},
			{"Forwarded", "for=198.51.100.%d"},
			{"X-Real-Ip", "198.51.100.%d"},
			{"User-Agent", "agent %d"},
			{"Cookie", "session=guess%d"},
			{"True-Client-Ip", "198.51.100.%d"},
			{"X-Request-Id", "request-%d"},
		}
		// A network that has tried too often is refused for every address, whatever it says it is.
		signIn := func(address string, header ...string) string {
			return s.send(http.MethodPost, fmt.Sprintf(`mutation { signIn(input: {email: %q, password: "guess number 1"}) { userErrors { code } } }`, address), header...).body
		}
		signIn("first@example.org")
		mustExec(t, db, `UPDATE sign_in_failures SET failures = 1000`)
		for i, header := range said {
			if body := signIn(fmt.Sprintf("other%d@example.org", i), header[0], fmt.Sprintf(header[1], i)); !strings.Contains(body, "TOO_MANY_ATTEMPTS") {
				t.Errorf("another network by %s: %s", header[0], body)
			}
		}
		mustExec(t, db, `DELETE FROM sign_in_failures`)
		addresses := []string{"member@example.org", "MEMBER@example.org", " member@example.org ", "Member@Example.ORG"}
		for i := range 24 {
			header := said[i%len(said)]
			r := s.send(http.MethodPost, fmt.Sprintf(`mutation { signIn(input: {email: %q, password: "guess number %d"}) { userErrors { code } } }`, addresses[i%len(addresses)], i),
				header[0], fmt.Sprintf(header[1], i))
			want := "WRONG_CREDENTIALS"
			if i >= 10 {
				want = "TOO_MANY_ATTEMPTS"
			}
			if !strings.Contains(r.body, want) {
				t.Errorf("attempt %d, with %s: %s, want %s", i+1, header[0], r.body, want)
			}
		}
	})
	t.Run("counted", func(t *testing.T) {
		t.Parallel()
		db := demoDB(t)
		h := graphOn(t, db, func(c *graph.Config) {
			l := &c.Limits
			l.Bytes, l.Tokens, l.Aliases, l.Roots, l.Values, l.Cost = 1<<20, 1<<20, n, n, 10*n, 1<<20
			l.Selections, l.Pairs, l.Work = 1<<20, 1<<20, 1<<24
		})
		s := asSite(t, h, func(c *server.Config) {
			c.OperationTimeout, c.WriteTimeout, c.RatePoints = time.Minute, 2*time.Minute, 1<<20
		})
		r := s.send(http.MethodPost, manySignIns(n))
		got := map[string]int{
			"WRONG_CREDENTIALS": strings.Count(r.body, `"WRONG_CREDENTIALS"`),
			"TOO_MANY_ATTEMPTS": strings.Count(r.body, `"TOO_MANY_ATTEMPTS"`),
			"counted":           counted(t, db),
		}
		want := map[string]int{"WRONG_CREDENTIALS": 10, "TOO_MANY_ATTEMPTS": n - 10, "counted": n}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%.300s\n(-want +got)\n%s", r.body, diff)
		}
	})
}

// TestTheOwnerIsNotLockedOut: others try until the address and the network are
// refused; who is signed in changes the password all the same, and signs in with it
// once the attempts are forgotten by a mailed link.
func TestTheOwnerIsNotLockedOut(t *testing.T) {
	t.Parallel()
	db := demoDB(t)
	h := graphOn(t, db, withQueue(t, db))
	s := asSite(t, h)
	signIn := func(password string) httpAnswer {
		return s.send(http.MethodPost, `mutation { signIn(input: {email: "member@example.org", password: "`+password+`"}) { userErrors { code } } }`)
	}
	cookie, _, _ := strings.Cut(signIn(demoPassword).header.Get("Set-Cookie"), ";")
	for range 12 {
		signIn("some guess or other")
	}
	mustExec(t, db, `UPDATE sign_in_failures SET failures = 1000`) // the network's too
	if r := signIn(demoPassword); !strings.Contains(r.body, "TOO_MANY_ATTEMPTS") {
		t.Fatalf("after the attempts of others: %s", r.body)
	}
	const change = `mutation { changePassword(input: {currentPassword: "%s", newPassword: "another long password"}) { viewer { account { email } } userErrors { code } } }`
	r := s.send(http.MethodPost, fmt.Sprintf(change, demoPassword), "Cookie", cookie)
	if !strings.Contains(r.body, `"email":"member@example.org"`) {
		t.Errorf("the owner, signed in: %s", r.body)
	}
	if r := s.send(http.MethodPost, `mutation { requestPasswordReset(input: {email: "member@example.org"}) { mailed userErrors { code } } }`); !strings.Contains(r.body, `"mailed":true`) {
		t.Errorf("a link by mail: %s", r.body)
	}
	// Who took over a session can't guess the password with it.
	cookie, _, _ = strings.Cut(r.header.Get("Set-Cookie"), ";")
	for i := range 12 {
		r := s.send(http.MethodPost, fmt.Sprintf(change, "some guess or other"), "Cookie", cookie)
		want := "WRONG_CREDENTIALS"
		if i >= 10 {
			want = "TOO_MANY_ATTEMPTS"
		}
		if !strings.Contains(r.body, want) {
			t.Errorf("guess %d: %s, want %s", i+1, r.body, want)
		}
	}
}
