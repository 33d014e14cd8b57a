package gateway

import (
	"fmt"
	"net"
	"net/netip"
	"net/url"
	"reflect"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/sealane/sealane/internal/loopback"
)

// Check returns what is refused at start, as far as the file alone tells: all of it at once.
func (c *Config) Check() error {
	f := c.faults(nil)
	c.check(f)
	return f.err()
}

func (c *Config) check(f *faults) {
	if len(c.Routes) == 0 {
		f.add("routes", "there are none: a gateway has at least one")
	}
	if c.Registry != nil {
		switch {
		case c.Registry.DB == "":
			f.add("registry.db", "must be given: a URL of PostgreSQL, or a file of SQLite")
		case hasPassword(c.Registry.DB):
			f.add("registry.db", "has a password, which must not be in this file: put it into the file that the "+
				"environment variable PGPASSFILE names")
		}
		if c.Registry.RootKey == "" {
			f.add("registry.root_key", "must be given")
		}
		if c.Registry.Notify != "" && !c.Registry.Schedule {
			f.add("registry.notify", "needs registry.schedule: the schedule sends the mails")
		}
		if slices.Contains(c.Registry.Environments, "") {
			f.add("registry.environments", "has an empty name")
		}
		if c.Registry.Node != "" && !nodeName.MatchString(c.Registry.Node) {
			f.add("registry.node", "is not of 1 to 253 letters, digits, dots, dashes and underscores")
		}
	}
	if c.Notify != nil && c.Notify.Webhook != nil {
		c.Notify.Webhook.Check(f.Check, "notify.webhook")
	} else if c.Notify != nil {
		f.add("notify", "names nobody: give webhook, with url and secret")
	}
	if _, passed := c.Admin.systemd(); passed {
		f.add("admin", "can't be a socket of systemd: give HOST:PORT or unix:PATH")
	}
	for path, n := range map[string]int{
		"limits.connections": c.Limits.Connections, "limits.rsa": c.Limits.RSA, "metrics.partners": c.Metrics.Partners,
		"partner_limits.burst": c.PartnerLimits.Burst, "partner_limits.in_flight": c.PartnerLimits.InFlight,
	} {
		if n < 0 {
			f.add(path, "is negative")
		}
	}
	for i := range c.Routes {
		r := &routeCheck{faults: f, config: c, r: &c.Routes[i], path: fmt.Sprintf("routes[%d]", i)}
		r.check(i)
	}
}

// hasPassword reports whether the address of a database has a password in it.
func hasPassword(db string) bool {
	return urlPassword.MatchString(db) || passwordWord.MatchString(db)
}

var (
	urlPassword  = regexp.MustCompile(`^[^:/]+://[^/?#@]*:[^/?#]*@`)
	passwordWord = regexp.MustCompile(`(?i)(^|[?&;\s])(ssl)?password\s*=`)
)

// routeCheck checks one route.
type routeCheck struct {
	*faults
	config *Config
	r      *Route
	path   string
}

// at notes a fault of a word of the route.
func (c *routeCheck) at(word, format string, args ...any) { c.add(c.path+"."+word, format, args...) }

// unless notes a fault where something does not hold.
func (c *routeCheck) unless(holds bool, word, format string, args ...any) {
	if !holds {
		c.at(word, format, args...)
	}
}

