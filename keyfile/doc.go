// Package keyfile reads and writes key and certificate files, and finds private
// keys where none belong.
package keyfile

// Limits on input. They are far above what an honest file needs.
const (
	maxFile         = 1 << 20 // a file of certificates, or of a key
	maxCertificates = 16      // certificates in one file
	maxKeyDER       = 8 << 10 // one private key; a 4096-bit PKCS#8 key has 2.4 KiB
	maxPKCS12       = 64 << 10
)
