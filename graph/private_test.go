package graph_test

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgtype"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/vektah/gqlparser/v2/ast"

	"github.com/collegium/collegium/graph"
	"github.com/collegium/collegium/graph/exec/querygen"
	"github.com/collegium/collegium/graph/gen"
	"github.com/collegium/collegium/internal/identity"
	"github.com/collegium/collegium/internal/node"
	"github.com/collegium/collegium/internal/pg"
	"github.com/collegium/collegium/internal/server"
	"github.com/collegium/collegium/internal/viewer"
	"github.com/google/uuid"
)

// A canary is a value that few may see. It tells who: "canary-" and one of these. The
// members who have them share no section with whoever signs in, and are not served by
// the section officer.
const (
	forMembers   = "MEMBERS"
	forSection   = "SECTION"
	forCommittee = "COMMITTEE"
	forStaff     = "STAFF"
	forNobody    = "NOBODY"
	// forOwner are rows about a person that are the person's own and the register's, and
	// forDetail those of the rows with an audience that are for nobody.
	forOwner  = "OWNER"
	forDetail = "DETAIL"
	// forOffice are those of the person's own rows that no key is for.
	forOffice = "OFFICE"
	// forService are hashes and tokens, which no answer holds.
	forService = "SERVICE"
	// forOutside are those for members, of members who are not of the region to which a key
	// is limited.
	forOutside = "OUTSIDE"
	// forMembership are no canaries: the grade and the day of joining, which are part of the
	// membership. Who may count members counts them as they are.
	forMembership = "MEMBERSHIP"
)

// hiddenFrom are the canaries that a role must never be shown.
var hiddenFrom = map[string][]string{
	"anonymous":     {forMembership, forOutside, forMembers, forSection, forCommittee, forStaff, forNobody, forOwner, forOffice, forDetail, forService},
	"member":        {forMembership, forSection, forCommittee, forStaff, forNobody, forOwner, forOffice, forDetail, forService},
	"officer":       {forMembership, forSection, forCommittee, forStaff, forNobody, forOwner, forOffice, forDetail, forService},
	"editor":        {forMembership, forSection, forCommittee, forStaff, forNobody, forOwner, forOffice, forDetail, forService},
	"membership":    {forNobody, forDetail, forService},
	"administrator": {forNobody, forDetail, forService},

	"key: content":            {forMembership, forOutside, forMembers, forSection, forCommittee, forStaff, forNobody, forOwner, forOffice, forDetail, forService},
	"key: directory":          {forMembership, forSection, forCommittee, forStaff, forNobody, forOwner, forOffice, forDetail, forService},
	"key: directory, limited": {forOutside, forSection, forCommittee, forStaff, forNobody, forOwner, forOffice, forDetail, forService},
	"key: members":            {forOffice, forNobody, forDetail, forService},
	"key: statistics":         {forOutside, forMembers, forSection, forCommittee, forStaff, forNobody, forOwner, forOffice, forDetail, forService},
}

// planted is the demo body with canaries.
type planted struct {
	db *pgxpool.Pool
	// members are the IDs of those who have canaries, as in the graph.
	members []any
	// columns are those of tables with policies that hold canaries.
	columns []string
	// others says of which levels the canaries read otherwise.
	others func(level string) bool
	// sections are far from who signs in, unit is the region of the first who has canaries,
	// and inUnit who is of it.
	sections, inUnit []uuid.UUID
	unit             uuid.UUID
}

// variant is the canary of a level.
func (p *planted) variant(level string) string {
	if p.others(level) {
		return "canary-" + level + "-two"
	}
	return "canary-" + level + "-one"
}

