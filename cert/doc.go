// Package cert makes and reads what two partners exchange before the first
// sealed message: RSA key pairs, X.509 certificates, their encodings and
// checksums, and the key IDs that name them.
//
// Everything that is read here may come from a stranger's mail. [Read] takes
// certificates and public keys, recognises them by content, and refuses a file
// that holds a private key with a [PrivateKeyError]. [ReadPrivate] takes our own
// private keys. [Check] holds a certificate against a partner's [Demand].
package cert
