package keyfile

import (
	"bytes"
	"crypto/rsa"
	"crypto/x509"
	"errors"
	"fmt"
	"math/big"
	"strings"
	"unicode/utf8"

	"github.com/sealane/sealane/cert"
	"github.com/sealane/sealane/internal/filekind"
	"github.com/sealane/sealane/internal/pasted"
	"github.com/sealane/sealane/internal/unpack"
)

// PrivateInfo describes the file of a private key.
type PrivateInfo struct {
	Format Format
	// KeyID is the "kid" of a JWK.
	KeyID string
	// Certificates are those of a PKCS#12, the key's own first.
	Certificates []*x509.Certificate
}

var (
	// ErrPassphraseNeeded means that the key is encrypted and there is no passphrase.
	ErrPassphraseNeeded = errors.New("the key is encrypted: give its passphrase")
	// ErrPassphraseWrong means that the decryption failed.
	ErrPassphraseWrong = errors.New("the passphrase is wrong, or the file is damaged: " +
		"try the passphrase of this key's environment")
)

// ParsePrivate reads one of our own RSA private keys: PKCS#8, encrypted PKCS#8, PKCS#1,
// PKCS#12 or a private JWK, in PEM, DER or base64. The key has passed [cert.CheckKey],
// and its numbers fit each other.
//
// If the passphrase fails, and it is in UTF-16 or Latin-1, or begins with a byte order mark, as in
// a file that an editor of Windows has written, it is decoded and tried again.
//
// ParsePrivate ignores the passphrase if the file is not encrypted. If it is, a nil
// passphrase returns [ErrPassphraseNeeded]; only a PKCS#12 may have an empty one.
func ParsePrivate(data, passphrase []byte) (*rsa.PrivateKey, PrivateInfo, error) {
	key, info, err := parsePrivate(data, passphrase)
	if errors.Is(err, ErrPassphraseWrong) {
		if typed := pasted.Secret(passphrase); !bytes.Equal(typed, passphrase) {
			key, info, err = parsePrivate(data, typed)
		} else if !utf8.Valid(passphrase) {
			key, info, err = parsePrivate(data, fromLatin1(passphrase))
		}
	}
	if err != nil {
		return nil, PrivateInfo{}, fmt.Errorf("read private key: %w", err)
	}
	return key, info, nil
}

// ParsePrivateAsk is like [ParsePrivate], but calls ask for the passphrase if the file
// is encrypted. It clears the passphrase after use. If ask is nil, the error is
// [ErrPassphraseNeeded].
func ParsePrivateAsk(data []byte, ask func() ([]byte, error)) (*rsa.PrivateKey, PrivateInfo, error) {
	key, info, err := ParsePrivate(data, nil)
	if ask == nil || !errors.Is(err, ErrPassphraseNeeded) {
		return key, info, err
	}
	passphrase, err := ask()
	if err != nil {
		return nil, PrivateInfo{}, err
	}
	defer clear(passphrase)
	return ParsePrivate(data, passphrase)
}

func parsePrivate(data, passphrase []byte) (*rsa.PrivateKey, PrivateInfo, error) {
	if len(data) > MaxSize {
		return nil, PrivateInfo{}, fmt.Errorf("the file has %d bytes: at most %d are read", len(data), MaxSize)
	}
	if isDER(data) {
		return privateFromDER(data, passphrase)
	}
	if kind := keyStore(data); kind != "" {
		if filekind.Of(data) != filekind.Unknown {
			return nil, PrivateInfo{}, fmt.Errorf("this is %s: export the key from it as PKCS#12, "+
				"with the program that wrote it", kind)
		}
		if _, only := trusted(data); only {
			return nil, PrivateInfo{}, fmt.Errorf("this is %s without a private key: "+
				"use the store that holds the key, as PKCS#12", kind)
		}
		return nil, PrivateInfo{}, fmt.Errorf("this is %s: "+
			"convert it with keytool -importkeystore -deststoretype PKCS12", kind)
	}
	text, err := plainText(data)
	if err != nil {
		return nil, PrivateInfo{}, err
	}
	text = bytes.TrimSpace(text)
	if bytes.Contains(text, []byte(pemBegin)) {
		der, err := onlyPrivateBlock(text)
		if err != nil {
			if meant := unpack.Meant(text); meant != nil { // out of JSON or an environment file
				if again, err := onlyPrivateBlock(meant); err == nil {
					return privateFromDER(again, passphrase)
				}
			}
			return nil, PrivateInfo{}, err
		}
		return privateFromDER(der, passphrase)
	}
	if bytes.HasPrefix(text, []byte("{")) {
		return privateFromJSON(text)
	}
	if decoded, ok := bareBase64(text); ok && isDER(decoded) {
		return privateFromDER(decoded, passphrase)
	} else if ok && bytes.Contains(decoded, []byte(pemBegin)) { // as Kubernetes and others store it
		der, err := onlyPrivateBlock(decoded)
		if err != nil {
			return nil, PrivateInfo{}, err
		}
		return privateFromDER(der, passphrase)
	}
	if err := foreignForm(data); err != nil {
		return nil, PrivateInfo{}, err
	}
	if kind := filekind.Of(data); kind != filekind.Unknown {
		return nil, PrivateInfo{}, fmt.Errorf("this is %s, not a private key in PEM, DER, PKCS#12 or JWK", kind)
	}
	return nil, PrivateInfo{}, errors.New("the file is not PEM, DER, PKCS#12 or JWK: " +
		"use the private key in one of these")
}

