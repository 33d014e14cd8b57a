package todo

import (
	"cmp"
	"fmt"
	"slices"
	"time"

	"github.com/sealane/sealane/internal/exchange"
	"github.com/sealane/sealane/internal/registry"
)

// renewals are those that are open and not in the list with the key that ends. One whose certificate
// the partner has is among the offers.
func (l *look) renewals() error {
	for _, step := range registry.RenewalSteps() {
		if step.Closed() {
			continue
		}
		q := registry.ConcernQuery{Concern: registry.ConcernRenewal, Step: step}
		err := l.rows(Renewal, q, func(of registry.Concerned) (Item, error) {
			if l.listed[of.ID] {
				return Item{}, errNone
			}
			n, err := l.tx.Renewal(of.ID)
			if err == nil && (n.Step != step || !n.NeedsSomebody()) {
				err = errNone
			}
			if err != nil {
				return Item{}, err
			}
			return l.ofRenewal(n)
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// ofRenewal returns the item of a renewal by itself.
func (l *look) ofRenewal(n registry.Renewal) (Item, error) {
	i := Item{ID: n.ID, Partner: n.Partner, Environment: n.Environment, Owner: n.Owner}
	c, err := registry.CertificateOfKey(l.tx, n.Leg, n.Replaces)
	if err != nil {
		return i, err
	}
	if n.Activated == 0 { // else it is the successor's end that matters
		i.Ends = c.EndOfUse()
		i.Text = n.Replaces + " is used, " + whenEnds(i.Ends, l.now)
		i.Urgent = i.Ends.Sub(l.now) < soon
	} else {
		i.Text = n.Successor + " is used, and " + n.Replaces + " still counts"
	}
	return l.inRenewal(i, n)
}

// inRenewal completes an item with the renewal that it is about.
func (l *look) inRenewal(i Item, n registry.Renewal) (Item, error) {
	next, _, err := l.renewing.Next(n)
	if err != nil {
		return i, err
	}
	i.Renewal, i.Step, i.Next = n.ID, n.Step, next
	i.Since = n.Created
	if k := len(n.Evidence); k > 0 {
		i.Since = n.Evidence[k-1].At
	}
	if n.Hold != nil {
		i.Since = n.Hold.At
	}
	overdue := !n.RespondBy.IsZero() && n.Activated == 0 && !l.now.Before(n.RespondBy)
	i.Urgent = i.Urgent || overdue || n.Revoked != 0 && n.Successor == ""
	return i, nil
}

// requests are the acts that wait for a second person, and those that were granted and not done yet.
func (l *look) requests() error {
	open, damaged, err := registry.Readable(l.tx.Requests(registry.RequestQuery{
		States: []registry.RequestState{registry.RequestOpen, registry.RequestGranted},
		Page:   registry.Page{Limit: 1000},
	}))
	if err != nil {
		return err
	}
	for _, row := range damaged {
		l.damaged(row)
	}
	open = slices.DeleteFunc(open, func(r registry.Request) bool {
		return !l.now.Before(r.Ends) || l.Partner != "" && r.Partner != l.Partner || l.listed[r.ID+"/"+r.Partner]
	})
	slices.SortFunc(open, func(a, b registry.Request) int {
		return cmp.Or(a.Ends.Compare(b.Ends), cmp.Compare(a.ID, b.ID))
	})
	for _, r := range open[:min(len(open), l.Limit)] {
		l.add(ofRequest(r, l.now))
	}
	if n := len(open) - l.Limit; n > 0 {
		l.rest = append(l.rest, Rest{Kind: Request, Count: n})
	}
	return nil
}

func ofRequest(r registry.Request, now time.Time) Item {
	i := Item{
		Kind: Request, ID: r.ID, Partner: r.Partner, Environment: r.Environment, Since: r.Created, Ends: r.Ends,
		Text: fmt.Sprintf("%s asks for %s of %s: %s", r.By, r.Action, r.Subject, r.Why),
		Next: exchange.Next{
			Text: "somebody else approves or rejects it", Waits: exchange.WaitsForSecond,
			Advice: registry.Advice{Action: registry.ActionRequestApprove, ID: r.ID},
		},
	}
	i.Urgent = r.Ends.Sub(now) < 24*time.Hour
	if r.State == registry.RequestGranted {
		i.Next = exchange.Next{Text: r.By + " does it again: it is granted once", Waits: exchange.WaitsForUs}
		i.Urgent = false
	}
	return i
}

// offers are certificates of ours that partners have, and have not confirmed.
func (l *look) offers() error {
	q := registry.ConcernQuery{Concern: registry.ConcernOffer}
	return l.rows(Offer, q, func(of registry.Concerned) (Item, error) {
		k, err := l.tx.KeyPair(of.ID)
		if err != nil {
			return Item{}, err
		}
		offers, _, err := registry.Readable(l.tx.Offers(of.Partner))
		if err != nil {
			return Item{}, err
		}
		at := slices.IndexFunc(offers, func(o registry.Offer) bool { return o.KeyPair == of.ID })
		if at < 0 {
			return Item{}, errNone
		}
		i := Item{
			ID: k.ID, Partner: of.Partner, Environment: k.Environment, Owner: registry.Ours, Since: offers[at].At,
			Text: "our certificate was offered, and the partner has not said that it is installed",
		}
		if !offers[at].Installed.IsZero() {
			i.Text, i.Since = "the partner has installed our certificate, and it is not active", offers[at].Installed
		}
		i.Next, err = l.standing(i)
		return i, err
	})
}

// standing returns what comes next for the key of an item.
func (l *look) standing(i Item) (exchange.Next, error) {
	all, err := l.lane(i.Partner, i.Environment)
	if err != nil {
		return exchange.Next{}, err
	}
	for _, s := range all {
		if cmp.Or(s.KeyPair, s.Certificate) == i.ID {
			return s.Next, nil
		}
	}
	return exchange.Next{}, errNone
}
