package gateway

import (
	"context"
	"errors"
	"io"
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/sealane/sealane/internal/framing"
)

// carried is what a request carries through the gateway.
type carried struct {
	found
	chain  []string // X-Forwarded-For as it came
	sealed bool     // the profile seals the endpoint
}

type carriedKey struct{}

func withCarried(ctx context.Context, c *carried) context.Context {
	return context.WithValue(ctx, carriedKey{}, c)
}

func carriedOf(ctx context.Context) *carried {
	c, _ := ctx.Value(carriedKey{}).(*carried)
	return c
}

var (
	errMethod        = errors.New("the method is not served")
	errAuthorization = errors.New("the header Authorization came more than once")
	errFraming       = errors.New(
		"a header is Content-Length or Transfer-Encoding in another spelling: programs could find another end " +
			"of the request",
	)
	errHost      = errors.New("the host is neither a name nor an address, with or without a port")
	errAmbiguous = errors.New(
		"the path has an encoded slash, dot or NUL, a backslash, a semicolon, a doubled slash, a dot segment or " +
			"bytes that are not UTF-8: programs read it in different ways",
	)
)

// refuseRequest refuses what no route serves.
func refuseRequest(q *http.Request) (status int, err error) {
	switch {
	case q.Method == http.MethodTrace || q.Method == http.MethodConnect || q.URL.Path == "*" || q.URL.Opaque != "":
		return http.StatusMethodNotAllowed, errMethod
	case len(values(q.Header, "Authorization")) > 1:
		return http.StatusBadRequest, errAuthorization
	case oddFraming(q.Header):
		return http.StatusBadRequest, errFraming
	case q.Host != "" && !hostForm.MatchString(q.Host):
		return http.StatusBadRequest, errHost
	}
	return 0, nil
}

// hostForm is what a host must look like. net/http takes more, and an application would make URLs of it.
var hostForm = regexp.MustCompile(`^([A-Za-z0-9._-]+|\[[A-Za-z0-9:.%_~-]+\])(:[0-9]*)?$`)

// endsConnection reports whether a proxy in front could have found another end of a request than net/http did.
// Then the rest of the connection could be anybody's, and RFC 9112 sections 6.1 and 6.3 demand that it be
// closed. net/http hides whether there was a length in addition to chunks (golang/go#80942), or chunks in HTTP/1.0.
func endsConnection(q *http.Request) bool {
	return q.ProtoMajor == 1 && (q.ProtoMinor == 0 || len(q.TransferEncoding) > 0 || oddFraming(q.Header))
}

// oddFraming reports whether a header could be taken for one that says how long the body is.
func oddFraming(h http.Header) bool {
	for name := range h {
		switch headerName(name) {
		case "transfer-encoding":
			return true
		case "content-length":
			if name != "Content-Length" {
				return true
			}
		}
	}
	return false
}

// serves reports whether the route serves a host.
func (r *route) serves(host string) bool { return r.hosts == nil || r.hosts[hostOnly(host)] }

// ambiguous reports whether programs read a path in different ways (traefik/traefik#11746).
func ambiguous(u *url.URL) bool {
	path := strings.ToLower(u.EscapedPath())
	for _, odd := range []string{"%2f", "%5c", "%2e", "%00", `\`, ";", "%3b", "//"} {
		if strings.Contains(path, odd) {
			return true
		}
	}
	return !strings.HasPrefix(path, "/") || !utf8.ValidString(u.Path) || slices.ContainsFunc(strings.Split(path, "/"),
		func(segment string) bool { return segment == "." || segment == ".." })
}

// toTarget sets where a request goes. Its path and its query stay as they came, byte for byte: Rewrite
// has dropped what it could not parse of the query.
func toTarget(out, in *http.Request, target *url.URL) {
	to := *in.URL
	to.Scheme, to.Host, to.User = target.Scheme, target.Host, nil
	out.URL, out.Host = &to, ""
	out.Trailer = nil // ReverseProxy would announce trailers, and not send them
}

// join returns a URL with a base in front of its path.
func join(base string, u *url.URL) *url.URL {
	base = strings.TrimSuffix(base, "/")
	if base == "" {
		return u
	}
	joined := *u
	joined.Path, joined.RawPath = base+u.Path, base+u.EscapedPath()
	return &joined
}

// cleanAnswer removes what must not pass with an answer: alternatives that lead past the gateway, and the
// headers that are ours. An answer of which nobody knows whether it is whole stays one.
func cleanAnswer(response *http.Response) {
	clean(response.Header, "Alt-Svc", "Alt-Used")
	if framing.Unframed(response) {
		framing.Mark(response.Header)
	}
	if response.Body != nil && response.Body != http.NoBody {
		response.Body = &trailedBody{response.Body, response}
		clean(response.Trailer, "Alt-Svc", "Alt-Used") // the names of those that will follow
	}
}

// trailedBody is the body of an answer whose trailers are cleaned as its header was.
type trailedBody struct {
	io.ReadCloser
	of *http.Response
}

func (b *trailedBody) Read(p []byte) (int, error) {
	n, err := b.ReadCloser.Read(p)
	if err != nil { // now they are there
		clean(b.of.Trailer, "Alt-Svc", "Alt-Used")
	}
	return n, err
}

func removeHeader(h http.Header, name string) {
	for n := range h {
		if headerName(n) == headerName(name) {
			delete(h, n)
		}
	}
}

func redirects(status int) bool {
	return status >= 300 && status <= 399 && status != http.StatusNotModified
}

// ownLocation returns a Location as the client of the gateway reaches it, where it leads to the upstream
// itself.
func ownLocation(location string, from, target *url.URL) (string, bool) {
	to, err := from.Parse(location)
	base := strings.TrimSuffix(target.Path, "/")
	if err != nil || location == "" || to.Scheme != target.Scheme || !strings.EqualFold(to.Host, target.Host) ||
		to.User != nil {
		return "", false
	}
	path, ok := strings.CutPrefix(to.EscapedPath(), base)
	if !ok || !strings.HasPrefix(path, "/") || strings.HasPrefix(path, "//") || ambiguous(to) {
		return "", false
	}
	if to.RawQuery != "" {
		path += "?" + to.RawQuery
	}
	if to.Fragment != "" {
		path += "#" + to.EscapedFragment()
	}
	return path, true
}
