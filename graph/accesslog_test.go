package graph_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/collegium/collegium/graph"
	"github.com/collegium/collegium/internal/identity"
	profile "github.com/collegium/collegium/internal/member"
	"github.com/collegium/collegium/internal/node"
	"github.com/collegium/collegium/internal/pg"
	"github.com/collegium/collegium/internal/reads"
	"github.com/collegium/collegium/internal/server"
	"github.com/collegium/collegium/internal/viewer"
)

// TestAccessLog reads a member in many ways, and wants to stand in their log what they
// don't show to everyone and nothing else.
func TestAccessLog(t *testing.T) {
	t.Parallel()
	db := demoDB(t)
	var log *profile.AccessLog
	h := graphOn(t, db, func(c *graph.Config) {
		log = profile.NewAccessLog(db, c.Log)
		c.AccessLog = log
	})
	id := generatedMember(t, db, "gen-1-0")
	own, other, office := asMember(id), asMember(generatedMember(t, db, "gen-1-1")), asOffice()
	partner := viewer.New(viewer.KeyDirectory)
	partner.Application = uuid.New()
	mustExec(t, db, `
		UPDATE members SET sort_name = 'Aaaa', display_name = 'Aaaa', listing_audience = 'PUBLIC', headline = 'Z', headline_audience = 'MEMBERS', bio = 'Z', bio_audience = 'STAFF',
			pronouns = 'they/them', pronouns_audience = 'PUBLIC', grade_audience = 'NOBODY',
			region_id = (SELECT id FROM units WHERE slug = 'wales'), region_audience = 'MEMBERS', sections_audience = 'PUBLIC', joined_on_audience = 'PUBLIC'
		WHERE key = 'gen-1-0'`)
	mustExec(t, db, `DELETE FROM member_details WHERE member_id = (SELECT id FROM members WHERE key = 'gen-1-0')`)
	mustExec(t, db, `
		INSERT INTO member_details (member_id, field, audience, value, terms)
		SELECT m.id, d.*
		FROM members m, (VALUES ('EMAIL', 'MEMBERS', 'a@example.org', NULL), ('PHONE', 'PUBLIC', '1', NULL), ('LANGUAGES', 'MEMBERS', NULL, ARRAY['xx'])) AS d
		WHERE m.key = 'gen-1-0'`)
	one := fmt.Sprintf(`member(id: %q)`, node.ID("Member", id))
	type entry struct {
		Reader string
		Fields []string
	}
	entries := func() []entry {
		t.Helper()
		if err := log.Flush(t.Context()); err != nil {
			t.Fatal(err)
		}
		got := []entry{}
		for _, e := range list(askAs(t, h, own, `{ viewer { member { id } } `+one+` { accessLog(first: 100) { nodes { reader fields times readAt } } } }`, nil), "member", "accessLog", "nodes") {
			var fields []string
			for _, f := range list(e, "fields") {
				fields = append(fields, f.(string))
			}
			got = append(got, entry{at(e, "reader").(string), fields})
		}
		mustExec(t, db, `DELETE FROM member_reads`)
		return got
	}
	for name, tt := range map[string]struct {
		as    viewer.Viewer
		query string
		want  []entry
	}{
		"by nobody":             {viewer.Viewer{}, `{ ` + one + ` { headline pronouns contact { email phone } } }`, nil},
		"by themselves":         {own, `{ ` + one + ` { headline bio contact { email } } members { nodes { headline } } viewAs(audience: MEMBERS) { headline contact { email } } }`, nil},
		"by a member":           {other, `{ ` + one + ` { headline bio pronouns } }`, []entry{{"MEMBER", []string{"HEADLINE"}}}},
		"what is not asked for": {other, `{ ` + one + ` { pronouns } }`, nil},
		"contact":               {other, `{ ` + one + ` { contact { email } } }`, []entry{{"MEMBER", []string{"EMAIL"}}}},
		"the office":            {office, `{ ` + one + ` { headline bio grade } }`, []entry{{"MEMBERSHIP_OFFICER", []string{"HEADLINE", "BIO"}}}},
		"a partner":             {partner, `{ ` + one + ` { headline } }`, []entry{{"APPLICATION", []string{"HEADLINE"}}}},
		"in a list":             {other, `{ members(first: 5) { nodes { ...F } } } fragment F on Member { headline region { slug } }`, []entry{{"MEMBER", []string{"HEADLINE", "REGION"}}}},
		"by a filter":           {other, `{ members(first: 5, filter: {region: "wales", language: "XX"}) { nodes { id } } }`, []entry{{"MEMBER", []string{"REGION", "LANGUAGES"}}}},
		"in a region":           {other, `{ region(slug: "wales") { members(first: 5) { nodes { id } } } }`, []entry{{"MEMBER", []string{"REGION"}}}},
		"by node":               {other, fmt.Sprintf(`{ node(id: %q) { ... on Member { headline } } }`, node.ID("Member", id)), []entry{{"MEMBER", []string{"HEADLINE"}}}},
		"twice at once":         {other, `{ a: ` + one + ` { headline } b: ` + one + ` { headline } }`, []entry{{"MEMBER", []string{"HEADLINE"}}}},
	} {
		askAs(t, h, tt.as, tt.query, nil)
		got := entries()
		slices.SortFunc(got, func(a, b entry) int { return len(a.Fields) - len(b.Fields) })
		if len(got) == 0 {
			got = nil
		}
		if diff := cmp.Diff(tt.want, got); diff != "" {
			t.Errorf("%s (-want +got)\n%s", name, diff)
		}
	}

	// Words find by the name too: whoever may not see the headline looked in no headline.
	mustExec(t, db, `UPDATE members SET headline_audience = 'STAFF' WHERE key = 'gen-1-0'`)
	const byWords = `{ members(first: 5, filter: {text: "aaaa"}) { totalCount nodes { id } } }`
	askAs(t, h, other, byWords, nil)
	if got := entries(); len(got) != 0 {
		t.Errorf("a member who found the name is said to have read %v", got)
	}
	askAs(t, h, office, byWords, nil)
	if diff := cmp.Diff([]entry{{"MEMBERSHIP_OFFICER", []string{"HEADLINE"}}}, entries()); diff != "" {
		t.Errorf("the office looks for words (-want +got)\n%s", diff)
	}
	mustExec(t, db, `UPDATE members SET headline_audience = 'MEMBERS' WHERE key = 'gen-1-0'`)

	// Nobody else reads the log, and it comes by pages.
	for range 3 {
		askAs(t, h, other, `{ `+one+` { headline } }`, nil)
		if err := log.Flush(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	for _, v := range []viewer.Viewer{{}, other, office} {
		if got := askAs(t, h, v, `{ `+one+` { accessLog { nodes { reader } } } }`, nil); at(got, "member", "accessLog") != nil {
			t.Errorf("somebody else reads the log: %v", got)
		}
	}
	var read []string
	var after any
	for range 3 {
		page := askAs(t, h, own, `query($after: String) { `+one+` { accessLog(first: 1, after: $after) { nodes { readAt } pageInfo { hasNextPage endCursor } } } }`, map[string]any{"after": after})
		read = append(read, texts(list(page, "member", "accessLog", "nodes"), "readAt")...)
		after = at(page, "member", "accessLog", "pageInfo", "endCursor")
	}
	if len(read) != 3 || !slices.IsSortedFunc(read, func(a, b string) int { return strings.Compare(b, a) }) {
		t.Errorf("by pages: %v", read)
	}
	// What was read of somebody who is erased meanwhile is not written, and keeps back
	// nothing else.
	erased := generatedMember(t, db, "gen-1-2")
	askAs(t, h, office, `{ members(first: 100) { nodes { headline bio pronouns grade joinedOn } } }`, nil)
	mustExec(t, db, `DELETE FROM terms WHERE member_id = '`+erased.String()+`'`)
	mustExec(t, db, `DELETE FROM members WHERE id = '`+erased.String()+`'`)
	if err := log.Flush(t.Context()); err != nil {
		t.Error(err)
	}
	n, err := pg.Scalar[int](t.Context(), db, `SELECT count(DISTINCT member_id) FROM member_reads`)
	if err != nil || n < 50 {
		t.Errorf("%d members stand in the log after a page of 100, %v", n, err)
	}
}

// TestAccessLogOfTheRegister reads what the body knows of a member in every way there is,
// and wants it to stand in their log, with who it was.
func TestAccessLogOfTheRegister(t *testing.T) {
	t.Parallel()
	db := demoDB(t)
	var log *profile.AccessLog
	h := graphOn(t, db, func(c *graph.Config) {
		log = profile.NewAccessLog(db, c.Log)
		c.AccessLog = log
	})
	accounts := &identity.Store{DB: pg.Acting{Pool: db}, Passwords: passwords}
	admin := viewer.New(viewer.SignedIn | viewer.Administrator)
	admin.Account = uuid.New()
	key := func(name string, scopes ...identity.Scope) viewer.Viewer {
		t.Helper()
		app, err := accounts.CreatePartnerApplication(t.Context(), viewer.Viewer{}, identity.NewPartnerApplication{Name: name, ContactEmail: "partner@example.org"})
		if err != nil {
			t.Fatal(err)
		}
		_, secret, err := accounts.CreateKey(t.Context(), viewer.Viewer{}, identity.NewKey{ApplicationID: app.ID, Scopes: scopes})
		if err != nil {
			t.Fatal(err)
		}
		ctx, err := h.Identify(t.Context(), server.Credentials{Key: secret})
		if err != nil {
			t.Fatal(err)
		}
		return viewer.From(ctx)
	}
	partner, reader := key("Employer's checks", identity.MembersRead), key("A map", identity.DirectoryRead)
	id := generatedMember(t, db, "gen-1-0")
	own, other, office := asMember(id), asMember(generatedMember(t, db, "gen-1-1")), asOffice()
	if _, err := accounts.Create(t.Context(), identity.NewAccount{Email: "gen-1-0@example.org", Password: demoPassword, Verified: true, MemberID: &id}); err != nil {
		t.Fatal(err)
	}
	mustExec(t, db, `
		UPDATE members SET
			listing_audience = 'PUBLIC', headline_audience = 'PUBLIC', bio_audience = 'PUBLIC', pronouns_audience = 'PUBLIC', grade_audience = 'PUBLIC',
			region_audience = 'PUBLIC', sections_audience = 'PUBLIC', joined_on_audience = 'PUBLIC';
		DELETE FROM member_details;
		DELETE FROM registrations;
		DELETE FROM indemnity_insurances;
		INSERT INTO registrations (member_id, body, number) SELECT id, 'HCPC', 'OT90001' FROM members WHERE key = 'gen-1-0';
		INSERT INTO indemnity_insurances (member_id, insurer, policy_number, valid_from, valid_until)
		SELECT id, 'Insurer', '1', CURRENT_DATE - 9, CURRENT_DATE FROM members WHERE key = 'gen-1-0';
		INSERT INTO section_memberships (member_id, section_id, starts_on)
		SELECT m.id, (SELECT id FROM units WHERE kind = 'SPECIALIST_SECTION' ORDER BY slug LIMIT 1), '2026-01-01'
		FROM members m
		WHERE m.key = 'gen-1-0' AND NOT EXISTS (SELECT FROM section_memberships sm WHERE sm.member_id = m.id);
		INSERT INTO membership_applications (id, account_id, display_name, grade)
		SELECT gen_random_uuid(), id, 'Canary', 'PROFESSIONAL' FROM accounts WHERE email = 'gen-1-0@example.org'`)
	account, err := pg.Scalar[uuid.UUID](t.Context(), db, `SELECT id FROM accounts WHERE email = 'gen-1-0@example.org'`)
	if err != nil {
		t.Fatal(err)
	}
	// Asked for before the account was a member's.
	mustExec(t, db, `INSERT INTO erasures (account_id, by_staff, due_at) VALUES ('`+account.String()+`', false, now() + interval '9 days')`)
	application, err := pg.Scalar[uuid.UUID](t.Context(), db, `SELECT id FROM membership_applications WHERE display_name = 'Canary'`)
	if err != nil {
		t.Fatal(err)
	}
	member, record := node.ID("Member", id), node.ID("MemberRecord", id)
	type entry struct {
		Reader          string
		ApplicationName string
		Register        string
	}
	entries := func() (got []entry) {
		t.Helper()
		if err := log.Flush(t.Context()); err != nil {
			t.Fatal(err)
		}
		for _, e := range list(askAs(t, h, own, fmt.Sprintf(`{ member(id: %q) { accessLog(first: 100) { nodes { reader applicationName fields register } } } }`, member), nil), "member", "accessLog", "nodes") {
			if len(list(e, "fields")) != 0 {
				t.Errorf("the profile of somebody who shows all of it to everyone is in the log: %v", e)
			}
			var names []string
			for _, f := range list(e, "register") {
				names = append(names, f.(string))
			}
			name, _ := at(e, "applicationName").(string)
			got = append(got, entry{at(e, "reader").(string), name, strings.Join(names, " ")})
		}
		mustExec(t, db, `DELETE FROM member_reads`)
		return got
	}
	everything := `number displayName membership { status } registration { number } insurance { insurer } sectionMemberships { startsOn } member { consents { purpose } therapistListing { eligible } membership { history { kind } } }`
	const all = "ENTRY MEMBERSHIP HISTORY REGISTRATION INSURANCE SECTIONS CONSENTS THERAPIST_LISTING"
	// seen are the fields of the register that some case had in the log.
	seen := map[string]bool{}
	for name, tt := range map[string]struct {
		as    viewer.Viewer
		query string
		want  []entry
	}{
		"by themselves":      {own, fmt.Sprintf(`{ node(id: %q) { ... on MemberRecord { %s } } viewAs(audience: STAFF) { membership { status } } }`, record, everything), nil},
		"by a member":        {other, fmt.Sprintf(`{ node(id: %q) { ... on MemberRecord { %s } } member(id: %q) { membership { status } consents { purpose } therapistListing { eligible } } }`, record, everything, member), nil},
		"in the register":    {office, `{ register(filter: {text: "gen-1-0"}) { nodes { ` + everything + ` } } }`, []entry{{"MEMBERSHIP_OFFICER", "", all}}},
		"who, and no more":   {office, `{ register(filter: {text: "gen-1-0"}) { edges { cursor } } }`, []entry{{"MEMBERSHIP_OFFICER", "", "ENTRY"}}},
		"by a filter":        {office, `{ register(first: 100, filter: {text: "gen-1-0", grade: ` + gradeOf(t, db, id) + `}) { nodes { id } } }`, []entry{{"MEMBERSHIP_OFFICER", "", "ENTRY MEMBERSHIP"}}},
		"by node":            {office, fmt.Sprintf(`{ node(id: %q) { ... on MemberRecord { insurance { valid } } } }`, record), []entry{{"MEMBERSHIP_OFFICER", "", "ENTRY INSURANCE"}}},
		"by the directory":   {office, fmt.Sprintf(`{ member(id: %q) { membership { statusAsOf(on: "2026-01-01") } } }`, member), []entry{{"MEMBERSHIP_OFFICER", "", "MEMBERSHIP"}}},
		"the application":    {office, fmt.Sprintf(`{ node(id: %q) { ... on MembershipApplication { email } } }`, node.ID("MembershipApplication", application)), []entry{{"MEMBERSHIP_OFFICER", "", "APPLICATION"}}},
		"applications":       {office, `{ applications { nodes { displayName record { number } } } }`, []entry{{"MEMBERSHIP_OFFICER", "", "ENTRY APPLICATION"}}},
		"the account":        {admin, fmt.Sprintf(`{ node(id: %q) { ... on Account { email } } }`, node.ID("Account", account)), []entry{{"ADMINISTRATOR", "", "ACCOUNT"}}},
		"accounts":           {admin, `{ accounts(search: "gen-1-0") { nodes { email } } }`, []entry{{"ADMINISTRATOR", "", "ACCOUNT"}}},
		"erasures that wait": {office, `{ erasures { nodes { dueAt } } }`, []entry{{"MEMBERSHIP_OFFICER", "", "ERASURE"}}},
		"an erasure of whom": {office, `{ erasures { nodes { record { number } account { email } } } }`, []entry{{"MEMBERSHIP_OFFICER", "", "ENTRY ERASURE"}}},
		"an erasure asked for again": {
			office, fmt.Sprintf(`mutation { eraseMember(input: {member: %q}) { erasure { dueAt } userErrors { message } } }`, record),
			[]entry{{"MEMBERSHIP_OFFICER", "", "ERASURE"}},
		},
		"the own erasure": {own, `{ viewer { erasure { dueAt } } }`, nil},
		"a mutation": {
			office, fmt.Sprintf(`mutation { stateRegistration(input: {member: %q, number: "OT90002"}) { record { registration { number } } userErrors { message } } }`, record),
			[]entry{{"MEMBERSHIP_OFFICER", "", "ENTRY REGISTRATION"}},
		},
		"a partner":              {partner, `{ register(filter: {text: "gen-1-0"}) { nodes { ` + everything + ` } } }`, []entry{{"APPLICATION", "Employer's checks", all}}},
		"a partner who may not":  {reader, fmt.Sprintf(`{ node(id: %q) { ... on MemberRecord { number } } }`, record), nil},
		"counts are of nobody":   {office, `{ register { totalCount } }`, nil},
		"another page of it all": {office, `{ register(first: 1, filter: {text: "gen-1-0"}, after: ` + fmt.Sprintf("%q", lastOfRegister(t, h, office)) + `) { nodes { number } } }`, nil},
	} {
		askAs(t, h, tt.as, tt.query, nil)
		got := entries()
		for _, e := range got {
			for _, f := range strings.Fields(e.Register) {
				seen[f] = true
			}
		}
		if diff := cmp.Diff(tt.want, got); diff != "" {
			t.Errorf("%s (-want +got)\n%s", name, diff)
		}
	}
	for _, f := range reads.Facts {
		if !seen[string(f)] {
			t.Errorf("no way of these reads %s, so nobody knows whether it is logged", f)
		}
	}

	// The name is the member's to read because the application read them, and nobody else's;
	// it is that of today, and goes with the application.
	const asks = `{ register(filter: {text: "gen-1-0"}) { nodes { number } } }`
	askAs(t, h, partner, asks, nil)
	if err := log.Flush(t.Context()); err != nil {
		t.Fatal(err)
	}
	graphDB := pg.Acting{Pool: graphPool(t, db)}
	for _, tt := range []struct {
		as   viewer.Viewer
		app  uuid.UUID
		want string
	}{{own, partner.Application, "Employer's checks"}, {own, reader.Application, ""}, {other, partner.Application, ""}, {viewer.Viewer{}, partner.Application, ""}} {
		got, err := pg.Scalar[*string](viewer.With(t.Context(), tt.as), graphDB, `SELECT name_of_reader(@app)`, pgx.StrictNamedArgs{"app": tt.app})
		if err != nil || (got == nil) != (tt.want == "") || got != nil && *got != tt.want {
			t.Errorf("the database tells %v a name %v, %v; want %q", tt.as, got, err, tt.want)
		}
	}
	mustExec(t, db, `UPDATE partner_applications SET name = 'Checks' WHERE name = 'Employer''s checks'`)
	askAs(t, h, partner, asks, nil)
	if diff := cmp.Diff([]entry{{"APPLICATION", "Checks", "ENTRY"}, {"APPLICATION", "Checks", "ENTRY"}}, entries()); diff != "" {
		t.Errorf("renamed (-want +got)\n%s", diff)
	}
	askAs(t, h, partner, asks, nil)
	mustExec(t, db, `DELETE FROM partner_applications WHERE name = 'Checks'`)
	if diff := cmp.Diff([]entry{{"APPLICATION", "", "ENTRY"}}, entries()); diff != "" {
		t.Errorf("removed (-want +got)\n%s", diff)
	}
}

func gradeOf(t *testing.T, db *pgxpool.Pool, member uuid.UUID) string {
	t.Helper()
	grade, err := pg.Scalar[string](t.Context(), db, `SELECT st.grade FROM membership_statuses(CURRENT_DATE) st WHERE st.member_id = @member`,
		pgx.StrictNamedArgs{"member": member})
	if err != nil {
		t.Fatal(err)
	}
	return grade
}

func lastOfRegister(t *testing.T, h *graph.Handler, v viewer.Viewer) string {
	t.Helper()
	return at(askAs(t, h, v, `{ register(last: 1) { pageInfo { endCursor } } }`, nil), "register", "pageInfo", "endCursor").(string)
}