// plant puts canaries into a database. Those of the levels in others read otherwise; else two
// databases are the same.
func plant(t *testing.T, others []string) *planted {
	t.Helper()
	db := demoDB(t)
	p := &planted{db: db, others: func(level string) bool { return slices.Contains(others, level) }}
	// The register knows the grade and the day of joining, whomever the member shows them to.
	known := func(level string) (grade, joined string) {
		if p.others(level) && p.others(forMembership) {
			return "SELF_EMPLOYED", "2011-01-01"
		}
		return "PROFESSIONAL", "2012-01-01"
	}
	// A person who is signed in somewhere else.
	accounts := &identity.Store{DB: db, Passwords: passwords}
	ctx := t.Context()
	victims, err := pg.Scalars[uuid.UUID](ctx, db, `
		WITH signed AS (
			SELECT a.member_id AS id FROM accounts a WHERE a.member_id IS NOT NULL
		), near AS (
			SELECT sm.section_id FROM section_memberships sm JOIN signed s ON s.id = sm.member_id
			UNION
			SELECT c.unit_id FROM committees c JOIN posts p ON p.committee_id = c.id JOIN terms t ON t.post_id = p.id JOIN signed s ON s.id = t.member_id
			WHERE c.unit_id IS NOT NULL
		)
		SELECT m.id
		FROM members m
		WHERE m.id NOT IN (SELECT id FROM signed)
			AND m.region_id NOT IN (SELECT section_id FROM near)
			AND NOT EXISTS (SELECT FROM section_memberships sm WHERE sm.member_id = m.id AND sm.section_id IN (SELECT section_id FROM near))
			AND NOT EXISTS (SELECT FROM terms t WHERE t.member_id = m.id)
			AND NOT EXISTS (SELECT FROM case_studies c WHERE c.member_id = m.id)
		ORDER BY m.sort_name COLLATE "C", m.id
		LIMIT 40`)
	if err != nil || len(victims) < 20 {
		t.Fatalf("%d members can hold canaries, %v", len(victims), err)
	}
	if _, err := db.Exec(ctx, `
		INSERT INTO accounts (id, email, password_hash, email_verified_at, created_at, member_id)
		SELECT md5('victim')::uuid, 'victim@example.org', a.password_hash, '2026-01-01', '2026-01-01', @member
		FROM accounts a
		WHERE a.email = 'member@example.org'`, pgx.StrictNamedArgs{"member": victims[0]}); err != nil {
		t.Fatal(err)
	}
	if _, err := accounts.SignIn(ctx, "victim@example.org", demoPassword, "", "192.0.2.1"); err != nil {
		t.Fatal(err)
	}
	p.findUnits(t, victims)
	levels := []string{forMembers, forSection, forCommittee, forStaff, forNobody}
	label := func(i int) string {
		if level := levels[i%len(levels)]; level != forMembers || slices.Contains(p.inUnit, victims[i]) {
			return level
		}
		return forOutside
	}
	for i, id := range victims {
		p.members = append(p.members, node.ID("Member", id))
		level := levels[i%len(levels)]
		grade, joined := known(label(i))
		args := pgx.StrictNamedArgs{"id": id, "level": level, "value": fmt.Sprintf("%s-%d", p.variant(label(i)), i), "grade": grade, "joined": joined}
		// Every other one can be found, by everyone, and hides the rest; the others hide
		// that they are members.
		sql := `
			UPDATE members SET
				headline = @value, bio = @value, pronouns = @value, grade = @grade, joined_on = @joined::text::date,
				listing_audience = 'PUBLIC', headline_audience = @level, bio_audience = @level, pronouns_audience = @level,
				grade_audience = @level, joined_on_audience = @level, region_audience = @level, sections_audience = @level
			WHERE id = @id`
		if i/len(levels)%2 == 1 {
			sql = `
			UPDATE members SET
				display_name = @value, sort_name = @value, headline = @value, bio = @value, grade = @grade, joined_on = @joined::text::date,
				listing_audience = @level, headline_audience = 'PUBLIC', bio_audience = 'PUBLIC', grade_audience = 'PUBLIC',
				joined_on_audience = 'PUBLIC', region_audience = 'PUBLIC', sections_audience = 'PUBLIC'
			WHERE id = @id`
		}
		if _, err := db.Exec(ctx, sql, args); err != nil {
			t.Fatal(err)
		}
	}
	p.plantPeople(t, victims, label)
	p.plantRows(t, victims)
	if _, err := db.Exec(ctx, `UPDATE accounts SET password_hash = '$argon2id$' || @value WHERE email = 'victim@example.org'`,
		pgx.StrictNamedArgs{"value": p.variant(forService)}); err != nil {
		t.Fatal(err)
	}
	if _, err := db.Exec(ctx, `ANALYZE`); err != nil {
		t.Fatal(err)
	}
	return p
}

// forNoKey are tables of people's own that no key reads.
var forNoKey = []string{"membership_applications", "member_locks", "member_reads", "passkeys", "external_identities", "external_attempts", "erasures"}

