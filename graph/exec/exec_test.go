package exec_test

import (
	"context"
	"encoding/json"
	"testing"

	"github.com/collegium/collegium/graph/exec/exectest"
	"github.com/google/go-cmp/cmp"
)

// TestSpecification states what the executor answers, case by case. Each answer is compared with gqlgen's
// too, unless the two differ on purpose.
func TestSpecification(t *testing.T) {
	t.Parallel()
	plain, fast, _ := servers()
	tests := []struct {
		name    string
		query   string
		vars    map[string]any
		want    string
		errors  []string
		differs bool // from gqlgen, on purpose
	}{
		{
			name:  "fields are in the order of the document",
			query: `{ shelf { width label } }`,
			want:  `{"shelf":{"width":2,"label":"shelf of Ção\t"}}`,
		},
		{
			name:  "a key keeps the place where it was first met, and its selections are merged",
			query: `{ node(id: "b4") { ... on Book { a: sequel { id } title } ... on Work { title author { id } } ... on Book { a: sequel { title id } } } }`,
			want:  `{"node":{"a":{"id":"b2","title":"Book 2"},"title":"Book 4","author":{"id":"a8"}}}`,
		},
		{
			name:  "merging goes through fragments and through interfaces that implement each other",
			query: `{ node(id: "b4") { id ...W ... on Book { author { name } title } ... on Node { id } } } fragment W on Work { title author { id } }`,
			want:  `{"node":{"id":"b4","title":"Book 4","author":{"id":"a8","name":"</script>"}}}`,
		},
		{
			name:    "merging goes through unrelated interfaces, where gqlgen answers the first only",
			query:   `{ named { ... on Named { friends { id } } ... on Social { friends { rank } } } }`,
			want:    `{"named":[{"friends":[{"id":"a0","rank":-2},{"id":"a1","rank":-1}]},{"friends":[{"id":"a2","rank":0},{"id":"a3","rank":1}]}]}`,
			differs: true,
		},
		{
			name:  "fragments apply by object, interface and union",
			query: `{ items { __typename ... on Book { pages } ... on Named { name } ... on Work { title } ... on Item { t: __typename } ... on Node { ... on Film { minutes } } } }`,
			want: `{"items":[{"__typename":"Book","pages":400,"title":"Book 4","t":"Book"},{"__typename":"Author","name":"Ann","t":"Author"},` +
				`{"__typename":"Film","title":"Film 3","t":"Film","minutes":1073741824},{"__typename":"Book","pages":700,"title":"Book 7","t":"Book"},` +
				`{"__typename":"Box","t":"Box"},{"__typename":"Film","title":"Film 2","t":"Film","minutes":1048576},{"__typename":"Author","name":"日本\u0001","t":"Author"}]}`,
		},
		{
			name:  "an object of which nothing is selected is empty",
			query: `{ items { ... on Film { id } } }`,
			want:  `{"items":[{},{},{"id":"f3"},{},{},{"id":"f2"},{}]}`,
		},
		{
			name:  "skip and include, with variables and defaults",
			query: `query($y: Boolean!, $n: Boolean = false) { shelf { label @skip(if: $y) width @include(if: $y) ... @include(if: $n) { box { id } } ...F @skip(if: $n) } } fragment F on Shelf { again: width @skip(if: false) never: width @include(if: true) @skip(if: true) }`,
			vars:  map[string]any{"y": true},
			want:  `{"shelf":{"width":2,"again":2}}`,
		},
		{
			name:  "a fragment that was skipped once still counts the next time",
			query: `{ shelf { ...F @skip(if: true) ...F } } fragment F on Shelf { width }`,
			want:  `{"shelf":{"width":2}}`,
		},
		{
			name:   "a null in a nullable field stays there",
			query:  `{ box { fails mayMiss missing } }`,
			want:   `{"box":{"fails":null,"mayMiss":null,"missing":"here"}}`,
			errors: []string{`box.fails: box 2 fails [1:9] null`},
		},
		{
			name:   "a null in a non-null field takes the object along, up to the next nullable field",
			query:  `{ boxes(first: 2) { id inner { need id } } shelf { label } }`,
			want:   `{"boxes":null,"shelf":{"label":"shelf of Ção\t"}}`,
			errors: []string{`boxes[0].inner.need: the requested element is null which the schema does not allow [] null`},
		},
		{
			name:   "… or the whole answer",
			query:  `{ box { edgeNil { id } } shelf { label } }`,
			want:   `null`,
			errors: []string{`box.edgeNil: the requested element is null which the schema does not allow [] null`},
		},
		{
			name:  "a null element takes a list of non-null elements along, and no other",
			query: `{ boxes(first: 4) { edgeHalfList { id } innerHoles { id } } }`,
			want: `{"boxes":[{"edgeHalfList":null,"innerHoles":[null,{"id":"h"},null]},{"edgeHalfList":null,"innerHoles":[null,{"id":"h"},null]},` +
				`{"edgeHalfList":[{"id":"i2"},{"id":"i2"}],"innerHoles":[null,{"id":"h"},null]},{"edgeHalfList":null,"innerHoles":[null,{"id":"h"},null]}]}`,
			errors: []string{
				`boxes[0].edgeHalfList: box 0 has no half [] null`,
				`boxes[1].edgeHalfList[1]: the requested element is null which the schema does not allow [] null`,
				`boxes[3].edgeHalfList: box 3 has no half [] null`,
			},
		},
		{
			name:  "an error below a null that bubbles counts too",
			query: `{ boxes(first: 1) { inner { need } edgeHalf { id } fails } }`,
			want:  `{"boxes":null}`,
			errors: []string{
				`boxes[0].edgeHalf: box 0 has no half [] null`,
				`boxes[0].fails: box 0 fails [1:52] null`,
				`boxes[0].inner.need: the requested element is null which the schema does not allow [] null`,
			},
		},
		{
			name:   "the error of one parent leaves its siblings alone",
			query:  `{ authors(first: 5) { id mentor { id } } }`,
			want:   `null`,
			errors: []string{`authors[3].mentor: author a3 has no mentor [] null`},
		},
		{
			name:  "an error of a whole batch is an error of each parent",
			query: `{ boxes(first: 2) { edgeFails { id } edgeGraphqlError { id } edgeErrorList { id } } }`,
			want:  `{"boxes":[{"edgeFails":null,"edgeGraphqlError":null,"edgeErrorList":null},{"edgeFails":null,"edgeGraphqlError":null,"edgeErrorList":null}]}`,
			errors: []string{
				`boxes[0].edgeErrorList: first of 0 [] null`, `boxes[0].edgeErrorList: second of 0 [] null`, `boxes[0].edgeFails: no box has this [] null`,
				`boxes[0].edgeGraphqlError: a GraphQL error [] {"code":"TEAPOT"}`,
				`boxes[1].edgeErrorList: first of 1 [] null`, `boxes[1].edgeErrorList: second of 1 [] null`, `boxes[1].edgeFails: no box has this [] null`,
				`boxes[1].edgeGraphqlError: a GraphQL error [] {"code":"TEAPOT"}`,
			},
		},
		{
			name:  "a panic in an edge is an error of each parent, in a method of its own",
			query: `{ boxes(first: 2) { edgePanics { id } panics } }`,
			want:  `{"boxes":[{"edgePanics":null,"panics":"x0"},{"edgePanics":null,"panics":null}]}`,
			errors: []string{
				`boxes[0].edgePanics: internal system error [] null`, `boxes[1].edgePanics: internal system error [] null`,
				`boxes[1].panics: internal system error [] null`,
			},
		},
		{
			name:  "the wrong number of results is an error of each parent",
			query: `{ boxes(first: 2) { edgeShort { id } } }`,
			want:  `{"boxes":[{"edgeShort":null},{"edgeShort":null}]}`,
			errors: []string{
				`boxes[0].edgeShort: batch resolver Box.edgeShort returned the wrong number of results [] null`,
				`boxes[1].edgeShort: batch resolver Box.edgeShort returned the wrong number of results [] null`,
			},
		},
		{
			name:  "an argument that can't be coerced is an error at each parent",
			query: `query($d: Day!) { boxes(first: 2) { day2(on: $d) ok: day2(on: "2020-02-28") } }`,
			vars:  map[string]any{"d": "soon"},
			want:  `{"boxes":[{"day2":null,"ok":"2020-02-28"},{"day2":null,"ok":"2020-02-29"}]}`,
			errors: []string{
				`boxes[0].day2.on: "soon" isn't a day like 2006-01-02 [] null`, `boxes[1].day2.on: "soon" isn't a day like 2006-01-02 [] null`,
			},
		},
		{
			name:  "arguments have the schema's defaults, input objects too",
			query: `{ node(id: "a4") { ... on Author { greeting books { id } few: books(first: 9, filter: {minPages: 1500, not: {titles: ["Book 22"]}}) { id } } } }`,
			want:  `{"node":{"greeting":"E\\f greets you","books":[{"id":"b2"},{"id":"b12"}],"few":[]}}`,
		},
		{
			name:  "nil lists and nil elements",
			query: `{ boxes(first: 2) { nilSlice nilSliceAllowed slicePointer slicePointerNil holesAllowed numbers deepShades } boxGrid { id } }`,
			want: `{"boxes":[{"nilSlice":["s"],"nilSliceAllowed":[],"slicePointer":[1,2],"slicePointerNil":[0],"holesAllowed":[null,"some",null],"numbers":[null,7],"deepShades":[["DARK"],["LIGHT","DARK"]]},` +
				`{"nilSlice":[],"nilSliceAllowed":null,"slicePointer":null,"slicePointerNil":[1],"holesAllowed":[null,"some",null],"numbers":[null,7],"deepShades":[["DARK"],["LIGHT","DARK"]]}],` +
				`"boxGrid":[[{"id":"x0"},{"id":"x1"}],null,[],[{"id":"x3"},null,{"id":"x4"}]]}`,
		},
		{
			name:  "floats that JSON can't write are null, with an error",
			query: `{ boxes(first: 2) { floats notANumber } box { notANumber } }`,
			want:  `{"boxes":[{"floats":[1,null,2.5],"notANumber":0},{"floats":[1,null,2.5,null],"notANumber":0}],"box":{"notANumber":null}}`,
			errors: []string{
				`box.notANumber: cannot marshal infinite no NaN float values [] null`,
				`boxes[1].floats: cannot marshal infinite no NaN float values [] null`,
			},
		},
		{
			name:   "a Go type that the schema doesn't know is a panic, at the field or at the element",
			query:  `{ boxes(first: 2) { strange { ... on Book { id } } stranger { ... on Book { id } } } }`,
			want:   `{"boxes":[{"strange":{"ghoul":true},"stranger":[{"id":"b0"},{"ghoul":true}]},{"strange":null,"stranger":[]}]}`,
			errors: []string{`boxes[1].strange: internal system error [] null`, `boxes[1].stranger[1]: internal system error [] null`},
		},
		{
			name:   "a directive on a root runs",
			query:  `{ author(id: "a9") { name } b: author(id: "a0") { name } }`,
			want:   `{"author":null,"b":{"name":"Ann"}}`,
			errors: []string{`author: refused [1:3] null`},
		},
		{
			name:  "introspection passes",
			query: `{ __typename __type(name: "Shelf") { fields { name } } shelf { __typename } }`,
			want:  `{"__typename":"Query","__type":{"fields":[{"name":"label"},{"name":"width"},{"name":"books"},{"name":"box"}]},"shelf":{"__typename":"Shelf"}}`,
		},
		{
			name:   "a mutation's payload",
			query:  `mutation { write(title: "new") { ok book { title author { name } } } fail { ok } }`,
			want:   `{"write":{"ok":true,"book":{"title":"new","author":{"name":"Bob \"the pen\""}}},"fail":null}`,
			errors: []string{`fail: nothing was written [1:70] null`},
		},
		{
			name:    "defer is ignored",
			query:   `{ shelf { label ... @defer { width } } }`,
			want:    `{"shelf":{"label":"shelf of Ção\t","width":2}}`,
			differs: true,
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			got := fast.Do(context.Background(), tt.query, tt.vars)
			if diff := cmp.Diff(tt.want, string(got.Data)); diff != "" {
				t.Errorf("data (-want +got):\n%s", diff)
			}
			if diff := cmp.Diff(tt.errors, exectest.Errors(got)); diff != "" {
				t.Errorf("errors (-want +got):\n%s", diff)
			}
			if !tt.differs {
				if diff := exectest.Diff(plain.Do(context.Background(), tt.query, tt.vars), got); diff != "" {
					t.Errorf("differs from gqlgen: %s", diff)
				}
			}
			if len(got.Data) > 0 && !json.Valid(got.Data) {
				t.Errorf("not JSON: %s", got.Data)
			}
		})
	}
}

