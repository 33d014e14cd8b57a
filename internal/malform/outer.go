package malform

import (
	"bytes"
	"crypto"
	"crypto/rsa"
	"errors"
	"strings"

	"github.com/sealane/sealane/fault"
	"github.com/sealane/sealane/internal/alg"
)

// outerVariants are the faults that only the outer token can have and that are visible
// without a key.
var outerVariants = []Variant{
	{Code: fault.TooLarge.In(fault.JWE), Name: "payload", change: func(w *message) {
		// Spaces after JSON are valid JSON: only the length of the message is wrong.
		w.Payload = append(bytes.Clone(w.Payload), bytes.Repeat([]byte{' '}, w.Limit)...)
	}},
	{Code: fault.HeaderNotJSON.In(fault.JWE), Name: "dots-alone", change: func(w *message) {
		w.outer.write = func([]string) string { return "...." }
	}},
	{Code: fault.Swapped.In(fault.JWE), Name: "jws-alone", change: func(w *message) {
		w.outer.write = func([]string) string { return w.signedAlone() }
	}},
	{Code: fault.Swapped.In(fault.JWE), Name: "encrypted-then-signed", change: func(w *message) {
		w.outer.write = func(parts []string) string {
			m := w.Material
			m.Payload = []byte(strings.Join(parts, "."))
			return newMessage(m).signedAlone()
		}
	}},
	{Code: fault.AlgSHA1, Name: "rsa-oaep", change: func(w *message) {
		w.outer.set("alg", quoted(alg.RSAOAEP.Name))
		w.encryptCEK = oaep(w.Recipient, rsa.OAEPOptions{Hash: alg.RSAOAEP.Hash})
	}},
	{Code: fault.AlgNone.In(fault.JWE), Name: "none", change: outerAlg("none")},
	{Code: fault.AlgNotAllowed.In(fault.JWE), Name: "rsa1_5", change: func(w *message) {
		w.outer.set("alg", `"RSA1_5"`)
		w.encryptCEK = pkcs1(w.Recipient)
	}},
	{Code: fault.AlgNotAllowed.In(fault.JWE), Name: "rsa-oaep-512", change: func(w *message) {
		w.outer.set("alg", `"RSA-OAEP-512"`)
		w.encryptCEK = oaep(w.Recipient, rsa.OAEPOptions{Hash: crypto.SHA512})
	}},
	{Code: fault.AlgNotAllowed.In(fault.JWE), Name: "dir", change: func(w *message) {
		w.outer.set("alg", `"dir"`)
		w.encryptCEK = func([]byte) ([]byte, error) { return nil, nil }
	}},
	{Code: fault.AlgNotAllowed.In(fault.JWE), Name: "dir-with-a-key", change: outerAlg("dir")},
	{Code: fault.AlgNotAllowed.In(fault.JWE), Name: "pbes2-of-two-thousand-million-rounds", change: func(w *message) {
		w.outer.set("alg", `"PBES2-HS256+A128KW"`)
		w.outer.set("p2s", `"c2FsdHNhbHRzYWx0"`)
		w.outer.set("p2c", "2147483647")
	}},
	{Code: fault.AlgNotAllowed.In(fault.JWE), Name: "ecdh-es", change: func(w *message) {
		w.outer.set("alg", `"ECDH-ES"`)
		w.outer.set("epk", `{"kty":"EC","crv":"P-256","x":"AAAA","y":"AAAA"}`)
	}},
	{Code: fault.AlgNotAllowed.In(fault.JWE), Name: "alg-and-enc-exchanged", change: func(w *message) {
		w.outer.set("alg", quoted(w.Content.Name))
		w.outer.set("enc", quoted(alg.RSAOAEP256.Name))
	}},
	{Code: fault.AlgNotAllowed.In(fault.JWE), Name: "empty", change: outerAlg("")},
	{Code: fault.AlgNotAllowed.In(fault.JWE), Name: "nul-behind", change: outerAlg(alg.RSAOAEP256.Name + "\x00")},
	{Code: fault.AlgNotAllowed.In(fault.JWE), Name: "small-letters",
		change: outerAlg(strings.ToLower(alg.RSAOAEP256.Name))},
	{Code: fault.AlgNotAllowed.In(fault.JWE), Name: "blank-before", change: outerAlg(" " + alg.RSAOAEP256.Name)},
	{Code: fault.AlgNotAllowed.In(fault.JWE), Name: "underscores",
		change: outerAlg(strings.ReplaceAll(alg.RSAOAEP256.Name, "-", "_"))},
	{Code: fault.AlgNotAllowed.In(fault.JWE), Name: "signing-algorithm",
		change: func(w *message) { w.outer.set("alg", quoted(w.Signature.Name)) }},
	{Code: fault.EncMissing, Name: "absent", change: func(w *message) { w.outer.drop("enc") }},
	anotherContent(alg.A128GCM, strings.ToLower(alg.A128GCM.Name)),
	{Code: fault.EncNotAllowed, Name: "a192gcm", change: func(w *message) {
		w.use(alg.A128GCM)
		w.outer.set("enc", `"A192GCM"`)
		w.cek = random(24)
	}},
	anotherContent(alg.A256CBCHS512, strings.ToLower(alg.A256CBCHS512.Name)),
	{Code: fault.EncNotAllowed, Name: "a256cbc-hs512-by-its-old-name", change: func(w *message) {
		w.use(alg.A256CBCHS512)
		w.outer.set("enc", `"A256CBC+HS512"`)
	}},
	anotherContent(alg.A256GCM, strings.ToLower(alg.A256GCM.Name)),
	{Code: fault.EncNotAllowed, Name: "empty", change: func(w *message) { w.outer.set("enc", `""`) }},
	{Code: fault.HeaderType.In(fault.JWE), Name: "enc-null", change: func(w *message) { w.outer.set("enc", "null") }},
	{Code: fault.EncNotAllowed, Name: "small-letters",
		change: func(w *message) { w.outer.set("enc", quoted(strings.ToLower(w.Content.Name))) }},
	{Code: fault.HeaderType.In(fault.JWE), Name: "enc-number", change: func(w *message) { w.outer.set("enc", "256") }},

	{Code: fault.EncryptedKeyLength, Name: "cut", change: func(w *message) {
		w.editOuter = func(encryptedKey, _, _, _ *[]byte) { *encryptedKey = (*encryptedKey)[:len(*encryptedKey)-1] }
	}},
	{Code: fault.EncryptedKeyLength, Name: "empty", change: func(w *message) {
		w.encryptCEK = func([]byte) ([]byte, error) { return nil, nil }
	}},
	{Code: fault.EncryptedKeyLength, Name: "rsa-1024", change: func(w *message) {
		w.encryptCEK = func([]byte) ([]byte, error) { return below(128), nil }
	}},
	{Code: fault.EncryptedKeyLength, Name: "leading-zero-dropped", change: func(w *message) {
		encrypt := w.encryptCEK
		w.encryptCEK = func(cek []byte) ([]byte, error) {
			for range 1 << 14 { // one in 256 begins with a zero
				encryptedKey, err := encrypt(cek)
				if err != nil || encryptedKey[0] == 0 && encryptedKey[1] != 0 {
					return bytes.TrimLeft(encryptedKey, "\x00"), err
				}
			}
			return nil, errors.New("no encrypted key begins with a zero")
		}
	}},
	{Code: fault.IVLength, Name: "11-bytes", change: withIV(11)},
	{Code: fault.IVLength, Name: "8-bytes", change: withIV(8)},
	{Code: fault.IVLength, Name: "13-bytes", change: withIV(13)},
	{Code: fault.IVLength, Name: "empty", change: func(w *message) {
		w.editOuter = func(_, iv, _, _ *[]byte) { *iv = nil }
	}},
	{Code: fault.CiphertextLength, Name: "cut", only: padded, change: func(w *message) {
		w.editOuter = func(_, _, ciphertext, _ *[]byte) { *ciphertext = (*ciphertext)[:len(*ciphertext)-1] }
	}},
	{Code: fault.CiphertextLength, Name: "empty", only: padded, change: func(w *message) {
		w.editOuter = func(_, _, ciphertext, _ *[]byte) { *ciphertext = nil }
	}},
	{Code: fault.TagLength, Name: "17-bytes", change: editTag(func(tag []byte) []byte { return append(tag, 0) })},
	{Code: fault.TagLength, Name: "empty", change: editTag(func([]byte) []byte { return nil })},
	{Code: fault.TagLength, Name: "behind-the-ciphertext", change: func(w *message) {
		w.editOuter = func(_, _, ciphertext, tag *[]byte) {
			*ciphertext, *tag = append(*ciphertext, *tag...), nil
		}
	}},
}

