package graph

import (
	"bytes"
	"context"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/maypok86/otter/v2"
	"github.com/maypok86/otter/v2/stats"
	"github.com/vektah/gqlparser/v2/ast"
	"github.com/vektah/gqlparser/v2/gqlerror"

	"github.com/collegium/collegium/internal/fresh"
	"github.com/collegium/collegium/internal/server"
	"github.com/collegium/collegium/internal/viewer"
)

// answers keeps the answers to public queries, and lets requests that ask the same
// at the same time share one execution. What it gives is what an execution that
// began after the request came would have answered, or is overtaken for no longer
// than the lease of the watcher.
//
// Only those who are not signed in read or fill it.
type answers struct {
	watcher *fresh.Watcher
	cache   *otter.Cache[answerKey, *answer]
	largest int // in bytes

	mu      sync.Mutex
	flights map[answerKey]*flight

	evicted                                          *stats.Counter
	hits, misses, shared, changed, unknown, tooLarge atomic.Uint64
}

// answerKey is what an answer depends on besides the database.
type answerKey struct {
	document             hash
	operation, variables string
}

// answer is an answer that is kept. It is never changed.
type answer struct {
	public    *server.Public
	operation string
	cost      int
	basis     fresh.Basis
}

// flight is an execution that several requests may wait for.
type flight struct {
	done   chan struct{}
	cancel context.CancelFunc
	// wanted is how many requests wait for it. The answers' mutex guards it.
	wanted int
	// result is set when done is closed; ok is false if the execution panicked.
	result server.Result
	ok     bool
}

// followFor is how long a request waits for what is under way before it takes a turn of its own.
const followFor = 500 * time.Millisecond

func newAnswers(watcher *fresh.Watcher, maxBytes int) (*answers, error) {
	// What one answer may take. A larger one would push out many that are asked more
	// often.
	watcher.Fresh(atOnce) // what is read before it is connected can't be kept
	a := &answers{watcher: watcher, largest: maxBytes / 8, flights: map[answerKey]*flight{}, evicted: stats.NewCounter()}
	var err error
	a.cache, err = otter.New(&otter.Options[answerKey, *answer]{
		MaximumWeight:   uint64(maxBytes),
		Weigher:         func(k answerKey, v *answer) uint32 { return uint32(v.size(k)) },
		StatsRecorder:   a.evicted,
		InitialCapacity: max(16, maxBytes/(16<<10)), // see newDocuments
	})
	return a, err
}

// size is about how many bytes of memory an answer takes with its key.
func (k *answer) size(key answerKey) int {
	return k.public.Size() + len(key.operation) + len(key.variables) + 512
}

// key returns under which key the answer to a request is kept; false if it is not.
func (a *answers) key(ctx context.Context, doc *document, p *server.Params) (key answerKey, rule cacheRule, ok bool) {
	if a == nil || doc.refused != nil || viewer.From(ctx) != (viewer.Viewer{}) || len(p.Variables) > 0 && p.VariablesText == "" {
		return key, rule, false
	}
	o := doc.operation(p.OperationName)
	if o == nil || o.rule.private {
		return key, rule, false
	}
	return answerKey{doc.hash, o.def.Name, p.VariablesText}, o.rule, true
}

// find returns the answer that is kept, if it is known to hold.
func (a *answers) find(ctx context.Context, key answerKey) *answer {
	kept, ok := a.cache.GetIfPresent(key)
	if !ok || !a.watcher.Fresh(ctx) || !a.watcher.Holds(kept.basis) {
		return nil
	}
	return kept
}

// remembered is the result of a request whose answer was kept.
func (a *answers) remembered(k *answer, from server.Source) server.Result {
	if from == server.FromMemory {
		a.hits.Add(1)
	} else {
		a.shared.Add(1)
	}
	return server.Result{
		Body: k.public.Body(), Public: k.public, From: from, Cost: k.cost,
		Outcome: server.Executed, Operation: k.operation, OperationType: string(ast.Query),
	}
}

// atOnce is a context that waits for nothing.
var atOnce = func() context.Context {
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	return ctx
}()

// Recall answers an operation from memory. It is a server.Recall.
func (h *Handler) Recall(ctx context.Context, p *server.Params) (server.Result, bool) {
	a := h.answers
	f := h.find(ctx, *p)
	p.Found = f
	if f.refused != nil || f.doc == nil {
		return server.Result{}, false
	}
	key, _, ok := a.key(ctx, f.doc, p)
	if !ok {
		return server.Result{}, false
	}
	if kept := a.find(atOnce, key); kept != nil {
		return a.remembered(kept, server.FromMemory), true
	}
	// What is under way is waited for here, so that a crowd that asks the same takes
	// no turns: an execution, or a question to the database whether answers hold.
	ctx, cancel := context.WithTimeout(ctx, followFor)
	defer cancel()
	from := server.FromMemory
	if f := a.join(key); f != nil {
		from = server.FromOther
		a.wait(ctx, key, f)
	}
	if kept := a.find(ctx, key); kept != nil {
		return a.remembered(kept, from), true
	}
	return server.Result{}, false
}

// join joins the execution that is under way, if there is one.
func (a *answers) join(key answerKey) *flight {
	a.mu.Lock()
	defer a.mu.Unlock()
	f := a.flights[key]
	if f != nil {
		f.wanted++
	}
	return f
}

// joinOrStart joins the execution that is under way, or begins one, which is the
// caller's to run.
func (a *answers) joinOrStart(key answerKey) (f *flight, own bool) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if f = a.flights[key]; f != nil {
		f.wanted++
		return f, false
	}
	f = &flight{done: make(chan struct{}), wanted: 1}
	a.flights[key] = f
	return f, true
}

