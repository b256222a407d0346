package identity

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base32"
	"errors"
	"net/url"
	"slices"
	"strings"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/pquerna/otp/hotp"

	"github.com/collegium/collegium/internal/errs"
	"github.com/collegium/collegium/internal/pg"
	"github.com/collegium/collegium/internal/viewer"
)

// The reasons why a code is asked for, or not taken. Both say that the password is
// right.
var (
	// ErrTOTPRequired says that the account has a second factor.
	ErrTOTPRequired = errors.New("enter the code that your authenticator shows, or a recovery code")
	// ErrTOTPWrong says that the code is wrong, too old, or was used.
	ErrTOTPWrong = errors.New("the code is wrong or was used already; wait for the next one")
)

// RFC 6238: a code holds for 30 seconds, and one before and one after are taken, for
// clocks that are not right.
const (
	totpStep = 30
	totpSkew = 1
)

// recoveryCodes is how many recovery codes there are at the beginning.
const recoveryCodes = 10

var base32NoPad = base32.StdEncoding.WithPadding(base32.NoPadding)

// TOTP is the secret from which codes follow, as authenticators take it.
type TOTP struct{ Secret, URI string }

// BeginTOTP makes a secret for who proves who they are. Codes are asked for once
// ConfirmTOTP was given one. issuer is what authenticators call the service.
// errs.Conflict if the account has a second factor already, ErrNoSecretKey if there is
// nothing to seal the secret by.
func (s *Store) BeginTOTP(ctx context.Context, v viewer.Viewer, p Proof, issuer string) (_ *TOTP, err error) {
	defer errs.Wrap(&err, "identity.BeginTOTP")
	if s.Seal == nil {
		return nil, ErrNoSecretKey
	}
	account := v.Account
	email, err := s.prove(ctx, v, p)
	if err != nil {
		return nil, err
	}
	var b [20]byte // 160 bits, as long as the hash (RFC 4226, section 4)
	_, _ = rand.Read(b[:])
	secret := base32NoPad.EncodeToString(b[:])
	sealed, err := s.Seal.seal(account, b[:])
	if err != nil {
		return nil, err
	}
	_, err = pg.Scalar[uuid.UUID](ctx, s.DB, `
		INSERT INTO account_totp AS t (account_id, sealed)
		VALUES (@account, @sealed)
		ON CONFLICT (account_id) DO UPDATE SET secret = NULL, sealed = excluded.sealed, last_step = 0, created_at = now()
		WHERE t.confirmed_at IS NULL
		RETURNING account_id`,
		pgx.StrictNamedArgs{"account": account, "sealed": sealed})
	if errors.Is(err, errs.NotFound) {
		return nil, errs.Sayf(errs.Conflict, "", "the second factor is on already; turn it off with disableTotp first")
	}
	if err != nil {
		return nil, err
	}
	uri := url.URL{Scheme: "otpauth", Host: "totp", Path: "/" + issuer + ":" + email}
	// A space is %20 here: some authenticators show a plus sign.
	uri.RawQuery = strings.ReplaceAll(url.Values{"secret": {secret}, "issuer": {issuer}}.Encode(), "+", "%20")
	return &TOTP{Secret: secret, URI: uri.String()}, nil
}

// ConfirmTOTP turns the second factor on for who shows a code of the new secret. It
// ends all sessions of the account and returns a new one, and the recovery codes,
// which nobody can read again. ErrTOTPWrong if the code is not right; errs.Conflict if
// there is nothing to confirm.
func (s *Store) ConfirmTOTP(ctx context.Context, account uuid.UUID, code string) (session *Session, codes []string, err error) {
	defer errs.Wrap(&err, "identity.ConfirmTOTP")
	if err := s.begin(ctx, ownAttempt(account)); err != nil {
		return nil, nil, err
	}
	err = pgx.BeginFunc(ctx, s.DB, func(tx pgx.Tx) error {
		step, err := s.step(ctx, tx, account, code, false)
		if err != nil {
			return err
		}
		_, err = tx.Exec(ctx, `UPDATE account_totp SET confirmed_at = now(), last_step = @step WHERE account_id = @account`,
			pgx.StrictNamedArgs{"account": account, "step": step})
		if err != nil {
			return err
		}
		codes = make([]string, recoveryCodes)
		hashes := make([][]byte, recoveryCodes)
		for i := range codes {
			codes[i] = newRecoveryCode()
			hashes[i] = recoveryHash(account, codes[i])
		}
		_, err = tx.Exec(ctx, `
			WITH old AS (
				DELETE FROM account_recovery_codes WHERE account_id = @account
			)
			INSERT INTO account_recovery_codes (code_sha256, account_id)
			SELECT h, @account
			FROM unnest(@hashes::bytea[]) AS h`,
			pgx.StrictNamedArgs{"account": account, "hashes": hashes})
		if err != nil {
			return err
		}
		if err := s.tell(ctx, tx, account, totpOn); err != nil {
			return err
		}
		session, err = s.reopen(ctx, tx, account)
		return err
	})
	if err == nil {
		err = s.succeed(ctx, s.DB, ownAttempt(account))
	}
	return session, codes, err
}

