package membercsv

import (
	"cmp"
	"context"
	"io"
	"slices"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/collegium/collegium/internal/errs"
	"github.com/collegium/collegium/internal/pg"
)

// Options say how a file is imported.
type Options struct {
	// File is what problems call the file.
	File string
	// Mapping is for headings that do not tell their field by themselves.
	Mapping Mapping
	// Encoding is UTF8 or Windows1252; empty is UTF8.
	Encoding string
	// Delimiter stands between cells; 0 takes the one that the headings show.
	Delimiter rune
	// DryRun says what would be done, and does nothing.
	DryRun bool
	// SkipBad writes the rows that are right although others are wrong.
	SkipBad bool
	// MaxProblems is how many problems are told; the others are counted. 0 is 100.
	MaxProblems int
	// Progress, which may be nil, is told how many bytes of the file are read.
	Progress func(read int64)
}

// Import creates and changes members as a CSV file says. A member is known by the
// number, which is the key of the record. What the file has no column for stays as
// it is; an empty cell takes a value away. Members that are not in the file stay.
//
// It is one transaction: if a row is wrong, nothing is written and the error is a
// BadRowsError, or with SkipBad all the others are.
func Import(ctx context.Context, pool *pgxpool.Pool, in io.Reader, o Options) (_ *Report, err error) {
	defer errs.Wrap(&err, "membercsv.Import(%s)", o.File)
	if o.MaxProblems <= 0 {
		o.MaxProblems = 100
	}
	t, err := openTable(in, o.Encoding, o.Delimiter, o.Mapping)
	if err != nil {
		return nil, err
	}
	tx, err := pool.Begin(ctx)
	if err != nil {
		return nil, err
	}
	defer func() { _ = tx.Rollback(context.WithoutCancel(ctx)) }() // after a commit it does nothing
	im := &importer{tx: tx, table: t, options: o, report: &Report{File: o.File, DryRun: o.DryRun}}
	if err := im.run(ctx); err != nil {
		return nil, err
	}
	if o.DryRun {
		return im.report, nil
	}
	return im.report, tx.Commit(ctx)
}

type importer struct {
	tx      pgx.Tx
	table   *table
	options Options
	report  *Report
	units   *units
	// found are the problems of cells, as many as are told.
	found      []Problem
	all        int
	unreadable int
	err        error
	values     []any
}

func (im *importer) run(ctx context.Context) error {
	var err error
	if im.units, err = readUnits(ctx, im.tx); err != nil {
		return err
	}
	if err := im.stage(ctx); err != nil {
		return err
	}
	// Nobody edits a profile or a membership between the look at it and the write. Reading
	// goes on. Who changes one membership has its row before anything else.
	if _, err := im.tx.Exec(ctx, `
		SELECT FROM members m
		JOIN imported_members r ON r.number = m.key
		ORDER BY m.id
		FOR NO KEY UPDATE OF m`); err != nil {
		return err
	}
	if _, err := im.tx.Exec(ctx, `LOCK TABLE members, section_memberships IN SHARE ROW EXCLUSIVE MODE`); err != nil {
		return err
	}
	if err := im.judge(ctx); err != nil {
		return err
	}
	if im.report.Skipped > 0 && !im.options.SkipBad {
		return &BadRowsError{File: im.options.File, Problems: im.report.Problems}
	}
	return im.write(ctx)
}

func readUnits(ctx context.Context, tx pgx.Tx) (*units, error) {
	type unit struct {
		ID                          uuid.UUID
		Kind, Slug, Name, ShortName string
	}
	rows, err := pg.All[unit](ctx, tx, `SELECT id, kind, slug, name, short_name FROM units ORDER BY position`)
	if err != nil {
		return nil, err
	}
	u := &units{byName: map[string]uuid.UUID{}}
	// A name that two units have means neither.
	names := map[string]int{}
	for _, r := range rows {
		names[unitKey(r.Kind, r.Name)]++
		if r.ShortName != r.Name {
			names[unitKey(r.Kind, r.ShortName)]++
		}
	}
	for _, r := range rows {
		for _, name := range []string{r.Name, r.ShortName} {
			if names[unitKey(r.Kind, name)] == 1 {
				u.byName[unitKey(r.Kind, name)] = r.ID
			}
		}
	}
	for _, r := range rows {
		u.byName[unitKey(r.Kind, r.Slug)] = r.ID
	}
	return u, nil
}

