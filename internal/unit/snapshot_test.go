package unit_test

import (
	"errors"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/uuid"

	"github.com/collegium/collegium/internal/errs"
	"github.com/collegium/collegium/internal/pg"
	"github.com/collegium/collegium/internal/pg/pgtest"
	"github.com/collegium/collegium/internal/unit"
	"github.com/collegium/collegium/internal/viewer"
)

// TestSnapshotHides answers what each viewer may know of from memory, what is
// hidden from them too.
func TestSnapshotHides(t *testing.T) {
	t.Parallel()
	db := pgtest.NewWith(t, "sections", sections)
	store := &unit.Store{DB: db}
	for v, sees := range map[viewer.Viewer]bool{{}: false, {Role: viewer.Member}: false, {Role: viewer.Staff}: true} {
		snap, err := store.Snapshot(t.Context(), db, v)
		if err != nil {
			t.Fatal(err)
		}
		ctx, counter := pg.WithRecorder(t.Context())
		_, err = snap.Section(ctx, v, "hidden")
		if (err == nil) != sees || !sees && !errors.Is(err, errs.NotFound) {
			t.Errorf("%v: by slug: %v", v, err)
		}
		byID, err := snap.SectionsByID(ctx, v, []uuid.UUID{old, hidden})
		if err != nil || byID[old] == nil || (byID[hidden] != nil) != sees {
			t.Errorf("%v: by ID: %v %v", v, byID, err)
		}
		regions, err := snap.RegionsByID(ctx, v, []uuid.UUID{old})
		if err != nil || len(regions) > 0 {
			t.Errorf("%v: a section is found among the regions: %v %v", v, regions, err)
		}
		of, err := snap.CommitteesOf(ctx, v, []uuid.UUID{old, hidden})
		if err != nil || of[old] == nil || (of[hidden] != nil) != sees {
			t.Errorf("%v: committees: %v %v", v, of, err)
		}
		secret := uuid.MustParse("00000000-0000-4000-8000-000000000007")
		posts, err := snap.PostsByID(ctx, v, []uuid.UUID{chair, secret})
		if err != nil || posts[chair] == nil || (posts[secret] != nil) != sees {
			t.Errorf("%v: posts: %v %v", v, posts, err)
		}
		if n := counter.Statements(); n != 0 {
			t.Errorf("%v: %d statements, want none; they are %q", v, n, counter.SQL())
		}
	}
}

// TestSnapshotOfBefore asks a snapshot for a section, its committee and its post that
// came after it, and for a member who joined that section: it asks the database.
func TestSnapshotOfBefore(t *testing.T) {
	t.Parallel()
	db := pgtest.NewWith(t, "sections", sections)
	store, v := &unit.Store{DB: db}, viewer.Viewer{}
	snap, err := store.Snapshot(t.Context(), db, v)
	if err != nil {
		t.Fatal(err)
	}
	const (
		section   = "00000000-0000-4000-8000-000000000021"
		committee = "00000000-0000-4000-8000-000000000022"
		post      = "00000000-0000-4000-8000-000000000023"
	)
	if _, err := db.Exec(t.Context(), `
		WITH e AS (
			INSERT INTO entries (id, key, kind, slug, title) VALUES ('`+section+`', 'x', 'SPECIALIST_SECTION', 'x', 'X')
		), u AS (
			INSERT INTO units (id, kind, slug, name, short_name, position) VALUES ('`+section+`', 'SPECIALIST_SECTION', 'x', 'X', 'X', 9)
		), c AS (
			INSERT INTO committees (id, key, slug, name, unit_id) VALUES ('`+committee+`', 'x', 'x', 'X', '`+section+`')
		), p AS (
			INSERT INTO posts (id, key, committee_id, title, position) VALUES ('`+post+`', 'x', '`+committee+`', 'X', 0)
		)
		INSERT INTO section_memberships (member_id, section_id, starts_on)
		VALUES ('`+ada.String()+`', '`+section+`', '2021-01-01')`); err != nil {
		t.Fatal(err)
	}
	id := uuid.MustParse(section)
	byID, err := snap.SectionsByID(t.Context(), v, []uuid.UUID{old, id})
	if err != nil || byID[id] == nil || byID[old] == nil {
		t.Errorf("by ID: %v %v", byID, err)
	}
	of, err := snap.CommitteesOf(t.Context(), v, []uuid.UUID{id})
	if err != nil || of[id] == nil {
		t.Errorf("committees: %v %v", of, err)
	}
	posts, err := snap.PostsByID(t.Context(), v, []uuid.UUID{uuid.MustParse(post)})
	if err != nil || len(posts) != 1 {
		t.Errorf("posts: %v %v", posts, err)
	}
	want, err := store.SectionsOf(viewer.With(t.Context(), v), v, []uuid.UUID{ada, bea})
	if err != nil {
		t.Fatal(err)
	}
	got, err := snap.SectionsOf(t.Context(), v, []uuid.UUID{ada, bea})
	if err != nil || len(got[ada]) != 2 {
		t.Errorf("Ada's sections: %v %v", got[ada], err)
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("sections of members (-database +memory)\n%s", diff)
	}
	// What is asked by its slug is as old as the snapshot.
	if _, err := snap.Section(t.Context(), v, "x"); !errors.Is(err, errs.NotFound) {
		t.Errorf("by slug: %v, want %v", err, errs.NotFound)
	}
}
