package statistics_test

import (
	"context"
	"fmt"
	"math/rand/v2"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/collegium/collegium/internal/pg"
	"github.com/collegium/collegium/internal/pg/pgtest"
)

func few(ctx context.Context, db *pgxpool.Pool) error {
	if err := generated(30)(ctx, db); err != nil {
		return err
	}
	return lives(ctx, db)
}

// write is a statement that changes something which stretches follow from, of whoever
// chance takes. It may well be refused.
func write(r *rand.Rand) string {
	some := fmt.Sprintf(`(SELECT id FROM members ORDER BY md5(id::text || '%d') LIMIT %d)`, r.Int(), 1+r.IntN(3))
	row := func(table string) string {
		return fmt.Sprintf(`ctid IN (SELECT ctid FROM %s ORDER BY md5(member_id::text || starts_on::text || '%d') LIMIT %d)`, table, r.Int(), 1+r.IntN(2))
	}
	day := func() string { return fmt.Sprintf(`DATE '2023-12-01' + %d`, r.IntN(420)) }
	days := func() string { return fmt.Sprint(r.IntN(120) - 60) }
	unit := func(kind string) string {
		return fmt.Sprintf(`(SELECT id FROM units WHERE kind = '%s' ORDER BY md5(slug || '%d') LIMIT 1)`, kind, r.Int())
	}
	grade := []string{"PROFESSIONAL", "STUDENT", "OVERSEAS", "RETIRED"}[r.IntN(4)]
	how := []string{"NULL", "'RESIGNED'", "'RETIRED'", "'REMOVED'"}[r.IntN(4)]
	until := []string{"NULL", day()}[r.IntN(2)]
	writes := []string{
		fmt.Sprintf(`INSERT INTO members (id, key, display_name, sort_name, grade, region_id, joined_on)
			SELECT gen_random_uuid(), 'new-%d-' || n, 'New', 'New', '%s', %s, %s FROM generate_series(1, 2) n`, r.Int(), grade, unit("REGION"), day()),
		`DELETE FROM members WHERE id IN ` + some,
		`UPDATE members SET region_id = ` + unit("REGION") + ` WHERE id IN ` + some,
		`UPDATE members SET region_id = NULL WHERE id IN ` + some,
		`UPDATE members SET grade = '` + grade + `', joined_on = joined_on + ` + days() + ` WHERE id IN ` + some,
		fmt.Sprintf(`UPDATE members SET display_name = 'Renamed %[1]d', sort_name = 'Renamed %[1]d' WHERE id IN %[2]s`, r.IntN(1000), some),
		fmt.Sprintf(`INSERT INTO membership_periods (member_id, grade, starts_on, ends_on, ended_how, recorded_on)
			SELECT id, '%s', d, %s, %s, d - %d FROM members CROSS JOIN (SELECT %s AS d) d WHERE id IN %s`,
			grade, []string{"NULL", "d + 90"}[r.IntN(2)], how, r.IntN(40), day(), some),
		// Renewed at once, or some days late.
		fmt.Sprintf(`INSERT INTO membership_periods (member_id, grade, starts_on, ends_on)
			SELECT member_id, grade, ends_on + %d, ends_on + 365 FROM membership_periods WHERE next_on IS NULL AND ends_on IS NOT NULL AND member_id IN %s`,
			[]int{1, 1, 20}[r.IntN(3)], some),
		`DELETE FROM membership_periods WHERE ` + row("membership_periods"),
		`UPDATE membership_periods SET starts_on = starts_on + ` + days() + ` WHERE ` + row("membership_periods"),
		`UPDATE membership_periods SET ends_on = ends_on + ` + days() + ` WHERE ` + row("membership_periods"),
		`UPDATE membership_periods SET ends_on = ` + until + ` WHERE ` + row("membership_periods"),
		`UPDATE membership_periods SET ended_how = ` + how + ` WHERE ` + row("membership_periods"),
		`UPDATE membership_periods SET grade = '` + grade + `' WHERE ` + row("membership_periods"),
		fmt.Sprintf(`INSERT INTO membership_suspensions (member_id, starts_on, ends_on, reason) SELECT id, d, %s, 'x' FROM members CROSS JOIN (SELECT %s AS d) d WHERE id IN %s`,
			[]string{"NULL", "d + 30"}[r.IntN(2)], day(), some),
		`DELETE FROM membership_suspensions WHERE ` + row("membership_suspensions"),
		`UPDATE membership_suspensions SET ends_on = ` + until + ` WHERE ` + row("membership_suspensions"),
		fmt.Sprintf(`INSERT INTO section_memberships (member_id, section_id, starts_on, ends_on) SELECT id, %s, d, %s FROM members CROSS JOIN (SELECT %s AS d) d WHERE id IN %s`,
			unit("SPECIALIST_SECTION"), []string{"NULL", "d + 50"}[r.IntN(2)], day(), some),
		`DELETE FROM section_memberships WHERE ` + row("section_memberships"),
		`UPDATE section_memberships SET ends_on = ` + until + ` WHERE ` + row("section_memberships"),
		`UPDATE section_memberships SET section_id = ` + unit("SPECIALIST_SECTION") + ` WHERE ` + row("section_memberships"),
	}
	// These are about everyone.
	if r.IntN(8) == 0 {
		on := day()
		writes = []string{
			fmt.Sprintf(`UPDATE membership_rules SET until = %[1]s WHERE grade = '%[2]s' AND until IS NULL;
				INSERT INTO membership_rules (grade, since, grace_days, renewal_days, period_months, practises) VALUES ('%[2]s', %[1]s, %[3]d, 60, 12, true)`,
				on, grade, r.IntN(90)),
			fmt.Sprintf(`DELETE FROM membership_rules WHERE grade = '%[1]s' AND until IS NULL AND since > '0001-01-01';
				UPDATE membership_rules r SET until = NULL WHERE r.grade = '%[1]s' AND r.since = (SELECT max(n.since) FROM membership_rules n WHERE n.grade = r.grade)`, grade),
			fmt.Sprintf(`UPDATE membership_rules SET grace_days = %d WHERE grade = '%s'`, r.IntN(90), grade),
			fmt.Sprintf(`UPDATE membership_rules SET counts_as = '%s' WHERE grade = '%s' AND until IS NULL`, []string{"CURRENT", "RETIRED"}[r.IntN(2)], grade),
			`TRUNCATE membership_suspensions`,
			`TRUNCATE section_memberships`,
			`UPDATE members SET region_id = ` + unit("REGION"),
		}
	}
	return writes[r.IntN(len(writes))]
}

