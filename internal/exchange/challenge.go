package exchange

import (
	"context"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/sealane/sealane/internal/alg"
	"github.com/sealane/sealane/internal/jose"
	"github.com/sealane/sealane/internal/pasted"
	"github.com/sealane/sealane/internal/registry"
	"github.com/sealane/sealane/internal/unpack"
	"github.com/sealane/sealane/keyfile"
)

// proofPrefix begins the text of a challenge.
const proofPrefix = "sealane-proof-"

// Challenge returns a message that only the owner of the certificate's private key can
// open. It holds the text that Prove takes.
//
// Where a challenge is out already, another is made only with again. It voids the one
// before, and the proof that answered that.
func (e Exchange) Challenge(ctx context.Context, id string, again bool) (token []byte, err error) {
	nonce := []byte(proofPrefix + rand.Text())
	step := func(tx registry.Tx, c *registry.Certificate) error {
		if err := mayProve(*c); err != nil {
			return err
		}
		if len(c.Provenance.Challenge) > 0 && !again {
			return registry.Refuse("certificate %s: a challenge was sent already, and another would make its "+
				"answer invalid", c.ID).
				Needing(registry.Again)
		}
		if token, err = encryptTo(*c, nonce); err != nil {
			return err
		}
		sum := sha256.Sum256(nonce)
		c.Provenance.Challenge, c.Provenance.Possession = sum[:], ""
		return tx.PutCertificate(c)
	}
	err = e.changeTheirs(ctx, registry.ActionExchangeChallenge, id, step)
	return token, err
}

// encryptTo encrypts a text to the key of a certificate.
func encryptTo(c registry.Certificate, plaintext []byte) ([]byte, error) {
	chain, err := c.Parse()
	if err != nil {
		return nil, err
	}
	pub, ok := chain[0].PublicKey.(*rsa.PublicKey)
	if !ok {
		return nil, registry.Refuse("certificate %s has no RSA key", c.ID)
	}
	head := jose.Header{Alg: alg.RSAOAEP256.Name, Enc: alg.A256GCM.Name}
	if c.KeyID != "" {
		head.Kid = &c.KeyID
	}
	protected, err := jose.ProtectEncrypted(head)
	if err != nil {
		return nil, err
	}
	return jose.Encrypt(nil, plaintext, protected, alg.PublicKey{PublicKey: pub})
}

// Proof is the partner's answer to the challenge of a certificate.
type Proof struct {
	Certificate string `json:"certificate"` // its identity
	Answer      string `json:"answer"`      // the text of the challenge
}

// Prove compares the answer with what the challenge held. A wrong answer is recorded.
func (e Exchange) Prove(ctx context.Context, p Proof) error {
	var wrong *registry.Certificate
	step := func(tx registry.Tx, c *registry.Certificate) error {
		if err := mayProve(*c); err != nil {
			return err
		}
		answer, ok := proofIn(p.Answer)
		sum := sha256.Sum256([]byte(answer))
		switch {
		case len(c.Provenance.Challenge) == 0:
			return registry.Refuse("certificate %s: no challenge was sent", c.ID)
		case !ok:
			return registry.Refuse("certificate %s: there is no answer in this text; it begins with %s", c.ID,
				proofPrefix)
		case !slices.Equal(sum[:], c.Provenance.Challenge):
			wrong = c
			return registry.Refuse("certificate %s: this is not the text of the challenge; the sender did not open it",
				c.ID)
		}
		now := e.session.Time().Format(time.RFC3339)
		c.Provenance.Challenge, c.Provenance.Possession = nil, "answered a challenge on "+now
		return tx.PutCertificate(c)
	}
	err := e.changeTheirs(ctx, registry.ActionExchangeProve, p.Certificate, step)
	if wrong != nil {
		err = errors.Join(err, e.recordMismatch(ctx, *wrong, answerMismatch, "is not the text of the challenge"))
	}
	return err
}

var proofForm = regexp.MustCompile(`(?i)(` + proofPrefix + `)([a-z2-7]{26})`)

