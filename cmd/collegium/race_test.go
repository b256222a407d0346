package main

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/collegium/collegium/internal/node"
	"github.com/collegium/collegium/internal/pg"
	"github.com/collegium/collegium/internal/pg/pgtest"
)

var races = flag.Int("races", 3000, "how many requests race with a write in TestRaces")

const (
	// lease is for how long a process takes what it last learned of the database for
	// the present. A request begins before it arrives, so no answer is older than that
	// when its request begins, however slow the machine is.
	lease = 50 * time.Millisecond
	// soon is when a write is to be seen in every process.
	soon = 100 * time.Millisecond
)

// fact is something that writers change and that clients ask for. Its value is a
// number that only grows; there is a place for it in the texts of the demo body.
type fact struct {
	query string
	write []string // each takes the value; together they are one transaction
	// open is for how long that transaction may stay open after it wrote.
	open time.Duration

	mu        sync.Mutex
	committed []time.Time // when each value was, as the writer saw it
}

func (f *fact) add() {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.committed = append(f.committed, time.Now())
}

// overtaken is how long before a moment the value was no longer the newest, and how
// long before it the last write was.
func (f *fact) overtaken(value int, at time.Time) (age, last time.Duration) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if next := value + 1; next < len(f.committed) {
		age = max(0, at.Sub(f.committed[next]))
	}
	return age, at.Sub(f.committed[len(f.committed)-1])
}

// TestRaces runs two processes on one database. Writers change it behind their backs,
// and clients ask both, by GET, by POST and whether what they have still holds. The
// connections over which the processes learn of the writes are killed again and again.
func TestRaces(t *testing.T) {
	binary := filepath.Join(t.TempDir(), "collegium")
	if out, err := exec.Command("go", "build", "-o", binary, ".").CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	dsn := pgtest.DSN(t)
	graphs := []string{
		startProcess(t, binary, dsn, "--demo=yes", "--demo-members=50"),
		startProcess(t, binary, dsn, "--demo=no", "--no-migrate"),
	}
	db, err := pg.Open(t.Context(), dsn, pg.Options{MaxConns: 8})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(db.Close)
	facts := theFacts(t, db, graphs[0])

	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	var writers, clients sync.WaitGroup
	for _, f := range facts {
		if err := f.next(t.Context(), db); err != nil { // zero
			t.Fatal(err)
		}
		writers.Go(func() {
			for ctx.Err() == nil {
				if err := f.next(context.Background(), db); err != nil {
					t.Error(err)
					return
				}
				time.Sleep(time.Duration(rand.IntN(300)) * time.Millisecond)
			}
		})
	}
	kills := 0
	writers.Go(func() {
		for ; ctx.Err() == nil; kills++ {
			if _, err := db.Exec(context.Background(), `
				SELECT pg_terminate_backend(pid)
				FROM pg_stat_activity
				WHERE application_name = 'collegium watcher' AND datname = current_database()`); err != nil {
				t.Error(err)
				return
			}
			time.Sleep(time.Duration(100+rand.IntN(400)) * time.Millisecond)
		}
	})

	var raced, hits, unchanged atomic.Int64
	ages := make([][]time.Duration, 8)
	for i := range ages {
		clients.Go(func() {
			c := client{last: map[string]remembered{}}
			for raced.Load() < int64(*races) {
				f := facts[rand.IntN(len(facts))]
				came := time.Now()
				r, err := c.ask(t.Context(), graphs[rand.IntN(len(graphs))], f.query)
				if err != nil {
					t.Error(err)
					return
				}
				age, last := f.overtaken(r.value, came)
				if age > lease {
					t.Errorf("an answer was overtaken %v before it was asked for (%s): %s", age, r.status, f.query)
				}
				if last < soon {
					raced.Add(1)
				}
				if r.hit {
					hits.Add(1)
				}
				if r.unchanged {
					unchanged.Add(1)
				}
				ages[i] = append(ages[i], age)
			}
		})
	}
	clients.Wait()
	cancel()
	writers.Wait()

	writes := 0
	for _, f := range facts {
		writes += len(f.committed)
	}
	all := slices.Sorted(slices.Values(slices.Concat(ages...)))
	fresh, _ := slices.BinarySearch(all, 1)
	t.Logf("%d answers, %d asked for within %v of a write, %d from memory, %d of them 304; %d writes, %d kills",
		len(all), raced.Load(), soon, hits.Load(), unchanged.Load(), writes, kills)
	t.Logf("%d answers were overtaken when they were asked for: of all answers the 99th percentile is %v, the most %v",
		len(all)-fresh, all[len(all)*99/100], all[len(all)-1])
	if hits.Load() < 100 || unchanged.Load() == 0 {
		t.Error("too few answers came from memory to tell")
	}
}

// startProcess starts a server and returns the address of its graph. It is stopped
// with the test.
func startProcess(t *testing.T, binary, dsn string, args ...string) string {
	t.Helper()
	cmd := exec.Command(binary, append([]string{"serve", "--listen=127.0.0.1:0", "--rate-points=0", "--log-format=json", "--mail=" + t.TempDir()}, args...)...)
	cmd.Env = append(os.Environ(), "DATABASE_URL="+dsn)
	logs, err := cmd.StderrPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = cmd.Process.Signal(syscall.SIGTERM)
		if err := cmd.Wait(); err != nil {
			t.Errorf("the server ended with %v", err)
		}
	})
	lines := bufio.NewScanner(logs)
	var seen strings.Builder
	for lines.Scan() {
		seen.WriteString(lines.Text() + "\n")
		var line struct{ Msg, Graph string }
		if json.Unmarshal(lines.Bytes(), &line) == nil && line.Msg == "serving" {
			go io.Copy(io.Discard, logs) //nolint:errcheck // what comes later is not looked at
			return line.Graph
		}
	}
	t.Fatalf("the server did not say where it serves:\n%s", &seen)
	return ""
}

