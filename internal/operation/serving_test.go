package operation_test

import (
	"context"
	"errors"
	"net"
	"path/filepath"
	"testing"
	"time"

	"github.com/sealane/sealane/internal/lanes"
	"github.com/sealane/sealane/internal/operation"
	"github.com/sealane/sealane/internal/rootkey"
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
