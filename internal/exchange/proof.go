package exchange

import (
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
func (x Exchange) Challenge(ctx context.Context, id string, again bool, reason string) (token []byte, err error) {
	nonce := proofPrefix + rand.Text()
	err = x.Change(ctx, registry.Entry{Action: "exchange.challenge", Subject: "certificate/" + id, Reason: reason}, func(tx registry.Tx, e *registry.Entry) error {
		c, err := theirs(tx, id)
		if err != nil {
			return err
		}
		if err := provable(c); err != nil {
			return err
		}
		if len(c.Exchange.Challenge) > 0 && !again {
			return fmt.Errorf("certificate %s: a challenge is out already; another would void its answer (--again, if it is lost)", id)
		}
		e.Partner, e.Environment, e.Before = c.Partner, c.Environment, c
		if token, err = seal(&c, []byte(nonce)); err != nil {
			return err
		}
		sum := sha256.Sum256([]byte(nonce))
		c.Exchange.Challenge, c.Exchange.Possession = sum[:], ""
		e.After = c
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
func (x Exchange) Prove(ctx context.Context, id, answer, reason string) error {
	var wrong *registry.Certificate
	err := x.Change(ctx, registry.Entry{Action: "exchange.prove", Subject: "certificate/" + id, Reason: reason}, func(tx registry.Tx, e *registry.Entry) error {
		c, err := theirs(tx, id)
		if err != nil {
			return err
		}
		if err := provable(c); err != nil {
			return err
		}
		sum := sha256.Sum256([]byte(strings.TrimSpace(answer)))
		switch {
		case len(c.Exchange.Challenge) == 0:
			return fmt.Errorf("certificate %s: no challenge is out", id)
		case !slices.Equal(sum[:], c.Exchange.Challenge):
			wrong = &c
			return fmt.Errorf("certificate %s: this is not what the challenge holds; whoever answered did not open it", id)
		}
		e.Partner, e.Environment, e.Before = c.Partner, c.Environment, c
		c.Exchange.Challenge = nil
		c.Exchange.Possession = fmt.Sprintf("answered a challenge on %s", x.Time().Format(time.RFC3339))
		e.After = c
		return tx.PutCertificate(&c)
	})
	if wrong != nil {
		err = errors.Join(err, x.mismatch(ctx, *wrong, reason, map[string]string{"answer": "not what the challenge holds"}))
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
