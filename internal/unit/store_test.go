package unit_test

import (
	"context"
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/uuid"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/collegium/collegium/internal/errs"
	"github.com/collegium/collegium/internal/pg"
	"github.com/collegium/collegium/internal/pg/pgtest"
	"github.com/collegium/collegium/internal/unit"
	"github.com/collegium/collegium/internal/viewer"
)

var (
	old       = uuid.MustParse("00000000-0000-4000-8000-000000000001")
	successor = uuid.MustParse("00000000-0000-4000-8000-000000000002")
	hidden    = uuid.MustParse("00000000-0000-4000-8000-000000000003")
	chair     = uuid.MustParse("00000000-0000-4000-8000-000000000004")
	committee = uuid.MustParse("00000000-0000-4000-8000-000000000005")
	ada       = uuid.MustParse("00000000-0000-4000-8000-00000000000a")
	bea       = uuid.MustParse("00000000-0000-4000-8000-00000000000b")
)

// sections makes a section that was dissolved on 31 May 2020 and its successor,
// which took over its two members on the day after, and one for staff only.
func sections(ctx context.Context, db *pgxpool.Pool) error {
	_, err := db.Exec(ctx, `
		INSERT INTO entries (id, key, kind, slug, title, access)
		VALUES
			('00000000-0000-4000-8000-000000000001', 'old', 'SPECIALIST_SECTION', 'old', 'Old', 'PUBLIC'),
			('00000000-0000-4000-8000-000000000002', 'new', 'SPECIALIST_SECTION', 'new', 'New', 'PUBLIC'),
			('00000000-0000-4000-8000-000000000003', 'hidden', 'SPECIALIST_SECTION', 'hidden', 'Hidden', 'STAFF');
		INSERT INTO units (id, kind, slug, aliases, name, short_name, position, established_on, dissolved_on, successor_id)
		VALUES
			('00000000-0000-4000-8000-000000000002', 'SPECIALIST_SECTION', 'new', '{newer}', 'New', 'New', 1, '2020-01-01', NULL, NULL),
			('00000000-0000-4000-8000-000000000001', 'SPECIALIST_SECTION', 'old', '{}', 'Old', 'Old', 0, '1990-01-01', '2020-05-31',
				'00000000-0000-4000-8000-000000000002'),
			('00000000-0000-4000-8000-000000000003', 'SPECIALIST_SECTION', 'hidden', '{}', 'Hidden', 'Hidden', 2, NULL, NULL, NULL);
		INSERT INTO members (id, key, display_name, sort_name, grade, joined_on, listing_audience, sections_audience)
		VALUES
			('00000000-0000-4000-8000-00000000000a', 'a', 'Ada', 'Ada', 'PROFESSIONAL', '2000-01-01', 'PUBLIC', 'PUBLIC'),
			('00000000-0000-4000-8000-00000000000b', 'b', 'Bea', 'Bea', 'STUDENT', '2000-01-01', 'NOBODY', 'NOBODY');
		INSERT INTO section_memberships (member_id, section_id, starts_on, ends_on)
		SELECT m.id, '00000000-0000-4000-8000-000000000001'::uuid, DATE '2010-01-01', DATE '2020-05-31' FROM members m
		UNION ALL
		SELECT m.id, '00000000-0000-4000-8000-000000000002', DATE '2020-06-01', NULL FROM members m;
		INSERT INTO committees (id, key, slug, name, unit_id)
		VALUES
			('00000000-0000-4000-8000-000000000005', 'c', 'old', 'Committee of Old', '00000000-0000-4000-8000-000000000001'),
			('00000000-0000-4000-8000-000000000006', 'd', 'hidden', 'Hidden committee', '00000000-0000-4000-8000-000000000003');
		INSERT INTO posts (id, key, committee_id, title, seats, position)
		VALUES
			('00000000-0000-4000-8000-000000000004', 'chair', '00000000-0000-4000-8000-000000000005', 'Chair', 1, 0),
			('00000000-0000-4000-8000-000000000007', 'secret', '00000000-0000-4000-8000-000000000006', 'Chair', 1, 0);
		INSERT INTO terms (id, key, post_id, member_id, starts_on, ends_on)
		VALUES
			('00000000-0000-4000-8000-000000000010', 't1', '00000000-0000-4000-8000-000000000004', '00000000-0000-4000-8000-00000000000a', '2015-01-01', '2017-12-31'),
			('00000000-0000-4000-8000-000000000011', 't2', '00000000-0000-4000-8000-000000000004', '00000000-0000-4000-8000-00000000000b', '2018-01-01', NULL),
			('00000000-0000-4000-8000-000000000012', 't3', '00000000-0000-4000-8000-000000000007', '00000000-0000-4000-8000-00000000000a', '2018-01-01', NULL)`)
	return err
}

