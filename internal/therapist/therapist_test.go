package therapist_test

import (
	"context"
	"errors"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/uuid"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/collegium/collegium/internal/errs"
	"github.com/collegium/collegium/internal/page"
	"github.com/collegium/collegium/internal/pg"
	"github.com/collegium/collegium/internal/pg/pgtest"
	"github.com/collegium/collegium/internal/therapist"
	"github.com/collegium/collegium/internal/viewer"
)

var (
	housing = uuid.MustParse("01920000-0000-7000-8000-0000000000a1")
	ada     = uuid.MustParse("01920000-0000-7000-8000-000000000001")
	bea     = uuid.MustParse("01920000-0000-7000-8000-000000000002")
	london  = therapist.Near{Latitude: 51.5, Longitude: -0.12, WithinKm: 50}
	office  = viewer.New(viewer.MembershipOfficer)
)

func ptr[T any](v T) *T { return &v }

// two are Ada and Bea, who are found: Ada in the middle, Bea 11 km north of her. All
// that they are found by ends today.
func two(ctx context.Context, db *pgxpool.Pool) error {
	_, err := db.Exec(ctx, `
		INSERT INTO entries (id, key, kind, slug, title) VALUES ('`+housing.String()+`', 'housing', 'SPECIALIST_SECTION', 'housing', 'Housing');
		INSERT INTO units (id, kind, slug, name, short_name, position) VALUES ('`+housing.String()+`', 'SPECIALIST_SECTION', 'housing', 'Housing', 'Housing', 1);
		INSERT INTO members (id, key, display_name, sort_name, grade, joined_on, listing_audience, sections_audience) VALUES
			('`+ada.String()+`', 'ada', 'Ada', 'Ada', 'PROFESSIONAL', '2020-01-01', 'PUBLIC', 'PUBLIC'),
			('`+bea.String()+`', 'bea', 'Bea', 'Bea', 'PROFESSIONAL', '2020-01-01', 'PUBLIC', 'NOBODY');
		UPDATE membership_periods SET ends_on = CURRENT_DATE - 30;
		INSERT INTO section_memberships (member_id, section_id, starts_on, ends_on) SELECT id, '`+housing.String()+`', '2020-01-01', CURRENT_DATE FROM members;
		INSERT INTO registrations (member_id, body, number, verified_on, valid_until)
		SELECT id, 'HCPC', 'OT1234' || ascii(key), CURRENT_DATE - 365, CURRENT_DATE FROM members;
		INSERT INTO indemnity_insurances (member_id, insurer, policy_number, valid_from, valid_until)
		SELECT id, 'Insurer', '1', CURRENT_DATE - 365, CURRENT_DATE FROM members;
		INSERT INTO member_details (member_id, field, audience, value, latitude, longitude)
		SELECT id, 'PRACTICE', 'PUBLIC', 'London', 51.5 + CASE key WHEN 'bea' THEN 0.1 ELSE 0 END, -0.12 FROM members;
		INSERT INTO therapist_listings (member_id) SELECT id FROM members`)
	return err
}

func found(t *testing.T, s *therapist.Store, near therapist.Near, section *string, args page.Args) []uuid.UUID {
	t.Helper()
	c, err := s.Nearest(t.Context(), near, section, args)
	if err != nil {
		t.Fatal(err)
	}
	ids := []uuid.UUID{}
	for _, f := range c.Nodes() {
		ids = append(ids, f.MemberID)
	}
	return ids
}

