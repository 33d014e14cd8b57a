// Package exchange brings certificates from one partner to the other. Ours are
// offered to a partner, who tells us when they are installed. Theirs are received,
// compared with a checksum that came in a second message, approved by another person,
// and activated. [Status] tells for each certificate which step is next, and who has to
// act.
package exchange

import (
	"crypto/sha256"
	"fmt"
	"strings"

	"github.com/sealane/sealane/internal/registry"
)

// Exchange is the steps of the exchange, done in one person's session.
type Exchange struct {
	session  *registry.Session
	screened map[[sha256.Size]byte][]string // with whom keys share a prime, as found beforehand, by SPKI
}

// New returns the exchange as the person of that session may do it.
func New(s *registry.Session) Exchange { return Exchange{session: s} }

func ourPair(tx registry.Tx, id string) (registry.KeyPair, registry.Certificate, error) {
	k, err := tx.KeyPair(id)
	if err != nil {
		return k, registry.Certificate{}, fmt.Errorf("key pair %s: %w", id, err)
	}
	c, err := tx.Certificate(k.Certificate)
	return k, c, err
}

// theirs gives a certificate of a partner's.
func theirs(tx registry.Tx, id string) (registry.Certificate, error) {
	c, err := tx.Certificate(id)
	if err != nil {
		return c, fmt.Errorf("certificate %s: %w", id, err)
	}
	if c.Owner != registry.Theirs {
		return c, fmt.Errorf("certificate %s is ours: its exchange is the partner's; say when they have installed it (sealane exchange activate %s)", id, c.KeyPair)
	}
	return c, nil
}

func describePair(k registry.KeyPair) string {
	if k.Partner == "" {
		return fmt.Sprintf("for all of %s in %s", k.Profile, k.Environment)
	}
	return fmt.Sprintf("for %s in %s", k.Partner, k.Environment)
}

func cut(text string, n int) string {
	if text = strings.TrimSpace(text); len(text) > n {
		return text[:n] + "…"
	}
	return text
}
