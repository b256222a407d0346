package membership

import (
	"context"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/collegium/collegium/internal/errs"
	"github.com/collegium/collegium/internal/pg"
)

// Rule is what a grade of membership means, from a day on.
type Rule struct {
	Grade string
	Since time.Time
	// Until is the last day; nil if no other rule follows.
	Until        *time.Time
	GraceDays    int
	RenewalDays  int
	PeriodMonths int
	// CountsAs is Current or Retired.
	CountsAs  Status
	Practises bool
}

const ruleColumns = `
	r.grade,
	r.since,
	r.until - 1 AS until,
	r.grace_days,
	r.renewal_days,
	r.period_months,
	r.counts_as,
	r.practises`

// RulesOn returns the rules of all grades that hold on a day; nil is today.
func (s *Store) RulesOn(ctx context.Context, day *time.Time) (_ []*Rule, err error) {
	defer errs.Wrap(&err, "membership.RulesOn")
	return pg.All[Rule](ctx, s.DB, `
		SELECT`+ruleColumns+`
		FROM membership_rules r
		WHERE r.since <= COALESCE(@day::date, CURRENT_DATE) AND (r.until IS NULL OR r.until > COALESCE(@day::date, CURRENT_DATE))
		ORDER BY r.grade`,
		pgx.StrictNamedArgs{"day": day})
}

// RuleChange is what a grade means from a day on. What is nil stays as it was.
type RuleChange struct {
	Grade        string
	Since        time.Time
	GraceDays    *int
	RenewalDays  *int
	PeriodMonths *int
	CountsAs     *Status
	Practises    *bool
}

// AddRule has a grade mean something else from a later day on, until the day of the
// next rule if there is one already. The past is never written anew: what a member was
// is computed by the rules of that day.
func (s *Store) AddRule(ctx context.Context, in RuleChange) (rule *Rule, err error) {
	defer errs.Wrap(&err, "membership.AddRule(%s)", in.Grade)
	err = pgx.BeginFunc(ctx, s.DB, func(tx pgx.Tx) error {
		// What all members of the grade are counted by is made anew.
		if _, err := tx.Exec(ctx, `SET LOCAL statement_timeout = '5min'`); err != nil {
			return err
		}
		// One after another: the statements after this see what the one before wrote.
		if _, err := tx.Exec(ctx, `SELECT FROM membership_rules r WHERE r.grade = @grade FOR UPDATE`,
			pgx.StrictNamedArgs{"grade": in.Grade}); err != nil {
			return err
		}
		today, err := pg.Scalar[time.Time](ctx, tx, `SELECT CURRENT_DATE`)
		if err != nil {
			return err
		}
		if !in.Since.After(today) || in.Since.After(today.AddDate(10, 0, 0)) {
			return errs.Invalidf("input.since", "pass a day after today, within ten years")
		}
		before, err := pg.One[Rule](ctx, tx, `
			SELECT`+ruleColumns+`
			FROM membership_rules r
			WHERE r.grade = @grade AND r.since <= @since AND (r.until IS NULL OR r.until > @since)`,
			pgx.StrictNamedArgs{"grade": in.Grade, "since": in.Since})
		if err != nil {
			return err
		}
		// The rule before ends first: there is never more than one without an end.
		if _, err := tx.Exec(ctx, `
			UPDATE membership_rules SET until = @since WHERE grade = @grade AND since = @before AND since < @since`,
			pgx.StrictNamedArgs{"grade": in.Grade, "since": in.Since, "before": before.Since}); err != nil {
			return err
		}
		rule, err = pg.One[Rule](ctx, tx, `
			INSERT INTO membership_rules AS r (grade, since, until, grace_days, renewal_days, period_months, counts_as, practises)
			VALUES (@grade, @since, @until, @grace_days, @renewal_days, @period_months, @counts_as, @practises)
			ON CONFLICT (grade, since) DO UPDATE SET
				grace_days = excluded.grace_days,
				renewal_days = excluded.renewal_days,
				period_months = excluded.period_months,
				counts_as = excluded.counts_as,
				practises = excluded.practises
			RETURNING`+ruleColumns,
			pgx.StrictNamedArgs{
				"grade": in.Grade, "since": in.Since, "until": followed(before),
				"grace_days":    or(in.GraceDays, before.GraceDays),
				"renewal_days":  or(in.RenewalDays, before.RenewalDays),
				"period_months": or(in.PeriodMonths, before.PeriodMonths),
				"counts_as":     or(in.CountsAs, before.CountsAs),
				"practises":     or(in.Practises, before.Practises),
			})
		switch pg.Constraint(err) {
		case "membership_rules_lengths_sensible":
			return errs.Invalidf("input", "graceDays and renewalDays are 0 to 366, and periodMonths is 1 to 120")
		case "membership_rules_counts_as_known":
			return errs.Invalidf("input.countsAs", "pass CURRENT or RETIRED")
		}
		return err
	})
	return rule, err
}

// followed returns the first day on which a rule no longer holds; nil if it has no end.
func followed(r *Rule) *time.Time {
	if r.Until == nil {
		return nil
	}
	next := r.Until.AddDate(0, 0, 1)
	return &next
}

// or returns what is given, or else what was before.
func or[T any](given *T, before T) T {
	if given == nil {
		return before
	}
	return *given
}
