package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"

	"github.com/collegium/collegium/internal/membercsv"
	"github.com/collegium/collegium/internal/pack"
)

type exportCmd struct {
	databaseFlags `embed:""`

	Pack    exportPackCmd    `cmd:"" default:"withargs" help:"Write the content into a folder, as a content pack."`
	Members exportMembersCmd `cmd:"" help:"Write all members into a CSV file that \"import members\" takes. It holds what members keep to themselves."`
}

type exportPackCmd struct {
	Dir string `arg:"" type:"path" help:"Folder to write: one that does not exist, is empty, or holds a pack, which is replaced."`
}

// Run exports the content.
func (c *exportPackCmd) Run(ctx context.Context, s streams, m *cli) error {
	db, err := m.Export.openMigrated(ctx, s, false)
	if err != nil {
		return err
	}
	defer db.close()
	files, err := pack.Export(ctx, db.pool, c.Dir)
	if err != nil {
		return err
	}
	fmt.Fprintf(s.out, "wrote %d files to %s\n", files, c.Dir)
	return nil
}

type exportMembersCmd struct {
	File string `arg:"" help:"The file, which is replaced if it is there; - writes to standard output."`
	BOM  bool   `name:"bom" help:"Begin with a byte order mark, so that Excel reads the file as UTF-8."`
}

// Run exports the members.
func (c *exportMembersCmd) Run(ctx context.Context, s streams, m *cli) (err error) {
	db, err := m.Export.openMigrated(ctx, s, false)
	if err != nil {
		return err
	}
	defer db.close()
	var b bar
	defer func() { b.finish() }()
	write := func(out io.Writer) (int, error) {
		return membercsv.Export(ctx, db.pool, out, membercsv.ExportOptions{BOM: c.BOM, Progress: func(written, of int) {
			if written == 1 {
				b = newBar(s, of, "members")
			}
			if written%100 == 0 {
				b.set(written)
			}
		}})
	}
	if c.File == "-" {
		_, err := write(s.out)
		return err
	}
	var members int
	if err := replaceFile(c.File, func(out io.Writer) error {
		members, err = write(out)
		return err
	}); err != nil {
		return err
	}
	b.finish()
	fmt.Fprintf(s.out, "wrote %d members to %s\n", members, c.File)
	return nil
}

// replaceFile writes a file that only its owner may read, and puts it into its place
// when it is whole.
func replaceFile(name string, write func(io.Writer) error) (err error) {
	f, err := os.CreateTemp(filepath.Dir(name), "."+filepath.Base(name)+"-") // mode 0600
	if err != nil {
		return err
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, os.Remove(f.Name()))
		}
	}()
	out := bufio.NewWriterSize(f, 64<<10)
	if err := errors.Join(write(out), out.Flush(), f.Close()); err != nil {
		return err
	}
	return os.Rename(f.Name(), name)
}
