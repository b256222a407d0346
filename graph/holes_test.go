package graph_test

import (
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/vektah/gqlparser/v2/ast"

	"github.com/collegium/collegium/graph"
	"github.com/collegium/collegium/graph/gen"
	"github.com/collegium/collegium/internal/node"
	"github.com/collegium/collegium/internal/pg"
	"github.com/collegium/collegium/internal/server"
	"github.com/collegium/collegium/internal/viewer"
)

// The tests of this file are of the classes of holes in docs/threats.md, each by its name.

// whole is a member of whom every field is given, with a value that nobody else has.
const whole = `
	UPDATE members SET
		display_name = 'Zyx Quorvel', sort_name = 'Quorvel, Zyx', headline = 'Zyzzyva', grade = 'OVERSEAS',
		region_id = (SELECT id FROM units WHERE slug = 'wales'),
		listing_audience = 'PUBLIC', headline_audience = 'PUBLIC', bio_audience = 'PUBLIC', pronouns_audience = 'PUBLIC', grade_audience = 'PUBLIC',
		region_audience = 'PUBLIC', sections_audience = 'PUBLIC', joined_on_audience = 'PUBLIC'
	WHERE key = 'gen-1-0';
	DELETE FROM section_memberships WHERE member_id = (SELECT id FROM members WHERE key = 'gen-1-0');
	INSERT INTO section_memberships (member_id, section_id, starts_on)
	SELECT m.id, u.id, '2026-01-01' FROM members m, units u WHERE m.key = 'gen-1-0' AND u.slug = 'housing';
	DELETE FROM member_details WHERE member_id = (SELECT id FROM members WHERE key = 'gen-1-0');
	INSERT INTO member_details (member_id, field, audience, value, terms, latitude, longitude)
	SELECT m.id, d.field, 'PUBLIC', d.value, d.terms, d.latitude, d.longitude
	FROM members m, (VALUES
		('LANGUAGES', NULL, ARRAY['zu'], NULL::numeric, NULL::numeric), ('SPECIALISMS', NULL, ARRAY['zymurgy'], NULL, NULL), ('PRACTICE', 'Lerwick', NULL, 60.15, -1.14)) d (field, value, terms, latitude, longitude)
	WHERE m.key = 'gen-1-0'`

