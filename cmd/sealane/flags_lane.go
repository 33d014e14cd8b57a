package main

import (
	"context"
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"github.com/sealane/sealane"
	"github.com/sealane/sealane/keyfile"
	"github.com/sealane/sealane/keyring"
	"github.com/sealane/sealane/kms"
	"github.com/sealane/sealane/profile"
	"github.com/sealane/sealane/rsaengine"
)

// laneFlags are the flags that describe a lane.
type laneFlags struct {
	c            *cobra.Command
	profile, env string
	keys, keyIDs []string
	partner      []string
	partnerIDs   []string
	acceptOAEP   string
	caller       string
	optional     bool
	passphrase   func() ([]byte, error)
}

// addLaneFlags adds the flags; partnerFlag is "to" or "from".
func addLaneFlags(c *cobra.Command, partnerFlag, partnerHelp string) *laneFlags {
	l := &laneFlags{c: c, passphrase: passphraseFlag(c)}
	f := c.Flags()
	f.StringVar(&l.profile, "profile", "", "dialect: riskos, rdx, or a profile file (required)")
	f.StringVar(&l.env, "env", "", "environment; default the profile's first")
	f.StringArrayVar(&l.keys, "key", nil, "file with your private key; further ones open too (overlap)")
	f.StringArrayVar(&l.keyIDs, "key-id", nil, "key ID (alias) of your key; once for all keys, or once for each")
	f.StringArrayVar(&l.partner, partnerFlag, nil, partnerHelp)
	f.StringArrayVar(&l.partnerIDs, partnerFlag+"-key-id", nil, "key ID (alias) of the partner's certificate; once for all, or once for each")
	f.StringVar(&l.acceptOAEP, "accept-rsa-oaep", "", "open RSA-OAEP (SHA-1) too, for this reason, where the profile lets a lane do so")
	f.StringVar(&l.caller, "caller", "", "how the sender of unsigned messages is known: mutual-tls, oauth2 or unauthenticated (must be said for rdx)")
	must(c.MarkFlagRequired("profile"))
	must(c.RegisterFlagCompletionFunc("profile", cobra.FixedCompletions(profile.Names(), cobra.ShellCompDirectiveDefault)))
	return l
}

// lane loads keys and certificates and makes the lane.
func (l *laneFlags) lane(ctx context.Context, side sealane.Side) (*sealane.Lane, error) {
	p, err := profile.Load(l.profile)
	if err != nil {
		return nil, err
	}
	ours, err := l.ours(ctx)
	if err != nil {
		return nil, err
	}
	theirs, err := l.theirs()
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
			return nil, &exit{exitUsage, fmt.Errorf("messages of profile %s carry no signature: say how the sender is known, by --caller %s, %s or %s", p.Name, sealane.SenderMutualTLS, sealane.SenderOAuth2, sealane.SenderUnauthenticated)}
		}
	}
	if l.optional {
		config.Sealing = sealane.SealingOptional
	}
	return sealane.New(config)
}

// laneOf is lane with the side as --side names it.
func (l *laneFlags) laneOf(ctx context.Context, side string) (*sealane.Lane, error) {
	switch strings.ToLower(side) {
	case "client":
		return l.lane(ctx, sealane.ClientSide)
	case "server":
		return l.lane(ctx, sealane.ServerSide)
	}
	return nil, &exit{exitUsage, fmt.Errorf("--side %q is neither client nor server", side)}
}

// onlyRDX fixes the profile for commands that know one dialect.
func (l *laneFlags) onlyRDX() {
	must(l.c.Flags().Set("profile", "rdx"))
	l.c.Flags().Lookup("profile").Usage = "rdx, or a profile file made from it"
}

func (l *laneFlags) ours(ctx context.Context) (*keyring.Ring, error) {
	engine, err := chosenEngine(l.c)
	if err != nil {
		return nil, err
	}
	keys, err := l.ourKeys(ctx, engine)
	if err != nil {
		return nil, err
	}
	return keyring.New(keys...)
}

func (l *laneFlags) theirs() (*keyring.Ring, error) {
	keys, err := l.theirKeys()
	if err != nil {
		return nil, err
	}
	engine, err := chosenEngine(l.c)
	if err != nil {
		return nil, err
	}
	if err := withPublicOps(engine, keys); err != nil {
		return nil, err
	}
	return keyring.New(keys...)
}

func (l *laneFlags) ourKeys(ctx context.Context, engine *rsaengine.Engine) ([]keyring.Key, error) {
	var keys []keyring.Key
	for i, file := range l.keys {
		opened, err := kms.Open(ctx, file, kms.Options{Passphrase: askPassphrase(l.c, l.passphrase)})
		if err != nil {
			return nil, err
		}
		private, err := engine.PrivateKey(opened.Private)
		if err != nil {
			return nil, fmt.Errorf("key %s: %w", file, err)
		}
		id, err := nth(l.keyIDs, i, len(l.keys), opened.KeyID, "key-id")
		if err != nil {
			return nil, err
		}
		keys = append(keys, keyring.Key{ID: id, Private: private, State: firstActive(i)})
	}
	return keys, nil
}

func (l *laneFlags) theirKeys() ([]keyring.Key, error) {
	var keys []keyring.Key
	for i, name := range l.partner {
		file, err := readCertificate(l.c, name)
		if err != nil {
			return nil, err
		}
		id, err := nth(l.partnerIDs, i, len(l.partner), file.KeyID, "key-id of the partner")
		if err != nil {
			return nil, err
		}
		keys = append(keys, keyring.Key{ID: id, Public: file.PublicKey, State: firstActive(i)})
	}
	return keys, nil
}

// firstActive makes the first key the one in use; the others are an overlap.
func firstActive(i int) keyring.State {
	if i == 0 {
		return keyring.Active
	}
	return keyring.Staged
}

// nth gives the key ID of the i-th of n keys.
func nth(ids []string, i, n int, fallback, flag string) (string, error) {
	switch len(ids) {
	case 0:
		return fallback, nil
	case 1:
		return ids[0], nil
	case n:
		return ids[i], nil
	}
	return "", &exit{exitUsage, fmt.Errorf("--%s is given %d times for %d keys; give it once, or once for each", flag, len(ids), n)}
}

// readCertificate reads a partner's public part in any of the formats.
func readCertificate(c *cobra.Command, name string) (*keyfile.File, error) {
	data, err := readInput(c, name, 1<<20)
	if err != nil {
		return nil, err
	}
	file, err := keyfile.Parse(data)
	if err != nil {
		return nil, refused(fmt.Errorf("%s: %w", name, err))
	}
	if file.PublicKey == nil {
		return nil, refused(fmt.Errorf("%s holds no RSA key", name))
	}
	return file, nil
}

// must is for what cannot fail but by a mistake in this program.
func must(err error) {
	if err != nil {
		panic(err)
	}
}
