package inspect

import (
	"bytes"
	"crypto"
	"crypto/fips140"
	"crypto/hmac"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"encoding/pem"
	"fmt"
	"math/big"
	"strings"

	"github.com/sealane/sealane/fault"
)

// scheme is one way to sign with RSA.
type scheme struct {
	name string
	alg  string // that announces it; empty: none does
	hash crypto.Hash
	pss  bool
	bare bool // the digest without its name before it
}

var schemes = []scheme{
	{name: "RSASSA-PKCS1-v1_5 with SHA-256", alg: "RS256", hash: crypto.SHA256},
	{name: "RSASSA-PSS with SHA-256", alg: "PS256", hash: crypto.SHA256, pss: true},
	{name: "RSASSA-PKCS1-v1_5 with SHA-1", hash: crypto.SHA1},
	{name: "RSASSA-PKCS1-v1_5 with SHA-512", alg: "RS512", hash: crypto.SHA512},
	{name: "RSASSA-PKCS1-v1_5 with SHA-384", alg: "RS384", hash: crypto.SHA384},
	{name: "RSASSA-PSS with SHA-384", alg: "PS384", hash: crypto.SHA384, pss: true},
	{name: "RSASSA-PSS with SHA-512", alg: "PS512", hash: crypto.SHA512, pss: true},
	{name: "RSASSA-PKCS1-v1_5 over a bare SHA-256 digest", hash: crypto.SHA256, bare: true},
}

func (s scheme) holds(key *rsa.PublicKey, digest, signature []byte) bool {
	switch {
	case key.Size() != len(signature):
		return false
	case s.pss:
		return rsa.VerifyPSS(key, s.hash, digest, signature, &rsa.PSSOptions{SaltLength: rsa.PSSSaltLengthAuto}) == nil
	case s.bare:
		return rsa.VerifyPKCS1v15(key, 0, digest, signature) == nil
	}
	return rsa.VerifyPKCS1v15(key, s.hash, digest, signature) == nil
}

func (s scheme) digest(input []byte) []byte {
	h := s.hash.New()
	h.Write(input)
	return h.Sum(nil)
}

// signer is a key under which a signature may hold.
type signer struct {
	key  Key
	pub  *rsa.PublicKey
	ours bool // then the message was not signed by the partner
}

func (x *examiner) signers() []signer {
	var list []signer
	for _, k := range x.o.Theirs {
		if k.Public != nil {
			list = append(list, signer{key: k, pub: k.Public})
		}
	}
	if len(list) == 0 {
		return nil // without a partner's key there is nothing to hold it against
	}
	for _, k := range x.o.Ours {
		pub := k.Public
		if pub == nil && k.Private != nil {
			pub, _ = k.Private.Public().(*rsa.PublicKey)
		}
		if pub != nil {
			list = append(list, signer{key: k, pub: pub, ours: true})
		}
	}
	return list
}

// verify tries the partner's keys on the inner token.
func (x *examiner) verify() {
	t := x.inner
	signers := x.signers()
	signature := t.data[2]
	if len(signers) == 0 || len(signature) == 0 {
		return
	}
	x.r.Signature = &Signature{Tried: len(x.o.Theirs)}
	header, payload := canonical(t.data[0]), canonical(t.data[1])
	right := bytes.Join([][]byte{header, payload}, []byte{'.'})
	inputs := [][]byte{right}
	if asSent := bytes.Join(t.text[:2], []byte{'.'}); !bytes.Equal(asSent, right) {
		inputs = append(inputs, asSent)
	}
	for i, s := range schemes {
		if (s.bare || s.hash == crypto.SHA1) && fips140.Enforced() {
			continue // the standard library panics there
		}
		for _, input := range inputs {
			digest := s.digest(input)
			for _, by := range signers {
				if s.holds(by.pub, digest, signature) {
					x.signedBy(by, s, i == 0)
					return
				}
			}
		}
	}
	if x.otherInput(signers, signature) || x.hmacWithPublicKey(signers, inputs) {
		return
	}
	if !t.damaged && !x.has(fault.SignatureLength) && !x.otherContent(signers, signature) {
		x.fault(stepInner+stepKey, fault.SignatureWrong, "signature", wrongSignature(signers, len(signature)))
	}
}

func wrongSignature(signers []signer, n int) string {
	for _, s := range signers {
		if s.pub.Size() == n {
			return "The signer used another key, or header or payload were changed after signing."
		}
	}
	return fmt.Sprintf("It was made with a key of %d bits, and the keys given have other sizes.", n*8)
}

// signedBy says under which key a signature holds, and whether that is right.
func (x *examiner) signedBy(by signer, s scheme, asDue bool) {
	x.r.Signature.Key, x.r.Signature.How = by.key.String(), s.name
	alg := x.inner.header.values["alg"]
	if !asDue && (alg == "RS256" || s.alg != alg) {
		x.fault(stepInner+stepKey, fault.SignatureHash, "signature", "It is "+s.name+".")
	}
	why := x.otherSigner(by)
	if why != "" {
		x.fault(stepInner+stepKey, fault.SignatureOther, "signature", "It holds under key "+by.key.String()+", though "+why+".")
	}
	x.r.Signature.Holds = asDue && why == ""
	if x.r.Payload != nil {
		x.r.Payload.Verified = x.r.Signature.Holds
	}
}

