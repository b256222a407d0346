package main

import (
	"bufio"
	"context"
	"fmt"
	"math/rand/v2"
	"net/http"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// The overload: so many times the requests that fit, over so many connections.
const (
	overloadFactor      = 3
	overloadConnections = 1024
)

// peakConnections are how many ask at once to find out how much fits. The server
// lets more than these run or wait, so nothing is rejected.
var peakConnections = []int{4, 8, 16, 32}

// soakQuestions are the mix, each as frequent as the others.
var soakQuestions = []string{"Q1", "Q2", "Q3", "Q4", "Q5"}

// soaked is what a soak has found out. Times are in microseconds, sizes in bytes.
type soaked struct {
	Machine machine `json:"machine"`
	Sizes   sizes   `json:"sizes"`
	Seconds float64 `json:"seconds"`
	// Peaks are what was measured of collegium, by number of connections; Peak is
	// the best of them.
	Peaks []measurementAt `json:"peaks"`
	Peak  measurementAt   `json:"peak"`
	// Offered is how many requests a second were due.
	Offered     float64  `json:"offeredPerSecond"`
	Connections int      `json:"connections"`
	Windows     []window `json:"windows"`
	All         window   `json:"all"`
}

// measurementAt is the median of the measurements at a number of connections.
type measurementAt struct {
	Connections int     `json:"connections"`
	PerSecond   float64 `json:"perSecond"`
	P50         float64 `json:"p50Micros"`
	P99         float64 `json:"p99Micros"`
}

// window is what came in a part of the time, and what the server held at its end.
type window struct {
	// At is when it ended, in seconds since the overload began.
	At          float64 `json:"atSeconds"`
	Goodput     float64 `json:"goodputPerSecond"`
	P50         float64 `json:"p50Micros"`
	P99         float64 `json:"p99Micros"`
	Rejected    float64 `json:"rejectedPerSecond"`
	RejectedP50 float64 `json:"rejectedP50Micros"`
	RejectedP99 float64 `json:"rejectedP99Micros"`
	// LateP99 is how long requests waited in the load generator.
	LateP99 float64 `json:"lateP99Micros"`
	Failed  int     `json:"failed"`
	// The CPUs that were busy for each.
	ServerCPU   number `json:"serverCpus"`
	PostgresCPU number `json:"postgresCpus"`
	ClientCPU   number `json:"clientCpus"`
	// ServerWait is how many threads of the server waited for a CPU.
	ServerWait number `json:"serverThreadsWaiting"`
	RSS        number `json:"rssBytes"`
	Heap       number `json:"heapBytes"`
	Goroutines number `json:"goroutines"`
}

// soak finds out how much collegium answers in a second, and then offers it three
// times as much for a time.
//
// The load shares the cores with what it loads. It comes first: the server and
// PostgreSQL run at a lower priority, so that requests are sent when they are due
// and an answer is noticed when it comes. In return it uses one core at a time,
// and since it does nothing but wait for the clock and for answers, it takes
// little of that; the report says how much.
func (o *options) soak(ctx context.Context, dsn string, say func(string, ...any)) (*soaked, error) {
	s := &soaked{Sizes: sizes{o.Sizes[0], o.Sizes[1]}, Seconds: o.Soak.Seconds()}
	there, err := fill(ctx, dsn, s.Sizes, say)
	if err != nil {
		return nil, err
	}
	postmaster, err := parentOfBackend(ctx, dsn)
	if err != nil {
		return nil, err
	}
	behind(postmaster)
	p, err := start(ctx, role{Contestant: ours, DSN: dsn, Connections: o.Pool})
	if err != nil {
		return nil, err
	}
	defer p.stop()
	behind(p.pid)
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(1))
	if err := p.learnMix(ctx, questions(there)); err != nil {
		return nil, err
	}
	if err := o.findPeak(ctx, p, postmaster, s, say); err != nil {
		return nil, err
	}
	s.Offered = overloadFactor * s.Peak.PerSecond
	s.Connections = overloadConnections
	if o.Quick {
		s.Connections = 64
	}
	load := &overload{address: p.at.Graph, exchanges: p.exchanges[mix], connections: s.Connections, perSecond: s.Offered}
	done := make(chan error, 1)
	go func() { done <- load.run(ctx, o.Soak) }()
	if err := s.watch(ctx, p, load, postmaster, min(10*time.Second, o.Soak/2), done, say); err != nil {
		return nil, err
	}
	return s, nil
}

// mix is the name under which a process keeps the exchanges of all questions.
const mix = "mix"

