package lanes

import "time"

// Node is what a process that serves messages tells of itself. Processes of one name take the same row
// over, one after the other.
type Node struct {
	Name    string
	Process string // tells the processes of one name apart
	// Record is the number of the last record of the audit log that is in force in the process.
	Record  int64
	Started time.Time // the process
	At      time.Time // the last report
	// Counted: the uses of keys until then are stored, as far as the process is concerned.
	Counted time.Time
	// Serves is until when the process goes on without its database. Then all its lanes fail.
	Serves time.Time
	// Ended is when the process signed off. It is zero while the process runs, and where it could not.
	Ended time.Time
	// Shared is when two processes of the name were last seen that run at the same time.
	Shared time.Time
}

// Alive is how old the last report of a process that runs may be.
const Alive = 30 * time.Second

// Gone reports whether the process has signed off.
func (n Node) Gone() bool { return !n.Ended.IsZero() }

// Silent reports whether the process has neither signed off nor reported itself for a while: it has
// died, or does not reach the database, and may still serve messages.
func (n Node) Silent(now time.Time) bool { return !n.Gone() && now.Sub(n.At) > Alive }
