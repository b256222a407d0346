package identity

import (
	"context"
	"errors"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"github.com/collegium/collegium/internal/errs"
	"github.com/collegium/collegium/internal/person"
	"github.com/collegium/collegium/internal/pg"
	"github.com/collegium/collegium/internal/viewer"
)

// LinkLifetime is how long a link in a mail works.
const LinkLifetime = 24 * time.Hour

// NewAccount is an account to be made.
type NewAccount struct {
	Email string
	// Password may be empty: then the person sets one by mail, or signs in by other
	// means.
	Password string
	// Verified says that the address is known to be the person's.
	Verified bool
	MemberID *uuid.UUID
	Roles    []Role
}

// Create makes an account, for administrators and set-up. errs.Conflict if there is
// one with the address or of the member.
func (s *Store) Create(ctx context.Context, n NewAccount) (_ *Account, err error) {
	defer errs.Wrap(&err, "identity.Create")
	if n.Email, err = person.Email("email", n.Email); err != nil {
		return nil, err
	}
	var hash *string
	if n.Password != "" {
		if err := checkPassword("password", n.Password, n.Email); err != nil {
			return nil, err
		}
		h, err := s.Passwords.hash(ctx, n.Password)
		if err != nil {
			return nil, err
		}
		hash = &h
	}
	id := newID()
	_, err = s.DB.Exec(ctx, `
		WITH account AS (
			INSERT INTO accounts (id, email, email_verified_at, password_hash, member_id)
			VALUES (@id, @email, CASE WHEN @verified THEN now() END, @hash, @member)
			RETURNING id
		)
		INSERT INTO account_roles (account_id, role)
		SELECT account.id, r.role
		FROM account CROSS JOIN unnest(@roles::text[]) AS r (role)`,
		pgx.StrictNamedArgs{
			"id": id, "email": n.Email, "verified": n.Verified, "hash": hash, "member": n.MemberID, "roles": n.Roles,
		})
	if c := pg.Constraint(err); c == "accounts_email_unique" || c == "accounts_member_unique" {
		return nil, errs.Conflict
	}
	if err != nil {
		return nil, err
	}
	return s.Account(ctx, id)
}

// MemberOf returns the member with a key; errs.NotFound if there is none.
func (s *Store) MemberOf(ctx context.Context, key string) (_ uuid.UUID, err error) {
	defer errs.Wrap(&err, "identity.MemberOf")
	return pg.Scalar[uuid.UUID](ctx, s.DB, `SELECT m.id FROM members m WHERE m.key = @key`, pgx.StrictNamedArgs{"key": key})
}

// Account returns the account with the ID; errs.NotFound if there is none.
func (s *Store) Account(ctx context.Context, id uuid.UUID) (_ *Account, err error) {
	defer errs.Wrap(&err, "identity.Account(%s)", id)
	return pg.One[Account](ctx, s.DB, `
		SELECT`+accountColumns+`
		FROM accounts a
		WHERE a.id = @id`,
		pgx.StrictNamedArgs{"id": id})
}

// ChangePassword sets a new password for who is signed in and knows the current
// one. It ends all sessions of the account and returns a new one in their place. A
// wrong current password is ErrWrongCredentials and counts as an attempt: one of
// those who are signed in, so nobody else's attempts stand in the way.
func (s *Store) ChangePassword(ctx context.Context, account uuid.UUID, current, next string) (_ *Session, err error) {
	defer errs.Wrap(&err, "identity.ChangePassword")
	before, err := s.credentials(ctx, account, uuid.Nil)
	if err != nil {
		return nil, err
	}
	if err := checkPassword("input.newPassword", next, before.Email); err != nil {
		return nil, err
	}
	if err := s.check(ctx, account, before, current); err != nil {
		return nil, err
	}
	if same, err := s.Passwords.matches(ctx, next, before.PasswordHash); err != nil {
		return nil, err
	} else if same {
		return nil, errs.Invalidf("input.newPassword", "that is the password you have; choose another")
	}
	hash, err := s.Passwords.hash(ctx, next)
	if err != nil {
		return nil, err
	}
	var session *Session
	err = pgx.BeginFunc(ctx, s.DB, func(tx pgx.Tx) error {
		epoch, err := pg.Scalar[int](ctx, tx, `
			UPDATE accounts SET password_hash = @hash
			WHERE id = @id AND password_hash IS NOT DISTINCT FROM @before
			RETURNING epoch`,
			pgx.StrictNamedArgs{"id": account, "hash": hash, "before": before.PasswordHash})
		if errors.Is(err, errs.NotFound) {
			return errs.Sayf(errs.Conflict, "input.currentPassword", "the password was changed at the same time; sign in with the newer one")
		}
		if err != nil {
			return err
		}
		if err := s.tell(ctx, tx, account, passwordChanged); err != nil {
			return err
		}
		session, err = s.open(ctx, tx, account, epoch)
		return err
	})
	return session, err
}

