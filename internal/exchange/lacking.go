package exchange

import (
	"context"
	"errors"
	"slices"

	"github.com/sealane/sealane"
	"github.com/sealane/sealane/cert"
	"github.com/sealane/sealane/internal/registry"
	"github.com/sealane/sealane/profile"
)

// withoutActive returns what comes next for a pair of ours in a lane that has no active one. used
// are those that it has.
func withoutActive(next Next, p registry.Partner, k registry.KeyPair, used []registry.KeyPair) Next {
	const none = "no active key: "
	switch {
	case k.State == registry.Retiring && k.Alarm == nil:
		again := registry.Advice{Action: registry.ActionKeyInstalled, ID: k.ID, Environment: k.Environment}
		if k.Partner == "" {
			again.Partner = p.ID
		}
		return Next{none + "if the partner uses this one again, record that; otherwise offer a new one", again,
			WaitsForUs}
	case k.State.InUse():
		return next
	case len(used) > 0: // it says by itself what comes next
		return Next{Text: none + "go on with " + used[0].ID, Waits: WaitsForNobody}
	}
	return Next{none + "offer a new one", offerAdvice(p.ID, k.Environment), WaitsForUs}
}

// withoutTheirs returns what comes next for a partner's certificate, which is retiring or has
// ended, in a lane that has no active one.
func withoutTheirs(c registry.Certificate, all []registry.Certificate) Next {
	const none = "no active certificate: "
	next := registry.Advice{Partner: c.Partner, Environment: c.Environment}
	if c.State == registry.Retiring {
		next.Action, next.ID = registry.ActionExchangeActivate, c.ID
		return Next{none + "put this one to use again, or exchange a new one", next, WaitsForUs}
	}
	for _, o := range all {
		if o.State.Open() || o.State.InUse() { // it says by itself what comes next
			return Next{Text: none + "go on with " + o.ID, Waits: WaitsForNobody}
		}
	}
	next.Action = registry.ActionExchangeReceive
	return Next{none + "ask for a new one, and receive it", next, c.Partner}
}

// endedPairs returns the pairs of ours that were for a partner alone and have ended.
func endedPairs(tx registry.Reader, p registry.Partner, environment string) ([]registry.KeyPair, error) {
	return tx.KeyPairs(registry.KeyPairQuery{
		Profile: p.Profile, Partner: p.ID, Environment: environment, Page: all,
		States: []registry.State{registry.Retired, registry.Destroyed, registry.Expired, registry.Compromised},
	})
}

// lastEnded returns the pair of ours that ended last in the lanes with a partner, of those that the
// partner had installed: its own, or a shared one. There may be none.
func lastEnded(
	tx registry.Reader, p registry.Partner, environment string, offers []registry.Offer,
) (last []registry.KeyPair, err error) {
	for _, o := range offers {
		if o.Confirmed.IsZero() {
			continue
		}
		k, err := tx.KeyPair(o.KeyPair)
		if err != nil {
			return nil, err
		}
		ended := k.Profile == p.Profile && k.Environment == environment && !k.State.InUse()
		if ended && (last == nil || k.Changed.After(last[0].Changed)) {
			last = []registry.KeyPair{k}
		}
	}
	return last, nil
}

// damaged adds a refusal for each row that a check could not read. It returns any other error.
func (p *preflight) damaged(err error) error {
	rows, several := errors.AsType[registry.DamagedRows](err)
	if row, one := errors.AsType[*registry.DamagedRow](err); one && !several {
		rows = registry.DamagedRows{row}
	}
	if rows == nil {
		return err
	}
	for _, row := range rows {
		f := cert.Finding{
			Code: "damaged-row", Name: row.Row, Level: cert.Refused, Found: "the stored row is damaged: " + row.Why,
			Remedy: "restore the row, or put it in order",
		}
		same := func(c registry.Check) bool { return c.Code == f.Code && c.Name == f.Name }
		if !slices.ContainsFunc(p.checks, same) {
			p.add(f, none)
		}
	}
	return nil
}

// Needing returns the sides of profiles whose lanes need a key pair of ours, and those whose lanes need a
// certificate of the partner.
func Needing(tx registry.Reader) (ours, theirs []registry.Side, err error) {
	names := profile.Names()
	added, _, err := registry.Readable(tx.Profiles())
	if err != nil {
		return nil, nil, err
	}
	for _, p := range added {
		names = append(names, p.Name)
	}
	for _, name := range names {
		prof, err := registry.LoadProfile(tx, name)
		if _, damaged := errors.AsType[*registry.DamagedRow](err); damaged { // its lanes say so themselves
			continue
		}
		if err != nil {
			return nil, nil, err
		}
		for _, side := range []sealane.Side{sealane.ServerSide, sealane.ClientSide} {
			needed := needs(registry.Partner{Side: side}, prof)
			of := registry.Side{Profile: name, Side: side}
			if needed.ours {
				ours = append(ours, of)
			}
			if needed.theirs {
				theirs = append(theirs, of)
			}
		}
	}
	return ours, theirs, nil
}

// NeedsOurs reports whether the lanes with a partner need a key pair of ours.
func NeedsOurs(ctx context.Context, v *registry.Viewer, partner string) (needed bool, err error) {
	err = v.View(ctx, func(tx registry.Reader) error {
		p, err := tx.Partner(partner)
		if err != nil {
			return err
		}
		prof, err := registry.LoadProfile(tx, p.Profile)
		needed = err == nil && needs(p, prof).ours
		return err
	})
	return needed, err
}
