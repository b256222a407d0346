//go:build !unix

package pgembed

import (
	"errors"
	"io/fs"
	"os"
	"runtime"
	"syscall"
)

const (
	stopFast          = syscall.SIGINT
	stopImmediate     = syscall.SIGQUIT
	deathSignalServer = syscall.SIGINT
	deathSignalTool   = syscall.SIGKILL
)

var errLocked = errors.New("locked by another process")

// errUnsupported is the answer to everything here.
var errUnsupported = errors.New("there is no embedded PostgreSQL on " + runtime.GOOS + ": install PostgreSQL 15 or later and set DATABASE_URL")

func supported() error                            { return errUnsupported }
func tryLock(*os.File) error                      { return errUnsupported }
func signalServer(int, syscall.Signal) error      { return errUnsupported }
func owner(fs.FileInfo) (uid, gid int)            { return -1, -1 }
func killGroup(int)                               {}
func detach(*syscall.SysProcAttr, syscall.Signal) {}
func isServer(int, string) bool                   { return false }

func (a account) attr() *syscall.SysProcAttr { return &syscall.SysProcAttr{} }
