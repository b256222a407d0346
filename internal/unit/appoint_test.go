package unit_test

import (
	"errors"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/collegium/collegium/internal/errs"
	"github.com/collegium/collegium/internal/pg"
	"github.com/collegium/collegium/internal/pg/pgtest"
	"github.com/collegium/collegium/internal/unit"
	"github.com/collegium/collegium/internal/viewer"
)

// TestSeatsAtOnce appoints ten members to two seats at the same time: two get one.
func TestSeatsAtOnce(t *testing.T) {
	t.Parallel()
	db := pgtest.NewWith(t, "sections", sections)
	if _, err := db.Exec(t.Context(), `UPDATE terms SET ends_on = '2020-01-01' WHERE ends_on IS NULL`); err != nil {
		t.Fatal(err)
	}
	if _, err := db.Exec(t.Context(), `UPDATE posts SET seats = 2`); err != nil {
		t.Fatal(err)
	}
	if _, err := db.Exec(t.Context(), `
		INSERT INTO members (id, key, display_name, sort_name, grade, joined_on)
		SELECT gen_random_uuid(), 'm' || n, 'M' || n, 'M' || n, 'STUDENT', '2020-01-01' FROM generate_series(1, 10) n`); err != nil {
		t.Fatal(err)
	}
	members, err := pg.Scalars[uuid.UUID](t.Context(), db, `SELECT id FROM members WHERE key LIKE 'm%'`)
	if err != nil {
		t.Fatal(err)
	}
	store := unit.Store{DB: db}
	failed := make([]error, len(members))
	var wg sync.WaitGroup
	for i, m := range members {
		wg.Go(func() {
			_, failed[i] = store.Appoint(t.Context(), viewer.Viewer{}, unit.Appointment{Post: chair, Member: m, StartsOn: day("2024-01-01").AddDate(0, i%3, 0)})
		})
	}
	wg.Wait()
	seated := 0
	for _, err := range failed {
		invalid := (*errs.Invalid)(nil)
		switch {
		case err == nil:
			seated++
		case !errors.As(err, &invalid) || invalid.Fields[0].Path != "input.post":
			t.Errorf("refused by %v", err)
		}
	}
	if seated != 2 {
		t.Errorf("%d of two seats are taken", seated)
	}
	holders, err := store.HoldersOf(t.Context(), []uuid.UUID{chair}, day("2025-01-01"))
	if err != nil || len(holders[chair]) != 2 {
		t.Errorf("%d hold it (%v)", len(holders[chair]), err)
	}
}

// TestAppoint takes and frees the one seat of a post, which others held until
// 31 December 2020.
func TestAppoint(t *testing.T) {
	t.Parallel()
	db := pgtest.NewWith(t, "sections", sections)
	if _, err := db.Exec(t.Context(), `
		UPDATE terms SET ends_on = '2020-12-31' WHERE ends_on IS NULL;`); err != nil {
		t.Fatal(err)
	}
	store := unit.Store{DB: db}
	var first *unit.Term
	for _, tt := range []struct {
		name, path   string
		post, member uuid.UUID
		starts       string
		ends         *time.Time
	}{
		{"in a term of another", "input.post", chair, ada, "2020-12-31", nil},
		{"around it", "input.member", chair, ada, "2014-01-01", day("2030-01-01")},
		{"nobody", "input.member", chair, chair, "2021-01-01", nil},
		{"to nothing", "input.post", ada, ada, "2021-01-01", nil},
		{"backwards", "input.endsOn", chair, ada, "2021-01-01", day("2020-12-31")},
		{"after it", "", chair, ada, "2021-01-01", day("2022-12-31")},
		{"in one's own term", "input.member", chair, ada, "2022-01-01", nil},
		{"after that", "", chair, bea, "2023-01-01", nil},
	} {
		term, err := store.Appoint(t.Context(), viewer.Viewer{}, unit.Appointment{Post: tt.post, Member: tt.member, StartsOn: *day(tt.starts), EndsOn: tt.ends})
		path := ""
		if invalid := (*errs.Invalid)(nil); errors.As(err, &invalid) {
			path = invalid.Fields[0].Path
		} else if err != nil {
			t.Fatalf("%s: %v", tt.name, err)
		}
		if path != tt.path {
			t.Errorf("%s: refused by %q, want %q (%v)", tt.name, path, tt.path, err)
		}
		if term != nil && first == nil {
			first = term
		}
	}
	for on, ok := range map[string]bool{"2023-01-01": false, "2021-01-01": false, "2022-06-30": true} {
		if _, err := store.EndTerm(t.Context(), viewer.Viewer{}, unit.TermEnd{Term: first.ID, On: *day(on)}); (err == nil) != ok {
			t.Errorf("end it on %s: %v", on, err)
		}
	}
	if _, err := store.EndTerm(t.Context(), viewer.Viewer{}, unit.TermEnd{Term: ada, On: *day("2022-01-01")}); err == nil {
		t.Error("a term that isn't there was ended")
	}
}

