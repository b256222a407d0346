package graph_test

import (
	"bytes"
	"context"
	"encoding/base64"
	"fmt"
	"image"
	"image/png"
	"io/fs"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/collegium/collegium/graph"
	"github.com/collegium/collegium/internal/identity"
	profile "github.com/collegium/collegium/internal/member"
	"github.com/collegium/collegium/internal/pack"
	"github.com/collegium/collegium/internal/server"
	"github.com/collegium/collegium/internal/viewer"
)

// moreContent is what the captured page tells nothing of: blocks of every kind, a page that
// is gone, one to be reviewed, and a case study of a member.
var moreContent = map[string]string{
	"pages/about-us/join-us.md": "---\ntitle: Join us\nposition: 1\nsummary: How to become a member.\nredirectFrom: [/join-us]\n" +
		"publishedAt: 2024-05-31T14:30:00Z\nreviewDueOn: 2026-05-31\n---\n\n" +
		"```callout\ntone: WARNING\ntitle: Before you apply\ntext: Have your number at hand.\n```\n\n" +
		"```faq\ntitle: Questions\nitems:\n  - question: How long does it take?\n    answer: A few days.\n```\n\n" +
		"```links\ntitle: Read on\nlinks:\n  - url: https://www.example.org/\n    label: The register\n  - page: /contact-us\n```\n\n" +
		"```case-studies\ntitle: In their words\ncaseStudies: [anna]\n```\n\n" +
		"```webinar\ntitle: Joining\nurl: https://www.example.org/video\nthumbnailUrl: https://www.example.org/video.jpg\n```\n",
	"pages/about-us/gone.md": "---\ntitle: Gone\nstatus: GONE\n---\n",
	"case-studies/anna.md": "---\nperson: Anna\nheadline: Anna\nlevel: EXPERIENCED\nlevelLabel: Experienced level\npath: /advanced-practice/anna\n" +
		"document: document:anna\nmember: p-mari-evans\nsection: housing\nregion: eastern\nconsentOn: 2023-01-31\n---\n\nA summary.\n",
}

