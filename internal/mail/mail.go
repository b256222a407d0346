// Package mail sends messages: over SMTP, or into a folder where there is no mail
// server.
package mail

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	gomail "github.com/wneessen/go-mail"
)

// Message is a message to one person, as plain text.
type Message struct {
	To      string
	Subject string
	Text    string
}

// Sender sends messages. It is safe for concurrent use.
type Sender struct {
	from   string
	client *gomail.Client // nil: into the folder
	folder string
}

// NewSender returns a sender of messages from an address. target is the address of a
// mail server, as smtp://user:password@host:587 (STARTTLS is used, and required
// unless the host is this machine) or smtps://host:465, or a folder into which each
// message is written as a file of its own (RFC 5322).
func NewSender(from, target string) (*Sender, error) {
	if err := gomail.NewMsg().From(from); err != nil {
		return nil, fmt.Errorf("sender of mail: %q is no address; write it as name@example.org", from)
	}
	s := &Sender{from: from}
	if !strings.Contains(target, "://") {
		if target == "" {
			return nil, errors.New("mail: give the address of a mail server, or a folder")
		}
		s.folder = target
		return s, os.MkdirAll(target, 0o700)
	}
	u, err := url.Parse(target)
	if err != nil || u.Hostname() == "" || u.Scheme != "smtp" && u.Scheme != "smtps" || u.Path != "" {
		return nil, errors.New("mail: the server is given as smtp://user:password@host:587 or smtps://host:465")
	}
	options := []gomail.Option{gomail.WithTimeout(15 * time.Second)}
	switch {
	case u.Scheme == "smtps":
		options = append(options, gomail.WithSSLPort(false))
	case u.Hostname() == "localhost" || u.Hostname() == "127.0.0.1" || u.Hostname() == "::1":
		options = append(options, gomail.WithTLSPolicy(gomail.TLSOpportunistic))
	default:
		options = append(options, gomail.WithTLSPolicy(gomail.TLSMandatory))
	}
	if p := u.Port(); p != "" {
		port, err := strconv.Atoi(p)
		if err != nil {
			return nil, fmt.Errorf("mail: %q is no port", p)
		}
		options = append(options, gomail.WithPort(port))
	}
	if u.User != nil {
		password, _ := u.User.Password()
		options = append(options, gomail.WithSMTPAuth(gomail.SMTPAuthAutoDiscover),
			gomail.WithUsername(u.User.Username()), gomail.WithPassword(password))
	}
	s.client, err = gomail.NewClient(u.Hostname(), options...)
	if err != nil {
		return nil, fmt.Errorf("mail: %w", err)
	}
	return s, nil
}

// String says where messages go, without a password.
func (s *Sender) String() string {
	if s.client != nil {
		return s.client.ServerAddr()
	}
	return "the folder " + s.folder
}

// Folder is where messages are written, empty if they are sent.
func (s *Sender) Folder() string { return s.folder }

// Send sends one message. An error means that it may have to be sent again.
func (s *Sender) Send(ctx context.Context, m Message) error {
	msg := gomail.NewMsg()
	if err := errors.Join(msg.From(s.from), msg.To(m.To)); err != nil {
		return fmt.Errorf("mail: %w", err)
	}
	msg.Subject(m.Subject)
	msg.SetMessageID()
	msg.SetDate()
	msg.SetBodyString(gomail.TypeTextPlain, m.Text)
	if s.client != nil {
		if err := s.client.DialAndSendWithContext(ctx, msg); err != nil {
			return fmt.Errorf("mail: %w", err)
		}
		return nil
	}
	// By name the files are in the order in which they were sent.
	name := time.Now().UTC().Format("20060102T150405.000000000") + "-" + rand.Text()[:8] + ".eml"
	hidden := filepath.Join(s.folder, "."+name)
	if err := msg.WriteToFile(hidden); err != nil {
		return fmt.Errorf("mail: %w", err)
	}
	return os.Rename(hidden, filepath.Join(s.folder, name))
}

// Written is a message in the folder.
type Written struct {
	Message
	At time.Time
}

// Written returns the newest messages of the folder, the newest first.
func (s *Sender) Written(most int) ([]Written, error) {
	if s.folder == "" {
		return nil, nil
	}
	files, err := filepath.Glob(filepath.Join(s.folder, "[0-9]*.eml"))
	if err != nil {
		return nil, err
	}
	slices.Sort(files)
	slices.Reverse(files)
	var written []Written
	for _, f := range files[:min(most, len(files))] {
		msg, err := gomail.EMLToMsgFromFile(f)
		if err != nil {
			return nil, fmt.Errorf("mail: %s: %w", filepath.Base(f), err)
		}
		w := Written{}
		if to := msg.GetToString(); len(to) > 0 {
			w.To = strings.Trim(to[0], "<>")
		}
		if subject := msg.GetGenHeader(gomail.HeaderSubject); len(subject) > 0 {
			w.Subject = subject[0]
		}
		if parts := msg.GetParts(); len(parts) > 0 {
			text, err := parts[0].GetContent()
			if err != nil {
				return nil, err
			}
			w.Text = strings.ReplaceAll(string(text), "\r\n", "\n")
		}
		stamp, _, _ := strings.Cut(filepath.Base(f), "-")
		w.At, _ = time.Parse("20060102T150405.000000000", stamp)
		written = append(written, w)
	}
	return written, nil
}
