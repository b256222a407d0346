// Package trusted knows the trusted documents: the operations of known clients,
// written to a manifest when a client is built, stored, and named by their id
// when they are asked. It reads no GraphQL.
package trusted

import (
	"regexp"
	"time"
)

// Document is a trusted document.
type Document struct {
	// ID is what a request names it by: mostly a hash of the body, in hexadecimal.
	ID string
	// Body is the GraphQL text. It belongs to the ID for good: another text needs
	// another ID.
	Body string
	// Clients are the names of the clients that ask it, sorted; at least one.
	Clients []string
	// AddedAt is when the first client added it.
	AddedAt time.Time
}

// Entry is a document of a manifest.
type Entry struct {
	ID, Body string
}

// Added counts what Store.Add did with a manifest.
type Added struct {
	// New is the documents that were not stored before.
	New int
	// Claimed is the documents that were stored for another client, and now are
	// for this one too.
	Claimed int
	// Known is the documents that this client had added before.
	Known int
}

// MaxBodyBytes is the longest body that can be stored, in bytes. What a document
// may cost is judged elsewhere, and bounds it further.
const MaxBodyBytes = 256 << 10

// The database holds the same rules, as trusted_documents_id_well_formed and
// trusted_document_clients_client_well_formed.
var (
	wellFormedID     = regexp.MustCompile(`^[A-Za-z0-9._~:+/=-]{1,255}$`)
	wellFormedClient = regexp.MustCompile(`^[A-Za-z0-9._-]{1,100}$`)
)
