package graph

import (
	"errors"
	"fmt"
	"strings"

	"github.com/vektah/gqlparser/v2/ast"
)

// checkAccess fails if a mutation does not say who may call it: a new one is called by
// nobody before somebody has thought about it. Which fields of queries depend on who
// asks, @cacheControl has to say; see newCacheRules.
func checkAccess(schema *ast.Schema) error {
	var wrong []error
	if schema.Mutation == nil {
		return nil
	}
	for _, f := range schema.Mutation.Fields {
		if !strings.HasPrefix(f.Name, "__") && f.Directives.ForName("requires") == nil {
			wrong = append(wrong, fmt.Errorf("the mutation %s says not who may call it; give it @requires(permission: …)", f.Name))
		}
	}
	return errors.Join(wrong...)
}
