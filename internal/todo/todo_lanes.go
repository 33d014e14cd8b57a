package todo

import (
	"cmp"
	"fmt"
	"slices"
	"time"

	"github.com/sealane/sealane"
	"github.com/sealane/sealane/internal/exchange"
	"github.com/sealane/sealane/internal/lanes"
	"github.com/sealane/sealane/internal/registry"
	"github.com/sealane/sealane/internal/termtext"
)

// lane returns the standings of the keys of a lane.
func (l *look) lane(partner, environment string) ([]exchange.Standing, error) {
	return exchange.StatusAt(l.tx, lanes.Name{Partner: partner, Environment: environment}, l.now)
}

// lacking are the lanes without an active key of ours, and those without an active certificate of the
// partner.
func (l *look) lacking() error {
	ours, theirs, err := exchange.Needing(l.tx)
	if err != nil {
		return err
	}
	err = l.rows(NoOurs, registry.ConcernQuery{Concern: registry.ConcernNoOurs, Needing: ours},
		func(of registry.Concerned) (Item, error) {
			return l.without(of, registry.Ours, "no active key pair of ours", registry.ActionExchangeOffer)
		})
	if err != nil {
		return err
	}
	return l.rows(NoTheirs, registry.ConcernQuery{Concern: registry.ConcernNoTheirs, Needing: theirs},
		func(of registry.Concerned) (Item, error) {
			const text = "no active certificate of the partner"
			return l.without(of, registry.Theirs, text, registry.ActionExchangeReceive)
		})
}

// without returns the item of a lane that has no active key of a side. begin is the first act of an exchange.
func (l *look) without(of registry.Concerned, side registry.Owner, text string, begin registry.Action) (Item, error) {
	all, err := l.lane(of.Partner, of.Environment)
	if err != nil {
		return Item{}, err
	}
	i := Item{Partner: of.Partner, Environment: of.Environment, Owner: side, Text: text}
	var last *exchange.Standing // the one that says what comes next, or that was there last
	for n := range all {
		s := &all[n]
		if s.Owner != side || s.Damaged != "" {
			continue
		}
		if s.State == registry.Active {
			return i, errNone
		}
		if last == nil || before(last, s) {
			last = s
		}
	}
	if last != nil {
		i.ID, i.Since = cmp.Or(last.KeyPair, last.Certificate), last.Since
		i.Text += fmt.Sprintf(": %s is %s", i.ID, last.State)
		i.Urgent = !last.State.Open() && last.State != registry.Staged // messages were sealed by it
	}
	if last != nil && last.Next.Waits != exchange.WaitsForNobody {
		i.Next = last.Next
		return i, nil
	}
	i.Next = exchange.Next{
		Text: "offer one", Waits: exchange.WaitsForUs,
		Advice: registry.Advice{Action: begin, Partner: of.Partner, Environment: of.Environment},
	}
	if side == registry.Theirs {
		i.Next.Text, i.Next.Waits = "ask the partner for one, and receive it", of.Partner
	}
	return i, nil
}

// before reports whether b says more about a lane without an active key than a does.
func before(a, b *exchange.Standing) bool {
	nobody := func(s *exchange.Standing) int {
		if s.Next.Waits == exchange.WaitsForNobody {
			return 0
		}
		return 1
	}
	return cmp.Or(cmp.Compare(nobody(a), nobody(b)), a.Since.Compare(b.Since)) < 0
}

// contactAlarm is how long before the end of a key somebody at the partner must be known.
const contactAlarm = 120 * 24 * time.Hour

// contacts are the lanes without any contact: nobody at the partner hears that a key ends.
func (l *look) contacts() error {
	q := registry.ConcernQuery{Concern: registry.ConcernNoContact}
	return l.rows(NoContact, q, func(of registry.Concerned) (Item, error) {
		env, err := l.tx.Environment(of.Partner, of.Environment)
		if err == nil && len(env.Contacts) > 0 {
			err = errNone
		}
		if err != nil {
			return Item{}, err
		}
		i := Item{
			Partner: of.Partner, Environment: of.Environment, Since: env.Created, Text: "the lane has no contact",
			Next: exchange.Next{
				Text: "name one", Waits: exchange.WaitsForUs, Advice: registry.Advice{
					Action: registry.ActionContactSet, Partner: of.Partner, Environment: of.Environment,
				},
			},
		}
		all, err := l.lane(of.Partner, of.Environment)
		if err != nil {
			return i, err
		}
		all = slices.DeleteFunc(all, func(s exchange.Standing) bool { return s.State != registry.Active })
		for _, s := range all {
			i.Urgent = i.Urgent || s.NotAfter.Sub(l.now) < contactAlarm
		}
		if n := len(all); n > 0 {
			i.Text += ": nobody at the partner hears that a key ends (" + termtext.Counted(n, "active key") + ")"
		}
		return i, nil
	})
}

// loosened are the lanes in which a rule was loosened that messages depend on.
func (l *look) loosened() error {
	for _, one := range []struct {
		kind    Kind
		concern registry.Concern
		is      func(registry.Environment) bool
		text    func(registry.Environment) string
		remedy  string
	}{
		{Optional, registry.ConcernOptional,
			func(e registry.Environment) bool { return e.Sealing == sealane.SealingOptional },
			func(registry.Environment) string { return "unencrypted messages are accepted" },
			"require sealing when the partner is ready"},
		{NoCaller, registry.ConcernUnauthenticated,
			func(e registry.Environment) bool { return e.SenderAuth == sealane.SenderUnauthenticated },
			func(registry.Environment) string { return "the sender of unsigned messages is not authenticated" },
			"use mutual TLS"},
		{AcceptsSHA1, registry.ConcernSHA1,
			func(e registry.Environment) bool { return e.AcceptRSAOAEP != "" },
			func(e registry.Environment) string { return "OAEP with SHA-1 is accepted: " + e.AcceptRSAOAEP },
			"have the partner use SHA-256"},
	} {
		q := registry.ConcernQuery{Concern: one.concern}
		err := l.rows(one.kind, q, func(of registry.Concerned) (Item, error) {
			env, err := l.tx.Environment(of.Partner, of.Environment)
			if err == nil && !one.is(env) {
				err = errNone
			}
			return Item{
				Partner: of.Partner, Environment: of.Environment, Text: one.text(env),
				Next: exchange.Next{Text: one.remedy, Waits: exchange.WaitsForNobody},
			}, err
		})
		if err != nil {
			return err
		}
	}
	return nil
}
