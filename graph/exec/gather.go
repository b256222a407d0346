package exec

import (
	"context"
	"errors"
	"fmt"
	"reflect"
	"sync"
	"sync/atomic"

	"github.com/99designs/gqlgen/graphql"
)

// run is the execution of one root field for one request.
type run struct {
	ctx    context.Context // with the field context of the root field
	oc     *graphql.OperationContext
	exec   *Executor
	root   *rootPlan
	result any  // what the resolver of the root field returned
	failed bool // the root field is null, and its error is told

	slots []fieldRun // of the methods and edges met so far, by planned.slot
	round []*planned // the edges that got parents since the last round

	buf   []byte
	start int     // where the root field begins in buf
	stack []frame // where the writer is, below the root field
	late  []lateError
	ticks uint
}

// fieldRun is a method or an edge within a run.
type fieldRun interface {
	// add hands over one more parent. A method is called and walked at once.
	add(r *run, f *planned, parent any)
	// resolve answers all parents. It may run beside others of its round.
	resolve(ctx context.Context, r *run)
	// absorb takes the parents of another run of the same field; share gives it its part of the results.
	absorb(other fieldRun) (first, n int)
	share(other fieldRun, first, n int)
	// walk visits the results for the next round.
	walk(r *run, f *planned)
	// write writes the next result.
	write(r *run, f *planned) (null bool)
	arguments() *arguments
}

// arguments are the coerced arguments of a planned field.
type arguments struct {
	known  bool
	failed bool // the error is found again, with its path, for each parent
	values map[string]any
}

// visit walks one object for edges.
func (r *run) visit(t *typed, obj any) {
	r.tick()
	for _, f := range t.gather {
		switch f.kind {
		case kindPlain:
			if f.guarded {
				r.visitGuarded(f, obj)
			} else {
				f.plain.visit(r, f.sel, obj)
			}
		default:
			r.slot(f).add(r, f, obj)
		}
	}
}

// visitGuarded lets a panic pass: the writer meets it again at the same place, and reports it there.
func (r *run) visitGuarded(f *planned, obj any) {
	defer func() {
		if p := recover(); p != nil {
			rethrow(p)
		}
	}()
	f.plain.visit(r, f.sel, obj)
}

func (r *run) slot(f *planned) fieldRun {
	if f.slot >= len(r.slots) {
		r.slots = append(r.slots, make([]fieldRun, f.slot+1-len(r.slots))...)
	}
	s := r.slots[f.slot]
	if s == nil {
		s = f.newRun()
		r.slots[f.slot] = s
		if f.kind == kindEdge {
			r.round = append(r.round, f)
		}
	}
	return s
}

// gather answers all edges, level by level.
func (r *run) gather() {
	for len(r.round) > 0 {
		round := r.round
		r.round = nil
		r.resolve(round)
		for _, f := range round {
			r.slots[f.slot].walk(r, f)
		}
	}
}

// group is the edges of a round that are the same field with the same arguments, such as the target
// of a menu's items at each depth that the document spells out. They are one call.
type group struct {
	lead   fieldRun
	ctx    context.Context
	fc     *graphql.FieldContext
	others []share
}

type share struct {
	run      fieldRun
	first, n int
}

// resolve calls the edges of one round, several at a time.
func (r *run) resolve(round []*planned) {
	r.check()
	if len(round) == 1 {
		f := round[0]
		if !r.argumentsOf(f).failed {
			ctx, _ := r.plannedContext(f)
			r.slots[f.slot].resolve(ctx, r)
			r.check()
		}
		return
	}
	groups := make([]group, 0, len(round))
	leads := make([]*planned, 0, len(round))
next:
	for _, f := range round {
		slot := r.slots[f.slot]
		args := r.argumentsOf(f)
		if args.failed {
			continue
		}
		for i := range groups {
			g := &groups[i]
			if leads[i].field == f.field && reflect.DeepEqual(g.lead.arguments().values, args.values) {
				first, n := g.lead.absorb(slot)
				g.others = append(g.others, share{slot, first, n})
				sets := g.fc.Field.Selections
				g.fc.Field.Selections = append(sets[:len(sets):len(sets)], f.ast.Selections...)
				continue next
			}
		}
		ctx, fc := r.plannedContext(f)
		groups = append(groups, group{lead: slot, ctx: ctx, fc: fc})
		leads = append(leads, f)
	}

	var next atomic.Int32
	work := func() {
		for i := int(next.Add(1)) - 1; i < len(groups); i = int(next.Add(1)) - 1 {
			groups[i].lead.resolve(groups[i].ctx, r)
		}
	}
	var wait sync.WaitGroup
	for range min(len(groups), r.exec.edgesAtOnce) - 1 {
		wait.Go(work)
	}
	work()
	wait.Wait()
	r.check()
	for _, g := range groups {
		for _, s := range g.others {
			g.lead.share(s.run, s.first, s.n)
		}
	}
}

