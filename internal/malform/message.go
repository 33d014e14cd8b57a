package malform

import (
	"bytes"
	"crypto/rand"
	"crypto/rsa"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"strings"

	"github.com/sealane/sealane/internal/alg"
)

var base64url = base64.RawURLEncoding

// member is one member of a header; value is JSON text.
type member struct{ name, value string }

// layer is one token before it is written. A fault replaces one of its steps.
type layer struct {
	members []member
	json    func(string) string         // edits the header's JSON
	write   func(parts []string) string // writes the serialization; default compact
}

// message is a whole message before it is written. Its fields are the steps of RFC 7515
// section 5.1 and RFC 7516 section 5.1. A fault replaces one.
type message struct {
	Material
	inner, outer layer
	err          error // why the fault cannot be made

	signingInput func(headerJSON, headerText string) []byte
	sign         func(input []byte) ([]byte, error)
	editInner    func(payload, signature *[]byte) // after signing

	content    func(inner []byte) ([]byte, error) // content to encrypt instead of inner
	cek        []byte
	encryptCEK func(cek []byte) ([]byte, error)
	iv         []byte
	aad        func(headerJSON, headerText string) []byte
	seal       func(m *message, plaintext, aad []byte) (ciphertext, tag []byte, err error)
	editOuter  func(encryptedKey, iv, ciphertext, tag *[]byte) // after encrypting
}

func newMessage(m Material) *message {
	w := &message{Material: m}
	w.inner.members = []member{{"alg", quoted(m.Signature.Name)}}
	if m.SignerID != "" {
		w.inner.set("kid", quoted(m.SignerID))
	}
	w.outer.members = []member{{"alg", quoted(alg.RSAOAEP256.Name)}}
	w.use(m.Content)
	if m.RecipientID != "" {
		w.outer.set("kid", quoted(m.RecipientID))
	}
	w.sign = func(input []byte) ([]byte, error) { return w.signWith(m.Signer, input) }
	w.encryptCEK = oaep(m.Recipient, rsa.OAEPOptions{Hash: alg.RSAOAEP256.Hash})
	w.aad = func(_, text string) []byte { return []byte(text) }
	return w
}

// use encrypts the content with c, and names c in the header.
func (w *message) use(c *alg.Content) {
	w.outer.set("enc", quoted(c.Name))
	w.cek, w.iv, w.seal = random(c.CEK), random(c.IV), sealGCM(c)
	if c.Block > 0 {
		w.seal = sealCBC(c)
	}
}

func (w *message) write() ([]byte, error) {
	content := w.Payload
	var err error
	if w.Nested {
		if content, err = w.jws(); err != nil {
			return nil, err
		}
	}
	if w.content != nil {
		if content, err = w.content(content); err != nil {
			return nil, err
		}
	}
	return w.jwe(content)
}

func (w *message) jws() ([]byte, error) {
	headerJSON := w.inner.header()
	headerText := encode([]byte(headerJSON))
	payload := bytes.Clone(w.Payload)
	input := []byte(headerText + "." + encode(payload))
	if w.signingInput != nil {
		input = w.signingInput(headerJSON, headerText)
	}
	signature, err := w.sign(input)
	if err != nil {
		return nil, err
	}
	if w.editInner != nil {
		w.editInner(&payload, &signature)
	}
	return w.inner.token(headerText, encode(payload), encode(signature)), nil
}

func (w *message) jwe(content []byte) ([]byte, error) {
	headerJSON := w.outer.header()
	headerText := encode([]byte(headerJSON))
	encryptedKey, err := w.encryptCEK(w.cek)
	if err != nil {
		return nil, err
	}
	ciphertext, tag, err := w.seal(w, content, w.aad(headerJSON, headerText))
	if err != nil {
		return nil, err
	}
	iv := bytes.Clone(w.iv)
	if w.editOuter != nil {
		w.editOuter(&encryptedKey, &iv, &ciphertext, &tag)
	}
	return w.outer.token(headerText, encode(encryptedKey), encode(iv), encode(ciphertext), encode(tag)), nil
}

// header returns the header's JSON.
func (l *layer) header() string {
	texts := make([]string, len(l.members))
	for i, m := range l.members {
		texts[i] = quoted(m.name) + ":" + m.value
	}
	text := "{" + strings.Join(texts, ",") + "}"
	if l.json != nil {
		text = l.json(text)
	}
	return text
}

func (l *layer) token(parts ...string) []byte {
	if l.write != nil {
		return []byte(l.write(parts))
	}
	return []byte(strings.Join(parts, "."))
}

// set replaces a member or adds it at the end.
func (l *layer) set(name, value string) {
	for i := range l.members {
		if l.members[i].name == name {
			l.members[i].value = value
			return
		}
	}
	l.members = append(l.members, member{name, value})
}

func (l *layer) drop(name string) {
	for i := range l.members {
		if l.members[i].name == name {
			l.members = append(l.members[:i:i], l.members[i+1:]...)
			return
		}
	}
}

func oaep(key *rsa.PublicKey, o rsa.OAEPOptions) func([]byte) ([]byte, error) {
	return func(cek []byte) ([]byte, error) { return rsa.EncryptOAEPWithOptions(rand.Reader, key, cek, &o) }
}

// signWith signs with the message's algorithm.
func (w *message) signWith(key *rsa.PrivateKey, input []byte) ([]byte, error) {
	if key == nil {
		return nil, fmt.Errorf("%w: a key to sign with", errMaterial)
	}
	return w.Signature.Sign(key, w.Signature.AppendDigest(nil, input))
}

func encode(b []byte) string { return base64url.EncodeToString(b) }

func quoted(s string) string {
	b, _ := json.Marshal(s) // a string can always be marshaled
	return string(b)
}

func random(n int) []byte {
	b := make([]byte, n)
	rand.Read(b)
	return b
}
