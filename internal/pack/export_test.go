package pack

import (
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/collegium/collegium/internal/errs"
	"github.com/collegium/collegium/internal/pg/pgtest"
)

func mustExport(t *testing.T, pool *pgxpool.Pool, dir string) map[string]string {
	t.Helper()
	n, err := Export(t.Context(), pool, dir)
	if err != nil {
		t.Fatal(err)
	}
	files, err := filesIn(dir)
	if err != nil {
		t.Fatal(err)
	}
	if managed := len(files); n > managed {
		t.Errorf("Export says it wrote %d files, and there are %d", n, managed)
	}
	return files
}

func TestExportWritesWhatPeopleWould(t *testing.T) {
	t.Parallel()
	pool := pgtest.New(t)
	mustImport(t, pool, small)
	files := mustExport(t, pool, filepath.Join(t.TempDir(), "new", "pack"))
	want := map[string]string{
		"pack.yaml":                 "format: 1\nname: A body\n",
		"organisation.yaml":         "name: A body\nshortName: AB\n",
		"pages/index.md":            "---\ntitle: Home\n---\n",
		"pages/about-us.md":         "---\ntitle: About us\n---\n\nOld words.\n\n## Heading\n",
		"pages/housing.md":          "---\ntitle: Housing\nkind: SPECIALIST_SECTION\n---\n",
		"pages/work.md":             "---\ntitle: Work\nkind: SPECIALIST_SECTION\n---\n",
		"pages/wales.md":            "---\ntitle: Wales\nkind: REGION\n---\n",
		"case-studies/anna.md":      "---\nperson: Anna\nheadline: Anna\nlevel: EXPERIENCED\nlevelLabel: Experienced\ndocument: document:a\nmember: mari\nsection: work\n---\n",
		"documents.yaml":            "documents:\n  - title: A file\n    key: document:a\n    path: /file\n    mediaType: application/pdf\n",
		"career.yaml":               "levels:\n  - level: EXPERIENCED\n    title: Experienced\n  - level: ADVANCED\n    title: Advanced\n",
		"pages/about-us/join-us.md": "---\ntitle: Join us\nredirectFrom:\n  - /join\n---\n",
		"units.yaml": "sections:\n  - slug: housing\n    page: /housing\n    name: Housing\n    shortName: Housing\n  - slug: work\n    page: /work\n    name: Work\n    shortName: Work\n" +
			"regions:\n  - slug: wales\n    page: /wales\n    name: Wales\n    shortName: Wales\n    nation: WALES\n",
		"people.yaml": "people:\n  - key: mari\n    displayName: Mari Evans\n    sortName: Evans, Mari\n    grade: PROFESSIONAL\n    region: wales\n    joinedOn: 2015-09-01\n" +
			"    sections:\n      - section: work\n        from: 2016-01-01\n",
		"committees.yaml": "committees:\n  - slug: one\n    name: One\n    section: housing\n    posts:\n      - title: Chair\n        terms:\n          - member: mari\n            from: 2023-01-01\n" +
			"      - title: Secretary\n        seats: 2\n  - slug: two\n    name: Two\n    section: work\n",
		"menus/main.yaml": "title: Main\nitems:\n  - label: About us\n    page: /about-us\n    children:\n      - label: Join us\n        page: /about-us/join-us\n" +
			"  - label: Join\n    page: /about-us/join-us\n  - label: Facebook\n    url: \"https://example.org/\"\n",
	}
	want["menus/main.yaml"] = strings.ReplaceAll(want["menus/main.yaml"], `"https://example.org/"`, "https://example.org/")
	if d := cmp.Diff(want, files); d != "" {
		t.Errorf("the export (-want +got):\n%s", d)
	}
}

func TestExportOverAPack(t *testing.T) {
	t.Parallel()
	pool := pgtest.New(t)
	mustImport(t, pool, small)
	dir := t.TempDir()
	mustExport(t, pool, dir)
	for name, text := range map[string]string{
		"README.md": "Ours.", ".gitignore": "x", "pages/old/page.md": "no front matter", "menus/old.yaml": "title: Old", "redirects.yaml": "{}",
	} {
		if err := writeFile(filepath.Join(dir, name), text); err != nil {
			t.Fatal(err)
		}
	}
	files := mustExport(t, pool, dir)
	for name, want := range map[string]bool{
		"README.md": true, ".gitignore": true, "pages/about-us.md": true, "pages/old/page.md": false, "menus/old.yaml": false, "redirects.yaml": false,
	} {
		if _, there := files[name]; there != want {
			t.Errorf("after the export %s is there: %t", name, there)
		}
	}
	if _, err := os.Stat(filepath.Join(dir, "pages/old")); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("the empty folder stays: %v", err)
	}
	if left, err := filepath.Glob(filepath.Join(dir, ".export-*")); err != nil || len(left) > 0 {
		t.Errorf("the export leaves %q, %v", left, err)
	}
}

func TestExportRefuses(t *testing.T) {
	t.Parallel()
	pool := pgtest.New(t)
	if _, err := Export(t.Context(), pool, t.TempDir()); !errors.Is(err, errs.Conflict) || !strings.HasSuffix(err.Error(), "the database holds no content; import a pack first") {
		t.Errorf("of an empty database: %v", err)
	}
	mustImport(t, pool, small)
	for name, want := range map[string]string{
		"notes.txt":     " holds notes.txt, which is no file of a content pack; export into an empty folder or over a pack",
		"menus/a.yaml":  " is not empty and has no pack.yaml; export into an empty folder or over a pack",
		"src/pack.yaml": " holds src/pack.yaml, which is no file of a content pack; export into an empty folder or over a pack",
	} {
		dir := t.TempDir()
		if err := writeFile(filepath.Join(dir, name), "x"); err != nil {
			t.Fatal(err)
		}
		_, err := Export(t.Context(), pool, dir)
		if !errors.Is(err, errs.Conflict) || !strings.HasSuffix(err.Error(), want) {
			t.Errorf("over %s: %v", name, err)
		}
		files, err := filesIn(dir)
		if err != nil || len(files) != 1 {
			t.Errorf("over %s: the folder holds %v, %v", name, files, err)
		}
	}
}

