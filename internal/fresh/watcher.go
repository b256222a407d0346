package fresh

import (
	"context"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"github.com/jackc/pgx/v5"
)

// Options tune a watcher.
type Options struct {
	// Lease is for how long what the watcher knows counts as fresh: no answer that is
	// kept is served that was overtaken longer ago. The default is 50 ms.
	Lease time.Duration
	// Log takes a line when the database can't be asked, and when it can again.
	Log *slog.Logger
}

const (
	defaultLease = 50 * time.Millisecond
	// askTimeout is how long the database may take to tell what changed, or to accept
	// the connection that asks.
	askTimeout = 2 * time.Second
	// Notes of changes are removed when they are ten minutes old; whoever has not
	// asked for half of that takes everything for changed.
	pruneInterval = 10 * time.Minute
	mostUnasked   = pruneInterval / 2
)

// Watcher learns what changes in the database. It is safe for concurrent use.
type Watcher struct {
	config *pgx.ConnConfig
	lease  time.Duration
	log    *slog.Logger
	origin time.Time

	// changes counts the times that something had changed. It is a moment in the order
	// of what this process knows; what is read later is read at that moment or later.
	changes atomic.Uint64
	// lost is the moment at which everything counted as changed.
	lost    atomic.Uint64
	catalog atomic.Pointer[catalog]

	// asked is when the last question was sent that was answered, and notBefore when
	// this process last wrote: nanoseconds since origin. What was asked before it wrote
	// doesn't tell of its write.
	asked     atomic.Int64
	notBefore atomic.Int64

	mu      sync.Mutex
	asking  *question     // nil if nobody is asking
	retryAt time.Time     // after a failure
	backoff time.Duration // zero if the last question was answered
	closed  bool

	// What follows belongs to whoever asks.
	conn     *pgx.Conn
	snapshot string
	day      string
	wallTime time.Time // when it was last asked; the wall clock goes on while a machine sleeps
	prunedAt time.Time
}

// question is a question that is under way.
type question struct{ done chan struct{} }

// NewWatcher returns a watcher of the database that config leads to. It opens a
// connection of its own when it is first asked, so that a pool without a free
// connection doesn't keep it from asking.
func NewWatcher(config *pgx.ConnConfig, o Options) *Watcher {
	w := &Watcher{config: config.Copy(), lease: o.Lease, log: o.Log, origin: time.Now()}
	if w.lease <= 0 {
		w.lease = defaultLease
	}
	if w.log == nil {
		w.log = slog.New(slog.DiscardHandler)
	}
	w.config.Tracer = nil
	w.config.RuntimeParams["application_name"] = "collegium watcher"
	w.asked.Store(never)
	w.notBefore.Store(never + 1)
	return w
}

const never = int64(-1) << 62

// Fresh says whether what the watcher knows is fresh: asked for no longer ago than
// the lease, and after the last write of this process. It asks the database if need
// be, together with all who want to know at that moment. False means that the
// database can't be asked: nothing that is kept may be served then.
func (w *Watcher) Fresh(ctx context.Context) bool {
	came := w.now()
	for range 3 {
		asked := w.asked.Load()
		switch age := w.now() - asked; {
		case asked <= w.notBefore.Load():
		case age < int64(w.lease/2), asked >= came:
			return true
		case age < int64(w.lease):
			w.ask() // ahead, so that nobody has to wait
			return true
		}
		q := w.ask()
		if q == nil {
			return false
		}
		select {
		case <-q.done:
		case <-ctx.Done():
			return false
		}
	}
	return false
}

// Wrote says that this process has committed a write. Whoever asks Fresh after that
// learns of it.
func (w *Watcher) Wrote() { w.notBefore.Store(w.now()) }

// Close ends the connection. A watcher that is closed is never fresh.
func (w *Watcher) Close() {
	w.mu.Lock()
	w.closed = true
	q := w.asking
	w.mu.Unlock()
	if q != nil {
		<-q.done
	}
	w.asked.Store(never)
	w.hangUp()
}

func (w *Watcher) now() int64 { return int64(time.Since(w.origin)) }

