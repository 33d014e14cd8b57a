package sealane_test

import (
	"crypto/fips140"
	"os"
	"os/exec"
	"strings"
	"testing"

	"github.com/sealane/sealane"
	"github.com/sealane/sealane/keyring"

	"github.com/sealane/sealane/internal/testkey"
)

// TestFIPS runs the tests of the RiskOS lane again under GODEBUG=fips140=only, where
// algorithms that are not approved fail.
func TestFIPS(t *testing.T) {
	c := exec.Command(os.Args[0],
		"-test.run=^(TestRiskOSBothDirections|TestWhoSigned|TestNoSHA1UnderFIPS|TestBuffers|TestDialectIsAFile)$",
		"-test.v")
	c.Env = append(os.Environ(), "GODEBUG=fips140=only")
	out, err := c.CombinedOutput()
	if err != nil || strings.Count(string(out), "--- PASS") != 5 {
		t.Errorf("%v\n%s", err, out)
	}
}

// TestNoSHA1UnderFIPS: a lane that accepts RSA-OAEP reports at its start that it cannot,
// and not at the first message.
func TestNoSHA1UnderFIPS(t *testing.T) {
	key := keyring.Key{State: keyring.Active, ID: alias, Private: testkey.RSA(t, "issuer", 2048)}
	c := issuerConfig(t, key)
	c.AcceptRSAOAEP = "a reason"
	if _, err := sealane.New(c); (err != nil) != fips140.Enforced() {
		t.Errorf("enforced %t: %v", fips140.Enforced(), err)
	}
}
