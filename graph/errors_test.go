package graph_test

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/collegium/collegium/graph"
	"github.com/collegium/collegium/internal/server"
)

// firstCode returns the code of the first error.
func firstCode(a answer) any {
	if len(a.Errors) == 0 {
		return nil
	}
	return a.Errors[0].Extensions["code"]
}

// TestNothingOfTheDatabaseLeaks breaks the database below a running graph: the
// client learns that something broke, the log what.
func TestNothingOfTheDatabaseLeaks(t *testing.T) {
	t.Parallel()
	for _, plain := range []bool{false, true} {
		db := demoDB(t)
		var logged bytes.Buffer
		h := graphOn(t, db, func(c *graph.Config) {
			c.PlainGqlgen = plain
			c.Log = slog.New(slog.NewJSONHandler(&logged, nil))
		})
		mustExec(t, db, `ALTER VIEW members_public_in_sections RENAME COLUMN starts_on TO begins_on`)
		r := h.Execute(t.Context(), params(`{ regions { slug members(first: 1) { nodes { displayName sections { slug } } } } }`, nil))
		a := decode(t, r.Body)
		if firstCode(a) != graph.Internal || a.Errors[0].Message != "internal error" {
			t.Errorf("errors: %+v", a.Errors)
		}
		for _, secret := range []string{"starts_on", "42703", "SQLSTATE", "members_public", "SELECT", "host"} {
			if strings.Contains(string(r.Body), secret) {
				t.Errorf("the answer tells %q:\n%s", secret, r.Body)
			}
		}
		if at(a.Data, "regions", 0, "slug") != "eastern" {
			t.Errorf("one edge took everything with it: %v", a.Data)
		}
		if !strings.Contains(logged.String(), "starts_on") || !strings.Contains(logged.String(), `"request_id":"test"`) {
			t.Errorf("the log does not tell what broke, or for which request:\n%s", &logged)
		}
	}
}

// TestErrorsStandInTheOrderOfTheDocument wants the same bytes for the same question, however
// its fields, which are resolved side by side, come out.
func TestErrorsStandInTheOrderOfTheDocument(t *testing.T) {
	t.Parallel()
	db := demoDB(t)
	for _, plain := range []bool{false, true} {
		h := graphOn(t, db, func(c *graph.Config) { c.PlainGqlgen = plain })
		var query strings.Builder
		query.WriteString("{ ")
		for i := range 8 {
			fmt.Fprintf(&query, "f%d: members(filter: {region: \"nothing\"}) { totalCount } ", 8-i)
		}
		query.WriteString("regions { slug members(first: 0) { totalCount } } }")
		want := ""
		for range 20 {
			got := string(h.Execute(t.Context(), params(query.String(), nil)).Body)
			if want == "" {
				want = got
			}
			if diff := cmp.Diff(want, got); diff != "" {
				t.Fatalf("asked again\n%s", diff)
			}
		}
		a := decode(t, []byte(want))
		var fields []string
		for _, e := range a.Errors {
			fields = append(fields, fmt.Sprint(e.Path))
		}
		if diff := cmp.Diff([]string{"[f8]", "[f7]", "[f6]", "[f5]", "[f4]", "[f3]", "[f2]", "[f1]", "[regions 0 members]", "[regions 1 members]"}, fields[:min(10, len(fields))]); diff != "" {
			t.Errorf("the errors are of (-want +got)\n%s", diff)
		}
	}
}

