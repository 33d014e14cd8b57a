package malform

import (
	"bytes"
	"crypto"
	"crypto/hmac"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"encoding/pem"
	"fmt"
	"slices"
	"strings"

	"github.com/sealane/sealane/fault"
	"github.com/sealane/sealane/internal/alg"
)

// innerVariants are the faults that only the inner token can have.
var innerVariants = nested(
	Variant{Code: fault.Swapped.In(fault.JWS), Name: "jwe-in-jwe", change: func(w *message) {
		w.content = func([]byte) ([]byte, error) {
			m := w.Material
			m.Nested = false
			return newMessage(m).write()
		}
	}},
	Variant{Code: fault.InnerNotSigned, Name: "payload", change: func(w *message) {
		w.content = func([]byte) ([]byte, error) { return w.Payload, nil }
	}},
	Variant{Code: fault.InnerNotSigned, Name: "payload-under-cty-jwt", change: func(w *message) {
		w.outer.set("cty", `"JWT"`)
		w.content = func([]byte) ([]byte, error) { return w.Payload, nil }
	}},
	Variant{Code: fault.InnerNotSigned, Name: "text", change: func(w *message) {
		w.content = func([]byte) ([]byte, error) { return []byte("neither JSON. Nor a token"), nil }
	}},
	Variant{Code: fault.InnerNotSigned, Name: "bytes", change: func(w *message) {
		w.content = func([]byte) ([]byte, error) { return append([]byte{0xff, 0x00, 0x2e}, random(64)...), nil }
	}},

	Variant{Code: fault.AlgNone.In(fault.JWS), Name: "without-signature", change: func(w *message) {
		w.inner.set("alg", `"none"`)
		w.sign = func([]byte) ([]byte, error) { return nil, nil }
	}},
	Variant{
		Code:   fault.AlgNone.In(fault.JWS),
		Name:   "with-signature",
		change: func(w *message) { w.inner.set("alg", `"none"`) },
	},

	Variant{Code: fault.AlgNotAllowed.In(fault.JWS), Name: "hs256-keyed-with-pem",
		change: hs256(func(der []byte, _ *rsa.PublicKey) []byte {
			return pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: der})
		})},
	Variant{
		Code:   fault.AlgNotAllowed.In(fault.JWS),
		Name:   "hs256-keyed-with-der",
		change: hs256(func(der []byte, _ *rsa.PublicKey) []byte { return der }),
	},
	Variant{
		Code:   fault.AlgNotAllowed.In(fault.JWS),
		Name:   "hs256-keyed-with-modulus",
		change: hs256(func(_ []byte, key *rsa.PublicKey) []byte { return key.N.Bytes() }),
	},
	Variant{Code: fault.AlgNotAllowed.In(fault.JWS), Name: "hs256-keyed-with-pem-without-last-newline",
		change: hs256(func(der []byte, _ *rsa.PublicKey) []byte {
			return bytes.TrimSuffix(pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: der}), []byte("\n"))
		})},
	Variant{
		Code:   fault.AlgNotAllowed.In(fault.JWS),
		Name:   "hs256-keyed-with-pkcs1",
		change: hs256(func(_ []byte, key *rsa.PublicKey) []byte { return x509.MarshalPKCS1PublicKey(key) }),
	},
	Variant{
		Code:   fault.AlgNotAllowed.In(fault.JWS),
		Name:   "hs256-keyed-with-jwk",
		change: hs256(func(_ []byte, key *rsa.PublicKey) []byte { return []byte(jwk(key)) }),
	},
	anotherSignature(alg.PS256),
	anotherSignature(alg.RS256),
	Variant{Code: fault.AlgNotAllowed.In(fault.JWS), Name: "rs512", change: func(w *message) {
		w.inner.set("alg", `"RS512"`)
		w.sign = w.signHash(crypto.SHA512)
	}},
	Variant{Code: fault.AlgNotAllowed.In(fault.JWS), Name: "es256", change: func(w *message) {
		w.inner.set("alg", `"ES256"`)
		w.sign = func([]byte) ([]byte, error) { return random(64), nil }
	}},
	Variant{
		Code:   fault.AlgNotAllowed.In(fault.JWS),
		Name:   "encrypting-algorithm",
		change: func(w *message) { w.inner.set("alg", quoted(alg.RSAOAEP256.Name)) },
	},
	Variant{Code: fault.AlgNotAllowed.In(fault.JWS), Name: "none-in-mixed-letters", change: func(w *message) {
		w.inner.set("alg", `"nOnE"`)
		w.sign = func([]byte) ([]byte, error) { return nil, nil }
	}},
	Variant{Code: fault.HeaderB64.In(fault.JWS), Name: "rfc-7797", change: func(w *message) {
		w.inner.set("b64", "false")
		w.inner.set("crit", `["b64"]`)
		w.signingInput = func(_, headerText string) []byte { return append([]byte(headerText+"."), w.Payload...) }
	}},
	Variant{Code: fault.Parts.In(fault.JWS), Name: "rfc-7797-payload-with-dots", change: func(w *message) {
		w.inner.set("b64", "false")
		w.inner.set("crit", `["b64"]`)
		const payload = "$.02" // the example of RFC 7797 section 4.2
		w.signingInput = func(_, headerText string) []byte { return []byte(headerText + "." + payload) }
		w.inner.write = func(parts []string) string { return parts[0] + "." + payload + "." + parts[2] }
	}},
	Variant{Code: fault.AlgNotAllowed.In(fault.JWS), Name: "none-in-capitals", change: func(w *message) {
		w.inner.set("alg", `"NONE"`)
		w.sign = func([]byte) ([]byte, error) { return nil, nil }
	}},
	Variant{
		Code:   fault.AlgNotAllowed.In(fault.JWS),
		Name:   "small-letters",
		change: func(w *message) { w.inner.set("alg", quoted(strings.ToLower(w.Signature.Name))) },
	},
	Variant{
		Code:   fault.AlgNotAllowed.In(fault.JWS),
		Name:   "blank-before",
		change: func(w *message) { w.inner.set("alg", quoted(" "+w.Signature.Name)) },
	},

	Variant{Code: fault.SignatureLength, Name: "cut", change: func(w *message) {
		w.editInner = func(_, signature *[]byte) { *signature = (*signature)[:len(*signature)-1] }
	}},
	Variant{Code: fault.SignatureLength, Name: "empty", change: func(w *message) {
		w.editInner = func(_, signature *[]byte) { *signature = nil }
	}},
	Variant{Code: fault.SignatureLength, Name: "ecdsa-in-der", change: func(w *message) {
		w.sign = func([]byte) ([]byte, error) {
			return slices.Concat([]byte{0x30, 68, 0x02, 32}, below(32), []byte{0x02, 32}, below(32)), nil
		}
	}},
	Variant{Code: fault.SignatureLength, Name: "leading-zero-put-in-front", change: func(w *message) {
		w.editInner = func(_, signature *[]byte) { *signature = append([]byte{0}, *signature...) }
	}},
	Variant{Code: fault.SignatureLength, Name: "64-bytes", change: func(w *message) {
		w.sign = func([]byte) ([]byte, error) { return random(64), nil }
	}},
)

