package identity

import (
	"context"
	"errors"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"github.com/collegium/collegium/internal/errs"
	"github.com/collegium/collegium/internal/pg"
)

// SessionLifetime is how long somebody stays signed in.
const SessionLifetime = 14 * 24 * time.Hour

// Session is somebody signed in somewhere.
type Session struct {
	ID        uuid.UUID
	AccountID uuid.UUID
	// Token proves the session. It is known only here, when the session begins.
	Token     string `db:"-"`
	ExpiresAt time.Time
}

// Signed is who is behind a session: the account with all that decides what they
// may do, as it stands now.
type Signed struct {
	Account
	SessionID uuid.UUID
	// Officer holds the sections and regions on whose committees the member serves
	// today.
	Officer []uuid.UUID
	// CurrentMember is whether the member has the rights of one today.
	CurrentMember bool
}

const accountColumns = `
	a.id,
	a.email,
	a.email_verified_at,
	a.member_id,
	a.suspended_at,
	a.created_at,
	a.has_totp,
	ARRAY(SELECT r.role FROM account_roles r WHERE r.account_id = a.id ORDER BY r.role) AS roles`

// SignIn begins a session for whoever knows an address and its password. network is
// where the attempt comes from. Its errors are those of this package; with
// ErrWrongCredentials and ErrTooManyAttempts nobody learns whether there is such an
// account, also not by the time it takes. code is that of the second factor, empty if
// there is none; if the account has one, it is ErrTOTPRequired or ErrTOTPWrong
// without the right one.
func (s *Store) SignIn(ctx context.Context, email, password, code, network string) (_ *Session, err error) {
	defer errs.Wrap(&err, "identity.SignIn")
	a := newAttempt(email, network)
	if err := s.begin(ctx, a); err != nil {
		return nil, err
	}
	type row struct {
		ID           uuid.UUID
		Epoch        int
		PasswordHash *string
		Verified     bool
		Suspended    bool
		HasTOTP      bool
	}
	account, err := pg.One[row](ctx, s.DB, `
		SELECT
			a.id,
			a.epoch,
			a.password_hash,
			a.email_verified_at IS NOT NULL AS verified,
			a.suspended_at IS NOT NULL AS suspended,
			a.has_totp
		FROM accounts a
		WHERE a.email_folded = lower(@email COLLATE "und-x-icu")`,
		pgx.StrictNamedArgs{"email": fold(email)})
	if errors.Is(err, errs.NotFound) {
		account = &row{}
	} else if err != nil {
		return nil, err
	}
	ok, err := s.Passwords.matches(ctx, password, account.PasswordHash)
	switch {
	case err != nil:
		return nil, err
	case !ok:
		return nil, ErrWrongCredentials
	case account.Suspended:
		return nil, ErrSuspended
	case !account.Verified:
		return nil, ErrNotVerified
	}
	if account.HasTOTP {
		if err := s.useCode(ctx, s.DB, account.ID, code); err != nil {
			return nil, err
		}
	}
	if err := s.succeed(ctx, s.DB, a); err != nil {
		return nil, err
	}
	return s.open(ctx, s.DB, account.ID, account.Epoch)
}

// open begins a session of an account in its epoch. If the epoch has passed since
// it was read, the session is over before it begins.
func (s *Store) open(ctx context.Context, q pg.Querier, account uuid.UUID, epoch int) (*Session, error) {
	session := &Session{ID: newID(), AccountID: account, Token: newToken()}
	var err error
	session.ExpiresAt, err = pg.Scalar[time.Time](ctx, q, `
		INSERT INTO sessions (id, token_sha256, account_id, epoch, expires_at)
		VALUES (@id, @token, @account, @epoch, now() + @lifetime::interval)
		RETURNING expires_at`,
		pgx.StrictNamedArgs{
			"id": session.ID, "token": hashOf(session.Token), "account": account, "epoch": epoch, "lifetime": SessionLifetime,
		})
	return session, err
}

// Signed returns who is behind the token of a session. errs.Unauthenticated if
// nobody is, or not any more: it has ended, or something ended all sessions of the
// account.
func (s *Store) Signed(ctx context.Context, token string) (_ *Signed, err error) {
	defer errs.Wrap(&err, "identity.Signed")
	signed, err := pg.One[Signed](ctx, s.DB, `
		SELECT`+accountColumns+`,
			s.id AS session_id,
			ARRAY(
				SELECT DISTINCT c.unit_id
				FROM terms t
				JOIN posts p ON p.id = t.post_id
				JOIN committees c ON c.id = p.committee_id
				WHERE t.member_id = a.member_id
					AND c.unit_id IS NOT NULL
					AND t.starts_on <= CURRENT_DATE
					AND (t.ends_on IS NULL OR t.ends_on >= CURRENT_DATE)
			) AS officer,
			EXISTS (
				SELECT FROM membership_statuses(CURRENT_DATE) m
				WHERE m.member_id = a.member_id AND m.status IN ('CURRENT', 'GRACE')
			) AS current_member
		FROM sessions s
		JOIN accounts a ON a.id = s.account_id AND a.epoch = s.epoch
		WHERE s.token_sha256 = @token AND s.expires_at > now() AND a.suspended_at IS NULL`,
		pgx.StrictNamedArgs{"token": hashOf(token)})
	if errors.Is(err, errs.NotFound) {
		return nil, errs.Unauthenticated
	}
	return signed, err
}

// SignOut ends one session. Ending one that has ended is no error.
func (s *Store) SignOut(ctx context.Context, session uuid.UUID) (err error) {
	defer errs.Wrap(&err, "identity.SignOut")
	_, err = s.DB.Exec(ctx, `DELETE FROM sessions WHERE id = @id`, pgx.StrictNamedArgs{"id": session})
	return err
}

// SignOutEverywhere ends all sessions of an account, and the links that were mailed
// to it.
func (s *Store) SignOutEverywhere(ctx context.Context, account uuid.UUID) (err error) {
	defer errs.Wrap(&err, "identity.SignOutEverywhere")
	_, err = s.DB.Exec(ctx, `UPDATE accounts SET epoch = epoch + 1 WHERE id = @id`, pgx.StrictNamedArgs{"id": account})
	return err
}

// newID returns a UUIDv7 (RFC 9562 section 5.7).
func newID() uuid.UUID { return uuid.Must(uuid.NewV7()) }
