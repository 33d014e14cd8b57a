package gateway

import (
	"context"
	"errors"
	"io"
	"io/fs"
	"log/slog"
	"net/netip"
	"os"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/sealane/sealane/internal/admission"
	"github.com/sealane/sealane/internal/notify"
	"github.com/sealane/sealane/internal/strictyaml"
	"github.com/sealane/sealane/rsaengine"
	"github.com/sealane/sealane/sealhttp"
)

// Options are the settings of a gateway that are not in its file. The zero value serves routes whose keys
// are in files.
type Options struct {
	// RSA performs the RSA operations. Nil is crypto/rsa.
	RSA *rsaengine.Engine
	// OpenRegistry opens the registry. Without it a configuration must have none.
	OpenRegistry func(context.Context, RegistrySettings) (Registry, error)
	// Log is where the log goes. The default is standard error.
	Log io.Writer
	// Version is shown in /status.
	Version string
	// Now is the clock. The default is time.Now.
	Now func() time.Time
	// Clocks returns the wall clock and one that nobody sets, to notice that the first one jumps. The
	// default is the machine's.
	Clocks func() (wall time.Time, steady time.Duration)
	// Progress is how long a client may take to read a piece of its answer. The default is 30 s.
	Progress time.Duration
	// System is the root of the file system, where the limits of the process's control groups are read.
	// The default is that of the machine.
	System fs.FS
}

// Gateway serves the routes of a configuration.
type Gateway struct {
	options Options
	file    string
	now     func() time.Time
	log     *slog.Logger
	logTo   *swapHandler

	state    atomic.Pointer[state]
	gate     *admission.Gate
	held     sealhttp.Limits // what messages hold on all routes
	resends  sealhttp.Resends
	partners *partnerLimits
	failures *limiter[netip.Prefix]    // callers that are not known
	unopened *limiter[admission.Party] // messages that did not open
	sampler  *sampler
	clock    *clockWatch
	metrics  *metrics
	looks    *looks
	ends     *endWatch
	draining atomic.Bool

	mu        sync.Mutex      // held while the configuration changes
	run       context.Context // ends when the gateway does
	ending    bool            // no reload begins any more
	listeners map[Address]*listener
	retired   []retired
	admin     *adminServer
	running   sync.WaitGroup
	ended     chan error // of listeners that end by themselves
}

// state is a configuration in force. It does not change; a reload makes another.
type state struct {
	config   *Config
	routes   []*route
	registry *registry
	hook     *notify.Hook       // nil: no program is told
	files    fileSums           // of the files that are read only when a state is made
	stop     context.CancelFunc // of the registry's goroutine
}

// New reads a configuration file, opens keys, certificates and the registry, and returns a gateway that
// does not listen yet. An error has all faults at once.
func New(ctx context.Context, file string, o Options) (*Gateway, error) {
	g := &Gateway{
		options: o, file: file, now: o.Now, logTo: &swapHandler{}, listeners: map[Address]*listener{},
		ended: make(chan error, 1),
	}
	if g.now == nil {
		g.now = time.Now
	}
	g.resends.Now = g.now
	if o.Log == nil {
		g.options.Log = os.Stderr
	}
	if o.System == nil {
		g.options.System = os.DirFS("/")
	}
	g.logTo.set(newLog(g.options.Log, Log{}).Handler())
	g.log = slog.New(g.logTo)
	o.RSA.Notify(func(text string) { g.log.Warn(text) })
	g.partners, g.failures = newPartnerLimits(g.now), newLimiter[netip.Prefix](g.now)
	g.gate, g.unopened = admission.NewGate(0, 0), newLimiter[admission.Party](g.now) // apply sets the gate
	g.sampler = newSampler(g.now)
	if o.Clocks == nil {
		o.Clocks = systemClocks()
	}
	g.clock = newClockWatch(o.Clocks)
	g.metrics = newMetrics(g)
	g.looks, g.ends = newLooks(g), &endWatch{notes: map[string]*endNote{}}
	next, err := g.build(ctx, nil)
	if err != nil {
		return nil, err
	}
	g.apply(next)
	return g, nil
}

// config returns the configuration in force.
func (g *Gateway) config() *Config { return g.state.Load().config }

// build makes the state of the file as it is now. What has not changed lives on from the old state.
func (g *Gateway) build(ctx context.Context, old *state) (*state, error) {
	c, f, err := read(g.file)
	if err != nil {
		return nil, err
	}
	return g.buildFrom(ctx, c, f, old)
}

// buildFrom makes the state of a configuration. f has what is wrong with it already.
func (g *Gateway) buildFrom(ctx context.Context, c *Config, f *faults, old *state) (*state, error) {
	var err error
	b := &builder{faults: f, g: g, c: c}
	next := &state{config: c, files: sumsOf(c.filesReadOnce())} // what changes from now on is read again
	if !b.in("registry") {
		if next.registry, err = b.openRegistry(ctx, old); err != nil {
			b.add("registry", "%v", err)
		}
	}
	b.registry = next.registry
	next.hook = b.hook(ctx)
	for i := range c.Routes {
		next.routes = append(next.routes, b.route(ctx, i, old.route(c.Routes[i].Name)))
	}
	if err := b.err(); err != nil {
		next.discard(old)
		return nil, err
	}
	return next, nil
}

// route returns the route of that name, or nil.
func (s *state) route(name string) *route {
	if s == nil {
		return nil
	}
	for _, r := range s.routes {
		if r.name == name {
			return r
		}
	}
	return nil
}

// discard closes a state that was never in force, but for what it shares with another.
func (s *state) discard(other *state) {
	for _, r := range s.routes {
		if r != nil && r.folder != nil {
			r.folder.Close()
		}
	}
	s.discardShared(other)
}

// discardShared closes the connections that the state does not share with another.
func (s *state) discardShared(other *state) {
	for _, r := range s.routes {
		if r == nil {
			continue
		}
		if kept := other.route(r.name); r.upstream != nil && (kept == nil || kept.upstream != r.upstream) {
			r.upstream.close()
		}
	}
	if s.registry != nil && (other == nil || other.registry != s.registry) {
		if s.stop != nil {
			s.stop()
		} else {
			s.registry.source.Close()
		}
	}
}

// apply puts a state in force.
func (g *Gateway) apply(next *state) {
	c := next.config
	g.logTo.set(newLog(g.options.Log, c.Log).Handler())
	g.limitHeap(c)
	g.partners.partners.set(c.PartnerLimits.Rate, c.PartnerLimits.Burst)
	for _, r := range next.routes {
		r.rates.set(r.c.Limits.Rate, r.c.Limits.Burst)
	}
	failures := c.PartnerLimits.Failures
	if failures == 0 {
		failures = defaultFailures
	}
	g.failures.set(failures, 0)
	g.gate.Set(g.places(c), c.Limits.Queue.Or(defaultQueue))
	g.held.Set(maxInFlight, g.heldMemory(c), share)
	g.state.Store(next)
}

const defaultFailures Rate = 10

// Faults returns what is wrong with the configuration, from an error of [New] or [Gateway.Reload].
func Faults(err error) []strictyaml.Fault {
	if f, ok := errors.AsType[*strictyaml.Faults](err); ok {
		return slices.Clone(f.List)
	}
	return nil
}
