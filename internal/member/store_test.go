package member_test

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	gocmp "github.com/google/go-cmp/cmp"
	"github.com/google/uuid"
	"github.com/jackc/pgx/v5/pgxpool"
	"pgregory.net/rapid"

	"github.com/collegium/collegium/internal/errs"
	"github.com/collegium/collegium/internal/member"
	"github.com/collegium/collegium/internal/page"
	"github.com/collegium/collegium/internal/pg"
	"github.com/collegium/collegium/internal/pg/pgtest"
	"github.com/collegium/collegium/internal/viewer"
)

var (
	london  = uuid.MustParse("00000000-0000-4000-8000-000000000001")
	wales   = uuid.MustParse("00000000-0000-4000-8000-000000000002")
	housing = uuid.MustParse("00000000-0000-4000-8000-000000000003")
)

func run(t testing.TB, db pg.Querier, sql string, args ...any) {
	t.Helper()
	if _, err := db.Exec(context.Background(), sql, args...); err != nil {
		t.Fatalf("%s: %v", sql, err)
	}
}

// units makes two regions and a section.
func units(ctx context.Context, db *pgxpool.Pool) error {
	_, err := db.Exec(ctx, `
		WITH e AS (
			INSERT INTO entries (id, key, kind, slug, title)
			VALUES
				('00000000-0000-4000-8000-000000000001', 'r1', 'REGION', 'london', 'London'),
				('00000000-0000-4000-8000-000000000002', 'r2', 'REGION', 'wales', 'Wales'),
				('00000000-0000-4000-8000-000000000003', 's1', 'SPECIALIST_SECTION', 'housing', 'Housing')
			RETURNING id, kind, slug, title
		)
		INSERT INTO units (id, kind, slug, name, short_name, position, nation)
		SELECT e.id, e.kind, e.slug, e.title, e.title, row_number() OVER (ORDER BY e.slug),
			CASE WHEN e.kind = 'REGION' THEN 'ENGLAND' END
		FROM e`)
	return err
}

// add makes a member all of whose fields are for the audience.
func add(t testing.TB, db pg.Querier, name, audience string, region uuid.UUID, sections ...uuid.UUID) uuid.UUID {
	t.Helper()
	id := uuid.New()
	run(t, db, `
		INSERT INTO members (id, key, display_name, sort_name, pronouns, headline, bio, grade, region_id, joined_on,
			listing_audience, pronouns_audience, headline_audience, bio_audience, grade_audience, region_audience,
			joined_on_audience, sections_audience)
		VALUES ($1, $2, $3, $3, 'they/them', $4, 'bio of ' || $3, 'PROFESSIONAL', $5, DATE '2020-01-01', $6, $6, $6, $6, $6, $6, $6, $6)`,
		id, id.String(), name, "headline of "+name, region, audience)
	for _, s := range sections {
		run(t, db, `INSERT INTO section_memberships (member_id, section_id, starts_on) VALUES ($1, $2, DATE '2021-01-01')`, id, s)
	}
	return id
}

func names(c *member.Connection) []string {
	out := []string{}
	for _, m := range c.Nodes() {
		out = append(out, m.DisplayName)
	}
	return out
}

func ptr[T any](v T) *T { return &v }

