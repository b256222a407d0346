package nav_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
	"pgregory.net/rapid"

	"github.com/collegium/collegium/internal/errs"
	"github.com/collegium/collegium/internal/nav"
	"github.com/collegium/collegium/internal/pg"
	"github.com/collegium/collegium/internal/pg/pgtest"
	"github.com/collegium/collegium/internal/viewer"
)

// outline makes a menu of headings from "1", "1.1", "2" …: each item stands under
// the one whose label it extends by a step.
func outline(t testing.TB, db *pgxpool.Pool, handle string, labels ...string) map[string]uuid.UUID {
	t.Helper()
	ctx := context.Background()
	menu := uuid.New()
	exec(t, db, `INSERT INTO menus (id, handle, title) VALUES ($1, $2, $2)`, menu, handle)
	ids := map[string]uuid.UUID{}
	positions := map[string]int{}
	for _, label := range labels {
		parent := ""
		for i := len(label) - 1; i > 0; i-- {
			if label[i] == '.' {
				parent = label[:i]
				break
			}
		}
		var parentID *uuid.UUID
		if parent != "" {
			id := ids[parent]
			parentID = &id
		}
		ids[label] = uuid.New()
		if _, err := db.Exec(ctx, `
			INSERT INTO menu_items (id, key, menu_id, parent_id, position, label, kind)
			VALUES ($1, $2, $3, $4, $5, $6, 'HEADING')`,
			ids[label], handle+"/"+label, menu, parentID, positions[parent], label); err != nil {
			t.Fatal(err)
		}
		positions[parent]++
	}
	return ids
}

func exec(t testing.TB, db pg.Querier, sql string, args ...any) {
	t.Helper()
	if _, err := db.Exec(context.Background(), sql, args...); err != nil {
		t.Fatalf("%s: %v", sql, err)
	}
}

func labels(items []*nav.Item) []string {
	out := make([]string, len(items))
	for i, it := range items {
		out[i] = it.Label
	}
	return out
}

func TestMenu(t *testing.T) {
	t.Parallel()
	db := pgtest.New(t)
	outline(t, db, "main", "1", "1.1", "1.1.1", "1.2", "2", "3", "3.1")
	store := nav.Store{DB: db}
	m, err := store.Menu(t.Context(), viewer.Viewer{}, "main")
	if err != nil {
		t.Fatal(err)
	}
	items, err := m.Items(nil, nil)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]string{"1", "1.1", "1.1.1", "1.2", "2", "3", "3.1"}, labels(items)); diff != "" {
		t.Errorf("items in pre-order (-want +got)\n%s", diff)
	}
	if diff := cmp.Diff([]string{"1", "2", "3"}, labels(m.Roots)); diff != "" {
		t.Errorf("roots (-want +got)\n%s", diff)
	}
	third := items[2]
	if third.Depth != 3 || third.Parent.Label != "1.1" || m.Roots[0].DescendantCount != 3 {
		t.Errorf("depth %d, parent %q, descendants of the first %d", third.Depth, third.Parent.Label, m.Roots[0].DescendantCount)
	}
	if diff := cmp.Diff([]string{"1", "1.1"}, labels(third.Ancestors())); diff != "" {
		t.Errorf("ancestors (-want +got)\n%s", diff)
	}
	root := m.Roots[0].NodeID()
	two := 2
	below, err := m.Items(&two, &root)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]string{"1", "1.1", "1.2"}, labels(below)); diff != "" {
		t.Errorf("items below one, cut (-want +got)\n%s", diff)
	}
	if _, err := store.Menu(t.Context(), viewer.Viewer{}, "nothing"); !errors.Is(err, errs.NotFound) {
		t.Errorf("an unknown handle: got %v, want errs.NotFound", err)
	}
}

