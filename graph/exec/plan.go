package exec

import (
	"fmt"
	"runtime"
	"slices"
	"sync"
	"sync/atomic"
	"weak"

	"github.com/99designs/gqlgen/graphql"
	"github.com/vektah/gqlparser/v2/ast"
)

// plan is how one root field of an operation is answered. It depends on the document and on the
// variables that its @skip and @include name, and on nothing else of a request, so it is shared by requests.
type plan struct {
	table     *Table
	fragments ast.FragmentDefinitionList
	vars      map[string]any // of directives only
	root      *selection
	slots     atomic.Int32 // how many planned methods and edges there are so far
	size      atomic.Int64 // bytes of the last answer, a hint for the next buffer
	mu        sync.Mutex   // held while a selection is planned for one more type
}

// selection is the merged selection set beneath one field.
type selection struct {
	plan   *plan
	set    ast.SelectionSet
	parent *planned                // the field above; nil at the root
	only   *typed                  // where just one type is possible
	types  []atomic.Pointer[typed] // otherwise, by the index of the type, as they are met
}

// typed is a selection as it reads for one object type.
type typed struct {
	fields []planned
	gather []*planned // the fields to walk for edges
}

// planned is one response key of a selection.
type planned struct {
	*field
	parent *planned // the field above; nil at the root
	prefix []byte   // the comma or brace, and the key
	ast    graphql.CollectedField
	sel    *selection // of a composite field
	slot   int        // of a method or an edge: its place in run.slots
}

// of returns the selection for the object type t.
func (s *selection) of(t *Type) *typed {
	if s.only != nil {
		return s.only
	}
	if known := s.types[t.index].Load(); known != nil {
		return known
	}
	s.plan.mu.Lock()
	defer s.plan.mu.Unlock()
	if known := s.types[t.index].Load(); known != nil {
		return known
	}
	planned := s.plan.forType(s, t)
	s.types[t.index].Store(planned)
	return planned
}

// selection plans the set beneath a field of the given shape. The caller holds p.mu.
func (p *plan) selection(set ast.SelectionSet, shape shapeInfo, parent *planned) *selection {
	s := &selection{plan: p, set: set, parent: parent}
	if shape.object == nil {
		s.types = make([]atomic.Pointer[typed], len(p.table.types))
		return s
	}
	s.only = p.forType(s, shape.object)
	return s
}

// forType plans a selection for one object type.
func (p *plan) forType(s *selection, t *Type) *typed {
	c := collector{plan: p, typ: t, seen: map[string]bool{}}
	c.collect(s.set)

	result := &typed{fields: make([]planned, len(c.fields))}
	for i, f := range c.fields {
		out := &result.fields[i]
		out.parent = s.parent
		out.ast = f
		out.prefix = append(out.prefix, "{,"[min(i, 1)])
		out.prefix = append(AppendString(out.prefix, f.Alias), ':')
		if f.Name == "__typename" {
			out.field = &typename
			out.prefix = AppendString(out.prefix, t.name)
			continue
		}
		def, ok := t.fields[f.Name]
		if !ok {
			panic(fmt.Sprintf("exec: the table has no field %s.%s: run go generate", t.name, f.Name))
		}
		out.field = def
		if def.kind == kindMethod || def.kind == kindEdge {
			out.slot = int(p.slots.Add(1)) - 1
		}
		if def.shape.composite {
			out.sel = p.selection(f.Selections, def.shape, out)
		}
		if out.gathers() {
			result.gather = append(result.gather, out)
		}
	}
	return result
}

var typename = field{name: "__typename", kind: kindTypename}

// gathers tells whether there may be a method or an edge in f or below it.
func (f *planned) gathers() bool {
	switch {
	case f.kind == kindMethod || f.kind == kindEdge:
		return true
	case f.sel == nil:
		return false
	case f.sel.only == nil:
		return true
	}
	return len(f.sel.only.gather) > 0
}

// collector merges the selections that apply to one object type, in the order of the specification
// (§6.3.2, CollectFields).
type collector struct {
	plan   *plan
	typ    *Type
	seen   map[string]bool // fragments
	fields []graphql.CollectedField
	byKey  map[string]int // only where there are many fields
}

func (c *collector) collect(set ast.SelectionSet) {
	for _, sel := range set {
		switch sel := sel.(type) {
		case *ast.Field:
			if c.plan.included(sel.Directives) {
				c.add(sel)
			}
		case *ast.InlineFragment:
			if c.plan.included(sel.Directives) && c.applies(sel.TypeCondition) {
				c.collect(sel.SelectionSet)
			}
		case *ast.FragmentSpread:
			if c.seen[sel.Name] || !c.plan.included(sel.Directives) {
				continue
			}
			c.seen[sel.Name] = true
			if def := c.plan.fragments.ForName(sel.Name); def != nil && c.applies(def.TypeCondition) {
				c.collect(def.SelectionSet)
			}
		}
	}
}

func (c *collector) applies(condition string) bool {
	return condition == "" || slices.Contains(c.typ.satisfies, condition)
}

