package exchange

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"time"

	"github.com/sealane/sealane"
	"github.com/sealane/sealane/cert"
	"github.com/sealane/sealane/internal/lanes"
	"github.com/sealane/sealane/internal/registry"
	"github.com/sealane/sealane/profile"
)

// Check is one thing that must hold before messages can be sealed.
type Check struct {
	Name  string     `json:"name"`
	Level cert.Level `json:"level"` // ok, warning or refused
	Found string     `json:"found"`
	Do    string     `json:"do,omitempty"` // what to do next
}

// Preflight checks all that must hold before messages of a lane can be sealed and opened; ready
// tells that nothing is refused. It opens each private key in use, makes the lane, and seals a
// message where the lane seals.
func Preflight(ctx context.Context, r *registry.Registry, of lanes.Name) (checks []Check, ready bool, err error) {
	p := &preflight{r: r, name: of}
	err = r.Store.View(ctx, func(tx registry.Tx) (err error) {
		p.checks = nil
		if p.env, err = registry.FindEnvironment(tx, of); err != nil {
			return err
		}
		if p.partner, err = tx.Partner(of.Partner); err != nil {
			return err
		}
		if p.profile, err = registry.LoadProfile(tx, p.partner.Profile); err != nil {
			return err
		}
		p.contacts()
		return errors.Join(p.callers(tx), p.ours(tx), p.theirs(tx))
	})
	if err != nil {
		return nil, false, err
	}
	if p.ready() { // else the lane would only refuse for the same reasons
		p.lane(ctx)
	}
	return p.checks, p.ready(), nil
}

// preflight is one call of Preflight.
type preflight struct {
	r       *registry.Registry
	name    lanes.Name
	partner registry.Partner
	env     registry.Environment
	profile *profile.Profile
	checks  []Check
}

func (p *preflight) add(c Check) { p.checks = append(p.checks, c) }

func (p *preflight) ready() bool {
	return !slices.ContainsFunc(p.checks, func(c Check) bool { return c.Level == cert.Refused })
}

func (p *preflight) contacts() {
	p.add(Check{Name: "sealing", Level: cert.OK, Found: string(p.env.Sealing)})
	have := map[registry.ContactRole]int{}
	for _, c := range p.env.Contacts {
		have[c.Role]++
	}
	for _, role := range []registry.ContactRole{registry.Primary, registry.Alternate} {
		c := Check{Name: string(role) + " contact", Level: cert.OK, Found: strconv.Itoa(have[role])}
		if have[role] == 0 {
			c.Level, c.Found = cert.Warning, "none"
			c.Do = fmt.Sprintf("name one: sealane partner contact %s %s --role %s --email ADDRESS",
				p.name.Partner, p.name.Environment, role)
		}
		p.add(c)
	}
}

// callers checks that a partner who calls us can be known.
func (p *preflight) callers(tx registry.Tx) error {
	if p.partner.Side != sealane.ServerSide {
		return nil
	}
	keys, err := tx.APIKeys(p.name.Partner, p.name.Environment)
	if err != nil {
		return err
	}
	keys = slices.DeleteFunc(keys, func(k registry.APIKey) bool { return !k.Revoked.IsZero() })
	issue := fmt.Sprintf("make a key: sealane partner apikey %s %s --sealing required",
		p.name.Partner, p.name.Environment)
	c := Check{Name: "caller", Level: cert.OK}
	switch {
	case len(keys) > 0:
		c.Found = fmt.Sprintf("%d API keys", len(keys))
	case p.env.Account != "":
		c.Found = fmt.Sprintf("account %q", p.env.Account)
	case p.profile.Request.Sign == nil:
		c.Level, c.Do = cert.Warning, "if no gateway in front knows them, "+issue
		c.Found = "neither an API key nor an account; said to be known by " + string(p.env.SenderAuth)
	default:
		c.Level, c.Do = cert.Refused, issue+"; or name the account of a trusted upstream"
		c.Found = "neither an API key nor an account"
	}
	p.add(c)
	return nil
}

func (p *preflight) ours(tx registry.Tx) error {
	needed := needs(p.partner, p.profile)
	if !needed.ours {
		return nil
	}
	pairs, err := registry.PairsFor(tx, p.partner, p.name.Environment)
	if err != nil {
		return err
	}
	var use registry.KeyPair // the active one, the partner's own before a shared one
	for _, k := range pairs {
		if err := p.r.Usable(k); err != nil {
			p.add(Check{Name: "our private key", Level: cert.Refused, Found: err.Error(),
				Do: "look at the root key, and at what became of the row; else make a new pair"})
		}
		if use.ID == "" || k.State == registry.Active && use.State != registry.Active {
			use = k
		}
	}
	p.add(p.ourPair(use, needed.oursActive))
	if use.ID == "" {
		return nil
	}
	if keyIDNeeded(p.profile) && use.KeyID == "" {
		p.add(Check{Name: "our key ID (alias)", Level: cert.Refused, Found: "none",
			Do: fmt.Sprintf("record what the partner assigns: sealane exchange alias %s KEYID", use.ID)})
	}
	c, err := tx.Certificate(use.Certificate)
	if err != nil {
		return err
	}
	p.add(p.validity("our certificate", c))
	return nil
}

