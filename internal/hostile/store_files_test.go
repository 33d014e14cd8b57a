package hostile_test

import (
	"bytes"
	"crypto/x509"
	"math/big"
	"strings"
)

// kdfBomb is the incident behind the bounds on key derivation.
const kdfBomb = "CVE-2023-52428, CVE-2023-50658: the sender chooses what a guess costs; RFC 8018, section 4.2"

// privateSealed are our own keys under a passphrase or in a key store.
var privateSealed = []made{
	{"encrypted-no-passphrase", "keyfile.ErrPassphraseNeeded", "RFC 5958, section 3", func() []byte {
		return pemBlock("ENCRYPTED PRIVATE KEY", sealed(sound().pkcs8(), rightPassphrase))
	}, nil},
	{"encrypted-empty-passphrase", "keyfile.ErrPassphraseNeeded", "RFC 5958, section 3", func() []byte {
		return pemBlock("ENCRYPTED PRIVATE KEY", sealed(sound().pkcs8(), rightPassphrase))
	}, under("")},
	{"encrypted-wrong-passphrase", "keyfile.ErrPassphraseWrong", "RFC 5958, section 3", func() []byte {
		return pemBlock("ENCRYPTED PRIVATE KEY", sealed(sound().pkcs8(), rightPassphrase))
	}, under(wrongPassphrase)},
	{"encrypted-wrong-passphrase-der", "keyfile.ErrPassphraseWrong", "RFC 5958, section 3",
		func() []byte { return sealed(sound().pkcs8(), rightPassphrase) }, under(wrongPassphrase)},
	{"encrypted-1024", "cert.ErrKeySize", ownSizes, func() []byte {
		return pemBlock("ENCRYPTED PRIVATE KEY", sealed(sized(512, 512).pkcs8(), rightPassphrase))
	}, under(rightPassphrase)},
	{"encrypted-ec", "only RSA", "RFC 5915", func() []byte {
		return pemBlock("ENCRYPTED PRIVATE KEY", sealed(must(x509.MarshalPKCS8PrivateKey(ecKey())), rightPassphrase))
	}, under(rightPassphrase)},
	{"encrypted-pkcs1-inside", "keyfile.ErrPassphraseWrong", "RFC 5958, section 3: what is encrypted is PKCS#8",
		func() []byte {
			return pemBlock("ENCRYPTED PRIVATE KEY", sealed(sound().pkcs1(), rightPassphrase))
		}, under(rightPassphrase)},
	{"encrypted-old-scheme", "old scheme 1.2.840.113549.1.12.1.3", "RFC 7292, appendix C: PBE with SHA-1 and 3DES",
		func() []byte {
			return pemBlock("ENCRYPTED PRIVATE KEY",
				sequence(sequence(oid(pbeSHA13DES), sequence(octets(random(8)), small(2048))), octets(random(1232))))
		}, under(rightPassphrase)},
	{"encrypted-3des", "cipher 1.2.840.113549.3.7", "RFC 8018, appendix B.2.2", func() []byte {
		return pemBlock("ENCRYPTED PRIVATE KEY",
			pbes2(pbkdf2Params(random(16), big.NewInt(1000)), tripleDES, random(8), random(1232)))
	}, under(rightPassphrase)},
	{"encrypted-odd-length", "impossible length", "RFC 8018, appendix B.2.5: whole blocks", func() []byte {
		return pemBlock("ENCRYPTED PRIVATE KEY",
			pbes2(pbkdf2Params(random(16), big.NewInt(1000)), aes256CBC, random(16), random(1231)))
	}, under(rightPassphrase)},
	{"encrypted-iv-short", "impossible length", "RFC 8018, appendix B.2.5: the IV has a block", func() []byte {
		return pemBlock("ENCRYPTED PRIVATE KEY",
			pbes2(pbkdf2Params(random(16), big.NewInt(1000)), aes256CBC, random(8), random(1232)))
	}, under(rightPassphrase)},
	{"pbkdf2-2147483648", "2147483648 iterations", kdfBomb,
		func() []byte { return bomb(pbkdf2Params(random(16), big.NewInt(1<<31))) }, under(rightPassphrase)},
	{"pbkdf2-beyond-64-bits", "does not parse", kdfBomb, func() []byte {
		return bomb(pbkdf2Params(random(16), new(big.Int).Lsh(one, 70)))
	}, under(rightPassphrase)},
	{"pbkdf2-zero", "asks for 0 iterations", "RFC 8018, section 5.2",
		func() []byte { return bomb(pbkdf2Params(random(16), new(big.Int))) }, under(rightPassphrase)},
	{"pbkdf2-negative", "asks for -1 iterations", "RFC 8018, section 5.2",
		func() []byte { return bomb(pbkdf2Params(random(16), big.NewInt(-1))) }, under(rightPassphrase)},
	{"scrypt-memory", "asks for scrypt", "RFC 7914, section 2: N and r take a terabyte here",
		func() []byte { return bomb(scryptParams(random(16), 1<<30, 8, 1)) }, under(rightPassphrase)},
	{"scrypt-block-size", "asks for scrypt", "RFC 7914, section 2",
		func() []byte { return bomb(scryptParams(random(16), 2, 1<<40, 1)) }, under(rightPassphrase)},
	{"scrypt-parallel", "asks for scrypt", "RFC 7914, section 2",
		func() []byte { return bomb(scryptParams(random(16), 1024, 8, 1<<24)) }, under(rightPassphrase)},
	{"scrypt-n-odd", "does not parse", "RFC 7914, section 2: N is a power of two",
		func() []byte { return bomb(scryptParams(random(16), 1000, 8, 1)) }, under(rightPassphrase)},

	{"pkcs12-no-passphrase", "keyfile.ErrPassphraseNeeded", keyStoreForm,
		func() []byte { return soundStore(rightPassphrase) }, nil},
	{"pkcs12-wrong-passphrase", "keyfile.ErrPassphraseWrong", keyStoreForm,
		func() []byte { return soundStore(rightPassphrase) }, under(wrongPassphrase)},
	{"pkcs12-no-mac", "MAC", "RFC 7292, section 4: without a MAC nothing shows who altered it", func() []byte {
		return storeOf(sequence(contentInfo(sequence(keyBag(sound().pkcs8()), certBag(soundCertificate())))), nil)
	}, under(rightPassphrase)},
	{"pkcs12-two-keys", "the PKCS#12 holds", keyStoreForm, func() []byte {
		return keyStore(rightPassphrase, keyBag(sound().pkcs8()), keyBag(otherPair().pkcs8()),
			certBag(soundCertificate()))
	}, under(rightPassphrase)},
	{"pkcs12-key-under-another", "keyfile.ErrPassphraseWrong",
		"RFC 7292, section 5.1: the bag has a passphrase of its own", func() []byte {
			return keyStore(rightPassphrase, shroudedBag(sealed(sound().pkcs8(), wrongPassphrase)),
				certBag(soundCertificate()))
		}, under(rightPassphrase)},
	{"pkcs12-certificates-only", "the PKCS#12 holds", "openssl pkcs12 -export -nokeys", func() []byte {
		return keyStore(rightPassphrase, certBag(soundCertificate()))
	}, both(under(rightPassphrase), notLeak(""))},
	{"pkcs12-of-another-key", "no certificate of its key", keyStoreForm, func() []byte {
		return keyStore(rightPassphrase, keyBag(otherPair().pkcs8()), certBag(soundCertificate()))
	}, under(rightPassphrase)},
	{"pkcs12-key-alone", "the PKCS#12 holds", keyStoreForm,
		func() []byte { return keyStore(rightPassphrase, keyBag(sound().pkcs8())) }, under(rightPassphrase)},
	{"pkcs12-ec", "only RSA", "RFC 5915", func() []byte {
		return keyStore(rightPassphrase, keyBag(must(x509.MarshalPKCS8PrivateKey(ecKey()))),
			certBag(soundCertificate()))
	}, under(rightPassphrase)},
	{"pkcs12-mac-altered", "keyfile.ErrPassphraseWrong", keyStoreForm, func() []byte {
		safe := sequence(contentInfo(sequence(keyBag(sound().pkcs8()), certBag(soundCertificate()))))
		return storeOf(safe, macData(random(32), random(16), storeIterations))
	}, under(rightPassphrase)},
	{"pkcs12-mac-2147483647", "iterations", kdfBomb, func() []byte {
		safe := sequence(contentInfo(sequence(keyBag(sound().pkcs8()), certBag(soundCertificate()))))
		return storeOf(safe, macData(random(32), random(16), 1<<31-1))
	}, under(rightPassphrase)},
	{"pkcs12-bag-2147483647", "iterations", kdfBomb, func() []byte {
		encrypted := pbes2(pbkdf2Params(random(16), big.NewInt(1<<31-1)), aes256CBC, random(16), random(1232))
		return keyStore(rightPassphrase, shroudedBag(encrypted), certBag(soundCertificate()))
	}, under(rightPassphrase)},
	{"pkcs12-trailing", "something else follow", "X.690",
		func() []byte { return append(soundStore(rightPassphrase), 0) }, under(rightPassphrase)},
}

