package pg

import (
	"context"
	"slices"
	"sync"

	"github.com/jackc/pgx/v5"
)

// Counter counts what one operation sends to the database: each query, each query of a batch, each COPY, and the BEGIN
// and COMMIT of a transaction. For whom a statement runs goes with it and doesn't count. What the driver does by itself (preparing a statement the first time, checking an idle
// connection) doesn't count, so the same operation counts the same on a cold and on a warm connection. It is safe for
// concurrent use.
type Counter struct {
	parent *Counter
	record bool

	mu sync.Mutex
	n  int
	// sql holds the texts in the order they were sent, if record is set.
	sql []string
}

// Statements is how many statements were sent so far.
func (c *Counter) Statements() int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.n
}

// SQL returns the texts of the statements so far, in the order they were sent and before arguments are bound. It is
// empty unless the counter came from WithRecorder.
func (c *Counter) SQL() []string {
	c.mu.Lock()
	defer c.mu.Unlock()
	return slices.Clone(c.sql)
}

// add counts one statement here and in every counter around this one.
func (c *Counter) add(sql string) {
	for ; c != nil; c = c.parent {
		c.mu.Lock()
		c.n++
		if c.record {
			c.sql = append(c.sql, sql)
		}
		c.mu.Unlock()
	}
}

type counterKey struct{}

func counterFrom(ctx context.Context) *Counter {
	c, _ := ctx.Value(counterKey{}).(*Counter)
	return c
}

// WithCounter returns a context in which every statement sent through a pool of Open is counted. Inside another
// counter's context both count.
func WithCounter(ctx context.Context) (context.Context, *Counter) {
	c := &Counter{parent: counterFrom(ctx)}
	return context.WithValue(ctx, counterKey{}, c), c
}

// WithRecorder is WithCounter that keeps the texts too, for whoever must know what was read. It keeps everything it sees.
func WithRecorder(ctx context.Context) (context.Context, *Counter) {
	c := &Counter{parent: counterFrom(ctx), record: true}
	return context.WithValue(ctx, counterKey{}, c), c
}

// tracer is pgx's hook that feeds the counter of the statement's context.
type tracer struct{}

var (
	_ pgx.QueryTracer    = tracer{}
	_ pgx.BatchTracer    = tracer{}
	_ pgx.CopyFromTracer = tracer{}
)

func (tracer) TraceQueryStart(ctx context.Context, _ *pgx.Conn, data pgx.TraceQueryStartData) context.Context {
	if data.SQL != act {
		counterFrom(ctx).add(data.SQL)
	}
	return ctx
}

func (tracer) TraceQueryEnd(context.Context, *pgx.Conn, pgx.TraceQueryEndData) {}

// TraceBatchStart counts a batch when it is sent: TraceBatchQuery comes only as results are read.
func (tracer) TraceBatchStart(ctx context.Context, _ *pgx.Conn, data pgx.TraceBatchStartData) context.Context {
	c := counterFrom(ctx)
	for _, q := range data.Batch.QueuedQueries {
		if q.SQL != act {
			c.add(q.SQL)
		}
	}
	return ctx
}

func (tracer) TraceBatchQuery(context.Context, *pgx.Conn, pgx.TraceBatchQueryData) {}

func (tracer) TraceBatchEnd(context.Context, *pgx.Conn, pgx.TraceBatchEndData) {}

func (tracer) TraceCopyFromStart(ctx context.Context, _ *pgx.Conn, data pgx.TraceCopyFromStartData) context.Context {
	counterFrom(ctx).add("COPY " + data.TableName.Sanitize())
	return ctx
}

func (tracer) TraceCopyFromEnd(context.Context, *pgx.Conn, pgx.TraceCopyFromEndData) {}
