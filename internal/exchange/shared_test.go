package exchange_test

import (
	"crypto/x509"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/sealane/sealane"
	"github.com/sealane/sealane/internal/exchange"
	"github.com/sealane/sealane/internal/registry"
	"github.com/sealane/sealane/keyfile"
	"github.com/sealane/sealane/keyring"
)

// A pair that all partners share is renewed by each in its own time: none is signed to
// with a key that it has not confirmed, and what either key opens, opens throughout.
func TestSharedPairIsRenewedPartnerByPartner(t *testing.T) {
	onBoth(t, func(t *testing.T, address func() string) {
		h := newCompany(t, address())
		ctx := t.Context()
		h.partner("p1", "riskos", sealane.ServerSide, "PROD")
		h.partner("p2", "riskos", sealane.ServerSide, "PROD")
		h.partner("p3", "riskos", sealane.ServerSide, "PROD")
		confirm := func(pair string, partners ...string) {
			for _, p := range partners {
				h.now = h.now.Add(time.Minute)
				_, err := h.anna.Offer(ctx, pairWith(pair, p))
				h.must(err)
				h.must(h.anna.MarkInstalled(ctx, pairWith(pair, p)))
			}
		}
		old, _ := h.pair("riskos", "", "PROD")
		confirm(old.ID, "p1", "p2")
		renewal, _, err := h.anna.CreateKeyPair(ctx, registry.NewPair{Profile: "riskos", Environment: "PROD",
			Bits: 2048, Subject: subject, Renewal: true})
		h.must(err)
		states := func() string {
			snapshot, err := h.Snapshot(ctx)
			h.must(err)
			var all []string
			for _, p := range []string{"p1", "p2", "p3"} {
				lane, err := snapshot.Lane(named(p, "PROD"))
				h.must(err)
				steps, err := exchange.Status(ctx, h.viewer(), named(p, "PROD"))
				h.must(err)
				byKey := map[string]string{}
				for _, k := range lane.Ours() {
					byKey[k.ID] = k.State.String()
				}
				text := p
				for _, pair := range []registry.KeyPair{old, renewal} {
					for _, s := range steps {
						if s.KeyPair == pair.ID {
							text += " " + byKey[pair.KeyID]
							if byKey[pair.KeyID] != string(s.State) {
								t.Errorf("%s of %s: the lane has it %s, status says %s", pair.ID, p, byKey[pair.KeyID],
									s.State)
							}
						}
					}
				}
				all = append(all, text)
			}
			return strings.Join(all, ", ")
		}
		for _, step := range []struct {
			what string
			do   func() error
			want string
		}{
			{"at first", func() error { return nil }, "p1 active staged, p2 active staged, p3 staged staged"},
			{"p1 has the renewal", func() error { confirm(renewal.ID, "p1"); return nil },
				"p1 retiring active, p2 active staged, p3 staged staged"},
			{"p2 confirms the old one again", func() error { confirm(old.ID, "p2"); return nil },
				"p1 retiring active, p2 active staged, p3 staged staged"},
			{"p3 begins with the renewal", func() error { confirm(renewal.ID, "p3"); return nil },
				"p1 retiring active, p2 active staged, p3 staged active"},
			{"the old one can't end yet", func() error {
				err := h.anna.WithReason("it was renewed").MovePair(ctx, old.ID, registry.Retired, false)
				if err == nil || !strings.Contains(said(err), "the one that p2 use") {
					return fmt.Errorf("retired: %w", err)
				}
				return nil
			}, "p1 retiring active, p2 active staged, p3 staged active"},
			{"p2 has the renewal", func() error { confirm(renewal.ID, "p2"); return nil },
				"p1 retiring active, p2 retiring active, p3 staged active"},
			{"the old one ends", func() error {
				return h.anna.WithReason("it was renewed").MovePair(ctx, old.ID,
					registry.Retired, false)
			}, "p1 active, p2 active, p3 active"},
		} {
			if err := step.do(); err != nil {
				t.Errorf("%s: %v", step.what, err)
			}
			if got := states(); got != step.want {
				t.Errorf("%s: %s, want %s", step.what, got, step.want)
			}
		}
	})
}

