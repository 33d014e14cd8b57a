//go:build unix

package command

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
)

// passing is a sealane serve that was started as systemd starts a service with a socket unit.
type passing struct {
	*exec.Cmd
	lines chan string // of standard error
}

// pass starts sealane serve with listeners, whose names are in the same order.
func pass(t *testing.T, config, names string, listeners ...net.Listener) *passing {
	t.Helper()
	const start = `LISTEN_PID=$$ exec sealane serve -c "$0"` // exec keeps the process ID
	c := exec.CommandContext(t.Context(), "sh", "-c", start, config)
	c.Env = append(os.Environ(), fmt.Sprint("LISTEN_FDS=", len(listeners)), "LISTEN_FDNAMES="+names)
	for _, l := range listeners {
		file, err := l.(*net.TCPListener).File()
		if err != nil {
			t.Fatal(err)
		}
		defer file.Close()
		c.ExtraFiles = append(c.ExtraFiles, file)
	}
	output, err := c.StderrPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := c.Start(); err != nil {
		t.Fatal(err)
	}
	p := &passing{c, make(chan string, 1000)}
	go func() {
		defer close(p.lines)
		for in := bufio.NewScanner(output); in.Scan(); {
			p.lines <- in.Text()
		}
	}()
	return p
}

// wait waits for a line with a text.
func (p *passing) wait(t *testing.T, text string) {
	t.Helper()
	var all []string
	for line := range p.lines {
		if all = append(all, line); strings.Contains(line, text) {
			return
		}
	}
	t.Fatalf("the program has ended, without %q: %s", text, strings.Join(all, "\n"))
}

// TestServeSystemd: the gateway serves sockets that systemd passes, also after a reload that had taken them away.
func TestServeSystemd(t *testing.T) {
	app := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		io.WriteString(w, "served")
	}))
	defer app.Close()
	listen := func(address string) net.Listener {
		l, err := net.Listen("tcp", address)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { l.Close() })
		return l
	}
	one, two, open := listen("127.0.0.1:0"), listen("127.0.0.1:0"), listen(":0")
	o := &office{t: t, dir: t.TempDir()}
	o.run("cert", "create", "--profile", "riskos", "--env", "DEV", "--bits", "2048",
		"--out", filepath.Join(o.dir, "k"), "--common-name", "a.example")
	keys, err := filepath.Glob(filepath.Join(o.dir, "k", "private", "*.key"))
	if err != nil || len(keys) != 1 {
		t.Fatal(keys, err)
	}
	file := filepath.Join(o.dir, "sealane.yaml")
	configure := func(socket string) {
		text := "routes:\n- name: out\n  egress: riskos\n  listen: systemd:" + socket + "\n  upstream: " + app.URL +
			"\n  plain: [\"POST /x\"]\n  keys: {ours: \"" + keys[0] + "\"}\n"
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	get := func(l net.Listener) string {
		client := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
		response, err := client.Post("http://"+l.Addr().String()+"/x", "application/json", nil)
		if err != nil {
			t.Fatal(err)
		}
		defer response.Body.Close()
		body, err := io.ReadAll(response.Body)
		if err != nil {
			t.Fatal(err)
		}
		return string(body)
	}
	configure("one")
	p := pass(t, file, "one:two", one, two)
	if got := get(one); got != "served" {
		t.Error(got)
	}
	reload := func(line string) {
		if err := p.Process.Signal(syscall.SIGHUP); err != nil {
			t.Fatal(err)
		}
		p.wait(t, line)
	}
	reload("the configuration was read again") // and nothing has changed
	if got := get(one); got != "served" {
		t.Error(got)
	}
	configure("three")
	reload(`socket \"three\" (FileDescriptorName=); there are one, two`)
	configure("two")
	reload("the configuration was read again")
	if got := get(two); got != "served" {
		t.Error(got)
	}
	meanwhile := make(chan string)
	go func() { meanwhile <- get(one) }() // it waits until somebody serves the socket again
	configure("one")
	reload("the configuration was read again")
	if got := <-meanwhile; got != "served" || get(one) != "served" {
		t.Error(got)
	}
	if err := p.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	for range p.lines { // to the end
	}
	if err := p.Wait(); err != nil {
		t.Error(err)
	}

	for _, c := range []struct {
		names, says string
		listeners   []net.Listener
	}{
		{"", "systemd has passed no socket: start the service by its socket unit", nil},
		{"two", `no socket "one" (FileDescriptorName=); there are two`, []net.Listener{two}},
		{"one:one", `2 sockets "one"`, []net.Listener{one, two}},
		{"one", "is beyond loopback, where anybody could have messages sealed", []net.Listener{open}},
	} {
		p := pass(t, file, c.names, c.listeners...)
		p.wait(t, c.says)
		for range p.lines {
		}
		if err := p.Wait(); err == nil {
			t.Errorf("%s: no error", c.says)
		}
	}
}
