package pack

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/uuid"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/collegium/collegium/internal/errs"
	"github.com/collegium/collegium/internal/pg/pgtest"
)

// seedUnits makes 4 regions and 5 sections, one of each closed.
func seedUnits(ctx context.Context, pool *pgxpool.Pool) error {
	_, err := pool.Exec(ctx, `
		WITH u AS (
			SELECT gen_random_uuid() AS id, 'REGION' AS kind, n FROM generate_series(0, 3) AS n
			UNION ALL
			SELECT gen_random_uuid(), 'SPECIALIST_SECTION', n FROM generate_series(0, 4) AS n
		), e AS (
			INSERT INTO entries (id, key, kind, slug, title)
			SELECT id, kind || n, kind, 'unit-' || n, 'Unit ' || n
			FROM u
			RETURNING id
		)
		INSERT INTO units (id, kind, slug, name, short_name, position, nation, dissolved_on)
		SELECT
			u.id,
			u.kind,
			'unit-' || n,
			'Unit ' || n,
			n::text,
			n,
			CASE WHEN kind = 'REGION' THEN 'ENGLAND' END,
			CASE WHEN n = 2 THEN date '2020-01-01' END
		FROM u
		JOIN e USING (id)`)
	return err
}

// membersAsText reads the generated members of a seed, apart from the time they
// were written, with their memberships.
func membersAsText(t *testing.T, pool *pgxpool.Pool, seed string) string {
	t.Helper()
	return queryOne[string](t, pool, `
		SELECT coalesce(string_agg((to_jsonb(m) - 'updated_at')::text || s.list, E'\n' ORDER BY m.key COLLATE "C"), '')
		FROM members m
		CROSS JOIN LATERAL (
			SELECT coalesce(string_agg(sm::text, ' ' ORDER BY sm.section_id), '') AS list
			FROM section_memberships sm
			WHERE sm.member_id = m.id
		) s
		WHERE m.key LIKE 'gen-' || $1 || '-%'`, seed)
}

