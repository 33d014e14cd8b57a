package operation_test

import (
	"context"
	"errors"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/sealane/sealane"
	"github.com/sealane/sealane/cert"
	"github.com/sealane/sealane/internal/lanes"
	"github.com/sealane/sealane/internal/operation"
	"github.com/sealane/sealane/internal/registry"
)

// An offer waits until every node has the new pair, for a limited time, and names those that do not.
func TestOfferWaitsForNodes(t *testing.T) {
	founder, database, _ := opened(t)
	ctx := t.Context()
	token, err := founder.RenewToken(ctx, "anna")
	must(t, err)
	now := time.Date(2026, 11, 23, 12, 0, 0, 0, time.UTC)
	pauses := 0
	var pause func() error
	config := operation.Config{
		Database: database, RootKey: "file:" + filepath.Join(filepath.Dir(database), "rootkey"),
		Now: func() time.Time { return now },
		Pause: func(_ context.Context, d time.Duration) error {
			if d <= 0 || d > time.Second {
				t.Errorf("a pause of %s", d)
			}
			now, pauses = now.Add(d), pauses+1
			return pause()
		},
	}
	reg, err := operation.Open(ctx, config)
	must(t, err)
	defer reg.Close()
	s, err := reg.Login(ctx, token, "")
	must(t, err)
	must(t, s.AddPartner(ctx, registry.Partner{ID: "socure", Name: "S", Profile: "riskos", Side: sealane.ClientSide}))
	must(t, s.AddEnvironment(ctx, registry.Environment{
		Partner: "socure", Name: "DEV", Sealing: sealane.SealingRequired,
	}))
	report := func(record int64) {
		_, err := s.Registry().Store.ReportNode(ctx, lanes.Node{
			Name: "one", Process: "p", Record: record, Started: now, At: now, Counted: now,
			Serves: now.Add(time.Hour),
		}, false)
		must(t, err)
	}
	report(1)
	var waited []string
	delivered := 0
	offer := func(wait time.Duration) error {
		_, err := operation.Offer.Do(ctx, s, operation.OfferRequest{
			Partner: "socure", Environment: "DEV", Bits: 2048, Wait: wait,
			Subject: cert.Template{CommonName: "us.example", Organization: "Us", Unit: "Keys", Email: "a@us.example"},
			Waits:   func(nodes []string) { waited = append(waited, nodes...) },
			Deliver: func(operation.OfferPackage) error { delivered++; return nil },
		})
		return err
	}
	pause = func() error { report(1); return nil }
	err = offer(5 * time.Second)
	if _, lacking := errors.AsType[*operation.NotLoadedError](err); !lacking || pauses != 5 || delivered != 0 {
		t.Errorf("%v after %d pauses, %d delivered", err, pauses, delivered)
	}
	if !slices.Equal(waited, []string{"one"}) {
		t.Errorf("waited for %q", waited)
	}
	if err := offer(operation.MaxWait + 1); err == nil || !strings.Contains(err.Error(), "at most 10m0s") {
		t.Errorf("a long wait: %v", err)
	}
	pause = func() error { return context.Canceled }
	if err := offer(time.Minute); !errors.Is(err, context.Canceled) || delivered != 0 {
		t.Errorf("canceled: %v, %d delivered", err, delivered)
	}
	pauses = 0
	pause = func() error {
		if pauses == 3 {
			report(1000) // of another history: it does not count
		}
		if pauses == 5 {
			head, err := operation.ListNodes.Do(ctx, s, operation.None{})
			must(t, err)
			report(head.Head)
		}
		return nil
	}
	if err := offer(time.Minute); err != nil || pauses != 5 || delivered != 1 {
		t.Errorf("%v after %d pauses, %d delivered", err, pauses, delivered)
	}
}