// TestDeadline makes a statement wait for a lock until the operation's time is over.
func TestDeadline(t *testing.T) {
	t.Parallel()
	db := demoDB(t)
	h := graphOn(t, db)
	tx, err := db.Begin(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer tx.Rollback(context.Background()) //nolint:errcheck // it only held a lock
	if _, err := tx.Exec(t.Context(), `LOCK TABLE members`); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 300*time.Millisecond)
	defer cancel()
	a := decode(t, h.Execute(ctx, params(`{ regions { slug members { nodes { displayName } } } }`, nil)).Body)
	if firstCode(a) != graph.Timeout {
		t.Errorf("errors: %+v, want %s", a.Errors, graph.Timeout)
	}
	if err := tx.Rollback(t.Context()); err != nil {
		t.Fatal(err)
	}
	// The connection that was cut off is not used again half-way.
	if n := len(list(data(t, h, `{ regions { slug } }`, nil), "regions")); n != 13 {
		t.Errorf("after the deadline: %d regions, want 13", n)
	}
}

// TestBadInput lists what is wrong with a request, with the code and the words.
func TestBadInput(t *testing.T) {
	t.Parallel()
	h := graphOn(t, demoDB(t))
	for name, tt := range map[string]struct {
		query     string
		variables string
		code      string
		message   string
	}{
		"no document":            {``, ``, graph.ValidationFailed, "the document holds no operation; send a query, as {menus{handle}}"},
		"no GraphQL":             {`{ menus { handle `, ``, graph.ParseFailed, ""},
		"a wrong field":          {`{ menus { nothing } }`, ``, graph.ValidationFailed, `Cannot query field "nothing" on type "Menu".`},
		"two operations":         {`query A { menus { handle } } query B { menus { handle } }`, ``, graph.ValidationFailed, "the document holds 2 operations; name one in operationName"},
		"a mutation":             {`mutation { nothing }`, ``, graph.ValidationFailed, ""},
		"a string for an Int":    {`query($n: Int) { members(first: $n) { nodes { id } } }`, `{"n": "5"}`, graph.BadUserInput, ""},
		"too large an Int":       {`query($n: Int) { menu(handle: "main") { items(maxDepth: $n) { id } } }`, `{"n": 99999999999}`, graph.BadUserInput, ""},
		"a variable missing":     {`query($s: String!) { region(slug: $s) { id } }`, ``, graph.BadUserInput, ""},
		"a wrong enum value":     {`query($n: Nation) { regions(nation: $n) { id } }`, `{"n": "FRANCE"}`, graph.BadUserInput, ""},
		"a wrong date":           {`{ region(slug: "london") { memberCount(asOf: "31/05/2024") } }`, ``, graph.BadUserInput, `"31/05/2024" is not a day; pass a Date, as "2024-05-31"`},
		"a wrong date, sent":     {`query($d: Date) { region(slug: "london") { memberCount(asOf: $d) } }`, `{"d": 5}`, graph.BadUserInput, ""},
		"first and last":         {`{ members(first: 1, last: 1) { nodes { id } } }`, ``, graph.BadUserInput, "last: pass first or last, not both"},
		"too many IDs":           {`query($ids: [ID!]!) { nodes(ids: $ids) { id } }`, `{"ids": [` + strings.TrimSuffix(strings.Repeat(`"a",`, 101), ",") + `]}`, graph.BadUserInput, "ids: 101 IDs are too many; pass at most 100"},
		"a number for a String":  {`query($s: String!) { region(slug: $s) { id } }`, `{"s": 5}`, graph.BadUserInput, "$s: 5 is not a String; pass a string"},
		"NUL in a variable":      {`query($s: String!) { region(slug: $s) { id } }`, `{"s": "a\u0000b"}`, graph.BadUserInput, `$s: "a\x00b" holds the character U+0000; leave it out`},
		"NUL in a literal":       {`{ menu(handle: "a\u0000b") { id } }`, ``, graph.BadUserInput, `"a\x00b" holds the character U+0000; leave it out`},
		"NUL in a cursor":        {`{ documents(after: "WyJhXHUwMDAwYiIsIjAwMDAwMDAwLTAwMDAtNDAwMC04MDAwLTAwMDAwMDAwMDAwMSJd") { nodes { id } } }`, ``, graph.BadUserInput, ""},
		"a field that is none":   {`query($f: MemberFilter) { members(filter: $f) { nodes { id } } }`, `{"f": {"regionn": "london"}}`, graph.BadUserInput, `$f has a field "regionn", which MemberFilter has not; it has region, section, grade, text, specialism, language, near`},
		"an input of wrong type": {`query($f: MemberFilter) { members(filter: $f) { nodes { id } } }`, `{"f": ["london"]}`, graph.BadUserInput, "$f is a list; it must be an object with the fields of MemberFilter"},
		"a wrong enum, told":     {`query($n: Nation) { regions(nation: $n) { id } }`, `{"n": "FRANCE"}`, graph.BadUserInput, `$n is "FRANCE"; it must be one of ENGLAND, SCOTLAND, WALES, NORTHERN_IRELAND`},
		"null for a condition":   {`query($b: Boolean = true) { menus @skip(if: $b) { handle } }`, `{"b": null}`, graph.BadUserInput, "the variable $b is null; it must be true or false, since @skip or @include asks it"},
		"null below a root":      {`query($b: Boolean = true) { menus { handle @include(if: $b) } }`, `{"b": null}`, graph.BadUserInput, "the variable $b is null; it must be true or false, since @skip or @include asks it"},
		"an empty search":        {`{ search(query: "  ") { totalCount } }`, ``, graph.BadUserInput, ""},
		"too deep":               {`{ a: ` + strings.Repeat(`page(path: "/") { parent `, 1) + strings.Repeat(`{ parent `, 16) + `{ id }` + strings.Repeat(` }`, 17) + ` }`, ``, graph.ValidationFailed, ""},
		"too dear":               {`{ regions { members(first: 100) { nodes { sections { members(first: 100) { nodes { id region { id } } } } } } } }`, ``, graph.CostExceeded, ""},
		"too many errors fold":   {`{ ` + strings.Repeat(`nothing `, 60) + ` }`, ``, graph.ValidationFailed, ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var variables map[string]any
			if tt.variables != "" {
				d := json.NewDecoder(strings.NewReader(tt.variables))
				d.UseNumber()
				if err := d.Decode(&variables); err != nil {
					t.Fatal(err)
				}
			}
			r := h.Execute(t.Context(), params(tt.query, variables))
			a := decode(t, r.Body)
			if firstCode(a) != tt.code {
				t.Errorf("code %v, want %s: %s", firstCode(a), tt.code, r.Body)
			}
			if tt.message != "" && len(a.Errors) > 0 && a.Errors[0].Message != tt.message {
				t.Errorf("message (-want +got)\n%s", cmp.Diff(tt.message, a.Errors[0].Message))
			}
			if len(a.Errors) > 21 {
				t.Errorf("%d errors in one answer", len(a.Errors))
			}
			if a.Data == nil && bytes.Contains(r.Body, []byte(`"data"`)) != (r.Outcome == server.Executed) {
				t.Errorf("data stands in the answer of an operation that did not run: %s", r.Body)
			}
		})
	}
}

