package server

import (
	"net/http"
	"strconv"
	"sync"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"
)

// maxOperationNames is how many operation names get a series of their own. A client chooses its names, so without a
// bound it could fill the memory of this process and of whoever scrapes it.
const maxOperationNames = 100

// metrics is what /metrics shows. Each server has its own registry.
type metrics struct {
	registry   *prometheus.Registry
	requests   *prometheus.CounterVec
	refused    *prometheus.CounterVec
	operations *prometheus.CounterVec
	durations  *prometheus.HistogramVec
	statements *prometheus.HistogramVec
	panics     prometheus.Counter

	mu    sync.Mutex
	names map[string]bool

	// What is looked up for each request is found by its labels once.
	byRequest   *memo[requestLabels, prometheus.Counter]
	known       sync.RWMutex
	byOperation map[operationLabels]*operationSeries
}

// requestLabels are those of a request; there are few different ones.
type requestLabels struct {
	route, method string
	status        int
}

// operationLabels are those of an operation, and its name as it was sent.
type operationLabels struct {
	name, kind string
	outcome    Outcome
}

// operationSeries is where an operation is counted.
type operationSeries struct {
	operations           prometheus.Counter
	duration, statements prometheus.Observer
}

func newMetrics(g *gate, pool func() *pgxpool.Stat, others []prometheus.Collector) *metrics {
	m := &metrics{
		registry: prometheus.NewRegistry(),
		requests: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "collegium_http_requests_total",
			Help: "HTTP requests answered, by route, method and status code.",
		}, []string{"route", "method", "code"}),
		refused: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "collegium_http_refused_total",
			Help: "HTTP requests refused before they reached the graph, by reason.",
		}, []string{"reason"}),
		operations: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "collegium_operations_total",
			Help: "GraphQL operations answered, by operation name, type and outcome.",
		}, []string{"operation", "type", "outcome"}),
		durations: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Name:    "collegium_operation_duration_seconds",
			Help:    "Time from admission to the finished answer of GraphQL operations, by operation name.",
			Buckets: []float64{.0005, .001, .0025, .005, .01, .025, .05, .1, .25, .5, 1, 2.5, 5},
		}, []string{"operation"}),
		statements: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Name:    "collegium_operation_statements",
			Help:    "SQL statements sent for GraphQL operations, by operation name.",
			Buckets: []float64{0, 1, 2, 3, 4, 6, 8, 12, 16, 32},
		}, []string{"operation"}),
		panics: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "collegium_panics_total",
			Help: "Requests that ended in a panic and were answered with 500.",
		}),
		names:       map[string]bool{},
		byOperation: map[operationLabels]*operationSeries{},
	}
	m.byRequest = newMemo(func(l requestLabels) prometheus.Counter {
		return m.requests.WithLabelValues(l.route, l.method, strconv.Itoa(l.status))
	})
	m.registry.MustRegister(
		collectors.NewGoCollector(),
		collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}),
		m.requests, m.refused, m.operations, m.durations, m.statements, m.panics,
		prometheus.NewGaugeFunc(prometheus.GaugeOpts{
			Name: "collegium_operations_in_flight",
			Help: "GraphQL operations that run now.",
		}, func() float64 { return float64(g.running.Load()) }),
		prometheus.NewGaugeFunc(prometheus.GaugeOpts{
			Name: "collegium_operations_queued",
			Help: "GraphQL operations that wait for their turn now.",
		}, func() float64 { return float64(g.queued.Load()) }),
	)
	m.registry.MustRegister(others...)
	if pool != nil {
		m.registry.MustRegister(poolCollector(pool))
	}
	return m
}

func (m *metrics) handler() http.Handler {
	return promhttp.HandlerFor(m.registry, promhttp.HandlerOpts{DisableCompression: true})
}

// operation counts one answered operation.
func (m *metrics) operation(res *Result, statements int, took time.Duration) {
	l := operationLabels{res.Operation, res.OperationType, res.Outcome}
	m.known.RLock()
	series := m.byOperation[l]
	m.known.RUnlock()
	if series == nil {
		series = m.series(l)
	}
	series.operations.Inc()
	series.duration.Observe(took.Seconds())
	series.statements.Observe(float64(statements))
}

// series returns where an operation is counted, and remembers it if its name has a series of its own: the names that
// share one are without number.
func (m *metrics) series(l operationLabels) *operationSeries {
	name := m.label(l.name, l.outcome == Executed)
	kind := l.kind
	switch kind {
	case "query", "mutation", "subscription":
	default:
		kind = "unknown"
	}
	s := &operationSeries{
		operations: m.operations.WithLabelValues(name, kind, l.outcome.String()),
		duration:   m.durations.WithLabelValues(name),
		statements: m.statements.WithLabelValues(name),
	}
	if kind == l.kind && (name == l.name || l.name == "") {
		m.known.Lock()
		m.byOperation[l] = s
		m.known.Unlock()
	}
	return s
}

// label returns the operation name under which an operation is counted. A name gets its own series when an operation
// of that name first runs, as long as there is room.
func (m *metrics) label(name string, ran bool) string {
	if name == "" {
		return "anonymous"
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	switch {
	case m.names[name]:
		return name
	case ran && len(m.names) < maxOperationNames && len(name) <= 64:
		m.names[name] = true
		return name
	default:
		return "other"
	}
}

// poolCollector shows the state of the connection pool.
type poolCollector func() *pgxpool.Stat

var (
	poolConnections = prometheus.NewDesc("collegium_pool_connections", "Connections to PostgreSQL, by state.", []string{"state"}, nil)
	poolLimit       = prometheus.NewDesc("collegium_pool_connections_max", "Connections to PostgreSQL at most.", nil, nil)
	poolAcquired    = prometheus.NewDesc("collegium_pool_acquires_total", "Connections taken from the pool.", nil, nil)
	poolWaited      = prometheus.NewDesc("collegium_pool_waits_total", "Connections that had to be waited for.", nil, nil)
	poolWaitTime    = prometheus.NewDesc("collegium_pool_acquire_seconds_total", "Time spent taking connections from the pool.", nil, nil)
)

func (c poolCollector) Describe(ch chan<- *prometheus.Desc) {
	for _, d := range []*prometheus.Desc{poolConnections, poolLimit, poolAcquired, poolWaited, poolWaitTime} {
		ch <- d
	}
}

func (c poolCollector) Collect(ch chan<- prometheus.Metric) {
	stat := c()
	if stat == nil {
		return
	}
	gauge := func(d *prometheus.Desc, v float64, labels ...string) {
		ch <- prometheus.MustNewConstMetric(d, prometheus.GaugeValue, v, labels...)
	}
	counter := func(d *prometheus.Desc, v float64) {
		ch <- prometheus.MustNewConstMetric(d, prometheus.CounterValue, v)
	}
	gauge(poolConnections, float64(stat.AcquiredConns()), "in_use")
	gauge(poolConnections, float64(stat.IdleConns()), "idle")
	gauge(poolConnections, float64(stat.ConstructingConns()), "opening")
	gauge(poolLimit, float64(stat.MaxConns()))
	counter(poolAcquired, float64(stat.AcquireCount()))
	counter(poolWaited, float64(stat.EmptyAcquireCount()))
	counter(poolWaitTime, stat.AcquireDuration().Seconds())
}
