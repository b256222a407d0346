package graph_test

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/uuid"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/collegium/collegium/graph"
	"github.com/collegium/collegium/internal/node"
	"github.com/collegium/collegium/internal/pg"
	"github.com/collegium/collegium/internal/viewer"
)

// generatedMember returns the id of a generated member by its number.
func generatedMember(t *testing.T, db *pgxpool.Pool, key string) uuid.UUID {
	t.Helper()
	id, err := pg.Scalar[uuid.UUID](t.Context(), db, `SELECT id FROM members WHERE key = $1`, key)
	if err != nil {
		t.Fatal(err)
	}
	return id
}

// asMember is a current member who is signed in.
func asMember(id uuid.UUID) viewer.Viewer {
	v := viewer.New(viewer.SignedIn | viewer.HasRecord | viewer.CurrentMember)
	v.MemberID, v.Account = id, uuid.New()
	return v
}

// asOffice is the membership office.
func asOffice() viewer.Viewer {
	v := viewer.New(viewer.SignedIn | viewer.MembershipOfficer)
	v.Account = uuid.New()
	return v
}

// askAs runs an operation as a viewer, without errors.
func askAs(t *testing.T, h *graph.Handler, v viewer.Viewer, query string, variables map[string]any) map[string]any {
	t.Helper()
	sent, err := json.Marshal(variables)
	if err != nil {
		t.Fatal(err)
	}
	d := json.NewDecoder(bytes.NewReader(sent))
	d.UseNumber() // as the server reads them
	if err := d.Decode(&variables); err != nil {
		t.Fatal(err)
	}
	a := decode(t, h.Execute(viewer.With(t.Context(), v), params(query, variables)).Body)
	if len(a.Errors) > 0 {
		t.Fatalf("%s\nerrors: %+v", query, a.Errors)
	}
	return a.Data
}

const wholeProfile = `
	fragment P on Member {
		displayName pronouns headline bio grade joinedOn region { slug } sections { slug } languages specialisms
		contact { email phone website address } practice { town postcode latitude longitude } photo { url width height }
		profileRevision visibility { field } accessLog { pageInfo { hasNextPage } } membership { status } consents { purpose } therapistListing { eligible }
	}`

