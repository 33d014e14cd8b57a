package gateway

import (
	"net"
	"net/http"
	"net/netip"
	"net/textproto"
	"strings"

	"golang.org/x/net/http/httpguts"
)

// The headers that the gateway sets. An application can trust them: whatever comes under these names, or
// under names that it could take for them, is removed.
const (
	headerPartner     = "Sealane-Partner"
	headerEnvironment = "Sealane-Environment"
	headerMessage     = "Sealane-Message" // verified, unverified or plain
	headerSigner      = "Sealane-Signer"  // the key ID of the key that signed
	headerRequestID   = "Sealane-Request-Id"
	headerProcessed   = "Sealane-Processed" // no or unknown
	headerToken       = "Sealane-Token"
	headerOpenedBy    = "Sealane-Opened-By" // the key ID of our key that opened
	headerBound       = "Sealane-Bound"     // yes or no: a response was compared with its request
	headerEndpoint    = "Sealane-Endpoint"  // METHOD /path of the request
	headerKeys        = "Sealane-Keys"      // the keys with which to seal the answer to a request
	headerRequest     = "Sealane-Request"   // JSON: members of the request that its response repeats
)

// headerName returns a name as the most lenient of CGI and WSGI servers compare it: in lower case, with "-"
// for all that is no letter or digit.
func headerName(name string) string {
	return strings.Map(func(r rune) rune {
		if r >= 'a' && r <= 'z' || r >= '0' && r <= '9' {
			return r
		}
		return '-'
	}, strings.ToLower(name))
}

// ours reports whether an application could take a header, named as headerName returns it, for one that
// the gateway sets.
func ours(name string) bool {
	for _, prefix := range []string{"sealane-", "x-sealane-", "x-forwarded-"} {
		if strings.HasPrefix(name, prefix) {
			return true
		}
	}
	return name == "forwarded" || name == "x-real-ip" || name == "x-forwarded"
}

// hopByHop are the headers of one connection (RFC 9110 section 7.6.1), and those that would lead to
// another protocol.
var hopByHop = map[string]bool{
	"connection": true, "keep-alive": true, "proxy-connection": true, "proxy-authenticate": true,
	"proxy-authorization": true, "te": true, "trailer": true, "transfer-encoding": true, "upgrade": true,
	"http2-settings": true, "expect": true,
}

// clean removes headers in any spelling: those of one connection with those that Connection lists, those
// that the gateway sets, and more. Other names and values stay as they are.
func clean(h http.Header, more ...string) {
	remove := map[string]bool{}
	for _, name := range more {
		remove[headerName(name)] = true
	}
	for name, values := range h {
		if headerName(name) != "connection" {
			continue
		}
		for _, list := range values {
			for option := range strings.SplitSeq(list, ",") {
				remove[headerName(textproto.TrimString(option))] = true
			}
		}
	}
	delete(remove, "")
	for name := range h {
		if plain := headerName(name); remove[plain] || hopByHop[plain] || ours(plain) {
			delete(h, name)
		}
	}
}

// values returns the values of a header in any spelling.
func values(h http.Header, name string) []string {
	var all []string
	for n, v := range h {
		if headerName(n) == headerName(name) {
			all = append(all, v...)
		}
	}
	return all
}

func validHeader(name string) bool {
	return httpguts.ValidHeaderFieldName(name) && !hopByHop[headerName(name)]
}

// safeValue returns a value for a header, without what would end it.
func safeValue(text string) string {
	return strings.Map(func(r rune) rune {
		if r < ' ' || r > '~' {
			return '?'
		}
		return r
	}, text)
}

// peer returns the address of the other end of a request's connection. It is not valid for a unix socket.
func peer(r *http.Request) netip.Addr {
	if a, err := netip.ParseAddrPort(r.RemoteAddr); err == nil {
		return a.Addr().Unmap()
	}
	return netip.Addr{}
}

// forwarded sets X-Forwarded-For, -Host and -Proto of a request to an application. The chain of the client
// is kept where it comes from a proxy that is believed.
func forwarded(out http.Header, in *http.Request, chain []string, trusted bool) {
	client := ""
	if a := peer(in); a.IsValid() {
		client = a.String()
	}
	if trusted && len(chain) > 0 {
		client = strings.TrimSuffix(strings.Join(chain, ", ")+", "+client, ", ")
	}
	if client != "" {
		out.Set("X-Forwarded-For", client)
	}
	out.Set("X-Forwarded-Host", in.Host)
	out.Set("X-Forwarded-Proto", "http")
	if in.TLS != nil {
		out.Set("X-Forwarded-Proto", "https")
	}
}

// hostOnly returns a Host header without its port, in lower case.
func hostOnly(host string) string {
	if h, _, err := net.SplitHostPort(host); err == nil {
		host = h
	}
	host = strings.TrimSuffix(strings.TrimPrefix(host, "["), "]")
	return strings.ToLower(strings.TrimSuffix(host, "."))
}
