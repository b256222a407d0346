package fresh

import (
	"context"
	"errors"
	"log/slog"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgconn/ctxwatch"

	"github.com/collegium/collegium/internal/pg"
)

// Options tune a watcher.
type Options struct {
	// Lease is for how long what the watcher knows counts as fresh: no answer that is
	// kept is served that was overtaken longer ago. The default is 50 ms.
	Lease time.Duration
	// Log takes a line when the database can't be asked, and when it can again, and
	// when there are tables whose changes nobody notes any more.
	Log *slog.Logger
}

const (
	defaultLease = 50 * time.Millisecond
	// patience is how long Fresh waits for one question. Answers without the kept ones
	// cost a slow database more than to wait for it; one that is gone holds nobody up
	// for longer.
	patience = time.Second
	// askTimeout is how long the database may take to tell what changed, or to accept
	// the connection that asks.
	askTimeout = 2 * time.Second
	// pruneInterval is how often notes are removed. They are kept until the next time,
	// and whoever hasn't asked for two intervals takes everything for changed.
	pruneInterval = 10 * time.Minute
	pruneTimeout  = time.Minute
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

	ctx   context.Context // ends with Close
	close context.CancelFunc
	tasks sync.WaitGroup // questions and pruning

	mu      sync.Mutex
	asking  *question     // nil if nobody is asking
	retryAt time.Time     // after a failure
	backoff time.Duration // zero if the last question was answered

	// What follows belongs to whoever asks.
	conn   *pgx.Conn
	last   state
	broken string // the tables that the log was last told of
}

// question is a question that is under way.
type question struct {
	sent int64 // nanoseconds since the origin of the watcher
	done chan struct{}
}

// NewWatcher returns a watcher of the database that config leads to. It opens a
// connection of its own when it is first asked, so that a pool without a free
// connection doesn't keep it from asking. It removes old notes of changes whether it
// is asked or not.
//
// What is kept must be read from the server that the watcher asks: an address with
// several hosts must lead to the primary, as with target_session_attrs=read-write.
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
	// The planner may take the few changes since the last question for very many. They
	// are to be found by their key all the same, and to compile the question takes longer
	// than the lease.
	w.config.RuntimeParams["enable_seqscan"] = "off"
	w.config.RuntimeParams["jit"] = "off"
	// A server that doesn't answer a question won't answer the request to cancel it.
	w.config.BuildContextWatcherHandler = func(conn *pgconn.PgConn) ctxwatch.Handler {
		return &pgconn.DeadlineContextWatcherHandler{Conn: conn.Conn()}
	}
	w.asked.Store(never)
	w.notBefore.Store(never + 1)
	w.ctx, w.close = context.WithCancel(context.Background())
	w.tasks.Go(w.keepPruned)
	return w
}

const never = int64(-1) << 62

// Fresh says whether what the watcher knows is fresh: asked for no longer ago than
// the lease, and after the last write of this process. It asks the database if need
// be, together with all who want to know at that moment. False means that the
// database can't be asked: nothing that is kept may be served then.
func (w *Watcher) Fresh(ctx context.Context) bool {
	came := w.now()
	now := came
	// It may have to wait for a question that was sent before it came, and then for
	// its own.
	for range 3 {
		asked := w.asked.Load()
		switch age := now - asked; {
		case asked >= came:
			return true
		case asked <= w.notBefore.Load():
		case age < int64(w.lease/2):
			return true
		case age < int64(w.lease):
			w.ask() // ahead, so that nobody has to wait
			return true
		}
		if q := w.ask(); q == nil || !w.wait(ctx, q) {
			return false
		}
		now = w.now()
	}
	return false
}

// Wrote says that this process has committed a write. Whoever asks Fresh after that
// learns of it.
func (w *Watcher) Wrote() {
	now := w.now()
	for {
		// Of two that wrote, the later counts, whichever comes here first.
		before := w.notBefore.Load()
		if before >= now || w.notBefore.CompareAndSwap(before, now) {
			return
		}
	}
}

