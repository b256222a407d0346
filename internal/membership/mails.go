package membership

import (
	"context"
	"errors"
	"fmt"

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
	acceptedMail mailKind = "accepted"
	declinedMail mailKind = "declined"
)

// MailArgs is the job of one mail. It names nobody: what the mail says, and to whom it
// goes, is read when it is sent.
type MailArgs struct {
	Mail        mailKind  `json:"mail"`
	Application uuid.UUID `json:"application"`
}

// Kind names the job in the queue.
func (MailArgs) Kind() string { return "membership_mail" }

// enqueue has a mail sent once the transaction is committed.
func (s *Store) enqueue(ctx context.Context, tx pgx.Tx, k mailKind, application uuid.UUID) error {
	_, err := s.Jobs.InsertTx(ctx, tx, MailArgs{Mail: k, Application: application}, &river.InsertOpts{MaxAttempts: 10})
	return err
}

// MailWorker sends the mails about memberships.
type MailWorker struct {
	river.WorkerDefaults[MailArgs]
	DB     pg.Querier
	Sender *mail.Sender
	// Body is the name of the professional body, as mails sign it.
	Body func(context.Context) (string, error)
}

// Work sends one mail. If the account is gone meanwhile, there is nobody to tell.
func (w *MailWorker) Work(ctx context.Context, job *river.Job[MailArgs]) error {
	type row struct {
		Email  string
		Reason *string
		Number *string
		EndsOn *string
	}
	to, err := pg.One[row](ctx, w.DB, `
		SELECT
			a.email,
			ap.reason,
			m.key AS number,
			to_char(p.ends_on, 'FMDD FMMonth YYYY') AS ends_on
		FROM membership_applications ap
		JOIN accounts a ON a.id = ap.account_id
		LEFT JOIN members m ON m.id = a.member_id
		LEFT JOIN membership_periods p ON p.member_id = m.id AND p.next_on IS NULL
		WHERE ap.id = @id`,
		pgx.StrictNamedArgs{"id": job.Args.Application})
	if errors.Is(err, errs.NotFound) {
		return nil
	}
	if err != nil {
		return err
	}
	body, err := w.Body(ctx)
	if err != nil {
		return err
	}
	m := mail.Message{To: to.Email}
	switch {
	case job.Args.Mail == acceptedMail && to.Number != nil:
		m.Subject = "Welcome to " + body
		m.Text = fmt.Sprintf("You are a member of %s now.\n\nYour membership number is %s.", body, *to.Number)
		if to.EndsOn != nil { // null of who was on the register before, without a period
			m.Text += fmt.Sprintf(" Your membership runs until %s.", *to.EndsOn)
		}
		m.Text += "\n"
	case job.Args.Mail == declinedMail && to.Reason != nil:
		m.Subject = "Your application to " + body
		m.Text = fmt.Sprintf("%s could not accept your application:\n\n%s\n", body, *to.Reason)
	default:
		return nil
	}
	return w.Sender.Send(ctx, m)
}
