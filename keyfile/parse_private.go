package keyfile

import (
	"bytes"
	"crypto/rsa"
	"crypto/x509"
	"encoding/asn1"
	"errors"
	"fmt"
	"math/big"
	"strings"

	"github.com/sealane/sealane/cert"
)

// PrivateInfo says what came with a private key.
type PrivateInfo struct {
	Format       string              // one of the Format constants
	KeyID        string              // "kid" of a JWK
	Certificates []*x509.Certificate // of a PKCS#12, the key's own first
}

var (
	// ErrPassphraseNeeded means that the key is encrypted and no passphrase came with it.
	ErrPassphraseNeeded = errors.New("the key is encrypted: give its passphrase")
	// ErrPassphraseWrong means that decryption failed.
	ErrPassphraseWrong = errors.New("the passphrase is wrong, or the file is damaged: try the passphrase of this key's environment")
)

// ReadPrivate reads one of our own RSA private keys: PKCS#8, encrypted PKCS#8,
// PKCS#1, PKCS#12 or a private JWK, in PEM, DER or base64. The key passed
// [CheckKey] and is arithmetically whole. The passphrase of a file that is not
// encrypted is ignored; a PKCS#12 with an empty passphrase wants an empty,
// non-nil one.
func ReadPrivate(data, passphrase []byte) (*rsa.PrivateKey, PrivateInfo, error) {
	key, info, err := readPrivate(data, passphrase)
	if err != nil {
		return nil, PrivateInfo{}, fmt.Errorf("read private key: %w", err)
	}
	return key, info, nil
}

func readPrivate(data, passphrase []byte) (*rsa.PrivateKey, PrivateInfo, error) {
	if len(data) > maxFile {
		return nil, PrivateInfo{}, fmt.Errorf("the file has %d bytes: at most %d are read", len(data), maxFile)
	}
	if isDER(data) {
		return privateFromDER(data, passphrase)
	}
	if kind := javaKeyStore(data); kind != "" {
		if _, only := trusted(data); only {
			return nil, PrivateInfo{}, fmt.Errorf("this is %s without a private key: give the store that holds the key, as PKCS#12", kind)
		}
		return nil, PrivateInfo{}, fmt.Errorf("this is %s: convert it with keytool -importkeystore -deststoretype PKCS12", kind)
	}
	text, err := plainText(data)
	if err != nil {
		return nil, PrivateInfo{}, err
	}
	text = bytes.TrimSpace(text)
	if bytes.Contains(text, []byte(pemBegin)) {
		der, err := onlyPrivateBlock(text)
		if err != nil {
			return nil, PrivateInfo{}, err
		}
		return privateFromDER(der, passphrase)
	}
	if bytes.HasPrefix(text, []byte("{")) {
		keys, err := jwkObjects(text)
		if err != nil {
			return nil, PrivateInfo{}, err
		}
		object, err := onlyJWK(keys)
		if err != nil {
			return nil, PrivateInfo{}, err
		}
		if !holdsPrivate(object) {
			return nil, PrivateInfo{}, errors.New("the JWK holds the public key only: give the private one")
		}
		key, keyID, err := privateFromJWK(object)
		if err != nil {
			return nil, PrivateInfo{}, err
		}
		return key, PrivateInfo{Format: FormatJWK, KeyID: keyID}, nil
	}
	if der, ok := bareBase64(text); ok && isDER(der) {
		return privateFromDER(der, passphrase)
	}
	return nil, PrivateInfo{}, errors.New("the file is no PEM, DER, PKCS#12 or JWK: give the private key in one of these")
}

// onlyPrivateBlock returns the DER of the only private key among the blocks;
// certificates beside it are left alone.
func onlyPrivateBlock(text []byte) ([]byte, error) {
	blocks, err := pemBlocks(text)
	if err != nil {
		return nil, err
	}
	var only []byte
	for _, b := range blocks {
		if headers, _, _ := b.headers(); strings.Contains(headers, "ENCRYPTED") {
			return nil, fmt.Errorf("line %d begins a key in the old encryption of PEM, which is weak: convert it with openssl pkcs8 -topk8", b.firstLine)
		}
		if err := foreignKey(b); err != nil {
			return nil, err
		}
		der, err := b.der()
		if err != nil {
			return nil, err
		}
		if recognise(der).private() == "" {
			continue
		}
		if only != nil {
			return nil, errors.New("the file holds two private keys: give each in a file of its own")
		}
		only = der
	}
	if only == nil {
		return nil, errors.New("the file holds no private key: give the key, not the certificate")
	}
	return only, nil
}

