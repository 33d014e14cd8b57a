package sealhttp_test

import (
	"bufio"
	"crypto"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/sealane/sealane"
	"github.com/sealane/sealane/internal/testkey"
	"github.com/sealane/sealane/internal/testlane"
	"github.com/sealane/sealane/keyring"
	"github.com/sealane/sealane/sealhttp"
)

// TestResponsesTakeNoRequestSpace: a partner that fills its share with responses leaves
// others the space for their requests and their responses.
func TestResponsesTakeNoRequestSpace(t *testing.T) {
	const clients = 60
	full, release := make(chan bool, clients), make(chan bool)
	_, send := twoPartners(t,
		&sealhttp.Handler{MaxHeld: 16 << 20, Next: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if r.Header.Get("X-Partner") == "b" {
				echo(w, r)
				return
			}
			for range 1024 {
				if _, err := io.WriteString(w, strings.Repeat(" ", 4<<10)); err != nil {
					break
				}
			}
			full <- true
			<-release
		})})
	var all sync.WaitGroup
	for range clients {
		all.Go(func() {
			if err := send("a", "{}"); err != nil {
				select {
				case full <- true: // it was refused
				default:
				}
			}
		})
	}
	for range clients {
		<-full
	}
	for _, size := range []int{10, 1000, 100_000, 400_000} {
		if err := send("b", `{"x":"`+strings.Repeat("x", size)+`"}`); err != nil {
			t.Errorf("%d bytes: %v", size, err)
		}
	}
	close(release)
	all.Wait()
}

// TestSlowLargeBody: a large body that stops in the middle takes no space from others.
func TestSlowLargeBody(t *testing.T) {
	s, send := twoPartners(t, &sealhttp.Handler{MaxHeld: 16 << 20, Next: http.HandlerFunc(echo)})
	c, err := net.Dial("tcp", s.Listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	fmt.Fprint(c, "POST /api/evaluation HTTP/1.1\r\nHost: x\r\nX-Partner: a\r\nX-Payload-Encrypted: "+
		"true\r\nContent-Length: 30000000\r\n\r\n")
	if _, err := io.WriteString(c, strings.Repeat(" ", 20<<20)); err != nil {
		t.Fatal(err)
	}
	for _, partner := range []string{"a", "b"} {
		if err := send(partner, "{}"); err != nil {
			t.Errorf("%s: %v", partner, err)
		}
	}
}

// TestLateWriter: a service that writes after it has returned does not hold memory forever.
func TestLateWriter(t *testing.T) {
	wrote := make(chan error, 10)
	_, send := twoPartners(t,
		&sealhttp.Handler{MaxHeld: 4 << 20, Next: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			echo(w, r)
			go func() {
				<-r.Context().Done() // the request is over
				_, err := w.Write(make([]byte, 1<<20))
				wrote <- err
			}()
		})})
	for range 8 {
		if err := send("a", "{}"); err != nil {
			t.Fatal(err)
		}
		if err := <-wrote; err == nil {
			t.Error("a late write was taken")
		}
	}
	if err := send("a", `{"x":"`+strings.Repeat("x", 100_000)+`"}`); err != nil {
		t.Error(err)
	}
}

// countingKey counts the decryptions that run concurrently.
type countingKey struct {
	keyring.Private
	now, most *atomic.Int32
	wait      chan bool
}

func (k countingKey) Decrypt(r io.Reader, c []byte, o crypto.DecrypterOpts) ([]byte, error) {
	n := k.now.Add(1)
	defer k.now.Add(-1)
	for {
		most := k.most.Load()
		if n <= most || k.most.CompareAndSwap(most, n) {
			break
		}
	}
	<-k.wait
	return k.Private.Decrypt(r, c, o)
}

// TestPlacesBoundOpening: no more messages are opened concurrently than there are places.
func TestPlacesBoundOpening(t *testing.T) {
	var now, most atomic.Int32
	wait := make(chan bool)
	c := config(t, sealane.ServerSide)
	c.Ours = testkey.Ours(t, "provider", countingKey{testkey.RSA(t, "provider", 2048), &now, &most, wait})
	s := httptest.NewServer(&sealhttp.Handler{
		Lane:               sealhttp.OneLane(testlane.New(t, c)),
		MaxInFlight:        2,
		MaxInFlightPerLane: 2,
		Next:               http.HandlerFunc(echo),
		Log:                discard,
	})
	defer s.Close()
	body := wrapped(t, customer(t), "{}")
	statuses := make(chan int, 20)
	for range 20 {
		go func() {
			answer, err := http.DefaultClient.Do(func() *http.Request {
				r := request(t, "POST", s.URL+"/api/evaluation", body)
				r.Header.Set("X-Payload-Encrypted", "true")
				return r
			}())
			if err != nil {
				statuses <- 0
				return
			}
			answer.Body.Close()
			statuses <- answer.StatusCode
		}()
	}
	for range 18 {
		if got := <-statuses; got != 503 {
			t.Errorf("without a place: %d", got)
		}
	}
	close(wait)
	for range 2 {
		if got := <-statuses; got != 200 {
			t.Errorf("with a place: %d", got)
		}
	}
	if most.Load() > 2 {
		t.Errorf("%d were opened at once", most.Load())
	}
}

