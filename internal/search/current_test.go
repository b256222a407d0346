package search_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgxpool"
	"pgregory.net/rapid"

	"github.com/collegium/collegium/internal/pg"
	"github.com/collegium/collegium/internal/pg/pgtest"
)

// TestSearchIsCurrent: each kind of write is found, or no longer found, by the next search.
func TestSearchIsCurrent(t *testing.T) {
	t.Parallel()
	s := open(t)
	cafe, home, study := idOf("/practice/the-placement-cafe"), idOf("/"), idOf("/careers/from-student-to-leader")
	section, leaflet := idOf("/about-us/sections/housing"), idOf("Stroke pathway leaflet")
	for _, test := range []struct {
		write string
		args  []any
		query string
		want  []string
	}{
		{`UPDATE entries SET title = 'The Rhubarb Room' WHERE id = $1`, []any{cafe}, "rhubarb", []string{"The Rhubarb Room"}},
		{`UPDATE entries SET summary = 'Gooseberry' WHERE id = $1`, []any{home}, "gooseberry", []string{"Home"}},
		{`UPDATE blocks SET plain = 'Blackcurrant' WHERE entry_id = $1 AND position = 0`, []any{cafe}, "blackcurrant", []string{"The Rhubarb Room"}},
		{`UPDATE blocks SET entry_id = $1, position = 5 WHERE entry_id = $2 AND position = 0`, []any{home, cafe}, "blackcurrant", []string{"Home"}},
		{`DELETE FROM blocks WHERE plain = 'Blackcurrant'`, nil, "blackcurrant", []string{}},
		{`INSERT INTO blocks (id, entry_id, position, kind, plain) VALUES (gen_random_uuid(), $1, 7, 'FAQ_LIST', 'Redcurrant')`, []any{home}, "redcurrant", []string{"Home"}},
		{`UPDATE routes SET path = '/elderberry' WHERE entry_id = $1`, []any{cafe}, "elderberry", []string{"The Rhubarb Room"}},
		{`UPDATE routes SET kind = 'REDIRECT' WHERE path = '/elderberry'`, nil, "elderberry", []string{}},
		{`INSERT INTO routes (path, kind, entry_id) VALUES ('/loganberry', 'CURRENT', $1)`, []any{leaflet}, "loganberry", []string{"Stroke pathway leaflet"}},
		{`DELETE FROM routes WHERE path = '/loganberry'`, nil, "loganberry", []string{}},
		{`UPDATE units SET aliases = '{mulberry}' WHERE id = $1`, []any{section}, "mulberry", []string{"RCOT SS - Housing"}},
		{`UPDATE units SET local_names = '{"gd": "Smeur"}' WHERE id = $1`, []any{section}, "smeur", []string{"RCOT SS - Housing"}},
		{`UPDATE case_studies SET headline = 'Cloudberry' WHERE entry_id = $1`, []any{study}, "cloudberry", []string{"From student to leader"}},
		{`DELETE FROM case_studies WHERE entry_id = $1`, []any{study}, "cloudberry", []string{}},
		{`UPDATE entries SET status = 'PUBLISHED' WHERE title LIKE 'Durian%'`, nil, "durian", []string{"Durian draft for practice"}},
		{`UPDATE entries SET status = 'GONE' WHERE title LIKE 'Durian%'`, nil, "durian", []string{}},
		{`UPDATE entries SET access = 'MEMBERS' WHERE id = $1`, []any{home}, "redcurrant", []string{}},
		{`UPDATE entries SET access = 'PUBLIC' WHERE id = $1`, []any{home}, "redcurrant", []string{"Home"}},
		{`UPDATE entries SET access = 'STAFF' WHERE id = $1`, []any{home}, "gooseberry", []string{}},
		{`DELETE FROM entries WHERE id = $1`, []any{leaflet}, "leaflet", []string{}},
		{`TRUNCATE blocks CASCADE`, nil, "stairlifts", []string{}},
		{`TRUNCATE entries CASCADE`, nil, "rcot", []string{}},
	} {
		exec(t, s.DB, test.write, test.args...)
		if diff := cmp.Diff(test.want, titles(t, s, anonymous, test.query)); diff != "" {
			t.Errorf("after %s, Search(%q) (-want +got):\n%s", test.write, test.query, diff)
		}
	}
	if diff := cmp.Diff(rebuilt(t, s.DB), index(t, s.DB)); diff != "" {
		t.Errorf("the index is not what a rebuild makes (-rebuilt +kept):\n%s", diff)
	}
}

