package server

import (
	"context"
	"sync"
	"time"
)

// kept asks a question at most once in a while, however many ask it at once: what anybody may ask must not become a
// way to keep the database busy.
type kept[T any] struct {
	keep time.Duration

	mu    sync.Mutex
	until time.Time
	value T
	err   error
}

// get returns the answer that is kept, or asks.
func (k *kept[T]) get(ctx context.Context, ask func(context.Context) (T, error)) (T, error) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if time.Now().Before(k.until) {
		return k.value, k.err
	}
	// Whoever asks first asks for all, so that their going away must not become everyone's answer.
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), 2*time.Second)
	defer cancel()
	k.value, k.err = ask(ctx)
	k.until = time.Now().Add(k.keep)
	return k.value, k.err
}