func day(s string) *time.Time {
	d, err := time.Parse(time.DateOnly, s)
	if err != nil {
		panic(err)
	}
	return &d
}

// TestWhoIsCounted counts only those who are members on the day.
func TestWhoIsCounted(t *testing.T) {
	t.Parallel()
	db := pgtest.NewWith(t, "sections", sections)
	if _, err := db.Exec(t.Context(), `
		INSERT INTO entries (id, key, kind, slug, title, access) VALUES ('00000000-0000-4000-8000-0000000000aa', 'r', 'REGION', 'r', 'R', 'PUBLIC');
		INSERT INTO units (id, kind, slug, aliases, name, short_name, position, nation) VALUES ('00000000-0000-4000-8000-0000000000aa', 'REGION', 'r', '{}', 'R', 'R', 3, 'ENGLAND');
		UPDATE members SET region_id = '00000000-0000-4000-8000-0000000000aa';
		UPDATE membership_periods SET ends_on = '2024-12-31' WHERE member_id = '00000000-0000-4000-8000-00000000000a';
		UPDATE membership_rules SET counts_as = 'RETIRED' WHERE grade = 'STUDENT';
		INSERT INTO membership_suspensions (member_id, starts_on, ends_on, reason) VALUES ('00000000-0000-4000-8000-00000000000a', '2024-06-01', '2024-06-30', 'x');
		UPDATE membership_periods SET ends_on = '2025-06-30', ended_how = 'RESIGNED' WHERE member_id = '00000000-0000-4000-8000-00000000000b'`); err != nil {
		t.Fatal(err)
	}
	region := uuid.MustParse("00000000-0000-4000-8000-0000000000aa")
	store := unit.Store{DB: asGraph(t, db)}
	for _, tt := range []struct {
		asOf string
		want int
		why  string
	}{
		{"1999-12-31", 0, "nobody has joined"},
		{"2024-06-15", 2, "who is suspended, or retired and paying, is a member"},
		{"2025-01-30", 2, "Ada's last day on which she can renew"},
		{"2025-01-31", 1, "Ada has lapsed"},
		{"2025-06-30", 1, "Bea's last day"},
		{"2025-07-01", 0, "Bea has resigned"},
	} {
		counts, err := store.RegionMemberCounts(t.Context(), viewer.Viewer{}, []uuid.UUID{region}, day(tt.asOf))
		if err != nil {
			t.Fatal(err)
		}
		in, err := store.SectionMemberCounts(t.Context(), viewer.Viewer{}, []uuid.UUID{successor}, day(tt.asOf))
		if err != nil {
			t.Fatal(err)
		}
		if counts[region] != tt.want || tt.asOf > "2020" && in[successor] != tt.want {
			t.Errorf("on %s %d of the region and %d of the section, want %d: %s", tt.asOf, counts[region], in[successor], tt.want, tt.why)
		}
	}
	today, err := store.RegionMemberCounts(t.Context(), viewer.Viewer{}, []uuid.UUID{region}, nil)
	if err != nil || len(today) > 0 {
		t.Errorf("today: %v (%v), want none", today, err)
	}
}

// asGraph returns a pool on the database of another, as the role of the graph, whom
// nobody told who asks.
func asGraph(t *testing.T, db *pgxpool.Pool) *pgxpool.Pool {
	t.Helper()
	config := db.Config()
	config.ConnConfig.RuntimeParams["role"] = pg.RoleGraph
	pool, err := pgxpool.NewWithConfig(t.Context(), config)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(pool.Close)
	return pool
}

