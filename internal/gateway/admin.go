package gateway

import (
	"context"
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	"net/netip"
	"time"

	"github.com/sealane/sealane"
	"github.com/sealane/sealane/internal/httpserver"
	"github.com/sealane/sealane/internal/loopback"
	"github.com/sealane/sealane/keyring"
	"github.com/sealane/sealane/rsaengine"
)

// adminServer serves health, metrics and status.
type adminServer struct {
	address Address
	net     net.Listener
	stop    context.CancelFunc
}

// openAdmin opens the admin address. It returns the server that is open where the address is the same, and
// nil where there is none.
func (g *Gateway) openAdmin(address Address) (*adminServer, error) {
	switch {
	case g.admin != nil && g.admin.address == address:
		return g.admin, nil
	case address == "":
		return nil, nil
	}
	n, err := openListener(g.run, Listen{Address: address})
	if err != nil {
		return nil, fmt.Errorf("admin: %w", err)
	}
	ctx, stop := context.WithCancel(g.run)
	a := &adminServer{address, n, stop}
	g.running.Go(func() {
		if err := httpserver.Serve(ctx, n, address.guard(g.adminHandler(address.local())), g.log); err != nil {
			g.log.Error("admin ended", "reason", err.Error())
		}
	})
	return a, nil
}

// setAdmin puts a server in the place of the one that is open.
func (g *Gateway) setAdmin(a *adminServer) {
	if g.admin != nil && g.admin != a {
		g.admin.stop()
	}
	g.admin = a
}

// adminHandler serves the admin's pages. What tells about keys and partners is for this machine only.
func (g *Gateway) adminHandler(local bool) http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc(
		"GET /healthz",
		func(w http.ResponseWriter, _ *http.Request) { writeText(w, http.StatusOK, "ok\n") },
	)
	mux.HandleFunc("GET /readyz", func(w http.ResponseWriter, _ *http.Request) {
		reasons := g.NotReady()
		if len(reasons) == 0 {
			writeText(w, http.StatusOK, "ready\n")
			return
		}
		text := "not ready\n"
		for _, r := range reasons {
			text += r + "\n"
		}
		writeText(w, http.StatusServiceUnavailable, text)
	})
	mux.Handle("GET /metrics", g.metrics.handler())
	if local {
		mux.HandleFunc("GET /status", g.serveStatus)
	}
	return mux
}

// guard keeps pages of other sites away, also those whose name leads to this machine (DNS rebinding). On a
// unix socket there are none, and who listens on every address has no name of his own.
func (a Address) guard(next http.Handler) http.Handler {
	host, _, err := net.SplitHostPort(string(a))
	ip, ipErr := netip.ParseAddr(host)
	anyHost := err != nil || host == "" || ipErr == nil && ip.IsUnspecified()
	return http.HandlerFunc(func(w http.ResponseWriter, q *http.Request) {
		// HTTP/1.0 has no Host, and no browser speaks it.
		if to := hostOnly(q.Host); !anyHost && to != "" && !loopback.Is(to) && to != hostOnly(string(a)) {
			writeText(w, http.StatusMisdirectedRequest, "call this by the address of the word admin\n")
			return
		}
		for _, origin := range values(q.Header, "Origin") {
			if q.Host == "" || origin != "http://"+q.Host {
				writeText(w, http.StatusForbidden, "the request comes from a page of another site (Origin)\n")
				return
			}
		}
		next.ServeHTTP(w, q)
	})
}

func writeText(w http.ResponseWriter, status int, text string) {
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	w.Header().Set("Cache-Control", "no-store")
	w.WriteHeader(status)
	fmt.Fprint(w, text)
}

// NotReady returns why the gateway should get no new requests. Upstreams never count: a partner that is
// down must not take all gateways out of service.
func (g *Gateway) NotReady() []string {
	var reasons []string
	if g.draining.Load() {
		reasons = append(reasons, "draining")
	}
	s := g.state.Load()
	if s.registry != nil {
		if _, err := s.registry.current(); err != nil {
			reasons = append(reasons, err.Error())
		}
	}
	for _, r := range s.routes {
		if r.folder == nil {
			continue
		}
		if err := r.source.ready(); err != nil {
			reasons = append(reasons, "route "+r.name+": "+err.Error())
		}
	}
	return reasons
}

