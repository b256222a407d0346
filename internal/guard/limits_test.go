package guard

import (
	"fmt"
	"strings"
	"testing"
)

// Each limit lets through what is just inside and refuses what is one more.
func TestLimits(t *testing.T) {
	t.Parallel()
	g := newGuard(t, fixture(t))
	l := g.Limits()
	number := func(prefix string) func(int) string {
		return func(i int) string { return prefix + fmt.Sprint(i) }
	}
	for _, c := range []struct {
		limit string
		most  int // that passes
		make  func(n int) string
	}{
		{"bytes", l.Bytes, func(n int) string { return "{a}" + strings.Repeat(" ", n-3) }},
		{"bytes", l.Bytes, func(n int) string { return "{a}#" + strings.Repeat("x", n-4) }},
		{"tokens", l.Tokens, func(n int) string { return "{a{" + repeat(n-5, number("a")) + "}}" }},
		{"tokens", l.Tokens - 3, func(n int) string { return "{a}" + strings.Repeat("\n#", n) }},
		{"nesting", l.Nesting, func(n int) string {
			return strings.Repeat("{...", n-1) + "{a" + strings.Repeat("}", n)
		}},
		{"nesting", l.Nesting, func(n int) string {
			return "{" + strings.Repeat("...{", n-3) + "a(b:[])" + strings.Repeat("}", n-2)
		}},
		{"nameBytes", l.NameBytes, func(n int) string { return "{" + strings.Repeat("a", n) + "}" }},
		{"nameBytes", l.NameBytes, func(n int) string { return "{" + strings.Repeat("a", n) + ":b}" }},
		{"operations", l.Operations, func(n int) string {
			return repeat(n, func(i int) string { return fmt.Sprintf("query q%d{a}", i) })
		}},
		{"fragments", l.Fragments, func(n int) string {
			return "{a}" + repeat(n, func(i int) string { return fmt.Sprintf("fragment f%d on Query{a}", i) })
		}},
		{"variables", l.Variables, func(n int) string {
			return "query(" + repeat(n, func(i int) string { return fmt.Sprintf("$v%d:Int", i) }) + "){a}"
		}},
		{"directives", l.Directives, func(n int) string { return "{a" + same(n, "@b") + "}" }},
		{"directives", l.Directives, func(n int) string {
			return "query($a:Int @b)@b{a@b ...@b{a} ...f@b}fragment f on Query@b{a{" + repeat(n-6, func(i int) string { return fmt.Sprintf("a%d@b", i) }) + "}}"
		}},
		{"values", l.Values, func(n int) string { return "{a(b:[" + same(n-1, "1") + "])}" }},
		{"values", l.Values, func(n int) string { return "{a(b:[" + same(n-1, "[]") + "])}" }},
		{"values", l.Values - 1, func(n int) string { return "query($a:A={b:[" + same(n-1, "1") + "]}){a}" }},
		{"valueDepth", l.ValueDepth, func(n int) string { return "{a(b:" + strings.Repeat("[", n) + strings.Repeat("]", n) + ")}" }},
		{"valueDepth", l.ValueDepth, func(n int) string { return "{a(b:" + strings.Repeat("{b:", n) + "1" + strings.Repeat("}", n) + ")}" }},
		{"depth", l.Depth, func(n int) string { return strings.Repeat("{a", n) + strings.Repeat("}", n) }},
		{"depth", l.Depth, func(n int) string {
			return "{a{...f}} fragment f on A" + strings.Repeat("{...{b", n-1) + strings.Repeat("}}", n-1)
		}},
		{"aliases", l.Aliases, func(n int) string {
			return "{links{" + repeat(n, func(i int) string { return fmt.Sprintf("a%d:href", i) }) + "}}"
		}},
		{"aliases", l.Aliases / 10, func(n int) string {
			return "{" + repeat(n, func(i int) string { return fmt.Sprintf("a%d{...f}", i) }) + "} fragment f on A{" + repeat(10, func(i int) string { return fmt.Sprintf("b%d:c", i) }) + "}"
		}},
		{"roots", l.Roots, func(n int) string { return "{" + repeat(n, number("a")) + "}" }},
		{"roots", l.Roots / 5, func(n int) string { return "{" + same(n, "...{...f}") + "} fragment f on Query{a b c d e}" }},
		{"selections", l.Selections, func(n int) string {
			// 40 times a spread, a field and 100 fields, and then single ones
			return "{a{" + repeat(40, func(i int) string { return fmt.Sprintf("a%d{...f}", i) }) + repeat(n-1-40*102, number("b")) + "}} fragment f on A{" + repeat(100, number("a")) + "}"
		}},
		{"pairs", 100, func(n int) string { return "{a{" + same(n, "b") + "}}" }}, // 4,950 and 5,050 pairs
		{"cost", l.Cost / 100, func(n int) string { return fmt.Sprintf("{links{label}suggest(first:%d){title}}", (n*100-10)/2) }},
	} {
		name := fmt.Sprintf("%s %.30s", c.limit, c.make(c.most))
		if _, err := judge(g, c.make(c.most)); err != nil {
			t.Errorf("%s: %d is refused: %v", name, c.most, err)
		}
		if _, err := judge(g, c.make(c.most+1)); limitOf(t, err) != c.limit {
			t.Errorf("%s: %d gets limit %q (%v)", name, c.most+1, limitOf(t, err), err)
		}
	}
}

// Variables are bounded as what is written is.
func TestLimitsOfVariables(t *testing.T) {
	t.Parallel()
	g := newGuard(t, fixture(t))
	doc, err := g.Parse("query($f:MemberFilter){members(filter:$f){nodes{id}}}")
	if err != nil {
		t.Fatal(err)
	}
	nested := func(n int) any {
		var v any = "x"
		for i := range n {
			if i%2 == 0 {
				v = []any{v}
			} else {
				v = map[string]any{"any": v}
			}
		}
		return v
	}
	long := func(n int) any { return make([]any, n-1) }
	for _, c := range []struct {
		limit string
		most  int
		make  func(n int) any
	}{
		{"valueDepth", g.Limits().ValueDepth, nested},
		{"variableValues", g.Limits().VariableValues, long},
	} {
		if _, err := g.Check(doc, "", map[string]any{"f": c.make(c.most)}); err != nil {
			t.Errorf("%s: %d is refused: %v", c.limit, c.most, err)
		}
		_, err := g.Check(doc, "", map[string]any{"f": c.make(c.most + 1)})
		if limitOf(t, err) != c.limit {
			t.Errorf("%s: %d gets %v", c.limit, c.most+1, err)
		}
		_, err = g.Price(doc, "", map[string]any{"f": c.make(c.most + 1)})
		if limitOf(t, err) != c.limit {
			t.Errorf("%s: Price gives %v", c.limit, err)
		}
	}
}
