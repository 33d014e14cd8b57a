package todo

import (
	"errors"
	"fmt"
	"time"

	"github.com/sealane/sealane/internal/exchange"
	"github.com/sealane/sealane/internal/registry"
	"github.com/sealane/sealane/internal/renewal"
	"github.com/sealane/sealane/internal/termtext"
)

// alarms are the doubts about keys in use.
func (l *look) alarms() error {
	err := l.rows(Alarm, registry.ConcernQuery{Concern: registry.ConcernTheirAlarm}, l.theirAlarm)
	if err != nil {
		return err
	}
	return l.rows(Alarm, registry.ConcernQuery{Concern: registry.ConcernOurAlarm}, l.ourAlarm)
}

func (l *look) theirAlarm(of registry.Concerned) (Item, error) {
	c, err := l.tx.Certificate(of.ID)
	if err == nil && (c.Alarm == nil || !c.State.InUse()) {
		err = errNone
	}
	if err != nil {
		return Item{}, err
	}
	i := about(c, c.ID)
	i.Text, i.Since, i.Urgent = c.Alarm.What, c.Alarm.At, true
	i.Next = exchange.NextOfAlarm(c.Alarm, c.ID, c.Partner, c.Environment)
	return i, nil
}

func (l *look) ourAlarm(of registry.Concerned) (Item, error) {
	k, err := l.tx.KeyPair(of.ID)
	if err == nil && (k.Alarm == nil || !k.State.InUse()) {
		err = errNone
	}
	if err != nil {
		return Item{}, err
	}
	return Item{
		ID: k.ID, Partner: k.Partner, Environment: k.Environment, Owner: registry.Ours, Text: k.Alarm.What,
		Since: k.Alarm.At, Urgent: true, Next: exchange.NextOfAlarm(k.Alarm, k.ID, k.Partner, k.Environment),
	}, nil
}

// about returns an item about a certificate, or about the key pair that it is of.
func about(c registry.Certificate, id string) Item {
	return Item{
		ID: id, Partner: c.Partner, Environment: c.Environment, Owner: c.Owner, Ends: c.EndOfUse(), Since: c.Changed,
	}
}

// ends are the keys whose use ends.
func (l *look) ends() error {
	until := l.now.AddDate(0, 0, l.Days)
	q := registry.ConcernQuery{Concern: registry.ConcernEnds, Before: until}
	return l.rows(Ends, q, func(of registry.Concerned) (Item, error) {
		c, err := l.tx.Certificate(of.ID)
		used := c.State == registry.Active || c.State == registry.Staged
		if err == nil && (!used || !c.EndOfUse().Before(until)) {
			err = errNone
		}
		if err != nil {
			return Item{}, err
		}
		return l.ending(c)
	})
}

// soon is how long before the end of a key somebody must look at it, whatever goes on.
const soon = registry.RespondDays * 24 * time.Hour

// ending returns the item of a key whose use ends: with its renewal, or when that begins.
func (l *look) ending(c registry.Certificate) (Item, error) {
	id := c.ID
	if c.Owner == registry.Ours {
		id = c.KeyPair
	}
	i := about(c, id)
	i.Urgent = i.Ends.Sub(l.now) < soon
	i.Text = fmt.Sprintf("%s %s", c.State, whenEnds(i.Ends, l.now))
	leg := registry.Leg{Owner: c.Owner, Partner: c.Partner, Profile: c.Profile, Environment: c.Environment}
	n, err := l.tx.OpenRenewal(leg)
	if err == nil && (n.Replaces == id || n.Successor == id) {
		return l.inRenewal(i, n)
	}
	if err != nil && !errors.Is(err, registry.ErrNotFound) {
		return i, err
	}
	if c.State == registry.Staged {
		i.Next = exchange.Next{
			Text: "it is not used yet: exchange one that is valid for longer", Waits: exchange.WaitsForUs,
		}
		return i, nil
	}
	return l.unrenewed(i, c)
}

// unrenewed says when the renewal of a key begins, or that it should have.
func (l *look) unrenewed(i Item, c registry.Certificate) (Item, error) {
	var rotation registry.Rotation
	if c.Partner != "" {
		env, err := l.tx.Environment(c.Partner, c.Environment)
		if err != nil {
			return i, err
		}
		rotation = env.Rotation
	}
	due := c.Due(rotation)
	if l.now.Before(due) {
		i.Next = exchange.Next{
			Text: "its renewal begins on " + due.Format(time.DateOnly), Waits: exchange.WaitsForSchedule,
		}
		return i, nil
	}
	if l.now.Sub(due) > renewal.Patience {
		i.Kind, i.Urgent = Unwatched, true
	}
	i.Text += "; no renewal has begun"
	i.Next = exchange.NextOfDue(c.Owner, c.Partner, c.Environment, due)
	return i, nil
}

