package main

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"
)

// result is all that a run has found out.
type result struct {
	Machine     machine  `json:"machine"`
	Sizes       sizes    `json:"sizes"`
	Rounds      int      `json:"rounds"`
	Seconds     float64  `json:"seconds"`
	Connections int      `json:"connections"`
	Contestants []string `json:"contestants"`
	// Questions are what was asked, in order; the question "hello" is the
	// contestant hello's only one.
	Questions    []asked       `json:"questions"`
	Measurements []measurement `json:"measurements"`
	// EncodingJSON is the CPU time that encoding/json takes for the answer to Q1
	// from structs in memory, in microseconds, in each round.
	EncodingJSON []float64 `json:"encodingJsonMicros"`
	// Crowd is nil if the contestant that keeps answers takes no part.
	Crowd *crowded `json:"crowd"`
	// IdleRSS and IdleHeap are the memory of each contestant before the first
	// measurement, in bytes; AfterHeap is the heap once it is idle again.
	IdleRSS   map[string]number `json:"idleRssBytes"`
	IdleHeap  map[string]number `json:"idleHeapBytes"`
	AfterHeap map[string]number `json:"afterHeapBytes"`
}

// asked is a question as the report needs it.
type asked struct {
	Name string `json:"name"`
	// Whole says that all contestants may be asked it.
	Whole bool   `json:"whole"`
	About string `json:"about"`
	// Connections is how many asked at once.
	Connections int `json:"connections"`
	// Bytes is how long collegium's answer is.
	Bytes int `json:"bytes"`
	// Statements is how many statements a request takes, by contestant.
	Statements map[string]number `json:"statements"`
}

// measure fills a database, lets the contestants answer and compares what they
// say, and only then measures.
func (o *options) measure(ctx context.Context, dsn string, say func(string, ...any)) (*result, error) {
	r := &result{
		Sizes: sizes{o.Sizes[0], o.Sizes[1]}, Rounds: o.Rounds, Seconds: o.Seconds, Connections: o.Connections,
		IdleRSS: map[string]number{}, IdleHeap: map[string]number{}, AfterHeap: map[string]number{},
	}
	there, err := fill(ctx, dsn, r.Sizes, say)
	if err != nil {
		return nil, err
	}
	list := o.asked(there)
	postmaster, err := parentOfBackend(ctx, dsn)
	if err != nil {
		return nil, err
	}

	running, err := o.assemble(ctx, dsn, list, say)
	defer func() {
		for _, p := range running {
			p.stop()
		}
	}()
	if err != nil {
		return nil, err
	}
	pages, err := o.pages(ctx, running[0])
	if err != nil {
		return nil, err
	}
	list = append(list, pages...)
	for _, p := range running {
		r.Contestants = append(r.Contestants, p.name)
		r.IdleRSS[p.name], r.IdleHeap[p.name] = p.idleRSS, p.idleHeap
	}
	for _, q := range list {
		a := asked{
			Name: q.Name, Whole: q.only == nil, About: q.About, Connections: o.connections(q),
			Bytes: len(running[0].exchanges[q.Name][0].want), Statements: map[string]number{},
		}
		for _, p := range running {
			if n, ok := p.statements[q.Name]; ok {
				a.Statements[p.name] = n
			}
		}
		r.Questions = append(r.Questions, a)
	}
	say("%d contestants give the same answers to %d questions", len(running), len(list))

	d := time.Duration(o.Seconds * float64(time.Second))
	for _, p := range running {
		if p.name != postgraphile {
			continue
		}
		// Node.js compiles what runs often while it runs, which takes seconds.
		for _, q := range list {
			if p.exchanges[q.Name] == nil {
				continue
			}
			if _, err := drive(ctx, p.at.Graph, p.exchanges[q.Name], o.connections(q), 2*d); err != nil {
				return nil, fmt.Errorf("%s asked %s: %w", p.name, q.Name, err)
			}
		}
		say("%s is warm", p.name)
	}
	var tree any
	for round := range o.Rounds {
		for at, q := range list {
			for _, p := range turn(running, round+at) {
				if !q.asks(p.name) || p.exchanges[q.Name] == nil {
					continue
				}
				m, err := p.measure(ctx, q.Name, o.connections(q), d, postmaster)
				if err != nil {
					return nil, fmt.Errorf("%s asked %s: %w", p.name, q.Name, err)
				}
				m.Round = round
				r.Measurements = append(r.Measurements, m)
			}
			if q.Name == "Q1" {
				if tree == nil {
					if tree, err = menuStructs(running[0].exchanges["Q1"][0].want); err != nil {
						return nil, err
					}
				}
				took, err := encodingTime(tree, d)
				if err != nil {
					return nil, err
				}
				r.EncodingJSON = append(r.EncodingJSON, took)
			}
		}
		say("round %d of %d done", round+1, o.Rounds)
	}
	for _, p := range running {
		if p.name == cached && o.wants(misses) {
			c, err := p.crowd(ctx, crowd)
			if err != nil {
				return nil, fmt.Errorf("%s asked by %d clients at once: %w", p.name, crowd, err)
			}
			r.Crowd = &c
		}
		s, err := p.idle(ctx)
		if err != nil {
			return nil, err
		}
		r.AfterHeap[p.name] = s.HeapAlloc
	}
	if o.Profile {
		for _, p := range running {
			for _, q := range list {
				if p.name != ours && p.name != cached || !q.asks(p.name) {
					continue
				}
				file := filepath.Join(o.Out, "cpu-"+p.name+"-"+q.Name+".pprof")
				if err := p.profile(ctx, q.Name, o.connections(q), max(1, int(4*o.Seconds)), file); err != nil {
					return nil, fmt.Errorf("profile %s of %s: %w", q.Name, p.name, err)
				}
			}
		}
		say("profiles written")
	}
	return r, nil
}

