package exchange

import (
	"context"
	"fmt"
	"strings"

	"github.com/sealane/sealane/internal/pasted"
	"github.com/sealane/sealane/internal/registry"
	"github.com/sealane/sealane/profile"
)

// KeyIDChange says which key ID (alias) a key gets.
type KeyIDChange struct {
	ID    string `json:"id"` // of a certificate, or of a key pair of ours
	KeyID string `json:"key_id"`
	// Replace is the key ID that it has now, where there is one: messages may carry it.
	Replace string `json:"replace,omitempty"`
	// AsIs takes the name that a partner gave to a key of ours, though it does not have the
	// form of the profile.
	AsIs bool `json:"as_is,omitempty"`
}

// SetKeyID records a key ID. To a partner's certificate we assign it. To a key pair of ours
// the partner has assigned it, and their name is kept as it is.
func (e Exchange) SetKeyID(ctx context.Context, to KeyIDChange) error {
	var err error
	if to.KeyID, err = pasted.Word(to.KeyID); err != nil {
		return registry.Refuse("key ID: %w", err)
	}
	record := registry.Entry{Action: registry.ActionExchangeAlias}
	return e.session.Change(ctx, record, func(tx registry.Tx, entry *registry.Entry) error {
		c, pair, err := keyNamed(tx, to.ID)
		if err != nil {
			return err
		}
		if err := e.mayGetKeyID(c, to); err != nil {
			return err
		}
		if err := e.checkKeyID(tx, c, to); err != nil {
			return err
		}
		entry.Subject, entry.Partner, entry.Environment = "certificate/"+c.ID, c.Partner, c.Environment
		entry.Before = c
		c.KeyID = to.KeyID
		entry.After = c
		if err := tx.PutCertificate(&c); err != nil || c.Owner == registry.Theirs {
			return err
		}
		pair.KeyID = to.KeyID
		return tx.PutKeyPair(&pair)
	})
}

// keyNamed returns a certificate by its identity or that of its key pair, and the key pair
// where it is ours.
func keyNamed(tx registry.Tx, id string) (c registry.Certificate, pair registry.KeyPair, err error) {
	if IsKeyPair(id) {
		pair, c, err = ourPair(tx, id)
	} else {
		c, err = tx.Certificate(id)
	}
	if err != nil {
		return c, pair, fmt.Errorf("%s: %w", id, err)
	}
	if c.Owner == registry.Ours && pair.ID == "" {
		pair, c, err = ourPair(tx, c.KeyPair)
	}
	return c, pair, err
}

// mayGetKeyID refuses to give a key ID to a key that has ended, and to replace one by mistake.
func (e Exchange) mayGetKeyID(c registry.Certificate, to KeyIDChange) error {
	replaced := c.KeyID != "" && c.KeyID != to.KeyID
	switch {
	case to.KeyID == "":
		return registry.Refuse("the key ID is empty")
	case replaced && to.Replace != "" && strings.TrimSpace(e.session.Reason()) == "":
		return registry.Refuse("%s: say why its key ID is replaced", to.ID).Needing(registry.Reason)
	case replaced && c.KeyID != to.Replace:
		return registry.Refuse("%s has the key ID %q already, and messages may carry it: to replace it, name it",
			to.ID, c.KeyID).
			Needing(registry.Need{Kind: registry.NeedReplace, Value: c.KeyID})
	case !c.State.Open() && !c.State.InUse():
		return registry.Refuse("%s is %s: it needs no key ID any more", to.ID, c.State)
	}
	return nil
}

// checkKeyID checks a key ID's form, and whether it is free.
func (e Exchange) checkKeyID(tx registry.Tx, c registry.Certificate, to KeyIDChange) error {
	prof, err := registry.LoadProfile(tx, c.Profile)
	if err != nil {
		return err
	}
	ours := c.Owner == registry.Ours
	if form := prof.Certificate.CheckKeyID(to.KeyID); form != nil && ours && !to.AsIs {
		return registry.Refuse("%w; compare it with what the partner wrote: is that really their name for it?", form).
			Needing(registry.AsIs)
	}
	return e.session.CheckKeyID(tx, to.KeyID, &c, prof, ours)
}

// keyIDNeeded reports whether messages of a profile carry the key ID.
func keyIDNeeded(p *profile.Profile) bool {
	for _, d := range []*profile.Direction{&p.Request, &p.Response} {
		if d.Encrypt != nil && d.Encrypt.Kid.Seal != "" {
			return true
		}
	}
	return false
}