// TestHiddenFieldsAreNotFilteredSortedSearchedOrCounted: each filter finds by a field that
// is shown, and as if there were none by one that is not; nor do orders, counts, search
// and suggestions know it.
func TestHiddenFieldsAreNotFilteredSortedSearchedOrCounted(t *testing.T) {
	t.Parallel()
	db := demoDB(t)
	mustExec(t, db, whole)
	h := graphOn(t, db)
	id := node.ID("Member", generatedMember(t, db, "gen-1-0"))
	other := asMember(generatedMember(t, db, "gen-1-3"))
	mustExec(t, db, `DELETE FROM section_memberships WHERE member_id = '`+other.MemberID.String()+`'`)
	// by is the value that the member has, for each filter, and what hides it.
	const profile, details = `UPDATE members SET %s_audience = 'NOBODY' WHERE key = 'gen-1-0'`,
		`UPDATE member_details SET audience = 'NOBODY' WHERE field = '%s' AND member_id = (SELECT id FROM members WHERE key = 'gen-1-0')`
	by := map[string]struct {
		value any
		hide  string
	}{
		"region":     {"wales", fmt.Sprintf(profile, "region")},
		"section":    {"housing", fmt.Sprintf(profile, "sections")},
		"grade":      {"OVERSEAS", fmt.Sprintf(profile, "grade")},
		"text":       {"Zyzzyva", fmt.Sprintf(profile, "headline")},
		"specialism": {"zymurgy", fmt.Sprintf(details, "SPECIALISMS")},
		"language":   {"zu", fmt.Sprintf(details, "LANGUAGES")},
		"near":       {map[string]any{"latitude": json.Number("60.15"), "longitude": json.Number("-1.14"), "withinKm": json.Number("5")}, fmt.Sprintf(details, "PRACTICE")},
	}
	schema := gen.NewExecutableSchema(gen.Config{}).Schema()
	const query = `query ($f: MemberFilter) { members(filter: $f, first: 100) { totalCount nodes { id } } }`
	find := func(as viewer.Viewer, filter map[string]any) (found bool, total int) {
		a := decode(t, h.Execute(viewer.With(t.Context(), as), params(query, map[string]any{"f": filter})).Body)
		if len(a.Errors) > 0 {
			t.Fatalf("%v: %+v", filter, a.Errors)
		}
		return slices.Contains(texts(list(a.Data, "members", "nodes"), "id"), id), num(a.Data, "members", "totalCount")
	}
	for _, f := range schema.Types["MemberFilter"].Fields {
		of, ok := by[f.Name]
		if !ok {
			t.Errorf("say in this test what finds a member by the filter %s, and what hides that", f.Name)
			continue
		}
		filter := map[string]any{f.Name: of.value}
		before := map[string]int{}
		for name, as := range map[string]viewer.Viewer{"anyone": {}, "a member": other} {
			found, total := find(as, filter)
			if !found {
				t.Errorf("%s: %s does not find whom %v shows", f.Name, name, of.value)
			}
			before[name] = total
		}
		mustExec(t, db, of.hide)
		for name, as := range map[string]viewer.Viewer{"anyone": {}, "a member": other} {
			if found, total := find(as, filter); found || total != before[name]-1 {
				t.Errorf("%s: %s finds what is hidden: %t, and counts %v of %v before", f.Name, name, found, total, before[name])
			}
		}
	}
	// What all orders, the search and its suggestions answer is the same for another value.
	mustExec(t, db, `UPDATE members SET joined_on_audience = 'NOBODY', pronouns_audience = 'NOBODY', bio_audience = 'NOBODY' WHERE key = 'gen-1-0'`)
	var everything strings.Builder
	everything.WriteString(`{ search(query: "Zyzzyva") { totalCount facets { count } didYouMean } typo: search(query: "Zyzzyvaa") { didYouMean } suggest(prefix: "Zyzz") { title }`)
	for i, o := range schema.Types["MemberOrder"].EnumValues {
		fmt.Fprintf(&everything, ` o%d: members(orderBy: %s, first: 100%s) { totalCount edges { cursor node { id } } }`, i, o.Name,
			map[bool]string{true: `, filter: {near: {latitude: 60.15, longitude: -1.14, withinKm: 500}}`}[o.Name == "NEAREST"])
	}
	everything.WriteString(` }`)
	answers := func() (all []string) {
		for _, as := range []viewer.Viewer{{}, other} {
			a := asked(t, h, as, everything.String())
			b, err := json.Marshal(a.Data)
			if err != nil || len(a.Errors) > 0 {
				t.Fatal(err, a.Errors)
			}
			all = append(all, string(b))
		}
		return all
	}
	before := answers()
	mustExec(t, db, `
		UPDATE members SET joined_on = '1990-01-01', headline = 'Aardvark', grade = 'ASSOCIATE', bio = 'Zyzzyva', pronouns = 'zyzzyva' WHERE key = 'gen-1-0';
		UPDATE member_details SET latitude = 60.4, value = 'Unst' WHERE field = 'PRACTICE' AND member_id = (SELECT id FROM members WHERE key = 'gen-1-0')`)
	if diff := cmp.Diff(before, answers()); diff != "" {
		t.Errorf("an order, a count, the search or a suggestion knows what is hidden (-before +after)\n%s", diff)
	}
	// There is no filter and no order but closed ones.
	for name, def := range schema.Types {
		if strings.HasSuffix(name, "Filter") && def.Kind != ast.InputObject || strings.HasSuffix(name, "Order") && def.Kind != ast.Enum {
			t.Errorf("%s is a %s", name, def.Kind)
		}
		for _, f := range def.Fields {
			for _, a := range f.Arguments {
				if strings.HasPrefix(strings.ToLower(a.Name), "order") && schema.Types[a.Type.Name()].Kind != ast.Enum {
					t.Errorf("%s.%s is ordered by a %s, which is open", name, f.Name, a.Type)
				}
			}
		}
	}
}

