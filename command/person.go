package command

import (
	"github.com/spf13/cobra"
)

func newPerson() *cobra.Command {
	c := &cobra.Command{Use: "person", Short: "People who work with the registry, each with a token of their own"}
	flags := addRegistryFlags(c)
	c.AddCommand(personAdd(flags), personList(flags), personRevoke(flags), personToken(flags), personRoles(flags))
	return c
}