// TestAccess hides an item with all below it from those who may not see it.
func TestAccess(t *testing.T) {
	t.Parallel()
	db := pgtest.New(t)
	ids := outline(t, db, "main", "1", "1.1", "1.1.1", "2", "3", "3.1")
	exec(t, db, `UPDATE menu_items SET access = 'MEMBERS' WHERE id = $1`, ids["1.1"])
	exec(t, db, `UPDATE menu_items SET access = 'STAFF' WHERE id = $1`, ids["3"])
	store := nav.Store{DB: db}
	for role, want := range map[viewer.Role][]string{
		viewer.Anonymous: {"1", "2"},
		viewer.Member:    {"1", "1.1", "1.1.1", "2"},
		viewer.Staff:     {"1", "1.1", "1.1.1", "2", "3", "3.1"},
	} {
		m, err := store.Menu(t.Context(), viewer.Viewer{Role: role}, "main")
		if err != nil {
			t.Fatal(err)
		}
		items, err := m.Items(nil, nil)
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(want, labels(items)); diff != "" {
			t.Errorf("role %d (-want +got)\n%s", role, diff)
		}
		if m.ItemCount() != len(want) {
			t.Errorf("role %d: itemCount %d, want %d", role, m.ItemCount(), len(want))
		}
	}
}

// TestOneStatement reads menus of any size in one statement.
func TestOneStatement(t *testing.T) {
	t.Parallel()
	db := pgtest.New(t)
	outline(t, db, "small", "1")
	outline(t, db, "large", "1", "1.1", "1.1.1", "1.1.2", "1.2", "2", "2.1")
	outline(t, db, "empty")
	store := nav.Store{DB: db}
	for _, handle := range []string{"small", "large", "empty"} {
		ctx, counter := pg.WithCounter(t.Context())
		if _, err := store.Menu(ctx, viewer.Viewer{}, handle); err != nil {
			t.Fatal(err)
		}
		if n := counter.Statements(); n != 1 {
			t.Errorf("%s: %d statements, want 1", handle, n)
		}
	}
}

func TestConstraints(t *testing.T) {
	t.Parallel()
	tests := map[string]struct {
		sql  string
		args func(a, b map[string]uuid.UUID) []any
		want string
	}{
		"a circle": {
			`UPDATE menu_items SET parent_id = $1, position = 9 WHERE id = $2`,
			func(a, _ map[string]uuid.UUID) []any { return []any{a["1.1.1"], a["1"]} }, "menu_items_no_cycle",
		},
		"its own parent": {
			`UPDATE menu_items SET parent_id = $1, position = 9 WHERE id = $1`,
			func(a, _ map[string]uuid.UUID) []any { return []any{a["1"]} }, "menu_items_not_own_parent",
		},
		"a parent in another menu": {
			`UPDATE menu_items SET parent_id = $1, position = 9 WHERE id = $2`,
			func(a, b map[string]uuid.UUID) []any { return []any{b["1"], a["1.1"]} }, "menu_items_parent_fkey",
		},
		"a position twice": {
			`UPDATE menu_items SET position = 0 WHERE id = $1`,
			func(a, _ map[string]uuid.UUID) []any { return []any{a["2"]} }, "menu_items_position_unique",
		},
		"no label": {
			`UPDATE menu_items SET label = ' ' WHERE id = $1`,
			func(a, _ map[string]uuid.UUID) []any { return []any{a["2"]} }, "menu_items_label_present",
		},
		"a page without a target": {
			`UPDATE menu_items SET kind = 'PAGE' WHERE id = $1`,
			func(a, _ map[string]uuid.UUID) []any { return []any{a["2"]} }, "menu_items_target_fits_kind",
		},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			db := pgtest.New(t)
			a := outline(t, db, "a", "1", "1.1", "1.1.1", "2")
			b := outline(t, db, "b", "1")
			_, err := db.Exec(t.Context(), tt.sql, tt.args(a, b)...)
			if got := pg.Constraint(err); got != tt.want {
				t.Errorf("constraint %q, want %q (%v)", got, tt.want, err)
			}
		})
	}
}

// TestCircleByInsert refuses items that arrive together and name each other.
func TestCircleByInsert(t *testing.T) {
	t.Parallel()
	db := pgtest.New(t)
	outline(t, db, "main")
	x, y := uuid.New(), uuid.New()
	_, err := db.Exec(t.Context(), `
		INSERT INTO menu_items (id, key, menu_id, parent_id, position, label, kind)
		SELECT v.id, v.id::text, m.id, v.parent_id, 0, 'x', 'HEADING'
		FROM menus m, (VALUES ($1::uuid, $2::uuid), ($2, $1)) v (id, parent_id)`, x, y)
	if got := pg.Constraint(err); got != "menu_items_no_cycle" {
		t.Errorf("constraint %q, want menu_items_no_cycle (%v)", got, err)
	}
}

