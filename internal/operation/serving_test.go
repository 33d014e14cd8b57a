package operation_test

import (
	"context"
	"crypto/x509"
	"errors"
	"net"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/sealane/sealane"
	"github.com/sealane/sealane/internal/lanes"
	"github.com/sealane/sealane/internal/operation"
	"github.com/sealane/sealane/internal/registry"
	"github.com/sealane/sealane/internal/rootkey"
	"github.com/sealane/sealane/internal/store"
	"github.com/sealane/sealane/sealanetest"
)

// TestServingWaitsInItsTime: while one connects to a database that does not answer, another waits for no longer than
// its own context.
func TestServingWaitsInItsTime(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	root := filepath.Join(t.TempDir(), "root.key")
	if _, err := rootkey.Create(root); err != nil {
		t.Fatal(err)
	}
	s, err := operation.OpenServing(t.Context(), operation.Config{
		Database: "postgres://sealane@" + l.Addr().String() + "/sealane?sslmode=disable", RootKey: "file:" + root,
	}, "")
	if err != nil {
		t.Fatal(err)
	}
	connecting, stop := context.WithCancel(t.Context())
	first := make(chan error, 1)
	go func() {
		_, err := s.Version(connecting)
		first <- err
	}()
	silent, err := l.Accept() // now it waits for an answer
	if err != nil {
		t.Fatal(err)
	}
	defer silent.Close()
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	second := make(chan error, 1)
	go func() {
		_, err := s.Version(ended)
		second <- err
	}()
	select {
	case err := <-second:
		if !errors.Is(err, lanes.ErrUnreachable) || !errors.Is(err, context.Canceled) {
			t.Error(err)
		}
	case <-time.After(20 * time.Second):
		t.Error("the second one waits for the first")
	}
	stop()
	if err := <-first; !errors.Is(err, lanes.ErrUnreachable) {
		t.Error(err)
	}
	if err := s.Close(); err != nil {
		t.Error(err)
	}
}

// A gateway that advances renewals anchors the audit log as other programs do.
func TestServingAnchors(t *testing.T) {
	heads := filepath.Join(t.TempDir(), "heads")
	session, database, _ := opened(t)
	ctx := t.Context()
	_, err := operation.SetAnchors.Do(ctx, session, operation.AnchorAddresses{Anchors: []string{"file:" + heads}})
	must(t, err)
	db, err := store.Open(ctx, database, store.Options{})
	must(t, err)
	defer db.Close()
	must(t, db.Update(ctx, func(tx registry.Tx) error {
		c := registry.NewCertificate(registry.Certificate{
			ID: "c-acme", Profile: "riskos", Partner: "acme", Environment: "PROD", Owner: registry.Theirs,
			State: registry.Active,
		}, []*x509.Certificate{sealanetest.CustomerKey().Certificate})
		return errors.Join(
			tx.PutPartner(&registry.Partner{ID: "acme", Profile: "riskos", Side: sealane.ServerSide}),
			tx.PutEnvironment(&registry.Environment{
				Partner: "acme", Name: "PROD", Sealing: sealane.SealingRequired,
				Rotation: registry.Rotation{Lead: 3650}, // a successor is due
			}),
			tx.PutCertificate(&c))
	}))
	s, err := operation.OpenServing(ctx, operation.Config{
		Database: database, RootKey: "file:" + filepath.Join(filepath.Dir(database), "rootkey"),
	}, "")
	must(t, err)
	defer s.Close()
	out, err := s.AdvanceRenewals(ctx, "one")
	must(t, err)
	if len(out.Done) != 1 {
		t.Errorf("%+v", out)
	}
	if written, err := os.ReadFile(heads); err != nil || len(written) == 0 {
		t.Fatalf("the head of the program's change is not anchored: %v", err)
	}
	must(t, os.Remove(heads))
	must(t, os.Mkdir(heads, 0o700))
	must(t, s.ReleaseRenewals(ctx, "one"))
	if out, err = s.AdvanceRenewals(ctx, "two"); err != nil || len(out.Alarms) == 0 {
		t.Errorf("a place that can't be written is no alarm: %+v, %v", out, err)
	}
}
