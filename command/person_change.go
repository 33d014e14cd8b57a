package command

import (
	"github.com/spf13/cobra"

	"github.com/sealane/sealane/internal/operation"
)

func personChange() *cobra.Command {
	var name, email string
	c := &cobra.Command{
		Use:     "change PERSON",
		Short:   "Change a person's name or mail address",
		Example: `  sealane person change ben --name "Ben Okoro" --email ben@bank.example`,
		Args:    cobra.ExactArgs(1),
	}
	flags := registryVerb(c)
	c.Flags().StringVar(&name, "name", "", "full name")
	c.Flags().StringVar(&email, "email", "", "mail address")
	c.MarkFlagsOneRequired("name", "email")
	input := func(c *cobra.Command, args []string) (operation.PersonChange, error) {
		in := operation.PersonChange{Person: args[0]}
		if c.Flags().Changed("name") {
			in.Name = &name
		}
		if c.Flags().Changed("email") {
			in.Email = &email
		}
		return in, nil
	}
	c.RunE = does(flags, operation.ChangePerson, input, func(c *cobra.Command, p operation.Person) error {
		return say(c, "%s is now %s, %s.", p.ID, cellText(p.Name), cellText(p.Email))
	})
	return c
}
