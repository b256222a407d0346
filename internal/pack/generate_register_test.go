package pack

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/collegium/collegium/internal/pg"
	"github.com/collegium/collegium/internal/pg/pgtest"
)

func TestGenerateRegister(t *testing.T) {
	t.Parallel()
	db := pgtest.New(t)
	if _, err := Import(t.Context(), db, demoPack(t), ImportOptions{}); err != nil {
		t.Fatal(err)
	}
	if _, err := GenerateMembers(t.Context(), db, 600, 1, nil); err != nil {
		t.Fatal(err)
	}
	if err := GenerateRegister(t.Context(), db); err != nil {
		t.Fatal(err)
	}
	statuses, err := pg.Scalars[string](t.Context(), db, `SELECT DISTINCT status FROM membership_statuses(CURRENT_DATE) ORDER BY 1`)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]string{"CURRENT", "GRACE", "LAPSED", "RESIGNED", "SUSPENDED"}, statuses); diff != "" {
		t.Errorf("statuses (-want +got)\n%s", diff)
	}
	for what, sql := range map[string]string{
		"members whom the content names and who are not current": `
			SELECT count(*)
			FROM members m
			JOIN membership_statuses(CURRENT_DATE) st ON st.member_id = m.id
			WHERE m.key LIKE 'person:%' AND st.status <> 'CURRENT'`,
		"holders of a post who are no members": `
			SELECT count(*)
			FROM terms t
			JOIN membership_statuses(CURRENT_DATE) st ON st.member_id = t.member_id
			WHERE (t.ends_on IS NULL OR t.ends_on >= CURRENT_DATE) AND st.status NOT IN ('CURRENT', 'GRACE')`,
		"gaps between periods": `
			SELECT count(*) FROM membership_periods p WHERE p.next_on <> p.ends_on + 1`,
		"periods that do not know the next one": `
			SELECT count(*)
			FROM (
				SELECT p.next_on, lead(p.starts_on) OVER (PARTITION BY p.member_id ORDER BY p.starts_on) AS next,
					p.governs_on, p.starts_on, lag(p.starts_on) OVER (PARTITION BY p.member_id ORDER BY p.starts_on) AS before
				FROM membership_periods p
			) p
			WHERE p.next_on IS DISTINCT FROM p.next OR p.before IS NOT NULL AND p.governs_on <> p.starts_on`,
		"members of the last year with an end, which is for others": `
			SELECT count(*)
			FROM members m
			JOIN membership_periods p ON p.member_id = m.id
			WHERE m.joined_on >= CURRENT_DATE - 400 AND p.ends_on IS NOT NULL`,
	} {
		if n, err := pg.Scalar[int](t.Context(), db, sql); err != nil || n != 0 {
			t.Errorf("%d %s; %v", n, what, err)
		}
	}
	for what, sql := range map[string]string{
		"renewals ahead":              `SELECT count(*) FROM membership_periods p WHERE p.starts_on > CURRENT_DATE`,
		"renewals recorded":           `SELECT count(*) FROM membership_events ev WHERE ev.kind = 'RENEWED'`,
		"registrations to verify":     `SELECT count(*) FROM registrations r WHERE r.verified_on IS NULL`,
		"registrations verified":      `SELECT count(*) FROM registrations r WHERE r.valid_until >= CURRENT_DATE`,
		"insured members":             `SELECT count(*) FROM indemnity_insurances i WHERE CURRENT_DATE BETWEEN i.valid_from AND i.valid_until`,
		"therapists who can be found": `SELECT count(*) FROM therapists_between(49, 61, -9, 3, NULL)`,
		"elections ahead":             `SELECT count(*) FROM committee_elections el WHERE el.opens_on > CURRENT_DATE`,
	} {
		if n, err := pg.Scalar[int](t.Context(), db, sql); err != nil || n == 0 {
			t.Errorf("there are no %s; %v", what, err)
		}
	}
}
