package membership_test

import (
	"context"
	"errors"
	"log/slog"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/uuid"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/riverqueue/river"
	"pgregory.net/rapid"

	"github.com/collegium/collegium/internal/errs"
	"github.com/collegium/collegium/internal/membership"
	"github.com/collegium/collegium/internal/pg"
	"github.com/collegium/collegium/internal/pg/pgtest"
	"github.com/collegium/collegium/internal/viewer"
)

var office = func() viewer.Viewer {
	v := viewer.New(viewer.SignedIn | viewer.MembershipOfficer)
	v.Account = uuid.MustParse("00000000-0000-4000-8000-0000000000ff")
	return v
}()

func self(member uuid.UUID) viewer.Viewer {
	v := viewer.New(viewer.SignedIn | viewer.HasRecord | viewer.CurrentMember)
	v.MemberID, v.Account = member, member // the accounts of these tests have the same ids
	return v
}

const anOffice = `
	INSERT INTO accounts (id, email)
	VALUES
		('00000000-0000-4000-8000-0000000000ff', 'office@example.org'),
		('00000000-0000-4000-8000-00000000000a', 'ada@example.org'),
		('00000000-0000-4000-8000-00000000000b', 'bea@example.org');`

// period and suspension are what the history of a member says, read by itself.
type (
	period struct {
		starts time.Time
		ends   *time.Time
		how    string
	}
	suspension struct {
		starts time.Time
		ends   *time.Time
	}
)

// told computes the status of a day from the history alone.
func told(events []*membership.Event, day time.Time) string {
	var periods []period
	var suspensions []suspension
	for _, e := range events {
		switch on := e.HappenedOn; e.Kind {
		case membership.JoinedEvent, membership.RenewedEvent:
			periods = append(periods, period{starts: on, ends: e.EndsOn})
		case membership.SuspendedEvent:
			suspensions = append(suspensions, suspension{starts: on})
		case membership.ReinstatedEvent:
			last := &suspensions[len(suspensions)-1]
			if before := on.AddDate(0, 0, -1); last.starts.Before(on) {
				last.ends = &before
			} else {
				suspensions = suspensions[:len(suspensions)-1]
			}
		case membership.GradeChangedEvent: // grades of these tests have the same rules
		default:
			periods = slices.DeleteFunc(periods, func(p period) bool { return p.starts.After(on) })
			last := &periods[len(periods)-1]
			if last.ends == nil || last.ends.After(on) {
				last.ends = &on
			}
			last.how = string(e.Kind)
		}
	}
	at := -1
	for i, p := range periods {
		if !p.starts.After(day) {
			at = i
		}
	}
	if at < 0 {
		return ""
	}
	p := periods[at]
	suspended := slices.ContainsFunc(suspensions, func(s suspension) bool {
		return !s.starts.After(day) && (s.ends == nil || !s.ends.Before(day))
	})
	switch {
	case p.how != "" && p.ends.Before(day):
		return p.how
	case p.ends != nil && p.ends.AddDate(0, 0, 30).Before(day):
		return "LAPSED"
	case suspended:
		return "SUSPENDED"
	case p.ends != nil && p.ends.Before(day):
		return "GRACE"
	}
	return "CURRENT"
}

