//go:build !unix

package guard

import "time"

var began = time.Now()

// cpuTime returns the time since the tests began, for want of that of the process.
func cpuTime() time.Duration { return time.Since(began) }
