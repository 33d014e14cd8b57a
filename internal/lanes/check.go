package lanes

import (
	"bytes"
	"crypto/sha256"
	"fmt"
	"math/big"
	"time"

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

// parts are those parts of a certificate that snapshots need.
type parts struct {
	serial, validity, spki cryptobyte.String // spki is a whole element
}

// partsOf parses as little of a certificate as possible, because it is called for all lanes at once.
func partsOf(der []byte) (p parts, ok bool) {
	var certificate, signed cryptobyte.String
	in := cryptobyte.String(der)
	ok = in.ReadASN1(&certificate, asn1.SEQUENCE) && certificate.ReadASN1(&signed, asn1.SEQUENCE) &&
		signed.SkipOptionalASN1(asn1.Tag(0).Constructed().ContextSpecific()) && // version
		signed.ReadASN1(&p.serial, asn1.INTEGER) &&
		signed.SkipASN1(asn1.SEQUENCE) && // signature
		signed.SkipASN1(asn1.SEQUENCE) && // issuer
		signed.ReadASN1(&p.validity, asn1.SEQUENCE) &&
		signed.SkipASN1(asn1.SEQUENCE) && // subject
		signed.ReadASN1Element(&p.spki, asn1.SEQUENCE)
	return p, ok
}

// publicKeyOf returns the SubjectPublicKeyInfo of a certificate, or nil.
func publicKeyOf(der []byte) []byte {
	if p, ok := partsOf(der); ok {
		return p.spki
	}
	return nil
}

// validityOf returns the validity of a certificate. It is zero if it can't be read.
func validityOf(der []byte) (v Validity) {
	p, ok := partsOf(der)
	for _, at := range []*time.Time{&v.NotBefore, &v.NotAfter} {
		if p.validity.PeekASN1Tag(asn1.UTCTime) {
			ok = ok && p.validity.ReadASN1UTCTime(at)
		} else {
			ok = ok && p.validity.ReadASN1GeneralizedTime(at)
		}
	}
	if !ok {
		return Validity{}
	}
	v.Serial = new(big.Int).SetBytes(p.serial).Text(16)
	return v
}
