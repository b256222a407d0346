package guard

import (
	"maps"
	"os"
	"slices"
	"testing"
)

// BenchmarkWholeMenu is the guard's part in the most frequent query.
func BenchmarkWholeMenu(b *testing.B) {
	g := newGuard(b, fixture(b))
	doc, err := g.Parse(wholeMenu)
	if err != nil {
		b.Fatal(err)
	}
	b.Run("parse", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			if _, err := g.Parse(wholeMenu); err != nil {
				b.Fatal(err)
			}
		}
	})
	b.Run("check", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			if _, err := g.Check(doc, "", nil); err != nil {
				b.Fatal(err)
			}
		}
	})
	b.Run("price", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			if _, err := g.Price(doc, "", nil); err != nil {
				b.Fatal(err)
			}
		}
	})
}

// BenchmarkIntrospection is its part in the query that a client asks first.
func BenchmarkIntrospection(b *testing.B) {
	g := newGuard(b, fixture(b))
	text, err := os.ReadFile("testdata/introspection.graphql")
	if err != nil {
		b.Fatal(err)
	}
	doc, err := g.Parse(string(text))
	if err != nil {
		b.Fatal(err)
	}
	b.ReportAllocs()
	for b.Loop() {
		if _, err := g.Check(doc, "", nil); err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkDearest processes the dearest accepted documents that were found: the goal is at most 5 ms
// and 8 MiB for each.
func BenchmarkDearest(b *testing.B) {
	schema := fixture(b)
	g := newGuard(b, schema)
	found := corpus(b)
	for _, name := range slices.Sorted(maps.Keys(found)) {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			start := cpuTime()
			defer func() { b.ReportMetric(float64(cpuTime()-start)/float64(b.N), "cpu-ns/op") }()
			for b.Loop() {
				if _, err := process(g, schema, found[name]); err != nil {
					b.Skip("no longer accepted: ", err)
				}
			}
		})
	}
}
