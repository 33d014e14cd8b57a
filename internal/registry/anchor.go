package registry

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"

	"github.com/sealane/sealane/internal/audit"
)

// settingAnchors is how each anchor of the audit log is doing, so that a pace goes
// on from process to process.
const settingAnchors = "anchor-status"

// AnchorWith has each new head of the audit log offered to a. What can't be
// anchored is told to failed, and holds nothing up: the change is recorded, and the
// head due again at the next one.
func (r *Registry) AnchorWith(ctx context.Context, a *audit.Anchorer, failed func(error)) error {
	var earlier []audit.AnchorStatus
	err := r.Store.View(ctx, func(tx Tx) error {
		text, err := tx.Setting(settingAnchors)
		if err != nil || len(text) == 0 {
			return err
		}
		return json.Unmarshal(text, &earlier)
	})
	if err != nil {
		return fmt.Errorf("read the anchors' status: %w", err)
	}
	a.Resume(earlier)
	r.Recorded = func(ctx context.Context, h audit.Head) {
		if err := errors.Join(a.Head(ctx, h), r.keepStatus(ctx, a)); err != nil {
			failed(err)
		}
	}
	return nil
}

func (r *Registry) keepStatus(ctx context.Context, a *audit.Anchorer) error {
	text, err := json.Marshal(a.Status())
	if err != nil {
		return err
	}
	return r.Store.Update(ctx, func(tx Tx) error { return tx.PutSetting(settingAnchors, text) })
}

// Anchor offers the present head, whether or not it is new.
func (r *Registry) Anchor(ctx context.Context) (head audit.Head, err error) {
	err = r.Store.View(ctx, func(tx Tx) error {
		head, err = tx.AuditHead()
		return err
	})
	if err == nil && r.Recorded != nil {
		r.Recorded(ctx, head)
	}
	return head, err
}
