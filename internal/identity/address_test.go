package identity_test

import (
	"errors"
	"fmt"
	"regexp"
	"strings"
	"testing"

	"github.com/collegium/collegium/internal/errs"
	"github.com/collegium/collegium/internal/identity"
	"github.com/collegium/collegium/internal/pg"
)

var addressLink = regexp.MustCompile(`https://www\.example\.org/welcome#email=(\S{43})\n`)

const lovelace = "Lovelace@example.org"

// addressToken waits for the mail with the link to another address.
func (b *body) addressToken(t *testing.T) string {
	t.Helper()
	m := b.mail(t)
	if m == nil || m.To != lovelace {
		t.Fatalf("the mail with the link: %+v", m)
	}
	found := addressLink.FindStringSubmatch(m.Text)
	if found == nil {
		t.Fatalf("no link in the mail:\n%s", m.Text)
	}
	return found[1]
}

func mine(password string) identity.Proof { return identity.Proof{Password: password} }

// TestChangeEmail: the address is another one once the link that went there is followed, and
// not before; who had the one before is told.
func TestChangeEmail(t *testing.T) {
	t.Parallel()
	b, s := joined(t)
	wantErr(t, "with a wrong password", b.ChangeEmail(t.Context(), as(s), mine("not it"), lovelace, "n"), identity.ErrWrongCredentials)
	for _, wrong := range []string{"no address", "ADA@example.org"} {
		var invalid *errs.Invalid
		if err := b.ChangeEmail(t.Context(), as(s), mine(password), wrong, "n"); !errors.As(err, &invalid) || invalid.Fields[0].Path != "input.email" {
			t.Errorf("%s: %v", wrong, err)
		}
	}
	wantErr(t, "ask", b.ChangeEmail(t.Context(), as(s), mine(password), lovelace, "n"), nil)
	token := b.addressToken(t)
	wantErr(t, "a second link", b.ChangeEmail(t.Context(), as(s), mine(password), lovelace, "n"), nil)
	other := b.addressToken(t)
	_, err := b.SetPassword(t.Context(), token, "four green herons", "")
	wantErr(t, "a password by a link for an address", err, identity.ErrLinkEnded)
	_, err = b.SignIn(t.Context(), lovelace, password, "", "n")
	wantErr(t, "before the link is followed", err, identity.ErrWrongCredentials)
	wantErr(t, "reset", b.RequestReset(t.Context(), ada, "n"), nil)
	reset := b.token(t)
	_, err = b.ConfirmEmail(t.Context(), reset)
	wantErr(t, "an address by a link for a password", err, identity.ErrLinkEnded)
	if !b.signedIn(t, s) {
		t.Fatal("asking for another address ends a session")
	}

	email, err := b.ConfirmEmail(t.Context(), token)
	if err != nil || email != lovelace {
		t.Fatalf("%q, %v", email, err)
	}
	if m := b.mail(t); m == nil || m.To != ada || !strings.Contains(m.Text, "write to the membership office") || strings.Contains(m.Text, lovelace) {
		t.Errorf("the mail to the address before: %+v", m)
	}
	if b.signedIn(t, s) {
		t.Error("a session goes on")
	}
	for what, follow := range map[string]func() error{
		"again":                  func() error { _, err := b.ConfirmEmail(t.Context(), token); return err },
		"the other link":         func() error { _, err := b.ConfirmEmail(t.Context(), other); return err },
		"the link of a password": func() error { _, err := b.SetPassword(t.Context(), reset, "four green herons", ""); return err },
	} {
		wantErr(t, what, follow(), identity.ErrLinkEnded)
	}
	_, err = b.SignIn(t.Context(), ada, password, "", "n")
	wantErr(t, "by the address before", err, identity.ErrWrongCredentials)
	next, err := b.SignIn(t.Context(), lovelace, password, "", "n")
	wantErr(t, "by the new one", err, nil)
	if signed, err := b.Signed(t.Context(), next.Token); err != nil || signed.Email != lovelace || !signed.EmailVerified() {
		t.Errorf("signed in as %+v, %v", signed, err)
	}
}

// TestChangeEmailWithASecondFactor: the password is not enough.
func TestChangeEmailWithASecondFactor(t *testing.T) {
	t.Parallel()
	b, s, _, recovery := withTOTP(t)
	b.mail(t) // that it is on
	wantErr(t, "without a code", b.ChangeEmail(t.Context(), as(s), mine(password), lovelace, "n"), identity.ErrTOTPRequired)
	wantErr(t, "with one", b.ChangeEmail(t.Context(), as(s), identity.Proof{Password: password, Code: recovery[0]}, lovelace, "n"), nil)
	b.addressToken(t)
}

