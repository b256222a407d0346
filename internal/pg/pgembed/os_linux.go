package pgembed

import (
	"bytes"
	"fmt"
	"os"
	"syscall"
)

// detach puts a child into its own process group and asks the kernel to send it onDeath, if not 0, when the thread
// that forks it ends.
func detach(attr *syscall.SysProcAttr, onDeath syscall.Signal) {
	attr.Setpgid = true
	attr.Pdeathsig = onDeath
}

// isServer says whether pid is a living server on clusterDir. A zombie has no command line.
func isServer(pid int, clusterDir string) bool {
	cmdline, err := os.ReadFile(fmt.Sprintf("/proc/%d/cmdline", pid))
	if err != nil {
		return false
	}
	args := bytes.Split(cmdline, []byte{0})
	for i, arg := range args[:len(args)-1] {
		if string(arg) == "-D" && string(args[i+1]) == clusterDir {
			return true
		}
	}
	return false
}
