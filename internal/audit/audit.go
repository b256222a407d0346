// Package audit knows what was written: by whom, to which table, when and in which
// request, and whether anything of that was changed or lost since. It holds no
// personal data: no values, and people by pseudonyms that erasure ends.
//
// Triggers write the entries (see migration create_audit). Sealing puts them into a
// chain of hashes once their transaction is over, so that writers never wait for
// each other; an entry that somebody removes within the moment between its commit
// and its sealing is not missed.
package audit

import (
	"encoding/hex"
	"time"

	"github.com/google/uuid"

	"github.com/collegium/collegium/internal/node"
	"github.com/collegium/collegium/internal/page"
	"github.com/collegium/collegium/internal/pg"
)

// Store reads the audit, and seals it.
type Store struct {
	DB pg.Querier
}

// Operation is what a statement did.
type Operation string

// The operations.
const (
	Insert   Operation = "INSERT"
	Update   Operation = "UPDATE"
	Delete   Operation = "DELETE"
	Truncate Operation = "TRUNCATE"
)

// Entry is what one statement wrote: to one row, or how many rows if it wrote many.
type Entry struct {
	Number    int64
	WrittenAt time.Time
	// ActorPseudonym stands for the account that was signed in, nil if none was.
	ActorPseudonym *uuid.UUID
	// ActorID is that account, nil if it was erased.
	ActorID       *uuid.UUID
	ActorRoles    []string
	ApplicationID *uuid.UUID
	Program       string
	RequestID     *string
	Operation     Operation
	TableName     string
	// RowKey is the primary key, with pseudonyms for people; nil for many rows.
	RowKey *string
	// RowCount is nil if all rows were removed at once.
	RowCount *int64
	// Columns are those that an update changed.
	Columns []string
	// SubjectPseudonym stands for the member or account that the row is about.
	SubjectPseudonym *uuid.UUID
	// SubjectID is that member or account, nil if it was erased.
	SubjectID *uuid.UUID
	// SubjectIsMember says which of the two.
	SubjectIsMember bool
	// Hash is that of the chain, nil until the entry is sealed.
	Hash []byte
}

// nodeID returns the opaque ID in the graph, nil for nil.
func nodeID(kind string, id *uuid.UUID) *string {
	if id == nil {
		return nil
	}
	text := node.ID(kind, *id)
	return &text
}

// Actor returns the ID in the graph of the account that wrote.
func (e *Entry) Actor() *string { return nodeID("Account", e.ActorID) }

// Application returns the ID in the graph of the application that asked.
func (e *Entry) Application() *string { return nodeID("PartnerApplication", e.ApplicationID) }

// Subject returns the ID in the graph of the member or account that the row is about.
func (e *Entry) Subject() *string {
	if e.SubjectIsMember {
		return nodeID("Member", e.SubjectID)
	}
	return nodeID("Account", e.SubjectID)
}

// Rows returns how many rows were written, nil if all were removed at once.
func (e *Entry) Rows() *int {
	if e.RowCount == nil {
		return nil
	}
	n := int(*e.RowCount)
	return &n
}

// ActorName returns the pseudonym of the account that wrote.
func (e *Entry) ActorName() *string { return text(e.ActorPseudonym) }

// SubjectName returns the pseudonym of whom the row is about.
func (e *Entry) SubjectName() *string { return text(e.SubjectPseudonym) }

func text(id *uuid.UUID) *string {
	if id == nil {
		return nil
	}
	s := id.String()
	return &s
}

// HashText returns the hash in hexadecimal digits, nil until the entry is sealed.
func (e *Entry) HashText() *string {
	if e.Hash == nil {
		return nil
	}
	s := hex.EncodeToString(e.Hash)
	return &s
}

// Filter says which entries are asked for. All conditions must hold.
type Filter struct {
	// Actor and Subject are IDs of the graph.
	Actor, Subject *string
	Table          *string
	Operation      *Operation
	Request        *string
	Since, Until   *time.Time
}

// The page of a list of entries, and a row of it.
type (
	Connection = page.Connection[*Entry]
	Edge       = page.Edge[*Entry]
)
