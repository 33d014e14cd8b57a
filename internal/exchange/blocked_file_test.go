package exchange_test

import (
	"crypto/sha256"
	"crypto/x509"
	"errors"
	"slices"
	"strings"
	"testing"

	"github.com/sealane/sealane"
	"github.com/sealane/sealane/cert"
	"github.com/sealane/sealane/internal/exchange"
	"github.com/sealane/sealane/internal/registry"
)

// The checksum of a file or a certificate blocks what came in before, at whatever step it is,
// and what comes after.
func TestBlockedByTheChecksumOfTheFile(t *testing.T) {
	onBoth(t, func(t *testing.T, address func() string) {
		h := newCompany(t, address())
		h.partner("acme", "rdx", sealane.ClientSide, "STAG", "PROD")
		used := made(t, fresh(t, "one"))
		h.letIn("acme", "STAG", used, "")
		waiting := made(t, fresh(t, "two"))
		leaf, err := x509.ParseCertificate(waiting)
		h.must(err)
		pem := append([]byte("a note\n"), cert.EncodePEM(leaf)...)
		c, _, err := h.anna.Receive(t.Context(), exchange.Incoming{Partner: "acme", Environment: "PROD", Data: pem})
		h.must(err)
		for _, file := range [][]byte{used, pem} {
			sum := sha256.Sum256(file)
			ended, err := h.anna.WithReason("seen elsewhere").BlockKeys(t.Context(), [][]byte{sum[:]})
			if err != nil || len(ended) != 1 {
				t.Errorf("%q, %v", ended, err)
			}
		}
		if state := h.certificate(c.ID).State; state != registry.Compromised {
			t.Errorf("what came before is %s", state)
		}
		_, _, err = h.anna.Receive(t.Context(), exchange.Incoming{Partner: "acme", Environment: "PROD", Data: pem})
		if err == nil || !strings.Contains(err.Error(), "this file was blocked") {
			t.Errorf("again: %v", err)
		}
	})
}

// A block that comes to be without ending the certificate stops each step of it.
func TestNotBlockedAsksForAllThree(t *testing.T) {
	h := newCompany(t, "sqlite:"+t.TempDir()+"/r.db")
	h.partner("acme", "rdx", sealane.ClientSide, "STAG")
	leaf, err := x509.ParseCertificate(made(t, fresh(t, "one")))
	h.must(err)
	c, _, err := h.anna.Receive(t.Context(), exchange.Incoming{Partner: "acme", Environment: "STAG",
		Data: cert.EncodePEM(leaf)})
	h.must(err)
	sums := [][]byte{c.SPKISHA256, c.SHA256, c.Provenance.FileSHA256}
	if slices.ContainsFunc(sums, func(sum []byte) bool { return len(sum) != sha256.Size }) {
		t.Fatalf("%x", sums)
	}
	h.meddled = len(sums)
	undo := errors.New("undo")
	for i, what := range []string{"public key", "certificate", "file"} {
		err := h.Store.Update(t.Context(), func(tx registry.Tx) error {
			h.must(c.NotBlocked(tx))
			h.must(tx.PutBlocked(registry.Blocked{SPKISHA256: sums[i], Reason: "seen", At: h.now}))
			if err := c.NotBlocked(tx); err == nil || !strings.Contains(err.Error(), "its "+what+" was blocked") {
				t.Errorf("%s: %v", what, err)
			}
			return undo
		})
		if !errors.Is(err, undo) {
			t.Error(err)
		}
	}
	h.meddled = 0
}

// A block ends what has the key at each step: on its way in, and in use.
func TestBlockEndsEachStep(t *testing.T) {
	h := newCompany(t, "sqlite:"+t.TempDir()+"/r.db")
	ctx := t.Context()
	h.partner("acme", "rdx", sealane.ClientSide, "STAG")
	in := func(name string) registry.Certificate {
		c, _, err := h.anna.Receive(ctx, exchange.Incoming{Partner: "acme", Environment: "STAG",
			Data: made(t, fresh(t, name))})
		h.must(err)
		return c
	}
	received, matched, approved := in("one"), in("two"), in("three")
	for _, c := range []registry.Certificate{matched, approved} {
		_, err := h.anna.MatchChecksum(ctx, exchange.Comparison{Certificate: c.ID, Checksum: hexSum(c.SHA256)})
		h.must(err)
	}
	h.must(h.cora.Approve(ctx, approved.ID, exchange.Approval{}))
	used := h.letIn("acme", "STAG", made(t, fresh(t, "four")), "")
	for i, state := range []registry.State{registry.Received, registry.Matched, registry.Approved, registry.Active} {
		c := h.certificate([]registry.Certificate{received, matched, approved, used}[i].ID)
		if c.State != state {
			t.Fatalf("%s, want %s", c.State, state)
		}
		ended, err := h.anna.WithReason("seen elsewhere").BlockKeys(ctx, [][]byte{c.SPKISHA256})
		if got := h.certificate(c.ID).State; err != nil || len(ended) != 1 || got != registry.Compromised {
			t.Errorf("%s: %q, %v; it is %s", state, ended, err, got)
		}
	}
}
