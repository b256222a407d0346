// Package member knows the members, as far as each lets a viewer see them.
package member

import (
	"time"

	"github.com/google/uuid"

	"github.com/collegium/collegium/internal/node"
	"github.com/collegium/collegium/internal/page"
	"github.com/collegium/collegium/internal/pg"
)

// Store reads members. What a member keeps from the viewer never leaves the
// database: every statement masks each field by its own audience.
type Store struct {
	DB pg.Querier
}

// Grade is a grade of membership.
type Grade string

// Order is in which order members are listed.
type Order string

// The orders.
const (
	ByName         Order = "NAME"
	ByJoinedOnDesc Order = "JOINED_ON_DESC"
)

// Member is a member as the viewer may see them. A nil field is empty or kept
// from the viewer; which of the two cannot be told.
type Member struct {
	ID          uuid.UUID
	DisplayName string
	Pronouns    *string
	Headline    *string
	Bio         *string
	Grade       *Grade
	JoinedOn    *time.Time
	RegionID    *uuid.UUID
	// ShowsSections is whether the viewer may see the member's sections.
	ShowsSections bool
	// SortName is what lists are sorted by.
	SortName string
}

// NodeID returns the opaque ID in the graph.
func (m *Member) NodeID() string { return node.ID("Member", m.ID) }

// AppendNodeID appends NodeID as a JSON string.
func (m *Member) AppendNodeID(dst []byte) []byte { return node.AppendID(dst, "Member", m.ID) }

// Filter says which members. All conditions must hold; a condition on a field
// holds only for members who let the viewer see the field.
type Filter struct {
	Region  *string
	Section *string
	Grade   *Grade
	Text    *string
}

// Scope is which list a page of members is of, for its total: the directory by
// a filter, or the members of one unit.
type Scope struct {
	Filter  Filter
	Region  *uuid.UUID
	Section *uuid.UUID
}

// Connection is a page of members.
type Connection struct {
	page.Connection[*Member]
	Scope Scope
}

// Edge is one member with their cursor.
type Edge = page.Edge[*Member]
