package gateway

import (
	"cmp"
	"net/http"
	"strconv"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"

	"github.com/sealane/sealane/sealhttp"
)

// metrics are what is counted. No label comes from a request but for names that are ours: routes, the
// profile's endpoints, known methods, faults, and a bounded number of partners.
type metrics struct {
	g        *Gateway
	registry *prometheus.Registry

	requests  *prometheus.CounterVec
	durations *prometheus.HistogramVec
	refusals  *prometheus.CounterVec
	messages  *prometheus.CounterVec
	resends   *prometheus.CounterVec
	ended     *prometheus.CounterVec
	retired   *prometheus.CounterVec
	early     *prometheus.CounterVec
	looks     *prometheus.CounterVec
	steps     *prometheus.HistogramVec
	waits     *prometheus.HistogramVec
	reloads   *prometheus.CounterVec

	clockJumps *prometheus.CounterVec
	endEvents  *prometheus.CounterVec

	connections prometheus.Counter // that were refused
	schedule    *schedule

	mu       sync.Mutex
	partners map[string]bool // that have a name of their own
}

const (
	defaultPartners = 500
	otherPartner    = "other"
)

// partnersInMetrics returns how many partners have a name of their own.
func (c *Config) partnersInMetrics() int { return cmp.Or(c.Metrics.Partners, defaultPartners) }

func newMetrics(g *Gateway) *metrics {
	counter := func(name, help string, labels ...string) *prometheus.CounterVec {
		return prometheus.NewCounterVec(prometheus.CounterOpts{Name: "sealane_" + name, Help: help}, labels)
	}
	histogram := func(name, help string, buckets []float64, labels ...string) *prometheus.HistogramVec {
		return prometheus.NewHistogramVec(
			prometheus.HistogramOpts{Name: "sealane_" + name, Help: help, Buckets: buckets},
			labels,
		)
	}
	fast := prometheus.ExponentialBuckets(0.0001, 2.5, 12)
	m := &metrics{
		g: g, schedule: newSchedule(), registry: prometheus.NewRegistry(), partners: map[string]bool{},
		requests: counter("requests_total", "Requests, by the status that was answered.",
			"route", "partner", "method", "endpoint", "status"),
		durations: histogram("request_duration_seconds", "From the header of a request to the end of its answer.",
			prometheus.DefBuckets, "route", "endpoint"),
		refusals: counter(
			"refusals_total", "Requests and answers that were refused, by fault.", "route", "partner", "fault",
		),
		messages: counter("messages_total", "Messages that were sealed or opened.", "route", "partner", "step"),
		ended: counter("ended_certificate_uses_total",
			"Messages that were sealed or opened after the certificate of a key had ended.",
			"route", "partner", "owner"),
		retired: counter("ended_key_messages_total",
			"Refused messages that were made for a key pair of ours that has ended: at most one a minute and lane.",
			"route", "partner", "state"),
		early: counter("early_certificate_messages_total",
			"Refused messages of a certificate that is not in use yet: at most one a minute and partner.",
			"route", "partner", "state"),
		looks: counter("key_looks_total",
			"Looks for the key of a message that could not be opened, by result.", "result"),
		resends: counter("resends_total",
			"Messages that were sealed again with other keys, by why the partner had refused them.",
			"route", "partner", "refusal"),
		steps: histogram("message_duration_seconds", "Sealing or opening one message.", fast, "route", "step"),
		waits: histogram(
			"message_wait_seconds", "Waiting for a place to seal or open one message.", fast, "route", "step",
		),
		reloads: counter("reloads_total", "Reloads of the configuration, by result.", "result"),
		clockJumps: counter("clock_jumps_total",
			"Jumps of the wall clock by more than a minute: it was set, or the machine slept.", "direction"),
		endEvents: counter("end_events_total",
			"Calls of the webhook that a certificate in a file ends, by result.", "result"),
		connections: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "sealane_connections_refused_total",
			Help: "Connections that were closed at once, because their network had its share.",
		}),
	}
	m.registry.MustRegister(
		m.requests, m.durations, m.refusals, m.messages, m.resends, m.ended, m.retired, m.early, m.looks, m.steps,
		m.waits, m.reloads, m.connections, m.clockJumps, m.endEvents, &stateCollector{g: g},
		collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}),
	)
	m.registry.MustRegister(m.schedule.collectors()...)
	for _, direction := range []string{"forward", "back"} { // there from the beginning, so that the first is seen
		m.clockJumps.WithLabelValues(direction)
	}
	for _, result := range []string{"received", "failed"} {
		m.endEvents.WithLabelValues(result)
	}
	return m
}

// handler serves the metrics.
func (m *metrics) handler() http.Handler {
	return promhttp.HandlerFor(m.registry, promhttp.HandlerOpts{})
}

// partner returns the label of a partner.
func (m *metrics) partner(name string) string {
	m.mu.Lock()
	defer m.mu.Unlock()
	if name == "" || m.partners[name] {
		return name
	}
	if len(m.partners) >= m.g.config().partnersInMetrics() {
		return otherPartner
	}
	m.partners[name] = true
	return name
}