// Close ends the connection. A watcher that is closed is never fresh.
func (w *Watcher) Close() {
	w.mu.Lock()
	w.close()
	w.mu.Unlock()
	w.tasks.Wait()
	w.mu.Lock()
	defer w.mu.Unlock()
	w.hangUp()
	w.asked.Store(never)
}

func (w *Watcher) now() int64 { return int64(time.Since(w.origin)) }

// ask asks the database, or joins who is asking. Nil means that there is no answer
// to wait for: after a failure the next one may take its time.
func (w *Watcher) ask() *question {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.asking == nil && w.ctx.Err() == nil && !time.Now().Before(w.retryAt) {
		q := &question{sent: w.now(), done: make(chan struct{})}
		w.asking = q
		w.tasks.Go(func() { w.answer(q) })
	}
	if w.backoff > 0 {
		return nil
	}
	return w.asking
}

// wait waits until the question is answered, or given up; false if that takes too
// long.
func (w *Watcher) wait(ctx context.Context, q *question) bool {
	timer := time.NewTimer(patience - time.Duration(w.now()-q.sent))
	defer timer.Stop()
	select {
	case <-q.done:
		return true
	case <-timer.C:
		return false
	case <-ctx.Done():
		return false
	}
}

// answer finds out what has changed, over a new connection if the old one is lost.
func (w *Watcher) answer(q *question) {
	defer close(q.done)
	ctx, cancel := context.WithTimeout(w.ctx, askTimeout)
	defer cancel()
	var err error
	if w.conn != nil {
		if err = w.poll(ctx); err != nil {
			w.hangUp()
		}
	}
	if w.conn == nil && ctx.Err() == nil {
		if err = w.connect(ctx); err != nil {
			w.hangUp()
		}
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	w.asking = nil
	if err != nil {
		w.asked.Store(never)
		if w.backoff == 0 && w.ctx.Err() == nil {
			w.log.Warn("what changes in the database can't be learned; nothing that is kept is served until it can", "error", err)
		}
		w.backoff = min(max(2*w.backoff, 20*time.Millisecond), time.Second)
		w.retryAt = time.Now().Add(w.backoff)
		return
	}
	if w.backoff > 0 {
		w.log.Info("what changes in the database is learned again")
	}
	w.backoff, w.retryAt = 0, time.Time{}
	w.asked.Store(q.sent)
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

func (w *Watcher) connect(ctx context.Context) error {
	conn, err := pgx.ConnectConfig(ctx, w.config)
	if err != nil {
		return err
	}
	w.conn = conn
	return w.begin(ctx)
}

// state is what a question learns of the database.
type state struct {
	snapshot string
	day      string
	// place is which server answered, over which connection, and how the tables and
	// their triggers are defined.
	place      string
	generation int64 // of changes_horizon
	standby    bool
	changed    []string // the tables that were written to since the state before
}

// lookSQL takes the snapshot of the state before and the OIDs of the tables.
//
// A transaction that was not over in that snapshot is in its list, or began later. In
// a database that was restored from a dump there are changes of transactions that this
// server has yet to begin; they tell nothing.
//
// The system column xmin of a row is the transaction that wrote it: another one means
// that a migration ran, that a table was altered or its trigger switched off or on.
const lookSQL = `
	SELECT
		pg_current_snapshot()::text,
		CURRENT_DATE::text,
		concat_ws(' ',
			pg_backend_pid(),
			extract(epoch FROM pg_postmaster_start_time()),
			(SELECT string_agg(m.xmin::text, ' ') FROM schema_migrations m),
			(SELECT count(*) FROM pg_subscription_rel),
			(SELECT hashtextextended(string_agg(concat_ws(' ', c.oid, c.xmin, t.oid, t.xmin), ',' ORDER BY t.oid), 0)
				FROM pg_trigger t
				JOIN pg_class c ON c.oid = t.tgrelid
				WHERE t.tgrelid = ANY ($2::oid[]) AND t.tgfoid = 'note_change'::regproc)),
		(SELECT h.generation FROM changes_horizon h),
		pg_is_in_recovery(),
		ARRAY(
			SELECT c.table_name
			FROM changes c
			WHERE c.xid >= pg_snapshot_xmax($1::text::pg_snapshot) AND c.xid < pg_snapshot_xmax(pg_current_snapshot())
			UNION
			SELECT c.table_name
			FROM changes c
			WHERE c.xid = ANY (ARRAY(SELECT pg_snapshot_xip($1::text::pg_snapshot))))`

// look asks what has changed since a snapshot; nothing has since the empty one.
func look(ctx context.Context, db pg.Querier, since string, oids []uint32) (state, error) {
	var s state
	var snapshot *string
	if since != "" {
		snapshot = &since
	}
	err := db.QueryRow(ctx, lookSQL, snapshot, oids).Scan(&s.snapshot, &s.day, &s.place, &s.generation, &s.standby, &s.changed)
	if err == nil && s.standby {
		// A standby doesn't know which transactions are under way.
		err = errors.New("the database is a standby")
	}
	return s, err
}

// begin begins to watch: it reads the catalog and from then on learns what changes.
// Everything counts as changed: what was written before is not known, and it may be
// another database.
func (w *Watcher) begin(ctx context.Context) error {
	var c *catalog
	var s state
	if err := pgx.BeginTxFunc(ctx, w.conn, pgx.TxOptions{IsoLevel: pgx.RepeatableRead, AccessMode: pgx.ReadOnly}, func(tx pgx.Tx) error {
		var err error
		if c, err = readCatalog(ctx, tx, w.catalog.Load()); err != nil {
			return err
		}
		s, err = look(ctx, tx, "", c.oids)
		return err
	}); err != nil {
		return err
	}
	if broken := strings.Join(c.broken, ", "); broken != w.broken {
		w.broken = broken
		if broken != "" {
			w.log.Warn("there are tables whose changes are not always noted; no answer that reads one is kept", "tables", broken)
		}
	}
	w.last = s
	w.catalog.Store(c)
	w.lost.Store(w.changes.Add(1))
	return nil
}

// poll learns what has changed since the last time.
func (w *Watcher) poll(ctx context.Context) error {
	c := w.catalog.Load()
	s, err := look(ctx, w.conn, w.last.snapshot, c.oids)
	if err != nil {
		return err
	}
	if s.place != w.last.place || s.generation > w.last.generation+1 {
		return w.begin(ctx)
	}
	if s.day != w.last.day {
		s.changed = append(s.changed, today)
	}
	changed := make([]*table, len(s.changed))
	for i, name := range s.changed {
		t, ok := c.tables[strings.ToLower(name)]
		if !ok {
			return w.begin(ctx) // a table that came after the catalog was read
		}
		changed[i] = t
	}
	if len(changed) > 0 {
		moment := w.changes.Add(1)
		for _, t := range changed {
			if t != nil { // nothing that reads one that is not watched is kept
				t.changed.Store(moment)
			}
		}
	}
	w.last = s
	return nil
}

// keepPruned removes old notes of changes until the watcher is closed.
func (w *Watcher) keepPruned() {
	tick := time.NewTicker(pruneInterval)
	defer tick.Stop()
	for {
		select {
		case <-tick.C:
			if err := w.prune(pruneInterval * 9 / 10); err != nil && w.ctx.Err() == nil {
				w.log.Warn("old notes of changes can't be removed", "error", err)
			}
		case <-w.ctx.Done():
			return
		}
	}
}

// prune removes the notes that were there when that was last done, if it was done no
// later than age ago. It has a connection of its own, so that nobody waits for it who
// wants to know what changed.
func (w *Watcher) prune(age time.Duration) error {
	ctx, cancel := context.WithTimeout(w.ctx, pruneTimeout)
	defer cancel()
	config := w.config.Copy()
	delete(config.RuntimeParams, "enable_seqscan") // the oldest are most of them
	config.RuntimeParams["statement_timeout"] = "0"
	conn, err := pgx.ConnectConfig(ctx, config)
	if err != nil {
		return err
	}
	defer conn.Close(context.WithoutCancel(ctx))
	_, err = conn.Exec(ctx, `SELECT prune_changes($1)`, age)
	return err
}