// asked returns the questions that the flags leave.
func (o *options) asked(s subjects) []question {
	list := slices.DeleteFunc(questions(s), func(q question) bool {
		return !o.wants(q.Name) || q.form != byPost && !o.takesPart(cached)
	})
	if len(list) > 0 {
		list[0].greeted = true
	}
	return list
}

func (o *options) connections(q question) int {
	if q.connections > 0 {
		return q.connections
	}
	return o.Connections
}

// turn returns the contestants beginning with another one for each number, so
// that none always comes first, when the caches are cold.
func turn(running []*process, n int) []*process {
	n %= len(running)
	return slices.Concat(running[n:], running[:n])
}

// assemble starts the contestants, collegium first, and compares their answers
// with collegium's. It returns those that were started also with an error. A peer
// that can't be had takes no part, and one that answers a question differently
// isn't asked it.
func (o *options) assemble(ctx context.Context, dsn string, list []question, say func(string, ...any)) (running []*process, err error) {
	statements, answers := map[string]statement{}, map[string]string{}
	for _, q := range list {
		for i, r := range q.requests(sql) {
			statements[r.key] = statement{q.variants[i].sql, q.variants[i].args}
		}
	}
	for _, name := range contestants {
		if !o.takesPart(name) {
			continue
		}
		r := role{Contestant: name, DSN: dsn, Connections: o.Pool}
		switch name {
		case sql:
			r.Statements = statements
		case bare:
			r.Answers = answers
		}
		begin := func() (*process, error) { return start(ctx, r) }
		if name == postgraphile {
			begin = func() (*process, error) { return invite(ctx, r, say) }
		}
		p, err := begin()
		switch {
		case err != nil && name == postgraphile:
			say("%s takes no part: %v", name, err)
			continue
		case err != nil:
			return running, err
		}
		running = append(running, p)
		for _, q := range list {
			if name != ours && !q.asks(name) {
				continue
			}
			err := p.meet(ctx, q, running[0])
			switch {
			case err != nil && name == postgraphile:
				say("%s isn't asked %s: %v", name, q.Name, err)
				delete(p.exchanges, q.Name)
			case err != nil:
				return running, err
			}
			if name == ours {
				for i, r := range q.requests(bare) {
					answers[r.key] = string(p.exchanges[q.Name][i].want)
				}
			}
		}
	}
	return running, nil
}

