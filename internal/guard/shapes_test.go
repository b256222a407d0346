package guard

import (
	"fmt"
	"strings"
)

// shapes are documents that grow with n, each in a way that is dear to validate.
// The search begins with the largest of each that is accepted.
var shapes = map[string]func(n int) string{
	"distinct fields": func(n int) string {
		return "{a{" + repeat(n, func(i int) string { return fmt.Sprintf("b%d", i) }) + "}}"
	},
	"known fields": func(n int) string { return pad(`{page(path:1){`, n, "id path title summary", "}}") },
	"typename":     func(n int) string { return "{rateLimit{" + same(n, "__typename") + "}}" },
	"typename in fields": func(n int) string {
		return "{a{" + repeat(n, func(i int) string { return fmt.Sprintf("b%d{__typename}", i) }) + "}}"
	},
	"equal fields":         func(n int) string { return "{page(path:1){" + same(n, "title") + "}}" },
	"equal unknown fields": func(n int) string { return "{page(path:1){" + same(n, strings.Repeat("long", 32)) + "}}" },
	"differing arguments": func(n int) string {
		return "{section(slug:1){" + repeat(n, func(i int) string { return fmt.Sprintf("memberCount(asOf:%d)", i) }) + "}}"
	},
	"differing long fields": func(n int) string {
		return "{section(slug:1){" + repeat(n, func(i int) string { return fmt.Sprintf("%s(a:%d)", strings.Repeat("long", 32), i) }) + "}}"
	},
	"equal objects with distinct fields": func(n int) string {
		return "{page(path:1){" + repeat(n, func(i int) string {
			return "parent{" + repeat(30, func(j int) string { return fmt.Sprintf("f%d", i*30+j) }) + "}"
		}) + "}}"
	},
	"equal objects with equal fields": func(n int) string { return "{page(path:1){" + same(n, "parent{id title}") + "}}" },
	"doubled": func(n int) string {
		set := "{title title}"
		for range n {
			set = "{parent" + set + " parent" + set + "}"
		}
		return "{page(path:1)" + set + "}"
	},
	"chained fragments": func(n int) string {
		return "{page(path:1){...f0}}" + repeat(n, func(i int) string { return fmt.Sprintf("fragment f%d on Page{id ...f%d}", i, i+1) }) + fmt.Sprintf("fragment f%d on Page{id}", n)
	},
	"chained fragments with a long end": func(n int) string {
		return "{page(path:1){...f0}}" + repeat(20, func(i int) string { return fmt.Sprintf("fragment f%d on Page{...f%d}", i, i+1) }) + "fragment f20 on Page{" + repeat(n, func(i int) string { return fmt.Sprintf("id%d", i) }) + "}"
	},
	"chained fragments around duplicates in an inline fragment": func(n int) string {
		return "{page(path:1){...f0}}" + repeat(n, func(i int) string { return fmt.Sprintf("fragment f%d on Page{...f%d}", i, i+1) }) + fmt.Sprintf("fragment f%d on Page{...{"+same(20, "id")+"}}", n)
	},
	"one fragment in many places": func(n int) string {
		return "{a{" + repeat(n, func(i int) string { return fmt.Sprintf("a%d{...f}", i) }) + "}} fragment f on Page{id path title summary}"
	},
	"many fragments in one place": func(n int) string {
		return "{page(path:1){" + repeat(n, func(i int) string { return fmt.Sprintf("...f%d", i) }) + "}}" + repeat(n, func(i int) string { return fmt.Sprintf("fragment f%d on Page{id a%d}", i, i) })
	},
	"spreads of few fragments": func(n int) string {
		return "{page(path:1){" + repeat(n, func(i int) string { return fmt.Sprintf("...f%d", i%10) }) + "}}" + repeat(10, func(i int) string { return fmt.Sprintf("fragment f%d on Page{id title}", i) })
	},
	"fields beside fragments": func(n int) string {
		return "{page(path:1){" + repeat(n, func(i int) string { return fmt.Sprintf("id%d", i) }) + repeat(40, func(i int) string { return fmt.Sprintf("...f%d", i) }) + "}}" + repeat(40, func(i int) string { return fmt.Sprintf("fragment f%d on Page{id}", i) })
	},
	"spreads in equal objects": func(n int) string {
		return "{page(path:1){" + repeat(n, func(i int) string { return fmt.Sprintf("parent{...f%d}", i%30) }) + "}}" + repeat(30, func(i int) string { return fmt.Sprintf("fragment f%d on Page{id parent{title}}", i) })
	},
	"inline fragments": func(n int) string { return "{node(id:1){" + same(n, "...on Page{id}") + "}}" },
	"inline fragments on unions": func(n int) string {
		return pad(`{route(path:1){...on PageRoute{content{`, n, "...on Page{id}...on Section{slug}...on Region{slug}...on CaseStudy{slug}", "}}}}")
	},
	"impossible fragments": func(n int) string { return "{page(path:1){" + same(n, "...on Region{id}") + "}}" },
	"nested inline fragments": func(n int) string {
		return "{a{" + strings.Repeat("...{", 20) + repeat(n, func(i int) string { return fmt.Sprintf("b%d", i) }) + strings.Repeat("}", 22)
	},
	"nested inline fragments around duplicates": func(n int) string {
		return "{page(path:1){" + strings.Repeat("...{", 20) + same(n, "id") + strings.Repeat("}", 22)
	},
	"many sets": func(n int) string {
		return "{a{" + repeat(n, func(i int) string { return fmt.Sprintf("b%d{c{d}}", i) }) + "}}"
	},
	"inline fragments alone in inline fragments": func(n int) string { return "{a{" + same(n, "...{...{...{...{b}}}}") + "}}" },
	"operations": func(n int) string {
		return repeat(n, func(i int) string { return fmt.Sprintf("query q%d{...f}", i) }) + "fragment f on Query{page(path:1){" + repeat(150, func(i int) string { return fmt.Sprintf("a%d", i) }) + "}}"
	},
	"operations that spread duplicates": func(n int) string {
		return repeat(20, func(i int) string { return fmt.Sprintf("query q%d{...f}", i) }) + "fragment f on Query{page(path:1){" + same(n, "title") + "}}"
	},
	"variables": func(n int) string {
		return "query(" + repeat(50, func(i int) string { return fmt.Sprintf("$v%d:ID", i) }) + "){nodes(ids:[" + same(n, "$v49") + "]){id}}"
	},
	"unknown variables": func(n int) string { return "{nodes(ids:[" + same(n, "$"+strings.Repeat("v", 100)) + "]){id}}" },
	"variables with defaults": func(n int) string {
		return "query(" + repeat(40, func(i int) string {
			return fmt.Sprintf("$v%d:[MemberFilter]=[%s]", i, same(n, `{text:"a",any:[{grades:[NAME]}]}`))
		}) + "){links{label}}"
	},
	"list values":        func(n int) string { return "{nodes(ids:[" + same(n, "1") + "]){id}}" },
	"nested list values": func(n int) string { return "{nodes(ids:[" + same(n, "[[[[[[1]]]]]]") + "]){id}}" },
	"object values": func(n int) string {
		return "{members(filter:{any:[" + same(n, `{any:[{any:[{text:"x"}]}]}`) + "]}){nodes{id}}}"
	},
	"wrong object values": func(n int) string {
		return "{members(filter:{any:[" + same(n, `{nope:1,any:[{text:1,any:[{grades:"x"}]}]}`) + "]}){nodes{id}}}"
	},
	"a long wrong string": func(n int) string {
		return `{members(filter:{not:{not:{not:{grades:[["` + strings.Repeat("x", n*10) + `"]]}}}}){nodes{id}}}`
	},
	"a long wrong string in many places": func(n int) string {
		return `{...f0}` + repeat(20, func(i int) string { return fmt.Sprintf("fragment f%d on Query{...f%d}", i, i+1) }) + `fragment f20 on Query{members(filter:{not:{not:{grades:"` + strings.Repeat("\\u0001", n) + `"}}}){nodes{id}}}`
	},
	"arguments": func(n int) string { return "{" + same(2, "page("+same(n, "path:1")+"){id}") + "}" },
	"arguments that differ": func(n int) string {
		up := repeat(n, func(i int) string { return fmt.Sprintf("path:%d", i) })
		down := repeat(n, func(i int) string { return fmt.Sprintf("path:%d", n-1-i) })
		return "{page(" + up + "){id}page(" + down + "){id}}"
	},
	"object arguments that differ": func(n int) string {
		up := repeat(n, func(i int) string { return fmt.Sprintf("path:{a:1,b:%d}", i) })
		down := repeat(n, func(i int) string { return fmt.Sprintf("path:{a:1,b:%d}", n-1-i) })
		return "{page(" + up + "){id}page(" + down + "){id}}"
	},
	"object arguments": func(n int) string { return "{" + same(2, "page("+same(n, "path:{a:1,b:2}")+"){id}") + "}" },
	"unknown arguments": func(n int) string {
		return "{page(" + repeat(n, func(i int) string { return fmt.Sprintf("a%d:1", i) }) + "){id}}"
	},
	"directives": func(n int) string {
		return "{page(path:1){" + repeat(n, func(i int) string { return fmt.Sprintf("id%d@skip(if:1)", i) }) + "}}"
	},
	"introspection": func(n int) string {
		return "{" + strings.Repeat("__schema{", 10) + repeat(n, func(i int) string { return fmt.Sprintf("a%d{__type}", i) }) + strings.Repeat("}", 11)
	},
	"comments":       func(n int) string { return "{" + strings.Repeat("#\n", n) + "links{label}}" },
	"a long string":  func(n int) string { return `{page(path:"` + strings.Repeat(`\n`, n*8) + `"){id}}` },
	"a block string": func(n int) string { return `{page(path:"""` + strings.Repeat("\n a", n*8) + `"""){id}}` },
	"a long comment": func(n int) string { return "#" + strings.Repeat("x", n*16) + "\n{links{label}}" },
}

// pad puts n texts between head and tail.
func pad(head string, n int, text, tail string) string { return head + same(n, text) + tail }

// largest returns the largest document of a shape that accept takes, "" for none.
func largest(shape func(int) string, accept func(string) bool) string {
	low, high := 0, 1 // low is accepted, and in the end high is not
	for accept(shape(high)) {
		low, high = high, 2*high
	}
	for high-low > 1 {
		if mid := (low + high) / 2; accept(shape(mid)) {
			low = mid
		} else {
			high = mid
		}
	}
	if low == 0 {
		return ""
	}
	return shape(low)
}
