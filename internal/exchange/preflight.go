package exchange

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/sealane/sealane"
	"github.com/sealane/sealane/cert"
	"github.com/sealane/sealane/internal/registry"
	"github.com/sealane/sealane/profile"
)

// Check is one thing that must hold before sealing works.
type Check struct {
	Name  string     `json:"name"`
	Level cert.Level `json:"level"` // ok, warning or refused
	Found string     `json:"found"`
	Do    string     `json:"do,omitempty"`
}

// Preflight lists all that must hold before messages with a partner can be sealed
// and opened in an environment, and what does not. ready says that nothing is in
// the way. Each private key in use is opened, the lane is made, and a message
// sealed where the lane seals.
func Preflight(ctx context.Context, r *registry.Registry, partner, environment string) (checks []Check, ready bool, err error) {
	p := &preflight{r: r}
	err = r.Store.View(ctx, func(tx registry.Tx) error {
		p.checks = nil
		env, err := registry.FindEnvironment(tx, partner, environment)
		if err != nil {
			return err
		}
		p.env = env
		if p.partner, err = tx.Partner(partner); err != nil {
			return err
		}
		if p.profile, err = registry.LoadProfile(tx, p.partner.Profile); err != nil {
			return err
		}
		return errors.Join(p.people(), p.callers(tx), p.ours(tx), p.theirs(tx))
	})
	if err != nil {
		return nil, false, err
	}
	p.lane(ctx)
	ready = true
	for _, c := range p.checks {
		ready = ready && c.Level != cert.Refused
	}
	return p.checks, ready, nil
}

type preflight struct {
	r       *registry.Registry
	partner registry.Partner
	env     registry.Environment
	profile *profile.Profile
	checks  []Check
}

func (p *preflight) ok(name, found string, args ...any) {
	p.checks = append(p.checks, Check{name, cert.OK, fmt.Sprintf(found, args...), ""})
}

func (p *preflight) missing(level cert.Level, name, found, do string, args ...any) {
	p.checks = append(p.checks, Check{name, level, found, fmt.Sprintf(do, args...)})
}

func (p *preflight) people() error {
	p.ok("sealing", "%s", p.env.Sealing)
	have := map[registry.ContactRole]int{}
	for _, c := range p.env.Contacts {
		have[c.Role]++
	}
	for _, role := range []registry.ContactRole{registry.Primary, registry.Alternate} {
		if have[role] == 0 {
			p.missing(cert.Warning, string(role)+" contact", "none", "name one: sealane partner contact %s %s --role %s --email ADDRESS", p.partner.ID, p.env.Name, role)
		} else {
			p.ok(string(role)+" contact", "%d", have[role])
		}
	}
	return nil
}

// callers: who calls us must be known by something.
func (p *preflight) callers(tx registry.Tx) error {
	if p.partner.Side != sealane.ServerSide {
		return nil
	}
	keys, err := tx.APIKeys(p.partner.ID, p.env.Name)
	if err != nil {
		return err
	}
	valid := 0
	for _, k := range keys {
		if k.Revoked.IsZero() {
			valid++
		}
	}
	switch {
	case valid > 0:
		p.ok("caller", "%d API keys", valid)
	case p.env.Account != "":
		p.ok("caller", "account %q", p.env.Account)
	case p.profile.Request.Sign == nil:
		p.missing(cert.Warning, "caller", "neither an API key nor an account; said to be known by "+string(p.env.SenderAuth), "if no gateway in front knows them, make a key: sealane partner apikey %s %s --sealing required", p.partner.ID, p.env.Name)
	default:
		p.missing(cert.Refused, "caller", "neither an API key nor an account", "make a key: sealane partner apikey %s %s --sealing required; or name the account of a trusted upstream", p.partner.ID, p.env.Name)
	}
	return nil
}

func (p *preflight) ours(tx registry.Tx) error {
	needed, active, _ := needs(p.partner, p.profile)
	if !needed {
		return nil
	}
	pairs, err := registry.PairsFor(tx, p.partner, p.env.Name)
	if err != nil {
		return err
	}
	var use registry.KeyPair
	for _, k := range pairs {
		if err := p.r.Usable(k); err != nil {
			p.missing(cert.Refused, "our private key", err.Error(), "look at the root key, and at what became of the row; else make a new pair")
		}
		if use.ID == "" || k.State == registry.Active && use.State != registry.Active { // the partner's own come first
			use = k
		}
	}
	switch {
	case use.ID == "":
		p.missing(cert.Refused, "our key pair", "none", "make one: sealane key create --partner %s --env %s …", p.partner.ID, p.env.Name)
		return nil
	case use.State != registry.Active && active:
		p.missing(cert.Refused, "our key pair", fmt.Sprintf("%s is %s", use.ID, use.State), "offer its certificate, and when the partner has installed it: sealane exchange activate %s --partner %s", use.ID, p.partner.ID)
	case use.State != registry.Active:
		p.missing(cert.Warning, "our key pair", fmt.Sprintf("%s is %s: it opens, and the partner has not said that it is installed", use.ID, use.State), "when they have: sealane exchange activate %s --partner %s", use.ID, p.partner.ID)
	default:
		p.ok("our key pair", "%s is active", use.ID)
	}
	if keyIDNeeded(p.profile) && use.KeyID == "" {
		p.missing(cert.Refused, "our key ID (alias)", "none", "record what the partner assigns: sealane exchange alias %s KEYID", use.ID)
	}
	c, err := tx.Certificate(use.Certificate)
	if err != nil {
		return err
	}
	p.expiry("our certificate", c)
	return nil
}

