package hostile_test

import (
	"bytes"
	"crypto"
	"time"

	"github.com/sealane/sealane/internal/hostile"
)

// checkTime is when the certificates of the corpus are checked.
var checkTime = time.Date(2026, 11, 21, 12, 0, 0, 0, time.UTC)

var begin = time.Date(2026, 11, 1, 0, 0, 0, 0, time.UTC)

// blueprint is a certificate (RFC 5280, section 4.1) in parts of DER, so that
// each can be wrong by itself.
type blueprint struct {
	version, serial, algorithm []byte
	issuer, validity, subject  []byte
	spki                       []byte
	extensions                 [][]byte
	afterExtensions            []byte
	outer                      []byte // algorithm next to the signature; nil: the same
	hash                       crypto.Hash
}

var sha256WithRSA = sequence(oid("1.2.840.113549.1.1.11"), null)

const (
	oidKeyUsage         = "2.5.29.15"
	oidAlternativeNames = "2.5.29.17"
	oidBasicConstraints = "2.5.29.19"
	oidExtendedKeyUsage = "2.5.29.37"
	oidCommonName       = "2.5.4.3"
	oidOrganization     = "2.5.4.10"
	oidUnit             = "2.5.4.11"
)

// The bits of keyUsage (RFC 5280, section 4.2.1.3), in its first octet.
const (
	digitalSignature = 0x80
	keyEncipherment  = 0x20
	keyCertSign      = 0x04
	crlSign          = 0x02
)

// soundBlueprint passes every rule of rdx: it is the certificate before the fault.
func soundBlueprint() blueprint {
	return blueprint{
		version: tlv(0xa0, small(2)), serial: small(0x51ea1a4e), algorithm: sha256WithRSA, hash: crypto.SHA256,
		issuer: soundName(), subject: soundName(), validity: validity(begin, begin.AddDate(2, 0, 0)),
		spki:       sound().spki(),
		extensions: [][]byte{basicConstraints(false), keyUsage(keyEncipherment), emails("keys@bank.example")},
	}
}

func (b blueprint) tbs() []byte {
	parts := [][]byte{b.version, b.serial, b.algorithm, b.issuer, b.validity, b.subject, b.spki}
	if b.extensions != nil {
		parts = append(parts, tlv(0xa3, sequence(b.extensions...)))
	}
	return sequence(append(parts, b.afterExtensions)...)
}

func (b blueprint) signedBy(k pair) []byte {
	outer := b.outer
	if outer == nil {
		outer = b.algorithm
	}
	tbs := b.tbs()
	return sequence(tbs, outer, bits(k.sign(b.hash, tbs)))
}

func (b blueprint) selfSigned() []byte { return b.signedBy(sound()) }

// issued is signed by a CA, so that no rule looks at the signature.
func (b blueprint) issued() []byte {
	b.issuer = caName("Hostile CA")
	return b.signedBy(issuing())
}

func soundCertificate() []byte { return soundBlueprint().selfSigned() }

// certificateOf is sound but for its key.
func certificateOf(k pair) []byte { return withSPKI(k.spki()) }

func withSPKI(spki []byte) []byte {
	b := soundBlueprint()
	b.spki = spki
	return b.issued()
}

// authority is the certificate of a CA with the key of all CAs here.
func authority(name, issuer string) []byte {
	b := soundBlueprint()
	b.subject, b.issuer, b.spki = caName(name), caName(issuer), issuing().spki()
	b.extensions = [][]byte{basicConstraints(true), keyUsage(keyCertSign)}
	return b.signedBy(issuing())
}

func attribute(kind string, value []byte) []byte { return setOf(sequence(oid(kind), value)) }

func soundName() []byte { return nameWith(utf8Text("hostile.bank.example")) }

func nameWith(commonName []byte) []byte {
	return sequence(attribute(oidOrganization, utf8Text("Hostile Bank")), attribute(oidUnit, utf8Text("Key Team")),
		attribute(oidCommonName, commonName))
}

func caName(name string) []byte {
	return sequence(attribute(oidOrganization, utf8Text("Hostile CA")), attribute(oidCommonName, utf8Text(name)))
}

