package pack

import (
	"context"
	"errors"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/collegium/collegium/internal/errs"
	"github.com/collegium/collegium/internal/pg"
	"github.com/collegium/collegium/internal/pg/pgtest"
)

func mustOutline(t *testing.T, text string) *Outline {
	t.Helper()
	o, err := ReadOutline(strings.NewReader(text))
	if err != nil {
		t.Fatal(err)
	}
	return o
}

func importMenu(t *testing.T, pool *pgxpool.Pool, handle, text string) *MenuReport {
	t.Helper()
	r, err := ImportMenu(t.Context(), pool, handle, mustOutline(t, text), MenuOptions{})
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// menuLines reads a menu back from the database: a line for each item, with what
// it leads to, "own" if it is the canonical placement.
func menuLines(t *testing.T, pool *pgxpool.Pool, handle string) []string {
	t.Helper()
	lines, err := pg.Scalars[string](t.Context(), pool, `
		WITH RECURSIVE walk AS (
			SELECT i.id, ARRAY[i.position] AS place
			FROM menu_items i
			JOIN menus m ON m.id = i.menu_id AND m.handle = $1
			WHERE i.parent_id IS NULL
			UNION ALL
			SELECT i.id, w.place || i.position
			FROM menu_items i
			JOIN walk w ON i.parent_id = w.id
		)
		SELECT
			repeat('  ', cardinality(w.place) - 1) || i.label || ' > '
				|| coalesce(r.path, i.url, i.kind) || CASE WHEN i.is_canonical THEN ' own' ELSE '' END
		FROM walk w
		JOIN menu_items i ON i.id = w.id
		LEFT JOIN routes r ON r.entry_id = i.entry_id AND r.kind = 'CURRENT'
		ORDER BY w.place`, handle)
	if err != nil {
		t.Fatal(err)
	}
	return lines
}

// contents is everything that an import of a menu could change, as text.
func contents(t *testing.T, pool *pgxpool.Pool) string {
	t.Helper()
	rows, err := pg.Scalars[string](t.Context(), pool, `
		SELECT 'menu ' || m::text FROM menus m
		UNION ALL SELECT 'item ' || i::text FROM menu_items i
		UNION ALL SELECT 'entry ' || e::text FROM entries e
		UNION ALL SELECT 'page ' || p::text FROM pages p
		UNION ALL SELECT 'route ' || r::text FROM routes r
		ORDER BY 1`)
	if err != nil {
		t.Fatal(err)
	}
	return strings.Join(rows, "\n")
}

func mustExec(t *testing.T, pool *pgxpool.Pool, sql string, args ...any) {
	t.Helper()
	if _, err := pool.Exec(t.Context(), sql, args...); err != nil {
		t.Fatal(err)
	}
}

func queryOne[T any](t *testing.T, pool *pgxpool.Pool, sql string, args ...any) T {
	t.Helper()
	v, err := pg.Scalar[T](t.Context(), pool, sql, args...)
	if err != nil {
		t.Fatal(err)
	}
	return v
}

func TestImportMenuOfACapturedPage(t *testing.T) {
	t.Parallel()
	pool := pgtest.New(t)
	o := readOutlineFile(t, "testdata/outline/capture.txt")

	r, err := ImportMenu(t.Context(), pool, "main", o, MenuOptions{DryRun: true})
	if err != nil {
		t.Fatal(err)
	}
	const sum = "menu main: 312 items added, 0 changed, 0 removed, 0 as they were; 312 pages added"
	if !strings.HasSuffix(r.String(), "\n"+sum) {
		t.Errorf("dry run: got %q, want %q at the end", r, sum)
	}
	if n := queryOne[int](t, pool, `SELECT count(*) FROM menus`); n != 0 {
		t.Fatalf("a dry run left %d menus", n)
	}

	r, err = ImportMenu(t.Context(), pool, "main", o, MenuOptions{})
	if err != nil {
		t.Fatal(err)
	}
	if !strings.HasSuffix(r.String(), "\n"+sum) {
		t.Errorf("import: got %q, want %q at the end", r, sum)
	}
	for what, want := range map[string]int{
		`SELECT count(*) FROM menu_items`:                                      312,
		`SELECT count(*) FROM entries`:                                         312,
		`SELECT count(*) FROM pages`:                                           312,
		`SELECT count(*) FROM routes`:                                          312,
		`SELECT count(*) FROM menu_items WHERE is_canonical AND kind = 'PAGE'`: 312,
		`SELECT count(*) FROM entries WHERE parent_id IS NULL`:                 8,
		// A page lives under the page whose path its own continues.
		`SELECT count(*) FROM entries e
			JOIN routes r ON r.entry_id = e.id
			JOIN routes p ON p.entry_id = e.parent_id
			WHERE r.path = p.path || '/' || e.slug`: 304,
		// In the page tree and in the menu the same things stand side by side in the same order.
		`SELECT count(*) FROM entries e JOIN menu_items i ON i.entry_id = e.id AND i.position = e.position AND i.label = e.title`: 312,
	} {
		if got := queryOne[int](t, pool, what); got != want {
			t.Errorf("%s: got %d, want %d", what, got, want)
		}
	}

	before := contents(t, pool)
	r, err = ImportMenu(t.Context(), pool, "main", o, MenuOptions{})
	if err != nil {
		t.Fatal(err)
	}
	if r.Changed() || r.String() != "menu main: nothing to change, 312 items as they are" {
		t.Errorf("second import: %s", r)
	}
	if diff := cmp.Diff(before, contents(t, pool)); diff != "" {
		t.Errorf("a second import changed (-before +after):\n%s", diff)
	}
}

func TestImportMenuChanges(t *testing.T) {
	t.Parallel()
	pool := pgtest.New(t)
	importMenu(t, pool, "main", "- A\n  - B\n    - C\n  - D\n- E\n")
	ids := queryOne[string](t, pool, `SELECT string_agg(id::text, ' ' ORDER BY key) FROM menu_items WHERE key IN ('main/a', 'main/a/d', 'main/e')`)

	r := importMenu(t, pool, "main", "- E\n- a\n  - d!\n    - F\n  - G\n")
	const want = `+ page /a/d/f
+ page /a/g
+ item main/a/d/f
+ item main/a/g
~ item main/e
~ item main/a
~ item main/a/d
- item main/a/b
- item main/a/b/c
menu main: 2 items added, 3 changed, 2 removed, 0 as they were; 2 pages added`
	if diff := cmp.Diff(want, r.String()); diff != "" {
		t.Errorf("report (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff([]string{"E > /e own", "a > /a own", "  d! > /a/d own", "    F > /a/d/f own", "  G > /a/g own"}, menuLines(t, pool, "main")); diff != "" {
		t.Errorf("menu (-want +got):\n%s", diff)
	}
	if got := queryOne[string](t, pool, `SELECT string_agg(id::text, ' ' ORDER BY key) FROM menu_items WHERE key IN ('main/a', 'main/a/d', 'main/e')`); got != ids {
		t.Errorf("items that stayed have other IDs")
	}
	if n := queryOne[int](t, pool, `SELECT count(*) FROM routes WHERE path IN ('/a/b', '/a/b/c') AND kind = 'CURRENT'`); n != 2 {
		t.Errorf("of the 2 pages whose items were removed %d are left", n)
	}
	// The new pages stand behind those that live beside them.
	if got := queryOne[string](t, pool, `
		SELECT string_agg(e.slug || ' ' || e.position, ', ' ORDER BY e.position)
		FROM entries e JOIN routes p ON p.entry_id = e.parent_id AND p.path = '/a'`); got != "b 0, d 1, g 2" {
		t.Errorf("pages under /a: got %s", got)
	}
}

func TestImportMenuSiblingsWithOneSlug(t *testing.T) {
	t.Parallel()
	pool := pgtest.New(t)
	const text = "- A-Z\n- A/Z\n  - B\n- A Z\n"
	importMenu(t, pool, "main", text)
	want := []string{"A-Z > /a-z own", "A/Z > /a-z-2 own", "  B > /a-z-2/b own", "A Z > /a-z-3 own"}
	if diff := cmp.Diff(want, menuLines(t, pool, "main")); diff != "" {
		t.Errorf("menu (-want +got):\n%s", diff)
	}
	if r := importMenu(t, pool, "main", text); r.Changed() {
		t.Errorf("second import: %s", r)
	}
}

func TestImportMenuFindsWhatIsThere(t *testing.T) {
	t.Parallel()
	pool := pgtest.New(t)
	mustExec(t, pool, `
		WITH e AS (
			INSERT INTO entries (id, key, kind, parent_id, slug, title) VALUES
				('00000000-0000-0000-0000-000000000001', 'page:/', 'PAGE', NULL, '', 'Home'),
				('00000000-0000-0000-0000-000000000002', 'page:/about', 'PAGE', '00000000-0000-0000-0000-000000000001', 'about', 'About'),
				('00000000-0000-0000-0000-000000000003', 'page:/about/join', 'PAGE', '00000000-0000-0000-0000-000000000002', 'join', 'Join')
		)
		INSERT INTO routes (path, kind, entry_id, url) VALUES
			('/', 'CURRENT', '00000000-0000-0000-0000-000000000001', NULL),
			('/about', 'CURRENT', '00000000-0000-0000-0000-000000000002', NULL),
			('/about/join', 'CURRENT', '00000000-0000-0000-0000-000000000003', NULL),
			('/join', 'REDIRECT', '00000000-0000-0000-0000-000000000003', NULL),
			('/shop', 'REDIRECT', NULL, 'https://shop.example.org/'),
			('/old', 'GONE', NULL, NULL)`)

	// Two placements of one page: the first in the menu counts as its own.
	importMenu(t, pool, "main", "- Join\n  - Steps\n- About\n  - Join\n  - New\n- Shop\n")
	want := []string{
		"Join > /about/join own", "  Steps > /join/steps own",
		"About > /about own", "  Join > /about/join", "  New > /about/new own",
		"Shop > https://shop.example.org/",
	}
	if diff := cmp.Diff(want, menuLines(t, pool, "main")); diff != "" {
		t.Errorf("menu (-want +got):\n%s", diff)
	}
	parents, err := pg.Scalars[string](t.Context(), pool, `
		SELECT r.path || ' under ' || p.path
		FROM entries e
		JOIN routes r ON r.entry_id = e.id AND r.kind = 'CURRENT'
		JOIN routes p ON p.entry_id = e.parent_id AND p.kind = 'CURRENT'
		ORDER BY r.path`)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]string{"/about under /", "/about/join under /about", "/about/new under /about", "/join/steps under /"}, parents); diff != "" {
		t.Errorf("page tree (-want +got):\n%s", diff)
	}

	// Another menu places what the first one has, and the first keeps what counts.
	r := importMenu(t, pool, "foot-links", "- About\n- Join\n")
	if !r.MenuAdded || len(r.PagesAdded) != 0 {
		t.Errorf("second menu: %s", r)
	}
	if diff := cmp.Diff([]string{"About > /about", "Join > /about/join"}, menuLines(t, pool, "foot-links")); diff != "" {
		t.Errorf("second menu (-want +got):\n%s", diff)
	}
	if got := queryOne[string](t, pool, `SELECT title || ' ' || position FROM menus WHERE handle = 'foot-links'`); got != "Foot links menu 1" {
		t.Errorf("second menu: got title and position %q", got)
	}

	// An item that stays keeps what it leads to, also when its path means something else by now.
	mustExec(t, pool, `UPDATE menu_items SET kind = 'HEADING', entry_id = NULL, is_canonical = false WHERE key = 'foot-links/about'`)
	if r := importMenu(t, pool, "foot-links", "- About\n- Join\n"); r.Changed() {
		t.Errorf("after an editor's change: %s", r)
	}

	before := contents(t, pool)
	_, err = ImportMenu(t.Context(), pool, "main", mustOutline(t, "- Fresh\n- Old\n"), MenuOptions{})
	const gone = "pack.ImportMenu(main): line 2: makes the path /old, which is marked as gone; give the path a meaning first, or change the label"
	if _, ok := errors.AsType[*errs.Invalid](err); !ok || err.Error() != gone {
		t.Errorf("a gone path: got %v, want bad input %q", err, gone)
	}
	if diff := cmp.Diff(before, contents(t, pool)); diff != "" {
		t.Errorf("a failed import changed (-before +after):\n%s", diff)
	}

	// Nothing says where a page went that moved without a redirect.
	mustExec(t, pool, `UPDATE routes SET path = '/about/newer' WHERE path = '/about/new'`)
	mustExec(t, pool, `DELETE FROM menu_items WHERE key = 'main/about/new'`)
	_, err = ImportMenu(t.Context(), pool, "main", mustOutline(t, "- About\n  - New\n"), MenuOptions{})
	if !errors.Is(err, errs.Conflict) {
		t.Errorf("a moved page: got %v, want a conflict", err)
	}
}

