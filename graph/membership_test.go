package graph_test

import (
	"context"
	"fmt"
	"log/slog"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/uuid"

	"github.com/collegium/collegium/graph"
	"github.com/collegium/collegium/internal/node"
	"github.com/collegium/collegium/internal/pg"
	"github.com/collegium/collegium/internal/server"
)

// withJobs lets the graph take jobs, which nobody runs.
func withJobs(t *testing.T) func(*graph.Config) {
	return func(c *graph.Config) {
		jobs, err := pg.OpenQueue(c.Accounts.DB.(pg.Acting).Pool, nil, slog.New(slog.DiscardHandler))
		if err != nil {
			t.Fatal(err)
		}
		c.Accounts.Jobs = jobs
	}
}

// TestBecomingAMember goes from an application to a membership that is suspended,
// renewed and ended, and asks in between who may do what.
func TestBecomingAMember(t *testing.T) {
	t.Parallel()
	db := demoDB(t)
	h := graphOn(t, db, withJobs(t))
	mustExec(t, db, `DELETE FROM membership_applications`)
	const applicant, application = "01920000-0000-7000-8000-0000000000c1", "01920000-0000-7000-8000-0000000000c2"
	mustExec(t, db, `INSERT INTO accounts (id, email, email_verified_at, password_hash)
		SELECT '`+applicant+`', 'ada@example.org', now(), password_hash FROM accounts WHERE email = 'member@example.org'`)
	mustExec(t, db, `INSERT INTO membership_applications (id, account_id, display_name, grade) VALUES ('`+application+`', '`+applicant+`', 'Ada Byron King', 'STUDENT')`)
	mustExec(t, db, `INSERT INTO accounts (id, email) VALUES (gen_random_uuid(), 'unconfirmed@example.org')`)
	mustExec(t, db, `INSERT INTO membership_applications (id, account_id, display_name, grade) SELECT gen_random_uuid(), id, 'X', 'STUDENT' FROM accounts WHERE email_folded = 'unconfirmed@example.org'`)
	as := func(role string) context.Context { return signedIn(t, h, db, role) }
	do := func(ctx context.Context, query string) answer {
		t.Helper()
		return decode(t, h.Execute(ctx, params(query, nil)).Body)
	}
	want := func(what string, a answer, root string, want any) map[string]any {
		t.Helper()
		if len(a.Errors) > 0 {
			t.Fatalf("%s: %+v", what, a.Errors)
		}
		payload, _ := a.Data[root].(map[string]any)
		var wrong []any
		for _, e := range list(payload, "userErrors") {
			wrong = append(wrong, fmt.Sprint(at(e, "code"), " ", at(e, "field")))
		}
		if fmt.Sprint(wrong...) != fmt.Sprint(want) {
			t.Fatalf("%s: %v, want %v", what, list(payload, "userErrors"), want)
		}
		return payload
	}
	const none = ""
	officer, member := as("membership"), as("member")
	got := do(officer, `{ applications(status: SUBMITTED) { totalCount nodes { email displayName grade applicationStatus record { number } } } }`)
	if diff := cmp.Diff(map[string]any{"totalCount": 1.0, "nodes": []any{map[string]any{
		"email": "ada@example.org", "displayName": "Ada Byron King", "grade": "STUDENT", "applicationStatus": "SUBMITTED", "record": nil,
	}}}, got.Data["applications"]); diff != "" {
		t.Fatalf("the applications (-want +got)\n%s\n%v", diff, got.Errors)
	}
	id := node.ID("MembershipApplication", uuid.MustParse(application))
	if got := do(member, `{ node(id: "`+id+`") { id } }`); at(got.Data, "node") != nil {
		t.Errorf("another member sees the application: %v", got)
	}
	accept := `mutation { acceptApplication(input: {application: "` + id + `"}) { application { applicationStatus record { id number displayName membership { status statusReason grade history { kind } } } } userErrors { code field } } }`
	for range 2 {
		p := want("accept", do(officer, accept), "acceptApplication", none)
		if at(p, "application", "applicationStatus") != "ACCEPTED" || at(p, "application", "record", "membership", "status") != "CURRENT" ||
			at(p, "application", "record", "displayName") != "Ada Byron King" || at(p, "application", "record", "membership", "grade") != "STUDENT" {
			t.Errorf("accepted: %v", p)
		}
	}
	if n, err := pg.Scalar[int](t.Context(), db, `SELECT count(*) FROM river.river_job WHERE kind = 'membership_mail'`); err != nil || n != 1 {
		t.Errorf("%d mails, want 1 (%v)", n, err)
	}
	want("decline what is accepted", do(officer, `mutation { declineApplication(input: {application: "`+id+`", reason: "No."}) { userErrors { code field } } }`), "declineApplication", "CONFLICT [input application]")

	ada := as("ada")
	you := do(ada, `{ viewer { can membershipApplication { applicationStatus } record { id number sectionMemberships { startsOn } membership { status } } } specialistSection(slug: "housing") { id } }`)
	if at(you.Data, "viewer", "membershipApplication", "applicationStatus") != "ACCEPTED" || at(you.Data, "viewer", "record", "membership", "status") != "CURRENT" ||
		!strings.Contains(fmt.Sprint(at(you.Data, "viewer", "can")), "READ_MEMBERS_CONTENT") {
		t.Fatalf("the new member: %v %v", you.Data, you.Errors)
	}
	record, section := at(you.Data, "viewer", "record", "id").(string), at(you.Data, "specialistSection", "id").(string)
	const read = `{ record { membership { status endsOn } registration { number valid } sectionMemberships { endsOn } } userErrors { code field } }`
	want("join a section", do(ada, `mutation { joinSection(input: {section: "`+section+`"}) `+read+` }`), "joinSection", none)
	want("join it again", do(ada, `mutation { joinSection(input: {section: "`+section+`"}) `+read+` }`), "joinSection", "INVALID [input section]")
	want("state a number", do(ada, `mutation { stateRegistration(input: {number: "ot12345"}) `+read+` }`), "stateRegistration", none)
	want("verify it", do(officer, `mutation { verifyRegistration(input: {member: "`+record+`", number: "OT12345", validUntil: "2030-01-01"}) `+read+` }`), "verifyRegistration", none)
	want("an insurance ahead", do(ada, `mutation { stateInsurance(input: {insurer: "A", policyNumber: "7", validFrom: "2030-01-01", validUntil: "2031-01-01"}) `+read+` }`), "stateInsurance", none)
	insured := func() (from []string) {
		t.Helper()
		return texts(list(do(ada, `{ viewer { record { insurances { validFrom } } } }`).Data, "viewer", "record", "insurances"), "validFrom")
	}
	if got := insured(); !cmp.Equal([]string{"2030-01-01"}, got) {
		t.Errorf("insured from %v", got)
	}
	want("withdraw it", do(ada, `mutation { withdrawInsurance(input: {validFrom: "2030-01-01"}) `+read+` }`), "withdrawInsurance", none)
	want("withdraw it again", do(ada, `mutation { withdrawInsurance(input: {validFrom: "2030-01-01"}) `+read+` }`), "withdrawInsurance", "INVALID [input validFrom]")
	if got := insured(); len(got) != 0 {
		t.Errorf("insured from %v", got)
	}
	want("too early", do(ada, `mutation { renewMembership(input: {idempotencyKey: "a"}) `+read+` }`), "renewMembership", "INVALID [input]")
	for range 2 {
		want("staff renews", do(officer, `mutation { renewMembership(input: {member: "`+record+`", idempotencyKey: "b"}) `+read+` }`), "renewMembership", none)
	}
	want("for another", do(member, `mutation { renewMembership(input: {member: "`+record+`", idempotencyKey: "c"}) `+read+` }`), "renewMembership", "INVALID [input member]")
	want("change the grade", do(officer, `mutation { changeGrade(input: {member: "`+record+`", grade: PROFESSIONAL}) `+read+` }`), "changeGrade", none)
	want("suspend", do(officer, `mutation { suspendMembership(input: {member: "`+record+`", reason: "Fees are owed."}) `+read+` }`), "suspendMembership", none)
	if v := do(as("ada"), `{ viewer { can record { membership { status statusReason grade } } } }`); strings.Contains(fmt.Sprint(at(v.Data, "viewer", "can")), "READ_MEMBERS_CONTENT") ||
		at(v.Data, "viewer", "record", "membership", "status") != "SUSPENDED" || at(v.Data, "viewer", "record", "membership", "grade") != "PROFESSIONAL" {
		t.Errorf("suspended: %v %v", v.Data, v.Errors)
	}
	want("reinstate", do(officer, `mutation { reinstateMembership(input: {member: "`+record+`"}) `+read+` }`), "reinstateMembership", none)
	want("resign", do(ada, `mutation { resignMembership(input: {on: "2999-01-01"}) `+read+` }`), "resignMembership", "INVALID [input on]")
	p := want("end it", do(officer, `mutation { endMembership(input: {member: "`+record+`", reason: REMOVED, note: "As decided."}) `+read+` }`), "endMembership", none)
	if at(p, "record", "membership", "status") != "CURRENT" || len(list(p, "record", "sectionMemberships")) != 0 {
		t.Errorf("on the last day: %v", p)
	}
	hist := do(officer, `{ node(id: "`+record+`") { ... on MemberRecord { membership { statusAsOf(on: "2999-01-01") history { kind } } } } }`)
	if got := texts(list(hist.Data, "node", "membership", "history"), "kind"); !cmp.Equal([]string{"JOINED", "GRADE_CHANGED", "SUSPENDED", "REINSTATED", "REMOVED"}, got) ||
		at(hist.Data, "node", "membership", "statusAsOf") != "REMOVED" {
		t.Errorf("the history: %v", hist.Data)
	}
	want("withdraw the end", do(officer, `mutation { withdrawEnd(input: {member: "`+record+`", reason: "It was another."}) `+read+` }`), "withdrawEnd", none)
	want("withdraw none", do(officer, `mutation { withdrawEnd(input: {member: "`+record+`", reason: "It was another."}) `+read+` }`), "withdrawEnd", "INVALID [input member]")
	hist = do(officer, `{ node(id: "`+record+`") { ... on MemberRecord { membership { status history { kind } } } } }`)
	if got := texts(list(hist.Data, "node", "membership", "history"), "kind"); !cmp.Equal([]string{"JOINED", "GRADE_CHANGED", "SUSPENDED", "REINSTATED", "REMOVED", "ENDING_WITHDRAWN", "RENEWED"}, got) ||
		at(hist.Data, "node", "membership", "status") != "CURRENT" {
		t.Errorf("the history after that: %v", hist.Data)
	}
	for _, role := range []string{"anonymous", "member", "officer", "editor"} {
		if got := do(as(role), `{ node(id: "`+record+`") { id } }`); at(got.Data, "node") != nil {
			t.Errorf("%s reads the record: %v", role, got.Data)
		}
	}
}

