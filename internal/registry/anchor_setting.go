package registry

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/sealane/sealane/internal/audit"
)

// settingAnchorsExpected are the addresses of the anchors that every program writes to.
const settingAnchorsExpected = "anchors"

// maxAnchors is how many anchors a registry has.
const maxAnchors = 8

// Anchors returns the addresses of the anchors that every program writes the audit log's heads
// to, as [audit.OpenAnchor] reads them.
func (r *Registry) Anchors(ctx context.Context) (addresses []string, err error) {
	err = r.Store.View(ctx, func(tx Reader) (err error) {
		addresses, err = anchorAddresses(tx)
		return err
	})
	return addresses, err
}

func anchorAddresses(tx Reader) (addresses []string, err error) {
	text, err := tx.Setting(settingAnchorsExpected)
	if err == nil && len(text) > 0 && json.Unmarshal(text, &addresses) != nil {
		err = errors.New("the setting of the registry's anchors is damaged: an administrator sets them again")
	}
	return addresses, err
}

// SetAnchors sets the anchors of the registry, in place of those that it has. Each must be usable
// by this program. The audit log has their names, and not their addresses, which may be secrets. If
// there are other approvers, one of them must agree to remove one.
func (s *Session) SetAnchors(ctx context.Context, addresses []string) error {
	if len(addresses) > maxAnchors {
		return Refuse("%d anchors are too many: a registry has at most %d", len(addresses), maxAnchors)
	}
	var names []string
	for _, address := range addresses {
		a, err := audit.OpenAnchor(address)
		if err != nil {
			return err
		}
		if slices.Contains(names, a.String()) {
			return Refuse("anchor %s is named twice", a)
		}
		names = append(names, a.String())
	}
	return s.Change(ctx, Entry{Action: ActionAnchorsSet, Subject: "setting/" + settingAnchorsExpected},
		func(tx Tx, entry *Entry) error {
			entry.Before = map[string]any{"anchors": namesOfAnchors(tx)}
			entry.After = map[string]any{"anchors": names}
			text, err := json.Marshal(addresses)
			if err != nil {
				return err
			}
			if removed := removedAnchors(tx, addresses); len(removed) > 0 {
				entry.asks = &second{
					why:  "the audit log's heads are no longer written to " + strings.Join(removed, ", "),
					what: fmt.Sprintf("%x", digest(text)),
				}
			}
			return tx.PutSetting(settingAnchorsExpected, text)
		})
}

// removedAnchors returns the names of the anchors that are not at one of some addresses. Another
// address is another anchor, though its name may be the same: the name has no secret of it.
func removedAnchors(tx Reader, stay []string) (names []string) {
	addresses, err := anchorAddresses(tx)
	if err != nil {
		return []string{"anchors that can't be read"}
	}
	for _, address := range addresses {
		if slices.Contains(stay, address) {
			continue
		}
		name, err := audit.AnchorName(address)
		if err != nil {
			name = "an anchor that can't be read"
		}
		names = append(names, name)
	}
	return names
}

// namesOfAnchors returns the names of the registry's anchors, as far as they can be read.
func namesOfAnchors(tx Reader) (names []string) {
	addresses, err := anchorAddresses(tx)
	if err != nil {
		return []string{err.Error()}
	}
	for _, address := range addresses {
		name, err := audit.AnchorName(address)
		if err != nil {
			name = err.Error()
		}
		names = append(names, name)
	}
	return names
}

// OpenAnchors returns the registry's anchors and those at the other addresses, for AnchorWith. It
// is nil if none is named. unusable has an error for each that this program can't use: its changes
// are not anchored there.
func (r *Registry) OpenAnchors(
	ctx context.Context, others []string,
) (a *audit.Anchorer, unusable []error, err error) {
	own, err := r.Anchors(ctx)
	if err != nil || len(own)+len(others) == 0 {
		return nil, nil, err
	}
	a = &audit.Anchorer{Now: r.Now}
	for i, address := range append(own, others...) {
		anchor, err := audit.OpenAnchor(address)
		switch {
		case err != nil && i < len(own):
			err = fmt.Errorf("changes by this program are not anchored where the registry wants it: %w", err)
			unusable = append(unusable, err)
		case err != nil:
			unusable = append(unusable, fmt.Errorf("the audit log's head is not anchored there: %w", err))
		case !slices.ContainsFunc(a.Anchors, func(o audit.Anchor) bool { return o.String() == anchor.String() }):
			a.Anchors = append(a.Anchors, anchor)
		}
	}
	return a, unusable, nil
}
