package command

import (
	"github.com/spf13/cobra"

	"github.com/sealane/sealane/internal/operation"
)

func newAlias() *cobra.Command {
	var in operation.KeyIDChange
	c := &cobra.Command{
		Use:   "alias IDENTITY KEYID",
		Short: "Assign a key ID (alias), or record the partner's",
		Long: `For a partner's certificate, alias assigns the key ID that your messages to the partner
will carry, in the profile's form. For a key pair of yours it records the one that the
partner told you. If it does not have the profile's form, confirm it with --as-is.

A key ID is unique in its environment. A renewal of the same size may have the key
ID of the previous certificate.`,
		Example: `  sealane alias k-7k2m4q6z3x 1234dadc1234b704c1f23dc4-PKE-ACS-Client-2048SHA2-STAG`,
		Args:    cobra.ExactArgs(2),
	}
	flags := registryVerb(c)
	c.Flags().StringVar(&in.Replace, "replace", "", "the current key ID, to replace it")
	c.Flags().BoolVar(&in.AsIs, "as-is", false,
		"the partner really uses this key ID, although it does not have the profile's form")
	input := func(_ *cobra.Command, args []string) (operation.KeyIDChange, error) {
		in.ID, in.KeyID = args[0], args[1]
		return in, nil
	}
	c.RunE = does(flags, operation.Alias, input, func(c *cobra.Command, s operation.Step) error {
		return writeStep(c, s, "The key ID of %s is %s.", in.ID, printable(in.KeyID))
	})
	return c
}