// TestExportTellsWhatAPackCannotSay writes into the database what no pack can,
// as a program might.
func TestExportTellsWhatAPackCannotSay(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ name, sql, want string }{
		{
			"two stretches of text", `
			INSERT INTO blocks (id, entry_id, position, kind, data, plain)
			SELECT gen_random_uuid(), id, p, 'RICH_TEXT', '{"markdown": "x", "html": "<p>x</p>"}', 'x' FROM entries, generate_series(5, 6) p WHERE key = 'page:/work'`,
			"the database holds what a content pack cannot say; an import would change it:\n~ page page:/work\n    block 1:",
		},
		{
			"a page elsewhere in the tree", `UPDATE entries SET parent_id = (SELECT id FROM entries WHERE key = 'page:/work') WHERE key = 'page:/housing'`,
			"~ page page:/housing\n    parent: \"page:/work\" → \"page:/\"",
		},
		{
			"a label with white space", "UPDATE menu_items SET label = E'\u00a0x' WHERE key = 'main/join'",
			"the database holds what a content pack does not allow; these lines would be wrong:\nmenus/main.yaml:8: label: begins or ends with white space",
		},
		{
			"a page without an address", `DELETE FROM routes WHERE path = '/work'`,
			"the database holds what a content pack does not allow",
		},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			pool := pgtest.New(t)
			mustImport(t, pool, small)
			dir := t.TempDir()
			before := mustExport(t, pool, dir)
			mustExec(t, pool, c.sql)
			_, err := Export(t.Context(), pool, dir)
			if err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("got %v\nwant …%s…", err, c.want)
			}
			after, err := filesIn(dir)
			if err != nil {
				t.Fatal(err)
			}
			if d := cmp.Diff(before, after); d != "" {
				t.Errorf("the refused export wrote (-before +after):\n%s", d)
			}
		})
	}
}

func TestExportLeavesOutOtherMembers(t *testing.T) {
	t.Parallel()
	pool := pgtest.New(t)
	mustImport(t, pool, small)
	mustExec(t, pool, `INSERT INTO members (id, key, display_name, sort_name, grade, joined_on) VALUES (gen_random_uuid(), 'gen-1-1', 'Kept Private', 'Kept Private', 'STUDENT', '2020-01-01')`)
	mustExec(t, pool, `UPDATE posts SET seats = 2`)
	mustExec(t, pool, `INSERT INTO terms (id, key, post_id, member_id, starts_on) SELECT gen_random_uuid(), 'x', p.id, m.id, '2020-01-01' FROM posts p, members m WHERE m.key = 'gen-1-1' LIMIT 1`)
	files := mustExport(t, pool, t.TempDir())
	if i := slices.IndexFunc(slices.Collect(func(yield func(string) bool) {
		for _, text := range files {
			if !yield(text) {
				return
			}
		}
	}), func(text string) bool {
		return strings.Contains(text, "Kept Private") || strings.Contains(text, "gen-1-1")
	}); i >= 0 {
		t.Error("the export names a member who is not of a pack")
	}
}

func TestYAMLOfIsReadBack(t *testing.T) {
	t.Parallel()
	for _, s := range []string{
		"null", "~", "true", "No", "off", "0x1F", "1e3", ".5", "-1", "1_000", "2024-05-31", "12:30", "<<", "=", "- a", "-", "?", "? a", ":", "a: b", "a:b", "a :b", "a #b", "a#b", "#a",
		"*a", "&a", "!a", "!!str a", "%a", "@a", "`a`", "|", ">", "{a}", "[a]", "a]", "\"a\"", "'a'", "it's", "“a”", "…", "...", "---", "\\n", "a\\", "é–—", "😀", "\u00a0x", "\u200b", "\u2028", "\ufeffx",
		"a\nb", "a\n\nb", " a\nb", "a\n  b\nc", "a \nb", "a\n\tb", "- a\n- b", "# a\nb", "a: b\nc: d", "|\nx", "a\n---\nb", "a\n...", "\u00a0\nx", "x\n\u2028y", strings.Repeat("long ", 100),
	} {
		text := yamlOf(&menu{Title: Line(s), Items: []*menuItem{{Label: Line(s), Access: access(s)}}})
		back := &struct {
			Title Any `yaml:"title"`
			Items []*struct {
				Label  Any `yaml:"label"`
				Access Any `yaml:"access"`
			} `yaml:"items"`
		}{}
		found := &problems{}
		(&decoder{problems: found, at: positions{}, file: "x"}).decode([]byte(text), back)
		if len(found.found) > 0 || string(back.Title) != s || len(back.Items) != 1 || string(back.Items[0].Label) != s || string(back.Items[0].Access) != s {
			t.Errorf("%q is written as\n%s\nand read as %q, %v", s, text, back.Title, found.found)
		}
	}
}

// Any is a text of any form.
type Any string

func (v *Any) parse(s string) string {
	*v = Any(s)
	return ""
}
