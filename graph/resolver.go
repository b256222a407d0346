// Package graph is the edge: the GraphQL schema, its resolvers, and the handler
// that answers operations. It is the only place that joins features.
package graph

import (
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/collegium/collegium/internal/audit"
	"github.com/collegium/collegium/internal/career"
	"github.com/collegium/collegium/internal/content"
	"github.com/collegium/collegium/internal/identity"
	"github.com/collegium/collegium/internal/member"
	"github.com/collegium/collegium/internal/membership"
	"github.com/collegium/collegium/internal/nav"
	"github.com/collegium/collegium/internal/pg"
	"github.com/collegium/collegium/internal/privacy"
	"github.com/collegium/collegium/internal/search"
	"github.com/collegium/collegium/internal/statistics"
	"github.com/collegium/collegium/internal/therapist"
	"github.com/collegium/collegium/internal/unit"
)

//go:generate go run ./generate -config ../gqlgen.yml

// Resolver holds what the resolvers ask: db for what only the database knows, and nav,
// content, units and career for what may be in memory too.
type Resolver struct {
	db stores
	// accounts is who can sign in.
	accounts *identity.Store
	// snapshots is nil if nothing is ever kept in memory.
	snapshots *snapshots
}

// stores are the features in the database.
type stores struct {
	nav        nav.Store
	content    content.Store
	units      unit.Store
	career     career.Store
	members    member.Store
	register   membership.Store
	search     search.Store
	audit      audit.Store
	statistics statistics.Store
	therapists therapist.Store
	privacy    privacy.Store
}

// NewResolver returns the resolvers over a database and its accounts.
func NewResolver(pool *pgxpool.Pool, accounts *identity.Store) *Resolver {
	db := pg.Acting{Pool: pool}
	return &Resolver{accounts: accounts, db: stores{
		nav:        nav.Store{DB: db},
		content:    content.Store{DB: db},
		units:      unit.Store{DB: db},
		career:     career.Store{DB: db},
		members:    member.Store{DB: db},
		register:   membership.Store{DB: db, Jobs: accounts.Jobs},
		search:     search.Store{DB: db},
		audit:      audit.Store{DB: db},
		statistics: statistics.Store{DB: db},
		therapists: therapist.Store{DB: db},
		privacy:    privacy.Store{DB: db, Own: accounts.DB, Asked: accounts.TellErasure},
	}}
}