// plantRows puts a canary into each column of text of each table with policies, in the
// rows of the victims, as far as the table takes it.
func (p *planted) plantRows(t *testing.T, victims []uuid.UUID) {
	t.Helper()
	type column struct {
		Table, Column, Owner, Key string
		Audience                  bool
	}
	columns, err := pg.All[column](t.Context(), p.db, `
		SELECT
			c.relname AS table,
			a.attname AS column,
			o.attname AS owner,
			(
				SELECT string_agg('r.' || k.attname, ', ' ORDER BY array_position(i.indkey, k.attnum))
				FROM pg_index i
				JOIN pg_attribute k ON k.attrelid = c.oid AND k.attnum = ANY(i.indkey)
				WHERE i.indrelid = c.oid AND i.indisprimary
			) AS key,
			c.relname = 'member_details' AS audience
		FROM pg_class c
		JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped AND a.attgenerated = ''
			AND a.atttypid = 'text'::regtype
		JOIN pg_attribute o ON o.attrelid = c.oid AND o.attname IN ('member_id', 'account_id')
		WHERE c.relrowsecurity AND c.relnamespace = 'public'::regnamespace AND c.relname <> 'accounts' AND a.attname NOT IN ('audience', 'locked_audience')
		ORDER BY 1, 2, 3`)
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range columns {
		level, more := forOwner, ``
		if slices.Contains(forNoKey, c.Table) {
			level = forOffice
		}
		if c.Audience {
			level, more = forDetail, ` AND audience = 'NOBODY' AND field IN ('PHONE', 'WEBSITE', 'ADDRESS')`
			if c.Column == "postcode" {
				more = ` AND audience = 'NOBODY' AND field = 'PRACTICE'`
			}
		}
		owner := `m.id`
		if c.Owner == "account_id" {
			owner = `(SELECT id FROM accounts WHERE member_id = m.id)`
		}
		err := pgx.BeginFunc(t.Context(), p.db, func(tx pgx.Tx) error {
			// Row by row: the audit tells in which order they were written, and one statement
			// writes them in the order in which they happen to lie.
			rows, err := pg.Scalars[pgtype.TID](t.Context(), tx, fmt.Sprintf(`
				SELECT r.ctid
				FROM %[1]s r
				JOIN members m ON r.%[2]s = %[3]s
				WHERE m.id = ANY(@victims)%[4]s
				ORDER BY array_position(@victims, m.id), %[5]s`, c.Table, c.Owner, owner, more, c.Key),
				pgx.StrictNamedArgs{"victims": victims})
			if err != nil {
				return err
			}
			b := &pgx.Batch{}
			for _, row := range rows {
				b.Queue(fmt.Sprintf(`UPDATE %s SET %s = @value WHERE ctid = @row`, c.Table, c.Column),
					pgx.StrictNamedArgs{"value": p.variant(level), "row": row}).Exec(func(tag pgconn.CommandTag) error {
					if tag.RowsAffected() != 1 {
						return fmt.Errorf("a trigger of %s moved a row that is still to be written", c.Table)
					}
					return nil
				})
			}
			err = tx.SendBatch(t.Context(), b).Close()
			if err == nil && len(rows) > 0 {
				p.columns = append(p.columns, c.Table+"."+c.Column)
			}
			return err
		})
		if err != nil && pg.Constraint(err) == "" && !strings.Contains(err.Error(), "append") {
			t.Logf("%s.%s takes no canary: %v", c.Table, c.Column, err)
		}
	}
}

var canary = regexp.MustCompile(`canary-([A-Z]+)`)

// ofItsTime are fields that tell when something was written, which is not the same in two
// databases: they are asked by documents of their own.
func ofItsTime(typ, field string) bool {
	return typ == "Query" && (field == "exportMyData" || field == "auditTrail")
}

