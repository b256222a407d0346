// Command bench measures how fast the graph answers, beside what it could be
// replaced with: gqlgen alone, one statement a question written by hand, and
// finished answers from memory. docs/performance.md says how to read what it
// writes.
package main

import (
	"context"
	"fmt"
	"io"
	"os"
	"os/signal"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"time"

	"github.com/alecthomas/kong"

	"github.com/collegium/collegium/internal/pg/pgembed"
	"github.com/collegium/collegium/internal/server"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	os.Exit(run(ctx, os.Args[1:], os.Stdin, os.Stdout, os.Stderr))
}

// options are the flags.
type options struct {
	Rounds      int      `default:"5" placeholder:"N" help:"How often everything is measured; the contestants take turns in each round."`
	Seconds     float64  `default:"3" placeholder:"S" help:"How long one contestant answers one question in one round."`
	Connections int      `default:"16" placeholder:"N" help:"Keep-alive connections that ask at once."`
	Pool        int32    `default:"16" placeholder:"N" help:"Connections to PostgreSQL of each contestant; the server takes 16 by default."`
	Questions   []string `placeholder:"Q" help:"Only these questions: Q1, Q1L, Q2 to Q7, Q1-GET to Q5-GET, 304, P1, P5000, misses."`
	Only        []string `placeholder:"NAME" help:"Only these contestants: collegium-cached, plain-gqlgen, postgraphile, sql, bare, hello; collegium always takes part."`
	Peers       bool     `help:"Let PostGraphile take part too; npm fetches it into the user's cache the first time."`
	Skip        []string `placeholder:"NAME" help:"Not these contestants."`
	Sizes       []int    `default:"10000,50000" placeholder:"ITEMS,MEMBERS" help:"Items of the large menu, and members."`
	Out         string   `type:"path" placeholder:"DIR" help:"Folder for results.md, results.json and chart.svg, and profiles; without it the table goes to the standard output."`
	Profile     bool     `help:"After the measurements take CPU profiles of collegium and collegium-cached on each question, as cpu-collegium-Q3.pprof, into the folder of --out."`
	Quick       bool     `help:"A short run over little data that shows whether everything works; its numbers mean nothing."`

	Soak time.Duration `placeholder:"DURATION" help:"Measure instead how collegium bears three times more load than fits, for so long; 10m tells whether its memory stays."`

	Growth        bool  `help:"Measure instead how time and memory grow with the data, at one connection."`
	GrowthItems   []int `default:"312,10000,100000" placeholder:"N,…" help:"Sizes of the large menu for --growth."`
	GrowthMembers []int `default:"2000,50000,500000" placeholder:"N,…" help:"Numbers of members for --growth."`
}

// The exit codes.
const (
	exitOK     = 0
	exitFailed = 1
	exitUsage  = 2
)

// run runs the program and returns the exit code.
func run(ctx context.Context, args []string, stdin io.Reader, stdout, stderr io.Writer) int {
	if len(args) > 0 && args[0] == contestantCommand {
		server.TuneMemory() // all alike
		if err := compete(ctx, stdin, stdout); err != nil {
			fmt.Fprintln(stderr, "bench contestant:", err)
			return exitFailed
		}
		return exitOK
	}
	var o options
	exited := -1
	parser, err := kong.New(&o,
		kong.Name("bench"),
		kong.Description("Measures how fast the graph answers, on a private PostgreSQL that is removed at the end."),
		kong.Writers(stdout, stderr),
		kong.Exit(func(code int) { exited = code }),
	)
	if err != nil {
		fmt.Fprintln(stderr, "bench:", err)
		return exitFailed
	}
	_, err = parser.Parse(args)
	if exited >= 0 { // --help
		return exited
	}
	if err == nil {
		err = o.check()
	}
	if err != nil {
		fmt.Fprintf(stderr, "bench: %s\nRun \"bench --help\" for what there is.\n", err)
		return exitUsage
	}
	began := time.Now()
	say := func(format string, args ...any) {
		fmt.Fprintf(stderr, "%7.1fs  %s\n", time.Since(began).Seconds(), fmt.Sprintf(format, args...))
	}
	if err := o.bench(ctx, stdout, say); err != nil {
		fmt.Fprintln(stderr, "bench:", err)
		return exitFailed
	}
	return exitOK
}

