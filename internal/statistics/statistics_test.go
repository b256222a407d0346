package statistics_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/uuid"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/collegium/collegium/internal/errs"
	"github.com/collegium/collegium/internal/pack"
	"github.com/collegium/collegium/internal/pg"
	"github.com/collegium/collegium/internal/pg/pgtest"
	"github.com/collegium/collegium/internal/statistics"
	"github.com/collegium/collegium/internal/viewer"
)

var staff = viewer.New(viewer.MembershipOfficer)

func ptr[T any](v T) *T { return &v }

func day(s string) *time.Time {
	d, err := time.Parse(time.DateOnly, s)
	if err != nil {
		panic(err)
	}
	return &d
}

func generated(n int) func(context.Context, *pgxpool.Pool) error {
	return func(ctx context.Context, db *pgxpool.Pool) error {
		p, err := pack.Read(os.DirFS("../pack/demo"))
		if err != nil {
			return err
		}
		if _, err := pack.Import(ctx, db, p, pack.ImportOptions{}); err != nil {
			return err
		}
		_, err = pack.GenerateMembers(ctx, db, n, 1, nil)
		return err
	}
}

// lives gives the members yearly periods that were renewed in time, late, as another
// grade or not at all, that ended in every way, and that begin later; some are
// suspended, and a rule changed.
func lives(ctx context.Context, db *pgxpool.Pool) error {
	_, err := db.Exec(ctx, `
		UPDATE membership_rules SET until = '2024-07-10' WHERE grade = 'PROFESSIONAL';
		INSERT INTO membership_rules (grade, since, grace_days, renewal_days, period_months, counts_as, practises)
		VALUES ('PROFESSIONAL', '2024-07-10', 5, 60, 12, 'CURRENT', true);
		UPDATE membership_rules SET until = '2024-05-20' WHERE grade = 'STUDENT';
		INSERT INTO membership_rules (grade, since, grace_days, renewal_days, period_months, counts_as, practises)
		VALUES ('STUDENT', '2024-05-20', 200, 60, 12, 'CURRENT', false);
		UPDATE membership_rules SET counts_as = 'RETIRED' WHERE grade = 'RETIRED';
		UPDATE members SET joined_on = DATE '2022-01-01' + (abs(hashtext(key)) % 1000);
		DELETE FROM membership_periods`)
	if err != nil {
		return err
	}
	for year := range 4 {
		if _, err := db.Exec(ctx, `
			INSERT INTO membership_periods (member_id, grade, starts_on, ends_on, ended_how, recorded_on)
			SELECT m.id,
				CASE WHEN h % 17 = $1 THEN 'OVERSEAS' ELSE m.grade END,
				x.starts_on,
				CASE WHEN h % 13 = 0 AND $1 = 3 THEN NULL ELSE x.starts_on + 364 - CASE h % 5 WHEN 1 THEN (h % 90) ELSE 0 END END,
				CASE WHEN h % 11 = $1 AND NOT (h % 13 = 0 AND $1 = 3) THEN (ARRAY['RESIGNED', 'RETIRED', 'DECEASED', 'REMOVED'])[1 + h % 4] END,
				x.starts_on - (h % 40)
			FROM members m
			CROSS JOIN LATERAL (SELECT abs(hashtext(m.key || 'x')) AS h) h
			CROSS JOIN LATERAL (SELECT m.joined_on + $1 * 365 + CASE h % 7 WHEN 2 THEN $1 * (h % 60) ELSE 0 END AS starts_on) x
			WHERE h % 6 >= $1 AND (h % 11 >= $1 OR h % 3 = 0)`, year); err != nil {
			return err
		}
	}
	_, err = db.Exec(ctx, `
		INSERT INTO membership_suspensions (member_id, starts_on, ends_on, reason)
		SELECT id, DATE '2024-01-20' + h % 300, CASE WHEN h % 2 = 0 THEN DATE '2024-01-20' + h % 300 + h % 70 END, 'x'
		FROM (SELECT id, abs(hashtext(key || 'y')) AS h FROM members) m
		WHERE h % 4 = 0`)
	return err
}

func small(ctx context.Context, db *pgxpool.Pool) error {
	if err := generated(260)(ctx, db); err != nil {
		return err
	}
	return lives(ctx, db)
}