// live has happen, in the demo body, what happens in a body over the years, so that every
// type has something to show. It adds to the pools where that is.
func live(t *testing.T, db *pgxpool.Pool, pools map[string][]any) {
	t.Helper()
	overlay := fstest.MapFS{}
	err := fs.WalkDir(pack.Demo(), ".", func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		data, err := fs.ReadFile(pack.Demo(), path)
		overlay[path] = &fstest.MapFile{Data: data}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	for path, text := range moreContent {
		overlay[path] = &fstest.MapFile{Data: []byte(text)}
	}
	content, err := pack.Read(overlay)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := pack.Import(t.Context(), db, content, pack.ImportOptions{}); err != nil {
		t.Fatal(err)
	}

	var log *profile.AccessLog
	h := graphOn(t, db, withJobs(t), func(c *graph.Config) {
		log = profile.NewAccessLog(db, c.Log)
		c.AccessLog = log
	})
	as := map[string]context.Context{}
	for _, role := range roles {
		as[role] = signedIn(t, h, db, role)
	}
	do := func(role, mutation string) map[string]any {
		t.Helper()
		a := decode(t, h.Execute(as[role], params("mutation {"+mutation+"}", nil)).Body)
		if len(a.Errors) > 0 {
			t.Fatalf("%s: %+v", mutation, a.Errors)
		}
		root := mutation[:strings.Index(mutation, "(")]
		if wrong := list(a.Data, root, "userErrors"); len(wrong) > 0 {
			t.Fatalf("%s: %v", mutation, wrong)
		}
		return a.Data[root].(map[string]any)
	}
	id := func(role string) string {
		a := decode(t, h.Execute(as[role], params(`{ viewer { member { id } } }`, nil)).Body)
		return at(a.Data, "viewer", "member", "id").(string)
	}

	var picture bytes.Buffer
	if err := png.Encode(&picture, image.NewGray(image.Rect(0, 0, 64, 64))); err != nil {
		t.Fatal(err)
	}
	own := id("member")
	do("member", `setPhoto(input: {image: "`+base64.StdEncoding.EncodeToString(picture.Bytes())+`"}) { userErrors { code } }`)
	for _, field := range []string{"PHOTO", "HEADLINE", "PRACTICE"} {
		do("member", `setFieldAudience(input: {field: `+field+`, audience: PUBLIC}) { userErrors { code } }`)
	}
	mustExec(t, db, `UPDATE members SET bio = 'What only members see.' WHERE id = (SELECT member_id FROM accounts WHERE email = 'member@example.org')`)
	do("member", `setFieldAudience(input: {field: BIO, audience: MEMBERS}) { userErrors { code } }`)
	do("membership", `lockFieldAudience(input: {member: "`+own+`", field: PHONE, audience: MEMBERS, reason: "Asked for."}) { userErrors { code } }`)
	text := decode(t, h.Execute(as["member"], params(`{ consentTexts { purpose version } }`, nil)).Body).Data
	do("member", `giveConsent(input: {purpose: "`+at(text, "consentTexts", 0, "purpose").(string)+`", version: `+fmt.Sprint(at(text, "consentTexts", 0, "version"))+`}) { userErrors { code } }`)
	do("officer", `eraseMember(input: {currentPassword: "`+demoPassword+`"}) { userErrors { code } }`)

	// Somebody was erased.
	members := data(t, h, `{ members(first: 1, filter: {text: "Zo"}) { nodes { id } } }`, nil)
	gone := at(do("membership", `eraseMember(input: {member: "`+at(members, "members", "nodes", 0, "id").(string)+`"}) { erasure { id } userErrors { code } }`), "erasure", "id").(string)
	mustExec(t, db, `UPDATE erasures SET requested_at = requested_at - interval '1 year', due_at = due_at - interval '1 year' WHERE member_id IS NOT NULL AND by_staff`)
	do("membership", `executeErasure(input: {id: "`+gone+`"}) { userErrors { code } }`)
	pools["Query.erasureCertificate.id"] = []any{gone}

	// A partner whose key is limited and was taken back, and who is suspended.
	partner := at(do("administrator", `createPartnerApplication(input: {name: "Former partner", contactEmail: "former@example.org"}) { application { id } userErrors { code } }`), "application", "id").(string)
	region := at(data(t, h, `{ region(slug: "wales") { id } }`, nil), "region", "id").(string)
	key := at(do("administrator", `createKey(input: {application: "`+partner+`", scopes: [DIRECTORY_READ], unit: "`+region+`"}) { key { id } userErrors { code } }`), "key", "id").(string)
	do("administrator", `revokeKey(input: {id: "`+key+`"}) { userErrors { code } }`)
	do("administrator", `suspendPartnerApplication(input: {id: "`+partner+`"}) { userErrors { code } }`)
	mustExec(t, db, `INSERT INTO application_key_uses (key_id, used_at) SELECT id, now() FROM application_keys`)

	// An application was declined, and an account suspended.
	mustExec(t, db, `INSERT INTO passkeys (id, account_id, credential_id, credential, name)
		SELECT gen_random_uuid(), id, decode(md5(id::text), 'hex'), '{}', 'Telephone' FROM accounts`)
	mustExec(t, db, `INSERT INTO passkey_uses (passkey_id, account_id, state, last_used_at) SELECT id, account_id, '{}', now() FROM passkeys`)
	mustExec(t, db, `INSERT INTO accounts (id, email, email_verified_at, suspended_at) VALUES ('01920000-0000-7000-8000-0000000000d1', 'twice@example.org', now(), now())`)
	mustExec(t, db, `INSERT INTO membership_applications (id, account_id, display_name, grade) VALUES (gen_random_uuid(), '01920000-0000-7000-8000-0000000000d1', 'Asked Twice', 'STUDENT')`)
	waiting := decode(t, h.Execute(as["membership"], params(`{ applications(status: SUBMITTED, last: 1) { nodes { id } } }`, nil)).Body).Data
	do("membership", `declineApplication(input: {application: "`+at(waiting, "applications", "nodes", 0, "id").(string)+`", reason: "Asked twice."}) { userErrors { code } }`)

	// And who looks at whom is in the log.
	for _, role := range []string{"officer", "membership"} {
		if a := decode(t, h.Execute(as[role], params(`{ member(id: "`+own+`") { bio pronouns joinedOn grade } }`, nil)).Body); len(a.Errors) > 0 {
			t.Fatal(a.Errors)
		}
	}
	if err := log.Flush(t.Context()); err != nil {
		t.Fatal(err)
	}
	pools["Query.route.path"] = []any{"/about-us", "/join-us", "/about-us/gone", "/about-us/jion-us"}
	near := literal(`{latitude: 51.48, longitude: -3.18, withinKm: 300}`)
	pools["Query.therapists.near"] = []any{near}
	pools["Query.members.filter"] = []any{"{near: " + near + "}"}
	pools["MemberStatistics.by.dimension"] = []any{literal("GRADE")}
	pools["MemberStatistics.months.by"] = []any{literal("GRADE")}
	pools["Query.page.path"] = append([]any{"/about-us/join-us"}, pools["Query.page.path"]...)
	pools["Query.member.id"] = append([]any{own}, pools["Query.member.id"]...)
}

// withKey returns a context in which a partner asks whose key has every scope.
func withKey(t *testing.T, h *graph.Handler, db *pgxpool.Pool) context.Context {
	t.Helper()
	accounts := identity.Store{DB: db}
	partner, err := accounts.PartnerApplicationNamed(t.Context(), "Example Conferences")
	if err != nil {
		t.Fatal(err)
	}
	_, secret, err := accounts.CreateKey(t.Context(), viewer.Viewer{}, identity.NewKey{ApplicationID: partner.ID, Scopes: identity.Scopes})
	if err != nil {
		t.Fatal(err)
	}
	ctx, err := h.Identify(t.Context(), server.Credentials{Key: secret})
	if err != nil {
		t.Fatal(err)
	}
	return ctx
}
