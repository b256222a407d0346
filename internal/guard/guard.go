// Package guard knows what a GraphQL document may cost, before it is validated and before it is run.
//
// Validation of a document takes more time than its length lets expect: fields of equal names are
// compared in pairs, every fragment is walked from every place that can reach it, and a fragment
// that spreads the next one twice doubles its work with each step. So a document goes through three
// doors, in this order, on every transport:
//
//  1. [Guard.Parse] counts bytes, tokens and brackets with the lexer alone, and only then lets the
//     recursive parser run.
//  2. [Guard.Check] bounds the parsed document: its shape, the work it would make the validator
//     do, and the cost of the operation that was chosen. It is linear in the document, apart from
//     one walk over the selections with their fragments written out, whose number it has bounded
//     by then.
//  3. The validator runs, with [Rules].
//
// A document that has passed them may be kept and asked again, with other variables, through
// [Guard.Price], which does the last part of the second step alone.
package guard

import (
	"fmt"
	"reflect"

	"github.com/vektah/gqlparser/v2/ast"
)

// A Guard judges documents that are asked of one schema. It is immutable and safe for concurrent use.
type Guard struct {
	limits Limits
	model  *model
}

// New reads the cost hints of schema (see [Directives]) and returns a guard that judges by them.
// It fails if a limit is below 1, or if a hint contradicts itself, such as a slicing argument that
// the field does not have; so a wrong hint shows at start and not as a wrong price.
func New(schema *ast.Schema, limits Limits) (*Guard, error) {
	fields := reflect.ValueOf(limits)
	for i := range fields.NumField() {
		if n := fields.Field(i).Int(); n < 1 {
			return nil, fmt.Errorf("guard: limit %s is %d; it must be at least 1 (begin with guard.Default)", fields.Type().Field(i).Name, n)
		}
	}
	m, err := newModel(schema)
	if err != nil {
		return nil, err
	}
	return &Guard{limits: limits, model: m}, nil
}

// Limits returns the limits that the guard was made with.
func (g *Guard) Limits() Limits { return g.limits }

// Price is what an operation costs, and how large it is with all its fragments written out.
type Price struct {
	// Cost is the number of objects the operation can be answered with, weighted by the hints of
	// the schema. Parts under @skip and @include count as if they ran.
	Cost int
	// Depth is how many fields stand inside each other; {a} has depth 1.
	Depth int
	// Selections is the number of fields and fragments.
	Selections int
	// Aliases is the number of fields that are renamed.
	Aliases int
	// Roots is the number of fields at the top.
	Roots int
	// Pairs is the number of pairs of fields with one response name, on merged selection sets.
	// After Check it holds those of the whole document.
	Pairs int
	// Work is the estimated work of validation, in steps of some 30 ns. After Check it holds that
	// of the whole document.
	Work int
	// Varies tells that a variable gives the length of a list, so that Cost may be another in the next request.
	Varies bool
}

// Check bounds doc, a document that was parsed and not yet validated, and prices the operation named
// operationName (the only one, if the name is empty). Every operation and every fragment of the
// document is held to the limits, used or not, since the validator walks them all; only the chosen
// operation is priced. Fields, types, fragments and arguments that do not exist count as fields
// without cost and are left for the validator to report, as is an operationName that is not there.
//
// variables are those of the request, as encoding/json decodes them or as coerced. A refusal is
// an [*Error], and comes with what is known of the price by then.
func (g *Guard) Check(doc *ast.QueryDocument, operationName string, variables map[string]any) (Price, error) {
	return g.check(doc, operationName, variables, true)
}

// Price prices one operation of a document that Check has accepted before, for a server that keeps
// accepted documents. It holds the operation and the variables to the limits and leaves the rest of
// the document alone. A refusal is an [*Error].
func (g *Guard) Price(doc *ast.QueryDocument, operationName string, variables map[string]any) (Price, error) {
	return g.check(doc, operationName, variables, false)
}

// CheckVariables holds the variables of a request to the limits. It is what is left of [Guard.Price] for an operation
// whose price doesn't vary. A refusal is an [*Error].
func (g *Guard) CheckVariables(variables map[string]any) error { return g.checkVariables(variables) }

func (g *Guard) check(doc *ast.QueryDocument, operationName string, variables map[string]any, whole bool) (Price, error) {
	chosen := doc.Operations.ForName(operationName)
	if err := g.checkVariables(variables); err != nil {
		return Price{}, err
	}
	m, err := g.measure(doc, chosen, whole)
	if err != nil {
		return m.price, err
	}
	p := pricer{guard: g, document: &m, operation: chosen, variables: variables}
	p.pairs, p.work = m.price.Pairs, m.price.Work
	if chosen != nil {
		cost, err := p.root(chosen.SelectionSet, g.model.root(chosen.Operation))
		m.price.Cost, m.price.Pairs, m.price.Work, m.price.Varies = cost, p.pairs, p.work, p.varies
		if err != nil {
			return m.price, err
		}
	}
	if whole {
		for _, o := range doc.Operations {
			if o == chosen {
				continue
			}
			if _, err := p.root(o.SelectionSet, nil); err != nil {
				return m.price, err
			}
		}
		for _, f := range doc.Fragments {
			if _, err := p.root(f.SelectionSet, nil); err != nil {
				return m.price, err
			}
		}
		m.price.Pairs, m.price.Work = p.pairs, p.work
	}
	if m.price.Cost > g.limits.Cost {
		return m.price, exceeds("cost", m.price.Cost, g.limits.Cost,
			"the operation costs %d; at most %d is allowed: ask for smaller pages, or for fewer lists inside lists")
	}
	return m.price, nil
}
