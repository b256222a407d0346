package guard

import (
	"fmt"

	"github.com/vektah/gqlparser/v2/ast"
)

// What parts of validation take, in steps of some 30 ns, as measured with gqlparser 2.5.64.
const (
	workVisit    = 4  // a node, for each operation and fragment from which the validator reaches it
	workCollect  = 8  // a field or spread, for each selection set it is collected into
	workPair     = 3  // two fields of one response name
	workConflict = 12 // two that may differ, since then the difference is described
	workSpread   = 2  // two spreads in one selection set
	bytesPerStep = 8  // of a string that is wrong and so is printed
)

// maxFrames bounds the recursion over a document, through fragments too. Only inline fragments come
// near it, in a long chain of fragments: fields are bounded by Limits.Depth.
const maxFrames = 1000

// extent is what a selection set amounts to with its fragments written out.
type extent struct {
	selections, work, depth, aliases, roots int
	frames                                  int // how deep selection sets and fragments nest
}

func (x *extent) add(y extent) {
	x.selections = add(x.selections, y.selections)
	x.work = add(x.work, y.work)
	x.depth = max(x.depth, y.depth)
	x.aliases = add(x.aliases, y.aliases)
	x.roots = add(x.roots, y.roots)
	x.frames = max(x.frames, y.frames)
}

// fragment is a named fragment with its extent, once that is known.
type fragment struct {
	def    *ast.FragmentDefinition
	extent extent
	state  int8 // 0 not seen, 1 being measured, 2 measured
}

// measurement counts a document. Its work beyond selections is linear in the document, since each fragment
// is measured once.
type measurement struct {
	limits     *Limits
	fragments  []fragment
	byName     map[string]*fragment
	values     int
	directives int
	collected  int // work of collecting fields into selection sets, once a document
	price      Price
}

// measure counts the chosen operation, and if whole is set the rest of the document too, and holds
// them to the limits.
func (g *Guard) measure(doc *ast.QueryDocument, chosen *ast.OperationDefinition, whole bool) (measurement, error) {
	l := &g.limits
	m := measurement{limits: l}
	if n := len(doc.Operations); n > l.Operations {
		return m, exceeds("operations", n, l.Operations, "the document has %d operations; at most %d are allowed")
	}
	if n := len(doc.Fragments); n > l.Fragments {
		return m, exceeds("fragments", n, l.Fragments, "the document has %d fragments; at most %d are allowed")
	}
	if n := len(doc.Fragments); n > 0 {
		m.fragments = make([]fragment, n)
		m.byName = make(map[string]*fragment, n)
		for i, def := range doc.Fragments {
			m.fragments[i].def = def
			if m.byName[def.Name] == nil { // the validator takes the first of equal names
				m.byName[def.Name] = &m.fragments[i]
			}
		}
	}
	work := 0
	for _, o := range doc.Operations {
		if !whole && o != chosen {
			continue
		}
		x, err := m.operation(o)
		if err != nil {
			return m, err
		}
		work = add(work, x.work)
		if o == chosen {
			m.price.Depth, m.price.Selections, m.price.Aliases, m.price.Roots = x.depth, x.selections, x.aliases, x.roots
		}
	}
	if whole {
		for i := range m.fragments {
			f := &m.fragments[i]
			if err := m.fragment(f, 0); err != nil {
				return m, err
			}
			if err := m.checkExtent(f.extent); err != nil {
				return m, err
			}
			work = add(work, f.extent.work)
		}
	}
	m.price.Work = add(work, m.collected)
	return m, checkWork(m.price.Work, l)
}

// operation measures o and holds it to the limits.
func (m *measurement) operation(o *ast.OperationDefinition) (extent, error) {
	work, err := m.variableDefinitions(o.VariableDefinitions)
	if err != nil {
		return extent{}, err
	}
	x, err := m.directiveList(o.Directives)
	if err != nil {
		return x, err
	}
	set, err := m.selectionSet(o.SelectionSet, 0, 0)
	if err != nil {
		return x, err
	}
	x.add(set)
	x.work = add(x.work, work)
	if err := m.checkExtent(x); err != nil {
		return x, err
	}
	if x.aliases > m.limits.Aliases {
		return x, exceeds("aliases", x.aliases, m.limits.Aliases, "the document has %d aliases; at most %d are allowed")
	}
	if x.roots > m.limits.Roots {
		return x, exceeds("roots", x.roots, m.limits.Roots, "the operation has %d root fields; at most %d are allowed")
	}
	return x, nil
}

// fragment measures f, once.
func (m *measurement) fragment(f *fragment, frames int) error {
	switch f.state {
	case 1:
		return &Error{
			Limit:   "cycle",
			Message: fmt.Sprintf("the fragment %q spreads itself, directly or through others; fragments must not form a cycle", f.def.Name),
		}
	case 2:
		return nil
	}
	f.state = 1
	if _, err := m.variableDefinitions(f.def.VariableDefinition); err != nil { // parsed, though no standard
		return err
	}
	x, err := m.directiveList(f.def.Directives)
	if err != nil {
		return err
	}
	set, err := m.selectionSet(f.def.SelectionSet, frames+1, 0)
	if err != nil {
		return err
	}
	x.add(set)
	x.work = add(x.work, workVisit)
	f.extent, f.state = x, 2
	return nil
}

