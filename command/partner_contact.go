package command

import (
	"github.com/spf13/cobra"

	"github.com/sealane/sealane/internal/operation"
)

// contactFlags are the flags of the contact command.
type contactFlags struct {
	role, email, name  string
	newRole, newEmail  string
	remove             bool
	from               string
	roleGiven, renamed bool
}

func partnerContact() *cobra.Command {
	k := &contactFlags{}
	c := &cobra.Command{
		Use:   "contact PARTNER ENVIRONMENT",
		Short: "Add a contact at a partner, change or remove one",
		Long: `Contact adds a contact, or changes the name of the one with that role and address. With
--new-email or --new-role it changes the one that --email names. --remove removes it from
all roles, or from the one that --role names.

--from takes over the contacts that a partner's Sealane has named in its file (sealane
receive shows them). The certificate that came with it must be approved, so that somebody
has called the partner by a known number before.`,
		Example: `  sealane partner contact vcas PROD --role primary --email pki@vcas.example --name "PKI team"
  sealane partner contact vcas PROD --email pki@vcas.example --new-email keys@vcas.example
  sealane partner contact --from c-7k2m4q6z3x`,
		Args: cobra.MaximumNArgs(2),
	}
	flags := registryVerb(c)
	f := c.Flags()
	f.StringVar(&k.role, "role", "primary", "primary, alternate or support: the order in which they are written to")
	f.StringVar(&k.email, "email", "", "address, preferably of a mailbox that several people read (required)")
	f.StringVar(&k.name, "name", "", "name")
	f.StringVar(&k.newEmail, "new-email", "", "the address that takes the place of --email")
	f.StringVar(&k.newRole, "new-role", "", "the role that takes the place of the one that it has")
	f.BoolVar(&k.remove, "remove", false, "remove the contact with that address")
	f.StringVar(&k.from, "from", "", "take over the contacts that the file of this certificate names")
	c.MarkFlagsMutuallyExclusive("remove", "from", "new-email")
	c.MarkFlagsMutuallyExclusive("remove", "from", "new-role")
	c.MarkFlagsMutuallyExclusive("from", "email")
	set, edit, remove, take := k.verbs(flags)
	c.RunE = func(c *cobra.Command, args []string) error {
		k.roleGiven, k.renamed = f.Changed("role"), f.Changed("name")
		switch {
		case k.from != "" && len(args) > 0:
			return usage("a certificate has its partner and environment: leave them out")
		case k.from != "":
			return take(c, args)
		case len(args) != 2:
			return usage("name the partner and the environment")
		case k.email == "":
			return usage("name the address (--email)")
		case k.remove:
			return remove(c, args)
		case k.newEmail != "" || k.newRole != "":
			return edit(c, args)
		}
		return set(c, args)
	}
	return c
}

// verbs returns what the command does.
func (k *contactFlags) verbs(flags *registryFlags) (set, edit, remove, take func(*cobra.Command, []string) error) {
	lane := func(args []string) operation.LaneName {
		return operation.LaneName{Partner: args[0], Environment: args[1]}
	}
	set = does(flags, operation.SetContact, func(_ *cobra.Command, args []string) (operation.ContactChange, error) {
		contact := operation.Contact{Role: operation.ContactRole(k.role), Name: k.name, Email: k.email}
		return operation.ContactChange{LaneName: lane(args), Contact: contact}, nil
	}, func(c *cobra.Command, contact operation.Contact) error {
		return say(c, "%s is a contact now: %s.", contact.Email, contact.Role)
	})
	which := func(args []string) operation.ContactOf {
		of := operation.ContactOf{LaneName: lane(args)}
		if of.Which.Email = k.email; k.roleGiven {
			of.Which.Role = operation.ContactRole(k.role)
		}
		return of
	}
	edit = does(flags, operation.EditContact, func(_ *cobra.Command, args []string) (operation.ContactEdit, error) {
		e := operation.ContactEdit{ContactOf: which(args), Role: operation.ContactRole(k.newRole), Email: k.newEmail}
		if k.renamed {
			e.Name = &k.name
		}
		return e, nil
	}, func(c *cobra.Command, contact operation.Contact) error {
		return say(c, "The contact is now %s, %s.", contact.Email, contact.Role)
	})
	remove = does(flags, operation.RemoveContact, func(_ *cobra.Command, args []string) (operation.ContactOf, error) {
		return which(args), nil
	}, func(c *cobra.Command, of operation.ContactOf) error {
		return say(c, "%s is no longer a contact of %s in %s.", of.Which.Email, of.Partner, of.Environment)
	})
	take = does(flags, operation.TakeContacts, func(*cobra.Command, []string) (operation.ID, error) {
		return operation.ID{ID: k.from}, nil
	}, func(c *cobra.Command, taken operation.TakenContacts) error {
		for _, contact := range taken.Added {
			if err := say(c, "%s is the %s contact of %s in %s.", cellText(contact.Email), contact.Role, taken.Partner,
				taken.Environment); err != nil {
				return err
			}
		}
		return nil
	})
	return set, edit, remove, take
}
