package gateway

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptrace"
	"net/netip"
	"net/url"
	"reflect"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"golang.org/x/net/http/httpproxy"
)

// upstream sends requests: to an application, or to partners.
type upstream struct {
	target    *url.URL // nil: each request has its own, from the registry
	transport *http.Transport
	response  time.Duration
	keepHost  bool
	choose    func(*url.URL) (*url.URL, error) // returns the proxy of the environment; nil: there are none

	users   atomic.Int64 // requests that are under way
	retired atomic.Bool  // it gets no new requests, but those that began before a reload
}

// newUpstream makes an upstream. Certificates are in tlsConfig, which is nil for the defaults.
func newUpstream(c *Upstream, egress, registryURL bool, tlsConfig *tls.Config) (*upstream, error) {
	dialer := &net.Dialer{Timeout: c.Connect.Or(defaultConnect), KeepAlive: 30 * time.Second}
	u := &upstream{response: c.Response.Or(defaultResponse), keepHost: c.Host == "keep"}
	dial := dialer.DialContext
	if path, ok := strings.CutPrefix(c.URL, "unix:"); ok {
		u.target = &url.URL{Scheme: "http", Host: "localhost"}
		dial = func(ctx context.Context, _, _ string) (net.Conn, error) {
			return dialer.DialContext(ctx, "unix", path)
		}
	} else if c.URL != "" {
		var err error
		if u.target, err = url.Parse(c.URL); err != nil {
			return nil, err
		}
	}
	if registryURL {
		dial = direct(dialer, onlyPublic(c.AllowAddresses))
	}
	u.transport = &http.Transport{
		DialContext: dial, TLSClientConfig: tlsConfig, TLSHandshakeTimeout: c.Connect.Or(defaultConnect),
		ResponseHeaderTimeout: u.response, IdleConnTimeout: c.Idle.Or(defaultKeptIdle), ForceAttemptHTTP2: true,
		MaxIdleConns: 1000, MaxIdleConnsPerHost: 100, MaxResponseHeaderBytes: 64 << 10,
		DisableCompression: true, // bodies stay as they are, both ways
	}
	if egress && (c.Proxy == proxyEnvironment || c.Proxy == "" && !registryURL) {
		u.choose = httpproxy.FromEnvironment().ProxyFunc()
		u.transport.Proxy = func(r *http.Request) (*url.URL, error) { return proxyOf(r.Context()), nil }
	}
	return u, nil
}

type proxyKey struct{}

// withProxy returns a context with the proxy of a request to a URL, which is that of its connection too.
func (u *upstream) withProxy(ctx context.Context, to *url.URL) (context.Context, error) {
	if u.choose == nil {
		return ctx, nil
	}
	proxy, err := u.choose(to)
	if err != nil {
		return ctx, fmt.Errorf("proxy of the environment: %w", err)
	}
	return context.WithValue(ctx, proxyKey{}, proxy), nil
}

// proxyOf returns the proxy of a context, or nil.
func proxyOf(ctx context.Context) *url.URL {
	proxy, _ := ctx.Value(proxyKey{}).(*url.URL)
	return proxy
}

// direct returns a function that checks the address of each connection, but of one to a proxy of the environment:
// that one looks up the host by itself.
func direct(
	dialer *net.Dialer, check func(network, address string, _ syscall.RawConn) error,
) func(ctx context.Context, network, address string) (net.Conn, error) {
	checked := *dialer
	checked.Control = check
	return func(ctx context.Context, network, address string) (net.Conn, error) {
		if proxyOf(ctx) != nil {
			return dialer.DialContext(ctx, network, address)
		}
		return checked.DialContext(ctx, network, address)
	}
}

// prohibitedError means that a name leads to an address to which the registry's URLs must not lead.
type prohibitedError struct{ address netip.Addr }

func (e *prohibitedError) Error() string {
	return fmt.Sprintf(
		"the host has the address %s, which is not public: list it in upstream.allow_addresses if it is meant",
		e.address,
	)
}

// onlyPublic refuses to connect to private, loopback, link-local and other special addresses that are
// not allowed. It is called with the address after the name was looked up.
func onlyPublic(allowed []Prefix) func(network, address string, _ syscall.RawConn) error {
	return func(_, address string, _ syscall.RawConn) error {
		to, err := netip.ParseAddrPort(address)
		if err != nil {
			return err
		}
		ip := to.Addr().WithZone("").Unmap()
		if public(ip) || anyContains(allowed, ip) {
			return nil
		}
		return &prohibitedError{ip}
	}
}

// special are ranges that are no addresses of a partner: RFC 6890, RFC 6598, and those in which an IPv6
// address has an IPv4 address in it (RFC 6052, RFC 3056, RFC 4380).
var special = prefixes(
	"0.0.0.0/8", "100.64.0.0/10", "192.0.0.0/24", "192.0.2.0/24", "198.18.0.0/15", "198.51.100.0/24",
	"203.0.113.0/24", "240.0.0.0/4", "64:ff9b::/96", "64:ff9b:1::/48", "2002::/16", "2001::/32", "2001:db8::/32",
	"100::/64", "fec0::/10",
)

