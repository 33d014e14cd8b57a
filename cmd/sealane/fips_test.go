package main

import (
	"os"
	"os/exec"
	"strings"
	"testing"
)

// TestDemoUnderFIPS runs the demo where only what FIPS 140-3 approves works.
func TestDemoUnderFIPS(t *testing.T) {
	c := exec.Command(os.Args[0], "-test.run=^TestDemo$", "-test.v")
	c.Env = append(os.Environ(), "GODEBUG=fips140=only")
	if out, err := c.CombinedOutput(); err != nil || !strings.Contains(string(out), "--- PASS: TestDemo") {
		t.Errorf("%v\n%s", err, out)
	}
}
