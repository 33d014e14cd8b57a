package keyring_test

import (
	"fmt"
	"log"

	"github.com/sealane/sealane/cert"
	"github.com/sealane/sealane/keyring"
)

// During a rotation the old key and its successor both open; the active one signs.
func ExampleNew() {
	old, err := cert.GenerateKey(2048)
	if err != nil {
		log.Fatal(err)
	}
	successor, err := cert.GenerateKey(2048)
	if err != nil {
		log.Fatal(err)
	}
	ring, err := keyring.New(
		keyring.Key{ID: "2025", State: keyring.Active, Private: old},
		keyring.Key{ID: "2027", State: keyring.Staged, Private: successor},
	)
	if err != nil {
		log.Fatal(err)
	}
	signer, _ := ring.Signer()
	fmt.Println("signs:", signer.ID)
	for _, k := range ring.Openers("2027") {
		fmt.Println("opens:", k.ID, k.State)
	}
	// Output:
	// signs: 2025
	// opens: 2027 staged
	// opens: 2025 active
}