func prefixes(list ...string) []netip.Prefix {
	var all []netip.Prefix
	for _, text := range list {
		all = append(all, netip.MustParsePrefix(text))
	}
	return all
}

func public(ip netip.Addr) bool {
	if !ip.IsGlobalUnicast() || ip.IsPrivate() {
		return false
	}
	for _, p := range special {
		if p.Contains(ip) {
			return false
		}
	}
	return true
}

// sendError is an error of sending. Unless begun, nothing of the request went out.
type sendError struct {
	err   error
	begun bool
}

// Error describes the error. After something was sent it repeats nothing that came back: net/http quotes
// what it could not parse.
func (e *sendError) Error() string {
	switch {
	case !e.begun || isTimeout(e.err) || errors.Is(e.err, errSentOnce) || errors.Is(e.err, context.Canceled):
		return e.err.Error()
	case errors.Is(e.err, io.EOF) || errors.Is(e.err, io.ErrUnexpectedEOF):
		return "the connection was closed before an answer came"
	case errors.Is(e.err, syscall.ECONNRESET) || errors.Is(e.err, syscall.EPIPE):
		return "the connection was reset before an answer came"
	}
	return fmt.Sprintf("the connection or the answer was not as HTTP demands (%T)", errors.Unwrap(e.err))
}

func (e *sendError) Unwrap() error { return e.err }

// errSentOnce takes the place of a second reading of a body.
var errSentOnce = errors.New("the connection ended after a part of the request was sent, and it is not sent twice")

// RoundTrip sends a request. Nothing is sent twice unless no byte of it went out, whatever the request's
// header says.
func (u *upstream) RoundTrip(r *http.Request) (*http.Response, error) {
	var begun, http2 atomic.Bool
	trace := &httptrace.ClientTrace{
		GotConn: func(info httptrace.GotConnInfo) {
			c, isTLS := info.Conn.(*tls.Conn)
			http2.Store(isTLS && c.ConnectionState().NegotiatedProtocol == "h2")
		},
		WroteHeaderField: func(string, []string) { begun.Store(true) },
	}
	ctx, err := u.withProxy(r.Context(), r.URL)
	if err != nil {
		return nil, &sendError{err, false}
	}
	sent := r.WithContext(httptrace.WithClientTrace(ctx, trace))
	sent.Header = notIdempotent(r.Header)
	if body := r.Body; body != nil && body != http.NoBody && r.GetBody != nil {
		read := new(atomic.Bool)
		sent.Body = &readBody{body, read}
		sent.GetBody = func() (io.ReadCloser, error) {
			// HTTP/1 asks for it only where nothing was written; HTTP/2 also where the other end says
			// that it did not process what it received.
			if http2.Load() && read.Load() {
				return nil, errSentOnce
			}
			begun.Store(false)
			again, err := r.GetBody()
			return &readBody{again, read}, err
		}
	}
	u.users.Add(1)
	response, err := u.transport.RoundTrip(sent)
	if err != nil {
		u.done()
		return nil, &sendError{err, begun.Load()}
	}
	response.Body = &usedBody{response.Body, sync.OnceFunc(u.done)}
	return response, nil
}

// done ends the use of a connection. After a reload, the last one closes those that are left.
func (u *upstream) done() {
	if u.users.Add(-1) == 0 && u.retired.Load() {
		u.transport.CloseIdleConnections()
	}
}

// usedBody is the body of a response, whose connection is in use until it is closed.
type usedBody struct {
	io.ReadCloser
	done func()
}

func (b *usedBody) Close() error {
	defer b.done()
	return b.ReadCloser.Close()
}

type readBody struct {
	io.ReadCloser
	read *atomic.Bool
}

func (b *readBody) Read(p []byte) (int, error) {
	b.read.Store(true)
	return b.ReadCloser.Read(p)
}

// notIdempotent returns a header in which [http.Transport] does not find the names that make it send a
// request again. Names of headers have no case on the wire.
func notIdempotent(h http.Header) http.Header {
	changed := make(http.Header, len(h))
	for name, values := range h {
		if name == "Idempotency-Key" || name == "X-Idempotency-Key" {
			name = strings.ToLower(name)
		}
		changed[name] = append(slices.Clip(changed[name]), values...)
	}
	return changed
}

// close ends the connections that are not in use, and those in use when they no longer are.
func (u *upstream) close() {
	u.retired.Store(true)
	u.transport.CloseIdleConnections()
}

// noInformational sends requests whose 1xx responses are not passed on: they would take headers of the
// final response with them (golang/go#81207, golang/go#81319).
type noInformational struct{ next http.RoundTripper }

func (n noInformational) RoundTrip(r *http.Request) (*http.Response, error) {
	return n.next.RoundTrip(r.WithContext(untraced{r.Context()}))
}

// untraced is a context without the hooks of package httptrace.
type untraced struct{ context.Context }

func (c untraced) Value(key any) any {
	if t := reflect.TypeOf(key); t != nil && t.PkgPath() == "net/http/httptrace" {
		return nil
	}
	return c.Context.Value(key)
}

// isTimeout reports whether an error is that of a time limit.
func isTimeout(err error) bool {
	timeout, ok := errors.AsType[net.Error](err)
	return ok && timeout.Timeout() || errors.Is(err, context.DeadlineExceeded)
}
