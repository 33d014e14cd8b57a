// Package libcrypto performs RSA with the system's OpenSSL 3.x, which it reaches through dlopen and
// not through a C compiler. A [Key] replaces an *rsa.PrivateKey in RS256, PS256 and RSA-OAEP and is
// 1.3 to 4 times as fast. A [PublicKey] verifies and encrypts; crypto/rsa takes twice as long for that with
// 2048 bits, and five times as long with 3072 and 4096, where it is a tenth of a message's RSA.
//
// OpenSSL performs the operation with the private key, blinded, and makes the signatures. OAEP is
// decoded by package rsapad, from the result of the bare RSA operation, for three reasons. First, the
// place of the failure tells a message that does not open from a key that does not work. OpenSSL's
// error queue could not: its contents differ between versions and providers, some of which leave it
// empty for a bad padding and some for a failed provider. Second, the choice between the two kinds of
// error never depends on a secret. Third, the decoded block is in memory that is wiped, while OpenSSL's
// own OAEP frees a buffer that held it without wiping it.
//
// The package is compiled on Linux on amd64 and arm64, if cgo is enabled or the build tag
// sealane_dlopen is set. Without cgo, loading a library makes a program dynamic: it then needs the
// C library of the system. A build without cgo and without the tag is static and has no OpenSSL.
package libcrypto

import "errors"

var (
	// ErrNotBuilt is returned by Load in a build without this package.
	ErrNotBuilt = errors.New("OpenSSL is not compiled in")
	// ErrClosed is returned for an operation with a key that was closed before it began.
	ErrClosed = errors.New("libcrypto: the key is closed: import it again")
)
