package graph_test

import (
	"context"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/jackc/pgx/v5"
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
	// forService are hashes and tokens, which no answer holds.
	forService = "SERVICE"
)

// hiddenFrom are the canaries that a role must never be shown.
var hiddenFrom = map[string][]string{
	"anonymous":     {forMembers, forSection, forCommittee, forStaff, forNobody, forOwner, forDetail, forService},
	"member":        {forSection, forCommittee, forStaff, forNobody, forOwner, forDetail, forService},
	"officer":       {forSection, forCommittee, forStaff, forNobody, forOwner, forDetail, forService},
	"editor":        {forSection, forCommittee, forStaff, forNobody, forOwner, forDetail, forService},
	"membership":    {forNobody, forDetail, forService},
	"administrator": {forNobody, forDetail, forService},
}

// planted is the demo body with canaries.
type planted struct {
	db *pgxpool.Pool
	// members are the IDs of those who have canaries, as in the graph.
	members []any
	// columns are those of tables with policies that hold canaries.
	columns []string
}

// plant puts canaries into a database. Those of the levels in others read otherwise; else two
// databases are the same.
func plant(t *testing.T, others []string) *planted {
	t.Helper()
	db := demoDB(t)
	p := &planted{db: db}
	variant := func(level string) string {
		if slices.Contains(others, level) {
			return "canary-" + level + "-two"
		}
		return "canary-" + level + "-one"
	}
	// The register knows the grade, whomever the member shows it to.
	grade := func(level string) string {
		if slices.Contains(others, level) && slices.Contains(others, forOwner) {
			return "RETIRED"
		}
		return "STUDENT"
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
	if _, err := accounts.Create(ctx, identity.NewAccount{Email: "victim@example.org", Password: demoPassword, Verified: true, MemberID: &victims[0]}); err != nil {
		t.Fatal(err)
	}
	if _, err := accounts.SignIn(ctx, "victim@example.org", demoPassword, "", "192.0.2.1"); err != nil {
		t.Fatal(err)
	}
	levels := []string{forMembers, forSection, forCommittee, forStaff, forNobody}
	for i, id := range victims {
		p.members = append(p.members, node.ID("Member", id))
		level := levels[i%len(levels)]
		args := pgx.StrictNamedArgs{"id": id, "level": level, "value": fmt.Sprintf("%s-%d", variant(level), i), "grade": grade(level)}
		// Every other one can be found, by everyone, and hides the rest; the others hide
		// that they are members.
		sql := `
			UPDATE members SET
				headline = @value, bio = @value, pronouns = @value, grade = @grade,
				listing_audience = 'PUBLIC', headline_audience = @level, bio_audience = @level, pronouns_audience = @level,
				grade_audience = @level, joined_on_audience = @level, region_audience = @level, sections_audience = @level
			WHERE id = @id`
		if i/len(levels)%2 == 1 {
			sql = `
			UPDATE members SET
				display_name = @value, sort_name = @value, headline = @value, bio = @value, grade = @grade,
				listing_audience = @level, headline_audience = 'PUBLIC', bio_audience = 'PUBLIC', grade_audience = 'PUBLIC',
				joined_on_audience = 'PUBLIC', region_audience = 'PUBLIC', sections_audience = 'PUBLIC'
			WHERE id = @id`
		}
		if _, err := db.Exec(ctx, sql, args); err != nil {
			t.Fatal(err)
		}
	}
	p.plantRows(t, variant, victims)
	if _, err := db.Exec(ctx, `UPDATE accounts SET password_hash = '$argon2id$' || @value WHERE email = 'victim@example.org'`,
		pgx.StrictNamedArgs{"value": variant(forService)}); err != nil {
		t.Fatal(err)
	}
	if _, err := db.Exec(ctx, `ANALYZE`); err != nil {
		t.Fatal(err)
	}
	return p
}

// plantRows puts a canary into each column of text of each table with policies, in the
// rows of the victims, as far as the table takes it.
func (p *planted) plantRows(t *testing.T, variant func(string) string, victims []uuid.UUID) {
	t.Helper()
	type column struct {
		Table, Column, Owner string
		Audience             bool
	}
	columns, err := pg.All[column](t.Context(), p.db, `
		SELECT
			c.relname AS table,
			a.attname AS column,
			o.attname AS owner,
			EXISTS (SELECT FROM pg_attribute x WHERE x.attrelid = c.oid AND x.attname = 'audience') AS audience
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
		if c.Audience {
			level, more = forDetail, ` AND audience = 'NOBODY'`
		}
		owners := `SELECT unnest(@victims::uuid[])`
		if c.Owner == "account_id" {
			owners = `SELECT id FROM accounts WHERE email = 'victim@example.org' AND @victims::uuid[] IS NOT NULL`
		}
		err := pgx.BeginFunc(t.Context(), p.db, func(tx pgx.Tx) error {
			tag, err := tx.Exec(t.Context(), fmt.Sprintf(`UPDATE %s SET %s = @value WHERE %s IN (%s)%s`, c.Table, c.Column, c.Owner, owners, more),
				pgx.StrictNamedArgs{"value": variant(level), "victims": victims})
			if err == nil && tag.RowsAffected() > 0 {
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
// databases. What is in them has tests of its own.
func ofItsTime(typ, field string) bool {
	return typ == "DataExport" && field == "json" || typ == "Query" && field == "auditTrail"
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
	pools["Query.search.query"] = []any{"canary", "canary NOBODY", "housing", "one"}
	pools["Query.suggest.prefix"] = []any{"canary", "can", "o"}
	return pools
}

// TestPrivateValuesNeverLeave asks generated documents over the whole schema as each
// role, of two databases that differ only in what the role may not see: the answers
// are the same, byte for byte, with their cost and what may keep them, and hold none of
// those values.
func TestPrivateValuesNeverLeave(t *testing.T) {
	t.Parallel()
	schema := gen.NewExecutableSchema(gen.Config{}).Schema()
	one := plant(t, nil)
	handler := graphOn(t, one.db, keeping(t, one.db, always))
	pools := privateValues(t, handler, one)
	t.Logf("rows of people with canaries: %s", strings.Join(one.columns, " "))
	n := *queries / 4
	seen := map[string]int{} // canaries that were rightly shown, by role and level
	for hidden, roles := range map[string][]string{
		"anonymous": {"anonymous"}, "member": {"member", "officer", "editor"}, "membership": {"membership", "administrator"},
	} {
		two := plant(t, hiddenFrom[hidden])
		other := graphOn(t, two.db, keeping(t, two.db, always))
		for _, role := range roles {
			t.Run(role, func(t *testing.T) {
				as, asOther := signedIn(t, handler, one.db, role), signedIn(t, other, two.db, role)
				pointed := pointedDocuments(schema, pools)
				for i := range n + len(pointed) {
					s := *seed + 2_000_000 + uint64(i)
					options := querygen.Options{Values: pools, Fields: 10 + i%30, Depth: 6, Skip: ofItsTime}
					if i%3 != 0 {
						options.Prefer = []string{"member", "members", "node", "nodes", "viewer", "search", "region", "specialistSection"}
					}
					query, variables := "", map[string]any(nil)
					if i < len(pointed) {
						query, variables = pointed[i].query, pointed[i].variables
					} else {
						query, variables = querygen.New(schema, s, options).Document()
					}
					got, want := execute(t, handler, as, query, variables), execute(t, other, asOther, query, variables)
					if diff := cmp.Diff(want, got); diff != "" {
						t.Fatalf("seed %d: what %s may not see shows\n%s\n%s\nvariables: %v", s, role, diff, query, variables)
					}
					for _, found := range canary.FindAllStringSubmatch(got.Body, -1) {
						if slices.Contains(hiddenFrom[role], found[1]) {
							t.Fatalf("seed %d: %s is shown %s\n%s\n%s", s, role, found[0], query, got.Body)
						}
						seen[role+" "+found[1]]++
					}
				}
			})
		}
	}
	if t.Failed() {
		return
	}
	// A test in which nobody sees anything shows nothing.
	for _, want := range []string{"member MEMBERS", "officer MEMBERS", "editor MEMBERS", "membership STAFF", "membership SECTION", "administrator COMMITTEE"} {
		if seen[want] == 0 {
			t.Errorf("nobody was shown what they may see: %s; %v", want, seen)
		}
	}
}

type document struct {
	query     string
	variables map[string]any
}

// pointedDocuments ask the directory by each field of its filter, with each value, in each
// order, for all that could tell: who, how many, in which order, and where pages end.
func pointedDocuments(schema *ast.Schema, pools map[string][]any) (all []document) {
	filter := schema.Types["MemberFilter"]
	ask := func(filter map[string]any) {
		for _, order := range schema.Types["MemberOrder"].EnumValues {
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
			got, want := execute(t, h, unchecked(really), l.query, l.variables), execute(t, h, really, l.query, l.variables)
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
	for name, ways := range waysTo(schema, pools, 6) {
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
// caches are told follows from whether it is public. Errors come in the order in which they
// happen, so they are sorted.
type told struct {
	Body   string
	Errors int
	Cost   int
	Public bool
}

func execute(t *testing.T, h *graph.Handler, ctx context.Context, query string, variables map[string]any) told {
	p := params(query, variables)
	var cost int
	charge := p.Charge
	p.Charge = func(points int) (a server.Allowance, ok bool) {
		cost = points
		return charge(points)
	}
	r := h.Execute(ctx, p)
	return told{Body: strings.Join(splitAnswer(t, r.Body), "\n"), Errors: r.Errors, Cost: cost, Public: r.Public != nil}
}
