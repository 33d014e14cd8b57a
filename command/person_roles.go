package command

import (
	"strings"

	"github.com/spf13/cobra"

	"github.com/sealane/sealane/internal/operation"
)

func personRoles() *cobra.Command {
	c := &cobra.Command{Use: "roles PERSON ROLE…", Short: "Change a person's roles", Args: cobra.MinimumNArgs(2)}
	input := func(_ *cobra.Command, args []string) (operation.PersonRoles, error) {
		return operation.PersonRoles{Person: args[0], Roles: parseRoles(args[1:])}, nil
	}
	c.RunE = does(registryVerb(c), operation.SetRoles, input, func(c *cobra.Command, p operation.PersonRoles) error {
		roles := make([]string, len(p.Roles))
		for i, role := range p.Roles {
			roles[i] = string(role)
		}
		return say(c, "%s is now %s.", p.Person, strings.Join(roles, " and "))
	})
	return c
}
