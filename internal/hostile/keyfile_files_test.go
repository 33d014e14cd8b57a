package hostile_test

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"math/big"
	"strings"

	"github.com/sealane/sealane/internal/hostile"
)

func under(passphrase string) func(*hostile.File) {
	return func(f *hostile.File) { f.Passphrase = []byte(passphrase) }
}

func note(s string) func(*hostile.File) { return func(f *hostile.File) { f.Note = s } }

// notLeak is of a file without a private key that came as one.
func notLeak(says string) func(*hostile.File) {
	return func(f *hostile.File) { f.AsCertificate = says }
}

func ecKey() *ecdsa.PrivateKey {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		panic(err)
	}
	return key
}

func ed25519PKCS8() []byte {
	_, key, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		panic(err)
	}
	return must(x509.MarshalPKCS8PrivateKey(key))
}

func must[T any](v T, err error) T {
	if err != nil {
		panic(err)
	}
	return v
}

// The sources that many share.
const (
	ownSizes   = "Sealane's choice: 2048, 3072 or 4096 bits; RFC 7518, section 4.3, for the lower bound"
	crtMembers = "RFC 8017, section 3.2; Boneh, DeMillo and Lipton 1997: a wrong CRT member lets one signature " +
		"reveal the key"
	jwkIntegers  = "RFC 7518, section 2, Base64urlUInt"
	keyStoreForm = "RFC 7292, section 4"
)

