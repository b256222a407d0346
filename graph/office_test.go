package graph_test

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/uuid"

	"github.com/collegium/collegium/graph"
	profile "github.com/collegium/collegium/internal/member"
	"github.com/collegium/collegium/internal/node"
	"github.com/collegium/collegium/internal/pg"
	"github.com/collegium/collegium/internal/server"
)

// asking returns how tests ask a graph, and what its mutations say of why they changed
// nothing: "CODE path", for each.
func asking(t *testing.T, h *graph.Handler) func(ctx context.Context, query string) answer {
	return func(ctx context.Context, query string) answer {
		t.Helper()
		a := decode(t, h.Execute(ctx, params(query, nil)).Body)
		if len(a.Errors) > 0 {
			t.Fatalf("%s\nerrors: %+v", query, a.Errors)
		}
		return a
	}
}

func wrong(a answer, root string) string {
	var all []string
	for _, e := range list(a.Data, root, "userErrors") {
		line, _ := at(e, "code").(string)
		for _, f := range list(e, "field") {
			line += " " + f.(string)
		}
		all = append(all, line)
	}
	return strings.Join(all, ", ")
}

// TestApplyingAgain declines an application: the applicant applies again, and becomes
// a member.
func TestApplyingAgain(t *testing.T) {
	t.Parallel()
	db := demoDB(t)
	h := graphOn(t, db, withJobs(t))
	do := asking(t, h)
	const account, first = "01920000-0000-7000-8000-0000000000c1", "01920000-0000-7000-8000-0000000000c2"
	mustExec(t, db, `INSERT INTO accounts (id, email, email_verified_at, password_hash)
		SELECT '`+account+`', 'ada@example.org', now(), password_hash FROM accounts WHERE email = 'member@example.org'`)
	mustExec(t, db, `INSERT INTO membership_applications (id, account_id, display_name, grade) VALUES ('`+first+`', '`+account+`', 'Ada King', 'STUDENT')`)
	ada, officer := signedIn(t, h, db, "ada"), signedIn(t, h, db, "membership")
	apply := func(ctx context.Context, grade string) answer {
		t.Helper()
		return do(ctx, `mutation { applyForMembership(input: {displayName: " Ada  King", grade: `+grade+`}) { application { id displayName applicationStatus } userErrors { code field } } }`)
	}
	if a := apply(ada, "STUDENT"); at(a.Data, "applyForMembership", "application", "id") != node.ID("MembershipApplication", uuid.MustParse(first)) {
		t.Errorf("the same again is another: %v", a.Data)
	}
	if got := wrong(apply(ada, "PROFESSIONAL"), "applyForMembership"); got != "INVALID input" {
		t.Errorf("another while one waits: %s", got)
	}
	do(officer, `mutation { declineApplication(input: {application: "`+node.ID("MembershipApplication", uuid.MustParse(first))+`", reason: "Wrong grade."}) { userErrors { code } } }`)
	a := apply(ada, "PROFESSIONAL")
	second, _ := at(a.Data, "applyForMembership", "application", "id").(string)
	if second == "" || second == node.ID("MembershipApplication", uuid.MustParse(first)) || at(a.Data, "applyForMembership", "application", "displayName") != "Ada King" {
		t.Fatalf("after the decision: %v", a.Data)
	}
	if a := do(ada, `{ viewer { membershipApplication { id applicationStatus } } }`); at(a.Data, "viewer", "membershipApplication", "id") != second {
		t.Errorf("the last application is %v", a.Data)
	}
	accepted := do(officer, `mutation { acceptApplication(input: {application: "`+second+`"}) { application { record { membership { grade } } } userErrors { code } } }`)
	if at(accepted.Data, "acceptApplication", "application", "record", "membership", "grade") != "PROFESSIONAL" {
		t.Errorf("accepted: %v", accepted.Data)
	}
	if got := wrong(apply(signedIn(t, h, db, "ada"), "STUDENT"), "applyForMembership"); got != "INVALID input" {
		t.Errorf("a member applies: %s", got)
	}

	// Somebody of the staff who is no member, again and again.
	editor := signedIn(t, h, db, "editor")
	for n := range 6 {
		want := ""
		if n == 5 {
			want = "INVALID input"
		}
		if got := wrong(apply(editor, "STUDENT"), "applyForMembership"); got != want {
			t.Errorf("application %d: %q, want %q", n+1, got, want)
		}
		if n < 5 {
			do(editor, `mutation { withdrawApplication { userErrors { code } } }`)
		}
	}
	if a := decode(t, h.Execute(t.Context(), params(`mutation { applyForMembership(input: {displayName: "X", grade: STUDENT}) { userErrors { code } } }`, nil)).Body); len(a.Errors) != 1 || a.Errors[0].Extensions["code"] != "UNAUTHENTICATED" {
		t.Errorf("a stranger applies: %+v", a)
	}
}

