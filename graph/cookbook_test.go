package graph_test

import (
	"bytes"
	"cmp"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	gocmp "github.com/google/go-cmp/cmp"

	"github.com/collegium/collegium/graph"
	"github.com/collegium/collegium/internal/pg"
)

const (
	cookbook = "../docs/cookbook.md"
	readme   = "../README.md"
)

// TestCookbook runs every query of the cookbook, and the first query of the
// README, on the demo body: with the reference data read from the database, and with
// them in memory. It wants the answer that stands below the query and exactly as many
// statements as stand above it.
//
// In an answer "…" at the end of a list stands for one or more elements that are
// left out, and elsewhere for any value: those that depend on the day or on how
// many members there are. With -update answers and numbers are written anew; an
// answer that was shortened is shortened in the same places.
func TestCookbook(t *testing.T) {
	t.Parallel()
	db := demoDB(t)
	stored, held := graphOn(t, db), graphOn(t, db, withReference(t, db))
	awaitReference(t, held, anyone)
	for _, file := range []string{cookbook, readme} {
		t.Run(filepath.Base(file), func(t *testing.T) {
			text := mustRead(t, file)
			var changes []change
			for _, r := range readRecipes(t, text) {
				t.Run(fmt.Sprintf("line %d", r.line), func(t *testing.T) {
					changes = append(changes, r.check(t, stored, r.stored)...)
					changes = append(changes, r.check(t, held, r.held)...)
				})
			}
			if *update {
				if err := os.WriteFile(file, []byte(applied(text, changes)), 0o644); err != nil {
					t.Fatal(err)
				}
			}
		})
	}
}

// TestCookbookIsComplete wants a query for every root field, a word on every
// code of an error, and the whole main menu with its targets in 6 statements at
// most.
func TestCookbookIsComplete(t *testing.T) {
	t.Parallel()
	text := mustRead(t, cookbook)
	whole := false
	asked := map[string]bool{}
	for _, r := range readRecipes(t, text) {
		if strings.Contains(r.query, `menu(handle: "main")`) && strings.Contains(r.query, "target {") && !strings.Contains(r.query, "maxDepth") {
			whole = true
			if r.stored.n > 6 {
				t.Errorf("line %d: the main menu with its targets takes %d statements, want at most 6", r.line, r.stored.n)
			}
		}
		for _, word := range regexp.MustCompile(`\w+`).FindAllString(r.query, -1) {
			asked[word] = true
		}
	}
	if !whole {
		t.Error("no query asks for the whole main menu with its targets")
	}
	for _, f := range parseSchema(t, "schema", mustRead(t, goldenSchema)).Query.Fields {
		if !strings.HasPrefix(f.Name, "__") && !asked[f.Name] {
			t.Errorf("no query asks for %s", f.Name)
		}
	}
	for _, code := range []string{
		graph.ParseFailed, graph.ValidationFailed, graph.BadUserInput, graph.Unauthenticated, graph.Forbidden, graph.NotFound,
		graph.Conflict, graph.RateLimited, graph.Timeout, graph.Unavailable, graph.Internal, "COST_EXCEEDED", "PERSISTED_QUERY_NOT_FOUND",
	} {
		if !strings.Contains(text, "`"+code+"`") {
			t.Errorf("nothing says what to do about %s", code)
		}
	}
}

// recipe is a query of a Markdown text with what belongs to it.
type recipe struct {
	line      int // where the block begins, from 1
	query     string
	variables map[string]any
	// fails says that the query is an example of an error.
	fails bool
	// stored and held are how many statements the text promises, with the reference
	// data in the database and in memory.
	stored, held promised
	// answer is nil if the text shows none; it is empty where -update is to write it.
	answer   *string
	answerAt span
}

// promised is how many statements a text promises, -1 if it promises nothing, and
// where.
type promised struct {
	n  int
	at span
}

// span is a part of a text, in bytes.
type span struct{ from, to int }

// change is a new text for a part of a text.
type change struct {
	span
	text string
}

