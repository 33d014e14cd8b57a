package registry_test

import (
	"slices"
	"strings"
	"testing"

	"github.com/sealane/sealane"
	"github.com/sealane/sealane/internal/lanes"
	"github.com/sealane/sealane/internal/registry"
)

// A key pair that partners share leaves with a lane as it leaves by itself: by two people, also
// where one person alone decides about the lane's partner. The approval is of the pairs that the
// lane has then, and the record names them.
func TestSharedKeyLeavesWithALane(t *testing.T) {
	onBoth(t, func(t *testing.T, address string) {
		b, ctx := newBank(t, address), t.Context()
		must(t, b.AddPartner(ctx, registry.Partner{
			ID: "small", Name: "Small", Profile: "riskos", Side: sealane.ServerSide,
		}))
		must(t, agreed(t, b.Session, func() error {
			return b.AddEnvironment(ctx, registry.Environment{
				Partner: "small", Name: "PROD", Sealing: sealane.SealingRequired, Approvals: 1,
			})
		}))
		shared := registry.NewPair{Profile: "riskos", Environment: "PROD", Subject: subject}
		first, _, err := b.CreateKeyPair(ctx, shared)
		must(t, err)
		delivered := 0
		export := func() error {
			return b.WithReason("gateway on app-7").ExportLane(ctx, registry.LaneExport{
				Lane:       lanes.Name{Partner: "small", Environment: "PROD"},
				Passphrase: []byte("a long passphrase"),
				Deliver: func(c sealane.Config) error {
					delivered += len(c.Ours.Infos())
					return nil
				},
			})
		}
		r := waits(t, b.Session, "a private key for production leaves", export())
		if !strings.Contains(string(r.After), "key/"+first.ID) {
			t.Errorf("the request does not name the key pair: %s", r.After)
		}
		must(t, only(b.ben.GrantRequest(ctx, r.ID)))
		must(t, b.MovePair(ctx, first.ID, registry.Active, false))
		shared.Renewal = true
		next, _, err := b.CreateKeyPair(ctx, shared)
		must(t, err)
		again := waits(t, b.Session, "a private key for production leaves", export()) // it has another key
		if delivered > 0 || again.ID == r.ID {
			t.Fatalf("%d keys were delivered by the request for another", delivered)
		}
		must(t, only(b.ben.GrantRequest(ctx, again.ID)))
		must(t, export())
		if delivered != 2 {
			t.Errorf("%d keys were delivered", delivered)
		}
		record := string(last(t, b.Session).After)
		for _, id := range []string{first.ID, next.ID} {
			if !strings.Contains(record, `"key/`+id+`"`) {
				t.Errorf("the record does not name %s: %s", id, record)
			}
		}
	})
}

// One person exports the lane of a partner about whom one person decides, if its keys are its own.
func TestOwnKeyLeavesWithALane(t *testing.T) {
	s, ctx := openSession(t), t.Context()
	twoLanes(t, s)
	person(t, s, "ben", registry.Approver)
	var names []string
	must(t, s.WithReason("gateway on app-7").ExportLane(ctx, registry.LaneExport{
		Lane: lanes.Name{Partner: "acme", Environment: "SANDBOX"}, Passphrase: []byte("a long passphrase"),
		Deliver: func(c sealane.Config) error {
			for _, k := range slices.Concat(c.Ours.Infos(), c.Theirs.Infos()) {
				names = append(names, k.ID)
				if k.Certificate == nil {
					t.Errorf("%s has no certificate", k.ID)
				}
			}
			return nil
		},
	}))
	if len(names) != 2 {
		t.Errorf("keys %q were delivered", names)
	}
}
