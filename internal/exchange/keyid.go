package exchange

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/sealane/sealane/internal/registry"
	"github.com/sealane/sealane/profile"
)

// Alias records the key ID of a key. For a certificate of the partner's we assign
// it; for a key pair of ours the partner has, and their name is kept as it is.
//
// One that is there is not replaced but by naming it.
func (e Exchange) Alias(ctx context.Context, id, keyID, replace string) error {
	return e.alias(ctx, id, keyID, replace, false)
}

// AliasAsIs is Alias for a partner's name that is not as the dialect writes them.
func (e Exchange) AliasAsIs(ctx context.Context, id, keyID, replace string) error {
	return e.alias(ctx, id, keyID, replace, true)
}

func (e Exchange) alias(ctx context.Context, id, keyID, replace string, asIs bool) error {
	return e.session.Change(ctx, registry.Entry{Action: registry.ActionExchangeAlias}, func(tx registry.Tx, entry *registry.Entry) error {
		c, err := tx.Certificate(id)
		pair := registry.KeyPair{}
		if strings.HasPrefix(id, "k-") {
			pair, c, err = ourPair(tx, id)
		}
		if err != nil {
			return fmt.Errorf("%s: %w", id, err)
		}
		if c.Owner == registry.Ours && pair.ID == "" {
			if pair, c, err = ourPair(tx, c.KeyPair); err != nil {
				return err
			}
		}
		switch {
		case keyID == "":
			return errors.New("the key ID is empty")
		case c.KeyID != "" && c.KeyID != keyID && strings.TrimSpace(e.session.Reason()) == "" && replace != "":
			return fmt.Errorf("%s: say why its key ID is replaced (--reason)", id)
		case c.KeyID != "" && c.KeyID != keyID && c.KeyID != replace:
			return fmt.Errorf("%s has the key ID %q already, and messages may carry it: to replace it, name it (--replace)", id, c.KeyID)
		case !c.State.Open() && !c.State.InUse():
			return fmt.Errorf("%s is %s: it needs no key ID any more", id, c.State)
		}
		dialect, err := registry.LoadProfile(tx, c.Profile)
		if err != nil {
			return err
		}
		if form := dialect.Certificate.CheckKeyID(keyID); form != nil && c.Owner == registry.Ours && !asIs {
			return fmt.Errorf("%w; compare it with what the partner wrote, and if that is their name for it, say so (--as-is)", form)
		}
		if err := e.session.Registry.CheckKeyID(tx, keyID, &c, dialect, c.Owner == registry.Ours); err != nil {
			return err
		}
		entry.Subject, entry.Partner, entry.Environment, entry.Before = "certificate/"+c.ID, c.Partner, c.Environment, c
		c.KeyID = keyID
		entry.After = c
		if err := tx.PutCertificate(&c); err != nil || pair.ID == "" {
			return err
		}
		pair.KeyID = keyID
		return tx.PutKeyPair(&pair)
	})
}

// keyIDNeeded reports whether messages of a dialect carry the key ID.
func keyIDNeeded(dialect *profile.Profile) bool {
	for _, leg := range []*profile.Direction{&dialect.Request, &dialect.Response} {
		if leg.Encrypt != nil && leg.Encrypt.Kid.Seal != "" {
			return true
		}
	}
	return false
}
