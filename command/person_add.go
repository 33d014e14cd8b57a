package command

import (
	"github.com/spf13/cobra"

	"github.com/sealane/sealane/internal/operation"
)

func personAdd() *cobra.Command {
	var p operation.Person
	var roles []string
	c := &cobra.Command{
		Use:   "add PERSON",
		Short: "Add a person; their token is shown once",
		Long: `Add adds a person under a short name, which the audit log shows. The token is shown
once: it authenticates that person. The first person of a registry is added by sealane
init.

Roles: operator (everything but approval), approver (approves, rejects, grants waivers),
auditor (reads), administrator (people, the root key, backups). A person may have
several roles, but can't approve for production what they received themselves. As soon as
there is another approver, a new operator, approver or administrator waits for the
approval of another person.

The role backup is for a program that makes backups, such as a timer: its token can do
nothing else, and does not even read.`,
		Example: `  sealane person add ben --name "Ben Okoro" --email ben@bank.example --role approver
  sealane person add timer --name "Nightly backup" --role backup`,
		Args: cobra.ExactArgs(1),
	}
	flags := registryVerb(c)
	f := c.Flags()
	f.StringVar(&p.Name, "name", "", "full name")
	f.StringVar(&p.Email, "email", "", "mail address")
	f.StringVar(&p.Telephone, "telephone", "", "telephone number, which the letters to partners show")
	f.StringSliceVar(&roles, "role", nil,
		"operator, approver, auditor, administrator or backup; several with commas, or repeated (required)")
	must(c.MarkFlagRequired("role"))
	input := func(_ *cobra.Command, args []string) (operation.Person, error) {
		p.ID, p.Roles = args[0], parseRoles(roles)
		return p, nil
	}
	c.RunE = does(flags, operation.AddPerson, input, func(c *cobra.Command, t operation.PersonToken) error {
		return say(c, "%s\n\nThis is the token of %s. It is not shown again. To use it: sealane login", t.Token,
			t.Person)
	})
	return c
}

// parseRoles converts the names of roles; the registry checks them.
func parseRoles(names []string) []operation.Role {
	var roles []operation.Role
	for _, name := range names {
		roles = append(roles, operation.Role(name))
	}
	return roles
}
