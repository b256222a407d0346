package member_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	gocmp "github.com/google/go-cmp/cmp"
	"github.com/google/uuid"

	"github.com/collegium/collegium/internal/member"
	"github.com/collegium/collegium/internal/page"
	"github.com/collegium/collegium/internal/pg"
	"github.com/collegium/collegium/internal/pg/pgtest"
	"github.com/collegium/collegium/internal/viewer"
)

// shownIn says of each field how to see in an answer that it is shown.
var shownIn = map[member.ProfileField]func(*member.Member, member.Details) bool{
	member.Pronouns:    func(m *member.Member, _ member.Details) bool { return m.Pronouns != nil },
	member.Headline:    func(m *member.Member, _ member.Details) bool { return m.Headline != nil },
	member.Bio:         func(m *member.Member, _ member.Details) bool { return m.Bio != nil },
	member.OfGrade:     func(m *member.Member, _ member.Details) bool { return m.Grade != nil },
	member.OfRegion:    func(m *member.Member, _ member.Details) bool { return m.RegionID != nil },
	member.JoinedOn:    func(m *member.Member, _ member.Details) bool { return m.JoinedOn != nil },
	member.OfSections:  func(m *member.Member, _ member.Details) bool { return m.ShowsSections },
	member.Email:       func(_ *member.Member, d member.Details) bool { c := d.Contact(); return c != nil && c.Email != nil },
	member.Phone:       func(_ *member.Member, d member.Details) bool { c := d.Contact(); return c != nil && c.Phone != nil },
	member.Website:     func(_ *member.Member, d member.Details) bool { c := d.Contact(); return c != nil && c.Website != nil },
	member.Address:     func(_ *member.Member, d member.Details) bool { c := d.Contact(); return c != nil && c.Address != nil },
	member.Languages:   func(_ *member.Member, d member.Details) bool { return d.Terms(member.Languages) != nil },
	member.Specialisms: func(_ *member.Member, d member.Details) bool { return d.Terms(member.Specialisms) != nil },
	member.OfPractice:  func(_ *member.Member, d member.Details) bool { return d.Practice() != nil },
	member.OfPhoto:     func(_ *member.Member, d member.Details) bool { return d[member.OfPhoto] != nil },
}

// foundBy are the filters that find who shows a field.
var foundBy = map[member.ProfileField]member.Filter{
	member.OfRegion:    {Region: ptr("london")},
	member.OfSections:  {Section: ptr("housing")},
	member.OfGrade:     {Grade: ptr(member.Grade("PROFESSIONAL"))},
	member.Headline:    {Text: ptr("headline of Ada")},
	member.Languages:   {Language: ptr("CY")},
	member.Specialisms: {Specialism: ptr("Hand  therapy")},
	member.OfPractice:  {Near: &member.Near{Latitude: 51.5, Longitude: -0.1, WithinKm: 30}},
}

// addDetails gives a member every detail, for an audience.
func addDetails(t *testing.T, db pg.Querier, id uuid.UUID, audience string) {
	t.Helper()
	run(t, db, `
		INSERT INTO member_details (member_id, field, audience, value, terms, postcode, latitude, longitude) VALUES
			($1, 'EMAIL', $2, 'ada@example.org', NULL, NULL, NULL, NULL),
			($1, 'PHONE', $2, '020 7946 0000', NULL, NULL, NULL, NULL),
			($1, 'WEBSITE', $2, 'https://example.org/', NULL, NULL, NULL, NULL),
			($1, 'ADDRESS', $2, '1 High Street', NULL, NULL, NULL, NULL),
			($1, 'PHOTO', $2, 'photo', NULL, NULL, NULL, NULL),
			($1, 'LANGUAGES', $2, NULL, ARRAY['cy', 'en'], NULL, NULL, NULL),
			($1, 'SPECIALISMS', $2, NULL, ARRAY['hand therapy'], NULL, NULL, NULL),
			($1, 'PRACTICE', $2, 'Southwark', NULL, 'SE1', 51.5, -0.1)`, id, audience)
}

