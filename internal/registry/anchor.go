package registry

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"

	"github.com/sealane/sealane/internal/audit"
)

// settingAnchors is what is known of each anchor of the audit log, so that one that hangs is
// remembered from process to process.
const settingAnchors = "anchor-status"

// AnchorWith has each new head of the audit log written by a. It calls failed with what goes
// wrong with the anchors. That holds nothing up: the change is recorded.
func (r *Registry) AnchorWith(ctx context.Context, a *audit.Anchorer, failed func(error)) error {
	err := r.Store.View(ctx, func(tx Reader) error {
		stored, err := anchorStatus(tx)
		if errors.Is(err, errStatus) {
			failed(err)
		} else if err != nil {
			return err
		}
		a.Earlier = stored
		for _, status := range a.Status() {
			contradiction, err := status.Check(tx)
			if err != nil {
				return err
			}
			if contradiction != nil {
				failed(contradiction)
			}
		}
		return nil
	})
	if err != nil {
		return fmt.Errorf("read the anchors' status: %w", err)
	}
	r.Recorded = func(ctx context.Context, h audit.Head) {
		if err := errors.Join(a.Head(ctx, h), r.storeStatus(ctx, a)); err != nil {
			failed(err)
		}
	}
	return nil
}

// Anchor writes the present head to the anchors of a, also to those that failed or have it
// already.
func (r *Registry) Anchor(ctx context.Context, a *audit.Anchorer) (head audit.Head, err error) {
	err = r.Store.View(ctx, func(tx Reader) error {
		head, err = tx.AuditHead()
		return err
	})
	if err != nil {
		return head, err
	}
	return head, errors.Join(a.Write(ctx, head), r.storeStatus(ctx, a))
}

// AnchorLook is what is known of an anchor.
type AnchorLook struct {
	audit.AnchorStatus
	// Expected reports whether the registry's own setting names it. Else it is that of a program.
	Expected bool
	// Contradiction says why the audit log can't be the one whose head was written there; empty: it can.
	Contradiction string
}

// LookAtAnchors returns the registry's anchors, and others that programs have written to, as programs have
// found them.
func LookAtAnchors(tx Reader) (all []AnchorLook, err error) {
	stored, err := anchorStatus(tx)
	if err != nil && !errors.Is(err, errStatus) {
		return nil, err
	}
	for _, name := range namesOfAnchors(tx) {
		all = append(all, AnchorLook{AnchorStatus: audit.AnchorStatus{Anchor: name}, Expected: true})
	}
	for _, s := range stored {
		at := slices.IndexFunc(all, func(a AnchorLook) bool { return a.Anchor == s.Anchor })
		if at < 0 {
			all, at = append(all, AnchorLook{}), len(all)
		}
		all[at].AnchorStatus = s
		contradiction, err := s.Check(tx)
		if err != nil {
			return nil, err
		}
		if contradiction != nil {
			all[at].Contradiction = contradiction.Error()
		}
	}
	return all, nil
}

var errStatus = errors.New("the stored status of the anchors is damaged, and begun anew")

func anchorStatus(tx Reader) (all []audit.AnchorStatus, err error) {
	text, err := tx.Setting(settingAnchors)
	if err != nil || len(text) == 0 {
		return nil, err
	}
	if json.Unmarshal(text, &all) != nil {
		return nil, errStatus
	}
	return all, nil
}

// storeStatus stores the status of the anchors of a. It keeps that of others, to which other
// programs write.
func (r *Registry) storeStatus(ctx context.Context, a *audit.Anchorer) error {
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