// merged are the rows that are right beside the members they are about, with what
// the import makes of each column. A text that differs from the stored one only in
// line ends and white space around it, which no cell can hold, is the same.
const merged = `
	SELECT
		r.line,
		r.number,
		m.id AS old_id,
		m.display_name AS old_display_name,
		m.sort_name AS old_sort_name,
		COALESCE(m.id, r.id) AS id,
		r.sections,
		CASE
			WHEN r.display_name IS NULL OR r.display_name = btrim(replace(m.display_name, E'\r\n', E'\n'), E' \t\n\r') THEN m.display_name
			ELSE r.display_name
		END AS display_name,
		CASE
			WHEN r.sort_name = btrim(replace(m.sort_name, E'\r\n', E'\n'), E' \t\n\r') THEN m.sort_name
			WHEN r.sort_name IS NOT NULL THEN r.sort_name
			WHEN r.display_name IS NULL OR r.display_name = btrim(replace(m.display_name, E'\r\n', E'\n'), E' \t\n\r') THEN m.sort_name
			ELSE r.other_sort_name
		END AS sort_name,
		CASE
			WHEN NOT 'pronouns' = ANY(@has) THEN m.pronouns
			WHEN r.pronouns IS NOT DISTINCT FROM NULLIF(btrim(replace(m.pronouns, E'\r\n', E'\n'), E' \t\n\r'), '') THEN m.pronouns
			ELSE r.pronouns
		END AS pronouns,
		CASE
			WHEN NOT 'headline' = ANY(@has) THEN m.headline
			WHEN r.headline IS NOT DISTINCT FROM NULLIF(btrim(replace(m.headline, E'\r\n', E'\n'), E' \t\n\r'), '') THEN m.headline
			ELSE r.headline
		END AS headline,
		CASE
			WHEN NOT 'bio' = ANY(@has) THEN m.bio
			WHEN r.bio IS NOT DISTINCT FROM NULLIF(btrim(replace(m.bio, E'\r\n', E'\n'), E' \t\n\r'), '') THEN m.bio
			ELSE r.bio
		END AS bio,
		COALESCE(r.grade, m.grade) AS grade,
		CASE WHEN 'region' = ANY(@has) THEN r.region_id ELSE m.region_id END AS region_id,
		COALESCE(r.joined_on, m.joined_on) AS joined_on,
		CASE WHEN 'listing_audience' = ANY(@has) THEN COALESCE(r.listing_audience, 'NOBODY') ELSE COALESCE(m.listing_audience, 'NOBODY') END AS listing_audience,
		CASE WHEN 'pronouns_audience' = ANY(@has) THEN COALESCE(r.pronouns_audience, 'NOBODY') ELSE COALESCE(m.pronouns_audience, 'NOBODY') END AS pronouns_audience,
		CASE WHEN 'headline_audience' = ANY(@has) THEN COALESCE(r.headline_audience, 'NOBODY') ELSE COALESCE(m.headline_audience, 'NOBODY') END AS headline_audience,
		CASE WHEN 'bio_audience' = ANY(@has) THEN COALESCE(r.bio_audience, 'NOBODY') ELSE COALESCE(m.bio_audience, 'NOBODY') END AS bio_audience,
		CASE WHEN 'grade_audience' = ANY(@has) THEN COALESCE(r.grade_audience, 'NOBODY') ELSE COALESCE(m.grade_audience, 'NOBODY') END AS grade_audience,
		CASE WHEN 'region_audience' = ANY(@has) THEN COALESCE(r.region_audience, 'NOBODY') ELSE COALESCE(m.region_audience, 'NOBODY') END AS region_audience,
		CASE WHEN 'joined_on_audience' = ANY(@has) THEN COALESCE(r.joined_on_audience, 'NOBODY') ELSE COALESCE(m.joined_on_audience, 'NOBODY') END AS joined_on_audience,
		CASE WHEN 'sections_audience' = ANY(@has) THEN COALESCE(r.sections_audience, 'NOBODY') ELSE COALESCE(m.sections_audience, 'NOBODY') END AS sections_audience
	FROM imported_members r
	LEFT JOIN members m ON m.key = r.number
	WHERE NOT r.bad`

func (im *importer) args() pgx.StrictNamedArgs {
	has := []string{}
	for name := range im.table.columns.has {
		has = append(has, name)
	}
	return pgx.StrictNamedArgs{"has": has}
}

// found is a problem that a statement found, of All.
type found struct {
	Line   int
	Field  string
	Reason string
	All    int
}