// privateValues are what the documents of these tests ask for.
func privateValues(t *testing.T, h *graph.Handler, p *planted) map[string][]any {
	pools := maps.Clone(values(t, h))
	pools["ID"] = append(slices.Clone(p.members[:20]), pools["ID"][:20]...)
	texts := []any{"canary", "one", "two", "a", nil}
	for _, level := range hiddenFrom["anonymous"] {
		texts = append(texts, "canary-"+level+"-one", "canary-"+level+"-two")
	}
	pools["MemberFilter.text"] = texts
	pools["MemberFilter.language"] = []any{"xa", "xb", nil}
	pools["MemberFilter.specialism"] = []any{"xa", "xb", nil}
	pools["MemberFilter.near"] = []any{place(54.2, 50), place(56.2, 50), nil}
	pools["Query.therapists.near"] = []any{place(54.2, 200), place(56.2, 50)}
	pools["Query.erasureCertificate.id"] = []any{node.ID("Erasure", uuid.MustParse(erasureDone))}
	pools["Query.search.query"] = []any{"canary", "canary NOBODY", "housing", "one"}
	pools["Query.suggest.prefix"] = []any{"canary", "can", "o"}
	return pools
}

// groups are roles from whom the same is hidden, by one of them.
var groups = map[string][]string{
	"anonymous":               {"anonymous", "key: content"},
	"key: statistics":         {"key: statistics"},
	"member":                  {"member", "officer", "editor", "key: directory"},
	"membership":              {"membership", "administrator"},
	"key: members":            {"key: members"},
	"key: directory, limited": {"key: directory, limited"},
}

// place is a circle, so many kilometres around a latitude.
func place(latitude, km float64) map[string]any {
	return map[string]any{"latitude": latitude, "longitude": -3.0, "withinKm": km}
}

// TestPrivateValuesNeverLeave asks documents over the whole schema, generated ones and one for
// each way to each type, as each role and each kind of key, of two databases that differ only in
// what the role may not see: the answers are the same, byte for byte, with their cost and
// all that HTTP says of them, and hold none of those values.
func TestPrivateValuesNeverLeave(t *testing.T) {
	t.Parallel()
	inTurn(t)
	schema := gen.NewExecutableSchema(gen.Config{}).Schema()
	one := plant(t, nil)
	handler := graphOn(t, one.db, keeping(t, one.db, always))
	client := asSite(t, handler, unlimited)
	pools := privateValues(t, handler, one)
	t.Logf("rows of people with canaries: %s", strings.Join(one.columns, " "))
	seen := map[string]int{} // canaries that were rightly shown, by role and level
	typesSeen := map[string]bool{}
	for hidden, roles := range groups {
		two := plant(t, hiddenFrom[hidden])
		other := graphOn(t, two.db, keeping(t, two.db, always))
		otherClient := asSite(t, other, unlimited)
		for _, role := range roles {
			t.Run(role, func(t *testing.T) {
				as, header := askingAs(t, handler, one, role)
				asOther, otherHeader := askingAs(t, other, two, role)
				documents := append(pointedDocuments(schema, pools), ofItsTimeDocuments(one)...)
				for _, path := range []string{"/", "/nothing", "/gone", "/about-us/contact-us", "/advanced-practice/anna"} {
					documents = append(documents, document{query: fmt.Sprintf(`{ route(path: %q) { __typename } }`, path)})
				}
				for _, w := range waysToTypes(schema, pools) {
					documents = append(documents, document{query: w})
				}
				n, byHTTP := *queries/5, 0
				if strings.HasPrefix(role, "key: ") {
					n /= 3
				}
				for i := range n + len(documents) {
					s := *seed + 2_000_000 + uint64(i)
					var d document
					if i < len(documents) {
						d = documents[i]
					} else {
						options := querygen.Options{Values: pools, Fields: 10 + i%30, Depth: 6, Skip: ofItsTime}
						if i%3 != 0 {
							options.Prefer = []string{"member", "members", "node", "nodes", "viewer", "search", "region", "specialistSection", "therapists"}
						}
						d.query, d.variables = querygen.New(schema, s, options).Document()
					}
					var got, want told
					sent := copied(t, d.variables)
					var both sync.WaitGroup
					both.Go(func() { got = execute(as, handler, d.query, d.variables) })
					both.Go(func() { want = execute(asOther, other, d.query, sent) })
					both.Wait()
					if d.timed {
						got.Body, want.Body = withoutTimes(got.Body), withoutTimes(want.Body)
					}
					if diff := cmp.Diff(want, got); diff != "" {
						t.Fatalf("seed %d: what %s may not see shows\n%s\n%s\nvariables: %v", s, role, diff, d.query, d.variables)
					}
					for _, found := range canary.FindAllStringSubmatch(got.Body, -1) {
						if slices.Contains(hiddenFrom[role], found[1]) {
							t.Fatalf("seed %d: %s is shown %s\n%s\n%s", s, role, found[0], d.query, got.Body)
						}
						seen[role+" "+found[1]]++
					}
					for _, found := range typeName.FindAllStringSubmatch(got.Body, -1) {
						typesSeen[found[1]] = true
					}
					if i%20 == 0 && !d.timed {
						byHTTP++
						if diff := cmp.Diff(otherClient.told(d, otherHeader), client.told(d, header), cmp.AllowUnexported(httpAnswer{})); diff != "" {
							t.Fatalf("seed %d: HTTP tells %s what they may not see\n%s\n%s\nvariables: %v", s, role, diff, d.query, d.variables)
						}
					}
				}
				if byHTTP < 20 {
					t.Errorf("%d documents were asked by HTTP", byHTTP)
				}
			})
		}
	}
	if t.Failed() {
		return
	}
	// A test in which nobody sees anything shows nothing.
	for _, want := range []string{
		"member MEMBERS", "member OUTSIDE", "officer MEMBERS", "editor MEMBERS", "membership STAFF", "membership SECTION", "membership OWNER", "membership OFFICE",
		"administrator COMMITTEE", "key: directory MEMBERS", "key: directory, limited MEMBERS", "key: members STAFF", "key: members OWNER",
	} {
		if seen[want] == 0 {
			t.Errorf("nobody was shown what they may see: %s; %v", want, seen)
		}
	}
	for name := range waysTo(schema, pools, 1) {
		if _, never := unseenTypes[name]; typesSeen[name] == never {
			t.Errorf("%s: seen %t, and there is a reason why not: %t", name, typesSeen[name], never)
		}
	}
	for name := range unseenTypes {
		if schema.Types[name] == nil {
			t.Errorf("there is no type %s", name)
		}
	}
}

