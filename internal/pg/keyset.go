package pg

import (
	"strconv"

	"github.com/collegium/collegium/internal/page"
)

// Sort is the SQL of an order in which a list is read by pages. Each of the texts stands in a statement only when the
// page needs it, so that every statement has one good plan: a key that may be NULL can't be looked up in an index.
type Sort struct {
	// After and Before hold for the rows on the other side of the cursors.
	After, Before string
	// Forward and Backward are what the rows are sorted by.
	Forward, Backward string
}

// Bounds returns the conditions of a page, each with AND before it.
func (s Sort) Bounds(k page.Keyset) string {
	sql := ""
	if k.After != nil {
		sql += ` AND ` + s.After
	}
	if k.Before != nil {
		sql += ` AND ` + s.Before
	}
	return sql
}

// OrderBy returns what the rows of a page are sorted by, with ORDER BY before it.
func (s Sort) OrderBy(k page.Keyset) string {
	if k.Backward {
		return ` ORDER BY ` + s.Backward
	}
	return ` ORDER BY ` + s.Forward
}

// largestPage is the largest page there is, with the row that shows whether the list goes on.
var largestPage = ` LIMIT ` + strconv.Itoa(page.MaxSize+1)

// Paged returns an ordered SELECT with @limit rows at most; see Limit. PostgreSQL plans for a tenth of all rows where
// LIMIT has an argument, so the largest page there is stands in the text; no more rows are read than are asked for.
func Paged(sql string) string {
	return `SELECT p.* FROM (` + sql + largestPage + `) p LIMIT @limit`
}

// Limit is the argument @limit of a page: one row more than it has, to show whether the list goes on.
func Limit(k page.Keyset) int { return k.Limit + 1 }

// EachCursor calls f with the name and the key of each cursor of a page: after, then before. The first error ends it.
func EachCursor(k page.Keyset, f func(name string, key []string) error) error {
	if k.After != nil {
		if err := f("after", k.After); err != nil {
			return err
		}
	}
	if k.Before != nil {
		return f("before", k.Before)
	}
	return nil
}
