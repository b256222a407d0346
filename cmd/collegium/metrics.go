package main

import (
	"github.com/prometheus/client_golang/prometheus"

	"github.com/collegium/collegium/graph"
)

// answerMetrics returns what became of the requests for public queries, for /metrics.
func answerMetrics(stats func() graph.AnswerStats) []prometheus.Collector {
	counter := func(name, help string, value func(graph.AnswerStats) uint64) prometheus.Collector {
		return prometheus.NewCounterFunc(prometheus.CounterOpts{Name: name, Help: help},
			func() float64 { return float64(value(stats())) })
	}
	gauge := func(name, help string, value func(graph.AnswerStats) uint64) prometheus.Collector {
		return prometheus.NewGaugeFunc(prometheus.GaugeOpts{Name: name, Help: help},
			func() float64 { return float64(value(stats())) })
	}
	return []prometheus.Collector{
		counter("collegium_answer_hits_total", "Requests for public queries that were answered with an answer that was kept.",
			func(s graph.AnswerStats) uint64 { return s.Hits }),
		counter("collegium_answer_misses_total", "Requests for public queries that were executed.",
			func(s graph.AnswerStats) uint64 { return s.Misses }),
		counter("collegium_answer_shared_total", "Requests for public queries that were answered by the execution for another request.",
			func(s graph.AnswerStats) uint64 { return s.Shared }),
		counter("collegium_answer_changes_total", "Answers made anew because what they rested on had changed.",
			func(s graph.AnswerStats) uint64 { return s.Changed }),
		counter("collegium_answer_evictions_total", "Answers that had to make room.",
			func(s graph.AnswerStats) uint64 { return s.Evicted }),
		counter("collegium_answer_too_large_total", "Public answers that were not kept because of their size.",
			func(s graph.AnswerStats) uint64 { return s.TooLarge }),
		counter("collegium_answer_unknown_total", "Answers that were not kept because nobody would learn when they change.",
			func(s graph.AnswerStats) uint64 { return s.Unknown }),
		gauge("collegium_answers_kept", "Answers that are kept.",
			func(s graph.AnswerStats) uint64 { return uint64(s.Kept) }),
		gauge("collegium_answers_kept_bytes", "Memory set aside for the answers that are kept, in bytes.",
			func(s graph.AnswerStats) uint64 { return s.Bytes }),
	}
}

// documentMetrics returns what the store of documents tells at /metrics.
func documentMetrics(stats func() graph.DocumentStats) []prometheus.Collector {
	counter := func(name, help string, value func(graph.DocumentStats) uint64) prometheus.Collector {
		return counterOf(name, help, func() float64 { return float64(value(stats())) })
	}
	gauge := func(name, help string, value func(graph.DocumentStats) int) prometheus.Collector {
		return prometheus.NewGaugeFunc(prometheus.GaugeOpts{Name: name, Help: help},
			func() float64 { return float64(value(stats())) })
	}
	return []prometheus.Collector{
		counter("collegium_document_hits_total", "Requests whose document was kept; those for trusted documents are not counted.",
			func(s graph.DocumentStats) uint64 { return s.Hits }),
		counter("collegium_document_misses_total", "Requests whose document had to be checked, or was named and not known.",
			func(s graph.DocumentStats) uint64 { return s.Misses }),
		counter("collegium_document_evictions_total", "Documents that had to make room.",
			func(s graph.DocumentStats) uint64 { return s.Evictions }),
		gauge("collegium_documents_kept", "Checked documents that are kept, besides the trusted ones.",
			func(s graph.DocumentStats) int { return s.Kept }),
		gauge("collegium_documents_kept_bytes", "Memory set aside for the documents that are kept, in bytes.",
			func(s graph.DocumentStats) int { return int(s.Bytes) }),
		gauge("collegium_documents_trusted", "IDs of trusted documents.",
			func(s graph.DocumentStats) int { return s.Trusted }),
		gauge("collegium_documents_refused", "Trusted documents that can't be run on this schema.",
			func(s graph.DocumentStats) int { return s.Refused }),
	}
}

// referenceMetrics returns what the reference data in memory tell at /metrics.
func referenceMetrics(stats func() graph.ReferenceStats) []prometheus.Collector {
	return []prometheus.Collector{
		counterOf("collegium_reference_answered_total", "Operations that read reference data from memory.",
			func() float64 { return float64(stats().Answered) }),
		counterOf("collegium_reference_missed_total", "Operations that read reference data from the database because what was in memory had changed.",
			func() float64 { return float64(stats().Missed) }),
		counterOf("collegium_reference_loads_total", "Times that the reference data were loaded into memory.",
			func() float64 { return float64(stats().Loads) }),
		counterOf("collegium_reference_load_failures_total", "Loads that failed.",
			func() float64 { return float64(stats().Failures) }),
		counterOf("collegium_reference_load_seconds_total", "Time that the loads took, in seconds.",
			func() float64 { return stats().LoadTime.Seconds() }),
	}
}

func counterOf(name, help string, value func() float64) prometheus.Collector {
	return prometheus.NewCounterFunc(prometheus.CounterOpts{Name: name, Help: help}, value)
}
