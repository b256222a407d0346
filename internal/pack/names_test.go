package pack

import (
	"errors"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5/pgconn"

	"github.com/collegium/collegium/internal/pg/pgtest"
)

// TestSortNameShowsNoMore asserts that a pack and the database agree on which
// sort names show no more than the display name.
func TestSortNameShowsNoMore(t *testing.T) {
	t.Parallel()
	pool := pgtest.New(t)
	for _, c := range []struct{ display, sort, beyond string }{
		{"Mari Evans", "Evans, Mari", ""},
		{"Mari Evans", "evans, mari", ""},
		{"Mari Evans", "Mari", ""},
		{"Siân O'Brien", "O'Brien, Siân", ""},
		{"Siân O'Brien", "o'brien, SIÂN", ""},
		{"Siân O’Brien", "O'Brien, Siân", ""}, // a typographic apostrophe
		{"Gwilym Vaughan-Lee", "Vaughan-Lee, Gwilym", ""},
		{"Gwilym Vaughan-Lee", "Lee, Vaughan, Gwilym", ""},
		{"J. R. Evans", "Evans, J. R.", ""},
		{"Evans, Mari", "Mari Evans", ""},
		{"Anna", "Anna", ""},
		{"Anna", "Anna,", ""},
		{"Anna", " (Anna) ", ""},
		{"Anna 2", "2 Anna", ""},
		{"王 芳", "芳, 王", ""},
		{"ΣΟΦΟΣ Άννα", "Άννα Σοφος", ""},
		{"İlhan", "İLHAN", ""},
		{"😀", "☃", ""},
		{"Anna", "Tilley, Anna", "tilley"},
		{"Anna", "Anna T", "t"},
		{"Anna T.", "Tilley, Anna", "tilley"},
		{"Anna", "Ann", "ann"},
		{"Ann", "Anna", "anna"},
		{"Sian O'Brien", "O'Brien, Siân", "siân"},
		{"Siân Brien", "O'Brien, Siân", "o"},
		{"Anna", "王 Anna", "王"},
		{"Anna Vaughan Lee", "VaughanLee, Anna", "vaughanlee"},
		{"☃", "Anna", "anna"},
		{"Anna", "Anna 1962", "1962"},
	} {
		if got := wordBeyond(c.sort, c.display); got != c.beyond {
			t.Errorf("%q beyond %q: %q, want %q", c.sort, c.display, got, c.beyond)
		}
		_, err := pool.Exec(t.Context(), `
			INSERT INTO members (id, key, display_name, sort_name, grade, joined_on)
			VALUES (gen_random_uuid(), gen_random_uuid()::text, $1, $2, 'STUDENT', '2020-01-01')`, c.display, c.sort)
		var refused *pgconn.PgError
		switch {
		case c.beyond == "" && err != nil:
			t.Errorf("%q beside %q: %v", c.sort, c.display, err)
		case c.beyond != "" && (!errors.As(err, &refused) || refused.ConstraintName != "members_sort_name_shows_no_more"):
			t.Errorf("%q beside %q: %v, want a violation of members_sort_name_shows_no_more", c.sort, c.display, err)
		}
	}
}

// TestConstraintsOfPackTables tries rows that no pack brings.
func TestConstraintsOfPackTables(t *testing.T) {
	t.Parallel()
	pool := pgtest.New(t)
	mustImport(t, pool, small)
	mustExec(t, pool, `
		INSERT INTO entries (id, key, kind, slug, title)
		VALUES ('00000000-0000-4000-8000-0000000000d1', 'd1', 'DOCUMENT', 'd1', 'One'), ('00000000-0000-4000-8000-0000000000d2', 'd2', 'DOCUMENT', 'd2', 'Two')`)
	mustExec(t, pool, `
		INSERT INTO documents (entry_id, media_type, byte_size)
		SELECT id, 'text/plain', 2147483647 FROM entries WHERE key IN ('d1', 'd2')`)
	const alternative = `INSERT INTO document_alternatives (document_id, position, alternative_id) VALUES `
	mustExec(t, pool, alternative+`('00000000-0000-4000-8000-0000000000d1', 0, '00000000-0000-4000-8000-0000000000d2')`)
	for _, c := range []struct{ sql, constraint string }{
		{`UPDATE documents SET byte_size = 2147483648`, "documents_byte_size_fits_int"},
		{`UPDATE members SET joined_on = 'infinity'`, "members_joined_on_finite"},
		{`UPDATE section_memberships SET starts_on = '-infinity'`, "section_memberships_days_finite"},
		{`UPDATE section_memberships SET ends_on = 'infinity'`, "section_memberships_days_finite"},
		{`UPDATE terms SET starts_on = '-infinity'`, "terms_days_finite"},
		{`UPDATE terms SET ends_on = 'infinity'`, "terms_days_finite"},
		{alternative + `('00000000-0000-4000-8000-0000000000d1', 1, '00000000-0000-4000-8000-0000000000d1')`, "document_alternatives_not_itself"},
		{alternative + `('00000000-0000-4000-8000-0000000000d1', 1, '00000000-0000-4000-8000-0000000000d2')`, "document_alternatives_unique"},
		{alternative + `('00000000-0000-4000-8000-0000000000d1', 0, '00000000-0000-4000-8000-0000000000d2')`, "document_alternatives_pkey"},
		{alternative + `('00000000-0000-4000-8000-0000000000d2', -1, '00000000-0000-4000-8000-0000000000d1')`, "document_alternatives_position_not_negative"},
	} {
		_, err := pool.Exec(t.Context(), c.sql)
		var refused *pgconn.PgError
		if !errors.As(err, &refused) || refused.ConstraintName != c.constraint {
			t.Errorf("%s: %v, want a violation of %s", strings.TrimSpace(c.sql), err, c.constraint)
		}
	}
}
