package audit

import (
	"context"
	"fmt"
	"net/url"
	"strings"
	"time"
)

// Anchor is a place outside the database that keeps heads of the chain. Whoever
// rewrites the log must rewrite this place, too.
type Anchor interface {
	// Put keeps the head. It ends in a bounded time, whatever the context says, and
	// may be called from several goroutines.
	Put(context.Context, Head) error
	// String names the place, without what is secret about it.
	String() string
}

const anchorTimeout = 10 * time.Second

// OpenAnchor gives the place that address names:
//
//   - file:PATH appends a line for each head and has it on disk before Put
//     returns. The file is made for its owner alone; put it on another machine's
//     disk, or let the system allow appending only. [ReadAnchors] reads it.
//   - syslog: sends to the local syslog, and syslog:PATH to the socket there.
//   - syslog+udp://HOST:PORT sends RFC 5424 text. UDP tells nobody what is lost.
//   - https://HOST/PATH posts the head as JSON; http:// is for this machine's own
//     addresses only. With #secret=env:NAME or #secret=file:PATH behind it, the
//     header Sealane-Signature has "sha256=" and, in hexadecimal, the body's
//     HMAC-SHA-256 under that secret (at least 16 bytes; a line end behind it does
//     not count). Only an answer 2xx is success; redirects are not followed.
func OpenAnchor(address string) (Anchor, error) {
	scheme, rest, _ := strings.Cut(address, ":")
	switch scheme {
	case "file":
		return openFile(rest)
	case "syslog":
		return openLocal(rest)
	case "syslog+udp", "https", "http":
		u, err := url.Parse(address)
		if err != nil || u.Hostname() == "" {
			return nil, fmt.Errorf("anchor %s: the address has no host, or is not well-formed",
				scheme) // it may have a secret in it
		}
		if scheme == "syslog+udp" {
			return openUDP(u)
		}
		return openWebhook(u)
	}
	return nil, fmt.Errorf("an anchor begins with file:, syslog:, syslog+udp:, https: or http:, not as the one given")
}

func refused(a Anchor, h Head, err error) error {
	return fmt.Errorf("anchor %s: record %d: %w", a, h.Seq, err)
}
