package pg_test

import (
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/jackc/pgx/v5"

	"github.com/collegium/collegium/internal/pg"
	"github.com/collegium/collegium/internal/pg/pgtest"
)

func TestCounter(t *testing.T) {
	t.Parallel()
	pool := pgtest.New(t)
	if _, err := pool.Exec(t.Context(), `CREATE TABLE numbers (n INT)`); err != nil {
		t.Fatal(err)
	}
	outer, all := pg.WithCounter(t.Context())
	for _, round := range []string{"cold", "warm"} {
		ctx, c := pg.WithRecorder(outer)
		if _, err := pg.All[struct{ N int }](ctx, pool, `SELECT n FROM numbers WHERE n > @n`, pgx.StrictNamedArgs{"n": 1}); err != nil {
			t.Fatal(err)
		}
		err := pgx.BeginFunc(ctx, pool, func(tx pgx.Tx) error {
			b := &pgx.Batch{}
			b.Queue(`INSERT INTO numbers VALUES (@n)`, pgx.StrictNamedArgs{"n": 1})
			b.Queue(`INSERT INTO numbers VALUES (2)`)
			if err := tx.SendBatch(ctx, b).Close(); err != nil {
				return err
			}
			_, err := tx.CopyFrom(ctx, pgx.Identifier{"numbers"}, []string{"n"}, pgx.CopyFromRows([][]any{{3}, {4}}))
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
		want := []string{
			`SELECT n FROM numbers WHERE n > @n`,
			`begin`,
			`INSERT INTO numbers VALUES (@n)`,
			`INSERT INTO numbers VALUES (2)`,
			`COPY "numbers"`,
			`commit`,
		}
		if diff := cmp.Diff(want, c.SQL()); diff != "" {
			t.Errorf("%s: statements (-want +got):\n%s", round, diff)
		}
		if c.Statements() != len(want) {
			t.Errorf("%s: %d statements, want %d", round, c.Statements(), len(want))
		}
	}
	if all.Statements() != 12 || all.SQL() != nil {
		t.Errorf("around both: %d statements with %d texts, want 12 with none", all.Statements(), len(all.SQL()))
	}
	if _, err := pool.Exec(t.Context(), `SELECT 1`); err != nil || all.Statements() != 12 {
		t.Errorf("a statement of another context was counted: %d, %v", all.Statements(), err)
	}
}

func TestCounterConcurrently(t *testing.T) {
	t.Parallel()
	pool := pgtest.New(t)
	ctx, c := pg.WithRecorder(t.Context())
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			for range 25 {
				if _, err := pool.Exec(ctx, `SELECT 1`); err != nil {
					t.Error(err)
				}
			}
		})
	}
	wg.Wait()
	if c.Statements() != 200 || len(c.SQL()) != 200 {
		t.Errorf("%d statements with %d texts, want 200", c.Statements(), len(c.SQL()))
	}
}
