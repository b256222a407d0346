package statistics

import (
	"context"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/collegium/collegium/internal/errs"
	"github.com/collegium/collegium/internal/pg"
)

// A series is not counted month by month. Each stretch of time during which somebody
// was a member begins in one month and ends in another; how many begin and end where
// is counted once, and added up.

// stretches are from when to when somebody was a member by a period, without a gap in
// it: from_day is the first day and to_day the first on which they were not, null if
// there is none. goes_on says that another stretch of the member begins on to_day. A
// rule that changes ends one stretch and begins another.
const stretches = `stretches AS (
		SELECT p.member_id, p.grade, x.from_day, x.to_day,
			COALESCE(x.to_day = p.next_on OR x.to_day = r.until AND (
				p.ends_on IS NULL OR p.ends_on + CASE WHEN p.ended_how IS NULL THEN r.next_grace ELSE 0 END >= r.until), false) AS goes_on
		FROM periods p
		JOIN rules r ON r.grade = p.grade
		CROSS JOIN LATERAL (
			SELECT greatest(p.starts_on, r.since) AS from_day,
				least(p.next_on, r.until, p.ends_on + CASE WHEN p.ended_how IS NULL THEN r.grace_days ELSE 0 END + 1) AS to_day
		) x
		WHERE x.from_day < x.to_day OR x.to_day IS NULL
	)`

// periods are all that matter between @first and @last.
func (w who) periods() string {
	return `rules AS (
		SELECT r.grade, r.since, r.until, r.grace_days, r.counts_as, lead(r.grace_days) OVER (PARTITION BY r.grade ORDER BY r.since) AS next_grace
		FROM membership_rules r
	), periods AS (
		SELECT p.member_id, p.grade, p.starts_on, p.ends_on, p.ended_how, p.governs_on, NULL::date AS next_on
		FROM membership_periods p
		WHERE p.next_on IS NULL AND p.governs_on <= @last` + w.always() + `
		UNION ALL
		SELECT p.member_id, p.grade, p.starts_on, p.ends_on, p.ended_how, p.governs_on, p.next_on
		FROM membership_periods p
		WHERE p.next_on >= @first AND p.governs_on <= @last` + w.always() + `
	)`
}

// statuses are from when to when somebody had which status.
const statuses = `ruled AS MATERIALIZED (
		SELECT p.member_id, p.starts_on, p.ends_on, p.ended_how, r.counts_as,
			greatest(p.governs_on, r.since) AS from_day, least(p.next_on, r.until) AS to_day,
			CASE WHEN p.ended_how IS NULL THEN p.ends_on + r.grace_days ELSE p.ends_on END AS runs_to
		FROM periods p
		JOIN rules r ON r.grade = p.grade AND (r.until IS NULL OR r.until > p.governs_on) AND (p.next_on IS NULL OR r.since < p.next_on)
	), plain AS (
		SELECT r.member_id, 'PENDING' AS key, r.from_day, least(r.to_day, r.starts_on) AS to_day, false AS running
		FROM ruled r
		WHERE r.starts_on > r.from_day
		UNION ALL
		SELECT r.member_id, r.counts_as, greatest(r.from_day, r.starts_on), least(r.to_day, r.ends_on + 1), true
		FROM ruled r
		UNION ALL
		SELECT r.member_id, 'GRACE', greatest(r.from_day, r.ends_on + 1), least(r.to_day, r.runs_to + 1), true
		FROM ruled r
		WHERE r.runs_to > r.ends_on AND (r.to_day IS NULL OR r.to_day > r.ends_on + 1)
		UNION ALL
		SELECT r.member_id, COALESCE(r.ended_how, 'LAPSED'), greatest(r.from_day, r.runs_to + 1), r.to_day, false
		FROM ruled r
		WHERE r.runs_to IS NOT NULL AND (r.to_day IS NULL OR r.to_day > r.runs_to + 1)
	), stretches AS (
		SELECT b.member_id, b.key, b.from_day, b.to_day, 1 AS sign
		FROM plain b
		WHERE b.from_day < b.to_day OR b.to_day IS NULL
		UNION ALL
		-- Who is suspended has that status for as long, and no other.
		SELECT b.member_id, x.key, greatest(b.from_day, s.starts_on), least(b.to_day, s.ends_on + 1), x.sign
		FROM membership_suspensions s
		JOIN plain b ON b.member_id = s.member_id AND b.running AND (b.from_day < b.to_day OR b.to_day IS NULL)
		CROSS JOIN LATERAL (VALUES (b.key, -1), ('SUSPENDED', 1)) AS x(key, sign)
		WHERE greatest(b.from_day, s.starts_on) < least(b.to_day, s.ends_on + 1) OR least(b.to_day, s.ends_on + 1) IS NULL
	)`