// TestEveryFieldHasItsAudience shows a member to everyone and then takes the
// fields back one by one: each becomes null, and only that one.
func TestEveryFieldHasItsAudience(t *testing.T) {
	t.Parallel()
	db := pgtest.NewWith(t, "units", units)
	store := member.Store{DB: pgtest.Acting(t, db)}
	id := add(t, db, "Ada", "PUBLIC", london, housing)
	read := func(v viewer.Viewer) *member.Member {
		byID, err := store.ByID(viewer.With(t.Context(), v), v, []uuid.UUID{id})
		if err != nil {
			t.Fatal(err)
		}
		if m := byID[id]; m != nil {
			m.Private = 0
		}
		return byID[id]
	}
	whole := read(viewer.Viewer{})
	if whole == nil || whole.Pronouns == nil || whole.Headline == nil || whole.Bio == nil || whole.Grade == nil ||
		whole.JoinedOn == nil || whole.RegionID == nil || !whole.ShowsSections {
		t.Fatalf("a public member is not whole: %+v", whole)
	}
	fields := map[string]func(*member.Member){
		"pronouns":  func(m *member.Member) { m.Pronouns = nil },
		"headline":  func(m *member.Member) { m.Headline = nil },
		"bio":       func(m *member.Member) { m.Bio = nil },
		"grade":     func(m *member.Member) { m.Grade = nil },
		"joined_on": func(m *member.Member) { m.JoinedOn = nil },
		"region":    func(m *member.Member) { m.RegionID = nil },
		"sections":  func(m *member.Member) { m.ShowsSections = false },
	}
	for field, take := range fields {
		for _, audience := range []string{"MEMBERS", "SECTION", "COMMITTEE", "STAFF", "NOBODY"} {
			run(t, db, fmt.Sprintf(`UPDATE members SET %s_audience = $1`, field), audience)
			want := *whole
			take(&want)
			if diff := gocmp.Diff(&want, read(viewer.Viewer{})); diff != "" {
				t.Errorf("%s for %s, seen by anyone (-want +got)\n%s", field, audience, diff)
			}
			if audience == "MEMBERS" || audience == "NOBODY" {
				want = *whole
				if audience == "NOBODY" {
					take(&want)
				}
				if diff := gocmp.Diff(&want, read(viewer.New(viewer.CurrentMember))); diff != "" {
					t.Errorf("%s for %s, seen by a member (-want +got)\n%s", field, audience, diff)
				}
			}
		}
		run(t, db, fmt.Sprintf(`UPDATE members SET %s_audience = 'PUBLIC'`, field))
	}
	run(t, db, `UPDATE members SET listing_audience = 'MEMBERS'`)
	if m := read(viewer.Viewer{}); m != nil {
		t.Errorf("who does not want to be found is found: %+v", m)
	}
	if read(viewer.New(viewer.CurrentMember)) == nil {
		t.Error("a member does not find who wants to be found by members")
	}
}

// TestHiddenIsNotFiltered asserts that no filter, order, count or cursor tells
// what a member keeps from the viewer.
func TestHiddenIsNotFiltered(t *testing.T) {
	t.Parallel()
	db := pgtest.NewWith(t, "units", units)
	store := member.Store{DB: pgtest.Acting(t, db)}
	add(t, db, "Ada", "PUBLIC", london, housing)
	secret := add(t, db, "Bea", "NOBODY", london, housing)
	run(t, db, `UPDATE members SET listing_audience = 'PUBLIC' WHERE id = $1`, secret)
	everything := func() []string {
		var out []string
		for _, f := range []*member.Filter{
			nil,
			{Region: ptr("london")},
			{Region: ptr("wales")},
			{Section: ptr("housing")},
			{Grade: ptr(member.Grade("PROFESSIONAL"))},
			{Grade: ptr(member.Grade("RETIRED"))},
			{Text: ptr("headline of")},
			{Text: ptr("changed")},
		} {
			for _, order := range []*member.Order{nil, ptr(member.ByJoinedOnDesc)} {
				c, err := store.Members(t.Context(), viewer.Viewer{}, f, order, page.Args{})
				if err != nil {
					t.Fatal(err)
				}
				totals, err := store.Totals(t.Context(), viewer.Viewer{}, []*member.Connection{c})
				if err != nil {
					t.Fatal(err)
				}
				out = append(out, fmt.Sprint(names(c), totals, c.PageInfo().HasNextPage))
				for _, e := range c.Edges {
					out = append(out, e.Cursor())
				}
			}
		}
		of, err := store.OfRegions(t.Context(), viewer.Viewer{}, []uuid.UUID{london, wales}, page.Args{})
		if err != nil {
			t.Fatal(err)
		}
		in, err := store.OfSections(t.Context(), viewer.Viewer{}, []uuid.UUID{housing}, page.Args{})
		if err != nil {
			t.Fatal(err)
		}
		totals, err := store.Totals(t.Context(), viewer.Viewer{}, []*member.Connection{of[london], of[wales], in[housing]})
		if err != nil {
			t.Fatal(err)
		}
		return append(out, fmt.Sprint(names(of[london]), names(of[wales]), names(in[housing]), totals))
	}
	before := everything()
	run(t, db, `
		UPDATE members
		SET region_id = $2, grade = 'RETIRED', headline = 'changed', bio = 'changed', pronouns = 'changed', joined_on = DATE '2024-01-01'
		WHERE id = $1`, secret, wales)
	run(t, db, `DELETE FROM section_memberships WHERE member_id = $1`, secret)
	if diff := gocmp.Diff(before, everything()); diff != "" {
		t.Errorf("a private value shows (-before +after)\n%s", diff)
	}
}

