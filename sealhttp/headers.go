package sealhttp

import (
	"net/http"
	"strings"
)

// hopByHop are the headers that concern one connection (RFC 9110 section 7.6.1).
// Upgrade would lead past the lane.
var hopByHop = []string{
	"Connection", "Keep-Alive", "Proxy-Connection", "Proxy-Authenticate", "Proxy-Authorization",
	"Te", "Trailer", "Transfer-Encoding", "Upgrade", "Http2-Settings", "Expect",
}

// ofTheBody are the headers that belong to one of the two bodies of a sealed message,
// and are wrong with the other, or tell something about it.
var ofTheBody = []string{
	// They describe it (RFC 9110 sections 8 and 14, RFC 9530, RFC 1864).
	"Content-Length", "Content-Encoding", "Content-Range", "Accept-Ranges", "Etag", "Last-Modified",
	"Content-Md5", "Content-Digest", "Repr-Digest", "Digest",
	"Want-Content-Digest", "Want-Repr-Digest", "Want-Digest",
	// They ask for a part of it, for none, or for a coding (RFC 9110 sections 12 to 14).
	"If-Match", "If-None-Match", "If-Modified-Since", "If-Unmodified-Since", "If-Range", "Range", "Accept-Encoding",
}

// dropHopByHop removes the headers that end at a connection.
func dropHopByHop(h http.Header) {
	for _, list := range h["Connection"] {
		for name := range strings.SplitSeq(list, ",") {
			h.Del(strings.TrimSpace(name))
		}
	}
	for _, name := range hopByHop {
		h.Del(name)
	}
}

// dropHeaders removes the headers that must not pass between the two sides of a lane
// with a message whose body changes: request or response, sealed or opened.
func dropHeaders(h http.Header) {
	dropHopByHop(h)
	for _, name := range ofTheBody {
		h.Del(name)
	}
}
