package graph_test

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/uuid"

	"github.com/collegium/collegium/internal/node"
)

// said is the first user error of a payload as text, and empty if it has none.
func said(a answer, root string) string {
	payload, _ := a.Data[root].(map[string]any)
	e, _ := at(payload, "userErrors", 0).(map[string]any)
	if e == nil {
		return fmt.Sprint(a.Errors)[len("[") : len(fmt.Sprint(a.Errors))-1]
	}
	field := []string{}
	for _, part := range list(e, "field") {
		field = append(field, fmt.Sprint(part))
	}
	return fmt.Sprint(e["code"], " ", strings.Join(field, "."), ": ", e["message"])
}

// TestCorrections: the office corrects a name and a region, a member chooses the own
// region; and lists are in the order of the new name.
func TestCorrections(t *testing.T) {
	t.Parallel()
	db := demoDB(t)
	h := graphOn(t, db, withJobs(t))
	do := asking(t, h)
	const own = `(SELECT member_id FROM accounts WHERE email = 'member@example.org')`
	mustExec(t, db, `UPDATE members SET listing_audience = 'NOBODY', region_id = NULL WHERE id = `+own)
	mustExec(t, db, `INSERT INTO section_memberships (member_id, section_id, starts_on)
		SELECT `+own+`, id, '2001-01-01' FROM units u WHERE kind = 'SPECIALIST_SECTION'
			AND NOT EXISTS (SELECT FROM section_memberships sm WHERE sm.member_id = `+own+`)`)
	office, member := signedIn(t, h, db, "membership"), signedIn(t, h, db, "member")
	record := at(do(member, `{ viewer { record { id } } }`).Data, "viewer", "record", "id").(string)
	regions := list(do(office, `{ regions { id slug } }`).Data, "regions")
	slug, id := at(regions[0], "slug").(string), at(regions[1], "id").(string)
	correct := func(input string) string {
		return `mutation { correctMember(input: {member: "` + record + `", ` + input + `}) { record { displayName sortName region { slug } account { email } } userErrors { code field message } } }`
	}
	if a := decode(t, h.Execute(member, params(correct(`displayName: "X"`), nil)).Body); len(a.Errors) != 1 || a.Errors[0].Extensions["code"] != "FORBIDDEN" {
		t.Errorf("a member corrects: %+v", a)
	}
	for _, tt := range []struct {
		input string
		want  any
	}{
		{`displayName: " Ada  Byron King ", region: "` + strings.ToUpper(slug) + `"`, map[string]any{"displayName": "Ada Byron King", "sortName": "King, Ada Byron", "region": map[string]any{"slug": slug}, "account": nil}},
		{`sortName: "Byron King, Ada"`, map[string]any{"displayName": "Ada Byron King", "sortName": "Byron King, Ada", "region": map[string]any{"slug": slug}, "account": nil}},
		{`region: "` + id + `"`, map[string]any{"displayName": "Ada Byron King", "sortName": "Byron King, Ada", "region": map[string]any{"slug": at(regions[1], "slug")}, "account": nil}},
		{`region: ""`, map[string]any{"displayName": "Ada Byron King", "sortName": "Byron King, Ada", "region": nil, "account": nil}},
	} {
		a := do(office, correct(tt.input))
		if diff := cmp.Diff(tt.want, at(a.Data, "correctMember", "record")); diff != "" {
			t.Errorf("%s (-want +got)\n%s%s", tt.input, diff, said(a, "correctMember"))
		}
	}
	var copies int
	if err := db.QueryRow(t.Context(), `SELECT count(*) FROM section_memberships WHERE member_id = `+own+` AND sort_name <> 'Byron King, Ada'`).Scan(&copies); err != nil || copies > 0 {
		t.Errorf("%d copies have another name (%v)", copies, err)
	}
	for input, want := range map[string]string{
		`displayName: " "`:                 "INVALID input.displayName",
		`displayName: "Ada \u202e x"`:      "INVALID input.displayName",
		`sortName: "Lovelace, Ada"`:        "INVALID input.sortName",
		`region: "atlantis"`:               "INVALID input.region",
		`region: null`:                     "INVALID input:",
		`region: "` + record + `"`:         "INVALID input.region",
		`displayName: "A", sortName: "\t"`: "INVALID input.sortName",
	} {
		if got := said(do(office, correct(input)), "correctMember"); !strings.HasPrefix(got, want) {
			t.Errorf("%s: %q, want %s", input, got, want)
		}
	}
	nobody := strings.ReplaceAll(correct(`displayName: "X"`), record, node.ID("MemberRecord", uuid.New()))
	if got := said(do(office, nobody), "correctMember"); !strings.HasPrefix(got, "INVALID input.member") {
		t.Errorf("nobody: %s", got)
	}
	// The own region.
	revision := func() string {
		return string(must(json.Marshal(at(do(member, `{ viewer { member { profileRevision } } }`).Data, "viewer", "member", "profileRevision"))))
	}
	update := func(input string) answer {
		return do(member, `mutation { updateProfile(input: {expectedRevision: `+revision()+`, `+input+`}) { member { region { slug } } userErrors { code field message } } }`)
	}
	if a := update(`region: "` + slug + `"`); at(a.Data, "updateProfile", "member", "region", "slug") != slug {
		t.Errorf("the own region: %v", a)
	}
	if a := update(`headline: "Hand therapist"`); at(a.Data, "updateProfile", "member", "region", "slug") != slug {
		t.Errorf("the region went: %v", a)
	}
	if got := said(update(`region: "atlantis"`), "updateProfile"); !strings.HasPrefix(got, "INVALID input.region") {
		t.Errorf("no region: %s", got)
	}
	if a := update(`region: ""`); at(a.Data, "updateProfile", "member", "region") != nil || said(a, "updateProfile") != "" {
		t.Errorf("no region any more: %v", a)
	}
	// A lock on somebody whom the directory shows to nobody.
	locked := do(office, `mutation { lockFieldAudience(input: {member: "`+record+`", field: BIO, audience: STAFF, reason: "As asked."}) { member { id } record { displayName } userErrors { code } } }`)
	if diff := cmp.Diff(map[string]any{"member": nil, "record": map[string]any{"displayName": "Ada Byron King"}, "userErrors": []any{}}, locked.Data["lockFieldAudience"]); diff != "" {
		t.Errorf("locked (-want +got)\n%s", diff)
	}
}

