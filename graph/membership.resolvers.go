package graph

import (
	"context"
	"time"

	"github.com/collegium/collegium/graph/gen"
	"github.com/collegium/collegium/graph/union"
	"github.com/collegium/collegium/internal/identity"
	"github.com/collegium/collegium/internal/member"
	"github.com/collegium/collegium/internal/membership"
	"github.com/collegium/collegium/internal/node"
	"github.com/collegium/collegium/internal/once"
	"github.com/collegium/collegium/internal/page"
	"github.com/collegium/collegium/internal/unit"
	"github.com/collegium/collegium/internal/viewer"
	"github.com/google/uuid"
)

// Elections is the batch resolver for the elections field.
func (r *committeeResolver) Elections(ctx context.Context, objs []*unit.Committee) ([][]*unit.Election, error) {
	return edge(objs, func(c *unit.Committee) *uuid.UUID { return &c.ID }, func(ids []uuid.UUID) (map[uuid.UUID][]*unit.Election, error) {
		return r.db.units.ElectionsOf(ctx, ids)
	})
}

// Membership is the batch resolver for the membership field.
func (r *memberResolver) Membership(ctx context.Context, objs []*member.Member) ([]*membership.Membership, error) {
	return edge(objs, registeredID, func(ids []uuid.UUID) (map[uuid.UUID]*membership.Membership, error) {
		return r.db.register.Of(ctx, viewer.From(ctx), ids)
	})
}

// Region is the batch resolver for the region field.
func (r *memberRecordResolver) Region(ctx context.Context, objs []*membership.Record) ([]*unit.Region, error) {
	return edge(objs, func(m *membership.Record) *uuid.UUID { return m.RegionID }, func(ids []uuid.UUID) (map[uuid.UUID]*unit.Region, error) {
		return r.units(ctx).RegionsByID(ctx, viewer.From(ctx), ids)
	})
}

// Membership is the batch resolver for the membership field.
func (r *memberRecordResolver) Membership(ctx context.Context, objs []*membership.Record) ([]*membership.Membership, error) {
	return edge(objs, recordID, func(ids []uuid.UUID) (map[uuid.UUID]*membership.Membership, error) {
		return r.db.register.Of(ctx, viewer.From(ctx), ids)
	})
}

// Registration is the batch resolver for the registration field.
func (r *memberRecordResolver) Registration(ctx context.Context, objs []*membership.Record) ([]*membership.Registration, error) {
	return edge(objs, recordID, func(ids []uuid.UUID) (map[uuid.UUID]*membership.Registration, error) {
		return r.db.register.RegistrationsOf(ctx, viewer.From(ctx), ids)
	})
}

// Insurance is the batch resolver for the insurance field.
func (r *memberRecordResolver) Insurance(ctx context.Context, objs []*membership.Record) ([]*membership.Insurance, error) {
	return edge(objs, recordID, func(ids []uuid.UUID) (map[uuid.UUID]*membership.Insurance, error) {
		return r.db.register.InsurancesOf(ctx, viewer.From(ctx), ids)
	})
}

// Insurances is the batch resolver for the insurances field.
func (r *memberRecordResolver) Insurances(ctx context.Context, objs []*membership.Record) ([][]*membership.Insurance, error) {
	return edge(objs, recordID, func(ids []uuid.UUID) (map[uuid.UUID][]*membership.Insurance, error) {
		return r.db.register.InsurancesNotEndedOf(ctx, viewer.From(ctx), ids)
	})
}

// SectionMemberships is the batch resolver for the sectionMemberships field.
func (r *memberRecordResolver) SectionMemberships(ctx context.Context, objs []*membership.Record) ([][]*membership.SectionMembership, error) {
	return edge(objs, recordID, func(ids []uuid.UUID) (map[uuid.UUID][]*membership.SectionMembership, error) {
		return r.db.register.SectionMembershipsOf(ctx, viewer.From(ctx), ids)
	})
}

// Member is the batch resolver for the member field.
func (r *memberRecordResolver) Member(ctx context.Context, objs []*membership.Record) ([]*member.Member, error) {
	return edge(objs, recordID, func(ids []uuid.UUID) (map[uuid.UUID]*member.Member, error) {
		return r.db.members.ByID(ctx, viewer.From(ctx), ids)
	})
}

// Account is the batch resolver for the account field.
func (r *memberRecordResolver) Account(ctx context.Context, objs []*membership.Record) ([]*identity.Account, error) {
	return edge(objs, recordID, func(ids []uuid.UUID) (map[uuid.UUID]*identity.Account, error) {
		return r.accounts.AccountsOf(ctx, viewer.From(ctx), ids)
	})
}

