package registry

import (
	"context"
	"crypto/sha256"
	"crypto/x509"
	"fmt"

	"github.com/sealane/sealane"
	"github.com/sealane/sealane/internal/lanes"
	"github.com/sealane/sealane/internal/pasted"
	"github.com/sealane/sealane/keyfile"
	"github.com/sealane/sealane/keyring"
)

// LaneExport says which lane is exported, and where it goes.
type LaneExport struct {
	Lane lanes.Name `json:"lane"`
	// Passphrase encrypts the private keys. Deliver must use it.
	Passphrase []byte `json:"-"`
	// Deliver receives the lane, with private keys in memory and certificates. The export is undone if it
	// returns an error.
	Deliver func(sealane.Config) error `json:"-"`
}

// ExportLane passes a lane with its private keys to Deliver, as the registry has it now. The record
// names the key pairs. An approval is of these alone.
func (s *Session) ExportLane(ctx context.Context, x LaneExport) error {
	if len(pasted.Secret(x.Passphrase)) < keyfile.MinPassphrase {
		return Refuse("the passphrase must have at least %d bytes: the files have private keys",
			keyfile.MinPassphrase)
	}
	lane, err := s.registry.Lanes().ReadLane(ctx, x.Lane, s.registry.now())
	if err != nil {
		return err
	}
	entry := Entry{
		Action: ActionKeyExport, Subject: "lane/" + x.Lane.Partner + "/" + x.Lane.Environment,
		Partner: x.Lane.Partner, Environment: x.Lane.Environment,
	}
	return s.Change(ctx, entry, func(tx Tx, entry *Entry) (err error) {
		if entry.leaves, err = pairsOf(tx, lane.Ours()); err != nil {
			return err
		}
		names := make([]string, len(entry.leaves))
		for i, k := range entry.leaves {
			names[i] = "key/" + k.ID
		}
		entry.After = map[string]any{"format": "lane", "keys": names}
		if err := s.NeedSecond(tx, entry); err != nil {
			return err
		}
		config, err := s.laneConfig(tx, x.Lane, lane, entry.leaves)
		if err != nil {
			return err
		}
		return x.Deliver(config)
	})
}

// laneConfig returns what a lane is made of, with the private keys of pairs, and certificates.
func (s *Session) laneConfig(
	tx Tx, name lanes.Name, lane *sealane.Lane, pairs []KeyPair,
) (config sealane.Config, err error) {
	p, err := tx.Partner(name.Partner)
	if err != nil {
		return config, err
	}
	env, err := tx.Environment(name.Partner, name.Environment)
	if err != nil {
		return config, err
	}
	config = lanes.Config(p.laneRow(), env.laneRow(), lane.Profile())
	if config.Ours, err = s.ourKeys(tx, lane.Ours(), pairs); err != nil {
		return config, err
	}
	config.Theirs, err = theirKeys(tx, name, lane.Theirs())
	return config, err
}

// pairsOf returns the key pairs that a lane has, in the lane's order.
func pairsOf(tx Tx, infos []keyring.KeyInfo) (pairs []KeyPair, err error) {
	for _, info := range infos {
		sum, err := spkiSum(info)
		if err != nil {
			return nil, err
		}
		found, err := tx.KeyPairs(KeyPairQuery{SPKISHA256: sum})
		if err == nil && len(found) == 0 {
			err = ErrNotFound
		}
		if err != nil {
			return nil, fmt.Errorf("key pair with key ID %q: %w", info.ID, err)
		}
		pairs = append(pairs, found[0])
	}
	return pairs, nil
}

// ourKeys returns a ring of the keys that a lane has, with the private keys of their pairs, and their certificates.
func (s *Session) ourKeys(tx Tx, infos []keyring.KeyInfo, pairs []KeyPair) (*keyring.Ring, error) {
	if len(infos) == 0 {
		return nil, nil
	}
	keys := make([]keyring.Key, len(infos))
	for i, info := range infos {
		private, err := s.registry.unseal(pairs[i])
		if err != nil {
			return nil, err
		}
		keys[i] = keyring.Key{ID: info.ID, State: info.State, Private: private}
		if pairs[i].Certificate == "" {
			continue
		}
		c, err := tx.Certificate(pairs[i].Certificate)
		if err != nil {
			return nil, err
		}
		chain, err := c.Parse()
		if err != nil {
			return nil, err
		}
		keys[i].Certificate = chain[0]
	}
	return keyring.New(keys...)
}

// theirKeys returns a ring of the partner's keys that a lane has, with their certificates.
func theirKeys(tx Tx, name lanes.Name, infos []keyring.KeyInfo) (*keyring.Ring, error) {
	if len(infos) == 0 {
		return nil, nil
	}
	keys := make([]keyring.Key, len(infos))
	for i, info := range infos {
		sum, err := spkiSum(info)
		if err != nil {
			return nil, err
		}
		found, err := tx.Certificates(CertificateQuery{
			Owner: Theirs, Partner: name.Partner, Environment: name.Environment, SPKISHA256: sum,
		})
		if err != nil {
			return nil, err
		}
		keys[i] = keyring.Key{ID: info.ID, State: info.State, Public: info.Public}
		if len(found) == 0 {
			continue // the public key alone is enough
		}
		chain, err := found[0].Parse()
		if err != nil {
			return nil, err
		}
		keys[i].Certificate = chain[0]
	}
	return keyring.New(keys...)
}

// spkiSum returns the SHA-256 by which a key is found.
func spkiSum(info keyring.KeyInfo) ([]byte, error) {
	der, err := x509.MarshalPKIXPublicKey(info.Public)
	sum := sha256.Sum256(der)
	return sum[:], err
}
