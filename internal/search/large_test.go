package search

import (
	"context"
	"fmt"
	"math"
	"math/rand/v2"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/collegium/collegium/internal/page"
	"github.com/collegium/collegium/internal/pg"
	"github.com/collegium/collegium/internal/pg/pgtest"
	"github.com/collegium/collegium/internal/viewer"
)

// large opens a store with n generated entries of about 120 words: "practice" stands in the title of every second one,
// "zebra" in the body of ten, each twentieth is for members, each fifth is a document without a page, and a thousand
// stand on the first two levels.
func large(tb testing.TB, n int) *Store {
	tb.Helper()
	return &Store{DB: pgtest.NewWith(tb, fmt.Sprintf("search large %d", n), func(ctx context.Context, db *pgxpool.Pool) error {
		r := rand.New(rand.NewPCG(1, 1))
		vocabulary := words(r, 27_000)
		text := func(n int) string {
			some := make([]string, n)
			for i := range some { // a few words are very frequent, most are rare
				some[i] = vocabulary[int(float64(len(vocabulary))*math.Pow(r.Float64(), 4))]
			}
			return strings.Join(some, " ")
		}
		var entries, routes, blocks [][]any
		for i := range n {
			id := uuid.NewSHA1(uuid.NameSpaceOID, fmt.Append(nil, i))
			kind, access, title := "PAGE", "PUBLIC", text(3+i%4)
			if i%5 == 4 {
				kind = "DOCUMENT"
			}
			if i%20 == 0 {
				access = "MEMBERS"
			}
			if i%2 == 0 {
				title += " practice"
			}
			entries = append(entries, []any{id, fmt.Sprint("k", i), kind, fmt.Sprint("s", i), title, text(15) + ".", access})
			path := fmt.Sprintf("/a%d/b%d", i%50, i)
			if i >= 1000 {
				path += "/c/d"
			}
			if kind == "PAGE" {
				routes = append(routes, []any{path, "CURRENT", id})
			}
			body := []string{text(50), text(50)}
			if i%max(1, n/10) == 1 {
				body = append(body, "A zebra crossing.")
			}
			for p, plain := range body {
				blocks = append(blocks, []any{uuid.New(), id, p, "RICH_TEXT", plain})
			}
		}
		start := time.Now()
		err := pgx.BeginFunc(ctx, db, func(tx pgx.Tx) error {
			for _, table := range []struct {
				name    string
				columns []string
				rows    [][]any
			}{
				{"entries", []string{"id", "key", "kind", "slug", "title", "summary", "access"}, entries},
				{"routes", []string{"path", "kind", "entry_id"}, routes},
				{"blocks", []string{"id", "entry_id", "position", "kind", "plain"}, blocks},
			} {
				if _, err := tx.CopyFrom(ctx, pgx.Identifier{table.name}, table.columns, pgx.CopyFromRows(table.rows)); err != nil {
					return err
				}
			}
			tb.Logf("%d entries copied in %v", n, time.Since(start).Round(time.Millisecond))
			start = time.Now()
			return nil
		})
		tb.Logf("indexed and committed in %v", time.Since(start).Round(time.Millisecond))
		return err
	})}
}

// words makes up n words that nobody uses.
func words(r *rand.Rand, n int) []string {
	first := strings.Fields("ba co di fe gu ha jo ki lu me no pa ri so tu va we yo ze qui stra pla cli dro")
	middle := strings.Fields("ran lit mon ter vis pol gar sed nik bur dal fen hop jur kas lom")
	last := strings.Fields("a ing ion ment ity al ed er ous ly ism ist")
	var all []string
	for _, end := range []string{"", "x", "b", "k", "m", "z", "p"} {
		for _, a := range first {
			for _, b := range middle {
				for _, c := range last {
					all = append(all, a+b+c+end)
				}
			}
		}
	}
	r.Shuffle(len(all), func(i, j int) { all[i], all[j] = all[j], all[i] })
	return all[:n]
}

