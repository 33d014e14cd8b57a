package demo

import (
	"crypto/rsa"
	"errors"
	"fmt"
	"time"

	"github.com/sealane/sealane"
	"github.com/sealane/sealane/internal/exchange"
	"github.com/sealane/sealane/internal/registry"
	"github.com/sealane/sealane/keyring"
)

// What the report calls the keys.
const (
	ourFirst    = "our first key"
	ourSecond   = "our second key"
	theirFirst  = "acme's first key"
	theirSecond = "acme's second key"
)

// leg is a key pair of one side, and the next one, with what the other side calls their certificates.
type leg struct {
	pair, certificate         string
	nextPair, nextCertificate string
	end                       time.Time     // until when the first must have been replaced
	offer                     []byte        // the mail with the next certificate
	checksum                  string        // from the mail after it
	behind                    *sealane.Lane // of a machine of the partner that did not learn of the next
}

// before returns the time some days before the end.
func (l *leg) before(days int) time.Time { return registry.DaysBefore(l.end, days) }

// make makes a key pair of a side, and returns its identity.
func (p *play) make(n *notes, d *side, name string, years int, follows bool) (string, error) {
	k, err := d.makePair(years, follows)
	if err != nil {
		return "", err
	}
	c, err := d.certificateOf(k.ID)
	if err != nil {
		return "", err
	}
	chain, err := c.Parse()
	if err != nil {
		return "", err
	}
	public, is := chain[0].PublicKey.(*rsa.PublicKey)
	if !is {
		return "", errors.New("it is no RSA key")
	}
	p.keys[keyring.KeyInfo{Public: public}.Fingerprint()] = name
	n.add("%s: serial %s, valid until %s; %s in the registry of %s", name, c.Serial, c.NotAfter.Format(time.DateOnly),
		k.ID, d.company.name)
	return k.ID, nil
}

// send sends the certificate of a pair to the other side, where two people let it in, and returns what it is called
// there.
func (p *play) send(n *notes, pair string, from, to *side) (string, error) {
	c, err := (&party{company: from.company, name: from.company.name, pair: pair}).deliver(n, to.company, ".cer")
	return c.ID, err
}

// inUse is a step: a side makes its first pair, and both use it.
func (p *play) inUse(from, to *side, name string, years int) (l *leg) {
	l = &leg{}
	text := fmt.Sprintf("%s makes a pair; %s lets its certificate in", from.company.name, to.company.name)
	p.after(0, text, func(n *notes) (err error) {
		if l.pair, err = p.make(n, from, name, years, false); err != nil {
			return err
		}
		if l.certificate, err = p.send(n, l.pair, from, to); err != nil {
			return err
		}
		if err := exchange.New(to.operator).Activate(p.ctx, l.certificate); err != nil {
			return err
		}
		c, err := from.certificateOf(l.pair)
		l.end = c.EndOfUse()
		return errors.Join(err, from.installed(l.pair, "their custodian, by telephone"))
	})
	return l
}

// wantState returns an error if a key is in another state.
func wantState(n *notes, d *side, key, name string, want registry.State) error {
	got, err := d.state(key)
	if err != nil {
		return err
	}
	n.add("%s is %s at %s", name, got, d.company.name)
	if got != want {
		return fmt.Errorf("it should be %s", want)
	}
	return nil
}

// wantStep returns an error if a renewal is at another step.
func wantStep(n *notes, d *side, key string, want registry.RenewalStep) error {
	got, err := d.renewal(key)
	if err != nil {
		return err
	}
	n.add("renewal %s is %s", got.ID, got.Step)
	if got.Step != want {
		return fmt.Errorf("it should be %s", want)
	}
	return nil
}

// ordered is a step: we order the activation of a key for a time, and a second person releases it.
func (p *play) ordered(key string, at time.Time) {
	p.after(0, "two people order its activation for the night", func(n *notes) error {
		if err := p.us.order(key, at); err != nil {
			return err
		}
		r, err := p.us.renewal(key)
		if err != nil {
			return err
		}
		n.add("ordered by %s for %s, released by %s (%s)", r.Order.By, at.Format("2006-01-02 15:04 UTC"),
			r.Order.Released, r.Order.Change)
		return nil
	})
}

// quiet is a step: for some days nobody uses an old key, and the gateways see that.
func (p *play) quiet(key string) {
	p.stride = hour
	p.after((quietDays+1)*day, fmt.Sprintf("nobody has used the old key for %d days", quietDays),
		func(n *notes) error {
			p.stride = week
			if _, err := p.mails(n); err != nil {
				return err
			}
			return wantStep(n, p.us, key, registry.RenewalQuiet)
		})
}

// retired is a step: we end the use of an old key.
func (p *play) retired(key, text string, want exchanged) {
	p.after(0, text, func(n *notes) error {
		if err := p.us.retire(key); err != nil {
			return err
		}
		if err := wantState(n, p.us, key, "the old one", registry.Retired); err != nil {
			return err
		}
		return p.message(n, nil, want)
	})
}

// refused is a step: a machine of the partner that did not learn of the next key is refused.
func (p *play) refused(l *leg, want error) {
	p.after(0, "a machine that still has the old key is refused", func(n *notes) error {
		_, err := p.exchange(l.behind)
		return wanted(n, want, err)
	})
}

// destroyed is a step: 30 days after its retirement, a side destroys an old private key.
func (p *play) destroyed(d *side, pair string) {
	p.after(registry.DestroyAfter*day, d.company.name+" destroys its old private key", func(n *notes) error {
		if err := d.destroy(pair); err != nil {
			return err
		}
		if _, err := p.mails(n); err != nil {
			return err
		}
		return wantState(n, d, pair, "the old pair", registry.Destroyed)
	})
}