// Waiting returns for which partners of the registry a route answers 503 until it has their keys, up to 20 of each
// route. That does not make the gateway unready: new keys are in force when they are there.
func (g *Gateway) Waiting() []string {
	const most = 20
	var reasons []string
	for _, r := range g.state.Load().routes {
		s, ok := r.source.(*registrySource)
		if !ok {
			continue
		}
		n := 0
		for err := range s.waiting() {
			if n++; n > most {
				reasons = append(reasons, "route "+r.name+": further lanes wait for keys")
				break
			}
			reasons = append(reasons, "route "+r.name+": "+err.Error())
		}
	}
	return reasons
}

// status is what /status tells.
type status struct {
	Version string `json:"version,omitempty"`
	RSA     string `json:"rsa"`

	// Batches are counts of an RSA engine that works on several operations at once.
	Batches *rsaengine.Batches `json:"rsa_batches,omitempty"`

	Ready    bool            `json:"ready"`
	Reasons  []string        `json:"not_ready,omitempty"`
	Registry *registryStatus `json:"registry,omitempty"`
	Routes   []routeStatus   `json:"routes"`
}

type registryStatus struct {
	Node    string    `json:"node"`   // the name by which the gateway reports itself
	Taken   time.Time `json:"taken"`  // when the snapshot was read
	Known   time.Time `json:"known"`  // when it was known to be the newest, last
	Record  int64     `json:"record"` // the last record of the audit log that it has
	Lanes   int       `json:"lanes"`
	Failed  string    `json:"failed,omitempty"`       // why it is not known any more
	Alarm   bool      `json:"alarm,omitempty"`        // for a minute or longer
	Damaged int       `json:"damaged,omitempty"`      // rows that can't be read
	Rows    []string  `json:"damaged_rows,omitempty"` // the first of them
}

type routeStatus struct {
	Name    string      `json:"name"`
	Way     string      `json:"way"` // egress, ingress or local
	Profile string      `json:"profile"`
	Listen  string      `json:"listen"`
	Lane    *laneStatus `json:"lane,omitempty"`
}

type laneStatus struct {
	Name   string      `json:"name"`
	Ours   []keyStatus `json:"ours"`
	Theirs []keyStatus `json:"theirs"`
}

type keyStatus struct {
	KeyID string     `json:"key_id,omitempty"`
	State string     `json:"state"`
	Bits  int        `json:"bits"`
	Ends  *time.Time `json:"ends,omitempty"` // of its certificate
}

func (g *Gateway) serveStatus(w http.ResponseWriter, _ *http.Request) {
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Cache-Control", "no-store")
	e := json.NewEncoder(w)
	e.SetIndent("", "  ")
	e.Encode(g.status()) // an error is the client's going away
}

func (g *Gateway) status() status {
	s := g.state.Load()
	reasons := g.NotReady()
	out := status{Version: g.options.Version, RSA: g.options.RSA.String(), Batches: g.options.RSA.Batches(),
		Ready: len(reasons) == 0, Reasons: reasons}
	if s.registry != nil {
		out.Registry = s.registry.status()
	}
	for _, r := range s.routes {
		one := routeStatus{Name: r.name, Listen: string(r.c.Listen.Address)}
		one.Way, one.Profile = r.c.kind()
		if r.profile != nil {
			one.Profile = r.profile.Name()
		}
		if r.folder != nil {
			one.Lane = statusOf(r.folder.Lane())
		}
		out.Routes = append(out.Routes, one)
	}
	return out
}

func statusOf(l *sealane.Lane) *laneStatus {
	keys := func(infos []keyring.KeyInfo) []keyStatus {
		list := []keyStatus{}
		for _, k := range infos {
			one := keyStatus{KeyID: k.ID, State: k.State.String(), Bits: k.Public.N.BitLen()}
			if k.Certificate != nil {
				one.Ends = &k.Certificate.NotAfter
			}
			list = append(list, one)
		}
		return list
	}
	return &laneStatus{l.Name(), keys(l.Ours()), keys(l.Theirs())}
}
