package registry

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/sealane/sealane/cert"
	"github.com/sealane/sealane/keyfile"
)

// Blocked is a public key that must not be used: one of another product, or one whose private
// key was seen.
type Blocked struct {
	SPKISHA256 []byte    `json:"spki_sha256"`
	Reason     string    `json:"reason"`
	By         string    `json:"by"`
	At         time.Time `json:"at"`
	Ended      []string  `json:"ended,omitempty"` // what had the key, and was in use or on its way in
}

// blockBatch is how many keys are blocked in one change.
const blockBatch = 1000

// BlockKeys blocks public keys permanently, by the SHA-256 of their SubjectPublicKeyInfo, of a
// certificate (its DER), or of the file that it comes in. It disables everything that uses such
// a key, and returns its identities. After an error the keys of earlier batches stay blocked.
func (s *Session) BlockKeys(ctx context.Context, sums [][]byte) (ended []string, err error) {
	if len(sums) == 0 {
		return nil, Refuse("no key is named: give files, checksums or a list")
	}
	done := 0
	for batch := range slices.Chunk(sums, blockBatch) {
		subject := fmt.Sprintf("sha256/%x", batch[0])
		if n := len(batch); n > 1 {
			subject = fmt.Sprintf("%s and %d more", subject, n-1)
		}
		var blocked []Blocked
		err := s.Change(ctx, Entry{Action: ActionKeyBlock, Subject: subject}, func(tx Tx, entry *Entry) error {
			blocked = nil
			for _, sum := range batch {
				more, err := s.blockSum(tx, sum, s.reason)
				if err != nil {
					return err
				}
				blocked = append(blocked, more...)
			}
			entry.After = blocked
			return nil
		})
		if err != nil {
			return ended, fmt.Errorf("%d of %d are blocked: %w", done, len(sums), err)
		}
		done += len(batch)
		for _, b := range blocked {
			ended = append(ended, b.Ended...)
		}
	}
	return ended, nil
}

// blockSum blocks a key by its checksum, or by that of a certificate of the registry or its file.
func (s *Session) blockSum(tx Tx, sum []byte, reason string) ([]Blocked, error) {
	blocked := make([]Blocked, 1)
	var err error
	if blocked[0], err = s.Block(tx, sum, reason); err != nil {
		return nil, err
	}
	certificates, err := withSum(tx, sum)
	if err != nil {
		return nil, err
	}
	for _, c := range certificates {
		b, err := s.Block(tx, c.SPKISHA256, reason)
		if err != nil {
			return nil, err
		}
		blocked = append(blocked, b)
	}
	return blocked, nil
}

// Block blocks a public key, and disables everything that uses it, as part of a change. A key
// that is blocked already keeps its reason.
func (s *Session) Block(tx Tx, spkiSHA256 []byte, reason string) (Blocked, error) {
	err := tx.PutBlocked(Blocked{SPKISHA256: spkiSHA256, Reason: reason, By: s.person.ID, At: s.registry.now()})
	if err != nil {
		return Blocked{}, err
	}
	b, err := tx.Blocked(spkiSHA256)
	if err != nil {
		return b, err
	}
	certificates, err := tx.Certificates(CertificateQuery{Owner: Theirs, SPKISHA256: spkiSHA256, States: StatesAlive})
	if err != nil {
		return b, err
	}
	for _, c := range certificates {
		if err := s.MoveCertificate(tx, &c, Compromised); err != nil {
			return b, err
		}
		b.Ended = append(b.Ended, "certificate "+c.ID)
	}
	pairs, err := tx.KeyPairs(KeyPairQuery{SPKISHA256: spkiSHA256, States: StatesInUse})
	if err != nil {
		return b, err
	}
	for _, k := range pairs {
		if err := s.movePair(tx, &k, Compromised); err != nil {
			return b, err
		}
		b.Ended = append(b.Ended, "key pair "+k.ID)
	}
	return b, nil
}

// WeakKey is a public key of a partner's that can't be secret.
type WeakKey struct {
	Partner, Environment string // from whom it came

	SPKISHA256 []byte
	Found      cert.Finding // why it is weak
}

// RecordWeakKey records that a key came in that can't be secret, and blocks it.
func (s *Session) RecordWeakKey(ctx context.Context, k WeakKey) error {
	entry := Entry{
		Action: ActionExchangeAlarm, Subject: "partner/" + k.Partner, Partner: k.Partner, Environment: k.Environment,
		Reason: k.Found.Found,
	}
	return s.Change(ctx, entry, func(tx Tx, entry *Entry) error {
		b, err := s.Block(tx, k.SPKISHA256, k.Found.Found)
		entry.After = b
		return err
	})
}

// LeakedKey is a private key that a partner sent.
type LeakedKey struct {
	Partner, Environment string // from whom it came

	Leak keyfile.Leak
	// SPKISHA256 are the checksums of its public key; where the leak does not name it, of all
	// the public keys that it may be.
	SPKISHA256 [][]byte
}

// RecordLeak records that somebody sent a private key, and blocks its public key. It returns
// what that took out of use.
//
// Where the leak names no public key, all that it may be are blocked, but not those that
// somebody else has: a partner could have them blocked by sending them along.
func (s *Session) RecordLeak(ctx context.Context, k LeakedKey) (ended []string, err error) {
	hidden := k.Leak.PublicKey.IsZero()
	said, why := (&keyfile.PrivateKeyError{Leak: k.Leak}).Error(), "its private key came in a file from %s on %s"
	if hidden && len(k.SPKISHA256) > 0 {
		why = "it came with a private key of which nobody can see whose it is, from %s on %s"
		said += "; blocked are those public keys that came with it which nobody else has, by SHA-256:"
		for _, sum := range k.SPKISHA256 {
			said += fmt.Sprintf(" %x", sum)
		}
	}
	why = fmt.Sprintf(why, k.Partner, s.registry.now().Format(time.DateOnly))
	entry := Entry{
		Action: ActionExchangeAlarm, Subject: "partner/" + k.Partner, Partner: k.Partner, Environment: k.Environment,
		Reason: said,
	}
	err = s.Change(ctx, entry, func(tx Tx, entry *Entry) error {
		var blocked []Blocked
		ended = nil
		for _, sum := range k.SPKISHA256 {
			if foreign, err := ofOthers(tx, sum, k.Partner); err != nil {
				return err
			} else if foreign && hidden {
				continue
			}
			b, err := s.Block(tx, sum, why)
			if err != nil {
				return err
			}
			blocked, ended = append(blocked, b), append(ended, b.Ended...)
		}
		if blocked != nil {
			entry.After = blocked
		}
		return nil
	})
	return ended, err
}

// ofOthers reports whether a public key is known as ours, or as another partner's.
func ofOthers(tx Tx, spkiSHA256 []byte, partner string) (bool, error) {
	certificates, err := tx.Certificates(CertificateQuery{SPKISHA256: spkiSHA256})
	if err != nil {
		return false, err
	}
	others := func(c Certificate) bool { return c.Owner == Ours || c.Partner != partner }
	return slices.ContainsFunc(certificates, others), nil
}