// TotalCount is the batch resolver for the totalCount field.
func (r *memberRecordConnectionResolver) TotalCount(ctx context.Context, objs []*membership.Records) ([]int, error) {
	return r.db.register.RegisterTotals(ctx, viewer.From(ctx), objs)
}

// StatusAsOf is the batch resolver for the statusAsOf field.
func (r *membershipResolver) StatusAsOf(ctx context.Context, objs []*membership.Membership, on time.Time) ([]*membership.Status, error) {
	return edge(objs, membershipID, func(ids []uuid.UUID) (map[uuid.UUID]*membership.Status, error) {
		return r.db.register.StatusesAsOf(ctx, viewer.From(ctx), ids, on)
	})
}

// History is the batch resolver for the history field.
func (r *membershipResolver) History(ctx context.Context, objs []*membership.Membership) ([][]*membership.Event, error) {
	return edge(objs, membershipID, func(ids []uuid.UUID) (map[uuid.UUID][]*membership.Event, error) {
		return r.db.register.HistoryOf(ctx, viewer.From(ctx), ids)
	})
}

// Record is the batch resolver for the record field.
func (r *membershipApplicationResolver) Record(ctx context.Context, objs []*membership.Application) ([]*membership.Record, error) {
	return edge(objs, func(a *membership.Application) *uuid.UUID { return a.MemberID }, func(ids []uuid.UUID) (map[uuid.UUID]*membership.Record, error) {
		return r.db.register.Records(ctx, viewer.From(ctx), ids)
	})
}

// TotalCount is the batch resolver for the totalCount field.
func (r *membershipApplicationConnectionResolver) TotalCount(ctx context.Context, objs []*membership.Applications) ([]int, error) {
	return r.db.register.ApplicationTotals(ctx, viewer.From(ctx), objs)
}

// AcceptApplication is the resolver for the acceptApplication field.
func (r *mutationResolver) AcceptApplication(ctx context.Context, input gen.AcceptApplicationInput) (*gen.ApplicationPayload, error) {
	id, err := node.ParseOf("input.application", "MembershipApplication", input.Application)
	if err != nil {
		return applicationPayload(nil, err)
	}
	member, err := parseOptionalMember(input.Member)
	if err != nil {
		return applicationPayload(nil, err)
	}
	return applicationPayload(r.madeApplication(ctx, writing(ctx, "acceptApplication", input.IdempotencyKey, input), func(s *membership.Store, v viewer.Viewer) (*membership.Application, error) {
		return s.Accept(ctx, v, membership.Acceptance{Application: id, StartsOn: input.StartsOn, Member: member})
	}))
}

// DeclineApplication is the resolver for the declineApplication field.
func (r *mutationResolver) DeclineApplication(ctx context.Context, input gen.DeclineApplicationInput) (*gen.ApplicationPayload, error) {
	id, err := node.ParseOf("input.application", "MembershipApplication", input.Application)
	if err != nil {
		return applicationPayload(nil, err)
	}
	return applicationPayload(r.madeApplication(ctx, writing(ctx, "declineApplication", input.IdempotencyKey, input), func(s *membership.Store, v viewer.Viewer) (*membership.Application, error) {
		return s.Decline(ctx, v, membership.Refusal{Application: id, Reason: input.Reason})
	}))
}

// ApplyForMembership is the resolver for the applyForMembership field.
func (r *mutationResolver) ApplyForMembership(ctx context.Context, input gen.ApplyForMembershipInput) (*gen.ApplicationPayload, error) {
	return applicationPayload(r.madeApplication(ctx, writing(ctx, "applyForMembership", input.IdempotencyKey, input), func(s *membership.Store, v viewer.Viewer) (*membership.Application, error) {
		return s.Apply(ctx, v, membership.Applying{DisplayName: input.DisplayName, Grade: string(input.Grade)})
	}))
}

// WithdrawApplication is the resolver for the withdrawApplication field.
func (r *mutationResolver) WithdrawApplication(ctx context.Context) (*gen.ApplicationPayload, error) {
	return applicationPayload(r.db.register.Withdraw(ctx, viewer.From(ctx)))
}

// RenewMembership is the resolver for the renewMembership field.
func (r *mutationResolver) RenewMembership(ctx context.Context, input gen.RenewMembershipInput) (*gen.RecordPayload, error) {
	return r.keepOwn(ctx, input.Member, writing(ctx, "renewMembership", &input.IdempotencyKey, input), func(s *membership.Store, v viewer.Viewer, m *uuid.UUID) (uuid.UUID, error) {
		return s.Renew(ctx, v, m)
	})
}

