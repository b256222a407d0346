package internal_test

import (
	"fmt"
	"regexp"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/collegium/collegium/internal/pg"
	"github.com/collegium/collegium/internal/pg/pgtest"
	"github.com/collegium/collegium/internal/privacy"
)

// unaudited are the tables whose writes are not in the audit.
var unaudited = map[string]string{
	"schema_migrations":            "says which migrations ran",
	"changes":                      "notes which tables were written to, for what is kept in memory",
	"changes_horizon":              "the same",
	"audit_entries":                "the audit; it refuses every change",
	"audit_chain":                  "the same",
	"audit_pending":                "empty a moment later",
	"audit_people":                 "who the pseudonyms of the audit stand for",
	"entry_search":                 "follows from entries, blocks and routes, which are audited",
	"search_completions":           "the same",
	"search_terms":                 "the same",
	"search_pending":               "empty at the end of every transaction",
	"membership_stretches_pending": "the same",
	"membership_stretches":         "follows from periods, rules, suspensions, sections and regions, which are audited",
	"membership_strata":            "the same",
	"section_sets":                 "the same",
	"trusted_documents_revision":   "counts the changes of the trusted documents, which are audited",
	"sessions":                     "written at each sign-in, not by people; ends by itself",
	"account_links":                "links that were mailed; end by themselves",
	"account_totp":                 "written at each sign-in; that an account has one is a column of accounts, which is audited",
	"account_recovery_codes":       "the same",
	"passkey_uses":                 "written at each sign-in; the passkey itself is audited",
	"passkey_challenges":           "questions to authenticators; end by themselves",
	"external_attempts":            "sign-ins that have begun; end by themselves",
	"application_key_uses":         "when a key was last used",
	"sign_in_failures":             "how often something was tried in vain; ends by itself",
	"member_reads":                 "a log itself, of reads; ends by itself",
	"idempotency_keys":             "written with what is audited itself; ends by itself",
}

// tables are those of the schema, without the queue's own.
func tables(t *testing.T, db *pgxpool.Pool) []string {
	t.Helper()
	names, err := pg.Scalars[string](t.Context(), db, `
		SELECT c.relname::text
		FROM pg_class c
		WHERE c.relkind IN ('r', 'p') AND c.relnamespace = 'public'::regnamespace
			AND NOT EXISTS (SELECT FROM pg_depend d WHERE d.objid = c.oid AND d.deptype = 'e')
		ORDER BY 1`)
	if err != nil {
		t.Fatal(err)
	}
	return names
}

// TestEveryTableIsAudited wants of every table that what is written to it is in the
// audit, or a reason why not.
func TestEveryTableIsAudited(t *testing.T) {
	t.Parallel()
	db := pgtest.New(t)
	type trigger struct {
		Table  string
		Events []string // with when they fire
		// Fits says whether the arguments are the columns of the primary key.
		Fits bool
	}
	triggers, err := pg.All[trigger](t.Context(), db, `
		SELECT
			t.tgrelid::regclass::text AS "table",
			array_agg(CASE t.tgtype & 60 WHEN 4 THEN 'INSERT' WHEN 8 THEN 'DELETE' WHEN 16 THEN 'UPDATE' WHEN 32 THEN 'TRUNCATE' ELSE '?' END
				|| t.tgenabled::text ORDER BY t.tgtype) AS events,
			bool_and(encode(t.tgargs, 'escape') = (
				SELECT string_agg(a.attname || '\000', '' ORDER BY k.i)
				FROM pg_index i
				CROSS JOIN unnest(i.indkey::smallint[]) WITH ORDINALITY AS k (attnum, i)
				JOIN pg_attribute a ON a.attrelid = i.indrelid AND a.attnum = k.attnum
				WHERE i.indrelid = t.tgrelid AND i.indisprimary
			)) AS fits
		FROM pg_trigger t
		WHERE t.tgfoid = 'audit_note'::regproc
		GROUP BY t.tgrelid`)
	if err != nil {
		t.Fatal(err)
	}
	audited := pg.ByKey(triggers, func(t *trigger) string { return t.Table })
	all := tables(t, db)
	for _, name := range all {
		_, left := unaudited[name]
		a := audited[name]
		switch {
		case a == nil && !left:
			t.Errorf("what is written to %s is not in the audit: say SELECT audit_watch('%[1]s') in its migration, or in unaudited why not", name)
		case a != nil && left:
			t.Errorf("%s is audited, so it needs no reason not to be", name)
		case a == nil:
		case !a.Fits:
			t.Errorf("the triggers of the audit on %s don't know its primary key", name)
		default:
			if diff := cmp.Diff([]string{"INSERTA", "DELETEA", "UPDATEA", "TRUNCATEA"}, a.Events); diff != "" {
				t.Errorf("%s is not audited always (-want +got)\n%s", name, diff)
			}
		}
	}
	for name := range unaudited {
		if !slices.Contains(all, name) {
			t.Errorf("there is no table %s", name)
		}
	}
}

