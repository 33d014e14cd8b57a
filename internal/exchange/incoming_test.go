package exchange_test

import (
	"crypto/sha1"
	"crypto/x509"
	"encoding/hex"
	"testing"

	"github.com/sealane/sealane"
	"github.com/sealane/sealane/internal/exchange"
	"github.com/sealane/sealane/internal/registry"
	"github.com/sealane/sealane/internal/testkey"
)

// A checksum by SHA-1 proves nothing, though it is that of the certificate.
func TestChecksumBySHA1(t *testing.T) {
	h := newCompany(t, "sqlite:"+t.TempDir()+"/r.db")
	h.partner("acme", "rdx", sealane.ClientSide, "STAG")
	c := h.takenIn(h.anna, "acme", "STAG", "one")
	sum := sha1.Sum(c.DER)
	_, err := h.anna.MatchChecksum(t.Context(), exchange.Comparison{Certificate: c.ID,
		Checksum: hex.EncodeToString(sum[:])})
	wantRefused(t, "SHA-1", "SHA-256", err)
	if c := h.certificate(c.ID); c.State != registry.Received || c.Provenance.MatchedBy != "" {
		t.Errorf("it is %s, matched by %q", c.State, c.Provenance.MatchedBy)
	}
}

// The key ID that a partner names is held against its key, its environment, and what
// others have; one that does not fit keeps the certificate out.
func TestKeyIDThatComesAlong(t *testing.T) {
	h := newCompany(t, "sqlite:"+t.TempDir()+"/r.db")
	h.partner("acme", "rdx", sealane.ClientSide, "STAG", "PROD")
	h.partner("bank", "rdx", sealane.ClientSide, "STAG")
	const taken = "as acme calls it"
	h.letIn("acme", "STAG", made(t, fresh(t, "one")), taken)
	long := made(t, testkey.RSA(t, "exchange long", 3072), func(c *x509.Certificate) { c.SerialNumber.SetInt64(4712) })
	short := made(t, fresh(t, "two"))
	for _, c := range []struct {
		name, partner, environment, keyID, says string
		data                                    []byte
	}{
		{"that of another partner", "bank", "STAG", taken, "of acme in STAG, which is", short},
		{"in another environment", "acme", "PROD", taken, "of acme in STAG, which is", short},
		{"for a key of another size", "acme", "STAG", taken, "names a key of 2048 bits, and this one has 3072", long},
		{"another size in its six parts", "acme", "STAG", "1234dadc1234b704c1f23dc4-PKE-ACS-Client-4096SHA2-STAG",
			"says 4096SHA2 but the key has 2048 bits", short},
		{"another environment in its six parts", "acme", "STAG",
			"1234dadc1234b704c1f23dc4-PKE-ACS-Client-2048SHA2-PROD", "is for environment PROD but is used in " +
				"STAG", short},
		{"not to be printed", "acme", "STAG", "line\nbreak", "not printable ASCII", short},
	} {
		before := h.head().Seq
		_, _, err := h.anna.Receive(t.Context(), exchange.Incoming{Partner: c.partner, Environment: c.environment,
			Data: c.data, KeyID: c.keyID})
		wantRefused(t, c.name, c.says, err)
		if h.head().Seq != before {
			t.Errorf("%s: something was kept", c.name)
		}
	}
	in := exchange.Incoming{Partner: "acme", Environment: "STAG", Data: short, KeyID: taken}
	c, _, err := h.anna.Receive(t.Context(), in)
	h.must(err)
	if got := h.certificate(c.ID).KeyID; got != taken {
		t.Errorf("a renewal under the same key ID has %q", got)
	}
}
