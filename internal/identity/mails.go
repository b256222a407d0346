package identity

import (
	"context"
	"errors"
	"fmt"
	"net/url"

	"github.com/riverqueue/river"

	"github.com/collegium/collegium/internal/errs"
	"github.com/collegium/collegium/internal/mail"
)

// mailKind is what a mail is about.
type mailKind string

const (
	joinMail  mailKind = "join"
	resetMail mailKind = "reset"
)

// MailArgs is the job of one mail. It holds no secret: the link is made when the
// mail is sent.
type MailArgs struct {
	Mail  mailKind `json:"mail"`
	Email string   `json:"email"`
	// Application is what is written before the mail is sent, if somebody joins.
	Application *Application `json:"application,omitempty"`
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
		if err := w.Store.apply(ctx, job.Args.Application); err != nil {
			return err
		}
	}
	account, err := w.Store.accountFor(ctx, job.Args.Email)
	if errors.Is(err, errs.NotFound) || err == nil && account.Suspended {
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
	if job.Args.Mail == joinMail && account.Verified {
		m.Subject = "You already have an account with " + body
		m.Text = fmt.Sprintf("Somebody, perhaps you, applied to join %s with this address.\n\n"+
			"The address has an account already. Sign in with it; if you forgot the password, ask for a new one. "+
			"If you are no member, you can apply once you are signed in.\n\n"+
			"If it wasn't you, there is nothing to do.\n", body)
		return w.Sender.Send(ctx, m)
	}
	token, err := w.Store.link(ctx, account.ID)
	if err != nil {
		return err
	}
	link := *w.Page
	link.Fragment = "token=" + token
	hours := fmt.Sprintf("The link works once, for %.0f hours.", LinkLifetime.Hours())
	if account.Verified {
		m.Subject = "A new password for " + body
		m.Text = fmt.Sprintf("Somebody, perhaps you, asked for a new password at %s.\n\n"+
			"Choose it here:\n\n%s\n\n%s If it wasn't you, there is nothing to do.\n", body, &link, hours)
	} else {
		m.Subject = "Confirm your address for " + body
		why := "Somebody, perhaps you, made an account for you at " + body + "."
		if job.Args.Mail == joinMail {
			why = "Thank you for applying to join " + body + "."
		}
		m.Text = fmt.Sprintf("%s\n\n"+
			"Confirm your address and choose a password here:\n\n%s\n\n%s If it wasn't you, there is nothing to do.\n", why, &link, hours)
	}
	return w.Sender.Send(ctx, m)
}
