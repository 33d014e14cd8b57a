package registry

import (
	"context"
	"errors"
	"sync"
	"time"
)

// Uses collects when API keys were used, and writes it down now and then; traffic
// waits for no database.
type UsageRecorder struct {
	mu sync.Mutex
	at map[string]time.Time
}

// Note notes a use.
func (u *UsageRecorder) Note(id string, at time.Time) {
	u.mu.Lock()
	defer u.mu.Unlock()
	if u.at == nil {
		u.at = map[string]time.Time{}
	}
	u.at[id] = at.UTC().Truncate(time.Minute)
}

// Write writes down what was noted. Where that fails it is kept for the next time.
func (u *UsageRecorder) Write(ctx context.Context, r *Registry) error {
	u.mu.Lock()
	noted := u.at
	u.at = nil
	u.mu.Unlock()
	if len(noted) == 0 {
		return nil
	}
	err := r.Store.Update(ctx, func(tx Tx) error { return tx.UsedAPIKeys(noted) })
	if err == nil || errors.Is(err, ErrNotFound) {
		return err
	}
	u.mu.Lock()
	defer u.mu.Unlock()
	if u.at == nil {
		u.at = map[string]time.Time{}
	}
	for id, at := range noted {
		if u.at[id].Before(at) {
			u.at[id] = at
		}
	}
	return err
}