// TestAMemberReachedByAnyPathShowsTheSame asks for the same fields of members on every way that
// leads to one, as each role and with each kind of key.
func TestAMemberReachedByAnyPathShowsTheSame(t *testing.T) {
	t.Parallel()
	inTurn(t)
	schema := gen.NewExecutableSchema(gen.Config{}).Schema()
	p := plant(t, nil)
	mustExec(t, p.db, `UPDATE case_studies SET member_id = (SELECT id FROM members WHERE key = 'gen-1-7')`)
	h := graphOn(t, p.db)
	pools := privateValues(t, h, p)
	pools["Query.member.id"] = pools["ID"][:12]
	const fields = `{ id displayName pronouns headline bio grade joinedOn region { id } sections { id } roles { id } caseStudies { id }
		contact { email phone website address } languages specialisms practice { town postcode latitude longitude } photo { url }
		membership { status history { kind } } consents { given } therapistListing { eligible reasons } accessLog { nodes { times } } visibility { field audience } profileRevision }`
	for role := range hiddenFrom {
		ctx, _ := askingAs(t, h, p, role)
		shown, paths := map[string]map[string]string{}, map[string]bool{}
		for _, w := range append(waysTo(schema, pools, 20)["Member"], way{}) {
			query := `{ nodes(ids: ["` + strings.Join(textsOf(p.members[:20]), `", "`) + `"]) { ... on Member ` + fields + ` } }`
			if w.steps != nil {
				if w.steps[0].Name == "viewAs" {
					continue // that is somebody else's view
				}
				var ok bool
				if query, ok = w.asking(schema, fields); !ok {
					continue
				}
			}
			a := decode(t, h.Execute(ctx, params(query, nil)).Body)
			for _, e := range a.Errors {
				if code := e.Extensions["code"]; code != graph.Forbidden && code != graph.Unauthenticated && code != graph.BadUserInput {
					t.Fatalf("%s\n%+v", query, e)
				}
			}
			for _, m := range membersIn(a.Data) {
				id, _ := m["id"].(string)
				b, err := json.Marshal(m)
				if err != nil {
					t.Fatal(err)
				}
				if shown[id] == nil {
					shown[id] = map[string]string{}
				}
				shown[id][string(b)] = query
				paths[w.path()] = true
			}
		}
		more := 0
		for id, ways := range shown {
			if len(ways) > 1 {
				t.Errorf("%s: %s is not the same by another way:\n%s", role, id, strings.Join(slices.Sorted(maps.Keys(ways)), "\n"))
			}
			more++
		}
		if more < 20 || len(paths) < 4 {
			t.Errorf("%s: %d members by %d ways show little", role, more, len(paths))
		}
	}
}

// asking returns the document that goes a way and asks for the fields at its end.
func (w way) asking(schema *ast.Schema, fields string) (string, bool) {
	query := fields
	if end := schema.Types[w.steps[len(w.steps)-1].Type.Name()]; end.Name != "Member" {
		query = "{ __typename ... on Member " + fields + " }"
	}
	for i := len(w.steps) - 1; i >= 0; i-- {
		text := w.steps[i].Name
		if w.args[i] != "" {
			text += "(" + w.args[i] + ")"
		}
		query = "{ " + text + " " + query + " }"
		if i > 0 && schema.Types[w.steps[i-1].Type.Name()].Kind != ast.Object {
			query = "{ ... on " + w.types[i] + " " + query + " }"
		}
	}
	return query, true
}

func textsOf(values []any) (out []string) {
	for _, v := range values {
		out = append(out, v.(string))
	}
	return out
}