// argumentsOf coerces the arguments of a method or an edge, once for each planned field.
func (r *run) argumentsOf(f *planned) (args *arguments) {
	args = r.slots[f.slot].arguments()
	if args.known {
		return args
	}
	args.known = true
	if f.known == nil {
		return args
	}
	defer func() {
		if p := recover(); p != nil {
			args.failed = true
		}
	}()
	values, err := f.arguments(r.ctx, r.oc.Variables)
	args.values, args.failed = values, err != nil
	return args
}

// arguments coerces the arguments of f, or returns them if they are the same in each request.
func (f *planned) arguments(ctx context.Context, variables map[string]any) (map[string]any, error) {
	if f.known == nil {
		return nil, nil
	}
	if values := f.known.values.Load(); values != nil {
		return *values, nil
	}
	values, err := f.args(ctx, f.ast.ArgumentMap(variables))
	if err == nil && !f.known.vary {
		f.known.values.Store(&values)
	}
	return values, err
}

// plannedContext is the context in which an edge or a method is called. Its field context has the
// arguments and the selection; its path names the fields from the root, without indexes, since the call is for many parents.
func (r *run) plannedContext(f *planned) (context.Context, *graphql.FieldContext) {
	fc := f.fieldContext()
	fc.Args = r.slots[f.slot].arguments().values
	ctx := graphql.WithFieldContext(r.ctx, fc)
	if f.parent != nil {
		fc.Parent = f.parent.above
	}
	return ctx, fc
}

func noChild(context.Context, graphql.CollectedField) (*graphql.FieldContext, error) {
	return nil, errNoChild
}

var errNoChild = errors.New("exec: there are no field contexts below a rendered field")

type edge[P, T any] struct {
	call  func(ctx context.Context, parents []P) ([]T, error)
	shape Shape[T]
	iface bool
	name  string
}

type edgeRun[P, T any] struct {
	def     *edge[P, T]
	args    arguments
	parents []P
	own     int // how many parents are its own, if it absorbed others
	results []T
	errs    []error // of single parents
	err     error   // of all
	panics  bool    // err comes from a panic
	next    int
}

func (e *edgeRun[P, T]) arguments() *arguments { return &e.args }

func (e *edgeRun[P, T]) add(_ *run, f *planned, parent any) {
	if e.parents == nil {
		e.parents = make([]P, 0, min(max(f.most.Load(), 1), maxHint))
	}
	e.parents = append(e.parents, parent.(P))
}

// maxHint bounds how much memory is taken for the parents of an edge before they are there.
const maxHint = 256

func (e *edgeRun[P, T]) absorb(other fieldRun) (first, n int) {
	o := other.(*edgeRun[P, T])
	first, n = len(e.parents), len(o.parents)
	if e.own == 0 {
		e.own = first
	}
	e.parents = append(e.parents, o.parents...)
	return first, n
}

func (e *edgeRun[P, T]) share(other fieldRun, first, n int) {
	o := other.(*edgeRun[P, T])
	o.err, o.panics = e.err, e.panics
	if e.results != nil {
		o.results = e.results[first : first+n]
	}
	if e.errs != nil {
		o.errs = e.errs[first : first+n]
	}
}

func (e *edgeRun[P, T]) resolve(ctx context.Context, r *run) {
	defer func() {
		if p := recover(); p != nil {
			e.results, e.errs = nil, nil
			e.err, e.panics = r.oc.RecoverFunc(ctx, p), true
		}
	}()
	results, err := e.def.call(ctx, e.parents)
	if err != nil {
		single, ok := err.(graphql.BatchErrors)
		if !ok {
			e.err = err
			return
		}
		e.errs = single.Errors()
	}
	switch {
	case len(results) != len(e.parents):
		e.err = fmt.Errorf("batch resolver %s returned %d results for %d parents", e.def.name, len(results), len(e.parents))
	case err != nil && len(e.errs) != len(e.parents):
		e.err = fmt.Errorf("batch resolver %s returned %d errors for %d parents", e.def.name, len(e.errs), len(e.parents))
	default:
		e.results = results
	}
}

