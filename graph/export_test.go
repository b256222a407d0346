package graph

import (
	"context"
	"time"

	"github.com/collegium/collegium/graph/gen"
	"github.com/collegium/collegium/internal/fresh"
	"github.com/collegium/collegium/internal/trusted"
	"github.com/collegium/collegium/internal/viewer"
)

// NewHandlerOf returns a handler over resolvers, without trusted documents.
func NewHandlerOf(resolvers gen.ResolverRoot, c Config) (*Handler, error) {
	return newHandler(resolvers, trusted.Store{}, c)
}

// AwaitReference returns when the reference data that the viewer sees are in memory
// and still what the database would answer, and says on what they rest. It is false
// if ctx ends before.
func (h *Handler) AwaitReference(ctx context.Context, v viewer.Viewer) (fresh.Basis, bool) {
	for ctx.Err() == nil {
		if s := h.snapshots.current(ctx, v); s != nil {
			return s.all, true
		}
		time.Sleep(time.Millisecond)
	}
	return fresh.Basis{}, false
}

// LoadReference loads the reference data that the viewer sees, and holds them
// nowhere.
func (h *Handler) LoadReference(v viewer.Viewer) (any, error) {
	loaded, _, err := h.snapshots.load(v)
	return loaded, err
}
