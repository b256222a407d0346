package once_test

import (
	"errors"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/collegium/collegium/internal/errs"
	"github.com/collegium/collegium/internal/once"
	"github.com/collegium/collegium/internal/pg"
	"github.com/collegium/collegium/internal/pg/pgtest"
)

// accounts makes two accounts.
func accounts(t *testing.T, db *pgxpool.Pool) (ada, bea uuid.UUID) {
	t.Helper()
	ada, bea = uuid.New(), uuid.New()
	if _, err := db.Exec(t.Context(), `INSERT INTO accounts (id, email) VALUES ($1, 'ada@example.org'), ($2, 'bea@example.org')`, ada, bea); err != nil {
		t.Fatal(err)
	}
	if _, err := db.Exec(t.Context(), `CREATE TABLE effects (id uuid PRIMARY KEY)`); err != nil {
		t.Fatal(err)
	}
	return ada, bea
}

// effect writes a row and answers its ID.
func effect(t *testing.T) func(pg.Querier) (uuid.UUID, error) {
	return func(db pg.Querier) (uuid.UUID, error) {
		id := uuid.New()
		_, err := db.Exec(t.Context(), `INSERT INTO effects VALUES ($1)`, id)
		return id, err
	}
}

func effects(t *testing.T, db *pgxpool.Pool) int {
	t.Helper()
	n, err := pg.Scalar[int](t.Context(), db, `SELECT count(*) FROM effects`)
	if err != nil {
		t.Fatal(err)
	}
	return n
}

func refused(err error) bool {
	invalid := (*errs.Invalid)(nil)
	return errors.As(err, &invalid) && invalid.Fields[0].Path == "input.idempotencyKey"
}

// TestDo asks the same again, with another body, as somebody else, without a key, after a
// failure, and when the key is forgotten.
func TestDo(t *testing.T) {
	t.Parallel()
	db := pgtest.New(t)
	ada, bea := accounts(t, db)
	key := "k"
	write := once.Write{Account: ada, Key: &key, Name: "make", Input: map[string]string{"name": "x"}}
	do := func(w once.Write) (uuid.UUID, bool, error) { return once.Do(t.Context(), db, w, effect(t)) }

	_, _, err := once.Do(t.Context(), db, write, func(db pg.Querier) (uuid.UUID, error) {
		if _, err := effect(t)(db); err != nil {
			t.Error(err)
		}
		return uuid.Nil, errs.Conflict
	})
	if !errors.Is(err, errs.Conflict) || effects(t, db) != 0 {
		t.Fatalf("a write that fails: %v, %d effects", err, effects(t, db))
	}
	first, again, err := do(write)
	if err != nil || again || effects(t, db) != 1 {
		t.Fatalf("the first: %v, again %t, %d effects", err, again, effects(t, db))
	}
	if id, again, err := do(write); err != nil || !again || id != first || effects(t, db) != 1 {
		t.Errorf("the same: %s, want %s; %v, again %t, %d effects", id, first, err, again, effects(t, db))
	}
	for name, change := range map[string]func(*once.Write){
		"another input": func(w *once.Write) { w.Input = map[string]string{"name": "y"} },
		"another write": func(w *once.Write) { w.Name = "remove" },
	} {
		w := write
		change(&w)
		if _, _, err := do(w); !refused(err) || effects(t, db) != 1 {
			t.Errorf("%s: %v, %d effects", name, err, effects(t, db))
		}
	}
	for i, change := range []func(*once.Write){
		func(w *once.Write) { w.Account = bea },
		func(w *once.Write) { w.Key = nil },
		func(w *once.Write) { w.Key = nil },
	} {
		w := write
		change(&w)
		if id, again, err := do(w); err != nil || again || id == first || effects(t, db) != i+2 {
			t.Errorf("what is unrelated, %d: %v, again %t, %d effects", i, err, again, effects(t, db))
		}
	}
	for _, bad := range []string{"", strings.Repeat("k", once.MaxKey+1), "\xff", "a\x00b"} {
		w := write
		w.Key = &bad
		if _, _, err := do(w); !refused(err) {
			t.Errorf("the key %.20q: %v", bad, err)
		}
	}
	before := effects(t, db)
	if err := once.Purge(t.Context(), db); err != nil {
		t.Fatal(err)
	}
	if id, again, err := do(write); err != nil || !again || id != first {
		t.Errorf("a purge forgot a key that holds: %v, again %t", err, again)
	}
	if _, err := db.Exec(t.Context(), `UPDATE idempotency_keys SET expires_at = now()`); err != nil {
		t.Fatal(err)
	}
	if id, again, err := do(write); err != nil || again || id == first || effects(t, db) != before+1 {
		t.Errorf("a key whose time is over: %v, again %t, %d effects", err, again, effects(t, db))
	}
	if err := once.Purge(t.Context(), db); err != nil {
		t.Fatal(err)
	}
	if n, err := pg.Scalar[int](t.Context(), db, `SELECT count(*) FROM idempotency_keys`); err != nil || n != 1 {
		t.Errorf("%d keys are left, want the one that was used anew (%v)", n, err)
	}
}

// TestDoAtOnce asks for the same, and for others of the same account, at the same time: each
// key has one effect and one answer, and nobody waits for ever.
func TestDoAtOnce(t *testing.T) {
	t.Parallel()
	db := pgtest.New(t)
	ada, _ := accounts(t, db)
	keys := []string{"a", "b"}
	answers := [12]uuid.UUID{}
	var firsts atomic.Int32
	var wg sync.WaitGroup
	for i := range answers {
		wg.Go(func() {
			id, again, err := once.Do(t.Context(), db, once.Write{Account: ada, Key: &keys[i%2], Name: "make"}, func(db pg.Querier) (uuid.UUID, error) {
				// As strong a lock as a write can take on its own account, when others have begun.
				if _, err := db.Exec(t.Context(), `SELECT pg_sleep(0.05)`); err != nil {
					return uuid.Nil, err
				}
				if _, err := db.Exec(t.Context(), `SELECT FROM accounts WHERE id = $1 FOR UPDATE`, ada); err != nil {
					return uuid.Nil, err
				}
				return effect(t)(db)
			})
			if err != nil {
				t.Error(err)
			}
			if !again {
				firsts.Add(1)
			}
			answers[i] = id
		})
	}
	wg.Wait()
	for i, id := range answers {
		if id != answers[i%2] {
			t.Errorf("two answers to one key: %v", answers)
		}
	}
	if firsts.Load() != 2 || effects(t, db) != 2 {
		t.Errorf("%d firsts and %d effects, want 2", firsts.Load(), effects(t, db))
	}
}
