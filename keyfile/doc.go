// Package keyfile reads and writes files with certificates and RSA keys, and finds
// private keys in files where none belong.
//
// # A partner's file
//
// [Parse] recognizes a certificate or public key by its content, whatever the file is
// called: PEM, DER, PKCS#7, PKCS#12 without a key, JWK, or base64 without PEM lines,
// in UTF-8 or UTF-16. It returns exactly one certificate, with its issuers, or exactly
// one key. Its errors tell the sender what to send instead. It does not judge the
// certificate: call [cert.Check] and, for a bare key, [cert.CheckKey].
//
// # Private keys where none belong
//
// Partners send their private keys by mistake, and in many forms. Parse refuses such a
// file with a [PrivateKeyError], however damaged the rest of it is. [FindPrivateKeys]
// lists all of them in any file, such as a mail's attachment, as values of type [Leak]:
// the key has to be blocked, because others have seen it. A Leak names its public key
// only if the file proves which one it is. Otherwise [FindPublicKeys] lists what came
// with it.
//
// # Our own private keys
//
// [ParsePrivate] reads PKCS#8, PKCS#1, PKCS#12 and JWK, encrypted or not. The result
// has passed [cert.CheckKey] and is arithmetically consistent. [EncodePrivate] and
// [EncodePKCS12] encrypt with PBKDF2-HMAC-SHA-256 and AES-256-CBC, which OpenSSL and
// Java both read.
//
// # Limits
//
// Every file may come from an attacker. It has at most 1 MiB and 16
// certificates, ASN.1 at most 32 levels and 5,000 elements, and a key derivation at
// most 10 million iterations of PBKDF2 or 256 MiB for scrypt. Private keys are looked
// for in the first 16 MiB of larger files.
package keyfile

// MaxSize is the largest file that [Parse] and [ParsePrivate] accept, in bytes. It is
// far above what an honest file needs.
const MaxSize = 1 << 20

const (
	maxCertificates = 16      // in one file
	maxKeyDER       = 8 << 10 // bytes of one private key; a 4096-bit PKCS#8 key has 2.4 KiB
	maxPKCS12       = 64 << 10
)
