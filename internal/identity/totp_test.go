package identity_test

import (
	"errors"
	"net/url"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/pquerna/otp/totp"

	"github.com/collegium/collegium/internal/errs"
	"github.com/collegium/collegium/internal/identity"
	"github.com/collegium/collegium/internal/pg"
	"github.com/collegium/collegium/internal/viewer"
)

// as is who is behind a session.
func as(s *identity.Session) viewer.Viewer { return viewer.Viewer{Account: s.AccountID, Session: s.ID} }

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
	_, err := b.BeginTOTP(t.Context(), as(before), identity.Proof{Password: "wrong password"}, "The College")
	wantErr(t, "begin with a wrong password", err, identity.ErrWrongCredentials)
	begun, err := b.BeginTOTP(t.Context(), as(before), identity.Proof{Password: password}, "The College")
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
	b, s, secret, recovery := withTOTP(t)
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
	_, err = b.BeginTOTP(t.Context(), as(s), identity.Proof{Password: password, Code: recovery[0]}, "The College")
	wantErr(t, "another secret while there is one", err, errs.Conflict)

	for name, c := range map[string]struct {
		proof identity.Proof
		want  error
	}{
		"nothing":         {identity.Proof{}, identity.ErrWrongCredentials},
		"no code":         {identity.Proof{Password: password}, identity.ErrTOTPRequired},
		"a wrong code":    {identity.Proof{Password: password, Code: "abcdef"}, identity.ErrTOTPWrong},
		"only a code":     {identity.Proof{Code: recovery[1]}, identity.ErrWrongCredentials},
		"a used code":     {identity.Proof{Password: password, Code: recovery[0]}, identity.ErrTOTPWrong},
		"somebody else's": {identity.Proof{Password: password, Code: "AAAA-BBBB-CCCC-DDDD"}, identity.ErrTOTPWrong},
	} {
		_, err := b.DisableTOTP(t.Context(), as(s), c.proof)
		wantErr(t, "disable with "+name, err, c.want)
	}
	next, err := b.DisableTOTP(t.Context(), as(s), identity.Proof{Password: password, Code: recovery[1]})
	wantErr(t, "disable", err, nil)
	if b.signedIn(t, s) || !b.signedIn(t, next) {
		t.Error("turning it off ends the sessions, and begins another")
	}
	wantErr(t, "without a code, when it is off", signIn(password, ""), nil)
}

// TestAResetAsksForTheCode: who has the mailbox has one factor, and no more.
func TestAResetAsksForTheCode(t *testing.T) {
	t.Parallel()
	b, s, secret, recovery := withTOTP(t)
	told(t, b, "totp_on")
	const other = "four green herons"
	reset := func() string {
		t.Helper()
		wantErr(t, "request", b.RequestReset(t.Context(), ada, "n"), nil)
		return b.token(t)
	}
	set := func(token, password, code string) error {
		_, err := b.SetPassword(t.Context(), token, password, code)
		return err
	}
	token := reset()
	wantErr(t, "a link that there isn't", set(strings.Repeat("x", 43), other, code(t, secret, 0)), identity.ErrLinkEnded)
	for range 20 { // it is no attempt
		wantErr(t, "without a code", set(token, other, ""), identity.ErrTOTPRequired)
	}
	wantErr(t, "a wrong code", set(token, other, "abcdef"), identity.ErrTOTPWrong)
	var invalid *errs.Invalid
	if err := set(token, "short", code(t, secret, 0)); !errors.As(err, &invalid) { // it doesn't use the code up
		t.Errorf("a short password: %v", err)
	}
	if !b.signedIn(t, s) {
		t.Error("a reset in vain ended a session")
	}
	wantErr(t, "a right code", set(token, other, code(t, secret, 0)), nil)
	told(t, b, "password_changed")
	wantErr(t, "the link again", set(token, other, code(t, secret, 1)), identity.ErrLinkEnded)
	_, err := b.SignIn(t.Context(), ada, other, code(t, secret, 0), "n")
	wantErr(t, "the same code to sign in", err, identity.ErrTOTPWrong)
	wantErr(t, "a recovery code", set(reset(), password, recovery[2]), nil)
	told(t, b, "password_changed")

	// Links don't bring new attempts.
	var last error
	for i := range 12 {
		if i%4 == 0 {
			token = reset()
		}
		last = set(token, other, "abcdef")
	}
	wantErr(t, "the twelfth code", last, identity.ErrTooManyAttempts)
	wantErr(t, "a right one then", set(token, other, recovery[3]), identity.ErrTooManyAttempts)
}

// TestProofWithoutAPassword: who signs in by other means only has done so lately.
func TestProofWithoutAPassword(t *testing.T) {
	t.Parallel()
	b, s := joined(t)
	_, err := b.db.Exec(t.Context(), `UPDATE accounts SET password_hash = NULL, epoch = epoch - 1`)
	wantErr(t, "take the password away", err, nil)
	_, err = b.db.Exec(t.Context(), `UPDATE sessions SET epoch = (SELECT epoch FROM accounts)`)
	wantErr(t, "keep the session", err, nil)
	wantErr(t, "soon", b.Prove(t.Context(), as(s), identity.Proof{}), nil)
	nobody := as(s)
	nobody.Session = uuid.New()
	wantErr(t, "another session", b.Prove(t.Context(), nobody, identity.Proof{}), identity.ErrSignInAgain)
	_, err = b.db.Exec(t.Context(), `UPDATE sessions SET created_at = now() - interval '16 minutes'`)
	wantErr(t, "wait", err, nil)
	wantErr(t, "later", b.Prove(t.Context(), as(s), identity.Proof{}), identity.ErrSignInAgain)
}

// TestTheOwnerIsTold: what makes an account somebody else's is mailed to the address.
func TestTheOwnerIsTold(t *testing.T) {
	t.Parallel()
	b, s, _, recovery := withTOTP(t)
	told(t, b, "totp_on")
	s, err := b.ChangePassword(t.Context(), s.AccountID, password, "four green herons")
	wantErr(t, "change", err, nil)
	told(t, b, "password_changed")
	_, err = b.DisableTOTP(t.Context(), as(s), identity.Proof{Password: "four green herons", Code: recovery[0]})
	wantErr(t, "disable", err, nil)
	m := b.mail(t)
	if m == nil || m.To != ada || !strings.Contains(m.Text, "No code") || !strings.Contains(m.Text, "If it wasn't you, ask for a new password") {
		t.Errorf("the mail: %+v", m)
	}
}

// told waits for a mail of a kind.
func told(t *testing.T, b *body, kind string) {
	t.Helper()
	if b.mail(t) == nil {
		t.Fatal("nobody was told")
	}
	last, err := pg.Scalar[string](t.Context(), b.db, `SELECT args ->> 'mail' FROM river.river_job ORDER BY id DESC LIMIT 1`)
	if err != nil || last != kind {
		t.Errorf("told of %s (%v), want %s", last, err, kind)
	}
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