var routeName = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9._-]{0,62}$`)

func (c *routeCheck) check(i int) {
	r := c.r
	c.unless(
		routeName.MatchString(r.Name), "name", "must be given: 1 to 63 letters, digits, dots, dashes and underscores",
	)
	c.unless(c.unknownKind(c.path) || oneOf(r.Egress != "", r.Ingress != "", r.Local != ""), "egress",
		"give one of egress (we call the partner), ingress (the partner calls us) and local (programs seal and "+
			"open), with the profile")
	c.unless(r.Listen.Address != "", "listen", "must be given: HOST:PORT, unix:PATH or systemd:NAME")
	c.checkSocket()
	c.checkHosts()
	c.checkServerTLS()
	c.checkLane()
	switch {
	case r.Local != "":
		c.checkLocal()
	case r.Egress != "":
		c.checkUpstream()
		c.checkEgress()
	case r.Ingress != "":
		c.checkUpstream()
		c.checkIngress()
	case r.Upstream != nil && r.Upstream.URL != "":
		c.checkURL(r.Upstream)
	}
	c.unless(r.Local != "" || len(r.Tokens) == 0, "tokens", "are for a local API: give clients with a token")
	c.unless(r.Limits.Burst >= 0, "limits.burst", "is negative")
	c.unless(r.Limits.InFlight >= 0, "limits.in_flight", "is negative")
	for j := range i {
		c.checkOther(&c.config.Routes[j])
	}
	c.unless(
		r.Listen.Address == "" || r.Listen.Address.free() ||
			r.Listen.Address != c.config.Admin && !r.Listen.Address.conflicts(c.config.Admin), "listen",
		"is the address of admin",
	)
}

// unknownKind reports whether the word that says of which kind a route is has a fault.
func (f *faults) unknownKind(route string) bool {
	return f.in(route+".egress") || f.in(route+".ingress") || f.in(route+".local")
}

func (c *routeCheck) checkSocket() {
	l := c.r.Listen
	_, unix := l.Address.unix()
	if l.Mode != "" {
		_, err := strconv.ParseUint(l.Mode, 8, 9)
		c.unless(err == nil && unix, "listen.mode", "is for a unix socket: give octal digits such as 0660")
	}
	c.unless(l.Group == "" || unix, "listen.group", "is for a unix socket")
}

var hostName = regexp.MustCompile(`^[A-Za-z0-9_]([A-Za-z0-9_-]*[A-Za-z0-9_])?(\.[A-Za-z0-9_]([A-Za-z0-9_-]*` +
	`[A-Za-z0-9_])?)*$`)

// checkHosts refuses hosts that no request can have.
func (c *routeCheck) checkHosts() {
	for i, host := range c.r.Hosts {
		word := fmt.Sprintf("hosts[%d]", i)
		name, port := hostOnly(host), "0"
		if _, p, err := net.SplitHostPort(host); err == nil {
			port = p
		}
		_, notPort := strconv.ParseUint(port, 10, 16)
		_, notIP := netip.ParseAddr(name)
		switch {
		case name == "":
			c.at(word, "is empty: give a host such as api.example, or remove hosts")
		case strings.Contains(host, "/"):
			c.at(word, "is %.80q, with more than a host: give a host such as api.example", host)
		case strings.Contains(host, "*"):
			c.at(word, "is %.80q: there are no wildcards; list each host", host)
		case notPort != nil || notIP != nil && !hostName.MatchString(name):
			c.at(word, "is %.80q: give a host such as api.example or 192.0.2.1", host)
		}
	}
}

func (c *routeCheck) checkServerTLS() {
	t := c.r.TLS
	if t == nil {
		return
	}
	c.unless(t.Certificate != "" && t.Key != "", "tls", "needs certificate and key")
	c.unless(
		len(t.ClientNames) == 0 || t.ClientCA != "", "tls.client_names",
		"needs client_ca, whose certificates have the names",
	)
}

// checkLane checks where the lane comes from.
func (c *routeCheck) checkLane() {
	r, fromPath := c.r, c.r.Partner == partnerFromPath
	switch {
	case r.Keys == nil && c.in("registry"): // what it has is not known
	case r.Keys == nil && c.config.Registry == nil:
		c.at("keys", "must be given: there is no registry that has them")
	case r.Local != "":
		c.unless(r.Keys == nil || r.Keys.Folder != "", "keys",
			"must be a lane folder: it says on which side of the lane we are")
		c.unless(!fromPath, "partner", "is in the path of each request: leave the word out, or give one partner")
	case r.Keys != nil:
		inline := len(r.Keys.Ours) > 0 || len(r.Keys.Theirs) > 0
		c.unless(inline != (r.Keys.Folder != ""), "keys", "give either a lane folder, or ours and theirs")
		c.unless(!fromPath, "partner", "can't be in the path: the route has keys of its own, of one partner")
	case r.Egress != "":
		c.unless(r.Partner != "", "partner", `must be given: a partner of the registry, or "path"`)
		c.unless(fromPath == (r.Environment == ""), "environment", `must be given, except with "partner: path"`)
	default:
		c.unless(!fromPath, "partner", `"path" is for egress: on an ingress the caller is the partner`)
	}
	c.unless(
		r.Keys != nil || r.AcceptRSAOAEP == "", "accept_rsa_oaep",
		"is for a route with keys of its own: the registry says it for others",
	)
	ofLane := r.NoResend == "" && r.Expired == ""
	c.unless(r.Keys != nil && r.Keys.Folder == "" || ofLane, "no_resend", "and expired are for a route with ours and "+
		"theirs: the registry says them for others, and a lane folder for its lane")
	if r.Keys == nil && r.Environment != "" && c.config.Registry != nil {
		read := c.config.Registry.Environments
		c.unless(len(read) == 0 || slices.Contains(read, r.Environment), "environment",
			"is not read: registry.environments has %s", strings.Join(read, ", "))
	}
}

func (c *routeCheck) checkUpstream() {
	u := c.r.Upstream
	if u == nil || u.URL == "" {
		needed := c.r.Ingress != "" || c.r.Keys != nil
		c.unless(!needed, "upstream", "must be given: where requests go")
		if u == nil {
			return
		}
	}
	if u.URL != "" {
		c.checkURL(u)
	}
	c.unless(c.r.Ingress == "" || u.Proxy != proxyEnvironment, "upstream.proxy",
		"decrypted bodies don't go through a proxy: an ingress has none")
	c.unless(c.r.Ingress != "" || u.Host == "", "upstream.host", "is for an ingress")
	c.unless(c.r.Keys == nil && c.r.Egress != "" || len(u.AllowAddresses) == 0, "upstream.allow_addresses",
		"is for an egress to URLs of the registry")
	if t := u.TLS; t != nil {
		c.unless((t.Certificate == "") == (t.Key == ""), "upstream.tls", "needs certificate and key, or none of them")
		c.unless(
			!strings.HasPrefix(u.URL, "http:") && !strings.HasPrefix(u.URL, "unix:"), "upstream.tls",
			"needs a URL with https",
		)
	}
}

func (c *routeCheck) checkURL(u *Upstream) {
	if path, ok := strings.CutPrefix(u.URL, "unix:"); ok {
		c.unless(path != "" && c.r.Egress == "", "upstream", "unix:PATH is for the application behind an ingress")
		return
	}
	target, err := url.Parse(u.URL)
	switch {
	case err != nil || target.Host == "" || target.Scheme != "http" && target.Scheme != "https":
		c.at("upstream", "must be a URL with http or https and a host, or unix:PATH")
	case target.User != nil || target.RawQuery != "" || target.ForceQuery || target.Fragment != "":
		c.at("upstream", "must have no user, no query and no fragment")
	case strings.ContainsAny(target.EscapedPath(), `%;\`) || strings.Contains(target.Path, "//") ||
		dotted(target.Path):
		c.at("upstream", "must have a plain path: no escapes, doubled slashes or dots")
	case target.Scheme == "http" && !loopback.Is(target.Hostname()) && strings.TrimSpace(u.PlainBecause) == "":
		c.at("upstream", "goes to another host without TLS: use https, or say why not in plain_because")
	}
}

func dotted(path string) bool {
	return slices.ContainsFunc(strings.Split(path, "/"), func(s string) bool { return s == "." || s == ".." })
}

func (c *routeCheck) checkEgress() {
	r := c.r
	c.unless(
		r.Caller == nil, "caller", "is for an ingress: an egress has local callers, client certificates or a token",
	)
	c.unless(!r.ForwardAuthorization, "forward_authorization", "is for an ingress")
	c.unless(r.IdentityHeader == "", "identity_header", "is for an ingress")
	c.checkReach()
}

// checkReach refuses a listener that other hosts reach without showing who they are.
func (c *routeCheck) checkReach() {
	r := c.r
	if r.Listen.Address == "" || r.Listen.Address.local() {
		return
	}
	c.unless(r.TLS != nil, "tls", "must be given: the route takes plain bodies from other hosts")
	c.unless(r.knowsCallers(), "listen", beyondLoopback)
}

const beyondLoopback = "is beyond loopback, where anybody could have messages sealed: " +
	"give tls with client_ca and client_names, or clients with a token"

// knowsCallers reports whether the callers of an egress or a local API must show a certificate or a token.
func (c *Route) knowsCallers() bool {
	return c.TLS != nil && c.TLS.ClientCA != "" && len(c.TLS.ClientNames) > 0 ||
		c.Clients != nil && c.Clients.Token != "" || len(c.Tokens) > 0
}

func (c *routeCheck) checkIngress() {
	r := c.r
	c.unless(r.Authorization == "", "authorization", "is for an egress")
	c.unless(r.IdentityHeader == "" || !ours(headerName(r.IdentityHeader)) && validHeader(r.IdentityHeader),
		"identity_header", "is not a name that can be used: the gateway sets or removes it")
	if r.Caller == nil {
		c.at("caller", "must be given: how is the partner known? One of api-key, mutual-tls, unauthenticated, "+
			"or account_header or certificate_header of a proxy in front")
		return
	}
	k := r.Caller
	ways := 0
	for _, w := range []string{k.Way, k.AccountHeader, k.CertificateHeader} {
		if w != "" {
			ways++
		}
	}
	c.unless(ways == 1, "caller", "give one of way, account_header and certificate_header")
	fixed := r.Keys != nil || r.Partner != "" && r.Environment != ""
	header := k.AccountHeader != "" || k.CertificateHeader != ""
	switch {
	case k.Way == callerAPIKey:
		c.unless(
			(c.config.Registry != nil || c.in("registry")) && r.Keys == nil, "caller",
			"API keys are in the registry: api-key needs one, and no keys of the route",
		)
	case k.Way == callerMutualTLS:
		c.unless(r.TLS != nil && r.TLS.ClientCA != "" && len(r.TLS.ClientNames) > 0, "caller",
			"mutual-tls needs tls with client_ca and client_names: whose certificates are the partner's?")
	case k.Way == callerUnauthenticated:
		c.unless(fixed, "caller", "unauthenticated needs one partner: give keys, or partner and environment")
	case k.AccountHeader != "":
		c.unless(
			(c.config.Registry != nil || c.in("registry")) && r.Keys == nil, "caller.account_header",
			"accounts are in the registry: it needs one, and no keys of the route",
		)
	}
	c.unless(!header || len(k.From) > 0, "caller.from",
		"lists the proxies whose header is believed: give it with account_header or certificate_header")
	c.unless(
		(k.CertificateHeader != "") == (len(k.Names) > 0),
		"caller.names",
		"lists the names in certificate_header: "+
			"give it with certificate_header, and only then",
	)
	for word, name := range map[string]string{
		"account_header":     k.AccountHeader,
		"certificate_header": k.CertificateHeader,
	} {
		c.unless(name == "" || validHeader(name), "caller."+word, "is not the name of a header")
	}
}

// checkOther refuses two routes that answer the same, and one listener with two ways to serve.
func (c *routeCheck) checkOther(other *Route) {
	c.unless(c.r.Name == "" || c.r.Name != other.Name, "name", "%q is another route's", c.r.Name)
	c.unless(!c.r.Listen.Address.conflicts(other.Listen.Address), "listen",
		"can't be opened next to %s of route %q: write both in the same way, or give another port",
		other.Listen.Address, other.Name)
	if c.r.Listen.Address == "" || c.r.Listen.Address != other.Listen.Address ||
		c.r.Listen.Address.free() {
		return
	}
	both := len(c.r.Hosts) == 0 || len(other.Hosts) == 0
	for _, h := range c.r.Hosts {
		both = both || slices.ContainsFunc(other.Hosts, func(o string) bool { return hostOnly(h) == hostOnly(o) })
	}
	c.unless(
		!both, "listen", "two routes answer the same: route %q listens there too; give both different hosts",
		other.Name,
	)
	c.unless(c.r.Listen == other.Listen && reflect.DeepEqual(c.r.TLS, other.TLS), "listen",
		"is that of route %q: give both the same listen and tls", other.Name)
}

// defaultHosts returns the hosts of an egress route that lists none.
func defaultHosts(a Address) []string {
	hosts := []string{"localhost", "127.0.0.1", "::1"}
	if _, unix := a.unix(); unix {
		return hosts
	}
	if _, passed := a.systemd(); passed {
		return hosts
	}
	if host, _, err := net.SplitHostPort(string(a)); err == nil && host != "" {
		hosts = append(hosts, host)
	}
	return hosts
}
