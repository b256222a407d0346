// Package page knows keyset pages: arguments, cursors and connections. It knows
// no GraphQL and no SQL.
//
// Terms follow the Relay cursor connections specification
// (https://relay.dev/graphql/connections.htm).
package page

import (
	"encoding/base64"
	"encoding/json"
	"strings"
	"unicode/utf8"

	"github.com/collegium/collegium/internal/errs"
)

// The page sizes a client may ask for.
const (
	DefaultSize = 20
	MaxSize     = 100
)

// Args are the arguments of a connection as the client sent them.
type Args struct {
	First  *int
	After  *string
	Last   *int
	Before *string
}

// Keyset is a checked page request: Limit rows beyond the key of a row, in the
// order of the list or against it.
type Keyset struct {
	// Limit is the page size, 1 to 100.
	Limit int
	// After and Before hold the sort key of a row, as in the cursor; nil: unbounded.
	After, Before []string
	// Backward is true if the page is the last Limit rows instead of the first.
	Backward bool
}

// Keyset checks the arguments. parts is how many columns the sort key has. The
// error is bad input that names the argument.
func (a Args) Keyset(parts int) (Keyset, error) {
	k := Keyset{Limit: DefaultSize}
	if a.First != nil && a.Last != nil {
		return k, errs.Invalidf("last", "pass first or last, not both")
	}
	size, name := a.First, "first"
	if a.Last != nil {
		size, name, k.Backward = a.Last, "last", true
	}
	if size != nil {
		if *size < 1 || *size > MaxSize {
			return k, errs.Invalidf(name, "%d is out of range; pass 1 to %d", *size, MaxSize)
		}
		k.Limit = *size
	}
	var err error
	if k.After, err = decode("after", a.After, parts); err != nil {
		return k, err
	}
	if k.Before, err = decode("before", a.Before, parts); err != nil {
		return k, err
	}
	return k, nil
}

// Cursor returns the opaque cursor of a row with the sort key: base64url of a JSON array.
func Cursor(key ...string) string { return string(appendCursor(nil, key)) }

func appendCursor(dst []byte, key []string) []byte {
	var room [128]byte
	return base64.RawURLEncoding.AppendEncode(dst, appendKey(room[:0], key))
}

// appendKey appends a sort key as encoding/json writes it.
func appendKey(b []byte, key []string) []byte {
	for i, part := range key {
		b = append(b, "[,"[min(i, 1)])
		if strings.ContainsFunc(part, escaped) {
			text, err := json.Marshal(part)
			if err != nil { // strings always marshal
				panic(err)
			}
			b = append(b, text...)
			continue
		}
		b = append(append(append(b, '"'), part...), '"')
	}
	return append(b, ']')
}

// escaped says whether encoding/json may write a character otherwise than as it is.
func escaped(c rune) bool {
	return c < ' ' || c >= utf8.RuneSelf || c == '"' || c == '\\' || c == '<' || c == '>' || c == '&'
}

func decode(name string, cursor *string, parts int) ([]string, error) {
	if cursor == nil {
		return nil, nil
	}
	bad := errs.Invalidf(name, "%.80q is not a cursor of this list; pass a cursor that the same list returned", *cursor)
	if len(*cursor) > 2048 {
		return nil, bad
	}
	raw, err := base64.RawURLEncoding.DecodeString(*cursor)
	if err != nil {
		return nil, bad
	}
	var key []string
	if err := json.Unmarshal(raw, &key); err != nil || len(key) != parts {
		return nil, bad
	}
	for _, part := range key {
		// No text in the database holds a NUL, and PostgreSQL takes none.
		if strings.ContainsRune(part, 0) || !utf8.ValidString(part) {
			return nil, bad
		}
	}
	return key, nil
}

// Info says where a page stands in its list.
type Info struct {
	HasNextPage     bool
	HasPreviousPage bool
	StartCursor     *string
	EndCursor       *string
}

// Edge is one row of a page. Its cursor is made when it is asked for: most pages are
// asked for without.
type Edge[T any] struct {
	Node T
	key  func(T) []string
}

// Cursor returns the opaque cursor of the row.
func (e *Edge[T]) Cursor() string { return Cursor(e.key(e.Node)...) }

// AppendCursor appends the cursor as a JSON string.
func (e *Edge[T]) AppendCursor(dst []byte) []byte {
	return append(appendCursor(append(dst, '"'), e.key(e.Node)), '"')
}

// Connection is one page of a list.
type Connection[T any] struct {
	Edges                []Edge[T]
	hasPrevious, hasNext bool
}

// PageInfo returns where the page stands in its list.
func (c *Connection[T]) PageInfo() *Info {
	info := &Info{HasPreviousPage: c.hasPrevious, HasNextPage: c.hasNext}
	if n := len(c.Edges); n > 0 {
		first, last := c.Edges[0].Cursor(), c.Edges[n-1].Cursor()
		info.StartCursor, info.EndCursor = &first, &last
	}
	return info
}

// Nodes returns the rows without their cursors.
func (c *Connection[T]) Nodes() []T {
	nodes := make([]T, len(c.Edges))
	for i := range c.Edges {
		nodes[i] = c.Edges[i].Node
	}
	return nodes
}

// New makes a page from the rows that a statement returned for the keyset: up to
// Limit+1 rows, the one too many showing that the list goes on. Rows of a
// backward page come in reverse order of the list. key returns a row's sort key.
func New[T any](k Keyset, rows []T, key func(T) []string) Connection[T] {
	more := len(rows) > k.Limit
	if more {
		rows = rows[:k.Limit]
	}
	c := Connection[T]{Edges: make([]Edge[T], len(rows))}
	for i, row := range rows {
		at := i
		if k.Backward {
			at = len(rows) - 1 - i
		}
		c.Edges[at] = Edge[T]{Node: row, key: key}
	}
	// What lies beyond the cursor that was passed in is known to exist: the
	// cursor was a row of the list when it was made.
	c.hasPrevious, c.hasNext = k.After != nil, k.Before != nil
	if k.Backward {
		c.hasPrevious = c.hasPrevious || more
	} else {
		c.hasNext = c.hasNext || more
	}
	return c
}
