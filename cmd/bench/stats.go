package main

import (
	"cmp"
	"math"
	"slices"
	"time"
)

// median returns the middle of the numbers, the mean of the two middle ones if
// their count is even, and NaN for none. Numbers that are NaN, which stand for
// what could not be measured, are left out.
func median(numbers []float64) float64 {
	sorted := make([]float64, 0, len(numbers))
	for _, n := range numbers {
		if !math.IsNaN(n) {
			sorted = append(sorted, n)
		}
	}
	if len(sorted) == 0 {
		return math.NaN()
	}
	slices.Sort(sorted)
	middle := len(sorted) / 2
	if len(sorted)%2 == 1 {
		return sorted[middle]
	}
	return (sorted[middle-1] + sorted[middle]) / 2
}

// spread returns how far the numbers lie apart: the largest over the smallest,
// less one. It is NaN for fewer than two numbers and where the smallest is 0.
func spread(numbers []float64) float64 {
	if len(numbers) < 2 || slices.Min(numbers) == 0 {
		return math.NaN()
	}
	return slices.Max(numbers)/slices.Min(numbers) - 1
}

// percentile returns the smallest of the sorted values that at least p per cent
// of them do not exceed (the nearest rank), and 0 for none. p is 0 to 100.
func percentile[T cmp.Ordered](sorted []T, p float64) T {
	var zero T
	if len(sorted) == 0 {
		return zero
	}
	rank := int(math.Ceil(p / 100 * float64(len(sorted))))
	return sorted[min(max(rank, 1), len(sorted))-1]
}

// micros returns a time in microseconds.
func micros(d time.Duration) float64 { return float64(d) / float64(time.Microsecond) }

// measurement is one contestant answering one question in one round. A number
// that could not be measured is NaN.
type measurement struct {
	Question   string `json:"question"`
	Contestant string `json:"contestant"`
	Round      int    `json:"round"`
	Requests   int    `json:"requests"`
	// PerSecond is how many answers came in a second.
	PerSecond float64 `json:"perSecond"`
	// P50 and P99 are times from the first byte sent to the last byte read, in
	// microseconds.
	P50 float64 `json:"p50Micros"`
	P99 float64 `json:"p99Micros"`
	// ServerCPU and PostgresCPU are the user and system time that one request
	// took there, in microseconds.
	ServerCPU   number `json:"serverCpuMicros"`
	PostgresCPU number `json:"postgresCpuMicros"`
	// ClientCPU is what the load itself took for one request, in microseconds.
	ClientCPU number `json:"clientCpuMicros"`
	// Allocations and AllocatedBytes are what one request allocated in the server.
	Allocations    number `json:"allocations"`
	AllocatedBytes number `json:"allocatedBytes"`
	// PeakRSS is the most memory that the server held during the measurement, in
	// bytes.
	PeakRSS number `json:"peakRssBytes"`
}

// values returns one number of each round in which the contestant answered the
// question, in the order of the rounds.
func values(all []measurement, question, contestant string, of func(measurement) float64) []float64 {
	var found []float64
	for _, m := range all {
		if m.Question == question && m.Contestant == contestant {
			found = append(found, of(m))
		}
	}
	return found
}

// asking is one contestant asked one question.
type asking struct{ question, contestant string }

// ratio returns the median over the rounds of a's number over b's number in the
// same round; rounds in which one of them is missing, unknown or b's is 0 are
// left out.
func ratio(all []measurement, a, b asking, of func(measurement) float64) float64 {
	ofB := map[int]float64{}
	for _, m := range all {
		if (asking{m.Question, m.Contestant}) == b {
			ofB[m.Round] = of(m)
		}
	}
	var ratios []float64
	for _, m := range all {
		if (asking{m.Question, m.Contestant}) != a {
			continue
		}
		if n, ok := ofB[m.Round]; ok && n != 0 {
			ratios = append(ratios, of(m)/n)
		}
	}
	return median(ratios)
}

func perSecond(m measurement) float64 { return m.PerSecond }

func cpu(m measurement) float64 { return float64(m.ServerCPU + m.PostgresCPU) }
