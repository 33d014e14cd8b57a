package hostile_test

import (
	"bytes"
	"math/big"
	"strings"
)

const noParse = "the certificate does not parse"

// certificateForms are files that are refused before a rule can judge them, and
// some that look odd and do no harm.
var certificateForms = []made{
	{"year-10000", noParse, timeForm + ": four digits", dated(tlv(0x18, []byte("100000101000000Z"))), nil},
	{"month-13", noParse, timeForm, dated(tlv(0x17, []byte("281301000000Z"))), nil},
	{"february-30", noParse, timeForm, dated(tlv(0x17, []byte("280230000000Z"))), nil},
	{"time-without-seconds", noParse, "RFC 5280, section 4.1.2.5.1: seconds are given",
		dated(tlv(0x17, []byte("2811010000Z"))), nil},
	{"time-with-offset", noParse, "RFC 5280, section 4.1.2.5.1: in Zulu",
		dated(tlv(0x17, []byte("281101000000+0100"))), nil},
	{"time-with-fraction", noParse, "RFC 5280, section 4.1.2.5.2: no fractions",
		dated(tlv(0x18, []byte("20281101000000.5Z"))), nil},
	{"time-empty", noParse, timeForm, dated(tlv(0x17)), nil},
	{"generalized-time-before-2050", "", "RFC 5280, section 4.1.2.5: UTCTime until 2049",
		dated(generalizedTime(begin.AddDate(2, 0, 0))), nil},
	{"path-length-of-a-leaf", "", "RFC 5280, section 4.2.1.9: only with CA:TRUE; nothing here trusts it to issue",
		extended(extension(oidBasicConstraints, true, sequence(small(3))), keyUsage(keyEncipherment)), nil},
	{"name-constraints-of-a-leaf", "", "RFC 5280, section 4.2.1.10: only of a CA; nothing here trusts it to issue",
		extended(basicConstraints(false), keyUsage(keyEncipherment),
			extension("2.5.29.30", true, sequence(tlv(0xa0, sequence(tlv(0x82, []byte("bank.example"))))))), nil},
	{"extended-key-usage-server", "", "RFC 5280, section 4.2.1.12; CAs put it into every certificate",
		extended(basicConstraints(false), keyUsage(keyEncipherment), extendedKeyUsage("1.3.6.1.5.5.7.3.1")), nil},
	{"signature-algorithms-differ", noParse, "RFC 5280, section 4.1.1.2",
		edited(func(b *blueprint) { b.outer = sequence(oid("1.2.840.113549.1.1.12"), null) }), nil},
	{"version-1-with-extensions", noParse, "RFC 5280, section 4.1.2.9: only in version 3",
		edited(func(b *blueprint) { b.version = nil }), nil},
	{"version-4", noParse, "RFC 5280, section 4.1.2.1", edited(func(b *blueprint) { b.version = tlv(0xa0, small(3)) }),
		nil},
	{"serial-negative", "the serial number of the certificate is negative", "RFC 5280, section 4.1.2.2",
		edited(func(b *blueprint) { b.serial = small(-5) }), nil},
	{"serial-non-minimal", noParse, "X.690, section 8.3.2",
		edited(func(b *blueprint) { b.serial = []byte{2, 3, 0, 0, 5} }), nil},
	{"extension-twice", noParse, "RFC 5280, section 4.2: each once",
		extended(basicConstraints(false), keyUsage(keyEncipherment), keyUsage(keyEncipherment)), nil},
	{"extension-boolean-odd", noParse, "X.690, section 11.1: TRUE is FF",
		extended(basicConstraints(false), keyUsage(keyEncipherment),
			sequence(oid("1.3.6.1.4.1.99999.2"), []byte{1, 1, 1}, octets(null))), nil},
	{"extensions-none-listed", noParse, "RFC 5280, section 4.1: at least one",
		edited(func(b *blueprint) { b.extensions = [][]byte{} }), nil},
	{"names-10000", "rule names", "CVE-2025-61729: work for each name",
		edited(func(b *blueprint) { b.extensions[2] = emails(many(10000)...) }), nil},
	{"subject-of-3000-parts", "more than 5000 elements", "CVE-2025-61729: work for each name",
		named(sequence(soundName()[2:], repeated(attribute(oidUnit, utf8Text("unit")), 3000))), nil},
	{"key-unknown-curve", "elliptic", "RFC 5639: brainpoolP256r1", func() []byte {
		return pems(withSPKI(sequence(sequence(oid("1.2.840.10045.2.1"), oid("1.3.36.3.3.2.8.1.1.7")),
			bits(append([]byte{4}, bytes.Repeat([]byte{7}, 64)...)))))
	}, nil},
	{"key-modulus-negative", noParse, "RFC 8017, section 3.1",
		func() []byte { k := sound(); k.n = new(big.Int).Neg(k.n); return pems(certificateOf(k)) }, nil},
	{"key-exponent-65-octets", noParse, "CVE-2023-29409", func() []byte {
		k := sound()
		k.e = new(big.Int).Lsh(one, 512)
		return pems(certificateOf(k))
	}, nil},

	{"common-name-nul", "", "CVE-2009-2408; nothing here matches names, what shows them must escape",
		named(nameWith(utf8Text("hostile.bank.example\x00.evil.example"))), nil},
	{"common-name-escape-codes", "", "CWE-150: it would draw on the terminal of who looks",
		named(nameWith(utf8Text("\x1b[2J\x1b[31mbank.example\r\nApproved"))), nil},
	{"common-name-bidi", "", "CVE-2021-42574: it shows another order than it has",
		named(nameWith(utf8Text("bank\u202eelpmaxe.live\u202c"))), nil},
	{"common-name-100000", "", "RFC 5280, appendix A.1: at most 64 characters; what shows it must cut it",
		named(nameWith(utf8Text(strings.Repeat("bank", 25000)))), nil},
	{"common-name-printable-with-star", noParse, "X.680, section 41.4: not in PrintableString",
		named(nameWith(tlv(0x13, []byte("*@bank.example")))), nil},
	{"common-name-bad-utf-8", noParse, "RFC 3629", named(nameWith(utf8Text("bank\xff\xfe"))), nil},

	{"non-minimal-length", noParse, "X.690, section 10.1", func() []byte {
		inner := body(soundCertificate())
		return append([]byte{0x30, 0x83, 0, byte(len(inner) >> 8), byte(len(inner))}, inner...)
	}, nil},
	{"indefinite-length", noParse, "X.690, section 10.1: BER", func() []byte { return indefinite(soundCertificate()) },
		nil},
	{"indefinite-length-pkcs7", "", "X.690, section 8.1.3.6; mail gateways write it around whole certificates",
		func() []byte { return indefinite(signedData(soundCertificate())) }, nil},
	{"trailing-der", "something else follow", "X.690", func() []byte { return append(soundCertificate(), '\n') }, nil},
	{"trailing-pem", "something else follow", "RFC 7468, section 3",
		func() []byte { return pems(append(soundCertificate(), 5, 0)) }, nil},
	{"trailing-in-tbs", noParse, "RFC 5280, section 4.1: extensions are the last",
		edited(func(b *blueprint) { b.afterExtensions = null }), nil},
	{"trailing-after-signature", noParse, "RFC 5280, section 4.1: three parts", func() []byte {
		return pems(sequence(body(soundCertificate()), null))
	}, nil},
	{"size-one-million", "", "read within bounds: one extension of a million octets", func() []byte {
		b := soundBlueprint()
		b.extensions = append(b.extensions, extension("1.3.6.1.4.1.99999.2", false, octets(make([]byte, 1_000_000))))
		return b.selfSigned()
	}, note("whether so large a certificate should be taken at all is open")},
	{"size-over-one-mebibyte", "at most 1048576 are read", "Sealane's limit: no honest file is as large",
		func() []byte {
			return pems(soundCertificate(), bytes.Repeat([]byte{0}, 800_000))
		}, nil},
	{"nested-1000", "nested more than", "a recursive reader needs a call for each level",
		func() []byte { return nested(1000) }, nil},
	{"nested-1000-in-name", "nested more than", "a recursive reader needs a call for each level",
		named(sequence(nested(1000))), nil},
	{"nested-indefinite-100000", "nested more than", "X.690, section 8.1.3.6: two octets a level",
		func() []byte { return bytes.Repeat([]byte{0x30, 0x80}, 100_000) }, nil},
	{"claims-a-gigabyte", "the ASN.1 says", "X.690, section 8.1.3: a small file that claims to be large",
		func() []byte { return append([]byte{0x30, 0x84, 0x3f, 0xff, 0xff, 0xff}, soundCertificate()[4:]...) }, nil},
	{"claims-more", "over a gigabyte", "X.690, section 8.1.3",
		func() []byte { return append([]byte{0x30, 0x84, 0xff, 0xff, 0xff, 0xff}, soundCertificate()[4:]...) }, nil},
	{"length-of-nine-octets", "more than four octets", "X.690, section 8.1.3.5", func() []byte {
		return pemBlock("CERTIFICATE",
			append([]byte{0x30, 0x89, 1, 0, 0, 0, 0, 0, 0, 0, 0}, soundCertificate()[4:]...))
	}, nil},
	{"inner-longer-than-outer", "longer than the outer one", "X.690, section 8.1.3", func() []byte {
		der := soundCertificate()
		der[7] = 0xff
		der[6] = 0xff
		return der
	}, nil},

	{"two-leaves-pkcs7", "2 certificates of end entities", "CVE-2024-24783: it is not clear which one counts",
		func() []byte { return signedData(soundCertificate(), certificateOf(otherPair())) }, nil},
	{"two-leaves-pem", "2 certificates of end entities", "CVE-2024-24783: it is not clear which one counts",
		func() []byte { return pems(soundCertificate(), certificateOf(otherPair())) }, nil},
	{"pkcs7-without-certificates", "holds no certificate", "RFC 5652, section 5.1",
		func() []byte { return signedData() }, nil},
	{"pkcs7-without-certificates-pem", "holds no certificate", "RFC 5652, section 5.1",
		func() []byte { return pemBlock("PKCS7", signedData()) }, nil},
	{"pkcs7-of-data", "the PKCS#7", "RFC 5652, section 4: not signed-data",
		func() []byte { return contentInfo(soundCertificate()) }, nil},
	{"pkcs7-garbage-second", "the PKCS#7", "RFC 5652, section 10.2.2",
		func() []byte { return []byte(std64(signedData(soundCertificate(), sequence(small(1), small(2))))) }, nil},
	{"pkcs7-17-certificates", "17 certificates", "Sealane's limit: at most 16", func() []byte {
		all := [][]byte{withSPKI(sound().spki())}
		for i := range 16 {
			all = append(all, authority("CA "+string(rune('A'+i)), "Root"))
		}
		return signedData(all...)
	}, nil},
	{"chain-unordered", "", "RFC 8446, section 4.4.2: old senders' order", func() []byte {
		return pems(authority("Root", "Root"), authority("Hostile CA", "Root"), withSPKI(sound().spki()))
	}, nil},
	{"chain-with-a-stranger", "", "a CA that nobody asked for", func() []byte {
		return pems(withSPKI(sound().spki()), authority("Hostile CA", "Root"), authority("Stranger", "Stranger"))
	}, nil},
	{"chain-of-another-issuer", "", "RFC 5280, section 6.1.3: issuer and subject differ",
		func() []byte {
			return pems(withSPKI(sound().spki()), authority("Another CA", "Another CA"))
		}, nil},
	{"chain-without-leaf", "all of CAs", "the chain was sent without its certificate",
		func() []byte { return pems(authority("Hostile CA", "Root"), authority("Root", "Root")) }, nil},
	{"chain-in-a-circle", "",
		"RFC 5280, section 6.1: two CAs that issued each other; names make the order, each is used once",
		func() []byte {
			return pems(withSPKI(sound().spki()), authority("Hostile CA", "Second CA"),
				authority("Second CA", "Hostile CA"))
		}, nil},
	{"issuer-differs-in-self-signed", "",
		"RFC 5280, section 3.2: then it is not self-signed, and trust comes from its checksum",
		edited(func(b *blueprint) { b.issuer = caName("Nobody") }), nil},
}
