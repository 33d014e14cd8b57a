package renewal_test

import (
	"strings"
	"testing"
	"time"

	"github.com/sealane/sealane"
	"github.com/sealane/sealane/internal/exchange"
	"github.com/sealane/sealane/internal/lanes"
	"github.com/sealane/sealane/internal/notify/smtptest"
	"github.com/sealane/sealane/internal/registry"
	"github.com/sealane/sealane/internal/renewal"
)

// Each case without an open renewal has a reason of its own, and a day after the successor is due has the notices
// that there are then.
func TestWhy(t *testing.T) {
	t.Parallel()
	h := newCompany(t, "sqlite:"+t.TempDir()+"/registry.db")
	id := h.sealed("acme", "SANDBOX", 200)
	h.sends(t, smtptest.New(t, smtptest.Options{}))
	end := h.endOf(id)
	why := func(of string, at time.Time) (renewal.Explained, error) {
		t.Helper()
		return renewal.Explain(t.Context(), &h.anna.Viewer, renewal.WhyOf{Of: of, At: at}, []string{operations})
	}
	says := func(of string, at time.Time, want renewal.Why) (out renewal.Explained) {
		t.Helper()
		out, err := why(of, at)
		if h.must(err); !strings.HasPrefix(string(out.Reason), string(want)) {
			t.Errorf("%s: %q, want %q", of, out.Reason, want)
		}
		return out
	}
	says(id, time.Time{}, renewal.WhyEarly)
	later := says(id, end.AddDate(0, 0, -29), renewal.Why("its successor is due since "+
		end.AddDate(0, 0, -75).Format(time.DateOnly)+", and the schedule has not begun the renewal"))
	told := ""
	for _, n := range later.Wanted {
		told += n.To + " "
	}
	if later.Left != 29 || later.Step != "" || !strings.Contains(told, primary) ||
		!strings.Contains(told, operations) {
		t.Errorf("%+v", later)
	}
	h.partner("beta", "riskos", sealane.ServerSide, "SANDBOX", registry.Rotation{})
	first := h.approved(lanes.Name{Partner: "beta", Environment: "SANDBOX"}, h.certificate(2048, 50))
	says(first, time.Time{}, renewal.WhyNotInUse)
	h.must(exchange.New(h.anna.WithReason("it is wrong")).Reject(t.Context(), first))
	says(first, time.Time{}, renewal.WhyEnded)
	says(primary, time.Time{}, renewal.Why("no notice was written to "+primary+
		": it is the primary contact of acme in SANDBOX"))
	says("nobody@acme.example", time.Time{}, "no notice was written to nobody@acme.example: it is no contact")
	_, err := why(primary, end)
	wantRefused(t, err, "name a certificate, key pair or renewal with a day")
	_, err = why("acme", time.Time{})
	wantRefused(t, err, `there is no "acme": name a certificate, key pair, renewal or address`)
}

// An acknowledgement without an open renewal is refused with advice.
func TestNothingToAcknowledge(t *testing.T) {
	t.Parallel()
	h := newCompany(t, "sqlite:"+t.TempDir()+"/registry.db")
	id := h.sealed("acme", "SANDBOX", 200)
	_, err := renewal.New(h.anna.WithReason("they know it")).Ack(t.Context(), renewal.Ack{
		Name: renewal.Name{ID: id}, Until: h.now.AddDate(0, 0, 9),
	})
	wantRefused(t, err, id+" has no part in a renewal that is open: there is nothing to acknowledge")
	if a := registry.AdviceIn(err); a.Action != registry.AdviceNotices || a.ID != id {
		t.Errorf("%+v", a)
	}
}

// A mail that a person has sent names the person.
func TestSentBy(t *testing.T) {
	t.Parallel()
	h := newCompany(t, "sqlite:"+t.TempDir()+"/registry.db")
	h.sealed("acme", "SANDBOX", 70)
	h.schedule.Operations = []string{operations}
	h.pass()
	var mails []registry.Mail
	h.must(h.anna.View(t.Context(), func(tx registry.Reader) (err error) {
		mails, err = tx.Mails(registry.MailQuery{Page: registry.Page{Limit: 10}})
		return err
	}))
	if len(mails) == 0 {
		t.Fatal("there is no mail")
	}
	sent, err := renewal.New(h.anna).SentByPerson(t.Context(), mails[0].ID)
	h.must(err)
	if by := renewal.SentBy(sent); by != "anna" {
		t.Errorf("%q", by)
	}
	sent.Code = 250 // as a server says it
	if by := renewal.SentBy(sent); by != "" {
		t.Errorf("%q", by)
	}
}
