package lanes

import (
	"crypto/rsa"
	"time"

	"github.com/sealane/sealane"
	"github.com/sealane/sealane/keyring"
)

// Direction says whose messages a key was used for.
type Direction string

// The directions.
const (
	// Out is for messages of ours: the key pair has signed them, or they were encrypted to the
	// partner's certificate.
	Out Direction = "out"
	// In is for messages of the partner: the key pair has decrypted them, also those whose content was
	// refused then, or the partner's certificate has verified them.
	In Direction = "in"
)

// KeyUse says which key is used, and for what. A key pair that partners share is counted for each of
// them.
type KeyUse struct {
	Key       string // the identity of the key pair or certificate
	Partner   string
	Direction Direction
}

// Seen says how often a key was used, and when first and last.
type Seen struct {
	First, Last time.Time
	Count       int64
}

// and returns what was seen in all.
func (s Seen) and(more Seen) Seen {
	if s.Count == 0 {
		return more
	}
	if more.First.Before(s.First) {
		s.First = more.First
	}
	if more.Last.After(s.Last) {
		s.Last = more.Last
	}
	s.Count += more.Count
	return s
}

// KeySeen is a use of a key, and how often it was seen.
type KeySeen struct {
	KeyUse
	Seen
}

// KeyUses are uses that are stored together.
type KeyUses struct {
	Node    string // that has used the keys
	Process string // one process of the node
	// Batch numbers what a process stores. A use that was stored by a batch is not stored by the same
	// batch again, so it can be repeated after an error that leaves open whether it was stored.
	Batch int64
	Seen  []KeySeen // each KeyUse once, and MostKeySeen at most
}

// MostKeySeen is how many uses of keys are stored at once, so that others wait only shortly.
const MostKeySeen = 500

// Keys are the identities of the keys of a lane, by which uses are counted.
type Keys struct {
	partner      string
	ours, theirs []namedKey
}

// namedKey is a key of a lane, with the identity of its row.
type namedKey struct {
	id     string
	public *rsa.PublicKey
}

// Keys returns the keys of a lane. It returns nil where there is no such lane, or no lane can be made
// of its rows.
func (s *Snapshot) Keys(name Name) *Keys {
	p, entry := s.find(name)
	if entry == nil {
		return nil
	}
	entry.mu.Lock()
	defer entry.mu.Unlock()
	s.forget(p, entry)
	if entry.keys == nil {
		entry.keys = s.keysOf(p, entry)
	}
	return entry.keys
}

func (s *Snapshot) keysOf(p *partnerEntry, entry *laneEntry) *Keys {
	keys := &Keys{partner: p.ID}
	add := func(to *[]namedKey, id string, spki []byte) {
		if public, err := ParsePublicKey(spki); err == nil { // otherwise no lane is made
			*to = append(*to, namedKey{id, public})
		}
	}
	for _, k := range s.ourKeys(p, entry) {
		add(&keys.ours, k.row.ID, k.spki)
	}
	for _, c := range entry.theirs {
		add(&keys.theirs, c.ID, c.SPKI)
	}
	return keys
}

// pairUses are the uses of the keys of both sides for one message. A side whose key is not used, or not
// known, has none.
type pairUses struct{ ours, theirs KeyUse }

// use returns the use of a key, and an empty one without a key.
func (k *Keys) use(key *namedKey, d Direction) KeyUse {
	if key == nil {
		return KeyUse{}
	}
	return KeyUse{key.id, k.partner, d}
}

// sealed returns the uses of the keys that have sealed a message.
func (k *Keys) sealed(by sealane.SealKeys) (uses pairUses) {
	if signer, signed := by.Signer(); signed {
		uses.ours = k.use(withPublic(k.ours, signer.Public), Out)
	}
	if recipient, sealed := by.Recipient(); sealed {
		uses.theirs = k.use(withPublic(k.theirs, recipient.Public), Out)
	}
	return uses
}

// opened returns the uses of the keys that have opened a message.
func (k *Keys) opened(m sealane.Message) (uses pairUses) {
	uses = k.decrypted(m.OpenedBy())
	if signed, is := m.(*sealane.Verified); is {
		uses.theirs = k.use(withPublic(k.theirs, signed.Signer().Public), In)
	}
	return uses
}

// decrypted returns the use of the key pair that has decrypted a message.
func (k *Keys) decrypted(by keyring.KeyInfo) pairUses {
	return pairUses{ours: k.use(withPublic(k.ours, by.Public), In)}
}

// withPublic returns the key with a public key, or nil. Several keys may have one key ID. Public keys need not be
// compared in constant time, as [rsa.PublicKey.Equal] does.
func withPublic(keys []namedKey, by *rsa.PublicKey) *namedKey {
	for i := range keys {
		if k := keys[i].public; k.E == by.E && k.N.Cmp(by.N) == 0 {
			return &keys[i]
		}
	}
	return nil
}
