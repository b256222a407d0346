package graph_test

import (
	"context"
	"fmt"
	"regexp"
	"strings"
	"sync"
	"testing"

	"github.com/google/uuid"

	"github.com/collegium/collegium/graph/gen"
	"github.com/collegium/collegium/internal/node"
	"github.com/collegium/collegium/internal/pg"
)

// harmlessTwice are the mutations without an idempotencyKey, each with why nothing goes wrong
// when one is sent twice because its reply was lost.
var harmlessTwice = map[string]string{
	"join":                        "answers everyone the same and mails another link; the first that is followed ends the others",
	"requestPasswordReset":        "mails another link; nobody is signed in",
	"setPassword":                 "its link works once",
	"signIn":                      "begins another session",
	"signOut":                     "the session has ended",
	"signOutEverywhere":           "the sessions have ended",
	"changePassword":              "the old password is no longer right",
	"changeEmail":                 "mails another link; the first that is followed ends the others",
	"changeAccountEmail":          "the same",
	"confirmEmail":                "its link works once",
	"beginTotp":                   "makes another secret in the place of the one that was lost",
	"confirmTotp":                 "a code works once; who lost the recovery codes turns it off and on again",
	"disableTotp":                 "it is off",
	"beginPasskey":                "asks another question",
	"addPasskey":                  "a question is answered once",
	"removePasskey":               "it is gone",
	"beginPasskeySignIn":          "asks another question",
	"signInByPasskey":             "a question is answered once",
	"grantRole":                   "a role is had or not",
	"revokeRole":                  "the same",
	"linkAccount":                 "a member who has the account stays who has it",
	"suspendAccount":              "suspended is suspended",
	"reinstateAccount":            "the same",
	"suspendPartnerApplication":   "the same",
	"reinstatePartnerApplication": "the same",
	"revokeKey":                   "revoked is revoked",
	"updateProfile":               "takes expectedRevision",
	"setFieldAudience":            "sets what it says",
	"lockFieldAudience":           "the same",
	"setTherapistListing":         "the same",
	"setPhoto":                    "the same picture again",
	"removePhoto":                 "it is gone",
	"correctMember":               "sets what it says",
	"removePhotoOfMember":         "it is gone",
	"withdrawApplication":         "it is withdrawn",
	"stateRegistration":           "keeps what it says; the same number stays verified",
	"verifyRegistration":          "notes the same again, unless another number was stated since",
	"stateInsurance":              "takes the place of the one that begins on the same day",
	"withdrawInsurance":           "it is gone",
	"endTerm":                     "sets the last day that it says",
	"withdrawTerm":                "it is gone",
	"withdrawElection":            "it is gone",
	"addMembershipRule":           "takes the place of the rule of the same day",
	"scheduleElection":            "takes the place of the election of the same day",
	"giveConsent":                 "agreeing again changes nothing",
	"withdrawConsent":             "the same",
	"publishConsentText":          "says which version it follows",
	"setErasureWait":              "sets what it says",
}

// TestEveryMutationIsSafeToRepeat wants of every mutation that it takes an idempotencyKey, or
// a reason why not.
func TestEveryMutationIsSafeToRepeat(t *testing.T) {
	t.Parallel()
	schema := gen.NewExecutableSchema(gen.Config{}).Schema()
	for _, f := range schema.Mutation.Fields {
		input := f.Arguments.ForName("input")
		takes := input != nil && schema.Types[input.Type.Name()].Fields.ForName("idempotencyKey") != nil
		switch _, left := harmlessTwice[f.Name]; {
		case takes && left:
			t.Errorf("%s takes an idempotencyKey, so it needs no reason not to", f.Name)
		case !takes && !left:
			t.Errorf("%s is sent again when its reply is lost: give its input an idempotencyKey, or say here why that does no harm", f.Name)
		}
	}
	for name := range harmlessTwice {
		if schema.Mutation.Fields.ForName(name) == nil {
			t.Errorf("there is no mutation %s", name)
		}
	}
}