// membersIn returns the objects of an answer that have the fields of members.
func membersIn(v any) (found []map[string]any) {
	switch v := v.(type) {
	case []any:
		for _, e := range v {
			found = append(found, membersIn(e)...)
		}
	case map[string]any:
		if _, ok := v["profileRevision"]; ok {
			return []map[string]any{v}
		}
		for _, e := range v {
			found = append(found, membersIn(e)...)
		}
	}
	return found
}

// TestGuessedIDs asks for the row of each type that is somebody's or is hidden, by its ID: who may
// not see it gets what they get for an ID that nobody has.
func TestGuessedIDs(t *testing.T) {
	t.Parallel()
	schema := gen.NewExecutableSchema(gen.Config{}).Schema()
	p := plant(t, nil)
	h := graphOn(t, p.db)
	admin, staff := []string{"administrator"}, []string{"administrator", "membership"}
	// The row of each type, and who may see it though everything is hidden that can be.
	mustExec(t, p.db, `UPDATE members SET listing_audience = 'NOBODY'; UPDATE entries SET status = 'DRAFT'`)
	for typeName, of := range map[string]struct {
		row    string
		seenBy []string
	}{
		"Account":               {`SELECT id FROM accounts WHERE email = 'victim@example.org'`, admin},
		"ApplicationKey":        {`SELECT min(id::text)::uuid FROM application_keys`, admin},
		"PartnerApplication":    {`SELECT min(id::text)::uuid FROM partner_applications`, admin},
		"MembershipApplication": {`SELECT a.id FROM membership_applications a JOIN accounts x ON x.id = a.account_id WHERE x.email = 'victim@example.org'`, staff},
		"MemberRecord":          {`SELECT member_id FROM accounts WHERE email = 'victim@example.org'`, append(staff, "key: members")},
		"Member":                {`SELECT member_id FROM accounts WHERE email = 'victim@example.org'`, nil},
		"Page":                  {`SELECT id FROM entries WHERE kind = 'PAGE' ORDER BY key LIMIT 1`, nil},
		"Document":              {`SELECT id FROM entries WHERE kind = 'DOCUMENT' ORDER BY key LIMIT 1`, nil},
		"CaseStudy":             {`SELECT id FROM entries WHERE kind = 'CASE_STUDY' ORDER BY key LIMIT 1`, nil},
		"SpecialistSection":     {`SELECT id FROM entries WHERE kind = 'SPECIALIST_SECTION' ORDER BY key LIMIT 1`, nil},
		"Region":                {`SELECT id FROM entries WHERE kind = 'REGION' ORDER BY key LIMIT 1`, nil},
	} {
		id, err := pg.Scalar[uuid.UUID](t.Context(), p.db, of.row)
		if err != nil {
			t.Fatalf("%s: %v", typeName, err)
		}
		nobody := uuid.MustParse("00000000-0000-4000-8000-000000000abc")
		for role := range hiddenFrom {
			ctx, _ := askingAs(t, h, p, role)
			answers := map[uuid.UUID]string{}
			for _, guess := range []uuid.UUID{id, nobody} {
				opaque := node.ID(typeName, guess)
				query := fmt.Sprintf(`{ node(id: %q) { __typename id } nodes(ids: [%q]) { __typename id } rateLimit { cost } }`, opaque, opaque)
				if typeName == "Member" {
					query = fmt.Sprintf(`{ node(id: %q) { __typename id } member(id: %q) { id displayName } }`, opaque, opaque)
				}
				answers[guess] = strings.ReplaceAll(string(h.Execute(ctx, params(query, nil)).Body), opaque, "ID")
			}
			if same := answers[id] == answers[nobody]; same == slices.Contains(of.seenBy, role) {
				t.Errorf("%s by its ID, as %s: %s; one that is not there: %s", typeName, role, answers[id], answers[nobody])
			}
		}
	}
	// Of these everything is public, but for what hangs on a page that is hidden.
	public := []string{"Menu", "MenuItem", "Committee", "Post", "Term"}
	checked := []string{"Account", "ApplicationKey", "PartnerApplication", "MembershipApplication", "MemberRecord", "Member", "Page", "Document", "CaseStudy", "SpecialistSection", "Region"}
	for _, def := range schema.PossibleTypes["Node"] {
		if !slices.Contains(public, def.Name) && !slices.Contains(checked, def.Name) {
			t.Errorf("%s can be asked for by its ID; say in this test who may", def.Name)
		}
	}
}

