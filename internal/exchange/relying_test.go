package exchange_test

import (
	"crypto/x509"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/sealane/sealane"
	"github.com/sealane/sealane/internal/exchange"
	"github.com/sealane/sealane/internal/registry"
	"github.com/sealane/sealane/keyfile"
	"github.com/sealane/sealane/keyring"
)

// renewal makes a shared pair that follows another.
func (h *company) renewal(environment string) registry.KeyPair {
	h.t.Helper()
	k, _, err := h.anna.CreateKeyPair(h.t.Context(), registry.NewPair{Profile: "riskos", Environment: environment,
		Bits: 2048, Subject: subject, Renewal: true})
	h.must(err)
	return k
}

// installed offers a pair of ours to partners, and has each confirm it at the present
// time.
func (h *company) installed(pair string, partners ...string) {
	h.t.Helper()
	for _, p := range partners {
		_, err := h.anna.Offer(h.t.Context(), pairWith(pair, p))
		h.must(err)
		h.must(h.anna.MarkInstalled(h.t.Context(), pairWith(pair, p)))
	}
}

// stateFor is the state that a pair of ours has for a partner: in the lane and in
// status, which must agree.
func (h *company) stateFor(partner string, k registry.KeyPair) string {
	h.t.Helper()
	var inLane, inStatus string
	for _, key := range h.lane(partner, k.Environment).Ours() {
		if key.ID == k.KeyID {
			inLane = key.State.String()
		}
	}
	steps, err := exchange.Status(h.t.Context(), h.viewer(), named(partner, k.Environment))
	h.must(err)
	for _, s := range steps {
		if s.KeyPair == k.ID {
			inStatus = string(s.State)
		}
	}
	if inLane != inStatus {
		h.t.Errorf("%s of %s: the lane has it %q, status says %q", k.ID, partner, inLane, inStatus)
	}
	return inLane
}

// Who relies on a shared pair is a matter of one environment: what a partner has in
// another, a pair of its own or a later confirmation, changes nothing.
func TestRelyingIsPerEnvironment(t *testing.T) {
	onBoth(t, func(t *testing.T, address func() string) {
		h := newCompany(t, address())
		ctx := t.Context()
		h.partner("own", "riskos", sealane.ServerSide, "DEV", "PROD")
		h.partner("later", "riskos", sealane.ServerSide, "DEV", "PROD")
		prod, _ := h.pair("riskos", "", "PROD")
		h.installed(prod.ID, "own", "later")
		h.now = h.now.Add(time.Minute)
		own, _ := h.pair("riskos", "own", "DEV")
		h.installed(own.ID, "own")
		dev, _ := h.pair("riskos", "", "DEV")
		h.installed(dev.ID, "later")
		err := h.anna.WithReason("it was renewed").MovePair(ctx, prod.ID, registry.Retired, false)
		wantRefused(t, "retire", "the one that later, own use", err)
		for _, partner := range []string{"own", "later"} {
			if state := h.stateFor(partner, prod); state != "active" {
				t.Errorf("in PROD it is %s for %s", state, partner)
			}
		}
		// The same without naming an environment.
		h.must(h.Store.View(ctx, func(tx registry.Reader) error {
			p, err := tx.Partner("own")
			h.must(err)
			pairs, err := registry.PairsFor(tx, p, "")
			var got []string
			for _, k := range pairs {
				name := map[string]string{prod.ID: "prod", own.ID: "own", dev.ID: "dev"}[k.ID]
				got = append(got, name+" "+string(k.State))
			}
			if text := strings.Join(got, ", "); !strings.HasPrefix(text, "own active, ") || !strings.Contains(text,
				"prod active") || !strings.Contains(text, "dev staged") {
				t.Errorf("all environments: %s", text)
			}
			return err
		}))
	})
}

// Three partners who rely on a pair are named, of more three and that there are others.
func TestRelyingPartnersAreNamed(t *testing.T) {
	h := newCompany(t, "sqlite:"+t.TempDir()+"/r.db")
	ctx := t.Context()
	k, _ := h.pair("riskos", "", "PROD")
	for i, want := range []string{"p1 use", "p1, p2 use", "p1, p2, p3 use", "p1, p2, p3, others use",
		"p1, p2, p3, others use"} {
		partner := fmt.Sprintf("p%d", i+1)
		h.partner(partner, "riskos", sealane.ServerSide, "PROD")
		h.installed(k.ID, partner)
		wantRefused(t, partner, "the one that "+want+":", h.anna.WithReason("it was renewed").MovePair(ctx, k.ID,
			registry.Retired, false))
	}
}

// The pair that a partner confirmed last is active, whatever the clock says: it may stand still, or
// be set back.
func TestConfirmationsAreInTheRegistrysOrder(t *testing.T) {
	onBoth(t, func(t *testing.T, address func() string) {
		h := newCompany(t, address())
		h.partner("p1", "riskos", sealane.ServerSide, "PROD")
		last, _ := h.pair("riskos", "", "PROD")
		h.installed(last.ID, "p1")
		for _, back := range []time.Duration{0, -time.Hour, -24 * time.Hour, time.Nanosecond} {
			h.now = h.now.Add(back)
			next := h.renewal("PROD")
			h.installed(next.ID, "p1")
			if a, b := h.stateFor("p1", last), h.stateFor("p1", next); a != "retiring" || b != "active" {
				t.Errorf("%s: the one before is %s, the last confirmed %s", back, a, b)
			}
			err := h.anna.WithReason("it was renewed").MovePair(t.Context(), next.ID, registry.Retired, false)
			wantRefused(t, back.String(), "the one that p1 use", err)
			h.must(h.anna.WithReason("it was renewed").MovePair(t.Context(), last.ID, registry.Retired, false))
			last = next
		}
	})
}

// A partner who confirms an imported pair after its renewal goes back to it.
func TestImportedPairConfirmedAgain(t *testing.T) {
	h := newCompany(t, "sqlite:"+t.TempDir()+"/r.db")
	h.partner("p1", "riskos", sealane.ServerSide, "PROD")
	key := fresh(t, "imported shared")
	file, err := keyfile.Parse(made(t, key, func(c *x509.Certificate) { c.KeyUsage |= x509.KeyUsageDigitalSignature }))
	h.must(err)
	imported, _, err := h.anna.ImportKeyPair(t.Context(), registry.NewPair{Profile: "riskos", Environment: "PROD"},
		key, file.Certificates)
	h.must(err)
	h.must(h.anna.WithReason("they have it").MarkInstalled(t.Context(), pairWith(imported.ID, "p1")))
	h.now = h.now.Add(time.Minute)
	renewal := h.renewal("PROD")
	h.installed(renewal.ID, "p1")
	if a, b := h.stateFor("p1", imported), h.stateFor("p1", renewal); a != keyring.Retiring.String() ||
		b != keyring.Active.String() {
		t.Errorf("the imported pair is %s, the renewal %s", a, b)
	}
	h.now = h.now.Add(time.Minute)
	h.must(h.anna.rollBack(t.Context(), renewal.ID, "p1"))
	if a, b := h.stateFor("p1", imported), h.stateFor("p1", renewal); a != keyring.Active.String() ||
		b != keyring.Staged.String() {
		t.Errorf("rolled back: the imported pair is %s, the renewal %s", a, b)
	}
}