// roll is who is a member on each day, found by asking for the status of each.
const roll = `
	SELECT d::date AS day, st.member_id, st.grade, st.status,
		st.status IN ('CURRENT', 'GRACE', 'SUSPENDED') OR st.status = 'RETIRED' AND (st.ends_on IS NULL OR st.ends_on >= d) AS member
	FROM generate_series($1::date - 1, $2::date, '1 day') d
	CROSS JOIN LATERAL membership_statuses(d::date) st`

// sections are who is in which on each day.
const inSections = `
	SELECT DISTINCT d::date AS day, sm.member_id, u.slug
	FROM generate_series($1::date - 1, $2::date, '1 day') d
	JOIN section_memberships sm ON sm.starts_on <= d AND (sm.ends_on IS NULL OR sm.ends_on >= d)
	JOIN units u ON u.id = sm.section_id`

// TestByTheDay compares every table and every series with what is found by asking for
// the status of each member on each day.
func TestByTheDay(t *testing.T) {
	t.Parallel()
	db := pgtest.NewWith(t, "small", small)
	store := &statistics.Store{DB: db}
	from, to := day("2024-03-10"), day("2024-10-20")
	if _, err := db.Exec(t.Context(), `CREATE TABLE roll AS `+strings.NewReplacer("$1", "'2024-03-10'", "$2", "'2024-10-20'").Replace(roll)+`;
		CREATE TABLE belonging AS `+strings.NewReplacer("$1", "'2024-03-10'", "$2", "'2024-10-20'").Replace(inSections)); err != nil {
		t.Fatal(err)
	}
	for name, f := range map[string]*statistics.Filter{
		"all":               nil,
		"a grade":           {Grade: ptr("PROFESSIONAL")},
		"a grade they take": {Grade: ptr("OVERSEAS")},
		"a region":          {Region: ptr("wales")},
		"a section":         {Section: ptr("housing")},
		"three at once":     {Grade: ptr("PROFESSIONAL"), Region: ptr("london"), Section: ptr("work")},
	} {
		args := map[string]*string{}
		if f != nil {
			args = map[string]*string{"grade": f.Grade, "region": f.Region, "section": f.Section}
		}
		// Of those whom the filter lets through, by day.
		const through = `
			CREATE TABLE through AS
			WITH t AS (
				SELECT r.*, lag(r.member) OVER (PARTITION BY r.member_id ORDER BY r.day) AS before
				FROM (
					SELECT s.day, m.id AS member_id, r.grade, r.status, u.slug AS region, COALESCE(r.member, false)
						AND (@grade::text IS NULL OR r.grade = @grade) AND (@section::text IS NULL OR b.slug IS NOT NULL) AS member,
						(@grade::text IS NULL OR r.grade = @grade) AND (@section::text IS NULL OR b.slug IS NOT NULL) AS counted
					FROM (SELECT DISTINCT day FROM roll) s
					CROSS JOIN members m
					LEFT JOIN roll r ON r.day = s.day AND r.member_id = m.id
					LEFT JOIN units u ON u.id = m.region_id
					LEFT JOIN belonging b ON b.day = s.day AND b.member_id = m.id AND b.slug = @section
					WHERE @region::text IS NULL OR u.slug = @region
				) r
			)
			SELECT * FROM t`
		text := through
		for _, name := range []string{"grade", "region", "section"} {
			literal := "NULL"
			if v := args[name]; v != nil {
				literal = "'" + *v + "'"
			}
			text = strings.ReplaceAll(text, "@"+name, literal)
		}
		if _, err := db.Exec(t.Context(), `DROP TABLE IF EXISTS through; `+text); err != nil {
			t.Fatal(err)
		}
		type count struct {
			Day time.Time
			Key string
			N   int
		}
		counts := func(sql string) map[string]int {
			t.Helper()
			rows, err := pg.All[count](t.Context(), db, sql)
			if err != nil {
				t.Fatal(err)
			}
			m := map[string]int{}
			for _, r := range rows {
				m[r.Day.Format(time.DateOnly)+" "+r.Key] = r.N
			}
			return m
		}
		wants := map[statistics.Dimension]map[string]int{
			statistics.ByGrade:  counts(`SELECT day, grade AS key, count(*)::int AS n FROM through WHERE member GROUP BY 1, 2`),
			statistics.ByRegion: counts(`SELECT day, COALESCE(region, 'NONE') AS key, count(*)::int AS n FROM through WHERE member GROUP BY 1, 2`),
			statistics.ByStatus: counts(`SELECT day, status AS key, count(*)::int AS n FROM through WHERE counted AND status IS NOT NULL GROUP BY 1, 2`),
			statistics.BySection: counts(`
				SELECT t.day, COALESCE(b.slug, 'NONE') AS key, count(*)::int AS n
				FROM through t
				LEFT JOIN belonging b ON b.day = t.day AND b.member_id = t.member_id
				WHERE t.member
				GROUP BY 1, 2`),
		}
		members := counts(`SELECT day, '' AS key, count(*)::int AS n FROM through WHERE member GROUP BY 1`)
		statuses := counts(`SELECT day, '' AS key, count(*)::int AS n FROM through WHERE counted AND status IS NOT NULL GROUP BY 1`)
		joined := counts(`SELECT date_trunc('month', day)::date AS day, '' AS key, count(*)::int AS n FROM through WHERE member AND NOT before GROUP BY 1`)
		left := counts(`SELECT date_trunc('month', day)::date AS day, '' AS key, count(*)::int AS n FROM through WHERE before AND NOT member GROUP BY 1`)

		for _, on := range []string{"2024-03-10", "2024-05-19", "2024-05-20", "2024-07-09", "2024-07-10", "2024-10-20"} {
			st, err := store.Of(t.Context(), staff, day(on), f)
			if err != nil {
				t.Fatal(err)
			}
			for by, want := range wants {
				table, err := store.By(t.Context(), st, by)
				if err != nil {
					t.Fatal(err)
				}
				total := members[on+" "]
				if by == statistics.ByStatus {
					total = statuses[on+" "]
				}
				if *table.Total != total {
					t.Errorf("%s, by %s on %s: total %d, want %d", name, by, on, *table.Total, total)
				}
				for _, r := range table.Rows {
					if *r.Count != want[on+" "+r.Key] {
						t.Errorf("%s, by %s on %s: %s %d, want %d", name, by, on, r.Key, *r.Count, want[on+" "+r.Key])
					}
				}
			}
		}
		st, err := store.Of(t.Context(), staff, to, f)
		if err != nil {
			t.Fatal(err)
		}
		for by, want := range wants {
			months, err := store.Months(t.Context(), st, from, nil, &by)
			if err != nil {
				t.Fatal(err)
			}
			if len(months.Months) != 8 {
				t.Fatalf("%d months, want 8", len(months.Months))
			}
			allJoined := 0
			for _, m := range months.Months {
				on, first := m.AsOf.Format(time.DateOnly), m.Month+"-01 "
				got := fmt.Sprint(*m.Members, *m.Joined, *m.Left)
				if want := fmt.Sprint(members[on+" "], joined[first], left[first]); got != want {
					t.Errorf("%s, %s: members, joined and left %s, want %s", name, on, got, want)
				}
				allJoined += *m.Joined
				for _, r := range m.Rows {
					if *r.Count != want[on+" "+r.Key] {
						t.Errorf("%s, month by %s to %s: %s %d, want %d", name, by, on, r.Key, *r.Count, want[on+" "+r.Key])
					}
				}
			}
			if *months.Joined != allJoined {
				t.Errorf("%s: joined %d in all, want %d", name, *months.Joined, allJoined)
			}
		}
		if strings.HasPrefix(name, "a") && len(members)*len(joined)*len(left) == 0 {
			t.Errorf("%s: nobody is counted, so this proves nothing", name)
		}
	}
}

