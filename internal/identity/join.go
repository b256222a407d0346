package identity

import (
	"context"
	"errors"
	"strings"

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
// What is applied for belongs to the link: who follows it applies as its mail says, and
// what somebody else told under the same address is not looked at.
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
	if strings.ContainsAny(a.DisplayName, "/:@<>") {
		// It stands in a mail to an address that may be anybody's.
		return errs.Invalidf("input.displayName", "a name is no address; leave out / : @ < >")
	}
	if err := s.begin(ctx, newAttempt("join:"+a.Email, "join:"+network)); err != nil {
		return err
	}
	// Nothing of it is written before the job runs: whether there is an account must not
	// show in the time that this takes.
	return s.enqueue(ctx, MailArgs{Mail: joinMail, Email: a.Email, Application: &a})
}

// prepare makes an account for an address that has none. Nobody can sign in to it before
// a link is followed.
func (s *Store) prepare(ctx context.Context, email string) error {
	_, err := s.DB.Exec(ctx, `
		INSERT INTO accounts (id, email)
		VALUES (@account, @email)
		ON CONFLICT (email_folded) DO NOTHING`,
		pgx.StrictNamedArgs{"account": newID(), "email": email})
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
// sets the password, ends whatever was signed in before, and signs in. If the link is
// that of an application, the application is made. A link works once; one that doesn't
// is ErrLinkEnded. A password that is refused doesn't use it up, nor does a code.
//
// Who has the mailbox has one factor. If the account has a second, code is asked for as
// in SignIn: ErrTOTPRequired or ErrTOTPWrong without the right one, which only who has a
// link gets to see.
func (s *Store) SetPassword(ctx context.Context, token, password, code string) (session *Session, err error) {
	defer errs.Wrap(&err, "identity.SetPassword")
	type row struct {
		ID       uuid.UUID
		Email    string
		Verified bool
		HasTOTP  bool
	}
	a, err := pg.One[row](ctx, s.DB, `
		SELECT
			a.id,
			a.email,
			a.email_verified_at IS NOT NULL AS verified,
			a.has_totp
		FROM account_links l
		JOIN accounts a ON a.id = l.account_id AND a.epoch = l.epoch
		WHERE l.token_sha256 = @token AND l.expires_at > now() AND l.email IS NULL AND a.suspended_at IS NULL`,
		pgx.StrictNamedArgs{"token": hashOf(token)})
	if errors.Is(err, errs.NotFound) {
		return nil, ErrLinkEnded
	}
	if err != nil {
		return nil, err
	}
	if err := checkPassword("input.password", password, a.Email); err != nil {
		return nil, err
	}
	if a.HasTOTP {
		if err := s.beginCode(ctx, a.ID, code); err != nil {
			return nil, err
		}
	}
	hash, err := s.Passwords.hash(ctx, password)
	if err != nil {
		return nil, err
	}
	err = pgx.BeginFunc(ctx, s.DB, func(tx pgx.Tx) error {
		// With another address, or a second factor that is turned on, the epoch passes: what
		// was read before still holds if the link does.
		l, err := s.follow(ctx, tx, token, toPassword)
		if err != nil {
			return err
		}
		if a.HasTOTP {
			if err := s.useCode(ctx, tx, a.ID, code); err != nil {
				return err
			}
		}
		epoch, err := pg.Scalar[int](ctx, tx, `
			UPDATE accounts SET password_hash = @hash, email_verified_at = COALESCE(email_verified_at, now())
			WHERE id = @id AND epoch = @epoch AND suspended_at IS NULL
			RETURNING epoch`,
			pgx.StrictNamedArgs{"id": a.ID, "hash": hash, "epoch": l.Epoch})
		if errors.Is(err, errs.NotFound) {
			return ErrLinkEnded // another was followed at the same time
		}
		if err != nil {
			return err
		}
		if a.Verified {
			err = s.tell(ctx, tx, a.ID, passwordChanged)
		} else if l.DisplayName != nil {
			err = s.apply(ctx, tx, l)
		}
		if err != nil {
			return err
		}
		// Who has the mailbox is not locked out by others' attempts.
		for _, done := range []attempt{newAttempt(a.Email, ""), codeAttempt(a.ID)} {
			if err := s.succeed(ctx, tx, done); err != nil {
				return err
			}
		}
		session, err = s.open(ctx, tx, a.ID, epoch)
		return err
	})
	return session, err
}

// apply makes the application of a link that was followed first of all.
func (s *Store) apply(ctx context.Context, q pg.Querier, l *followed) error {
	_, err := q.Exec(ctx, `
		INSERT INTO membership_applications AS m (id, account_id, display_name, grade)
		SELECT @id, a.id, @name, @grade
		FROM accounts a
		WHERE a.id = @account AND a.member_id IS NULL
		ON CONFLICT (account_id) WHERE decision IS NULL DO UPDATE SET
			display_name = excluded.display_name,
			grade = excluded.grade,
			submitted_at = now()`,
		pgx.StrictNamedArgs{"account": l.ID, "id": newID(), "name": l.DisplayName, "grade": l.Grade})
	return err
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

// link makes a link of an account and returns its token, which is mailed. Who follows it
// chooses a password, and applies for membership as to says, unless that is nil.
func (s *Store) link(ctx context.Context, account uuid.UUID, to *Application) (string, error) {
	var name, grade *string
	if to != nil {
		name, grade = &to.DisplayName, &to.Grade
	}
	return s.newLink(ctx, account, name, grade, nil)
}

// addressLink is link for one by which the account gets another address.
func (s *Store) addressLink(ctx context.Context, account uuid.UUID, email string) (string, error) {
	return s.newLink(ctx, account, nil, nil, &email)
}

func (s *Store) newLink(ctx context.Context, account uuid.UUID, name, grade, email *string) (string, error) {
	token := newToken()
	_, err := s.DB.Exec(ctx, `
		INSERT INTO account_links (token_sha256, account_id, epoch, expires_at, display_name, grade, email)
		SELECT @token, a.id, a.epoch, now() + @lifetime::interval, @name, @grade, @email
		FROM accounts a
		WHERE a.id = @account`,
		pgx.StrictNamedArgs{"token": hashOf(token), "account": account, "lifetime": LinkLifetime, "name": name, "grade": grade, "email": email})
	return token, err
}

// What a link is for.
const (
	toPassword = false
	toAddress  = true
)

// followed is a link that was used up.
type followed struct {
	ID    uuid.UUID
	Epoch int
	// DisplayName and Grade are those of the application, nil if it is of none.
	DisplayName, Grade *string
	// Email is the address that the account gets, Old the one that it has.
	Email *string
	Old   string
}

// follow uses up a link that is for what is asked and returns whose it is; ErrLinkEnded if
// it doesn't work.
func (s *Store) follow(ctx context.Context, q pg.Querier, token string, address bool) (*followed, error) {
	l, err := pg.One[followed](ctx, q, `
		DELETE FROM account_links l
		USING accounts a
		WHERE l.token_sha256 = @token
			AND (l.email IS NOT NULL) = @address
			AND l.expires_at > now()
			AND a.id = l.account_id
			AND a.epoch = l.epoch
			AND a.suspended_at IS NULL
		RETURNING a.id, a.epoch, l.display_name, l.grade, l.email, a.email AS old`,
		pgx.StrictNamedArgs{"token": hashOf(token), "address": address})
	if errors.Is(err, errs.NotFound) {
		return nil, ErrLinkEnded
	}
	return l, err
}
