// Package career knows the career case studies and the ladder of practice levels.
package career

import (
	"time"

	"github.com/google/uuid"

	"github.com/collegium/collegium/internal/node"
	"github.com/collegium/collegium/internal/page"
	"github.com/collegium/collegium/internal/pg"
	"github.com/collegium/collegium/internal/viewer"
)

// Store reads case studies.
type Store struct {
	DB pg.Querier
}

// Level is a level of practice.
type Level string

// CareerLevel is one step of the ladder. Previous and Next are its neighbours.
type CareerLevel struct {
	Level    Level
	Position int
	Title    string
	Previous *CareerLevel `db:"-"`
	Next     *CareerLevel `db:"-"`
}

// CaseStudy is a person's account of their career.
type CaseStudy struct {
	ID         uuid.UUID
	Slug       string
	Path       string
	Person     string
	Headline   string
	Level      Level
	LevelLabel string
	Setting    *string
	Summary    string
	DocumentID *uuid.UUID
	MemberID   *uuid.UUID
	SectionID  *uuid.UUID
	RegionID   *uuid.UUID
	// ConsentOn is the day on which the person agreed to publication.
	ConsentOn *time.Time
	Access    viewer.Access
	// LevelPosition and Position are its place on the ladder.
	LevelPosition int
	Position      int
}

// NodeID returns the opaque ID in the graph.
func (c *CaseStudy) NodeID() string { return node.ID("CaseStudy", c.ID) }

// AppendNodeID appends NodeID as a JSON string.
func (c *CaseStudy) AppendNodeID(dst []byte) []byte { return node.AppendID(dst, "CaseStudy", c.ID) }

// Filter says which case studies. All conditions must hold.
type Filter struct {
	Level   *Level
	Section *string
	Region  *string
}

// Connection is a page of case studies.
type Connection struct {
	page.Connection[*CaseStudy]
	// Filter is what the page was asked with, for its total.
	Filter Filter
}

// Edge is one case study with its cursor.
type Edge = page.Edge[*CaseStudy]
