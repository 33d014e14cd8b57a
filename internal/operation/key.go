package operation

import (
	"context"
	"crypto/rsa"
	"crypto/x509"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/sealane/sealane/internal/registry"
)

// NewPair describes a key pair to be made or imported.
type NewPair = registry.NewPair

// MadePair is a key pair with the identity of its certificate.
type MadePair struct {
	KeyPair     KeyPair              `json:"key_pair"`
	Certificate registry.Certificate `json:"certificate"`
}

// CreateKey makes one of our key pairs and its certificate.
var CreateKey = withKeys("CreateKey", registry.ActionKeyCreate,
	func(ctx context.Context, s *Session, in NewPair) (MadePair, error) { return s.createPair(ctx, in) })

func (s *Session) createPair(ctx context.Context, n NewPair) (out MadePair, err error) {
	if n.Profile, err = profileOf(ctx, &s.Viewer, n.Partner, n.Profile); err != nil {
		return out, err
	}
	out.KeyPair, out.Certificate, err = s.CreateKeyPair(ctx, n)
	return out, err
}

// ImportedPair is a key pair that was made elsewhere.
type ImportedPair struct {
	NewPair
	Key   *rsa.PrivateKey     `json:"-"`
	Chain []*x509.Certificate `json:"-"` // its certificate, then the issuers
}

// ImportKey adds a key pair that was made elsewhere.
var ImportKey = withKeys("ImportKey", registry.ActionKeyImport,
	func(ctx context.Context, s *Session, in ImportedPair) (out MadePair, err error) {
		if in.Profile, err = profileOf(ctx, &s.Viewer, in.Partner, in.Profile); err != nil {
			return out, err
		}
		out.KeyPair, out.Certificate, err = s.ImportKeyPair(ctx, in.NewPair, in.Key, in.Chain)
		return out, err
	})

// KeyExport describes the private key to export, and its format.
type KeyExport = registry.KeyPairExport

// ExportKey passes a private key, encrypted with a passphrase, to its Deliver.
var ExportKey = withKeys("ExportKey", registry.ActionKeyExport,
	func(ctx context.Context, s *Session, in KeyExport) (None, error) {
		return None{}, s.ExportKeyPair(ctx, in)
	})

// LaneExport says which lane is exported, and where it goes.
type LaneExport = registry.LaneExport

// ExportLane passes a lane with its private keys to its Deliver.
var ExportLane = withKeys("ExportLane", registry.ActionKeyExport,
	func(ctx context.Context, s *Session, in LaneExport) (None, error) {
		return None{}, s.Session.ExportLane(ctx, in)
	})

// KeyQuery selects key pairs. Empty fields select all.
type KeyQuery = registry.KeyPairQuery

// KeyList is a page of key pairs, with the end of each one's certificate.
type KeyList struct {
	Keys []KeyPairRow `json:"keys"`
	More string       `json:"more,omitempty"` // After of the next page
	Damage
}

// KeyPairRow is a key pair with facts of its certificate.
type KeyPairRow struct {
	KeyPair
	CommonName string    `json:"common_name"`
	Ends       time.Time `json:"not_after"`
	// Offers are those to partners; Exported is the last export of the private key.
	Offers   OfferCount  `json:"offers,omitzero"`
	Exported KeyExported `json:"exported,omitzero"`
}

// OfferCount is how many partners a key pair was offered to.
type OfferCount = registry.OfferCount

// KeyExported says when a private key has left the registry, and by whom.
type KeyExported struct {
	At time.Time `json:"at"`
	By string    `json:"by"`
}

// exports returns the last export of each private key, by the identity of its pair: the audit log has
// all.
func exports(tx registry.Reader) (map[string]KeyExported, error) {
	const page = 1000
	last := map[string]KeyExported{}
	for q := (registry.AuditQuery{Action: registry.ActionKeyExport, Limit: page}); ; {
		records, _, err := registry.Readable(tx.FindAudit(q))
		if err != nil {
			return nil, err
		}
		for _, r := range slices.Backward(records) {
			var lane struct { // that was exported as a whole
				Keys []string `json:"keys"`
			}
			_ = json.Unmarshal(r.After, &lane) // another text names no keys
			for _, subject := range append(lane.Keys, r.Subject) {
				id, is := strings.CutPrefix(subject, "key/")
				if _, later := last[id]; is && !later {
					last[id] = KeyExported{r.Time, r.Actor}
				}
			}
		}
		if len(records) < page {
			return last, nil
		}
		q.Before = records[0].Seq
	}
}

