// Package unit knows the parts of the body: specialist sections, regions,
// committees, their posts and who held them when.
package unit

import (
	"time"

	"github.com/google/uuid"

	"github.com/collegium/collegium/internal/node"
	"github.com/collegium/collegium/internal/pg"
)

// Store reads units and committees.
type Store struct {
	DB pg.Querier
}

// Status is whether a unit exists today.
type Status string

// The statuses of a unit.
const (
	Active    Status = "ACTIVE"
	Dissolved Status = "DISSOLVED"
)

// Nation is a nation of the United Kingdom.
type Nation string

// Unit is a *Section or a *Region.
type Unit interface{ isUnit() }

// Section is a specialist section: members who share a field of practice.
type Section struct {
	ID            uuid.UUID
	Slug          string
	Name          string
	ShortName     string
	Status        Status
	EstablishedOn *time.Time
	DissolvedOn   *time.Time
	SuccessorID   *uuid.UUID
}

// NodeID returns the opaque ID in the graph.
func (s *Section) NodeID() string { return node.ID("SpecialistSection", s.ID) }

// AppendNodeID appends NodeID as a JSON string.
func (s *Section) AppendNodeID(dst []byte) []byte {
	return node.AppendID(dst, "SpecialistSection", s.ID)
}

// Region is members who share a part of the country.
type Region struct {
	ID         uuid.UUID
	Slug       string
	Name       string
	ShortName  string
	Nation     Nation
	LocalNames []*LocalName
	Status     Status
}

// NodeID returns the opaque ID in the graph.
func (r *Region) NodeID() string { return node.ID("Region", r.ID) }

// AppendNodeID appends NodeID as a JSON string.
func (r *Region) AppendNodeID(dst []byte) []byte { return node.AppendID(dst, "Region", r.ID) }

// LocalName is a name in another language, which is a BCP 47 tag.
type LocalName struct {
	Language string `json:"language"`
	Name     string `json:"name"`
}

func (*Section) isUnit() {}
func (*Region) isUnit()  {}

// Committee is a committee of a section, of a region, or of the body.
type Committee struct {
	ID   uuid.UUID
	Slug string
	Name string
	// UnitID and UnitKind name the section or region; nil for the body's own.
	UnitID   *uuid.UUID
	UnitKind *string
}

// NodeID returns the opaque ID in the graph.
func (c *Committee) NodeID() string { return node.ID("Committee", c.ID) }

// AppendNodeID appends NodeID as a JSON string.
func (c *Committee) AppendNodeID(dst []byte) []byte { return node.AppendID(dst, "Committee", c.ID) }

// Post is an office on a committee.
type Post struct {
	ID          uuid.UUID
	CommitteeID uuid.UUID
	Title       string
	Seats       int
}

// NodeID returns the opaque ID in the graph.
func (p *Post) NodeID() string { return node.ID("Post", p.ID) }

// AppendNodeID appends NodeID as a JSON string.
func (p *Post) AppendNodeID(dst []byte) []byte { return node.AppendID(dst, "Post", p.ID) }

// Term is one person's time in a post. Both days are included.
type Term struct {
	ID       uuid.UUID
	PostID   uuid.UUID
	MemberID uuid.UUID
	StartsOn time.Time
	EndsOn   *time.Time
}

// NodeID returns the opaque ID in the graph.
func (t *Term) NodeID() string { return node.ID("Term", t.ID) }

// AppendNodeID appends NodeID as a JSON string.
func (t *Term) AppendNodeID(dst []byte) []byte { return node.AppendID(dst, "Term", t.ID) }
