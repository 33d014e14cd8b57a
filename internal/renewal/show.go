package renewal

import (
	"context"
	"time"

	"github.com/sealane/sealane/internal/registry"
)

// Shown is a renewal with what its two keys may do now.
type Shown struct {
	registry.Renewal
	Keys []KeyUse `json:"keys"`
	// Nodes are those that may not have the last change of a key yet.
	Nodes []string `json:"nodes_without,omitempty"`
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

// Show returns a renewal as it is now.
func Show(ctx context.Context, v *registry.Viewer, of Name) (out Shown, err error) {
	err = v.View(ctx, func(tx registry.Reader) error {
		n, err := registry.FindRenewal(tx, of.ID, of.Partner)
		if err != nil {
			return err
		}
		out = Shown{Renewal: n}
		for _, id := range []string{n.Replaces, n.Successor} {
			if id == "" {
				continue
			}
			k, err := useOf(tx, n, id)
			if err != nil {
				return err
			}
			out.Keys = append(out.Keys, k)
		}
		record := max(n.Staged, n.Activated)
		if record == 0 || n.Step.Closed() {
			return nil
		}
		out.Nodes, err = registry.NodesWithout(tx, record, v.Time())
		return err
	})
	return out, err
}

func useOf(tx registry.Reader, n registry.Renewal, id string) (KeyUse, error) {
	c, err := certificateOf(tx, n.Leg, id)
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
