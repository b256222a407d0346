package graph

import (
	"context"
	"slices"

	"github.com/collegium/collegium/graph/gen"
	"github.com/collegium/collegium/graph/union"
	"github.com/collegium/collegium/internal/career"
	"github.com/collegium/collegium/internal/content"
	"github.com/collegium/collegium/internal/nav"
	"github.com/collegium/collegium/internal/page"
	"github.com/collegium/collegium/internal/viewer"
	"github.com/google/uuid"
)

// CaseStudies is the batch resolver for the caseStudies field.
func (r *caseStudyListBlockResolver) CaseStudies(ctx context.Context, objs []*content.CaseStudyListBlock) ([][]*career.CaseStudy, error) {
	return r.caseStudiesOfBlocks(ctx, objs)
}

// AccessibleAlternatives is the batch resolver for the accessibleAlternatives field.
func (r *documentResolver) AccessibleAlternatives(ctx context.Context, objs []*content.Document) ([][]*content.Document, error) {
	return edge(objs, func(d *content.Document) *uuid.UUID { return &d.ID }, func(ids []uuid.UUID) (map[uuid.UUID][]*content.Document, error) {
		return r.db.content.AlternativesOf(ctx, viewer.From(ctx), ids)
	})
}

// TotalCount is the batch resolver for the totalCount field.
func (r *documentConnectionResolver) TotalCount(ctx context.Context, objs []*page.Connection[*content.Document]) ([]int, error) {
	n, err := r.db.content.DocumentCount(ctx, viewer.From(ctx))
	return slices.Repeat([]int{n}, len(objs)), err
}

// Blocks is the batch resolver for the blocks field.
func (r *pageResolver) Blocks(ctx context.Context, objs []*content.Page) ([][]content.Block, error) {
	return r.blocksOfPages(ctx, objs)
}

// Breadcrumbs is the batch resolver for the breadcrumbs field.
func (r *pageResolver) Breadcrumbs(ctx context.Context, objs []*content.Page) ([][]*content.Breadcrumb, error) {
	return edge(objs, pageID, func(ids []uuid.UUID) (map[uuid.UUID][]*content.Breadcrumb, error) {
		return r.db.content.BreadcrumbsOf(ctx, viewer.From(ctx), ids)
	})
}

// Parent is the batch resolver for the parent field.
func (r *pageResolver) Parent(ctx context.Context, objs []*content.Page) ([]*content.Page, error) {
	return edge(objs, func(p *content.Page) *uuid.UUID { return p.ParentID }, func(ids []uuid.UUID) (map[uuid.UUID]*content.Page, error) {
		return r.content(ctx).PagesByID(ctx, viewer.From(ctx), ids)
	})
}

// Children is the batch resolver for the children field.
func (r *pageResolver) Children(ctx context.Context, objs []*content.Page) ([][]*content.Page, error) {
	return edge(objs, pageID, func(ids []uuid.UUID) (map[uuid.UUID][]*content.Page, error) {
		return r.db.content.ChildrenOf(ctx, viewer.From(ctx), ids, nil)
	})
}

// Content is the batch resolver for the content field.
func (r *pageRouteResolver) Content(ctx context.Context, objs []*content.PageRoute) ([]union.RouteContent, error) {
	return contents(ctx, r.Resolver, objs, func(p *content.PageRoute) entryRef { return entryRef{p.EntryKind, p.EntryID} })
}

// Page is the batch resolver for the page field.
func (r *pageRouteResolver) Page(ctx context.Context, objs []*content.PageRoute) ([]*content.Page, error) {
	return edge(objs, routeEntryID, func(ids []uuid.UUID) (map[uuid.UUID]*content.Page, error) {
		return r.content(ctx).PagesByID(ctx, viewer.From(ctx), ids)
	})
}

// Breadcrumbs is the batch resolver for the breadcrumbs field.
func (r *pageRouteResolver) Breadcrumbs(ctx context.Context, objs []*content.PageRoute) ([][]*content.Breadcrumb, error) {
	return edge(objs, routeEntryID, func(ids []uuid.UUID) (map[uuid.UUID][]*content.Breadcrumb, error) {
		return r.db.content.BreadcrumbsOf(ctx, viewer.From(ctx), ids)
	})
}

// Trail is the batch resolver for the trail field.
func (r *pageRouteResolver) Trail(ctx context.Context, objs []*content.PageRoute, menu string) ([][]*nav.Item, error) {
	return edge(objs, routeEntryID, func(ids []uuid.UUID) (map[uuid.UUID][]*nav.Item, error) {
		return r.nav(ctx).TrailsOf(ctx, viewer.From(ctx), menu, ids)
	})
}

// Route is the resolver for the route field.
func (r *queryResolver) Route(ctx context.Context, path string) (content.Route, error) {
	return r.content(ctx).Route(ctx, viewer.From(ctx), path)
}

// Page is the resolver for the page field.
func (r *queryResolver) Page(ctx context.Context, path string) (*content.Page, error) {
	return orNull(r.content(ctx).Page(ctx, viewer.From(ctx), path))
}

// Documents is the resolver for the documents field.
func (r *queryResolver) Documents(ctx context.Context, first *int, after *string, last *int, before *string) (*page.Connection[*content.Document], error) {
	return r.db.content.Documents(ctx, viewer.From(ctx), page.Args{First: first, After: after, Last: last, Before: before})
}

// CaseStudyListBlock returns gen.CaseStudyListBlockResolver implementation.
func (r *Resolver) CaseStudyListBlock() gen.CaseStudyListBlockResolver {
	return &caseStudyListBlockResolver{r}
}

// Document returns gen.DocumentResolver implementation.
func (r *Resolver) Document() gen.DocumentResolver { return &documentResolver{r} }

// DocumentConnection returns gen.DocumentConnectionResolver implementation.
func (r *Resolver) DocumentConnection() gen.DocumentConnectionResolver {
	return &documentConnectionResolver{r}
}

// Page returns gen.PageResolver implementation.
func (r *Resolver) Page() gen.PageResolver { return &pageResolver{r} }

// PageRoute returns gen.PageRouteResolver implementation.
func (r *Resolver) PageRoute() gen.PageRouteResolver { return &pageRouteResolver{r} }

type (
	caseStudyListBlockResolver struct{ *Resolver }
	documentResolver           struct{ *Resolver }
	documentConnectionResolver struct{ *Resolver }
	pageResolver               struct{ *Resolver }
	pageRouteResolver          struct{ *Resolver }
)
