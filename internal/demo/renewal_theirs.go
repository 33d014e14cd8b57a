package demo

import (
	"time"

	"github.com/sealane/sealane"
	"github.com/sealane/sealane/internal/registry"
)

// theirs plays the renewal of the partner's certificate.
func (p *play) theirs(l *leg) {
	p.silence(l)
	p.answer(l)
	p.activated(l)
	p.overlap(l)
	p.quiet(l.nextCertificate)
	p.retired(l.certificate, "two people retire the old certificate",
		exchanged{theirSecond, ourFirst, ourFirst, theirSecond})
	p.refused(l, sealane.ErrSignature)
	p.after(0, "acme retires its old pair", func(n *notes) error {
		if err := p.them.retire(l.pair); err != nil {
			return err
		}
		return wantState(n, p.them, l.pair, "the old pair", registry.Retired)
	})
	p.destroyed(p.them, l.pair)
}

// silence is the time in which the partner does not answer.
func (p *play) silence(l *leg) {
	p.part("The certificate of acme ends on " + l.end.Format("2 January 2006, 15:04 UTC"))
	const ask = "please send us the next"
	p.notice(l, 120, "are the contacts of acme right?", expected{primary, "confirm your contacts"})
	p.notice(l, 75, "acme is asked for its next", expected{primary, ask})
	p.notice(l, 60, "no answer, a reminder", expected{primary, ask})
	p.notice(l, 45, "the alternate contact is asked, too", expected{alternate, ask})
	p.notice(l, 30, "all are asked, and our people told", expected{primary, ask},
		expected{alternate, ask}, expected{support, ask}, expected{operations, "No answer from acme"})
}

// answer is the partner's next certificate.
func (p *play) answer(l *leg) {
	p.on(l.before(26), "acme answers: a new key, and its certificate", func(n *notes) (err error) {
		if l.nextPair, err = p.make(n, p.them, theirSecond, 2, true); err != nil {
			return err
		}
		if err := p.minutes(); err != nil { // acme's gateway loads it before the certificate leaves
			return err
		}
		if l.nextCertificate, err = p.send(n, l.nextPair, p.them, p.us); err != nil {
			return err
		}
		return wantStep(n, p.us, l.nextCertificate, registry.RenewalApproved)
	})
	p.after(0, "our gateway accepts it; the next step is ours", func(n *notes) error {
		if err := p.minutes(); err != nil {
			return err
		}
		if _, err := p.mails(n, expected{operations, "its renewal is not finished"}); err != nil {
			return err
		}
		return wantStep(n, p.us, l.nextCertificate, registry.RenewalLoaded)
	})
	p.after(0, "acme goes on with its old key", func(n *notes) error {
		return p.message(n, nil, exchanged{theirFirst, ourFirst, ourFirst, theirFirst})
	})
}

// activated is the night in which we begin to use the partner's next certificate.
func (p *play) activated(l *leg) {
	night := p.clock.Truncate(day).Add(day + 2*time.Hour)
	p.ordered(l.nextCertificate, night)
	p.on(night, "the schedule activates it, and acme is told", func(n *notes) error {
		if err := wantState(n, p.us, l.nextCertificate, "the new certificate", registry.Active); err != nil {
			return err
		}
		if err := wantState(n, p.us, l.certificate, "the old one", registry.Retiring); err != nil {
			return err
		}
		if err := p.minutes(); err != nil {
			return err
		}
		_, err := p.mails(n, expected{primary, "is in use"})
		return err
	})
}

// overlap is the time in which both certificates of the partner count.
func (p *play) overlap(l *leg) {
	p.after(0, "overlap: acme still signs by its old key", func(n *notes) (err error) {
		if l.behind, err = p.them.lane(); err != nil {
			return err
		}
		return p.message(n, nil, exchanged{theirFirst, ourFirst, ourFirst, theirFirst})
	})
	p.after(day, "acme has read the mail, and changes to its new key", func(n *notes) error {
		if err := p.them.installed(l.nextPair, "the mail of company that it is in use"); err != nil {
			return err
		}
		if err := p.them.order(l.nextPair, time.Time{}); err != nil {
			return err
		}
		if err := p.minutes(); err != nil {
			return err
		}
		return wantState(n, p.them, l.nextPair, theirSecond, registry.Active)
	})
	p.after(0, "overlap: the new key, and a machine with the old", func(n *notes) error {
		if err := p.message(n, nil, exchanged{theirSecond, ourFirst, ourFirst, theirSecond}); err != nil {
			return err
		}
		return p.message(n, l.behind, exchanged{theirFirst, ourFirst, ourFirst, theirFirst})
	})
}