// TestBatches states how often edges are called, and with how many parents.
func TestBatches(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name, query string
		want        map[string][]int
	}{
		{
			name:  "one call for each level",
			query: `{ authors(first: 3) { books(first: 2) { author { rival { id } } } } }`,
			want:  map[string][]int{"Author.books": {3}, "Book.author": {6}, "Author.rival": {6}},
		},
		{
			name:  "one call for all members of a union, wherever they stand",
			query: `{ items { ... on Work { author { id } } } }`,
			want:  map[string][]int{"Book.author": {2}, "Film.author": {2}},
		},
		{
			name:  "one call for a tree, however deep the document spells it out",
			query: `{ tree { target { __typename } children { target { __typename } children { target { __typename } children { target { __typename } } } } } }`,
			want:  map[string][]int{"Branch.target": {312}},
		},
		{
			name:  "the same arguments are one call, others aren't",
			query: `query($n: Int) { authors(first: 2) { a: books(first: 1) { id } b: books(first: $n) { title } c: books(first: 2) { id } } }`,
			want:  map[string][]int{"Author.books": {4, 2}},
		},
		{
			name:  "lists inside structs and methods belong to the level of their parent",
			query: `{ shelf { books { chapters { book { id } } sequel { chapters { book { id } } } parts { chapters { book { id } } } } } }`,
			want:  map[string][]int{"Chapter.book": {5}},
		},
		{
			name:  "nothing is asked where there is no parent",
			query: `{ nothing { inner { owner { id } } } authors(first: 0) { rival { id } } }`,
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			plain, fast, r := servers()
			want := plain.Do(context.Background(), tt.query, map[string]any{"n": 1})
			r.TakeCalls()
			got := fast.Do(context.Background(), tt.query, map[string]any{"n": 1})
			if diff := exectest.Diff(want, got); diff != "" {
				t.Errorf("differs from gqlgen: %s", diff)
			}
			if diff := cmp.Diff(tt.want, r.TakeCalls()); diff != "" {
				t.Errorf("calls (-want +got):\n%s", diff)
			}
		})
	}
}
