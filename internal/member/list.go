package member

import (
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
	// table is what the members m are taken from: members, or found, which are those
	// of them with some words.
	table string
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
// name that stands with a membership.
var (
	byNames = pg.Sort{
		After:    `(m.sort_name COLLATE "und-x-icu", m.id) > (@after_name, @after_id::uuid)`,
		Before:   `(m.sort_name COLLATE "und-x-icu", m.id) < (@before_name, @before_id::uuid)`,
		Forward:  `m.sort_name COLLATE "und-x-icu", m.id`,
		Backward: `m.sort_name COLLATE "und-x-icu" DESC, m.id DESC`,
	}
	byMemberships = pg.Sort{
		After:    `(sm.sort_name COLLATE "und-x-icu", sm.member_id) > (@after_name, @after_id::uuid)`,
		Before:   `(sm.sort_name COLLATE "und-x-icu", sm.member_id) < (@before_name, @before_id::uuid)`,
		Forward:  `name, member_id`,
		Backward: `name DESC, member_id DESC`,
	}
)

// selected are the columns of m.
func (l *list) selected() string {
	if l.private == `` {
		return l.columns
	}
	return l.fields + l.private + ` AS private`
}

// byName returns the SELECT of a page, ordered and without its limit.
func (l *list) byName(k page.Keyset) string {
	if l.section == "" || l.table == found {
		return `
		SELECT` + l.selected() + `
		FROM ` + l.table + ` m` + l.ofRow + `
		WHERE ` + l.visible + l.within() + l.near + byNames.Bounds(k) + byNames.OrderBy(k)
	}
	return `
		SELECT` + l.selected() + `
		FROM (
			-- Periods of one membership may overlap.
			SELECT DISTINCT
				sm.sort_name COLLATE "und-x-icu" AS name,
				sm.member_id
			FROM section_memberships sm
			WHERE sm.section_id = ` + l.section + ` AND ` + today + byMemberships.Bounds(k) + byMemberships.OrderBy(k) + `
		) s
		JOIN members m ON m.id = s.member_id` + l.ofRow + `
		WHERE ` + l.visible + ` AND ` + l.showsSections + l.conditions + l.near + byMemberships.OrderBy(k)
}

// within returns the conditions with that on the section.
func (l *list) within() string {
	if l.section == "" {
		return l.conditions
	}
	return l.conditions + ` AND ` + l.showsSections + ` AND EXISTS (
		SELECT FROM section_memberships sm WHERE sm.member_id = m.id AND sm.section_id = ` + l.section + ` AND ` + today + `)`
}

// count returns the SELECT of how many there are. It looks up the members of a
// section one by one, so that a small section costs little however many members
// there are: the plan is made for one of average size.
func (l *list) count() string {
	if l.section == "" || l.table == found {
		return `SELECT count(*) AS n FROM ` + l.table + ` m WHERE ` + l.visible + l.within() + l.near
	}
	return `
		SELECT count(*) AS n
		FROM (SELECT DISTINCT sm.member_id FROM section_memberships sm WHERE sm.section_id = ` + l.section + ` AND ` + today + `) s
		CROSS JOIN LATERAL (
			SELECT m.id
			FROM members m
			WHERE m.id = s.member_id AND ` + l.visible + ` AND ` + l.showsSections + l.conditions + l.near + `
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
