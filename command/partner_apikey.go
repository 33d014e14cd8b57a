package command

import (
	"github.com/spf13/cobra"

	"github.com/sealane/sealane/internal/operation"
)

func partnerAPIKey() *cobra.Command {
	var in operation.NewAPIKey
	var revoke, relabel string
	c := &cobra.Command{
		Use:   "apikey PARTNER ENVIRONMENT",
		Short: "Make an API key for a partner that calls you, relabel or revoke one",
		Long: `Apikey makes a key with 160 random bits. It is shown once; the registry stores its
SHA-256. Several keys may be valid at a time, so that the partner can change without
an interruption: make the second, have it installed, revoke the first.`,
		Example: `  sealane partner apikey acme PROD --sealing required --label "batch system"
  sealane partner apikey --relabel a-7k2m4q6z3x --label "night batch"
  sealane partner apikey --revoke a-7k2m4q6z3x --reason "left in a mail"`,
		Args: cobra.MaximumNArgs(2),
	}
	flags := registryVerb(c)
	asksWhy(c)
	f := c.Flags()
	f.StringVar(&in.Label, "label", "", "what the key is for")
	f.StringVar((*string)(&in.Sealing), "sealing", "", "required or optional (required for a new key)")
	f.StringVar(&revoke, "revoke", "", "identity of the key to revoke")
	f.StringVar(&relabel, "relabel", "", "identity of a key that gets another --label")
	c.MarkFlagsMutuallyExclusive("revoke", "relabel")
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
	c.RunE = func(c *cobra.Command, args []string) error {
		switch {
		case (revoke != "" || relabel != "") && len(args) > 0:
			return usage("an API key has an identity of its own: leave the partner and the environment out")
		case revoke != "":
			return end(c, args)
		case relabel != "":
			return name(c, args)
		}
		return issue(c, args)
	}
	return c
}
