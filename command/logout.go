package command

import (
	"errors"
	"os"

	"github.com/spf13/cobra"

	"github.com/sealane/sealane/internal/operation"
)

func newLogout() *cobra.Command {
	var revoke bool
	c := &cobra.Command{
		Use:   "logout",
		Short: "Delete your token from this account, and end it if you wish",
		Long: `Logout deletes the file that sealane login has made. The token stays valid for
anyone who has a copy of it.

With --revoke the token ends, too: do that if somebody else may have it. An
administrator can replace it then (sealane person token).`,
		Args: cobra.NoArgs,
	}
	flags := registryVerb(c)
	c.Flags().BoolVar(&revoke, "revoke", false, "end the token in the registry")
	forget := func(c *cobra.Command) error {
		file := loginFile(flags.database())
		for _, name := range []string{file, file + oldToken} {
			if err := os.Remove(name); err != nil && !errors.Is(err, os.ErrNotExist) {
				return err
			}
		}
		return nil
	}
	end := does(flags, operation.EndToken, nothing, func(c *cobra.Command, p operation.PersonName) error {
		if err := forget(c); err != nil {
			return err
		}
		return say(c, "The token of %s is revoked, and deleted from this account.", p.Person)
	})
	c.RunE = func(c *cobra.Command, args []string) error {
		if revoke {
			return end(c, args)
		}
		if err := forget(c); err != nil {
			return err
		}
		return say(c, "The token is deleted from this account. It is still valid.")
	}
	return c
}
