package hostile_test

import (
	"crypto"
	"crypto/x509"
	"fmt"
	"math/big"
	"time"
)

const (
	timeForm  = "RFC 5280, section 4.1.2.5"
	twoYears  = "vendors' specifications (RiskOS, VCAS RDX): at most two years"
	usageForm = "RFC 5280, section 4.2.1.3"
)

// certificateRules are certificates that parse; a rule judges them.
var certificateRules = []made{
	{"expired", "rule validity-now", timeForm, valid(begin.AddDate(-3, 0, 0), begin.AddDate(-1, 0, 0)), nil},
	{"not-yet-valid", "rule validity-now", timeForm,
		valid(time.Date(2300, 1, 1, 0, 0, 0, 0, time.UTC), time.Date(2302, 1, 1, 0, 0, 0, 0, time.UTC)), nil},
	{"valid-in-20-days", "warn validity-now", timeForm + "; a renewal is made ahead of time",
		valid(checkTime.AddDate(0, 0, 20), checkTime.AddDate(2, 0, 20)), nil},
	{"ends-before-it-begins", "rule validity-length", timeForm,
		valid(checkTime.AddDate(0, 0, 20), checkTime.AddDate(0, 0, 10)), nil},
	{"ten-years", "rule validity-length", twoYears, valid(begin, begin.AddDate(10, 0, 0)), nil},
	{"two-years-and-a-second", "rule validity-length", twoYears, valid(begin, begin.AddDate(2, 0, 0).Add(time.Second)),
		nil},
	{"zero-seconds", "warn validity-length", timeForm + ": the end is inclusive", valid(checkTime, checkTime), nil},
	{"year-9999", "rule validity-length", timeForm + ": no well-defined end",
		valid(begin, time.Date(9999, 12, 31, 23, 59, 59, 0, time.UTC)), nil},
	{"year-2050-in-two-digits", "rule validity-length", "RFC 5280, section 4.1.2.5.1: 50 is 1950",
		dated(tlv(0x17, []byte("500101000000Z"))), also("validity-now")},
	{"ca-true-issued", "rule not-ca", "CVE-2024-24783 and before it: a CA's certificate in the place of a leaf",
		func() []byte {
			b := soundBlueprint()
			b.extensions[0] = basicConstraints(true)
			return pems(b.issued())
		}, nil},
	{"ca-true-self-signed", "warn not-ca", "what openssl req -x509 makes unless told otherwise",
		extended(basicConstraints(true), keyUsage(keyEncipherment)), nil},
	{"key-usage-missing-rdx", "rule key-usage", usageForm, extended(basicConstraints(false)), nil},
	{"key-usage-missing-riskos", "warn key-usage", usageForm, extended(basicConstraints(false)), ofProfile("riskos")},
	{"key-usage-empty", "rule key-usage", usageForm + ": at least one bit",
		extended(basicConstraints(false), keyUsage(0)), nil},
	{"key-usage-cert-sign", "rule key-usage", usageForm,
		extended(basicConstraints(false), keyUsage(keyEncipherment|keyCertSign)), nil},
	{"key-usage-crl-sign-riskos", "rule key-usage", usageForm,
		extended(basicConstraints(false), keyUsage(digitalSignature|keyEncipherment|crlSign)), ofProfile("riskos")},
	{"key-usage-signature-only-rdx", "rule key-usage", usageForm + "; vendor's specification (VCAS RDX)",
		extended(basicConstraints(false), keyUsage(digitalSignature)), nil},
	{"key-usage-encipherment-only-riskos", "rule key-usage", usageForm + "; vendor's specification (RiskOS)",
		extended(basicConstraints(false), keyUsage(keyEncipherment)), ofProfile("riskos")},
	{"key-usage-signature-only-riskos", "rule key-usage", usageForm + "; vendor's specification (RiskOS)",
		extended(basicConstraints(false), keyUsage(digitalSignature)), ofProfile("riskos")},
	{"key-usage-more-than-needed", "warn key-usage", usageForm + "; one key, one use",
		extended(basicConstraints(false), keyUsage(digitalSignature|keyEncipherment)), nil},
	{"extended-key-usage-code-signing", "warn extended-key-usage", "RFC 5280, section 4.2.1.12",
		extended(basicConstraints(false), keyUsage(keyEncipherment), extendedKeyUsage("1.3.6.1.5.5.7.3.3")), nil},
	{"extended-key-usage-unknown", "warn extended-key-usage", "RFC 5280, section 4.2.1.12",
		extended(basicConstraints(false), keyUsage(keyEncipherment), extendedKeyUsage("1.3.6.1.4.1.99999.1")), nil},
	{"critical-unknown-extension", "rule critical-extension", "RFC 5280, section 4.2: must be rejected",
		extended(basicConstraints(false), keyUsage(keyEncipherment), extension("1.3.6.1.4.1.99999.2", true, null)),
		nil},
	{"signature-sha1", "rule signature-algorithm", "RFC 8017, appendix B.1; SHAttered, 2017",
		edited(func(b *blueprint) {
			b.algorithm, b.hash = sequence(oid("1.2.840.113549.1.1.5"), null), crypto.SHA1
		}), nil},
	{"signature-md5", "rule signature-algorithm", "RFC 6151; the forged CA of 2008", edited(func(b *blueprint) {
		b.algorithm, b.hash = sequence(oid("1.2.840.113549.1.1.4"), null), crypto.MD5
	}), nil},
	{"signature-unknown-algorithm", "rule signature-algorithm", "RFC 5280, section 4.1.1.2",
		edited(func(b *blueprint) { b.algorithm = sequence(oid("1.3.6.1.4.1.99999.3"), null) }), nil},
	{"signature-altered", "rule issuer", "RFC 5280, section 6.1.3",
		func() []byte { return pems(flipped(soundCertificate(), 20)) }, nil},
	{"signature-by-another-key", "rule issuer", "RFC 5280, section 6.1.3",
		func() []byte { return pems(soundBlueprint().signedBy(otherPair())) }, nil},
	{"signature-empty", "rule issuer", "RFC 5280, section 4.1.1.3", func() []byte {
		b := soundBlueprint()
		return pems(sequence(b.tbs(), b.algorithm, bits(nil)))
	}, nil},
	{"text-altered-after-signing", "rule issuer", "RFC 5280, section 6.1.3", func() []byte {
		b := soundBlueprint()
		signature := bits(b.hashSigned())
		b.serial = small(0x51ea1a4f)
		return pems(sequence(b.tbs(), b.algorithm, signature))
	}, nil},
	{"version-1", "warn key-usage", "RFC 5280, section 4.1.2.1: without extensions it says nothing of its use",
		edited(func(b *blueprint) {
			b.version, b.extensions = nil, nil
		}), ofProfile("riskos")},
	{"serial-zero", "rule serial", "RFC 5280, section 4.1.2.2", edited(func(b *blueprint) { b.serial = small(0) }),
		nil},
	{"serial-21-octets", "rule serial", "RFC 5280, section 4.1.2.2",
		edited(func(b *blueprint) { b.serial = integer(new(big.Int).Lsh(one, 160)) }), nil},
	{"serial-20-octets-and-a-sign", "rule serial", "RFC 5280, section 4.1.2.2: the zero octet of the sign counts",
		edited(func(b *blueprint) { b.serial = integer(new(big.Int).Lsh(one, 159)) }), nil},
	{"names-101", "rule names", "CVE-2025-61729: work for each name",
		edited(func(b *blueprint) { b.extensions[2] = emails(many(101)...) }), nil},
	{"subject-of-200-parts", "rule names", "CVE-2025-61729: work for each name",
		named(sequence(soundName()[2:], repeated(attribute(oidUnit, utf8Text("unit")), 200))), nil},
	{"subject-empty", "rule common-name", "RFC 5280, section 4.1.2.6", func() []byte {
		b := soundBlueprint()
		b.subject = sequence()
		b.extensions[1] = keyUsage(digitalSignature | keyEncipherment)
		return pems(b.issued())
	}, ofProfile("riskos")},
	{"common-name-missing", "rule common-name", "vendor's specification (VCAS RDX)",
		named(sequence(attribute(oidOrganization, utf8Text("Hostile Bank")),
			attribute(oidUnit, utf8Text("Key Team")))), nil},
	{"common-name-blank", "rule common-name", "vendor's specification (VCAS RDX)", named(nameWith(utf8Text("   "))),
		nil},
	{"organization-missing", "rule organization", "vendor's specification (VCAS RDX)",
		named(sequence(attribute(oidUnit, utf8Text("Key Team")),
			attribute(oidCommonName, utf8Text("hostile.bank.example")))), nil},
	{"unit-missing", "rule unit", "vendor's specification (VCAS RDX)",
		named(sequence(attribute(oidOrganization, utf8Text("Hostile Bank")),
			attribute(oidCommonName, utf8Text("hostile.bank.example")))), nil},
	{"email-missing", "rule email", "vendor's specification (VCAS RDX)",
		edited(func(b *blueprint) { b.extensions = b.extensions[:2] }), nil},
	{"email-malformed", "rule email", "RFC 5280, section 4.2.1.6: a mailbox of RFC 5321",
		edited(func(b *blueprint) { b.extensions[2] = emails("keys at bank dot example") }), nil},
	{"email-with-a-line-break", "rule email", "CWE-93: a header of the renewal mail",
		edited(func(b *blueprint) { b.extensions[2] = emails("keys@bank.example\r\nBcc: thief@evil.example") }), nil},
	{"key-ec", "rule key-type", onlyRSA,
		func() []byte { return pems(withSPKI(must(x509.MarshalPKIXPublicKey(&ecKey().PublicKey)))) }, nil},
	{"key-rsa-pss", "rule key-type", "RFC 4055, section 1.2", func() []byte {
		return pems(withSPKI(sequence(sequence(oid("1.2.840.113549.1.1.10")), bits(sound().publicPKCS1()))))
	}, nil},
	{"key-1024", "rule key-size", ownSizes, func() []byte { return pems(certificateOf(sized(512, 512))) },
		also("weak-key")},
	{"key-2047", "rule key-size", ownSizes, func() []byte { return pems(certificateOf(sized(1024, 1023))) },
		also("weak-key")},
	{"key-8192", "rule key-size", "CVE-2023-29409: the cost of large keys",
		func() []byte { return pems(certificateOf(hugePair())) }, also("weak-key")},
	{"key-exponent-1", "rule exponent", "CVE-2013-2228", func() []byte { return pems(certificateOf(exponentPair(1))) },
		also("weak-key")},
	{"key-exponent-3", "rule exponent", "CVE-2006-4339", func() []byte { return pems(certificateOf(exponentPair(3))) },
		also("weak-key")},
	{"key-roca", "rule weak-key", "CVE-2017-15361", func() []byte { return pems(certificateOf(rocaPair())) }, nil},
	{"key-close-primes", "rule weak-key", "CVE-2022-26320", func() []byte { return pems(certificateOf(closePair())) },
		nil},
	{"key-small-factor", "rule weak-key", "RFC 8017, section 3.1",
		func() []byte { return pems(certificateOf(factorPair())) }, nil},
	{"key-equal-primes", "rule weak-key", "RFC 8017, section 3.1",
		func() []byte { return pems(certificateOf(squarePair())) }, nil},
}

func (b blueprint) hashSigned() []byte { return sound().sign(b.hash, b.tbs()) }

func many(n int) []string {
	var out []string
	for i := range n {
		out = append(out, fmt.Sprintf("keys-%d@bank.example", i))
	}
	return out
}

func repeated(b []byte, n int) []byte {
	var out []byte
	for range n {
		out = append(out, b...)
	}
	return out
}
