// Package search finds published entries of every kind by their words.
//
// The database keeps the index itself: triggers note what a transaction changed, and the index follows when it commits
// (migration 000008). Whoever writes content has nothing to call. A transaction finds its own writes once it has
// committed. Indexing takes about half a millisecond for an entry of 120 words, so after an import of very many entries
// COMMIT takes long: such a connection needs a generous statement_timeout.
//
// Everyone finds public entries by all of their words, and entries for members by title, summary and path. The rest of
// an entry for members is matched, shown, counted and spelled for members alone; an entry for staff does not exist for
// others.
package search

import (
	"github.com/google/uuid"

	"github.com/collegium/collegium/internal/page"
	"github.com/collegium/collegium/internal/pg"
)

// Store asks the search index.
type Store struct {
	DB pg.Querier
}

// Kind is a kind of thing that search finds.
type Kind string

// The kinds, in the order in which they are listed.
const (
	KindPage              Kind = "PAGE"
	KindSpecialistSection Kind = "SPECIALIST_SECTION"
	KindRegion            Kind = "REGION"
	KindCaseStudy         Kind = "CASE_STUDY"
	KindDocument          Kind = "DOCUMENT"
)

// MaxRanked is how many matches of one query are ranked and can be paged through. If more match, the ones with exactly
// that title come first, then those with the words in the title, then the best known: those whose path is shortest, and
// among equals the one with the lower ID. The counts are exact all the same.
const MaxRanked = 1000

// Connection is one page of hits, the best first.
type Connection struct {
	Edges    []Edge
	PageInfo page.Info
	// TotalCount is how many entries of the kinds asked for match.
	TotalCount int
	// IsCapped is true if more entries match than MaxRanked, so that not all of them can be paged through.
	IsCapped bool
	// Facets count the matches of each kind, the kinds not asked for included, the most frequent first.
	Facets []*Facet
	// DidYouMean is the query with its misspelled words put right; nil if no word looks misspelled or the other spelling
	// finds nothing either. If the query itself finds nothing, the hits are those of this one.
	DidYouMean *string
}

// Edge is a hit with its cursor.
type Edge = page.Edge[*Hit]

// Nodes returns the hits without their cursors.
func (c *Connection) Nodes() []*Hit {
	nodes := make([]*Hit, len(c.Edges))
	for i := range c.Edges {
		nodes[i] = c.Edges[i].Node
	}
	return nodes
}

// Hit is an entry that matches.
type Hit struct {
	EntryID uuid.UUID
	Kind    Kind
	Title   string
	// TitleHTML and SnippetHTML are HTML in which the words that were found stand in mark elements. Everything else is
	// escaped. The snippet is empty if nothing but the title is known.
	TitleHTML   string
	SnippetHTML string
	// Path is the current path; nil for an entry without a page.
	Path *string
	// Score is how well the entry fits: 4 for exactly this title or 2 for the words in the title, and up to 1.1 for how
	// often the words occur, in which parts, and how short the path is.
	Score float64
}

// Facet is how many entries of a kind match.
type Facet struct {
	Kind  Kind
	Count int
}

// Suggestion is a title that completes what was typed so far.
type Suggestion struct {
	Title string
	Kind  Kind
	// Path is the current path; nil for an entry without a page.
	Path *string
}