func (c *collector) add(sel *ast.Field) {
	if i := c.find(sel.Alias); i >= 0 {
		c.fields[i].Selections = append(c.fields[i].Selections, sel.SelectionSet...)
		return
	}
	if c.byKey != nil {
		c.byKey[sel.Alias] = len(c.fields)
	}
	c.fields = append(c.fields, graphql.CollectedField{
		Field:           sel,
		Selections:      slices.Clone(sel.SelectionSet),
		IsNonDeferrable: true,
	})
}

func (c *collector) find(key string) int {
	if c.byKey == nil && len(c.fields) > 16 {
		c.byKey = make(map[string]int, 2*len(c.fields))
		for i, f := range c.fields {
			c.byKey[f.Alias] = i
		}
	}
	if c.byKey != nil {
		if i, ok := c.byKey[key]; ok {
			return i
		}
		return -1
	}
	return slices.IndexFunc(c.fields, func(f graphql.CollectedField) bool { return f.Alias == key })
}

// included evaluates @skip and @include.
func (p *plan) included(directives ast.DirectiveList) bool {
	for _, d := range directives {
		if (d.Name == "skip" && condition(d, p.vars)) || (d.Name == "include" && !condition(d, p.vars)) {
			return false
		}
	}
	return true
}

func condition(d *ast.Directive, vars map[string]any) bool {
	arg := d.Arguments.ForName("if")
	if arg == nil {
		panic(fmt.Sprintf("%s: argument 'if' not defined", d.Name))
	}
	v, err := arg.Value.Value(vars)
	if err != nil {
		panic(err)
	}
	is, ok := v.(bool)
	if !ok {
		panic(fmt.Sprintf("%s: argument 'if' is not a boolean", d.Name))
	}
	return is
}

// maxPlans bounds the plans of one operation: there is one for each root field and combination of
// the variables in directives, and who sends the variables must not choose how much is kept.
const maxPlans = 24

// plans holds the plans of each operation for as long as its document is in use elsewhere, such as
// in gqlgen's query cache. Nothing of a plan refers to the operation itself, so the map keeps none alive.
type plans struct {
	table *Table
	byOp  sync.Map // weak.Pointer[ast.OperationDefinition] → *operationPlans
}

type operationPlans struct {
	vars []string // the variables in directives, sorted

	mu    sync.RWMutex
	plans map[planKey]*plan
}

type planKey struct {
	alias string
	vars  string // one character for each variable of operationPlans.vars
}

// get returns the plan for the root field of an operation.
func (p *plans) get(oc *graphql.OperationContext, root graphql.CollectedField, shape shapeInfo) *plan {
	weakly := weak.Make(oc.Operation)
	known, ok := p.byOp.Load(weakly)
	if !ok {
		fresh := &operationPlans{vars: directiveVariables(oc), plans: map[planKey]*plan{}}
		var raced bool
		if known, raced = p.byOp.LoadOrStore(weakly, fresh); !raced {
			runtime.AddCleanup(oc.Operation, func(key any) { p.byOp.Delete(key) }, any(weakly))
		}
	}
	ops := known.(*operationPlans)

	key := planKey{alias: root.Alias}
	if len(ops.vars) > 0 {
		key.vars = variableKey(ops.vars, oc.Variables)
	}
	ops.mu.RLock()
	found := ops.plans[key]
	ops.mu.RUnlock()
	if found != nil {
		return found
	}

	fresh := &plan{table: p.table, fragments: oc.Doc.Fragments, vars: map[string]any{}}
	for _, name := range ops.vars {
		if v, ok := oc.Variables[name]; ok {
			fresh.vars[name] = v
		}
	}
	fresh.root = fresh.selection(root.Selections, shape, nil)

	ops.mu.Lock()
	defer ops.mu.Unlock()
	if found := ops.plans[key]; found != nil {
		return found
	}
	if len(ops.plans) < maxPlans {
		ops.plans[key] = fresh
	}
	return fresh
}

func variableKey(names []string, vars map[string]any) string {
	key := make([]byte, len(names))
	for i, name := range names {
		key[i] = '?'
		if v, ok := vars[name].(bool); ok {
			key[i] = "ft"[btoi(v)]
		}
	}
	return string(key)
}

func btoi(b bool) int {
	if b {
		return 1
	}
	return 0
}

// directiveVariables returns the names of the variables in @skip and @include, anywhere in the document.
func directiveVariables(oc *graphql.OperationContext) []string {
	var names []string
	add := func(directives ast.DirectiveList) {
		for _, d := range directives {
			for _, arg := range d.Arguments {
				if arg.Value.Kind == ast.Variable && (d.Name == "skip" || d.Name == "include") {
					names = append(names, arg.Value.Raw)
				}
			}
		}
	}
	var walk func(set ast.SelectionSet)
	walk = func(set ast.SelectionSet) {
		for _, sel := range set {
			switch sel := sel.(type) {
			case *ast.Field:
				add(sel.Directives)
				walk(sel.SelectionSet)
			case *ast.InlineFragment:
				add(sel.Directives)
				walk(sel.SelectionSet)
			case *ast.FragmentSpread:
				add(sel.Directives)
			}
		}
	}
	walk(oc.Operation.SelectionSet)
	for _, f := range oc.Doc.Fragments {
		walk(f.SelectionSet)
	}
	slices.Sort(names)
	return slices.Compact(names)
}
