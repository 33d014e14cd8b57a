package gateway_test

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/sealane/sealane/internal/gateway"
)

// TestEndsWithoutPlaces: a gateway ends in time also while all places for connections are taken.
func TestEndsWithoutPlaces(t *testing.T) {
	var app seen
	g := start(t, "limits: {connections: 1}\ndrain: {end: 2s}\n"+
		egress(serve(t, app.answer(200, "{}")), `plain: ["GET /x"]`))
	c, err := net.Dial("tcp", g.addresses["out"].String())
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	fmt.Fprint(c, "GET /x HTTP/1.1\r\nHost: localhost\r\n\r\n") // and the connection stays open
	response, err := http.ReadResponse(bufio.NewReader(c), nil)
	if err != nil {
		t.Fatal(err)
	}
	if a := readAnswer(t, response); a.status != 200 {
		t.Fatal(a)
	}
	ended := make(chan error, 1)
	go func() { ended <- g.stop() }()
	select {
	case err := <-ended:
		if err != nil {
			t.Error(err)
		}
	case <-time.After(10 * time.Second):
		t.Error("the gateway does not end")
	}
}

// TestHangUpLines: clients that hang up don't fill the log.
func TestHangUpLines(t *testing.T) {
	arrived := make(chan struct{})
	url := serve(t, func(_ http.ResponseWriter, r *http.Request) {
		io.Copy(io.Discard, r.Body)
		arrived <- struct{}{}
		<-r.Context().Done()
	})
	now := time.Now()
	g := start(t, egress(url), func(_ *running, o *gateway.Options) { o.Now = func() time.Time { return now } })
	for range 30 {
		ctx, cancel := context.WithCancel(t.Context())
		body := strings.NewReader(evaluation)
		r, err := http.NewRequestWithContext(ctx, "POST", g.url("out")+"/api/evaluation", body)
		if err != nil {
			t.Fatal(err)
		}
		r.Header.Set("Content-Type", "application/json")
		go func() { <-arrived; cancel() }()
		if response, err := http.DefaultClient.Do(r); err == nil {
			response.Body.Close()
			t.Error("an answer came")
		}
	}
	if log := g.logged(); strings.Count(log, `"client_gone":true`) != 10 {
		t.Error(log)
	}
}
