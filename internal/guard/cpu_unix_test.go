//go:build unix

package guard

import (
	"syscall"
	"time"
)

// cpuTime returns how long this process has run, which other processes don't disturb as they do the clock.
func cpuTime() time.Duration {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		panic(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}
