package graph_test

import (
	"context"
	"encoding/json"
	"log/slog"
	"strings"
	"testing"

	"github.com/collegium/collegium/graph"
	"github.com/collegium/collegium/graph/gen"
	"github.com/collegium/collegium/internal/identity"
	directory "github.com/collegium/collegium/internal/member"
	"github.com/collegium/collegium/internal/nav"
	"github.com/collegium/collegium/internal/viewer"
)

// inMemory are the resolvers of the graph, with some roots answered from values that were read once: what is left of a
// request is everything but the database.
type inMemory struct {
	gen.ResolverRoot
	query inMemoryQuery
}

type inMemoryQuery struct {
	gen.QueryResolver
	menu   *nav.Menu
	member *directory.Member
}

func (r inMemory) Query() gen.QueryResolver { return r.query }

func (q inMemoryQuery) Menu(context.Context, string) (*nav.Menu, error) { return q.menu, nil }

func (q inMemoryQuery) Member(context.Context, string) (*directory.Member, error) {
	return q.member, nil
}

// BenchmarkExecute answers operations whose roots are in memory, by the executor and by gqlgen alone.
func BenchmarkExecute(b *testing.B) {
	db := demoDB(b)
	resolvers := graph.NewResolver(db, &identity.Store{DB: db})
	query := inMemoryQuery{QueryResolver: resolvers.Query()}
	var err error
	if query.menu, err = query.QueryResolver.Menu(b.Context(), "main"); err != nil {
		b.Fatal(err)
	}
	id := at(data(b, graphOn(b, db), `{ members(first: 1) { nodes { id } } }`, nil), "members", "nodes", 0, "id").(string)
	if query.member, err = query.QueryResolver.Member(b.Context(), id); err != nil {
		b.Fatal(err)
	}
	handler := func(plain bool) *graph.Handler {
		c := graph.DefaultConfig()
		c.Log, c.PlainGqlgen = slog.New(slog.DiscardHandler), plain
		h, err := graph.NewHandlerOf(inMemory{resolvers, query}, c)
		if err != nil {
			b.Fatal(err)
		}
		return h
	}
	fast, plain := handler(false), handler(true)

	tree := func(fields string) string {
		return `query Menu { menu(handle: "main") { title roots { ` + fields +
			strings.Repeat(` children { `+fields, 3) + strings.Repeat(` }`, 3) + ` } } }`
	}
	for _, q := range []struct {
		name, query string
		variables   map[string]any
	}{
		{"menu", tree(`label kind href depth isCanonical access`), nil},
		{"menu with IDs", tree(`id label parentId descendantCount`), nil},
		{"member", `query Member($id: ID!) { member(id: $id) { displayName pronouns headline bio grade joinedOn } }`, map[string]any{"id": id}},
		{"typename", `{ __typename }`, nil},
	} {
		for _, by := range []struct {
			name string
			h    *graph.Handler
		}{{"exec", fast}, {"gqlgen", plain}} {
			b.Run(q.name+"/"+by.name, func(b *testing.B) {
				b.ReportAllocs()
				p := params(q.query, q.variables)
				for b.Loop() {
					r := by.h.Execute(b.Context(), p)
					b.SetBytes(int64(len(r.Body)))
					if r.Errors > 0 {
						b.Fatal(string(r.Body))
					}
					if r.Release != nil {
						r.Release()
					}
				}
			})
		}
	}
	b.Run("menu/json", func(b *testing.B) {
		body := fast.Execute(b.Context(), params(tree(`label kind href depth isCanonical access`), nil)).Body
		var m jsonMenu
		if err := json.Unmarshal(body, &m); err != nil {
			b.Fatal(err)
		}
		b.ReportAllocs()
		for b.Loop() {
			out, err := json.Marshal(m)
			if err != nil {
				b.Fatal(err)
			}
			b.SetBytes(int64(len(out)))
		}
	})
}

// BenchmarkExecuteStored answers the questions of the benchmark suite over the demo body, with the reference data in
// memory and the rest in the database.
func BenchmarkExecuteStored(b *testing.B) {
	db := demoDB(b)
	h := graphOn(b, db, withReference(b, db))
	awaitReference(b, h, viewer.Viewer{})
	id := at(data(b, h, `{ members(first: 1) { nodes { id } } }`, nil), "members", "nodes", 0, "id")
	for _, q := range []struct {
		name, query string
		variables   map[string]any
	}{
		{"Q1", `{ menu(handle: "main") { title roots { ...I children { ...I children { ...I children { ...I } } } } } } fragment I on MenuItem { label kind href depth isCanonical access }`, nil},
		{"Q2", `query($slug: String!) { specialistSection(slug: $slug) { name members(first: 20) { nodes { displayName headline grade region { name } } } } }`, map[string]any{"slug": "housing"}},
		{"Q3", `{ regions { name members(first: 10) { nodes { displayName sections { name } } } } }`, nil},
		{"Q4", `query($id: ID!) { member(id: $id) { displayName pronouns headline bio grade joinedOn } }`, map[string]any{"id": id}},
		{"Q5", `{ caseStudies(first: 8) { nodes { person headline level member { displayName grade } region { name nation } } } }`, nil},
		{"Q6", `{ regions { name members(first: 5) { nodes { displayName sections { name members(first: 5) { nodes { displayName region { name } } } } } } } }`, nil},
		{"Q7", `{ caseStudies(first: 8) { nodes { person member { displayName sections { name members(first: 5) { nodes { displayName grade } } } } } } }`, nil},
	} {
		b.Run(q.name, func(b *testing.B) {
			b.ReportAllocs()
			p := params(q.query, q.variables)
			for b.Loop() {
				r := h.Execute(b.Context(), p)
				if r.Errors > 0 {
					b.Fatal(string(r.Body))
				}
				r.Release()
			}
		})
	}
}

// jsonMenu is the answer to the menu query, for encoding/json.
type jsonMenu struct {
	Data struct {
		Menu struct {
			Title string         `json:"title"`
			Roots []jsonMenuItem `json:"roots"`
		} `json:"menu"`
	} `json:"data"`
}

type jsonMenuItem struct {
	Label       string         `json:"label"`
	Kind        string         `json:"kind"`
	Href        *string        `json:"href"`
	Depth       int            `json:"depth"`
	IsCanonical bool           `json:"isCanonical"`
	Access      string         `json:"access"`
	Children    []jsonMenuItem `json:"children,omitempty"`
}
