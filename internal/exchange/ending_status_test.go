package exchange_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/sealane/sealane"
	"github.com/sealane/sealane/internal/exchange"
	"github.com/sealane/sealane/internal/registry"
)

// Whatever else is in a lane, nothing waits for nobody while its active key ends: the lists say who acts,
// and so do those of one key.
func TestNobodyIsNeverSaidWhileAKeyEnds(t *testing.T) {
	others := append([]registry.State{""}, registry.States()...)
	for _, owner := range []registry.Owner{registry.Ours, registry.Theirs} {
		for _, other := range others {
			for _, later := range []bool{true, false} {
				t.Run(fmt.Sprintf("%s with=%s later=%v", owner, other, later), func(t *testing.T) {
					t.Parallel()
					endingLane(t, owner, other, later)
				})
			}
		}
	}
}

// endingLane checks a lane whose active key ends in 40 days, with another key that may be valid for longer.
func endingLane(t *testing.T, owner registry.Owner, other registry.State, later bool) {
	h := newCompany(t, "sqlite:"+t.TempDir()+"/r.db")
	h.partner("acme", "riskos", sealane.ServerSide, "PROD")
	end := h.now.AddDate(0, 0, 40)
	put := func(id string, state registry.State, end time.Time) {
		c := registry.Certificate{
			ID: "c-" + id, Owner: owner, Partner: "acme", Profile: "riskos", Environment: "PROD", KeyID: "kid-" + id,
			State: state, NotBefore: h.now.AddDate(0, -3, 0), NotAfter: end, Created: h.now.AddDate(0, -3, 0),
			SPKISHA256: []byte(id), SHA256: []byte(id),
		}
		h.meddled++
		h.must(h.Store.Update(t.Context(), func(tx registry.Tx) error {
			if owner == registry.Ours {
				c.KeyPair = "k-" + id
				k := registry.KeyPair{
					ID: c.KeyPair, Profile: "riskos", Partner: "acme", Environment: "PROD", KeyID: c.KeyID,
					State: state, Certificate: c.ID, Origin: registry.Made,
					SPKISHA256: c.SPKISHA256, Created: c.Created,
				}
				o := registry.Offer{KeyPair: k.ID, Partner: "acme", At: h.now, Installed: h.now}
				if state == registry.Active {
					o.Confirmed = h.now.Add(-time.Hour)
				}
				h.meddled += 2
				if err := tx.PutKeyPair(&k); err != nil {
					return err
				}
				if err := tx.PutOffer(&o); err != nil {
					return err
				}
			}
			return tx.PutCertificate(&c)
		}))
	}
	put("one", registry.Active, end)
	if other != "" && other != registry.Active {
		until := end.AddDate(0, 0, -1)
		if later {
			until = end.AddDate(1, 0, 0)
		}
		put("two", other, until)
	}
	list, err := exchange.Status(t.Context(), h.viewer(), named("acme", "PROD"))
	h.must(err)
	seen := false
	for _, s := range list {
		if s.State != registry.Active {
			continue
		}
		seen = true
		if s.Next.Waits == exchange.WaitsForNobody || s.Next.Waits == "" {
			t.Errorf("%s ends, and the status says %+v", s.Certificate, s.Next)
		}
		id := s.Certificate
		if s.KeyPair != "" {
			id = s.KeyPair
		}
		_, next, err := exchange.StandingOf(t.Context(), h.viewer(), id, "acme")
		h.must(err)
		if fmt.Sprint(next) != fmt.Sprint(s.Next) {
			t.Errorf("of %s alone it is %+v, and in the list %+v", id, next, s.Next)
		}
	}
	if !seen {
		t.Error("no key is active")
	}
}