// validity writes each time as RFC 5280, section 4.1.2.5, wants it.
func validity(from, to time.Time) []byte {
	form := func(t time.Time) []byte {
		if t.Year() < 2050 {
			return utcTime(t)
		}
		return generalizedTime(t)
	}
	return sequence(form(from), form(to))
}

func extension(kind string, critical bool, value []byte) []byte {
	if critical {
		return sequence(oid(kind), []byte{1, 1, 0xff}, octets(value))
	}
	return sequence(oid(kind), octets(value))
}

func basicConstraints(ca bool) []byte {
	if ca {
		return extension(oidBasicConstraints, true, sequence([]byte{1, 1, 0xff}))
	}
	return extension(oidBasicConstraints, true, sequence())
}

func keyUsage(usages byte) []byte {
	unused := byte(0)
	for usages != 0 && usages>>unused&1 == 0 {
		unused++
	}
	return extension(oidKeyUsage, true, tlv(0x03, []byte{unused, usages}))
}

func emails(addresses ...string) []byte {
	var names [][]byte
	for _, a := range addresses {
		names = append(names, tlv(0x81, []byte(a)))
	}
	return extension(oidAlternativeNames, false, sequence(names...))
}

func extendedKeyUsage(purposes ...string) []byte {
	var list [][]byte
	for _, p := range purposes {
		list = append(list, oid(p))
	}
	return extension(oidExtendedKeyUsage, false, sequence(list...))
}

// edited is a self-signed certificate in PEM with one part changed.
func edited(change func(*blueprint)) func() []byte {
	return func() []byte {
		b := soundBlueprint()
		change(&b)
		return pemBlock("CERTIFICATE", b.selfSigned())
	}
}

// valid is one with other dates.
func valid(from, to time.Time) func() []byte {
	return edited(func(b *blueprint) { b.validity = validity(from, to) })
}

// dated is one whose last day is written in a form of its own.
func dated(to []byte) func() []byte {
	return edited(func(b *blueprint) { b.validity = sequence(utcTime(begin), to) })
}

// extended is one with other extensions than the mail address.
func extended(extensions ...[]byte) func() []byte {
	return edited(func(b *blueprint) { b.extensions = append(extensions, emails("keys@bank.example")) })
}

func named(name []byte) func() []byte {
	return edited(func(b *blueprint) { b.subject, b.issuer = name, name })
}

// signedData is a PKCS#7 without signers (RFC 5652, section 5.1).
func signedData(certificates ...[]byte) []byte {
	var list []byte
	if len(certificates) > 0 {
		list = tlv(0xa0, certificates...)
	}
	return sequence(oid("1.2.840.113549.1.7.2"),
		tlv(0xa0, sequence(small(1), setOf(), sequence(oid("1.2.840.113549.1.7.1")), list, setOf())))
}

func pems(certificates ...[]byte) []byte {
	var out []byte
	for _, c := range certificates {
		out = append(out, pemBlock("CERTIFICATE", c)...)
	}
	return out
}

// indefinite returns the outermost element the indefinite length of BER.
func indefinite(der []byte) []byte {
	return append(append([]byte{0x30, 0x80}, body(der)...), 0, 0)
}

// body cuts off the header of an element.
func body(der []byte) []byte {
	if der[1] < 0x80 {
		return der[2:]
	}
	return der[2+der[1]&0x7f:]
}

func nested(levels int) []byte {
	var b []byte
	for range levels {
		b = sequence(b)
	}
	return b
}

func ofProfile(name string) func(*hostile.File) {
	return func(f *hostile.File) { f.Profile = name }
}

// also names the rules that refuse for the same fault.
func also(rules ...string) func(*hostile.File) {
	return func(f *hostile.File) { f.Also = rules }
}

func crl() []byte {
	tbs := sequence(small(1), sha256WithRSA, caName("Hostile CA"), utcTime(begin), utcTime(begin.AddDate(0, 1, 0)))
	return sequence(tbs, sha256WithRSA, bits(issuing().signSHA256(tbs)))
}

// flipped has one bit changed, at a place counted from the end.
func flipped(der []byte, fromEnd int) []byte {
	out := bytes.Clone(der)
	out[len(out)-fromEnd] ^= 1
	return out
}
