package graph

import (
	"github.com/vektah/gqlparser/v2"
	"github.com/vektah/gqlparser/v2/ast"
	"github.com/vektah/gqlparser/v2/validator/rules"
)

// CheckCacheRules says what is wrong with what a schema says of caching. Edges are
// given as "type.field" in small letters.
func CheckCacheRules(sdl string, edges ...string) error {
	all := map[string]bool{}
	for _, e := range edges {
		all[e] = true
	}
	_, err := newCacheRules(gqlparser.MustLoadSchema(&ast.Source{Input: sdl}), all)
	return err
}

// CacheRuleOf says who may keep the answer to an operation.
func CacheRuleOf(sdl, query string) string {
	schema := gqlparser.MustLoadSchema(&ast.Source{Input: sdl})
	of, err := newCacheRules(schema, nil)
	if err != nil {
		return err.Error()
	}
	rule := of.operation(gqlparser.MustLoadQueryWithRules(schema, query, rules.NewDefaultRules()).Operations[0])
	switch {
	case rule.private:
		return "private"
	case rule.maxAge > 0:
		return "public for " + rule.maxAge.String()
	default:
		return "public"
	}
}
