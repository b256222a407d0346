package pg_test

import (
	"context"
	"fmt"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/jackc/pgx/v5"

	"github.com/collegium/collegium/internal/pg"
	"github.com/collegium/collegium/internal/pg/pgtest"
)

const whoAsks = `SELECT concat_ws('/',
	current_setting('collegium.account', true), current_setting('collegium.application', true),
	current_setting('collegium.member', true), current_setting('collegium.unit', true),
	current_setting('collegium.permissions', true), current_setting('collegium.request', true))`

// TestActing asks, by each way to send a statement, for whom it runs, and then whether the connection has forgotten.
func TestActing(t *testing.T) {
	t.Parallel()
	pool := pgtest.New(t)
	q := pg.Acting{Pool: pool}
	scan := func(ctx context.Context, q pg.Querier) (who string, err error) {
		err = q.QueryRow(ctx, whoAsks).Scan(&who)
		return who, err
	}
	ways := map[string]func(ctx context.Context) (string, error){
		"Query":    func(ctx context.Context) (string, error) { return pg.Scalar[string](ctx, q, whoAsks) },
		"QueryRow": func(ctx context.Context) (string, error) { return scan(ctx, q) },
		"Exec": func(ctx context.Context) (string, error) {
			if _, err := q.Exec(ctx, `CREATE TABLE IF NOT EXISTS said (who text)`); err != nil {
				return "", err
			}
			if _, err := q.Exec(ctx, `INSERT INTO said `+whoAsks); err != nil {
				return "", err
			}
			return pg.Scalar[string](ctx, pool, `DELETE FROM said RETURNING who`)
		},
		"SendBatch": func(ctx context.Context) (who string, err error) {
			b := &pgx.Batch{}
			b.Queue(`SELECT 1`)
			b.Queue(whoAsks)
			results := q.SendBatch(ctx, b)
			defer results.Close()
			if _, err := results.Exec(); err != nil {
				return "", err
			}
			err = results.QueryRow().Scan(&who)
			return who, err
		},
		"Begin": func(ctx context.Context) (who string, err error) {
			err = pgx.BeginFunc(ctx, q, func(tx pgx.Tx) error {
				who, err = scan(ctx, tx)
				return err
			})
			return who, err
		},
	}
	acting := pg.WithActor(t.Context(), pg.Actor{
		Account: "a", Application: "b", Member: "c", Unit: "d", Permissions: "E,F", Request: "g",
	})
	for name, ask := range ways {
		if who, err := ask(acting); err != nil || who != "a/b/c/d/E,F/g" {
			t.Errorf("%s runs for %q, %v", name, who, err)
		}
		for range 3 {
			if who, err := ask(t.Context()); err != nil || who != "/////" && who != "" {
				t.Errorf("%s, for nobody, runs for %q, %v", name, who, err)
			}
		}
	}
	if n, err := q.CopyFrom(acting, pgx.Identifier{"said"}, []string{"who"}, pgx.CopyFromRows([][]any{{"x"}, {"y"}})); n != 2 || err != nil {
		t.Errorf("CopyFrom: %d, %v", n, err)
	}
	if n := pool.Stat().AcquiredConns(); n != 0 {
		t.Errorf("%d connections were not given back", n)
	}
}

// TestActingFails breaks statements in each way: the error is that of the statement, nothing of it stays, and the
// connection goes back.
func TestActingFails(t *testing.T) {
	t.Parallel()
	pool := pgtest.New(t)
	q := pg.Acting{Pool: pool}
	if _, err := pool.Exec(t.Context(), `
		CREATE TABLE parents (id int CONSTRAINT parents_pkey PRIMARY KEY);
		CREATE TABLE children (id int, CONSTRAINT children_parent FOREIGN KEY (id) REFERENCES parents DEFERRABLE INITIALLY DEFERRED)`); err != nil {
		t.Fatal(err)
	}
	ctx := pg.WithActor(t.Context(), pg.Actor{Account: "a"})
	insert := func(sql string) map[string]error {
		_, executed := q.Exec(ctx, sql, 1)
		_, asked := pg.Scalar[int](ctx, q, sql+` RETURNING id`, 1)
		_, read := pg.All[struct{ ID int }](ctx, q, sql+` RETURNING id`, 1)
		var id int
		scanned := q.QueryRow(ctx, sql+` RETURNING id`, 1).Scan(&id)
		return map[string]error{"Exec": executed, "Scalar": asked, "All": read, "QueryRow": scanned}
	}
	for way, err := range insert(`INSERT INTO children VALUES ($1)`) {
		if pg.Constraint(err) != "children_parent" {
			t.Errorf("%s: a constraint that is checked last: %v", way, err)
		}
	}
	if _, err := pool.Exec(t.Context(), `INSERT INTO parents VALUES (1)`); err != nil {
		t.Fatal(err)
	}
	for way, err := range insert(`INSERT INTO parents VALUES ($1)`) {
		if pg.Constraint(err) != "parents_pkey" {
			t.Errorf("%s: a constraint that is checked at once: %v", way, err)
		}
	}
	if _, err := q.Query(ctx, `SELEC`); err == nil {
		t.Error("what is no SQL is run")
	}
	if n, err := pg.Scalar[int](t.Context(), pool, `SELECT count(*)::int FROM children`); n != 0 || err != nil {
		t.Errorf("%d rows stayed, %v", n, err)
	}
	if n := pool.Stat().AcquiredConns(); n != 0 {
		t.Errorf("%d connections were not given back", n)
	}
}

// TestActingBesideEachOther has many actors share few connections: each statement runs for its own.
func TestActingBesideEachOther(t *testing.T) {
	t.Parallel()
	pool := pgtest.New(t)
	q := pg.Acting{Pool: pool}
	var wg sync.WaitGroup
	for i := range 8 {
		wg.Go(func() {
			ctx, c := pg.WithCounter(pg.WithActor(t.Context(), pg.Actor{Account: fmt.Sprint(i)}))
			for range 50 {
				if got, err := pg.Scalar[string](ctx, q, `SELECT current_setting('collegium.account')`); err != nil || got != fmt.Sprint(i) {
					t.Errorf("a statement of %d runs for %q, %v", i, got, err)
				}
			}
			if diff := cmp.Diff(50, c.Statements()); diff != "" {
				t.Errorf("statements (-want +got)\n%s", diff)
			}
		})
	}
	wg.Wait()
}
