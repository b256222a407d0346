package privacy

import (
	"context"

	"github.com/jackc/pgx/v5"

	"github.com/collegium/collegium/internal/errs"
	"github.com/collegium/collegium/internal/pg"
)

// Durations of ISO 8601, whatever style the session writes intervals in.
const ruleColumns = `
	r.rule,
	CASE WHEN r.lasts IS NULL THEN NULL
		WHEN r.lasts = '0' THEN 'P0D'
		ELSE 'P' || concat(
			nullif(extract(year FROM r.lasts), 0) || 'Y',
			nullif(extract(month FROM r.lasts), 0) || 'M',
			nullif(extract(day FROM r.lasts), 0) || 'D',
			'T' || nullif(extract(epoch FROM r.lasts - date_trunc('day', r.lasts))::bigint, 0) || 'S')
	END AS lasts,
	r.reason`

// RetentionRules returns how long things are waited for or kept.
func (s *Store) RetentionRules(ctx context.Context) (_ []*RetentionRule, err error) {
	defer errs.Wrap(&err, "privacy.RetentionRules")
	return pg.All[RetentionRule](ctx, s.DB, `SELECT`+ruleColumns+` FROM retention_rules r ORDER BY r.rule`)
}

// SetErasureWait says how long a request to erase somebody waits from now on. Those
// that wait already keep their day.
func (s *Store) SetErasureWait(ctx context.Context, days int) (_ *RetentionRule, err error) {
	defer errs.Wrap(&err, "privacy.SetErasureWait(%d)", days)
	if days < 0 || days > 90 {
		return nil, errs.Invalidf("input.days", "pass 0 to 90; it is %d", days)
	}
	return pg.One[RetentionRule](ctx, s.DB, `
		UPDATE retention_rules AS r SET lasts = make_interval(days => @days) WHERE r.rule = 'ERASURE_WAIT'
		RETURNING`+ruleColumns,
		pgx.StrictNamedArgs{"days": days})
}
