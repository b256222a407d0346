package graph

import (
	"context"

	"github.com/collegium/collegium/graph/gen"
	"github.com/collegium/collegium/graph/union"
	"github.com/collegium/collegium/internal/errs"
	"github.com/collegium/collegium/internal/page"
)

// Node is the resolver for the node field.
func (r *queryResolver) Node(ctx context.Context, id string) (union.Node, error) {
	found, err := r.nodes(ctx, "id", []string{id})
	if err != nil {
		return nil, err
	}
	return found[0], nil
}

// Nodes is the resolver for the nodes field.
func (r *queryResolver) Nodes(ctx context.Context, ids []string) ([]union.Node, error) {
	if len(ids) > page.MaxSize {
		return nil, errs.Invalidf("ids", "%d IDs are too many; pass at most %d", len(ids), page.MaxSize)
	}
	return r.nodes(ctx, "ids", ids)
}

// RateLimit is the resolver for the rateLimit field.
func (r *queryResolver) RateLimit(ctx context.Context) (*union.RateLimit, error) {
	return rateLimit(ctx), nil
}

// Query returns gen.QueryResolver implementation.
func (r *Resolver) Query() gen.QueryResolver { return &queryResolver{r} }

type queryResolver struct{ *Resolver }
