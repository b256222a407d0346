package fresh_test

import (
	"fmt"
	"sync"
	"testing"

	"github.com/collegium/collegium/internal/fresh"
	"github.com/collegium/collegium/internal/pg"
	"github.com/collegium/collegium/internal/pg/pgtest"
)

// BenchmarkFresh asks what is known already, as every answer that is kept does.
func BenchmarkFresh(b *testing.B) {
	db := pgtest.New(b)
	w := watch(b, db)
	basis := rest(b, w, db, `SELECT FROM menus, menu_items, entries, routes, units, members`)
	ctx := b.Context()
	b.ReportAllocs()
	b.ResetTimer()
	b.RunParallel(func(p *testing.PB) {
		for p.Next() {
			if !w.Fresh(ctx) || !w.Holds(basis) {
				b.Error("not fresh")
			}
		}
	})
}

// BenchmarkAsk asks the database each time; a server does that 20 to 40 times a second.
func BenchmarkAsk(b *testing.B) {
	w := watch(b, pgtest.New(b))
	ctx := b.Context()
	for b.Loop() {
		w.Wrote()
		if !w.Fresh(ctx) {
			b.Fatal("not fresh")
		}
	}
}

// BenchmarkConnect is what a lost connection costs.
func BenchmarkConnect(b *testing.B) {
	db := pgtest.New(b)
	for b.Loop() {
		w := fresh.NewWatcher(db.Config().ConnConfig, fresh.Options{})
		if !w.Fresh(b.Context()) {
			b.Fatal("not fresh")
		}
		w.Close()
	}
}

// BenchmarkWrite is what the triggers cost who writes: one row a transaction, each
// writer its own.
func BenchmarkWrite(b *testing.B) {
	for _, triggers := range []string{"ENABLE ALWAYS", "DISABLE"} {
		for _, writers := range []int{1, 16} {
			b.Run(fmt.Sprintf("triggers=%s/writers=%d", triggers, writers), func(b *testing.B) {
				db, err := pg.Open(b.Context(), pgtest.DSN(b), pg.Options{MaxConns: int32(writers)})
				if err != nil {
					b.Fatal(err)
				}
				b.Cleanup(db.Close)
				do(b, db, `ALTER TABLE menus `+triggers+` TRIGGER menus_note_change`)
				do(b, db, `INSERT INTO menus (id, handle, title) SELECT gen_random_uuid(), 'm-' || i, 'M' FROM generate_series(1, $1::int) i`, writers)
				b.ResetTimer()
				var all sync.WaitGroup
				for i := range writers {
					all.Go(func() {
						for range (b.N + writers - 1) / writers {
							if _, err := db.Exec(b.Context(), `UPDATE menus SET position = position + 1 WHERE handle = 'm-' || $1::int`, i+1); err != nil {
								b.Error(err)
								return
							}
						}
					})
				}
				all.Wait()
			})
		}
	}
}
