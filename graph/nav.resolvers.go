package graph

import (
	"context"

	"github.com/collegium/collegium/graph/gen"
	"github.com/collegium/collegium/graph/union"
	"github.com/collegium/collegium/internal/nav"
	"github.com/collegium/collegium/internal/viewer"
)

// Target is the batch resolver for the target field.
func (r *menuItemResolver) Target(ctx context.Context, objs []*nav.Item) ([]union.MenuTarget, error) {
	return r.targets(ctx, objs)
}

// AlsoAt is the batch resolver for the alsoAt field.
func (r *menuItemResolver) AlsoAt(ctx context.Context, objs []*nav.Item) ([][]*nav.Item, error) {
	return r.nav(ctx).AlsoAt(ctx, viewer.From(ctx), objs)
}

// OtherPlacements is the batch resolver for the otherPlacements field.
func (r *navigationContextResolver) OtherPlacements(ctx context.Context, objs []*nav.Context) ([][]*nav.Item, error) {
	return r.otherPlacements(ctx, objs)
}

// Menu is the resolver for the menu field.
func (r *queryResolver) Menu(ctx context.Context, handle string) (*nav.Menu, error) {
	return orNull(r.nav(ctx).Menu(ctx, viewer.From(ctx), handle))
}

// Menus is the resolver for the menus field.
func (r *queryResolver) Menus(ctx context.Context, handles []string) ([]*nav.Menu, error) {
	return r.nav(ctx).Menus(ctx, viewer.From(ctx), handles)
}

// NavigationContext is the resolver for the navigationContext field.
func (r *queryResolver) NavigationContext(ctx context.Context, path string, menu string) (*nav.Context, error) {
	return r.nav(ctx).Context(ctx, viewer.From(ctx), path, menu)
}

// MenuItem returns gen.MenuItemResolver implementation.
func (r *Resolver) MenuItem() gen.MenuItemResolver { return &menuItemResolver{r} }

// NavigationContext returns gen.NavigationContextResolver implementation.
func (r *Resolver) NavigationContext() gen.NavigationContextResolver {
	return &navigationContextResolver{r}
}

type (
	menuItemResolver          struct{ *Resolver }
	navigationContextResolver struct{ *Resolver }
)
