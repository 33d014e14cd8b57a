package gateway_test

import (
	"fmt"
	"io"
	"net"
	"net/http"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/sealane/sealane"
	"github.com/sealane/sealane/internal/registry"
	"github.com/sealane/sealane/sealanetest"
)

// stranger sends a request from an address of the i-th network of this machine, and returns the status.
func (r *running) stranger(t *testing.T, i int, route, request string) string {
	t.Helper()
	dialer := net.Dialer{LocalAddr: &net.TCPAddr{IP: net.IPv4(127, byte(i>>8), byte(i), byte(2+i>>16))},
		Timeout: 10 * time.Second}
	c, err := dialer.Dial("tcp", r.addresses[route].String())
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	if err := c.(*net.TCPConn).SetLinger(0); err != nil {
		t.Fatal(err)
	}
	io.WriteString(c, request)
	status := make([]byte, len("HTTP/1.1 400"))
	if _, err := io.ReadFull(c, status); err != nil {
		t.Fatalf("stranger %d: %v", i, err)
	}
	return string(status[len("HTTP/1.1 "):])
}

// TestStrangers: strangers from as many networks as there are leave nothing behind: no memory, no goroutines and no
// metrics of their own. Partners are served meanwhile. The long form has 100,000 strangers.
func TestStrangers(t *testing.T) {
	d := newDatabase(t)
	d.partner("acme", "riskos", sealane.ServerSide, registry.Environment{Name: "SANDBOX",
		Sealing: sealane.SealingOptional}, sealanetest.ProviderKey(), sealanetest.CustomerKey())
	upstream := serve(t, func(w http.ResponseWriter, r *http.Request) {
		io.Copy(io.Discard, r.Body)
		io.WriteString(w, `{"eval_id":"e-1"}`)
	})
	open := strings.NewReplacer("name: in", "name: open", "routes:\n", "").Replace(ingress(upstream))
	g := start(t, "admin: 127.0.0.1:0\n"+d.api(upstream, "caller: api-key")+open, d.open(nil))

	sealed := sealedEvaluation(t)
	dot := strings.LastIndex(sealed, ".")
	garbage := sealed[:dot-9] + "AAAA" + sealed[dot-5:]
	post := func(method, path, headers, body string) string {
		return fmt.Sprintf("%s %s HTTP/1.1\r\nHost: h\r\nContent-Type: application/json\r\n%s"+
			"Content-Length: %d\r\n\r\n%s", method, path, headers, len(body), body)
	}
	const trigger = "X-Payload-Encrypted: true\r\n"
	come := func(from, to int) {
		for i := from; i < to; i++ {
			switch i % 8 {
			case 0: // a message that does not open costs an operation with a private key
				status := g.stranger(t, i, "open", post("POST", "/api/evaluation", trigger, garbage))
				if status != "400" {
					t.Fatalf("garbage: %s", status)
				}
			case 1:
				g.stranger(t, i, "open", post(fmt.Sprintf("M%d", i), fmt.Sprintf("/path/%d", i), trigger, "{}"))
			default:
				token := fmt.Sprintf("Authorization: Bearer token-%d\r\n", i)
				status := g.stranger(t, i, "in", post("POST", "/api/evaluation", token+trigger, sealed))
				if status != "401" && status != "429" {
					t.Fatalf("a token that is not known: %s", status)
				}
			}
			if i%1000 == 0 {
				key := "Authorization: Bearer api-key-of-acme\r\n"
				for route, headers := range map[string]string{"in": key, "open": ""} {
					if status := g.stranger(t, 1<<16+i%7, route,
						post("POST", "/api/evaluation", headers+trigger, sealed)); status != "200" {
						t.Errorf("the partner, on route %s: %s", route, status)
					}
				}
			}
		}
	}
	series := func() int {
		return strings.Count(call(t, "GET", "http://"+g.addresses["admin"].String()+"/metrics", "").body, "\nsealane_")
	}
	strangers := proof(3000, 100_000)
	come(0, strangers/4)
	named, heap, goroutines := series(), heapNow(), runtime.NumGoroutine()
	come(strangers/4, strangers)
	var after int
	poll(t, func() bool { after = runtime.NumGoroutine(); return after <= goroutines+10 })
	grown := heapNow() - heap
	t.Logf("of %d strangers the last three quarters left %d KiB and %d goroutines", strangers, grown>>10,
		after-goroutines)
	if now := series(); now != named {
		t.Errorf("%d series, %d before", now, named)
	}
	if grown > 16<<20 {
		t.Errorf("the heap has grown by %d bytes", grown)
	}
}
