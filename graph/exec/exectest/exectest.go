// Package exectest compares the answers of two executions of one schema: gqlgen alone, and gqlgen
// with package exec below its roots.
package exectest

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"sync"

	"github.com/99designs/gqlgen/graphql"
	"github.com/99designs/gqlgen/graphql/executor"
	"github.com/vektah/gqlparser/v2/ast"
	"github.com/vektah/gqlparser/v2/gqlerror"

	"github.com/collegium/collegium/graph/exec"
)

// Server answers documents without HTTP.
type Server struct {
	exec *executor.Executor
	fast *exec.Executor // nil for gqlgen alone

	operations sync.Map // *ast.OperationDefinition → *exec.Operation
}

// panicMessage is the error of a recovered panic.
const panicMessage = "internal system error"

// New returns a server for a schema, by gqlgen alone if fast is nil. It keeps parsed documents.
func New(schema graphql.ExecutableSchema, fast *exec.Executor) *Server {
	e := executor.New(schema)
	e.SetRecoverFunc(recovered)
	e.SetQueryCache(&documents{})
	if fast != nil {
		e.Use(fast)
	}
	return &Server{exec: e, fast: fast}
}

func recovered(context.Context, any) error { return gqlerror.Errorf(panicMessage) }

// documents keeps every parsed document: a test ends.
type documents struct{ byText sync.Map }

// Get implements graphql.Cache.
func (d *documents) Get(_ context.Context, key string) (*ast.QueryDocument, bool) {
	doc, ok := d.byText.Load(key)
	if !ok {
		return nil, false
	}
	return doc.(*ast.QueryDocument), true
}

// Add implements graphql.Cache.
func (d *documents) Add(_ context.Context, key string, doc *ast.QueryDocument) {
	d.byText.Store(key, doc)
}

// Do answers an operation. The variables are as in JSON.
func (s *Server) Do(ctx context.Context, query string, variables map[string]any) *graphql.Response {
	ctx = graphql.StartOperationTrace(ctx)
	oc, errs := s.exec.CreateOperationContext(ctx, &graphql.RawParams{Query: query, Variables: asSent(variables)})
	if errs != nil {
		return s.exec.DispatchError(graphql.WithOperationContext(ctx, oc), errs)
	}
	oc.DisableIntrospection = false
	if s.fast != nil {
		o := s.Operation(oc)
		if o.Runs(oc.Variables) {
			ctx = graphql.WithResponseContext(graphql.WithOperationContext(ctx, oc), graphql.DefaultErrorPresenter, recovered)
			data := o.Append(ctx, nil)
			return &graphql.Response{Data: data, Errors: graphql.GetErrors(ctx)}
		}
		ctx = o.Context(ctx)
	}
	responses, ctx := s.exec.DispatchOperation(ctx, oc)
	return responses(ctx)
}

// Operation returns the operation as the executor knows it.
func (s *Server) Operation(oc *graphql.OperationContext) *exec.Operation {
	known, ok := s.operations.Load(oc.Operation)
	if !ok {
		known, _ = s.operations.LoadOrStore(oc.Operation, s.fast.Operation(oc.Doc, oc.Operation))
	}
	return known.(*exec.Operation)
}

// Operations calls f with each operation that was asked.
func (s *Server) Operations(f func(*exec.Operation)) {
	s.operations.Range(func(_, o any) bool {
		f(o.(*exec.Operation))
		return true
	})
}

// asSent sends variables through JSON, as a client does.
func asSent(variables map[string]any) map[string]any {
	if len(variables) == 0 {
		return nil
	}
	text, err := json.Marshal(variables)
	if err != nil {
		panic(fmt.Sprintf("exectest: variables that JSON can't hold: %v", err))
	}
	var sent map[string]any
	d := json.NewDecoder(bytes.NewReader(text))
	d.UseNumber()
	if err := d.Decode(&sent); err != nil {
		panic(fmt.Sprintf("exectest: variables that JSON can't hold: %v", err))
	}
	return sent
}

// Diff tells how the answer got differs from the answer want of gqlgen alone: in any byte of the data or in any
// error, whose order doesn't count. It returns nothing for equal answers.
func Diff(want, got *graphql.Response) string {
	if want == nil || got == nil {
		if want == got {
			return ""
		}
		return fmt.Sprintf("one answer is missing: want %v, got %v", want, got)
	}
	var b strings.Builder
	if !bytes.Equal(want.Data, got.Data) {
		at := 0
		for at < len(want.Data) && at < len(got.Data) && want.Data[at] == got.Data[at] {
			at++
		}
		fmt.Fprintf(&b, "data differs at byte %d:\n-want …%s\n+got  …%s\n", at, around(want.Data, at), around(got.Data, at))
	}
	w, g := Errors(want), Errors(got)
	for _, line := range w {
		if i := slices.Index(g, line); i >= 0 {
			g = slices.Delete(g, i, i+1)
			continue
		}
		fmt.Fprintf(&b, "-want error %s\n", line)
	}
	for _, line := range g {
		fmt.Fprintf(&b, "+got  error %s\n", line)
	}
	return b.String()
}

func around(data []byte, at int) []byte { return data[max(0, at-60):min(len(data), at+120)] }

var (
	wrongLength = regexp.MustCompile(`(index \d+: )?batch resolver (\S+) returned \d+ (results|errors) for \d+ parents.*`)
	wrongType   = regexp.MustCompile(`^batch resolver \S+ returned unexpected result type.*`)
)

// Errors returns the errors of an answer, sorted, each as a line of path, message, locations and
// extensions. The messages in which gqlgen alone depends on the size of its batches and on which parent comes first
// are made equal, see package exec.
func Errors(r *graphql.Response) []string {
	var lines []string
	for _, e := range r.Errors {
		message := wrongLength.ReplaceAllString(e.Message, "batch resolver $2 returned the wrong number of $3")
		message = wrongType.ReplaceAllString(message, panicMessage)
		extensions, err := json.Marshal(e.Extensions)
		if err != nil {
			panic(fmt.Sprintf("exectest: extensions that JSON can't hold: %v", err))
		}
		lines = append(lines, fmt.Sprintf("%s: %s %v %s", e.Path, message, e.Locations, extensions))
	}
	slices.SortFunc(lines, cmp.Compare)
	return lines
}
