package graph

import (
	"context"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/collegium/collegium/internal/fresh"
	"github.com/collegium/collegium/internal/pg"
	"github.com/collegium/collegium/internal/pg/pgtest"
	"github.com/collegium/collegium/internal/server"
)

// patience is how long a test waits for what must happen.
const patience = 20 * time.Second

// flights are answers over a database with an empty schema, and executions that the
// test holds up.
type flights struct {
	*answers
	db  *pgxpool.Pool
	key answerKey

	runs    atomic.Int32
	read    chan struct{} // gets a value when an execution has read
	release chan struct{} // lets one go on
}

func newFlights(t *testing.T) *flights {
	t.Helper()
	db := pgtest.New(t)
	w := fresh.NewWatcher(db.Config().ConnConfig, fresh.Options{Lease: 1})
	t.Cleanup(w.Close)
	if !w.Fresh(t.Context()) {
		t.Fatal("a new watcher is not fresh")
	}
	a, err := newAnswers(w, 1<<20)
	if err != nil {
		t.Fatal(err)
	}
	return &flights{answers: a, db: db, key: answerKey{operation: "Menus"}, read: make(chan struct{}, 100), release: make(chan struct{})}
}

// run counts the menus, and answers with the number when it is released.
func (f *flights) run(ctx context.Context) server.Result {
	f.runs.Add(1)
	n, err := pg.Scalar[int](ctx, f.db, `SELECT count(*)::int FROM menus`)
	if err != nil {
		return server.Result{Errors: 1, Body: []byte(err.Error())}
	}
	f.read <- struct{}{}
	select {
	case <-f.release:
		return server.Result{Body: fmt.Append(nil, n)}
	case <-ctx.Done():
		return server.Result{Errors: 1, Body: []byte(ctx.Err().Error())}
	}
}

// ask asks in a goroutine.
func (f *flights) ask(ctx context.Context, run func(context.Context) server.Result) <-chan server.Result {
	answer := make(chan server.Result, 1)
	go func() {
		defer close(answer)
		defer func() { _ = recover() }()
		if r, ok := f.answer(ctx, f.key, cacheRule{}, 1, run); ok {
			answer <- r
		}
	}()
	return answer
}

func (f *flights) write(t *testing.T) {
	t.Helper()
	if _, err := f.db.Exec(t.Context(), `INSERT INTO menus (id, handle, title) VALUES (gen_random_uuid(), gen_random_uuid()::text, 'M')`); err != nil {
		t.Fatal(err)
	}
}

// waiting waits until so many requests wait for the execution that is under way.
func (f *flights) waiting(t *testing.T, n int) {
	t.Helper()
	for begun := time.Now(); ; time.Sleep(time.Millisecond) {
		f.mu.Lock()
		got := 0
		if under := f.flights[f.key]; under != nil {
			got = under.wanted
		}
		f.mu.Unlock()
		if got == n {
			return
		}
		if time.Since(begun) > patience {
			t.Fatalf("%d requests wait, want %d", got, n)
		}
	}
}

func take[T any](t *testing.T, what string, ch <-chan T) T {
	t.Helper()
	select {
	case v, ok := <-ch:
		if !ok {
			t.Fatalf("%s: nothing came", what)
		}
		return v
	case <-time.After(patience):
		t.Fatalf("waited in vain for %s", what)
		panic("unreachable")
	}
}

// TestACrowdIsOneExecution lets a thousand requests ask the same at once.
func TestACrowdIsOneExecution(t *testing.T) {
	t.Parallel()
	f := newFlights(t)
	const crowd = 1000
	all := make([]<-chan server.Result, crowd)
	for i := range all {
		all[i] = f.ask(t.Context(), f.run)
	}
	take(t, "the execution", f.read)
	f.waiting(t, crowd)
	f.release <- struct{}{}
	for _, answer := range all {
		if r := take(t, "an answer", answer); string(r.Body) != "0" || r.Public == nil {
			t.Fatalf("%+v", r)
		}
	}
	if n := f.runs.Load(); n != 1 {
		t.Errorf("%d executions, want 1", n)
	}
	if misses, shared := f.misses.Load(), f.shared.Load(); misses != 1 || shared != crowd-1 {
		t.Errorf("%d misses and %d shared, want 1 and %d", misses, shared, crowd-1)
	}
}

// TestWhoComesAfterAWriteSeesIt lets a request come while an execution is under way
// that has read before a write.
func TestWhoComesAfterAWriteSeesIt(t *testing.T) {
	t.Parallel()
	f := newFlights(t)
	first := f.ask(t.Context(), f.run)
	take(t, "the first execution", f.read)
	f.write(t)
	f.watcher.Wrote()
	later := []<-chan server.Result{f.ask(t.Context(), f.run), f.ask(t.Context(), f.run), f.ask(t.Context(), f.run)}
	f.waiting(t, 4)
	f.release <- struct{}{}
	if r := take(t, "the first answer", first); string(r.Body) != "0" {
		t.Errorf("the first answer is %s, want 0", r.Body)
	}
	take(t, "the second execution", f.read)
	f.waiting(t, 3)
	// What is written now may be missing: it came after the requests.
	f.write(t)
	f.release <- struct{}{}
	for _, answer := range later {
		if r := take(t, "a later answer", answer); string(r.Body) != "1" {
			t.Errorf("a later answer is %s, want 1", r.Body)
		}
	}
	if n := f.runs.Load(); n != 2 {
		t.Errorf("%d executions, want 2", n)
	}
	if kept := f.find(t.Context(), f.key); kept != nil {
		t.Errorf("%s holds after a write", kept.public.Body())
	}
}

