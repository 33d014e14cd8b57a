package gateway

import (
	"cmp"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httputil"
	"reflect"
	"slices"
	"strings"

	"github.com/sealane/sealane"
	"github.com/sealane/sealane/internal/admission"
	"github.com/sealane/sealane/internal/lanes"
	"github.com/sealane/sealane/lanedir"
	"github.com/sealane/sealane/profile"
	"github.com/sealane/sealane/sealhttp"
)

// route is one way through the gateway, ready to serve. It does not change; a reload makes another.
type route struct {
	g       *Gateway
	c       *Route
	name    string
	path    string // of the route in the file
	plain   []string
	anyPath bool // the profile seals requests to every path
	hosts   map[string]bool
	profile *profile.Compiled
	source  source
	folder  *lanedir.Folder // nil: the registry has the lanes

	upstream      *upstream
	upstreamSum   [sha256.Size]byte
	client        *filePair  // our certificate to the upstream, or nil
	issuers       issuers    // of the upstream's certificate
	tls           *serverTLS // nil: plain HTTP
	token         []byte     // SHA-256 of the listener's token, or nil
	authorization string
	rates         *limiter[admission.Party] // of partners, on this route

	proxy   *httputil.ReverseProxy
	handler *sealhttp.Handler // of an ingress

	programs []program // of a local API, by their tokens
}

// side returns which side of the lane we are. It is empty for a local API, which has both.
func (c *Route) side() sealane.Side {
	switch {
	case c.Egress != "":
		return sealane.ClientSide
	case c.Ingress != "":
		return sealane.ServerSide
	}
	return ""
}

// kind returns the word of the route's kind, and its profile.
func (c *Route) kind() (word, profile string) {
	switch {
	case c.Egress != "":
		return "egress", c.Egress
	case c.Ingress != "":
		return "ingress", c.Ingress
	}
	return "local", c.Local
}

// builder makes the routes of a configuration, and collects all that is wrong.
type builder struct {
	*faults
	g        *Gateway
	c        *Config
	registry *registry
}

// route makes a route. old is the one of that name that serves now, or nil.
func (b *builder) route(ctx context.Context, i int, old *route) *route {
	c := &b.c.Routes[i]
	r := &route{g: b.g, c: c, name: c.Name, path: fmt.Sprintf("routes[%d]", i)}
	var err error
	word, name := c.kind()
	if b.unknownKind(r.path) {
		b.independent(ctx, r, old)
		return nil
	}
	if c.Local != "" {
		return b.local(ctx, r, old)
	}
	if r.profile, err = b.profile(name); err != nil {
		b.wrong(r, word, err)
		b.independent(ctx, r, old)
		return nil
	}
	r.anyPath = slices.ContainsFunc(r.profile.Profile().Endpoints, func(e profile.Endpoint) bool {
		return e.Path == profile.Any
	})
	if c.Environment != "" && !slices.Contains(r.profile.Environments(), c.Environment) {
		b.add(
			r.path+".environment", "%q is none of the profile's: %s", c.Environment,
			strings.Join(r.profile.Environments(), ", "),
		)
	}
	r.setHosts()
	b.setRates(r, old)
	if err := checkPlain(r.profile, c.Plain); err != nil {
		b.wrong(r, "plain", err)
	} else {
		r.plain = c.Plain
	}
	b.part(r, "keys", func() error { return b.setSource(ctx, r) },
		"partner", "environment", "caller", "accept_rsa_oaep", "sealing", "max_payload")
	b.independent(ctx, r, old)
	if r.upstream != nil { // otherwise a fault was noted
		r.setProxy()
	}
	return r
}

// independent makes the parts of a route that need no profile.
func (b *builder) independent(ctx context.Context, r, old *route) {
	b.part(r, "tls", func() (err error) {
		r.tls, err = newServerTLS(r.c.TLS, b.c.dir)
		return err
	})
	if r.c.Local == "" {
		b.part(r, "upstream", func() error { return b.setUpstream(r, old) })
	}
	b.part(r, "clients", func() error { return b.setToken(ctx, r) })
	b.part(r, "authorization", func() error { return b.setAuthorization(ctx, r) })
}

// part makes a part of a route. It does not where its word, or another on which it depends, has a fault: it could
// only have more for the same reason.
func (b *builder) part(r *route, word string, do func() error, dependsOn ...string) {
	for _, one := range append(dependsOn, word) {
		if b.in(r.path + "." + one) {
			return
		}
	}
	b.wrong(r, word, do())
}

