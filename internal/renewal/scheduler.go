package renewal

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/sealane/sealane/internal/exchange"
	"github.com/sealane/sealane/internal/notify"
	"github.com/sealane/sealane/internal/registry"
)

// Scheduler does what people have ordered: it is the program of renewals. Several may run on one
// registry, also in the processes that serve messages; one at a time works. It may only do the steps
// that are a program's: it approves, matches, waives and prolongs nothing.
type Scheduler struct {
	Registry *registry.Registry
	Holder   string // tells schedulers apart
	// Drain is how long a request may take that began before a change. The mail that confirms a new
	// certificate waits so long. 0 is DefaultDrain.
	Drain time.Duration
	// Outbox sends the mails that are planned; nil: people send them.
	Outbox *Outbox
	// Operations are the addresses of our own people, to whom notices go. Empty: the operators'.
	Operations []string
	// Webhook reports whether a program of ours is told of notices, too.
	Webhook bool
	// Summary reports whether our own people have a mail each day.
	Summary bool

	summed string // the day whose summary is planned

	ended    []registry.EndedUse // keys that are used, as of the last look
	lookedAt time.Time
}

// DefaultDrain is longer than a gateway lets a request take.
const DefaultDrain = 5 * time.Minute

// Tick is how often a Scheduler looks. It compares the present time with what is stored, so a computer
// that slept, or a clock that was set, delays it by one tick.
const Tick = time.Minute

// Report says what a pass has done, and what could not be done.
type Report struct {
	// Busy reports whether another scheduler works; nothing was done.
	Busy bool `json:"busy,omitempty"`
	Open int  `json:"open"` // renewals
	// Steps are how many are open at each step, after the pass.
	Steps map[string]int `json:"steps,omitempty"`
	Done  []Did          `json:"done,omitempty"`
	Wait  []Wait         `json:"waiting,omitempty"`
	// Next is when the next activation is ordered for; zero: none is.
	Next time.Time `json:"next,omitzero"`
	// Notices is how many notices were planned, and Sent what became of mails; nil: people send them.
	Notices int   `json:"notices,omitempty"`
	Sent    *Sent `json:"sent,omitempty"`
	// Late is how many partners were not told in time, as the vendor's specification asks, that a
	// certificate ends.
	Late int `json:"late,omitempty"`
	// Alarms are what a person must look at, and Proposed what a person should do that is not urgent.
	Alarms   []Wait `json:"alarms,omitempty"`
	Proposed []Wait `json:"proposed,omitempty"`
	// RootKey is since when the root key is the same; zero: there is none.
	RootKey time.Time `json:"root_key,omitzero"`
	// More reports whether a limit has ended the lists.
	More bool `json:"more,omitempty"`
}

// Did is a step that a pass has done.
type Did struct {
	Renewal string               `json:"renewal"`
	Step    registry.RenewalStep `json:"step"`
	Text    string               `json:"text"`
}

// Wait is something that a pass did not do, and why.
type Wait struct {
	Renewal string `json:"renewal"`
	Partner string `json:"partner,omitempty"`
	Text    string `json:"text"`
}

// maxListed is how long each list of a report may be.
const maxListed = 1000

func (r *Report) done(n registry.Renewal, format string, args ...any) {
	if len(r.Done) == maxListed {
		r.More = true
		return
	}
	r.Done = append(r.Done, Did{n.ID, n.Step, fmt.Sprintf(format, args...)})
}

func (r *Report) wait(to *[]Wait, n registry.Renewal, format string, args ...any) {
	if len(*to) == maxListed {
		r.More = true
		return
	}
	*to = append(*to, Wait{n.ID, n.Partner, fmt.Sprintf(format, args...)})
}

// claimed is how long a scheduler has the registry for itself, if it is not heard of. One that is killed holds
// the others up for a tick.
const claimed = Tick

// The names of claims. A pass that goes well has the second one until its own time: it says when that was.
const (
	task   = "renewals"
	passed = "passed"
)

// Run runs a pass at once and then every Tick, and at the time of each ordered activation, until ctx ends.
// It passes each report to told, and each
// error of a pass, which does not end it.
func (s *Scheduler) Run(ctx context.Context, told func(Report, error)) {
	for {
		report, err := s.Pass(ctx)
		if ctx.Err() != nil {
			return
		}
		told(report, err)
		wait := time.NewTimer(Wake(report.Next, s.Registry.Time()))
		select {
		case <-ctx.Done():
			wait.Stop()
			return
		case <-wait.C:
		}
	}
}

