package command

import (
	"github.com/spf13/cobra"

	"github.com/sealane/sealane/internal/operation"
)

func rootKeyCreate() *cobra.Command {
	c := &cobra.Command{
		Use:   "create FILE",
		Short: "Make a root key in a new file",
		Args:  cobra.ExactArgs(1),
	}
	asJSON := c.Flags().Bool("json", false, "write JSON")
	c.RunE = func(c *cobra.Command, args []string) error {
		id, err := operation.NewRootKey(args[0])
		if err != nil {
			return err
		}
		if *asJSON {
			return writeJSON(c.OutOrStdout(), map[string]string{"file": args[0], "root_key": id})
		}
		return say(c, "%s has root key %s. To use it: --root-key file:%s\n"+
			"Keep a copy in a safe place: without it the registry's private keys are lost.",
			args[0], id, absolute(args[0]))
	}
	return c
}
