package hostile_test

import (
	"bytes"
	"crypto/ed25519"
	"crypto/rand"
	"crypto/x509"
	"math/big"
	"strings"

	"github.com/sealane/sealane/internal/hostile"
)

func both(edits ...func(*hostile.File)) func(*hostile.File) {
	return func(f *hostile.File) {
		for _, edit := range edits {
			edit(f)
		}
	}
}

const (
	onlyRSA        = "Sealane's choice: RSA only"
	blockedForGood = "a leaked key is blocked for good: made-up numbers must not get another's key blocked"
)

func dsaParameters() []byte { return sequence(integer(prime(1024)), integer(prime(160)), small(2)) }

// publicKeys are bare keys of partners.
var publicKeys = []made{
	{"public-1024-spki", "cert.ErrKeySize", ownSizes, func() []byte { return sized(512, 512).spkiPEM() }, nil},
	{"public-2047-pkcs1", "cert.ErrKeySize", ownSizes,
		func() []byte { return pemBlock("RSA PUBLIC KEY", sized(1024, 1023).publicPKCS1()) }, nil},
	{"public-2056-spki-der", "cert.ErrKeySize", ownSizes, func() []byte { return sized(1028, 1028).spki() }, nil},
	{"public-8192-spki", "cert.ErrKeySize", "CVE-2023-29409: the cost of large keys",
		func() []byte { return hugePair().spkiPEM() }, nil},
	{"public-65532-spki", "cert.ErrKeySize", "CVE-2023-29409: the cost of large keys", func() []byte {
		k := hugePair()
		k.n = new(big.Int).Exp(k.n, big.NewInt(8), nil)
		return k.spkiPEM()
	}, nil},
	{"public-exponent-1-spki", "cert.ErrKeyExponent", "CVE-2013-2228",
		func() []byte { return exponentPair(1).spkiPEM() }, nil},
	{"public-exponent-3-base64", "cert.ErrKeyExponent", "CVE-2006-4339",
		func() []byte { return []byte(std64(exponentPair(3).spki())) }, nil},
	{"public-exponent-65536-spki", "cert.ErrKeyExponent", "RFC 8017, section 3.1",
		func() []byte { return exponentPair(65536).spkiPEM() }, nil},
	{"public-exponent-2147483647-jwk", "cert.ErrKeyExponent", "CVE-2023-29409",
		func() []byte { return exponentPair(1<<31 - 1).publicJWK() }, nil},
	{"public-exponent-huge-jwk", "cert.ErrKeyExponent", "CVE-2023-29409; 64 octets do not fit into an int",
		func() []byte {
			return sound().publicJWK(text("e", url64(append(random(64), 1))))
		}, func(f *hostile.File) { f.Note = "65 octets" }},
	{"public-exponent-huge-spki", "exponent", "CVE-2023-29409; 65 octets do not fit into an int", func() []byte {
		k := sound()
		k.e = new(big.Int).SetBytes(append([]byte{1}, random(64)...))
		return k.spkiPEM()
	}, nil},
	{"public-exponent-zero-spki", "exponent", "RFC 8017, section 3.1",
		func() []byte { k := sound(); k.e = new(big.Int); return k.spkiPEM() }, nil},
	{"public-exponent-negative-pkcs1", "zero or negative value", "RFC 8017, section 3.1", func() []byte {
		k := sound()
		k.e = big.NewInt(-65537)
		return pemBlock("RSA PUBLIC KEY", k.publicPKCS1())
	}, nil},
	{"public-even-modulus-spki", "cert.ErrSmallFactor", "RFC 8017, section 3.1: primes are odd", func() []byte {
		k := sound()
		k.n = new(big.Int).Add(k.n, one)
		return k.spkiPEM()
	}, nil},
	{"public-small-factor-jwk", "cert.ErrSmallFactor", "RFC 8017, section 3.1",
		func() []byte { return factorPair().publicJWK() }, nil},
	{"public-roca-spki", "cert.ErrROCA", "CVE-2017-15361", func() []byte { return rocaPair().spkiPEM() }, nil},
	{"public-close-primes-spki", "cert.ErrClosePrimes", "CVE-2022-26320",
		func() []byte { return closePair().spkiPEM() }, nil},
	{"public-square-jwk", "cert.ErrClosePrimes", "RFC 8017, section 3.1: the primes are distinct",
		func() []byte { return squarePair().publicJWK() }, nil},
	{"public-modulus-negative-spki", "modulus", "RFC 8017, section 3.1", func() []byte {
		k := sound()
		k.n = new(big.Int).Neg(k.n)
		return k.spkiPEM()
	}, nil},
	{"public-modulus-zero-spki", "modulus", "RFC 8017, section 3.1",
		func() []byte { k := sound(); k.n = new(big.Int); return k.spkiPEM() }, nil},
	{"public-no-null-spki", "the public key does not parse", "RFC 3279, section 2.3.1: the parameters are NULL",
		func() []byte {
			return pemBlock("PUBLIC KEY", sequence(sequence(oid("1.2.840.113549.1.1.1")), bits(sound().publicPKCS1())))
		}, nil},
	{"public-trailing-spki", "the public key does not parse", "RFC 8017, appendix A.1.1: one RSAPublicKey",
		func() []byte {
			return pemBlock("PUBLIC KEY", sequence(rsaEncryption, bits(append(sound().publicPKCS1(), 5, 0))))
		}, nil},
	{"public-three-integers-pkcs1", "", "RFC 8017, appendix A.1.1: two integers", func() []byte {
		return pemBlock("RSA PUBLIC KEY", sequence(integer(sound().n), integer(sound().e), small(7)))
	}, func(f *hostile.File) { f.Level, f.Says = hostile.LevelRefused, "the public key does not parse" }},
	{"public-non-minimal-spki", "the public key does not parse", "X.690, section 8.3.2: the shortest integer",
		func() []byte {
			padded := tlv(0x02, []byte{0, 0}, sound().n.Bytes())
			return pemBlock("PUBLIC KEY", sequence(rsaEncryption, bits(sequence(padded, integer(sound().e)))))
		}, nil},
	{"public-ec-spki", "only RSA", onlyRSA,
		func() []byte { return pemBlock("PUBLIC KEY", must(x509.MarshalPKIXPublicKey(&ecKey().PublicKey))) }, nil},
	{"public-ed25519-spki", "only RSA", onlyRSA, func() []byte {
		pub, _, err := ed25519.GenerateKey(rand.Reader)
		return pemBlock("PUBLIC KEY", must(x509.MarshalPKIXPublicKey(must(pub, err))))
	}, nil},
	{"public-rsa-pss-spki", "the public key does not parse", "RFC 4055, section 1.2", func() []byte {
		return pemBlock("PUBLIC KEY", sequence(sequence(oid("1.2.840.113549.1.1.10")), bits(sound().publicPKCS1())))
	}, nil},
	{"public-dh-spki", "only RSA", "RFC 2631; RFC 3279, section 2.3.3", func() []byte {
		domain := sequence(integer(prime(1024)), small(2))
		return pemBlock("PUBLIC KEY",
			sequence(sequence(oid("1.2.840.113549.1.3.1"), domain), bits(integer(prime(1023)))))
	}, nil},
	{"dsa-parameters", "DSA PARAMETERS", "RFC 3279, section 2.3.2: p, q and g, three integers",
		func() []byte { return pemBlock("DSA PARAMETERS", dsaParameters()) }, nil},
	{"dsa-parameters-der", "DSA parameters", "RFC 3279, section 2.3.2: p, q and g, three integers", dsaParameters,
		nil},
	{"dh-parameters", "DH PARAMETERS", "PKCS#3, section 9: p and g, two integers, as an RSA public key has",
		func() []byte {
			return pemBlock("DH PARAMETERS", sequence(integer(prime(2048)), small(2)))
		}, nil},
	{"dh-parameters-der", "Diffie-Hellman parameters",
		"PKCS#3, section 9: p and g, two integers, as an RSA public key has", func() []byte {
			return sequence(integer(prime(2048)), small(2))
		}, nil},
	{"public-two", "two public keys", "it is not clear which one is meant",
		func() []byte { return append(sound().spkiPEM(), otherPair().spkiPEM()...) }, nil},
	{"public-ssh", "a public key of SSH", "RFC 4253, section 6.6", func() []byte {
		wire := func(b []byte) []byte { return append([]byte{0, 0, byte(len(b) >> 8), byte(len(b))}, b...) }
		blob := bytes.Join([][]byte{wire([]byte("ssh-rsa")), wire([]byte{1, 0, 1}),
			wire(append([]byte{0}, sound().n.Bytes()...))}, nil)
		return []byte("ssh-rsa " + std64(blob) + " hostile\n")
	}, nil},
	{"public-pgp", "a key or message of PGP", "RFC 9580, section 6.2", func() []byte {
		return []byte("-----BEGIN PGP PUBLIC KEY BLOCK-----\n\n" + std64(random(48)) +
			"\n=AbCd\n-----END PGP PUBLIC KEY BLOCK-----\n")
	}, nil},

	{"public-jwk-n-padded", `"n" is not base64url`, "RFC 7515, section 2: no padding", func() []byte {
		return sound().publicJWK(text("n", url64(sound().n.Bytes())+"=="))
	}, nil},
	{"public-jwk-n-line-breaks", `"n" is not base64url`,
		"RFC 7515, section 2: no line breaks; encoding/base64 passes over them", func() []byte {
			n := url64(sound().n.Bytes())
			return sound().publicJWK(text("n", n[:64]+`\n`+n[64:]))
		}, nil},
	{"public-jwk-n-standard-base64", `"n" is not base64url`, "RFC 7515, section 2: - and _", func() []byte {
		k := sound()
		b := append([]byte{0xfb, 0xff}, k.n.Bytes()[2:]...)
		return k.publicJWK(text("n", strings.TrimRight(std64(b), "=")))
	}, nil},
	{"public-jwk-n-leading-zero", `"n" is empty or begins with a zero octet`,
		jwkIntegers + ": Java's BigInteger writes one", func() []byte {
			return sound().publicJWK(text("n", url64(append([]byte{0}, sound().n.Bytes()...))))
		}, nil},
	{"public-jwk-n-number", `"n" is missing or is not a string`, jwkIntegers,
		func() []byte { return sound().publicJWK(member{"n", sound().n.String()}) }, nil},
	{"public-jwk-n-empty", `"n" is empty`, jwkIntegers, func() []byte { return sound().publicJWK(text("n", "")) },
		nil},
	{"public-jwk-n-long", `"n" is longer`, jwkIntegers,
		func() []byte { return sound().publicJWK(text("n", strings.Repeat("A", 100_000))) }, nil},
	{"public-jwk-e-number", `"e" is missing or is not a string`, jwkIntegers,
		func() []byte { return sound().publicJWK(member{"e", "65537"}) }, nil},
	{"public-jwk-e-spare-bits", `"e" is not base64url`, "RFC 4648, section 3.5: AQA and AQC would be one number",
		func() []byte { return sound().publicJWK(text("e", "AQC")) }, nil},
	{"public-jwk-kty-missing", `"kty" must be "RSA"`, "RFC 7517, section 4.1",
		func() []byte { return object(without(sound().publicMembers(), "kty")) }, nil},
	{"public-jwk-kty-null", `"kty" must be "RSA"`, "RFC 7517, section 4.1",
		func() []byte { return sound().publicJWK(member{"kty", "null"}) }, nil},
	{"public-jwk-kty-lower-case", `"kty" must be "RSA"`, "RFC 7517, section 4.1: values are case-sensitive",
		func() []byte { return sound().publicJWK(text("kty", "rsa")) }, nil},
	{"public-jwk-kty-ec", `"kty" must be "RSA"`, "RFC 7517, section 4.1",
		func() []byte { return sound().publicJWK(text("kty", "EC")) }, nil},
	{"public-jwk-use-contradicts", `"use" is "sig" and contradicts "alg"`, "RFC 7517, section 4.2", func() []byte {
		return sound().publicJWK(text("alg", "RSA-OAEP-256"), text("use", "sig"))
	}, nil},
	{"public-jwk-alg-other", `"alg" is "RSA1_5"`, "RFC 7518, section 4.2; Bleichenbacher 1998",
		func() []byte { return sound().publicJWK(text("alg", "RSA1_5")) }, nil},
	{"public-jwk-key-ops-contradict", `"key_ops" has "encrypt"`, "RFC 7517, section 4.3", func() []byte {
		return sound().publicJWK(text("use", "sig"), member{"key_ops", `["verify", "encrypt"]`})
	}, nil},
	{"public-jwk-key-ops-twice", `"key_ops" must list names, each once`, "RFC 7517, section 4.3", func() []byte {
		return sound().publicJWK(member{"key_ops", `["verify", "verify"]`})
	}, nil},
	{"public-jwk-key-ops-text", `"key_ops"`, "RFC 7517, section 4.3: an array",
		func() []byte { return sound().publicJWK(text("key_ops", "verify")) }, nil},
	{"public-jwk-kid-control", "printable", "RFC 7517, section 4.5; a key ID is written to logs",
		func() []byte { return sound().publicJWK(text("kid", `a\u001b[2Jb`)) }, nil},
	{"public-jwk-kid-number", `"kid" must be a string`, "RFC 7517, section 4.5",
		func() []byte { return sound().publicJWK(member{"kid", "7"}) }, nil},
	{"public-jwk-n-twice", "a member twice", "RFC 7517, section 4", func() []byte {
		return object(append(sound().publicMembers(), text("n", url64(otherPair().n.Bytes()))))
	}, nil},
	{"public-jwk-set-two", "2 keys", "RFC 7517, section 5",
		func() []byte { return jwkSet(sound().publicJWK(), otherPair().publicJWK()) }, nil},
	{"public-jwk-set-none", "no key", "RFC 7517, section 5", func() []byte { return jwkSet() }, nil},
	{"public-jwk-set-null", "not a key", "RFC 7517, section 5", func() []byte { return jwkSet([]byte("null")) }, nil},
	{"public-jwk-set-empty-object", `"kty" must be "RSA"`, "RFC 7517, section 5",
		func() []byte { return jwkSet([]byte("{}")) }, nil},
	{"public-jwk-set-object", "no key", "RFC 7517, section 5: keys is an array",
		func() []byte { return []byte(`{"keys": ` + string(sound().publicJWK()) + "}\n") }, nil},
	{"public-jwk-d-of-another", leak, blockedForGood, func() []byte {
		return sound().publicJWK(text("d", url64(otherPair().d.Bytes())))
	}, note("no key is named: d does not belong to n and e")},
	{"public-jwk-d-made-up", leak, blockedForGood, func() []byte {
		return sound().publicJWK(text("d", strings.Repeat("A", 342)))
	}, note("no key is named")},
	{"public-jwk-exponent-1-d-1", leak, blockedForGood, func() []byte {
		return sound().publicJWK(text("e", "AQ"), text("d", "AQ"))
	}, note("no key is named: under e = 1 every number is its own root")},
	{"public-jwk-p-n-q-1", leak, blockedForGood, func() []byte {
		return sound().publicJWK(text("p", url64(sound().n.Bytes())), text("q", "AQ"))
	}, note("no key is named: n divides n")},
	{"public-jwk-d-true", leak, "RFC 7517, section 9.2: n, e and d are a private key", func() []byte {
		return sound().publicJWK(text("d", url64(sound().d.Bytes())))
	}, note("the key is named")},
	{"public-jwk-k", "",
		"RFC 7518, section 6.4: k is of symmetric keys; RFC 7517, section 4: unknown members are ignored",
		func() []byte {
			return sound().publicJWK(text("k", url64(random(32))))
		}, nil},
	{"public-jwk-set-private-members-beside", leak, blockedForGood, func() []byte {
		meta := `"meta": {"d": "` + url64(otherPair().d.Bytes()) + `", "p": "` + url64(otherPair().p.Bytes()) + `"}`
		return []byte(`{"keys": [` + string(sound().publicJWK()) + "], " + meta + "}\n")
	}, note("no key is named")},
	{"public-jwk-set-private-second", leak, "RFC 7517, section 9.2; the private key hides behind a public one",
		func() []byte {
			return jwkSet(otherPair().publicJWK(), sound().jwk())
		}, nil},
}

