package statistics

import (
	"context"
	"strings"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"github.com/collegium/collegium/internal/errs"
	"github.com/collegium/collegium/internal/pg"
	"github.com/collegium/collegium/internal/viewer"
)

// Store counts members in the database.
type Store struct{ DB pg.Querier }

// nowhere is a unit that has no members.
var nowhere = uuid.UUID{15: 1}

// Of returns what the members of a filter are counted by. A nil day is today. A viewer
// whose key is limited to a unit counts nobody else.
func (s *Store) Of(ctx context.Context, v viewer.Viewer, asOf *time.Time, f *Filter) (_ *Statistics, err error) {
	defer errs.Wrap(&err, "statistics.Of")
	if !v.May(viewer.ReadStatistics) {
		return nil, errs.Forbidden
	}
	if f == nil {
		f = &Filter{}
	}
	type found struct {
		AsOf            time.Time
		Region, Section *uuid.UUID
		// OfUnit is the kind of the unit to which a key is limited.
		OfUnit *string
	}
	r, err := pg.One[found](ctx, s.DB, `
		SELECT
			COALESCE(@as_of::date, CURRENT_DATE) AS as_of,
			(
				SELECT u.id FROM units u JOIN entries e ON e.id = u.id
				WHERE u.kind = 'REGION' AND u.slug = lower(@region) AND `+viewer.Visible+`
			) AS region,
			(
				SELECT u.id FROM units u JOIN entries e ON e.id = u.id
				WHERE u.kind = 'SPECIALIST_SECTION' AND u.slug = lower(@section) AND `+viewer.Visible+`
			) AS section,
			(SELECT u.kind FROM units u WHERE u.id = @unit) AS of_unit`,
		pgx.StrictNamedArgs{"as_of": asOf, "region": f.Region, "section": f.Section, "unit": v.Unit, "reach": v.Reach()})
	if err != nil {
		return nil, err
	}
	switch {
	case f.Region != nil && r.Region == nil:
		return nil, errs.Invalidf("filter.region", "there is no such region; pass the slug of one that regions lists")
	case f.Section != nil && r.Section == nil:
		return nil, errs.Invalidf("filter.section", "there is no such section; pass the slug of one that specialistSections lists")
	}
	st := &Statistics{
		AsOf: r.AsOf, grade: f.Grade, region: r.Region, section: r.Section, coarse: v.Application != uuid.Nil,
	}
	switch {
	case v.Unit == uuid.Nil:
	case r.OfUnit != nil && *r.OfUnit == "REGION":
		st.region = limited(st.region, v.Unit)
	default:
		st.section = limited(st.section, v.Unit)
	}
	return st, nil
}

// limited is the unit to which a key is limited, or nowhere if another is asked for.
func limited(asked *uuid.UUID, unit uuid.UUID) *uuid.UUID {
	if asked != nil && *asked != unit {
		return &nowhere
	}
	return &unit
}

// who says by what a filter lets members through. What is not asked for stands in no
// statement.
type who struct{ grade, region, section bool }

func (s *Statistics) who() who { return who{s.grade != nil, s.region != nil, s.section != nil} }

// args adds what the conditions take to the arguments of a statement.
func (s *Statistics) args(args pgx.StrictNamedArgs) pgx.StrictNamedArgs {
	if s.grade != nil {
		args["grade"] = *s.grade
	}
	if s.region != nil {
		args["region"] = *s.region
	}
	if s.section != nil {
		args["section"] = *s.section
	}
	return args
}

// strata are all, each with whether the filter lets those in it through, and
// whether they are counted by a dimension: by status all are, else members.
func (w who) strata(by Dimension) string {
	through := "true"
	if w.grade {
		through += " AND st.grade = @grade"
	}
	if w.region {
		through += " AND st.region_id IS NOT DISTINCT FROM @region::uuid"
	}
	counts := "st.member"
	if by == ByStatus {
		counts = "true"
	}
	return `strata AS (
		SELECT st.id, st.grade, st.status, st.region_id, ` + through + ` AND st.member AS member, ` + through + ` AND ` + counts + ` AS counts
		FROM membership_strata st
	)`
}

// inSection are the sets of sections with that of the filter.
const inSection = `(SELECT ss.id FROM section_sets ss WHERE @section::uuid = ANY(ss.section_ids))`

// memberOf says of the stratum in a column, without a join, whether its members are let
// through: there are many sets of sections, and with each stratum of each there would
// be as many groups as members.
func memberOf(column string) string {
	return `COALESCE((SELECT f.flags FROM flags f)[` + column + `], false)`
}

const flags = `, flags AS (
			SELECT array_agg(COALESCE(st.member, false) ORDER BY i.id) AS flags
			FROM generate_series(1, (SELECT max(st.id) FROM membership_strata st)) AS i (id)
			LEFT JOIN strata st ON st.id = i.id
		)`

// shape is how the groups of a dimension become rows. A group g has as its key a column
// of its stratum, or if none is named its set of sections; joins find the names.
type shape struct{ key, name, joins string }

var shapes = map[Dimension]shape{
	ByGrade:  {"grade", "g.key", ""},
	ByStatus: {"status", "g.key", ""},
	ByRegion: {"region_id", "COALESCE(u.slug, 'NONE')", "LEFT JOIN units u ON u.id = g.key"},
	// Somebody can be in several sections.
	BySection: {"", "COALESCE(u.slug, 'NONE')", `JOIN section_sets ss ON ss.id = g.key
		CROSS JOIN LATERAL unnest(CASE WHEN ss.section_ids = '{}' THEN '{NULL}' ELSE ss.section_ids END) AS x (id)
		LEFT JOIN units u ON u.id = x.id`},
}

