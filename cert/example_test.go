package cert_test

import (
	"crypto/sha256"
	"fmt"
	"log"
	"time"

	"github.com/sealane/sealane/cert"
)

// An issuer makes a key pair and a certificate, and checks it by the policy of the
// partner before it sends it.
func Example() {
	key, err := cert.GenerateKey(2048)
	if err != nil {
		log.Fatal(err)
	}
	now := time.Date(2026, 11, 21, 12, 0, 0, 0, time.UTC)
	c, err := cert.Create(key, cert.Template{
		CommonName: "rdx.bank.example", Organization: "Bank",
		NotBefore: now, Validity: 2, Usages: []string{"keyEncipherment"},
	})
	if err != nil {
		log.Fatal(err)
	}
	verdict := cert.Check(c, cert.Policy{
		PreferBits: 4096,
		KeyUsage:   cert.KeyUsagePolicy{Required: []string{"keyEncipherment"}},
		CommonName: cert.PresenceRequired,
		Email:      cert.PresenceRequired,
		Validity:   cert.ValidityPolicy{MaxYears: 2},
	}, now)
	for _, f := range verdict {
		if f.Level != cert.OK {
			fmt.Printf("%s: %s: %s; wanted: %s\n", f.Level, f.Name, f.Found, f.Wanted)
		}
	}
	fmt.Println("refused:", verdict.Refused())
	// Output:
	// refused: Contact email: missing; wanted: required
	// refused: true
}

// The partner sends a certificate by mail, and reads its checksum out on the phone.
func ExampleMatch() {
	key, err := cert.GenerateKey(2048)
	if err != nil {
		log.Fatal(err)
	}
	c, err := cert.Create(key, cert.Template{
		CommonName: "rdx.bank.example", NotBefore: time.Now(), Usages: []string{"keyEncipherment"},
	})
	if err != nil {
		log.Fatal(err)
	}
	read := fmt.Sprintf("sha256 Fingerprint=% X", sha256.Sum256(c.Raw))

	what, ok := cert.Match(read, cert.EncodePEM(c), c)
	fmt.Println(ok, what)
	fmt.Println("covers the certificate:", what.CoversCertificate())
	// Output:
	// true SHA-256 of the DER certificate
	// covers the certificate: true
}

func ExampleParseKeyID() {
	id, err := cert.ParseKeyID("BANK-PKE-ACS-Client-2048SHA2-STAG")
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(id.UseCase, id.Component, id.Bits, id.Environment)

	_, err = cert.ParseKeyID("BANK-PKE-acs-Client-2048SHA2-STAG")
	fmt.Println(err)
	// Output:
	// PKE ACS 2048 STAG
	// key ID "BANK-PKE-acs-Client-2048SHA2-STAG": part 3 is "acs": it must be MPI or ACS, in capitals
}
