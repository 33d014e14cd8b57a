package command

import (
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"github.com/sealane/sealane/internal/operation"
	"github.com/sealane/sealane/internal/pasted"
	"github.com/sealane/sealane/internal/readlimit"
	"github.com/sealane/sealane/internal/secretfile"
)

func partnerAPIKey() *cobra.Command {
	var in operation.NewAPIKey
	var revoke, relabel, file string
	var convert bool
	c := &cobra.Command{
		Use:   "apikey PARTNER ENVIRONMENT",
		Short: "Make or import an API key for a partner that calls you, relabel or revoke one",
		Long: `Apikey makes a key with 160 random bits. It is shown once; the registry stores an HMAC
of it, with a key that the root key encrypts. Several keys may be valid at a time, so
that the partner can change without an interruption: make the second, have it
installed, revoke the first.

--import takes over a key that the partner has already, from a file, or with - from
standard input or the keyboard. It must have 112 random bits behind its first four
characters. In production a second person approves it: run the same command again
after that.

--convert converts the keys that an earlier version has stored, once. An administrator
runs it again when all programs have the new version; that removes the old form.`,
		Example: `  sealane partner apikey acme PROD --sealing required --label "batch system"
  sealane partner apikey acme PROD --sealing required --import acme.apikey
  sealane partner apikey --relabel a-7k2m4q6z3x --label "night batch"
  sealane partner apikey --revoke a-7k2m4q6z3x --reason "left in a mail"`,
		Args: cobra.MaximumNArgs(2),
	}
	flags := registryVerb(c)
	asksWhy(c)
	f := c.Flags()
	f.StringVar(&in.Label, "label", "", "what the key is for")
	f.StringVar((*string)(&in.Sealing), "sealing", "", "required or optional (required for a new key)")
	f.StringVar(&file, "import", "", "file with a key that the partner has already, or - to be asked for it")
	f.StringVar(&revoke, "revoke", "", "identity of the key to revoke")
	f.StringVar(&relabel, "relabel", "", "identity of a key that gets another --label")
	f.BoolVar(&convert, "convert", false, "convert the keys that an earlier version has stored")
	c.MarkFlagsMutuallyExclusive("revoke", "relabel", "import", "convert")
	input := func(_ *cobra.Command, args []string) (operation.NewAPIKey, error) {
		if len(args) != 2 {
			return in, usage("name the partner and the environment")
		}
		in.Partner, in.Environment = args[0], args[1]
		return in, nil
	}
	issue := does(flags, operation.IssueAPIKey, input, func(c *cobra.Command, k operation.IssuedAPIKey) error {
		return say(c, "%s\n\nThis is API key %s of %s in %s. It is not shown again: transmit it securely.",
			k.Key, k.ID, k.Partner, k.Environment)
	})
	imported := func(c *cobra.Command, args []string) (all operation.ImportedAPIKey, err error) {
		if all.NewAPIKey, err = input(c, args); err == nil {
			all.Key, err = askAPIKey(c, file)
		}
		return all, err
	}
	take := does(flags, operation.ImportAPIKey, imported, func(c *cobra.Command, k operation.APIKey) error {
		return say(c, "The key %s… is API key %s of %s in %s.", k.Prefix, k.ID, k.Partner, k.Environment)
	})
	key := func(*cobra.Command, []string) (operation.ID, error) { return operation.ID{ID: revoke}, nil }
	end := does(flags, operation.RevokeAPIKey, key, func(c *cobra.Command, _ operation.None) error {
		return say(c, "API key %s is revoked.", revoke)
	})
	label := func(*cobra.Command, []string) (operation.APIKeyLabel, error) {
		return operation.APIKeyLabel{ID: relabel, Label: in.Label}, nil
	}
	name := does(flags, operation.LabelAPIKey, label, func(c *cobra.Command, k operation.APIKeyLabel) error {
		return say(c, "The label of API key %s is now %s.", k.ID, cellText(k.Label))
	})
	all := does(flags, operation.ConvertAPIKeys, nothing, sayConverted)
	c.RunE = func(c *cobra.Command, args []string) error {
		alone := revoke != "" || relabel != "" || convert
		switch {
		case alone && len(args) > 0:
			return usage("this needs neither a partner nor an environment: leave them out")
		case revoke != "":
			return end(c, args)
		case relabel != "":
			return name(c, args)
		case convert:
			return all(c, args)
		case c.Flags().Changed("import"):
			return take(c, args)
		}
		return issue(c, args)
	}
	return c
}

// askAPIKey returns an API key from a file, standard input or the keyboard.
func askAPIKey(c *cobra.Command, file string) (string, error) {
	if file == "" {
		return "", usage("--import needs a file, or - for standard input")
	}
	if file == "-" {
		data, err := askSecret(c, "API key: ")
		return strings.TrimSpace(string(pasted.Secret(data))), err
	}
	data, err := secretfile.Read(file, maxSecret)
	if err != nil {
		err = fmt.Errorf("API key file %s: %w", readlimit.Shown(file), err)
	}
	return strings.TrimSpace(string(pasted.Secret(data))), err
}

func sayConverted(c *cobra.Command, out operation.ConvertedAPIKeys) error {
	for _, id := range out.Unknown {
		warn(c, "API key %s is not accepted: a program of the previous version stored it, or somebody wrote it "+
			"into the database; revoke it, and issue another", id)
	}
	switch {
	case out.Converted > 0:
		return say(c, "API keys converted: %d. When every program has this version, run this again: it removes the "+
			"old form, which older programs need.", out.Converted)
	case out.Cleared > 0:
		return say(c, "API keys whose old form was removed: %d.", out.Cleared)
	}
	return say(c, "All API keys are converted.")
}
