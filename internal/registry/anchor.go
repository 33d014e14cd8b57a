package registry

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"

	"github.com/sealane/sealane/internal/audit"
)

// settingAnchors is how each anchor of the audit log is doing, so that a pace goes
// on from process to process.
const settingAnchors = "anchor-status"

// AnchorWith has each new head of the audit log offered to a. What can't be
// anchored is told to failed, and holds nothing up: the change is recorded, and the
// head due again at the next one.
func (r *Registry) AnchorWith(ctx context.Context, a *audit.Anchorer, failed func(error)) error {
	err := r.Store.View(ctx, func(tx Tx) error {
		earlier, err := anchorStatus(tx)
		a.Resume(earlier)
		return err
	})
	if errors.Is(err, errStatus) {
		failed(err) // what it held is due at once
	} else if err != nil {
		return fmt.Errorf("read the anchors' status: %w", err)
	}
	r.Recorded = func(ctx context.Context, h audit.Head) {
		if err := errors.Join(a.Head(ctx, h), r.keepStatus(ctx, a)); err != nil {
			failed(err)
		}
	}
	return nil
}

// Anchor writes the present head to the anchors of a, whether it is due or not, and
// whether they have it already or not.
func (r *Registry) Anchor(ctx context.Context, a *audit.Anchorer) (head audit.Head, err error) {
	err = r.Store.View(ctx, func(tx Tx) error {
		head, err = tx.AuditHead()
		return err
	})
	if err != nil {
		return head, err
	}
	return head, errors.Join(a.Write(ctx, head), r.keepStatus(ctx, a))
}

var errStatus = errors.New("the stored status of the anchors is damaged, and begun anew")

func anchorStatus(tx Tx) (all []audit.AnchorStatus, err error) {
	text, err := tx.Setting(settingAnchors)
	if err != nil || len(text) == 0 {
		return nil, err
	}
	if json.Unmarshal(text, &all) != nil {
		return nil, errStatus
	}
	return all, nil
}

// keepStatus leaves that of other anchors as it is: another program writes to them.
func (r *Registry) keepStatus(ctx context.Context, a *audit.Anchorer) error {
	return r.Store.Update(ctx, func(tx Tx) error {
		stored, err := anchorStatus(tx)
		if err != nil && !errors.Is(err, errStatus) {
			return err
		}
		all := a.Status()
		for _, s := range stored {
			if !slices.ContainsFunc(all, func(ours audit.AnchorStatus) bool { return ours.Anchor == s.Anchor }) {
				all = append(all, s)
			}
		}
		text, err := json.Marshal(all)
		if err != nil {
			return err
		}
		return tx.PutSetting(settingAnchors, text)
	})
}