// selectionSet measures set, of which inline is the number of inline fragments around it up to the next field.
func (m *measurement) selectionSet(set ast.SelectionSet, frames, inline int) (x extent, err error) {
	if err := checkFrames(frames); err != nil {
		return x, err
	}
	for _, s := range set {
		one := extent{selections: 1, work: workVisit}
		var below, directives extent
		switch s := s.(type) {
		case *ast.Field:
			m.collected += workCollect * (1 + inline)
			one.depth, one.roots = 1, 1
			if s.Alias != s.Name {
				one.aliases = 1
			}
			work, err := m.arguments(s.Arguments)
			if err != nil {
				return x, err
			}
			one.work = add(one.work, work)
			if directives, err = m.directiveList(s.Directives); err != nil {
				return x, err
			}
			if below, err = m.selectionSet(s.SelectionSet, frames+1, 0); err != nil {
				return x, err
			}
			below.depth = add(below.depth, 1)
			below.roots = 0
		case *ast.InlineFragment:
			m.collected += workCollect
			if directives, err = m.directiveList(s.Directives); err != nil {
				return x, err
			}
			if below, err = m.selectionSet(s.SelectionSet, frames+1, inline+1); err != nil {
				return x, err
			}
		case *ast.FragmentSpread:
			m.collected += workCollect * (1 + inline)
			if directives, err = m.directiveList(s.Directives); err != nil {
				return x, err
			}
			if f := m.byName[s.Name]; f != nil {
				if err := m.fragment(f, frames+1); err != nil {
					return x, err
				}
				below = f.extent
				if err := checkFrames(frames + below.frames); err != nil {
					return x, err
				}
			}
		}
		below.frames++
		x.add(one)
		x.add(directives)
		x.add(below)
	}
	return x, nil
}

// directiveList measures the directives at one place.
func (m *measurement) directiveList(list ast.DirectiveList) (x extent, err error) {
	m.directives += len(list)
	if m.directives > m.limits.Directives {
		return x, exceeds("directives", m.directives, m.limits.Directives, "the document has %d directives or more; at most %d are allowed")
	}
	for _, d := range list {
		work, err := m.arguments(d.Arguments)
		if err != nil {
			return x, err
		}
		x.work = add(x.work, workVisit+work)
	}
	return x, nil
}

func (m *measurement) variableDefinitions(list ast.VariableDefinitionList) (work int, err error) {
	if n := len(list); n > m.limits.Variables {
		return 0, exceeds("variables", n, m.limits.Variables, "the operation defines %d variables; at most %d are allowed")
	}
	for _, v := range list {
		x, err := m.directiveList(v.Directives)
		if err != nil {
			return 0, err
		}
		w, err := m.value(v.DefaultValue, 0)
		if err != nil {
			return 0, err
		}
		work = add(work, x.work+w+workVisit)
	}
	return work, nil
}

func (m *measurement) arguments(list ast.ArgumentList) (work int, err error) {
	for _, a := range list {
		w, err := m.value(a.Value, 0)
		if err != nil {
			return 0, err
		}
		work = add(work, w)
	}
	return work, nil
}

// value measures v, which depth lists and objects stand around. The validator evaluates and prints a
// value again for each of them.
func (m *measurement) value(v *ast.Value, depth int) (work int, err error) {
	if v == nil {
		return 0, nil
	}
	if m.values++; m.values > m.limits.Values {
		return 0, exceeds("values", m.values, m.limits.Values, "the document has %d values or more in its arguments; at most %d are allowed: send long lists in variables")
	}
	work = (2*workVisit + len(v.Raw)/bytesPerStep) * (1 + depth)
	if v.Kind != ast.ListValue && v.Kind != ast.ObjectValue {
		return work, nil
	}
	if depth++; depth > m.limits.ValueDepth {
		return 0, exceeds("valueDepth", depth, m.limits.ValueDepth, "a value in the document nests %d lists and objects or more; at most %d levels are allowed")
	}
	for _, child := range v.Children {
		w, err := m.value(child.Value, depth)
		if err != nil {
			return 0, err
		}
		work = add(work, w)
	}
	return work, nil
}

func checkFrames(frames int) error {
	if frames > maxFrames {
		return exceeds("nesting", frames, maxFrames, "the document nests %d selection sets, through fragments; at most %d levels are allowed")
	}
	return nil
}

// checkExtent holds an operation or a fragment to the limits on its size.
func (m *measurement) checkExtent(x extent) error {
	if x.depth > m.limits.Depth {
		return exceeds("depth", x.depth, m.limits.Depth, "the document nests fields %d deep; at most %d levels are allowed")
	}
	if x.selections > m.limits.Selections {
		return exceeds("selections", x.selections, m.limits.Selections, "the document selects %d fields and fragments, with its fragments written out; at most %d are allowed")
	}
	return nil
}

func checkWork(work int, l *Limits) error {
	if work > l.Work {
		return exceeds("work", work, l.Work, "the document takes %d steps or more to validate; at most %d are allowed: send fewer repeated fields, fragments and operations at once")
	}
	return nil
}

// checkVariables bounds the variables of a request.
func (g *Guard) checkVariables(variables map[string]any) error {
	n := 0
	for _, v := range variables {
		if err := g.checkVariable(v, 0, &n); err != nil {
			return err
		}
	}
	return nil
}

func (g *Guard) checkVariable(v any, depth int, n *int) error {
	if *n++; *n > g.limits.VariableValues {
		return exceeds("variableValues", *n, g.limits.VariableValues, "the variables hold %d values or more; at most %d are allowed")
	}
	list, isList := v.([]any)
	object, isObject := v.(map[string]any)
	if !isList && !isObject {
		return nil
	}
	if depth++; depth > g.limits.ValueDepth {
		return exceeds("valueDepth", depth, g.limits.ValueDepth, "a value in the variables nests %d lists and objects or more; at most %d levels are allowed")
	}
	for _, child := range list {
		if err := g.checkVariable(child, depth, n); err != nil {
			return err
		}
	}
	for _, child := range object {
		if err := g.checkVariable(child, depth, n); err != nil {
			return err
		}
	}
	return nil
}
