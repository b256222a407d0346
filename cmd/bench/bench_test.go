package main

import (
	"context"
	"encoding/json"
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/collegium/collegium/internal/pg/pgembed"
	"github.com/collegium/collegium/internal/pg/pgtest"
)

// TestMain lets the test binary be the contestants, as the program itself is.
func TestMain(m *testing.M) {
	if len(os.Args) > 1 && os.Args[1] == contestantCommand {
		main()
		return
	}
	os.Exit(m.Run())
}

// quick runs the program over little data and returns the folder with what it
// wrote.
func quick(t *testing.T, change func(*options)) string {
	t.Helper()
	o := options{Quick: true, Pool: 4, Out: t.TempDir()}
	change(&o)
	if err := o.check(); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
	defer cancel()
	err := o.bench(ctx, io.Discard, t.Logf)
	if errors.Is(err, pgembed.ErrNotInstalled) && os.Getenv("CI") == "" {
		t.Skip(err)
	}
	if err != nil {
		t.Fatal(err)
	}
	return o.Out
}

func read(t *testing.T, parts ...string) string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(parts...))
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

func TestQuickRun(t *testing.T) {
	t.Parallel()
	dir := quick(t, func(*options) {})
	var r result
	if err := json.Unmarshal([]byte(read(t, dir, "results.json")), &r); err != nil {
		t.Fatal(err)
	}
	own := slices.DeleteFunc(slices.Clone(contestants), func(name string) bool { return name == postgraphile })
	if len(r.Questions) != 16 || !slices.Equal(r.Contestants, own) {
		t.Errorf("%d questions to %v, want 16 to %v", len(r.Questions), r.Contestants, own)
	}
	for _, q := range r.Questions {
		if q.Bytes < 100 {
			t.Errorf("%s: the answer has %d bytes, which is too short for an answer", q.Name, q.Bytes)
		}
		asked := []string{ours, cached, gqlgen, sql, bare}
		switch {
		case q.Name == notModified:
			asked = []string{cached, hello}
		case strings.HasSuffix(q.Name, getSuffix):
			asked = []string{cached, bare}
		case !q.Whole:
			asked = []string{ours}
		default:
			if q.Statements[sql] != 1 || q.Statements[bare] != 0 || q.Statements[cached] != 0 {
				t.Errorf("%s: statements %v, want 1 of %s, none of %s and %s", q.Name, q.Statements, sql, bare, cached)
			}
			if q.Statements[ours] > q.Statements[gqlgen] {
				t.Errorf("%s: %v statements, and %v of plain gqlgen", q.Name, q.Statements[ours], q.Statements[gqlgen])
			}
		}
		for _, c := range asked {
			rates := values(r.Measurements, q.Name, c, perSecond)
			if len(rates) != 2 || slices.Min(rates) <= 0 {
				t.Errorf("%s, %s: requests a second of the rounds are %v, want 2 that are positive", q.Name, c, rates)
			}
		}
	}
	if c := r.Crowd; c == nil || c.Answered+c.Rejected != crowd || c.Answered == 0 || c.OfOne < 1 {
		t.Errorf("the crowd got %+v", c)
	}
	report := read(t, dir, "results.md")
	for _, want := range []string{"| Q1L |", "## Q7:", "| plain-gqlgen |", "encoding/json", "## Memory", "A 304, over hello", "against page 1", "at once"} {
		if !strings.Contains(report, want) {
			t.Errorf("the report lacks %q", want)
		}
	}
	chart := read(t, dir, "chart.svg")
	for d := xml.NewDecoder(strings.NewReader(chart)); ; {
		if _, err := d.Token(); err == io.EOF {
			break
		} else if err != nil {
			t.Fatalf("the chart is not XML: %v", err)
		}
	}
	if bars := strings.Count(chart, `font-size="11"`); bars != 8*5 {
		t.Errorf("the chart has %d bars, want %d", bars, 8*5)
	}
}

func TestQuickGrowth(t *testing.T) {
	t.Parallel()
	dir := quick(t, func(o *options) { o.Growth = true })
	var r struct{ Growth []growthRow }
	if err := json.Unmarshal([]byte(read(t, dir, "growth.json")), &r); err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, row := range r.Growth {
		names = append(names, row.Question)
		if row.Bytes < 100 || row.P50 <= 0 || row.P99 < row.P50 {
			t.Errorf("%+v is not a measurement", row)
		}
	}
	if want := slices.Concat(menuQuestions, memberQuestions); !slices.Equal(names, want) {
		t.Errorf("questions %v, want %v", names, want)
	}
}

