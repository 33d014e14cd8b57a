package sealane_test

import (
	"context"
	"errors"
	"fmt"
	"log"

	"github.com/sealane/sealane"
	"github.com/sealane/sealane/cert"
	"github.com/sealane/sealane/keyring"
	"github.com/sealane/sealane/profile"
)

// A customer seals a request, and the provider opens it.
func Example() {
	riskos, err := profile.Load("riskos")
	if err != nil {
		log.Fatal(err)
	}
	customerKey, err := cert.GenerateKey(2048) // any crypto.Signer and crypto.Decrypter will do
	if err != nil {
		log.Fatal(err)
	}
	providerKey, err := cert.GenerateKey(2048)
	if err != nil {
		log.Fatal(err)
	}
	lane := func(side sealane.Side, ours, theirs keyring.Key) *sealane.Lane {
		c := sealane.Config{Profile: riskos, Side: side, Environment: "PROD"}
		if c.Ours, err = keyring.New(ours); err != nil {
			log.Fatal(err)
		}
		if c.Theirs, err = keyring.New(theirs); err != nil {
			log.Fatal(err)
		}
		l, err := sealane.New(c)
		if err != nil {
			log.Fatal(err)
		}
		return l
	}
	customer := lane(sealane.ClientSide,
		keyring.Key{State: keyring.Active, ID: "c-1", Private: customerKey},
		keyring.Key{State: keyring.Active, ID: "p-1", Public: &providerKey.PublicKey})
	provider := lane(sealane.ServerSide,
		keyring.Key{State: keyring.Active, ID: "p-1", Private: providerKey},
		keyring.Key{State: keyring.Active, ID: "c-1", Public: &customerKey.PublicKey})

	token, err := customer.Seal(context.Background(), []byte(`{"amount":1.10}`))
	if err != nil {
		log.Fatal(err)
	}
	request, err := provider.Open(context.Background(), token)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Printf("%s, signed by %s\n", request.Payload(), request.Signer().ID)

	// The response is sealed with the keys that the request shows to be in use.
	token, err = provider.SealReply(context.Background(), request, []byte(`{"decision":"ACCEPT"}`))
	if err != nil {
		log.Fatal(err)
	}
	response, err := customer.Open(context.Background(), token)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Printf("%s, signed by %s\n", response.Payload(), response.Signer().ID)

	// A token that was changed on its way opens nowhere.
	token[len(token)-1] ^= 1
	_, err = customer.Open(context.Background(), token)
	fmt.Println(errors.Is(err, sealane.ErrDecryption) || errors.Is(err, sealane.ErrNotJWE))
	// Output:
	// {"amount":1.10}, signed by c-1
	// {"decision":"ACCEPT"}, signed by p-1
	// true
}
