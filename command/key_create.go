package command

import (
	"cmp"

	"github.com/spf13/cobra"

	"github.com/sealane/sealane/internal/operation"
)

func keyCreate() *cobra.Command {
	var n operation.NewPair
	c := &cobra.Command{
		Use:   "create",
		Short: "Make a key pair in the registry, with its certificate",
		Long: `Create makes an RSA key pair and a self-signed certificate by the profile's rules. The
private key stays in the registry, encrypted under the root key. The pair opens
messages at once. It signs when the partner has installed its certificate (sealane
installed).

For one partner, sealane offer makes the pair and writes the letters in one step. Make
one pair for each account and environment, and use it for nothing else.`,
		Example: `  sealane key create --profile riskos --env PROD --common-name riskos.provider.example \
      --org "Provider" --unit API --email keys@provider.example`,
		Args: cobra.NoArgs,
	}
	flags := registryVerb(c)
	pairFlags(c, &n)
	c.Flags().IntVar(&n.Bits, "bits", 0, "RSA size: 2048, 3072 or 4096 (default: the profile's)")
	subjectFlags(c, &n.Subject)
	must(c.MarkFlagRequired("common-name"))
	input := func(*cobra.Command, []string) (operation.NewPair, error) { return n, checkPairFlags(n) }
	c.RunE = does(flags, operation.CreateKey, input, func(c *cobra.Command, made operation.MadePair) error {
		k := made.KeyPair
		return say(c, "Key pair %s (RSA %d, %s) is made; its certificate is valid until %s.\n"+
			"Next: sealane offer %s %s --out FOLDER",
			k.ID, k.Bits, k.Environment, dateText(made.Certificate.NotAfter), cmp.Or(n.Partner, "PARTNER"),
			k.Environment)
	})
	return c
}

// pairFlags adds the flags for a new key pair.
func pairFlags(c *cobra.Command, n *operation.NewPair) {
	f := c.Flags()
	f.StringVar(&n.Profile, "profile", "", "profile, for a pair that all its partners share")
	f.StringVar(&n.Partner, "partner", "", "for this partner only")
	f.StringVar(&n.Environment, "env", "", "environment (required)")
	f.StringVar(&n.KeyID, "key-id", "", "key ID (alias), if it is known already")
	f.BoolVar(&n.Renewal, "renewal", false, "it follows a pair that is in use")
	must(c.MarkFlagRequired("env"))
}

// checkPairFlags returns an error if nobody is named for whom a pair is.
func checkPairFlags(n operation.NewPair) error {
	if n.Partner == "" && n.Profile == "" {
		return usage("name the partner (--partner), or the profile for all of its partners (--profile)")
	}
	return nil
}