// proofIn returns the answer in a text. If there is none in its full length, it returns what
// stands in its place.
func proofIn(text string) (answer string, ok bool) {
	text = pasted.Clean([]byte(text[:min(len(text), maxPasted)]))
	found := proofForm.FindStringSubmatch(text)
	if found == nil { // broken over two lines
		found = proofForm.FindStringSubmatch(strings.Join(strings.FieldsFunc(text, func(r rune) bool {
			return strings.ContainsRune(" \t\n>|", r)
		}), ""))
	}
	if found == nil {
		_, answer, ok = strings.Cut(text, proofPrefix)
		return answer, ok
	}
	return proofPrefix + strings.ToUpper(found[2]), true
}

// mayProve refuses a proof that comes too late for the approval.
func mayProve(c registry.Certificate) error {
	if c.State != registry.Received && c.State != registry.Matched {
		return registry.Refuse("certificate %s is %s; a proof is asked for before it is approved", c.ID, c.State)
	}
	return nil
}

// Answer opens a partner's challenge with one of our key pairs, and returns the text that
// proves that we have it. The partner may be empty where there are few key pairs. No other
// message is opened: a challenge says that it is one.
func (e Exchange) Answer(ctx context.Context, token []byte, partner string) (answer string, err error) {
	if err := e.session.May(registry.ActionExchangeAnswer); err != nil {
		return "", err
	}
	var pairs []registry.KeyPair
	err = e.session.View(ctx, func(tx registry.Reader) (err error) {
		pairs, err = challenged(tx, partner)
		return err
	})
	if err != nil {
		return "", err
	}
	tokens := challengesIn(token)
	var broken error
	for _, k := range pairs {
		for _, t := range tokens {
			text, err := e.session.Decrypt(k, []byte(t))
			if errors.Is(err, registry.ErrUnusable) {
				broken = errors.Join(broken, err)
				break
			}
			if err != nil || !strings.HasPrefix(string(text), proofPrefix) {
				continue
			}
			if err := e.recordAnswer(ctx, k); err != nil {
				return "", err
			}
			return string(text), nil
		}
	}
	switch {
	case len(tokens) == 0:
		return "", registry.Refuse("there is no challenge in this text: it is a JWE, five parts with dots " +
			"between them, and begins with eyJ; copy all of it")
	case broken != nil:
		return "", fmt.Errorf("no key pair opens it, and some could not be tried: %w", broken)
	case partner == "" && len(pairs) == all.Limit:
		return "", registry.Refuse("this is no challenge to the first %d key pairs: say which partner sent it",
			len(pairs)).
			Needing(registry.Whose)
	}
	return "", registry.Refuse("this is no challenge to a key pair of this registry")
}

// challengesIn returns what may be the challenge in a text or a saved mail.
func challengesIn(data []byte) (tokens []string) {
	for _, p := range unpack.Open(data, keyfile.SignedContent).Parts {
		text, _ := unpack.Text(p.Data)
		for _, reading := range [][]byte{text, unpack.Meant(text)} {
			tokens = append(tokens, pasted.Tokens(pasted.Clean(reading), 5)...)
		}
	}
	slices.Sort(tokens)
	const most = 16 // each is tried with each key pair
	tokens = slices.Compact(tokens)
	return tokens[:min(len(tokens), most)]
}

func (e Exchange) recordAnswer(ctx context.Context, k registry.KeyPair) error {
	record := registry.Entry{
		Action: registry.ActionExchangeAnswer, Subject: "key/" + k.ID, Partner: k.Partner, Environment: k.Environment,
	}
	return e.session.Change(ctx, record, func(registry.Tx, *registry.Entry) error { return nil })
}

// challenged returns the key pairs that a partner may challenge. An empty partner stands
// for any.
func challenged(tx registry.Reader, partner string) ([]registry.KeyPair, error) {
	if partner == "" {
		return tx.KeyPairs(registry.KeyPairQuery{States: registry.StatesInUse, Page: all})
	}
	p, err := tx.Partner(partner)
	if err != nil {
		return nil, err
	}
	return registry.PairsFor(tx, p, "")
}