// check says what is wrong with the flags, and fits them to a quick run.
func (o *options) check() error {
	if o.Quick {
		o.Rounds, o.Seconds, o.Connections, o.Sizes = 2, 0.02, 4, []int{400, 1000}
		o.GrowthItems, o.GrowthMembers = []int{100}, []int{500}
	}
	known := []string{firstPage, laterPage, misses}
	for _, q := range questions(subjects{mainDepth: 1, largeDepth: 1}) {
		known = append(known, q.Name)
	}
	for _, l := range []struct {
		flag         string
		given, known []string
	}{
		{"--questions", o.Questions, known}, {"--only", o.Only, contestants}, {"--skip", o.Skip, contestants},
	} {
		for _, name := range l.given {
			if !slices.Contains(l.known, name) {
				return fmt.Errorf("%s: there is no %q; choose from %s", l.flag, name, strings.Join(l.known, ", "))
			}
		}
	}
	switch {
	case slices.Contains(o.Skip, ours):
		return fmt.Errorf("--skip: %s always takes part, since everything is compared with it", ours)
	case o.Rounds < 1:
		return fmt.Errorf("--rounds: %d is too few; give at least 1, and 5 for numbers to rely on", o.Rounds)
	case o.Seconds <= 0 || o.Seconds > 600:
		return fmt.Errorf("--seconds: %g is out of range; give more than 0 and at most 600", o.Seconds)
	case o.Connections < 1 || o.Connections > 1000:
		return fmt.Errorf("--connections: %d is out of range; give 1 to 1000", o.Connections)
	case o.Pool < 1 || o.Pool > 20:
		return fmt.Errorf("--pool: %d is out of range; give 1 to 20", o.Pool)
	case len(o.Sizes) != 2:
		return fmt.Errorf("--sizes: give two numbers, the items of the large menu and the members, as 10000,50000")
	case o.Soak < 0 || o.Soak > 24*time.Hour:
		return fmt.Errorf("--soak: %v is out of range; give more than 0 and at most 24h, as 10m", o.Soak)
	case o.Soak > 0 && o.Growth:
		return fmt.Errorf("--soak and --growth: they measure different things; give one of them")
	case o.Profile && o.Out == "":
		return fmt.Errorf("--profile: give the folder for the profiles with --out")
	}
	for _, n := range slices.Concat(o.Sizes[:1], o.GrowthItems) {
		if n < largeLevels || n > 100_000 {
			return fmt.Errorf("a menu of %d items can't be made; give %d to 100000", n, largeLevels)
		}
	}
	for _, n := range slices.Concat(o.Sizes[1:], o.GrowthMembers) {
		if n < 500 || n > 1_000_000 {
			return fmt.Errorf("%d members can't be made; give 500 to 1000000", n)
		}
	}
	return nil
}

// wants says whether a question is asked.
func (o *options) wants(question string) bool {
	return len(o.Questions) == 0 || slices.Contains(o.Questions, question)
}

// takesPart says whether a contestant is measured.
func (o *options) takesPart(name string) bool {
	switch {
	case name == ours:
		return true
	case name == postgraphile && !o.Peers:
		return false
	}
	return (len(o.Only) == 0 || slices.Contains(o.Only, name)) && !slices.Contains(o.Skip, name)
}

// bench starts a PostgreSQL, measures and reports.
func (o *options) bench(ctx context.Context, stdout io.Writer, say func(string, ...any)) error {
	if o.Out != "" {
		if err := os.MkdirAll(o.Out, 0o755); err != nil {
			return err
		}
	}
	db, err := pgembed.Start(ctx, pgembed.Options{Ephemeral: true, Progress: func(step string) { say("postgres: %s", step) }})
	if err != nil {
		return err
	}
	defer func() {
		stopping, cancel := context.WithTimeout(context.WithoutCancel(ctx), 20*time.Second)
		defer cancel()
		_ = db.Stop(stopping) // ended at the latest with this process
	}()
	machine := describe(db.Version())
	if o.Growth {
		rows, err := o.growth(ctx, db.DSN(), say)
		if err != nil {
			return err
		}
		machine.LoadAfter = loadAverage()
		return o.write(stdout, growthMarkdown(rows, machine), map[string]any{"machine": machine, "growth": rows}, "growth", "")
	}
	dsn, err := addDatabase(ctx, db.DSN(), "bench")
	if err != nil {
		return err
	}
	if o.Soak > 0 {
		s, err := o.soak(ctx, dsn, say)
		if err != nil {
			return err
		}
		s.Machine = machine
		s.Machine.LoadAfter = loadAverage()
		return o.write(stdout, s.markdown(), s, "soak", "")
	}
	r, err := o.measure(ctx, dsn, say)
	if err != nil {
		return err
	}
	r.Machine = machine
	r.Machine.LoadAfter = loadAverage()
	return o.write(stdout, r.markdown(), r, "results", r.chart())
}

// write writes a report as Markdown and JSON, and a chart if there is one, to
// the folder of the flags, or the Markdown to the standard output.
func (o *options) write(stdout io.Writer, markdown string, data any, name, chart string) error {
	if o.Out == "" {
		_, err := io.WriteString(stdout, markdown)
		return err
	}
	text, err := encode(data)
	if err != nil {
		return err
	}
	files := map[string]string{name + ".md": markdown, name + ".json": text}
	if chart != "" {
		files["chart.svg"] = chart
	}
	for file, content := range files {
		if err := os.WriteFile(filepath.Join(o.Out, file), []byte(content), 0o644); err != nil {
			return err
		}
	}
	fmt.Fprintln(stdout, filepath.Join(o.Out, name+".md"))
	return nil
}