// TestRenewalsDue counts those whose period ends in the window, and not those who
// renewed before the day.
func TestRenewalsDue(t *testing.T) {
	t.Parallel()
	db := pgtest.NewWith(t, "small", small)
	store := &statistics.Store{DB: db}
	st, err := store.Of(t.Context(), staff, day("2024-06-15"), nil)
	if err != nil {
		t.Fatal(err)
	}
	got, err := store.RenewalsDue(t.Context(), st, day("2024-06-20"), day("2024-08-10"))
	if err != nil {
		t.Fatal(err)
	}
	type count struct {
		Key string
		N   int
	}
	want, err := pg.All[count](t.Context(), db, `
		SELECT to_char(st.ends_on, 'YYYY-MM') AS key, count(*)::int AS n
		FROM membership_statuses('2024-06-15') st
		JOIN membership_periods p ON p.member_id = st.member_id AND p.starts_on = st.starts_on
		WHERE st.ends_on BETWEEN '2024-06-20' AND '2024-08-10' AND p.ended_how IS NULL
			AND NOT EXISTS (
				SELECT FROM membership_periods n
				WHERE n.member_id = p.member_id AND n.starts_on = p.next_on AND n.recorded_on <= '2024-06-15')
		GROUP BY 1
		ORDER BY 1`)
	if err != nil {
		t.Fatal(err)
	}
	if len(want) != 3 || len(got.Rows) != 3 {
		t.Fatalf("%d months of %d", len(got.Rows), len(want))
	}
	total := 0
	for i, r := range got.Rows {
		if r.Key != want[i].Key || *r.Count != want[i].N {
			t.Errorf("%s: %d, want %+v", r.Key, *r.Count, want[i])
		}
		total += want[i].N
	}
	if *got.Total != total {
		t.Errorf("total %d, want %d", *got.Total, total)
	}
}

