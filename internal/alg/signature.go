package alg

import (
	"crypto"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"errors"
)

// Signature is an algorithm of a JWS (RFC 7518 section 3).
type Signature struct {
	Name    string
	KeyType string
	Hash    crypto.Hash
	PSS     bool // RSASSA-PSS; otherwise RSASSA-PKCS1-v1_5

	options crypto.SignerOpts // passed to a crypto.Signer
	digest  func(dst, input []byte) []byte
}

// The signatures.
var (
	RS256 = &Signature{Name: "RS256", KeyType: RSA, Hash: crypto.SHA256,
		options: crypto.SHA256, digest: appendSHA256}
	PS256 = &Signature{Name: "PS256", KeyType: RSA, Hash: crypto.SHA256, PSS: true,
		options: saltAsHash, digest: appendSHA256}

	Signatures = Table[*Signature]{RS256, PS256}

	saltAsHash = &rsa.PSSOptions{Hash: crypto.SHA256, SaltLength: rsa.PSSSaltLengthEqualsHash}
)

// MaxDigest is the length in bytes of the longest digest in the table.
const MaxDigest = sha256.Size

func (s *Signature) String() string { return s.Name }

// AppendDigest appends the digest of the signing input to dst.
func (s *Signature) AppendDigest(dst, input []byte) []byte { return s.digest(dst, input) }

func appendSHA256(dst, input []byte) []byte {
	sum := sha256.Sum256(input)
	return append(dst, sum[:]...)
}

// Sign signs a digest. An error concerns the key.
func (s *Signature) Sign(key crypto.Signer, digest []byte) ([]byte, error) {
	return key.Sign(rand.Reader, digest, s.options)
}

// Verify reports whether a signature is valid. An error concerns the key, not the
// signature.
func (s *Signature) Verify(key PublicKey, digest, signature []byte) (bool, error) {
	if key.By == nil {
		return s.verify(key.PublicKey, digest, signature), nil
	}
	err := key.By.Verify(digest, signature, s.options)
	if err == nil || errors.Is(err, rsa.ErrVerification) {
		return err == nil, nil
	}
	return false, err
}

func (s *Signature) verify(key *rsa.PublicKey, digest, signature []byte) bool {
	if s.PSS {
		return rsa.VerifyPSS(key, s.Hash, digest, signature, saltAsHash) == nil
	}
	return rsa.VerifyPKCS1v15(key, s.Hash, digest, signature) == nil
}
