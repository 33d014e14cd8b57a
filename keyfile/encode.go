package keyfile

import (
	"crypto"
	"crypto/fips140"
	"crypto/rsa"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"slices"

	"github.com/smallstep/pkcs7"
	"github.com/youmark/pkcs8"
	"software.sslmate.com/src/go-pkcs12"

	"github.com/sealane/sealane/cert"
	"github.com/sealane/sealane/internal/pasted"
)

// EncodePKCS7DER returns the certificate in a SignedData without signers (RFC 2315,
// section 9), which is what a .p7b file holds.
func EncodePKCS7DER(c *x509.Certificate) ([]byte, error) {
	der, err := pkcs7.DegenerateCertificate(c.Raw)
	if err != nil {
		return nil, fmt.Errorf("encode certificate as PKCS#7: %w", err)
	}
	return der, nil
}

// EncodePKCS7 returns the result of [EncodePKCS7DER] as a PEM block.
func EncodePKCS7(c *x509.Certificate) ([]byte, error) {
	der, err := EncodePKCS7DER(c)
	if err != nil {
		return nil, err
	}
	return pem.EncodeToMemory(&pem.Block{Type: "PKCS7", Bytes: der}), nil
}

// EncodeAll returns the certificate in the four forms that partners ask for, by file
// extension: .pem and .crt (PEM), .cer (DER), .p7b (PKCS#7 in PEM).
func EncodeAll(c *x509.Certificate) (map[string][]byte, error) {
	p7b, err := EncodePKCS7(c)
	if err != nil {
		return nil, err
	}
	return map[string][]byte{
		".pem": cert.EncodePEM(c),
		".crt": cert.EncodePEM(c),
		".cer": slices.Clone(c.Raw),
		".p7b": p7b,
	}, nil
}

const (
	// MinPassphrase is how many bytes a passphrase must have that encrypts a private key: 112 bits, which NIST
	// SP 800-131A requires of an HMAC key. A passphrase is one in PBKDF2.
	MinPassphrase = 14
	// kdfIterations is OWASP's figure for PBKDF2-HMAC-SHA-256.
	kdfIterations = 600_000
)

// EncodePrivate returns the key as PKCS#8 in PEM. It encrypts the key with a passphrase
// of at least 14 bytes by PBES2, PBKDF2-HMAC-SHA-256 and AES-256-CBC: OpenSSL and Java
// both read that, while Java has no scrypt. With an empty passphrase the key is not
// encrypted.
func EncodePrivate(key *rsa.PrivateKey, passphrase []byte) ([]byte, error) {
	if len(passphrase) == 0 {
		der, err := x509.MarshalPKCS8PrivateKey(key)
		if err != nil {
			return nil, fmt.Errorf("encode private key: %w", err)
		}
		return pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der}), nil
	}
	passphrase = pasted.Secret(passphrase)
	if err := checkPassphrase(passphrase); err != nil {
		return nil, fmt.Errorf("encrypt private key: %w", err)
	}
	der, err := pkcs8.MarshalPrivateKey(key, passphrase, &pkcs8.Opts{
		Cipher: pkcs8.AES256CBC,
		KDFOpts: pkcs8.PBKDF2Opts{
			SaltSize:       16,
			IterationCount: kdfIterations,
			HMACHash:       crypto.SHA256,
		},
	})
	if err != nil {
		return nil, fmt.Errorf("encrypt private key: %w", err)
	}
	return pem.EncodeToMemory(&pem.Block{Type: "ENCRYPTED PRIVATE KEY", Bytes: der}), nil
}

func checkPassphrase(passphrase []byte) error {
	if len(passphrase) < MinPassphrase {
		return fmt.Errorf("the passphrase has %d bytes: use at least %d, for example five random words",
			len(passphrase), MinPassphrase)
	}
	return nil
}

var errNoFIPS = errors.New("not possible under GODEBUG=fips140=only")

// EncodePKCS12 returns the key and its certificates, leaf first, as PKCS#12 under a
// passphrase of at least 14 bytes. OpenSSL 1.1.1, Java 12 and Windows Server 2019 and
// newer read it. It returns an error in FIPS mode, which has no key derivation for it.
func EncodePKCS12(key *rsa.PrivateKey, chain []*x509.Certificate, passphrase []byte) ([]byte, error) {
	if fips140.Enforced() {
		return nil, fmt.Errorf("encode PKCS#12: %w; write PKCS#8 instead", errNoFIPS)
	}
	passphrase = pasted.Secret(passphrase)
	if err := checkPassphrase(passphrase); err != nil {
		return nil, fmt.Errorf("encode PKCS#12: %w", err)
	}
	if len(chain) == 0 || !key.PublicKey.Equal(chain[0].PublicKey) {
		return nil, errors.New("encode PKCS#12: the first certificate is not the one of this key: " +
			"put the matching certificate first")
	}
	der, err := pkcs12.Modern2023.WithIterations(kdfIterations).Encode(key, chain[0], chain[1:], string(passphrase))
	if err != nil {
		return nil, fmt.Errorf("encode PKCS#12: %w", err)
	}
	return der, nil
}
