package gateway_test

import (
	"bufio"
	"errors"
	"fmt"
	"net"
	"net/http"
	"strings"
	"syscall"
	"testing"
	"time"
)

// connectFrom makes a connection from an address of this machine, and reports whether a request on it is
// answered. The connection stays open.
func (r *running) connectFrom(from, route string) (c net.Conn, served bool) {
	r.t.Helper()
	to := r.addresses[route]
	dialer := net.Dialer{Timeout: 10 * time.Second}
	if from != "" {
		dialer.LocalAddr = &net.TCPAddr{IP: net.ParseIP(from)}
	}
	c, err := dialer.Dial(to.Network(), to.String())
	if errors.Is(err, syscall.ECONNRESET) { // it was closed before this side knew that it is open
		return nil, false
	}
	if err != nil {
		r.t.Fatal(err)
	}
	r.t.Cleanup(func() { c.Close() })
	return c, answered(c)
}

// answered reports whether a request on a connection is answered.
func answered(c net.Conn) bool {
	fmt.Fprint(c, "GET /nothing HTTP/1.1\r\nHost: localhost\r\n\r\n")
	response, err := http.ReadResponse(bufio.NewReader(c), nil)
	if err == nil {
		response.Body.Close()
	}
	return err == nil
}

// TestConnectionsOfNetworks: a network that opens as many connections as it can leaves some for others, and its own
// stay open. A proxy in front and a unix socket have all.
func TestConnectionsOfNetworks(t *testing.T) {
	var app seen
	url := serve(t, app.answer(200, "{}"))
	const limits = "admin: 127.0.0.1:0\nlimits: {connections: 8}\n"
	t.Run("networks", func(t *testing.T) {
		g := start(t, limits+ingress(url))
		var first []net.Conn
		for i := range 10 {
			c, served := g.connectFrom(fmt.Sprintf("127.0.0.%d", 1+i), "in")
			if served != (i < 6) {
				t.Errorf("connection %d of the network: served %t", i, served)
			}
			if served {
				first = append(first, c)
			}
		}
		for i := range 2 {
			if _, served := g.connectFrom("127.0.1.1", "in"); !served {
				t.Errorf("connection %d of another network is not served", i)
			}
		}
		third := make(chan bool)
		go func() {
			_, served := g.connectFrom("127.0.2.1", "in")
			third <- served
		}()
		for i, c := range first {
			if !answered(c) {
				t.Errorf("connection %d of the network was closed", i)
			}
		}
		first[0].Close()
		if !<-third { // it has waited for a place
			t.Error("a third network is not served")
		}
		a := call(t, "GET", "http://"+g.addresses["admin"].String()+"/metrics", "")
		if !strings.Contains(a.body, "\nsealane_connections_refused_total 4\n") {
			t.Error("the metric does not count the connections that were refused")
		}
		log := g.logged()
		line := `its network has its share of limits.connections","network":"127.0.0.0/24"`
		if n := strings.Count(log, line); n != 4 {
			t.Errorf("%d lines: %s", n, log)
		}
	})
	t.Run("proxy", func(t *testing.T) {
		caller := "caller: {certificate_header: X-Subject, names: [acme], from: 127.0.2.0/24}"
		config := limits + strings.Replace(ingress(url), "caller: unauthenticated", caller, 1)
		for from, most := range map[string]int{"127.0.2.1": 8, "127.0.3.1": 6} {
			g := start(t, config)
			for i := range 8 {
				if _, served := g.connectFrom(from, "in"); served != (i < most) {
					t.Errorf("connection %d from %s: served %t", i, from, served)
				}
			}
		}
	})
	t.Run("unix", func(t *testing.T) {
		g := start(t, limits+strings.Replace(ingress(url), "127.0.0.1:0", "unix:"+t.TempDir()+"/in.sock", 1))
		for i := range 8 {
			if _, served := g.connectFrom("", "in"); !served {
				t.Errorf("connection %d is not served", i)
			}
		}
	})
}