// otherSigner says why a key is not the one that should have signed, or nothing.
func (x *examiner) otherSigner(by signer) string {
	if by.ours {
		return "that is a key of ours: the partner did not sign it"
	}
	kid := x.inner.header.values["kid"]
	if kid != "" && kid != by.key.ID {
		for _, k := range x.o.Theirs {
			if k.ID == kid {
				return "the key ID is that of key " + k.String()
			}
		}
	}
	if x.r.Opening == nil || by.key.Environment == "" {
		return ""
	}
	for _, k := range x.o.Ours {
		if k.String() == x.r.Opening.Key && k.Environment != "" && !strings.EqualFold(k.Environment, by.key.Environment) {
			return "it was sealed to key " + k.String()
		}
	}
	return ""
}

// otherInput recognises a signature over something else than what is due.
func (x *examiner) otherInput(signers []signer, signature []byte) bool {
	t := x.inner
	dot := []byte{'.'}
	for _, in := range []struct {
		name  string
		parts [][]byte
	}{
		{"the header's text and the raw payload", [][]byte{canonical(t.data[0]), t.data[1]}},
		{"the raw payload alone", [][]byte{t.data[1]}},
		{"the header's JSON and the raw payload", [][]byte{t.data[0], t.data[1]}},
		{"the payload's text alone", [][]byte{canonical(t.data[1])}},
	} {
		digest := sha256.Sum256(bytes.Join(in.parts, dot))
		for _, by := range signers {
			if schemes[0].holds(by.pub, digest[:], signature) {
				x.r.Signature.Key, x.r.Signature.How = by.key.String(), schemes[0].name+", over other bytes"
				x.fault(stepInner+stepKey, fault.SignaturePayload, "signature", "It is over "+in.name+".")
				return true
			}
		}
	}
	return false
}

// otherContent recognises a signature of a partner's key over something that is
// not there: a payload that was left out, or other content than what came.
func (x *examiner) otherContent(signers []signer, signature []byte) bool {
	by := ""
	for _, s := range signers {
		if !s.ours && signedDigest(s.pub, signature) != nil {
			by = "It was made with key " + s.key.String()
			if why := x.otherSigner(s); why != "" {
				by += ", though " + why
			}
			by += "."
			break
		}
	}
	switch {
	case len(x.inner.text[1]) == 0:
		x.fault(stepInner+stepKey, fault.SignatureDetached, "signature", strings.TrimSpace("The payload is probably detached. "+by))
	case by != "":
		x.fault(stepInner+stepKey, fault.SignatureContent, "signature", by+" Header or payload were changed after signing.")
	default:
		return false
	}
	return true
}

// signedDigest is the SHA-256 digest that was signed by RSASSA-PKCS1-v1_5 (RFC
// 8017, section 9.2), or nil if the key did not make the signature.
func signedDigest(key *rsa.PublicKey, signature []byte) []byte {
	const name = "\x30\x31\x30\x0d\x06\x09\x60\x86\x48\x01\x65\x03\x04\x02\x01\x05\x00\x04\x20"
	size := key.Size()
	s := new(big.Int).SetBytes(signature)
	if len(signature) != size || s.Cmp(key.N) >= 0 {
		return nil
	}
	encoded := s.Exp(s, big.NewInt(int64(key.E)), key.N).FillBytes(make([]byte, size))
	fill := size - 3 - len(name) - sha256.Size
	if fill < 8 {
		return nil
	}
	digest, ok := bytes.CutPrefix(encoded, []byte("\x00\x01"+strings.Repeat("\xff", fill)+"\x00"+name))
	if !ok {
		return nil
	}
	return digest
}

// hmacWithPublicKey recognises an HMAC whose key is a public key, which whoever
// has the certificate can make. Its algorithm was refused before.
func (x *examiner) hmacWithPublicKey(signers []signer, inputs [][]byte) bool {
	if !strings.HasPrefix(x.inner.header.values["alg"], "HS") && len(x.inner.data[2]) != sha256.Size {
		return false
	}
	for _, by := range signers {
		der, err := x509.MarshalPKIXPublicKey(by.pub)
		if err != nil {
			continue
		}
		for _, secret := range [][]byte{pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: der}), der, by.pub.N.Bytes()} {
			for _, input := range inputs {
				mac := hmac.New(sha256.New, secret)
				mac.Write(input)
				if hmac.Equal(mac.Sum(nil), x.inner.data[2]) {
					x.note(stepInner+stepKey, "signature", "It is an HMAC keyed with the public key of "+by.key.String()+": a forgery that anyone can make who has the certificate.")
					return true
				}
			}
		}
	}
	return false
}