// TestMemberCounts counts on each side of the day on which a section was dissolved,
// and on the day itself, when its members still belong to it.
func TestMemberCounts(t *testing.T) {
	t.Parallel()
	store := unit.Store{DB: pgtest.Acting(t, pgtest.NewWith(t, "sections", sections))}
	for _, tt := range []struct {
		asOf         string
		inOld, inNew int
	}{
		{"2009-12-31", 0, 0},
		{"2010-01-01", 2, 0},
		{"2020-05-31", 2, 0},
		{"2020-06-01", 0, 2},
	} {
		ctx, counter := pg.WithCounter(t.Context())
		counts, err := store.SectionMemberCounts(ctx, viewer.Viewer{}, []uuid.UUID{old, successor}, day(tt.asOf))
		if err != nil {
			t.Fatal(err)
		}
		if counts[old] != tt.inOld || counts[successor] != tt.inNew {
			t.Errorf("%s: %d in the old and %d in the new, want %d and %d", tt.asOf, counts[old], counts[successor], tt.inOld, tt.inNew)
		}
		if n := counter.Statements(); n != 1 {
			t.Errorf("%d statements for two sections, want 1", n)
		}
	}
	// What is planned is not published.
	tomorrow := time.Now().UTC().AddDate(0, 0, 1)
	for standing, may := range map[viewer.Standing]bool{viewer.Anyone: false, viewer.SignedIn | viewer.CurrentMember: false, viewer.MembershipOfficer: true, viewer.KeyMembers: true} {
		v := viewer.New(standing)
		_, err1 := store.SectionMemberCounts(t.Context(), v, []uuid.UUID{old}, &tomorrow)
		_, err2 := store.RegionMemberCounts(t.Context(), v, []uuid.UUID{old}, &tomorrow)
		for _, err := range []error{err1, err2} {
			if invalid := (*errs.Invalid)(nil); errors.As(err, &invalid) == may || may && err != nil {
				t.Errorf("who is %b asks for tomorrow: %v", standing, err)
			}
		}
	}
	today, err := store.SectionMemberCounts(t.Context(), viewer.Viewer{}, []uuid.UUID{old, successor}, nil)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(map[uuid.UUID]int{successor: 2}, today); diff != "" {
		t.Errorf("today (-want +got)\n%s", diff)
	}
}

func TestDissolvedSection(t *testing.T) {
	t.Parallel()
	store := unit.Store{DB: pgtest.Acting(t, pgtest.NewWith(t, "sections", sections))}
	gone, err := store.Section(t.Context(), viewer.Viewer{}, "old")
	if err != nil {
		t.Fatal(err)
	}
	if gone.Status != unit.Dissolved || gone.SuccessorID == nil || *gone.SuccessorID != successor {
		t.Errorf("status %s, successor %v", gone.Status, gone.SuccessorID)
	}
	status := unit.Dissolved
	only, err := store.Sections(t.Context(), viewer.Viewer{}, &status)
	if err != nil {
		t.Fatal(err)
	}
	if len(only) != 1 || only[0].ID != old {
		t.Errorf("dissolved sections: %v", only)
	}
	of, err := store.SectionsOf(t.Context(), viewer.Viewer{}, []uuid.UUID{ada, bea})
	if err != nil {
		t.Fatal(err)
	}
	if len(of[ada]) != 1 || of[ada][0].ID != successor {
		t.Errorf("Ada belongs to %v today, want the successor", of[ada])
	}
	if of[bea] != nil {
		t.Errorf("Bea keeps her sections, and they show: %v", of[bea])
	}
}

// TestSectionIDsOf wants the sections of SectionsOf, of earlier periods and hidden
// sections too.
func TestSectionIDsOf(t *testing.T) {
	t.Parallel()
	db := pgtest.NewWith(t, "sections", sections)
	if _, err := db.Exec(t.Context(), `
		INSERT INTO section_memberships (member_id, section_id, starts_on, ends_on)
		VALUES ($1, $2, DATE '2019-01-01', DATE '2020-05-31'), ($1, $3, DATE '2021-01-01', NULL)`, ada, successor, hidden); err != nil {
		t.Fatal(err)
	}
	store := unit.Store{DB: pgtest.Acting(t, db)}
	for _, v := range []viewer.Viewer{{}, {Role: viewer.Member}, {Role: viewer.Staff}} {
		whole, err := store.SectionsOf(viewer.With(t.Context(), v), v, []uuid.UUID{ada, bea})
		if err != nil {
			t.Fatal(err)
		}
		want := map[uuid.UUID][]uuid.UUID{}
		for member, of := range whole {
			for _, section := range of {
				want[member] = append(want[member], section.ID)
			}
		}
		got, err := store.SectionIDsOf(viewer.With(t.Context(), v), v, []uuid.UUID{ada, bea})
		if err != nil {
			t.Fatal(err)
		}
		for _, ids := range got { // the IDs of the fixture are in the body's order here
			slices.SortFunc(ids, func(a, b uuid.UUID) int { return strings.Compare(a.String(), b.String()) })
		}
		if diff := cmp.Diff(want, got); diff != "" || len(got) != 1 {
			t.Errorf("as %v (-want +got)\n%s", v.Role, diff)
		}
	}
}

