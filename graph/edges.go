package graph

import (
	"errors"

	"github.com/google/uuid"

	"github.com/collegium/collegium/internal/errs"
)

// edge answers one edge for all parents of a level: it asks load once, for the
// different keys, and gives each parent the value of its key. A parent without a
// key (nil) or without a value gets the zero value.
func edge[P any, K comparable, V any](parents []P, key func(P) *K, load func([]K) (map[K]V, error)) ([]V, error) {
	keys := make([]K, 0, len(parents))
	seen := make(map[K]struct{}, len(parents))
	for _, p := range parents {
		if k := key(p); k != nil {
			if _, ok := seen[*k]; !ok {
				seen[*k] = struct{}{}
				keys = append(keys, *k)
			}
		}
	}
	values := make([]V, len(parents))
	if len(keys) == 0 {
		return values, nil
	}
	byKey, err := load(keys)
	if err != nil {
		return nil, err
	}
	for i, p := range parents {
		if k := key(p); k != nil {
			values[i] = byKey[*k]
		}
	}
	return values, nil
}

// orNull turns "there is none" into null, which is what a look-up by key answers.
func orNull[T any](v *T, err error) (*T, error) {
	if errors.Is(err, errs.NotFound) {
		return nil, nil
	}
	return v, err
}

// unique returns the different IDs in the order in which they first come.
func unique(ids []uuid.UUID) []uuid.UUID {
	seen := make(map[uuid.UUID]struct{}, len(ids))
	out := make([]uuid.UUID, 0, len(ids))
	for _, id := range ids {
		if _, ok := seen[id]; !ok {
			seen[id] = struct{}{}
			out = append(out, id)
		}
	}
	return out
}

// mapped returns f of each.
func mapped[A, B any](list []A, f func(A) B) []B {
	out := make([]B, len(list))
	for i, a := range list {
		out[i] = f(a)
	}
	return out
}
