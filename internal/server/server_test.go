package server

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"
)

// patience is how long a test waits for what must happen. Nothing here measures time: it only ends a test that hangs.
const patience = 20 * time.Second

// listen serves the bench on a real socket until the test ends, and returns its address, what stops it, and what Run
// returns.
func listen(t *testing.T, b *bench) (addr string, stop context.CancelFunc, done <-chan error) {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	result := make(chan error, 1)
	finished := make(chan struct{})
	go func() {
		result <- b.Run(ctx, ln)
		close(finished)
	}()
	t.Cleanup(func() {
		cancel()
		select {
		case <-finished:
		case <-time.After(patience):
			t.Error("Run didn't return")
		}
	})
	return ln.Addr().String(), cancel, result
}

// answer is what became of a request.
type answer struct {
	status int
	header http.Header
	body   string
	err    error
}

// ask sends a document to a server and reads the whole answer.
func ask(addr, query string) answer {
	client := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}, Timeout: patience}
	res, err := client.Post("http://"+addr+"/graphql", "application/json", strings.NewReader(document(query)))
	return read(res, err)
}

func get(addr, path string) answer {
	client := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}, Timeout: patience}
	return read(client.Get("http://" + addr + path))
}

func read(res *http.Response, err error) answer {
	if err != nil {
		return answer{err: err}
	}
	defer res.Body.Close()
	body, err := io.ReadAll(res.Body)
	return answer{res.StatusCode, res.Header, string(body), err}
}

// until asks again and again until a thing is so.
func until(t *testing.T, what string, so func() bool) {
	t.Helper()
	for begun := time.Now(); !so(); time.Sleep(time.Millisecond) {
		if time.Since(begun) > patience {
			t.Fatalf("it never happened that %s", what)
		}
	}
}

func receive[T any](t *testing.T, what string, ch <-chan T) T {
	t.Helper()
	select {
	case v := <-ch:
		return v
	case <-time.After(patience):
		t.Fatalf("waited in vain for %s", what)
		panic("unreachable")
	}
}

func TestOverload(t *testing.T) {
	t.Parallel()
	b := newBench(t, func(c *Config, _ *Deps) {
		c.MaxInFlight, c.MaxQueued = 2, 3
		c.QueueTimeout, c.OperationTimeout, c.WriteTimeout = patience, patience, 3*patience
	})
	addr, _, _ := listen(t, b)
	answers := make(chan answer, 5)
	for range 5 {
		go func() { answers <- ask(addr, "{ wait }") }()
	}
	receive(t, "the first operation", b.graph.entered)
	receive(t, "the second operation", b.graph.entered)
	until(t, "three operations queue", func() bool { return b.gate.queued.Load() == 3 })

	// All places are taken: what comes now is turned away at once, while nothing gets free.
	for range 20 {
		a := ask(addr, "{ hello }")
		if a.status != http.StatusServiceUnavailable {
			t.Fatalf("%+v, want 503", a)
		}
		if a.header.Get("Retry-After") != "1" {
			t.Errorf("Retry-After %q, want 1", a.header.Get("Retry-After"))
		}
		res := decode(t, []byte(a.body))
		if len(res.Errors) != 1 || res.Errors[0].Extensions.Code != codeUnavailable {
			t.Errorf("%s, want code %s", a.body, codeUnavailable)
		}
	}
	if n := b.graph.executed(); n != 2 {
		t.Errorf("%d operations ran, want 2", n)
	}
	// Pages and probes are no operations.
	for _, path := range []string{"/healthz", "/readyz", "/metrics", "/"} {
		if a := get(addr, path); a.status != http.StatusOK {
			t.Errorf("%s: %d under overload, want 200", path, a.status)
		}
	}
	close(b.graph.release)
	for range 5 {
		if a := receive(t, "an answer", answers); a.status != http.StatusOK {
			t.Errorf("an admitted operation got %+v", a)
		}
	}
	if a := ask(addr, "{ hello }"); a.status != http.StatusOK {
		t.Errorf("afterwards %+v, want 200", a)
	}
	if b.gate.running.Load() != 0 || b.gate.queued.Load() != 0 {
		t.Errorf("%d running and %d queued after all is done", b.gate.running.Load(), b.gate.queued.Load())
	}
}

