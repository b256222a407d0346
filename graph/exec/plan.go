package exec

import (
	"fmt"
	"slices"
	"sync"
	"sync/atomic"
	"unsafe"

	"github.com/99designs/gqlgen/graphql"
	"github.com/vektah/gqlparser/v2/ast"
)

// plan is how an operation is answered. It depends on the document and on the variables that its @skip and @include
// name, and on nothing else of a request, so it is shared by requests.
type plan struct {
	table     *Table
	fragments ast.FragmentDefinitionList
	vars      map[string]any // of directives only
	roots     []rootPlan
	runs      bool          // whether every root field can be resolved without gqlgen
	size      atomic.Int64  // bytes of the last answer, a hint for the next buffer
	bytes     *atomic.Int64 // counts what the plan takes
	mu        sync.Mutex    // held while a selection is planned for one more type
}

// rootPlan is how one root field is answered.
type rootPlan struct {
	planned
	plan  *plan
	def   root         // nil for __typename and for what only gqlgen answers
	slots atomic.Int32 // how many planned methods and edges there are so far
}

// selection is the merged selection set beneath one field.
type selection struct {
	root   *rootPlan
	set    ast.SelectionSet
	parent *planned                // the field above; nil below the root field
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
	parent *planned // the field above; nil below the root field
	prefix []byte   // the comma or brace, and the key
	ast    graphql.CollectedField
	sel    *selection            // of a composite field
	slot   int                   // of a method or an edge: its place in run.slots
	above  *graphql.FieldContext // of a field that gathers: what the contexts of the fields below have as their parent
	known  *knownArgs            // of a field with arguments
	most   atomic.Int32          // of an edge: how many parents it had last, a hint
}

// knownArgs are the coerced arguments of a planned field whose arguments name no variables: the same in each request.
type knownArgs struct {
	vary   bool // they name variables
	values atomic.Pointer[map[string]any]
}

// of returns the selection for the object type t.
func (s *selection) of(t *Type) *typed {
	if s.only != nil {
		return s.only
	}
	if known := s.types[t.index].Load(); known != nil {
		return known
	}
	p := s.root.plan
	p.mu.Lock()
	defer p.mu.Unlock()
	if known := s.types[t.index].Load(); known != nil {
		return known
	}
	planned := s.forType(t)
	s.types[t.index].Store(planned)
	return planned
}

// selection plans the set beneath a field of the given shape. The caller holds plan.mu, or is the only one to know
// the plan.
func (r *rootPlan) selection(set ast.SelectionSet, shape shapeInfo, parent *planned) *selection {
	s := &selection{root: r, set: set, parent: parent}
	r.plan.bytes.Add(int64(unsafe.Sizeof(*s)))
	if shape.object == nil {
		s.types = make([]atomic.Pointer[typed], len(r.plan.table.types))
		r.plan.bytes.Add(int64(len(s.types)) * int64(unsafe.Sizeof(s.types[0])))
		return s
	}
	s.only = s.forType(shape.object)
	return s
}

// forType plans a selection for one object type.
func (s *selection) forType(t *Type) *typed {
	r := s.root
	fields := collect(r.plan, t.satisfies, s.set)
	result := &typed{fields: make([]planned, len(fields))}
	for i, f := range fields {
		out := &result.fields[i]
		out.parent = s.parent
		out.plan(f, "{,"[min(i, 1)])
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
		if def.args != nil {
			out.known = &knownArgs{vary: anyVaries(f.Arguments)}
			r.plan.bytes.Add(int64(unsafe.Sizeof(*out.known)))
		}
		if def.kind == kindMethod || def.kind == kindEdge {
			out.slot = int(r.slots.Add(1)) - 1
		}
		if def.shape.composite {
			out.sel = r.selection(f.Selections, def.shape, out)
		}
		if out.gathers() {
			result.gather = append(result.gather, out)
			if out.sel != nil {
				out.above = out.fieldContext()
				out.above.Parent = r.above
				if out.parent != nil {
					out.above.Parent = out.parent.above
				}
				r.plan.bytes.Add(int64(unsafe.Sizeof(*out.above)))
			}
		}
	}
	r.plan.bytes.Add(int64(unsafe.Sizeof(*result)) + 8*int64(len(result.gather)))
	for i := range result.fields {
		r.plan.bytes.Add(result.fields[i].size())
	}
	return result
}

// plan takes a field of the document, whose key follows the given brace or comma.
func (f *planned) plan(field graphql.CollectedField, before byte) {
	f.ast = field
	f.prefix = append(make([]byte, 0, len(field.Alias)+4), before)
	f.prefix = append(AppendString(f.prefix, field.Alias), ':')
}

// size returns about how many bytes f takes, without what is below it.
func (f *planned) size() int64 {
	return int64(unsafe.Sizeof(*f)) + int64(cap(f.prefix)) + 16*int64(cap(f.ast.Selections))
}

