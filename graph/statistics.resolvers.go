package graph

import (
	"context"
	"time"

	"github.com/collegium/collegium/graph/gen"
	"github.com/collegium/collegium/internal/statistics"
	"github.com/collegium/collegium/internal/viewer"
)

// By is the batch resolver for the by field.
func (r *memberStatisticsResolver) By(ctx context.Context, objs []*statistics.Statistics, dimension statistics.Dimension) ([]*statistics.Table, error) {
	return counted(objs, func(st *statistics.Statistics) (*statistics.Table, error) {
		return r.db.statistics.By(ctx, st, dimension)
	})
}

// Months is the batch resolver for the months field.
func (r *memberStatisticsResolver) Months(ctx context.Context, objs []*statistics.Statistics, from *time.Time, to *time.Time, by *statistics.Dimension) ([]*statistics.Months, error) {
	return counted(objs, func(st *statistics.Statistics) (*statistics.Months, error) {
		return r.db.statistics.Months(ctx, st, from, to, by)
	})
}

// RenewalsDue is the batch resolver for the renewalsDue field.
func (r *memberStatisticsResolver) RenewalsDue(ctx context.Context, objs []*statistics.Statistics, from *time.Time, to *time.Time) ([]*statistics.Table, error) {
	return counted(objs, func(st *statistics.Statistics) (*statistics.Table, error) {
		return r.db.statistics.RenewalsDue(ctx, st, from, to)
	})
}

// MemberStatistics is the resolver for the memberStatistics field.
func (r *queryResolver) MemberStatistics(ctx context.Context, asOf *time.Time, filter *gen.MemberStatisticsFilter) (*statistics.Statistics, error) {
	return r.db.statistics.Of(ctx, viewer.From(ctx), asOf, statisticsFilter(filter))
}

// MemberStatistics returns gen.MemberStatisticsResolver implementation.
func (r *Resolver) MemberStatistics() gen.MemberStatisticsResolver {
	return &memberStatisticsResolver{r}
}

type memberStatisticsResolver struct{ *Resolver }