// anotherContent encrypts with another content encryption of the table than the message's.
func anotherContent(c *alg.Content, name string) Variant {
	return Variant{Code: fault.EncNotAllowed, Name: name,
		only:   func(m Material) bool { return m.Content != c },
		change: func(w *message) { w.use(c) }}
}

// withIV sends an initialization vector of n bytes. GCM uses it; CBC cannot, so there it is
// cut afterwards.
func withIV(n int) func(*message) {
	return func(w *message) {
		if w.Content.Block == 0 {
			w.iv = random(n)
			return
		}
		w.editOuter = func(_, iv, _, _ *[]byte) { *iv = (*iv)[:n] }
	}
}

// padded reports whether the ciphertext consists of whole blocks.
func padded(m Material) bool { return m.Content.Block > 0 }

func notPadded(m Material) bool { return m.Content.Block == 0 }

func outerAlg(name string) func(*message) {
	return func(w *message) { w.outer.set("alg", quoted(name)) }
}

// signedAlone returns the inner token without an outer one. If the material has no signer,
// the signature is random.
func (w *message) signedAlone() string {
	if w.Signer != nil {
		if token, err := w.jws(); err == nil {
			return string(token)
		}
	}
	return strings.Join([]string{encode([]byte(w.inner.header())), encode(w.Payload), encode(below(256))}, ".")
}
