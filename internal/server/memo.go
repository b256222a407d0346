package server

import "sync"

// memo remembers what a function said of the few keys that come again and again, such as what a browser accepts. It is
// safe for concurrent use.
type memo[K comparable, V any] struct {
	of func(K) V

	mu    sync.RWMutex
	known map[K]V
}

// maxRemembered is how many keys a memo remembers at most: clients make them up.
const maxRemembered = 512

func newMemo[K comparable, V any](of func(K) V) *memo[K, V] {
	return &memo[K, V]{of: of, known: map[K]V{}}
}

func (m *memo[K, V]) get(key K) V {
	m.mu.RLock()
	v, ok := m.known[key]
	m.mu.RUnlock()
	if ok {
		return v
	}
	v = m.of(key)
	m.mu.Lock()
	defer m.mu.Unlock()
	if len(m.known) >= maxRemembered {
		clear(m.known) // what comes often is soon back
	}
	m.known[key] = v
	return v
}

// known returns what a memo remembers of a text.
func known[V any](m *memo[string, V], text []byte) (V, bool) {
	m.mu.RLock()
	defer m.mu.RUnlock()
	v, ok := m.known[string(text)] // which copies nothing
	return v, ok
}

// ofHeader is a memo of the values of a header. Long ones are not remembered, so that they don't fill the memory.
type ofHeader[V any] struct{ *memo[string, V] }

func newOfHeader[V any](of func(string) V) ofHeader[V] { return ofHeader[V]{newMemo(of)} }

func (m ofHeader[V]) get(value string) V {
	if len(value) > 256 {
		return m.of(value)
	}
	return m.memo.get(value)
}
