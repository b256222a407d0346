package search_test

import (
	"context"
	"fmt"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/jackc/pgx/v5/pgxpool"
	"pgregory.net/rapid"

	"github.com/collegium/collegium/internal/pg/pgtest"
	"github.com/collegium/collegium/internal/search"
)

// manyPages opens a store with 150 pages about gardens, among which many score the same, and 50 documents.
func manyPages(t testing.TB) *search.Store {
	t.Helper()
	return &search.Store{DB: pgtest.NewWith(t, "search pages", func(ctx context.Context, db *pgxpool.Pool) error {
		var entries []entry
		for i := range 200 {
			e := entry{path: fmt.Sprintf("/p%d", i), title: "Garden", summary: "A place."}
			switch {
			case i%4 == 0:
				e.kind = "DOCUMENT"
			case i%3 == 0:
				e.title, e.body = fmt.Sprintf("Place %d", i), []string{"A garden", "and again a garden"}
			case i%3 == 1:
				e.title = fmt.Sprintf("Garden number %d", i%5)
			}
			entries = append(entries, e)
		}
		return insert(ctx, db, entries...)
	})}
}

// walk reads all pages. next returns the size of the next one.
func walk(t interface{ Fatal(...any) }, s *search.Store, query string, next func() int) []search.Edge {
	var all []search.Edge
	var after *string
	for range 300 {
		size := next()
		c, err := s.Search(context.Background(), anonymous, query, nil, &size, after)
		if err != nil {
			t.Fatal(err)
		}
		if c.PageInfo.HasPreviousPage != (after != nil) || len(c.Edges) > size {
			t.Fatal("the page info is wrong", c.PageInfo, len(c.Edges))
		}
		all = append(all, c.Edges...)
		if !c.PageInfo.HasNextPage {
			return all
		}
		after = c.PageInfo.EndCursor
	}
	t.Fatal("the list does not end")
	return nil
}

// edges compares edges by what a client sees of them.
var edges = cmp.Transformer("edges", func(e search.Edge) any {
	return struct {
		Cursor string
		Node   *search.Hit
	}{e.Cursor(), e.Node}
})

func pagesOf(size int) func() int {
	return func() int { return size }
}

// TestPagesAreTheList: pages of any size, put together, are the list, with the same cursors and scores.
func TestPagesAreTheList(t *testing.T) {
	t.Parallel()
	s := manyPages(t)
	for _, query := range []string{"garden", "gadren", "garden or number -place"} {
		whole := walk(t, s, query, pagesOf(100))
		if c := find(t, s, anonymous, query); len(whole) != c.TotalCount || len(whole) < 100 {
			t.Fatalf("%s: %d hits in all, counted %d", query, len(whole), c.TotalCount)
		}
		if !slices.IsSortedFunc(whole, func(a, b search.Edge) int {
			switch {
			case a.Node.Score > b.Node.Score:
				return -1
			case a.Node.Score < b.Node.Score:
				return 1
			}
			return slices.Compare(a.Node.EntryID[:], b.Node.EntryID[:])
		}) {
			t.Errorf("%s: the list is not in order of score and ID", query)
		}
		rapid.Check(t, func(rt *rapid.T) {
			sizes := rapid.IntRange(1, 100)
			got := walk(rt, s, query, func() int { return sizes.Draw(rt, "size") })
			if diff := cmp.Diff(whole, got, edges); diff != "" {
				rt.Fatalf("%s (-whole +pages):\n%s", query, diff)
			}
		})
	}
}

// TestPagesUnderInserts: while others are added and removed, each hit that was there all the time is seen once.
func TestPagesUnderInserts(t *testing.T) {
	t.Parallel()
	s := manyPages(t)
	var want []string
	for _, e := range walk(t, s, "garden", pagesOf(100)) {
		want = append(want, e.Node.EntryID.String())
	}
	n := 0
	got := walk(t, s, "garden", func() int {
		n++
		if n > 1 && n%2 == 0 {
			exec(t, s.DB, `DELETE FROM entries WHERE key LIKE '/new%'`)
		}
		for i := range 3 {
			title := []string{"Garden", "Garden number 2", "Other"}[i]
			if err := insert(t.Context(), s.DB, entry{path: fmt.Sprintf("/new-%d-%d", n, i), title: title, summary: "Garden"}); err != nil {
				t.Fatal(err)
			}
		}
		return 7
	})
	seen := map[string]int{}
	for _, e := range got {
		seen[e.Node.EntryID.String()]++
	}
	for id, times := range seen {
		if times > 1 {
			t.Errorf("%s is seen %d times", id, times)
		}
	}
	for _, id := range want {
		if seen[id] == 0 {
			t.Errorf("%s is not seen", id)
		}
	}
}

// TestSearchCapped: past MaxRanked matches the best candidates are ranked, all are counted, and the pages end.
func TestSearchCapped(t *testing.T) {
	t.Parallel()
	s := &search.Store{DB: pgtest.New(t)}
	exec(t, s.DB, `
		INSERT INTO entries (id, key, kind, slug, title, summary)
		SELECT md5('e' || i)::uuid, 'k' || i, CASE WHEN i % 10 = 0 THEN 'DOCUMENT' ELSE 'PAGE' END, 's' || i, 'Leaf ' || i, 'A garden.'
		FROM generate_series(1, 1500) i`)
	exec(t, s.DB, `INSERT INTO routes (path, kind, entry_id) SELECT '/a/b/s' || i, 'CURRENT', md5('e' || i)::uuid FROM generate_series(1, 1500) i`)
	// The last in every order but that of titles.
	exec(t, s.DB, `
		INSERT INTO entries (id, key, kind, slug, title)
		VALUES ('ffffffff-ffff-ffff-ffff-fffffffffffe', 'in', 'PAGE', 'in', 'The garden in winter'),
			('ffffffff-ffff-ffff-ffff-ffffffffffff', 'exact', 'PAGE', 'exact', 'Garden')`)
	exec(t, s.DB, `UPDATE routes SET path = '/well-known' WHERE path = '/a/b/s777'`)

	c := find(t, s, anonymous, "garden")
	if c.TotalCount != 1502 || !c.IsCapped {
		t.Errorf("total %d, capped %v; want 1502, true", c.TotalCount, c.IsCapped)
	}
	if diff := cmp.Diff([]*search.Facet{{Kind: search.KindPage, Count: 1352}, {Kind: search.KindDocument, Count: 150}}, c.Facets); diff != "" {
		t.Errorf("facets (-want +got):\n%s", diff)
	}
	got := []string{}
	for _, h := range c.Nodes()[:3] {
		got = append(got, h.Title)
	}
	if diff := cmp.Diff([]string{"Garden", "The garden in winter", "Leaf 777"}, got); diff != "" {
		t.Errorf("the first hits (-want +got):\n%s", diff)
	}
	all := walk(t, s, "garden", pagesOf(100))
	if len(all) != search.MaxRanked {
		t.Errorf("%d hits can be paged through, want %d", len(all), search.MaxRanked)
	}
	if diff := cmp.Diff(all, walk(t, s, "garden", pagesOf(99)), edges); diff != "" {
		t.Errorf("pages of 100 and of 99 differ:\n%s", diff)
	}
	// A kind that is rare among the matches is not crowded out.
	if c := find(t, s, anonymous, "garden", search.KindDocument); c.TotalCount != 150 || c.IsCapped || len(c.Edges) != 100 {
		t.Errorf("documents: total %d, capped %v, %d on the page; want 150, false, 100", c.TotalCount, c.IsCapped, len(c.Edges))
	}
}
