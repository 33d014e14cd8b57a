package renewal

import (
	"slices"
	"strings"
	"time"

	"github.com/sealane/sealane/internal/countdown"
	"github.com/sealane/sealane/internal/registry"
)

// How many days before the end the next people are written to, where a partner does not answer.
const (
	alternateDay = 45 // also the alternate contacts
	supportDay   = 30 // also the support contacts, and our own people
	callDay      = 14 // our own people telephone
	dailyDay     = 7  // and are reminded each day
)

// restart is how long a new contact has, before the next people are written to.
const restart = 3 * 24 * time.Hour

// Why is the reason why a renewal has the notices that it has, or none.
type Why string

// The reasons.
const (
	WhyDue        Why = "a notice is due"
	WhyEarly      Why = "no notice is due yet"
	WhyClosed     Why = "the renewal has ended"
	WhyInstalled  Why = "the successor is confirmed and in use"
	WhyOverlap    Why = "the overlap has ended, and the old key still counts: our own people are told"
	WhyAck        Why = "the notices were acknowledged"
	WhyArchived   Why = "the partner is archived"
	WhyOurTurn    Why = "the next step is ours: our own people are told"
	WhyHeld       Why = "the renewal is held: our own people are told"
	WhyNoContact  Why = "the partner has no contact to whom mails can be delivered: our own people are told"
	WhyNobodyOurs Why = "no address of our own people is known"
)

// noticed is a renewal with all that its notices depend on.
type noticed struct {
	registry.Renewal
	env         registry.Environment // the zero value for a pair that partners share
	archived    bool
	certificate registry.Certificate // that ends
	ours        []string             // addresses of our own people
	webhook     bool                 // a program of ours is told, too
	there       []registry.Notice    // about the certificate
}

// plan is which notices of a renewal should be there at a time.
type plan struct {
	why     Why
	notices []registry.Notice
	next    time.Time // when this may change
}

// end returns when the key that ends must have been replaced.
func (n noticed) end() time.Time { return n.certificate.EndOfUse() }

// audience returns to whom notices of a renewal go at its step: the kind of those to the partner, or
// none if the next step is ours.
func (n noticed) audience(now time.Time) (kind registry.NoticeKind, why Why) {
	mailed := n.Mail != nil && !n.Mail.Sent.IsZero()
	switch {
	case n.Step.Closed():
		return "", WhyClosed
	case n.archived:
		return "", WhyArchived
	case n.Hold != nil:
		return registry.NoticeInternal, WhyHeld
	case n.Activated != 0 && now.After(n.OverlapUntil): // the renewal of the successor can't begin
		return registry.NoticeInternal, WhyOverlap
	case n.Activated != 0 && (n.Owner == registry.Ours || mailed):
		return "", WhyInstalled
	case !waitsForPartner(n.Renewal):
		return registry.NoticeInternal, WhyOurTurn
	case n.Owner == registry.Theirs:
		return registry.NoticeTheirs, WhyDue
	}
	return registry.NoticeOurs, WhyDue
}

// plan returns the notices that should be there. It is the only place that decides so.
func (n noticed) plan(now time.Time) plan {
	kind, why := n.audience(now)
	if kind == "" {
		return plan{why: why, next: now.AddDate(100, 0, 0)}
	}
	days, end := n.env.Rotation.NoticeSchedule(), n.end()
	p := plan{why: why, next: countdown.Next(days, end, now)}
	p.at(now, registry.DaysBefore(end, registry.NoticeAsked).Add(time.Second)) // when a first notice is late
	day, due := countdown.Day(days, end, now)
	if !due && n.Revoked != 0 {
		day, due = days[0], true
	}
	if n.acknowledged(day, days, now) {
		p.why = WhyAck
		p.at(now, n.Ack.Until, registry.DaysBefore(end, lastTwo(days)))
		return p
	}
	if !due {
		p.why = WhyEarly
		return p
	}
	if kind == registry.NoticeInternal {
		n.internal(&p, kind, day)
		return p
	}
	n.toPartner(&p, kind, day, now)
	return p
}

// at brings the time of the next look forward to the first of some instants that are to come.
func (p *plan) at(now time.Time, instants ...time.Time) {
	for _, at := range instants {
		if at.After(now) && at.Before(p.next) {
			p.next = at
		}
	}
}

// lastTwo returns the day from which on notices are sent although they were acknowledged.
func lastTwo(days []int) int {
	before := days[:len(days)-1] // the last is the day of the end
	return before[max(0, len(before)-2)]
}

