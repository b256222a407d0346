package identity_test

import (
	"context"
	"errors"
	"log/slog"
	"net/url"
	"regexp"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/riverqueue/river"

	"github.com/collegium/collegium/internal/errs"
	"github.com/collegium/collegium/internal/identity"
	"github.com/collegium/collegium/internal/mail"
	"github.com/collegium/collegium/internal/pg"
	"github.com/collegium/collegium/internal/pg/pgtest"
)

// passwords is shared: making one takes a hash.
var passwords = &identity.Passwords{}

// body is a body with accounts, whose mails go into a folder.
type body struct {
	*identity.Store
	db     *pgxpool.Pool
	sender *mail.Sender
	sent   <-chan *river.Event
	read   int
}

func open(t *testing.T) *body {
	t.Helper()
	b := &body{db: pgtest.New(t)}
	var err error
	if b.sender, err = mail.NewSender("office@example.org", t.TempDir()); err != nil {
		t.Fatal(err)
	}
	b.Store = &identity.Store{DB: b.db, Passwords: passwords, Seal: sealBy(t, 7)}
	workers := river.NewWorkers()
	page, _ := url.Parse("https://www.example.org/welcome")
	river.AddWorker(workers, &identity.MailWorker{
		Store: b.Store, Sender: b.sender, Page: page,
		Body: func(context.Context) (string, error) { return "the College", nil },
	})
	if b.Jobs, err = pg.OpenQueue(b.db, workers, slog.New(slog.DiscardHandler)); err != nil {
		t.Fatal(err)
	}
	sent, cancel := b.Jobs.Subscribe(river.EventKindJobCompleted, river.EventKindJobFailed)
	b.sent = sent
	t.Cleanup(cancel)
	if err := b.Jobs.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = b.Jobs.StopAndCancel(context.Background()) })
	return b
}

// mail waits for the next job to be done and returns the mail that it sent, nil if
// it sent none.
func (b *body) mail(t *testing.T) *mail.Written {
	t.Helper()
	select {
	case e := <-b.sent:
		if e.Kind != river.EventKindJobCompleted {
			t.Fatalf("a mail failed: %+v", e.Job.Errors)
		}
	case <-t.Context().Done():
		t.Fatal("no mail was sent")
	}
	written, err := b.sender.Written(100)
	if err != nil {
		t.Fatal(err)
	}
	if len(written) == b.read {
		return nil
	}
	b.read = len(written)
	return &written[0]
}

var link = regexp.MustCompile(`https://www\.example\.org/welcome#token=(\S{43})\n`)

func (b *body) token(t *testing.T) string {
	t.Helper()
	m := b.mail(t)
	if m == nil {
		t.Fatal("no mail was sent")
	}
	found := link.FindStringSubmatch(m.Text)
	if found == nil {
		t.Fatalf("no link in the mail:\n%s", m.Text)
	}
	return found[1]
}

const (
	ada      = "Ada@example.org"
	password = "three blue herons"
)

var application = identity.Application{Email: ada, DisplayName: "Ada Byron", Grade: "STUDENT"}

// joined returns a body with one account, and a session of it.
func joined(t *testing.T) (*body, *identity.Session) {
	t.Helper()
	b := open(t)
	if err := b.Join(t.Context(), application, "n"); err != nil {
		t.Fatal(err)
	}
	s, err := b.SetPassword(t.Context(), b.token(t), password, "")
	if err != nil {
		t.Fatal(err)
	}
	return b, s
}

func (b *body) signedIn(t *testing.T, s *identity.Session) bool {
	t.Helper()
	signed, err := b.Signed(t.Context(), s.Token)
	switch {
	case errors.Is(err, errs.Unauthenticated):
		return false
	case err != nil:
		t.Fatal(err)
	case signed.ID != s.AccountID || signed.SessionID != s.ID:
		t.Fatalf("signed in as %+v, want account %s, session %s", signed, s.AccountID, s.ID)
	}
	return true
}

