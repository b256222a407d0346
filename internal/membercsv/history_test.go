package membercsv

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/uuid"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/riverqueue/river"

	"github.com/collegium/collegium/internal/membership"
	"github.com/collegium/collegium/internal/pg"
	"github.com/collegium/collegium/internal/pg/pgtest"
	"github.com/collegium/collegium/internal/viewer"
)

// span is a period, in days from today; nil is no end.
type span struct {
	from int
	to   *int
}

// joined makes a student who is in a section and has these periods.
func joined(t testing.TB, db *pgxpool.Pool, key string, periods []span) uuid.UUID {
	t.Helper()
	id := uuid.New()
	if _, err := db.Exec(t.Context(), `
		INSERT INTO members (id, key, display_name, sort_name, grade, joined_on) VALUES ($1, $2, 'Ada', 'Ada', 'STUDENT', CURRENT_DATE + $3::int)`,
		id, key, periods[0].from); err != nil {
		t.Fatal(err)
	}
	for i, p := range periods {
		sql := `
			WITH p AS (
				INSERT INTO membership_periods (member_id, grade, starts_on, ends_on)
				VALUES ($1, 'STUDENT', CURRENT_DATE + $2::int, CURRENT_DATE + $3::int)
				RETURNING *
			)
			INSERT INTO membership_events (member_id, kind, happened_on, grade, ends_on)
			SELECT member_id, 'RENEWED', starts_on, grade, ends_on FROM p`
		if i == 0 {
			sql = `
			UPDATE membership_periods SET ends_on = CURRENT_DATE + $3::int
			WHERE member_id = $1 AND starts_on = CURRENT_DATE + $2::int`
		}
		if _, err := db.Exec(t.Context(), sql, id, p.from, p.to); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := db.Exec(t.Context(), `
		INSERT INTO section_memberships (member_id, section_id, starts_on)
		SELECT $1, u.id, CURRENT_DATE + $2::int FROM units u WHERE u.slug = 'housing'`, id, periods[0].from); err != nil {
		t.Fatal(err)
	}
	return id
}

// history is what is stored of the membership of somebody, and what they were and are.
func history(t testing.TB, db *pgxpool.Pool, key string) []string {
	t.Helper()
	lines, err := pg.Scalars[string](t.Context(), db, `
		WITH m AS (SELECT * FROM members WHERE key = $1)
		SELECT concat_ws(' ', 'member', m.grade, m.joined_on) FROM m
		UNION ALL
		(SELECT concat_ws(' ', 'period', p.grade, p.starts_on, p.ends_on, p.ended_how, 'governs', p.governs_on, 'next', p.next_on)
		FROM membership_periods p JOIN m ON m.id = p.member_id ORDER BY p.starts_on)
		UNION ALL
		(SELECT concat_ws(' ', 'event', e.kind, e.happened_on, e.grade, e.ends_on) FROM membership_events e JOIN m ON m.id = e.member_id ORDER BY e.id)
		UNION ALL
		(SELECT concat_ws(' ', 'section', sm.starts_on, sm.ends_on) FROM section_memberships sm JOIN m ON m.id = sm.member_id ORDER BY sm.starts_on)
		UNION ALL
		(SELECT concat_ws(' ', 'on', x.day, st.status, st.grade)
		FROM m, unnest(ARRAY[-500, -400, -100, -1, 0, 1, 30, 100, 400]) WITH ORDINALITY AS x (day, n), membership_statuses(CURRENT_DATE + x.day) st
		WHERE st.member_id = m.id ORDER BY x.n)`, key)
	if err != nil {
		t.Fatal(err)
	}
	return lines
}

// TestAsTheRegisterDoes changes grades and ends memberships by files, all members of a
// kind of change with one file, and wants of each what the register makes of one who is
// the same.
func TestAsTheRegisterDoes(t *testing.T) {
	t.Parallel()
	db := pgtest.NewWith(t, "organised", organised)
	today, err := pg.Scalar[time.Time](t.Context(), db, `SELECT CURRENT_DATE`)
	if err != nil {
		t.Fatal(err)
	}
	workers := river.NewWorkers()
	river.AddWorker(workers, &membership.MailWorker{})
	jobs, err := pg.OpenQueue(db, workers, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	register, office := membership.Store{DB: db, Jobs: jobs}, viewer.New(viewer.SignedIn|viewer.MembershipOfficer)
	day := func(d int) *time.Time { on := today.AddDate(0, 0, d); return &on }
	to := func(d int) *int { return &d }
	histories := map[string][]span{
		"open":          {{-450, nil}},
		"paid":          {{-450, to(50)}},
		"renewed":       {{-450, to(-86)}, {-85, to(279)}},
		"renewed-ahead": {{-450, to(-86)}, {-85, to(20)}, {21, to(386)}},
		"begins-today":  {{-450, to(-1)}, {0, to(364)}},
	}
	changes := map[string]struct {
		// cells are what the file says after the number.
		headings, cells string
		do              func(ctx context.Context, member uuid.UUID) error
	}{
		"grade": {"grade", "RETIRED", func(ctx context.Context, m uuid.UUID) error {
			_, err := register.ChangeGrade(ctx, office, membership.GradeChange{Member: m, Grade: "RETIRED"})
			return err
		}},
	}
	for name, e := range map[string]struct {
		how membership.Status
		on  int
	}{
		"resigned-today":      {membership.Resigned, 0},
		"resigns-later":       {membership.Resigned, 10},
		"removed":             {membership.Removed, -30},
		"died-long-ago":       {membership.Deceased, -100},
		"retired-when-joined": {"RETIRED", -450},
	} {
		changes[name] = struct {
			headings, cells string
			do              func(ctx context.Context, member uuid.UUID) error
		}{"paid_until,ended_how", day(e.on).Format(time.DateOnly) + "," + string(e.how), func(ctx context.Context, m uuid.UUID) error {
			_, err := register.End(ctx, office, membership.Ending{Member: &m, How: e.how, On: day(e.on)})
			return err
		}}
	}
	for name, c := range changes {
		text, want := "number,"+c.headings+"\n", map[string][]string{}
		for kind, periods := range histories {
			one, other := name+"-"+kind+"-1", name+"-"+kind+"-2"
			if err := c.do(t.Context(), joined(t, db, one, periods)); err != nil {
				t.Fatalf("%s: %v", one, err)
			}
			joined(t, db, other, periods)
			text += other + "," + c.cells + "\n"
			want[other] = history(t, db, one)
		}
		dry := load(t, db, text, Options{DryRun: true})
		r := load(t, db, text, Options{})
		if dry.DryRun = false; cmp.Diff(dry, r) != "" || r.Changed != len(histories) || r.Unchanged != 0 || r.Periods < len(histories) {
			t.Errorf("%s: %s\na dry run said %s", name, r, dry)
		}
		for member, want := range want {
			if diff := cmp.Diff(want, history(t, db, member)); diff != "" {
				t.Errorf("%s (-register +file)\n%s", member, diff)
			}
		}
		if r := load(t, db, text, Options{}); r.written() != 0 || r.Unchanged != len(histories) {
			t.Errorf("%s again: %s", name, r)
		}
	}
	text := export(t, db)
	if r := load(t, db, text, Options{}); r.written() != 0 {
		t.Errorf("an import of the export: %s", r)
	}
}

// TestManyChangesInOneRow renews somebody who lapsed, changes the grade and sets the end.
func TestManyChangesInOneRow(t *testing.T) {
	t.Parallel()
	db := pgtest.NewWith(t, "organised", organised)
	today, err := pg.Scalar[time.Time](t.Context(), db, `SELECT CURRENT_DATE`)
	if err != nil {
		t.Fatal(err)
	}
	day := func(d int) string { return today.AddDate(0, 0, d).Format(time.DateOnly) }
	ends := -100
	joined(t, db, "1", []span{{-450, &ends}})
	r := load(t, db, "number,grade,paid_until,ended_how\n1,RETIRED,"+day(60)+",RESIGNED\n", Options{})
	if r.Changed != 1 || r.Periods != 2 {
		t.Errorf("%s", r)
	}
	got := slices.DeleteFunc(history(t, db, "1"), func(s string) bool { return strings.HasPrefix(s, "on ") })
	if diff := cmp.Diff([]string{
		"member RETIRED " + day(-450),
		fmt.Sprintf("period STUDENT %[1]s %[2]s governs %[1]s next %[3]s", day(-450), day(-100), day(-99)),
		fmt.Sprintf("period STUDENT %[1]s %[2]s governs %[1]s next %[3]s", day(-99), day(-1), day(0)),
		fmt.Sprintf("period RETIRED %[1]s %[2]s RESIGNED governs %[1]s next", day(0), day(60)),
		"event JOINED " + day(-450) + " STUDENT",
		fmt.Sprintf("event RENEWED %s STUDENT %s", day(-99), day(60)),
		fmt.Sprintf("event GRADE_CHANGED %s RETIRED %s", day(0), day(60)),
		fmt.Sprintf("event RESIGNED %[1]s %[1]s", day(60)),
		fmt.Sprintf("section %s %s", day(-450), day(60)),
	}, got); diff != "" {
		t.Errorf("(-want +got)\n%s", diff)
	}
}

// TestThePastStays asserts that a file that contradicts what the register says of the past
// of a member is refused with the reason, and changes nothing.
func TestThePastStays(t *testing.T) {
	t.Parallel()
	db := pgtest.NewWith(t, "organised", organised)
	today, err := pg.Scalar[time.Time](t.Context(), db, `SELECT CURRENT_DATE`)
	if err != nil {
		t.Fatal(err)
	}
	day := func(d int) string { return today.AddDate(0, 0, d).Format(time.DateOnly) }
	ends := func(d int) *int { return &d }
	joined(t, db, "open", []span{{-450, nil}})
	joined(t, db, "renewed", []span{{-450, ends(-200)}, {-100, ends(265)}})
	joined(t, db, "lapsed", []span{{-450, ends(-200)}})
	joined(t, db, "later", []span{{10, ends(375)}})
	load(t, db, "number,name,grade,joined_on,paid_until,ended_how\n"+
		"left,Bea Birch,student,"+day(-450)+","+day(-100)+",RESIGNED\n"+
		"back,Cai Elm,student,"+day(-450)+","+day(-200)+",RESIGNED\n", Options{})
	if _, err := db.Exec(t.Context(), `
		INSERT INTO membership_periods (member_id, grade, starts_on, ends_on)
		SELECT m.id, 'STUDENT', CURRENT_DATE - 50, CURRENT_DATE + 300 FROM members m WHERE m.key = 'back'`); err != nil {
		t.Fatal(err)
	}
	// One who was in a section before the day of joining, as the register has it.
	if _, err := db.Exec(t.Context(), `
		UPDATE section_memberships sm SET starts_on = starts_on - 30 FROM members m WHERE m.id = sm.member_id AND m.key = 'lapsed'`); err != nil {
		t.Fatal(err)
	}
	before := stored(t, db)
	whole := func() []string {
		var all []string
		for _, key := range []string{"open", "renewed", "lapsed", "later", "left", "back"} {
			all = append(all, history(t, db, key)...)
		}
		return all
	}
	told := whole()
	if r := load(t, db, export(t, db), Options{}); r.written() != 0 || r.Unchanged != len(before) {
		t.Errorf("an import of an export changes something: %s", r)
	}
	end := "the register says that the membership ended on " + day(-100) + " (RESIGNED), and an import does not change it"
	for _, tt := range []struct{ headings, cells, reason string }{
		{"joined_on", "open," + day(-451), "joined_on: the register says " + day(-450) + ", and an import does not change it"},
		{"joined_on", "left," + day(0), "joined_on: the register says " + day(-450) + ", and an import does not change it"},
		{"grade", "lapsed,RETIRED", "grade: the register says STUDENT, and nothing is paid for today; a grade changes while a membership runs, so renew it first"},
		{"grade,paid_until", "open,RETIRED," + day(-1), "grade: the register says STUDENT, and nothing is paid for today; a grade changes while a membership runs, so renew it first"},
		{"grade", "left,RETIRED", "grade: the register says STUDENT, and the membership ended on " + day(-100) + " (RESIGNED)"},
		{"grade", "later,RETIRED", "grade: the register says STUDENT, and the membership has not begun; a grade changes while one runs"},
		{"paid_until,ended_how", "left," + day(-100) + ",", "ended_how: the register says RESIGNED on " + day(-100) + ", and an import does not change it"},
		{"paid_until,ended_how", "left," + day(-100) + ",DECEASED", "ended_how: the register says RESIGNED on " + day(-100) + ", and an import does not change it"},
		{"paid_until,ended_how", "left," + day(-99) + ",RESIGNED", "paid_until: " + end},
		{"paid_until", "left," + day(-101), "paid_until: " + end},
		{"paid_until", "left,", "paid_until: " + end},
		{"paid_until,ended_how", "back," + day(-200) + ",RESIGNED", "paid_until: is before the last period began, on " + day(-50) + ", and the membership ended before that already"},
		{"paid_until,ended_how", "renewed," + day(-150) + ",RESIGNED", "paid_until: is no day for which the register has a period"},
		{"paid_until,ended_how", "open," + day(800) + ",RESIGNED", "paid_until: is more than two years ahead, and no end is set as late as that"},
		{"paid_until,ended_how", "open," + day(1) + ",DECEASED", "paid_until: is ahead, and nobody knows the day on which a member dies"},
		{"paid_until,ended_how", "later," + day(20) + ",RESIGNED", "ended_how: the membership has not begun"},
		{"paid_until", "renewed," + day(-250), "paid_until: is before the last period began, on " + day(-100) + "; if the membership ended, write how"},
		{"paid_until", "open," + day(-451), "paid_until: is before the day of joining"},
		{"sections", "open,work " + day(-451), "sections: work begins on " + day(-451) + ", before the day of joining, " + day(-450)},
		{"name,grade,joined_on,sections", "new,Dee Fir,STUDENT,2025-01-01,work 2025-01-01; housing 2020-01-01", "sections: housing begins on 2020-01-01, before the day of joining, 2025-01-01"},
	} {
		text := "number," + tt.headings + "\n" + tt.cells + "\n"
		_, err := Import(t.Context(), db, strings.NewReader(text), Options{File: "f"})
		bad, ok := errors.AsType[*BadRowsError](err)
		if !ok || len(bad.Told) != 1 || bad.Told[0].String() != "2: "+tt.reason {
			t.Errorf("%q\ngot  %v\nwant 2: %s", text, err, tt.reason)
		}
	}
	if diff := cmp.Diff(before, stored(t, db)); diff != "" {
		t.Errorf("refused files changed something (-before +after)\n%s", diff)
	}
	if diff := cmp.Diff(told, whole()); diff != "" {
		t.Errorf("refused files changed something (-before +after)\n%s", diff)
	}
}

// TestChangedCounts asserts that a member of whom anything is written counts as changed.
func TestChangedCounts(t *testing.T) {
	t.Parallel()
	db := pgtest.NewWith(t, "organised", organised)
	load(t, db, "number,name,grade,joined_on\n1,Ada Ash,student,2020-02-03\n", Options{})
	for _, tt := range []struct{ headings, cells string }{
		{"paid_until", "2099-02-02"},
		{"grade", "RETIRED"},
		{"sections", "housing 2020-03-01"},
		{"email", "ada@example.org"},
		{"registration_number", "OT12345"},
		{"registration_number,registered_until", "OT12345,2099-01-01"},
		{"paid_until,ended_how", "2021-02-02,RESIGNED"},
	} {
		text := "number,name," + tt.headings + "\n1,Ada Ash," + tt.cells + "\n"
		if r := load(t, db, text, Options{}); r.Changed != 1 || r.Unchanged != 0 {
			t.Errorf("%q: %s", text, r)
		}
		if r := load(t, db, text, Options{}); r.Changed != 0 || r.Unchanged != 1 {
			t.Errorf("%q again: %s", text, r)
		}
	}
}
