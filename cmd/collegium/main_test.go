package main

import (
	"bufio"
	"context"
	"encoding/json"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/testscript"

	"github.com/collegium/collegium/internal/pg"
	"github.com/collegium/collegium/internal/pg/pgtest"
)

func TestMain(m *testing.M) {
	testscript.Main(m, map[string]func(){"collegium": main})
}

// TestScripts runs the command line as a user does, each script on an empty
// database of its own.
func TestScripts(t *testing.T) {
	demo, err := filepath.Abs("../../internal/pack/demo")
	if err != nil {
		t.Fatal(err)
	}
	testscript.Run(t, testscript.Params{
		Dir: "testdata/script",
		Setup: func(env *testscript.Env) error {
			env.Setenv("DATABASE_URL", pgtest.EmptyDSN(t))
			env.Setenv("DEMO", demo)
			return nil
		},
		Cmds: map[string]func(*testscript.TestScript, bool, []string){"audited": audited},
	})
}

// audited is a command of scripts: "audited members 'collegium import'" wants that table to have
// been written to, and by nothing else than that program, as the audit tells.
func audited(ts *testscript.TestScript, _ bool, args []string) {
	db, err := pg.Open(context.Background(), ts.Getenv("DATABASE_URL"), pg.Options{})
	ts.Check(err)
	defer db.Close()
	programs, err := pg.Scalars[string](context.Background(), db, `SELECT DISTINCT program FROM audit_entries WHERE table_name = $1`, args[0])
	ts.Check(err)
	if !slices.Equal(programs, args[1:]) {
		ts.Fatalf("%s was written by %q", args[0], programs)
	}
}

// TestServe starts the server, asks it and stops it, as a supervisor does.
func TestServe(t *testing.T) {
	t.Parallel()
	env := map[string]string{"DATABASE_URL": pgtest.EmptyDSN(t)}
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	logs, stderr := io.Pipe()
	code := make(chan int, 1)
	go func() {
		code <- run(ctx, []string{"serve", "--listen", "127.0.0.1:0", "--demo", "yes", "--demo-members", "50", "--log-format", "json", "--mail", t.TempDir()},
			func(name string) string { return env[name] }, io.Discard, stderr)
		stderr.Close()
	}()
	address := ""
	lines := bufio.NewScanner(logs)
	var seen strings.Builder
	for address == "" && lines.Scan() {
		seen.WriteString(lines.Text() + "\n")
		var line struct{ Msg, Graph string }
		if json.Unmarshal(lines.Bytes(), &line) == nil && line.Msg == "serving" {
			address = line.Graph
		}
	}
	if address == "" {
		t.Fatalf("the server did not say where it serves:\n%s", &seen)
	}
	go io.Copy(io.Discard, logs) //nolint:errcheck // what comes later is not looked at
	client := http.Client{Timeout: 30 * time.Second}
	resp, err := client.Post(address, "application/json", strings.NewReader(`{"query":"{menu(handle:\"main\"){itemCount}}"}`))
	if err != nil {
		t.Fatal(err)
	}
	body, err := io.ReadAll(resp.Body)
	resp.Body.Close()
	if err != nil {
		t.Fatal(err)
	}
	if got, want := string(body), `{"data":{"menu":{"itemCount":312}}}`; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
	ready, err := client.Get(strings.TrimSuffix(address, "graphql") + "readyz")
	if err != nil {
		t.Fatal(err)
	}
	ready.Body.Close()
	if ready.StatusCode != http.StatusOK {
		t.Errorf("/readyz answers %d", ready.StatusCode)
	}
	if strings.Contains(seen.String(), env["DATABASE_URL"]) {
		t.Errorf("the log tells the whole database address:\n%s", &seen)
	}
	cancel()
	select {
	case got := <-code:
		if got != exitOK {
			t.Errorf("exit code %d after an orderly stop, want 0", got)
		}
	case <-time.After(30 * time.Second):
		t.Error("the server did not stop")
	}
}

// TestHelpNamesEnvironment asserts that what a flag reads from the environment
// stands in its help.
func TestHelpNamesEnvironment(t *testing.T) {
	t.Parallel()
	var out strings.Builder
	if code := run(t.Context(), []string{"serve", "--help"}, os.Getenv, &out, io.Discard); code != exitOK {
		t.Fatalf("exit code %d", code)
	}
	for _, name := range []string{"DATABASE_URL", "COLLEGIUM_LISTEN", "COLLEGIUM_DATA_DIR", "COLLEGIUM_CORS_ORIGINS", "COLLEGIUM_LOG_FORMAT"} {
		if !strings.Contains(out.String(), name) {
			t.Errorf("serve --help does not name %s:\n%s", name, out.String())
		}
	}
}

func TestWithoutSecrets(t *testing.T) {
	t.Parallel()
	for _, dsn := range []string{
		"postgres://u:hunter2@h:5433/d?sslmode=require",
		"postgres:///d?host=h&port=5433&password=hunter2&user=u",
		"postgres://u@h:5433/d?sslpassword=hunter2",
		"host=h port=5433 password=hunter2 user=u dbname=d",
		`host=h port=5433 password='hunter2\'s' user=u dbname=d`,
		`host=h port=5433 password=a\ hunter2 user=u dbname=d`,
	} {
		if got, want := withoutSecrets(dsn), "database d on h port 5433 as u"; got != want {
			t.Errorf("withoutSecrets(%q) = %q, want %q", dsn, got, want)
		}
	}
	if got := withoutSecrets("postgres://u:hunter2@h:port/d"); strings.Contains(got, "hunter2") {
		t.Errorf("an address that can't be read is shown: %q", got)
	}
}
