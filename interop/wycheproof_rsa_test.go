package interop

import (
	"bytes"
	"crypto"
	"crypto/rsa"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"strings"
	"testing"

	"github.com/sealane/sealane/cert"
	"github.com/sealane/sealane/keyfile"
	"github.com/sealane/sealane/keyring"
	"github.com/sealane/sealane/rsaengine"
)

func unhex(t testing.TB, text string) []byte {
	t.Helper()
	data, err := hex.DecodeString(text)
	if err != nil {
		t.Fatal(err)
	}
	return data
}

// signatureGroup is a group of RSASSA-PKCS1-v1_5, to verify or to sign.
type signatureGroup struct {
	vectorGroup
	SHA             string
	PublicKeyDER    string // to verify
	PrivateKeyPKCS8 string // to sign
}

// The result for a signature.
const (
	sigHolds     = "valid, holds"
	sigWrong     = "invalid, refused"
	sigNoNull    = "acceptable without a NULL, refused"
	sigHash      = "another hash, refused"
	sigOurs      = "RS256 in the file of another hash, holds"
	sigSize      = "key of another size, refused"
	sigExponent  = "exponent 3, refused"
	sigIdentical = "made again, byte for byte"
)

// signatureReasons are the reasons for results that differ from the mark.
var signatureReasons = map[string]string{
	sigNoNull: "RFC 8017 section 9.2 makes the signature, and we compare it whole: without the NULL it is " +
		"another one",
	sigOurs:     "invalid there, because the signer used SHA-256: that is RS256",
	sigHash:     "the file's hash is not SHA-256, and RS256 is all that there is",
	sigSize:     "only keys of 2048, 3072 and 4096 bits are used",
	sigExponent: "only the exponent 65537 is used",
}

// signatureFiles are all of the module's files of signatures to verify.
var signatureFiles = map[string]counts{
	"rsa_signature_2048_sha224_test.json":     {sigOurs: 1, sigHash: 257},
	"rsa_signature_2048_sha256_test.json":     {sigHolds: 7, sigWrong: 249, sigNoNull: 1, sigExponent: 2},
	"rsa_signature_2048_sha384_test.json":     {sigOurs: 1, sigHash: 257},
	"rsa_signature_2048_sha3_224_test.json":   {sigOurs: 1, sigHash: 257},
	"rsa_signature_2048_sha3_256_test.json":   {sigOurs: 1, sigHash: 256},
	"rsa_signature_2048_sha3_384_test.json":   {sigOurs: 1, sigHash: 257},
	"rsa_signature_2048_sha3_512_test.json":   {sigOurs: 1, sigHash: 257},
	"rsa_signature_2048_sha512_224_test.json": {sigOurs: 1, sigHash: 257},
	"rsa_signature_2048_sha512_256_test.json": {sigOurs: 1, sigHash: 256},
	"rsa_signature_2048_sha512_test.json":     {sigOurs: 1, sigHash: 257, sigExponent: 1},
	"rsa_signature_3072_sha256_test.json":     {sigHolds: 7, sigWrong: 250, sigNoNull: 1, sigExponent: 1},
	"rsa_signature_3072_sha384_test.json":     {sigOurs: 1, sigHash: 258},
	"rsa_signature_3072_sha3_256_test.json":   {sigOurs: 1, sigHash: 257},
	"rsa_signature_3072_sha3_384_test.json":   {sigOurs: 1, sigHash: 258},
	"rsa_signature_3072_sha3_512_test.json":   {sigOurs: 1, sigHash: 258},
	"rsa_signature_3072_sha512_256_test.json": {sigOurs: 1, sigHash: 257},
	"rsa_signature_3072_sha512_test.json":     {sigOurs: 1, sigHash: 258, sigExponent: 1},
	"rsa_signature_4096_sha256_test.json":     {sigHolds: 7, sigWrong: 250, sigNoNull: 1},
	"rsa_signature_4096_sha384_test.json":     {sigOurs: 1, sigHash: 258},
	"rsa_signature_4096_sha512_256_test.json": {sigOurs: 1, sigHash: 257},
	"rsa_signature_4096_sha512_test.json":     {sigOurs: 1, sigHash: 258},
	"rsa_signature_8192_sha256_test.json":     {sigSize: 258},
	"rsa_signature_8192_sha384_test.json":     {sigSize: 259},
	"rsa_signature_8192_sha512_test.json":     {sigSize: 259},
}

// signingFiles are all of its files of signatures to make.
var signingFiles = map[string]counts{
	"rsa_pkcs1_1024_sig_gen_test.json": {sigSize: 33},
	"rsa_pkcs1_1536_sig_gen_test.json": {sigSize: 32},
	"rsa_pkcs1_2048_sig_gen_test.json": {sigIdentical: 8, sigHash: 32, sigExponent: 3},
	"rsa_pkcs1_3072_sig_gen_test.json": {sigIdentical: 8, sigHash: 16, sigExponent: 2},
	"rsa_pkcs1_4096_sig_gen_test.json": {sigIdentical: 8, sigHash: 16},
}

