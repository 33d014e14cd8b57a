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
	Since       time.Time      `json:"since"` // when it came into that state
	NotAfter    time.Time      `json:"not_after"`
	// Due is when the successor of an active key is due; it is zero for any other.
	Due time.Time `json:"due,omitzero"`
	// Alarm is open until a person revokes the key or dismisses the alarm; nil: there is none.
	Alarm *registry.Alarm `json:"alarm,omitempty"`
	Next  Next            `json:"next"`
	// Damaged says that the row can't be read. The other members are as far as they are known.
	Damaged string `json:"damaged,omitempty"`
}

// Status returns the standing of all certificates in the lanes with a partner; those of ours
// that all partners share are among them. Without an environment it returns those of all.
func Status(ctx context.Context, v *registry.Viewer, of lanes.Name) ([]Standing, error) {
	var all []Standing
	err := v.View(ctx, func(tx registry.Reader) (err error) {
		all, err = StatusAt(tx, of, v.Time())
		return err
	})
	return all, err
}

// StatusAt is Status in a transaction, as it is at a time.
func StatusAt(tx registry.Reader, of lanes.Name, now time.Time) (all []Standing, err error) {
	p, err := tx.Partner(of.Partner)
	if err != nil {
		return nil, err
	}
	prof, err := registry.LoadProfile(tx, p.Profile)
	if err != nil {
		return nil, err
	}
	environments, damaged, err := registry.Readable(environmentsOf(tx, of))
	if err != nil {
		return nil, err
	}
	for _, row := range damaged {
		all = append(all, damagedStanding(row, p.ID, ""))
	}
	for _, env := range environments {
		more, err := standingsIn(tx, p, env, prof, now)
		if err != nil {
			return nil, err
		}
		withDue(more, now)
		all = append(all, more...)
	}
	return all, nil
}

// environmentsOf returns the environment that is named, or all of the partner's.
func environmentsOf(tx registry.Reader, of lanes.Name) ([]registry.Environment, error) {
	if of.Environment == "" {
		return tx.Environments(of.Partner)
	}
	env, err := registry.FindEnvironment(tx, of)
	return []registry.Environment{env}, err
}

// standingsOf are the standings in an environment that is named.
func standingsOf(
	tx registry.Reader, p registry.Partner, environment string, prof *profile.Profile, now time.Time,
) ([]Standing, error) {
	env, err := rulesOf(tx, p.ID, environment)
	if errors.Is(err, registry.ErrNotFound) { // a partner is named that has no such lane
		env, err = registry.Environment{Name: environment}, nil
	}
	if err != nil {
		return nil, err
	}
	all, err := standingsIn(tx, p, env, prof, now)
	withDue(all, now)
	return all, err
}

func standingsIn(
	tx registry.Reader, p registry.Partner, env registry.Environment, prof *profile.Profile, now time.Time,
) ([]Standing, error) {
	list, damaged, err := standingsOfOurs(tx, p, env, prof)
	if err != nil {
		return nil, err
	}
	theirs, lost, err := standingsOfTheirs(tx, p, env, prof)
	if err != nil {
		return nil, err
	}
	list = append(list, theirs...)
	for _, row := range append(damaged, lost...) {
		list = append(list, damagedStanding(row, p.ID, env.Name))
	}
	return list, inRenewals(tx, p, env.Name, list, now)
}

// standingsOfOurs returns those of our key pairs, and the rows that can't be read.
func standingsOfOurs(
	tx registry.Reader, p registry.Partner, env registry.Environment, prof *profile.Profile,
) (list []Standing, damaged registry.DamagedRows, err error) {
	pairs, damaged, err := registry.Readable(registry.PairsFor(tx, p, env.Name))
	if err != nil {
		return nil, nil, err
	}
	offers, _, err := registry.Readable(tx.Offers(p.ID)) // those that can't be read are in damaged
	if err != nil {
		return nil, nil, err
	}
	has := func(s registry.State) bool {
		return slices.ContainsFunc(pairs, func(k registry.KeyPair) bool { return k.State == s })
	}
	lacks := len(damaged) == 0 && needs(p, prof).ours && !has(registry.Active)
	used := pairs
	ended, lost, err := registry.Readable(endedPairs(tx, p, env.Name))
	if err != nil {
		return nil, nil, err
	}
	damaged = append(damaged, lost...)
	if lacks && !has(registry.Retiring) {
		last, err := lastEnded(tx, p, env.Name, offers)
		if err != nil {
			return nil, nil, err
		}
		for _, k := range last {
			if !slices.ContainsFunc(ended, func(o registry.KeyPair) bool { return o.ID == k.ID }) {
				ended = append(ended, k)
			}
		}
	}
	for _, k := range slices.Concat(pairs, ended) {
		c, err := tx.Certificate(k.Certificate)
		if row, is := errors.AsType[*registry.DamagedRow](err); is {
			damaged = append(damaged, row)
			continue
		}
		if err != nil {
			return nil, nil, err
		}
		offer := offerOf(offers, k.ID)
		s := newStanding(c)
		s.State, s.Since, s.KeyPair, s.KeyID = k.State, k.Changed, k.ID, k.KeyID
		if k.Partner == "" && k.State == registry.Active { // for this partner
			s.Since = offer.Confirmed
		}
		if k.State == registry.Active {
			s.Due = c.Due(env.Rotation)
		}
		s.Next = nextOfOurs(p, k, offer, prof)
		if k.State.InUse() {
			s.Alarm = k.Alarm
		}
		if lacks {
			s.Next = withoutActive(s.Next, p, k, used)
		}
		list = append(list, s)
	}
	return list, damaged, nil
}