// selfService are the mutations that are not the office's alone, with all that can be set by
// them. What has a colon is somebody else's for the office, and for nobody else.
var selfService = map[string]string{
	"join":                 "displayName email grade",
	"updateProfile":        "",
	"stateRegistration":    "member: number",
	"stateInsurance":       "insurer member: policyNumber validFrom validUntil",
	"withdrawInsurance":    "member: validFrom",
	"renewMembership":      "idempotencyKey member:",
	"joinSection":          "idempotencyKey member: on section",
	"leaveSection":         "idempotencyKey member: on section",
	"eraseMember":          "code currentPassword idempotencyKey member:",
	"resignMembership":     "idempotencyKey on",
	"setTherapistListing":  "willing",
	"setFieldAudience":     "audience field",
	"giveConsent":          "purpose version",
	"withdrawConsent":      "purpose",
	"setPhoto":             "image",
	"requestPasswordReset": "email",
	"changePassword":       "currentPassword newPassword",
	"changeEmail":          "code currentPassword email",
}

// TestInputsHoldOnlyWhatTheViewerMaySet: no input of who is no staff has a field for a role, an
// owner, a status or the like; where staff may name somebody, a member who names another
// changes nothing.
func TestInputsHoldOnlyWhatTheViewerMaySet(t *testing.T) {
	t.Parallel()
	schema := gen.NewExecutableSchema(gen.Config{}).Schema()
	p := plant(t, nil)
	h := graphOn(t, p.db)
	ctx, _ := askingAs(t, h, p, "member")
	victim := p.members[0]
	section, err := pg.Scalar[uuid.UUID](t.Context(), p.db, `SELECT id FROM units WHERE kind = 'SPECIALIST_SECTION' ORDER BY slug LIMIT 1`)
	if err != nil {
		t.Fatal(err)
	}
	values := map[string]string{
		"number": `"OT99999"`, "insurer": `"Mine"`, "policyNumber": `"1"`, "validFrom": `"2026-01-01"`, "validUntil": `"2027-01-01"`, "idempotencyKey": `"k"`,
		"section": fmt.Sprintf("%q", node.ID("SpecialistSection", section)),
	}
	state := func() string {
		t.Helper()
		rows, err := pg.Scalar[string](t.Context(), p.db, `
			SELECT md5(concat(
				(SELECT string_agg(x::text, '' ORDER BY x.number) FROM registrations x),
				(SELECT string_agg(x::text, '' ORDER BY x.member_id, x.valid_from) FROM indemnity_insurances x),
				(SELECT string_agg(x::text, '' ORDER BY x.member_id, x.starts_on) FROM membership_periods x),
				(SELECT string_agg(x::text, '' ORDER BY x.member_id, x.section_id, x.starts_on) FROM section_memberships x),
				(SELECT string_agg(x::text, '' ORDER BY x.id) FROM erasures x),
				(SELECT string_agg(x::text, '' ORDER BY x.id) FROM members x)))`)
		if err != nil {
			t.Fatal(err)
		}
		return rows
	}
	before := state()
	forbidden := regexp.MustCompile(`(?i)role|owner|account|status|verified|suspend|epoch|locked|revision$|member|application|permission|scope`)
	named := 0
	for _, f := range schema.Mutation.Fields {
		switch needs(f) {
		case "MANAGE_REGISTER", "MANAGE_ACCOUNTS":
			continue
		}
		for _, a := range f.Arguments {
			def := schema.Types[a.Type.Name()]
			if def == nil || def.Kind != ast.InputObject {
				continue
			}
			var fields []string
			for _, in := range def.Fields {
				if in.Name == "member" && schema.Types[in.Type.Name()].Name == "ID" {
					fields = append(fields, "member:")
					named++
					var set []string
					for _, other := range def.Fields {
						if v, ok := values[other.Name]; ok {
							set = append(set, other.Name+": "+v)
						}
					}
					query := fmt.Sprintf(`mutation { %s(input: {member: %q, %s}) { __typename userErrors { code message } } }`, f.Name, victim, strings.Join(set, ", "))
					body := string(h.Execute(ctx, params(query, nil)).Body)
					if !strings.Contains(body, `"userErrors":[{`) && !strings.Contains(body, graph.Forbidden) || state() != before {
						t.Errorf("a member who names another: %s\n%s", query, body)
					}
					continue
				}
				fields = append(fields, in.Name)
				if forbidden.MatchString(in.Name) && !(f.Name == "updateProfile" && in.Name == "expectedRevision") {
					t.Errorf("%s can be given %s by who is no staff", f.Name, in.Name)
				}
			}
			slices.Sort(fields)
			if want, ok := selfService[f.Name]; ok && want != "" && want != strings.Join(fields, " ") {
				t.Errorf("%s can be given %q, and this test knows of %q: may a member set what is new?", f.Name, strings.Join(fields, " "), want)
			}
		}
	}
	if named < 6 {
		t.Errorf("only %d mutations name a member", named)
	}
	// What is no field of an input is refused, in the document and in variables alike.
	for _, extra := range []string{"role", "grade", "memberId", "accountId", "listingAudience", "revision"} {
		for _, d := range []document{
			{query: `mutation { updateProfile(input: {expectedRevision: 0, ` + extra + `: "x"}) { userErrors { code } } }`},
			{query: `mutation ($in: UpdateProfileInput!) { updateProfile(input: $in) { userErrors { code } } }`, variables: map[string]any{"in": map[string]any{"expectedRevision": json.Number("0"), extra: "x"}}},
		} {
			r := h.Execute(ctx, params(d.query, d.variables))
			if r.Outcome != server.Invalid {
				t.Errorf("updateProfile with %s: %s", extra, r.Body)
			}
		}
	}
	if state() != before {
		t.Error("something was changed")
	}
}

