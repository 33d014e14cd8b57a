package renewal

import (
	"context"
	"errors"
	"time"

	"github.com/sealane/sealane/internal/exchange"
	"github.com/sealane/sealane/internal/registry"
)

// Standing is a renewal with what comes next.
type Standing struct {
	registry.Renewal
	Next exchange.Next `json:"next"`
	// Nodes are those that may not have the last change of a key yet.
	Nodes []string `json:"nodes_without,omitempty"`
}

// Shown is a renewal with what comes next, and what its two keys may do now.
type Shown struct {
	Standing
	Keys []KeyUse `json:"keys"`
	// Progress is how far a campaign has come; nil: it is of one partner.
	Progress *Progress `json:"progress,omitempty"`
}

// KeyUse is what one key may do.
type KeyUse struct {
	ID       string           `json:"id"`
	KeyID    string           `json:"key_id,omitempty"`
	State    registry.State   `json:"state"`
	Bits     int              `json:"bits"`
	NotAfter time.Time        `json:"not_after"`
	Seals    bool             `json:"seals"` // we sign by it (ours), or encrypt to it (theirs), what we begin
	Opens    bool             `json:"opens"` // it opens (ours) or verifies (theirs)
	Used     []registry.Usage `json:"used,omitempty"`
}

// Standings returns renewals with what comes next for each.
func Standings(tx registry.Reader, list []registry.Renewal, now time.Time) ([]Standing, error) {
	all, renewing := make([]Standing, len(list)), exchange.NewRenewing(tx, now)
	for i, n := range list {
		next, nodes, err := renewing.Next(n)
		if row, damaged := errors.AsType[*registry.DamagedRow](err); damaged {
			next, err = exchange.Next{Text: "restore the row: " + row.Error(), Waits: exchange.WaitsForUs}, nil
		}
		if err != nil {
			return nil, err
		}
		all[i] = Standing{n, next, nodes}
	}
	return all, nil
}

// Show returns a renewal as it is now.
func Show(ctx context.Context, v *registry.Viewer, of Name) (out Shown, err error) {
	err = v.View(ctx, func(tx registry.Reader) error {
		n, err := registry.FindRenewal(tx, of.ID, of.Partner)
		if err != nil {
			return err
		}
		out, err = ShownAt(tx, n, v.Time())
		return err
	})
	if err != nil || out.Partner != "" || out.Successor == "" || out.Step.Closed() {
		return out, err
	}
	progress, err := ProgressOf(ctx, v, out.Renewal)
	out.Progress = &progress
	return out, err
}

// ShownAt returns a renewal as it is at a time.
func ShownAt(tx registry.Reader, n registry.Renewal, now time.Time) (out Shown, err error) {
	standings, err := Standings(tx, []registry.Renewal{n}, now)
	if err != nil {
		return out, err
	}
	out = Shown{Standing: standings[0]}
	for _, id := range []string{n.Replaces, n.Successor} {
		if id == "" {
			continue
		}
		k, err := useOf(tx, n, id)
		if _, damaged := errors.AsType[*registry.DamagedRow](err); damaged { // the next step says so
			continue
		}
		if err != nil {
			return out, err
		}
		out.Keys = append(out.Keys, k)
	}
	return out, nil
}

func useOf(tx registry.Reader, n registry.Renewal, id string) (KeyUse, error) {
	c, err := registry.CertificateOfKey(tx, n.Leg, id)
	if err != nil {
		return KeyUse{}, err
	}
	state, err := registry.StateOf(tx, n.Leg, id)
	if err != nil {
		return KeyUse{}, err
	}
	used, err := tx.KeyUsage(id, n.Partner)
	return KeyUse{
		ID: id, KeyID: c.KeyID, State: state, Bits: c.Bits, NotAfter: c.NotAfter,
		Seals: state == registry.Active, Opens: state.InUse(), Used: used,
	}, err
}

// Patience is how long people wait for a pass of a schedule that goes well, and for what one must begin, before they
// are told.
const Patience = 26 * time.Hour

// Stopped returns the time of [LastPass], and reports whether that is longer ago than [Patience] while a key is in
// use.
func Stopped(tx registry.Reader, now time.Time) (last time.Time, is bool, err error) {
	last, err = LastPass(tx, now)
	if err != nil || now.Sub(last) <= Patience {
		return last, false, err
	}
	used, damaged, err := registry.Readable(tx.Certificates(registry.CertificateQuery{
		States: []registry.State{registry.Active}, Brief: true, Page: registry.Page{Limit: 1},
	}))
	return last, len(used)+len(damaged) > 0, err
}

// NoPass says since when no schedule has worked.
func NoPass(last time.Time) string {
	if last.IsZero() {
		return "no schedule has worked yet"
	}
	return "no schedule has worked since " + last.UTC().Format("2006-01-02 15:04 UTC")
}

// LastPass returns when a pass of a schedule has gone well last, and zero if none has.
func LastPass(tx registry.Reader, now time.Time) (time.Time, error) {
	last, err := tx.Claimed(passed)
	switch {
	case last.After(now.Add(time.Hour)): // a clock was wrong
		return time.Time{}, err
	case last.After(now):
		return now, err
	}
	return last, err
}