// stretches are all that are kept, in words.
const stretches = `
	SELECT concat_ws(' ', s.member_id, s.since, s.until, st.*, ss.section_ids, 'before', b.*, bs.section_ids)
	FROM membership_stretches s
	JOIN membership_strata st ON st.id = s.stratum
	JOIN section_sets ss ON ss.id = s.section_set
	LEFT JOIN membership_strata b ON b.id = s.stratum_before
	LEFT JOIN section_sets bs ON bs.id = s.section_set_before
	ORDER BY s.member_id, s.since`

// asMade wants the stretches that triggers kept to be those that are made anew.
func asMade(t *testing.T, db *pgxpool.Pool, after string) {
	t.Helper()
	tx, err := db.Begin(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer tx.Rollback(context.Background()) //nolint:errcheck // it was to see
	kept, err := pg.Scalars[string](t.Context(), tx, stretches)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := tx.Exec(t.Context(), `
		SET LOCAL session_replication_role = replica;
		DELETE FROM membership_stretches`); err != nil {
		t.Fatal(err)
	}
	if _, err := tx.Exec(t.Context(), `SELECT membership_stretches_keep(array_agg(id)) FROM members`); err != nil {
		t.Fatal(err)
	}
	made, err := pg.Scalars[string](t.Context(), tx, stretches)
	if err != nil {
		t.Fatal(err)
	}
	if strings.Join(kept, "\n") != strings.Join(made, "\n") {
		t.Fatalf("after %s\nkept:\n%s\nmade anew:\n%s", after, strings.Join(kept, "\n"), strings.Join(made, "\n"))
	}
	wrong, err := pg.Scalars[string](t.Context(), db, `
		SELECT m.id || ': ' || m.member_on::text || ', not ' || d.days::text
		FROM members m
		CROSS JOIN LATERAL (
			SELECT COALESCE(range_agg(daterange(s.since, s.until)), '{}') AS days
			FROM membership_stretches s
			JOIN membership_strata st ON st.id = s.stratum
			WHERE s.member_id = m.id AND st.member
		) d
		WHERE m.member_on <> d.days`)
	if err != nil || len(wrong) > 0 {
		t.Fatalf("after %s: on which days who is a member: %s, %v", after, strings.Join(wrong, "; "), err)
	}
}

// asAsked wants the stretches of each day to say of each member what is found by asking
// for the status and the sections on the day, and each to begin where another ends.
func asAsked(t *testing.T, db *pgxpool.Pool) {
	t.Helper()
	wrong, err := pg.Scalars[string](t.Context(), db, `
		WITH days AS (
			SELECT d::date AS day FROM generate_series(DATE '2023-10-01', DATE '2025-06-30', '1 day') d
		), asked AS (
			SELECT d.day, st.member_id, st.grade, st.status,
				st.status IN ('CURRENT', 'GRACE', 'SUSPENDED') OR st.status = 'RETIRED' AND (st.ends_on IS NULL OR st.ends_on >= d.day) AS member,
				m.region_id,
				ARRAY(
					SELECT DISTINCT sm.section_id
					FROM section_memberships sm
					WHERE sm.member_id = m.id AND d.day BETWEEN sm.starts_on AND COALESCE(sm.ends_on, 'infinity')
					ORDER BY 1
				) AS section_ids
			FROM days d
			CROSS JOIN LATERAL membership_statuses(d.day) st
			JOIN members m ON m.id = st.member_id
		), kept AS (
			SELECT d.day, s.member_id, st.grade, st.status, st.member, st.region_id, ss.section_ids
			FROM days d
			JOIN membership_stretches s ON s.since <= d.day AND s.until > d.day
			JOIN membership_strata st ON st.id = s.stratum
			JOIN section_sets ss ON ss.id = s.section_set
		)
		(SELECT 'missing ' || a::text FROM (TABLE asked EXCEPT ALL TABLE kept) a LIMIT 5)
		UNION ALL
		(SELECT 'too many ' || k::text FROM (TABLE kept EXCEPT ALL TABLE asked) k LIMIT 5)
		UNION ALL
		(SELECT 'torn ' || s::text
		FROM (
			SELECT s.*, lag(s.until) OVER w AS ended, lag(s.stratum) OVER w AS stratum_then, lag(s.section_set) OVER w AS set_then, lead(s.since) OVER w AS next
			FROM membership_stretches s
			WINDOW w AS (PARTITION BY s.member_id ORDER BY s.since)
		) s
		WHERE (s.ended, s.stratum_then, s.set_then) IS DISTINCT FROM (
				CASE WHEN s.stratum_before IS NOT NULL THEN s.since END, s.stratum_before, s.section_set_before)
			OR s.next IS NULL AND s.until <> 'infinity'
		LIMIT 5)`)
	if err != nil {
		t.Fatal(err)
	}
	if len(wrong) > 0 {
		t.Fatal(strings.Join(wrong, "\n"))
	}
}

// countedAsAsked wants the members of sections and regions to be as many as are found by
// asking for the status and the sections of each on the day, also long ago and far ahead.
func countedAsAsked(t *testing.T, db *pgxpool.Pool) {
	t.Helper()
	wrong, err := pg.Scalars[string](t.Context(), db, `
		WITH days AS (
			SELECT d::date AS day FROM generate_series(DATE '2023-10-01', DATE '2025-06-30', '6 days') d
			UNION ALL
			VALUES (DATE '1900-01-01'), (CURRENT_DATE), (DATE '2300-01-01'), (DATE '9999-12-31')
		), asked AS MATERIALIZED (
			SELECT d.day, st.member_id, m.region_id
			FROM days d
			CROSS JOIN LATERAL membership_statuses(d.day) st
			JOIN members m ON m.id = st.member_id
			WHERE st.status IN ('CURRENT', 'GRACE', 'SUSPENDED') OR st.status = 'RETIRED' AND (st.ends_on IS NULL OR st.ends_on >= d.day)
		), units AS MATERIALIZED (
			SELECT array_agg(u.id) AS ids FROM units u
		), found AS (
			SELECT a.day, a.region_id AS id, count(*) AS n FROM asked a WHERE a.region_id IS NOT NULL GROUP BY 1, 2
			UNION ALL
			SELECT a.day, sm.section_id, count(DISTINCT a.member_id)
			FROM asked a
			JOIN section_memberships sm ON sm.member_id = a.member_id AND a.day BETWEEN sm.starts_on AND COALESCE(sm.ends_on, 'infinity')
			GROUP BY 1, 2
		), counted AS (
			SELECT d.day, c.id, c.n FROM days d CROSS JOIN units u CROSS JOIN LATERAL region_member_counts(u.ids, d.day) c
			UNION ALL
			SELECT d.day, c.id, c.n FROM days d CROSS JOIN units u CROSS JOIN LATERAL section_member_counts(u.ids, d.day) c
		)
		(SELECT 'missing ' || a::text FROM (TABLE found EXCEPT ALL TABLE counted) a LIMIT 5)
		UNION ALL
		(SELECT 'too many ' || k::text FROM (TABLE counted EXCEPT ALL TABLE found) k LIMIT 5)
		UNION ALL
		SELECT 'nobody is counted' WHERE NOT EXISTS (SELECT FROM counted)`)
	if err != nil {
		t.Fatal(err)
	}
	if len(wrong) > 0 {
		t.Fatal(strings.Join(wrong, "\n"))
	}
}

// TestStretchesFollow writes at random, and compares what triggers kept with what is
// made anew after each write, and with what is true of each day now and then. Some
// transactions have it made when they commit.
func TestStretchesFollow(t *testing.T) {
	t.Parallel()
	db := pgtest.NewWith(t, "few", few)
	seed := uint64(time.Now().UnixNano())
	t.Logf("seed %d", seed)
	r := rand.New(rand.NewPCG(seed, 0)) //nolint:gosec // a test wants many, not secret ones
	asMade(t, db, "the demo")
	asAsked(t, db)
	done := map[string]int{}
	for i := range 160 {
		sql := write(r)
		when := []string{"", atCommit}[r.IntN(2)]
		n, err := writeAll(t.Context(), db, when+sql)
		if err != nil || n == 0 {
			continue
		}
		done[sql[:min(len(sql), 22)]]++
		asMade(t, db, when+sql)
		if i%40 == 39 {
			asAsked(t, db)
			countedAsAsked(t, db)
		}
	}
	asAsked(t, db)
	countedAsAsked(t, db)
	if len(done) < 9 {
		t.Errorf("only these were written: %v", done)
	}
}

// atCommit has a transaction make stretches when it commits.
const atCommit = `SET LOCAL collegium.stretches = 'at commit'; `

// writeAll runs statements as one transaction, and returns how many rows they wrote.
func writeAll(ctx context.Context, db *pgxpool.Pool, sql string) (int64, error) {
	var n int64
	err := pgx.BeginFunc(ctx, db, func(tx pgx.Tx) error {
		results, err := tx.Conn().PgConn().Exec(ctx, sql).ReadAll()
		for _, r := range results {
			n += r.CommandTag.RowsAffected()
		}
		if strings.HasPrefix(strings.TrimPrefix(sql, atCommit), "TRUNCATE") {
			n++
		}
		return err
	})
	return n, err
}

// TestStretchesOfManyAtOnce: who writes about the same members at the same time does
// not overwrite what another wrote.
func TestStretchesOfManyAtOnce(t *testing.T) {
	t.Parallel()
	db := pgtest.NewWith(t, "few", few)
	var wait sync.WaitGroup
	for i := range 4 {
		wait.Go(func() {
			r := rand.New(rand.NewPCG(uint64(i), 0)) //nolint:gosec // a test wants many, not secret ones
			for range 25 {
				_, _ = writeAll(t.Context(), db, []string{"", atCommit}[r.IntN(2)]+write(r)) // some are refused
			}
		})
	}
	wait.Wait()
	asMade(t, db, "all")
	asAsked(t, db)
	countedAsAsked(t, db)
}

// TestWhatTheGraphReads: in SQL too, who may read statistics reads numbers and days,
// whose they are of nobody, and no period; who may not reads nothing.
func TestWhatTheGraphReads(t *testing.T) {
	t.Parallel()
	db := pgtest.NewWith(t, "few", few)
	as := func(permissions, sql string) (int, error) {
		var n int
		err := pgx.BeginFunc(t.Context(), db, func(tx pgx.Tx) error {
			if _, err := tx.Exec(t.Context(), `SET LOCAL ROLE collegium_graph`); err != nil {
				return err
			}
			if _, err := tx.Exec(t.Context(), `SELECT set_config('collegium.permissions', $1, true)`, permissions); err != nil {
				return err
			}
			return tx.QueryRow(t.Context(), sql).Scan(&n)
		})
		return n, err
	}
	const (
		counted = `SELECT count(*) FROM membership_stretches s JOIN membership_strata st ON st.id = s.stratum`
		due     = `SELECT COALESCE(sum(n), 0)::int FROM renewals_due('2024-06-15', '2024-06-15', '2024-12-15', NULL, NULL, NULL)`
	)
	for _, sql := range []string{counted, due} {
		if n, err := as("READ_STATISTICS", sql); err != nil || n == 0 {
			t.Errorf("who may read statistics counts %d, %v by %s", n, err, sql)
		}
		if n, err := as("READ_DIRECTORY", sql); err != nil || n != 0 {
			t.Errorf("who may not read statistics counts %d, %v by %s", n, err, sql)
		}
	}
	for _, sql := range []string{`SELECT count(*) FROM membership_periods`, `SELECT count(*) FROM membership_suspensions`, `SELECT count(*) FROM section_memberships`} {
		if n, err := as("READ_STATISTICS", sql); err != nil || n != 0 {
			t.Errorf("%s: %d, %v; want none", sql, n, err)
		}
	}
	for _, sql := range []string{
		`SELECT count(member_id) FROM membership_stretches`,
		`WITH w AS (DELETE FROM membership_stretches RETURNING 1) SELECT count(*) FROM w`,
		`WITH w AS (UPDATE membership_strata SET member = true RETURNING 1) SELECT count(*) FROM w`,
		`SELECT 1 FROM membership_stretches_keep('{}')`,
		`SELECT count(*) FROM membership_stretches_pending`,
		`WITH w AS (INSERT INTO membership_stretches_pending VALUES ('{}', true) RETURNING 1) SELECT count(*) FROM w`,
	} {
		if _, err := as("READ_STATISTICS,MANAGE_REGISTER", sql); err == nil || !strings.Contains(err.Error(), "permission denied") {
			t.Errorf("%s: %v; want it refused", sql, err)
		}
	}
}
