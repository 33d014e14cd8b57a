package renewal_test

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"time"

	"pgregory.net/rapid"

	"github.com/sealane/sealane/internal/registry"
	"github.com/sealane/sealane/internal/renewal"
)

// live makes a world do so many steps.
func (w *world) live(steps int) {
	acts := w.acts()
	names := rapid.SampledFrom(slices.Sorted(maps.Keys(acts)))
	w.check()
	for tries := 0; w.steps < steps; tries++ {
		if tries == 1000 {
			w.fail("nothing can be done")
		}
		if !done(w.rt, acts[names.Draw(w.rt, "act")]) {
			continue
		}
		tries = 0
		w.check()
		if w.steps%100 == 0 || w.steps == steps {
			w.whole()
		}
	}
}

// skipped is what an act panics with that can't be done, or is not.
type skipped struct{}

func skip() { panic(skipped{}) }

// done does an act, and reports whether it has done something.
func done(rt *rapid.T, act func(*rapid.T)) (is bool) {
	defer func() {
		if p := recover(); p != nil && p != any(skipped{}) {
			panic(p)
		}
	}()
	act(rt)
	return true
}

// once skips an act that is rare: it happens once of so many times.
func once(rt *rapid.T, times int) {
	if rapid.IntRange(1, times).Draw(rt, "rare") != 1 {
		skip()
	}
}

// acts are what may happen in a world. An act that comes often is there several times.
func (w *world) acts() map[string]func(*rapid.T) {
	acts := map[string]func(*rapid.T){}
	for name, a := range map[string]struct {
		often int
		act   func(*rapid.T)
	}{
		"pass": {4, w.pass}, "tick": {8, w.tick}, "hours": {3, w.hours}, "days": {4, w.days}, "clock": {1, w.clock},
		"time": {6, w.timeComes},
		"node": {6, w.nodeActs}, "node ends": {1, w.nodeEnds}, "node begins": {4, w.nodeBegins},
		"make": {4, w.renewOurs}, "offer": {3, w.offerOurs}, "installed": {6, w.installedOurs},
		"order": {5, w.orders}, "supersede": {1, w.supersedes}, "by hand": {1, w.byHand},
		"rollback": {1, w.rollBack}, "word": {1, w.rollBackByWord},
		"hold": {1, w.holds}, "end hold": {2, w.endsHold}, "cancel": {1, w.cancels}, "receive": {6, w.receives},
		"match": {6, w.matches}, "approve": {6, w.approves}, "sent": {6, w.sent}, "retire": {4, w.retires},
		"revoke": {1, w.revokes}, "undo": {1, w.undoes}, "overstep": {1, w.oversteps},
		"partner installs": {8, w.partnerInstalls}, "partner switches": {6, w.partnerSwitches},
		"partner drops": {4, w.partnerDrops}, "partner says": {6, w.partnerSays}, "partner makes": {4, w.partnerMakes},
		"partner signs": {8, w.partnerSigns}, "partner ends": {6, w.partnerEnds},
	} {
		for i := range a.often {
			acts[fmt.Sprint(name, i)] = a.act
		}
	}
	return acts
}

// passes runs a pass of one scheduler. Programs do only what people have ordered.
func (w *world) passes(s *renewal.Scheduler) {
	w.was = w.read()
	report, err := s.Pass(context.Background())
	w.need(err)
	for _, did := range report.Done {
		w.step("%s: %s", did.Renewal, did.Text)
	}
	for _, alarm := range report.Alarms {
		w.step("alarm: %.200s", alarm.Text)
	}
	w.program(w.was, w.read())
	w.need(s.Release(context.Background()))
}

// wait lets time pass.
func (w *world) wait(d time.Duration) { w.now, w.ran = w.now.Add(d), w.ran+d }

func (w *world) pass(rt *rapid.T) {
	w.step("a pass")
	w.passes(rapid.SampledFrom([]*renewal.Scheduler{w.schedule, w.second}).Draw(rt, "scheduler"))
}

// tick is a minute or some in which all is well with every node that reaches the database.
func (w *world) tick(rt *rapid.T) {
	w.wait(time.Duration(rapid.IntRange(1, 12).Draw(rt, "minutes")) * time.Minute)
	w.step("tick")
	w.fresh()
	w.passes(w.schedule)
}

// fresh lets each node that reaches the database read its lanes and report itself.
func (w *world) fresh() {
	for _, n := range w.nodes {
		if n.reaches() {
			n.refresh()
			n.report()
		}
	}
}