// TestRenewedAhead renews before the last day: the period that runs stays, and what is
// paid for is longer, also for a filter.
func TestRenewedAhead(t *testing.T) {
	t.Parallel()
	db := demoDB(t)
	h := graphOn(t, db, withJobs(t))
	do := asking(t, h)
	mustExec(t, db, `DELETE FROM membership_periods p USING members m WHERE m.id = p.member_id AND p.starts_on > m.joined_on`)
	mustExec(t, db, `UPDATE membership_periods SET ends_on = NULL, ended_how = NULL`)
	mustExec(t, db, `UPDATE membership_periods SET ends_on = CURRENT_DATE + 10 WHERE member_id = (SELECT member_id FROM accounts WHERE email = 'member@example.org')`)
	member, officer := signedIn(t, h, db, "member"), signedIn(t, h, db, "membership")
	day := func(sql string) string {
		t.Helper()
		d, err := pg.Scalar[string](t.Context(), db, `SELECT (`+sql+`)::date::text`)
		if err != nil {
			t.Fatal(err)
		}
		return d
	}
	soon, later := day(`CURRENT_DATE + 10`), day(`CURRENT_DATE + 11 + interval '1 year' - interval '1 day'`)
	due := `{ register(filter: {endsUntil: "` + soon + `"}) { totalCount } late: register(filter: {endsFrom: "` + later + `"}) { totalCount } }`
	const read = `{ viewer { record { membership { endsOn paidUntil } } } }`
	if a := do(member, read); at(a.Data, "viewer", "record", "membership", "paidUntil") != soon {
		t.Errorf("before: %v", a.Data)
	}
	if a := do(officer, due); at(a.Data, "register", "totalCount") != 1.0 || at(a.Data, "late", "totalCount") != 0.0 {
		t.Errorf("due before: %v", a.Data)
	}
	if got := wrong(do(member, `mutation { renewMembership(input: {idempotencyKey: "a"}) { userErrors { code field } } }`), "renewMembership"); got != "" {
		t.Fatal(got)
	}
	if diff := cmp.Diff(map[string]any{"endsOn": soon, "paidUntil": later}, at(do(member, read).Data, "viewer", "record", "membership")); diff != "" {
		t.Errorf("after (-want +got)\n%s", diff)
	}
	if a := do(officer, due); at(a.Data, "register", "totalCount") != 0.0 || at(a.Data, "late", "totalCount") != 1.0 {
		t.Errorf("due after: %v", a.Data)
	}
}

