package exchange

import (
	"github.com/sealane/sealane/internal/registry"
	"github.com/sealane/sealane/profile"
)

// Next is what comes next for a certificate.
type Next struct {
	Text   string          `json:"text"` // one sentence; an act of ours is in Advice
	Advice registry.Advice `json:"advice,omitzero"`
	Waits  string          `json:"waiting_for"` // one of the constants below, or a partner's identity
}

// theyAssign says what is to be done while a certificate of ours has no key ID at the partner.
const theyAssign = "wait until the partner assigns the key ID (alias); then record it"

// Those who have to act next, if it is not the partner.
const (
	WaitsForUs     = "us"
	WaitsForSecond = "a second person"
	WaitsForNobody = "nobody"
)

// nextOf is NextOf with the environment of the certificate, which says who approves it.
func nextOf(tx registry.Reader, c registry.Certificate, prof *profile.Profile) (Next, error) {
	var env registry.Environment
	if c.State == registry.Matched {
		var err error
		if env, err = rulesOf(tx, c.Partner, c.Environment); err != nil {
			return Next{}, err
		}
	}
	return NextOf(c, env, prof), nil
}

// NextOf returns what comes after the state of a partner's certificate in an environment.
func NextOf(c registry.Certificate, env registry.Environment, prof *profile.Profile) Next {
	act := func(a registry.Action, needs ...registry.Need) registry.Advice {
		return registry.Advice{Action: a, ID: c.ID, Partner: c.Partner, Environment: c.Environment, Needs: needs}
	}
	if c.Alarm != nil && c.State.InUse() {
		return NextOfAlarm(c.Alarm, c.ID, c.Partner, c.Environment)
	}
	switch c.State {
	case registry.Received:
		return Next{
			"wait for the checksum in a second message, and compare it", act(registry.ActionExchangeMatch), c.Partner,
		}
	case registry.Matched:
		next := Next{"an approver approves it", act(registry.ActionExchangeApprove, approvalNeeds(c)...), WaitsForUs}
		if needsAnother(c, env) {
			next.Text, next.Waits = "somebody else approves it", WaitsForSecond
		}
		return next
	case registry.Approved, registry.Staged:
		if c.KeyID == "" && keyIDNeeded(prof) {
			return Next{"assign its key ID (alias)", act(registry.ActionExchangeAlias), WaitsForUs}
		}
		return Next{"put it to use", act(registry.ActionExchangeActivate), WaitsForUs}
	case registry.Retiring:
		return Next{
			"it still counts for messages that come late; retire it when there are none",
			act(registry.ActionExchangeRetire, registry.Reason), WaitsForNobody,
		}
	}
	return Next{Text: "nothing is left to do", Waits: WaitsForNobody}
}

// needsAnother reports whether a matched certificate needs the approval of somebody who has neither
// received nor matched it, or who has not asked for its waivers.
func needsAnother(c registry.Certificate, env registry.Environment) bool {
	return env.ApprovalsNeeded() > 1 || len(c.Provenance.Waivers) > 0 && env.Approvals != 1
}

// approvalNeeds are what the approval of a certificate asks for.
func approvalNeeds(c registry.Certificate) (needs []registry.Need) {
	if registry.Production(c.Environment) {
		needs = append(needs, registry.Change)
		if c.Provenance.Possession == "" {
			needs = append(needs, registry.CallBack)
		}
	}
	for _, w := range c.Provenance.Waivers {
		needs = append(needs, registry.Need{Kind: registry.NeedGrant, Value: w.Rule})
	}
	return needs
}

// notYet refuses an act that comes before its time, or too late.
func notYet(tx registry.Reader, c registry.Certificate) error {
	prof, err := registry.LoadProfile(tx, c.Profile)
	if err != nil {
		return err
	}
	next, err := nextOf(tx, c, prof)
	if err != nil {
		return err
	}
	return registry.Refuse("certificate %s is %s: %s", c.ID, c.State, next.Text).Then(next.Advice)
}

// offerAdvice is the advice to offer our certificate to a partner.
func offerAdvice(partner, environment string) registry.Advice {
	return registry.Advice{Action: registry.ActionExchangeOffer, Partner: partner, Environment: environment}
}

// nextOfOurs returns what comes after the state of a key pair of ours.
func nextOfOurs(p registry.Partner, k registry.KeyPair, offer registry.Offer, prof *profile.Profile) Next {
	act := func(a registry.Action, needs ...registry.Need) registry.Advice {
		advice := registry.Advice{Action: a, ID: k.ID, Environment: k.Environment, Needs: needs}
		if k.Partner == "" { // others share it
			advice.Partner = p.ID
		}
		return advice
	}
	imported := k.Origin == registry.Imported
	switch {
	case k.Alarm != nil && k.State.InUse():
		return NextOfAlarm(k.Alarm, k.ID, p.ID, k.Environment)
	case k.State == registry.Retiring:
		return Next{
			"it still opens messages that come late; retire it when there are none",
			act(registry.ActionKeyRetire, registry.Reason), WaitsForNobody,
		}
	case !k.State.InUse():
		return Next{Text: "nothing is left to do", Waits: WaitsForNobody}
	case offer.At.IsZero() && imported && k.Partner == "" && offer.Confirmed.IsZero():
		return Next{
			"send its certificate; if the partner has it already, record that", act(registry.ActionKeyInstalled),
			WaitsForUs,
		}
	case offer.At.IsZero() && !imported:
		return Next{"send its certificate", offerAdvice(p.ID, k.Environment), WaitsForUs}
	case k.KeyID == "" && keyIDNeeded(prof):
		return Next{
			theyAssign, act(registry.ActionExchangeAlias), p.ID,
		}
	case offer.Confirmed.IsZero():
		return Next{
			"wait until the partner says that it is installed, and record that", act(registry.ActionKeyInstalled),
			p.ID,
		}
	}
	return Next{Text: "nothing is left to do", Waits: WaitsForNobody}
}