// TestSearchSpellingIsCurrent: a word is a spelling as long as it stands in a public text.
func TestSearchSpellingIsCurrent(t *testing.T) {
	t.Parallel()
	s := open(t)
	meant := func() string {
		c := find(t, s, staff, "rhubrab")
		if c.DidYouMean == nil {
			return ""
		}
		return *c.DidYouMean
	}
	cafe := idOf("/practice/the-placement-cafe")
	for _, test := range []struct{ write, want string }{
		{`UPDATE blocks SET plain = 'Rhubarb' WHERE entry_id = $1 AND position = 0`, "rhubarb"},
		{`UPDATE entries SET access = 'MEMBERS' WHERE id = $1`, ""},
		{`UPDATE entries SET summary = 'Rhubarb' WHERE id = $1`, "rhubarb"},
		{`UPDATE entries SET access = 'STAFF' WHERE id = $1`, ""},
		{`UPDATE entries SET access = 'PUBLIC' WHERE id = $1`, "rhubarb"},
		{`UPDATE entries SET status = 'DRAFT' WHERE id = $1`, ""},
		{`UPDATE entries SET status = 'PUBLISHED' WHERE id = $1`, "rhubarb"},
		{`DELETE FROM entries WHERE id = $1`, ""},
	} {
		exec(t, s.DB, test.write, cafe)
		if got := meant(); got != test.want {
			t.Errorf("after %s: did you mean %q, want %q", test.write, got, test.want)
		}
	}
}

// deadlockOfRows is whether two statements each waited for a row that the other wrote, and
// neither was writing the index: one that writes several rows of an entry, in the order in
// which they lie, can meet one that deletes the entry.
func deadlockOfRows(err error) bool {
	var e *pgconn.PgError
	return errors.As(err, &e) && e.Code == "40P01" && !strings.Contains(e.Where, "search_")
}

// index is what the index holds, in words.
func index(t testing.TB, db pg.Querier) []string {
	t.Helper()
	rows, err := pg.Scalars[string](context.Background(), db, `
		SELECT s::text FROM entry_search s
		UNION ALL
		SELECT t::text FROM search_terms t
		UNION ALL
		SELECT c::text FROM search_completions c
		UNION ALL
		SELECT 'pending ' || p::text FROM search_pending p
		ORDER BY 1`)
	if err != nil {
		t.Fatal(err)
	}
	return rows
}

// rebuilt is what the index would hold if it were made anew.
func rebuilt(t testing.TB, db pg.Querier) []string {
	t.Helper()
	ctx := context.Background()
	tx, err := db.Begin(ctx)
	if err != nil {
		t.Fatal(err)
	}
	defer tx.Rollback(ctx) //nolint:errcheck // it is only looked at
	exec(t, tx, `TRUNCATE entry_search, search_terms, search_completions, search_pending`)
	exec(t, tx, `SELECT search_refresh(array_agg(id)) FROM entries`)
	return index(t, tx)
}

// writer makes writes that change what can be found. Each is about one of a few entries, so that they meet.
type writer struct {
	pick func(n int) int
}

func (w writer) text() string {
	words := []string{"care", "Housing", "café", "the", "RCOT/BAOT", "kumquat", "practice", "<b>", "Ł", "2024"}
	var b strings.Builder
	for range 1 + w.pick(4) {
		b.WriteString(words[w.pick(len(words))] + " ")
	}
	return b.String()
}

func (w writer) of(s ...string) string { return s[w.pick(len(s))] }

