package main

import (
	"bufio"
	"math"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
)

func TestMedian(t *testing.T) {
	t.Parallel()
	nan := math.NaN()
	for _, tt := range []struct {
		in   []float64
		want float64
	}{
		{nil, nan},
		{[]float64{nan}, nan},
		{[]float64{3}, 3},
		{[]float64{3, 1}, 2},
		{[]float64{9, 1, 3}, 3},
		{[]float64{9, nan, 1, 3}, 3},
		{[]float64{4, 1, 3, 2}, 2.5},
	} {
		if diff := cmp.Diff(tt.want, median(tt.in), cmpopts.EquateNaNs()); diff != "" {
			t.Errorf("median of %v (-want +got):\n%s", tt.in, diff)
		}
	}
}

func TestPercentile(t *testing.T) {
	t.Parallel()
	hundred := make([]int, 100)
	for i := range hundred {
		hundred[i] = i + 1
	}
	for _, tt := range []struct {
		in   []int
		p    float64
		want int
	}{
		{nil, 50, 0},
		{[]int{7}, 0, 7},
		{[]int{7}, 99, 7},
		{[]int{1, 2}, 50, 1},
		{[]int{1, 2, 3}, 50, 2},
		{hundred, 50, 50},
		{hundred, 99, 99},
		{hundred, 99.5, 100},
		{hundred, 100, 100},
	} {
		if got := percentile(tt.in, tt.p); got != tt.want {
			t.Errorf("percentile %g of %d values is %d, want %d", tt.p, len(tt.in), got, tt.want)
		}
	}
}

func TestSpread(t *testing.T) {
	t.Parallel()
	if got := spread([]float64{100, 121, 110}); math.Abs(got-0.21) > 1e-9 {
		t.Errorf("spread %g, want 0.21", got)
	}
	for _, in := range [][]float64{nil, {5}, {0, 5}} {
		if got := spread(in); !math.IsNaN(got) {
			t.Errorf("spread of %v is %g, want none", in, got)
		}
	}
}

func TestRatio(t *testing.T) {
	t.Parallel()
	m := func(contestant string, round int, n float64) measurement {
		return measurement{Question: "Q1", Contestant: contestant, Round: round, PerSecond: n}
	}
	// The machine was twice as slow in round 1: the ratio within rounds does not
	// see it, the ratio of medians would.
	all := []measurement{
		m(ours, 0, 200), m(sql, 0, 100),
		m(ours, 1, 100), m(sql, 1, 50),
		m(ours, 2, 300), m(sql, 2, 100),
		m(ours, 3, 1000), // sql is missing
		m(ours, 4, 1000), m(sql, 4, 0),
		{Question: "Q2", Contestant: sql, Round: 0, PerSecond: 1},
	}
	if got := ratio(all, asking{"Q1", ours}, asking{"Q1", sql}, perSecond); got != 2 {
		t.Errorf("ratio %g, want 2", got)
	}
	if got := ratio(all, asking{"Q2", ours}, asking{"Q2", sql}, perSecond); !math.IsNaN(got) {
		t.Errorf("ratio of what was not measured is %g, want none", got)
	}
}

func TestShort(t *testing.T) {
	t.Parallel()
	for in, want := range map[float64]string{
		math.NaN(): "–", 0: "0", 7: "7", 0.256: "0.26", 12.34: "12.3", 123.4: "123", 1234.5: "1,235", 45067: "45,067", 1e6: "1,000,000", 10: "10",
	} {
		if got := short(in); got != want {
			t.Errorf("short(%g) is %q, want %q", in, got, want)
		}
	}
}

func TestNumberIsNullIfUnknown(t *testing.T) {
	t.Parallel()
	got, err := encode([]number{1.5, number(math.NaN())})
	if err != nil || got != "[\n\t1.5,\n\tnull\n]\n" {
		t.Errorf("%q, %v", got, err)
	}
}