// TestWhoKeepsTheRegister asks for each change as each role: who may not is told so
// before anything is read.
func TestWhoKeepsTheRegister(t *testing.T) {
	t.Parallel()
	db := demoDB(t)
	h := graphOn(t, db)
	nobody := node.ID("Member", uuid.MustParse("01920000-0000-7000-8000-0000000000d1"))
	own, staff := []string{"member", "officer", "membership", "administrator"}, []string{"membership", "administrator"}
	for field, tt := range map[string]struct {
		input string
		may   []string
	}{
		"acceptApplication":      {`{application: "x"}`, staff},
		"declineApplication":     {`{application: "x", reason: "y"}`, staff},
		"renewMembership":        {`{member: "` + nobody + `", idempotencyKey: "x"}`, own},
		"changeGrade":            {`{member: "` + nobody + `", grade: STUDENT}`, staff},
		"suspendMembership":      {`{member: "` + nobody + `", reason: "x"}`, staff},
		"reinstateMembership":    {`{member: "` + nobody + `"}`, staff},
		"endMembership":          {`{member: "` + nobody + `", reason: RESIGNED}`, staff},
		"stateRegistration":      {`{member: "` + nobody + `", number: "OT12345"}`, own},
		"verifyRegistration":     {`{member: "` + nobody + `", number: "OT12345", validUntil: "2999-01-01"}`, staff},
		"stateInsurance":         {`{member: "` + nobody + `", insurer: "x", policyNumber: "y", validFrom: "2020-01-01", validUntil: "2021-01-01"}`, own},
		"withdrawEnd":            {`{member: "` + nobody + `", reason: "x"}`, staff},
		"withdrawInsurance":      {`{member: "` + nobody + `", validFrom: "2020-01-01"}`, own},
		"joinSection":            {`{member: "` + nobody + `", section: "x"}`, own},
		"leaveSection":           {`{member: "` + nobody + `", section: "x"}`, own},
		"transferSectionMembers": {`{from: "x", to: "y", on: "2020-01-01"}`, staff},
		"appointToPost":          {`{post: "x", member: "` + nobody + `", startsOn: "2020-01-01"}`, staff},
		"endTerm":                {`{term: "x", on: "2020-01-01"}`, staff},
		"withdrawTerm":           {`{term: "x"}`, staff},
		"withdrawElection":       {`{committee: "x", opensOn: "2020-01-01"}`, staff},
		"scheduleElection":       {`{committee: "x", opensOn: "2020-01-01", closesOn: "2020-01-01"}`, staff},
	} {
		for _, role := range append([]string{"anonymous"}, roles...) {
			a := decode(t, h.Execute(signedIn(t, h, db, role), params(`mutation { `+field+`(input: `+tt.input+`) { userErrors { code } } }`, nil)).Body)
			code := ""
			if len(a.Errors) > 0 {
				code, _ = a.Errors[0].Extensions["code"].(string)
			}
			want := "FORBIDDEN"
			switch {
			case role == "anonymous":
				want = "UNAUTHENTICATED"
			case contains(tt.may, role):
				want = ""
			}
			if code != want {
				t.Errorf("%s as %s: %q, want %q", field, role, code, want)
			}
			if want == "" && len(list(a.Data, field, "userErrors")) != 1 {
				t.Errorf("%s as %s: %v", field, role, a.Data)
			}
		}
	}
}