// counted is a row of a statement: N of the Total have the key.
type counted struct {
	Key      string
	N, Total int
}

// key is what a row can be about.
type key struct{ Key, Label string }

// table makes a table with a row for every key.
func (s *Statistics) table(by string, keys []key, rows []*counted) *Table {
	counts, total := pg.ByKey(rows, func(r *counted) string { return r.Key }), 0
	if len(rows) > 0 {
		total = rows[0].Total
	}
	t := &Table{By: by, Total: s.tell(total)}
	for _, k := range keys {
		n := 0
		if r := counts[k.Key]; r != nil {
			n = r.N
		}
		t.Rows = append(t.Rows, &Row{Key: k.Key, Label: k.Label, Count: s.tell(n)})
	}
	return t
}

var (
	grades = []key{
		{"PROFESSIONAL", "Professional"},
		{"STUDENT", "Student"},
		{"ASSOCIATE", "Associate"},
		{"SELF_EMPLOYED", "Self-employed"},
		{"OVERSEAS", "Overseas"},
		{"CAREER_BREAK", "Career break"},
		{"RETIRED", "Retired"},
	}
	statusKeys = []key{
		{"PENDING", "Pending"},
		{"CURRENT", "Current"},
		{"GRACE", "In grace"},
		{"SUSPENDED", "Suspended"},
		{"LAPSED", "Lapsed"},
		{"RETIRED", "Retired"},
		{"RESIGNED", "Resigned"},
		{"DECEASED", "Deceased"},
		{"REMOVED", "Removed"},
	}
)

// keys are those of a dimension, in order.
func (s *Store) keys(ctx context.Context, by Dimension) ([]key, error) {
	kind, none := "REGION", key{"NONE", "No region"}
	switch by {
	case ByGrade:
		return grades, nil
	case ByStatus:
		return statusKeys, nil
	case BySection:
		kind, none = "SPECIALIST_SECTION", key{"NONE", "No section"}
	}
	rows, err := pg.All[key](ctx, s.DB, `
		SELECT slug AS key, name AS label
		FROM units
		WHERE kind = @kind
		ORDER BY position`, pgx.StrictNamedArgs{"kind": kind})
	if err != nil {
		return nil, err
	}
	var keys []key
	for _, r := range rows {
		keys = append(keys, *r)
	}
	return append(keys, none), nil
}

// By counts the members of the day by a dimension: those whose membership has begun
// and has neither ended nor lapsed; by status also those who are no members yet or no
// more. Everything that there is has a row, also if it has no member.
func (s *Store) By(ctx context.Context, st *Statistics, by Dimension) (_ *Table, err error) {
	defer errs.Wrap(&err, "statistics.By(%s)", by)
	keys, err := s.keys(ctx, by)
	if err != nil {
		return nil, err
	}
	rows, err := pg.All[counted](ctx, s.DB, st.who().counts(by), st.args(pgx.StrictNamedArgs{"day": st.AsOf}))
	if err != nil {
		return nil, err
	}
	return st.table(strings.ToLower(string(by)), keys, rows), nil
}

// counts is the statement of By. The stretches of the day are counted before anything
// is asked about them: of 100,000 some hundreds of groups are left.
func (w who) counts(by Dimension) string {
	shape, where := shapes[by], ""
	if w.section {
		where = " AND s.section_set IN " + inSection
	}
	groups := `, groups AS (
			SELECT st.` + shape.key + ` AS key, sum(c.n)::int AS n
			FROM (
				SELECT s.stratum, count(*)::int AS n
				FROM membership_stretches s
				WHERE s.until > @day AND s.since <= @day` + where + `
				GROUP BY s.stratum
			) c
			JOIN strata st ON st.id = c.stratum AND st.counts
			GROUP BY 1
		)`
	if by == BySection {
		groups = flags + `, groups AS (
			SELECT s.section_set AS key, count(*)::int AS n
			FROM membership_stretches s
			WHERE s.until > @day AND s.since <= @day AND ` + memberOf("s.stratum") + where + `
			GROUP BY s.section_set
		)`
	}
	return `
		WITH ` + w.strata(by) + groups + `
		SELECT ` + shape.name + ` AS key, sum(g.n)::int AS n, (SELECT sum(g.n) FROM groups g)::int AS total
		FROM groups g
		` + shape.joins + `
		GROUP BY 1`
}

// RenewalsDue counts, by month, the memberships of the day whose last day paid for is
// in a window, and which were not renewed by that day. Nil days are the day itself and
// 90 days after it.
func (s *Store) RenewalsDue(ctx context.Context, st *Statistics, from, to *time.Time) (_ *Table, err error) {
	defer errs.Wrap(&err, "statistics.RenewalsDue")
	first, last := st.AsOf, st.AsOf.AddDate(0, 0, 90)
	if from != nil {
		first, last = *from, from.AddDate(0, 0, 90)
	}
	if to != nil {
		last = *to
	}
	months, err := ends(first, last)
	if err != nil {
		return nil, err
	}
	rows, err := pg.All[counted](ctx, s.DB, `
		SELECT to_char(r.ends_on, 'YYYY-MM') AS key, sum(r.n)::int AS n, (sum(sum(r.n)) OVER ())::int AS total
		FROM renewals_due(@day, @first, @last, @grade, @region, @section) r
		GROUP BY 1`, pgx.StrictNamedArgs{"day": st.AsOf, "first": first, "last": last, "grade": st.grade, "region": st.region, "section": st.section})
	if err != nil {
		return nil, err
	}
	keys := make([]key, len(months))
	for i, day := range months {
		keys[i] = key{day.Format("2006-01"), day.Format("January 2006")}
	}
	return st.table("month", keys, rows), nil
}
