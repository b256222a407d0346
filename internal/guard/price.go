package guard

import (
	"encoding/json"
	"math"
	"reflect"
	"strconv"

	"github.com/vektah/gqlparser/v2/ast"
)

// A pricer walks an operation the way it will be answered: fields of one response name are one
// field, and their selection sets are one set. On the way it counts the pairs of such fields that the
// validator compares, and adds up the cost. A level costs no memory once the two stacks have grown.
//
// It visits every selection of the written-out operation once. Their number is bounded before, so it
// may follow fragments without remembering them, and merged sets, which depend on all fields around
// them, can be followed in no other way.
type pricer struct {
	guard     *Guard
	document  *measurement
	operation *ast.OperationDefinition // whose variables are asked
	variables map[string]any

	entries []entry // of the sets that are being walked, innermost last
	groups  []group // likewise

	pairs, work int
	varies      bool
}

// entry is a field in a merged set.
type entry struct {
	field  *ast.Field
	price  *field // nil if the field or its type is unknown, or nothing is to be priced
	next   int32  // the next entry of the group, -1 at the end
	inline int32  // the inline fragments around it in its own selection set
}

// group is the fields of one response name in a merged set.
type group struct {
	name            string
	first, last, n  int32
	inline, inline2 int32 // the highest and the second highest of its entries
	differ          bool  // its entries have arguments, or different names
}

// mergedSet is the part of the stacks that one merged set takes, while it is collected.
type mergedSet struct {
	entries, groups int // where it begins
	spreads, inline int // how many spreads it has, and its deepest nesting of inline fragments
	size            int // of the largest selection set in it
	index           map[string]int32
}

// surroundings are what the field around a set tells the lists directly inside it.
type surroundings struct {
	scope    string // whose tree it walks down, or none
	overlaps bool   // the outermost list of the scope
	length   int    // of the connection, -1 if it isn't one
}

// root walks a whole operation or fragment. With a nil type nothing is priced.
func (p *pricer) root(set ast.SelectionSet, of *object) (int, error) {
	if p.entries == nil {
		p.entries = make([]entry, 0, 64)
		p.groups = make([]group, 0, 64)
	}
	merged := p.begin()
	p.collect(&merged, set, of, 0)
	own, _, err := p.set(&merged, 1, surroundings{length: -1})
	return own, err
}

func (p *pricer) begin() mergedSet {
	return mergedSet{entries: len(p.entries), groups: len(p.groups)}
}

// collect adds the fields of set, of an object of type of, to merged.
func (p *pricer) collect(merged *mergedSet, set ast.SelectionSet, of *object, inline int) {
	merged.inline, merged.size = max(merged.inline, inline), max(merged.size, len(set))
	for _, s := range set {
		switch s := s.(type) {
		case *ast.Field:
			e := entry{field: s, next: -1, inline: int32(inline)}
			if of != nil {
				e.price = of.fields[s.Name]
			}
			p.insert(merged, e)
		case *ast.InlineFragment:
			within := of
			if s.TypeCondition != "" && of != nil {
				within = p.guard.model.types[s.TypeCondition]
			}
			p.collect(merged, s.SelectionSet, within, inline+1)
		case *ast.FragmentSpread:
			merged.spreads++
			if f := p.document.byName[s.Name]; f != nil {
				var within *object
				if of != nil {
					within = p.guard.model.types[f.def.TypeCondition]
				}
				p.collect(merged, f.def.SelectionSet, within, inline)
			}
		}
	}
}

// manyGroups is from how many names a merged set is searched through an index.
const manyGroups = 16

