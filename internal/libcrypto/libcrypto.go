// Package libcrypto does RSA operations with the system's OpenSSL 3.x, which it
// reaches through dlopen, without cgo. A [Key] stands wherever an
// *rsa.PrivateKey does in RS256, PS256 and RSA-OAEP, 1.3 to 4 times as fast. A
// [PublicKey] verifies and encrypts; crypto/rsa takes twice as long for that
// with 2048 bits, and five times as long with 3072 and 4096, where it makes up
// a tenth of a message's RSA.
//
// OpenSSL does the arithmetic with the private key, blinded, and makes the
// signatures. The decoding of OAEP is done here, on what the bare RSA
// operation gives, for three reasons. A message that does not open is then told
// from a key that does not work by where it happened, and not by what an error
// queue holds: that differs between versions and providers of OpenSSL, some of
// which leave it empty for a bad padding and some for a failed provider. The
// choice between the two kinds of error never depends on a secret. And the
// decoded block lies in memory that is wiped, while OpenSSL's own OAEP frees a
// buffer that held it as it is.
package libcrypto

import "errors"

var (
	// ErrNotHere is what Load gives in a build without this package: every
	// system but Linux on amd64 and arm64, and the build tag sealane_static.
	ErrNotHere = errors.New("libcrypto: this build has no OpenSSL (it needs Linux on amd64 or arm64, without the tag sealane_static): use crypto/rsa")
	// ErrClosed means that the key was closed before the operation began.
	ErrClosed = errors.New("libcrypto: the key is closed: import it again")
)
