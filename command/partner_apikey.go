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

// apiKeyFlags are the flags of partner apikey.
type apiKeyFlags struct {
	*registryFlags
	in                    operation.NewAPIKey
	revoke, relabel, file string
	convert               bool
}

func partnerAPIKey() *cobra.Command {
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
	flags := &apiKeyFlags{registryFlags: registryVerb(c)}
	asksWhy(c)
	f := c.Flags()
	f.StringVar(&flags.in.Label, "label", "", "what the key is for")
	f.StringVar((*string)(&flags.in.Sealing), "sealing", "", "required or optional (required for a new key)")
	f.StringVar(&flags.file, "import", "", "file with a key that the partner has already, or - to be asked for it")
	f.StringVar(&flags.revoke, "revoke", "", "identity of the key to revoke")
	f.StringVar(&flags.relabel, "relabel", "", "identity of a key that gets another --label")
	f.BoolVar(&flags.convert, "convert", false, "convert the keys that an earlier version has stored")
	c.MarkFlagsMutuallyExclusive("revoke", "relabel", "import", "convert")
	c.RunE = func(c *cobra.Command, args []string) error {
		alone := flags.revoke != "" || flags.relabel != "" || flags.convert
		if alone && len(args) > 0 {
			return usage("this needs neither a partner nor an environment: leave them out")
		}
		return flags.verb(c)(c, args)
	}
	return c
}

// verb returns what the flags ask for.
func (f *apiKeyFlags) verb(c *cobra.Command) func(*cobra.Command, []string) error {
	switch {
	case f.revoke != "":
		key := func(*cobra.Command, []string) (operation.ID, error) { return operation.ID{ID: f.revoke}, nil }
		return does(f.registryFlags, operation.RevokeAPIKey, key, func(c *cobra.Command, _ operation.None) error {
			return say(c, "API key %s is revoked.", f.revoke)
		})
	case f.relabel != "":
		label := func(*cobra.Command, []string) (operation.APIKeyLabel, error) {
			return operation.APIKeyLabel{ID: f.relabel, Label: f.in.Label}, nil
		}
		named := func(c *cobra.Command, k operation.APIKeyLabel) error {
			return say(c, "The label of API key %s is now %s.", k.ID, cellText(k.Label))
		}
		return does(f.registryFlags, operation.LabelAPIKey, label, named)
	case f.convert:
		return does(f.registryFlags, operation.ConvertAPIKeys, nothing, sayConverted)
	case c.Flags().Changed("import"):
		taken := func(c *cobra.Command, k operation.APIKey) error {
			return say(c, "The key %s… is API key %s of %s in %s.", k.Prefix, k.ID, k.Partner, k.Environment)
		}
		return does(f.registryFlags, operation.ImportAPIKey, f.imported, taken)
	}
	issued := func(c *cobra.Command, k operation.IssuedAPIKey) error {
		return say(c, "%s\n\nThis is API key %s of %s in %s. It is not shown again: transmit it securely.",
			k.Key, k.ID, k.Partner, k.Environment)
	}
	return does(f.registryFlags, operation.IssueAPIKey, f.wanted, issued)
}

// wanted is the input for a new key.
func (f *apiKeyFlags) wanted(_ *cobra.Command, args []string) (operation.NewAPIKey, error) {
	if len(args) != 2 {
		return f.in, usage("name the partner and the environment")
	}
	f.in.Partner, f.in.Environment = args[0], args[1]
	return f.in, nil
}

// imported is the input for a key that the partner has already.
func (f *apiKeyFlags) imported(c *cobra.Command, args []string) (all operation.ImportedAPIKey, err error) {
	if all.NewAPIKey, err = f.wanted(c, args); err == nil {
		all.Key, err = askAPIKey(c, f.file)
	}
	return all, err
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