func soundStore(passphrase string) []byte {
	return keyStore(passphrase, shroudedBag(sealed(sound().pkcs8(), passphrase)), certBag(soundCertificate()))
}

// privateJSON are our own keys as JWK.
var privateJSON = []made{
	{"jwk-d-empty", `"d" is empty`, jwkIntegers, func() []byte { return sound().jwk(text("d", "")) }, nil},
	{"jwk-d-null", `"d" is missing or is not a string`, jwkIntegers,
		func() []byte { return sound().jwk(member{"d", "null"}) }, nil},
	{"jwk-key-ops-contradict", `"key_ops"`, "RFC 7517, section 4.3", func() []byte {
		return sound().jwk(text("use", "enc"), member{"key_ops", `["sign"]`})
	}, nil},
	{"jwk-d-twice", "a member twice", "RFC 7517, section 4; readers take the first, or the last", func() []byte {
		return object(append(sound().members(), text("d", url64(otherPair().d.Bytes()))))
	}, nil},
	{"jwk-d-twice-escaped", "a member twice", "RFC 8259, section 7: \\u0064 is d", func() []byte {
		last := append(sound().members(), text("D!", url64(otherPair().d.Bytes())))
		return bytes.Replace(object(last), []byte("D!"), []byte("\\u0064"), 1)
	}, nil},
	{"jwk-d-upper-case", `"d" is missing`, "RFC 7517, section 4: names are case-sensitive", func() []byte {
		m := sound().members()
		return object(append(without(m, "d"), text("D", url64(sound().d.Bytes()))))
	}, nil},
	{"jwk-symmetric", `"kty" must be "RSA"`, "RFC 7518, section 6.4",
		func() []byte { return object([]member{text("kty", "oct"), text("k", url64(random(32)))}) }, nil},
	{"jwk-ec", `"kty" must be "RSA"`, "RFC 7518, section 6.2", func() []byte {
		return object([]member{text("kty", "EC"), text("crv", "P-256"), text("x", url64(random(32))),
			text("y", url64(random(32))), text("d", url64(random(32)))})
	}, nil},
	{"jwk-ed25519", `"kty" must be "RSA"`, "RFC 8037, section 2", func() []byte {
		return object([]member{text("kty", "OKP"), text("crv", "Ed25519"), text("x", url64(random(32))),
			text("d", url64(random(32)))})
	}, nil},
	{"jwk-set-two", "2 keys", "RFC 7517, section 5", func() []byte { return jwkSet(sound().jwk(), otherPair().jwk()) },
		nil},
	{"jwk-set-with-null", "not a key", "RFC 7517, section 5",
		func() []byte { return jwkSet([]byte("null"), sound().jwk()) }, nil},
	{"jwk-set-beside-key", "no key", "RFC 7517, section 5: a key with a member keys",
		func() []byte { return sound().jwk(member{"keys", "[]"}) }, nil},
	{"jwk-public", "public key only", "the wrong file of a pair", func() []byte { return sound().publicJWK() },
		notLeak("")},
	{"jwk-trailing", "something follows", "RFC 8259, section 2",
		func() []byte { return append(sound().jwk(), "{}"...) }, nil},
	{"jwk-cut", "not valid JSON", "RFC 8259", func() []byte { b := sound().jwk(); return b[:len(b)-40] }, nil},
	{"jwk-in-list", "not PEM, DER, PKCS#12 or JWK", "RFC 7517: a key is an object",
		func() []byte { return []byte("[" + string(sound().jwk()) + "]") }, nil},
	{"jwk-deep", "nested more than", "RFC 8259, section 9", func() []byte {
		return sound().jwk(member{"x", strings.Repeat("[", 20000) + strings.Repeat("]", 20000)})
	}, nil},
	{"jwk-not-utf-8", "not valid UTF-8", "RFC 8259, section 8.1",
		func() []byte { return sound().jwk(text("kid", "\xff\xfe")) }, nil},
}

func jwkSet(keys ...[]byte) []byte {
	return []byte(`{"keys": [` + string(bytes.Join(keys, []byte(","))) + "]}\n")
}
