package graph

import (
	"errors"
	"fmt"
	"maps"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/vektah/gqlparser/v2/ast"

	"github.com/collegium/collegium/graph/gen"
)

// cacheRule says who may keep an answer.
type cacheRule struct {
	// private says that nobody may.
	private bool
	// maxAge is for how long it may be kept by others than this process. Zero: for as
	// long as any.
	maxAge time.Duration
}

// and returns what holds for an answer for which both rules hold.
func (r cacheRule) and(other cacheRule) cacheRule {
	age := min(r.maxAge, other.maxAge)
	if age == 0 {
		age = max(r.maxAge, other.maxAge)
	}
	return cacheRule{private: r.private || other.private, maxAge: age}
}

// cacheRules are those of the fields, by type and name, as @cacheControl says. A
// field of an interface has the rules of that field in all types behind it.
type cacheRules map[*ast.Definition]map[string]cacheRule

// newCacheRules reads the rules of a schema. It fails if a root field, or a field
// that is read on its own (an edge), says nothing: a field that is new is kept by
// nobody before somebody has thought about it.
func newCacheRules(schema *ast.Schema, edges map[string]bool) (cacheRules, error) {
	rules := cacheRules{}
	var wrong []error
	for _, name := range slices.Sorted(maps.Keys(schema.Types)) {
		def := schema.Types[name]
		if def.Kind != ast.Object || strings.HasPrefix(name, "__") || def == schema.Mutation {
			continue
		}
		fields := make(map[string]cacheRule, len(def.Fields))
		for _, f := range def.Fields {
			if strings.HasPrefix(f.Name, "__") {
				continue // what the schema holds is the same for everyone
			}
			rule, err := ruleOf(f.Directives)
			ofType := cacheRule{}
			said := f.Directives.ForName(cacheControl) != nil
			for _, t := range schema.GetPossibleTypes(schema.Types[f.Type.Name()]) {
				r, e := ruleOf(t.Directives)
				ofType, err = ofType.and(r), errors.Join(err, e)
				said = said || def != schema.Query && t.Directives.ForName(cacheControl) != nil && t.Name == f.Type.Name()
			}
			if err != nil {
				wrong = append(wrong, fmt.Errorf("%s.%s: %w", name, f.Name, err))
			}
			if !said && (def == schema.Query || edges[strings.ToLower(name+"."+f.Name)]) {
				wrong = append(wrong, fmt.Errorf("%s.%s says not who may keep its answer; give it @cacheControl(scope: PUBLIC), "+
					"or PRIVATE if it depends on who asks", name, f.Name))
			}
			fields[f.Name] = rule.and(ofType)
		}
		rules[def] = fields
	}
	for _, def := range schema.Types {
		if def.Kind != ast.Interface {
			continue
		}
		fields := make(map[string]cacheRule, len(def.Fields))
		for _, f := range def.Fields {
			rule, err := ruleOf(f.Directives)
			if err != nil {
				wrong = append(wrong, fmt.Errorf("%s.%s: %w", def.Name, f.Name, err))
			}
			for _, t := range schema.GetPossibleTypes(def) {
				rule = rule.and(rules[t][f.Name])
			}
			fields[f.Name] = rule
		}
		rules[def] = fields
	}
	return rules, errors.Join(wrong...)
}

const cacheControl = "cacheControl"

// ruleOf returns the rule that the directives of a field or a type give.
func ruleOf(list ast.DirectiveList) (r cacheRule, err error) {
	d := list.ForName(cacheControl)
	if d == nil {
		return r, nil
	}
	if a := d.Arguments.ForName("scope"); a != nil {
		r.private = a.Value.Raw == "PRIVATE"
	}
	if a := d.Arguments.ForName("maxAge"); a != nil && a.Value.Kind != ast.NullValue {
		seconds, err := strconv.Atoi(a.Value.Raw)
		if err != nil || seconds < 1 || seconds > 365*24*3600 {
			return r, fmt.Errorf("@cacheControl has maxAge %s; it must be a number of seconds from 1", a.Value)
		}
		r.maxAge = time.Duration(seconds) * time.Second
	}
	return r, nil
}

// operation returns the rule of a whole operation: that of all its fields together,
// those of its fragments and those under @skip and @include too. Only queries can
// be kept.
func (rules cacheRules) operation(op *ast.OperationDefinition) cacheRule {
	rule := cacheRule{private: op.Operation != ast.Query}
	seen := map[*ast.FragmentDefinition]bool{}
	var walk func(set ast.SelectionSet)
	walk = func(set ast.SelectionSet) {
		for _, s := range set {
			switch s := s.(type) {
			case *ast.Field:
				if !strings.HasPrefix(s.Name, "__") && !strings.HasPrefix(s.ObjectDefinition.Name, "__") {
					r, known := rules[s.ObjectDefinition][s.Name]
					if !known {
						r.private = true
					}
					rule = rule.and(r)
				}
				walk(s.SelectionSet)
			case *ast.InlineFragment:
				walk(s.SelectionSet)
			case *ast.FragmentSpread:
				if !seen[s.Definition] {
					seen[s.Definition] = true
					walk(s.Definition.SelectionSet)
				}
			}
		}
	}
	walk(op.SelectionSet)
	return rule
}

// edges returns the fields for which gqlgen wants a resolver, as "type.field" in
// small letters: all that is not read from the struct of its object.
func edges() map[string]bool {
	all := map[string]bool{}
	root := reflect.TypeFor[gen.ResolverRoot]()
	for i := range root.NumMethod() {
		of := root.Method(i)
		for j := range of.Type.Out(0).NumMethod() {
			all[strings.ToLower(of.Name+"."+of.Type.Out(0).Method(j).Name)] = true
		}
	}
	return all
}
