package sealhttp_test

import (
	"bufio"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"runtime"
	"runtime/debug"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/sealane/sealane"
	"github.com/sealane/sealane/internal/testlane"
	"github.com/sealane/sealane/sealhttp"
)

// twoPartners serves two partners, distinguished by a header, and returns a function that
// sends a request of one of them.
func twoPartners(t *testing.T, h *sealhttp.Handler,
	protocols ...func(*httptest.Server)) (s *httptest.Server, send func(partner, payload string) error) {
	t.Helper()
	lanes := map[string]*sealane.Lane{}
	for _, name := range []string{"a", "b"} {
		lanes[name] = testlane.New(t, func() sealane.Config {
			c := config(t, sealane.ServerSide)
			c.Partner = name
			return c
		}())
	}
	h.Lane = func(r *http.Request) (*sealane.Lane, error) { return lanes[r.Header.Get("X-Partner")], nil }
	h.Log = discard
	s = httptest.NewUnstartedServer(h)
	for _, p := range protocols {
		p(s)
	}
	if s.TLS == nil {
		s.Start()
	} else {
		s.StartTLS()
	}
	t.Cleanup(s.Close)
	lane := customer(t)
	return s, func(partner, payload string) error {
		r, err := http.NewRequestWithContext(t.Context(), "POST", s.URL+"/api/evaluation", strings.NewReader(payload))
		if err != nil {
			return err
		}
		r.Header.Set("X-Partner", partner)
		answer, err := (&http.Client{Transport: &sealhttp.Transport{
			Lane: sealhttp.OneLane(lane),
			Base: s.Client().Transport,
		}}).Do(r)
		if err != nil {
			return err
		}
		defer answer.Body.Close()
		_, err = io.Copy(io.Discard, answer.Body)
		return err
	}
}

// silent opens a connection whose body does not arrive, whatever its head declares.
func silent(t *testing.T, s *httptest.Server, head, begin string) {
	t.Helper()
	c, err := net.Dial("tcp", s.Listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	fmt.Fprintf(c,
		"POST /api/evaluation HTTP/1.1\r\nHost: x\r\nX-Partner: a\r\nX-Payload-Encrypted: true\r\n%s\r\n\r\n%s", head,
		begin)
}

// TestSilenceTakesNoSpace: connections that declare the largest body, or chunks, and send
// nothing take neither a place nor memory from others, of the same partner or another.
func TestSilenceTakesNoSpace(t *testing.T) {
	for name, head := range map[string]string{
		"length": "Content-Length: 59698748", "short": "Content-Length: 200000",
		"chunks":       "Transfer-Encoding: chunked",
		"refused type": "Content-Type: text/html\r\nContent-Length: 200000",
	} {
		t.Run(name, func(t *testing.T) {
			s, send := twoPartners(t, &sealhttp.Handler{
				Next:               http.HandlerFunc(echo),
				MaxInFlight:        1,
				MaxInFlightPerLane: 1,
				MaxHeld:            1 << 20,
			})
			for range 20 {
				silent(t, s, head, map[bool]string{true: "1\r\n{\r\n", false: "{"}[name == "chunks"])
			}
			for _, partner := range []string{"a", "b", "a"} {
				if err := send(partner, `{"id":"1"}`); err != nil {
					t.Errorf("%s: %v", partner, err)
				}
			}
		})
	}
}

// TestChunkedRequests: a body without a length counts with its bytes, not with the maximum.
func TestChunkedRequests(t *testing.T) {
	entered, release := make(chan bool, 16), make(chan bool)
	s, _ := twoPartners(t,
		&sealhttp.Handler{MaxHeld: 2 << 20, Next: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			entered <- true
			<-release
			echo(w, r)
		})})
	body := wrapped(t, customer(t), `{"x":"`+strings.Repeat("x", 1000)+`"}`)
	var all sync.WaitGroup
	for range 16 {
		all.Go(func() {
			r, err := http.NewRequestWithContext(t.Context(), "POST", s.URL+"/api/evaluation",
				io.MultiReader(strings.NewReader(body)))
			if err != nil {
				t.Error(err)
				return
			}
			r.Header.Set("X-Partner", "a")
			r.Header.Set("X-Payload-Encrypted", "true")
			answer, err := http.DefaultClient.Do(r)
			if err != nil {
				t.Error(err)
				return
			}
			answer.Body.Close()
			if answer.StatusCode != 200 {
				t.Errorf("answered %s", answer.Status)
				entered <- false
			}
		})
	}
	for range 16 {
		<-entered
	}
	close(release)
	all.Wait()
}