func TestGenerateMembers(t *testing.T) {
	t.Parallel()
	pool := pgtest.NewWith(t, "units", seedUnits)
	ctx := t.Context()

	var done []int
	r, err := GenerateMembers(ctx, pool, 6_000, 7, func(n int) { done = append(done, n) })
	if err != nil {
		t.Fatal(err)
	}
	if r.Asked != 6_000 || r.Present != 0 || r.Added != 6_000 {
		t.Errorf("first run: got %+v", r)
	}
	if diff := cmp.Diff([]int{0, 5_000, 6_000}, done); diff != "" {
		t.Errorf("progress (-want +got):\n%s", diff)
	}

	for what, want := range map[string]int{
		`SELECT count(*) FROM members`:                                                           6_000,
		`SELECT count(*) FROM section_memberships`:                                               r.Memberships,
		`SELECT count(DISTINCT grade) FROM members`:                                              7,
		`SELECT count(DISTINCT region_id) FROM members`:                                          3, // not the closed one
		`SELECT count(DISTINCT section_id) FROM section_memberships`:                             4,
		`SELECT count(*) FROM members WHERE region_id IS NULL AND grade <> 'OVERSEAS'`:           0,
		`SELECT count(*) FROM members WHERE joined_on NOT BETWEEN '1990-01-01' AND '2025-06-30'`: 0,
		`SELECT count(*) FROM section_memberships s JOIN members m ON m.id = s.member_id
			WHERE s.starts_on < m.joined_on OR s.ends_on > '2025-09-30'`: 0,
		`SELECT count(*) FROM members WHERE sort_name NOT LIKE '%, %'`:                            0,
		`SELECT max(n) FROM (SELECT count(*) AS n FROM section_memberships GROUP BY member_id) c`: 3,
		`SELECT count(DISTINCT listing_audience) FROM members`:                                    6,
		`SELECT count(DISTINCT bio_audience) FROM members`:                                        6,
	} {
		if got := queryOne[int](t, pool, what); got != want {
			t.Errorf("%s: got %d, want %d", what, got, want)
		}
	}
	// Shares that a demo and a measurement count on.
	for what, share := range map[string][2]float64{
		`SELECT avg((listing_audience = 'PUBLIC')::int) FROM members`:                                                            {.57, .63},
		`SELECT avg((bio IS NULL)::int) FROM members`:                                                                            {.36, .44},
		`SELECT count(*)::float8 / 6000 FROM section_memberships`:                                                                {1.4, 1.6},
		`SELECT avg((ends_on IS NOT NULL)::int) FROM section_memberships`:                                                        {.08, .2},
		`SELECT count(DISTINCT display_name)::float8 / 6000 FROM members`:                                                        {.95, 1},
		`SELECT min(n)::float8 / 6000 FROM (SELECT count(*) AS n FROM members WHERE region_id IS NOT NULL GROUP BY region_id) c`: {.15, .33},
	} {
		if got := queryOne[float64](t, pool, `SELECT x::float8 FROM (`+what+`) AS q (x)`); got < share[0] || got > share[1] {
			t.Errorf("%s: got %.3f, want %.2f to %.2f", what, got, share[0], share[1])
		}
	}

	before := membersAsText(t, pool, "7")
	r, err = GenerateMembers(ctx, pool, 6_000, 7, nil)
	if err != nil {
		t.Fatal(err)
	}
	if want := (GenerateReport{Asked: 6_000, Present: 6_000}); r != want || r.String() != "members: nothing to add, 6000 members as they are" {
		t.Errorf("second run: got %+v, %s", r, r)
	}
	if r, err = GenerateMembers(ctx, pool, 10, 7, nil); err != nil || r.Added != 0 {
		t.Errorf("a smaller run: got %+v, %v", r, err)
	}
	if membersAsText(t, pool, "7") != before {
		t.Error("a second run changed members")
	}

	// More of the same, and others beside them. Seed 70 begins with seed 7's digit.
	if r, err = GenerateMembers(ctx, pool, 6_100, 7, nil); err != nil || r.Added != 100 || r.Present != 6_000 {
		t.Errorf("a larger run: got %+v, %v", r, err)
	}
	if r, err = GenerateMembers(ctx, pool, 50, 70, nil); err != nil || r.Added != 50 {
		t.Errorf("another seed: got %+v, %v", r, err)
	}
	names := func(seed string) string {
		return queryOne[string](t, pool, `SELECT string_agg(display_name, ',' ORDER BY key) FROM members WHERE key LIKE 'gen-' || $1 || '-_'`, seed)
	}
	if names("7") == names("70") {
		t.Error("two seeds make the same members")
	}
	// What was taken out comes back as it was.
	mustExec(t, pool, `DELETE FROM members WHERE key IN ('gen-7-3', 'gen-7-5000') OR key ~ '^gen-7-6...$'`)
	if r, err = GenerateMembers(ctx, pool, 6_000, 7, nil); err != nil || r.Added != 2 {
		t.Errorf("after two were taken out: got %+v, %v", r, err)
	}
	if membersAsText(t, pool, "7") != before {
		t.Error("members that came back are not as they were")
	}
}

// TestGenerateMembersIsPrefixStable makes few and many members from one seed in
// two databases with the same units.
func TestGenerateMembersIsPrefixStable(t *testing.T) {
	t.Parallel()
	few := pgtest.NewWith(t, "units", seedUnits)
	many := pgtest.NewWith(t, "units", seedUnits)
	if _, err := GenerateMembers(t.Context(), few, 20, 1<<63, nil); err != nil {
		t.Fatal(err)
	}
	if _, err := GenerateMembers(t.Context(), many, 300, 1<<63, nil); err != nil {
		t.Fatal(err)
	}
	mustExec(t, many, `DELETE FROM members WHERE substr(key, length('gen-9223372036854775808-') + 1)::int >= 20`)
	const seed = "9223372036854775808"
	if diff := cmp.Diff(membersAsText(t, few, seed), membersAsText(t, many, seed)); diff != "" {
		t.Errorf("members of a short and a long run (-short +long):\n%s", diff)
	}
}