// signatureVariants are the faults of the signature itself.
var signatureVariants = nested(
	Variant{Code: fault.SignatureWrong, Name: "flipped", change: func(w *message) {
		w.editInner = func(_, signature *[]byte) { (*signature)[len(*signature)-1] ^= 1 }
	}},
	Variant{Code: fault.SignatureWrong, Name: "payload-changed-afterwards", change: func(w *message) {
		w.editInner = func(payload, _ *[]byte) { *payload = append(*payload, ' ') }
	}},
	Variant{Code: fault.SignatureWrong, Name: "zero", change: func(w *message) {
		w.sign = func([]byte) ([]byte, error) { return make([]byte, w.Signer.Size()), nil }
	}},
	Variant{Code: fault.SignatureWrong, Name: "one", change: func(w *message) {
		w.sign = func([]byte) ([]byte, error) {
			one := make([]byte, w.Signer.Size())
			one[len(one)-1] = 1
			return one, nil
		}
	}},
	Variant{Code: fault.SignatureWrong, Name: "not-below-the-modulus", change: func(w *message) {
		w.sign = func([]byte) ([]byte, error) { return bytes.Repeat([]byte{0xff}, w.Signer.Size()), nil }
	}},
	Variant{Code: fault.SignatureWrong, Name: "random", change: func(w *message) {
		w.sign = func([]byte) ([]byte, error) { return below(w.Signer.Size()), nil }
	}},
	Variant{Code: fault.SignatureOther, Name: "stranger", change: func(w *message) {
		w.sign = func(input []byte) ([]byte, error) { return w.signWith(w.Other, input) }
	}},
	Variant{
		Code:   fault.SignatureHash,
		Name:   "ps256-labelled-rs256",
		only:   signedBy(alg.RS256),
		change: func(w *message) { w.sign = w.signPSS(saltAsHash) },
	},
	Variant{
		Code:   fault.SignatureHash,
		Name:   "rs256-labelled-ps256",
		only:   signedBy(alg.PS256),
		change: func(w *message) { w.sign = w.signHash(crypto.SHA256) },
	},
	Variant{
		Code:   fault.SignatureHash,
		Name:   "short-salt",
		only:   signedBy(alg.PS256),
		change: func(w *message) { w.sign = w.signPSS(20) },
	},
	Variant{
		Code:   fault.SignatureHash,
		Name:   "long-salt",
		only:   signedBy(alg.PS256),
		change: func(w *message) { w.sign = w.signPSS(w.Signer.Size() - 34) },
	},
	Variant{Code: fault.SignatureHash, Name: "sha1", change: func(w *message) { w.sign = w.signHash(crypto.SHA1) }},
	Variant{
		Code:   fault.SignatureHash,
		Name:   "sha384",
		change: func(w *message) { w.sign = w.signHash(crypto.SHA384) },
	},
	Variant{
		Code:   fault.SignatureHash,
		Name:   "sha512",
		change: func(w *message) { w.sign = w.signHash(crypto.SHA512) },
	},
	Variant{Code: fault.SignatureHash, Name: "digest-without-its-name", change: func(w *message) {
		w.sign = func(input []byte) ([]byte, error) {
			digest := sha256.Sum256(input)
			return rsa.SignPKCS1v15(nil, w.Signer, 0, digest[:])
		}
	}},
	Variant{Code: fault.SignaturePayload, Name: "header-text-raw-payload", change: func(w *message) {
		w.signingInput = func(_, headerText string) []byte { return append([]byte(headerText+"."), w.Payload...) }
	}},
	Variant{Code: fault.SignaturePayload, Name: "payload-alone", change: func(w *message) {
		w.signingInput = func(_, _ string) []byte { return w.Payload }
	}},
	Variant{Code: fault.SignaturePayload, Name: "header-json-raw-payload", change: func(w *message) {
		w.signingInput = func(headerJSON, _ string) []byte { return append([]byte(headerJSON+"."), w.Payload...) }
	}},
)