// ResignMembership is the resolver for the resignMembership field.
func (r *mutationResolver) ResignMembership(ctx context.Context, input gen.ResignMembershipInput) (*gen.RecordPayload, error) {
	return r.keepOwn(ctx, nil, writing(ctx, "resignMembership", input.IdempotencyKey, input), func(s *membership.Store, v viewer.Viewer, m *uuid.UUID) (uuid.UUID, error) {
		return s.End(ctx, v, membership.Ending{Member: m, How: membership.Resigned, On: input.On})
	})
}

// ChangeGrade is the resolver for the changeGrade field.
func (r *mutationResolver) ChangeGrade(ctx context.Context, input gen.ChangeGradeInput) (*gen.RecordPayload, error) {
	return r.keep(ctx, input.Member, writing(ctx, "changeGrade", input.IdempotencyKey, input), func(s *membership.Store, v viewer.Viewer, m uuid.UUID) (uuid.UUID, error) {
		return s.ChangeGrade(ctx, v, membership.GradeChange{Member: m, Grade: string(input.Grade), On: input.On})
	})
}

// SuspendMembership is the resolver for the suspendMembership field.
func (r *mutationResolver) SuspendMembership(ctx context.Context, input gen.SuspendMembershipInput) (*gen.RecordPayload, error) {
	return r.keep(ctx, input.Member, writing(ctx, "suspendMembership", input.IdempotencyKey, input), func(s *membership.Store, v viewer.Viewer, m uuid.UUID) (uuid.UUID, error) {
		return s.Suspend(ctx, v, membership.Suspension{Member: m, Reason: input.Reason, On: input.On})
	})
}

// ReinstateMembership is the resolver for the reinstateMembership field.
func (r *mutationResolver) ReinstateMembership(ctx context.Context, input gen.ReinstateMembershipInput) (*gen.RecordPayload, error) {
	return r.keep(ctx, input.Member, writing(ctx, "reinstateMembership", input.IdempotencyKey, input), func(s *membership.Store, v viewer.Viewer, m uuid.UUID) (uuid.UUID, error) {
		return s.Reinstate(ctx, v, membership.Reinstatement{Member: m, On: input.On})
	})
}

// EndMembership is the resolver for the endMembership field.
func (r *mutationResolver) EndMembership(ctx context.Context, input gen.EndMembershipInput) (*gen.RecordPayload, error) {
	return r.keep(ctx, input.Member, writing(ctx, "endMembership", input.IdempotencyKey, input), func(s *membership.Store, v viewer.Viewer, m uuid.UUID) (uuid.UUID, error) {
		return s.End(ctx, v, membership.Ending{Member: &m, How: input.Reason, Note: input.Note, On: input.On})
	})
}

// WithdrawEnd is the resolver for the withdrawEnd field.
func (r *mutationResolver) WithdrawEnd(ctx context.Context, input gen.WithdrawEndInput) (*gen.RecordPayload, error) {
	return r.keep(ctx, input.Member, writing(ctx, "withdrawEnd", input.IdempotencyKey, input), func(s *membership.Store, v viewer.Viewer, m uuid.UUID) (uuid.UUID, error) {
		return s.WithdrawEnd(ctx, v, membership.EndWithdrawal{Member: m, Reason: input.Reason})
	})
}

// CorrectMember is the resolver for the correctMember field.
func (r *mutationResolver) CorrectMember(ctx context.Context, input gen.CorrectMemberInput) (*gen.RecordPayload, error) {
	return r.keep(ctx, input.Member, once.Write{}, func(_ *membership.Store, v viewer.Viewer, m uuid.UUID) (uuid.UUID, error) {
		return m, r.db.members.Correct(ctx, v, member.Correction{Member: m, DisplayName: input.DisplayName, SortName: input.SortName, Region: input.Region})
	})
}

// RemovePhotoOfMember is the resolver for the removePhotoOfMember field.
func (r *mutationResolver) RemovePhotoOfMember(ctx context.Context, input gen.RemovePhotoOfMemberInput) (*gen.RecordPayload, error) {
	return r.keep(ctx, input.Member, once.Write{}, func(_ *membership.Store, v viewer.Viewer, m uuid.UUID) (uuid.UUID, error) {
		return m, r.db.members.RemovePhotoOf(ctx, v, m)
	})
}

// StateRegistration is the resolver for the stateRegistration field.
func (r *mutationResolver) StateRegistration(ctx context.Context, input gen.StateRegistrationInput) (*gen.RecordPayload, error) {
	return r.keepOwn(ctx, input.Member, once.Write{}, func(s *membership.Store, v viewer.Viewer, m *uuid.UUID) (uuid.UUID, error) {
		return s.StateRegistration(ctx, v, membership.StatedRegistration{Member: m, Number: input.Number})
	})
}

