package gateway_test

import (
	"fmt"
	"net/http"
	"strings"
	"testing"
)

// TestAdminOfOtherSites: pages of other sites can't read the admin's pages, also by a name of theirs that leads
// to this machine.
func TestAdminOfOtherSites(t *testing.T) {
	const config = "admin: %s\n%s"
	g := start(t, fmt.Sprintf(config, "127.0.0.1:0", egress("https://127.0.0.1:1")))
	open := start(t, fmt.Sprintf(config, "0.0.0.0:0", egress("https://127.0.0.1:1")))
	for _, c := range []struct {
		g            *running
		host, origin string
		want         int
	}{
		{g, "localhost:1", "", 200}, {g, "127.0.0.1", "", 200}, {g, "[::1]:9901", "", 200}, {g, "LOCALHOST", "", 200},
		{g, "evil.example", "", 421}, {g, "evil.example:9901", "", 421}, {g, "localhost.evil.example", "", 421},
		{g, "192.0.2.1", "", 421}, {g, "localhost", "http://localhost", 200},
		{g, "localhost", "http://evil.example", 403}, {g, "localhost", "null", 403},
		{g, "localhost:1", "http://localhost:2", 403},
		{open, "gateway.internal:9901", "", 200}, {open, "gateway.internal", "http://evil.example", 403},
	} {
		for _, path := range []string{"/healthz", "/readyz", "/metrics", "/status"} {
			if path == "/status" && c.g == open {
				continue
			}
			head := fmt.Sprintf("GET %s HTTP/1.1\r\nHost: %s\r\nConnection: close\r\n", path, c.host)
			if c.origin != "" {
				head += "Origin: " + c.origin + "\r\n"
			}
			got := raw(t, c.g.addresses["admin"], head+"\r\n")
			if !strings.HasPrefix(got, fmt.Sprintf("HTTP/1.1 %d %s", c.want, http.StatusText(c.want))) {
				t.Errorf("%s of host %q from %q: %.60q, want %d", path, c.host, c.origin, got, c.want)
			}
		}
	}
	if got := raw(t, g.addresses["admin"], "GET /healthz HTTP/1.0\r\n\r\n"); !strings.HasPrefix(got, "HTTP/1.0 200") {
		t.Errorf("HTTP/1.0 without a host: %q", got)
	}
}