// TestChangeEmailToAnAddressInUse: who asks learns nothing, the mailbox does, and nothing is
// changed; an address with which somebody merely joined can be had.
func TestChangeEmailToAnAddressInUse(t *testing.T) {
	t.Parallel()
	b, s := joined(t)
	if _, err := b.Create(t.Context(), identity.NewAccount{Email: lovelace, Password: "nine white swans", Verified: true}); err != nil {
		t.Fatal(err)
	}
	wantErr(t, "ask", b.ChangeEmail(t.Context(), as(s), mine(password), lovelace, "n"), nil)
	if m := b.mail(t); m == nil || m.To != lovelace || strings.Contains(m.Text, "http") || !strings.Contains(m.Text, "has an account already") {
		t.Errorf("the mail: %+v", m)
	}
	if _, err := b.db.Exec(t.Context(), `DELETE FROM accounts WHERE email = $1`, lovelace); err != nil {
		t.Fatal(err)
	}

	wantErr(t, "join", b.Join(t.Context(), identity.Application{Email: lovelace, DisplayName: "Eve", Grade: "STUDENT"}, "m"), nil)
	joining := b.token(t)
	wantErr(t, "ask again", b.ChangeEmail(t.Context(), as(s), mine(password), lovelace, "n"), nil)
	token := b.addressToken(t)
	wantErr(t, "ask once more", b.ChangeEmail(t.Context(), as(s), mine(password), lovelace, "n"), nil)
	late := b.addressToken(t)
	if _, err := b.ConfirmEmail(t.Context(), token); err != nil {
		t.Fatal(err)
	}
	_, err := b.SetPassword(t.Context(), joining, "four green herons", "")
	wantErr(t, "the link of who joined", err, identity.ErrLinkEnded)
	_, err = b.ConfirmEmail(t.Context(), late)
	wantErr(t, "the late link", err, identity.ErrLinkEnded)
	n, err := pg.Scalar[int](t.Context(), b.db, `SELECT count(*)::int FROM accounts`)
	if err != nil || n != 1 {
		t.Errorf("%d accounts, %v", n, err)
	}
}

// TestTheAddressIsGone: somebody else proves the address first.
func TestTheAddressIsGone(t *testing.T) {
	t.Parallel()
	b, s := joined(t)
	wantErr(t, "ask", b.ChangeEmail(t.Context(), as(s), mine(password), lovelace, "n"), nil)
	token := b.addressToken(t)
	if _, err := b.Create(t.Context(), identity.NewAccount{Email: "lovelace@EXAMPLE.org", Password: "nine white swans", Verified: true}); err != nil {
		t.Fatal(err)
	}
	_, err := b.ConfirmEmail(t.Context(), token)
	wantErr(t, "the link", err, errs.Conflict)
	if !b.signedIn(t, s) {
		t.Error("what came to nothing ended a session")
	}
}

// TestAddressesAreThrottled: nobody mails whomever they like through an account.
func TestAddressesAreThrottled(t *testing.T) {
	t.Parallel()
	b, s := joined(t)
	var err error
	for i := range 11 {
		err = b.ChangeEmail(t.Context(), as(s), mine(password), fmt.Sprintf("somebody%d@example.org", i), fmt.Sprint("network ", i))
	}
	wantErr(t, "the eleventh", err, identity.ErrTooManyAttempts)
}

// TestChangeEmailOf: an administrator has the link mailed for who lost the mailbox, and asks
// for their own address as everybody does.
func TestChangeEmailOf(t *testing.T) {
	t.Parallel()
	b, s := joined(t)
	admin, err := b.Create(t.Context(), identity.NewAccount{Email: "admin@example.org", Password: "nine white swans", Verified: true, Roles: []identity.Role{identity.Administrator}})
	if err != nil {
		t.Fatal(err)
	}
	v := as(s)
	v.Account = admin.ID
	var invalid *errs.Invalid
	if err := b.ChangeEmailOf(t.Context(), v, admin.ID, lovelace, "n"); !errors.As(err, &invalid) {
		t.Errorf("one's own: %v", err)
	}
	wantErr(t, "nobody's", b.ChangeEmailOf(t.Context(), v, s.ID, lovelace, "n"), errs.NotFound)
	wantErr(t, "somebody's", b.ChangeEmailOf(t.Context(), v, s.AccountID, lovelace, "n"), nil)
	if email, err := b.ConfirmEmail(t.Context(), b.addressToken(t)); err != nil || email != lovelace {
		t.Errorf("%q, %v", email, err)
	}
}
