package graph

import (
	"unsafe"

	"github.com/vektah/gqlparser/v2/ast"
)

// What the parts of a parsed document take, each with its position and its place
// in a list.
const (
	position    = int(unsafe.Sizeof(ast.Position{})) + 8
	inList      = 24
	sizeField   = int(unsafe.Sizeof(ast.Field{})) + position + inList
	sizeInline  = int(unsafe.Sizeof(ast.InlineFragment{})) + position + inList
	sizeSpread  = int(unsafe.Sizeof(ast.FragmentSpread{})) + position + inList
	sizeValue   = int(unsafe.Sizeof(ast.Value{})) + position
	sizeArg     = int(unsafe.Sizeof(ast.Argument{})) + position + inList
	sizeChild   = int(unsafe.Sizeof(ast.ChildValue{})) + position + inList
	sizeApplied = int(unsafe.Sizeof(ast.Directive{})) + position + inList
	sizeVar     = int(unsafe.Sizeof(ast.VariableDefinition{})) + position + inList + 2*(int(unsafe.Sizeof(ast.Type{}))+position)
	sizeOp      = int(unsafe.Sizeof(ast.OperationDefinition{})) + position + inList + int(unsafe.Sizeof(cacheRule{}))
	sizeDoc     = int(unsafe.Sizeof(document{})) + int(unsafe.Sizeof(ast.QueryDocument{})) + int(unsafe.Sizeof(ast.Source{})) + 384
)

// size returns about how many bytes a document takes in memory.
func size(text string, doc *ast.QueryDocument) int {
	n := sizeDoc + len(text)
	for _, op := range doc.Operations {
		n += sizeOp + sizeDirectives(op.Directives) + sizeSelections(op.SelectionSet)
		for _, v := range op.VariableDefinitions {
			n += sizeVar + sizeOf(v.DefaultValue) + sizeDirectives(v.Directives)
		}
	}
	for _, f := range doc.Fragments {
		n += sizeOp + sizeDirectives(f.Directives) + sizeSelections(f.SelectionSet)
	}
	return n
}

func sizeSelections(set ast.SelectionSet) int {
	n := 0
	for _, s := range set {
		switch s := s.(type) {
		case *ast.Field:
			n += sizeField + sizeArguments(s.Arguments) + sizeDirectives(s.Directives) + sizeSelections(s.SelectionSet)
		case *ast.InlineFragment:
			n += sizeInline + sizeDirectives(s.Directives) + sizeSelections(s.SelectionSet)
		case *ast.FragmentSpread:
			n += sizeSpread + sizeDirectives(s.Directives)
		}
	}
	return n
}

func sizeDirectives(list ast.DirectiveList) int {
	n := 0
	for _, d := range list {
		n += sizeApplied + sizeArguments(d.Arguments)
	}
	return n
}

func sizeArguments(list ast.ArgumentList) int {
	n := 0
	for _, a := range list {
		n += sizeArg + sizeOf(a.Value)
	}
	return n
}

func sizeOf(v *ast.Value) int {
	if v == nil {
		return 0
	}
	n := sizeValue
	for _, c := range v.Children {
		n += sizeChild + sizeOf(c.Value)
	}
	return n
}
