package lanes

import (
	"bytes"
	"crypto/sha256"
	"fmt"

	"golang.org/x/crypto/cryptobyte"
	"golang.org/x/crypto/cryptobyte/asn1"
)

// Check returns a [DamagedRow] if the parts of the row contradict each other: the public
// key must have the row's checksum and be that of the certificate, which must have its own
// checksum of the row. This detects a change of only those parts that a lane uses.
func (c Certificate) Check() error {
	damaged := func(why string) error {
		return &DamagedRow{Row: fmt.Sprintf("certificate %q", c.ID), Table: "certificate", ID: c.ID, Why: why}
	}
	switch {
	case !hasSum(c.SPKI, c.SPKISHA256):
		return damaged(otherSum)
	case !hasSum(c.DER, c.SHA256):
		return damaged("its certificate does not have the checksum of the row")
	case !bytes.Equal(publicKeyOf(c.DER), c.SPKI):
		return damaged("its public key is not that of its certificate")
	}
	return nil
}

// Check returns a [DamagedRow] if the public key does not have the row's checksum.
func (k KeyPair) Check() error {
	if hasSum(k.SPKI, k.SPKISHA256) {
		return nil
	}
	return &DamagedRow{Row: fmt.Sprintf("key pair %q", k.ID), Table: "key_pair", ID: k.ID, Why: otherSum}
}

const otherSum = "its public key does not have the checksum of the row"

func hasSum(data, sum []byte) bool {
	is := sha256.Sum256(data)
	return bytes.Equal(is[:], sum)
}

// publicKeyOf returns the SubjectPublicKeyInfo of a certificate, or nil. It parses as
// little as possible, because it is called for all lanes at once.
func publicKeyOf(der []byte) []byte {
	var certificate, signed, spki cryptobyte.String
	in := cryptobyte.String(der)
	if !in.ReadASN1(&certificate, asn1.SEQUENCE) || !certificate.ReadASN1(&signed, asn1.SEQUENCE) ||
		!signed.SkipOptionalASN1(asn1.Tag(0).Constructed().ContextSpecific()) || // version
		!signed.SkipASN1(asn1.INTEGER) { // serial number
		return nil
	}
	for range 4 { // signature, issuer, validity, subject
		if !signed.SkipASN1(asn1.SEQUENCE) {
			return nil
		}
	}
	if !signed.ReadASN1Element(&spki, asn1.SEQUENCE) {
		return nil
	}
	return spki
}