// TestEveryCondition: on the last day of every condition somebody is found; without
// any single one of them they are not, and are told which. A suspension counts too.
func TestEveryCondition(t *testing.T) {
	t.Parallel()
	db := pgtest.NewWith(t, "two", two)
	for name, tt := range map[string]struct {
		change string
		want   []therapist.Reason
	}{
		"all hold today":                    {`SELECT 1`, nil},
		"registered until before":           {`UPDATE registrations SET valid_until = CURRENT_DATE - 1 WHERE member_id = '` + ada.String() + `'`, []therapist.Reason{therapist.NotRegistered}},
		"registered from tomorrow":          {`UPDATE registrations SET verified_on = CURRENT_DATE + 1, valid_until = CURRENT_DATE + 9 WHERE member_id = '` + ada.String() + `'`, []therapist.Reason{therapist.NotRegistered}},
		"not verified":                      {`UPDATE registrations SET number = 'OT54321' WHERE member_id = '` + ada.String() + `'`, []therapist.Reason{therapist.NotRegistered}},
		"not registered":                    {`DELETE FROM registrations WHERE member_id = '` + ada.String() + `'`, []therapist.Reason{therapist.NotRegistered}},
		"lapsed":                            {`UPDATE membership_periods SET ends_on = CURRENT_DATE - 31 WHERE member_id = '` + ada.String() + `'`, []therapist.Reason{therapist.NoMember}},
		"suspended":                         {`INSERT INTO membership_suspensions (member_id, starts_on, reason) VALUES ('` + ada.String() + `', CURRENT_DATE, 'x')`, []therapist.Reason{therapist.NoMember}},
		"suspended from tomorrow":           {`INSERT INTO membership_suspensions (member_id, starts_on, reason) VALUES ('` + ada.String() + `', CURRENT_DATE + 1, 'x')`, nil},
		"of a grade that does not practise": {`UPDATE membership_periods SET grade = 'STUDENT' WHERE member_id = '` + ada.String() + `'`, []therapist.Reason{therapist.NotPractising}},
		"in a section until before":         {`UPDATE section_memberships SET ends_on = CURRENT_DATE - 1 WHERE member_id = '` + ada.String() + `'`, []therapist.Reason{therapist.InNoSection}},
		"in a section from tomorrow":        {`UPDATE section_memberships SET starts_on = CURRENT_DATE + 1, ends_on = NULL WHERE member_id = '` + ada.String() + `'`, []therapist.Reason{therapist.InNoSection}},
		"insured until before":              {`UPDATE indemnity_insurances SET valid_until = CURRENT_DATE - 1 WHERE member_id = '` + ada.String() + `'`, []therapist.Reason{therapist.NotInsured}},
		"insured from tomorrow":             {`UPDATE indemnity_insurances SET valid_from = CURRENT_DATE + 1, valid_until = CURRENT_DATE + 9 WHERE member_id = '` + ada.String() + `'`, []therapist.Reason{therapist.NotInsured}},
		"not willing":                       {`DELETE FROM therapist_listings WHERE member_id = '` + ada.String() + `'`, []therapist.Reason{therapist.NotWilling}},
		"with a name for members":           {`UPDATE members SET listing_audience = 'MEMBERS' WHERE id = '` + ada.String() + `'`, []therapist.Reason{therapist.NameNotPublic}},
		"with a practice for members":       {`UPDATE member_details SET audience = 'MEMBERS' WHERE member_id = '` + ada.String() + `'`, []therapist.Reason{therapist.NoPublicPractice}},
		"with a practice nowhere":           {`UPDATE member_details SET latitude = NULL, longitude = NULL WHERE member_id = '` + ada.String() + `'`, []therapist.Reason{therapist.NoPublicPractice}},
	} {
		tx, err := db.Begin(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		if _, err := tx.Exec(t.Context(), tt.change); err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		// To the functions of the database the office has to be known too.
		if _, err := tx.Exec(t.Context(), `SELECT set_config('collegium.permissions', 'READ_REGISTER', true)`); err != nil {
			t.Fatal(err)
		}
		s := &therapist.Store{DB: tx}
		of, err := s.Of(t.Context(), office, []uuid.UUID{ada, bea})
		if err != nil {
			t.Fatal(err)
		}
		var got []therapist.Reason
		if len(of[ada].Reasons) > 0 {
			got = of[ada].Reasons
		}
		if diff := cmp.Diff(tt.want, got); diff != "" || of[ada].Eligible() != (tt.want == nil) {
			t.Errorf("%s (-want +got)\n%s", name, diff)
		}
		want := []uuid.UUID{bea}
		if tt.want == nil {
			want = []uuid.UUID{ada, bea}
		}
		if diff := cmp.Diff(want, found(t, s, london, nil, page.Args{})); diff != "" {
			t.Errorf("%s: who is found (-want +got)\n%s", name, diff)
		}
		if err := tx.Rollback(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
}

// TestWhoseBusiness: nobody but the member and the office learns why somebody is not
// found, neither here nor from the database.
func TestWhoseBusiness(t *testing.T) {
	t.Parallel()
	db := pg.Acting{Pool: pgtest.NewWith(t, "two", two)}
	s := &therapist.Store{DB: db}
	self := viewer.New(viewer.SignedIn | viewer.HasRecord)
	self.MemberID = ada
	for _, tt := range []struct {
		name string
		v    viewer.Viewer
		want []uuid.UUID
	}{
		{"anonymous", viewer.Viewer{}, nil},
		{"a member", self, []uuid.UUID{ada}},
		{"an editor", viewer.New(viewer.Editor), nil},
		{"the office", office, []uuid.UUID{ada, bea}},
	} {
		of, err := s.Of(viewer.With(t.Context(), tt.v), tt.v, []uuid.UUID{ada, bea})
		if err != nil {
			t.Fatal(err)
		}
		var got []uuid.UUID
		for _, id := range []uuid.UUID{ada, bea} {
			if of[id] != nil {
				got = append(got, id)
			}
		}
		if !slices.Equal(tt.want, got) {
			t.Errorf("%s learns of %v, want %v", tt.name, got, tt.want)
		}
		// As if the condition were missing in the statement.
		n, err := pg.Scalar[int](viewer.With(t.Context(), tt.v), db, `SELECT count(*) FROM therapist_listings_of($1)`, []uuid.UUID{ada, bea})
		if err != nil || n != len(tt.want) {
			t.Errorf("%s: the database tells of %d, %v; want %d", tt.name, n, err, len(tt.want))
		}
	}
	ctx := viewer.With(t.Context(), self)
	for _, willing := range []bool{false, false, true, true} {
		l, err := s.SetWilling(ctx, self, willing)
		if err != nil || l.Eligible() != willing {
			t.Errorf("willing %v: %+v, %v", willing, l, err)
		}
	}
	if _, err := s.SetWilling(t.Context(), viewer.Viewer{}, true); !errors.Is(err, errs.Forbidden) {
		t.Errorf("anonymous: %v", err)
	}
}

// TestNearest: the nearest first, by pages, in the circle alone; a section that
// somebody keeps to themselves finds them not.
func TestNearest(t *testing.T) {
	t.Parallel()
	db := pgtest.NewWith(t, "two", two)
	s := &therapist.Store{DB: db}
	both := []uuid.UUID{ada, bea}
	small, north, far := london, london, london
	small.WithinKm, north.Latitude, far.Latitude = 5, 51.62, 55
	for _, tt := range []struct {
		name    string
		near    therapist.Near
		section *string
		want    []uuid.UUID
	}{
		{"all", london, nil, both},
		{"from the north", north, nil, []uuid.UUID{bea, ada}},
		{"a small circle", small, nil, []uuid.UUID{ada}},
		{"far away", far, nil, []uuid.UUID{}},
		{"of a section", london, ptr("housing"), []uuid.UUID{ada}},
	} {
		if diff := cmp.Diff(tt.want, found(t, s, tt.near, tt.section, page.Args{First: ptr(10)})); diff != "" {
			t.Errorf("%s (-want +got)\n%s", tt.name, diff)
		}
	}
	first, err := s.Nearest(t.Context(), london, nil, page.Args{First: ptr(1)})
	if err != nil || !first.PageInfo().HasNextPage {
		t.Fatal(first, err)
	}
	if diff := cmp.Diff([]uuid.UUID{bea}, found(t, s, london, nil, page.Args{First: ptr(1), After: first.PageInfo().EndCursor})); diff != "" {
		t.Errorf("the second page (-want +got)\n%s", diff)
	}
	c, err := s.Nearest(t.Context(), london, nil, page.Args{})
	if err != nil || c.Nodes()[0].DistanceKm() != 0 || c.Nodes()[1].DistanceKm() != 11.1 {
		t.Errorf("%v, %v", c.Nodes(), err)
	}
	var invalid *errs.Invalid
	if _, err := s.Nearest(t.Context(), london, ptr("nothing"), page.Args{}); !errors.As(err, &invalid) || invalid.Fields[0].Path != "section" {
		t.Errorf("of no section: %v", err)
	}
	for _, near := range []therapist.Near{{Latitude: 91, WithinKm: 1}, {Longitude: -181, WithinKm: 1}, {WithinKm: 0}, {WithinKm: 501}} {
		if _, err := s.Nearest(t.Context(), near, nil, page.Args{}); !errors.As(err, &invalid) {
			t.Errorf("%+v: %v", near, err)
		}
	}
	if _, err := s.Nearest(t.Context(), london, nil, page.Args{After: ptr(page.Cursor("x", "y"))}); !errors.As(err, &invalid) {
		t.Errorf("a bad cursor: %v", err)
	}
}
