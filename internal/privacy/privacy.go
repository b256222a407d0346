// Package privacy knows what people are promised about their data: what they agreed
// to, all that is held about them, and that it is erased when they want it to be.
package privacy

import (
	"context"
	"errors"
	"log/slog"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"github.com/collegium/collegium/internal/node"
	"github.com/collegium/collegium/internal/page"
	"github.com/collegium/collegium/internal/pg"
)

// Store reads and writes them.
type Store struct {
	// DB sends statements for whoever asks.
	DB pg.Querier
	// Own sends them with the rights of the service, which see everything: an export is
	// complete and an erasure reaches everywhere, whatever policies say. Who may have
	// them done is decided here.
	Own pg.Querier
	// Asked is called with the account of somebody whom a new request is to erase, in the
	// transaction that writes it; nil: nobody needs to know.
	Asked func(context.Context, pgx.Tx, uuid.UUID) error
	// Log is told of requests whose turn it is and that can't be executed yet; nil: the
	// usual one.
	Log *slog.Logger
}

func (s *Store) log() *slog.Logger {
	if s.Log != nil {
		return s.Log
	}
	return slog.Default()
}

// Person is who something is about: a member, an account, or somebody who has both.
// What they lack is nil.
type Person struct {
	MemberID, AccountID *uuid.UUID
}

// Consent is what a member decided about a purpose.
type Consent struct {
	Purpose string
	// Version, Title and Text are those of today.
	Version int
	Title   string
	Text    string
	// Given says whether the newest decision is for it.
	Given bool
	// Decisions are all there were, the newest first.
	Decisions []*Decision
}

// UpToDate says whether the text of today was agreed to.
func (c *Consent) UpToDate() bool { return c.Given && c.Decisions[0].Version == c.Version }

// Decision is what a member decided at one time.
type Decision struct {
	Given     bool      `json:"given"`
	Version   int       `json:"version"`
	DecidedAt time.Time `json:"decided_at"`
}

// ConsentText is what members can agree to, in the words of today.
type ConsentText struct {
	Purpose     string
	Version     int
	Title       string
	Text        string
	PublishedAt time.Time
}

// RetentionRule is how long something is waited for or kept. Lasts is a duration of
// ISO 8601; nil is for good.
type RetentionRule struct {
	Rule   string
	Lasts  *string
	Reason string
}

// ErasureStatus is how an erasure stands.
type ErasureStatus string

// The statuses of an erasure.
const (
	Waiting   ErasureStatus = "WAITING"
	Cancelled ErasureStatus = "CANCELLED"
	Done      ErasureStatus = "DONE"
)

// Erasure is a request to erase somebody.
type Erasure struct {
	ID          uuid.UUID
	ByStaff     bool
	RequestedAt time.Time
	DueAt       time.Time
	CancelledAt *time.Time
	ExecutedAt  *time.Time
	// MemberID and AccountID are whom it is about, until it is executed.
	MemberID, AccountID *uuid.UUID
}

// Erasures is a page of erasures.
type Erasures = page.Connection[*Erasure]

// ErasureEdge is one erasure with its cursor.
type ErasureEdge = page.Edge[*Erasure]

// NodeID returns the opaque ID in the graph, which is that of the certificate too.
func (e *Erasure) NodeID() string { return node.ID("Erasure", e.ID) }

// of is which member it is about, nil if it is about none.
func (e *Erasure) of() *uuid.UUID { return e.MemberID }

// Status returns how the erasure stands.
func (e *Erasure) Status() ErasureStatus {
	switch {
	case e.CancelledAt != nil:
		return Cancelled
	case e.ExecutedAt != nil:
		return Done
	}
	return Waiting
}

// Certificate says what an erasure did. It holds no personal data.
type Certificate struct {
	ID          uuid.UUID
	RequestedAt time.Time
	ExecutedAt  time.Time
	ByStaff     bool
	Parts       []*Part
}

// NodeID returns the opaque ID in the graph.
func (c *Certificate) NodeID() string { return node.ID("Erasure", c.ID) }

// Erased returns the parts that are gone.
func (c *Certificate) Erased() []*Part { return c.parts(false) }

// Kept returns the parts that were kept without a name.
func (c *Certificate) Kept() []*Part { return c.parts(true) }

func (c *Certificate) parts(kept bool) []*Part {
	parts := []*Part{}
	for _, p := range c.Parts {
		if (p.Rule != nil) == kept {
			parts = append(parts, p)
		}
	}
	return parts
}

// Part is what an erasure did with a table.
type Part struct {
	Table string `json:"table"`
	Rows  int    `json:"rows"`
	// Rule, Reason and KeptUntil say why rows were kept and until when; nil if they
	// were not, and KeptUntil if they are kept for good.
	Rule      *string `json:"rule"`
	Reason    *string `json:"reason"`
	KeptUntil *Day    `json:"kept_until"`
}

// Until returns the day until which rows are kept.
func (p *Part) Until() *time.Time {
	if p.KeptUntil == nil {
		return nil
	}
	return &p.KeptUntil.Time
}

// Day is a day as JSON of the database has it.
type Day struct{ time.Time }

// UnmarshalJSON reads a day.
func (d *Day) UnmarshalJSON(b []byte) (err error) {
	d.Time, err = time.Parse(`"`+time.DateOnly+`"`, string(b))
	return err
}

// The reasons why something isn't done.
var (
	// ErrNotDue says that an erasure still waits.
	ErrNotDue = errors.New("the erasure still waits; it can be done when the time is over")
	// ErrEnded says that an erasure was done or taken back.
	ErrEnded = errors.New("the erasure was done or taken back already")
	// ErrLastAdministrator says that nobody could manage accounts any more.
	ErrLastAdministrator = errors.New("this is the last administrator; make another account one first")
	// ErrOldText says that there is a newer text than the one that was agreed to.
	ErrOldText = errors.New("there is a newer text; read it first")
)
