package server

import (
	"context"
	"errors"
	"sync/atomic"
	"time"
)

// errOverloaded says that there was no turn for an operation in time.
var errOverloaded = errors.New("too many operations at once")

// gate lets so many operations run at once and so many more wait for a short while, first come, first served. What
// comes on top is turned away at once: under overload a quick no is worth more than a late answer.
type gate struct {
	slots     chan struct{} // nil: no limit
	wait      time.Duration
	maxQueued int64
	queued    atomic.Int64
	running   atomic.Int64
}

func newGate(maxRunning, maxQueued int, wait time.Duration) *gate {
	g := &gate{wait: wait, maxQueued: int64(maxQueued)}
	if maxRunning > 0 {
		g.slots = make(chan struct{}, maxRunning)
	}
	return g
}

// enter waits for a turn. If it returns nil, leave must follow.
func (g *gate) enter(ctx context.Context) error {
	if g.slots != nil {
		select {
		case g.slots <- struct{}{}:
		default:
			if err := g.queue(ctx); err != nil {
				return err
			}
		}
	}
	g.running.Add(1)
	return nil
}

func (g *gate) queue(ctx context.Context) error {
	if g.queued.Add(1) > g.maxQueued {
		g.queued.Add(-1)
		return errOverloaded
	}
	defer g.queued.Add(-1)
	timer := time.NewTimer(g.wait)
	defer timer.Stop()
	select {
	case g.slots <- struct{}{}:
		return nil
	case <-timer.C:
		return errOverloaded
	case <-ctx.Done():
		return ctx.Err()
	}
}

func (g *gate) leave() {
	g.running.Add(-1)
	if g.slots != nil {
		<-g.slots
	}
}