// TestErasuresThatWait asks for three erasures: who keeps the register pages through
// them, and takes one back.
func TestErasuresThatWait(t *testing.T) {
	t.Parallel()
	db := demoDB(t)
	h := graphOn(t, db, withJobs(t))
	do := asking(t, h)
	officer, admin := signedIn(t, h, db, "membership"), signedIn(t, h, db, "administrator")
	own := do(signedIn(t, h, db, "member"), `mutation { eraseMember(input: {currentPassword: "`+demoPassword+`"}) { erasure { id account { email } record { displayName } } userErrors { code } } }`)
	if at(own.Data, "eraseMember", "erasure", "account", "email") != "member@example.org" || at(own.Data, "eraseMember", "erasure", "record", "displayName") == nil {
		t.Errorf("one's own: %v", own.Data)
	}
	do(signedIn(t, h, db, "editor"), `mutation { eraseMember(input: {currentPassword: "`+demoPassword+`"}) { userErrors { code } } }`)
	record := at(do(officer, `{ register(filter: {text: "a"}, first: 1) { nodes { id number } } }`).Data, "register", "nodes", 0)
	if got := wrong(do(officer, `mutation { eraseMember(input: {member: "`+at(record, "id").(string)+`"}) { userErrors { code field } } }`), "eraseMember"); got != "" {
		t.Fatal(got)
	}
	page := func(ctx context.Context, args string) answer {
		t.Helper()
		return do(ctx, `{ erasures(`+args+`) { totalCount nodes { id status byStaff record { number } account { email } } pageInfo { endCursor hasNextPage } } }`)
	}
	a := page(officer, "first: 2")
	if at(a.Data, "erasures", "totalCount") != 3.0 || len(list(a.Data, "erasures", "nodes")) != 2 || at(a.Data, "erasures", "pageInfo", "hasNextPage") != true {
		t.Fatalf("the first page: %v", a.Data)
	}
	if at(a.Data, "erasures", "nodes", 0, "record", "number") == nil || at(a.Data, "erasures", "nodes", 0, "account") != nil {
		t.Errorf("the office is shown %v", at(a.Data, "erasures", "nodes", 0))
	}
	if at(a.Data, "erasures", "nodes", 1, "record") != nil {
		t.Errorf("an account without a member is shown as %v", at(a.Data, "erasures", "nodes", 1))
	}
	rest := page(officer, fmt.Sprintf("first: 2, after: %q", at(a.Data, "erasures", "pageInfo", "endCursor")))
	if diff := cmp.Diff([]any{map[string]any{"status": "WAITING", "byStaff": true, "record": map[string]any{"number": at(record, "number")}, "account": nil}},
		without(list(rest.Data, "erasures", "nodes"), "id")); diff != "" {
		t.Errorf("the second page (-want +got)\n%s", diff)
	}
	if a := page(admin, "last: 3"); at(a.Data, "erasures", "nodes", 1, "account", "email") != "editor@example.org" {
		t.Errorf("an administrator is shown %v", a.Data)
	}
	do(officer, `mutation { cancelErasure(input: {id: "`+at(own.Data, "eraseMember", "erasure", "id").(string)+`"}) { userErrors { code } } }`)
	if a := page(officer, "first: 2"); at(a.Data, "erasures", "totalCount") != 2.0 {
		t.Errorf("after one was taken back: %v", a.Data)
	}
	for _, role := range []string{"anonymous", "member", "editor"} {
		if a := decode(t, h.Execute(signedIn(t, h, db, role), params(`{ erasures { totalCount } }`, nil)).Body); len(a.Errors) != 1 || a.Data["erasures"] != nil {
			t.Errorf("to %s: %+v", role, a)
		}
	}
}

func without(nodes []any, field string) []any {
	for _, n := range nodes {
		delete(n.(map[string]any), field)
	}
	return nodes
}