// foreignKey names the way from a key of another program's own form.
func foreignKey(b pemBlock) error {
	switch b.label {
	case "OPENSSH PRIVATE KEY":
		return fmt.Errorf("line %d begins an OPENSSH PRIVATE KEY, which is not read: convert a copy of the file with ssh-keygen -p -m PKCS8 -f COPY", b.firstLine)
	case "PGP PRIVATE KEY BLOCK":
		return fmt.Errorf("line %d begins a PGP PRIVATE KEY BLOCK, which is not read: make a pair of its own for this use, with sealane cert create", b.firstLine)
	}
	return nil
}

func privateFromDER(der, passphrase []byte) (*rsa.PrivateKey, PrivateInfo, error) {
	kind := recognise(der)
	if kind == kindPKCS12 {
		return privateFromPKCS12(der, passphrase)
	}
	if kind.private() == "" {
		return nil, PrivateInfo{}, errors.New("the file holds no private key: give the key, not the certificate")
	}
	if err := checkASN1(der); err != nil {
		return nil, PrivateInfo{}, fmt.Errorf("the file is damaged: %w", err)
	}
	if len(der) > maxKeyDER {
		return nil, PrivateInfo{}, fmt.Errorf("the key has %d bytes: a key of 4096 bits has fewer than %d", len(der), maxKeyDER)
	}
	info := PrivateInfo{Format: FormatPKCS8}
	switch kind {
	case kindSEC1:
		return nil, PrivateInfo{}, errNotRSA
	case kindPKCS1:
		info.Format = FormatPKCS1
	case kindEncryptedPKCS8:
		info.Format = FormatPKCS8Encrypted
		var err error
		if der, err = decryptPKCS8(der, passphrase); err != nil {
			return nil, PrivateInfo{}, err
		}
	}
	key, err := parsePrivate(kind, der)
	if err != nil {
		return nil, PrivateInfo{}, err
	}
	return key, info, nil
}

var errNotRSA = errors.New("the key is not an RSA key: only RSA is used, make an RSA pair")

// parsePrivate never passes on the parser's error: what it says about a key's
// numbers is nobody's business.
func parsePrivate(k kind, der []byte) (*rsa.PrivateKey, error) {
	var parsed any
	var err error
	if k == kindPKCS1 {
		parsed, err = x509.ParsePKCS1PrivateKey(der)
	} else {
		parsed, err = x509.ParsePKCS8PrivateKey(der)
	}
	if err != nil {
		if weak := weakNumbers(k, der); weak != nil {
			return nil, weak
		}
		return nil, errors.New("the key does not parse: it is damaged or of another kind; take it from its backup or make a new pair")
	}
	key, ok := parsed.(*rsa.PrivateKey)
	if !ok {
		return nil, errNotRSA
	}
	if err := checkPrivate(key); err != nil {
		return nil, err
	}
	return key, nil
}

// weakNumbers judges the modulus and exponent of a key that the standard library
// refuses to parse: the advice for a weak key is not the one for a damaged file.
func weakNumbers(k kind, der []byte) error {
	const members = 9 // of RSAPrivateKey: version, n, e and six more (RFC 8017, appendix A.1.2)
	if k != kindPKCS1 {
		parts, err := sequenceOf(der)
		var oid asn1.ObjectIdentifier
		if err != nil || len(parts) < 3 || parts[2].tag != tagOctets {
			return nil
		}
		if _, err := asn1.Unmarshal(parts[1].body, &oid); err != nil || !oid.Equal(oidRSA) {
			return nil
		}
		der = parts[2].body
	}
	parts, err := sequenceOf(der)
	if err != nil || len(parts) < members {
		return nil
	}
	n, e := positive(parts[1]), positive(parts[2])
	if n == nil || e == nil {
		return nil
	}
	if !e.IsInt64() || int64(int(e.Int64())) != e.Int64() {
		return fmt.Errorf("%w: it has %d bits; make a new pair with current software", cert.ErrKeyExponent, e.BitLen())
	}
	return cert.CheckKey(&rsa.PublicKey{N: n, E: int(e.Int64())})
}

// positive returns the number of an INTEGER, or nil.
func positive(e element) *big.Int {
	if e.tag != tagInteger || len(e.body) == 0 || e.body[0]&0x80 != 0 {
		return nil
	}
	return new(big.Int).SetBytes(e.body)
}

// checkPrivate holds a private key that was read to the same rules as a public
// one, and to its own arithmetic.
func checkPrivate(key *rsa.PrivateKey) error {
	if err := cert.CheckKey(&key.PublicKey); err != nil {
		return err
	}
	if len(key.Primes) != 2 {
		return fmt.Errorf("the key has %d primes: only keys of two primes are used; make a new pair", len(key.Primes))
	}
	if err := key.Validate(); err != nil {
		return errors.New("the numbers of the key do not belong together: it is damaged or was altered; take it from its backup or make a new pair")
	}
	return nil
}