// unseenTypes are types that can be reached from Query and are in no answer of
// TestPrivateValuesNeverLeave, with the reason.
var unseenTypes = map[string]string{
	"FaqListBlock":  noSuchBlock,
	"FaqItem":       noSuchBlock,
	"LinkListBlock": noSuchBlock,
	"Link":          noSuchBlock,
	"CalloutBlock":  noSuchBlock,
	"Action":        noSuchBlock,
	"ExternalLink":  noSuchBlock,
}

const noSuchBlock = "it is of pages, not of people, and no page of the demo body has one"

var typeName = regexp.MustCompile(`"__typename":"([A-Za-z]+)"`)

// inTurn skips with -short a test that asks many documents, or explains many statements, one
// after another: with the race detector it takes minutes, and others find the races.
func inTurn(t *testing.T) {
	t.Helper()
	if testing.Short() {
		t.Skip("asks one thing after another")
	}
}

// unlimited takes off the limit on what a client may ask for, of which the rest depends on
// the time.
func unlimited(c *server.Config) { c.RatePoints = 0 }

// waysToTypes ask for all fields of every type, by each shortest way, and of what is one's
// own by one that begins with the viewer too: viewAs is as short, and shows less.
func waysToTypes(schema *ast.Schema, pools map[string][]any) (all []string) {
	shortest := waysTo(schema, pools, 1)
	for name, ways := range waysTo(schema, pools, 2) {
		for i, w := range ways {
			known := slices.ContainsFunc(shortest[name], func(s way) bool { return s.path() == w.path() })
			if w.steps[0].Name != "viewer" && !known && i > 0 {
				continue
			}
			if query, ok := w.query(schema, schema.Types[name], pools); ok {
				all = append(all, query)
			}
		}
	}
	slices.Sort(all)
	return slices.DeleteFunc(all, func(query string) bool {
		return strings.Contains(query, "exportMyData") || strings.Contains(query, "auditTrail")
	})
}

// ofItsTimeDocuments ask for what tells times.
func ofItsTimeDocuments(p *planted) []document {
	const entries = `edges { cursor node { __typename operation table rowKey rows columns actor actorRoles application program request subject hash } } pageInfo { __typename hasNextPage }`
	all := []document{
		{query: `{ exportMyData { __typename json schema } }`, timed: true},
		{query: `{ auditTrail(first: 100) { __typename ` + strings.Replace(entries, "cursor", "__typename", 1) + ` } }`, timed: true},
	}
	for _, table := range []string{"members", "member_details", "registrations", "accounts", "membership_applications"} {
		all = append(all, document{query: `{ auditTrail(first: 100, filter: {table: "` + table + `"}) { ` + strings.Replace(entries, "cursor", "__typename", 1) + ` } }`, timed: true})
	}
	for _, id := range p.members[:5] {
		all = append(all, document{query: fmt.Sprintf(`{ auditTrail(first: 100, filter: {subject: %q}) { %s } }`, id, strings.Replace(entries, "cursor", "__typename", 1)), timed: true})
	}
	return all
}

