package main

import (
	"encoding/json"
	"fmt"
	"math"
	"os"
	"runtime"
	"strconv"
	"strings"
)

// machine is what a run ran on.
type machine struct {
	CPU        string `json:"cpu"`
	Cores      int    `json:"cores"`
	System     string `json:"system"`
	Go         string `json:"go"`
	PostgreSQL string `json:"postgresql"`
	GOGC       string `json:"gogc"`
	// LoadBefore and LoadAfter are the load averages of the last minute.
	LoadBefore number `json:"loadBefore"`
	LoadAfter  number `json:"loadAfter"`
}

// describe returns what this machine is.
func describe(postgres string) machine {
	m := machine{
		CPU: "unknown", Cores: runtime.NumCPU(), System: runtime.GOOS + "/" + runtime.GOARCH, Go: runtime.Version(),
		PostgreSQL: postgres, GOGC: "as serve sets it", LoadBefore: loadAverage(), LoadAfter: number(math.NaN()),
	}
	if gogc := os.Getenv("GOGC"); gogc != "" {
		m.GOGC = gogc
	}
	info, err := os.ReadFile("/proc/cpuinfo")
	if err != nil {
		return m
	}
	for line := range strings.Lines(string(info)) {
		if name, value, ok := strings.Cut(line, ":"); ok && strings.TrimSpace(name) == "model name" {
			m.CPU = strings.TrimSpace(value)
			break
		}
	}
	return m
}

// loadAverage returns the load average of the last minute, NaN if the system
// does not tell.
func loadAverage() number {
	text, err := os.ReadFile("/proc/loadavg")
	if err != nil {
		return number(math.NaN())
	}
	first, _, _ := strings.Cut(string(text), " ")
	n, err := strconv.ParseFloat(first, 64)
	if err != nil {
		return number(math.NaN())
	}
	return number(n)
}

func (m machine) String() string {
	return fmt.Sprintf("%s, %d cores, %s, %s, GOGC=%s, PostgreSQL %s; load average %s before and %s after",
		m.CPU, m.Cores, m.System, m.Go, m.GOGC, m.PostgreSQL, short(float64(m.LoadBefore)), short(float64(m.LoadAfter)))
}

// encode returns data as JSON for a file.
func encode(data any) (string, error) {
	text, err := json.MarshalIndent(data, "", "\t")
	return string(text) + "\n", err
}

// of returns the median over the rounds of one number of a contestant.
func (r *result) of(q, contestant string, number func(measurement) float64) float64 {
	return median(values(r.Measurements, q, contestant, number))
}

// markdown returns the report.
func (r *result) markdown() string {
	var b strings.Builder
	fmt.Fprintf(&b, "# Benchmark\n\n%s.\n\n", r.Machine)
	fmt.Fprintf(&b, "%s items in the large menu, %s members; %d rounds of %g s, %d connections unless the question says otherwise.\n"+
		"Numbers are medians over the rounds.\n",
		thousands(int64(r.Sizes.Items)), thousands(int64(r.Sizes.Members)), r.Rounds, r.Seconds, r.Connections)
	r.writeRatios(&b)
	for _, q := range r.Questions {
		r.writeQuestion(&b, q)
	}
	b.WriteString("\n## Memory\n\n| contestant | RSS after start, MiB | heap then, MiB | heap idle after all, MiB |\n|---|---:|---:|---:|\n")
	for _, c := range r.Contestants {
		fmt.Fprintf(&b, "| %s | %s | %s | %s |\n", c,
			short(float64(r.IdleRSS[c])/(1<<20)), short(float64(r.IdleHeap[c])/(1<<20)), short(float64(r.AfterHeap[c])/(1<<20)))
	}
	return b.String()
}

