//go:build unix

package pgembed

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
)

// kill -9 of the program: the server ends by itself, and the next start has the data.
func TestKillProgram(t *testing.T) {
	t.Parallel()
	dir := dataDir(t)
	p := startProgram(t, Options{DataDir: dir, FsyncOff: true}, account{})
	ask(t, p.Info.DSN, `CREATE TABLE kept AS SELECT 'still here' AS said`)
	p.kill(t)
	eventually(t, "the server ends after its program", func() bool { return gone(p.Info.Postgres) })
	s := mustStart(t, Options{DataDir: dir, FsyncOff: true})
	if got := ask(t, s.DSN(), `SELECT said FROM kept`); got != "still here" {
		t.Errorf("after a kill the table says %q", got)
	}
}

// The same without a wait: the next program starts while the server is still ending.
func TestKillProgramAndStartAtOnce(t *testing.T) {
	t.Parallel()
	dir := dataDir(t)
	p := startProgram(t, Options{DataDir: dir, FsyncOff: true}, account{})
	// A session in the middle of a statement makes the server's end take longer.
	conn, err := pgx.Connect(t.Context(), p.Info.DSN)
	if err != nil {
		t.Fatal(err)
	}
	slept := make(chan struct{})
	go func() {
		defer close(slept)
		_, _ = conn.Exec(context.Background(), `SELECT pg_sleep(60)`)
		conn.Close(context.Background())
	}()
	defer func() { <-slept }()
	eventually(t, "the session sleeps", func() bool {
		return ask(t, p.Info.DSN, `SELECT count(*)::text FROM pg_stat_activity WHERE query LIKE '%pg_sleep(60)%' AND state = 'active' AND pid <> pg_backend_pid()`) == "1"
	})
	p.kill(t)
	_ = p.cmd.Wait() // so that its lock on the folder is gone
	s := mustStart(t, Options{DataDir: dir, FsyncOff: true})
	if s.info.Postgres == p.Info.Postgres {
		t.Error("the killed program's server was taken over")
	}
	if got := ask(t, s.DSN(), `SELECT 'new'`); got != "new" {
		t.Error("the new server does not answer")
	}
}

// A server that outlived its program, as where the kernel sends no signal at a parent's death, is stopped by the next.
func TestOrphanedServer(t *testing.T) {
	t.Parallel()
	dir := dataDir(t)
	s := mustStart(t, Options{DataDir: dir, FsyncOff: true})
	ask(t, s.DSN(), `CREATE TABLE kept AS SELECT 'still here' AS said`)
	s.lock.Close() // as if this program had been killed and its server not

	next := mustStart(t, Options{DataDir: dir, FsyncOff: true})
	if !gone(s.info.Postgres) {
		t.Error("two servers run on one data folder")
	}
	if got := ask(t, next.DSN(), `SELECT said FROM kept`); got != "still here" {
		t.Errorf("the table says %q", got)
	}
}

// kill -9 of the program and of the server: the next start recovers the data.
func TestKillBoth(t *testing.T) {
	t.Parallel()
	dir := dataDir(t)
	p := startProgram(t, Options{DataDir: dir}, account{})
	ask(t, p.Info.DSN, `CREATE TABLE kept AS SELECT 'still here' AS said`)
	conn, err := pgx.Connect(t.Context(), p.Info.DSN) // its backend outlives the server for a moment
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close(context.Background())

	// Stopped first, the program can't reap its server, which becomes a zombie that holds its pid.
	if err := p.cmd.Process.Signal(syscall.SIGSTOP); err != nil {
		t.Fatal(err)
	}
	if err := syscall.Kill(p.Info.Postgres, syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	p.kill(t)
	_ = p.cmd.Wait()
	major, err := dataMajor(dir)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(filepath.Join(clusterDir(dir, major), "postmaster.pid")); err != nil {
		t.Fatalf("the killed server took its pid file along, so this test shows nothing: %v", err)
	}
	s := mustStart(t, Options{DataDir: dir})
	if got := ask(t, s.DSN(), `SELECT said FROM kept`); got != "still here" {
		t.Errorf("after both were killed the table says %q", got)
	}
}

// What a pid file left behind may name: nobody, a zombie, a stranger of the same account. PostgreSQL takes the last two
// for a running server and refuses to start.
func TestStalePidFile(t *testing.T) {
	t.Parallel()
	needPostgres(t)
	acct, err := serverAccount()
	if err != nil {
		t.Fatal(err)
	}
	child := func(t *testing.T) int {
		cmd := exec.Command("sleep", "60")
		cmd.Dir = "/"
		cmd.SysProcAttr = acct.attr()
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() {
			_ = cmd.Process.Kill()
			_ = cmd.Wait()
		})
		return cmd.Process.Pid
	}
	for name, content := range map[string]func(t *testing.T) string{
		"nobody": func(*testing.T) string { return "4194303" },
		"empty":  func(*testing.T) string { return "" },
		"words":  func(*testing.T) string { return "not a number" },
		"zombie": func(t *testing.T) string {
			pid := child(t)
			if err := syscall.Kill(pid, syscall.SIGKILL); err != nil {
				t.Fatal(err)
			}
			eventually(t, "the child is a zombie", func() bool { return gone(pid) })
			return strconv.Itoa(pid)
		},
		"stranger": func(t *testing.T) string { return strconv.Itoa(child(t)) },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			dir := dataDir(t)
			major, err := dataMajor(dir)
			if err != nil {
				t.Fatal(err)
			}
			cluster := clusterDir(dir, major)
			pidFile := filepath.Join(cluster, "postmaster.pid")
			lines := fmt.Sprintf("%s\n%s\n%d\n5432\n/tmp\n\n  1234567         0\nready   \n", content(t), cluster, time.Now().Unix())
			if err := os.WriteFile(pidFile, []byte(lines), 0o600); err != nil {
				t.Fatal(err)
			}
			if err := acct.own(pidFile); err != nil {
				t.Fatal(err)
			}
			s := mustStart(t, Options{DataDir: dir, FsyncOff: true})
			if got := ask(t, s.DSN(), `SELECT 'up'`); got != "up" {
				t.Error("the server does not answer")
			}
		})
	}
}