// TestPartner asserts that a partner's key counts its own unit only, and is told no
// small numbers.
func TestPartner(t *testing.T) {
	t.Parallel()
	db := pgtest.NewWith(t, "small", small)
	store := &statistics.Store{DB: db}
	partner := viewer.New(viewer.KeyStatistics)
	partner.Application = uuid.New()
	on := day("2024-06-15")
	exactly := func(v viewer.Viewer, f *statistics.Filter, by statistics.Dimension) *statistics.Table {
		t.Helper()
		st, err := store.Of(t.Context(), v, on, f)
		if err != nil {
			t.Fatal(err)
		}
		table, err := store.By(t.Context(), st, by)
		if err != nil {
			t.Fatal(err)
		}
		return table
	}
	for _, by := range []statistics.Dimension{statistics.ByGrade, statistics.ByRegion, statistics.BySection, statistics.ByStatus} {
		exact, told := exactly(staff, nil, by), exactly(partner, nil, by)
		small := 0
		for i, r := range exact.Rows {
			got := told.Rows[i].Count
			switch {
			case *r.Count == 0 && (got == nil || *got != 0):
				t.Errorf("%s %s: nobody is told as %v", by, r.Key, got)
			case *r.Count > 0 && *r.Count < 5:
				small++
				if got != nil {
					t.Errorf("%s %s: %d is told as %d", by, r.Key, *r.Count, *got)
				}
			case *r.Count >= 5 && (got == nil || *got%5 != 0 || max(*got-*r.Count, *r.Count-*got) > 2):
				t.Errorf("%s %s: %d is told as %v", by, r.Key, *r.Count, got)
			}
		}
		if *told.Total%5 != 0 {
			t.Errorf("%s: the total is told exactly: %d", by, *told.Total)
		}
		if by == statistics.ByStatus && small == 0 {
			t.Error("there are no small counts, so this proves nothing")
		}
		if strings.Contains(told.CSV(), ",1\n") || strings.Contains(told.CSV(), ",3\n") {
			t.Errorf("small counts in\n%s", told.CSV())
		}
	}
	// Limited to a region, and to a section.
	for kind, slug := range map[string]string{"REGION": "wales", "SPECIALIST_SECTION": "housing"} {
		id, err := pg.Scalar[uuid.UUID](t.Context(), db, `SELECT id FROM units WHERE kind = $1 AND slug = $2`, kind, slug)
		if err != nil {
			t.Fatal(err)
		}
		limited := partner
		limited.Unit = id
		own, other := &statistics.Filter{Region: &slug}, &statistics.Filter{Region: ptr("london")}
		if kind != "REGION" {
			own, other = &statistics.Filter{Section: &slug}, &statistics.Filter{Section: ptr("work")}
		}
		for _, by := range []statistics.Dimension{statistics.ByGrade, statistics.ByStatus, statistics.BySection} {
			want := exactly(partner, own, by)
			if diff := cmp.Diff(want, exactly(limited, nil, by)); diff != "" {
				t.Errorf("%s by %s: a limited key counts others (-want +got):\n%s", slug, by, diff)
			}
			if got := exactly(limited, other, by); *got.Total != 0 {
				t.Errorf("%s by %s: a limited key counts %d of another unit", slug, by, *got.Total)
			}
		}
	}
	for _, v := range []viewer.Viewer{{}, viewer.New(viewer.CurrentMember), viewer.New(viewer.Editor), viewer.New(viewer.KeyDirectory)} {
		if _, err := store.Of(t.Context(), v, nil, nil); !errors.Is(err, errs.Forbidden) {
			t.Errorf("%+v: got %v", v, err)
		}
	}
}