// A series is stretches with a key, cut down to those in a section if one is asked
// for, and counted by the months in which they begin and end: @ends is the day before
// the first month and the last day of each, so that 0 is before the first month.
const (
	everywhere = `, cut AS (
		SELECT t.member_id, t.key, t.from_day, t.to_day, t.goes_on, t.sign
		FROM keyed t
	)`
	// Of members of one grade a change of grade ends a stretch, and so it is looked for
	// whether another begins.
	ofOneGrade = `, cut AS (
		SELECT t.member_id, t.key, t.from_day, t.to_day, n.member_id IS NOT NULL AS goes_on, t.sign
		FROM keyed t
		LEFT JOIN (SELECT DISTINCT t.member_id, t.from_day FROM keyed t) n ON n.member_id = t.member_id AND n.from_day = t.to_day
	)`
	inSection = `, within AS (
		SELECT t.member_id, t.key, greatest(t.from_day, sm.starts_on) AS from_day, least(t.to_day, sm.ends_on + 1) AS to_day, t.sign
		FROM keyed t
		JOIN section_memberships sm ON sm.member_id = t.member_id AND sm.section_id = @section
			AND (t.to_day IS NULL OR sm.starts_on < t.to_day) AND (sm.ends_on IS NULL OR sm.ends_on >= t.from_day)
	), cut AS (
		SELECT w.member_id, w.key, w.from_day, w.to_day, n.member_id IS NOT NULL AS goes_on, w.sign
		FROM within w
		LEFT JOIN (SELECT DISTINCT w.member_id, w.from_day FROM within w) n ON n.member_id = w.member_id AND n.from_day = w.to_day
	)`
	// The fence keeps the planner from taking each pair of days for a group of its own.
	counting = `, pairs AS (
		SELECT t.key, t.sign,
			width_bucket(t.from_day - 1, @ends::date[]) * 4000 + COALESCE(width_bucket(t.to_day - 1, @ends::date[]), 1000) * 2 + t.goes_on::int AS months
		FROM cut t
		WHERE t.to_day > @first OR t.to_day IS NULL
		OFFSET 0
	)`
	together = `, counts AS (SELECT '' AS key, c.months, sum(c.sign)::int AS n FROM pairs c GROUP BY c.months)`
	apart    = `, counts AS (SELECT c.key, c.months, sum(c.sign)::int AS n FROM pairs c GROUP BY c.key, c.months)`

	all      = stretches + `, keyed AS (SELECT t.member_id, ''::text AS key, t.from_day, t.to_day, t.goes_on, 1 AS sign FROM stretches t)`
	ofGrade  = stretches + `, keyed AS (SELECT t.member_id, t.grade AS key, t.from_day, t.to_day, t.goes_on, 1 AS sign FROM stretches t)`
	ofStatus = statuses + `, keyed AS (SELECT t.member_id, t.key, t.from_day, t.to_day, false AS goes_on, t.sign FROM stretches t)`
	ofRegion = stretches + `, keyed AS (
		SELECT t.member_id, m.region_id AS key, t.from_day, t.to_day, t.goes_on, 1 AS sign
		FROM stretches t
		JOIN (SELECT m.id, m.region_id FROM members_counted m OFFSET 0) m ON m.id = t.member_id
	)`
	ofSection = stretches + `, keyed AS (
		SELECT t.member_id, sm.section_id AS key, greatest(t.from_day, sm.starts_on) AS from_day, least(t.to_day, sm.ends_on + 1) AS to_day, false AS goes_on, 1 AS sign
		FROM stretches t
		JOIN (SELECT sm.member_id, sm.section_id, sm.starts_on, sm.ends_on FROM section_memberships sm OFFSET 0) sm ON sm.member_id = t.member_id
			AND (t.to_day IS NULL OR sm.starts_on < t.to_day) AND (sm.ends_on IS NULL OR sm.ends_on >= t.from_day)
	)`

	byKey  = ` SELECT c.key, c.months, c.n FROM counts c`
	byUnit = ` SELECT COALESCE(u.slug, 'NONE') AS key, c.months, c.n FROM counts c LEFT JOIN units u ON u.id = c.key`
)

