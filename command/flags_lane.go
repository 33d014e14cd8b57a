package command

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/sealane/sealane"
	"github.com/sealane/sealane/cert"
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
	acceptKeys   string // reason to use keys that a check refuses
	caller       string
	optional     bool // no flag: plain messages pass
	calls        bool // no flag: responses come from the server that is called
	opensNothing bool // no flag: the command only seals
	passphrase   func() ([]byte, error)
}

// addLaneFlags adds the flags. The flag for the partner's certificates is named
// partnerFlag.
func addLaneFlags(c *cobra.Command, partnerFlag, partnerHelp string) *laneFlags {
	l := &laneFlags{c: c, passphrase: passphraseFlag(c)}
	f := c.Flags()
	f.StringVar(&l.profile, "profile", "", profileHelp)
	f.StringVar(
		&l.env, "env", "", "environment (default: that of the key ID, if it names one, else the profile's first)",
	)
	f.StringArrayVar(&l.keys, "key", nil, "file with your private key; further ones open too (overlap)")
	f.StringArrayVar(&l.keyIDs, "key-id", nil, "key ID (alias) of your key; once for all keys, or once for each")
	f.StringArrayVar(&l.partner, partnerFlag, nil, partnerHelp)
	f.StringArrayVar(&l.partnerIDs, partnerFlag+"-key-id", nil,
		"key ID (alias) of the partner's certificate; once for all, or once for each")
	f.StringVar(&l.acceptOAEP, "accept-rsa-oaep", "",
		"reason for opening RSA-OAEP (SHA-1) too; only if the profile allows that")
	f.StringVar(
		&l.caller,
		"caller",
		"",
		"how the sender of unsigned messages is known: mutual-tls, oauth2, unauthenticated, or tls on the client's "+
			"side",
	)
	f.StringVar(
		&l.acceptKeys,
		"accept-certificate",
		"",
		"reason for using a certificate that has expired, is a CA's or is for other uses, or a key ID of "+
			"another environment",
	)
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
		Profile:       p,
		Environment:   cmp.Or(l.env, environmentOf(p, append(ours.Keys(), theirs.Keys()...))),
		Side:          side,
		Ours:          ours,
		Theirs:        theirs,
		AcceptRSAOAEP: l.acceptOAEP,
		MaxPayload:    maxInput,
	}
	if config.SenderAuth, err = l.senderAuth(p, side); err != nil {
		return nil, err
	}
	if l.optional {
		config.Sealing = sealane.SealingOptional
	}
	lane, err := sealane.New(config)
	if err != nil {
		return nil, err
	}
	return lane, l.checkKeys(lane)
}

// environmentOf returns the environment that a six-part key ID names, or "".
func environmentOf(p *profile.Profile, keys []keyring.Key) string {
	for _, k := range keys {
		id, err := cert.ParseKeyID(k.ID)
		if err == nil && p.Certificate.KeyIDFormat == cert.KeyIDSixPart &&
			slices.Contains(p.Environments, id.Environment) {
			return id.Environment
		}
	}
	return ""
}

// senderAuth returns how the sender of unsigned messages is known.
func (l *laneFlags) senderAuth(p *profile.Profile, side sealane.Side) (sealane.SenderAuth, error) {
	inbound, way := p.Request, sealane.SenderOAuth2
	if side == sealane.ClientSide {
		inbound, way = p.Response, sealane.SenderTLS
	}
	if l.caller != "" || !inbound.Sealed() || inbound.Sign != nil {
		return sealane.SenderAuth(l.caller), nil
	}
	switch {
	case l.opensNothing:
		return sealane.SenderUnauthenticated, nil
	case side == sealane.ClientSide && l.calls:
		return sealane.SenderTLS, nil
	}
	return "", &exit{exitUsage, fmt.Errorf("messages to the %s of profile %s are encrypted but not signed: "+
		"say how the sender is known, by --caller %s, %s or %s",
		side, p.Name, sealane.SenderMutualTLS, way, sealane.SenderUnauthenticated)}
}

// checkKeys refuses a lane whose keys should not be used, unless a reason is given.
func (l *laneFlags) checkKeys(lane *sealane.Lane) error {
	problems := lane.CheckKeys(time.Now())
	if len(problems) == 0 || strings.TrimSpace(l.acceptKeys) != "" {
		return nil
	}
	var all []error
	for _, p := range problems {
		all = append(all, p)
	}
	return refused(
		fmt.Errorf(
			"%s: %w\nTo use it all the same, say why: --accept-certificate REASON", lane.Name(), errors.Join(all...),
		),
	)
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
		opened, err := kms.Open(
			ctx, file, kms.Options{Passphrase: askPassphrase(l.c, l.passphrase), Warn: warnTo(l.c)},
		)
		if err != nil {
			return nil, err
		}
		key := keyring.Key{ID: opened.KeyID, State: stateOf(i)}
		if key.Private, err = engine.PrivateKey(opened.Private); err != nil {
			return nil, fmt.Errorf("key %s: %w", kms.Name(file), err)
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
		if len(file.Certificates) > 0 {
			key.Certificate = file.Certificates[0]
		}
		if len(ids) > 0 {
			key.ID = ids[i]
		}
		keys = append(keys, key)
	}
	return keys, nil
}

// warnTo writes warnings to a command's standard error.
func warnTo(c *cobra.Command) func(string) {
	return func(text string) { fmt.Fprintln(c.ErrOrStderr(), "sealane: warning:", printableLines(text)) }
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
