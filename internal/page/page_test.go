package page_test

import (
	"encoding/base64"
	"encoding/json"
	"errors"
	"slices"
	"strconv"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/collegium/collegium/internal/errs"
	"github.com/collegium/collegium/internal/page"
)

func ptr[T any](v T) *T { return &v }

func TestKeysetRefuses(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		args page.Args
		want string
	}{
		"nothing":        {page.Args{First: ptr(0)}, "first: 0 is out of range; pass 1 to 100"},
		"too many":       {page.Args{First: ptr(101)}, "first: 101 is out of range; pass 1 to 100"},
		"too many last":  {page.Args{Last: ptr(-1)}, "last: -1 is out of range; pass 1 to 100"},
		"both":           {page.Args{First: ptr(1), Last: ptr(1)}, "last: pass first or last, not both"},
		"no cursor":      {page.Args{After: ptr("?")}, `after: "?" is not a cursor of this list; pass a cursor that the same list returned`},
		"another list's": {page.Args{Before: ptr(page.Cursor("a"))}, `before: "WyJhIl0" is not a cursor of this list; pass a cursor that the same list returned`},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			_, err := tt.args.Keyset(2)
			var invalid *errs.Invalid
			if !errors.As(err, &invalid) {
				t.Fatalf("got %v, want bad input", err)
			}
			if diff := cmp.Diff(tt.want, err.Error()); diff != "" {
				t.Errorf("(-want +got)\n%s", diff)
			}
		})
	}
}

// TestCursors asserts that a cursor is the sort key as encoding/json writes it, alone and on a page.
func TestCursors(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		rows := rapid.SliceOfN(rapid.SliceOfN(rapid.OneOf(rapid.String(), rapid.StringMatching(`[ -~]*`)), 1, 3), 1, 5).Draw(t, "keys")
		c := page.New(page.Keyset{Limit: 100}, rows, func(key []string) []string { return key })
		for i, key := range rows {
			raw, err := json.Marshal(key)
			if err != nil {
				t.Fatal(err)
			}
			want := base64.RawURLEncoding.EncodeToString(raw)
			if got := page.Cursor(key...); got != want {
				t.Fatalf("%q: the cursor is %s, want %s", key, got, want)
			}
			if got := c.Edges[i].Cursor(); got != want {
				t.Fatalf("%q: the cursor on the page is %s, want %s", key, got, want)
			}
			if got := string(c.Edges[i].AppendCursor([]byte("x"))); got != `x"`+want+`"` {
				t.Fatalf("%q: the cursor as JSON is %s, want %s", key, got, want)
			}
		}
	})
}

// TestPaging walks lists of any length by pages of any size, in both directions,
// and finds every row once and in order, with page information that says so.
func TestPaging(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		length := rapid.IntRange(0, 40).Draw(t, "length")
		size := rapid.IntRange(1, 15).Draw(t, "size")
		backward := rapid.Bool().Draw(t, "backward")
		rows := make([]int, length)
		for i := range rows {
			rows[i] = i
		}
		var got []int
		var cursor *string
		for range length + 2 {
			args := page.Args{First: &size, After: cursor}
			if backward {
				args = page.Args{Last: &size, Before: cursor}
			}
			k, err := args.Keyset(1)
			if err != nil {
				t.Fatal(err)
			}
			c := page.New(k, answer(rows, k), func(n int) []string { return []string{strconv.Itoa(n)} })
			nodes := c.Nodes()
			if backward {
				got = append(slices.Clone(nodes), got...)
			} else {
				got = append(got, nodes...)
			}
			onward, back := c.PageInfo().HasNextPage, c.PageInfo().HasPreviousPage
			if backward {
				onward, back = back, onward
			}
			if back != (cursor != nil) {
				t.Fatalf("a page that begins at %v says %v of the rows behind it", cursor, back)
			}
			if !onward {
				break
			}
			cursor = c.PageInfo().EndCursor
			if backward {
				cursor = c.PageInfo().StartCursor
			}
		}
		if !slices.Equal(got, rows) {
			t.Fatalf("got %v, want %v", got, rows)
		}
	})
}

// TestWindow asks for what lies between two rows: whatever the page size, the list
// goes on at both ends.
func TestWindow(t *testing.T) {
	t.Parallel()
	rows := []int{0, 1, 2, 3, 4, 5}
	for _, args := range []page.Args{{First: ptr(2)}, {First: ptr(10)}, {Last: ptr(2)}, {Last: ptr(10)}} {
		args.After, args.Before = ptr(page.Cursor("0")), ptr(page.Cursor("4"))
		k, err := args.Keyset(1)
		if err != nil {
			t.Fatal(err)
		}
		c := page.New(k, answer(rows, k), func(n int) []string { return []string{strconv.Itoa(n)} })
		if !c.PageInfo().HasNextPage || !c.PageInfo().HasPreviousPage {
			t.Errorf("%v: hasNextPage %v, hasPreviousPage %v, want both", c.Nodes(), c.PageInfo().HasNextPage, c.PageInfo().HasPreviousPage)
		}
	}
}

// answer is what a statement returns for the keyset: Limit+1 rows beyond the key,
// in reverse order for a backward page.
func answer(rows []int, k page.Keyset) []int {
	in := func(n int) bool {
		if k.After != nil {
			if after, _ := strconv.Atoi(k.After[0]); n <= after {
				return false
			}
		}
		if k.Before != nil {
			if before, _ := strconv.Atoi(k.Before[0]); n >= before {
				return false
			}
		}
		return true
	}
	var out []int
	for _, n := range rows {
		if in(n) {
			out = append(out, n)
		}
	}
	if k.Backward {
		slices.Reverse(out)
	}
	return out[:min(len(out), k.Limit+1)]
}