func TestSameData(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct{ a, b, want string }{
		{`{"data":{"x":[1,{"y":null}]}}`, `{"data":{"x":[1,{"y":null}]}}`, ""},
		{`{"data":{"x":1,"y":2}}`, `{"data" : {"y": 2,"x" :1}}`, ""},
		{`{"data":{"x":1}}`, `{"data":{"x":1.0}}`, "data.x is 1 in the first answer and 1.0 in the second"},
		{`{"data":{"x":[1,2]}}`, `{"data":{"x":[1]}}`, "data.x has 2 elements in the first answer and 1 in the second"},
		{`{"data":{"x":[1,2]}}`, `{"data":{"x":[2,1]}}`, "data.x[0] is 1 in the first answer and 2 in the second"},
		{`{"data":{"x":{"y":1}}}`, `{"data":{"x":{}}}`, "data.x.y is only in the first answer"},
		{`{"data":{"x":{}}}`, `{"data":{"x":{"y":1}}}`, "data.x.y is only in the second answer"},
		{`{"data":{"x":[]}}`, `{"data":{"x":null}}`, "data.x is [] in the first answer and <nil> in the second"},
		{`{"data":{"x":null}}`, `{"errors":[{"message":"no"}],"data":{"x":null}}`, `the answer has errors: [{"message":"no"}]`},
		{`{"data":null}`, `{"data":null}`, `"{\"data\":null}" has no data`},
		{`{"data":{}}`, `oops`, `"oops" is no answer: invalid character 'o' looking for beginning of value`},
	} {
		got := ""
		if err := sameData([]byte(tt.a), []byte(tt.b)); err != nil {
			got = err.Error()
		}
		if got != tt.want {
			t.Errorf("%s and %s: %q, want %q", tt.a, tt.b, got, tt.want)
		}
	}
}

func TestNotEmpty(t *testing.T) {
	t.Parallel()
	if err := notEmpty([]byte(`{"data":{"menu":{}}}`)); err != nil {
		t.Error(err)
	}
	if err := notEmpty([]byte(`{"data":{"menu":null}}`)); err == nil {
		t.Error("an answer without a menu passes")
	}
}

func TestReadAnswer(t *testing.T) {
	t.Parallel()
	const length = "HTTP/1.1 200 OK\r\ncontent-length: 5\r\nX: y\r\n\r\nhello"
	const chunks = "HTTP/1.1 503 Service Unavailable\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nhel\r\n2\r\nlo\r\n0\r\n\r\n"
	in := bufio.NewReader(strings.NewReader(length + chunks + length))
	for _, want := range []int{200, 503, 200} {
		status, body, err := readAnswer(in, nil)
		if err != nil || status != want || string(body) != "hello" {
			t.Errorf("status %d, body %q, error %v, want %d with hello", status, body, err, want)
		}
	}
	for text, want := range map[string]string{
		"SSH-2.0-OpenSSH\r\n\r\n":                                     "is not the beginning of an answer",
		"HTTP/1.1 2x0 OK\r\n\r\n":                                     "the status of an answer",
		"HTTP/1.1 200 OK\r\n\r\n":                                     "neither a length nor chunks",
		"HTTP/1.1 200 OK\r\nContent-Length: x\r\n\r\n":                "the length of an answer",
		"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nshort":           "unexpected EOF",
		"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n": "the size of a chunk",
	} {
		if _, _, err := readAnswer(bufio.NewReader(strings.NewReader(text)), nil); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: error %v, want one that says %q", text, err, want)
		}
	}
}

func TestProc(t *testing.T) {
	t.Parallel()
	got, err := parseStat([]byte("4711 (a) (b c)) S 4242 6850 2168 0 -1 4194304 101 0 0 0 150 50 7 3 20 0 1 0 618161 0\n"))
	want := procStat{parent: 4242, own: 2 * time.Second, reaped: 100 * time.Millisecond}
	if err != nil || got != want {
		t.Errorf("%+v, %v, want %+v", got, err, want)
	}
	for _, bad := range []string{"", "4711 (a) S 1", "4711 (a) S x 6850 2168 0 -1 4194304 101 0 0 0 150 50 7 3 20"} {
		if _, err := parseStat([]byte(bad)); err == nil {
			t.Errorf("%q passes", bad)
		}
	}
	if got := parseRSS("Name:\tx\nVmRSS:\t    2048 kB\nThreads:\t1\n"); got != 2<<20 {
		t.Errorf("RSS %g, want %d", got, 2<<20)
	}
	if got, err := parseWaited("889753 4099894 2\n"); err != nil || got != 4099894 {
		t.Errorf("waited %v, error %v; want 4099894", got, err)
	}
	if got := parseRSS("Name:\tx\n"); !math.IsNaN(got) {
		t.Errorf("RSS %g, want none", got)
	}
}

func TestSlope(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		x, y []float64
		want float64
	}{
		{nil, nil, 0},
		{[]float64{1}, []float64{5}, 0},
		{[]float64{1, 2, 3}, []float64{4, 4, 4}, 0},
		{[]float64{1, 2, 3}, []float64{2, 4, 6}, 2},
		{[]float64{0, 1, 2, 3}, []float64{3, 1, 3, 1}, -0.4},
	} {
		if got := slope(tt.x, tt.y); math.Abs(got-tt.want) > 1e-9 {
			t.Errorf("slope of %v over %v is %v, want %v", tt.y, tt.x, got, tt.want)
		}
	}
}