// TestEveryFieldForEveryViewer shows each field of a member to each audience, and wants of
// every kind of viewer that they see it, and find the member by it, if they belong to
// the audience, and else neither.
func TestEveryFieldForEveryViewer(t *testing.T) {
	t.Parallel()
	db := pgtest.NewWith(t, "units", units)
	store := member.Store{DB: pgtest.Acting(t, db)}
	ada := add(t, db, "Ada", "NOBODY", london, housing)
	addDetails(t, db, ada, "NOBODY")
	run(t, db, `UPDATE members SET listing_audience = 'PUBLIC'`)
	colleague, stranger := add(t, db, "Bea", "NOBODY", wales, housing), add(t, db, "Cai", "NOBODY", wales)
	former, officer, elsewhere := add(t, db, "Dot", "NOBODY", wales), add(t, db, "Eve", "NOBODY", wales), add(t, db, "Fay", "NOBODY", wales)
	run(t, db, `INSERT INTO section_memberships VALUES ($1, $2, DATE '2020-01-01', DATE '2021-01-01')`, former, housing)
	run(t, db, `
		INSERT INTO committees (id, key, slug, name, unit_id) SELECT gen_random_uuid(), u.slug, u.slug, u.slug, u.id FROM units u`)
	run(t, db, `INSERT INTO posts (id, key, committee_id, title, position) SELECT gen_random_uuid(), c.key, c.id, 'Chair', 0 FROM committees c`)
	for id, post := range map[uuid.UUID]string{officer: "london", elsewhere: "wales"} {
		run(t, db, `INSERT INTO terms (id, key, post_id, member_id, starts_on)
			SELECT gen_random_uuid(), p.key, p.id, $1, DATE '2020-01-01' FROM posts p WHERE p.key = $2`, id, post)
	}
	signedIn := func(id uuid.UUID, s viewer.Standing) viewer.Viewer {
		v := viewer.New(viewer.SignedIn | viewer.HasRecord | s)
		v.MemberID = id
		return v
	}
	ofUnit := func(unit uuid.UUID) viewer.Viewer {
		v := viewer.New(viewer.KeyMembers)
		v.Unit = unit
		return v
	}
	all := []string{"PUBLIC", "MEMBERS", "SECTION", "COMMITTEE", "STAFF", "NOBODY"}
	for name, tt := range map[string]struct {
		v    viewer.Viewer
		sees []string
	}{
		"anonymous":                      {viewer.Viewer{}, all[:1]},
		"signed in":                      {viewer.New(viewer.SignedIn), all[:1]},
		"themselves":                     {signedIn(ada, viewer.CurrentMember), all},
		"themselves, lapsed":             {signedIn(ada, 0), all},
		"a member":                       {signedIn(stranger, viewer.CurrentMember), all[:2]},
		"a lapsed colleague":             {signedIn(colleague, 0), all[:1]},
		"a colleague":                    {signedIn(colleague, viewer.CurrentMember), all[:3]},
		"a former colleague":             {signedIn(former, viewer.CurrentMember), all[:2]},
		"an officer of the region":       {signedIn(officer, viewer.CurrentMember|viewer.SectionOfficer), all[:4]},
		"an officer of another":          {signedIn(elsewhere, viewer.CurrentMember|viewer.SectionOfficer), all[:2]},
		"an editor":                      {viewer.New(viewer.Editor), all[:2]},
		"the office":                     {viewer.New(viewer.MembershipOfficer), all[:5]},
		"an officer of the office":       {signedIn(stranger, viewer.CurrentMember|viewer.MembershipOfficer), all[:5]},
		"an administrator":               {viewer.New(viewer.Administrator), all[:5]},
		"a key for content":              {viewer.New(viewer.KeyContent), all[:1]},
		"a key for the directory":        {viewer.New(viewer.KeyDirectory), all[:2]},
		"a key for members":              {viewer.New(viewer.KeyMembers), all[:5]},
		"a key of a unit that is hidden": {ofUnit(london), all[:1]},
	} {
		for field, shown := range shownIn {
			for _, audience := range all {
				set := `UPDATE member_details SET audience = $2 WHERE member_id = $1 AND field = '` + string(field) + `'`
				if slices.Index(member.Fields, field) < slices.Index(member.Fields, member.Email) {
					set = fmt.Sprintf(`UPDATE members SET %s_audience = $2 WHERE id = $1`, strings.ToLower(string(field)))
				}
				run(t, db, set, ada, audience)
				byID, err := store.ByID(viewer.With(t.Context(), tt.v), tt.v, []uuid.UUID{ada})
				if err != nil {
					t.Fatal(err)
				}
				details, err := store.DetailsOf(viewer.With(t.Context(), tt.v), tt.v, []*member.Member{byID[ada]}, member.Fields...)
				if err != nil {
					t.Fatal(err)
				}
				want := slices.Contains(tt.sees, audience)
				if name == "a key of a unit that is hidden" && field == member.OfRegion {
					want = audience != "NOBODY" // then the key knows that the member is of the unit
				}
				if got := shown(byID[ada], details[0]); got != want {
					t.Errorf("%s for %s: seen by %s: %t, want %t", field, audience, name, got, want)
				}
				if f, ok := foundBy[field]; ok {
					c, err := store.Members(viewer.With(t.Context(), tt.v), tt.v, &f, nil, page.Args{})
					if err != nil {
						t.Fatal(err)
					}
					n, err := store.Total(viewer.With(t.Context(), tt.v), tt.v, f)
					if err != nil {
						t.Fatal(err)
					}
					if got := slices.Contains(names(c), "Ada"); got != want || (n > 0) != (len(c.Edges) > 0) {
						t.Errorf("%s for %s: found by %s: %t of %d, want %t", field, audience, name, got, n, want)
					}
				}
				run(t, db, set, ada, "NOBODY")
			}
		}
	}
}

