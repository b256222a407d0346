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
			(SELECT u.id FROM units u WHERE u.kind = 'REGION' AND u.slug = @region) AS region,
			(SELECT u.id FROM units u WHERE u.kind = 'SPECIALIST_SECTION' AND u.slug = @section) AS section,
			(SELECT u.kind FROM units u WHERE u.id = @unit) AS of_unit`,
		pgx.StrictNamedArgs{"as_of": asOf, "region": f.Region, "section": f.Section, "unit": v.Unit})
	if err != nil {
		return nil, err
	}
	st := &Statistics{
		AsOf: r.AsOf, grade: f.Grade, region: chosen(f.Region, r.Region), section: chosen(f.Section, r.Section), coarse: v.Application != uuid.Nil,
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

// chosen is the unit of a slug: nil if none is asked for, nowhere if there is none.
func chosen(slug *string, id *uuid.UUID) *uuid.UUID {
	if slug != nil && id == nil {
		return &nowhere
	}
	return id
}

// limited is the unit to which a key is limited, or nowhere if another is asked for.
func limited(asked *uuid.UUID, unit uuid.UUID) *uuid.UUID {
	if asked != nil && *asked != unit {
		return &nowhere
	}
	return &unit
}

// who are the conditions of a filter on a period p, of which those that are not asked
// for stand in no statement: the planner would take few members to be left.
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

// always are the conditions that hold for a period on every day.
func (w who) always() string {
	sql := ""
	if w.grade {
		sql += ` AND p.grade = @grade`
	}
	if w.region {
		sql += ` AND p.member_id IN (SELECT m.id FROM members_counted m WHERE m.region_id = @region)`
	}
	return sql
}

// onDay are all conditions, as of @day.
func (w who) onDay() string {
	if !w.section {
		return w.always()
	}
	return w.always() + ` AND p.member_id IN (
		SELECT sm.member_id
		FROM section_memberships sm
		WHERE sm.section_id = @section AND sm.starts_on <= @day AND (sm.ends_on IS NULL OR sm.ends_on >= @day))`
}

// governing are the periods that count on @day, each of another member. They are
// those of membership_statuses; here they are read from two indexes alone, one of the
// last periods and one of those that another follows.
func (w who) governing() string {
	return `governing AS (
		SELECT p.member_id, p.grade, p.starts_on, p.ends_on, p.ended_how
		FROM membership_periods p
		WHERE p.next_on IS NULL AND p.governs_on <= @day` + w.onDay() + `
		UNION ALL
		SELECT p.member_id, p.grade, p.starts_on, p.ends_on, p.ended_how
		FROM membership_periods p
		WHERE p.next_on > @day AND p.governs_on <= @day` + w.onDay() + `
	)`
}

// ruled leaves, of periods d that have begun, those by which somebody is a member on
// @day: they have neither ended nor lapsed.
const ruled = `JOIN membership_rules r ON r.grade = d.grade AND r.since <= @day AND (r.until IS NULL OR r.until > @day)
			WHERE d.ends_on IS NULL OR d.ends_on >= @day OR d.ended_how IS NULL AND d.ends_on + r.grace_days >= @day`

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
	if by == BySection {
		if rows, err = s.withNone(ctx, st, rows); err != nil {
			return nil, err
		}
	}
	return st.table(strings.ToLower(string(by)), keys, rows), nil
}

// withNone adds the members who are in no section, of whom no section knows.
func (s *Store) withNone(ctx context.Context, st *Statistics, rows []*counted) ([]*counted, error) {
	all, err := pg.All[counted](ctx, s.DB, st.who().counts(ByGrade), st.args(pgx.StrictNamedArgs{"day": st.AsOf}))
	if err != nil || len(all) == 0 {
		return nil, err
	}
	none := &counted{Key: "NONE", N: all[0].Total, Total: all[0].Total}
	if len(rows) > 0 {
		none.N -= rows[0].Total
	}
	for _, r := range rows {
		r.Total = none.Total
	}
	return append(rows, none), nil
}

// counts is the statement of By.
func (w who) counts(by Dimension) string {
	switch by {
	case ByGrade:
		// Most members have a day of renewal in common with many, so that the rules need
		// not be asked of each. Here and below a fence, OFFSET 0, has the planner read an
		// index once as a whole and not once for each member.
		return `
		WITH ` + w.governing() + `, days AS (
			SELECT g.grade, g.ends_on, g.ended_how, count(*) AS n
			FROM governing g
			WHERE g.starts_on <= @day
			GROUP BY 1, 2, 3
		)
		SELECT d.grade AS key, sum(d.n)::int AS n, (sum(sum(d.n)) OVER ())::int AS total
		FROM days d
			` + ruled + `
		GROUP BY d.grade`
	case ByRegion:
		return `
		WITH ` + w.governing() + `, days AS (
			SELECT m.region_id, g.grade, g.ends_on, g.ended_how, count(*) AS n
			FROM governing g
			JOIN (SELECT m.id, m.region_id FROM members_counted m OFFSET 0) m ON m.id = g.member_id
			WHERE g.starts_on <= @day
			GROUP BY 1, 2, 3, 4
		), counts AS (
			SELECT d.region_id, sum(d.n) AS n
			FROM days d
			` + ruled + `
			GROUP BY d.region_id
		)
		SELECT COALESCE(u.slug, 'NONE') AS key, c.n::int AS n, (sum(c.n) OVER ())::int AS total
		FROM counts c
		LEFT JOIN units u ON u.id = c.region_id`
	case BySection:
		// Somebody belongs to several sections. In the order of members the first of each
		// tells how many members there are.
		return `
		WITH ` + w.governing() + `, belonging AS (
			SELECT b.section_id, b.member_id, lag(b.member_id) OVER (ORDER BY b.member_id, b.section_id) IS DISTINCT FROM b.member_id AS first
			FROM (
				SELECT DISTINCT sm.member_id, sm.section_id
				FROM section_memberships sm
				WHERE sm.starts_on <= @day AND (sm.ends_on IS NULL OR sm.ends_on >= @day)
			) b
		), days AS (
			SELECT b.section_id, g.grade, g.ends_on, g.ended_how, count(*) AS n, count(*) FILTER (WHERE b.first) AS members
			FROM belonging b
			JOIN (SELECT g.member_id, g.grade, g.starts_on, g.ends_on, g.ended_how FROM governing g OFFSET 0) g ON g.member_id = b.member_id
			WHERE g.starts_on <= @day
			GROUP BY 1, 2, 3, 4
		), counts AS (
			SELECT d.section_id, sum(d.n) AS n, sum(d.members) AS members
			FROM days d
			` + ruled + `
			GROUP BY d.section_id
		)
		SELECT u.slug AS key, c.n::int AS n, (sum(c.members) OVER ())::int AS total
		FROM counts c
		JOIN units u ON u.id = c.section_id`
	default:
		return `
		WITH ` + w.governing() + `, days AS (
			SELECT g.grade, g.starts_on > @day AS pending, g.ends_on, g.ended_how, s.member_id IS NOT NULL AS suspended, count(*) AS n
			FROM governing g
			LEFT JOIN membership_suspensions s ON s.member_id = g.member_id AND s.starts_on <= @day AND (s.ends_on IS NULL OR s.ends_on >= @day)
			GROUP BY 1, 2, 3, 4, 5
		)
		SELECT
			CASE
				WHEN d.pending THEN 'PENDING'
				WHEN d.ended_how IS NOT NULL AND d.ends_on < @day THEN d.ended_how
				WHEN d.ends_on + r.grace_days < @day THEN 'LAPSED'
				WHEN d.suspended THEN 'SUSPENDED'
				WHEN d.ends_on < @day THEN 'GRACE'
				ELSE r.counts_as
			END AS key,
			sum(d.n)::int AS n,
			(sum(sum(d.n)) OVER ())::int AS total
		FROM days d
		JOIN membership_rules r ON r.grade = d.grade AND r.since <= @day AND (r.until IS NULL OR r.until > @day)
		GROUP BY 1`
	}
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
		WITH due AS (
			SELECT p.ends_on
			FROM membership_periods p
			WHERE p.ends_on BETWEEN @first AND @last AND p.ended_how IS NULL AND p.governs_on <= @day
				AND (p.next_on IS NULL OR p.next_on > @day AND NOT EXISTS (
					SELECT
					FROM membership_periods n
					WHERE n.member_id = p.member_id AND n.starts_on = p.next_on AND n.recorded_on <= @day))`+st.who().onDay()+`
		)
		SELECT to_char(d.ends_on, 'YYYY-MM') AS key, count(*)::int AS n, (sum(count(*)) OVER ())::int AS total
		FROM due d
		GROUP BY 1`, st.args(pgx.StrictNamedArgs{"day": st.AsOf, "first": first, "last": last}))
	if err != nil {
		return nil, err
	}
	keys := make([]key, len(months))
	for i, day := range months {
		keys[i] = key{day.Format("2006-01"), day.Format("January 2006")}
	}
	return st.table("month", keys, rows), nil
}
