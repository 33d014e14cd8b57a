package registry

import (
	"context"
	"fmt"
	"slices"
	"time"
)

// Blocked is a public key that must not be used: one of another product, or one whose private
// key was seen.
type Blocked struct {
	SPKISHA256 []byte    `json:"spki_sha256"`
	Reason     string    `json:"reason"`
	By         string    `json:"by"`
	At         time.Time `json:"at"`
	Ended      []string  `json:"ended,omitempty"` // what had the key, and was in use or on its way in
	Lifted     time.Time `json:"lifted,omitzero"` // since when the key may be used again
	LiftedBy   string    `json:"lifted_by,omitempty"`
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

// Block blocks a public key by a person's word, and disables everything that uses it, as part of
// a change. A key that is blocked already keeps its reason. What comes from outside must not end
// what is in use: see keepOut.
func (s *Session) Block(tx Tx, spkiSHA256 []byte, reason string) (Blocked, error) {
	b, err := s.keepOut(tx, spkiSHA256, reason)
	if err != nil {
		return b, err
	}
	certificates, pairs, damaged, err := usedAs(tx, spkiSHA256)
	if err != nil {
		return b, err
	}
	for _, row := range damaged { // no lane has it
		b.Ended = append(b.Ended, row.Row+" (its row is damaged: when that is restored, revoke it)")
	}
	for _, c := range certificates {
		if err := s.MoveCertificate(tx, &c, Compromised); err != nil {
			return b, err
		}
		b.Ended = append(b.Ended, "certificate "+c.ID)
	}
	for _, k := range pairs {
		if err := s.movePair(tx, &k, Compromised); err != nil {
			return b, err
		}
		b.Ended = append(b.Ended, "key pair "+k.ID)
	}
	return b, nil
}

// keepOut blocks a public key, as part of a change, so that it can't come in. Certificates with
// it that are on their way in end. What is in use stays as it is.
func (s *Session) keepOut(tx Tx, spkiSHA256 []byte, reason string) (Blocked, error) {
	err := tx.PutBlocked(Blocked{SPKISHA256: spkiSHA256, Reason: reason, By: s.person.ID, At: s.registry.now()})
	if err != nil {
		return Blocked{}, err
	}
	b, err := tx.Blocked(spkiSHA256)
	if err != nil {
		return b, err
	}
	open, _, err := Readable(tx.Certificates(CertificateQuery{
		Owner: Theirs, SPKISHA256: spkiSHA256, States: []State{Received, Matched, Approved},
	}))
	for _, c := range open {
		if err := s.MoveCertificate(tx, &c, Compromised); err != nil {
			return b, err
		}
		b.Ended = append(b.Ended, "certificate "+c.ID)
	}
	return b, err
}

// usedAs returns the partners' certificates and the key pairs of ours with a public key that are
// in use, and those rows of them that can't be read.
func usedAs(
	tx Reader, spkiSHA256 []byte,
) (certificates []Certificate, pairs []KeyPair, damaged DamagedRows, err error) {
	certificates, damaged, err = Readable(tx.Certificates(CertificateQuery{
		Owner: Theirs, SPKISHA256: spkiSHA256, States: StatesInUse,
	}))
	if err != nil {
		return nil, nil, nil, err
	}
	pairs, more, err := Readable(tx.KeyPairs(KeyPairQuery{SPKISHA256: spkiSHA256, States: StatesInUse}))
	return certificates, pairs, append(damaged, more...), err
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
