package graph_test

import (
	"testing"

	"github.com/google/go-cmp/cmp"
)

// TestTherapists: everyone finds who can be found, as the role that the server has in
// the database; an answer that was kept is given no more once somebody has lapsed.
func TestTherapists(t *testing.T) {
	t.Parallel()
	db := demoDB(t)
	h := graphOn(t, db)
	do := func(sql string) {
		t.Helper()
		if _, err := db.Exec(t.Context(), sql); err != nil {
			t.Fatal(err)
		}
	}
	do(`TRUNCATE registrations, indemnity_insurances, therapist_listings`)
	do(`
		CREATE TABLE them AS
		SELECT m.id, row_number() OVER (ORDER BY m.key)::int AS n
		FROM members m
		JOIN section_memberships sm ON sm.member_id = m.id AND sm.ends_on IS NULL
		WHERE m.listing_audience = 'PUBLIC' AND m.grade = 'PROFESSIONAL'
		GROUP BY m.id
		ORDER BY m.key
		LIMIT 3;
		INSERT INTO member_details (member_id, field, audience, value, latitude, longitude)
		SELECT id, 'PRACTICE', 'PUBLIC', 'Kirkwall', 58.98 + n * 0.1, -2.96 FROM them
		ON CONFLICT (member_id, field) DO UPDATE SET audience = 'PUBLIC', latitude = EXCLUDED.latitude, longitude = EXCLUDED.longitude;
		INSERT INTO registrations (member_id, body, number, verified_on, valid_until)
		SELECT id, 'HCPC', 'OT9000' || n, CURRENT_DATE - 9, CURRENT_DATE FROM them;
		INSERT INTO indemnity_insurances (member_id, insurer, policy_number, valid_from, valid_until)
		SELECT id, 'Insurer', '1', CURRENT_DATE - 9, CURRENT_DATE FROM them;
		INSERT INTO therapist_listings (member_id) SELECT id FROM them`)
	const query = `{ therapists(near: {latitude: 58.98, longitude: -2.96, withinKm: 100}) { edges { node { distanceKm member { displayName therapistListing { eligible } } } } } }`
	distances := func() []any {
		t.Helper()
		got := []any{}
		for _, e := range list(data(t, h, query, nil), "therapists", "edges") {
			if at(e, "node", "member", "displayName") == nil || at(e, "node", "member", "therapistListing") != nil {
				t.Errorf("everyone sees of a therapist %v", e)
			}
			got = append(got, at(e, "node", "distanceKm"))
		}
		return got
	}
	for range 2 { // the second time from memory
		if diff := cmp.Diff([]any{11.1, 22.2, 33.4}, distances()); diff != "" {
			t.Errorf("who is found (-want +got)\n%s", diff)
		}
	}
	do(`UPDATE registrations SET valid_until = CURRENT_DATE - 1 WHERE member_id = (SELECT id FROM them WHERE n = 2)`)
	if diff := cmp.Diff([]any{11.1, 33.4}, distances()); diff != "" {
		t.Errorf("after one has lapsed (-want +got)\n%s", diff)
	}
}
