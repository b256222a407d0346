// Package graph is the edge: the GraphQL schema, its resolvers, and the handler
// that answers operations. It is the only place that joins features.
package graph

import (
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/collegium/collegium/internal/career"
	"github.com/collegium/collegium/internal/content"
	"github.com/collegium/collegium/internal/member"
	"github.com/collegium/collegium/internal/nav"
	"github.com/collegium/collegium/internal/search"
	"github.com/collegium/collegium/internal/unit"
)

//go:generate go run ./generate -config ../gqlgen.yml

// Resolver holds the stores that the resolvers ask. What reference answers is asked
// of it, and everything else of the stores.
type Resolver struct {
	nav     nav.Store
	content content.Store
	units   unit.Store
	career  career.Store
	members member.Store
	search  search.Store

	// stored is the reference data in the database, and snapshots is nil if it is
	// never kept in memory.
	stored    reference
	snapshots *snapshots
}

// NewResolver returns the resolvers over a database.
func NewResolver(db *pgxpool.Pool) *Resolver {
	r := &Resolver{
		nav:     nav.Store{DB: db},
		content: content.Store{DB: db},
		units:   unit.Store{DB: db},
		career:  career.Store{DB: db},
		members: member.Store{DB: db},
		search:  search.Store{DB: db},
	}
	r.stored = reference{nav: &r.nav, units: &r.units, career: &r.career, content: &r.content}
	return r
}