func TestSlugsAndAccess(t *testing.T) {
	t.Parallel()
	store := unit.Store{DB: pgtest.Acting(t, pgtest.NewWith(t, "sections", sections))}
	for slug, want := range map[string]uuid.UUID{"new": successor, "NEWER": successor, "hidden": uuid.Nil, "nothing": uuid.Nil} {
		s, err := store.Section(t.Context(), viewer.Viewer{}, slug)
		switch {
		case want == uuid.Nil:
			if !errors.Is(err, errs.NotFound) {
				t.Errorf("%s: got %v, %v, want errs.NotFound", slug, s, err)
			}
		case err != nil:
			t.Errorf("%s: %v", slug, err)
		case s.ID != want:
			t.Errorf("%s: got %v, want %v", slug, s.ID, want)
		}
	}
	if _, err := store.Section(t.Context(), viewer.Viewer{Role: viewer.Staff}, "hidden"); err != nil {
		t.Errorf("staff see what is for staff: %v", err)
	}
	byID, err := store.SectionsByID(t.Context(), viewer.Viewer{}, []uuid.UUID{old, hidden})
	if err != nil {
		t.Fatal(err)
	}
	if len(byID) != 1 {
		t.Errorf("by ID: got %d sections, want the one that is public", len(byID))
	}
}

// TestHolders reads who held a post on a day; a committee that is hidden hides its
// posts, and a member who is hidden their roles.
func TestHolders(t *testing.T) {
	t.Parallel()
	store := unit.Store{DB: pgtest.Acting(t, pgtest.NewWith(t, "sections", sections))}
	for asOf, want := range map[string]uuid.UUID{"2014-12-31": uuid.Nil, "2015-01-01": ada, "2017-12-31": ada, "2018-01-01": bea} {
		of, err := store.HoldersOf(t.Context(), []uuid.UUID{chair}, day(asOf))
		if err != nil {
			t.Fatal(err)
		}
		got := uuid.Nil
		if len(of[chair]) > 0 {
			got = of[chair][0].MemberID
		}
		if got != want || len(of[chair]) > 1 {
			t.Errorf("%s: held by %v, want %v", asOf, of[chair], want)
		}
	}
	committees, err := store.Committees(t.Context(), viewer.Viewer{})
	if err != nil {
		t.Fatal(err)
	}
	if len(committees) != 1 || committees[0].ID != committee {
		t.Errorf("committees: %v", committees)
	}
	roles, err := store.RolesOf(t.Context(), viewer.Viewer{}, []uuid.UUID{ada, bea})
	if err != nil {
		t.Fatal(err)
	}
	if len(roles) != 0 {
		t.Errorf("roles: got %v, want none: Ada's is on a hidden committee, and Bea is hidden", roles)
	}
}

func TestConstraints(t *testing.T) {
	t.Parallel()
	for want, sql := range map[string]string{
		"section_memberships_end_not_before_start": `UPDATE section_memberships SET ends_on = starts_on - 1`,
		"terms_ends_after_start":                   `UPDATE terms SET ends_on = starts_on - 1`,
		"section_memberships_overlap_none":         `INSERT INTO section_memberships SELECT member_id, section_id, starts_on + 1, NULL FROM section_memberships WHERE ends_on IS NULL`,
		"units_dissolved_after_established":        `UPDATE units SET dissolved_on = established_on WHERE slug = 'old'`,
		"units_successor_of_dissolved":             `UPDATE units SET dissolved_on = NULL WHERE slug = 'old'`,
		"units_nation_fits_kind":                   `UPDATE units SET nation = 'WALES'`,
		"posts_seats_positive":                     `UPDATE posts SET seats = 0`,
		"members_audiences_known":                  `UPDATE members SET bio_audience = 'EVERYONE'`,
		"routes_one_current_per_entry":             `INSERT INTO routes (path, kind, entry_id) SELECT p, 'CURRENT', '` + old.String() + `' FROM unnest(ARRAY['/a', '/b']) p`,
		"routes_target_fits_kind":                  `INSERT INTO routes (path, kind) VALUES ('/a', 'REDIRECT')`,
		"routes_path_form":                         `INSERT INTO routes (path, kind) VALUES ('/A/', 'GONE')`,
		"entries_no_cycle":                         `UPDATE entries SET parent_id = CASE key WHEN 'old' THEN '` + successor.String() + `'::uuid WHEN 'new' THEN '` + old.String() + `'::uuid END WHERE key IN ('old', 'new')`,
	} {
		t.Run(want, func(t *testing.T) {
			t.Parallel()
			_, err := pgtest.NewWith(t, "sections", sections).Exec(t.Context(), sql)
			if got := pg.Constraint(err); got != want {
				t.Errorf("constraint %q, want %q (%v)", got, want, err)
			}
		})
	}
}
