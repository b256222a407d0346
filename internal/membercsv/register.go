package membercsv

import (
	"context"
	"slices"

	"github.com/jackc/pgx/v5"

	"github.com/collegium/collegium/internal/member"
	"github.com/collegium/collegium/internal/pg"
)

// judgeRegister finds what is wrong with memberships and registrations, and marks the
// rows. What the register says of the past of a member, a file does not change.
func (im *importer) judgeRegister(ctx context.Context, args pgx.StrictNamedArgs) ([]*found, error) {
	return pg.All[found](ctx, im.tx, `
		WITH wrong AS (
			SELECT r.line, p.field, p.reason
			FROM imported_members r
			LEFT JOIN members m ON m.key = r.number
			LEFT JOIN membership_periods l ON l.member_id = m.id AND l.next_on IS NULL
			-- The period of today.
			LEFT JOIN membership_periods n ON n.member_id = m.id AND n.starts_on <= CURRENT_DATE AND (n.next_on IS NULL OR n.next_on > CURRENT_DATE)
			CROSS JOIN LATERAL (
				-- An end that the register does not know.
				SELECT m.id IS NOT NULL AND l.ended_how IS NULL AND r.ended_how IS NOT NULL AS ends, COALESCE(m.joined_on, r.joined_on) AS joined_on
			) x
			CROSS JOIN LATERAL (VALUES
				('joined_on', CASE WHEN r.joined_on <> m.joined_on THEN 'the register says ' || m.joined_on || ', and an import does not change it' END),
				('grade', CASE
					WHEN (r.grade = m.grade) IS NOT FALSE THEN NULL
					WHEN n.member_id IS NULL THEN 'the register says ' || m.grade || ', and the membership has not begun; a grade changes while one runs'
					WHEN n.ended_how IS NOT NULL THEN 'the register says ' || m.grade || ', and the membership ended on ' || n.ends_on || ' (' || n.ended_how || ')'
					WHEN r.paid_until < CURRENT_DATE OR n.ends_on < CURRENT_DATE AND NOT (n.next_on IS NULL AND 'paid_until' = ANY(@has))
						THEN 'the register says ' || m.grade || ', and nothing is paid for today; a grade changes while a membership runs, so renew it first'
				END),
				('sections', (
					SELECT u.slug || ' begins on ' || s."from" || ', before the day of joining, ' || x.joined_on
					FROM jsonb_to_recordset(r.sections) AS s (section uuid, "from" date)
					JOIN units u ON u.id = s.section
					-- What is so already, stays.
					WHERE s."from" < x.joined_on AND NOT EXISTS (
						SELECT FROM section_memberships sm
						WHERE sm.member_id = m.id AND sm.section_id = s.section AND sm.starts_on = s."from")
					ORDER BY s."from", u.slug
					LIMIT 1)),
				('paid_until', CASE
					WHEN l.ended_how IS NOT NULL AND r.paid_until IS DISTINCT FROM l.ends_on
						THEN 'the register says that the membership ended on ' || l.ends_on || ' (' || l.ended_how || '), and an import does not change it'
					WHEN r.paid_until < x.joined_on THEN 'is before the day of joining'
					WHEN x.ends AND EXISTS (
						SELECT FROM membership_periods p
						WHERE p.member_id = m.id AND p.ended_how IS NOT NULL AND p.ends_on >= r.paid_until)
						THEN 'is before the last period began, on ' || l.starts_on || ', and the membership ended before that already'
					WHEN x.ends AND r.paid_until < l.starts_on AND NOT EXISTS (
						SELECT FROM membership_periods p
						WHERE p.member_id = m.id AND r.paid_until BETWEEN p.starts_on AND p.ends_on)
						THEN 'is no day for which the register has a period'
					WHEN x.ends AND r.paid_until > CURRENT_DATE + interval '2 years' THEN 'is more than two years ahead, and no end is set as late as that'
					WHEN x.ends AND r.ended_how = 'DECEASED' AND r.paid_until > CURRENT_DATE THEN 'is ahead, and nobody knows the day on which a member dies'
					WHEN NOT x.ends AND r.paid_until < l.starts_on
						THEN 'is before the last period began, on ' || l.starts_on || '; if the membership ended, write how'
				END),
				('ended_how', CASE
					WHEN l.ended_how IS NOT NULL AND r.ended_how IS DISTINCT FROM l.ended_how
						THEN 'the register says ' || l.ended_how || ' on ' || l.ends_on || ', and an import does not change it'
					WHEN x.ends AND n.member_id IS NULL THEN 'the membership has not begun'
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
	written, err := im.note(ctx, `
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
			latitude = EXCLUDED.latitude, longitude = EXCLUDED.longitude, updated_at = now()
		RETURNING member_id`)
	im.report.Details = written
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
			r.paid_until,
			COALESCE(p.ends_on < r.paid_until, false) AS renews
		FROM imported_members r
		JOIN members m ON m.key = r.number
		JOIN membership_periods p ON p.member_id = m.id AND p.next_on IS NULL
		-- An earlier day is one on which the membership ends.
		WHERE NOT r.bad AND p.ended_how IS NULL AND (r.paid_until IS NULL OR r.paid_until >= p.starts_on)`
	if _, err := im.note(ctx, `
		UPDATE membership_periods p
		SET ends_on = l.paid_until
		FROM (`+last+`) l
		WHERE p.member_id = l.member_id AND p.starts_on = l.starts_on AND NOT l.renews AND p.ends_on IS DISTINCT FROM l.paid_until
		RETURNING p.member_id, p.starts_on`); err != nil {
		return err
	}
	if _, err := im.tx.Exec(ctx, `
		CREATE TEMPORARY TABLE imported_renewals ON COMMIT DROP AS
		SELECT l.member_id, l.grade, l.ends_on + 1 AS starts_on, l.paid_until
		FROM (`+last+`) l
		WHERE l.renews`); err != nil {
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
	if _, err := im.note(ctx, `
		INSERT INTO membership_periods (member_id, grade, starts_on, ends_on)
		SELECT n.member_id, n.grade, n.starts_on, n.paid_until
		FROM imported_renewals n
		RETURNING member_id, starts_on`); err != nil {
		return err
	}
	_, err := im.tx.Exec(ctx, `
		INSERT INTO membership_events (member_id, kind, happened_on, grade, ends_on)
		SELECT n.member_id, 'RENEWED', n.starts_on, n.grade, n.paid_until
		FROM imported_renewals n`)
	return err
}

// writeGrades gives members another grade from today on, as membership.Store.ChangeGrade
// gives it to one: the period of today is cut in two, and later ones take the grade over.
func (im *importer) writeGrades(ctx context.Context) error {
	if !im.table.columns.has["grade"] {
		return nil
	}
	if _, err := im.tx.Exec(ctx, `
		CREATE TEMPORARY TABLE imported_grades ON COMMIT DROP AS
		SELECT p.member_id, r.grade, p.starts_on, p.ends_on
		FROM imported_members r
		JOIN members m ON m.key = r.number AND m.grade <> r.grade
		JOIN membership_periods p ON p.member_id = m.id AND p.starts_on <= CURRENT_DATE AND (p.next_on IS NULL OR p.next_on > CURRENT_DATE)
		WHERE NOT r.bad`); err != nil {
		return err
	}
	for _, step := range []string{
		`UPDATE membership_periods p
		SET grade = g.grade
		FROM imported_grades g
		WHERE p.member_id = g.member_id AND p.starts_on >= CURRENT_DATE
		RETURNING p.member_id, p.starts_on`,
		`UPDATE membership_periods p
		SET ends_on = CURRENT_DATE - 1, next_on = CURRENT_DATE
		FROM imported_grades g
		WHERE p.member_id = g.member_id AND p.starts_on = g.starts_on AND g.starts_on < CURRENT_DATE
		RETURNING p.member_id, p.starts_on`,
		`INSERT INTO membership_periods (member_id, grade, starts_on, ends_on)
		SELECT g.member_id, g.grade, CURRENT_DATE, g.ends_on
		FROM imported_grades g
		WHERE g.starts_on < CURRENT_DATE
		RETURNING member_id, starts_on`,
	} {
		if _, err := im.note(ctx, step); err != nil {
			return err
		}
	}
	if _, err := im.tx.Exec(ctx, `
		UPDATE membership_events ev
		SET grade = g.grade
		FROM imported_grades g
		WHERE ev.member_id = g.member_id AND ev.kind = 'RENEWED' AND ev.happened_on > CURRENT_DATE`); err != nil {
		return err
	}
	_, err := im.tx.Exec(ctx, `
		INSERT INTO membership_events (member_id, kind, happened_on, grade, ends_on)
		SELECT g.member_id, 'GRADE_CHANGED', CURRENT_DATE, g.grade, l.ends_on
		FROM imported_grades g
		JOIN membership_periods l ON l.member_id = g.member_id AND l.next_on IS NULL`)
	return err
}

// writeEnds ends memberships, as membership.Store.End ends one: what was paid for later
// is void. Nobody is told by mail.
func (im *importer) writeEnds(ctx context.Context) error {
	if !im.table.columns.has["ended_how"] {
		return nil
	}
	if _, err := im.tx.Exec(ctx, `
		CREATE TEMPORARY TABLE imported_ends ON COMMIT DROP AS
		SELECT l.member_id, r.paid_until AS last_on, r.ended_how
		FROM imported_members r
		JOIN members m ON m.key = r.number
		JOIN membership_periods l ON l.member_id = m.id AND l.next_on IS NULL AND l.ended_how IS NULL
		WHERE NOT r.bad AND r.ended_how IS NOT NULL`); err != nil {
		return err
	}
	if _, err := im.note(ctx, `
		DELETE FROM membership_periods p
		USING imported_ends e
		WHERE p.member_id = e.member_id AND p.starts_on > e.last_on
		RETURNING p.member_id, p.starts_on`); err != nil {
		return err
	}
	// Naming the grade has the member shown with the one of the period that is left.
	if _, err := im.note(ctx, `
		UPDATE membership_periods p
		SET ends_on = e.last_on, ended_how = e.ended_how, next_on = NULL, grade = p.grade
		FROM imported_ends e
		WHERE p.member_id = e.member_id AND p.starts_on <= e.last_on AND (p.next_on IS NULL OR p.next_on > e.last_on)
		RETURNING p.member_id, p.starts_on`); err != nil {
		return err
	}
	_, err := im.tx.Exec(ctx, `
		INSERT INTO membership_events (member_id, kind, happened_on, ends_on)
		SELECT e.member_id, e.ended_how, e.last_on, e.last_on
		FROM imported_ends e`)
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
	removed, err := im.note(ctx, `
		DELETE FROM registrations g
		USING (SELECT m.id`+rows+` AND r.registration_number IS NULL) n
		WHERE g.member_id = n.id AND g.body = 'HCPC'
		RETURNING g.member_id`)
	if err != nil {
		return err
	}
	stated, err := im.note(ctx, `
		INSERT INTO registrations AS g (member_id, body, number)
		SELECT m.id, 'HCPC', r.registration_number`+rows+` AND r.registration_number IS NOT NULL
		ON CONFLICT (member_id, body) DO UPDATE SET number = EXCLUDED.number, stated_at = now()
		WHERE g.number <> EXCLUDED.number
		RETURNING g.member_id`)
	if err != nil {
		return err
	}
	im.report.Registrations = removed + stated
	if !im.table.columns.has["registered_until"] {
		return nil
	}
	verified, err := im.note(ctx, `
		UPDATE registrations g
		SET verified_on = CASE WHEN n.registered_until IS NOT NULL THEN least(CURRENT_DATE, n.registered_until) END,
			verified_by = NULL,
			valid_until = n.registered_until
		FROM (SELECT m.id, r.registered_until`+rows+` AND r.registration_number IS NOT NULL) n
		WHERE g.member_id = n.id AND g.body = 'HCPC' AND g.valid_until IS DISTINCT FROM n.registered_until
		RETURNING g.member_id`)
	im.report.Registrations += verified
	return err
}
