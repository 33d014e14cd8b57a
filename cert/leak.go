package cert

import (
	"bytes"
	"crypto"
	"crypto/x509"
)

// PrivateKeyError says that a file which should be public holds a private key.
// It never holds the key.
type PrivateKeyError struct {
	Kind            string // what was found, in words
	PublicKeySHA256 string // SHA-256 of the SubjectPublicKeyInfo in hexadecimal, or empty if the file does not prove whose private part it is
}

func (e *PrivateKeyError) Error() string {
	which := "which key it is cannot be seen from outside"
	if e.PublicKeySHA256 != "" {
		which = "SHA-256 of its public key " + e.PublicKeySHA256
	}
	return "the file holds " + e.Kind + " (" + which + "): a private key never leaves its owner; treat it as compromised, make a new pair, and send only the new certificate"
}

// refusePrivateText finds a private key in text, in any place and however
// damaged the rest is.
func refusePrivateText(text []byte) error {
	if label, from := privateLabel(text); label != "" {
		return privateBlock(from, label)
	}
	if bytes.Contains(text, []byte("PuTTY-User-Key-File-")) {
		return &PrivateKeyError{Kind: "a PuTTY private key"}
	}
	if e := privateJSON(text); e != nil {
		return e
	}
	if privateXML(text) {
		return &PrivateKeyError{Kind: "an RSA private key in XML"}
	}
	if k, der := privateBase64(text); k != kindUnknown {
		return privateKeyError(k, der)
	}
	return nil
}

// refusePrivateDER finds a private key among the parts of DER, such as the
// certificates of a PKCS#7 or what follows a certificate. A PKCS#12 is left to
// its own reader: it has parts that are encrypted like keys.
func refusePrivateDER(der []byte) error {
	if recognise(der) == kindPKCS12 {
		return nil
	}
	elements := 0
	if k, key := privatePart(der, 0, &elements); k != kindUnknown {
		return privateKeyError(k, key)
	}
	return nil
}

// privateBlock takes the text from the BEGIN line of a private key on.
func privateBlock(text []byte, label string) error {
	e := &PrivateKeyError{Kind: "a private key in PEM (" + label + ")"}
	blocks, err := pemBlocks(text)
	if err != nil {
		return e
	}
	tried := 0
	for _, b := range blocks {
		der := b.bytes()
		k := recognise(der)
		if k.private() == "" {
			continue
		}
		if tried++; tried > mostProven {
			break
		}
		if e.PublicKeySHA256 = publicOf(k, der); e.PublicKeySHA256 != "" {
			break
		}
	}
	return e
}

func privateKeyError(k kind, der []byte) error {
	return &PrivateKeyError{Kind: k.private(), PublicKeySHA256: publicOf(k, der)}
}

// publicOf names the public key that belongs to the private part of an
// unencrypted key, or returns "".
func publicOf(k kind, der []byte) string {
	if len(der) > maxKeyDER {
		return ""
	}
	var key any
	var err error
	switch k {
	case kindPKCS8:
		if pkcs1 := pkcs1In(der); pkcs1 != nil {
			return pkcs1Numbers(pkcs1).owner()
		}
		key, err = x509.ParsePKCS8PrivateKey(der) // of other kinds it computes the public key
	case kindPKCS1:
		return pkcs1Numbers(der).owner()
	case kindSEC1:
		key, err = x509.ParseECPrivateKey(der)
	default:
		return ""
	}
	owner, ok := key.(interface{ Public() crypto.PublicKey })
	if err != nil || !ok {
		return ""
	}
	return spkiSHA256(owner.Public())
}
