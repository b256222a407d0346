// Package reads collects what an operation reads of members who are not who asks, for the
// log that they can read.
package reads

import (
	"context"
	"sync"

	"github.com/google/uuid"

	"github.com/collegium/collegium/internal/viewer"
)

// Fact is something that the body knows of a member, whatever the member shows of
// themselves.
type Fact string

// The facts.
const (
	Entry       Fact = "ENTRY"
	Membership  Fact = "MEMBERSHIP"
	History     Fact = "HISTORY"
	Registered  Fact = "REGISTRATION"
	Insured     Fact = "INSURANCE"
	Sections    Fact = "SECTIONS"
	Application Fact = "APPLICATION"
	Consents    Fact = "CONSENTS"
	Listing     Fact = "THERAPIST_LISTING"
	Account     Fact = "ACCOUNT"
	Erasure     Fact = "ERASURE"
)

// Facts are all facts.
var Facts = []Fact{Entry, Membership, History, Registered, Insured, Sections, Application, Consents, Listing, Account, Erasure}

// Set is a set of what can be read of a member: the lower bits are fields of the profile,
// as internal/member numbers them, and the upper ones facts.
type Set int64

const firstFact = 32

// SetOf returns the set of the facts.
func SetOf(facts ...Fact) (s Set) {
	for _, f := range facts {
		for i := range Facts {
			if Facts[i] == f {
				s |= 1 << (firstFact + i)
			}
		}
	}
	return s
}

// Profile returns the fields of the profile, the bit n for the field n.
func (s Set) Profile() int64 { return int64(s & (1<<firstFact - 1)) }

// Facts returns the facts, the bit n for Facts[n].
func (s Set) Facts() int64 { return int64(s >> firstFact) }

// Reads is what an operation reads of members.
type Reads struct {
	mu sync.Mutex
	// loaded is what was loaded whether the operation asks for it or not, and asked what
	// it asks for or looks for.
	loaded, asked map[uuid.UUID]Set
}

type contextKey struct{}

// With returns a context whose reads are collected.
func With(ctx context.Context) (context.Context, *Reads) {
	r := &Reads{loaded: map[uuid.UUID]Set{}, asked: map[uuid.UUID]Set{}}
	return context.WithValue(ctx, contextKey{}, r), r
}

// From returns what collects the reads of a context, nil if nothing does.
func From(ctx context.Context) *Reads {
	r, _ := ctx.Value(contextKey{}).(*Reads)
	return r
}

// Add collects what was read of a member; the viewer's own record is not. It does nothing
// on nil.
func (r *Reads) Add(v viewer.Viewer, member uuid.UUID, loaded, asked Set) {
	if r == nil || member == v.MemberID {
		return
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if loaded != 0 {
		r.loaded[member] |= loaded
	}
	r.asked[member] |= asked
}

// Each calls f for each member with what an operation read that asks for the fields of
// selected.
func (r *Reads) Each(selected Set, f func(member uuid.UUID, read Set)) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for member, asked := range r.asked {
		if read := asked | r.loaded[member]&selected; read != 0 {
			f(member, read)
		}
	}
}

// Note collects that the viewer reads facts about each of the rows, which are a member's
// as of says; nil is nobody's.
func Note[T any](ctx context.Context, v viewer.Viewer, rows []T, of func(T) *uuid.UUID, facts ...Fact) {
	r := From(ctx)
	if r == nil {
		return
	}
	set := SetOf(facts...)
	for _, row := range rows {
		if member := of(row); member != nil {
			r.Add(v, *member, 0, set)
		}
	}
}
