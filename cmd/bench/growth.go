package main

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"
)

// growthRow is one question on one size of data.
type growthRow struct {
	Sizes    sizes  `json:"sizes"`
	Question string `json:"question"`
	// Bytes is how long the answer is.
	Bytes int `json:"bytes"`
	// P50 and P99 are in microseconds, at one connection.
	P50         float64 `json:"p50Micros"`
	P99         float64 `json:"p99Micros"`
	ServerCPU   number  `json:"serverCpuMicros"`
	PostgresCPU number  `json:"postgresCpuMicros"`
	// AboveIdle is the most memory that the server held, above what it held when
	// it had started, in bytes.
	AboveIdle number `json:"rssAboveIdleBytes"`
}

// growthQuestions are those whose data grow with the menu and with the members.
var (
	menuQuestions   = []string{"Q1", "Q1L"}
	memberQuestions = []string{"Q2", "Q3", "Q4", "Q5", "Q6", "Q7"}
)

// growth measures collegium on data of several sizes, each in a database and a
// process of its own: first on larger and larger menus, then on more and more
// members.
func (o *options) growth(ctx context.Context, dsn string, say func(string, ...any)) ([]growthRow, error) {
	var rows []growthRow
	least := sizes{slices.Min(o.GrowthItems), slices.Min(o.GrowthMembers)}
	measure := func(s sizes, names []string) error {
		name := fmt.Sprintf("growth_%d_%d", s.Items, s.Members)
		say("%d menu items, %d members", s.Items, s.Members)
		found, err := o.growthStep(ctx, dsn, name, s, names, say)
		rows = append(rows, found...)
		return err
	}
	for _, n := range o.GrowthItems {
		if err := measure(sizes{n, least.Members}, menuQuestions); err != nil {
			return nil, err
		}
	}
	for _, n := range o.GrowthMembers {
		s := sizes{least.Items, n}
		if s == least {
			s.Items++ // a database of that name is there
		}
		if err := measure(s, memberQuestions); err != nil {
			return nil, err
		}
	}
	return rows, nil
}

func (o *options) growthStep(ctx context.Context, dsn, name string, s sizes, names []string, say func(string, ...any)) ([]growthRow, error) {
	dsn, err := addDatabase(ctx, dsn, name)
	if err != nil {
		return nil, err
	}
	there, err := fill(ctx, dsn, s, say)
	if err != nil {
		return nil, err
	}
	postmaster, err := parentOfBackend(ctx, dsn)
	if err != nil {
		return nil, err
	}
	var rows []growthRow
	for _, q := range questions(there) {
		if !slices.Contains(names, q.Name) {
			continue
		}
		// A process for each question: the memory of one says nothing about the next.
		row, err := o.growthQuestion(ctx, dsn, q, postmaster)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", q.Name, err)
		}
		row.Sizes = s
		rows = append(rows, row)
	}
	return rows, nil
}

func (o *options) growthQuestion(ctx context.Context, dsn string, q question, postmaster int) (growthRow, error) {
	p, err := start(ctx, role{Contestant: ours, DSN: dsn, Connections: o.Pool})
	if err != nil {
		return growthRow{}, err
	}
	defer p.stop()
	if _, err := p.learn(ctx, q); err != nil {
		return growthRow{}, err
	}
	m, err := p.measure(ctx, q.Name, 1, time.Duration(o.Seconds*float64(time.Second)), postmaster)
	if err != nil {
		return growthRow{}, err
	}
	return growthRow{
		Question: q.Name, Bytes: len(p.exchanges[q.Name][0].want), P50: m.P50, P99: m.P99,
		ServerCPU: m.ServerCPU, PostgresCPU: m.PostgresCPU, AboveIdle: m.PeakRSS - p.idleRSS,
	}, nil
}

// growthMarkdown returns the report on growth.
func growthMarkdown(rows []growthRow, m machine) string {
	var b strings.Builder
	fmt.Fprintf(&b, "# Growth\n\n%s.\n\nOne connection, collegium alone.\n\n", m)
	b.WriteString("| question | items of the large menu | members | answer, bytes | p50 ms | p99 ms | CPU server µs | CPU Postgres µs | RSS above idle MiB |\n" +
		"|---|---:|---:|---:|---:|---:|---:|---:|---:|\n")
	sorted := slices.Clone(rows)
	slices.SortStableFunc(sorted, func(a, b growthRow) int { return strings.Compare(a.Question, b.Question) })
	for _, r := range sorted {
		fmt.Fprintf(&b, "| %s | %s | %s | %s | %s | %s | %s | %s | %s |\n", r.Question,
			thousands(int64(r.Sizes.Items)), thousands(int64(r.Sizes.Members)), thousands(int64(r.Bytes)),
			short(r.P50/1000), short(r.P99/1000), short(float64(r.ServerCPU)), short(float64(r.PostgresCPU)), short(float64(r.AboveIdle)/(1<<20)))
	}
	return b.String()
}