func (p *pricer) insert(merged *mergedSet, e entry) {
	at := int32(len(p.entries))
	p.entries = append(p.entries, e)
	g := p.find(merged, e.field.Alias)
	if g == nil {
		if merged.index != nil {
			merged.index[e.field.Alias] = int32(len(p.groups))
		}
		p.groups = append(p.groups, group{
			name: e.field.Alias, first: at, last: at, n: 1, inline: e.inline, differ: len(e.field.Arguments) > 0,
		})
		return
	}
	p.entries[g.last].next = at
	g.last = at
	g.n++
	g.inline, g.inline2 = max(g.inline, e.inline), max(g.inline2, min(g.inline, e.inline))
	g.differ = g.differ || len(e.field.Arguments) > 0 || e.field.Name != p.entries[g.first].field.Name
}

func (p *pricer) find(merged *mergedSet, name string) *group {
	groups := p.groups[merged.groups:]
	if merged.index == nil {
		for i := range groups {
			if groups[i].name == name {
				return &groups[i]
			}
		}
		if len(groups) < manyGroups {
			return nil
		}
		merged.index = make(map[string]int32, max(4*manyGroups, merged.size))
		for i := range groups {
			merged.index[groups[i].name] = int32(merged.groups + i)
		}
		return nil
	}
	if i, ok := merged.index[name]; ok {
		return &p.groups[i]
	}
	return nil
}

// set prices a merged set and takes it from the stacks. The validator compares it times times. It returns
// the cost of the fields and, apart from it, of those that walk on down the tree of the surrounding scope.
func (p *pricer) set(merged *mergedSet, times int, around surroundings) (own, chain int, err error) {
	if n := merged.spreads; n > 0 {
		fields := len(p.entries) - merged.entries
		p.work = add(p.work, multiply(max(times, 1+merged.inline), n*(n-1)/2*workSpread+n*fields))
		if err := checkWork(p.work, &p.guard.limits); err != nil {
			return 0, 0, err
		}
	}
	end := len(p.groups)
	for i := merged.groups; i < end; i++ {
		o, c, err := p.group(p.groups[i], times, around)
		if err != nil {
			return 0, 0, err
		}
		own, chain = add(own, o), add(chain, c)
	}
	p.entries = p.entries[:merged.entries]
	p.groups = p.groups[:merged.groups]
	return own, chain, nil
}

// group counts the pairs in g, merges the selection sets of its fields, and prices them as one field.
func (p *pricer) group(g group, times int, around surroundings) (own, chain int, err error) {
	inside := p.begin()
	weight, length, scope, list, overlaps := 0, -1, "", false, false
	for i := g.first; i >= 0; i = p.entries[i].next {
		e := p.entries[i]
		var of *object
		if f := e.price; f != nil {
			of = f.of
			weight = max(weight, f.weight)
			length = max(length, p.length(f, e.field, around))
			list = list || f.list
			overlaps = overlaps || f.overlaps
			if i == g.first {
				scope = f.scope
			} else if scope != f.scope {
				scope = ""
			}
		}
		p.collect(&inside, e.field.SelectionSet, of, 0)
	}
	if g.n == 1 {
		times = 1
	} else {
		times = max(times, 1+int(g.inline2))
		if err := p.compare(g, times, len(p.entries)-inside.entries); err != nil {
			return 0, 0, err
		}
	}

	within := surroundings{length: -1}
	if scope != "" {
		within.scope, within.overlaps = scope, overlaps
		if scope == around.scope {
			within.overlaps = within.overlaps || around.overlaps
		}
	} else if !list {
		within.length = length
	}
	below, levels, err := p.set(&inside, times, within)
	if err != nil {
		return 0, 0, err
	}
	one := add(weight, below)
	if within.overlaps {
		one = add(one, levels)
	} else {
		one = max(one, levels)
	}
	switch {
	case scope != "" && scope == around.scope:
		return 0, one, nil
	case list:
		return multiply(length, one), 0, nil
	}
	return one, 0, nil
}

