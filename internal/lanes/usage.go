package lanes

import (
	"context"
	"sync"
	"time"
)

// UsageRecorder collects when API keys were used, until Write stores it, so that messages
// do not wait for a database. The zero value is ready to use, and safe for concurrent use.
type UsageRecorder struct {
	mu sync.Mutex
	at map[string]time.Time
}

// Note records a use of the API key with that identity, to the minute.
func (u *UsageRecorder) Note(id string, at time.Time) {
	u.mu.Lock()
	defer u.mu.Unlock()
	u.note(id, at.UTC().Truncate(time.Minute))
}

func (u *UsageRecorder) note(id string, at time.Time) {
	if u.at == nil {
		u.at = map[string]time.Time{}
	}
	if u.at[id].Before(at) {
		u.at[id] = at
	}
}

// Write stores the uses that were noted. After an error it keeps them for the next call.
func (u *UsageRecorder) Write(ctx context.Context, to Store) error {
	u.mu.Lock()
	noted := u.at
	u.at = nil
	u.mu.Unlock()
	if len(noted) == 0 {
		return nil
	}
	err := to.UsedAPIKeys(ctx, noted)
	if err == nil {
		return nil
	}
	u.mu.Lock()
	defer u.mu.Unlock()
	for id, at := range noted {
		u.note(id, at)
	}
	return err
}
