package jose

import (
	"crypto"
	"crypto/rsa"
	"errors"
	"fmt"

	"github.com/sealane/sealane/fault"
	"github.com/sealane/sealane/internal/alg"
)

// SignedLen returns the length of the JWS that Sign makes of a payload of n bytes.
func SignedLen(n int, head SignedHeader, key *rsa.PublicKey) int {
	return len(head.text) + 1 + encodedLen(n) + 1 + encodedLen(key.Size())
}

// Sign signs payload with key and appends the compact serialization to dst,
// which payload must not overlap.
func Sign(dst, payload []byte, head SignedHeader, key crypto.Signer) ([]byte, error) {
	start := len(dst)
	dst = append(append(dst, head.text...), '.')
	dst = appendEncoded(dst, payload)
	var digest [alg.MaxDigest]byte
	signature, err := head.alg.Sign(key, head.alg.AppendDigest(digest[:0], dst[start:]))
	if err != nil {
		return nil, &Error{Kind: Key, Fault: fault.KeyUnavailable, Err: err}
	}
	return appendEncoded(append(dst, '.'), signature), nil
}

// Signed is a JWS in which everything is correct that can be checked without a key.
type Signed struct {
	Header    Header
	alg       *alg.Signature
	digest    [alg.MaxDigest]byte // of the signing input
	payload   []byte
	signature []byte
}

// ParseSigned reads a compact JWS whose algorithm is one of algs. It takes ownership of
// token: the payload is decoded in place. Errors are of kind NotJWS.
func ParseSigned(token []byte, algs []*alg.Signature) (*Signed, error) {
	var parts [3][]byte
	if err := split(token, parts[:], fault.JWS, NotJWS); err != nil {
		return nil, err
	}
	s, err := readSigned(token, parts, algs)
	if err != nil {
		return nil, partCountError(err, token, len(parts), fault.JWS, NotJWS)
	}
	// From here on the token is overwritten. Decoding finds a dot in the payload's text.
	if s.payload, err = part(parts[1], parts[1], "payload", fault.JWS, NotJWS); err != nil {
		return nil, err
	}
	return s, nil
}

// readSigned reads everything but the payload, and does not change the token.
func readSigned(token []byte, parts [3][]byte, algs []*alg.Signature) (*Signed, error) {
	h, err := header(parts[0], fault.JWS, NotJWS)
	if err != nil {
		return nil, err
	}
	f := fault.AlgNotAllowed.In(fault.JWS)
	if h.Alg == "none" {
		f = fault.AlgNone.In(fault.JWS)
	}
	signature, err := choose(h.Alg, algs, f, NotJWS, "alg")
	if err != nil {
		return nil, err
	}
	if err := checkModulusLen(parts[2], "signature", fault.SignatureLength, fault.JWS, NotJWS); err != nil {
		return nil, err
	}
	s := &Signed{Header: h, alg: signature}
	signature.AppendDigest(s.digest[:0], token[:len(parts[0])+1+len(parts[1])])
	signatureBytes := make([]byte, decodedLen(len(parts[2])))
	if s.signature, err = part(signatureBytes, parts[2], "signature", fault.JWS, NotJWS); err != nil {
		return nil, err
	}
	return s, nil
}

// Verify returns the payload, byte for byte as it was signed, and the index of the key that
// verifies it. The error is of kind Signature, or of kind Key if a key could not be used
// and no other verifies.
func (s *Signed) Verify(keys []alg.PublicKey) (payload []byte, which int, err error) {
	var broken error
	for i, key := range keys {
		if key.Size() != len(s.signature) {
			continue
		}
		holds, err := s.alg.Verify(key, s.digest[:s.alg.Hash.Size()], s.signature)
		if holds {
			return s.payload, i, nil
		}
		broken = errors.Join(broken, err)
	}
	if broken != nil {
		return nil, -1, &Error{Kind: Key, Fault: fault.KeyUnavailable, Err: broken}
	}
	return nil, -1, &Error{Kind: Signature, Fault: fault.SignatureWrong,
		Detail: fmt.Sprintf("none of %d keys verifies the signature", len(keys))}
}
