package internal_test

import (
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/collegium/collegium/internal/pg"
	"github.com/collegium/collegium/internal/pg/pgtest"
)

// unaudited are the tables whose writes are not in the audit.
var unaudited = map[string]string{
	"schema_migrations":          "says which migrations ran",
	"changes":                    "notes which tables were written to, for what is kept in memory",
	"changes_horizon":            "the same",
	"audit_entries":              "the audit; it refuses every change",
	"audit_chain":                "the same",
	"audit_pending":              "empty a moment later",
	"audit_people":               "who the pseudonyms of the audit stand for",
	"entry_search":               "follows from entries, blocks and routes, which are audited",
	"search_completions":         "the same",
	"search_terms":               "the same",
	"search_pending":             "empty at the end of every transaction",
	"trusted_documents_revision": "counts the changes of the trusted documents, which are audited",
	"sessions":                   "written at each sign-in, not by people; ends by itself",
	"account_links":              "links that were mailed; end by themselves",
	"application_key_uses":       "when a key was last used",
	"sign_in_failures":           "how often something was tried in vain; ends by itself",
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
