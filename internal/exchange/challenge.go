package exchange

import (
	"bytes"
	"context"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/sealane/sealane/internal/alg"
	"github.com/sealane/sealane/internal/jose"
	"github.com/sealane/sealane/internal/registry"
)

// proofPrefix begins the text of a challenge.
const proofPrefix = "sealane-proof-"

// Challenge makes a message that only the owner of the certificate's private key
// can open. What it holds is the answer that Prove takes.
//
// While one is out another is made only again, which voids the first.
func (e Exchange) Challenge(ctx context.Context, id string, again bool) (token []byte, err error) {
	nonce := proofPrefix + rand.Text()
	err = e.session.Change(ctx, registry.Entry{Action: registry.ActionExchangeChallenge, Subject: "certificate/" + id}, func(tx registry.Tx, entry *registry.Entry) error {
		c, err := theirs(tx, id)
		if err != nil {
			return err
		}
		if err := provable(c); err != nil {
			return err
		}
		if len(c.Provenance.Challenge) > 0 && !again {
			return fmt.Errorf("certificate %s: a challenge is out already; another would void its answer (--again, if it is lost)", id)
		}
		entry.Partner, entry.Environment, entry.Before = c.Partner, c.Environment, c
		if token, err = seal(&c, []byte(nonce)); err != nil {
			return err
		}
		sum := sha256.Sum256([]byte(nonce))
		c.Provenance.Challenge, c.Provenance.Possession = sum[:], ""
		entry.After = c
		return tx.PutCertificate(&c)
	})
	return token, err
}

func seal(c *registry.Certificate, plaintext []byte) ([]byte, error) {
	chain, err := c.Parse()
	if err != nil {
		return nil, err
	}
	head := jose.Header{Alg: alg.RSAOAEP256.Name, Enc: alg.A256GCM.Name}
	if c.KeyID != "" {
		head.Kid = &c.KeyID
	}
	protected, err := jose.ProtectEncrypted(head)
	if err != nil {
		return nil, err
	}
	pub, ok := chain[0].PublicKey.(*rsa.PublicKey)
	if !ok {
		return nil, fmt.Errorf("certificate %s has no RSA key", c.ID)
	}
	return jose.Encrypt(nil, plaintext, protected, alg.PublicKey{PublicKey: pub})
}

// Prove takes the partner's answer to the challenge.
func (e Exchange) Prove(ctx context.Context, id, answer string) error {
	var wrong *registry.Certificate
	err := e.session.Change(ctx, registry.Entry{Action: registry.ActionExchangeProve, Subject: "certificate/" + id}, func(tx registry.Tx, entry *registry.Entry) error {
		c, err := theirs(tx, id)
		if err != nil {
			return err
		}
		if err := provable(c); err != nil {
			return err
		}
		sum := sha256.Sum256([]byte(strings.TrimSpace(answer)))
		switch {
		case len(c.Provenance.Challenge) == 0:
			return fmt.Errorf("certificate %s: no challenge is out", id)
		case !slices.Equal(sum[:], c.Provenance.Challenge):
			wrong = &c
			return fmt.Errorf("certificate %s: this is not what the challenge holds; whoever answered did not open it", id)
		}
		entry.Partner, entry.Environment, entry.Before = c.Partner, c.Environment, c
		c.Provenance.Challenge = nil
		c.Provenance.Possession = fmt.Sprintf("answered a challenge on %s", e.session.Registry.Time().Format(time.RFC3339))
		entry.After = c
		return tx.PutCertificate(&c)
	})
	if wrong != nil {
		err = errors.Join(err, e.mismatch(ctx, *wrong, map[string]string{"answer": "not what the challenge holds"}))
	}
	return err
}

// provable: a proof is for whoever approves.
func provable(c registry.Certificate) error {
	if c.State != registry.Received && c.State != registry.Matched {
		return fmt.Errorf("certificate %s is %s; a proof is asked for before it is approved", c.ID, c.State)
	}
	return nil
}

// Answer opens a partner's challenge with one of our key pairs, and gives the text
// that proves it. The partner may be left out where there are few key pairs. Nothing
// else is opened: a challenge says that it is one.
func (e Exchange) Answer(ctx context.Context, token []byte, partner string) (answer string, err error) {
	if err := e.session.May(registry.ActionExchangeAnswer); err != nil {
		return "", err
	}
	var pairs []registry.KeyPair
	err = e.session.View(ctx, func(tx registry.Tx) (err error) {
		pairs, err = challenged(tx, partner)
		return err
	})
	if err != nil {
		return "", err
	}
	var broken error
	for _, k := range pairs {
		text, err := e.session.Decrypt(k, bytes.TrimSpace(token))
		if errors.Is(err, registry.ErrUnusable) {
			broken = errors.Join(broken, err)
		}
		if err != nil || !strings.HasPrefix(string(text), proofPrefix) {
			continue
		}
		record := registry.Entry{Action: registry.ActionExchangeAnswer, Subject: "key/" + k.ID, Partner: k.Partner, Environment: k.Environment}
		if err := e.session.Change(ctx, record, func(registry.Tx, *registry.Entry) error { return nil }); err != nil {
			return "", err
		}
		return string(text), nil
	}
	switch {
	case broken != nil:
		return "", fmt.Errorf("no key pair opens it, and some could not be tried: %w", broken)
	case partner == "" && len(pairs) == all.Limit:
		return "", fmt.Errorf("this is no challenge to the first %d key pairs: say whose it is (--partner)", len(pairs))
	}
	return "", errors.New("this is no challenge to a key pair of this registry")
}

// challenged gives the key pairs that a partner, or any, may challenge.
func challenged(tx registry.Tx, partner string) ([]registry.KeyPair, error) {
	if partner == "" {
		return tx.KeyPairs(registry.KeyPairQuery{States: registry.StatesInUse, Page: all})
	}
	p, err := tx.Partner(partner)
	if err != nil {
		return nil, fmt.Errorf("partner %q: %w", partner, err)
	}
	return registry.PairsFor(tx, p, "")
}
