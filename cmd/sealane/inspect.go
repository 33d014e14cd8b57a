package main

import (
	"context"
	"crypto/rsa"
	"os"
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"

	"github.com/sealane/sealane"
	"github.com/sealane/sealane/cert"
	"github.com/sealane/sealane/internal/inspect"
	"github.com/sealane/sealane/profile"
)

func newInspect() *cobra.Command {
	c := &cobra.Command{
		Use:   "inspect [TOKEN | FILE | -]",
		Short: "Explain a message: what it is, what is wrong with it, what to do",
		Long: `Inspect explains any JWE or JWS, bare or in a body, from the command line, a FILE, or
standard input: its parts, headers and lengths, and the verdict of each profile,
rule by rule. It needs no key for that.

With your private key (--key) it says which key opens it, or which layer fails and
the likely reason; with the partner's certificate (--from), who signed it. Give all
the keys you have: a key of another environment is named as such.

The payload is not shown unless you ask for it (--reveal). The exit code is 3 where
a fault was found, and 4 for an error answer of a partner. docs/faults.md lists all
fault codes.`,
		Example: `  sealane inspect @token
  sealane inspect --profile rdx --key stag.key --key prod.key --key-id …-STAG --key-id …-PROD @message
  curl … | sealane inspect --json -`,
		Args: cobra.MaximumNArgs(1),
	}
	flags := &laneFlags{c: c, passphrase: passphraseFlag(c)}
	f := c.Flags()
	f.StringVar(&flags.profile, "profile", "", "dialect to hold it against: riskos, rdx, or a profile file (default: all)")
	f.StringArrayVar(&flags.keys, "key", nil, "file with a private key of yours; give all that may be meant")
	f.StringArrayVar(&flags.keyIDs, "key-id", nil, "key ID (alias) of your key; once for all keys, or once for each")
	f.StringArrayVar(&flags.partner, "from", nil, "certificate of a partner, in any format; give all that may be meant")
	f.StringArrayVar(&flags.partnerIDs, "from-key-id", nil, "key ID of the partner's certificate; once for all, or once for each")
	f.StringVar(&flags.acceptOAEP, "accept-rsa-oaep", "", "the lane's reason for opening RSA-OAEP (SHA-1)")
	reveal := f.Bool("reveal", false, "show the payload")
	asJSON := f.Bool("json", false, "write JSON")
	c.RunE = func(c *cobra.Command, args []string) error {
		data, err := tokenArgument(c, first(args))
		if err != nil {
			return err
		}
		options, err := flags.inspection(c.Context())
		if err != nil {
			return err
		}
		options.Reveal = *reveal
		report := inspect.Examine(data, options)
		if *asJSON {
			err = writeJSON(c.OutOrStdout(), report)
		} else {
			err = report.WriteText(c.OutOrStdout(), isTerminal(c.OutOrStdout()))
		}
		switch {
		case err != nil:
			return err
		case report.Fault != "":
			return refused(nil)
		case report.Kind == inspect.KindAnswer:
			return &exit{exitPartner, nil}
		}
		return nil
	}
	return c
}

// tokenArgument reads a token that stands on the command line, in a file, or on
// standard input.
func tokenArgument(c *cobra.Command, arg string) ([]byte, error) {
	name, isFile := strings.CutPrefix(arg, "@")
	if info, err := os.Stat(arg); err == nil && info.Mode().IsRegular() {
		isFile = true // a token that is a file's name is hardly a token
	}
	if isFile || arg == "" || arg == "-" {
		return readInput(c, name, maxToken())
	}
	return []byte(arg), nil
}

// maxToken is what a payload of maxInput becomes when it is sealed.
func maxToken() int {
	p, err := profile.Load("riskos")
	must(err)
	l, err := sealane.New(sealane.Config{Profile: p, Side: sealane.ClientSide, MaxPayload: maxInput})
	must(err)
	return l.MaxToken()
}

// inspection loads what the flags name.
func (l *laneFlags) inspection(ctx context.Context) (inspect.Options, error) {
	o := inspect.Options{AcceptRSAOAEP: l.acceptOAEP != ""}
	names := profile.Names()
	if l.profile != "" {
		names = []string{l.profile}
	}
	for _, name := range names {
		p, err := profile.Load(name)
		if err != nil {
			return o, err
		}
		o.Profiles = append(o.Profiles, p)
	}
	// No rings are made: a doctor takes keys that no lane would, and tries with them
	// what OpenSSL's keys are not asked for.
	ours, err := l.ourKeys(ctx, nil)
	if err != nil {
		return o, err
	}
	for i, k := range ours {
		public, _ := k.Private.Public().(*rsa.PublicKey) // kms gives no others
		o.Ours = append(o.Ours, inspect.Key{Name: filepath.Base(l.keys[i]), ID: k.ID, Environment: environmentOf(k.ID), Private: k.Private, Public: public})
	}
	theirs, err := l.theirKeys()
	if err != nil {
		return o, err
	}
	for i, k := range theirs {
		o.Theirs = append(o.Theirs, inspect.Key{Name: filepath.Base(l.partner[i]), ID: k.ID, Environment: environmentOf(k.ID), Public: k.Public})
	}
	return o, nil
}

// environmentOf is the environment in a six-part key ID, where it is one.
func environmentOf(keyID string) string {
	id, err := cert.ParseKeyID(keyID)
	if err != nil {
		return ""
	}
	return id.Environment
}