// timeComes lets the time pass until what was ordered is due, or some minutes longer.
func (w *world) timeComes(rt *rapid.T) {
	n := w.anOpen(rt, func(n registry.Renewal) bool {
		return n.Order != nil && n.Order.At.After(w.now) && n.Activated == 0
	})
	w.wait(n.Order.At.Sub(w.now) + time.Duration(rapid.IntRange(0, 2).Draw(rt, "minutes"))*time.Minute)
	w.step("the time of the order of %s comes", n.Successor)
	w.fresh()
	w.passes(w.schedule)
}

func (w *world) hours(rt *rapid.T) {
	w.wait(time.Duration(rapid.IntRange(1, 30).Draw(rt, "hours")) * time.Hour)
	w.step("hours pass")
}

// days are some on which the uses of keys are counted, if every node does so.
func (w *world) days(rt *rapid.T) {
	n := rapid.IntRange(1, 8).Draw(rt, "days")
	var watched []time.Time
	for range n {
		w.wait(24 * time.Hour)
		counted, some := true, false
		for _, node := range w.nodes {
			counted, some = counted && (!node.serving() || node.reaches()), some || node.reaches()
			if node.reaches() {
				node.refresh()
			}
		}
		w.talk()
		if !counted || !some || len(w.bad) > 0 { // without an active key nothing is sent that could show a use
			continue
		}
		watched = append(watched, w.now)
		w.watched = append(w.watched, day(w.now))
	}
	w.need(w.Store.Update(context.Background(), func(tx registry.Tx) error {
		for _, at := range watched {
			if err := tx.Observe(at, 24*time.Hour); err != nil {
				return err
			}
		}
		return nil
	}))
	w.step("%d days pass", n)
	w.fresh()
	w.passes(w.schedule)
}

// clock sets the clock of all computers wrong for a while: nothing ends by that.
func (w *world) clock(rt *rapid.T) {
	once(rt, 3)
	by := rapid.SampledFrom([]time.Duration{
		time.Hour, -time.Hour, 2 * 365 * 24 * time.Hour, -2 * 365 * 24 * time.Hour, 36 * time.Hour, -36 * time.Hour,
	}).Draw(rt, "by")
	w.passes(w.schedule) // what was due before
	w.passes(w.second)
	before, now := w.read(), w.now
	w.now = w.now.Add(by)
	w.step("the clock is set by %s", by)
	w.fresh()
	w.passes(w.schedule)
	w.passes(w.second)
	after := w.read()
	for id, state := range after.states() {
		was := before.states()[id]
		if was != state && (state == registry.Retired || state == registry.Destroyed) {
			w.fail("I11: the clock was set by %s, and %s is %s, and was %s", by, id, state, was)
		}
		if was != state && state == registry.Expired {
			w.expired = true
		}
	}
	w.now = now
	w.wait(time.Minute)
	w.step("the clock is right again")
	w.fresh()
	w.passes(w.schedule)
}

// nodeActs lets one node read its lanes, or report itself, or both.
func (w *world) nodeActs(rt *rapid.T) {
	n := rapid.SampledFrom(w.nodes[:]).Draw(rt, "node")
	if !n.reaches() {
		skip()
	}
	what := rapid.IntRange(1, 3).Draw(rt, "reads 1, reports 2, both 3")
	if !n.serving() { // it reports itself before it serves again
		what = 3
	}
	if what&1 != 0 {
		n.refresh()
	}
	if what&2 != 0 {
		n.report()
	}
	w.step("node %s: %d", n.name, what)
}

func (w *world) nodeEnds(rt *rapid.T) {
	n := rapid.SampledFrom(w.nodes[:]).Draw(rt, "node")
	if !n.up {
		skip()
	}
	switch rapid.SampledFrom([]string{"dies", "is cut off", "signs off"}).Draw(rt, "how") {
	case "dies":
		n.up = false
		w.step("node %s dies", n.name)
	case "is cut off":
		n.cut = true
		w.step("node %s is cut off", n.name)
	case "signs off":
		if n.cut {
			skip()
		}
		n.signOff()
		w.step("node %s signs off", n.name)
	}
}

func (w *world) nodeBegins(rt *rapid.T) {
	n := rapid.SampledFrom(w.nodes[:]).Draw(rt, "node")
	switch {
	case n.up && n.cut:
		n.cut = false
		w.step("node %s reaches the database again", n.name)
	case !n.up:
		n.start()
		w.step("node %s begins", n.name)
	default:
		skip()
	}
}