// TestRules changes rules and texts as an administrator: from a later day on, and
// never what was.
func TestRules(t *testing.T) {
	t.Parallel()
	db := demoDB(t)
	h := graphOn(t, db, withJobs(t))
	do := asking(t, h)
	admin := signedIn(t, h, db, "administrator")
	add := func(args string) answer {
		t.Helper()
		return do(admin, `mutation { addMembershipRule(input: {`+args+`}) { membershipRule { since until graceDays renewalDays periodMonths countsAs practises } userErrors { code field } } }`)
	}
	day := func(n int) string {
		t.Helper()
		d, err := pg.Scalar[string](t.Context(), db, `SELECT (CURRENT_DATE + $1::integer)::text`, n)
		if err != nil {
			t.Fatal(err)
		}
		return d
	}
	rules := func() (all []string) {
		t.Helper()
		for _, n := range []int{-1, 9, 10, 19, 20, 100} {
			a := do(admin, `{ membershipRules(asOf: "`+day(n)+`") { grade graceDays renewalDays countsAs } }`)
			if got := len(list(a.Data, "membershipRules")); got != 7 {
				t.Errorf("%d rules on day %d", got, n)
			}
			for _, r := range list(a.Data, "membershipRules") {
				if at(r, "grade") == "STUDENT" {
					all = append(all, fmt.Sprint(n, " ", at(r, "graceDays"), " ", at(r, "renewalDays"), " ", at(r, "countsAs")))
				}
			}
		}
		return all
	}
	a := add(`grade: STUDENT, since: "` + day(20) + `", graceDays: 7`)
	if diff := cmp.Diff(map[string]any{
		"since": day(20), "until": nil, "graceDays": 7.0, "renewalDays": 60.0, "periodMonths": 12.0, "countsAs": "CURRENT", "practises": false,
	}, at(a.Data, "addMembershipRule", "membershipRule")); diff != "" {
		t.Errorf("the rule (-want +got)\n%s", diff)
	}
	if a := add(`grade: STUDENT, since: "` + day(10) + `", graceDays: 14, countsAs: RETIRED`); at(a.Data, "addMembershipRule", "membershipRule", "until") != day(19) {
		t.Errorf("a rule before another: %v", a.Data)
	}
	for range 2 { // the later one is replaced, and replaced by the same
		add(`grade: STUDENT, since: "` + day(20) + `", renewalDays: 30`)
	}
	if diff := cmp.Diff([]string{"-1 30 60 CURRENT", "9 30 60 CURRENT", "10 14 60 RETIRED", "19 14 60 RETIRED", "20 7 30 CURRENT", "100 7 30 CURRENT"}, rules()); diff != "" {
		t.Errorf("the rules by day (-want +got)\n%s", diff)
	}
	for args, want := range map[string]string{
		`grade: STUDENT, since: "` + day(0) + `", graceDays: 1`:                "INVALID input since",
		`grade: STUDENT, since: "2020-01-01", graceDays: 1`:                    "INVALID input since",
		`grade: STUDENT, since: "2999-01-01", graceDays: 1`:                    "INVALID input since",
		`grade: STUDENT, since: "` + day(30) + `", graceDays: 367`:             "INVALID input",
		`grade: STUDENT, since: "` + day(30) + `", countsAs: LAPSED`:           "INVALID input countsAs",
		`grade: PROFESSIONAL, since: "` + day(1) + `", periodMonths: -2000000`: "INVALID input",
	} {
		if got := wrong(add(args), "addMembershipRule"); got != want {
			t.Errorf("%s: %q, want %q", args, got, want)
		}
	}

	publish := func(after int, text string) string {
		t.Helper()
		a := do(admin, fmt.Sprintf(`mutation { publishConsentText(input: {purpose: "NEWSLETTER", after: %d, title: "News", text: %q}) { consentText { version } userErrors { code field } } }`, after, text))
		return fmt.Sprint(at(a.Data, "publishConsentText", "consentText", "version"), " ", wrong(a, "publishConsentText"))
	}
	for _, tt := range []struct {
		after      int
		text, want string
	}{{1, "New words.", "2 "}, {1, "New words.", "2 "}, {1, "Others.", "<nil> CONFLICT input after"}, {2, " ", "<nil> INVALID input text"}} {
		if got := publish(tt.after, tt.text); got != tt.want {
			t.Errorf("%q after %d: %q, want %q", tt.text, tt.after, got, tt.want)
		}
	}
	wait := func(days int) string {
		t.Helper()
		a := do(admin, fmt.Sprintf(`mutation { setErasureWait(input: {days: %d}) { retentionRule { rule lasts } userErrors { code field } } }`, days))
		return fmt.Sprint(at(a.Data, "setErasureWait", "retentionRule", "lasts"), " ", wrong(a, "setErasureWait"))
	}
	for days, want := range map[int]string{0: "P0D ", 30: "P30D ", 91: "<nil> INVALID input days"} {
		if got := wait(days); got != want {
			t.Errorf("a wait of %d days: %q, want %q", days, got, want)
		}
	}
	if a := do(signedIn(t, h, db, "membership"), `{ retentionRules { rule lasts } }`); fmt.Sprint(texts(list(a.Data, "retentionRules"), "rule")) != "[AUDIT ERASURE_WAIT MEMBERSHIP_EXISTED POSTS_HELD]" ||
		at(a.Data, "retentionRules", 2, "lasts") != "P7Y" || at(a.Data, "retentionRules", 0, "lasts") != nil {
		t.Errorf("the rules: %v", a.Data)
	}
	for _, m := range []string{
		`addMembershipRule(input: {grade: STUDENT, since: "2999-01-01"})`, `publishConsentText(input: {purpose: "X", after: 0, title: "x", text: "x"})`, `setErasureWait(input: {days: 1})`,
	} {
		if a := decode(t, h.Execute(signedIn(t, h, db, "membership"), params(`mutation { `+m+` { userErrors { code } } }`, nil)).Body); len(a.Errors) != 1 || a.Errors[0].Extensions["code"] != "FORBIDDEN" {
			t.Errorf("%s by an officer: %+v", m, a)
		}
	}
}

