// Package member knows the members, as far as each lets a viewer see them.
package member

import (
	"time"

	"github.com/google/uuid"

	"github.com/collegium/collegium/internal/node"
	"github.com/collegium/collegium/internal/page"
	"github.com/collegium/collegium/internal/pg"
	"github.com/collegium/collegium/internal/viewer"
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
	Nearest        Order = "NEAREST"
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
	// Revision is nil unless the record is the viewer's own.
	Revision *int
	// Private is which fields the member does not show to everyone, if the viewer may see
	// more than everyone.
	Private FieldSet
	// As is whose eyes see the member instead of the viewer's; see ViewAs.
	As viewer.Audience `db:"-"`
	// DistanceKm is how far the practice is, in a list of the nearest.
	DistanceKm *float64 `db:"-"`
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
	// Specialism and Language are terms of the profile, and Near is where the member
	// practises.
	Specialism, Language *string
	Near                 *Near
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
