package membership_test

import (
	"context"
	"log/slog"
	"strings"
	"testing"
	"time"

	"github.com/riverqueue/river"

	"github.com/collegium/collegium/internal/mail"
	"github.com/collegium/collegium/internal/membership"
	"github.com/collegium/collegium/internal/pg"
	"github.com/collegium/collegium/internal/pg/pgtest"
)

// TestMails decides on two applications: each applicant is told once, also if it is
// decided again, and nobody is told of a decision that was not kept.
func TestMails(t *testing.T) {
	t.Parallel()
	db := pgtest.New(t)
	run(t, db, anOffice+`
		UPDATE accounts SET email_verified_at = now();
		INSERT INTO membership_applications (id, account_id, display_name, grade)
		SELECT id, id, 'Ada Byron', 'STUDENT' FROM accounts`)
	sender, err := mail.NewSender("office@example.org", t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	workers := river.NewWorkers()
	river.AddWorker(workers, &membership.MailWorker{DB: db, Sender: sender, Body: func(context.Context) (string, error) { return "the College", nil }})
	jobs, err := pg.OpenQueue(db, workers, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	sent, cancel := jobs.Subscribe(river.EventKindJobCompleted, river.EventKindJobFailed)
	defer cancel()
	if err := jobs.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	defer func() { _ = jobs.StopAndCancel(context.Background()) }()
	s := membership.Store{DB: db, Jobs: jobs}
	yesterday := time.Now().AddDate(0, 0, -1)
	if _, err := s.Accept(t.Context(), office, membership.Acceptance{Application: ada, StartsOn: &yesterday}); err == nil {
		t.Error("a membership begins in retrospect")
	}
	if n, err := pg.Scalar[int](t.Context(), db, `SELECT count(*) FROM members`); err != nil || n != 0 {
		t.Errorf("%d members, want none (%v)", n, err)
	}
	for range 2 {
		if a, err := s.Accept(t.Context(), office, membership.Acceptance{Application: ada}); err != nil || a.MemberID == nil {
			t.Fatalf("accept: %+v, %v", a, err)
		}
		if _, err := s.Decline(t.Context(), office, membership.Refusal{Application: bea, Reason: "The form is incomplete."}); err != nil {
			t.Fatal(err)
		}
	}
	for range 2 {
		if e := <-sent; e.Kind != river.EventKindJobCompleted {
			t.Fatalf("a mail failed: %+v", e.Job.Errors)
		}
	}
	written, err := sender.Written(100)
	if err != nil || len(written) != 2 {
		t.Fatalf("%d mails, want 2 (%v)", len(written), err)
	}
	texts := map[string]string{}
	for _, m := range written {
		texts[m.To] = m.Subject + "\n" + m.Text
	}
	if got := texts["ada@example.org"]; !strings.Contains(got, "Welcome to the College") || !strings.Contains(got, "Your membership number is M100001.") ||
		!strings.Contains(got, "runs until ") {
		t.Errorf("to who is accepted:\n%s", got)
	}
	if got := texts["bea@example.org"]; !strings.Contains(got, "The form is incomplete.") {
		t.Errorf("to who is declined:\n%s", got)
	}
	name, err := pg.Scalar[string](t.Context(), db, `SELECT m.sort_name FROM members m JOIN accounts a ON a.member_id = m.id WHERE a.id = $1`, ada)
	if err != nil || name != "Byron, Ada" {
		t.Errorf("sorted as %q (%v)", name, err)
	}
}