var (
	times = regexp.MustCompile(`[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}(\.[0-9]+)?(Z|[+-][0-9:]{5})`)
	uuids = regexp.MustCompile(`[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}`)
)

// withoutTimes takes from an answer the moments and the UUIDs in it, of which sessions and
// pseudonyms have other ones in each database, and the order of its rows: one statement writes
// many in the order of its plan.
func withoutTimes(body string) string {
	rows := strings.Split(uuids.ReplaceAllString(times.ReplaceAllString(body, "TIME"), "UUID"), "},{")
	slices.Sort(rows)
	return strings.Join(rows, "},{")
}

// told returns all that a client is told who asks in each way: by POST, by GET, again,
// compressed, and with the tag of the first answer. What comes at random or with the time is
// left out.
func (s site) told(d document, header []string) (all []httpAnswer) {
	s.t.Helper()
	var variables []byte
	if d.variables != nil {
		var err error
		if variables, err = json.Marshal(d.variables); err != nil {
			s.t.Fatal(err)
		}
	}
	ask := func(method string, more ...string) string {
		s.t.Helper()
		r := s.sendWith(method, d.query, string(variables), append(more, header...)...)
		for _, name := range []string{"Date", "X-Request-Id"} {
			r.header.Del(name)
		}
		all = append(all, r)
		return r.header.Get("ETag")
	}
	ask(http.MethodPost)
	tag := ask(http.MethodGet)
	ask(http.MethodGet, "Accept-Encoding", "gzip")
	ask(http.MethodGet, "If-None-Match", `"another"`)
	if tag != "" {
		ask(http.MethodGet, "If-None-Match", tag)
		ask(http.MethodHead)
	}
	return all
}

type document struct {
	query     string
	variables map[string]any
	// timed says that times are no part of what is compared.
	timed bool
}

// pointedDocuments ask the directory by each field of its filter, with each value, in each
// order, for all that could tell: who, how many, in which order, and where pages end.
func pointedDocuments(schema *ast.Schema, pools map[string][]any) (all []document) {
	filter := schema.Types["MemberFilter"]
	ask := func(filter map[string]any) {
		for _, order := range schema.Types["MemberOrder"].EnumValues {
			if _, near := filter["near"]; order.Name == "NEAREST" && len(filter) > 0 && !near {
				continue // an error, whatever the filter
			}
			all = append(all, document{
				query: `query ($filter: MemberFilter, $order: MemberOrder) {
					members(filter: $filter, orderBy: $order, first: 100) { totalCount edges { cursor node { id } } pageInfo { endCursor hasNextPage } }
					back: members(filter: $filter, orderBy: $order, last: 3) { nodes { id displayName } pageInfo { startCursor } }
					rateLimit { cost remaining }
				}`,
				variables: map[string]any{"filter": filter, "order": order.Name},
			})
		}
	}
	ask(nil)
	for _, f := range filter.Fields {
		values := pools["MemberFilter."+f.Name]
		if def := schema.Types[f.Type.Name()]; def.Kind == ast.Enum {
			for _, v := range def.EnumValues {
				values = append(values, v.Name)
			}
		}
		for _, v := range values {
			if v != nil {
				ask(map[string]any{f.Name: v})
			}
		}
	}
	return all
}

