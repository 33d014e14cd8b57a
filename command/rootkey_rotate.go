package command

import (
	"github.com/spf13/cobra"

	"github.com/sealane/sealane/internal/operation"
)

func rootKeyRotate() *cobra.Command {
	var in operation.RootKeyRotation
	c := &cobra.Command{
		Use:   "rotate",
		Short: "Encrypt all private keys under another root key",
		Long: `Rotate encrypts every private key of the registry under the root key --to. It may be
interrupted and run again at any time, with the same keys. When it is done, only the
new root key is needed.`,
		Example: `  sealane rootkey create new.rootkey
  sealane rootkey rotate --root-key file:sealane.rootkey --to file:new.rootkey \
      --reason "yearly rotation"`,
		Args: cobra.NoArgs,
	}
	flags := registryVerb(c)
	asksWhy(c)
	c.Flags().StringVar(&in.To, "to", "", "the new root key (required)")
	must(c.MarkFlagRequired("to"))
	input := func(*cobra.Command, []string) (operation.RootKeyRotation, error) { return in, nil }
	c.RunE = does(flags, operation.RotateRootKey, input, func(c *cobra.Command, r operation.RootKeyRotated) error {
		return say(c, "All private keys are under root key %s now; %d of them were not before. "+
			"The old one is needed only for old backups.", r.RootKey, r.Sealed)
	})
	return c
}
