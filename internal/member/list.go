package member

import (
	"strings"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"github.com/collegium/collegium/internal/errs"
	"github.com/collegium/collegium/internal/page"
	"github.com/collegium/collegium/internal/pg"
)

// list is the SQL of a list of members. Of what it may be narrowed by, only what
// is asked for stands in the statement.
type list struct {
	*texts
	// by is the column by which they are found, if it has an index; see viewer.Shape.Table.
	by string
	// found is whether they are taken from found, which are those with some words.
	found bool
	// section is an expression for the ID of a section; only its members of today
	// are listed, as far as each lets the viewer know. It is empty for no section.
	section string
	// conditions hold for the members m of the list, each with AND before it.
	conditions string
	// looksFor are the fields that the list is narrowed or sorted by, and private adds to the
	// fields that m doesn't show to everyone those of them that stand in rows of their own.
	looksFor FieldSet
	private  string
	// near is the condition that they practise in a circle, with AND before it; nearest
	// does without.
	near string
}

// byNames is how lists are sorted, and byMemberships the same by the copy of the
// name that stands with the membership of a section.
var (
	byNames = pg.Sort{
		After:    `(m.sort_name COLLATE "und-x-icu", m.id) > (@after_name, @after_id::uuid)`,
		Before:   `(m.sort_name COLLATE "und-x-icu", m.id) < (@before_name, @before_id::uuid)`,
		Forward:  `m.sort_name COLLATE "und-x-icu", m.id`,
		Backward: `m.sort_name COLLATE "und-x-icu" DESC, m.id DESC`,
	}
	byMemberships = pg.Sort{
		After:    `(m.name_in_section COLLATE "und-x-icu", m.id) > (@after_name, @after_id::uuid)`,
		Before:   `(m.name_in_section COLLATE "und-x-icu", m.id) < (@before_name, @before_id::uuid)`,
		Forward:  `m.name_in_section COLLATE "und-x-icu", m.id`,
		Backward: `m.name_in_section COLLATE "und-x-icu" DESC, m.id DESC`,
	}
)

// selected are the columns of m.
func (l *list) selected() string {
	if l.private == `` {
		return l.columns
	}
	return l.fields + l.private + ` AS private`
}

// table is what the members m are taken from.
func (l *list) table() string {
	if l.found {
		return found
	}
	return l.Table(l.by)
}

// byName returns the SELECT of a page, ordered and without its limit. Of a filter the
// planner does not know how few it leaves, so the members of a section are then looked up
// one by one too.
func (l *list) byName(k page.Keyset) string {
	if l.section == "" || l.found {
		return `
		SELECT` + l.selected() + `
		FROM ` + l.table() + ` m
		WHERE ` + l.visible + l.within() + l.near + byNames.Bounds(k) + byNames.OrderBy(k)
	}
	if l.conditions == "" && l.near == "" {
		return `
		-- Each member once.
		SELECT DISTINCT ON (m.name_in_section COLLATE "und-x-icu", m.id)` + l.selected() + `
		FROM ` + l.Table("sections") + ` m
		WHERE m.section_id = ` + l.section + ` AND ` + today + ` AND ` + l.visible + ` AND ` + l.showsSections +
			byMemberships.Bounds(k) + byMemberships.OrderBy(k)
	}
	return `
		SELECT` + l.selected() + `
		FROM (
			SELECT DISTINCT
				m.name_in_section COLLATE "und-x-icu" AS name_in_section,
				m.id
			FROM ` + l.Table("section ids") + ` m
			WHERE m.section_id = ` + l.section + ` AND ` + today + byMemberships.Bounds(k) + byMemberships.OrderBy(k) + `
		) s` + l.each(`m.*`) + strings.ReplaceAll(byMemberships.OrderBy(k), `m.`, `s.`)
}

// within returns the conditions with that on the section.
func (l *list) within() string {
	if l.section == "" {
		return l.conditions
	}
	return l.conditions + ` AND ` + l.showsSections + ` AND EXISTS (
		SELECT FROM ` + l.Table("section ids") + ` sm WHERE sm.id = m.id AND sm.section_id = ` + l.section + ` AND ` + strings.ReplaceAll(today, `m.`, `sm.`) + `)`
}

// count returns the SELECT of how many there are. It looks up the members of a
// section one by one, so that a small section costs little however many members
// there are: the plan is made for one of average size.
func (l *list) count() string {
	if l.section == "" || l.found {
		return `SELECT count(*) AS n FROM ` + l.table() + ` m WHERE ` + l.visible + l.within() + l.near
	}
	return `
		SELECT count(*) AS n
		FROM (SELECT DISTINCT m.id FROM ` + l.Table("section ids") + ` m WHERE m.section_id = ` + l.section + ` AND ` + today + `) s` + l.each(`m.id`)
}

// each narrows the ids s of members of a section to the members m of the list.
func (l *list) each(columns string) string {
	if l.Shape == 0 && l.conditions == "" && l.near == "" {
		return ``
	}
	return `
		CROSS JOIN LATERAL (
			SELECT ` + columns + `
			FROM ` + l.Table("") + ` m
			WHERE m.id = s.id AND ` + l.visible + ` AND ` + l.showsSections + l.conditions + l.near + `
			OFFSET 0
		) m`
}

func nameKey(m *Member) []string { return []string{m.SortName, m.ID.String()} }

// bindNames sets the arguments for the cursors of a page.
func bindNames(args pgx.StrictNamedArgs, k page.Keyset) error {
	return pg.EachCursor(k, func(name string, key []string) error {
		id, err := uuid.Parse(key[1])
		if err != nil {
			return notACursor(name)
		}
		args[name+"_name"], args[name+"_id"] = key[0], id
		return nil
	})
}

func notACursor(name string) error {
	return errs.Invalidf(name, "not a cursor of this list; pass a cursor that the same list returned")
}
