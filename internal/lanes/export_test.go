package lanes

import "time"

// NoteKey records the use of any key.
func NoteKey(u *UsageRecorder, use KeyUse, at time.Time) {
	u.mu.Lock()
	defer u.mu.Unlock()
	u.noteKey(use, at)
}
