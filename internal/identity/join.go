package identity

import (
	"context"
	"errors"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/riverqueue/river"

	"github.com/collegium/collegium/internal/errs"
	"github.com/collegium/collegium/internal/person"
	"github.com/collegium/collegium/internal/pg"
)

// Application is what somebody who wants to become a member tells of themselves.
type Application struct {
	Email       string
	DisplayName string
	Grade       string
}

// Join takes an application and mails a link to the address. Whoever asks learns
// nothing about the address: if it has an account already, the account stays as it
// is and the mail says so. network is where the request comes from.
//
// An account gets its password by the link and not before, so nobody can prepare an
// account for an address of somebody else.
func (s *Store) Join(ctx context.Context, a Application, network string) (err error) {
	defer errs.Wrap(&err, "identity.Join")
	if a.Email, err = person.Email("input.email", a.Email); err != nil {
		return err
	}
	if a.DisplayName, err = person.Name("input.displayName", a.DisplayName); err != nil {
		return err
	}
	if err := s.begin(ctx, newAttempt("join:"+a.Email, "join:"+network)); err != nil {
		return err
	}
	// Nothing of it is written before the job runs: whether there is an account must not
	// show in the time that this takes.
	return s.enqueue(ctx, MailArgs{Mail: joinMail, Email: a.Email, Application: &a})
}

// apply writes an application. One that was never confirmed may be written anew by its
// author, and by nobody who has an account.
func (s *Store) apply(ctx context.Context, a *Application) error {
	_, err := s.DB.Exec(ctx, `
		WITH account AS (
			INSERT INTO accounts (id, email)
			VALUES (@account, @email)
			ON CONFLICT (email_folded) DO UPDATE SET email = excluded.email
			WHERE accounts.email_verified_at IS NULL AND accounts.password_hash IS NULL
			RETURNING id
		)
		INSERT INTO membership_applications AS m (id, account_id, display_name, grade)
		SELECT @id, account.id, @name, @grade
		FROM account
		ON CONFLICT (account_id) WHERE decision IS NULL DO UPDATE SET
			display_name = excluded.display_name,
			grade = excluded.grade,
			submitted_at = now()`,
		pgx.StrictNamedArgs{
			"account": newID(), "email": a.Email, "id": newID(), "name": a.DisplayName, "grade": a.Grade,
		})
	return err
}

// RequestReset mails a link for a new password, if the address has an account.
// Whoever asks doesn't learn whether it has.
func (s *Store) RequestReset(ctx context.Context, email, network string) (err error) {
	defer errs.Wrap(&err, "identity.RequestReset")
	if email, err = person.Email("input.email", email); err != nil {
		return err
	}
	if err := s.begin(ctx, newAttempt("reset:"+email, "reset:"+network)); err != nil {
		return err
	}
	return s.enqueue(ctx, MailArgs{Mail: resetMail, Email: email})
}

// SetPassword follows a mailed link: it proves that the address is the person's,
// sets the password, ends whatever was signed in before, and signs in. A link works
// once; one that doesn't is ErrLinkEnded, and a password that is refused doesn't
// use it up.
func (s *Store) SetPassword(ctx context.Context, token, password string) (session *Session, err error) {
	defer errs.Wrap(&err, "identity.SetPassword")
	err = pgx.BeginFunc(ctx, s.DB, func(tx pgx.Tx) error {
		id, err := s.follow(ctx, tx, token)
		if err != nil {
			return err
		}
		email, err := pg.Scalar[string](ctx, tx, `SELECT a.email FROM accounts a WHERE a.id = @id FOR UPDATE`, pgx.StrictNamedArgs{"id": id})
		if err != nil {
			return err
		}
		if err := checkPassword("input.password", password, email); err != nil {
			return err
		}
		hash, err := s.Passwords.hash(ctx, password)
		if err != nil {
			return err
		}
		epoch, err := pg.Scalar[int](ctx, tx, `
			UPDATE accounts SET password_hash = @hash, email_verified_at = COALESCE(email_verified_at, now())
			WHERE id = @id
			RETURNING epoch`,
			pgx.StrictNamedArgs{"id": id, "hash": hash})
		if err != nil {
			return err
		}
		// Who has the mailbox is not locked out by others' attempts.
		a := newAttempt(email, "")
		if err := s.succeed(ctx, tx, a); err != nil {
			return err
		}
		session, err = s.open(ctx, tx, id, epoch)
		return err
	})
	return session, err
}

// enqueue has a mail sent. Every request writes one job, whether the address has an
// account or not: what the mail says, and whether there is one, is decided when it is
// sent.
func (s *Store) enqueue(ctx context.Context, args MailArgs) error {
	return pgx.BeginFunc(ctx, s.DB, func(tx pgx.Tx) error {
		_, err := s.Jobs.InsertTx(ctx, tx, args, &river.InsertOpts{MaxAttempts: 10})
		return err
	})
}

// accountFor returns the account that a mail is for.
func (s *Store) accountFor(ctx context.Context, email string) (*mailAccount, error) {
	return pg.One[mailAccount](ctx, s.DB, `
		SELECT
			a.id,
			a.email,
			a.email_verified_at IS NOT NULL AS verified,
			a.suspended_at IS NOT NULL AS suspended
		FROM accounts a
		WHERE a.email_folded = lower(@email COLLATE "und-x-icu")`,
		pgx.StrictNamedArgs{"email": fold(email)})
}

type mailAccount struct {
	ID        uuid.UUID
	Email     string
	Verified  bool
	Suspended bool
}

// link makes a link of an account and returns its token, which is mailed.
func (s *Store) link(ctx context.Context, account uuid.UUID) (string, error) {
	token := newToken()
	_, err := s.DB.Exec(ctx, `
		INSERT INTO account_links (token_sha256, account_id, epoch, expires_at)
		SELECT @token, a.id, a.epoch, now() + @lifetime::interval
		FROM accounts a
		WHERE a.id = @account`,
		pgx.StrictNamedArgs{"token": hashOf(token), "account": account, "lifetime": LinkLifetime})
	return token, err
}

// follow uses up a link and returns whose it is; ErrLinkEnded if it doesn't work.
func (s *Store) follow(ctx context.Context, q pg.Querier, token string) (uuid.UUID, error) {
	id, err := pg.Scalar[uuid.UUID](ctx, q, `
		DELETE FROM account_links l
		USING accounts a
		WHERE l.token_sha256 = @token
			AND l.expires_at > now()
			AND a.id = l.account_id
			AND a.epoch = l.epoch
			AND a.suspended_at IS NULL
		RETURNING a.id`,
		pgx.StrictNamedArgs{"token": hashOf(token)})
	if errors.Is(err, errs.NotFound) {
		return id, ErrLinkEnded
	}
	return id, err
}