// TestSignedInAtOnce signs in and reads, in the same mutation, what only who signed in
// may: each payload is answered as to its own, and what follows as to who asked.
func TestSignedInAtOnce(t *testing.T) {
	t.Parallel()
	for name, change := range map[string]func(*graph.Config){"batched": func(*graph.Config) {}, "plain": plainGqlgen} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			db := demoDB(t)
			h := graphOn(t, db, withJobs(t), change)
			mustExec(t, db, `UPDATE members SET bio = 'Of nobody else.', bio_audience = 'NOBODY', listing_audience = 'NOBODY'
				WHERE id IN (SELECT member_id FROM accounts WHERE email IN ('member@example.org', 'officer@example.org'))`)
			signIn := func(alias, role string) string {
				return alias + `: signIn(input: {email: "` + role + `@example.org", password: "` + demoPassword + `"}) {
					viewer { can account { email } member { bio visibility { field } } record { number membership { status } registration { number } } consents { purpose } erasure { id } }
					userErrors { code }
				} `
			}
			a := decode(t, h.Execute(t.Context(), params(`mutation {
				before: eraseMember(input: {}) { erasure { id } userErrors { code } }
				`+signIn("member", "member")+signIn("officer", "officer")+signIn("nobody", "nobody")+`
				after: eraseMember(input: {}) { erasure { id } userErrors { code } }
			}`, nil)).Body)
			var refused []string
			for _, e := range a.Errors {
				refused = append(refused, fmt.Sprint(e.Path, " ", e.Extensions["code"]))
			}
			// A field that may not be null makes all of it null.
			if diff := cmp.Diff([]string{"[before] UNAUTHENTICATED"}, refused[:1]); diff != "" {
				t.Errorf("refused (-want +got)\n%s", diff)
			}
			a = decode(t, h.Execute(t.Context(), params(`mutation { `+signIn("member", "member")+signIn("officer", "officer")+signIn("nobody", "nobody")+` }`, nil)).Body)
			if len(a.Errors) > 0 {
				t.Fatalf("%+v", a.Errors)
			}
			for _, role := range []string{"member", "officer"} {
				v := at(a.Data, role, "viewer")
				if at(v, "account", "email") != role+"@example.org" || at(v, "member", "bio") != "Of nobody else." || len(list(v, "member", "visibility")) == 0 ||
					at(v, "record", "number") == nil || at(v, "record", "membership", "status") == nil || len(list(v, "consents")) == 0 {
					t.Errorf("%s reads %v", role, v)
				}
			}
			if at(a.Data, "nobody", "viewer") != nil || at(a.Data, "member", "viewer", "record", "number") == at(a.Data, "officer", "viewer", "record", "number") {
				t.Errorf("the payloads are those of others: %v", a.Data)
			}
			a = decode(t, h.Execute(t.Context(), params(`mutation { `+signIn("member", "member")+` after: eraseMember(input: {}) { erasure { id } userErrors { code } } }`, nil)).Body)
			if len(a.Errors) != 1 || fmt.Sprint(a.Errors[0].Path, a.Errors[0].Extensions["code"]) != "[after]UNAUTHENTICATED" {
				t.Errorf("what follows is asked by %+v", a)
			}
			if n, err := pg.Scalar[int](t.Context(), db, `SELECT count(*) FROM erasures`); err != nil || n != 0 {
				t.Errorf("%d erasures (%v)", n, err)
			}
		})
	}
}

