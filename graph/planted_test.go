package graph_test

import (
	"context"
	"crypto/sha256"
	"fmt"
	"strings"
	"testing"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"github.com/collegium/collegium/graph"
	"github.com/collegium/collegium/internal/pg"
	"github.com/collegium/collegium/internal/server"
)

// plantPeople gives the victims, and the member who signs in, rows in every table about people,
// so that all of the schema answers something about somebody. Ids and times are the same in
// each database.
func (p *planted) plantPeople(t *testing.T, victims []uuid.UUID, label func(i int) string) {
	t.Helper()
	ctx := t.Context()
	args := pgx.NamedArgs{"victims": victims, "sections": p.sections}
	for _, sql := range []string{
		// A third of them is not verified; all are insured, and willing to be found.
		`INSERT INTO registrations (member_id, body, number, stated_at, verified_on, valid_until)
		SELECT id, 'HCPC', 'OT' || (70000 + n), '2026-01-01', CASE WHEN n % 3 > 0 THEN date '2026-01-01' END, CASE WHEN n % 3 > 0 THEN CURRENT_DATE + 50 END
		FROM unnest(@victims::uuid[]) WITH ORDINALITY v (id, n)
		ON CONFLICT (member_id, body) DO NOTHING`,
		`INSERT INTO indemnity_insurances (member_id, insurer, policy_number, valid_from, valid_until, stated_at)
		SELECT id, 'Insurer', '1', '2026-01-01', CURRENT_DATE + 50, '2026-01-01' FROM unnest(@victims::uuid[]) id
		ON CONFLICT DO NOTHING`,
		`INSERT INTO therapist_listings (member_id, willing_since)
		SELECT id, '2026-01-01' FROM unnest(@victims::uuid[]) id
		ON CONFLICT DO NOTHING`,
		`INSERT INTO section_memberships (member_id, section_id, starts_on)
		SELECT id, (@sections::uuid[])[1 + n % array_length(@sections::uuid[], 1)], '2026-01-01'
		FROM unnest(@victims::uuid[]) WITH ORDINALITY v (id, n)
		WHERE NOT EXISTS (SELECT FROM section_memberships sm WHERE sm.member_id = v.id AND sm.ends_on IS NULL)`,
		`INSERT INTO membership_suspensions (member_id, starts_on, ends_on, reason)
		SELECT id, '2020-02-01', '2020-03-01', 'A reason' FROM unnest(@victims::uuid[]) id
		ON CONFLICT DO NOTHING`,
		`INSERT INTO member_details (member_id, field, audience, value)
		SELECT id, f.field, 'NOBODY', 'x' FROM unnest(@victims::uuid[]) id, (VALUES ('PHONE'), ('WEBSITE'), ('ADDRESS')) f (field)
		ON CONFLICT DO NOTHING`,
		`INSERT INTO member_locks (member_id, field, audience, reason, locked_at)
		SELECT id, 'BIO', 'NOBODY', 'x', '2026-01-01' FROM unnest(@victims::uuid[]) id
		ON CONFLICT DO NOTHING`,
		`INSERT INTO member_reads (id, member_id, read_at, reader, fields, register, times)
		SELECT md5('reads' || id)::uuid, id, '2026-01-01', 'EDITOR', '{BIO}', '{ENTRY}', 1
		FROM (SELECT unnest(@victims::uuid[]) AS id UNION SELECT member_id FROM accounts WHERE email = 'member@example.org') x`,
		`INSERT INTO consents (id, member_id, purpose, version, given, decided_at)
		SELECT md5('consents' || id)::uuid, id, (SELECT min(purpose) FROM consent_texts), 1, true, '2026-01-01'
		FROM unnest(@victims::uuid[]) id`,
		`INSERT INTO membership_applications (id, account_id, display_name, grade, submitted_at)
		SELECT md5('applications' || id)::uuid, id, 'x', 'STUDENT', '2026-01-01' FROM accounts
		WHERE email IN ('victim@example.org', 'member@example.org')`,
		`INSERT INTO passkeys (id, account_id, credential_id, credential, name, created_at)
		SELECT md5('passkeys' || id)::uuid, id, sha256(email::bytea), '{}', 'x', '2026-01-01' FROM accounts
		WHERE email IN ('victim@example.org', 'member@example.org')`,
		`INSERT INTO external_identities (issuer, subject, account_id, created_at)
		SELECT 'https://idp.example.org', 'x', id, '2026-01-01' FROM accounts
		WHERE email = 'victim@example.org'`,
		`INSERT INTO committee_elections (id, committee_id, opens_on, closes_on)
		SELECT md5('elections' || id)::uuid, id, '2026-01-01', '2026-01-20' FROM committees
		ON CONFLICT DO NOTHING`,
		`INSERT INTO routes (path, kind, reason) VALUES ('/gone', 'GONE', 'A reason')`,
		`INSERT INTO erasures (id, by_staff, requested_at, due_at, executed_at)
		SELECT '` + erasureDone + `', true, '2026-01-01', '2026-01-15', '2026-01-15'`,
		`INSERT INTO erasure_parts (erasure_id, position, table_name, row_count, rule, kept_until)
		SELECT '` + erasureDone + `', n, 'members', 1, CASE WHEN n = 2 THEN 'MEMBERSHIP_EXISTED' END, CASE WHEN n = 2 THEN date '2033-01-01' END
		FROM generate_series(1, 2) n`,
		`INSERT INTO erasures (id, account_id, by_staff, requested_at, due_at)
		SELECT md5('erasures' || id)::uuid, id, false, '2026-01-01', CURRENT_DATE + 50 FROM accounts
		WHERE email IN ('victim@example.org', 'member@example.org')`,
	} {
		if _, err := p.db.Exec(ctx, sql, args); err != nil {
			t.Fatalf("%v\n%s", err, sql)
		}
	}
	for i, id := range victims {
		l := label(i)
		pick := func(one, two string) string {
			if p.others(l) {
				return two
			}
			return one
		}
		audience := strings.Replace(l, forOutside, forMembers, 1)
		// Of every other one the practice is public, of the rest it is for the audience; and so
		// are the languages, the mail and the photo.
		practice, place := "PUBLIC", "0.0"
		if i%2 == 1 {
			practice, place = audience, pick("0.0", "2.0")
		}
		_, err := p.db.Exec(ctx, `
			INSERT INTO member_details (member_id, field, audience, value, terms, postcode, latitude, longitude, updated_at) VALUES
				(@id, 'EMAIL', @audience, @canary, NULL, NULL, NULL, NULL, '2026-01-01'),
				(@id, 'LANGUAGES', @audience, NULL, ARRAY[@language::text], NULL, NULL, NULL, '2026-01-01'),
				(@id, 'SPECIALISMS', @audience, NULL, ARRAY[@language::text], NULL, NULL, NULL, '2026-01-01'),
				(@id, 'PHOTO', @audience, md5('photos' || @id::uuid), NULL, NULL, NULL, NULL, '2026-01-01'),
				(@id, 'PRACTICE', @practice, 'Town', NULL, NULL, 54 + @place::numeric + @i / 100.0, -3, '2026-01-01')
			ON CONFLICT (member_id, field) DO UPDATE SET audience = EXCLUDED.audience, value = EXCLUDED.value, terms = EXCLUDED.terms,
				postcode = EXCLUDED.postcode, latitude = EXCLUDED.latitude, longitude = EXCLUDED.longitude, updated_at = EXCLUDED.updated_at`,
			pgx.StrictNamedArgs{
				"id": id, "audience": audience, "practice": practice, "canary": p.variant(l), "language": pick("xa", "xb"), "place": place, "i": i,
			})
		if err != nil {
			t.Fatal(err)
		}
		_, err = p.db.Exec(ctx, `
			INSERT INTO member_photos (member_id, id, jpeg, width, height, uploaded_at)
			VALUES (@id, md5('photos' || @id::uuid)::uuid, @jpeg::text::bytea, 1 + @n::int, 1, '2026-01-01')
			ON CONFLICT (member_id) DO NOTHING`,
			pgx.StrictNamedArgs{"id": id, "jpeg": p.variant(l), "n": len(pick("", "x"))})
		if err != nil {
			t.Fatal(err)
		}
	}
	p.plantKeys(t)
}

