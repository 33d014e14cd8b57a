package exchange

import (
	"cmp"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/sealane/sealane/internal/registry"
)

// Renewing says what comes next in renewals. What is about all of them it reads once.
type Renewing struct {
	tx  registry.Reader
	now time.Time
	// orders are the requests that wait for a second person to agree to an order, by their subjects; nil: they
	// were not read yet
	orders map[string]string
}

// NewRenewing returns a Renewing of one view of the registry.
func NewRenewing(tx registry.Reader, now time.Time) *Renewing { return &Renewing{tx: tx, now: now} }

// NextInRenewal returns what comes next in one renewal, and the nodes that may not have its last change.
func NextInRenewal(tx registry.Reader, n registry.Renewal, now time.Time) (Next, []string, error) {
	return NewRenewing(tx, now).Next(n)
}

// Next returns what comes next in a renewal, and the nodes that may not have its last change.
func (x *Renewing) Next(n registry.Renewal) (next Next, nodes []string, err error) {
	next = Next{Text: "nothing is left to do", Waits: WaitsForNobody}
	if n.Step.Closed() {
		return next, nil, nil
	}
	r := renewing{Renewal: n, tx: x.tx, now: x.now}
	if err := r.read(x.now); err != nil {
		return next, nil, err
	}
	if r.order == nil && r.Activated == 0 && r.env.ApprovalsNeeded() > 1 {
		if r.request, err = x.openOrder(n); err != nil {
			return next, nil, err
		}
	}
	if n.Hold != nil {
		text := fmt.Sprintf("%s holds it (%s): nothing moves until the hold ends", n.Hold.By, n.Hold.Reason)
		return Next{text, r.act(registry.ActionRenewalHold), WaitsForUs}, r.nodes, nil
	}
	next = r.next()
	if r.older != "" && (next.Waits == WaitsForNobody || next.Waits == WaitsForSchedule || r.blocked()) {
		next = Next{
			fmt.Sprintf("%s still counts from before %s, because a renewal was superseded: ask %s whether they use "+
				"it, and retire it when they don't", r.older, r.Replaces, r.Partner),
			r.on(r.older, registry.ActionExchangeRetire, registry.Reason), WaitsForUs,
		}
	}
	return next, r.nodes, nil
}

// openOrder returns the request that waits for a second person to agree to an order, or "".
func (x *Renewing) openOrder(n registry.Renewal) (string, error) {
	if x.orders == nil {
		requests, _, err := registry.Readable(x.tx.Requests(registry.RequestQuery{
			States: []registry.RequestState{registry.RequestOpen}, Page: all,
		}))
		if err != nil {
			return "", err
		}
		x.orders = map[string]string{}
		for _, one := range requests {
			if one.Action == registry.ActionRenewalOrder && x.now.Before(one.Ends) && x.orders[one.Subject] == "" {
				x.orders[one.Subject] = one.ID
			}
		}
	}
	return x.orders["renewal/"+n.ID], nil
}

// inRenewals sets what comes next for the keys of a partner's open renewals in an environment. Where no
// key is active, that is what is said first.
func inRenewals(tx registry.Reader, p registry.Partner, environment string, list []Standing, now time.Time) error {
	renewing := NewRenewing(tx, now)
	for _, owner := range []registry.Owner{registry.Ours, registry.Theirs} {
		active := func(s Standing) bool { return s.Owner == owner && s.State == registry.Active }
		if !slices.ContainsFunc(list, active) {
			continue
		}
		leg := registry.Leg{Owner: owner, Partner: p.ID, Profile: p.Profile, Environment: environment}
		n, err := tx.OpenRenewal(leg)
		var next Next
		if err == nil {
			next, _, err = renewing.Next(n)
		}
		if _, damaged := errors.AsType[*registry.DamagedRow](err); damaged || errors.Is(err, registry.ErrNotFound) {
			continue
		}
		if err != nil {
			return err
		}
		if n.Revoked != 0 && n.Successor == "" { // that no key is active says more
			continue
		}
		about := n.Replaces
		if n.Successor != "" && (n.Activated == 0 || next.Advice.Action == registry.ActionRenewalMail) {
			about = n.Successor
		}
		for i := range list {
			if s := &list[i]; cmp.Or(s.KeyPair, s.Certificate) == about && s.Alarm == nil && s.Damaged == "" {
				s.Next = next
			}
		}
	}
	return nil
}
