package graph

import (
	"context"

	"github.com/google/uuid"

	"github.com/collegium/collegium/graph/union"
	"github.com/collegium/collegium/internal/node"
	"github.com/collegium/collegium/internal/viewer"
)

// nodes reads things of any type by their IDs, null where there is none that the
// viewer may see: at most one statement for each type. arg names the argument in
// errors.
func (r *Resolver) nodes(ctx context.Context, arg string, opaque []string) ([]union.Node, error) {
	type ref struct {
		typeName string
		id       uuid.UUID
	}
	refs := make([]ref, len(opaque))
	byType := map[string][]uuid.UUID{}
	for i, o := range opaque {
		typeName, id, err := node.Parse(arg, o)
		if err != nil {
			return nil, err
		}
		refs[i] = ref{typeName, id}
		byType[typeName] = append(byType[typeName], id)
	}
	v := viewer.From(ctx)
	found := map[ref]union.Node{}
	for typeName, ids := range byType {
		ids = unique(ids)
		add := func(id uuid.UUID, n union.Node) { found[ref{typeName, id}] = n }
		var err error
		switch typeName {
		case "Menu":
			err = addNodes(ctx, v, ids, r.nav(ctx).MenusByID, add)
		case "MenuItem":
			err = addNodes(ctx, v, ids, r.nav(ctx).ItemsByID, add)
		case "Page":
			err = addNodes(ctx, v, ids, r.content(ctx).PagesByID, add)
		case "Document":
			err = addNodes(ctx, v, ids, r.content(ctx).DocumentsByID, add)
		case "SpecialistSection":
			err = addNodes(ctx, v, ids, r.units(ctx).SectionsByID, add)
		case "Region":
			err = addNodes(ctx, v, ids, r.units(ctx).RegionsByID, add)
		case "Committee":
			err = addNodes(ctx, v, ids, r.units(ctx).CommitteesByID, add)
		case "Post":
			err = addNodes(ctx, v, ids, r.units(ctx).PostsByID, add)
		case "Term":
			err = addNodes(ctx, v, ids, r.db.units.TermsByID, add)
		case "MemberRecord":
			err = addNodes(ctx, v, ids, r.db.register.Records, add)
		case "MembershipApplication":
			err = addNodes(ctx, v, ids, r.db.register.ApplicationsByID, add)
		case "CaseStudy":
			err = addNodes(ctx, v, ids, r.career(ctx).ByID, add)
		case "Member":
			err = addNodes(ctx, v, ids, r.db.members.ByID, add)
		case "Account":
			err = addNodes(ctx, v, ids, r.accounts.AccountsByID, add)
		case "PartnerApplication":
			err = addNodes(ctx, v, ids, r.accounts.PartnerApplicationsByID, add)
		case "ApplicationKey":
			err = addNodes(ctx, v, ids, r.accounts.KeysByID, add)
		}
		if err != nil {
			return nil, err
		}
	}
	nodes := make([]union.Node, len(refs))
	for i := range refs {
		nodes[i] = found[refs[i]]
	}
	return nodes, nil
}

func addNodes[T union.Node](ctx context.Context, v viewer.Viewer, ids []uuid.UUID, load func(context.Context, viewer.Viewer, []uuid.UUID) (map[uuid.UUID]T, error), add func(uuid.UUID, union.Node)) error {
	byID, err := load(ctx, v, ids)
	for id, n := range byID {
		add(id, n)
	}
	return err
}
