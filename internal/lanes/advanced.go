package lanes

import "time"

// Advanced is what one pass over the renewals of a registry has done.
type Advanced struct {
	Busy   bool           // another process works, and nothing was done
	Open   map[string]int // renewals that are open, by step
	Next   time.Time      // of the next activation that is ordered; zero: there is none
	Done   []Advance      // steps
	Alarms []Advance      // what a person must look at
}

// Advance is a step of a renewal, or the reason why there is none.
type Advance struct{ Renewal, Text string }
