package gateway_test

import (
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/sealane/sealane"
	"github.com/sealane/sealane/internal/exchange"
	"github.com/sealane/sealane/internal/gateway"
	"github.com/sealane/sealane/internal/lanes"
	"github.com/sealane/sealane/internal/registry"
	"github.com/sealane/sealane/internal/testkey"
)

// providerWith returns a firm that is a provider, with a customer whose certificate is active.
func providerWith(t *testing.T, lane lanes.Name) *firm {
	t.Helper()
	f := newFirm(t, "sqlite:"+filepath.Join(t.TempDir(), "registry.db"))
	f.partner(registry.Partner{ID: lane.Partner, Profile: "riskos", Side: sealane.ServerSide},
		registry.Environment{Name: lane.Environment, Rotation: registry.Rotation{Slots: 2}})
	pair, _ := f.pair(lane, "riskos", 2048, "", false)
	f.offer(lane, pair)
	f.installed(lane, pair)
	first := f.receive(lane, f.certificate(testkey.RSA(t, "customer's first", 2048)), "")
	f.must(exchange.New(f.anna).Activate(t.Context(), first))
	return f
}

// TestSchedule: a gateway with registry.schedule does what was ordered when it is time. Metrics and the log
// have what a person must know, and each alarm is in the log once.
func TestSchedule(t *testing.T) {
	lane := lanes.Name{Partner: "acme", Environment: "PROD"}
	f := providerWith(t, lane)
	var app seen
	routes := "routes:\n- name: in\n  ingress: riskos\n  listen: 127.0.0.1:0\n  partner: acme\n  environment: PROD\n" +
		"  caller: unauthenticated\n  upstream: " + serve(t, app.answer(200, "{}")) + "\n"
	g := f.start(t, "one", ", schedule: true", routes)
	second := f.receive(lane, f.certificate(testkey.RSA(t, "customer's second", 2048)), "")
	pass := func(want registry.State) {
		t.Helper()
		f.settle(g)
		g.AdvanceRenewals(t.Context())
		if state := f.state(second); state != want {
			t.Fatalf("the certificate is %s, want %s\n%s", state, want, g.log)
		}
	}
	wantMetrics := func(want ...string) {
		t.Helper()
		got := g.metrics(t, "sealane_renewal")
		for _, line := range want {
			if !strings.Contains("\n"+got+"\n", "\n"+line+"\n") {
				t.Errorf("metrics lack %s:\n%s", line, got)
			}
		}
	}
	pass(registry.Staged)
	wantMetrics(`sealane_renewals{step="staged"} 1`, "sealane_renewal_alarms 0")
	_, err := f.Store.ReportNode(t.Context(), lanes.Node{
		Name: "away", Process: "p", Started: f.now(), At: f.now(), Serves: f.now().Add(24 * time.Hour),
	}, false)
	f.must(err)
	f.order(lane, second, f.now().Add(time.Hour))
	f.passed.Add(int64(time.Hour + 3*time.Minute))
	pass(registry.Staged)
	f.passed.Add(int64(time.Minute))
	pass(registry.Staged)
	wantMetrics("sealane_renewal_alarms 1")
	if n := strings.Count(g.log.String(), `"msg":"a renewal needs a person"`); n != 1 {
		t.Errorf("the alarm is in the log %d times: %s", n, g.log)
	}
	if !strings.Contains(g.log.String(), `node \"away\"`) {
		t.Errorf("the log does not name the node: %s", g.log)
	}
	f.must(f.Store.EndNode(t.Context(), lanes.Node{Name: "away", Process: "p", At: f.now(), Ended: f.now()}))
	pass(registry.Active)
	wantMetrics(`sealane_renewals{step="active"} 1`, "sealane_renewal_alarms 0")
	if !strings.Contains(g.log.String(), "is active, as anna has ordered") {
		t.Error(g.log)
	}
	if got := g.metrics(t, "sealane_root_key_set_timestamp_seconds "); got == "" {
		t.Error("the age of the root key is not known")
	}
	const proposes = `"msg":"the schedule proposes something"`
	if strings.Contains(g.log.String(), proposes) {
		t.Error(g.log)
	}
	f.passed.Add(int64(2 * 366 * 24 * time.Hour))
	g.AdvanceRenewals(t.Context())
	g.AdvanceRenewals(t.Context())
	if log := g.log.String(); strings.Count(log, proposes) != 1 ||
		!strings.Contains(log, "the root key is the same since") {
		t.Error(log)
	}
}

// TestScheduleReload: registry.schedule is turned off and on by a reload. A process that stops it lets
// another one work at once, and shows nothing any more that the other one knows better.
func TestScheduleReload(t *testing.T) {
	lane := lanes.Name{Partner: "acme", Environment: "PROD"}
	f := providerWith(t, lane)
	routes := "routes:\n- name: in\n  ingress: riskos\n  listen: 127.0.0.1:0\n  partner: acme\n  environment: PROD\n" +
		"  caller: unauthenticated\n  upstream: http://127.0.0.1:1\n"
	g := f.start(t, "one", ", schedule: true", routes)
	g.AdvanceRenewals(t.Context())
	if got := g.metrics(t, "sealane_renewal_last_pass_timestamp_seconds"); got == "" {
		t.Error("no pass was done")
	}
	busy := func() bool {
		t.Helper()
		report, err := f.schedule.Pass(t.Context())
		f.must(err)
		return report.Busy
	}
	if !busy() {
		t.Error("two processes work")
	}
	reload := func(words string) {
		t.Helper()
		write(t, filepath.Join(g.dir, "sealane.yaml"), f.config("one", words, routes))
		f.must(g.Reload(t.Context()))
	}
	reload("")
	g.released.wait(t, 1)
	if busy() {
		t.Error("another process has to wait")
	}
	g.AdvanceRenewals(t.Context())
	if got := g.metrics(t, "sealane_renewal"); strings.Contains(got, "alarms") {
		t.Error(got)
	}
	reload(", schedule: true")
	g.AdvanceRenewals(t.Context())
	want := `sealane_renewal_passes_total{result="busy"} 1`
	if got := g.metrics(t, "sealane_renewal_passes_total"); !strings.Contains(got, want) {
		t.Errorf("%s, want %s", got, want)
	}
	f.must(f.schedule.Release(t.Context()))
	g.AdvanceRenewals(t.Context())
	if got := g.metrics(t, "sealane_renewal_alarms"); got != "sealane_renewal_alarms 0" {
		t.Error(got)
	}
	reload(", schedule: true, stale_after: 2h") // another registry, and the same process
	g.AdvanceRenewals(t.Context())
	if !busy() {
		t.Error("another process works")
	}
	if err := g.stop(); err != nil {
		t.Fatal(err)
	}
	if busy() {
		t.Error("another process has to wait after the end")
	}
}

// TestScheduleOfAnother: a program that can't advance renewals says so at start.
func TestScheduleOfAnother(t *testing.T) {
	d := newDatabase(t)
	d.words = ", schedule: true"
	dir := keyFolder(t)
	write(t, filepath.Join(dir, "sealane.yaml"), d.api("http://127.0.0.1:1", "caller: api-key"))
	o := gateway.Options{Log: &logBuffer{}}
	d.open(nil)(nil, &o)
	_, err := gateway.New(t.Context(), filepath.Join(dir, "sealane.yaml"), o)
	if err == nil || !strings.Contains(err.Error(), ":1: registry: schedule: this program can't advance renewals") {
		t.Error(err)
	}
}