// TestPasswordChangeEndsSessionsAndKeys asks by HTTP, of another process than the one in which
// a password changes, an account is suspended or an application is.
func TestPasswordChangeEndsSessionsAndKeys(t *testing.T) {
	t.Parallel()
	db := demoDB(t)
	here := graphOn(t, db, withQueue(t, db))
	s, there := asSite(t, here, behindProxy), asSite(t, graphOn(t, anotherPool(t, db)))
	signIn := func(password string) string {
		t.Helper()
		cookie, _, _ := strings.Cut(s.send(http.MethodPost, `mutation { signIn(input: {email: "member@example.org", password: "`+password+`"}) { userErrors { code } } }`).header.Get("Set-Cookie"), ";")
		if cookie == "" {
			t.Fatal("can't sign in")
		}
		return cookie
	}
	who := func(cookie string) bool {
		t.Helper()
		return strings.Contains(there.send(http.MethodPost, `{ viewer { account { email } } }`, "Cookie", cookie).body, "member@example.org")
	}
	phone, laptop := signIn(demoPassword), signIn(demoPassword)
	if !who(phone) || !who(laptop) {
		t.Fatal("not signed in to begin with")
	}
	r := s.send(http.MethodPost, `mutation { changePassword(input: {currentPassword: "`+demoPassword+`", newPassword: "another long password"}) { userErrors { code } } }`, "Cookie", laptop)
	fresh, _, _ := strings.Cut(r.header.Get("Set-Cookie"), ";")
	if who(phone) || who(laptop) || !who(fresh) {
		t.Errorf("after a new password the phone is signed in: %t, the old session: %t, the new one: %t", who(phone), who(laptop), who(fresh))
	}
	if removed := there.send(http.MethodPost, `{ viewer { can } }`, "Cookie", phone).header.Get("Set-Cookie"); !strings.HasPrefix(removed, "session=;") {
		t.Errorf("the cookie of an ended session is not removed: %q", removed)
	}
	account := accountOf(t, here, "member")
	changed(t, here, administrator, fmt.Sprintf(`{ suspendAccount(input: {account: %q}) { account { id } userErrors { message } } }`, account))
	if who(fresh) {
		t.Error("a suspended account goes on")
	}
	changed(t, here, administrator, fmt.Sprintf(`{ reinstateAccount(input: {account: %q}) { account { id } userErrors { message } } }`, account))
	if who(fresh) {
		t.Error("a session comes back with the account")
	}
	// The keys of an application end with it, and stay ended.
	application, _, secret := aKey(t, here, "Epoch", `scopes: [DIRECTORY_READ]`)
	good := func() bool {
		return there.send(http.MethodPost, `{ viewer { can } }`, "Authorization", "Bearer "+secret).status == http.StatusOK
	}
	if !good() {
		t.Fatal("the key is not good to begin with")
	}
	for _, what := range []string{"suspendPartnerApplication", "reinstatePartnerApplication"} {
		changed(t, here, administrator, fmt.Sprintf(`{ %s(input: {id: %q}) { application { id } userErrors { message } } }`, what, application))
		if good() {
			t.Errorf("after %s the key is good", what)
		}
	}
	// A suspended account opens none by a link that was mailed before.
	if n, err := pg.Scalar[int](t.Context(), db, `SELECT count(*) FROM sessions s JOIN accounts a ON a.id = s.account_id AND a.epoch = s.epoch WHERE a.email = 'member@example.org'`); err != nil || n != 0 {
		t.Errorf("%d sessions have the epoch of the account, %v", n, err)
	}
}