// TestElections keeps the dates of elections that don't overlap.
func TestElections(t *testing.T) {
	t.Parallel()
	db := pgtest.NewWith(t, "sections", sections)
	store := unit.Store{DB: db}
	for _, tt := range []struct {
		opens, closes, nominations, path string
		committee                        uuid.UUID
	}{
		{"2030-03-01", "2030-03-14", "2030-02-01", "", committee},
		{"2030-03-01", "2030-03-10", "", "", committee}, // another last day
		{"2030-03-10", "2030-03-20", "", "input.opensOn", committee},
		{"2030-03-11", "2030-03-20", "2030-03-11", "input.nominationsUntil", committee},
		{"2030-03-11", "2030-03-10", "", "input.closesOn", committee},
		{"2031-03-11", "2031-03-11", "", "", committee},
		{"2031-03-11", "2031-03-11", "", "input.committee", ada},
	} {
		in := unit.ElectionDates{Committee: tt.committee, OpensOn: *day(tt.opens), ClosesOn: *day(tt.closes)}
		if tt.nominations != "" {
			in.NominationsUntil = day(tt.nominations)
		}
		_, err := store.ScheduleElection(t.Context(), viewer.Viewer{}, in)
		path := ""
		if invalid := (*errs.Invalid)(nil); errors.As(err, &invalid) {
			path = invalid.Fields[0].Path
		} else if err != nil {
			t.Fatal(err)
		}
		if path != tt.path {
			t.Errorf("%+v: refused by %q", tt, path)
		}
	}
	elections, err := store.ElectionsOf(t.Context(), []uuid.UUID{committee})
	if err != nil {
		t.Fatal(err)
	}
	got := ""
	for _, e := range elections[committee] {
		got += e.OpensOn.Format(time.DateOnly) + ".." + e.ClosesOn.Format(time.DateOnly) + " "
	}
	if want := "2031-03-11..2031-03-11 2030-03-01..2030-03-10 "; got != want {
		t.Errorf("%q, want %q", got, want)
	}
}

// TestWithdrawTerm takes back what was a mistake, and nothing that has been for long.
func TestWithdrawTerm(t *testing.T) {
	t.Parallel()
	db := pgtest.NewWith(t, "sections", sections)
	store := unit.Store{DB: db}
	if _, err := db.Exec(t.Context(), `DELETE FROM terms`); err != nil {
		t.Fatal(err)
	}
	today, err := pg.Scalar[time.Time](t.Context(), db, `SELECT CURRENT_DATE`)
	if err != nil {
		t.Fatal(err)
	}
	for ago, ok := range map[int]bool{-400: true, -1: true, 0: true, 30: true, 31: false} {
		starts := today.AddDate(0, 0, -ago)
		term, err := store.Appoint(t.Context(), viewer.Viewer{}, unit.Appointment{Post: chair, Member: ada, StartsOn: starts})
		if err != nil {
			t.Fatal(err)
		}
		withdrawn, err := store.WithdrawTerm(t.Context(), viewer.Viewer{}, term.ID)
		if invalid := (*errs.Invalid)(nil); err != nil && (!errors.As(err, &invalid) || invalid.Fields[0].Path != "input.term") {
			t.Fatal(err)
		}
		if (err == nil) != ok || ok && (withdrawn.ID != term.ID || !withdrawn.StartsOn.Equal(starts)) {
			t.Errorf("begun %d days ago: %+v, %v", ago, withdrawn, err)
		}
		left, err := pg.Scalar[int](t.Context(), db, `SELECT count(*) FROM terms`)
		if err != nil || (left == 0) != ok {
			t.Errorf("begun %d days ago: %d terms are left (%v)", ago, left, err)
		}
		if _, err := store.WithdrawTerm(t.Context(), viewer.Viewer{}, term.ID); err == nil {
			t.Errorf("begun %d days ago, it is withdrawn twice", ago)
		}
		if _, err := db.Exec(t.Context(), `DELETE FROM terms`); err != nil {
			t.Fatal(err)
		}
	}
	joined, err := pg.Scalar[time.Time](t.Context(), db, `SELECT joined_on FROM members WHERE id = $1`, ada)
	if err != nil {
		t.Fatal(err)
	}
	for starts, path := range map[time.Time]string{*day("1900-01-01"): "input.startsOn", joined.AddDate(0, 0, -1): "input.startsOn", joined: ""} {
		_, err := store.Appoint(t.Context(), viewer.Viewer{}, unit.Appointment{Post: chair, Member: ada, StartsOn: starts})
		got := ""
		if invalid := (*errs.Invalid)(nil); errors.As(err, &invalid) {
			got = invalid.Fields[0].Path
		} else if err != nil {
			t.Fatal(err)
		}
		if got != path {
			t.Errorf("appointed from %s, having joined on %s: %v", starts.Format(time.DateOnly), joined.Format(time.DateOnly), err)
		}
	}
}

// TestWithdrawElection takes back one of two elections.
func TestWithdrawElection(t *testing.T) {
	t.Parallel()
	db := pgtest.NewWith(t, "sections", sections)
	store := unit.Store{DB: db}
	for _, opens := range []string{"2016-03-01", "2030-03-01"} {
		if _, err := store.ScheduleElection(t.Context(), viewer.Viewer{}, unit.ElectionDates{Committee: committee, OpensOn: *day(opens), ClosesOn: *day(opens)}); err != nil {
			t.Fatal(err)
		}
	}
	wrong := unit.ElectionOn{Committee: committee, OpensOn: *day("2016-03-01")}
	e, err := store.WithdrawElection(t.Context(), viewer.Viewer{}, wrong)
	if err != nil || !e.OpensOn.Equal(wrong.OpensOn) {
		t.Fatalf("%+v, %v", e, err)
	}
	if invalid := (*errs.Invalid)(nil); !errors.As(func() error { _, err := store.WithdrawElection(t.Context(), viewer.Viewer{}, wrong); return err }(), &invalid) || invalid.Fields[0].Path != "input.opensOn" {
		t.Errorf("withdrawn again: %v", invalid)
	}
	left, err := store.ElectionsOf(t.Context(), []uuid.UUID{committee})
	if err != nil || len(left[committee]) != 1 || !left[committee][0].OpensOn.Equal(*day("2030-03-01")) {
		t.Errorf("left is %+v (%v)", left[committee], err)
	}
}
