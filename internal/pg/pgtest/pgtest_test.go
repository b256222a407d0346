package pgtest_test

import (
	"context"
	"fmt"
	"testing"

	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/collegium/collegium/internal/pg"
	"github.com/collegium/collegium/internal/pg/pgtest"
)

func TestDatabasesAreSeparate(t *testing.T) {
	t.Parallel()
	for i := range 4 {
		t.Run(fmt.Sprint(i), func(t *testing.T) {
			t.Parallel()
			pool := pgtest.New(t)
			if _, err := pool.Exec(t.Context(), `CREATE TABLE only_here (i INT)`); err != nil {
				t.Fatal(err)
			}
		})
	}
}

func TestNewWithSeedsOnce(t *testing.T) {
	t.Parallel()
	runs := 0
	seed := func(ctx context.Context, pool *pgxpool.Pool) error {
		runs++
		_, err := pool.Exec(ctx, `CREATE TABLE seeded AS SELECT generate_series(1, 10) AS n`)
		return err
	}
	for range 3 {
		pool := pgtest.NewWith(t, "ten numbers", seed)
		n, err := pg.Scalar[int](t.Context(), pool, `SELECT count(*) FROM seeded`)
		if err != nil || n != 10 {
			t.Fatalf("count = %d, %v; want 10", n, err)
		}
		// What one test does to its clone must not reach the next.
		if _, err := pool.Exec(t.Context(), `DELETE FROM seeded`); err != nil {
			t.Fatal(err)
		}
	}
	if runs != 1 {
		t.Errorf("seed ran %d times, want 1", runs)
	}
}

func TestTxIsRolledBack(t *testing.T) {
	t.Parallel()
	for range 2 {
		t.Run("", func(t *testing.T) {
			if _, err := pgtest.Tx(t).Exec(t.Context(), `CREATE TABLE gone_afterwards (i INT)`); err != nil {
				t.Fatal(err)
			}
		})
	}
}

func TestDatabasesAreDropped(t *testing.T) {
	t.Parallel()
	var dsn string
	t.Run("user", func(t *testing.T) { dsn = pgtest.EmptyDSN(t) })
	if pool, err := pg.Open(t.Context(), dsn, pg.Options{}); err == nil {
		pool.Close()
		t.Errorf("the database of an ended test still answers")
	}
}