// VerifyRegistration is the resolver for the verifyRegistration field.
func (r *mutationResolver) VerifyRegistration(ctx context.Context, input gen.VerifyRegistrationInput) (*gen.RecordPayload, error) {
	return r.keep(ctx, input.Member, once.Write{}, func(s *membership.Store, v viewer.Viewer, m uuid.UUID) (uuid.UUID, error) {
		return s.VerifyRegistration(ctx, v, membership.Verification{Member: m, Number: input.Number, ValidUntil: input.ValidUntil})
	})
}

// StateInsurance is the resolver for the stateInsurance field.
func (r *mutationResolver) StateInsurance(ctx context.Context, input gen.StateInsuranceInput) (*gen.RecordPayload, error) {
	return r.keepOwn(ctx, input.Member, once.Write{}, func(s *membership.Store, v viewer.Viewer, m *uuid.UUID) (uuid.UUID, error) {
		return s.StateInsurance(ctx, v, membership.StatedInsurance{
			Member: m, Insurer: input.Insurer, PolicyNumber: input.PolicyNumber, ValidFrom: input.ValidFrom, ValidUntil: input.ValidUntil,
		})
	})
}

// WithdrawInsurance is the resolver for the withdrawInsurance field.
func (r *mutationResolver) WithdrawInsurance(ctx context.Context, input gen.WithdrawInsuranceInput) (*gen.RecordPayload, error) {
	return r.keepOwn(ctx, input.Member, once.Write{}, func(s *membership.Store, v viewer.Viewer, m *uuid.UUID) (uuid.UUID, error) {
		return s.WithdrawInsurance(ctx, v, membership.InsuranceWithdrawal{Member: m, ValidFrom: input.ValidFrom})
	})
}

// JoinSection is the resolver for the joinSection field.
func (r *mutationResolver) JoinSection(ctx context.Context, input gen.JoinSectionInput) (*gen.RecordPayload, error) {
	return r.keepOwn(ctx, input.Member, writing(ctx, "joinSection", input.IdempotencyKey, input), func(s *membership.Store, v viewer.Viewer, m *uuid.UUID) (uuid.UUID, error) {
		section, err := node.ParseOf("input.section", "SpecialistSection", input.Section)
		if err != nil {
			return section, err
		}
		return s.JoinSection(ctx, v, membership.SectionChange{Member: m, Section: section, On: input.On})
	})
}

// LeaveSection is the resolver for the leaveSection field.
func (r *mutationResolver) LeaveSection(ctx context.Context, input gen.LeaveSectionInput) (*gen.RecordPayload, error) {
	return r.keepOwn(ctx, input.Member, writing(ctx, "leaveSection", input.IdempotencyKey, input), func(s *membership.Store, v viewer.Viewer, m *uuid.UUID) (uuid.UUID, error) {
		section, err := node.ParseOf("input.section", "SpecialistSection", input.Section)
		if err != nil {
			return section, err
		}
		return s.LeaveSection(ctx, v, membership.SectionChange{Member: m, Section: section, On: input.On})
	})
}

// TransferSectionMembers is the resolver for the transferSectionMembers field.
func (r *mutationResolver) TransferSectionMembers(ctx context.Context, input gen.TransferSectionMembersInput) (*gen.TransferSectionMembersPayload, error) {
	return r.transferSection(ctx, input)
}

// AppointToPost is the resolver for the appointToPost field.
func (r *mutationResolver) AppointToPost(ctx context.Context, input gen.AppointToPostInput) (*gen.TermPayload, error) {
	return r.appoint(ctx, input)
}

// EndTerm is the resolver for the endTerm field.
func (r *mutationResolver) EndTerm(ctx context.Context, input gen.EndTermInput) (*gen.TermPayload, error) {
	id, err := node.ParseOf("input.term", "Term", input.Term)
	if err != nil {
		return termPayload(nil, err)
	}
	return termPayload(r.db.units.EndTerm(ctx, viewer.From(ctx), unit.TermEnd{Term: id, On: input.On}))
}

// AddMembershipRule is the resolver for the addMembershipRule field.
func (r *mutationResolver) AddMembershipRule(ctx context.Context, input membership.RuleChange) (*gen.AddMembershipRulePayload, error) {
	rule, err := r.db.register.AddRule(ctx, input)
	wrong, err := userErrors(err)
	return &gen.AddMembershipRulePayload{MembershipRule: rule, UserErrors: wrong}, err
}

