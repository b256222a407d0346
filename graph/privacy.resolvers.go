package graph

import (
	"context"

	"github.com/collegium/collegium/internal/audit"
	"github.com/collegium/collegium/internal/page"
)

// AuditTrail is the resolver for the auditTrail field.
func (r *queryResolver) AuditTrail(ctx context.Context, filter *audit.Filter, first *int, after *string) (*page.Connection[*audit.Entry], error) {
	return r.db.audit.Trail(ctx, filter, page.Args{First: first, After: after})
}
