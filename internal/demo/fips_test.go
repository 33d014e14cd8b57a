package demo_test

import (
	"os"
	"os/exec"
	"strings"
	"testing"
)

// TestRunUnderFIPS runs the demo where only what FIPS 140-3 approves works.
func TestRunUnderFIPS(t *testing.T) {
	c := exec.Command(os.Args[0], "-test.run=^TestRun$", "-test.v")
	c.Env = append(os.Environ(), "GODEBUG=fips140=only")
	if out, err := c.CombinedOutput(); err != nil || !strings.Contains(string(out), "--- PASS: TestRun ") {
		t.Errorf("%v\n%s", err, out)
	}
}