func contains(l []string, s string) bool {
	return strings.Contains(" "+strings.Join(l, " ")+" ", " "+s+" ")
}

// TestRegisterStatements reads everything there is in 1, 10 and 100 records, as who may:
// the number of statements is the same.
func TestRegisterStatements(t *testing.T) {
	t.Parallel()
	db := demoDB(t)
	mustExec(t, db, `INSERT INTO registrations (member_id, body, number) SELECT id, 'HCPC', 'OT12345' FROM members ON CONFLICT DO NOTHING`)
	mustExec(t, db, `INSERT INTO indemnity_insurances SELECT id, 'A', '1', '2020-01-01', '2999-01-01' FROM members ON CONFLICT DO NOTHING`)
	h := graphOn(t, db)
	ctx := signedIn(t, h, db, "membership")
	const query = `query($n: Int!) { register(first: $n) { totalCount nodes {
		number displayName region { slug } membership { status statusReason statusAsOf(on: "2020-01-01") history { kind } }
		registration { number valid } insurance { valid } insurances { valid } sectionMemberships { startsOn section { slug } } member { displayName membership { status } }
	} } }`
	var counts []int
	for _, n := range []int{1, 10, 100} {
		counting, counter := pg.WithRecorder(ctx)
		a := decode(t, h.Execute(counting, params(query, map[string]any{"n": n})).Body)
		if len(a.Errors) > 0 || len(list(a.Data, "register", "nodes")) != n {
			t.Fatalf("%d records: %+v", n, a.Errors)
		}
		if at(a.Data, "register", "nodes", 0, "registration", "number") != "OT12345" {
			t.Errorf("no registration: %v", at(a.Data, "register", "nodes", 0))
		}
		counts = append(counts, counter.Statements())
	}
	if counts[0] != counts[1] || counts[1] != counts[2] {
		t.Errorf("%v statements for 1, 10 and 100 records", counts)
	}
}

