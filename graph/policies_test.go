package graph_test

import (
	"slices"
	"testing"

	"github.com/collegium/collegium/internal/pg"
	"github.com/collegium/collegium/internal/viewer"
)

// unpoliced are the tables about people whose rows have no policy, each with the reason.
var unpoliced = map[string]string{
	"members":             "what the directory shows of a row is masked field by field, and words in names are found by an index that PostgreSQL does not use under a policy",
	"section_memberships": "the directory shows them by the audience of the member's sections, and counts of sections count everyone",
	"terms":               "who holds a post is public",
	"case_studies":        "they are published",
}

// TestPrivateTablesHavePolicies wants a policy on every table that refers to members or
// accounts, by itself or through another, or a reason why there is none.
func TestPrivateTablesHavePolicies(t *testing.T) {
	t.Parallel()
	db := demoDB(t)
	type table struct {
		Name   string
		Policy bool
	}
	tables, err := pg.All[table](t.Context(), db, `
		WITH RECURSIVE about AS (
			SELECT c.oid FROM pg_class c WHERE c.oid IN ('members'::regclass, 'accounts'::regclass)
			UNION
			SELECT k.conrelid FROM pg_constraint k JOIN about a ON a.oid = k.confrelid WHERE k.contype = 'f'
		)
		SELECT
			c.relname AS name,
			c.relrowsecurity AS policy
		FROM about a
		JOIN pg_class c ON c.oid = a.oid
		ORDER BY c.relname`)
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, table := range tables {
		names = append(names, table.Name)
		_, open := unpoliced[table.Name]
		switch {
		case !table.Policy && !open:
			t.Errorf("%[1]s is about people and has no policy on its rows. In its migration:\n"+
				"  ALTER TABLE %[1]s ENABLE ROW LEVEL SECURITY;\n"+
				"  CREATE POLICY %[1]s_own ON %[1]s TO collegium_graph USING (member_id = (SELECT acting_member()) OR (SELECT acting_may('READ_REGISTER')));\n"+
				"with who may see and write its rows (acting_account() is the account that asks), or say in this test why everyone may see them", table.Name)
		case table.Policy && open:
			t.Errorf("%s has a policy, so it needs no reason not to", table.Name)
		}
	}
	for name := range unpoliced {
		if !slices.Contains(names, name) {
			t.Errorf("there is no table %s about people", name)
		}
	}
	if len(tables) < 8 {
		t.Errorf("only %d tables are about people", len(tables))
	}
}

// TestPoliciesNameKnownPermissions wants every permission that a policy or a function
// asks for to stand in the one table of permissions.
func TestPoliciesNameKnownPermissions(t *testing.T) {
	t.Parallel()
	names, err := pg.Scalars[string](t.Context(), demoDB(t), `
		SELECT DISTINCT m[1]
		FROM (
			SELECT concat(pg_get_expr(p.polqual, p.polrelid), pg_get_expr(p.polwithcheck, p.polrelid)) AS text FROM pg_policy p
			UNION ALL
			SELECT pg_get_functiondef(f.oid) FROM pg_proc f WHERE f.pronamespace = 'public'::regnamespace AND f.prokind = 'f'
		) x
		CROSS JOIN LATERAL regexp_matches(x.text, 'acting_may\(''([^'']+)''', 'g') AS m`)
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range names {
		if !slices.ContainsFunc(viewer.Rules, func(r viewer.Rule) bool { return string(r.Permission) == name }) {
			t.Errorf("a policy asks for %s, which is no permission", name)
		}
	}
	if len(names) == 0 {
		t.Error("no policy asks for a permission")
	}
}