// TestWrongVariablesRunNothing refuses a request whose variables are wrong as a
// whole: nothing of it runs.
func TestWrongVariablesRunNothing(t *testing.T) {
	t.Parallel()
	h := graphOn(t, demoDB(t))
	r := h.Execute(t.Context(), params(`query($n: Int) { organisation { name } members(first: $n) { nodes { id } } }`, map[string]any{"n": "5"}))
	if r.Outcome != server.Invalid || bytes.Contains(r.Body, []byte(`"data"`)) {
		t.Errorf("outcome %v, body %s", r.Outcome, r.Body)
	}
}

// TestErrorsAreBounded asks for the same wrong thing of many parents.
func TestErrorsAreBounded(t *testing.T) {
	t.Parallel()
	h := graphOn(t, demoDB(t))
	r := h.Execute(t.Context(), params(`{ committees { posts { committee { unit { ... on Region { members(first: 0) { nodes { id } } } ... on SpecialistSection { members(first: 0) { nodes { id } } } } } } } }`, nil))
	a := decode(t, r.Body)
	if len(a.Errors) != 21 || !strings.HasSuffix(a.Errors[20].Message, "more errors are left out") {
		t.Errorf("%d errors, want 20 and a line that counts the rest", len(a.Errors))
	}
	if len(r.Body) > 16<<10 {
		t.Errorf("the answer has %d bytes", len(r.Body))
	}
}

