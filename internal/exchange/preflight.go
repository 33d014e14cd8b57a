package exchange

import (
	"context"
	"fmt"
	"slices"
	"strconv"
	"time"

	"github.com/sealane/sealane"
	"github.com/sealane/sealane/cert"
	"github.com/sealane/sealane/internal/lanes"
	"github.com/sealane/sealane/internal/registry"
	"github.com/sealane/sealane/internal/termtext"
	"github.com/sealane/sealane/profile"
)

// Preflight checks all that must hold before messages of a lane can be sealed and opened; ready
// tells that nothing is refused. It opens each private key in use, makes the lane, and seals a
// message where the lane seals.
func Preflight(
	ctx context.Context, v *registry.Viewer, of lanes.Name,
) (checks []registry.Check, ready bool, err error) {
	p := &preflight{v: v, name: of}
	err = v.View(ctx, func(tx registry.Reader) (err error) {
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
		for _, check := range []func(registry.Reader) error{p.loosened, p.callers, p.ours, p.theirs} {
			if err := p.damaged(check(tx)); err != nil {
				return err
			}
		}
		return nil
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
	v       *registry.Viewer
	name    lanes.Name
	partner registry.Partner
	env     registry.Environment
	profile *profile.Profile
	checks  []registry.Check
}

// add adds the result of a check.
func (p *preflight) add(f cert.Finding, next registry.Advice) {
	p.checks = append(p.checks, registry.Check{Finding: f, Next: next})
}

var none registry.Advice

func (p *preflight) ready() bool {
	return !slices.ContainsFunc(p.checks, func(c registry.Check) bool { return c.Level == cert.Refused })
}

// act returns the advice to do something in the lane, about a certificate or key pair.
func (p *preflight) act(a registry.Action, id string, needs ...registry.Need) registry.Advice {
	return registry.Advice{
		Action: a, ID: id, Partner: p.name.Partner, Environment: p.name.Environment, Needs: needs,
	}
}

func (p *preflight) contacts() {
	p.add(cert.Finding{Code: "sealing", Name: "sealing", Level: cert.OK, Found: string(p.env.Sealing)}, none)
	if text := p.env.Limits.String(); text != "" {
		p.add(cert.Finding{Code: "limits", Name: "limits of gateways", Level: cert.OK, Found: text}, none)
	}
	have := map[registry.ContactRole]int{}
	for _, c := range p.env.Contacts {
		have[c.Role]++
	}
	for _, role := range []registry.ContactRole{registry.Primary, registry.Alternate} {
		f := cert.Finding{
			Code: "contact-" + string(role), Name: string(role) + " contact", Level: cert.OK,
			Found: strconv.Itoa(have[role]),
		}
		if have[role] > 0 {
			p.add(f, none)
			continue
		}
		f.Level, f.Found, f.Remedy = cert.Warning, "none", "name one"
		p.add(f, p.act(registry.ActionContactSet, "", registry.Need{Kind: registry.NeedRole, Value: string(role)}))
	}
}

// callers checks that a partner who calls us can be known.
func (p *preflight) callers(tx registry.Reader) error {
	if p.partner.Side != sealane.ServerSide {
		return nil
	}
	keys, err := tx.APIKeys(p.name.Partner, p.name.Environment)
	if err != nil {
		return err
	}
	keys = slices.DeleteFunc(keys, func(k registry.APIKey) bool { return !k.Revoked.IsZero() })
	f := cert.Finding{Code: "caller", Name: "caller", Level: cert.OK}
	switch {
	case len(keys) > 0:
		f.Found = fmt.Sprintf("API keys: %d", len(keys))
	case p.env.Account != "":
		f.Found = fmt.Sprintf("account %q", p.env.Account)
	case p.profile.Request.Sign == nil:
		f.Level, f.Remedy = cert.Warning, "if no gateway in front authenticates them, make an API key"
		f.Found = "neither an API key nor an account; authenticated by " + string(p.env.SenderAuth)
	default:
		f.Level, f.Remedy = cert.Refused, "make an API key, or name the account of a trusted upstream"
		f.Found = "neither an API key nor an account"
	}
	next := none
	if f.Level != cert.OK {
		next = p.act(registry.ActionAPIKeyIssue, "")
	}
	p.add(f, next)
	return nil
}

func (p *preflight) ours(tx registry.Reader) error {
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
		p.alarm("our", k.Alarm, k.ID)
		if err := p.v.Usable(k); err != nil {
			p.add(cert.Finding{
				Code: "our-private-key", Name: "our private key", Level: cert.Refused, Found: err.Error(),
				Remedy: "check the root key and the row; otherwise make a new pair",
			}, none)
		}
		if slices.Index(firstUsed, k.State) > slices.Index(firstUsed, use.State) {
			use = k
		}
	}
	if use.ID == "" {
		return p.noPair(tx)
	}
	p.ourPair(use, needed.oursActive)
	if keyIDNeeded(p.profile) && use.KeyID == "" {
		p.add(cert.Finding{
			Code: "our-key-id", Name: "our key ID (alias)", Level: cert.Refused, Found: "none",
			Remedy: "record the one that the partner assigns",
		}, p.act(registry.ActionExchangeAlias, use.ID))
	}
	c, err := tx.Certificate(use.Certificate)
	if err != nil {
		return err
	}
	p.validity("our", c)
	return nil
}

// ourPair checks the key pair of ours that a lane uses. It must be active where the lane signs.
func (p *preflight) ourPair(use registry.KeyPair, active bool) {
	f := cert.Finding{
		Code: "our-key-pair", Name: "our key pair", Level: cert.Refused,
		Found: fmt.Sprintf("%s is %s", use.ID, use.State),
	}
	next := p.act(registry.ActionKeyInstalled, use.ID)
	next.Partner = ""
	if use.Partner == "" { // others share it
		next.Partner = p.name.Partner
	}
	switch {
	case use.State == registry.Active:
		f.Level, next = cert.OK, none
	case use.State == registry.Retiring:
		if f.Found = "no active key: " + f.Found; !active {
			f.Level = cert.Warning
		}
		f.Remedy = "if the partner uses it again, record that; otherwise offer a new one"
	case active:
		f.Remedy = "send its certificate; record when the partner has installed it"
	default:
		f.Level, f.Remedy = cert.Warning, "record when they have"
		f.Found += ": it opens messages, and the partner has not said that it is installed"
	}
	p.add(f, next)
}

// firstUsed are the states of pairs of ours, the one that a lane uses first at the end.
var firstUsed = []registry.State{registry.Retiring, registry.Staged, registry.Active}

// noPair says that the lane has no key pair of ours, and which it had last.
func (p *preflight) noPair(tx registry.Reader) error {
	offers, err := tx.Offers(p.name.Partner)
	if err != nil {
		return err
	}
	ended, err := lastEnded(tx, p.partner, p.name.Environment, offers)
	if err != nil {
		return err
	}
	f := cert.Finding{
		Code: "our-key-pair", Name: "our key pair", Level: cert.Refused, Found: "none",
		Remedy: "make one and send its certificate",
	}
	for _, k := range ended {
		f.Found = fmt.Sprintf("no active key: the last one, %s, is %s", k.ID, k.State)
	}
	p.add(f, offerAdvice(p.name.Partner, p.name.Environment))
	return nil
}

func (p *preflight) theirs(tx registry.Reader) error {
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
	missing := cert.Finding{
		Code: "their-certificate", Name: "their certificate", Level: cert.Refused, Found: "none",
		Remedy: "ask for it, and receive it",
	}
	next := p.act(registry.ActionExchangeReceive, "")
	for _, c := range certificates {
		if c.State.InUse() {
			p.alarm("their", c.Alarm, c.ID)
		}
	}
	for _, c := range certificates {
		switch {
		case c.State == registry.Active:
			p.active(tx, c)
			return nil
		case c.State == registry.Retiring:
			if missing.Found == "none" {
				missing.Found = fmt.Sprintf("no active certificate: %s is %s", c.ID, c.State)
				missing.Remedy = "put it to use again, or exchange a new one"
				next = p.act(registry.ActionExchangeActivate, c.ID)
			}
		default: // it is on its way
			missing.Found = fmt.Sprintf("%s is %s", c.ID, c.State)
			comes := NextOf(c, p.env, p.profile)
			missing.Remedy, next = comes.Text, comes.Advice
		}
	}
	p.add(missing, next)
	return nil
}

// alarm adds the open alarm about a key in use. One that only may be about it is a warning, because
// anyone can cause it.
func (p *preflight) alarm(whose string, a *registry.Alarm, id string) {
	if a == nil {
		return
	}
	f := cert.Finding{
		Code: whose + "-key-alarm", Name: whose + " key, alarm", Level: cert.Warning, Found: id + ": " + alarmText(a),
		Remedy: "call its owner, and revoke it, or dismiss the alarm",
	}
	if a.Certain {
		f.Level = cert.Refused
	}
	p.add(f, p.act(registry.ActionExchangeRevoke, id, registry.Reason))
}

// active checks the certificate that we encrypt to.
func (p *preflight) active(tx registry.Reader, c registry.Certificate) {
	const code, name = "their-certificate", "their certificate"
	p.add(cert.Finding{Code: code, Name: name, Level: cert.OK, Found: c.ID + " is active"}, none)
	if err := c.NotBlocked(tx); err != nil {
		p.add(cert.Finding{
			Code: "their-key-blocked", Name: name + ", key", Level: cert.Refused, Found: err.Error(),
			Remedy: "end its use",
		}, p.act(registry.ActionExchangeRevoke, c.ID, registry.Reason))
	}
	if keyIDNeeded(p.profile) && c.KeyID == "" {
		p.add(cert.Finding{
			Code: "their-key-id", Name: "their key ID (alias)", Level: cert.Refused, Found: "none",
			Remedy: "assign it",
		}, p.act(registry.ActionExchangeAlias, c.ID))
	}
	for _, w := range c.Provenance.Waivers {
		p.add(cert.Finding{
			Code: "waiver", Name: "waiver", Level: cert.Warning, Remedy: "have the certificate replaced",
			Found: fmt.Sprintf("rule %s does not count for %s: %s (asked by %s, granted by %s)",
				w.Rule, c.ID, w.Reason, w.Asked, w.Granted),
		}, none)
	}
	p.validity("their", c)
}

// validity checks when a certificate ends, and when its successor is due. whose is "our" or "their".
func (p *preflight) validity(whose string, of registry.Certificate) {
	now, on, due := p.v.Time(), of.NotAfter.Format(time.DateOnly), of.Due(p.env.Rotation)
	f := cert.Finding{Code: whose + "-validity", Name: whose + " certificate, validity", Level: cert.Refused}
	next := p.act(registry.ActionExchangeReceive, "")
	if of.Owner == registry.Ours {
		next = offerAdvice(p.name.Partner, p.name.Environment)
	}
	switch {
	case now.Before(of.NotBefore):
		f.Found, next = "begins on "+of.NotBefore.Format(time.DateOnly), none
		f.Remedy = "wait until then, or go on with the one before"
	case now.After(of.NotAfter):
		f.Found, f.Remedy = "expired on "+on, "exchange a new one"
	case !now.Before(due):
		f.Level, f.Found, f.Remedy = cert.Warning, endText(of, now), "renew it"
	default:
		f.Level, next = cert.OK, none
		f.Found = "until " + on + "; a successor is due on " + due.Format(time.DateOnly)
	}
	p.add(f, next)
}

// endText says when the use of a certificate ends: with the certificate, or because its key is old.
func endText(of registry.Certificate, now time.Time) string {
	end, what := of.EndOfUse(), ""
	if end.Before(of.NotAfter) {
		what = fmt.Sprintf("the %d years of use of its key ", registry.YearsOfUse)
	}
	on := end.Format(time.DateOnly)
	switch {
	case end.Before(now):
		return what + "ended on " + on
	case what != "":
		what += "end on "
	default:
		what = "ends on "
	}
	return what + on + ", in " + termtext.Counted(int(end.Sub(now).Hours()/24), "day")
}

// lane makes the lane as traffic will have it, and seals a message.
func (p *preflight) lane(ctx context.Context) {
	const correct = "correct this"
	lane, err := p.makeLane(ctx)
	if err != nil {
		f := cert.Finding{Code: "lane", Name: "lane", Level: cert.Refused, Found: err.Error(), Remedy: correct}
		p.add(f, none)
		return
	}
	p.add(cert.Finding{Code: "lane", Name: "lane", Level: cert.OK, Found: lane.Name() + " is ready"}, none)
	if !lane.Outbound().Sealed() {
		return
	}
	sealed := cert.Finding{Code: "sealing-a-message", Name: "sealing a message", Level: cert.OK, Found: "works"}
	if _, err := lane.Seal(ctx, []byte(`{"sealane":"preflight"}`)); err != nil {
		sealed.Level, sealed.Found, sealed.Remedy = cert.Refused, err.Error(), correct
	}
	p.add(sealed, none)
}

func (p *preflight) makeLane(ctx context.Context) (*sealane.Lane, error) {
	lane, err := p.v.Lane(ctx, p.name)
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

// directions returns how messages from and to a partner are protected.
func directions(p registry.Partner, prof *profile.Profile) (in, out *profile.Direction) {
	if p.Side == sealane.ServerSide {
		return &prof.Request, &prof.Response
	}
	return &prof.Response, &prof.Request
}

func needs(p registry.Partner, prof *profile.Profile) laneNeeds {
	in, out := directions(p, prof)
	return laneNeeds{
		ours: in.Encrypt != nil || out.Sign != nil, oursActive: out.Sign != nil,
		theirs: out.Encrypt != nil || in.Sign != nil,
	}
}
