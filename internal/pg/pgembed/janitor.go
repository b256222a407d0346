package pgembed

import (
	"io"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"
	"syscall"
)

// janitor is a small shell process that outlives this one when this one is killed: it holds the other end of a pipe of
// ours, and when that breaks it stops the server and removes a temporary folder. On Linux the kernel stops the server
// already (see startProcess), so there only ephemeral servers have a janitor.
type janitor struct {
	pipe io.Closer
	proc *process
}

// janitorScript has the arguments: the signal for the server, its pid, its pid file, and after these the folders to
// remove. The pid file vanishes when the server ends in good order, which tells sooner than the pid that it is gone.
const janitorScript = `
read -r _
signal=$1; pid=$2; file=$3; shift 3
kill -"$signal" "$pid" 2>/dev/null
n=0
while [ -e "$file" ] && kill -0 "$pid" 2>/dev/null && [ "$n" -lt 200 ]; do
	sleep 0.05
	n=$((n + 1))
done
[ "$#" -gt 0 ] && rm -rf -- "$@"
`

// watch starts the janitor for the server on clusterDir, or returns nil where none is needed.
func watch(s *Server, clusterDir string) (*janitor, error) {
	if !s.ephemeral && runtime.GOOS == "linux" {
		return nil, nil
	}
	signal, folders := "INT", []string(nil)
	if s.ephemeral {
		signal, folders = "QUIT", []string{s.dataDir, s.socketDir}
	}
	args := []string{"-c", janitorScript, "collegium-janitor", signal, strconv.Itoa(s.proc.pid), filepath.Join(clusterDir, "postmaster.pid")}
	args = append(args, folders...)
	cmd := exec.Command("/bin/sh", args...)
	cmd.Dir = "/"
	cmd.SysProcAttr = &syscall.SysProcAttr{}
	pipe, err := cmd.StdinPipe()
	if err != nil {
		return nil, err
	}
	proc, err := startProcess(cmd, 0)
	if err != nil {
		pipe.Close()
		return nil, err
	}
	return &janitor{pipe: pipe, proc: proc}, nil
}

// dismiss ends the janitor before it acts. It must come before the server is stopped: its pid may then be another's.
func (j *janitor) dismiss() {
	if j == nil {
		return
	}
	j.proc.kill()
	<-j.proc.done
	j.pipe.Close()
}
