package gateway

import (
	"cmp"
	"slices"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/sealane/sealane/internal/lanes"
	"github.com/sealane/sealane/lanedir"
)

var certificateEnd = prometheus.NewDesc(
	"sealane_certificate_end_timestamp_seconds",
	"When a certificate of a lane ends. Lanes of the registry have no route; of their partners, those have a name "+
		"whose certificates end first.",
	[]string{"route", "partner", "environment", "owner", "state", "serial"}, nil,
)

var (
	issuerEnd = prometheus.NewDesc("sealane_issuer_certificate_end_timestamp_seconds",
		"When a certificate of an issuer ends, by which callers (client_ca) or an upstream (ca) are known.",
		[]string{"route", "use", "serial"}, nil)
	webhookEnd = prometheus.NewDesc("sealane_webhook_certificate_end_timestamp_seconds",
		"When the certificate ends that the webhook's server has presented last.", nil, nil)
	endUnknown = prometheus.NewDesc("sealane_file_keys_without_end",
		"Keys of a lane in files whose certificate is not known, so that nobody is told of its end.",
		[]string{"route"}, nil)
)

// endLabels are the labels of certificateEnd.
type endLabels struct {
	route, partner, environment string
	owner                       string // ours or theirs
	state, serial               string
}

// ends are when certificates end. Of two with the same labels, such as two with the serial number 1, the one
// that ends first counts.
type ends map[endLabels]time.Time

func (e ends) add(l endLabels, at time.Time) {
	if before, known := e[l]; !known || at.Before(before) {
		e[l] = at
	}
}

func ownerLabel(ours bool) string {
	if ours {
		return "ours"
	}
	return "theirs"
}

// addLane adds the certificates of a lane from files, and returns for how many keys none is known.
func (e ends) addLane(route string, folder *lanedir.Folder) (unknown int) {
	lane := folder.Lane()
	for _, f := range folder.Files() {
		if f.Certificate == nil {
			unknown++
			continue
		}
		e.add(endLabels{
			route, lane.Partner(), lane.Environment(), ownerLabel(f.Ours), f.State.String(),
			f.Certificate.SerialNumber.Text(16),
		}, f.Certificate.NotAfter)
	}
	return unknown
}

// registryEnds are the ends of the snapshot that was collected last: as long as it is the newest, they stay.
type registryEnds struct {
	mu   sync.Mutex
	of   *lanes.Snapshot
	most int
	ends ends
}

// collect returns the ends of the certificates of a snapshot. As many partners have a name as may, those whose
// certificates end first. The others are one: what ends first of them counts.
func (r *registryEnds) collect(s *lanes.Snapshot, most int) ends {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.of == s && r.most == most {
		return r.ends
	}
	first := map[string]time.Time{}
	for c := range s.CertificateEnds() {
		if at, known := first[c.Partner]; c.Partner != "" && (!known || c.NotAfter.Before(at)) {
			first[c.Partner] = c.NotAfter
		}
	}
	named := namedFirst(first, most)
	r.of, r.most, r.ends = s, most, ends{}
	for c := range s.CertificateEnds() {
		l := endLabels{"", c.Partner, c.Environment, ownerLabel(c.Ours), c.State.String(), c.Serial}
		if c.Partner != "" && !named[c.Partner] {
			l.partner, l.serial = otherPartner, ""
		}
		r.ends.add(l, c.NotAfter)
	}
	return r.ends
}

// namedFirst returns the partners whose times are the first, in the order of their names where times are equal.
func namedFirst(first map[string]time.Time, most int) map[string]bool {
	named := make(map[string]bool, min(len(first), most))
	if len(first) <= most {
		for partner := range first {
			named[partner] = true
		}
		return named
	}
	type partner struct {
		name string
		at   time.Time
	}
	all := make([]partner, 0, len(first))
	for name, at := range first {
		all = append(all, partner{name, at})
	}
	slices.SortFunc(all, func(a, b partner) int { return cmp.Or(a.at.Compare(b.at), cmp.Compare(a.name, b.name)) })
	for _, p := range all[:most] {
		named[p.name] = true
	}
	return named
}

// collectEnds collects when certificates end.
func (c *stateCollector) collectEnds(s *state, gauge func(d *prometheus.Desc, value float64, labels ...string)) {
	all := []ends{{}}
	for _, r := range s.routes {
		if r.folder != nil {
			gauge(endUnknown, float64(all[0].addLane(r.name, r.folder)), r.name)
		}
	}
	c.collectIssuers(s, gauge)
	if s.hook != nil && s.hook.Certificate() != nil {
		gauge(webhookEnd, float64(s.hook.Certificate().NotAfter.Unix()))
	} else if end := c.g.metrics.schedule.webhookEnd.Load(); end != 0 {
		gauge(webhookEnd, float64(end))
	}
	if s.registry != nil {
		if snapshot := s.registry.snapshot.Load(); snapshot != nil {
			all = append(all, c.ends.collect(snapshot, s.config.partnersInMetrics()))
		}
	}
	for _, some := range all {
		for l, at := range some {
			gauge(certificateEnd, float64(at.Unix()), l.route, l.partner, l.environment, l.owner, l.state, l.serial)
		}
	}
}

// collectIssuers collects when the certificates of issuers end. Of two with one serial number, the first end counts.
func (c *stateCollector) collectIssuers(s *state, gauge func(d *prometheus.Desc, value float64, labels ...string)) {
	type labels struct{ route, use, serial string }
	first := map[labels]time.Time{}
	for w := range s.watched() {
		if !w.Use.issues() {
			continue
		}
		l := labels{w.Routes[0], string(w.Use), w.Certificate.SerialNumber.Text(16)}
		if at, known := first[l]; !known || w.end().Before(at) {
			first[l] = w.end()
		}
	}
	for l, at := range first {
		gauge(issuerEnd, float64(at.Unix()), l.route, l.use, l.serial)
	}
}
