package graph

import (
	"github.com/collegium/collegium/graph/gen"
	"github.com/collegium/collegium/internal/trusted"
)

// NewHandlerOf returns a handler over resolvers, without trusted documents.
func NewHandlerOf(resolvers gen.ResolverRoot, c Config) (*Handler, error) {
	return newHandler(resolvers, trusted.Store{}, c)
}
