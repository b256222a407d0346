package main

import (
	"context"
	"fmt"
	"io"
	"os"
	"strings"

	"github.com/collegium/collegium/internal/pack"
	"github.com/collegium/collegium/internal/pg"
	"github.com/collegium/collegium/internal/pg/pgembed"
)

type importCmd struct {
	databaseFlags `embed:""`

	Pack    importPackCmd    `cmd:"" default:"withargs" help:"Write a content pack into the database: all or nothing; a second run changes nothing."`
	Menu    importMenuCmd    `cmd:"" help:"Write a menu from an indented bullet outline, or from a captured page that holds one."`
	Members importMembersCmd `cmd:"" help:"Create and change members as a CSV file says, or add fictional ones; docs/operate.md says what stands in the file."`
}

// openMigrated opens the database of an import or an export. What only reads
// leaves the schema of a database that is not the program's own alone.
func (f databaseFlags) openMigrated(ctx context.Context, s streams, writes bool) (*database, error) {
	// A large import is one statement that takes longer than any request may.
	options := pg.Options{StatementTimeout: -1, ApplicationName: "collegium export"}
	start := starter(pgembed.OpenExisting)
	if writes {
		start, options.ApplicationName = pgembed.StartOrJoin, "collegium import"
	}
	db, err := f.open(ctx, s, start, options)
	if err != nil {
		return nil, err
	}
	if db.embedded == nil && !writes {
		if err := pg.Current(ctx, db.pool); err != nil {
			db.close()
			return nil, fmt.Errorf("%w\nRun \"collegium migrate up\" first", err)
		}
		return db, nil
	}
	if _, _, err := pg.Migrate(ctx, db.dsn); err != nil {
		db.close()
		return nil, err
	}
	return db, nil
}

type importPackCmd struct {
	Dir    string `arg:"" type:"existingdir" help:"Folder of the pack; docs/content-pack.md says what stands in it."`
	DryRun bool   `help:"Say what would change, and change nothing."`
}

// Run imports a pack.
func (c *importPackCmd) Run(ctx context.Context, s streams, m *cli) error {
	p, err := pack.Read(os.DirFS(c.Dir))
	if err != nil {
		return err
	}
	db, err := m.Import.openMigrated(ctx, s, !c.DryRun)
	if err != nil {
		return err
	}
	defer db.close()
	report, err := importWithBar(ctx, s, db, p, c.DryRun)
	if err != nil {
		return err
	}
	fmt.Fprintln(s.out, p.Name())
	printReports(s, report)
	sayDryRun(s, c.DryRun)
	return nil
}

func importWithBar(ctx context.Context, s streams, db *database, p *pack.Pack, dryRun bool) (*pack.Report, error) {
	var b bar
	defer func() { b.finish() }()
	total := 0
	return pack.Import(ctx, db.pool, p, pack.ImportOptions{DryRun: dryRun, Progress: func(done, of int, what string) {
		if of != total {
			b.finish()
			b, total = newBar(s, of, what), of
		}
		b.describe(what)
		b.set(done)
	}})
}

type importMenuCmd struct {
	Handle string `required:"" placeholder:"NAME" help:"Handle of the menu, as main."`
	File   string `arg:"" help:"The outline; - reads standard input."`
	DryRun bool   `help:"Say what would change, and change nothing."`
}

// Run imports a menu.
func (c *importMenuCmd) Run(ctx context.Context, s streams, m *cli) error {
	var in io.Reader = os.Stdin
	if c.File != "-" {
		f, err := os.Open(c.File)
		if err != nil {
			return err
		}
		defer f.Close()
		in = f
	}
	outline, err := pack.ReadOutline(in)
	if err != nil {
		return fmt.Errorf("%s: %w", c.File, err)
	}
	db, err := m.Import.openMigrated(ctx, s, !c.DryRun)
	if err != nil {
		return err
	}
	defer db.close()
	report, err := pack.ImportMenu(ctx, db.pool, c.Handle, outline, pack.MenuOptions{DryRun: c.DryRun})
	if err != nil {
		return err
	}
	printReports(s, outline, report)
	sayDryRun(s, c.DryRun)
	return nil
}

// printReports writes each report, ended by one line end.
func printReports(s streams, reports ...fmt.Stringer) {
	for _, r := range reports {
		fmt.Fprintln(s.out, strings.TrimRight(r.String(), "\n"))
	}
}

func sayDryRun(s streams, dryRun bool) {
	if dryRun {
		fmt.Fprintln(s.out, "dry run: nothing was written")
	}
}