// TestSetAfterInvalidate keeps an answer that was read before a write and finished
// after everyone had learned of it.
func TestSetAfterInvalidate(t *testing.T) {
	t.Parallel()
	f := newFlights(t)
	answer := f.ask(t.Context(), f.run)
	take(t, "the execution", f.read)
	f.write(t)
	if !f.watcher.Fresh(t.Context()) { // the write is known, and forgotten about
		t.Fatal("not fresh")
	}
	f.release <- struct{}{}
	take(t, "the answer", answer)
	if kept := f.find(t.Context(), f.key); kept != nil {
		t.Errorf("%s holds after a write", kept.public.Body())
	}
}

// TestWhoGoesAwayEndsNothing lets the client go for which an operation is executed.
func TestWhoGoesAwayEndsNothing(t *testing.T) {
	t.Parallel()
	f := newFlights(t)
	ctx, goAway := context.WithCancel(t.Context())
	f.ask(ctx, f.run)
	take(t, "the execution", f.read)
	other := f.ask(t.Context(), f.run)
	f.waiting(t, 2)
	goAway()
	f.waiting(t, 1)
	f.release <- struct{}{}
	if r := take(t, "the answer", other); string(r.Body) != "0" || f.runs.Load() != 1 {
		t.Errorf("%s after %d executions, want 0 after 1", r.Body, f.runs.Load())
	}
}

// TestNobodyWaits lets all clients go: the execution ends, and nobody joins it.
func TestNobodyWaits(t *testing.T) {
	t.Parallel()
	f := newFlights(t)
	ctx, goAway := context.WithCancel(t.Context())
	first := f.ask(ctx, f.run)
	take(t, "the execution", f.read)
	goAway()
	if r := take(t, "the end of the execution", first); r.Errors != 1 || r.Public != nil {
		t.Errorf("%+v, want an error", r)
	}
	next := f.ask(t.Context(), f.run)
	take(t, "the next execution", f.read)
	f.release <- struct{}{}
	if r := take(t, "the next answer", next); string(r.Body) != "0" {
		t.Errorf("%+v", r)
	}
}

// TestDeadline ends the waiting of a request whose time is over.
func TestDeadline(t *testing.T) {
	t.Parallel()
	f := newFlights(t)
	first := f.ask(t.Context(), f.run)
	take(t, "the execution", f.read)
	ctx, cancel := context.WithTimeout(t.Context(), time.Millisecond)
	defer cancel()
	if r, ok := <-f.ask(ctx, f.run); ok {
		t.Errorf("%+v, want nothing", r)
	}
	f.release <- struct{}{}
	take(t, "the first answer", first)
}

// TestFailuresAreShared lets an execution fail, or panic, for which others wait: they
// share one more, and nothing is kept.
func TestFailuresAreShared(t *testing.T) {
	t.Parallel()
	for name, end := range map[string]func() server.Result{
		"error": func() server.Result { return server.Result{Errors: 1, Body: []byte("failed")} },
		"panic": func() server.Result { panic("failed") },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			f := newFlights(t)
			run := func(ctx context.Context) server.Result {
				f.run(ctx)
				return end()
			}
			const others = 20
			answers := []<-chan server.Result{f.ask(t.Context(), run)}
			take(t, "the execution", f.read)
			for range others {
				answers = append(answers, f.ask(t.Context(), run))
			}
			f.waiting(t, 1+others)
			f.release <- struct{}{}
			take(t, "the second execution", f.read)
			f.waiting(t, others)
			f.release <- struct{}{}
			for _, answer := range answers {
				if r, ok := <-answer; ok != (name == "error") || r.Public != nil {
					t.Errorf("%v %+v", ok, r)
				}
			}
			if n := f.runs.Load(); n != 2 {
				t.Errorf("%d executions, want 2", n)
			}
			if f.cache.EstimatedSize() != 0 || len(f.flights) != 0 {
				t.Errorf("%d answers are kept and %d executions under way, want none", f.cache.EstimatedSize(), len(f.flights))
			}
		})
	}
}

// TestKeptAnswersAreBounded asserts that answers take no more memory than they may.
func TestKeptAnswersAreBounded(t *testing.T) {
	t.Parallel()
	f := newFlights(t)
	body := make([]byte, 10_000)
	var all sync.WaitGroup
	for i := range 1000 {
		all.Go(func() {
			key := answerKey{operation: fmt.Sprint(i)}
			f.answer(t.Context(), key, cacheRule{}, 1, func(context.Context) server.Result { return server.Result{Body: body} })
		})
	}
	all.Wait()
	f.cache.CleanUp()
	if n, bytes := f.cache.EstimatedSize(), f.cache.WeightedSize(); bytes > 1<<20 || n < 40 {
		t.Errorf("%d answers with %d bytes are kept, want at most 1 MiB and about 60 answers", n, bytes)
	}
	r, _ := f.answer(t.Context(), answerKey{operation: "large"}, cacheRule{}, 1, func(context.Context) server.Result {
		return server.Result{Body: make([]byte, 100_000)}
	})
	if r.Public == nil || f.tooLarge.Load() != 1 || f.find(t.Context(), answerKey{operation: "large"}) != nil {
		t.Error("an answer of an eighth of the memory is kept, or is not public")
	}
}

// TestAPooledBodyIsCopied asserts that a body whose memory is used again is not kept.
func TestAPooledBodyIsCopied(t *testing.T) {
	t.Parallel()
	f := newFlights(t)
	body := []byte("answer")
	released := false
	r, _ := f.answer(t.Context(), f.key, cacheRule{}, 1, func(context.Context) server.Result {
		return server.Result{Body: body, Release: func() { released = true; clear(body) }}
	})
	if !released || r.Release != nil || string(r.Body) != "answer" || string(f.find(t.Context(), f.key).public.Body()) != "answer" {
		t.Errorf("released %v, body %q", released, r.Body)
	}
}
