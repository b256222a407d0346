package pgembed

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// process is a child that one goroutine started and waits for.
type process struct {
	pid  int
	done chan struct{}
	err  error // how it ended; set before done is closed
}

// startProcess starts cmd in a process group of its own, so that Ctrl-C reaches us first, and where the kernel can do
// it, with a signal to be sent to the child when we die. The kernel means the thread that forked by "we", so that
// thread stays until the child ended.
func startProcess(cmd *exec.Cmd, onDeath syscall.Signal) (*process, error) {
	detach(cmd.SysProcAttr, onDeath)
	p := &process{done: make(chan struct{})}
	started := make(chan error, 1)
	go func() {
		runtime.LockOSThread()
		defer runtime.UnlockOSThread()
		if err := cmd.Start(); err != nil {
			started <- err
			return
		}
		p.pid = cmd.Process.Pid
		started <- nil
		p.err = cmd.Wait()
		close(p.done)
	}()
	if err := <-started; err != nil {
		return nil, err
	}
	return p, nil
}

// stop ends a server with sig and waits for it: when ctx ends it stops the server at once, and then with force.
func (p *process) stop(ctx context.Context, sig syscall.Signal) error {
	select {
	case <-p.done:
		return nil
	default:
	}
	_ = signalServer(p.pid, sig)
	select {
	case <-p.done:
		return nil
	case <-ctx.Done():
	}
	_ = signalServer(p.pid, stopImmediate)
	select {
	case <-p.done:
	case <-time.After(5 * time.Second):
		p.kill()
		<-p.done
	}
	return fmt.Errorf("PostgreSQL had to be stopped at once: %w", ctx.Err())
}

// kill ends the child and what it started.
func (p *process) kill() { killGroup(p.pid) }

// pidFile is what postmaster.pid says.
type pidFile struct {
	pid    int
	status string // "starting", "ready", "stopping"
}

func readPidFile(clusterDir string) (pidFile, error) {
	data, err := os.ReadFile(filepath.Join(clusterDir, "postmaster.pid"))
	if err != nil {
		return pidFile{}, err
	}
	lines := strings.Split(string(data), "\n")
	pid, err := strconv.Atoi(strings.TrimSpace(lines[0]))
	if err != nil {
		return pidFile{}, fmt.Errorf("postmaster.pid: %w", err)
	}
	pf := pidFile{pid: pid}
	if len(lines) > 7 {
		pf.status = strings.TrimSpace(lines[7])
	}
	return pf, nil
}

// clearStale clears away what a server left whose supervisor was killed. Such a server may still run, and is stopped;
// or be gone, and its pid belong to a zombie or to a stranger, which PostgreSQL would take for a running server: then
// its pid file is removed. Our lock on the folder makes sure that no supervisor is alive.
func (c *cluster) clearStale(ctx context.Context) error {
	pf, err := readPidFile(c.dir)
	if errors.Is(err, os.ErrNotExist) {
		return nil
	}
	if err == nil && isServer(pf.pid, c.dir) {
		c.options.step("stopping a PostgreSQL server (process %d) that outlived its program", pf.pid)
		for i, sig := range []syscall.Signal{stopFast, stopImmediate} {
			if err := signalServer(pf.pid, sig); err != nil && isServer(pf.pid, c.dir) {
				return fmt.Errorf("stop the PostgreSQL server (process %d) that still runs on %s: %w", pf.pid, c.dir, err)
			}
			for deadline := time.Now().Add(10 * time.Second); time.Now().Before(deadline) && isServer(pf.pid, c.dir); {
				if err := ctx.Err(); err != nil {
					return err
				}
				time.Sleep(10 * time.Millisecond)
			}
			if !isServer(pf.pid, c.dir) {
				break
			}
			if i == 1 {
				return fmt.Errorf("a PostgreSQL server (process %d) still runs on %s and does not stop: stop it by hand", pf.pid, c.dir)
			}
		}
	}
	err = os.Remove(filepath.Join(c.dir, "postmaster.pid"))
	if errors.Is(err, os.ErrNotExist) {
		return nil // it stopped in good order
	}
	return err
}

// shortHash names a folder: 12 hexadecimal digits that depend on path and on the attempt.
func shortHash(path string, attempt int) string {
	sum := sha256.Sum256([]byte(path + "\x00" + strconv.Itoa(attempt)))
	return hex.EncodeToString(sum[:6])
}
