package membership_test

import (
	"context"
	"errors"
	"log/slog"
	"slices"
	"strconv"
	"strings"
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
	var before [][]period // each end
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
		case membership.EndWithdrawnEvent:
			periods, before = before[len(before)-1], before[:len(before)-1]
		default:
			before = append(before, slices.Clone(periods))
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
// is what the history tells, statusAsOf says the same as the list of all, no two periods
// govern a day, and each day has the grade that the history shows.
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
			switch rapid.IntRange(0, 5).Draw(rt, "change") {
			case 5:
				_, err = s.WithdrawEnd(t.Context(), office, membership.EndWithdrawal{Member: ada, Reason: "It was another."})
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
			Grade  string
		}
		got, err := pg.All[status](t.Context(), tx, `
			SELECT d::date AS day, string_agg(COALESCE(st.status, ''), ',') AS status, COALESCE(max(st.grade), '') AS grade
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
				if ends(later.Kind) && later.HappenedOn.Before(e.HappenedOn) && !withdrawn(events, later) {
					rt.Fatalf("event %d of what is shown, %s on %s, is after the end on %s", i, e.Kind, e.HappenedOn.Format(time.DateOnly), later.HappenedOn.Format(time.DateOnly))
				}
			}
		}
		for _, g := range got {
			want := ""
			for _, e := range shown[ada] {
				if e.Grade != nil && !e.HappenedOn.After(g.Day) {
					want = *e.Grade
				}
			}
			if g.Grade != want {
				rt.Fatalf("on %s: a %q, and the history shows %q", g.Day.Format(time.DateOnly), g.Grade, want)
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

// withdrawn says whether an end was taken back.
func withdrawn(events []*membership.Event, end *membership.Event) bool {
	for _, e := range events[1+slices.Index(events, end):] {
		if ends(e.Kind) || e.Kind == membership.EndWithdrawnEvent {
			return e.Kind == membership.EndWithdrawnEvent
		}
	}
	return false
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

// state is what of a member is kept of periods and suspensions, by days from today.
func state(t *testing.T, db pg.Querier) string {
	t.Helper()
	s, err := pg.Scalar[string](t.Context(), db, `
		SELECT concat_ws('; ',
			(SELECT string_agg(concat_ws(' ', p.grade, (p.starts_on - CURRENT_DATE) || '..' || COALESCE((p.ends_on - CURRENT_DATE)::text, ''), p.ended_how, p.recorded_on - CURRENT_DATE),
				', ' ORDER BY p.starts_on) FROM membership_periods p WHERE p.member_id = $1),
			(SELECT 'suspended ' || string_agg((s.starts_on - CURRENT_DATE) || '..' || COALESCE((s.ends_on - CURRENT_DATE)::text, ''), ', ' ORDER BY s.starts_on)
				FROM membership_suspensions s WHERE s.member_id = $1))`, ada)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// wrongIn returns where an input is wrong, and why.
func wrongIn(t *testing.T, err error) string {
	t.Helper()
	invalid := (*errs.Invalid)(nil)
	if errors.As(err, &invalid) {
		return invalid.Fields[0].Path + ": " + invalid.Fields[0].Message
	}
	if err != nil {
		t.Fatal(err)
	}
	return ""
}

// TestWithdrawEnd takes ends back that were mistakes: the periods are what they were, to the
// day, and the history tells both.
func TestWithdrawEnd(t *testing.T) {
	t.Parallel()
	db := pgtest.New(t)
	run(t, db, enrol+anOffice+`
		UPDATE members SET joined_on = CURRENT_DATE - 100;
		UPDATE membership_periods SET ends_on = CURRENT_DATE + 10, recorded_on = CURRENT_DATE - 99`)
	today, err := pg.Scalar[time.Time](t.Context(), db, `SELECT CURRENT_DATE`)
	if err != nil {
		t.Fatal(err)
	}
	on := func(n int) *time.Time { d := today.AddDate(0, 0, n); return &d }
	jobs, of := unworked(t, db), ada
	withdraw := func(s *membership.Store) error {
		_, err := s.WithdrawEnd(t.Context(), office, membership.EndWithdrawal{Member: ada, Reason: "It was another."})
		return err
	}
	end := func(how membership.Status, n int) func(*membership.Store) error {
		return func(s *membership.Store) error {
			_, err := s.End(t.Context(), office, membership.Ending{Member: &of, How: how, On: on(n)})
			return err
		}
	}
	renew := func(s *membership.Store) error { _, err := s.Renew(t.Context(), office, &of); return err }
	type do = func(*membership.Store) error
	for _, tt := range []struct {
		name        string
		first, then []do
		history     string
	}{
		{"an end that lies ahead", nil, []do{end(membership.Resigned, 5)}, "JOINED RESIGNED ENDING_WITHDRAWN"},
		{"one of before", nil, []do{end(membership.Removed, -20)}, "JOINED REMOVED ENDING_WITHDRAWN"},
		{"a death", nil, []do{end(membership.Deceased, 0)}, "JOINED DECEASED ENDING_WITHDRAWN"},
		{"with a renewal ahead", []do{renew}, []do{end(membership.Removed, 5)}, "JOINED REMOVED ENDING_WITHDRAWN RENEWED"},
		{"in the period that was renewed ahead", []do{renew}, []do{end(membership.Resigned, 50)}, "JOINED RENEWED RESIGNED ENDING_WITHDRAWN"},
		{"back to before another grade", []do{func(s *membership.Store) error {
			_, err := s.ChangeGrade(t.Context(), office, membership.GradeChange{Member: ada, Grade: "STUDENT", On: on(-3)})
			return err
		}}, []do{end(membership.Removed, -5)}, "JOINED REMOVED ENDING_WITHDRAWN GRADE_CHANGED"},
		{
			"twice", nil,
			[]do{end(membership.Resigned, 5), withdraw, end(membership.Removed, 2)},
			"JOINED REMOVED ENDING_WITHDRAWN RESIGNED ENDING_WITHDRAWN",
		},
		{
			"of a membership that had ended and begun again",
			[]do{end(membership.Resigned, -20), renew},
			[]do{end(membership.Removed, -30)},
			"JOINED REMOVED ENDING_WITHDRAWN RESIGNED JOINED",
		},
	} {
		tx, err := db.Begin(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		s := &membership.Store{DB: tx, Jobs: jobs}
		for _, do := range tt.first {
			if err := do(s); err != nil {
				t.Fatal(tt.name, err)
			}
		}
		before := state(t, tx)
		for _, do := range append(tt.then, withdraw) {
			if err := do(s); err != nil {
				t.Fatal(tt.name, err)
			}
		}
		if diff := cmp.Diff(before, state(t, tx)); diff != "" {
			t.Errorf("%s (-before +after)\n%s", tt.name, diff)
		}
		shown, err := s.HistoryOf(t.Context(), self(ada), []uuid.UUID{ada})
		if err != nil {
			t.Fatal(err)
		}
		var kinds []string
		for _, e := range shown[ada] {
			kinds = append(kinds, string(e.Kind))
		}
		if got := strings.Join(kinds, " "); got != tt.history {
			t.Errorf("%s: the history is %s, want %s", tt.name, got, tt.history)
		}
		if got := wrongIn(t, withdraw(s)); !strings.HasPrefix(got, "input.member: there is no end to withdraw") {
			t.Errorf("%s: once more: %q", tt.name, got)
		}
		_ = tx.Rollback(t.Context())
	}

	// What was recorded without the periods is paid for until the day that was recorded.
	s := &membership.Store{DB: db, Jobs: jobs}
	if err := renew(s); err != nil {
		t.Fatal(err)
	}
	paid, err := pg.Scalar[string](t.Context(), db, `SELECT 'PROFESSIONAL -100..' || max(ends_on) - CURRENT_DATE || ' -99' FROM membership_periods WHERE member_id = $1`, ada)
	if err != nil {
		t.Fatal(err)
	}
	if err := end(membership.Resigned, 5)(s); err != nil {
		t.Fatal(err)
	}
	run(t, db, `UPDATE membership_events SET voided = NULL`)
	if err := withdraw(s); err != nil || state(t, db) != paid {
		t.Errorf("an old end: %s, want %s (%v)", state(t, db), paid, err)
	}

	// What names the way out.
	if err := end(membership.Deceased, 0)(s); err != nil {
		t.Fatal(err)
	}
	run(t, db, `UPDATE membership_periods SET ends_on = CURRENT_DATE - 1 WHERE member_id = $1`, ada)
	_, suspended := s.Suspend(t.Context(), office, membership.Suspension{Member: ada, Reason: "Fees are owed."})
	for what, err := range map[string]error{"renewed": renew(s), "ended again": end(membership.Removed, 0)(s)} {
		if got := wrongIn(t, err); !strings.Contains(got, "withdrawEnd") {
			t.Errorf("%s: %q", what, got)
		}
	}
	if wrongIn(t, suspended) == "" {
		t.Error("the dead are suspended")
	}
	if _, err := s.End(t.Context(), self(ada), membership.Ending{How: membership.Resigned}); strings.Contains(wrongIn(t, err), "withdrawEnd") {
		t.Errorf("a member is told what only staff can do: %v", err)
	}
}

// TestEndsThatCannotBe wants an end not to be set where it would be another: after what is
// paid for, and before the membership begins.
func TestEndsThatCannotBe(t *testing.T) {
	t.Parallel()
	db := pgtest.New(t)
	run(t, db, enrol+anOffice)
	today, err := pg.Scalar[time.Time](t.Context(), db, `SELECT CURRENT_DATE`)
	if err != nil {
		t.Fatal(err)
	}
	date := func(n int) string { return today.AddDate(0, 0, n).Format(time.DateOnly) }
	jobs, of := unworked(t, db), ada
	for name, tt := range map[string]struct {
		sql  string
		on   int
		says string
		ends string
	}{
		"on the last day":       {`UPDATE membership_periods SET ends_on = CURRENT_DATE + 10`, 10, "", "..10"},
		"after it":              {`UPDATE membership_periods SET ends_on = CURRENT_DATE + 10`, 11, "input.on: the membership is paid until " + date(10), ""},
		"on the last day today": {`UPDATE membership_periods SET ends_on = CURRENT_DATE`, 1, "input.on: the membership is paid until " + date(0), ""},
		"in the days of grace":  {`UPDATE membership_periods SET ends_on = CURRENT_DATE - 10`, 0, "", "..-10"},
		"lapsed":                {`UPDATE membership_periods SET ends_on = CURRENT_DATE - 100`, 0, "", "..-100"},
		"without an end":        {``, 50, "", "..50"},
		"in a renewal ahead": {`
			UPDATE membership_periods SET ends_on = CURRENT_DATE + 10;
			INSERT INTO membership_periods (member_id, grade, starts_on, ends_on) SELECT id, 'STUDENT', CURRENT_DATE + 11, CURRENT_DATE + 375 FROM members`, 375, "", "..375"},
		"after a renewal ahead": {`
			UPDATE membership_periods SET ends_on = CURRENT_DATE + 10;
			INSERT INTO membership_periods (member_id, grade, starts_on, ends_on) SELECT id, 'STUDENT', CURRENT_DATE + 11, CURRENT_DATE + 375 FROM members`, 376, "input.on: the membership is paid until " + date(375), ""},
		"before it begins":   {`UPDATE members SET joined_on = CURRENT_DATE + 7`, 0, "input.on: the membership begins on " + date(7), ""},
		"on the day of that": {`UPDATE members SET joined_on = CURRENT_DATE + 7`, 7, "", "7..7"},
	} {
		tx, err := db.Begin(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		run(t, tx, tt.sql)
		on := today.AddDate(0, 0, tt.on)
		_, err = (&membership.Store{DB: tx, Jobs: jobs}).End(t.Context(), office, membership.Ending{Member: &of, How: membership.Resigned, On: &on})
		if got := wrongIn(t, err); !strings.HasPrefix(got, tt.says) || got != "" && tt.says == "" {
			t.Errorf("%s: %q, want %q", name, got, tt.says)
		}
		if got := state(t, tx); tt.ends != "" && !strings.Contains(got, tt.ends+" RESIGNED") {
			t.Errorf("%s: %s, want the end %s", name, got, tt.ends)
		}
		_ = tx.Rollback(t.Context())
	}
}

// TestReinstatementMoves moves the end of a suspension while it lies ahead.
func TestReinstatementMoves(t *testing.T) {
	t.Parallel()
	db := pgtest.New(t)
	run(t, db, enrol+anOffice)
	today, err := pg.Scalar[time.Time](t.Context(), db, `SELECT CURRENT_DATE`)
	if err != nil {
		t.Fatal(err)
	}
	s := &membership.Store{DB: db, Jobs: unworked(t, db)}
	reinstate := func(n int) string {
		t.Helper()
		on := today.AddDate(0, 0, n)
		_, err := s.Reinstate(t.Context(), office, membership.Reinstatement{Member: ada, On: &on})
		return wrongIn(t, err)
	}
	suspend := func() string {
		t.Helper()
		_, err := s.Suspend(t.Context(), office, membership.Suspension{Member: ada, Reason: "Fees are owed."})
		return wrongIn(t, err)
	}
	if got := suspend(); got != "" {
		t.Fatal(got)
	}
	for _, n := range []int{10, 20, 5} {
		if got := reinstate(n); got != "" {
			t.Fatalf("on day %d: %s", n, got)
		}
		of, err := s.Of(t.Context(), self(ada), []uuid.UUID{ada})
		if err != nil {
			t.Fatal(err)
		}
		const form = "2 January 2006"
		want := "Suspended from " + today.Format(form) + " until " + today.AddDate(0, 0, n-1).Format(form) + ": Fees are owed."
		if got := of[ada].StatusReason(); got != want {
			t.Errorf("%q, want %q", got, want)
		}
	}
	shown, err := s.HistoryOf(t.Context(), self(ada), []uuid.UUID{ada})
	if err != nil {
		t.Fatal(err)
	}
	if h := shown[ada]; len(h) != 3 || h[2].Kind != membership.ReinstatedEvent || !h[2].HappenedOn.Equal(today.AddDate(0, 0, 5)) {
		t.Errorf("the history tells of days that were moved: %+v", h)
	}
	if got := suspend(); !strings.Contains(got, "reinstateMembership") {
		t.Errorf("suspended again: %q", got)
	}
	// From its first day on it never was; what is over can't be moved.
	if got := reinstate(0); got != "" || strings.Contains(state(t, db), "suspended") {
		t.Errorf("from the first day on: %q, %s", got, state(t, db))
	}
	run(t, db, `INSERT INTO membership_suspensions (member_id, starts_on, ends_on, reason) VALUES ($1, CURRENT_DATE - 9, CURRENT_DATE - 1, 'Fees are owed.')`, ada)
	if got := reinstate(3); got != "input.member: the member is not suspended" {
		t.Errorf("one that is over: %q", got)
	}
}

// TestGradeOfARenewalAhead changes the grade after renewing ahead: the history tells of the
// renewal that it is to the new grade.
func TestGradeOfARenewalAhead(t *testing.T) {
	t.Parallel()
	db := pgtest.New(t)
	run(t, db, enrol+anOffice+`UPDATE membership_periods SET ends_on = CURRENT_DATE + 10`)
	s := &membership.Store{DB: db, Jobs: unworked(t, db)}
	of := ada
	_, err1 := s.Renew(t.Context(), office, &of)
	_, err2 := s.ChangeGrade(t.Context(), office, membership.GradeChange{Member: ada, Grade: "ASSOCIATE"})
	shown, err3 := s.HistoryOf(t.Context(), self(ada), []uuid.UUID{ada})
	if err := errors.Join(err1, err2, err3); err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, e := range shown[ada] {
		got = append(got, string(e.Kind)+" "+*e.Grade)
	}
	if diff := cmp.Diff([]string{"JOINED PROFESSIONAL", "GRADE_CHANGED ASSOCIATE", "RENEWED ASSOCIATE"}, got); diff != "" {
		t.Errorf("(-want +got)\n%s", diff)
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
		{"registered until yesterday", []do{verify(today.AddDate(0, 0, -1))}, "", ""},
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
		ins, err8 := s.InsurancesNotEndedOf(t.Context(), tt.v, ids)
		if err := errors.Join(err1, err2, err3, err4, err5, err6, err7, err8); err != nil {
			t.Fatal(name, err)
		}
		if sees := []bool{rg[ada] != nil, in[ada] != nil, ms[ada] != nil, hs[ada] != nil, as[ada] != nil, rs[ada] != nil, ins[ada] != nil}; slices.Contains(sees, !tt.sees) {
			t.Errorf("%s sees %v, want %t", name, sees, tt.sees)
		}
		if sm[ada] != nil {
			t.Errorf("%s sees sections", name)
		}
		if tt.sees && (!rg[ada].Valid || !in[ada].Valid || (rg[ada].VerifiedBy != nil) != (name == "office")) {
			t.Errorf("%s: %+v %+v", name, rg[ada], in[ada])
		}
	}
	// Who is struck off is registered no more at once.
	until = until.AddDate(-15, 0, 0)
	if got := wrongIn(t, verify(ada, "OT12345")); !strings.HasPrefix(got, "input.validUntil") {
		t.Errorf("struck off six years ago: %q", got)
	}
	until = until.AddDate(5, 0, 0)
	if err := verify(ada, "OT12345"); err != nil {
		t.Fatal(err)
	}
	struck, err := s.RegistrationsOf(t.Context(), self(ada), []uuid.UUID{ada})
	if err != nil || struck[ada].Valid || struck[ada].ValidUntil == nil || !struck[ada].ValidUntil.Equal(until) {
		t.Errorf("struck off: %+v (%v)", struck[ada], err)
	}
	if err := state(self(ada), nil, "OT999999"); err != nil {
		t.Fatal(err)
	}
	rg, err := s.RegistrationsOf(t.Context(), self(ada), []uuid.UUID{ada})
	if err != nil || rg[ada].Valid || rg[ada].VerifiedOn != nil {
		t.Errorf("another number is still verified: %+v (%v)", rg[ada], err)
	}
}

// TestInsurances states insurances that begin on other days, and withdraws them.
func TestInsurances(t *testing.T) {
	t.Parallel()
	db := pgtest.New(t)
	run(t, db, enrol+anOffice+`
		INSERT INTO indemnity_insurances (member_id, insurer, policy_number, valid_from, valid_until)
		VALUES
			('`+ada.String()+`', 'A', 'over', CURRENT_DATE - 400, CURRENT_DATE - 1),
			('`+ada.String()+`', 'A', 'now', CURRENT_DATE - 1, CURRENT_DATE),
			('`+ada.String()+`', 'A', 'today', CURRENT_DATE, CURRENT_DATE + 365),
			('`+bea.String()+`', 'A', 'of Bea', CURRENT_DATE + 5, CURRENT_DATE + 365)`)
	s := membership.Store{DB: db}
	today, err := pg.Scalar[time.Time](t.Context(), db, `SELECT CURRENT_DATE`)
	if err != nil {
		t.Fatal(err)
	}
	of, other := ada, bea
	for _, n := range []int{30, 10} {
		if _, err := s.StateInsurance(t.Context(), self(ada), membership.StatedInsurance{
			Insurer: "A", PolicyNumber: "later", ValidFrom: today.AddDate(0, 0, n), ValidUntil: today.AddDate(1, 0, 0),
		}); err != nil {
			t.Fatal(err)
		}
	}
	for _, tt := range []struct {
		name string
		v    viewer.Viewer
		of   *uuid.UUID
		from int
		path string
		left string
	}{
		{"one that has begun", self(ada), nil, 0, "input.validFrom", "now true, today true, later false 10, later false 30"},
		{"that of another", self(ada), &other, 5, "input.member", "now true, today true, later false 10, later false 30"},
		{"none", self(ada), nil, 11, "input.validFrom", "now true, today true, later false 10, later false 30"},
		{"one ahead", self(ada), nil, 10, "", "now true, today true, later false 30"},
		{"staff removes one that has begun", office, &of, 0, "", "now true, later false 30"},
		{"and none", office, &of, 0, "input.validFrom", "now true, later false 30"},
	} {
		_, err := s.WithdrawInsurance(t.Context(), tt.v, membership.InsuranceWithdrawal{Member: tt.of, ValidFrom: today.AddDate(0, 0, tt.from)})
		if path, _, _ := strings.Cut(wrongIn(t, err), ": "); path != tt.path {
			t.Errorf("%s: wrong is %q, want %q", tt.name, path, tt.path)
		}
		found, err := s.InsurancesNotEndedOf(t.Context(), self(ada), []uuid.UUID{ada, bea})
		if err != nil {
			t.Fatal(err)
		}
		var left []string
		for _, i := range found[ada] {
			is := i.PolicyNumber + " " + strconv.FormatBool(i.Valid)
			if !i.Valid {
				is += " " + strconv.Itoa(int(i.ValidFrom.Sub(today).Hours()/24))
			}
			left = append(left, is)
		}
		if got := strings.Join(left, ", "); got != tt.left || found[bea] != nil {
			t.Errorf("%s: left is %s, want %s; of another %d", tt.name, got, tt.left, len(found[bea]))
		}
	}
	if n, err := pg.Scalar[int](t.Context(), db, `SELECT count(*) FROM indemnity_insurances WHERE member_id = $1`, bea); err != nil || n != 1 {
		t.Errorf("another has %d (%v)", n, err)
	}
}

// TestManyPeriodsGo deletes several periods by one statement, in the order in which they lie,
// the later ones first: the one that is left is the last, and its grade is the member's.
func TestManyPeriodsGo(t *testing.T) {
	t.Parallel()
	db := pgtest.New(t)
	run(t, db, enrol+anOffice+`
		SET enable_indexscan = off;
		SET enable_indexonlyscan = off;
		SET enable_bitmapscan = off;
		DELETE FROM membership_periods WHERE member_id = '`+ada.String()+`';
		INSERT INTO membership_periods (member_id, grade, starts_on, ends_on) VALUES
			('`+ada.String()+`', 'PROFESSIONAL', CURRENT_DATE - 100, CURRENT_DATE - 51),
			('`+ada.String()+`', 'STUDENT', CURRENT_DATE - 50, CURRENT_DATE - 21),
			('`+ada.String()+`', 'ASSOCIATE', CURRENT_DATE - 20, CURRENT_DATE + 200);
		-- It lies behind the others from now on.
		UPDATE membership_periods SET ends_on = ends_on - 1 WHERE member_id = '`+ada.String()+`' AND grade = 'STUDENT'`)
	for _, tt := range []struct{ where, want string }{
		{`starts_on > CURRENT_DATE - 60`, "-100 next  PROFESSIONAL"},
		{`grade <> 'PROFESSIONAL'`, "-100 next  PROFESSIONAL"},
		{`grade IN ('PROFESSIONAL', 'STUDENT')`, "-20 next  ASSOCIATE"},
		{`grade = 'STUDENT'`, "-100 next -20 ASSOCIATE, -20 next  ASSOCIATE"},
	} {
		tx, err := db.Begin(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		if _, err := tx.Exec(t.Context(), `DELETE FROM membership_periods WHERE member_id = '`+ada.String()+`' AND `+tt.where); err != nil {
			t.Fatal(err)
		}
		got, err := pg.Scalar[string](t.Context(), tx, `
			SELECT string_agg(concat_ws(' ', p.starts_on - CURRENT_DATE, 'next', COALESCE((p.next_on - CURRENT_DATE)::text, ''), m.grade), ', ' ORDER BY p.starts_on)
			FROM membership_periods p
			JOIN members m ON m.id = p.member_id
			WHERE p.member_id = $1 AND p.governs_on = CASE WHEN p.starts_on = m.joined_on THEN least(p.starts_on, p.recorded_on) ELSE p.starts_on END`, ada)
		if err != nil || got != tt.want {
			t.Errorf("without %s: %q, want %q (%v)", tt.where, got, tt.want, err)
		}
		if err := tx.Rollback(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
}