func TestQueueTimeout(t *testing.T) {
	t.Parallel()
	b := newBench(t, func(c *Config, _ *Deps) {
		c.MaxInFlight, c.QueueTimeout = 1, 10*time.Millisecond
		c.OperationTimeout, c.WriteTimeout = patience, 3*patience
	})
	addr, _, _ := listen(t, b)
	first := make(chan answer, 1)
	go func() { first <- ask(addr, "{ wait }") }()
	receive(t, "the first operation", b.graph.entered)
	if a := ask(addr, "{ hello }"); a.status != http.StatusServiceUnavailable {
		t.Errorf("%+v, want 503", a)
	}
	close(b.graph.release)
	receive(t, "the first answer", first)
}

// A client that goes away while it queues leaves its place.
func TestQueueLeft(t *testing.T) {
	t.Parallel()
	b := newBench(t, func(c *Config, _ *Deps) {
		c.MaxInFlight, c.QueueTimeout = 1, patience
		c.OperationTimeout, c.WriteTimeout = patience, 3*patience
	})
	addr, _, _ := listen(t, b)
	go ask(addr, "{ wait }")
	receive(t, "the first operation", b.graph.entered)
	conn := dial(t, addr)
	send(t, conn, postHead(len(document("{ hello }")))+document("{ hello }"))
	until(t, "the second operation queues", func() bool { return b.gate.queued.Load() == 1 })
	conn.Close()
	until(t, "it leaves the queue", func() bool { return b.gate.queued.Load() == 0 })
	close(b.graph.release)
}

func TestOperationDeadline(t *testing.T) {
	t.Parallel()
	b := newBench(t, func(c *Config, _ *Deps) { c.OperationTimeout = 20 * time.Millisecond })
	w := b.do(post(document("{ wait }"), mediaGraphQL))
	if w.Code != http.StatusGatewayTimeout {
		t.Errorf("status %d, want 504: %s", w.Code, w.Body)
	}
}

func dial(t *testing.T, addr string) net.Conn {
	t.Helper()
	conn, err := net.Dial("tcp", addr)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	if err := conn.SetDeadline(time.Now().Add(patience)); err != nil {
		t.Fatal(err)
	}
	return conn
}

func send(t *testing.T, conn net.Conn, text string) {
	t.Helper()
	if _, err := io.WriteString(conn, text); err != nil {
		t.Fatal(err)
	}
}

func postHead(length int) string {
	return fmt.Sprintf("POST /graphql HTTP/1.1\r\nHost: test\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n", length)
}

