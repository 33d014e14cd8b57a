package registry

import (
	"fmt"

	"github.com/sealane/sealane/cert"
	"github.com/sealane/sealane/internal/lanes"
	"github.com/sealane/sealane/profile"
)

// CheckKeyID checks a key ID (alias) against the profile, the key, the environment, and the key
// IDs that are taken. A key ID stays with its partner: a renewal of the same size may have it
// again. An imported key keeps the name that the partner gave it, whatever its form.
func (r *Registry) CheckKeyID(tx Reader, keyID string, c *Certificate, prof *profile.Profile, imported bool) error {
	if err := cert.CheckKeyIDText(keyID); err != nil {
		return Judged(err)
	}
	pub, err := lanes.ParsePublicKey(c.SPKI)
	if err != nil {
		return err
	}
	if !imported { // a partner's own name is kept as it is
		if err := prof.Certificate.CheckKeyID(keyID); err != nil {
			return Judged(err)
		}
	}
	if id, err := cert.ParseKeyID(keyID); err == nil {
		if err := id.Check(pub, c.Environment); err != nil {
			return Judged(err)
		}
	}
	taken, err := tx.Certificates(CertificateQuery{KeyID: keyID})
	if err != nil {
		return err
	}
	for _, o := range taken {
		switch {
		case o.ID == c.ID || o.Profile != c.Profile || o.Owner != c.Owner || o.State == Rejected:
		case o.Environment != c.Environment:
			return Refuse("key ID %q is that of %s: key IDs are unique per environment, so that a message for one "+
				"can't be taken for the other's", keyID, o.holder())
		case o.Partner != c.Partner:
			return Refuse("key ID %q is that of %s", keyID, o.holder())
		case o.Bits != c.Bits:
			return Refuse("key ID %q names a key of %d bits, and this one has %d: a renewal under the same ID "+
				"has the same size", keyID, o.Bits, c.Bits)
		}
	}
	return nil
}

// holder names a certificate, or the key pair of ours that it belongs to, with whose it is and its
// state.
func (c Certificate) holder() string {
	what := "certificate " + c.ID
	if c.KeyPair != "" {
		what = "key pair " + c.KeyPair
	}
	return fmt.Sprintf("%s of %s, which is %s", what, c.use(), c.State)
}
