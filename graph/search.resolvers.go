package graph

import (
	"context"

	"github.com/collegium/collegium/graph/gen"
	"github.com/collegium/collegium/graph/union"
	"github.com/collegium/collegium/internal/search"
	"github.com/collegium/collegium/internal/viewer"
)

// Search is the resolver for the search field.
func (r *queryResolver) Search(ctx context.Context, query string, kinds []search.Kind, first *int, after *string) (*search.Connection, error) {
	return r.db.search.Search(ctx, viewer.From(ctx), query, kinds, first, after)
}

// Suggest is the resolver for the suggest field.
func (r *queryResolver) Suggest(ctx context.Context, prefix string, first *int) ([]*search.Suggestion, error) {
	return r.db.search.Suggest(ctx, viewer.From(ctx), prefix, first)
}

// Target is the batch resolver for the target field.
func (r *searchHitResolver) Target(ctx context.Context, objs []*search.Hit) ([]union.RouteContent, error) {
	return contents(ctx, r.Resolver, objs, func(h *search.Hit) entryRef { return entryRef{string(h.Kind), h.EntryID} })
}

// SearchHit returns gen.SearchHitResolver implementation.
func (r *Resolver) SearchHit() gen.SearchHitResolver { return &searchHitResolver{r} }

type searchHitResolver struct{ *Resolver }
