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
	"strings"

	"github.com/sealane/sealane/fault"
	"github.com/sealane/sealane/internal/alg"
)

// scheme is one way to sign with RSA.
type scheme struct {
	name string
	alg  string // that announces it; empty: none does
	hash crypto.Hash
	pss  bool // with a salt of any length
	bare bool // the digest without the name of its hash
	due  *alg.Signature
}

// schemes lists those of the table, and others that senders are known to use.
func schemes() []scheme {
	var list []scheme
	for _, s := range alg.Signatures {
		list = append(list, scheme{name: schemeName(s), alg: s.Name, hash: s.Hash, due: s})
	}
	return append(list,
		scheme{name: "RSASSA-PSS with SHA-256 and a salt of another length", hash: crypto.SHA256, pss: true},
		scheme{name: "RSASSA-PKCS1-v1_5 with SHA-1", hash: crypto.SHA1},
		scheme{name: "RSASSA-PKCS1-v1_5 with SHA-512", alg: "RS512", hash: crypto.SHA512},
		scheme{name: "RSASSA-PKCS1-v1_5 with SHA-384", alg: "RS384", hash: crypto.SHA384},
		scheme{name: "RSASSA-PSS with SHA-384", alg: "PS384", hash: crypto.SHA384, pss: true},
		scheme{name: "RSASSA-PSS with SHA-512", alg: "PS512", hash: crypto.SHA512, pss: true},
		scheme{name: "RSASSA-PKCS1-v1_5 over a bare SHA-256 digest", hash: crypto.SHA256, bare: true},
	)
}

func schemeName(s *alg.Signature) string {
	if s.PSS {
		return "RSASSA-PSS with " + s.Hash.String()
	}
	return "RSASSA-PKCS1-v1_5 with " + s.Hash.String()
}

func (s scheme) holds(key *rsa.PublicKey, digest, signature []byte) bool {
	switch {
	case key.Size() != len(signature):
		return false
	case s.due != nil:
		holds, _ := s.due.Verify(alg.PublicKey{PublicKey: key}, digest, signature) // crypto/rsa has no other errors
		return holds
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
	ours bool // then the partner did not sign the message
}

func (x *examiner) signers() []signer {
	var list []signer
	for _, k := range x.o.Theirs {
		if k.Public != nil {
			list = append(list, signer{key: k, pub: k.Public})
		}
	}
	if len(list) == 0 {
		return nil // without a partner's key there is nothing to compare with
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
	for _, s := range schemes() {
		if (s.bare || s.hash == crypto.SHA1) && fips140.Enforced() {
			continue // the standard library panics there
		}
		for _, input := range inputs {
			digest := s.digest(input)
			for _, by := range signers {
				if s.holds(by.pub, digest, signature) {
					x.signedBy(by, s)
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
			return "The signer used another key, or the header or the payload was changed after signing."
		}
	}
	return fmt.Sprintf("It was made with a key of %d bits, and the given keys have other sizes.", n*8)
}

// signedBy reports which key verifies a signature, and whether that is right.
func (x *examiner) signedBy(by signer, s scheme) {
	x.r.Signature.Key, x.r.Signature.How = by.key.String(), s.name
	due, announced := x.dueSignature(), x.inner.header.values["alg"]
	asDue := s.due == due
	if !asDue && (announced == due.Name || s.alg != announced) {
		x.fault(stepInner+stepKey, fault.SignatureHash, "signature",
			fmt.Sprintf("It is %s; %s is %s.", s.name, due, schemeName(due)))
	}
	why := x.otherSigner(by)
	if why != "" {
		x.fault(stepInner+stepKey, fault.SignatureOther, "signature",
			"It holds under key "+by.key.String()+", though "+why+".")
	}
	x.r.Signature.Holds = asDue && why == ""
	if x.r.Payload != nil {
		x.r.Payload.Verified = x.r.Signature.Holds
	}
}

// otherSigner returns why a key is not the one that should have signed, or "".
func (x *examiner) otherSigner(by signer) string {
	if by.ours {
		return "that is one of our keys: the partner did not sign it"
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
		if k.String() == x.r.Opening.Key && k.Environment != "" &&
			!strings.EqualFold(k.Environment, by.key.Environment) {
			return "it was sealed to key " + k.String()
		}
	}
	return ""
}

// otherInput recognizes a signature over another input than the signing input.
func (x *examiner) otherInput(signers []signer, signature []byte) bool {
	t, due := x.inner, x.dueSignature()
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
		digest := due.AppendDigest(nil, bytes.Join(in.parts, dot))
		for _, by := range signers {
			if holds, _ := due.Verify(alg.PublicKey{PublicKey: by.pub}, digest, signature); holds {
				x.r.Signature.Key, x.r.Signature.How = by.key.String(), schemeName(due)+", over other bytes"
				x.fault(stepInner+stepKey, fault.SignaturePayload, "signature", "It is over "+in.name+".")
				return true
			}
		}
	}
	return false
}

// otherContent recognizes a signature of a partner's key over content that is not in the
// message: a detached payload, or content that was changed.
func (x *examiner) otherContent(signers []signer, signature []byte) bool {
	by := ""
	for _, s := range signers {
		if !s.ours && made(x.dueSignature(), s.pub, signature) {
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
		x.fault(stepInner+stepKey, fault.SignatureDetached, "signature",
			strings.TrimSpace("The payload is probably detached. "+by))
	case by != "":
		x.fault(stepInner+stepKey, fault.SignatureContent, "signature",
			by+" The header or the payload was changed after signing.")
	default:
		return false
	}
	return true
}

// hmacWithPublicKey recognizes an HMAC whose key is a public key, which anyone who has the
// certificate can make. Its algorithm was refused before.
func (x *examiner) hmacWithPublicKey(signers []signer, inputs [][]byte) bool {
	if !strings.HasPrefix(x.inner.header.values["alg"], "HS") && len(x.inner.data[2]) != sha256.Size {
		return false
	}
	for _, by := range signers {
		der, err := x509.MarshalPKIXPublicKey(by.pub)
		if err != nil {
			continue
		}
		for _, secret := range [][]byte{pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: der}), der,
			by.pub.N.Bytes()} {
			for _, input := range inputs {
				mac := hmac.New(sha256.New, secret)
				mac.Write(input)
				if hmac.Equal(mac.Sum(nil), x.inner.data[2]) {
					x.note(stepInner+stepKey, "signature",
						"It is an HMAC keyed with the public key of "+by.key.String()+
							": a forgery that anyone with the certificate can make.")
					return true
				}
			}
		}
	}
	return false
}
