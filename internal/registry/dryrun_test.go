package registry_test

import (
	"errors"
	"testing"

	"github.com/sealane/sealane"
	"github.com/sealane/sealane/internal/registry"
)

// A dry run judges changes as usual, each with those before it, and stores none of them. A change
// that fails in it leaves nothing for the next.
func TestDryRun(t *testing.T) {
	onBoth(t, func(t *testing.T, address string) {
		s, _ := founded(t, address)
		ctx := t.Context()
		acme := registry.Partner{ID: "acme", Name: "Acme", Profile: "riskos", Side: sealane.ServerSide}
		dev := registry.Environment{Partner: "acme", Name: "DEV", Sealing: sealane.SealingRequired}
		head := func() (seq int64) {
			must(t, s.View(ctx, func(tx registry.Reader) error {
				h, err := tx.AuditHead()
				seq = h.Seq
				return err
			}))
			return seq
		}
		before, ran := head(), 0
		must(t, s.DryRun(ctx, func(dry *registry.Session) {
			ran++
			if err := dry.AddEnvironment(ctx, dev); !errors.Is(err, registry.ErrNotFound) {
				t.Errorf("without a partner: %v", err)
			}
			moon := registry.NewPartner{Partner: acme, Environment: registry.Environment{Name: "MOON"}}
			if err := dry.AddPartnerWith(ctx, moon); err == nil {
				t.Error("an environment that the profile does not have was added")
			}
			must(t, dry.AddPartner(ctx, acme))
			must(t, dry.AddEnvironment(ctx, dev))
			if err := dry.AddEnvironment(ctx, dev); !errors.Is(err, registry.ErrExists) {
				t.Errorf("twice: %v", err)
			}
			must(t, dry.View(ctx, func(tx registry.Reader) error {
				_, err := tx.Environment("acme", "DEV")
				return err
			}))
		}))
		if ran != 1 || head() != before {
			t.Errorf("ran %d times; record %d, then %d", ran, before, head())
		}
		must(t, s.View(ctx, func(tx registry.Reader) error {
			if _, err := tx.Partner("acme"); !errors.Is(err, registry.ErrNotFound) {
				t.Errorf("the partner is stored: %v", err)
			}
			return nil
		}))
		must(t, s.AddPartner(ctx, acme))
	})
}
