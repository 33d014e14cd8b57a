package rsaengine_test

import (
	"crypto/rand"
	"crypto/rsa"
	"fmt"
	"log"

	"github.com/sealane/sealane/keyring"
	"github.com/sealane/sealane/rsaengine"
)

func Example() {
	ourKey, err := rsa.GenerateKey(rand.Reader, 2048) // in practice by kms.Open
	if err != nil {
		log.Fatal(err)
	}
	partnerKey, err := rsa.GenerateKey(rand.Reader, 2048) // in practice from a certificate
	if err != nil {
		log.Fatal(err)
	}

	engine, err := rsaengine.Select(rsaengine.Auto)
	if err != nil {
		log.Fatal(err)
	}
	log.Println("RSA by", engine) // an auditor may ask for it

	private, err := engine.PrivateKey(ourKey)
	if err != nil {
		log.Fatal(err)
	}
	ours, err := keyring.New(keyring.Key{State: keyring.Active, ID: "ours", Private: private})
	if err != nil {
		log.Fatal(err)
	}
	ops, err := engine.PublicOps(&partnerKey.PublicKey)
	if err != nil {
		log.Fatal(err)
	}
	theirs, err := keyring.New(keyring.Key{
		State: keyring.Active, ID: "theirs", Public: &partnerKey.PublicKey, PublicOps: ops,
	})
	if err != nil {
		log.Fatal(err)
	}
	// Both rings go into the Config of a lane.
	fmt.Println(len(ours.Keys()), len(theirs.Keys()))
	// Output: 1 1
}

func ExampleSelect() {
	engine, err := rsaengine.Select(rsaengine.Go)
	fmt.Println(engine, err)
	_, err = rsaengine.Select("fastest")
	fmt.Println(err)
	// Output:
	// Go crypto/rsa (as chosen) <nil>
	// unknown RSA engine "fastest": choose auto, go, openssl, multibuffer or multibuffer:PATH
}