// writeRatios writes how collegium stands to the others: the goals are stated
// in these numbers.
func (r *result) writeRatios(b *strings.Builder) {
	over := func(q, a, other string, of func(measurement) float64) string {
		return short(ratio(r.Measurements, asking{q, a}, asking{q, other}, of))
	}
	b.WriteString("\n## Requests a second, collegium over the others\n\n" +
		"The ratio is taken in each round; this is its median. Answers are kept in the last columns only.\n\n" +
		"| question | over plain gqlgen | over PostGraphile | over hand-written SQL | over the bare handler | CPU against SQL | kept, over the bare handler | kept, by GET |\n" +
		"|---|---:|---:|---:|---:|---:|---:|---:|\n")
	for _, q := range r.Questions {
		if !q.Whole {
			continue
		}
		fmt.Fprintf(b, "| %s | %s | %s | %s | %s | %s | %s | %s |\n", q.Name, over(q.Name, ours, gqlgen, perSecond), over(q.Name, ours, postgraphile, perSecond),
			over(q.Name, ours, sql, perSecond), over(q.Name, ours, bare, perSecond), over(q.Name, ours, sql, cpu),
			over(q.Name, cached, bare, perSecond), over(q.Name+getSuffix, cached, bare, perSecond))
	}
	b.WriteString("\n")
	if n := ratio(r.Measurements, asking{notModified, cached}, asking{notModified, hello}, perSecond); !math.IsNaN(n) {
		fmt.Fprintf(b, "- A 304, over hello: %s.\n", short(n))
	}
	if n := ratio(r.Measurements, asking{laterPage, ours}, asking{firstPage, ours}, cpu); !math.IsNaN(n) {
		fmt.Fprintf(b, "- A page far into the directory against page 1: %s of the CPU, %s of the requests a second.\n",
			short(n), short(ratio(r.Measurements, asking{laterPage, ours}, asking{firstPage, ours}, perSecond)))
	}
	if r.Crowd != nil {
		fmt.Fprintf(b, "- %s.\n", r.Crowd)
	}
	if len(r.EncodingJSON) > 0 {
		server := r.of("Q1", ours, func(m measurement) float64 { return float64(m.ServerCPU) })
		took := median(r.EncodingJSON)
		fmt.Fprintf(b, "- encoding/json writes the answer to Q1 from structs in %s µs of CPU; collegium's server takes %s µs for the request, %s times as much.\n",
			short(took), short(server), short(server/took))
	}
}

func (r *result) writeQuestion(b *strings.Builder, q asked) {
	connections := strconv.Itoa(q.Connections) + " connections"
	if q.Connections == 1 {
		connections = "1 connection"
	}
	fmt.Fprintf(b, "\n## %s: %s\n\n%s bytes, %s.\n\n", q.Name, q.About, thousands(int64(q.Bytes)), connections)
	b.WriteString("| contestant | requests/s | spread | p50 ms | p99 ms | CPU server µs | CPU Postgres µs | CPU client µs | statements | allocations | KiB allocated | peak RSS MiB |\n" +
		"|---|---:|---:|---:|---:|---:|---:|---:|---:|---:|---:|---:|\n")
	for _, c := range r.Contestants {
		rates := values(r.Measurements, q.Name, c, perSecond)
		if len(rates) == 0 {
			continue
		}
		statements := "–"
		if n, ok := q.Statements[c]; ok {
			statements = short(float64(n))
		}
		apart := "–"
		if s := spread(rates); !math.IsNaN(s) {
			apart = fmt.Sprintf("%.0f %%", 100*s)
		}
		fmt.Fprintf(b, "| %s | %s | %s | %s | %s | %s | %s | %s | %s | %s | %s | %s |\n", c,
			short(median(rates)), apart,
			short(r.of(q.Name, c, func(m measurement) float64 { return m.P50 / 1000 })),
			short(r.of(q.Name, c, func(m measurement) float64 { return m.P99 / 1000 })),
			short(r.of(q.Name, c, func(m measurement) float64 { return float64(m.ServerCPU) })),
			short(r.of(q.Name, c, func(m measurement) float64 { return float64(m.PostgresCPU) })),
			short(r.of(q.Name, c, func(m measurement) float64 { return float64(m.ClientCPU) })),
			statements,
			short(r.of(q.Name, c, func(m measurement) float64 { return float64(m.Allocations) })),
			short(r.of(q.Name, c, func(m measurement) float64 { return float64(m.AllocatedBytes) / (1 << 10) })),
			short(r.of(q.Name, c, func(m measurement) float64 { return float64(m.PeakRSS) / (1 << 20) })))
	}
}