// applied returns the text with the changes.
func applied(text string, changes []change) string {
	slices.SortFunc(changes, func(a, b change) int { return cmp.Compare(b.from, a.from) })
	for _, c := range changes {
		text = text[:c.from] + c.text + text[c.to:]
	}
	return text
}

var (
	promise  = regexp.MustCompile(`^<!-- statements: (\d+), (\d+) with the reference data in memory -->\s*$`)
	curlBody = regexp.MustCompile(`(?s)\bcurl\b.* -d '(\{.*\})'`)
)

// readRecipes finds the queries of a text: the blocks marked graphql, "graphql
// error" where an error is the point, and the bodies that curl sends in blocks
// marked sh. Blocks marked "json variables" and "json answer" belong to the query
// before them. A query marked graphql has a promise before it.
func readRecipes(t *testing.T, text string) []*recipe {
	t.Helper()
	var (
		found    []*recipe
		current  *recipe // to which variables and an answer may still be added
		none     = promised{n: -1}
		stored   = none
		held     = none
		fence    string // the info string of the open block
		open     bool
		begin    int // of the open block's text
		beginsAt int // its line
	)
	offset, number := 0, 0
	for line := range strings.Lines(text) {
		number++
		from := offset
		offset += len(line)
		info, isFence := strings.CutPrefix(strings.TrimRight(line, "\n"), "```")
		switch {
		case isFence && !open:
			open, fence, begin, beginsAt = true, info, offset, number
			continue
		case !isFence || info != "":
			if m := promise.FindStringSubmatchIndex(line); m != nil && !open {
				number := func(i, j int) promised {
					n, _ := strconv.Atoi(line[i:j])
					return promised{n, span{from + i, from + j}}
				}
				stored, held = number(m[2], m[3]), number(m[4], m[5])
			} else if !open && strings.HasPrefix(line, "#") {
				current = nil
			}
			continue
		}
		open = false
		block := text[begin:from]
		switch fence {
		case "graphql", "graphql error":
			if stored == none {
				t.Fatalf("line %d: the query has no <!-- statements: N, M with the reference data in memory --> before it", beginsAt)
			}
			current = &recipe{line: beginsAt, query: block, fails: fence == "graphql error", stored: stored, held: held}
			found = append(found, current)
			stored, held = none, none
		case "sh":
			current = nil
			if m := curlBody.FindStringSubmatch(block); m != nil {
				var body struct {
					Query     string
					Variables map[string]any
				}
				if err := json.Unmarshal([]byte(m[1]), &body); err != nil {
					t.Fatalf("line %d: what curl sends is no JSON: %v", beginsAt, err)
				}
				current = &recipe{line: beginsAt, query: body.Query, variables: body.Variables, stored: none, held: none}
				found = append(found, current)
			}
		case "json variables":
			if current == nil || current.answer != nil {
				t.Fatalf("line %d: no query stands before the variables", beginsAt)
			}
			d := json.NewDecoder(strings.NewReader(block))
			d.UseNumber() // as the server reads them
			if err := d.Decode(&current.variables); err != nil {
				t.Fatalf("line %d: %v", beginsAt, err)
			}
		case "json answer":
			if current == nil || current.answer != nil {
				t.Fatalf("line %d: no query stands before the answer", beginsAt)
			}
			current.answer, current.answerAt = &block, span{begin, from}
		}
	}
	if open || len(found) == 0 {
		t.Fatalf("%d queries, and the last block is open: %t", len(found), open)
	}
	return found
}

