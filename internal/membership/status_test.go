package membership_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"github.com/collegium/collegium/internal/membership"
	"github.com/collegium/collegium/internal/pg"
	"github.com/collegium/collegium/internal/pg/pgtest"
	"github.com/collegium/collegium/internal/viewer"
)

var (
	ada = uuid.MustParse("00000000-0000-4000-8000-00000000000a")
	bea = uuid.MustParse("00000000-0000-4000-8000-00000000000b")
)

// enrol makes two members by nothing but their rows, as content packs and the
// generator do.
const enrol = `
	INSERT INTO members (id, key, display_name, sort_name, grade, joined_on)
	VALUES
		('00000000-0000-4000-8000-00000000000a', 'a', 'Ada', 'Ada', 'PROFESSIONAL', '2020-01-01'),
		('00000000-0000-4000-8000-00000000000b', 'b', 'Bea', 'Bea', 'STUDENT', '2020-01-01');`

func run(t testing.TB, db pg.Querier, sql string, args ...any) {
	t.Helper()
	if _, err := db.Exec(t.Context(), sql, args...); err != nil {
		t.Fatalf("%s: %v", sql, err)
	}
}

func day(s string) time.Time {
	d, err := time.Parse(time.DateOnly, s)
	if err != nil {
		panic(err)
	}
	return d
}

func statusOn(t testing.TB, db pg.Querier, member uuid.UUID, on time.Time) string {
	t.Helper()
	found, err := pg.Scalars[string](t.Context(), db, `SELECT st.status FROM membership_statuses(@day) st WHERE st.member_id = @member`,
		pgx.StrictNamedArgs{"day": on, "member": member})
	if err != nil {
		t.Fatal(err)
	}
	return strings.Join(found, ",")
}

