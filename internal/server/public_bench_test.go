package server

import (
	"bufio"
	"bytes"
	"context"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"os"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"
)

// BenchmarkPublic asks over connections that are kept: the server with an answer that is kept, beside a handler that
// writes the same bytes and one that says hello. Compare what they need, of time and of memory.
func BenchmarkPublic(b *testing.B) {
	body := []byte(`{"data":{"menu":{"items":[` + strings.Repeat(`{"label":"A page of the site","href":"/a/page/of/the/site"},`, 200) + `null]}}}`)
	kept := NewPublic(body, 0, []string{"entries", "menu_items", "menus", "routes"})
	null, err := os.OpenFile(os.DevNull, os.O_WRONLY, 0)
	if err != nil {
		b.Fatal(err)
	}
	cfg := Defaults()
	cfg.RatePoints = 0
	srv, err := New(cfg, Deps{
		Execute: execute(Result{}),
		Recall: func(context.Context, *Params) (Result, bool) {
			return Result{Body: body, Public: kept, From: FromMemory, Operation: "Menu", OperationType: "query"}, true
		},
		Schema: "type Query { hello: String }", Ready: func(context.Context) error { return nil },
		Log: slog.New(slog.NewJSONHandler(null, nil)),
	})
	if err != nil {
		b.Fatal(err)
	}
	write := func(answer string) http.HandlerFunc {
		body := []byte(answer)
		return func(w http.ResponseWriter, r *http.Request) {
			if _, err := io.ReadAll(r.Body); err != nil {
				panic(err)
			}
			w.Header().Set("Content-Type", "application/json")
			w.Header().Set("Content-Length", strconv.Itoa(len(body)))
			_, _ = w.Write(body)
		}
	}
	query := `{"query":"query Menu {\n  menu(handle: \"main\") {\n    items { label href }\n  }\n}","operationName":"Menu"}`
	post := fmt.Sprintf("POST /graphql HTTP/1.1\r\nHost: bench\r\nContent-Type: application/json\r\n"+
		"Accept: application/graphql-response+json\r\nContent-Length: %d\r\n\r\n%s", len(query), query)
	get := "GET /graphql?query=query%20Menu%7Bmenu%28handle%3A%22main%22%29%7Bitems%7Blabel%20href%7D%7D%7D HTTP/1.1\r\nHost: bench\r\n" +
		"Accept: application/graphql-response+json\r\n"
	for _, c := range []struct {
		name    string
		handler http.Handler
		request string
	}{
		{"bare/POST", write(string(body)), post},
		{"kept/POST", srv, post},
		{"bare/GET", write(string(body)), get + "\r\n"},
		{"kept/GET", srv, get + "\r\n"},
		{"kept/GET gzip", srv, get + "Accept-Encoding: gzip\r\n\r\n"},
		{"hello/GET", write(`{"data":{"hello":"world"}}`), get + "\r\n"},
		{"kept/304", srv, get + "If-None-Match: " + kept.forms[asGraphQL][plain].etag[0] + "\r\n\r\n"},
	} {
		b.Run(c.name, func(b *testing.B) {
			b.ReportAllocs()
			askOver(b, c.handler, []byte(c.request))
		})
	}
}

// cpu is the time that this process has spent on its cores.
func cpu() time.Duration {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		panic(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// askOver asks the same thing b.N times, over as many connections as there are cores.
func askOver(b *testing.B, h http.Handler, request []byte) {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		b.Fatal(err)
	}
	if s, ok := h.(*Server); ok {
		ctx, stop := context.WithCancel(b.Context())
		defer stop()
		go func() { _ = s.Run(ctx, ln) }()
	} else {
		srv := &http.Server{Handler: h} //nolint:gosec // only this test knows the address
		go func() { _ = srv.Serve(ln) }()
		defer srv.Close()
	}
	begun := cpu()
	defer func() { b.ReportMetric(float64(cpu()-begun)/float64(b.N), "cpu-ns/op") }()
	b.RunParallel(func(pb *testing.PB) {
		conn, err := net.Dial("tcp", ln.Addr().String())
		if err != nil {
			b.Error(err)
			return
		}
		defer conn.Close()
		in := bufio.NewReaderSize(conn, 64<<10)
		for pb.Next() {
			if _, err := conn.Write(request); err != nil {
				b.Error(err)
				return
			}
			length := 0
			for {
				line, err := in.ReadSlice('\n')
				if err != nil {
					b.Error(err)
					return
				}
				if len(line) == 2 {
					break
				}
				if v, ok := bytes.CutPrefix(line, []byte("Content-Length: ")); ok {
					length, _ = strconv.Atoi(string(v[:len(v)-2]))
				}
			}
			if _, err := in.Discard(length); err != nil {
				b.Error(err)
				return
			}
		}
	})
}