// TestWycheproofRSASignatures passes each vector's own message and signature to the
// verification of RS256 in every engine. The codec cannot be used: no message of these
// files is a JWS signing input.
func TestWycheproofRSASignatures(t *testing.T) {
	t.Parallel()
	for name, want := range signatureFiles {
		t.Run(name, func(t *testing.T) {
			onEveryEngine(t, func(t *testing.T, r *rsaengine.Engine) {
				got := results{}
				for _, g := range groupsOf[signatureGroup](t, name) {
					file, err := keyfile.Parse(unhex(t, g.PublicKeyDER))
					if err != nil {
						t.Fatal(err)
					}
					if !file.PublicKey.Equal(g.signatureKey(t)) {
						t.Fatal("our reader returns another key")
					}
					_, err = keyring.New(keyring.Key{State: keyring.Active, Public: file.PublicKey})
					if err != nil {
						class := refusedSignatureKey(t, file.PublicKey, err)
						for _, v := range g.Tests {
							got.add(class, v)
						}
						continue
					}
					verify := verifier(t, r, file.PublicKey)
					for _, v := range g.Tests {
						got.add(judgeSignature(t, verify, g, v), v)
					}
				}
				got.compare(t, name, want, signatureReasons)
			})
		})
	}
}

// verifier returns the operation that the codec calls for a key in engine r.
func verifier(t *testing.T, r *rsaengine.Engine, key *rsa.PublicKey) func(digest, signature []byte) error {
	t.Helper()
	operations, err := r.PublicOps(key)
	if err != nil {
		t.Fatal(err)
	}
	if operations != nil {
		return func(digest, signature []byte) error { return operations.Verify(digest, signature, crypto.SHA256) }
	}
	return func(digest, signature []byte) error { return rsa.VerifyPKCS1v15(key, crypto.SHA256, digest, signature) }
}

func judgeSignature(t *testing.T, verify func(digest, signature []byte) error, g signatureGroup,
	v vector) (class string) {
	t.Helper()
	digest := sha256.Sum256(unhex(t, v.Msg))
	err := verify(digest[:], unhex(t, v.Sig))
	if err != nil && !errors.Is(err, rsa.ErrVerification) {
		t.Errorf("%d %s: an error of the key: %v", v.ID, v.Comment, err)
	}
	holds := false
	switch {
	case g.SHA != "SHA-256" && strings.HasPrefix(v.Comment, "The message is hashed with SHA-256 instead of"):
		class, holds = sigOurs, true
	case g.SHA != "SHA-256":
		class = sigHash
	case v.valid():
		class, holds = sigHolds, true
	case v.Result == "acceptable":
		class = sigNoNull
		if v.Comment != "Missing NULL in the ASN encoding" {
			t.Errorf("%d %s: acceptable", v.ID, v.Comment)
		}
	default:
		class = sigWrong
	}
	if (err == nil) != holds {
		t.Errorf("%d %s: marked %s, with %s: %v", v.ID, v.Comment, v.Result, g.SHA, err)
	}
	return class
}

// refusedSignatureKey returns the class of a key that was refused.
func refusedSignatureKey(t *testing.T, key *rsa.PublicKey, err error) (class string) {
	t.Helper()
	switch bits := key.N.BitLen(); {
	case bits != 2048 && bits != 3072 && bits != 4096 && errors.Is(err, cert.ErrKeySize):
		return sigSize
	case key.E == 3 && errors.Is(err, cert.ErrKeyExponent):
		return sigExponent
	}
	t.Fatalf("a key of %d bits with the exponent %d: %v", key.N.BitLen(), key.E, err)
	return ""
}

// TestWycheproofRSASigning makes each vector's signature again: RS256 is deterministic. We
// neither make nor accept signatures with other hashes.
func TestWycheproofRSASigning(t *testing.T) {
	t.Parallel()
	for name, want := range signingFiles {
		t.Run(name, func(t *testing.T) {
			onEveryEngine(t, func(t *testing.T, r *rsaengine.Engine) {
				got := results{}
				for _, g := range groupsOf[signatureGroup](t, name) {
					key, _, err := keyfile.ParsePrivate(unhex(t, g.PrivateKeyPKCS8), nil)
					if err != nil {
						class := refusedSignatureKey(t, &keyByGo(t, g.PrivateKeyPKCS8).PublicKey, err)
						for _, v := range g.Tests {
							got.add(class, v)
						}
						continue
					}
					signer, err := r.PrivateKey(key)
					if err != nil {
						t.Fatal(err)
					}
					verify := verifier(t, r, &key.PublicKey)
					for _, v := range g.Tests {
						digest := sha256.Sum256(unhex(t, v.Msg))
						signature, err := signer.(crypto.Signer).Sign(nil, digest[:], crypto.SHA256)
						same := bytes.Equal(signature, unhex(t, v.Sig))
						if err != nil || same != (g.SHA == "SHA-256") {
							t.Errorf("%d %s: with %s: the same signature: %t, %v", v.ID, v.Comment, g.SHA, same, err)
						}
						class := judgeSignature(t, verify, g, v)
						if same {
							class = sigIdentical
						}
						got.add(class, v)
					}
				}
				got.compare(t, name, want, signatureReasons)
			})
		})
	}
}