// TestStatusFollowsFromHistory changes memberships at random: the status of every day
// is what the history tells, statusAsOf says the same as the list of all, and no two
// periods govern a day.
func TestStatusFollowsFromHistory(t *testing.T) {
	t.Parallel()
	outer := pgtest.New(t)
	run(t, outer, anOffice)
	today, err := pg.Scalar[time.Time](t.Context(), outer, `SELECT CURRENT_DATE`)
	if err != nil {
		t.Fatal(err)
	}
	jobs := unworked(t, outer)
	changed := 0
	rapid.Check(t, func(rt *rapid.T) {
		tx, err := outer.Begin(t.Context())
		if err != nil {
			rt.Fatal(err)
		}
		defer func() { _ = tx.Rollback(context.Background()) }()
		near := rapid.Custom(func(rt *rapid.T) time.Time { return today.AddDate(0, 0, rapid.IntRange(-400, 400).Draw(rt, "days")) })
		joined := today.AddDate(0, 0, -rapid.IntRange(0, 500).Draw(rt, "since"))
		if _, err := tx.Exec(t.Context(), `INSERT INTO members (id, key, display_name, sort_name, grade, joined_on) VALUES ($1, 'a', 'Ada', 'Ada', 'STUDENT', $2)`, ada, joined); err != nil {
			rt.Fatal(err)
		}
		if rapid.Bool().Draw(rt, "ends") {
			ends := joined.AddDate(0, 0, rapid.IntRange(1, 700).Draw(rt, "for"))
			if _, err := tx.Exec(t.Context(), `WITH p AS (UPDATE membership_periods SET ends_on = $1) UPDATE membership_events SET ends_on = $1`, ends); err != nil {
				rt.Fatal(err)
			}
		}
		s := membership.Store{DB: tx, Jobs: jobs}
		on := func() *time.Time {
			if rapid.Bool().Draw(rt, "today") {
				return nil
			}
			d := near.Draw(rt, "on")
			return &d
		}
		for range rapid.IntRange(1, 6).Draw(rt, "changes") {
			var err error
			switch rapid.IntRange(0, 4).Draw(rt, "change") {
			case 0:
				m := ada
				_, err = s.Renew(t.Context(), office, &m)
			case 1:
				_, err = s.ChangeGrade(t.Context(), office, membership.GradeChange{
					Member: ada, Grade: rapid.SampledFrom([]string{"STUDENT", "PROFESSIONAL", "ASSOCIATE"}).Draw(rt, "grade"), On: on(),
				})
			case 2:
				_, err = s.Suspend(t.Context(), office, membership.Suspension{Member: ada, Reason: "Fees are owed.", On: on()})
			case 3:
				_, err = s.Reinstate(t.Context(), office, membership.Reinstatement{Member: ada, On: on()})
			case 4:
				m := ada
				how := rapid.SampledFrom([]membership.Status{membership.Resigned, membership.Retired, membership.Removed, membership.Deceased}).Draw(rt, "how")
				_, err = s.End(t.Context(), office, membership.Ending{Member: &m, How: how, On: on()})
			}
			if invalid := (*errs.Invalid)(nil); err != nil && !errors.As(err, &invalid) {
				rt.Fatal(err)
			} else if err == nil {
				changed++
			}
		}
		// In the order in which it was recorded.
		events, err := pg.All[membership.Event](t.Context(), tx, `
			SELECT member_id, kind, happened_on, grade, ends_on, reason, recorded_at FROM membership_events ORDER BY id`)
		if err != nil {
			rt.Fatal(err)
		}
		type status struct {
			Day    time.Time
			Status string
		}
		got, err := pg.All[status](t.Context(), tx, `
			SELECT d::date AS day, string_agg(COALESCE(st.status, ''), ',') AS status
			FROM generate_series(CURRENT_DATE - 600, CURRENT_DATE + 900, interval '1 day') d
			LEFT JOIN LATERAL membership_statuses(d::date) st ON true
			GROUP BY d ORDER BY d`)
		if err != nil {
			rt.Fatal(err)
		}
		for _, g := range got {
			if want := told(events, g.Day); g.Status != want {
				rt.Fatalf("on %s: %q, and the history tells %q", g.Day.Format(time.DateOnly), g.Status, want)
			}
		}
		// What is shown of it tells the same, and nothing after the end.
		shown, err := s.HistoryOf(t.Context(), office, []uuid.UUID{ada})
		if err != nil {
			rt.Fatal(err)
		}
		for i, e := range shown[ada] {
			recorded := len(events) - 1 // the last of equal ones: what is undone can be done again
			for !cmp.Equal(e, events[recorded]) {
				recorded--
			}
			for _, later := range events[1+recorded:] {
				if ends(later.Kind) && later.HappenedOn.Before(e.HappenedOn) {
					rt.Fatalf("event %d of what is shown, %s on %s, is after the end on %s", i, e.Kind, e.HappenedOn.Format(time.DateOnly), later.HappenedOn.Format(time.DateOnly))
				}
			}
		}
		day := near.Draw(rt, "asked")
		one, err := s.StatusesAsOf(t.Context(), office, []uuid.UUID{ada}, day)
		if err != nil {
			rt.Fatal(err)
		}
		said := ""
		if one[ada] != nil {
			said = string(*one[ada])
		}
		if want := told(events, day); said != want {
			rt.Fatalf("statusAsOf(%s) is %q, want %q", day.Format(time.DateOnly), said, want)
		}
	})
	if changed == 0 {
		t.Error("nothing was ever changed")
	}
}

