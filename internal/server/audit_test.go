package server

import (
	"encoding/json"
	"mime"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"unicode/utf8"
)

// TestReferenceAudit asks what the reference audit of GraphQL over HTTP asks (serverAudits of the npm package
// graphql-http 1.23.1), under the audit's own ids: each MUST, each SHOULD and each MAY.
func TestReferenceAudit(t *testing.T) {
	t.Parallel()
	const (
		typename = `{ __typename }`
		unset    = "-"
	)
	raw := func(body string) func(string) *http.Request {
		return func(accept string) *http.Request { return post(body, accept) }
	}
	// with is a request for the type name that has one more member.
	with := func(name, value string) func(string) *http.Request {
		return raw(`{"query":"{ __typename }","` + name + `":` + value + `}`)
	}
	get := func(params url.Values) func(string) *http.Request {
		return func(accept string) *http.Request {
			r := httptest.NewRequest(http.MethodGet, "/graphql?"+params.Encode(), nil)
			if accept != "" {
				r.Header.Set("Accept", accept)
			}
			return r
		}
	}
	header := func(body, contentType string) func(string) *http.Request {
		return func(accept string) *http.Request {
			r := post(body, accept)
			if contentType == unset {
				r.Header.Del("Content-Type")
			} else {
				r.Header.Set("Content-Type", contentType)
			}
			return r
		}
	}
	object := func(query string, rest string) string {
		q, _ := json.Marshal(query)
		return `{"query":` + string(q) + rest + `}`
	}
	variables := object(`query Greet($name: String!) { hello(name: $name) }`, `,"variables":{"name":"Ada"}`)
	coercion := object(`query CoerceFailure($id: ID!){ __typename }`, `,"variables":{"id":null}`)

	type audit struct {
		id      string
		request func(accept string) *http.Request
		accept  string
		status  int
		media   string // of the answer; empty is not asked
		clean   bool   // no errors
		noData  bool
	}
	audits := []audit{
		{id: "22EB", request: raw(object(typename, "")), accept: mediaGraphQL, status: 200, media: mediaGraphQL},
		{id: "4655", request: raw(object(typename, "")), accept: mediaJSON, status: 200, media: mediaJSON},
		{id: "47DE", request: raw(object(typename, "")), accept: "*/*", status: 200, media: mediaJSON},
		{id: "80D8", request: raw(object(typename, "")), status: 200, media: mediaJSON},
		{id: "82A3", request: raw(object(typename, "")), status: 200},
		{id: "BF61", request: header(object(`{ hello(name: "Run🏃Swim🏊") }`, ""), "application/json; charset=utf-8"), status: 200, clean: true},
		{id: "78D5", request: raw(object(typename, "")), status: 200},
		{id: "2C94", request: raw(object(typename, "")), status: 200},
		{id: "5A70", request: get(url.Values{"query": {typename}}), accept: "*/*", status: 200},
		{id: "9C48", request: get(url.Values{"query": {"mutation { __typename }"}}), accept: mediaGraphQL, status: 405},
		{id: "9ABE", request: header(object(typename, ""), "text/plain;charset=UTF-8"), status: 415},
		{id: "9ABE none", request: header(object(typename, ""), unset), status: 415},
		{id: "03D4", request: raw(object(typename, "")), status: 200},
		{id: "A5BF", request: raw(""), status: 400},
		{id: "423L", request: raw(`{"notquery":"{ __typename }"}`), accept: mediaGraphQL, status: 400, noData: true},
		{id: "34A2", request: raw(object(typename, "")), accept: mediaGraphQL, status: 200},
		{id: "13EE", request: raw(object(typename, "")), accept: mediaJSON, status: 200, clean: true},
		{id: "8161", request: raw(`{"operationName":"Q","query":"query Q { __typename }"}`), accept: mediaGraphQL, status: 200},
		{id: "B8B3", request: raw(`{"operationName":"Q","query":"query Q { __typename }"}`), accept: mediaJSON, status: 200, clean: true},
		{id: "2EA1", request: raw(variables), accept: mediaGraphQL, status: 200, clean: true},
		{id: "28B9", request: raw(variables), accept: mediaJSON, status: 200, clean: true},
		{id: "428F", request: with("extensions", `{"some":"value"}`), accept: mediaGraphQL, status: 200},
		{id: "1B7A", request: with("extensions", `{"some":"value"}`), accept: mediaJSON, status: 200, clean: true},
		{id: "B6DC, BCF8", request: raw(`{ "not a JSON`), accept: mediaJSON, status: 400},
		{id: "B7N8", request: raw(`{ "not a JSON`), accept: mediaGraphQL, status: 400, noData: true},
		{id: "8764, 3E3A", request: raw(`{"qeury":"{ __typename }"}`), status: 400},
		{id: "572B", request: raw(object("{", "")), accept: mediaJSON, status: 200, noData: true},
		{id: "FDE2", request: raw(object("{ f31403dfe }", "")), accept: mediaJSON, status: 200, noData: true},
		{id: "7B9B", request: raw(coercion), accept: mediaJSON, status: 200, noData: true},
		{id: "865D, 556A, D586", request: raw(object("{", "")), accept: mediaGraphQL, status: 400, media: mediaGraphQL, noData: true},
		{id: "51FE, 74FF, 5E5B", request: raw(object("{ f31403dfe }", "")), accept: mediaGraphQL, status: 400, noData: true},
		{id: "86EE", request: raw(coercion), accept: mediaGraphQL, status: 400, noData: true},
	}
	for _, wrong := range []string{`{"obj":"ect"}`, `0`, `false`, `["array"]`} {
		audits = append(
			audits,
			audit{id: "LKJ query " + wrong, request: raw(`{"query":` + wrong + `}`), status: 400, noData: true},
			audit{id: "6C0 operationName " + wrong, request: with("operationName", wrong), status: 400, noData: true},
		)
	}
	for _, wrong := range []string{`"string"`, `0`, `false`, `["array"]`} {
		audits = append(
			audits,
			audit{id: "476 variables " + wrong, request: with("variables", wrong), status: 400, noData: true},
			audit{id: "58B extensions " + wrong, request: with("extensions", wrong), status: 400, noData: true},
		)
	}
	for _, name := range []string{"variables", "operationName", "extensions"} {
		audits = append(
			audits,
			audit{id: "94B " + name, request: with(name, "null"), accept: mediaGraphQL, status: 200, clean: true},
			audit{id: "022 " + name, request: with(name, "null"), accept: mediaJSON, status: 200, clean: true},
		)
	}
	byURL := url.Values{"query": {"query Greet($name: String!) { hello(name: $name) }"}, "variables": {`{"name":"Ada"}`}}
	audits = append(
		audits,
		audit{id: "D6D5", request: get(byURL), accept: mediaGraphQL, status: 200, clean: true},
		audit{id: "6A70", request: get(byURL), accept: mediaJSON, status: 200, clean: true},
	)

	b := newBench(t, nil)
	for _, a := range audits {
		t.Run(strings.ReplaceAll(a.id, " ", "_"), func(t *testing.T) {
			w := b.do(a.request(a.accept))
			if w.Code != a.status {
				t.Errorf("status %d, want %d: %s", w.Code, a.status, w.Body)
			}
			media, params, err := mime.ParseMediaType(w.Header().Get("Content-Type"))
			if err != nil || !strings.EqualFold(params["charset"], "utf-8") {
				t.Errorf("Content-Type %q, want one with charset=utf-8", w.Header().Get("Content-Type"))
			}
			if a.media != "" && media != a.media {
				t.Errorf("media type %s, want %s", media, a.media)
			}
			if !utf8.Valid(w.Body.Bytes()) {
				t.Error("the body isn't UTF-8")
			}
			res := decode(t, w.Body.Bytes())
			if a.clean && len(res.Errors) > 0 {
				t.Errorf("errors: %s", w.Body)
			}
			if a.noData && strings.Contains(w.Body.String(), `"data"`) {
				t.Errorf("an answer without data must not have the entry: %s", w.Body)
			}
			if a.noData && len(res.Errors) == 0 {
				t.Errorf("no errors: %s", w.Body)
			}
		})
	}
}