// judge finds what only a look at all rows and at the members can find, and counts.
func (im *importer) judge(ctx context.Context) error {
	// A number that stands twice is wrong from the second time on.
	twice, err := pg.All[found](ctx, im.tx, `
		WITH again AS (
			UPDATE imported_members r
			SET bad = true
			FROM (SELECT number, min(line) AS line FROM imported_members GROUP BY number HAVING count(*) > 1) f
			WHERE f.number = r.number AND r.line > f.line
			RETURNING r.line, f.line AS first
		)
		SELECT a.line, 'number' AS field, 'stands in line ' || a.first || ' already' AS reason, count(*) OVER () AS all
		FROM again a
		ORDER BY a.line
		LIMIT @most`, pgx.StrictNamedArgs{"most": im.options.MaxProblems})
	if err != nil {
		return err
	}
	args := im.args()
	args["most"] = im.options.MaxProblems
	wrong, err := pg.All[found](ctx, im.tx, `
		WITH merged AS MATERIALIZED (`+merged+`), wrong AS (
			SELECT m.line, p.field, p.reason
			FROM merged m
			CROSS JOIN LATERAL (VALUES
				('display_name', CASE WHEN m.display_name IS NULL THEN 'no member has this number yet, and a new one needs a display_name' END),
				('grade', CASE WHEN m.grade IS NULL THEN 'no member has this number yet, and a new one needs a grade' END),
				('joined_on', CASE WHEN m.joined_on IS NULL THEN 'no member has this number yet, and a new one needs the day of joined_on' END),
				('sort_name', CASE
					WHEN m.display_name = m.old_display_name AND m.sort_name = m.old_sort_name THEN NULL
					WHEN NOT
					regexp_split_to_array(lower(m.sort_name COLLATE "und-x-icu"), '[^[:alnum:]]+')
					<@ array_append(regexp_split_to_array(lower(m.display_name COLLATE "und-x-icu"), '[^[:alnum:]]+'), '')
					THEN 'has a word that the display name does not have; whoever sees the member in a list can read both' END)
			) AS p(field, reason)
			WHERE p.reason IS NOT NULL
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
	if err != nil {
		return err
	}
	more, err := im.judgeRegister(ctx, args)
	if err != nil {
		return err
	}
	for _, f := range slices.Concat(twice, wrong, more) {
		im.found = append(im.found, Problem{Line: f.Line, Column: im.table.columns.heading(f.Field), Reason: f.Reason})
	}
	for _, some := range [][]*found{twice, wrong, more} {
		if len(some) > 0 {
			im.all += some[0].All
		}
	}
	slices.SortStableFunc(im.found, func(a, b Problem) int { return cmp.Compare(a.Line, b.Line) })
	bad, err := pg.Scalar[int](ctx, im.tx, `SELECT count(*) FROM imported_members WHERE bad`)
	if err != nil {
		return err
	}
	im.report.Skipped = im.unreadable + bad
	im.report.Problems = Problems{Told: im.found[:min(len(im.found), im.options.MaxProblems)], All: im.all, Rows: im.report.Skipped}
	return nil
}

func (im *importer) write(ctx context.Context) error {
	// As what statistics count a member is made once for each, and not after every
	// statement and every row of a trigger: the commit does it, if nothing does it before.
	if _, err := im.tx.Exec(ctx, `SELECT set_config('collegium.stretches', 'at commit', true)`); err != nil {
		return err
	}
	if _, err := im.tx.Exec(ctx, `CREATE TEMPORARY TABLE imported_changes (member_id uuid, period date) ON COMMIT DROP`); err != nil {
		return err
	}
	var err error
	im.report.Created, err = im.note(ctx, `
		INSERT INTO members (
			id, key, display_name, sort_name, pronouns, headline, bio, grade, region_id, joined_on,
			listing_audience, pronouns_audience, headline_audience, bio_audience, grade_audience, region_audience, joined_on_audience, sections_audience
		)
		SELECT
			n.id, n.number, n.display_name, n.sort_name, n.pronouns, n.headline, n.bio, n.grade, n.region_id, n.joined_on,
			n.listing_audience, n.pronouns_audience, n.headline_audience, n.bio_audience, n.grade_audience, n.region_audience, n.joined_on_audience,
			n.sections_audience
		FROM (`+merged+`) n
		WHERE n.old_id IS NULL
		RETURNING id`, im.args())
	if err != nil {
		return err
	}
	// A grade is one of a period, and changes with it.
	if _, err := im.note(ctx, `
		UPDATE members m
		SET display_name = n.display_name,
			sort_name = n.sort_name,
			pronouns = n.pronouns,
			headline = n.headline,
			bio = n.bio,
			region_id = n.region_id,
			listing_audience = n.listing_audience,
			pronouns_audience = n.pronouns_audience,
			headline_audience = n.headline_audience,
			bio_audience = n.bio_audience,
			grade_audience = n.grade_audience,
			region_audience = n.region_audience,
			joined_on_audience = n.joined_on_audience,
			sections_audience = n.sections_audience
		FROM (`+merged+`) n
		WHERE m.id = n.old_id
			AND (m.display_name, m.sort_name, m.pronouns, m.headline, m.bio, m.region_id, m.listing_audience, m.pronouns_audience,
				m.headline_audience, m.bio_audience, m.grade_audience, m.region_audience, m.joined_on_audience, m.sections_audience)
			IS DISTINCT FROM
				(n.display_name, n.sort_name, n.pronouns, n.headline, n.bio, n.region_id, n.listing_audience, n.pronouns_audience,
				n.headline_audience, n.bio_audience, n.grade_audience, n.region_audience, n.joined_on_audience, n.sections_audience)
		RETURNING m.id`, im.args()); err != nil {
		return err
	}
	if im.table.columns.has["sections"] {
		if err := im.writeSections(ctx); err != nil {
			return err
		}
	}
	for _, step := range []func(context.Context) error{im.writeDetails, im.writePeriods, im.writeGrades, im.writeEnds, im.writeRegistrations} {
		if err := step(ctx); err != nil {
			return err
		}
	}
	var written int
	if err := im.tx.QueryRow(ctx, `SELECT count(DISTINCT member_id), count(DISTINCT (member_id, period)) FILTER (WHERE period IS NOT NULL) FROM imported_changes`).
		Scan(&written, &im.report.Periods); err != nil {
		return err
	}
	im.report.Changed = written - im.report.Created
	im.report.Unchanged = im.report.Rows - im.report.Skipped - written
	if im.options.DryRun {
		return nil
	}
	if _, err := im.tx.Exec(ctx, `SET CONSTRAINTS membership_stretches_pending_keep IMMEDIATE`); err != nil {
		return err
	}
	if im.report.Created+im.report.Joined > 1_000 {
		// The planner should know about them before the first question.
		_, err = im.tx.Exec(ctx, `ANALYZE members, section_memberships, membership_stretches`)
	}
	return err
}

// note runs a statement that returns to which members it wrote, and to which of their
// periods, and keeps that for the report. It says how many rows there were.
func (im *importer) note(ctx context.Context, returning string, args ...any) (int, error) {
	tag, err := im.tx.Exec(ctx, `
		WITH written AS (`+returning+`)
		INSERT INTO imported_changes
		SELECT * FROM written`, args...)
	return int(tag.RowsAffected()), err
}

// writeSections makes the memberships of sections those of the file.
func (im *importer) writeSections(ctx context.Context) error {
	if _, err := im.tx.Exec(ctx, `
		CREATE TEMPORARY TABLE imported_sections ON COMMIT DROP AS
		SELECT m.id AS member_id, p.section AS section_id, p."from" AS starts_on, p."to" AS ends_on
		FROM imported_members r
		JOIN members m ON m.key = r.number
		CROSS JOIN LATERAL jsonb_to_recordset(r.sections) AS p(section uuid, "from" date, "to" date)
		WHERE NOT r.bad`); err != nil {
		return err
	}
	if _, err := im.tx.Exec(ctx, `ANALYZE imported_sections`); err != nil {
		return err
	}
	left, err := im.note(ctx, `
		DELETE FROM section_memberships sm
		USING imported_members r
		JOIN members m ON m.key = r.number
		WHERE NOT r.bad
			AND sm.member_id = m.id
			AND NOT EXISTS (
				SELECT
				FROM imported_sections s
				WHERE s.member_id = sm.member_id AND s.section_id = sm.section_id AND s.starts_on = sm.starts_on
					AND s.ends_on IS NOT DISTINCT FROM sm.ends_on)
		RETURNING sm.member_id`)
	if err != nil {
		return err
	}
	joined, err := im.note(ctx, `
		INSERT INTO section_memberships (member_id, section_id, starts_on, ends_on)
		SELECT s.member_id, s.section_id, s.starts_on, s.ends_on
		FROM imported_sections s
		WHERE NOT EXISTS (
			SELECT
			FROM section_memberships sm
			WHERE sm.member_id = s.member_id AND sm.section_id = s.section_id AND sm.starts_on = s.starts_on)
		RETURNING member_id`)
	if err != nil {
		return err
	}
	im.report.Left, im.report.Joined = left, joined
	return nil
}
