package pg

import (
	"context"
	"errors"

	"github.com/jackc/pgx/v5"

	"github.com/collegium/collegium/internal/errs"
)

// All asks sql and returns each row as a new T, a struct. A column belongs to the field with its name, or with its `db`
// tag; underscores and case do not matter. A column without a field, or a field without a column (tag it `db:"-"`), is
// an error. No rows give an empty slice, which is not an error.
func All[T any](ctx context.Context, q Querier, sql string, args ...any) ([]*T, error) {
	rows, err := q.Query(ctx, sql, args...)
	if err != nil {
		return nil, err
	}
	return pgx.CollectRows(rows, pgx.RowToAddrOfStructByName[T])
}

// One asks sql and returns its only row as a new T, by the rules of All. No row is errs.NotFound; a second row is
// pgx.ErrTooManyRows, since it means that the statement does not say what was meant.
func One[T any](ctx context.Context, q Querier, sql string, args ...any) (*T, error) {
	rows, err := q.Query(ctx, sql, args...)
	if err != nil {
		return nil, err
	}
	row, err := pgx.CollectExactlyOneRow(rows, pgx.RowToAddrOfStructByName[T])
	if err != nil {
		return nil, notFound(err)
	}
	return row, nil
}

// Scalars asks sql, which has one column, and returns that column. A T that can't be nil refuses NULL with an error.
func Scalars[T any](ctx context.Context, q Querier, sql string, args ...any) ([]T, error) {
	rows, err := q.Query(ctx, sql, args...)
	if err != nil {
		return nil, err
	}
	return pgx.CollectRows(rows, pgx.RowTo[T])
}

// Scalar asks sql, which has one column and one row, and returns that value. No row is errs.NotFound.
func Scalar[T any](ctx context.Context, q Querier, sql string, args ...any) (T, error) {
	var zero T
	rows, err := q.Query(ctx, sql, args...)
	if err != nil {
		return zero, err
	}
	v, err := pgx.CollectExactlyOneRow(rows, pgx.RowTo[T])
	if err != nil {
		return zero, notFound(err)
	}
	return v, nil
}

// notFound turns the driver's "no rows" into the house's word for it.
func notFound(err error) error {
	if errors.Is(err, pgx.ErrNoRows) {
		return errs.NotFound
	}
	return err
}