// compare counts the pairs in g, whose merged selection sets have the number of fields that is given,
// and the work of comparing them.
func (p *pricer) compare(g group, times, fields int) error {
	n := int(g.n)
	pairs := n * (n - 1) / 2
	if p.pairs += pairs; p.pairs > p.guard.limits.Pairs {
		return exceeds("pairs", p.pairs, p.guard.limits.Pairs, "the document selects fields of one response name in %d pairs or more; at most %d are allowed: select each field once")
	}
	work := pairs*workPair + (n-1)*fields
	if g.differ {
		// Each argument of one field is looked for among those of the other.
		arguments, values := 0, 0
		for i := g.first; i >= 0; i = p.entries[i].next {
			list := p.entries[i].field.Arguments
			arguments += len(list)
			for _, a := range list {
				values += size(a.Value)
			}
		}
		work += pairs*(workConflict-workPair) + arguments*values/2
	}
	p.work = add(p.work, multiply(times, work))
	return checkWork(p.work, &p.guard.limits)
}

// size is the number of values in v, lists and objects counted higher, since comparing them sorts.
func size(v *ast.Value) int {
	if v == nil {
		return 0
	}
	if v.Kind != ast.ListValue && v.Kind != ast.ObjectValue {
		return 1
	}
	n := 6
	for _, c := range v.Children {
		n += size(c.Value)
	}
	return n
}

// length returns the length of f as node asks for it: of the list, or of those in the connection. It
// is -1 for a field that is neither.
func (p *pricer) length(f *field, node *ast.Field, around surroundings) int {
	longest := -1
	for i := range f.slicing {
		longest = max(longest, p.slice(&f.slicing[i], node))
	}
	switch {
	case longest >= 0:
		return longest
	case f.sized && f.assumed >= 0:
		return f.assumed
	case !f.list && !f.sized:
		return -1
	case !f.sized && around.length >= 0:
		return around.length
	}
	return defaultSize
}

// slice returns the length that an argument gives, or -1.
func (p *pricer) slice(s *slicer, node *ast.Field) int {
	v := s.fallback
	if a := node.Arguments.ForName(s.name); a != nil && a.Value != nil {
		v = a.Value
		if v.Kind == ast.Variable {
			p.varies = true
			if given, ok := p.variables[v.Raw]; ok {
				return number(given, s.list)
			}
			v = s.fallback
			if d := p.operation.VariableDefinitions.ForName(a.Value.Raw); d != nil && d.DefaultValue != nil {
				v = d.DefaultValue
			}
		}
	}
	switch {
	case v == nil || v.Kind == ast.NullValue || v.Kind == ast.Variable:
		return -1
	case s.list && v.Kind == ast.ListValue:
		return len(v.Children)
	case s.list:
		return 1
	}
	return digits(v.Raw)
}

// number returns the length that the value of a variable gives, or -1.
func number(given any, list bool) int {
	switch n := given.(type) {
	case nil:
		return -1
	case []any:
		if list {
			return len(n)
		}
		return -1
	case json.Number:
		given = n.String()
	}
	if list {
		if v := reflect.ValueOf(given); v.Kind() == reflect.Slice {
			return v.Len()
		}
		return 1
	}
	switch v := reflect.ValueOf(given); v.Kind() {
	case reflect.Int, reflect.Int8, reflect.Int16, reflect.Int32, reflect.Int64:
		return int(min(max(v.Int(), -1), ceiling))
	case reflect.Uint, reflect.Uint8, reflect.Uint16, reflect.Uint32, reflect.Uint64:
		return int(min(v.Uint(), ceiling))
	case reflect.Float32, reflect.Float64:
		if v.Float() >= 0 { // not NaN
			return int(math.Min(v.Float(), ceiling))
		}
	case reflect.String: // gqlgen takes "5" for an Int
		return digits(v.String())
	}
	return -1
}

// digits returns the number that is written in s, or -1.
func digits(s string) int {
	n, err := strconv.ParseFloat(s, 64)
	if err != nil && !math.IsInf(n, 1) || !(n >= 0) {
		return -1
	}
	return int(math.Min(n, ceiling))
}