// TestShareOfALane: a partner that uses its whole share leaves space for another.
func TestShareOfALane(t *testing.T) {
	for name, c := range map[string]struct {
		h       *sealhttp.Handler
		payload string
		fewest  int
	}{
		"places": {&sealhttp.Handler{MaxInFlight: 6}, `{}`, 5},
		"bytes":  {&sealhttp.Handler{MaxHeld: 1 << 20}, `{"x":"` + strings.Repeat("x", 100<<10) + `"}`, 1},
		"own":    {&sealhttp.Handler{MaxInFlight: 6, MaxInFlightPerLane: 4}, `{}`, 4},
	} {
		t.Run(name, func(t *testing.T) {
			entered, release := make(chan bool, 100), make(chan bool)
			c.h.Next = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				if r.Header.Get("X-Partner") == "a" {
					entered <- true
					<-release
				}
				echo(w, r)
			})
			_, send := twoPartners(t, c.h)
			var all sync.WaitGroup
			var refused atomic.Int32
			for range 20 {
				all.Go(func() {
					if err := send("a", c.payload); errors.Is(err, sealane.ErrUnavailable) {
						refused.Add(1)
						entered <- false
					} else if err != nil {
						t.Error(err)
					}
				})
			}
			for range 20 {
				<-entered
			}
			if held := 20 - int(refused.Load()); held < c.fewest || held > 10 || name != "bytes" && held != c.fewest {
				t.Errorf("%d of one partner are served at once, want %d", held, c.fewest)
			}
			if err := send("b", `{"id":"1"}`); err != nil {
				t.Errorf("another partner: %v", err)
			}
			close(release)
			all.Wait()
			if err := send("a", `{"id":"1"}`); err != nil {
				t.Errorf("afterwards: %v", err)
			}
		})
	}
}

// TestPlaceWhileTheClientReads: a client that does not read its response holds no place.
func TestPlaceWhileTheClientReads(t *testing.T) {
	long := `{"x":"` + strings.Repeat("x", 8<<20) + `"}`
	s, send := twoPartners(t,
		&sealhttp.Handler{MaxInFlight: 1, MaxInFlightPerLane: 1,
			Next: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				if r.Header.Get("X-Long") != "" {
					io.WriteString(w, long)
					return
				}
				echo(w, r)
			})})
	body := wrapped(t, customer(t), "{}")
	c, err := net.Dial("tcp", s.Listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	fmt.Fprintf(c, "POST /api/evaluation HTTP/1.1\r\nHost: x\r\nX-Partner: a\r\nX-Long: 1\r\nX-Payload-Encrypted: "+
		"true\r\nContent-Length: %d\r\n\r\n%s", len(body), body)
	if _, err := bufio.NewReaderSize(c, 16).ReadByte(); err != nil { // the response has begun
		t.Fatal(err)
	}
	for _, partner := range []string{"a", "b"} {
		if err := send(partner, "{}"); err != nil {
			t.Errorf("%s: %v", partner, err)
		}
	}
}

// TestHTTP2Streams: five streams of one connection that declare the largest body take no
// space from others.
func TestHTTP2Streams(t *testing.T) {
	s, send := twoPartners(t,
		&sealhttp.Handler{Next: http.HandlerFunc(echo), MaxInFlight: 1, MaxInFlightPerLane: 1, MaxHeld: 1 << 20},
		func(s *httptest.Server) {
			s.EnableHTTP2 = true
			s.TLS = &tls.Config{} // httptest adds its certificate
		})
	var ends []io.Closer
	var all sync.WaitGroup
	for range 5 {
		body, feed := io.Pipe()
		ends = append(ends, feed)
		r, err := http.NewRequestWithContext(t.Context(), "POST", s.URL+"/api/evaluation", body)
		if err != nil {
			t.Fatal(err)
		}
		r.ContentLength = 59698748
		r.Header.Set("X-Partner", "a")
		r.Header.Set("X-Payload-Encrypted", "true")
		all.Go(func() {
			if answer, err := s.Client().Do(r); err == nil {
				answer.Body.Close()
			}
		})
		if _, err := feed.Write([]byte("{")); err != nil { // the stream is open
			t.Fatal(err)
		}
	}
	for _, partner := range []string{"a", "b"} {
		if err := send(partner, "{}"); err != nil {
			t.Errorf("%s: %v", partner, err)
		}
	}
	for _, end := range ends {
		end.Close()
	}
	all.Wait()
}