func nested(list ...Variant) []Variant {
	for i := range list {
		list[i].Nested = true
	}
	return list
}

// hs256 replaces the signature with an HMAC whose key is the signer's public key in some
// form. A verifier that lets the token choose the algorithm accepts it.
func hs256(key func(der []byte, pub *rsa.PublicKey) []byte) func(*message) {
	return func(w *message) {
		w.inner.set("alg", `"HS256"`)
		w.sign = func(input []byte) ([]byte, error) {
			der, err := x509.MarshalPKIXPublicKey(&w.Signer.PublicKey)
			if err != nil {
				return nil, fmt.Errorf("public key: %w", err)
			}
			mac := hmac.New(sha256.New, key(der, &w.Signer.PublicKey))
			mac.Write(input)
			return mac.Sum(nil), nil
		}
	}
}

// anotherSignature signs with another algorithm of the table than the message's.
func anotherSignature(s *alg.Signature) Variant {
	is := signedBy(s)
	return Variant{Code: fault.AlgNotAllowed.In(fault.JWS), Name: strings.ToLower(s.Name),
		only: func(m Material) bool { return !is(m) },
		change: func(w *message) {
			w.Signature = s
			w.inner.set("alg", quoted(s.Name))
		}}
}

func signedBy(s *alg.Signature) func(Material) bool {
	return func(m Material) bool { return m.Signature == s }
}

const saltAsHash = rsa.PSSSaltLengthEqualsHash

func (w *message) signPSS(salt int) func([]byte) ([]byte, error) {
	return func(input []byte) ([]byte, error) {
		digest := sha256.Sum256(input)
		return rsa.SignPSS(rand.Reader, w.Signer, crypto.SHA256, digest[:], &rsa.PSSOptions{SaltLength: salt})
	}
}

func (w *message) signHash(h crypto.Hash) func([]byte) ([]byte, error) {
	return func(input []byte) ([]byte, error) {
		digest := h.New()
		digest.Write(input)
		return rsa.SignPKCS1v15(nil, w.Signer, h, digest.Sum(nil))
	}
}
