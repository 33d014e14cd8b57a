package sandbox

import (
	"crypto/rsa"

	"github.com/sealane/sealane"
	"github.com/sealane/sealane/keyring"
)

// End is the key pair of one end of a lane, and its key ID.
type End struct {
	Key *rsa.PrivateKey
	ID  string
}

// Ends makes both ends of a lane, each with its own private key and the other's public key.
// The config has the profile, the environment and the partner. Neither end knows who sends
// messages that are not signed: the client trusts TLS, and the server accepts everyone.
func Ends(config sealane.Config, client, server End) (ofClient, ofServer *sealane.Lane, err error) {
	config.Side, config.SenderAuth = sealane.ClientSide, sealane.SenderTLS
	if ofClient, err = end(config, client, server); err != nil {
		return nil, nil, err
	}
	config.Side, config.SenderAuth = sealane.ServerSide, sealane.SenderUnauthenticated
	ofServer, err = end(config, server, client)
	return ofClient, ofServer, err
}

func end(config sealane.Config, ours, theirs End) (l *sealane.Lane, err error) {
	if config.Ours, err = keyring.New(keyring.Key{State: keyring.Active, ID: ours.ID, Private: ours.Key}); err != nil {
		return nil, err
	}
	config.Theirs, err = keyring.New(keyring.Key{State: keyring.Active, ID: theirs.ID, Public: &theirs.Key.PublicKey})
	if err != nil {
		return nil, err
	}
	return sealane.New(config)
}
