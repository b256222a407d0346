package identity

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"strings"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/riverqueue/river"

	"github.com/collegium/collegium/internal/errs"
	"github.com/collegium/collegium/internal/mail"
	"github.com/collegium/collegium/internal/pg"
)

// mailKind is what a mail is about.
type mailKind string

const (
	joinMail  mailKind = "join"
	resetMail mailKind = "reset"

	addressMail    mailKind = "address"
	addressChanged mailKind = "address_changed"

	passwordChanged mailKind = "password_changed"
	totpOn          mailKind = "totp_on"
	totpOff         mailKind = "totp_off"
	passkeyAdded    mailKind = "passkey_added"
	passkeyRemoved  mailKind = "passkey_removed"
	erasureAsked    mailKind = "erasure_asked"
)

// notices are what the mails say that only tell what was done.
var notices = map[mailKind]string{
	passwordChanged: "The password of your account was changed.",
	totpOn:          "A code of an authenticator is asked for from now on when you sign in by your password.",
	totpOff:         "No code of an authenticator is asked for any more when you sign in by your password.",
	passkeyAdded:    "A passkey was added to your account.",
	passkeyRemoved:  "A passkey was removed from your account.",
	erasureAsked:    "You are to be erased: you, or the membership office, asked for it. It waits first, and can be taken back as long as it waits.",
}

// tell has a mail sent about what was done to an account, with the transaction that does
// it. An address that nobody has proved is told nothing: it may be anybody's.
func (s *Store) tell(ctx context.Context, tx pgx.Tx, account uuid.UUID, what mailKind) error {
	if s.Jobs == nil {
		return nil
	}
	email, err := pg.Scalar[string](ctx, tx, `SELECT a.email FROM accounts a WHERE a.id = @id AND a.email_verified_at IS NOT NULL`,
		pgx.StrictNamedArgs{"id": account})
	if errors.Is(err, errs.NotFound) {
		return nil
	}
	if err != nil {
		return err
	}
	_, err = s.Jobs.InsertTx(ctx, tx, MailArgs{Mail: what, Email: email}, &river.InsertOpts{MaxAttempts: 10})
	return err
}

// TellErasure has a mail sent about a request to erase who has an account, with the
// transaction that writes the request.
func (s *Store) TellErasure(ctx context.Context, tx pgx.Tx, account uuid.UUID) (err error) {
	defer errs.Wrap(&err, "identity.TellErasure")
	return s.tell(ctx, tx, account, erasureAsked)
}

// MailArgs is the job of one mail. It holds no secret: the link is made when the
// mail is sent.
type MailArgs struct {
	Mail  mailKind `json:"mail"`
	Email string   `json:"email"`
	// Application is what the link is for, if somebody joins.
	Application *Application `json:"application,omitempty"`
	// Account is whose address changes, if the mail is about that.
	Account *uuid.UUID `json:"account,omitempty"`
}

// Kind names the job in the queue.
func (MailArgs) Kind() string { return "account_mail" }

// MailWorker sends the mails of accounts.
type MailWorker struct {
	river.WorkerDefaults[MailArgs]
	Store  *Store
	Sender *mail.Sender
	// Body is the name of the professional body, as mails sign it.
	Body func(context.Context) (string, error)
	// Page is the address of the page that a link leads to; the token comes after "#",
	// which no server gets to see.
	Page *url.URL
}

// Work sends one mail.
func (w *MailWorker) Work(ctx context.Context, job *river.Job[MailArgs]) error {
	if job.Args.Application != nil {
		if err := w.Store.prepare(ctx, job.Args.Application.Email); err != nil {
			return err
		}
	}
	if job.Args.Account != nil {
		body, err := w.Body(ctx)
		if err != nil {
			return err
		}
		return w.aboutAddress(ctx, job.Args, body)
	}
	account, err := w.Store.accountFor(ctx, job.Args.Email)
	notice := notices[job.Args.Mail]
	if errors.Is(err, errs.NotFound) || err == nil && account.Suspended && notice == "" {
		return nil
	}
	if err != nil {
		return err
	}
	body, err := w.Body(ctx)
	if err != nil {
		return err
	}
	m := mail.Message{To: account.Email}
	if notice != "" {
		m.Subject = "Your account with " + body
		m.Text = fmt.Sprintf("%s\n\nIf you know of it, there is nothing to do. If it wasn't you, ask for a new password at once, "+
			"which signs everybody out, and write to the membership office.\n\n%s\n", notice, body)
		return w.Sender.Send(ctx, m)
	}
	if job.Args.Mail == joinMail && account.Verified {
		m.Subject = "You already have an account with " + body
		m.Text = fmt.Sprintf("Somebody, perhaps you, applied to join %s with this address.\n\n"+
			"The address has an account already. Sign in with it; if you forgot the password, ask for a new one. "+
			"If you are no member, you can apply once you are signed in.\n\n"+
			"If it wasn't you, there is nothing to do.\n", body)
		return w.Sender.Send(ctx, m)
	}
	token, err := w.Store.link(ctx, account.ID, job.Args.Application)
	if err != nil {
		return err
	}
	link := w.page(url.Values{"token": {token}})
	if account.Verified {
		m.Subject = "A new password for " + body
		m.Text = fmt.Sprintf("Somebody, perhaps you, asked for a new password at %s.\n\n"+
			"Choose it here:\n\n%s\n\n%s If it wasn't you, there is nothing to do.\n", body, link, linkWorks)
	} else {
		m.Subject = "Confirm your address for " + body
		why := "Somebody, perhaps you, made an account for you at " + body + "."
		if job.Args.Mail == joinMail {
			a := job.Args.Application
			why = fmt.Sprintf("Somebody, perhaps you, applied to join %s with this address, for the name “%s” and the grade “%s”. "+
				"That is what you apply for if you confirm.", body, a.DisplayName, strings.ToLower(strings.ReplaceAll(a.Grade, "_", " ")))
		}
		m.Text = fmt.Sprintf("%s\n\n"+
			"Confirm your address and choose a password here:\n\n%s\n\n%s If it wasn't you, there is nothing to do.\n", why, link, linkWorks)
	}
	return w.Sender.Send(ctx, m)
}

var linkWorks = fmt.Sprintf("The link works once, for %.0f hours.", LinkLifetime.Hours())

// page is the address of the page with what it is told.
func (w *MailWorker) page(told url.Values) string {
	link := *w.Page
	link.Fragment = told.Encode()
	return link.String()
}
