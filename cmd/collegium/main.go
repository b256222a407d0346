// Command collegium serves the content and the members of a professional body as
// one graph over PostgreSQL.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"strings"
	"syscall"

	"github.com/alecthomas/kong"

	"github.com/collegium/collegium/internal/errs"
)

// The exit codes.
const (
	exitOK      = 0
	exitFailed  = 1
	exitUsage   = 2
	exitStopped = 130 // interrupted before it was done
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	os.Exit(run(ctx, os.Args[1:], os.Getenv, os.Stdout, os.Stderr))
}

// cli is the command line. Every flag can also be set by an environment variable:
// the one that its help names, else COLLEGIUM_ and the flag in capitals.
type cli struct {
	Serve     serveCmd     `cmd:"" help:"Serve the graph over HTTP. Without a database address it runs a private PostgreSQL and loads the demo body."`
	Migrate   migrateCmd   `cmd:"" help:"Bring the database schema up to date, or back, or say how it stands."`
	Import    importCmd    `cmd:"" help:"Write a content pack, a menu or members into the database."`
	Export    exportCmd    `cmd:"" help:"Write the content into a folder as a content pack, or the members into a CSV file."`
	Documents documentsCmd `cmd:"" help:"Keep the trusted documents: the operations of known clients, which they name instead of sending them."`
	User      userCmd      `cmd:"" help:"Make accounts for people who sign in."`
	Audit     auditCmd     `cmd:"" help:"Check the audit of what was written."`
	Key       keyCmd       `cmd:"" help:"Keep the keys of partners' applications."`
	Schema    schemaCmd    `cmd:"" help:"Print the schema of the graph in the schema definition language."`
	Version   versionCmd   `cmd:"" help:"Print the version."`
}

// streams are where a command writes: answers to out, everything else to err.
type streams struct {
	out, err io.Writer
}

// exit is thrown by kong's --help, which ends the program.
type exit int

// run runs one command and returns the exit code.
func run(ctx context.Context, args []string, getenv func(string) string, stdout, stderr io.Writer) (code int) {
	defer func() {
		if p := recover(); p != nil {
			c, ok := p.(exit)
			if !ok {
				panic(p)
			}
			code = int(c)
		}
	}()
	var c cli
	parser, err := kong.New(&c,
		kong.Name("collegium"),
		kong.Description("The content and the members of a professional body, as one graph over PostgreSQL.\n\n"+
			"Every flag can be set by an environment variable too: the one that its help names, else COLLEGIUM_ and the flag in "+
			"capitals, as COLLEGIUM_RATE_POINTS for --rate-points. A flag wins.\n\n"+
			"Exit codes: 0 done, 1 failed, 2 wrong usage, 130 interrupted."),
		kong.Writers(stdout, stderr),
		kong.Exit(func(n int) { panic(exit(n)) }),
		kong.ConfigureHelp(kong.HelpOptions{Compact: true, Summary: false}),
		kong.Resolvers(environment(getenv)),
		kong.ShortUsageOnError(),
		kong.Bind(streams{stdout, stderr}),
		kong.BindTo(ctx, (*context.Context)(nil)),
	)
	if err != nil {
		fmt.Fprintln(stderr, "collegium:", err)
		return exitFailed
	}
	k, err := parser.Parse(args)
	if err != nil {
		fmt.Fprintf(stderr, "collegium: %s\nRun \"collegium --help\" for what there is.\n", err)
		return exitUsage
	}
	err = k.Run()
	var usage *usageError
	var invalid *errs.Invalid
	switch {
	case err == nil:
		return exitOK
	case errors.As(err, &usage):
		fmt.Fprintln(stderr, "collegium:", err)
		return exitUsage
	case ctx.Err() != nil:
		fmt.Fprintln(stderr, "collegium: interrupted")
		return exitStopped
	case errors.As(err, &invalid):
		fmt.Fprintln(stderr, "collegium:", invalid)
		return exitFailed
	default:
		fmt.Fprintln(stderr, "collegium:", err)
		return exitFailed
	}
}

// usageError is a wrong flag or argument that the parser could not see.
type usageError struct{ error }

// environment takes the value of a flag from its environment variable. It stands
// in for kong's own look-up, which reads the environment of the process and so
// cannot be tested in parallel.
func environment(getenv func(string) string) kong.Resolver {
	return kong.ResolverFunc(func(_ *kong.Context, _ *kong.Path, flag *kong.Flag) (any, error) {
		names := flag.Tag.GetAll("from")
		if len(names) == 0 {
			names = []string{"COLLEGIUM_" + strings.ToUpper(strings.ReplaceAll(flag.Name, "-", "_"))}
		}
		for _, name := range names {
			if v := strings.TrimSpace(getenv(name)); v != "" {
				return v, nil
			}
		}
		return nil, nil
	})
}