// Neither the server nor what looks after it may hold our standard output (`go test` waits for that), and both must be
// gone soon after a program that had no chance to clean up.
func TestKillEphemeral(t *testing.T) {
	t.Parallel()
	needPostgres(t)
	p := startProgram(t, Options{Ephemeral: true}, account{})
	if got := ask(t, p.Info.DSN, `SELECT 'up'`); got != "up" {
		t.Error("the server does not answer")
	}
	// As if the kernel had not told the server: the janitor must do without.
	p.kill(t)
	closed := make(chan error, 1)
	go func() {
		_, err := io.Copy(io.Discard, p.out)
		closed <- err
	}()
	select {
	case <-closed:
	case <-time.After(time.Minute):
		t.Error("somebody still holds the killed program's standard output")
	}
	eventually(t, "the server ends", func() bool { return gone(p.Info.Postgres) })
	eventually(t, "its folder is removed", func() bool {
		_, err := os.Stat(p.Dir)
		return errors.Is(err, os.ErrNotExist)
	})
}

// The server's death is news that the program can wait for. Ctrl-C, which goes to the terminal's process group, must not
// be its death: we end it after the last request.
func TestServerDies(t *testing.T) {
	t.Parallel()
	s := mustStart(t, Options{DataDir: dataDir(t), FsyncOff: true})
	pgid, err := syscall.Getpgid(s.info.Postgres)
	if err != nil || pgid == syscall.Getpgrp() {
		t.Errorf("process group %d, %v; want another than this program's", pgid, err)
	}
	if err := syscall.Kill(s.info.Postgres, syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	select {
	case <-s.Done():
	case <-time.After(time.Minute):
		t.Fatal("Done stays open after the server died")
	}
}

// What was left by a start that was interrupted is done again, and a whole folder never is half of one.
func TestInterruptedInitdb(t *testing.T) {
	t.Parallel()
	needPostgres(t)
	dir := filepath.Join(tempDir(t), "data")
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	_, err := Start(ctx, Options{DataDir: dir, FsyncOff: true, Progress: func(step string) {
		if !strings.HasPrefix(step, "making a new") {
			return
		}
		go func() { // as soon as it has begun to write
			defer cancel()
			for ctx.Err() == nil {
				if begun, _ := filepath.Glob(filepath.Join(dir, "pg*.new", "*")); len(begun) > 0 {
					return
				}
				time.Sleep(time.Millisecond)
			}
		}()
	}})
	if !errors.Is(err, context.Canceled) {
		t.Fatalf("Start = %v, want it cancelled during initdb", err)
	}
	left, err := filepath.Glob(filepath.Join(dir, "pg*.new", "*"))
	if err != nil || len(left) == 0 {
		t.Fatalf("the interrupted initdb left nothing, so this test shows nothing: %v", err)
	}
	if major, err := dataMajor(dir); major != 0 || err != nil {
		t.Errorf("an interrupted initdb counts as data of %d, %v", major, err)
	}
	s := mustStart(t, Options{DataDir: dir, FsyncOff: true})
	if got := ask(t, s.DSN(), `SELECT 'up'`); got != "up" {
		t.Error("the server does not answer")
	}
	if left, _ := filepath.Glob(filepath.Join(dir, "pg*.new")); len(left) != 0 {
		t.Errorf("%v lies about", left)
	}
}
