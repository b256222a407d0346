package server

import (
	"hash/maphash"
	"sync"
	"time"
)

// The limiter remembers at most this many clients of one window by themselves, a few megabytes; the others share
// buckets, so that a flood of addresses can neither fill the memory nor make anyone forgotten.
const (
	maxClients    = 1 << 16
	sharedBuckets = 1 << 12
)

// Limiter counts the points that each client spends in a window of time. All windows begin and end together. It is
// safe for concurrent use.
type Limiter struct {
	points int
	window time.Duration
	now    func() time.Time
	seed   maphash.Seed

	mu      sync.Mutex
	resetAt time.Time
	used    map[string]int
	shared  []int // by hash, for the clients beyond maxClients; nil until there are any
}

// NewLimiter returns a limiter that gives each client so many points a window. With 0 points it limits nothing.
func NewLimiter(points int, window time.Duration) *Limiter {
	return &Limiter{points: points, window: window, now: time.Now, seed: maphash.MakeSeed(), used: map[string]int{}}
}

// Take takes points from the allowance of a client and returns what is left of it. If less than that is left it takes
// nothing and returns false. Negative points count as none.
func (l *Limiter) Take(client string, points int) (Allowance, bool) {
	if l.points == 0 {
		return Allowance{}, true
	}
	points = max(points, 0)
	l.mu.Lock()
	defer l.mu.Unlock()
	l.turn()
	used := l.spent(client)
	a := Allowance{Limit: l.points, Remaining: l.points - used, ResetAt: l.resetAt}
	if points > a.Remaining {
		return a, false
	}
	if points > 0 {
		l.spend(client, points)
	}
	a.Remaining -= points
	return a, true
}

// Exhausted says whether a client has nothing left, and returns its allowance.
func (l *Limiter) Exhausted(client string) (Allowance, bool) {
	a, _ := l.Take(client, 0)
	return a, a.Limit > 0 && a.Remaining == 0
}

// turn begins a new window if the last one has ended.
func (l *Limiter) turn() {
	now := l.now()
	if now.Before(l.resetAt) && l.resetAt.Sub(now) <= l.window { // a clock set back doesn't stretch a window
		return
	}
	l.resetAt = now.Truncate(l.window).Add(l.window)
	if len(l.used) > 1024 { // a map never shrinks
		l.used = map[string]int{}
	} else {
		clear(l.used)
	}
	l.shared = nil
}

func (l *Limiter) spent(client string) int {
	if n, ok := l.used[client]; ok {
		return n
	}
	if len(l.used) >= maxClients && l.shared != nil {
		return l.shared[l.bucket(client)]
	}
	return 0
}

func (l *Limiter) spend(client string, points int) {
	if _, ok := l.used[client]; ok || len(l.used) < maxClients {
		l.used[client] += points
		return
	}
	if l.shared == nil {
		l.shared = make([]int, sharedBuckets)
	}
	l.shared[l.bucket(client)] += points
}

func (l *Limiter) bucket(client string) int {
	return int(maphash.String(l.seed, client) % sharedBuckets)
}
