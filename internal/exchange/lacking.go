package exchange

import (
	"github.com/sealane/sealane/internal/registry"
)

// withoutActive returns what comes next for a pair of ours in a lane that has no active one. used
// are those that it has.
func withoutActive(next Next, p registry.Partner, k registry.KeyPair, used []registry.KeyPair) Next {
	const none = "no active key: "
	switch {
	case k.State == registry.Retiring && k.Alarm == nil:
		again := registry.Advice{Action: registry.ActionKeyInstalled, ID: k.ID, Environment: k.Environment}
		if k.Partner == "" {
			again.Partner = p.ID
		}
		return Next{none + "if the partner uses this one again, record that; otherwise offer a new one", again,
			WaitsForUs}
	case k.State.InUse():
		return next
	case len(used) > 0: // it says by itself what comes next
		return Next{Text: none + "go on with " + used[0].ID, Waits: WaitsForNobody}
	}
	return Next{none + "offer a new one", offerAdvice(p.ID, k.Environment), WaitsForUs}
}

// withoutTheirs returns what comes next for a partner's certificate, which is retiring or has
// ended, in a lane that has no active one.
func withoutTheirs(c registry.Certificate, all []registry.Certificate) Next {
	const none = "no active certificate: "
	next := registry.Advice{Partner: c.Partner, Environment: c.Environment}
	if c.State == registry.Retiring {
		next.Action, next.ID = registry.ActionExchangeActivate, c.ID
		return Next{none + "put this one to use again, or exchange a new one", next, WaitsForUs}
	}
	for _, o := range all {
		if o.State.Open() || o.State.InUse() { // it says by itself what comes next
			return Next{Text: none + "go on with " + o.ID, Waits: WaitsForNobody}
		}
	}
	next.Action = registry.ActionExchangeReceive
	return Next{none + "ask for a new one, and receive it", next, c.Partner}
}

// lastEnded returns the pair of ours that ended last in the lanes with a partner, of those that the
// partner had installed: its own, or a shared one. There may be none.
func lastEnded(
	tx registry.Reader, p registry.Partner, environment string, offers []registry.Offer,
) (last []registry.KeyPair, err error) {
	for _, o := range offers {
		if o.Confirmed.IsZero() {
			continue
		}
		k, err := tx.KeyPair(o.KeyPair)
		if err != nil {
			return nil, err
		}
		ended := k.Profile == p.Profile && k.Environment == environment && !k.State.InUse()
		if ended && (last == nil || k.Changed.After(last[0].Changed)) {
			last = []registry.KeyPair{k}
		}
	}
	return last, nil
}