func TestFilters(t *testing.T) {
	t.Parallel()
	db := pgtest.NewWith(t, "units", units)
	store := member.Store{DB: pgtest.Acting(t, db)}
	add(t, db, "Émile", "PUBLIC", london, housing)
	add(t, db, "Zoë", "PUBLIC", wales)
	add(t, db, "Alan_", "PUBLIC", wales, housing)
	for name, tt := range map[string]struct {
		filter *member.Filter
		want   []string
	}{
		"by name as people sort": {nil, []string{"Alan_", "Émile", "Zoë"}},
		"region":                 {&member.Filter{Region: ptr("Wales")}, []string{"Alan_", "Zoë"}},
		"section":                {&member.Filter{Section: ptr("housing")}, []string{"Alan_", "Émile"}},
		"both":                   {&member.Filter{Region: ptr("wales"), Section: ptr("housing")}, []string{"Alan_"}},
		"text, any case":         {&member.Filter{Text: ptr("éMILE")}, []string{"Émile"}},
		"a wildcard is a letter": {&member.Filter{Text: ptr("_")}, []string{"Alan_"}},
		"nobody":                 {&member.Filter{Region: ptr("london"), Text: ptr("Zoë")}, []string{}},
	} {
		c, err := store.Members(t.Context(), viewer.Viewer{}, tt.filter, nil, page.Args{})
		if err != nil {
			t.Fatal(err)
		}
		if diff := gocmp.Diff(tt.want, names(c)); diff != "" {
			t.Errorf("%s (-want +got)\n%s", name, diff)
		}
	}
	var invalid *errs.Invalid
	for path, f := range map[string]*member.Filter{"filter.region": {Region: ptr("nothing")}, "filter.section": {Section: ptr("wales")}} {
		if _, err := store.Members(t.Context(), viewer.Viewer{}, f, nil, page.Args{}); !errors.As(err, &invalid) || invalid.Fields[0].Path != path {
			t.Errorf("no such unit: got %v, want bad input in %s", err, path)
		}
	}
	if _, err := store.Members(t.Context(), viewer.Viewer{}, &member.Filter{Text: ptr("  ")}, nil, page.Args{}); !errors.As(err, &invalid) {
		t.Errorf("an empty text: got %v, want bad input", err)
	}
}

// TestPages walks every list by pages of random sizes, both ways, while members
// are added; it finds each member that was there once, in one order.
func TestPages(t *testing.T) {
	t.Parallel()
	db := pgtest.NewWith(t, "units", units)
	store := member.Store{DB: pgtest.Acting(t, db)}
	for i := range 57 {
		id := add(t, db, fmt.Sprintf("%c%d", 'A'+rand.IntN(26), i%7), "PUBLIC", london, housing)
		run(t, db, `UPDATE members SET joined_on = $2, joined_on_audience = $3 WHERE id = $1`,
			id, time.Date(2000+i%5, 1, 1, 0, 0, 0, 0, time.UTC), []string{"PUBLIC", "NOBODY"}[i%2])
	}
	lists := map[string]func(page.Args) (*member.Connection, error){
		"by name": func(a page.Args) (*member.Connection, error) {
			return store.Members(context.Background(), viewer.Viewer{}, nil, nil, a)
		},
		"by day": func(a page.Args) (*member.Connection, error) {
			return store.Members(context.Background(), viewer.Viewer{}, nil, ptr(member.ByJoinedOnDesc), a)
		},
		"of a region": func(a page.Args) (*member.Connection, error) {
			of, err := store.OfRegions(context.Background(), viewer.Viewer{}, []uuid.UUID{london}, a)
			return of[london], err
		},
		"of a section": func(a page.Args) (*member.Connection, error) {
			of, err := store.OfSections(context.Background(), viewer.Viewer{}, []uuid.UUID{housing}, a)
			return of[housing], err
		},
	}
	for name, list := range lists {
		first, err := list(page.Args{First: ptr(100)})
		if err != nil {
			t.Fatal(err)
		}
		want := first.Nodes()
		rapid.Check(t, func(rt *rapid.T) {
			size := rapid.IntRange(1, 30).Draw(rt, "size")
			backward := rapid.Bool().Draw(rt, "backward")
			var got []*member.Member
			args := page.Args{First: &size}
			if backward {
				args = page.Args{Last: &size}
			}
			for {
				c, err := list(args)
				if err != nil {
					rt.Fatal(err)
				}
				if backward {
					got = append(c.Nodes(), got...)
					if !c.PageInfo().HasPreviousPage {
						break
					}
					args.Before = c.PageInfo().StartCursor
				} else {
					got = append(got, c.Nodes()...)
					if !c.PageInfo().HasNextPage {
						break
					}
					args.After = c.PageInfo().EndCursor
				}
			}
			same := slices.EqualFunc(want, got, func(a, b *member.Member) bool { return a.ID == b.ID })
			if !same {
				rt.Fatalf("%s: %d members by pages of %d, want %d in the same order", name, len(got), size, len(want))
			}
		})
	}
}