func privateFromJSON(text []byte) (*rsa.PrivateKey, PrivateInfo, error) {
	keys, err := jwkObjects(text)
	if err != nil {
		return nil, PrivateInfo{}, err
	}
	object, err := onlyJWK(keys)
	if err != nil {
		return nil, PrivateInfo{}, err
	}
	if !holdsPrivate(object) {
		return nil, PrivateInfo{}, errors.New("the JWK holds the public key only: use the private one")
	}
	key, keyID, err := privateFromJWK(object)
	if err != nil {
		return nil, PrivateInfo{}, err
	}
	return key, PrivateInfo{Format: FormatJWK, KeyID: keyID}, nil
}

// onlyPrivateBlock returns the DER of the only private key among the blocks. It ignores
// certificates.
func onlyPrivateBlock(text []byte) ([]byte, error) {
	blocks, err := pemBlocks(text)
	if err != nil {
		return nil, err
	}
	var only []byte
	for _, b := range blocks {
		if headers, _, _ := b.headers(); strings.Contains(headers, "ENCRYPTED") {
			return nil, fmt.Errorf("line %d begins a key in the old encryption of PEM, which is weak: "+
				"convert it with openssl pkcs8 -topk8", b.firstLine)
		}
		if err := foreignKey(b); err != nil {
			return nil, err
		}
		der, err := b.der()
		if err != nil {
			return nil, err
		}
		if recognize(der).private() == "" {
			continue
		}
		if only != nil {
			return nil, errors.New("the file holds two private keys: put each into its own file")
		}
		only = der
	}
	if only == nil {
		return nil, errNoPrivateKey
	}
	return only, nil
}

// foreignKey returns an error for a key in the format of another program, with the way
// to convert it.
func foreignKey(b pemBlock) error {
	switch b.label {
	case labelOpenSSH:
		return fmt.Errorf("line %d begins an OPENSSH PRIVATE KEY, which is not supported: "+
			"convert a copy of the file with ssh-keygen -p -m PKCS8 -f COPY", b.firstLine)
	case "PGP PRIVATE KEY BLOCK":
		return fmt.Errorf("line %d begins a PGP PRIVATE KEY BLOCK, which is not supported: "+
			"make a separate pair for this use", b.firstLine)
	}
	return nil
}

var (
	errNoPrivateKey = errors.New("the file holds no private key: use the key, not the certificate")
	errNotRSA       = fmt.Errorf("the key is %w: only RSA is used, make an RSA pair", cert.ErrNotRSA)
)

func privateFromDER(der, passphrase []byte) (*rsa.PrivateKey, PrivateInfo, error) {
	kind := recognize(der)
	if kind == kindPKCS12 {
		return privateFromPKCS12(der, passphrase)
	}
	if kind.private() == "" {
		return nil, PrivateInfo{}, errNoPrivateKey
	}
	if err := checkASN1(der); err != nil {
		return nil, PrivateInfo{}, fmt.Errorf("the file is damaged: %w", err)
	}
	if len(der) > maxKeyDER {
		return nil, PrivateInfo{}, fmt.Errorf("the key has %d bytes: a key of 4096 bits has fewer than %d",
			len(der), maxKeyDER)
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
	key, err := privateFromPlainDER(kind, der)
	if err != nil {
		return nil, PrivateInfo{}, err
	}
	return key, info, nil
}

// privateFromPlainDER never returns the parser's error, which may tell about the key's
// numbers.
func privateFromPlainDER(k kind, der []byte) (*rsa.PrivateKey, error) {
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
		return nil, errors.New("the key does not parse: it is damaged or of another kind; " +
			"take it from its backup or make a new pair")
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

// checkPrivate checks a private key by the rules for a public one and by its own
// arithmetic.
func checkPrivate(key *rsa.PrivateKey) error {
	if err := cert.CheckKey(&key.PublicKey); err != nil {
		return err
	}
	if len(key.Primes) != 2 {
		return fmt.Errorf("the key has %d primes: only keys of two primes are used; make a new pair", len(key.Primes))
	}
	if err := key.Validate(); err != nil {
		return errors.New("the numbers of the key do not belong together: it is damaged or was altered; " +
			"take it from its backup or make a new pair")
	}
	return nil
}

// weakNumbers checks the modulus and exponent of a key that the standard library
// refuses to parse: what to do about a weak key is not what to do about a damaged file.
func weakNumbers(k kind, der []byte) error {
	const members = 9 // of RSAPrivateKey: version, n, e and six more (RFC 8017, appendix A.1.2)
	if k != kindPKCS1 {
		parts, err := sequenceOf(der)
		if err != nil || len(parts) < 3 || parts[2].tag != tagOctets || !isRSA(parts[1]) {
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

// positive returns the number of an INTEGER, or nil if it is something else or
// negative.
func positive(e element) *big.Int {
	if e.tag != tagInteger || len(e.body) == 0 || e.body[0]&0x80 != 0 {
		return nil
	}
	return new(big.Int).SetBytes(e.body)
}
