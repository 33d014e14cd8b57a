// Package kms opens private keys by their URI, and lets other packages add key stores.
//
// # Key URIs
//
// A key URI begins with a scheme, which names the key store; the store defines the rest. This
// package has one scheme, file: "file:PATH", or the path alone, is a private key in a file, in any
// format that package keyfile reads. PATH is used as it is: nothing in it is unescaped.
//
// A scheme is not case-sensitive and has at least two characters, none of them a dot, so that
// C:\keys\a.key and old.key:1 are paths.
//
// # Adding a key store
//
// A package adds a store in its init function, by [Register], and a program imports that package for
// this effect:
//
//	import _ "example.com/sealane-vault" // adds vault:
//
// From then on [Open] opens keys of that store, in the program's own code and, if the program
// contains Sealane's command line, in its flags too. The example of this package is a complete store.
//
// # What a private key must do
//
// The [Opener] of a store returns a [Key] whose Private is a [crypto.Signer] and a
// [crypto.Decrypter] with the following properties.
//
// Public returns an *[rsa.PublicKey]. It returns the same key each time and must not use a network
// or a device: it is called for every message. A lane uses keys of 2048, 3072 or 4096 bits with
// exponent 65537. Verification and encryption with the public key never use the store.
//
// Sign receives a SHA-256 digest, of 32 bytes, and one of these options:
//
//   - [crypto.SHA256]: make an RSASSA-PKCS1-v1_5 signature (RS256; RFC 8017 section 8.2)
//   - *[rsa.PSSOptions] with Hash crypto.SHA256 and SaltLength [rsa.PSSSaltLengthEqualsHash]: make an
//     RSASSA-PSS signature with SHA-256, MGF1 with SHA-256 and a salt of 32 bytes (PS256; RFC 8017
//     section 8.1)
//
// The signature is as long as the modulus.
//
// Decrypt receives an encrypted content encryption key, as long as the modulus, and
// *[rsa.OAEPOptions] for RSA-OAEP (RFC 8017 section 7.1). Label is empty. MGFHash is zero, which means
// the same hash as Hash, or the same value as Hash. Hash is one of these:
//
//   - [crypto.SHA256] (RSA-OAEP-256)
//   - [crypto.SHA1] (RSA-OAEP), only on lanes that accept it
//
// The plaintext is a key of 16 to 64 bytes. The caller overwrites the returned slice, so that it must
// not be used for anything else.
//
// Sign and Decrypt return an error for all other options, such as those of PKCS #1 v1.5 encryption.
// They must not change their arguments, nor keep them after they return. The options are shared
// between calls. The random source is [crypto/rand.Reader]; a store that has its own ignores it.
//
// # Errors
//
// Decrypt returns [rsa.ErrDecryption], or an error that wraps it, if and only if the ciphertext is
// bad: it was encrypted to another key or with other parameters, or it is damaged. A store that
// reports an invalid ciphertext by an error of its own must have it replaced. The lane then goes on as
// it does after every bad message and refuses it at the end (HTTP status 400 or the profile's). Neither
// the error nor the time that Decrypt takes should tell why a ciphertext is bad.
//
// Every other error of Sign and Decrypt is operational: the key is disabled, a credential has expired,
// the store cannot be reached, is too busy, or has been closed, or the context has ended. The lane
// returns an error that wraps it and sealane.ErrUnavailable, and sealhttp.Handler answers with status
// 503, so that the partner sends the message again. The error is logged. It must not contain a
// credential or a plaintext.
//
// The two must never be confused. If rsa.ErrDecryption is returned while the store cannot be reached,
// good messages are refused for good. If another error is returned for a bad message, anyone can make
// the lane look unavailable.
//
// # Concurrency
//
// All methods are called by any number of goroutines at the same time. A store that allows one
// operation at a time, such as a session of PKCS #11, needs a pool or a lock of its own.
//
// # Contexts and time
//
// crypto.Signer and crypto.Decrypter have no context. A key whose operations use a network or a device
// should also implement [keyring.ContextSigner] and [keyring.ContextDecrypter]. A lane then calls these
// with the context that Seal or Open received; in sealhttp that is the request's, which ends when the
// client goes away. When the context ends, the operation returns its error without delay. Sign and
// Decrypt must work nonetheless, since other callers have no context: crypto/x509, for example.
//
// A context may have no deadline. A key that uses a network therefore sets a time limit of its own.
// A message that names no key ID costs one decryption with each key of the lane that can open.
//
// # Closing
//
// If Private has a method Close() error, [Key.Close] calls it, to free sessions or connections. It
// must be possible to call it more than once. Operations that are running may finish or fail; later
// ones fail with an operational error. A lane never closes its keys. The program that opened a key
// closes it after the last lane that uses it.
package kms
