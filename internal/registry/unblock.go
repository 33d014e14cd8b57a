package registry

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"slices"
	"time"
)

// UnblockKey lifts the block of a public key, certificate or file, by its SHA-256: of several that one
// file has, by those that are blocked. What was blocked with a certificate or file is lifted with it:
// its public key. Whatever the block ended stays ended: the key may only come in again.
func (s *Session) UnblockKey(ctx context.Context, sums ...[]byte) error {
	entry := Entry{Action: ActionKeyUnblock, Subject: fmt.Sprintf("sha256/%x", sums[0])}
	return s.Change(ctx, entry, func(tx Tx, entry *Entry) error {
		blocks, err := blocksOf(tx, sums)
		if err != nil {
			return err
		}
		entry.Subject = fmt.Sprintf("sha256/%x", blocks[0].SPKISHA256)
		if n := len(blocks); n > 1 {
			entry.Subject = fmt.Sprintf("%s and %d more", entry.Subject, n-1)
		}
		lifts := map[string]string{} // all of them: an approver reads it
		entry.After = map[string]any{"lifts": lifts}
		entry.asks = &second{why: "a blocked key may be used again"}
		for _, b := range blocks {
			sum := fmt.Sprintf("%x", b.SPKISHA256)
			lifts[sum] = fmt.Sprintf("blocked on %s by %s: %s", b.At.UTC().Format(time.RFC3339Nano), b.By, b.Reason)
			entry.asks.what += " " + sum
			b.Lifted, b.LiftedBy = s.registry.now(), s.person.ID
			if err := tx.PutBlocked(b); err != nil {
				return err
			}
		}
		return nil
	})
}

// blocksOf returns the blocks of some checksums, and of the public keys that were blocked with them.
func blocksOf(tx Reader, sums [][]byte) (blocks []Blocked, err error) {
	lifted := Refuse("%x is not blocked", sums[0])
	add := func(sum []byte, with *Blocked) error {
		b, err := tx.Blocked(sum)
		same := func(o Blocked) bool { return bytes.Equal(o.SPKISHA256, b.SPKISHA256) }
		switch {
		case errors.Is(err, ErrNotFound):
			return nil
		case err != nil:
			return err
		case !b.Lifted.IsZero():
			lifted = Refuse("the block of %x was lifted on %s by %s", sum, b.Lifted.Format(time.DateOnly), b.LiftedBy)
		case !slices.ContainsFunc(blocks, same) && (with == nil || b.Reason == with.Reason && b.By == with.By):
			blocks = append(blocks, b)
		}
		return nil
	}
	for _, sum := range sums {
		if err := add(sum, nil); err != nil {
			return nil, err
		}
	}
	for _, b := range slices.Clone(blocks) {
		certificates, err := withSum(tx, b.SPKISHA256)
		if err != nil {
			return nil, err
		}
		for _, c := range certificates {
			if err := add(c.SPKISHA256, &b); err != nil {
				return nil, err
			}
		}
	}
	if len(blocks) == 0 {
		return nil, lifted
	}
	return blocks, nil
}