const erasureDone = "00000000-0000-4000-8000-00000000e5a5"

// keyRoles are the keys that ask, by the name of the role: their scopes, and whether they are
// limited to the region of the first victim.
var keyRoles = map[string]struct {
	scopes  []string
	limited bool
}{
	"key: content":            {scopes: []string{"CONTENT_READ"}},
	"key: directory":          {scopes: []string{"DIRECTORY_READ"}},
	"key: members":            {scopes: []string{"MEMBERS_READ"}},
	"key: statistics":         {scopes: []string{"STATISTICS_READ"}},
	"key: directory, limited": {scopes: []string{"DIRECTORY_READ", "STATISTICS_READ"}, limited: true},
}

// secretOf returns the secret of a key, which is the same in each database.
func secretOf(role string) string {
	return "clg_" + fmt.Sprintf("%x", sha256.Sum256([]byte(role)))[:43]
}

// plantKeys makes the keys of keyRoles.
func (p *planted) plantKeys(t *testing.T) {
	t.Helper()
	for role, key := range keyRoles {
		secret := secretOf(role)
		hash := sha256.Sum256([]byte(strings.TrimPrefix(secret, "clg_")))
		var unit *uuid.UUID
		if key.limited {
			unit = &p.unit
		}
		// That it is used is not noted, since it was used only just now.
		_, err := p.db.Exec(t.Context(), `
			WITH application AS (
				INSERT INTO partner_applications (id, name, contact_email, created_at)
				VALUES (md5(@role)::uuid, @role, 'partner@example.org', '2026-01-01')
				RETURNING id, epoch
			), key AS (
				INSERT INTO application_keys (id, application_id, prefix, secret_sha256, scopes, unit_id, epoch, created_at, expires_at)
				SELECT md5('key' || @role)::uuid, a.id, left(@secret, 10), @hash, @scopes, @unit, a.epoch, CURRENT_DATE - 1, CURRENT_DATE + 50
				FROM application a
				RETURNING id
			)
			INSERT INTO application_key_uses (key_id, used_at) SELECT id, CURRENT_DATE + 10 FROM key`,
			pgx.StrictNamedArgs{"role": role, "secret": secret, "hash": hash[:], "scopes": key.scopes, "unit": unit})
		if err != nil {
			t.Fatal(err)
		}
	}
}