func TestQuickSoak(t *testing.T) {
	t.Parallel()
	dir := quick(t, func(o *options) { o.Soak = time.Second })
	var s soaked
	if err := json.Unmarshal([]byte(read(t, dir, "soak.json")), &s); err != nil {
		t.Fatal(err)
	}
	if len(s.Peaks) != len(peakConnections) || s.Peak.PerSecond <= 0 || s.Offered != overloadFactor*s.Peak.PerSecond {
		t.Errorf("peaks %+v, the best %+v, offered %v", s.Peaks, s.Peak, s.Offered)
	}
	if len(s.Windows) == 0 || s.All.Goodput <= 0 || s.All.Failed > 0 {
		t.Fatalf("windows %+v, all %+v", s.Windows, s.All)
	}
	if w := s.Windows[0]; w.Heap <= 0 || w.Goroutines <= 0 {
		t.Errorf("what the server held is missing in %+v", w)
	}
	if report := read(t, dir, "soak.md"); !strings.Contains(report, "over those at the peak") {
		t.Errorf("the report lacks how the goals stand: %s", report)
	}
}

// TestOverload offers more than a server answers: what it rejects and what goes
// wrong are counted apart from what it answers.
func TestOverload(t *testing.T) {
	t.Parallel()
	var n atomic.Int64
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		switch n.Add(1) % 4 {
		case 0:
			w.WriteHeader(http.StatusServiceUnavailable)
		case 1:
			_, _ = io.WriteString(w, "wrong")
		default:
			_, _ = io.WriteString(w, "right")
		}
	}))
	defer srv.Close()
	load := &overload{
		address: srv.Listener.Addr().String(), connections: 4, perSecond: 2000,
		exchanges: []exchange{{post("{}"), http.StatusOK, []byte("right")}},
	}
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	done := make(chan error, 1)
	go func() { done <- load.run(ctx, time.Minute) }()
	var admitted, rejected, failed, late int
	for (admitted == 0 || rejected == 0 || failed == 0) && ctx.Err() == nil {
		time.Sleep(10 * time.Millisecond)
		got := load.take()
		admitted, rejected, failed, late = admitted+len(got.admitted), rejected+len(got.rejected), failed+got.failed, late+len(got.late)
		if got.failed > 0 && !strings.Contains(got.failure.Error(), "wrong") {
			t.Errorf("the failure is %v, want one that tells the answer", got.failure)
		}
	}
	if admitted == 0 || rejected == 0 || failed == 0 || late < admitted+rejected {
		t.Errorf("%d admitted, %d rejected, %d failed, %d times of being late; want some of each", admitted, rejected, failed, late)
	}
	cancel()
	if err := <-done; !errors.Is(err, context.Canceled) {
		t.Errorf("error %v, want the cause of its end", err)
	}
}

// TestDifferentAnswers lets the hand-written statement of one question answer
// something else: then nothing is timed.
func TestDifferentAnswers(t *testing.T) {
	t.Parallel()
	dsn := pgtest.DSN(t)
	there, err := fill(t.Context(), dsn, sizes{50, 500}, t.Logf)
	if err != nil {
		t.Fatal(err)
	}
	for name, change := range map[string]struct{ old, new, want string }{
		"another value": {`'displayName', m.display_name`, `'displayName', upper(m.display_name)`, "data.member.displayName is "},
		"one more":      {`'displayName', m.display_name`, `'displayName', m.display_name, 'id', m.id`, "data.member.id is only in the second answer"},
		"nothing":       {`m.listing_audience = 'PUBLIC'`, `false`, "data.member is "},
	} {
		t.Run(name, func(t *testing.T) {
			list := slices.DeleteFunc(questions(there), func(q question) bool { return q.Name != "Q4" })
			for i, v := range list[0].variants {
				list[0].variants[i].sql = strings.Replace(v.sql, change.old, change.new, 1)
			}
			o := options{Pool: 2, Only: []string{sql}}
			running, err := o.assemble(t.Context(), dsn, list, t.Logf)
			for _, p := range running {
				p.stop()
			}
			if err == nil || !strings.Contains(err.Error(), change.want) || !strings.Contains(err.Error(), "nothing is timed") {
				t.Errorf("error %v, want one that says %q", err, change.want)
			}
		})
	}
}

