//go:build unix

package pgembed

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"sync"
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
	code := m.Run()
	if usedDir != "" {
		os.RemoveAll(usedDir)
	}
	os.Exit(code)
}

// usedDir is a data folder in which a server ran and stopped.
var usedDir string

var makeUsedDir = sync.OnceValue(func() error {
	var err error
	if usedDir, err = os.MkdirTemp("", "pgembed-test-"); err != nil {
		return err
	}
	if err := os.Chmod(usedDir, 0o755); err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(context.Background(), 3*time.Minute)
	defer cancel()
	s, err := Start(ctx, Options{DataDir: filepath.Join(usedDir, "data"), FsyncOff: true})
	if err != nil {
		return err
	}
	return s.Stop(ctx)
})

// dataDir is a copy of a data folder that was used before, which saves tests about other things an initdb.
func dataDir(t *testing.T) string {
	t.Helper()
	needPostgres(t)
	if err := makeUsedDir(); err != nil {
		t.Fatal(err)
	}
	dir := tempDir(t)
	if out, err := exec.Command("cp", "-Rp", filepath.Join(usedDir, "data"), dir).CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	return filepath.Join(dir, "data")
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
	ctx, cancel := context.WithTimeout(context.Background(), 3*time.Minute)
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
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	program, err := os.ReadFile(self)
	if err != nil {
		t.Fatal(err)
	}
	name := filepath.Join(tempDir(t), "program")
	writeProgram(t, name, program)
	return name
}

// writeProgram writes a program while no other goroutine can fork: a child would hold the file open for writing for a
// moment, in which the kernel refuses to run it.
func writeProgram[S ~string | ~[]byte](t *testing.T, name string, program S) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(name), 0o755); err != nil {
		t.Fatal(err)
	}
	syscall.ForkLock.RLock()
	defer syscall.ForkLock.RUnlock()
	if err := os.WriteFile(name, []byte(program), 0o755); err != nil {
		t.Fatal(err)
	}
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
	ctx, cancel := context.WithTimeout(t.Context(), 3*time.Minute)
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
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
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
	for deadline := time.Now().Add(time.Minute); time.Now().Before(deadline); time.Sleep(5 * time.Millisecond) {
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
