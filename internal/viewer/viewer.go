// Package viewer knows who is asking, as a value.
package viewer

import "context"

// Role is what a viewer is to the body. The zero Role is Anonymous.
type Role int

// The roles, from the one who may read least to the one who may read most.
const (
	Anonymous Role = iota
	Member
	Staff
)

// Access is who may read a thing in full.
type Access string

// The access levels.
const (
	Public   Access = "PUBLIC"
	Members  Access = "MEMBERS"
	ForStaff Access = "STAFF"
)

// Viewer is who is asking. Its zero value is an anonymous visitor.
type Viewer struct {
	Role Role
}

// The reaches are shared and never written to.
var (
	reachAnonymous = []string{"PUBLIC"}
	reachMember    = []string{"PUBLIC", "MEMBERS"}
	reachStaff     = []string{"PUBLIC", "MEMBERS", "STAFF"}
)

// Reach returns the access levels, and the audiences, whose content the viewer
// may read. It is an argument of every statement that reads content. The slice
// is shared: do not change it.
func (v Viewer) Reach() []string {
	switch v.Role {
	case Staff:
		return reachStaff
	case Member:
		return reachMember
	default:
		return reachAnonymous
	}
}

// CanRead says whether content of the access level may be read.
func (v Viewer) CanRead(access Access) bool {
	for _, a := range v.Reach() {
		if a == string(access) {
			return true
		}
	}
	return false
}

type contextKey struct{}

// With returns a context that carries the viewer. Only the identity middleware
// calls it.
func With(ctx context.Context, v Viewer) context.Context {
	return context.WithValue(ctx, contextKey{}, v)
}

// From returns the viewer of the request. Only resolvers call it: a feature
// takes the viewer as a parameter.
func From(ctx context.Context) Viewer {
	v, _ := ctx.Value(contextKey{}).(Viewer)
	return v
}
