package graph

import (
	"strings"

	"github.com/vektah/gqlparser/v2/formatter"

	"github.com/collegium/collegium/graph/gen"
)

// SDL returns the merged schema in the schema definition language, formatted.
func SDL() string {
	var b strings.Builder
	formatter.NewFormatter(&b, formatter.WithIndent("  ")).FormatSchema(gen.NewExecutableSchema(gen.Config{}).Schema())
	return b.String()
}
