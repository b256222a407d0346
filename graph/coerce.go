package graph

import (
	"encoding/json"
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"

	"github.com/vektah/gqlparser/v2/ast"
	"github.com/vektah/gqlparser/v2/gqlerror"

	"github.com/collegium/collegium/graph/scalar"
)

// checkVariables holds the variables of a request to the types that the operation
// gives them (GraphQL specification section 6.1.2), before anything runs. gqlgen
// alone takes a number for a String and finds a wrong Int only when the field that
// uses it runs.
func checkVariables(schema *ast.Schema, op *ast.OperationDefinition, variables map[string]any) *gqlerror.Error {
	for _, def := range op.VariableDefinitions {
		v, sent := variables[def.Variable]
		if !sent {
			if def.Type.NonNull && def.DefaultValue == nil {
				return coded(BadUserInput, "the variable $%s is missing; it must be of type %s", def.Variable, def.Type)
			}
			continue
		}
		if err := checkValue(schema, def.Type, v, "$"+def.Variable); err != nil {
			return coded(BadUserInput, "%s", err)
		}
	}
	return nil
}

// asSent tells whether variables that have passed checkVariables need no coercion:
// each is a scalar, an enum value or null, and none is left out that has a default.
func asSent(schema *ast.Schema, op *ast.OperationDefinition, variables map[string]any) bool {
	for _, def := range op.VariableDefinitions {
		v, sent := variables[def.Variable]
		switch {
		case !sent && def.DefaultValue != nil:
			return false
		case v != nil && (def.Type.Elem != nil || schema.Types[def.Type.NamedType].Kind == ast.InputObject):
			return false
		}
	}
	return true
}

func checkValue(schema *ast.Schema, t *ast.Type, v any, at string) error {
	if v == nil {
		if t.NonNull {
			return fmt.Errorf("%s is null; it must be of type %s", at, t)
		}
		return nil
	}
	if t.Elem != nil {
		list, ok := v.([]any)
		if !ok { // one value stands for a list of one (section 3.11)
			return checkValue(schema, t.Elem, v, at)
		}
		for i, e := range list {
			if err := checkValue(schema, t.Elem, e, at+"["+strconv.Itoa(i)+"]"); err != nil {
				return err
			}
		}
		return nil
	}
	def := schema.Types[t.NamedType]
	switch def.Kind {
	case ast.InputObject:
		return checkInput(schema, def, v, at)
	case ast.Enum:
		s, ok := v.(string)
		if !ok || def.EnumValues.ForName(s) == nil {
			names := make([]string, len(def.EnumValues))
			for i, e := range def.EnumValues {
				names[i] = e.Name
			}
			return fmt.Errorf("%s is %s; it must be one of %s", at, shown(v), strings.Join(names, ", "))
		}
		return nil
	default:
		if err := checkScalar(def.Name, v); err != nil {
			return fmt.Errorf("%s: %w", at, err)
		}
		return nil
	}
}

func checkInput(schema *ast.Schema, def *ast.Definition, v any, at string) error {
	fields, ok := v.(map[string]any)
	if !ok {
		return fmt.Errorf("%s is %s; it must be an object with the fields of %s", at, shown(v), def.Name)
	}
	known := make([]string, len(def.Fields))
	for i, f := range def.Fields {
		known[i] = f.Name
		value, sent := fields[f.Name]
		if !sent {
			if f.Type.NonNull && f.DefaultValue == nil {
				return fmt.Errorf("%s.%s is missing; it must be of type %s", at, f.Name, f.Type)
			}
			continue
		}
		if err := checkValue(schema, f.Type, value, at+"."+f.Name); err != nil {
			return err
		}
	}
	for name := range fields {
		if !slices.Contains(known, name) {
			return fmt.Errorf("%s has a field %.40q, which %s has not; it has %s", at, name, def.Name, strings.Join(known, ", "))
		}
	}
	return nil
}

// checkScalar holds a value, as JSON decodes it with numbers kept, to a scalar.
func checkScalar(name string, v any) (err error) {
	switch name {
	case "Int":
		_, err = scalar.UnmarshalInt(v)
	case "Float":
		n, ok := v.(json.Number)
		if f, e := n.Float64(); !ok || e != nil || math.IsInf(f, 0) {
			err = fmt.Errorf("%s is not a Float; pass a number, as 1.5", shown(v))
		}
	case "Boolean":
		if _, ok := v.(bool); !ok {
			err = fmt.Errorf("%s is not a Boolean; pass true or false", shown(v))
		}
	case "ID":
		switch v := v.(type) {
		case string:
			err = checkText(v)
		case json.Number:
			if _, e := v.Int64(); e != nil {
				err = fmt.Errorf("%s is not an ID; pass an ID that the graph returned", shown(v))
			}
		default:
			err = fmt.Errorf("%s is not an ID; pass an ID that the graph returned", shown(v))
		}
	case "Date":
		_, err = scalar.UnmarshalDate(v)
	case "DateTime":
		_, err = scalar.UnmarshalDateTime(v)
	case "URL":
		_, err = scalar.UnmarshalURL(v)
	default:
		s, ok := v.(string)
		if !ok {
			return fmt.Errorf("%s is not a %s; pass a string", shown(v), name)
		}
		err = checkText(s)
	}
	return err
}

// checkText refuses what no text of the graph can hold.
func checkText(s string) error {
	if strings.ContainsRune(s, 0) {
		return fmt.Errorf("%s holds the character U+0000; leave it out", shown(s))
	}
	return nil
}

// shown returns a value as it stands in JSON, cut short.
func shown(v any) string {
	switch v := v.(type) {
	case string:
		return strconv.Quote(cut(v))
	case json.Number:
		return cut(v.String())
	case []any:
		return "a list"
	case map[string]any:
		return "an object"
	default:
		return fmt.Sprint(v)
	}
}

func cut(s string) string {
	if r := []rune(s); len(r) > 40 {
		return string(r[:40]) + "…"
	}
	return s
}

// checkLiterals holds the values written in a valid document to the scalars whose
// rules the validator does not know: a day must be a day, and no text holds U+0000.
func checkLiterals(doc *ast.QueryDocument) *gqlerror.Error {
	var wrong *gqlerror.Error
	var value func(v *ast.Value)
	value = func(v *ast.Value) {
		if wrong != nil || v == nil {
			return
		}
		for _, child := range v.Children {
			value(child.Value)
		}
		if v.Kind != ast.StringValue && v.Kind != ast.BlockValue || v.Definition == nil || v.Definition.Kind != ast.Scalar {
			return
		}
		if err := checkScalar(v.Definition.Name, v.Raw); err != nil {
			wrong = coded(BadUserInput, "%s", err)
			if v.Position != nil {
				wrong.Locations = []gqlerror.Location{{Line: v.Position.Line, Column: v.Position.Column}}
			}
		}
	}
	arguments := func(list ast.ArgumentList) {
		for _, a := range list {
			value(a.Value)
		}
	}
	var set func(s ast.SelectionSet)
	set = func(s ast.SelectionSet) {
		for _, sel := range s {
			switch sel := sel.(type) {
			case *ast.Field:
				arguments(sel.Arguments)
				for _, d := range sel.Directives {
					arguments(d.Arguments)
				}
				set(sel.SelectionSet)
			case *ast.InlineFragment:
				set(sel.SelectionSet)
			}
		}
	}
	for _, op := range doc.Operations {
		for _, def := range op.VariableDefinitions {
			value(def.DefaultValue)
		}
		set(op.SelectionSet)
	}
	for _, f := range doc.Fragments {
		set(f.SelectionSet)
	}
	return wrong
}
