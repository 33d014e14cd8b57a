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
	f := &flight{r: r}
	err = r.Store.View(ctx, func(tx registry.Tx) error {
		f.checks = nil
		env, err := registry.FindEnvironment(tx, partner, environment)
		if err != nil {
			return err
		}
		f.env = env
		if f.partner, err = tx.Partner(partner); err != nil {
			return err
		}
		if f.dialect, err = registry.LoadProfile(tx, f.partner.Profile); err != nil {
			return err
		}
		return errors.Join(f.people(), f.callers(tx), f.ours(tx), f.theirs(tx))
	})
	if err != nil {
		return nil, false, err
	}
	f.lane(ctx)
	ready = true
	for _, c := range f.checks {
		ready = ready && c.Level != cert.Refused
	}
	return f.checks, ready, nil
}

type flight struct {
	r       *registry.Registry
	partner registry.Partner
	env     registry.Environment
	dialect *profile.Profile
	checks  []Check
}

func (f *flight) ok(name, found string, args ...any) {
	f.checks = append(f.checks, Check{name, cert.OK, fmt.Sprintf(found, args...), ""})
}

func (f *flight) missing(level cert.Level, name, found, do string, args ...any) {
	f.checks = append(f.checks, Check{name, level, found, fmt.Sprintf(do, args...)})
}

func (f *flight) people() error {
	f.ok("sealing", "%s", f.env.Sealing)
	have := map[registry.ContactRole]int{}
	for _, c := range f.env.Contacts {
		have[c.Role]++
	}
	for _, role := range []registry.ContactRole{registry.Primary, registry.Alternate} {
		if have[role] == 0 {
			f.missing(cert.Warning, string(role)+" contact", "none", "name one: sealane partner contact %s %s --role %s --email ADDRESS", f.partner.ID, f.env.Name, role)
		} else {
			f.ok(string(role)+" contact", "%d", have[role])
		}
	}
	return nil
}

// callers: who calls us must be known by something.
func (f *flight) callers(tx registry.Tx) error {
	if f.partner.Side != sealane.ServerSide {
		return nil
	}
	keys, err := tx.APIKeys(f.partner.ID, f.env.Name)
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
		f.ok("caller", "%d API keys", valid)
	case f.env.Account != "":
		f.ok("caller", "account %q", f.env.Account)
	case f.dialect.Request.Sign == nil:
		f.missing(cert.Warning, "caller", "neither an API key nor an account; said to be known by "+string(f.env.SenderAuth), "if no gateway in front knows them, make a key: sealane partner apikey %s %s --sealing required", f.partner.ID, f.env.Name)
	default:
		f.missing(cert.Refused, "caller", "neither an API key nor an account", "make a key: sealane partner apikey %s %s --sealing required; or name the account of a trusted upstream", f.partner.ID, f.env.Name)
	}
	return nil
}

func (f *flight) ours(tx registry.Tx) error {
	needed, active, _ := needs(f.partner, f.dialect)
	if !needed {
		return nil
	}
	pairs, err := registry.PairsFor(tx, f.partner, f.env.Name)
	if err != nil {
		return err
	}
	var use registry.KeyPair
	for _, k := range pairs {
		if err := f.r.Usable(k); err != nil {
			f.missing(cert.Refused, "our private key", err.Error(), "look at the root key, and at what became of the row; else make a new pair")
		}
		if use.ID == "" || k.State == registry.Active && use.State != registry.Active { // the partner's own come first
			use = k
		}
	}
	switch {
	case use.ID == "":
		f.missing(cert.Refused, "our key pair", "none", "make one: sealane key create --partner %s --env %s …", f.partner.ID, f.env.Name)
		return nil
	case use.State != registry.Active && active:
		f.missing(cert.Refused, "our key pair", fmt.Sprintf("%s is %s", use.ID, use.State), "offer its certificate, and when the partner has installed it: sealane exchange activate %s --partner %s", use.ID, f.partner.ID)
	case use.State != registry.Active:
		f.missing(cert.Warning, "our key pair", fmt.Sprintf("%s is %s: it opens, and the partner has not said that it is installed", use.ID, use.State), "when they have: sealane exchange activate %s --partner %s", use.ID, f.partner.ID)
	default:
		f.ok("our key pair", "%s is active", use.ID)
	}
	if keyIDNeeded(f.dialect) && use.KeyID == "" {
		f.missing(cert.Refused, "our key ID (alias)", "none", "record what the partner assigns: sealane exchange alias %s KEYID", use.ID)
	}
	c, err := tx.Certificate(use.Certificate)
	if err != nil {
		return err
	}
	f.expiry("our certificate", c)
	return nil
}