// privateRSA are our own keys whose numbers are wrong.
var privateRSA = []made{
	{"size-1024-pkcs1", "cert.ErrKeySize", ownSizes, func() []byte { return sized(512, 512).pkcs1PEM() }, nil},
	{"size-1024-pkcs8", "cert.ErrKeySize", ownSizes, func() []byte { return sized(512, 512).pkcs8PEM() }, nil},
	{"size-1024-pkcs8-der", "cert.ErrKeySize", ownSizes, func() []byte { return sized(512, 512).pkcs8() }, nil},
	{"size-1024-jwk", "cert.ErrKeySize", ownSizes, func() []byte { return sized(512, 512).jwk() }, nil},
	{"size-2040-pkcs8", "cert.ErrKeySize", ownSizes, func() []byte { return sized(1020, 1020).pkcs8PEM() }, nil},
	{"size-2047-pkcs1", "cert.ErrKeySize", ownSizes, func() []byte { return sized(1024, 1023).pkcs1PEM() }, nil},
	{"size-2047-jwk", "cert.ErrKeySize", ownSizes, func() []byte { return sized(1024, 1023).jwk() }, nil},
	{"size-2056-pkcs8", "cert.ErrKeySize", ownSizes, func() []byte { return sized(1028, 1028).pkcs8PEM() }, nil},
	{"size-8192-pkcs1", "cert.ErrKeySize", "CVE-2023-29409: the cost of large keys",
		func() []byte { return hugePair().pkcs1PEM() }, nil},
	{"size-1024-pkcs12", "cert.ErrKeySize", ownSizes, func() []byte {
		k := sized(512, 512)
		return keyStore(rightPassphrase, keyBag(k.pkcs8()), certBag(certificateOf(k)))
	}, under(rightPassphrase)},
	{"exponent-1-pkcs1", "cert.ErrKeyExponent", "CVE-2013-2228: with e = 1 nothing is encrypted",
		func() []byte { return exponentPair(1).pkcs1PEM() }, nil},
	{"exponent-1-jwk", "cert.ErrKeyExponent", "CVE-2013-2228: with e = 1 nothing is encrypted",
		func() []byte { return exponentPair(1).jwk() }, nil},
	{"exponent-3-pkcs8", "cert.ErrKeyExponent", "CVE-2006-4339: forged signatures under e = 3",
		func() []byte { return exponentPair(3).pkcs8PEM() }, nil},
	{"exponent-3-jwk", "cert.ErrKeyExponent", "CVE-2006-4339: forged signatures under e = 3",
		func() []byte { return exponentPair(3).jwk() }, nil},
	{"exponent-65536-pkcs1", "cert.ErrKeyExponent", "RFC 8017, section 3.1: an even e has no inverse",
		func() []byte { return exponentPair(65536).pkcs1PEM() }, nil},
	{"exponent-2147483647-pkcs8", "cert.ErrKeyExponent", "CVE-2023-29409: the cost of large keys",
		func() []byte { return exponentPair(1<<31 - 1).pkcs8PEM() }, nil},
	{"exponent-4294967297-pkcs1", "cert.ErrKeyExponent",
		"RFC 8017, section 3.1; one more than 32 bits hold, which cut to them is 1",
		func() []byte { return exponentPair(1<<32 + 1).pkcs1PEM() }, nil},
	{"roca-pkcs8", "cert.ErrROCA", "CVE-2017-15361", func() []byte { return rocaPair().pkcs8PEM() }, nil},
	{"roca-jwk", "cert.ErrROCA", "CVE-2017-15361", func() []byte { return rocaPair().jwk() }, nil},
	{"close-primes-pkcs8", "cert.ErrClosePrimes", "CVE-2022-26320", func() []byte { return closePair().pkcs8PEM() },
		nil},
	{"close-primes-jwk", "cert.ErrClosePrimes", "CVE-2022-26320", func() []byte { return closePair().jwk() }, nil},
	{"equal-primes-pkcs1", "cert.ErrClosePrimes", "RFC 8017, section 3.2: the primes are distinct",
		func() []byte { return squarePair().pkcs1PEM() }, nil},
	{"small-factor-pkcs1", "cert.ErrSmallFactor", "RFC 8017, section 3.1; trial division breaks it",
		func() []byte { return factorPair().pkcs1PEM() }, nil},
	{"small-factor-jwk", "cert.ErrSmallFactor", "RFC 8017, section 3.1; trial division breaks it",
		func() []byte { return factorPair().jwk() }, nil},
	{"three-primes-pkcs1", "primes", "RFC 8017, appendix A.1.2: version 1 is of more primes", threePrimes, nil},
	{"three-primes-jwk", "oth", "RFC 7518, section 6.3.2.7",
		func() []byte { return sound().jwk(member{"oth", `[{"r":"Aw","d":"Aw","t":"Aw"}]`}) }, nil},
	{"d-of-another-pkcs1", "the key does not parse", "RFC 8017, section 3.2",
		func() []byte { k := sound(); k.d = otherPair().d; return k.pkcs1PEM() }, nil},
	{"d-of-another-jwk", "do not belong together", "RFC 8017, section 3.2",
		func() []byte { return sound().jwk(text("d", url64(otherPair().d.Bytes()))) }, nil},
	{"n-of-another-pkcs8", "the key does not parse", "RFC 8017, section 3.2",
		func() []byte { k := sound(); k.n = otherPair().n; return k.pkcs8PEM() }, nil},
	{"dp-altered-pkcs1", "the key does not parse", crtMembers,
		func() []byte { k := sound(); k.dp = new(big.Int).Add(k.dp, one); return k.pkcs1PEM() }, nil},
	{"dq-altered-jwk", "do not belong together", crtMembers,
		func() []byte { k := sound(); k.dq = new(big.Int).Add(k.dq, one); return k.jwk() }, nil},
	{"qi-altered-pkcs8", "the key does not parse", crtMembers,
		func() []byte { k := sound(); k.qi = new(big.Int).Add(k.qi, one); return k.pkcs8PEM() }, nil},
	{"primes-swapped-jwk", "do not belong together", crtMembers,
		func() []byte { k := sound(); k.p, k.q = k.q, k.p; return k.jwk() }, nil},
	{"crt-missing-jwk", `"p" is missing`,
		"RFC 7518, section 6.3.2: producers should include all of them; ours need them", func() []byte {
			return object(without(sound().members(), "p", "q", "dp", "dq", "qi"))
		}, note("n, e and d only")},
	{"crt-half-jwk", `"qi" is missing`, "RFC 7518, section 6.3.2: all or none",
		func() []byte { return object(without(sound().members(), "qi")) }, nil},
	{"crt-missing-pkcs1", "the key does not parse", "RFC 8017, appendix A.1.2", func() []byte {
		k := sound()
		return pemBlock("RSA PRIVATE KEY", sequence(small(0), integer(k.n), integer(k.e), integer(k.d)))
	}, nil},
	{"d-negative-pkcs1", "the key does not parse", "RFC 8017, section 3.2: d is positive",
		func() []byte { k := sound(); k.d = new(big.Int).Neg(k.d); return k.pkcs1PEM() }, nil},
	{"p-negative-pkcs8", "the key does not parse", "RFC 8017, section 3.2: primes are positive", func() []byte {
		k := sound()
		k.p, k.q = new(big.Int).Neg(k.p), new(big.Int).Neg(k.q)
		return k.pkcs8PEM()
	}, note("both, so that their product is right")},
	{"dp-zero-pkcs1", "the key does not parse", crtMembers,
		func() []byte { k := sound(); k.dp = new(big.Int); return k.pkcs1PEM() }, nil},
	{"members-zero-pkcs1", "the key does not parse", "RFC 8017, section 3.2; other libraries rebuild what is zero",
		func() []byte {
			k := sound()
			zero := new(big.Int)
			k.p, k.q, k.dp, k.dq, k.qi = zero, zero, zero, zero, zero
			return k.pkcs1PEM()
		}, nil},
	{"p-one-jwk", "out of range", "RFC 8017, section 3.2: 1 times n is n, but not a key", func() []byte {
		k := sound()
		return k.jwk(text("p", "AQ"), text("q", url64(k.n.Bytes())))
	}, nil},
}

