// Package union names what can be one of several types in the graph. The types
// belong to the features; only the graph joins them.
package union

import (
	"time"

	"github.com/google/uuid"

	"github.com/collegium/collegium/internal/identity"
	"github.com/collegium/collegium/internal/node"
	"github.com/collegium/collegium/internal/viewer"
)

// Node is anything with an ID.
type Node = node.Node

// MenuTarget is what a menu item can lead to: a *content.Page, *unit.Section,
// *unit.Region, *career.CaseStudy, *content.Document, *nav.ExternalLink or
// *nav.Action.
type MenuTarget any

// RouteContent is what can stand at a path: a *content.Page, *unit.Section,
// *unit.Region, *career.CaseStudy or *content.Document.
type RouteContent any

// RateLimit is what an operation costs, and the allowance of its client, in
// points.
type RateLimit struct {
	Cost      int
	Limit     int
	Remaining int
	ResetAt   time.Time
}

// Viewer is who asks, and what they may do.
type Viewer struct {
	Account *identity.Account
	// Application is the partner's application that asks; nil if none does.
	Application *identity.KeyHolder
	Can         []viewer.Permission
	// Units are those in which they may do more.
	Units []*UnitStanding
}

// UnitStanding is what somebody may do in one section or region.
type UnitStanding struct {
	UnitID uuid.UUID
	Can    []viewer.Permission
}

// UserError is why a mutation changed nothing.
type UserError struct {
	Code    string
	Field   []string
	Message string
}
