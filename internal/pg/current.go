package pg

import (
	"context"
	"fmt"
	"sync"

	"github.com/collegium/collegium/internal/errs"
	"github.com/collegium/collegium/migrations"
)

var newest = sync.OnceValues(func() (uint, error) {
	all, err := listMigrations(migrations.FS)
	return latest(all), err
})

// Current returns nil if the database answers and its schema is at least as new as this program's; one that a newer
// program migrated will do. Otherwise the error is errs.Unavailable.
func Current(ctx context.Context, q Querier) error {
	want, err := newest()
	if err != nil {
		return err
	}
	var at uint
	var dirty bool
	if err := q.QueryRow(ctx, `SELECT version, dirty FROM schema_migrations`).Scan(&at, &dirty); err != nil {
		return fmt.Errorf("%w: the state of the schema can't be read: %w", errs.Unavailable, err)
	}
	switch {
	case dirty:
		return fmt.Errorf("%w: the migration to version %d failed half-way", errs.Unavailable, at)
	case at < want:
		return fmt.Errorf("%w: the schema is at version %d and this program needs %d", errs.Unavailable, at, want)
	}
	return nil
}