// TestStatus goes through every status, on the days at which one becomes another.
func TestStatus(t *testing.T) {
	t.Parallel()
	db := pgtest.New(t)
	run(t, db, enrol+`
		-- Open, until it was given an end.
		UPDATE membership_periods SET ends_on = '2020-12-31' WHERE member_id = '`+ada.String()+`';
		INSERT INTO membership_periods (member_id, grade, starts_on, ends_on)
		VALUES ('`+ada.String()+`', 'OVERSEAS', '2021-06-01', '2022-05-31');
		INSERT INTO membership_periods (member_id, grade, starts_on, ends_on, ended_how)
		VALUES ('`+ada.String()+`', 'PROFESSIONAL', '2022-06-01', '2022-08-31', 'RESIGNED');
		INSERT INTO membership_periods (member_id, grade, starts_on)
		VALUES ('`+ada.String()+`', 'RETIRED', '2024-01-01');
		INSERT INTO membership_suspensions (member_id, starts_on, ends_on, reason)
		VALUES
			('`+ada.String()+`', '2020-03-01', '2020-03-31', 'Fees are owed.'),
			('`+ada.String()+`', '2021-01-10', '2021-03-01', 'Fees are owed.'),
			('`+ada.String()+`', '2025-01-01', NULL, 'A hearing.')`)
	store := membership.Store{DB: db}
	self := viewer.New(viewer.SignedIn | viewer.HasRecord)
	self.MemberID = ada
	for _, tt := range []struct{ on, status, reason string }{
		{"2019-12-31", "", ""},
		{"2020-01-01", "CURRENT", "The membership runs until 31 December 2020."},
		{"2020-02-29", "CURRENT", "The membership runs until 31 December 2020."},
		{"2020-03-01", "SUSPENDED", "Suspended from 1 March 2020 until 31 March 2020: Fees are owed."},
		{"2020-03-31", "SUSPENDED", "Suspended from 1 March 2020 until 31 March 2020: Fees are owed."},
		{"2020-04-01", "CURRENT", "The membership runs until 31 December 2020."},
		{"2020-12-31", "CURRENT", "The membership runs until 31 December 2020."},
		{"2021-01-01", "GRACE", "The membership was paid until 31 December 2020; it can be renewed until 30 January 2021."},
		{"2021-01-10", "SUSPENDED", "Suspended from 10 January 2021 until 1 March 2021: Fees are owed."},
		{"2021-01-30", "SUSPENDED", "Suspended from 10 January 2021 until 1 March 2021: Fees are owed."},
		// Who is suspended can lapse, too.
		{"2021-01-31", "LAPSED", "The membership was paid until 31 December 2020 and was not renewed by 30 January 2021."},
		{"2021-05-31", "LAPSED", "The membership was paid until 31 December 2020 and was not renewed by 30 January 2021."},
		{"2021-06-01", "CURRENT", "The membership runs until 31 May 2022."},
		{"2022-06-01", "CURRENT", "The membership runs until 31 August 2022."},
		{"2022-08-31", "CURRENT", "The membership runs until 31 August 2022."},
		// No days of grace after that.
		{"2022-09-01", "RESIGNED", "Resigned; the last day was 31 August 2022."},
		{"2023-12-31", "RESIGNED", "Resigned; the last day was 31 August 2022."},
		{"2024-01-01", "CURRENT", "The membership has no end."},
		{"2025-01-01", "SUSPENDED", "Suspended since 1 January 2025: A hearing."},
		{"2999-01-01", "SUSPENDED", "Suspended since 1 January 2025: A hearing."},
	} {
		if got := statusOn(t, db, ada, day(tt.on)); got != tt.status {
			t.Errorf("on %s: %q, want %q", tt.on, got, tt.status)
		}
		on := day(tt.on)
		m, err := store.AsOf(t.Context(), self, ada, &on)
		if err != nil {
			t.Fatal(err)
		}
		reason := ""
		if m != nil {
			reason = m.StatusReason()
		}
		if reason != tt.reason {
			t.Errorf("on %s: %q, want %q", tt.on, reason, tt.reason)
		}
	}
	for how, want := range map[string]string{
		"RETIRED":  "Retired; the last day was 30 June 2020.",
		"DECEASED": "Died; the last day was 30 June 2020.",
		"REMOVED":  "Removed from the register; the last day was 30 June 2020.",
	} {
		run(t, db, `UPDATE membership_periods SET ends_on = '2020-06-30', ended_how = $2 WHERE member_id = $1`, bea, how)
		self.MemberID = bea
		m, err := store.AsOf(t.Context(), self, bea, nil)
		if err != nil {
			t.Fatal(err)
		}
		if string(m.Status) != how || m.StatusReason() != want || m.GraceEndsOn != nil {
			t.Errorf("%s: %s, %q", how, m.Status, m.StatusReason())
		}
		if got := statusOn(t, db, bea, day("2020-06-30")); got != "CURRENT" {
			t.Errorf("%s on the last day: %s, want CURRENT", how, got)
		}
	}
}

// TestPending asks for somebody whose membership begins later: it is pending from the
// day on which that is known.
func TestPending(t *testing.T) {
	t.Parallel()
	db := pgtest.New(t)
	run(t, db, `
		INSERT INTO members (id, key, display_name, sort_name, grade, joined_on)
		VALUES ($1, 'a', 'Ada', 'Ada', 'PROFESSIONAL', CURRENT_DATE + 10)`, ada)
	today, err := pg.Scalar[time.Time](t.Context(), db, `SELECT CURRENT_DATE`)
	if err != nil {
		t.Fatal(err)
	}
	for days, want := range map[int]string{-1: "", 0: "PENDING", 9: "PENDING", 10: "CURRENT"} {
		if got := statusOn(t, db, ada, today.AddDate(0, 0, days)); got != want {
			t.Errorf("%d days from now: %q, want %q", days, got, want)
		}
	}
}

