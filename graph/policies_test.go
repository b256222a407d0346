package graph_test

import (
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/collegium/collegium/internal/pg"
	"github.com/collegium/collegium/internal/viewer"
)

// TestPrivateTablesHavePolicies wants a policy on every table that refers to members or
// accounts, by itself or through another.
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
	for _, table := range tables {
		if !table.Policy {
			t.Errorf("%[1]s is about people and has no policy on its rows. In its migration:\n"+
				"  ALTER TABLE %[1]s ENABLE ROW LEVEL SECURITY;\n"+
				"  CREATE POLICY %[1]s_own ON %[1]s TO collegium_graph USING (member_id = (SELECT acting_member()) OR (SELECT acting_may('READ_REGISTER')));\n"+
				"with who may see and write its rows: acting_account() is the account that asks", table.Name)
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

// TestRightsOfTheGraph wants the role of the graph to have no more rights to members than
// these: what a member shows to some only is in no column that it may read but by views
// that know who asks, and views that write are those for writing.
func TestRightsOfTheGraph(t *testing.T) {
	t.Parallel()
	got, err := pg.Scalars[string](t.Context(), demoDB(t), `
		SELECT concat_ws(' ', c.relname, p.privilege, CASE WHEN p.privilege = 'SELECT' AND c.relkind = 'v' THEN '' ELSE string_agg(a.attname, ' ' ORDER BY a.attname) END)
		FROM pg_class c
		JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped
		CROSS JOIN unnest(ARRAY['SELECT', 'UPDATE']) AS p (privilege)
		WHERE c.relnamespace = 'public'::regnamespace AND (c.relkind = 'v' OR c.relname = 'members')
			AND NOT EXISTS (SELECT FROM pg_depend d WHERE d.classid = 'pg_class'::regclass AND d.objid = c.oid AND d.deptype = 'e')
			AND has_column_privilege('collegium_graph', c.oid, a.attnum, p.privilege)
		GROUP BY c.relname, c.relkind, p.privilege
		UNION ALL
		SELECT concat_ws(' ', c.relname, p.privilege)
		FROM pg_class c
		CROSS JOIN unnest(ARRAY['INSERT', 'DELETE', 'TRUNCATE', 'TRIGGER', 'REFERENCES']) AS p (privilege)
		WHERE c.relnamespace = 'public'::regnamespace AND (c.relkind = 'v' OR c.relname = 'members')
			AND NOT EXISTS (SELECT FROM pg_depend d WHERE d.classid = 'pg_class'::regclass AND d.objid = c.oid AND d.deptype = 'e')
			AND has_table_privilege('collegium_graph', c.oid, p.privilege)
		ORDER BY 1`)
	if err != nil {
		t.Fatal(err)
	}
	want := []string{
		"member_sights SELECT ",
		"members INSERT",
		"members SELECT id key",
		"members UPDATE updated_at",
		"members_office SELECT ",
		"members_office UPDATE bio_audience display_name grade_audience headline_audience joined_on_audience listing_audience " +
			"pronouns_audience region_audience region_id sections_audience sort_name updated_at",
		"members_own SELECT ",
		"members_own UPDATE bio bio_audience grade_audience headline headline_audience joined_on_audience listing_audience pronouns " +
			"pronouns_audience region_audience region_id sections_audience updated_at",
		"members_registered SELECT ",
	}
	for _, view := range []string{"members_public", "members_shown"} {
		for _, by := range []string{"", "_by_region", "_by_grade", "_by_joined_on", "_by_headline", "_in_sections", "_section_ids"} {
			want = append(want, view+by+" SELECT ")
		}
	}
	slices.Sort(want)
	slices.Sort(got)
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("the graph has other rights (-want +got)\n%s", diff)
	}
}

// tellsOfOthers are the functions that look at rows with the rights of the owner and that the
// graph may call, each with what it tells.
var tellsOfOthers = map[string]string{
	"members_with_term":     "members whose languages or specialisms are shown to who asks",
	"practices_between":     "practices that are shown to who asks",
	"section_member_counts": "numbers, which are published",
	"region_member_counts":  "the same",
	"renewals_due":          "numbers, to who may read statistics",
	"remove_photo_of":       "whether there is such a member, to who may change the register; others it refuses",
	"name_of_reader":        "the name of a partner, to who was read of by it",
	"prune_changes":         "nothing; it removes old notes",
	"therapist_listings_of": "listings, to oneself and to who may read the register",
	"therapists_between":    "who is willing to be found, and where they practise, which is public",
}

// TestFunctionsOfTheOwner wants each function that has the rights of the owner to be a
// trigger, to be kept from the graph, to belong to the audit, or to stand in the list above.
func TestFunctionsOfTheOwner(t *testing.T) {
	t.Parallel()
	names, err := pg.Scalars[string](t.Context(), demoDB(t), `
		SELECT DISTINCT p.proname::text
		FROM pg_proc p
		WHERE p.prosecdef AND p.pronamespace = 'public'::regnamespace AND p.prorettype <> 'trigger'::regtype
			AND p.proname NOT LIKE 'audit\_%' AND has_function_privilege('collegium_graph', p.oid, 'EXECUTE')`)
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range names {
		if tellsOfOthers[name] == "" {
			t.Errorf("the graph may call %s, which looks at all rows: say here what it tells of them", name)
		}
	}
	for name := range tellsOfOthers {
		if !slices.Contains(names, name) {
			t.Errorf("there is no function %s of the owner", name)
		}
	}
}