// DisableTOTP turns the second factor off for who proves who they are, by a code too. It
// ends all sessions of the account and returns a new one.
func (s *Store) DisableTOTP(ctx context.Context, v viewer.Viewer, p Proof) (session *Session, err error) {
	defer errs.Wrap(&err, "identity.DisableTOTP")
	account := v.Account
	if _, err := s.prove(ctx, v, p); err != nil {
		return nil, err
	}
	err = pgx.BeginFunc(ctx, s.DB, func(tx pgx.Tx) error {
		_, err := tx.Exec(ctx, `DELETE FROM account_recovery_codes WHERE account_id = @account`, pgx.StrictNamedArgs{"account": account})
		if err != nil {
			return err
		}
		off, err := tx.Exec(ctx, `DELETE FROM account_totp WHERE account_id = @account`, pgx.StrictNamedArgs{"account": account})
		if err != nil {
			return err
		}
		if off.RowsAffected() > 0 {
			if err := s.tell(ctx, tx, account, totpOff); err != nil {
				return err
			}
		}
		session, err = s.reopen(ctx, tx, account)
		return err
	})
	return session, err
}

// useCode takes a code of the authenticator, or a recovery code, and uses it up.
func (s *Store) useCode(ctx context.Context, q pg.Querier, account uuid.UUID, code string) error {
	code = plainCode(code)
	if code == "" {
		return ErrTOTPRequired
	}
	if len(code) > 6 {
		_, err := pg.Scalar[uuid.UUID](ctx, q, `
			DELETE FROM account_recovery_codes
			WHERE code_sha256 = @code AND account_id = @account
			RETURNING account_id`,
			pgx.StrictNamedArgs{"account": account, "code": recoveryHash(account, code)})
		if errors.Is(err, errs.NotFound) {
			return ErrTOTPWrong
		}
		return err
	}
	step, err := s.step(ctx, q, account, code, true)
	if err != nil {
		return err
	}
	_, err = pg.Scalar[uuid.UUID](ctx, q, `
		UPDATE account_totp SET last_step = @step
		WHERE account_id = @account AND last_step < @step
		RETURNING account_id`,
		pgx.StrictNamedArgs{"account": account, "step": step})
	if errors.Is(err, errs.NotFound) {
		return ErrTOTPWrong // it was used at the same time
	}
	return err
}

// step returns the step of a code that was not used yet; ErrTOTPWrong if it is none.
// The secret is confirmed, or is yet to be.
func (s *Store) step(ctx context.Context, q pg.Querier, account uuid.UUID, code string, confirmed bool) (int64, error) {
	type row struct {
		storedTOTP
		LastStep int64
	}
	totp, err := pg.One[row](ctx, q, `
		SELECT
			t.account_id,
			t.secret,
			t.sealed,
			t.last_step
		FROM account_totp t
		WHERE t.account_id = @account AND (t.confirmed_at IS NOT NULL) = @confirmed`,
		pgx.StrictNamedArgs{"account": account, "confirmed": confirmed})
	if errors.Is(err, errs.NotFound) && !confirmed {
		return 0, errs.Sayf(errs.Conflict, "input.code", "there is nothing to confirm; ask for a secret with beginTotp first")
	}
	if errors.Is(err, errs.NotFound) {
		return 0, errs.Conflict // it was turned off at the same time
	}
	if err != nil {
		return 0, err
	}
	secret, err := totp.secret(s.Seal)
	if err != nil {
		return 0, err
	}
	now := s.now().Unix() / totpStep
	for step := now - totpSkew; step <= now+totpSkew; step++ {
		if step > totp.LastStep && hotp.Validate(plainCode(code), uint64(step), secret) {
			return step, nil
		}
	}
	return 0, ErrTOTPWrong
}

// plainCode returns a code without what people write between its characters.
func plainCode(code string) string {
	return strings.Map(func(r rune) rune {
		if r == ' ' || r == '-' {
			return -1
		}
		return r
	}, strings.ToUpper(code))
}

// newRecoveryCode returns 80 random bits in four groups of four characters.
func newRecoveryCode() string {
	var b [10]byte
	_, _ = rand.Read(b[:])
	return strings.Join(slices.Collect(chunks(base32NoPad.EncodeToString(b[:]), 4)), "-")
}

func chunks(s string, n int) func(func(string) bool) {
	return func(yield func(string) bool) {
		for len(s) > 0 {
			k := min(n, len(s))
			if !yield(s[:k]) {
				return
			}
			s = s[k:]
		}
	}
}

func recoveryHash(account uuid.UUID, code string) []byte {
	sum := sha256.Sum256([]byte("recovery:" + account.String() + ":" + plainCode(code)))
	return sum[:]
}

// reopen begins a session in the epoch that the account has now.
func (s *Store) reopen(ctx context.Context, q pg.Querier, account uuid.UUID) (*Session, error) {
	epoch, err := pg.Scalar[int](ctx, q, `SELECT a.epoch FROM accounts a WHERE a.id = @id`, pgx.StrictNamedArgs{"id": account})
	if err != nil {
		return nil, err
	}
	return s.open(ctx, q, account, epoch)
}
