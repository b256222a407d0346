package pack

import (
	"cmp"
	"context"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"testing/fstest"
	"time"

	gocmp "github.com/google/go-cmp/cmp"
	"github.com/jackc/pgx/v5/pgxpool"
	"pgregory.net/rapid"

	"github.com/collegium/collegium/internal/pg"
	"github.com/collegium/collegium/internal/pg/pgtest"
)

// tables are those that an import writes.
var tables = []string{
	"organisation", "entries", "routes", "pages", "documents", "document_alternatives", "blocks", "block_entries", "menus", "menu_items", "units", "members",
	"section_memberships", "committees", "posts", "terms", "career_levels", "case_studies",
}

// rowsOf returns all rows of the tables as JSON, sorted, without the columns.
func rowsOf(ctx context.Context, pool *pgxpool.Pool, without ...string) (map[string][]string, error) {
	all := map[string][]string{}
	for _, table := range tables {
		rows, err := pg.Scalars[string](ctx, pool, `SELECT (to_jsonb(t) - $1::text[])::text FROM `+table+` t`, append([]string{}, without...))
		if err != nil {
			return nil, err
		}
		slices.Sort(rows)
		all[table] = rows
	}
	return all, nil
}

// filesIn returns the files of a folder, by name.
func filesIn(dir string) (map[string]string, error) {
	all := map[string]string{}
	return all, fs.WalkDir(os.DirFS(dir), ".", func(name string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			return err
		}
		text, err := os.ReadFile(filepath.Join(dir, name))
		all[name] = string(text)
		return err
	})
}

// identity checks that what a pack says survives the way into a database that
// held another pack, out as files, into an empty database, and out again.
func identity(ctx context.Context, fatalf func(string, ...any), p *Pack, used, empty *pgxpool.Pool, dir string) {
	must := func(what string, err error) {
		if err != nil {
			fatalf("%s: %v", what, err)
		}
	}
	_, err := Import(ctx, used, p, ImportOptions{})
	must("first import", err)
	before, err := rowsOf(ctx, used)
	must("read rows", err)
	report, err := Import(ctx, used, p, ImportOptions{})
	must("second import", err)
	if report.Changed() {
		fatalf("the second import changes something:\n%s", report)
	}
	after, err := rowsOf(ctx, used)
	must("read rows", err)
	if d := gocmp.Diff(before, after); d != "" {
		fatalf("the second import wrote (-before +after):\n%s", d)
	}

	must("clear", os.RemoveAll(dir))
	_, err = Export(ctx, used, dir)
	must("export", err)
	files, err := filesIn(dir)
	must("read the export", err)
	again, err := Read(os.DirFS(dir))
	must("read the export", err)
	report, err = Import(ctx, used, again, ImportOptions{})
	must("import the export", err)
	if report.Changed() {
		fatalf("import of an export changes something:\n%s", report)
	}

	_, err = empty.Exec(ctx, `TRUNCATE `+strings.Join(tables, ", ")+` CASCADE`)
	must("empty the other database", err)
	_, err = Import(ctx, empty, again, ImportOptions{})
	must("import into the other database", err)
	here, err := rowsOf(ctx, used, "revision", "updated_at")
	must("read rows", err)
	there, err := rowsOf(ctx, empty, "revision", "updated_at")
	must("read rows", err)
	if d := gocmp.Diff(here, there); d != "" {
		fatalf("the other database differs (-here +there):\n%s", d)
	}

	_, err = Export(ctx, empty, dir) // over the first
	must("export again", err)
	twice, err := filesIn(dir)
	must("read the export", err)
	if d := gocmp.Diff(files, twice); d != "" {
		fatalf("the second export has other bytes (-first +second):\n%s", d)
	}
}

func TestImportOfAnExportIsTheIdentity(t *testing.T) {
	t.Parallel()
	used, empty := pgtest.New(t), pgtest.New(t)
	dir := t.TempDir()
	n := 0
	// As many packs as the time allows, at least ten; more with -rapid.checks and
	// PACK_TEST_TIME.
	allowed, err := time.ParseDuration(cmp.Or(os.Getenv("PACK_TEST_TIME"), "10s"))
	if err != nil {
		t.Fatal(err)
	}
	end := time.Now().Add(allowed)
	rapid.Check(t, func(t *rapid.T) {
		if n >= 10 && time.Now().After(end) {
			return
		}
		files := randomPack(t)
		p, err := Read(files)
		if err != nil {
			t.Fatalf("the generator makes a wrong pack: %v\n%s", err, listing(files))
		}
		n++
		// People of the packs before stay, and would hold on to their sections.
		if _, err := used.Exec(context.Background(), `UPDATE members SET region_id = NULL`); err != nil {
			t.Fatal(err)
		}
		if _, err := used.Exec(context.Background(), `DELETE FROM section_memberships`); err != nil {
			t.Fatal(err)
		}
		identity(context.Background(), t.Fatalf, p, used, empty, filepath.Join(dir, fmt.Sprint(n)))
	})
}

func TestImportOfTheDemoIsTheIdentity(t *testing.T) {
	t.Parallel()
	p, err := Read(Demo())
	if err != nil {
		t.Fatalf("the demo pack is wrong:\n%v", err)
	}
	identity(t.Context(), t.Fatalf, p, pgtest.New(t), pgtest.New(t), filepath.Join(t.TempDir(), "demo"))
}

func listing(files fstest.MapFS) string {
	var b strings.Builder
	for _, name := range slices.Sorted(func(yield func(string) bool) {
		for name := range files {
			if !yield(name) {
				return
			}
		}
	}) {
		fmt.Fprintf(&b, "-- %s --\n%s", name, files[name].Data)
	}
	return b.String()
}
