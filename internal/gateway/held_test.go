package gateway_test

import (
	"fmt"
	"io"
	"net"
	"net/http"
	"runtime/debug"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/sealane/sealane/internal/gateway"
)

// TestEgressHolds: the sealed messages of an egress hold no more bytes than they may, in each direction, and what
// is refused says whether it was processed. A message that is alone may be larger.
func TestEgressHolds(t *testing.T) {
	arrived, release := make(chan struct{}), make(chan struct{})
	url := serve(t, func(w http.ResponseWriter, r *http.Request) {
		if r.URL.RawQuery == "request" {
			arrived <- struct{}{}
			<-release
		}
		long := sealedAnswer(t, fmt.Sprintf(`{"eval_id":"e-1","text":%q}`, strings.Repeat("a", 6<<10)))
		half := 0
		if r.URL.RawQuery == "answer" {
			half = len(long) - 10
			io.WriteString(w, long[:half])
			http.NewResponseController(w).Flush()
			arrived <- struct{}{}
			<-release
		}
		io.WriteString(w, long[half:])
	})
	g := start(t, "limits: {memory: 96KiB}\n"+egress(url))
	send := func(query string, size int) answer {
		body := strings.Replace(evaluation, "{", fmt.Sprintf(`{"text":%q,`, strings.Repeat("a", size)), 1)
		return post(t, g.url("out")+"/api/evaluation"+query, body, "Content-Type", "application/json")
	}
	for i, c := range []struct {
		query, processed string
		size, status     int
	}{{"?request", "no", 10 << 10, 503}, {"?answer", "unknown", 10, 502}} {
		if a := send("", 100<<10); a.status != 200 {
			t.Errorf("a large message: %d %s", a.status, a.body)
		}
		g.log.wait(t, `"msg":"request"`, 4*i+1) // then nothing is held
		held := make(chan answer)
		for range 2 { // the second one is the one that may exceed the limit
			go func() { held <- send(c.query, c.size) }()
			<-arrived
		}
		a := send("", c.size)
		if a.status != c.status || !strings.Contains(a.body, "bytes of messages are held") ||
			a.header.Get("Sealane-Processed") != c.processed {
			t.Errorf("%s: %d %v %s", c.query, a.status, a.header, a.body)
		}
		for range 2 {
			release <- struct{}{}
			if a := <-held; a.status != 200 {
				t.Errorf("%s: one that is held is answered %d %s", c.query, a.status, a.body)
			}
		}
		g.log.wait(t, `"msg":"request"`, 4*i+4)
	}
}

// TestPlainAnswersHold: answers that the profile does not seal are held until they are whole, and count as others do.
func TestPlainAnswersHold(t *testing.T) {
	arrived, release := make(chan struct{}), make(chan struct{})
	text := fmt.Sprintf(`{"text":%q}`, strings.Repeat("a", 12<<10))
	g := start(t, "limits: {memory: 96KiB}\n"+vcasEgress(serve(t, func(w http.ResponseWriter, _ *http.Request) {
		io.WriteString(w, text[:12<<10])
		http.NewResponseController(w).Flush()
		arrived <- struct{}{}
		<-release
		io.WriteString(w, text[12<<10:])
	})))
	answers := make(chan answer, 3)
	send := func() { answers <- post(t, g.url("out")+"/v1/risk", `{"TransactionId":"t"}`) }
	for range 3 {
		go send()
		<-arrived
	}
	if a := <-answers; a.status != 502 || !strings.Contains(a.body, "bytes of messages are held") ||
		a.header.Get("Sealane-Processed") != "unknown" {
		t.Errorf("%d %v %s", a.status, a.header, a.body)
	}
	close(release)
	for range 2 {
		if a := <-answers; a.status != 200 || a.body != text {
			t.Errorf("%d %.200s", a.status, a.body)
		}
	}
}

// TestPlaceIsForRSA: with one place to seal and open, nothing holds it but the operation itself: no body that
// arrives, no application and no partner that is awaited.
func TestPlaceIsForRSA(t *testing.T) {
	arrived, release := make(chan struct{}), make(chan struct{})
	waits := func(answer func(*http.Request) string) string {
		return serve(t, func(w http.ResponseWriter, r *http.Request) {
			if r.URL.RawQuery == "wait" {
				arrived <- struct{}{}
				<-release
			}
			io.WriteString(w, answer(r))
		})
	}
	app := waits(func(*http.Request) string { return `{"eval_id":"e"}` })
	partner := waits(func(*http.Request) string { return sealedAnswer(t, `{"eval_id":"e-1"}`) })
	for _, c := range []struct{ route, config, body string }{
		{"in", ingress(app), sealedEvaluation(t)}, {"out", egress(partner), evaluation},
	} {
		g := start(t, "limits: {rsa: 1}\n"+c.config)
		headers := []string{"Content-Type", "application/json"}
		if c.route == "in" {
			headers = sealedHeaders
		}
		slow, err := net.Dial("tcp", g.addresses[c.route].String())
		if err != nil {
			t.Fatal(err)
		}
		defer slow.Close()
		fmt.Fprint(slow, "POST /api/evaluation HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"+
			"X-Payload-Encrypted: true\r\nExpect: 100-continue\r\nContent-Length: 5000\r\n\r\n")
		if _, err := slow.Read(make([]byte, 25)); err != nil { // the body is awaited
			t.Fatal(err)
		}
		first := make(chan answer)
		go func() { first <- post(t, g.url(c.route)+"/api/evaluation?wait", c.body, headers...) }()
		<-arrived
		for range 3 {
			if a := post(t, g.url(c.route)+"/api/evaluation", c.body, headers...); a.status != 200 {
				t.Errorf("%s: %d %s", c.route, a.status, a.body)
			}
		}
		release <- struct{}{}
		if a := <-first; a.status != 200 {
			t.Errorf("%s: %d %s", c.route, a.status, a.body)
		}
		slow.Close()
		if err := g.stop(); err != nil {
			t.Error(err)
		}
	}
}

