package exchange

import (
	"cmp"
	"context"
	"errors"
	"slices"
	"time"

	"github.com/sealane/sealane/internal/lanes"
	"github.com/sealane/sealane/internal/registry"
	"github.com/sealane/sealane/profile"
)

// Standing is the state of one certificate in the lanes with a partner, and what comes next.
type Standing struct {
	Certificate string         `json:"certificate"`
	KeyPair     string         `json:"key_pair,omitempty"` // of ours
	Owner       registry.Owner `json:"owner"`
	Partner     string         `json:"partner,omitempty"`
	Environment string         `json:"environment"`
	KeyID       string         `json:"key_id,omitempty"`
	CommonName  string         `json:"common_name"`
	State       registry.State `json:"state"`
	NotAfter    time.Time      `json:"not_after"`
	// Alarm is open until a person revokes the key or dismisses the alarm; nil: there is none.
	Alarm *registry.Alarm `json:"alarm,omitempty"`
	Next  Next            `json:"next"`
	// Damaged says that the row can't be read. The other members are as far as they are known.
	Damaged string `json:"damaged,omitempty"`
}

// Next is what comes next for a certificate.
type Next struct {
	Text   string          `json:"text"` // one sentence; an act of ours is in Advice
	Advice registry.Advice `json:"advice,omitzero"`
	Waits  string          `json:"waiting_for"` // one of the constants below, or a partner's identity
}

// Those who have to act next, if it is not the partner.
const (
	WaitsForUs     = "us"
	WaitsForSecond = "a second person"
	WaitsForNobody = "nobody"
)

// Status returns the standing of all certificates in the lanes with a partner; those of ours
// that all partners share are among them. Without an environment it returns those of all.
func Status(ctx context.Context, v *registry.Viewer, of lanes.Name) ([]Standing, error) {
	var all []Standing
	err := v.View(ctx, func(tx registry.Reader) error {
		p, err := tx.Partner(of.Partner)
		if err != nil {
			return err
		}
		prof, err := registry.LoadProfile(tx, p.Profile)
		if err != nil {
			return err
		}
		environments, damaged, err := registry.Readable(environmentsOf(tx, of))
		if err != nil {
			return err
		}
		all = nil
		for _, row := range damaged {
			all = append(all, damagedStanding(row, p.ID, ""))
		}
		for _, env := range environments {
			more, err := standingsIn(tx, p, env.Name, prof)
			if err != nil {
				return err
			}
			all = append(all, more...)
		}
		return nil
	})
	return all, err
}

// environmentsOf returns the environment that is named, or all of the partner's.
func environmentsOf(tx registry.Reader, of lanes.Name) ([]registry.Environment, error) {
	if of.Environment == "" {
		return tx.Environments(of.Partner)
	}
	env, err := registry.FindEnvironment(tx, of)
	return []registry.Environment{env}, err
}

func standingsIn(
	tx registry.Reader, p registry.Partner, environment string, prof *profile.Profile,
) ([]Standing, error) {
	pairs, damaged, err := registry.Readable(registry.PairsFor(tx, p, environment))
	if err != nil {
		return nil, err
	}
	offers, _, err := registry.Readable(tx.Offers(p.ID)) // those that can't be read are in damaged
	if err != nil {
		return nil, err
	}
	var list []Standing
	lacks := len(damaged) == 0 && needs(p, prof).ours && !slices.ContainsFunc(pairs, func(k registry.KeyPair) bool {
		return k.State == registry.Active
	})
	used := pairs
	if lacks && !slices.ContainsFunc(pairs, func(k registry.KeyPair) bool { return k.State == registry.Retiring }) {
		ended, err := lastEnded(tx, p, environment, offers)
		if err != nil {
			return nil, err
		}
		pairs = append(slices.Clip(pairs), ended...)
	}
	for _, k := range pairs {
		c, err := tx.Certificate(k.Certificate)
		if row, is := errors.AsType[*registry.DamagedRow](err); is {
			damaged = append(damaged, row)
			continue
		}
		if err != nil {
			return nil, err
		}
		s := newStanding(c)
		s.State, s.KeyPair, s.KeyID = k.State, k.ID, k.KeyID
		s.Next = nextOfOurs(p, k, offerOf(offers, k.ID), prof)
		if k.State.InUse() {
			s.Alarm = k.Alarm
		}
		if lacks {
			s.Next = withoutActive(s.Next, p, k, used)
		}
		list = append(list, s)
	}
	certificates, lost, err := registry.Readable(tx.Certificates(registry.CertificateQuery{
		Owner: registry.Theirs, Partner: p.ID, Environment: environment, Page: all,
	}))
	if err != nil {
		return nil, err
	}
	damaged = append(damaged, lost...)
	active := func(c registry.Certificate) bool { return c.State == registry.Active }
	lacks = len(lost) == 0 && needs(p, prof).theirs && !slices.ContainsFunc(certificates, active)
	for _, c := range certificates {
		s := newStanding(c)
		if s.Next, err = nextOf(tx, c, prof); err != nil {
			return nil, err
		}
		if lacks && (c.State == registry.Retiring && c.Alarm == nil || !c.State.Open() && !c.State.InUse()) {
			s.Next = withoutTheirs(c, certificates)
		}
		if c.State.InUse() {
			s.Alarm = c.Alarm
		}
		list = append(list, s)
	}
	for _, row := range damaged {
		list = append(list, damagedStanding(row, p.ID, environment))
	}
	return list, nil
}

