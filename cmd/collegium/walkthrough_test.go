package main

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"io"
	"net/http"
	"net/http/cookiejar"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/collegium/collegium/internal/mail"
	"github.com/collegium/collegium/internal/pg/pgtest"
)

const walkthrough = "../../docs/walkthrough.md"

var show = flag.Bool("show", false, "print the answers of the walkthrough")

// TestWalkthrough does what docs/walkthrough.md says, step by step, with a server that it
// starts: it runs commands, sends operations as the people named beside them, each with the
// cookies of their own, follows the links in mails, and compares the answers.
//
// In an answer "…" is any value, and "$name" one that later steps name.
func TestWalkthrough(t *testing.T) {
	t.Parallel()
	text, err := os.ReadFile(walkthrough)
	if err != nil {
		t.Fatal(err)
	}
	dsn, folder := pgtest.EmptyDSN(t), t.TempDir()
	w := &walk{t: t, dsn: dsn, address: serve(t, dsn, folder), people: map[string]*http.Client{}, known: map[string]string{}}
	if w.sender, err = mail.NewSender("office@example.org", folder); err != nil {
		t.Fatal(err)
	}
	block := regexp.MustCompile("(?ms)^```([^\\n]*)\\n(.*?)^```$")
	for _, at := range block.FindAllSubmatchIndex(text, -1) {
		w.line = 1 + bytes.Count(text[:at[0]], []byte("\n"))
		kind, rest, _ := strings.Cut(string(text[at[2]:at[3]]), " ")
		w.step(kind, rest, string(text[at[4]:at[5]]))
		if t.Failed() {
			return
		}
	}
	if w.steps < 10 {
		t.Errorf("the walkthrough has only %d steps", w.steps)
	}
}

// serve starts a server on a database and returns the address of its graph. Mail goes to the
// folder.
func serve(t *testing.T, dsn, folder string) string {
	t.Helper()
	env := map[string]string{"DATABASE_URL": dsn}
	ctx, cancel := context.WithCancel(t.Context())
	logs, stderr := io.Pipe()
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		run(ctx, []string{"serve", "--listen", "127.0.0.1:0", "--demo", "yes", "--demo-members", "20", "--log-format", "json", "--mail", folder},
			func(name string) string { return env[name] }, io.Discard, stderr)
		stderr.Close()
	}()
	t.Cleanup(func() {
		cancel()
		<-ended
	})
	var seen strings.Builder
	for lines := bufio.NewScanner(logs); lines.Scan(); {
		seen.WriteString(lines.Text() + "\n")
		var line struct{ Msg, Graph string }
		if json.Unmarshal(lines.Bytes(), &line) == nil && line.Msg == "serving" {
			go io.Copy(io.Discard, logs) //nolint:errcheck // what comes later is not looked at
			return line.Graph
		}
	}
	t.Fatalf("the server did not say where it serves:\n%s", &seen)
	return ""
}

// walk is a walk through the page.
type walk struct {
	t       *testing.T
	line    int // where the block begins
	steps   int
	dsn     string
	address string
	sender  *mail.Sender
	people  map[string]*http.Client
	known   map[string]string
	// last is the answer of the step before, and mails how many were read.
	last  []byte
	mails int
}

func (w *walk) step(kind, rest, body string) {
	w.t.Helper()
	switch kind {
	case "graphql":
		w.steps++
		w.ask(rest, w.filled(body))
	case "json":
		var want any
		if err := json.Unmarshal([]byte(body), &want); err != nil {
			w.t.Fatalf("line %d: the answer is no JSON: %v", w.line, err)
		}
		var got any
		if err := json.Unmarshal(w.last, &got); err != nil {
			w.t.Fatalf("line %d: %v\n%s", w.line, err, w.last)
		}
		if wrong := w.fits(want, got, "answer"); wrong != "" {
			w.t.Fatalf("line %d: %s; the answer is\n%s", w.line, wrong, w.last)
		}
	case "mail":
		w.steps++
		w.read(rest, body)
	case "sql":
		w.steps++
		conn, err := pgx.Connect(w.t.Context(), w.dsn)
		if err != nil {
			w.t.Fatal(err)
		}
		defer conn.Close(context.WithoutCancel(w.t.Context()))
		if _, err := conn.Exec(w.t.Context(), body); err != nil {
			w.t.Fatalf("line %d: %v", w.line, err)
		}
	case "sh":
		w.steps++
		w.run(body)
	default:
		w.t.Fatalf("line %d: there is no way to walk a block of %q", w.line, kind)
	}
}