// TestPeerCannotBeHad goes on without a peer that no registry delivers.
func TestPeerCannotBeHad(t *testing.T) {
	dsn := pgtest.DSN(t)
	there, err := fill(t.Context(), dsn, sizes{50, 500}, t.Logf)
	if err != nil {
		t.Fatal(err)
	}
	t.Setenv("PATH", t.TempDir()) // there is no npm
	t.Setenv("XDG_CACHE_HOME", t.TempDir())
	t.Setenv("HOME", t.TempDir())
	var said []string
	o := options{Pool: 2, Peers: true, Only: []string{postgraphile, sql}, Questions: []string{"Q4"}}
	running, err := o.assemble(t.Context(), dsn, o.asked(there), func(format string, args ...any) {
		said = append(said, fmt.Sprintf(format, args...))
	})
	var names []string
	for _, p := range running {
		names = append(names, p.name)
		p.stop()
	}
	if err != nil {
		t.Fatal(err)
	}
	if want := []string{ours, sql}; !slices.Equal(names, want) {
		t.Errorf("contestants %v, want %v", names, want)
	}
	if last := said[len(said)-1]; !strings.HasPrefix(last, "postgraphile takes no part: ") || strings.Contains(last, "\n") {
		t.Errorf("it says %q, want one line that says who takes no part and why", last)
	}
}

func TestSamePeerData(t *testing.T) {
	t.Parallel()
	const own = `{"data":{"menu":{"roots":[{"label":"A","depth":1,"children":[]}]},"sections":null}}`
	for _, tt := range []struct{ name, theirs, want string }{
		{"the same", `{"data":{"sections":[],"menu":{"roots":[{"children":[],"label":"A"}]}}}`, ""},
		{"another value", `{"data":{"sections":[],"menu":{"roots":[{"children":[],"label":"B"}]}}}`, "data.menu.roots[0].label is A in the first answer and B in the second"},
		{"something where nothing may be", `{"data":{"sections":[{"name":"S"}],"menu":{"roots":[{"children":[],"label":"A"}]}}}`, "data.sections is "},
		{"errors", `{"data":null,"errors":[{"message":"no"}]}`, "the answer has errors"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			err := samePeerData([]byte(own), []byte(tt.theirs))
			switch {
			case tt.want == "" && err != nil:
				t.Error(err)
			case tt.want != "" && (err == nil || !strings.Contains(err.Error(), tt.want)):
				t.Errorf("error %v, want one that says %q", err, tt.want)
			}
		})
	}
}

func TestOptions(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct{ args, want string }{
		{"--rounds 0", "--rounds: 0 is too few"},
		{"--seconds 0", "--seconds: 0 is out of range"},
		{"--connections 0", "--connections: 0 is out of range"},
		{"--pool 100", "--pool: 100 is out of range"},
		{"--questions Q9", `--questions: there is no "Q9"; choose from P1, P5000, misses, Q1, Q1L`},
		{"--only fast", `--only: there is no "fast"`},
		{"--skip collegium", "--skip: collegium always takes part"},
		{"--sizes 10000", "--sizes: give two numbers"},
		{"--sizes 3,50000", "a menu of 3 items can't be made"},
		{"--sizes 10000,3", "3 members can't be made"},
		{"--soak 25h", "--soak: 25h0m0s is out of range"},
		{"--soak 1m --growth", "--soak and --growth"},
		{"--profile", "--profile: give the folder"},
		{"--unknown", "unknown flag --unknown"},
	} {
		var out, errors strings.Builder
		if code := run(t.Context(), strings.Fields(tt.args), strings.NewReader(""), &out, &errors); code != exitUsage {
			t.Errorf("%s: exit code %d, want %d", tt.args, code, exitUsage)
		}
		if !strings.Contains(errors.String(), tt.want) {
			t.Errorf("%s: it says %q, want %q", tt.args, errors.String(), tt.want)
		}
	}
	var out strings.Builder
	if code := run(t.Context(), []string{"--help"}, strings.NewReader(""), &out, io.Discard); code != exitOK || !strings.Contains(out.String(), "--growth-members") {
		t.Errorf("--help: exit code %d, text %q", code, out.String())
	}
}

func TestTree(t *testing.T) {
	t.Parallel()
	for _, n := range []int{8, 9, 100, 312, 10_000, 100_000} {
		items := tree(n, largeLevels)
		depth := map[*entry]int{}
		paths := map[string]bool{}
		deepest, places := 0, map[*entry]int{}
		for _, e := range items {
			depth[e] = depth[e.parent] + 1
			deepest = max(deepest, depth[e])
			paths[e.path] = true
			if e.position != places[e.parent] {
				t.Fatalf("%d items: %s stands at %d, want %d", n, e.path, e.position, places[e.parent])
			}
			places[e.parent]++
		}
		if len(items) != n || deepest != largeLevels || len(paths) != n {
			t.Errorf("%d items with %d paths in %d levels, want %d in %d", len(items), len(paths), deepest, n, largeLevels)
		}
	}
}