// TestStaffReadsAtSignInAreLogged: what is read in the payload of a sign-in stands in
// the access log as any other read.
func TestStaffReadsAtSignInAreLogged(t *testing.T) {
	t.Parallel()
	db := demoDB(t)
	var log *profile.AccessLog
	h := graphOn(t, db, withJobs(t), func(c *graph.Config) {
		log = profile.NewAccessLog(db, c.Log)
		c.AccessLog = log
	})
	mustExec(t, db, `UPDATE members SET bio = 'For the office.', bio_audience = 'STAFF', listing_audience = 'PUBLIC', region_audience = 'PUBLIC', region_id = (SELECT id FROM units WHERE slug = 'wales')`)
	mustExec(t, db, `INSERT INTO account_roles (account_id, role) SELECT id, 'MEMBERSHIP_OFFICER' FROM accounts WHERE email = 'member@example.org'`)
	mustExec(t, db, `DELETE FROM member_reads`)
	a := decode(t, h.Execute(t.Context(), params(`mutation { signIn(input: {email: "member@example.org", password: "`+demoPassword+`"}) {
		viewer { record { region { members(first: 5) { nodes { bio } } } } } userErrors { code } } }`, nil)).Body)
	if len(a.Errors) > 0 || at(a.Data, "signIn", "viewer", "record", "region", "members", "nodes", 0, "bio") != "For the office." {
		t.Fatalf("%+v", a)
	}
	if err := log.Flush(t.Context()); err != nil {
		t.Fatal(err)
	}
	n, err := pg.Scalar[int](t.Context(), db, `SELECT count(DISTINCT member_id) FROM member_reads WHERE reader = 'MEMBERSHIP_OFFICER'`)
	if err != nil || n < 4 {
		t.Errorf("%d members were told (%v)", n, err)
	}
}

// TestUnitsOfAnOfficer: who serves on a committee is told where, and what they may do
// there; nobody else is told anything.
func TestUnitsOfAnOfficer(t *testing.T) {
	t.Parallel()
	db := demoDB(t)
	h := graphOn(t, db)
	do := asking(t, h)
	const query = `{ viewer { can units { can unit { __typename ... on SpecialistSection { slug } ... on Region { slug } } } } }`
	want, err := pg.Scalars[string](t.Context(), db, `
		SELECT DISTINCT u.slug
		FROM accounts a
		JOIN terms t ON t.member_id = a.member_id AND t.starts_on <= CURRENT_DATE AND (t.ends_on IS NULL OR t.ends_on >= CURRENT_DATE)
		JOIN posts p ON p.id = t.post_id
		JOIN committees c ON c.id = p.committee_id
		JOIN units u ON u.id = c.unit_id
		WHERE a.email = 'officer@example.org'
		ORDER BY 1`)
	if err != nil || len(want) == 0 {
		t.Fatal(want, err)
	}
	a := do(signedIn(t, h, db, "officer"), query)
	var got []string
	for _, u := range list(a.Data, "viewer", "units") {
		got = append(got, at(u, "unit", "slug").(string))
		if diff := cmp.Diff([]any{"READ_COMMITTEE"}, at(u, "can")); diff != "" {
			t.Errorf("in %v (-want +got)\n%s", at(u, "unit"), diff)
		}
	}
	slices.Sort(got)
	if diff := cmp.Diff(want, got); diff != "" || strings.Contains(fmt.Sprint(at(a.Data, "viewer", "can")), "COMMITTEE") {
		t.Errorf("an officer's units (-want +got)\n%s\n%v", diff, a.Data)
	}
	for _, role := range []string{"anonymous", "member", "editor"} {
		if a := do(signedIn(t, h, db, role), query); len(list(a.Data, "viewer", "units")) != 0 {
			t.Errorf("%s: %v", role, a.Data)
		}
	}
	// Whose membership lapsed sees no more than anyone, whatever post they hold.
	const officers = `member_id = (SELECT member_id FROM accounts WHERE email = 'officer@example.org')`
	mustExec(t, db, `DELETE FROM membership_periods p WHERE `+officers+` AND EXISTS (SELECT FROM membership_periods e WHERE e.member_id = p.member_id AND e.starts_on < p.starts_on)`)
	mustExec(t, db, `UPDATE membership_periods SET ends_on = starts_on WHERE `+officers)
	if a := do(signedIn(t, h, db, "officer"), query); len(list(a.Data, "viewer", "units")) != 0 {
		t.Errorf("lapsed: %v", a.Data)
	}
}

