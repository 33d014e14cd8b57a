// Command outside seals a message with a key of a store that is not a part of Sealane, and opens it
// with another.
package main

import (
	"context"
	"crypto/rsa"
	"fmt"
	"log"

	_ "example.com/outside/softstore"
	"github.com/sealane/sealane"
	"github.com/sealane/sealane/keyring"
	"github.com/sealane/sealane/kms"
	"github.com/sealane/sealane/profile"
)

func main() {
	ctx := context.Background()
	customer, provider := openKey(ctx, "softstore:customer"), openKey(ctx, "softstore:provider")
	token, err := newLane(sealane.ClientSide, customer, provider).Seal(ctx, []byte(`{"id":"1"}`))
	if err != nil {
		log.Fatal(err)
	}
	message, err := newLane(sealane.ServerSide, provider, customer).Open(ctx, token)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Printf("%s\n", message.Payload())
}

func openKey(ctx context.Context, uri string) *kms.Key {
	key, err := kms.Open(ctx, uri, kms.Options{})
	if err != nil {
		log.Fatal(err)
	}
	return key
}

func newLane(side sealane.Side, our, their *kms.Key) *sealane.Lane {
	riskos, err := profile.Load("riskos")
	if err != nil {
		log.Fatal(err)
	}
	ours, err := keyring.New(keyring.Key{State: keyring.Active, ID: our.KeyID, Private: our.Private})
	if err != nil {
		log.Fatal(err)
	}
	public := their.Private.Public().(*rsa.PublicKey)
	theirs, err := keyring.New(keyring.Key{State: keyring.Active, ID: their.KeyID, Public: public})
	if err != nil {
		log.Fatal(err)
	}
	lane, err := sealane.New(sealane.Config{Profile: riskos, Side: side, Ours: ours, Theirs: theirs})
	if err != nil {
		log.Fatal(err)
	}
	return lane
}