func wantErr(t *testing.T, doing string, got, want error) {
	t.Helper()
	if !errors.Is(got, want) {
		t.Fatalf("%s: got error %v, want %v", doing, got, want)
	}
}

func TestJoinVerifySignInSignOut(t *testing.T) {
	t.Parallel()
	b := open(t)
	if err := b.Join(t.Context(), application, "n"); err != nil {
		t.Fatal(err)
	}
	token := b.token(t)
	_, err := b.SignIn(t.Context(), ada, password, "", "n")
	wantErr(t, "before the address is verified", err, identity.ErrWrongCredentials)

	var invalid *errs.Invalid
	if _, err := b.SetPassword(t.Context(), token, "short", ""); !errors.As(err, &invalid) {
		t.Fatalf("a short password: %v", err)
	}
	first, err := b.SetPassword(t.Context(), token, password, "") // the refusal didn't use the link up
	if err != nil {
		t.Fatal(err)
	}
	_, err = b.SetPassword(t.Context(), token, password, "")
	wantErr(t, "the link a second time", err, identity.ErrLinkEnded)

	second, err := b.SignIn(t.Context(), " ADA@EXAMPLE.ORG ", password, "", "n")
	if err != nil {
		t.Fatal(err)
	}
	if first.Token == second.Token || !b.signedIn(t, first) || !b.signedIn(t, second) {
		t.Error("two sessions are not two")
	}
	if err := b.SignOut(t.Context(), first.ID); err != nil {
		t.Fatal(err)
	}
	if b.signedIn(t, first) || !b.signedIn(t, second) {
		t.Error("signing out ends one session, and one only")
	}
	signed, err := b.Signed(t.Context(), second.Token)
	if err != nil {
		t.Fatal(err)
	}
	if signed.Email != ada || !signed.EmailVerified() || len(signed.Roles) != 0 || len(signed.Officer) != 0 || signed.MemberID != nil {
		t.Errorf("signed in as %+v", signed)
	}
}

// TestEverythingEndsSessions: what ends all sessions of an account.
func TestEverythingEndsSessions(t *testing.T) {
	t.Parallel()
	for name, end := range map[string]func(*testing.T, *body, *identity.Session){
		"signing out everywhere": func(t *testing.T, b *body, s *identity.Session) {
			wantErr(t, "sign out", b.SignOutEverywhere(t.Context(), s.AccountID), nil)
		},
		"a new password": func(t *testing.T, b *body, s *identity.Session) {
			next, err := b.ChangePassword(t.Context(), s.AccountID, password, "four green herons")
			wantErr(t, "change", err, nil)
			if !b.signedIn(t, next) {
				t.Error("who changes the password is signed out")
			}
		},
		"a reset": func(t *testing.T, b *body, s *identity.Session) {
			wantErr(t, "request", b.RequestReset(t.Context(), ada, "n"), nil)
			_, err := b.SetPassword(t.Context(), b.token(t), "four green herons", "")
			wantErr(t, "set", err, nil)
		},
		"a suspension, by whatever program": func(t *testing.T, b *body, _ *identity.Session) {
			_, err := b.db.Exec(t.Context(), `UPDATE accounts SET suspended_at = now()`)
			wantErr(t, "suspend", err, nil)
			_, err = b.SignIn(t.Context(), ada, password, "", "n")
			wantErr(t, "sign in", err, identity.ErrSuspended)
		},
		"a suspension that is lifted": func(t *testing.T, b *body, _ *identity.Session) {
			_, err := b.db.Exec(t.Context(), `UPDATE accounts SET suspended_at = now()`)
			wantErr(t, "suspend", err, nil)
			_, err = b.db.Exec(t.Context(), `UPDATE accounts SET suspended_at = NULL`)
			wantErr(t, "lift", err, nil)
		},
		"another address": func(t *testing.T, b *body, _ *identity.Session) {
			_, err := b.db.Exec(t.Context(), `UPDATE accounts SET email = 'other@example.org'`)
			wantErr(t, "change", err, nil)
		},
		"time": func(t *testing.T, b *body, _ *identity.Session) {
			_, err := b.db.Exec(t.Context(), `UPDATE sessions SET created_at = now() - interval '15 days', expires_at = now() - interval '1 day'`)
			wantErr(t, "age", err, nil)
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b, s := joined(t)
			end(t, b, s)
			if b.signedIn(t, s) {
				t.Error("the session goes on")
			}
		})
	}
}

