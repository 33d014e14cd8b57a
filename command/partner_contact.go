package command

import (
	"github.com/spf13/cobra"

	"github.com/sealane/sealane/internal/operation"
)

func partnerContact() *cobra.Command {
	var in operation.ContactChange
	var remove bool
	c := &cobra.Command{
		Use:     "contact PARTNER ENVIRONMENT",
		Short:   "Add a contact at a partner, or remove one",
		Example: `  sealane partner contact vcas PROD --role primary --email pki@vcas.example --name "PKI team"`,
		Args:    cobra.ExactArgs(2),
	}
	flags := registryVerb(c)
	f := c.Flags()
	f.StringVar((*string)(&in.Role), "role", "primary",
		"primary, alternate or support: the order in which they are written to")
	f.StringVar(&in.Email, "email", "", "address, preferably of a mailbox that several people read (required)")
	f.StringVar(&in.Name, "name", "", "name")
	f.BoolVar(&remove, "remove", false, "remove the contact with that address")
	must(c.MarkFlagRequired("email"))
	input := func(_ *cobra.Command, args []string) (operation.ContactChange, error) {
		in.Partner, in.Environment = args[0], args[1]
		return in, nil
	}
	set := does(flags, operation.SetContact, input, func(c *cobra.Command, contact operation.Contact) error {
		return say(c, "%s is the %s contact of %s in %s.", contact.Email, contact.Role, in.Partner, in.Environment)
	})
	take := does(flags, operation.RemoveContact, input, func(c *cobra.Command, contact operation.Contact) error {
		return say(c, "%s is no longer a contact of %s in %s.", contact.Email, in.Partner, in.Environment)
	})
	c.RunE = func(c *cobra.Command, args []string) error {
		if remove {
			return take(c, args)
		}
		return set(c, args)
	}
	return c
}
