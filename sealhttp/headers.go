package sealhttp

import (
	"net/http"
	"strings"
)

// hopByHop are the headers for one connection (RFC 9110 section 7.6.1). Upgrade would
// bypass the lane.
var hopByHop = set(
	"Connection", "Keep-Alive", "Proxy-Connection", "Proxy-Authenticate", "Proxy-Authorization",
	"Te", "Trailer", "Transfer-Encoding", "Upgrade", "Http2-Settings", "Expect",
)

// ofTheBody are the headers that describe one of the two bodies of a sealed message, and
// are wrong for the other or reveal something about it.
var ofTheBody = set(
	// They describe it (RFC 9110 sections 8 and 14, RFC 9530, RFC 1864).
	"Content-Length", "Content-Encoding", "Content-Range", "Accept-Ranges", "Etag", "Last-Modified",
	"Content-Md5", "Content-Digest", "Repr-Digest", "Unencoded-Digest", "Digest",
	"Want-Content-Digest", "Want-Repr-Digest", "Want-Unencoded-Digest", "Want-Digest",
	// They ask for a part of it, for no body, or for a coding (RFC 9110 sections 12 to 14).
	"If-Match", "If-None-Match", "If-Modified-Since", "If-Unmodified-Since", "If-Range", "Range", "Accept-Encoding",
)

func set(names ...string) map[string]bool {
	s := map[string]bool{}
	for _, name := range names {
		s[name] = true
	}
	return s
}

// dropHopByHop removes the headers for one connection, in any spelling, and brings the
// other names into their canonical form.
func dropHopByHop(h http.Header) {
	listed := map[string]bool{}
	for name, values := range h {
		if http.CanonicalHeaderKey(name) != "Connection" {
			continue
		}
		for _, list := range values {
			for option := range strings.SplitSeq(list, ",") {
				listed[http.CanonicalHeaderKey(strings.TrimSpace(option))] = true
			}
		}
	}
	drop(h, func(name string) bool {
		return hopByHop[name] || listed[name] || strings.HasPrefix(name, http.TrailerPrefix)
	})
}

// dropHeaders removes the headers that must not pass from one side of a lane to the other
// with a message whose body is replaced: request or response, sealed or opened.
func dropHeaders(h http.Header) {
	dropHopByHop(h)
	drop(h, func(name string) bool { return ofTheBody[name] })
}

func drop(h http.Header, dropped func(canonical string) bool) {
	for name, values := range h {
		canonical := http.CanonicalHeaderKey(name)
		if canonical == name && !dropped(name) {
			continue
		}
		delete(h, name)
		if !dropped(canonical) {
			h[canonical] = append(h[canonical], values...)
		}
	}
}
