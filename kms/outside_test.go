package kms_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"testing"
)

// TestOutside builds and runs a program of another module, which adds a key store in one file and
// seals with it. No network is used.
func TestOutside(t *testing.T) {
	module := filepath.Join(t.TempDir(), "outside.mod") // go writes to it, and to outside.sum
	data, err := os.ReadFile("testdata/outside/go.mod")
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(module, data, 0o644); err != nil {
		t.Fatal(err)
	}
	c := exec.Command("go", "run", "-modfile", module, ".")
	c.Dir = "testdata/outside"
	c.Env = append(os.Environ(), "GOFLAGS=-mod=mod", "GOPROXY=off", "GOSUMDB=off", "GOWORK=off")
	out, err := c.CombinedOutput()
	if err != nil || string(out) != "{\"id\":\"1\"}\n" {
		t.Errorf("%v\n%s", err, out)
	}
}