// askingAs returns who asks as a role, also one of keyRoles, and the header by which a
// client of the server shows it.
func askingAs(t *testing.T, h *graph.Handler, p *planted, role string) (context.Context, []string) {
	t.Helper()
	if _, ok := keyRoles[role]; ok {
		ctx, err := h.Identify(t.Context(), server.Credentials{Key: secretOf(role)})
		if err != nil {
			t.Fatal(err)
		}
		return ctx, []string{"Authorization", "Bearer " + secretOf(role)}
	}
	ctx, token := signedInBy(t, h, p.db, role)
	if token == "" {
		return ctx, nil
	}
	return ctx, []string{"Cookie", "session=" + token}
}

// farSections are specialist sections to which nobody belongs who signs in.
const farSections = `
	SELECT u.id
	FROM units u
	WHERE u.kind = 'SPECIALIST_SECTION' AND u.id NOT IN (
		SELECT sm.section_id FROM section_memberships sm JOIN accounts a ON a.member_id = sm.member_id
		UNION
		SELECT c.unit_id FROM committees c JOIN posts p ON p.committee_id = c.id JOIN terms t ON t.post_id = p.id JOIN accounts a ON a.member_id = t.member_id
		WHERE c.unit_id IS NOT NULL)
	ORDER BY u.slug
	LIMIT 3`

func (p *planted) findUnits(t *testing.T, victims []uuid.UUID) {
	t.Helper()
	var err error
	if p.sections, err = pg.Scalars[uuid.UUID](t.Context(), p.db, farSections); err != nil || len(p.sections) == 0 {
		t.Fatalf("no section is far from who signs in: %v", err)
	}
	p.unit, err = pg.Scalar[uuid.UUID](t.Context(), p.db, `SELECT region_id FROM members WHERE id = @id`, pgx.StrictNamedArgs{"id": victims[0]})
	if err != nil {
		t.Fatal(err)
	}
	if p.inUnit, err = pg.Scalars[uuid.UUID](t.Context(), p.db, `SELECT id FROM members WHERE region_id = @unit`, pgx.StrictNamedArgs{"unit": p.unit}); err != nil {
		t.Fatal(err)
	}
}
