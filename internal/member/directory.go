package member

import (
	"strconv"
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
			FROM (SELECT m.* FROM ` + t.Table("") + ` m ORDER BY m.id LIMIT 200) m
			WHERE true` + t.hasText() + `
		), found AS MATERIALIZED (
			SELECT` + t.held + `
			FROM ` + t.Table("") + ` m
			WHERE NOT (SELECT o.often FROM words o) AND m.display_name ILIKE @text
			UNION ALL
			SELECT` + t.held + `
			FROM ` + t.Table("headline") + ` m
			WHERE NOT (SELECT o.often FROM words o) AND m.headline ILIKE @text AND ` + t.Shows(`m.headline_audience`) + `
				AND m.display_name || '' NOT ILIKE @text
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
	d := &directory{list: list{texts: t}, args: pgx.StrictNamedArgs{}}
	sight.Bind(d.args)
	if f.Region != nil || f.Section != nil {
		d.args["reach"] = v.Reach()
	}
	d.looksFor = f.looksFor()
	if t.More() {
		for _, of := range []ProfileField{Specialisms, Languages, OfPractice} {
			if bit := d.looksFor & SetOf(of); bit != 0 {
				d.private += ` + CASE WHEN EXISTS (
					SELECT FROM member_details d WHERE d.member_id = m.id AND d.field = '` + string(of) + `' AND d.audience <> 'PUBLIC'
				) THEN ` + strconv.Itoa(int(bit)) + ` ELSE 0 END`
			}
		}
	}
	// Of two columns that have an index the first is looked up.
	switch {
	case f.Region != nil:
		d.by = "region"
	case f.Grade != nil:
		d.by = "grade"
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
	for _, term := range []struct {
		path  string
		value *string
	}{{"filter.specialism", f.Specialism}, {"filter.language", f.Language}} {
		if term.value != nil && badText(*term.value, maxText, false) != "" {
			return nil, errs.Invalidf(term.path, "pass at most %d characters, none of them control characters", maxText)
		}
	}
	if f.Specialism != nil {
		d.conditions += t.hasTerm(Specialisms, `@specialism`)
		d.args["specialism"] = folded(*f.Specialism)
	}
	if f.Language != nil {
		d.conditions += t.hasTerm(Languages, `@language`)
		d.args["language"] = folded(*f.Language)
	}
	if f.Near != nil {
		if err := f.Near.validate(); err != nil {
			return nil, err
		}
		d.near = t.inCircle()
		f.Near.bind(d.args)
	}
	if f.Text != nil {
		text := strings.TrimSpace(*f.Text)
		if n := utf8.RuneCountInString(text); n < 1 || n > maxText || strings.ContainsRune(text, 0) {
			return nil, errs.Invalidf("filter.text", "pass 1 to %d characters; there are %d", maxText, n)
		}
		d.args["text"] = "%" + strings.NewReplacer(`\`, `\\`, `%`, `\%`, `_`, `\_`).Replace(text) + "%"
		if hasTrigram(text) {
			d.rare = &list{texts: t, found: true, private: d.private, section: d.section, conditions: d.conditions, near: d.near}
		}
		d.conditions += t.hasText()
	}
	return d, nil
}

// looksFor are the fields that a filter tells of.
func (f *Filter) looksFor() (s FieldSet) {
	for field, asked := range map[ProfileField]bool{
		OfRegion: f.Region != nil, OfSections: f.Section != nil, OfGrade: f.Grade != nil, Headline: f.Text != nil,
		Specialisms: f.Specialism != nil, Languages: f.Language != nil, OfPractice: f.Near != nil,
	} {
		if asked {
			s |= SetOf(field)
		}
	}
	return s
}

// hasTerm is the condition that m has a term in a field that the viewer sees.
func (t *texts) hasTerm(f ProfileField, term string) string {
	return ` AND m.id IN (SELECT f.member_id FROM members_with_term('` + string(f) + `', ` + term + `) f)` + t.showsDetail(f)
}

// showsDetail is the condition that the viewer sees a field of m that has a row of its own.
func (t *texts) showsDetail(f ProfileField) string {
	return ` AND EXISTS (
		SELECT FROM member_details d WHERE d.member_id = m.id AND d.field = '` + string(f) + `' AND ` + t.Shows(`d.audience`) + `)`
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
