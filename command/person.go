package command

import (
	"github.com/spf13/cobra"
)

func newPerson() *cobra.Command {
	c := &cobra.Command{Use: "person", Short: "People who work with the registry, each with a token of their own"}
	c.AddCommand(personAdd(), personList(), personRevoke(), personToken(), personRoles(), personChange())
	return c
}