// Wake returns how long a scheduler waits: a Tick, or until an activation that is ordered for an earlier
// time.
func Wake(next, now time.Time) time.Duration {
	if until := next.Sub(now); !next.IsZero() && until > 0 && until < Tick {
		return until
	}
	return Tick
}

// Pass looks at every open renewal once, does the steps that are due, and begins the renewals of keys
// that end. What fails for one renewal is among the alarms, and the others go on.
func (s *Scheduler) Pass(ctx context.Context) (Report, error) {
	report := Report{Steps: map[string]int{}}
	taken, err := s.claim(ctx)
	if err != nil || !taken {
		report.Busy = err == nil
		return report, err
	}
	now := s.Registry.Time()
	p := pass{Scheduler: s, session: s.Registry.Program(), report: &report, now: now, claimedAt: now}
	if err := p.watch(ctx); err != nil {
		return report, err
	}
	if err := p.renewals(ctx); err != nil {
		return report, err
	}
	if err := p.due(ctx); err != nil {
		return report, err
	}
	planned := errors.Join(p.notices(ctx), p.summaries(ctx), p.self(ctx))
	if planned == nil {
		planned = p.wentWell(ctx)
	}
	if s.Outbox == nil {
		return report, planned
	}
	sent, err := s.Outbox.Send(ctx) // what was planned before is sent all the same
	report.Sent, report.Alarms = &sent, append(report.Alarms, sent.Alarms...)
	if err = errors.Join(planned, err); err != nil || sent.Stuck || s.Outbox.Config.Ping == "" {
		return report, err
	}
	if err := notify.Ping(ctx, s.Outbox.Config.Ping); err != nil {
		report.wait(&report.Alarms, registry.Renewal{}, "the address outside could not be called: %v", err)
	}
	return report, nil
}

// Notify makes the scheduler tell people as a configuration says, from a database with that name.
func (s *Scheduler) Notify(c *notify.Config, database string) (problems []error, err error) {
	o := &Outbox{Registry: s.Registry, Holder: s.Holder, Config: c, Database: database}
	if o.Templates, problems = notify.LoadTemplates(c.TemplatesFolder()); c.Mail != nil {
		if o.Mailer, err = notify.NewMailer(c); err != nil {
			return problems, err
		}
	}
	if o.Hook, err = notify.NewHook(c); err != nil {
		return problems, err
	}
	s.Outbox, s.Operations, s.Webhook, s.Summary = o, c.Operations, o.Hook != nil, c.Mail != nil
	return problems, nil
}

// wentWell notes that all was looked at and planned.
func (p *pass) wentWell(ctx context.Context) error {
	return p.Registry.Store.Update(ctx, func(tx registry.Tx) error {
		_, err := tx.Claim(passed, p.Holder, p.now, p.now)
		return err
	})
}

func (s *Scheduler) claim(ctx context.Context) (taken bool, err error) {
	now := s.Registry.Time()
	err = s.Registry.Store.Update(ctx, func(tx registry.Tx) error {
		taken, err = tx.Claim(task, s.Holder, now, now.Add(claimed))
		return err
	})
	return taken, err
}

// Release lets another scheduler work at once. The owner calls it at the end.
func (s *Scheduler) Release(ctx context.Context) error {
	now := s.Registry.Time()
	return s.Registry.Store.Update(ctx, func(tx registry.Tx) error {
		_, err := tx.Claim(task, s.Holder, now, now)
		return err
	})
}

// pass is one pass of a scheduler.
type pass struct {
	*Scheduler
	session   *registry.Session
	report    *Report
	now       time.Time
	claimedAt time.Time
}

// renewals advances every open renewal.
func (p *pass) renewals(ctx context.Context) error {
	q := registry.RenewalQuery{Open: true, Page: registry.Page{Limit: 500}}
	for {
		var page []registry.Renewal
		var damaged registry.DamagedRows
		var w waiting
		err := p.session.View(ctx, func(tx registry.Reader) (err error) {
			if page, damaged, err = registry.Readable(tx.Renewals(q)); err != nil {
				return err
			}
			return w.read(tx, page)
		})
		if err != nil {
			return err
		}
		for _, row := range damaged {
			p.report.wait(&p.report.Alarms, registry.Renewal{ID: row.ID}, "its row can't be read: %s", row.Why)
		}
		for _, n := range page {
			p.report.Open++
			if err := p.keepClaim(ctx); err != nil {
				return err
			}
			if w.has(n) {
				p.late(n)
			} else if err := p.advance(ctx, &n); err != nil {
				if ctx.Err() != nil || errors.Is(err, registry.ErrStore) {
					return err
				}
				p.report.wait(&p.report.Alarms, n, "%v", err)
			}
			if !n.Step.Closed() {
				p.report.Steps[string(n.Step)]++
			}
		}
		if len(page)+len(damaged) < q.Limit {
			return nil
		}
		q.After = lastOf(page, damaged)
	}
}

