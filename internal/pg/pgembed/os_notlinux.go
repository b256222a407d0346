//go:build unix && !linux

package pgembed

import (
	"os/exec"
	"strconv"
	"strings"
	"syscall"
)

// detach puts a child into its own process group. The kernel can't be asked for a signal at our death; the janitor
// does that part.
func detach(attr *syscall.SysProcAttr, _ syscall.Signal) {
	attr.Setpgid = true
}

// isServer says whether pid is a living server on clusterDir. A zombie shows no arguments.
func isServer(pid int, clusterDir string) bool {
	out, err := exec.Command("ps", "-ww", "-o", "args=", "-p", strconv.Itoa(pid)).Output()
	return err == nil && strings.Contains(string(out), "-D "+clusterDir+" ")
}