// TestAnswersAreBounded asks for more than an answer may hold: the field that asks
// for it fails, and what stands beside it is answered.
func TestAnswersAreBounded(t *testing.T) {
	t.Parallel()
	db := demoDB(t)
	const query = `{ organisation { shortName } menu(handle: "main") { items { id children { id label href } alsoAt { id } } } }`
	for name, bound := range map[string]func(*graph.Config){
		"bytes":   func(c *graph.Config) { c.AnswerBytes = 10_000 },
		"objects": func(c *graph.Config) { c.AnswerObjects = 500 },
	} {
		h := graphOn(t, db, bound)
		// The bounds are checked every 1,024 objects; the tree is asked for more than that.
		a := ask(t, h, strings.Replace(query, "children { id label href }", "children { id label href children { id label href parent { label } } } ancestors { id label }", 1), nil)
		if firstCode(a) != graph.CostExceeded || at(a.Data, "menu") != nil {
			t.Errorf("%s: %+v", name, a.Errors)
		}
		if at(a.Data, "organisation", "shortName") != "RCOT" {
			t.Errorf("%s: what stands beside it is lost: %v", name, a.Data)
		}
	}
}

// TestRateLimited answers without running when the allowance is used up.
func TestRateLimited(t *testing.T) {
	t.Parallel()
	h := graphOn(t, demoDB(t))
	p := params(`{ regions { slug } }`, nil)
	p.Charge = func(points int) (server.Allowance, bool) {
		return server.Allowance{Limit: 10, Remaining: 3, ResetAt: time.Now().Add(time.Minute)}, false
	}
	r := h.Execute(t.Context(), p)
	if r.Outcome != server.RateLimited || firstCode(decode(t, r.Body)) != graph.RateLimited || r.RetryAfter <= 0 {
		t.Errorf("outcome %v, body %s, retry after %v", r.Outcome, r.Body, r.RetryAfter)
	}
}

// TestGone says that a page was taken away, wherever it was asked for.
func TestGone(t *testing.T) {
	t.Parallel()
	db := demoDB(t)
	mustExec(t, db, `INSERT INTO routes (path, kind, reason) VALUES ('/an-old-campaign', 'GONE', 'The campaign has ended.')`)
	mustExec(t, db, `UPDATE entries SET status = 'GONE' WHERE slug = 'dipcot'`)
	mustExec(t, db, `INSERT INTO routes (path, kind, url) VALUES ('/the-journal', 'REDIRECT', 'https://journal.example.org/')`)
	h := graphOn(t, db)
	for path, want := range map[string]map[string]any{
		"/an-old-campaign":             {"__typename": "GoneRoute", "path": "/an-old-campaign", "reason": "The campaign has ended."},
		"/about-us/our-history/dipcot": {"__typename": "GoneRoute", "path": "/about-us/our-history/dipcot", "reason": nil},
		"/THE-JOURNAL/":                {"__typename": "RedirectRoute", "path": "/the-journal", "location": "https://journal.example.org/"},
	} {
		got := data(t, h, fmt.Sprintf(`{ route(path: %q) { __typename ... on GoneRoute { path reason } ... on RedirectRoute { path location } } }`, path), nil)
		if diff := cmp.Diff(want, got["route"]); diff != "" {
			t.Errorf("%s (-want +got)\n%s", path, diff)
		}
	}
	menu := data(t, h, `{ menu(handle: "main") { itemCount } }`, nil)
	if at(menu, "menu", "itemCount") != 311.0 {
		t.Errorf("the item of a page that is gone still stands: %v", menu)
	}
}
