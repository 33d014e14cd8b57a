package main

import (
	"context"
	"errors"
	"log/slog"
	"net/http"
	"os"
	"path/filepath"
	"time"

	"github.com/sealane/sealane"
	"github.com/sealane/sealane/cert"
	"github.com/sealane/sealane/keyfile"
	"github.com/sealane/sealane/keyring"
	"github.com/sealane/sealane/kms"
	"github.com/sealane/sealane/profile"
	"github.com/sealane/sealane/sealhttp"
)

// party is one side's key and certificate in a folder of its own.
type party struct {
	key                        keyring.Private
	keyID                      string
	keyFile, certFile, jwkFile string
	certificate                *keyfile.File

	name    string
	company *company // whose registry has the key pair, in the demo
	pair    string   // its identity there
}

// loadOrMakeParty gives the party of that name in dir; its key and certificate
// are made where there are none.
func loadOrMakeParty(ctx context.Context, p *profile.Profile, dir, name, env string) (*party, error) {
	set := &certSet{
		dir: filepath.Join(dir, name), profile: p, environment: env,
		request: cert.Request{CommonName: name + ".sandbox.example", Organization: "Sealane sandbox", Unit: name, Email: name + "@sandbox.example", NotBefore: time.Now()},
	}
	if _, err := os.Stat(set.keyFile()); errors.Is(err, os.ErrNotExist) {
		if err := set.create(p.Keys.Bits); err != nil {
			return nil, err
		}
	}
	return loadParty(ctx, set)
}

// loadParty reads back what certSet wrote, as a user of the files would.
func loadParty(ctx context.Context, set *certSet) (*party, error) {
	opened, err := kms.Open(ctx, set.keyFile(), kms.Options{})
	if err != nil {
		return nil, err
	}
	party := &party{key: opened.Private, keyID: set.keyID, keyFile: set.keyFile(), certFile: set.file(".pem"), jwkFile: set.file(".jwk")}
	data, err := os.ReadFile(party.certFile)
	if err != nil {
		return nil, err
	}
	if party.certificate, err = keyfile.Read(data); err != nil {
		return nil, err
	}
	if party.keyID == "" {
		party.keyID = cert.ThumbprintJWK(party.certificate.PublicKey)
	}
	if _, err := os.Stat(party.jwkFile); errors.Is(err, os.ErrNotExist) {
		jwk, err := keyfile.EncodeJWK(party.certificate.PublicKey, party.keyID, "")
		if err != nil {
			return nil, err
		}
		return party, writeNew(party.jwkFile, jwk, 0o644)
	}
	return party, nil
}

// issuerHandler puts an ingress lane in front of an issuer's service.
func issuerHandler(lane *sealane.Lane, service http.Handler, log *slog.Logger) http.Handler {
	return &sealhttp.Handler{
		Lane: func(*http.Request) (*sealane.Lane, error) { return lane, nil },
		Next: service,
		Log:  log,
	}
}
