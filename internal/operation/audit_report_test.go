package operation_test

import (
	"encoding/json"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/sealane/sealane/internal/exchange"
	"github.com/sealane/sealane/internal/operation"
	"github.com/sealane/sealane/internal/registry"
)

// A report has what was recorded of a partner and of the pairs that it shares, in the order of the log, and
// nothing of another partner; and it says where it goes on.
func TestAuditReport(t *testing.T) {
	s, database, _ := opened(t)
	ctx := t.Context()
	partner(t, s, "ann")
	partner(t, s, "bob")
	shared, own, others := keyFor(t, s, ""), keyFor(t, s, "ann"), keyFor(t, s, "bob")
	for _, name := range []string{"ann", "bob"} {
		must(t, exchange.New(s.Session).Offer(ctx, exchange.Target{KeyPair: shared.KeyPair.ID, Partner: name},
			func(exchange.OfferPackage) error { return nil }))
		_, err := operation.Installed.Do(ctx, s, operation.Installation{
			ID: operation.ID{ID: shared.KeyPair.ID, Partner: name}, Said: "their " + name + " by telephone",
		})
		must(t, err)
	}
	rows(t, database, func(tx registry.Tx) error {
		c := registry.Certificate{ID: "c-theirs", Owner: registry.Theirs, Partner: "ann", Profile: "riskos",
			Environment: "SANDBOX", State: registry.Active, DER: []byte("secret of nobody")}
		c.Provenance = registry.Provenance{ReceivedBy: "anna", ApprovedBy: "ben", Challenge: []byte("nonce"),
			File: []byte("a file")}
		return tx.PutCertificate(&c)
	})
	q := operation.AuditReportQuery{Partner: "ann"}
	report, err := operation.ReportAudit.Do(ctx, s, q)
	must(t, err)
	var keys []string
	for _, k := range report.Keys {
		keys = append(keys, k.ID)
		if k.KeyPair == shared.KeyPair.ID && (!k.Shared || k.Offer == nil || !strings.Contains(k.Offer.Said, "ann")) {
			t.Errorf("the shared pair: %+v", k)
		}
		if k.DER != nil || k.Provenance.File != nil || k.Provenance.Challenge != nil {
			t.Errorf("%s has its bytes", k.ID)
		}
	}
	want := []string{"c-theirs", shared.KeyPair.Certificate, own.KeyPair.Certificate}
	slices.Sort(keys)
	slices.Sort(want)
	if !slices.Equal(keys, want) {
		t.Errorf("keys %q, want %q", keys, want)
	}
	text, err := json.Marshal(report)
	must(t, err)
	for _, foreign := range []string{"bob", others.KeyPair.ID, others.KeyPair.Certificate} {
		if strings.Contains(string(text), foreign) {
			t.Errorf("the report of ann has %q", foreign)
		}
	}
	var actions []string
	for i, e := range report.Events {
		actions = append(actions, string(e.Action))
		if i > 0 && e.Record <= report.Events[i-1].Record {
			t.Errorf("record %d comes after %d", e.Record, report.Events[i-1].Record)
		}
	}
	for _, action := range []string{"partner.add", "environment.add", "key.create", "key.installed"} {
		if !slices.Contains(actions, action) {
			t.Errorf("no %s among %q", action, actions)
		}
	}
	q.After = report.Events[1].Record
	rest, err := operation.ReportAudit.Do(ctx, s, q)
	must(t, err)
	if len(rest.Events) != len(report.Events)-2 {
		t.Errorf("%d changes after the second of %d", len(rest.Events), len(report.Events))
	}
	q.Since = time.Now().Add(time.Hour)
	if rest, err = operation.ReportAudit.Do(ctx, s, q); err != nil || len(rest.Events) != 0 || len(rest.Keys) == 0 {
		t.Errorf("since later: %d changes, %d keys, %v", len(rest.Events), len(rest.Keys), err)
	}
	if _, err := operation.ReportAudit.Do(ctx, s, operation.AuditReportQuery{Partner: "none"}); err == nil {
		t.Error("an unknown partner has a report")
	}
}