// TestEveryListByLoops asks for pages of the directory by every combination of
// filter, order, cursors and direction, and of the lists of units, and compares them
// with what plain loops over all members find.
func TestEveryListByLoops(t *testing.T) {
	t.Parallel()
	db := pgtest.NewWith(t, "units", units)
	store := member.Store{DB: pgtest.Acting(t, db)}
	audiences := []string{"PUBLIC", "PUBLIC", "MEMBERS", "SECTION", "COMMITTEE", "STAFF", "NOBODY"}
	var ids []uuid.UUID
	for i := range 120 {
		id := add(t, db, fmt.Sprintf("%c%c%d Éna", 'A'+rand.IntN(4), 'a'+rand.IntN(4), i%3), "PUBLIC", []uuid.UUID{london, wales}[i%2])
		run(t, db, `
			UPDATE members
			SET joined_on = $2, joined_on_audience = $3, listing_audience = $4, region_audience = $5, grade = $6,
				grade_audience = $7, sections_audience = $8, headline_audience = $9
			WHERE id = $1`, id, time.Date(1998+i%5, 1, 1, 0, 0, 0, 0, time.UTC),
			audiences[rand.IntN(7)], audiences[rand.IntN(7)], audiences[rand.IntN(7)], []string{"STUDENT", "RETIRED"}[i%2],
			audiences[rand.IntN(7)], audiences[rand.IntN(7)], audiences[rand.IntN(7)])
		ids = append(ids, id)
		if i%3 > 0 { // some in two periods, some no more
			run(t, db, `INSERT INTO section_memberships VALUES ($1, $2, DATE '2020-01-01', $3)`, id, housing,
				[]*time.Time{nil, ptr(time.Now().AddDate(1, 0, 0)), ptr(time.Date(2021, 1, 1, 0, 0, 0, 0, time.UTC))}[i%5%3])
		}
		if i%4 == 0 {
			run(t, db, `INSERT INTO section_memberships VALUES ($1, $2, DATE '2021-06-01', NULL) ON CONFLICT DO NOTHING`, id, housing)
		}
	}
	// One serves on the committee of a region and one on that of a section, today; and
	// one no longer does.
	run(t, db, `
		INSERT INTO committees (id, key, slug, name, unit_id)
		SELECT gen_random_uuid(), u.slug, u.slug, u.slug, u.id FROM units u WHERE u.slug <> 'london'`)
	run(t, db, `INSERT INTO posts (id, key, committee_id, title, seats, position) SELECT gen_random_uuid(), c.key, c.id, 'Chair', 2, 0 FROM committees c`)
	for _, term := range []struct {
		post, member any
		until        *time.Time
	}{{"wales", ids[0], nil}, {"housing", ids[1], nil}, {"housing", ids[2], ptr(time.Date(2021, 1, 1, 0, 0, 0, 0, time.UTC))}} {
		run(t, db, `
			INSERT INTO terms (id, key, post_id, member_id, starts_on, ends_on)
			SELECT gen_random_uuid(), gen_random_uuid()::text, p.id, $2, DATE '2020-01-01', $3 FROM posts p WHERE p.key = $1`, term.post, term.member, term.until)
	}
	serves := map[uuid.UUID]uuid.UUID{ids[0]: wales, ids[1]: housing}
	viewers := []viewer.Viewer{
		{},
		viewer.New(viewer.SignedIn), viewer.New(viewer.CurrentMember), viewer.New(viewer.Editor), viewer.New(viewer.MembershipOfficer),
		viewer.New(viewer.KeyDirectory), viewer.New(viewer.KeyMembers),
		{MemberID: ids[3], Standing: viewer.HasRecord},
	}
	for _, id := range ids[:9] {
		v := viewer.New(viewer.SignedIn | viewer.HasRecord | viewer.CurrentMember)
		if v.MemberID = id; serves[id] != uuid.Nil {
			v.Standing |= viewer.SectionOfficer
		}
		officer := v
		officer.Standing |= viewer.MembershipOfficer
		viewers = append(viewers, v, officer)
		if serves[id] != uuid.Nil { // most is asked of those who see least alike
			viewers = append(viewers, v, v, v, v, v, v)
		}
	}
	for _, unit := range []uuid.UUID{wales, housing} {
		v := viewer.New(viewer.KeyMembers)
		v.Unit = unit
		viewers = append(viewers, v)
	}
	// All there is to know, in the order of names.
	type row struct {
		ID, RegionID                                                      uuid.UUID
		DisplayName, Headline, Grade                                      string
		JoinedOn                                                          time.Time
		IsIn                                                              bool
		Listing, RegionFor, GradeFor, JoinedFor, SectionsFor, HeadlineFor string
	}
	all, err := pg.All[row](t.Context(), db, `
		SELECT m.id, m.region_id, m.display_name, m.headline, m.grade, m.joined_on,
			EXISTS (SELECT FROM section_memberships sm WHERE sm.member_id = m.id AND COALESCE(sm.ends_on, 'infinity') >= CURRENT_DATE) AS is_in,
			m.listing_audience AS listing, m.region_audience AS region_for, m.grade_audience AS grade_for,
			m.joined_on_audience AS joined_for, m.sections_audience AS sections_for, m.headline_audience AS headline_for
		FROM members m
		ORDER BY m.sort_name COLLATE "und-x-icu", m.id`)
	if err != nil {
		t.Fatal(err)
	}
	rapid.Check(t, func(rt *rapid.T) {
		v := rapid.SampledFrom(viewers).Draw(rt, "viewer")
		isIn := map[uuid.UUID]bool{}
		for _, m := range all {
			isIn[m.ID] = m.IsIn
		}
		reaches := func(m *row, audience string) bool {
			to := []string{"PUBLIC"}
			whole := v
			whole.Unit = uuid.Nil
			switch {
			case whole.May(viewer.ReadRegister):
				to = []string{"PUBLIC", "MEMBERS", "SECTION", "COMMITTEE", "STAFF"}
			case whole.May(viewer.ReadDirectory):
				to = append(to, "MEMBERS")
			}
			of := func(unit uuid.UUID) bool { return m.RegionID == unit || unit == housing && m.IsIn }
			if v.Unit != uuid.Nil {
				known := m.RegionID == v.Unit && slices.Contains(to, m.RegionFor) || v.Unit == housing && m.IsIn && slices.Contains(to, m.SectionsFor)
				return audience == "PUBLIC" || known && slices.Contains(to, audience)
			}
			if slices.Contains(to, audience) || v.MemberID == m.ID {
				return true
			}
			if v.MemberID == uuid.Nil || !v.May(viewer.ReadDirectory) {
				return false
			}
			officer := serves[v.MemberID] != uuid.Nil && of(serves[v.MemberID])
			return audience == "SECTION" && (m.IsIn && isIn[v.MemberID] || officer) || audience == "COMMITTEE" && officer
		}
		f := member.Filter{
			Region:  rapid.SampledFrom([]*string{nil, nil, ptr("london"), ptr("wales")}).Draw(rt, "region"),
			Section: rapid.SampledFrom([]*string{nil, nil, ptr("housing")}).Draw(rt, "section"),
			Grade:   rapid.SampledFrom([]*member.Grade{nil, nil, ptr(member.Grade("STUDENT"))}).Draw(rt, "grade"),
			Text:    rapid.SampledFrom([]*string{nil, nil, ptr("b"), ptr("Éna"), ptr("headline of A"), ptr("0 é")}).Draw(rt, "text"),
		}
		newest := rapid.Bool().Draw(rt, "newest")
		unitOnly := rapid.SampledFrom([]string{"", "", "region", "section"}).Draw(rt, "list")
		if unitOnly != "" {
			f, newest = member.Filter{}, false
		}
		asked := london
		if f.Region != nil && *f.Region == "wales" {
			asked = wales
		}
		var want []row
		for _, m := range all {
			reaches := func(audience string) bool { return reaches(m, audience) }
			has := func(text string) bool { return strings.Contains(strings.ToLower(text), strings.ToLower(*f.Text)) }
			if reaches(m.Listing) &&
				(f.Region == nil && unitOnly != "region" || reaches(m.RegionFor) && m.RegionID == asked) &&
				(f.Section == nil && unitOnly != "section" || reaches(m.SectionsFor) && m.IsIn) &&
				(f.Grade == nil || reaches(m.GradeFor) && m.Grade == string(*f.Grade)) &&
				(f.Text == nil || has(m.DisplayName) || reaches(m.HeadlineFor) && has(m.Headline)) {
				want = append(want, *m)
			}
		}
		if newest {
			key := func(m row) int64 {
				if !reaches(&m, m.JoinedFor) {
					return math.MaxInt64
				}
				return -m.JoinedOn.Unix()
			}
			slices.SortStableFunc(want, func(a, b row) int { return cmp.Compare(key(a), key(b)) })
		}
		list := func(a page.Args) *member.Connection {
			var c *member.Connection
			var err error
			switch unitOnly {
			case "region":
				ids := []uuid.UUID{london, wales}[:rapid.IntRange(1, 2).Draw(rt, "regions")]
				var of map[uuid.UUID]*member.Connection
				of, err = store.OfRegions(viewer.With(context.Background(), v), v, ids, a)
				c = of[london]
			case "section":
				ids := []uuid.UUID{housing, london}[:rapid.IntRange(1, 2).Draw(rt, "sections")]
				var of map[uuid.UUID]*member.Connection
				of, err = store.OfSections(viewer.With(context.Background(), v), v, ids, a)
				c = of[housing]
			default:
				order := member.ByName
				if newest {
					order = member.ByJoinedOnDesc
				}
				c, err = store.Members(viewer.With(context.Background(), v), v, &f, &order, a)
			}
			if err != nil {
				rt.Fatal(err)
			}
			return c
		}
		totals, err := store.Totals(viewer.With(context.Background(), v), v, []*member.Connection{list(page.Args{})})
		if err != nil || totals[0] != len(want) {
			rt.Fatalf("total %v, %v; want %d", totals, err, len(want))
		}
		// A page between two rows of the list, or from its beginning or to its end.
		from, to := 0, len(want)
		var args page.Args
		if len(want) > 0 && rapid.Bool().Draw(rt, "after") {
			from = rapid.IntRange(1, len(want)).Draw(rt, "from")
			args.After = cursorAt(rt, list, from-1)
		}
		if len(want) > 0 && rapid.Bool().Draw(rt, "before") {
			to = rapid.IntRange(0, len(want)-1).Draw(rt, "to")
			args.Before = cursorAt(rt, list, to)
		}
		window := want[min(from, to):to]
		size := rapid.IntRange(1, 30).Draw(rt, "size")
		if rapid.Bool().Draw(rt, "backward") {
			args.Last = &size
			window = window[max(0, len(window)-size):]
		} else {
			args.First = &size
			window = window[:min(size, len(window))]
		}
		var wantIDs, gotIDs []uuid.UUID
		for _, m := range window {
			wantIDs = append(wantIDs, m.ID)
		}
		for _, m := range list(args).Nodes() {
			gotIDs = append(gotIDs, m.ID)
		}
		if diff := gocmp.Diff(wantIDs, gotIDs); diff != "" {
			rt.Fatalf("as %v by %+v, newest %v, list %q, rows %d to %d (-want +got)\n%s", v, f, newest, unitOnly, from, to, diff)
		}
	})
}

// cursorAt returns the cursor of a row of a list.
func cursorAt(rt *rapid.T, list func(page.Args) *member.Connection, at int) *string {
	c := list(page.Args{First: ptr(100)})
	if at >= 100 {
		at -= 100
		c = list(page.Args{First: ptr(100), After: c.PageInfo().EndCursor})
	}
	if at >= len(c.Edges) {
		rt.Fatalf("the list has no row %d", at)
	}
	return ptr(c.Edges[at].Cursor())
}

// TestStatements asks for the members of one unit and of many in one statement.
func TestStatements(t *testing.T) {
	t.Parallel()
	db := pgtest.NewWith(t, "units", units)
	store := member.Store{DB: pgtest.Acting(t, db)}
	for _, regions := range [][]uuid.UUID{{london}, {london, wales}} {
		ctx, counter := pg.WithCounter(t.Context())
		if _, err := store.OfRegions(ctx, viewer.Viewer{}, regions, page.Args{}); err != nil {
			t.Fatal(err)
		}
		if n := counter.Statements(); n != 1 {
			t.Errorf("%d regions: %d statements, want 1", len(regions), n)
		}
	}
}