// series is the statement of a dimension; none is of all.
func (w who) series(by Dimension) string {
	keyed, grouped, counts := all, together, byKey
	if by != "" {
		grouped = apart
	}
	switch by {
	case ByGrade:
		keyed = ofGrade
	case ByStatus:
		keyed = ofStatus
	case ByRegion:
		keyed, counts = ofRegion, byUnit
	case BySection:
		keyed, counts = ofSection, byUnit
	}
	cut := everywhere
	switch {
	case w.section:
		cut = inSection
	case w.grade:
		cut = ofOneGrade
	}
	return `WITH ` + w.periods() + `, ` + keyed + cut + counting + grouped + counts
}

// change says that N stretches begin in one month and end in another.
type change struct {
	Key string
	// Months holds the numbers of both, and whether another stretch goes on.
	Months, N int
}

func (c *change) begins() int  { return c.Months / 4000 }
func (c *change) ends() int    { return c.Months % 4000 / 2 }
func (c *change) goesOn() bool { return c.Months%2 == 1 }

func (s *Store) changes(ctx context.Context, st *Statistics, by Dimension, days []time.Time) ([]*change, error) {
	return pg.All[change](ctx, s.DB, st.who().series(by), st.args(pgx.StrictNamedArgs{"first": days[0], "last": days[len(days)-1], "ends": days}))
}

// Months counts the members at the end of each month from one day to another, and
// who joined and who left in between; by a dimension too, unless it is nil. Nil days
// are the first of the month eleven months before, and the day of the statistics.
//
// Somebody who joins again without a day in between has neither left nor joined. Who
// is in no section counts in none.
func (s *Store) Months(ctx context.Context, st *Statistics, from, to *time.Time, by *Dimension) (_ *Months, err error) {
	defer errs.Wrap(&err, "statistics.Months")
	last := st.AsOf
	if to != nil {
		last = *to
	}
	first := time.Date(last.Year(), last.Month()-11, 1, 0, 0, 0, 0, time.UTC)
	if from != nil {
		first = *from
	}
	days, err := ends(first, last)
	if err != nil {
		return nil, err
	}
	bounds := append([]time.Time{first.AddDate(0, 0, -1)}, days...)
	changes, err := s.changes(ctx, st, "", bounds)
	if err != nil {
		return nil, err
	}
	n := len(days)
	members, joined, left := make([]int, n+1), make([]int, n+1), make([]int, n+1)
	for _, c := range changes {
		for i := c.begins(); i <= n && i < c.ends(); i++ {
			members[i] += c.N
		}
		if c.begins() > 0 && c.begins() <= n {
			joined[c.begins()] += c.N
		}
		if c.ends() <= n {
			left[c.ends()] += c.N
			if c.goesOn() {
				left[c.ends()] -= c.N
				joined[c.ends()] -= c.N
			}
		}
	}
	m := &Months{}
	allJoined, allLeft := 0, 0
	for i, day := range days {
		m.Months = append(m.Months, &Month{
			Month: day.Format("2006-01"), AsOf: day, Members: st.tell(members[i+1]), Joined: st.tell(joined[i+1]), Left: st.tell(left[i+1]), Rows: []*Row{},
		})
		allJoined += joined[i+1]
		allLeft += left[i+1]
	}
	m.Joined, m.Left = st.tell(allJoined), st.tell(allLeft)
	if by != nil {
		return m, s.addRows(ctx, st, m, *by, bounds)
	}
	return m, nil
}

// addRows adds to each month its members by a dimension.
func (s *Store) addRows(ctx context.Context, st *Statistics, m *Months, by Dimension, bounds []time.Time) error {
	keys, err := s.keys(ctx, by)
	if err != nil {
		return err
	}
	changes, err := s.changes(ctx, st, by, bounds)
	if err != nil {
		return err
	}
	counts := map[string][]int{}
	for _, c := range changes {
		if counts[c.Key] == nil {
			counts[c.Key] = make([]int, len(bounds))
		}
		for i := c.begins(); i < len(bounds) && i < c.ends(); i++ {
			counts[c.Key][i] += c.N
		}
	}
	if by == BySection {
		keys = keys[:len(keys)-1] // who is in none has no stretch
	}
	for i, month := range m.Months {
		for _, k := range keys {
			n := 0
			if c := counts[k.Key]; c != nil {
				n = c[i+1]
			}
			month.Rows = append(month.Rows, &Row{Key: k.Key, Label: k.Label, Count: st.tell(n)})
		}
	}
	return nil
}