func ends(k membership.EventKind) bool {
	return slices.Contains([]membership.Status{membership.Resigned, membership.Retired, membership.Deceased, membership.Removed}, membership.Status(k))
}

// unworked takes jobs that nobody runs.
func unworked(t *testing.T, db *pgxpool.Pool) *pg.Queue {
	t.Helper()
	workers := river.NewWorkers()
	river.AddWorker(workers, &membership.MailWorker{})
	jobs, err := pg.OpenQueue(db, workers, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	return jobs
}

// TestRenewedAheadThenEnded resigns before a period that was renewed ahead has begun: it is
// void, and no more told of.
func TestRenewedAheadThenEnded(t *testing.T) {
	t.Parallel()
	db := pgtest.New(t)
	run(t, db, enrol+anOffice+`UPDATE membership_periods SET ends_on = CURRENT_DATE + 10`)
	s := membership.Store{DB: db, Jobs: unworked(t, db)}
	kinds := func() (all []string) {
		t.Helper()
		of, err := s.HistoryOf(t.Context(), self(ada), []uuid.UUID{ada})
		if err != nil {
			t.Fatal(err)
		}
		for _, e := range of[ada] {
			all = append(all, string(e.Kind))
		}
		return all
	}
	_, err1 := s.Renew(t.Context(), self(ada), nil)
	before := kinds()
	_, err2 := s.End(t.Context(), self(ada), membership.Ending{How: membership.Resigned})
	if err := errors.Join(err1, err2); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([][]string{{"JOINED", "RENEWED"}, {"JOINED", "RESIGNED"}}, [][]string{before, kinds()}); diff != "" {
		t.Errorf("before and after (-want +got)\n%s", diff)
	}
}

// TestImpossibleDays says what can't have been.
func TestImpossibleDays(t *testing.T) {
	t.Parallel()
	db := pgtest.New(t)
	run(t, db, enrol+anOffice+`
		INSERT INTO entries (id, key, kind, slug, title) VALUES ('00000000-0000-4000-8000-000000000001', 'x', 'SPECIALIST_SECTION', 'x', 'X');
		INSERT INTO units (id, kind, slug, name, short_name, position) VALUES ('00000000-0000-4000-8000-000000000001', 'SPECIALIST_SECTION', 'x', 'X', 'X', 1);
		UPDATE members SET joined_on = CURRENT_DATE - 100`)
	x := uuid.MustParse("00000000-0000-4000-8000-000000000001")
	today, err := pg.Scalar[time.Time](t.Context(), db, `SELECT CURRENT_DATE`)
	if err != nil {
		t.Fatal(err)
	}
	on := func(n int) *time.Time { d := today.AddDate(0, 0, n); return &d }
	jobs, of := unworked(t, db), ada
	suspend := func(n int) func(*membership.Store) error {
		return func(s *membership.Store) error {
			_, err := s.Suspend(t.Context(), office, membership.Suspension{Member: ada, Reason: "Fees are owed.", On: on(n)})
			return err
		}
	}
	reinstate := func(day *time.Time) func(*membership.Store) error {
		return func(s *membership.Store) error {
			_, err := s.Reinstate(t.Context(), office, membership.Reinstatement{Member: ada, On: day})
			return err
		}
	}
	join := func(v viewer.Viewer, n int) func(*membership.Store) error {
		return func(s *membership.Store) error {
			_, err := s.JoinSection(t.Context(), v, membership.SectionChange{Member: &of, Section: x, On: on(n)})
			return err
		}
	}
	resign := func(n int) func(*membership.Store) error {
		return func(s *membership.Store) error {
			_, err := s.End(t.Context(), office, membership.Ending{Member: &of, How: membership.Resigned, On: on(n)})
			return err
		}
	}
	insure := func(from, until time.Time) func(*membership.Store) error {
		return func(s *membership.Store) error {
			_, err := s.StateInsurance(t.Context(), office, membership.StatedInsurance{Member: &of, Insurer: "A", PolicyNumber: "1", ValidFrom: from, ValidUntil: until})
			return err
		}
	}
	verify := func(until time.Time) func(*membership.Store) error {
		return func(s *membership.Store) error {
			if _, err := s.StateRegistration(t.Context(), office, membership.StatedRegistration{Member: &of, Number: "OT12345"}); err != nil {
				return err
			}
			_, err := s.VerifyRegistration(t.Context(), office, membership.Verification{Member: of, Number: "OT12345", ValidUntil: until})
			return err
		}
	}
	type do = func(*membership.Store) error
	for _, tt := range []struct {
		name string
		do   []do // all but the last succeed
		path string
		rows string // of the section, if it succeeds
	}{
		{"suspended before the membership began", []do{suspend(-101)}, "input.on", ""},
		{"suspended on its first day", []do{suspend(-100)}, "", ""},
		{"suspended more than a year ahead", []do{suspend(400)}, "input.on", ""},
		{"reinstated before the suspension began", []do{suspend(-10), reinstate(on(-11))}, "input.on", ""},
		{"reinstated on its first day", []do{suspend(-10), reinstate(on(-10))}, "", ""},
		{"reinstated today before it begins", []do{suspend(10), reinstate(on(0))}, "input.on", ""},
		{"reinstated before it begins", []do{suspend(10), reinstate(nil)}, "", ""},
		{"reinstated after the end", []do{suspend(-10), resign(-5), reinstate(on(-4))}, "input.on", ""},
		{"reinstated more than a year ahead", []do{suspend(-10), reinstate(on(400))}, "input.on", ""},
		{"in a section before joining the body", []do{join(office, -101)}, "input.on", ""},
		{"in a section from the day of joining the body on", []do{join(office, -100)}, "", "-100.."},
		{"in a section while suspended", []do{suspend(-10), reinstate(on(-5)), join(office, -7)}, "input.on", ""},
		{"in a section from before the end", []do{resign(10), join(self(ada), 3)}, "", "3..10"},
		{"in a section on the last day", []do{resign(0), join(self(ada), 0)}, "", "0..0"},
		{"in a section after the last day", []do{resign(0), join(self(ada), 1)}, "input.on", ""},
		{"insured for ever", []do{insure(today, day("9999-01-01"))}, "input.validUntil", ""},
		{"insured since the Conquest", []do{insure(day("1066-10-14"), today)}, "input.validFrom", ""},
		{"insured for ten years", []do{insure(today, today.AddDate(10, 0, 0))}, "", ""},
		{"registered for ever", []do{verify(day("2999-01-01"))}, "input.validUntil", ""},
		{"registered for two years", []do{verify(today.AddDate(2, 0, 0))}, "", ""},
	} {
		tx, err := db.Begin(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		s := &membership.Store{DB: tx, Jobs: jobs}
		for i, do := range tt.do {
			want := tt.path
			if i < len(tt.do)-1 {
				want = ""
			}
			got, invalid := "", (*errs.Invalid)(nil)
			if err := do(s); errors.As(err, &invalid) {
				got = invalid.Fields[0].Path
			} else if err != nil {
				t.Fatal(tt.name, err)
			}
			if got != want {
				t.Errorf("%s, change %d: wrong is %q, want %q (%v)", tt.name, i, got, want, invalid)
			}
		}
		rows, err := pg.Scalar[string](t.Context(), tx, `
			SELECT COALESCE(string_agg(sm.starts_on - CURRENT_DATE || '..' || COALESCE((sm.ends_on - CURRENT_DATE)::text, ''), ', '), '') FROM section_memberships sm`)
		if err != nil || rows != tt.rows {
			t.Errorf("%s: in the section on %q, want %q (%v)", tt.name, rows, tt.rows, err)
		}
		_ = tx.Rollback(t.Context())
	}
}

// TestTransferKeepsHistory moves the members of a section at random: up to the last day
// everybody is where they were, and after it whoever would be in the old one is in the
// new one, and nobody else.
func TestTransferKeepsHistory(t *testing.T) {
	t.Parallel()
	db := pgtest.New(t)
	run(t, db, enrol+anOffice+`
		INSERT INTO entries (id, key, kind, slug, title) VALUES
			('00000000-0000-4000-8000-000000000001', 'x', 'SPECIALIST_SECTION', 'x', 'X'),
			('00000000-0000-4000-8000-000000000002', 'y', 'SPECIALIST_SECTION', 'y', 'Y');
		INSERT INTO units (id, kind, slug, name, short_name, position) VALUES
			('00000000-0000-4000-8000-000000000001', 'SPECIALIST_SECTION', 'x', 'X', 'X', 1),
			('00000000-0000-4000-8000-000000000002', 'SPECIALIST_SECTION', 'y', 'Y', 'Y', 2);
		UPDATE members SET joined_on = CURRENT_DATE - 100`)
	x, y := uuid.MustParse("00000000-0000-4000-8000-000000000001"), uuid.MustParse("00000000-0000-4000-8000-000000000002")
	today, err := pg.Scalar[time.Time](t.Context(), db, `SELECT CURRENT_DATE`)
	if err != nil {
		t.Fatal(err)
	}
	moves, refused := 0, 0
	rapid.Check(t, func(rt *rapid.T) {
		tx, err := db.Begin(t.Context())
		if err != nil {
			rt.Fatal(err)
		}
		defer func() { _ = tx.Rollback(context.Background()) }()
		exec := func(sql string, args ...any) {
			if _, err := tx.Exec(t.Context(), sql, args...); err != nil {
				rt.Fatal(err)
			}
		}
		for _, member := range []uuid.UUID{ada, bea} {
			for _, section := range []uuid.UUID{x, y} {
				at := -40
				for range rapid.IntRange(0, 3).Draw(rt, "times") {
					at += rapid.IntRange(1, 30).Draw(rt, "gap")
					from := today.AddDate(0, 0, at)
					at += rapid.IntRange(0, 30).Draw(rt, "for")
					exec(`INSERT INTO section_memberships (member_id, section_id, starts_on, ends_on) VALUES ($1, $2, $3, $4)`, member, section, from, today.AddDate(0, 0, at))
				}
				if rapid.Bool().Draw(rt, "stays") {
					exec(`INSERT INTO section_memberships (member_id, section_id, starts_on) VALUES ($1, $2, $3)`, member, section, today.AddDate(0, 0, at+1))
				}
			}
		}
		last, gone := today.AddDate(0, 0, rapid.IntRange(-30, 60).Draw(rt, "on")), (*time.Time)(nil)
		if rapid.Bool().Draw(rt, "dissolved") {
			d := today.AddDate(0, 0, rapid.IntRange(-30, 60).Draw(rt, "dissolved on"))
			if rapid.Bool().Draw(rt, "just then") {
				d = last
			}
			gone = &d
			exec(`UPDATE units SET dissolved_on = $1 WHERE id = $2`, d, x)
		}
		type belonging struct {
			Member uuid.UUID
			Day    time.Time
			Old    bool
			New    bool
		}
		belongings := func() []*belonging {
			all, err := pg.All[belonging](t.Context(), tx, `
				SELECT m.id AS member, d.day::date AS day,
					EXISTS (SELECT FROM section_memberships sm WHERE sm.member_id = m.id AND sm.section_id = '`+x.String()+`'
						AND sm.starts_on <= d.day AND (sm.ends_on IS NULL OR sm.ends_on >= d.day)) AS old,
					EXISTS (SELECT FROM section_memberships sm WHERE sm.member_id = m.id AND sm.section_id = '`+y.String()+`'
						AND sm.starts_on <= d.day AND (sm.ends_on IS NULL OR sm.ends_on >= d.day)) AS new
				FROM members m, generate_series(CURRENT_DATE - 50, CURRENT_DATE + 250, interval '1 day') d (day)
				ORDER BY m.id, d.day`)
			if err != nil {
				rt.Fatal(err)
			}
			return all
		}
		want := belongings()
		s := membership.Store{DB: tx}
		_, err = s.TransferSection(t.Context(), office, membership.Transfer{From: x, To: y, On: last})
		may := !last.Before(today) && (gone == nil || !gone.Before(last)) || gone != nil && gone.Equal(last)
		if invalid := (*errs.Invalid)(nil); err != nil && !errors.As(err, &invalid) {
			rt.Fatal(err)
		}
		if (err == nil) != may {
			rt.Fatalf("moved on %s, dissolved on %v: %v", last.Format(time.DateOnly), gone, err)
		}
		if err != nil {
			refused++
		} else {
			moves++
			for _, b := range want {
				if b.Day.After(last) {
					b.Old, b.New = false, b.Old || b.New
				}
			}
			again, err := s.TransferSection(t.Context(), office, membership.Transfer{From: x, To: y, On: last})
			if err != nil || again.Members != 0 || again.Joined != 0 {
				rt.Fatalf("again it moves %+v (%v)", again, err)
			}
		}
		if diff := cmp.Diff(want, belongings()); diff != "" {
			rt.Fatalf("moved with the last day %s (-want +got)\n%s", last.Format(time.DateOnly), diff)
		}
	})
	if moves == 0 || refused == 0 {
		t.Errorf("%d were moved and %d refused", moves, refused)
	}
}

// TestRenew goes through the days on which a member may renew, and staff.
func TestRenew(t *testing.T) {
	t.Parallel()
	db := pgtest.New(t)
	run(t, db, enrol+anOffice)
	for _, tt := range []struct {
		ends, member, staff string
	}{
		{"CURRENT_DATE + 61", "refused", "day after"},
		{"CURRENT_DATE + 60", "day after", "day after"},
		{"CURRENT_DATE", "day after", "day after"},
		{"CURRENT_DATE - 30", "day after", "day after"},
		{"CURRENT_DATE - 31", "refused", "today"},
		{"NULL", "refused", "refused"},
	} {
		for who, want := range map[string]string{"member": tt.member, "staff": tt.staff} {
			tx, err := db.Begin(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			run(t, tx, `UPDATE membership_periods SET ends_on = `+tt.ends)
			of, v := (*uuid.UUID)(nil), self(ada)
			if who == "staff" {
				m := ada
				of, v = &m, office
			}
			_, err = (&membership.Store{DB: tx}).Renew(t.Context(), v, of)
			got := "refused"
			if err == nil {
				got, err = pg.Scalar[string](t.Context(), tx, `
					SELECT CASE WHEN l.starts_on = p.ends_on + 1 THEN 'day after' WHEN l.starts_on = CURRENT_DATE THEN 'today' END
					FROM membership_periods p JOIN membership_periods l ON l.starts_on = p.next_on AND l.member_id = p.member_id
					WHERE p.member_id = $1 AND l.ends_on = (l.starts_on + interval '1 year')::date - 1`, ada)
				if err != nil {
					t.Fatal(err)
				}
			}
			if got != want {
				t.Errorf("paid until %s, %s renews: %s, want %s (%v)", tt.ends, who, got, want, err)
			}
			_ = tx.Rollback(t.Context())
		}
	}
}

// TestSections joins, leaves and moves.
func TestSections(t *testing.T) {
	t.Parallel()
	db := pgtest.New(t)
	run(t, db, enrol+anOffice+`
		INSERT INTO entries (id, key, kind, slug, title) VALUES
			('00000000-0000-4000-8000-000000000001', 'x', 'SPECIALIST_SECTION', 'x', 'X'),
			('00000000-0000-4000-8000-000000000002', 'y', 'SPECIALIST_SECTION', 'y', 'Y'),
			('00000000-0000-4000-8000-000000000003', 'z', 'SPECIALIST_SECTION', 'z', 'Z');
		INSERT INTO units (id, kind, slug, name, short_name, position, dissolved_on) VALUES
			('00000000-0000-4000-8000-000000000001', 'SPECIALIST_SECTION', 'x', 'X', 'X', 1, NULL),
			('00000000-0000-4000-8000-000000000002', 'SPECIALIST_SECTION', 'y', 'Y', 'Y', 2, NULL),
			('00000000-0000-4000-8000-000000000003', 'SPECIALIST_SECTION', 'z', 'Z', 'Z', 3, '2020-01-01')`)
	x, y, z := uuid.MustParse("00000000-0000-4000-8000-000000000001"), uuid.MustParse("00000000-0000-4000-8000-000000000002"), uuid.MustParse("00000000-0000-4000-8000-000000000003")
	s := membership.Store{DB: db, Jobs: unworked(t, db)}
	today, err := pg.Scalar[time.Time](t.Context(), db, `SELECT CURRENT_DATE`)
	if err != nil {
		t.Fatal(err)
	}
	day := func(n int) *time.Time { d := today.AddDate(0, 0, n); return &d }
	other := bea
	join, leave := s.JoinSection, s.LeaveSection
	for _, tt := range []struct {
		name string
		do   func(context.Context, viewer.Viewer, membership.SectionChange) (uuid.UUID, error)
		v    viewer.Viewer
		in   membership.SectionChange
		ok   bool
	}{
		{"a member joins", join, self(ada), membership.SectionChange{Section: x}, true},
		{"again", join, self(ada), membership.SectionChange{Section: x}, false},
		{"again, from later on", join, self(ada), membership.SectionChange{Section: x, On: day(5)}, false},
		{"one that is dissolved", join, self(ada), membership.SectionChange{Section: z}, false},
		{"one that isn't there", join, self(ada), membership.SectionChange{Section: ada}, false},
		{"in retrospect", join, self(ada), membership.SectionChange{Section: y, On: day(-1)}, false},
		{"for another", join, self(ada), membership.SectionChange{Section: y, Member: &other}, false},
		{"staff for another, in retrospect", join, office, membership.SectionChange{Section: y, Member: &other, On: day(-10)}, true},
		{"leave what one isn't in", leave, self(ada), membership.SectionChange{Section: y}, false},
		{"staff has one leave", leave, office, membership.SectionChange{Section: y, Member: &other}, true},
		{"join again on the last day", join, self(bea), membership.SectionChange{Section: y}, false},
		{"join again on the day after", join, self(bea), membership.SectionChange{Section: y, On: day(1)}, true},
		{"staff corrects the last day", leave, office, membership.SectionChange{Section: y, Member: &other, On: day(-5)}, true},
		{"to a day before all", leave, office, membership.SectionChange{Section: y, Member: &other, On: day(-20)}, false},
		{"leave on the day of joining", leave, self(ada), membership.SectionChange{Section: x}, true},
		{"and join once more", join, office, membership.SectionChange{Section: x, Member: &[]uuid.UUID{ada}[0], On: day(-3)}, true},
	} {
		_, err := tt.do(t.Context(), tt.v, tt.in)
		if invalid := (*errs.Invalid)(nil); err != nil && !errors.As(err, &invalid) {
			t.Fatalf("%s: %v", tt.name, err)
		}
		if (err == nil) != tt.ok {
			t.Errorf("%s: %v", tt.name, err)
		}
	}
	for range 2 {
		moved, err := s.TransferSection(t.Context(), office, membership.Transfer{From: x, To: y, On: *day(0)})
		if err != nil {
			t.Fatal(err)
		}
		t.Log(*moved)
	}
	got, err := pg.Scalar[string](t.Context(), db, `
		SELECT string_agg(m.key || ' ' || u.slug || ' ' || sm.starts_on - CURRENT_DATE || '..' || COALESCE((sm.ends_on - CURRENT_DATE)::text, ''), ', ' ORDER BY m.key, sm.starts_on)
		FROM section_memberships sm JOIN units u ON u.id = sm.section_id JOIN members m ON m.id = sm.member_id`)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff("a x -3..0, a y 1.., b y -10..-5, b y 1..", got); diff != "" {
		t.Errorf("(-want +got)\n%s", diff)
	}
	// Who is no member any more belongs to no section.
	if _, err := s.End(t.Context(), self(bea), membership.Ending{How: membership.Resigned, On: day(20)}); err != nil {
		t.Fatal(err)
	}
	if n, err := pg.Scalar[int](t.Context(), db, `SELECT count(*) FROM section_memberships WHERE member_id = $1 AND ends_on = CURRENT_DATE + 20`, bea); err != nil || n != 1 {
		t.Errorf("%d sections end with the membership, want 1 (%v)", n, err)
	}
	if _, err := s.End(t.Context(), self(ada), membership.Ending{How: membership.Removed}); !errors.Is(err, errs.Forbidden) {
		t.Errorf("a member removes themselves: %v", err)
	}
}

// TestRegistrationAndInsurance states, verifies and states anew.
func TestRegistrationAndInsurance(t *testing.T) {
	t.Parallel()
	db := pgtest.New(t)
	run(t, db, enrol+anOffice)
	s := membership.Store{DB: db}
	other := bea
	until := time.Now().UTC().Truncate(24*time.Hour).AddDate(9, 0, 0)
	state := func(v viewer.Viewer, m *uuid.UUID, number string) error {
		_, err := s.StateRegistration(t.Context(), v, membership.StatedRegistration{Member: m, Number: number})
		return err
	}
	verify := func(m uuid.UUID, number string) error {
		_, err := s.VerifyRegistration(t.Context(), office, membership.Verification{Member: m, Number: number, ValidUntil: until})
		return err
	}
	for _, number := range []string{"", "OT1234", "OT1234567", "PH12345", "OT12345x", "1"} {
		if invalid := (*errs.Invalid)(nil); !errors.As(state(self(ada), nil, number), &invalid) {
			t.Errorf("%q is taken for a number", number)
		}
	}
	for i, err := range []error{
		state(self(ada), nil, " ot 123 45 "), state(office, &other, "OT12345"), verify(ada, "OT12345"), state(self(ada), nil, "OT12345"),
	} {
		if err != nil {
			t.Fatal(i, err)
		}
	}
	if err := verify(bea, "OT12345"); err == nil {
		t.Error("a number was verified for two")
	}
	if err := verify(ada, "OT54321"); !errors.Is(err, errs.Conflict) {
		t.Errorf("another number than the one that is stated: %v", err)
	}
	if err := state(self(ada), &other, "OT11111"); err == nil {
		t.Error("a member states the number of another")
	}
	if _, err := s.StateInsurance(t.Context(), self(ada), membership.StatedInsurance{
		Insurer: " A. Insurer ", PolicyNumber: "7", ValidFrom: day("2020-01-01"), ValidUntil: until,
	}); err != nil {
		t.Fatal(err)
	}
	partner := viewer.New(viewer.KeyMembers)
	limited := partner
	limited.Unit = bea // no unit of Ada's
	for name, tt := range map[string]struct {
		v    viewer.Viewer
		sees bool
	}{
		"anonymous": {viewer.Viewer{}, false}, "self": {self(ada), true}, "another": {self(bea), false}, "office": {office, true},
		"editor": {viewer.New(viewer.SignedIn | viewer.Editor), false}, "partner": {partner, true}, "partner of a unit": {limited, false},
	} {
		ids := []uuid.UUID{ada}
		rg, err1 := s.RegistrationsOf(t.Context(), tt.v, ids)
		in, err2 := s.InsurancesOf(t.Context(), tt.v, ids)
		ms, err3 := s.Of(t.Context(), tt.v, ids)
		hs, err4 := s.HistoryOf(t.Context(), tt.v, ids)
		as, err5 := s.StatusesAsOf(t.Context(), tt.v, ids, day("2020-06-01"))
		rs, err6 := s.Records(t.Context(), tt.v, ids)
		sm, err7 := s.SectionMembershipsOf(t.Context(), tt.v, ids)
		if err := errors.Join(err1, err2, err3, err4, err5, err6, err7); err != nil {
			t.Fatal(name, err)
		}
		if sees := []bool{rg[ada] != nil, in[ada] != nil, ms[ada] != nil, hs[ada] != nil, as[ada] != nil, rs[ada] != nil}; slices.Contains(sees, !tt.sees) {
			t.Errorf("%s sees %v, want %t", name, sees, tt.sees)
		}
		if sm[ada] != nil {
			t.Errorf("%s sees sections", name)
		}
		if tt.sees && (!rg[ada].Valid || !in[ada].Valid || (rg[ada].VerifiedBy != nil) != (name == "office")) {
			t.Errorf("%s: %+v %+v", name, rg[ada], in[ada])
		}
	}
	if err := state(self(ada), nil, "OT999999"); err != nil {
		t.Fatal(err)
	}
	rg, err := s.RegistrationsOf(t.Context(), self(ada), []uuid.UUID{ada})
	if err != nil || rg[ada].Valid || rg[ada].VerifiedOn != nil {
		t.Errorf("another number is still verified: %+v (%v)", rg[ada], err)
	}
}
