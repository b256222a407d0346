package pack

import (
	"context"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/collegium/collegium/internal/errs"
)

// GenerateRegister gives the members of the demo body what a register holds of them:
// periods that were renewed year after year, and some that were not; registrations,
// insurances and suspensions; who is willing to be found as a therapist; and elections.
// Those whom the content names and those with an account are as they should be. What is
// up to date is so on the day on which this runs; earlier years are always the same. It
// is one transaction, and done once.
func GenerateRegister(ctx context.Context, pool *pgxpool.Pool) (err error) {
	defer errs.Wrap(&err, "pack.GenerateRegister")
	return pgx.BeginFunc(ctx, pool, func(tx pgx.Tx) error {
		for _, sql := range registerSteps {
			if _, err := tx.Exec(ctx, sql); err != nil {
				return err
			}
		}
		return nil
	})
}

// registerSteps are statements, one after the other.
var registerSteps = []string{
	// What becomes of each member: lot is 0 to 99, and always the same.
	`CREATE TEMPORARY TABLE demo_members ON COMMIT DROP AS
	WITH drawn AS (
		SELECT
			m.id,
			m.joined_on,
			CASE
				WHEN m.key LIKE 'gen-%' AND NOT EXISTS (SELECT FROM accounts a WHERE a.member_id = m.id)
					AND NOT EXISTS (SELECT FROM terms t WHERE t.member_id = m.id)
				THEN (('x' || left(md5(m.key), 7))::bit(28)::int % 100)
				ELSE 99
			END AS lot,
			('x' || right(md5(m.key), 7))::bit(28)::int AS number,
			m.position
		FROM (SELECT m.*, row_number() OVER (ORDER BY m.key) AS position FROM members m) m
		WHERE m.joined_on < CURRENT_DATE - 400
	)
	SELECT
		d.*,
		-- The last day paid for: of most the one before the next day on which they joined.
		CASE
			WHEN d.lot < 3 THEN CURRENT_DATE - 100 - d.number % 200
			WHEN d.lot < 5 THEN CURRENT_DATE - 5 - d.number % 10
			WHEN d.lot < 7 THEN CURRENT_DATE - 40 - d.number % 300
			ELSE (d.joined_on + make_interval(years => (
				date_part('year', CURRENT_DATE) - date_part('year', d.joined_on)
				+ (to_char(d.joined_on, 'MMDD') <= to_char(CURRENT_DATE, 'MMDD'))::int)::int))::date - 1
		END AS paid_until
	FROM drawn d`,
	// Renewals are recorded from 2022 on.
	`CREATE TEMPORARY TABLE demo_periods ON COMMIT DROP AS
	SELECT
		s.id,
		s.starts_on,
		lead(s.starts_on) OVER days AS next_on,
		COALESCE(lead(s.starts_on) OVER days - 1, s.paid_until) AS ends_on
	FROM (
		SELECT d.id, d.paid_until, d.joined_on AS starts_on
		FROM demo_members d
		UNION
		SELECT d.id, d.paid_until, (d.joined_on + make_interval(years => y.year - date_part('year', d.joined_on)::int))::date
		FROM demo_members d
		JOIN generate_series(2022, date_part('year', CURRENT_DATE)::int) AS y (year) ON y.year > date_part('year', d.joined_on)
		WHERE (d.joined_on + make_interval(years => y.year - date_part('year', d.joined_on)::int))::date <= d.paid_until
	) s
	WINDOW days AS (PARTITION BY s.id ORDER BY s.starts_on)`,
	// The days that these triggers keep, row by row, are known here for all rows at once.
	`ALTER TABLE membership_periods DISABLE TRIGGER membership_periods_chain, DISABLE TRIGGER membership_periods_show`,
	`UPDATE membership_periods p SET ends_on = n.ends_on, next_on = n.next_on
	FROM demo_periods n
	WHERE p.member_id = n.id AND p.starts_on = n.starts_on AND p.next_on IS NULL AND p.ends_on IS NULL`,
	`INSERT INTO membership_periods (member_id, grade, starts_on, ends_on, recorded_on, governs_on, next_on)
	SELECT n.id, p.grade, n.starts_on, n.ends_on, n.starts_on - d.number % 30, n.starts_on, n.next_on
	FROM demo_periods n
	JOIN demo_members d ON d.id = n.id
	JOIN membership_periods p ON p.member_id = n.id AND p.starts_on = d.joined_on
	WHERE n.starts_on > d.joined_on`,
	`ALTER TABLE membership_periods ENABLE TRIGGER membership_periods_chain, ENABLE TRIGGER membership_periods_show`,
	`INSERT INTO membership_events (member_id, kind, happened_on, grade, ends_on)
	SELECT p.member_id, 'RENEWED', p.starts_on, p.grade, p.ends_on
	FROM membership_periods p
	JOIN demo_members d ON d.id = p.member_id AND p.starts_on > d.joined_on
	ORDER BY p.starts_on, p.member_id`,
	// Some resigned.
	`WITH resigned AS (
		UPDATE membership_periods p SET ended_how = 'RESIGNED'
		FROM demo_members d
		WHERE d.id = p.member_id AND d.lot IN (5, 6) AND p.next_on IS NULL
		RETURNING p.member_id, p.ends_on
	)
	INSERT INTO membership_events (member_id, kind, happened_on, ends_on, reason)
	SELECT r.member_id, 'RESIGNED', r.ends_on, r.ends_on, 'Moved to another profession.'
	FROM resigned r`,
	`WITH suspended AS (
		INSERT INTO membership_suspensions (member_id, starts_on, ends_on, reason)
		SELECT d.id, CURRENT_DATE - 20, CURRENT_DATE + 70, 'Pending the outcome of a complaint.'
		FROM demo_members d
		WHERE d.lot = 7
		RETURNING member_id, starts_on, reason
	)
	INSERT INTO membership_events (member_id, kind, happened_on, reason)
	SELECT s.member_id, 'SUSPENDED', s.starts_on, s.reason
	FROM suspended s`,
	// Who can be renewed, has often been.
	`WITH ahead AS (
		INSERT INTO membership_periods (member_id, grade, starts_on, ends_on)
		SELECT p.member_id, p.grade, p.ends_on + 1, (p.ends_on + make_interval(months => r.period_months))::date
		FROM membership_periods p
		JOIN demo_members d ON d.id = p.member_id AND d.lot BETWEEN 8 AND 50
		JOIN membership_rules r ON r.grade = p.grade AND r.until IS NULL
		WHERE p.next_on IS NULL AND p.ended_how IS NULL AND p.ends_on BETWEEN CURRENT_DATE AND CURRENT_DATE + r.renewal_days
		RETURNING member_id, grade, starts_on, ends_on
	)
	INSERT INTO membership_events (member_id, kind, happened_on, grade, ends_on)
	SELECT a.member_id, 'RENEWED', a.starts_on, a.grade, a.ends_on
	FROM ahead a`,
	// Registrations end for everyone on one day of every other year; some are not verified.
	`INSERT INTO registrations (member_id, body, number, verified_on, valid_until)
	SELECT
		d.id, 'HCPC', 'OT' || 20000 + d.position,
		CASE WHEN d.lot > 10 THEN CURRENT_DATE - 30 END,
		CASE WHEN d.lot > 10 THEN make_date(date_part('year', CURRENT_DATE)::int + 1 + date_part('year', CURRENT_DATE)::int % 2, 10, 31) END
	FROM demo_members d
	JOIN members m ON m.id = d.id AND m.grade IN ('PROFESSIONAL', 'SELF_EMPLOYED')
	WHERE d.lot > 2`,
	`INSERT INTO indemnity_insurances (member_id, insurer, policy_number, valid_from, valid_until)
	SELECT
		d.id, 'Example Mutual', 'EM-' || 100000 + d.position,
		make_date(date_part('year', CURRENT_DATE)::int - 1, 1, 1), make_date(date_part('year', CURRENT_DATE)::int + 1, 12, 31)
	FROM demo_members d
	JOIN members m ON m.id = d.id AND m.grade IN ('PROFESSIONAL', 'SELF_EMPLOYED')
	WHERE d.lot NOT IN (3, 11, 12, 13)`,
	`INSERT INTO therapist_listings (member_id)
	SELECT d.id
	FROM demo_members d
	WHERE d.number % 4 > 0 OR d.lot = 99`,
	// An election is ahead, and one is over.
	`INSERT INTO committee_elections (id, committee_id, nominations_until, opens_on, closes_on, note)
	SELECT gen_random_uuid(), c.id, x.day - 21, x.day, x.day + 13, x.note
	FROM (SELECT c.id FROM committees c WHERE c.unit_id IS NOT NULL ORDER BY c.slug LIMIT 2) c
	CROSS JOIN LATERAL (VALUES
		((date_trunc('month', CURRENT_DATE) - interval '11 months')::date, 'Half of the ordinary members.'),
		((date_trunc('month', CURRENT_DATE) + interval '2 months')::date, 'The chair and the treasurer.')
	) AS x (day, note)`,
	`ANALYZE membership_periods, membership_events, registrations, indemnity_insurances, therapist_listings`,
}