// theFacts chooses what changes: things from the snapshot of the reference data and
// from the database, of one table and of several.
func theFacts(t *testing.T, db *pgxpool.Pool, graph string) []*fact {
	t.Helper()
	var first struct {
		Data struct {
			Members struct{ Nodes []struct{ ID string } }
		}
	}
	resp, err := http.Post(graph, "application/json", strings.NewReader(`{"query":"{members(first:1){nodes{id}}}"}`))
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	if err := json.NewDecoder(resp.Body).Decode(&first); err != nil || len(first.Data.Members.Nodes) != 1 {
		t.Fatal("there is no member", err)
	}
	id := first.Data.Members.Nodes[0].ID
	member, err := node.ParseOf("", "Member", id)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := db.Exec(t.Context(), `UPDATE members SET headline_audience = 'PUBLIC' WHERE id = $1`, member); err != nil {
		t.Fatal(err)
	}
	const page = `UPDATE entries SET summary = 'value ' || $1::int WHERE id = (SELECT entry_id FROM routes WHERE path = '%s')`
	return []*fact{
		{
			query: `{ menu(handle: "social") { title items { label } } }`,
			write: []string{`UPDATE menus SET title = 'value ' || $1::int WHERE handle = 'social'`},
		},
		{
			query: `{ page(path: "/about-us") { summary blocks { __typename } } }`,
			write: []string{fmt.Sprintf(page, "/about-us")},
		},
		{
			query: `{ committee(slug: "housing-committee") { name posts { title } } }`,
			write: []string{`UPDATE committees SET name = 'value ' || $1::int WHERE slug = 'housing-committee'`},
		},
		{
			query: fmt.Sprintf(`{ node(id: %q) { ... on Member { headline sections { name } } } }`, id),
			write: []string{`UPDATE members SET headline = 'value ' || $1::int WHERE id = '` + member.String() + `'`},
		},
		{
			query: `{ organisation { contact { telephone } } menu(handle: "footer") { title } page(path: "/about-us/contact-us") { summary } }`,
			write: []string{
				`UPDATE organisation SET telephone = 'value ' || $1::int`,
				`UPDATE menus SET title = 'value ' || $1::int WHERE handle = 'footer'`,
				fmt.Sprintf(page, "/about-us/contact-us"),
			},
			open: 150 * time.Millisecond,
		},
	}
}

// next writes the next value.
func (f *fact) next(ctx context.Context, db *pgxpool.Pool) error {
	value := len(f.committed) // the only writer reads it
	if err := pgx.BeginFunc(ctx, db, func(tx pgx.Tx) error {
		for _, sql := range f.write {
			tag, err := tx.Exec(ctx, sql, value)
			if err != nil {
				return err
			}
			if tag.RowsAffected() != 1 {
				return fmt.Errorf("%d rows were changed by %s", tag.RowsAffected(), sql)
			}
		}
		if f.open > 0 {
			time.Sleep(rand.N(f.open))
		}
		return nil
	}); err != nil {
		return err
	}
	f.add()
	return nil
}

// client asks as a program does that remembers the last answer to each query.
type client struct{ last map[string]remembered }

type remembered struct {
	etag  string
	value int
}

type reply struct {
	value          int // the oldest in the answer
	hit, unchanged bool
	status         string
}

var written = regexp.MustCompile(`value (\d+)`)

func (c *client) ask(ctx context.Context, graph, query string) (reply, error) {
	var req *http.Request
	var err error
	if rand.IntN(2) == 0 {
		body, _ := json.Marshal(map[string]string{"query": query}) // strings always encode
		req, err = http.NewRequestWithContext(ctx, http.MethodPost, graph, bytes.NewReader(body))
	} else {
		req, err = http.NewRequestWithContext(ctx, http.MethodGet, graph+"?query="+url.QueryEscape(query), nil)
	}
	if err != nil {
		return reply{}, err
	}
	req.Header.Set("Content-Type", "application/json")
	req.Header.Set("Accept", "application/json")
	req.Header.Set("Accept-Encoding", "identity") // each representation has an ETag of its own
	if last, ok := c.last[query]; ok && req.Method == http.MethodGet {
		req.Header.Set("If-None-Match", last.etag)
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return reply{}, err
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		return reply{}, err
	}
	r := reply{status: resp.Header.Get("Cache-Status"), unchanged: resp.StatusCode == http.StatusNotModified}
	r.hit = strings.Contains(r.status, "; hit")
	if r.unchanged {
		r.value = c.last[query].value
		return r, nil
	}
	values := written.FindAllSubmatch(body, -1)
	if resp.StatusCode != http.StatusOK || len(values) == 0 {
		return r, fmt.Errorf("%s answers %s: %s", query, resp.Status, body)
	}
	for i, v := range values {
		n, err := strconv.Atoi(string(v[1]))
		if err != nil {
			return r, err
		}
		if i == 0 || n < r.value {
			r.value = n
		}
	}
	c.last[query] = remembered{resp.Header.Get("ETag"), r.value}
	return r, nil
}
