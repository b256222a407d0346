package graph

import (
	"fmt"

	"github.com/vektah/gqlparser/v2/ast"
	"github.com/vektah/gqlparser/v2/gqlerror"
	"github.com/vektah/gqlparser/v2/validator"

	"github.com/collegium/collegium/graph/gen"
	"github.com/collegium/collegium/internal/guard"
)

// Checker judges documents as the handler does before it answers one: it parses
// them, holds them to the limits and validates them against the schema of this
// program. It needs no database. It is safe for concurrent use.
type Checker struct {
	schema *ast.Schema
	guard  *guard.Guard
	rules  cacheRules
}

// NewChecker returns a checker. An error means that a limit is wrong, or a cost hint
// of the schema, or what it says of caching.
func NewChecker(limits guard.Limits) (*Checker, error) {
	return newChecker(gen.NewExecutableSchema(gen.Config{}).Schema(), limits)
}

func newChecker(schema *ast.Schema, limits guard.Limits) (*Checker, error) {
	g, err := guard.New(schema, limits)
	if err != nil {
		return nil, err
	}
	rules, err := newCacheRules(schema, edges())
	if err != nil {
		return nil, err
	}
	return &Checker{schema: schema, guard: g, rules: rules}, nil
}

// noOperationName is the name of no operation: a check by it bounds a document
// and prices none of its operations.
const noOperationName = " "

// Check returns what is wrong with a document that will be asked later, nil if
// nothing is. What an operation costs depends on its variables, which are not
// known yet; so only operations without variables are held to the limit on cost.
func (c *Checker) Check(text string) gqlerror.List {
	doc, _, list := c.check(text, noOperationName, nil)
	if list != nil {
		return list
	}
	for _, op := range doc.Operations {
		if len(op.VariableDefinitions) > 0 {
			continue
		}
		if _, err := c.guard.Price(doc, op.Name, nil); err != nil {
			list = append(list, refusal(err)...)
		}
	}
	return list
}

// Operations returns the operations of a document that was checked, each as
// "query Name". An operation without a name is its kind alone.
func (c *Checker) Operations(text string) []string {
	doc, err := c.guard.Parse(text)
	if err != nil {
		return nil
	}
	names := make([]string, len(doc.Operations))
	for i, op := range doc.Operations {
		names[i] = string(op.Operation)
		if op.Name != "" {
			names[i] = fmt.Sprintf("%s %s", op.Operation, op.Name)
		}
	}
	return names
}

// check parses a document, bounds it, prices one operation and validates the
// whole, in this order: the cheap before the dear.
func (c *Checker) check(text, operationName string, variables map[string]any) (*ast.QueryDocument, guard.Price, gqlerror.List) {
	doc, err := c.guard.Parse(text)
	if err != nil {
		return nil, guard.Price{}, refusal(err)
	}
	if len(doc.Operations) == 0 {
		return nil, guard.Price{}, gqlerror.List{coded(ValidationFailed, "the document holds no operation; send a query, as {menus{handle}}")}
	}
	price, err := c.guard.Check(doc, operationName, variables)
	if err != nil {
		return nil, price, refusal(err)
	}
	if list := validator.ValidateWithRules(c.schema, doc, guard.Rules()); len(list) > 0 {
		for _, e := range list {
			setCode(e, ValidationFailed)
		}
		return nil, price, list
	}
	if wrong := checkLiterals(doc); wrong != nil {
		return nil, price, gqlerror.List{wrong}
	}
	return doc, price, nil
}
