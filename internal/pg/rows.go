package pg

import (
	"context"
	"errors"
	"fmt"
	"math"
	"reflect"
	"unsafe"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"github.com/collegium/collegium/internal/errs"
)

// All asks sql and returns each row as a new T, a struct. A column belongs to the field with its name, or with its `db`
// tag; underscores and case do not matter. A column without a field, or a field without a column (tag it `db:"-"`), is
// an error. No rows give an empty slice, which is not an error. When ctx ended the statement, the error is ctx's too.
//
// The text of sql is remembered for good, with how its arguments and columns are to be read: let it be static. Rows are
// allocated many at once, so one row that is kept keeps some of its neighbours.
func All[T any](ctx context.Context, q Querier, sql string, args ...any) ([]*T, error) {
	return structs[T](ctx, q, sql, args, math.MaxInt)
}

// One asks sql and returns its only row as a new T, by the rules of All. No row is errs.NotFound; a second row is
// pgx.ErrTooManyRows, since it means that the statement does not say what was meant.
func One[T any](ctx context.Context, q Querier, sql string, args ...any) (*T, error) {
	rows, err := structs[T](ctx, q, sql, args, 2)
	switch {
	case err != nil:
		return nil, err
	case len(rows) == 0:
		return nil, errs.NotFound
	case len(rows) > 1:
		return nil, pgx.ErrTooManyRows
	}
	return rows[0], nil
}

// structs reads no more than most rows.
func structs[T any](ctx context.Context, q Querier, sql string, args []any, most int) ([]*T, error) {
	rows, st, err := query(ctx, q, sql, args)
	if err != nil {
		return nil, ended(ctx, err)
	}
	defer rows.Close()
	var (
		all   = []*T{}
		chunk []T // allocated for the next rows
		r     reader
	)
	for len(all) < most && rows.Next() {
		if r.shape == nil {
			if r.shape, err = st.shape(reflect.TypeFor[T](), rows.FieldDescriptions()); err != nil {
				return nil, err
			}
			r.types = rows.TypeMap()
		}
		if len(chunk) == 0 {
			chunk = make([]T, r.grow(most))
		}
		if err := r.read(unsafe.Pointer(&chunk[0]), rows.RawValues()); err != nil {
			return nil, err
		}
		all = append(all, &chunk[0])
		chunk = chunk[1:]
	}
	if err := rows.Err(); err != nil {
		return nil, ended(ctx, err)
	}
	return all, nil
}

// Scalars asks sql, which has one column, and returns that column. A T that can't be nil refuses NULL with an error.
func Scalars[T any](ctx context.Context, q Querier, sql string, args ...any) ([]T, error) {
	return collect(ctx, q, sql, args, pgx.RowTo[T])
}

// Scalar asks sql, which has one column and one row, and returns that value. No row is errs.NotFound.
func Scalar[T any](ctx context.Context, q Querier, sql string, args ...any) (T, error) {
	return only(ctx, q, sql, args, pgx.RowTo[T])
}

func collect[T any](ctx context.Context, q Querier, sql string, args []any, row pgx.RowToFunc[T]) ([]T, error) {
	rows, _, err := query(ctx, q, sql, args)
	if err != nil {
		return nil, ended(ctx, err)
	}
	all, err := pgx.CollectRows(rows, row)
	if err != nil {
		return nil, ended(ctx, err)
	}
	return all, nil
}

func only[T any](ctx context.Context, q Querier, sql string, args []any, row pgx.RowToFunc[T]) (v T, err error) {
	rows, _, err := query(ctx, q, sql, args)
	if err != nil {
		return v, ended(ctx, err)
	}
	v, err = pgx.CollectExactlyOneRow(rows, row)
	switch {
	case err == nil:
		return v, nil
	case errors.Is(err, pgx.ErrNoRows):
		err = errs.NotFound
	}
	var zero T
	return zero, ended(ctx, err)
}

// queryCanceled is PostgreSQL's code for a statement that was asked to end (appendix A, class 57).
const queryCanceled = "57014"

// ended adds ctx's error to that of a statement which the server ended because ctx did.
func ended(ctx context.Context, err error) error {
	if pgErr, ok := errors.AsType[*pgconn.PgError](err); ok && pgErr.Code == queryCanceled && ctx.Err() != nil {
		return fmt.Errorf("%w: %w", ctx.Err(), err)
	}
	return err
}

// ByKey returns the rows by their key. Of rows with one key the last counts.
func ByKey[K comparable, T any](rows []*T, key func(*T) K) map[K]*T {
	byKey := make(map[K]*T, len(rows))
	for _, row := range rows {
		byKey[key(row)] = row
	}
	return byKey
}

// GroupBy returns the rows of each key, in the order in which they come.
func GroupBy[K comparable, T any](rows []*T, key func(*T) K) map[K][]*T {
	groups := map[K][]*T{}
	for _, row := range rows {
		k := key(row)
		groups[k] = append(groups[k], row)
	}
	return groups
}