// standingsOfTheirs returns those of a partner's certificates, and the rows that can't be read.
func standingsOfTheirs(
	tx registry.Reader, p registry.Partner, env registry.Environment, prof *profile.Profile,
) (list []Standing, damaged registry.DamagedRows, err error) {
	certificates, damaged, err := registry.Readable(tx.Certificates(registry.CertificateQuery{
		Owner: registry.Theirs, Partner: p.ID, Environment: env.Name, Page: all,
	}))
	if err != nil {
		return nil, nil, err
	}
	active := func(c registry.Certificate) bool { return c.State == registry.Active }
	lacks := len(damaged) == 0 && needs(p, prof).theirs && !slices.ContainsFunc(certificates, active)
	for _, c := range certificates {
		s := newStanding(c)
		if s.Next, err = nextOf(tx, c, prof); err != nil {
			return nil, nil, err
		}
		if lacks && (c.State == registry.Retiring && c.Alarm == nil || !c.State.Open() && !c.State.InUse()) {
			s.Next = withoutTheirs(c, certificates)
		}
		if c.State == registry.Active {
			s.Due = c.Due(env.Rotation)
		}
		if c.State.InUse() {
			s.Alarm = c.Alarm
		}
		list = append(list, s)
	}
	return list, damaged, nil
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
		CommonName: c.CommonName, State: c.State, Since: c.Changed, NotAfter: c.NotAfter,
	}
}

// StandingOf returns the state of a certificate or key pair, and what comes next. The partner is
// whom a key pair is about that all partners of a profile share; it may be empty.
func StandingOf(ctx context.Context, v *registry.Viewer, id, partner string) (
	state registry.State, next Next, err error,
) {
	err = v.View(ctx, func(tx registry.Reader) error {
		if IsKeyPair(id) {
			state, next, err = standingOfPair(tx, id, partner, v.Time())
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
		if c.Owner != registry.Theirs || c.State == registry.Received || c.State == registry.Matched {
			return nil
		}
		p, err := tx.Partner(c.Partner)
		if err != nil {
			return err
		}
		all, err := standingsOf(tx, p, c.Environment, prof, v.Time())
		for _, s := range all {
			if s.Certificate == id {
				next = s.Next
			}
		}
		return err
	})
	return state, next, err
}

// nextOfShared returns what comes next for a pair in use that partners share.
func nextOfShared(tx registry.Reader, k registry.KeyPair, c registry.Certificate, now time.Time) (Next, error) {
	leg := registry.Leg{Owner: registry.Ours, Profile: k.Profile, Environment: k.Environment}
	n, err := tx.OpenRenewal(leg)
	switch {
	case err == nil && (n.Replaces == k.ID || n.Successor == k.ID):
		next, _, err := NextInRenewal(tx, n, now)
		return next, err
	case err != nil && !errors.Is(err, registry.ErrNotFound):
		return Next{}, err
	}
	r, err := registry.RotationOf(tx, leg, k.ID)
	if err != nil {
		return Next{}, err
	}
	if due := c.Due(r); k.State == registry.Active && !now.Before(due) {
		return NextOfDue(registry.Ours, "", k.Environment, due), nil
	}
	return Next{Text: "offer its certificate to each partner", Waits: WaitsForNobody}, nil
}

func standingOfPair(tx registry.Reader, id, partner string, now time.Time) (registry.State, Next, error) {
	k, c, err := ourPair(tx, id)
	if err != nil {
		return "", Next{}, err
	}
	done := Next{Text: "nothing is left to do", Waits: WaitsForNobody}
	if partner = cmp.Or(partner, k.Partner); partner == "" {
		if k.State.InUse() {
			next, err := nextOfShared(tx, k, c, now)
			return k.State, next, err
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
	all, err := standingsOf(tx, p, k.Environment, prof, now)
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
