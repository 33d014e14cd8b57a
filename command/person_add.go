package command

import (
	"errors"
	"fmt"

	"github.com/spf13/cobra"

	"github.com/sealane/sealane/internal/registry"
)

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