// credentials are what somebody who is signed in is asked for again.
type credentials struct {
	Email        string
	PasswordHash *string
	HasTOTP      bool
	// Fresh says that the session began a short time ago.
	Fresh bool
}

// freshFor is how long after a sign-in somebody without a password is not asked to sign
// in again.
const freshFor = 15 * time.Minute

func (s *Store) credentials(ctx context.Context, account, session uuid.UUID) (*credentials, error) {
	return pg.One[credentials](ctx, s.DB, `
		SELECT
			a.email,
			a.password_hash,
			a.has_totp,
			EXISTS (
				SELECT FROM sessions s
				WHERE s.id = @session AND s.account_id = a.id AND s.epoch = a.epoch AND s.created_at > now() - @fresh::interval
			) AS fresh
		FROM accounts a
		WHERE a.id = @id`,
		pgx.StrictNamedArgs{"id": account, "session": session, "fresh": freshFor})
}

// check asks somebody who is signed in for the password. It is ErrWrongCredentials if
// it is another, or if there is none.
func (s *Store) check(ctx context.Context, account uuid.UUID, c *credentials, password string) error {
	a := ownAttempt(account)
	if err := s.begin(ctx, a); err != nil {
		return err
	}
	ok, err := s.Passwords.matches(ctx, password, c.PasswordHash)
	if err != nil {
		return err
	}
	if !ok {
		return errs.Sayf(ErrWrongCredentials, "input.currentPassword", "the current password is wrong")
	}
	return s.succeed(ctx, s.DB, a)
}

// Proof is what somebody who is signed in is asked for again, before something that who
// only found the session must not do.
type Proof struct {
	// Password is the current one. An account without one is asked to have signed in a
	// short time ago instead.
	Password string
	// Code is that of the second factor, if the account has one, or a recovery code.
	Code string
}

// Prove asks who is signed in to prove that it is them. It is ErrWrongCredentials,
// ErrSignInAgain, ErrTOTPRequired or ErrTOTPWrong if it isn't, and a *TooMany if it was
// tried in vain too often.
func (s *Store) Prove(ctx context.Context, v viewer.Viewer, p Proof) (err error) {
	defer errs.Wrap(&err, "identity.Prove")
	_, err = s.prove(ctx, v, p)
	return err
}

// prove is Prove for who wants the address too.
func (s *Store) prove(ctx context.Context, v viewer.Viewer, p Proof) (email string, err error) {
	c, err := s.credentials(ctx, v.Account, v.Session)
	if err != nil {
		return "", err
	}
	switch {
	case c.PasswordHash != nil:
		err = s.check(ctx, v.Account, c, p.Password)
	case !c.Fresh:
		err = ErrSignInAgain
	}
	if err == nil && c.HasTOTP {
		if err = s.beginCode(ctx, v.Account, p.Code); err == nil {
			err = s.useCode(ctx, s.DB, v.Account, p.Code)
		}
		if err == nil {
			err = s.succeed(ctx, s.DB, codeAttempt(v.Account))
		}
	}
	return c.Email, err
}

// beginCode counts a code that is about to be tried. ErrTOTPRequired if there is none,
// which is no attempt.
func (s *Store) beginCode(ctx context.Context, account uuid.UUID, code string) error {
	if plainCode(code) == "" {
		return ErrTOTPRequired
	}
	return s.begin(ctx, codeAttempt(account))
}
