package registry

import (
	"context"
	"errors"

	"github.com/sealane/sealane/internal/lanes"
)

// DryRun runs f with a session in which changes are done and judged as usual, and takes back all of
// them at the end. Nothing is stored, anchored or requested. Other writers wait meanwhile, so f
// must be short.
func (s *Session) DryRun(ctx context.Context, f func(*Session)) error {
	err := s.registry.Store.Update(ctx, func(tx Tx) error {
		dry := *s.registry
		dry.Store, dry.Recorded = within{s.registry.Store, tx}, nil
		with := *s
		with.registry = &dry
		f(&with)
		return errDry
	})
	if errors.Is(err, errDry) {
		return nil
	}
	return err
}

var errDry = errors.New("a dry run stores nothing")

// within is the store of a dry run, whose transactions are parts of one.
type within struct {
	lanes.Store
	tx Tx
}

func (w within) View(_ context.Context, f func(Reader) error) error { return f(w.tx) }

func (w within) Update(_ context.Context, f func(Tx) error) error {
	return w.tx.Attempt(func() error { return f(w.tx) })
}
