package command

import (
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
)

// TestOutside builds a program of another module, which calls Main and adds a key store. A key of
// that store seals. No network is used.
func TestOutside(t *testing.T) {
	folder := t.TempDir()
	if err := os.CopyFS(folder, os.DirFS("../kms/testdata/outside")); err != nil {
		t.Fatal(err)
	}
	sealane, err := filepath.Abs("..")
	if err != nil {
		t.Fatal(err)
	}
	run := func(program string, args ...string) string {
		t.Helper()
		c := exec.Command(program, args...)
		c.Dir = folder
		c.Env = append(os.Environ(), "GOFLAGS=-mod=mod", "GOPROXY=off", "GOSUMDB=off", "GOWORK=off")
		c.Stdin = strings.NewReader(`{"id":"1"}`)
		out, err := c.CombinedOutput()
		if err != nil {
			t.Fatalf("%s %s: %v\n%s", program, args, err, out)
		}
		return string(out)
	}
	program := filepath.Join(folder, "program")
	if runtime.GOOS == "windows" {
		program += ".exe"
	}
	run("go", "mod", "edit", "-replace", module+"="+sealane)
	run("go", "build", "-o", program, "./sealane")

	if got := run(program, "--version"); !strings.Contains(got, " in example.com/outside") {
		t.Errorf("--version prints %s", got)
	}
	run(program, "cert", "create", "--profile", "riskos", "--common-name", "provider", "--env", "DEV", "--out", "p")
	token := run(program, "seal", "--profile", "riskos", "--key", "softstore:ours", "--to",
		"p/1-send/provider-dev.pem")
	if strings.Count(token, ".") != 4 {
		t.Errorf("seal prints %s", token)
	}
	key := filepath.Join("p", "private", "provider-dev.key")
	got := run(program, "inspect", "--profile", "riskos", "--key", key, strings.TrimSpace(token))
	if !strings.Contains(got, `kid  "ours"`) {
		t.Errorf("inspect prints %s", got)
	}
}