// TestRules changes a rule from a day on: what was before stays as it was.
func TestRules(t *testing.T) {
	t.Parallel()
	db := pgtest.New(t)
	run(t, db, enrol+`
		UPDATE membership_periods SET ends_on = '2024-12-31';
		UPDATE membership_rules SET until = '2025-01-11' WHERE grade = 'PROFESSIONAL';
		INSERT INTO membership_rules (grade, since, grace_days, renewal_days, period_months, counts_as, practises)
		VALUES ('PROFESSIONAL', '2025-01-11', 5, 60, 12, 'CURRENT', true);
		UPDATE membership_rules SET counts_as = 'RETIRED' WHERE grade = 'STUDENT';
		SET CONSTRAINTS ALL IMMEDIATE`)
	for on, want := range map[string]string{"2025-01-10": "GRACE", "2025-01-11": "LAPSED", "2024-12-31": "CURRENT"} {
		if got := statusOn(t, db, ada, day(on)); got != want {
			t.Errorf("on %s: %s, want %s", on, got, want)
		}
	}
	if got := statusOn(t, db, bea, day("2024-06-01")); got != "RETIRED" {
		t.Errorf("what a student counts as: %s, want RETIRED", got)
	}
}

// TestMembersShowTheirPeriods writes to either table: the other follows.
func TestMembersShowTheirPeriods(t *testing.T) {
	t.Parallel()
	db := pgtest.New(t)
	run(t, db, enrol)
	id := `'` + ada.String() + `'`
	for _, tt := range []struct{ sql, grade, joined, periods string }{
		{``, "PROFESSIONAL", "2020-01-01", "PROFESSIONAL 2020-01-01..-"},
		{`UPDATE members SET grade = 'ASSOCIATE' WHERE id = ` + id, "ASSOCIATE", "2020-01-01", "ASSOCIATE 2020-01-01..-"},
		{`UPDATE members SET joined_on = '2019-01-01' WHERE id = ` + id, "ASSOCIATE", "2019-01-01", "ASSOCIATE 2019-01-01..-"},
		{`UPDATE membership_periods SET ends_on = '2019-12-31' WHERE member_id = ` + id, "ASSOCIATE", "2019-01-01", "ASSOCIATE 2019-01-01..2019-12-31"},
		{
			`INSERT INTO membership_periods (member_id, grade, starts_on) VALUES (` + id + `, 'STUDENT', '2021-01-01')`,
			"STUDENT", "2019-01-01", "ASSOCIATE 2019-01-01..2019-12-31, STUDENT 2021-01-01..-",
		},
		{`UPDATE members SET grade = 'OVERSEAS' WHERE id = ` + id, "OVERSEAS", "2019-01-01", "ASSOCIATE 2019-01-01..2019-12-31, OVERSEAS 2021-01-01..-"},
		// Not before its day.
		{
			`UPDATE membership_periods SET ends_on = CURRENT_DATE WHERE starts_on = '2021-01-01';
			INSERT INTO membership_periods (member_id, grade, starts_on) VALUES (` + id + `, 'RETIRED', CURRENT_DATE + 1)`,
			"OVERSEAS", "2019-01-01", "ASSOCIATE 2019-01-01..2019-12-31, OVERSEAS 2021-01-01..today, RETIRED tomorrow..-",
		},
		{`DELETE FROM membership_periods WHERE starts_on > CURRENT_DATE`, "OVERSEAS", "2019-01-01", "ASSOCIATE 2019-01-01..2019-12-31, OVERSEAS 2021-01-01..today"},
		{`DELETE FROM membership_periods WHERE starts_on = '2019-01-01'`, "OVERSEAS", "2021-01-01", "OVERSEAS 2021-01-01..today"},
	} {
		run(t, db, tt.sql)
		got, err := pg.Scalar[string](t.Context(), db, `
			SELECT m.grade || ' ' || m.joined_on || ': ' || string_agg(
				p.grade || ' ' || CASE p.starts_on WHEN CURRENT_DATE + 1 THEN 'tomorrow' ELSE p.starts_on::text END
				|| '..' || CASE p.ends_on WHEN CURRENT_DATE THEN 'today' ELSE COALESCE(p.ends_on::text, '-') END, ', ' ORDER BY p.starts_on)
			FROM members m JOIN membership_periods p ON p.member_id = m.id
			WHERE m.id = $1 GROUP BY m.id`, ada)
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(fmt.Sprintf("%s %s: %s", tt.grade, tt.joined, tt.periods), got); diff != "" {
			t.Errorf("%s (-want +got)\n%s", tt.sql, diff)
		}
	}
}

