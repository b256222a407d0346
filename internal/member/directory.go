package member

import (
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/jackc/pgx/v5"

	"github.com/collegium/collegium/internal/errs"
	"github.com/collegium/collegium/internal/viewer"
)

// directory is the list of the members that match a filter, with the arguments
// for it.
type directory struct {
	list
	// with stands before the statement.
	with string
	args pgx.StrictNamedArgs
}

// maxText bounds the words of a directory filter, in characters.
const maxText = 100

// A unit is named by its slug, or else by an earlier one, if the viewer may know of
// it: a filter tells nothing that the answer would not.
const (
	namedRegion  = `(SELECT u.id` + named + ` AND u.kind = 'REGION' AND (u.slug = lower(@region) OR u.aliases @> ARRAY[lower(@region)]) ORDER BY u.slug = lower(@region) DESC, u.position LIMIT 1)`
	namedSection = `(SELECT u.id` + named + ` AND u.kind = 'SPECIALIST_SECTION' AND (u.slug = lower(@section) OR u.aliases @> ARRAY[lower(@section)]) ORDER BY u.slug = lower(@section) DESC, u.position LIMIT 1)`
	named        = ` FROM units u JOIN entries e ON e.id = u.id WHERE ` + viewer.Visible
)

// withFound takes members by their words from the index of trigrams, before
// anything else: PostgreSQL does not know how rare a word is before it plans.
const withFound = `WITH found AS MATERIALIZED (
		SELECT m.*
		FROM members m
		WHERE m.display_name ILIKE @text OR (m.headline_audience = ANY(@reach) AND m.headline ILIKE @text)
	) `

// hasText is the same without the index, which knows no words of less than three
// letters and would be read as a whole.
const hasText = ` AND (m.display_name || '' ILIKE @text OR (m.headline_audience = ANY(@reach) AND m.headline || '' ILIKE @text))`

// search returns the directory by a filter. A condition on a field asks for the
// field's audience too.
func search(v viewer.Viewer, f Filter) (*directory, error) {
	d := &directory{list: list{table: `members`}, args: pgx.StrictNamedArgs{"reach": v.Reach()}}
	if f.Region != nil {
		d.conditions += ` AND m.region_audience = ANY(@reach) AND m.region_id = ` + namedRegion
		d.args["region"] = *f.Region
	}
	if f.Section != nil {
		d.section = namedSection
		d.args["section"] = *f.Section
	}
	if f.Grade != nil {
		d.conditions += ` AND m.grade_audience = ANY(@reach) AND m.grade = @grade`
		d.args["grade"] = *f.Grade
	}
	if f.Text != nil {
		text := strings.TrimSpace(*f.Text)
		if n := utf8.RuneCountInString(text); n < 1 || n > maxText || strings.ContainsRune(text, 0) {
			return nil, errs.Invalidf("filter.text", "pass 1 to %d characters; there are %d", maxText, n)
		}
		d.args["text"] = "%" + strings.NewReplacer(`\`, `\\`, `%`, `\%`, `_`, `\_`).Replace(text) + "%"
		if hasTrigram(text) {
			d.with, d.table = withFound, `found`
		} else {
			d.conditions += hasText
		}
	}
	return d, nil
}

// hasTrigram says whether three letters or digits stand beside each other.
func hasTrigram(text string) bool {
	n := 0
	for _, r := range text {
		if n++; !unicode.IsLetter(r) && !unicode.IsDigit(r) {
			n = 0
		}
		if n == 3 {
			return true
		}
	}
	return false
}
