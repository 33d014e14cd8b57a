//go:build unix

package command

import (
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"syscall"
	"testing"
)

// TestServeHangUp: SIGHUP puts a new configuration in force, or none of it.
func TestServeHangUp(t *testing.T) {
	answers := func(text string) string {
		s := httptest.NewServer(
			http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { io.WriteString(w, text) }),
		)
		t.Cleanup(s.Close)
		return s.URL
	}
	one, two := answers("one"), answers("two")
	o := &office{t: t, dir: t.TempDir()}
	o.run(
		"cert", "create", "--profile", "riskos", "--env", "DEV", "--bits", "2048", "--out", filepath.Join(o.dir, "k"),
		"--common-name", "a.example",
	)
	keys, err := filepath.Glob(filepath.Join(o.dir, "k", "private", "*.key"))
	if err != nil || len(keys) != 1 {
		t.Fatal(keys, err)
	}
	config := func(url string) string {
		return "routes:\n- name: out\n  egress: riskos\n  listen: 127.0.0.1:0\n  upstream: " + url +
			"\n  plain: [\"POST /x\"]\n  keys: {ours: \"" + keys[0] + "\"}\n"
	}
	g := o.serve(config(one), 1)
	get := func() string {
		_, _, body := postJSON(t, "http://"+g.addresses["out"]+"/x", "")
		return body
	}
	hangUp := func(text, wait string) {
		if err := os.WriteFile(filepath.Join(o.dir, "sealane.yaml"), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		if err := syscall.Kill(os.Getpid(), syscall.SIGHUP); err != nil {
			t.Fatal(err)
		}
		g.log.wait(t, wait)
	}
	hangUp("nonsense", "the configuration stays as it was")
	if got := get(); got != "one" {
		t.Error(got)
	}
	hangUp(config(two), "the configuration was read again")
	if got := get(); got != "two" {
		t.Error(got)
	}
}
