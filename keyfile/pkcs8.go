package keyfile

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/fips140"
	"crypto/pbkdf2"
	"crypto/sha1"
	"crypto/sha256"
	"crypto/sha512"
	"crypto/x509/pkix"
	"encoding/asn1"
	"errors"
	"fmt"
	"hash"

	"github.com/youmark/pkcs8"
)

// Bounds on the cost of an encrypted file, checked before the work is done. PBKDF2
// takes some two seconds at its bound; scrypt takes its memory.
const (
	maxKDFIterations = 10_000_000
	maxScryptN       = 1 << 20
	maxScryptMemory  = 256 << 20
	maxScryptP       = 16
)

var (
	oidPBES2  = asn1.ObjectIdentifier{1, 2, 840, 113549, 1, 5, 13}
	oidPBKDF2 = asn1.ObjectIdentifier{1, 2, 840, 113549, 1, 5, 12}
	oidScrypt = asn1.ObjectIdentifier{1, 3, 6, 1, 4, 1, 11591, 4, 11}

	// RFC 8018, appendix B.1.2: hmacWithSHA1 is the default.
	prfs = map[string]func() hash.Hash{
		"":                    sha1.New,
		"1.2.840.113549.2.7":  sha1.New,
		"1.2.840.113549.2.8":  sha256.New224,
		"1.2.840.113549.2.9":  sha256.New,
		"1.2.840.113549.2.10": sha512.New384,
		"1.2.840.113549.2.11": sha512.New,
	}
	aesCBC = map[string]int{ // octets of the key, by OID
		"2.16.840.1.101.3.4.1.2":  16,
		"2.16.840.1.101.3.4.1.22": 24,
		"2.16.840.1.101.3.4.1.42": 32,
	}
)

type encryptedPKCS8 struct {
	Algorithm pkix.AlgorithmIdentifier
	Data      []byte
}

type pbes2Params struct {
	KDF    pkix.AlgorithmIdentifier
	Cipher pkix.AlgorithmIdentifier
}

type pbkdf2Params struct {
	Salt       []byte
	Iterations int
	KeyLength  int                      `asn1:"optional"`
	PRF        pkix.AlgorithmIdentifier `asn1:"optional"`
}

type scryptParams struct {
	Salt      []byte
	N, R, P   int
	KeyLength int `asn1:"optional"`
}

const adviceConvertKey = "convert it with openssl pkcs8 -topk8 -v2 aes-256-cbc -v2prf hmacWithSHA256"

// decryptPKCS8 decrypts an EncryptedPrivateKeyInfo (RFC 5958, section 3) that uses
// PBES2 with PBKDF2 or scrypt, and AES-CBC. It parses the parameters itself because
// the library for it ignores PBKDF2's key length, which Java writes, has only two of
// the hashes and no bounds, and panics if FIPS mode or a wrong length forbids a step.
func decryptPKCS8(der, passphrase []byte) ([]byte, error) {
	var file encryptedPKCS8
	if err := exactly(der, &file); err != nil {
		return nil, errors.New("the encrypted key does not parse: it is damaged, take it from its backup")
	}
	p, err := parsePBES2(file.Algorithm, file.Data)
	if err != nil {
		return nil, err
	}
	if len(passphrase) == 0 {
		return nil, ErrPassphraseNeeded
	}
	plain, err := p.decrypt(passphrase)
	if err != nil {
		return nil, err
	}
	// One wrong passphrase in 256 gets this far.
	if recognize(plain) != kindPKCS8 || checkASN1(plain) != nil {
		return nil, ErrPassphraseWrong
	}
	return plain, nil
}

// pbes2 is data encrypted by PBES2 (RFC 8018, section 6.2) with AES-CBC.
type pbes2 struct {
	kdf      pkix.AlgorithmIdentifier
	keySize  int
	iv, data []byte
}

func parsePBES2(algorithm pkix.AlgorithmIdentifier, data []byte) (pbes2, error) {
	if !algorithm.Algorithm.Equal(oidPBES2) {
		return pbes2{}, fmt.Errorf("the key is encrypted by the old scheme %s: %s",
			algorithm.Algorithm, adviceConvertKey)
	}
	var params pbes2Params
	if err := exactly(algorithm.Parameters.FullBytes, &params); err != nil {
		return pbes2{}, errors.New("the encryption parameters of the key do not parse: " +
			"it is damaged, take it from its backup")
	}
	keySize, ok := aesCBC[params.Cipher.Algorithm.String()]
	if !ok {
		return pbes2{}, fmt.Errorf("the key is encrypted by cipher %s, which is not supported: %s",
			params.Cipher.Algorithm, adviceConvertKey)
	}
	iv := params.Cipher.Parameters.Bytes
	if len(iv) != aes.BlockSize || len(data) == 0 || len(data)%aes.BlockSize != 0 {
		return pbes2{}, errors.New("the encrypted key has an impossible length: " +
			"it is damaged, take it from its backup")
	}
	return pbes2{kdf: params.KDF, keySize: keySize, iv: iv, data: data}, nil
}

