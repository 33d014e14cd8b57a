package main

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/sealane/sealane"
	"github.com/sealane/sealane/keyfile"
	"github.com/sealane/sealane/keyring"
	"github.com/sealane/sealane/kms"
	"github.com/sealane/sealane/profile"
	"github.com/sealane/sealane/rsaengine"
)

// profileHelp is the help of --profile.
const profileHelp = "the partner's profile: riskos, rdx, or a file (required)"

// laneFlags are the flags that describe a lane.
type laneFlags struct {
	c            *cobra.Command
	profile, env string
	keys, keyIDs []string // ours
	partner      []string // files with the partner's certificates
	partnerIDs   []string // their key IDs
	acceptOAEP   string
	caller       string
	optional     bool // no flag: plain messages pass
	passphrase   func() ([]byte, error)
}

// addLaneFlags adds the flags. The flag for the partner's certificates is named
// partnerFlag.
func addLaneFlags(c *cobra.Command, partnerFlag, partnerHelp string) *laneFlags {
	l := &laneFlags{c: c, passphrase: passphraseFlag(c)}
	f := c.Flags()
	f.StringVar(&l.profile, "profile", "", profileHelp)
	f.StringVar(&l.env, "env", "", "environment (default: the profile's first)")
	f.StringArrayVar(&l.keys, "key", nil, "file with your private key; further ones open too (overlap)")
	f.StringArrayVar(&l.keyIDs, "key-id", nil, "key ID (alias) of your key; once for all keys, or once for each")
	f.StringArrayVar(&l.partner, partnerFlag, nil, partnerHelp)
	f.StringArrayVar(&l.partnerIDs, partnerFlag+"-key-id", nil,
		"key ID (alias) of the partner's certificate; once for all, or once for each")
	f.StringVar(&l.acceptOAEP, "accept-rsa-oaep", "",
		"reason for opening RSA-OAEP (SHA-1) too; only if the profile allows that")
	f.StringVar(&l.caller, "caller", "",
		"how the sender of unsigned messages is known: mutual-tls, oauth2 or unauthenticated (required for rdx)")
	must(c.MarkFlagRequired("profile"))
	must(c.RegisterFlagCompletionFunc("profile",
		cobra.FixedCompletions(profile.Names(), cobra.ShellCompDirectiveDefault)))
	return l
}

// must panics with errors that only a mistake in this program can cause.
func must(err error) {
	if err != nil {
		panic(err)
	}
}

// onlyRDX sets the profile for commands that know no other protocol.
func (l *laneFlags) onlyRDX() {
	must(l.c.Flags().Set("profile", "rdx"))
	l.c.Flags().Lookup("profile").Usage = "rdx, or a profile file made from it"
}

// laneOf returns the lane of a side, as --side names it.
func (l *laneFlags) laneOf(ctx context.Context, side string) (*sealane.Lane, error) {
	switch strings.ToLower(side) {
	case "client":
		return l.lane(ctx, sealane.ClientSide)
	case "server":
		return l.lane(ctx, sealane.ServerSide)
	}
	return nil, &exit{exitUsage, fmt.Errorf("--side %q is neither client nor server", side)}
}

// lane loads keys and certificates, and returns the lane.
func (l *laneFlags) lane(ctx context.Context, side sealane.Side) (*sealane.Lane, error) {
	p, err := profile.Load(l.profile)
	if err != nil {
		return nil, err
	}
	engine, err := chosenEngine(l.c)
	if err != nil {
		return nil, err
	}
	keys, err := l.ourKeys(ctx, engine)
	if err != nil {
		return nil, err
	}
	ours, err := keyring.New(keys...)
	if err != nil {
		return nil, err
	}
	theirs, err := l.theirs(engine)
	if err != nil {
		return nil, err
	}
	config := sealane.Config{
		Profile: p, Environment: l.env, Side: side, Ours: ours, Theirs: theirs,
		AcceptRSAOAEP: l.acceptOAEP, MaxPayload: maxInput,
	}
	if side == sealane.ServerSide {
		config.SenderAuth = sealane.SenderAuth(l.caller)
		if config.SenderAuth == "" && p.Request.Sign == nil {
			return nil, &exit{exitUsage, fmt.Errorf(
				"messages of profile %s are not signed: say how the sender is known, by --caller %s, %s or %s",
				p.Name, sealane.SenderMutualTLS, sealane.SenderOAuth2, sealane.SenderUnauthenticated)}
		}
	}
	if l.optional {
		config.Sealing = sealane.SealingOptional
	}
	return sealane.New(config)
}