// damagedStanding returns the line of a row that can't be read.
func damagedStanding(row *registry.DamagedRow, partner, environment string) Standing {
	s := Standing{
		Partner: partner, Environment: environment, Damaged: row.Error(),
		Next: Next{Text: "restore the row", Waits: WaitsForUs},
	}
	switch row.Table {
	case "certificate":
		s.Certificate = row.ID
	case "key_pair":
		s.KeyPair = row.ID
	}
	return s
}

// all asks for more rows than a partner has.
var all = registry.Page{Limit: 1000}

func newStanding(c registry.Certificate) Standing {
	return Standing{
		Certificate: c.ID, Owner: c.Owner, Partner: c.Partner, Environment: c.Environment, KeyID: c.KeyID,
		CommonName: c.CommonName, State: c.State, NotAfter: c.NotAfter,
	}
}

// nextOf is NextOf with the environment of the certificate, which says who approves it. One that
// can't be read has the rules of its name.
func nextOf(tx registry.Reader, c registry.Certificate, prof *profile.Profile) (Next, error) {
	env := registry.Environment{Name: c.Environment}
	if c.State == registry.Matched {
		stored, err := tx.Environment(c.Partner, c.Environment)
		if _, damaged := errors.AsType[*registry.DamagedRow](err); err != nil && !damaged {
			return Next{}, err
		} else if !damaged {
			env = stored
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
		return nextOfAlarm(c.Alarm, c.ID, c.Partner, c.Environment)
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
		return nextOfAlarm(k.Alarm, k.ID, p.ID, k.Environment)
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
			"wait for the key ID (alias) that the partner assigns, and record it", act(registry.ActionExchangeAlias),
			p.ID,
		}
	case offer.Confirmed.IsZero():
		return Next{
			"wait until the partner says that it is installed, and record that", act(registry.ActionKeyInstalled),
			p.ID,
		}
	}
	return Next{Text: "nothing is left to do", Waits: WaitsForNobody}
}

// StandingOf returns the state of a certificate or key pair, and what comes next. The partner is
// whom a key pair is about that all partners of a profile share; it may be empty.
func StandingOf(ctx context.Context, v *registry.Viewer, id, partner string) (
	state registry.State, next Next, err error,
) {
	err = v.View(ctx, func(tx registry.Reader) error {
		if IsKeyPair(id) {
			state, next, err = standingOfPair(tx, id, partner)
			return err
		}
		c, err := tx.Certificate(id)
		if err != nil {
			return err
		}
		prof, err := registry.LoadProfile(tx, c.Profile)
		if err != nil {
			return err
		}
		state = c.State
		if next, err = nextOf(tx, c, prof); err != nil {
			return err
		}
		if c.Owner != registry.Theirs || c.State.Open() {
			return nil
		}
		p, err := tx.Partner(c.Partner)
		if err != nil {
			return err
		}
		all, err := standingsIn(tx, p, c.Environment, prof)
		for _, s := range all {
			if s.Certificate == id {
				next = s.Next
			}
		}
		return err
	})
	return state, next, err
}

func standingOfPair(tx registry.Reader, id, partner string) (registry.State, Next, error) {
	k, _, err := ourPair(tx, id)
	if err != nil {
		return "", Next{}, err
	}
	done := Next{Text: "nothing is left to do", Waits: WaitsForNobody}
	if partner = cmp.Or(partner, k.Partner); partner == "" {
		if k.State.InUse() {
			done.Text = "offer its certificate to each partner"
			return k.State, done, nil
		}
		others, err := tx.KeyPairs(registry.KeyPairQuery{
			Profile: k.Profile, Shared: true, Environment: k.Environment, States: registry.StatesInUse,
		})
		if err == nil && len(others) == 0 {
			done = Next{
				"no active key: make a new one, and offer it to each partner",
				registry.Advice{Action: registry.ActionKeyCreate, Environment: k.Environment}, WaitsForUs,
			}
		}
		return k.State, done, err
	}
	p, err := tx.Partner(partner)
	if err != nil {
		return "", Next{}, err
	}
	prof, err := registry.LoadProfile(tx, p.Profile)
	if err != nil {
		return "", Next{}, err
	}
	all, err := standingsIn(tx, p, k.Environment, prof)
	if err != nil {
		return "", Next{}, err
	}
	lacks := needs(p, prof).ours
	for _, s := range all {
		if s.KeyPair == id {
			return s.State, s.Next, nil
		}
		lacks = lacks && (s.Owner != registry.Ours || s.State != registry.Active)
	}
	if !lacks { // it has ended
		return k.State, done, nil
	}
	used, err := registry.PairsFor(tx, p, k.Environment)
	return k.State, withoutActive(done, p, k, used), err
}