// TestALinkEndsWithTheEpoch: a link that was mailed before the password changed
// can't change it again.
func TestALinkEndsWithTheEpoch(t *testing.T) {
	t.Parallel()
	b, s := joined(t)
	wantErr(t, "request", b.RequestReset(t.Context(), ada, "n"), nil)
	token := b.token(t)
	_, err := b.ChangePassword(t.Context(), s.AccountID, password, "four green herons")
	wantErr(t, "change", err, nil)
	_, err = b.SetPassword(t.Context(), token, "five red herons!!", "")
	wantErr(t, "the old link", err, identity.ErrLinkEnded)
}

// TestJoiningTwice: whoever joins with an address that has an account changes
// nothing, and only the mailbox learns of it.
func TestJoiningTwice(t *testing.T) {
	t.Parallel()
	b, s := joined(t)
	wantErr(t, "join again", b.Join(t.Context(), identity.Application{Email: "ada@EXAMPLE.org", DisplayName: "Eve", Grade: "STUDENT"}, "n"), nil)
	m := b.mail(t)
	if m == nil || m.To != ada || strings.Contains(m.Text, "token") {
		t.Errorf("the mail: %+v", m)
	}
	if !b.signedIn(t, s) {
		t.Error("joining again ended a session")
	}
	name, err := pg.Scalar[string](t.Context(), b.db, `SELECT display_name FROM membership_applications`)
	if err != nil || name != "Ada Byron" {
		t.Errorf("the application is that of %q (%v)", name, err)
	}
	// An address without an account gets no mail about a new password.
	wantErr(t, "reset", b.RequestReset(t.Context(), "nobody@example.org", "n"), nil)
	if m := b.mail(t); m != nil {
		t.Errorf("a mail to nobody: %+v", m)
	}
}

// TestOthersCantChangeAnApplication: somebody else joins with the address before its owner
// follows the link.
func TestOthersCantChangeAnApplication(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		follow int
		want   string
	}{"the own link": {0, "Mina Okafor PROFESSIONAL"}, "the other's": {1, "M STUDENT"}} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := open(t)
			var tokens []string
			for _, a := range []identity.Application{
				{Email: "mina@example.org", DisplayName: "Mina Okafor", Grade: "PROFESSIONAL"}, {Email: "MINA@example.org", DisplayName: "M", Grade: "STUDENT"},
			} {
				wantErr(t, "join", b.Join(t.Context(), a, "n"), nil)
				m := b.mail(t)
				if m == nil || m.To != "mina@example.org" || !strings.Contains(m.Text, "“"+a.DisplayName+"”") || !strings.Contains(m.Text, "“"+strings.ToLower(a.Grade)+"”") {
					t.Fatalf("the mail: %+v", m)
				}
				tokens = append(tokens, link.FindStringSubmatch(m.Text)[1])
			}
			applications := func() []string {
				t.Helper()
				found, err := pg.Scalars[string](t.Context(), b.db, `SELECT display_name || ' ' || grade FROM membership_applications`)
				wantErr(t, "read", err, nil)
				return found
			}
			if got := applications(); len(got) != 0 {
				t.Errorf("before a link is followed: %q", got)
			}
			_, err := b.SetPassword(t.Context(), tokens[c.follow], password, "")
			wantErr(t, "follow", err, nil)
			if diff := cmp.Diff([]string{c.want}, applications()); diff != "" {
				t.Errorf("(-want +got)\n%s", diff)
			}
			_, err = b.SetPassword(t.Context(), tokens[1-c.follow], "five red herons!!", "")
			wantErr(t, "follow the other", err, identity.ErrLinkEnded)
		})
	}
	var invalid *errs.Invalid
	if err := open(t).Join(t.Context(), identity.Application{Email: ada, DisplayName: "See http://example.net/x", Grade: "STUDENT"}, "n"); !errors.As(err, &invalid) {
		t.Errorf("a name that is an address: %v", err)
	}
}