// ask asks the database, or joins who is asking. Nil means that it can't be asked
// now.
func (w *Watcher) ask() *question {
	w.mu.Lock()
	defer w.mu.Unlock()
	switch {
	case w.asking != nil:
		return w.asking
	case w.closed, time.Now().Before(w.retryAt):
		return nil
	}
	q := &question{done: make(chan struct{})}
	w.asking = q
	go w.answer(q)
	return q
}

func (w *Watcher) answer(q *question) {
	ctx, cancel := context.WithTimeout(context.Background(), askTimeout)
	defer cancel()
	begun := w.now()
	err := w.poll(ctx)
	w.mu.Lock()
	defer w.mu.Unlock()
	if err != nil {
		w.asked.Store(never)
		w.hangUp()
		if w.backoff == 0 {
			w.log.Warn("what changes in the database can't be learned; answers are not kept until it can", "error", err)
		}
		w.backoff = min(max(2*w.backoff, 20*time.Millisecond), time.Second)
		w.retryAt = time.Now().Add(w.backoff)
	} else {
		if w.backoff > 0 {
			w.log.Info("what changes in the database is learned again")
		}
		w.backoff, w.retryAt = 0, time.Time{}
		w.asked.Store(begun)
	}
	w.asking = nil
	close(q.done)
}

// hangUp ends the connection. What changes while there is none is not known.
func (w *Watcher) hangUp() {
	if w.conn == nil {
		return
	}
	// It may be in any state, and PostgreSQL may be gone: don't wait to say goodbye.
	ctx, cancel := context.WithTimeout(context.Background(), 100*time.Millisecond)
	defer cancel()
	_ = w.conn.Close(ctx)
	w.conn = nil
}

// poll learns what has changed since the last poll.
func (w *Watcher) poll(ctx context.Context) error {
	if w.conn == nil {
		return w.connect(ctx)
	}
	var snapshot, day string
	var changed []string
	// A transaction that was not over in the last snapshot is in its list, or began
	// later.
	err := w.conn.QueryRow(ctx, `
		SELECT
			pg_current_snapshot()::text,
			CURRENT_DATE::text,
			ARRAY(
				SELECT c.table_name::text
				FROM changes c
				WHERE c.xid >= pg_snapshot_xmax($1::text::pg_snapshot)
				UNION
				SELECT c.table_name::text
				FROM pg_snapshot_xip($1::text::pg_snapshot) AS running (xid)
				JOIN changes c ON c.xid = running.xid)`,
		w.snapshot).Scan(&snapshot, &day, &changed)
	if err != nil {
		return err
	}
	late := time.Since(w.wallTime.Round(0)) > mostUnasked
	if day != w.day {
		changed = append(changed, today)
	}
	w.snapshot, w.day, w.wallTime = snapshot, day, time.Now()
	if late {
		w.lose()
	} else if len(changed) > 0 {
		w.note(changed)
	}
	if time.Since(w.prunedAt) > pruneInterval {
		w.prunedAt = time.Now()
		if _, err := w.conn.Exec(ctx, `SELECT prune_changes()`); err != nil {
			return err
		}
	}
	return nil
}

// connect opens the connection. Everything counts as changed: what was written in
// between is not known, and it may be another server.
func (w *Watcher) connect(ctx context.Context) error {
	conn, err := pgx.ConnectConfig(ctx, w.config)
	if err != nil {
		return err
	}
	w.conn = conn
	c, err := readCatalog(ctx, conn, w.catalog.Load())
	if err != nil {
		return err
	}
	if err := conn.QueryRow(ctx, `SELECT pg_current_snapshot()::text, CURRENT_DATE::text`).Scan(&w.snapshot, &w.day); err != nil {
		return err
	}
	w.wallTime, w.prunedAt = time.Now(), time.Now()
	w.catalog.Store(c)
	w.lose()
	return nil
}

// lose takes everything for changed.
func (w *Watcher) lose() { w.lost.Store(w.changes.Add(1)) }

// note takes the tables for changed.
func (w *Watcher) note(names []string) {
	moment := w.changes.Add(1)
	tables := w.catalog.Load().tables
	for _, name := range names {
		if t := tables[name]; t != nil {
			t.changed.Store(moment)
		} else if _, ok := tables[name]; !ok {
			w.lost.Store(moment) // a table that came after the catalog was read
		}
	}
}