func TestImportMenuRefuses(t *testing.T) {
	t.Parallel()
	pool := pgtest.New(t)
	for _, c := range []struct{ name, handle, text, want string }{
		{"a bad handle", "Main menu", "- A\n", `handle: "Main menu" is not the handle of a menu; use small letters, digits and hyphens, as "main"`},
		{"a label that makes no address", "main", "- A\n  - 职业治疗\n", `line 2: has no Latin letter or digit in "职业治疗", so it makes no address; add one`},
		{
			"a long path", "main", "- " + strings.Repeat("word ", 40) + "\n  - " + strings.Repeat("word ", 40) + "\n    - " + strings.Repeat("word ", 40) + "\n",
			`line 3: makes a key of 604 bytes, "main/word-word-word-word-word-word-word-word-word-word-word-"…; a key has at most 480: shorten the labels`,
		},
	} {
		_, err := ImportMenu(t.Context(), pool, c.handle, mustOutline(t, c.text), MenuOptions{})
		if _, ok := errors.AsType[*errs.Invalid](err); !ok || err.Error() != "pack.ImportMenu("+c.handle+"): "+c.want {
			t.Errorf("%s: got %v\nwant bad input: %s", c.name, err, c.want)
		}
	}
	if n := queryOne[int](t, pool, `SELECT count(*) FROM menus`); n != 0 {
		t.Errorf("refused imports left %d menus", n)
	}
}

// TestImportMenuTwiceAtOnce has writers wait for each other: one adds, the
// others find it done.
func TestImportMenuTwiceAtOnce(t *testing.T) {
	t.Parallel()
	pool := pgtest.New(t)
	o := mustOutline(t, "- A\n  - B\n- C\n")
	var wg sync.WaitGroup
	changed, failed := make([]bool, 4), make([]error, 4)
	for i := range changed {
		wg.Go(func() {
			r, err := ImportMenu(context.WithoutCancel(t.Context()), pool, "main", o, MenuOptions{})
			changed[i], failed[i] = err == nil && r.Changed(), err
		})
	}
	wg.Wait()
	if err := errors.Join(failed...); err != nil {
		t.Fatal(err)
	}
	n := 0
	for _, c := range changed {
		if c {
			n++
		}
	}
	if n != 1 {
		t.Errorf("%d of 4 imports changed something, want 1", n)
	}
	if diff := cmp.Diff([]string{"A > /a own", "  B > /a/b own", "C > /c own"}, menuLines(t, pool, "main")); diff != "" {
		t.Errorf("menu (-want +got):\n%s", diff)
	}
}
