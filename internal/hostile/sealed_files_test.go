package hostile_test

import (
	"bytes"
	"crypto/aes"
	"crypto/cipher"
	"crypto/hmac"
	"crypto/md5"
	"crypto/pbkdf2"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"encoding/pem"
	"math/big"
	"strings"
	"unicode/utf16"
)

// Encrypted keys and key stores, by hand.

const (
	rightPassphrase = "correct hostile battery"
	wrongPassphrase = "another hostile battery"
)

func random(n int) []byte {
	b := make([]byte, n)
	if _, err := rand.Read(b); err != nil {
		panic(err)
	}
	return b
}

func encryptCBC(key, iv, plain []byte) []byte {
	block, err := aes.NewCipher(key)
	if err != nil {
		panic(err)
	}
	pad := aes.BlockSize - len(plain)%aes.BlockSize
	out := append(bytes.Clone(plain), bytes.Repeat([]byte{byte(pad)}, pad)...)
	cipher.NewCBCEncrypter(block, iv).CryptBlocks(out, out)
	return out
}

var hmacSHA256 = sequence(oid("1.2.840.113549.2.9"), null)

// pbkdf2Params and scryptParams are those of RFC 8018, appendix A.2, and RFC
// 7914, section 7.
func pbkdf2Params(salt []byte, iterations *big.Int) []byte {
	return sequence(oid("1.2.840.113549.1.5.12"), sequence(octets(salt), integer(iterations), hmacSHA256))
}

func scryptParams(salt []byte, n, r, p int64) []byte {
	return sequence(oid("1.3.6.1.4.1.11591.4.11"), sequence(octets(salt), small(n), small(r), small(p)))
}

const (
	aes256CBC   = "2.16.840.1.101.3.4.1.42"
	tripleDES   = "1.2.840.113549.3.7"
	pbeSHA13DES = "1.2.840.113549.1.12.1.3"
)

// pbes2 is an EncryptedPrivateKeyInfo (RFC 5958, section 3).
func pbes2(kdf []byte, cipherOID string, iv, data []byte) []byte {
	return sequence(sequence(oid("1.2.840.113549.1.5.13"), sequence(kdf, sequence(oid(cipherOID), octets(iv)))),
		octets(data))
}

// sealed encrypts properly, with few iterations.
func sealed(plain []byte, passphrase string) []byte {
	const iterations = 1000
	salt, iv := random(16), random(16)
	key, err := pbkdf2.Key(sha256.New, passphrase, salt, iterations, 32)
	if err != nil {
		panic(err)
	}
	return pbes2(pbkdf2Params(salt, big.NewInt(iterations)), aes256CBC, iv, encryptCBC(key, iv, plain))
}

// bomb asks for a derivation that nobody should do; what it encrypts is noise.
func bomb(kdf []byte) []byte {
	return pemBlock("ENCRYPTED PRIVATE KEY", pbes2(kdf, aes256CBC, random(16), random(1232)))
}

// dekInfo is the encryption of RFC 1421 as OpenSSL does it: one MD5.
func dekInfo(der []byte, passphrase string) []byte {
	iv := random(16)
	key := md5.Sum(append([]byte(passphrase), iv[:8]...))
	return pem.EncodeToMemory(&pem.Block{
		Type: "RSA PRIVATE KEY",
		Headers: map[string]string{
			"Proc-Type": "4,ENCRYPTED",
			"DEK-Info":  "AES-128-CBC," + strings.ToUpper(hex.EncodeToString(iv)),
		},
		Bytes: encryptCBC(key[:], iv, der),
	})
}

// The types of RFC 7292, section 4.
func contentInfo(safe []byte) []byte {
	return sequence(oid("1.2.840.113549.1.7.1"), tlv(0xa0, octets(safe)))
}

func bag(kind string, value []byte) []byte { return sequence(oid(kind), tlv(0xa0, value)) }

func keyBag(pkcs8 []byte) []byte { return bag("1.2.840.113549.1.12.10.1.1", pkcs8) }

func shroudedBag(encrypted []byte) []byte { return bag("1.2.840.113549.1.12.10.1.2", encrypted) }

func certBag(der []byte) []byte {
	return bag("1.2.840.113549.1.12.10.1.3", sequence(oid("1.2.840.113549.1.9.22.1"), tlv(0xa0, octets(der))))
}

const storeIterations = 1000

// keyStore is a PKCS#12 with unencrypted bags and a MAC under the passphrase.
func keyStore(passphrase string, bags ...[]byte) []byte {
	safe := sequence(contentInfo(sequence(bags...)))
	salt := random(16)
	mac := hmac.New(sha256.New, macKey(passphrase, salt, storeIterations))
	mac.Write(safe)
	return storeOf(safe, macData(mac.Sum(nil), salt, storeIterations))
}

func storeOf(safe, mac []byte) []byte { return sequence(small(3), contentInfo(safe), mac) }

func macData(mac, salt []byte, iterations int64) []byte {
	return sequence(sequence(sequence(oid("2.16.840.1.101.3.4.2.1"), null), octets(mac)), octets(salt),
		small(iterations))
}

// macKey is the key derivation of RFC 7292, appendix B.2, for one block of
// SHA-256 and the purpose 3.
func macKey(passphrase string, salt []byte, iterations int) []byte {
	var wide []byte
	for _, u := range append(utf16.Encode([]rune(passphrase)), 0) {
		wide = append(wide, byte(u>>8), byte(u))
	}
	const block = sha256.BlockSize
	stretch := func(b []byte) []byte {
		size := (len(b) + block - 1) / block * block
		return bytes.Repeat(b, size/len(b)+1)[:size]
	}
	input := append(bytes.Repeat([]byte{3}, block), append(stretch(salt), stretch(wide)...)...)
	for range iterations {
		sum := sha256.Sum256(input)
		input = sum[:]
	}
	return input
}