// acted are the columns that say who had a hand in a row about something else. They
// are emptied when the account goes.
var acted = map[string]string{
	"membership_applications.decided_by": "who decided",
	"registrations.verified_by":          "who verified it",
	"partner_applications.created_by":    "who made it",
	"application_keys.created_by":        "the same",
}

// impersonal are columns that lead to people in rows that are about nobody.
var impersonal = map[string]string{
	"former_members.member_id": "a record without a name",
	"erasure_parts.erasure_id": "the certificate of an erasure, which names nobody",
}

// TestEveryTableAboutPeopleIsDecided wants of every table that leads to members or
// accounts, directly or by another, that its rows are in the export of a person and
// that an erasure removes them or keeps them by a rule.
func TestEveryTableAboutPeopleIsDecided(t *testing.T) {
	t.Parallel()
	db := pgtest.New(t)
	type key struct {
		Table    string
		Columns  []string
		Target   string
		SetsNull bool
	}
	keys, err := pg.All[key](t.Context(), db, `
		SELECT
			c.conrelid::regclass::text AS "table",
			ARRAY(SELECT a.attname::text FROM pg_attribute a WHERE a.attrelid = c.conrelid AND a.attnum = ANY(c.conkey)) AS columns,
			c.confrelid::regclass::text AS target,
			c.confdeltype = 'n' AS sets_null
		FROM pg_constraint c
		WHERE c.contype = 'f'
		ORDER BY 1, c.conname`)
	if err != nil {
		t.Fatal(err)
	}
	decided := map[string]privacy.Table{}
	for _, table := range privacy.Tables {
		decided[table.Name] = table
		exists, err := pg.Scalar[bool](t.Context(), db, `SELECT to_regclass(@name) IS NOT NULL`, pgx.StrictNamedArgs{"name": table.Name})
		if err != nil || !exists {
			t.Errorf("there is no table %s (%v)", table.Name, err)
		}
		if table.About == "" || table.Whose == "" {
			t.Errorf("%s: say what its rows are, and whose", table.Name)
		}
		if table.Fate.Rule == "" {
			continue
		}
		if known, err := pg.Scalar[bool](t.Context(), db, `SELECT EXISTS (SELECT FROM retention_rules WHERE rule = @rule)`,
			pgx.StrictNamedArgs{"rule": table.Fate.Rule}); err != nil || !known {
			t.Errorf("%s is kept by %s, which is no rule (%v)", table.Name, table.Fate.Rule, err)
		}
	}
	// Follow the keys from people until no table is new.
	people := []string{"members", "accounts"}
	used := map[string]bool{}
	for i := 0; i < len(people); i++ {
		for _, k := range keys {
			if k.Target != people[i] {
				continue
			}
			exempt, about := false, decided[k.Table].Whose
			for _, c := range k.Columns {
				name := k.Table + "." + c
				if _, ok := impersonal[name]; ok {
					exempt, used[name] = true, true
				}
				if _, ok := acted[name]; ok {
					exempt, used[name] = true, true
					if !k.SetsNull {
						t.Errorf("%s holds on to whoever is erased: say ON DELETE SET NULL", name)
					}
				}
			}
			if exempt {
				continue
			}
			if about == "" {
				t.Errorf("%s leads by %v to %s: add a line to privacy.Tables that says whose its rows are and what an erasure does with them "+
					"(and a row of it to rows in internal/privacy/privacy_test.go); or, if it says who acted, a line to acted in this test",
					k.Table, k.Columns, k.Target)
				continue
			}
			direct := k.Target == "members" || k.Target == "accounts"
			if direct && !slices.ContainsFunc(k.Columns, func(c string) bool { return regexp.MustCompile(`\b` + c + `\b`).MatchString(about) }) {
				t.Errorf("%s.%v leads to %s, but privacy.Tables doesn't look at it: say in Whose that the row is theirs, or in acted that they acted",
					k.Table, k.Columns, k.Target)
			}
			if !slices.Contains(people, k.Table) {
				people = append(people, k.Table)
			}
		}
	}
	for _, m := range []map[string]string{acted, impersonal} {
		for name := range m {
			if !used[name] {
				t.Errorf("%s leads to nobody", name)
			}
		}
	}
	if len(people) < 8 {
		t.Error(fmt.Sprint("only these lead to people: ", people))
	}
}
