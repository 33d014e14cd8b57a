package registry

import (
	"context"
	"fmt"
	"time"
)

// UnblockKey lifts the block of a public key, certificate or file, by its SHA-256. Whatever the
// block ended stays ended: the key may only come in again.
func (s *Session) UnblockKey(ctx context.Context, sum []byte) error {
	subject := fmt.Sprintf("sha256/%x", sum)
	return s.Change(ctx, Entry{Action: ActionKeyUnblock, Subject: subject}, func(tx Tx, entry *Entry) error {
		b, err := tx.Blocked(sum)
		if err != nil {
			return fmt.Errorf("block of %x: %w", sum, err)
		}
		if !b.Lifted.IsZero() {
			return Refuse("the block of %x was lifted on %s by %s", sum, b.Lifted.Format(time.DateOnly), b.LiftedBy)
		}
		entry.Before = b
		b.Lifted, b.LiftedBy = s.registry.now(), s.person.ID
		entry.After = b
		return tx.PutBlocked(b)
	})
}
