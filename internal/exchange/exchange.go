// Package exchange brings certificates from one partner to the other. Ours are
// offered to a partner, who tells us when they are installed. Theirs are received,
// compared with a checksum that came in a second message, approved by another person,
// and activated. [Status] tells for each certificate which step is next, and who has to
// act.
package exchange

import (
	"context"
	"crypto/sha256"
	"fmt"
	"strings"

	"github.com/sealane/sealane/internal/registry"
)

// Exchange is the steps of the exchange, done in one person's session.
type Exchange struct {
	session *registry.Session
	// screened is what shares a prime with keys that were compared together, by the SHA-256
	// of their SubjectPublicKeyInfo.
	screened map[[sha256.Size]byte]registry.SharedWith
	compared int64 // see registry.PrimeComparison, of those
}

// New returns the exchange as the person of that session may do it.
func New(s *registry.Session) Exchange { return Exchange{session: s} }

// changeTheirs is a change of a partner's certificate, which step makes and may store.
func (e Exchange) changeTheirs(
	ctx context.Context, action registry.Action, id string, step func(registry.Tx, *registry.Certificate) error,
) error {
	record := registry.Entry{Action: action, Subject: "certificate/" + id}
	return e.session.Change(ctx, record, func(tx registry.Tx, entry *registry.Entry) error {
		c, err := theirs(tx, id)
		if err != nil {
			return err
		}
		entry.Partner, entry.Environment, entry.Before = c.Partner, c.Environment, c
		err = step(tx, &c)
		entry.After = c
		return err
	})
}

// theirs returns a certificate of a partner's.
func theirs(tx registry.Reader, id string) (registry.Certificate, error) {
	c, err := tx.Certificate(id)
	if err != nil {
		return c, err
	}
	if c.Owner != registry.Theirs {
		return c, registry.Refuse("certificate %s is ours: record when the partner has installed it", id).
			Then(registry.Advice{Action: registry.ActionKeyInstalled, ID: c.KeyPair})
	}
	return c, nil
}

// ourPair returns a key pair of ours and its certificate.
func ourPair(tx registry.Reader, id string) (registry.KeyPair, registry.Certificate, error) {
	k, err := tx.KeyPair(id)
	if err != nil {
		return k, registry.Certificate{}, err
	}
	c, err := tx.Certificate(k.Certificate)
	return k, c, err
}

// IsKeyPair reports whether an identity is that of a key pair of ours.
func IsKeyPair(id string) bool { return strings.HasPrefix(id, "k-") }

// describePair says for whom a key pair of ours is.
func describePair(k registry.KeyPair) string {
	if k.Partner == "" {
		return fmt.Sprintf("for all of %s in %s", k.Profile, k.Environment)
	}
	return fmt.Sprintf("for %s in %s", k.Partner, k.Environment)
}

// cut shortens a text from outside to n bytes.
func cut(text string, n int) string {
	if text = strings.TrimSpace(text); len(text) > n {
		return strings.ToValidUTF8(text[:n], "") + "…"
	}
	return text
}
