package cert

import (
	"bytes"
	"crypto/rsa"
	"crypto/x509"
	"errors"
	"fmt"
	"strings"
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
