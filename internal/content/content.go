// Package content knows what the body publishes: pages and their blocks,
// documents, routes and the facts about the body itself.
package content

import (
	"time"

	"github.com/google/uuid"

	"github.com/collegium/collegium/internal/node"
	"github.com/collegium/collegium/internal/pg"
	"github.com/collegium/collegium/internal/viewer"
)

// Store reads published content.
type Store struct {
	DB pg.Querier
}

// SubPageKind is what a sub-page of a section or region is for.
type SubPageKind string

// Page is a page of the site; specialist sections and regions have one too.
type Page struct {
	ID           uuid.UUID
	Kind         string
	ParentID     *uuid.UUID
	Path         string
	Slug         string
	Title        string
	Summary      string
	Access       viewer.Access
	PublishedAt  *time.Time
	UpdatedAt    time.Time
	ReviewDueOn  *time.Time
	SubKind      SubPageKind
	ViewerAccess viewer.AccessTo `db:"-"`
}

// NodeID returns the opaque ID in the graph.
func (p *Page) NodeID() string { return node.ID("Page", p.ID) }

// AppendNodeID appends NodeID as a JSON string.
func (p *Page) AppendNodeID(dst []byte) []byte { return node.AppendID(dst, "Page", p.ID) }

// Breadcrumb is one step of the way to a page.
type Breadcrumb struct {
	Title string
	Path  string
}

// Document is a file that can be downloaded.
type Document struct {
	ID        uuid.UUID
	Title     string
	Summary   string
	FileName  *string
	MediaType string
	// ByteSize is nil if the file is not held. SizeLabel is the size as printed.
	ByteSize     *int
	SizeLabel    *string
	SHA256       *string
	URL          *string
	Access       viewer.Access
	ViewerAccess viewer.AccessTo `db:"-"`
}

// NodeID returns the opaque ID in the graph.
func (d *Document) NodeID() string { return node.ID("Document", d.ID) }

// AppendNodeID appends NodeID as a JSON string.
func (d *Document) AppendNodeID(dst []byte) []byte { return node.AppendID(dst, "Document", d.ID) }