// TestMemoryOfTheGroup: with a limit of the control group, messages hold a share of it, and Go's memory limit is
// below it; without one, nothing is changed and nothing refused.
func TestMemoryOfTheGroup(t *testing.T) {
	before := debug.SetMemoryLimit(-1)
	t.Cleanup(func() { debug.SetMemoryLimit(before) })
	const MiB = 1 << 20
	for _, c := range []struct {
		name   string
		files  map[string]string
		memory string
		want   int64 // Go's limit; 0: as before
	}{
		{"version 2, in the group of a service", map[string]string{
			"proc/self/cgroup": "0::/system.slice/sealane.service\n",
			"sys/fs/cgroup/system.slice/sealane.service/memory.max": "104857600\n",
		}, "auto", 90 * MiB},
		{"version 2, the group above has less", map[string]string{
			"proc/self/cgroup": "0::/system.slice/sealane.service\n",
			"sys/fs/cgroup/system.slice/sealane.service/memory.max": "max\n",
			"sys/fs/cgroup/system.slice/memory.max":                 "209715200\n",
		}, "auto", 180 * MiB},
		{"version 2, in a container", map[string]string{
			"proc/self/cgroup": "0::/\n", "sys/fs/cgroup/memory.max": "104857600\n",
		}, "auto", 90 * MiB},
		{"version 1", map[string]string{
			"proc/self/cgroup": "5:cpu,cpuacct:/a\n4:memory:/docker/0123\n0::/x\n",
			"sys/fs/cgroup/memory/docker/0123/memory.limit_in_bytes": "104857600\n",
		}, "auto", 90 * MiB},
		{"version 1, in a container", map[string]string{
			"proc/self/cgroup":                           "4:memory:/docker/0123\n",
			"sys/fs/cgroup/memory/memory.limit_in_bytes": "104857600\n",
		}, "auto", 90 * MiB},
		{"version 1, no limit", map[string]string{
			"proc/self/cgroup":                           "4:memory:/\n",
			"sys/fs/cgroup/memory/memory.limit_in_bytes": "9223372036854771712\n",
		}, "auto", 0},
		{"no control groups", nil, "auto", 0},
		{"damaged", map[string]string{
			"proc/self/cgroup": "0::/../..\nnonsense\n", "sys/fs/cgroup/memory.max": "many\n",
		}, "auto", 0},
		{"a size", map[string]string{
			"proc/self/cgroup": "0::/\n", "sys/fs/cgroup/memory.max": "104857600\n",
		}, "64MiB", 0},
	} {
		t.Run(c.name, func(t *testing.T) {
			debug.SetMemoryLimit(before)
			system := fstest.MapFS{}
			for name, text := range c.files {
				system[name] = &fstest.MapFile{Data: []byte(text)}
			}
			var app seen
			g := start(t, "limits: {memory: "+c.memory+"}\n"+ingress(serve(t, app.answer(200, `{"eval_id":"e"}`))),
				func(_ *running, o *gateway.Options) { o.System = system })
			want := c.want
			if want == 0 {
				want = before
			}
			if got := debug.SetMemoryLimit(-1); got != want {
				t.Errorf("Go's limit is %d, want %d", got, want)
			}
			if a := post(t, g.url("in")+"/api/evaluation", sealedEvaluation(t), sealedHeaders...); a.status != 200 {
				t.Errorf("%d %s", a.status, a.body)
			}
		})
	}
}

// TestShareOfTheGroup: what messages hold follows from the limit of the control group.
func TestShareOfTheGroup(t *testing.T) {
	before := debug.SetMemoryLimit(-1)
	t.Cleanup(func() { debug.SetMemoryLimit(before) })
	arrived, release := make(chan struct{}), make(chan struct{})
	url := serve(t, func(w http.ResponseWriter, r *http.Request) {
		arrived <- struct{}{}
		<-release
		io.WriteString(w, sealedAnswer(t, `{"eval_id":"e-1"}`))
	})
	system := fstest.MapFS{
		"proc/self/cgroup":         {Data: []byte("0::/\n")},
		"sys/fs/cgroup/memory.max": {Data: []byte("33554432\n")}, // half of a half of 32 MiB is for requests
	}
	g := start(t, egress(url), func(_ *running, o *gateway.Options) { o.System = system })
	send := func(size int) answer {
		body := strings.Replace(evaluation, "{", fmt.Sprintf(`{"text":%q,`, strings.Repeat("a", size)), 1)
		return post(t, g.url("out")+"/api/evaluation", body, "Content-Type", "application/json")
	}
	held := make(chan answer)
	hold := func(size int) {
		go func() { held <- send(size) }()
		<-arrived
	}
	hold(4 << 20) // one may exceed the limit
	hold(1 << 20)
	if a := send(2 << 20); a.status != 503 || !strings.Contains(a.body, "bytes of messages are held") {
		t.Errorf("%d %s", a.status, a.body)
	}
	hold(512 << 10)
	close(release)
	for range 3 {
		if a := <-held; a.status != 200 {
			t.Errorf("%d %s", a.status, a.body)
		}
	}
}