// TestHiddenDetailsDoNotShow changes only what a member keeps from the viewer: no list,
// count, order, cursor or distance is another.
func TestHiddenDetailsDoNotShow(t *testing.T) {
	t.Parallel()
	db := pgtest.NewWith(t, "units", units)
	store := member.Store{DB: pgtest.Acting(t, db)}
	for _, name := range []string{"Ada", "Bea", "Cai"} {
		id := add(t, db, name, "PUBLIC", london, housing)
		addDetails(t, db, id, "PUBLIC")
	}
	secret := add(t, db, "Bob", "PUBLIC", london, housing)
	addDetails(t, db, secret, "STAFF")
	everything := func() (out []string) {
		for _, v := range []viewer.Viewer{{}, viewer.New(viewer.CurrentMember), viewer.New(viewer.KeyDirectory)} {
			for _, f := range []member.Filter{
				{},
				{Language: ptr("cy")},
				{Language: ptr("xx")},
				{Specialism: ptr("hand therapy")},
				{Specialism: ptr("xx")},
				{Near: &member.Near{Latitude: 51.5, Longitude: -0.1, WithinKm: 5}},
				{Near: &member.Near{Latitude: 55.9, Longitude: -3.2, WithinKm: 500}},
				{Near: &member.Near{Latitude: 51.5, Longitude: -0.1, WithinKm: 500}, Language: ptr("cy"), Text: ptr("b")},
			} {
				for _, order := range []member.Order{member.ByName, member.ByJoinedOnDesc, member.Nearest} {
					if order == member.Nearest && f.Near == nil {
						continue
					}
					c, err := store.Members(viewer.With(t.Context(), v), v, &f, &order, page.Args{First: ptr(2)})
					if err != nil {
						t.Fatal(err)
					}
					n, err := store.Total(viewer.With(t.Context(), v), v, f)
					if err != nil {
						t.Fatal(err)
					}
					details, err := store.DetailsOf(viewer.With(t.Context(), v), v, c.Nodes(), member.Fields...)
					if err != nil {
						t.Fatal(err)
					}
					out = append(out, fmt.Sprint(names(c), n, c.PageInfo().HasNextPage))
					for i, e := range c.Edges {
						km := -1.0
						if e.Node.DistanceKm != nil {
							km = *e.Node.DistanceKm
						}
						out = append(out, fmt.Sprint(e.Cursor(), km, details[i].Contact() != nil, details[i].Practice() != nil, details[i].Terms(member.Languages)))
					}
				}
			}
		}
		return out
	}
	before := everything()
	run(t, db, `
		UPDATE member_details SET
			value = 'changed ' || value,
			terms = CASE WHEN terms IS NOT NULL THEN ARRAY['xx'] END,
			latitude = latitude + 4.4, longitude = longitude - 3.1
		WHERE member_id = $1`, secret)
	if diff := gocmp.Diff(before, everything()); diff != "" {
		t.Errorf("a private detail shows (-before +after)\n%s", diff)
	}
	run(t, db, `DELETE FROM member_details WHERE member_id = $1`, secret)
	if diff := gocmp.Diff(before, everything()); diff != "" {
		t.Errorf("that there are details shows (-before +after)\n%s", diff)
	}
}

// TestNearest wants the nearest first by pages both ways, by the place as it is kept.
func TestNearest(t *testing.T) {
	t.Parallel()
	db := pgtest.NewWith(t, "units", units)
	store := member.Store{DB: pgtest.Acting(t, db)}
	for i, longitude := range []float64{0.301, -0.1, 0.1, -0.5, 9} {
		id := add(t, db, string(rune('A'+i)), "PUBLIC", london)
		run(t, db, `INSERT INTO member_details (member_id, field, audience, latitude, longitude) VALUES ($1, 'PRACTICE', 'PUBLIC', 51.5, $2)`, id, longitude)
	}
	f := member.Filter{Near: &member.Near{Latitude: 51.5, Longitude: 0, WithinKm: 100}}
	var got []string
	var after *string
	for {
		c, err := store.Members(t.Context(), viewer.Viewer{}, &f, nil, page.Args{First: ptr(1), After: after})
		if err != nil {
			t.Fatal(err)
		}
		for _, e := range c.Edges {
			got = append(got, fmt.Sprintf("%s %.1f", e.Node.DisplayName, *e.Node.DistanceKm))
		}
		if after = c.PageInfo().EndCursor; !c.PageInfo().HasNextPage {
			break
		}
	}
	// Two that are as far stand by name; 0.301 is kept as 0.30.
	if diff := gocmp.Diff([]string{"B 6.9", "C 6.9", "A 20.8", "D 34.6"}, got); diff != "" {
		t.Errorf("forwards (-want +got)\n%s", diff)
	}
	c, err := store.Members(t.Context(), viewer.Viewer{}, &f, ptr(member.Nearest), page.Args{Last: ptr(2)})
	if err != nil {
		t.Fatal(err)
	}
	if diff := gocmp.Diff([]string{"A", "D"}, names(c)); diff != "" {
		t.Errorf("backwards (-want +got)\n%s", diff)
	}
	for _, bad := range []member.Near{{Latitude: 91, WithinKm: 1}, {Longitude: 181, WithinKm: 1}, {WithinKm: 0}, {WithinKm: 501}} {
		if _, err := store.Members(t.Context(), viewer.Viewer{}, &member.Filter{Near: &bad}, nil, page.Args{}); err == nil {
			t.Errorf("%+v is taken", bad)
		}
	}
}
