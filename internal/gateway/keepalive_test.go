package gateway_test

import (
	"bufio"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"strings"
	"sync"
	"testing"
)

// hangingUp is an upstream that closes its connections at random, in each state of a request.
type hangingUp struct {
	mu      sync.Mutex
	random  *rand.Rand
	arrived map[string]int // requests by X-Number
}

func (h *hangingUp) serve(t *testing.T) string {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			go h.answer(c.(*net.TCPConn))
		}
	}()
	return "http://" + l.Addr().String()
}

// next notes the arrival of a request, and returns what to do with it.
func (h *hangingUp) next(number string) int {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.arrived[number]++
	return h.random.IntN(16)
}

func (h *hangingUp) answer(c *net.TCPConn) {
	defer c.Close()
	in := bufio.NewReader(c)
	for {
		r, err := http.ReadRequest(in)
		if err != nil {
			return
		}
		what := h.next(r.Header.Get("X-Number"))
		if what == 0 { // reset, before the body is read
			c.SetLinger(0)
			return
		}
		if _, err := io.Copy(io.Discard, r.Body); err != nil {
			return
		}
		switch what {
		case 1:
			return
		case 2:
			c.SetLinger(0)
			return
		case 3:
			io.WriteString(c, "HTTP/1.1 404 X\r\nContent-Len")
			return
		case 4:
			io.WriteString(c, "HTTP/1.1 404 X\r\nContent-Length: 10\r\n\r\nabc")
			return
		}
		io.WriteString(c, "HTTP/1.1 404 X\r\nContent-Length: 2\r\n\r\n{}")
		if what < 8 { // the gateway may be sending the next request already
			return
		}
	}
}

// TestKeepAlive (pitfall 11): an upstream that closes connections at random gets nothing twice, and each failure is
// labelled.
func TestKeepAlive(t *testing.T) {
	up := &hangingUp{random: rand.New(rand.NewPCG(1, 2)), arrived: map[string]int{}}
	url := up.serve(t)
	in, out := start(t, ingress(url)), start(t, egress(url, `plain: ["POST /x"]`))
	ways := []struct {
		url, body      string
		ingress, plain bool
	}{
		{out.url("out") + "/api/evaluation", evaluation, false, false},
		{out.url("out") + "/x", "plain", false, true},
		{in.url("in") + "/api/evaluation", sealedEvaluation(t), true, false},
	}
	total := proof(600, 10000)
	numbers := make(chan int)
	go func() {
		defer close(numbers)
		for i := range total {
			numbers <- i
		}
	}()
	var mu sync.Mutex
	outcomes := map[string]int{}
	var clients sync.WaitGroup
	for range 8 {
		clients.Go(func() {
			client := &http.Client{Transport: &http.Transport{}}
			defer client.CloseIdleConnections()
			for i := range numbers {
				way, number := ways[i%len(ways)], fmt.Sprint(i)
				r, err := http.NewRequestWithContext(t.Context(), "POST", way.url, strings.NewReader(way.body))
				if err != nil {
					t.Error(err)
					continue
				}
				r.Header = http.Header{"X-Number": {number}, "Idempotency-Key": {number},
					"X-Payload-Encrypted": {"true"}, "Content-Type": {"application/json"}}
				a, err := client.Do(r)
				if err != nil {
					t.Errorf("%d: %v", i, err)
					continue
				}
				_, cut := io.Copy(io.Discard, a.Body)
				a.Body.Close()
				outcome := label(a, cut, way.ingress)
				up.mu.Lock()
				arrived := up.arrived[number]
				up.mu.Unlock()
				if arrived > 1 || outcome == "answered" && arrived != 1 ||
					outcome == "not processed" && arrived != 0 ||
					outcome == "cut" && !way.plain || strings.HasPrefix(outcome, "wrong") {
					t.Errorf("%d: %s, arrived %d times", i, outcome, arrived)
				}
				mu.Lock()
				outcomes[outcome]++
				mu.Unlock()
			}
		})
	}
	clients.Wait()
	t.Logf("of %d requests: %v", total, outcomes)
	if outcomes["answered"] < total/4 || outcomes["unknown"] < total/10 {
		t.Errorf("too few of one kind: %v", outcomes)
	}
}

// label returns what an answer says of a request. A plain answer that was cut after its header says nothing.
func label(a *http.Response, cut error, ingress bool) string {
	processed := a.Header.Get("Sealane-Processed")
	switch {
	case a.StatusCode == 404 && processed == "" && cut == nil:
		return "answered"
	case a.StatusCode == 404 && processed == "":
		return "cut"
	case cut == nil && a.StatusCode == 502 && (processed == "unknown" || ingress), a.StatusCode == 500 && ingress:
		return "unknown"
	case cut == nil && a.StatusCode == 503 && (processed == "no" || ingress) && a.Header.Get("Retry-After") != "":
		return "not processed"
	}
	return fmt.Sprintf("wrong: %d, processed %q, %v", a.StatusCode, processed, cut)
}
