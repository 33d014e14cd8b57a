package renewal_test

import (
	"testing"
	"time"

	"github.com/sealane/sealane"
	"github.com/sealane/sealane/internal/exchange"
	"github.com/sealane/sealane/internal/lanes"
	"github.com/sealane/sealane/internal/registry"
	"github.com/sealane/sealane/internal/renewal"
)

// A partner who holds one certificate, and whose answers do not say that it could not open a message, must change
// at the agreed time: it is not told before that it can swap when it likes. When it has swapped, the way back
// needs its word.
func TestOneSlotByAppointment(t *testing.T) {
	h := newCompany(t, "sqlite:"+t.TempDir()+"/r.db")
	ctx := t.Context()
	lane := lanes.Name{Partner: "bank", Environment: "STAG"}
	h.partner("bank", "rdx", sealane.ClientSide, "STAG", registry.Rotation{Slots: 1})
	const alias = "1234dadc1234b704c1f23dc4-PKE-ACS-Client-2048SHA2-STAG"
	certificate := func(days int) string {
		t.Helper()
		id := h.approved(lane, h.certificate(2048, days))
		h.must(exchange.New(h.anna).SetKeyID(ctx, exchange.KeyIDChange{ID: id, KeyID: alias}))
		return id
	}
	first := certificate(100)
	h.must(exchange.New(h.anna).Activate(ctx, first))
	second := certificate(700)
	h.pass()
	h.now = h.now.Add(renewal.DefaultDrain)
	h.pass()
	h.now = h.now.Add(time.Hour)
	h.pass()
	if n := h.wantStep(second, registry.RenewalLoaded); n.Mail != nil {
		t.Errorf("the partner is told to swap: %+v", n.Mail)
	}
	at := h.now.Add(time.Hour)
	h.must(h.order(renewal.Name{ID: second}, at))
	h.now = at
	h.pass()
	h.wantStep(second, registry.RenewalActive)
	back := renewal.New(h.anna.WithReason("answers can't be opened, INC-7"))
	_, err := back.RollBack(ctx, renewal.Rollback{Name: renewal.Name{ID: second}})
	wantRefused(t, err, "holds one certificate at a time")
	h.now = h.now.Add(renewal.DefaultDrain)
	h.pass()
	if n := h.wantStep(second, registry.RenewalTold); n.Mail == nil || n.Mail.Ready {
		t.Errorf("%+v", n.Mail)
	}
}
