package main

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"strings"
	"sync"
	"time"
)

// misses is the name by which the flag --questions asks for the crowd; crowd is
// how many ask the same at once.
const (
	misses = "misses"
	crowd  = 1000
)

// crowded is what came of a crowd that asked for an answer that nobody had asked
// for before.
type crowded struct {
	Requests int `json:"requests"`
	Answered int `json:"answered"`
	Rejected int `json:"rejected"`
	// Statements is how many were sent for all of them, OfOne how many one of them
	// takes: the first over the second is how often the operation ran.
	Statements number `json:"statements"`
	OfOne      number `json:"statementsOfOne"`
	// Took is the time until the last had its answer, in microseconds.
	Took float64 `json:"tookMicros"`
}

// crowd lets so many clients ask the same at once, over connections that are
// there before.
func (p *process) crowd(ctx context.Context, n int) (c crowded, err error) {
	c.Requests = n
	asking := func(name string) []byte {
		return post(string(variant{query: strings.Replace(regionsQuery, "query Regions", "query "+name, 1)}.json(p.name)))
	}
	if c.OfOne, err = p.count(ctx, func() error {
		_, _, err := once(ctx, p.at.Graph, asking("Alone"))
		return err
	}); err != nil {
		return c, err
	}
	connections := make([]net.Conn, n)
	defer func() {
		for _, conn := range connections {
			if conn != nil {
				conn.Close()
			}
		}
	}()
	var dialer net.Dialer
	for i := range connections {
		if connections[i], err = dialer.DialContext(ctx, "tcp", p.at.Graph); err != nil {
			return c, err
		}
		if err := connections[i].SetDeadline(time.Now().Add(time.Minute)); err != nil {
			return c, err
		}
	}
	var mu sync.Mutex
	var answer []byte
	c.Statements, err = p.count(ctx, func() error {
		request := asking("Crowd")
		begun := time.Now()
		var wg sync.WaitGroup
		for _, conn := range connections {
			wg.Go(func() {
				_, writeErr := conn.Write(request)
				status, body, readErr := readAnswer(bufio.NewReader(conn), nil)
				mu.Lock()
				defer mu.Unlock()
				switch {
				case writeErr != nil || readErr != nil:
					err = errors.Join(writeErr, readErr)
				case status == http.StatusServiceUnavailable:
					c.Rejected++
				case status != http.StatusOK, answer != nil && !bytes.Equal(answer, body):
					err = fmt.Errorf("status %d with %.300q, another got %.300q", status, body, answer)
				default:
					c.Answered++
					answer = body
				}
			})
		}
		wg.Wait()
		c.Took = micros(time.Since(begun))
		return err
	})
	return c, err
}

func (c crowded) String() string {
	return fmt.Sprintf("%s clients ask the same at once, which nobody has asked before: %s answers, %s rejected, %s statements (one alone takes %s), %s ms until the last",
		thousands(int64(c.Requests)), thousands(int64(c.Answered)), thousands(int64(c.Rejected)), short(float64(c.Statements)), short(float64(c.OfOne)), short(c.Took/1000))
}