func threePrimes() []byte {
	for {
		p, q, r := prime(683), prime(683), prime(683)
		k := pairOf(p, q, soundExponent)
		r1 := new(big.Int).Sub(r, one)
		phi := new(big.Int).Mul(new(big.Int).Mul(new(big.Int).Sub(p, one), new(big.Int).Sub(q, one)), r1)
		k.n = new(big.Int).Mul(k.n, r)
		if k.n.BitLen() != 2048 {
			continue
		}
		k.d = new(big.Int).ModInverse(k.e, phi)
		out := small(1)
		for _, x := range []*big.Int{k.n, k.e, k.d, p, q, k.dp, k.dq, k.qi} {
			out = append(out, integer(x)...)
		}
		other := sequence(integer(r), integer(new(big.Int).Mod(k.d, r1)),
			integer(new(big.Int).ModInverse(new(big.Int).Mul(p, q), r)))
		return pemBlock("RSA PRIVATE KEY", sequence(out, sequence(other)))
	}
}

// privateForms are our own keys in a form, or of a kind, that is not read.
var privateForms = []made{
	{"trailing-pkcs8-der", "something else follow", "X.690; RFC 5958, section 2",
		func() []byte { return append(sound().pkcs8(), 0) }, nil},
	{"trailing-pkcs8-pem", "something else follow", "RFC 7468, section 3: one structure in a block",
		func() []byte { return pemBlock("PRIVATE KEY", append(sound().pkcs8(), "tail"...)) }, nil},
	{"trailing-in-pkcs8", "the key does not parse", "RFC 5958, section 2: the octets hold one RSAPrivateKey",
		func() []byte {
			return pemBlock("PRIVATE KEY", wrapPKCS8(rsaEncryption, append(sound().pkcs1(), 5, 0)))
		}, nil},
	{"claims-a-gigabyte-der", "the ASN.1 says 1073741829 bytes", "X.690, section 8.1.3", func() []byte {
		return append([]byte{0x30, 0x84, 0x3f, 0xff, 0xff, 0xff, 0x02, 0x01, 0x00, 0x02, 0x82, 0x01, 0x01},
			bytes.Repeat([]byte{7}, 64)...)
	}, nil},
	{"ec-pkcs8", "only RSA", "RFC 5915",
		func() []byte { return pemBlock("PRIVATE KEY", must(x509.MarshalPKCS8PrivateKey(ecKey()))) }, nil},
	{"ec-sec1", "only RSA", "RFC 5915",
		func() []byte { return pemBlock("EC PRIVATE KEY", must(x509.MarshalECPrivateKey(ecKey()))) }, nil},
	{"ed25519-pkcs8", "only RSA", "RFC 8410, section 7",
		func() []byte { return pemBlock("PRIVATE KEY", ed25519PKCS8()) }, nil},
	{"dsa-pkcs8", "of another kind", "RFC 3279, section 2.3.2", func() []byte {
		domain := sequence(integer(prime(1024)), integer(prime(160)), small(2))
		return pemBlock("PRIVATE KEY", wrapPKCS8(sequence(oid("1.2.840.10040.4.1"), domain), integer(prime(160))))
	}, nil},
	{"dsa-traditional", "of another kind", "OpenSSL's own form: six integers", func() []byte {
		out := small(0)
		for _, size := range []int{1024, 160, 1024, 1024, 159} {
			out = append(out, integer(prime(size))...)
		}
		return pemBlock("DSA PRIVATE KEY", sequence(out))
	}, nil},
	{"rsa-pss-pkcs8", "of another kind", "RFC 4055, section 1.2: such a key is for RSASSA-PSS only", func() []byte {
		return pemBlock("PRIVATE KEY", wrapPKCS8(sequence(oid("1.2.840.113549.1.1.10")), sound().pkcs1()))
	}, nil},
	{"openssh", "ssh-keygen -p -m PKCS8", "OpenSSH, PROTOCOL.key", func() []byte {
		return pemBlock("OPENSSH PRIVATE KEY",
			append([]byte("openssh-key-v1\x00\x00\x00\x00\x04none"), random(900)...))
	}, nil},
	{"putty", "not PEM, DER, PKCS#12 or JWK", "PuTTY manual, appendix C", func() []byte {
		return []byte("PuTTY-User-Key-File-3: ssh-rsa\nEncryption: none\nComment: hostile\nPublic-Lines: 1\n" +
			std64(random(48)) + "\nPrivate-Lines: 1\n" + std64(random(48)) + "\nPrivate-MAC: 00\n")
	}, nil},
	{"pgp", "make a separate pair", "RFC 9580, section 6.2", func() []byte {
		return []byte("-----BEGIN PGP PRIVATE KEY BLOCK-----\n\n" + std64(random(48)) +
			"\n=AbCd\n-----END PGP PRIVATE KEY BLOCK-----\n")
	}, nil},
	{"java-trust-store", "without a private key",
		"Java's JKS, keytool -importcert: each entry says unencrypted that it is a certificate", func() []byte {
			return javaStore(javaEntry(2, soundCertificate()))
		}, notLeak("keytool -exportcert")},
	{"java-key-store", "keytool -importkeystore", "Java's JKS: the magic number FEEDFEED", func() []byte {
		return append([]byte{0xfe, 0xed, 0xfe, 0xed, 0, 0, 0, 2, 0, 0, 0, 1}, random(200)...)
	}, nil},
	{"legacy-encryption", "old encryption of PEM", "RFC 1421; one round of MD5 makes the key",
		func() []byte { return dekInfo(sound().pkcs1(), rightPassphrase) }, under(rightPassphrase)},
	{"two-keys-pem", "two private keys", "it is not clear which one is meant",
		func() []byte { return append(sound().pkcs8PEM(), otherPair().pkcs8PEM()...) }, nil},
	{"no-key-but-certificate", "no private key", "the wrong file of a pair",
		func() []byte { return pemBlock("CERTIFICATE", soundCertificate()) }, notLeak("")},
	{"no-key-but-request", "no private key", "RFC 2986",
		func() []byte { return pemBlock("CERTIFICATE REQUEST", request()) }, notLeak("certificate request")},
	{"no-key-but-public", "no private key", "the wrong file of a pair", func() []byte { return sound().spkiPEM() },
		notLeak("")},
	{
		"no-key-but-html",
		"an HTML page",
		"a portal answered with its log-in page",
		func() []byte { return []byte(htmlPage) },
		notLeak("an HTML page"),
	},
	{"base64-cut", "the end or some lines are missing", "mail that cut lines", func() []byte {
		lines := strings.SplitAfter(string(sound().pkcs8PEM()), "\n")
		return []byte(strings.Join(append(lines[:5:5], lines[9:]...), ""))
	}, nil},
	{"begin-line-alone", "the end was cut", "RFC 7468: no key follows the line",
		func() []byte { return []byte("-----BEGIN PRIVATE KEY-----\n") }, notLeak("not PEM")},
	{"end-cut", "the end was cut", "mail that cut lines", func() []byte { return sound().pkcs8PEM()[:700] }, nil},
	{"nul-in-base64", "base64 does not know", "RFC 7468, section 3", func() []byte {
		b := sound().pkcs8PEM()
		b[300] = 0
		return b
	}, nil},
	{"label-of-end-differs", "the end was cut", "RFC 7468, section 2: both labels are the same", func() []byte {
		return bytes.Replace(sound().pkcs8PEM(), []byte("END PRIVATE"), []byte("END RSA PRIVATE"), 1)
	}, nil},
	{"begin-lines", "the end was cut", "a file of BEGIN lines only: each could start a search to the end",
		func() []byte {
			return bytes.Repeat([]byte("-----BEGIN PRIVATE KEY-----\n"), 9000)
		}, notLeak("not PEM")},
	{"label-certificate", "", "RFC 7468, section 2: the label is wrong, the key in it is not",
		func() []byte { return pemBlock("CERTIFICATE", sound().pkcs8()) }, nil},
	{"utf-16", "", "what Windows PowerShell's redirection writes",
		func() []byte { return utf16Text(sound().pkcs8PEM(), true) }, nil},
	{"utf-16-no-mark", "", "UTF-16 without its mark", func() []byte { return utf16Text(sound().pkcs8PEM(), false) },
		nil},
	{"utf-8-mark", "", "what Windows editors put first",
		func() []byte { return append([]byte("\xef\xbb\xbf"), sound().pkcs8PEM()...) }, nil},
	{"beside-certificate", "", "RFC 7468: both in one file, which is fine at home and a leak when sent",
		func() []byte {
			return append(pemBlock("CERTIFICATE", soundCertificate()), sound().pkcs8PEM()...)
		}, nil},
}

const htmlPage = "<!DOCTYPE html>\n<html><head><title>Sign in</title></head>\n<body><form action=\"/login\"><input " +
	"name=\"user\"></form></body></html>\n"

func utf16Text(ascii []byte, mark bool) []byte {
	var out []byte
	if mark {
		out = []byte{0xff, 0xfe}
	}
	for _, b := range ascii {
		out = append(out, b, 0)
	}
	return out
}

func request() []byte {
	return must(x509.CreateCertificateRequest(rand.Reader, &x509.CertificateRequest{}, sound().private()))
}
