package graph

import (
	"context"

	"github.com/collegium/collegium/internal/content"
)

// Organisation is the resolver for the organisation field.
func (r *queryResolver) Organisation(ctx context.Context) (*content.Organisation, error) {
	return r.content(ctx).Organisation(ctx)
}