// TestAttemptsAreCounted: also those that come at once, and whether the address has
// an account or not.
func TestAttemptsAreCounted(t *testing.T) {
	t.Parallel()
	for _, address := range []string{ada, "nobody@example.org"} {
		t.Run(address, func(t *testing.T) {
			t.Parallel()
			b, s := joined(t)
			var wrong, many atomic.Int32
			var all sync.WaitGroup
			for range 40 {
				all.Go(func() {
					switch _, err := b.SignIn(t.Context(), address, "wrong password", "", "n"); {
					case errors.Is(err, identity.ErrWrongCredentials):
						wrong.Add(1)
					case errors.Is(err, identity.ErrTooManyAttempts):
						many.Add(1)
					default:
						t.Errorf("an attempt: %v", err)
					}
				})
			}
			all.Wait()
			if got := [2]int32{wrong.Load(), many.Load()}; got != [2]int32{10, 30} {
				t.Errorf("%d were tried and %d were refused, want 10 and 30", got[0], got[1])
			}
			// Who is signed in stays so, and who has the mailbox gets in again.
			if !b.signedIn(t, s) {
				t.Error("attempts ended a session")
			}
			wantErr(t, "reset", b.RequestReset(t.Context(), ada, "n"), nil)
			_, err := b.SetPassword(t.Context(), b.token(t), "four green herons", "")
			wantErr(t, "set", err, nil)
			_, err = b.SignIn(t.Context(), ada, "four green herons", "", "n")
			wantErr(t, "sign in", err, nil)
		})
	}
}

func TestCreate(t *testing.T) {
	t.Parallel()
	b := open(t)
	n := identity.NewAccount{Email: ada, Password: password, Verified: true, Roles: []identity.Role{identity.Editor, identity.Administrator}}
	a, err := b.Create(t.Context(), n)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]identity.Role{identity.Administrator, identity.Editor}, a.Roles); diff != "" {
		t.Errorf("roles (-want +got):\n%s", diff)
	}
	n.Email = strings.ToUpper(ada)
	_, err = b.Create(t.Context(), n)
	wantErr(t, "the same address", err, errs.Conflict)
	for _, bad := range []identity.NewAccount{
		{Email: "ada"},
		{Email: "Ada <ada@example.org>"},
		{Email: "a b@example.org"},
		{Email: "x@example.org", Password: "aaaaaaaaaaaaaaaa"},
		{Email: "longname@example.org", Password: "longname12345"},
	} {
		var invalid *errs.Invalid
		if _, err := b.Create(t.Context(), bad); !errors.As(err, &invalid) {
			t.Errorf("Create(%+v): %v", bad, err)
		}
	}
}

// TestNoSecretIsStored: neither tokens nor passwords stand in the database.
func TestNoSecretIsStored(t *testing.T) {
	t.Parallel()
	b, s := joined(t)
	wantErr(t, "request", b.RequestReset(t.Context(), ada, "n"), nil)
	secrets := []string{password, s.Token, b.token(t)}
	tables, err := pg.Scalars[string](t.Context(), b.db, `
		SELECT format('%I.%I', n.nspname, c.relname) FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
		WHERE c.relkind = 'r' AND n.nspname IN ('public', 'river')`)
	if err != nil {
		t.Fatal(err)
	}
	for _, table := range tables {
		rows, err := pg.Scalars[string](t.Context(), b.db, `SELECT t::text FROM `+table+` AS t`)
		if err != nil {
			t.Fatal(err)
		}
		for _, secret := range secrets {
			if strings.Contains(strings.Join(rows, "\n"), secret) {
				t.Errorf("a secret stands in %s", table)
			}
		}
	}
}
