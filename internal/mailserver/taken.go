package mailserver

import (
	"slices"
	"sync"

	"github.com/emersion/go-smtp"
)

// Mail is one that a server took.
type Mail struct {
	From, To string // of the envelope
	Data     []byte
	Envelope smtp.MailOptions
	Notify   []smtp.DSNNotify
	Original string // of ORCPT
}

// Taken are the mails that a server took. It is safe for concurrent use.
type Taken struct {
	mu    sync.Mutex
	mails []Mail
	seen  int
}

// Take adds a mail.
func (t *Taken) Take(m Mail) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.mails = append(t.mails, m)
}

// Mails returns the mails that the server took so far, in their order.
func (t *Taken) Mails() []Mail {
	t.mu.Lock()
	defer t.mu.Unlock()
	return slices.Clone(t.mails)
}

// Greeted counts a client that has greeted the server.
func (t *Taken) Greeted() {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.seen++
}

// Seen returns how many clients have greeted the server.
func (t *Taken) Seen() int {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.seen
}
