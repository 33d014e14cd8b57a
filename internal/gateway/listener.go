package gateway

import (
	"cmp"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io/fs"
	"log"
	"net"
	"net/http"
	"net/netip"
	"os"
	"os/user"
	"runtime/debug"
	"slices"
	"strconv"
	"sync/atomic"
	"time"

	"github.com/sealane/sealane"
	"github.com/sealane/sealane/fault"
	"github.com/sealane/sealane/internal/unread"
)

// listener serves the routes of one address. It lives on when a reload changes them.
type listener struct {
	g      *Gateway
	net    net.Listener
	server *http.Server
	routes atomic.Pointer[[]*route]
}

// newListener makes a listener with every limit set. There is no global time-out for reading and writing:
// those move with progress.
func newListener(g *Gateway, n net.Listener, c Limits) *listener {
	l := &listener{g: g}
	l.net = newLimitedListener(n, cmp.Or(c.Connections, 20000), l.isProxy, g.connectionRefused)
	protocols := new(http.Protocols)
	protocols.SetHTTP1(true)
	protocols.SetHTTP2(true)
	l.server = &http.Server{
		Handler: l, ReadHeaderTimeout: c.HeaderTime.Or(10 * time.Second), IdleTimeout: c.Idle.Or(defaultIdle),
		MaxHeaderBytes: int(c.Header.or(32 << 10)), DisableGeneralOptionsHandler: true, Protocols: protocols,
		HTTP2: &http.HTTP2Config{
			MaxConcurrentStreams: 100, WriteByteTimeout: progressTime, SendPingTimeout: 30 * time.Second,
			PingTimeout: 15 * time.Second,
		},
		ErrorLog: log.New(serverLog{g.log}, "", 0),
		TLSConfig: &tls.Config{
			MinVersion: tls.VersionTLS12,
			NextProtos: []string{"h2", "http/1.1"},
			GetConfigForClient: func(*tls.ClientHelloInfo) (*tls.Config, error) {
				return (*l.routes.Load())[0].tls.config, nil
			},
		},
	}
	return l
}

// isProxy reports whether an address is that of a proxy in front, which has connections for others.
func (l *listener) isProxy(a netip.Addr) bool {
	return slices.ContainsFunc(*l.routes.Load(), func(r *route) bool {
		return r.c.Caller != nil && anyContains(r.c.Caller.From, a)
	})
}

// serve serves until the listener ends.
func (l *listener) serve() (err error) {
	if (*l.routes.Load())[0].tls != nil {
		err = l.server.ServeTLS(l.net, "", "")
	} else {
		err = l.server.Serve(l.net)
	}
	if errors.Is(err, http.ErrServerClosed) {
		return nil
	}
	return err
}

// end lets open requests end, in that time at most.
func (l *listener) end(in time.Duration) error {
	ctx, cancel := context.WithTimeout(context.Background(), in)
	defer cancel()
	if err := l.server.Shutdown(ctx); err != nil {
		return errors.Join(fmt.Errorf("requests were still open at the end: %w", err), l.server.Close())
	}
	return nil
}

// ServeHTTP finds the route by its hosts, and keeps what a panic would do away from the connection.
func (l *listener) ServeHTTP(w http.ResponseWriter, q *http.Request) {
	routes := *l.routes.Load()
	r := routes[0] // it refuses a host that is nobody's
	for _, one := range routes {
		if one.serves(q.Host) {
			r = one
			break
		}
	}
	q, body := unread.Track(q)
	x, rw, q := r.begin(w, q)
	defer func() {
		abort := r.recovered(recover(), rw, x)
		x.finish(rw, q)
		l.g.looks.begin(x, rw)
		if abort {
			panic(http.ErrAbortHandler) // a cut answer must not look whole
		}
		body.Discard(w)
	}()
	r.serve(rw, q, x)
	rw.limit() // what net/http sends when the handler is done
}

// errCut is the reason of an answer that ended in the middle.
var errCut = &sealane.Error{
	Op: sealane.OpReadResponse, Outcome: sealane.ErrUnavailable, Fault: fault.AnswerCut,
	Detail: "the answer was cut after a part of it was passed on",
}

// recovered answers for a panic, and reports whether the connection must be cut.
func (r *route) recovered(reason any, w *writer, x *exchange) (abort bool) {
	if reason == nil {
		return false
	}
	if err, ok := reason.(error); ok && errors.Is(err, http.ErrAbortHandler) {
		x.refused(errCut)
		return true
	}
	stack := string(debug.Stack())
	x.refused(fmt.Errorf("panic with a %T", reason)) // the value may hold anything, also a payload
	x.with(func() { x.stack, x.processed = stack, processedUnknown })
	if w.wrote() {
		return true
	}
	clear(w.Header())
	if r.c.Ingress == "" {
		newProblem(kindInternal, http.StatusInternalServerError, "proxy_internal_error", processedUnknown,
			"the gateway failed; its log has the reason under the id").write(w, x.id)
		return false
	}
	w.Header().Set("Content-Type", "application/json")
	writePlain(w, http.StatusInternalServerError, r.profile.RenderError(x.id, "The message could not be processed"))
	return false
}

// openListener opens a listener. A unix socket that nobody listens on any more is replaced.
func openListener(ctx context.Context, l Listen) (net.Listener, error) {
	if name, passed := l.Address.systemd(); passed {
		return passedListener(name)
	}
	path, unix := l.Address.unix()
	if !unix {
		return new(net.ListenConfig).Listen(ctx, "tcp", string(l.Address))
	}
	if err := removeStale(path); err != nil {
		return nil, err
	}
	n, err := new(net.ListenConfig).Listen(ctx, "unix", path)
	if err != nil {
		return nil, err
	}
	if err := setOwner(path, l); err != nil {
		return nil, errors.Join(err, n.Close())
	}
	return n, nil
}

// removeStale removes a socket whose program has ended.
func removeStale(path string) error {
	info, err := os.Lstat(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	} else if err != nil {
		return err
	}
	if info.Mode().Type() != fs.ModeSocket {
		return fmt.Errorf("%s is there and is no socket", path)
	}
	if c, err := net.DialTimeout("unix", path, time.Second); err == nil {
		c.Close()
		return fmt.Errorf("%s: another program listens there", path)
	}
	return os.Remove(path)
}

// setOwner sets the mode and the group of a unix socket.
func setOwner(path string, l Listen) error {
	mode := uint64(0o600)
	if l.Mode != "" {
		var err error
		if mode, err = strconv.ParseUint(l.Mode, 8, 9); err != nil {
			return err
		}
	}
	if l.Group != "" {
		id := l.Group
		if _, err := strconv.Atoi(id); err != nil {
			g, err := user.LookupGroup(id)
			if err != nil {
				return err
			}
			id = g.Gid
		}
		n, err := strconv.Atoi(id)
		if err != nil {
			return err
		}
		if err := os.Chown(path, -1, n); err != nil {
			return err
		}
	}
	return os.Chmod(path, fs.FileMode(mode))
}
