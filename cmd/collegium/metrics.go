package main

import (
	"github.com/prometheus/client_golang/prometheus"

	"github.com/collegium/collegium/graph"
)

// documentMetrics returns what the store of documents tells at /metrics.
func documentMetrics(stats func() graph.DocumentStats) []prometheus.Collector {
	counter := func(name, help string, value func(graph.DocumentStats) uint64) prometheus.Collector {
		return prometheus.NewCounterFunc(prometheus.CounterOpts{Name: name, Help: help},
			func() float64 { return float64(value(stats())) })
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