// publicX5C are JWKs that carry certificates (RFC 7517, sections 4.7 to 4.9).
var publicX5C = []made{
	{"public-jwk-x5c-of-another", "for another key", "RFC 7517, section 4.7: the first certificate has the key",
		func() []byte {
			return sound().publicJWK(x5c(std64(certificateOf(otherPair()))))
		}, nil},
	{"public-jwk-x5c-empty", "a list of 1 to", "RFC 7517, section 4.7",
		func() []byte { return sound().publicJWK(x5c()) }, nil},
	{"public-jwk-x5c-number", "a list of 1 to", "RFC 7517, section 4.7",
		func() []byte { return sound().publicJWK(member{"x5c", "7"}) }, nil},
	{"public-jwk-x5c-entry-number", "not padded base64", "RFC 7517, section 4.7",
		func() []byte { return sound().publicJWK(member{"x5c", "[7]"}) },
		func(f *hostile.File) { f.Says = `entry 1 of "x5c"` }},
	{"public-jwk-x5c-base64url", `entry 1 of "x5c" is not padded base64`,
		"RFC 7517, section 4.7: base64, not base64url", func() []byte {
			return sound().publicJWK(x5c(url64(soundCertificate())))
		}, nil},
	{"public-jwk-x5c-ec", "for another key", "RFC 7517, section 4.7", func() []byte {
		b := soundBlueprint()
		b.spki = must(x509.MarshalPKIXPublicKey(&ecKey().PublicKey))
		return sound().publicJWK(x5c(std64(b.issued())))
	}, nil},
	{"public-jwk-x5c-garbage-second", `entry 2 of "x5c"`, "RFC 7517, section 4.7", func() []byte {
		return sound().publicJWK(x5c(std64(soundCertificate()), std64([]byte("garbage"))))
	}, nil},
	{"public-jwk-x5c-trailing", `entry 1 of "x5c"`, "X.690; RFC 7517, section 4.7", func() []byte {
		return sound().publicJWK(x5c(std64(append(soundCertificate(), 0))))
	}, nil},
	{"public-jwk-x5c-private", leak, "a PKCS#8 where the certificate goes",
		func() []byte { return sound().publicJWK(x5c(std64(sound().pkcs8()))) }, nil},
	{"public-jwk-x5t-of-another", "x5t#S256", "RFC 7517, section 4.9: the thumbprint of the certificate",
		func() []byte {
			return sound().publicJWK(x5c(std64(soundCertificate())), text("x5t#S256", url64(random(32))))
		}, nil},
	{"public-jwk-x5u", "x5u",
		"RFC 7517, section 4.6; CVE-2026-27962: nothing is fetched, so what it names is not known", func() []byte {
			return sound().publicJWK(text("x5u", "https://keys.example.com/other.pem"))
		}, func(f *hostile.File) {
			f.Says, f.Level, f.Note = "", hostile.LevelOK, "never fetched; taken as any member that is not read"
		}},
}

func x5c(entries ...string) member {
	if len(entries) == 0 {
		return member{"x5c", "[]"}
	}
	return member{"x5c", `["` + strings.Join(entries, `", "`) + `"]`}
}