// TestProfile edits a profile, chooses who sees it, and looks at it with the eyes of
// everyone.
func TestProfile(t *testing.T) {
	t.Parallel()
	db := demoDB(t)
	h := graphOn(t, db)
	id := generatedMember(t, db, "gen-1-0")
	mustExec(t, db, `DELETE FROM member_details WHERE member_id = (SELECT id FROM members WHERE key = 'gen-1-0')`)
	own := asMember(id)
	me := map[string]any{"id": node.ID("Member", id)}
	revision := num(askAs(t, h, own, `query($id: ID!) { member(id: $id) { profileRevision } }`, me), "member", "profileRevision")
	const update = `mutation($input: UpdateProfileInput!) { updateProfile(input: $input) {
		member { ...P profileRevision } userErrors { code field message } } }` + wholeProfile
	got := askAs(t, h, own, update, map[string]any{"input": map[string]any{
		"expectedRevision": revision, "headline": " Hand therapist ", "bio": "", "email": "ada@example.org", "phone": "020 7946 0001",
		"website": "https://ada.example.org/", "languages": []any{"cy", "EN", "en"}, "specialisms": []any{"Hand  Therapy"},
		"practice": map[string]any{"town": "Cardiff", "postcode": "CF10", "latitude": 51.48158, "longitude": -3.17909},
	}})
	if errors := list(got, "updateProfile", "userErrors"); len(errors) > 0 {
		t.Fatalf("update: %v", errors)
	}
	m := at(got, "updateProfile", "member")
	want := map[string]any{
		"headline": "Hand therapist", "bio": nil, "languages": []any{"cy", "en"}, "specialisms": []any{"hand therapy"},
		"contact":  map[string]any{"email": "ada@example.org", "phone": "020 7946 0001", "website": "https://ada.example.org/", "address": nil},
		"practice": map[string]any{"town": "Cardiff", "postcode": "CF10", "latitude": 51.48, "longitude": -3.18},
	}
	for field, value := range want {
		if diff := cmp.Diff(value, at(m, field)); diff != "" {
			t.Errorf("%s (-want +got)\n%s", field, diff)
		}
	}
	if num(m, "profileRevision") <= revision {
		t.Errorf("the revision stays %v", at(m, "profileRevision"))
	}
	for name, tt := range map[string]struct {
		input map[string]any
		code  string
	}{
		"an earlier revision": {map[string]any{"expectedRevision": revision, "headline": "x"}, "CONFLICT"},
		"no address":          {map[string]any{"expectedRevision": revision + 1, "email": "nowhere"}, "INVALID"},
		"a script":            {map[string]any{"expectedRevision": revision + 1, "website": "javascript:alert(1)"}, "INVALID"},
		"half a place":        {map[string]any{"expectedRevision": revision + 1, "practice": map[string]any{"latitude": 51}}, "INVALID"},
		"a bell":              {map[string]any{"expectedRevision": revision + 1, "headline": "a\x07b"}, "INVALID"},
	} {
		got := askAs(t, h, own, update, map[string]any{"input": tt.input})
		if code := at(got, "updateProfile", "userErrors", 0, "code"); code != tt.code || at(got, "updateProfile", "member") != nil {
			t.Errorf("%s: %v, want %s", name, at(got, "updateProfile"), tt.code)
		}
	}

	const choose = `mutation($input: SetFieldAudienceInput!) { setFieldAudience(input: $input) {
		member { visibility { field audience lockedTo reason } } userErrors { code } } }`
	set := func(field, audience string) map[string]any {
		return askAs(t, h, own, choose, map[string]any{"input": map[string]any{"field": field, "audience": audience}})
	}
	set("LISTING", "PUBLIC")
	set("HEADLINE", "MEMBERS")
	set("EMAIL", "PUBLIC")
	const look = `query($id: ID!) { member(id: $id) { headline profileRevision visibility { field } contact { email phone } languages } }`
	if diff := cmp.Diff(map[string]any{
		"headline": nil, "profileRevision": nil, "visibility": nil, "languages": nil,
		"contact": map[string]any{"email": "ada@example.org", "phone": nil},
	}, askAs(t, h, viewer.Viewer{}, look, me)["member"]); diff != "" {
		t.Errorf("seen by anyone (-want +got)\n%s", diff)
	}
	if got := askAs(t, h, asMember(generatedMember(t, db, "gen-1-1")), look, me); at(got, "member", "headline") != "Hand therapist" {
		t.Errorf("seen by a member: %v", got)
	}

	// With the eyes of others it is what others see.
	const viewAs = `query($a: Audience!) { viewAs(audience: $a) { ...P } }` + wholeProfile
	const plain = `query($id: ID!) { member(id: $id) { ...P } }` + wholeProfile
	for audience, other := range map[string]viewer.Viewer{"PUBLIC": {}, "MEMBERS": viewer.New(viewer.CurrentMember), "STAFF": asOffice(), "NOBODY": own} {
		if diff := cmp.Diff(askAs(t, h, other, plain, me)["member"], askAs(t, h, own, viewAs, map[string]any{"a": audience})["viewAs"]); diff != "" {
			t.Errorf("as %s (-seen by them +viewAs)\n%s", audience, diff)
		}
	}
	set("LISTING", "MEMBERS")
	if got := askAs(t, h, own, viewAs, map[string]any{"a": "PUBLIC"}); got["viewAs"] != nil {
		t.Errorf("who is not found is seen: %v", got)
	}

	// The office narrows a field, and the member can't widen it.
	const lock = `mutation($input: LockFieldAudienceInput!) { lockFieldAudience(input: $input) { member { id } userErrors { code message } } }`
	if a := decode(t, h.Execute(viewer.With(t.Context(), own), params(lock, map[string]any{"input": map[string]any{
		"member": me["id"], "field": "EMAIL", "audience": "STAFF", "reason": "x",
	}})).Body); len(a.Errors) == 0 || a.Errors[0].Extensions["code"] != "FORBIDDEN" {
		t.Errorf("a member locks: %+v", a)
	}
	for _, field := range []string{"EMAIL", "HEADLINE"} {
		askAs(t, h, asOffice(), lock, map[string]any{"input": map[string]any{"member": me["id"], "field": field, "audience": "STAFF", "reason": "Harassment."}})
		if got := set(field, "COMMITTEE"); at(got, "setFieldAudience", "userErrors", 0, "code") != "LOCKED" {
			t.Errorf("%s: a locked field is widened: %v", field, got)
		}
		if got := set(field, "NOBODY"); len(list(got, "setFieldAudience", "userErrors")) > 0 {
			t.Errorf("%s: a locked field can't be narrowed: %v", field, got)
		}
	}
	mustExec(t, db, `UPDATE members SET headline_audience = 'PUBLIC' WHERE key = 'gen-1-0'`) // as an import does
	for _, v := range list(set("BIO", "SECTION"), "setFieldAudience", "member", "visibility") {
		if field := at(v, "field"); field == "HEADLINE" && (at(v, "audience") != "STAFF" || at(v, "lockedTo") != "STAFF" ||
			at(v, "reason") != "The membership office sees it, and partners who may read the register. The office keeps it from wider audiences: Harassment.") ||
			field == "BIO" && (at(v, "audience") != "SECTION" || at(v, "lockedTo") != nil) {
			t.Errorf("visibility: %v", v)
		}
	}
	askAs(t, h, asOffice(), lock, map[string]any{"input": map[string]any{"member": me["id"], "field": "EMAIL", "audience": "PUBLIC"}})
	if got := set("EMAIL", "PUBLIC"); len(list(got, "setFieldAudience", "userErrors")) > 0 {
		t.Errorf("the lock has not ended: %v", got)
	}
}

