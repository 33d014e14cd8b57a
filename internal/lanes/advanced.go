package lanes

import "time"

// Advanced is what one pass over the renewals of a registry has done.
type Advanced struct {
	Busy   bool           // another process works, and nothing was done
	Open   map[string]int // renewals that are open, by step
	Next   time.Time      // of the next activation that is ordered; zero: there is none
	Done   []Advance      // steps
	Alarms []Advance      // what a person must look at

	Proposed []Advance // what a person should do that is not urgent
	RootKey  time.Time // since when the root key is the same; zero: there is none
	// MailServerEnds and WebhookEnds are when the certificates end that these servers have presented; zero: they
	// are not known.
	MailServerEnds, WebhookEnds time.Time

	Mails       map[string]int // mails that wait, by their states; nil: people send them
	OldestMail  time.Time      // when the oldest of them was planned
	LateNotices int            // partners who were not told in time that a certificate ends
}

// Advance is a step of a renewal, or the reason why there is none.
type Advance struct{ Renewal, Text string }