// TestConcurrentMoves moves random subtrees from several connections at once.
// Whatever wins, every item stays reachable from the top, once.
func TestConcurrentMoves(t *testing.T) {
	t.Parallel()
	db := pgtest.New(t)
	round := 0
	rapid.Check(t, func(rt *rapid.T) {
		round++
		handle := fmt.Sprintf("round-%d", round)
		ids := outline(t, db, handle, "1", "1.1", "1.1.1", "1.2", "2", "2.1", "2.1.1", "3")
		names := []string{"1", "1.1", "1.1.1", "1.2", "2", "2.1", "2.1.1", "3"}
		type move struct{ item, parent string }
		moves := rapid.SliceOfN(rapid.Custom(func(rt *rapid.T) move {
			return move{rapid.SampledFrom(names).Draw(rt, "item"), rapid.SampledFrom(names).Draw(rt, "parent")}
		}), 2, 8).Draw(rt, "moves")
		var wg sync.WaitGroup
		unexpected := make(chan error, len(moves))
		for i, mv := range moves {
			wg.Add(1)
			go func() {
				defer wg.Done()
				_, err := db.Exec(context.Background(), `UPDATE menu_items SET parent_id = $1, position = $2 WHERE id = $3`,
					ids[mv.parent], 100+i, ids[mv.item])
				switch pg.Constraint(err) {
				case "menu_items_no_cycle", "menu_items_not_own_parent":
				default:
					if err != nil {
						unexpected <- err
					}
				}
			}()
		}
		wg.Wait()
		close(unexpected)
		for err := range unexpected {
			rt.Fatalf("a move failed for another reason than a circle: %v", err)
		}
		m, err := (&nav.Store{DB: db}).Menu(context.Background(), viewer.Viewer{}, handle)
		if err != nil {
			rt.Fatal(err)
		}
		if m.ItemCount() != len(names) {
			rt.Fatalf("%d of %d items hang on the tree after %v", m.ItemCount(), len(names), moves)
		}
	})
}

// TestHidingIsLinear reads a large menu most of which is hidden, by a plan that
// looks at each item once.
func TestHidingIsLinear(t *testing.T) {
	t.Parallel()
	db := pgtest.New(t)
	exec(t, db, `
		WITH menu AS (INSERT INTO menus (id, handle, title) VALUES (gen_random_uuid(), 'big', 'Big') RETURNING id)
		INSERT INTO menu_items (id, key, menu_id, position, label, kind, access)
		SELECT gen_random_uuid(), 'big/' || n, menu.id, n, 'Item ' || n, 'HEADING', CASE WHEN n % 10 = 0 THEN 'PUBLIC' ELSE 'STAFF' END
		FROM menu, generate_series(1, 20000) n`)
	exec(t, db, `ANALYZE`)
	m, err := (&nav.Store{DB: db}).Menu(t.Context(), viewer.Viewer{}, "big")
	if err != nil {
		t.Fatal(err)
	}
	if m.ItemCount() != 2000 {
		t.Errorf("%d items show, want 2000", m.ItemCount())
	}
	ctx, recorder := pg.WithRecorder(t.Context())
	if _, err := (&nav.Store{DB: db}).Menu(ctx, viewer.Viewer{}, "big"); err != nil {
		t.Fatal(err)
	}
	plan, err := pg.Scalars[string](t.Context(), db, `EXPLAIN `+recorder.SQL()[0],
		pgx.StrictNamedArgs{"handle": "big", "reach": viewer.Viewer{}.Reach()})
	if err != nil {
		t.Fatal(err)
	}
	for _, line := range plan {
		if strings.Contains(line, "SubPlan") {
			t.Errorf("the plan asks a question for each item:\n%s", strings.Join(plan, "\n"))
			break
		}
	}
}