func (f *flight) theirs(tx registry.Tx) error {
	_, _, needed := needs(f.partner, f.dialect)
	if !needed {
		return nil
	}
	certificates, err := tx.Certificates(registry.CertificateQuery{Owner: registry.Theirs, Partner: f.partner.ID, Environment: f.env.Name, Page: all,
		States: registry.StatesAlive})
	if err != nil {
		return err
	}
	found := "none"
	do := fmt.Sprintf("ask for it, then: sealane exchange receive %s %s FILE", f.partner.ID, f.env.Name)
	for _, c := range certificates {
		if c.State == registry.Active {
			f.ok("their certificate", "%s is active", c.ID)
			if err := registry.NotBlocked(tx, c.SPKISHA256); err != nil {
				f.missing(cert.Refused, "their certificate, key", err.Error(), "end its use: sealane exchange compromised %s --reason TEXT", c.ID)
			}
			if keyIDNeeded(f.dialect) && c.KeyID == "" {
				f.missing(cert.Refused, "their key ID (alias)", "none", "assign it: sealane exchange alias %s KEYID", c.ID)
			}
			for _, w := range c.Exchange.Waivers {
				f.missing(cert.Warning, "waiver", fmt.Sprintf("rule %s does not count for %s: %s (asked by %s, granted by %s)", w.Rule, c.ID, w.Reason, w.Asked, w.Granted), "have it replaced")
			}
			f.expiry("their certificate", c)
			return nil
		}
		if c.State.Open() {
			found, do = fmt.Sprintf("%s is %s", c.ID, c.State), Next(c)
		}
	}
	f.missing(cert.Refused, "their certificate", found, "%s", do)
	return nil
}

// noticeDays is how long before its end a certificate should be followed by another.
const noticeDays = 60

func (f *flight) expiry(name string, c registry.Certificate) {
	left := int(c.NotAfter.Sub(f.r.Time()).Hours() / 24)
	on := c.NotAfter.Format(time.DateOnly)
	switch {
	case f.r.Time().Before(c.NotBefore):
		f.missing(cert.Refused, name+", validity", "begins on "+c.NotBefore.Format(time.DateOnly), "wait until then, or go on with the one before")
	case f.r.Time().After(c.NotAfter):
		f.missing(cert.Refused, name+", validity", "expired on "+on, "exchange a new one")
	case left < noticeDays:
		f.missing(cert.Warning, name+", validity", fmt.Sprintf("ends on %s, in %d days", on, left), "begin its renewal")
	default:
		f.ok(name+", validity", "until %s", on)
	}
}

// lane makes the lane as traffic will have it, and seals a message.
func (f *flight) lane(ctx context.Context) {
	for _, c := range f.checks {
		if c.Level == cert.Refused {
			return // it would only say the same again
		}
	}
	snapshot, err := f.r.Snapshot(ctx)
	if err != nil {
		f.missing(cert.Refused, "lane", err.Error(), "mend what it says")
		return
	}
	lane, err := snapshot.Lane(f.partner.ID, f.env.Name)
	if err == nil {
		err = lane.Ready()
	}
	if err != nil {
		f.missing(cert.Refused, "lane", err.Error(), "mend what it says")
		return
	}
	f.ok("lane", "%s is ready", lane.Name())
	if !lane.Outbound().Sealed() {
		return
	}
	if _, err := lane.Seal(ctx, []byte(`{"sealane":"preflight"}`)); err != nil {
		f.missing(cert.Refused, "sealing a message", err.Error(), "mend what it says")
		return
	}
	f.ok("sealing a message", "works")
}
