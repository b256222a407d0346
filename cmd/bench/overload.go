package main

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"net/http"
	"slices"
	"sync"
	"time"
)

// tally is what came of the requests that were due in a time.
type tally struct {
	// admitted and rejected are the times from the first byte sent to the last byte
	// read of requests that got their answer, and of those that got a 503.
	admitted, rejected []time.Duration
	// late is how long requests that were due waited to be sent.
	late []time.Duration
	// failed counts what got neither, failure is the first of them.
	failed  int
	failure error
}

// sorted returns the tally with its times in order.
func (t tally) sorted() tally {
	for _, times := range [][]time.Duration{t.admitted, t.rejected, t.late} {
		slices.Sort(times)
	}
	return t
}

// overload asks at a pace of its own, whatever comes back: so many requests a
// second at random moments, over so many keep-alive connections. A request that
// is due while all connections wait for an answer is sent when one is free.
type overload struct {
	address     string
	exchanges   []exchange
	connections int
	perSecond   float64

	mu  sync.Mutex
	now tally
}

// run asks until the time is over. What is under way then isn't counted.
func (o *overload) run(ctx context.Context, d time.Duration) error {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	due := make(chan time.Time, 1<<20)
	var wg sync.WaitGroup
	for i := range o.connections {
		wg.Go(func() {
			if err := o.connection(ctx, i, due); err != nil {
				cancel(err)
			}
		})
	}
	random := rand.New(rand.NewPCG(seed, 0))
	next, end := time.Now(), time.Now().Add(d)
	for next.Before(end) && ctx.Err() == nil {
		for ; !next.After(time.Now()); next = next.Add(time.Duration(random.ExpFloat64() / o.perSecond * float64(time.Second))) {
			select {
			case due <- next:
			default:
				cancel(errors.New("a million requests wait for a connection"))
			}
		}
		time.Sleep(time.Until(next))
	}
	err := context.Cause(ctx)
	cancel(nil)
	wg.Wait()
	return err
}

// connection sends what is due on a connection of its own until ctx ends, and
// takes a new one when the server has closed it.
func (o *overload) connection(ctx context.Context, number int, due <-chan time.Time) error {
	for ctx.Err() == nil {
		var dialer net.Dialer
		conn, err := dialer.DialContext(ctx, "tcp", o.address)
		if err != nil {
			if ctx.Err() != nil {
				return nil
			}
			return err
		}
		stop := context.AfterFunc(ctx, func() { conn.Close() })
		err = o.send(ctx, conn, number, due)
		stop()
		conn.Close()
		if err != nil && ctx.Err() == nil {
			o.fail(err)
		}
	}
	return nil
}

func (o *overload) send(ctx context.Context, conn net.Conn, number int, due <-chan time.Time) error {
	in := bufio.NewReaderSize(conn, 8<<10)
	var buf []byte
	for i := number; ; i += 7919 { // a prime: over many connections every question is as frequent
		var at time.Time
		select {
		case <-ctx.Done():
			return nil
		case at = <-due:
		}
		e := o.exchanges[i%len(o.exchanges)]
		sent := time.Now()
		if _, err := conn.Write(e.request); err != nil {
			return err
		}
		status, body, err := readAnswer(in, buf)
		if err != nil {
			return err
		}
		took := time.Since(sent)
		buf = body
		right := status == e.status && bytes.Equal(body, e.want)
		o.mu.Lock()
		o.now.late = append(o.now.late, sent.Sub(at))
		switch {
		case right:
			o.now.admitted = append(o.now.admitted, took)
		case status == http.StatusServiceUnavailable:
			o.now.rejected = append(o.now.rejected, took)
		}
		o.mu.Unlock()
		if !right && status != http.StatusServiceUnavailable {
			o.fail(fmt.Errorf("status %d with %.300q", status, body))
		}
	}
}

func (o *overload) fail(err error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.now.failed++
	if o.now.failure == nil {
		o.now.failure = err
	}
}

// take returns what has come since it was last called.
func (o *overload) take() tally {
	o.mu.Lock()
	defer o.mu.Unlock()
	t := o.now
	o.now = tally{}
	return t.sorted()
}