// request counts a request. The exchange is locked.
func (m *metrics) request(x *exchange, status int, took time.Duration) {
	route, partner := x.route.name, m.partner(x.partner())
	m.requests.WithLabelValues(route, partner, x.method, x.endpoint, strconv.Itoa(status)).Inc()
	m.durations.WithLabelValues(route, x.endpoint).Observe(took.Seconds())
	if x.reason == "" {
		return
	}
	fault := string(x.fault)
	if fault == "" {
		fault = string(x.outcome)
	}
	if fault == "" {
		fault = "request"
	}
	m.refusals.WithLabelValues(route, partner, fault).Inc()
}

// message counts a message that was sealed or opened.
func (m *metrics) message(r *route, e sealhttp.Event) {
	if e.Err != nil {
		return // the request is counted with its fault
	}
	m.messages.WithLabelValues(r.name, m.partner(e.Lane.Partner()), string(e.Step)).Inc()
	for whose := range endedKeys(e, m.g.now()) {
		m.ended.WithLabelValues(r.name, m.partner(e.Lane.Partner()), whose).Inc()
	}
	if e.Resend != "" {
		m.resends.WithLabelValues(r.name, m.partner(e.Lane.Partner()), string(e.Resend)).Inc()
	}
	m.steps.WithLabelValues(r.name, string(e.Step)).Observe(e.Took.Seconds())
	m.waits.WithLabelValues(r.name, string(e.Step)).Observe(e.Waited.Seconds())
}

// stateCollector collects what the state of the moment tells.
type stateCollector struct {
	g    *Gateway
	ends registryEnds
}

var (
	snapshotTime = prometheus.NewDesc("sealane_registry_snapshot_timestamp_seconds",
		"When the lanes in use were read from the registry.", nil, nil)
	snapshotLanes = prometheus.NewDesc("sealane_registry_lanes", "Lanes that were read from the registry.", nil, nil)
	snapshotAge   = prometheus.NewDesc("sealane_registry_age_seconds",
		"For how long it has not been known whether the lanes are the newest. A minute is an alarm.", nil, nil)
	damagedRows = prometheus.NewDesc("sealane_registry_damaged_rows",
		"Rows of the registry that can't be read; their lanes fail.", nil, nil)
	serverEnd = prometheus.NewDesc("sealane_server_certificate_end_timestamp_seconds",
		"When the certificate of a listener ends.", []string{"route"}, nil)
	clientEnd = prometheus.NewDesc("sealane_client_certificate_end_timestamp_seconds",
		"When our certificate to an upstream ends.", []string{"route"}, nil)
	placesTaken = prometheus.NewDesc("sealane_places_taken",
		"Messages that are sealed or opened at the moment.", nil, nil)
	placesAll     = prometheus.NewDesc("sealane_places", "Messages that can be sealed or opened at once.", nil, nil)
	placesWaiting = prometheus.NewDesc("sealane_places_waiting", "Messages that wait for a place.", nil, nil)
	readyNow      = prometheus.NewDesc("sealane_ready", "Whether the gateway is ready, 1 or 0.", nil, nil)
)

// Describe implements [prometheus.Collector].
func (c *stateCollector) Describe(to chan<- *prometheus.Desc) {
	for _, d := range []*prometheus.Desc{
		snapshotTime, snapshotLanes, snapshotAge, damagedRows, certificateEnd, serverEnd, clientEnd,
		issuerEnd, webhookEnd, endUnknown, readyNow, placesAll, placesTaken, placesWaiting,
	} {
		to <- d
	}
}

// Collect implements [prometheus.Collector].
func (c *stateCollector) Collect(to chan<- prometheus.Metric) {
	gauge := func(d *prometheus.Desc, value float64, labels ...string) {
		to <- prometheus.MustNewConstMetric(d, prometheus.GaugeValue, value, labels...)
	}
	s := c.g.state.Load()
	ready := 0.0
	if len(c.g.NotReady()) == 0 {
		ready = 1
	}
	gauge(readyNow, ready)
	usage := c.g.gate.Usage()
	gauge(placesAll, float64(usage.Places))
	gauge(placesTaken, float64(usage.Taken))
	gauge(placesWaiting, float64(usage.Waiting))
	if s.registry != nil {
		if snapshot := s.registry.snapshot.Load(); snapshot != nil {
			gauge(snapshotTime, float64(snapshot.Taken.Unix()))
			gauge(snapshotLanes, float64(snapshot.Len()))
			gauge(snapshotAge, s.registry.age().Seconds())
			gauge(damagedRows, float64(len(snapshot.Damaged())))
		}
	}
	for _, r := range s.routes {
		if r.tls != nil {
			gauge(serverEnd, float64(r.tls.current.Load().Leaf.NotAfter.Unix()), r.name)
		}
		if r.client != nil {
			gauge(clientEnd, float64(r.client.current.Load().Leaf.NotAfter.Unix()), r.name)
		}
	}
	c.collectEnds(s, gauge)
}
