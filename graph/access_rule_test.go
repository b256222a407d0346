package graph

import (
	"strings"
	"testing"

	"github.com/vektah/gqlparser/v2"
	"github.com/vektah/gqlparser/v2/ast"
)

// TestMutationsSayWhoMayCallThem adds a mutation without a rule to a schema: it is refused.
func TestMutationsSayWhoMayCallThem(t *testing.T) {
	t.Parallel()
	const rest = `
		directive @requires(permission: String!) on FIELD_DEFINITION
		type Query { q: Int }
		type Mutation { a: Int @requires(permission: "X") b: Int }`
	schema := gqlparser.MustLoadSchema(&ast.Source{Input: rest})
	if err := checkAccess(schema); err == nil || !strings.Contains(err.Error(), "the mutation b says not who may call it") || strings.Contains(err.Error(), "mutation a") {
		t.Errorf("got %v", err)
	}
}