// A pair that came in from elsewhere is active for those partners who had it, by record; one who
// confirms its renewal turns alone, and so does one who confirms a pair of its own.
func TestImportedSharedPair(t *testing.T) {
	onBoth(t, func(t *testing.T, address func() string) {
		h := newCompany(t, address())
		ctx := t.Context()
		h.partner("p1", "riskos", sealane.ServerSide, "PROD")
		h.partner("p2", "riskos", sealane.ServerSide, "PROD")
		key := fresh(t, "imported shared")
		file, err := keyfile.Parse(made(t, key,
			func(c *x509.Certificate) { c.KeyUsage |= x509.KeyUsageDigitalSignature }))
		h.must(err)
		n := registry.NewPair{Profile: "riskos", Environment: "PROD", Installed: []string{"p1"}}
		imported, _, err := h.anna.ImportKeyPair(ctx, n, key, file.Certificates)
		h.must(err)
		wantRefused(t, "without a partner", "needs partner", h.anna.MarkInstalled(ctx,
			exchange.Target{KeyPair: imported.ID}))
		if a, b := h.stateFor("p1", imported), h.stateFor("p2", imported); a != "active" || b != "staged" {
			t.Errorf("p1 had it, and it is %s; p2 had not, and it is %s", a, b)
		}
		h.must(h.anna.WithReason("they have it").MarkInstalled(ctx, pairWith(imported.ID, "p2")))
		if err := h.anna.MarkInstalled(ctx, pairWith(imported.ID, "nobody")); err == nil {
			t.Error("confirmed by a partner that is not there")
		}
		active := func(partner string) (ids []string) {
			for _, k := range h.lane(partner, "PROD").Ours() {
				if k.State == keyring.Active {
					ids = append(ids, k.ID)
				}
			}
			return ids
		}
		h.now = h.now.Add(time.Minute)
		renewal, _, err := h.anna.CreateKeyPair(ctx, registry.NewPair{Profile: "riskos", Environment: "PROD",
			Bits: 2048, Subject: subject, Renewal: true})
		h.must(err)
		_, err = h.anna.Offer(ctx, pairWith(renewal.ID, "p1"))
		h.must(err)
		h.must(h.anna.MarkInstalled(ctx, pairWith(renewal.ID, "p1")))
		if a, b := active("p1"), active("p2"); !slices.Equal(a, []string{renewal.KeyID}) || !slices.Equal(b,
			[]string{imported.KeyID}) {
			t.Errorf("p1 has %s active, p2 %s; the renewal is %s", a, b, renewal.KeyID)
		}
		if err := h.anna.WithReason("it was renewed").MovePair(ctx, imported.ID, registry.Retired,
			false); err == nil ||
			!strings.Contains(said(err), "the one that p2 use") {
			t.Errorf("retired while p2 uses it: %v", err)
		}
		own, _ := h.pair("riskos", "p2", "PROD")
		_, err = h.anna.Offer(ctx, pairWith(own.ID, "p2"))
		h.must(err)
		h.must(h.anna.MarkInstalled(ctx, exchange.Target{KeyPair: own.ID}))
		if b := active("p2"); !slices.Equal(b, []string{own.KeyID}) {
			t.Errorf("p2 has %s active, its own is %s", b, own.KeyID)
		}
		h.must(h.anna.WithReason("it was renewed").MovePair(ctx, imported.ID, registry.Retired, false))
	})
}