// ourPair checks the key pair of ours that a lane uses. It must be active where the lane signs.
func (p *preflight) ourPair(use registry.KeyPair, active bool) Check {
	c := Check{Name: "our key pair", Level: cert.Refused, Found: fmt.Sprintf("%s is %s", use.ID, use.State)}
	activate := fmt.Sprintf("sealane exchange activate %s --partner %s", use.ID, p.name.Partner)
	switch {
	case use.ID == "":
		c.Found = "none"
		c.Do = fmt.Sprintf("make one: sealane key create --partner %s --env %s …",
			p.name.Partner, p.name.Environment)
	case use.State == registry.Active:
		c.Level = cert.OK
	case active:
		c.Do = "offer its certificate, and when the partner has installed it: " + activate
	default:
		c.Level, c.Do = cert.Warning, "when they have: "+activate
		c.Found += ": it opens, and the partner has not said that it is installed"
	}
	return c
}

func (p *preflight) theirs(tx registry.Tx) error {
	if !needs(p.partner, p.profile).theirs {
		return nil
	}
	certificates, err := tx.Certificates(registry.CertificateQuery{
		Owner: registry.Theirs, Partner: p.name.Partner, Environment: p.name.Environment, Page: all,
		States: registry.StatesAlive,
	})
	if err != nil {
		return err
	}
	missing := Check{Name: "their certificate", Level: cert.Refused, Found: "none",
		Do: fmt.Sprintf("ask for it, then: sealane exchange receive %s %s FILE", p.name.Partner, p.name.Environment)}
	for _, c := range certificates {
		switch {
		case c.State == registry.Active:
			p.active(tx, c)
			return nil
		case c.State.Open():
			missing.Found, missing.Do = fmt.Sprintf("%s is %s", c.ID, c.State), Next(c)
		}
	}
	p.add(missing)
	return nil
}

// active checks the certificate that we encrypt to.
func (p *preflight) active(tx registry.Tx, c registry.Certificate) {
	p.add(Check{Name: "their certificate", Level: cert.OK, Found: c.ID + " is active"})
	if err := c.NotBlocked(tx); err != nil {
		p.add(Check{Name: "their certificate, key", Level: cert.Refused, Found: err.Error(),
			Do: fmt.Sprintf("end its use: sealane exchange compromised %s --reason TEXT", c.ID)})
	}
	if keyIDNeeded(p.profile) && c.KeyID == "" {
		p.add(Check{Name: "their key ID (alias)", Level: cert.Refused, Found: "none",
			Do: fmt.Sprintf("assign it: sealane exchange alias %s KEYID", c.ID)})
	}
	for _, w := range c.Provenance.Waivers {
		p.add(Check{Name: "waiver", Level: cert.Warning, Do: "have it replaced",
			Found: fmt.Sprintf("rule %s does not count for %s: %s (asked by %s, granted by %s)",
				w.Rule, c.ID, w.Reason, w.Asked, w.Granted)})
	}
	p.add(p.validity("their certificate", c))
}

// noticeDays is how long before its end a certificate should be followed by another.
const noticeDays = 60

func (p *preflight) validity(name string, of registry.Certificate) Check {
	now := p.r.Time()
	left := int(of.NotAfter.Sub(now).Hours() / 24)
	on := of.NotAfter.Format(time.DateOnly)
	c := Check{Name: name + ", validity", Level: cert.Refused}
	switch {
	case now.Before(of.NotBefore):
		c.Found = "begins on " + of.NotBefore.Format(time.DateOnly)
		c.Do = "wait until then, or go on with the one before"
	case now.After(of.NotAfter):
		c.Found, c.Do = "expired on "+on, "exchange a new one"
	case left < noticeDays:
		c.Level, c.Found, c.Do = cert.Warning, fmt.Sprintf("ends on %s, in %d days", on, left), "begin its renewal"
	default:
		c.Level, c.Found = cert.OK, "until "+on
	}
	return c
}

// lane makes the lane as traffic will have it, and seals a message.
func (p *preflight) lane(ctx context.Context) {
	const correct = "correct what it says"
	lane, err := p.makeLane(ctx)
	if err != nil {
		p.add(Check{Name: "lane", Level: cert.Refused, Found: err.Error(), Do: correct})
		return
	}
	p.add(Check{Name: "lane", Level: cert.OK, Found: lane.Name() + " is ready"})
	if !lane.Outbound().Sealed() {
		return
	}
	sealed := Check{Name: "sealing a message", Level: cert.OK, Found: "works"}
	if _, err := lane.Seal(ctx, []byte(`{"sealane":"preflight"}`)); err != nil {
		sealed.Level, sealed.Found, sealed.Do = cert.Refused, err.Error(), correct
	}
	p.add(sealed)
}

func (p *preflight) makeLane(ctx context.Context) (*sealane.Lane, error) {
	lane, err := p.r.Lanes().ReadLane(ctx, p.name, p.r.Time())
	if err != nil {
		return nil, err
	}
	return lane, lane.Ready()
}

// laneNeeds are the keys that a lane of ours must have.
type laneNeeds struct {
	ours       bool // ours, to open or to sign
	oursActive bool // an active one of ours, to sign
	theirs     bool // theirs, to encrypt to or to verify by
}

func needs(p registry.Partner, prof *profile.Profile) laneNeeds {
	in, out := &prof.Response, &prof.Request
	if p.Side == sealane.ServerSide {
		in, out = out, in
	}
	return laneNeeds{
		ours: in.Encrypt != nil || out.Sign != nil, oursActive: out.Sign != nil,
		theirs: out.Encrypt != nil || in.Sign != nil,
	}
}
