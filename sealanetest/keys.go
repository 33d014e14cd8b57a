package sealanetest

import (
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"crypto/x509/pkix"
	"embed"
	"encoding/asn1"
	"encoding/pem"
	"math/big"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/sealane/sealane/keyring"
)

// The key IDs of the fixed keys.
const (
	CustomerKeyID = "sealanetest-customer"
	ProviderKeyID = "sealanetest-provider"
	IssuerKeyID   = "1234dadc1234b704c1f23dc4-PKE-ACS-Client-2048SHA2-STAG" // the specification calls it the alias
)

// KeyPair is a fixed RSA key pair of 2048 bits and its certificate. They are the same in every
// process and must not be changed. The private key is public, as part of this package: use it in
// tests only.
type KeyPair struct {
	// ID is the key ID (header parameter kid).
	ID string
	// Private is the private key.
	Private *rsa.PrivateKey
	// Certificate is self-signed and valid until 2126, longer than the profiles allow: a
	// check against a profile's policy refuses it, but lanes do not check dates.
	Certificate *x509.Certificate
}

// CustomerKey returns the key pair with which a customer of RiskOS signs and decrypts.
func CustomerKey() KeyPair { return customerKey() }

// ProviderKey returns the key pair with which the provider of RiskOS signs and decrypts.
func ProviderKey() KeyPair { return providerKey() }

// IssuerKey returns the key pair with which an issuer decrypts RDX.
func IssuerKey() KeyPair { return issuerKey() }

//go:embed keys/*.pem
var files embed.FS

const signAndEncipher = x509.KeyUsageDigitalSignature | x509.KeyUsageKeyEncipherment

var (
	customerKey = sync.OnceValue(func() KeyPair { return read("customer", CustomerKeyID, signAndEncipher) })
	providerKey = sync.OnceValue(func() KeyPair { return read("provider", ProviderKeyID, signAndEncipher) })
	issuerKey   = sync.OnceValue(func() KeyPair { return read("issuer", IssuerKeyID, x509.KeyUsageKeyEncipherment) })
)

// read panics if the embedded file is damaged, which a test finds.
func read(name, id string, usage x509.KeyUsage) KeyPair {
	text, err := files.ReadFile("keys/" + name + ".pem")
	if err != nil {
		panic(err)
	}
	block, _ := pem.Decode(text)
	parsed, err := x509.ParsePKCS8PrivateKey(block.Bytes)
	if err != nil {
		panic(err)
	}
	key := parsed.(*rsa.PrivateKey)
	email := pkix.AttributeTypeAndValue{
		Type: asn1.ObjectIdentifier{1, 2, 840, 113549, 1, 9, 1}, Value: name + "@test.example",
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1),
		Subject: pkix.Name{
			CommonName: name + ".test.example", Organization: []string{"Sealane test key, public"},
			OrganizationalUnit: []string{name}, ExtraNames: []pkix.AttributeTypeAndValue{email},
		},
		NotBefore: time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC),
		NotAfter:  time.Date(2126, 1, 1, 0, 0, 0, 0, time.UTC),
		KeyUsage:  usage,
	}
	// RSASSA-PKCS1-v1_5 uses no randomness: the certificate is the same every time.
	der, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	if err != nil {
		panic(err)
	}
	certificate, err := x509.ParseCertificate(der)
	if err != nil {
		panic(err)
	}
	return KeyPair{id, key, certificate}
}

// Ours returns a ring of the key pair, for the side that has the private key.
func (k KeyPair) Ours() *keyring.Ring {
	return ring(keyring.Key{State: keyring.Active, ID: k.ID, Private: k.Private, Certificate: k.Certificate})
}

// Theirs returns a ring of the certificate, for the partner.
func (k KeyPair) Theirs() *keyring.Ring {
	return ring(keyring.Key{State: keyring.Active, ID: k.ID, Certificate: k.Certificate})
}

func ring(k keyring.Key) *keyring.Ring {
	r, err := keyring.New(k)
	if err != nil {
		panic(err) // the keys are fixed
	}
	return r
}

// WriteFiles writes the private key (PKCS#8) and the certificate as PEM files to a folder that is
// removed when the test ends, for programs that read their keys from files.
func (k KeyPair) WriteFiles(t testing.TB) (keyFile, certificateFile string) {
	t.Helper()
	der, err := x509.MarshalPKCS8PrivateKey(k.Private)
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	keyFile, certificateFile = filepath.Join(dir, "private.pem"), filepath.Join(dir, "certificate.pem")
	for file, block := range map[string]*pem.Block{
		keyFile:         {Type: "PRIVATE KEY", Bytes: der},
		certificateFile: {Type: "CERTIFICATE", Bytes: k.Certificate.Raw},
	} {
		if err := os.WriteFile(file, pem.EncodeToMemory(block), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return keyFile, certificateFile
}
