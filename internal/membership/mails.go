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
	// eventMail is about what happened to a membership.
	eventMail mailKind = "event"
)

// MailArgs is the job of one mail. It names nobody: what the mail says, and to whom it
// goes, is read when it is sent.
type MailArgs struct {
	Mail        mailKind  `json:"mail"`
	Application uuid.UUID `json:"application,omitzero"`
	Event       int64     `json:"event,omitzero"`
}

// Kind names the job in the queue.
func (MailArgs) Kind() string { return "membership_mail" }

// enqueue has a mail sent once the transaction is committed.
func (s *Store) enqueue(ctx context.Context, tx pgx.Tx, m MailArgs) error {
	_, err := s.Jobs.InsertTx(ctx, tx, m, &river.InsertOpts{MaxAttempts: 10})
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
	if job.Args.Mail == eventMail {
		return w.tellOfEvent(ctx, job.Args.Event)
	}
	type row struct {
		Email    string
		Reason   *string
		Number   *string
		StartsOn *string
		EndsOn   *string
	}
	to, err := pg.One[row](ctx, w.DB, `
		SELECT
			a.email,
			ap.reason,
			m.key AS number,
			CASE WHEN p.starts_on > CURRENT_DATE THEN to_char(p.starts_on, 'FMDD FMMonth YYYY') END AS starts_on,
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
		m.Text = fmt.Sprintf("You are a member of %s now.", body)
		if to.StartsOn != nil {
			m.Text = fmt.Sprintf("Your application is accepted: you are a member of %s from %s on.", body, *to.StartsOn)
		}
		m.Text += fmt.Sprintf("\n\nYour membership number is %s.", *to.Number)
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

// tellOfEvent tells a member who has an account of a suspension, of its end, of the end of
// the membership, or that it is withdrawn.
func (w *MailWorker) tellOfEvent(ctx context.Context, event int64) error {
	type row struct {
		Email  string
		Kind   EventKind
		On     string
		Reason *string
	}
	to, err := pg.One[row](ctx, w.DB, `
		SELECT a.email, ev.kind, to_char(ev.happened_on, 'FMDD FMMonth YYYY') AS on, ev.reason
		FROM membership_events ev
		JOIN accounts a ON a.member_id = ev.member_id
		WHERE ev.id = @event`,
		pgx.StrictNamedArgs{"event": event})
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
	m := mail.Message{To: to.Email, Subject: "Your membership of " + body}
	switch {
	case to.Kind == SuspendedEvent && to.Reason != nil:
		m.Text = fmt.Sprintf("Your membership of %s is suspended from %s on:\n\n%s\n\nUntil that ends you have no rights of a member. You can sign in, and see your record.\n", body, to.On, *to.Reason)
	case to.Kind == ReinstatedEvent:
		m.Text = fmt.Sprintf("Your membership of %s is suspended no more from %s on.\n", body, to.On)
	case to.Kind == EventKind(Resigned), to.Kind == EventKind(Removed):
		m.Text = fmt.Sprintf("Your membership of %s ends. Its last day is %s.\n\n", body, to.On)
		if to.Reason != nil {
			m.Text += *to.Reason + "\n\n"
		}
		m.Text += "You can still sign in, and see your record. If you don't know why, write to the membership office.\n"
	case to.Kind == EndWithdrawnEvent && to.Reason != nil:
		m.Text = fmt.Sprintf("The end of your membership of %s on %s is withdrawn:\n\n%s\n\nYour membership is what it was before. Posts and sections that ended with it stay ended; you can join sections again.\n", body, to.On, *to.Reason)
	default:
		return nil
	}
	return w.Sender.Send(ctx, m)
}
