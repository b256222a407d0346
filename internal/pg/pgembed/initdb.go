package pgembed

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"
)

// initdb makes the data folder. It works in <dir>.new and renames that when all is done, so that what lies at dir is
// always whole.
func (c *cluster) initdb(ctx context.Context) error {
	c.options.step("making a new PostgreSQL %s data folder in %s", c.progs.version, c.dir)
	fresh := c.dir + ".new"
	var failed error
	for _, locale := range c.locales() {
		if err := os.RemoveAll(fresh); err != nil {
			return fmt.Errorf("remove what an interrupted initdb left: %w", err)
		}
		if err := os.Mkdir(fresh, 0o700); err != nil {
			return err
		}
		if err := c.acct.own(fresh); err != nil {
			return err
		}
		args := []string{"-D", fresh, "-U", superuser, "--auth=trust", "--encoding=UTF8", "--no-instructions"}
		if c.options.FsyncOff {
			args = append(args, "--no-sync")
		}
		var out bytes.Buffer
		cmd := c.command(c.progs.initdb, append(args, locale...)...)
		cmd.Stdout, cmd.Stderr = &out, &out
		cmd.WaitDelay = time.Second
		proc, err := startProcess(cmd, deathSignalTool)
		if err != nil {
			return fmt.Errorf("run initdb as user %s: %w", c.acct.name, err)
		}
		select {
		case <-proc.done:
		case <-ctx.Done():
			proc.kill()
			<-proc.done
			return fmt.Errorf("initdb: %w", ctx.Err())
		}
		if proc.err == nil {
			if err := os.Rename(fresh, c.dir); err != nil {
				return err
			}
			return syncDir(c.dir)
		}
		failed = fmt.Errorf("initdb of PostgreSQL %s as user %s: %w:\n%s",
			c.progs.version, c.acct.name, proc.err, strings.TrimSpace(out.String()))
		if !strings.Contains(out.String(), "invalid locale") {
			break
		}
	}
	return failed
}

// locales are initdb's arguments for the locale, the best first. Plain C is none of them: it knows only the case of
// ASCII letters.
func (c *cluster) locales() [][]string {
	list := [][]string{{"--locale=C.UTF-8"}}
	if c.progs.major >= 17 {
		list = append(list, []string{"--locale-provider=builtin", "--builtin-locale=C.UTF-8", "--locale=C"})
	}
	return append(list, []string{"--locale=en_US.UTF-8"})
}

// command is name as a child that runs under the server's account in a folder it can enter, with an environment that
// has no say in what it does: even an empty PGPORT ends initdb. Its output goes to the log, so that it holds no pipe
// of ours.
func (c *cluster) command(name string, args ...string) *exec.Cmd {
	cmd := exec.Command(name, args...)
	cmd.Dir = "/"
	cmd.Env = childEnv(os.Environ())
	cmd.Stdout, cmd.Stderr = c.log, c.log
	cmd.SysProcAttr = c.acct.attr()
	return cmd
}

// childEnv is environ without the variables that PostgreSQL's programs read.
func childEnv(environ []string) []string {
	var env []string
	for _, kv := range environ {
		name, _, _ := strings.Cut(kv, "=")
		switch {
		case strings.HasPrefix(name, "PG"), strings.HasPrefix(name, "LC_"), name == "LANG", name == "LANGUAGE", name == "TZ":
		case name == "MAKELEVEL": // makes postgres think that its own test suite runs it
		default:
			env = append(env, kv)
		}
	}
	return env
}

// syncDir makes the rename of dir durable.
func syncDir(dir string) error {
	parent, err := os.Open(filepath.Dir(dir))
	if err != nil {
		return err
	}
	defer parent.Close()
	return parent.Sync()
}
