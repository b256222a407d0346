package graph_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/uuid"

	"github.com/collegium/collegium/internal/node"
	"github.com/collegium/collegium/internal/pg"
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

// TestConsentsAndErasure: a member agrees, reads it, asks to be erased, is erased by
// the office when the wait is over, and reads the certificate; nobody else learns
// of any of it.
func TestConsentsAndErasure(t *testing.T) {
	t.Parallel()
	db := demoDB(t)
	h := graphOn(t, db)
	const id = "01920000-0000-7000-8000-0000000000a2"
	mustExec(t, db, `INSERT INTO accounts (id, email, member_id) SELECT '`+id+`', 'ada@example.org', m.id FROM members m ORDER BY m.key LIMIT 1`)
	mustExec(t, db, `UPDATE members SET listing_audience = 'PUBLIC', display_name = 'Kanari Ada', sort_name = 'Kanari Ada'
		WHERE id = (SELECT member_id FROM accounts WHERE id = '`+id+`')`)
	memberID, err := pg.Scalar[uuid.UUID](t.Context(), db, `SELECT member_id FROM accounts WHERE id = '`+id+`'`)
	if err != nil {
		t.Fatal(err)
	}
	ada := viewer.New(viewer.SignedIn | viewer.HasRecord | viewer.CurrentMember)
	ada.Account, ada.MemberID, ada.Session = uuid.MustParse(id), memberID, uuid.New()
	mustExec(t, db, `INSERT INTO sessions (id, token_sha256, account_id, epoch, created_at, expires_at)
		VALUES ('`+ada.Session.String()+`', sha256('ada'), '`+id+`', 1, now() - interval '16 minutes', now() + interval '1 day')`)
	opaque := node.ID("Member", memberID)
	office := viewer.New(viewer.SignedIn | viewer.MembershipOfficer)
	office.Account = uuid.MustParse("01920000-0000-7000-8000-0000000000c2")
	mustExec(t, db, `INSERT INTO accounts (id, email) VALUES ('01920000-0000-7000-8000-0000000000c2', 'office@example.com')`)
	other := viewer.New(viewer.SignedIn | viewer.HasRecord | viewer.CurrentMember)
	other.Account, other.MemberID = uuid.New(), uuid.New()

	want := func(what string, got answer, want map[string]any, codes ...string) {
		t.Helper()
		var have []string
		for _, e := range got.Errors {
			have = append(have, fmt.Sprint(e.Extensions["code"]))
		}
		if diff := cmp.Diff(codes, have); diff != "" {
			t.Errorf("%s: the errors (-want +got)\n%s%+v", what, diff, got.Errors)
		}
		if want == nil {
			return
		}
		if diff := cmp.Diff(want, got.Data); diff != "" {
			t.Errorf("%s (-want +got)\n%s", what, diff)
		}
	}
	obj := func(pairs ...any) map[string]any {
		m := map[string]any{}
		for i := 0; i < len(pairs); i += 2 {
			m[pairs[i].(string)] = pairs[i+1]
		}
		return m
	}
	none := []any{}
	give := `mutation { giveConsent(input: {purpose: "NEWSLETTER", version: 1}) { consent { given upToDate } userErrors { code } } }`
	want("agree", asked(t, h, ada, give), obj("giveConsent", obj("consent", obj("given", true, "upToDate", true), "userErrors", none)))
	want("a text that is not published", asked(t, h, ada, `mutation { giveConsent(input: {purpose: "NEWSLETTER", version: 2}) { consent { given } userErrors { code } } }`),
		obj("giveConsent", obj("consent", nil, "userErrors", []any{obj("code", "INVALID")})))
	want("anyone agrees", asked(t, h, viewer.Viewer{}, give), nil, "UNAUTHENTICATED")
	consents := `{ member(id: "` + opaque + `") { displayName consents { purpose given decisions { version } } } }`
	read := obj("member", obj("displayName", "Kanari Ada", "consents", []any{
		obj("purpose", "NEWSLETTER", "given", true, "decisions", []any{obj("version", 1.0)}),
		obj("purpose", "PUBLICITY", "given", false, "decisions", none), obj("purpose", "RESEARCH", "given", false, "decisions", none),
	}))
	hidden := obj("member", obj("displayName", "Kanari Ada", "consents", nil))
	want("the member reads it", asked(t, h, ada, consents), read)
	want("the office reads it", asked(t, h, office, consents), read)
	want("another reads it", asked(t, h, other, consents), hidden)
	want("anyone reads it", asked(t, h, viewer.Viewer{}, consents), hidden)
	withdraw := `mutation { withdrawConsent(input: {purpose: "NEWSLETTER"}) { consent { given } userErrors { code } } }`
	want("take it back", asked(t, h, ada, withdraw), obj("withdrawConsent", obj("consent", obj("given", false), "userErrors", none)))

	export := asked(t, h, ada, `{ exportMyData { json schema } }`)
	if text, _ := at(export.Data, "exportMyData", "json").(string); !strings.Contains(text, "Kanari Ada") || !strings.Contains(text, "ada@example.org") {
		t.Errorf("the export is %s", text)
	}

	const erasing = `{ erasure { id status } userErrors { code } }`
	want("another asks", asked(t, h, other, `mutation { eraseMember(input: {member: "`+opaque+`"}) `+erasing+` }`), nil, "FORBIDDEN")
	want("who signed in long ago", asked(t, h, ada, `mutation { eraseMember(input: {}) `+erasing+` }`),
		obj("eraseMember", obj("erasure", nil, "userErrors", []any{obj("code", "SIGN_IN_AGAIN")})))
	mustExec(t, db, `UPDATE sessions SET created_at = now()`)
	asks := asked(t, h, ada, `mutation { eraseMember(input: {}) `+erasing+` }`)
	erasureID, _ := at(asks.Data, "eraseMember", "erasure", "id").(string)
	waiting := obj("erasure", obj("id", erasureID, "status", "WAITING"), "userErrors", none)
	want("the member asks", asks, obj("eraseMember", waiting))
	want("the office asks too", asked(t, h, office, `mutation { eraseMember(input: {member: "`+opaque+`"}) `+erasing+` }`), obj("eraseMember", waiting))
	execute := `mutation { executeErasure(input: {id: "` + erasureID + `"}) ` + erasing + ` }`
	want("too early", asked(t, h, office, execute), obj("executeErasure", obj("erasure", nil, "userErrors", []any{obj("code", "NOT_YET")})))
	want("another takes it back", asked(t, h, other, `mutation { cancelErasure(input: {id: "`+erasureID+`"}) `+erasing+` }`),
		obj("cancelErasure", obj("erasure", nil, "userErrors", []any{obj("code", "NOT_FOUND")})))
	certificate := `{ erasureCertificate(id: "` + erasureID + `") { byStaff erased { table } kept { table rule } } }`
	want("no certificate yet", asked(t, h, viewer.Viewer{}, certificate), obj("erasureCertificate", nil))
	mustExec(t, db, `UPDATE erasures SET due_at = now()`)
	want("the member executes", asked(t, h, ada, execute), nil, "FORBIDDEN")
	want("the office executes", asked(t, h, office, execute),
		obj("executeErasure", obj("erasure", obj("id", erasureID, "status", "DONE"), "userErrors", none)))
	done := asked(t, h, viewer.Viewer{}, certificate)
	if kept := texts(list(done.Data, "erasureCertificate", "kept"), "rule"); len(kept) < 2 || len(done.Errors) > 0 {
		t.Errorf("the certificate: %+v", done)
	}
	want("nobody finds them", asked(t, h, viewer.Viewer{}, `{ member(id: "`+opaque+`") { displayName } members(filter: {text: "Kanari"}) { totalCount } }`),
		obj("member", nil, "members", obj("totalCount", 0.0)))
	want("the office finds out no more", asked(t, h, office, `mutation { eraseMember(input: {member: "`+opaque+`"}) `+erasing+` }`),
		obj("eraseMember", obj("erasure", nil, "userErrors", []any{obj("code", "NOT_FOUND")})))
}