// TestNodesAreKept: that some kinds of things are private keeps nobody from keeping
// the answer about a page or a section.
func TestNodesAreKept(t *testing.T) {
	t.Parallel()
	db := demoDB(t)
	h := graphOn(t, db, keeping(t, db, always))
	ids := data(t, h, `{ page(path: "/about-us") { id } specialistSection(slug: "housing") { id } }`, nil)
	for kind, query := range map[string]string{
		"a page":         `{ node(id: "` + at(ids, "page", "id").(string) + `") { id ... on Page { title } } }`,
		"a section":      `{ node(id: "` + at(ids, "specialistSection", "id").(string) + `") { __typename ... on SpecialistSection { name memberCount } } }`,
		"several things": `{ nodes(ids: ["` + at(ids, "page", "id").(string) + `", "` + at(ids, "specialistSection", "id").(string) + `"]) { id } }`,
	} {
		var last server.Result
		for range 2 {
			if last = recallOrExecute(t.Context(), h, asSent(t, query, nil)); last.Public == nil || last.Errors > 0 {
				t.Fatalf("%s is not public: %s", kind, last.Body)
			}
		}
		if last.From != server.FromMemory {
			t.Errorf("%s was not kept: %s", kind, last.Body)
		}
	}
	for kind, selected := range map[string]string{"one's access": `... on Page { viewerAccess { canRead } }`, "a record": `... on MemberRecord { membership { status } }`} {
		if r := recallOrExecute(t.Context(), h, asSent(t, `{ node(id: "`+at(ids, "page", "id").(string)+`") { `+selected+` } }`, nil)); r.Public != nil {
			t.Errorf("%s is public: %s", kind, r.Body)
		}
	}
}

// TestTheOfficeReachesEveryone removes the photo of a member who is listed for nobody,
// by the ID of the record: a member can't.
func TestTheOfficeReachesEveryone(t *testing.T) {
	t.Parallel()
	db := demoDB(t)
	h := graphOn(t, db, withJobs(t))
	do := asking(t, h)
	const own = `(SELECT member_id FROM accounts WHERE email = 'member@example.org')`
	mustExec(t, db, `UPDATE members SET listing_audience = 'NOBODY' WHERE id = `+own)
	mustExec(t, db, `INSERT INTO member_details (member_id, field, audience, value) VALUES (`+own+`, 'PHOTO', 'NOBODY', 'photos/x.jpg')
		ON CONFLICT (member_id, field) DO UPDATE SET audience = 'NOBODY', value = 'photos/x.jpg'`)
	mustExec(t, db, `INSERT INTO member_photos (member_id, id, jpeg, width, height) VALUES (`+own+`, gen_random_uuid(), '\xffd8', 1, 1) ON CONFLICT DO NOTHING`)
	officer, member := signedIn(t, h, db, "membership"), signedIn(t, h, db, "member")
	number := at(do(member, `{ viewer { record { number } } }`).Data, "viewer", "record", "number").(string)
	found := do(officer, `{ register(filter: {text: "`+number+`"}) { nodes { id number member { id } } } }`)
	record, _ := at(found.Data, "register", "nodes", 0, "id").(string)
	if record == "" || at(found.Data, "register", "nodes", 0, "member") != nil {
		t.Fatalf("the office finds %v", found.Data)
	}
	remove := `mutation { removePhotoOfMember(input: {member: "` + record + `"}) { record { number } userErrors { code field } } }`
	if a := decode(t, h.Execute(member, params(remove, nil)).Body); len(a.Errors) != 1 || a.Errors[0].Extensions["code"] != "FORBIDDEN" {
		t.Errorf("a member: %+v", a)
	}
	for range 2 {
		if a := do(officer, remove); at(a.Data, "removePhotoOfMember", "record", "number") != number {
			t.Errorf("the office: %v", a.Data)
		}
	}
	n, err := pg.Scalar[int](t.Context(), db, `SELECT (SELECT count(*) FROM member_photos WHERE member_id = `+own+`)
		+ (SELECT count(*) FROM member_details WHERE field = 'PHOTO' AND value IS NOT NULL AND member_id = `+own+`)`)
	if err != nil || n != 0 {
		t.Errorf("%d rows of the photo are left (%v)", n, err)
	}
	if got := wrong(do(officer, `mutation { removePhotoOfMember(input: {member: "`+node.ID("Member", uuid.New())+`"}) { userErrors { code field } } }`), "removePhotoOfMember"); got != "INVALID input member" {
		t.Errorf("nobody: %s", got)
	}
}

