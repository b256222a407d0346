package graph_test

import (
	"context"
	"encoding/json"
	"errors"
	"maps"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/vektah/gqlparser/v2"
	"github.com/vektah/gqlparser/v2/validator/rules"

	"github.com/collegium/collegium/graph/exec/querygen"
	"github.com/collegium/collegium/graph/gen"
	"github.com/collegium/collegium/internal/fresh"
	"github.com/collegium/collegium/internal/pg"
)

// sentStatements notes what a pool sends: of each text the arguments it was sent with,
// a few of them.
type sentStatements struct {
	mu   sync.Mutex
	args map[string][][]any
}

func (s *sentStatements) add(sql string, args []any) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.args[sql]) < 3 {
		s.args[sql] = append(s.args[sql], args)
	}
}

func (s *sentStatements) TraceQueryStart(ctx context.Context, _ *pgx.Conn, data pgx.TraceQueryStartData) context.Context {
	s.add(data.SQL, data.Args)
	return ctx
}

func (s *sentStatements) TraceBatchStart(ctx context.Context, _ *pgx.Conn, data pgx.TraceBatchStartData) context.Context {
	for _, q := range data.Batch.QueuedQueries {
		s.add(q.SQL, q.Arguments)
	}
	return ctx
}

func (*sentStatements) TraceQueryEnd(context.Context, *pgx.Conn, pgx.TraceQueryEndData)     {}
func (*sentStatements) TraceBatchQuery(context.Context, *pgx.Conn, pgx.TraceBatchQueryData) {}
func (*sentStatements) TraceBatchEnd(context.Context, *pgx.Conn, pgx.TraceBatchEndData)     {}

// TestStatementsRestOnWhatTheyRead asks the queries of the cookbook and generated ones,
// and wants of every statement they send that it counts as resting on each table that
// PostgreSQL reads for it, its functions included, and that it is known what it rests on.
func TestStatementsRestOnWhatTheyRead(t *testing.T) {
	t.Parallel()
	db := demoDB(t)
	config := db.Config()
	sent := &sentStatements{args: map[string][][]any{}}
	config.ConnConfig.Tracer = sent
	traced, err := pgxpool.NewWithConfig(t.Context(), config)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(traced.Close)

	h := graphOn(t, traced)
	// What is private is kept by nobody.
	schema, pools := gen.NewExecutableSchema(gen.Config{}).Schema(), values(t, h)
	private := privateFields(schema)
	for _, r := range readRecipes(t, mustRead(t, cookbook)) {
		doc, err := gqlparser.LoadQueryWithRules(schema, r.query, rules.NewDefaultRules())
		if err == nil && !slices.ContainsFunc(slices.Collect(maps.Keys(private)), func(name string) bool { return holds(doc, name) }) {
			h.Execute(t.Context(), params(r.query, r.variables))
		}
	}
	public := querygen.Options{Values: pools, Fields: 40, Depth: 7, Skip: func(typ, field string) bool { return private[typ+"."+field] }}
	for i := range uint64(300) {
		h.Execute(t.Context(), params(querygen.New(schema, *seed+i, public).Document()))
	}
	awaitReference(t, graphOn(t, traced, withReference(t, traced)), anyone)

	w := fresh.NewWatcher(db.Config().ConnConfig, fresh.Options{})
	t.Cleanup(w.Close)
	if !w.Fresh(t.Context()) {
		t.Fatal("the watcher is not fresh")
	}
	statements, tables := 0, map[string]bool{}
	for _, sql := range slices.Sorted(maps.Keys(sent.args)) {
		if verb, _, _ := strings.Cut(strings.TrimSpace(sql), " "); slices.Contains([]string{"begin", "commit", "rollback"}, verb) {
			continue
		}
		statements++
		for _, args := range sent.args[sql] {
			ctx, reading := w.Begin(t.Context())
			if _, err := db.Exec(ctx, sql, args...); err != nil {
				t.Fatalf("%v\n%s", err, sql)
			}
			basis, known := reading.Basis()
			if !known {
				t.Errorf("no answer is kept that comes from this statement:\n%s", sql)
				break
			}
			for name := range readBy(t, db, sql, args) {
				tables[name] = true
				if !slices.Contains(basis.Tables(), name) {
					t.Errorf("PostgreSQL reads %s, and the statement counts as resting on %q:\n%s", name, basis.Tables(), sql)
				}
			}
		}
	}
	t.Logf("%d statements read %d tables", statements, len(tables))
	if statements < 50 || len(tables) < 20 {
		t.Errorf("only %d statements and %d tables were looked at", statements, len(tables))
	}
}

var errUndo = errors.New("undo")

// readBy returns the tables that PostgreSQL reads for a statement: those of its plan,
// and those that its execution looks into, which the plan of a function's call hides.
func readBy(t *testing.T, db *pgxpool.Pool, sql string, args []any) map[string]bool {
	t.Helper()
	ctx := t.Context()
	var err error
	if len(args) > 0 {
		if named, ok := args[0].(pgx.QueryRewriter); ok {
			if sql, args, err = named.RewriteQuery(ctx, nil, sql, nil); err != nil {
				t.Fatal(err)
			}
		}
	}
	read := map[string]bool{}
	err = pgx.BeginFunc(ctx, db, func(tx pgx.Tx) error {
		plan, err := pg.Scalar[string](ctx, tx, `EXPLAIN (VERBOSE, FORMAT JSON) `+sql, args...)
		if err != nil {
			return err
		}
		var nodes any
		if err := json.Unmarshal([]byte(plan), &nodes); err != nil {
			return err
		}
		relations(nodes, read)
		if strings.Contains(plan, "CURRENT_DATE") {
			read["current_date"] = true
		}
		// Workers count on their own. What this connection did before counts too.
		if _, err := tx.Exec(ctx, `SET LOCAL max_parallel_workers_per_gather = 0`); err != nil {
			return err
		}
		before, err := scans(ctx, tx)
		if err != nil {
			return err
		}
		if _, err := tx.Exec(ctx, sql, args...); err != nil {
			return err
		}
		after, err := scans(ctx, tx)
		if err != nil {
			return err
		}
		for name, n := range after {
			if n > before[name] {
				read[name] = true
			}
		}
		return errUndo
	})
	if !errors.Is(err, errUndo) {
		t.Fatalf("%v\n%s", err, sql)
	}
	return read
}

// relations collects the tables of a plan.
func relations(node any, into map[string]bool) {
	switch node := node.(type) {
	case map[string]any:
		if name, ok := node["Relation Name"].(string); ok && node["Schema"] != "pg_catalog" {
			into[name] = true
		} else if ok {
			into["pg_catalog."+name] = true
		}
		for _, child := range node {
			relations(child, into)
		}
	case []any:
		for _, child := range node {
			relations(child, into)
		}
	}
}

// scans counts how often this session has begun to look into each table.
func scans(ctx context.Context, tx pgx.Tx) (map[string]int, error) {
	rows, err := tx.Query(ctx, `SELECT relname::text, COALESCE(seq_scan, 0) + COALESCE(idx_scan, 0) FROM pg_stat_xact_user_tables`)
	if err != nil {
		return nil, err
	}
	counts := map[string]int{}
	var name string
	var n int
	_, err = pgx.ForEachRow(rows, []any{&name, &n}, func() error {
		counts[name] = n
		return nil
	})
	return counts, err
}
