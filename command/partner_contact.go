package command

import (
	"github.com/spf13/cobra"

	"github.com/sealane/sealane/internal/lanes"
	"github.com/sealane/sealane/internal/registry"
)

func partnerContact(flags *registryFlags) *cobra.Command {
	var contact registry.Contact
	var role string
	var remove bool
	c := &cobra.Command{
		Use:     "contact PARTNER ENVIRONMENT",
		Short:   "Add a contact at a partner, or remove one",
		Example: `  sealane partner contact vcas PROD --role primary --email pki@vcas.example --name "PKI team"`,
		Args:    cobra.ExactArgs(2),
	}
	f := c.Flags()
	f.StringVar(&role, "role", string(registry.Primary),
		"primary, alternate or support: the order in which they are written to")
	f.StringVar(&contact.Email, "email", "", "address, best of a mailbox that several people read (required)")
	f.StringVar(&contact.Name, "name", "", "name")
	f.BoolVar(&remove, "remove", false, "remove the contact with that address")
	must(c.MarkFlagRequired("email"))
	c.RunE = flags.withSession(func(c *cobra.Command, s *registry.Session, args []string) error {
		lane := lanes.Name{Partner: args[0], Environment: args[1]}
		if remove {
			if err := s.RemoveContact(c.Context(), lane, contact.Email); err != nil {
				return err
			}
			return flags.say(c, contact, "%s is no longer a contact of %s", contact.Email, lane)
		}
		contact.Role = registry.ContactRole(role)
		if err := s.SetContact(c.Context(), lane, contact); err != nil {
			return err
		}
		return flags.say(c, contact,
			"%s is the %s contact of %s", contact.Email, contact.Role, lane)
	})
	return c
}
