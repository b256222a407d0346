package graph_test

import (
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
