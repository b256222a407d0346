package membership_test

import (
	"context"
	"errors"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/uuid"
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
		s := membership.Store{DB: tx}
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
	s := membership.Store{DB: db}
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
	if diff := cmp.Diff("a x -3..0, a y 1.., b y -10..0, b y 1..", got); diff != "" {
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
	until := day("2999-01-01")
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