// TestPlans: on many entries every statement goes by the indexes, planned with its arguments or without.
func TestPlans(t *testing.T) {
	t.Parallel()
	s := large(t, 10_000)
	seqScan := regexp.MustCompile(`Seq Scan on (entry_search|search_\w+|entries|routes|blocks)\b`)
	k := page.Keyset{Limit: 20}
	later := position{score: new(1.5), id: new(uuid.New())}
	search := func(v viewer.Viewer, text string, at position) pgx.StrictNamedArgs {
		q, err := parse(text)
		if err != nil {
			t.Fatal(err)
		}
		return q.args(v, nil, k, at)
	}
	member := viewer.Viewer{Role: viewer.Member}
	for _, test := range []struct {
		name string
		sql  string
		args pgx.StrictNamedArgs
		want []string
	}{
		{"a common word", searchSQL, search(viewer.Viewer{}, "practice", position{}), []string{"Bitmap Index Scan on entry_search_public_document"}},
		{"a rare word", searchSQL, search(viewer.Viewer{}, "zebra", position{}), []string{"Bitmap Index Scan on entry_search_public_document"}},
		{"a later page", searchSQL, search(viewer.Viewer{}, "practice or zebra", later), []string{"Bitmap Index Scan on entry_search_public_document"}},
		{"a title of stop words", searchSQL, search(viewer.Viewer{}, "who we are", position{}), []string{"Index Scan using entry_search_title_folded"}},
		{"a member", searchSQL, search(member, "practice -zebra", position{}), []string{
			"Bitmap Index Scan on entry_search_public_document", "Bitmap Index Scan on entry_search_restricted_document",
		}},
		{"a letter", suggestSQL, suggestArgs(viewer.Viewer{}, "p", 8), []string{
			"search_completions_words on", "search_completions_words_well_known on",
		}},
		{"a word", suggestSQL, suggestArgs(member, "practice", 8), []string{
			"search_completions_words on", "search_completions_words_well_known on",
		}},
		{"the terms like a word", `SELECT * FROM search_near_terms(@word, '{}')`, pgx.StrictNamedArgs{"word": "zerba"}, nil},
	} {
		for _, plan := range []string{"force_custom_plan", "force_generic_plan"} {
			explained := explain(t, s.DB, plan, test.sql, test.args)
			if found := seqScan.FindString(explained); found != "" {
				t.Errorf("%s, %s: %s in\n%s", test.name, plan, found, explained)
			}
			for _, want := range test.want {
				if !strings.Contains(explained, want) {
					t.Errorf("%s, %s: no %s in\n%s", test.name, plan, want, explained)
				}
			}
		}
	}
	// What a function does is in no plan of its caller.
	like := explain(t, s.DB, "force_custom_plan", `SELECT t.term FROM search_terms t WHERE t.term % @word`, pgx.StrictNamedArgs{"word": "zerba"})
	if !strings.Contains(like, "Bitmap Index Scan on search_terms_trigrams") {
		t.Errorf("the trigrams are not used:\n%s", like)
	}
}

// explain returns the plan of a statement under a plan_cache_mode.
func explain(t *testing.T, db pg.Querier, mode, sql string, args pgx.StrictNamedArgs) string {
	t.Helper()
	var lines []string
	err := pgx.BeginFunc(t.Context(), db, func(tx pgx.Tx) error {
		if _, err := tx.Exec(t.Context(), `SELECT set_config('plan_cache_mode', $1, true)`, mode); err != nil {
			return err
		}
		var err error
		lines, err = pg.Scalars[string](t.Context(), tx, `EXPLAIN (COSTS OFF) `+sql, args)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return strings.Join(lines, "\n")
}

// BenchmarkSearch asks 100,000 entries. Run it with -bench Search -benchtime 20x; making the entries takes a minute.
func BenchmarkSearch(b *testing.B) {
	s := large(b, 100_000)
	var frequent string
	if err := s.DB.QueryRow(b.Context(), `SELECT term FROM search_terms WHERE entries < 50000 AND term <> 'practice' ORDER BY entries DESC LIMIT 1`).Scan(&frequent); err != nil {
		b.Fatal(err)
	}
	second := ""
	for _, test := range []struct {
		name, query string
		viewer      viewer.Viewer
		after       *string
	}{
		{"a word in half of the titles", "practice", viewer.Viewer{}, nil},
		{"its second page", "practice", viewer.Viewer{}, &second},
		{"the same for a member", "practice", viewer.Viewer{Role: viewer.Member}, nil},
		{"a word in half of the bodies", frequent, viewer.Viewer{}, nil},
		{"two such words", "practice " + frequent, viewer.Viewer{}, nil},
		{"either of two such words", "practice or " + frequent, viewer.Viewer{}, nil},
		{"an exclusion", "practice -" + frequent, viewer.Viewer{}, nil},
		{"a word in ten bodies", "zebra", viewer.Viewer{}, nil},
		{"a phrase", `"zebra crossing"`, viewer.Viewer{}, nil},
		{"a slip", "zerba", viewer.Viewer{}, nil},
		{"nonsense", "xqjwvkxqj", viewer.Viewer{}, nil},
	} {
		b.Run(test.name, func(b *testing.B) {
			after := test.after
			if after != nil {
				c, err := s.Search(b.Context(), test.viewer, test.query, nil, nil, nil)
				if err != nil {
					b.Fatal(err)
				}
				after = c.PageInfo.EndCursor
			}
			var c *Connection
			for b.Loop() {
				var err error
				if c, err = s.Search(b.Context(), test.viewer, test.query, nil, nil, after); err != nil {
					b.Fatal(err)
				}
			}
			b.ReportMetric(float64(c.TotalCount), "hits")
		})
	}
}

// BenchmarkSuggest asks 100,000 entries.
func BenchmarkSuggest(b *testing.B) {
	s := large(b, 100_000)
	for _, prefix := range []string{"p", "pr", "practice", "straran", "zzz"} {
		b.Run(prefix, func(b *testing.B) {
			for b.Loop() {
				if _, err := s.Suggest(b.Context(), viewer.Viewer{}, prefix, nil); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
