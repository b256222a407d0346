// Package identity knows who can sign in, and who is signed in: accounts, their
// passwords, sessions and roles.
package identity

import (
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/google/uuid"

	"github.com/collegium/collegium/internal/node"
	"github.com/collegium/collegium/internal/pg"
)

// Store reads and writes accounts.
type Store struct {
	DB        pg.Querier
	Passwords *Passwords
	// Jobs takes the mails that are to be sent. Without it nobody can join or reset a
	// password, and nobody is told by mail of what was changed.
	Jobs *pg.Queue
	// Passkeys is for which site passkeys are; nil: there are none.
	Passkeys *Passkeys
	// Seal keeps the secrets of authenticators; nil: there are no new ones.
	Seal *Seal
	// Now is the clock by which codes are checked; nil: that of the machine.
	Now func() time.Time
}

// Role is what an account may do beyond what every member may.
type Role string

// The roles that an administrator grants.
const (
	Editor            Role = "EDITOR"
	MembershipOfficer Role = "MEMBERSHIP_OFFICER"
	Administrator     Role = "ADMINISTRATOR"
)

// Roles are all roles.
var Roles = []Role{Editor, MembershipOfficer, Administrator}

// ParseRole returns the role with a name.
func ParseRole(name string) (Role, error) {
	if r := Role(name); slices.Contains(Roles, r) {
		return r, nil
	}
	return "", fmt.Errorf("there is no role %q; there are %v", name, Roles)
}

// Account is somebody who can sign in.
type Account struct {
	ID              uuid.UUID
	Email           string
	EmailVerifiedAt *time.Time
	MemberID        *uuid.UUID
	SuspendedAt     *time.Time
	CreatedAt       time.Time
	// HasTOTP says whether a code is asked for besides the password.
	HasTOTP bool
	Roles   []Role
}

func (s *Store) now() time.Time {
	if s.Now != nil {
		return s.Now()
	}
	return time.Now()
}

// NodeID returns the opaque ID in the graph.
func (a *Account) NodeID() string { return node.ID("Account", a.ID) }

// EmailVerified says whether the person has proved that the address is theirs.
func (a *Account) EmailVerified() bool { return a.EmailVerifiedAt != nil }

// GrantedRoles returns the roles that an administrator has granted.
func (a *Account) GrantedRoles() []Role { return a.Roles }

// Has says whether the account has a role.
func (a *Account) Has(r Role) bool { return slices.Contains(a.Roles, r) }

// The reasons why somebody is not signed in. None says whether there is an account.
var (
	// ErrWrongCredentials says that no account has this address and this password.
	ErrWrongCredentials = errors.New("the address or the password is wrong")
	// ErrTooManyAttempts says that it was tried in vain too often. See TooMany.
	ErrTooManyAttempts = errors.New("too many attempts")
	// ErrSignInAgain says that there is no password to ask for, and that somebody signed in
	// too long ago to do without one.
	ErrSignInAgain = errors.New("sign in again first: your account has no password to ask for")
	// ErrNotVerified says that the password is right and the address isn't proved.
	ErrNotVerified = errors.New("the address is not verified yet; follow the link in the mail that was sent to it")
	// ErrSuspended says that the password is right and the account suspended.
	ErrSuspended = errors.New("the account is suspended; write to the membership office")
	// ErrLinkEnded says that a link from a mail is unknown, used, or too old.
	ErrLinkEnded = errors.New("the link has been used or has ended; ask for a new one")
)

// TooMany is ErrTooManyAttempts with the time at which to try again.
type TooMany struct{ RetryAt time.Time }

func (e *TooMany) Error() string { return ErrTooManyAttempts.Error() }

// Is says that it is ErrTooManyAttempts.
func (e *TooMany) Is(target error) bool { return target == ErrTooManyAttempts }
