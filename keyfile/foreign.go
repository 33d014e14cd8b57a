package keyfile

import (
	"bytes"
	"errors"
	"unicode/utf8"
)

// foreignForm returns an error for a key that is not in PEM and in the format of another program,
// with the way to convert it.
func foreignForm(data []byte) error {
	var s search
	s.microsoft(data)
	switch {
	case bytes.HasPrefix(data, []byte{0x1e, 0xf1, 0xb5, 0xb0}):
		return errors.New("this is a private key in Microsoft's form (PVK): " +
			"convert it with openssl rsa -inform PVK -in OLD -out key.pem")
	case len(s.found) > 0:
		return errors.New("this is a private key in Microsoft's form: " +
			"convert it with openssl rsa -inform MSBLOB -in OLD -out key.pem")
	case bytes.Contains(data, []byte("PuTTY-User-Key-File-")):
		return errors.New("this is a private key of PuTTY, not PEM, DER, PKCS#12 or JWK: " +
			"convert it with puttygen OLD -O private-openssh -o COPY, and then ssh-keygen -p -m PKCS8 -f COPY")
	case privateExponent(data) >= 0:
		return errors.New("this is what a program printed of a private key, not PEM, DER, PKCS#12 or JWK: " +
			"use the file that it was printed of")
	}
	return nil
}

func fromLatin1(octets []byte) (text []byte) {
	for _, octet := range octets {
		text = utf8.AppendRune(text, rune(octet))
	}
	return text
}