// TestGeneratedMembersStayTheSame keeps a change of the words or of the dice
// from changing everybody's demo.
func TestGeneratedMembersStayTheSame(t *testing.T) {
	t.Parallel()
	units := []uuid.UUID{{1}, {2}, {3}}
	g := &generator{seed: 1, prefix: "gen-1-", regions: units, sections: units}
	var got []string
	for i := range 4 {
		m := g.member(i)
		text := ""
		for _, v := range m.row[1:10] {
			switch v := v.(type) {
			case *string:
				text += " | "
				if v != nil {
					text += *v
				}
			case *uuid.UUID:
				text += " | "
				if v != nil {
					text += fmt.Sprint(v[0])
				}
			case time.Time:
				text += " | " + v.Format(time.DateOnly)
			default:
				text += fmt.Sprint(" | ", v)
			}
		}
		got = append(got, fmt.Sprint(strings.TrimPrefix(text, " | "), m.row[10:], len(m.sections)))
	}
	if diff := cmp.Diff([]string{
		"gen-1-0 | Usha Appiah | Appiah, Usha |  | Occupational therapist in learning disability services |  | PROFESSIONAL | 2 | 2017-06-28[MEMBERS PUBLIC PUBLIC MEMBERS PUBLIC MEMBERS STAFF PUBLIC] 0",
		"gen-1-1 | Imani Carter | Carter, Imani |  |  | Imani came to occupational therapy by way of older people's services. Member since 1995. Grows vegetables, and brings them to meetings. | PROFESSIONAL | 3 | 1995-08-29[MEMBERS PUBLIC PUBLIC MEMBERS PUBLIC MEMBERS PUBLIC PUBLIC] 2",
		"gen-1-2 | Saoirse Tang | Tang, Saoirse | she/they | Occupational therapist in eating disorder services |  | PROFESSIONAL | 2 | 2024-03-16[MEMBERS MEMBERS SECTION PUBLIC NOBODY PUBLIC MEMBERS MEMBERS] 3",
		"gen-1-3 | Sylvia Kelly | Kelly, Sylvia | she/her | Occupational therapist in community rehabilitation |  | PROFESSIONAL | 3 | 2014-06-25[MEMBERS PUBLIC NOBODY STAFF PUBLIC PUBLIC MEMBERS MEMBERS] 0",
	}, got); diff != "" {
		t.Errorf("members 0 to 3 of seed 1 (-want +got):\n%s", diff)
	}
}

func TestGenerateMembersRefuses(t *testing.T) {
	t.Parallel()
	empty := pgtest.New(t)
	for _, c := range []struct {
		n    int
		want string
	}{
		{0, "pack.GenerateMembers: generate: 0 is out of range; pass 1 to 1000000"},
		{-5, "pack.GenerateMembers: generate: -5 is out of range; pass 1 to 1000000"},
		{1_000_001, "pack.GenerateMembers: generate: 1000001 is out of range; pass 1 to 1000000"},
		{10, "pack.GenerateMembers: regions: the database has none that members could belong to; import a content pack first"},
	} {
		_, err := GenerateMembers(t.Context(), empty, c.n, 1, nil)
		if _, ok := errors.AsType[*errs.Invalid](err); !ok || err.Error() != c.want {
			t.Errorf("%d members: got %v\nwant bad input: %s", c.n, err, c.want)
		}
	}
}

// TestGenerateMembersStops ends the context in the middle: nothing stays.
func TestGenerateMembersStops(t *testing.T) {
	t.Parallel()
	pool := pgtest.NewWith(t, "units", seedUnits)
	ctx, cancel := context.WithCancel(t.Context())
	_, err := GenerateMembers(ctx, pool, 20_000, 1, func(done int) {
		if done > 0 {
			cancel()
		}
	})
	if !errors.Is(err, context.Canceled) {
		t.Errorf("got %v, want the context's error", err)
	}
	if n := queryOne[int](t, pool, `SELECT count(*) FROM members`); n != 0 {
		t.Errorf("%d members stayed", n)
	}
}

// TestNamesAreNames looks for slips in the lists, and for people of the
// captured page: nobody generated may be taken for one of them.
func TestNamesAreNames(t *testing.T) {
	t.Parallel()
	for list, names := range map[string][]string{"first": firstNames, "family": familyNames} {
		sorted := slices.Clone(names)
		slices.Sort(sorted)
		if n := len(slices.Compact(sorted)); n != len(names) {
			t.Errorf("%s names: %d of %d are there twice", list, len(names)-n, len(names))
		}
		if len(names) < 300 {
			t.Errorf("%s names: only %d", list, len(names))
		}
	}
	for _, real := range []string{"Henderson", "Jeremy", "Tilley", "Owers", "Raj", "Khakoo", "Masemola-Ralehika", "Chew", "Dwyer", "Hurford", "Gettins", "Casson"} {
		if slices.ContainsFunc(familyNames, func(n string) bool { return strings.EqualFold(n, real) }) {
			t.Errorf("family names: %s is on the captured page", real)
		}
	}
}

func BenchmarkGenerateMembers(b *testing.B) {
	pool := pgtest.NewWith(b, "units", seedUnits)
	for i := 0; b.Loop(); i++ {
		if _, err := GenerateMembers(b.Context(), pool, 100_000, uint64(i), nil); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(float64(100_000*b.N)/b.Elapsed().Seconds(), "members/s")
}
