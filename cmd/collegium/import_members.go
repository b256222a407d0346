package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"unicode/utf8"

	"github.com/collegium/collegium/internal/membercsv"
	"github.com/collegium/collegium/internal/pack"
)

type importMembersCmd struct {
	File string `arg:"" optional:"" help:"The CSV file; - reads standard input."`

	Map         []string `sep:"none" placeholder:"HEADING=FIELD" help:"What a column holds whose heading does not say it, as \"Forename=given_name\"; without a field the column is left out. Can be repeated."`
	MapFile     string   `type:"existingfile" placeholder:"FILE" help:"The same, one a line."`
	Encoding    string   `default:"utf-8" enum:"utf-8,windows-1252" help:"How the file is encoded: utf-8 or windows-1252. A byte order mark wins."`
	Delimiter   string   `placeholder:"CHARACTER" help:"What stands between cells; the headings show it otherwise."`
	DryRun      bool     `help:"Say what would change, and change nothing."`
	SkipBad     bool     `help:"Write the rows that are right although others are wrong. Otherwise it is all or nothing."`
	MaxProblems int      `default:"100" placeholder:"N" help:"How many problems are told; the others are counted."`

	Generate int    `placeholder:"N" help:"Instead of a file: how many fictional members there shall be of this seed, for demos and benchmarks."`
	Seed     uint64 `default:"1" placeholder:"S" help:"The same seed makes the same members."`
}

// Run imports members.
func (c *importMembersCmd) Run(ctx context.Context, s streams, m *cli) error {
	delimiter, size := utf8.DecodeRuneInString(c.Delimiter)
	switch {
	case c.Generate != 0 && c.File != "":
		return &usageError{errors.New("a file and --generate do not go together; leave one out")}
	case c.Generate != 0:
		return c.generate(ctx, s, m)
	case c.File == "":
		return &usageError{errors.New("say which file to import, or with --generate how many fictional members to add")}
	case c.MaxProblems < 1:
		return &usageError{fmt.Errorf("--max-problems %d is too few; pass 1 or more", c.MaxProblems)}
	case c.Delimiter == `\t` || c.Delimiter == "tab":
		delimiter = '\t'
	case c.Delimiter == "":
		delimiter = 0
	case size != len(c.Delimiter) || delimiter == utf8.RuneError || strings.ContainsRune("\"\r\n", delimiter):
		return &usageError{fmt.Errorf("--delimiter %q is not one character; pass one, as ; or tab", c.Delimiter)}
	}
	mapping, err := c.mapping()
	if err != nil {
		return err
	}
	var in io.Reader = os.Stdin
	name, bytes := "standard input", -1
	if c.File != "-" {
		f, err := os.Open(c.File)
		if err != nil {
			return err
		}
		defer f.Close()
		if info, err := f.Stat(); err == nil && info.Mode().IsRegular() {
			bytes = int(info.Size())
		}
		in, name = f, c.File
	}
	db, err := m.Import.openMigrated(ctx, s, !c.DryRun)
	if err != nil {
		return err
	}
	defer db.close()
	b := newBar(s, bytes, "bytes")
	report, err := membercsv.Import(ctx, db.pool, in, membercsv.Options{
		File: name, Mapping: mapping, Encoding: c.Encoding, Delimiter: delimiter, DryRun: c.DryRun, SkipBad: c.SkipBad, MaxProblems: c.MaxProblems,
		Progress: func(read int64) { b.set(int(read)) },
	})
	b.finish()
	if bad, ok := errors.AsType[*membercsv.BadRowsError](err); ok {
		return bad
	}
	if err != nil {
		return err
	}
	printReports(s, report)
	sayDryRun(s, c.DryRun)
	return nil
}

func (c *importMembersCmd) mapping() (membercsv.Mapping, error) {
	var lines []string
	if c.MapFile != "" {
		text, err := os.ReadFile(c.MapFile)
		if err != nil {
			return nil, err
		}
		lines = strings.Split(strings.TrimPrefix(string(text), "\ufeff"), "\n")
	}
	return membercsv.ParseMapping(append(lines, c.Map...))
}

func (c *importMembersCmd) generate(ctx context.Context, s streams, m *cli) error {
	db, err := m.Import.openMigrated(ctx, s, true)
	if err != nil {
		return err
	}
	defer db.close()
	b := newBar(s, c.Generate, "members")
	report, err := pack.GenerateMembers(ctx, db.pool, c.Generate, c.Seed, b.set)
	b.finish()
	if err != nil {
		return err
	}
	printReports(s, report)
	return nil
}
