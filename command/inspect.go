package command

import (
	"context"
	"crypto/rsa"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/sealane/sealane"
	"github.com/sealane/sealane/cert"
	"github.com/sealane/sealane/internal/inspect"
	"github.com/sealane/sealane/keyring"
	"github.com/sealane/sealane/kms"
	"github.com/sealane/sealane/profile"
)

func newInspect() *cobra.Command {
	c := &cobra.Command{
		Use:   "inspect [TOKEN | FILE | -]",
		Short: "Explain a message: what it is, what is wrong with it, what to do",
		Long: `Inspect explains any JWE or JWS, alone or in a body, from the command line, a FILE,
or standard input: its parts, headers and lengths, and which rules of each profile it
breaks. It needs no key for that.

With your private keys (--key) it says which one opens the message, or what fails and
the likely reason. With the partner's certificates (--from) it says who signed it. Give
all the keys that you have: inspect says if a key is one of another environment.

The payload is shown only with --reveal. The exit code is 3 if a fault was found, and
4 for a partner's error answer. docs/faults.md lists all fault codes.`,
		Example: `  sealane inspect @token
  sealane inspect --profile rdx --key stag.key --key prod.key \
      --key-id …-STAG --key-id …-PROD @message
  curl … | sealane inspect --json -`,
		Args: cobra.MaximumNArgs(1),
	}
	flags := &laneFlags{c: c, passphrase: passphraseFlag(c)}
	f := c.Flags()
	f.StringVar(&flags.profile, "profile", "", "profile to check against: riskos, rdx, or a file (default: all)")
	f.StringArrayVar(&flags.keys, "key", nil, "file with a private key of yours; give all that may be the right one")
	f.StringArrayVar(&flags.keyIDs, "key-id", nil, "key ID (alias) of your key; once for all keys, or once for each")
	f.StringArrayVar(&flags.partner, "from", nil,
		"certificate of a partner, in any format; give all that may be the right one")
	f.StringArrayVar(&flags.partnerIDs, "from-key-id", nil,
		"key ID of the partner's certificate; once for all, or once for each")
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

// tokenArgument returns a token from the command line, a file, or standard input.
func tokenArgument(c *cobra.Command, arg string) ([]byte, error) {
	name, isFile := strings.CutPrefix(arg, "@")
	if info, err := os.Stat(arg); err == nil && info.Mode().IsRegular() {
		isFile = true // a token is hardly ever the name of a file
	}
	if isFile || arg == "" || arg == "-" {
		return readInput(c, name, maxToken())
	}
	if isFileName(arg) {
		return nil, fmt.Errorf("there is no file %s; what is not a file is taken for a token, which begins with eyJ",
			printable(arg))
	}
	return []byte(arg), nil
}

// isFileName reports whether an argument was more likely meant as the name of a file than as a
// message: it is short, and has nothing of a token or of JSON.
func isFileName(arg string) bool {
	const longest = 255 // of a file's name
	name := filepath.Base(arg)
	extensions := []string{".txt", ".json", ".jwe", ".jws", ".jwt", ".log", ".bin", ".har", ".xml", ".eml", ".msg"}
	return slices.Contains(extensions, strings.ToLower(filepath.Ext(name))) ||
		len(name) <= longest && !strings.ContainsAny(arg, "{}\"'\n\r\t=%+") && !strings.HasPrefix(arg, "ey") &&
			strings.Count(name, ".") < 2 && !strings.Contains(arg, " ")
}

// maxToken returns the length of the longest token, of a payload of maxInput.
func maxToken() int {
	p, err := profile.Load("riskos")
	must(err)
	l, err := sealane.New(sealane.Config{Profile: p, Side: sealane.ClientSide, MaxPayload: maxInput})
	must(err)
	return l.MaxToken()
}

// inspection loads the profiles, keys and certificates that the flags name.
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
	// Inspect accepts keys that no lane would accept, and tries operations that no lane
	// needs. So it uses no keyrings, and keys without an RSA engine.
	ours, err := l.ourKeys(ctx, nil)
	if err != nil {
		return o, err
	}
	for i, k := range ours {
		public, ok := k.Private.Public().(*rsa.PublicKey)
		if !ok {
			return o, fmt.Errorf("key %s is not an RSA key", kms.Name(l.keys[i]))
		}
		key := inspectKey(l.keys[i], k)
		key.Public = public
		o.Ours = append(o.Ours, key)
	}
	theirs, err := l.theirKeys()
	if err != nil {
		return o, err
	}
	for i, k := range theirs {
		o.Theirs = append(o.Theirs, inspectKey(l.partner[i], k))
	}
	return o, nil
}

// inspectKey names a key by its file, and by the environment in its key ID if that has
// six parts.
func inspectKey(file string, k keyring.Key) inspect.Key {
	key := inspect.Key{Name: filepath.Base(kms.Name(file)), ID: k.ID, Private: k.Private, Public: k.Public}
	if id, err := cert.ParseKeyID(k.ID); err == nil {
		key.Environment = id.Environment
	}
	return key
}