// Keys in use are bounded: a lane with more than a message may be tried with is none.
func TestOurPairsAreBounded(t *testing.T) {
	h := newCompany(t, "sqlite:"+t.TempDir()+"/r.db")
	ctx := t.Context()
	h.partner("p1", "riskos", sealane.ServerSide, "PROD")
	var first registry.KeyPair
	for i := range registry.MaxOverlap {
		k, _, err := h.anna.CreateKeyPair(ctx, registry.NewPair{Profile: "riskos", Partner: "p1", Environment: "PROD",
			Bits: 2048, Subject: subject, Renewal: i > 0})
		h.must(err)
		_, err = h.anna.Offer(ctx, pairWith(k.ID, "p1"))
		h.must(err)
		h.must(h.anna.MarkInstalled(ctx, exchange.Target{KeyPair: k.ID}))
		if i == 0 {
			first = k
		}
	}
	one := registry.NewPair{Profile: "riskos", Partner: "p1", Environment: "PROD", Bits: 2048, Subject: subject,
		Renewal: true}
	if _, _, err := h.anna.CreateKeyPair(ctx, one); err == nil || !strings.Contains(said(err), "retire the oldest") {
		t.Errorf("one more: %v", err)
	}
	h.must(h.anna.WithReason("nothing comes under it").MovePair(ctx, first.ID, registry.Retired, false))
	_, _, err := h.anna.CreateKeyPair(ctx, one)
	h.must(err)
	if n := len(h.lane("p1", "PROD").Ours()); n != registry.MaxOverlap {
		t.Errorf("the lane has %d keys of ours", n)
	}
}

// The last pair of ours ends where somebody says so.
func TestOurLastPair(t *testing.T) {
	h := newCompany(t, "sqlite:"+t.TempDir()+"/r.db")
	ctx := t.Context()
	h.partner("p1", "riskos", sealane.ServerSide, "PROD")
	k, _ := h.pair("riskos", "p1", "PROD")
	_, err := h.anna.Offer(ctx, pairWith(k.ID, "p1"))
	h.must(err)
	h.must(h.anna.MarkInstalled(ctx, exchange.Target{KeyPair: k.ID}))
	for _, c := range []struct {
		last         bool
		reason, want string
	}{{false, "the contract ends", "needs last"}, {true, " ", "say why"}} {
		if err := h.anna.WithReason(c.reason).MovePair(ctx, k.ID, registry.Retired, c.last); err == nil ||
			!strings.Contains(said(err), c.want) {
			t.Errorf("%v, %q: %v", c.last, c.reason, err)
		}
	}
	h.must(h.anna.WithReason("the contract ends").MovePair(ctx, k.ID, registry.Retired, true))
	wantRefused(t, "destroyed at once", "can be destroyed from 2026-12-21 on",
		h.anna.WithReason("the contract has ended").MovePair(ctx, k.ID, registry.Destroyed, false))
	h.now = h.now.AddDate(0, 0, registry.DestroyAfter)
	h.must(h.anna.WithReason("the contract has ended").MovePair(ctx, k.ID, registry.Destroyed, false))
}

// A staged certificate of the partner's verifies, while the one before it is encrypted to.
func TestStage(t *testing.T) {
	h := newCompany(t, "sqlite:"+t.TempDir()+"/r.db")
	ctx := t.Context()
	h.partner("acme", "rdx", sealane.ClientSide, "STAG")
	before := h.letIn("acme", "STAG", made(t, fresh(t, "stage 1")), "")
	next, _, err := h.anna.Receive(ctx, exchange.Incoming{Partner: "acme", Environment: "STAG",
		Data: made(t, fresh(t, "stage 2"))})
	h.must(err)
	if err := h.anna.Stage(ctx, next.ID); err == nil || !strings.Contains(said(err), "is received") {
		t.Errorf("staged before it was approved: %v", err)
	}
	_, err = h.anna.MatchChecksum(ctx, checksumOf(next))
	h.must(err)
	h.must(h.cora.Approve(ctx, next.ID, exchange.Approval{}))
	h.must(h.anna.SetKeyID(ctx, exchange.KeyIDChange{ID: next.ID, KeyID: before.KeyID}))
	h.must(h.anna.Stage(ctx, next.ID))
	if a, b := h.certificate(before.ID).State, h.certificate(next.ID).State; a != registry.Active ||
		b != registry.Staged {
		t.Errorf("%s and %s", a, b)
	}
	if n := len(h.lane("acme", "STAG").Theirs()); n != 2 {
		t.Errorf("the lane has %d keys of theirs", n)
	}
	h.must(h.anna.Activate(ctx, next.ID))
	if a, b := h.certificate(before.ID).State, h.certificate(next.ID).State; a != registry.Retiring ||
		b != registry.Active {
		t.Errorf("%s and %s", a, b)
	}
}
