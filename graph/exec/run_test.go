package exec_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/99designs/gqlgen/graphql"
	"github.com/collegium/collegium/graph/exec"
	"github.com/collegium/collegium/graph/exec/exectest"
	"github.com/collegium/collegium/graph/exec/internal/fixture/gen"
	"github.com/google/go-cmp/cmp"
	"github.com/vektah/gqlparser/v2"
	"github.com/vektah/gqlparser/v2/validator/rules"
)

// TestContext states what an edge finds in its context.
func TestContext(t *testing.T) {
	t.Parallel()
	_, fast, r := servers()
	var mu sync.Mutex
	seen := map[string]string{}
	r.OnCall = func(ctx context.Context, field string) {
		fc := graphql.GetFieldContext(ctx)
		mu.Lock()
		defer mu.Unlock()
		seen[field] = fmt.Sprintf("%s args=%v fields=%v", graphql.GetPath(ctx), fc.Args["genre"] != nil, graphql.CollectAllFields(ctx))
	}
	fast.Do(context.Background(), `{ tree { target { __typename } children { target { ... on Node { id } } } } authors { bookCount(genre: FACT) rival { friends { name } } } }`, nil)
	want := map[string]string{
		"Branch.target":    `tree.target args=false fields=[__typename id]`,
		"Author.bookCount": `authors.bookCount args=true fields=[]`,
		"Author.rival":     `authors.rival args=false fields=[friends]`,
		"Author.friends":   `authors.rival.friends args=false fields=[name]`,
	}
	if diff := cmp.Diff(want, seen); diff != "" {
		t.Errorf("contexts (-want +got):\n%s", diff)
	}
}

// TestEdgesAtOnce states that the edges of a level run side by side, up to the limit.
func TestEdgesAtOnce(t *testing.T) {
	t.Parallel()
	for _, limit := range []int{1, 2, 3} {
		t.Run(fmt.Sprint(limit), func(t *testing.T) {
			t.Parallel()
			_, _, r := servers()
			e := exec.New(gen.NewExecTable(r.Config()))
			e.SetEdgesAtOnce(limit)
			s := exectest.New(gen.NewExecutableSchema(r.Config()), e)

			var mu sync.Mutex
			running, most := 0, 0
			full := make(chan struct{})
			r.OnCall = func(context.Context, string) {
				mu.Lock()
				running++
				if most = max(most, running); running == limit {
					select {
					case <-full:
					default:
						close(full)
					}
				}
				mu.Unlock()
				select { // until as many run as may
				case <-full:
				case <-time.After(10 * time.Second):
				}
				mu.Lock()
				running--
				mu.Unlock()
			}
			s.Do(context.Background(), `{ authors(first: 2) { rival { id } mentor { id } friends { id } bookCount } }`, nil)
			if most != limit {
				t.Errorf("%d edges ran at once, want %d", most, limit)
			}
		})
	}
}

