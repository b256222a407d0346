package statistics_test

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"slices"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/collegium/collegium/internal/pg"
	"github.com/collegium/collegium/internal/pg/pgtest"
	"github.com/collegium/collegium/internal/statistics"
)

// explained runs each statement as EXPLAIN ANALYZE first, and keeps the plan.
type explained struct {
	*pgxpool.Conn
	plans []plan
}

// plan is what of a measured plan is of interest.
type plan struct {
	Plan      node
	Execution float64 `json:"Execution Time"`
}

type node struct {
	Type     string `json:"Node Type"`
	Relation string `json:"Relation Name"`
	Hit      int    `json:"Shared Hit Blocks"`
	Read     int    `json:"Shared Read Blocks"`
	Plans    []node
}

// relations adds the tables that are read.
func (n *node) relations(names map[string]bool) {
	if n.Relation != "" {
		names[n.Relation] = true
	}
	for i := range n.Plans {
		n.Plans[i].relations(names)
	}
}

func (e *explained) Query(ctx context.Context, sql string, args ...any) (pgx.Rows, error) {
	numbered, values := sql, args
	if named, ok := args[0].(pgx.QueryRewriter); ok {
		var err error
		if numbered, values, err = named.RewriteQuery(ctx, e.Conn.Conn(), sql, args[1:]); err != nil {
			return nil, err
		}
	}
	var text []byte
	if err := e.Conn.QueryRow(ctx, `EXPLAIN (ANALYZE, BUFFERS, TIMING OFF, FORMAT JSON) `+numbered, values...).Scan(&text); err != nil {
		return nil, err
	}
	var plans []plan
	if err := json.Unmarshal(text, &plans); err != nil {
		return nil, err
	}
	e.plans = append(e.plans, plans...)
	return e.Conn.Query(ctx, sql, args...)
}

// asked is everything that statistics can be asked.
func asked(store *statistics.Store, st *statistics.Statistics) map[string]func(context.Context) error {
	all := map[string]func(context.Context) error{
		"renewals": func(ctx context.Context) error { _, err := store.RenewalsDue(ctx, st, nil, nil); return err },
		"months":   func(ctx context.Context) error { _, err := store.Months(ctx, st, nil, nil, nil); return err },
		"years": func(ctx context.Context) error {
			_, err := store.Months(ctx, st, ptr(st.AsOf.AddDate(-9, -11, 0)), nil, nil)
			return err
		},
	}
	for _, by := range []statistics.Dimension{statistics.ByGrade, statistics.ByRegion, statistics.BySection, statistics.ByStatus} {
		all["by/"+string(by)] = func(ctx context.Context) error { _, err := store.By(ctx, st, by); return err }
		all["months/"+string(by)] = func(ctx context.Context) error { _, err := store.Months(ctx, st, nil, nil, &by); return err }
	}
	return all
}

// filters are those that take another path.
var filters = map[string]*statistics.Filter{
	"all":       nil,
	"a grade":   {Grade: ptr("PROFESSIONAL")},
	"a region":  {Region: ptr("wales")},
	"a section": {Section: ptr("housing")},
}

// TestPlans wants counting to read stretches and what they are of, and nothing about
// single members.
func TestPlans(t *testing.T) {
	t.Parallel()
	db := pgtest.NewWith(t, "small", small)
	conn, err := db.Acquire(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Release()
	for filter, f := range filters {
		e := &explained{Conn: conn}
		store := &statistics.Store{DB: e}
		st, err := store.Of(t.Context(), staff, day("2024-06-15"), f)
		if err != nil {
			t.Fatal(err)
		}
		for what, ask := range asked(store, st) {
			e.plans = nil
			if err := ask(t.Context()); err != nil {
				t.Fatal(err)
			}
			read := map[string]bool{}
			for i := range e.plans {
				e.plans[i].Plan.relations(read)
			}
			for name := range read {
				if !slices.Contains([]string{"membership_stretches", "membership_strata", "section_sets", "units"}, name) {
					t.Errorf("%s of %s reads %s", what, filter, name)
				}
			}
			if !read["membership_stretches"] && what != "renewals" {
				t.Errorf("%s of %s reads only %v", what, filter, read)
			}
		}
	}
}

// BenchmarkStatistics counts 100,000 members with 525,000 periods. Besides the mean it
// tells the least time that PostgreSQL took by its own plans, with the pages that it
// read, and the least processor time of its process: those depend less on what else
// the machine does.
func BenchmarkStatistics(b *testing.B) {
	db := pgtest.NewWith(b, "many", many)
	conn, err := db.Acquire(b.Context())
	if err != nil {
		b.Fatal(err)
	}
	defer conn.Release()
	pid, err := pg.Scalar[int](b.Context(), conn, `SELECT pg_backend_pid()`)
	if err != nil {
		b.Fatal(err)
	}
	// Nanoseconds on a processor, as Linux tells.
	spent := func() time.Duration {
		text, _ := os.ReadFile(fmt.Sprintf("/proc/%d/schedstat", pid))
		var d time.Duration
		_, _ = fmt.Sscan(string(text), &d)
		return d
	}
	for _, on := range []string{"2025-06-15", "2022-06-15"} {
		for _, filter := range []string{"all", "a grade", "a region", "a section"} {
			e := &explained{Conn: conn}
			store, measured := &statistics.Store{DB: conn}, &statistics.Store{DB: e}
			st, err := store.Of(b.Context(), staff, day(on), filters[filter])
			if err != nil {
				b.Fatal(err)
			}
			plain, explain := asked(store, st), asked(measured, st)
			names := []string{}
			for name := range plain {
				names = append(names, name)
			}
			slices.Sort(names)
			for _, name := range names {
				b.Run(on+"/"+filter+"/"+name, func(b *testing.B) {
					least := time.Hour
					for b.Loop() {
						before := spent()
						if err := plain[name](b.Context()); err != nil {
							b.Fatal(err)
						}
						least = min(least, spent()-before)
					}
					b.StopTimer()
					execution, pages := 1e9, 0
					for range 5 {
						e.plans = nil
						if err := explain[name](b.Context()); err != nil {
							b.Fatal(err)
						}
						sum := 0.0
						pages = 0
						for _, p := range e.plans {
							sum += p.Execution
							pages += p.Plan.Hit + p.Plan.Read
						}
						execution = min(execution, sum)
					}
					b.ReportMetric(float64(least.Microseconds())/1000, "least-cpu-ms")
					b.ReportMetric(execution, "least-plan-ms")
					b.ReportMetric(float64(pages), "pages")
				})
			}
		}
	}
}