// TestHeapStaysInTheLimit: requests, responses and the buffers for sealing count, so that
// the memory stays near MaxHeld, whatever is requested.
func TestHeapStaysInTheLimit(t *testing.T) {
	const limit, each, clients = 64 << 20, 4 << 20, 64
	answer := []byte(`{"x":"` + strings.Repeat("x", each) + `"}`)
	var served atomic.Int32
	s, send := twoPartners(t,
		&sealhttp.Handler{MaxHeld: limit, MaxHeldPerLane: limit,
			Next: http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
				served.Add(1)
				w.Write(answer)
			})})
	token := wrapped(t, customer(t), `{"id":"1"}`)
	if err := send("a", "{}"); err != nil {
		t.Fatal(err)
	}
	defer debug.SetGCPercent(debug.SetGCPercent(20)) // so that the heap shows what is in use
	runtime.GC()
	var before, now runtime.MemStats
	runtime.ReadMemStats(&before)
	var most atomic.Uint64
	stop, stopped := make(chan bool), make(chan bool)
	go func() {
		defer close(stopped)
		for {
			select {
			case <-stop:
				return
			case <-time.After(time.Millisecond):
				runtime.ReadMemStats(&now)
				most.Store(max(most.Load(), now.HeapAlloc))
			}
		}
	}()
	var all sync.WaitGroup
	var refused, unsealed, fine atomic.Int32
	for range clients {
		all.Go(func() {
			r, err := http.NewRequestWithContext(t.Context(), "POST", s.URL+"/api/evaluation",
				strings.NewReader(token))
			if err != nil {
				t.Error(err)
				return
			}
			r.Header.Set("X-Partner", "a")
			r.Header.Set("X-Payload-Encrypted", "true")
			got, err := http.DefaultClient.Do(r)
			if err != nil {
				t.Error(err)
				return
			}
			defer got.Body.Close()
			io.Copy(io.Discard, got.Body)
			map[int]*atomic.Int32{200: &fine, 500: &unsealed, 503: &refused}[got.StatusCode].Add(1)
		})
	}
	all.Wait()
	close(stop)
	<-stopped
	if rest := most.Load() - before.HeapAlloc; rest > 2*limit {
		t.Errorf("the heap grew by %d MiB, MaxHeld is %d", rest>>20, limit>>20)
	}
	t.Logf("%d answered, %d sealing-failed, %d unavailable; the heap grew by %d MiB", fine.Load(), unsealed.Load(),
		refused.Load(), (most.Load()-before.HeapAlloc)>>20)
	if fine.Load() == 0 || unsealed.Load()+refused.Load() == 0 {
		t.Errorf("%d answered, %d sealing-failed, %d unavailable: the limit was not met", fine.Load(), unsealed.Load(),
			refused.Load())
	}
	if err := send("b", "{}"); err != nil {
		t.Errorf("afterwards: %v", err)
	}
}

// TestRefusalClosesUnreadConnections: the rest of an unread body is not awaited, and a body
// that was read to its end leaves the connection open.
func TestRefusalClosesUnreadConnections(t *testing.T) {
	s, _ := twoPartners(t, &sealhttp.Handler{Next: http.HandlerFunc(echo)})
	for _, c := range []struct {
		head, body string
		close      bool
	}{
		{"Content-Type: text/html\r\nContent-Length: 10", "", true},
		{"Content-Encoding: gzip\r\nContent-Length: 10", "", true},
		{"Content-Length: 99999999", "", true},
		{"Content-Length: 2", "{}", false},
		{"Content-Length: 0", "", false},
		{"Transfer-Encoding: chunked", "2\r\n{}\r\n0\r\n\r\n", false},
	} {
		conn, err := net.Dial("tcp", s.Listener.Addr().String())
		if err != nil {
			t.Fatal(err)
		}
		fmt.Fprintf(conn,
			"POST /api/evaluation HTTP/1.1\r\nHost: x\r\nX-Partner: a\r\nX-Payload-Encrypted: true\r\n%s\r\n\r\n%s",
			c.head, c.body)
		conn.SetReadDeadline(time.Now().Add(10 * time.Second))
		answer, err := http.ReadResponse(bufio.NewReader(conn), nil)
		if err != nil {
			t.Errorf("%s: %v", c.head, err)
		} else if answer.Close != c.close || answer.StatusCode < 400 {
			t.Errorf("%s: %d, closed: %t", c.head, answer.StatusCode, answer.Close)
		}
		conn.Close()
	}
}
