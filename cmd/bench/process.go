package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"strconv"
	"time"
)

// process is a contestant as its parent sees it.
type process struct {
	name    string
	pid     int
	at      addresses
	stdin   io.Closer
	command *exec.Cmd
	// exchanges are the requests of each question and the answers to them.
	exchanges map[string][]exchange
	// statements is how many statements the first request of a question takes.
	statements map[string]number
	// idleRSS and idleHeap are the memory that it held after it had started, in
	// bytes.
	idleRSS  number
	idleHeap number
}

// start starts a contestant that is this program.
func start(ctx context.Context, r role) (*process, error) {
	program, err := os.Executable()
	if err != nil {
		return nil, err
	}
	return launch(ctx, exec.CommandContext(ctx, program, contestantCommand), r)
}

// launch starts a program that is told what to be on its standard input, and
// waits until it says on its standard output where it answers.
func launch(ctx context.Context, c *exec.Cmd, r role) (_ *process, err error) {
	c.Stderr = os.Stderr
	stdin, err := c.StdinPipe()
	if err != nil {
		return nil, err
	}
	stdout, err := c.StdoutPipe()
	if err != nil {
		return nil, err
	}
	if err := c.Start(); err != nil {
		return nil, err
	}
	p := &process{
		name: r.Contestant, pid: c.Process.Pid, stdin: stdin, command: c,
		exchanges: map[string][]exchange{}, statements: map[string]number{},
	}
	defer func() {
		if err != nil {
			p.stop()
			err = fmt.Errorf("start %s: %w", r.Contestant, err)
		}
	}()
	if err := json.NewEncoder(stdin).Encode(r); err != nil {
		return nil, err
	}
	if err := json.NewDecoder(stdout).Decode(&p.at); err != nil {
		return nil, err
	}
	s, err := p.idle(ctx)
	if err != nil {
		return nil, err
	}
	p.idleRSS, p.idleHeap = number(rssOf(p.pid)), s.HeapAlloc
	return p, nil
}

// stop ends the contestant, by force if it takes too long.
func (p *process) stop() {
	p.stdin.Close()
	kill := time.AfterFunc(10*time.Second, func() { _ = p.command.Process.Kill() })
	defer kill.Stop()
	_ = p.command.Wait() // how it ended is of no interest once all is measured
}

// say sends a request to the second address of the contestant. A peer has none:
// nothing is asked of it, and the answer stays as it is.
func (p *process) say(ctx context.Context, method, path string, query url.Values, answer any) error {
	if p.at.Control == "" {
		return nil
	}
	u := url.URL{Scheme: "http", Host: p.at.Control, Path: path, RawQuery: query.Encode()}
	r, err := http.NewRequestWithContext(ctx, method, u.String(), nil)
	if err != nil {
		return err
	}
	resp, err := http.DefaultClient.Do(r)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		return fmt.Errorf("%s %s of %s: %s", method, path, p.name, resp.Status)
	}
	if answer == nil {
		_, err = io.Copy(io.Discard, resp.Body)
		return err
	}
	return json.NewDecoder(resp.Body).Decode(answer)
}

func (p *process) stats(ctx context.Context) (s stats, err error) {
	s = stats{number(math.NaN()), number(math.NaN()), number(math.NaN()), number(math.NaN())}
	return s, p.say(ctx, http.MethodGet, "/stats", nil, &s)
}

// idle has the contestant give back what memory it can, and returns its numbers.
func (p *process) idle(ctx context.Context) (stats, error) {
	if err := p.say(ctx, http.MethodPost, "/idle", nil, nil); err != nil {
		return stats{}, err
	}
	return p.stats(ctx)
}

// learn asks every variant of a question once and returns the answers. It keeps
// them as those to expect from now on, and counts the statements.
func (p *process) learn(ctx context.Context, q question) (answers [][]byte, err error) {
	var exchanges []exchange
	for _, r := range q.requests(p.name) {
		answer, etag, err := once(ctx, p.at.Graph, r.wire)
		if err != nil {
			return nil, fmt.Errorf("%s asked %s: %w", p.name, q.Name, err)
		}
		answers = append(answers, answer)
		e := exchange{r.wire, http.StatusOK, answer}
		if q.form == unchanged && p.name == cached {
			if etag == "" {
				return nil, fmt.Errorf("%s asked %s: the answer has no ETag", p.name, q.Name)
			}
			e = exchange{ifNoneMatch(r.wire, etag), http.StatusNotModified, nil}
		}
		exchanges = append(exchanges, e)
	}
	p.exchanges[q.Name] = exchanges
	// Whoever loads something into memory does it beside the first requests.
	for range settling {
		n, err := p.count(ctx, func() error {
			_, _, err := once(ctx, p.at.Graph, q.requests(p.name)[0].wire)
			return err
		})
		if err != nil {
			return nil, err
		}
		if before, ok := p.statements[q.Name]; !ok || n < before {
			p.statements[q.Name] = n
		}
		if p.name != ours {
			break
		}
		time.Sleep(100 * time.Millisecond)
	}
	return answers, nil
}

// settling is how often statements are counted; the fewest count.
const settling = 5

// count returns how many statements the contestant sends while f runs.
func (p *process) count(ctx context.Context, f func() error) (number, error) {
	if err := p.say(ctx, http.MethodPost, "/count", url.Values{"on": {"true"}}, nil); err != nil {
		return 0, err
	}
	err1 := f()
	s, err2 := p.stats(ctx)
	return s.Statements, errors.Join(err1, err2, p.say(ctx, http.MethodPost, "/count", url.Values{"on": {"false"}}, nil))
}

// profile writes a CPU profile of so many whole seconds, while a question is
// asked, to a file.
func (p *process) profile(ctx context.Context, q string, connections, seconds int, file string) error {
	u := url.URL{Scheme: "http", Host: p.at.Control, Path: "/debug/pprof/profile", RawQuery: "seconds=" + strconv.Itoa(seconds)}
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, u.String(), nil)
	if err != nil {
		return err
	}
	asked := make(chan error, 1)
	go func() {
		_, err := drive(ctx, p.at.Graph, p.exchanges[q], connections, time.Duration(seconds+1)*time.Second)
		asked <- err
	}()
	resp, err := http.DefaultClient.Do(r)
	if err != nil {
		return errors.Join(err, <-asked)
	}
	defer resp.Body.Close()
	out, err := os.Create(file)
	if err != nil {
		return errors.Join(err, <-asked)
	}
	_, err = io.Copy(out, resp.Body)
	return errors.Join(err, out.Close(), <-asked)
}
