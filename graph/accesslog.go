package graph

import (
	"context"

	"github.com/vektah/gqlparser/v2/ast"

	"github.com/collegium/collegium/internal/member"
	"github.com/collegium/collegium/internal/reads"
	"github.com/collegium/collegium/internal/server"
	"github.com/collegium/collegium/internal/viewer"
)

// logged answers an operation of who may see of members what is not for everyone, and
// has what it read written down.
func (h *Handler) logged(ctx context.Context, o *operation, run func(context.Context) server.Result) server.Result {
	v := viewer.From(ctx)
	if h.accessLog == nil || v.Sight().Public() {
		return run(ctx)
	}
	ctx, read := reads.With(ctx)
	defer func() { h.accessLog.Add(ctx, v, read, o.ofMembers) }()
	return run(ctx)
}

// memberFields are the fields of the type Member that stand with the member.
var memberFields = map[string]member.ProfileField{
	"displayName": member.Listing, "pronouns": member.Pronouns, "headline": member.Headline, "bio": member.Bio,
	"grade": member.OfGrade, "region": member.OfRegion, "joinedOn": member.JoinedOn, "sections": member.OfSections,
}

// fieldsOfMembers returns the fields of members that an operation asks for, also those
// under @skip and @include.
func fieldsOfMembers(op *ast.OperationDefinition) (fields member.FieldSet) {
	seen := map[*ast.FragmentDefinition]bool{}
	var walk func(set ast.SelectionSet)
	walk = func(set ast.SelectionSet) {
		for _, s := range set {
			switch s := s.(type) {
			case *ast.Field:
				if s.ObjectDefinition.Name == "Member" {
					if f, ok := memberFields[s.Name]; ok {
						fields |= member.SetOf(f)
					}
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
	return fields
}