// check runs a query and compares, or with -update returns what to change.
func (r *recipe) check(t *testing.T, h *graph.Handler, statements promised) (changes []change) {
	ctx, counter := pg.WithRecorder(t.Context())
	body := h.Execute(ctx, params(r.query, r.variables)).Body
	if failed := len(decode(t, body).Errors) > 0; failed != r.fails {
		t.Errorf("errors: %t, want %t; the answer is\n%s", failed, r.fails, body)
	}
	if n := counter.Statements(); statements.n >= 0 && n != statements.n {
		if *update {
			changes = append(changes, change{statements.at, strconv.Itoa(n)})
		} else {
			t.Errorf("%d statements, want %d; they are\n%s", n, statements.n, strings.Join(counter.SQL(), "\n---\n"))
		}
	}
	if r.answer == nil {
		return changes
	}
	var want any
	if !*update || strings.TrimSpace(*r.answer) != "" {
		want = readOrdered(t, []byte(*r.answer))
	}
	got := show(shorten(readOrdered(t, body), want), 0, 0) + "\n"
	if *update {
		if statements == r.stored { // once
			changes = append(changes, change{r.answerAt, got})
		}
		return changes
	}
	if diff := gocmp.Diff(show(want, 0, 0)+"\n", got); diff != "" {
		t.Errorf("answer (-want +got)\n%s", diff)
	}
	return changes
}

// object is a JSON object whose members keep their order.
type object []member

type member struct {
	name  string
	value any
}

const left = "…" // what is left out of an answer

// shorten leaves out of a value what another leaves out.
func shorten(v, like any) any {
	switch like := like.(type) {
	case string:
		if like == left {
			return left
		}
	case []any:
		l, ok := v.([]any)
		if !ok || len(like) == 0 {
			return v
		}
		if like[len(like)-1] == left && len(l) >= len(like) {
			l = append(l[:len(like)-1:len(like)-1], left)
		}
		for i := range l[:min(len(l), len(like))] {
			l[i] = shorten(l[i], like[i])
		}
		return l
	case object:
		o, ok := v.(object)
		if !ok {
			return v
		}
		for i := range o {
			if j := slices.IndexFunc(like, func(m member) bool { return m.name == o[i].name }); j >= 0 {
				o[i].value = shorten(o[i].value, like[j].value)
			}
		}
	}
	return v
}

// readOrdered decodes JSON and keeps the order of members.
func readOrdered(t *testing.T, text []byte) any {
	t.Helper()
	d := json.NewDecoder(bytes.NewReader(text))
	d.UseNumber()
	token := func() json.Token {
		k, err := d.Token()
		if err != nil {
			t.Fatalf("the answer is no JSON: %v\n%s", err, text)
		}
		return k
	}
	var value func(json.Token) any
	value = func(k json.Token) any {
		switch k {
		case json.Delim('{'):
			o := object{}
			for k := token(); k != json.Delim('}'); k = token() {
				o = append(o, member{k.(string), value(token())})
			}
			return o
		case json.Delim('['):
			l := []any{}
			for k := token(); k != json.Delim(']'); k = token() {
				l = append(l, value(k))
			}
			return l
		}
		return k
	}
	return value(token())
}

// show writes a value in lines of at most 110 characters where that is possible.
// It begins in a column of a line that is indented.
func show(v any, indent, column int) string {
	var parts []string
	brackets := "[]"
	pad := strings.Repeat(" ", indent+2)
	switch v := v.(type) {
	case object:
		brackets = "{}"
		for _, m := range v {
			name := show(m.name, 0, 0) + ": "
			parts = append(parts, name+show(m.value, indent+2, indent+2+len(name)))
		}
	case []any:
		for _, e := range v {
			parts = append(parts, show(e, indent+2, indent+2))
		}
	default:
		var b strings.Builder
		e := json.NewEncoder(&b)
		e.SetEscapeHTML(false)
		if err := e.Encode(v); err != nil {
			panic(err) // tokens of a decoder always encode
		}
		return strings.TrimSuffix(b.String(), "\n")
	}
	flat := brackets[:1] + strings.Join(parts, ", ") + brackets[1:]
	if !strings.Contains(flat, "\n") && column+len([]rune(flat)) <= 108 {
		return flat
	}
	return brackets[:1] + "\n" + pad + strings.Join(parts, ",\n"+pad) + "\n" + pad[2:] + brackets[1:]
}