// TestWithdrawnTerm appoints a member to the committee of a section by mistake: once that is
// withdrawn, they may do there what they could before, with the next request; and the audit
// says who withdrew it.
func TestWithdrawnTerm(t *testing.T) {
	t.Parallel()
	db := demoDB(t)
	h := graphOn(t, db)
	do := asking(t, h)
	mustExec(t, db, `UPDATE posts SET seats = 50`)
	officer := signedIn(t, h, db, "membership")
	record, _ := at(do(signedIn(t, h, db, "member"), `{ viewer { record { id } } }`).Data, "viewer", "record", "id").(string)
	post, err := pg.Scalar[uuid.UUID](t.Context(), db, `
		SELECT p.id FROM posts p JOIN committees c ON c.id = p.committee_id JOIN units u ON u.id = c.unit_id
		WHERE u.kind = 'SPECIALIST_SECTION' AND u.dissolved_on IS NULL ORDER BY p.id LIMIT 1`)
	if err != nil {
		t.Fatal(err)
	}
	today, err := pg.Scalar[string](t.Context(), db, `SELECT CURRENT_DATE::text`)
	if err != nil {
		t.Fatal(err)
	}
	units := func() int {
		t.Helper()
		return len(list(do(signedIn(t, h, db, "member"), `{ viewer { units { can } } }`).Data, "viewer", "units"))
	}
	if n := units(); n != 0 {
		t.Fatalf("the member serves in %d units already", n)
	}
	a := do(officer, `mutation { appointToPost(input: {post: "`+node.ID("Post", post)+`", member: "`+record+`", startsOn: "`+today+`"}) { term { id } userErrors { message } } }`)
	term, _ := at(a.Data, "appointToPost", "term", "id").(string)
	if term == "" || units() != 1 {
		t.Fatalf("appointed: %v", a.Data)
	}
	withdraw := `mutation { withdrawTerm(input: {term: "` + term + `"}) { term { id post { id } } userErrors { code field } } }`
	a = do(officer, withdraw)
	if at(a.Data, "withdrawTerm", "term", "id") != term || at(a.Data, "withdrawTerm", "term", "post", "id") != node.ID("Post", post) {
		t.Errorf("withdrawn: %v", a.Data)
	}
	if n := units(); n != 0 {
		t.Errorf("the member serves in %d units", n)
	}
	if got := wrong(do(officer, withdraw), "withdrawTerm"); got != "INVALID input term" {
		t.Errorf("again: %q", got)
	}
	noted, err := pg.Scalar[int](t.Context(), db, `
		SELECT count(*)
		FROM audit_entries e
		JOIN audit_people p ON p.pseudonym = e.actor
		JOIN accounts a ON a.id = p.person_id
		WHERE e.table_name = 'terms' AND e.operation = 'DELETE' AND a.email = 'membership@example.org'`)
	if err != nil || noted != 1 {
		t.Errorf("the audit has %d entries of it (%v)", noted, err)
	}

	committee, err := pg.Scalar[uuid.UUID](t.Context(), db, `SELECT committee_id FROM posts WHERE id = $1`, post)
	if err != nil {
		t.Fatal(err)
	}
	of := `committee: "` + node.ID("Committee", committee) + `", opensOn: "2016-03-01"`
	do(officer, `mutation { scheduleElection(input: {`+of+`, closesOn: "2016-03-02"}) { userErrors { code } } }`)
	a = do(officer, `mutation { withdrawElection(input: {`+of+`}) { election { opensOn closesOn } userErrors { code } } }`)
	if at(a.Data, "withdrawElection", "election", "closesOn") != "2016-03-02" {
		t.Errorf("withdrawn: %v", a.Data)
	}
	if got := wrong(do(officer, `mutation { withdrawElection(input: {`+of+`}) { election { opensOn } userErrors { code field } } }`), "withdrawElection"); got != "INVALID input opensOn" {
		t.Errorf("again: %q", got)
	}
}
