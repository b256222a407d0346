package server

import (
	"bytes"
	"context"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"
)

// recalled is a server whose every operation is answered from memory.
func recalled(t *testing.T, p *Public) *bench {
	return newBench(t, func(c *Config, d *Deps) {
		d.Recall = func(context.Context, *Params) (Result, bool) {
			return Result{Body: p.Body(), Public: p, From: FromMemory, Operation: "Kept", OperationType: "query", Cost: 1}, true
		}
		c.MaxInFlight, c.MaxQueued = 1, 0
	})
}

// Headers that name what an answer rests on are no longer than what a CDN takes.
func TestSurrogateKeysAreBounded(t *testing.T) {
	t.Parallel()
	var keys []string
	for range 500 {
		keys = append(keys, "a_table")
	}
	b := recalled(t, NewPublic([]byte(`{"data":{}}`), 0, keys))
	got := b.do(httptest.NewRequest(http.MethodGet, "/graphql?query={a}", nil)).Header().Get("Surrogate-Key")
	if len(got) > maxSurrogateKeys || len(got) < maxSurrogateKeys-10 || !strings.HasSuffix(got, " a_table") {
		t.Errorf("%d bytes: …%s", len(got), got[max(0, len(got)-20):])
	}
	none := recalled(t, NewPublic([]byte(`{"data":{}}`), 0, nil))
	if _, there := none.do(httptest.NewRequest(http.MethodGet, "/graphql?query={a}", nil)).Header()["Surrogate-Key"]; there {
		t.Error("an answer that rests on nothing has a Surrogate-Key")
	}
}

// A field can shorten the time for which an answer may be kept, and can't lengthen it.
func TestMaxAge(t *testing.T) {
	t.Parallel()
	for age, want := range map[int]string{0: "max-age=5,", 2: "max-age=2,", 60: "max-age=5,"} {
		b := recalled(t, NewPublic([]byte(`{"data":{}}`), time.Duration(age)*time.Second, nil))
		if got := b.do(httptest.NewRequest(http.MethodGet, "/graphql?query={a}", nil)).Header().Get("Cache-Control"); !strings.Contains(got, want) {
			t.Errorf("with maxAge %d: %s, want %s", age, got, want)
		}
	}
}

// An answer from memory waits for no turn, and is counted and logged as an operation, at debug.
func TestAnswersFromMemoryTakeNoTurn(t *testing.T) {
	t.Parallel()
	b := recalled(t, NewPublic([]byte(`{"data":{}}`), 0, nil))
	if err := b.gate.enter(t.Context()); err != nil {
		t.Fatal(err)
	}
	defer b.gate.leave()
	if w := b.do(post(`{"query":"{a}"}`, "")); w.Code != http.StatusOK {
		t.Errorf("status %d while all turns are taken, want 200", w.Code)
	}
	if metrics := b.do(httptest.NewRequest(http.MethodGet, "/metrics", nil)).Body.String(); !strings.Contains(metrics,
		`collegium_operations_total{operation="Kept",outcome="executed",type="query"} 1`) {
		t.Error("the operation isn't counted")
	}
	for _, line := range b.lines(t, "request") {
		if line["level"] != "DEBUG" {
			t.Errorf("log: %v, want it at debug", line)
		}
	}
}

// A body is compressed only if that halves it, once, and under any header with gzip in it.
func TestCompress(t *testing.T) {
	t.Parallel()
	noise := bytes.Clone([]byte(newRequestID()))
	for len(noise) < 4*smallest {
		noise = append(noise, newRequestID()...)
	}
	for name, tt := range map[string]struct {
		body []byte
		want bool
	}{
		"short": {bytes.Repeat([]byte("a"), smallest-1), false},
		"long":  {bytes.Repeat([]byte("a"), smallest), true},
		"noise": {noise, false},
	} {
		b := recalled(t, NewPublic(tt.body, 0, nil))
		r := post(`{"query":"{a}"}`, "")
		r.Header["Accept-Encoding"] = []string{"br", "gzip"}
		w := b.do(r)
		if got := w.Header().Get("Content-Encoding") == "gzip"; got != tt.want || !tt.want && !bytes.Equal(w.Body.Bytes(), tt.body) {
			t.Errorf("%s: compressed %v, want %v", name, got, tt.want)
		}
	}
}