func must[T any](v T, err error) T {
	if err != nil {
		panic(err)
	}
	return v
}

// TestRefusalsSayWhy: each says what was wrong and where.
func TestRefusalsSayWhy(t *testing.T) {
	t.Parallel()
	db := demoDB(t)
	h := graphOn(t, db, withJobs(t))
	as := map[string]func(string) answer{}
	for _, role := range []string{"member", "membership", "administrator", "anonymous"} {
		ctx := signedIn(t, h, db, role)
		as[role] = func(query string) answer { return decode(t, h.Execute(ctx, params(query, nil)).Body) }
	}
	const application = "01920000-0000-7000-8000-0000000000e2"
	mustExec(t, db, `DELETE FROM membership_applications`)
	mustExec(t, db, `INSERT INTO membership_applications (id, account_id, display_name, grade, decision, decided_at)
		SELECT '`+application+`', id, 'X', 'STUDENT', 'WITHDRAWN', now() FROM accounts WHERE email = 'editor@example.org'`)
	record := at(as["member"](`{ viewer { record { id } } }`).Data, "viewer", "record", "id").(string)
	const wrong = ` { userErrors { code field message } } }`
	for name, tt := range map[string]struct{ role, query, want string }{
		"stale profile":         {"member", `updateProfile(input: {expectedRevision: 0, headline: "x"})`, "CONFLICT input.expectedRevision: the record has changed since revision 0"},
		"withdrawn":             {"membership", `acceptApplication(input: {application: "` + node.ID("MembershipApplication", uuid.MustParse(application)) + `"})`, "CONFLICT input.application: the applicant has withdrawn"},
		"nothing to confirm":    {"member", `confirmTotp(input: {code: "123456"})`, "CONFLICT input.code: there is nothing to confirm"},
		"another number":        {"membership", `verifyRegistration(input: {member: "` + record + `", number: "OT99999", validUntil: "2028-01-01"})`, "CONFLICT input.number: that is not the number"},
		"not the last version":  {"administrator", `publishConsentText(input: {purpose: "EVENT_NEWS", after: 77, title: "x", text: "y"})`, "CONFLICT input.after: version 77 is not the last one"},
		"no erasure":            {"member", `cancelErasure(input: {id: "` + node.ID("Erasure", uuid.New()) + `"})`, "NOT_FOUND input.id: there is no such erasure"},
		"no account":            {"administrator", `suspendAccount(input: {account: "` + node.ID("Account", uuid.New()) + `"})`, "NOT_FOUND input.account: there is no account"},
		"a wrong password":      {"member", `changePassword(input: {currentPassword: "not it at all", newPassword: "another one 1234"})`, "WRONG_CREDENTIALS input.currentPassword: the current password is wrong"},
		"a wrong password too":  {"member", `beginTotp(input: {currentPassword: "not it at all"})`, "WRONG_CREDENTIALS input.currentPassword: the current password is wrong"},
		"the same password":     {"member", `changePassword(input: {currentPassword: "` + demoPassword + `", newPassword: "` + demoPassword + `"})`, "INVALID input.newPassword: that is the password you have"},
		"an address of nowhere": {"anonymous", `join(input: {email: "a@b", displayName: "Ada", grade: STUDENT})`, "INVALID input.email"},
		"a name turned round":   {"anonymous", `join(input: {email: "a@example.org", displayName: "Ada \u2066x", grade: STUDENT})`, "INVALID input.displayName: leave out"},
	} {
		root, _, _ := strings.Cut(tt.query, "(")
		if got := said(as[tt.role](`mutation { `+tt.query+wrong), root); !strings.HasPrefix(got, tt.want) {
			t.Errorf("%s: %q, want %q", name, got, tt.want)
		}
	}
	for query, field := range map[string]string{
		`{ memberStatistics(filter: {region: "nope"}) { asOf } }`:                                               "filter.region",
		`{ memberStatistics(filter: {section: "nope"}) { asOf } }`:                                              "filter.section",
		`{ members(filter: {section: "nope"}) { nodes { id } } }`:                                               "filter.section",
		`{ members(filter: {region: "nope"}) { nodes { id } } }`:                                                "filter.region",
		`{ register(filter: {region: "nope"}) { nodes { id } } }`:                                               "filter.region",
		`{ register(filter: {section: "nope"}) { nodes { id } } }`:                                              "filter.section",
		`{ therapists(near: {latitude: 51, longitude: 0, withinKm: 5}, section: "nope") { edges { cursor } } }`: "section",
		`{ auditTrail(filter: {table: "nope"}) { nodes { operation } } }`:                                       "filter.table",
	} {
		a := as["administrator"](query)
		if len(a.Errors) != 1 || a.Errors[0].Extensions["code"] != "BAD_USER_INPUT" || !strings.HasPrefix(a.Errors[0].Message, field+": there is no ") {
			t.Errorf("%s: %+v, want an error about %s", query, a, field)
		}
	}
}

