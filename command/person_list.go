package command

import (
	"strings"

	"github.com/spf13/cobra"

	"github.com/sealane/sealane/internal/registry"
)

func personList(flags *registryFlags) *cobra.Command {
	c := &cobra.Command{Use: "list", Short: "List people", Args: cobra.NoArgs}
	c.RunE = flags.withView(func(c *cobra.Command, v view, _ []string) error {
		var people []registry.Person
		err := v.View(c.Context(), func(tx registry.Tx) (err error) {
			people, err = tx.People()
			return err
		})
		if err != nil {
			return err
		}
		return flags.show(c, people, "PERSON,NAME,EMAIL,ROLES,TOKEN,SINCE,REVOKED", func(add func(...any)) {
			for _, p := range people {
				roles := make([]string, len(p.Roles))
				for i, role := range p.Roles {
					roles[i] = string(role)
				}
				add(p.ID, p.Name, p.Email, strings.Join(roles, " "), p.Prefix+"…", p.Created, p.Revoked)
			}
		})
	})
	return c
}
