package server

import (
	"os"
	"runtime/debug"
)

// What a process that serves sets for the garbage collector, where its environment says nothing else: it collects when
// the heap is five times what was live, which takes less of a processor than the twice of Go's default, until the memory
// of the process comes near the limit.
const (
	gcPercent   = 400
	memoryLimit = 1 << 30
)

// TuneMemory sets the garbage collector for a process that serves. GOGC and GOMEMLIMIT in the environment win.
func TuneMemory() {
	if os.Getenv("GOGC") == "" {
		debug.SetGCPercent(gcPercent)
	}
	if os.Getenv("GOMEMLIMIT") == "" {
		debug.SetMemoryLimit(memoryLimit)
	}
}
