package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/jackc/pgx/v5/pgconn"
	"github.com/vektah/gqlparser/v2/gqlerror"

	"github.com/collegium/collegium/graph"
	"github.com/collegium/collegium/internal/pg"
	"github.com/collegium/collegium/internal/pg/pgembed"
	"github.com/collegium/collegium/internal/trusted"
)

type documentsCmd struct {
	databaseFlags `embed:""`

	Limits map[string]int `placeholder:"NAME=N;…" help:"The limits on documents of the server, as in collegium serve."`

	Add    addDocumentsCmd    `cmd:"" help:"Trust the documents of a manifest, as GraphQL Code Generator, Relay and Apollo Client write it. What fails on the schema of this program is refused, with everything else in the manifest."`
	List   listDocumentsCmd   `cmd:"" help:"List the trusted documents."`
	Verify verifyDocumentsCmd `cmd:"" help:"Say which trusted documents, or which of a manifest, can't be run on the schema of this program; exit code 1 if there are any. Run it before a deployment."`
	Remove removeDocumentsCmd `cmd:"" help:"Trust documents no longer."`
}

// checker returns what judges documents as the server does.
func (c *documentsCmd) checker() (*graph.Checker, error) {
	limits, err := documentLimits(c.Limits)
	if err != nil {
		return nil, &usageError{err}
	}
	return graph.NewChecker(limits)
}

// openTrusted opens the database and calls f with its trusted documents. It leaves
// the schema alone: the check before a deployment must not be the deployment.
func (f databaseFlags) openTrusted(ctx context.Context, s streams, do func(*trusted.Store) error) error {
	db, err := f.open(ctx, s, pgembed.OpenExisting, pg.Options{ApplicationName: "collegium documents"})
	if err != nil {
		return err
	}
	defer db.close()
	err = do(&trusted.Store{DB: db.pool})
	if pgErr, ok := errors.AsType[*pgconn.PgError](err); ok && pgErr.Code == undefinedTable {
		return errors.New(`the database has no table for trusted documents yet; run "collegium migrate up"`)
	}
	return err
}

// undefinedTable is PostgreSQL's code for a table that isn't there.
const undefinedTable = "42P01"

type addDocumentsCmd struct {
	Manifest string `arg:"" help:"The manifest; - reads standard input."`
	Client   string `default:"default" placeholder:"NAME" help:"Name of the client that asks these documents, as web or ios."`
}

// Run trusts the documents of a manifest.
func (c *addDocumentsCmd) Run(ctx context.Context, s streams, m *cli) error {
	entries, err := readManifest(c.Manifest)
	if err != nil {
		return err
	}
	documents := make([]*trusted.Document, len(entries))
	for i, e := range entries {
		documents[i] = &trusted.Document{ID: e.ID, Body: e.Body}
	}
	if err := m.verify(s, documents); err != nil {
		return fmt.Errorf("%s: %w; nothing was stored", c.Manifest, err)
	}
	return m.Documents.openTrusted(ctx, s, func(store *trusted.Store) error {
		added, err := store.Add(ctx, c.Client, entries)
		if err != nil {
			return err
		}
		fmt.Fprintf(s.out, "%s: %s, %d new, %d new to this client, %d known\n",
			c.Client, count(len(entries)), added.New, added.Claimed, added.Known)
		return nil
	})
}

type listDocumentsCmd struct {
	Client string `placeholder:"NAME" help:"Only those of this client."`
}

// Run lists the trusted documents.
func (c *listDocumentsCmd) Run(ctx context.Context, s streams, m *cli) error {
	checker, err := m.Documents.checker()
	if err != nil {
		return err
	}
	return m.Documents.openTrusted(ctx, s, func(store *trusted.Store) error {
		documents, err := store.Documents(ctx, c.Client)
		if err != nil {
			return err
		}
		if len(documents) == 0 {
			fmt.Fprintln(s.err, "there are none")
			return nil
		}
		w := tabwriter.NewWriter(s.out, 0, 0, 2, ' ', 0)
		fmt.Fprintln(w, "ID\tOPERATIONS\tCLIENTS\tBYTES\tADDED")
		for _, d := range documents {
			fmt.Fprintf(w, "%s\t%s\t%s\t%d\t%s\n", d.ID, strings.Join(checker.Operations(d.Body), ", "),
				strings.Join(d.Clients, ", "), len(d.Body), d.AddedAt.UTC().Format(time.DateTime))
		}
		return w.Flush()
	})
}

