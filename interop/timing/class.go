package main

import (
	"bytes"
	"crypto"
	"crypto/rand"
	"crypto/rsa"
	"encoding/base64"
	"fmt"
	"math/big"

	"github.com/sealane/sealane/fault"
	"github.com/sealane/sealane/internal/malform"
	"github.com/sealane/sealane/profile"
)

// kind is one way to make a token of a class.
type kind func(malform.Material) ([]byte, error)

// class is a set of tokens that fail, or open, for one reason.
type class struct {
	name  string
	about string
	every int             // measured in one block of so many
	fault fault.Code      // what the operator sees
	on    profile.Outcome // what the partner learns; empty: the request is served
	kinds []kind
}

// The classes, by their indexes in classes. The first four must be indistinguishable; the
// control is a second set of the first, and shows the effect of noise alone.
const (
	keyFails = iota
	keyFailsAgain
	cekLength
	tagFails
	signatureFails
	succeeds
)

// maxCEK is the longest of the wrong keys.
const maxCEK = 64

// seldom is for classes that are only reported: they take time and prove nothing.
const seldom = 10

func classes() []class {
	key := []kind{forged(fault.OpenKey, "random"), forged(fault.OpenKey, "flipped"), forged(fault.OpenPKCS1, "rsa1_5"),
		forged(fault.OpenSHA1, "digest-and-mgf1"), forged(fault.OpenKeyOther, "stranger")}
	var lengths []kind
	for _, n := range []int{0, 16, 24, 31, 33, 48, maxCEK} {
		lengths = append(lengths, cekOf(n))
	}
	return []class{
		keyFails: {"key", "OAEP fails: random, changed, PKCS #1 v1.5, SHA-1, another key", 1, fault.OpenKey,
			profile.Decryption, key},
		keyFailsAgain: {"key, again", "the same, other tokens: the control", 1, fault.OpenKey, profile.Decryption,
			key},
		cekLength: {"CEK length", "OAEP returns 0, 16, 24, 31, 33, 48 or 64 bytes", 1, fault.OpenKey,
			profile.Decryption,
			lengths},
		tagFails: {"tag", "tag, ciphertext or IV changed", 1, fault.OpenTag, profile.Decryption,
			[]kind{forged(fault.OpenTag, "tag-flipped"),
				forged(fault.OpenTag, "ciphertext-flipped"), forged(fault.OpenTag, "iv-flipped")}},
		signatureFails: {"signature", "decrypts, and the signature does not hold", seldom, fault.SignatureWrong,
			profile.Signature,
			[]kind{forged(fault.SignatureWrong, "flipped")}},
		succeeds: {"success", "opens", seldom, "", "", []kind{whole}},
	}
}

// whole makes a token without a fault.
func whole(m malform.Material) ([]byte, error) { return malform.Make("", m) }

// forged makes one of internal/malform's faults.
func forged(code fault.Code, name string) kind {
	return func(m malform.Material) ([]byte, error) {
		for _, v := range malform.VariantsOf(m) {
			if v.Code == code && v.Name == name {
				return v.Make(m)
			}
		}
		return nil, fmt.Errorf("malform does not know %s (%s)", code, name)
	}
}

// cekOf encrypts n random bytes in place of the content encryption key.
func cekOf(n int) kind {
	return func(m malform.Material) ([]byte, error) {
		token, err := whole(m)
		if err != nil {
			return nil, err
		}
		if m.Content.CEK == n {
			n-- // the right length; one less is tested anyway
		}
		cek := make([]byte, n)
		rand.Read(cek)
		encryptedKey, err := rsa.EncryptOAEPWithOptions(rand.Reader, m.Recipient, cek,
			&rsa.OAEPOptions{Hash: crypto.SHA256})
		if err != nil {
			return nil, err
		}
		parts := bytes.Split(token, []byte("."))
		parts[1] = base64.RawURLEncoding.AppendEncode(nil, encryptedKey)
		return bytes.Join(parts, []byte(".")), nil
	}
}

const payloadSize = 1 << 10

// tokens makes n tokens of a class, of its kinds in turn, each with its own payload, keys
// and IV. All tokens of all classes have the same length, and an encrypted key below the
// modulus: others are refused faster, which is public.
func (c class) tokens(n int, m malform.Material) ([][]byte, error) {
	tokens := make([][]byte, 0, n)
	for len(tokens) < n {
		m.Payload = payload()
		token, err := c.kinds[len(tokens)%len(c.kinds)](m)
		if err != nil {
			return nil, err
		}
		below, err := belowModulus(token, m.Recipient)
		if err != nil {
			return nil, err
		}
		if below {
			tokens = append(tokens, token)
		}
	}
	return tokens, nil
}

// payload is a JSON object of random text.
func payload() []byte {
	const front, back = `{"image":"`, `"}`
	data := make([]byte, payloadSize)
	rand.Read(data)
	text := base64.StdEncoding.AppendEncode([]byte(front), data)
	return append(text[:payloadSize-len(back)], back...)
}

func belowModulus(token []byte, key *rsa.PublicKey) (bool, error) {
	encryptedKey, err := base64.RawURLEncoding.DecodeString(string(bytes.Split(token, []byte("."))[1]))
	if err != nil {
		return false, err
	}
	last := new(big.Int).Sub(key.N, big.NewInt(1))
	return new(big.Int).SetBytes(encryptedKey).Cmp(last) < 0, nil
}
