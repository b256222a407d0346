package member

import (
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/jackc/pgx/v5"

	"github.com/collegium/collegium/internal/errs"
	"github.com/collegium/collegium/internal/pg"
	"github.com/collegium/collegium/internal/viewer"
)

// directory is the list of the members that match a filter, with the arguments
// for it.
type directory struct {
	list
	// rare is the same list for words that few members have; nil if no words are asked
	// for that the index of trigrams knows.
	rare *list
	args pgx.StrictNamedArgs
}

// page returns the statement of a page of a list.
func (d *directory) page(of func(*list) string) string {
	if d.rare == nil {
		return pg.Paged(of(&d.list))
	}
	return d.withFound() + `
		SELECT c.* FROM (` + pg.Paged(of(&d.list)) + `) c WHERE (SELECT o.often FROM words o)
		UNION ALL
		SELECT r.* FROM (` + pg.Paged(of(d.rare)) + `) r`
}

// count returns the statement of how many there are.
func (d *directory) count() string {
	if d.rare == nil {
		return d.list.count()
	}
	return d.withFound() + `
		SELECT CASE WHEN (SELECT o.often FROM words o) THEN (` + d.list.count() + `) ELSE (` + d.rare.count() + `) END AS n`
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

// Words may be those of nearly everyone or of nobody, and PostgreSQL does not know
// before it plans. Looking at members one after another soon fills a page with
// words that many have, and never with words that nobody has; with the index of
// trigrams it is the other way round. So a sample is looked at first. It is taken in
// the order of the ids, since words of a name stand beside each other in the order
// of names.
func (t *texts) withFound() string {
	return `
		WITH words AS MATERIALIZED (
			SELECT count(*) >= 20 AS often
			FROM (SELECT m.* FROM members m ORDER BY m.id LIMIT 200) m
			WHERE true` + t.hasText() + `
		), found AS MATERIALIZED (
			SELECT m.*
			FROM members m
			WHERE NOT (SELECT o.often FROM words o)
				AND (m.display_name ILIKE @text OR (m.headline ILIKE @text AND ` + t.Shows(`m.headline_audience`) + `))
		)`
}

const found = `found`

// hasText does without the index.
func (t *texts) hasText() string {
	return ` AND (m.display_name || '' ILIKE @text OR (m.headline || '' ILIKE @text AND ` + t.Shows(`m.headline_audience`) + `))`
}

// search returns the directory by a filter. A condition on a field asks for the
// field's audience too.
func search(v viewer.Viewer, f Filter) (*directory, error) {
	sight := v.Sight()
	t := textsFor(sight)
	d := &directory{list: list{texts: t, table: `members`}, args: pgx.StrictNamedArgs{}}
	sight.Bind(d.args)
	if f.Region != nil || f.Section != nil {
		d.args["reach"] = v.Reach()
	}
	if f.Region != nil {
		d.conditions += ` AND m.region_id = ` + namedRegion + ` AND ` + t.Shows(`m.region_audience`)
		d.args["region"] = *f.Region
	}
	if f.Section != nil {
		d.section = namedSection
		d.args["section"] = *f.Section
	}
	if f.Grade != nil {
		d.conditions += ` AND m.grade = @grade AND ` + t.Shows(`m.grade_audience`)
		d.args["grade"] = *f.Grade
	}
	if f.Text != nil {
		text := strings.TrimSpace(*f.Text)
		if n := utf8.RuneCountInString(text); n < 1 || n > maxText || strings.ContainsRune(text, 0) {
			return nil, errs.Invalidf("filter.text", "pass 1 to %d characters; there are %d", maxText, n)
		}
		d.args["text"] = "%" + strings.NewReplacer(`\`, `\\`, `%`, `\%`, `_`, `\_`).Replace(text) + "%"
		if hasTrigram(text) {
			d.rare = &list{texts: t, table: found, section: d.section, conditions: d.conditions}
		}
		d.conditions += t.hasText()
	}
	return d, nil
}

// hasTrigram says whether the index of trigrams knows a text: whether three letters or digits stand beside each other.
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
