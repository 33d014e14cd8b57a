package gateway

import (
	"context"
	"log/slog"
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

// stoppedEach is how often the log repeats that no schedule works.
const stoppedEach = time.Hour

// lastPass is what a gateway knows of the last pass of any schedule, its own or another. Whether messages are served
// does not depend on it.
type lastPass struct {
	at      *prometheus.GaugeVec
	of      *registry // of which it was read
	read    time.Time
	failing bool      // the last read failed
	alarmed time.Time // when the log had the alarm last
}

// watch reads the time of the last pass, at most once a minute. The log has an alarm while no schedule works.
func (l *lastPass) watch(ctx context.Context, r *registry, log *slog.Logger) {
	if r == nil {
		l.at.Reset()
		l.of = nil
		return
	}
	now := r.now()
	if l.of == r && within(now, l.read, scheduleEvery) {
		return
	}
	if l.of != nil && l.of.settings.DB != r.settings.DB {
		l.at.Reset()
	}
	l.of, l.read = r, now
	if r.failed.Load() != nil {
		return // the log says already that the database can't be read
	}
	ctx, cancel := context.WithTimeout(ctx, askTime)
	defer cancel()
	last, stopped, err := r.source.LastPass(ctx, now)
	if err != nil {
		if !l.failing && ctx.Err() != context.Canceled {
			log.Warn("it is not known when a schedule has worked last", "reason", err.Error())
		}
		l.failing = true
		return
	}
	l.failing = false
	if l.at.Reset(); !last.IsZero() {
		l.at.WithLabelValues().Set(float64(last.Unix()))
	}
	if !stopped || within(now, l.alarmed, stoppedEach) {
		return
	}
	l.alarmed = now
	since := "never"
	if !last.IsZero() {
		since = last.UTC().Format(time.RFC3339)
	}
	log.Error("alarm: no schedule works: nobody is told that a certificate ends, and nothing that was ordered is done",
		"last_pass", since, "what", "run one: here (registry.schedule) or apart; and find out why none did")
}

// within reports whether a time is less than d ago, and not ahead.
func within(now, at time.Time, d time.Duration) bool {
	since := now.Sub(at)
	return since >= 0 && since < d
}
