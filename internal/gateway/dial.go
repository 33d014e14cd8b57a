package gateway

import (
	"context"
	"crypto/tls"
	"net"
	"net/url"
)

// maxDialed is how many URLs of the registry Dial connects to, for one route.
const maxDialed = 100

// Dial connects to all upstreams, and sends nothing. An error has what is wrong with each.
func (g *Gateway) Dial(ctx context.Context) error {
	s := g.state.Load()
	f := s.config.faults(nil)
	for _, r := range s.routes {
		for _, target := range r.targets() {
			if err := r.upstream.connect(ctx, target); err != nil {
				f.add(r.path+".upstream", "%s can't be reached: %v", target.Host, err)
			}
		}
	}
	return f.err()
}

// targets returns where a route sends requests.
func (r *route) targets() []*url.URL {
	if r.upstream == nil { // a local API sends nothing
		return nil
	}
	if r.upstream.target != nil {
		return []*url.URL{r.upstream.target}
	}
	source, ok := r.source.(*registrySource)
	if !ok {
		return nil
	}
	snapshot, err := source.registry.current()
	if err != nil {
		return nil
	}
	var list []*url.URL
	for name := range snapshot.Names() {
		if f, err := source.named(name.Partner, name.Environment); err == nil && f.target != nil &&
			len(list) < maxDialed {
			list = append(list, f.target)
		}
	}
	return list
}

// connect makes a connection, with TLS where the target has it, and closes it. With a proxy it connects to
// the proxy.
func (u *upstream) connect(ctx context.Context, target *url.URL) error {
	ctx, cancel := context.WithTimeout(ctx, 2*u.transport.TLSHandshakeTimeout)
	defer cancel()
	ctx, err := u.withProxy(ctx, target)
	if err != nil {
		return err
	}
	to := target
	if proxy := proxyOf(ctx); proxy != nil {
		to = proxy
	}
	port := to.Port()
	if port == "" {
		port = map[string]string{"https": "443", "http": "80", "socks5": "1080"}[to.Scheme]
	}
	c, err := u.transport.DialContext(ctx, "tcp", net.JoinHostPort(to.Hostname(), port))
	if err != nil {
		return err
	}
	defer c.Close()
	if to.Scheme != "https" {
		return nil
	}
	config := &tls.Config{MinVersion: tls.VersionTLS12}
	if u.transport.TLSClientConfig != nil && to == target {
		config = u.transport.TLSClientConfig.Clone()
	}
	if config.ServerName == "" {
		config.ServerName = to.Hostname()
	}
	return tls.Client(c, config).HandshakeContext(ctx)
}
