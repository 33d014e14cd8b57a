package audit

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"strings"
	"time"
)

// Anchor is a place outside the database that keeps heads of the chain. To rewrite the log
// unnoticed, one must rewrite this place too.
type Anchor interface {
	// Put stores the head. It returns in a bounded time, even if the context has no deadline,
	// and is safe for concurrent use.
	Put(context.Context, Head) error
	// String returns the name of the place, without secrets.
	String() string
}

const anchorTimeout = 10 * time.Second

// OpenAnchor returns the place that address names:
//
//   - file:PATH appends a line for each head and has it on disk before Put
//     returns. Only its owner can read the file. Put it on another machine's disk, or
//     have the system allow appending only. [ReadAnchors] reads it.
//   - syslog: sends to the local syslog, and syslog:PATH to the socket there.
//   - syslog+udp://HOST:PORT sends RFC 5424 text. Lost packets go unnoticed.
//   - https://HOST/PATH posts the head as JSON; http:// is for this machine's own
//     addresses only. With #secret=env:NAME or #secret=file:PATH at its end, the
//     header Sealane-Signature is "sha256=" and, in hexadecimal, the HMAC-SHA-256 of
//     the body under that secret (at least 16 bytes, without a line end). Only a 2xx
//     response is success; redirects are not followed.
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
				scheme) // it may contain a secret
		}
		if scheme == "syslog+udp" {
			return openUDP(u)
		}
		return openWebhook(u)
	}
	return nil, fmt.Errorf("an anchor begins with file:, syslog:, syslog+udp:, https: or http:, not as the one given")
}

// AnchorName returns the name of the place that an address names, without secrets. The place need
// not be usable here.
func AnchorName(address string) (string, error) {
	scheme, rest, _ := strings.Cut(address, ":")
	switch scheme {
	case "file", "syslog":
		return scheme + ":" + rest, nil
	case "syslog+udp", "https", "http":
		if u, err := url.Parse(address); err == nil && u.Hostname() != "" {
			return scheme + "://" + u.Host, nil
		}
	}
	return "", errors.New("an anchor's address is not well-formed")
}

func refused(a Anchor, h Head, err error) error {
	return fmt.Errorf("anchor %s: record %d: %w", a, h.Seq, err)
}