// The server ends the connections of clients that take for ever, however they do it.
func TestSlowClients(t *testing.T) {
	t.Parallel()
	b := newBench(t, func(c *Config, _ *Deps) {
		c.ReadHeaderTimeout, c.ReadTimeout, c.IdleTimeout = 100*time.Millisecond, 200*time.Millisecond, 200*time.Millisecond
		c.QueueTimeout, c.OperationTimeout, c.WriteTimeout = 0, 300*time.Millisecond, 600*time.Millisecond
		c.MaxInFlight = 1
	})
	addr, _, _ := listen(t, b)
	ended := func(t *testing.T, conn net.Conn) string {
		t.Helper()
		rest, err := io.ReadAll(conn)
		var timeout net.Error
		if errors.As(err, &timeout) && timeout.Timeout() {
			t.Fatal("the server kept the connection")
		}
		return string(rest)
	}
	t.Run("head", func(t *testing.T) {
		t.Parallel()
		conn := dial(t, addr)
		send(t, conn, "POST /graphql HTTP/1.1\r\nHost: test\r\nX-")
		ended(t, conn)
	})
	t.Run("body", func(t *testing.T) {
		t.Parallel()
		conn := dial(t, addr)
		send(t, conn, postHead(1000)+`{"query":`)
		// It holds no turn meanwhile, though there is only one.
		if a := ask(addr, "{ hello }"); a.status != http.StatusOK {
			t.Errorf("another client got %+v", a)
		}
		if got := ended(t, conn); !strings.HasPrefix(got, "HTTP/1.1 408 ") {
			t.Errorf("the slow client got %q, want 408", got)
		}
	})
	t.Run("cut off", func(t *testing.T) {
		t.Parallel()
		conn := dial(t, addr)
		send(t, conn, postHead(1000)+`{"query":`)
		if err := conn.(*net.TCPConn).CloseWrite(); err != nil {
			t.Fatal(err)
		}
		if got := ended(t, conn); !strings.HasPrefix(got, "HTTP/1.1 400 ") {
			t.Errorf("got %q, want 400", got)
		}
	})
	t.Run("idle", func(t *testing.T) {
		t.Parallel()
		conn := dial(t, addr)
		send(t, conn, "GET /healthz HTTP/1.1\r\nHost: test\r\n\r\n")
		ended(t, conn)
	})
	t.Run("answer", func(t *testing.T) {
		t.Parallel()
		b := newBench(t, func(c *Config, _ *Deps) {
			c.ReadTimeout, c.OperationTimeout, c.WriteTimeout = 100*time.Millisecond, 100*time.Millisecond, 500*time.Millisecond
			c.MaxInFlight, c.QueueTimeout = 1, 0
		})
		addr, _, _ := listen(t, b)
		conn := dial(t, addr)
		if err := conn.(*net.TCPConn).SetReadBuffer(4096); err != nil {
			t.Fatal(err)
		}
		query := document("query Unread { long(length: 64000000) }")
		send(t, conn, postHead(len(query))+query)
		until(t, "the operation has run", func() bool { return b.graph.executed() == 1 && b.gate.running.Load() == 0 })
		// It holds no turn while it reads nothing.
		if a := ask(addr, "{ hello }"); a.status != http.StatusOK {
			t.Errorf("another client got %+v", a)
		}
		until(t, "the server gives up", func() bool { return strings.Contains(b.logs.String(), `"operation":"Unread"`) })
	})
}

func TestHeadLimit(t *testing.T) {
	t.Parallel()
	b := newBench(t, func(c *Config, _ *Deps) { c.MaxHeaderBytes = 4096 })
	addr, _, _ := listen(t, b)
	for _, tt := range []struct {
		length int
		status string
	}{
		{3000, " 200 "},
		{10_000, " 431 "}, // net/http reads 4 kB more than it is told
	} {
		conn := dial(t, addr)
		send(t, conn, "GET /healthz HTTP/1.1\r\nHost: test\r\nX-Long: "+strings.Repeat("x", tt.length)+"\r\n\r\n")
		line, err := bufio.NewReader(conn).ReadString('\n')
		if err != nil || !strings.Contains(line, tt.status) {
			t.Errorf("a head of %d bytes: %q, %v; want%s", tt.length, line, err, tt.status)
		}
	}
}

