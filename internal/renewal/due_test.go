package renewal_test

import (
	"crypto/rand"
	"crypto/sha256"
	"crypto/x509"
	"encoding/hex"
	"testing"
	"time"

	"github.com/sealane/sealane"
	"github.com/sealane/sealane/internal/exchange"
	"github.com/sealane/sealane/internal/lanes"
	"github.com/sealane/sealane/internal/registry"
	"github.com/sealane/sealane/internal/testkey"
)

// The schedule begins a renewal when the status says that a successor is due: two years after the key
// was there, less the lead, although its certificate is for three and came in late.
func TestDueAsTheStatusSays(t *testing.T) {
	h := newCompany(t, "sqlite:"+t.TempDir()+"/registry.db")
	ctx, lane := t.Context(), lanes.Name{Partner: "acme", Environment: "SANDBOX"}
	h.partner("acme", "riskos", sealane.ServerSide, "SANDBOX", registry.Rotation{Lead: 30})
	h.now = h.now.Truncate(time.Second)
	began := h.now.AddDate(-1, 0, 0)
	template, err := x509.ParseCertificate(h.certificate(2048, 100))
	h.must(err)
	template.NotBefore, template.NotAfter, template.PublicKey = began, began.AddDate(3, 0, 0), nil
	key := testkey.RSA(t, "renewal of three years", 2048)
	der, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	h.must(err)
	e := exchange.New(h.anna)
	c, _, err := e.Receive(ctx, exchange.Incoming{Partner: lane.Partner, Environment: lane.Environment, Data: der,
		Waive: map[string]string{"validity-length": "their CA issues for three years"}})
	h.must(err)
	sum := sha256.Sum256(der)
	_, err = e.MatchChecksum(ctx, exchange.Comparison{Certificate: c.ID, Checksum: hex.EncodeToString(sum[:])})
	h.must(err)
	h.must(exchange.New(h.cora).Approve(ctx, c.ID, exchange.Approval{Grant: []string{"validity-length"}}))
	h.must(e.Activate(ctx, c.ID))
	steps, err := exchange.Status(ctx, &h.anna.Viewer, lane)
	h.must(err)
	due := steps[0].Due
	if want := began.AddDate(2, 0, -30); !due.Equal(want) {
		t.Fatalf("the status says %s, want %s", due, want)
	}
	h.now = due.Add(-time.Second)
	h.pass()
	if n := h.renewal(c.ID); n.ID != "" {
		t.Errorf("a renewal has begun a second before: %+v", n)
	}
	h.now = due
	h.pass()
	if n := h.wantStep(c.ID, registry.RenewalDue); !n.Due.Equal(due) {
		t.Errorf("the renewal says %s", n.Due)
	}
}