// write makes one write about entry n.
func (w writer) write(ctx context.Context, db pg.Querier, n int) error {
	id, path := idOf(fmt.Sprint("entry ", n)), fmt.Sprintf("/entry-%d", n)
	var sql string
	args := []any{id}
	switch w.pick(14) {
	case 0, 1:
		sql = `INSERT INTO entries (id, key, kind, slug, title, summary, status, access)
			VALUES ($1, $2, 'CASE_STUDY', 'x', $3, $4, $5, $6) ON CONFLICT (id) DO NOTHING`
		args = append(args, path, w.text(), w.text(), w.of("PUBLISHED", "PUBLISHED", "DRAFT"), w.of("PUBLIC", "PUBLIC", "MEMBERS", "STAFF"))
	case 2:
		sql = `UPDATE entries SET title = $2, summary = $3 WHERE id = $1`
		args = append(args, w.text(), w.text())
	case 3:
		sql = `UPDATE entries SET access = $2, status = $3 WHERE id = $1`
		args = append(args, w.of("PUBLIC", "MEMBERS", "STAFF"), w.of("PUBLISHED", "PUBLISHED", "GONE"))
	case 4:
		sql = `UPDATE entries SET position = position + 1 WHERE id = $1`
	case 5:
		sql = `DELETE FROM entries WHERE id = $1`
	case 6:
		sql = `INSERT INTO routes (path, kind, entry_id) SELECT $2, 'CURRENT', id FROM entries WHERE id = $1 ON CONFLICT DO NOTHING`
		args = append(args, w.of(path, path+"/care", path+"/a/b"))
	case 7:
		sql = `UPDATE routes SET kind = 'REDIRECT' WHERE entry_id = $1`
	case 8:
		sql = `DELETE FROM routes WHERE entry_id = $1`
	case 9, 10:
		sql = `INSERT INTO blocks (id, entry_id, position, kind, plain)
			SELECT gen_random_uuid(), e.id, (SELECT coalesce(max(b.position), 0) + 1 FROM blocks b WHERE b.entry_id = e.id), 'RICH_TEXT', $2
			FROM entries e WHERE e.id = $1`
		args = append(args, w.text())
	case 11:
		sql = `UPDATE blocks SET plain = $2 WHERE entry_id = $1`
		args = append(args, w.text())
	case 12:
		sql = `DELETE FROM blocks WHERE entry_id = $1 AND position < 3`
	case 13:
		sql = `INSERT INTO case_studies (entry_id, person, headline, level, level_label)
			SELECT id, $2, $3, 'EXPERIENCED', 'x' FROM entries WHERE id = $1
			ON CONFLICT (entry_id) DO UPDATE SET headline = excluded.headline`
		args = append(args, w.text(), w.text())
	}
	_, err := db.Exec(ctx, sql, args...)
	return err
}

func levels(ctx context.Context, db *pgxpool.Pool) error {
	_, err := db.Exec(ctx, `INSERT INTO career_levels (level, position, title) VALUES ('EXPERIENCED', 2, 'Experienced')`)
	return err
}

// TestIndexIsWhatARebuildMakes: whatever is written, in transactions that commit or not, wholly or in part.
func TestIndexIsWhatARebuildMakes(t *testing.T) {
	t.Parallel()
	db := pgtest.NewWith(t, "levels", levels)
	ctx := t.Context()
	rapid.Check(t, func(rt *rapid.T) {
		w := writer{pick: func(n int) int { return rapid.IntRange(0, n-1).Draw(rt, "pick") }}
		for range rapid.IntRange(1, 5).Draw(rt, "transactions") {
			tx, err := db.Begin(ctx)
			if err != nil {
				rt.Fatal(err)
			}
			for range 1 + w.pick(5) {
				if err := w.write(ctx, tx, w.pick(3)); err != nil {
					rt.Fatal(err)
				}
				switch w.pick(8) {
				case 0: // a part that is rolled back
					part, err := tx.Begin(ctx)
					if err == nil {
						err = w.write(ctx, part, w.pick(3))
					}
					if err == nil {
						err = part.Rollback(ctx)
					}
					if err != nil {
						rt.Fatal(err)
					}
				case 1: // the refresh may be asked for early
					if _, err := tx.Exec(ctx, `SET CONSTRAINTS ALL IMMEDIATE`); err != nil {
						rt.Fatal(err)
					}
				}
			}
			end := tx.Commit
			if w.pick(5) == 0 {
				end = tx.Rollback
			}
			if err := end(ctx); err != nil {
				rt.Fatal(err)
			}
		}
		if diff := cmp.Diff(rebuilt(t, db), index(t, db)); diff != "" {
			rt.Fatalf("the index is not what a rebuild makes (-rebuilt +kept):\n%s", diff)
		}
	})
}

// TestIndexUnderConcurrentWrites: writers that meet at the same entries lose nothing, and the index makes none of them
// fail. Each transaction is one statement: with more, writers often deadlock without any index.
func TestIndexUnderConcurrentWrites(t *testing.T) {
	t.Parallel()
	db := pgtest.NewWith(t, "levels", levels)
	ctx := t.Context()
	var wg sync.WaitGroup
	for seed := range 4 {
		wg.Go(func() {
			w := writer{pick: rand.New(rand.NewPCG(uint64(seed), 7)).IntN}
			for range 150 {
				// Of two that add to the same place, or one that deletes what another adds to, one may be refused.
				if err := w.write(ctx, db, w.pick(3)); err != nil && pg.Constraint(err) == "" && !deadlockOfRows(err) {
					t.Errorf("writer %d: %v", seed, err)
				}
			}
		})
	}
	wg.Wait()
	got := index(t, db)
	if len(got) == 0 {
		t.Error("nothing was left to compare")
	}
	if diff := cmp.Diff(rebuilt(t, db), got); diff != "" {
		t.Errorf("the index is not what a rebuild makes (-rebuilt +kept):\n%s", diff)
	}
}