// TestCancel states that a run ends between two edges, with one error, when its context is done.
func TestCancel(t *testing.T) {
	t.Parallel()
	_, fast, r := servers()
	ctx, cancel := context.WithCancelCause(context.Background())
	var calls []string
	r.OnCall = func(_ context.Context, field string) {
		calls = append(calls, field)
		cancel(errors.New("the client went away"))
	}
	got := fast.Do(ctx, `{ authors { rival { mentor { id } } } }`, nil)
	if diff := cmp.Diff([]string{"Author.rival"}, calls); diff != "" {
		t.Errorf("calls (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff([]string{"authors: context canceled [1:3] null"}, exectest.Errors(got)); diff != "" {
		t.Errorf("errors (-want +got):\n%s", diff)
	}
	if got, want := string(got.Data), "null"; got != want {
		t.Errorf("data is %s, want %s", got, want)
	}
}

// TestCancelPlain states that an answer without edges ends too.
func TestCancelPlain(t *testing.T) {
	t.Parallel()
	_, fast, r := servers()
	ctx, cancel := context.WithCancel(context.Background())
	for range 10 {
		r.Library.Tree = append(r.Library.Tree, r.Library.Tree...)
	}
	r.OnRoot = cancel
	got := fast.Do(ctx, treeQuery, nil)
	if diff := cmp.Diff([]string{"tree: context canceled [1:3] null"}, exectest.Errors(got)); diff != "" {
		t.Errorf("errors (-want +got):\n%s", diff)
	}
}

// TestSharing runs one document from many goroutines with other variables, so that plans and
// buffers are shared, and looks for bytes of another answer.
func TestSharing(t *testing.T) {
	t.Parallel()
	_, fast, _ := servers()
	query := `query($n: Int, $a: Boolean!, $b: Boolean!) { authors(first: $n) { id name @skip(if: $a) ...F } boxes(first: $n) { item { ... on Node { id } } fails } }
		fragment F on Author { works { ... on Film { minutes @include(if: $b) } ... on Book { title } } }`
	vars := func(i int) map[string]any {
		return map[string]any{"n": i % 6, "a": i%2 == 0, "b": i%3 == 0}
	}
	want := make([]*graphql.Response, 36)
	for i := range want {
		want[i] = fast.Do(context.Background(), query, vars(i))
	}
	var wait sync.WaitGroup
	for g := range 8 {
		wait.Go(func() {
			var kept []*graphql.Response
			for i := range 200 {
				kept = append(kept, fast.Do(context.Background(), query, vars(i+g)))
			}
			for i, got := range kept {
				if d := exectest.Diff(want[(i+g)%36], got); d != "" {
					t.Errorf("goroutine %d, answer %d: %s", g, i, d)
					return
				}
			}
		})
	}
	wait.Wait()
}

// TestPlansBounded states that variables in directives can't make plans without end.
func TestPlansBounded(t *testing.T) {
	t.Parallel()
	_, _, r := servers()
	e := exec.New(gen.NewExecTable(r.Config()))
	s := exectest.New(gen.NewExecutableSchema(r.Config()), e)
	var query, head strings.Builder
	vars := map[string]any{}
	for i := range 10 {
		fmt.Fprintf(&head, "$v%d: Boolean! ", i)
		fmt.Fprintf(&query, "w%d: width @skip(if: $v%d) ", i, i)
	}
	text := "query(" + head.String() + ") { shelf { " + query.String() + "} }"
	for i := range 1 << 10 {
		want := 0
		for bit := range 10 {
			skip := i>>bit&1 == 1
			vars[fmt.Sprintf("v%d", bit)] = skip
			if !skip {
				want++
			}
		}
		got := s.Do(context.Background(), text, vars)
		if n := bytes.Count(got.Data, []byte(`:2`)); n != want {
			t.Fatalf("variables %v: %s has %d fields, want %d", vars, got.Data, n, want)
		}
	}
	s.Operations(func(o *exec.Operation) {
		if n := o.Plans(); n > 24 {
			t.Errorf("%d plans are kept for one operation", n)
		}
	})
}

// TestBytes compares what plans are thought to take with what they take.
func TestBytes(t *testing.T) { //nolint:paralleltest // it measures the memory of the process
	_, _, r := servers()
	e := exec.New(gen.NewExecTable(r.Config()))
	for name, text := range map[string]string{
		"leaves":     `{ shelf { ` + strings.Repeat(`label width `, 10) + manyLeaves() + ` } }`,
		"tree":       treeQuery,
		"levels":     levelsQuery,
		"interfaces": `{ items { ... on Node { id } ... on Work { title author { name } } } node(id: "a1") { id ... on Author { works { title } } } }`,
	} {
		doc, errs := gqlparser.LoadQueryWithRules(schema(), text, rules.NewDefaultRules())
		if errs != nil {
			t.Fatal(errs)
		}
		oc := &graphql.OperationContext{Doc: doc, Operation: doc.Operations[0], RecoverFunc: graphql.DefaultRecover}
		const copies = 200
		kept := make([]*exec.Operation, copies)
		var before, after runtime.MemStats
		runtime.GC()
		runtime.ReadMemStats(&before)
		for i := range kept {
			kept[i] = e.Operation(doc, doc.Operations[0])
			ctx := graphql.WithResponseContext(context.Background(), graphql.DefaultErrorPresenter, graphql.DefaultRecover)
			kept[i].Append(graphql.WithOperationContext(ctx, oc), nil)
		}
		runtime.GC()
		runtime.ReadMemStats(&after)
		real := float64(after.HeapAlloc-before.HeapAlloc) / copies
		thought := float64(kept[0].Bytes())
		runtime.KeepAlive(kept)
		t.Logf("%-10s thought %7.0f, real %7.0f bytes", name, thought, real)
		if thought < real/1.5 || thought > real*2 {
			t.Errorf("%s: thought to take %.0f bytes, takes %.0f", name, thought, real)
		}
	}
}

// manyLeaves are fields under many names.
func manyLeaves() string {
	var b strings.Builder
	for i := range 40 {
		fmt.Fprintf(&b, "a%d: width ", i)
	}
	return b.String()
}

// TestSubscription states that subscriptions run by gqlgen, untouched.
func TestSubscription(t *testing.T) {
	t.Parallel()
	plain, fast, _ := servers()
	const query = `subscription { book { title author { name } } }`
	want, got := plain.Do(context.Background(), query, nil), fast.Do(context.Background(), query, nil)
	if d := exectest.Diff(want, got); d != "" || !bytes.Contains(got.Data, []byte(`"Book 1"`)) {
		t.Errorf("%s\n%s", d, got.Data)
	}
}