// leave says that a request waits no longer. An execution that nobody waits for
// ends.
func (a *answers) leave(key answerKey, f *flight) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if f.wanted--; f.wanted > 0 {
		return
	}
	if a.flights[key] == f {
		delete(a.flights, key)
	}
	if f.cancel != nil {
		f.cancel()
	}
}

// wait waits for an execution, or for ctx to end: then it says false.
func (a *answers) wait(ctx context.Context, key answerKey, f *flight) bool {
	defer a.leave(key, f)
	select {
	case <-f.done:
		return true
	case <-ctx.Done():
		return false
	}
}

// answer answers a request with the answer that is kept, or by an execution that it
// shares with others. Run executes the operation. The result is false if the
// execution panicked in another request, or if ctx ended.
func (a *answers) answer(ctx context.Context, key answerKey, rule cacheRule, cost int, run func(context.Context) server.Result) (server.Result, bool) {
	if kept := a.find(ctx, key); kept != nil {
		return a.remembered(kept, server.FromMemory), true
	}
	f, own := a.joinOrStart(key)
	if !own {
		// It may have read before this request came, so its answer is good only if it
		// still holds.
		if !a.wait(ctx, key, f) {
			return server.Result{}, false
		}
		if kept := a.find(ctx, key); kept != nil {
			return a.remembered(kept, server.FromOther), true
		}
		if f, own = a.joinOrStart(key); !own {
			// This one began after the other ended, so whatever it reads is good.
			if !a.wait(ctx, key, f) || !f.ok {
				return server.Result{}, false
			}
			a.shared.Add(1)
			r := f.result
			r.From = server.FromOther
			return r, true
		}
	}
	return a.fly(ctx, key, rule, cost, f, run), true
}

// fly executes the operation for all who wait for it, in the goroutine and in the
// time of the request that asked first. That its client goes away ends the
// execution only if nobody else waits.
func (a *answers) fly(ctx context.Context, key answerKey, rule cacheRule, cost int, f *flight, run func(context.Context) server.Result) server.Result {
	a.misses.Add(1)
	alone, cancel := context.WithCancel(context.WithoutCancel(ctx))
	defer cancel()
	if deadline, ok := ctx.Deadline(); ok {
		var stop context.CancelFunc
		alone, stop = context.WithDeadline(alone, deadline)
		defer stop()
	}
	a.mu.Lock()
	f.cancel = cancel
	a.mu.Unlock()
	left := context.AfterFunc(ctx, func() { a.leave(key, f) })
	defer func() {
		a.mu.Lock()
		if a.flights[key] == f {
			delete(a.flights, key)
		}
		a.mu.Unlock()
		close(f.done)
		left()
	}()
	reading, notes := a.watcher.Begin(alone)
	r := run(reading)
	if r.Release != nil { // others read it too
		r.Body = bytes.Clone(r.Body)
		r.Release()
		r.Release = nil
	}
	if r.Outcome == server.Executed && r.Errors == 0 {
		a.keep(key, rule, cost, notes, &r)
	}
	f.result, f.ok = r, true
	return r
}

// keep makes a result public, and keeps it.
func (a *answers) keep(key answerKey, rule cacheRule, cost int, notes *fresh.Reading, r *server.Result) {
	basis, known := notes.Basis()
	if !known {
		a.unknown.Add(1)
		a.watcher.Fresh(atOnce) // which has it connect, if it never was
		return
	}
	tables := basis.Tables()
	slices.Sort(tables)
	k := &answer{public: server.NewPublic(r.Body, rule.maxAge, tables), operation: r.Operation, cost: cost, basis: basis}
	r.Public = k.public
	if k.size(key) > a.largest {
		a.tooLarge.Add(1)
		return
	}
	if _, inserted := a.cache.Set(key, k); !inserted {
		a.changed.Add(1)
	}
}

// AnswerStats counts what became of the requests for public queries since the start.
type AnswerStats struct {
	// Hits were answered with an answer that was kept, Misses by an execution, and
	// Shared by one that ran at the same time for another request.
	Hits, Misses, Shared uint64
	// Changed are the answers that were made anew because what they rested on had
	// changed, and Evicted those that had to make room.
	Changed, Evicted uint64
	// TooLarge are the answers that were not kept because of their size, and Unknown those
	// that rested on something of which nobody learns when it changes.
	TooLarge, Unknown uint64
	// Kept is how many answers are kept, and Bytes about how much memory they take at
	// most.
	Kept  int
	Bytes uint64
}

// AnswerStats returns what became of the requests for public queries. It is zero if
// no answers are kept.
func (h *Handler) AnswerStats() AnswerStats {
	a := h.answers
	if a == nil {
		return AnswerStats{}
	}
	return AnswerStats{
		Hits: a.hits.Load(), Misses: a.misses.Load(), Shared: a.shared.Load(),
		Changed: a.changed.Load(), Evicted: a.evicted.Snapshot().Evictions,
		TooLarge: a.tooLarge.Load(), Unknown: a.unknown.Load(),
		Kept: a.cache.EstimatedSize(), Bytes: a.cache.WeightedSize(),
	}
}

// broken answers a request that waited for the execution of another, which came to
// nothing.
func (h *Handler) broken(ctx context.Context, op *ast.OperationDefinition) server.Result {
	if ctx.Err() != nil {
		return h.tooLate(ctx, op)
	}
	return h.refuse(ctx, server.Failed, op, gqlerror.List{coded(Internal, "internal error")})
}
