// Package viewer knows who is asking, as a value.
package viewer

import (
	"context"
	"strings"

	"github.com/google/uuid"

	"github.com/collegium/collegium/internal/pg"
)

// Role is how much of the content a viewer may read. The zero Role is Anonymous.
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

// Viewer is who is asking. Its zero value is an anonymous visitor. Viewers can be
// compared.
type Viewer struct {
	// Role follows from Standing; see New.
	Role     Role
	Standing Standing
	// Account and Session are those that are signed in, and MemberID is the member who
	// is: zero if there is none.
	Account, Session, MemberID uuid.UUID
	// Application is the partner's application that asks, by a key of its own, and Unit
	// the section or region that the key is limited to: zero if there is none.
	Application, Unit uuid.UUID
}

// New returns a viewer who is all of that, with the role that follows from it.
func New(s Standing) Viewer { return Viewer{Standing: s}.withRole() }

// ForKey returns the viewer who asks with a key of an application. Unit is zero if the
// key is not limited.
func ForKey(s Standing, application, unit uuid.UUID) Viewer {
	return Viewer{Standing: s, Application: application, Unit: unit}.withRole()
}

// SignedIn says whether an account or an application asks.
func (v Viewer) SignedIn() bool { return v.Account != uuid.Nil || v.Application != uuid.Nil }

func (v Viewer) withRole() Viewer {
	switch {
	case v.May(ReadStaffContent):
		v.Role = Staff
	case v.May(ReadMembersContent):
		v.Role = Member
	}
	return v
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

// Visible is the SQL condition under which a viewer may know that the entry e
// exists: it is published, and for staff only if the viewer is staff. It takes
// @reach, which is Reach. What is for members shows its teaser to everyone. Every
// statement that reads entries, or anything that hangs on one, has it.
const Visible = ` (e.status = 'PUBLISHED' AND (e.access <> 'STAFF' OR 'STAFF' = ANY(@reach))) `

// AccessTo says whether a viewer may read a thing in full, and if not, why.
type AccessTo struct {
	CanRead  bool
	Reason   *string
	Requires *Access
}

// To says whether the viewer may read a thing of the access level in full.
func (v Viewer) To(a Access) AccessTo {
	if v.CanRead(a) {
		return AccessTo{CanRead: true}
	}
	reason := "The whole of it is for members. Sign in as a member to read it."
	if a == ForStaff {
		reason = "The whole of it is for staff."
	}
	return AccessTo{Reason: &reason, Requires: &a}
}

type contextKey struct{}

// With returns a context that carries the viewer, for the resolvers and for the
// statements that they send. Only the identity middleware calls it.
func With(ctx context.Context, v Viewer) context.Context {
	if v != (Viewer{}) {
		a := pg.ActorFrom(ctx)
		a.Account, a.Application, a.Member, a.Unit = text(v.Account), text(v.Application), text(v.MemberID), text(v.Unit)
		can := v.Can()
		names := make([]string, len(can))
		for i, p := range can {
			names[i] = string(p)
		}
		if v.Unit != uuid.Nil {
			// What the key may do within its unit.
			whole := v
			whole.Unit = uuid.Nil
			for _, p := range whole.Can() {
				names = append(names, string(p)+"@unit")
			}
		}
		a.Permissions = strings.Join(names, ",")
		ctx = pg.WithActor(ctx, a)
	}
	return context.WithValue(ctx, contextKey{}, v)
}

// OfRole returns for whom a statement runs that reads what everyone of a role sees.
func OfRole(r Role) pg.Actor {
	switch r {
	case Staff:
		return pg.Actor{Permissions: string(ReadMembersContent) + "," + string(ReadStaffContent)}
	case Member:
		return pg.Actor{Permissions: string(ReadMembersContent)}
	default:
		return pg.Actor{}
	}
}

func text(id uuid.UUID) string {
	if id == uuid.Nil {
		return ""
	}
	return id.String()
}

// From returns the viewer of the request. Only resolvers call it: a feature
// takes the viewer as a parameter.
func From(ctx context.Context) Viewer {
	v, _ := ctx.Value(contextKey{}).(Viewer)
	return v
}
