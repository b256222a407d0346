package main

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"slices"
	"strconv"
	"sync"
	"time"
)

// exchange is a request as it goes over the wire, and the status and the body
// that must come back.
type exchange struct {
	request []byte
	status  int
	want    []byte
}

// post returns the bytes of a POST of a JSON body to the graph.
func post(body string) []byte {
	return fmt.Appendf(nil, "POST /graphql HTTP/1.1\r\nHost: bench\r\nContent-Type: application/json\r\n"+
		"Accept: application/graphql-response+json\r\nContent-Length: %d\r\n\r\n%s", len(body), body)
}

// get returns the bytes of a GET of the graph with a query string.
func get(query string) []byte {
	return fmt.Appendf(nil, "GET /graphql?%s HTTP/1.1\r\nHost: bench\r\nAccept: application/graphql-response+json\r\n\r\n", query)
}

// ifNoneMatch returns a GET as a client sends it that has an answer.
func ifNoneMatch(get []byte, etag string) []byte {
	return fmt.Appendf(nil, "%sIf-None-Match: %s\r\n\r\n", get[:len(get)-2], etag)
}

// load is what a number of connections got in a time.
type load struct {
	took      time.Duration
	latencies []time.Duration // sorted
}

// drive asks over a number of keep-alive connections, each the next exchange as
// soon as it has the answer to the last, until the time is over. Each connection
// asks at least once. An answer that differs from the one wanted ends it with an
// error.
func drive(ctx context.Context, address string, exchanges []exchange, connections int, d time.Duration) (load, error) {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	all := make([][]time.Duration, connections)
	began := time.Now()
	var wg sync.WaitGroup
	for i := range connections {
		wg.Go(func() {
			var err error
			if all[i], err = ask(ctx, address, exchanges, i, began.Add(d)); err != nil {
				cancel(err)
			}
		})
	}
	wg.Wait()
	took := time.Since(began)
	if err := context.Cause(ctx); err != nil {
		return load{}, err
	}
	l := load{took: took, latencies: slices.Concat(all...)}
	slices.Sort(l.latencies)
	return l, nil
}

// ask is one connection of drive. It begins with the exchange that its number
// says, so that connections do not go in step.
func ask(ctx context.Context, address string, exchanges []exchange, number int, until time.Time) ([]time.Duration, error) {
	var dialer net.Dialer
	conn, err := dialer.DialContext(ctx, "tcp", address)
	if err != nil {
		return nil, err
	}
	defer conn.Close()
	defer context.AfterFunc(ctx, func() { conn.Close() })()
	in := bufio.NewReaderSize(conn, 64<<10)
	var buf []byte
	latencies := make([]time.Duration, 0, 1024)
	for i := number; ; i++ {
		e := exchanges[i%len(exchanges)]
		begun := time.Now()
		if _, err := conn.Write(e.request); err != nil {
			return nil, err
		}
		status, body, err := readAnswer(in, buf)
		if err != nil {
			return nil, err
		}
		buf = body
		now := time.Now()
		latencies = append(latencies, now.Sub(begun))
		if status != e.status || !bytes.Equal(body, e.want) {
			return nil, fmt.Errorf("status %d with %.300q, want %d with %.300q", status, body, e.status, e.want)
		}
		if now.After(until) {
			return latencies, nil
		}
	}
}

// once asks one question on a connection of its own and returns the body, and the
// name that the answer has for a client that will ask again; empty if it has none.
func once(ctx context.Context, address string, request []byte) (body []byte, etag string, err error) {
	var dialer net.Dialer
	conn, err := dialer.DialContext(ctx, "tcp", address)
	if err != nil {
		return nil, "", err
	}
	defer conn.Close()
	defer context.AfterFunc(ctx, func() { conn.Close() })()
	if _, err := conn.Write(request); err != nil {
		return nil, "", err
	}
	resp, err := http.ReadResponse(bufio.NewReader(conn), nil)
	if err != nil {
		return nil, "", err
	}
	defer resp.Body.Close()
	if body, err = io.ReadAll(resp.Body); err != nil {
		return nil, "", err
	}
	if resp.StatusCode != http.StatusOK {
		return nil, "", fmt.Errorf("status %d: %.1000q", resp.StatusCode, body)
	}
	return body, resp.Header.Get("ETag"), nil
}

// readAnswer reads one response of HTTP/1.1 into buf, which grows as needed. It
// knows what the contestants send, a length or chunks, and takes less time than
// net/http would, which the contestants would miss on a small machine.
func readAnswer(in *bufio.Reader, buf []byte) (status int, body []byte, err error) {
	line, err := in.ReadSlice('\n')
	if err != nil {
		return 0, nil, err
	}
	if len(line) < 12 || !bytes.HasPrefix(line, []byte("HTTP/1.1 ")) {
		return 0, nil, fmt.Errorf("%.100q is not the beginning of an answer", line)
	}
	if status, err = strconv.Atoi(string(line[9:12])); err != nil {
		return 0, nil, fmt.Errorf("the status of an answer: %w", err)
	}
	length, chunked := -1, false
	for {
		if line, err = in.ReadSlice('\n'); err != nil {
			return 0, nil, err
		}
		line = bytes.TrimRight(line, "\r\n")
		if len(line) == 0 {
			break
		}
		name, value, _ := bytes.Cut(line, []byte(":"))
		value = bytes.TrimSpace(value)
		switch {
		case bytes.EqualFold(name, []byte("Content-Length")):
			if length, err = strconv.Atoi(string(value)); err != nil {
				return 0, nil, fmt.Errorf("the length of an answer: %w", err)
			}
		case bytes.EqualFold(name, []byte("Transfer-Encoding")):
			chunked = bytes.EqualFold(value, []byte("chunked"))
		}
	}
	body = buf[:0]
	switch {
	case chunked:
		body, err = readChunks(in, body)
	case status == http.StatusNotModified: // it never has one
	case length < 0:
		err = errors.New("an answer has neither a length nor chunks")
	default:
		body, err = readMore(in, body, length)
	}
	return status, body, err
}

func readChunks(in *bufio.Reader, body []byte) ([]byte, error) {
	for {
		line, err := in.ReadSlice('\n')
		if err != nil {
			return nil, err
		}
		size, err := strconv.ParseUint(string(bytes.TrimSpace(line)), 16, 31)
		if err != nil {
			return nil, fmt.Errorf("the size of a chunk: %w", err)
		}
		if body, err = readMore(in, body, int(size)); err != nil {
			return nil, err
		}
		if _, err := in.Discard(2); err != nil { // the line end
			return nil, err
		}
		if size == 0 {
			return body, nil
		}
	}
}

func readMore(in io.Reader, body []byte, n int) ([]byte, error) {
	from := len(body)
	body = slices.Grow(body, n)[:from+n]
	_, err := io.ReadFull(in, body[from:])
	return body, err
}
