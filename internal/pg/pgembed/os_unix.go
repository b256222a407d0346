//go:build unix

package pgembed

import (
	"errors"
	"io/fs"
	"os"
	"syscall"
)

const (
	stopFast      = syscall.SIGINT  // PostgreSQL's fast shutdown: roll back, write, end
	stopImmediate = syscall.SIGQUIT // PostgreSQL's immediate shutdown: end, recover at the next start

	deathSignalServer = stopFast
	deathSignalTool   = syscall.SIGKILL
)

func supported() error { return nil }

var errLocked = errors.New("locked by another process")

// tryLock locks an open file for this process, or says errLocked. Closing the file, or the end of the process, unlocks.
func tryLock(f *os.File) error {
	for {
		err := syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB)
		switch {
		case errors.Is(err, syscall.EINTR):
		case errors.Is(err, syscall.EWOULDBLOCK):
			return errLocked
		default:
			return err
		}
	}
}

// owner is the user and group that own a file.
func owner(fi fs.FileInfo) (uid, gid int) {
	if st, ok := fi.Sys().(*syscall.Stat_t); ok {
		return int(st.Uid), int(st.Gid)
	}
	return -1, -1
}

// attr makes a child change to the account, with no other groups than its own.
func (a account) attr() *syscall.SysProcAttr {
	attr := &syscall.SysProcAttr{}
	if a.drop {
		attr.Credential = &syscall.Credential{Uid: uint32(a.uid), Gid: uint32(a.gid)}
	}
	return attr
}

func signalServer(pid int, sig syscall.Signal) error { return syscall.Kill(pid, sig) }

func killGroup(pid int) { _ = syscall.Kill(-pid, syscall.SIGKILL) }
