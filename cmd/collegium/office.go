package main

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"net"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/riverqueue/river"

	"github.com/collegium/collegium/internal/identity"
	"github.com/collegium/collegium/internal/mail"
	"github.com/collegium/collegium/internal/membership"
	"github.com/collegium/collegium/internal/pg"
	"github.com/collegium/collegium/internal/pg/pgembed"
	"github.com/collegium/collegium/internal/privacy"
	"github.com/collegium/collegium/internal/server"
)

// office is what works behind the graph: the accounts, and the jobs that write to
// people.
type office struct {
	accounts *identity.Store
	jobs     *pg.Queue
	sender   *mail.Sender
}

// openOffice opens it. Jobs run once they are started.
func (c *serveCmd) openOffice(ctx context.Context, db *database, public *url.URL, log *slog.Logger) (*office, error) {
	target := c.Mail
	if target == "" {
		dir, err := c.folder(db)
		if err != nil {
			return nil, err
		}
		target = filepath.Join(dir, "mail")
		if db.embedded == nil {
			log.Warn("no mail server is set; messages are written to a folder", "folder", target)
		}
	}
	sender, err := mail.NewSender(c.MailFrom, target)
	if err != nil {
		return nil, &usageError{err}
	}
	page := public.JoinPath("account")
	if c.MailPage != "" {
		if page, err = url.Parse(c.MailPage); err != nil || page.Host == "" || page.Fragment != "" {
			return nil, &usageError{fmt.Errorf("--mail-page: %q is no address of a page; give it as https://www.example.org/welcome", c.MailPage)}
		}
	}
	o := &office{sender: sender, accounts: accountsOf(db.pool)}
	if o.accounts.Seal, err = c.seal(db); err != nil {
		return nil, err
	}
	if err := sealSecrets(ctx, o.accounts, log); err != nil {
		return nil, err
	}
	workers := river.NewWorkers()
	river.AddWorker(workers, &identity.MailWorker{Store: o.accounts, Sender: sender, Page: page, Body: bodyName(db.pool)})
	river.AddWorker(workers, &membership.MailWorker{DB: db.pool, Sender: sender, Body: bodyName(db.pool)})
	river.AddWorker(workers, &privacy.SweepWorker{Store: &privacy.Store{DB: db.pool, Own: db.pool, Log: log}})
	if o.jobs, err = pg.OpenQueue(db.pool, workers, slog.New(quiet{log.Handler()})); err != nil {
		return nil, err
	}
	o.accounts.Jobs = o.jobs
	privacy.Schedule(o.jobs)
	return o, nil
}

// accountsOf returns the accounts of a database.
func accountsOf(db *pgxpool.Pool) *identity.Store {
	return &identity.Store{DB: pg.Acting{Pool: db}, Passwords: &identity.Passwords{}}
}

// bodyName returns what asks for the name of the body, as mails are signed.
func bodyName(db *pgxpool.Pool) func(context.Context) (string, error) {
	return func(ctx context.Context) (string, error) {
		return pg.Scalar[string](ctx, db, `SELECT COALESCE((SELECT o.name FROM organisation o LIMIT 1), 'Collegium')`)
	}
}

// quiet passes warnings and errors on: the queue tells of its every start and stop.
type quiet struct{ slog.Handler }

func (q quiet) Enabled(ctx context.Context, l slog.Level) bool {
	return l >= slog.LevelWarn && q.Handler.Enabled(ctx, l)
}

// close ends the jobs. What did not finish in time runs again later.
func (o *office) close() {
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
	defer cancel()
	_ = o.jobs.StopAndCancel(ctx)
}

// newestMails is how many messages the page /mail shows.
const newestMails = 50

// mails returns the messages that were written instead of sent.
func (o *office) mails() ([]server.Mail, error) {
	written, err := o.sender.Written(newestMails)
	if err != nil {
		return nil, err
	}
	mails := make([]server.Mail, len(written))
	for i, m := range written {
		mails[i] = server.Mail{To: m.To, Subject: m.Subject, At: m.At, Lines: strings.Split(m.Text, "\n")}
	}
	return mails, nil
}

// folder is where files of this service stand: beside the data of the private
// PostgreSQL, and where those would be if the database is elsewhere.
func (c *serveCmd) folder(db *database) (string, error) {
	if db.embedded != nil {
		return db.embedded.DataDir(), nil
	}
	return pgembed.DefaultDataDir()
}

// publicURL returns the address under which people reach the server.
func publicURL(given string, listener net.Listener) (*url.URL, error) {
	if given == "" {
		host, port, err := net.SplitHostPort(listener.Addr().String())
		if err != nil {
			return nil, err
		}
		// Browsers know no passkeys of a bare address.
		if ip := net.ParseIP(host); ip != nil && (ip.IsUnspecified() || ip.IsLoopback()) {
			host = "localhost"
		}
		return &url.URL{Scheme: "http", Host: net.JoinHostPort(host, port)}, nil
	}
	u, err := url.Parse(given)
	if err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Host == "" || u.User != nil || strings.Trim(u.Path, "/") != "" || u.RawQuery != "" || u.Fragment != "" {
		return nil, fmt.Errorf("--public-url: %q is no address of a server; give it as https://graph.example.org", given)
	}
	u.Path = ""
	return u, nil
}

// demoSignIns makes accounts for each role of a demo body that has none, and says
// how to sign in. The password is one of this folder alone.
func (c *serveCmd) demoSignIns(ctx context.Context, s streams, db *database, accounts *identity.Store) error {
	if db.embedded == nil || c.Demo == "no" {
		return nil
	}
	file := filepath.Join(db.embedded.DataDir(), "demo-sign-ins.txt")
	none, err := pg.Scalar[bool](ctx, db.pool, `SELECT NOT EXISTS (SELECT FROM accounts)`)
	if err != nil {
		return err
	}
	if none {
		password := strings.ToLower(rand.Text()[:16])
		made, partner, err := accounts.CreateDemo(ctx, password)
		if err != nil {
			return err
		}
		var text strings.Builder
		for _, d := range made {
			fmt.Fprintf(&text, "  %-20s %s\n", d.Who, d.Email)
		}
		fmt.Fprintf(&text, "  %-20s %s\n", "password of all", password)
		fmt.Fprintf(&text, "or ask with the key of the partner %s: %s\n", partner.Name, partner.Secret)
		if err := os.WriteFile(file, []byte(text.String()), 0o600); err != nil {
			return err
		}
	}
	text, err := os.ReadFile(file)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil // accounts of somebody's own
	case err != nil:
		return err
	}
	fmt.Fprintf(s.err, "sign in to the demo body by the mutation signIn as\n%s", text)
	return nil
}
