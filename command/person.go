package command

import (
	"errors"
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"github.com/sealane/sealane/internal/registry"
)

func newPerson() *cobra.Command {
	c := &cobra.Command{Use: "person", Short: "People who work with the registry, each with a token of their own"}
	flags := addRegistryFlags(c)
	c.AddCommand(personAdd(flags), personList(flags), personRevoke(flags), personToken(flags), personRoles(flags))
	return c
}

func personAdd(flags *registryFlags) *cobra.Command {
	var p registry.Person
	var roles []string
	c := &cobra.Command{
		Use:   "add PERSON",
		Short: "Add a person; their token is shown once",
		Long: `Add adds a person under a short name, which the audit log shows. The token is shown
once: it authenticates that person. The first person of a registry is added without a
token, and becomes its administrator.

Roles: operator (everything but approval), approver (approves, rejects, grants waivers),
auditor (reads), administrator (people, the root key, backups). A person may have
several roles, but can't approve for production what they received themselves.`,
		Example: `  sealane person add anna --name "Anna Ruiz" --email anna@bank.example \
      --role administrator --role operator
  sealane person add ben --name "Ben Okoro" --email ben@bank.example --role approver`,
		Args: cobra.ExactArgs(1),
	}
	f := c.Flags()
	f.StringVar(&p.Name, "name", "", "full name")
	f.StringVar(&p.Email, "email", "", "address")
	f.StringArrayVar(&roles, "role", nil,
		"operator, approver, auditor or administrator; repeat it for several (required)")
	must(c.MarkFlagRequired("role"))
	c.RunE = func(c *cobra.Command, args []string) error {
		p.ID = args[0]
		p.Roles = parseRoles(roles)
		token, err := flags.addPerson(c, p)
		if err != nil {
			return err
		}
		return flags.say(c, map[string]string{"person": p.ID, "token": token},
			"%s\n\nThis is the token of %s. It is not shown again. To use it: export SEALANE_TOKEN=…", token, p.ID)
	}
	return c
}

// parseRoles converts the names of roles; the registry checks them.
func parseRoles(names []string) []registry.Role {
	var roles []registry.Role
	for _, name := range names {
		roles = append(roles, registry.Role(name))
	}
	return roles
}

// addPerson adds the first person of an empty registry if the caller names no token,
// and others in the session of an administrator.
func (f *registryFlags) addPerson(c *cobra.Command, p registry.Person) (token string, err error) {
	mine, nobody := f.token(c)
	if nobody != nil && !errors.Is(nobody, errNobody) {
		return "", nobody
	}
	r, done, err := f.open(c, nobody != nil)
	if err != nil {
		return "", err
	}
	defer func() { err = errors.Join(err, done()) }()
	if nobody != nil {
		token, err = r.Found(c.Context(), p)
		if errors.Is(err, registry.ErrFounded) {
			return "", fmt.Errorf("%w\n%w", err, nobody)
		}
		return token, err
	}
	s, err := r.Login(c.Context(), mine)
	if err != nil {
		return "", err
	}
	token, err = s.WithReason(f.reason).AddPerson(c.Context(), p)
	return token, asRefused(err)
}

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

func personRevoke(flags *registryFlags) *cobra.Command {
	c := &cobra.Command{Use: "revoke PERSON", Short: "Revoke a person's token", Args: cobra.ExactArgs(1)}
	c.RunE = flags.withSession(func(c *cobra.Command, s *registry.Session, args []string) error {
		if err := s.RevokePerson(c.Context(), args[0]); err != nil {
			return err
		}
		return flags.say(c, map[string]string{"revoked": args[0]}, "The token of %s is revoked", args[0])
	})
	return c
}

func personToken(flags *registryFlags) *cobra.Command {
	c := &cobra.Command{
		Use:   "token PERSON",
		Short: "Replace a person's token that was lost or revoked",
		Args:  cobra.ExactArgs(1),
	}
	c.RunE = flags.withSession(func(c *cobra.Command, s *registry.Session, args []string) error {
		token, err := s.RenewToken(c.Context(), args[0])
		if err != nil {
			return err
		}
		return flags.say(c, map[string]string{"person": args[0], "token": token},
			"%s\n\nThis is the new token of %s; the old one is revoked. It is not shown again.", token, args[0])
	})
	return c
}

func personRoles(flags *registryFlags) *cobra.Command {
	c := &cobra.Command{Use: "roles PERSON ROLE…", Short: "Change a person's roles", Args: cobra.MinimumNArgs(2)}
	c.RunE = flags.withSession(func(c *cobra.Command, s *registry.Session, args []string) error {
		to := parseRoles(args[1:])
		if err := s.SetRoles(c.Context(), args[0], to); err != nil {
			return err
		}
		return flags.say(c, map[string]any{"person": args[0], "roles": to},
			"%s is %s now", args[0], strings.Join(args[1:], " and "))
	})
	return c
}