// wrong notes what is wrong with a word of a route: each of several errors is a fault of its own.
func (b *builder) wrong(r *route, word string, err error) {
	if all, ok := err.(interface{ Unwrap() []error }); ok {
		if list := all.Unwrap(); err.Error() == errors.Join(list...).Error() {
			for _, one := range list {
				b.wrong(r, word, one)
			}
			return
		}
	}
	if err != nil {
		b.add(r.path+"."+word, "%v", err)
	}
}

// setRates sets the rates of partners on a route, and what it may hold.
func (b *builder) setRates(r, old *route) {
	if old != nil {
		r.rates = old.rates // with the old rate until the new state is in force
		return
	}
	r.rates = newLimiter[admission.Party](b.g.now)
	r.rates.set(r.c.Limits.Rate, r.c.Limits.Burst)
}

// profile loads a profile by its name, or from a file next to the configuration.
func (b *builder) profile(name string) (*profile.Compiled, error) {
	if strings.ContainsAny(name, `/\`) || strings.HasSuffix(name, ".yaml") {
		name = Path(name).in(b.c.dir)
		if !strings.ContainsAny(name, `/\`) {
			name = "./" + name
		}
	}
	p, err := profile.Load(name)
	if err != nil {
		return nil, err
	}
	return p.Compile()
}

func (r *route) setHosts() {
	list := r.c.Hosts
	if len(list) == 0 {
		if r.c.Ingress != "" {
			return // every host
		}
		list = defaultHosts(r.c.Listen.Address)
	}
	r.hosts = map[string]bool{}
	for _, h := range list {
		r.hosts[hostOnly(h)] = true
	}
}

// setSource sets where lanes come from: files, or the registry.
func (b *builder) setSource(ctx context.Context, r *route) error {
	c := r.c
	if c.Keys == nil {
		if b.registry == nil {
			return nil // said already
		}
		partner := c.Partner
		if partner == partnerFromPath {
			partner = ""
		}
		terms := lanes.Terms{Sealing: c.Sealing, MaxPayload: int(c.MaxPayload), Plain: r.plain}
		name := "" // any
		if r.profile != nil {
			name = r.profile.Name()
		}
		r.source = &registrySource{b.registry, name, c.side(), partner, c.Environment, terms}
		if partner != "" && c.Environment != "" {
			if _, err := r.source.fixed(); err != nil {
				return fmt.Errorf("partner %s in %s: %w", partner, c.Environment, err)
			}
		}
		return nil
	}
	options := lanedir.Options{
		RSA: b.g.options.RSA, Now: b.g.now, Adjust: r.adjust,
		Warn: func(text string) { b.g.log.Warn("key", "route", c.Name, "text", text) },
	}
	if c.Keys.Passphrase != "" {
		options.Passphrase = func() ([]byte, error) {
			text, err := c.Keys.Passphrase.Read(ctx, b.c.dir)
			return []byte(text), err
		}
	}
	var err error
	if c.Keys.Folder != "" {
		r.folder, err = lanedir.Open(ctx, c.Keys.Folder.in(b.c.dir), options)
	} else {
		name := cmp.Or(c.Egress, c.Ingress)
		spec := lanedir.Spec{
			Profile: name, Side: c.side(), Partner: c.Partner, Environment: c.Environment, Ours: c.Keys.Ours,
			Theirs: c.Keys.Theirs, AcceptRSAOAEP: c.AcceptRSAOAEP, AcceptCertificate: c.Keys.AcceptCertificate,
			NoResend: c.NoResend, Expired: c.Expired,
		}
		r.folder, err = spec.In(b.c.dir).Open(ctx, options)
	}
	if err != nil {
		return err
	}
	r.source = fileSource{r.folder}
	return nil
}

// adjust holds a lane that is read from files to what the route says.
func (r *route) adjust(s *lanedir.Spec) error {
	c := r.c
	switch {
	case c.side() != "" && s.Side != c.side():
		return fmt.Errorf("the lane folder is for side %s, and the route is the %s", s.Side, c.side())
	case c.Partner != "" && s.Partner != c.Partner:
		return fmt.Errorf("the lane folder is for partner %q, and the route for %q", s.Partner, c.Partner)
	case c.Environment != "" && s.Environment != c.Environment:
		return fmt.Errorf("the lane folder is for environment %q, and the route for %q", s.Environment, c.Environment)
	}
	inline := c.Keys.Folder == ""
	if c.Sealing == sealane.SealingRequired || inline {
		s.Sealing = c.Sealing
	}
	if m := int(c.MaxPayload); m > 0 && (inline || m < cmp.Or(s.MaxPayload, sealane.DefaultMaxPayload)) {
		s.MaxPayload = m
	}
	s.Plain = append(slices.Clone(s.Plain), r.plain...)
	if c.Local != "" {
		return nil // the folder says the rest
	}
	inbound := r.profile.Request()
	if s.Side == sealane.ClientSide {
		inbound = r.profile.Response()
	}
	if s.Caller == "" && inbound.Sealed() && !inbound.Signed() {
		s.Caller = c.Caller.senderAuth()
	}
	return nil
}

// checkPlain refuses entries that would let a request pass that the profile seals.
func checkPlain(p *profile.Compiled, entries []string) error {
	for _, e := range entries {
		method, path, ok := strings.Cut(e, " ")
		if !ok || method != strings.ToUpper(method) || !strings.HasPrefix(path, "/") {
			return fmt.Errorf("%q is not of the form \"METHOD /path/{variable}\"", e)
		}
		if p.Seals(method, path) {
			return fmt.Errorf("%q: the profile seals it", e)
		}
	}
	return nil
}

// setUpstream sets where requests go. The connections of the old route live on where nothing has changed.
func (b *builder) setUpstream(r, old *route) error {
	c := r.c.Upstream
	if c == nil {
		c = &Upstream{}
	}
	client, err := newClientTLS(c.TLS, b.c.dir)
	if err != nil {
		return err
	}
	r.upstreamSum, r.client, r.issuers = client.sum, client.ours, client.issuers
	if old != nil && old.upstreamSum == client.sum && reflect.DeepEqual(old.c.Upstream, r.c.Upstream) &&
		old.c.Egress == r.c.Egress && (old.c.Keys == nil) == (r.c.Keys == nil) {
		r.upstream, r.client = old.upstream, old.client
		return nil
	}
	r.upstream, err = newUpstream(c, r.c.Egress != "", r.c.Egress != "" && c.URL == "", client.config)
	return err
}

func (b *builder) setToken(ctx context.Context, r *route) (err error) {
	if r.c.Clients != nil && r.c.Clients.Token != "" {
		r.token, err = b.token(ctx, r.c.Clients.Token)
	}
	return err
}

func (b *builder) setAuthorization(ctx context.Context, r *route) error {
	if r.c.Authorization == "" {
		return nil
	}
	value, err := r.c.Authorization.Read(ctx, b.c.dir)
	if err != nil {
		return err
	}
	if !strings.Contains(value, " ") {
		value = "Bearer " + value
	}
	if safeValue(value) != value {
		return errors.New("the value has characters that a header can't have")
	}
	r.authorization = value
	return nil
}

// token returns the SHA-256 of a token.
func (b *builder) token(ctx context.Context, s Secret) ([]byte, error) {
	token, err := s.Read(ctx, b.c.dir)
	if err != nil {
		return nil, err
	}
	if len(token) < minToken {
		return nil, fmt.Errorf("the token is shorter than %d characters", minToken)
	}
	sum := sha256.Sum256([]byte(token))
	return sum[:], nil
}

// minToken is the length of the shortest token, in characters.
const minToken = 16

// setProxy sets what forwards requests.
func (r *route) setProxy() {
	r.proxy = &httputil.ReverseProxy{ErrorLog: slog.NewLogLogger(slog.DiscardHandler, 0), FlushInterval: -1}
	if r.c.Egress != "" {
		r.proxy.Rewrite, r.proxy.Transport = r.toPartner, noInformational{sealing{r}}
		r.proxy.ModifyResponse, r.proxy.ErrorHandler = r.fromPartner, r.egressError
		return
	}
	r.proxy.Rewrite, r.proxy.Transport = r.toApplication, noInformational{r.upstream}
	r.proxy.ModifyResponse, r.proxy.ErrorHandler = r.fromApplication, r.ingressError
	r.handler = &sealhttp.Handler{
		Lane:   func(q *http.Request) (*sealane.Lane, error) { return carriedOf(q.Context()).lane, nil },
		Next:   http.HandlerFunc(r.forward),
		Log:    slog.New(slog.DiscardHandler), // the exchange has a line of its own
		Limits: &r.g.held, Hooks: r.g.hooks(sealhttp.StepSeal),
	}
}

// serve serves a request of the route.
func (r *route) serve(w *writer, q *http.Request, x *exchange) {
	switch {
	case r.c.Egress != "":
		r.serveEgress(w, q, x)
	case r.c.Ingress != "":
		r.serveIngress(w, q, x)
	default:
		r.serveLocal(w, q, x)
	}
}