// learnMix learns the questions of the mix, and shuffles their requests so that
// each question is as frequent as the others.
func (p *process) learnMix(ctx context.Context, list []question) error {
	random := rand.New(rand.NewPCG(seed, 0))
	for _, q := range list {
		if !slices.Contains(soakQuestions, q.Name) {
			continue
		}
		if _, err := p.learn(ctx, q); err != nil {
			return err
		}
		for i := range 200 {
			p.exchanges[mix] = append(p.exchanges[mix], p.exchanges[q.Name][i%len(p.exchanges[q.Name])])
		}
	}
	all := p.exchanges[mix]
	random.Shuffle(len(all), func(i, j int) { all[i], all[j] = all[j], all[i] })
	return nil
}

// findPeak measures collegium with more and more connections.
func (o *options) findPeak(ctx context.Context, p *process, postmaster int, s *soaked, say func(string, ...any)) error {
	d := time.Duration(o.Seconds * float64(time.Second))
	var all []measurement
	for round := range o.Rounds {
		for _, n := range peakConnections {
			m, err := p.measure(ctx, mix, n, d, postmaster)
			if err != nil {
				return err
			}
			m.Question, m.Round = strconv.Itoa(n), round
			all = append(all, m)
		}
	}
	for _, n := range peakConnections {
		of := func(number func(measurement) float64) float64 {
			return median(values(all, strconv.Itoa(n), ours, number))
		}
		at := measurementAt{n, of(perSecond), of(func(m measurement) float64 { return m.P50 }), of(func(m measurement) float64 { return m.P99 })}
		s.Peaks = append(s.Peaks, at)
		if at.PerSecond > s.Peak.PerSecond {
			s.Peak = at
		}
		say("%d connections get %.0f answers a second, p99 %.1f ms", n, at.PerSecond, at.P99/1000)
	}
	return nil
}

// watch notes after every part of the time what has come and what the server
// holds, until the load is done.
func (s *soaked) watch(ctx context.Context, p *process, load *overload, postmaster int, every time.Duration, done <-chan error, say func(string, ...any)) error {
	began := time.Now()
	ticks := time.NewTicker(every)
	defer ticks.Stop()
	cpus := func() [4]float64 {
		return [4]float64{cpuOf(p.pid), cpuOfTree(postmaster), cpuOf(os.Getpid()), waitedOf(p.pid)}
	}
	var all tally
	last, before, first := began, cpus(), cpus()
	for {
		var err error
		over := false
		select {
		case <-ticks.C:
		case err = <-done:
			over = true
		}
		if err != nil {
			return err
		}
		now, after := time.Now(), cpus()
		t := load.take()
		if took := now.Sub(last); took > every/2 { // else it is the rest after the last tick
			w := windowOf(t, took, before, after)
			w.At = now.Sub(began).Seconds()
			if err := w.look(ctx, p.at.Graph); err != nil {
				return err
			}
			s.Windows = append(s.Windows, w)
			say("%4.0f s: %.0f answers a second, p99 %.0f ms; %.0f rejected in %.1f ms; RSS %.0f MiB", w.At, w.Goodput, w.P99/1000, w.Rejected, w.RejectedP99/1000, float64(w.RSS)/(1<<20))
		}
		if all.failure == nil {
			all.failure = t.failure
		}
		all.admitted, all.rejected, all.late = append(all.admitted, t.admitted...), append(all.rejected, t.rejected...), append(all.late, t.late...)
		all.failed += t.failed
		last, before = now, after
		if over {
			s.All = windowOf(all.sorted(), now.Sub(began), first, after)
			s.All.At = now.Sub(began).Seconds()
			if all.failed > 0 {
				say("%d requests failed, the first with: %v", all.failed, all.failure)
			}
			return nil
		}
	}
}

// windowOf returns a window of the times in a sorted tally and the CPU times
// before and after.
func windowOf(t tally, took time.Duration, before, after [4]float64) window {
	cpus := func(i int) number { return number((after[i] - before[i]) / micros(took)) }
	return window{
		Goodput:     float64(len(t.admitted)) / took.Seconds(),
		P50:         micros(percentile(t.admitted, 50)),
		P99:         micros(percentile(t.admitted, 99)),
		Rejected:    float64(len(t.rejected)) / took.Seconds(),
		RejectedP50: micros(percentile(t.rejected, 50)),
		RejectedP99: micros(percentile(t.rejected, 99)),
		LateP99:     micros(percentile(t.late, 99)),
		Failed:      t.failed,
		ServerCPU:   cpus(0),
		PostgresCPU: cpus(1),
		ClientCPU:   cpus(2),
		ServerWait:  cpus(3),
	}
}

// look reads what the server holds from its /metrics.
func (w *window) look(ctx context.Context, address string) error {
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+address+"/metrics", nil)
	if err != nil {
		return err
	}
	resp, err := http.DefaultClient.Do(r)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	found := map[string]*number{
		"process_resident_memory_bytes": &w.RSS, "go_memstats_heap_alloc_bytes": &w.Heap, "go_goroutines": &w.Goroutines,
	}
	lines := bufio.NewScanner(resp.Body)
	for lines.Scan() {
		name, value, _ := strings.Cut(lines.Text(), " ")
		if into := found[name]; into != nil {
			n, err := strconv.ParseFloat(value, 64)
			if err != nil {
				return fmt.Errorf("/metrics: %w", err)
			}
			*into = number(n)
		}
	}
	return lines.Err()
}