// theirs returns the partner's keys.
func (l *laneFlags) theirs(engine *rsaengine.Engine) (*keyring.Ring, error) {
	keys, err := l.theirKeys()
	if err != nil {
		return nil, err
	}
	if err := withPublicOps(engine, keys); err != nil {
		return nil, err
	}
	return keyring.New(keys...)
}

func (l *laneFlags) ourKeys(ctx context.Context, engine *rsaengine.Engine) ([]keyring.Key, error) {
	ids, err := oncePerKey("key-id", l.keyIDs, len(l.keys))
	if err != nil {
		return nil, err
	}
	var keys []keyring.Key
	for i, file := range l.keys {
		opened, err := kms.Open(ctx, file, kms.Options{Passphrase: askPassphrase(l.c, l.passphrase)})
		if err != nil {
			return nil, err
		}
		key := keyring.Key{ID: opened.KeyID, State: stateOf(i)}
		if key.Private, err = engine.PrivateKey(opened.Private); err != nil {
			return nil, fmt.Errorf("key %s: %w", file, err)
		}
		if len(ids) > 0 {
			key.ID = ids[i]
		}
		keys = append(keys, key)
	}
	return keys, nil
}

func (l *laneFlags) theirKeys() ([]keyring.Key, error) {
	ids, err := oncePerKey("key-id of the partner", l.partnerIDs, len(l.partner))
	if err != nil {
		return nil, err
	}
	var keys []keyring.Key
	for i, name := range l.partner {
		file, err := readCertificate(l.c, name)
		if err != nil {
			return nil, err
		}
		key := keyring.Key{ID: file.KeyID, Public: file.PublicKey, State: stateOf(i)}
		if len(ids) > 0 {
			key.ID = ids[i]
		}
		keys = append(keys, key)
	}
	return keys, nil
}

// stateOf returns the state of the i-th key: the first is in use, the others are for
// an overlap.
func stateOf(i int) keyring.State {
	if i == 0 {
		return keyring.Active
	}
	return keyring.Staged
}

// oncePerKey returns the key IDs of n keys, given once for all or once for each. It
// returns none if none is given.
func oncePerKey(flag string, ids []string, n int) ([]string, error) {
	switch len(ids) {
	case 0, n:
		return ids, nil
	case 1:
		return slices.Repeat(ids, n), nil
	}
	err := fmt.Errorf("--%s is given %d times for %d keys: give it once, or once for each", flag, len(ids), n)
	return nil, &exit{exitUsage, err}
}

// readKeyFile reads a certificate or public key in any of the formats. It also returns
// the file's bytes.
func readKeyFile(c *cobra.Command, name string) (*keyfile.File, []byte, error) {
	data, err := readInput(c, name, keyfile.MaxSize)
	if err != nil {
		return nil, nil, err
	}
	file, err := keyfile.Parse(data)
	if err != nil {
		return nil, nil, refused(fmt.Errorf("%s: %w", name, err))
	}
	return file, data, nil
}

// readCertificate is like readKeyFile, but requires an RSA key.
func readCertificate(c *cobra.Command, name string) (*keyfile.File, error) {
	file, _, err := readKeyFile(c, name)
	if err != nil {
		return nil, err
	}
	if file.PublicKey == nil {
		return nil, refused(fmt.Errorf("%s has no RSA key", name))
	}
	return file, nil
}
