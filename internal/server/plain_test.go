package server

import (
	"testing"

	"github.com/google/go-cmp/cmp"
)

// FuzzBody asserts that the short way to read a body reads what the long way reads, or leaves it alone.
func FuzzBody(f *testing.F) {
	for _, body := range []string{
		`{"query":"{ hello }"}`,
		` { "query" : "query Q($a: Int) {\n\thello(a: \"\\u\" )\/\b\f\r }" , "operationName" : "Q", "variables" : {"a":1.50,"b":{"c":["}"]}} } `,
		`{"query":"{ hello }","operationName":null,"variables":null,"extensions":null}`,
		`{"documentId":"sha256:1","variables":{}}`,
		`{"extensions":{"persistedQuery":{"version":1,"sha256Hash":"00"}}}`,
		`{"query":"{ hello }","extensions":{"a":1}} `,
		`{"query":"é🏃"}`, `{"query":"\u00e9"}`, `{"qu\u0065ry":"{a}"}`, `{"query":"{a}","query":"{b}"}`,
		`{"query":null}`, `{"query":""}`, `{}`, `[]`, ``, `{"query":"{a}"}x`, `{"query":"{a}",}`, `{"query":"{a}" "x":1}`,
		`{"query":"{a}","variables":{"a":1,}}`, `{"query":"{a}","variables":{"a":"\x"}}`, `{"query":"{a}","variables":[1]}`,
		`{"query":"{a}","variables":{"a":01}}`, `{"query":"{a}","variables":{"a":{"b":"\"}"}}}`, "{\"query\":\"a\nb\"}", "{\"query\":\"\xff\"}",
		`{"query":"\q"}`, `{"query":"\`, `{"query":"a`, `{"query"`, `{"query":"{a}","variables":{`, `{"query":"{a}","other":{"a":1}}`,
	} {
		f.Add([]byte(body))
	}
	f.Fuzz(func(t *testing.T, body []byte) {
		got, ok := parsePlainBody(body)
		if !ok {
			return
		}
		got.decodeVariables()
		want, no := parseAnyBody(body)
		if no != nil {
			t.Fatalf("%q is refused: %s", body, no.message)
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%q (-long +short):\n%s", body, diff)
		}
	})
}

// FuzzURL asserts the same of the query string of a GET.
func FuzzURL(f *testing.F) {
	for _, query := range []string{
		"query=%7Bhello%7D", "query={a}&variables=%7B%22a%22:1%7D&operationName=Q", "query=a+b&variables=null&extensions=", "query=a&query=b",
		"documentId=x", "extensions=%7B%22persistedQuery%22:%7B%22version%22:1%7D%7D", "query=%zz", "query=a;b", "query=%ff", "utm=1&query=a",
		"query", "query=", "", "&query=a&", "variables={}&query=a", "variables=%5B%5D&query=a", "variables=+%7B%7D&query=a", "variables={}x&query=a",
		"extensions=1&query=a", "%71uery=a", "query=a&variables=",
	} {
		f.Add(query)
	}
	f.Fuzz(func(t *testing.T, query string) {
		got, ok := parsePlainURL(query)
		if !ok {
			return
		}
		got.decodeVariables()
		want, no := parseAnyURL(query)
		if no != nil {
			t.Fatalf("%q is refused: %s", query, no.message)
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%q (-long +short):\n%s", query, diff)
		}
	})
}

// What clients really send goes the short way.
func TestPlainRequestsAreReadTheShortWay(t *testing.T) {
	t.Parallel()
	for _, body := range []string{
		`{"query":"query Menu {\n  menu(handle: \"main\") { title }\n}"}`,
		`{"operationName":"Menu","variables":{"handle":"main"},"query":"query Menu($handle: String!) { menu(handle: $handle) { title } }"}`,
		`{"operationName":null,"variables":{},"extensions":{"persistedQuery":{"version":1,"sha256Hash":"00"}}}`,
	} {
		if _, ok := parsePlainBody([]byte(body)); !ok {
			t.Errorf("%s goes the long way", body)
		}
	}
	for _, query := range []string{
		"query=query+Menu%7Bmenu(handle:%22main%22)%7Btitle%7D%7D&operationName=Menu&variables=%7B%7D",
		"extensions=%7B%22persistedQuery%22%3A%7B%22version%22%3A1%2C%22sha256Hash%22%3A%2200%22%7D%7D",
	} {
		if _, ok := parsePlainURL(query); !ok {
			t.Errorf("%s goes the long way", query)
		}
	}
}

func TestMemoIsBounded(t *testing.T) {
	t.Parallel()
	asked := 0
	m := newMemo(func(n int) int { asked++; return n + 1 })
	for n := range 3 * maxRemembered {
		if got := m.get(n); got != n+1 || m.get(n) != n+1 {
			t.Fatalf("%d for %d", got, n)
		}
	}
	if asked != 3*maxRemembered || len(m.known) > maxRemembered {
		t.Errorf("asked %d times, %d remembered; want %d and at most %d", asked, len(m.known), 3*maxRemembered, maxRemembered)
	}
}