// TestRefusedConnectionsEnd: if a request is refused and its body does not arrive, its
// connection is closed, no matter what refuses it.
func TestRefusedConnectionsEnd(t *testing.T) {
	s, _ := twoPartners(t, &sealhttp.Handler{Next: http.HandlerFunc(echo)})
	nobody := httptest.NewServer(&sealhttp.Handler{Log: discard, Next: http.HandlerFunc(echo),
		Lane: func(*http.Request) (*sealane.Lane, error) { return nil, sealhttp.ErrUnauthenticated }})
	defer nobody.Close()
	for name, c := range map[string]struct {
		s    *httptest.Server
		head string
	}{
		"type":         {s, "Content-Type: text/html\r\nContent-Length: 200000"},
		"coding":       {s, "Content-Encoding: gzip\r\nContent-Length: 200000"},
		"chunks":       {s, "Content-Type: text/html\r\nTransfer-Encoding: chunked"},
		"length":       {s, "Content-Length: 99999999"},
		"unknown":      {nobody, "Content-Length: 200000"},
		"unknown, 100": {nobody, "Expect: 100-continue\r\nContent-Length: 1000"},
	} {
		conn, err := net.Dial("tcp", c.s.Listener.Addr().String())
		if err != nil {
			t.Fatal(err)
		}
		fmt.Fprintf(conn,
			"POST /api/evaluation HTTP/1.1\r\nHost: x\r\nX-Partner: a\r\nX-Payload-Encrypted: true\r\n%s\r\n\r\n",
			c.head)
		conn.SetReadDeadline(time.Now().Add(20 * time.Second))
		reader := bufio.NewReader(conn)
		answer, err := http.ReadResponse(reader, nil)
		if err != nil || answer.StatusCode < 400 {
			t.Errorf("%s: %v %v", name, answer, err)
			continue
		}
		io.Copy(io.Discard, answer.Body)
		if _, err := reader.ReadByte(); !errors.Is(err, io.EOF) && !strings.Contains(fmt.Sprint(err), "reset") {
			t.Errorf("%s: the connection is still open: %v", name, err)
		}
		conn.Close()
	}
}

// TestHeadersInAnySpelling: header names that were put into the map in another spelling
// count like others.
func TestHeadersInAnySpelling(t *testing.T) {
	s := provider(t, func(w http.ResponseWriter, r *http.Request) {
		for name, values := range r.Header {
			if name != http.CanonicalHeaderKey(name) {
				t.Errorf("the service got %q", name)
			}
			if strings.Contains(strings.Join(values, ""), "SECRET") {
				t.Errorf("the service got %s: %q", name, values)
			}
		}
		for name, value := range map[string]string{"content-length": "2", "transfer-encoding": "chunked",
			"etag": "SECRET", "content-digest": "SECRET",
			"connection": "keep-alive, x-own", "x-own": "SECRET", "Trailer:Content-Digest": "SECRET"} {
			w.Header()[name] = []string{value}
		}
		io.WriteString(w, `{"eval_id":"e-1"}`)
	})
	tap := &tapTransport{base: http.DefaultTransport}
	client := &http.Client{Transport: &sealhttp.Transport{Lane: sealhttp.OneLane(customer(t)), Base: tap}}
	r := request(t, "POST", s.URL+"/api/evaluation", "{}")
	for name, value := range map[string]string{
		"content-digest":      "SECRET",
		"if-none-match":       "SECRET",
		"upgrade":             "SECRET",
		"x-payload-encrypted": "false",
		"content-type":        "text/html",
	} {
		r.Header[name] = []string{value}
	}
	answer, err := client.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	answer.Body.Close()
	for where, h := range map[string]http.Header{"request": tap.sent, "response": tap.got} {
		for name, values := range h {
			if name != http.CanonicalHeaderKey(name) || strings.Contains(strings.Join(values, ""), "SECRET") ||
				len(values) > 1 {
				t.Errorf("%s: %s: %q", where, name, values)
			}
		}
	}
}

// TestStatusWithoutBodyHasNoLength: in a direction without sealing, the service's headers
// about a body are removed if the status has no body.
func TestStatusWithoutBodyHasNoLength(t *testing.T) {
	vcas, issuer := issuers(t)
	for _, status := range []int{204, 205, 304} {
		s := httptest.NewServer(&sealhttp.Handler{Lane: sealhttp.OneLane(issuer), Log: discard,
			Next: http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
				w.Header().Set("Content-Length", "6")
				w.WriteHeader(status)
			})})
		answer, body, err := do(t, vcas, request(t, "POST", s.URL+"/v1/risk", "{}"))
		if err != nil || answer.StatusCode != status || body != "" || answer.ContentLength > 0 {
			t.Errorf("%d: %v %q %v", status, answer, body, err)
		}
		s.Close()
	}
}
