package pgembed

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"syscall"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
)

// The test binary doubles as the program that owns a server, for tests that kill that program.
const helperVar = "PGEMBED_TEST_HELPER"

func TestMain(m *testing.M) {
	if options := os.Getenv(helperVar); options != "" {
		os.Exit(helper(options))
	}
	os.Exit(m.Run())
}

// helper starts a server, says on standard output how to reach it, and runs until SIGTERM.
func helper(options string) int {
	term := make(chan os.Signal, 1)
	signal.Notify(term, syscall.SIGTERM)
	var o Options
	if err := json.Unmarshal([]byte(options), &o); err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 2
	}
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	s, err := Start(ctx, o)
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	out, _ := json.Marshal(map[string]any{"info": s.info, "dir": s.dataDir})
	fmt.Printf("%s\n", out)
	<-term
	if err := s.Stop(ctx); err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	return 0
}

// program is a helper that runs.
type program struct {
	cmd  *exec.Cmd
	out  *bufio.Reader
	Info info   `json:"info"`
	Dir  string `json:"dir"`
}

// startProgram runs the helper, under another account if acct drops.
func startProgram(t *testing.T, o Options, acct account, env ...string) *program {
	t.Helper()
	options, err := json.Marshal(map[string]any{"DataDir": o.DataDir, "Ephemeral": o.Ephemeral, "FsyncOff": o.FsyncOff})
	if err != nil {
		t.Fatal(err)
	}
	p := &program{cmd: exec.Command(testBinary(t))}
	p.cmd.Env = append(append(os.Environ(), env...), helperVar+"="+string(options))
	p.cmd.Dir = "/"
	p.cmd.Stderr = os.Stderr
	p.cmd.SysProcAttr = acct.attr()
	pipe, err := p.cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := p.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = p.cmd.Process.Signal(syscall.SIGTERM)
		_ = p.cmd.Wait()
	})
	p.out = bufio.NewReader(pipe)
	line, err := p.out.ReadBytes('\n')
	if err != nil {
		t.Fatalf("the program ended before its server was ready: %v", err)
	}
	if err := json.Unmarshal(line, p); err != nil {
		t.Fatalf("%s: %v", line, err)
	}
	return p
}

// kill kills the program without a warning and waits for it.
func (p *program) kill(t *testing.T) {
	t.Helper()
	if err := p.cmd.Process.Kill(); err != nil {
		t.Fatal(err)
	}
}

// testBinary is a copy of this test's program where every account can run it.
func testBinary(t *testing.T) string {
	t.Helper()
	src, err := os.Open("/proc/self/exe")
	if err != nil {
		if src, err = os.Open(os.Args[0]); err != nil {
			t.Fatal(err)
		}
	}
	defer src.Close()
	name := filepath.Join(tempDir(t), "program")
	dst, err := os.OpenFile(name, os.O_CREATE|os.O_WRONLY, 0o755)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := io.Copy(dst, src); err != nil {
		t.Fatal(err)
	}
	if err := dst.Close(); err != nil {
		t.Fatal(err)
	}
	return name
}

// tempDir is a temporary folder that every account can enter, unlike t.TempDir's.
func tempDir(t *testing.T) string {
	t.Helper()
	dir, err := os.MkdirTemp("", "pgembed-test-")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	if err := os.Chmod(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	return dir
}

// needPostgres skips the test where PostgreSQL is not installed; CI has it, so there it fails.
func needPostgres(t *testing.T) {
	t.Helper()
	acct, err := serverAccount()
	if err == nil {
		places := newSearch(acct)
		places.npm = ""
		_, err = places.find(t.Context(), 0, t.Logf)
	}
	if err == nil {
		return
	}
	if errors.Is(err, ErrNotInstalled) && os.Getenv("CI") == "" {
		t.Skip(err)
	}
	t.Fatal(err)
}

// mustStart starts a server in this process that ends with the test.
func mustStart(t *testing.T, o Options) *Server {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	s, err := Start(ctx, o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Stop(context.Background()); err != nil {
			t.Error(err)
		}
	})
	return s
}

// ask runs one statement at dsn and returns its answer as text.
func ask(t *testing.T, dsn, sql string) string {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	conn, err := pgx.Connect(ctx, dsn)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close(ctx)
	var answer string
	err = conn.QueryRow(ctx, sql).Scan(&answer)
	if err != nil && !errors.Is(err, pgx.ErrNoRows) {
		t.Fatalf("%s: %v", sql, err)
	}
	return answer
}

// eventually waits for cond, which becomes true within a fraction of the time given if it does at all.
func eventually(t *testing.T, what string, cond func() bool) {
	t.Helper()
	for deadline := time.Now().Add(20 * time.Second); time.Now().Before(deadline); time.Sleep(5 * time.Millisecond) {
		if cond() {
			return
		}
	}
	t.Fatalf("it never came that %s", what)
}

// gone says whether a process ended; a zombie has.
func gone(pid int) bool {
	data, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return syscall.Kill(pid, 0) != nil
	}
	var state byte
	var name string
	_, err = fmt.Sscanf(string(data), "%d %s %c", new(int), &name, &state)
	return err == nil && state == 'Z'
}