// TestAccountsByPages reads all accounts two at a time, to the end and back.
func TestAccountsByPages(t *testing.T) {
	t.Parallel()
	db := demoDB(t)
	h := graphOn(t, db)
	read := func(args string) (emails []string, info map[string]any, total any) {
		a := asked(t, h, administrator, `{ accounts(`+args+`) { totalCount nodes { email } edges { cursor } pageInfo { hasNextPage hasPreviousPage startCursor endCursor } } }`)
		info, _ = at(a.Data, "accounts", "pageInfo").(map[string]any)
		return texts(list(a.Data, "accounts", "nodes"), "email"), info, at(a.Data, "accounts", "totalCount")
	}
	all, _, total := read(`first: 100`)
	if len(all) < 5 || total != float64(len(all)) {
		t.Fatalf("%d accounts, %v in all", len(all), total)
	}
	var forward, backward []string
	page, info, _ := read(`first: 2`)
	for forward = page; info["hasNextPage"] == true; forward = append(forward, page...) {
		page, info, _ = read(`first: 2, after: "` + info["endCursor"].(string) + `"`)
	}
	page, info, _ = read(`last: 2`)
	for backward = page; info["hasPreviousPage"] == true; backward = append(append([]string{}, page...), backward...) {
		page, info, _ = read(`last: 2, before: "` + info["startCursor"].(string) + `"`)
	}
	if diff := cmp.Diff(all, forward); diff != "" {
		t.Errorf("forward (-want +got)\n%s", diff)
	}
	if diff := cmp.Diff(all, backward); diff != "" {
		t.Errorf("backward (-want +got)\n%s", diff)
	}
	member := decode(t, h.Execute(signedIn(t, h, db, "member"), params(`{ viewer { record { number account { email } } } }`, nil)).Body)
	number, _ := at(member.Data, "viewer", "record", "number").(string)
	of := asked(t, h, administrator, `{ register(filter: {text: "`+number+`"}) { nodes { account { email } } } }`)
	if at(member.Data, "viewer", "record", "account", "email") != "member@example.org" || at(of.Data, "register", "nodes", 0, "account", "email") != "member@example.org" {
		t.Errorf("the account of a record is %+v to its member, and %+v to administrators", member, of)
	}
}
