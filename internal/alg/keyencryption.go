package alg

import (
	"crypto"
	"crypto/rand"
	"crypto/rsa"
	_ "crypto/sha1" // RSA-OAEP
)

// KeyEncryption is an algorithm that encrypts the content encryption key of a
// JWE (RFC 7518 section 4).
type KeyEncryption struct {
	Name     string
	KeyType  string
	Hash     crypto.Hash // of OAEP, for its mask too
	OpenOnly bool        // it is only decrypted, never used to seal
	Approved bool        // by FIPS 140-3

	options *rsa.OAEPOptions // passed to a crypto.Decrypter
}

// The key encryptions. RSA-OAEP uses SHA-1.
var (
	RSAOAEP256 = &KeyEncryption{Name: "RSA-OAEP-256", KeyType: RSA, Hash: crypto.SHA256, Approved: true,
		options: &rsa.OAEPOptions{Hash: crypto.SHA256}}
	RSAOAEP = &KeyEncryption{Name: "RSA-OAEP", KeyType: RSA, Hash: crypto.SHA1, OpenOnly: true,
		options: &rsa.OAEPOptions{Hash: crypto.SHA1}}

	KeyEncryptions = Table[*KeyEncryption]{RSAOAEP256, RSAOAEP}
)

func (k *KeyEncryption) String() string { return k.Name }

// Encrypt encrypts a content encryption key. An error concerns the key.
func (k *KeyEncryption) Encrypt(key PublicKey, cek []byte) ([]byte, error) {
	if key.By != nil {
		return key.By.EncryptOAEP(k.Hash, cek)
	}
	return rsa.EncryptOAEP(k.Hash.New(), rand.Reader, key.PublicKey, cek, nil)
}

// Decrypt decrypts an encrypted key. Only rsa.ErrDecryption concerns the message; any other
// error concerns the key.
func (k *KeyEncryption) Decrypt(key crypto.Decrypter, encryptedKey []byte) ([]byte, error) {
	return key.Decrypt(rand.Reader, encryptedKey, k.options)
}
