package command

import (
	"strings"

	"github.com/spf13/cobra"

	"github.com/sealane/sealane/internal/operation"
)

func personList() *cobra.Command {
	var q operation.PeopleQuery
	c := &cobra.Command{Use: "list", Short: "List people", Args: cobra.NoArgs}
	flags := registryVerb(c)
	c.Flags().BoolVar(&q.Revoked, "all", false, "list those too whose token was revoked")
	input := func(*cobra.Command, []string) (operation.PeopleQuery, error) { return q, nil }
	c.RunE = does(flags, operation.ListPeople, input, func(c *cobra.Command, list operation.PeopleList) error {
		t := newTable("PERSON", "NAME", "EMAIL", "ROLES", "SINCE", "REVOKED")
		for _, p := range list.People {
			roles := make([]string, len(p.Roles))
			for i, role := range p.Roles {
				roles[i] = string(role)
			}
			row := t.add(p.ID, p.Name, p.Email, strings.Join(roles, " "), dateText(p.Created), dateText(p.Revoked))
			row.detail("token", p.Prefix+"…")
			row.detail("telephone", p.Telephone)
		}
		warnDamaged(c, list.Damaged)
		return t.write(c.OutOrStdout())
	})
	return c
}
