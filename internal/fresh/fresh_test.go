package fresh_test

import (
	"testing"

	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/collegium/collegium/internal/fresh"
	"github.com/collegium/collegium/internal/pg"
	"github.com/collegium/collegium/internal/pg/pgtest"
)

func watch(t *testing.T, db *pgxpool.Pool) *fresh.Watcher {
	t.Helper()
	w := fresh.NewWatcher(db.Config().ConnConfig, fresh.Options{})
	t.Cleanup(w.Close)
	if !w.Fresh(t.Context()) {
		t.Fatal("a new watcher is not fresh")
	}
	return w
}

func write(t *testing.T, db pg.Querier, sql string, args ...any) {
	t.Helper()
	if _, err := db.Exec(t.Context(), sql, args...); err != nil {
		t.Fatalf("%s: %v", sql, err)
	}
}

// rest reads something and returns what it rests on.
func rest(t *testing.T, w *fresh.Watcher, db pg.Querier, sql string) fresh.Basis {
	t.Helper()
	ctx, reading := w.Begin(t.Context())
	if _, err := db.Exec(ctx, sql); err != nil {
		t.Fatal(err)
	}
	b, known := reading.Basis()
	if !known {
		t.Fatalf("%s rests on something unknown", sql)
	}
	return b
}

func TestAWriteEndsWhatRestsOnItsTable(t *testing.T) {
	t.Parallel()
	db := pgtest.New(t)
	w := watch(t, db)
	menus, members := rest(t, w, db, `SELECT FROM menus`), rest(t, w, db, `SELECT FROM members`)
	write(t, db, `INSERT INTO menus (id, handle, title) VALUES (gen_random_uuid(), 'm', 'M')`)
	w.Wrote()
	if !w.Fresh(t.Context()) || w.Holds(menus) || !w.Holds(members) {
		t.Errorf("after a write to menus: menus hold %v, members hold %v", w.Holds(menus), w.Holds(members))
	}
}