type verifyDocumentsCmd struct {
	Manifest string `arg:"" optional:"" help:"A manifest, checked without a database; - reads standard input. Without it the stored documents are checked."`
}

// Run checks documents against the schema of this program.
func (c *verifyDocumentsCmd) Run(ctx context.Context, s streams, m *cli) error {
	if c.Manifest != "" {
		entries, err := readManifest(c.Manifest)
		if err != nil {
			return err
		}
		documents := make([]*trusted.Document, len(entries))
		for i, e := range entries {
			documents[i] = &trusted.Document{ID: e.ID, Body: e.Body}
		}
		return m.verifyAll(s, documents)
	}
	return m.Documents.openTrusted(ctx, s, func(store *trusted.Store) error {
		documents, err := store.Documents(ctx, "")
		if err != nil {
			return err
		}
		return m.verifyAll(s, documents)
	})
}

func (m *cli) verifyAll(s streams, documents []*trusted.Document) error {
	if err := m.verify(s, documents); err != nil {
		return err
	}
	fmt.Fprintf(s.out, "%s, all fit the schema\n", count(len(documents)))
	return nil
}

// verify writes what is wrong with each document, and returns an error if anything
// is.
func (m *cli) verify(s streams, documents []*trusted.Document) error {
	checker, err := m.Documents.checker()
	if err != nil {
		return err
	}
	failed := 0
	for _, d := range documents {
		list := checker.Check(d.Body)
		if len(list) > 0 {
			failed++
		}
		for _, e := range list {
			fmt.Fprintf(s.out, "%s%s\n", named(d, checker.Operations(d.Body)), problem(e))
		}
	}
	if failed > 0 {
		return fmt.Errorf("%d of %s can't be run on the schema of this program", failed, count(len(documents)))
	}
	return nil
}

// named is what a document is called in front of its problem.
func named(d *trusted.Document, operations []string) string {
	about := strings.Join(operations, ", ")
	if len(d.Clients) > 0 {
		about = strings.TrimPrefix(about+"; ", "; ") + strings.Join(d.Clients, ", ")
	}
	if about == "" {
		return d.ID + ": "
	}
	return fmt.Sprintf("%s (%s): ", d.ID, about)
}

func problem(e *gqlerror.Error) string {
	if len(e.Locations) == 0 {
		return e.Message
	}
	return fmt.Sprintf("line %d, column %d: %s", e.Locations[0].Line, e.Locations[0].Column, e.Message)
}

type removeDocumentsCmd struct {
	IDs    []string `arg:"" optional:"" name:"id" help:"IDs of the documents. Without them all documents of the client are meant."`
	Client string   `placeholder:"NAME" help:"Take them from this client only; a document that another client asks stays."`
}

// Run removes trusted documents.
func (c *removeDocumentsCmd) Run(ctx context.Context, s streams, m *cli) error {
	if len(c.IDs) == 0 && c.Client == "" {
		return &usageError{errors.New("name the documents to remove, or a client with --client")}
	}
	return m.Documents.openTrusted(ctx, s, func(store *trusted.Store) error {
		taken, deleted, err := store.Remove(ctx, c.Client, c.IDs)
		if err != nil {
			return err
		}
		fmt.Fprintf(s.out, "removed %s", count(deleted))
		if kept := taken - deleted; kept > 0 {
			fmt.Fprintf(s.out, "; %d more stay for other clients", kept)
		}
		fmt.Fprintln(s.out)
		return nil
	})
}

// maxManifest is how long a manifest may be, in bytes.
const maxManifest = 64 << 20

func readManifest(name string) ([]trusted.Entry, error) {
	var in io.Reader = os.Stdin
	if name != "-" {
		f, err := os.Open(name)
		if err != nil {
			return nil, err
		}
		defer f.Close()
		in = f
	}
	data, err := io.ReadAll(io.LimitReader(in, maxManifest+1))
	if err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	if len(data) > maxManifest {
		return nil, fmt.Errorf("%s: it is longer than %d bytes; is it a manifest?", name, maxManifest)
	}
	entries, err := trusted.ReadManifest(data)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	return entries, nil
}

func count(n int) string {
	if n == 1 {
		return "1 document"
	}
	return fmt.Sprintf("%d documents", n)
}
