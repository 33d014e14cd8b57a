package gateway

import (
	"context"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/sealane/sealane/internal/lanes"
)

// Advancer is a Registry that can advance the renewals of keys, as people have ordered.
type Advancer interface {
	// AdvanceRenewals looks at every renewal once, and does what is due. holder tells processes apart:
	// one at a time works.
	AdvanceRenewals(ctx context.Context, holder string) (lanes.Advanced, error)
}

const (
	scheduleEvery = time.Minute
	scheduleTime  = 5 * time.Minute // that one pass may take
	toldAlarms    = 1000            // how many alarms are remembered, so that each is in the log once
)

// schedule is what a gateway knows of the renewals that it advances.
type schedule struct {
	passes *prometheus.CounterVec
	last   prometheus.Gauge
	open   *prometheus.GaugeVec
	alarms prometheus.Gauge
	told   map[string]bool // the alarms of the last pass
}

func newSchedule() *schedule {
	gauge := func(name, help string) prometheus.Gauge {
		return prometheus.NewGauge(prometheus.GaugeOpts{Name: "sealane_" + name, Help: help})
	}
	return &schedule{
		passes: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "sealane_renewal_passes_total", Help: "Passes over the renewals of the registry, by what " +
				"became of them.",
		}, []string{"result"}),
		last: gauge("renewal_last_pass_timestamp_seconds", "When the last pass over the renewals has ended well."),
		open: prometheus.NewGaugeVec(prometheus.GaugeOpts{
			Name: "sealane_renewals", Help: "Renewals that are open, by step, as of the last pass.",
		}, []string{"step"}),
		alarms: gauge("renewal_alarms", "What a person must look at in the renewals, as of the last pass."),
	}
}

func (s *schedule) collectors() []prometheus.Collector {
	return []prometheus.Collector{s.passes, s.last, s.open, s.alarms}
}

// watchRenewals advances renewals until run ends, where the configuration says so.
func (g *Gateway) watchRenewals(run context.Context) {
	for {
		wait := time.NewTimer(g.AdvanceRenewals(run))
		select {
		case <-run.Done():
			wait.Stop()
			return
		case <-wait.C:
		}
	}
}

// AdvanceRenewals does one pass over the renewals of the registry, as Run does each minute and at the time
// of each ordered activation. It returns how long Run waits. Without registry.schedule it does nothing.
func (g *Gateway) AdvanceRenewals(ctx context.Context) (wait time.Duration) {
	wait = scheduleEvery
	r := g.state.Load().registry
	if r == nil || !r.settings.Schedule {
		return wait
	}
	ctx, cancel := context.WithTimeout(ctx, scheduleTime)
	defer cancel()
	s := g.metrics.schedule
	report, err := r.source.(Advancer).AdvanceRenewals(ctx, r.self.name+"/"+r.self.process)
	switch {
	case err != nil:
		s.passes.WithLabelValues("failed").Inc()
		if ctx.Err() == nil {
			g.log.Error("the renewals could not be advanced; the next try is in a minute", "error", err)
		}
		return wait
	case report.Busy:
		s.passes.WithLabelValues("busy").Inc()
		return wait
	}
	s.passes.WithLabelValues("done").Inc()
	s.last.Set(float64(g.now().Unix()))
	s.open.Reset()
	for step, n := range report.Open {
		s.open.WithLabelValues(step).Set(float64(n))
	}
	s.alarms.Set(float64(len(report.Alarms)))
	for _, text := range report.Done {
		g.log.Info("a renewal has advanced", "renewal", text.Renewal, "step", text.Text)
	}
	told := map[string]bool{}
	for _, alarm := range report.Alarms {
		key := alarm.Renewal + " " + alarm.Text
		if !s.told[key] {
			g.log.Error("a renewal needs a person", "renewal", alarm.Renewal, "reason", alarm.Text)
		}
		if len(told) < toldAlarms {
			told[key] = true
		}
	}
	s.told = told
	if until := report.Next.Sub(g.now()); !report.Next.IsZero() && until > 0 {
		wait = min(wait, until)
	}
	return wait
}