func (p pbes2) decrypt(passphrase []byte) ([]byte, error) {
	key, err := deriveKey(p.kdf, passphrase, p.keySize)
	if err != nil {
		return nil, err
	}
	return decryptCBC(key, p.iv, p.data)
}

func deriveKey(kdf pkix.AlgorithmIdentifier, passphrase []byte, size int) ([]byte, error) {
	switch {
	case kdf.Algorithm.Equal(oidPBKDF2):
		return derivePBKDF2(kdf.Parameters.FullBytes, passphrase, size)
	case kdf.Algorithm.Equal(oidScrypt):
		return deriveScrypt(kdf.Parameters.FullBytes, passphrase, size)
	}
	return nil, fmt.Errorf("the key is encrypted with key derivation %s, which is not supported: %s",
		kdf.Algorithm, adviceConvertKey)
}

var errKDFParams = errors.New("the key derivation of the encrypted key does not parse: " +
	"it is damaged, take it from its backup")

func derivePBKDF2(der, passphrase []byte, size int) ([]byte, error) {
	var p pbkdf2Params
	if err := exactly(der, &p); err != nil {
		return nil, errKDFParams
	}
	if p.Iterations < 1 || p.Iterations > maxKDFIterations {
		return nil, fmt.Errorf("the key asks for %d iterations of PBKDF2: at most %d are done; %s",
			p.Iterations, maxKDFIterations, adviceConvertKey)
	}
	if p.KeyLength != 0 && p.KeyLength != size {
		return nil, errKDFParams
	}
	prf, ok := prfs[p.PRF.Algorithm.String()]
	if !ok {
		return nil, fmt.Errorf("the key is encrypted with PBKDF2 and hash %s, which is not supported: %s",
			p.PRF.Algorithm, adviceConvertKey)
	}
	key, err := pbkdf2.Key(prf, string(passphrase), p.Salt, p.Iterations, size)
	if err != nil {
		// The size is right, so only FIPS mode refuses: SHA-1 or a short salt.
		return nil, fmt.Errorf("PBKDF2 of the encrypted key: %w (%w); %s", errNoFIPS, err, adviceConvertKey)
	}
	return key, nil
}

func deriveScrypt(der, passphrase []byte, size int) ([]byte, error) {
	var p scryptParams
	if err := exactly(der, &p); err != nil {
		return nil, errKDFParams
	}
	if p.N < 2 || p.R < 1 || p.P < 1 || p.N > maxScryptN || p.P > maxScryptP || p.R > maxScryptMemory/128/p.N {
		return nil, fmt.Errorf("the key asks for scrypt with N=%d r=%d p=%d: "+
			"at most N=%d, p=%d and %d MiB are allowed; %s",
			p.N, p.R, p.P, maxScryptN, maxScryptP, maxScryptMemory>>20, adviceConvertKey)
	}
	if p.KeyLength != 0 && p.KeyLength != size {
		return nil, errKDFParams
	}
	if fips140.Enforced() {
		return nil, fmt.Errorf("scrypt of the encrypted key: %w; %s", errNoFIPS, adviceConvertKey)
	}
	key, _, err := pkcs8.ScryptOpts{
		SaltSize: len(p.Salt), CostParameter: p.N, BlockSize: p.R, ParallelizationParameter: p.P,
	}.DeriveKey(passphrase, p.Salt, size)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", errKDFParams, err)
	}
	return key, nil
}

// decryptCBC takes lengths that were checked. Its error is not a padding oracle: an
// attacker who can try passphrases already has the file.
func decryptCBC(key, iv, data []byte) ([]byte, error) {
	block, err := aes.NewCipher(key)
	if err != nil {
		return nil, fmt.Errorf("decrypt private key: %w", err)
	}
	plain := make([]byte, len(data))
	cipher.NewCBCDecrypter(block, iv).CryptBlocks(plain, data)
	n := int(plain[len(plain)-1])
	if n < 1 || n > aes.BlockSize {
		return nil, ErrPassphraseWrong
	}
	for _, b := range plain[len(plain)-n:] {
		if int(b) != n {
			return nil, ErrPassphraseWrong
		}
	}
	return plain[:len(plain)-n], nil
}

// exactly unmarshals DER and returns an error if something follows it.
func exactly(der []byte, into any) error {
	rest, err := asn1.Unmarshal(der, into)
	if err == nil && len(rest) != 0 {
		err = errors.New("trailing data")
	}
	return err
}
