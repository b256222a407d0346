package graph

import (
	"context"

	"github.com/collegium/collegium/graph/gen"
	"github.com/collegium/collegium/internal/career"
	"github.com/collegium/collegium/internal/content"
	"github.com/collegium/collegium/internal/member"
	"github.com/collegium/collegium/internal/page"
	"github.com/collegium/collegium/internal/unit"
	"github.com/collegium/collegium/internal/viewer"
	"github.com/google/uuid"
)

// CaseStudies is the batch resolver for the caseStudies field.
func (r *careerLevelResolver) CaseStudies(ctx context.Context, objs []*career.CareerLevel) ([][]*career.CaseStudy, error) {
	return edge(objs, func(l *career.CareerLevel) *career.Level { return &l.Level }, func(levels []career.Level) (map[career.Level][]*career.CaseStudy, error) {
		return r.career(ctx).AtLevels(ctx, viewer.From(ctx), levels)
	})
}

// Document is the batch resolver for the document field.
func (r *caseStudyResolver) Document(ctx context.Context, objs []*career.CaseStudy) ([]*content.Document, error) {
	return edge(objs, func(c *career.CaseStudy) *uuid.UUID { return c.DocumentID }, func(ids []uuid.UUID) (map[uuid.UUID]*content.Document, error) {
		return r.content(ctx).DocumentsByID(ctx, viewer.From(ctx), ids)
	})
}

// Member is the batch resolver for the member field.
func (r *caseStudyResolver) Member(ctx context.Context, objs []*career.CaseStudy) ([]*member.Member, error) {
	return edge(objs, func(c *career.CaseStudy) *uuid.UUID { return c.MemberID }, func(ids []uuid.UUID) (map[uuid.UUID]*member.Member, error) {
		return r.db.members.ByID(ctx, viewer.From(ctx), ids)
	})
}

// Section is the batch resolver for the section field.
func (r *caseStudyResolver) Section(ctx context.Context, objs []*career.CaseStudy) ([]*unit.Section, error) {
	return edge(objs, func(c *career.CaseStudy) *uuid.UUID { return c.SectionID }, func(ids []uuid.UUID) (map[uuid.UUID]*unit.Section, error) {
		return r.units(ctx).SectionsByID(ctx, viewer.From(ctx), ids)
	})
}

// Region is the batch resolver for the region field.
func (r *caseStudyResolver) Region(ctx context.Context, objs []*career.CaseStudy) ([]*unit.Region, error) {
	return edge(objs, func(c *career.CaseStudy) *uuid.UUID { return c.RegionID }, func(ids []uuid.UUID) (map[uuid.UUID]*unit.Region, error) {
		return r.units(ctx).RegionsByID(ctx, viewer.From(ctx), ids)
	})
}

// Previous is the batch resolver for the previous field.
func (r *caseStudyResolver) Previous(ctx context.Context, objs []*career.CaseStudy) ([]*career.CaseStudy, error) {
	return edge(objs, caseStudyID, func(ids []uuid.UUID) (map[uuid.UUID]*career.CaseStudy, error) {
		before, _, err := r.career(ctx).Neighbours(ctx, viewer.From(ctx), ids)
		return before, err
	})
}

// Next is the batch resolver for the next field.
func (r *caseStudyResolver) Next(ctx context.Context, objs []*career.CaseStudy) ([]*career.CaseStudy, error) {
	return edge(objs, caseStudyID, func(ids []uuid.UUID) (map[uuid.UUID]*career.CaseStudy, error) {
		_, after, err := r.career(ctx).Neighbours(ctx, viewer.From(ctx), ids)
		return after, err
	})
}

// TotalCount is the batch resolver for the totalCount field.
func (r *caseStudyConnectionResolver) TotalCount(ctx context.Context, objs []*career.Connection) ([]int, error) {
	return r.career(ctx).Totals(ctx, viewer.From(ctx), objs)
}

// CaseStudy is the resolver for the caseStudy field.
func (r *queryResolver) CaseStudy(ctx context.Context, slug string) (*career.CaseStudy, error) {
	return orNull(r.career(ctx).CaseStudy(ctx, viewer.From(ctx), slug))
}

// CaseStudies is the resolver for the caseStudies field.
func (r *queryResolver) CaseStudies(ctx context.Context, filter *career.Filter, first *int, after *string, last *int, before *string) (*career.Connection, error) {
	return r.career(ctx).CaseStudies(ctx, viewer.From(ctx), filter, page.Args{First: first, After: after, Last: last, Before: before})
}

// CareerLevels is the resolver for the careerLevels field.
func (r *queryResolver) CareerLevels(ctx context.Context) ([]*career.CareerLevel, error) {
	return r.career(ctx).Levels(ctx)
}

// CareerLevel returns gen.CareerLevelResolver implementation.
func (r *Resolver) CareerLevel() gen.CareerLevelResolver { return &careerLevelResolver{r} }

// CaseStudy returns gen.CaseStudyResolver implementation.
func (r *Resolver) CaseStudy() gen.CaseStudyResolver { return &caseStudyResolver{r} }

// CaseStudyConnection returns gen.CaseStudyConnectionResolver implementation.
func (r *Resolver) CaseStudyConnection() gen.CaseStudyConnectionResolver {
	return &caseStudyConnectionResolver{r}
}

type (
	careerLevelResolver         struct{ *Resolver }
	caseStudyResolver           struct{ *Resolver }
	caseStudyConnectionResolver struct{ *Resolver }
)