func (p *preflight) theirs(tx registry.Tx) error {
	_, _, needed := needs(p.partner, p.profile)
	if !needed {
		return nil
	}
	certificates, err := tx.Certificates(registry.CertificateQuery{Owner: registry.Theirs, Partner: p.partner.ID, Environment: p.env.Name, Page: all,
		States: registry.StatesAlive})
	if err != nil {
		return err
	}
	found := "none"
	do := fmt.Sprintf("ask for it, then: sealane exchange receive %s %s FILE", p.partner.ID, p.env.Name)
	for _, c := range certificates {
		if c.State == registry.Active {
			p.ok("their certificate", "%s is active", c.ID)
			if err := registry.NotBlocked(tx, c.SPKISHA256); err != nil {
				p.missing(cert.Refused, "their certificate, key", err.Error(), "end its use: sealane exchange compromised %s --reason TEXT", c.ID)
			}
			if keyIDNeeded(p.profile) && c.KeyID == "" {
				p.missing(cert.Refused, "their key ID (alias)", "none", "assign it: sealane exchange alias %s KEYID", c.ID)
			}
			for _, w := range c.Provenance.Waivers {
				p.missing(cert.Warning, "waiver", fmt.Sprintf("rule %s does not count for %s: %s (asked by %s, granted by %s)", w.Rule, c.ID, w.Reason, w.Asked, w.Granted), "have it replaced")
			}
			p.expiry("their certificate", c)
			return nil
		}
		if c.State.Open() {
			found, do = fmt.Sprintf("%s is %s", c.ID, c.State), Next(c)
		}
	}
	p.missing(cert.Refused, "their certificate", found, "%s", do)
	return nil
}

// noticeDays is how long before its end a certificate should be followed by another.
const noticeDays = 60

func (p *preflight) expiry(name string, c registry.Certificate) {
	left := int(c.NotAfter.Sub(p.r.Time()).Hours() / 24)
	on := c.NotAfter.Format(time.DateOnly)
	switch {
	case p.r.Time().Before(c.NotBefore):
		p.missing(cert.Refused, name+", validity", "begins on "+c.NotBefore.Format(time.DateOnly), "wait until then, or go on with the one before")
	case p.r.Time().After(c.NotAfter):
		p.missing(cert.Refused, name+", validity", "expired on "+on, "exchange a new one")
	case left < noticeDays:
		p.missing(cert.Warning, name+", validity", fmt.Sprintf("ends on %s, in %d days", on, left), "begin its renewal")
	default:
		p.ok(name+", validity", "until %s", on)
	}
}

// lane makes the lane as traffic will have it, and seals a message.
func (p *preflight) lane(ctx context.Context) {
	for _, c := range p.checks {
		if c.Level == cert.Refused {
			return // it would only say the same again
		}
	}
	snapshot, err := p.r.Snapshot(ctx)
	if err != nil {
		p.missing(cert.Refused, "lane", err.Error(), "mend what it says")
		return
	}
	lane, err := snapshot.Lane(p.partner.ID, p.env.Name)
	if err == nil {
		err = lane.Ready()
	}
	if err != nil {
		p.missing(cert.Refused, "lane", err.Error(), "mend what it says")
		return
	}
	p.ok("lane", "%s is ready", lane.Name())
	if !lane.Outbound().Sealed() {
		return
	}
	if _, err := lane.Seal(ctx, []byte(`{"sealane":"preflight"}`)); err != nil {
		p.missing(cert.Refused, "sealing a message", err.Error(), "mend what it says")
		return
	}
	p.ok("sealing a message", "works")
}

// needs says which keys a lane of ours must have: ours to open or sign, theirs to
// encrypt to or verify by.
func needs(p registry.Partner, dialect *profile.Profile) (ours, oursActive, theirs bool) {
	in, out := &dialect.Response, &dialect.Request
	if p.Side == sealane.ServerSide {
		in, out = out, in
	}
	ours = in.Encrypt != nil || out.Sign != nil
	return ours, out.Sign != nil, out.Encrypt != nil || in.Sign != nil
}
