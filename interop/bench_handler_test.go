package interop

import (
	"bytes"
	"context"
	"crypto/rsa"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/sealane/sealane"
	"github.com/sealane/sealane/keyring"
	"github.com/sealane/sealane/sealhttp"
)

// BenchmarkHandler measures a sealed request and its sealed answer, 1 KiB each and
// RSA-2048, through a sealhttp.Handler.
//
// path=inprocess calls the handler with a prepared request and writer: there is no socket
// and no parsing of HTTP. path=loopback includes net/http's server, the kernel's loopback
// interface and, since the client is in the same process, an http.Client with a kept-alive
// connection that sends one body repeatedly and discards the answer. It neither seals nor
// opens anything.
//
// clients=parallel keeps all of GOMAXPROCS busy: run it as "taskset -c 0" with -cpu 1 and
// as "taskset -c 0,1" with -cpu 2. (Without taskset, -cpu 1 uses more than one core,
// because threads that run OpenSSL are not counted.)
func BenchmarkHandler(b *testing.B) {
	for _, impl := range []struct {
		name    string
		private func(*rsa.PrivateKey) (keyring.Private, error)
	}{{"sealane", opensslKey}, {"sealane-go", goKey}} {
		for _, path := range []string{"inprocess", "loopback"} {
			for _, clients := range []string{"serial", "parallel"} {
				b.Run(fmt.Sprintf("impl=%s/path=%s/clients=%s", impl.name, path, clients), func(b *testing.B) {
					client, server, err := benchLanes(b, 2048, impl.private)
					if errors.Is(err, errNoOpenSSL) {
						b.Skip(err)
					}
					if err != nil {
						b.Fatal(err)
					}
					x := newExchange(b, client, server)
					caller := x.inProcess
					if path == "loopback" {
						caller = x.loopback(b)
						b.SetParallelism(4) // a client also waits
					}
					x.measure(b, caller, clients == "parallel")
				})
			}
		}
	}
}

// exchange is one sealed request and the handler that serves it.
type exchange struct {
	client  *sealane.Lane
	handler http.Handler
	body    []byte // of the request
	answer  []byte // unencrypted
}

func newExchange(b *testing.B, client, server *sealane.Lane) *exchange {
	payload := benchPayload(b, "1KiB", 1<<10)
	sealed, err := client.Seal(b.Context(), payload)
	if err != nil {
		b.Fatal(err)
	}
	const member = `"eval_id":"b5fd5c15-7b35-4b2e-9d2e-6a0f9d3a0c11",`
	x := &exchange{client: client, body: sealhttp.WrapToken(sealed, client.Outbound())}
	x.answer = append([]byte("{"+member), payload[1:len(payload)-len(member)-2]...)
	x.answer = append(x.answer, `"}`...)
	x.handler = &sealhttp.Handler{
		Lane: func(*http.Request) (*sealane.Lane, error) { return server, nil },
		Next: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			io.Copy(io.Discard, r.Body) // if it cannot be read, the check of the answer fails
			w.Header().Set("Content-Type", "application/json")
			w.Write(x.answer)
		}),
	}
	return x
}

// call does one exchange and returns the answer's body if keep is true.
type call func(keep bool) ([]byte, error)

func (x *exchange) measure(b *testing.B, caller func(*testing.B) call, parallel bool) {
	body, err := caller(b)(true)
	if err != nil {
		b.Fatal(err)
	}
	sealed, err := sealhttp.UnwrapToken(body, x.client.Inbound())
	if err != nil {
		b.Fatal(err)
	}
	if m, err := x.client.Open(b.Context(), sealed); err != nil || !bytes.Equal(m.Payload(), x.answer) {
		b.Fatal("the answer is not the one that was sealed:", err)
	}
	b.ReportAllocs()
	if parallel {
		b.ResetTimer()
		b.RunParallel(func(p *testing.PB) {
			do := caller(b)
			for p.Next() {
				if _, err := do(false); err != nil {
					b.Error(err)
					return
				}
			}
		})
	} else {
		do := caller(b)
		for b.Loop() {
			if _, err := do(false); err != nil {
				b.Fatal(err)
			}
		}
	}
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "req/s")
}

func (x *exchange) request(b *testing.B, url string) *http.Request {
	r, err := http.NewRequestWithContext(context.Background(), http.MethodPost, url+"/api/evaluation", nil)
	if err != nil {
		b.Fatal(err)
	}
	r.Header.Set("Content-Type", "application/json")
	r.Header.Set("X-Payload-Encrypted", "true")
	r.ContentLength = int64(len(x.body))
	return r
}

// writer is a ResponseWriter without a connection.
type writer struct {
	header http.Header
	status int
	body   []byte
}

func (w *writer) Header() http.Header    { return w.header }
func (w *writer) WriteHeader(status int) { w.status = status }
func (w *writer) Write(p []byte) (int, error) {
	w.body = append(w.body, p...)
	return len(p), nil
}

func (x *exchange) inProcess(b *testing.B) call {
	r, w := x.request(b, "http://server"), &writer{header: http.Header{}}
	return func(bool) ([]byte, error) {
		r.Body = io.NopCloser(bytes.NewReader(x.body))
		clear(w.header)
		w.body = w.body[:0]
		x.handler.ServeHTTP(w, r)
		if w.status != http.StatusOK {
			return nil, fmt.Errorf("status %d: %s", w.status, w.body)
		}
		return w.body, nil
	}
}

func (x *exchange) loopback(b *testing.B) func(*testing.B) call {
	server := httptest.NewServer(x.handler)
	transport := &http.Transport{MaxIdleConnsPerHost: 64, DisableCompression: true}
	b.Cleanup(func() {
		transport.CloseIdleConnections()
		server.Close()
	})
	client := &http.Client{Transport: transport}
	return func(b *testing.B) call {
		return func(keep bool) ([]byte, error) {
			r := x.request(b, server.URL)
			r.Body = io.NopCloser(bytes.NewReader(x.body))
			answer, err := client.Do(r)
			if err != nil {
				return nil, err
			}
			defer answer.Body.Close()
			if answer.StatusCode != http.StatusOK {
				return nil, fmt.Errorf("status %s", answer.Status)
			}
			if keep {
				return io.ReadAll(answer.Body)
			}
			_, err = io.Copy(io.Discard, answer.Body)
			return nil, err
		}
	}
}
