package pg_test

import (
	"context"
	"fmt"
	"io/fs"
	"regexp"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/google/go-cmp/cmp"
	"github.com/jackc/pgx/v5"

	"github.com/collegium/collegium/internal/pg"
	"github.com/collegium/collegium/internal/pg/pgtest"
	"github.com/collegium/collegium/migrations"
)

// Each migration, taken up, down and up again, gives the schema that it gave the first time; and each taken down leaves
// the schema that was there before it.
func TestMigrationsUpDownUp(t *testing.T) {
	t.Parallel()
	ctx := t.Context()
	dsn := pgtest.EmptyDSN(t)
	pool, err := pg.Open(ctx, dsn, pg.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer pool.Close()

	st, err := pg.MigrateStatus(ctx, dsn)
	if err != nil {
		t.Fatal(err)
	}
	steps := st.Pending
	if len(steps) == 0 {
		t.Fatal("there are no migrations")
	}
	after := []string{catalog(t, pool)} // after[n] is the schema at version n
	for n := 1; n <= len(steps); n++ {
		if _, to, err := pg.MigrateUpFiles(ctx, dsn, firstMigrations(t, n)); err != nil || int(to) != n {
			t.Fatalf("up to %d: version %d, %v", n, to, err)
		}
		after = append(after, catalog(t, pool))
		if after[n] == after[n-1] {
			t.Errorf("migration %d (%s) changes nothing that this test sees", n, steps[n-1].Name)
		}
	}
	for n := len(steps) - 1; n >= 0; n-- {
		if from, to, err := pg.MigrateDown(ctx, dsn, 1); err != nil || int(from) != n+1 || int(to) != n {
			t.Fatalf("down to %d: from %d to %d, %v", n, from, to, err)
		}
		if diff := cmp.Diff(lines(after[n]), lines(catalog(t, pool))); diff != "" {
			t.Errorf("after migration %d (%s) was undone (-before +after):\n%s", n+1, steps[n].Name, diff)
		}
	}
	if from, to, err := pg.Migrate(ctx, dsn); err != nil || from != 0 || to != st.Latest {
		t.Fatalf("up again: from %d to %d, %v", from, to, err)
	}
	if diff := cmp.Diff(lines(after[len(steps)]), lines(catalog(t, pool))); diff != "" {
		t.Errorf("the second time up (-first +second):\n%s", diff)
	}
}

var fileName = regexp.MustCompile(`^(\d{6})_[a-z]+_[a-z0-9_]+\.(up|down)\.sql$`)

// The files come in pairs, numbered from 1 without a gap, and each limits how long it waits for a lock before it does
// anything else.
func TestMigrationFiles(t *testing.T) {
	t.Parallel()
	entries, err := fs.ReadDir(migrations.FS, ".")
	if err != nil {
		t.Fatal(err)
	}
	versions := 0
	for i, e := range entries {
		m := fileName.FindStringSubmatch(e.Name())
		if m == nil {
			t.Errorf("%s: the name must be like 000001_verb_noun.up.sql", e.Name())
			continue
		}
		// In the order of names each down file comes just before its up file.
		if want := fmt.Sprintf("%06d", i/2+1); m[1] != want {
			t.Errorf("%s: the number should be %s", e.Name(), want)
		}
		pair := strings.Replace(e.Name(), ".up.", ".down.", 1)
		if m[2] == "down" {
			pair = strings.Replace(e.Name(), ".down.", ".up.", 1)
		}
		if _, err := fs.Stat(migrations.FS, pair); err != nil {
			t.Errorf("%s has no %s", e.Name(), pair)
		}
		text, err := fs.ReadFile(migrations.FS, e.Name())
		if err != nil {
			t.Fatal(err)
		}
		if first := firstStatement(string(text)); !regexp.MustCompile(`^SET (LOCAL )?lock_timeout = '\d+m?s'$`).MatchString(first) {
			t.Errorf("%s begins with %q, not with SET lock_timeout = '5s'", e.Name(), first)
		}
		if regexp.MustCompile(`(?i)\bCONCURRENTLY\b`).Match(text) {
			t.Errorf("%s: CONCURRENTLY can't run in a migration, which is one transaction", e.Name())
		}
		versions++
	}
	if versions == 0 {
		t.Error("there are no migrations")
	}
}

// firstStatement is what stands before the first semicolon, without comments.
func firstStatement(sql string) string {
	var b strings.Builder
	for line := range strings.Lines(sql) {
		if line, _, _ = strings.Cut(line, "--"); strings.TrimSpace(line) != "" {
			b.WriteString(line)
		}
		if strings.Contains(line, ";") {
			break
		}
	}
	first, _, _ := strings.Cut(b.String(), ";")
	return strings.TrimSpace(first)
}

// firstMigrations is the program's migrations up to n.
func firstMigrations(t *testing.T, n int) fs.FS {
	t.Helper()
	files := fstest.MapFS{}
	names, err := fs.Glob(migrations.FS, "*.sql")
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range names {
		var version int
		if _, err := fmt.Sscanf(name, "%d", &version); err != nil {
			t.Fatal(err)
		}
		if version <= n {
			data, err := fs.ReadFile(migrations.FS, name)
			if err != nil {
				t.Fatal(err)
			}
			files[name] = &fstest.MapFile{Data: data}
		}
	}
	return files
}

// TestOverlapsAreMerged has memberships of a section that overlap, from before that
// was refused: each island becomes one, and what only meets stays apart.
func TestOverlapsAreMerged(t *testing.T) {
	t.Parallel()
	ctx := t.Context()
	dsn := pgtest.EmptyDSN(t)
	pool, err := pg.Open(ctx, dsn, pg.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer pool.Close()
	names, err := fs.Glob(migrations.FS, "*_part_section_memberships.up.sql")
	if err != nil || len(names) != 1 {
		t.Fatal(names, err)
	}
	var version int
	if _, err := fmt.Sscanf(names[0], "%d", &version); err != nil {
		t.Fatal(err)
	}
	if _, _, err := pg.MigrateUpFiles(ctx, dsn, firstMigrations(t, version-1)); err != nil {
		t.Fatal(err)
	}
	if _, err := pool.Exec(ctx, `
		INSERT INTO entries (id, key, kind, slug, title, access)
		SELECT ('00000000-0000-4000-8000-00000000000' || n)::uuid, 's' || n, 'SPECIALIST_SECTION', 's' || n, 'S', 'PUBLIC' FROM generate_series(1, 2) n;
		INSERT INTO units (id, kind, slug, aliases, name, short_name, position) SELECT e.id, 'SPECIALIST_SECTION', e.slug, '{}', e.slug, e.slug, 0 FROM entries e WHERE e.slug = 's1';
		INSERT INTO units (id, kind, slug, aliases, name, short_name, position) SELECT e.id, 'SPECIALIST_SECTION', e.slug, '{}', e.slug, e.slug, 1 FROM entries e WHERE e.slug = 's2';
		INSERT INTO members (id, key, display_name, sort_name, grade, joined_on)
		VALUES ('00000000-0000-4000-8000-00000000000a', 'a', 'Ada', 'Ada', 'PROFESSIONAL', '2000-01-01'), ('00000000-0000-4000-8000-00000000000b', 'b', 'Bea', 'Bea', 'PROFESSIONAL', '2000-01-01');
		INSERT INTO section_memberships (member_id, section_id, starts_on, ends_on)
		SELECT m.id, u.id, p.a::date, p.b::date
		FROM (VALUES
			('a', 's1', '2001-01-01', '2009-12-31'), ('a', 's1', '2002-01-01', '2003-01-01'), ('a', 's1', '2005-01-01', '2011-01-01'),
			('a', 's1', '2011-01-02', '2012-01-01'), ('a', 's1', '2012-01-01', '2013-01-01'), ('a', 's1', '2014-01-01', NULL), ('a', 's1', '2015-01-01', '2016-01-01'),
			('a', 's2', '2001-01-01', '2002-01-01'), ('a', 's2', '2001-06-01', NULL), ('a', 's2', '2020-06-01', '2021-01-01'),
			('b', 's1', '2001-01-01', '2002-01-01'), ('b', 's1', '2003-01-01', NULL)) p (member, section, a, b)
		JOIN members m ON m.key = p.member
		JOIN units u ON u.slug = p.section`); err != nil {
		t.Fatal(err)
	}
	if _, _, err := pg.Migrate(ctx, dsn); err != nil {
		t.Fatal(err)
	}
	got, err := pg.Scalars[string](ctx, pool, `
		SELECT concat_ws(' ', m.key, u.slug, sm.starts_on, sm.ends_on)
		FROM section_memberships sm
		JOIN members m ON m.id = sm.member_id
		JOIN units u ON u.id = sm.section_id
		ORDER BY 1`)
	if err != nil {
		t.Fatal(err)
	}
	want := []string{
		"a s1 2001-01-01 2011-01-01", "a s1 2011-01-02 2013-01-01", "a s1 2014-01-01", "a s2 2001-01-01",
		"b s1 2001-01-01 2002-01-01", "b s1 2003-01-01",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("the memberships (-want +got)\n%s", diff)
	}
}

func lines(s string) []string { return strings.Split(s, "\n") }

// catalog describes everything in the database that a migration may make, one line each, except the table in which the
// migrations themselves are kept, what belongs to an extension, and what the queue makes in its schema by itself.
func catalog(t *testing.T, q pg.Querier) string {
	t.Helper()
	all, err := pg.Scalars[string](context.Background(), q, catalogSQL, pgx.StrictNamedArgs{})
	if err != nil {
		t.Fatal(err)
	}
	return strings.Join(all, "\n")
}

const catalogSQL = `
WITH own AS (
    SELECT c.oid, c.relname, c.relkind, c.relrowsecurity, c.relforcerowsecurity, c.reloptions
    FROM pg_class c
    JOIN pg_namespace n ON n.oid = c.relnamespace
    WHERE n.nspname NOT LIKE 'pg\_%' AND n.nspname NOT IN ('information_schema', 'river')
      AND c.relname NOT LIKE 'schema\_migrations%'
      AND NOT EXISTS (SELECT FROM pg_depend d WHERE d.classid = 'pg_class'::regclass AND d.objid = c.oid AND d.deptype = 'e')
)
SELECT 'extension ' || extname FROM pg_extension
UNION ALL
SELECT 'schema ' || nspname FROM pg_namespace WHERE nspname NOT LIKE 'pg\_%'
UNION ALL
SELECT concat_ws(' ', 'relation', relname, relkind, relrowsecurity, relforcerowsecurity, reloptions) FROM own
UNION ALL
SELECT concat_ws(' ', 'column', relname, attname, format_type(atttypid, atttypmod), attnotnull, attgenerated, attidentity,
                 attcollation::regcollation, pg_get_expr(adbin, adrelid), col_description(own.oid, attnum))
FROM own
JOIN pg_attribute ON attrelid = own.oid AND attnum > 0 AND NOT attisdropped
LEFT JOIN pg_attrdef ON adrelid = attrelid AND adnum = attnum
UNION ALL
SELECT concat_ws(' ', 'constraint', conrelid::regclass, conname, pg_get_constraintdef(c.oid), convalidated)
FROM pg_constraint c
JOIN own ON own.oid = conrelid
UNION ALL
SELECT concat_ws(' ', 'index', pg_get_indexdef(indexrelid), indisvalid) FROM pg_index JOIN own ON own.oid = indrelid
UNION ALL
SELECT 'statistics ' || pg_get_statisticsobjdef(s.oid) FROM pg_statistic_ext s JOIN own ON own.oid = stxrelid
UNION ALL
SELECT 'view ' || relname || ' ' || pg_get_viewdef(oid) FROM own WHERE relkind IN ('v', 'm')
UNION ALL
SELECT 'trigger ' || pg_get_triggerdef(g.oid) FROM pg_trigger g JOIN own ON own.oid = tgrelid WHERE NOT tgisinternal
UNION ALL
SELECT concat_ws(' ', 'policy', polrelid::regclass, polname, polcmd, polpermissive, polroles,
                 pg_get_expr(polqual, polrelid), pg_get_expr(polwithcheck, polrelid))
FROM pg_policy
UNION ALL
SELECT 'function ' || pg_get_functiondef(p.oid)
FROM pg_proc p
JOIN pg_namespace n ON n.oid = pronamespace
WHERE nspname NOT LIKE 'pg\_%' AND nspname NOT IN ('information_schema', 'river') AND prokind IN ('f', 'p')
  AND NOT EXISTS (SELECT FROM pg_depend d WHERE d.classid = 'pg_proc'::regclass AND d.objid = p.oid AND d.deptype = 'e')
UNION ALL
SELECT concat_ws(' ', 'type', typname, typtype, format_type(typbasetype, typtypmod), typnotnull, typdefault,
                 (SELECT string_agg(enumlabel, ',' ORDER BY enumsortorder) FROM pg_enum WHERE enumtypid = t.oid),
                 (SELECT string_agg(pg_get_constraintdef(c.oid), ',') FROM pg_constraint c WHERE contypid = t.oid))
FROM pg_type t
JOIN pg_namespace n ON n.oid = typnamespace
WHERE nspname NOT LIKE 'pg\_%' AND nspname NOT IN ('information_schema', 'river') AND typtype IN ('d', 'e', 'r')
  AND NOT EXISTS (SELECT FROM pg_depend d WHERE d.classid = 'pg_type'::regclass AND d.objid = t.oid AND d.deptype = 'e')
UNION ALL
SELECT concat_ws(' ', 'text search configuration', cfgname, maptokentype, mapseqno, dict.dictname)
FROM pg_ts_config c
JOIN pg_namespace n ON n.oid = cfgnamespace
LEFT JOIN pg_ts_config_map m ON mapcfg = c.oid
LEFT JOIN pg_ts_dict dict ON dict.oid = mapdict
WHERE nspname NOT LIKE 'pg\_%'
UNION ALL
SELECT concat_ws(' ', 'collation', collname, collprovider, collisdeterministic)
FROM pg_collation
JOIN pg_namespace n ON n.oid = collnamespace
WHERE nspname NOT LIKE 'pg\_%'
ORDER BY 1`
