package exchange_test

import (
	"crypto/x509"
	"strings"
	"testing"
	"time"

	"github.com/sealane/sealane"
	"github.com/sealane/sealane/cert"
	"github.com/sealane/sealane/internal/exchange"
	"github.com/sealane/sealane/internal/registry"
)

// checked returns the level of a check of Preflight, empty if there is no such check, and whether
// everything is ready.
func (h *company) checked(partner, environment, name string) (level cert.Level, ready bool) {
	h.t.Helper()
	checks, ready, err := exchange.Preflight(h.t.Context(), h.viewer(), named(partner, environment))
	h.must(err)
	for _, c := range checks {
		if c.Name == name {
			level = c.Level
		}
	}
	return level, ready
}

// Preflight requires a valid API key or an account that identifies the callers. Only if messages are not
// signed may a gateway in front identify them instead.
func TestPreflightOfCallers(t *testing.T) {
	h := newCompany(t, "sqlite:"+t.TempDir()+"/r.db")
	ctx := t.Context()
	issue := func(partner string) registry.APIKey {
		k, _, err := h.anna.IssueAPIKey(ctx, registry.NewAPIKey{Partner: partner, Environment: "PROD", Label: "first",
			Sealing: sealane.SealingRequired})
		h.must(err)
		return k
	}
	revoke := func(partner string) { h.must(h.anna.WithReason("it is lost").RevokeAPIKey(ctx, issue(partner).ID)) }
	account := func(partner string) {
		h.must(h.agreed(h.anna.Session, func() error {
			return h.anna.ChangeEnvironment(ctx, registry.Environment{Partner: partner, Name: "PROD"},
				func(e *registry.Environment) error { e.Account = partner; return nil })
		}))
	}
	for _, c := range []struct {
		partner, profile string
		side             sealane.Side
		known            []func(partner string)
		want             cert.Level
	}{
		{"nobody", "riskos", sealane.ServerSide, nil, cert.Refused},
		{"revoked", "riskos", sealane.ServerSide, []func(string){revoke}, cert.Refused},
		{"valid", "riskos", sealane.ServerSide, []func(string){revoke, func(partner string) { issue(partner) }},
			cert.OK},
		{"account", "riskos", sealane.ServerSide, []func(string){revoke, account}, cert.OK},
		{"called", "riskos", sealane.ClientSide, nil, ""},
		{"gateway", "rdx", sealane.ServerSide, nil, cert.Warning},
		{"revoked-rdx", "rdx", sealane.ServerSide, []func(string){revoke}, cert.Warning},
	} {
		h.partner(c.partner, c.profile, c.side, "PROD")
		for _, f := range c.known {
			f(c.partner)
		}
		if level, _ := h.checked(c.partner, "PROD", "caller"); level != c.want {
			t.Errorf("%s: %q, want %q", c.partner, level, c.want)
		}
	}
}

// A pair that our messages are signed by must be active; one that only opens may wait
// for the partner's word.
func TestPreflightOfAPairThatWaits(t *testing.T) {
	h := newCompany(t, "sqlite:"+t.TempDir()+"/r.db")
	ctx := t.Context()
	h.partner("signed", "riskos", sealane.ClientSide, "PROD")
	h.letIn("signed", "PROD", made(t, fresh(t, "one"), signsToo), "")
	h.partner("plain", "rdx", sealane.ServerSide, "PROD")
	plain, _ := h.pair("rdx", "plain", "PROD")
	h.must(h.anna.SetKeyID(ctx, exchange.KeyIDChange{ID: plain.ID,
		KeyID: "1234dadc1234b704c1f23dc4-PKE-ACS-Client-2048SHA2-PROD"}))
	signed, _ := h.pair("riskos", "signed", "PROD")
	want := func(partner string, want cert.Level, wantReady bool) {
		t.Helper()
		if level, ready := h.checked(partner, "PROD", "our key pair"); level != want || ready != wantReady {
			t.Errorf("%s: %q, ready %t", partner, level, ready)
		}
	}
	want("signed", cert.Refused, false)
	want("plain", cert.Warning, true)
	for partner, pair := range map[string]string{"signed": signed.ID, "plain": plain.ID} {
		_, err := h.anna.Offer(ctx, pairWith(pair, partner))
		h.must(err)
		h.must(h.anna.MarkInstalled(ctx, pairWith(pair, partner)))
		want(partner, cert.OK, true)
	}
}

// A certificate in use whose key was blocked is found, though its state has not
// changed.
func TestPreflightOfABlockedKey(t *testing.T) {
	h := newCompany(t, "sqlite:"+t.TempDir()+"/r.db")
	h.meddled = 1
	h.partner("acme", "rdx", sealane.ClientSide, "STAG")
	c := h.letIn("acme", "STAG", made(t, fresh(t, "one")), "")
	if level, ready := h.checked("acme", "STAG", "their certificate, key"); level != "" || !ready {
		t.Errorf("before: %q, ready %t", level, ready)
	}
	h.block(c.SPKISHA256)
	if level, ready := h.checked("acme", "STAG", "their certificate, key"); level != cert.Refused || ready {
		t.Errorf("after: %q, ready %t", level, ready)
	}
	if state := h.certificate(c.ID).State; state != registry.Active {
		t.Errorf("it is %s", state)
	}
}