func (e *edgeRun[P, T]) walk(r *run, f *planned) {
	f.most.Store(int32(len(e.parents)))
	if f.sel == nil || e.results == nil || !f.gathersBelow() {
		return
	}
	n := len(e.results)
	if e.own > 0 {
		n = e.own
	}
	for i := range n {
		if e.errs == nil || e.errs[i] == nil {
			e.def.shape.visit(r, f.sel, e.results[i])
		}
	}
}

func (e *edgeRun[P, T]) write(r *run, f *planned) bool {
	if e.args.failed {
		return r.argumentError(f)
	}
	i := e.next
	e.next++
	err := e.err
	if err == nil && e.errs != nil {
		err = e.errs[i]
	}
	if err != nil {
		r.batchError(err)
		if e.panics {
			return r.null()
		}
		return r.nilField(f)
	}
	if e.def.iface && any(e.results[i]) == nil {
		return r.nilField(f)
	}
	return e.def.shape.write(r, f.sel, e.results[i])
}

type method[P, T any] struct {
	call  func(ctx context.Context, parent P) (v T, ok bool, err error)
	shape Shape[T]
	iface bool
}

type methodRun[P, T any] struct {
	def      *method[P, T]
	args     arguments
	ctx      context.Context
	outcomes []outcome[T]
	next     int
}

type outcome[T any] struct {
	value    T
	ok       bool
	panicked bool
	err      error
}

func (m *methodRun[P, T]) arguments() *arguments          { return &m.args }
func (m *methodRun[P, T]) resolve(context.Context, *run)  {}
func (m *methodRun[P, T]) walk(*run, *planned)            {}
func (m *methodRun[P, T]) absorb(fieldRun) (first, n int) { return 0, 0 }
func (m *methodRun[P, T]) share(fieldRun, int, int)       {}

func (m *methodRun[P, T]) add(r *run, f *planned, parent any) {
	if r.argumentsOf(f).failed {
		return
	}
	if m.ctx == nil {
		m.ctx, _ = r.plannedContext(f)
	}
	out := m.call(r, parent.(P))
	m.outcomes = append(m.outcomes, out)
	if out.ok && out.err == nil && f.sel != nil && f.gathersBelow() {
		m.def.shape.visit(r, f.sel, out.value)
	}
}

func (m *methodRun[P, T]) call(r *run, parent P) (out outcome[T]) {
	defer func() {
		if p := recover(); p != nil {
			out = outcome[T]{err: r.oc.RecoverFunc(m.ctx, p), panicked: true}
		}
	}()
	out.value, out.ok, out.err = m.def.call(m.ctx, parent)
	return out
}

func (m *methodRun[P, T]) write(r *run, f *planned) bool {
	if m.args.failed {
		return r.argumentError(f)
	}
	out := &m.outcomes[m.next]
	m.next++
	switch {
	case out.panicked:
		ctx := r.fieldContext()
		r.oc.Error(ctx, graphql.ErrorOnPath(ctx, out.err))
		return r.null()
	case out.err != nil:
		ctx := r.fieldContext()
		r.oc.Error(ctx, graphql.AddFieldLocationToError(ctx, out.err))
		return r.null()
	case !out.ok || m.def.iface && any(out.value) == nil:
		return r.nilField(f)
	}
	return m.def.shape.write(r, f.sel, out.value)
}

// gathersBelow tells whether there may be a method or an edge below f.
func (f *planned) gathersBelow() bool { return f.sel.only == nil || len(f.sel.only.gather) > 0 }

// batchError adds the error of one parent of an edge, at the current place.
func (r *run) batchError(err error) {
	ctx := r.fieldContext()
	index, _ := graphql.BatchParentIndex(ctx)
	graphql.AddBatchError(ctx, int(index), err)
}

// argumentError coerces the arguments of f once more, so that the error has the path of this parent.
func (r *run) argumentError(f *planned) (null bool) {
	ctx := r.fieldContext()
	defer func() {
		if p := recover(); p != nil {
			r.oc.Error(ctx, r.oc.Recover(ctx, p))
		}
		null = r.null()
	}()
	if _, err := f.args(ctx, f.ast.ArgumentMap(r.oc.Variables)); err != nil {
		r.oc.Error(ctx, err)
	}
	return true
}
