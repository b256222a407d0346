package graph

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"runtime"
	"strings"
	"testing"

	"github.com/collegium/collegium/internal/server"
)

// storeAlone returns a handler that can find documents, and can run none.
func storeAlone(t testing.TB, documents, bytes int) *Handler {
	t.Helper()
	c := DefaultConfig()
	c.Documents, c.DocumentBytes = documents, bytes
	checker, err := NewChecker(c.Limits)
	if err != nil {
		t.Fatal(err)
	}
	d, err := newDocuments(c)
	if err != nil {
		t.Fatal(err)
	}
	return &Handler{checker: checker, documents: d}
}

// TestFloodOfOneOffs asserts that documents which are asked again and again stay,
// whatever number of others is asked once. A hot document is asked for every five
// others, in turn; so between two requests for one there are 500 others, half as
// many as there is room for.
func TestFloodOfOneOffs(t *testing.T) {
	t.Parallel()
	flood := 100_000
	if testing.Short() {
		flood = 20_000
	}
	const hot, room = 100, 1_000
	h := storeAlone(t, room, 8<<20)
	ask := func(name string, i int) {
		if _, _, no := h.document(context.Background(), server.Params{Query: fmt.Sprintf("query %s%d { __typename }", name, i)}); no != nil {
			t.Fatal(no.errors)
		}
	}
	missed, asked := 0, 0
	askHot := func(i int) {
		before := h.DocumentStats().Misses
		ask("Hot", i%hot)
		missed += int(h.DocumentStats().Misses - before)
		asked++
	}
	for i := range 5 * hot {
		ask("Hot", i%hot)
	}
	for i := range flood {
		ask("Once", i)
		if i%5 == 4 {
			askHot(i / 5)
		}
	}
	h.documents.cache.CleanUp()
	gone := 0
	for doc := range hot {
		if _, ok := h.documents.cache.GetEntryQuietly(sha256.Sum256(fmt.Appendf(nil, "query Hot%d { __typename }", doc))); !ok {
			gone++
		}
	}
	s := h.DocumentStats()
	rate := 1 - float64(missed)/float64(asked)
	t.Logf("hit rate of the hot documents %.4f (%d of %d missed), %d of %d gone at the end; %+v", rate, missed, asked, gone, hot, s)
	// The cache samples what was asked, and misses more of it on a busy machine. One that goes by recency alone would lose
	// every hot document between two rounds of ten.
	if rate < 0.85 {
		t.Errorf("hit rate of the hot documents %.4f, want at least 0.85", rate)
	}
	if gone > hot/3 {
		t.Errorf("%d of %d hot documents were gone after the flood", gone, hot)
	}
	h.documents.cache.CleanUp()
	if s := h.DocumentStats(); s.Kept > room || s.Bytes > 8<<20 {
		t.Errorf("%d documents with %d bytes are kept, want at most %d with %d", s.Kept, s.Bytes, room, 8<<20)
	}
}

// TestDocumentsAreBoundedByBytes asserts that large documents leave room for
// fewer.
func TestDocumentsAreBoundedByBytes(t *testing.T) {
	t.Parallel()
	h := storeAlone(t, 1_000, 1<<20)
	fields := strings.Repeat(" handle title itemCount", 30)
	for i := range 1_000 {
		p := server.Params{Query: fmt.Sprintf("query Large%d { menus {%s } }", i, fields[:(1+i%2)*len(fields)/2])}
		if _, _, no := h.document(context.Background(), p); no != nil {
			t.Fatal(no.errors)
		}
	}
	h.documents.cache.CleanUp()
	if s := h.DocumentStats(); s.Bytes > 1<<20 || s.Kept > 200 || s.Kept < 10 {
		t.Errorf("%d documents with %d bytes are kept, want some 50 with at most %d", s.Kept, s.Bytes, 1<<20)
	}
}

