package gateway_test

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"path/filepath"
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

// TestLimitsReload: how many requests of a partner are served at once changes with a reload, up and down, and those
// that are open count; a limit
// that does not is named in the log. A reload that is refused changes nothing.
func TestLimitsReload(t *testing.T) {
	arrived, release := make(chan struct{}), make(chan struct{})
	url := serve(t, func(w http.ResponseWriter, r *http.Request) {
		if r.URL.RawQuery == "wait" {
			arrived <- struct{}{}
			<-release
		}
		io.WriteString(w, `{"eval_id":"e"}`)
	})
	config := func(limits, route string) string { return limits + ingress(url, route) }
	g := start(t, config("partner_limits: {in_flight: 1}\n", "max_payload: 1MiB"))
	sealed := sealedEvaluation(t)
	send := func(query string) int {
		return post(t, g.url("in")+"/api/evaluation"+query, sealed, sealedHeaders...).status
	}
	waiting := make(chan int)
	hold := func() {
		go func() { waiting <- send("?wait") }()
		select {
		case <-arrived:
		case status := <-waiting:
			t.Fatalf("refused: %d", status)
		}
	}
	reload := func(config string) error {
		write(t, filepath.Join(g.dir, "sealane.yaml"), config)
		return g.Reload(t.Context())
	}
	hold()
	if status := send(""); status == 200 {
		t.Error("two requests at once")
	}
	for i, c := range []struct {
		config string
		want   bool // a second request is served
	}{
		{config("partner_limits: {in_flight: 3}\n", "max_payload: 1MiB"), true},
		{config("partner_limits: {in_flight: 4}\n", "limits: {in_flight: 3}"), false},
		{config("limits: {connections: 9, idle: 9s}\n", "max_payload: 1MiB"), true},
	} {
		if err := reload(c.config); err != nil {
			t.Fatal(err)
		}
		hold()
		if status := send(""); (status == 200) != c.want {
			t.Errorf("%d: %d, want that it is served: %t", i, status, c.want)
		}
	}
	if err := reload(config("", "limits: {rate: 1/m, burst: 1}") + "  hots: a\n"); err == nil {
		t.Error("no error")
	}
	bad := strings.Replace(config("", "limits: {rate: 1/m, burst: 1}"), "provider.key", "none.key", 1)
	if err := reload(bad); err == nil {
		t.Error("no error")
	}
	for range 3 {
		if status := send(""); status != 200 {
			t.Errorf("after a reload that was refused: %d", status)
		}
	}
	close(release)
	for range 4 {
		if status := <-waiting; status != 200 {
			t.Error(status)
		}
	}
	log := g.logged()
	for _, word := range []string{"limits.connections", "limits.idle"} {
		if !strings.Contains(log, `until a restart","word":"`+word+`"`) {
			t.Errorf("%s is not named: %s", word, log)
		}
	}
}
