package main

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
		Use: "add PERSON", Short: "Add somebody; their token is shown once", Args: cobra.ExactArgs(1),
		Long: `Add lets somebody in, under a short name that the audit log will show. The token is
shown once; who has it is that person. The first person of a registry needs nobody's
token, and becomes its administrator.

Roles: operator (all but approving), approver (approves, rejects, grants waivers),
auditor (reads), administrator (people, the root key, backups). One person may have
several; but nobody approves for production what they received themselves.`,
		Example: `  sealane person add anna --name "Anna Ruiz" --email anna@bank.example --role administrator --role operator
  sealane person add ben --name "Ben Okoro" --email ben@bank.example --role approver`,
	}
	f := c.Flags()
	f.StringVar(&p.Name, "name", "", "full name")
	f.StringVar(&p.Email, "email", "", "address")
	f.StringArrayVar(&roles, "role", nil, "operator, approver, auditor or administrator; several times for several (required)")
	must(c.MarkFlagRequired("role"))
	c.RunE = func(c *cobra.Command, args []string) error {
		p.ID = args[0]
		for _, role := range roles {
			p.Roles = append(p.Roles, registry.Role(role))
		}
		token, err := flags.addPerson(c, p)
		if err != nil {
			return err
		}
		return flags.said(c, map[string]string{"person": p.ID, "token": token}, "%s\n\nThis is the token of %s. It is not shown again. To use it: export SEALANE_TOKEN=…", token, p.ID)
	}
	return c
}

// addPerson adds the first person of an empty registry, where no token is named, and
// others at an administrator's desk.
func (flags *registryFlags) addPerson(c *cobra.Command, p registry.Person) (token string, err error) {
	mine, nobody := flags.token(c)
	if nobody != nil && !errors.Is(nobody, errNobody) {
		return "", nobody
	}
	r, done, err := flags.open(c, nobody != nil)
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
	d, err := r.Login(c.Context(), mine)
	if err != nil {
		return "", err
	}
	token, err = d.AddPerson(c.Context(), p, flags.reason)
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
	c := &cobra.Command{Use: "revoke PERSON", Short: "End somebody's token", Args: cobra.ExactArgs(1)}
	c.RunE = flags.withSession(func(c *cobra.Command, d *registry.Session, args []string) error {
		if err := d.RevokePerson(c.Context(), args[0], flags.reason); err != nil {
			return err
		}
		return flags.said(c, map[string]string{"revoked": args[0]}, "The token of %s is revoked", args[0])
	})
	return c
}

func personToken(flags *registryFlags) *cobra.Command {
	c := &cobra.Command{Use: "token PERSON", Short: "Give somebody a new token, for one that was lost or revoked", Args: cobra.ExactArgs(1)}
	c.RunE = flags.withSession(func(c *cobra.Command, d *registry.Session, args []string) error {
		token, err := d.RenewToken(c.Context(), args[0], flags.reason)
		if err != nil {
			return err
		}
		return flags.said(c, map[string]string{"person": args[0], "token": token}, "%s\n\nThis is the new token of %s; the old one has ended. It is not shown again.", token, args[0])
	})
	return c
}

func personRoles(flags *registryFlags) *cobra.Command {
	c := &cobra.Command{Use: "roles PERSON ROLE…", Short: "Give somebody other roles", Args: cobra.MinimumNArgs(2)}
	c.RunE = flags.withSession(func(c *cobra.Command, d *registry.Session, args []string) error {
		var to []registry.Role
		for _, role := range args[1:] {
			to = append(to, registry.Role(role))
		}
		if err := d.SetRoles(c.Context(), args[0], to, flags.reason); err != nil {
			return err
		}
		return flags.said(c, map[string]any{"person": args[0], "roles": to}, "%s is %s now", args[0], strings.Join(args[1:], " and "))
	})
	return c
}
