package statistics

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/collegium/collegium/internal/errs"
	"github.com/collegium/collegium/internal/pg"
)

// A series is not counted month by month. Where one stretch ends another begins: it is
// counted how many there are when the first month begins, how many in each month move
// from where to where, and added up.

// moved is how many more members there are in a month than in the one before: of a
// key, or of all if it has none. Month 0 is before the first.
type moved struct {
	Key             *string
	Month           int
	N, Joined, Left int
}

// series is the statement of a dimension; none is of all. @ends is the day before the
// first month, @first, and the last day of each.
func (w who) series(by Dimension) string {
	// What is counted apart: the strata before and after a move, or by section whether
	// one is a member before and after it, and in which set of sections.
	columns, base, move := `after, before`, `s.stratum, NULL::integer`, `s.stratum, s.stratum_before`
	with, joins, isMember, was := w.strata(by), `
			JOIN strata a ON a.id = m.after
			LEFT JOIN strata b ON b.id = m.before`, `a.member`, `b.member`
	if by == BySection {
		columns, base = `after, before, set_after, set_before`, memberOf("s.stratum")+`, false, s.section_set, NULL::integer`
		move = memberOf("s.stratum") + `, ` + memberOf("s.stratum_before") + `, s.section_set, s.section_set_before`
		with, joins, isMember, was = with+flags, ``, `m.after`, `m.before`
	}
	// A section that is asked for is looked for in each move.
	where, inside, wasInside := "", "", ""
	if w.section {
		columns, base, where = columns+`, inside, was_inside`, base+`, true, false`, ` AND s.section_set IN `+inSection
		move += `, s.section_set IN ` + inSection + `, s.section_set_before IN ` + inSection
		inside, wasInside = ` AND m.inside`, ` AND m.was_inside`
	}
	keys, byKey := "", ""
	if by != "" {
		shape := shapes[by]
		keys = `, a.` + shape.key + ` AS key, a.counts` + inside + ` AS counts, b.` + shape.key + ` AS key_before, b.counts` + wasInside + ` AS counted`
		if by == BySection {
			keys = `, m.set_after AS key, m.after` + inside + ` AS counts, m.set_before AS key_before, m.before` + wasInside + ` AS counted`
		}
		byKey = `
		UNION ALL
		SELECT ` + shape.name + `, g.month, sum(g.n)::int, 0, 0
		FROM (
			SELECT x.key, x.month, sum(x.n)::int AS n
			FROM (
				SELECT s.key, s.month, s.n FROM sides s WHERE s.counts
				UNION ALL
				SELECT s.key_before, s.month, -s.n FROM sides s WHERE s.counted
			) x
			GROUP BY 1, 2
		) g
		` + shape.joins + `
		GROUP BY 1, 2`
	}
	count := strings.Count(columns, ",") + 1
	return `
		WITH ` + with + `, moves (n, month, ` + columns + `) AS (
			SELECT count(*)::int, 0, ` + base + `
			FROM membership_stretches s
			WHERE s.until > @first AND s.since <= @first` + where + `
			GROUP BY ` + ordinals(count) + `
			UNION ALL
			SELECT count(*)::int, width_bucket(s.since - 1, @ends::date[]), ` + move + `
			FROM membership_stretches s
			WHERE s.until > @first AND s.since > @first AND s.since <= @last
			GROUP BY ` + ordinals(count) + `
		), sides AS MATERIALIZED (
			SELECT m.month, m.n, COALESCE(` + isMember + inside + `, false) AS member, COALESCE(` + was + wasInside + `, false) AS was` + keys + `
			FROM moves m` + joins + `
		)
		SELECT NULL AS key, s.month,
			COALESCE(sum(s.n) FILTER (WHERE s.member), 0)::int - COALESCE(sum(s.n) FILTER (WHERE s.was), 0)::int AS n,
			COALESCE(sum(s.n) FILTER (WHERE s.member AND NOT s.was), 0)::int AS joined,
			COALESCE(sum(s.n) FILTER (WHERE s.was AND NOT s.member), 0)::int AS "left"
		FROM sides s
		GROUP BY s.month` + byKey
}

// ordinals groups by all but the first of so many columns and two before them.
func ordinals(n int) string {
	var b strings.Builder
	b.WriteString("2")
	for i := range n {
		fmt.Fprintf(&b, ", %d", i+3)
	}
	return b.String()
}

func (s *Store) moves(ctx context.Context, st *Statistics, by Dimension, days []time.Time) ([]*moved, error) {
	return pg.All[moved](ctx, s.DB, st.who().series(by), st.args(pgx.StrictNamedArgs{"first": days[0], "last": days[len(days)-1], "ends": days}))
}

// Months counts the members at the end of each month from one day to another, and
// who joined and who left in between; by a dimension too, unless it is nil. Nil days
// are the first of the month eleven months before, and the day of the statistics.
//
// Somebody who joins again without a day in between has neither left nor joined.
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
	dimension, keys := Dimension(""), []key(nil)
	if by != nil {
		dimension = *by
		if keys, err = s.keys(ctx, dimension); err != nil {
			return nil, err
		}
	}
	moves, err := s.moves(ctx, st, dimension, bounds)
	if err != nil {
		return nil, err
	}
	n := len(days)
	members, joined, left, of := make([]int, n+1), make([]int, n+1), make([]int, n+1), map[string][]int{}
	for _, m := range moves {
		if m.Key == nil {
			members[m.Month], joined[m.Month], left[m.Month] = m.N, m.Joined, m.Left
			continue
		}
		if of[*m.Key] == nil {
			of[*m.Key] = make([]int, n+1)
		}
		of[*m.Key][m.Month] = m.N
	}
	addUp(members)
	for _, counts := range of {
		addUp(counts)
	}
	series := &Months{}
	allJoined, allLeft := 0, 0
	for i, day := range days {
		month := &Month{
			Month: day.Format("2006-01"), AsOf: day, Members: st.tell(members[i+1]), Joined: st.tell(joined[i+1]), Left: st.tell(left[i+1]), Rows: []*Row{},
		}
		for _, k := range keys {
			count := 0
			if counts := of[k.Key]; counts != nil {
				count = counts[i+1]
			}
			month.Rows = append(month.Rows, &Row{Key: k.Key, Label: k.Label, Count: st.tell(count)})
		}
		series.Months = append(series.Months, month)
		allJoined += joined[i+1]
		allLeft += left[i+1]
	}
	series.Joined, series.Left = st.tell(allJoined), st.tell(allLeft)
	return series, nil
}

// addUp makes of what is added each month how many there are.
func addUp(counts []int) {
	for i := 1; i < len(counts); i++ {
		counts[i] += counts[i-1]
	}
}