// ListKeys lists our key pairs.
var ListKeys = reading("ListKeys",
	func(ctx context.Context, v *registry.Viewer, in KeyQuery) (out KeyList, err error) {
		err = v.View(ctx, func(tx registry.Reader) error {
			pairs, damaged, err := registry.Readable(tx.KeyPairs(in))
			if err != nil {
				return err
			}
			out.lack(damaged)
			if err := out.fill(tx, pairs); err != nil {
				return err
			}
			next := in
			next.Limit = 1
			next.After = lastOf(pairs, func(k KeyPair) string { return k.ID }, damaged)
			if next.After == "" {
				return nil
			}
			more, damaged, err := registry.Readable(tx.KeyPairs(next))
			if len(more)+len(damaged) > 0 {
				out.More = next.After
			}
			return err
		})
		return out, err
	})

// fill adds key pairs to a list.
func (out *KeyList) fill(tx registry.Reader, pairs []KeyPair) error {
	ids := make([]string, len(pairs))
	for i, k := range pairs {
		ids[i] = k.ID
	}
	offers, err := tx.OfferCounts(ids)
	if err != nil {
		return err
	}
	exported, err := exports(tx)
	if err != nil {
		return err
	}
	out.Keys = nil
	for _, k := range pairs {
		c, err := tx.Certificate(k.Certificate)
		if err = out.lackOne(err); err != nil {
			return err
		}
		k.SPKI = nil
		out.Keys = append(out.Keys, KeyPairRow{
			KeyPair: k, CommonName: c.CommonName, Ends: c.NotAfter, Offers: offers[k.ID], Exported: exported[k.ID],
		})
	}
	return nil
}

// DestroyKey deletes the private key of a retired key pair.
var DestroyKey = changing("DestroyKey", registry.ActionKeyDestroy,
	func(ctx context.Context, s *Session, in ID) (Step, error) {
		if err := s.MovePair(ctx, in.ID, registry.Destroyed, false); err != nil {
			return Step{}, err
		}
		return s.step(ctx, in.ID, "")
	})

// Block names keys by SHA-256 checksums, of their SubjectPublicKeyInfo, of certificates (DER), or
// of certificate files.
type Block struct {
	SHA256 [][]byte `json:"sha256"`
}

// Blocked lists the keys that were blocked.
type Blocked struct {
	Count int      `json:"blocked"`
	Ended []string `json:"ended"` // certificates and key pairs with one of them, which are no longer in use
}

// BlockKeys blocks keys permanently.
var BlockKeys = changing("BlockKeys", registry.ActionKeyBlock,
	func(ctx context.Context, s *Session, in Block) (Blocked, error) {
		ended, err := s.Session.BlockKeys(ctx, in.SHA256)
		return Blocked{len(in.SHA256), ended}, err
	})

// BlockedSum names a block by its SHA-256.
type BlockedSum struct {
	SHA256 []byte `json:"sha256"`
	// Also are the other checksums of the same file: those of them that are blocked are lifted, too.
	Also [][]byte `json:"also,omitempty"`
}

// BlockedList is a page of the keys that are or were blocked.
type BlockedList struct {
	Blocked []BlockedKey `json:"blocked"`
	More    string       `json:"more,omitempty"` // the next page begins after this one
	Damage
}

// BlockedKey is a block.
type BlockedKey struct {
	registry.Blocked
	SHA256 string `json:"sha256"`
}

// ListBlocked lists the keys that are or were blocked.
var ListBlocked = reading("ListBlocked",
	func(ctx context.Context, v *registry.Viewer, in Page) (out BlockedList, err error) {
		err = v.View(ctx, func(tx registry.Reader) error {
			blocks, damaged, err := registry.Readable(tx.BlockedAfter(in))
			if err != nil {
				return err
			}
			out = BlockedList{}
			out.lack(damaged)
			for _, b := range blocks {
				out.Blocked = append(out.Blocked, BlockedKey{b, fmt.Sprintf("%x", b.SPKISHA256)})
			}
			if next := lastOf(blocks, func(b registry.Blocked) string { return fmt.Sprintf("%x", b.SPKISHA256) },
				damaged); next != "" {
				more, damaged, err := registry.Readable(tx.BlockedAfter(Page{After: next, Limit: 1}))
				if len(more)+len(damaged) > 0 {
					out.More = next
				}
				return err
			}
			return nil
		})
		return out, err
	})

// UnblockKey lifts a block.
var UnblockKey = repeatable("UnblockKey", registry.ActionKeyUnblock,
	func(ctx context.Context, s *Session, in BlockedSum) (None, error) {
		return None{}, s.Session.UnblockKey(ctx, append([][]byte{in.SHA256}, in.Also...)...)
	})

// SPKISum returns the checksum by which the registry tells public keys apart.
func SPKISum(pub *rsa.PublicKey) ([]byte, error) { return registry.SPKISum(pub) }
