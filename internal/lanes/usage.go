package lanes

import (
	"cmp"
	"context"
	"maps"
	"slices"
	"sync"
	"time"

	"github.com/sealane/sealane"
	"github.com/sealane/sealane/keyring"
)

// UsageRecorder collects when API keys and keys were used, until it is told to store that, so that
// messages do not wait for a database. The zero value is ready to use, and safe for concurrent use.
type UsageRecorder struct {
	// MostKeys is for how many KeyUses it counts what is not stored; 0 is 1,000,000. It must not
	// change while the recorder is used.
	MostKeys int

	mu   sync.Mutex
	at   map[string]time.Time // API keys
	keys map[KeyUse]Seen      // since WriteKeys took them last
	held int                  // how many KeyUses WriteKeys holds
	lost int64                // uses that were not counted
	gap  time.Time            // of the first use that was not counted

	writing sync.Mutex
	waiting map[KeyUse]Seen      // taken, and not stored yet
	stored  map[KeyUse]time.Time // when they were stored last, for a while
	unsure  KeyUses              // nobody knows whether the last batch was stored
	batch   int64
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

// Sealed records that keys have sealed a message on a lane with these keys, which may be nil.
func (u *UsageRecorder) Sealed(by sealane.SealKeys, k *Keys, at time.Time) {
	if k != nil {
		u.noteKeys(k.sealed(by), at)
	}
}

// Opened records that a message was opened on a lane with these keys, which may be nil.
func (u *UsageRecorder) Opened(m sealane.Message, k *Keys, at time.Time) {
	if k != nil && m != nil {
		u.noteKeys(k.opened(m), at)
	}
}

// Decrypted records that a key pair of ours has decrypted a message whose content was refused, on a lane
// with these keys, which may be nil. It shows that the partner still encrypts to the pair.
func (u *UsageRecorder) Decrypted(by keyring.KeyInfo, k *Keys, at time.Time) {
	if k != nil {
		u.noteKeys(k.decrypted(by), at)
	}
}

func (u *UsageRecorder) noteKeys(uses pairUses, at time.Time) {
	u.mu.Lock()
	defer u.mu.Unlock()
	u.noteKey(uses.ours, at)
	u.noteKey(uses.theirs, at)
}

func (u *UsageRecorder) noteKey(use KeyUse, at time.Time) {
	if use.Key == "" {
		return
	}
	if u.keys == nil {
		u.keys = map[KeyUse]Seen{}
	}
	seen, known := u.keys[use]
	if !known && len(u.keys)+u.held >= u.most() {
		if u.lost++; u.gap.IsZero() || at.Before(u.gap) {
			u.gap = at
		}
		return
	}
	u.keys[use] = seen.and(Seen{at, at, 1})
}

func (u *UsageRecorder) most() int { return cmp.Or(u.MostKeys, 1_000_000) }

// Write stores the uses of API keys that were noted. After an error it keeps them for the next call.
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

// storeEach is how often the uses of one key are stored.
const storeEach = 10 * time.Minute

// batchTime is how long storing one batch may take: after that, the database counts as away.
const batchTime = 5 * time.Second

// Written says what [UsageRecorder.WriteKeys] has left.
type Written struct {
	// Counted: the uses until then are stored. It stays before a use that was not counted.
	Counted time.Time
	Left    int64 // uses that are not stored
	Lost    int64 // uses that were not counted since the last call, because there were too many keys
}

// WriteKeys stores, for a process of a node, the uses of keys that were not stored in the last ten
// minutes: the first use of a key at once. With all, or when there are many, it stores every use. After
// an error it keeps what may not be stored for the next call, and stores nothing twice.
func (u *UsageRecorder) WriteKeys(
	ctx context.Context, to Store, node, process string, now time.Time, all bool,
) (w Written, err error) {
	u.writing.Lock()
	defer u.writing.Unlock()
	w.Lost = u.take()
	all = all || len(u.waiting) > u.most()/2
	var due []KeySeen
	for use, seen := range u.waiting {
		if all || !u.recent(use, now) {
			due = append(due, KeySeen{use, seen})
		}
	}
	slices.SortFunc(due, func(a, b KeySeen) int { // one order for all nodes, so that they do not wait for each other
		return cmp.Or(cmp.Compare(a.Key, b.Key), cmp.Compare(a.Partner, b.Partner),
			cmp.Compare(a.Direction, b.Direction))
	})
	send := func() error {
		if len(u.unsure.Seen) == 0 {
			return nil
		}
		limited, cancel := context.WithTimeout(ctx, batchTime)
		defer cancel()
		err := to.UsedKeys(limited, u.unsure) // under the name that it had when it was sent first
		if err == nil {
			for _, one := range u.unsure.Seen {
				u.stored[one.KeyUse] = now
			}
			u.unsure = KeyUses{}
		}
		return err
	}
	err = send()
	for len(due) > 0 && err == nil {
		n := min(len(due), MostKeySeen)
		u.batch++
		u.unsure, due = KeyUses{node, process, u.batch, due[:n:n]}, due[n:]
		for _, one := range u.unsure.Seen {
			delete(u.waiting, one.KeyUse)
		}
		err = send()
	}
	maps.DeleteFunc(u.stored, func(use KeyUse, _ time.Time) bool { return !u.recent(use, now) })
	u.mu.Lock()
	u.held = len(u.waiting) + len(u.unsure.Seen)
	u.mu.Unlock()
	w.Counted, w.Left = u.counted(now)
	return w, err
}

// recent reports whether uses of a key were stored a moment ago.
func (u *UsageRecorder) recent(use KeyUse, now time.Time) bool {
	at, known := u.stored[use]
	return known && now.Sub(at) < storeEach && !now.Before(at)
}

// take adds what was noted to what is waiting. It returns how many uses were lost.
func (u *UsageRecorder) take() (lost int64) {
	if u.waiting == nil {
		u.waiting, u.stored = map[KeyUse]Seen{}, map[KeyUse]time.Time{}
	}
	u.mu.Lock()
	noted := u.keys
	u.held += len(noted) // some may be counted twice for a moment
	lost, u.keys, u.lost = u.lost, nil, 0
	u.mu.Unlock()
	for use, seen := range noted {
		u.waiting[use] = u.waiting[use].and(seen)
	}
	return lost
}

// counted returns until when all uses are stored, and how many are not.
func (u *UsageRecorder) counted(now time.Time) (until time.Time, left int64) {
	until = now.Add(-time.Second) // a use may be noted a moment after its time
	note := func(s Seen) {
		left += s.Count
		if s.First.Before(until) {
			until = s.First
		}
	}
	for _, seen := range u.waiting {
		note(seen)
	}
	for _, one := range u.unsure.Seen {
		note(one.Seen)
	}
	u.mu.Lock()
	defer u.mu.Unlock()
	if !u.gap.IsZero() && u.gap.Before(until) {
		until = u.gap
	}
	return until, left
}
