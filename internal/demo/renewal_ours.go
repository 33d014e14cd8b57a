package demo

import (
	"fmt"
	"regexp"
	"time"

	"github.com/sealane/sealane"
	"github.com/sealane/sealane/internal/exchange"
	"github.com/sealane/sealane/internal/registry"
	"github.com/sealane/sealane/internal/renewal"
)

// ours plays the renewal of our own certificate.
func (p *play) ours(l *leg) {
	p.part("Our certificate ends on " + l.end.Format("2 January 2006, 15:04 UTC"))
	p.notice(l, 120, "are the contacts of acme right?", expected{primary, "confirm your contacts"})
	p.notice(l, 75, "our people must make the next", expected{operations, "our next must be made"})
	p.offered(l)
	const ask = "please install our next"
	p.notice(l, 60, "no answer, a reminder", expected{primary, ask})
	p.notice(l, 45, "the alternate contact is asked, too", expected{alternate, ask})
	p.confirmed(l)
	p.switched(l)
	p.quiet(l.nextPair)
	p.retired(l.pair, "two people retire our old pair", exchanged{theirSecond, ourSecond, ourSecond, theirSecond})
	p.refused(l, sealane.ErrDecryption)
	p.destroyed(p.us, l.pair)
}

// offered is our next certificate, and its checksum, on their way to the partner in two mails.
func (p *play) offered(l *leg) {
	p.on(l.before(70), "olga makes the next pair, and offers it", func(n *notes) (err error) {
		if l.nextPair, err = p.make(n, p.us, ourSecond, 2, true); err != nil {
			return err
		}
		if err := p.minutes(); err != nil { // our gateway loads it before the certificate leaves
			return err
		}
		target := exchange.Target{KeyPair: l.nextPair, Partner: "acme"}
		err = exchange.New(p.us.operator).Offer(p.ctx, target, func(exchange.OfferPackage) error { return nil })
		if err != nil {
			return err
		}
		for _, kind := range []registry.NoticeKind{registry.LetterOffer, registry.LetterChecksum} {
			letter := renewal.SendLetter{Kind: kind, ID: l.nextPair}
			if _, err := renewal.New(p.us.operator).SendLetter(p.ctx, letter); err != nil {
				return err
			}
			if err := p.minutes(); err != nil { // an offer and its checksum are two mails, one after the other
				return err
			}
		}
		came, err := p.mails(n, expected{primary, "PROD: our new certificate"},
			expected{primary, "the checksums of our new certificate"}, expected{primary, "please install our next"})
		if err != nil {
			return err
		}
		l.offer, l.checksum = came[0].data, octets.FindString(came[1].Text)
		return nil
	})
}

// confirmed is the partner's answer: it has installed our next certificate, from the mails.
func (p *play) confirmed(l *leg) {
	p.on(l.before(40), "acme lets it in, from our two mails, and tells us", func(n *notes) error {
		c, err := p.them.acceptCertificate(n, "company", l.offer, l.checksum)
		if err != nil {
			return err
		}
		l.nextCertificate = c.ID
		if err := p.minutes(); err != nil {
			return err
		}
		if err := p.us.installed(l.nextPair, "Omar Diaz, mail of "+p.clock.Format(time.DateOnly)); err != nil {
			return err
		}
		if _, err := p.mails(n); err != nil {
			return err
		}
		return wantStep(n, p.us, l.nextPair, registry.RenewalConfirmed)
	})
}

// switched is the time in which both of our key pairs count.
func (p *play) switched(l *leg) {
	p.after(0, "acme still encrypts to our old key", func(n *notes) (err error) {
		if l.behind, err = p.them.lane(); err != nil {
			return err
		}
		return p.message(n, nil, exchanged{theirSecond, ourFirst, ourFirst, theirSecond})
	})
	night := p.clock.Truncate(day).Add(day + 2*time.Hour)
	p.ordered(l.nextPair, night)
	p.on(night, "the schedule activates it", func(n *notes) error {
		if err := wantState(n, p.us, l.nextPair, "the new pair", registry.Active); err != nil {
			return err
		}
		if _, err := p.mails(n); err != nil {
			return err
		}
		return wantState(n, p.us, l.pair, "the old one", registry.Retiring)
	})
	p.after(0, "overlap: acme uses the old key; the answer follows", func(n *notes) error {
		return p.message(n, nil, exchanged{theirSecond, ourFirst, ourFirst, theirSecond})
	})
	p.after(day, "acme changes to our new certificate", func(n *notes) error {
		if err := p.them.order(l.nextCertificate, time.Time{}); err != nil {
			return err
		}
		if err := p.minutes(); err != nil {
			return err
		}
		return wantState(n, p.them, l.nextCertificate, "our new certificate", registry.Active)
	})
	p.after(0, "overlap: the new key, and a machine with the old", func(n *notes) error {
		if err := p.message(n, nil, exchanged{theirSecond, ourSecond, ourSecond, theirSecond}); err != nil {
			return err
		}
		return p.message(n, l.behind, exchanged{theirSecond, ourFirst, ourFirst, theirSecond})
	})
}

// notice is a step: some days before an end, people are told.
func (p *play) notice(l *leg, days int, text string, want ...expected) {
	p.on(l.before(days), fmt.Sprintf("%d days left: %s", days, text), func(n *notes) error {
		if p.stride = day; days > 75 {
			p.stride = week
		}
		_, err := p.mails(n, want...)
		return err
	})
}

// octets finds a SHA-256 checksum in a mail of ours.
var octets = regexp.MustCompile(`\b(?:[0-9A-F]{2}:){31}[0-9A-F]{2}\b`)
