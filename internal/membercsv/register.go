package membercsv

import (
	"context"
	"slices"

	"github.com/jackc/pgx/v5"

	"github.com/collegium/collegium/internal/member"
	"github.com/collegium/collegium/internal/pg"
)

// judgeRegister finds what is wrong with periods and registrations, and marks the rows.
func (im *importer) judgeRegister(ctx context.Context, args pgx.StrictNamedArgs) ([]*found, error) {
	has := im.table.columns.has
	if !has["paid_until"] && !has["registration_number"] {
		return nil, nil
	}
	return pg.All[found](ctx, im.tx, `
		WITH wrong AS (
			SELECT r.line, p.field, p.reason
			FROM imported_members r
			LEFT JOIN members m ON m.key = r.number
			LEFT JOIN membership_periods l ON l.member_id = m.id AND l.next_on IS NULL
			CROSS JOIN LATERAL (VALUES
				('paid_until', CASE
					WHEN r.paid_until < COALESCE(r.joined_on, m.joined_on) THEN 'is before the day of joining'
					WHEN r.paid_until < l.starts_on AND COALESCE(r.joined_on, m.joined_on) = m.joined_on
						THEN 'is before the last period began, on ' || l.starts_on || '; end the membership in the register instead'
					WHEN l.ended_how IS NOT NULL AND r.ended_how IS NULL AND r.paid_until IS DISTINCT FROM l.ends_on
						THEN 'the membership ended (' || l.ended_how || '); renew it in the register, or write how it ended'
				END),
				('registration_number', CASE
					-- What is only stated says nothing about others.
					WHEN r.registered_until IS NOT NULL AND EXISTS (
						SELECT FROM registrations o
						WHERE o.number = r.registration_number AND o.verified_on IS NOT NULL AND o.member_id <> COALESCE(m.id, r.id))
						THEN 'is the verified number of another member'
					WHEN r.registered_until IS NOT NULL AND EXISTS (
						SELECT FROM imported_members o WHERE o.registration_number = r.registration_number AND o.registered_until IS NOT NULL AND o.line < r.line)
						THEN 'is the number of another row'
				END)
			) AS p(field, reason)
			WHERE NOT r.bad AND p.reason IS NOT NULL AND p.field = ANY(@has)
		), marked AS (
			UPDATE imported_members r
			SET bad = true
			FROM (SELECT DISTINCT line FROM wrong) w
			WHERE w.line = r.line
		)
		SELECT line, field, reason, count(*) OVER () AS all
		FROM wrong
		ORDER BY line, field
		LIMIT @most`, args)
}

// writeDetails makes the fields that have rows of their own those of the file.
func (im *importer) writeDetails(ctx context.Context) error {
	if !slices.ContainsFunc(detailFields, func(f member.ProfileField) bool {
		return im.table.columns.has[columnOf(f)] || im.table.columns.has[audienceColumn(f)]
	}) {
		return nil
	}
	written, err := im.tx.Exec(ctx, `
		WITH next AS (
			SELECT
				m.id AS member_id,
				i.field,
				CASE WHEN i.has_audience THEN COALESCE(i.audience, 'NOBODY') ELSE COALESCE(d.audience, 'NOBODY') END AS audience,
				CASE WHEN i.has_value THEN i.value ELSE d.value END AS value,
				CASE WHEN i.has_value THEN i.terms ELSE d.terms END AS terms,
				CASE WHEN i.has_value THEN i.postcode ELSE d.postcode END AS postcode,
				CASE WHEN i.has_value THEN i.latitude ELSE d.latitude END AS latitude,
				CASE WHEN i.has_value THEN i.longitude ELSE d.longitude END AS longitude,
				d AS old
			FROM imported_members r
			JOIN members m ON m.key = r.number
			CROSS JOIN LATERAL jsonb_to_recordset(r.details) AS i (
				field text, has_value boolean, value text, terms text[], postcode text, latitude numeric(4, 2), longitude numeric(5, 2),
				has_audience boolean, audience text)
			LEFT JOIN member_details d ON d.member_id = m.id AND d.field = i.field
			WHERE NOT r.bad
		)
		INSERT INTO member_details (member_id, field, audience, value, terms, postcode, latitude, longitude)
		SELECT n.member_id, n.field, n.audience, n.value, n.terms, n.postcode, n.latitude, n.longitude
		FROM next n
		WHERE CASE
			-- A lock keeps the audience narrower than the file says.
			WHEN (n.old).member_id IS NOT NULL THEN
				(n.value, n.terms, n.postcode, n.latitude, n.longitude, narrow_audience(n.member_id, n.field, n.audience))
				IS DISTINCT FROM ((n.old).value, (n.old).terms, (n.old).postcode, (n.old).latitude, (n.old).longitude, (n.old).audience)
			ELSE n.audience <> 'NOBODY' OR n.value IS NOT NULL OR n.terms IS NOT NULL OR n.postcode IS NOT NULL OR n.latitude IS NOT NULL
		END
		ON CONFLICT (member_id, field) DO UPDATE
		SET audience = EXCLUDED.audience, value = EXCLUDED.value, terms = EXCLUDED.terms, postcode = EXCLUDED.postcode,
			latitude = EXCLUDED.latitude, longitude = EXCLUDED.longitude, updated_at = now()`)
	im.report.Details = int(written.RowsAffected())
	return err
}