// TestSize compares what a document is thought to take with what it takes.
func TestSize(t *testing.T) { //nolint:paralleltest // it measures the memory of the process
	h := storeAlone(t, 10, 1<<20)
	for name, text := range map[string]string{
		"small":     `{ menus { handle } }`,
		"fields":    `{ menus {` + strings.Repeat(" handle title", 60) + ` } }`,
		"arguments": `query Q($h: String!) { ` + strings.Repeat(`menu(handle: $h) { items(maxDepth: 2) { id label } } `, 10) + ` }`,
		"fragments": `{ menus { ...A ... on Menu { ...B } } } fragment A on Menu { id handle @include(if: true) } fragment B on Menu { title @skip(if: false) }`,
		"values":    `{ menus(handles: ["a", "b", "c", "d", "e", "f", "g", "h", "main", "utility"]) { handle } }`,
	} {
		const copies = 200
		kept := make([]*document, copies)
		var before, after runtime.MemStats
		runtime.GC()
		runtime.ReadMemStats(&before)
		for i := range kept {
			own := strings.Clone(text)
			doc, _, list := h.checker.check(own, "", map[string]any{"h": "main"})
			if list != nil {
				t.Fatal(name, list)
			}
			kept[i] = &document{text: own, ast: doc}
		}
		runtime.GC()
		runtime.ReadMemStats(&after)
		real := float64(after.HeapAlloc-before.HeapAlloc) / copies
		thought := float64(size(text, kept[0].ast))
		runtime.KeepAlive(kept)
		t.Logf("%-10s thought %7.0f, real %7.0f bytes", name, thought, real)
		if thought < real/1.5 || thought > real*2.5 {
			t.Errorf("%s: thought to take %.0f bytes, takes %.0f", name, thought, real)
		}
	}
}

// BenchmarkKnownDocument finds documents that are kept: by text and by hash.
func BenchmarkKnownDocument(b *testing.B) {
	h := storeAlone(b, 100, 8<<20)
	text := `query Q { menus { handle title items { id label depth href children { id label } } } }`
	sum := sha256.Sum256([]byte(text))
	for name, p := range map[string]server.Params{
		"text": {Query: text},
		"hash": {DocumentID: "sha256:" + hex.EncodeToString(sum[:])},
	} {
		if _, _, no := h.document(context.Background(), server.Params{Query: text}); no != nil {
			b.Fatal(no.errors)
		}
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if _, no := h.documents.find(p, h.documents.accept); no != nil {
					b.Fatal(no.errors)
				}
			}
		})
		b.Run(name+" and price", func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if _, _, no := h.document(context.Background(), p); no != nil {
					b.Fatal(no.errors)
				}
			}
		})
	}
}

// TestPriceOfKnownDocuments asserts that a document which is kept costs what it cost
// when it was new, whatever stands in the request besides.
func TestPriceOfKnownDocuments(t *testing.T) {
	t.Parallel()
	list := `regions { members(first: %s) { nodes { displayName } } }`
	for text, requests := range map[string][]server.Params{
		"{ " + fmt.Sprintf(list, "7") + " }":                                      {{}, {Variables: map[string]any{"unused": "x"}}, {OperationName: ""}},
		"query A { menus { handle } } query B { " + fmt.Sprintf(list, "7") + " }": {{OperationName: "A"}, {OperationName: "B"}, {OperationName: "A"}},
		"query($n: Int = 3) { " + fmt.Sprintf(list, "$n") + " }":                  {{}, {Variables: map[string]any{"n": 50}}, {Variables: map[string]any{"n": 1}}},
	} {
		known := storeAlone(t, 100, 8<<20)
		for _, p := range append(requests, requests...) {
			p.Query = text
			_, got, no := known.document(t.Context(), p)
			if no != nil {
				t.Fatal(no.errors)
			}
			_, want, _ := storeAlone(t, 100, 8<<20).document(t.Context(), p)
			if got.Cost != want.Cost || got.Cost == 0 {
				t.Errorf("%s by %+v: %d points when known, %d when new", text, p, got.Cost, want.Cost)
			}
		}
	}
}