// fieldContext returns a new field context for f, without arguments and without what is above.
func (f *planned) fieldContext() *graphql.FieldContext {
	return &graphql.FieldContext{
		Object:     f.owner.name,
		Field:      f.ast,
		IsMethod:   f.kind == kindMethod || f.kind == kindEdge,
		IsResolver: f.kind == kindEdge,
		Child:      noChild,
	}
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
	plan      *plan
	satisfies []string        // the name of the type, and those of its interfaces and unions
	seen      map[string]bool // fragments
	fields    []graphql.CollectedField
	byKey     map[string]int // only where there are many fields
}

func collect(p *plan, satisfies []string, set ast.SelectionSet) []graphql.CollectedField {
	c := collector{plan: p, satisfies: satisfies, seen: map[string]bool{}}
	c.collect(set)
	return c.fields
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
	return condition == "" || slices.Contains(c.satisfies, condition)
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

// anyVaries tells whether an argument names a variable.
func anyVaries(arguments ast.ArgumentList) bool {
	return slices.ContainsFunc(arguments, func(a *ast.Argument) bool { return varies(a.Value) })
}

func varies(v *ast.Value) bool {
	if v == nil {
		return false
	}
	return v.Kind == ast.Variable || slices.ContainsFunc(v.Children, func(c *ast.ChildValue) bool { return varies(c.Value) })
}

// maxPlans and maxPlanBytes bound the plans of one operation: there is one for each combination of the variables in
// directives, and who sends the variables must not choose how much is kept. Once they take maxPlanBytes no plan is added.
const (
	maxPlans     = 24
	maxPlanBytes = 1 << 20
)

// plan returns the plan for the variables of a request.
func (o *Operation) plan(variables map[string]any) *plan {
	if len(o.vars) == 0 {
		if p := o.only.Load(); p != nil {
			return p
		}
	}
	key := variableKey(o.vars, variables)
	o.mu.RLock()
	found := o.plans[key]
	o.mu.RUnlock()
	if found != nil {
		return found
	}

	fresh := o.newPlan(variables)
	o.mu.Lock()
	defer o.mu.Unlock()
	if found := o.plans[key]; found != nil {
		return found
	}
	if len(o.plans) < maxPlans && o.bytes.Load() < maxPlanBytes {
		o.bytes.Add(fresh.bytes.Load())
		fresh.bytes = &o.bytes
		if o.plans == nil {
			o.plans = map[string]*plan{}
		}
		o.plans[key] = fresh
		if len(o.vars) == 0 {
			o.only.Store(fresh)
		}
	}
	return fresh
}

// newPlan plans the operation for the variables of a request.
func (o *Operation) newPlan(variables map[string]any) *plan {
	p := &plan{table: o.exec.table, fragments: o.doc.Fragments, vars: map[string]any{}, runs: true, bytes: new(atomic.Int64)}
	for _, name := range o.vars {
		if v, ok := variables[name]; ok {
			p.vars[name] = v
		}
	}
	of := objectOf(o.def.SelectionSet)
	fields := collect(p, append([]string{of.Name}, of.Interfaces...), o.def.SelectionSet)
	p.roots = make([]rootPlan, len(fields))
	p.bytes.Add(int64(unsafe.Sizeof(*p)))
	for i, f := range fields {
		root := &p.roots[i]
		root.plan = p
		root.planned.plan(f, "{,"[min(i, 1)])
		p.bytes.Add(root.size() + int64(unsafe.Sizeof(*root)))
		if f.Name == "__typename" {
			root.field = &typename
			root.prefix = AppendString(root.prefix, of.Name)
			continue
		}
		def, ok := p.table.roots[of.Name][f.Name]
		if !ok {
			p.runs = false
			continue
		}
		root.def, root.field = def, def.field()
		p.runs = p.runs && def.resolves()
		if root.args != nil {
			root.known = &knownArgs{vary: anyVaries(f.Arguments)}
		}
		root.above = root.fieldContext()
		root.sel = root.selection(f.Selections, def.info(), nil)
	}
	return p
}

// objectOf returns the type of which a selection set of a valid document is.
func objectOf(set ast.SelectionSet) *ast.Definition {
	switch first := set[0].(type) {
	case *ast.Field:
		return first.ObjectDefinition
	case *ast.InlineFragment:
		return first.ObjectDefinition
	default:
		return first.(*ast.FragmentSpread).ObjectDefinition
	}
}

// rootOf returns how the root field of that response key is answered.
func (p *plan) rootOf(alias string) *rootPlan {
	for i := range p.roots {
		if p.roots[i].ast.Alias == alias {
			return &p.roots[i]
		}
	}
	panic(fmt.Sprintf("exec: the operation has no root field %q", alias))
}

// variableKey has one character for each of the names.
func variableKey(names []string, vars map[string]any) string {
	if len(names) == 0 {
		return ""
	}
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

// Conditions returns the names of the variables in @skip and @include, sorted: anywhere in an operation or in the
// fragments of its document. Each must be true or false when the operation is answered.
func Conditions(doc *ast.QueryDocument, def *ast.OperationDefinition) []string {
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
	walk(def.SelectionSet)
	for _, f := range doc.Fragments {
		walk(f.SelectionSet)
	}
	slices.Sort(names)
	return slices.Compact(names)
}
