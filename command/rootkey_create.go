package command

import (
	"github.com/spf13/cobra"

	"github.com/sealane/sealane/internal/rootkey"
)

func rootKeyCreate(flags *registryFlags) *cobra.Command {
	return &cobra.Command{
		Use:   "create FILE",
		Short: "Make a root key in a new file",
		Args:  cobra.ExactArgs(1),
		RunE: func(c *cobra.Command, args []string) error {
			key, err := rootkey.Create(args[0])
			if err != nil {
				return err
			}
			return flags.say(c, map[string]string{"file": args[0], "root_key": key.ID()},
				"%s holds root key %s. To use it: --root-key file:%s\n"+
					"Keep a copy in a safe place: without it the registry's private keys are lost.",
				args[0], key.ID(), absolute(args[0]))
		},
	}
}
