package command

import (
	"github.com/spf13/cobra"

	"github.com/sealane/sealane/internal/operation"
)

func personChange() *cobra.Command {
	var name, email, telephone string
	c := &cobra.Command{
		Use:     "change PERSON",
		Short:   "Change a person's name, mail address or telephone number",
		Example: `  sealane person change ben --name "Ben Okoro" --email ben@bank.example`,
		Args:    cobra.ExactArgs(1),
	}
	flags := registryVerb(c)
	c.Flags().StringVar(&name, "name", "", "full name")
	c.Flags().StringVar(&email, "email", "", "mail address")
	c.Flags().StringVar(&telephone, "telephone", "", "telephone number, which the letters to partners show")
	c.MarkFlagsOneRequired("name", "email", "telephone")
	input := func(c *cobra.Command, args []string) (operation.PersonChange, error) {
		in := operation.PersonChange{Person: args[0]}
		if c.Flags().Changed("name") {
			in.Name = &name
		}
		if c.Flags().Changed("email") {
			in.Email = &email
		}
		if c.Flags().Changed("telephone") {
			in.Telephone = &telephone
		}
		return in, nil
	}
	c.RunE = does(flags, operation.ChangePerson, input, func(c *cobra.Command, p operation.Person) error {
		called := ""
		if p.Telephone != "" {
			called = ", telephone " + p.Telephone
		}
		return say(c, "%s is now %s, %s%s.", p.ID, cellText(p.Name), cellText(p.Email), called)
	})
	return c
}