// WithdrawTerm is the resolver for the withdrawTerm field.
func (r *mutationResolver) WithdrawTerm(ctx context.Context, input gen.WithdrawTermInput) (*gen.TermPayload, error) {
	id, err := node.ParseOf("input.term", "Term", input.Term)
	if err != nil {
		return termPayload(nil, err)
	}
	return termPayload(r.db.units.WithdrawTerm(ctx, viewer.From(ctx), id))
}

// WithdrawElection is the resolver for the withdrawElection field.
func (r *mutationResolver) WithdrawElection(ctx context.Context, input gen.WithdrawElectionInput) (*gen.WithdrawElectionPayload, error) {
	return r.withdrawElection(ctx, input)
}

// ScheduleElection is the resolver for the scheduleElection field.
func (r *mutationResolver) ScheduleElection(ctx context.Context, input gen.ScheduleElectionInput) (*gen.ScheduleElectionPayload, error) {
	return r.scheduleElection(ctx, input)
}

// MembershipRules is the resolver for the membershipRules field.
func (r *queryResolver) MembershipRules(ctx context.Context, asOf *time.Time) ([]*membership.Rule, error) {
	return r.db.register.RulesOn(ctx, asOf)
}

// Applications is the resolver for the applications field.
func (r *queryResolver) Applications(ctx context.Context, status *membership.ApplicationStatus, first *int, after *string, last *int, before *string) (*membership.Applications, error) {
	return r.db.register.Applications(ctx, viewer.From(ctx), status, page.Args{First: first, After: after, Last: last, Before: before})
}

// Register is the resolver for the register field.
func (r *queryResolver) Register(ctx context.Context, filter *membership.Filter, asOf *time.Time, first *int, after *string, last *int, before *string) (*membership.Records, error) {
	return r.db.register.Register(ctx, viewer.From(ctx), filter, asOf, page.Args{First: first, After: after, Last: last, Before: before})
}

// Section is the batch resolver for the section field.
func (r *sectionMembershipResolver) Section(ctx context.Context, objs []*membership.SectionMembership) ([]*unit.Section, error) {
	return edge(objs, func(m *membership.SectionMembership) *uuid.UUID { return &m.SectionID }, func(ids []uuid.UUID) (map[uuid.UUID]*unit.Section, error) {
		return r.units(ctx).SectionsByID(ctx, viewer.From(ctx), ids)
	})
}

// MembershipApplication is the batch resolver for the membershipApplication field.
func (r *viewerResolver) MembershipApplication(ctx context.Context, objs []*union.Viewer) ([]*membership.Application, error) {
	return edge(objs, accountOfViewer, func(ids []uuid.UUID) (map[uuid.UUID]*membership.Application, error) {
		return r.db.register.ApplicationsOf(ctx, ids)
	})
}

// Record is the batch resolver for the record field.
func (r *viewerResolver) Record(ctx context.Context, objs []*union.Viewer) ([]*membership.Record, error) {
	return edge(objs, memberOfViewer, func(ids []uuid.UUID) (map[uuid.UUID]*membership.Record, error) {
		return r.db.register.OwnRecords(ctx, ids)
	})
}

// MemberRecord returns gen.MemberRecordResolver implementation.
func (r *Resolver) MemberRecord() gen.MemberRecordResolver { return &memberRecordResolver{r} }

// MemberRecordConnection returns gen.MemberRecordConnectionResolver implementation.
func (r *Resolver) MemberRecordConnection() gen.MemberRecordConnectionResolver {
	return &memberRecordConnectionResolver{r}
}

// Membership returns gen.MembershipResolver implementation.
func (r *Resolver) Membership() gen.MembershipResolver { return &membershipResolver{r} }

// MembershipApplication returns gen.MembershipApplicationResolver implementation.
func (r *Resolver) MembershipApplication() gen.MembershipApplicationResolver {
	return &membershipApplicationResolver{r}
}

// MembershipApplicationConnection returns gen.MembershipApplicationConnectionResolver implementation.
func (r *Resolver) MembershipApplicationConnection() gen.MembershipApplicationConnectionResolver {
	return &membershipApplicationConnectionResolver{r}
}

// SectionMembership returns gen.SectionMembershipResolver implementation.
func (r *Resolver) SectionMembership() gen.SectionMembershipResolver {
	return &sectionMembershipResolver{r}
}

type (
	memberRecordResolver                    struct{ *Resolver }
	memberRecordConnectionResolver          struct{ *Resolver }
	membershipResolver                      struct{ *Resolver }
	membershipApplicationResolver           struct{ *Resolver }
	membershipApplicationConnectionResolver struct{ *Resolver }
	sectionMembershipResolver               struct{ *Resolver }
)
