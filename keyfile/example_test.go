package keyfile_test

import (
	"errors"
	"fmt"
	"log"
	"time"

	"github.com/sealane/sealane/cert"
	"github.com/sealane/sealane/keyfile"
)

// A partner sends a certificate as .p7b.
func ExampleParse() {
	key, err := cert.GenerateKey(2048)
	if err != nil {
		log.Fatal(err)
	}
	made, err := cert.Create(key, cert.Template{
		CommonName: "rdx.bank.example", NotBefore: time.Now(), Usages: []string{"keyEncipherment"},
	})
	if err != nil {
		log.Fatal(err)
	}
	data, err := keyfile.EncodePKCS7DER(made)
	if err != nil {
		log.Fatal(err)
	}

	file, err := keyfile.Parse(data)
	if err != nil {
		log.Fatal(err)
	}
	leaf := file.Certificates[0]
	fmt.Printf("%s of %s\n", file.Format, leaf.Subject)
	fmt.Println("refused:", cert.Check(leaf, cert.Policy{}, time.Now()).Refused())
	// Output:
	// PKCS#7 in DER of CN=rdx.bank.example
	// refused: false
}

// A partner sends the private key together with the certificate. Parse refuses the
// file, and FindPrivateKeys says which keys to block.
func ExampleFindPrivateKeys() {
	key, err := cert.GenerateKey(2048)
	if err != nil {
		log.Fatal(err)
	}
	certificate, err := cert.Create(key, cert.Template{
		CommonName: "rdx.bank.example", NotBefore: time.Now(), Usages: []string{"keyEncipherment"},
	})
	if err != nil {
		log.Fatal(err)
	}
	private, err := keyfile.EncodePrivate(key, nil)
	if err != nil {
		log.Fatal(err)
	}
	mail := append(private, cert.EncodePEM(certificate)...)

	_, err = keyfile.Parse(mail)
	_, leaked := errors.AsType[*keyfile.PrivateKeyError](err)
	fmt.Println("leaked:", leaked)

	for _, leak := range keyfile.FindPrivateKeys(mail) {
		if leak.PublicKey.IsZero() {
			fmt.Println(leak.Kind, "of an unknown pair; any of these:", keyfile.FindPublicKeys(mail))
			continue
		}
		certain := leak.PublicKey == keyfile.FindPublicKeys(mail)[0]
		fmt.Printf("%s; it is the certificate's: %v\n", leak.Kind, certain)
	}
	// Output:
	// leaked: true
	// a private key in PEM (PRIVATE KEY); it is the certificate's: true
}

// A key file may be encrypted. The passphrase is needed only then.
func ExampleParsePrivateAsk() {
	key, err := cert.GenerateKey(2048)
	if err != nil {
		log.Fatal(err)
	}
	data, err := keyfile.EncodePrivate(key, []byte("correct horse battery staple"))
	if err != nil {
		log.Fatal(err)
	}
	again, info, err := keyfile.ParsePrivateAsk(data, func() ([]byte, error) {
		fmt.Println("Passphrase:")
		return []byte("correct horse battery staple"), nil
	})
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(info.Format, again.Equal(key))
	// Output:
	// Passphrase:
	// encrypted PKCS#8 true
}
