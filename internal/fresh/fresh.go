// Package fresh knows whether what was read from the database is still what the
// database would answer.
//
// Every transaction notes in the table changes which tables it wrote to. A Watcher
// asks, about twice in a lease and only while somebody wants to know, which notes
// have been committed since it last asked. So an answer that is kept is never older
// than the lease, whoever wrote, by whatever program; and while the database can't
// be asked, nothing that is kept counts as fresh.
//
// Whoever keeps something asks Fresh before everything else. If it is fresh, what is
// kept may be served for which Holds is true. What is made anew is made between Begin
// and Basis, and may be kept with that basis.
package fresh

import (
	"context"
	"sync"

	"github.com/collegium/collegium/internal/pg"
)

// Basis is what something that was read rests on: the tables, each with the moment
// before it was read. The zero Basis rests on nothing and always holds. It is never
// changed.
type Basis struct {
	begun uint64 // the earliest moment of all reads
	reads []read
}

type read struct {
	table *table
	at    uint64
}

// Tables returns the names of the tables, in no order, each once.
func (b Basis) Tables() []string {
	names := make([]string, len(b.reads))
	for i, r := range b.reads {
		names[i] = r.table.name
	}
	return names
}

// Reading notes what is read while something is made that is to be kept.
type Reading struct {
	watcher *Watcher
	begun   uint64
	sent    *pg.Counter

	mu    sync.Mutex
	rests []Basis
}

type readingKey struct{}

// Begin returns a context in which everything is noted that is read through a pool of
// package pg. Call it before the first read, and before the transaction begins in
// which it is read, if that keeps its snapshot.
func (w *Watcher) Begin(ctx context.Context) (context.Context, *Reading) {
	r := &Reading{watcher: w, begun: w.changes.Load()}
	ctx, r.sent = pg.WithRecorder(ctx)
	return context.WithValue(ctx, readingKey{}, r), r
}

// RestOn notes in the reading of ctx, if there is one, that what is made rests on
// what b rests on.
func RestOn(ctx context.Context, b Basis) {
	if r, ok := ctx.Value(readingKey{}).(*Reading); ok {
		r.mu.Lock()
		defer r.mu.Unlock()
		r.rests = append(r.rests, b)
	}
}

// Basis returns what was read so far. It is false if something was read of which
// nobody learns when it changes: a table that nobody watches, the clock, a random
// number.
func (r *Reading) Basis() (Basis, bool) {
	c, sent := r.watcher.catalog.Load(), r.sent.SQL()
	if c == nil && len(sent) > 0 {
		return Basis{}, false
	}
	b := Basis{begun: r.begun}
	at := map[*table]uint64{}
	for _, sql := range sent {
		tables, known := c.reads(sql)
		if !known {
			return Basis{}, false
		}
		for _, t := range tables {
			at[t] = r.begun
		}
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, rest := range r.rests {
		if len(rest.reads) > 0 {
			b.begun = min(b.begun, rest.begun)
		}
		for _, read := range rest.reads {
			if earlier, ok := at[read.table]; !ok || read.at < earlier {
				at[read.table] = read.at
			}
		}
	}
	b.reads = make([]read, 0, len(at))
	for t, moment := range at {
		b.reads = append(b.reads, read{t, moment})
	}
	return b, true
}

// Holds says whether nothing that b rests on has changed, as far as the watcher
// knows. It answers from memory: what it knows is fresh if Fresh has just said so.
func (w *Watcher) Holds(b Basis) bool {
	if len(b.reads) > 0 && b.begun < w.lost.Load() {
		return false
	}
	for i := range b.reads {
		if b.reads[i].table.changed.Load() > b.reads[i].at {
			return false
		}
	}
	return true
}
