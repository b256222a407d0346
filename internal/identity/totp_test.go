package identity_test

import (
	"errors"
	"net/url"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/pquerna/otp/totp"

	"github.com/collegium/collegium/internal/errs"
	"github.com/collegium/collegium/internal/identity"
)

// noon is what the clock shows in these tests.
var noon = time.Date(2026, 6, 1, 12, 0, 0, 0, time.UTC)

// code returns the code of a secret so many steps from now. It is computed by the
// library for authenticators, not by the code under test.
func code(t *testing.T, secret string, steps int) string {
	t.Helper()
	c, err := totp.GenerateCode(secret, noon.Add(time.Duration(steps)*30*time.Second))
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// withTOTP returns a body with one account that has a second factor.
func withTOTP(t *testing.T) (b *body, s *identity.Session, secret string, recovery []string) {
	t.Helper()
	b, before := joined(t)
	b.Now = func() time.Time { return noon }
	_, err := b.BeginTOTP(t.Context(), before.AccountID, "wrong password", "The College")
	wantErr(t, "begin with a wrong password", err, identity.ErrWrongCredentials)
	begun, err := b.BeginTOTP(t.Context(), before.AccountID, password, "The College")
	if err != nil {
		t.Fatal(err)
	}
	uri, err := url.Parse(begun.URI)
	if err != nil || uri.Scheme != "otpauth" || uri.Host != "totp" || uri.Path != "/The College:"+ada ||
		uri.Query().Get("secret") != begun.Secret || strings.Contains(begun.URI, "+") {
		t.Errorf("the address for authenticators: %s", begun.URI)
	}
	// It is not on before it is confirmed.
	if _, err := b.SignIn(t.Context(), ada, password, "", "n"); err != nil {
		t.Fatal(err)
	}
	_, _, err = b.ConfirmTOTP(t.Context(), before.AccountID, "000000")
	if code(t, begun.Secret, 0) != "000000" {
		wantErr(t, "confirm by a wrong code", err, identity.ErrTOTPWrong)
	}
	s, recovery, err = b.ConfirmTOTP(t.Context(), before.AccountID, code(t, begun.Secret, -1))
	if err != nil {
		t.Fatal(err)
	}
	if b.signedIn(t, before) || !b.signedIn(t, s) {
		t.Error("a second factor ends the sessions that had one, and begins another")
	}
	return b, s, begun.Secret, recovery
}

func TestTOTP(t *testing.T) {
	t.Parallel()
	b, s, secret, _ := withTOTP(t)
	signed, err := b.Signed(t.Context(), s.Token)
	if err != nil || !signed.HasTOTP {
		t.Errorf("%+v, %v", signed, err)
	}
	signIn := func(password, code string) error {
		_, err := b.SignIn(t.Context(), ada, password, code, "n")
		return err
	}
	wantErr(t, "without a code", signIn(password, ""), identity.ErrTOTPRequired)
	wantErr(t, "a wrong password with a right code", signIn("wrong password", code(t, secret, 0)), identity.ErrWrongCredentials)
	wantErr(t, "the code that confirmed", signIn(password, code(t, secret, -1)), identity.ErrTOTPWrong)
	wantErr(t, "letters", signIn(password, "abcdef"), identity.ErrTOTPWrong)
	right := code(t, secret, 0)
	wantErr(t, "a right code", signIn(password, right[:3]+" "+right[3:]), nil)
	wantErr(t, "the same code again", signIn(password, right), identity.ErrTOTPWrong)
	wantErr(t, "a code of a clock that is fast", signIn(password, code(t, secret, 1)), nil)
	wantErr(t, "a code of a clock that is too fast", signIn(password, code(t, secret, 4)), identity.ErrTOTPWrong)
	_, err = b.BeginTOTP(t.Context(), s.AccountID, password, "The College")
	wantErr(t, "another secret while there is one", err, errs.Conflict)

	next, err := b.DisableTOTP(t.Context(), s.AccountID, password)
	wantErr(t, "disable", err, nil)
	if b.signedIn(t, s) || !b.signedIn(t, next) {
		t.Error("turning it off ends the sessions, and begins another")
	}
	wantErr(t, "without a code, when it is off", signIn(password, ""), nil)
}

// TestCodesAreThrottled: whoever knows the password can't guess the code.
func TestCodesAreThrottled(t *testing.T) {
	t.Parallel()
	b, _, _, _ := withTOTP(t)
	last := error(nil)
	for range 12 {
		_, last = b.SignIn(t.Context(), ada, password, "abcdef", "n")
	}
	wantErr(t, "the twelfth code", last, identity.ErrTooManyAttempts)
}

// TestRecoveryCodes: each works once, also if it comes twice at the same time.
func TestRecoveryCodes(t *testing.T) {
	t.Parallel()
	b, _, _, recovery := withTOTP(t)
	if len(recovery) != 10 || len(recovery[0]) != 19 {
		t.Fatalf("the recovery codes: %q", recovery)
	}
	var worked atomic.Int32
	var all sync.WaitGroup
	for range 4 {
		all.Go(func() {
			switch _, err := b.SignIn(t.Context(), ada, password, strings.ToLower(recovery[3]), "n"); {
			case err == nil:
				worked.Add(1)
			case !errors.Is(err, identity.ErrTOTPWrong):
				t.Error(err)
			}
		})
	}
	all.Wait()
	if worked.Load() != 1 {
		t.Errorf("one recovery code worked %d times", worked.Load())
	}
	_, err := b.SignIn(t.Context(), ada, password, recovery[4], "n")
	wantErr(t, "another recovery code", err, nil)
}
