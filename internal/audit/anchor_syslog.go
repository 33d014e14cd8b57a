package audit

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net"
	"net/url"
	"os"
	"runtime"
	"strings"
	"time"
)

const priority = 10<<3 | 5 // security messages, notice

// local writes with a deadline, which log/syslog does not have: a log daemon that hangs
// must not delay a change.
type local struct{ path string }

func openLocal(path string) (Anchor, error) {
	if runtime.GOOS == "windows" || runtime.GOOS == "plan9" {
		return nil, fmt.Errorf("anchor syslog: there is no local syslog on %s; use syslog+udp://HOST:PORT",
			runtime.GOOS)
	}
	return local{path}, nil
}

func (a local) String() string { return "syslog:" + a.path }

func (a local) Put(ctx context.Context, h Head) error {
	if err := h.check(); err != nil {
		return refused(a, h, err)
	}
	text := fmt.Sprintf("<%d>%s sealane[%d]: %s",
		priority, time.Now().Format(time.Stamp), os.Getpid(), h.appendLine(nil))
	paths := []string{"/dev/log", "/var/run/syslog", "/var/run/log"}
	if a.path != "" {
		paths = []string{a.path}
	}
	var errs error
	for _, path := range paths {
		datagram := send(ctx, "unixgram", path, text)
		if datagram == nil {
			return nil
		}
		stream := send(ctx, "unix", path, text+"\n")
		if stream == nil {
			return nil
		}
		errs = errors.Join(errs, datagram, stream)
	}
	return refused(a, h, errs)
}

type udp struct{ address string }

func openUDP(u *url.URL) (Anchor, error) {
	if u.User != nil || strings.Trim(u.Path, "/") != "" || u.RawQuery != "" || u.Fragment != "" {
		return nil, errors.New("anchor syslog+udp: write syslog+udp://HOST:PORT and no more")
	}
	return udp{net.JoinHostPort(u.Hostname(), cmp.Or(u.Port(), "514"))}, nil
}

func (a udp) String() string { return "syslog+udp://" + a.address }

func (a udp) Put(ctx context.Context, h Head) error {
	if err := h.check(); err != nil {
		return refused(a, h, err)
	}
	host, err := os.Hostname()
	if err != nil || host == "" || strings.ContainsFunc(host, func(c rune) bool { return c <= ' ' || c > '~' }) {
		host = "-"
	}
	text := fmt.Sprintf("<%d>1 %s %.255s sealane %d audit-head - %s",
		priority, time.Now().UTC().Format(stamp), host, os.Getpid(), h.appendLine(nil))
	if err := send(ctx, "udp", a.address, text); err != nil {
		return refused(a, h, err)
	}
	return nil
}

func send(ctx context.Context, network, address, text string) error {
	ctx, cancel := context.WithTimeout(ctx, anchorTimeout)
	defer cancel()
	var d net.Dialer
	conn, err := d.DialContext(ctx, network, address)
	if err != nil {
		return err
	}
	defer conn.Close()
	stop := context.AfterFunc(ctx, func() { conn.SetWriteDeadline(time.Unix(1, 0)) })
	defer stop()
	_, err = conn.Write([]byte(text))
	return err
}
