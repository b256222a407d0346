package guard

import (
	"fmt"
	"runtime"
	"strconv"
	"strings"
	"testing"
)

// Documents that take a plain server down, or seconds of its time. Each is refused, and by little work: what it
// makes Parse and Check allocate is bounded, and so is what they count.
func TestBombs(t *testing.T) {
	g := newGuard(t, fixture(t))
	// numbered puts a number in the place of N, and the next one in that of M.
	numbered := func(text string) func(int) string {
		return func(i int) string {
			return strings.NewReplacer("N", strconv.Itoa(i), "M", strconv.Itoa(i+1)).Replace(text)
		}
	}
	// doubled nests two equal fields in each of two equal fields.
	doubled := func(levels int) string {
		set := "{name name}"
		for range levels {
			set = "{page" + set + " page" + set + "}"
		}
		return set
	}
	for _, c := range []struct{ name, limit, document string }{
		{"equal fields, 5 kB", "pairs", "{menu(handle:1){" + same(1000, "name") + "}}"},
		{"equal fields, 15 kB", "pairs", "{menu(handle:1){" + same(3000, "name") + "}}"},
		{"equal fields, 50 kB", "bytes", "{menu(handle:1){" + same(10_000, "name") + "}}"},
		{"2,000 equal fields, 64 kB", "bytes", "{menu(handle:1){" + same(2000, "aFieldWithALongerNameThatTakes30Bytes") + "}}"},
		{"duplicates doubled level by level, 8 levels", "pairs", "{page(path:1)" + doubled(8) + "}"},
		{"duplicates doubled level by level, 7 levels", "pairs", "{page(path:1)" + doubled(7) + "}"},
		{"duplicates doubled in a used fragment", "pairs", "{page(path:1){...a}} fragment a on Page" + doubled(7)},
		{"duplicates doubled in an unused fragment", "pairs", "{page(path:1){id}} fragment a on Page" + doubled(7)},
		{"duplicates doubled in another operation", "pairs", "query a{links{label}} query b{page(path:1)" + doubled(7) + "}"},
		{"duplicates doubled through fragments", "work", "{...f0 ...f0}" + repeat(7, numbered("fragment fN on Query{page{...fM} page{...fM}}")) + "fragment f7 on Query{id id}"},
		{"duplicates through inline fragments", "pairs", "{menu(handle:1){" + same(200, "...{id}") + "}}"},
		{"fragments that spread the next twice, 22 levels", "depth", "{...f0}" + repeat(22, numbered("fragment fN on Query{a{...fM} b{...fM}}")) + "fragment f22 on Query{id}"},
		{"fragments that spread the next twice, flat", "selections", "{...f0}" + repeat(22, numbered("fragment fN on Query{...fM ...fM}")) + "fragment f22 on Query{id}"},
		{"the same, 90 levels, unused", "selections", "{links{label}}" + repeat(90, numbered("fragment fN on Query{...fM ...fM}")) + "fragment f90 on Query{id}"},
		{"2 MiB of nested braces", "bytes", strings.Repeat("{a", 1<<20)},
		{"32 kB of nested braces", "nesting", strings.Repeat("{a", 16<<10)},
		{"nested lists in an argument", "nesting", "{a(b:" + strings.Repeat("[", 1000)},
		{"nested types of a variable", "nesting", "query($a:" + strings.Repeat("[", 1000)},
		{"a chain of 3,000 fragments", "bytes", "{...f0}" + repeat(3000, numbered("fragment fN on Query{...fM}"))},
		{"a chain of 300 fragments", "fragments", "{...f0}" + repeat(300, numbered("fragment fN on Query{...fM}"))},
		{"a chain of fragments with a long end", "work", "{...f0}" + repeat(60, numbered("fragment fN on Query{...fM}")) + "fragment f60 on Query{a{" + repeat(1000, numbered("bN")) + "}}"},
		{"a cycle of fragments", "cycle", "{...f0}" + repeat(50, numbered("fragment fN on Query{...fM}")) + "fragment f50 on Query{...f0}"},
		{"a fragment that spreads itself", "cycle", "{...f} fragment f on Query{links{label} ...f}"},
		{"a cycle of unused fragments", "cycle", "{links{label}} fragment f on Query{links{...g}} fragment g on Query{...f}"},
		{"__typename × 10,000", "bytes", "{" + same(10_000, "__typename") + "}"},
		{"__typename × 2,500", "roots", "{" + same(2500, "__typename") + "}"},
		{"__typename × 2,500 in an object", "pairs", "{rateLimit{" + same(2500, "__typename") + "}}"},
		{"100,000 nested list values", "bytes", "{nodes(ids:[" + same(100_000, "[]") + "]){id}}"},
		{"3,000 list values", "values", "{nodes(ids:[" + same(3000, "1") + "]){id}}"},
		{"1,000 aliased logins", "tokens", "{" + repeat(1000, numbered("aN:menu(handle:1){id}")) + "}"},
		{"300 aliased logins", "aliases", "{" + repeat(300, numbered("aN:menu(handle:1){id}")) + "}"},
		{"aliases in a fragment", "aliases", "{menu(handle:1){...f}} fragment f on Menu{" + repeat(31, numbered("aN:id")) + "}"},
		{"directives", "directives", "{links{label" + same(500, "@skip(if:true)") + "}}"},
		{"variables and their uses", "variables", "query(" + repeat(400, numbered("$vN:ID")) + "){nodes(ids:[" + same(900, "$v399") + "]){id}}"},
		{"spreads in one set", "work", "{links{" + repeat(1000, func(i int) string { return fmt.Sprintf("...f%d", i%50) }) + "}}" + repeat(50, numbered("fragment fN on Link{label}"))},
		{"nested inline fragments around many fields", "work", "{a{" + strings.Repeat("...{", 30) + repeat(1000, numbered("aN")) + strings.Repeat("}", 32)},
		{"nested inline fragments around duplicates", "work", "{a{" + strings.Repeat("...{", 30) + same(99, "label") + strings.Repeat("}", 32)},
		{"100 equal objects with distinct fields", "work", "{a{" + repeat(100, func(i int) string {
			return "b{" + repeat(35, func(j int) string { return fmt.Sprintf("f%d", i*35+j) }) + "}"
		}) + "}}"},
		{"arguments compared with each other", "work", "{" + same(2, "links("+same(480, "a:1")+"){label}") + "}"},
		{"operations", "operations", repeat(400, numbered("query qN{links{label}}"))},
		{"a long string that is wrong in 80 places", "work", "{...f0}" + repeat(80, numbered("fragment fN on Query{...fM}")) + `fragment f80 on Query{members(first:[[[[["` + strings.Repeat("x", 20_000) + `"]]]]]){nodes{id}}}`},
		{"introspection of types of fields of types", "cost", "{__schema{types" + strings.Repeat("{fields{type", 6) + "{name}" + strings.Repeat("}}", 6) + "}}"},
		{"lists in lists", "cost", "{members(first:100){nodes{sections{members(first:100){nodes{sections{members(first:100){nodes{id}}}}}}}}}"},
		{"a page of a million", "cost", "{members(first:1000000){nodes{id}}}"},
		{"a page of more than fits", "cost", "{members(first:99999999999999999999999999){nodes{id}}}"},
		{"up and down a tree", "cost", "{menu(handle:1){roots" + strings.Repeat("{children{parent", 5) + "{id}" + strings.Repeat("}}", 5) + "}}"},
	} {
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		price, err := judge(g, c.document)
		runtime.ReadMemStats(&after)
		if got := limitOf(t, err); got != c.limit {
			t.Errorf("%s (%d bytes): limit %q, want %q (%v)", c.name, len(c.document), got, c.limit, err)
		}
		if n := after.TotalAlloc - before.TotalAlloc; n > 4<<20 {
			t.Errorf("%s: allocated %d kB to refuse it", c.name, n>>10)
		}
		if price.Work > ceiling || price.Cost > ceiling {
			t.Errorf("%s: %+v", c.name, price)
		}
	}
}
