package gateway

import (
	"log/slog"
	"net"
	"net/netip"
	"sync"
)

// limitedListener accepts no more connections than it has places. Each source network may have three quarters of
// the places that the others leave: one that is alone can use most of them, and there are always some for others.
type limitedListener struct {
	net.Listener
	places  chan struct{}
	isProxy func(netip.Addr) bool // its connections are those of many
	refused func(netip.Prefix)    // is told of a network with more than its share
	closed  chan struct{}
	close   func() error

	mu   sync.Mutex
	all  int                  // connections of networks
	held map[netip.Prefix]int // by networks, those that have any
}

func newLimitedListener(
	n net.Listener, places int, isProxy func(netip.Addr) bool, refused func(netip.Prefix),
) *limitedListener {
	l := &limitedListener{
		Listener: n, places: make(chan struct{}, places), isProxy: isProxy, refused: refused,
		closed: make(chan struct{}), held: map[netip.Prefix]int{},
	}
	l.close = sync.OnceValue(func() error {
		close(l.closed)
		return n.Close()
	})
	return l
}

// Close ends Accept too where it waits for a place.
func (l *limitedListener) Close() error { return l.close() }

// Accept waits for a place, and returns the next connection whose network has not got its share yet. The others it
// closes, because they would keep those behind them waiting.
func (l *limitedListener) Accept() (net.Conn, error) {
	for {
		select {
		case l.places <- struct{}{}:
		case <-l.closed:
			return nil, net.ErrClosed
		}
		c, err := l.Listener.Accept()
		if err != nil {
			<-l.places
			return nil, err
		}
		of := l.networkOf(c)
		if l.enter(of) {
			return &limitedConn{Conn: c, free: sync.OnceFunc(func() { l.leave(of) })}, nil
		}
		if tcp, is := c.(*net.TCPConn); is {
			_ = tcp.SetLinger(0) // nothing of it stays, and the client knows at once
		}
		c.Close()
		<-l.places
		l.refused(of)
	}
}

// networkOf returns the network that a connection comes from. It is not valid for a unix socket and for a proxy.
func (l *limitedListener) networkOf(c net.Conn) netip.Prefix {
	tcp, is := c.RemoteAddr().(*net.TCPAddr)
	if !is {
		return netip.Prefix{}
	}
	a := tcp.AddrPort().Addr().Unmap().WithZone("")
	if l.isProxy(a) {
		return netip.Prefix{}
	}
	return network(a)
}

// enter reports whether a network may have one more connection, and counts it.
func (l *limitedListener) enter(of netip.Prefix) bool {
	if !of.IsValid() {
		return true
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	left := cap(l.places) - (l.all - l.held[of])
	if l.held[of] >= (3*left+3)/4 {
		return false
	}
	l.held[of]++
	l.all++
	return true
}

// leave releases the place of a connection.
func (l *limitedListener) leave(of netip.Prefix) {
	if of.IsValid() {
		l.mu.Lock()
		l.all--
		if l.held[of]--; l.held[of] == 0 {
			delete(l.held, of)
		}
		l.mu.Unlock()
	}
	<-l.places
}

// limitedConn is a connection that has a place.
type limitedConn struct {
	net.Conn
	free func()
}

func (c *limitedConn) Close() error {
	defer c.free()
	return c.Conn.Close()
}

// CloseWrite lets net/http end a connection so that the client can read the answer.
func (c *limitedConn) CloseWrite() error {
	if half, ok := c.Conn.(interface{ CloseWrite() error }); ok {
		return half.CloseWrite()
	}
	return nil
}

// connectionRefused counts a connection of a network that has its share, and logs a few of them.
func (g *Gateway) connectionRefused(of netip.Prefix) {
	g.metrics.connections.Inc()
	ok, omitted := g.sampler.allow(sampleKey{fault: "connections"})
	if !ok {
		return
	}
	a := []any{"network", of.String()}
	if omitted > 0 {
		a = append(a, slog.Int64("lines_omitted", omitted))
	}
	g.log.Warn("a connection was closed: its network has its share of limits.connections", a...)
}
