package gateway

import (
	"context"
	"errors"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/sealane/sealane/internal/lanes"
)

// Advancer is a Registry that can advance the renewals of keys, as people have ordered.
type Advancer interface {
	// AdvanceRenewals looks at every renewal once, and does what is due. holder tells processes apart:
	// one at a time works.
	AdvanceRenewals(ctx context.Context, holder string) (lanes.Advanced, error)
	// ReleaseRenewals lets another process work at once. Otherwise it waits until it is clear that the holder is gone.
	ReleaseRenewals(ctx context.Context, holder string) error
}

const (
	scheduleEvery = time.Minute
	scheduleTime  = 5 * time.Minute // that one pass may take
	toldAlarms    = 1000            // how many alarms are remembered, so that each is in the log once
)

// schedule is what a gateway knows of the renewals that it advances. The gauges exist only where the last pass was
// this gateway's; but last is of all schedules.
type schedule struct {
	last             lastPass
	passes           *prometheus.CounterVec
	open, alarms     *prometheus.GaugeVec
	mails            *prometheus.GaugeVec // that wait
	oldest, late     *prometheus.GaugeVec
	rootKey, mailEnd *prometheus.GaugeVec

	webhookEnd atomic.Int64 // as Unix time, as the schedule has seen it; 0: it has not

	mu   sync.Mutex      // one pass at a time
	told map[string]bool // the alarms of the last pass
}

func newSchedule() *schedule {
	gauge := func(name, help string, labels ...string) *prometheus.GaugeVec {
		return prometheus.NewGaugeVec(prometheus.GaugeOpts{Name: "sealane_" + name, Help: help}, labels)
	}
	counter := func(name, help string, labels ...string) *prometheus.CounterVec {
		return prometheus.NewCounterVec(prometheus.CounterOpts{Name: "sealane_" + name, Help: help}, labels)
	}
	return &schedule{
		passes: counter("renewal_passes_total", "Passes over the renewals of the registry, by what became of them.",
			"result"),
		last: lastPass{at: gauge("renewal_last_pass_timestamp_seconds",
			"When a pass over the renewals went well last, as the registry knows it.")},
		open:    gauge("renewals", "Renewals that are open, by step, as of the last pass.", "step"),
		alarms:  gauge("renewal_alarms", "What a person must look at in the renewals, as of the last pass."),
		mails:   gauge("mails_waiting", "Mails about certificates that wait, by state, as of the last pass.", "state"),
		oldest:  gauge("mail_oldest_timestamp_seconds", "When the oldest mail that waits was planned."),
		rootKey: gauge("root_key_set_timestamp_seconds", "When the present root key was set, as of the last pass."),
		mailEnd: gauge("mail_server_certificate_end_timestamp_seconds",
			"When the certificate ends that the mail server has presented last."),
		late: gauge("notices_late", "Partners who were not told that a certificate ends in time, as of the last "+
			"pass."),
	}
}

func (s *schedule) collectors() []prometheus.Collector {
	return []prometheus.Collector{s.passes, s.last.at, s.open, s.alarms, s.mails, s.oldest, s.late, s.rootKey,
		s.mailEnd}
}

// forget removes what another process knows better.
func (s *schedule) forget() {
	for _, gauges := range []*prometheus.GaugeVec{s.open, s.alarms, s.mails, s.oldest, s.late, s.rootKey,
		s.mailEnd} {
		gauges.Reset()
	}
	s.webhookEnd.Store(0)
	s.told = nil
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
// of each ordered activation. It returns how long Run waits. Without registry.schedule it only watches whether others
// do it.
func (g *Gateway) AdvanceRenewals(ctx context.Context) (wait time.Duration) {
	s := g.metrics.schedule
	s.mu.Lock()
	defer s.mu.Unlock()
	r := g.state.Load().registry
	defer func() { s.last.watch(ctx, r, g.log) }()
	if r == nil || !r.settings.Schedule {
		s.forget()
		return scheduleEvery
	}
	limited, cancel := context.WithTimeout(ctx, scheduleTime)
	defer cancel()
	report, err := r.source.(Advancer).AdvanceRenewals(limited, r.self.holder())
	switch {
	case err != nil:
		s.passes.WithLabelValues("failed").Inc()
		if !errors.Is(limited.Err(), context.Canceled) {
			g.log.Error("the renewals could not be advanced; the next try is in a minute", "error", err.Error())
		}
		if len(report.Done)+len(report.Alarms) > 0 { // what was done and found before
			s.tell(report, g.log)
		}
	case report.Busy:
		s.passes.WithLabelValues("busy").Inc()
		s.forget()
	default:
		s.passes.WithLabelValues("done").Inc()
		s.tell(report, g.log)
	}
	if until := report.Next.Sub(g.now()); !report.Next.IsZero() && until > 0 {
		return min(scheduleEvery, until)
	}
	return scheduleEvery
}

// tell shows what a pass has done: each step, and each alarm that the pass before did not have.
func (s *schedule) tell(report lanes.Advanced, log *slog.Logger) {
	s.open.Reset()
	for step, n := range report.Open {
		s.open.WithLabelValues(step).Set(float64(n))
	}
	s.alarms.WithLabelValues().Set(float64(len(report.Alarms)))
	s.late.WithLabelValues().Set(float64(report.LateNotices))
	s.mails.Reset()
	for state, n := range report.Mails {
		s.mails.WithLabelValues(state).Set(float64(n))
	}
	for gauge, at := range map[*prometheus.GaugeVec]time.Time{
		s.oldest: report.OldestMail, s.rootKey: report.RootKey, s.mailEnd: report.MailServerEnds,
	} {
		if gauge.Reset(); !at.IsZero() {
			gauge.WithLabelValues().Set(float64(at.Unix()))
		}
	}
	s.webhookEnd.Store(0)
	if !report.WebhookEnds.IsZero() {
		s.webhookEnd.Store(report.WebhookEnds.Unix())
	}
	for _, step := range report.Done {
		log.Info("a renewal has advanced", "renewal", step.Renewal, "step", step.Text)
	}
	told := map[string]bool{}
	tell := func(all []lanes.Advance, log func(text string, args ...any), text string) {
		for _, one := range all {
			key := one.Renewal + " " + one.Text
			if !s.told[key] {
				log(text, "renewal", one.Renewal, "reason", one.Text)
			}
			if len(told) < toldAlarms {
				told[key] = true
			}
		}
	}
	tell(report.Alarms, log.Error, "a renewal needs a person")
	tell(report.Proposed, log.Warn, "the schedule proposes something")
	s.told = told
}

// releaseRenewals lets another process advance renewals, when a registry is not in use any more.
func (g *Gateway) releaseRenewals(ctx context.Context, r *registry) {
	if !r.settings.Schedule {
		return
	}
	s := g.metrics.schedule
	s.mu.Lock() // a pass that began before ends first
	defer s.mu.Unlock()
	if next := g.state.Load().registry; next != nil && next != r && next.settings.Schedule &&
		next.self.holder() == r.self.holder() {
		return // this process goes on
	}
	if failed := r.failed.Load(); failed != nil && !errors.Is(*failed, context.Canceled) {
		return // the database would not answer either
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), endTime)
	defer cancel()
	if err := r.source.(Advancer).ReleaseRenewals(ctx, r.self.holder()); err != nil {
		g.log.Warn("another process can't advance renewals at once", "reason", err.Error())
	}
}

// holder tells the processes apart that advance renewals.
func (s *self) holder() string { return s.name + "/" + s.process }
