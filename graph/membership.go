package graph

import (
	"context"

	"github.com/google/uuid"

	"github.com/collegium/collegium/graph/gen"
	"github.com/collegium/collegium/graph/union"
	"github.com/collegium/collegium/internal/errs"
	"github.com/collegium/collegium/internal/membership"
	"github.com/collegium/collegium/internal/node"
	"github.com/collegium/collegium/internal/once"
	"github.com/collegium/collegium/internal/pg"
	"github.com/collegium/collegium/internal/unit"
	"github.com/collegium/collegium/internal/viewer"
)

func recordID(m *membership.Record) *uuid.UUID         { return &m.ID }
func membershipID(m *membership.Membership) *uuid.UUID { return &m.MemberID }

// accountOfViewer and memberOfViewer are who is behind a viewer, which after signing
// in is not who asked.
func accountOfViewer(v *union.Viewer) *uuid.UUID {
	if v.Account == nil {
		return nil
	}
	return &v.Account.ID
}

func memberOfViewer(v *union.Viewer) *uuid.UUID {
	if v.Account == nil {
		return nil
	}
	return v.Account.MemberID
}

// parseMember reads the ID of a member, also that of their record.
func parseMember(opaque string) (uuid.UUID, error) {
	const path = "input.member"
	typeName, id, err := node.Parse(path, opaque)
	if err == nil && typeName != "Member" && typeName != "MemberRecord" {
		err = errs.Invalidf(path, "that is the ID of a %s; pass that of a Member or MemberRecord", typeName)
	}
	return id, err
}

// parseOptionalMember is parseMember, nil if there is none.
func parseOptionalMember(opaque *string) (*uuid.UUID, error) {
	if opaque == nil {
		return nil, nil
	}
	id, err := parseMember(*opaque)
	return &id, err
}

// keep answers a mutation that changes the record of a member.
func (r *Resolver) keep(ctx context.Context, opaque string, w once.Write, change func(*membership.Store, viewer.Viewer, uuid.UUID) (uuid.UUID, error)) (*gen.RecordPayload, error) {
	return r.keepOwn(ctx, &opaque, w, func(s *membership.Store, v viewer.Viewer, m *uuid.UUID) (uuid.UUID, error) { return change(s, v, *m) })
}

// keepOwn is keep where the own record is meant if none is named.
func (r *Resolver) keepOwn(ctx context.Context, opaque *string, w once.Write, change func(*membership.Store, viewer.Viewer, *uuid.UUID) (uuid.UUID, error)) (*gen.RecordPayload, error) {
	p := &gen.RecordPayload{UserErrors: []*union.UserError{}}
	v := viewer.From(ctx)
	err := func() error {
		member, err := parseOptionalMember(opaque)
		if err != nil {
			return err
		}
		id, _, err := once.Do(ctx, r.db.register.DB, w, func(db pg.Querier) (uuid.UUID, error) {
			return change(r.registerOn(db), v, member)
		})
		if err != nil {
			return err
		}
		byID, err := r.db.register.Records(ctx, v, []uuid.UUID{id})
		p.Record = byID[id]
		return err
	}()
	if err != nil {
		p.UserErrors, err = userErrors(err)
	}
	return p, err
}

func applicationPayload(a *membership.Application, err error) (*gen.ApplicationPayload, error) {
	wrong, err := userErrors(err)
	return &gen.ApplicationPayload{Application: a, UserErrors: wrong}, err
}

func termPayload(t *unit.Term, err error) (*gen.TermPayload, error) {
	wrong, err := userErrors(err)
	return &gen.TermPayload{Term: t, UserErrors: wrong}, err
}

// appoint answers appointToPost.
func (r *Resolver) appoint(ctx context.Context, input gen.AppointToPostInput) (*gen.TermPayload, error) {
	post, err := node.ParseOf("input.post", "Post", input.Post)
	if err != nil {
		return termPayload(nil, err)
	}
	member, err := parseMember(input.Member)
	if err != nil {
		return termPayload(nil, err)
	}
	return termPayload(r.madeTerm(ctx, writing(ctx, "appointToPost", input.IdempotencyKey, input), unit.Appointment{
		Post: post, Member: member, StartsOn: input.StartsOn, EndsOn: input.EndsOn,
	}))
}

// transferSection answers transferSectionMembers.
func (r *Resolver) transferSection(ctx context.Context, input gen.TransferSectionMembersInput) (*gen.TransferSectionMembersPayload, error) {
	moved, err := func() (*membership.Transferred, error) {
		from, err := node.ParseOf("input.from", "SpecialistSection", input.From)
		if err != nil {
			return nil, err
		}
		to, err := node.ParseOf("input.to", "SpecialistSection", input.To)
		if err != nil {
			return nil, err
		}
		w := writing(ctx, "transferSectionMembers", input.IdempotencyKey, input)
		moved, _, err := once.Do(ctx, r.db.register.DB, w, func(db pg.Querier) (*membership.Transferred, error) {
			return r.registerOn(db).TransferSection(ctx, viewer.From(ctx), membership.Transfer{From: from, To: to, On: input.On})
		})
		return moved, err
	}()
	wrong, err := userErrors(err)
	p := &gen.TransferSectionMembersPayload{UserErrors: wrong}
	if moved != nil {
		p.Members, p.Joined = &moved.Members, &moved.Joined
	}
	return p, err
}

// withdrawElection answers withdrawElection.
func (r *Resolver) withdrawElection(ctx context.Context, input gen.WithdrawElectionInput) (*gen.WithdrawElectionPayload, error) {
	election, err := func() (*unit.Election, error) {
		committee, err := node.ParseOf("input.committee", "Committee", input.Committee)
		if err != nil {
			return nil, err
		}
		return r.db.units.WithdrawElection(ctx, viewer.From(ctx), unit.ElectionOn{Committee: committee, OpensOn: input.OpensOn})
	}()
	wrong, err := userErrors(err)
	return &gen.WithdrawElectionPayload{Election: election, UserErrors: wrong}, err
}

// scheduleElection answers scheduleElection.
func (r *Resolver) scheduleElection(ctx context.Context, input gen.ScheduleElectionInput) (*gen.ScheduleElectionPayload, error) {
	election, err := func() (*unit.Election, error) {
		committee, err := node.ParseOf("input.committee", "Committee", input.Committee)
		if err != nil {
			return nil, err
		}
		return r.db.units.ScheduleElection(ctx, viewer.From(ctx), unit.ElectionDates{
			Committee: committee, NominationsUntil: input.NominationsUntil, OpensOn: input.OpensOn, ClosesOn: input.ClosesOn, Note: input.Note,
		})
	}()
	wrong, err := userErrors(err)
	return &gen.ScheduleElectionPayload{Election: election, UserErrors: wrong}, err
}
