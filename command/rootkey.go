package command

import (
	"github.com/spf13/cobra"
)

func newRootKey() *cobra.Command {
	c := &cobra.Command{
		Use:   "rootkey",
		Short: "The key that encrypts the registry's private keys",
		Long: `Private keys in the registry are encrypted (AES-256-GCM) under a root key, which is
never in the database. It comes from a file (file:PATH), an environment variable
(env:NAME), or a passphrase (passphrase:NAME, the variable that holds it). Without it
the private keys are lost: keep a copy in a safe place, apart from the backups.`,
	}
	c.AddCommand(rootKeyCreate(), rootKeyRotate())
	return c
}