func TestWindows(t *testing.T) {
	t.Parallel()
	store := &statistics.Store{DB: pgtest.New(t)}
	st, err := store.Of(t.Context(), staff, day("2024-06-15"), nil)
	if err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct {
		from, to *time.Time
		months   int
	}{
		{nil, nil, 12},
		{nil, day("2024-02-01"), 12},
		{day("2024-01-31"), day("2024-02-01"), 2},
		{day("2024-06-15"), nil, 1},
		{day("2014-07-01"), nil, 120},
		{day("2014-06-30"), nil, 0},
		{day("2024-06-16"), nil, 0},
		{day("0001-01-01"), day("9999-12-31"), 0},
	} {
		m, err := store.Months(t.Context(), st, tt.from, tt.to, nil)
		var invalid *errs.Invalid
		switch {
		case tt.months == 0 && !errors.As(err, &invalid):
			t.Errorf("%v to %v: got %v, want bad input", tt.from, tt.to, err)
		case tt.months > 0 && (err != nil || len(m.Months) != tt.months):
			t.Errorf("%v to %v: got %v, %v; want %d months", tt.from, tt.to, m, err, tt.months)
		}
	}
}

func TestCSV(t *testing.T) {
	t.Parallel()
	table := statistics.Table{By: "region", Rows: []*statistics.Row{
		{Key: "a", Label: `A, "B"`, Count: ptr(3)},
		{Key: "b", Label: "=SUM(A1)", Count: nil},
	}, Total: ptr(7)}
	want := "region,label,members\na,\"A, \"\"B\"\"\",3\nb,'=SUM(A1),\nTOTAL,Total,7\n"
	if diff := cmp.Diff(want, table.CSV()); diff != "" {
		t.Errorf("(-want +got)\n%s", diff)
	}
	months := statistics.Months{Months: []*statistics.Month{{
		Month: "2024-05", AsOf: *day("2024-05-31"), Members: ptr(10), Joined: nil, Left: ptr(0), Rows: table.Rows,
	}}}
	if diff := cmp.Diff("month,as_of,members,joined,left,a,b\n2024-05,2024-05-31,10,,0,3,\n", months.CSV()); diff != "" {
		t.Errorf("(-want +got)\n%s", diff)
	}
}

// many are 100,000 members with half a million periods.
func many(ctx context.Context, db *pgxpool.Pool) error {
	if err := generated(100_000)(ctx, db); err != nil {
		return err
	}
	tx, err := db.Begin(ctx)
	if err != nil {
		return err
	}
	defer func() { _ = tx.Rollback(ctx) }() // after a commit it does nothing
	for _, sql := range []string{
		`SET LOCAL session_replication_role = replica`,
		`TRUNCATE membership_periods`,
		`INSERT INTO membership_periods (member_id, grade, starts_on, ends_on, ended_how, governs_on, next_on, recorded_on)
		SELECT y.id, y.grade, y.starts_on, y.ends_on, CASE WHEN y.next_on IS NULL AND y.h BETWEEN 50 AND 99 THEN 'RESIGNED' END, y.starts_on, y.next_on, y.starts_on
		FROM (
			SELECT x.id, x.grade, x.h, x.starts_on, x.ends_on, lead(x.starts_on) OVER (PARTITION BY x.id ORDER BY x.starts_on) AS next_on
			FROM (
				SELECT m.id, m.grade, m.h, CASE n WHEN 0 THEN least(m.joined_on, a.anniversary) ELSE a.anniversary + n * 365 END AS starts_on,
					a.anniversary + n * 365 + 364 AS ends_on
				FROM (SELECT id, grade, joined_on, abs(hashtext(key)) % 1000 AS h, abs(hashtext(key || 'd')) % 365 AS d FROM members) m
				CROSS JOIN LATERAL (SELECT DATE '2021-01-01' + m.d AS anniversary) a
				CROSS JOIN generate_series(0, CASE WHEN m.h < 100 THEN m.h % 4 ELSE 4 END) AS n
			) x
		) y`,
		`SELECT membership_stretches_keep(array_agg(id)) FROM members`,
	} {
		if _, err := tx.Exec(ctx, sql); err != nil {
			return err
		}
	}
	return tx.Commit(ctx)
}
