package membership_test

import (
	"context"
	"errors"
	"log/slog"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"
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
	// The same member is suspended, and that is lifted; another begins later.
	run(t, db, `
		INSERT INTO accounts (id, email, email_verified_at) VALUES ('00000000-0000-4000-8000-00000000000c', 'cai@example.org', now());
		INSERT INTO membership_applications (id, account_id, display_name, grade) VALUES ('00000000-0000-4000-8000-00000000000c', '00000000-0000-4000-8000-00000000000c', 'Cai Rees', 'STUDENT')`)
	type days struct {
		Member uuid.UUID
		Today  time.Time
	}
	is, err := pg.One[days](t.Context(), db, `SELECT a.member_id AS member, CURRENT_DATE AS today FROM accounts a WHERE a.email = 'ada@example.org'`)
	if err != nil {
		t.Fatal(err)
	}
	later := is.Today.AddDate(0, 0, 10)
	_, err1 := s.Suspend(t.Context(), office, membership.Suspension{Member: is.Member, Reason: "Fees are owed."})
	_, err2 := s.Reinstate(t.Context(), office, membership.Reinstatement{Member: is.Member, On: &later})
	_, err3 := s.Accept(t.Context(), office, membership.Acceptance{Application: uuid.MustParse("00000000-0000-4000-8000-00000000000c"), StartsOn: &later})
	if err := errors.Join(err1, err2, err3); err != nil {
		t.Fatal(err)
	}
	if _, err := s.Suspend(t.Context(), office, membership.Suspension{Member: is.Member, Reason: "Again.", On: &is.Today}); err == nil {
		t.Error("suspended twice at once")
	}
	for range 3 {
		if e := <-sent; e.Kind != river.EventKindJobCompleted {
			t.Fatalf("a mail failed: %+v", e.Job.Errors)
		}
	}
	if written, err = sender.Written(100); err != nil || len(written) != 5 {
		t.Fatalf("%d mails, want 5 (%v)", len(written), err)
	}
	all := ""
	for _, m := range written {
		all += m.To + ": " + m.Text
	}
	const form = "2 January 2006"
	for _, want := range []string{
		"ada@example.org: Your membership of the College is suspended from " + is.Today.Format(form) + " on:\n\nFees are owed.\n",
		"ada@example.org: Your membership of the College is suspended no more from " + later.Format(form) + " on.\n",
		"cai@example.org: Your application is accepted: you are a member of the College from " + later.Format(form) + " on.\n",
		"ada@example.org: You are a member of the College now.\n",
	} {
		if !strings.Contains(all, want) {
			t.Errorf("nobody is told\n%s\nbut\n%s", want, all)
		}
	}
	// The membership ends, and that is told once; who has died is told nothing.
	reason := "The fee was sent back."
	_, err = s.End(t.Context(), office, membership.Ending{Member: &is.Member, How: membership.Removed, Note: &reason})
	cai, err2 := pg.Scalar[uuid.UUID](t.Context(), db, `SELECT member_id FROM accounts WHERE email = 'cai@example.org'`)
	if err := errors.Join(err, err2); err != nil {
		t.Fatal(err)
	}
	run(t, db, `UPDATE membership_periods SET starts_on = CURRENT_DATE - 10, governs_on = CURRENT_DATE - 10 WHERE member_id = '`+cai.String()+`'`)
	if _, err := s.End(t.Context(), office, membership.Ending{Member: &cai, How: membership.Deceased}); err != nil {
		t.Fatal(err)
	}
	if e := <-sent; e.Kind != river.EventKindJobCompleted {
		t.Fatalf("a mail failed: %+v", e.Job.Errors)
	}
	if n, err := pg.Scalar[int](t.Context(), db, `SELECT count(*) FROM river.river_job`); err != nil || n != 6 {
		t.Errorf("%d mails, want 6 (%v)", n, err)
	}
	if written, err = sender.Written(100); err != nil || len(written) != 6 {
		t.Fatalf("%d mails, want 6 (%v)", len(written), err)
	}
	want := "Your membership of the College ends. Its last day is " + is.Today.Format(form) + ".\n\nThe fee was sent back.\n\n"
	if m := written[0]; m.To != "ada@example.org" || !strings.HasPrefix(m.Text, want) {
		t.Errorf("who is removed is told\n%s: %s", m.To, m.Text)
	}
	if _, err := s.WithdrawEnd(t.Context(), office, membership.EndWithdrawal{Member: is.Member, Reason: "The fee has come."}); err != nil {
		t.Fatal(err)
	}
	if e := <-sent; e.Kind != river.EventKindJobCompleted {
		t.Fatalf("a mail failed: %+v", e.Job.Errors)
	}
	if written, err = sender.Written(100); err != nil || len(written) != 7 {
		t.Fatalf("%d mails, want 7 (%v)", len(written), err)
	}
	want = "The end of your membership of the College on " + is.Today.Format(form) + " is withdrawn:\n\nThe fee has come.\n\n"
	if m := written[0]; m.To != "ada@example.org" || !strings.HasPrefix(m.Text, want) {
		t.Errorf("whose end is withdrawn is told\n%s: %s", m.To, m.Text)
	}
	name, err := pg.Scalar[string](t.Context(), db, `SELECT m.sort_name FROM members m JOIN accounts a ON a.member_id = m.id WHERE a.id = $1`, ada)
	if err != nil || name != "Byron, Ada" {
		t.Errorf("sorted as %q (%v)", name, err)
	}
}