// A successor is due 75 days before the end, or as the environment says.
func TestPreflightDaysBeforeTheEnd(t *testing.T) {
	h := newCompany(t, "sqlite:"+t.TempDir()+"/r.db")
	h.partner("acme", "rdx", sealane.ClientSide, "STAG")
	end := h.letIn("acme", "STAG", made(t, fresh(t, "time")), "").NotAfter
	const day = 24 * time.Hour
	for _, c := range []struct {
		left  time.Duration
		lead  int
		level cert.Level
		found string
	}{
		{76 * day, 0, cert.OK, "until 2028-11-01; a successor is due on 2028-08-18"},
		{75*day + time.Second, 0, cert.OK, "until 2028-11-01"},
		{75 * day, 0, cert.Warning, "ends on 2028-11-01, in 75 days"},
		{75*day - time.Second, 0, cert.Warning, "ends on 2028-11-01, in 74 days"},
		{75 * day, 60, cert.OK, "a successor is due on 2028-09-02"},
		{60*day + time.Second, 60, cert.OK, "until 2028-11-01"},
		{60 * day, 60, cert.Warning, "in 60 days"},
		{90 * day, 90, cert.Warning, "in 90 days"},
		{day, 1, cert.Warning, "in 1 day"},
		{day - time.Second, 0, cert.Warning, "in 0 days"},
		{0, 0, cert.Warning, "in 0 days"},
		{-time.Second, 0, cert.Refused, "expired on 2028-11-01"},
	} {
		h.now = end.Add(-c.left)
		h.must(h.anna.ChangeEnvironment(t.Context(), registry.Environment{Partner: "acme", Name: "STAG"},
			func(e *registry.Environment) error { e.Rotation.Lead = c.lead; return nil }))
		checks, ready, err := exchange.Preflight(t.Context(), h.viewer(), named("acme", "STAG"))
		h.must(err)
		got := theirValidity(t, checks)
		if got.Level != c.level || !strings.Contains(got.Found, c.found) || ready != (c.level != cert.Refused) {
			t.Errorf("%s before the end: %+v, ready %t", c.left, got, ready)
		}
		steps, err := exchange.Status(t.Context(), h.viewer(), named("acme", "STAG"))
		h.must(err)
		if due := steps[0].Due; h.now.Before(due) != (c.level == cert.OK) {
			t.Errorf("%s before the end: the status says that a successor is due on %s", c.left, due)
		}
	}
}

func theirValidity(t *testing.T, checks []registry.Check) registry.Check {
	t.Helper()
	for _, c := range checks {
		if c.Code == "their-validity" {
			return c
		}
	}
	t.Fatalf("there is no check of their certificate's validity: %+v", checks)
	return registry.Check{}
}

// A certificate for three years is for a key that is used for two.
func TestPreflightOfALongCertificate(t *testing.T) {
	h := newCompany(t, "sqlite:"+t.TempDir()+"/r.db")
	ctx := t.Context()
	h.partner("acme", "rdx", sealane.ClientSide, "STAG")
	three := made(t, fresh(t, "three"), func(c *x509.Certificate) { c.NotAfter = c.NotAfter.AddDate(1, 0, 0) })
	c, _, err := h.anna.Receive(ctx, exchange.Incoming{Partner: "acme", Environment: "STAG", Data: three,
		Waive: map[string]string{"validity-length": "their CA issues for three years"}})
	h.must(err)
	_, err = h.anna.MatchChecksum(ctx, checksumOf(c))
	h.must(err)
	h.must(h.cora.Approve(ctx, c.ID, exchange.Approval{Grant: []string{"validity-length"}}))
	h.must(h.anna.SetKeyID(ctx, exchange.KeyIDChange{ID: c.ID,
		KeyID: "1234dadc1234b704c1f23dc4-PKE-ACS-Client-2048SHA2-STAG"}))
	h.must(h.anna.Activate(ctx, c.ID))
	end := time.Date(2028, 11, 1, 0, 0, 0, 0, time.UTC)
	for _, at := range []struct {
		now   time.Time
		level cert.Level
		found string
	}{
		{end.AddDate(0, 0, -75).Add(-1), cert.OK, "until 2029-11-01; a successor is due on 2028-08-18"},
		{end.AddDate(0, 0, -75), cert.Warning, "the 2 years of use of its key end on 2028-11-01, in 75 days"},
		{end.Add(1), cert.Warning, "the 2 years of use of its key ended on 2028-11-01"},
		{end.AddDate(1, 0, 0).Add(1), cert.Refused, "expired on 2029-11-01"},
	} {
		h.now = at.now
		checks, _, err := exchange.Preflight(ctx, h.viewer(), named("acme", "STAG"))
		h.must(err)
		if got := theirValidity(t, checks); got.Level != at.level || got.Found != at.found {
			t.Errorf("on %s: %+v, want %q", at.now, got, at.found)
		}
	}
}