// TestOnceForEachKey sends each mutation that takes a key several times at once, and once more:
// it has one effect, and one answer.
func TestOnceForEachKey(t *testing.T) {
	t.Parallel()
	db := demoDB(t)
	h := graphOn(t, db, withJobs(t))
	mustExec(t, db, `INSERT INTO accounts (id, email, email_verified_at, password_hash)
		SELECT gen_random_uuid(), 'ada@example.org', now(), password_hash FROM accounts WHERE email = 'member@example.org'`)
	mustExec(t, db, `UPDATE posts SET seats = 50`)
	admin, ada, member := signedIn(t, h, db, "administrator"), signedIn(t, h, db, "ada"), signedIn(t, h, db, "member")
	do := asking(t, h)

	count := func(what string) int {
		t.Helper()
		n, err := pg.Scalar[int](t.Context(), db, `SELECT count(*) FROM `+what)
		if err != nil {
			t.Fatal(err)
		}
		return n
	}
	keys := 0
	seen := map[string]bool{}
	secrets := regexp.MustCompile(`"secret":"[^"]+"`)
	// sent sends it, with effects more rows afterwards, and returns the answer.
	sent := func(who context.Context, name, input, payload, rows string, effects int) answer {
		t.Helper()
		seen[name] = true
		keys++
		key := fmt.Sprint("key ", keys)
		query := fmt.Sprintf(`mutation { %s(input: {%s, idempotencyKey: %q}) { %s userErrors { code field message } } }`, name, input, key, payload)
		query = strings.ReplaceAll(query, "{, ", "{")
		before := count(rows)
		bodies := make([]string, 4)
		var wg sync.WaitGroup
		for i := range bodies {
			wg.Go(func() { bodies[i] = string(h.Execute(who, params(query, nil)).Body) })
		}
		wg.Wait()
		bodies = append(bodies, string(h.Execute(who, params(query, nil)).Body))
		first, told := bodies[0], 0
		for i, b := range bodies {
			if secrets.MatchString(b) {
				first = b
				told++
				bodies[i] = secrets.ReplaceAllString(b, `"secret":null`)
			}
		}
		for _, b := range bodies {
			if b != bodies[0] || !strings.Contains(b, `"userErrors":[]`) {
				t.Errorf("%s, sent again, answers\n%s\nand\n%s", query, bodies[0], b)
			}
		}
		if got := count(rows) - before; got != effects {
			t.Errorf("%s: %d more of %s, want %d", query, got, rows, effects)
		}
		if want := strings.Count(payload, "secret"); told != want {
			t.Errorf("%s: the secret is in %d answers, want %d", query, told, want)
		}
		if who == admin {
			got := wrong(do(who, fmt.Sprintf(`mutation { createPartnerApplication(input: {name: "Not made", contactEmail: "x@example.org", idempotencyKey: %q}) { userErrors { code field } } }`, key)), "createPartnerApplication")
			if got != "INVALID input idempotencyKey" {
				t.Errorf("the key of %s for something else: %q", name, got)
			}
		}
		return decode(t, []byte(first))
	}
	id := func(a answer, path ...any) string {
		t.Helper()
		s, _ := at(a.Data, path...).(string)
		if s == "" {
			t.Fatalf("nothing at %v of %v", path, a.Data)
		}
		return s
	}
	const apply, mails = `displayName: "Ada King", grade: STUDENT`, `river.river_job WHERE kind = 'membership_mail'`
	const application, record = `application { id applicationStatus record { id } }`, `record { number membership { status grade endsOn history { kind } } sectionMemberships { startsOn endsOn } }`

	first := sent(ada, "applyForMembership", apply, application, "membership_applications", 1)
	sent(admin, "declineApplication", `application: "`+id(first, "applyForMembership", "application", "id")+`", reason: "No."`, application, mails, 1)
	second := sent(ada, "applyForMembership", apply, application, "membership_applications", 1)
	accepted := sent(admin, "acceptApplication", `application: "`+id(second, "applyForMembership", "application", "id")+`"`, application, mails, 1)
	who := `member: "` + id(accepted, "acceptApplication", "application", "record", "id") + `"`
	section := func(slug string) string {
		return id(do(admin, `{ specialistSection(slug: "`+slug+`") { id } }`), "specialistSection", "id")
	}
	housing, work := section("housing"), section("work")

	partner := sent(admin, "createPartnerApplication", `name: "Once", contactEmail: "x@example.org"`, `application { id name }`, "partner_applications", 1)
	sent(admin, "createKey", `application: "`+id(partner, "createPartnerApplication", "application", "id")+`", scopes: [CONTENT_READ]`, `secret key { id prefix keyStatus expiresAt }`, "application_keys", 1)

	sent(admin, "changeGrade", who+`, grade: PROFESSIONAL`, record, "membership_events", 1)
	sent(admin, "suspendMembership", who+`, reason: "Fees are owed."`, record, "membership_suspensions", 1)
	sent(admin, "reinstateMembership", who, record, "membership_suspensions", -1)
	sent(admin, "joinSection", who+`, section: "`+housing+`"`, record, "section_memberships", 1)
	sent(admin, "leaveSection", who+`, section: "`+housing+`"`, record, "section_memberships", -1)
	post, err := pg.Scalar[uuid.UUID](t.Context(), db, `SELECT id FROM posts ORDER BY id LIMIT 1`)
	if err != nil {
		t.Fatal(err)
	}
	sent(admin, "appointToPost", who+`, post: "`+node.ID("Post", post)+`", startsOn: "2999-01-01"`, `term { id startsOn }`, "terms", 1)
	sent(admin, "renewMembership", who, record, "membership_periods", 1)
	sent(admin, "endMembership", who+`, reason: REMOVED`, record, "membership_events", 1)
	sent(admin, "withdrawEnd", who+`, reason: "It was another."`, record, "membership_events", 1)
	sent(admin, "endMembership", who+`, reason: REMOVED`, record, "membership_events", 1)
	sent(member, "resignMembership", ``, record, "membership_events", 1)
	today, err := pg.Scalar[string](t.Context(), db, `SELECT CURRENT_DATE::text`)
	if err != nil {
		t.Fatal(err)
	}
	moved := sent(admin, "transferSectionMembers", `from: "`+housing+`", to: "`+work+`", on: "`+today+`"`, `members joined`, "section_memberships WHERE starts_on > '9999-01-01'", 0)
	if n, _ := at(moved.Data, "transferSectionMembers", "members").(float64); n < 1 {
		t.Errorf("nobody was moved: %v", moved.Data)
	}

	const erasure, waiting = `erasure { id status dueAt }`, `erasures WHERE cancelled_at IS NULL AND executed_at IS NULL`
	asked := sent(admin, "eraseMember", who, erasure, waiting, 1)
	sent(admin, "cancelErasure", `id: "`+id(asked, "eraseMember", "erasure", "id")+`"`, erasure, waiting, -1)
	asked = sent(admin, "eraseMember", who, erasure, waiting, 1)
	erased, err := pg.Scalar[uuid.UUID](t.Context(), db, `SELECT e.member_id FROM erasures e WHERE e.cancelled_at IS NULL`)
	if err != nil {
		t.Fatal(err)
	}
	named := `idempotency_keys k WHERE k.answer = to_jsonb('` + erased.String() + `'::uuid)`
	if count(named) == 0 {
		t.Error("no answer names the member, so none is looked for")
	}
	mustExec(t, db, `UPDATE erasures SET requested_at = now() - interval '90 days', due_at = now() WHERE cancelled_at IS NULL`)
	sent(admin, "executeErasure", `id: "`+id(asked, "eraseMember", "erasure", "id")+`"`, erasure, "erasures WHERE executed_at IS NOT NULL", 1)
	if n := count(named); n != 0 {
		t.Errorf("%d answers name a member who was erased", n)
	}

	schema := gen.NewExecutableSchema(gen.Config{}).Schema()
	for _, f := range schema.Mutation.Fields {
		if input := f.Arguments.ForName("input"); input != nil && schema.Types[input.Type.Name()].Fields.ForName("idempotencyKey") != nil && !seen[f.Name] {
			t.Errorf("%s takes an idempotencyKey, and this test doesn't send it", f.Name)
		}
	}
}