// ask sends an operation as somebody.
func (w *walk) ask(who, query string) {
	w.t.Helper()
	client := w.people[who]
	if client == nil {
		jar, err := cookiejar.New(nil)
		if err != nil {
			w.t.Fatal(err)
		}
		client = &http.Client{Jar: jar, Timeout: 30 * time.Second}
		w.people[who] = client
	}
	request, err := json.Marshal(map[string]string{"query": query})
	if err != nil {
		w.t.Fatal(err)
	}
	resp, err := client.Post(w.address, "application/json", bytes.NewReader(request))
	if err != nil {
		w.t.Fatal(err)
	}
	defer resp.Body.Close()
	if w.last, err = io.ReadAll(resp.Body); err != nil {
		w.t.Fatal(err)
	}
	if *show {
		w.t.Logf("line %d, as %s: %s", w.line, who, w.last)
	}
}

// read waits for the next mail to somebody and compares its text.
func (w *walk) read(to, want string) {
	w.t.Helper()
	var written []mail.Written
	for deadline := time.Now().Add(20 * time.Second); ; time.Sleep(50 * time.Millisecond) {
		var err error
		if written, err = w.sender.Written(100); err != nil {
			w.t.Fatal(err)
		}
		if len(written) > w.mails && written[len(written)-1-w.mails].To == to {
			break
		}
		if time.Now().After(deadline) {
			w.t.Fatalf("line %d: no mail came to %s; there are %d", w.line, to, len(written))
		}
	}
	got := written[len(written)-1-w.mails]
	w.mails++
	pattern := regexp.QuoteMeta(strings.TrimSpace(w.filled(want)))
	pattern = strings.ReplaceAll(pattern, "…", ".*?")
	pattern = regexp.MustCompile(`\\\$([a-z]+)`).ReplaceAllString(pattern, `(?P<$1>\S+)`)
	found := regexp.MustCompile(`(?s)^` + pattern + `$`)
	match := found.FindStringSubmatch("Subject: " + got.Subject + "\n\n" + strings.TrimSpace(got.Text))
	if match == nil {
		w.t.Fatalf("line %d: the mail reads\nSubject: %s\n\n%s", w.line, got.Subject, got.Text)
	}
	for i, name := range found.SubexpNames() {
		if name != "" {
			w.known[name] = match[i]
		}
	}
}

// run runs the commands of this program that stand in a block; what stands behind "<" is
// written into the file that it names first.
func (w *walk) run(body string) {
	w.t.Helper()
	dir := w.t.TempDir()
	for line := range strings.Lines(body) {
		words := strings.Fields(line)
		if i := slices.Index(words, "|"); i > 0 && words[0] == "echo" {
			file := filepath.Join(dir, "stdin")
			if err := os.WriteFile(file, []byte(strings.Trim(strings.Join(words[1:i], " "), "'")+"\n"), 0o600); err != nil {
				w.t.Fatal(err)
			}
			words = words[i+1:]
			words[slices.Index(words, "-")] = file
		}
		if len(words) == 0 || words[0] != "collegium" {
			w.t.Fatalf("line %d: %q is no command of this program", w.line, line)
		}
		var out bytes.Buffer
		code := run(w.t.Context(), words[1:], func(name string) string { return map[string]string{"DATABASE_URL": w.dsn}[name] }, &out, &out)
		if code != exitOK {
			w.t.Fatalf("line %d: %s: exit code %d\n%s", w.line, line, code, &out)
		}
		if *show {
			w.t.Logf("line %d: %s", w.line, &out)
		}
	}
}

// filled puts what is known in the place of its names.
func (w *walk) filled(text string) string {
	for name, value := range w.known {
		text = strings.ReplaceAll(text, "$"+name, value)
	}
	return text
}

// fits says in what an answer differs from what is wanted, and remembers what has a name.
func (w *walk) fits(want, got any, path string) string {
	switch x := want.(type) {
	case string:
		if x == "…" {
			return ""
		}
		if name, ok := strings.CutPrefix(x, "$"); ok {
			if before, ok := w.known[name]; ok && before != got {
				return fmt.Sprintf("%s is %v, and $%s was %s", path, got, name, before)
			}
			s, ok := got.(string)
			if !ok {
				return fmt.Sprintf("%s is %v, want a text", path, got)
			}
			w.known[name] = s
			return ""
		}
	case map[string]any:
		y, ok := got.(map[string]any)
		if !ok || len(x) != len(y) {
			return fmt.Sprintf("%s is %v, want %v", path, got, want)
		}
		for key := range x {
			if wrong := w.fits(x[key], y[key], path+"."+key); wrong != "" {
				return wrong
			}
		}
		return ""
	case []any:
		y, ok := got.([]any)
		if ok && len(x) > 0 && x[len(x)-1] == "…" && len(y) >= len(x)-1 {
			x, y = x[:len(x)-1], y[:len(x)-1]
		}
		if !ok || len(x) != len(y) {
			return fmt.Sprintf("%s is %v, want %v", path, got, want)
		}
		for i := range x {
			if wrong := w.fits(x[i], y[i], fmt.Sprintf("%s[%d]", path, i)); wrong != "" {
				return wrong
			}
		}
		return ""
	}
	if want != got {
		return fmt.Sprintf("%s is %v, want %v", path, got, want)
	}
	return ""
}
