package identity

import (
	"context"
	"errors"
	"net/url"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/riverqueue/river"

	"github.com/collegium/collegium/internal/errs"
	"github.com/collegium/collegium/internal/mail"
	"github.com/collegium/collegium/internal/person"
	"github.com/collegium/collegium/internal/pg"
	"github.com/collegium/collegium/internal/viewer"
)

// ChangeEmail mails a link to an address that is to be the account's of who asks. The
// account keeps the one that it has until the link is followed: see ConfirmEmail. Whoever
// asks doesn't learn whether the address has an account. The errors are those of Prove.
func (s *Store) ChangeEmail(ctx context.Context, v viewer.Viewer, p Proof, email, network string) (err error) {
	defer errs.Wrap(&err, "identity.ChangeEmail")
	if email, err = person.Email("input.email", email); err != nil {
		return err
	}
	now, err := s.prove(ctx, v, p)
	if err != nil {
		return err
	}
	return s.askAddress(ctx, v.Account, now, email, network)
}

// ChangeEmailOf is ChangeEmail for the account of somebody who lost the mailbox and can't
// sign in, for administrators. It is errs.NotFound if there is no such account. One's own is
// changed by ChangeEmail, which asks again who it is.
func (s *Store) ChangeEmailOf(ctx context.Context, v viewer.Viewer, account uuid.UUID, email, network string) (err error) {
	defer errs.Wrap(&err, "identity.ChangeEmailOf")
	if account == v.Account {
		return errs.Invalidf("input.account", "that is your own account; change its address by changeEmail")
	}
	if email, err = person.Email("input.email", email); err != nil {
		return err
	}
	a, err := s.Account(ctx, account)
	if err != nil {
		return err
	}
	return s.askAddress(ctx, account, a.Email, email, network)
}

func (s *Store) askAddress(ctx context.Context, account uuid.UUID, now, email, network string) error {
	if fold(email) == fold(now) {
		return errs.Invalidf("input.email", "that is the address of the account; pass another")
	}
	if err := s.begin(ctx, newAttempt("email:"+account.String(), "email:"+network)); err != nil {
		return err
	}
	return s.enqueue(ctx, MailArgs{Mail: addressMail, Email: email, Account: &account})
}

// ConfirmEmail follows a link that ChangeEmail mailed: the account has the address from
// then on, to which the link went. It returns the address. All sessions of the account and
// other links end, and a mail to the address before says so. ErrLinkEnded if the link
// doesn't work, errs.Conflict if somebody else's account has the address by now.
func (s *Store) ConfirmEmail(ctx context.Context, token string) (email string, err error) {
	defer errs.Wrap(&err, "identity.ConfirmEmail")
	err = pgx.BeginFunc(ctx, s.DB, func(tx pgx.Tx) error {
		l, err := s.follow(ctx, tx, token, toAddress)
		if err != nil {
			return err
		}
		email = *l.Email
		// What somebody made by joining with an address that nobody had proved to be theirs.
		if _, err := tx.Exec(ctx, `
			DELETE FROM accounts a
			WHERE a.email_folded = lower(@email COLLATE "und-x-icu")
				AND `+placeholder, pgx.StrictNamedArgs{"email": email}); err != nil {
			return err
		}
		if _, err := tx.Exec(ctx, `UPDATE accounts SET email = @email, email_verified_at = now() WHERE id = @id`,
			pgx.StrictNamedArgs{"id": l.ID, "email": email}); err != nil {
			return err
		}
		_, err = s.Jobs.InsertTx(ctx, tx, MailArgs{Mail: addressChanged, Email: l.Old, Account: &l.ID}, &river.InsertOpts{MaxAttempts: 10})
		return err
	})
	if pg.Constraint(err) == "accounts_email_unique" {
		return "", errs.Sayf(errs.Conflict, "", "another account has the address by now; nothing was changed")
	}
	return email, err
}

// placeholder are accounts by which nobody can sign in and which are nobody's.
const placeholder = `a.email_verified_at IS NULL AND a.password_hash IS NULL AND a.member_id IS NULL
	AND NOT EXISTS (SELECT FROM account_roles r WHERE r.account_id = a.id)
	AND NOT EXISTS (SELECT FROM external_identities e WHERE e.account_id = a.id)
	AND NOT EXISTS (SELECT FROM passkeys p WHERE p.account_id = a.id)`

// aboutAddress sends the mails of ChangeEmail and ConfirmEmail.
func (w *MailWorker) aboutAddress(ctx context.Context, args MailArgs, body string) error {
	account, err := w.Store.Account(ctx, *args.Account)
	if errors.Is(err, errs.NotFound) {
		return nil
	}
	if err != nil {
		return err
	}
	m := mail.Message{To: args.Email, Subject: "Your account with " + body}
	if args.Mail == addressChanged {
		m.Text = "The address of your account is another one from now on. You sign in with that, and mail goes there.\n\n" +
			"If you know of it, there is nothing to do. If it wasn't you, write to the membership office at once.\n\n" + body + "\n"
		return w.Sender.Send(ctx, m)
	}
	if account.SuspendedAt != nil {
		return nil
	}
	taken, err := pg.Scalar[bool](ctx, w.Store.DB, `
		SELECT EXISTS (
			SELECT FROM accounts a
			WHERE a.email_folded = lower(@email COLLATE "und-x-icu") AND NOT (`+placeholder+`)
		)`, pgx.StrictNamedArgs{"email": args.Email})
	if err != nil {
		return err
	}
	if taken {
		m.Subject = "You already have an account with " + body
		m.Text = "Somebody, perhaps you, wants an account at " + body + " to have this address.\n\n" +
			"The address has an account already, so nothing was changed. Sign in with it; if you forgot the password, ask for a new one.\n\n" +
			"If it wasn't you, there is nothing to do.\n"
		return w.Sender.Send(ctx, m)
	}
	token, err := w.Store.addressLink(ctx, account.ID, args.Email)
	if err != nil {
		return err
	}
	m.Subject = "Confirm your new address for " + body
	m.Text = "Somebody, perhaps you, wants an account at " + body + " to have this address.\n\nConfirm it here:\n\n" +
		w.page(url.Values{"email": {token}}) + "\n\n" + linkWorks + " You sign in anew with this address. If it wasn't you, there is nothing to do.\n"
	return w.Sender.Send(ctx, m)
}