// behind lets a process, its threads and what they start from now on have the
// processor after others. Where the system doesn't allow it, all are equal.
func behind(pid int) {
	threads, err := filepath.Glob(fmt.Sprintf("/proc/%d/task/*", pid))
	if err != nil {
		return
	}
	for _, thread := range threads {
		if id, err := strconv.Atoi(filepath.Base(thread)); err == nil {
			_ = syscall.Setpriority(syscall.PRIO_PROCESS, id, 5)
		}
	}
}

// slope returns by how much y grows for each x, by the method of least squares;
// 0 for fewer than two points.
func slope(x, y []float64) float64 {
	var sx, sy, sxx, sxy float64
	for i := range x {
		sx, sy, sxx, sxy = sx+x[i], sy+y[i], sxx+x[i]*x[i], sxy+x[i]*y[i]
	}
	n := float64(len(x))
	if d := n*sxx - sx*sx; d != 0 {
		return (n*sxy - sx*sy) / d
	}
	return 0
}

// growthPerMinute returns by how much a number of the windows grew in a minute,
// leaving out the first fifth of the time, in which memory fills.
func (s *soaked) growthPerMinute(of func(window) number) float64 {
	var x, y []float64
	for _, w := range s.Windows[len(s.Windows)/5:] {
		x, y = append(x, w.At/60), append(y, float64(of(w)))
	}
	return slope(x, y)
}

// markdown returns the report.
func (s *soaked) markdown() string {
	var b strings.Builder
	fmt.Fprintf(&b, "# Overload\n\n%s.\n\n%s members; the mix is %s, uncached.\n\n", s.Machine, thousands(int64(s.Sizes.Members)), strings.Join(soakQuestions, ", "))
	b.WriteString("| connections, each asking when it has its answer | answers/s | p50 ms | p99 ms |\n|---:|---:|---:|---:|\n")
	for _, at := range s.Peaks {
		fmt.Fprintf(&b, "| %d | %s | %s | %s |\n", at.Connections, short(at.PerSecond), short(at.P50/1000), short(at.P99/1000))
	}
	fmt.Fprintf(&b, "\nThen %d connections and %s requests a second, %d times the most that was answered, for %s s:\n\n", s.Connections, short(s.Offered), overloadFactor, short(s.Seconds))
	mib := func(n number) string { return short(float64(n) / (1 << 20)) }
	rss, heap := s.growthPerMinute(func(w window) number { return w.RSS }), s.growthPerMinute(func(w window) number { return w.Heap })
	b.WriteString("| | goal | measured |\n|---|---|---:|\n")
	fmt.Fprintf(&b, "| answers a second, over those at the peak | ≥ 0.85 | %s |\n", short(s.All.Goodput/s.Peak.PerSecond))
	fmt.Fprintf(&b, "| p99 of what was admitted, over that at the peak | ≤ 5 | %s |\n", short(s.All.P99/s.Peak.P99))
	fmt.Fprintf(&b, "| p99 of a rejection, ms | < 5 | %s |\n", short(s.All.RejectedP99/1000))
	fmt.Fprintf(&b, "| growth of RSS and heap, MiB a minute | flat | %.2f and %.2f |\n", rss/(1<<20), heap/(1<<20))
	b.WriteString("\n| s | answers/s | p50 ms | p99 ms | rejected/s | p50 ms | p99 ms | failed | sent late, p99 ms | CPUs: server | Postgres | load | server threads waiting for one | RSS MiB | heap MiB | goroutines |\n" +
		"|---:|---:|---:|---:|---:|---:|---:|---:|---:|---:|---:|---:|---:|---:|---:|---:|\n")
	for _, w := range append(slices.Clone(s.Windows), s.All) {
		held := []string{mib(w.RSS), mib(w.Heap), short(float64(w.Goroutines))}
		at := short(w.At)
		if w == s.All {
			at, held = "all", []string{"", "", ""}
		}
		fmt.Fprintf(&b, "| %s | %s | %s | %s | %s | %s | %s | %d | %s | %.2f | %.2f | %.2f | %.2f | %s |\n", at,
			short(w.Goodput), short(w.P50/1000), short(w.P99/1000), short(w.Rejected), short(w.RejectedP50/1000), short(w.RejectedP99/1000), w.Failed,
			short(w.LateP99/1000), float64(w.ServerCPU), float64(w.PostgresCPU), float64(w.ClientCPU), float64(w.ServerWait), strings.Join(held, " | "))
	}
	return b.String()
}
