package gateway_test

import (
	"fmt"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/sealane/sealane"
	"github.com/sealane/sealane/internal/lanes"
	"github.com/sealane/sealane/internal/registry"
)

const servesAcme = "routes:\n- name: in\n  ingress: riskos\n  listen: 127.0.0.1:0\n  partner: acme\n" +
	"  environment: PROD\n  caller: unauthenticated\n  upstream: http://127.0.0.1:1\n"

const noSchedule = `"msg":"alarm: no schedule works`

// lastPass is the metric of the last pass.
func lastPass(at time.Time) string {
	return fmt.Sprintf("sealane_renewal_last_pass_timestamp_seconds %g", float64(at.Unix()))
}

// TestLastPass: each gateway with a registry knows when a schedule has worked last: also one without
// registry.schedule, and one while another process works. After 26 hours the log has an alarm, once an hour, and the
// gateway stays ready.
func TestLastPass(t *testing.T) {
	f := providerWith(t, lanes.Name{Partner: "acme", Environment: "PROD"})
	pass := func() time.Time {
		t.Helper()
		report, err := f.schedule.Pass(t.Context())
		if f.must(err); report.Busy {
			t.Fatal("another schedule works")
		}
		return f.now()
	}
	at := pass()
	g, busy := f.start(t, "one", "", servesAcme), f.start(t, "two", ", schedule: true", servesAcme)
	for _, n := range []*linked{g, busy} {
		n.AdvanceRenewals(t.Context())
		if got := n.metrics(t, "sealane_renewal_last_pass"); got != lastPass(at) {
			t.Errorf("the metric is %q, want %q", got, lastPass(at))
		}
	}
	want := `sealane_renewal_passes_total{result="busy"}`
	if got := busy.metrics(t, "sealane_renewal_passes_total"); !strings.Contains(got, want) {
		t.Errorf("%s, want %s", got, want)
	}
	f.must(busy.stop())
	alarms := func(passed time.Duration, want int) {
		t.Helper()
		f.passed.Add(int64(passed))
		g.AdvanceRenewals(t.Context())
		g.AdvanceRenewals(t.Context())
		if n := strings.Count(g.log.String(), noSchedule); n != want {
			t.Fatalf("%v after the last pass: %d alarms, want %d\n%s", f.now().Sub(at), n, want, g.log)
		}
		if got := g.metrics(t, "sealane_renewal_last_pass"); got != lastPass(at) {
			t.Errorf("the metric is %q, want %q", got, lastPass(at))
		}
	}
	alarms(26*time.Hour, 0)
	alarms(time.Minute, 1)
	alarms(59*time.Minute, 1)
	alarms(time.Minute, 2)
	if !strings.Contains(g.log.String(), `"last_pass":"`+at.Format(time.RFC3339)+`"`) {
		t.Error(g.log)
	}
	f.settle(g)
	if a := call(t, "GET", "http://"+g.addresses["admin"].String()+"/readyz", ""); a.status != 200 {
		t.Errorf("/readyz answers %d %s", a.status, a.body)
	}
	alarms(61*24*time.Hour, 3)
	at = pass()
	alarms(time.Minute, 3)
}

// TestNoPassYet: where no schedule has ever worked, that is an alarm from the first key in use on.
func TestNoPassYet(t *testing.T) {
	for _, used := range []bool{false, true} {
		var f *firm
		if used {
			f = providerWith(t, lanes.Name{Partner: "acme", Environment: "PROD"})
		} else {
			f = newFirm(t, "sqlite:"+filepath.Join(t.TempDir(), "registry.db"))
			f.partner(registry.Partner{ID: "acme", Profile: "riskos", Side: sealane.ServerSide},
				registry.Environment{Name: "PROD"})
		}
		g := f.start(t, "one", "", servesAcme)
		g.AdvanceRenewals(t.Context())
		if got := g.metrics(t, "sealane_renewal_last_pass"); got != "" {
			t.Error(got)
		}
		log := g.log.String()
		if strings.Contains(log, noSchedule) != used || used && !strings.Contains(log, `"last_pass":"never"`) {
			t.Errorf("used: %v\n%s", used, log)
		}
	}
}
