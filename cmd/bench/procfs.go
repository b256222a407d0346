package main

import (
	"bytes"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"
)

// tick is the unit of time in /proc/<pid>/stat: every Linux that Go runs on
// tells programs 100 ticks a second (proc(5), sysconf(_SC_CLK_TCK)).
const tick = 10 * time.Millisecond

// procStat is what /proc/<pid>/stat says. On a system without /proc reading it
// is an error, and the numbers made from it are unknown.
type procStat struct {
	parent int
	// own is the user and system time of the process, reaped that of the children
	// that have ended.
	own, reaped time.Duration
}

func readStat(pid int) (procStat, error) {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return procStat{}, err
	}
	return parseStat(text)
}

// parseStat reads the fields after the name of the program, which stands in
// parentheses and may hold anything.
func parseStat(text []byte) (procStat, error) {
	at := bytes.LastIndexByte(text, ')')
	fields := strings.Fields(string(text[at+1:]))
	if at < 0 || len(fields) < 15 {
		return procStat{}, fmt.Errorf("%.100q is not the state of a process", text)
	}
	var n [5]int64
	for i, field := range []int{1, 11, 12, 13, 14} { // ppid, utime, stime, cutime, cstime
		var err error
		if n[i], err = strconv.ParseInt(fields[field], 10, 64); err != nil {
			return procStat{}, fmt.Errorf("the state of a process: %w", err)
		}
	}
	return procStat{
		parent: int(n[0]),
		own:    time.Duration(n[1]+n[2]) * tick,
		reaped: time.Duration(n[3]+n[4]) * tick,
	}, nil
}

// cpuOf returns the CPU time that a process has taken, in microseconds; NaN if
// the system does not tell.
func cpuOf(pid int) float64 {
	s, err := readStat(pid)
	if err != nil {
		return math.NaN()
	}
	return micros(s.own)
}

// cpuOfTree returns the CPU time that a process and its children, those that
// have ended included, have taken, in microseconds; NaN if the system does not
// tell.
func cpuOfTree(pid int) float64 {
	top, err := readStat(pid)
	if err != nil {
		return math.NaN()
	}
	sum := top.own + top.reaped
	names, err := filepath.Glob("/proc/[0-9]*")
	if err != nil {
		return math.NaN()
	}
	for _, name := range names {
		child, err := strconv.Atoi(filepath.Base(name))
		if err != nil {
			continue
		}
		if s, err := readStat(child); err == nil && s.parent == pid { // else it has just ended
			sum += s.own + s.reaped
		}
	}
	return micros(sum)
}

// waitedOf returns how long the threads of a process have waited for a processor
// that was busy, in microseconds; NaN if the system does not tell.
func waitedOf(pid int) float64 {
	threads, err := filepath.Glob(fmt.Sprintf("/proc/%d/task/*/schedstat", pid))
	if err != nil || len(threads) == 0 {
		return math.NaN()
	}
	var sum float64
	for _, name := range threads {
		text, err := os.ReadFile(name)
		if err != nil {
			continue // it has just ended
		}
		nanoseconds, err := parseWaited(string(text))
		if err != nil {
			return math.NaN()
		}
		sum += nanoseconds / 1000
	}
	return sum
}

// parseWaited reads the second field of a schedstat, in nanoseconds.
func parseWaited(text string) (float64, error) {
	fields := strings.Fields(text)
	if len(fields) < 2 {
		return 0, fmt.Errorf("%.100q is not what a thread has waited", text)
	}
	return strconv.ParseFloat(fields[1], 64)
}

// rssOf returns how much memory a process holds, in bytes; NaN if the system
// does not tell.
func rssOf(pid int) float64 {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		return math.NaN()
	}
	return parseRSS(string(text))
}

func parseRSS(status string) float64 {
	for line := range strings.Lines(status) {
		rest, ok := strings.CutPrefix(line, "VmRSS:")
		if !ok {
			continue
		}
		kib, err := strconv.ParseInt(strings.TrimSuffix(strings.TrimSpace(rest), " kB"), 10, 64)
		if err != nil {
			return math.NaN()
		}
		return float64(kib << 10)
	}
	return math.NaN()
}

// peak watches the memory of a process until the returned function is called,
// which returns the most that was seen, in bytes.
func peak(pid int) (stop func() float64) {
	done, result := make(chan struct{}), make(chan float64)
	go func() {
		most := rssOf(pid)
		every := time.NewTicker(50 * time.Millisecond)
		defer every.Stop()
		for {
			select {
			case <-every.C:
				most = max(most, rssOf(pid))
			case <-done:
				result <- max(most, rssOf(pid))
				return
			}
		}
	}()
	return func() float64 {
		close(done)
		return <-result
	}
}
