package membercsv

import (
	"context"
	"encoding/csv"
	"io"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/collegium/collegium/internal/errs"
)

// ExportOptions say how members are exported.
type ExportOptions struct {
	// BOM writes a byte order mark first, from which Excel knows that the file is UTF-8.
	BOM bool
	// Progress, which may be nil, is told how many of the members are written.
	Progress func(written, of int)
}

// Export writes all members with everything that Import takes, by number, and
// returns how many there are. The same members give the same bytes.
func Export(ctx context.Context, pool *pgxpool.Pool, out io.Writer, o ExportOptions) (members int, err error) {
	defer errs.Wrap(&err, "membercsv.Export")
	tx, err := pool.BeginTx(ctx, pgx.TxOptions{IsoLevel: pgx.RepeatableRead, AccessMode: pgx.ReadOnly})
	if err != nil {
		return 0, err
	}
	defer func() { _ = tx.Rollback(context.WithoutCancel(ctx)) }() // it only reads
	var all int
	if err := tx.QueryRow(ctx, `SELECT count(*) FROM members`).Scan(&all); err != nil {
		return 0, err
	}
	if o.BOM {
		if _, err := io.WriteString(out, "\ufeff"); err != nil {
			return 0, err
		}
	}
	w := csv.NewWriter(out)
	var headings []string
	for _, f := range fields {
		if !f.input {
			headings = append(headings, f.name)
		}
	}
	if err := w.Write(headings); err != nil {
		return 0, err
	}
	rows, err := tx.Query(ctx, `
		SELECT
			m.key,
			m.display_name,
			m.sort_name,
			COALESCE(m.pronouns, ''),
			COALESCE(m.headline, ''),
			COALESCE(m.bio, ''),
			m.grade,
			COALESCE(u.slug, ''),
			to_char(m.joined_on, 'YYYY-MM-DD'),
			COALESCE(s.sections, ''),
			m.listing_audience,
			m.pronouns_audience,
			m.headline_audience,
			m.bio_audience,
			m.grade_audience,
			m.region_audience,
			m.joined_on_audience,
			m.sections_audience,
			COALESCE(d.email, ''),
			COALESCE(d.phone, ''),
			COALESCE(d.website, ''),
			COALESCE(d.address, ''),
			COALESCE(d.languages, ''),
			COALESCE(d.specialisms, ''),
			COALESCE(d.town, ''),
			COALESCE(d.postcode, ''),
			COALESCE(d.latitude, ''),
			COALESCE(d.longitude, ''),
			COALESCE(d.email_audience, 'NOBODY'),
			COALESCE(d.phone_audience, 'NOBODY'),
			COALESCE(d.website_audience, 'NOBODY'),
			COALESCE(d.address_audience, 'NOBODY'),
			COALESCE(d.languages_audience, 'NOBODY'),
			COALESCE(d.specialisms_audience, 'NOBODY'),
			COALESCE(d.practice_audience, 'NOBODY'),
			COALESCE(to_char(l.ends_on, 'YYYY-MM-DD'), ''),
			COALESCE(l.ended_how, ''),
			COALESCE(g.number, ''),
			COALESCE(to_char(g.valid_until, 'YYYY-MM-DD'), '')
		FROM members m
		LEFT JOIN units u ON u.id = m.region_id
		LEFT JOIN (
			SELECT
				sm.member_id,
				string_agg(
					su.slug || to_char(sm.starts_on, ' YYYY-MM-DD') || COALESCE(to_char(sm.ends_on, '" to "YYYY-MM-DD'), ''),
					'; ' ORDER BY sm.starts_on, su.slug) AS sections
			FROM section_memberships sm
			JOIN units su ON su.id = sm.section_id
			GROUP BY sm.member_id
		) s ON s.member_id = m.id
		LEFT JOIN (
			SELECT
				d.member_id,
				max(d.value) FILTER (WHERE d.field = 'EMAIL') AS email,
				max(d.value) FILTER (WHERE d.field = 'PHONE') AS phone,
				max(d.value) FILTER (WHERE d.field = 'WEBSITE') AS website,
				max(d.value) FILTER (WHERE d.field = 'ADDRESS') AS address,
				max(array_to_string(d.terms, '; ')) FILTER (WHERE d.field = 'LANGUAGES') AS languages,
				max(array_to_string(d.terms, '; ')) FILTER (WHERE d.field = 'SPECIALISMS') AS specialisms,
				max(d.value) FILTER (WHERE d.field = 'PRACTICE') AS town,
				max(d.postcode) AS postcode,
				max(d.latitude)::text AS latitude,
				max(d.longitude)::text AS longitude,
				max(d.audience) FILTER (WHERE d.field = 'EMAIL') AS email_audience,
				max(d.audience) FILTER (WHERE d.field = 'PHONE') AS phone_audience,
				max(d.audience) FILTER (WHERE d.field = 'WEBSITE') AS website_audience,
				max(d.audience) FILTER (WHERE d.field = 'ADDRESS') AS address_audience,
				max(d.audience) FILTER (WHERE d.field = 'LANGUAGES') AS languages_audience,
				max(d.audience) FILTER (WHERE d.field = 'SPECIALISMS') AS specialisms_audience,
				max(d.audience) FILTER (WHERE d.field = 'PRACTICE') AS practice_audience
			FROM member_details d
			GROUP BY d.member_id
		) d ON d.member_id = m.id
		LEFT JOIN membership_periods l ON l.member_id = m.id AND l.next_on IS NULL
		LEFT JOIN registrations g ON g.member_id = m.id AND g.body = 'HCPC'
		ORDER BY m.key COLLATE "C"`)
	if err != nil {
		return 0, err
	}
	cells := make([]string, len(headings))
	into := make([]any, len(cells))
	for i := range cells {
		into[i] = &cells[i]
	}
	if _, err := pgx.ForEachRow(rows, into, func() error {
		for i, c := range cells {
			cells[i] = escape(c)
		}
		members++
		if o.Progress != nil {
			o.Progress(members, all)
		}
		return w.Write(cells)
	}); err != nil {
		return 0, err
	}
	w.Flush()
	return members, w.Error()
}