// TestWhoWasImportedGetsAnAccount links accounts to members there are: that of an
// applicant, one that is made for it, and one that there is.
func TestWhoWasImportedGetsAnAccount(t *testing.T) {
	t.Parallel()
	db := demoDB(t)
	h := graphOn(t, db, withJobs(t))
	do := asking(t, h)
	const account, application = "01920000-0000-7000-8000-0000000000c1", "01920000-0000-7000-8000-0000000000c2"
	mustExec(t, db, `INSERT INTO accounts (id, email, email_verified_at, password_hash)
		SELECT '`+account+`', 'ada@example.org', now(), password_hash FROM accounts WHERE email = 'member@example.org'`)
	mustExec(t, db, `INSERT INTO membership_applications (id, account_id, display_name, grade) VALUES ('`+application+`', '`+account+`', 'Ada King', 'STUDENT')`)
	ids, err := pg.Scalars[uuid.UUID](t.Context(), db, `
		SELECT m.id FROM members m WHERE NOT EXISTS (SELECT FROM accounts a WHERE a.member_id = m.id) ORDER BY m.key LIMIT 3`)
	if err != nil {
		t.Fatal(err)
	}
	count := func(sql string) int {
		t.Helper()
		n, err := pg.Scalar[int](t.Context(), db, `SELECT count(*) FROM `+sql)
		if err != nil {
			t.Fatal(err)
		}
		return n
	}
	taken, err := pg.Scalar[uuid.UUID](t.Context(), db, `SELECT member_id FROM accounts WHERE email = 'member@example.org'`)
	if err != nil {
		t.Fatal(err)
	}
	officer, admin := signedIn(t, h, db, "membership"), signedIn(t, h, db, "administrator")
	members := count(`members`)
	accept := func(more string) answer {
		t.Helper()
		return do(officer, `mutation { acceptApplication(input: {application: "`+node.ID("MembershipApplication", uuid.MustParse(application))+`", `+more+`}) { application { applicationStatus record { id } } userErrors { code field } } }`)
	}
	first := node.ID("MemberRecord", ids[0])
	for more, want := range map[string]string{
		`member: "` + node.ID("Member", uuid.New()) + `"`:    "INVALID input member",
		`member: "` + node.ID("Member", taken) + `"`:         "INVALID input member",
		`member: "` + first + `", startsOn: "2999-01-01"`:    "INVALID input startsOn",
		`member: "` + node.ID("CaseStudy", uuid.New()) + `"`: "INVALID input member",
	} {
		if got := wrong(accept(more), "acceptApplication"); got != want {
			t.Errorf("with %s: %q, want %q", more, got, want)
		}
	}
	for range 2 {
		a := accept(`member: "` + first + `"`)
		if got := wrong(a, "acceptApplication"); got != "" || at(a.Data, "acceptApplication", "application", "record", "id") != first {
			t.Errorf("accepted as who there is: %s, %v", got, a.Data)
		}
	}
	if at(do(signedIn(t, h, db, "ada"), `{ viewer { record { id } } }`).Data, "viewer", "record", "id") != first {
		t.Error("the applicant is not that member")
	}

	link := func(email string, member uuid.UUID) string {
		t.Helper()
		return wrong(do(admin, `mutation { linkAccount(input: {email: "`+email+`", member: "`+node.ID("Member", member)+`"}) { account { email emailVerified } userErrors { code field } } }`), "linkAccount")
	}
	mails := func() int { return count(`river.river_job WHERE kind = 'account_mail'`) }
	before := mails()
	if got := link("grace@example.org", ids[1]); got != "" || mails() != before+1 {
		t.Errorf("a new account: %s, and %d mails", got, mails()-before)
	}
	if got := link("GRACE@example.org", ids[1]); got != "" || mails() != before+1 {
		t.Errorf("the same again: %s, and %d mails", got, mails()-before)
	}
	_, token := signedInBy(t, h, db, "editor")
	if got := link("editor@example.org", ids[2]); got != "" || mails() != before+1 {
		t.Errorf("an account there is: %s, and %d mails", got, mails()-before)
	}
	if _, err := h.Identify(t.Context(), server.Credentials{Session: token}); err == nil {
		t.Error("a session goes on with what it might before")
	}
	for want, got := range map[string]string{
		"CONFLICT input email":  link("grace@example.org", ids[2]), // another member's account
		"CONFLICT input member": link("new@example.org", ids[1]),   // a member with an account
	} {
		if got != want {
			t.Errorf("got %q, want %q", got, want)
		}
	}
	if got := link("new@example.org", uuid.New()); !strings.HasPrefix(got, "NOT_FOUND") {
		t.Errorf("nobody: %q", got)
	}
	if got := link("new", ids[1]); !strings.HasPrefix(got, "INVALID") {
		t.Errorf("no address: %q", got)
	}
	if count(`accounts WHERE email = 'new@example.org'`) != 0 || count(`members`) != members {
		t.Error("something was made in vain")
	}
	if a := decode(t, h.Execute(officer, params(`mutation { linkAccount(input: {email: "x@example.org", member: "`+first+`"}) { userErrors { code } } }`, nil)).Body); len(a.Errors) != 1 {
		t.Errorf("the office links: %+v", a)
	}
}