// TestStoredScripts plants scripts wherever words are kept. What is called HTML has none, whatever
// else is text in JSON that no browser takes for a page; and a photo is only ever a JPEG.
func TestStoredScripts(t *testing.T) {
	t.Parallel()
	schema := gen.NewExecutableSchema(gen.Config{}).Schema()
	p := plant(t, nil)
	const script = `<script>alert(1)</script><svg onload=alert(1)><img src=x onerror=alert(1)>`
	for _, sql := range []string{
		`UPDATE entries SET title = @s || ' ' || title WHERE kind IN ('PAGE', 'CASE_STUDY', 'DOCUMENT')`,
		`UPDATE members SET display_name = @s || display_name, headline = @s, bio = @s, headline_audience = 'PUBLIC', bio_audience = 'PUBLIC'`,
		`UPDATE blocks SET plain = @s || plain`,
	} {
		if _, err := p.db.Exec(t.Context(), sql, pgx.StrictNamedArgs{"s": script}); err != nil {
			t.Fatal(err)
		}
	}
	h := graphOn(t, p.db)
	s := asSite(t, h)
	pools := privateValues(t, h, p)
	pools["Query.search.query"] = []any{"history", "alert", "practice"}
	pools["Query.suggest.prefix"] = []any{"alert", "our"}
	asHTML := map[string]bool{}
	for name, def := range schema.Types {
		for _, f := range def.Fields {
			if strings.HasSuffix(strings.ToLower(f.Name), "html") {
				asHTML[name+"."+f.Name] = false
			}
		}
	}
	ctx, _ := askingAs(t, h, p, "administrator")
	bad := regexp.MustCompile(`(?i)<(script|svg|img|iframe|style|object|embed)|\son[a-z]+\s*=\s*["'a-z]|javascript:`)
	var walk func(query string, v any)
	walk = func(query string, v any) {
		switch v := v.(type) {
		case []any:
			for _, e := range v {
				walk(query, e)
			}
		case map[string]any:
			typeName, _ := v["__typename"].(string)
			for name, e := range v {
				if text, ok := e.(string); ok && strings.HasSuffix(strings.ToLower(name), "html") {
					asHTML[typeName+"."+name] = true
					// What is text in it has no tags; attributes stand only in tags.
					if tags := strings.Join(regexp.MustCompile(`<[^>]*>`).FindAllString(text, -1), ""); bad.MatchString(tags) {
						t.Errorf("%s\n%s.%s holds a script: %.300s", query, typeName, name, text)
					}
				}
				walk(query, e)
			}
		}
	}
	for name, ways := range waysTo(schema, pools, 3) {
		for _, w := range ways {
			if !slices.ContainsFunc(schema.Types[name].Fields, func(f *ast.FieldDefinition) bool { return strings.HasSuffix(strings.ToLower(f.Name), "html") }) {
				continue
			}
			if query, ok := w.query(schema, schema.Types[name], pools); ok {
				walk(query, decode(t, h.Execute(ctx, params(query, nil)).Body).Data)
			}
		}
	}
	for field, seen := range asHTML {
		if typeName, _, _ := strings.Cut(field, "."); !seen && unseenTypes[typeName] == "" {
			t.Errorf("%s was in no answer", field)
		}
	}
	r := s.send(http.MethodPost, `{ members(first: 3) { nodes { displayName headline bio } } }`)
	if !strings.Contains(r.body, "alert(1)") {
		t.Errorf("the script is not kept as it was written: %s", r.body)
	}
	if got := r.header.Get("Content-Type") + " " + r.header.Get("X-Content-Type-Options"); got != "application/json; charset=utf-8 nosniff" {
		t.Errorf("an answer with a script is %s", got)
	}
	// What is no picture, or a picture that can hold a script, is not taken for a photo.
	member, _ := askingAs(t, h, p, "member")
	for _, image := range []string{
		`data:image/svg+xml,<svg xmlns="http://www.w3.org/2000/svg" onload="alert(1)"/>`,
		`data:image/svg+xml;base64,PHN2ZyB4bWxucz0iaHR0cDovL3d3dy53My5vcmcvMjAwMC9zdmciIG9ubG9hZD0iYWxlcnQoMSkiLz4=`,
		`data:text/html;base64,PHNjcmlwdD5hbGVydCgxKTwvc2NyaXB0Pg==`,
		`data:image/jpeg;base64,PHNjcmlwdD5hbGVydCgxKTwvc2NyaXB0Pg==`,
	} {
		body := string(h.Execute(member, params(`mutation ($i: String!) { setPhoto(input: {image: $i}) { member { id } userErrors { code } } }`, map[string]any{"i": image})).Body)
		if !strings.Contains(body, `"code":"INVALID"`) || strings.Contains(body, `"member":{`) {
			t.Errorf("%.40s… as a photo: %s", image, body)
		}
	}
}

// TestThreatsAreTested wants every test that docs/threats.md names, and all rows of it.
func TestThreatsAreTested(t *testing.T) {
	t.Parallel()
	page := mustRead(t, "../docs/threats.md")
	rows := 0
	for line := range strings.Lines(page) {
		if !strings.HasPrefix(line, "|") || strings.HasPrefix(line, "|---") || strings.HasPrefix(line, "| class") {
			continue
		}
		rows++
		names := regexp.MustCompile("\\[`(Test[A-Za-z]+)`\\]\\(\\.\\./([a-z/_]+_test\\.go)\\)").FindAllStringSubmatch(line, -1)
		if len(names) == 0 {
			t.Errorf("no test is named: %s", line)
		}
		for _, n := range names {
			source, err := os.ReadFile("../" + n[2])
			if err != nil || !strings.Contains(string(source), "\nfunc "+n[1]+"(t *testing.T)") {
				t.Errorf("there is no %s in %s: %v", n[1], n[2], err)
			}
		}
	}
	if rows < 10 {
		t.Errorf("docs/threats.md has %d rows", rows)
	}
}