// waiting are the partners and keys of some renewals that wait for a successor. There may be many of them, and
// a program has nothing to do.
type waiting struct {
	lanes laneRows
	inUse map[string]bool // the keys
}

func (w *waiting) read(tx registry.Reader, page []registry.Renewal) error {
	var partners, ids, pairs []string
	for _, n := range page {
		if n.Step != registry.RenewalDue || n.Partner == "" {
			continue
		}
		partners = append(partners, n.Partner)
		if exchange.IsKeyPair(n.Replaces) {
			pairs = append(pairs, n.Replaces)
		} else {
			ids = append(ids, n.Replaces)
		}
	}
	w.inUse = map[string]bool{}
	if partners == nil {
		return nil
	}
	if err := w.lanes.read(tx, partners); err != nil {
		return err
	}
	found, _, err := registry.Readable(tx.Certificates(registry.CertificateQuery{
		IDs: ids, KeyPairs: pairs, States: registry.StatesInUse, Brief: true,
		Page: registry.Page{Limit: 2 * len(page)},
	}))
	for _, c := range found {
		w.inUse[c.ID], w.inUse[c.KeyPair] = true, true
	}
	return err
}

// has reports whether a renewal waits for a successor, so that nothing but its deadline can pass.
func (w *waiting) has(n registry.Renewal) bool {
	partner, _, known := w.lanes.of(n.Partner, n.Environment)
	return n.Step == registry.RenewalDue && n.Successor == "" && n.Hold == nil && n.Revoked == 0 && n.Activated == 0 &&
		n.Partner != "" && known && partner.Archived.IsZero() && w.inUse[n.Replaces]
}

// lastOf returns the last identity of a page.
func lastOf(page []registry.Renewal, damaged registry.DamagedRows) (last string) {
	for _, n := range page {
		last = max(last, n.ID)
	}
	for _, row := range damaged {
		last = max(last, row.ID)
	}
	return last
}

// keepClaim renews the claim of a pass that takes long.
func (p *pass) keepClaim(ctx context.Context) error {
	now := p.Registry.Time()
	if now.Sub(p.claimedAt) < claimed/2 {
		return nil
	}
	p.claimedAt = now
	taken, err := p.claim(ctx)
	if err == nil && !taken {
		err = errors.New("another scheduler has taken over")
	}
	return err
}

// watch notes that the uses of keys were watched since the last pass, if every node has counted them.
func (p *pass) watch(ctx context.Context) error {
	const longest = time.Hour // between two passes of one watch
	return p.Registry.Store.Update(ctx, func(tx registry.Tx) error {
		days, err := tx.Observed(p.now.AddDate(0, 0, -2))
		if err != nil {
			return err
		}
		var last time.Time
		for _, d := range days {
			if d.Until.After(last) && !d.Until.After(p.now) { // else a clock was wrong
				last = d.Until
			}
		}
		watched := p.now.Sub(last)
		counted, err := allCount(tx, p.now)
		if err != nil {
			return err
		}
		if last.IsZero() || watched < 0 || watched > longest || !counted {
			watched = 0
		}
		return tx.Observe(p.now, watched)
	})
}

// allCount reports whether every node has stored its uses lately. Where no node serves, nobody counts.
func allCount(tx registry.Reader, now time.Time) (bool, error) {
	const lately = 3 * time.Minute
	nodes, damaged, err := registry.Readable(tx.Nodes())
	if err != nil || len(damaged) > 0 {
		return false, err
	}
	counts := false
	for _, n := range nodes {
		serves := !n.Gone() && (n.Serves.IsZero() || now.Before(n.Serves))
		if serves && (n.Silent(now) || now.Sub(n.Counted) > lately) {
			return false, nil
		}
		counts = counts || serves
	}
	return counts, nil
}