// writePeriods makes the last day that is paid for that of the file: the last period is
// made longer or shorter up to the day that it has, and a later day renews it.
func (im *importer) writePeriods(ctx context.Context) error {
	if !im.table.columns.has["paid_until"] {
		return nil
	}
	const last = `
		SELECT
			p.member_id,
			p.grade,
			p.starts_on,
			p.ends_on,
			p.ended_how,
			r.paid_until,
			CASE WHEN 'ended_how' = ANY(@has) THEN r.ended_how ELSE p.ended_how END AS how,
			COALESCE(p.ends_on < r.paid_until AND p.ended_how IS NULL, false) AS renews
		FROM imported_members r
		JOIN members m ON m.key = r.number
		JOIN membership_periods p ON p.member_id = m.id AND p.next_on IS NULL
		WHERE NOT r.bad`
	changed, err := im.tx.Exec(ctx, `
		WITH last AS (`+last+`), ended AS (
			INSERT INTO membership_events (member_id, kind, happened_on, ends_on)
			SELECT l.member_id, l.how, l.paid_until, l.paid_until
			FROM last l
			WHERE NOT l.renews AND l.how IS NOT NULL AND l.how IS DISTINCT FROM l.ended_how
		)
		UPDATE membership_periods p
		SET ends_on = l.paid_until, ended_how = l.how
		FROM last l
		WHERE p.member_id = l.member_id AND p.starts_on = l.starts_on AND NOT l.renews
			AND (p.ends_on, p.ended_how) IS DISTINCT FROM (l.paid_until, l.how)`, im.args())
	if err != nil {
		return err
	}
	if _, err := im.tx.Exec(ctx, `
		CREATE TEMPORARY TABLE imported_renewals ON COMMIT DROP AS
		SELECT l.member_id, l.grade, l.ends_on + 1 AS starts_on, l.paid_until, l.how
		FROM (`+last+`) l
		WHERE l.renews`, im.args()); err != nil {
		return err
	}
	// That another follows is written into all of them at once; a trigger would do it for
	// each new one.
	if _, err := im.tx.Exec(ctx, `
		UPDATE membership_periods p
		SET next_on = n.starts_on
		FROM imported_renewals n
		WHERE p.member_id = n.member_id AND p.next_on IS NULL`); err != nil {
		return err
	}
	renewed, err := im.tx.Exec(ctx, `
		WITH renewed AS (
			INSERT INTO membership_periods (member_id, grade, starts_on, ends_on, ended_how)
			SELECT n.member_id, n.grade, n.starts_on, n.paid_until, n.how
			FROM imported_renewals n
			RETURNING member_id, grade, starts_on, ends_on, ended_how
		)
		INSERT INTO membership_events (member_id, kind, happened_on, grade, ends_on)
		SELECT w.member_id, 'RENEWED', w.starts_on, w.grade, w.ends_on
		FROM renewed w
		UNION ALL
		SELECT w.member_id, w.ended_how, w.ends_on, NULL, w.ends_on
		FROM renewed w
		WHERE w.ended_how IS NOT NULL`)
	im.report.Periods = int(changed.RowsAffected() + renewed.RowsAffected())
	return err
}

// writeRegistrations makes the registrations with the regulator those of the file. A day
// until which one is valid says that somebody looked it up.
func (im *importer) writeRegistrations(ctx context.Context) error {
	if !im.table.columns.has["registration_number"] {
		return nil
	}
	const rows = `
		FROM imported_members r
		JOIN members m ON m.key = r.number
		WHERE NOT r.bad`
	removed, err := im.tx.Exec(ctx, `
		DELETE FROM registrations g
		USING (SELECT m.id`+rows+` AND r.registration_number IS NULL) n
		WHERE g.member_id = n.id AND g.body = 'HCPC'`)
	if err != nil {
		return err
	}
	stated, err := im.tx.Exec(ctx, `
		INSERT INTO registrations AS g (member_id, body, number)
		SELECT m.id, 'HCPC', r.registration_number`+rows+` AND r.registration_number IS NOT NULL
		ON CONFLICT (member_id, body) DO UPDATE SET number = EXCLUDED.number, stated_at = now()
		WHERE g.number <> EXCLUDED.number`)
	if err != nil {
		return err
	}
	im.report.Registrations = int(removed.RowsAffected() + stated.RowsAffected())
	if !im.table.columns.has["registered_until"] {
		return nil
	}
	verified, err := im.tx.Exec(ctx, `
		UPDATE registrations g
		SET verified_on = CASE WHEN n.registered_until IS NOT NULL THEN least(CURRENT_DATE, n.registered_until) END,
			verified_by = NULL,
			valid_until = n.registered_until
		FROM (SELECT m.id, r.registered_until`+rows+` AND r.registration_number IS NOT NULL) n
		WHERE g.member_id = n.id AND g.body = 'HCPC' AND g.valid_until IS DISTINCT FROM n.registered_until`)
	im.report.Registrations += int(verified.RowsAffected())
	return err
}