// TestNamedConstraints wants the database to refuse what makes no sense, by name.
func TestNamedConstraints(t *testing.T) {
	t.Parallel()
	db := pgtest.New(t)
	run(t, db, enrol+`
		UPDATE membership_periods SET ends_on = '2020-12-31';
		INSERT INTO membership_suspensions (member_id, starts_on, ends_on, reason) SELECT id, '2020-03-01', '2020-03-31', 'x' FROM members;
		INSERT INTO registrations (member_id, body, number, verified_on, valid_until) VALUES ('`+ada.String()+`', 'HCPC', 'OT12345', '2020-01-01', '2021-01-01');
		INSERT INTO registrations (member_id, body, number) VALUES ('`+bea.String()+`', 'HCPC', 'OT12345')`)
	for want, sql := range map[string]string{
		"membership_periods_overlap_none":         `INSERT INTO membership_periods (member_id, grade, starts_on) SELECT id, 'STUDENT', '2020-12-31' FROM members`,
		"membership_periods_end_not_before_start": `UPDATE membership_periods SET ends_on = '2019-12-31'`,
		"membership_periods_ended_on_a_day":       `UPDATE membership_periods SET ended_how = 'RESIGNED', ends_on = NULL`,
		"membership_periods_member_stays":         `UPDATE membership_periods SET member_id = '` + bea.String() + `' WHERE member_id = '` + ada.String() + `'`,
		"membership_suspensions_overlap_none":     `INSERT INTO membership_suspensions (member_id, starts_on, reason) SELECT id, '2020-03-31', 'x' FROM members`,
		"membership_rules_followed":               `UPDATE membership_rules SET until = '2025-01-01' WHERE grade = 'STUDENT'; SET CONSTRAINTS ALL IMMEDIATE`,
		"membership_rules_one_open":               `INSERT INTO membership_rules (grade, since, grace_days, renewal_days, period_months, practises) VALUES ('STUDENT', '2025-01-01', 1, 1, 1, true)`,
		"registrations_number_form":               `UPDATE registrations SET number = 'OT1234'`,
		"registrations_verified_once":             `UPDATE registrations SET verified_on = '2020-01-01', valid_until = '2021-01-01'`,
		"registrations_valid_until_near_verified": `UPDATE registrations SET valid_until = '2014-12-31' WHERE verified_on IS NOT NULL`,
		"membership_events_voided_by_end":         `UPDATE membership_events SET voided = '[]'`,
		"membership_events_kind_known":            `UPDATE membership_events SET kind = 'WITHDRAWN'`,
		"registrations_verified_until":            `UPDATE registrations SET verified_on = '2020-01-01', valid_until = NULL`,
	} {
		tx, err := db.Begin(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		_, err = tx.Exec(t.Context(), sql)
		if got := pg.Constraint(err); got != want {
			t.Errorf("%s: %q, want %q (%v)", sql, got, want, err)
		}
		_ = tx.Rollback(t.Context())
	}
	run(t, db, `UPDATE registrations SET number = 'OT123456' WHERE member_id = $1`, ada)
	if n, err := pg.Scalar[int](t.Context(), db, `SELECT count(*) FROM registrations WHERE verified_on IS NOT NULL`); err != nil || n != 0 {
		t.Errorf("another number is still verified (%d, %v)", n, err)
	}
}
