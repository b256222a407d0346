package graph_test

import (
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/uuid"

	"github.com/collegium/collegium/internal/node"
	"github.com/collegium/collegium/internal/viewer"
)

// TestAuditTrail: what a mutation wrote stands in the audit, with who asked and in
// which request, and only administrators read it.
func TestAuditTrail(t *testing.T) {
	t.Parallel()
	db := demoDB(t)
	h := graphOn(t, db)
	const id = "01920000-0000-7000-8000-000000000001"
	mustExec(t, db, `INSERT INTO accounts (id, email) VALUES ('`+id+`', 'admin@example.org')`)
	mustExec(t, db, `INSERT INTO account_roles (account_id, role) VALUES ('`+id+`', 'ADMINISTRATOR')`)
	admin := viewer.New(viewer.SignedIn | viewer.Administrator)
	admin.Account = uuid.MustParse(id)
	if a := asked(t, h, admin, `mutation { signOutEverywhere { signedOut } }`); len(a.Errors) > 0 {
		t.Fatalf("%+v", a.Errors)
	}
	const query = `{ auditTrail(first: 1) {
		nodes { operation table rows columns actor actorRoles application request subject } pageInfo { hasNextPage }
	} }`
	opaque := node.ID("Account", admin.Account)
	want := map[string]any{"auditTrail": map[string]any{
		"nodes": []any{map[string]any{
			"operation": "UPDATE", "table": "accounts", "rows": 1.0, "columns": []any{"epoch"}, "actor": opaque,
			"actorRoles": []any{"ADMINISTRATOR"}, "application": nil, "request": "test", "subject": opaque,
		}},
		"pageInfo": map[string]any{"hasNextPage": true},
	}}
	a := asked(t, h, admin, query)
	if diff := cmp.Diff(want, a.Data); diff != "" || len(a.Errors) > 0 {
		t.Errorf("what an administrator reads (-want +got)\n%s\n%v", diff, a.Errors)
	}
	for code, standing := range map[string]viewer.Standing{
		"UNAUTHENTICATED": 0, "FORBIDDEN": viewer.SignedIn | viewer.HasRecord | viewer.CurrentMember | viewer.MembershipOfficer | viewer.Editor,
	} {
		v := viewer.New(standing)
		if standing != 0 {
			v.Account = uuid.New()
		}
		a := asked(t, h, v, query)
		if at(a.Data, "auditTrail") != nil || len(a.Errors) != 1 || a.Errors[0].Extensions["code"] != code {
			t.Errorf("to others: %v %v, want %s", a.Data, a.Errors, code)
		}
	}
}