func (n noticed) acknowledged(day int, days []int, now time.Time) bool {
	return n.Ack != nil && now.Before(n.Ack.Until) && day > lastTwo(days)
}

// internal plans a notice to our own people.
func (n noticed) internal(p *plan, kind registry.NoticeKind, day int) {
	if len(n.ours) == 0 {
		p.why = WhyNobodyOurs
	}
	for _, to := range n.ours {
		n.add(p, kind, day, to)
	}
	if n.webhook {
		n.add(p, kind, day, registry.ToWebhook)
	}
}

// toPartner plans the notices to a partner's contacts, and to our own people where they don't answer.
func (n noticed) toPartner(p *plan, kind registry.NoticeKind, day int, now time.Time) {
	end := n.end()
	level := 0
	for i, after := range []int{alternateDay, supportDay, callDay} {
		at := registry.DaysBefore(end, after)
		restarted := n.env.Contacted.Add(time.Duration(i+1) * restart)
		if n.env.ContactRound > 0 && restarted.After(at) {
			at = restarted
		}
		if last := registry.DaysBefore(end, dailyDay); at.After(last) {
			at = last
		}
		if p.at(now, at); !now.Before(at) {
			level = i + 1
		}
	}
	to, failed := n.recipients(level, kind, day)
	for _, address := range to {
		n.add(p, kind, day, address)
	}
	if n.webhook {
		n.add(p, kind, day, registry.ToWebhook)
	}
	switch {
	case level == 3:
		daily := []int{callDay, 7, 6, 5, 4, 3, 2, 1, 0}
		called, due := countdown.Day(daily, end, now)
		if !due {
			called = callDay
		}
		p.at(now, countdown.Next(daily, end, now))
		n.internal(p, registry.NoticeCall, called)
	case level == 2 || failed || len(to) == 0:
		n.internal(p, registry.NoticeEscalation, day)
	}
	if len(to) == 0 {
		p.why = WhyNoContact
	}
}

// recipients returns the addresses of a partner's contacts at a level of escalation, each once, and reports
// whether this notice was refused for one of them. Those are left out, and the next role takes its
// place. The next notice tries the address again: the server may have been wrong, or not the address.
func (n noticed) recipients(level int, kind registry.NoticeKind, day int) (to []string, failed bool) {
	roles := []registry.ContactRole{registry.Primary, registry.Alternate, registry.Support}
	for i, role := range roles {
		if i > level && len(to) > 0 {
			break
		}
		for _, c := range n.env.Contacts {
			if c.Role != role || c.Email == "" {
				continue
			}
			if n.refused(c.Email, kind, day) {
				failed = true
				continue
			}
			if !slices.ContainsFunc(to, func(o string) bool { return strings.EqualFold(o, c.Email) }) {
				to = append(to, c.Email)
			}
		}
	}
	return to, failed
}

// refused reports whether the notice of a day to an address was refused for good, or came back.
func (n noticed) refused(address string, kind registry.NoticeKind, day int) bool {
	return slices.ContainsFunc(n.there, func(o registry.Notice) bool {
		return o.Outcome == registry.NoticeRefused && o.Kind == kind && o.Days == day &&
			o.Round == n.env.ContactRound && strings.EqualFold(o.To, address)
	})
}

// add adds a notice, unless a mail server has accepted it before. The renewal knows that also where the
// notices were lost with a database.
func (n noticed) add(p *plan, kind registry.NoticeKind, day int, to string) {
	accepted := slices.ContainsFunc(n.Notices, func(o registry.RenewalNotice) bool {
		return o.Kind == kind && o.Days == day && o.Round == n.env.ContactRound && strings.EqualFold(o.To, to)
	})
	if accepted {
		return
	}
	p.notices = append(p.notices, registry.Notice{
		Certificate: n.certificate.ID, Kind: kind, Days: day, To: to, Round: n.env.ContactRound,
		Renewal: n.ID, Partner: n.Partner, Environment: n.Environment,
	})
}

// late reports whether the partner was not told that a key ends, although that is nearer than the vendor's
// specification allows.
func (n noticed) late(now time.Time) bool {
	kind, _ := n.audience(now)
	switch {
	case kind == "" || !now.After(registry.DaysBefore(n.end(), registry.NoticeAsked)):
		return false
	case slices.ContainsFunc(n.Notices, registry.RenewalNotice.ToPartner):
		return false
	case n.Owner == registry.Theirs:
		return n.Successor == "" && n.AskedAt.IsZero()
	}
	return slices.Contains([]registry.RenewalStep{
		registry.RenewalDue, registry.RenewalStaged, registry.RenewalLoaded,
	}, n.Step)
}