// TestOnlyMembersAreListed: whoever has shown what to whom, others find who is a member today,
// and the office finds the rest too.
func TestOnlyMembersAreListed(t *testing.T) {
	t.Parallel()
	db := demoDB(t)
	h := graphOn(t, db)
	do := asking(t, h)
	type person struct{ ID, RegionID, SectionID uuid.UUID }
	p, err := pg.One[person](t.Context(), db, `
		WITH someone AS (
			UPDATE members SET listing_audience = 'PUBLIC', region_audience = 'PUBLIC', sections_audience = 'PUBLIC', grade_audience = 'PUBLIC', joined_on_audience = 'PUBLIC'
			WHERE id = (SELECT member_id FROM accounts WHERE email = 'member@example.org')
			RETURNING id, region_id
		)
		SELECT s.id, s.region_id, sm.section_id
		FROM someone s
		JOIN section_memberships sm ON sm.member_id = s.id AND sm.ends_on IS NULL
		LIMIT 1`)
	if err != nil {
		t.Fatal(err)
	}
	mustExec(t, db, `DELETE FROM membership_periods WHERE next_on IS NOT NULL AND member_id = '`+p.ID.String()+`'`)
	mustExec(t, db, `UPDATE membership_periods SET starts_on = CURRENT_DATE - 1000, ends_on = NULL WHERE member_id = '`+p.ID.String()+`'`)
	id := node.ID("Member", p.ID)
	query := fmt.Sprintf(`{
		member(id: %[1]q) { id }
		members { totalCount }
		byGrade: members(orderBy: JOINED_ON_DESC) { totalCount }
		region: node(id: %[2]q) { ... on Region { members { totalCount } } }
		section: node(id: %[3]q) { ... on SpecialistSection { members { totalCount } } }
	}`, id, node.ID("Region", p.RegionID), node.ID("SpecialistSection", p.SectionID))
	// found is whether somebody finds the member, in each list alike.
	type counts [4]float64
	ask := func(ctx context.Context) (found bool, n counts) {
		t.Helper()
		a := do(ctx, query)
		for i, path := range [][]any{{"members"}, {"byGrade"}, {"region", "members"}, {"section", "members"}} {
			total, ok := at(a.Data, append(path, "totalCount")...).(float64)
			if !ok {
				t.Fatalf("%v: %v", path, a)
			}
			n[i] = total
		}
		return at(a.Data, "member") != nil, n
	}
	me := signedIn(t, h, db, "member")
	others := map[string]context.Context{"anonymous": t.Context()}
	for _, role := range []string{"officer", "editor", "membership", "administrator"} {
		others[role] = signedIn(t, h, db, role)
	}
	before := map[string]counts{}
	for role, ctx := range others {
		found, n := ask(ctx)
		if !found {
			t.Fatalf("%s does not find a member who shows it to everyone", role)
		}
		before[role] = n
	}
	for _, tt := range []struct {
		status, periods string
		listed          bool
	}{
		{"CURRENT", `UPDATE membership_periods SET ends_on = CURRENT_DATE, ended_how = NULL WHERE member_id = $1 AND next_on IS NULL`, true},
		{"GRACE", `UPDATE membership_periods SET ends_on = CURRENT_DATE - 1 WHERE member_id = $1 AND next_on IS NULL`, true},
		{"LAPSED", `UPDATE membership_periods SET ends_on = CURRENT_DATE - 400 WHERE member_id = $1 AND next_on IS NULL`, false},
		{"RESIGNED", `UPDATE membership_periods SET ends_on = CURRENT_DATE - 1, ended_how = 'RESIGNED' WHERE member_id = $1 AND next_on IS NULL`, false},
		{"CURRENT", `INSERT INTO membership_periods (member_id, grade, starts_on, governs_on) SELECT member_id, grade, CURRENT_DATE, CURRENT_DATE FROM membership_periods WHERE member_id = $1 AND next_on IS NULL`, true},
		{"SUSPENDED", `INSERT INTO membership_suspensions (member_id, starts_on, reason) VALUES ($1, CURRENT_DATE, 'x')`, true},
	} {
		mustExec(t, db, `DELETE FROM membership_suspensions WHERE member_id = '`+p.ID.String()+`'`)
		mustExec(t, db, strings.Replace(tt.periods, `$1`, `'`+p.ID.String()+`'`, 1))
		// Who resigns leaves the sections.
		mustExec(t, db, `UPDATE section_memberships SET ends_on = NULL WHERE member_id = '`+p.ID.String()+`' AND section_id = '`+p.SectionID.String()+`'`)
		own := do(me, `{ viewer { record { membership { status } } } viewAs(audience: MEMBERS) { id } office: viewAs(audience: STAFF) { id } }`)
		if got := at(own.Data, "viewer", "record", "membership", "status"); got != tt.status {
			t.Fatalf("%s: the status is %v", tt.status, got)
		}
		if got := at(own.Data, "viewAs") != nil; got != tt.listed {
			t.Errorf("%s: the member sees that members find them: %t", tt.status, got)
		}
		if at(own.Data, "office") == nil {
			t.Errorf("%s: the member sees that the office does not find them", tt.status)
		}
		v := do(me, fmt.Sprintf(`{ member(id: %q) { id visibility { field reason } } }`, id))
		reason, _ := at(v.Data, "member", "visibility", 0, "reason").(string)
		if strings.Contains(reason, "not a member today") == tt.listed {
			t.Errorf("%s: %q", tt.status, reason)
		}
		for role, ctx := range others {
			want := before[role]
			listed := tt.listed || role == "membership" || role == "administrator"
			if !listed {
				for i := range want {
					want[i]--
				}
			}
			found, n := ask(ctx)
			if found != listed || n != want {
				t.Errorf("%s: %s finds the member: %t, in lists of %v; want %t, %v", tt.status, role, found, n, listed, want)
			}
		}
	}
}
