// Package membership knows who is a member on which day: periods, grades and
// suspensions, the rules by which a status follows from them, applications, and the
// registration and insurance of members.
package membership

import (
	"fmt"
	"time"

	"github.com/google/uuid"

	"github.com/collegium/collegium/internal/pg"
	"github.com/collegium/collegium/internal/viewer"
)

// Store reads and writes memberships.
type Store struct {
	DB pg.Querier
	// Jobs takes the mails that are to be sent.
	Jobs *pg.Queue
}

// Status is what somebody is to the body on a day.
type Status string

// The statuses.
const (
	Pending   Status = "PENDING"
	Current   Status = "CURRENT"
	Grace     Status = "GRACE"
	Lapsed    Status = "LAPSED"
	Suspended Status = "SUSPENDED"
	Retired   Status = "RETIRED"
	Resigned  Status = "RESIGNED"
	Deceased  Status = "DECEASED"
	Removed   Status = "REMOVED"
)

// Statuses are all statuses.
var Statuses = []Status{Pending, Current, Grace, Lapsed, Suspended, Retired, Resigned, Deceased, Removed}

// Member says whether somebody of the status is a member with all rights.
func (s Status) Member() bool { return s == Current || s == Grace }

// Membership is what somebody is on a day, and by what.
type Membership struct {
	MemberID uuid.UUID
	Grade    string
	Status   Status
	// JoinedOn is the first day of the first period.
	JoinedOn time.Time
	// StartsOn and EndsOn are those of the period that governs the day. Without an end
	// it is open.
	StartsOn time.Time
	EndsOn   *time.Time
	// PaidUntil is the last day of the periods that follow one another without a break
	// from that one on: later than EndsOn, if the membership was renewed ahead.
	PaidUntil *time.Time
	// GraceEndsOn is the last day on which the member can still renew by themselves and
	// is a member meanwhile, and RenewableFrom the first.
	GraceEndsOn, RenewableFrom *time.Time
	// SuspendedOn, SuspendedUntil and SuspensionReason are of the suspension that runs;
	// without a last day it is open.
	SuspendedOn      *time.Time
	SuspendedUntil   *time.Time
	SuspensionReason *string
}

// StatusReason says why the status is what it is, for people.
func (m *Membership) StatusReason() string {
	on := func(d *time.Time) string {
		if d == nil {
			return ""
		}
		return d.Format("2 January 2006")
	}
	switch m.Status {
	case Pending:
		return fmt.Sprintf("The membership begins on %s.", on(&m.StartsOn))
	case Grace:
		return fmt.Sprintf("The membership was paid until %s; it can be renewed until %s.", on(m.EndsOn), on(m.GraceEndsOn))
	case Lapsed:
		return fmt.Sprintf("The membership was paid until %s and was not renewed by %s.", on(m.EndsOn), on(m.GraceEndsOn))
	case Suspended:
		if m.SuspendedUntil != nil {
			return fmt.Sprintf("Suspended from %s until %s: %s", on(m.SuspendedOn), on(m.SuspendedUntil), *m.SuspensionReason)
		}
		return fmt.Sprintf("Suspended since %s: %s", on(m.SuspendedOn), *m.SuspensionReason)
	case Resigned:
		return fmt.Sprintf("Resigned; the last day was %s.", on(m.EndsOn))
	case Deceased:
		return fmt.Sprintf("Died; the last day was %s.", on(m.EndsOn))
	case Removed:
		return fmt.Sprintf("Removed from the register; the last day was %s.", on(m.EndsOn))
	case Retired:
		if m.GraceEndsOn == nil && m.EndsOn != nil {
			return fmt.Sprintf("Retired; the last day was %s.", on(m.EndsOn))
		}
		return "A retired member."
	}
	if m.EndsOn == nil {
		return "The membership has no end."
	}
	return fmt.Sprintf("The membership runs until %s.", on(m.EndsOn))
}

// EventKind is what happened to a membership.
type EventKind string

// The kinds of events. Those by which a membership ends are statuses too.
const (
	JoinedEvent       EventKind = "JOINED"
	RenewedEvent      EventKind = "RENEWED"
	GradeChangedEvent EventKind = "GRADE_CHANGED"
	SuspendedEvent    EventKind = "SUSPENDED"
	ReinstatedEvent   EventKind = "REINSTATED"
	// EndWithdrawnEvent happens on the day of the end that it takes back.
	EndWithdrawnEvent EventKind = "ENDING_WITHDRAWN"
)

// Event is something that happened to a membership.
type Event struct {
	MemberID   uuid.UUID
	Kind       EventKind
	HappenedOn time.Time
	Grade      *string
	EndsOn     *time.Time
	Reason     *string
	RecordedAt time.Time
}

// mayRead is the SQL condition under which a viewer may read the record of the
// member m: it is their own, or they may read the register, as far as the key of a
// partner reaches. It takes the arguments of reading.
const mayRead = ` (m.id = @self OR (@register AND (@unit::uuid IS NULL OR m.region_id = @unit OR EXISTS (
		SELECT FROM section_memberships within
		WHERE within.member_id = m.id
			AND within.section_id = @unit
			AND within.starts_on <= CURRENT_DATE
			AND (within.ends_on IS NULL OR within.ends_on >= CURRENT_DATE))))) `

// reading adds the arguments of mayRead.
func reading(v viewer.Viewer, args map[string]any) map[string]any {
	args["self"], args["register"], args["unit"] = v.MemberID, v.May(viewer.ReadRegister), (*uuid.UUID)(nil)
	if v.Unit != uuid.Nil {
		args["unit"] = &v.Unit
	}
	return args
}

// readsNobody says that no record can be the viewer's to read, without asking.
func readsNobody(v viewer.Viewer) bool {
	return v.MemberID == uuid.Nil && !v.May(viewer.ReadRegister)
}
