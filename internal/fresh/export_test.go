package fresh

import (
	"context"
	"time"
)

// Lease is the default.
const Lease = defaultLease

// Prune removes old notes now.
func (w *Watcher) Prune(age time.Duration) error { return w.prune(age) }

// Poll asks once, while nobody else does.
func (w *Watcher) Poll(ctx context.Context) error { return w.poll(ctx) }

// Exec runs a statement on the connection of the watcher while it asks nothing.
func (w *Watcher) Exec(ctx context.Context, sql string) error {
	for {
		w.mu.Lock()
		if q := w.asking; q != nil {
			w.mu.Unlock()
			<-q.done
			continue
		}
		defer w.mu.Unlock()
		_, err := w.conn.Exec(ctx, sql)
		return err
	}
}