// whenEnds says when something ends or has ended.
func whenEnds(end, now time.Time) string {
	on := end.UTC().Format("2006-01-02 15:04 UTC")
	days := daysLeft(end, now)
	switch {
	case days == -1:
		return "and its use ended on " + on + ", within the last day"
	case end.Before(now):
		return fmt.Sprintf("and its use ended on %s, %s ago", on, termtext.Counted(-days-1, "day"))
	case days == 0:
		return "and its use ends on " + on + ", within a day"
	}
	return fmt.Sprintf("and its use ends on %s, in %s", on, termtext.Counted(days, "day"))
}

// incoming are certificates on their way in that have no part in a renewal.
func (l *look) incoming() error {
	q := registry.ConcernQuery{Concern: registry.ConcernIncoming}
	return l.rows(Incoming, q, func(of registry.Concerned) (Item, error) {
		c, err := l.tx.Certificate(of.ID)
		if err == nil && !c.State.Open() {
			err = errNone
		}
		if err != nil {
			return Item{}, err
		}
		i := about(c, c.ID)
		i.Ends, i.Text = c.NotAfter, string(c.State)
		if i.Next, err = l.nextOfTheirs(c); c.NotAfter.Before(l.now) {
			i.Text += ", and it has expired"
			i.Next = exchange.Next{
				Text: "reject it, and ask for another", Waits: exchange.WaitsForUs, Advice: rejectAdvice(c),
			}
		}
		return i, err
	})
}

func rejectAdvice(c registry.Certificate) registry.Advice {
	return registry.Advice{
		Action: registry.ActionExchangeReject, ID: c.ID, Partner: c.Partner, Environment: c.Environment,
		Needs: []registry.Need{registry.Reason},
	}
}

// nextOfTheirs returns what comes next for a partner's certificate.
func (l *look) nextOfTheirs(c registry.Certificate) (exchange.Next, error) {
	prof, err := registry.LoadProfile(l.tx, c.Profile)
	if err != nil {
		return exchange.Next{}, err
	}
	env, err := l.tx.Environment(c.Partner, c.Environment)
	return exchange.NextOf(c, env, prof), err
}

// mismatches are certificates with a checksum or answer that was wrong.
func (l *look) mismatches() error {
	q := registry.ConcernQuery{Concern: registry.ConcernMismatch}
	return l.rows(Mismatch, q, func(of registry.Concerned) (Item, error) {
		c, err := l.tx.Certificate(of.ID)
		wrong := c.Provenance.Mismatches
		if err == nil && (len(wrong) == 0 || !c.State.Open() && !c.State.InUse()) {
			err = errNone
		}
		if err != nil {
			return Item{}, err
		}
		last := wrong[len(wrong)-1]
		i := about(c, c.ID)
		i.Since = last.At
		i.Text = fmt.Sprintf("%s; it did not match %s, the last time for %s: %s", c.State,
			termtext.Counted(len(wrong), "time"), last.By, last.What)
		i.Next = exchange.Next{
			Text: "it was put to use since: look whether that was right", Waits: exchange.WaitsForNobody,
		}
		if c.State.Open() {
			i.Urgent = c.State == registry.Received
			i.Next = exchange.Next{
				Text:  "call the partner at a number that you knew before; compare the right checksum, or reject it",
				Waits: exchange.WaitsForUs, Advice: rejectAdvice(c),
			}
		}
		return i, nil
	})
}

// waivers are certificates for which a rule does not count.
func (l *look) waivers() error {
	q := registry.ConcernQuery{Concern: registry.ConcernWaiver}
	return l.rows(Waiver, q, func(of registry.Concerned) (Item, error) {
		c, err := l.tx.Certificate(of.ID)
		if err == nil && (len(c.Provenance.Waivers) == 0 || !c.State.Open() && !c.State.InUse()) {
			err = errNone
		}
		if err != nil {
			return Item{}, err
		}
		i := about(c, c.ID)
		i.Text = fmt.Sprintf("%s; it ends with the certificate on %s", c.State, i.Ends.UTC().Format(time.DateOnly))
		i.Next = exchange.Next{Text: "have the certificate replaced", Waits: exchange.WaitsForNobody}
		for n, w := range c.Provenance.Waivers {
			if n == 0 || w.At.Before(i.Since) {
				i.Since = w.At
			}
			granted := "granted by " + w.Granted
			if w.Granted == "" {
				granted = "not granted yet"
				i.Next, err = l.nextOfTheirs(c)
			}
			i.Text += fmt.Sprintf("; rule %s does not count: %s (asked by %s, %s)", w.Rule, w.Reason, w.Asked, granted)
		}
		return i, err
	})
}