// meet lets the contestant learn a question, and compares what it says with what
// the first contestant said.
func (p *process) meet(ctx context.Context, q question, first *process) error {
	if p.name == hello {
		for _, r := range q.requests(hello) {
			if q.form == unchanged { // as long as the request of the others
				r.wire = ifNoneMatch(r.wire, `"`+strings.Repeat("0", 32)+`"`)
			}
			p.exchanges[q.Name] = append(p.exchanges[q.Name], exchange{r.wire, http.StatusOK, []byte(helloAnswer)})
		}
		return nil
	}
	answers, err := p.learn(ctx, q)
	if err != nil {
		return err
	}
	same := sameData
	if p.name == postgraphile {
		same = samePeerData
	}
	for i, answer := range answers {
		want := first.exchanges[q.Name][i].want
		if err := same(want, answer); err != nil {
			return fmt.Errorf("%s: %s and %s answer differently, so nothing is timed: %w", q.Name, first.name, p.name, err)
		}
		if err := notEmpty(want); err != nil {
			return fmt.Errorf("%s: %w", q.Name, err)
		}
	}
	return nil
}

// notEmpty says with an error that a root field of an answer is null: then there
// is nothing to measure.
func notEmpty(answer []byte) error {
	var a struct{ Data map[string]any }
	if err := json.Unmarshal(answer, &a); err != nil {
		return err
	}
	for name, value := range a.Data {
		if value == nil {
			return fmt.Errorf("the answer has no %s, so there is nothing to measure: %.200s", name, answer)
		}
	}
	return nil
}

// measure asks one question for a time, after a tenth of it to warm up.
func (p *process) measure(ctx context.Context, q string, connections int, d time.Duration, postmaster int) (measurement, error) {
	if _, err := drive(ctx, p.at.Graph, p.exchanges[q], connections, d/10); err != nil {
		return measurement{}, err
	}
	before, err := p.stats(ctx)
	if err != nil {
		return measurement{}, err
	}
	top := peak(p.pid)
	server, postgres, client := cpuOf(p.pid), cpuOfTree(postmaster), cpuOf(os.Getpid())
	l, err := drive(ctx, p.at.Graph, p.exchanges[q], connections, d)
	server, postgres, client = cpuOf(p.pid)-server, cpuOfTree(postmaster)-postgres, cpuOf(os.Getpid())-client
	most := top()
	if err != nil {
		return measurement{}, err
	}
	after, err := p.stats(ctx)
	if err != nil {
		return measurement{}, err
	}
	n := float64(len(l.latencies))
	return measurement{
		Question: q, Contestant: p.name, Requests: len(l.latencies),
		PerSecond:      n / l.took.Seconds(),
		P50:            micros(percentile(l.latencies, 50)),
		P99:            micros(percentile(l.latencies, 99)),
		ServerCPU:      number(server / n),
		PostgresCPU:    number(postgres / n),
		ClientCPU:      number(client / n),
		Allocations:    (after.Mallocs - before.Mallocs) / number(n),
		AllocatedBytes: (after.TotalAlloc - before.TotalAlloc) / number(n),
		PeakRSS:        number(most),
	}, nil
}

// parentOfBackend returns the process id of PostgreSQL's main process, 0 if the
// system does not tell.
func parentOfBackend(ctx context.Context, dsn string) (int, error) {
	conn, err := pgx.Connect(ctx, dsn)
	if err != nil {
		return 0, err
	}
	defer conn.Close(context.WithoutCancel(ctx))
	s, err := readStat(int(conn.PgConn().PID()))
	if err != nil {
		return 0, nil
	}
	return s.parent, nil
}