func TestDrain(t *testing.T) {
	t.Parallel()
	b := newBench(t, func(c *Config, _ *Deps) {
		c.DrainDelay, c.DrainTimeout = 300*time.Millisecond, patience
		c.OperationTimeout, c.WriteTimeout = patience, 3*patience
	})
	addr, stop, done := listen(t, b)
	if a := get(addr, "/readyz"); a.status != http.StatusOK {
		t.Fatalf("before: %+v", a)
	}
	running := make(chan answer, 1)
	go func() { running <- ask(addr, "{ wait }") }()
	receive(t, "the operation", b.graph.entered)

	stop()
	until(t, "/readyz says that the server drains", func() bool {
		a := get(addr, "/readyz")
		if a.err != nil {
			t.Fatalf("the server closed before it said so: %v", a.err)
		}
		return a.status == http.StatusServiceUnavailable && a.body == "draining\n"
	})
	if a := get(addr, "/healthz"); a.err == nil && a.status != http.StatusOK {
		t.Errorf("/healthz: %d while draining, want 200", a.status)
	}
	until(t, "new connections are refused", func() bool {
		conn, err := net.Dial("tcp", addr)
		if err == nil {
			conn.Close()
		}
		return err != nil
	})
	select {
	case err := <-done:
		t.Fatalf("Run returned %v while an operation ran", err)
	default:
	}
	close(b.graph.release)
	if a := receive(t, "the answer", running); a.status != http.StatusOK || !strings.Contains(a.body, "done") {
		t.Errorf("the running operation got %+v, want its answer", a)
	}
	if err := receive(t, "Run", done); err != nil {
		t.Errorf("Run: %v", err)
	}
}

func TestDrainCutsOff(t *testing.T) {
	t.Parallel()
	b := newBench(t, func(c *Config, _ *Deps) {
		c.DrainTimeout = 50 * time.Millisecond
		c.OperationTimeout, c.WriteTimeout = patience, 3*patience
	})
	addr, stop, done := listen(t, b)
	running := make(chan answer, 1)
	go func() { running <- ask(addr, "{ wait }") }()
	receive(t, "the operation", b.graph.entered)
	stop()
	err := receive(t, "Run", done)
	if err == nil || !strings.Contains(err.Error(), "cut off 1 running") {
		t.Errorf("Run: %v, want an error that counts what was cut off", err)
	}
	if a := receive(t, "the end of the operation", running); a.err == nil && a.status == http.StatusOK {
		t.Errorf("the operation got %+v though it was cut off", a)
	}
	until(t, "the operation's context ends", func() bool { return b.gate.running.Load() == 0 })
}

func TestRunFailsOnClosedListener(t *testing.T) {
	t.Parallel()
	b := newBench(t, nil)
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	ln.Close()
	if err := b.Run(t.Context(), ln); err == nil || !strings.Contains(err.Error(), ln.Addr().String()) {
		t.Errorf("Run: %v, want an error that names the address", err)
	}
}

func TestReady(t *testing.T) {
	t.Parallel()
	down := errors.New("dial db.internal: refused")
	b := newBench(t, func(_ *Config, d *Deps) {
		d.Ready = func(context.Context) error { return down }
	})
	addr, _, _ := listen(t, b)
	a := get(addr, "/readyz")
	if a.status != http.StatusServiceUnavailable || a.body != "not ready\n" {
		t.Errorf("%+v, want 503 without the reason", a)
	}
	if !strings.Contains(b.logs.String(), down.Error()) {
		t.Error("the reason isn't in the log")
	}
	if a := get(addr, "/healthz"); a.status != http.StatusOK || a.header.Get("Cache-Control") != "no-store" {
		t.Errorf("/healthz: %+v, want 200 all the same", a)
	}
}

// Many who ask at once are answered by one question, and a caller that is gone doesn't spoil the answer.
func TestKept(t *testing.T) {
	t.Parallel()
	asked := 0
	k := kept[int]{keep: time.Hour}
	gone, cancel := context.WithCancel(t.Context())
	cancel()
	for range 3 {
		n, err := k.get(gone, func(ctx context.Context) (int, error) {
			asked++
			return asked, ctx.Err()
		})
		if n != 1 || err != nil {
			t.Errorf("got %d, %v; want 1 and no error", n, err)
		}
	}
	k = kept[int]{}
	for want := 2; want < 4; want++ {
		if n, _ := k.get(t.Context(), func(context.Context) (int, error) { asked++; return asked, nil }); n != want {
			t.Errorf("got %d, want %d: nothing is to be kept", n, want)
		}
	}
}
