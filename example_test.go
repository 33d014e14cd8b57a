package sealane_test

import (
	"context"
	"errors"
	"fmt"
	"log"
	"net/http"
	"strings"

	"github.com/sealane/sealane"
	"github.com/sealane/sealane/cert"
	"github.com/sealane/sealane/keyring"
	"github.com/sealane/sealane/profile"
	"github.com/sealane/sealane/sealhttp"
)

// A customer seals, a provider opens.
func Example() {
	riskos, err := profile.Load("riskos")
	if err != nil {
		log.Fatal(err)
	}
	customerKey, err := cert.GenerateKey(2048) // any crypto.Signer and crypto.Decrypter will do, such as an HSM's
	if err != nil {
		log.Fatal(err)
	}
	providerKey, err := cert.GenerateKey(2048)
	if err != nil {
		log.Fatal(err)
	}
	lane := func(side sealane.Side, ours, theirs keyring.Key) *sealane.Lane {
		ourRing, err := keyring.New(ours)
		if err != nil {
			log.Fatal(err)
		}
		theirRing, err := keyring.New(theirs)
		if err != nil {
			log.Fatal(err)
		}
		l, err := sealane.New(sealane.Config{Profile: riskos, Side: side, Environment: "PROD", Ours: ourRing, Theirs: theirRing})
		if err != nil {
			log.Fatal(err)
		}
		return l
	}
	customer := lane(sealane.ClientSide, keyring.Key{State: keyring.Active, ID: "c-1", Private: customerKey}, keyring.Key{State: keyring.Active, ID: "p-1", Public: &providerKey.PublicKey})
	provider := lane(sealane.ServerSide, keyring.Key{State: keyring.Active, ID: "p-1", Private: providerKey}, keyring.Key{State: keyring.Active, ID: "c-1", Public: &customerKey.PublicKey})

	token, err := customer.Seal(context.Background(), []byte(`{"amount":1.10}`))
	if err != nil {
		log.Fatal(err)
	}
	message, err := provider.Open(context.Background(), token)
	if err != nil {
		log.Fatal(err)
	}
	if verified, ok := message.(*sealane.Verified); ok {
		fmt.Printf("%s, signed by %s\n", verified.Payload(), verified.Signer().ID)
	}
	// Output: {"amount":1.10}, signed by c-1
}

// A customer's HTTP client: the application sees plain JSON both ways.
func Example_client() {
	var lane *sealane.Lane // as above, of the side Client
	client := &http.Client{Transport: &sealhttp.Transport{Lane: lane}}
	answer, err := client.Post("https://riskos.example/api/evaluation", "application/json", strings.NewReader(`{"id":"r-1"}`))
	switch {
	case errors.Is(err, sealane.ErrMayBeProcessed): // ask for its result; do not send it again blindly
	case errors.Is(err, sealane.ErrNotSupported): // the certificate exchange is not finished
	case err == nil:
		answer.Body.Close()
	}
}

// An issuer's ingress: the service behind it sees plain JSON.
func Example_server() {
	var lane *sealane.Lane // of the side Server
	service := http.NewServeMux()
	ingress := &sealhttp.Handler{
		Lane: func(*http.Request) (*sealane.Lane, error) { return lane, nil },
		Next: service,
	}
	fmt.Printf("%T\n", ingress)
	// Output: *sealhttp.Handler
}