// TestPoliciesAloneKeepAll switches the checks of the program off: it takes everyone for
// an administrator, and only the database knows who asks. What people keep from them still
// reaches nobody: no row, no column, and nothing that a filter, a count or an order could
// tell.
func TestPoliciesAloneKeepAll(t *testing.T) {
	t.Parallel()
	inTurn(t)
	schema := gen.NewExecutableSchema(gen.Config{}).Schema()
	p := plant(t, nil)
	h := graphOn(t, p.db)
	pools := privateValues(t, h, p)
	everything := viewer.New(viewer.SignedIn | viewer.HasRecord | viewer.CurrentMember | viewer.SectionOfficer |
		viewer.Editor | viewer.MembershipOfficer | viewer.Administrator)
	// unchecked is somebody whom the program takes for an administrator.
	unchecked := func(really context.Context) context.Context {
		v := viewer.From(really)
		believed := everything
		believed.Account, believed.Session, believed.MemberID = v.Account, v.Session, v.MemberID
		return pg.WithActor(viewer.With(really, believed), pg.ActorFrom(really))
	}
	ways, lists := waysToPeople(schema, pools), pointedDocuments(schema, pools)
	// shown are the canaries in the answers to somebody, each with where it stood.
	shown := func(ctx context.Context) map[string]string {
		found := map[string]string{}
		for _, w := range ways {
			r := h.Execute(ctx, params(w, nil))
			for _, c := range canary.FindAllStringSubmatch(string(r.Body), -1) {
				found[c[1]] = fmt.Sprintf("%s\n%.2000s", w, r.Body)
			}
		}
		return found
	}
	for _, role := range append([]string{"anonymous"}, roles...) {
		really := signedIn(t, h, p.db, role)
		found := shown(unchecked(really))
		for _, level := range hiddenFrom[role] {
			if at, ok := found[level]; ok {
				t.Errorf("the database shows %s a canary for %s\n%s", role, level, at)
			}
		}
		if _, ok := found[forOwner]; role == "administrator" && !ok {
			t.Errorf("not even an administrator is shown rows about people, so this shows nothing; there are canaries in %v", p.columns)
		}
		// Lists are the same, whatever the program takes somebody for.
		for _, l := range lists {
			got, want := execute(unchecked(really), h, l.query, l.variables), execute(really, h, l.query, l.variables)
			if diff := cmp.Diff(want, got); diff != "" {
				t.Fatalf("what the database shows %s is not what the program does (-program +database)\n%s\n%v", role, diff, l.variables)
			}
		}
	}
	// With the second line off too, everyone is shown what an administrator is: so the first
	// one is off in all of the above, and this finds what is shown.
	if _, err := p.db.Exec(t.Context(), `
		CREATE OR REPLACE FUNCTION acting_audiences() RETURNS text[]
		LANGUAGE sql STABLE PARALLEL SAFE RETURN ARRAY['PUBLIC', 'MEMBERS', 'SECTION', 'COMMITTEE', 'STAFF', 'NOBODY']`); err != nil {
		t.Fatal(err)
	}
	if found := shown(unchecked(t.Context())); found[forStaff] == "" || found[forCommittee] == "" {
		t.Errorf("with nothing on, anonymous is shown no more than %v: the checks of the program are not off", slices.Collect(maps.Keys(found)))
	}
	if found := shown(t.Context()); found[forStaff] != "" || found[forMembers] != "" {
		t.Errorf("without the database, the program shows anonymous what is for others: %v", slices.Collect(maps.Keys(found)))
	}
}

// waysToPeople ask for every field of every type that is reached from members.
func waysToPeople(schema *ast.Schema, pools map[string][]any) (all []string) {
	pools = maps.Clone(pools)
	pools["Query.member.id"] = pools["ID"][:20]
	for name, ways := range waysTo(schema, pools, 4) {
		for _, w := range ways {
			if query, ok := w.query(schema, schema.Types[name], pools); ok {
				all = append(all, query)
			}
		}
	}
	slices.Sort(all)
	return all
}

// told is what a client learns of an answer. Its ETag is a hash of the body, and what else
// caches are told follows from whether it is public.
type told struct {
	Body   string
	Cost   int
	Public bool
}

func execute(ctx context.Context, h *graph.Handler, query string, variables map[string]any) told {
	p := params(query, variables)
	var cost int
	charge := p.Charge
	p.Charge = func(points int) (a server.Allowance, ok bool) {
		cost = points
		return charge(points)
	}
	r := h.Execute(ctx, p)
	return told{Body: string(r.Body), Cost: cost, Public: r.Public != nil}
}

// copied returns variables of their own for an operation: what is written in another way is
// coerced where it stands.
func copied(t *testing.T, variables map[string]any) (all map[string]any) {
	t.Helper()
	text, err := json.Marshal(variables)
	if err == nil {
		err = json.Unmarshal(text, &all)
	}
	if err != nil {
		t.Fatal(err)
	}
	return all
}
