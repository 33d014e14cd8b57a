package unread_test

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/sealane/sealane"
	"github.com/sealane/sealane/internal/httpserver"
	"github.com/sealane/sealane/sealhttp"
)

const answer = `{"error":"no"}`

// refuse answers without reading the body.
func refuse(w http.ResponseWriter, _ *http.Request) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(http.StatusRequestEntityTooLarge)
	io.WriteString(w, answer)
}

// servers are the servers and handlers that answer before they read the body, by their addresses.
func servers(t *testing.T) map[string]string {
	t.Helper()
	l, err := httpserver.Listen(t.Context(), "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	ended := make(chan error, 1)
	log := slog.New(slog.DiscardHandler)
	go func() { ended <- httpserver.Serve(t.Context(), l, http.HandlerFunc(refuse), log) }()
	t.Cleanup(func() { // the context has ended
		if err := <-ended; err != nil {
			t.Error(err)
		}
	})
	handler := httptest.NewServer(&sealhttp.Handler{
		Lane: func(*http.Request) (*sealane.Lane, error) { return nil, errors.New("no lane") },
		Next: http.HandlerFunc(refuse), Log: log,
	})
	t.Cleanup(handler.Close)
	return map[string]string{"httpserver": l.Addr().String(), "sealhttp.Handler": handler.Listener.Addr().String()}
}

func dial(t *testing.T, address string) net.Conn {
	t.Helper()
	c, err := net.Dial("tcp", address)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	c.SetDeadline(time.Now().Add(time.Minute))
	return c
}

// TestClientThatStillSends: a client that sends all of its body before it reads receives the whole answer.
func TestClientThatStillSends(t *testing.T) {
	body := bytes.Repeat([]byte("x"), 16<<20) // more than the buffers of a connection
	length := fmt.Sprintf("Content-Length: %d\r\n", len(body))
	chunk := append(append(fmt.Appendf(nil, "%x\r\n", len(body)), body...), "\r\n0\r\n\r\n"...)
	for server, address := range servers(t) {
		for name, c := range map[string]struct {
			headers string
			body    []byte
		}{
			"length":            {length, body},
			"length and close":  {length + "Connection: close\r\n", body},
			"chunked":           {"Transfer-Encoding: chunked\r\n", chunk},
			"chunked and close": {"Transfer-Encoding: chunked\r\nConnection: close\r\n", chunk},
		} {
			t.Run(server+"/"+name, func(t *testing.T) {
				c, request := dial(t, address), "POST / HTTP/1.1\r\nHost: h\r\n"+c.headers+"\r\n"+string(c.body)
				if n, err := io.WriteString(c, request); err != nil {
					t.Fatalf("after %d bytes: %v", n, err)
				}
				got, err := http.ReadResponse(bufio.NewReader(c), nil)
				if err != nil {
					t.Fatal(err)
				}
				text, err := io.ReadAll(got.Body)
				if err != nil || got.StatusCode < 400 || !strings.HasPrefix(string(text), `{"error":`) {
					t.Errorf("%d %s, %v", got.StatusCode, text, err)
				}
			})
		}
	}
}

var refused = regexp.MustCompile(`^HTTP/1.1 [45]`)

// TestClientThatWaits: a client that waits for 100 Continue reads the refusal, and its connection ends at once. So
// does that of a client that sends nothing more, in a little while.
func TestClientThatWaits(t *testing.T) {
	for server, address := range servers(t) {
		for name, headers := range map[string]string{
			"expects": "Content-Length: 500000\r\nExpect: 100-continue\r\nConnection: close\r\n",
			"silent":  "Content-Length: 500000\r\n",
		} {
			t.Run(server+"/"+name, func(t *testing.T) {
				t.Parallel()
				c := dial(t, address)
				began := time.Now()
				fmt.Fprintf(c, "POST / HTTP/1.1\r\nHost: h\r\n%s\r\n", headers)
				got, err := io.ReadAll(c)
				if err != nil || !refused.Match(got) {
					t.Errorf("%s, %v", got, err)
				}
				if took := time.Since(began); name == "expects" && took > 1500*time.Millisecond {
					t.Errorf("took %v", took)
				}
			})
		}
	}
}
